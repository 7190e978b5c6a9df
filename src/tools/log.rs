//! The output of a job: a file that has it from its first byte, and the end of it in memory.
//!
//! Memory stays flat. Once the file may not grow any more, its start and the end of the output are
//! what is left, and whoever reads what lies between is told.

use crate::tools::limit;
use crate::tools::limit::Limits;
use crate::tools::limit::Room;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;

/// Takes output and shows pieces of it.
#[derive(Debug)]
pub struct Log {
    limits: Limits,
    /// What its file may take besides its own limit.
    room: Room,
    /// How much came.
    bytes: u64,
    /// The last `tail_bytes` of it.
    tail: VecDeque<u8>,
    file: Store,
    /// How much the file has, from the start.
    file_bytes: u64,
}

#[derive(Debug)]
enum Store {
    /// It is made with the first byte.
    Waiting(PathBuf),
    Open {
        path: PathBuf,
        file: File,
    },
    /// It has the start; nothing is added any more.
    Full {
        path: PathBuf,
        file: File,
        why: String,
    },
    /// There is none.
    None {
        why: String,
    },
}

/// A piece of the output, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The number of its first byte, from 0.
    pub from: u64,
    /// The number of the byte behind it, to go on from.
    pub next: u64,
    /// What a model reads; a line stands for what was left out.
    pub text: String,
    /// Whether something was left out.
    pub truncated: bool,
    /// What the reader should know about it.
    pub note: Option<String>,
}

impl Log {
    /// No output yet. There must be no file at `path`; its directory is made if need be.
    pub fn new(limits: Limits, path: Option<PathBuf>, room: Room) -> Log {
        Log {
            limits,
            room,
            bytes: 0,
            tail: VecDeque::new(),
            file: match path {
                Some(path) => Store::Waiting(path),
                None => Store::None {
                    why: "there is nowhere to write a file to".to_owned(),
                },
            },
            file_bytes: 0,
        }
    }

    /// How much came.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file, which is made with the first byte of output.
    pub fn path(&self) -> Option<&Path> {
        match &self.file {
            Store::Waiting(path) | Store::Open { path, .. } | Store::Full { path, .. } => {
                Some(path)
            }
            Store::None { .. } => None,
        }
    }

