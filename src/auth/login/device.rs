//! A login by device code: the person enters a short code in a browser anywhere, we ask whether
//! they have, until they have or the code is over.
//!
//! The service's own protocol, not RFC 8628, whose words are understood all the same: `slow_down`,
//! `authorization_pending`, `access_denied`, `expired_token`. Pending is said with status 403 or
//! 404. The service makes the PKCE pair itself and hands the verifier back with the code.

use super::Answer;
use super::Client;
use super::Error;
use super::LIFETIME;
use super::ask;
use super::exchange::Code;
use super::send;
use super::sort;
use crate::auth::Fetch;
use crate::base::clock::Deadline;
use crate::base::secret::Secret;
use crate::base::text;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;

/// How often is asked where the service does not say (RFC 8628 §3.2).
const INTERVAL_DEFAULT: Duration = Duration::from_secs(5);

/// A service may want to be asked more often than this, and will not be.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// One that wants to be asked less often would let the person wait for nothing.
const INTERVAL_MAX: Duration = Duration::from_secs(60);

/// What each `slow_down` adds (RFC 8628 §3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// No code that a person has to type is longer.
const CODE_CHARS_MAX: usize = 64;

/// What the person is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Where the code is to be entered.
    pub url: String,
    /// The code.
    pub code: String,
    /// How long it is good.
    pub lifetime: Duration,
}

/// A login that the person has begun.
#[derive(Debug)]
pub struct Device {
    client: Client,
    id: Secret,
    /// What the person is shown.
    pub shown: Shown,
    interval: Duration,
}

/// What came of a question.
#[derive(Debug, PartialEq, Eq)]
enum Polled {
    /// They have.
    Allowed(Code),
    /// Not yet; ask again after this.
    Pending(Duration),
}

/// Asks for a code.
pub fn begin(client: Client, fetch: &mut dyn Fetch) -> Result<Device, Error> {
    client.check_transport()?;
    let body = json!({"client_id": client.id}).to_string().into_bytes();
    let path = "/api/accounts/deviceauth/usercode";
    let request = client.post(path, "application/json", body);
    let host = client.issuer.authority();
    match ask(&client, &request, fetch)? {
        Answer::Good(value) => issued(client, &value).map_err(|why| Error::Malformed { host, why }),
        Answer::Bad { status: 404, .. } => Err(Error::NoDeviceCodes { host }),
        Answer::Bad { detail, .. } | Answer::Busy { detail, .. } => {
            Err(Error::Refused { host, detail })
        }
    }
}

/// Reads what the service gave; numbers may be written as texts.
fn issued(client: Client, value: &Value) -> Result<Device, &'static str> {
    let text = |names: [&str; 2]| {
        let found = names.into_iter().find_map(|name| value[name].as_str());
        found.map(str::trim).filter(|text| !text.is_empty())
    };
    let seconds = |name: &str| {
        let value = &value[name];
        let number = value
            .as_f64()
            .or_else(|| value.as_str()?.trim().parse().ok())?;
        Duration::try_from_secs_f64(number).ok()
    };
    let id = text(["device_auth_id", "device_code"]).ok_or("it has no device_auth_id")?;
    let code = text(["user_code", "usercode"]).ok_or("it has no user_code")?;
    if code.chars().count() > CODE_CHARS_MAX || text::harmless(code) != code {
        return Err("its user_code is none that a person could type");
    }
    let interval = seconds("interval").unwrap_or(INTERVAL_DEFAULT);
    let lifetime = seconds("expires_in").unwrap_or(LIFETIME).min(LIFETIME);
    Ok(Device {
        id: Secret::new(id),
        shown: Shown {
            url: client.issuer.join("/codex/device").to_string(),
            code: code.to_string(),
            lifetime,
        },
        interval: interval.clamp(INTERVAL_MIN, INTERVAL_MAX),
        client,
    })
}

