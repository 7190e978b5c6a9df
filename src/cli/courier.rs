//! How a command renews a credential: one request over the network, waited for to its end.
//!
//! The agent's loop has a way of its own, which hears the hands and the person meanwhile.

use crate::auth;
use crate::auth::FETCH_BYTES_MAX;
use crate::auth::FETCH_TIME_MAX;
use crate::auth::Unreachable;
use crate::base::clock::Deadline;
use crate::http::exchange::Request;
use crate::http::head::Headers;
use crate::net;
use crate::net::drive::Bounds;
use crate::net::drive::drive;
use crate::proc::capture::Capture;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use crate::sys::signals::Signals;
use std::path::Path;

/// Carries requests of `auth`.
pub struct Courier {
    /// The network.
    pub client: net::Client,
    /// What ends a wait.
    pub signals: Signals,
    /// The signal that ended one.
    pub stopped_by: Option<i32>,
}

impl auth::Fetch for Courier {
    fn fetch(
        &mut self,
        request: Request,
        socket: Option<&Path>,
    ) -> Result<(u16, Headers, Vec<u8>), Unreachable> {
        let bounds = Bounds {
            whole: Deadline::after(FETCH_TIME_MAX, "the time for one question about a login"),
            bytes_max: FETCH_BYTES_MAX,
            redirects_max: 0,
            socket,
        };
        match drive(&mut self.client, request, &self.signals, bounds) {
            Ok(response) => Ok((response.head.status, response.head.headers, response.body)),
            Err(error) => {
                if let net::Error::Interrupted { signal } = error {
                    self.stopped_by = Some(signal);
                }
                Err(Unreachable {
                    why: error.to_string(),
                    may_have_arrived: error.may_have_arrived(),
                })
            }
        }
    }

    fn pause(&mut self, deadline: Deadline) -> Result<(), Unreachable> {
        self.sleep(None, deadline)
    }

    fn wait(&mut self, program: &Capture) -> Result<(), Unreachable> {
        self.sleep(Some(program), program.deadline())
    }
}

/// What a wait was woken by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    Program,
    Signal,
}

impl Courier {
    /// Waits until `deadline`, or until the program may have to be stepped; a signal ends it.
    fn sleep(&mut self, program: Option<&Capture>, deadline: Deadline) -> Result<(), Unreachable> {
        // A signal that ended a request ends the wait before the next try too.
        if self.stopped_by.is_some() {
            return Err(Unreachable::new("a signal came"));
        }
        let mut set = PollSet::new();
        set.add(self.signals.fd(), Interest::Read, Woken::Signal);
        if let Some(program) = program {
            program.wait_for(&mut set, Woken::Program);
        }
        let woken = set.wait(deadline.left());
        let woken = woken.map_err(|error| Unreachable::new(error.to_string()))?;
        if !woken.contains(&Woken::Signal) {
            return Ok(());
        }
        self.stopped_by = self.signals.next().map(|signal| signal as i32);
        Err(Unreachable::new("a signal came"))
    }
}
