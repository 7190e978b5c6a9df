//! A new login: how one is asked for (OAuth 2.0, RFC 6749), as requests and what answers mean.
//!
//! `device` lets the person enter a code elsewhere, `browser` sends them through a page that comes
//! back to us (`pkce`), `handed` takes what they have already. Each ends in tokens that `keep`
//! writes. Nothing here opens a socket or knows a terminal; what is sent and waited for goes
//! through [`Fetch`], and how long something took is the caller's to measure.

pub mod browser;
pub mod device;
pub mod exchange;
pub mod handed;
pub mod keep;
pub mod pkce;
pub mod revoke;

use crate::auth::Fetch;
use crate::auth::Unreachable;
use crate::auth::identity::Identity;
use crate::auth::refusal;
use crate::base::clock::Deadline;
use crate::base::date;
use crate::base::secret::Secret;
use crate::base::text;
use crate::http::exchange::Request;
use crate::http::head::Headers;
use crate::http::url::Scheme;
use crate::http::url::Url;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// What is asked for: who the person is, and a token that renews the login. Nothing else.
pub const SCOPE: &str = "openid profile email offline_access";

/// How long a person has. The service's own codes live as long.
pub const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// A service that says come back in an hour has no use for us now.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// How often a question is asked that is not a poll, before its failure is the person's.
const TRIES_MAX: u32 = 4;

/// Enough for a sentence of the service's.
const WORDS_CHARS_MAX: usize = 300;

/// Who asks whom for a login.
#[derive(Clone, Debug)]
pub struct Client {
    /// CODEX_ISSUER.
    pub issuer: Url,
    /// The client id.
    pub id: String,
    /// Who we say we are.
    pub identity: Identity,
}

impl Client {
    /// A login in the clear would be anyone's on the way.
    pub fn check_transport(&self) -> Result<(), Error> {
        let url = &self.issuer;
        match url.scheme == Scheme::Http && !url.is_loopback() {
            true => Err(Error::PlainHttp {
                issuer: url.to_string(),
            }),
            false => Ok(()),
        }
    }

    fn post(&self, path: &str, kind: &str, body: Vec<u8>) -> Request {
        Request::post(self.issuer.join(path), body)
            .header("content-type", kind)
            .header("accept", "application/json")
            .header("user-agent", self.identity.user_agent())
    }
}

/// What a login gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// The bearer.
    pub access: Secret,
    /// Who the person is, as a token.
    pub id: Option<Secret>,
    /// What renews the login.
    pub refresh: Option<Secret>,
    /// How many seconds the bearer lives, as far as the answer says so.
    pub expires_in: Option<u64>,
}

/// Why there is no login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// CODEX_ISSUER is plain http to another machine.
    PlainHttp {
        /// It.
        issuer: String,
    },
    /// The service has no device codes, or not for this account.
    NoDeviceCodes {
        /// The service.
        host: String,
    },
    /// Something between us and the service wants a person with a browser.
    Challenge {
        /// The service.
        host: String,
        /// The status that it came with.
        status: u16,
    },
    /// The person, or who decides for them, said no.
    Denied {
        /// In the service's words.
        detail: String,
    },
    /// Nobody said yes in time.
    Expired {
        /// Whose limit that was.
        limit: String,
    },
    /// The service could not be asked, or not now.
    Unreachable {
        /// The service.
        host: String,
        /// Why.
        detail: String,
    },
    /// The service refused what we asked.
    Refused {
        /// The service.
        host: String,
        /// What it said.
        detail: String,
    },
    /// The service's answer is not what it should be.
    Malformed {
        /// The service.
        host: String,
        /// What is wrong with it; nothing of it.
        why: &'static str,
    },
    /// The wait was ended, by a signal most likely.
    Stopped {
        /// Why.
        why: String,
    },
}

