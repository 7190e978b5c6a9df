//! One request and the answer to it, as a state machine that owns no socket.
//!
//! A driver writes `unsent`, says how much went out, and feeds what comes in, in any order: an
//! answer may come before the request is out (a refusal of a large upload), and is read all the
//! same. Nothing here waits; deadlines, redirects and second tries are the driver's. `Expect` is
//! never sent, trailers are never sent, and a request's body always has a known length.

use std::fmt;

use super::Error;
use super::body::Body;
use super::has_control;
use super::head::Headers;
use super::head::ResponseHead;
use super::head::ResponseReader;
use super::head::is_token;
use super::url::Url;
use crate::base::secret::Secret;

/// A server may say "102, still at it" every second for minutes, but not for ever.
const INTERIM_HEADS_MAX: usize = 1_000;

/// Fields that say where a message ends or that change how it is sent. They are ours to write.
const RESERVED: &[&str] = &[
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "expect",
    "upgrade",
];

/// What to ask. May be sent any number of times.
#[derive(Clone)]
pub struct Request {
    /// `GET`, `POST` and so on.
    pub method: &'static str,
    /// Whom, and what.
    pub url: Url,
    /// Fields of the caller; `Host` may be among them, framing may not.
    pub headers: Headers,
    /// Empty for none.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without a body.
    pub fn get(url: Url) -> Request {
        Request {
            method: "GET",
            url,
            headers: Headers::new(),
            body: Vec::new(),
        }
    }

    /// A request with a body; its type is for the caller to name.
    pub fn post(url: Url, body: Vec<u8>) -> Request {
        Request {
            method: "POST",
            body,
            ..Request::get(url)
        }
    }

    /// The same request with one field more.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Request {
        self.headers.push(name, value);
        self
    }
}

// By hand, since the fields hold credentials: a debug print shows no value of theirs.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name).collect();
        write!(f, "{} {} {names:?}", self.method, self.url.origin())
    }
}

/// To whom a request is written.
#[derive(Clone, Copy)]
pub enum Form<'a> {
    /// To the server itself: its path alone (RFC 9112 §3.2.1).
    Origin,
    /// To a proxy that passes it on: the whole address (§3.2.2).
    Absolute {
        /// The value of `Proxy-Authorization`, if the proxy wants one.
        authorization: Option<&'a Secret>,
    },
}

/// A request on its way out and its answer on the way in.
pub struct Exchange {
    method: &'static str,
    /// The request; emptied when all of it went out.
    outgoing: Vec<u8>,
    /// So much of `outgoing` went out.
    sent: usize,
    state: State,
    has_begun: bool,
    interim_heads: usize,
    head: Option<ResponseHead>,
    trailers: Headers,
    /// Neither side asked for a close, and the peer did nothing that casts doubt on what follows.
    keeps_alive: bool,
}

// By hand, since `outgoing` holds credentials.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unsent, state) = (self.unsent().len(), &self.state);
        write!(f, "{} with {unsent} bytes unsent, {state:?}", self.method)
    }
}

#[derive(Debug)]
enum State {
    Head(ResponseReader),
    Body(Body),
    Done,
}

impl Exchange {
    /// Writes the request into a buffer of its own; the request can be sent again.
    ///
    /// Adds `Host`, `Accept-Encoding: identity` and the length. Fails on what would not be one
    /// request on the wire; the error names the field and never its value.
    pub fn new(request: &Request, form: Form<'_>) -> Result<Exchange, Error> {
        Ok(Exchange {
            method: request.method,
            outgoing: encode(request, form)?,
            sent: 0,
            state: State::Head(ResponseReader::default()),
            has_begun: false,
            interim_heads: 0,
            head: None,
            trailers: Headers::new(),
            keeps_alive: !has_option(&request.headers, "close"),
        })
    }

    /// The bytes that are still to be written.
    pub fn unsent(&self) -> &[u8] {
        &self.outgoing[self.sent..]
    }

    /// So many of the unsent bytes were written.
    pub fn mark_sent(&mut self, count: usize) {
        debug_assert!(count <= self.unsent().len(), "more was sent than there was");
        self.sent += count.min(self.unsent().len());
        if self.unsent().is_empty() {
            // An upload of many megabytes need not stay in memory while its answer streams.
            self.outgoing = Vec::new();
            self.sent = 0;
        }
    }

