//! Connects to several addresses at once, the first that answers wins (RFC 8305 §5).
//!
//! Sockets are non-blocking while they connect and blocking again once they won. An address that
//! fails starts the next at once; one that is silent holds the next up for `STAGGER`.

use crate::base::clock;
use crate::base::clock::Deadline;
use crate::net::error::plain;
use crate::net::trace::Attempt;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use nix::errno::Errno;
use nix::sys::socket;
use nix::sys::socket::AddressFamily;
use nix::sys::socket::SockFlag;
use nix::sys::socket::SockType;
use nix::sys::socket::SockaddrStorage;
use nix::sys::socket::UnixAddr;
use nix::sys::socket::sockopt;
use std::collections::VecDeque;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

/// RFC 8305 §5 recommends 250 ms between two attempts.
const STAGGER: Duration = Duration::from_millis(250);

/// A peer that went away without a word is noticed after 60 s of silence and three probes.
const KEEPALIVE_IDLE_S: u32 = 60;
const KEEPALIVE_INTERVAL_S: u32 = 15;
const KEEPALIVE_PROBES: u32 = 3;

/// Bytes that nobody acknowledges for this long end the connection.
const UNACKNOWLEDGED_MS_MAX: u32 = 90_000;

/// The same for the first bytes on a connection that lay idle: its other end may be long gone, and
/// then another one is made.
const SHORT_UNACKNOWLEDGED_MS_MAX: u32 = 10_000;

/// Connects that are under way.
pub struct Race {
    waiting: VecDeque<SocketAddr>,
    running: Vec<Runner>,
    /// Every address that was started, the running ones without an end yet.
    over: Vec<Attempt>,
    failed: Vec<(SocketAddr, io::Error)>,
    next_start: Deadline,
    is_empty: bool,
}

/// A socket that is connecting.
struct Runner {
    address: SocketAddr,
    stream: TcpStream,
    since: Instant,
}

/// Where a race stands.
pub enum Outcome {
    /// Someone may still answer.
    Running,
    /// The first that answered.
    Won(TcpStream),
    /// Nobody is left who could.
    Spent,
}

impl Race {
    /// A race without runners.
    pub fn new() -> Race {
        Race {
            waiting: VecDeque::new(),
            running: Vec::new(),
            over: Vec::new(),
            failed: Vec::new(),
            next_start: Deadline::after(Duration::ZERO, "STAGGER"),
            is_empty: true,
        }
    }

    /// More addresses. Families alternate among those that have not started, in the order in
    /// which they were found.
    pub fn add(&mut self, addresses: Vec<SocketAddr>) {
        self.is_empty &= addresses.is_empty();
        let all = self.waiting.drain(..).chain(addresses).collect();
        self.waiting = alternate(all).into();
    }

