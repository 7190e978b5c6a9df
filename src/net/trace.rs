//! What a transfer went through, for whoever asks where the time went. It decides nothing.
//!
//! The transfer fills it in as it goes; time is cut into phases that follow each other without a
//! gap, so their sum is the time until the first byte of the answer. What no transfer knows (the
//! status, the body) is not here.

use crate::base::clock;
use crate::net::tls::Facts;
use std::net::SocketAddr;
use std::time::Duration;
use std::time::Instant;

/// A stretch of the way to an answer, in the order in which they are walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// From the start to the first address.
    Resolve,
    /// To a connected socket.
    Connect,
    /// To the proxy's yes.
    Proxy,
    /// To the end of the handshake.
    Tls,
    /// To the last byte of the request.
    Request,
    /// To the first byte of the answer.
    FirstByte,
}

/// One address of the race.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Where.
    pub address: SocketAddr,
    /// From its own start to its end, or to the end of the race.
    pub took: Duration,
    /// Why it did not win; `None` for the one that did.
    pub error: Option<String>,
}

/// The record of one transfer.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Every address that was tried, in the order of their starts.
    pub addresses: Vec<Attempt>,
    /// Who knew the addresses, or was asked for them.
    pub named_by: Option<&'static str>,
    /// Host and port of the proxy that was used; never its credentials.
    pub proxy: Option<String>,
    /// Set when a handshake ended well.
    pub tls: Option<Facts>,
    started: Instant,
    /// When the last marked phase ended, and the next began. Never before `started`.
    marked: Instant,
    /// In the order in which they ended.
    phases: Vec<(Phase, Duration)>,
    finished: Option<Instant>,
}

impl Trace {
    /// An empty record; its clock runs from now on.
    pub fn start() -> Trace {
        Trace::start_at(clock::now())
    }

    /// A phase ended now, well or not; all the time since the one before was its.
    pub fn mark(&mut self, phase: Phase) {
        self.mark_at(phase, clock::now());
    }

    /// The transfer ended; the clock stands still from now on.
    pub fn finish(&mut self) {
        self.finished = Some(clock::now());
    }

    /// The phases that ended and how long each took. One that was walked twice, because a kept
    /// connection turned out to be dead, stands at its first place with the sum.
    pub fn phases(&self) -> Vec<(Phase, Duration)> {
        let mut sums: Vec<(Phase, Duration)> = Vec::new();
        for (phase, took) in &self.phases {
            match sums.iter_mut().find(|(summed, _)| summed == phase) {
                Some((_, sum)) => *sum += *took,
                None => sums.push((*phase, *took)),
            }
        }
        sums
    }

    /// From the start to the end, or to now.
    pub fn total(&self) -> Duration {
        let end = self.finished.unwrap_or_else(clock::now);
        end.saturating_duration_since(self.started)
    }

    fn start_at(now: Instant) -> Trace {
        Trace {
            addresses: Vec::new(),
            named_by: None,
            proxy: None,
            tls: None,
            started: now,
            marked: now,
            phases: Vec::new(),
            finished: None,
        }
    }

    fn mark_at(&mut self, phase: Phase, now: Instant) {
        let took = now.saturating_duration_since(self.marked);
        self.phases.push((phase, took));
        self.marked = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn phases_follow_each_other_and_the_same_one_is_summed() {
        let start = clock::now();
        let mut trace = Trace::start_at(start);
        assert_eq!(trace.phases(), []);
        trace.mark_at(Phase::Request, start + ms(2));
        trace.mark_at(Phase::Connect, start + ms(5));
        trace.mark_at(Phase::Request, start + ms(6));
        trace.mark_at(Phase::FirstByte, start + ms(10));
        let expected = [
            (Phase::Request, ms(3)),
            (Phase::Connect, ms(3)),
            (Phase::FirstByte, ms(4)),
        ];
        assert_eq!(trace.phases(), expected);
    }

    #[test]
    fn the_total_stands_still_after_the_end() {
        let start = clock::now();
        let mut trace = Trace::start_at(start);
        trace.finished = Some(start + ms(7));
        trace.mark_at(Phase::Resolve, start + ms(1));
        assert_eq!(trace.total(), ms(7));
        // A clock that stepped back makes nothing negative.
        trace.finished = start.checked_sub(ms(1));
        assert_eq!(trace.total(), Duration::ZERO);
    }
}
