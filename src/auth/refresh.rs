//! The refresh of a login (RFC 6749 §6) as far as it is pure: when, with what, what came of it.
//!
//! A refresh token can be spent once. Whoever spends it must keep the answer, so the file, its
//! locks and the network lie in `local`, and a failure says whether another try makes sense.

use crate::auth::Error;
use crate::auth::Why;
use crate::auth::file::Credential;
use crate::auth::identity::Identity;
use crate::auth::refusal;
use crate::base::secret::Secret;
use crate::base::text;
use crate::http::exchange::Request;
use crate::http::url::Scheme;
use crate::http::url::Url;
use serde::Serialize;
use serde_json::Value;

/// The official client's public id: files that do not name another were issued to it.
pub const CLIENT_ID: &str = "app_EMoamEEZ73f0CkXaXp7hrann";

/// So much before its end a token is renewed, as the official client does.
const EXPIRY_MARGIN_S: u64 = 5 * 60;

/// A token that does not say when it expires is renewed after this time.
const AGE_MAX_S: u64 = 8 * 24 * 60 * 60;

/// Enough for a sentence of the issuer's.
const DETAIL_CHARS_MAX: usize = 400;

/// What the issuer renewed; what it left out stays as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fresh {
    /// The bearer.
    pub access: Option<Secret>,
    /// What the next refresh is made with; the one that was used is spent.
    pub refresh: Option<Secret>,
    /// What says who the person is.
    pub id: Option<Secret>,
    /// Seconds that the bearer lives, kept where it does not say so itself.
    pub expires_in: Option<u64>,
}

/// Why nothing was renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// This refresh token will never work again.
    Permanent(String),
    /// Another try may work.
    Transient(String),
}

/// Whether a token that ends then is to be replaced now.
pub fn is_near(expires_at: u64, now: u64) -> bool {
    expires_at <= now.saturating_add(EXPIRY_MARGIN_S)
}

/// Whether the credential is to be renewed before it is used.
pub fn is_due(credential: &Credential, now: u64) -> bool {
    match (credential.token.expires_at, credential.last_refresh) {
        (Some(expires_at), _) => is_near(expires_at, now),
        (None, Some(last_refresh)) => last_refresh.saturating_add(AGE_MAX_S) < now,
        (None, None) => false,
    }
}

#[derive(Serialize)]
struct Body<'a> {
    client_id: &'a str,
    grant_type: &'a str,
    refresh_reason: &'a str,
    refresh_token: &'a str,
}

/// The request that spends a refresh token.
pub fn request(
    issuer: &Url,
    client_id: &str,
    refresh_token: &Secret,
    why: Why,
    identity: &Identity,
) -> Result<Request, Error> {
    if issuer.scheme == Scheme::Http && !issuer.is_loopback() {
        let detail = format!(
            "CODEX_ISSUER is {issuer}: a login goes over plain http to this machine only; use https"
        );
        return Err(Error::Settings { detail });
    }
    let body = Body {
        client_id,
        grant_type: "refresh_token",
        refresh_reason: match why {
            Why::Proactive => "proactive_expiry",
            Why::Unauthorized => "unauthorized_recovery",
        },
        refresh_token: refresh_token.expose(),
    };
    let body = serde_json::to_vec(&body).expect("four strings always have a JSON form");
    Ok(Request::post(issuer.join("/oauth/token"), body)
        .header("content-type", "application/json")
        .header("accept", "*/*")
        .header("originator", identity.originator())
        .header("user-agent", identity.user_agent()))
}

