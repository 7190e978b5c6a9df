//! Whole requests over loopback, against servers that play a script on a thread.

use crate::base::clock::Deadline;
use crate::http::exchange::Request;
use crate::http::url::Url;
use crate::net::Client;
use crate::net::Error;
use crate::net::Limits;
use crate::net::client::Options;
use crate::net::dns::Overrides;
use crate::net::drive::Bounds;
use crate::net::drive::Response;
use crate::net::drive::drive;
use crate::net::proxy::Variables;
use crate::net::roots::Trust;
use crate::net::route::Scope;
use crate::sys::signals::Signals;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

pub(super) const LONG: Duration = Duration::from_secs(60);
const AT_ONCE: Duration = Duration::ZERO;

/// What the server does with one connection: for every entry it reads a request and says this.
pub(super) type Script = Vec<&'static [u8]>;

/// Serves one connection after the other; each is closed at the end of its script. Returns the
/// requests that came.
pub(super) fn serve(scripts: Vec<Script>) -> (Url, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let mut requests = Vec::new();
        for script in scripts {
            let (mut stream, _) = listener.accept().unwrap();
            for answer in script {
                requests.push(read_request(&mut stream));
                stream.write_all(answer).unwrap();
            }
        }
        requests
    });
    (Url::parse(&format!("http://{address}/r")).unwrap(), server)
}

/// A request without a body, or with one of 3 bytes.
fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        request.push(byte[0]);
    }
    let mut text = String::from_utf8(request).unwrap();
    if text.to_lowercase().contains("content-length: 3\r\n") {
        let mut body = [0; 3];
        stream.read_exact(&mut body).unwrap();
        text.push_str(std::str::from_utf8(&body).unwrap());
    }
    text
}

pub(super) fn limits(wait: Duration) -> Limits {
    Limits {
        connect: wait,
        tls: wait,
        first_byte: wait,
        idle: wait,
    }
}

pub(super) fn options(limits: Limits) -> Options {
    Options {
        limits,
        trust: Trust::default(),
        overrides: Overrides::default(),
        proxies: Variables::default(),
        scope: Scope::Anywhere,
    }
}

fn client(limits: Limits) -> Client {
    Client::new(options(limits))
}

pub(super) fn ask(client: &mut Client, request: Request) -> Result<Response, Error> {
    let signals = Signals::take(&[]).unwrap();
    let whole = Deadline::after(LONG, "TEST");
    let bounds = Bounds {
        whole,
        bytes_max: 1 << 20,
        redirects_max: 1,
        socket: None,
    };
    drive(client, request, &signals, bounds)
}

#[test]
fn a_connection_serves_the_next_request_too() {
    let one = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na".as_slice();
    let two =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n".as_slice();
    let (url, server) = serve(vec![vec![one, two]]);
    let mut client = client(limits(LONG));
    assert_eq!(
        ask(&mut client, Request::get(url.clone())).unwrap().body,
        b"a"
    );
    let second = Request::post(url, b"xyz".to_vec());
    assert_eq!(ask(&mut client, second).unwrap().body, b"b");
    let requests = server.join().unwrap();
    assert!(
        requests[0].starts_with("GET /r HTTP/1.1\r\n"),
        "{requests:?}"
    );
    assert!(requests[1].ends_with("\r\n\r\nxyz"), "{requests:?}");
}

#[test]
fn so_many_redirects_are_followed_as_were_asked_for() {
    let to = b"HTTP/1.1 302 Found\r\nLocation: /s\r\nContent-Length: 0\r\n\r\n".as_slice();
    let (url, server) = serve(vec![vec![to, to]]);
    let request = Request::get(url).header("Authorization", "x");
    let response = ask(&mut client(limits(LONG)), request).unwrap();
    assert_eq!(response.head.status, 302);
    let requests = server.join().unwrap();
    assert!(
        requests[1].starts_with("GET /s HTTP/1.1\r\n"),
        "{requests:?}"
    );
    assert!(requests[1].contains("Authorization: x"), "{requests:?}");
}

