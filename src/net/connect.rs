//! Connects to several addresses at once, the first that answers wins (RFC 8305 §5).
//!
//! Sockets are non-blocking while they connect and blocking again once they won. An address that
//! fails starts the next at once; one that is silent leaves the next a head start of
//! `STAGGER` less.

use crate::base::clock::Deadline;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use nix::errno::Errno;
use nix::sys::socket;
use nix::sys::socket::AddressFamily;
use nix::sys::socket::SockFlag;
use nix::sys::socket::SockType;
use nix::sys::socket::SockaddrStorage;
use nix::sys::socket::sockopt;
use std::io;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// RFC 8305 §5 recommends 250 ms between two attempts.
const STAGGER: Duration = Duration::from_millis(250);

/// A peer that went away without a word is noticed after 60 s of silence and three probes.
const KEEPALIVE_IDLE_S: u32 = 60;
const KEEPALIVE_INTERVAL_S: u32 = 15;
const KEEPALIVE_PROBES: u32 = 3;

/// Bytes that nobody acknowledges for this long end the connection.
const UNACKNOWLEDGED_MS_MAX: u32 = 90_000;

/// Connects that are under way.
pub struct Race {
    waiting: std::vec::IntoIter<SocketAddr>,
    running: Vec<(SocketAddr, TcpStream)>,
    failed: Vec<(SocketAddr, io::Error)>,
    next_start: Deadline,
}

/// Where a race stands.
pub enum Outcome {
    /// Someone may still answer.
    Running,
    /// The first that answered.
    Won(TcpStream),
    /// Nobody answered: every address and why.
    Lost(Vec<(SocketAddr, io::Error)>),
}

impl Race {
    /// Starts with the first address; families alternate, in the order in which they were found.
    pub fn start(addresses: Vec<SocketAddr>) -> Race {
        Race {
            waiting: alternate(addresses).into_iter(),
            running: Vec::new(),
            failed: Vec::new(),
            next_start: Deadline::after(Duration::ZERO, "STAGGER"),
        }
    }

    /// Waits for every socket that is connecting.
    pub fn wait_for<'a, T: Copy>(&'a self, set: &mut PollSet<'a, T>, token: T) {
        for (_, stream) in &self.running {
            set.add(stream.as_fd(), Interest::Write, token);
        }
    }

    /// When the next address is to be tried, if there is one.
    pub fn deadline(&self) -> Deadline {
        if self.waiting.len() == 0 {
            return Deadline::never();
        }
        self.next_start
    }

    /// Looks at the sockets and starts the next address if it is time.
    pub fn step(&mut self) -> Outcome {
        let mut index = 0;
        while index < self.running.len() {
            match state(&self.running[index].1) {
                Ok(true) => return self.win(index),
                Ok(false) => index += 1,
                Err(error) => {
                    let (address, _) = self.running.remove(index);
                    self.failed.push((address, error));
                    self.next_start = Deadline::after(Duration::ZERO, "STAGGER");
                }
            }
        }
        while self.next_start.is_over() {
            let Some(address) = self.waiting.next() else {
                break;
            };
            match begin(address) {
                Ok(stream) => {
                    self.running.push((address, stream));
                    self.next_start = Deadline::after(STAGGER, "STAGGER");
                }
                Err(error) => self.failed.push((address, error)),
            }
        }
        if self.running.is_empty() {
            return Outcome::Lost(std::mem::take(&mut self.failed));
        }
        Outcome::Running
    }

    fn win(&mut self, index: usize) -> Outcome {
        let (address, stream) = self.running.swap_remove(index);
        match settle(&stream) {
            Ok(()) => Outcome::Won(stream),
            Err(error) => Outcome::Lost(vec![(address, error)]),
        }
    }
}

/// IPv6 and IPv4 by turns, beginning with the family of the first address.
fn alternate(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (one, other): (Vec<SocketAddr>, Vec<SocketAddr>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut mixed = Vec::new();
    loop {
        let pair = [one.next(), other.next()];
        if pair == [None, None] {
            return mixed;
        }
        mixed.extend(pair.into_iter().flatten());
    }
}

/// A socket that has begun to connect.
fn begin(address: SocketAddr) -> io::Result<TcpStream> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket::socket(family, SockType::Stream, flags, None)?;
    match socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) | Err(Errno::EINPROGRESS | Errno::EINTR) => Ok(TcpStream::from(socket)),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether the socket is connected; `Ok(false)` while nobody knows.
fn state(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a connected socket needs: blocking again, no Nagle, and a way to notice a dead peer.
fn settle(stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    socket::setsockopt(stream, sockopt::KeepAlive, &true)?;
    socket::setsockopt(stream, sockopt::TcpKeepIdle, &KEEPALIVE_IDLE_S)?;
    socket::setsockopt(stream, sockopt::TcpKeepInterval, &KEEPALIVE_INTERVAL_S)?;
    socket::setsockopt(stream, sockopt::TcpKeepCount, &KEEPALIVE_PROBES)?;
    // Kernels and emulators without this option are served as well without it.
    let _ = socket::setsockopt(stream, sockopt::TcpUserTimeout, &UNACKNOWLEDGED_MS_MAX);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn run(mut race: Race) -> Outcome {
        loop {
            match race.step() {
                Outcome::Running => {
                    let mut set = PollSet::new();
                    race.wait_for(&mut set, ());
                    set.wait(race.deadline().left()).unwrap();
                }
                done => return done,
            }
        }
    }

    #[test]
    fn the_family_of_the_first_address_goes_first_and_they_alternate() {
        let all = ["[::1]:1", "[::2]:1", "1.1.1.1:1", "[::3]:1"];
        let all = all.map(|text| text.parse().unwrap()).to_vec();
        let mixed: Vec<String> = alternate(all).iter().map(SocketAddr::to_string).collect();
        assert_eq!(mixed, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]);
    }

    #[test]
    fn a_refused_address_leaves_the_race_to_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open = listener.local_addr().unwrap();
        let closed = {
            let gone = TcpListener::bind("127.0.0.1:0").unwrap();
            gone.local_addr().unwrap()
        };
        let Outcome::Won(stream) = run(Race::start(vec![closed, open])) else {
            panic!("nobody won");
        };
        assert_eq!(stream.peer_addr().unwrap(), open);
        let Outcome::Lost(tried) = run(Race::start(vec![closed])) else {
            panic!("a closed port won");
        };
        assert_eq!(tried.len(), 1);
        assert_eq!(tried[0].0, closed);
    }

    #[test]
    fn no_address_is_a_lost_race() {
        assert!(matches!(Race::start(vec![]).step(), Outcome::Lost(tried) if tried.is_empty()));
    }
}
