//! A scripted service on loopback: each request takes the next reply that was written for its path.
//!
//! A reply is a list of steps: send these bytes, in these cuts, hold until told, then close or
//! reset. Nothing sleeps: a stall is a hold that the test or the peer ends. Every request is kept
//! whole, for the test to look at.

use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::Linger;
use serde_json::Value;
use std::collections::VecDeque;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::thread;

use crate::heard::WAIT_MAX;

/// What the server does after a request.
pub enum Step {
    /// Sends bytes in one piece.
    Send(Vec<u8>),
    /// Sends bytes again and again until the peer closes.
    Flood(Vec<u8>),
    /// Does nothing until the gate is opened or the peer closes.
    Hold(Gate),
    /// Ends the connection in good order.
    Close,
    /// Ends the connection with a reset.
    Reset,
}

/// Everything the server does after one request.
pub struct Reply {
    steps: Vec<Step>,
}

impl Reply {
    /// Any steps.
    pub fn steps(steps: Vec<Step>) -> Reply {
        Reply { steps }
    }

    /// Bytes as they are, then the end of the connection.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Reply {
        Reply::steps(vec![Step::Send(bytes.into()), Step::Close])
    }

    /// A whole answer with a length; the connection stays open.
    pub fn json(status: u16, body: &Value) -> Reply {
        Reply::json_with(status, "", body)
    }

    /// The same with header lines, each ended by CR LF.
    pub fn json_with(status: u16, headers: &str, body: &Value) -> Reply {
        let body = body.to_string();
        let text = format!(
            "HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\n{headers}\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        Reply::steps(vec![Step::Send(text.into())])
    }

    /// An event stream in chunks, one an event; the connection stays open.
    pub fn events(events: &[String]) -> Reply {
        Reply::events_with("", events)
    }

    /// The same with header lines, each ended by CR LF.
    pub fn events_with(headers: &str, events: &[String]) -> Reply {
        let mut bytes = stream_head(headers);
        for event in events {
            bytes.extend(chunk(event));
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        Reply::steps(vec![Step::Send(bytes)])
    }

    /// The events, then nothing until the gate opens; then the connection ends.
    pub fn events_then_hold(events: &[String], gate: Gate) -> Reply {
        let mut bytes = stream_head("");
        for event in events {
            bytes.extend(chunk(event));
        }
        Reply::steps(vec![Step::Send(bytes), Step::Hold(gate), Step::Close])
    }

    /// Its steps, to be put into another reply.
    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    /// The same with one more step.
    pub fn then(mut self, step: Step) -> Reply {
        self.steps.push(step);
        self
    }

    /// The same bytes in pieces of `size`.
    pub fn cut(self, size: usize) -> Reply {
        let cut = |step| match step {
            Step::Send(bytes) => bytes
                .chunks(size)
                .map(|piece| Step::Send(piece.to_vec()))
                .collect(),
            step => vec![step],
        };
        Reply::steps(self.steps.into_iter().flat_map(cut).collect())
    }
}

fn stream_head(headers: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{headers}\
         transfer-encoding: chunked\r\n\r\n"
    )
    .into()
}

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into()
}

/// The server's side of a hold.
pub struct Gate(UnixStream);

impl Gate {
    /// Waits until it opens, whatever the peer does.
    pub fn wait(&self) {
        let mut end = [0];
        // Nothing is ever sent through it: this reads until the other side is dropped.
        let _ = (&self.0).read(&mut end);
    }
}

/// The test's side of a hold; dropping it opens the gate.
pub struct Opener {
    _end: UnixStream,
}

