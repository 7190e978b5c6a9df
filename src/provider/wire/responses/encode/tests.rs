//! Tests of the encoder: golden bodies, the prefix promise, mended pairs, echoed items.

use super::*;
use crate::chat::tool::Effect;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::provider::Effort;
use crate::provider::Thinking;
use crate::provider::complaint::Complaint;
use crate::provider::lessons::Memory;
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
    let body = Encoder::new("p").encode("m", &request(history));
    String::from_utf8(body.unwrap()).unwrap()
}

fn call(id: &str, kind: CallKind, json: Option<&str>) -> ToolCall {
    ToolCall {
        id: id.into(),
        name: "t".into(),
        arguments: "{}".into(),
        kind,
        opaque: json.map(|json| opaque("p", json)),
    }
}

fn opaque(provider: &str, json: &str) -> Opaque {
    Opaque {
        provider: provider.into(),
        json: json.into(),
    }
}

fn answer_with(calls: &[ToolCall]) -> Message {
    Message::Assistant(calls.iter().cloned().map(Block::Call).collect())
}

fn results(calls: &[ToolCall]) -> Message {
    Message::Results(
        calls
            .iter()
            .map(|call| ToolResult::text(call, true, format!("did {}", call.id)))
            .collect(),
    )
}

/// The input of the body must be `expected`, item for item.
#[track_caller]
fn check_input(history: &[Message], expected: Value) {
    let body: Value = serde_json::from_str(&encode(history)).unwrap();
    assert_eq!(body["input"], expected);
}

#[test]
fn the_body_is_this_and_nothing_else() {
    let expected = concat!(
        r#"{"model":"m","instructions":"be good","tools":["#,
        r#"{"type":"function","name":"bash","description":"runs","strict":false,"#,
        r#""parameters":{"type":"object"}},"#,
        r#"{"type":"custom","name":"apply_patch","description":"patches","#,
        r#""format":{"type":"grammar","syntax":"lark","definition":"start: \"x\""}}],"#,
        r#""tool_choice":"auto","parallel_tool_calls":true,"reasoning":{"summary":"auto"},"#,
        r#""store":false,"stream":true,"include":["reasoning.encrypted_content"],"#,
        r#""prompt_cache_key":"s","input":["#,
        r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}]}"#,
    );
    assert_eq!(encode(&[Message::user("hi")]), expected);
}

#[test]
fn the_lite_shape_has_prompt_and_tools_in_the_input() {
    let expected = concat!(
        r#"{"model":"m","tool_choice":"auto","parallel_tool_calls":false,"#,
        r#""reasoning":{"summary":"auto","context":"all_turns"},"#,
        r#""store":false,"stream":true,"include":["reasoning.encrypted_content"],"#,
        r#""prompt_cache_key":"s","input":["#,
        r#"{"type":"additional_tools","role":"developer","tools":["#,
        r#"{"type":"namespace","name":"functions","description":"","tools":["#,
        r#"{"type":"function","name":"bash","description":"runs","strict":false,"#,
        r#""parameters":{"type":"object"}},"#,
        r#"{"type":"custom","name":"apply_patch","description":"patches","#,
        r#""format":{"type":"grammar","syntax":"lark","definition":"start: \"x\""}}]}]},"#,
        r#"{"type":"message","role":"developer","#,
        r#""content":[{"type":"input_text","text":"be good"}]},"#,
        r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"},"#,
        r#"{"type":"input_image","image_url":"data:image/png;base64,AAAA"}]}]}"#,
    );
    let image = Image {
        media_type: "image/png".into(),
        base64: "AAAA".into(),
    };
    let history = [Message::User(vec![
        Part::Text("hi".into()),
        Part::Image(image),
    ])];
    let mut encoder = Encoder::new("p");
    let body = encoder
        .encode_for("m", &request(&history), &Dialect::CODEX_LITE)
        .unwrap();
    assert_eq!(String::from_utf8(body).unwrap(), expected);
    // What was kept of the one shape is not taken for the other.
    let classic = encoder.encode("m", &request(&history)).unwrap();
    assert_eq!(String::from_utf8(classic).unwrap(), encode(&history));
    let bare = Request {
        tools: &[],
        system: "",
        session: "",
        ..request(&[])
    };
    let body = encoder
        .encode_for("m", &bare, &Dialect::CODEX_LITE)
        .unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["input"], json!([]));
    assert!(body.get("parallel_tool_calls").is_none());
}

