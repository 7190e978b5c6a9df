//! What services said, and what it means.

use super::*;

fn headers(fields: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in fields {
        headers.push(*name, *value);
    }
    headers
}

#[track_caller]
fn check(status: u16, fields: &[(&str, &str)], body: &str, expected: Error) {
    let got = of_answer(status, &headers(fields), body.as_bytes());
    assert_eq!(got, expected, "{status} {body}");
}

fn retry(after_ms: Option<u64>, detail: &str) -> Error {
    Error::Retry {
        after: after_ms.map(Duration::from_millis),
        detail: detail.into(),
    }
}

fn refused(status: u16, detail: &str) -> Error {
    let detail = detail.into();
    Error::Refused { status, detail }
}

fn quota(resets_at: Option<u64>, detail: &str) -> Error {
    let detail = detail.into();
    Error::Quota { resets_at, detail }
}

#[test]
fn the_words_are_found_in_every_shape_of_body() {
    let expected = || refused(400, "status 400: no");
    for body in [
        r#"{"detail":[{"msg":"no"}]}"#,
        r#"{"detail":"no"}"#,
        r#"{"detail":{"message":"no"}}"#,
        r#"{"error":{"message":"no","type":"invalid_request_error","code":null}}"#,
        r#"{"error":"no"}"#,
        r#"{"message":"no"}"#,
        r#"[{"error":{"code":400,"message":"no"}}]"#,
        "no",
        " \n no\n",
    ] {
        check(400, &[], body, expected());
    }
    for body in [
        r#"{"detail":[{"loc":["body","n",0],"msg":"no","type":"missing"},{"msg":"b"}]}"#,
        r#"{"object":"error","message":{"detail":[{"loc":["body","n",0],"msg":"no"}]},
            "type":"invalid_request_error","code":null}"#,
    ] {
        check(422, &[], body, refused(422, "status 422: body.n.0: no"));
    }
    check(404, &[], "", refused(404, "status 404: an empty body"));
    check(400, &[], "{}", refused(400, "status 400: {}"));
    let code = r#"{"error":{"code":"odd"}}"#;
    check(400, &[], code, refused(400, "status 400: odd"));
}

#[test]
fn each_service_has_its_own_words_for_an_empty_purse() {
    for (status, body) in [
        (
            429,
            r#"{"error":{"type":"exceeded_current_quota_error","message":"no"}}"#,
        ),
        (
            400,
            r#"{"error":{"type":"budget_exceeded","message":"no"}}"#,
        ),
        (
            429,
            r#"{"error":{"message":"ExceededBudget: Budget has been exceeded! Current cost: 2",
                "type":null,"code":"429"}}"#,
        ),
        (
            403,
            r#"{"error":"Your team has used all available credits or reached its limit"}"#,
        ),
        (
            400,
            r#"{"error":{"type":"invalid_request_error",
                "message":"You have reached your specified API usage limits."}}"#,
        ),
        (429, r#"{"error":{"code":"1113","message":"no"}}"#),
        (
            402,
            r#"{"error":{"message":"Insufficient Balance","type":"unknown_error"}}"#,
        ),
    ] {
        let error = of_answer(status, &headers(&[]), body.as_bytes());
        assert!(
            matches!(error, Error::Quota { .. }),
            "{status} {body}: {error:?}"
        );
    }
}

#[test]
fn spent_quota_is_not_a_throttle() {
    let spent = r#"{"error":{"type":"usage_limit_reached","message":"limit",
        "plan_type":"plus","resets_at":1767225600,"resets_in_seconds":60}}"#;
    check(
        429,
        &[],
        spent,
        quota(Some(1_767_225_600), "status 429: limit"),
    );
    let relative = r#"{"error":{"type":"usage_limit_reached","resets_in_seconds":60}}"#;
    let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let detail = "status 429: usage_limit_reached";
    check(429, &[date], relative, quota(Some(784_111_837), detail));
    check(429, &[], relative, quota(None, detail));
    let reached = "x-codex-rate-limit-reached-type";
    let depleted = (reached, "workspace_owner_credits_depleted");
    check(429, &[depleted], "x", quota(None, "status 429: x"));
    let throttled = (reached, "rate_limit_reached");
    check(429, &[throttled], "x", retry(None, "status 429: x"));
    check(
        429,
        &[("retry-after", "2")],
        "x",
        retry(Some(2_000), "status 429: x"),
    );
    let words = r#"{"error":{"message":"Please try again in 1.898s."}}"#;
    let detail = "status 429: Please try again in 1.898s.";
    check(
        429,
        &[("retry-after", "9")],
        words,
        retry(Some(1_898), detail),
    );
}

#[test]
fn each_sort_has_its_statuses_and_codes() {
    let detail = "status 401: x".to_string();
    check(401, &[], "x", Error::Auth { detail });
    let detail = "status 403: x".to_string();
    check(403, &[], "x", Error::Forbidden { detail });
    let detail = "status 429: usage_not_included".to_string();
    let body = r#"{"error":{"type":"usage_not_included"}}"#;
    check(429, &[], body, Error::Forbidden { detail });
    check(402, &[], "x", quota(None, "status 402: x"));
    check(503, &[], "x", retry(None, "status 503: x"));
    for body in [
        r#"{"error":{"code":"context_length_exceeded","message":"long"}}"#,
        r#"{"detail":"Your input exceeds the context window of this model."}"#,
    ] {
        let error = of_answer(400, &Headers::new(), body.as_bytes());
        assert!(matches!(error, Error::Overflow { .. }), "{error:?}");
    }
}

