//! `edit`: replaces exact text in a file. Each text to be replaced must be there just once, unless
//! the call says all; if one edit cannot be made, none is.
//!
//! The file is bytes: where it is not UTF-8 only the bytes of the edited places change. Models
//! write line feeds, so a text without carriage returns also fits lines that end with CRLF, and
//! what replaces it gets the line ends of the place.

use crate::chat::tool::Effect;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::tools::Answer;
use crate::tools::Refusal;
use crate::tools::Start;
use crate::tools::Tool;
use crate::tools::Workplace;
use crate::tools::arguments::Arguments;
use crate::tools::diff::Changes;
use crate::tools::file;
use crate::tools::file::Target;
use crate::tools::near;
use crate::tools::replace::Destination;
use std::fmt;
use std::ops::Range;

/// The tool.
pub(super) const TOOL: Tool = Tool {
    spec: ToolSpec {
        name: "edit",
        description: "Replaces text in a file. Each old must be exactly as in the file, without \
            line numbers, and be there once; give lines around it to make it unique, or all to \
            replace every one. Edits are made in order, all or none.",
        input: Input::Schema(concat!(
            r#"{"type":"object","properties":{"path":{"type":"string"},"#,
            r#""edits":{"type":"array","items":{"type":"object","properties":{"#,
            r#""old":{"type":"string"},"new":{"type":"string"},"all":{"type":"boolean"}},"#,
            r#""required":["old","new"],"additionalProperties":false}}},"#,
            r#""required":["path","edits"],"additionalProperties":false}"#,
        )),
        effect: Effect::Changes,
    },
    fields: &["path", "edits"],
    start,
};

/// Places that an error names.
const NAMED_LINES_MAX: usize = 10;

/// One replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edit {
    old: String,
    new: String,
    is_for_all: bool,
}

/// Why an edit cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Error {
    /// There is nothing to look for.
    Empty,
    /// Old and new are the same.
    Same,
    /// It is not there; the lines of the file that are most like it.
    Missing { near: Option<String> },
    /// It is there `count` times, first at these lines.
    Many { count: usize, lines: Vec<usize> },
    /// It is there once more, and begins the second time, at this line, before the first time ends.
    Overlaps { line: usize },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Empty => f.write_str("its old is empty; use write for a new file"),
            Error::Same => f.write_str("its old and new are the same"),
            Error::Missing { near: None } => f.write_str("its old is not there"),
            Error::Missing { near: Some(near) } => {
                write!(f, "its old is not there; the closest lines are:\n{near}")
            }
            Error::Many { count, lines } => {
                let named: Vec<String> = lines.iter().map(usize::to_string).collect();
                let more = if *count > lines.len() { ", …" } else { "" };
                write!(
                    f,
                    "its old is there {count} times (lines {}{more}); give more lines around it, \
                     or all",
                    named.join(", ")
                )
            }
            Error::Overlaps { line } => write!(
                f,
                "its old is there more than once, and overlaps itself (line {line}); give more \
                 lines around it"
            ),
        }
    }
}

impl std::error::Error for Error {}

fn start(mut arguments: Arguments, place: &Workplace) -> Result<Start, Refusal> {
    let target = Target::new(&place.cwd, &arguments.text("path")?)?;
    let mut edits = Vec::new();
    for mut fields in arguments.objects("edits", &["old", "new", "all"])? {
        edits.push(Edit {
            old: fields.text("old")?,
            new: fields.text("new")?,
            is_for_all: fields.flag("all")?,
        });
    }
    // Looked at first, so that a change after the reading is noticed.
    let destination = Destination::find(&target, &place.cwd);
    let (encoding, old) = target.read_text(file::WHOLE_BYTES_MAX)?;
    let new = edit_all(&old, &edits).map_err(|(index, error)| {
        let name = &target.name;
        let which = match edits.len() {
            1 => "the edit cannot be made".to_owned(),
            count => format!("edit {} of {count} cannot be made, so none was", index + 1),
        };
        Refusal::new(format!("{name}: {which}: {error}"))
    })?;
    let changes = Changes::of(&target.name, &old, &new);
    let bytes = encoding.encode(new);
    let lost = destination?.stage(&bytes, None)?.commit()?;

    let mut text = format!("edited {}: {}", target.name, changes.summary());
    for lost in lost {
        text.push_str(&format!("; {lost}"));
    }
    Ok(Start::Answer(Answer {
        summary: changes.summary(),
        detail: changes.detail(),
        ..Answer::text(text)
    }))
}

/// Makes the edits, each in what the one before left. The error has the index of its edit.
fn edit_all(file: &[u8], edits: &[Edit]) -> Result<Vec<u8>, (usize, Error)> {
    let mut text = Text::decode(file);
    for (index, edit) in edits.iter().enumerate() {
        text.edit(edit).map_err(|error| (index, error))?;
    }
    Ok(text.encode())
}

