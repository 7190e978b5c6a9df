//! What a running command printed, on its way to the brain: in time, bounded, whole characters.
//!
//! This is for a person who watches; the model reads what `tools::limit` collects. So a flood is
//! thinned out here, and a slow brain never makes the hands keep more than one piece.

use crate::base::clock::Deadline;
use std::time::Duration;

/// How often a piece is sent: often enough to look alive.
const EVERY: Duration = Duration::from_millis(100);

/// The longest piece; with `EVERY` at most 80 KB a second.
const PIECE_BYTES_MAX: usize = 8 * 1024;

/// Stands for what was left out of a piece.
const LEFT_OUT: &str = "[…]\n";

/// The output of one command that was not sent yet.
#[derive(Default)]
pub struct Stream {
    /// At most [`PIECE_BYTES_MAX`], the last of what came.
    pending: Vec<u8>,
    is_thinned: bool,
    /// When the next piece may go; `None` before the first.
    next: Option<Deadline>,
}

impl Stream {
    /// Takes what the command printed.
    pub fn push(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(PIECE_BYTES_MAX)..];
        let excess = (self.pending.len() + bytes.len()).saturating_sub(PIECE_BYTES_MAX);
        self.is_thinned |= excess > 0;
        self.pending.drain(..excess.min(self.pending.len()));
        self.pending.extend_from_slice(kept);
    }

    /// When `take` has something; never if nothing is pending.
    pub fn due(&self) -> Deadline {
        match self.next {
            _ if self.pending.is_empty() => Deadline::never(),
            Some(next) => next,
            None => Deadline::after(Duration::ZERO, "the first output"),
        }
    }

    /// A piece, if one is due.
    pub fn take(&mut self) -> Option<String> {
        if !self.due().is_over() {
            return None;
        }
        self.next = Some(Deadline::after(EVERY, "the next output"));
        self.cut(whole_characters(&self.pending))
    }

    /// All that is left: the command has ended.
    pub fn take_rest(&mut self) -> Option<String> {
        self.cut(self.pending.len())
    }

    fn cut(&mut self, end: usize) -> Option<String> {
        let piece: Vec<u8> = self.pending.drain(..end).collect();
        let mark = if std::mem::take(&mut self.is_thinned) {
            LEFT_OUT
        } else {
            ""
        };
        let text = String::from_utf8_lossy(&piece);
        (!piece.is_empty()).then(|| format!("{mark}{text}"))
    }
}

/// Where the last character that has only begun starts; the end if there is none (RFC 3629 §3).
fn whole_characters(bytes: &[u8]) -> usize {
    for (back, byte) in (1..=3).zip(bytes.iter().rev()) {
        let length = match byte {
            0x80..=0xbf => continue,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xff => 4,
            _ => 1,
        };
        return if length > back {
            bytes.len() - back
        } else {
            bytes.len()
        };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stay_whole_wherever_the_output_was_cut() {
        let text = "aé€😀b";
        for cut in 0..=text.len() {
            let (start, end) = text.as_bytes().split_at(cut);
            let mut stream = Stream::default();
            stream.push(start);
            let mut got = stream.take().unwrap_or_default();
            stream.push(end);
            got.push_str(&stream.take_rest().unwrap_or_default());
            assert_eq!(got, text, "cut at {cut}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_do_not_wait_for_ever() {
        for bytes in [&b"\x80\x80\x80\x80"[..], b"\xff\xff", b"\xe2A"] {
            let mut stream = Stream::default();
            stream.push(bytes);
            stream.take();
            stream.take_rest();
            assert!(stream.pending.is_empty(), "{bytes:?}");
        }
    }

    #[test]
    fn the_first_piece_goes_at_once_and_the_next_has_to_wait() {
        let mut stream = Stream::default();
        assert!(!stream.due().is_over());
        stream.push(b"one");
        assert_eq!(stream.take().as_deref(), Some("one"));
        stream.push(b"two");
        assert!(stream.due().left().is_some());
        assert_eq!(stream.take_rest().as_deref(), Some("two"));
        assert_eq!(stream.take_rest(), None);
    }

    #[test]
    fn a_flood_is_thinned_to_its_end_and_says_so() {
        for piece in [1_000, PIECE_BYTES_MAX, 3 * PIECE_BYTES_MAX] {
            let mut stream = Stream::default();
            for _ in 0..20 {
                stream.push(&vec![b'x'; piece]);
                assert!(stream.pending.len() <= PIECE_BYTES_MAX);
            }
            stream.push(b"end");
            let text = stream.take_rest().unwrap();
            assert!(text.starts_with(LEFT_OUT) && text.ends_with("xend"));
            assert_eq!(text.len(), LEFT_OUT.len() + PIECE_BYTES_MAX);
        }
    }
}