#[test]
fn a_kept_connection_that_died_is_replaced() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na".as_slice();
    let (url, server) = serve(vec![vec![answer], vec![answer]]);
    let mut client = client(limits(LONG));
    for _ in 0..2 {
        assert_eq!(
            ask(&mut client, Request::get(url.clone())).unwrap().body,
            b"a"
        );
    }
    assert_eq!(server.join().unwrap().len(), 2);
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    let (url, server) = serve(vec![vec![b"HTTP/1.1 200 OK\r\n\r\nall"]]);
    let mut client = client(limits(LONG));
    assert_eq!(ask(&mut client, Request::get(url)).unwrap().body, b"all");
    server.join().unwrap();
}

#[test]
fn an_answer_that_stops_early_is_the_servers_fault() {
    let (url, server) = serve(vec![vec![
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall",
    ]]);
    let error = ask(&mut client(limits(LONG)), Request::get(url)).unwrap_err();
    assert!(matches!(error, Error::Http { .. }), "{error}");
    server.join().unwrap();
}

#[test]
fn garbage_is_the_servers_fault() {
    let (url, server) = serve(vec![vec![b"SSH-2.0-OpenSSH_9.2\r\n"]]);
    let error = ask(&mut client(limits(LONG)), Request::get(url)).unwrap_err();
    assert!(matches!(error, Error::Http { .. }), "{error}");
    server.join().unwrap();
}

/// The server takes the connection and says nothing; which limit fires depends on which is short.
#[track_caller]
fn check_silent(limits: Limits, expected: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let scheme = if expected == "TLS_TIMEOUT" {
        "https"
    } else {
        "http"
    };
    let url = Url::parse(&format!("{scheme}://{address}/")).unwrap();
    let error = ask(&mut client(limits), Request::get(url)).unwrap_err();
    match error {
        Error::Timeout { limit, .. }
        | Error::Connect {
            limit: Some(limit), ..
        } => assert_eq!(limit, expected),
        other => panic!("{other}"),
    }
}

#[test]
fn a_silent_server_meets_the_limit_that_is_named() {
    let long = limits(LONG);
    check_silent(
        Limits {
            connect: AT_ONCE,
            ..long
        },
        "CONNECT_TIMEOUT",
    );
    check_silent(
        Limits {
            tls: AT_ONCE,
            ..long
        },
        "TLS_TIMEOUT",
    );
    check_silent(
        Limits {
            first_byte: AT_ONCE,
            ..long
        },
        "FIRST_BYTE_TIMEOUT",
    );
}

#[test]
fn a_stream_that_falls_silent_meets_the_idle_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream);
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nal";
        stream.write_all(head).unwrap();
        // Says no more until the client has gone.
        stream.read(&mut [0]).unwrap_or(0)
    });
    let short_idle = Limits {
        idle: Duration::from_millis(20),
        ..limits(LONG)
    };
    let url = Url::parse(&format!("http://{address}/")).unwrap();
    let error = ask(&mut client(short_idle), Request::get(url)).unwrap_err();
    match error {
        Error::Timeout { limit, .. } => assert_eq!(limit, "IDLE_TIMEOUT"),
        other => panic!("{other}"),
    }
    assert_eq!(server.join().unwrap(), 0);
}

#[test]
fn a_refused_connection_names_the_address() {
    let address = {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap()
    };
    let url = Url::parse(&format!("http://{address}/")).unwrap();
    let error = ask(&mut client(limits(LONG)), Request::get(url)).unwrap_err();
    let expected = format!("cannot connect to {address}: 127.0.0.1: connection refused");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_server_that_speaks_no_tls_is_no_secure_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let plain = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
        stream.read(&mut [0; 4096]).unwrap_or(0)
    });
    let url = Url::parse(&format!("https://{address}/")).unwrap();
    let error = ask(&mut client(limits(LONG)), Request::get(url)).unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error}");
    plain.join().unwrap();
}
