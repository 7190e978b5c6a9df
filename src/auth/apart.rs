//! A renewal in a process of its own: what is ordered, and what came of it.
//!
//! The process is this binary with the hidden verb `renew`. It leads its own session, gets no
//! signal when its caller dies, and heeds none that means stop, so that only a KILL of itself can
//! part the issuer's answer from the disk. The order goes in by a pipe and the outcome comes back
//! by one, since both hold tokens; neither is ever an argument or a variable.

use crate::auth;
use crate::auth::Error;
use crate::auth::Fetch;
use crate::auth::Unrun;
use crate::auth::Why;
use crate::base::clock::Deadline;
use crate::base::secret::Secret;
use crate::base::text;
use crate::proc::SelfPath;
use crate::proc::capture::Bounds;
use crate::proc::capture::Capture;
use crate::proc::capture::Fate;
use crate::proc::capture::Job;
use crate::proc::environment::Pairs;
use serde_json::Value;
use serde_json::json;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// The hidden verb.
pub const VERB: &str = "renew";

/// A minute for the locks, one for the issuer, and some to spare.
const TIME_MAX: Duration = Duration::from_secs(130);

/// Whoever kills the process three times means it.
const TRIES_MAX: u32 = 3;

/// A credential file has at most 1 MiB.
const OUTCOME_BYTES_MAX: usize = 4 << 20;

/// How to start the process that renews.
pub struct Renewer {
    /// Our own binary.
    pub self_path: SelfPath,
    /// The whole environment: it holds settings.
    pub env: Pairs,
    /// Where the settings of a project are looked for.
    pub cwd: PathBuf,
    /// The settings of the command line.
    pub overrides: Vec<(String, String)>,
}

/// What is to be renewed.
pub struct Order {
    /// The settings of the caller's command line.
    pub overrides: Vec<(String, String)>,
    /// The credential file.
    pub path: PathBuf,
    /// Why.
    pub why: Why,
    /// The bearer that is of no use any more.
    pub access: Secret,
    /// Whose it is; another account's is none of ours.
    pub account_id: Option<String>,
    /// The bearer that the file holds, if that could not be rewritten before.
    pub outdated: Option<Secret>,
    /// What the file should hold then.
    pub document: Option<String>,
}

/// What came of it.
pub struct Outcome {
    /// The content of the credential file.
    pub document: String,
    /// Whether it is in the file.
    pub is_saved: bool,
    /// What went wrong beside it.
    pub warning: Option<String>,
}

impl Renewer {
    /// Has it done, and waits for it. What is left waiting by Ctrl-C goes on by itself; where
    /// somebody killed the process another one is started, which finds out what that one did.
    pub(super) fn renew(
        &self,
        order: &Order,
        fetch: &mut dyn Fetch,
    ) -> Result<Result<Outcome, Error>, Error> {
        let transient = |detail: String| Error::Transient { detail };
        let mut tries = 0;
        loop {
            tries += 1;
            let started = Capture::start(self.job(order), &self.self_path);
            let ran = started
                .map_err(Unrun::Program)
                .and_then(|program| auth::run(program, fetch));
            let captured = ran.map_err(|unrun| transient(unrun.to_string()))?;
            if let Some(outcome) = read_outcome(&order.path, &captured.output) {
                return Ok(outcome);
            }
            if captured.status.signal().is_none() || tries == TRIES_MAX {
                let words = String::from_utf8_lossy(&captured.words);
                return Err(transient(format!(
                    "the process that renews the login ended with {}: {}",
                    captured.status,
                    text::one_line(&words)
                )));
            }
        }
    }

    fn job(&self, order: &Order) -> Job {
        let overrides: Vec<[&str; 2]> = order
            .overrides
            .iter()
            .map(|(key, value)| [key.as_str(), value.as_str()])
            .collect();
        let line = json!({
            "overrides": overrides,
            "path": order.path.as_os_str().as_bytes(),
            "is_refused": order.why == Why::Unauthorized,
            "access": order.access.expose(),
            "account_id": order.account_id,
            "outdated": order.outdated.as_ref().map(Secret::expose),
            "document": order.document,
        });
        Job {
            program: self.self_path.as_path().into(),
            args: vec![VERB.into()],
            cwd: Some(self.cwd.clone()),
            env: self.env.clone(),
            input: format!("{line}\n").into_bytes(),
            bounds: Bounds {
                deadline: Deadline::after(TIME_MAX, "the time for renewing a login"),
                output_bytes_max: OUTCOME_BYTES_MAX,
                fate: Fate::Left,
            },
        }
    }
}

