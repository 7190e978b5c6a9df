//! The wait for the locks of a credential file, which another process holds through a network call.

use crate::auth::Error;
use crate::auth::Fetch;
use crate::base::clock::Deadline;
use std::path::Path;
use std::time::Duration;

/// A sibling holds the locks through one network call; after this it hangs, and we say so.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(60);

/// Between two tries to take the locks: short beside a network call, long beside a system call.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// How long is waited yet.
pub struct Patience(Deadline);

impl Patience {
    /// The wait begins now.
    pub fn begin() -> Patience {
        let limit = "the wait for another process' renewal";
        Patience(Deadline::after(LOCK_WAIT_MAX, limit))
    }

    /// Waits a little for the locks of `target`, by way of `fetch`. Fails if that was long enough,
    /// or if the person ends it.
    pub fn pause(&self, target: &Path, fetch: &mut dyn Fetch) -> Result<(), Error> {
        if self.0.is_over() {
            let detail = format!(
                "another process has held the lock of {} for {} s",
                target.display(),
                LOCK_WAIT_MAX.as_secs()
            );
            return Err(Error::Transient { detail });
        }
        let pause = Deadline::after(LOCK_PAUSE, self.0.limit()).sooner(self.0);
        fetch.pause(pause).map_err(|stopped| Error::Transient {
            detail: stopped.to_string(),
        })
    }
}
