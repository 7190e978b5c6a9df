//! Tests of the members: headers, addresses, models, limits, refusals, a whole turn.

use super::*;
use crate::auth::claude::RESTRICTION;
use crate::chat::Message;
use crate::chat::delta::Delta;
use crate::http::sse::Parser;
use crate::provider::Effort;
use crate::provider::Thinking;
use crate::provider::anthropic::Anthropic;
use crate::provider::claude_code::ClaudeCode;
use serde_json::Value;
use serde_json::json;

fn options(base_url: &str) -> Options {
    Options {
        base_url: Url::parse(base_url).unwrap(),
        identity: Identity::own(),
        aliases: Aliases::default(),
    }
}

fn anthropic(base_url: &str) -> Anthropic {
    Anthropic::new(options(base_url))
}

fn claude_code(base_url: &str) -> ClaudeCode {
    ClaudeCode::new(options(base_url))
}

fn token() -> auth::Token {
    auth::Token {
        access: Secret::new("secret"),
        account_id: None,
        email: None,
        plan: None,
        expires_at: None,
        is_fedramp: false,
        source: "f".into(),
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

fn headers(fields: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in fields {
        headers.push(*name, *value);
    }
    headers
}

fn body(sent: &exchange::Request) -> Value {
    serde_json::from_slice(&sent.body).unwrap()
}

#[test]
fn a_request_says_who_asks_and_who_pays() {
    let agent = Identity::own().user_agent();
    assert!(agent.starts_with("sx/"));
    let sent = anthropic("https://h/").encode(&REQUEST, Some(&token()));
    let expected = [
        ("x-api-key", "secret"),
        ("anthropic-version", "2023-06-01"),
        ("user-agent", agent.as_str()),
        ("accept", "text/event-stream"),
        ("content-type", "application/json"),
    ];
    let sent = sent.unwrap();
    assert_eq!(sent.method, "POST");
    assert_eq!(sent.headers.iter().collect::<Vec<_>>(), expected);
    let sent = claude_code("https://h/").encode(&REQUEST, Some(&token()));
    let expected = [
        ("authorization", "Bearer secret"),
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "oauth-2025-04-20"),
        ("user-agent", agent.as_str()),
        ("accept", "text/event-stream"),
        ("content-type", "application/json"),
    ];
    let sent = sent.unwrap();
    assert_eq!(sent.headers.iter().collect::<Vec<_>>(), expected);
    assert_eq!(body(&sent)["model"], "claude-sonnet-5-5");
}

#[test]
fn an_address_may_end_with_the_version_or_not() {
    for (base_url, expected) in [
        ("https://api.anthropic.com", "https://api.anthropic.com"),
        ("https://api.anthropic.com/v1/", "https://api.anthropic.com"),
        ("http://127.0.0.1:4000/v1", "http://127.0.0.1:4000"),
        ("https://h/anthropic/", "https://h/anthropic"),
        ("https://h/anthropic/v1", "https://h/anthropic"),
    ] {
        let mut member = anthropic(base_url);
        let sent = member.encode(&REQUEST, Some(&token())).unwrap();
        assert_eq!(sent.url.to_string(), format!("{expected}/v1/messages"));
        let asked = member.models_request(Some(&token())).unwrap();
        let url = format!("{expected}/v1/models?limit=1000");
        assert_eq!((asked.method, asked.url.to_string()), ("GET", url));
        assert_eq!(asked.headers.first("x-api-key"), Some("secret"));
        assert_eq!(member.endpoint().host, sent.url.host);
    }
}

#[test]
fn a_credential_goes_over_plain_http_to_this_machine_only() {
    let remote = "http://gateway.example.org/";
    let with_key = anthropic(remote).encode(&REQUEST, Some(&token()));
    let with_login = claude_code(remote).encode(&REQUEST, Some(&token()));
    for error in [with_key.unwrap_err(), with_login.unwrap_err()] {
        assert!(matches!(error, Error::Settings { .. }), "{error}");
        assert!(
            error.to_string().contains("_BASE_URL is http://gateway"),
            "{error}"
        );
    }
    assert!(anthropic(remote).encode(&REQUEST, None).is_ok());
    let local = anthropic("http://localhost:1/").encode(&REQUEST, Some(&token()));
    assert!(local.is_ok());
}

#[test]
fn every_model_has_its_row() {
    let member = anthropic("https://h/");
    for (asked, model, window, output_max) in [
        ("", "claude-sonnet-5-5", 1_000_000, 128_000),
        ("opus", "claude-opus-5-5", 1_000_000, 128_000),
        ("haiku", "claude-haiku-5-5", 1_000_000, 128_000),
        (
            "claude-opus-4-1-20250805",
            "claude-opus-4-1-20250805",
            200_000,
            32_000,
        ),
        ("claude-opus-4-5", "claude-opus-4-5", 200_000, 64_000),
        (
            "claude-3-5-haiku-latest",
            "claude-3-5-haiku-latest",
            200_000,
            8_192,
        ),
        ("claude-next", "claude-next", 1_000_000, 128_000),
        (
            "anthropic/claude-sonnet-4.5",
            "anthropic/claude-sonnet-4.5",
            200_000,
            64_000,
        ),
        ("glm-5", "glm-5", 0, 16_384),
    ] {
        assert_eq!(member.model(asked), model);
        assert_eq!(member.window(asked), window, "{asked}");
        assert_eq!(row(model).output_max, output_max, "{asked}");
    }
    for (index, row) in ROWS.iter().enumerate() {
        let shadow = ROWS[..index].iter();
        let mut shadow = shadow.filter(|before| row.start.starts_with(before.start));
        assert!(shadow.next().is_none(), "{} is never reached", row.start);
    }
}

#[test]
fn each_model_is_told_to_think_in_its_own_way() {
    let thinking = |model: &str, word: &str| {
        let request = Request {
            model,
            thinking: Thinking {
                effort: Effort::parse(word),
                ..Thinking::default()
            },
            ..REQUEST
        };
        let sent = anthropic("https://h/").encode(&request, None).unwrap();
        let body = body(&sent);
        (body["thinking"].clone(), body["output_config"].clone())
    };
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    let high = json!({"effort": "high"});
    assert_eq!(thinking("opus", ""), (adaptive.clone(), Value::Null));
    assert_eq!(thinking("claude-opus-4-6", "xhigh"), (adaptive, high));
    let budget = json!({"type": "enabled", "budget_tokens": 32_000});
    assert_eq!(thinking("claude-haiku-4-5", "high"), (budget, Value::Null));
    let none = (Value::Null, Value::Null);
    assert_eq!(thinking("claude-haiku-4-5", "off"), none);
    assert_eq!(thinking("claude-opus-4-7", "off"), none);
    assert_eq!(thinking("claude-3-5-haiku-latest", "high"), none);
    assert_eq!(thinking("haiku", "off").0, json!({"type": "disabled"}));
    assert_eq!(
        thinking("sonnet", "off").0,
        json!({"type": "between_tools"})
    );
}

#[test]
fn only_the_vendors_own_host_hears_of_what_is_new_there() {
    let sent = |url: &str, model: &str| {
        let request = Request { model, ..REQUEST };
        let sent = claude_code(url).encode(&request, None).unwrap();
        let beta = sent.headers.first("anthropic-beta").unwrap().to_string();
        (beta, body(&sent)["thinking"]["block_binding"].clone())
    };
    let plain = ("oauth-2025-04-20".to_string(), Value::Null);
    let vendor = "https://api.anthropic.com/";
    assert_eq!(sent("https://gateway.example.org/", "opus"), plain);
    assert_eq!(sent(vendor, "claude-opus-4-6"), plain);
    let (beta, binding) = sent(vendor, "opus");
    assert_eq!(beta, format!("oauth-2025-04-20,{BINDING_BETA}"));
    assert_eq!(binding, json!({"prefix_mismatch_behavior": "drop_block"}));
}

#[test]
fn limits_are_those_that_were_heard_last() {
    let mut member = claude_code("https://h/");
    let mut hear = |fields: &[(&str, &str)]| {
        let head = ResponseHead {
            status: 200,
            reason: String::new(),
            minor: 1,
            headers: headers(fields),
        };
        member.heard(&head);
        member.limits().to_vec()
    };
    assert!(hear(&[]).is_empty());
    let expected = [
        Limit {
            window_s: 18_000,
            used_percent: 25.0,
            resets_at: 1_767_225_600,
        },
        Limit {
            window_s: 604_800,
            used_percent: 50.0,
            resets_at: 0,
        },
    ];
    let heard = hear(&[
        ("Anthropic-RateLimit-Unified-5h-Utilization", "0.25"),
        ("anthropic-ratelimit-unified-5h-reset", "1767225600"),
        ("anthropic-ratelimit-unified-7d-utilization", "0.5"),
    ]);
    assert_eq!(heard, expected);
    assert_eq!(
        hear(&[("anthropic-ratelimit-unified-5h-utilization", "NaN")]),
        expected
    );
    assert_eq!(
        hear(&[("anthropic-ratelimit-requests-limit", "50")]),
        expected
    );
}

#[test]
fn refusals_are_sorted_by_what_can_be_done() {
    #[track_caller]
    fn check(status: u16, kind: &str, message: &str, is_expected: fn(&Error) -> bool) {
        let body = json!({"type": "error", "error": {"type": kind, "message": message},
            "request_id": "req_1"});
        let body = body.to_string();
        let error = anthropic("https://h/").classify(status, &Headers::new(), body.as_bytes());
        assert!(is_expected(&error), "{error:?}");
        assert!(error.to_string().contains(message), "{error}");
    }
    let bad = "invalid_request_error";
    check(
        400,
        bad,
        "Your credit balance is too low to access the Anthropic API.",
        |error| matches!(error, Error::Quota { .. }),
    );
    check(
        400,
        bad,
        "prompt is too long: 208310 tokens > 200000 maximum",
        |error| matches!(error, Error::Overflow { .. }),
    );
    let both = "input length and `max_tokens` exceed context limit: 200000 + 64000 > 200000";
    check(400, bad, both, |error| {
        matches!(error, Error::Overflow { .. })
    });
    check(
        413,
        "request_too_large",
        "Request exceeds the maximum size",
        |error| matches!(error, Error::Overflow { .. }),
    );
    check(529, "overloaded_error", "Overloaded", |error| {
        matches!(error, Error::Retry { .. })
    });
    check(429, "rate_limit_error", "slow down", |error| {
        matches!(error, Error::Retry { .. })
    });
    check(500, "api_error", "Internal server error", |error| {
        matches!(error, Error::Retry { .. })
    });
    check(401, "authentication_error", "invalid x-api-key", |error| {
        matches!(error, Error::Auth { .. })
    });
    check(403, "permission_error", "not yours", |error| {
        matches!(error, Error::Forbidden { .. })
    });
    check(404, "not_found_error", "model: claude-x", |error| {
        matches!(error, Error::Refused { status: 404, .. })
    });
    check(400, bad, "max_tokens: too many", |error| {
        matches!(error, Error::Refused { status: 400, .. })
    });
}

#[test]
fn a_spent_subscription_says_when_it_is_there_again() {
    let spent = [
        ("anthropic-ratelimit-unified-status", "rejected"),
        ("anthropic-ratelimit-unified-reset", "1767225600"),
        ("retry-after", "9000"),
    ];
    let body = br#"{"type":"error","error":{"type":"rate_limit_error","message":"m"}}"#;
    let error = claude_code("https://h/").classify(429, &headers(&spent), body);
    let expected = Error::Quota {
        resets_at: Some(1_767_225_600),
        detail: "status 429: m".into(),
    };
    assert_eq!(error, expected);
}

#[test]
fn a_refused_login_is_told_in_the_services_words_and_what_to_do_instead() {
    let words = "This credential is only authorized for use with Claude Code";
    let body = json!({"error": {"type": "invalid_request_error", "message": words}}).to_string();
    let refuse = |status, body: &str| {
        claude_code("https://h/").classify(status, &Headers::new(), body.as_bytes())
    };
    let expected = Error::Forbidden {
        detail: format!("status 400: {words}; {RESTRICTION}"),
    };
    assert_eq!(refuse(400, &body), expected);
    let expected = Error::Forbidden {
        detail: format!("status 403: no; {RESTRICTION}"),
    };
    assert_eq!(refuse(403, "no"), expected);
    let key = anthropic("https://h/").classify(400, &Headers::new(), body.as_bytes());
    assert!(!key.to_string().contains(RESTRICTION));
}

#[test]
fn the_list_of_models_is_read() {
    let list = br#"{"data":[{"type":"model","id":"claude-opus-5-5","display_name":"x",
        "max_input_tokens":1000000,"max_tokens":128000}],"has_more":false}"#;
    let expected = Model {
        id: "claude-opus-5-5".into(),
        window: Some(1_000_000),
        output_max: Some(128_000),
    };
    assert_eq!(anthropic("https://h/").models(list), Ok(vec![expected]));
}

