//! Starts transfers and keeps the one connection that the next request may use.
//!
//! The agent talks to one server at a time, so one idle connection is all there is to keep.

use crate::http::exchange::Request;
use crate::http::url::Scheme;
use crate::net::Error;
use crate::net::Limits;
use crate::net::dns::Names;
use crate::net::dns::Overrides;
use crate::net::dns::order::Files;
use crate::net::roots::Trust;
use crate::net::stream::Connection;
use crate::net::tls;
use crate::net::transfer;
use crate::net::transfer::Progress;
use crate::net::transfer::Transfer;
use std::mem;
use std::rc::Rc;

/// What the network needs to know.
pub struct Options {
    /// How long it may keep us waiting.
    pub limits: Limits,
    /// Whom to trust beside the built-in roots, and who we are.
    pub trust: Trust,
    /// The setting `RESOLVE`.
    pub overrides: Overrides,
}

/// What all requests of a run share.
pub struct Client {
    options: Options,
    names: Rc<Names>,
    warnings: Vec<String>,
    is_recording: bool,
    tls: Option<tls::Settings>,
    idle: Option<Idle>,
}

/// A connection that served a request and may serve another.
struct Idle {
    origin: String,
    last: Last,
}

/// How its last answer stands.
enum Last {
    /// Whole.
    Whole(Connection),
    /// Known to be whole by its reader, who did not wait for the end of the body.
    Ending(Box<Transfer>),
}

impl Client {
    /// A client without connections; nothing is read or opened before the first request.
    pub fn new(options: Options) -> Client {
        let names = Names {
            overrides: options.overrides.clone(),
            files: Files::default(),
        };
        Client {
            options,
            names: Rc::new(names),
            warnings: Vec::new(),
            is_recording: false,
            tls: None,
            idle: None,
        }
    }

    /// Keeps the bytes of every exchange from now on, for `finish` to return.
    pub fn record(&mut self) {
        self.is_recording = true;
    }

    /// Starts a request, on the idle connection if it goes there and is alive.
    pub fn start(&mut self, request: Request) -> Result<Transfer, Error> {
        let origin = request.url.origin();
        let idle = self.idle.take().filter(|idle| idle.origin == origin);
        let kept = idle.and_then(|idle| idle.last.into_connection());
        let tls = match request.url.scheme {
            Scheme::Http => None,
            Scheme::Https => Some(self.tls_settings(&request.url.host)?),
        };
        let settings = transfer::Settings {
            limits: self.options.limits,
            names: self.names.clone(),
            tls,
        };
        Transfer::start(request, kept, settings, self.is_recording)
    }

    /// Takes a transfer whose answer was read; its connection is kept for the next request. The
    /// reader of a stream need not wait for the body's end: if it is there when the next request
    /// starts, the connection serves again.
    pub fn finish(&mut self, transfer: Transfer) {
        let origin = transfer.origin();
        if let Some(tls) = transfer.tls() {
            self.tls = Some(tls.clone());
        }
        let last = if transfer.is_done() {
            transfer.into_connection().map(Last::Whole)
        } else {
            Some(Last::Ending(Box::new(transfer)))
        };
        self.idle = last.map(|last| Idle { origin, last });
    }

    /// What was wrong with certificate files and could be left out; said once.
    pub fn take_warnings(&mut self) -> Vec<String> {
        mem::take(&mut self.warnings)
    }

    /// Made at the first use: a run that talks to a plain server never builds the roots.
    fn tls_settings(&mut self, host: &str) -> Result<tls::Settings, Error> {
        if let Some(settings) = &self.tls {
            return Ok(settings.clone());
        }
        let made = tls::Settings::trusting(&self.options.trust);
        let (settings, warnings) = made.map_err(|source| Error::Tls {
            host: host.to_string(),
            source,
        })?;
        self.warnings.extend(warnings);
        self.tls = Some(settings.clone());
        Ok(settings)
    }
}

impl Last {
    /// The connection, if it can take a request now.
    fn into_connection(self) -> Option<Connection> {
        let mut connection = match self {
            Last::Whole(connection) => connection,
            Last::Ending(mut transfer) => {
                let is_over = transfer.step(&mut Vec::new()).ok()? == Progress::Done;
                is_over.then(|| transfer.into_connection())??
            }
        };
        connection.is_alive().then_some(connection)
    }
}
