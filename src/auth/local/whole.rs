//! A credential file that somebody writes in place, as the official client does: it is empty or
//! half there for a moment, and is read again.

use crate::auth::Error;
use crate::auth::Fetch;
use crate::auth::file::Credential;
use crate::auth::file::is_torn;
use crate::base::clock::Deadline;
use crate::sys::poll::PollSet;
use std::path::Path;
use std::time::Duration;

/// Between two reads of a file that somebody is writing in place: that takes a millisecond or two.
const TORN_PAUSE: Duration = Duration::from_millis(50);

/// So often it is read again; a file that is broken even then stays broken.
pub const TORN_TRIES_MAX: u32 = 5;

/// Reads the file; while somebody writes it in place, again and again for a moment.
pub fn read(
    path: &Path,
    pause: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<Credential, Error> {
    for _ in 0..TORN_TRIES_MAX {
        match Credential::read(path) {
            Err(error) if is_torn(&error) => pause()?,
            read => return read,
        }
    }
    Credential::read(path)
}

/// Waits a moment for whoever writes the file.
pub fn pause(fetch: &mut dyn Fetch) -> Result<(), Error> {
    let deadline = Deadline::after(TORN_PAUSE, "the wait for a file being written");
    fetch.pause(deadline).map_err(|stopped| Error::Transient {
        detail: stopped.to_string(),
    })
}

/// The same where there is nobody who could end it.
pub fn pause_alone() -> Result<(), Error> {
    // A poll of nothing is a pause that ends on time.
    let _ = PollSet::<()>::new().wait(Some(TORN_PAUSE));
    Ok(())
}
