//! A token that someone else hands us: what a server, a command or another machine answers.
//!
//! Three shapes are read: the credential file's, one flat object, and the bare token on a line.
//! Only the token, its end and its account are kept; a refresh token that came along is dropped
//! before anything is stored, shown or recorded.

use crate::auth::Token;
use crate::auth::jwt::Claims;
use crate::base::date;
use crate::base::secret::Secret;
use serde_json::Value;

/// No token of any service is longer; a page of text is no token.
const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// Unix times above this are milliseconds: as seconds it would be the year 5138.
const SECONDS_MAX: u64 = 100_000_000_000;

/// Reads what came. `source` is where it came from, `now` is in unix seconds. Fails with what is
/// wrong with it, which holds nothing of it.
pub fn read(bytes: &[u8], source: &str, now: u64) -> Result<Token, &'static str> {
    let text = str::from_utf8(bytes).map_err(|_| "it is no text")?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err("it is empty");
    }
    match text.find('{') {
        // A shell's greeting may come before it.
        Some(start) => of_object(&text[start..], source, now),
        None => of_line(text, source),
    }
}

fn of_object(text: &str, source: &str, now: u64) -> Result<Token, &'static str> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let Some(Ok(object)) = values.next() else {
        return Err("it is no JSON object");
    };
    let tokens = match object["tokens"].is_object() {
        true => &object["tokens"],
        false => &object,
    };
    let Some(access) = tokens["access_token"].as_str() else {
        return Err("it has no access_token");
    };
    let mut token = of_line(access.trim(), source)?;
    let id_claims = Claims::read(tokens["id_token"].as_str().unwrap_or_default());
    let stated = tokens["account_id"].as_str();
    if let Some(account_id) = stated.map(str::trim).filter(|id| fits_a_field(id)) {
        token.account_id = Some(account_id.to_string());
    }
    token.account_id = token.account_id.or(id_claims.account_id);
    token.email = token.email.or(id_claims.email);
    token.plan = id_claims.plan.or(token.plan);
    token.is_fedramp = id_claims.is_fedramp.unwrap_or(token.is_fedramp);
    token.expires_at = stated_end(tokens, now).or(token.expires_at);
    Ok(token)
}

fn of_line(text: &str, source: &str) -> Result<Token, &'static str> {
    if text.len() > TOKEN_BYTES_MAX {
        return Err("it is too long for a token");
    }
    if !fits_a_field(text) {
        return Err("a token is one word of printable ASCII");
    }
    if text.starts_with('<') {
        return Err("it is a page and no token");
    }
    let claims = Claims::read(text);
    Ok(Token {
        access: Secret::new(text),
        account_id: claims.account_id,
        email: claims.email,
        plan: claims.plan,
        expires_at: claims.expires_at,
        is_fedramp: claims.is_fedramp.unwrap_or(false),
        source: source.to_string(),
    })
}

/// `expires_at`, a time, or `expires_in`, seconds from now; numbers may be written as texts.
fn stated_end(tokens: &Value, now: u64) -> Option<u64> {
    let number = |value: &Value| {
        let text = || value.as_str()?.trim().parse().ok();
        value
            .as_u64()
            .or_else(|| value.as_f64().filter(|s| *s >= 0.0).map(|s| s as u64))
            .or_else(text)
    };
    let at = &tokens["expires_at"];
    let at = number(at).or_else(|| date::parse_rfc3339(at.as_str()?));
    let at = at.map(|at| if at > SECONDS_MAX { at / 1_000 } else { at });
    at.or_else(|| Some(now.saturating_add(number(&tokens["expires_in"])?)))
}

/// Whether a text is one word that can be sent in a header field.
fn fits_a_field(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What must hold for any answer: a token that can be sent, or words that show nothing of it.
pub fn fuzz_answer(bytes: &[u8]) {
    if let Ok(token) = read(bytes, "fuzz", 1_000_000_000) {
        assert!(fits_a_field(token.access.expose()));
        assert!(token.account_id.is_none_or(|id| fits_a_field(&id)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::scratch::jwt;
    use crate::auth::scratch::login;

    const NOW: u64 = 1_800_000_000;

    /// Token, end and account, or what is wrong.
    #[track_caller]
    fn check(text: &str, expected: Result<(&str, Option<u64>, Option<&str>), &str>) {
        fuzz_answer(text.as_bytes());
        let found = read(text.as_bytes(), "s", NOW);
        let found = found.map(|token| {
            let access = token.access.expose().to_string();
            (access, token.expires_at, token.account_id)
        });
        let found = match &found {
            Ok((access, at, id)) => Ok((access.as_str(), *at, id.as_deref())),
            Err(why) => Err(*why),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_flat_object_is_read() {
        check(
            r#"{"access_token":"a","expires_at":1900000000,"account_id":"acc","x":1}"#,
            Ok(("a", Some(1_900_000_000), Some("acc"))),
        );
        check(
            "\u{feff}\n{\"access_token\":\" a \",\"expires_in\":\"60\"}\n",
            Ok(("a", Some(NOW + 60), None)),
        );
        check(
            r#"{"access_token":"a","expires_at":1900000000123}"#,
            Ok(("a", Some(1_900_000_000), None)),
        );
        check(
            r#"{"access_token":"a","expires_at":"2026-01-01T00:00:00Z"}"#,
            Ok(("a", Some(1_767_225_600), None)),
        );
        check(
            r#"{"access_token":"a","expires_in":1.5}"#,
            Ok(("a", Some(NOW + 1), None)),
        );
        check(
            r#"{"access_token":"a","expires_at":null}"#,
            Ok(("a", None, None)),
        );
        check(
            "Welcome to build7!\n{\"access_token\":\"a\"}\nBye\n",
            Ok(("a", None, None)),
        );
    }

    #[test]
    fn the_credential_files_shape_is_read_and_its_refresh_token_dropped() {
        let text = login(1_900_000_000, "m", "acc").to_string();
        let token = read(text.as_bytes(), "s", NOW).unwrap();
        assert_eq!(token.access.expose(), jwt(1_900_000_000, "m"));
        assert_eq!(token.expires_at, Some(1_900_000_000));
        assert_eq!(token.account_id.as_deref(), Some("acc"));
        assert_eq!(token.source, "s");
    }

    #[test]
    fn a_bare_token_says_itself_when_it_ends() {
        let bare = jwt(1_900_000_000, "m");
        check(&format!("{bare}\n"), Ok((&bare, Some(1_900_000_000), None)));
        check("sk-opaque", Ok(("sk-opaque", None, None)));
    }

    #[test]
    fn what_is_no_token_is_told_without_showing_it() {
        check(" \n", Err("it is empty"));
        check("{\"error\":\"no\"}", Err("it has no access_token"));
        check("{\"access_token\":7}", Err("it has no access_token"));
        check(
            "{\"access_token\":\"\"}",
            Err("a token is one word of printable ASCII"),
        );
        check("{oh", Err("it is no JSON object"));
        check(
            "command not found",
            Err("a token is one word of printable ASCII"),
        );
        check("<html>", Err("it is a page and no token"));
        check(
            &"x".repeat(TOKEN_BYTES_MAX + 1),
            Err("it is too long for a token"),
        );
        assert_eq!(read(b"\xff", "s", NOW), Err("it is no text"));
    }
}