/// A gate and who opens it.
pub fn gate() -> (Gate, Opener) {
    let (gate, opener) = UnixStream::pair().expect("a socket pair");
    (Gate(gate), Opener { _end: opener })
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST` and the like.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Header fields in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Which connection it came on, from 0.
    pub connection: usize,
}

impl Request {
    /// The value of a header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(have, _)| have == name);
        found.map_or("", |(_, value)| value)
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    /// The items of a model request's input.
    #[track_caller]
    pub fn input(&self) -> Vec<Value> {
        self.json()["input"].as_array().expect("input").clone()
    }

    /// The text that a call was answered with.
    #[track_caller]
    pub fn result(&self, call_id: &str) -> String {
        let is_result = |item: &&Value| {
            item["call_id"] == call_id
                && item["type"]
                    .as_str()
                    .is_some_and(|kind| kind.ends_with("_output"))
        };
        let input = self.input();
        let item = input.iter().find(is_result);
        let output = &item.unwrap_or_else(|| panic!("no answer to {call_id}"))["output"];
        match output {
            Value::String(text) => text.clone(),
            parts => parts
                .as_array()
                .expect("text or parts")
                .iter()
                .filter_map(|part| part["text"].as_str())
                .collect(),
        }
    }
}

/// Makes a reply of a request.
type Handler = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// What the threads share.
#[derive(Default)]
struct State {
    /// Replies by the end of the path that they are for.
    replies: Vec<(&'static str, VecDeque<Reply>)>,
    /// Who makes replies, by the end of the path that they are for.
    handlers: Vec<(&'static str, Handler)>,
    requests: Vec<Request>,
    connections: usize,
    /// Requests that nothing was written for.
    unexpected: Vec<String>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with the lock")
    }
}

/// The server. It lives until the test process ends.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    /// A server that answers requests to `…/responses` in this order.
    pub fn start(replies: impl IntoIterator<Item = Reply>) -> Server {
        Server::start_at("127.0.0.1:0", replies)
    }

    /// The same at an address of the test's own.
    pub fn start_at(address: &str, replies: impl IntoIterator<Item = Reply>) -> Server {
        let listener = TcpListener::bind(address).expect("a loopback port");
        let server = Server {
            address: listener.local_addr().expect("a bound socket"),
            shared: Arc::default(),
        };
        server.on("/responses", replies);
        let shared = Arc::clone(&server.shared);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let shared = Arc::clone(&shared);
                shared.lock().connections += 1;
                shared.changed.notify_all();
                thread::spawn(move || serve(stream, number, &shared));
            }
        });
        server
    }

    /// More replies, for requests whose path ends in `path`.
    pub fn on(&self, path: &'static str, replies: impl IntoIterator<Item = Reply>) {
        let replies = replies.into_iter().collect();
        self.shared.lock().replies.push((path, replies));
    }

    /// Has every request whose path ends in `path` answered by `handler`.
    pub fn answer(
        &self,
        path: &'static str,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) {
        self.shared.lock().handlers.push((path, Arc::new(handler)));
    }

    /// `http://127.0.0.1:PORT`
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What `CODEX_BASE_URL` is set to.
    pub fn base_url(&self) -> String {
        format!("{}/backend-api/codex", self.origin())
    }

    /// All requests so far whose path ends in `path`.
    pub fn requests_to(&self, path: &str) -> Vec<Request> {
        let state = self.shared.lock();
        let requests = state.requests.iter();
        let fitting = requests.filter(|request| request.target.ends_with(path));
        fitting.cloned().collect()
    }

    /// All model requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests_to("/responses")
    }

    /// Waits until there were `count` model requests.
    #[track_caller]
    pub fn wait_for_requests(&self, count: usize) {
        self.wait_for("/responses", count);
    }

    /// Waits until there were `count` requests whose path ends in `path`.
    #[track_caller]
    pub fn wait_for(&self, path: &str, count: usize) {
        self.wait_while(|state| {
            let is_one = |request: &&Request| request.target.ends_with(path);
            state.requests.iter().filter(is_one).count() < count
        });
    }

    /// Waits until there were `count` connections.
    #[track_caller]
    pub fn wait_for_connections(&self, count: usize) {
        self.wait_while(|state| state.connections < count);
    }

    #[track_caller]
    fn wait_while(&self, are_missing: impl Fn(&State) -> bool) {
        let are_missing = |state: &mut State| are_missing(state);
        let state = self.shared.lock();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, WAIT_MAX, are_missing);
        let waited = waited.expect("no thread panics with the lock");
        assert!(!waited.1.timed_out(), "too few came");
    }

    /// Every reply was asked for, and nothing else was.
    #[track_caller]
    pub fn check_done(&self) {
        let state = self.shared.lock();
        assert!(
            state.unexpected.is_empty(),
            "unexpected: {:?}",
            state.unexpected
        );
        for (path, replies) in &state.replies {
            assert!(
                replies.is_empty(),
                "{} replies to {path} were not asked for",
                replies.len()
            );
        }
    }
}

