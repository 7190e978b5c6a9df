//! What is wrong with a setting, in words that name the file, the line, the key and the way out.
//!
//! Text from files and variables is made harmless here, since a project's file may be a stranger's.

use super::Origin;
use super::keys;
use super::keys::Harmless;
use super::keys::Key;
use crate::base::text;
use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// More names of profiles than this are counted.
const NAMES_SHOWN_MAX: usize = 20;

/// More of a wrong value or line than this tells a person nothing new.
const SHOWN_CHARS_MAX: usize = 80;

/// Why there are no settings.
#[derive(Debug)]
pub enum Error {
    /// A line of a file means a setting that must not be left out, and is not `KEY=VALUE` in UTF-8.
    BadLine {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: u32,
        /// The setting that is meant.
        key: &'static Key,
    },
    /// A value that its key cannot have.
    WrongValue {
        /// Who set it.
        origin: Origin,
        /// Of which key.
        key: &'static Key,
        /// The value.
        value: String,
    },
    /// A profile is chosen that is not there.
    NoProfile {
        /// Who chose it.
        origin: Origin,
        /// Its name.
        name: String,
        /// The folders that were looked into.
        places: Vec<PathBuf>,
        /// Those that there are.
        known: Vec<String>,
    },
    /// `-e` names a key that does not exist.
    UnknownKey {
        /// As it was typed.
        key: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
}

/// Something that was ignored.
#[derive(Debug)]
pub enum Warning {
    /// A line that is no `KEY=VALUE`.
    BadLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u32,
        /// What it says.
        text: String,
    },
    /// A key that does not exist.
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u32,
        /// The word.
        key: String,
    },
    /// A key that the same file sets again further down.
    Repeated {
        /// The file.
        path: PathBuf,
        /// The line that counts.
        line: u32,
        /// The line before it, which does not.
        earlier: u32,
        /// The key.
        key: &'static Key,
    },
    /// A profile that chooses a profile.
    Nested {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u32,
    },
    /// A key that a file which is not trusted may not set, or not to this value.
    Untrusted {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u32,
        /// The key.
        key: &'static Key,
        /// The user's own settings file, where it would count.
        user_file: Option<PathBuf>,
    },
    /// There would be more warnings of one file than anybody reads.
    More {
        /// The file.
        path: PathBuf,
        /// How many more.
        count: usize,
    },
    /// A file that is there and cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::BadLine { path, line, key } => {
                let (at, name) = (At(path, *line), key.name);
                write!(f, "{at}: the line of {name} is not {name}=VALUE in UTF-8")
            }
            Error::WrongValue { origin, key, value } => {
                let value = if key.secret { "…" } else { value };
                let allowed = key.kind.allowed();
                write!(
                    f,
                    "{origin}: {} is `{}`; it must be {allowed}",
                    key.name,
                    shown(value)
                )
            }
            Error::NoProfile {
                origin,
                name,
                places,
                known,
            } => {
                write!(f, "{origin}: ACTIVE_PROFILE is `{name}`; ")?;
                match known.is_empty() {
                    false => {
                        let shown = &known[..known.len().min(NAMES_SHOWN_MAX)];
                        write!(f, "there is {}", shown.join(", "))?;
                        match known.len() - shown.len() {
                            0 => Ok(()),
                            more => write!(f, " and {more} more"),
                        }
                    }
                    true => {
                        let places = places.iter().map(|path| Shown(path).to_string());
                        let places: Vec<String> = places.collect();
                        write!(f, "there is no {name}.txt in {}", places.join(" or "))
                    }
                }
            }
            Error::UnknownKey { key, nearest } => {
                write!(f, "the command line: there is no key {}", shown(key))?;
                meant(f, *nearest)
            }
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::BadLine { path, line, text } => {
                // Only the words where a key may stand are shown: the rest may be a secret.
                let mut words = text.split([' ', '\t', '=', ':']).take(2);
                let first = words.clone().next().unwrap_or_default();
                let place = At(path, *line);
                write!(
                    f,
                    "{place}: the line that begins `{}` is not KEY=VALUE",
                    shown(first)
                )?;
                match words.find_map(keys::nearest) {
                    Some(nearest) => write!(f, "; did you mean {nearest}=…?"),
                    None => Ok(()),
                }
            }
            Warning::UnknownKey { path, line, key } => {
                write!(f, "{}: there is no key {}", At(path, *line), shown(key))?;
                meant(f, keys::nearest(key))
            }
            Warning::Repeated {
                path,
                line,
                earlier,
                key,
            } => {
                let at = At(path, *line);
                write!(
                    f,
                    "{at}: {} stands in line {earlier} too; this one counts",
                    key.name
                )
            }
            Warning::Nested { path, line } => {
                let at = At(path, *line);
                write!(
                    f,
                    "{at}: ACTIVE_PROFILE is ignored: a profile chooses no other"
                )
            }
            Warning::Untrusted {
                path,
                line,
                key,
                user_file,
            } => {
                write!(f, "{}: {} is ignored: ", At(path, *line), key.name)?;
                match key.harmless {
                    Harmless::Only(value) => write!(f, "this file may set it to {value} only")?,
                    Harmless::Except(value) => write!(f, "this file may not set it to {value}")?,
                    _ => f.write_str("this file may not set it")?,
                }
                f.write_str(" unless you trust it: `sx trust`")?;
                match user_file {
                    Some(own) => write!(f, ", or put the line into {}", Shown(own)),
                    None => Ok(()),
                }
            }
            Warning::More { path, count } => {
                write!(f, "{}: {count} more lines are wrong", Shown(path))
            }
            Warning::Unreadable { path, source } => {
                write!(
                    f,
                    "{}: cannot be read and is ignored: {source}",
                    Shown(path)
                )
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Implied(why) => write!(f, "default where {why}"),
            Origin::File { path, line, .. } => At(path, *line).fmt(f),
            Origin::Environment => f.write_str("the environment"),
            Origin::CommandLine => f.write_str("the command line"),
        }
    }
}

/// `path:line`, as editors take it.
struct At<'a>(&'a Path, u32);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Shown(self.0), self.1)
    }
}

/// A path that a terminal can take.
struct Shown<'a>(&'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::one_line(&self.0.to_string_lossy()))
    }
}

fn shown(value: &str) -> String {
    text::harmless(&text::ellipsis(value, SHOWN_CHARS_MAX)).replace('\n', "\\n")
}

fn meant(f: &mut fmt::Formatter<'_>, nearest: Option<&str>) -> fmt::Result {
    match nearest {
        Some(nearest) => write!(f, "; did you mean {nearest}?"),
        None => Ok(()),
    }
}
