//! Every member against a service that refuses what the real one refuses: nothing that is sent is
//! refused, however the conversation came about.

use crate::place::Place;
use crate::provider::PNG;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::strict;
use crate::strict::Wire;
use crate::strict::seal;
use crate::strict::seal_part;
use crate::sx::Ran;
use crate::sx::Sx;
use serde_json::Value;
use serde_json::json;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// A thought of every service.
pub const THOUGHT: &str = "let me see";

/// Ids of calls are never given twice.
static CALLS: AtomicUsize = AtomicUsize::new(0);

fn fresh(start: &str) -> String {
    format!("{start}_{}", CALLS.fetch_add(1, Ordering::Relaxed))
}

/// A service, and how to ask it.
pub struct Service {
    pub provider: &'static str,
    wire: Wire,
    model: &'static str,
    /// The variables that lead to it; `ORIGIN` stands for where it is.
    environment: &'static [(&'static str, &'static str)],
    pub path: &'static str,
    /// A thought, then two calls: `read` of `note` and `view_image` of `dot.png`.
    pub calls: fn() -> Vec<String>,
    /// A thought, then words.
    pub words: fn() -> Vec<String>,
}

pub const SERVICES: &[Service] = &[
    Service {
        provider: "codex",
        wire: Wire::Codex,
        model: "gpt-5.3-codex",
        environment: &[("CODEX_BASE_URL", "ORIGIN/v1")],
        path: "/responses",
        calls: codex_calls,
        words: codex_words,
    },
    Service {
        provider: "openai",
        wire: Wire::Responses,
        model: "gpt-5.2",
        environment: &[
            ("OPENAI_BASE_URL", "ORIGIN"),
            ("OPENAI_API_KEY", "key"),
            ("OPENAI_WIRE", "responses"),
        ],
        path: "/responses",
        calls: codex_calls,
        words: codex_words,
    },
    Service {
        provider: "openai",
        wire: Wire::Completions,
        model: "m",
        environment: &[
            ("OPENAI_BASE_URL", "ORIGIN"),
            ("OPENAI_WIRE", "completions"),
        ],
        path: "/chat/completions",
        calls: completions_calls,
        words: completions_words,
    },
    Service {
        provider: "anthropic",
        wire: Wire::Messages,
        model: "claude-sonnet-4-5",
        environment: &[
            ("ANTHROPIC_BASE_URL", "ORIGIN"),
            ("ANTHROPIC_API_KEY", "key"),
        ],
        path: "/messages",
        calls: messages_calls,
        words: messages_words,
    },
    Service {
        provider: "claude_code",
        wire: Wire::Messages,
        model: "claude-opus-5",
        environment: &[
            ("CLAUDE_CODE_BASE_URL", "ORIGIN"),
            ("CLAUDE_CODE_OAUTH_TOKEN", "token"),
        ],
        path: "/messages",
        calls: messages_calls,
        words: messages_words,
    },
    Service {
        provider: "gemini",
        wire: Wire::Generate,
        model: "gemini-3-flash",
        environment: &[("GEMINI_BASE_URL", "ORIGIN"), ("GEMINI_API_KEY", "key")],
        path: "?alt=sse",
        calls: generate_calls,
        words: generate_words,
    },
    Service {
        provider: "router",
        wire: Wire::Completions,
        model: "m",
        environment: &[("ROUTER_URL", "ORIGIN")],
        path: "/chat/completions",
        calls: completions_calls,
        words: completions_words,
    },
];

fn codex_thought() -> Answer {
    Answer::new().think(THOUGHT, &seal(&["reasoning", THOUGHT]))
}

fn codex_calls() -> Vec<String> {
    let read = json!({"path": "note"});
    let view = json!({"path": "dot.png"});
    let answer = codex_thought().call(&fresh("call"), "read", &read);
    answer.call(&fresh("call"), "view_image", &view).whole()
}