impl Device {
    /// Asks until the person is done, for as long as the code is good.
    pub fn wait(mut self, fetch: &mut dyn Fetch) -> Result<Code, Error> {
        let limit = "the lifetime of the code";
        let end = Deadline::after(self.shown.lifetime, limit);
        loop {
            let wait = match self.ask(fetch)? {
                Polled::Allowed(code) => return Ok(code),
                Polled::Pending(wait) => wait,
            };
            let left = end.left().unwrap_or(wait);
            if left.is_zero() {
                let limit = format!("{limit}, {} s", self.shown.lifetime.as_secs());
                return Err(Error::Expired { limit });
            }
            super::pause(wait.min(left), fetch)?;
        }
    }

    fn ask(&mut self, fetch: &mut dyn Fetch) -> Result<Polled, Error> {
        let body = json!({"device_auth_id": self.id.expose(), "user_code": self.shown.code});
        let path = "/api/accounts/deviceauth/token";
        let body = body.to_string().into_bytes();
        let request = self.client.post(path, "application/json", body);
        let (status, headers, body) = match send(&self.client, &request, fetch) {
            Ok(answer) => answer,
            // A signal ends the pause that follows, not only this question.
            Err(_) => return Ok(Polled::Pending(self.interval)),
        };
        let answer = sort(&self.client, status, &headers, &body)?;
        self.answered(answer)
    }

    /// What an answer means; the next question may have to wait longer for it.
    fn answered(&mut self, answer: Answer) -> Result<Polled, Error> {
        let host = self.client.issuer.authority();
        let (status, code, detail) = match answer {
            Answer::Good(value) => {
                let code = self.code(&value);
                let code = code.map_err(|why| Error::Malformed { host, why })?;
                return Ok(Polled::Allowed(code));
            }
            Answer::Busy { wait, .. } => {
                let wait = wait.unwrap_or_default().max(self.interval);
                return Ok(Polled::Pending(wait));
            }
            Answer::Bad {
                status,
                code,
                detail,
            } => (status, code, detail),
        };
        match (code.as_str(), status) {
            ("slow_down", _) => {
                self.interval = (self.interval + SLOW_DOWN).min(INTERVAL_MAX);
                Ok(Polled::Pending(self.interval))
            }
            ("access_denied" | "authorization_declined", _) => Err(Error::Denied { detail }),
            ("expired_token" | "token_expired", _) => Err(Error::Expired {
                limit: format!("the lifetime of the code ({host} says that it has expired)"),
            }),
            ("authorization_pending", _) | (_, 403 | 404) => Ok(Polled::Pending(self.interval)),
            _ => Err(Error::Refused { host, detail }),
        }
    }

