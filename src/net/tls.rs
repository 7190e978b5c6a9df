//! TLS over a stream of ours: the only file that knows rustls.
//!
//! TLS 1.2 and 1.3 with ring, ALPN `http/1.1`, session tickets kept for the run, a certificate of
//! our own where settings name one. Trusted are the roots of webpki-roots and those that settings
//! name; where an issuer is unknown, the caller may try once more `with_system_bundle`, and nothing
//! of the system's is read before. Nothing turns verification off.

use crate::net::certificate::Certificate;
use crate::net::roots;
use crate::net::roots::Trust;
use crate::net::stream::Received;
use rustls::CertificateError;
use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::DigitallySignedStruct;
use rustls::HandshakeKind;
use rustls::InvalidMessage;
use rustls::PeerIncompatible;
use rustls::ProtocolVersion;
use rustls::RootCertStore;
use rustls::SignatureScheme;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use rustls::server::ParsedCertificate;
use std::collections::HashSet;
use std::error;
use std::io;
use std::io::Read;
use std::io::Write;
use std::mem;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

pub mod failure;

pub use failure::Failure;

/// What every TLS connection of a run shares: roots, our certificate and session tickets.
#[derive(Clone)]
pub struct Settings {
    config: Arc<ClientConfig>,
    /// The one in `config`, by its own type.
    verifier: Arc<Verifier>,
}

impl Settings {
    /// The built-in roots and what settings add, with warnings of what could not be used.
    pub fn trusting(trust: &Trust) -> Result<(Settings, Vec<String>), Failure> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let built_in = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let found = roots::named(trust)?;
        let (verifier, refused) =
            Verifier::new(&provider, built_in, HashSet::new(), found.certificates)?;
        let mut warnings = found.warnings;
        warnings.extend(refused);

        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(other)?
            // Ours asks that of webpki, and tells more than it where the answer is no.
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone());
        let mut config = match roots::identity(trust)? {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = identity.chain.into_iter().map(CertificateDer::from);
                let key = PrivateKeyDer::try_from(identity.key);
                let key = key.map_err(|reason| Failure::Identity(reason.to_string()))?;
                let config = builder.with_client_auth_cert(chain.collect(), key);
                config.map_err(|error| Failure::Identity(error.to_string()))?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        Ok((Settings { config, verifier }, warnings))
    }

    /// The same with the system's roots beside the others; `None` where the system has none that
    /// we did not know. Reads files.
    pub fn with_system_bundle(&self) -> Option<Settings> {
        self.with_more(roots::system())
    }

    fn with_more(&self, mut certificates: Vec<Vec<u8>>) -> Option<Settings> {
        let old = &self.verifier;
        certificates.retain(|der| !old.named.contains(der));
        if certificates.is_empty() {
            return None;
        }
        let provider = self.config.crypto_provider();
        let (roots, named) = (old.roots.as_ref().clone(), old.named.clone());
        let (verifier, _) = Verifier::new(provider, roots, named, certificates).ok()?;
        let mut config = self.config.as_ref().clone();
        let mut dangerous = config.dangerous();
        dangerous.set_certificate_verifier(verifier.clone());
        let config = Arc::new(config);
        Some(Settings { config, verifier })
    }
}

/// What is known of a connection after its handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by its registered name.
    pub cipher: String,
    /// Whether an earlier session went on, so that no certificate was sent.
    pub resumed: bool,
    /// Who signed the server's certificate.
    pub issuer: String,
    /// Whose it is.
    pub subject: String,
    /// Its last second, unix time.
    pub not_after: u64,
}

/// The TLS state of one connection.
pub struct Session {
    tls: ClientConnection,
    verifier: Arc<Verifier>,
}

impl Session {
    /// A session with `host`, which has said nothing yet.
    pub fn new(settings: &Settings, host: &str) -> Result<Session, Failure> {
        // The dot of a name that is whole already is no part of it in certificates, nor in SNI
        // (RFC 6066 §3).
        let name = ServerName::try_from(host.strip_suffix('.').unwrap_or(host).to_string());
        let name = name.map_err(|_| Failure::Other(format!("`{host}` is no name for TLS")))?;
        let tls = ClientConnection::new(settings.config.clone(), name).map_err(other)?;
        let verifier = settings.verifier.clone();
        Ok(Session { tls, verifier })
    }

