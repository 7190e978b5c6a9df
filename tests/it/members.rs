//! Each member of the family through the whole program: a call of a tool, its answer, the words.

use crate::place::Place;
use crate::server::Reply;
use crate::server::Server;
use crate::sx::Ran;
use crate::sx::Sx;
use serde_json::Value;
use serde_json::json;

/// A member: what it is called, how it is set up, where it asks and how it pays.
struct Member {
    name: &'static str,
    address_key: &'static str,
    key: Option<(&'static str, &'static str)>,
    path: &'static str,
    models_path: &'static str,
    header: Option<(&'static str, &'static str)>,
    /// An answer that calls `read` with the file name `note`.
    call: Vec<Value>,
    /// An answer that says `done`.
    words: Vec<Value>,
    /// The field of a request that holds the conversation.
    messages: &'static str,
}

fn anthropic(name: &'static str) -> Member {
    let start = json!({"type": "message_start", "message": {"id": "m", "role": "assistant",
        "model": "claude", "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}});
    let block = |block: Value, delta: Value, reason: &str| {
        vec![
            start.clone(),
            json!({"type": "content_block_start", "index": 0, "content_block": block}),
            json!({"type": "content_block_delta", "index": 0, "delta": delta}),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "message_delta", "delta": {"stop_reason": reason},
                "usage": {"output_tokens": 5}}),
            json!({"type": "message_stop"}),
        ]
    };
    Member {
        name,
        address_key: "ANTHROPIC_BASE_URL",
        key: Some(("ANTHROPIC_API_KEY", "key-of-anthropic")),
        path: "/v1/messages",
        models_path: "/v1/models?limit=1000",
        header: Some(("x-api-key", "key-of-anthropic")),
        call: block(
            json!({"type": "tool_use", "id": "c1", "name": "read", "input": {}}),
            json!({"type": "input_json_delta", "partial_json": r#"{"path":"note"}"#}),
            "tool_use",
        ),
        words: block(
            json!({"type": "text", "text": ""}),
            json!({"type": "text_delta", "text": "done"}),
            "end_turn",
        ),
        messages: "messages",
    }
}

fn claude_code() -> Member {
    Member {
        address_key: "CLAUDE_CODE_BASE_URL",
        key: Some(("CLAUDE_CODE_OAUTH_TOKEN", "token-of-claude")),
        header: Some(("authorization", "Bearer token-of-claude")),
        ..anthropic("claude_code")
    }
}

fn completions(name: &'static str) -> Member {
    let piece = |delta: Value| json!({"id": "c", "choices": [{"index": 0, "delta": delta}]});
    let end =
        |reason: &str| json!({"id": "c", "choices": [{"delta": {}, "finish_reason": reason}]});
    Member {
        name,
        address_key: "OPENAI_BASE_URL",
        key: Some(("OPENAI_API_KEY", "key-of-openai")),
        path: "/v1/chat/completions",
        models_path: "/v1/models",
        header: Some(("authorization", "Bearer key-of-openai")),
        call: vec![
            piece(
                json!({"tool_calls": [{"index": 0, "id": "c1", "type": "function",
                "function": {"name": "read", "arguments": r#"{"path":"note"}"#}}]}),
            ),
            end("tool_calls"),
        ],
        words: vec![piece(json!({"content": "done"})), end("stop")],
        messages: "messages",
    }
}

fn router() -> Member {
    Member {
        address_key: "ROUTER_URL",
        key: None,
        header: None,
        ..completions("router")
    }
}

fn gemini() -> Member {
    let answer = |part: Value| {
        vec![
            json!({"candidates": [{"content": {"role": "model", "parts": [part]},
            "finishReason": "STOP"}]}),
        ]
    };
    Member {
        name: "gemini",
        address_key: "GEMINI_BASE_URL",
        key: Some(("GEMINI_API_KEY", "key-of-gemini")),
        path: "/v1beta/models/model-of-theirs:streamGenerateContent?alt=sse",
        models_path: "/v1beta/models?pageSize=1000",
        header: Some(("x-goog-api-key", "key-of-gemini")),
        call: answer(json!({"functionCall": {"name": "read", "args": {"path": "note"}}})),
        words: answer(json!({"text": "done"})),
        messages: "contents",
    }
}

fn members() -> Vec<Member> {
    let completions = completions("openai");
    vec![
        anthropic("anthropic"),
        claude_code(),
        completions,
        gemini(),
        router(),
    ]
}

fn stream(events: &[Value]) -> Reply {
    let event = |data: &Value| match data["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {data}\n\n"),
        None => format!("data: {data}\n\n"),
    };
    Reply::events(&events.iter().map(event).collect::<Vec<_>>())
}

impl Member {
    /// The call of the tool and, in the next message, its answer.
    #[track_caller]
    fn check_pair(&self, body: &Value) {
        let list = body[self.messages].as_array().expect("messages");
        let texts: Vec<String> = list.iter().map(Value::to_string).collect();
        let is_answer = |text: &String| text.contains("the note says seven");
        let place = texts.iter().position(is_answer).expect("an answer");
        let call = &texts[place - 1];
        let is_call = call.contains("read") && call.contains("path") && call.contains("note");
        assert!(is_call, "{}: {texts:#?}", self.name);
    }

    fn exec(&self, place: &Place, server: &Server) -> Sx {
        self.sx(
            place,
            server,
            &["exec", "-m", "model-of-theirs", "read the note"],
        )
    }

    fn sx(&self, place: &Place, server: &Server, args: &[&str]) -> Sx {
        let sx = place
            .sx(args)
            .env("PROVIDER", self.name)
            .env(self.address_key, server.origin());
        match self.key {
            Some((key, value)) => sx.env(key, value),
            None => sx,
        }
    }
}

/// A gateway that speaks Chat Completions only, as others do that are asked for it at once.
fn serve(member: &Member, replies: Vec<Reply>) -> Server {
    let unknown = json!({"error": {"message": "no such path"}});
    let server = Server::start((member.name == "router").then(|| Reply::json(404, &unknown)));
    // Servers of one's own are asked for the window of the model; not all have a list.
    server.answer("/models", move |_| Reply::json(404, &unknown));
    server.on(member.path, replies);
    server
}

#[test]
fn a_tool_is_called_and_its_answer_goes_back() {
    for member in members() {
        let place = Place::new();
        place.write("work/note", "the note says seven\n");
        let server = serve(&member, vec![stream(&member.call), stream(&member.words)]);
        let ran = member.exec(&place, &server).run();
        ran.check_code(0).check_stdout("done\n");
        server.check_done();
        let requests = server.requests_to(member.path);
        for request in &requests {
            if let Some((name, value)) = member.header {
                assert_eq!(request.header(name), value, "{}", member.name);
            }
        }
        member.check_pair(&requests[1].json());
    }
}

/// What a member is paid with is nobody else's business: not a tool's, not a file's.
#[test]
fn a_key_is_sent_to_its_own_member_alone() {
    for member in members() {
        let place = Place::with_credential();
        let server = serve(&member, vec![stream(&member.words)]);
        let ran = members()
            .iter()
            .filter_map(|other| other.key)
            .fold(member.exec(&place, &server), |sx, (key, value)| {
                sx.env(key, value)
            })
            .run();
        ran.check_code(0);
        let sent = format!("{:?}", server.requests_to(""));
        for (key, value) in members().iter().filter_map(|other| other.key) {
            let is_own = member.key.is_some_and(|(own, _)| own == key);
            assert_eq!(sent.contains(value), is_own, "{} and {key}", member.name);
        }
        assert!(!sent.contains("eyJ"), "{}: {sent}", member.name);
        for session in place.sessions() {
            let kept = std::fs::read_to_string(session).expect("a session");
            assert!(
                !kept.contains("key-of-") && !kept.contains("token-of-"),
                "{kept}"
            );
        }
    }
}

#[track_caller]
fn check_refused(member: &Member, reply: Reply, code: i32, said: &str) -> Ran {
    let place = Place::new();
    let server = serve(member, vec![reply]);
    let ran = member.exec(&place, &server).env("RETRY_MAX", "0").run();
    ran.check_code(code).check_said(said);
    ran
}

#[test]
fn a_refused_key_ends_the_run_and_names_itself() {
    for member in members() {
        let body = json!({"error": {"type": "authentication_error", "message": "who are you"}});
        check_refused(&member, Reply::json(401, &body), 3, "who are you");
    }
}

#[test]
fn a_torn_answer_is_not_taken_for_a_whole_one() {
    for member in members() {
        let torn = match member.name {
            "gemini" => stream(&[json!({"candidates": [{"content": {"role": "model",
                "parts": [{"text": "do"}]}}]})]),
            // All but the reason for the end and what follows it.
            "openai" | "router" => stream(&member.words[..1]),
            _ => stream(&member.words[..4]),
        };
        check_refused(
            &member,
            torn,
            5,
            "the stream ended before the answer was whole",
        );
    }
}

#[test]
fn an_answer_without_a_word_is_asked_for_once_more_and_then_warned_of() {
    let warning = "warning: the model ended its answer without a word";
    for member in members() {
        let silent = match member.name {
            "gemini" => vec![json!({"candidates": [{"finishReason": "STOP"}]})],
            "openai" | "router" => vec![member.words[1].clone()],
            _ => [&member.words[..1], &member.words[4..]].concat(),
        };
        let place = Place::new();
        let server = serve(&member, vec![stream(&silent), stream(&silent)]);
        let ran = member.exec(&place, &server).run();
        ran.check_code(0).check_said(warning);
        server.check_done();
        let place = Place::new();
        let server = serve(&member, vec![stream(&silent), stream(&member.words)]);
        let ran = member.exec(&place, &server).run();
        ran.check_code(0).check_stdout("done\n");
        assert!(!ran.stderr.contains(warning), "{}", ran.stderr);
        server.check_done();
        let requests = server.requests_to(member.path);
        assert_eq!(requests[0].body, requests[1].body, "{}", member.name);
        // A service that refuses the second request does not take the first answer back.
        let place = Place::new();
        let refusal = Reply::json(503, &json!({"error": "busy"}));
        let server = serve(&member, vec![stream(&silent), refusal]);
        let ran = member.exec(&place, &server).run();
        ran.check_code(0).check_said(warning);
        server.check_done();
        let place = Place::new();
        let server = serve(&member, vec![stream(&silent)]);
        let ran = member.exec(&place, &server).env("RETRY_MAX", "0").run();
        ran.check_code(0).check_said(warning);
    }
}

#[test]
fn a_gateway_that_speaks_messages_alone_is_found_and_kept() {
    let gateway = Member {
        address_key: "ROUTER_URL",
        key: None,
        models_path: "/v1/models",
        header: None,
        ..anthropic("router")
    };
    let place = Place::new();
    place.write("work/note", "the note says seven\n");
    let server = serve(
        &gateway,
        vec![stream(&gateway.call), stream(&gateway.words)],
    );
    let unknown = Reply::json(404, &json!({"detail": "Not Found"}));
    server.on("/v1/chat/completions", [unknown]);
    let ran = gateway.exec(&place, &server).run();
    ran.check_code(0).check_stdout("done\n");
    server.check_done();
    let requests = server.requests_to(gateway.path);
    assert_eq!(requests[0].header("authorization"), "");
    assert_eq!(requests[0].header("x-api-key"), "");
    gateway.check_pair(&requests[1].json());
}

/// Nothing set and no login is a gateway that nobody named; a login or an address is codex.
#[test]
fn who_answers_where_nobody_says_so_follows_from_what_is_there() {
    let provider = |place: &Place, set: &[(&str, &str)]| {
        let sx = place.sx(["config", "--get", "PROVIDER"]);
        let sx = set.iter().fold(sx, |sx, (key, value)| sx.env(key, value));
        sx.run().check_code(0).text().to_string()
    };
    let url = ("ROUTER_URL", "http://127.0.0.1:1");
    let codex = ("CODEX_BASE_URL", "http://127.0.0.1:1");
    let home = ("CODEX_HOME", "/nothing-there");
    let place = Place::new();
    assert_eq!(provider(&place, &[]), "scorpiox\n");
    assert_eq!(provider(&place, &[home]), "scorpiox\n");
    assert_eq!(provider(&place, &[codex]), "codex\n");
    assert_eq!(provider(&place, &[codex, url]), "scorpiox\n");
    place
        .sx(["status"])
        .run()
        .check_code(3)
        .check_said("sx login");
    place
        .sx(["fetchtoken"])
        .run()
        .check_code(3)
        .check_said("sx login");
    let ran = place.sx(["doctor"]).run();
    assert!(ran.check_code(3).text().contains("fix: `sx login`"));
    let ran = place.sx(["status"]).env(url.0, url.1).run();
    assert!(ran.check_code(0).text().starts_with("provider  scorpiox\n"));
    let place = Place::with_credential();
    assert_eq!(provider(&place, &[]), "codex\n");
    assert_eq!(provider(&place, &[url]), "scorpiox\n");
    assert_eq!(provider(&place, &[("PROVIDER", "gemini")]), "gemini\n");
    let ran = place
        .sx(["config", "--show-source", "--get", "PROVIDER"])
        .run();
    ran.check_stdout("codex  # default where a login or a setting of codex is there\n");
}

#[test]
fn a_gateway_without_an_address_says_what_to_set() {
    let place = Place::new();
    let ran = place.sx(["exec", "hi"]).env("PROVIDER", "scorpiox").run();
    ran.check_code(3).check_said("ROUTER_URL");
}

#[test]
fn who_pays_is_told_where_it_is_a_key() {
    let key = Some(("ANTHROPIC_API_KEY", "key-of-anthropic"));
    for (provider, key, code, said) in [
        ("anthropic", key, 0, "ANTHROPIC_API_KEY"),
        ("anthropic", None, 3, "set ANTHROPIC_API_KEY"),
        ("gemini", key, 3, "set GEMINI_API_KEY"),
        ("openai", None, 3, "set OPENAI_API_KEY"),
        ("claude_code", None, 3, "log in with that client"),
    ] {
        let place = Place::new();
        let sx = place.sx(["status"]).env("PROVIDER", provider);
        let sx = key
            .into_iter()
            .fold(sx, |sx, (key, value)| sx.env(key, value));
        let ran = sx.stderr_into_stdout().run();
        assert!(ran.text().contains(said), "{provider}: {}", ran.text());
        ran.check_code(code);
        assert!(!ran.text().contains("key-of-"), "{}", ran.text());
    }
}

#[test]
fn a_vendor_is_not_asked_without_a_key_and_a_server_of_ones_own_is() {
    for (provider, address) in [
        ("anthropic", "ANTHROPIC_BASE_URL"),
        ("gemini", "GEMINI_BASE_URL"),
        ("openai", "OPENAI_BASE_URL"),
    ] {
        let place = Place::new();
        let key = format!("set {}_API_KEY", provider.to_uppercase());
        let ask = || place.sx(["exec", "go"]).env("PROVIDER", provider);
        ask().run().check_code(3).check_said(&key);
        let own = place.sx(["status"]).env("PROVIDER", provider);
        let own = own.env(address, "http://127.0.0.1:9").run();
        own.check_code(0);
        assert!(own.text().contains("no key is sent"), "{}", own.text());
    }
}

#[test]
fn the_vendors_terms_are_told_where_its_login_is_used() {
    let place = Place::new();
    let member = claude_code();
    let server = serve(&member, vec![stream(&member.words)]);
    let ran = member.exec(&place, &server).run();
    ran.check_said("the vendor's terms keep the tokens of its subscriptions");
}

#[test]
fn a_token_is_lent_of_a_login_only() {
    let place = Place::with_credential();
    let ran = place
        .sx(["fetchtoken"])
        .env("PROVIDER", "openai")
        .env("OPENAI_API_KEY", "key-of-openai")
        .run();
    ran.check_code(3)
        .check_said("PROVIDER is openai")
        .check_stdout("");
}

#[test]
fn the_models_of_a_service_are_listed() {
    let list = json!({"data": [{"id": "one"}, {"id": "two", "context_length": 4096}]});
    for member in members() {
        let place = Place::new();
        let server = Server::start([]);
        server.on(member.models_path, [Reply::json(200, &list)]);
        let sx = member.sx(&place, &server, &["models", "-m", "two"]);
        sx.run()
            .check_code(0)
            .check_stdout("  one\n* two  4096 tokens\n");
        server.check_done();
        let asked = &server.requests_to(member.models_path)[0];
        assert_eq!(asked.method, "GET");
        if let Some((name, value)) = member.header {
            assert_eq!(asked.header(name), value, "{}", member.name);
        }
    }
}

#[test]
fn a_server_without_a_list_or_of_another_mind_says_so() {
    let member = completions("openai");
    let body = json!({"error": {"message": "who are you"}});
    for (status, code, said) in [
        (404, 5, "has no list of models (status 404)"),
        (401, 3, "who are you"),
        (
            200,
            5,
            "the service's list of models is none that we can read",
        ),
    ] {
        let place = Place::new();
        let server = Server::start([]);
        server.on(member.models_path, [Reply::json(status, &body)]);
        let ran = member.sx(&place, &server, &["models"]).run();
        ran.check_code(code).check_said(said).check_stdout("");
    }
}

/// An address may end in the version or not.
#[test]
fn the_version_in_an_address_is_not_doubled() {
    for member in members() {
        let place = Place::new();
        let server = serve(&member, vec![stream(&member.words)]);
        let version = if member.name == "gemini" {
            "/v1beta"
        } else {
            "/v1/"
        };
        let address = format!("{}{version}", server.origin());
        let ran = member
            .exec(&place, &server)
            .env(member.address_key, address)
            .run();
        ran.check_code(0).check_stdout("done\n");
        server.check_done();
    }
}

/// A conversation goes on with another member, with the call and its answer still together.
#[test]
fn a_conversation_goes_on_elsewhere() {
    for first in members() {
        for second in members() {
            let place = Place::new();
            place.write("work/note", "the note says seven\n");
            let server = serve(&first, vec![stream(&first.call), stream(&first.words)]);
            first.exec(&place, &server).run().check_code(0);
            let server = serve(&second, vec![stream(&second.words)]);
            let args = [
                "exec",
                "--resume",
                "last",
                "-m",
                "model-of-theirs",
                "and now?",
            ];
            let ran = second.sx(&place, &server, &args).run();
            ran.check_code(0).check_stdout("done\n");
            server.check_done();
            second.check_pair(&server.requests_to(second.path)[0].json());
        }
    }
}

/// A word for a model outlives the model; a name that was typed does not.
#[test]
fn a_model_that_is_gone_is_looked_up_once() {
    let gone = || {
        let words = "The model does not exist or you do not have access to it.";
        Reply::json(404, &json!({"error": {"message": words}}))
    };
    let list = json!({"data": [{"id": "claude-opus-99"}, {"id": "claude-haiku-99"}]});
    let member = anthropic("anthropic");
    for (name, taken) in [("haiku", Some("claude-haiku-99")), ("my-own", None)] {
        let place = Place::new();
        let server = Server::start([]);
        server.on(member.models_path, [Reply::json(200, &list)]);
        let replies = [Some(gone()), taken.map(|_| stream(&member.words))];
        server.on(member.path, replies.into_iter().flatten());
        let ran = member
            .sx(&place, &server, &["exec", "-m", name, "hi"])
            .run();
        server.check_done();
        let requests = server.requests_to(member.path);
        match taken {
            Some(taken) => {
                ran.check_code(0).check_stdout("done\n").check_said(taken);
                assert_eq!(requests[1].json()["model"], taken);
            }
            None => {
                let said = "it offers claude-opus-99, claude-haiku-99";
                ran.check_code(5)
                    .check_said("does not exist")
                    .check_said(said);
                assert_eq!(requests.len(), 1);
            }
        }
    }
}
