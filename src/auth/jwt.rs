//! The claims of a JSON web token (RFC 7519), read without checking its signature.
//!
//! The token is the service's to check; we only want to know when it expires and whose it is. What
//! is missing or of the wrong kind is `None`: a token that we cannot read may still be a good one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The claims that are particular to the service are objects under these names.
const AUTH: &str = "https://api.openai.com/auth";
const PROFILE: &str = "https://api.openai.com/profile";

/// What a token says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Unix seconds at which it expires.
    pub expires_at: Option<u64>,
    /// The account.
    pub account_id: Option<String>,
    /// The person's address.
    pub email: Option<String>,
    /// The plan, such as `plus`.
    pub plan: Option<String>,
    /// Whether the account lives in the service's government cloud.
    pub is_fedramp: Option<bool>,
}

impl Claims {
    /// Reads the claims of a token; a text that is no token has none.
    pub fn read(token: &str) -> Claims {
        let Some(payload) = payload(token) else {
            return Claims::default();
        };
        let auth = &payload[AUTH];
        let text = |value: &Value| match value.as_str() {
            Some(text) if !text.is_empty() => Some(text.to_string()),
            _ => None,
        };
        Claims {
            expires_at: seconds(&payload["exp"]),
            account_id: text(&auth["chatgpt_account_id"]),
            email: text(&payload["email"]).or_else(|| text(&payload[PROFILE]["email"])),
            plan: text(&auth["chatgpt_plan_type"]),
            is_fedramp: auth["chatgpt_account_is_fedramp"].as_bool(),
        }
    }
}

/// The middle one of three parts that are not empty (RFC 7515 §3.1).
fn payload(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (head, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if head.is_empty() || payload.is_empty() || signature.is_empty() || parts.next().is_some() {
        return None;
    }
    let json = URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice(&json).ok()
}

/// A NumericDate, which may have a fraction (RFC 7519 §2).
fn seconds(value: &Value) -> Option<u64> {
    let whole = || value.as_f64().filter(|s| s.is_finite() && *s >= 0.0);
    value.as_u64().or_else(|| whole().map(|s| s as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn the_claims_that_we_use_are_read() {
        let claims = Claims::read(&token(
            r#"{"exp":1767225600,"email":"a@example.org","https://api.openai.com/auth":{
                "chatgpt_account_id":"acc","chatgpt_plan_type":"plus",
                "chatgpt_account_is_fedramp":true}}"#,
        ));
        let expected = Claims {
            expires_at: Some(1_767_225_600),
            account_id: Some("acc".into()),
            email: Some("a@example.org".into()),
            plan: Some("plus".into()),
            is_fedramp: Some(true),
        };
        assert_eq!(claims, expected);
    }

    #[test]
    fn the_address_may_stand_in_the_profile_and_the_expiry_may_have_a_fraction() {
        let claims = Claims::read(&token(
            r#"{"exp":12.9,"email":"","https://api.openai.com/profile":{"email":"b@example.org"}}"#,
        ));
        assert_eq!(claims.email.as_deref(), Some("b@example.org"));
        assert_eq!(claims.expires_at, Some(12));
    }

    #[test]
    fn what_is_no_token_has_no_claims() {
        let good = token("{}");
        for text in [
            "",
            "sk-abc",
            "a.b",
            "..",
            ".e30.c2ln",
            "e30.e30.",
            "e30.!!.c2ln",
            "e30.e30=.c2ln",
            &format!("{good}.more"),
            &token("[1]"),
            &token("not json"),
            &token(r#"{"exp":"soon","email":7,"https://api.openai.com/auth":[]}"#),
            &token(r#"{"exp":-1}"#),
        ] {
            assert_eq!(Claims::read(text), Claims::default(), "{text}");
        }
    }
}
