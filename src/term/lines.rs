//! Lines that a person types, as they come: cooked mode, so the terminal itself does the editing.
//!
//! A read follows a poll and so never waits. Lines that come while nobody asks are kept in order.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;

/// A line longer than this is cut there: more is a file, not a question, and has `-f`.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// A terminal in cooked mode keeps so much of a line and drops what follows without a word
/// (`N_TTY_BUF_SIZE` less the line end, drivers/tty/n_tty.c).
pub const TERMINAL_LINE_BYTES_MAX: usize = 4095;

/// Whether the terminal may have dropped the end of this line.
pub fn is_cut(line: &str) -> bool {
    line.len() >= TERMINAL_LINE_BYTES_MAX
}

/// What is typed, line by line.
pub struct Lines {
    /// `None` once the end was read.
    input: Option<File>,
    partial: Vec<u8>,
    whole: VecDeque<String>,
}

impl Lines {
    /// Lines of standard input, past std's buffer: what it holds would wake no poll.
    pub fn of_stdin() -> io::Result<Lines> {
        let stdin = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Lines::of(File::from(stdin)))
    }

    /// Lines of any file.
    fn of(input: File) -> Lines {
        Lines {
            input: Some(input),
            partial: Vec::new(),
            whole: VecDeque::new(),
        }
    }

    /// To be waited for; nothing once the end was read.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.input.as_ref().map(File::as_fd)
    }

    /// Reads what is there. Call it when the descriptor is ready.
    pub fn read(&mut self) {
        let Some(input) = &mut self.input else { return };
        let mut buffer = [0; 4096];
        match input.read(&mut buffer) {
            Ok(count) if count > 0 => self.take(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A terminal that is gone (EIO) has ended like one that was closed.
            Ok(_) | Err(_) => {
                self.input = None;
                if !self.partial.is_empty() {
                    self.end_line();
                }
            }
        }
    }

    /// The next whole line, without its end.
    pub fn take_line(&mut self) -> Option<String> {
        self.whole.pop_front()
    }

    /// The next whole line if it is one that the caller wants.
    pub fn take_line_if(&mut self, is_wanted: impl Fn(&str) -> bool) -> Option<String> {
        if !is_wanted(self.whole.front()?) {
            return None;
        }
        self.take_line()
    }

    /// The whole line behind the next `index` ones, which stay.
    pub fn take_line_at(&mut self, index: usize) -> Option<String> {
        self.whole.remove(index)
    }

    /// How many whole lines wait to be taken.
    pub fn waiting(&self) -> usize {
        self.whole.len()
    }

    /// Whether there will be no more lines than those that are here.
    pub fn is_over(&self) -> bool {
        self.input.is_none() && self.whole.is_empty()
    }

    fn take(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_BYTES_MAX.saturating_sub(self.partial.len());
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            self.partial
                .extend_from_slice(&text[..text.len().min(room)]);
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.partial);
        let line = String::from_utf8_lossy(&line);
        self.whole
            .push_back(line.trim_end_matches('\r').to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let (mut typist, terminal) = UnixStream::pair().unwrap();
        let mut lines = Lines::of(File::from(OwnedFd::from(terminal)));
        for bytes in [&b"on"[..], b"e\r\ntwo\n\xc3", b"\xa9\n"] {
            typist.write_all(bytes).unwrap();
            lines.read();
        }
        assert_eq!(lines.take_line().as_deref(), Some("one"));
        assert_eq!(lines.take_line().as_deref(), Some("two"));
        assert_eq!(lines.take_line().as_deref(), Some("é"));
        assert_eq!(lines.take_line(), None);
        assert!(!lines.is_over());
        typist.write_all(b"x\ny\nz\n").unwrap();
        lines.read();
        assert_eq!(lines.take_line_at(3), None);
        assert_eq!(lines.take_line_at(1).as_deref(), Some("y"));
        assert_eq!(lines.take_line().as_deref(), Some("x"));
        assert_eq!(lines.take_line().as_deref(), Some("z"));
        typist.write_all(b"rest").unwrap();
        lines.read();
        drop(typist);
        lines.read();
        assert!(!lines.is_over(), "the last line is still here");
        assert_eq!(lines.take_line().as_deref(), Some("rest"));
        assert!(lines.is_over() && lines.fd().is_none());
    }
}
