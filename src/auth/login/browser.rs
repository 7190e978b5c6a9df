//! A login in a browser: the address that it is sent to, and what the address says that it comes
//! back with (RFC 6749 §4.1, RFC 7636).
//!
//! It comes back to a port of this machine, or, where the browser is on another one, by the hand
//! of the person, who copies the address or `CODE#STATE`. Only what has our state is ours.

use super::Client;
use super::Error;
use super::SCOPE;
use super::exchange::Code;
use super::exchange::form;
use super::harmless;
use super::pkce::Pkce;
use crate::base::digest;
use crate::base::secret::Secret;

/// The ports that the official client's id is registered with, in the order in which they are
/// tried.
pub const PORTS: [u16; 2] = [1455, 1457];

/// Where the browser comes back to.
pub const CALLBACK_PATH: &str = "/auth/callback";

/// A login that waits for the browser.
#[derive(Clone, Debug)]
pub struct Browser {
    pkce: Pkce,
    redirect_uri: String,
    /// Where the person logs in.
    pub url: String,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// The person's consent.
    Code(Code),
    /// The end of this login.
    Ended(Error),
    /// Nothing of this login: the state is another one, or there is none.
    Foreign,
    /// Nothing that anyone could mean by it.
    Nothing,
}

impl Browser {
    /// Begins a login that comes back to this port.
    pub fn begin(client: &Client, pkce: Pkce, port: u16) -> Result<Browser, Error> {
        client.check_transport()?;
        let redirect_uri = format!("http://127.0.0.1:{port}{CALLBACK_PATH}");
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", &redirect_uri),
            ("code_challenge", &pkce.challenge),
            ("code_challenge_method", "S256"),
            ("state", pkce.state.expose()),
            ("scope", SCOPE),
            ("id_token_add_organizations", "true"),
            ("codex_cli_simplified_flow", "true"),
            ("originator", client.identity.originator()),
        ]);
        let url = client.issuer.join(&format!("/oauth/authorize?{query}"));
        Ok(Browser {
            pkce,
            redirect_uri,
            url: url.to_string(),
        })
    }

    /// Reads the query of a callback.
    pub fn returned(&self, query: &str) -> Returned {
        let value = |wanted: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let (_, value) = pairs.find(|(name, _)| *name == wanted)?;
            Some(unescaped(value)).filter(|value| !value.is_empty())
        };
        if !self.is_ours(value("state").as_deref()) {
            return Returned::Foreign;
        }
        if let Some(error) = value("error") {
            let mut detail = error.clone();
            if let Some(words) = value("error_description") {
                detail = format!("{detail}: {words}");
            }
            let detail = harmless(&detail);
            return Returned::Ended(match error.as_str() {
                "access_denied" => Error::Denied { detail },
                _ => Error::Refused {
                    host: "the login page".to_string(),
                    detail,
                },
            });
        }
        match value("code") {
            Some(code) => Returned::Code(self.code(&code)),
            None => Returned::Ended(Error::Malformed {
                host: "the login page".to_string(),
                why: "it has neither code nor error",
            }),
        }
    }

    /// Reads what the person pasted: the address that the browser ended at, its query, or
    /// `CODE#STATE`.
    pub fn pasted(&self, line: &str) -> Returned {
        let line = line.trim();
        if line.is_empty() {
            return Returned::Nothing;
        }
        if let Some((_, query)) = line.split_once('?') {
            return self.returned(query.split('#').next().unwrap_or_default());
        }
        if line.contains("state=") {
            return self.returned(line);
        }
        match line.split_once('#') {
            Some((code, state)) if self.is_ours(Some(state.trim())) && !code.is_empty() => {
                Returned::Code(self.code(code.trim()))
            }
            Some(_) => Returned::Foreign,
            None => Returned::Nothing,
        }
    }

    fn is_ours(&self, state: Option<&str>) -> bool {
        state.is_some_and(|state| digest::are_equal(&Secret::new(state), &self.pkce.state))
    }

    fn code(&self, code: &str) -> Code {
        Code {
            code: Secret::new(code),
            verifier: self.pkce.verifier.clone(),
            redirect_uri: self.redirect_uri.clone(),
        }
    }
}

/// A value of a form: `+` is a blank, `%XX` a byte; what is neither stays.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |at: usize| char::from(*tail.get(at)?).to_digit(16);
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            (b'+', _, _) => {
                bytes.push(b' ');
                rest = tail;
            }
            (byte, _, _) => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::scripted::client;
    use super::*;

    fn browser() -> Browser {
        Browser::begin(&client(), Pkce::new().unwrap(), 1455).unwrap()
    }

    #[test]
    fn the_address_asks_for_little_and_says_who_asks() {
        let browser = browser();
        let state = browser.pkce.state.expose();
        let expected = format!(
            "https://issuer.example.org/oauth/authorize?response_type=code&client_id=client\
             &redirect_uri=http%3A%2F%2F127.0.0.1%3A1455%2Fauth%2Fcallback&code_challenge={}\
             &code_challenge_method=S256&state={state}&scope=openid+profile+email+offline_access\
             &id_token_add_organizations=true&codex_cli_simplified_flow=true&originator=sx",
            browser.pkce.challenge
        );
        assert_eq!(browser.url, expected);
        assert!(!browser.url.contains(browser.pkce.verifier.expose()));
    }

    /// `STATE` in what comes back is ours.
    #[track_caller]
    fn check(came: &str, expected: &str) {
        let browser = browser();
        let came = came.replace("STATE", browser.pkce.state.expose());
        let found = match browser.pasted(&came) {
            Returned::Code(code) => {
                assert_eq!(code.verifier, browser.pkce.verifier);
                format!("code {}", code.code.expose())
            }
            Returned::Ended(error) => error.to_string(),
            Returned::Foreign => "foreign".to_string(),
            Returned::Nothing => "nothing".to_string(),
        };
        assert_eq!(found, expected, "{came}");
    }

    #[test]
    fn a_code_comes_back_in_many_shapes() {
        let address = "http://127.0.0.1:1455/auth/callback";
        check(&format!("{address}?code=a%2Fb+c&state=STATE"), "code a/b c");
        check(
            &format!("  {address}?state=STATE&code=a&scope=x#f\r"),
            "code a",
        );
        check("code=a&state=STATE", "code a");
        check("a#STATE", "code a");
        check(" a%2 # STATE ", "code a%2");
    }

    #[test]
    fn what_has_another_state_is_nothing_of_ours() {
        check("http://h/?code=a&state=other", "foreign");
        check("http://h/?code=a", "foreign");
        check("http://h/?code=a&state=", "foreign");
        check("http://h/?error=access_denied&state=other", "foreign");
        check("a#other", "foreign");
        check("#STATE", "foreign");
        check("hello", "nothing");
        check(" ", "nothing");
    }

    #[test]
    fn the_end_of_a_login_is_told_in_words_that_do_no_harm() {
        check(
            "?error=access_denied&error_description=not+today%1b%5B2J%0a.&state=STATE",
            "the login was denied: access_denied: not today [2J .",
        );
        check(
            "?error=server_error&state=STATE",
            "the login page refused: server_error",
        );
        check(
            "?state=STATE",
            "the login page answered with something else than expected: it has neither code nor \
             error",
        );
    }

    #[test]
    fn an_escape_that_is_none_stays() {
        for (text, expected) in [
            ("%41%", "A%"),
            ("%zz+", "%zz "),
            ("%C3%A9", "é"),
            ("%4", "%4"),
        ] {
            assert_eq!(unescaped(text), expected);
        }
    }
}
