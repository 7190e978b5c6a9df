//! Searches one file, which goes past in blocks: its size does not matter, nor does a line's.
//!
//! Lines are what matches, as in ripgrep: a match that reaches into the next line is none. A whole
//! block is searched at once, since that is many times faster than line by line; only where a match
//! crosses a line's end, the rest of the block is searched by lines. A line that is longer than
//! [`LINE_BYTES_MAX`] is searched in pieces that overlap.

use crate::tools::walk::Stop;
use memchr::memchr;
use memchr::memchr_iter;
use memchr::memrchr;
use regex::bytes::Regex;
use std::io;
use std::io::Read;
use std::ops::Range;

/// How much is read at once, as ripgrep does it: what most files fit into.
const BLOCK_BYTES: usize = 64 * 1024;

/// A longer line is searched in pieces.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// What a piece shares with the one before it: a longer match on so long a line may be missed.
const OVERLAP_BYTES: usize = 32 * 1024;

/// What may be kept of lines for the context of a match in the next block.
const CONTEXT_BYTES_MAX: usize = 32 * 1024;

/// Longer than any line that a person wrote; of a longer one the part around the match is shown.
const SHOWN_BYTES_MAX: usize = 400;

/// What is shown before the match in a longer line.
const LEAD_BYTES: usize = 100;

const NEWLINE: u8 = b'\n';

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Query {
    /// What a line must match.
    pub regex: Regex,
    /// Whether one matching line is enough.
    pub first_only: bool,
    /// How many lines before and after a match are shown.
    pub context: usize,
}

/// A line of a file, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// From 1.
    pub number: u64,
    /// Whether it matches; else it is context.
    pub is_match: bool,
    /// Its text without the line's end, cut where it is long.
    pub text: String,
}

/// What came of a file.
#[derive(Debug)]
pub struct Scan {
    /// How many lines match.
    pub matches: u64,
    /// The first of them, and their context.
    pub lines: Vec<Line>,
    /// Why it ended.
    pub end: End,
}

/// Why a search of a file ended.
#[derive(Debug)]
pub enum End {
    /// All was searched that had to be.
    Done,
    /// It has a NUL byte, before which only whole blocks were searched.
    Binary,
    /// It is UTF-16 text, which is not searched.
    Utf16,
    /// There is no time for more of it.
    Stopped,
    /// It could not be read to its end.
    Failed(io::Error),
}

/// Searches one file after the other.
#[derive(Debug)]
pub struct Searcher {
    query: Query,
    stop: Stop,
    buffer: Vec<u8>,
}

impl Searcher {
    /// One that has a buffer and a regular expression of its own: threads do not share them well.
    pub fn new(query: &Query, stop: &Stop) -> Searcher {
        Searcher {
            query: query.clone(),
            stop: stop.clone(),
            buffer: vec![0; BLOCK_BYTES],
        }
    }

    /// Searches what `source` gives. `lines_max` lines are kept, matches are counted all.
    pub fn search(&mut self, source: impl Read, lines_max: usize) -> Scan {
        let mut pass = Pass {
            query: &self.query,
            lines_max,
            matches: 0,
            lines: Vec::new(),
            window: Window::default(),
            number: 1,
            counted: 0,
            shown_to: 0,
            after: 0,
        };
        let end = pass.run(source, &mut self.buffer, &self.stop);
        Scan {
            matches: pass.matches,
            lines: pass.lines,
            end,
        }
    }
}

/// What of the buffer is what.
#[derive(Debug, Default)]
struct Window {
    /// Where the search goes on.
    from: usize,
    /// How far it is filled.
    filled: usize,
    /// Whether the buffer begins in the middle of a line.
    is_cut: bool,
    /// Whether `from` is in that line.
    long: Long,
}

/// A line that is searched in pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Long {
    /// There is none.
    #[default]
    No,
    /// It has not matched yet.
    Searched,
    /// It has; only its end is looked for.
    Matched,
}

/// One file on its way.
struct Pass<'a> {
    query: &'a Query,
    lines_max: usize,
    matches: u64,
    lines: Vec<Line>,
    window: Window,
    /// The number of the line at `counted`, a position in the buffer.
    number: u64,
    counted: usize,
    /// Lines before this position are shown, or never will be.
    shown_to: usize,
    /// How many lines after the last match are still to be shown.
    after: usize,
}

