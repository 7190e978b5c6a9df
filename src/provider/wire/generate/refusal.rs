//! What the service's errors mean: what they say in numbers and details, before their status.
//!
//! An error is `{"error":{"code":429,"message":"…","status":"RESOURCE_EXHAUSTED","details":[…]}}`,
//! as a body or within a stream. The same status stands for a wait of seconds and for an allowance
//! that is spent for today, and the same 400 for a bad key and for a conversation that is too long:
//! the details tell them apart, and where a gateway dropped those, the words.

use crate::base::date;
use crate::http::head::Headers;
use crate::provider::Error;
use crate::provider::overflow;
use crate::provider::refusal;
use serde_json::Value;
use std::time::Duration;

/// The service names a wait of seconds even where the allowance of a whole day is spent: that is
/// of the limit per minute, which was reached too.
const RESET_MIN: Duration = Duration::from_secs(120);

/// Words that stand for a status, where the number is missing.
const STATUSES: &[(&str, u16)] = &[
    ("INVALID_ARGUMENT", 400),
    ("FAILED_PRECONDITION", 400),
    ("UNAUTHENTICATED", 401),
    ("PERMISSION_DENIED", 403),
    ("NOT_FOUND", 404),
    ("RESOURCE_EXHAUSTED", 429),
    ("INTERNAL", 500),
    ("UNAVAILABLE", 503),
    ("DEADLINE_EXCEEDED", 504),
];

/// What an answer other than a stream means.
pub fn of_answer(status: u16, headers: &Headers, body: &[u8]) -> Error {
    let error = refusal::of_answer(status, headers, body);
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let now = headers.first("date").and_then(date::parse_http);
    sorted(error, status, inner(&json), now)
}

/// What an error within a stream means; `json` is the chunk that holds it.
pub fn of_chunk(json: &Value) -> Error {
    let inner = inner(json);
    let by_word = || {
        let row = STATUSES.iter().find(|(word, _)| inner["status"] == *word);
        row.map(|(_, status)| *status)
    };
    let code = inner["code"]
        .as_u64()
        .and_then(|code| u16::try_from(code).ok());
    let code = code.filter(|code| (400..600).contains(code));
    match code.or_else(by_word) {
        Some(status) => of_answer(status, &Headers::new(), json.to_string().as_bytes()),
        None => refusal::of_event(inner),
    }
}

/// The error's own object.
fn inner(json: &Value) -> &Value {
    let whole = json.as_array().and_then(|list| list.first());
    let whole = whole.unwrap_or(json);
    whole.get("error").unwrap_or(whole)
}

/// `error` as it is where the details say nothing else.
fn sorted(error: Error, status: u16, inner: &Value, now: Option<u64>) -> Error {
    let details = inner["details"].as_array().map_or(&[][..], Vec::as_slice);
    let words = inner["message"].as_str().unwrap_or_default();
    let has_reason = |known: &[&str]| {
        let mut reasons = details
            .iter()
            .filter_map(|detail| detail["reason"].as_str());
        reasons.any(|reason| known.contains(&reason))
    };
    let says = |phrases: &[&str]| {
        let words = words.to_ascii_lowercase();
        phrases.iter().any(|phrase| words.contains(phrase))
    };
    match status {
        400 | 403
            if has_reason(&["API_KEY_INVALID", "API_KEY_EXPIRED"])
                || says(&[
                    "api key not valid",
                    "api key expired",
                    "unregistered callers",
                ]) =>
        {
            let detail = detail(error);
            Error::Auth { detail }
        }
        400 | 413 if says(&["input token count", "payload size exceeds"]) => {
            let detail = detail(error);
            let window = overflow::window(&detail);
            Error::Overflow { window, detail }
        }
        429 => exhausted(error, details, words, now),
        _ => error,
    }
}

/// 429: a limit per minute is waited for; one per day, or of nothing at all, is not.
fn exhausted(error: Error, details: &[Value], words: &str, now: Option<u64>) -> Error {
    let stated = details
        .iter()
        .find_map(|detail| detail["retryDelay"].as_str());
    let stated = stated.and_then(seconds);
    let violations = details
        .iter()
        .filter_map(|detail| detail["violations"].as_array());
    let mut quotas = violations
        .flatten()
        .filter_map(|one| one["quotaId"].as_str());
    let is_of_a_day = quotas.any(|quota| quota.contains("PerDay"));
    if is_of_a_day || words.contains("limit: 0,") {
        let until = stated.filter(|wait| *wait >= RESET_MIN);
        let resets_at = until
            .zip(now)
            .map(|(wait, now)| now.saturating_add(wait.as_secs()));
        let detail = detail(error);
        return Error::Quota { resets_at, detail };
    }
    match error {
        Error::Retry { after, detail } => Error::Retry {
            after: stated.or(after),
            detail,
        },
        other => other,
    }
}

/// A duration as JSON has it: `18s`, `45.578569677s`.
fn seconds(text: &str) -> Option<Duration> {
    let number: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(number).ok()
}

