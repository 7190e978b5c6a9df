//! One question to all servers, until one of them knows.
//!
//! As connects race (RFC 8305), so do servers: one that is silent gives the next a chance after
//! `HEAD_START` and may still answer itself; one that fails does so at once. A dead first server
//! therefore costs a third of a second, and not the five seconds of resolv.conf(5).

use crate::base::clock;
use crate::base::clock::Deadline;
use crate::base::random;
use crate::net::dns::ask::Ask;
use crate::net::dns::ask::Fault;
use crate::net::dns::ask::Form;
use crate::net::dns::hosts::Config;
use crate::net::dns::message::Code;
use crate::net::dns::message::Kind;
use crate::net::dns::message::Name;
use crate::net::dns::message::Question;
use crate::sys::poll::PollSet;
use std::io;
use std::mem;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

/// Most answers for which a server must ask others first are there by then.
const HEAD_START: Duration = Duration::from_millis(300);

/// How long after the last server the first is asked again: a datagram may have been lost.
const ROUND: Duration = Duration::from_secs(1);

/// A question and everyone who was asked.
pub struct Inquiry {
    name: Name,
    kind: Kind,
    later: std::vec::IntoIter<Try>,
    running: Vec<Ask>,
    next_try: Deadline,
    began: Instant,
    end: Deadline,
    /// Some server did speak, though not to the point.
    was_answered: bool,
}

/// A server to be asked, and how long after the one before it.
struct Try {
    server: SocketAddr,
    form: Form,
    head_start: Duration,
}

/// What came of an inquiry.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These addresses, at least one.
    Found(Vec<IpAddr>),
    /// A server knows that the name has no address of this kind.
    NoAddress,
    /// A server knows that there is no such name.
    NoSuchName,
    /// The servers that spoke could or would not tell.
    Untold,
    /// No server spoke.
    Silence,
}

/// What a server said, and to which question.
#[derive(Debug)]
pub struct Said {
    /// Who.
    pub server: SocketAddr,
    /// Asked for what.
    pub kind: Kind,
    /// What.
    pub fault: Fault,
}

impl Inquiry {
    /// An inquiry that begins with its first step. It ends when every server was asked in every
    /// round and failed, and after the time that resolv.conf(5) gives to all rounds together.
    pub fn new(name: Name, kind: Kind, config: &Config) -> Inquiry {
        let wait = config.timeout.saturating_mul(config.attempts as u32);
        Inquiry {
            name,
            kind,
            later: tries(config).into_iter(),
            running: Vec::new(),
            next_try: Deadline::after(Duration::ZERO, "HEAD_START"),
            began: clock::now(),
            end: Deadline::after(wait, "resolv.conf"),
            was_answered: false,
        }
    }

    /// Adds what it waits for.
    pub fn wait_for<'a, T: Copy>(&'a self, set: &mut PollSet<'a, T>, token: T) {
        for ask in &self.running {
            ask.wait_for(set, token);
        }
    }

    /// When to step at the latest, though nothing was ready.
    pub fn deadline(&self) -> Deadline {
        let running = self.running.iter().map(Ask::deadline);
        let end = running.fold(self.end, Deadline::sooner);
        if self.later.len() == 0 {
            return end;
        }
        end.sooner(self.next_try)
    }

    /// Reads what came and asks whom it is time to ask; `None` while someone may still answer.
    /// What servers said instead of an address is added to `said`.
    pub fn step(&mut self, said: &mut Vec<Said>) -> Option<Verdict> {
        let mut index = 0;
        while index < self.running.len() {
            let Some(reply) = self.running[index].step() else {
                index += 1;
                continue;
            };
            let server = self.running.remove(index).server();
            let (verdict, fault) = match reply {
                Ok(answer) if answer.addresses.is_empty() => {
                    (Some(Verdict::NoAddress), Fault::NoAddress)
                }
                Ok(answer) => return Some(Verdict::Found(answer.addresses)),
                Err(fault @ Fault::Code(Code::NoSuchName)) => (Some(Verdict::NoSuchName), fault),
                Err(fault) => (None, fault),
            };
            self.fail(server, fault, said);
            if verdict.is_some() {
                return verdict;
            }
        }
        self.ask_next(said);
        if self.end.is_over() {
            return Some(self.give_up(said));
        }
        self.running.is_empty().then(|| self.give_up(said))
    }

    /// The end of it: whoever has not answered by now is silent.
    pub fn give_up(&mut self, said: &mut Vec<Said>) -> Verdict {
        let waited = clock::now().saturating_duration_since(self.began);
        for ask in mem::take(&mut self.running) {
            self.fail(ask.server(), Fault::Silent(waited), said);
        }
        if self.was_answered {
            Verdict::Untold
        } else {
            Verdict::Silence
        }
    }

    fn ask_next(&mut self, said: &mut Vec<Said>) {
        while self.next_try.is_over() {
            let Some(next) = self.later.next() else {
                return;
            };
            match self.ask(next.server, next.form) {
                Ok(ask) => {
                    self.running.push(ask);
                    let head_start = self.later.as_slice().first().map(|it| it.head_start);
                    self.next_try = Deadline::after(head_start.unwrap_or_default(), "HEAD_START");
                }
                Err(fault) => self.fail(next.server, fault, said),
            }
        }
    }

    fn ask(&self, server: SocketAddr, form: Form) -> Result<Ask, Fault> {
        let id = random::bytes().map_err(|error| Fault::Unreachable(io::Error::other(error)))?;
        let question = Question {
            id: u16::from_be_bytes(id),
            name: self.name.clone(),
            kind: self.kind,
        };
        Ask::start(server, question, form)
    }

    /// One server less: the next gets its turn at once.
    fn fail(&mut self, server: SocketAddr, fault: Fault, said: &mut Vec<Said>) {
        self.was_answered |= matches!(fault, Fault::Code(_));
        self.next_try = Deadline::after(Duration::ZERO, "HEAD_START");
        said.push(Said {
            server,
            kind: self.kind,
            fault,
        });
    }
}

/// All servers, as often as is wanted. Some networks drop questions with an OPT record, so that
/// later rounds go without.
fn tries(config: &Config) -> Vec<Try> {
    let mut tries = Vec::new();
    for round in 0..config.attempts {
        let form = if round == 0 {
            Form::Extended
        } else {
            Form::Plain
        };
        for (index, &server) in config.servers.iter().enumerate() {
            tries.push(Try {
                server,
                form,
                head_start: if index == 0 { ROUND } else { HEAD_START },
            });
        }
    }
    tries
}