    /// Whether the handshake still goes on.
    pub fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// Whether there are records to write to the socket.
    pub fn wants_write(&self) -> bool {
        self.tls.wants_write()
    }

    /// What the handshake came to; `None` before its end.
    pub fn facts(&self) -> Option<Facts> {
        if self.is_handshaking() {
            return None;
        }
        let version = match self.tls.protocol_version()? {
            ProtocolVersion::TLSv1_2 => "TLSv1.2",
            ProtocolVersion::TLSv1_3 => "TLSv1.3",
            _ => return None,
        };
        let cipher = self.tls.negotiated_cipher_suite()?.suite();
        let leaf = self.tls.peer_certificates()?.first()?;
        let leaf = Certificate::parse(leaf)?;
        Some(Facts {
            version,
            // The registry has `TLS_AES_…` where rustls says `TLS13_AES_…` (RFC 8446 B.4).
            cipher: format!("{cipher:?}").replace("TLS13_", "TLS_"),
            resumed: self.tls.handshake_kind() == Some(HandshakeKind::Resumed),
            issuer: leaf.issuer,
            subject: leaf.subject,
            not_after: leaf.not_after,
        })
    }

    /// Takes plain bytes to be encrypted; says how many fitted.
    pub fn encrypt(&mut self, bytes: &[u8]) -> Result<usize, Failure> {
        Ok(self.tls.writer().write(bytes)?)
    }

    /// Writes records until the socket is full or there are none.
    pub fn flush(&mut self, socket: &mut dyn Write) -> Result<(), Failure> {
        while self.tls.wants_write() {
            match self.tls.write_tls(socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Reads once from the socket and appends what it decrypts. rustls is drained whole each time,
    /// since plain bytes that it holds wake no poll.
    pub fn receive<S: Read + Write>(
        &mut self,
        socket: &mut S,
        plain: &mut Vec<u8>,
    ) -> Result<Received, Failure> {
        let read = match self.tls.read_tls(socket) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Ok(Received::Nothing);
            }
            Err(error) => return Err(error.into()),
        };
        let was_handshaking = self.is_handshaking();
        if let Err(error) = self.tls.process_new_packets() {
            // The peer deserves the alert that says why; that it arrives is not sure.
            let _ = self.flush(socket);
            return Err(self.failure(error, was_handshaking));
        }
        if read == 0 && self.is_handshaking() {
            let words = "it was closed in the middle of the TLS handshake";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, words).into());
        }
        let before = plain.len();
        let drained = self.tls.reader().read_to_end(plain);
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

    /// What rustls says, by whose fault it is.
    fn failure(&self, error: rustls::Error, was_handshaking: bool) -> Failure {
        match error {
            rustls::Error::InvalidCertificate(error) => self.verifier.failure(error),
            rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) if was_handshaking => Failure::NotTls,
            rustls::Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => Failure::Incompatible("the server speaks no TLS newer than 1.1"),
            rustls::Error::AlertReceived(alert) => Failure::Alert(words(&format!("{alert:?}"))),
            error => other(error),
        }
    }
}

/// Asks webpki whether a certificate is to be trusted, and keeps what there is to tell about one
/// that is not: rustls forgets it.
#[derive(Debug)]
struct Verifier {
    webpki: Arc<WebPkiServerVerifier>,
    roots: Arc<RootCertStore>,
    /// Those of `roots` that are not built in. A server may use one of them itself: that is
    /// what a device or a test does that signed its own. Nothing is issued by anyone then, and
    /// webpki wants an issuer; but the user named this very certificate.
    named: HashSet<Vec<u8>>,
    /// The last chain that was refused, until its session asks: at once, on the same thread.
    refused: Mutex<Option<Refused>>,
}

/// A chain that was refused.
#[derive(Debug)]
struct Refused {
    leaf: Certificate,
    is_named: bool,
    /// The issuer of the last that could be found.
    issuer: String,
}

