//! Reads a patch, line by line.
//!
//! Models write the format almost right, so some bends are accepted: blank space around markers
//! and headers (inside an update only behind them, since a line that starts with a blank is one of
//! the file), a here-document or a Markdown fence around the whole, CRLF line ends, no `@@` before
//! the first change, an empty line for one that is empty and stays, blank lines between hunks, a
//! line that names an environment. A missing end marker is not: the rest of the patch may have been
//! lost.

use crate::patch::Chunk;
use crate::patch::Error;
use crate::patch::Hunk;
use crate::patch::Line;
use crate::patch::Patch;
use std::ops::Range;

const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";
const ENVIRONMENT: &str = "*** Environment ID: ";
const ADD: &str = "*** Add File:";
const DELETE: &str = "*** Delete File:";
const UPDATE: &str = "*** Update File:";
const MOVE: &str = "*** Move to:";
const ANCHOR: &str = "@@";
const END_OF_FILE: &str = "*** End of File";

/// Opens a here-document, with or without quotes around the word that ends it.
const HERE_DOCUMENT: &str = "<<";

/// The programs that a here-document may be for.
const PROGRAMS: [&str; 3] = ["", "apply_patch", "applypatch"];

const FENCE: &str = "```";

const WANTED_HEADER: &str =
    "'*** Add File: path', '*** Delete File: path' or '*** Update File: path'";
const WANTED_ADDED: &str = "a line that starts with '+'";
const WANTED_CHANGE: &str =
    "'@@' or a line that starts with ' ' (stays), '-' (goes) or '+' (comes)";

/// Reads a patch.
pub fn parse(text: &str) -> Result<Patch, Error> {
    let lines: Vec<&str> = text.lines().collect();
    let body = body(&lines)?;
    let mut parser = Parser::default();
    for (index, line) in body.lines.iter().enumerate() {
        let number = body.first_number + index;
        parser.read(number, line)?;
    }
    parser.close_update()?;
    Ok(Patch {
        hunks: parser.hunks,
    })
}

/// The lines between the markers, and the number of the first of them.
struct Body<'a> {
    lines: &'a [&'a str],
    first_number: usize,
}