#[test]
fn what_the_decoder_kept_is_what_the_encoder_sends() {
    let stream = include_str!("../../../tests/data/provider/anthropic/whole.sse");
    let mut member = anthropic("https://h/");
    let mut decoder = member.decoder();
    let (mut parser, mut rest) = (Parser::new(), stream.as_bytes());
    let mut deltas = Vec::new();
    while let Some(event) = parser.feed(&mut rest).unwrap() {
        decoder.feed(&event, &mut deltas).unwrap();
    }
    let blocks = deltas.into_iter().filter_map(|delta| match delta {
        Delta::Block(block) => Some(block),
        _ => None,
    });
    let history = [Message::user("go"), Message::Assistant(blocks.collect())];
    let request = Request {
        history: &history,
        ..REQUEST
    };
    let sent = body(&member.encode(&request, None).unwrap());
    let content = sent["messages"][1]["content"].as_array().unwrap();
    let kinds = content.iter().map(|block| block["type"].as_str().unwrap());
    let expected = [
        "thinking",
        "redacted_thinking",
        "server_tool_use",
        "web_search_tool_result",
        "text",
        "tool_use",
        "tool_use",
    ];
    assert_eq!(kinds.collect::<Vec<_>>(), expected);
    assert_eq!(content[0]["thinking"], "Look at \"it\"\n");
    assert_eq!(content[2]["input"], json!({"query": "weather"}));
    assert_eq!(content[5]["input"], json!({"path": "é\n"}));
}

