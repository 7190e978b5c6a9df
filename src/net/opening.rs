//! Opens a connection: to the server or its proxy, through the proxy, and TLS on top of it all.
//!
//! A state machine that its driver waits for, with a deadline for each of its stages. Where the
//! issuer of a certificate is unknown it begins once more with the system's own roots, which are
//! read only then. No byte of a request is sent here, so one may be opened before there is one.

use crate::base::clock::Deadline;
use crate::http::url::Scheme;
use crate::net::Error;
use crate::net::dial::Dial;
use crate::net::proxy::Proxy;
use crate::net::proxy::tunnel;
use crate::net::proxy::tunnel::Answer;
use crate::net::proxy::tunnel::ConnectAnswer;
use crate::net::route::Reach;
use crate::net::route::Route;
use crate::net::stream::Connection;
use crate::net::stream::Received;
use crate::net::tls;
use crate::net::trace::Phase;
use crate::net::trace::Trace;
use crate::sys::poll::PollSet;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

/// The names of the limits, as the user knows them.
const CONNECT: &str = "CONNECT_TIMEOUT";
const TLS: &str = "TLS_TIMEOUT";

/// What a proxy has to say behind its no is a page; it is worth this much more waiting.
const WORDS_WAIT_MAX: Duration = Duration::from_secs(1);

/// A connection that is being opened.
pub struct Opening {
    reach: Rc<Reach>,
    route: Route,
    /// There whenever the route needs it.
    tls: Option<tls::Settings>,
    /// The system's own roots were tried too.
    has_tried_system: bool,
    stage: Stage,
    deadline: Deadline,
    trace: Trace,
}

/// Where it stands.
enum Stage {
    /// The socket is being connected.
    Dial(Box<Dial>),
    /// TLS with the proxy.
    Greet(Connection),
    /// CONNECT was or is being sent.
    Ask(Tunnel),
    /// TLS with the server.
    Secure(Connection),
    /// Ready for a request.
    Open(Connection),
    /// It was handed out, or it failed.
    Over,
}

/// A way through a proxy that is being asked for.
struct Tunnel {
    connection: Connection,
    /// What of our question is not sent yet.
    unsent: Vec<u8>,
    answer: ConnectAnswer,
}

impl Opening {
    /// Begins. `tls` is there whenever the route needs it; `trace` is of what went before.
    pub fn start(
        route: Route,
        reach: Rc<Reach>,
        tls: Option<tls::Settings>,
        trace: &Trace,
    ) -> Result<Opening, Error> {
        let mut opening = Opening {
            reach,
            route,
            tls,
            has_tried_system: false,
            stage: Stage::Over,
            deadline: Deadline::never(),
            trace: trace.clone(),
        };
        opening.dial()?;
        Ok(opening)
    }

