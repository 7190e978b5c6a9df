//! The apply_patch format: text in, changes out; a file's bytes and its changes in, new bytes out.
//! No files are opened here.
//!
//! ```text
//! *** Begin Patch
//! *** Add File: path            then lines that start with +
//! *** Delete File: path
//! *** Update File: path         then, if it moves, *** Move to: path
//! @@ a line above the change    or @@ alone, or nothing before the first change
//!  a line that stays
//! -a line that goes
//! +a line that comes
//! *** End of File               if the change must be at the end
//! *** End Patch
//! ```
//!
//! There are no line numbers: a change is found by its lines, in order ([`update`] says how).
//! Paths are text here; what they are relative to is the caller's business.

pub mod parse;
pub mod update;

use crate::base::text::ellipsis;
use std::borrow::Cow;
use std::fmt;

pub use parse::parse;
pub use update::apply_update;

/// A parsed patch; it may have no hunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// What is done to files, in order.
    pub hunks: Vec<Hunk>,
}

/// What is done to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hunk {
    /// The file is made, or replaced if it is there.
    Add {
        /// Which file.
        path: String,
        /// All of it; each line ends with a line feed.
        content: String,
    },
    /// The file goes.
    Delete {
        /// Which file.
        path: String,
    },
    /// The file changes, moves, or both.
    Update {
        /// Which file.
        path: String,
        /// Where it goes; what is there is replaced.
        move_to: Option<String>,
        /// What changes in it, from top to bottom.
        chunks: Vec<Chunk>,
    },
}

/// A change at one place of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// A line above the change.
    pub anchor: Option<String>,
    /// The lines around the change and those of it. With none that stays or goes, the new lines
    /// are put at the end of the file.
    pub lines: Vec<Line>,
    /// Whether the lines must be the last of the file.
    pub is_at_end: bool,
}

/// A line of a change, without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// It is there and stays.
    Keep(String),
    /// It is there and goes.
    Remove(String),
    /// It comes.
    Add(String),
}

/// Why a patch is none, or why it does not fit a file. Line numbers count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The text does not start with the begin marker.
    NoBegin,
    /// The text does not end with the end marker, so part of it may be missing.
    NoEnd,
    /// A line of the patch that no hunk can have there.
    Line {
        /// Where.
        line: usize,
        /// The line.
        text: String,
        /// What could stand there.
        wanted: &'static str,
    },
    /// A header without a path.
    NoPath {
        /// Where.
        line: usize,
    },
    /// An update that changes nothing.
    EmptyUpdate {
        /// Where its header is.
        line: usize,
        /// The file.
        path: String,
    },
    /// The file has no such line, or not where it should be.
    Anchor {
        /// The line after `@@`.
        anchor: String,
        /// Lines of the file above this were passed by earlier changes.
        from_line: usize,
    },
    /// The file has no such lines, or not where they should be.
    Lines {
        /// The lines that should be there.
        lines: Vec<String>,
        /// Lines of the file above this were passed by earlier changes.
        from_line: usize,
        /// The place that fits best, if any fits at all.
        closest: Option<Closest>,
    },
}

/// Where lines almost fit: those above this one do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closest {
    /// The first line of the file that differs.
    pub line: usize,
    /// What it is; `None` at the end of the file.
    pub found: Option<String>,
    /// What the patch says it is.
    pub wanted: String,
}

/// Lines of a patch that an error repeats: enough to know them again.
const REPEATED_LINES_MAX: usize = 20;
const REPEATED_CHARS_MAX: usize = 200;

fn repeated(line: &str) -> Cow<'_, str> {
    ellipsis(line, REPEATED_CHARS_MAX)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoBegin => f.write_str("the first line must be '*** Begin Patch'"),
            Error::NoEnd => f.write_str("the last line must be '*** End Patch'"),
            Error::Line { line, text, wanted } => {
                let text = repeated(text);
                write!(f, "invalid hunk at line {line}, '{text}' is not {wanted}")
            }
            Error::NoPath { line } => write!(f, "invalid hunk at line {line}, it names no file"),
            Error::EmptyUpdate { line, path } => {
                write!(
                    f,
                    "invalid hunk at line {line}, it changes nothing in {path}"
                )
            }
            Error::Anchor { anchor, from_line } => {
                let anchor = repeated(anchor);
                write!(f, "there is no line '{anchor}' from line {from_line} on")?;
                match is_range(&anchor) {
                    true => f.write_str(
                        "; this format has no line numbers: write @@ alone, or with a line that \
                         is above the change",
                    ),
                    false => Ok(()),
                }
            }
            Error::Lines {
                lines,
                from_line,
                closest,
            } => {
                write!(f, "these lines are not there, from line {from_line} on:")?;
                for line in lines.iter().take(REPEATED_LINES_MAX) {
                    write!(f, "\n{}", repeated(line))?;
                }
                if lines.len() > REPEATED_LINES_MAX {
                    write!(f, "\n[and {} more]", lines.len() - REPEATED_LINES_MAX)?;
                }
                match closest {
                    Some(closest) => write!(f, "\n{closest}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Whether it is what a unified diff has behind `@@`: `-1,2 +1,3 @@`.
fn is_range(anchor: &str) -> bool {
    let is_place = |place: &str| place.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b','));
    let mut words = anchor.split_whitespace();
    ['-', '+'].into_iter().all(|sign| {
        let place = words.next().and_then(|word| word.strip_prefix(sign));
        place.is_some_and(is_place)
    }) && words.next() == Some("@@")
}

impl fmt::Display for Closest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Closest {
            line,
            found,
            wanted,
        } = self;
        let wanted = repeated(wanted);
        match found.as_deref().map(repeated) {
            Some(found) => write!(f, "closest: line {line} is '{found}', not '{wanted}'"),
            None => write!(f, "closest: the file ends before line {line}, '{wanted}'"),
        }
    }
}

impl std::error::Error for Error {}

/// What must hold for any patch, and for any file, which follows it behind a NUL: every hunk names
/// what it is for, lines that stay change nothing but the end of the last one, and what is said of
/// a misfit is bounded.
pub fn fuzz_patch(input: &[u8]) {
    let nul = input.iter().position(|byte| *byte == 0);
    let (text, file) = input.split_at(nul.unwrap_or(input.len()));
    let file = file.get(1..).unwrap_or_default();
    let patch = match parse(&String::from_utf8_lossy(text)) {
        Ok(patch) => patch,
        Err(error) => return check_bounded(&error),
    };
    for hunk in &patch.hunks {
        let (Hunk::Add { path, .. } | Hunk::Delete { path } | Hunk::Update { path, .. }) = hunk;
        assert!(!path.trim().is_empty());
        let Hunk::Update { chunks, .. } = hunk else {
            continue;
        };
        match apply_update(file, chunks) {
            Ok(new) => {
                let mut lines = chunks.iter().flat_map(|chunk| &chunk.lines);
                if lines.all(|line| matches!(line, Line::Keep(_))) {
                    assert!(new.starts_with(file) && new.len() <= file.len() + 2);
                }
            }
            Err(error) => check_bounded(&error),
        }
    }
}

fn check_bounded(error: &Error) {
    // The lines that are missing and the two that differ, each with some words of ours.
    let lines = REPEATED_LINES_MAX + 4;
    let chars = error.to_string().chars().count();
    assert!(chars <= lines * (REPEATED_CHARS_MAX + 100), "{error}");
}

#[cfg(test)]
mod tests;
