//! A connection whose bytes move without blocking: plain TCP, or TLS over it, or TLS over TLS.
//!
//! The socket stays a blocking one; every call says MSG_DONTWAIT, so that a driver can never be
//! stuck in a read. One step is one read, so that a byte that came is shown before the next. TLS
//! with a proxy, where there is one, lies below TLS with the server.

use crate::net::connect;
use crate::net::connect::Unacknowledged;
use crate::net::tls;
use crate::sys::poll::Interest;
use nix::sys::socket;
use nix::sys::socket::MsgFlags;
use std::io;
use std::io::Read;
use std::io::Write;
use std::mem;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;

/// Bytes asked for in one read of a plain socket: so many a fast server sends at once, and then
/// they cost one wait.
const READ_BYTES: usize = 64 * 1024;

/// What one read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Bytes were appended.
    Some,
    /// Nothing to be had now.
    Nothing,
    /// The peer will send no more; bytes may have been appended before.
    End,
}

/// A socket that never waits.
pub struct Socket<'a>(pub &'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(socket::recv(
            self.0.as_raw_fd(),
            buffer,
            MsgFlags::MSG_DONTWAIT,
        )?)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        Ok(socket::send(self.0.as_raw_fd(), bytes, flags)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connected socket and the TLS on it.
pub struct Connection {
    ground: Ground,
    /// With the server.
    tls: Option<Box<tls::Session>>,
    /// Plain bytes that came with the end of a handshake, for the next `receive`.
    early: Vec<u8>,
}

/// What carries the bytes of a server, or of TLS with it.
struct Ground {
    socket: TcpStream,
    /// With the proxy.
    tls: Option<Box<tls::Session>>,
    /// Bytes that came and that nobody above has seen.
    arrived: Vec<u8>,
    /// Where the bytes of a plain socket land: most reads are of one event, and to make room for
    /// more each time would cost more than the read. Empty until the first; TLS has its own.
    landing: Vec<u8>,
}

impl Connection {
    /// A connection of plain bytes.
    pub fn plain(socket: TcpStream) -> Connection {
        Connection {
            ground: Ground {
                socket,
                tls: None,
                arrived: Vec::new(),
                landing: Vec::new(),
            },
            tls: None,
            early: Vec::new(),
        }
    }

    /// The same with TLS between us and the proxy at its other end; the handshake goes on as it is
    /// stepped.
    pub fn secure_to_proxy(mut self, session: tls::Session) -> Connection {
        self.ground.tls = Some(Box::new(session));
        self
    }

    /// The same with TLS between us and the server. `early` bytes of it came already, behind a
    /// proxy's answer.
    pub fn secure(mut self, session: tls::Session, early: Vec<u8>) -> Connection {
        self.ground.arrived = early;
        self.tls = Some(Box::new(session));
        self
    }

    /// How long what is sent may lie unacknowledged.
    pub(super) fn set_unacknowledged_max(&self, wait: Unacknowledged) {
        connect::set_unacknowledged_max(&self.ground.socket, wait);
    }

    /// To be waited for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.ground.socket.as_fd()
    }

    /// What to wait for, given whether the caller has bytes to send. The peer's bytes are always
    /// waited for.
    pub fn interest(&self, has_unsent: bool) -> Interest {
        let wants_write = |tls: &Option<Box<tls::Session>>| {
            tls.as_ref().is_some_and(|session| session.wants_write())
        };
        let is_writing = wants_write(&self.tls) && is_past_handshake(&self.ground.tls);
        if wants_write(&self.ground.tls) || is_writing || has_unsent && self.is_open() {
            Interest::Both
        } else {
            Interest::Read
        }
    }

    /// What TLS with the server agreed on, once it did; nothing where there is none.
    pub fn tls_facts(&self) -> Option<tls::Facts> {
        self.tls.as_ref()?.facts()
    }

    /// Whether bytes of the caller's can travel.
    pub fn is_open(&self) -> bool {
        is_past_handshake(&self.ground.tls) && is_past_handshake(&self.tls)
    }

    /// Sends as much of `bytes` as can be sent now, and says how much. With no bytes it sends what
    /// TLS has to say.
    pub fn send(&mut self, bytes: &[u8]) -> Result<usize, tls::Failure> {
        self.ground.flush()?;
        let Some(session) = &mut self.tls else {
            if bytes.is_empty() || !is_past_handshake(&self.ground.tls) {
                return Ok(0);
            }
            return match self.ground.write(bytes) {
                Ok(sent) => Ok(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
                Err(error) => Err(error.into()),
            };
        };
        session.flush(&mut self.ground)?;
        if session.is_handshaking() || session.wants_write() || bytes.is_empty() {
            return Ok(0);
        }
        let taken = session.encrypt(bytes)?;
        session.flush(&mut self.ground)?;
        Ok(taken)
    }

    /// Moves a handshake on: sends, reads once, and sends what that calls for. Says whether the
    /// last one is over.
    pub fn shake_hands(&mut self) -> Result<bool, tls::Failure> {
        self.speak()?;
        if !self.is_open() {
            let mut early = mem::take(&mut self.early);
            self.receive(&mut early)?;
            self.early = early;
            self.speak()?;
        }
        Ok(self.is_open())
    }

    /// Sends what a handshake has to say. A server that refuses in the middle of it has said why
    /// before it closed, and that counts more than the write that failed.
    fn speak(&mut self) -> Result<(), tls::Failure> {
        let Err(failure) = self.send(&[]) else {
            return Ok(());
        };
        let mut early = Vec::new();
        match self.receive(&mut early) {
            Err(refusal @ tls::Failure::Alert(_)) => Err(refusal),
            _ => Err(failure),
        }
    }

    /// Reads once and appends what came to `plain`.
    pub fn receive(&mut self, plain: &mut Vec<u8>) -> Result<Received, tls::Failure> {
        if !self.early.is_empty() {
            plain.append(&mut self.early);
            return Ok(Received::Some);
        }
        let Some(session) = &mut self.tls else {
            return self.ground.receive(plain);
        };
        let before = plain.len();
        loop {
            let received = session.receive(&mut self.ground, plain)?;
            // What the ground holds wakes no poll, so nothing of it may stay.
            if received == Received::End || self.ground.arrived.is_empty() {
                return Ok(match received {
                    Received::Nothing if plain.len() > before => Received::Some,
                    received => received,
                });
            }
        }
    }

    /// Whether an idle connection can take another request: the peer has neither closed it nor
    /// said something that nobody asked for.
    pub fn is_alive(&mut self) -> bool {
        let mut unasked = Vec::new();
        matches!(self.receive(&mut unasked), Ok(Received::Nothing))
    }
}

fn is_past_handshake(tls: &Option<Box<tls::Session>>) -> bool {
    tls.as_ref().is_none_or(|session| !session.is_handshaking())
}

impl Ground {
    /// Reads once and appends what came.
    fn receive(&mut self, plain: &mut Vec<u8>) -> Result<Received, tls::Failure> {
        let mut socket = Socket(&self.socket);
        if let Some(session) = &mut self.tls {
            return session.receive(&mut socket, plain);
        }
        self.landing.resize(READ_BYTES, 0);
        match socket.read(&mut self.landing) {
            Ok(0) => Ok(Received::End),
            Ok(read) => {
                plain.extend_from_slice(&self.landing[..read]);
                Ok(Received::Some)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Received::Nothing),
            Err(error) => Err(error.into()),
        }
    }

    /// Moves the handshake with the proxy on, and what it could not send before.
    fn flush(&mut self) -> Result<(), tls::Failure> {
        match &mut self.tls {
            Some(session) => session.flush(&mut Socket(&self.socket)),
            None => Ok(()),
        }
    }
}

/// What a failure below TLS with the server is for that TLS: its socket broke.
fn as_io(failure: tls::Failure) -> io::Error {
    match failure {
        tls::Failure::Io(error) => error,
        failure => io::Error::other(failure),
    }
}

/// TLS with the server reads here what it would read from a socket.
impl Read for Ground {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.arrived.is_empty() {
            if self.tls.is_none() {
                return Socket(&self.socket).read(buffer);
            }
            let mut arrived = mem::take(&mut self.arrived);
            let received = self.receive(&mut arrived);
            self.arrived = arrived;
            let received = received.map_err(as_io)?;
            if self.arrived.is_empty() {
                return match received {
                    Received::End => Ok(0),
                    _ => Err(io::ErrorKind::WouldBlock.into()),
                };
            }
        }
        let count = self.arrived.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.arrived[..count]);
        self.arrived.drain(..count);
        Ok(count)
    }
}

impl Write for Ground {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut socket = Socket(&self.socket);
        let Some(session) = &mut self.tls else {
            return socket.write(bytes);
        };
        session.flush(&mut socket).map_err(as_io)?;
        if session.wants_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = session.encrypt(bytes).map_err(as_io)?;
        session.flush(&mut socket).map_err(as_io)?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
