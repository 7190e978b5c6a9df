//! How far and by whose help a request may go. Values only; nothing is opened here.

use crate::http::exchange::Form;
use crate::http::url::Scheme;
use crate::http::url::Url;
use crate::net::Error;
use crate::net::Limits;
use crate::net::dns::Names;
use crate::net::proxy;
use crate::net::proxy::Proxy;
use std::net::IpAddr;
use std::net::Ipv4Addr;
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
    /// To addresses that everybody can reach: not to this machine, its neighbours, or the service
    /// that hands credentials to machines of a cloud.
    Public,
}

impl Scope {
    /// Whether a connection to `address` is allowed.
    pub fn allows(self, address: &SocketAddr) -> bool {
        match self {
            Scope::Anywhere => true,
            Scope::Loopback => address.ip().to_canonical().is_loopback(),
            Scope::Public => is_public(address.ip()),
        }
    }

    /// How far the first connection of a way may go: a proxy is as near as its setting says, and
    /// what it reaches is its own to decide.
    pub fn of_first_hop(self, route: &Route) -> Scope {
        match self {
            Scope::Public if route.proxy.is_some() => Scope::Anywhere,
            scope => scope,
        }
    }
}

/// Networks of IPv4 that are not everybody's (the IANA registry of special-purpose addresses), and
/// how many of their first bits count. The last one is how a machine of Azure asks its host.
const NOT_PUBLIC: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
];

/// Whether an address is one that everybody can reach.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let bits = address.to_bits();
            let holds = |(network, length): &(Ipv4Addr, u32)| {
                (bits ^ network.to_bits()) >> (u32::BITS - length) == 0
            };
            !NOT_PUBLIC.iter().any(holds)
        }
        IpAddr::V6(address) => match address.segments() {
            // The way to IPv4 where there is none (RFC 6052 §2.1).
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                let bits = u32::from(high) << 16 | u32::from(low);
                is_public(IpAddr::V4(Ipv4Addr::from_bits(bits)))
            }
            // Protocols' own, among them tunnels to IPv4; documentation; tunnels again.
            [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] => false,
            // All that is given out (RFC 4291 §2.4).
            [first, ..] => first & 0xe000 == 0x2000,
        },
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

    #[test]
    fn a_public_address_is_everybodys() {
        #[track_caller]
        fn check(address: &str, expected: bool) {
            let address = SocketAddr::new(address.parse().unwrap(), 1);
            assert_eq!(Scope::Public.allows(&address), expected, "{address}");
        }
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "2606:4700::1111",
            "2001:200::1",
            "64:ff9b::101:101",
        ] {
            check(public, true);
        }
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.100.100.200",
            "127.0.0.1",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
        ] {
            check(private, false);
        }
    }
}