impl Verifier {
    /// A verifier that trusts `roots`, of which `named` are not built in, and `more`; and what is
    /// wrong with some of these.
    fn new(
        provider: &Arc<CryptoProvider>,
        mut roots: RootCertStore,
        mut named: HashSet<Vec<u8>>,
        more: Vec<Vec<u8>>,
    ) -> Result<(Arc<Verifier>, Vec<String>), Failure> {
        let mut warnings = Vec::new();
        for der in more {
            match roots.add(CertificateDer::from(der.as_slice())) {
                Ok(()) => _ = named.insert(der),
                Err(error) => {
                    let certificate = Certificate::parse(&der);
                    let title = certificate.as_ref().map_or("a root", Certificate::title);
                    warnings.push(format!("`{title}` cannot be trusted: {error}"));
                }
            }
        }
        let roots = Arc::new(roots);
        let webpki = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone());
        let verifier = Verifier {
            webpki: webpki.build().map_err(other)?,
            roots,
            named,
            refused: Mutex::new(None),
        };
        Ok((Arc::new(verifier), warnings))
    }

    /// A certificate that the user named must still be for this host, and for today.
    fn verify_named(
        &self,
        leaf: &CertificateDer<'_>,
        host: &ServerName<'_>,
        time: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        verify_server_name(&ParsedCertificate::try_from(leaf)?, host)?;
        let dates = Certificate::parse(leaf).ok_or(CertificateError::BadEncoding)?;
        let unix_time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        if time.as_secs() < dates.not_before {
            let not_before = unix_time(dates.not_before);
            return Err(CertificateError::NotValidYetContext { time, not_before }.into());
        }
        if time.as_secs() > dates.not_after {
            let not_after = unix_time(dates.not_after);
            return Err(CertificateError::ExpiredContext { time, not_after }.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    /// Why the last chain was refused.
    fn failure(&self, error: CertificateError) -> Failure {
        let refused = self.refused.lock();
        let refused = mem::take(&mut *refused.unwrap_or_else(PoisonError::into_inner));
        let Some(Refused {
            leaf,
            is_named,
            issuer,
        }) = refused
        else {
            let reason = reason(&error);
            return Failure::Other(format!("its certificate is not accepted: {reason}"));
        };
        let subject = leaf.title().to_string();
        match error {
            CertificateError::UnknownIssuer => Failure::UnknownIssuer { subject, issuer },
            // One that signed itself is refused as what it is not before its issuer is asked for.
            CertificateError::Other(_) if leaf.issuer == leaf.subject && !is_named => {
                Failure::UnknownIssuer {
                    issuer: subject.clone(),
                    subject,
                }
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                Failure::Expired {
                    subject,
                    not_after: leaf.not_after,
                }
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Failure::NotYetValid {
                    subject,
                    not_before: leaf.not_before,
                }
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Failure::WrongName {
                    subject,
                    hosts: leaf.hosts,
                    hosts_count: leaf.hosts_count,
                }
            }
            error => Failure::BadCertificate {
                subject,
                reason: reason(&error),
            },
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let is_named = self.named.contains(leaf.as_ref());
        let verdict = if is_named {
            self.verify_named(leaf, host, now)
        } else {
            self.webpki
                .verify_server_cert(leaf, others, host, ocsp, now)
        };
        if verdict.is_err() {
            let last = self.refused.lock();
            *last.unwrap_or_else(PoisonError::into_inner) = refused(leaf, others, is_named);
        }
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls12_signature(message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls13_signature(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// What to tell about a chain: its leaf, and the issuer where it ends, which is the one to be
/// trusted. A server that forgot to send what stands between ends with that.
fn refused(
    leaf: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    is_named: bool,
) -> Option<Refused> {
    let leaf = Certificate::parse(leaf)?;
    let mut others: Vec<Certificate> = others
        .iter()
        .filter_map(|der| Certificate::parse(der))
        .collect();
    let mut issuer = leaf.issuer.clone();
    // Each is used up, so that two that name each other end the walk.
    while let Some(index) = others.iter().position(|other| other.subject == issuer) {
        issuer = others.swap_remove(index).issuer;
    }
    Some(Refused {
        leaf,
        is_named,
        issuer,
    })
}

/// What is wrong with a certificate. Where rustls has no sentence it prints the name of a variant.
fn reason(error: &CertificateError) -> String {
    let text = match error {
        CertificateError::Other(error) => error.to_string(),
        error => error.to_string(),
    };
    match text.contains(' ') {
        true => text,
        false => words(&text),
    }
}

/// `CertificateRequired` as `certificate required`.
fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut was_lower = false;
    for c in name.chars() {
        if was_lower && c.is_uppercase() {
            words.push(' ');
        }
        was_lower = c.is_lowercase();
        words.extend(c.to_lowercase());
    }
    words
}

fn other(error: impl error::Error) -> Failure {
    Failure::Other(error.to_string())
}

#[cfg(test)]
mod tests;
