//! Pipes as the one poll wants them: ends that never block.

use nix::fcntl::FcntlArg;
use nix::fcntl::OFlag;
use std::io;
use std::os::fd::AsFd;

/// Makes reads and writes of this end answer "would block" instead of waiting.
///
/// The flag belongs to the open file, not to the descriptor: set it only on a pipe whose end
/// nobody else holds, never on an inherited stdin or stdout.
pub fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(nix::fcntl::fcntl(&fd, FcntlArg::F_GETFL)?);
    nix::fcntl::fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
