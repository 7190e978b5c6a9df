//! Tests of the encoder: golden bodies, the prefix promise, mended pairs, servers' demands.

use super::*;
use crate::chat::tool::Effect;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::provider::Effort;
use crate::provider::Thinking;
use crate::provider::wire::completions::dialect::OutputField;
use serde_json::Value;

#[cfg(test)]
mod refused;

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

const ECHOING: Dialect = Dialect {
    echo: Echo::ToolLoops,
    ..Dialect::PLAIN
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

fn body_of(request: &Request<'_>, dialect: &Dialect) -> Value {
    let body = Encoder::new("p").encode("m", request, dialect).unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.into(),
        name: "bash".into(),
        arguments: arguments.into(),
        kind: CallKind::Function,
        opaque: None,
    }
}

fn text(text: &str) -> Block {
    Block::Text {
        text: text.into(),
        opaque: None,
    }
}

fn thoughts(text: &str, provider: &str) -> Block {
    Block::Thinking {
        text: text.into(),
        opaque: Some(Opaque {
            provider: provider.into(),
            json: REASONING_CONTENT.into(),
        }),
    }
}

fn calls(calls: &[ToolCall]) -> Message {
    Message::Assistant(calls.iter().cloned().map(Block::Call).collect())
}

fn results(calls: &[ToolCall]) -> Message {
    let result = |call| ToolResult::text(call, true, "did");
    Message::Results(calls.iter().map(result).collect())
}

fn wire_call(id: &str, name: &str, arguments: &str) -> Value {
    let function = json!({"name": name, "arguments": arguments});
    json!({"id": id, "type": "function", "function": function})
}

/// The messages behind the system's must be `expected`.
#[track_caller]
fn check_as(dialect: &Dialect, history: &[Message], expected: &Value) {
    let body = body_of(&request(history), dialect);
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(messages[0], json!({"role": "system", "content": "be good"}));
    assert_eq!(Value::from(&messages[1..]), *expected);
}

#[track_caller]
fn check(history: &[Message], expected: &Value) {
    check_as(&Dialect::PLAIN, history, expected);
}

#[test]
fn the_body_is_this_and_nothing_else() {
    let body = Encoder::new("p").encode("m", &request(&[Message::user("hi")]), &Dialect::PLAIN);
    let expected = concat!(
        r#"{"model":"m","tools":[{"type":"function","function":{"name":"bash","#,
        r#""description":"runs","parameters":{"type":"object"}}},"#,
        r#"{"type":"function","function":{"name":"apply_patch","description":"patches","#,
        r#""parameters":{"additionalProperties":false,"properties":{"patch":{"description":"#,
        r#""Text in this grammar (Lark):\nstart: \"x\"","type":"string"}},"#,
        r#""required":["patch"],"type":"object"}}}],"tool_choice":"auto","#,
        r#""parallel_tool_calls":true,"stream":true,"stream_options":{"include_usage":true},"#,
        r#""messages":[{"content":"be good","role":"system"},{"content":"hi","role":"user"}]}"#,
    );
    assert_eq!(String::from_utf8(body.unwrap()).unwrap(), expected);
}

#[test]
fn what_is_not_wanted_is_not_sent() {
    let bare = Request {
        tools: &[],
        system: "",
        ..request(&[])
    };
    let body = Encoder::new("p")
        .encode("m", &bare, &Dialect::PLAIN)
        .unwrap();
    let expected =
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[]}"#;
    assert_eq!(String::from_utf8(body).unwrap(), expected);
}

