//! Bounded output: the head and tail of a stream of bytes, and the whole of it in a spill file.
//!
//! Memory stays flat whatever is pushed. Nothing touches the disk until the stream is longer than
//! head and tail together; from then on everything, from the first byte, goes to the spill file.
//! Where a stream comes from, and how a tool words its answer, is not known here.

use std::collections::VecDeque;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

/// About 4,000 tokens at each end: enough to read an error in, too little to fill a window.
const HEAD_BYTES: usize = 16 * 1024;
const TAIL_BYTES: usize = 16 * 1024;

/// More than any log that a model can use, less than a runaway command takes to fill a disk.
const SPILL_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// One character in so many that is no text makes output binary: text in a wrong encoding has
/// fewer, programs and archives have more.
const BINARY_SHARE: usize = 10;

/// How much of a stream is kept, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes kept from the start.
    pub head_bytes: usize,
    /// Bytes kept from the end.
    pub tail_bytes: usize,
    /// The largest spill file.
    pub spill_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head_bytes: HEAD_BYTES,
            tail_bytes: TAIL_BYTES,
            spill_bytes_max: SPILL_BYTES_MAX,
        }
    }
}

impl Limits {
    /// The longest text that is shown whole.
    pub fn shown_bytes(&self) -> usize {
        self.head_bytes.saturating_add(self.tail_bytes)
    }
}

/// What is left of a stream that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// The stream as text. Where bytes were left out, a line says how many and where they are.
    pub text: String,
    /// How long the stream was.
    pub bytes: u64,
    /// How many lines it had; a last one without a line end counts.
    pub lines: u64,
    /// Whether bytes were left out of `text`.
    pub truncated: bool,
    /// The file that has them.
    pub spill: Option<PathBuf>,
    /// What the reader should know about `text` and the file, in one line.
    pub note: Option<String>,
}

/// Takes a stream piece by piece.
#[derive(Debug)]
pub struct Collector {
    limits: Limits,
    /// At most `head_bytes`, the first of the stream.
    head: Vec<u8>,
    /// At most `tail_bytes`, the last of what did not fit into `head`.
    tail: VecDeque<u8>,
    bytes: u64,
    line_ends: u64,
    last_byte: Option<u8>,
    spill: Spill,
}

/// Where the whole stream goes.
#[derive(Debug)]
enum Spill {
    /// There is nowhere to write it.
    Nowhere,
    /// Nothing was left out yet, so nothing was written.
    Waiting(PathBuf),
    /// It has the stream so far.
    Open(Open),
    /// It has the first `bytes` of the stream, and no more will follow.
    Stopped {
        path: PathBuf,
        bytes: u64,
        why: Stopped,
    },
}

#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    bytes: u64,
}

#[derive(Debug)]
enum Stopped {
    Full,
    Failed(io::Error),
}

impl Collector {
    /// An empty stream. There must be no file at `spill` yet; its directory is made if need be.
    pub fn new(limits: Limits, spill: Option<PathBuf>) -> Collector {
        Collector {
            limits,
            head: Vec::new(),
            tail: VecDeque::new(),
            bytes: 0,
            line_ends: 0,
            last_byte: None,
            spill: spill.map_or(Spill::Nowhere, Spill::Waiting),
        }
    }

    /// Takes the next bytes of the stream. Blocks as long as the disk does.
    pub fn push(&mut self, bytes: &[u8]) {
        let Some(&last) = bytes.last() else { return };
        self.spill_from(bytes);
        self.bytes += bytes.len() as u64;
        self.line_ends += line_ends(bytes);
        self.last_byte = Some(last);

        let to_head = bytes.len().min(self.limits.head_bytes - self.head.len());
        self.head.extend_from_slice(&bytes[..to_head]);
        let rest = &bytes[to_head..];
        let kept = &rest[rest.len().saturating_sub(self.limits.tail_bytes)..];
        let excess = (self.tail.len() + kept.len()).saturating_sub(self.limits.tail_bytes);
        self.tail.drain(..excess);
        self.tail.extend(kept);
    }

