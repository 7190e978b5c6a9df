//! Tests of the member: wires, keys, models and windows, and what it asks before it begins.

use super::*;
use crate::base::secret::Secret;
use crate::chat::Block;
use crate::chat::CallKind;
use crate::chat::Message;
use crate::chat::Opaque;
use crate::chat::ToolCall;
use crate::provider::Thinking;
use serde_json::Value;
use serde_json::json;

fn openai_at(base_url: &str) -> OpenAi {
    let base_url = Url::parse(base_url).unwrap();
    OpenAi::new(Options {
        wire: Wire::of_setting("auto", &base_url).unwrap(),
        base_url,
        identity: Identity::own(),
        aliases: Aliases::parse("fast=tiny").unwrap(),
    })
}

fn key(text: &str) -> auth::Token {
    auth::Token {
        access: Secret::new(text),
        account_id: None,
        email: None,
        plan: None,
        expires_at: None,
        is_fedramp: false,
        source: "OPENAI_API_KEY".into(),
    }
}

fn request<'a>(model: &'a str, history: &'a [Message]) -> Request<'a> {
    Request {
        model,
        system: "s",
        tools: &[],
        history,
        session: "id",
        thinking: Thinking::default(),
        output_max: None,
        schema: None,
        search: false,
    }
}

#[test]
fn the_wire_follows_the_address_unless_a_setting_says_otherwise() {
    for (word, base, expected) in [
        ("auto", "https://api.openai.com/v1", Some(Wire::Responses)),
        ("", "http://127.0.0.1:8080", Some(Wire::Completions)),
        ("responses", "http://127.0.0.1:8080", Some(Wire::Responses)),
        (
            "completions",
            "https://api.openai.com",
            Some(Wire::Completions),
        ),
        ("soap", "https://api.openai.com", None),
    ] {
        let base = Url::parse(base).unwrap();
        assert_eq!(Wire::of_setting(word, &base), expected, "{word} {base}");
    }
}

#[test]
fn both_wires_are_spoken() {
    let mut openai = openai_at("https://api.openai.com/v1/");
    let sent = openai
        .encode(&request("", &[]), Some(&key("sk-1")))
        .unwrap();
    assert_eq!(sent.url.to_string(), "https://api.openai.com/v1/responses");
    let agent = openai.options.identity.user_agent();
    let expected = [
        ("authorization", "Bearer sk-1"),
        ("user-agent", agent.as_str()),
        ("accept", "text/event-stream"),
        ("content-type", "application/json"),
    ];
    assert_eq!(sent.headers.iter().collect::<Vec<_>>(), expected);
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(
        (&body["model"], &body["instructions"]),
        (&json!("gpt-5.2"), &json!("s"))
    );
    openai.speak(Wire::Completions);
    let sent = openai
        .encode(&request("haiku", &[]), Some(&key("sk-1")))
        .unwrap();
    assert_eq!(sent.url.target, "/v1/chat/completions");
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(
        (&body["model"], &body["messages"][0]["role"]),
        (&json!("gpt-5-mini"), &json!("system"))
    );
}

#[test]
fn a_key_goes_over_plain_http_to_this_machine_only() {
    for (base, token, is_fine) in [
        ("http://10.0.0.1:8000", None, true),
        ("http://10.0.0.1:8000", Some(key("k")), false),
        ("http://localhost:8000", Some(key("k")), true),
        ("https://example.org", Some(key("k")), true),
    ] {
        let sent = openai_at(base).encode(&request("m", &[]), token.as_ref());
        assert_eq!(sent.is_ok(), is_fine, "{base}");
        let asked = openai_at(base).question("m", token.as_ref());
        assert_eq!(asked.is_ok(), is_fine, "{base}");
    }
}

#[test]
fn azure_gets_its_key_in_a_field_of_its_own() {
    let base = "https://x.openai.azure.com/openai/deployments/d?api-version=1";
    for (token, field) in [("0123abcd", "api-key"), ("eyJhbGciOi", "authorization")] {
        let sent = openai_at(base).encode(&request("d", &[]), Some(&key(token)));
        let sent = sent.unwrap();
        assert_eq!(
            sent.url.target,
            "/openai/deployments/d/chat/completions?api-version=1"
        );
        assert!(sent.headers.first(field).is_some(), "{field}");
    }
}

#[test]
fn the_names_of_an_unknown_server_come_from_its_list() {
    let mut openai = openai_at("http://127.0.0.1:4000");
    assert!(matches!(
        openai.encode(&request("", &[]), None),
        Err(Error::Settings { .. })
    ));
    let list = openai.question("", None).unwrap().unwrap();
    assert_eq!(
        (list.method, list.url.target.as_str()),
        ("GET", "/v1/models")
    );
    let body = br#"{"data":[{"id":"text-embedding-3"},{"id":"qwen3","max_model_len":32768},
        {"id":"claude-sonnet-4-5"}]}"#;
    openai.answered("", 200, body);
    assert_eq!(
        openai
            .question("", None)
            .unwrap()
            .map(|request| request.url.target),
        None
    );
    for (asked, expected) in [
        ("", "qwen3"),
        ("opus", "qwen3"),
        ("sonnet", "claude-sonnet-4-5"),
        ("fast", "tiny"),
        ("other", "other"),
    ] {
        assert_eq!(openai.model(asked), expected, "{asked}");
    }
    assert_eq!(openai.window(""), 32_768);
    openai.learn_window("", 4_096);
    assert_eq!((openai.window("qwen3"), openai.window("other")), (4_096, 0));
}

