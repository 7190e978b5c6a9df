//! The addresses of a name, asked of the servers: both families at once, in every search domain.
//!
//! A and AAAA are two questions on two sockets, and what becomes of one is nothing to the other:
//! half an answer is enough to begin with (RFC 8305 §3). Sorting by RFC 6724 is left to the
//! connects, which race.

use crate::base::clock::Deadline;
use crate::net::dns::hosts::Config;
use crate::net::dns::inquiry::Inquiry;
use crate::net::dns::inquiry::Said;
use crate::net::dns::inquiry::Verdict;
use crate::net::dns::message;
use crate::net::dns::message::Kind;
use crate::net::dns::message::Name;
use crate::sys::poll::PollSet;
use std::error;
use std::fmt;
use std::io;
use std::mem;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

/// How long IPv4 addresses wait for IPv6 ones (RFC 8305 §3, the Resolution Delay).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// How long AAAA is waited for once a server said to the question for A that there is no such
/// name. There is none for any question then (RFC 8020), but some servers drop those for AAAA, and
/// in a list of search domains that would cost the whole wait for each.
const ABSENT_DELAY: Duration = Duration::from_millis(300);

/// What is kept of what the servers said: more than three servers have different words for.
const SAID_MAX: usize = 32;

/// A name that is being looked up.
pub struct Lookup {
    port: u16,
    config: Config,
    /// What to ask for when the present name is not there.
    later: std::vec::IntoIter<Name>,
    v6: Family,
    v4: Family,
    /// How long the answer for AAAA is waited for since that for A is there.
    patience: Deadline,
    report: Report,
    /// For every name so far, some server knew that it has no address.
    is_absent: bool,
}

/// One of the two questions for a name.
struct Family {
    inquiry: Inquiry,
    /// Its addresses are taken out when the caller gets them.
    verdict: Option<Verdict>,
}

/// What became of a step.
#[derive(Debug)]
pub enum Step {
    /// Nothing new; the servers may still answer.
    Waiting,
    /// Addresses of one family, to begin with; the other is still asked for. Comes at most once.
    Partly(Vec<SocketAddr>),
    /// All that was not given before, IPv6 first; nothing more if the other family has none.
    Found(Vec<SocketAddr>),
    /// There are no addresses.
    Failed(Error),
}

/// Why there are no addresses.
#[derive(Debug)]
pub enum Error {
    /// Nobody was asked: this is no name.
    Name(message::Error),
    /// The servers know that the name has no address. Other sources may know more.
    Absent(Report),
    /// The servers did not tell, at least of one name. It may be better later.
    Untold(Report),
}

/// Who was asked, for what, and what they said.
#[derive(Debug, Default)]
pub struct Report {
    /// As what the name was looked up.
    pub names: Vec<Name>,
    /// Every server's words, each once.
    pub said: Vec<Said>,
}

impl Lookup {
    /// A lookup that begins with its first step. Its time is bounded by `config`, for each of the
    /// names that it comes to; the caller has a deadline of its own for the whole.
    pub fn start(name: &str, port: u16, config: &Config) -> Result<Lookup, Error> {
        let (first, later) = candidates(name, config).map_err(Error::Name)?;
        Ok(Lookup {
            port,
            config: config.clone(),
            later: later.into_iter(),
            v6: Family::new(&first, Kind::Aaaa, config),
            v4: Family::new(&first, Kind::A, config),
            patience: Deadline::never(),
            report: Report {
                names: vec![first],
                said: Vec::new(),
            },
            is_absent: true,
        })
    }

    /// Adds what it waits for.
    pub fn wait_for<'a, T: Copy>(&'a self, set: &mut PollSet<'a, T>, token: T) {
        for family in [&self.v6, &self.v4] {
            if family.verdict.is_none() {
                family.inquiry.wait_for(set, token);
            }
        }
    }

    /// When to step at the latest, though nothing was ready.
    pub fn deadline(&self) -> Deadline {
        self.patience
            .sooner(self.v6.deadline())
            .sooner(self.v4.deadline())
    }

    /// Reads what came and asks what there is to ask. After `Found` or `Failed` it is over.
    pub fn step(&mut self) -> Step {
        loop {
            self.v6.step(&mut self.report);
            if self.v4.step(&mut self.report) {
                self.patience = match self.v4.verdict {
                    Some(Verdict::Found(_)) => Deadline::after(RESOLUTION_DELAY, "RFC 8305"),
                    Some(Verdict::NoSuchName) => Deadline::after(ABSENT_DELAY, "RFC 8020"),
                    _ => Deadline::never(),
                };
            }
            if self.v4.verdict == Some(Verdict::NoSuchName) && self.patience.is_over() {
                self.v6.give_up(&mut self.report);
            }
            if self.v4.verdict.is_none() || self.v6.verdict.is_none() {
                return self.part();
            }
            if self.v4.has_found() || self.v6.has_found() {
                return Step::Found(self.take());
            }
            let Some(name) = self.next_name() else {
                return Step::Failed(self.take_error());
            };
            self.v6 = Family::new(&name, Kind::Aaaa, &self.config);
            self.v4 = Family::new(&name, Kind::A, &self.config);
            self.patience = Deadline::never();
            self.report.names.push(name);
        }
    }

    /// What is known when the caller waits no longer.
    pub fn give_up(mut self) -> Error {
        self.v6.give_up(&mut self.report);
        self.v4.give_up(&mut self.report);
        Error::Untold(self.report)
    }

    /// What to do with one answer out of two: IPv6 is used at once, IPv4 has patience.
    fn part(&mut self) -> Step {
        let is_time = self.v4.verdict.is_none() || self.patience.is_over();
        let addresses = if is_time { self.take() } else { Vec::new() };
        if addresses.is_empty() {
            return Step::Waiting;
        }
        self.patience = Deadline::never();
        Step::Partly(addresses)
    }

    /// The addresses that the caller does not have yet.
    fn take(&mut self) -> Vec<SocketAddr> {
        let mut addresses = self.v6.take();
        addresses.extend(self.v4.take());
        let port = self.port;
        let with_port = addresses.into_iter().map(|ip| SocketAddr::new(ip, port));
        with_port.collect()
    }

    /// The next name to ask for, now that the present one came to nothing. As with glibc, a server
    /// that fails for one name may know the next: search domains are often served badly. Servers
    /// that are silent are so for every name.
    fn next_name(&mut self) -> Option<Name> {
        let verdicts = [&self.v4.verdict, &self.v6.verdict];
        let knows = |verdict: &&Option<Verdict>| {
            matches!(verdict, Some(Verdict::NoSuchName | Verdict::NoAddress))
        };
        let is_absent = self.v4.verdict == Some(Verdict::NoSuchName) || verdicts.iter().all(knows);
        self.is_absent &= is_absent;
        let is_silent = verdicts.contains(&&Some(Verdict::Silence));
        if is_silent && !is_absent {
            return None;
        }
        self.later.next()
    }

    fn take_error(&mut self) -> Error {
        let report = mem::take(&mut self.report);
        if self.is_absent {
            Error::Absent(report)
        } else {
            Error::Untold(report)
        }
    }
}