#[test]
fn a_spent_balance_is_known_by_its_words() {
    let words = "Your credit balance is too low to access the API.";
    let body = format!(r#"{{"error":{{"type":"invalid_request_error","message":"{words}"}}}}"#);
    check(
        400,
        &[],
        &body,
        quota(None, &format!("status 400: {words}")),
    );
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(of_event(&event), quota(None, words));
}

#[test]
fn an_overflow_says_how_much_fits() {
    #[track_caller]
    fn check_window(status: u16, body: &str, expected: Option<u64>) {
        match of_answer(status, &Headers::new(), body.as_bytes()) {
            Error::Overflow { window, .. } => assert_eq!(window, expected, "{body}"),
            other => panic!("{other:?}"),
        }
    }
    let old = r#"{"error":{"code":500,"message":"too much","n_ctx":8192,
        "type":"exceed_context_size_error","n_prompt_tokens":14429}}"#;
    check_window(500, old, Some(8_192));
    let full = r#"{"error":{"code":500,"message":"Context size has been exceeded.",
        "type":"server_error"}}"#;
    check_window(500, full, None);
    let vllm = concat!(
        r#"{"object":"error","message":"This model's maximum context length is 6048 tokens. "#,
        r#"However, you requested 6616 tokens","type":"BadRequestError","code":400}"#
    );
    check_window(400, vllm, Some(6_048));
    let minute = concat!(
        r#"{"error":{"message":"Request too large for model `m` on tokens per minute (TPM): "#,
        r#"Limit 6000, Requested 9000","type":"tokens","code":"rate_limit_exceeded"}}"#
    );
    check_window(413, minute, None);
}

#[test]
fn a_complaint_about_one_part_stands_beside_what_it_means_otherwise() {
    use crate::provider::complaint::Parameter;
    let of = |status, body: &str| match of_answer(status, &Headers::new(), body.as_bytes()) {
        Error::Unfit {
            complaint,
            otherwise,
        } => Some((complaint, *otherwise)),
        _ => None,
    };
    let body = r#"{"error":{"message":"property 'stream_options' is unsupported"}}"#;
    let plain = refused(400, "status 400: property 'stream_options' is unsupported");
    let complaint = Complaint::Refused(Parameter::StreamOptions);
    assert_eq!(of(400, body), Some((complaint, plain)));
    // Other statuses have other reasons.
    for status in [401, 403, 429, 503] {
        assert_eq!(of(status, body), None, "{status}");
    }
    let words = "input length and `max_tokens` exceed context limit: 150000 + 64000 > 200000";
    let body = format!(r#"{{"error":{{"type":"invalid_request_error","message":"{words}"}}}}"#);
    let overflow = Error::Overflow {
        window: Some(200_000),
        detail: format!("status 400: {words}"),
    };
    assert_eq!(of(400, &body), Some((Complaint::Room(50_000), overflow)));
    let event = r#"{"code":"invalid_encrypted_content","message":"m"}"#;
    let event: Value = serde_json::from_str(event).unwrap();
    let otherwise = Box::new(refused(200, "m"));
    let complaint = Complaint::Sealed;
    assert_eq!(
        of_event(&event),
        Error::Unfit {
            complaint,
            otherwise
        }
    );
}

#[test]
fn a_page_is_named_as_a_page() {
    let page = "<!DOCTYPE html><html><head><TITLE>Just a moment...</TITLE></head>";
    let detail = "status 403: a browser check of a proxy in front of the service: \
        \"Just a moment...\"";
    let detail = detail.to_string();
    check(403, &[], page, Error::Forbidden { detail });
    let page = "<html><body><h1>Bad\ngateway</h1>squid</body></html>";
    let detail = "status 502: a web page of a proxy instead of the service's answer: \
        \"Bad gateway squid\"";
    check(
        502,
        &[("content-type", "text/html")],
        page,
        retry(None, detail),
    );
    let place = ("location", "https://login.example.org/");
    let detail = "status 302: a redirect to https://login.example.org/, which sx does not \
        follow with a login in hand";
    check(302, &[place], "", refused(302, detail));
}

#[test]
fn a_detail_is_one_short_line() {
    let body = format!("a\r\n\x1b[2J{}", "é".repeat(1_000));
    let Error::Refused { detail, .. } = of_answer(400, &Headers::new(), body.as_bytes()) else {
        panic!("not refused");
    };
    assert_eq!(detail.chars().count(), DETAIL_CHARS_MAX);
    assert!(!detail.contains(char::is_control));
}

#[test]
fn an_error_in_a_stream_is_retried_unless_it_is_known_to_be_final() {
    let check = |json: &str, expected: Error| {
        let value: Value = serde_json::from_str(json).unwrap();
        assert_eq!(of_event(&value), expected, "{json}");
    };
    check(
        r#"{"code":"rate_limit_exceeded","message":"try again in 2s"}"#,
        retry(Some(2_000), "try again in 2s"),
    );
    check(r#"{"code":"new_code","message":"m"}"#, retry(None, "m"));
    let silent = "the service broke the answer off without saying why";
    check("null", retry(None, silent));
    check(
        r#"{"type":"error","status":429,"error":{"type":"usage_limit_reached","resets_at":9}}"#,
        quota(Some(9), "usage_limit_reached"),
    );
    check(
        r#"{"code":"invalid_prompt","message":"m"}"#,
        refused(200, "m"),
    );
    check(
        r#"{"type":"error","status":404,"error":{"message":"m"}}"#,
        refused(404, "m"),
    );
    check(
        r#"{"error":{"type":"invalid_request_error","message":"m"}}"#,
        refused(200, "m"),
    );
    let detail = "m".to_string();
    let json = r#"{"code":"context_length_exceeded","message":"m"}"#;
    let window = None;
    check(json, Error::Overflow { window, detail });
}
