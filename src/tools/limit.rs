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
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// About 4,000 tokens at each end: enough to read an error in, too little to fill a window.
const HEAD_BYTES: usize = 16 * 1024;
const TAIL_BYTES: usize = 16 * 1024;

/// More than any log that a model can use, less than a runaway command takes to fill a disk.
const SPILL_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What all files of a session may take together: many logs of builds, a part of a small disk.
const SESSION_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What is not UTF-8 is binary if one character in so many is a control character: random bytes
/// have three times as many, text in whatever encoding next to none.
const BINARY_SHARE: usize = 30;

/// Text has fewer NULs, also a list of short names with one behind each; UTF-16 has more.
const NUL_SHARE: usize = 3;

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

/// How much may still be written to disk. Clones share it: all files of a session have one room.
#[derive(Clone, Debug)]
pub struct Room(Arc<AtomicU64>);

impl Default for Room {
    fn default() -> Room {
        Room::new(SESSION_BYTES_MAX)
    }
}

impl Room {
    /// So many bytes.
    pub fn new(bytes: u64) -> Room {
        Room(Arc::new(AtomicU64::new(bytes)))
    }

    /// Takes as much of `wanted` as there is.
    pub fn take(&self, wanted: u64) -> u64 {
        let rest = |left: u64| Some(left.saturating_sub(wanted));
        let left = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest);
        // It never fails, since `rest` always has an answer.
        left.unwrap_or_default().min(wanted)
    }

    /// Gives back what was taken: it was not written, or the file is gone.
    pub fn give_back(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Appends to `file` as much of `bytes` as its own `file_room` and the session's `room` allow, and
/// adds that to `written`. The error says why it was not all.
pub(super) fn append(
    file: &mut File,
    bytes: &[u8],
    written: &mut u64,
    file_room: u64,
    room: &Room,
) -> Result<(), Stopped> {
    let wanted = file_room.min(bytes.len() as u64);
    let taken = room.take(wanted);
    if let Err(error) = file.write_all(&bytes[..taken as usize]) {
        room.give_back(taken);
        return Err(Stopped::Failed(error));
    }
    *written += taken;
    match taken {
        taken if taken < wanted => Err(Stopped::NoRoom),
        taken if taken < bytes.len() as u64 => Err(Stopped::Full),
        _ => Ok(()),
    }
}

/// Why a file takes no more.
#[derive(Debug)]
pub(super) enum Stopped {
    /// It is as large as one may be.
    Full,
    /// All files of the session together are.
    NoRoom,
    /// The system said no.
    Failed(io::Error),
}

impl Stopped {
    /// What to say of the file at `path`.
    pub(super) fn words(&self, path: &Path) -> String {
        let path = path.display();
        match self {
            Stopped::Full => format!("{path} is full"),
            Stopped::NoRoom => format!(
                "{path} takes no more: the files of this session's output are full together; only \
                 the start and the end of what comes are kept"
            ),
            Stopped::Failed(error) => format!("{path} could not be written: {error}"),
        }
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
    /// What the spill file may take besides its own limit.
    room: Room,
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

impl Collector {
    /// An empty stream. There must be no file at `spill` yet; its directory is made if need be.
    pub fn new(limits: Limits, spill: Option<PathBuf>, room: Room) -> Collector {
        Collector {
            limits,
            room,
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
                let pieces = [&self.head, front, back, bytes];
                Spill::create(path).append(&pieces, &self.limits, &self.room)
            }
            Spill::Open(open) => Spill::Open(open).append(&[bytes], &self.limits, &self.room),
            same => same,
        };
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

    fn append(self, pieces: &[&[u8]], limits: &Limits, room: &Room) -> Spill {
        let Spill::Open(mut open) = self else {
            return self;
        };
        let written = pieces.iter().try_for_each(|piece| {
            let Open { file, bytes, .. } = &mut open;
            let file_room = limits.spill_bytes_max - *bytes;
            append(file, piece, bytes, file_room, room)
        });
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
                let note = Some(why.words(&path));
                ((bytes > 0).then_some(Saved { path, bytes }), note)
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
    let controls = text.chars().filter(|c| is_odd_control(*c)).count();
    let all = text.chars().count();
    if nuls * NUL_SHARE > all || broken > 0 && controls * BINARY_SHARE > all {
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
fn is_odd_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\x08' | '\x1b')
}

/// Shortens `head` to end with a line, if one ends in its second half, else with a character.
pub(super) fn cut_after_line(head: &mut Vec<u8>) {
    let half = head.len() / 2;
    if let Some(end) = head[half..].iter().rposition(|byte| *byte == b'\n') {
        head.truncate(half + end + 1);
    } else {
        cut_broken_end(head);
    }
}

/// Takes off the beginning of a character at the end, which was cut in the middle.
pub(super) fn cut_broken_end(text: &mut Vec<u8>) {
    let unfinished = unfinished(text);
    text.truncate(text.len() - unfinished);
}

/// How many bytes at the end are a character that has only begun.
pub(super) fn unfinished(bytes: &[u8]) -> usize {
    /// The longest character but its last byte (RFC 3629 §3).
    const BEGUN_BYTES_MAX: usize = 3;
    let last = &bytes[bytes.len().saturating_sub(BEGUN_BYTES_MAX)..];
    let start = last.iter().rposition(|byte| byte & 0xc0 != 0x80);
    let Some(begun) = start.map(|start| &last[start..]) else {
        return 0;
    };
    match std::str::from_utf8(begun) {
        Err(error) if error.error_len().is_none() => begun.len(),
        _ => 0,
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
