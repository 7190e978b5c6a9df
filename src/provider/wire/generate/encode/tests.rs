//! Tests of the encoder: golden bodies, the prefix promise, mended pairs, echoed parts, switching.

use super::*;
use crate::chat::tool::Effect;
use crate::provider::Effort;
use crate::provider::Thinking;

const TOOLS: &[ToolSpec] = &[
    ToolSpec {
        name: "bash",
        description: "runs",
        input: Input::Schema(
            r#"{"type":"object","additionalProperties":false,
                "properties":{"command":{"type":"string"}},"required":["command"]}"#,
        ),
        effect: Effect::Changes,
    },
    ToolSpec {
        name: "noop",
        description: "rests",
        input: Input::Schema(r#"{"type":"object","properties":{}}"#),
        effect: Effect::Reads,
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

const LEVEL: Thinks = Thinks::Level(&[Effort::Low, Effort::High]);
const BUDGET: Thinks = Thinks::Budget {
    min: 128,
    max: 32_768,
    can_be_off: false,
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

fn encode(thinks: Thinks, request: &Request<'_>) -> String {
    let body = Encoder::new("p").encode(thinks, request).unwrap();
    String::from_utf8(body).unwrap()
}

fn call(id: &str, json: Option<&str>) -> ToolCall {
    ToolCall {
        id: id.into(),
        name: "t".into(),
        arguments: r#"{"a": 1}"#.into(),
        kind: CallKind::Function,
        opaque: json.map(|json| opaque("p", json)),
    }
}

/// A part as the decoder keeps it.
fn opaque(provider: &str, json: &str) -> Opaque {
    Opaque {
        provider: provider.into(),
        json: format!("[{json}]"),
    }
}

fn text(text: &str) -> Block {
    Block::Text {
        text: text.into(),
        opaque: None,
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

/// The contents of the body must be `expected`, and sides must take turns.
#[track_caller]
fn check(thinks: Thinks, history: &[Message], expected: Value) {
    let body: Value = serde_json::from_str(&encode(thinks, &request(history))).unwrap();
    assert_eq!(body["contents"], expected);
    let contents = body["contents"].as_array().unwrap();
    for pair in contents.windows(2) {
        assert_ne!(pair[0]["role"], pair[1]["role"]);
    }
}

#[test]
fn the_body_is_this_and_nothing_else() {
    let expected = concat!(
        r#"{"systemInstruction":{"parts":[{"text":"be good"}]},"#,
        r#""tools":[{"functionDeclarations":["#,
        r#"{"name":"bash","description":"runs","parameters":{"#,
        r#""properties":{"command":{"type":"string"}},"required":["command"],"type":"object"}},"#,
        r#"{"name":"noop","description":"rests"},"#,
        r#"{"name":"apply_patch","description":"patches","parameters":{"#,
        r#""properties":{"patch":{"description":"Text in this grammar (Lark):\nstart: \"x\"","#,
        r#""type":"string"}},"required":["patch"],"type":"object"}}]}],"#,
        r#""toolConfig":{"functionCallingConfig":{"mode":"AUTO"}},"#,
        r#""generationConfig":{"thinkingConfig":{"includeThoughts":true}},"#,
        r#""contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#,
    );
    assert_eq!(encode(LEVEL, &request(&[Message::user("hi")])), expected);
}

#[test]
fn what_is_not_wanted_is_not_sent() {
    let bare = Request {
        system: "",
        tools: &[],
        ..request(&[])
    };
    assert_eq!(encode(Thinks::Unsaid, &bare), r#"{"contents":[]}"#);
}

#[test]
fn each_model_is_told_to_think_in_its_own_way() {
    #[track_caller]
    fn check(
        thinks: Thinks,
        is_off: bool,
        effort: Option<Effort>,
        tokens: Option<u64>,
        json: Value,
    ) {
        let asked = Request {
            thinking: Thinking {
                is_off,
                effort,
                budget: tokens,
            },
            ..request(&[])
        };
        let body: Value = serde_json::from_str(&encode(thinks, &asked)).unwrap();
        assert_eq!(body["generationConfig"]["thinkingConfig"], json);
    }
    let level = |level: &str| json!({"includeThoughts": true, "thinkingLevel": level});
    let budget = |tokens: u64| json!({"includeThoughts": true, "thinkingBudget": tokens});
    let shown = json!({"includeThoughts": true});
    for (effort, word, tokens) in [
        (Effort::Off, "low", 128),
        (Effort::Minimal, "low", 1_000),
        (Effort::Low, "low", 2_000),
        (Effort::Medium, "high", 10_000),
        (Effort::High, "high", 32_000),
        (Effort::Max, "high", 32_768),
    ] {
        check(LEVEL, false, Some(effort), None, level(word));
        check(BUDGET, false, Some(effort), None, budget(tokens));
    }
    check(LEVEL, false, None, None, shown.clone());
    check(BUDGET, false, None, None, shown);
    check(LEVEL, false, None, Some(40_000), level("high"));
    check(BUDGET, false, None, Some(40_000), budget(32_768));
    let hidden = json!({"includeThoughts": false, "thinkingLevel": "low"});
    check(LEVEL, true, Some(Effort::High), None, hidden);
    let can_be_off = Thinks::Budget {
        min: 512,
        max: 24_576,
        can_be_off: true,
    };
    let off = json!({"includeThoughts": false, "thinkingBudget": 0});
    check(can_be_off, true, None, None, off.clone());
    check(can_be_off, false, Some(Effort::Off), None, off);
    check(can_be_off, false, None, Some(1), budget(512));
    check(Thinks::Unsaid, false, Some(Effort::High), None, Value::Null);
}

#[test]
fn a_schema_for_the_answer_is_cut_or_put_in_words() {
    let schema = r#"{"type":"object","additionalProperties":false,
        "properties":{"n":{"const":1}}}"#;
    let asked = Request {
        schema: Some(schema),
        output_max: Some(99),
        ..request(&[])
    };
    let body = |thinks, asked: &Request<'_>| -> Value {
        serde_json::from_str(&encode(thinks, asked)).unwrap()
    };
    let config = json!({"maxOutputTokens": 99, "thinkingConfig": {"includeThoughts": true},
        "responseMimeType": "application/json", "responseSchema": {"type": "object",
            "properties": {"n": {"type": "integer", "description": "One of: 1."}}}});
    assert_eq!(body(LEVEL, &asked)["generationConfig"], config);
    let told = body(BUDGET, &asked);
    assert!(told["generationConfig"].get("responseSchema").is_none());
    let system = told["systemInstruction"]["parts"][0]["text"].as_str();
    assert!(system.unwrap().ends_with(schema));
    let bare = Request {
        tools: &[],
        ..asked
    };
    assert_eq!(body(BUDGET, &bare)["generationConfig"], config);
    let broken = Request {
        schema: Some("{"),
        ..asked
    };
    let error = Encoder::new("p").encode(LEVEL, &broken).unwrap_err();
    assert!(matches!(error, Error::Settings { .. }), "{error}");
}

#[test]
fn every_message_has_its_parts() {
    let picture = |kind: &str| {
        Part::Image(Image {
            media_type: kind.into(),
            base64: "AAAA".into(),
        })
    };
    let png = json!({"inlineData": {"mimeType": "image/png", "data": "AAAA"}});
    let calls = [call("c1", None), call("c2", None)];
    let seen = ToolResult {
        parts: vec![
            Part::Text("a".into()),
            picture("image/png"),
            Part::Text("b".into()),
        ],
        ..ToolResult::text(&calls[0], true, "")
    };
    let failed = ToolResult::text(&calls[1], false, "no");
    let history = [
        Message::Context("rules".into()),
        Message::User(vec![
            Part::Text("see".into()),
            Part::Text(String::new()),
            picture("image/png"),
            picture("image/gif"),
        ]),
        Message::Assistant(vec![
            Block::Thinking {
                text: "hm".into(),
                opaque: None,
            },
            text("ok"),
            Block::Call(calls[0].clone()),
            Block::Call(calls[1].clone()),
        ]),
        Message::Results(vec![seen, failed]),
        Message::user("go on"),
    ];
    let args = json!({"a": 1});
    check(
        BUDGET,
        &history,
        json!([
            {"role": "user", "parts": [{"text": "rules"}, {"text": "see"}, png,
                {"text": "[a GIF picture, which this service does not take]"}]},
            {"role": "model", "parts": [{"text": "ok"},
                {"functionCall": {"name": "t", "args": args}},
                {"functionCall": {"name": "t", "args": args}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "t", "response": {"output": "a\nb"}}},
                {"functionResponse": {"name": "t", "response": {"error": "no"}}},
                png, {"text": "go on"}]},
        ]),
    );
}

#[test]
fn parts_of_the_service_go_back_byte_for_byte() {
    let thought = r#"{"thought": true,"text":"hm","thoughtSignature":"a\/b"}"#;
    let said = r#"{"text":"a"},{ "text" : "b\u00e9","thoughtSignature":"x=="}"#;
    let code = r#"{"executableCode":{"language":"PYTHON","code":"1"},"x":1.50}"#;
    let called = concat!(
        r#"{"functionCall":{"id":"k1","name":"t","args":{"a": 1}},"#,
        r#""thoughtSignature":"y=="}"#
    );
    let second = r#"{"functionCall":{"name":"t","args":{"a":1}}}"#;
    let calls = [call("k1", Some(called)), call("call_r_1", Some(second))];
    let history = [
        Message::user("go"),
        Message::Assistant(vec![
            Block::Thinking {
                text: "hm".into(),
                opaque: Some(opaque("p", thought)),
            },
            Block::Text {
                text: "abé".into(),
                opaque: Some(opaque("p", said)),
            },
            Block::Other(opaque("p", code)),
            Block::Call(calls[0].clone()),
            Block::Call(calls[1].clone()),
        ]),
        results(&calls),
    ];
    let expected = format!(
        r#"{{"role":"model","parts":[{thought},{said},{code},{called},{second}]}},{}"#,
        concat!(
            r#"{"role":"user","parts":["#,
            r#"{"functionResponse":{"id":"k1","name":"t","response":{"output":"did k1"}}},"#,
            r#"{"functionResponse":{"name":"t","response":{"output":"did call_r_1"}}}]}]}"#,
        )
    );
    for thinks in [LEVEL, BUDGET] {
        let body = encode(thinks, &request(&history));
        assert!(body.ends_with(&expected), "{body}");
    }
}

#[test]
fn a_call_without_a_signature_is_marked_where_one_is_demanded() {
    let unsigned = r#"{"functionCall":{"name":"t","args":{"a": 1}} }"#;
    for json in [None, Some(unsigned)] {
        let calls = [call("1", json), call("2", json)];
        let history = [answer_with(&calls), results(&calls)];
        let first = json!({"functionCall": {"name": "t", "args": {"a": 1}},
            "thoughtSignature": "skip_thought_signature_validator"});
        let body: Value = serde_json::from_str(&encode(LEVEL, &request(&history))).unwrap();
        let parts = &body["contents"][0]["parts"];
        assert_eq!(parts[0], first);
        assert!(parts[1].get("thoughtSignature").is_none());
        assert!(!encode(BUDGET, &request(&history)).contains("thoughtSignature"));
    }
}

#[test]
fn the_history_of_another_service_is_told_in_this_ones_words() {
    let foreign = r#"{"type":"function_call","call_id":"c","name":"t","arguments":"{}"}"#;
    let foreign = || Opaque {
        provider: "codex".into(),
        json: foreign.into(),
    };
    let function = |name: &str, arguments: &str| ToolCall {
        name: name.into(),
        arguments: arguments.into(),
        opaque: Some(foreign()),
        ..call("c", None)
    };
    let patch = |name: &str| ToolCall {
        kind: CallKind::Freeform,
        ..function(name, "*** Begin")
    };
    for (call, name, args) in [
        (
            function("t", r#" {"b":2,"a":1} "#),
            "t",
            json!({"a": 1, "b": 2}),
        ),
        (
            function("t", r#"{"a":"#),
            "t",
            json!({"arguments": "{\"a\":"}),
        ),
        (function("t", "[1]"), "t", json!({"arguments": "[1]"})),
        (
            function("t", r#"{"a":"\ud83d"}"#),
            "t",
            json!({"arguments": "{\"a\":\"\\ud83d\"}"}),
        ),
        (function("", ""), "unknown", json!({"arguments": ""})),
        (function("a b/é", "{}"), "a_b__", json!({})),
        (
            patch("apply_patch"),
            "apply_patch",
            json!({"patch": "*** Begin"}),
        ),
        (patch("other"), "other", json!({"input": "*** Begin"})),
    ] {
        let result = ToolResult::text(&call, true, "done");
        let history = [
            Message::user("go"),
            Message::Assistant(vec![
                Block::Thinking {
                    text: "hm".into(),
                    opaque: Some(foreign()),
                },
                Block::Text {
                    text: "ok".into(),
                    opaque: Some(foreign()),
                },
                Block::Other(foreign()),
                Block::Call(call),
            ]),
            Message::Results(vec![result]),
        ];
        check(
            BUDGET,
            &history,
            json!([
                {"role": "user", "parts": [{"text": "go"}]},
                {"role": "model", "parts": [{"text": "ok"},
                    {"functionCall": {"name": name, "args": args}}]},
                {"role": "user", "parts": [
                    {"functionResponse": {"name": name, "response": {"output": "done"}}}]},
            ]),
        );
    }
}

#[test]
fn what_does_not_fit_its_block_is_made_anew() {
    let rebuilt = json!({"role": "model",
        "parts": [{"functionCall": {"name": "t", "args": {"a": 1}}}]});
    for json in [
        "{",
        "",
        "7",
        r#"{"functionCall":{"name":"other","args":{}}}"#,
        r#"{"functionCall":{"name":"t","args":"{}"}}"#,
        r#"{"functionCall":{"name":"t"}},{"functionCall":{"name":"t"}}"#,
        r#"{"text":"a"}"#,
    ] {
        let call = call("c", Some(json));
        let body = encode(
            BUDGET,
            &request(&[answer_with(std::slice::from_ref(&call))]),
        );
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["contents"][0], rebuilt, "{json}");
    }
    let called = r#"{"functionCall":{"name":"t","args":{}}}"#;
    let hidden = Message::Assistant(vec![
        Block::Text {
            text: "a".into(),
            opaque: Some(opaque("p", called)),
        },
        Block::Other(opaque("p", called)),
    ]);
    check(
        BUDGET,
        &[hidden],
        json!([{"role": "model", "parts": [{"text": "a"}]}]),
    );
}

#[test]
fn every_call_has_one_response_and_every_response_a_call() {
    // Who said what, in one word each: calls, responses, texts.
    #[track_caller]
    fn check(history: &[Message], expected: &[&str]) {
        let body: Value = serde_json::from_str(&encode(BUDGET, &request(history))).unwrap();
        let contents = body["contents"].as_array().unwrap().iter();
        let parts = contents.flat_map(|content| content["parts"].as_array().unwrap());
        let said: Vec<&str> = parts
            .map(|part| {
                let response = &part["functionResponse"]["response"];
                let text = response["output"].as_str().or(response["error"].as_str());
                text.or(part["text"].as_str()).unwrap_or("call")
            })
            .collect();
        assert_eq!(said, expected);
    }
    let (one, two) = (call("1", None), call("2", None));
    let both = [one.clone(), two.clone()];
    let user = || Message::user("x");
    check(
        &[answer_with(&both)],
        &["call", "call", "aborted", "aborted"],
    );
    check(
        &[answer_with(&both), results(&[two]), user()],
        &["call", "call", "did 2", "aborted", "x"],
    );
    check(
        &[
            user(),
            results(&both),
            answer_with(&both),
            user(),
            results(&both),
        ],
        &["x", "call", "call", "aborted", "aborted", "x"],
    );
    check(
        &[
            answer_with(std::slice::from_ref(&one)),
            answer_with(&both),
            results(&both),
        ],
        &["call", "aborted", "call", "call", "did 1", "did 2"],
    );
}

#[test]
fn a_body_without_its_end_is_a_prefix_of_the_next() {
    let calls = [call("1", None), call("2", None)];
    let history = [
        Message::Context("rules \u{2028} \"é\" \u{1f600}".into()),
        Message::user("x"),
        answer_with(&calls),
        results(&calls),
        Message::user("steer"),
        Message::Assistant(vec![text("y")]),
        Message::user("z"),
    ];
    for thinks in [LEVEL, BUDGET] {
        let mut encoder = Encoder::new("p");
        let mut before: Option<Vec<u8>> = None;
        for length in [2, 4, 5, 7] {
            let asked = request(&history[..length]);
            let body = encoder.encode(thinks, &asked).unwrap();
            assert_eq!(encoder.messages(), length);
            assert_eq!(body, encode(thinks, &asked).as_bytes(), "resumed");
            if let Some(before) = before {
                assert!(body.starts_with(before.strip_suffix(b"]}]}").unwrap()));
            }
            before = Some(body);
        }
    }
}

#[test]
fn another_history_or_another_model_is_not_taken_for_the_old_one() {
    let mut encoder = Encoder::new("p");
    let calls = [call("1", None)];
    let called = vec![Message::user("a"), answer_with(&calls), results(&calls)];
    let histories = [
        vec![Message::user("a"), Message::user("b")],
        vec![Message::user("a"), Message::user("c")],
        vec![Message::user("ab")],
        vec![],
        called.clone(),
        called[..2].to_vec(),
        called,
    ];
    for history in &histories {
        for thinks in [LEVEL, BUDGET, Thinks::Unsaid] {
            let body = encoder.encode(thinks, &request(history)).unwrap();
            assert_eq!(body, encode(thinks, &request(history)).as_bytes());
        }
    }
}
