//! One request on its way: looked up, connected, sent, answered, each with its deadline.
//!
//! A [`Transfer`] is moved by its driver: wait for its descriptors and its deadline, then `step`.
//! It never waits itself. A connection that was kept from an earlier request and turns out to be
//! dead before a byte of the answer came is replaced once by a fresh one (RFC 9110 §9.2.2 allows
//! no more than that for a POST: the server closed before it read). It follows no redirect.

use crate::base::clock::Deadline;
use crate::http::exchange::Exchange;
use crate::http::exchange::Request;
use crate::http::head::ResponseHead;
use crate::http::url::Scheme;
use crate::net::Error;
use crate::net::Limits;
use crate::net::connect;
use crate::net::connect::Race;
use crate::net::resolve;
use crate::net::resolve::Lookup;
use crate::net::stream::Connection;
use crate::net::stream::Received;
use crate::net::tls;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::net::TcpStream;

/// The names of the limits, as the user knows them.
const CONNECT: &str = "CONNECT_TIMEOUT";
const FIRST_BYTE: &str = "FIRST_BYTE_TIMEOUT";
const IDLE: &str = "IDLE_TIMEOUT";

/// A recording ends here, so that an endless stream does not fill the memory.
const RECORDED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Where a transfer stands.
enum Phase {
    /// The name is being looked up.
    Lookup(Lookup),
    /// Sockets are connecting.
    Race(Race),
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

/// A request and the connection it travels on.
pub struct Transfer {
    request: Request,
    exchange: Exchange,
    phase: Phase,
    limits: Limits,
    tls: Option<tls::Settings>,
    deadline: Deadline,
    /// The connection served an earlier request.
    is_reused: bool,
    /// Bytes from the socket that the exchange has not seen; empty between steps.
    arrived: Vec<u8>,
    recording: Option<Recording>,
}

impl Transfer {
    /// A transfer on `kept`, or on a connection that is still to be made. `tls` is there whenever
    /// the URL says https.
    pub(super) fn start(
        request: Request,
        kept: Option<Connection>,
        limits: Limits,
        tls: Option<tls::Settings>,
        is_recorded: bool,
    ) -> Result<Transfer, Error> {
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
            tls,
            deadline: Deadline::after(limits.connect, CONNECT),
            arrived: Vec::new(),
            recording: is_recorded.then(Recording::default),
        };
        match kept {
            Some(connection) => transfer.talk(connection),
            None => transfer.look_up()?,
        }
        Ok(transfer)
    }

    /// Adds what it waits for.
    pub fn wait_for<'a, T: Copy>(&'a self, set: &mut PollSet<'a, T>, token: T) {
        match &self.phase {
            Phase::Lookup(lookup) => set.add(lookup.fd(), Interest::Read, token),
            Phase::Race(race) => race.wait_for(set, token),
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
            Phase::Race(race) => self.deadline.sooner(race.deadline()),
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
                Phase::Lookup(lookup) => match lookup.try_answer() {
                    None => {
                        self.phase = Phase::Lookup(lookup);
                        return Ok(Progress::Waiting);
                    }
                    Some(answer) => self.race(answer.map_err(|source| self.unknown(source))?),
                },
                Phase::Race(mut race) => match race.step() {
                    connect::Outcome::Running => {
                        self.phase = Phase::Race(race);
                        return Ok(Progress::Waiting);
                    }
                    connect::Outcome::Won(socket) => {
                        let connection = self.open(socket)?;
                        self.talk(connection);
                    }
                    connect::Outcome::Lost(tried) => {
                        return Err(Error::Connect {
                            host: self.request.url.host.clone(),
                            port: self.request.url.port,
                            tried,
                        });
                    }
                },
                Phase::Talk(connection) => match self.converse(connection, body) {
                    Ok(progress) => return Ok(progress),
                    Err(error) if self.may_start_again(&error) => self.start_again()?,
                    Err(error) => return Err(error),
                },
                Phase::Over => return Ok(Progress::Done),
            }
        }
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

    fn look_up(&mut self) -> Result<(), Error> {
        self.deadline = Deadline::after(self.limits.connect, CONNECT);
        let url = &self.request.url;
        match resolve::start(&url.host, url.port) {
            Ok(resolve::Started::Known(addresses)) => self.race(addresses),
            Ok(resolve::Started::Asked(lookup)) => self.phase = Phase::Lookup(lookup),
            Err(source) => return Err(self.unknown(source)),
        }
        Ok(())
    }

    fn race(&mut self, addresses: Vec<SocketAddr>) {
        self.phase = Phase::Race(Race::start(addresses));
    }

    fn open(&self, socket: TcpStream) -> Result<Connection, Error> {
        let session = match (self.request.url.scheme, &self.tls) {
            (Scheme::Https, Some(settings)) => tls::Session::new(settings, self.host()),
            _ => return Ok(Connection::plain(socket)),
        };
        let session = session.map_err(|failure| self.broken(failure))?;
        Ok(Connection::secure(socket, session))
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
        let sending = self.send(&mut connection);
        let received = connection
            .receive(&mut self.arrived)
            .map_err(|failure| self.broken(failure))?;
        self.digest(body)?;
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

    /// Only a connection that an earlier request left behind may be dead without anyone's fault.
    fn may_start_again(&self, error: &Error) -> bool {
        let is_cut = matches!(error, Error::Broken { .. } | Error::Http { .. });
        self.is_reused && is_cut && !self.exchange.has_begun()
    }

    fn start_again(&mut self) -> Result<(), Error> {
        self.is_reused = false;
        self.arrived.clear();
        if let Some(recording) = &mut self.recording {
            *recording = Recording::default();
        }
        self.exchange = Exchange::new(&self.request).map_err(|source| self.peer(source))?;
        self.look_up()
    }

    fn timeout(&self) -> Error {
        Error::Timeout {
            host: self.request.url.host.clone(),
            limit: self.deadline.limit(),
        }
    }

    fn unknown(&self, source: io::Error) -> Error {
        Error::Resolve {
            host: self.request.url.host.clone(),
            source,
        }
    }

    fn peer(&self, source: crate::http::Error) -> Error {
        Error::Http {
            host: self.request.url.host.clone(),
            source,
        }
    }

    /// The kernel's failure or TLS's, told apart by the type inside.
    fn broken(&self, failure: tls::Failure) -> Error {
        let host = self.request.url.host.clone();
        match failure.downcast::<io::Error>() {
            Ok(source) => Error::Broken {
                host,
                source: *source,
            },
            Err(source) => Error::Tls { host, source },
        }
    }
}
