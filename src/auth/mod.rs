//! Credentials of the services: where they are found, how long they live, how they are renewed.
//!
//! Where a credential comes from is a [`Source`], one file each. Nothing here opens a connection or
//! waits: what is asked of the network or of another program, the caller fetches for us
//! ([`Fetch`]), so that Ctrl-C, proxies and time limits are the same as everywhere. No secret is
//! ever part of an error.

pub mod apart;
pub mod file;
pub mod gap;
pub mod identity;
pub mod jwt;
pub mod local;
pub mod refresh;
#[cfg(test)]
mod scratch;

use crate::base::clock::Deadline;
use crate::base::secret::Secret;
use crate::http::exchange::Request;
use crate::http::head::Headers;
use crate::proc::capture;
use crate::proc::capture::Capture;
use crate::proc::capture::Captured;
use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// A credential, ready to be put into a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The bearer.
    pub access: Secret,
    /// The account that pays, as the service names it.
    pub account_id: Option<String>,
    /// The person's address, for the first line.
    pub email: Option<String>,
    /// The plan, for the first line.
    pub plan: Option<String>,
    /// Unix seconds at which the bearer expires, where it says so.
    pub expires_at: Option<u64>,
    /// Whether the account lives in the service's government cloud.
    pub is_fedramp: bool,
    /// The file that it was read from.
    pub source: String,
}

/// Why a fresh token is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A request is about to be sent; the token is renewed only if it is about to expire.
    Proactive,
    /// The service did not accept the one we have.
    Unauthorized,
}

/// Where a service's credential comes from.
pub trait Source {
    /// What is known without asking anyone, good or expired; `None` where others must be asked.
    fn peek(&mut self) -> Result<Option<Token>, Error>;

    /// A token that the service should accept; waits by way of `fetch`.
    ///
    /// Before a request ([`Why::Proactive`]) it is the one we hold unless that is about to expire;
    /// what goes wrong with a renewal then is a warning while the old token lives. After a refusal
    /// ([`Why::Unauthorized`]) it is another one than that, or an error.
    fn fresh(&mut self, why: Why, fetch: &mut dyn Fetch) -> Result<Token, Error>;

    /// The secrets that it holds now: none of them may be shown or stored elsewhere.
    fn secrets(&self) -> Vec<&Secret>;

    /// Something that went wrong and did not matter yet; said once.
    fn take_warning(&mut self) -> Option<String>;
}

/// The world outside as `auth` sees it. Every wait hears Ctrl-C, and then ends with an error.
pub trait Fetch {
    /// Sends one request and returns the whole answer: status, fields, body. With `socket` it goes
    /// to the server that listens there, whatever its address says.
    fn fetch(
        &mut self,
        request: Request,
        socket: Option<&Path>,
    ) -> Result<(u16, Headers, Vec<u8>), Unreachable>;

    /// Waits while another process holds the credential's lock, `deadline` at most.
    fn pause(&mut self, deadline: Deadline) -> Result<(), Unreachable>;

    /// Waits until a program may have to be stepped.
    fn wait(&mut self, program: &Capture) -> Result<(), Unreachable>;
}

/// Runs a program to its end.
pub fn run(mut program: Capture, fetch: &mut dyn Fetch) -> Result<Captured, Unrun> {
    loop {
        if let Some(captured) = program.step().map_err(Unrun::Program)? {
            return Ok(captured);
        }
        fetch.wait(&program).map_err(Unrun::Stopped)?;
    }
}

/// Why a program did not come to its end.
#[derive(Debug)]
pub enum Unrun {
    /// The program is to blame.
    Program(capture::Error),
    /// Whoever waited was stopped.
    Stopped(Unreachable),
}

impl fmt::Display for Unrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unrun::Program(error) => error.fmt(f),
            Unrun::Stopped(reason) => reason.fmt(f),
        }
    }
}

/// There was no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreachable {
    /// Why, in one line.
    pub why: String,
    /// The request may have arrived, and only its answer be lost.
    pub may_have_arrived: bool,
}

