//! A set-up for `sx doctor` that is broken in one way, and what it is to say of that.

use crate::place::Place;
use crate::sx::Ran;
use crate::sx::Sx;
use nix::sys::socket;
use serde_json::Value;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::thread;

/// What a service says to who asks without a login.
pub const UNKNOWN: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";

/// A server that answers every request with the same bytes and closes; its origin.
pub fn serve(answer: impl Into<String>) -> String {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let answer = answer.clone();
            // Whoever only connects says nothing.
            thread::spawn(move || {
                let is_asked = socket.read(&mut [0; 4096]).is_ok_and(|bytes| bytes > 0);
                if is_asked {
                    let _ = socket.write_all(answer.as_bytes());
                }
            });
        }
    });
    format!("http://{address}")
}

pub fn status(status: u16, headers: &str) -> String {
    serve(format!(
        "HTTP/1.1 {status} Status\r\n{headers}content-length: 0\r\n\r\n"
    ))
}

/// A port that nobody listens on.
pub fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound")
}

/// A port that answers nothing, as behind a filter: a queue for one, and one that is in it.
pub fn filtered() -> (SocketAddr, OwnedFd, TcpStream) {
    let flags = socket::SockFlag::SOCK_CLOEXEC;
    let kind = socket::SockType::Stream;
    let listener = socket::socket(socket::AddressFamily::Inet, kind, flags, None);
    let listener = listener.expect("a socket");
    let any = socket::SockaddrIn::new(127, 0, 0, 1, 0);
    socket::bind(listener.as_raw_fd(), &any).expect("a port");
    socket::listen(&listener, socket::Backlog::new(0).expect("none")).expect("it listens");
    let bound: socket::SockaddrIn = socket::getsockname(listener.as_raw_fd()).expect("bound");
    let address = SocketAddr::from(([127, 0, 0, 1], bound.port()));
    let first = TcpStream::connect(address).expect("the queue has room for one");
    (address, listener, first)
}

/// The doctor of a run that asks `service`, with these variables.
pub fn sx(place: &Place, service: &str, variables: &[(&str, &str)]) -> Sx {
    let sx = place.sx(["doctor", "--json"]).env("TERM", "xterm");
    let sx = sx.env("CODEX_BASE_URL", format!("{service}/v1"));
    let sx = sx.env("CODEX_ISSUER", serve(UNKNOWN));
    let set = |sx: Sx, (key, value): &(&str, &str)| sx.env(key, value);
    variables.iter().fold(sx, set)
}

/// Every line, which is an object.
pub fn findings(ran: &Ran) -> Vec<Value> {
    let lines = ran.text().lines();
    lines
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect()
}

/// What is to be found: `fail tls`, words of the detail, words of the fix.
pub type Fault<'a> = (&'a str, &'a str, &'a str);

#[track_caller]
pub fn check(sx: Sx, fault: Fault<'_>) {
    let ran = sx.run();
    check_ran(&ran, fault);
}

/// The line is there, with the exit code that goes with it, and the look went to its end.
#[track_caller]
pub fn check_ran(ran: &Ran, (what, words, fix): Fault<'_>) {
    let (state, check) = what.split_once(' ').expect("a state and a check");
    let code = if ran.text().contains("\"state\":\"fail\"") {
        3
    } else {
        0
    };
    ran.check_code(code);
    assert!(code == 3 || state == "warn", "{}", ran.text());
    let found = findings(ran);
    let is_it = |finding: &&Value| {
        let has =
            |key: &str, words: &str| finding[key].as_str().is_some_and(|it| it.contains(words));
        finding["check"] == check
            && finding["state"] == state
            && has("detail", words)
            && has("fix", fix)
    };
    assert!(
        found.iter().any(|one| is_it(&one)),
        "{what}, {words}, {fix}: {}",
        ran.text()
    );
    assert_eq!(found[0]["check"], "binary", "{}", ran.text());
    let has_host = |one: &Value| {
        ["host", "proxy", "dns", "tls", "answer"]
            .map(Value::from)
            .contains(&one["check"])
    };
    assert!(found.iter().any(has_host), "{}", ran.text());
}

/// Set-ups that differ by variables alone, beside a service that is well.
#[track_caller]
pub fn check_variables(place: &Place, cases: &[(&[(&str, &str)], Fault<'_>)]) {
    let well = serve(UNKNOWN);
    for (variables, fault) in cases {
        check(sx(place, &well, variables), *fault);
    }
}
