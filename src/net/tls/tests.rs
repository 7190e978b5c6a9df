//! Sessions with a server of rustls's on loopback: who is trusted, and what is said about others.

use super::*;
use crate::base::clock::Deadline;
use crate::http::exchange::Request;
use crate::http::url::Url;
use crate::net::proxy::Variables;
use crate::net::stream::Socket;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::StreamOwned;
use rustls::server::WebPkiClientVerifier;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::path::Path;
use std::path::PathBuf;
use std::thread;

/// Longer than any handshake on loopback takes.
const LONG: Duration = Duration::from_secs(20);

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/tls")
        .join(name)
}

/// The certificates of some files.
fn chain(names: &[&str]) -> Vec<CertificateDer<'static>> {
    let ders = names.iter().map(|name| {
        let text = std::fs::read(file(name)).unwrap();
        crate::net::pem::sections(&text).remove(0).der.unwrap()
    });
    ders.map(CertificateDer::from).collect()
}

fn key() -> PrivateKeyDer<'static> {
    let text = std::fs::read(file("key.pem")).unwrap();
    let der = crate::net::pem::sections(&text).remove(0).der.unwrap();
    PrivateKeyDer::try_from(der).unwrap()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A server that shows these certificates, with the key that all leaves of ours have.
fn showing(names: &[&str]) -> ServerConfig {
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain(names), key())
        .unwrap()
}

fn trusting(name: &str) -> Settings {
    let trust = Trust {
        ca_file: Some(file(name)),
        ..Trust::default()
    };
    let (settings, warnings) = Settings::trusting(&trust).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    settings
}

/// Says `ping` to a server, which says `pong`.
fn talk(settings: &Settings, host: &str, server: ServerConfig) -> Result<Facts, Failure> {
    talk_again(settings, host, &Arc::new(server))
}

fn talk_again(
    settings: &Settings,
    host: &str,
    server: &Arc<ServerConfig>,
) -> Result<Facts, Failure> {
    let server = server.clone();
    talk_to(settings, host, move |socket| {
        let connection = ServerConnection::new(server).unwrap();
        let mut stream = StreamOwned::new(connection, socket);
        let mut ping = [0; 4];
        if stream.read_exact(&mut ping).is_ok() {
            assert_eq!(&ping, b"ping");
            stream.write_all(b"pong").unwrap();
            stream.conn.send_close_notify();
        }
        let _ = stream.flush();
        // What is unread when a socket is closed resets it, and the alert with it.
        let _ = stream.sock.shutdown(Shutdown::Write);
        let _ = stream.sock.read_to_end(&mut Vec::new());
    })
}

/// Says `ping` to whatever `server` makes of its socket, and returns the facts if it was `pong`.
fn talk_to(
    settings: &Settings,
    host: &str,
    server: impl FnOnce(TcpStream) + Send + 'static,
) -> Result<Facts, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    let server = thread::spawn(move || server(accepted));
    let result = converse(settings, host, &socket);
    drop(socket);
    server.join().unwrap();
    result
}

fn converse(settings: &Settings, host: &str, socket: &TcpStream) -> Result<Facts, Failure> {
    let mut session = Session::new(settings, host)?;
    assert_eq!(session.facts(), None);
    let deadline = Deadline::after(LONG, "LONG");
    let (mut asked, mut plain) = (false, Vec::new());
    loop {
        if !asked && !session.is_handshaking() {
            asked = true;
            session.encrypt(b"ping")?;
        }
        session.flush(&mut Socket(socket))?;
        if session.receive(&mut Socket(socket), &mut plain)? == Received::End {
            break;
        }
        let has_next = !asked && !session.is_handshaking();
        if !has_next && !session.wants_write() {
            let mut set = PollSet::new();
            set.add(socket.as_fd(), Interest::Read, ());
            assert!(!set.wait(deadline.left()).unwrap().is_empty(), "too slow");
        }
    }
    assert_eq!(plain, b"pong");
    Ok(session.facts().expect("the handshake is over"))
}

#[track_caller]
fn check_refused(result: Result<Facts, Failure>, expected: &str) {
    match result {
        Ok(facts) => panic!("it was accepted: {facts:?}"),
        Err(failure) => assert_eq!(failure.to_string(), expected),
    }
}

fn built_in() -> Settings {
    let (settings, _) = Settings::trusting(&Trust::default()).unwrap();
    settings
}

