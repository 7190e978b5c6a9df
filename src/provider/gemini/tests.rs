//! Tests of the member: address, key, models, and that what came goes back.

use super::*;
use crate::base::secret::Secret;
use crate::chat::Message;
use crate::chat::ToolResult;
use crate::chat::delta::Delta;
use crate::http::sse::Parser;
use crate::provider::Thinking;
use serde_json::json;

fn gemini(base_url: &str) -> Gemini {
    Gemini::new(Options {
        base_url: Url::parse(base_url).unwrap(),
        identity: Identity::own(),
        aliases: Aliases::default(),
    })
}

fn token() -> auth::Token {
    auth::Token {
        access: Secret::new("key"),
        account_id: None,
        email: None,
        plan: None,
        expires_at: None,
        is_fedramp: false,
        source: "GEMINI_API_KEY".into(),
    }
}

const REQUEST: Request<'_> = Request {
    model: "sonnet",
    system: "s",
    tools: &[],
    history: &[],
    session: "id",
    thinking: Thinking {
        is_off: false,
        effort: None,
        budget: None,
    },
    output_max: None,
    schema: None,
    search: false,
};

const HOST: &str = "https://generativelanguage.googleapis.com";

#[test]
fn a_request_carries_the_key_in_a_field_of_its_own() {
    let mut gemini = gemini(HOST);
    let sent = gemini.encode(&REQUEST, Some(&token())).unwrap();
    assert_eq!(sent.method, "POST");
    let path = "/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse";
    assert_eq!(sent.url.to_string(), format!("{HOST}{path}"));
    let agent = gemini.options.identity.user_agent();
    let expected = [
        ("x-goog-api-key", "key"),
        ("user-agent", agent.as_str()),
        ("accept", "text/event-stream"),
        ("content-type", "application/json"),
    ];
    assert_eq!(sent.headers.iter().collect::<Vec<_>>(), expected);
    let listed = gemini.models_request(Some(&token())).unwrap();
    let path = "/v1beta/models?pageSize=1000";
    assert_eq!(listed.url.to_string(), format!("{HOST}{path}"));
    assert_eq!(listed.headers.first("x-goog-api-key"), Some("key"));
}

#[test]
fn addresses_and_names_are_taken_as_people_write_them() {
    #[track_caller]
    fn check(base_url: &str, model: &str, target: &str) {
        let request = Request { model, ..REQUEST };
        let sent = gemini(base_url).encode(&request, None).unwrap();
        assert_eq!(sent.url.target, target);
    }
    let of = |path: &str| format!("{path}:streamGenerateContent?alt=sse");
    check("http://h", "x", &of("/v1beta/models/x"));
    check("http://h/gemini/", "x", &of("/gemini/v1beta/models/x"));
    check("http://h/v1beta/", "x", &of("/v1beta/models/x"));
    check("http://h/v1", "models/x", &of("/v1/models/x"));
    check("http://h", "tunedModels/x", &of("/v1beta/tunedModels/x"));
    check(
        "http://h",
        "a b?c#é",
        &of("/v1beta/models/a%20b%3Fc%23%C3%A9"),
    );
}

#[test]
fn a_key_goes_over_plain_http_to_this_machine_only() {
    assert!(
        gemini("http://127.0.0.1:1")
            .encode(&REQUEST, Some(&token()))
            .is_ok()
    );
    let mut remote = gemini("http://gateway.example.org");
    let error = remote.encode(&REQUEST, Some(&token())).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("GEMINI_BASE_URL is http://gateway")
    );
    assert!(remote.models_request(Some(&token())).is_err());
    assert!(remote.encode(&REQUEST, None).is_ok());
}

#[test]
fn aliases_stand_for_models_that_think_as_the_table_says() {
    let gemini = gemini(HOST);
    for alias in ["", "opus", "sonnet", "haiku"] {
        let model = gemini.model(alias);
        assert!(matches!(thinks(model), Thinks::Level(_)), "{model}");
        assert_eq!(gemini.window(alias), 1_048_576);
    }
    for (model, expected) in [
        ("gemini-3.8-flash", FROM_LOW),
        ("models/gemini-3.1-pro-preview", FROM_LOW),
        ("gemini-3.5-flash-lite", FROM_MINIMAL),
        ("gemini-4-pro", FROM_LOW),
        ("gemini-2.5-flash-lite", budget(512, 24_576, true)),
        ("gemini-2.5-pro", budget(128, 32_768, false)),
        ("gemini-2.0-flash", Thinks::Unsaid),
        ("gemma-3-27b-it", Thinks::Unsaid),
    ] {
        assert_eq!(thinks(model), expected, "{model}");
    }
    assert_eq!(gemini.window("gemma-3-27b-it"), 0);
    assert_eq!(gemini.model("other"), "other");
}

