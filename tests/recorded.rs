//! Recorded streams, through the members that read them: `tests/data/provider/SERVER/NAME.sse` and,
//! beside each, what it must give, in `NAME.json`.
//!
//! Made by hand after the vendors' documentation, and from what real servers sent. Each stream is
//! cut in two at every byte, which must change nothing, and ended at every byte, which must end in
//! a typed way: the whole answer, or an error, and never a panic. What follows is the conversation
//! of the next request, after the calls were answered. `SX_BLESS=1 cargo test --test recorded`
//! writes the files; read what changed.

use serde_json::Value;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use sx::agent::turn::Reply;
use sx::agent::turn::Turn;
use sx::auth::identity::Identity;
use sx::chat::Block;
use sx::chat::Message;
use sx::chat::ToolResult;
use sx::http::sse::Parser;
use sx::http::url::Url;
use sx::provider::Error;
use sx::provider::Provider;
use sx::provider::Request;
use sx::provider::Thinking;
use sx::provider::anthropic::Anthropic;
use sx::provider::claude;
use sx::provider::codex;
use sx::provider::codex::Codex;
use sx::provider::gemini;
use sx::provider::gemini::Gemini;
use sx::provider::models::Aliases;
use sx::provider::openai;
use sx::provider::openai::OpenAi;

/// Servers whose address says who they are; the others are somebody's own.
const HOSTS: &[(&str, &str)] = &[
    ("azure", "https://place.openai.azure.com"),
    ("deepseek", "https://api.deepseek.com"),
    ("groq", "https://api.groq.com/openai"),
    ("mistral", "https://api.mistral.ai"),
    ("moonshot", "https://api.moonshot.ai"),
    ("openai", "https://api.openai.com"),
    ("openrouter", "https://openrouter.ai/api"),
    ("xai", "https://api.x.ai"),
];

/// The member that reads a recording.
fn member(server: &str, stream: &str) -> Box<dyn Provider> {
    let host = HOSTS.iter().find(|(name, _)| *name == server);
    let host = host.map_or("http://127.0.0.1:8000", |(_, host)| *host);
    let base_url = Url::parse(host).expect("an address");
    let (identity, aliases) = (Identity::own(), Aliases::default());
    match server {
        "anthropic" => Box::new(Anthropic::new(claude::Options {
            base_url,
            identity,
            aliases,
        })),
        "gemini" => Box::new(Gemini::new(gemini::Options {
            base_url,
            identity,
            aliases,
        })),
        "codex" => Box::new(Codex::new(codex::Options {
            base_url,
            identity,
            aliases,
            lite: codex::Lite::Never,
        })),
        _ => Box::new(OpenAi::new(openai::Options {
            base_url,
            identity,
            aliases,
            wire: match stream.contains("\"response.") {
                true => openai::Wire::Responses,
                false => openai::Wire::Completions,
            },
        })),
    }
}

fn model(server: &str) -> &'static str {
    match server {
        "anthropic" => "claude-sonnet-4-5",
        "gemini" => "gemini-3-flash",
        "codex" | "openai" => "gpt-5.2",
        "deepseek" => "deepseek-reasoner",
        _ => "m",
    }
}

/// A conversation, asked for and read.
struct Conversation {
    provider: Box<dyn Provider>,
    model: &'static str,
    history: Vec<Message>,
}

impl Conversation {
    fn new(server: &str, stream: &str) -> Conversation {
        Conversation {
            provider: member(server, stream),
            model: model(server),
            history: vec![Message::user("begin")],
        }
    }

    /// What is sent next: the conversation alone, without what stands before it.
    fn body(&mut self) -> Value {
        let request = Request {
            model: self.model,
            system: "",
            tools: &[],
            history: &self.history,
            session: "",
            thinking: Thinking::default(),
            output_max: None,
            schema: None,
            search: false,
        };
        let sent = self.provider.encode(&request, None).expect("no schema");
        let body: Value = serde_json::from_slice(&sent.body).expect("JSON");
        let mut fields = ["input", "messages", "contents"].iter();
        let field = fields.find_map(|name| body.get(*name));
        field.expect("a conversation").clone()
    }

    fn read(&mut self, pieces: &[&[u8]]) -> Result<Reply, Error> {
        let mut decoder = self.provider.decoder();
        let mut parser = Parser::new();
        let mut deltas = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            // A line that no stream has is the reader's to refuse, and no part of this.
            while let Ok(Some(event)) = parser.feed(&mut rest) {
                decoder.feed(&event, &mut deltas)?;
            }
        }
        decoder.finish(&mut deltas)?;
        let mut turn = Turn::default();
        let mut shown = Vec::new();
        for delta in deltas {
            turn.take(delta, &mut shown);
        }
        Ok(turn.finish(&mut shown))
    }
}

