//! Tests of the encoder: golden bodies, the prefix promise, breakpoints, mended histories, another
//! vendor's history.

use super::*;
use crate::chat::Opaque;
use crate::chat::tool::Effect;
use crate::provider::Thinking;
use crate::provider::wire::messages::thinking::Off;
use crate::provider::wire::messages::thinking::Style;
use crate::provider::wire::responses;
use serde_json::Value;
use serde_json::json;

const TOOLS: &[ToolSpec] = &[
    ToolSpec {
        name: "bash",
        description: "runs",
        input: Input::Schema(r#"{"type":"object"}"#),
        effect: Effect::Changes,
    },
    ToolSpec {
        name: "apply_patch",
        description: "patches",
        input: Input::Freeform {
            grammar: "start: \"x\"",
            field: "patch",
        },
        effect: Effect::Changes,
    },
];

const MODEL: Model<'_> = Model {
    name: "m",
    output_max: 64_000,
    style: Style::Budget,
    has_schema: true,
    drops_unbound: false,
};

fn request(history: &[Message]) -> Request<'_> {
    Request {
        model: "m",
        system: "be good",
        tools: TOOLS,
        history,
        session: "s",
        thinking: Thinking::default(),
        output_max: None,
        schema: None,
        search: false,
    }
}

fn encode(history: &[Message]) -> String {
    let body = Encoder::new("p").encode(&MODEL, &request(history));
    String::from_utf8(body.unwrap()).unwrap()
}

