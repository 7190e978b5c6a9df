//! Everything that can wake the loop, and the one wait for all of it.
//!
//! A wait moves the bytes of the hands' pipe and of the person's typing as they come; what they
//! mean is left in the trays here for whoever asked. The network's bytes are moved by the one who
//! owns the transfer.

use crate::agent::failure::Failure;
use crate::auth;
use crate::auth::FETCH_BYTES_MAX;
use crate::auth::FETCH_TIME_MAX;
use crate::auth::Unreachable;
use crate::base::clock::Deadline;
use crate::hands;
use crate::hands::wire::Reply;
use crate::http::exchange::Request;
use crate::http::head::Headers;
use crate::net;
use crate::net::Transfer;
use crate::net::transfer::Progress;
use crate::proc::capture::Capture;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use crate::sys::signals::STOPS;
use crate::sys::signals::Signal;
use crate::sys::signals::Signals;
use crate::term::lines::Lines;
use std::path::Path;

/// The trays and the descriptors behind them.
pub struct Desk {
    /// The network.
    pub client: net::Client,
    /// Ctrl-C and its kin.
    pub signals: Signals,
    /// The process that runs the tools, if there are tools.
    pub hands: Option<hands::client::Client>,
    /// What the person types, in an interactive session.
    pub typed: Option<Lines>,
    /// The limit of the whole run.
    pub deadline: Deadline,
    /// What the hands said and nobody has read yet.
    replies: Vec<Reply>,
    /// A stop that nobody has obeyed yet.
    stop: Option<Signal>,
    /// The death of the hands, where whoever waited had something else to finish first.
    lost: Option<hands::client::Error>,
}

/// What a wait was woken by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    Transfer,
    Program,
    /// A connection that no request is using.
    Idle,
    Signal,
    Hands,
    Typed,
}

impl Desk {
    /// A desk with empty trays.
    pub fn new(client: net::Client, signals: Signals, deadline: Deadline) -> Desk {
        Desk {
            client,
            signals,
            hands: None,
            typed: None,
            deadline,
            replies: Vec::new(),
            stop: None,
            lost: None,
        }
    }

    /// Waits until something moved or `deadline` is over. Fails if a signal says stop, the run's
    /// time is up, or the hands are gone.
    pub fn wait(&mut self, transfer: Option<&Transfer>, deadline: Deadline) -> Result<(), Failure> {
        self.wait_beside(transfer, None, deadline)
    }

    fn wait_beside(
        &mut self,
        transfer: Option<&Transfer>,
        program: Option<&Capture>,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let mut set = PollSet::new();
        set.add(self.signals.fd(), Interest::Read, Woken::Signal);
        if let Some(transfer) = transfer {
            transfer.wait_for(&mut set, Woken::Transfer);
        }
        if let Some(program) = program {
            program.wait_for(&mut set, Woken::Program);
        }
        self.client.wait_for(&mut set, Woken::Idle);
        if let Some(hands) = &self.hands {
            hands.watch(&mut set, Woken::Hands);
        }
        if let Some(typed) = &self.typed
            && let Some(fd) = typed.fd()
        {
            set.add(fd, Interest::Read, Woken::Typed);
        }
        let idle = self.client.deadline();
        let left = deadline.sooner(self.deadline).sooner(idle).left();
        let woken = set.wait(left).map_err(Failure::Wait)?;
        if woken.contains(&Woken::Idle) || idle.is_over() {
            self.client.step();
        }
        if woken.contains(&Woken::Signal) {
            self.hear_signals();
        }
        if woken.contains(&Woken::Typed)
            && let Some(typed) = &mut self.typed
        {
            typed.read();
        }
        if woken.contains(&Woken::Hands)
            && let Some(hands) = &mut self.hands
        {
            match hands.pump() {
                Ok(replies) => self.replies.extend(replies),
                Err(error) => {
                    self.hands = None;
                    return Err(Failure::Hands(error));
                }
            }
        }
        self.check()
    }

    /// The same as `check`, for who did not wait here.
    pub fn check_now(&mut self) -> Result<(), Failure> {
        self.hear_signals();
        self.check()
    }

