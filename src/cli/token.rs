//! `sx token serve`: hands out short-lived tokens, so that a fleet needs one login on one host.
//!
//! One thread and one poll. A connection is one request and its answer; all share the login, which
//! is renewed under its usual locks, and whoever asks meanwhile waits for that. Loopback or a file
//! only: what is in front of it (ssh, a TLS proxy) decides who may come. Each request is a line on
//! standard error, without anything of a token.

use crate::auth::Source;
use crate::auth::Token;
use crate::auth::Why;
use crate::auth::broker;
use crate::auth::broker::Verdict;
use crate::base::clock;
use crate::base::clock::Deadline;
use crate::base::date;
use crate::base::secret::Secret;
use crate::base::text;
use crate::cli::args::TokenServe;
use crate::cli::build;
use crate::cli::courier::Courier;
use crate::cli::credential;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::stop;
use crate::http::serve::parse_request;
use crate::http::serve::response;
use crate::net;
use crate::net::listen::Listener;
use crate::net::listen::Place;
use crate::net::stream::Socket;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use crate::sys::signals::STOPS;
use crate::term::writer;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::Duration;

/// More than a fleet asks at once. Where one more comes, whoever has said least for longest goes:
/// who borrows says it all at once.
const CONNECTIONS_MAX: usize = 64;

/// A head of a few fields. Nobody has a body to send.
const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// From the connection to the last byte of the request, and from there to that of the answer.
/// Renewals of the login do not count.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(10);

/// After a renewal that failed, or was made because somebody said that a token was refused, the
/// issuer is left in peace for so long. What it said then is the answer meanwhile.
const PEACE: Duration = Duration::from_secs(30);

/// Serves until a signal says stop.
pub fn serve(ground: &Ground, options: &TokenServe) -> Result<Exit, Fault> {
    ground.warn();
    let place = Place::parse(&options.listen)
        .map_err(|why| Fault::new(Exit::Usage, format!("--listen {}: {why}", options.listen)))?;
    let key = ground.settings.text("TOKEN_HTTP_API_KEY");
    let key = Some(key).filter(|key| !key.is_empty()).map(Secret::new);
    if key.is_none() && matches!(place, Place::Loopback(_)) {
        let what = "on an address anyone of this machine could ask: TOKEN_HTTP_API_KEY is not set";
        let hint = "set it to a long random text, or listen on unix:PATH, which only you can open";
        return Err(Fault::new(Exit::Settings, what).hint(hint));
    }
    let signals = stop::signals()?;
    let source = credential::login(ground, "to hand out")?;
    let mut broker = Broker {
        source,
        courier: Courier {
            client: net::Client::new(build::network(&ground.settings)?),
            signals,
            stopped_by: None,
        },
        key,
        held: None,
        failed: None,
        paused: Duration::ZERO,
        peace: Deadline::after(Duration::ZERO, "PEACE"),
    };
    // A login that is not there should be told now and not to whoever asks first.
    if let Err(error) = broker.source.peek() {
        return Err(Fault::new(Exit::Settings, &error).hint(error.hint()));
    }
    let listener = Listener::bind(&place);
    let listener = listener.map_err(|error| {
        Fault::new(Exit::Settings, format!("cannot listen on {place}: {error}"))
    })?;
    log(&format!(
        "hands out tokens on {}, path {}",
        listener.place(),
        broker::PATH
    ));
    broker.run(&listener)?;
    log("stopped");
    Ok(Exit::Done)
}

/// The login and who may borrow from it.
struct Broker {
    source: Box<dyn Source>,
    courier: Courier,
    key: Option<Secret>,
    /// What was lent last.
    held: Option<Token>,
    /// Why there was none, where it may go better later.
    failed: Option<String>,
    /// How long nobody was heard since a renewal took its time.
    paused: Duration,
    /// Until then the issuer is not asked without need.
    peace: Deadline,
}

/// Somebody who connected.
struct Client {
    stream: TcpStream,
    peer: String,
    deadline: Deadline,
    state: State,
}

enum State {
    /// What came of its request.
    Asking(Vec<u8>),
    /// What of the answer is still to be sent.
    Answered(Vec<u8>),
    Over,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    Signal,
    Listener,
    Client(usize),
}

impl Broker {
    fn run(&mut self, listener: &Listener) -> Result<(), Fault> {
        let mut clients: Vec<Client> = Vec::new();
        loop {
            let woken = self.wait(listener, &clients);
            let woken = woken.map_err(|error| Fault::new(Exit::Fault, error))?;
            if woken.contains(&Woken::Signal) {
                while let Some(signal) = self.courier.signals.next() {
                    if STOPS.contains(&signal) {
                        return Ok(());
                    }
                }
            }
            for (index, client) in clients.iter_mut().enumerate() {
                if woken.contains(&Woken::Client(index)) {
                    self.advance(client);
                }
            }
            if self.courier.stopped_by.is_some() {
                return Ok(());
            }
            let paused = std::mem::take(&mut self.paused);
            for client in &mut clients {
                client.deadline = client.deadline.later(paused);
            }
            clients.retain(|client| {
                !matches!(client.state, State::Over) && !client.deadline.is_over()
            });
            while let Some((stream, peer)) = listener.accept() {
                if clients.len() == CONNECTIONS_MAX {
                    let is_asking = |client: &Client| matches!(client.state, State::Asking(_));
                    let oldest = clients.iter().position(is_asking);
                    clients.remove(oldest.unwrap_or_default());
                }
                clients.push(Client {
                    stream,
                    peer,
                    deadline: Deadline::after(CONNECTION_TIME_MAX, "CONNECTION_TIME_MAX"),
                    state: State::Asking(Vec::new()),
                });
            }
        }
    }

