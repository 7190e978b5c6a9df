//! A login that the person has already: a token, or a whole credential file, read from a pipe.
//!
//! What renews it is kept where it came along, since the person said to store it; everywhere else
//! it is dropped (`answer`).

use super::Tokens;
use super::exchange::tokens;
use super::keep::Login;
use crate::auth::answer;
use serde_json::Value;

/// Reads what came. `now` is in unix seconds. Fails with what is wrong with it, which holds
/// nothing of it.
pub fn read(bytes: &[u8], now: u64) -> Result<Login, &'static str> {
    if matches!(bytes.trim_ascii_start().first(), Some(b'"' | b'[')) {
        return Err("it is neither a bare token nor an object");
    }
    let token = answer::read(bytes, "stdin", now)?;
    if token.access.expose().starts_with("sk-") {
        return Err("it is an API key, which is no login: OPENAI_API_KEY takes it");
    }
    let (tokens, document) = match object(bytes) {
        Some(object) if inner(&object)["access_token"].is_string() => {
            (tokens(inner(&object))?, Some(object))
        }
        _ => {
            let access = token.access.clone();
            let tokens = Tokens {
                access,
                id: None,
                refresh: None,
                expires_in: None,
            };
            (tokens, None)
        }
    };
    if tokens.refresh.is_none() && token.expires_at.is_some_and(|at| at <= now) {
        return Err("it has expired, and nothing came along to renew it with");
    }
    Ok(Login {
        tokens,
        account_id: token.account_id,
        // Only a token that says nothing itself needs it said beside.
        expires_at: token.expires_at,
        document: document.filter(|document| document["tokens"].is_object()),
    })
}

/// Where the tokens stand: in an object of their own, or beside everything else.
fn inner(object: &Value) -> &Value {
    match &object["tokens"] {
        tokens if tokens.is_object() => tokens,
        _ => object,
    }
}

/// The object in it, after a shell's greeting.
fn object(bytes: &[u8]) -> Option<Value> {
    let start = bytes.iter().position(|byte| *byte == b'{')?;
    let mut values = serde_json::Deserializer::from_slice(&bytes[start..]).into_iter::<Value>();
    values.next()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::scratch::jwt;
    use crate::auth::scratch::login;
    use crate::base::secret::Secret;

    const NOW: u64 = 1_800_000_000;
    const LATER: u64 = 1_900_000_000;

    #[test]
    fn a_whole_file_keeps_what_renews_it_and_what_we_do_not_know() {
        let file = login(NOW - 5, "m", "acc");
        let read = read(file.to_string().as_bytes(), NOW).unwrap();
        assert_eq!(read.tokens.refresh, Some(Secret::new("refresh-m")));
        assert_eq!(read.account_id.as_deref(), Some("acc"));
        assert_eq!(read.document.unwrap()["future"], file["future"]);
    }

    #[test]
    fn a_flat_object_and_a_bare_token_are_taken() {
        let flat = r#"hello {"access_token":"a","refresh_token":"r","expires_at":1900000000}"#;
        let flat = read(flat.as_bytes(), NOW).unwrap();
        assert_eq!(flat.tokens.refresh, Some(Secret::new("r")));
        assert_eq!(flat.expires_at, Some(LATER));
        assert!(flat.document.is_none());
        let bare = jwt(LATER, "m");
        let bare = read(format!("{bare}\n").as_bytes(), NOW).unwrap();
        assert_eq!(bare.tokens.refresh, None);
        assert_eq!(bare.expires_at, Some(LATER));
    }

    #[test]
    fn what_is_of_no_use_is_refused() {
        let check = |text: &str, expected| {
            let found = read(text.as_bytes(), NOW).map(|_| ());
            assert_eq!(found, Err(expected), "{text}");
        };
        let over = "it has expired, and nothing came along to renew it with";
        check(&jwt(NOW, "m"), over);
        check(r#"{"access_token":"a","expires_in":0}"#, over);
        check("", "it is empty");
        check("{}", "it has no access_token");
        check("\"tok\"", "it is neither a bare token nor an object");
        let blank = "a token holds a blank or a character that none has";
        check(
            "{\"access_token\":\"x\",\"refresh_token\":\"r\\nX\"}",
            blank,
        );
        check(" [1]", "it is neither a bare token nor an object");
        let key = "it is an API key, which is no login: OPENAI_API_KEY takes it";
        check("sk-proj-1", key);
        check(r#"{"access_token":"sk-1"}"#, key);
    }
}
