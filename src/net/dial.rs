//! Connects a socket: the name, and the race to its addresses.
//!
//! A state machine that its driver waits for. Addresses of one family are raced while the other is
//! still being asked for. What it did is written into the [`Trace`]. What is spoken over the
//! socket is [`super::opening`]'s.

use crate::base::clock::Deadline;
use crate::net::Error;
use crate::net::connect::Outcome;
use crate::net::connect::Race;
use crate::net::dns;
use crate::net::dns::Resolution;
use crate::net::dns::Step;
use crate::net::route::Reach;
use crate::net::route::Route;
use crate::net::route::Scope;
use crate::net::trace::Phase;
use crate::net::trace::Trace;
use crate::sys::poll::PollSet;
use std::net::SocketAddr;
use std::net::TcpStream;

/// A socket that is being connected.
pub struct Dial {
    host: String,
    port: u16,
    scope: Scope,
    /// There while addresses may still come.
    resolution: Option<Resolution>,
    race: Race,
}

impl Dial {
    /// Starts with the name.
    pub fn start(route: &Route, reach: &Reach, trace: &mut Trace) -> Result<Dial, Error> {
        let (host, port) = route.first_hop();
        let mut dial = Dial {
            host: host.to_string(),
            port,
            scope: reach.scope.of_first_hop(route),
            resolution: None,
            race: Race::new(),
        };
        let (known, by) = reach.names.known(host, port);
        if !known.is_empty() {
            trace.named_by = Some(by);
            trace.mark(Phase::Resolve);
            dial.add(known)?;
        } else if reach.scope == Scope::Loopback {
            // To ask a name server would be to go out.
            return Err(dial.out_of_reach());
        } else {
            let asked = reach.names.ask(host, port);
            dial.resolution = Some(asked.map_err(|error| dial.unknown(error, None))?);
            trace.named_by = Some("the name servers");
        }
        Ok(dial)
    }

    /// Adds what it waits for.
    pub fn wait_for<'a, T: Copy>(&'a self, set: &mut PollSet<'a, T>, token: T) {
        if let Some(resolution) = &self.resolution {
            resolution.wait_for(set, token);
        }
        self.race.wait_for(set, token);
    }

    /// When to step at the latest, though nothing was ready.
    pub fn deadline(&self) -> Deadline {
        let race = self.race.deadline();
        match &self.resolution {
            Some(resolution) => race.sooner(resolution.deadline()),
            None => race,
        }
    }

    /// Moves what can be moved now; a connected socket as soon as there is one.
    pub fn step(&mut self, trace: &mut Trace) -> Result<Option<TcpStream>, Error> {
        self.resolve(trace)?;
        let outcome = self.race.step();
        if let Outcome::Running = outcome {
            return Ok(None);
        }
        if matches!(outcome, Outcome::Spent) && self.resolution.is_some() {
            return Ok(None);
        }
        trace.addresses.extend(self.race.attempts());
        trace.mark(Phase::Connect);
        match outcome {
            Outcome::Won(socket) => Ok(Some(socket)),
            Outcome::Running | Outcome::Spent => Err(self.refused(None)),
        }
    }

    /// Why there is no connection when `limit` is over: what the name servers said, or did not, and
    /// what became of every address.
    pub fn give_up(&mut self, limit: &'static str, trace: &mut Trace) -> Error {
        let unknown = self.resolution.take().and_then(Resolution::give_up);
        if let Some(error) = unknown
            && self.race.is_empty()
        {
            trace.mark(Phase::Resolve);
            return self.unknown(error, Some(limit));
        }
        self.race.give_up();
        trace.addresses.extend(self.race.attempts());
        trace.mark(Phase::Connect);
        self.refused(Some(limit))
    }

    /// Hands the addresses that came to the race. A name without any is an error only if nothing
    /// is being tried either.
    fn resolve(&mut self, trace: &mut Trace) -> Result<(), Error> {
        let Some(resolution) = &mut self.resolution else {
            return Ok(());
        };
        let is_first = self.race.is_empty();
        match resolution.step() {
            Step::Waiting => return Ok(()),
            Step::Partly(addresses) => self.add(addresses)?,
            Step::Found(addresses) => {
                self.resolution = None;
                self.add(addresses)?;
            }
            Step::Failed(error) => {
                self.resolution = None;
                if is_first {
                    trace.mark(Phase::Resolve);
                    return Err(self.unknown(error, None));
                }
            }
        }
        if is_first {
            trace.mark(Phase::Resolve);
        }
        Ok(())
    }

    /// More addresses for the race, those that may be connected to.
    fn add(&mut self, mut addresses: Vec<SocketAddr>) -> Result<(), Error> {
        addresses.retain(|address| self.scope.allows(address));
        if addresses.is_empty() && self.race.is_empty() {
            return Err(self.out_of_reach());
        }
        self.race.add(addresses);
        Ok(())
    }

    fn refused(&mut self, limit: Option<&'static str>) -> Error {
        Error::Connect {
            host: self.host.clone(),
            port: self.port,
            tried: self.race.take_failed(),
            limit,
        }
    }

    fn out_of_reach(&self) -> Error {
        let host = self.host.clone();
        match self.scope {
            Scope::Public => Error::Private { host },
            Scope::Loopback | Scope::Anywhere => Error::Offline { host },
        }
    }

    fn unknown(&self, error: dns::Error, limit: Option<&'static str>) -> Error {
        Error::Resolve {
            host: self.host.clone(),
            source: error.into(),
            limit,
        }
    }
}