impl Error {
    /// What a person can do about it, in one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::PlainHttp { .. } => "see `sx config --dump --show-source`",
            Error::NoDeviceCodes { .. } => {
                "allow device codes in the security settings of the account (in a workspace its \
                 administrator does), or use `sx login --browser`: the address that the browser \
                 ends at can be pasted here"
            }
            Error::Challenge { .. } => {
                "this network is taken for a robot's: try another one or a proxy, or log in on \
                 another machine and hand the token in with `sx login --with-token -`"
            }
            Error::Denied { .. } => "log in with an account that may use it",
            Error::Expired { .. } => "start again: `sx login`",
            Error::Unreachable { .. } => "try again; `sx doctor` tries the way to it",
            Error::Refused { .. } | Error::Malformed { .. } => {
                "see CODEX_ISSUER and CODEX_CLIENT_ID: `sx config`"
            }
            Error::Stopped { .. } => "nothing was stored",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::PlainHttp { issuer } => write!(
                f,
                "CODEX_ISSUER is {issuer}: a login goes over plain http to this machine only; use \
                 https"
            ),
            Error::NoDeviceCodes { host } => {
                write!(f, "{host} gives no device code (status 404)")
            }
            Error::Challenge { host, status } => write!(
                f,
                "{host} answered with a page for a browser instead of data (status {status}): a \
                 Cloudflare challenge, or a proxy's own page"
            ),
            Error::Denied { detail } => write!(f, "the login was denied: {detail}"),
            Error::Expired { limit } => write!(f, "nobody logged in within {limit}"),
            Error::Unreachable { host, detail } => write!(f, "{host}: {detail}"),
            Error::Refused { host, detail } => write!(f, "{host} refused: {detail}"),
            Error::Malformed { host, why } => {
                write!(
                    f,
                    "{host} answered with something else than expected: {why}"
                )
            }
            Error::Stopped { why } => write!(f, "the login was stopped: {why}"),
        }
    }
}

impl std::error::Error for Error {}

/// What an answer says, before it is known what was asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// A good one: an object.
    Good(Value),
    /// Come back later; in so long, where it says so.
    Busy {
        wait: Option<Duration>,
        detail: String,
    },
    /// A refusal: its status, its code (empty where there is none) and all its words.
    Bad {
        status: u16,
        code: String,
        detail: String,
    },
}

/// Sorts an answer of `client`'s service.
pub(super) fn sort(
    client: &Client,
    status: u16,
    headers: &Headers,
    body: &[u8],
) -> Result<Answer, Error> {
    let host = client.issuer.authority();
    if is_challenge(status, headers, body) {
        return Err(Error::Challenge { host, status });
    }
    let value: Option<Value> = serde_json::from_slice(body).ok();
    if (200..300).contains(&status) {
        return match value.filter(Value::is_object) {
            Some(value) => Ok(Answer::Good(value)),
            None => Err(Error::Malformed {
                host,
                why: "it is no JSON object",
            }),
        };
    }
    let value = value.unwrap_or_default();
    let code = refusal::code(&value).to_ascii_lowercase();
    let detail = harmless(&refusal::words(&format!("status {status}"), &code, &value));
    Ok(match status {
        408 | 429 | 500..=599 => Answer::Busy {
            wait: stated_wait(headers),
            detail,
        },
        _ => Answer::Bad {
            status,
            code,
            detail,
        },
    })
}

/// Whether what came is for a browser and a person. Answers of a balancer that has nobody behind
/// it (502 to 504) are pages too, and pass; a 404 says that there is nothing here.
fn is_challenge(status: u16, headers: &Headers, body: &[u8]) -> bool {
    let says_so = headers
        .first("cf-mitigated")
        .is_some_and(|it| it.trim() == "challenge");
    let is_page = || {
        let kind = headers.first("content-type").unwrap_or_default();
        let start = body.trim_ascii_start();
        kind.trim_start()
            .to_ascii_lowercase()
            .starts_with("text/html")
            || start.starts_with(b"<")
    };
    says_so || (!matches!(status, 404 | 408 | 500..=599) && is_page())
}

/// Words of a stranger's, in one line that moves nothing on a terminal.
pub(super) fn harmless(words: &str) -> String {
    let words = text::one_line(words);
    let words = text::harmless(&words);
    text::ellipsis(&words, WORDS_CHARS_MAX).into_owned()
}

/// The wait that an answer asks for: `Retry-After` in seconds or as a date (RFC 9110 §10.2.3),
/// which counts from the answer's own `Date`, since our clock may be wrong.
fn stated_wait(headers: &Headers) -> Option<Duration> {
    let value = headers.first("retry-after")?.trim();
    let seconds = || {
        let now = date::parse_http(headers.first("date")?)?;
        Some(date::parse_http(value)?.saturating_sub(now))
    };
    let seconds = value.parse().ok().or_else(seconds)?;
    Some(Duration::from_secs(seconds).min(WAIT_MAX))
}