/// Serves one connection until either side ends it.
fn serve(mut stream: TcpStream, connection: usize, shared: &Shared) {
    // Pieces are to arrive as they were cut.
    stream.set_nodelay(true).expect("a connected socket");
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer, connection) {
        let reply = take_reply(shared, request);
        for step in reply.steps {
            let is_open = match step {
                Step::Send(bytes) => stream.write_all(&bytes).is_ok(),
                Step::Flood(bytes) => {
                    while stream.write_all(&bytes).is_ok() {}
                    false
                }
                Step::Hold(gate) => hold(&stream, &gate),
                Step::Close => false,
                Step::Reset => {
                    let now = nix::libc::linger {
                        l_onoff: 1,
                        l_linger: 0,
                    };
                    setsockopt(&stream, Linger, &now).expect("a connected socket");
                    false
                }
            };
            if !is_open {
                return;
            }
        }
    }
}

/// Waits until the gate opens; says whether the peer is still there.
fn hold(stream: &TcpStream, gate: &Gate) -> bool {
    let mut fds = [
        PollFd::new(stream.as_fd(), PollFlags::POLLIN),
        PollFd::new(gate.0.as_fd(), PollFlags::POLLIN),
    ];
    nix::poll::poll(&mut fds, PollTimeout::NONE).expect("two good descriptors");
    fds[1].any().unwrap_or(true)
}

/// Keeps a request and takes what was written for it.
fn take_reply(shared: &Shared, request: Request) -> Reply {
    let mut state = shared.lock();
    let fits = |path: &str| request.target.ends_with(path);
    let handler = state.handlers.iter().find(|(path, _)| fits(path));
    if let Some((_, handler)) = handler {
        let reply = handler(&request);
        state.requests.push(request);
        shared.changed.notify_all();
        return reply;
    }
    let queue = state
        .replies
        .iter_mut()
        .find(|(path, queue)| fits(path) && !queue.is_empty());
    let reply = queue.and_then(|(_, queue)| queue.pop_front());
    let line = format!("{} {}", request.method, request.target);
    // Whether there is a workspace check is no concern of most tests.
    if reply.is_none() && !fits("/accounts/check") {
        state.unexpected.push(line);
    }
    state.requests.push(request);
    shared.changed.notify_all();
    reply.unwrap_or_else(|| Reply::json(404, &serde_json::json!({"detail": "not scripted"})))
}

/// Reads one request whole; `buffer` keeps what came after it.
fn read_request(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    connection: usize,
) -> Option<Request> {
    let head_end = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end + 4;
        }
        read_more(stream, buffer)?;
    };
    let head = String::from_utf8(buffer[..head_end].to_vec()).expect("a head in UTF-8");
    let mut lines = head.lines();
    let mut words = lines.next().expect("a request line").split(' ');
    let method = words.next().expect("a method").to_owned();
    let target = words.next().expect("a target").to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
    while buffer.len() < head_end + length {
        read_more(stream, buffer)?;
    }
    let body = buffer[head_end..head_end + length].to_vec();
    buffer.drain(..head_end + length);
    Some(Request {
        method,
        target,
        headers,
        body,
        connection,
    })
}

/// Appends what arrived; `None` at the end of the connection.
fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 65_536];
    let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
    buffer.extend_from_slice(&piece[..count]);
    Some(())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let mut windows = haystack.windows(needle.len());
    windows.position(|window| window == needle)
}