#[test]
fn what_is_asked_for_is_sent_in_the_words_of_the_server() {
    let asked = Request {
        thinking: Thinking {
            effort: Some(Effort::Max),
            ..Thinking::default()
        },
        output_max: Some(7),
        schema: Some(r#"{"type": "object"}"#),
        ..request(&[])
    };
    let plain = body_of(&asked, &Dialect::PLAIN);
    assert_eq!(
        (&plain["reasoning_effort"], &plain["max_tokens"]),
        (&json!("high"), &json!(7))
    );
    assert!(plain.get("max_completion_tokens").is_none());
    let format = json!({"type": "json_schema", "json_schema": {"name": "answer",
        "strict": true, "schema": {"type": "object"}}});
    assert_eq!(plain["response_format"], format);
    let newer = Dialect {
        output_field: OutputField::MaxCompletionTokens,
        efforts: Effort::ALL,
        has_strict: true,
        has_parallel: false,
        ..Dialect::PLAIN
    };
    let newer = body_of(&asked, &newer);
    assert_eq!(newer["reasoning_effort"], "max");
    assert_eq!(newer["max_completion_tokens"], 7);
    assert!(newer.get("max_tokens").is_none() && newer.get("parallel_tool_calls").is_none());
    let strict = |tool: usize| newer["tools"][tool]["function"].get("strict");
    assert_eq!((strict(0), strict(1)), (None, Some(&json!(true))));
    for (effort, word) in [(Effort::Off, "none"), (Effort::Minimal, "low")] {
        let asked = Request {
            thinking: Thinking {
                effort: Some(effort),
                ..Thinking::default()
            },
            ..request(&[])
        };
        assert_eq!(body_of(&asked, &Dialect::PLAIN)["reasoning_effort"], word);
    }
}

#[test]
fn a_schema_that_is_no_json_is_a_settings_error() {
    let asked = Request {
        schema: Some("{"),
        ..request(&[])
    };
    let error = Encoder::new("p")
        .encode("m", &asked, &Dialect::PLAIN)
        .unwrap_err();
    assert!(matches!(error, Error::Settings { .. }), "{error:?}");
}

#[test]
fn every_message_has_its_place() {
    let image = Image {
        media_type: "image/png".into(),
        base64: "AA==".into(),
    };
    let both = [call("a", r#"{"x":1}"#), call("b", "{}")];
    let mut shown = ToolResult::text(&both[0], true, "one");
    shown.parts.push(Part::Image(image.clone()));
    let mut only_shown = ToolResult::text(&both[1], true, "");
    only_shown.parts = vec![Part::Image(image.clone())];
    let url = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let mut blocks = vec![
        text("on"),
        Block::Other(Opaque {
            provider: "codex".into(),
            json: "{}".into(),
        }),
    ];
    blocks.extend([text(""), text("it")]);
    blocks.extend(both.iter().cloned().map(Block::Call));
    check(
        &[
            Message::Context("note".into()),
            Message::User(vec![Part::Text("see".into()), Part::Image(image)]),
            Message::Assistant(blocks),
            Message::Results(vec![shown, only_shown]),
            Message::user("and"),
            Message::Assistant(vec![text("ok")]),
            Message::user("bye"),
        ],
        &json!([
            {"role": "user", "content": [{"type": "text", "text": "note"},
                {"type": "text", "text": "see"}, url]},
            {"role": "assistant", "content": "on\n\nit", "tool_calls": [
                wire_call("a", "bash", r#"{"x":1}"#), wire_call("b", "bash", "{}")]},
            {"role": "tool", "tool_call_id": "a", "content": "one"},
            {"role": "tool", "tool_call_id": "b", "content": PICTURES},
            {"role": "user", "content": [url, url, {"type": "text", "text": "and"}]},
            {"role": "assistant", "content": "ok"},
            {"role": "user", "content": "bye"},
        ]),
    );
}

#[test]
fn neighbours_of_one_role_are_one_message() {
    check(
        &[
            Message::Context("a".into()),
            Message::user("b"),
            // An answer that says nothing is none.
            Message::Assistant(vec![text(""), thoughts("hm", "p")]),
            Message::user("c"),
        ],
        &json!([{"role": "user", "content": "a\n\nb\n\nc"}]),
    );
}

#[test]
fn every_call_has_one_answer_and_every_answer_a_call() {
    let both = [call("a", "{}"), call("b", "{}")];
    let asked = json!({"role": "assistant", "content": null, "tool_calls": [
        wire_call("a", "bash", "{}"), wire_call("b", "bash", "{}")]});
    let tool = |id: &str, text: &str| json!({"role": "tool", "tool_call_id": id, "content": text});
    let user = |text: &str| json!({"role": "user", "content": text});
    let start = Message::user("x");
    check(
        &[start.clone(), calls(&both)],
        &json!([user("x"), asked, tool("a", ABORTED), tool("b", ABORTED)]),
    );
    check(
        &[
            start.clone(),
            calls(&both),
            results(&both[1..]),
            Message::user("y"),
        ],
        &json!([
            user("x"),
            asked,
            tool("b", "did"),
            tool("a", ABORTED),
            user("y")
        ]),
    );
    check(
        &[
            start,
            results(&both),
            calls(&both),
            results(&both),
            results(&both),
            Message::user("y"),
            results(&both),
        ],
        &json!([
            user("x"),
            asked,
            tool("a", "did"),
            tool("b", "did"),
            user("y")
        ]),
    );
}

#[test]
fn arguments_are_an_object_whatever_the_model_wrote() {
    let mut patch = call("e", "*** \"x\"");
    patch.kind = CallKind::Freeform;
    patch.name = "apply_patch".into();
    let mut gone = patch.clone();
    gone.name = "gone".into();
    let mut named = call("n", "{}");
    named.name = "böse name".into();
    for (call, name, arguments) in [
        (call("a", "{ \"x\" : 1e2}"), "bash", "{ \"x\" : 1e2}"),
        (call("b", "{\"x\":"), "bash", r#"{"not_json":"{\"x\":"}"#),
        (call("c", "[1]"), "bash", r#"{"not_json":"[1]"}"#),
        (call("d", "{} {}"), "bash", r#"{"not_json":"{} {}"}"#),
        (patch, "apply_patch", r#"{"patch":"*** \"x\""}"#),
        (gone, "gone", r#"{"input":"*** \"x\""}"#),
        (named, "b_se_name", "{}"),
    ] {
        let history = [
            calls(std::slice::from_ref(&call)),
            results(std::slice::from_ref(&call)),
        ];
        let body = body_of(&request(&history), &Dialect::PLAIN);
        let sent = &body["messages"][1]["tool_calls"][0];
        assert_eq!(*sent, wire_call(&call.id, name, arguments));
    }
}

#[test]
fn thoughts_go_back_only_where_they_are_demanded() {
    let asked = [call("a", "{}")];
    let with_calls = |provider: &str| {
        let call = Block::Call(asked[0].clone());
        Message::Assistant(vec![thoughts("hm", provider), call])
    };
    let history = |provider: &str| {
        [
            Message::user("x"),
            Message::Assistant(vec![thoughts("no loop", provider), text("hi")]),
            Message::user("y"),
            with_calls(provider),
            results(&asked),
            Message::Assistant(vec![thoughts("end", provider), text("ok")]),
        ]
    };
    let echoed = |dialect: &Dialect, history: &[Message]| {
        let body = body_of(&request(history), dialect);
        let messages = body["messages"].as_array().unwrap().clone();
        let thoughts = messages
            .iter()
            .filter(|message| message["role"] == "assistant");
        let thoughts = thoughts.map(|message| message["reasoning_content"].clone());
        thoughts.collect::<Vec<_>>()
    };
    let null = Value::Null;
    assert_eq!(
        echoed(&Dialect::PLAIN, &history("p")),
        [null.clone(), null.clone(), null.clone()]
    );
    assert_eq!(
        echoed(&ECHOING, &history("p")),
        [null.clone(), json!("hm"), json!("end")]
    );
    // Another vendor's are none, and the field is demanded all the same.
    assert_eq!(
        echoed(&ECHOING, &history("codex")),
        [null, json!(" "), json!(" ")]
    );
}

#[test]
fn what_stood_beside_a_call_goes_back_to_its_maker() {
    let mut asked = call("a", "{}");
    let json = r#"{"extra_content":{"g": 1e2}}"#;
    for (provider, json, expected) in [
        ("p", json, Some(r#""extra_content":{"g": 1e2}}]"#)),
        ("q", json, None),
        ("p", "[]", None),
        ("p", r#"{"type":"function_call"}"#, None),
    ] {
        asked.opaque = Some(Opaque {
            provider: provider.into(),
            json: json.into(),
        });
        let history = [calls(std::slice::from_ref(&asked))];
        let body = Encoder::new("p")
            .encode("m", &request(&history), &Dialect::PLAIN)
            .unwrap();
        let body = String::from_utf8(body).unwrap();
        assert_eq!(body.contains("extra_content"), expected.is_some(), "{body}");
        assert!(
            expected.is_none_or(|expected| body.contains(expected)),
            "{body}"
        );
    }
}

#[test]
fn ids_are_as_the_server_takes_them() {
    #[track_caller]
    fn check(ids: Ids, id: &str, expected: Option<&str>) {
        let dialect = Dialect {
            ids,
            ..Dialect::PLAIN
        };
        let asked = [call(id, "{}")];
        let history = [calls(&asked), results(&asked)];
        let body = body_of(&request(&history), &dialect);
        let sent = &body["messages"][1]["tool_calls"][0]["id"];
        assert_eq!(*sent, body["messages"][2]["tool_call_id"]);
        let sent = sent.as_str().unwrap();
        match expected {
            Some(expected) => assert_eq!(sent, expected),
            None => {
                assert!(sent.len() == 9 && sent.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            }
        }
    }
    let long = "x".repeat(41);
    check(Ids::Any, &long, Some(&long));
    check(Ids::Short, &long, None);
    check(Ids::Short, "call_a", Some("call_a"));
    check(Ids::Nine, "D681PevKs", Some("D681PevKs"));
    check(Ids::Nine, "call_a", Some("95ec03239"));
    check(Ids::Any, "", None);
}

/// A conversation with everything in it, one request after each step.
fn steps() -> Vec<Vec<Message>> {
    let both = [call("a", r#"{"x":"é"}"#), call("b", "broken")];
    let mut shown = ToolResult::text(&both[0], true, "one");
    shown.parts.push(Part::Image(Image {
        media_type: "image/png".into(),
        base64: "AA==".into(),
    }));
    let other = ToolResult::text(&both[1], false, "no");
    let mut answer = vec![thoughts("hm", "p"), text("on it")];
    answer.extend(both.iter().cloned().map(Block::Call));
    let again = [call("a", "{}")];
    vec![
        vec![Message::Context("where".into()), Message::user("do")],
        vec![
            Message::Assistant(answer),
            Message::Results(vec![shown, other]),
        ],
        vec![calls(&again), results(&again), Message::user("steer")],
        vec![
            Message::Assistant(vec![text("done")]),
            Message::Context("a new day".into()),
            Message::user("more"),
        ],
    ]
}

#[test]
fn a_body_without_its_end_is_a_prefix_of_the_next() {
    for dialect in [Dialect::PLAIN, ECHOING] {
        let mut encoder = Encoder::new("p");
        let mut history = Vec::new();
        let mut before: Vec<u8> = Vec::new();
        for step in steps() {
            history.extend(step);
            let body = encoder.encode("m", &request(&history), &dialect).unwrap();
            let fresh = Encoder::new("p")
                .encode("m", &request(&history), &dialect)
                .unwrap();
            assert_eq!(body, fresh, "what was kept is what would be made");
            let open = before.strip_suffix(b"]}").unwrap_or_default();
            assert!(body.starts_with(open));
            before = body;
        }
    }
}

#[test]
fn another_history_model_or_server_is_not_taken_for_the_old_one() {
    let mut encoder = Encoder::new("p");
    let history: Vec<Message> = steps().into_iter().flatten().collect();
    let shorter = &history[..3];
    for (history, dialect) in [
        (&history[..], Dialect::PLAIN),
        (&history[..], ECHOING),
        (shorter, ECHOING),
        (&[Message::user("x")], ECHOING),
        (&history[..], Dialect::PLAIN),
    ] {
        let body = encoder.encode("m", &request(history), &dialect).unwrap();
        let fresh = Encoder::new("p")
            .encode("m", &request(history), &dialect)
            .unwrap();
        assert_eq!(body, fresh);
    }
}
