//! `sx replay DIR`: serves a recording on loopback, exchange by exchange, in its order.
//!
//! Each request must have the method and the path of the recorded one; a body that differs is
//! said and answered all the same, since a prompt holds dates and folders. The answer is the
//! recorded bytes, framing and all. Runs until a signal ends it.

use crate::cli::demo::place::Place;
use crate::cli::demo::server::Reply;
use crate::cli::demo::server::Server;
use crate::cli::demo::server::Service;
use crate::cli::demo::server::Then;
use crate::cli::record;
use crate::http;
use crate::http::exchange;
use crate::http::exchange::Exchange;
use crate::http::serve::RequestHead;
use crate::http::serve::parse_request;
use crate::http::url::Url;
use crate::sys::signals::Signal;
use crate::sys::signals::Signals;
use std::fmt;
use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// A recording of a day's work; all of it is held in memory.
const RECORDING_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Why a recording cannot be served.
#[derive(Debug)]
pub enum Error {
    /// There is no first exchange in the folder.
    Empty(PathBuf),
    /// A file cannot be read.
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A recorded request is none.
    Request {
        /// The file.
        path: PathBuf,
        /// What is wrong; nothing if it is only cut off.
        source: Option<http::Error>,
    },
    /// It is larger than we hold in memory.
    TooLarge(PathBuf),
    /// The port, the folder or the signals cannot be had.
    System(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Empty(dir) => write!(f, "no recording in {}", dir.display()),
            Error::Read { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Error::Request { path, source: None } => {
                write!(f, "{} is cut off", path.display())
            }
            Error::Request {
                path,
                source: Some(why),
            } => write!(f, "{} is not a request: {why}", path.display()),
            Error::TooLarge(dir) => {
                let limit = RECORDING_BYTES_MAX;
                write!(
                    f,
                    "the recording in {} is over {limit} bytes",
                    dir.display()
                )
            }
            Error::System(why) => write!(f, "cannot serve the recording: {why}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Read { source, .. } | Error::System(source) => Some(source),
            Error::Request {
                source: Some(why), ..
            } => Some(why),
            _ => None,
        }
    }
}

/// Serves the recording in `dir` until a signal comes, and returns that signal. Prints one line
/// with the settings that point an agent at it; `temp` is where temporary files lie.
pub fn run(
    dir: &Path,
    temp: &Path,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Signal, Error> {
    let exchanges = load(dir)?;
    let signals = Signals::take(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    let signals = signals.map_err(Error::System)?;
    let place = Place::new(temp, false).map_err(Error::System)?;
    let server = Server::bind().map_err(Error::System)?;
    let settings = settings(&server.origin(), &exchanges, &place.credential());
    writeln!(out, "{settings}")
        .and_then(|()| out.flush())
        .map_err(Error::System)?;
    let mut replay = Replay {
        exchanges,
        served: 0,
        err,
    };
    server
        .run(&mut replay, signals.fd())
        .map_err(Error::System)?;
    // The server stops only when there is one; a signal that cannot be read was still a request
    // to stop.
    Ok(signals.next().unwrap_or(Signal::SIGTERM))
}

/// The one line: the settings as a shell takes them in front of a command.
fn settings(origin: &str, exchanges: &[Recorded], credential: &Path) -> String {
    let asked = exchanges.iter().find_map(|recorded| {
        let target = recorded.head.target.as_str();
        target.strip_suffix("/responses")
    });
    format!(
        "CODEX_BASE_URL={origin}{} CODEX_ISSUER={origin} CODEX_CREDENTIALS_FILE={}",
        asked.unwrap_or_default(),
        credential.display()
    )
}

/// A recorded exchange.
struct Recorded {
    head: RequestHead,
    body: Vec<u8>,
    response: Vec<u8>,
    /// Whether the connection outlived it.
    then: Then,
}

fn load(dir: &Path) -> Result<Vec<Recorded>, Error> {
    let mut exchanges = Vec::new();
    let mut bytes: u64 = 0;
    for number in 1.. {
        let [request_path, response_path] = record::paths(dir, number);
        if !request_path.exists() {
            break;
        }
        for path in [&request_path, &response_path] {
            bytes += fs::metadata(path).map_or(0, |facts| facts.len());
        }
        if bytes > RECORDING_BYTES_MAX {
            return Err(Error::TooLarge(dir.to_owned()));
        }
        exchanges.push(load_exchange(&request_path, &response_path)?);
    }
    if exchanges.is_empty() {
        return Err(Error::Empty(dir.to_owned()));
    }
    Ok(exchanges)
}

fn load_exchange(request_path: &Path, response_path: &Path) -> Result<Recorded, Error> {
    let read = |path: &Path| {
        fs::read(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })
    };
    let refuse = |source| Error::Request {
        path: request_path.to_owned(),
        source,
    };
    let request = read(request_path)?;
    let response = read(response_path)?;
    let parsed = parse_request(&request).map_err(|why| refuse(Some(why)))?;
    let (head, head_bytes) = parsed.ok_or_else(|| refuse(None))?;
    let then = if outlives(&response) {
        Then::Keep
    } else {
        Then::Close
    };
    Ok(Recorded {
        head,
        body: request[head_bytes..].to_vec(),
        response,
        then,
    })
}

/// Whether the peer of these bytes knows where they end and that more may follow: what our own
/// client makes of them.
fn outlives(response: &[u8]) -> bool {
    let Ok(url) = Url::parse("http://127.0.0.1/") else {
        return false;
    };
    let Ok(mut exchange) = Exchange::new(&exchange::Request::get(url), exchange::Form::Origin)
    else {
        return false;
    };
    let sent = exchange.unsent().len();
    exchange.mark_sent(sent);
    let eaten = exchange.feed(response, &mut Vec::new());
    matches!(eaten, Ok(count) if count == response.len()) && exchange.can_reuse()
}

/// A recording as a service.
struct Replay<'a> {
    exchanges: Vec<Recorded>,
    served: usize,
    err: &'a mut dyn Write,
}

impl Service for Replay<'_> {
    fn answer(&mut self, head: &RequestHead, body: &[u8]) -> Reply {
        let line = format!("{} {}", head.method, head.target);
        let Some(recorded) = self.exchanges.get(self.served) else {
            let count = self.exchanges.len();
            return self.refuse(&format!(
                "{line}: the recording ended after {count} exchanges"
            ));
        };
        let expected = format!("{} {}", recorded.head.method, recorded.head.target);
        let number = self.served + 1;
        if line != expected {
            return self.refuse(&format!("{line}: exchange {number} is {expected}"));
        }
        let reply = Reply {
            pieces: vec![recorded.response.clone()],
            then: recorded.then,
        };
        let is_same = recorded.body == body;
        self.served += 1;
        let note = if is_same { "" } else { " (the body differs)" };
        self.say(&format!("{number:04} {line}{note}"));
        reply
    }
}

