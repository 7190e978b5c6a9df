//! Credentials of the services: where they are found, how long they live, how they are renewed.
//!
//! Where a credential comes from is a [`Source`], one file each. Nothing here opens a connection or
//! waits: what is asked of the network or of another program, the caller fetches for us
//! ([`Fetch`]), so that Ctrl-C, proxies and time limits are the same as everywhere. No secret is
//! ever part of an error.

pub mod account;
pub mod answer;
pub mod apart;
pub mod borrowed;
pub mod broker;
pub mod claude;
pub mod error;
pub mod file;
pub mod gap;
pub mod handed;
pub mod identity;
pub mod jwt;
pub mod local;
pub mod login;
pub mod patience;
pub mod refresh;
pub mod refusal;
pub mod remote;
#[cfg(test)]
mod scratch;
pub mod ssh;

use crate::base::clock::Deadline;
use crate::base::secret::Secret;
use crate::http::exchange::Request;
use crate::http::head::Headers;
use crate::proc::capture;
use crate::proc::capture::Capture;
use crate::proc::capture::Captured;
use std::fmt;
use std::path::Path;
use std::time::Duration;

pub use error::Error;
pub use error::Fault;

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

/// Who renews credentials answers in a second or two, or is down.
pub const FETCH_TIME_MAX: Duration = Duration::from_secs(60);

/// Its answers are three tokens long.
pub const FETCH_BYTES_MAX: usize = 1024 * 1024;

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

    /// The setting that holds the one token there is: after a refusal there is nobody to ask for
    /// another. `None` where there is.
    fn fixed_by(&self) -> Option<&'static str> {
        None
    }

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