#[test]
fn an_answer_takes_the_room_that_is_left() {
    let refusal = |input: u64| {
        let words = format!(
            "input length and `max_tokens` exceed context limit: {input} + 64000 > 200000, \
             decrease input length or `max_tokens` and try again"
        );
        json!({"type": "error", "error": {"type": "invalid_request_error", "message": words}})
    };
    for (input, expected) in [
        // Budget and answer share the room.
        (150_000, Some((50_000, Some(10_000)))),
        (190_000, Some((10_000, Some(5_000)))),
        (197_952, Some((2_048, Some(1_024)))),
        // No budget is so small.
        (198_000, Some((2_000, None))),
        (198_976, Some((1_024, None))),
        (198_977, None),
        (200_000, None),
    ] {
        let mut member = anthropic("https://h/");
        let history = [Message::user("x")];
        let asked = Request {
            model: "claude-sonnet-4-5",
            history: &history,
            ..REQUEST
        };
        member.encode(&asked, None).unwrap();
        let body = refusal(input).to_string();
        let error = member.classify(400, &Headers::new(), body.as_bytes());
        let (change, otherwise) = match error {
            Error::Unfit {
                complaint,
                otherwise,
            } => (member.adapt(asked.model, &complaint), *otherwise),
            error => (None, error),
        };
        let window = Some(200_000);
        assert!(matches!(otherwise, Error::Overflow { window: told, .. } if told == window));
        assert_eq!(change.is_some(), expected.is_some(), "{input}");
        let sent = member.encode(&asked, None).unwrap();
        let body: Value = serde_json::from_slice(&sent.body).unwrap();
        let (max_tokens, budget) = expected.unwrap_or((64_000, Some(10_000)));
        assert_eq!(body["max_tokens"], max_tokens, "{input}");
        let found = body["thinking"]["budget_tokens"].as_u64();
        assert_eq!(found, budget, "{input}");
    }
}

