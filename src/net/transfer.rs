//! One request on its way: looked up, connected, sent, answered, each with its deadline.
//!
//! A [`Transfer`] is moved by its driver: wait for its descriptors and its deadline, then `step`.
//! It never waits itself. A connection that was kept from an earlier request and turns out to be
//! dead before a byte of the answer came is replaced once by a fresh one (RFC 9110 §9.2.2 allows
//! no more than that for a POST: the server closed before it read). It follows no redirect.

use crate::base::clock::Deadline;
use crate::http::exchange::Exchange;
use crate::http::exchange::Request;
use crate::http::head::Headers;
use crate::http::head::ResponseHead;
use crate::net::Error;
use crate::net::Limits;
use crate::net::dial::Dial;
use crate::net::dns::Names;
use crate::net::stream::Connection;
use crate::net::stream::Received;
use crate::net::tls;
use crate::net::trace;
use crate::net::trace::Trace;
use crate::sys::poll::PollSet;
use std::mem;
use std::rc::Rc;

/// The names of the limits, as the user knows them.
const CONNECT: &str = "CONNECT_TIMEOUT";
const FIRST_BYTE: &str = "FIRST_BYTE_TIMEOUT";
const IDLE: &str = "IDLE_TIMEOUT";

/// A recording ends here, so that an endless stream does not fill the memory.
const RECORDED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Where a transfer stands.
enum Phase {
    /// The connection is being made.
    Dial(Box<Dial>),
    /// Bytes travel, TLS handshake included.
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

/// What a transfer needs to know.
pub(super) struct Settings {
    /// How long it may take.
    pub limits: Limits,
    /// Who knows addresses.
    pub names: Rc<Names>,
    /// There whenever the URL says https.
    pub tls: Option<tls::Settings>,
}

/// A request and the connection it travels on.
pub struct Transfer {
    request: Request,
    exchange: Exchange,
    phase: Phase,
    limits: Limits,
    names: Rc<Names>,
    tls: Option<tls::Settings>,
    /// The system's own roots were tried too.
    has_tried_system: bool,
    trace: Trace,
    deadline: Deadline,
    /// The connection served an earlier request.
    is_reused: bool,
    /// Bytes from the socket that the exchange has not seen; empty between steps.
    arrived: Vec<u8>,
    recording: Option<Recording>,
}

impl Transfer {
    /// A transfer on `kept`, or on a connection that is still to be made.
    pub(super) fn start(
        request: Request,
        kept: Option<Connection>,
        settings: Settings,
        is_recorded: bool,
    ) -> Result<Transfer, Error> {
        let Settings { limits, names, tls } = settings;
        let exchange = Exchange::new(&request).map_err(|source| Error::Http {
            host: request.url.host.clone(),
            source,
        })?;
        let mut transfer = Transfer {
            request,
            exchange,
            is_reused: kept.is_some(),
            phase: Phase::Over,
            limits,
            names,
            tls,
            has_tried_system: false,
            trace: Trace::start(),
            deadline: Deadline::after(limits.connect, CONNECT),
            arrived: Vec::new(),
            recording: is_recorded.then(Recording::default),
        };
        match kept {
            Some(connection) => transfer.talk(connection),
            None => transfer.dial()?,
        }
        Ok(transfer)
    }