    fn code(&self, value: &Value) -> Result<Code, &'static str> {
        let part = |name: &str| value[name].as_str().filter(|text| !text.is_empty());
        let code = part("authorization_code").ok_or("it has no authorization_code")?;
        let verifier = part("code_verifier").ok_or("it has no code_verifier")?;
        Ok(Code {
            code: Secret::new(code),
            verifier: Secret::new(verifier),
            redirect_uri: self.client.issuer.join("/deviceauth/callback").to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::scripted::Script;
    use super::super::scripted::client;
    use super::*;

    const ISSUED: (u16, &str, &str) = (
        200,
        "",
        r#"{"device_auth_id":"d","user_code":"AB-12","interval":"3"}"#,
    );
    const ALLOWED: (u16, &str, &str) = (
        200,
        "",
        r#"{"authorization_code":"c","code_challenge":"x","code_verifier":"v"}"#,
    );

    /// What the answers after the code come to, and the waits between them.
    #[track_caller]
    fn check(answers: &[(u16, &'static str, &str)], expected: &str, waits: &[u64]) {
        let mut script = Script::of(&[&[ISSUED], answers].concat());
        let device = begin(client(), &mut script).unwrap();
        let found = match device.wait(&mut script) {
            Ok(code) => code.redirect_uri,
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{answers:?}: {found}");
        assert!(script.is_over(), "{answers:?}");
        assert_eq!(script.waits, waits, "{answers:?}");
    }

    #[test]
    fn the_person_is_shown_where_and_what() {
        let mut script = Script::of(&[ISSUED]);
        let device = begin(client(), &mut script).unwrap();
        assert_eq!(device.shown.url, "https://issuer.example.org/codex/device");
        assert_eq!(device.shown.code, "AB-12");
        assert_eq!(device.shown.lifetime, LIFETIME);
        let (url, body) = &script.asked[0];
        assert!(url.ends_with("/api/accounts/deviceauth/usercode"), "{url}");
        assert_eq!(body, r#"{"client_id":"client"}"#);
    }

    #[test]
    fn it_is_asked_until_the_person_is_done() {
        let done = "https://issuer.example.org/deviceauth/callback";
        check(&[ALLOWED], done, &[]);
        let pending = [
            (403, "", ""),
            (404, "", "<html>"),
            (400, "", r#"{"error":"authorization_pending"}"#),
            ALLOWED,
        ];
        check(&pending, done, &[3, 3, 3]);
        let slow = (400, "", r#"{"error":"slow_down"}"#);
        check(&[slow, (403, "", ""), slow, ALLOWED], done, &[8, 8, 13]);
    }

    #[test]
    fn what_passes_is_waited_out() {
        let done = "/deviceauth/callback";
        let passing = [
            (429, "retry-after: 20", ""),
            (429, "retry-after: 1", ""),
            (502, "content-type: text/html", "<html>"),
            (0, "", ""),
            ALLOWED,
        ];
        check(&passing, done, &[20, 3, 3, 3]);
    }

    #[test]
    fn an_end_has_its_kind() {
        let check = |answer, expected| check(&[(403, "", ""), answer], expected, &[3]);
        check(
            (403, "", r#"{"error":{"code":"access_denied"}}"#),
            "the login was denied: status 403: access_denied",
        );
        check(
            (400, "", r#"{"error":"expired_token"}"#),
            "nobody logged in within the lifetime of the code",
        );
        check((403, "", "<!doctype html>"), "a Cloudflare challenge");
        check((400, "", r#"{"error":"odd"}"#), "refused: status 400: odd");
        check(
            (200, "", r#"{"authorization_code":"c"}"#),
            "no code_verifier",
        );
    }

    #[test]
    fn a_code_is_over_when_its_time_is() {
        let over = r#"{"device_auth_id":"d","usercode":"AB","expires_in":0}"#;
        let mut script = Script::of(&[(200, "", over), (403, "", "")]);
        let error = begin(client(), &mut script)
            .unwrap()
            .wait(&mut script)
            .unwrap_err();
        let expected = "nobody logged in within the lifetime of the code, 0 s";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_signal_ends_the_wait() {
        let mut script = Script::of(&[ISSUED, (403, "", ""), (403, "", "")]);
        script.stopped_after = Some(2);
        let error = begin(client(), &mut script)
            .unwrap()
            .wait(&mut script)
            .unwrap_err();
        assert!(matches!(error, Error::Stopped { .. }), "{error}");
    }

    #[test]
    fn without_a_code_the_reason_is_named() {
        #[track_caller]
        fn check(answer: (u16, &'static str, &str), expected: &str) {
            let mut script = Script::of(&[answer]);
            let error = begin(client(), &mut script).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        check((404, "", ""), "gives no device code");
        check(
            (403, "cf-mitigated: challenge", ""),
            "a Cloudflare challenge",
        );
        check((0, "", ""), "issuer.example.org: no route");
        check((200, "", "{}"), "it has no device_auth_id");
        check(
            (200, "", r#"{"device_auth_id":"d"}"#),
            "it has no user_code",
        );
        let moving = r#"{"device_auth_id":"d","user_code":"a\u001b[2J"}"#;
        check((200, "", moving), "none that a person could type");
        check((401, "", r#"{"error":"invalid_client"}"#), "invalid_client");
    }
}
