//! How far and by whose help a request may go. Values only; nothing is opened here.

use crate::http::exchange::Form;
use crate::http::url::Scheme;
use crate::http::url::Url;
use crate::net::Error;
use crate::net::Limits;
use crate::net::dns::Names;
use crate::net::proxy;
use crate::net::proxy::Proxy;
use std::net::SocketAddr;

/// What every connection of a run goes by.
pub struct Reach {
    /// How long it may take.
    pub limits: Limits,
    /// Who knows addresses.
    pub names: Names,
    /// Who passes requests on.
    pub proxies: proxy::Variables,
    /// How far it may go.
    pub scope: Scope,
}

/// How far connections may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Wherever a request is for.
    Anywhere,
    /// To this machine itself; no name server is asked. The setting `OFFLINE`.
    Loopback,
}

impl Scope {
    /// Whether a connection to `address` is allowed.
    pub fn allows(self, address: &SocketAddr) -> bool {
        match self {
            Scope::Anywhere => true,
            Scope::Loopback => address.ip().to_canonical().is_loopback(),
        }
    }
}

/// Whom a request is for, and who passes it on.
#[derive(Clone, Debug)]
pub struct Route {
    /// The server; the path is of no account.
    pub server: Url,
    /// Who is asked in its place.
    pub proxy: Option<Proxy>,
}

impl Route {
    /// The way to `url`. A proxy that cannot be used is an error, never a direct connection.
    pub fn to(url: &Url, proxies: &proxy::Variables, scope: Scope) -> Result<Route, Error> {
        let proxy = proxy::choose(url, proxies).map_err(Error::ProxySetting)?;
        // A proxy on this machine would carry it further.
        if proxy.is_some() && scope == Scope::Loopback && !url.is_loopback() {
            let host = url.host.clone();
            return Err(Error::Offline { host });
        }
        Ok(Route {
            server: url.clone(),
            proxy,
        })
    }

    /// Whom the socket is connected to: host and port.
    pub fn first_hop(&self) -> (&str, u16) {
        match &self.proxy {
            Some(proxy) => (&proxy.host, proxy.port),
            None => (&self.server.host, self.server.port),
        }
    }

    /// Whether TLS is spoken on it, with anyone.
    pub fn needs_tls(&self) -> bool {
        let proxy_scheme = self.proxy.as_ref().map(|proxy| proxy.scheme);
        self.server.scheme == Scheme::Https || proxy_scheme == Some(Scheme::Https)
    }

    /// How a request is written. A plain one is the proxy's to read (RFC 9112 §3.2.2); one inside
    /// TLS is the server's, and the proxy only carries it.
    pub fn form(&self) -> Form<'_> {
        match &self.proxy {
            Some(proxy) if self.server.scheme == Scheme::Http => Form::Absolute {
                authorization: proxy.authorization.as_ref(),
            },
            _ => Form::Origin,
        }
    }

    /// `error`, which befell the connection with the proxy, told with the variable that named it.
    pub fn blame(&self, error: Error) -> Error {
        match &self.proxy {
            Some(proxy) => Error::Proxy {
                variable: proxy.variable,
                source: Box::new(error),
            },
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_all_that_is_left_offline() {
        #[track_caller]
        fn check(address: &str, expected: bool) {
            let address = address.parse().unwrap();
            assert_eq!(Scope::Loopback.allows(&address), expected, "{address}");
            assert!(Scope::Anywhere.allows(&address));
        }
        check("127.0.0.1:1", true);
        check("127.9.9.9:1", true);
        check("[::1]:1", true);
        check("[::ffff:127.0.0.1]:1", true);
        check("0.0.0.0:1", false);
        check("[::]:1", false);
        check("10.0.0.1:1", false);
        check("[::ffff:10.0.0.1]:1", false);
        check("169.254.169.254:1", false);
    }
}