    /// The stream has ended.
    pub fn finish(self) -> Collected {
        let truncated = self.bytes > self.limits.shown_bytes() as u64;
        let lines = self.line_ends + u64::from(self.last_byte.is_some_and(|last| last != b'\n'));
        let (saved, spill_note) = self.spill.outcome(truncated);
        let mut head = self.head;
        let mut tail = Vec::from(self.tail);
        if truncated {
            cut_after_line(&mut head);
            cut_before_line(&mut tail);
        }
        let left_out = LeftOut {
            bytes: self.bytes - (head.len() + tail.len()) as u64,
            lines: self.line_ends - line_ends(&head) - line_ends(&tail),
        };

        let (text, text_note) = if truncated {
            let (head, head_note) = readable(&head);
            let (tail, tail_note) = readable(&tail);
            let marker = left_out.marker(self.bytes, saved.as_ref());
            let gap = if head.is_empty() || head.ends_with('\n') {
                ""
            } else {
                "\n"
            };
            (
                format!("{head}{gap}{marker}\n{tail}"),
                head_note.or(tail_note),
            )
        } else {
            head.extend_from_slice(&tail);
            readable(&head)
        };
        Collected {
            text,
            bytes: self.bytes,
            lines,
            truncated,
            spill: saved.map(|saved| saved.path),
            note: join_notes(text_note, spill_note),
        }
    }

    /// Writes `bytes` to the spill file if the stream is longer than what is kept, and first all
    /// that came before them.
    fn spill_from(&mut self, bytes: &[u8]) {
        let fits = self.bytes + bytes.len() as u64 <= self.limits.shown_bytes() as u64;
        let spill = std::mem::replace(&mut self.spill, Spill::Nowhere);
        self.spill = match spill {
            Spill::Waiting(path) if !fits => {
                let (front, back) = self.tail.as_slices();
                Spill::create(path).append(&[&self.head, front, back, bytes], &self.limits)
            }
            Spill::Open(open) => Spill::Open(open).append(&[bytes], &self.limits),
            same => same,
        };
    }
}

impl Open {
    /// Writes as much of `bytes` as the limit allows; whether that was all.
    fn write(&mut self, bytes: &[u8], limits: &Limits) -> Result<(), Stopped> {
        let room = limits.spill_bytes_max - self.bytes;
        let fitting = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        self.file
            .write_all(&bytes[..fitting])
            .map_err(Stopped::Failed)?;
        self.bytes += fitting as u64;
        if fitting < bytes.len() {
            return Err(Stopped::Full);
        }
        Ok(())
    }
}

impl Spill {
    fn create(path: PathBuf) -> Spill {
        match create_private(&path) {
            Ok(file) => Spill::Open(Open {
                file,
                path,
                bytes: 0,
            }),
            Err(source) => Spill::Stopped {
                path,
                bytes: 0,
                why: Stopped::Failed(source),
            },
        }
    }

    fn append(self, pieces: &[&[u8]], limits: &Limits) -> Spill {
        let Spill::Open(mut open) = self else {
            return self;
        };
        let written = pieces
            .iter()
            .try_for_each(|piece| open.write(piece, limits));
        match written {
            Ok(()) => Spill::Open(open),
            Err(why) => Spill::Stopped {
                path: open.path,
                bytes: open.bytes,
                why,
            },
        }
    }

    /// What there is on disk, and what to say about it.
    fn outcome(self, truncated: bool) -> (Option<Saved>, Option<String>) {
        match self {
            Spill::Waiting(_) => (None, None),
            Spill::Open(Open { path, bytes, .. }) => (Some(Saved { path, bytes }), None),
            Spill::Nowhere => {
                let note = "there is nowhere to write the whole output to";
                (None, truncated.then(|| note.to_owned()))
            }
            Spill::Stopped { path, bytes, why } => {
                let note = match why {
                    Stopped::Full => format!("{} is full", path.display()),
                    Stopped::Failed(source) => {
                        format!("{} could not be written: {source}", path.display())
                    }
                };
                ((bytes > 0).then_some(Saved { path, bytes }), Some(note))
            }
        }
    }
}

