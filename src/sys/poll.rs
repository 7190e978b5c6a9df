//! One wait for many things: poll(2) over descriptors that each carry a token of the caller's.
//!
//! A set is made anew for every wait, so that nobody is woken for a descriptor that was closed.

use nix::errno::Errno;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// What a descriptor is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Bytes to read, or the end of them.
    Read,
    /// Room to write.
    Write,
    /// Either.
    Both,
}

/// The descriptors of one wait. `T` tells the caller which one was ready.
pub struct PollSet<'fd, T> {
    entries: Vec<PollFd<'fd>>,
    tokens: Vec<T>,
}

impl<'fd, T: Copy> PollSet<'fd, T> {
    /// Nothing to wait for yet.
    pub fn new() -> PollSet<'fd, T> {
        PollSet {
            entries: Vec::new(),
            tokens: Vec::new(),
        }
    }

    /// Waits for `fd` too.
    pub fn add(&mut self, fd: BorrowedFd<'fd>, interest: Interest, token: T) {
        let flags = match interest {
            Interest::Read => PollFlags::POLLIN,
            Interest::Write => PollFlags::POLLOUT,
            Interest::Both => PollFlags::POLLIN | PollFlags::POLLOUT,
        };
        self.entries.push(PollFd::new(fd, flags));
        self.tokens.push(token);
    }

    /// Waits until something is ready, at most for `left` (`None` is for ever), and returns the
    /// tokens of what is ready: none if the time ran out or a signal came, so callers look at
    /// their clock. An error or a hang-up counts as ready, since the next read or write tells what
    /// it was.
    pub fn wait(mut self, left: Option<Duration>) -> io::Result<Vec<T>> {
        match nix::poll::poll(&mut self.entries, timeout(left)) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Vec::new()),
            Err(errno) => return Err(errno.into()),
        }
        let ready = self
            .entries
            .iter()
            .map(|entry| !entry.revents().unwrap_or(PollFlags::POLLERR).is_empty());
        let tokens = self.tokens.iter().zip(ready);
        Ok(tokens
            .filter(|(_, ready)| *ready)
            .map(|(token, _)| *token)
            .collect())
    }
}

impl<T: Copy> Default for PollSet<'_, T> {
    fn default() -> Self {
        PollSet::new()
    }
}

/// Milliseconds for poll(2), rounded up so that the time is over when the wait ends.
fn timeout(left: Option<Duration>) -> PollTimeout {
    match left {
        None => PollTimeout::NONE,
        Some(left) => {
            let millis = left.as_micros().div_ceil(1_000);
            PollTimeout::try_from(millis.min(i32::MAX as u128)).unwrap_or(PollTimeout::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn only_what_is_ready_is_returned() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let (_quiet, other) = UnixStream::pair().unwrap();
        near.write_all(b"x").unwrap();
        let mut set = PollSet::new();
        set.add(far.as_fd(), Interest::Read, 1);
        set.add(other.as_fd(), Interest::Read, 2);
        assert_eq!(set.wait(None).unwrap(), [1]);
    }

    #[test]
    fn a_closed_peer_is_ready_and_a_deadline_ends_the_wait() {
        let (near, far) = UnixStream::pair().unwrap();
        let mut set = PollSet::new();
        set.add(far.as_fd(), Interest::Read, 1);
        assert!(set.wait(Some(Duration::ZERO)).unwrap().is_empty());
        drop(near);
        let mut set = PollSet::new();
        set.add(far.as_fd(), Interest::Read, 1);
        assert_eq!(set.wait(None).unwrap(), [1]);
    }
}