#[test]
fn a_private_root_is_trusted_where_a_setting_names_it() {
    let facts = talk(&trusting("root.pem"), "localhost", showing(&["server.pem"])).unwrap();
    assert_eq!(
        facts,
        Facts {
            version: "TLSv1.3",
            cipher: "TLS_AES_256_GCM_SHA384".into(),
            resumed: false,
            issuer: "CN=Test Root,O=Example\\, Inc.".into(),
            subject: "CN=localhost".into(),
            not_after: 4_922_899_200,
        }
    );
    let settings = trusting("root.pem");
    for host in ["a.h.test", "127.0.0.1", "::1", "localhost."] {
        talk(&settings, host, showing(&["server.pem"])).unwrap();
    }
    talk(
        &settings,
        "localhost",
        showing(&["below.pem", "middle.pem"]),
    )
    .unwrap();
}

#[test]
fn tls_1_2_is_spoken_too() {
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain(&["server.pem"]), key())
        .unwrap();
    let facts = talk(&trusting("root.pem"), "localhost", server).unwrap();
    assert_eq!(facts.version, "TLSv1.2");
    assert!(facts.cipher.starts_with("TLS_ECDHE_ECDSA_"), "{facts:?}");
}

#[test]
fn the_next_connection_goes_on_with_the_session() {
    let settings = trusting("root.pem");
    let server = Arc::new(showing(&["server.pem"]));
    assert!(!talk_again(&settings, "localhost", &server).unwrap().resumed);
    let again = talk_again(&settings, "localhost", &server).unwrap();
    assert!(again.resumed);
    assert_eq!(again.subject, "CN=localhost");
}

#[test]
fn a_refused_certificate_is_named() {
    let built_in = built_in();
    check_refused(
        talk(&built_in, "localhost", showing(&["server.pem"])),
        "its certificate `CN=localhost` was issued by `CN=Test Root,O=Example\\, Inc.`, \
         which is not a root we trust",
    );
    check_refused(
        talk(
            &built_in,
            "localhost",
            showing(&["below.pem", "middle.pem"]),
        ),
        "its certificate `CN=below` was issued by `CN=Test Root,O=Example\\, Inc.`, \
         which is not a root we trust",
    );
    check_refused(
        talk(&built_in, "localhost", showing(&["alone.pem"])),
        "its certificate `CN=alone` is signed by itself, and is not a root we trust",
    );
    let settings = trusting("root.pem");
    check_refused(
        talk(&settings, "localhost", showing(&["below.pem"])),
        "its certificate `CN=below` was issued by `CN=Test Middle`, which is not a root we trust",
    );
    check_refused(
        talk(&settings, "localhost", showing(&["expired.pem"])),
        "its certificate `CN=expired` expired on 2021-01-02T03:04:05Z",
    );
    check_refused(
        talk(&settings, "localhost", showing(&["future.pem"])),
        "its certificate `CN=future` is not valid before 2125-01-01T00:00:00Z",
    );
    check_refused(
        talk(&settings, "localhost", showing(&["client.pem"])),
        "its certificate `CN=client` is not accepted: certificate does not allow extended key \
         usage for server authentication, allows client authentication",
    );
    check_refused(
        talk(&settings, "h.test", showing(&["server.pem"])),
        "its certificate is for localhost, *.h.test, 127.0.0.1, ::1",
    );
}

#[test]
fn a_certificate_that_signed_itself_serves_where_a_setting_names_it() {
    let settings = trusting("alone.pem");
    let facts = talk(&settings, "localhost", showing(&["alone.pem"])).unwrap();
    assert_eq!(facts.subject, "CN=alone");
    check_refused(
        talk(&settings, "other.test", showing(&["alone.pem"])),
        "its certificate is for localhost",
    );
    check_refused(
        talk(
            &trusting("expired.pem"),
            "localhost",
            showing(&["expired.pem"]),
        ),
        "its certificate `CN=expired` expired on 2021-01-02T03:04:05Z",
    );
    check_refused(
        talk(
            &trusting("future.pem"),
            "localhost",
            showing(&["future.pem"]),
        ),
        "its certificate `CN=future` is not valid before 2125-01-01T00:00:00Z",
    );
}

#[test]
fn more_roots_are_a_second_try_and_keep_the_first() {
    let first = trusting("alone.pem");
    let root = || vec![chain(&["root.pem"])[0].to_vec()];
    let second = first.with_more(root()).expect("the root is new");
    talk(&second, "localhost", showing(&["server.pem"])).unwrap();
    talk(&second, "localhost", showing(&["alone.pem"])).unwrap();
    assert!(second.with_more(root()).is_none());
    assert!(second.with_more(Vec::new()).is_none());
    assert!(talk(&first, "localhost", showing(&["server.pem"])).is_err());
}

