//! Why a run stopped before its work was done, sorted so that the exit code follows from it.

use crate::auth;
use crate::base::clock::Spoken;
use crate::hands;
use crate::net;
use crate::provider;
use crate::provider::Provider;
use crate::sys::signals::Signal;
use std::error;
use std::fmt;
use std::io;

/// What stopped a run.
#[derive(Debug)]
pub enum Failure {
    /// A signal: Ctrl-C, or the end of the terminal or the machine.
    Signal(i32),
    /// A limit of ours; its name as the user knows it.
    Limit(&'static str),
    /// Nobody can read what we print.
    Output(io::Error),
    /// There is no usable credential.
    Auth(auth::Error),
    /// The service said no, or nothing that makes sense.
    Provider(provider::Error),
    /// The service could not be reached.
    Net(net::Error),
    /// The tools' process could not be started or is gone.
    Hands(hands::client::Error),
    /// The service ended the answer early; how.
    Cut(&'static str),
    /// Waiting itself failed: a fault of ours or of the machine.
    Wait(io::Error),
}

impl Failure {
    /// What a person can do about it, where there is something.
    pub fn hint(&self, provider: &dyn Provider) -> Option<String> {
        match self {
            Failure::Auth(error) => Some(error.hint().to_string()),
            Failure::Hands(hands::client::Error::Refused { hint, .. }) if !hint.is_empty() => {
                Some(hint.clone())
            }
            Failure::Provider(provider::Error::Auth { .. }) => {
                Some(provider.login_hint().to_string())
            }
            Failure::Provider(
                provider::Error::Busy { after, .. }
                | provider::Error::Retry {
                    after: Some(after), ..
                },
            ) => Some(format!(
                "the service asks for a wait of {}; RETRY_MAX and RETRY_TOTAL limit ours",
                Spoken(*after)
            )),
            Failure::Provider(provider::Error::Retry { after: None, .. }) => Some(
                "RETRY_MAX and RETRY_TOTAL limit how often and how long it is tried".to_string(),
            ),
            Failure::Provider(provider::Error::Overflow { .. }) => {
                Some("begin a new session, or send less; CONTEXT_WINDOW and COMPACT_AT help".into())
            }
            Failure::Net(net::Error::Connect { limit: None, .. } | net::Error::Resolve { .. }) => {
                let key = provider.address_key();
                Some(format!(
                    "the address comes from {key}; see `sx config --get {key}`"
                ))
            }
            Failure::Limit("LOOP_MAX") => Some(
                "the model did the same again and again; say more of what is wanted, or raise \
                 LOOP_MAX"
                    .to_string(),
            ),
            Failure::Limit("COMPACT_AT") => Some(
                "summaries do not make room: the task, its rules or its results are too long \
                 for this model"
                    .to_string(),
            ),
            Failure::Net(error) => error.hint(),
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Signal(number) => match Signal::try_from(*number) {
                Ok(Signal::SIGINT) => f.write_str("stopped by Ctrl-C"),
                Ok(signal) => write!(f, "stopped by {signal}"),
                Err(_) => write!(f, "stopped by signal {number}"),
            },
            Failure::Limit(name) => write!(f, "the limit {name} is reached"),
            Failure::Output(source) => write!(f, "the output could not be written: {source}"),
            Failure::Auth(error) => error.fmt(f),
            Failure::Provider(error) => error.fmt(f),
            Failure::Net(error) => error.fmt(f),
            Failure::Hands(error) => error.fmt(f),
            Failure::Cut(how) => write!(f, "the service cut the answer off: {how}"),
            Failure::Wait(source) => write!(f, "cannot wait: {source}"),
        }
    }
}

impl error::Error for Failure {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Failure::Output(source) | Failure::Wait(source) => Some(source),
            Failure::Auth(source) => Some(source),
            Failure::Provider(source) => Some(source),
            Failure::Net(source) => Some(source),
            Failure::Hands(source) => Some(source),
            Failure::Signal(_) | Failure::Limit(_) | Failure::Cut(_) => None,
        }
    }
}
