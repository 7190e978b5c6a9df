//! A descriptor that whoever started us left open for us, known by its number alone.
//!
//! It is read through `/proc/self/fd`, which opens pipes and files anew; a socket cannot be.

use crate::base::clock::Deadline;
use crate::sys::file::NO_WAIT;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

/// Reads to the end, at most `bytes_max` bytes, for `wait` at most, and closes the descriptor
/// whatever comes of it.
pub fn read_and_close(fd: i32, bytes_max: usize, wait: Duration) -> io::Result<Vec<u8>> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(NO_WAIT)
        .open(format!("/proc/self/fd/{fd}"));
    // Closed only now: a pipe whose last reader goes away is broken.
    let _ = nix::unistd::close(fd);
    let mut file = opened?;
    let deadline = Deadline::after(wait, "the time for the token");
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        match file.read(&mut piece) {
            Ok(0) => return Ok(bytes),
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut set = PollSet::new();
                set.add(file.as_fd(), Interest::Read, ());
                set.wait(deadline.left())?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if bytes.len() > bytes_max {
            return Err(io::Error::other("it gives more than a token"));
        }
        if deadline.is_over() {
            return Err(io::Error::other("it is still open and gives nothing"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::IntoRawFd;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_pipe_is_read_to_its_end_and_closed() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"token\n").unwrap();
        drop(writer);
        let fd = reader.into_raw_fd();
        assert_eq!(read_and_close(fd, 100, LONG).unwrap(), b"token\n");
        assert!(read_and_close(fd, 100, LONG).is_err(), "it was closed");
    }

    #[test]
    fn whoever_gives_nothing_or_too_much_is_not_waited_for() {
        let (reader, _writer) = io::pipe().unwrap();
        let error = read_and_close(reader.into_raw_fd(), 100, Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("gives nothing"), "{error}");
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(&[b'x'; 200]).unwrap();
        let error = read_and_close(reader.into_raw_fd(), 100, LONG).unwrap_err();
        assert!(error.to_string().contains("more than a token"), "{error}");
    }
}