/// What the issuer's answer means.
pub fn outcome(status: u16, body: &[u8]) -> Result<Fresh, Failure> {
    let answer: Option<Value> = serde_json::from_slice(body).ok();
    if (200..300).contains(&status) {
        let transient = |detail: &str| Err(Failure::Transient(detail.to_string()));
        let Some(answer) = answer.filter(Value::is_object) else {
            return transient("the issuer's answer is not a JSON object");
        };
        // What could not be read back from the file is as good as missing.
        let is_token =
            |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let part = |name: &str| answer[name].as_str().filter(is_token).map(Secret::new);
        let fresh = Fresh {
            access: part("access_token"),
            refresh: part("refresh_token"),
            id: part("id_token"),
            expires_in: answer["expires_in"].as_u64(),
        };
        if fresh.access.is_none() && fresh.refresh.is_none() && fresh.id.is_none() {
            return transient("the issuer's answer holds no token");
        }
        return Ok(fresh);
    }
    let answer = answer.unwrap_or_default();
    let code = refusal::code(&answer).to_ascii_lowercase();
    let known = match code.as_str() {
        "refresh_token_expired" => Some("its refresh token has expired"),
        "refresh_token_reused" => Some("its refresh token was already used"),
        "refresh_token_invalidated" => Some("its refresh token was revoked"),
        _ => None,
    };
    let detail = match known {
        Some(known) => known.to_string(),
        None => {
            let start = format!("the issuer answered with status {status}");
            let words = refusal::words(&start, &code, &answer);
            text::ellipsis(&text::one_line(&words), DETAIL_CHARS_MAX).into_owned()
        }
    };
    let is_permanent =
        known.is_some() || status == 401 || (status == 400 && code == "invalid_grant");
    Err(if is_permanent {
        Failure::Permanent(detail)
    } else {
        Failure::Transient(detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn credential(expires_at: Option<u64>, last_refresh: Option<u64>) -> Credential {
        let text = br#"{"tokens":{"access_token":"a"}}"#;
        let mut credential = Credential::parse(Path::new("f"), text).unwrap();
        credential.token.expires_at = expires_at;
        credential.last_refresh = last_refresh;
        credential
    }

    #[test]
    fn a_token_is_due_five_minutes_before_its_end() {
        let now = 1_000_000_000;
        let check = |expires_at, last_refresh, expected| {
            let credential = credential(expires_at, last_refresh);
            assert_eq!(
                is_due(&credential, now),
                expected,
                "{expires_at:?} {last_refresh:?}"
            );
        };
        check(Some(now + 301), None, false);
        check(Some(now + 300), None, true);
        check(Some(now - 1), Some(now), true);
        check(Some(u64::MAX), Some(0), false);
        check(None, Some(now - AGE_MAX_S), false);
        check(None, Some(now - AGE_MAX_S - 1), true);
        check(None, None, false);
    }

    #[test]
    fn the_request_has_the_fields_that_the_issuer_knows_and_no_scope() {
        let issuer = Url::parse("https://auth.example.org").unwrap();
        let secret = Secret::new("r\"1");
        let identity = Identity::own();
        let request = request(&issuer, "id", &secret, Why::Proactive, &identity).unwrap();
        assert_eq!(
            request.url.to_string(),
            "https://auth.example.org/oauth/token"
        );
        assert_eq!(request.headers.first("originator"), Some("sx"));
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let expected = serde_json::json!({"client_id": "id", "grant_type": "refresh_token",
            "refresh_reason": "proactive_expiry", "refresh_token": "r\"1"});
        assert_eq!(body, expected);
    }

    #[test]
    fn a_refresh_token_goes_over_plain_http_to_this_machine_only() {
        let ask = |url| {
            let issuer = Url::parse(url).unwrap();
            let secret = Secret::new("r");
            request(&issuer, "id", &secret, Why::Unauthorized, &Identity::own())
        };
        assert!(ask("http://127.0.0.1:9/").is_ok());
        let error = ask("http://auth.example.org").unwrap_err();
        assert!(matches!(error, Error::Settings { .. }), "{error}");
    }

    #[track_caller]
    fn check(status: u16, body: &str, expected: Result<Fresh, Failure>) {
        assert_eq!(
            outcome(status, body.as_bytes()),
            expected,
            "{status} {body}"
        );
    }

    #[test]
    fn a_missing_part_stays_as_it_was() {
        let fresh = |access: Option<&str>, refresh: Option<&str>| Fresh {
            access: access.map(Secret::new),
            refresh: refresh.map(Secret::new),
            id: None,
            expires_in: None,
        };
        let whole = r#"{"access_token":"a","refresh_token":"r","id_token":null}"#;
        check(200, whole, Ok(fresh(Some("a"), Some("r"))));
        check(200, r#"{"access_token":"a"}"#, Ok(fresh(Some("a"), None)));
    }

    #[test]
    fn failures_say_whether_another_try_makes_sense() {
        let permanent = |text: &str| Err(Failure::Permanent(text.into()));
        let transient = |text: &str| Err(Failure::Transient(text.into()));
        check(
            401,
            r#"{"error":{"code":"refresh_token_expired","message":"x"}}"#,
            permanent("its refresh token has expired"),
        );
        check(
            400,
            r#"{"error":"Refresh_Token_Reused"}"#,
            permanent("its refresh token was already used"),
        );
        check(
            403,
            r#"{"code":"refresh_token_invalidated"}"#,
            permanent("its refresh token was revoked"),
        );
        check(
            400,
            r#"{"error":"invalid_grant","error_description":"no\nmore"}"#,
            permanent("the issuer answered with status 400: invalid_grant: no more"),
        );
        check(401, "", permanent("the issuer answered with status 401"));
        check(
            400,
            r#"{"error":"invalid_request"}"#,
            transient("the issuer answered with status 400: invalid_request"),
        );
        check(
            503,
            "<html>",
            transient("the issuer answered with status 503"),
        );
        check(
            200,
            "<html>",
            transient("the issuer's answer is not a JSON object"),
        );
        check(200, "{}", transient("the issuer's answer holds no token"));
        let broken = r#"{"access_token":"a\nb","refresh_token":""}"#;
        check(200, broken, transient("the issuer's answer holds no token"));
    }
}