    /// Adds what it waits for.
    pub fn wait_for<'a, T: Copy>(&'a self, set: &mut PollSet<'a, T>, token: T) {
        match &self.phase {
            Phase::Dial(dial) => dial.wait_for(set, token),
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
            Phase::Dial(dial) => self.deadline.sooner(dial.deadline()),
            _ => self.deadline,
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

    /// Scheme, host and port: who may use the connection afterwards.
    pub fn origin(&self) -> String {
        self.request.url.origin()
    }

    /// Moves what can be moved now; appends the bytes of the body that came to `body`.
    pub fn step(&mut self, body: &mut Vec<u8>) -> Result<Progress, Error> {
        let progress = self.advance(body)?;
        // Asked last: bytes that came while we were stopped are no reason to give up.
        if progress == Progress::Waiting && self.deadline.is_over() {
            return Err(self.timeout());
        }
        Ok(progress)
    }

    fn advance(&mut self, body: &mut Vec<u8>) -> Result<Progress, Error> {
        loop {
            match mem::replace(&mut self.phase, Phase::Over) {
                Phase::Dial(mut dial) => match dial.step(&mut self.trace)? {
                    None => {
                        self.phase = Phase::Dial(dial);
                        return Ok(Progress::Waiting);
                    }
                    Some(connection) => self.talk(connection),
                },
                Phase::Talk(connection) => match self.converse(connection, body) {
                    Ok(progress) => return Ok(progress),
                    Err(error) if self.may_start_again(&error) => self.start_again()?,
                    Err(error) if self.may_trust_the_system(&error) => self.start_again()?,
                    Err(error) => return Err(error),
                },
                Phase::Over => return Ok(Progress::Done),
            }
        }
    }

    /// The fields after the body, once they are there.
    pub fn trailers(&self) -> &Headers {
        self.exchange.trailers()
    }

    /// Where the time went so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The roots that served: they may have become more.
    pub(super) fn tls(&self) -> Option<&tls::Settings> {
        self.tls.as_ref()
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

    /// Begins to make a connection.
    fn dial(&mut self) -> Result<(), Error> {
        self.deadline = Deadline::after(self.limits.connect, CONNECT);
        let (url, tls) = (&self.request.url, self.tls.clone());
        let dial = Dial::start(url, &self.names, tls, &mut self.trace)?;
        self.phase = Phase::Dial(Box::new(dial));
        Ok(())
    }

    fn talk(&mut self, connection: Connection) {
        if connection.is_open() {
            self.deadline = Deadline::after(self.limits.idle, IDLE);
        }
        self.phase = Phase::Talk(connection);
    }

    /// Sends what there is to send and reads once. The connection is kept as long as more may
    /// come, and after the end if the exchange says that it can serve again.
    fn converse(
        &mut self,
        mut connection: Connection,
        body: &mut Vec<u8>,
    ) -> Result<Progress, Error> {
        let was_open = connection.is_open();
        let had_begun = self.exchange.has_begun();
        let sending = self.send(&mut connection);
        let received = connection
            .receive(&mut self.arrived)
            .map_err(|failure| self.broken(failure))?;
        self.digest(body)?;
        self.note(&connection, was_open, had_begun);
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
            self.deadline = Deadline::after(self.limits.idle, IDLE);
        } else if !was_open && connection.is_open() {
            // The handshake just ended: from here on the request has the time.
            self.deadline = Deadline::after(self.limits.first_byte, FIRST_BYTE);
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
                Deadline::after(self.limits.first_byte, FIRST_BYTE)
            } else {
                Deadline::after(self.limits.idle, IDLE)
            };
            if is_last {
                self.trace.mark(trace::Phase::Request);
                return Ok(());
            }
        }
    }

    /// Writes down which phase ended in this step.
    fn note(&mut self, connection: &Connection, was_open: bool, had_begun: bool) {
        if !was_open && connection.is_open() {
            self.trace.mark(trace::Phase::Tls);
            self.trace.tls = connection.tls_facts();
        }
        if !had_begun && self.exchange.has_begun() {
            self.trace.mark(trace::Phase::FirstByte);
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

    /// Only a connection that an earlier request left behind may be dead without anyone's fault.
    fn may_start_again(&self, error: &Error) -> bool {
        let is_cut = matches!(error, Error::Broken { .. } | Error::Http { .. });
        self.is_reused && is_cut && !self.exchange.has_begun()
    }

    /// An issuer that we do not know may be one of the system's own, which are read only now.
    fn may_trust_the_system(&mut self, error: &Error) -> bool {
        let is_unknown = matches!(
            error,
            Error::Tls {
                source: tls::Failure::UnknownIssuer { .. },
                ..
            }
        );
        if !is_unknown || mem::replace(&mut self.has_tried_system, true) {
            return false;
        }
        let Some(more) = self
            .tls
            .as_ref()
            .and_then(tls::Settings::with_system_bundle)
        else {
            return false;
        };
        self.tls = Some(more);
        true
    }

    fn start_again(&mut self) -> Result<(), Error> {
        self.is_reused = false;
        self.arrived.clear();
        if let Some(recording) = &mut self.recording {
            *recording = Recording::default();
        }
        self.exchange = Exchange::new(&self.request).map_err(|source| self.peer(source))?;
        self.dial()
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

    /// The kernel's failure or TLS's.
    fn broken(&self, failure: tls::Failure) -> Error {
        let host = self.request.url.host.clone();
        match failure {
            tls::Failure::Io(source) => Error::Broken { host, source },
            source => Error::Tls { host, source },
        }
    }
}