    /// Adds what it waits for.
    pub fn wait_for<'a, T: Copy>(&'a self, set: &mut PollSet<'a, T>, token: T) {
        match &self.stage {
            Stage::Dial(dial) => dial.wait_for(set, token),
            Stage::Greet(connection) | Stage::Secure(connection) => {
                set.add(connection.fd(), connection.interest(false), token);
            }
            Stage::Ask(tunnel) => {
                let interest = tunnel.connection.interest(!tunnel.unsent.is_empty());
                set.add(tunnel.connection.fd(), interest, token);
            }
            Stage::Open(_) | Stage::Over => {}
        }
    }

    /// When to step at the latest, though nothing was ready.
    pub fn deadline(&self) -> Deadline {
        match &self.stage {
            Stage::Dial(dial) => self.deadline.sooner(dial.deadline()),
            _ => self.deadline,
        }
    }

    /// Moves what can be moved now; the connection once it is open.
    pub fn step(&mut self) -> Result<Option<Connection>, Error> {
        let opened = self.advance()?;
        // Asked last: bytes that came while we were stopped are no reason to give up.
        if opened.is_none() && self.deadline.is_over() {
            return Err(self.timeout());
        }
        Ok(opened)
    }

    /// Where the time went so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The roots that served: they may have become more.
    pub fn tls(&self) -> Option<&tls::Settings> {
        self.tls.as_ref()
    }

    fn advance(&mut self) -> Result<Option<Connection>, Error> {
        loop {
            match mem::replace(&mut self.stage, Stage::Over) {
                Stage::Dial(mut dial) => {
                    let dialled = dial.step(&mut self.trace);
                    match dialled.map_err(|error| self.route.blame(error))? {
                        None => {
                            self.stage = Stage::Dial(dial);
                            return Ok(None);
                        }
                        Some(socket) => self.meet(Connection::plain(socket))?,
                    }
                }
                Stage::Greet(mut connection) => match connection.shake_hands() {
                    Ok(false) => {
                        self.stage = Stage::Greet(connection);
                        return Ok(None);
                    }
                    Ok(true) => self.pass(connection)?,
                    Err(failure) => {
                        self.trace.mark(Phase::Proxy);
                        let error = broken(self.route.first_hop().0, failure);
                        self.trust_the_system_after(self.route.blame(error))?;
                    }
                },
                Stage::Ask(mut tunnel) => match self.ask(&mut tunnel)? {
                    None => {
                        self.stage = Stage::Ask(tunnel);
                        return Ok(None);
                    }
                    Some(early) => {
                        self.trace.mark(Phase::Proxy);
                        self.secure(tunnel.connection, early)?;
                    }
                },
                Stage::Secure(mut connection) => match connection.shake_hands() {
                    Ok(false) => {
                        self.stage = Stage::Secure(connection);
                        return Ok(None);
                    }
                    Ok(true) => {
                        self.trace.mark(Phase::Tls);
                        self.trace.tls = connection.tls_facts();
                        self.stage = Stage::Open(connection);
                    }
                    Err(failure) => {
                        self.trace.mark(Phase::Tls);
                        let error = broken(&self.route.server.host, failure);
                        self.trust_the_system_after(error)?;
                    }
                },
                Stage::Open(connection) => return Ok(Some(connection)),
                Stage::Over => return Ok(None),
            }
        }
    }

    /// Begins to connect the socket.
    fn dial(&mut self) -> Result<(), Error> {
        self.deadline = Deadline::after(self.reach.limits.connect, CONNECT);
        if let Some(proxy) = &self.route.proxy {
            self.trace.proxy = Some(proxy.authority());
        }
        let dial = Dial::start(&self.route, &self.reach, &mut self.trace);
        let dial = dial.map_err(|error| self.route.blame(error))?;
        self.stage = Stage::Dial(Box::new(dial));
        Ok(())
    }

    /// The socket is connected: to whom, and what do they want to hear first?
    fn meet(&mut self, connection: Connection) -> Result<(), Error> {
        let Some(proxy) = &self.route.proxy else {
            return self.secure(connection, Vec::new());
        };
        if proxy.scheme == Scheme::Http {
            return self.pass(connection);
        }
        let session = self.session(&proxy.host);
        let session = session.map_err(|error| self.route.blame(error))?;
        self.deadline = Deadline::after(self.reach.limits.tls, TLS);
        self.stage = Stage::Greet(connection.secure_to_proxy(session));
        Ok(())
    }

    /// The proxy listens. What is for a plain server it reads itself; else a tunnel is asked for.
    fn pass(&mut self, connection: Connection) -> Result<(), Error> {
        let Some(proxy) = &self.route.proxy else {
            return self.secure(connection, Vec::new());
        };
        if self.route.server.scheme == Scheme::Http {
            self.trace.mark(Phase::Proxy);
            return self.secure(connection, Vec::new());
        }
        // The proxy looks up and connects in its turn.
        self.deadline = Deadline::after(self.reach.limits.connect, CONNECT);
        self.stage = Stage::Ask(Tunnel {
            connection,
            unsent: tunnel::connect_request(&self.route.server, proxy),
            answer: ConnectAnswer::of(proxy),
        });
        Ok(())
    }

    /// Whoever is at the other end now is the server.
    fn secure(&mut self, connection: Connection, early: Vec<u8>) -> Result<(), Error> {
        let host = &self.route.server.host;
        self.stage = match self.route.server.scheme {
            Scheme::Http => Stage::Open(connection),
            Scheme::Https => Stage::Secure(connection.secure(self.session(host)?, early)),
        };
        self.deadline = Deadline::after(self.reach.limits.tls, TLS);
        Ok(())
    }

    /// Sends what there is to send and reads once; the server's early bytes once the way is open.
    fn ask(&mut self, tunnel: &mut Tunnel) -> Result<Option<Vec<u8>>, Error> {
        let broken = |failure| self.route.blame(broken(self.route.first_hop().0, failure));
        let sent = tunnel.connection.send(&tunnel.unsent);
        // A proxy may refuse and close before it has read all of the question.
        if let Ok(sent) = &sent {
            tunnel.unsent.drain(..sent);
        }
        let mut arrived = Vec::new();
        let received = tunnel.connection.receive(&mut arrived).map_err(broken)?;
        match tunnel.answer.feed(&arrived) {
            Ok(Answer::Open { early }) => return Ok(Some(early)),
            Ok(Answer::More) => {}
            Err(source) => return Err(self.no_tunnel(source)),
        }
        if received == Received::End {
            return Err(self.no_tunnel(tunnel.answer.finish()));
        }
        sent.map_err(broken)?;
        if tunnel.answer.is_refused() {
            let words = Deadline::after(WORDS_WAIT_MAX, CONNECT);
            self.deadline = self.deadline.sooner(words);
        }
        Ok(None)
    }

    fn no_tunnel(&mut self, source: tunnel::Error) -> Error {
        self.trace.mark(Phase::Proxy);
        let proxy = self.route.proxy.as_ref().map(Proxy::to_string);
        self.route.blame(Error::Tunnel {
            host: self.route.server.host.clone(),
            proxy: proxy.unwrap_or_default(),
            source,
        })
    }

    fn session(&self, host: &str) -> Result<tls::Session, Error> {
        let missing = || tls::Failure::Other("there are no TLS settings".to_string());
        let settings = self.tls.as_ref().ok_or_else(missing);
        let session = settings.and_then(|settings| tls::Session::new(settings, host));
        session.map_err(|source| Error::Tls {
            host: host.to_string(),
            source,
        })
    }

    /// An issuer that we do not know may be one of the system's own, which are read only now.
    /// Anything else is what it was.
    fn trust_the_system_after(&mut self, error: Error) -> Result<(), Error> {
        let is_unknown = matches!(
            error.plain(),
            Error::Tls {
                source: tls::Failure::UnknownIssuer { .. },
                ..
            }
        );
        if !is_unknown || mem::replace(&mut self.has_tried_system, true) {
            return Err(error);
        }
        let more = self.tls.as_ref();
        let Some(more) = more.and_then(tls::Settings::with_system_bundle) else {
            return Err(error);
        };
        self.tls = Some(more);
        self.dial()
    }

    /// What was waited for when the time was up.
    fn timeout(&mut self) -> Error {
        let limit = self.deadline.limit();
        match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Dial(mut dial) => {
                let error = dial.give_up(limit, &mut self.trace);
                self.route.blame(error)
            }
            Stage::Ask(mut tunnel) if tunnel.answer.is_refused() => {
                self.no_tunnel(tunnel.answer.finish())
            }
            Stage::Greet(_) | Stage::Ask(_) => {
                self.trace.mark(Phase::Proxy);
                let host = self.route.first_hop().0.to_string();
                self.route.blame(Error::Timeout { host, limit })
            }
            Stage::Secure(_) | Stage::Open(_) | Stage::Over => {
                self.trace.mark(Phase::Tls);
                let host = self.route.server.host.clone();
                Error::Timeout { host, limit }
            }
        }
    }
}

/// The kernel's failure or TLS's.
pub(super) fn broken(host: &str, failure: tls::Failure) -> Error {
    let host = host.to_string();
    match failure {
        tls::Failure::Io(source) => Error::Broken { host, source },
        source => Error::Tls { host, source },
    }
}

#[cfg(test)]
mod tests;
