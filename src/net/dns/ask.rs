//! One question to one server: over UDP, and over TCP when the answer does not fit.
//!
//! Every question has a socket of its own: the kernel gives it a random port and, once it is
//! connected, takes nothing from any other address and reports a closed port. Who answers before
//! the server must guess port and id together.

use crate::base::clock::Deadline;
use crate::base::clock::Spoken;
use crate::net::connect;
use crate::net::connect::Race;
use crate::net::dns::message;
use crate::net::dns::message::Answer;
use crate::net::dns::message::Code;
use crate::net::dns::message::Question;
use crate::net::error::plain;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use std::fmt;
use std::io;
use std::io::Read;
use std::io::Write;
use std::mem;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::time::Duration;

/// More than three times what we say that we take; of anything longer the end is missing.
const DATAGRAM_BYTES_MAX: usize = 4096;

/// Datagrams that are looked at before others get their turn; the poll wakes us for the rest.
const DATAGRAMS_A_STEP: usize = 32;

/// What is read from a connection at once.
const READ_BYTES: usize = 4096;

/// A question on its way.
pub struct Ask {
    server: SocketAddr,
    question: Question,
    form: Form,
    phase: Phase,
}

/// How a question is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// With an OPT record (RFC 6891), so that large answers come at once.
    Extended,
    /// As in 1987.
    Plain,
}

/// Where it is.
enum Phase {
    /// Sent; the answer is waited for.
    Datagram(UdpSocket),
    /// The answer did not fit, and a connection is being made. `cut` is what did fit.
    Connect { race: Race, cut: Cut },
    /// The whole answer is being fetched.
    Stream { stream: Stream, cut: Cut },
    /// It was answered, or cannot be.
    Over,
}

/// A server that cuts its answer gives the whole by TCP in a moment, or TCP is filtered.
const STREAM_WAIT_MAX: Duration = Duration::from_secs(1);

/// What fitted into a datagram.
struct Cut {
    answer: Answer,
    /// Until then the whole is waited for, if this holds any address.
    patience: Deadline,
}

/// What one server has to say, other than addresses.
#[derive(Debug)]
pub enum Fault {
    /// It says that it has no answer.
    Code(Code),
    /// The name is there, and has no address of this kind.
    NoAddress,
    /// It said nothing for so long.
    Silent(Duration),
    /// What it said cannot be read.
    Broken(message::Error),
    /// It could not be reached, or the connection broke.
    Unreachable(io::Error),
}

impl Ask {
    /// Sends the question; never waits.
    pub fn start(server: SocketAddr, question: Question, form: Form) -> Result<Ask, Fault> {
        let socket = open(server).map_err(Fault::Unreachable)?;
        let mut ask = Ask {
            server,
            question,
            form,
            phase: Phase::Over,
        };
        ask.send(&socket)?;
        ask.phase = Phase::Datagram(socket);
        Ok(ask)
    }

    /// Who is asked.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// Adds what it waits for.
    pub fn wait_for<'a, T: Copy>(&'a self, set: &mut PollSet<'a, T>, token: T) {
        match &self.phase {
            Phase::Datagram(socket) => set.add(socket.as_fd(), Interest::Read, token),
            Phase::Connect { race, .. } => race.wait_for(set, token),
            Phase::Stream { stream, .. } => stream.wait_for(set, token),
            Phase::Over => {}
        }
    }

    /// Moves what can be moved now. `None` while the server may still answer, and again after its
    /// answer was taken. It never gives up by itself.
    pub fn step(&mut self) -> Option<Result<Answer, Fault>> {
        match mem::replace(&mut self.phase, Phase::Over) {
            Phase::Datagram(socket) => self.receive(socket),
            Phase::Connect { cut, .. } | Phase::Stream { cut, .. } if cut.is_enough() => {
                Some(Ok(cut.answer))
            }
            Phase::Connect { race, cut } => self.connect(race, cut),
            Phase::Stream { stream, cut } => self.fetch(stream, cut),
            Phase::Over => None,
        }
    }

    /// When to step at the latest, though nothing was ready.
    pub fn deadline(&self) -> Deadline {
        match &self.phase {
            Phase::Connect { cut, .. } | Phase::Stream { cut, .. }
                if !cut.answer.addresses.is_empty() =>
            {
                cut.patience
            }
            _ => Deadline::never(),
        }
    }

    fn query(&self) -> Vec<u8> {
        let Question { id, name, kind } = &self.question;
        match self.form {
            Form::Extended => message::query(*id, name, *kind),
            Form::Plain => message::plain_query(*id, name, *kind),
        }
    }

    fn send(&self, socket: &UdpSocket) -> Result<(), Fault> {
        let sent = socket.send(&self.query());
        sent.map(|_| ()).map_err(Fault::Unreachable)
    }

    fn parse(&self, answer: &[u8]) -> Result<Answer, Fault> {
        message::parse(answer, &self.question).map_err(|error| match error {
            message::Error::Code(code) => Fault::Code(code),
            error => Fault::Broken(error),
        })
    }

    /// Takes datagrams until one is our answer.
    fn receive(&mut self, socket: UdpSocket) -> Option<Result<Answer, Fault>> {
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        for _ in 0..DATAGRAMS_A_STEP {
            let bytes = match unless_blocked(socket.recv(&mut datagram)) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => break,
                Err(error) => return Some(Err(Fault::Unreachable(error))),
            };
            match self.parse(&datagram[..bytes]) {
                Err(Fault::Broken(message::Error::Foreign)) => {}
                // Older than EDNS: the same question without it (RFC 6891 §7).
                Err(Fault::Code(Code::NotUnderstood | Code::NotImplemented))
                    if self.form == Form::Extended =>
                {
                    self.form = Form::Plain;
                    if let Err(fault) = self.send(&socket) {
                        return Some(Err(fault));
                    }
                }
                Ok(cut) if cut.is_truncated => {
                    let mut race = Race::new();
                    race.add(vec![self.server]);
                    let patience = Deadline::after(STREAM_WAIT_MAX, "STREAM_WAIT_MAX");
                    let cut = Cut {
                        answer: cut,
                        patience,
                    };
                    return self.connect(race, cut);
                }
                answer => return Some(answer),
            }
        }
        self.phase = Phase::Datagram(socket);
        None
    }

    fn connect(&mut self, mut race: Race, cut: Cut) -> Option<Result<Answer, Fault>> {
        let failed = match race.step() {
            connect::Outcome::Running => {
                self.phase = Phase::Connect { race, cut };
                return None;
            }
            connect::Outcome::Won(socket) => match Stream::new(socket, &self.query()) {
                Ok(stream) => return self.fetch(stream, cut),
                Err(error) => error,
            },
            connect::Outcome::Spent => match race.take_failed().into_iter().next() {
                Some((_, error)) => error,
                None => io::ErrorKind::NotConnected.into(),
            },
        };
        Some(rather(cut, Fault::Unreachable(failed)))
    }

    fn fetch(&mut self, mut stream: Stream, cut: Cut) -> Option<Result<Answer, Fault>> {
        let answer = match stream.step() {
            Ok(None) => {
                self.phase = Phase::Stream { stream, cut };
                return None;
            }
            Ok(Some(answer)) => self.parse(answer),
            Err(error) => Err(Fault::Unreachable(error)),
        };
        Some(answer.or_else(|fault| rather(cut, fault)))
    }
}

