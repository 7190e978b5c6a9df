//! Puts the chunks of an update into a file's bytes.
//!
//! Chunks are found from top to bottom, each below the one before. An anchor must be a line at or
//! below the cursor, and the search goes on below it. Then the lines that stay or go are searched
//! in four passes over all that is left of the file, each laxer than the one before (`Pass`). A
//! chunk for the end of the file fits only there. If a chunk ends with an empty line and is not
//! found, it is searched without that line: models write it for the end of the file.
//!
//! What stays, stays byte for byte, whatever pass found it: blanks, line ends and letters of
//! another encoding. New lines get the line end that the file's first line has, and the last line
//! always gets one.

use crate::patch::Chunk;
use crate::patch::Closest;
use crate::patch::Error;
use crate::patch::Line;
use std::borrow::Cow;
use std::ops::Range;

/// The byte order mark of UTF-8. It belongs to the file, not to its first line.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The bytes of a file after its update.
pub fn apply_update(old: &[u8], chunks: &[Chunk]) -> Result<Vec<u8>, Error> {
    let (mark, text) = match old.strip_prefix(BYTE_ORDER_MARK) {
        Some(text) => (BYTE_ORDER_MARK, text),
        None => (&[][..], old),
    };
    let file = File::split(text);
    let mut places = place_all(&file, chunks)?;
    // Additions at the end of the file may come before changes further up.
    places.sort_by_key(|place| place.start);

    let mut new = mark.to_vec();
    let mut next = 0;
    for place in &places {
        // An addition above an empty last line may meet a change that covers that line.
        let start = place.start.max(next);
        file.copy(next..start, &mut new);
        next = start;
        for line in &place.lines {
            match line {
                Line::Keep(_) => {
                    file.copy(next..next + 1, &mut new);
                    next += 1;
                }
                Line::Remove(_) => next += 1,
                Line::Add(text) => {
                    new.extend_from_slice(text.as_bytes());
                    new.extend_from_slice(file.ending);
                }
            }
        }
    }
    file.copy(next..file.lines.len(), &mut new);
    Ok(new)
}

/// A file cut into lines.
struct File<'a> {
    /// Each line with its end, if it has one. Their text is made when it is compared: a file can
    /// have millions of lines.
    lines: Vec<&'a [u8]>,
    /// The byte that ends a line.
    end: u8,
    /// What ends the first line, for new lines; `end` if nothing does.
    ending: &'static [u8],
}

impl<'a> File<'a> {
    fn split(text: &'a [u8]) -> File<'a> {
        // Files with carriage returns alone are old, but there are some; in a file with line feeds
        // a lone carriage return is an ordinary character.
        let end = match text.contains(&b'\n') {
            false if text.contains(&b'\r') => b'\r',
            _ => b'\n',
        };
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == end).collect();
        let ending: &[u8] = match lines.first() {
            Some(first) if first.ends_with(b"\r\n") => b"\r\n",
            _ if end == b'\r' => b"\r",
            _ => b"\n",
        };
        File { lines, end, ending }
    }

    /// Copies lines as they are; one without an end gets one.
    fn copy(&self, lines: Range<usize>, to: &mut Vec<u8>) {
        for line in &self.lines[lines] {
            to.extend_from_slice(line);
            if line.last() != Some(&self.end) {
                to.extend_from_slice(self.ending);
            }
        }
    }
}

/// A line as text, without its end.
fn text_of(line: &[u8]) -> Cow<'_, str> {
    let ends: [&[u8]; 3] = [b"\r\n", b"\n", b"\r"];
    let text = ends.iter().find_map(|end| line.strip_suffix(*end));
    String::from_utf8_lossy(text.unwrap_or(line))
}

/// Where a chunk goes.
struct Place {
    /// The first line of the file that it covers, or the line that it is put before.
    start: usize,
    /// Its lines; those that stay or go are the lines of the file from `start` on.
    lines: Vec<Line>,
}

fn place_all(file: &File<'_>, chunks: &[Chunk]) -> Result<Vec<Place>, Error> {
    let mut cursor = 0;
    let mut places = Vec::new();
    for chunk in chunks {
        if let Some(anchor) = &chunk.anchor {
            let found = find(file, &[anchor.as_str()], cursor);
            let index = found.ok_or_else(|| Error::Anchor {
                anchor: anchor.clone(),
                from_line: cursor + 1,
            })?;
            cursor = index + 1;
        }
        let place = place(file, chunk, cursor)?;
        if has_old(&place.lines) {
            cursor = place.start + old_lines(&place.lines).len();
        }
        places.push(place);
    }
    Ok(places)
}

fn place(file: &File<'_>, chunk: &Chunk, cursor: usize) -> Result<Place, Error> {
    if !has_old(&chunk.lines) {
        return Ok(Place {
            start: end_of_text(file).max(cursor),
            lines: chunk.lines.clone(),
        });
    }
    let shorter = without_last_empty(&chunk.lines);
    for lines in std::iter::once(&chunk.lines).chain(&shorter) {
        let old = old_lines(lines);
        let from = if chunk.is_at_end {
            cursor.max(file.lines.len().saturating_sub(old.len()))
        } else {
            cursor
        };
        if let Some(start) = find(file, &old, from) {
            return Ok(Place {
                start,
                lines: lines.clone(),
            });
        }
    }
    let old = old_lines(&chunk.lines);
    Err(Error::Lines {
        closest: closest(file, &old, cursor),
        lines: old.into_iter().map(str::to_owned).collect(),
        from_line: cursor + 1,
    })
}