fn codex_words() -> Vec<String> {
    codex_thought().say("done").whole()
}

fn events(events: &[Value]) -> Vec<String> {
    let text = |data: &Value| match data["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {data}\n\n"),
        None => format!("data: {data}\n\n"),
    };
    events.iter().map(text).collect()
}

fn completions(last: &Value, reason: &str) -> Vec<String> {
    events(&[
        json!({"choices": [{"index": 0, "delta": {"reasoning_content": THOUGHT}}]}),
        json!({"choices": [{"index": 0, "delta": last}]}),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}),
        json!({"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 40}}}),
    ])
}

fn completions_calls() -> Vec<String> {
    let call = |index: u32, name: &str, path: &str| {
        json!({"index": index, "id": format!("call_{index}"), "type": "function",
            "function": {"name": name, "arguments": json!({"path": path}).to_string()}})
    };
    let calls = [call(0, "read", "note"), call(1, "view_image", "dot.png")];
    completions(&json!({"tool_calls": calls}), "tool_calls")
}

fn completions_words() -> Vec<String> {
    completions(&json!({"content": "done"}), "stop")
}

fn messages(blocks: &[(Value, Value)], reason: &str) -> Vec<String> {
    let start = json!({"type": "message_start", "message": {"id": "m", "role": "assistant",
        "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}});
    let mut all = vec![start];
    for (index, (block, delta)) in blocks.iter().enumerate() {
        all.push(json!({"type": "content_block_start", "index": index, "content_block": block}));
        all.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        if block["type"] == "thinking" {
            let delta = json!({"type": "signature_delta",
                "signature": seal(&["thinking", THOUGHT])});
            all.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        all.push(json!({"type": "content_block_stop", "index": index}));
    }
    all.push(
        json!({"type": "message_delta", "delta": {"stop_reason": reason},
            "usage": {"output_tokens": 5, "cache_read_input_tokens": 40}}),
    );
    all.push(json!({"type": "message_stop"}));
    events(&all)
}

fn messages_thought() -> (Value, Value) {
    (
        json!({"type": "thinking", "thinking": "", "signature": ""}),
        json!({"type": "thinking_delta", "thinking": THOUGHT}),
    )
}

fn messages_calls() -> Vec<String> {
    let call = |name: &str, path: &str| {
        let input = json!({"path": path}).to_string();
        (
            json!({"type": "tool_use", "id": fresh("toolu"), "name": name, "input": {}}),
            json!({"type": "input_json_delta", "partial_json": input}),
        )
    };
    let calls = [
        messages_thought(),
        call("read", "note"),
        call("view_image", "dot.png"),
    ];
    messages(&calls, "tool_use")
}

fn messages_words() -> Vec<String> {
    let words = (
        json!({"type": "text", "text": ""}),
        json!({"type": "text_delta", "text": "done"}),
    );
    messages(&[messages_thought(), words], "end_turn")
}

fn generate(parts: &[Value]) -> Vec<String> {
    events(&[
        json!({"candidates": [{"content": {"role": "model", "parts": parts},
            "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 100, "cachedContentTokenCount": 40}}),
    ])
}

fn signed(mut part: Value) -> Value {
    part["thoughtSignature"] = json!(seal_part(&part));
    part
}

fn generate_calls() -> Vec<String> {
    let call =
        |name: &str, path: &str| json!({"functionCall": {"name": name, "args": {"path": path}}});
    generate(&[
        json!({"text": THOUGHT, "thought": true}),
        signed(call("read", "note")),
        call("view_image", "dot.png"),
    ])
}

fn generate_words() -> Vec<String> {
    generate(&[
        json!({"text": THOUGHT, "thought": true}),
        json!({"text": "done"}),
        signed(json!({"text": ""})),
    ])
}

impl Service {
    /// The service with these answers; it refuses what the real one refuses, in its words.
    pub fn start(&self, replies: Vec<Reply>) -> Server {
        let server = Server::start([]);
        let wire = self.wire;
        let replies = Mutex::new(VecDeque::from(replies));
        server.answer(self.path, move |request| {
            if request.method != "POST" {
                return Reply::json(404, &json!({"detail": "not here"}));
            }
            if let Err(why) = strict::validate(wire, &request.json()) {
                return Reply::json(
                    400,
                    &json!({"error": {"message": format!("strict: {why}")}}),
                );
            }
            let reply = replies
                .lock()
                .expect("no thread panics with it")
                .pop_front();
            reply.unwrap_or_else(|| Reply::json(400, &json!({"error": {"message": "too many"}})))
        });
        server
    }

    pub fn asking(&self, sx: Sx, server: &Server) -> Sx {
        let sx = sx.env("PROVIDER", self.provider).env("MODEL", self.model);
        self.environment.iter().fold(sx, |sx, (name, value)| {
            sx.env(name, value.replace("ORIGIN", &server.origin()))
        })
    }

    /// One task: calls, then words.
    #[track_caller]
    fn work(&self, place: &Place, args: &[&str]) -> Ran {
        let server = self.start(vec![
            Reply::events(&(self.calls)()),
            Reply::events(&(self.words)()),
        ]);
        let ran = self.asking(place.sx(args), &server).run();
        let said = format!("{} {:?}: {}", self.provider, self.wire, ran.stderr);
        assert_eq!(ran.code(), Some(0), "{said}");
        assert_eq!(ran.text(), "done\n", "{said}");
        ran
    }
}

pub fn place() -> Place {
    let place = Place::with_credential();
    place.write("work/note", "remember\n");
    place.write("work/dot.png", PNG);
    place
}

#[test]
fn calls_pictures_thoughts_and_a_resumed_session_are_taken() {
    for service in SERVICES {
        let place = place();
        service.work(&place, &["exec", "-i", "dot.png", "what is it?"]);
        service.work(&place, &["exec", "--resume", "last", "look again"]);
        service.work(
            &place,
            &["exec", "--resume", "last", "--effort", "high", "think"],
        );
        service.work(
            &place,
            &["exec", "--resume", "last", "--effort", "off", "quick"],
        );
    }
}

#[test]
fn what_a_broken_answer_leaves_is_taken() {
    for service in SERVICES {
        let place = place();
        // Words or calls that were cut in their midst, and a task that ended without an answer.
        for stream in [(service.calls)(), (service.words)()] {
            let torn = &stream[..stream.len() - 1];
            let server = service.start(vec![Reply::events(torn)]);
            let args = ["exec", "-e", "RETRY_MAX=0", "begin"];
            let args: Vec<&str> = match place.sessions().is_empty() {
                true => args.to_vec(),
                false => [&args[..1], &["--resume", "last"], &args[1..]].concat(),
            };
            let ran = service.asking(place.sx(args), &server).run();
            // Some of these streams said all that there is before they broke.
            assert!([Some(0), Some(5)].contains(&ran.code()), "{}", ran.stderr);
        }
        service.work(&place, &["exec", "--resume", "last", "go on"]);
    }
}

#[test]
fn what_any_other_service_said_is_taken() {
    for first in SERVICES {
        let place = place();
        first.work(&place, &["exec", "-i", "dot.png", "what is it?"]);
        for other in SERVICES {
            other.work(&place, &["exec", "--resume", "last", "and you?"]);
            first.work(&place, &["exec", "--resume", "last", "back again"]);
        }
    }
}

#[test]
fn an_answer_that_must_fit_a_schema_is_asked_for_as_the_service_takes_it() {
    for service in SERVICES {
        let place = place();
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}},
            "required": ["a"], "additionalProperties": false});
        place.write("work/schema.json", schema.to_string());
        service.work(
            &place,
            &["exec", "--output-schema", "schema.json", "answer"],
        );
    }
}