#[test]
fn a_model_behind_a_gateway_that_takes_no_thinking_is_asked_without() {
    let mut member = anthropic("https://h/");
    let asked = Request {
        model: "model-of-others",
        ..REQUEST
    };
    let sent = member.encode(&asked, None).unwrap();
    assert_eq!(body(&sent)["thinking"]["type"], "enabled");
    // LiteLLM turns the budget into an effort.
    let words = "litellm.UnsupportedParamsError: m doesn't support `reasoning.effort` (its model \
        cost map entry lacks `supports_reasoning`).";
    let refusal = json!({"type": "error", "error": {"type": "invalid_request_error",
        "message": words}});
    let refusal = refusal.to_string();
    let error = member.classify(400, &Headers::new(), refusal.as_bytes());
    let Error::Unfit { complaint, .. } = error else {
        panic!("{error:?}");
    };
    assert!(member.adapt(asked.model, &complaint).is_some());
    let sent = member.encode(&asked, None).unwrap();
    assert_eq!(body(&sent)["thinking"], Value::Null);
    assert_eq!(member.adapt(asked.model, &complaint), None);
}

#[test]
fn an_answer_has_no_more_tokens_than_the_service_allows() {
    let mut member = anthropic("https://h/");
    let asked = Request {
        model: "claude-of-tomorrow",
        ..REQUEST
    };
    let words = "max_tokens: 128000 > 32000, which is the maximum allowed number of output tokens \
        for claude-of-tomorrow";
    let body = json!({"type": "error", "error": {"type": "invalid_request_error",
        "message": words}});
    let body = body.to_string();
    let error = member.classify(400, &Headers::new(), body.as_bytes());
    let Error::Unfit { complaint, .. } = error else {
        panic!("{error:?}");
    };
    assert!(member.adapt(asked.model, &complaint).is_some());
    let sent = member.encode(&asked, None).unwrap();
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body["max_tokens"], 32_000);
    assert_eq!(member.adapt(asked.model, &complaint), None);
}
