//! The signals that a command of ours takes as events.

use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::sys::signals::STOPS;
use crate::sys::signals::Signals;

/// Ctrl-C, the end of the terminal, the end of the machine. Call it before the first thread.
pub fn signals() -> Result<Signals, Fault> {
    Signals::take(&STOPS).map_err(|error| {
        Fault::new(
            Exit::Fault,
            format!("the kernel gives no signalfd: {error}"),
        )
    })
}