    /// Eats bytes of the answer, appends decoded bytes of its body to `body`, says how much it ate.
    ///
    /// Eats everything unless the answer ends inside `input`. Once this fails the connection must
    /// be closed; what was appended before is good.
    pub fn feed(&mut self, input: &[u8], body: &mut Vec<u8>) -> Result<usize, Error> {
        self.has_begun |= !input.is_empty();
        let mut rest = input;
        let result = self.advance(&mut rest, body);
        // Bytes after the answer answer nothing that was asked (RFC 9112 §9.2).
        self.keeps_alive &= result.is_ok() && rest.is_empty();
        result.map(|()| input.len() - rest.len())
    }

    /// The peer closed the connection: fine if the answer is whole, or if only this could end it.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.keeps_alive = false;
        match &self.state {
            State::Head(_) => {
                let missing = if self.has_begun {
                    "the rest of the head"
                } else {
                    "the whole answer"
                };
                return Err(Error::Truncated {
                    missing: missing.to_string(),
                });
            }
            State::Body(body) => body.finish()?,
            State::Done => {}
        }
        self.state = State::Done;
        Ok(())
    }

    /// The head of the answer itself; interim ones (1xx) are skipped.
    pub fn head(&self) -> Option<&ResponseHead> {
        self.head.as_ref()
    }

    /// Did any byte of an answer come? If not, the request may be sent again elsewhere.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Is the answer whole?
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// May the connection carry another exchange after this one (RFC 9112 §9.3)?
    pub fn can_reuse(&self) -> bool {
        self.is_done() && self.keeps_alive && self.unsent().is_empty()
    }

    /// The fields after a chunked body; none before it is done.
    pub fn trailers(&self) -> &Headers {
        &self.trailers
    }

    fn advance(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        loop {
            match &mut self.state {
                State::Head(reader) => match reader.feed(input)? {
                    Some(head) => self.take_head(head)?,
                    None => return Ok(()),
                },
                State::Body(body) => {
                    body.feed(input, out)?;
                    if !body.is_done() {
                        return Ok(());
                    }
                    self.trailers = body.take_trailers();
                    self.state = State::Done;
                }
                State::Done => return Ok(()),
            }
        }
    }

    fn take_head(&mut self, head: ResponseHead) -> Result<(), Error> {
        match head.status {
            // What follows would be another protocol, which only an `Upgrade` field may ask for
            // (RFC 9110 §7.8). A caller may want to see what it is.
            101 => {
                self.head = Some(head);
                Err(Error::Unasked {
                    what: "status",
                    value: "101 switching protocols".to_string(),
                })
            }
            // Any number of these may come, asked for or not (RFC 9110 §15.2).
            100..=199 => {
                self.interim_heads += 1;
                if self.interim_heads > INTERIM_HEADS_MAX {
                    return Err(Error::TooMany {
                        what: "interim answers",
                        limit: INTERIM_HEADS_MAX,
                    });
                }
                self.state = State::Head(ResponseReader::default());
                Ok(())
            }
            _ => {
                let body = Body::of(self.method, &head);
                self.keeps_alive &= allows_another(&head);
                // A caller may want the status even where the body cannot be read.
                self.head = Some(head);
                self.state = State::Body(body?);
                Ok(())
            }
        }
    }
}

/// The rules of RFC 9112 §9.3. A transfer coding in an answer of HTTP/1.0 was passed on by one who
/// did not understand it: §6.1 wants the connection closed after it. So it is after two of them,
/// since one of those who wrote them may have meant another end.
fn allows_another(head: &ResponseHead) -> bool {
    let codings = head.headers.elements("transfer-encoding").count();
    if has_option(&head.headers, "close") || codings > 1 {
        return false;
    }
    head.minor >= 1 || (has_option(&head.headers, "keep-alive") && codings == 0)
}

fn has_option(headers: &Headers, option: &str) -> bool {
    let mut options = headers.elements("connection");
    options.any(|found| found.eq_ignore_ascii_case(option))
}

