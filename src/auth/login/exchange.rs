//! A code for tokens (RFC 6749 §4.1.3), the last step of both ways to log in.
//!
//! The code can be used once. So a request that may have arrived is not sent again; one that the
//! service had no time for is.

use super::Answer;
use super::Client;
use super::Error;
use super::Tokens;
use super::ask;
use crate::auth::Fetch;
use crate::base::secret::Secret;
use serde_json::Value;

/// What the person's consent came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// What is exchanged.
    pub code: Secret,
    /// What proves that it is ours.
    pub verifier: Secret,
    /// Where the code was sent.
    pub redirect_uri: String,
}

/// Exchanges it.
pub fn exchange(client: &Client, code: &Code, fetch: &mut dyn Fetch) -> Result<Tokens, Error> {
    client.check_transport()?;
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("client_id", &client.id),
        ("code", code.code.expose()),
        ("redirect_uri", &code.redirect_uri),
        ("code_verifier", code.verifier.expose()),
    ]);
    let kind = "application/x-www-form-urlencoded";
    let request = client.post("/oauth/token", kind, body.into_bytes());
    let host = client.issuer.authority();
    match ask(client, &request, fetch)? {
        Answer::Good(value) => tokens(&value).map_err(|why| Error::Malformed { host, why }),
        // A service that quotes what it was sent must not make us print it.
        Answer::Bad { detail, .. } | Answer::Busy { detail, .. } => {
            let secrets = [&code.code, &code.verifier];
            let masked = |text: String, secret: &&Secret| text.replace(secret.expose(), "[secret]");
            let detail = secrets.iter().fold(detail, masked);
            Err(Error::Refused { host, detail })
        }
    }
}

/// The tokens of an answer. One without a bearer is none; all must fit into a header field.
pub(super) fn tokens(value: &Value) -> Result<Tokens, &'static str> {
    let part = |name: &str| match value[name].as_str().map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(Some(Secret::new(text)))
        }
        Some(_) => Err("a token holds a blank or a character that none has"),
    };
    Ok(Tokens {
        access: part("access_token")?.ok_or("it has no access_token")?,
        id: part("id_token")?,
        refresh: part("refresh_token")?,
        expires_in: seconds(&value["expires_in"]),
    })
}

/// A number of seconds, which may have a fraction or be written as a text.
fn seconds(value: &Value) -> Option<u64> {
    let number = value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())?;
    (number.is_finite() && number >= 0.0).then_some(number as u64)
}

/// Names and values as a form has them (WHATWG URL, application/x-www-form-urlencoded), in order.
pub(super) fn form(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", escaped(value)))
        .collect();
    pairs.join("&")
}

/// Everything but the unreserved characters (RFC 3986 §2.3) as `%XX`, a blank as `+`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => escaped.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                escaped.push(char::from(byte));
            }
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::scripted::Script;
    use super::super::scripted::client;
    use super::*;

    fn code() -> Code {
        Code {
            code: Secret::new("c/1"),
            verifier: Secret::new("v1"),
            redirect_uri: "http://127.0.0.1:1455/auth/callback".into(),
        }
    }

    const GOOD: &str = r#"{"access_token":"a","id_token":"i","refresh_token":"r","expires_in":9}"#;

    #[test]
    fn the_form_has_its_fields_in_their_order() {
        let mut script = Script::of(&[(200, "", GOOD)]);
        let tokens = exchange(&client(), &code(), &mut script).unwrap();
        assert_eq!(tokens.access, Secret::new("a"));
        assert_eq!(tokens.refresh, Some(Secret::new("r")));
        assert_eq!(tokens.expires_in, Some(9));
        let (url, body) = &script.asked[0];
        assert_eq!(url, "https://issuer.example.org/oauth/token");
        assert_eq!(
            body,
            "grant_type=authorization_code&client_id=client&code=c%2F1&redirect_uri=\
             http%3A%2F%2F127.0.0.1%3A1455%2Fauth%2Fcallback&code_verifier=v1"
        );
    }

    #[test]
    fn a_busy_service_is_asked_again_and_not_for_ever() {
        let mut script = Script::of(&[(502, "", ""), (429, "retry-after: 9", ""), (200, "", GOOD)]);
        assert!(exchange(&client(), &code(), &mut script).is_ok());
        assert_eq!(script.waits, [2, 9]);
        let mut script = Script::of(&[(503, "", ""); 4]);
        let error = exchange(&client(), &code(), &mut script).unwrap_err();
        assert_eq!(error.to_string(), "issuer.example.org: status 503");
        assert!(script.is_over());
    }

    #[test]
    fn what_is_no_answer_is_told_and_nothing_that_was_sent_is_quoted() {
        #[track_caller]
        fn check(status: u16, body: &str, expected: &str) {
            let mut script = Script::of(&[(status, "", body)]);
            let error = exchange(&client(), &code(), &mut script).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("c/1") && !error.contains("v1"), "{error}");
        }
        check(200, "{}", "it has no access_token");
        check(200, r#"{"access_token":"a b"}"#, "a token holds a blank");
        check(
            400,
            r#"{"error":"invalid_grant","error_description":"bad code c/1 or v1"}"#,
            "refused: status 400: invalid_grant: bad code [secret] or [secret]",
        );
        check(0, "", "issuer.example.org: no route");
        check(200, "<html>", "a page for a browser");
    }
}
