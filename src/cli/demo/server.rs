//! A small HTTP server on loopback, for services that live inside this program: demo and replay.
//!
//! One thread and one poll; requests are answered one after the other, on connections that stay
//! open. What a request means is the [`Service`]'s. Not here: TLS, chunked requests, other hosts.

use crate::http::serve::RequestHead;
use crate::http::serve::parse_request;
use crate::http::serve::response;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// A conversation with pictures; what is larger is a mistake of the sender.
const REQUEST_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The agent needs one or two; more are strangers.
const CONNECTIONS_MAX: usize = 16;

/// A peer on loopback that reads nothing for this long has gone.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(10);

/// How much is read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// What answers the requests.
pub trait Service {
    /// Answers one request.
    fn answer(&mut self, head: &RequestHead, body: &[u8]) -> Reply;
}

/// An answer as it goes over the wire.
pub struct Reply {
    /// Its bytes, framing and all. Each piece is written by itself, so that small ones arrive so.
    pub pieces: Vec<Vec<u8>>,
    /// What becomes of the connection.
    pub then: Then,
}

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It waits for the next request.
    Keep,
    /// It is closed.
    Close,
}

impl Reply {
    /// A refusal that says why.
    pub fn refusal(status: u16, text: &str) -> Reply {
        let body = serde_json::json!({"error": {"message": text}}).to_string();
        let headers = [("Content-Type", "application/json")];
        Reply {
            pieces: vec![response(status, &headers, body.as_bytes())],
            then: Then::Keep,
        }
    }
}

/// A port of ours on loopback.
pub struct Server {
    listener: TcpListener,
    port: u16,
}

impl Server {
    /// Takes a free port.
    pub fn bind() -> io::Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        Ok(Server { listener, port })
    }

    /// `http://127.0.0.1:PORT`
    pub fn origin(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Answers requests until `stop` is ready. An error is one of our own; a peer that misbehaves
    /// loses its connection and nothing else.
    pub fn run(&self, service: &mut dyn Service, stop: BorrowedFd<'_>) -> io::Result<()> {
        let mut connections: Vec<Connection> = Vec::new();
        loop {
            let ready = self.wait(&connections, stop)?;
            if ready.contains(&Ready::Stop) {
                return Ok(());
            }
            let is_over = |(index, connection): (usize, &mut Connection)| {
                ready.contains(&Ready::Connection(index))
                    && !matches!(connection.advance(service), Ok(Then::Keep))
            };
            let over: Vec<bool> = connections.iter_mut().enumerate().map(is_over).collect();
            let mut over = over.into_iter();
            connections.retain(|_| !over.next().unwrap_or(false));
            if ready.contains(&Ready::Listener) {
                // A peer that has gone before it was accepted is no error of ours.
                connections.extend(self.listener.accept().and_then(Connection::new));
            }
        }
    }

    fn wait(&self, connections: &[Connection], stop: BorrowedFd<'_>) -> io::Result<Vec<Ready>> {
        let mut set = PollSet::new();
        set.add(stop, Interest::Read, Ready::Stop);
        if connections.len() < CONNECTIONS_MAX {
            set.add(self.listener.as_fd(), Interest::Read, Ready::Listener);
        }
        for (index, connection) in connections.iter().enumerate() {
            let token = Ready::Connection(index);
            set.add(connection.stream.as_fd(), Interest::Read, token);
        }
        set.wait(None)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Ready {
    Stop,
    Listener,
    Connection(usize),
}

struct Connection {
    stream: TcpStream,
    /// What was read and not answered yet.
    unread: Vec<u8>,
}

impl Connection {
    fn new((stream, _): (TcpStream, std::net::SocketAddr)) -> io::Result<Connection> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_WAIT_MAX))?;
        let unread = Vec::new();
        Ok(Connection { stream, unread })
    }

    /// Reads what is there, and answers every request that is whole.
    fn advance(&mut self, service: &mut dyn Service) -> io::Result<Then> {
        let mut piece = [0; PIECE_BYTES];
        let count = self.stream.read(&mut piece)?;
        if count == 0 {
            return Ok(Then::Close);
        }
        self.unread.extend_from_slice(&piece[..count]);
        while let Some((reply, eaten)) = reply_to(&self.unread, service) {
            for piece in &reply.pieces {
                self.stream.write_all(piece)?;
            }
            if reply.then == Then::Close {
                return Ok(Then::Close);
            }
            self.unread.drain(..eaten);
        }
        Ok(Then::Keep)
    }
}