impl Pass<'_> {
    fn run(&mut self, mut source: impl Read, buffer: &mut Vec<u8>, stop: &Stop) -> End {
        let mut is_start = true;
        loop {
            if stop.is_due() {
                return End::Stopped;
            }
            if self.window.filled == buffer.len() {
                self.make_room(buffer);
                if self.query.first_only && self.matches > 0 {
                    return End::Done;
                }
            }
            let room = &mut buffer[self.window.filled..];
            // At the start, what tells its encoding, and a byte more.
            let mut count = match read_some(&mut source, room, if is_start { 4 } else { 1 }) {
                Ok(count) => count,
                Err(error) => return End::Failed(error),
            };
            if std::mem::take(&mut is_start) {
                if count > 1 && matches!(room, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
                    return End::Utf16;
                }
                if room[..count].starts_with(b"\xef\xbb\xbf") {
                    room.copy_within(3..count, 0);
                    count -= 3;
                }
            }
            let read = &room[..count];
            if memchr(0, read).is_some() {
                return End::Binary;
            }
            let read_from = self.window.filled;
            self.window.filled += count;
            let filled = &buffer[..self.window.filled];
            let limit = match count {
                0 => filled.len(),
                _ => memrchr(NEWLINE, &filled[read_from..]).map_or(0, |at| read_from + at + 1),
            };
            if limit > self.window.from {
                self.search_lines(&filled[..limit]);
            }
            if count == 0 || self.query.first_only && self.matches > 0 {
                return End::Done;
            }
        }
    }

    /// Searches whole lines, from `from` to the end.
    fn search_lines(&mut self, block: &[u8]) {
        let mut from = self.window.from;
        if self.window.long != Long::No {
            let end = line_end(block, from);
            if self.window.long == Long::Matched {
                self.shown_to = end + 1;
            } else if let Some(found) = self.query.regex.find_at(&block[..end], from) {
                self.take(block, 0..end, found.range());
            }
            self.window.long = Long::No;
            from = end + 1;
        }
        let mut is_by_line = false;
        while from < block.len() {
            if self.query.first_only && self.matches > 0 {
                return;
            }
            if is_by_line {
                let line = from..line_end(block, from);
                if let Some(found) = self.query.regex.find(&block[line.clone()]) {
                    let range = found.start() + from..found.end() + from;
                    self.take(block, line.clone(), range);
                }
                from = line.end + 1;
                continue;
            }
            let Some(found) = self.query.regex.find_at(block, from) else {
                break;
            };
            let start = memrchr(NEWLINE, &block[from..found.start()])
                .map_or(from, |newline| from + newline + 1);
            // An empty match behind the last line's end.
            if start == block.len() {
                break;
            }
            let end = line_end(block, found.start());
            if found.end() > end {
                (is_by_line, from) = (true, start);
                continue;
            }
            self.take(block, start..end, found.range());
            from = end + 1;
        }
        self.show_after(block, block.len());
        self.window.from = block.len();
    }

    /// Searches what is in the buffer of one long line, and drops most of it.
    fn search_piece(&mut self, buffer: &mut [u8]) {
        let Window { from, filled, .. } = self.window;
        let piece = &buffer[..filled];
        let start = if self.window.is_cut { 0 } else { from };
        let overlap = filled - OVERLAP_BYTES;
        if self.window.long != Long::Matched {
            self.window.long = Long::Searched;
            let found = self.query.regex.find_at(piece, from);
            // What touches the end may go on, or be none; where the next piece has it too, that
            // one decides.
            let is_sure = |found: &Range<usize>| found.end < filled || found.start <= overlap;
            if let Some(found) = found.map(|found| found.range()).filter(is_sure) {
                self.take(piece, start..filled, found);
                self.window.long = Long::Matched;
            }
        }
        self.count_to(piece, start);
        self.drop_before(buffer, overlap);
        self.window.is_cut = true;
        // One byte for the regular expression to look back at: this is no line's start.
        self.window.from = 1;
    }

    /// A line matches: it is counted, and shown if there is room.
    fn take(&mut self, block: &[u8], line: Range<usize>, found: Range<usize>) {
        self.matches += 1;
        if self.lines.len() >= self.lines_max {
            return;
        }
        self.show_after(block, line.start);
        let mut before = line.start;
        for _ in 0..self.query.context {
            if before <= self.shown_to {
                break;
            }
            before = line_start(block, before - 1).max(self.shown_to);
        }
        while before < line.start {
            before = self.show_context(block, before);
        }
        self.count_to(block, line.start);
        let is_cut = line.start == 0 && self.window.is_cut;
        let text = excerpt(&block[line.clone()], found.start - line.start, is_cut);
        self.show(text, true);
        self.shown_to = (line.end + 1).min(block.len());
        self.after = self.query.context;
    }

    /// Shows what is still to be shown after the last match, up to `end`.
    fn show_after(&mut self, block: &[u8], end: usize) {
        while self.after > 0 && self.shown_to < end && self.lines.len() < self.lines_max {
            self.shown_to = self.show_context(block, self.shown_to);
            self.after -= 1;
        }
    }

    /// Shows the line at `start`, and says where the next one is.
    fn show_context(&mut self, block: &[u8], start: usize) -> usize {
        self.count_to(block, start);
        let end = line_end(block, start);
        let text = excerpt(&block[start..end], 0, start == 0 && self.window.is_cut);
        self.show(text, false);
        (end + 1).min(block.len())
    }

    fn show(&mut self, text: String, is_match: bool) {
        self.lines.push(Line {
            number: self.number,
            is_match,
            text,
        });
    }

    /// Makes `number` that of the line at `position`.
    fn count_to(&mut self, block: &[u8], position: usize) {
        if position > self.counted {
            let lines = memchr_iter(NEWLINE, &block[self.counted..position]).count();
            self.number += lines as u64;
            self.counted = position;
        }
    }

    /// Makes room in a full buffer: drops what was searched but for the lines that may become
    /// context. What has no end yet stays, and is searched as a piece once it is too long.
    fn make_room(&mut self, buffer: &mut Vec<u8>) {
        let searched = self.window.from;
        if self.window.long == Long::No {
            let mut keep = searched;
            let oldest = self
                .shown_to
                .max(searched.saturating_sub(CONTEXT_BYTES_MAX));
            for _ in 0..self.query.context {
                let start = line_start(buffer, keep.saturating_sub(1));
                if keep == 0 || start < oldest {
                    break;
                }
                keep = start;
            }
            if self.lines.len() < self.lines_max {
                self.count_to(buffer, keep);
            }
            self.drop_before(buffer, keep);
        }
        if self.window.filled - self.window.from >= LINE_BYTES_MAX {
            self.search_piece(buffer);
        } else if buffer.len() - self.window.filled < BLOCK_BYTES / 2 {
            buffer.resize(buffer.len() * 2, 0);
        }
    }

    /// Moves the rest of the buffer to its start. The lines before `keep` are counted.
    fn drop_before(&mut self, buffer: &mut [u8], keep: usize) {
        buffer.copy_within(keep..self.window.filled, 0);
        self.window.is_cut &= keep == 0;
        self.window.filled -= keep;
        self.window.from = self.window.from.saturating_sub(keep);
        self.counted = 0;
        self.shown_to = self.shown_to.saturating_sub(keep);
    }
}