impl Family {
    fn new(name: &Name, kind: Kind, config: &Config) -> Family {
        Family {
            inquiry: Inquiry::new(name.clone(), kind, config),
            verdict: None,
        }
    }

    fn deadline(&self) -> Deadline {
        match self.verdict {
            Some(_) => Deadline::never(),
            None => self.inquiry.deadline(),
        }
    }

    /// Whether the verdict came just now.
    fn step(&mut self, report: &mut Report) -> bool {
        if self.verdict.is_some() {
            return false;
        }
        let mut said = Vec::new();
        self.verdict = self.inquiry.step(&mut said);
        report.add(said);
        self.verdict.is_some()
    }

    fn give_up(&mut self, report: &mut Report) {
        if self.verdict.is_none() {
            let mut said = Vec::new();
            self.verdict = Some(self.inquiry.give_up(&mut said));
            report.add(said);
        }
    }

    fn has_found(&self) -> bool {
        matches!(self.verdict, Some(Verdict::Found(_)))
    }

    fn take(&mut self) -> Vec<IpAddr> {
        match &mut self.verdict {
            Some(Verdict::Found(addresses)) => mem::take(addresses),
            _ => Vec::new(),
        }
    }
}

/// What to ask for, in this order (resolv.conf(5), `ndots`): a name with enough dots first as it
/// is, then in the search domains; another the other way round. A name that ends with a dot is
/// whole.
fn candidates(text: &str, config: &Config) -> Result<(Name, Vec<Name>), message::Error> {
    let name = Name::parse(text)?;
    if text.ends_with('.') {
        return Ok((name, Vec::new()));
    }
    let within = config
        .search
        .iter()
        .filter_map(|domain| name.within(domain));
    let mut searched: Vec<Name> = within.collect();
    if name.dots() >= config.ndots || searched.is_empty() {
        return Ok((name, searched));
    }
    searched.push(name);
    let first = searched.remove(0);
    Ok((first, searched))
}

impl Report {
    /// Adds what is new; the same words of the same server say nothing more.
    fn add(&mut self, said: Vec<Said>) {
        for new in said {
            let is_same = |old: &Said| {
                (old.server, old.kind) == (new.server, new.kind)
                    && old.fault.to_string() == new.fault.to_string()
            };
            if self.said.len() < SAID_MAX && !self.said.iter().any(is_same) {
                self.said.push(new);
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a server said to both questions is shown once.
        let mut shown: Vec<(String, Vec<Kind>)> = Vec::new();
        for said in &self.said {
            let words = format!("{}: {}", said.server, said.fault);
            match shown.iter_mut().find(|(other, _)| *other == words) {
                Some((_, kinds)) => kinds.push(said.kind),
                None => shown.push((words, vec![said.kind])),
            }
        }
        let mut between = "";
        for (words, kinds) in shown {
            write!(f, "{between}{words}")?;
            if let [kind] = kinds[..] {
                write!(f, " for {kind}")?;
            }
            between = ", ";
        }
        if self.names.len() > 1 {
            let names: Vec<String> = self.names.iter().map(Name::to_string).collect();
            write!(f, " (asked for {})", names.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Name(error) => error.fmt(f),
            Error::Absent(report) | Error::Untold(report) => report.fmt(f),
        }
    }
}

impl error::Error for Error {}

impl From<Error> for io::Error {
    /// Of the kind that says who is to blame: what was asked for, what is not there, the network.
    fn from(error: Error) -> io::Error {
        let kind = match error {
            Error::Name(_) => io::ErrorKind::InvalidInput,
            Error::Absent(_) => io::ErrorKind::NotFound,
            Error::Untold(_) => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

#[cfg(test)]
mod tests;
