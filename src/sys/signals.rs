//! Signals as bytes: signalfd(2), so that Ctrl-C is one more thing in the one poll.
//!
//! A signal that was ignored when we started stays ignored (nohup works, and a shell's background
//! job is not stopped by the terminal's Ctrl-C). Children get an empty mask from the launcher.

use nix::sys::signal::SigSet;
use nix::sys::signalfd::SfdFlags;
use nix::sys::signalfd::SignalFd;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;

pub use nix::sys::signal::Signal;

/// The signals that mean stop: Ctrl-C, the end of the machine, the end of the terminal.
pub const STOPS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// The signals that a process of ours takes as events.
pub struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// Blocks `wanted` for this thread and those it starts later, and takes them as events from
    /// now on. Call it before the first thread.
    pub fn take(wanted: &[Signal]) -> io::Result<Signals> {
        let ignored = ignored_mask();
        let mut set = SigSet::empty();
        for signal in wanted {
            let is_ignored = ignored >> (*signal as u32 - 1) & 1 == 1;
            // A child's end must be seen even where our parent did not care for its own.
            if !is_ignored || *signal == Signal::SIGCHLD {
                set.add(*signal);
            }
        }
        set.thread_block()?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Signals { fd })
    }

    /// To be waited for; it is ready when a signal came.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Lets a signal that was taken come once more.
    pub fn put_back(&self, signal: Signal) {
        // One that is blocked can be sent to oneself, and waits.
        let _ = nix::sys::signal::raise(signal);
    }

    /// The next signal that came, if any. Never blocks.
    pub fn next(&self) -> Option<Signal> {
        let info = self.fd.read_signal().ok()??;
        Signal::try_from(info.ssi_signo as i32).ok()
    }
}

/// A look at the stops that nobody has obeyed yet; it leaves them to who takes them.
#[derive(Debug)]
pub struct PendingStops(SignalFd);

impl PendingStops {
    /// Those that this thread has blocked. The others end the process by themselves.
    pub fn new() -> io::Result<PendingStops> {
        let blocked = SigSet::thread_get_mask()?;
        let stops = STOPS.into_iter().filter(|stop| blocked.contains(*stop));
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let fd = SignalFd::with_flags(&SigSet::from_iter(stops), flags)?;
        Ok(PendingStops(fd))
    }

    /// To be waited for; it is ready as long as there is one.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The signals that are ignored, as the kernel's bit mask; none where `/proc` is not there.
fn ignored_mask() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    parse_ignored(&status)
}

fn parse_ignored(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ignored_mask_is_read_from_the_status_page() {
        assert_eq!(
            parse_ignored("Name:\tsx\nSigIgn:\t0000000000001001\n"),
            0x1001
        );
        assert_eq!(parse_ignored(""), 0);
        assert_eq!(parse_ignored("SigIgn:\tzz\n"), 0);
    }
}
