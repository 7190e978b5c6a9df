//! The formats of HTTP/1.1 as a client meets them: bytes in, values out; no socket, no clock.
//!
//! `exchange` is the way in: one request and its response as a state machine. Below it lie `head`
//! (lines and fields), `body` (where a body ends) and `chunked`; beside it `url`, `sse` for event
//! streams, `redirect`, and `serve` for our own loopback servers. Not here: TLS, proxies and
//! deadlines (`net`), cookies, caches, compression and HTTP/2.
//!
//! How strict: what two readers could understand differently, so that one of them takes the end of
//! a message for the start of the next, is refused. What real servers merely do untidily is read.
//! Each choice stands beside its code with the section of RFC 9112 or RFC 9110 that allows it.

pub mod body;
pub mod chunked;
pub mod exchange;
pub mod head;
pub mod redirect;
pub mod serve;
pub mod sse;
pub mod url;

use std::fmt;

/// What can be wrong with a message, sorted by whose fault it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The user's: this is not an address that we can ask. `text` holds no password.
    Url {
        /// The address as it was given, cut short.
        text: String,
        /// What it lacks.
        reason: &'static str,
    },
    /// Ours: this would not be one request on the wire. Values are never shown, only names.
    Request {
        /// The part that is wrong, such as `header x-note`.
        part: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The peer broke the rules; the connection must be closed.
    Malformed {
        /// The part of the grammar that was expected.
        what: &'static str,
        /// What came instead: its first bytes, escaped.
        value: String,
    },
    /// The peer keeps to the rules, but uses something that we did not offer.
    Unasked {
        /// The kind of thing, such as `content-encoding`.
        what: &'static str,
        /// Its name.
        value: String,
    },
    /// The peer sent more of something than an honest one does.
    TooMany {
        /// What was counted, such as `header fields`.
        what: &'static str,
        /// As many would have been read.
        limit: usize,
    },
    /// The peer closed the connection too early. A new try may go better.
    Truncated {
        /// What was still to come.
        missing: String,
    },
}

impl Error {
    fn malformed(what: &'static str, bytes: &[u8]) -> Error {
        let value = excerpt(bytes);
        Error::Malformed { what, value }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Url { text, reason } => write!(f, "cannot use the url `{text}`: {reason}"),
            Error::Request { part, reason } => write!(f, "cannot send {part}: {reason}"),
            Error::Malformed { what, value } => write!(f, "malformed {what} `{value}`"),
            Error::Unasked { what, value } => write!(f, "{what} `{value}` was not asked for"),
            Error::TooMany { what, limit } => write!(f, "too many {what}, the limit is {limit}"),
            Error::Truncated { missing } => {
                write!(f, "connection closed too early, still to come: {missing}")
            }
        }
    }
}

impl std::error::Error for Error {}

/// Enough of a bad line to recognize it, and never a screenful.
const EXCERPT_BYTES_MAX: usize = 60;

/// The first bytes as printable ASCII: what comes from a peer may not steer a terminal.
fn excerpt(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(EXCERPT_BYTES_MAX)];
    let dots = if shown.len() < bytes.len() { "..." } else { "" };
    format!("{}{dots}", shown.escape_ascii())
}

/// Is there a control character other than the tab? RFC 9110 §5.5 has none of them in a field.
fn has_control(bytes: &[u8]) -> bool {
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    bytes.iter().any(is_control)
}

/// A number of digits and nothing else, if it fits: `parse` alone would take a sign.
fn parse_digits(text: &[u8]) -> Option<u64> {
    let text = str::from_utf8(text).ok()?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

/// Every way in which bytes may arrive that matters: whole, cut once at each place, one by one.
#[cfg(test)]
fn cuts(input: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let twice = (0..=input.len()).map(|cut| vec![&input[..cut], &input[cut..]]);
    let singly = input.chunks(1).collect();
    twice.chain([singly])
}
