//! Bodies for a server that has refused something.

use super::*;
use crate::provider::complaint::Complaint;
use crate::provider::lessons::Memory;
use crate::provider::wire::completions::dialect::PARAMETERS;

/// `dialect` after a server complained of a request.
fn after(dialect: Dialect, complaint: &Complaint) -> Dialect {
    let mut memory = Memory::default();
    memory.recall("m", 1);
    assert!(memory.learn("m", PARAMETERS, complaint).is_some());
    dialect.after(memory.recall("m", 1))
}

#[test]
fn a_parameter_that_was_refused_is_left_out() {
    let history = [Message::user("x")];
    let asked = Request {
        output_max: Some(9_000),
        schema: Some(r#"{"type":"object"}"#),
        thinking: Thinking {
            effort: Some(Effort::High),
            ..Thinking::default()
        },
        ..request(&history)
    };
    for (parameter, field) in [
        (Parameter::StreamOptions, "stream_options"),
        (Parameter::Effort, "reasoning_effort"),
        (Parameter::ParallelToolCalls, "parallel_tool_calls"),
        (Parameter::ToolChoice, "tool_choice"),
        (Parameter::MaxTokens, "max_tokens"),
        (Parameter::ResponseFormat, "response_format"),
    ] {
        let mut expected = body_of(&asked, &Dialect::PLAIN);
        let fields = expected.as_object_mut().unwrap();
        assert!(fields.remove(field).is_some(), "{field}");
        if parameter == Parameter::MaxTokens {
            fields.insert("max_completion_tokens".into(), json!(9_000));
        }
        let dialect = after(Dialect::PLAIN, &Complaint::Refused(parameter));
        let mut body = body_of(&asked, &dialect);
        if parameter == Parameter::ResponseFormat {
            // It is asked for in words then.
            let prompt = body["messages"][0]["content"].take();
            assert!(prompt.as_str().unwrap().ends_with(r#"{"type":"object"}"#));
            expected["messages"][0]["content"].take();
        }
        assert_eq!(body, expected, "{field}");
    }
    let newer = Dialect {
        output_field: OutputField::MaxCompletionTokens,
        ..Dialect::PLAIN
    };
    let refused = Complaint::Refused(Parameter::MaxCompletionTokens);
    let body = body_of(&asked, &after(newer, &refused));
    assert_eq!(body["max_tokens"], 9_000);
    let effort = Complaint::Effort(vec![Effort::Low, Effort::Medium]);
    let body = body_of(&asked, &after(Dialect::PLAIN, &effort));
    assert_eq!(body["reasoning_effort"], "medium");
    let body = body_of(&asked, &after(Dialect::PLAIN, &Complaint::Room(2_000)));
    assert_eq!(body["max_tokens"], 2_000);
}

#[test]
fn a_schema_that_is_not_held_to_is_no_strict_one() {
    let tools = [ToolSpec {
        input: Input::Schema(
            r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],
                "additionalProperties":false}"#,
        ),
        ..TOOLS[0]
    }];
    let asked = Request {
        tools: &tools,
        ..request(&[])
    };
    let strict = Dialect {
        has_strict: true,
        ..Dialect::PLAIN
    };
    let refused = Complaint::Refused(Parameter::Strict);
    for (dialect, expected) in [
        (strict, json!(true)),
        (after(strict, &refused), Value::Null),
    ] {
        let body = body_of(&asked, &dialect);
        assert_eq!(body["tools"][0]["function"]["strict"], expected);
    }
}

#[test]
fn thoughts_go_back_where_they_are_demanded_and_not_where_they_are_refused() {
    let asked = [call("a", "{}")];
    let Message::Assistant(mut blocks) = calls(&asked) else {
        panic!("no answer");
    };
    blocks.insert(
        0,
        Block::Thinking {
            text: "hm".into(),
            opaque: Some(Opaque {
                provider: "p".into(),
                json: REASONING_CONTENT.into(),
            }),
        },
    );
    let history = [Message::user("x"), Message::Assistant(blocks)];
    let refused = Complaint::Refused(Parameter::ReasoningContent);
    for (dialect, expected) in [
        (Dialect::PLAIN, Value::Null),
        (
            after(Dialect::PLAIN, &Complaint::ThoughtsMissing),
            json!("hm"),
        ),
        (ECHOING, json!("hm")),
        (after(ECHOING, &refused), Value::Null),
    ] {
        // What was encoded before the refusal is made anew.
        let mut encoder = Encoder::new("p");
        encoder
            .encode("m", &request(&history), &Dialect::PLAIN)
            .unwrap();
        let body = encoder.encode("m", &request(&history), &dialect).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["messages"][2]["reasoning_content"], expected);
    }
}

#[test]
fn details_of_thoughts_go_back_to_their_host_in_order() {
    let kept = |host: &str, part: &str| {
        let json = format!(r#"{{"host":"{host}","reasoning_details":[{part}]}}"#);
        Block::Other(Opaque {
            provider: "p".into(),
            json,
        })
    };
    let parts = r#"{"type" : "reasoning.text","text":"\u00e9"},{"data":"x"}"#;
    let history = [
        Message::user("x"),
        Message::Assistant(vec![
            text("a"),
            kept("h", parts),
            kept("elsewhere", "{}"),
            kept("h", r#"{"n":1e2}"#),
        ]),
    ];
    let sent = |host: &str, dialect: &Dialect| {
        let body = Encoder::new("p")
            .at(host)
            .encode("m", &request(&history), dialect);
        String::from_utf8(body.unwrap()).unwrap()
    };
    let field = format!(r#""reasoning_details":[{parts},{{"n":1e2}}]"#);
    let body = sent("h", &Dialect::PLAIN);
    assert!(body.contains(&field), "{body}");
    let refused = Complaint::Refused(Parameter::ReasoningDetails);
    for (host, dialect) in [
        ("another", Dialect::PLAIN),
        ("h", after(Dialect::PLAIN, &refused)),
    ] {
        let body = sent(host, &dialect);
        assert!(!body.contains("reasoning_details"), "{body}");
    }
}