    /// The run was stopped by `failure`. Whoever writes its end only looks for signals, and must
    /// see this one though it was obeyed: nobody waits now for a reader that does not read.
    pub fn hurry(&self, failure: &Failure) {
        if let Failure::Signal(number) = failure
            && let Ok(signal) = Signal::try_from(*number)
        {
            self.signals.put_back(signal);
        }
    }

    /// Fails if the run must stop: a signal, or its time is up.
    pub fn check(&mut self) -> Result<(), Failure> {
        if let Some(signal) = self.stop.take() {
            return Err(Failure::Signal(signal as i32));
        }
        if self.deadline.is_over() {
            return Err(Failure::Limit(self.deadline.limit()));
        }
        match self.lost.take() {
            Some(error) => Err(Failure::Hands(error)),
            None => Ok(()),
        }
    }

    /// What the hands said since the last time, in order.
    pub fn take_replies(&mut self) -> Vec<Reply> {
        std::mem::take(&mut self.replies)
    }

    /// Keeps what ended a wait for the next `check`: whoever waited has something else to finish.
    pub fn put_back(&mut self, failure: Failure) {
        match failure {
            Failure::Signal(signal) => self.stop = Signal::try_from(signal).ok(),
            Failure::Hands(error) => self.lost = Some(error),
            // The end of the time is found again by itself, and nothing else ends a wait.
            _ => {}
        }
    }

    /// A stop that came while a credential was renewed is for the loop to obey, not for `auth`.
    fn unreachable(&mut self, failure: Failure) -> Unreachable {
        let why = failure.to_string();
        self.put_back(failure);
        Unreachable {
            why,
            may_have_arrived: true,
        }
    }

    /// The signals that mean stop; the others only woke us.
    fn hear_signals(&mut self) {
        while let Some(signal) = self.signals.next() {
            if STOPS.contains(&signal) {
                // The end of the machine outranks an end of the turn that came with it.
                if self.stop != Some(Signal::SIGTERM) {
                    self.stop = Some(signal);
                }
            }
        }
    }
}

/// How a credential is renewed from within the loop: the hands and the person's typing are heard
/// meanwhile, and Ctrl-C ends it.
impl auth::Fetch for Desk {
    fn fetch(
        &mut self,
        request: Request,
        socket: Option<&Path>,
    ) -> Result<(u16, Headers, Vec<u8>), Unreachable> {
        let lost = |error: net::Error| Unreachable {
            why: error.to_string(),
            may_have_arrived: error.may_have_arrived(),
        };
        let whole = Deadline::after(FETCH_TIME_MAX, "the time for renewing a login");
        let started = match socket {
            Some(socket) => self.client.start_on_socket(request, socket),
            None => self.client.start(request),
        };
        let mut transfer = started.map_err(lost)?;
        let mut body = Vec::new();
        while transfer.step(&mut body).map_err(lost)? != Progress::Done {
            if body.len() > FETCH_BYTES_MAX || whole.is_over() {
                let host = transfer.host().to_string();
                return Err(lost(match whole.is_over() {
                    true => net::Error::Timeout {
                        host,
                        limit: whole.limit(),
                    },
                    false => net::Error::TooLong {
                        host,
                        bytes_max: FETCH_BYTES_MAX,
                    },
                }));
            }
            let deadline = transfer.deadline().sooner(whole);
            let waited = self.wait(Some(&transfer), deadline);
            waited.map_err(|failure| self.unreachable(failure))?;
        }
        let Some(head) = transfer.head().cloned() else {
            return Err(Unreachable::new("an answer without a head"));
        };
        if socket.is_none() {
            self.client.finish(transfer);
        }
        Ok((head.status, head.headers, body))
    }

    fn pause(&mut self, deadline: Deadline) -> Result<(), Unreachable> {
        Desk::wait(self, None, deadline).map_err(|failure| self.unreachable(failure))
    }

    fn wait(&mut self, program: &Capture) -> Result<(), Unreachable> {
        let waited = self.wait_beside(None, Some(program), program.deadline());
        waited.map_err(|failure| self.unreachable(failure))
    }
}
