//! Makes a connection: the name, the race to its addresses, the TLS session on top.
//!
//! A state machine that its driver waits for. Addresses of one family are raced while the other is
//! still being asked for. What it did is written into the [`Trace`]. It goes through no proxy yet.

use crate::base::clock::Deadline;
use crate::http::url::Scheme;
use crate::http::url::Url;
use crate::net::Error;
use crate::net::connect::Outcome;
use crate::net::connect::Race;
use crate::net::dns::Names;
use crate::net::dns::Started;
use crate::net::dns::Step;
use crate::net::dns::order::Resolution;
use crate::net::stream::Connection;
use crate::net::tls;
use crate::net::trace::Phase;
use crate::net::trace::Trace;
use crate::sys::poll::PollSet;
use std::net::TcpStream;

/// A connection that is being made.
pub struct Dial {
    host: String,
    port: u16,
    /// There whenever the URL says https.
    tls: Option<tls::Settings>,
    /// There while addresses may still come.
    resolution: Option<Resolution>,
    race: Race,
}

impl Dial {
    /// Starts with the name of `url`.
    pub fn start(
        url: &Url,
        names: &Names,
        tls: Option<tls::Settings>,
        trace: &mut Trace,
    ) -> Result<Dial, Error> {
        let mut dial = Dial {
            host: url.host.clone(),
            port: url.port,
            tls: tls.filter(|_| url.scheme == Scheme::Https),
            resolution: None,
            race: Race::new(),
        };
        match names.start(&url.host, url.port) {
            Ok(Started::Known(addresses)) => {
                trace.mark(Phase::Resolve);
                dial.race.add(addresses);
            }
            Ok(Started::Asked(resolution)) => dial.resolution = Some(resolution),
            Err(error) => return Err(dial.unknown(error)),
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

    /// Moves what can be moved now; a connection as soon as there is one.
    pub fn step(&mut self, trace: &mut Trace) -> Result<Option<Connection>, Error> {
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
            Outcome::Won(socket) => self.open(socket).map(Some),
            Outcome::Running | Outcome::Spent => Err(Error::Connect {
                host: self.host.clone(),
                port: self.port,
                tried: self.race.take_failed(),
            }),
        }
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
            Step::Partly(addresses) => self.race.add(addresses),
            Step::Found(addresses) => {
                self.race.add(addresses);
                self.resolution = None;
            }
            Step::Failed(error) => {
                self.resolution = None;
                if is_first {
                    trace.mark(Phase::Resolve);
                    return Err(self.unknown(error));
                }
            }
        }
        if is_first {
            trace.mark(Phase::Resolve);
        }
        Ok(())
    }

    fn open(&self, socket: TcpStream) -> Result<Connection, Error> {
        let Some(settings) = &self.tls else {
            return Ok(Connection::plain(socket));
        };
        let session = tls::Session::new(settings, &self.host);
        let session = session.map_err(|source| Error::Tls {
            host: self.host.clone(),
            source,
        })?;
        Ok(Connection::secure(socket, session))
    }

    fn unknown(&self, error: crate::net::dns::Error) -> Error {
        Error::Resolve {
            host: self.host.clone(),
            source: error.into(),
        }
    }
}
