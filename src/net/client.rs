//! Starts transfers, and keeps the connections that the next requests may use.
//!
//! The agent talks to one service and, now and then, to the one that renews its login, so few idle
//! connections are all there is to keep. One is opened before there is a request where the caller
//! says that there will be ([`Client::warm`]); whoever waits for something else meanwhile waits for
//! it too, and steps it.

use crate::base::clock::Deadline;
use crate::http::exchange::Request;
use crate::http::url::Url;
use crate::net::Error;
use crate::net::Limits;
use crate::net::connect;
use crate::net::dns::Names;
use crate::net::dns::Overrides;
use crate::net::dns::order::Files;
use crate::net::opening::Opening;
use crate::net::proxy;
use crate::net::roots::Trust;
use crate::net::route::Reach;
use crate::net::route::Route;
use crate::net::route::Scope;
use crate::net::stream::Connection;
use crate::net::tls;
use crate::net::trace::Trace;
use crate::net::transfer;
use crate::net::transfer::Progress;
use crate::net::transfer::Start;
use crate::net::transfer::Transfer;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use std::mem;
use std::path::Path;
use std::rc::Rc;

/// Idle connections to different servers: the service, and who renews its login.
const IDLE_MAX: usize = 2;

/// How often a connection that its server gave up is opened again without a request. A server that
/// closes after a minute is so met warm for a few minutes, and then left alone.
const WARMED_AGAIN_MAX: u32 = 3;

/// More than this behind an answer that is known to be whole is not waited for.
const ENDING_BYTES_MAX: usize = 64 * 1024;

/// What the network needs to know.
pub struct Options {
    /// How long it may keep us waiting.
    pub limits: Limits,
    /// Whom to trust beside the built-in roots, and who we are.
    pub trust: Trust,
    /// The setting `RESOLVE`.
    pub overrides: Overrides,
    /// Who passes requests on.
    pub proxies: proxy::Variables,
    /// How far connections may go.
    pub scope: Scope,
}

/// What all requests of a run share.
pub struct Client {
    trust: Trust,
    reach: Rc<Reach>,
    warnings: Vec<String>,
    is_recording: bool,
    tls: Option<tls::Settings>,
    /// Each to another server; the last was used last.
    idle: Vec<Idle>,
}

/// A connection that no request is using.
struct Idle {
    server: Url,
    state: State,
    /// How often it may be opened again if its server gives it up.
    warm_again: u32,
}

/// What there is of it.
enum State {
    /// Being opened.
    Opening(Box<Opening>),
    /// Ready.
    Open(Connection),
    /// Its answer is known to be whole by its reader, who did not wait for the end of the body;
    /// and how many bytes of that have come since.
    Ending(Box<Transfer>, usize),
}

impl Client {
    /// A client without connections; nothing is read or opened before the first request.
    pub fn new(options: Options) -> Client {
        let Options {
            limits,
            trust,
            overrides,
            proxies,
            scope,
        } = options;
        let names = Names {
            overrides,
            files: Files::default(),
        };
        Client {
            trust,
            reach: Rc::new(Reach {
                limits,
                names,
                proxies,
                scope,
            }),
            warnings: Vec::new(),
            is_recording: false,
            tls: None,
            idle: Vec::new(),
        }
    }

    /// Keeps the bytes of every exchange from now on, for `finish` to return.
    pub fn record(&mut self) {
        self.is_recording = true;
    }

    /// Starts a request, on the idle connection that goes there if it is alive.
    pub fn start(&mut self, request: Request) -> Result<Transfer, Error> {
        let kept = self.take_idle(&request.url);
        let settings = self.settings(&request.url)?;
        let start = match kept {
            Some(start) => start,
            None => Start::Opening(Box::new(open(&settings)?)),
        };
        Transfer::start(request, start, settings, self.is_recording)
    }

    /// Starts a request to the server that listens on a Unix socket, whatever its address says.
    pub fn start_on_socket(&mut self, request: Request, path: &Path) -> Result<Transfer, Error> {
        let connection = connect::local(path).map_err(|source| Error::Socket {
            path: path.to_path_buf(),
            source,
        })?;
        let settings = transfer::Settings {
            reach: self.reach.clone(),
            route: Route {
                server: request.url.clone(),
                proxy: None,
            },
            tls: None,
        };
        let start = Start::Fresh(Connection::plain(connection));
        Transfer::start(request, start, settings, self.is_recording)
    }

    /// Reads the files that say whom we trust and who we are, as the first connection with TLS
    /// would.
    pub fn read_trust(&mut self) -> Result<(), tls::Failure> {
        self.trusted().map(|_| ())
    }

    /// Begins to open a connection, for who wants nothing but that.
    pub fn open(&mut self, url: &Url) -> Result<Opening, Error> {
        open(&self.settings(url)?)
    }

    /// Takes a transfer whose answer was read; its connection is kept for the next request. The
    /// reader of a stream need not wait for the body's end: if it is there when the next request
    /// starts, the connection serves again.
    pub fn finish(&mut self, transfer: Transfer) {
        let server = transfer.url().clone();
        self.learn(transfer.tls());
        let state = if transfer.is_done() {
            transfer.into_connection().map(State::Open)
        } else {
            Some(State::Ending(Box::new(transfer), 0))
        };
        if let Some(state) = state {
            self.keep(Idle {
                server,
                state,
                warm_again: 0,
            });
        }
    }

