//! Sets one key in a settings file or takes it out, and changes nothing else: comments, order,
//! blanks and line ends stay, byte for byte.
//!
//! The last line of a key is the one that counts, so that is the one that is changed; a key that
//! the file does not have is added at its end. To take it out takes out all its lines.

use super::disk;
use super::file;
use super::file::Content;
use std::io;
use std::path::Path;

/// The byte order mark, which editors of Windows put first.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// What a file says and said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Before; `None` where there was no file.
    pub was: Option<Vec<u8>>,
    /// Now.
    pub now: Vec<u8>,
}

impl Written {
    /// Whether it is the same.
    pub fn is_same(&self) -> bool {
        self.was.as_deref().unwrap_or_default() == self.now
    }

    /// Whether it says the same of `key`.
    pub fn is_same_of(&self, key: &str) -> bool {
        let values = |text: &[u8]| {
            let lines = lines_of(text, key).into_iter();
            lines.map(|(_, value)| value).collect::<Vec<_>>()
        };
        values(self.was.as_deref().unwrap_or_default()) == values(&self.now)
    }
}

/// A key with its value, or a key to take out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// The value, which must be one line.
    Set(&'a str),
    /// No line has the key any more.
    Unset,
}

/// Changes keys in the settings file `path`, which need not be there yet.
pub fn change(path: &Path, changes: &[(&str, Change<'_>)]) -> io::Result<Written> {
    let is_unset = |(_, change): &(&str, Change<'_>)| *change == Change::Unset;
    if changes.iter().all(is_unset) && disk::read(path)?.is_none() {
        let (was, now) = (None, Vec::new());
        return Ok(Written { was, now });
    }
    let _lock = disk::lock(path)?;
    let was = disk::read(path)?;
    let mut now = was.clone().unwrap_or_default();
    for (key, change) in changes {
        now = changed(&now, key, *change);
    }
    let written = Written { was, now };
    if !written.is_same() {
        let was = written.was.as_deref();
        disk::replace(path, Some(was), &written.now)?;
    }
    Ok(written)
}

/// The lines of a key: their numbers, from 1, and values. The last one counts.
pub fn lines_of(text: &[u8], name: &str) -> Vec<(u32, String)> {
    let lines = file::parse(text).into_iter();
    let of_it = lines.filter_map(|line| match line.content {
        Content::Pair { key, value } if key == name => Some((line.number, value.to_string())),
        _ => None,
    });
    of_it.collect()
}

/// The text with one change in it.
pub fn changed(text: &[u8], key: &str, change: Change<'_>) -> Vec<u8> {
    match change {
        Change::Set(value) => with(text, key, value),
        Change::Unset => without(text, key),
    }
}

/// The same text with `key` set to `value`.
fn with(text: &[u8], key: &str, value: &str) -> Vec<u8> {
    let is_it =
        |content: &Content<'_>| matches!(content, Content::Pair { key: k, .. } if *k == key);
    let lines = file::parse(text);
    let last = lines.iter().rfind(|line| is_it(&line.content));
    let Some(number) = last.map(|line| line.number) else {
        return [text, &addition(text, key, value)].concat();
    };
    let mut new = Vec::with_capacity(text.len() + value.len());
    for (at, line) in (1..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
        match at == number {
            true => new.extend(with_value(line, value)),
            false => new.extend_from_slice(line),
        }
    }
    new
}

/// The same text without the lines of `key`.
fn without(text: &[u8], key: &str) -> Vec<u8> {
    let lines = file::parse(text);
    let is_out = |number: u32| {
        lines.iter().any(|line| {
            line.number == number
                && matches!(&line.content, Content::Pair { key: k, .. } if *k == key)
        })
    };
    let kept = (1..)
        .zip(text.split_inclusive(|byte| *byte == b'\n'))
        .filter(|(number, _)| !is_out(*number));
    let new: Vec<u8> = kept.flat_map(|(_, line)| line.to_vec()).collect();
    match text.strip_prefix(BOM) {
        // It stood before a line that went.
        Some(_) if !new.starts_with(BOM) => [BOM, &new].concat(),
        _ => new,
    }
}

/// A line `KEY = VALUE` with another value and the same of everything else.
fn with_value(line: &[u8], value: &str) -> Vec<u8> {
    let start = line
        .iter()
        .position(|byte| *byte == b'=')
        .map_or(0, |at| at + 1);
    let old = &line[start..];
    let (lead, tail) = match old.trim_ascii().is_empty() {
        // Of a line without a value only its end is left.
        true => (
            0,
            old.iter()
                .position(|byte| b"\r\n".contains(byte))
                .unwrap_or(old.len()),
        ),
        false => (
            old.len() - old.trim_ascii_start().len(),
            old.trim_ascii_end().len(),
        ),
    };
    [&line[..start + lead], value.as_bytes(), &old[tail..]].concat()
}

/// What is to be added to a text that does not have the key, with the line ends that it uses.
fn addition(text: &[u8], key: &str, value: &str) -> Vec<u8> {
    let first = text.iter().position(|byte| *byte == b'\n');
    let is_crlf = first.is_some_and(|at| at > 0 && text[at - 1] == b'\r');
    let end = if is_crlf { "\r\n" } else { "\n" };
    let shown = text.strip_prefix(BOM).unwrap_or(text);
    let is_open = !shown.is_empty() && !shown.ends_with(b"\n");
    let before = if is_open { end } else { "" };
    format!("{before}{key}={value}{end}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = with(text.as_bytes(), "PROVIDER", "codex");
        assert_eq!(String::from_utf8(found).unwrap(), expected, "{text:?}");
        assert_eq!(
            with(expected.as_bytes(), "PROVIDER", "codex"),
            expected.as_bytes()
        );
    }

    #[test]
    fn one_line_changes_and_everything_else_stays() {
        check("", "PROVIDER=codex\n");
        check("\u{feff}", "\u{feff}PROVIDER=codex\n");
        check("# mine\nMODEL=x", "# mine\nMODEL=x\nPROVIDER=codex\n");
        check("A=1\r\nB=2\r\n", "A=1\r\nB=2\r\nPROVIDER=codex\r\n");
        check("A=1\r\nB=2", "A=1\r\nB=2\r\nPROVIDER=codex\r\n");
        check("\u{feff}PROVIDER=x\n", "\u{feff}PROVIDER=codex\n");
        check(
            "  PROVIDER =  x y  \r\n# PROVIDER=z\n\nB=2",
            "  PROVIDER =  codex  \r\n# PROVIDER=z\n\nB=2",
        );
        check("PROVIDER=", "PROVIDER=codex");
        check("PROVIDER= \r\nX=1\n", "PROVIDER=codex\r\nX=1\n");
        check("MYPROVIDER=x\n", "MYPROVIDER=x\nPROVIDER=codex\n");
        // The last one counts.
        check(
            "PROVIDER=a\nB=PROVIDER=1\nPROVIDER=b=c\nC=3\n",
            "PROVIDER=a\nB=PROVIDER=1\nPROVIDER=codex\nC=3\n",
        );
    }

    #[test]
    fn a_key_that_is_taken_out_takes_only_its_lines_along() {
        for (text, expected) in [
            ("", ""),
            ("# a\r\nA=1\r\n\r\nB=2\r\n", "# a\r\n\r\nB=2\r\n"),
            ("B=1\n A = x\nA=2\n#A=3\nAB=4", "B=1\n#A=3\nAB=4"),
            ("B=1\nA=2", "B=1\n"),
            ("\u{feff}A=1\nB=2\n", "\u{feff}B=2\n"),
            ("B=A=1\n", "B=A=1\n"),
        ] {
            let found = without(text.as_bytes(), "A");
            assert_eq!(String::from_utf8(found).unwrap(), expected, "{text:?}");
        }
    }
}
