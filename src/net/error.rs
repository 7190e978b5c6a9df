//! What goes wrong on the way to a server and back, each with the host it happened to.

use crate::http;
use crate::net::proxy;
use crate::net::proxy::tunnel;
use crate::net::tls;
use std::error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// An exchange that did not come to its end.
#[derive(Debug)]
pub enum Error {
    /// The name has no address that we could find.
    Resolve {
        /// The name.
        host: String,
        /// What was said, and by whom.
        source: io::Error,
        /// The setting that ran out while some had not answered; none if all of them did.
        limit: Option<&'static str>,
    },
    /// No address took the connection.
    Connect {
        /// The name.
        host: String,
        /// The port.
        port: u16,
        /// Every address that was tried, and why it failed.
        tried: Vec<(SocketAddr, io::Error)>,
        /// The setting that ran out while some had not answered; none if all of them failed.
        limit: Option<&'static str>,
    },
    /// Nobody takes connections on a Unix socket.
    Socket {
        /// Where it should be.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The connection would leave this machine, and `OFFLINE` says that none may.
    Offline {
        /// The name.
        host: String,
    },
    /// The name has only addresses that are not everybody's, and whoever asks wants no others.
    Private {
        /// The name.
        host: String,
    },
    /// A variable names a proxy that cannot be used.
    ProxySetting(proxy::Error),
    /// Something befell the connection with the proxy, not the one with the server.
    Proxy {
        /// The variable that named it.
        variable: &'static str,
        /// What befell it.
        source: Box<Error>,
    },
    /// The proxy opens no way to the server.
    Tunnel {
        /// The server's name.
        host: String,
        /// Where the proxy is.
        proxy: String,
        /// What it said.
        source: tunnel::Error,
    },
    /// The TLS handshake or a TLS record failed.
    Tls {
        /// The name.
        host: String,
        /// What rustls says.
        source: tls::Failure,
    },
    /// A wait was over; `limit` is the setting, as the user knows it.
    Timeout {
        /// The name.
        host: String,
        /// The setting that ran out.
        limit: &'static str,
    },
    /// The connection broke.
    Broken {
        /// The name.
        host: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The server broke HTTP, or we were asked to.
    Http {
        /// The name.
        host: String,
        /// What was broken.
        source: http::Error,
    },
    /// The answer is longer than its reader allows.
    TooLong {
        /// The name.
        host: String,
        /// How many bytes are allowed.
        bytes_max: usize,
    },
    /// A signal ended the wait.
    Interrupted {
        /// Its number.
        signal: i32,
    },
    /// Waiting itself failed.
    Wait(io::Error),
}

impl Error {
    /// What happened, whoever's connection it happened to.
    pub fn plain(&self) -> &Error {
        match self {
            Error::Proxy { source, .. } => source.plain(),
            error => error,
        }
    }

    /// Whether the request may have reached the server, so that only its answer is lost.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Error::Timeout { limit, .. } => !matches!(*limit, "CONNECT_TIMEOUT" | "TLS_TIMEOUT"),
            Error::Broken { .. }
            | Error::Http { .. }
            | Error::TooLong { .. }
            | Error::Interrupted { .. }
            | Error::Wait(_) => true,
            Error::Resolve { .. }
            | Error::Connect { .. }
            | Error::Socket { .. }
            | Error::Offline { .. }
            | Error::Private { .. }
            | Error::ProxySetting(_)
            | Error::Proxy { .. }
            | Error::Tunnel { .. }
            | Error::Tls { .. } => false,
        }
    }