#[test]
fn what_is_not_wanted_is_not_sent() {
    let bare = Request {
        tools: &[],
        session: "",
        thinking: Thinking {
            is_off: true,
            ..Thinking::default()
        },
        ..request(&[])
    };
    let body = Encoder::new("p").encode("m", &bare).unwrap();
    let expected = concat!(
        r#"{"model":"m","instructions":"be good","store":false,"stream":true,"#,
        r#""include":["reasoning.encrypted_content"],"input":[]}"#,
    );
    assert_eq!(String::from_utf8(body).unwrap(), expected);
}

#[test]
fn effort_and_schema_are_sent_where_they_are_asked_for() {
    let asked = Request {
        thinking: Thinking {
            effort: Some(Effort::XHigh),
            ..Thinking::default()
        },
        schema: Some(r#"{"type": "object"}"#),
        ..request(&[])
    };
    let body = Encoder::new("p").encode("m", &asked).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        body["reasoning"],
        json!({"effort": "xhigh", "summary": "auto"})
    );
    let format = json!({"type": "json_schema", "name": "answer", "strict": true,
        "schema": {"type": "object"}});
    assert_eq!(body["text"], json!({ "format": format }));
}

#[test]
fn a_service_that_has_functions_only_gets_no_free_text() {
    let plain = Dialect {
        shape: Shape::Classic,
        has_freeform: false,
        has_reasoning: false,
        efforts: &[],
        has_output_max: true,
        has_web_access: false,
        lessons: Lessons::NONE,
    };
    let mut patch = call("a", CallKind::Freeform, None);
    patch.name = "apply_patch".into();
    patch.arguments = "*** x".into();
    let history = [answer_with(&[patch.clone()]), results(&[patch])];
    let asked = Request {
        output_max: Some(7),
        ..request(&history)
    };
    let mut encoder = Encoder::new("p");
    // What was kept for another service is not sent.
    encoder.encode("m", &asked).unwrap();
    let body = encoder.encode_for("m", &asked, &plain).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let tool = &body["tools"][1];
    assert_eq!(
        (&tool["type"], &tool["name"]),
        (&json!("function"), &json!("apply_patch"))
    );
    assert_eq!(tool["parameters"]["required"], json!(["patch"]));
    assert_eq!(
        body["input"],
        json!([
            {"type": "function_call", "call_id": "a", "name": "apply_patch",
                "arguments": r#"{"patch":"*** x"}"#},
            {"type": "function_call_output", "call_id": "a", "output": "did a"},
        ])
    );
    assert_eq!(body["max_output_tokens"], 7);
    assert!(body.get("reasoning").is_none() && body.get("include").is_none());
}

#[test]
fn a_schema_that_is_no_json_is_a_settings_error() {
    let asked = Request {
        schema: Some("{"),
        ..request(&[])
    };
    let error = Encoder::new("p").encode("m", &asked).unwrap_err();
    assert!(matches!(error, Error::Settings { .. }), "{error}");
    assert!(
        error.to_string().starts_with("the output schema is not"),
        "{error}"
    );
}

#[test]
fn every_message_has_its_items() {
    let image = Part::Image(Image {
        media_type: "image/png".into(),
        base64: "AAAA".into(),
    });
    let text = |text: &str| Part::Text(text.into());
    let calls = [
        call("c1", CallKind::Function, None),
        call("c2", CallKind::Freeform, None),
    ];
    let result = |call: &ToolCall, parts| ToolResult {
        parts,
        ..ToolResult::text(call, true, "")
    };
    let history = [
        Message::Context("rules".into()),
        Message::User(vec![text("see"), image.clone()]),
        Message::Assistant(vec![
            Block::Text {
                text: "ok".into(),
                opaque: None,
            },
            Block::Thinking {
                text: "hm".into(),
                opaque: None,
            },
            Block::Call(calls[0].clone()),
            Block::Call(calls[1].clone()),
        ]),
        Message::Results(vec![
            result(&calls[0], vec![text("a"), image]),
            result(&calls[1], vec![text("b"), text("c")]),
        ]),
    ];
    let picture = json!({"type": "input_image", "image_url": "data:image/png;base64,AAAA",
        "detail": "high"});
    check_input(
        &history,
        json!([
            {"type": "message", "role": "user",
                "content": [{"type": "input_text", "text": "rules"}]},
            {"type": "message", "role": "user",
                "content": [{"type": "input_text", "text": "see"}, picture]},
            {"type": "message", "role": "assistant",
                "content": [{"type": "output_text", "text": "ok"}]},
            {"type": "function_call", "name": "t", "arguments": "{}", "call_id": "c1"},
            {"type": "custom_tool_call", "call_id": "c2", "name": "t", "input": "{}"},
            {"type": "function_call_output", "call_id": "c1",
                "output": [{"type": "input_text", "text": "a"}, picture]},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": "b\nc"},
        ]),
    );
}

#[test]
fn items_of_the_service_go_back_byte_for_byte() {
    let reasoning =
        "{ \"type\":\"reasoning\",\n\"summary\":[],\"encrypted_content\":\"\\u00e9/+=\"}";
    let message = r#"{"type":"message","role":"assistant","content":[],"extra":1.50}"#;
    let called = r#"{"type":"function_call","call_id":"c","name":"t","arguments":"{}","id":"fc"}"#;
    let unknown = r#"{"type":"new_thing","x":[1,2 ,3]}"#;
    let call = call("c", CallKind::Function, Some(called));
    let history = [
        Message::Assistant(vec![
            Block::Thinking {
                text: "hm".into(),
                opaque: Some(opaque("p", reasoning)),
            },
            Block::Text {
                text: String::new(),
                opaque: Some(opaque("p", message)),
            },
            Block::Other(opaque("p", unknown)),
            Block::Call(call.clone()),
        ]),
        results(&[call]),
    ];
    let body = encode(&history);
    let items = format!(r#""input":[{reasoning},{message},{unknown},{called},{{"type""#);
    assert!(body.contains(&items), "{body}");
}

#[test]
fn what_another_provider_made_or_what_does_not_fit_is_made_anew() {
    let foreign = r#"{"type":"function_call","call_id":"c","name":"t","arguments":"{}","x":1}"#;
    let rebuilt = json!({"type": "function_call", "name": "t", "arguments": "{}", "call_id": "c"});
    let output = json!({"type": "function_call_output", "call_id": "c", "output": "did c"});
    for opaque in [
        opaque("q", foreign),
        opaque("p", "{"),
        opaque(
            "p",
            r#"{"type":"function_call","call_id":"d","name":"t","arguments":"{}"}"#,
        ),
        opaque("p", r#"{"type":"function_call","call_id":"c","name":"t"}"#),
        opaque("p", r#"{"type":"reasoning","summary":[]}"#),
        opaque("p", &format!("{foreign},{foreign}")),
    ] {
        let call = ToolCall {
            opaque: Some(opaque),
            ..call("c", CallKind::Function, None)
        };
        let history = [answer_with(std::slice::from_ref(&call)), results(&[call])];
        check_input(&history, json!([rebuilt, output]));
    }
    let left_out = Message::Assistant(vec![
        Block::Other(opaque("q", "{}")),
        Block::Thinking {
            text: "hm".into(),
            opaque: Some(opaque("q", "{}")),
        },
    ]);
    check_input(&[left_out], json!([]));
}

/// Which call ids have a call and which an output, in the order of the input.
#[track_caller]
fn check_pairs(history: &[Message], expected: &[&str]) {
    let body: Value = serde_json::from_str(&encode(history)).unwrap();
    let pairs: Vec<String> = body["input"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| match item["output"].as_str() {
            _ if item["type"] == "message" => "message".to_string(),
            Some(output) => format!("{} {output}", item["call_id"].as_str().unwrap()),
            None => format!("{} called", item["call_id"].as_str().unwrap()),
        })
        .collect();
    assert_eq!(pairs, expected);
}

#[test]
fn every_call_has_one_output_and_every_output_a_call() {
    let one = call("1", CallKind::Function, None);
    let two = call("2", CallKind::Freeform, None);
    let both = [one.clone(), two.clone()];
    let user = || Message::user("x");
    check_pairs(
        &[answer_with(&both)],
        &["1 called", "2 called", "1 aborted", "2 aborted"],
    );
    check_pairs(
        &[
            answer_with(&both),
            results(std::slice::from_ref(&two)),
            user(),
        ],
        &["1 called", "2 called", "2 did 2", "1 aborted", "message"],
    );
    check_pairs(
        &[
            user(),
            results(&both),
            answer_with(&both),
            user(),
            results(&both),
        ],
        &[
            "message",
            "1 called",
            "2 called",
            "1 aborted",
            "2 aborted",
            "message",
        ],
    );
    let twice = [one.clone(), one.clone(), one.clone()];
    check_pairs(
        &[answer_with(std::slice::from_ref(&one)), results(&twice)],
        &["1 called", "1 did 1"],
    );
    check_pairs(
        &[
            answer_with(std::slice::from_ref(&one)),
            answer_with(&both),
            results(&both),
        ],
        &[
            "1 called",
            "1 aborted",
            // Others count from the start again with each answer.
            "1_2 called",
            "2 called",
            "1_2 did 1",
            "2 did 2",
        ],
    );
}

#[test]
fn a_body_without_its_end_is_a_prefix_of_the_next() {
    let calls = [
        call("1", CallKind::Function, None),
        call("2", CallKind::Freeform, None),
    ];
    let history = [
        Message::Context("rules \u{2028} \"é\" \u{1f600}".into()),
        Message::user("x"),
        answer_with(&calls),
        results(&calls),
        Message::Assistant(vec![Block::Text {
            text: "y".into(),
            opaque: None,
        }]),
        Message::user("z"),
    ];
    for dialect in [Dialect::CODEX, Dialect::CODEX_LITE] {
        let mut encoder = Encoder::new("p");
        let mut before: Option<Vec<u8>> = None;
        // What is sent ends with a message of the person or with results.
        for length in [2, 4, 6] {
            let asked = request(&history[..length]);
            let body = encoder.encode_for("m", &asked, &dialect).unwrap();
            let anew = Encoder::new("p").encode_for("m", &asked, &dialect);
            assert_eq!(body, anew.unwrap(), "resuming gives the same bytes");
            if let Some(before) = before {
                assert!(body.starts_with(&before[..before.len() - 2]));
            }
            before = Some(body);
        }
    }
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
        vec![Message::user("a"), Message::user("b"), Message::user("c")],
        vec![Message::user("x"), Message::user("b"), Message::user("c")],
    ];
    for history in &histories {
        let body = encoder.encode("m", &request(history)).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), encode(history));
    }
}

#[test]
fn an_aborted_output_gives_way_to_the_real_one() {
    let calls = [call("1", CallKind::Function, None)];
    let mut history = vec![answer_with(&calls)];
    let mut encoder = Encoder::new("p");
    encoder.encode("m", &request(&history)).unwrap();
    history.push(results(&calls));
    let body = encoder.encode("m", &request(&history)).unwrap();
    assert_eq!(String::from_utf8(body).unwrap(), encode(&history));
    check_pairs(&history, &["1 called", "1 did 1"]);
}

/// `Dialect::CODEX` after a service complained of a request of so many messages.
fn after(complaint: &Complaint, messages: usize) -> Dialect {
    let mut memory = Memory::default();
    memory.recall("m", messages);
    assert!(memory.learn("m", PARAMETERS, complaint).is_some());
    Dialect::CODEX.after(memory.recall("m", messages))
}

#[test]
fn a_parameter_that_was_refused_is_left_out() {
    let history = [Message::user("x")];
    let asked = Request {
        output_max: Some(7),
        thinking: Thinking {
            effort: Some(Effort::XHigh),
            ..Thinking::default()
        },
        ..request(&history)
    };
    let body_of = |dialect: Dialect| -> Value {
        let dialect = Dialect {
            has_output_max: true,
            ..dialect
        };
        let body = Encoder::new("p").encode_for("m", &asked, &dialect);
        serde_json::from_slice(&body.unwrap()).unwrap()
    };
    for (parameter, place, field) in [
        (Parameter::Reasoning, "", "reasoning"),
        (Parameter::Effort, "/reasoning", "effort"),
        (Parameter::Summary, "/reasoning", "summary"),
        (Parameter::Include, "", "include"),
        (Parameter::MaxOutputTokens, "", "max_output_tokens"),
        (Parameter::ParallelToolCalls, "", "parallel_tool_calls"),
        (Parameter::ToolChoice, "", "tool_choice"),
        (Parameter::PromptCacheKey, "", "prompt_cache_key"),
    ] {
        let mut expected = body_of(Dialect::CODEX);
        let fields = expected.pointer_mut(place).and_then(Value::as_object_mut);
        assert!(fields.unwrap().remove(field).is_some(), "{field}");
        let body = body_of(after(&Complaint::Refused(parameter), 1));
        assert_eq!(body, expected, "{field}");
    }
    let known = Complaint::Effort(vec![Effort::Low, Effort::Medium, Effort::High]);
    assert_eq!(body_of(after(&known, 1))["reasoning"]["effort"], "high");
}

#[test]
fn thoughts_that_could_not_be_read_are_left_out_with_their_ids() {
    let json = |id: &str| {
        format!(r#"{{"type":"reasoning","id":"{id}","summary":[],"encrypted_content":"x"}}"#)
    };
    let thought = |id: &str| Block::Thinking {
        text: String::new(),
        opaque: Some(Opaque {
            provider: "p".into(),
            json: json(id),
        }),
    };
    let said = r#"{"type":"message","role":"assistant","id":"msg_1","content":[]}"#;
    let words = Block::Text {
        text: "a".into(),
        opaque: Some(Opaque {
            provider: "p".into(),
            json: said.into(),
        }),
    };
    let history = [
        Message::user("x"),
        Message::Assistant(vec![thought("rs_1"), words]),
        Message::user("y"),
        Message::Assistant(vec![thought("rs_2")]),
    ];
    let mut encoder = Encoder::new("p");
    let mut sent = |dialect: &Dialect| {
        let body = encoder.encode_for("m", &request(&history), dialect);
        let body = String::from_utf8(body.unwrap()).unwrap();
        ["rs_1", "msg_1", "rs_2"].map(|id| body.contains(id))
    };
    assert_eq!(sent(&Dialect::CODEX), [true; 3]);
    assert_eq!(sent(&after(&Complaint::Sealed, 3)), [false, false, true]);
    assert_eq!(sent(&after(&Complaint::Sealed, 4)), [false; 3]);
    let unsealed = Complaint::Refused(Parameter::Include);
    assert_eq!(sent(&after(&unsealed, 1)), [false; 3]);
}