#[test]
fn models_are_those_that_can_answer() {
    let list = json!({"models": [
        {"name": "models/gemini-3.8-flash", "inputTokenLimit": 1048576, "outputTokenLimit": 65536,
            "supportedGenerationMethods": ["generateContent", "countTokens"]},
        {"name": "models/embedding", "supportedGenerationMethods": ["embedContent"]},
        {"name": "models/plain"}], "nextPageToken": ""});
    let models = gemini(HOST).models(list.to_string().as_bytes()).unwrap();
    let found: Vec<_> = models
        .iter()
        .map(|model| (&*model.id, model.window))
        .collect();
    assert_eq!(
        found,
        [("gemini-3.8-flash", Some(1_048_576)), ("plain", None)]
    );
    assert!(gemini(HOST).models(b"<html>").is_err());
}

/// Decodes a stream; its blocks.
fn answer(gemini: &Gemini, stream: &str) -> Message {
    let (mut parser, mut stream) = (Parser::new(), stream.as_bytes());
    let mut decoder = gemini.decoder();
    let mut deltas = Vec::new();
    while let Some(event) = parser.feed(&mut stream).unwrap() {
        decoder.feed(&event, &mut deltas).unwrap();
    }
    decoder.finish(&mut deltas).unwrap();
    let blocks = deltas.into_iter().filter_map(|delta| match delta {
        Delta::Block(block) => Some(block),
        _ => None,
    });
    Message::Assistant(blocks.collect())
}

#[test]
fn what_the_decoder_kept_is_what_the_encoder_sends() {
    let mut gemini = gemini(HOST);
    let calls = include_str!("../../../tests/data/provider/gemini/calls.sse");
    let words = include_str!("../../../tests/data/provider/gemini/words.sse");
    let called = answer(&gemini, calls);
    let results = called
        .calls()
        .map(|call| ToolResult::text(call, true, "ok"));
    let results = Message::Results(results.collect());
    let history = [
        Message::user("go"),
        called,
        results,
        answer(&gemini, words),
        Message::user("thanks"),
    ];
    let request = Request {
        history: &history,
        ..REQUEST
    };
    let body = gemini.encode(&request, None).unwrap().body;
    let body = String::from_utf8(body).unwrap();
    let of = |stream: &'static str, words: &str| -> Vec<&'static str> {
        let lines = stream.lines().filter(|line| line.contains(words));
        let lists = lines.map(|line| {
            let start = line.find(r#""parts": ["#).unwrap() + r#""parts": ["#.len();
            let end = line.find(r#"],"role""#).unwrap();
            &line[start..end]
        });
        lists.collect()
    };
    let called = of(calls, "functionCall").join(",");
    let signed = of(words, "thoughtSignature").join(",");
    assert!(
        body.contains(&format!(r#"[{{"text":"I read it 😀"}},{called}]"#)),
        "{body}"
    );
    assert!(
        body.contains(&format!(r#"[{{"text":"The answer is\n"}},{signed}]"#)),
        "{body}"
    );
    let ids = [
        r#""id":"k3x9","name":"read""#,
        r#""id":"p0z1","name":"bash""#,
    ];
    assert!(ids.iter().all(|id| body.contains(id)), "{body}");
}

#[test]
fn an_answer_of_this_service_can_go_on_elsewhere() {
    let gemini = gemini(HOST);
    let calls = include_str!("../../../tests/data/provider/gemini/bare_calls.sse");
    let called = answer(&gemini, calls);
    let ids: Vec<&str> = called.calls().map(|call| &*call.id).collect();
    assert_eq!(ids, ["call_R-1_0", "call_R-1_1", "call_R-1_2"]);
    let results = called
        .calls()
        .map(|call| ToolResult::text(call, true, "ok"));
    let results = Message::Results(results.collect());
    let history = [called, results];
    let request = Request {
        history: &history,
        ..REQUEST
    };
    let mut encoder = crate::provider::wire::responses::encode::Encoder::new("codex");
    let body = String::from_utf8(encoder.encode("m", &request).unwrap()).unwrap();
    assert!(!body.contains("thoughtSignature") && !body.contains("functionCall"));
    assert_eq!(body.matches(r#""call_id":"call_R-1_"#).count(), 6);
}
