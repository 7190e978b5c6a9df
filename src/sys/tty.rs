//! A terminal, opened once more for ourselves.

use nix::fcntl::OFlag;
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