/// Reads at least `bytes_min` bytes, or what there is.
fn read_some(source: &mut impl Read, room: &mut [u8], bytes_min: usize) -> io::Result<usize> {
    let mut count = 0;
    while count < bytes_min {
        match source.read(&mut room[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Where the line ends that has `position`: its newline, or the end.
fn line_end(block: &[u8], position: usize) -> usize {
    let rest = block.get(position..).unwrap_or_default();
    memchr(NEWLINE, rest).map_or(block.len(), |newline| position + newline)
}

/// Where the line starts that has `position`.
fn line_start(block: &[u8], position: usize) -> usize {
    memrchr(NEWLINE, &block[..position]).map_or(0, |newline| newline + 1)
}

/// A line as text; of a long one the part around `found`. `is_cut` is whether it began before.
fn excerpt(line: &[u8], found: usize, is_cut: bool) -> String {
    const CUT: &str = "[…]";
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() <= SHOWN_BYTES_MAX && !is_cut {
        return String::from_utf8_lossy(line).into_owned();
    }
    let is_inside = |at: usize| line.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let mut start = match found > SHOWN_BYTES_MAX - LEAD_BYTES {
        true => found.saturating_sub(LEAD_BYTES).min(line.len()),
        false => 0,
    };
    let mut end = (start + SHOWN_BYTES_MAX).min(line.len());
    // Not in the middle of a character, if these are characters.
    let reach = start.saturating_sub(3);
    while start > reach && is_inside(start) {
        start -= 1;
    }
    while end > start && is_inside(end) {
        end -= 1;
    }
    let text = String::from_utf8_lossy(&line[start..end]);
    let before = if is_cut || start > 0 { CUT } else { "" };
    let after = if end < line.len() { CUT } else { "" };
    format!("{before}{text}{after}")
}

#[cfg(test)]
mod tests;
