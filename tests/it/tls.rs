//! A server on loopback that speaks TLS, with the certificates of `tests/data/tls`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::StreamOwned;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

/// A file of certificates or keys.
pub fn file(name: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    data.join(name)
}

/// The one thing that a file holds.
fn der(name: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(file(name)).expect("a PEM file");
    let lines = text
        .lines()
        .skip_while(|line| !line.starts_with("-----BEGIN"));
    let lines = lines.skip(1).take_while(|line| !line.starts_with("-----"));
    STANDARD.decode(lines.collect::<String>()).expect("base64")
}

/// The port of a server that shows this certificate and answers every request with these bytes.
pub fn serve(certificate: &str, answer: &'static str) -> u16 {
    let key = PrivateKeyDer::try_from(der("key.pem")).expect("a key");
    let chain = vec![CertificateDer::from(der(certificate))];
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate and its key");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let config = config.clone();
            thread::spawn(move || speak(config, socket, answer));
        }
    });
    port
}

/// Whoever does not trust us goes away in the middle, so nothing here has to go well.
fn speak(config: Arc<ServerConfig>, socket: TcpStream, answer: &str) {
    let connection = ServerConnection::new(config).expect("a session");
    let mut stream = StreamOwned::new(connection, socket);
    if stream.read(&mut [0; 4096]).is_ok() {
        let _ = stream.write_all(answer.as_bytes());
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }
    let _ = stream.sock.read_to_end(&mut Vec::new());
}
