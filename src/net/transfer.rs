//! One request on its way: connection opened, request sent, answer read, each with its deadline.
//!
//! A [`Transfer`] is moved by its driver: wait for its descriptors and its deadline, then `step`.
//! It never waits itself. A connection that was there before the request and turns out to be dead
//! before a byte of the answer came is replaced once by a fresh one (RFC 9110 §9.2.2 allows no
//! more than that for a POST: the server closed before it read). It follows no redirect.

use crate::base::clock::Deadline;
use crate::http::exchange::Exchange;
use crate::http::exchange::Form;
use crate::http::exchange::Request;
use crate::http::head::Headers;
use crate::http::head::ResponseHead;
use crate::http::url::Url;
use crate::net::Error;
use crate::net::Limits;
use crate::net::connect::Unacknowledged;
use crate::net::opening::Opening;
use crate::net::opening::broken;
use crate::net::proxy::tunnel;
use crate::net::route::Reach;
use crate::net::route::Route;
use crate::net::stream::Connection;
use crate::net::stream::Received;
use crate::net::tls;
use crate::net::trace;
use crate::net::trace::Trace;
use crate::sys::poll::PollSet;
use std::mem;
use std::rc::Rc;

/// The names of the limits, as the user knows them.
const FIRST_BYTE: &str = "FIRST_BYTE_TIMEOUT";
const IDLE: &str = "IDLE_TIMEOUT";

/// A recording ends here, so that an endless stream does not fill the memory.
const RECORDED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Where a transfer stands.
enum Phase {
    /// The connection is being opened.
    Open(Box<Opening>),
    /// The bytes of the exchange travel.
    Talk(Connection),
    /// Nothing moves any more: it is done, or it failed.
    Over,
}

/// Whether there is more to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The answer is not whole yet.
    Waiting,
    /// The answer is whole.
    Done,
}

/// The bytes of an exchange as they went over the connection, inside TLS.
#[derive(Default)]
pub struct Recording {
    /// What we sent.
    pub request: Vec<u8>,
    /// What came.
    pub response: Vec<u8>,
}

/// What a transfer begins with.
pub(super) enum Start {
    /// A connection that was there before.
    Open(Connection),
    /// One that was made for it.
    Fresh(Connection),
    /// One that is still being opened.
    Opening(Box<Opening>),
}

/// What a transfer needs if it must open a connection itself.
pub(super) struct Settings {
    /// What every connection of the run goes by.
    pub reach: Rc<Reach>,
    /// The way to the server.
    pub route: Route,
    /// There whenever the route needs it.
    pub tls: Option<tls::Settings>,
}

/// A request and the connection it travels on.
pub struct Transfer {
    request: Request,
    exchange: Exchange,
    phase: Phase,
    settings: Settings,
    /// Kept up to date from the end of the opening on.
    trace: Trace,
    deadline: Deadline,
    /// The connection was there before the request.
    is_reused: bool,
    /// Bytes from the socket that the exchange has not seen; empty between steps.
    arrived: Vec<u8>,
    recording: Option<Recording>,
}

impl Transfer {
    /// A transfer that begins with `start`.
    pub(super) fn start(
        request: Request,
        start: Start,
        settings: Settings,
        is_recorded: bool,
    ) -> Result<Transfer, Error> {
        let exchange = Exchange::new(&request, settings.route.form());
        let exchange = exchange.map_err(|source| Error::Http {
            host: request.url.host.clone(),
            source,
        })?;
        let (phase, is_reused) = match start {
            Start::Open(connection) => {
                connection.set_unacknowledged_max(Unacknowledged::Short);
                (Phase::Talk(connection), true)
            }
            Start::Fresh(connection) => (Phase::Talk(connection), false),
            Start::Opening(opening) => (Phase::Open(opening), false),
        };
        Ok(Transfer {
            deadline: Deadline::after(settings.reach.limits.idle, IDLE),
            request,
            exchange,
            phase,
            settings,
            trace: Trace::start(),
            is_reused,
            arrived: Vec::new(),
            recording: is_recorded.then(Recording::default),
        })
    }