    /// Takes the next bytes. Blocks as long as the disk does.
    pub fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.write(bytes);
        self.bytes += bytes.len() as u64;
        let kept = &bytes[bytes.len().saturating_sub(self.limits.tail_bytes)..];
        let excess = (self.tail.len() + kept.len()).saturating_sub(self.limits.tail_bytes);
        self.tail.drain(..excess);
        self.tail.extend(kept);
    }

    /// Removes the file; its place on disk is for others.
    pub fn remove(self) {
        if let Some(path) = self.path()
            && std::fs::remove_file(path).is_ok()
        {
            self.room.give_back(self.file_bytes);
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let store = std::mem::replace(&mut self.file, Store::None { why: String::new() });
        self.file = match store {
            Store::Waiting(path) => match limit::create_private(&path) {
                Ok(file) => self.append(path, file, bytes),
                Err(error) => Store::None {
                    why: format!("{} could not be written: {error}", path.display()),
                },
            },
            Store::Open { path, file } => self.append(path, file, bytes),
            same => same,
        };
    }

    fn append(&mut self, path: PathBuf, mut file: File, bytes: &[u8]) -> Store {
        let file_room = self.limits.spill_bytes_max - self.file_bytes;
        let written = &mut self.file_bytes;
        match limit::append(&mut file, bytes, written, file_room, &self.room) {
            Ok(()) => Store::Open { path, file },
            Err(why) => Store::Full {
                why: why.words(&path),
                path,
                file,
            },
        }
    }

    /// What came from byte `from` on: all of it if it is short enough, else its start and its end.
    /// A character whose end has not come yet is left for the next look.
    pub fn since(&self, from: u64) -> Piece {
        let from = from.min(self.bytes);
        let wanted = self.bytes - from;
        let tail_start = self.bytes - self.tail.len() as u64;
        let is_kept = from >= tail_start || self.file_bytes == self.bytes;
        let is_whole = is_kept && wanted <= self.limits.shown_bytes() as u64;
        let (mut head, mut end) = match is_whole {
            true => (Vec::new(), self.range(from)),
            false => {
                let head_end = self.file_bytes.min(from + self.limits.head_bytes as u64);
                let head = self.read_file(from, head_end.min(tail_start));
                (head, self.range(from.max(tail_start)))
            }
        };
        let waits = limit::unfinished(&end);
        end.truncate(end.len() - waits);
        let next = self.bytes - waits as u64;
        let mut notes = Vec::new();
        let mut text = String::new();
        if !is_whole {
            limit::cut_after_line(&mut head);
            limit::cut_before_line(&mut end);
            let (start, note) = limit::readable(&head);
            notes.extend(note);
            let left_out = next - from - (head.len() + end.len()) as u64;
            let gap = match start.is_empty() || start.ends_with('\n') {
                true => "",
                false => "\n",
            };
            text = format!(
                "{start}{gap}[… {left_out} bytes left out{} …]\n",
                self.kept()
            );
        }
        let (end, note) = limit::readable(&end);
        text.push_str(&end);
        notes.extend(note);
        notes.dedup();
        if let Store::Full { why, .. } = &self.file {
            notes.push(why.clone());
        }
        Piece {
            from,
            next,
            text,
            truncated: !is_whole,
            note: (!notes.is_empty()).then(|| notes.join("; ")),
        }
    }

    /// What is where of all output, to follow "left out".
    fn kept(&self) -> String {
        match &self.file {
            Store::Open { path, .. } => format!("; all {} are in {}", self.bytes, path.display()),
            Store::Full { path, .. } => {
                let path = path.display();
                format!(
                    "; the first {} of {} are in {path}",
                    self.file_bytes, self.bytes
                )
            }
            Store::Waiting(_) => String::new(),
            Store::None { why } => format!("; {why}"),
        }
    }

    /// Everything from `from` on, which must be kept.
    fn range(&self, from: u64) -> Vec<u8> {
        let tail_start = self.bytes - self.tail.len() as u64;
        let mut bytes = self.read_file(from, tail_start);
        let skipped = from.saturating_sub(tail_start) as usize;
        bytes.extend(self.tail.iter().skip(skipped));
        bytes
    }

    /// Bytes of the file; none where it cannot be read, which its owner may have seen to.
    fn read_file(&self, from: u64, to: u64) -> Vec<u8> {
        let length = to.saturating_sub(from) as usize;
        let read = |file: &File| -> io::Result<Vec<u8>> {
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, from)?;
            Ok(bytes)
        };
        match &self.file {
            Store::Open { file, .. } | Store::Full { file, .. } if length > 0 => {
                read(file).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::tests::Scratch;

    fn small(spill_bytes_max: u64) -> Limits {
        Limits {
            head_bytes: 8,
            tail_bytes: 8,
            spill_bytes_max,
        }
    }

    #[test]
    fn each_look_shows_what_is_new_wherever_the_output_was_cut() {
        let scratch = Scratch::new();
        let text = "aé€😀b\n";
        for cut in 0..=text.len() {
            for path in [None, Some(scratch.path().join(format!("{cut}.txt")))] {
                let mut log = Log::new(Limits::default(), path, Room::default());
                let (start, end) = text.as_bytes().split_at(cut);
                log.push(start);
                let first = log.since(0);
                log.push(end);
                let second = log.since(first.next);
                assert_eq!(first.text + &second.text, text, "cut at {cut}");
                assert_eq!(second.next, text.len() as u64);
                assert_eq!(log.since(log.bytes()).text, "");
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_not_waited_for() {
        for bytes in [
            &b"aaaaaaaaaaaaaa\x80\x80\x80\x80"[..],
            b"aaaaaaaaaaaaaaaaaaaaaaaa\xff",
        ] {
            let mut log = Log::new(Limits::default(), None, Room::default());
            log.push(bytes);
            assert_eq!(log.since(0).next, bytes.len() as u64, "{bytes:?}");
        }
    }

    #[test]
    fn much_output_is_shown_by_its_start_and_its_end() {
        let scratch = Scratch::new();
        let path = scratch.path().join("log.txt");
        let mut log = Log::new(small(1_000), Some(path.clone()), Room::default());
        let lines: String = (0..50).map(|number| format!("{number:03}\n")).collect();
        log.push(lines.as_bytes());
        assert_eq!(scratch.read("log.txt"), lines.as_bytes());
        let piece = log.since(4);
        let place = path.display();
        let marker = format!("[… 184 bytes left out; all 200 are in {place} …]");
        assert_eq!(piece.text, format!("001\n002\n{marker}\n049\n"));
        assert_eq!((piece.from, piece.next, piece.truncated), (4, 200, true));
        assert_eq!(log.since(190).text, "7\n048\n049\n");
    }

    #[test]
    fn a_file_that_is_full_keeps_the_start_and_memory_the_end() {
        let scratch = Scratch::new();
        let lines: String = (0..50).map(|number| format!("{number:03}\n")).collect();
        let cases = [
            (small(20), Room::default(), "is full"),
            (small(1_000), Room::new(20), "are kept"),
        ];
        for (number, (limits, room, why)) in cases.into_iter().enumerate() {
            let path = scratch.path().join(format!("{number}.txt"));
            let mut log = Log::new(limits, Some(path.clone()), room.clone());
            log.push(lines.as_bytes());
            log.push(b"end\n");
            assert_eq!(std::fs::metadata(&path).unwrap().len(), 20);
            assert_eq!((log.file_bytes, log.bytes()), (20, 204));
            let piece = log.since(0);
            assert!(piece.text.starts_with("000\n001\n[… 192 bytes left out"));
            assert!(piece.text.contains("the first 20 of 204"), "{}", piece.text);
            assert!(piece.text.ends_with(" …]\nend\n"), "{}", piece.text);
            assert!(piece.note.is_some_and(|note| note.ends_with(why)));
            // From between the two.
            assert!(log.since(100).text.starts_with("[… "));
            let taken = room.take(u64::MAX);
            log.remove();
            assert!(!path.exists());
            assert_eq!(room.take(u64::MAX), 20, "{taken} were left");
        }
    }

    #[test]
    fn without_a_file_the_end_is_kept() {
        let mut log = Log::new(small(1_000), None, Room::default());
        log.push(b"0123456789abcdef\n");
        let text = log.since(0).text;
        assert!(
            text.contains("nowhere") && text.ends_with("abcdef\n"),
            "{text}"
        );
        assert_eq!(log.since(10).text, "abcdef\n");
    }
}