#[test]
fn a_list_that_does_not_come_is_passed_over() {
    let mut openai = openai_at("http://127.0.0.1:4000");
    for (status, body) in [(404, "{}"), (0, "")] {
        openai.questions.push_front(Question::Models);
        assert!(openai.question("m", None).unwrap().is_some());
        openai.answered("m", status, body.as_bytes());
        assert_eq!((openai.model("m"), openai.window("m")), ("m", 0));
    }
    assert!(
        openai_at("https://api.openai.com")
            .question("", None)
            .unwrap()
            .is_none()
    );
}

#[test]
fn local_servers_are_asked_how_much_fits() {
    let mut openai = openai_at("http://127.0.0.1:8080/v1");
    let ask = |openai: &mut OpenAi| openai.question("", None).unwrap().map(|r| r.url.target);
    let list = r#"{"data":[{"id":"m.gguf","owned_by":"llamacpp","meta":{"n_ctx_train":131072}}]}"#;
    ask(&mut openai);
    openai.answered("", 200, list.as_bytes());
    assert_eq!(openai.window(""), 131_072);
    assert_eq!(ask(&mut openai).as_deref(), Some("/props"));
    openai.answered(
        "",
        200,
        br#"{"default_generation_settings":{"n_ctx":4096}}"#,
    );
    assert_eq!((openai.window(""), ask(&mut openai)), (4_096, None));

    let mut openai = openai_at("http://127.0.0.1:11434");
    ask(&mut openai);
    openai.answered(
        "",
        200,
        br#"{"data":[{"id":"qwen3:8b","owned_by":"library"}]}"#,
    );
    let show = openai.question("", None).unwrap().unwrap();
    assert_eq!(show.body, br#"{"model":"qwen3:8b"}"#);
    openai.answered("", 200, br#"{"model_info":{"qwen3.context_length":40960}}"#);
    assert_eq!(openai.window(""), 40_960);
    assert_eq!(ask(&mut openai).as_deref(), Some("/api/ps"));
    let running = br#"{"models":[{"name":"qwen3:8b","context_length":8192}]}"#;
    openai.answered("", 200, running);
    assert_eq!(openai.window("qwen3:8b"), 8_192);
}

#[test]
fn known_models_have_a_window() {
    let openai = openai_at("https://api.openai.com");
    for (model, expected) in [("", 272_000), ("openai/gpt-4.1-mini", 1_047_576), ("x", 0)] {
        assert_eq!(openai.window(model), expected, "{model}");
    }
}

#[test]
fn another_vendors_history_can_be_gone_on_with() {
    let opaque = |json: &str| {
        Some(Opaque {
            provider: "codex".into(),
            json: json.into(),
        })
    };
    let call = ToolCall {
        id: "call_1".into(),
        name: "apply_patch".into(),
        arguments: "*** x".into(),
        kind: CallKind::Freeform,
        opaque: opaque(r#"{"type":"custom_tool_call","secret":1}"#),
    };
    let history = [
        Message::user("do"),
        Message::Assistant(vec![
            Block::Thinking {
                text: "secret".into(),
                opaque: opaque(r#"{"type":"reasoning","encrypted_content":"secret"}"#),
            },
            Block::Call(call),
        ]),
    ];
    for wire in [Wire::Responses, Wire::Completions] {
        let mut openai = openai_at("http://127.0.0.1:8080");
        openai.speak(wire);
        let sent = openai.encode(&request("m", &history), None).unwrap();
        let body = String::from_utf8(sent.body).unwrap();
        assert!(!body.contains("secret"), "{body}");
        assert!(
            body.contains("call_1") && body.contains("aborted"),
            "{body}"
        );
        assert!(body.contains(r#""{\"input\":\"*** x\"}""#), "{body}");
    }
}

/// What a request is after a refusal of the one before, as the loop has it.
fn resent(openai: &mut OpenAi, request: &Request<'_>, body: &str) -> Option<Value> {
    openai.encode(request, None).unwrap();
    let Error::Unfit { complaint, .. } = openai.classify(400, &Headers::new(), body.as_bytes())
    else {
        return None;
    };
    openai.adapt(request.model, &complaint)?;
    let sent = openai.encode(request, None).unwrap();
    serde_json::from_slice(&sent.body).ok()
}

#[test]
fn a_refusal_is_learned_once_and_for_its_model() {
    let refusal = r#"{"error":{"message":"property 'stream_options' is unsupported"}}"#;
    let history = [Message::user("x")];
    let mut openai = openai_at("http://127.0.0.1:1");
    let asked = request("m", &history);
    let body = resent(&mut openai, &asked, refusal).unwrap();
    assert_eq!(body.get("stream_options"), None);
    assert_eq!(resent(&mut openai, &asked, refusal), None);
    let other = openai.encode(&request("n", &history), None).unwrap();
    let other: Value = serde_json::from_slice(&other.body).unwrap();
    assert_eq!(other["stream_options"], json!({"include_usage": true}));
}

#[test]
fn a_complaint_about_another_wire_changes_nothing() {
    let history = [Message::user("x")];
    for (word, refusal) in [
        ("responses", "property 'stream_options' is unsupported"),
        ("completions", "Unsupported parameter: max_output_tokens"),
    ] {
        let mut openai = openai_at("http://127.0.0.1:1");
        openai.speak(Wire::of_setting(word, &openai.options.base_url).unwrap());
        let refusal = json!({"error": {"message": refusal}}).to_string();
        assert_eq!(resent(&mut openai, &request("m", &history), &refusal), None);
    }
}
