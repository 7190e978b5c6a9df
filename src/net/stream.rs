//! A connection whose bytes move without blocking: plain TCP, or TLS over it.
//!
//! The socket stays a blocking one; every call says MSG_DONTWAIT, so that a driver can never be
//! stuck in a read. One step is one read, so that a byte that came is shown before the next.

use crate::net::tls;
use crate::sys::poll::Interest;
use nix::sys::socket;
use nix::sys::socket::MsgFlags;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;

/// Bytes asked for in one read of a plain socket.
const READ_BYTES: usize = 16 * 1024;

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

impl io::Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(socket::recv(
            self.0.as_raw_fd(),
            buffer,
            MsgFlags::MSG_DONTWAIT,
        )?)
    }
}

impl io::Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        Ok(socket::send(self.0.as_raw_fd(), bytes, flags)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connected socket, with TLS or without.
pub struct Connection {
    socket: TcpStream,
    tls: Option<Box<tls::Session>>,
}

impl Connection {
    /// A connection of plain bytes.
    pub fn plain(socket: TcpStream) -> Connection {
        Connection { socket, tls: None }
    }

    /// A connection of TLS records; the handshake goes on as it is stepped.
    pub fn secure(socket: TcpStream, session: tls::Session) -> Connection {
        Connection {
            socket,
            tls: Some(Box::new(session)),
        }
    }

    /// To be waited for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// What to wait for, given whether the caller has bytes to send. The peer's bytes are always
    /// waited for.
    pub fn interest(&self, has_unsent: bool) -> Interest {
        let wants_write = match &self.tls {
            None => has_unsent,
            Some(session) => session.wants_write() || has_unsent && !session.is_handshaking(),
        };
        if wants_write {
            Interest::Both
        } else {
            Interest::Read
        }
    }

    /// What TLS agreed on, once it did; nothing on a plain connection.
    pub fn tls_facts(&self) -> Option<tls::Facts> {
        self.tls.as_ref()?.facts()
    }

    /// Whether bytes of the caller's can travel.
    pub fn is_open(&self) -> bool {
        self.tls
            .as_ref()
            .is_none_or(|session| !session.is_handshaking())
    }

    /// Sends as much of `bytes` as can be sent now, and says how much. With no bytes it moves the
    /// handshake on.
    pub fn send(&mut self, bytes: &[u8]) -> Result<usize, tls::Failure> {
        let mut socket = Socket(&self.socket);
        let Some(session) = &mut self.tls else {
            if bytes.is_empty() {
                return Ok(0);
            }
            return match io::Write::write(&mut socket, bytes) {
                Ok(sent) => Ok(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
                Err(error) => Err(error.into()),
            };
        };
        session.flush(&mut socket)?;
        if session.is_handshaking() || session.wants_write() || bytes.is_empty() {
            return Ok(0);
        }
        let taken = session.encrypt(bytes)?;
        session.flush(&mut socket)?;
        Ok(taken)
    }

    /// Reads once and appends what came to `plain`.
    pub fn receive(&mut self, plain: &mut Vec<u8>) -> Result<Received, tls::Failure> {
        let mut socket = Socket(&self.socket);
        if let Some(session) = &mut self.tls {
            return session.receive(&mut socket, plain);
        }
        let before = plain.len();
        plain.resize(before + READ_BYTES, 0);
        let read = io::Read::read(&mut socket, &mut plain[before..]);
        plain.truncate(before + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => Ok(Received::End),
            Ok(_) => Ok(Received::Some),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Received::Nothing),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether an idle connection can take another request: the peer has neither closed it nor
    /// said something that nobody asked for.
    pub fn is_alive(&mut self) -> bool {
        let mut unasked = Vec::new();
        matches!(self.receive(&mut unasked), Ok(Received::Nothing))
    }
}