fn detail(mut error: Error) -> String {
    std::mem::take(error.detail_mut())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    /// The error as an answer and as a chunk means the same, but for the answer's own clock.
    #[track_caller]
    fn check(error: Value, expected: Error) {
        let status = u16::try_from(error["code"].as_u64().unwrap()).unwrap();
        let body = json!({ "error": error });
        let mut headers = Headers::new();
        headers.push("date", DATE);
        let found = of_answer(status, &headers, body.to_string().as_bytes());
        assert_eq!(found, expected, "{body}");
        let listed = json!([body]).to_string();
        assert_eq!(of_answer(status, &headers, listed.as_bytes()), expected);
        let of_chunk = of_chunk(&body);
        assert_eq!(
            std::mem::discriminant(&of_chunk),
            std::mem::discriminant(&expected)
        );
    }

    fn exhausted(quota: &str, delay: &str) -> Value {
        let google = "type.googleapis.com/google.rpc";
        json!({"code": 429, "message": "spent", "status": "RESOURCE_EXHAUSTED", "details": [
            {"@type": format!("{google}.Help"), "links": []},
            {"@type": format!("{google}.QuotaFailure"), "violations": [
                {"quotaMetric": "m", "quotaId": quota, "quotaDimensions": {"location": "global"}}]},
            {"@type": format!("{google}.RetryInfo"), "retryDelay": delay}]})
    }

    fn retry(after_ms: Option<u64>, detail: &str) -> Error {
        Error::Retry {
            after: after_ms.map(Duration::from_millis),
            detail: detail.into(),
        }
    }

    #[test]
    fn a_minute_is_waited_for_and_a_day_is_not() {
        let detail = "status 429: spent";
        let minute = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier";
        check(exhausted(minute, "18s"), retry(Some(18_000), detail));
        check(exhausted(minute, "1.5s"), retry(Some(1_500), detail));
        check(exhausted(minute, "soon"), retry(None, detail));
        let day = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";
        let quota = |resets_at| Error::Quota {
            resets_at,
            detail: detail.into(),
        };
        check(exhausted(day, "3600s"), quota(Some(784_111_777 + 3_600)));
        check(exhausted(day, "18s"), quota(None));
        let words = "Quota exceeded for metric: m, limit: 0, model: x";
        let detail = format!("status 429: {words}");
        check(
            json!({"code": 429, "message": words}),
            Error::Quota {
                resets_at: None,
                detail,
            },
        );
        check(
            json!({"code": 429, "message": "Resource has been exhausted (e.g. check quota)."}),
            retry(
                None,
                "status 429: Resource has been exhausted (e.g. check quota).",
            ),
        );
        check(
            json!({"code": 429, "message": "Please retry in 20.5s."}),
            retry(Some(20_500), "status 429: Please retry in 20.5s."),
        );
    }

    #[test]
    fn a_bad_key_is_a_matter_of_the_login() {
        let words = "API key not valid. Please pass a valid API key.";
        let auth = |status, words: &str| Error::Auth {
            detail: format!("status {status}: {words}"),
        };
        check(
            json!({"code": 400, "message": words, "status": "INVALID_ARGUMENT"}),
            auth(400, words),
        );
        check(
            json!({"code": 400, "message": "no", "status": "INVALID_ARGUMENT",
                "details": [{"reason": "API_KEY_INVALID", "domain": "googleapis.com"}]}),
            auth(400, "no"),
        );
        let words = "Method doesn't allow unregistered callers.";
        check(json!({"code": 403, "message": words}), auth(403, words));
        check(json!({"code": 401, "message": "no"}), auth(401, "no"));
        let detail = "status 403: no".to_string();
        check(
            json!({"code": 403, "message": "no", "status": "PERMISSION_DENIED"}),
            Error::Forbidden { detail },
        );
    }

    #[test]
    fn what_is_too_long_can_be_made_shorter() {
        let words = "The input token count (1200293) exceeds the maximum number of tokens \
            allowed (1048576).";
        let detail = format!("status 400: {words}");
        check(
            json!({"code": 400, "message": words, "status": "INVALID_ARGUMENT"}),
            Error::Overflow {
                window: overflow::window(words),
                detail,
            },
        );
        let words = "Request payload size exceeds the limit: 20971520 bytes.";
        let detail = format!("status 400: {words}");
        check(
            json!({"code": 400, "message": words}),
            Error::Overflow {
                window: None,
                detail,
            },
        );
    }

    #[test]
    fn the_rest_goes_by_its_status() {
        check(
            json!({"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}),
            retry(None, "status 503: The model is overloaded."),
        );
        let refused = |status, words: &str| Error::Refused {
            status,
            detail: format!("status {status}: {words}"),
        };
        check(json!({"code": 404, "message": "no"}), refused(404, "no"));
        check(json!({"code": 400, "message": "no"}), refused(400, "no"));
        let by_word = of_chunk(&json!({"error": {"message": "no", "status": "INVALID_ARGUMENT"}}));
        assert_eq!(by_word, refused(400, "no"));
        let silent = of_chunk(&json!({"error": {"message": "no"}}));
        assert_eq!(silent, retry(None, "no"));
        let page = of_answer(502, &Headers::new(), b"<html>bad</html>");
        assert!(matches!(page, Error::Retry { .. }), "{page}");
    }
}