fn body<'a>(lines: &'a [&'a str]) -> Result<Body<'a>, Error> {
    let mut range = trimmed(lines, 0..lines.len());
    // Models wrap a patch as for a shell, and that as for a person.
    while range.len() >= 2
        && closing(lines[range.start].trim()) == Some(lines[range.end - 1].trim())
    {
        range = trimmed(lines, range.start + 1..range.end - 1);
    }
    let is_marker = |index: usize, marker| lines[index].trim() == marker;
    if range.is_empty() || !is_marker(range.start, BEGIN) {
        return Err(Error::NoBegin);
    }
    if range.len() < 2 || !is_marker(range.end - 1, END) {
        return Err(Error::NoEnd);
    }
    let mut start = range.start + 1;
    if lines[start].trim_start().starts_with(ENVIRONMENT) {
        start += 1;
    }
    Ok(Body {
        lines: &lines[start..range.end - 1],
        first_number: start + 1,
    })
}

/// The line that ends what this one opens, if it opens a fence or a here-document.
fn closing(line: &str) -> Option<&str> {
    if let Some(language) = line.strip_prefix(FENCE) {
        return (!language.contains(FENCE)).then_some(FENCE);
    }
    let (program, word) = line.split_once(HERE_DOCUMENT)?;
    let word = word.trim_start();
    let unquoted = |quote: char| word.strip_prefix(quote)?.strip_suffix(quote);
    let word = unquoted('\'').or_else(|| unquoted('"')).unwrap_or(word);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = !word.is_empty() && word.chars().all(is_word);
    (is_name && PROGRAMS.contains(&program.trim())).then_some(word)
}

/// The range without blank lines at its ends.
fn trimmed(lines: &[&str], mut range: Range<usize>) -> Range<usize> {
    let is_blank = |index: usize| lines[index].trim().is_empty();
    while !range.is_empty() && is_blank(range.start) {
        range.start += 1;
    }
    while !range.is_empty() && is_blank(range.end - 1) {
        range.end -= 1;
    }
    range
}

#[derive(Default)]
struct Parser {
    hunks: Vec<Hunk>,
    /// The header's line of an update that has not ended: the last of `hunks`.
    update_number: Option<usize>,
    /// Whether the last of `hunks` is an addition that takes more lines.
    is_adding: bool,
}

impl Parser {
    fn read(&mut self, number: usize, line: &str) -> Result<(), Error> {
        let is_updating = self.update_number.is_some();
        let header = if is_updating {
            line.trim_end()
        } else {
            line.trim()
        };
        if let Some(hunk) = hunk_of_header(number, header)? {
            self.close_update()?;
            self.is_adding = matches!(hunk, Hunk::Add { .. });
            self.update_number = matches!(hunk, Hunk::Update { .. }).then_some(number);
            self.hunks.push(hunk);
            return Ok(());
        }
        match self.hunks.last_mut() {
            Some(Hunk::Update {
                move_to, chunks, ..
            }) => read_change(number, line, move_to, chunks),
            Some(Hunk::Add { content, .. }) if self.is_adding && line.starts_with('+') => {
                content.push_str(&line[1..]);
                content.push('\n');
                Ok(())
            }
            // Only a header can follow, so that a forgotten '+' before an empty line is noticed.
            _ if line.trim().is_empty() => {
                self.is_adding = false;
                Ok(())
            }
            _ => Err(Error::Line {
                line: number,
                text: line.to_owned(),
                wanted: if self.is_adding {
                    WANTED_ADDED
                } else {
                    WANTED_HEADER
                },
            }),
        }
    }

    /// An update ends here; it must have said something.
    fn close_update(&mut self) -> Result<(), Error> {
        let Some(line) = self.update_number.take() else {
            return Ok(());
        };
        match self.hunks.last() {
            Some(Hunk::Update {
                path,
                move_to: None,
                chunks,
            }) if chunks.iter().all(|chunk| chunk.lines.is_empty()) => Err(Error::EmptyUpdate {
                line,
                path: path.clone(),
            }),
            _ => Ok(()),
        }
    }
}

/// The hunk that a header opens, if the line is one.
fn hunk_of_header(number: usize, line: &str) -> Result<Option<Hunk>, Error> {
    let path_after = |marker| match line.strip_prefix(marker).map(str::trim) {
        Some("") => Err(Error::NoPath { line: number }),
        path => Ok(path.map(str::to_owned)),
    };
    if let Some(path) = path_after(ADD)? {
        let content = String::new();
        return Ok(Some(Hunk::Add { path, content }));
    }
    if let Some(path) = path_after(DELETE)? {
        return Ok(Some(Hunk::Delete { path }));
    }
    let update = path_after(UPDATE)?.map(|path| Hunk::Update {
        path,
        move_to: None,
        chunks: Vec::new(),
    });
    Ok(update)
}

/// A line inside an update that is no header of a hunk.
fn read_change(
    number: usize,
    line: &str,
    move_to: &mut Option<String>,
    chunks: &mut Vec<Chunk>,
) -> Result<(), Error> {
    let marker = line.trim_end();
    if let Some(path) = marker.strip_prefix(MOVE)
        && chunks.is_empty()
        && move_to.is_none()
    {
        let path = path.trim();
        if path.is_empty() {
            return Err(Error::NoPath { line: number });
        }
        *move_to = Some(path.to_owned());
        return Ok(());
    }
    if let Some(rest) = marker.strip_prefix(ANCHOR)
        && (rest.is_empty() || rest.starts_with(' '))
    {
        chunks.push(Chunk {
            anchor: rest.strip_prefix(' ').map(str::to_owned),
            ..Chunk::default()
        });
        return Ok(());
    }
    if chunks.is_empty() {
        chunks.push(Chunk::default());
    }
    let chunk = chunks.last_mut().expect("one was pushed if there was none");
    if marker == END_OF_FILE {
        chunk.is_at_end = true;
        return Ok(());
    }
    let change = match line.split_at_checked(1) {
        None => Some(Line::Keep(String::new())),
        Some((" ", rest)) => Some(Line::Keep(rest.to_owned())),
        Some(("-", rest)) => Some(Line::Remove(rest.to_owned())),
        Some(("+", rest)) => Some(Line::Add(rest.to_owned())),
        Some(_) => None,
    };
    match change {
        // A blank line between the end of a file and the next header.
        Some(_) if chunk.is_at_end && marker.is_empty() => Ok(()),
        Some(change) if !chunk.is_at_end => {
            chunk.lines.push(change);
            Ok(())
        }
        _ => Err(Error::Line {
            line: number,
            text: line.to_owned(),
            wanted: WANTED_CHANGE,
        }),
    }
}