fn encode(request: &Request, form: Form<'_>) -> Result<Vec<u8>, Error> {
    let Request {
        method,
        url,
        headers,
        body,
    } = request;
    check_request(request)?;
    let mut text = match form {
        Form::Origin => format!("{method} {} HTTP/1.1\r\n", url.target),
        Form::Absolute { .. } => format!("{method} {url} HTTP/1.1\r\n"),
    };
    // First, as RFC 9110 §7.2 wants it.
    if headers.first("host").is_none() {
        push_field(&mut text, "Host", &url.authority());
    }
    for (name, value) in headers.iter() {
        push_field(&mut text, name, value);
    }
    if let Form::Absolute {
        authorization: Some(authorization),
    } = form
        && headers.first("proxy-authorization").is_none()
    {
        push_field(&mut text, "Proxy-Authorization", authorization.expose());
    }
    if headers.first("accept-encoding").is_none() {
        push_field(&mut text, "Accept-Encoding", "identity");
    }
    // Where a body could be expected its absence is said, too (RFC 9110 §8.6).
    if !body.is_empty() || matches!(*method, "POST" | "PUT" | "PATCH") {
        push_field(&mut text, "Content-Length", &body.len().to_string());
    }
    text.push_str("\r\n");
    Ok([text.as_bytes(), body].concat())
}

fn push_field(text: &mut String, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        text.push_str(part);
    }
}

/// Nothing in a request may end its line early or say where it ends in a second way.
fn check_request(request: &Request) -> Result<(), Error> {
    let wrong = |part: String, reason| Err(Error::Request { part, reason });
    if !is_token(request.method.as_bytes()) || request.method == "CONNECT" {
        return wrong("the method".to_string(), "it is none that can be sent");
    }
    let target = &request.url.target;
    if !target.starts_with('/') || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong("the target".to_string(), "it is no path of printable ASCII");
    }
    if !request.url.host.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong("the host".to_string(), "it is not printable ASCII");
    }
    if request.headers.all("host").count() > 1 {
        return wrong("header host".to_string(), "there are two of it");
    }
    for (name, value) in request.headers.iter() {
        let part = || format!("header {}", name.escape_debug());
        if !is_token(name.as_bytes()) {
            return wrong(part(), "its name is none");
        }
        if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
            return wrong(part(), "it is not the caller's to set");
        }
        if has_control(value.as_bytes()) {
            return wrong(part(), "its value has a line end or a control character");
        }
    }
    Ok(())
}

/// What must hold for any answer: however it is cut it comes to the same, there is no more of it
/// than came, and a connection with something left on it is not used again.
pub fn fuzz_exchange(input: &[u8]) {
    for method in ["GET", "HEAD"] {
        let exchange = || {
            let url = Url::parse("http://h/").expect("a constant");
            let request = Request {
                method,
                ..Request::get(url)
            };
            let mut exchange = Exchange::new(&request, Form::Origin).expect("it is constant");
            exchange.mark_sent(exchange.unsent().len());
            exchange
        };
        let whole = read(exchange(), [input].into_iter());
        match (&whole, read(exchange(), input.chunks(1))) {
            // How much of a bad line was seen depends on the cut.
            (Err(_), Err(_)) => {}
            (whole, cut) => assert_eq!(*whole, cut),
        }
        let Ok(answer) = whole else { continue };
        assert!(answer.body.len() + answer.left_over <= input.len());
        assert!(answer.body.is_empty() || method != "HEAD");
        assert!(answer.left_over == 0 || !answer.can_reuse);
    }
}

/// What an answer came to.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    status: u16,
    body: Vec<u8>,
    trailers: Headers,
    left_over: usize,
    can_reuse: bool,
}

/// Reads an answer from its pieces; where it is not whole after them, the peer closes.
fn read<'a>(
    mut exchange: Exchange,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Result<Answer, Error> {
    let mut body = Vec::new();
    let mut left_over = 0;
    for piece in pieces {
        left_over += piece.len() - exchange.feed(piece, &mut body)?;
    }
    if !exchange.is_done() {
        exchange.finish()?;
    }
    Ok(Answer {
        status: exchange.head().map_or(0, |head| head.status),
        body,
        trailers: exchange.trailers().clone(),
        left_over,
        can_reuse: exchange.can_reuse(),
    })
}

#[cfg(test)]
mod tests;
