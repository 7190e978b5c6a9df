//! TLS over a stream of ours: the only file that knows rustls.
//!
//! TLS 1.2 and 1.3 with ring, the roots of webpki-roots, ALPN `http/1.1`, session tickets kept for
//! the run. Nothing turns verification off. Private roots are not here yet.

use crate::net::stream::Received;
use crate::net::stream::Socket;
use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use std::error;
use std::io;
use std::io::Read;
use std::io::Write;
use std::sync::Arc;

/// What rustls or the socket below it says.
pub type Failure = Box<dyn error::Error + Send + Sync>;

/// What every TLS connection of a run shares: roots and session tickets.
#[derive(Clone)]
pub struct Settings(Arc<ClientConfig>);

impl Settings {
    /// The built-in roots.
    pub fn new() -> Result<Settings, Failure> {
        let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Settings(Arc::new(config)))
    }
}

/// The TLS state of one connection.
pub struct Session(ClientConnection);

impl Session {
    /// A session with `host`, which has said nothing yet.
    pub fn new(settings: &Settings, host: &str) -> Result<Session, Failure> {
        let name = ServerName::try_from(host.to_string())?;
        Ok(Session(ClientConnection::new(settings.0.clone(), name)?))
    }

    /// Whether the handshake still goes on.
    pub fn is_handshaking(&self) -> bool {
        self.0.is_handshaking()
    }

    /// Whether there are records to write to the socket.
    pub fn wants_write(&self) -> bool {
        self.0.wants_write()
    }

    /// Takes plain bytes to be encrypted; says how many fitted.
    pub fn encrypt(&mut self, bytes: &[u8]) -> Result<usize, Failure> {
        Ok(self.0.writer().write(bytes)?)
    }

    /// Writes records until the socket is full or there are none.
    pub fn flush(&mut self, socket: &mut Socket<'_>) -> Result<(), Failure> {
        while self.0.wants_write() {
            match self.0.write_tls(socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads once from the socket and appends what it decrypts. rustls is drained whole each time,
    /// since plain bytes that it holds wake no poll.
    pub fn receive(
        &mut self,
        socket: &mut Socket<'_>,
        plain: &mut Vec<u8>,
    ) -> Result<Received, Failure> {
        let read = match self.0.read_tls(socket) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok(Received::Nothing);
            }
            Err(error) => return Err(error.into()),
        };
        if let Err(error) = self.0.process_new_packets() {
            // The peer deserves the alert that says why; that it arrives is not sure.
            let _ = self.flush(socket);
            return Err(error.into());
        }
        let before = plain.len();
        let drained = self.0.reader().read_to_end(plain);
        match drained {
            // close_notify came.
            Ok(_) => return Ok(Received::End),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // The peer closed the socket without close_notify. Where a body ends is for HTTP to
            // say (RFC 9112 §9.8), so this is an end like any other.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(Received::End);
            }
            Err(error) => return Err(error.into()),
        }
        if read == 0 {
            return Ok(Received::End);
        }
        Ok(if plain.len() > before {
            Received::Some
        } else {
            Received::Nothing
        })
    }
}