    /// Whether it never had an address.
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Waits for every socket that is connecting.
    pub fn wait_for<'a, T: Copy>(&'a self, set: &mut PollSet<'a, T>, token: T) {
        for runner in &self.running {
            set.add(runner.stream.as_fd(), Interest::Write, token);
        }
    }

    /// When the next address is to be tried, if there is one.
    pub fn deadline(&self) -> Deadline {
        if self.waiting.is_empty() {
            return Deadline::never();
        }
        self.next_start
    }

    /// Looks at the sockets and starts the next address if it is time.
    pub fn step(&mut self) -> Outcome {
        let mut index = 0;
        while index < self.running.len() {
            match state(&self.running[index].stream) {
                Ok(true) => {
                    let winner = self.running.swap_remove(index);
                    match settle(&winner.stream) {
                        Ok(()) => return self.win(winner),
                        Err(error) => self.fail(&winner, error),
                    }
                }
                Ok(false) => index += 1,
                Err(error) => {
                    let loser = self.running.remove(index);
                    self.fail(&loser, error);
                }
            }
        }
        while self.next_start.is_over() {
            let Some(address) = self.waiting.pop_front() else {
                break;
            };
            let since = clock::now();
            match begin(address) {
                Ok(stream) => {
                    self.running.push(Runner {
                        address,
                        stream,
                        since,
                    });
                    self.next_start = Deadline::after(STAGGER, "STAGGER");
                }
                Err(error) => self.note(address, since, error),
            }
        }
        if self.running.is_empty() && self.waiting.is_empty() {
            return Outcome::Spent;
        }
        Outcome::Running
    }

    /// The time is up: every address without an answer has failed.
    pub fn give_up(&mut self) {
        for runner in mem::take(&mut self.running) {
            self.note(runner.address, runner.since, io::ErrorKind::TimedOut.into());
        }
        self.waiting.clear();
    }

    /// What became of every address that was started. Call it when the race is over.
    pub fn attempts(&mut self) -> Vec<Attempt> {
        mem::take(&mut self.over)
    }

    /// Every address that failed, and why.
    pub fn take_failed(&mut self) -> Vec<(SocketAddr, io::Error)> {
        mem::take(&mut self.failed)
    }

    fn win(&mut self, winner: Runner) -> Outcome {
        let attempt = |runner: &Runner, error: Option<&str>| Attempt {
            address: runner.address,
            took: clock::now().saturating_duration_since(runner.since),
            error: error.map(str::to_string),
        };
        self.over.push(attempt(&winner, None));
        for runner in self.running.drain(..) {
            self.over
                .push(attempt(&runner, Some("another address was faster")));
        }
        Outcome::Won(winner.stream)
    }

    /// A runner is out; the next one need not wait.
    fn fail(&mut self, loser: &Runner, error: io::Error) {
        self.note(loser.address, loser.since, error);
        self.next_start = Deadline::after(Duration::ZERO, "STAGGER");
    }

    fn note(&mut self, address: SocketAddr, since: Instant, error: io::Error) {
        self.over.push(Attempt {
            address,
            took: clock::now().saturating_duration_since(since),
            error: Some(plain(&error)),
        });
        self.failed.push((address, error));
    }
}

impl Default for Race {
    fn default() -> Race {
        Race::new()
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

/// How long bytes may lie unacknowledged before the connection ends.
pub(super) fn set_unacknowledged_max(socket: &TcpStream, wait: Unacknowledged) {
    let millis = match wait {
        Unacknowledged::Usual => UNACKNOWLEDGED_MS_MAX,
        Unacknowledged::Short => SHORT_UNACKNOWLEDGED_MS_MAX,
    };
    // Kernels and emulators without this option are served as well without it.
    let _ = socket::setsockopt(socket, sockopt::TcpUserTimeout, &millis);
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unacknowledged {
    /// A network may be away for a while.
    Usual,
    /// A kernel that is there acknowledges at once, however slow the server above it is.
    Short,
}

/// A connection to whoever listens on the Unix socket at `path`; it is there at once or never.
///
/// A socket's bytes move by the same calls in any family, so it has the type of the others.
pub(super) fn local(path: &Path) -> io::Result<TcpStream> {
    let address = UnixAddr::new(path)?;
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    socket::connect(socket.as_raw_fd(), &address)?;
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
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
    set_unacknowledged_max(stream, Unacknowledged::Usual);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn run(race: &mut Race) -> Outcome {
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
        let mut race = Race::new();
        race.add(vec![closed, open]);
        let Outcome::Won(stream) = run(&mut race) else {
            panic!("nobody won");
        };
        assert_eq!(stream.peer_addr().unwrap(), open);
        let attempts = race.attempts();
        assert_eq!(attempts[0].error.as_deref(), Some("connection refused"));
        assert_eq!(
            (attempts[1].address, attempts[1].error.as_ref()),
            (open, None)
        );
        let mut race = Race::new();
        race.add(vec![closed]);
        assert!(matches!(run(&mut race), Outcome::Spent));
        assert_eq!(race.take_failed()[0].0, closed);
    }

    #[test]
    fn no_address_is_a_spent_race_until_there_are_more() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut race = Race::new();
        assert!(race.is_empty() && matches!(race.step(), Outcome::Spent));
        race.add(vec![listener.local_addr().unwrap()]);
        assert!(matches!(run(&mut race), Outcome::Won(_)));
    }
}
