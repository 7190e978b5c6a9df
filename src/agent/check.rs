//! The question that a service wants to be asked once about the account, before the first request.
//!
//! What it answers may change how requests are routed, so the first of them waits for it, though
//! not for long: where no answer comes, requests go out as if there had been nothing to ask.

use crate::agent::Agent;
use crate::agent::event::Event;
use crate::agent::failure::Failure;
use crate::auth;
use crate::base::clock::Deadline;
use std::mem;
use std::time::Duration;

/// The service answers at once, or has trouble; most accounts need nothing of what it says.
const CHECK_WAIT_MAX: Duration = Duration::from_secs(3);

impl Agent {
    /// Asks it, once a process. Only what the person can act on is said in any case.
    pub(super) fn check_account(&mut self, token: Option<&auth::Token>) -> Result<(), Failure> {
        if mem::replace(&mut self.run.is_checked, true) {
            return Ok(());
        }
        let Some(request) = self.provider.check_request(token) else {
            return Ok(());
        };
        let request = request.map_err(Failure::Provider)?;
        let whole = Deadline::after(CHECK_WAIT_MAX, "the 3 s for the workspace check");
        let answer = self.desk.ask(request, None, whole);
        self.desk.check()?;
        let checked = match answer {
            Ok((status, _, body)) => self.provider.checked(token, status, &body),
            Err(unreachable) => Err(unreachable.why),
        };
        match checked {
            Ok(None) => Ok(()),
            Ok(Some(said)) => self.show(&Event::Warning(&said)),
            Err(why) if self.options.is_verbose => {
                let why = format!("how requests are to be routed is not known: {why}");
                self.show(&Event::Warning(&why))
            }
            Err(_) => Ok(()),
        }
    }
}