/// Where lines are put that have no place of their own: at the end, but above an empty last line.
fn end_of_text(file: &File<'_>) -> usize {
    let ends_empty = file
        .lines
        .last()
        .is_some_and(|last| text_of(last).is_empty());
    file.lines.len() - usize::from(ends_empty)
}

fn has_old(lines: &[Line]) -> bool {
    lines.iter().any(|line| !matches!(line, Line::Add(_)))
}

/// The lines that must be in the file.
fn old_lines(lines: &[Line]) -> Vec<&str> {
    lines
        .iter()
        .filter_map(|line| match line {
            Line::Keep(text) | Line::Remove(text) => Some(text.as_str()),
            Line::Add(_) => None,
        })
        .collect()
}

/// The lines without the last that must be there, if that is empty, and without an empty line at
/// the end of what comes of them.
fn without_last_empty(lines: &[Line]) -> Option<Vec<Line>> {
    let mut lines = lines.to_vec();
    let last = lines.iter().rposition(|line| !matches!(line, Line::Add(_)));
    match lines.remove(last?) {
        // It comes after all: what stays is in the result, and here it is not in the file.
        Line::Keep(text) if text.is_empty() => lines.insert(last?, Line::Add(text)),
        Line::Remove(text) if text.is_empty() => {}
        _ => return None,
    }
    let last_new = lines
        .iter()
        .rposition(|line| !matches!(line, Line::Remove(_)));
    if let Some(index) = last_new
        && let Line::Keep(text) | Line::Add(text) = &lines[index]
        && text.is_empty()
    {
        match &mut lines[index] {
            Line::Keep(_) => lines[index] = Line::Remove(String::new()),
            _ => drop(lines.remove(index)),
        }
    }
    Some(lines)
}

/// How alike two lines must be.
#[derive(Clone, Copy)]
enum Pass {
    /// The same.
    Exact,
    /// The same but for white space at the end.
    End,
    /// The same but for white space at both ends.
    Both,
    /// As `Both`, and with typographic dashes, quotes and blanks taken for plain ones.
    Folded,
}

/// From strict to lax; each goes over the whole range before the next begins.
const PASSES: [Pass; 4] = [Pass::Exact, Pass::End, Pass::Both, Pass::Folded];

impl Pass {
    /// What of a line is compared.
    fn of(self, line: &str) -> Cow<'_, str> {
        match self {
            Pass::Exact => Cow::Borrowed(line),
            Pass::End => Cow::Borrowed(line.trim_end()),
            Pass::Both => Cow::Borrowed(line.trim()),
            Pass::Folded if line.is_ascii() => Cow::Borrowed(line.trim()),
            Pass::Folded => Cow::Owned(line.trim().chars().map(folded).collect()),
        }
    }
}

/// The plain character that a typographic one stands for.
fn folded(c: char) -> char {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2018}'..='\u{201b}' => '\'',
        '\u{201c}'..='\u{201f}' => '"',
        '\u{a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        c => c,
    }
}

/// The first place at or below `from` where `wanted` stands, in the strictest pass that finds it.
/// No lines stand everywhere.
fn find(file: &File<'_>, wanted: &[&str], from: usize) -> Option<usize> {
    PASSES.into_iter().find_map(|pass| {
        let fit = best_fit(file, wanted, from, pass);
        (fit.count == wanted.len()).then_some(fit.start)
    })
}

/// The place at or below `from` where most of the first lines of `wanted` stand.
fn closest(file: &File<'_>, wanted: &[&str], from: usize) -> Option<Closest> {
    let Fit { start, count } = best_fit(file, wanted, from, Pass::Folded);
    if count == 0 || count == wanted.len() {
        return None;
    }
    let index = start + count;
    Some(Closest {
        line: index + 1,
        found: file.lines.get(index).map(|line| text_of(line).into_owned()),
        wanted: wanted[count].to_owned(),
    })
}

/// Where the first `count` of some lines stand.
struct Fit {
    start: usize,
    count: usize,
}

/// The first place at or below `from` where as many as possible of the first lines of `wanted`
/// stand.
///
/// Each line of the file is looked at once, by the algorithm of Knuth, Morris and Pratt: the plain
/// way takes minutes where a large file and a long chunk are all empty lines.
fn best_fit(file: &File<'_>, wanted: &[&str], from: usize, pass: Pass) -> Fit {
    let wanted: Vec<_> = wanted.iter().map(|line| pass.of(line)).collect();
    let borders = borders(&wanted);
    let mut best = Fit {
        start: from,
        count: 0,
    };
    let mut count = 0;
    for (index, line) in file.lines.iter().enumerate().skip(from) {
        if best.count == wanted.len() {
            break;
        }
        let text = text_of(line);
        let line = pass.of(&text);
        while count > 0 && line != wanted[count] {
            count = borders[count - 1];
        }
        if line == wanted[count] {
            count += 1;
        }
        if count > best.count {
            best = Fit {
                start: index + 1 - count,
                count,
            };
        }
    }
    best
}

/// For each line, how many of the first lines are also the last ones up to it, itself included and
/// not counting all of them.
fn borders(lines: &[Cow<'_, str>]) -> Vec<usize> {
    let mut borders = vec![0; lines.len()];
    let mut count = 0;
    for index in 1..lines.len() {
        while count > 0 && lines[index] != lines[count] {
            count = borders[count - 1];
        }
        if lines[index] == lines[count] {
            count += 1;
        }
        borders[index] = count;
    }
    borders
}
