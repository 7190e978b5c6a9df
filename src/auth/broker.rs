//! What a broker answers: short-lived tokens to those who know its key, and nothing else.
//!
//! Pure: a request's head in, a verdict out. The sockets and the login are `cli::token`'s. A
//! refresh token is never part of an answer, so it never leaves the machine that has the login.

use crate::auth::Error;
use crate::auth::Token;
use crate::base::digest;
use crate::base::secret::Secret;
use crate::http::serve::RequestHead;
use serde_json::json;

/// The one thing that can be asked for.
pub const PATH: &str = "/codex";

/// The digest of a token that the service refused, sent by who had it from us: then it is time for
/// another one, though it has not expired.
pub const REFUSED: &str = "x-sx-refused";

/// What is to be done about a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It gets a token; another one than that with this digest.
    Lend {
        /// What it says of a token that was refused.
        refused: Option<String>,
    },
    /// It gets this status, and these words.
    Refuse(u16, &'static str),
}

/// Judges a request. Where there is a `key`, whoever does not know it learns nothing.
pub fn judge(head: &RequestHead, key: Option<&Secret>) -> Verdict {
    if let Some(key) = key
        && !knows(head, key)
    {
        return Verdict::Refuse(401, "this broker wants a bearer key");
    }
    let path = head.target.split('?').next().unwrap_or_default();
    if path != PATH {
        return Verdict::Refuse(404, "there is only /codex here");
    }
    if head.method != "GET" {
        return Verdict::Refuse(405, "it can only be asked with GET");
    }
    Verdict::Lend {
        refused: head.headers.first(REFUSED).map(str::to_string),
    }
}

fn knows(head: &RequestHead, key: &Secret) -> bool {
    let mut all = head.headers.all("authorization");
    let (Some(field), None) = (all.next(), all.next()) else {
        return false;
    };
    let given = match field.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        _ => return false,
    };
    digest::are_equal(&Secret::new(given), key)
}

/// Whether `refused` is what is told of `token`.
pub fn is_refused(token: &Token, refused: &str) -> bool {
    refused == digest_of(token)
}

/// What is told of a token that the service refused.
pub fn digest_of(token: &Token) -> String {
    digest::sha256_hex(token.access.expose().as_bytes())
}

/// The body that lends a token.
pub fn lent(token: &Token) -> String {
    let line = json!({
        "access_token": token.access.expose(),
        "expires_at": token.expires_at,
        "account_id": token.account_id,
    });
    format!("{line}\n")
}

/// The body that says why there is none: the kind only, since details are the owner's.
pub fn sorry(error: &Error) -> String {
    let line = json!({"error": error.kind()});
    format!("{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::serve::parse_request;

    #[track_caller]
    fn check(request: &str, key: Option<&str>, expected: Verdict) {
        let text = format!("{}\r\n\r\n", request.replace('\n', "\r\n"));
        let (head, _) = parse_request(text.as_bytes()).unwrap().unwrap();
        assert_eq!(
            judge(&head, key.map(Secret::new).as_ref()),
            expected,
            "{request}"
        );
    }

    const LEND: Verdict = Verdict::Lend { refused: None };

    fn refuse(status: u16) -> Verdict {
        let words = match status {
            401 => "this broker wants a bearer key",
            404 => "there is only /codex here",
            _ => "it can only be asked with GET",
        };
        Verdict::Refuse(status, words)
    }

    #[test]
    fn whoever_knows_the_key_gets_a_token_for_the_one_path() {
        let key = Some("k");
        check("GET /codex HTTP/1.1\nAuthorization: Bearer k", key, LEND);
        check(
            "GET /codex?x HTTP/1.1\nAuthorization: bearer  k ",
            key,
            LEND,
        );
        check("GET /codex HTTP/1.1", None, LEND);
        let refused = Some("abc".to_string());
        check(
            "GET /codex HTTP/1.1\nX-Sx-Refused: abc",
            None,
            Verdict::Lend { refused },
        );
        check("GET / HTTP/1.1\nAuthorization: Bearer k", key, refuse(404));
        check(
            "POST /codex HTTP/1.1\nAuthorization: Bearer k",
            key,
            refuse(405),
        );
    }

    #[test]
    fn whoever_does_not_know_it_learns_nothing() {
        let key = Some("k");
        for request in [
            "GET /codex HTTP/1.1",
            "GET / HTTP/1.1",
            "GET /codex HTTP/1.1\nAuthorization: Bearer",
            "GET /codex HTTP/1.1\nAuthorization: Bearer kk",
            "GET /codex HTTP/1.1\nAuthorization: Basic k",
            "GET /codex HTTP/1.1\nAuthorization: k",
            "GET /codex HTTP/1.1\nAuthorization: Bearer k\nAuthorization: Bearer x",
        ] {
            check(request, key, refuse(401));
        }
    }
}