#[test]
fn our_certificate_is_shown_to_a_server_that_asks() {
    let asking = || {
        let mut roots = RootCertStore::empty();
        roots.add(chain(&["root.pem"]).remove(0)).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.unwrap())
            .with_single_cert(chain(&["server.pem"]), key())
            .unwrap()
    };
    for key in ["key.pem", "sec1.pem"] {
        let trust = Trust {
            ca_file: Some(file("root.pem")),
            client_cert: Some(file("client.pem")),
            client_key: Some(file(key)),
            ..Trust::default()
        };
        let (settings, _) = Settings::trusting(&trust).unwrap();
        talk(&settings, "localhost", asking()).unwrap();
    }
    let failure = talk(&trusting("root.pem"), "localhost", asking()).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "the server refused: certificate required"
    );
    assert!(failure.hint().unwrap().contains("CLIENT_CERT"));
}

#[test]
fn a_key_of_another_certificate_is_refused_at_once() {
    let trust = Trust {
        client_cert: Some(file("root.pem")),
        client_key: Some(file("key.pem")),
        ..Trust::default()
    };
    let failure = Settings::trusting(&trust).map(|_| ()).unwrap_err();
    assert!(matches!(failure, Failure::Identity(_)), "{failure}");
}

#[test]
fn what_speaks_no_tls_or_goes_away_is_told_apart() {
    let settings = built_in();
    let plain = talk_to(&settings, "localhost", |mut socket| {
        socket
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
        let _ = socket.read_to_end(&mut Vec::new());
    });
    assert!(matches!(plain, Err(Failure::NotTls)), "{plain:?}");
    let gone = talk_to(&settings, "localhost", |socket| {
        socket.shutdown(Shutdown::Write).unwrap();
        let _ = { socket }.read_to_end(&mut Vec::new());
    });
    assert!(matches!(gone, Err(Failure::Io(_))), "{gone:?}");
    // handshake_failure, as a server says that has no cipher for us (RFC 8446 §6).
    let alert = talk_to(&settings, "localhost", |mut socket| {
        socket.write_all(&[21, 3, 3, 0, 2, 2, 40]).unwrap();
        let _ = socket.read_to_end(&mut Vec::new());
    });
    check_refused(alert, "the server refused: handshake failure");
}

#[test]
fn names_of_the_library_become_words() {
    #[track_caller]
    fn check(error: CertificateError, expected: &str) {
        assert_eq!(reason(&error), expected);
    }
    check(CertificateError::BadSignature, "bad signature");
    let inner = Arc::new(io::Error::other("CaUsedAsEndEntity"));
    let nested = CertificateError::Other(rustls::OtherError(inner));
    check(nested, "ca used as end entity");
    assert_eq!(words("UnknownCA"), "unknown ca");
}

#[test]
fn a_host_that_no_certificate_can_name_is_refused() {
    let failure = Session::new(&built_in(), "a b").map(|_| ());
    let failure = failure.unwrap_err();
    assert_eq!(failure.to_string(), "`a b` is no name for TLS");
}

/// TLS with a proxy, a tunnel inside it, TLS with the server inside that.
#[test]
fn a_session_runs_inside_another_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (outer, inner) = (
        Arc::new(showing(&["server.pem"])),
        Arc::new(showing(&["server.pem"])),
    );
    let server = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let mut proxy = StreamOwned::new(ServerConnection::new(outer).unwrap(), socket);
        let asked = read_head(&mut proxy);
        proxy.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let mut server = StreamOwned::new(ServerConnection::new(inner).unwrap(), proxy);
        let requested = read_head(&mut server);
        // More than one record of either session holds.
        let body = vec![b'x'; 100_000];
        write!(
            server,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .unwrap();
        server.write_all(&body).unwrap();
        server.flush().unwrap();
        (asked, requested)
    });
    let options = crate::net::client::Options {
        trust: Trust {
            ca_file: Some(file("root.pem")),
            ..Trust::default()
        },
        proxies: Variables::read(&|name| {
            (name == "HTTPS_PROXY").then(|| format!("https://localhost:{port}"))
        }),
        ..crate::net::tests::options(crate::net::tests::limits(LONG))
    };
    let mut client = crate::net::Client::new(options);
    let url = Url::parse("https://localhost:9/x").unwrap();
    let answer = crate::net::tests::ask(&mut client, Request::get(url)).unwrap();
    assert_eq!(answer.body.len(), 100_000);
    let (asked, requested) = server.join().unwrap();
    assert!(
        asked.starts_with("CONNECT localhost:9 HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(requested.starts_with("GET /x HTTP/1.1\r\n"), "{requested}");
}

fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}