impl Replay<'_> {
    fn refuse(&mut self, text: &str) -> Reply {
        self.say(text);
        Reply::refusal(404, &format!("replay: {text}"))
    }

    fn say(&mut self, text: &str) {
        // Serving goes on where nobody listens.
        let _ = writeln!(self.err, "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";

    fn recorded(target: &str, response: &str) -> Recorded {
        let request = format!("POST {target} HTTP/1.1\r\n\r\n");
        let (head, _) = parse_request(request.as_bytes()).unwrap().unwrap();
        Recorded {
            head,
            body: b"body".to_vec(),
            response: response.into(),
            then: Then::Keep,
        }
    }

    #[test]
    fn a_connection_outlives_only_what_ends_by_itself() {
        assert!(outlives(STREAM.as_bytes()));
        assert!(!outlives(&STREAM.as_bytes()[..STREAM.len() - 1]));
        assert!(!outlives(b"HTTP/1.1 200 OK\r\n\r\nuntil the end"));
        assert!(!outlives(
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ));
        assert!(!outlives(b"rubbish"));
        assert!(!outlives(b""));
    }

    #[test]
    fn exchanges_are_served_in_order_and_what_does_not_fit_is_said() {
        let mut said = Vec::new();
        let mut replay = Replay {
            exchanges: vec![recorded("/a/responses", STREAM), recorded("/b", "")],
            served: 0,
            err: &mut said,
        };
        let mut ask = |target: &str, body: &[u8]| {
            let head = recorded(target, "").head;
            String::from_utf8(replay.answer(&head, body).pieces.concat()).unwrap()
        };
        assert!(ask("/other", b"").contains("exchange 1 is POST /a/responses"));
        assert_eq!(ask("/a/responses", b"body"), STREAM);
        assert_eq!(ask("/b", b"changed"), "");
        assert!(ask("/b", b"").contains("ended after 2 exchanges"));
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("0001 POST /a/responses\n"), "{said}");
        assert!(said.contains("0002 POST /b (the body differs)\n"), "{said}");
    }

    #[test]
    fn the_settings_are_made_from_what_was_asked() {
        let exchanges = [recorded("/oauth/token", ""), recorded("/a/responses", "")];
        let line = settings("http://127.0.0.1:1", &exchanges, Path::new("/t/auth.json"));
        assert_eq!(
            line,
            "CODEX_BASE_URL=http://127.0.0.1:1/a CODEX_ISSUER=http://127.0.0.1:1 \
             CODEX_CREDENTIALS_FILE=/t/auth.json"
        );
    }
}