/// The reply to the request at the front of `input`, and how much of it that request was; `None`
/// while it is not whole.
fn reply_to(input: &[u8], service: &mut dyn Service) -> Option<(Reply, usize)> {
    let refuse = |status, text: &str| {
        let then = Then::Close;
        Some((
            Reply {
                then,
                ..Reply::refusal(status, text)
            },
            input.len(),
        ))
    };
    let (head, head_bytes) = match parse_request(input) {
        Ok(Some(parsed)) => parsed,
        Ok(None) => return None,
        Err(why) => return refuse(400, &why.to_string()),
    };
    let body_bytes = match head.body_bytes() {
        Ok(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
        Err(why) => return refuse(400, &why.to_string()),
    };
    let total = head_bytes.saturating_add(body_bytes);
    if total > REQUEST_BYTES_MAX {
        return refuse(413, "the request is too large");
    }
    let body = input.get(head_bytes..total)?;
    Some((service.answer(&head, body), total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;
    use std::thread;

    /// Answers with the length of the body; closes when asked for `/last`.
    struct Lengths;

    impl Service for Lengths {
        fn answer(&mut self, head: &RequestHead, body: &[u8]) -> Reply {
            let text = format!("{} {}", head.target, body.len());
            let then = match head.target.as_str() {
                "/last" => Then::Close,
                _ => Then::Keep,
            };
            Reply {
                pieces: vec![text.as_bytes()[..1].to_vec(), text.as_bytes()[1..].to_vec()],
                then,
            }
        }
    }

    /// Sends `request` in pieces of `size` and returns all that comes back until the end.
    fn ask(origin: &str, request: &[u8], size: usize) -> String {
        let address = origin.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        for piece in request.chunks(size) {
            // A server that has seen enough hangs up; what it said comes all the same.
            if stream.write_all(piece).is_err() {
                break;
            }
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    #[track_caller]
    fn check(request: &str, expected: &str) {
        let server = Server::bind().unwrap();
        let (stop, stopper) = UnixStream::pair().unwrap();
        thread::scope(|scope| {
            let serving = scope.spawn(|| server.run(&mut Lengths, stop.as_fd()));
            for size in [1, 7, request.len()] {
                let answer = ask(&server.origin(), request.as_bytes(), size);
                assert!(answer.contains(expected), "cut by {size}: {answer}");
            }
            drop(stopper);
            serving.join().unwrap().unwrap();
        });
    }

    #[test]
    fn requests_on_one_connection_are_answered_in_order_however_they_are_cut() {
        check(
            "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /last HTTP/1.1\r\n\r\n",
            "/a 3/last 0",
        );
    }

    #[test]
    fn what_is_not_a_request_is_refused_and_the_connection_ends() {
        check("rubbish\r\n\r\n", "400");
        check(
            "POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
            "too large",
        );
        check(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "400",
        );
    }

    #[test]
    fn an_idle_connection_does_not_keep_the_server_from_stopping() {
        let server = Server::bind().unwrap();
        let (stop, stopper) = UnixStream::pair().unwrap();
        let address = server.listener.local_addr().unwrap();
        let _idle = TcpStream::connect(address).unwrap();
        drop(stopper);
        assert!(server.run(&mut Lengths, stop.as_fd()).is_ok());
    }
}