/// Asks until there is an answer that is neither a failure of the way nor of the moment, a few
/// times at most. What cannot be reached at all is told at once: a person waits.
pub(super) fn ask(
    client: &Client,
    request: &Request,
    fetch: &mut dyn Fetch,
) -> Result<Answer, Error> {
    let mut tries = 0;
    loop {
        tries += 1;
        let (status, headers, body) = send(client, request, fetch)?;
        let answer = sort(client, status, &headers, &body)?;
        let Answer::Busy { wait, detail } = answer else {
            return Ok(answer);
        };
        if tries == TRIES_MAX {
            let host = client.issuer.authority();
            return Err(Error::Unreachable { host, detail });
        }
        pause(wait.unwrap_or(Duration::from_secs(1 << tries)), fetch)?;
    }
}

/// Asks once.
pub(super) fn send(
    client: &Client,
    request: &Request,
    fetch: &mut dyn Fetch,
) -> Result<(u16, Headers, Vec<u8>), Error> {
    let sent = fetch.fetch(request.clone(), None);
    sent.map_err(|unreachable| Error::Unreachable {
        host: client.issuer.authority(),
        detail: unreachable.to_string(),
    })
}

/// Waits; a signal ends it.
pub(super) fn pause(wait: Duration, fetch: &mut dyn Fetch) -> Result<(), Error> {
    let waited = fetch.pause(Deadline::after(wait, "the wait between two questions"));
    waited.map_err(|Unreachable { why, .. }| Error::Stopped { why })
}

#[cfg(test)]
mod scripted;

#[cfg(test)]
mod tests {
    use super::scripted::client;
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.push(*name, *value);
        }
        headers
    }

    #[track_caller]
    fn check(status: u16, fields: &[(&str, &str)], body: &str, expected: &str) {
        let found = sort(&client(), status, &headers(fields), body.as_bytes());
        let found = match found {
            Ok(Answer::Good(_)) => "good".to_string(),
            Ok(Answer::Busy { wait, .. }) => format!("busy {:?}", wait.map(|w| w.as_secs())),
            Ok(Answer::Bad { code, detail, .. }) => format!("bad {code}: {detail}"),
            Err(Error::Challenge { status, .. }) => format!("challenge {status}"),
            Err(error) => format!("{error:?}"),
        };
        assert!(found.starts_with(expected), "{status} {body}: {found}");
    }

    #[test]
    fn an_answer_is_good_bad_or_for_later() {
        check(200, &[], "{}", "good");
        check(200, &[], "[]", "Malformed");
        check(
            400,
            &[],
            r#"{"error":"Access_Denied","error_description":"no\u001b[2J\nway"}"#,
            "bad access_denied: status 400: access_denied: no [2J way",
        );
        check(
            401,
            &[],
            r#"{"error":{"code":"x","message":"m"}}"#,
            "bad x: status 401: x: m",
        );
        check(403, &[], "", "bad : status 403");
        check(429, &[("retry-after", "7")], "", "busy Some(7)");
        check(429, &[("retry-after", "99999")], "", "busy Some(60)");
        let date = ("date", "Sun, 06 Nov 1994 08:49:30 GMT");
        let later = ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT");
        check(503, &[date, later], "", "busy Some(7)");
        check(503, &[later], "", "busy None");
    }

    #[test]
    fn a_page_where_data_should_be_is_named() {
        let html = ("content-type", "Text/HTML; charset=utf-8");
        check(200, &[html], "{}", "challenge 200");
        check(403, &[], "\n<!DOCTYPE html>", "challenge 403");
        check(429, &[html], "", "challenge 429");
        check(503, &[("cf-mitigated", "challenge")], "", "challenge 503");
        // A balancer without anyone behind it, and a path that is not there.
        check(502, &[html], "<html>", "busy None");
        check(404, &[html], "<html>", "bad : status 404");
    }

    #[test]
    fn a_login_goes_over_plain_http_to_this_machine_only() {
        let mut client = client();
        assert!(client.check_transport().is_ok());
        client.issuer = Url::parse("http://issuer.example.org").unwrap();
        let error = client.check_transport().unwrap_err();
        assert!(error.to_string().starts_with("CODEX_ISSUER is http://"));
        client.issuer = Url::parse("http://127.0.0.1:9").unwrap();
        assert!(client.check_transport().is_ok());
    }
}
