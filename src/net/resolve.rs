//! What needs no name server: literals and `localhost`, and the system's own resolver.
//!
//! getaddrinfo(3) blocks and takes no deadline, so it runs on a thread of its own that is left
//! behind when the time is up; its answer wakes the poll through a socket pair.

use crate::net::dns::ADDRESSES_MAX;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::ToSocketAddrs;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;

/// The threads of getaddrinfo need little; musl's default of 128 KiB is enough, glibc's 8 MiB is
/// only address space, and std's 2 MiB would be too.
const STACK_BYTES: usize = 256 * 1024;

/// A name that is being looked up.
pub struct Lookup {
    answer: mpsc::Receiver<io::Result<Vec<SocketAddr>>>,
    woken: UnixStream,
}

/// The addresses of literals and of `localhost`, for which nobody is asked.
pub fn known(host: &str, port: u16) -> Option<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Some(vec![SocketAddr::new(ip, port)]);
    }
    // RFC 6761 §6.3: localhost is loopback, whatever a server says, and also where there is no
    // /etc/hosts.
    let name = host.strip_suffix('.').unwrap_or(host);
    if name == "localhost" || name.ends_with(".localhost") {
        let both = [
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
        ];
        return Some(both.map(|ip| SocketAddr::new(ip, port)).to_vec());
    }
    None
}

/// Asks the system's resolver, on a thread.
pub fn ask(host: &str, port: u16) -> io::Result<Lookup> {
    let (woken, waker) = UnixStream::pair()?;
    let (sender, answer) = mpsc::channel();
    let host = host.to_string();
    thread::Builder::new()
        .name("resolve".into())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let found = (host.as_str(), port).to_socket_addrs();
            // Nobody may be waiting any more; then the answer is of no use.
            let _ = sender.send(found.map(|all| all.take(ADDRESSES_MAX).collect()));
            drop(waker);
        })?;
    Ok(Lookup { answer, woken })
}

impl Lookup {
    /// Ready to read when the answer is there.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }

    /// The answer, if it is there.
    pub fn try_answer(&self) -> Option<io::Result<Vec<SocketAddr>>> {
        match self.answer.try_recv() {
            Ok(answer) => Some(answer),
            Err(mpsc::TryRecvError::Empty) => None,
            Err(mpsc::TryRecvError::Disconnected) => {
                Some(Err(io::Error::other("the resolver stopped")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, expected: &[&str]) {
        let addresses = known(host, 8).expect("nobody need be asked");
        let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        assert_eq!(addresses, expected, "{host}");
    }

    #[test]
    fn literals_and_localhost_ask_nobody() {
        check("127.0.0.1", &["127.0.0.1:8"]);
        check("::1", &["[::1]:8"]);
        check("localhost", &["127.0.0.1:8", "[::1]:8"]);
        check("a.localhost", &["127.0.0.1:8", "[::1]:8"]);
        check("localhost.", &["127.0.0.1:8", "[::1]:8"]);
    }
}
