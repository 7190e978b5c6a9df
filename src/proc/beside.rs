//! Programs of ours that run beside the hands: each has an owner who ends it. Whoever kills all
//! that is left below us leaves them alone, above all one that is spending a refresh token.

use crate::proc::tree;
use crate::proc::tree::Process;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// The children of this process are the process's own, so there is one list of them.
static PIDS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Notes one that was started.
pub fn add(pid: u32) {
    pids().push(pid);
}

/// Forgets one that was reaped. One that goes on after its owner is never reaped, so its number is
/// nobody else's.
pub fn remove(pid: u32) {
    pids().retain(|other| *other != pid);
}

/// All that run.
pub fn all() -> Vec<u32> {
    pids().clone()
}

/// Takes them, and all that they started, out of `found`.
pub fn spare(processes: &[Process], found: &mut Vec<Process>) {
    for pid in all() {
        let Ok(pid) = i32::try_from(pid) else {
            continue;
        };
        let below = tree::below(processes, pid);
        let is_it = |process: &Process| process.pid == pid || below.contains(process);
        found.retain(|process| !is_it(process));
    }
}

fn pids() -> MutexGuard<'static, Vec<u32>> {
    // A thread that panicked left a whole list behind.
    PIDS.lock().unwrap_or_else(PoisonError::into_inner)
}