impl Cut {
    /// Whether the whole was waited for long enough.
    fn is_enough(&self) -> bool {
        !self.answer.addresses.is_empty() && self.patience.is_over()
    }
}

/// What fitted into a datagram is better than nothing where TCP is closed or filtered. RFC 2181 §9
/// wants it thrown away, which would leave a name without addresses that we know.
fn rather(cut: Cut, fault: Fault) -> Result<Answer, Fault> {
    if cut.answer.addresses.is_empty() {
        Err(fault)
    } else {
        Ok(cut.answer)
    }
}

fn open(server: SocketAddr) -> io::Result<UdpSocket> {
    let socket = match server {
        SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)),
    }?;
    socket.connect(server)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A connection for one question; both messages stand after their length (RFC 1035 §4.2.2).
struct Stream {
    socket: TcpStream,
    unsent: Vec<u8>,
    /// Grows to the length that its first two bytes say, and at most by one read more.
    received: Vec<u8>,
}

impl Stream {
    fn new(socket: TcpStream, query: &[u8]) -> io::Result<Stream> {
        socket.set_nonblocking(true)?;
        let length = (query.len() as u16).to_be_bytes();
        Ok(Stream {
            socket,
            unsent: [length.as_slice(), query].concat(),
            received: Vec::new(),
        })
    }

    fn wait_for<'a, T: Copy>(&'a self, set: &mut PollSet<'a, T>, token: T) {
        let interest = if self.unsent.is_empty() {
            Interest::Read
        } else {
            Interest::Both
        };
        set.add(self.socket.as_fd(), interest, token);
    }

    /// The answer, once it is whole.
    fn step(&mut self) -> io::Result<Option<&[u8]>> {
        while !self.unsent.is_empty() {
            let Some(sent) = unless_blocked(self.socket.write(&self.unsent))? else {
                break;
            };
            self.unsent.drain(..sent);
        }
        let mut bytes = [0; READ_BYTES];
        while self.answer().is_none() {
            match unless_blocked(self.socket.read(&mut bytes))? {
                None => break,
                Some(0) => {
                    let what = "it closed the connection without an answer";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
                }
                Some(count) => self.received.extend_from_slice(&bytes[..count]),
            }
        }
        Ok(self.answer())
    }

    fn answer(&self) -> Option<&[u8]> {
        let (length, rest) = self.received.split_first_chunk()?;
        rest.get(..usize::from(u16::from_be_bytes(*length)))
    }
}

/// `None` if it would have blocked or was interrupted: the poll tells when to try again.
fn unless_blocked(moved: io::Result<usize>) -> io::Result<Option<usize>> {
    match moved {
        Ok(count) => Ok(Some(count)),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
            _ => Err(error),
        },
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Code(code) => code.fmt(f),
            Fault::NoAddress => f.write_str("no address"),
            Fault::Silent(wait) => write!(f, "no answer in {}", Spoken(*wait)),
            Fault::Broken(error) => error.fmt(f),
            Fault::Unreachable(error) => f.write_str(&plain(error)),
        }
    }
}