/// An order as the process that renews reads it.
pub fn read_order(line: &[u8]) -> Option<Order> {
    let line: Value = serde_json::from_slice(line).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_string);
    let path: Vec<u8> = serde_json::from_value(line["path"].clone()).ok()?;
    Some(Order {
        overrides: serde_json::from_value(line["overrides"].clone()).ok()?,
        path: OsString::from_vec(path).into(),
        why: match line["is_refused"].as_bool()? {
            true => Why::Unauthorized,
            false => Why::Proactive,
        },
        access: Secret::new(line["access"].as_str()?),
        account_id: text(&line["account_id"]),
        outdated: line["outdated"].as_str().map(Secret::new),
        document: text(&line["document"]),
    })
}

/// The line that says what came of an order.
pub fn outcome_line(outcome: &Result<Outcome, Error>) -> String {
    let line = match outcome {
        Ok(outcome) => json!({
            "document": outcome.document,
            "is_saved": outcome.is_saved,
            "warning": outcome.warning,
        }),
        Err(error) => {
            let detail = match error {
                Error::Permanent { detail, .. }
                | Error::Transient { detail }
                | Error::Settings { detail } => detail.clone(),
                Error::Malformed { why, .. } => why.clone(),
                Error::Io { source, .. } => source.to_string(),
                _ => String::new(),
            };
            json!({"error": error.kind(), "detail": detail})
        }
    };
    format!("{line}\n")
}

/// `None` for a line that is none: the process was killed, or is of another version.
fn read_outcome(path: &Path, line: &[u8]) -> Option<Result<Outcome, Error>> {
    let line: Value = serde_json::from_slice(line).ok()?;
    let text = |name: &str| line[name].as_str().map(str::to_string);
    let Some(kind) = line["error"].as_str() else {
        return Some(Ok(Outcome {
            document: text("document")?,
            is_saved: line["is_saved"].as_bool()?,
            warning: text("warning"),
        }));
    };
    let path = path.to_path_buf();
    let detail = text("detail").unwrap_or_default();
    Some(Err(match kind {
        "expired" => Error::Expired { path },
        "permanent" => Error::Permanent { path, detail },
        "other_account" => Error::OtherAccount { path },
        "settings" => Error::Settings { detail },
        "malformed" => Error::Malformed { path, why: detail },
        "not_found" => Error::NotFound { tried: vec![path] },
        "api_key" => Error::ApiKey { path },
        "io" => Error::Io {
            path,
            action: "renew the login in",
            source: io::Error::other(detail),
        },
        _ => Error::Transient { detail },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_comes_through_the_pipe_as_it_was() {
        let path = Path::new("/f");
        let good = Ok(Outcome {
            document: "{}".into(),
            is_saved: false,
            warning: Some("w".into()),
        });
        let back = read_outcome(path, outcome_line(&good).as_bytes())
            .unwrap()
            .unwrap();
        assert_eq!((back.document.as_str(), back.is_saved), ("{}", false));
        assert_eq!(back.warning.as_deref(), Some("w"));
        let errors = [
            Error::Expired { path: path.into() },
            Error::Permanent {
                path: path.into(),
                detail: "d".into(),
            },
            Error::OtherAccount { path: path.into() },
            Error::Settings { detail: "d".into() },
            Error::Malformed {
                path: path.into(),
                why: "d".into(),
            },
            Error::NotFound {
                tried: vec![path.into()],
            },
            Error::ApiKey { path: path.into() },
            Error::Transient { detail: "d".into() },
        ];
        for error in errors {
            let said = error.to_string();
            let line = outcome_line(&Err(error));
            let back = read_outcome(path, line.as_bytes()).unwrap().err().unwrap();
            assert_eq!(back.to_string(), said);
        }
        for torn in ["", "{", "{}", "[1]", "{\"document\":1}"] {
            assert!(read_outcome(path, torn.as_bytes()).is_none(), "{torn}");
        }
    }

    #[test]
    fn an_order_that_is_none_is_refused() {
        for line in ["", "{}", r#"{"overrides":[],"path":[],"access":1}"#] {
            assert!(read_order(line.as_bytes()).is_none(), "{line}");
        }
    }
}