impl Unreachable {
    /// Nobody was asked anything.
    pub fn new(why: impl Into<String>) -> Unreachable {
        Unreachable {
            why: why.into(),
            may_have_arrived: false,
        }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Unreachable {}

/// Who pays, for the first line: `you@example.org (plus)`.
pub fn describe(token: &Token) -> String {
    let who = token.email.as_deref().or(token.account_id.as_deref());
    let who = who.unwrap_or("unknown account");
    match &token.plan {
        Some(plan) => format!("{who} ({plan})"),
        None => who.to_string(),
    }
}

/// Why there is no credential, sorted by what is to be done about it.
#[derive(Debug)]
pub enum Error {
    /// There is no credential file in any of the places that were looked at: log in.
    NotFound {
        /// The places, in order.
        tried: Vec<PathBuf>,
    },
    /// The file is not what it should be: mend it or log in anew.
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file holds an API key, which this service's subscription does not take: log in.
    ApiKey {
        /// The file.
        path: PathBuf,
    },
    /// The bearer is of no use any more and there is nothing to renew it with: log in anew.
    Expired {
        /// The file.
        path: PathBuf,
    },
    /// The issuer will never renew this credential again: log in anew.
    Permanent {
        /// The file.
        path: PathBuf,
        /// What the issuer said.
        detail: String,
    },
    /// The file belongs to another account now: start again to use that one.
    OtherAccount {
        /// The file.
        path: PathBuf,
    },
    /// The issuer could not be asked, or could not answer: try again later.
    Transient {
        /// What happened.
        detail: String,
    },
    /// A setting forbids the refresh or breaks it.
    Settings {
        /// Which, and what is wrong with it.
        detail: String,
    },
    /// The file or its lock could not be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// What was to be done with it.
        action: &'static str,
        /// Why that failed.
        source: io::Error,
    },
}

impl Error {
    /// The word by which a program can tell what to do.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::NotFound { .. } => "not_found",
            Error::Malformed { .. } => "malformed",
            Error::ApiKey { .. } => "api_key",
            Error::Expired { .. } => "expired",
            Error::Permanent { .. } => "permanent",
            Error::OtherAccount { .. } => "other_account",
            Error::Transient { .. } => "transient",
            Error::Settings { .. } => "settings",
            Error::Io { .. } => "io",
        }
    }

    /// What a person can do about it, in one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::NotFound { .. } => {
                "log in with the official client (`codex login`), name a file in \
                 CODEX_CREDENTIALS_FILE, or try `sx demo`, which needs no login"
            }
            Error::ApiKey { .. } => {
                "log in with a ChatGPT account: `codex login` of the official client"
            }
            Error::Malformed { .. } | Error::Expired { .. } | Error::Permanent { .. } => {
                "log in again with the official client: `codex login`"
            }
            Error::OtherAccount { .. } => "start sx again to go on with the other account",
            Error::Transient { .. } => "try again; CODEX_ISSUER says who renews the login",
            Error::Settings { .. } => "see `sx config --dump --show-source`",
            Error::Io { .. } => {
                "see who owns the file and its folder, and whether they can be written"
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotFound { tried } if tried.is_empty() => f.write_str(
                "no login found: there is no home directory and CODEX_CREDENTIALS_FILE is not set",
            ),
            Error::NotFound { tried } => {
                f.write_str("no login found in ")?;
                for (index, path) in tried.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", path.display())?;
                }
                Ok(())
            }
            Error::Malformed { path, why } => write!(f, "{}: {why}", path.display()),
            Error::ApiKey { path } => write!(
                f,
                "{}: holds an API key, but codex needs a ChatGPT login",
                path.display()
            ),
            Error::Expired { path } => write!(
                f,
                "{}: the login has expired or was revoked, and holds nothing to renew it with",
                path.display()
            ),
            Error::Permanent { path, detail } => {
                write!(
                    f,
                    "{}: the login cannot be renewed: {detail}",
                    path.display()
                )
            }
            Error::OtherAccount { path } => write!(
                f,
                "{}: now belongs to another account than the one in use",
                path.display()
            ),
            Error::Transient { detail } => write!(f, "the login could not be renewed: {detail}"),
            Error::Settings { detail } => f.write_str(detail),
            Error::Io {
                path,
                action,
                source,
            } => write!(f, "cannot {action} {}: {source}", path.display()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
