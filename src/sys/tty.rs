//! A terminal: opened once more for ourselves, and hushed while a secret is typed.

use nix::fcntl::OFlag;
use nix::sys::termios::LocalFlags;
use nix::sys::termios::SetArg;
use nix::sys::termios::Termios;
use nix::sys::termios::tcgetattr;
use nix::sys::termios::tcsetattr;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;

/// The terminal behind `fd`, for writing, without waiting for room.
///
/// A descriptor that we were given is shared with our parent, who must not find it changed; this
/// one is ours. Fails where `/proc` is not mounted or the terminal belongs to somebody else.
pub fn reopen(fd: BorrowedFd<'_>) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    OpenOptions::new()
        .write(true)
        .custom_flags(flags.bits())
        .open(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

/// While it lives, the terminal does not show what is typed.
pub struct Hush<'fd> {
    fd: BorrowedFd<'fd>,
    before: Termios,
}

impl<'fd> Hush<'fd> {
    /// Hushes the terminal behind `fd`, and drops what was typed and not read, since that was shown
    /// (termios(3)).
    pub fn new(fd: BorrowedFd<'fd>) -> io::Result<Hush<'fd>> {
        let before = tcgetattr(fd)?;
        let mut hushed = before.clone();
        hushed.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(fd, SetArg::TCSAFLUSH, &hushed)?;
        Ok(Hush { fd, before })
    }
}

impl Drop for Hush<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(self.fd, SetArg::TCSADRAIN, &self.before);
    }
}