/// A file's bytes as text that can be searched.
enum Text {
    Utf8(String),
    /// Each byte as the character of its number, so that any bytes come back unchanged.
    Bytes(String),
}

impl Text {
    fn decode(bytes: &[u8]) -> Text {
        match std::str::from_utf8(bytes) {
            Ok(text) => Text::Utf8(text.to_owned()),
            Err(_) => Text::Bytes(widened(bytes)),
        }
    }

    fn encode(self) -> Vec<u8> {
        match self {
            Text::Utf8(text) => text.into_bytes(),
            // Every character came from a byte. Were that ever wrong, `?` would show it.
            Text::Bytes(text) => text
                .chars()
                .map(|c| u8::try_from(c).unwrap_or(b'?'))
                .collect(),
        }
    }

    fn edit(&mut self, edit: &Edit) -> Result<(), Error> {
        match self {
            Text::Utf8(text) => *text = edited(text, edit)?,
            Text::Bytes(text) => {
                let widened = Edit {
                    old: widened(edit.old.as_bytes()),
                    new: widened(edit.new.as_bytes()),
                    is_for_all: edit.is_for_all,
                };
                *text = edited(text, &widened)?;
            }
        }
        Ok(())
    }
}

fn widened(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The text after an edit.
fn edited(text: &str, edit: &Edit) -> Result<String, Error> {
    if edit.old.is_empty() {
        return Err(Error::Empty);
    }
    if edit.old == edit.new {
        return Err(Error::Same);
    }
    let places = places(text, &edit.old);
    if places.is_empty() {
        return Err(Error::Missing {
            near: near::lines(text, &edit.old),
        });
    }
    let line_of = |place: &Range<usize>| 1 + text[..place.start].matches('\n').count();
    if let [place] = &places[..]
        && !edit.is_for_all
        && let Some(second) = overlapping(text, place, &edit.old)
    {
        let line = line_of(&second);
        return Err(Error::Overlaps { line });
    }
    if places.len() > 1 && !edit.is_for_all {
        return Err(Error::Many {
            count: places.len(),
            lines: places.iter().take(NAMED_LINES_MAX).map(line_of).collect(),
        });
    }
    // Who writes carriage returns means what is written.
    let is_literal = edit.old.contains('\r') || edit.new.contains('\r');
    let mut result = String::with_capacity(text.len());
    let mut next = 0;
    for place in places {
        result.push_str(&text[next..place.start]);
        if !is_literal && has_crlf(text, &text[place.clone()]) {
            result.push_str(&edit.new.replace('\n', "\r\n"));
        } else {
            result.push_str(&edit.new);
        }
        next = place.end;
    }
    result.push_str(&text[next..]);
    Ok(result)
}

/// Where `old` is in `text`, from left to right, without overlaps. A line feed of `old` fits a
/// CRLF of `text` too, unless `old` has carriage returns of its own.
fn places(text: &str, old: &str) -> Vec<Range<usize>> {
    let plain = |text: &str| -> Vec<Range<usize>> {
        let found = text.match_indices(old);
        found.map(|(start, _)| start..start + old.len()).collect()
    };
    if old.contains('\r') || !text.contains("\r\n") {
        return plain(text);
    }
    let unix = text.replace("\r\n", "\n");
    // For each carriage return that was left out, where its line feed is in `unix`.
    let shortened: Vec<usize> = text
        .match_indices("\r\n")
        .enumerate()
        .map(|(count, (start, _))| start - count)
        .collect();
    // A place that begins at such a line feed begins at its carriage return, and one that ends
    // before it ends before both.
    let back = |place: usize| place + shortened.partition_point(|at| *at < place);
    let found = plain(&unix).into_iter();
    found
        .map(|place| back(place.start)..back(place.end))
        .collect()
}

/// Where `old` is a second time, if it begins within `place`, where it is first: `}\n}\n` is twice
/// in three lines of `}`.
fn overlapping(text: &str, place: &Range<usize>, old: &str) -> Option<Range<usize>> {
    let first = &text[place.clone()];
    let step = match first.starts_with("\r\n") {
        true => 2,
        false => first.chars().next()?.len_utf8(),
    };
    let from = place.start + step;
    let second = places(&text[from..], old).into_iter().next()?;
    Some(second.start + from..second.end + from)
}

/// Whether lines end with CRLF in `place`, or if it has no line end, at the start of `text`.
fn has_crlf(text: &str, place: &str) -> bool {
    let sample = if place.contains('\n') { place } else { text };
    match sample.find('\n') {
        Some(end) => sample[..end].ends_with('\r'),
        None => false,
    }
}

#[cfg(test)]
mod tests;