    /// A request to `url` will come: opens a connection, unless there is one. What goes wrong is
    /// left for the request to find.
    pub fn warm(&mut self, url: &Url) {
        let origin = url.origin();
        let idle = self.idle.iter_mut();
        if let Some(idle) = idle.into_iter().find(|idle| idle.server.origin() == origin) {
            idle.warm_again = WARMED_AGAIN_MAX;
            return;
        }
        self.open_idle(url, WARMED_AGAIN_MAX);
    }

    /// Waits for what the idle connections wait for.
    pub fn wait_for<'a, T: Copy>(&'a self, set: &mut PollSet<'a, T>, token: T) {
        for idle in &self.idle {
            match &idle.state {
                State::Opening(opening) => opening.wait_for(set, token),
                State::Open(connection) => set.add(connection.fd(), Interest::Read, token),
                State::Ending(transfer, _) => transfer.wait_for(set, token),
            }
        }
    }

    /// When to step at the latest, though nothing was ready.
    pub fn deadline(&self) -> Deadline {
        let deadlines = self.idle.iter().map(|idle| match &idle.state {
            State::Opening(opening) => opening.deadline(),
            State::Open(_) => Deadline::never(),
            State::Ending(transfer, _) => transfer.deadline(),
        });
        deadlines.fold(Deadline::never(), Deadline::sooner)
    }

    /// Moves what can be moved now, and forgets connections that died.
    pub fn step(&mut self) {
        for idle in mem::take(&mut self.idle) {
            let Idle {
                server,
                state,
                warm_again,
            } = idle;
            match self.moved(state) {
                Some(state) => self.idle.push(Idle {
                    server,
                    state,
                    warm_again,
                }),
                None if warm_again > 0 => self.open_idle(&server, warm_again - 1),
                None => {}
            }
        }
    }

    /// What was wrong with certificate files and could be left out; said once.
    pub fn take_warnings(&mut self) -> Vec<String> {
        mem::take(&mut self.warnings)
    }

    /// What became of an idle connection; `None` if it is gone.
    fn moved(&mut self, state: State) -> Option<State> {
        match state {
            State::Opening(mut opening) => match opening.step() {
                Ok(None) => Some(State::Opening(opening)),
                Ok(Some(connection)) => {
                    self.learn(opening.tls());
                    Some(State::Open(connection))
                }
                Err(_) => None,
            },
            State::Open(mut connection) => connection.is_alive().then_some(State::Open(connection)),
            State::Ending(mut transfer, bytes) => {
                let mut rest = Vec::new();
                let progress = transfer.step(&mut rest).ok()?;
                let bytes = bytes + rest.len();
                match progress {
                    Progress::Done => transfer.into_connection().map(State::Open),
                    Progress::Waiting => {
                        (bytes <= ENDING_BYTES_MAX).then_some(State::Ending(transfer, bytes))
                    }
                }
            }
        }
    }

    /// The idle connection to the server of `url`, if it can take a request now or soon.
    fn take_idle(&mut self, url: &Url) -> Option<Start> {
        let origin = url.origin();
        let idle = &mut self.idle;
        let index = idle
            .iter()
            .position(|idle| idle.server.origin() == origin)?;
        let state = idle.remove(index).state;
        match self.moved(state)? {
            State::Opening(opening) => Some(Start::Opening(opening)),
            State::Open(connection) => Some(Start::Open(connection)),
            State::Ending(..) => None,
        }
    }

    fn open_idle(&mut self, url: &Url, warm_again: u32) {
        if let Ok(opening) = self.open(url) {
            self.keep(Idle {
                server: url.clone(),
                state: State::Opening(Box::new(opening)),
                warm_again,
            });
        }
    }

    /// Keeps a connection in the place of an older one to the same server, or of the oldest.
    fn keep(&mut self, new: Idle) {
        let origin = new.server.origin();
        self.idle.retain(|idle| idle.server.origin() != origin);
        self.idle.push(new);
        if self.idle.len() > IDLE_MAX {
            self.idle.remove(0);
        }
    }

    /// The roots that served: they may have become more.
    fn learn(&mut self, tls: Option<&tls::Settings>) {
        if let Some(tls) = tls {
            self.tls = Some(tls.clone());
        }
    }

    fn settings(&mut self, url: &Url) -> Result<transfer::Settings, Error> {
        let route = Route::to(url, &self.reach.proxies, self.reach.scope)?;
        let tls = match route.needs_tls() {
            true => Some(self.tls_settings(&url.host)?),
            false => None,
        };
        Ok(transfer::Settings {
            reach: self.reach.clone(),
            route,
            tls,
        })
    }

    fn tls_settings(&mut self, host: &str) -> Result<tls::Settings, Error> {
        self.trusted().map_err(|source| Error::Tls {
            host: host.to_string(),
            source,
        })
    }

    /// Made at the first use: a run that talks to a plain server never builds the roots.
    fn trusted(&mut self) -> Result<tls::Settings, tls::Failure> {
        if let Some(settings) = &self.tls {
            return Ok(settings.clone());
        }
        let (settings, warnings) = tls::Settings::trusting(&self.trust)?;
        self.warnings.extend(warnings);
        self.tls = Some(settings.clone());
        Ok(settings)
    }
}

fn open(settings: &transfer::Settings) -> Result<Opening, Error> {
    let transfer::Settings { reach, route, tls } = settings;
    Opening::start(route.clone(), reach.clone(), tls.clone(), &Trace::start())
}