    /// Adds what it waits for.
    pub fn wait_for<'a, T: Copy>(&'a self, set: &mut PollSet<'a, T>, token: T) {
        match &self.phase {
            Phase::Open(opening) => opening.wait_for(set, token),
            Phase::Talk(connection) => {
                let has_unsent = !self.exchange.unsent().is_empty();
                set.add(connection.fd(), connection.interest(has_unsent), token);
            }
            Phase::Over => {}
        }
    }

    /// When to step at the latest, though nothing was ready.
    pub fn deadline(&self) -> Deadline {
        match &self.phase {
            Phase::Open(opening) => opening.deadline(),
            Phase::Talk(_) | Phase::Over => self.deadline,
        }
    }

    /// The head of the answer, once it is there.
    pub fn head(&self) -> Option<&ResponseHead> {
        self.exchange.head()
    }

    /// The host that is talked to.
    pub fn host(&self) -> &str {
        &self.request.url.host
    }

    /// Whom the request is for.
    pub fn url(&self) -> &Url {
        &self.request.url
    }

    /// Moves what can be moved now; appends the bytes of the body that came to `body`.
    pub fn step(&mut self, body: &mut Vec<u8>) -> Result<Progress, Error> {
        let progress = self.advance(body)?;
        // Asked last: bytes that came while we were stopped are no reason to give up. An opening
        // has deadlines of its own.
        let is_talking = matches!(self.phase, Phase::Talk(_));
        if progress == Progress::Waiting && is_talking && self.deadline.is_over() {
            return Err(self.timeout());
        }
        Ok(progress)
    }

    fn advance(&mut self, body: &mut Vec<u8>) -> Result<Progress, Error> {
        loop {
            match mem::replace(&mut self.phase, Phase::Over) {
                Phase::Open(mut opening) => match opening.step() {
                    Ok(None) => {
                        self.phase = Phase::Open(opening);
                        return Ok(Progress::Waiting);
                    }
                    opened => {
                        self.trace = opening.trace().clone();
                        self.settings.tls = opening.tls().cloned();
                        if let Some(connection) = opened? {
                            self.talk(connection);
                        }
                    }
                },
                Phase::Talk(connection) => match self.converse(connection, body) {
                    Err(error) if self.may_start_again(&error) => self.start_again()?,
                    done => return done,
                },
                Phase::Over => return Ok(Progress::Done),
            }
        }
    }

    /// What is to be said of an answer that a proxy gave in a plain server's place: it wants to
    /// know who we are.
    pub fn refused_by_proxy(&self) -> Option<Error> {
        let head = self.head().filter(|head| head.status == 407)?;
        let route = &self.settings.route;
        let proxy = route.proxy.as_ref()?;
        Some(route.blame(Error::Tunnel {
            host: self.request.url.host.clone(),
            proxy: proxy.to_string(),
            source: tunnel::refusal(head, &[], proxy.authorization.is_some()),
        }))
    }

    /// The fields after the body, once they are there.
    pub fn trailers(&self) -> &Headers {
        self.exchange.trailers()
    }

    /// Where the time went so far.
    pub fn trace(&self) -> &Trace {
        match &self.phase {
            Phase::Open(opening) => opening.trace(),
            Phase::Talk(_) | Phase::Over => &self.trace,
        }
    }

    /// The roots that served: they may have become more.
    pub(super) fn tls(&self) -> Option<&tls::Settings> {
        self.settings.tls.as_ref()
    }

    /// Whether the answer is whole.
    pub fn is_done(&self) -> bool {
        self.exchange.is_done()
    }

    /// The bytes so far, if they are kept.
    pub fn take_recording(&mut self) -> Option<Recording> {
        self.recording.take()
    }

    /// The connection, if the answer is whole and another request can use it.
    pub(super) fn into_connection(self) -> Option<Connection> {
        match self.phase {
            Phase::Talk(connection) if self.exchange.can_reuse() => Some(connection),
            _ => None,
        }
    }

    fn talk(&mut self, connection: Connection) {
        self.deadline = Deadline::after(self.limits().idle, IDLE);
        self.phase = Phase::Talk(connection);
    }

    /// Sends what there is to send and reads once. The connection is kept as long as more may
    /// come, and after the end if the exchange says that it can serve again.
    fn converse(
        &mut self,
        mut connection: Connection,
        body: &mut Vec<u8>,
    ) -> Result<Progress, Error> {
        let had_begun = self.exchange.has_begun();
        let sending = self.send(&mut connection);
        let received = connection
            .receive(&mut self.arrived)
            .map_err(|failure| self.broken(failure))?;
        self.digest(body)?;
        if !had_begun && self.exchange.has_begun() {
            if self.is_reused {
                connection.set_unacknowledged_max(Unacknowledged::Usual);
            }
            self.trace.mark(trace::Phase::FirstByte);
        }
        if self.exchange.is_done() {
            self.phase = Phase::Talk(connection);
            return Ok(Progress::Done);
        }
        if received == Received::End {
            // A server may answer and close without reading the whole request, and then our
            // write fails too; what it said counts more than that.
            let finished = self.exchange.finish().map_err(|source| self.peer(source));
            sending.and(finished)?;
            return Ok(Progress::Done);
        }
        sending?;
        if received == Received::Some {
            self.deadline = Deadline::after(self.limits().idle, IDLE);
        }
        self.phase = Phase::Talk(connection);
        Ok(Progress::Waiting)
    }

    /// Sends until the socket is full. The first byte of the answer is awaited from the moment the
    /// last of the request is gone.
    fn send(&mut self, connection: &mut Connection) -> Result<(), Error> {
        loop {
            let unsent = self.exchange.unsent();
            let sent = connection
                .send(unsent)
                .map_err(|failure| self.broken(failure))?;
            if let Some(recording) = &mut self.recording {
                recording.request.extend_from_slice(&unsent[..sent]);
            }
            if sent == 0 {
                return Ok(());
            }
            let is_last = sent == unsent.len();
            self.exchange.mark_sent(sent);
            self.deadline = if is_last && !self.exchange.has_begun() {
                Deadline::after(self.limits().first_byte, FIRST_BYTE)
            } else {
                Deadline::after(self.limits().idle, IDLE)
            };
            if is_last {
                self.trace.mark(trace::Phase::Request);
                return Ok(());
            }
        }
    }

    fn digest(&mut self, body: &mut Vec<u8>) -> Result<(), Error> {
        if self.arrived.is_empty() {
            return Ok(());
        }
        let arrived = mem::take(&mut self.arrived);
        if let Some(recording) = &mut self.recording {
            let room = RECORDED_BYTES_MAX.saturating_sub(recording.response.len());
            let kept = &arrived[..arrived.len().min(room)];
            recording.response.extend_from_slice(kept);
        }
        let eaten = self.exchange.feed(&arrived, body);
        eaten.map_err(|source| self.peer(source))?;
        // The buffer goes back for the next read, empty; bytes after the end of the answer make
        // the exchange refuse to be reused, so they can be dropped.
        self.arrived = arrived;
        self.arrived.clear();
        Ok(())
    }

    /// Only a connection that was there before may be dead without anyone's fault.
    fn may_start_again(&self, error: &Error) -> bool {
        let is_cut = matches!(error.plain(), Error::Broken { .. } | Error::Http { .. });
        self.is_reused && is_cut && !self.exchange.has_begun()
    }

    fn start_again(&mut self) -> Result<(), Error> {
        self.is_reused = false;
        self.arrived.clear();
        if let Some(recording) = &mut self.recording {
            *recording = Recording::default();
        }
        let Settings { reach, route, tls } = &self.settings;
        let exchange = Exchange::new(&self.request, route.form());
        self.exchange = exchange.map_err(|source| self.peer(source))?;
        let opening = Opening::start(route.clone(), reach.clone(), tls.clone(), &self.trace);
        self.phase = Phase::Open(Box::new(opening?));
        Ok(())
    }

    /// The limits of its waits.
    pub fn limits(&self) -> &Limits {
        &self.settings.reach.limits
    }

    fn timeout(&self) -> Error {
        Error::Timeout {
            host: self.request.url.host.clone(),
            limit: self.deadline.limit(),
        }
    }

    fn peer(&self, source: crate::http::Error) -> Error {
        Error::Http {
            host: self.request.url.host.clone(),
            source,
        }
    }

    /// Who broke it is the one we are connected to: of a plain server's that is the proxy.
    fn broken(&self, failure: tls::Failure) -> Error {
        let route = &self.settings.route;
        match route.form() {
            Form::Origin => broken(&self.request.url.host, failure),
            Form::Absolute { .. } => route.blame(broken(route.first_hop().0, failure)),
        }
    }
}