/// A spill file and how much of the stream it has, from the start.
struct Saved {
    path: PathBuf,
    bytes: u64,
}

/// What stands between head and tail.
struct LeftOut {
    bytes: u64,
    lines: u64,
}

impl LeftOut {
    fn marker(&self, bytes_all: u64, saved: Option<&Saved>) -> String {
        let LeftOut { bytes, lines } = self;
        let place = match saved {
            Some(saved) if saved.bytes == bytes_all => {
                format!("; all {bytes_all} bytes are in {}", saved.path.display())
            }
            Some(Saved { path, bytes }) => {
                let path = path.display();
                format!("; the first {bytes} of {bytes_all} bytes are in {path}")
            }
            None => format!(" of {bytes_all}"),
        };
        format!("[… {bytes} bytes ({lines} line ends) left out{place} …]")
    }
}

/// A new file that only its owner can read, in a directory that only its owner can enter.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(parent)?;
    }
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Bytes as text for the model, and what it should know about them. NUL is shown as `\0`, since
/// some services refuse it in JSON; what is mostly no text is not shown at all.
pub(super) fn readable(bytes: &[u8]) -> (String, Option<String>) {
    let text = String::from_utf8_lossy(bytes);
    let broken = text.matches(char::REPLACEMENT_CHARACTER).count();
    let nuls = text.matches('\0').count();
    let odd = text.chars().filter(|c| is_odd(*c)).count();
    if odd * BINARY_SHARE > text.chars().count() && broken + nuls > 0 {
        let text = format!("[{} bytes of binary data, not shown]\n", bytes.len());
        return (text, Some("the output is binary".to_owned()));
    }
    let note = if nuls > 0 {
        Some("NUL bytes are shown as \\0".to_owned())
    } else if std::str::from_utf8(bytes).is_err() {
        Some("bytes that are not UTF-8 are shown as \u{fffd}".to_owned())
    } else {
        None
    };
    (text.replace('\0', "\\0"), note)
}

/// Whether text hardly ever has this character.
fn is_odd(c: char) -> bool {
    let is_usual_control = matches!(c, '\n' | '\r' | '\t' | '\x08' | '\x1b');
    c == char::REPLACEMENT_CHARACTER || c.is_control() && !is_usual_control
}

/// Shortens `head` to end with a line, if one ends in its second half, else with a character.
pub(super) fn cut_after_line(head: &mut Vec<u8>) {
    let half = head.len() / 2;
    if let Some(end) = head[half..].iter().rposition(|byte| *byte == b'\n') {
        head.truncate(half + end + 1);
    } else if let Err(error) = std::str::from_utf8(head)
        && error.error_len().is_none()
    {
        // The last character is not whole; broken bytes before it would have been reported first.
        head.truncate(error.valid_up_to());
    }
}

/// Shortens `tail` to start with a line, if one starts in its first half, else with a character.
pub(super) fn cut_before_line(tail: &mut Vec<u8>) {
    let half = tail.len() / 2;
    let start = match tail[..half].iter().position(|byte| *byte == b'\n') {
        Some(end) => end + 1,
        // A character has at most three bytes after its first, all of them `10xxxxxx`.
        None => tail
            .iter()
            .take(3)
            .take_while(|byte| **byte & 0xc0 == 0x80)
            .count(),
    };
    tail.drain(..start);
}

fn line_ends(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn join_notes(first: Option<String>, second: Option<String>) -> Option<String> {
    match (first, second) {
        (Some(first), Some(second)) => Some(format!("{first}; {second}")),
        (first, second) => first.or(second),
    }
}

#[cfg(test)]
mod tests;