    fn wait(&self, listener: &Listener, clients: &[Client]) -> io::Result<Vec<Woken>> {
        let mut set = PollSet::new();
        set.add(self.courier.signals.fd(), Interest::Read, Woken::Signal);
        set.add(listener.fd(), Interest::Read, Woken::Listener);
        let mut deadline = Deadline::never();
        for (index, client) in clients.iter().enumerate() {
            let interest = match client.state {
                State::Answered(_) => Interest::Write,
                State::Asking(_) | State::Over => Interest::Read,
            };
            set.add(client.stream.as_fd(), interest, Woken::Client(index));
            deadline = deadline.sooner(client.deadline);
        }
        set.wait(deadline.left())
    }

    /// Moves what can be moved for one client.
    fn advance(&mut self, client: &mut Client) {
        if let State::Asking(bytes) = &mut client.state {
            let mut piece = [0; 2048];
            match Socket(&client.stream).read(&mut piece) {
                Ok(0) => client.state = State::Over,
                Ok(count) => {
                    bytes.extend_from_slice(&piece[..count]);
                    let bytes = std::mem::take(bytes);
                    client.state = self.hear(&client.peer, bytes);
                    if matches!(client.state, State::Answered(_)) {
                        let limit = "CONNECTION_TIME_MAX";
                        client.deadline = Deadline::after(CONNECTION_TIME_MAX, limit);
                    }
                }
                Err(error) if is_nothing(&error) => {}
                Err(_) => client.state = State::Over,
            }
        }
        if let State::Answered(bytes) = &mut client.state {
            match Socket(&client.stream).write(bytes) {
                Ok(count) => _ = bytes.drain(..count),
                Err(error) if is_nothing(&error) => {}
                Err(_) => bytes.clear(),
            }
            if bytes.is_empty() {
                client.state = State::Over;
            }
        }
    }

    /// What becomes of a client that sent these bytes so far.
    fn hear(&mut self, peer: &str, bytes: Vec<u8>) -> State {
        let (line, status, body) = match parse_request(&bytes) {
            Ok(None) if bytes.len() <= REQUEST_BYTES_MAX => return State::Asking(bytes),
            Ok(None) => ("?".to_string(), 431, refusal("too long")),
            Err(_) => ("?".to_string(), 400, refusal("malformed")),
            Ok(Some((head, _))) => {
                let (status, body) = match broker::judge(&head, self.key.as_ref()) {
                    Verdict::Refuse(status, words) => (status, refusal(words)),
                    Verdict::Lend { refused } => self.lend(refused.as_deref()),
                };
                let path = head.target.split('?').next().unwrap_or_default();
                (format!("{} {path}", head.method), status, body)
            }
        };
        log(&format!("{peer} {} {status}", text::ellipsis(&line, 80)));
        let headers = [
            ("Content-Type", "application/json"),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ];
        State::Answered(response(status, &headers, body.as_bytes()))
    }

    /// A token, or why there is none.
    fn lend(&mut self, refused: Option<&str>) -> (u16, String) {
        let held = self.held.as_ref();
        let is_refused = held
            .zip(refused)
            .is_some_and(|(held, said)| broker::is_refused(held, said));
        let is_alive =
            held.is_some_and(|held| held.expires_at.is_none_or(|at| at > clock::unix_seconds()));
        if is_alive
            && !self.peace.is_over()
            && let Some(held) = &self.held
        {
            return (200, broker::lent(held));
        }
        if let Some(failed) = &self.failed
            && !self.peace.is_over()
        {
            return (503, failed.clone());
        }
        let why = if is_refused {
            Why::Unauthorized
        } else {
            Why::Proactive
        };
        let began = clock::now();
        let token = self.source.fresh(why, &mut self.courier);
        self.paused += began.elapsed();
        self.failed = None;
        let warning = self.source.take_warning();
        if is_refused || warning.is_some() || token.is_err() {
            self.peace = Deadline::after(PEACE, "PEACE");
        }
        if let Some(warning) = warning {
            log(&format!("warning: {warning}"));
        }
        match token {
            Ok(token) => {
                let body = broker::lent(&token);
                self.held = Some(token);
                (200, body)
            }
            Err(error) => {
                log(&format!("no token: {error}"));
                let sorry = broker::sorry(&error);
                self.failed = error.is_passing().then(|| sorry.clone());
                (503, sorry)
            }
        }
    }
}

fn refusal(words: &str) -> String {
    format!("{}\n", serde_json::json!({"error": words}))
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// One line with the time. Without a standard error it is nobody's.
fn log(line: &str) {
    let now = date::rfc3339(clock::unix_seconds());
    if let Ok(mut out) = writer::stderr() {
        let _ = out.write_all(format!("{now} {}\n", text::harmless(line)).as_bytes());
    }
}
