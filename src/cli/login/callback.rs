//! The port on this machine that the browser comes back to at the end of a login.
//!
//! Several connections at once, since browsers open some that they never use; nothing here waits.
//! No answer repeats anything of the request. What a query means is the caller's.

use crate::auth::login::browser::CALLBACK_PATH;
use crate::http::serve::RequestHead;
use crate::http::serve::parse_request;
use crate::http::serve::response;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsFd;

/// A browser opens two or three; the oldest makes room for another one.
const CONNECTIONS_MAX: usize = 16;

/// No browser sends a longer head.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Kept by whoever showed the page: nothing.
const HEADERS: &[(&str, &str)] = &[
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Connection", "close"),
];

/// The port.
pub struct Callback {
    listener: TcpListener,
    /// Its number.
    pub port: u16,
    connections: Vec<Connection>,
    /// The one that brought what we waited for; it gets its page in the end.
    held: Option<TcpStream>,
}

struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

/// What becomes of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is none of this login.
    Foreign,
    /// It is what we waited for: the browser waits for its page.
    Ours,
}

impl Callback {
    /// Takes the first of these ports that is free; `None` if none is.
    pub fn bind(ports: &[u16]) -> io::Result<Option<Callback>> {
        for port in ports {
            let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, *port)) {
                Ok(listener) => listener,
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => continue,
                Err(error) => return Err(error),
            };
            listener.set_nonblocking(true)?;
            let port = listener.local_addr()?.port();
            return Ok(Some(Callback {
                listener,
                port,
                connections: Vec::new(),
                held: None,
            }));
        }
        Ok(None)
    }

    /// Adds what it waits for.
    pub fn wait_for<'a, T: Copy>(&'a self, set: &mut PollSet<'a, T>, token: T) {
        set.add(self.listener.as_fd(), Interest::Read, token);
        for connection in &self.connections {
            set.add(connection.stream.as_fd(), Interest::Read, token);
        }
    }

    /// Reads what is there and answers it; `judge` sees the query of each callback. A peer that
    /// misbehaves loses its connection and nothing else.
    pub fn step(&mut self, judge: &mut dyn FnMut(&str) -> Verdict) {
        while let Ok((stream, _)) = self.listener.accept() {
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            if self.connections.len() == CONNECTIONS_MAX {
                self.connections.remove(0);
            }
            let input = Vec::new();
            self.connections.push(Connection { stream, input });
        }
        let mut waiting = Vec::new();
        for mut connection in std::mem::take(&mut self.connections) {
            match connection.read() {
                Heard::Nothing => waiting.push(connection),
                Heard::End => {}
                Heard::Rubbish => send(connection.stream, 400, "text/plain", "Bad request"),
                Heard::Head(head) => self.answer(connection.stream, &head, judge),
            }
        }
        self.connections = waiting;
    }

    fn answer(
        &mut self,
        stream: TcpStream,
        head: &RequestHead,
        judge: &mut dyn FnMut(&str) -> Verdict,
    ) {
        let (path, query) = head.target.split_once('?').unwrap_or((&head.target, ""));
        if path != CALLBACK_PATH {
            return send(stream, 404, "text/plain", "Not found");
        }
        if head.method != "GET" {
            return send(stream, 405, "text/plain", "Method not allowed");
        }
        match judge(query) {
            Verdict::Foreign => send(stream, 400, "text/plain", "State mismatch"),
            Verdict::Ours => self.held = Some(stream),
        }
    }

    /// Shows the browser how it went, if it was the browser that brought it.
    pub fn finish(self, title: &str, words: &str) {
        let page = format!(
            "<!doctype html><meta charset=\"utf-8\"><title>sx: {title}</title><h1>{title}</h1>\
             <p>{words}</p>\n"
        );
        if let Some(stream) = self.held {
            send(stream, 200, "text/html; charset=utf-8", &page);
        }
    }
}

/// What came on a connection.
enum Heard {
    /// Not all of it yet.
    Nothing,
    /// The peer is gone.
    End,
    /// Something that is no request.
    Rubbish,
    /// A request; what follows it is never read.
    Head(RequestHead),
}

impl Connection {
    fn read(&mut self) -> Heard {
        let mut piece = [0; 8 * 1024];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return Heard::End,
                Ok(count) => self.input.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Heard::Nothing,
                Err(_) => return Heard::End,
            }
            match parse_request(&self.input) {
                Ok(Some((head, _))) => return Heard::Head(head),
                Ok(None) if self.input.len() <= HEAD_BYTES_MAX => {}
                _ => return Heard::Rubbish,
            }
        }
    }
}

/// Sends an answer of less than what an empty socket takes at once, so that nothing waits.
fn send(mut stream: TcpStream, status: u16, kind: &str, text: &str) {
    let headers = [&[("Content-Type", kind)], HEADERS].concat();
    // A peer that has gone needs no answer.
    let _ = stream.write_all(&response(status, &headers, text.as_bytes()));
    let _ = stream.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each request gets; the queries that were judged, `ours` being what we wait for.
    #[track_caller]
    fn check(requests: &[&str], expected: &[&str], judged: &[&str]) {
        let mut callback = Callback::bind(&[0]).unwrap().unwrap();
        let mut queries = Vec::new();
        let mut streams = Vec::new();
        for request in requests {
            let mut stream = TcpStream::connect(("127.0.0.1", callback.port)).unwrap();
            // In two pieces, as a network may have it.
            for piece in [&request[..3], &request[3..]] {
                stream.write_all(piece.as_bytes()).unwrap();
                let mut set = PollSet::new();
                callback.wait_for(&mut set, ());
                set.wait(None).unwrap();
                callback.step(&mut |query| {
                    queries.push(query.to_string());
                    match query {
                        "ours" => Verdict::Ours,
                        _ => Verdict::Foreign,
                    }
                });
            }
            streams.push(stream);
        }
        callback.finish("Done", "Words.");
        for (mut stream, expected) in streams.into_iter().zip(expected) {
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            assert!(answer.contains(expected), "{expected}: {answer}");
        }
        assert_eq!(queries, judged);
    }

    #[test]
    fn only_a_callback_with_our_state_is_taken() {
        check(
            &[
                "GET /auth/callback?code=a&state=x HTTP/1.1\r\n\r\n",
                "GET / HTTP/1.1\r\n\r\n",
                "GET /cancel HTTP/1.1\r\n\r\n",
                "POST /auth/callback?ours HTTP/1.1\r\n\r\n",
                "rubbish\r\n\r\n",
                "GET /auth/callback?ours HTTP/1.1\r\nHost: h\r\n\r\n",
            ],
            &[
                "HTTP/1.1 400 \r\n",
                "HTTP/1.1 404 ",
                "HTTP/1.1 404 ",
                "HTTP/1.1 405 ",
                "HTTP/1.1 400 ",
                "<h1>Done</h1><p>Words.</p>",
            ],
            &["code=a&state=x", "ours"],
        );
    }

    #[test]
    fn a_second_port_is_taken_and_then_none() {
        let first = Callback::bind(&[0]).unwrap().unwrap();
        let second = Callback::bind(&[first.port, 0]).unwrap().unwrap();
        assert_ne!(first.port, second.port);
        assert!(
            Callback::bind(&[first.port, second.port])
                .unwrap()
                .is_none()
        );
    }
}
