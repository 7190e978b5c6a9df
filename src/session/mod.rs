//! Conversations on disk: what a session file holds, and why a file could not be used.
//!
//! One append-only file of JSON lines a session, `ID.jsonl`. The first line is a [`Header`], every
//! other an [`Entry`]; both only ever gain fields. [`log`] writes, [`load`](mod@load) reads what a
//! crash left, [`find`](mod@find) knows names and ages, [`mask`](mod@mask) keeps secrets out. No
//! index and no lock: two runs share a file only if a person resumes one session twice, and even
//! then their lines stay whole, since a line is one appending write. Nothing here knows what a
//! message means to a service.

pub mod find;
pub mod load;
pub mod log;
pub mod mask;

use crate::base::clock;
use crate::base::random;
use crate::chat::Message;
use crate::chat::delta::Usage;
use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;

pub use find::find;
pub use find::list;
pub use find::prune;
pub use load::load;
pub use load::load_all;
pub use mask::mask;

/// The form of the file that this version writes. A higher one is read as far as it is known.
pub const VERSION: u32 = 1;

/// The first line of a session file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The form of the file.
    #[serde(rename = "sx_session")]
    pub version: u32,
    /// The version of sx that began the session.
    #[serde(default)]
    pub sx: String,
    /// The session's id, which is also the file's name.
    #[serde(default)]
    pub id: String,
    /// The directory that the session began in.
    #[serde(default)]
    pub cwd: String,
    /// The provider that it began with.
    #[serde(default)]
    pub provider: String,
    /// The model that it began with, as it is sent.
    #[serde(default)]
    pub model: String,
    /// When it began, in unix seconds.
    #[serde(default)]
    pub created: u64,
}

impl Header {
    /// A header for a session that begins now, with an id that nobody else has.
    pub fn new(cwd: &Path, provider: &str, model: &str) -> Result<Header, random::Unavailable> {
        Ok(Header {
            version: VERSION,
            sx: env!("CARGO_PKG_VERSION").to_owned(),
            id: random::uuid()?,
            cwd: cwd.to_string_lossy().into_owned(),
            provider: provider.to_owned(),
            model: model.to_owned(),
            created: clock::unix_seconds(),
        })
    }

    /// What is left to say of a file whose header is lost: the id in its name.
    fn of_nameless(path: &Path) -> Header {
        let stem = path.file_stem().unwrap_or_default();
        Header {
            version: VERSION,
            sx: String::new(),
            id: stem.to_string_lossy().into_owned(),
            cwd: String::new(),
            provider: String::new(),
            model: String::new(),
            created: 0,
        }
    }
}

/// A line of a session file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// What every request of the session begins with; the last one counts.
    Setup(Setup),
    /// The next entry of the history.
    Message(Message),
    /// The conversation became too long: from here on these messages stand for all before.
    Compaction(Vec<Message>),
    /// The tokens of the answer before.
    Usage(Usage),
    /// A run ended here.
    End(End),
}

/// What stands before the history in a request. A resumed session sends it again as it was, also
/// after an upgrade that words it differently, so that the service's cache still knows the prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Setup {
    /// The system prompt.
    pub system: String,
    /// The model as it was sent.
    pub model: String,
    /// The provider's name.
    pub provider: String,
    /// The names of the offered tools, in the order in which they were sent.
    pub tools: Vec<String>,
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct End {
    /// The word for it: `done`, `cancelled` and the like.
    pub status: String,
}

/// Why a session could not be written, read or found.
#[derive(Debug)]
pub enum Error {
    /// The directory of sessions cannot be made or listed.
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written. The run can go on without it.
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What should be a session file is a directory, a pipe or a device.
    NotAFile {
        /// Its path.
        path: PathBuf,
    },
    /// A file is larger than any session can be.
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// No session of that name.
    Unknown {
        /// What was asked for.
        what: String,
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// More than one session has an id that begins so.
    Ambiguous {
        /// What was asked for.
        what: String,
        /// The ids that begin with it.
        ids: Vec<String>,
    },
    /// The newest session was asked for, and there is none.
    NoneYet {
        /// Where it was looked for.
        dir: PathBuf,
    },
}

/// Ids that the text of an error names; the rest is counted.
const IDS_SHOWN_MAX: usize = 8;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Directory { path, source } => {
                write!(f, "session directory {}: {source}", path.display())
            }
            Error::Write { path, source } | Error::Read { path, source } => {
                write!(f, "session file {}: {source}", path.display())
            }
            Error::NotAFile { path } => {
                write!(f, "session file {}: not a regular file", path.display())
            }
            Error::TooLarge { path, bytes } => {
                let path = path.display();
                write!(f, "session file {path}: {bytes} bytes are too many to load")
            }
            Error::Unknown { what, dir } => {
                write!(f, "no session `{what}` in {}", dir.display())
            }
            Error::Ambiguous { what, ids } => {
                let shown = &ids[..ids.len().min(IDS_SHOWN_MAX)];
                let all = ids.len();
                write!(
                    f,
                    "{all} sessions begin with `{what}`: {}",
                    shown.join(", ")
                )?;
                match all - shown.len() {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Error::NoneYet { dir } => write!(f, "no session yet in {}", dir.display()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Directory { source, .. }
            | Error::Write { source, .. }
            | Error::Read { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
