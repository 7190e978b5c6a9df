//! What a process of ours asks of the kernel for itself or about itself, at its start.

use nix::sys::prctl;
use nix::unistd;
use std::io;

/// Makes orphans below us our children, so that nothing escapes by forking twice.
pub fn become_subreaper() -> io::Result<()> {
    Ok(prctl::set_child_subreaper(true)?)
}

/// Keeps others of our user from our memory, our descriptors and what we were started with
/// (prctl(2), PR_SET_DUMPABLE). Whatever we start is open again.
pub fn close_to_others() -> io::Result<()> {
    Ok(prctl::set_dumpable(false)?)
}

/// Whether this is the first process of a container or a PID namespace, with which all others end.
pub fn is_first() -> bool {
    std::process::id() == 1
}

/// Whether the process that started this one leads the session that both are in, as what the
/// launcher started does, and what that started in turn does not.
pub fn was_started_by_leader_of_session() -> bool {
    unistd::getsid(None) == Ok(unistd::getppid())
}
