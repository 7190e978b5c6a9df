//! Tests of the member: headers, models, turn state, limits, a login in the clear.

use super::*;
use crate::base::secret::Secret;
use crate::chat::Message;
use crate::provider::Thinking;

fn codex(base_url: &str) -> Codex {
    Codex::new(Options {
        base_url: Url::parse(base_url).unwrap(),
        identity: Identity::own(),
        aliases: Aliases::default(),
        lite: Lite::Auto,
    })
}

fn token() -> auth::Token {
    auth::Token {
        access: Secret::new("bearer"),
        account_id: Some("acc".into()),
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

fn head(fields: &[(&str, &str)]) -> ResponseHead {
    let mut headers = Headers::new();
    for (name, value) in fields {
        headers.push(*name, *value);
    }
    ResponseHead {
        status: 200,
        reason: String::new(),
        minor: 1,
        headers,
    }
}

#[test]
fn a_request_says_who_asks_and_who_pays() {
    let mut codex = codex("https://example.org/backend-api/codex/");
    let sent = codex.encode(&REQUEST, Some(&token())).unwrap();
    assert_eq!(sent.method, "POST");
    assert_eq!(
        sent.url.to_string(),
        "https://example.org/backend-api/codex/responses"
    );
    let agent = codex.options.identity.user_agent();
    let expected = [
        ("authorization", "Bearer bearer"),
        ("chatgpt-account-id", "acc"),
        ("originator", "sx"),
        ("user-agent", agent.as_str()),
        ("accept", "text/event-stream"),
        ("content-type", "application/json"),
        ("session-id", "id"),
        ("thread-id", "id"),
        ("session_id", "id"),
    ];
    assert_eq!(sent.headers.iter().collect::<Vec<_>>(), expected);
    let body = String::from_utf8(sent.body).unwrap();
    assert!(
        body.starts_with(r#"{"model":"gpt-5.3-codex","instructions":"s","#),
        "{body}"
    );
}

#[test]
fn a_login_goes_over_plain_http_to_this_machine_only() {
    for local in [
        "http://127.0.0.1:1/",
        "http://localhost/x",
        "http://[::1]:8080/",
    ] {
        assert!(
            codex(local).encode(&REQUEST, Some(&token())).is_ok(),
            "{local}"
        );
    }
    let mut remote = codex("http://gateway.example.org/codex");
    let error = remote.encode(&REQUEST, Some(&token())).unwrap_err();
    assert!(matches!(error, Error::Settings { .. }), "{error}");
    assert!(!error.to_string().contains("bearer"));
    assert!(
        remote.encode(&REQUEST, None).is_ok(),
        "without a login there is nothing to lose"
    );
}

#[test]
fn a_government_account_is_named_as_one() {
    let token = auth::Token {
        is_fedramp: true,
        account_id: None,
        ..token()
    };
    let sent = codex("https://h/").encode(&REQUEST, Some(&token)).unwrap();
    assert_eq!(sent.headers.first("x-openai-fedramp"), Some("true"));
    assert_eq!(sent.headers.first("chatgpt-account-id"), None);
}

#[test]
fn aliases_are_resolved_and_other_names_passed_through() {
    let codex = codex("https://h/");
    for (asked, model) in [
        ("", "gpt-5.3-codex"),
        ("opus", "gpt-5.3-codex"),
        ("sonnet", "gpt-5.3-codex"),
        ("haiku", "gpt-5.1-codex-mini"),
        ("gpt-5.2", "gpt-5.2"),
        ("Opus", "Opus"),
    ] {
        assert_eq!(codex.model(asked), model);
    }
    for (model, window) in [
        ("sonnet", 272_000),
        ("gpt-5.3-codex-spark", 128_000),
        ("gpt-5.1-codex-max", 272_000),
        ("gpt-6.1-terra", 500_000),
        ("llama", 0),
    ] {
        assert_eq!(codex.window(model), window, "{model}");
    }
}

#[test]
fn newer_models_take_the_lite_shape_unless_the_setting_says_otherwise() {
    #[track_caller]
    fn check(setting: &str, model: &str, is_lite: bool) {
        let mut codex = codex("https://h/");
        codex.options.lite = Lite::of_setting(setting);
        let sent = codex.encode(&Request { model, ..REQUEST }, None).unwrap();
        let field = sent.headers.first(LITE);
        assert_eq!(field, is_lite.then_some("true"), "{setting} {model}");
        let body = String::from_utf8(sent.body).unwrap();
        assert_eq!(body.contains(r#""context":"all_turns""#), is_lite, "{body}");
        assert_eq!(body.contains(r#""instructions":"s""#), !is_lite, "{body}");
    }
    for (model, is_lite) in [
        ("", false),
        ("gpt-5.5", false),
        ("gpt-5.3-codex-spark", false),
        ("gpt-5.6-sol", true),
        ("gpt-6-astra", true),
        ("gpt-6.1-terra", true),
        ("llama", false),
    ] {
        check("auto", model, is_lite);
        check("0", model, false);
        check("1", model, true);
    }
}

#[test]
fn the_workspace_is_asked_for_a_login_and_its_region_named_from_then_on() {
    let mut codex = codex("https://h/backend-api/codex");
    let token = token();
    let key = auth::Token {
        account_id: None,
        ..token.clone()
    };
    assert!(codex.question("m", Some(&key)).unwrap().is_none());
    assert!(codex.question("m", None).unwrap().is_none());
    let asked = codex.question("m", Some(&token)).unwrap().unwrap();
    assert_eq!(asked.method, "GET");
    assert_eq!(asked.url.target, "/backend-api/wham/accounts/check");
    assert_eq!(asked.headers.first("chatgpt-account-id"), Some("acc"));
    assert_eq!(asked.headers.first("authorization"), Some("Bearer bearer"));
    let region = |codex: &mut Codex, token: &auth::Token| {
        let sent = codex.encode(&REQUEST, Some(token)).unwrap();
        sent.headers.first(workspace::ROUTING).map(str::to_string)
    };
    assert_eq!(region(&mut codex, &token), None);
    let body = br#"{"accounts":[{"id":"acc","account_routing_override":"us"}]}"#;
    assert_eq!(codex.answered("m", 200, body), None);
    assert_eq!(region(&mut codex, &token).as_deref(), Some("us"));
    assert_eq!(region(&mut codex, &key), None, "another account's");
    assert!(codex.question("m", Some(&token)).unwrap().is_none());
}

#[test]
fn a_workspace_that_says_nothing_of_use_is_worth_a_note_and_one_elsewhere_a_warning() {
    let answered = |status, body: &str| {
        let mut codex = codex("https://h/backend-api/codex");
        codex.question("m", Some(&token())).unwrap();
        codex.answered("m", status, body.as_bytes())
    };
    for (status, body) in [(404, ""), (0, ""), (200, r#"{"accounts":[]}"#)] {
        let remark = answered(status, body);
        assert!(matches!(remark, Some(Remark::Note(_))), "{remark:?}");
    }
    let elsewhere = r#"{"accounts":[{"id":"acc","workspace_backend_origin":"https://other"}]}"#;
    let remark = answered(200, elsewhere);
    assert!(matches!(remark, Some(Remark::Warning(_))), "{remark:?}");
}

#[test]
fn the_turn_state_is_echoed_within_its_turn_and_never_after() {
    let mut codex = codex("https://h/");
    let state = |codex: &mut Codex| {
        let sent = codex.encode(&REQUEST, None).unwrap();
        sent.headers.first(TURN_STATE).map(str::to_string)
    };
    assert_eq!(state(&mut codex), None);
    codex.heard(&head(&[("X-Codex-Turn-State", "one")]));
    assert_eq!(state(&mut codex).as_deref(), Some("one"));
    codex.heard(&head(&[(TURN_STATE, "two")]));
    codex.heard(&head(&[]));
    assert_eq!(
        state(&mut codex).as_deref(),
        Some("one"),
        "the first counts"
    );
    codex.begin_turn();
    assert_eq!(state(&mut codex), None);
}

#[test]
fn limits_are_those_that_were_heard_last() {
    let mut codex = codex("https://h/");
    assert!(codex.limits().is_empty());
    codex.heard(&head(&[
        ("x-codex-primary-used-percent", "12.5"),
        ("x-codex-primary-window-minutes", "300"),
        ("x-codex-primary-reset-at", "1767225600"),
        ("x-codex-secondary-used-percent", "0"),
        ("x-codex-secondary-window-minutes", "10080"),
    ]));
    let expected = [
        Limit {
            window_s: 18_000,
            used_percent: 12.5,
            resets_at: 1_767_225_600,
        },
        Limit {
            window_s: 604_800,
            used_percent: 0.0,
            resets_at: 0,
        },
    ];
    assert_eq!(codex.limits(), expected);
    for nothing in [
        &[][..],
        &[("x-codex-primary-used-percent", "0")],
        &[("x-codex-primary-used-percent", "NaN")],
        &[("x-codex-primary-used-percent", "-1")],
        &[("x-codex-primary-window-minutes", "300")],
    ] {
        codex.heard(&head(nothing));
        assert_eq!(codex.limits(), expected);
    }
}

#[test]
fn what_the_decoder_kept_is_what_the_encoder_sends() {
    let stream = include_str!("../../../tests/data/provider/codex/whole.sse");
    let mut rest = stream.as_bytes();
    let mut codex = codex("https://h/");
    let mut decoder = codex.decoder();
    let mut parser = crate::http::sse::Parser::new();
    let mut deltas = Vec::new();
    while let Some(event) = parser.feed(&mut rest).unwrap() {
        decoder.feed(&event, &mut deltas).unwrap();
    }
    let blocks = deltas.into_iter().filter_map(|delta| match delta {
        crate::chat::delta::Delta::Block(block) => Some(block),
        _ => None,
    });
    let history = [Message::user("go"), Message::Assistant(blocks.collect())];
    let request = Request {
        history: &history,
        ..REQUEST
    };
    let body = codex.encode(&request, None).unwrap().body;
    let body = String::from_utf8(body).unwrap();
    let items = stream.lines().filter_map(|line| {
        let (start, item) = line.split_once(r#""item":"#)?;
        start
            .contains("output_item.done")
            .then(|| item.strip_suffix('}').unwrap())
    });
    let items: Vec<&str> = items.collect();
    assert_eq!(items.len(), 4);
    assert!(body.contains(&items.join(",")), "{body}");
}