fn body(model: &Model<'_>, request: &Request<'_>) -> Value {
    let body = Encoder::new("p").encode(model, request).unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn call(id: &str) -> ToolCall {
    ToolCall {
        id: id.into(),
        name: "bash".into(),
        arguments: r#"{"command": "ls"}"#.into(),
        kind: CallKind::Function,
        opaque: None,
    }
}

fn opaque(provider: &str, json: &str) -> Opaque {
    Opaque {
        provider: provider.into(),
        json: json.into(),
    }
}

fn say(text: &str) -> Block {
    Block::Text {
        text: text.into(),
        opaque: None,
    }
}

const THOUGHT: &str = r#"{"type":"thinking","thinking":"hm \u00e9","signature":"c2ln/+="}"#;

fn thought(provider: &str) -> Block {
    Block::Thinking {
        text: "hm é".into(),
        opaque: Some(opaque(provider, THOUGHT)),
    }
}

fn calls(calls: &[ToolCall]) -> Message {
    Message::Assistant(calls.iter().cloned().map(Block::Call).collect())
}

fn results(calls: &[ToolCall]) -> Message {
    let results = calls.iter();
    let results = results.map(|call| ToolResult::text(call, true, format!("did {}", call.id)));
    Message::Results(results.collect())
}

fn without_breakpoints(body: &str) -> String {
    body.replace(r#","cache_control":{"type":"ephemeral"}"#, "")
}

/// The messages must be `expected`, breakpoints aside, and such as the service takes.
#[track_caller]
fn check_messages(history: &[Message], expected: Value) {
    let body = encode(history);
    check_strictly(&serde_json::from_str(&body).unwrap());
    let body: Value = serde_json::from_str(&without_breakpoints(&body)).unwrap();
    assert_eq!(body["messages"], expected);
}

/// What the service refuses.
#[track_caller]
fn check_strictly(body: &Value) {
    let messages = body["messages"].as_array().unwrap();
    let mut ids = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let role = if index % 2 == 0 { "user" } else { "assistant" };
        assert_eq!(message["role"], role, "roles take turns");
        let content = message["content"].as_array().unwrap();
        assert!(!content.is_empty());
        let mut is_after_results = false;
        for block in content {
            let id = |name: &str| block[name].as_str().unwrap();
            match block["type"].as_str().unwrap() {
                "tool_use" => {
                    assert!(block["input"].is_object() && !ids.contains(&id("id")));
                    ids.push(id("id"));
                    open.push(id("id"));
                }
                "tool_result" => {
                    assert!(!is_after_results, "results come first");
                    let call = open.iter().position(|open| *open == id("tool_use_id"));
                    open.remove(call.expect("a result of the answer before"));
                }
                "text" => {
                    assert!(!id("text").trim().is_empty());
                    is_after_results = true;
                }
                "thinking" => assert!(!id("signature").is_empty()),
                _ => {}
            }
        }
        assert!(role == "assistant" || open.is_empty(), "{open:?} are open");
        let last = &content[content.len() - 1]["type"];
        assert!(role == "user" || last != "thinking");
    }
    let breakpoints = body.to_string().matches("cache_control").count();
    assert!(breakpoints <= 4, "{breakpoints} breakpoints");
}

#[test]
fn the_body_is_this_and_nothing_else() {
    let expected = concat!(
        r#"{"model":"m","max_tokens":64000,"stream":true,"#,
        r#""thinking":{"type":"enabled","budget_tokens":10000},"tool_choice":{"type":"auto"},"#,
        r#""tools":[{"name":"bash","description":"runs","input_schema":{"type":"object"}},"#,
        r#"{"name":"apply_patch","description":"patches","input_schema":{"#,
        r#""additionalProperties":false,"properties":{"patch":{"#,
        r#""description":"Text in this grammar, in Lark:\nstart: \"x\"","type":"string"}},"#,
        r#""required":["patch"],"type":"object"},"cache_control":{"type":"ephemeral"}}],"#,
        r#""system":[{"type":"text","text":"be good","cache_control":{"type":"ephemeral"}}],"#,
        r#""messages":[{"role":"user","content":["#,
        r#"{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]}"#,
    );
    assert_eq!(encode(&[Message::user("hi")]), expected);
}

#[test]
fn what_is_not_wanted_is_not_sent() {
    let bare = Request {
        tools: &[],
        system: "",
        output_max: Some(100),
        ..request(&[])
    };
    let expected = json!({"model": "m", "max_tokens": 100, "stream": true, "messages": []});
    assert_eq!(body(&MODEL, &bare), expected);
}

#[test]
fn a_schema_is_the_services_to_keep_or_the_models() {
    let asked = Request {
        schema: Some(r#"{"type": "object"}"#),
        thinking: Thinking {
            effort: crate::provider::Effort::parse("max"),
            ..Thinking::default()
        },
        ..request(&[])
    };
    let style = Style::Effort {
        off: Off::Never,
        has_xhigh: true,
    };
    let sent = body(&Model { style, ..MODEL }, &asked);
    let format = json!({"type": "json_schema", "schema": {"type": "object"}});
    assert_eq!(
        sent["output_config"],
        json!({"effort": "max", "format": format})
    );
    assert_eq!(
        sent["thinking"],
        json!({"type": "adaptive", "display": "summarized"})
    );
    let old = Model {
        has_schema: false,
        ..MODEL
    };
    let sent = body(&old, &asked);
    assert_eq!(sent["output_config"], Value::Null);
    let system = sent["system"][0]["text"].as_str().unwrap();
    assert!(system.starts_with("be good\n\n") && system.ends_with(r#"{"type": "object"}"#));
    let broken = Request {
        schema: Some("{"),
        ..request(&[])
    };
    let error = Encoder::new("p").encode(&old, &broken).unwrap_err();
    assert!(matches!(error, Error::Settings { .. }), "{error}");
}

#[test]
fn every_message_has_its_blocks() {
    let image = Part::Image(Image {
        media_type: "image/png".into(),
        base64: "AAAA".into(),
    });
    let text = |text: &str| Part::Text(text.into());
    let (one, two) = (call("c1"), call("c2"));
    let history = [
        Message::Context("rules".into()),
        Message::User(vec![text("see"), image.clone(), text(" ")]),
        Message::Assistant(vec![
            thought("p"),
            say("ok"),
            Block::Call(one.clone()),
            Block::Call(two.clone()),
        ]),
        Message::Results(vec![
            ToolResult {
                parts: vec![text("a"), image.clone()],
                ..ToolResult::text(&one, false, "")
            },
            ToolResult {
                parts: vec![text("b"), text("c")],
                ..ToolResult::text(&two, false, "")
            },
        ]),
        Message::user("and now?"),
    ];
    let picture = json!({"type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}});
    let input = json!({"command": "ls"});
    let used = |id: &str| json!({"type": "tool_use", "id": id, "name": "bash", "input": input});
    check_messages(
        &history,
        json!([
            {"role": "user", "content": [
                {"type": "text", "text": "rules"}, {"type": "text", "text": "see"}, picture]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm é", "signature": "c2ln/+="},
                {"type": "text", "text": "ok"}, used("c1"), used("c2")]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c1",
                    "content": [{"type": "text", "text": "a"}, picture]},
                {"type": "tool_result", "tool_use_id": "c2", "content": "b\nc", "is_error": true},
                {"type": "text", "text": "and now?"}]},
        ]),
    );
    assert!(encode(&history).contains(THOUGHT), "byte for byte");
    assert!(encode(&history).contains(r#""input":{"command": "ls"}"#));
}

#[test]
fn an_input_is_always_an_object() {
    let with = |name: &str, arguments: &str, kind| ToolCall {
        name: name.into(),
        arguments: arguments.into(),
        kind,
        ..call("c")
    };
    for (call, name, input) in [
        (with("bash", " {} ", CallKind::Function), "bash", json!({})),
        (
            with("bash", r#"{"a"#, CallKind::Function),
            "bash",
            json!({"invalid_arguments": "{\"a"}),
        ),
        (
            with("bash", "[1]", CallKind::Function),
            "bash",
            json!({"invalid_arguments": "[1]"}),
        ),
        (
            with("apply_patch", "*** Begin", CallKind::Freeform),
            "apply_patch",
            json!({"patch": "*** Begin"}),
        ),
        (
            with("web.run", "{}", CallKind::Freeform),
            "web_run",
            json!({"input": "{}"}),
        ),
    ] {
        let history = [Message::user("x"), calls(std::slice::from_ref(&call))];
        let sent = body(&MODEL, &request(&history));
        let block = &sent["messages"][1]["content"][0];
        assert_eq!((&block["name"], &block["input"]), (&json!(name), &input));
    }
}

/// The roles of the messages, each with its blocks in short.
#[track_caller]
fn check_outline(history: &[Message], expected: &[&str]) {
    let body: Value = serde_json::from_str(&encode(history)).unwrap();
    check_strictly(&body);
    let short = |block: &Value| match block["type"].as_str().unwrap() {
        "text" => block["text"].as_str().unwrap().to_string(),
        "tool_use" => format!("call {}", block["id"].as_str().unwrap()),
        "tool_result" => block["content"].as_str().unwrap().to_string(),
        kind => kind.to_string(),
    };
    let messages = body["messages"].as_array().unwrap().iter();
    let outline = messages.map(|message| {
        let content = message["content"].as_array().unwrap().iter();
        content.map(short).collect::<Vec<_>>().join(", ")
    });
    assert_eq!(outline.collect::<Vec<_>>(), expected);
}

#[test]
fn every_call_has_one_result_and_every_result_a_call() {
    let (one, two) = (call("1"), call("2"));
    let both = [one.clone(), two.clone()];
    let user = || Message::user("x");
    let of_one = std::slice::from_ref(&one);
    check_outline(
        &[user(), calls(&both)],
        &["x", "call 1, call 2", "aborted, aborted"],
    );
    check_outline(
        &[user(), calls(&both), results(&both[1..]), user()],
        &["x", "call 1, call 2", "did 2, aborted, x"],
    );
    check_outline(
        &[user(), results(&both), calls(&both), user(), results(&both)],
        &["x", "call 1, call 2", "aborted, aborted, x"],
    );
    let thrice = [one.clone(), one.clone(), one.clone()];
    check_outline(
        &[user(), calls(of_one), results(&thrice)],
        &["x", "call 1", "did 1"],
    );
    check_outline(
        &[user(), calls(of_one), calls(&both), results(&both)],
        &["x", "call 1", "aborted", "call 1_2, call 2", "did 1, did 2"],
    );
    check_outline(
        &[user(), calls(&thrice), results(&thrice)],
        &["x", "call 1, call 1_2, call 1_3", "did 1, did 1, did 1"],
    );
}

#[test]
fn the_person_has_the_first_word_and_the_last() {
    let user = || Message::user("x");
    let answer = |blocks: Vec<Block>| Message::Assistant(blocks);
    let search = r#"{"type":"server_tool_use","id":"s","name":"web_search","input":{}}"#;
    let search = || Block::Other(opaque("p", search));
    check_outline(&[answer(vec![say("a")])], &["Go on.", "a", "Go on."]);
    check_outline(
        &[user(), answer(vec![say("a")]), answer(vec![say("b")])],
        &["x", "a", "Go on.", "b", "Go on."],
    );
    check_outline(
        &[user(), answer(vec![say("a"), search()])],
        &["x", "a, server_tool_use"],
    );
    check_outline(
        &[
            user(),
            answer(vec![search()]),
            answer(vec![say("b")]),
            user(),
        ],
        &["x", "server_tool_use, b", "x"],
    );
    check_outline(
        &[user(), answer(vec![say(" "), thought("p")]), user()],
        &["x, x"],
    );
    check_outline(
        &[user(), answer(vec![say("a"), thought("p")]), user()],
        &["x", "a", "x"],
    );
    check_outline(&[], &[]);
}

#[test]
fn what_ends_a_body_for_now_is_gone_in_the_next() {
    let one = [call("1")];
    let mut history = vec![Message::user("x"), calls(&one)];
    let mut encoder = Encoder::new("p");
    encoder.encode(&MODEL, &request(&history)).unwrap();
    history.push(results(&one));
    let body = encoder.encode(&MODEL, &request(&history)).unwrap();
    assert_eq!(String::from_utf8(body).unwrap(), encode(&history));
    check_outline(&history, &["x", "call 1", "did 1"]);
}

/// A conversation with everything that there is, as it grows from request to request.
fn long_history() -> Vec<Message> {
    let mut history = vec![Message::Context("rules \u{2028} \"é\" \u{1f600}".into())];
    for turn in 0..4 {
        let pair = [call(&format!("{turn}a")), call(&format!("{turn}b"))];
        history.push(Message::user(format!("turn {turn}")));
        let mut blocks = vec![thought("p"), say("so")];
        blocks.extend(pair.iter().cloned().map(Block::Call));
        history.push(Message::Assistant(blocks));
        history.push(results(&pair));
        history.push(Message::Assistant(vec![say("done")]));
    }
    history.push(Message::user("last"));
    history
}

#[test]
fn a_body_without_its_end_and_breakpoints_is_a_prefix_of_the_next() {
    let history = long_history();
    let mut encoder = Encoder::new("p");
    let mut before: Option<String> = None;
    let is_sent = |length: &usize| {
        let last = history[..*length].last();
        matches!(last, Some(Message::User(_) | Message::Results(_)))
    };
    for length in (1..=history.len()).filter(is_sent) {
        let body = encoder.encode(&MODEL, &request(&history[..length]));
        let body = String::from_utf8(body.unwrap()).unwrap();
        assert_eq!(body, encode(&history[..length]), "as after a resume");
        check_strictly(&serde_json::from_str(&body).unwrap());
        let bare = without_breakpoints(&body);
        if let Some(before) = before {
            let end = before.len() - "]}]}".len();
            assert!(bare.starts_with(&before[..end]));
        }
        before = Some(bare);
    }
}

#[test]
fn the_last_breakpoint_of_a_request_is_in_the_next_one_too() {
    let ends = |length: usize| -> Vec<String> {
        let history = long_history();
        let body = encode(&history[..length]);
        let messages = body.find(r#""messages":"#).unwrap();
        let marks = body.match_indices(r#","cache_control""#);
        let marks = marks.filter(|(at, _)| *at > messages);
        marks
            .map(|(at, _)| without_breakpoints(&body[..at]))
            .collect()
    };
    let (first, second, third) = (ends(2), ends(4), ends(6));
    assert_eq!((first.len(), second.len(), third.len()), (1, 2, 2));
    assert_eq!(second[0], first[0]);
    assert_eq!(third[0], second[1]);
    assert!(third[1].ends_with(r#"{"type":"text","text":"turn 1""#));
}

#[test]
fn another_history_is_not_taken_for_the_old_one() {
    let mut encoder = Encoder::new("p");
    let histories = [
        vec![Message::user("a"), Message::user("b")],
        vec![Message::user("a"), Message::user("c")],
        vec![Message::user("ab")],
        vec![Message::Context("ab".into())],
        vec![Message::Context("ab".into()), Message::user("d")],
        vec![],
        vec![Message::user("a"), calls(&[call("1")])],
        vec![Message::user("x"), calls(&[call("1")])],
    ];
    for history in &histories {
        let body = encoder.encode(&MODEL, &request(history)).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), encode(history));
    }
}

/// What an answer of codex leaves behind.
fn codex_history() -> Vec<Message> {
    let reasoning = r#"{"type":"reasoning","summary":[],"encrypted_content":"x"}"#;
    let said = r#"{"type":"message","role":"assistant","content":[]}"#;
    let patch = ToolCall {
        id: "call_2|fc.9".into(),
        name: "apply_patch".into(),
        arguments: "*** Begin Patch".into(),
        kind: CallKind::Freeform,
        opaque: Some(opaque("codex", "{}")),
    };
    let both = [call("call_1"), patch];
    vec![
        Message::user("x"),
        Message::Assistant(vec![
            Block::Thinking {
                text: "summary".into(),
                opaque: Some(opaque("codex", reasoning)),
            },
            Block::Text {
                text: "I do".into(),
                opaque: Some(opaque("codex", said)),
            },
            Block::Other(opaque("codex", r#"{"type":"web_search_call","id":"w"}"#)),
            Block::Call(both[0].clone()),
            Block::Call(both[1].clone()),
        ]),
        results(&both),
    ]
}

#[test]
fn a_history_of_codex_goes_on_here() {
    check_outline(
        &codex_history(),
        &[
            "x",
            "I do, call call_1, call call_2_fc_9",
            "did call_1, did call_2|fc.9",
        ],
    );
    let sent = encode(&codex_history());
    for foreign in ["encrypted_content", "web_search_call", "summary"] {
        assert!(!sent.contains(foreign), "{foreign} in {sent}");
    }
}

#[test]
fn a_budget_waits_until_calls_are_over_that_began_without_a_thought() {
    let mut history = codex_history();
    assert!(!encode(&history).contains("budget_tokens"));
    history.push(Message::Assistant(vec![say("done")]));
    history.push(Message::user("more"));
    assert!(encode(&history).contains("budget_tokens"));
    let one = [call("1")];
    let mut own = vec![
        Message::user("x"),
        Message::Assistant(vec![thought("p"), Block::Call(one[0].clone())]),
        results(&one),
    ];
    assert!(encode(&own).contains("budget_tokens"));
    let two = [call("2")];
    own.extend([calls(&two), results(&two)]);
    assert!(encode(&own).contains("budget_tokens"), "within one turn");
}

#[test]
fn a_history_from_here_goes_on_with_codex() {
    let one = [call("toolu_1")];
    let history = [
        Message::user("x"),
        Message::Assistant(vec![
            thought("anthropic"),
            say("I do"),
            Block::Other(opaque(
                "anthropic",
                r#"{"type":"server_tool_use","id":"s"}"#,
            )),
            Block::Call(one[0].clone()),
        ]),
        results(&one),
    ];
    let body = responses::encode::Encoder::new("codex").encode("m", &request(&history));
    let body: Value = serde_json::from_slice(&body.unwrap()).unwrap();
    let call = json!({"type": "function_call", "name": "bash", "call_id": "toolu_1",
        "arguments": "{\"command\": \"ls\"}"});
    let expected = json!([
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]},
        {"type": "message", "role": "assistant",
            "content": [{"type": "output_text", "text": "I do"}]},
        call,
        {"type": "function_call_output", "call_id": "toolu_1", "output": "did toolu_1"},
    ]);
    assert_eq!(body["input"], expected);
}
