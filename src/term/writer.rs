//! Writes everything or says why not, to any descriptor, and never waits for a reader for good.
//!
//! Nothing is buffered: a caller that composes a whole line and writes it once gets one write(2)
//! wherever the other side has room for it.

use crate::base::clock::Deadline;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use crate::sys::signals::PendingStops;
use crate::sys::tty;
use std::fs::File;
use std::io;
use std::io::IsTerminal;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// A pipe that poll(2) calls writable has room for so much (PIPE_BUF in pipe(7)), so that a write
/// of it does not wait. Signals are blocked while we run: nothing would wake it.
const PIECE_BYTES_MAX: usize = 4096;

/// After a stop a reader that is only slow gets the end of the line, and one that is stuck keeps
/// nobody from stopping us.
const STOP_PATIENCE: Duration = Duration::from_millis(300);

/// A descriptor that takes every byte it is given, or fails.
///
/// Waiting for room has no deadline of its own: a person who stopped a pager stopped us, and means
/// to. It ends with a signal that means stop, and with the deadline of the run. Once bytes were
/// given up nothing more is written, since it would follow half a line. A reader that went away is
/// `BrokenPipe`.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    deadline: Deadline,
    /// Looked at only once there was no room.
    stops: Option<PendingStops>,
    /// Since a stop came while there was no room.
    patience: Option<Deadline>,
    is_lost: bool,
}

/// What a wait was woken by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    Room,
    Stop,
}

impl<W: Write + AsFd> Writer<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Writer<W> {
        Writer {
            out,
            deadline: Deadline::never(),
            stops: None,
            patience: None,
            is_lost: false,
        }
    }

    /// Waits for room no longer than until `deadline`.
    pub fn until(self, deadline: Deadline) -> Writer<W> {
        Writer { deadline, ..self }
    }

    fn wait_for_room(&mut self) -> io::Result<()> {
        loop {
            let woken = self.wait(Some(Duration::ZERO))?;
            let is_stopped = woken.contains(&Woken::Stop) || self.deadline.is_over();
            if woken.contains(&Woken::Room) {
                if !is_stopped {
                    self.patience = None;
                }
                return Ok(());
            }
            if self.stops.is_none() {
                self.stops = Some(PendingStops::new()?);
            } else if is_stopped && self.patience.is_none() {
                self.patience = Some(Deadline::after(STOP_PATIENCE, "STOP_PATIENCE"));
            }
            if self.patience.is_some_and(|patience| patience.is_over()) {
                self.is_lost = true;
                return Err(lost());
            }
            self.wait(self.patience.unwrap_or(self.deadline).left())?;
        }
    }

    /// Waits for room and, unless one has come already, for a stop.
    fn wait(&self, left: Option<Duration>) -> io::Result<Vec<Woken>> {
        let is_look = left == Some(Duration::ZERO);
        let mut set = PollSet::new();
        set.add(self.out.as_fd(), Interest::Write, Woken::Room);
        if let Some(stops) = &self.stops
            && (is_look || self.patience.is_none())
        {
            set.add(stops.fd(), Interest::Read, Woken::Stop);
        }
        set.wait(left)
    }
}

fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "nobody reads it")
}

/// Our standard output, without the line buffer that std puts before it.
pub fn stdout() -> io::Result<Writer<File>> {
    own(io::stdout().as_fd())
}

/// Our standard error.
pub fn stderr() -> io::Result<Writer<File>> {
    own(io::stderr().as_fd())
}

/// A terminal that says it has room may have it for one byte, and a write of two then waits: where
/// it can be had we use one that does not.
fn own(fd: BorrowedFd<'_>) -> io::Result<Writer<File>> {
    if fd.is_terminal()
        && let Ok(terminal) = tty::reopen(fd)
    {
        return Ok(Writer::new(terminal));
    }
    Ok(Writer::new(File::from(fd.try_clone_to_owned()?)))
}

impl<W: Write + AsFd> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_lost {
            return Err(lost());
        }
        let piece = &bytes[..bytes.len().min(PIECE_BYTES_MAX)];
        loop {
            self.wait_for_room()?;
            match self.out.write(piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::thread;

    #[test]
    fn a_full_pipe_is_waited_for_and_nothing_is_lost() {
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let sent: Vec<u8> = (0..2_000_000_u32).map(|n| n as u8).collect();
        let expected = sent.clone();
        let writing = thread::spawn(move || Writer::new(near).write_all(&sent));
        let mut received = Vec::new();
        far.read_to_end(&mut received).unwrap();
        writing.join().unwrap().unwrap();
        assert!(received == expected);
    }

    #[test]
    fn a_reader_that_never_reads_is_not_waited_for_longer_than_the_run_may_take() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut writer = Writer::new(near).until(Deadline::after(Duration::ZERO, "TEST"));
        let error = writer.write_all(&vec![b'x'; 2_000_000]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // Also when there is room again: it would follow half of what came before.
        assert!(far.read(&mut [0; 1_000_000]).unwrap() > 0);
        let error = writer.write_all(b"y").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_reader_that_went_away_is_a_broken_pipe() {
        let (near, far) = UnixStream::pair().unwrap();
        drop(far);
        let error = Writer::new(near).write_all(b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