/// What a stream must give.
fn given(server: &str, stream: &str) -> Value {
    let mut conversation = Conversation::new(server, stream);
    let reply = match conversation.read(&[stream.as_bytes()]) {
        Ok(reply) => reply,
        Err(error) => return json!({ "error": format!("{error:?}") }),
    };
    let texts = |pick: fn(&Block) -> Option<&str>| -> Vec<&str> {
        reply.blocks.iter().filter_map(pick).collect()
    };
    let text = texts(|block| match block {
        Block::Text { text, .. } => Some(text),
        _ => None,
    });
    let thinking = texts(|block| match block {
        Block::Thinking { text, .. } => Some(text),
        _ => None,
    });
    let answer = Message::Assistant(reply.blocks.clone());
    let calls: Vec<Value> = answer
        .calls()
        .map(|call| json!({"id": call.id, "name": call.name, "arguments": call.arguments}))
        .collect();
    let results: Vec<ToolResult> = answer
        .calls()
        .map(|call| ToolResult::text(call, true, "done"))
        .collect();
    let mut given = json!({
        "text": text,
        "thinking": thinking,
        "calls": calls,
        "usage": reply.usage,
        "stop": format!("{:?}", reply.stop),
    });
    if !reply.links.is_empty() {
        given["links"] = json!(reply.links);
    }
    conversation.history.push(answer.clone());
    conversation.history.push(match results.is_empty() {
        true => Message::user("go on"),
        false => Message::Results(results),
    });
    given["next"] = conversation.body();
    given
}

/// Every recording: the server's name, and the path.
fn recordings() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/provider");
    let mut found = Vec::new();
    for folder in fs::read_dir(root).expect("a folder") {
        let folder = folder.expect("an entry").path();
        let server = folder
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        for file in fs::read_dir(&folder).expect("a folder") {
            let path = file.expect("an entry").path();
            if path.extension().is_some_and(|ending| ending == "sse") {
                found.push((server.clone(), path));
            }
        }
    }
    found.sort();
    assert!(found.len() > 30, "{found:?}");
    found
}

#[test]
fn every_recording_gives_what_is_written_beside_it() {
    for (server, path) in recordings() {
        let stream = fs::read_to_string(&path).expect("a recording");
        let given = given(&server, &stream);
        let expected = path.with_extension("json");
        if std::env::var_os("SX_BLESS").is_some() {
            let text = serde_json::to_string_pretty(&given).expect("JSON");
            fs::write(&expected, text + "\n").expect("our folder");
            continue;
        }
        let text = fs::read_to_string(&expected);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", expected.display()));
        let expected: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(given, expected, "{}", path.display());
    }
}

#[test]
fn a_cut_at_any_byte_changes_nothing() {
    for (server, path) in recordings() {
        let stream = fs::read_to_string(&path).expect("a recording");
        let whole = Conversation::new(&server, &stream).read(&[stream.as_bytes()]);
        for at in 0..=stream.len() {
            let (left, right) = stream.as_bytes().split_at(at);
            let cut = Conversation::new(&server, &stream).read(&[left, right]);
            assert_eq!(cut, whole, "{} at {at}", path.display());
        }
        let crlf = stream.replace('\n', "\r\n");
        let with_crlf = Conversation::new(&server, &stream).read(&[crlf.as_bytes()]);
        assert_eq!(with_crlf, whole, "{}", path.display());
    }
}

#[test]
fn an_end_at_any_byte_is_a_typed_one() {
    for (server, path) in recordings() {
        let stream = fs::read_to_string(&path).expect("a recording");
        let whole = Conversation::new(&server, &stream).read(&[stream.as_bytes()]);
        // One that says with each piece that it is the last cannot be cut in a way that shows.
        if path.ends_with("gemini/stop_in_every_chunk.sse") {
            continue;
        }
        for at in 0..stream.len() {
            let torn = Conversation::new(&server, &stream).read(&[&stream.as_bytes()[..at]]);
            let Ok(torn) = torn else { continue };
            // All was said; only the count of tokens may come after the reason for the end.
            let whole = whole.as_ref().expect("a part of it is whole");
            let said = |reply: &Reply| (reply.blocks.clone(), reply.stop);
            assert_eq!(said(&torn), said(whole), "{} at {at}", path.display());
        }
    }
}