    /// What a person can do about it, where the network knows.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Timeout { limit, .. }
            | Error::Connect {
                limit: Some(limit), ..
            }
            | Error::Resolve {
                limit: Some(limit), ..
            } if is_setting(limit) => Some(format!(
                "give it longer with `-e {limit}=…`, a number with s, m or ms"
            )),
            Error::Offline { .. } => {
                Some("OFFLINE allows connections to this machine only".to_string())
            }
            Error::ProxySetting(error) => Some(format!(
                "correct {}, or list the host in NO_PROXY to ask it directly",
                error.variable
            )),
            Error::Proxy { variable, source } => {
                let first = format!("the proxy comes from {variable}");
                Some(match source.hint() {
                    Some(hint) => format!("{first}; {hint}"),
                    None => first,
                })
            }
            Error::Tunnel { source, .. } => source.hint().map(str::to_string),
            Error::Tls { source, .. } => source.hint().map(|hint| hint.to_string()),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Resolve {
                host,
                source,
                limit,
            } => {
                write!(f, "no address for {host}")?;
                if let Some(limit) = limit {
                    write!(f, " within {limit}")?;
                }
                write!(f, ": {source}")
            }
            Error::Connect {
                host,
                port,
                tried,
                limit,
            } => {
                match host.contains(':') {
                    true => write!(f, "cannot connect to [{host}]:{port}")?,
                    false => write!(f, "cannot connect to {host}:{port}")?,
                }
                if let Some(limit) = limit {
                    write!(f, " within {limit}")?;
                }
                for (index, (address, source)) in tried.iter().enumerate() {
                    let before = if index == 0 { ": " } else { ", " };
                    write!(f, "{before}{}: {}", address.ip(), plain(source))?;
                }
                Ok(())
            }
            Error::Socket { path, source } => {
                write!(f, "cannot connect to {}: {}", path.display(), plain(source))
            }
            Error::Offline { host } => write!(f, "{host} is not on this machine"),
            Error::Private { host } => write!(f, "{host} has no public address"),
            Error::ProxySetting(source) => source.fmt(f),
            Error::Proxy { source, .. } => source.fmt(f),
            Error::Tunnel {
                host,
                proxy,
                source,
            } => write!(f, "the proxy {proxy} opens no way to {host}: {source}"),
            Error::Tls { host, source } => write!(f, "no secure connection to {host}: {source}"),
            Error::Timeout { host, limit } => write!(f, "{host} took longer than {limit} allows"),
            Error::Broken { host, source } => {
                write!(f, "the connection to {host} broke: {}", plain(source))
            }
            Error::Http { host, source } => write!(f, "{host} broke HTTP: {source}"),
            Error::TooLong { host, bytes_max } => {
                write!(f, "the answer of {host} is longer than {bytes_max} bytes")
            }
            Error::Interrupted { signal } => write!(f, "stopped by signal {signal}"),
            Error::Wait(source) => write!(f, "cannot wait: {}", plain(source)),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Resolve { source, .. }
            | Error::Socket { source, .. }
            | Error::Broken { source, .. }
            | Error::Wait(source) => Some(source),
            Error::Tls { source, .. } => Some(source),
            Error::ProxySetting(source) => Some(source),
            Error::Proxy { source, .. } => Some(source),
            Error::Tunnel { source, .. } => Some(source),
            Error::Http { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Whether a limit is a setting; others are options, or ours.
fn is_setting(limit: &str) -> bool {
    limit
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// The kernel's words without Rust's `(os error N)`.
pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_that_was_tried_is_named() {
        let refused = || io::Error::from_raw_os_error(111);
        let error = |limit| Error::Connect {
            host: "h".into(),
            port: 80,
            tried: vec![
                ("127.0.0.1:80".parse().unwrap(), refused()),
                ("[::1]:80".parse().unwrap(), refused()),
            ],
            limit,
        };
        assert_eq!(
            error(None).to_string(),
            "cannot connect to h:80: 127.0.0.1: connection refused, ::1: connection refused"
        );
        assert_eq!(
            error(Some("CONNECT_TIMEOUT")).to_string(),
            "cannot connect to h:80 within CONNECT_TIMEOUT: 127.0.0.1: connection refused, \
             ::1: connection refused"
        );
    }

    #[test]
    fn a_fault_of_the_proxy_names_its_variable_and_both_hints() {
        let source = tunnel::Error::Refused {
            status: 407,
            words: "who are you".into(),
            hint: Some("NAME:PASSWORD@"),
        };
        let error = Error::Proxy {
            variable: "HTTPS_PROXY",
            source: Box::new(Error::Tunnel {
                host: "h".into(),
                proxy: "http://p:1".into(),
                source,
            }),
        };
        let expected =
            "the proxy http://p:1 opens no way to h: it refused with status 407: who are you";
        assert_eq!(error.to_string(), expected);
        let hint = error.hint().unwrap();
        assert!(
            hint.starts_with("the proxy comes from HTTPS_PROXY; "),
            "{hint}"
        );
        assert!(hint.contains("NAME:PASSWORD@"), "{hint}");
    }
}
