//! Whether a request that failed is sent once more, and when: the limits on tries and waits.
//!
//! How long the wait for a try is, `provider::retry` knows.

use crate::agent::Agent;
use crate::agent::failure::Failure;
use crate::base::clock;
use crate::base::clock::Spoken;
use crate::base::random;
use crate::http;
use crate::net;
use crate::provider;
use crate::provider::retry;
use std::time::Duration;

/// Before anything has worked, a server that can't be reached is most likely a wrong address:
/// then a person waits for our answer, not for a server that restarts.
const FIRST_TRIES_MAX: u32 = 2;

/// What was tried in vain for one answer.
#[derive(Default)]
pub(super) struct Retries {
    /// Tries that failed.
    pub(super) failed: u32,
    waited: Duration,
}

impl Retries {
    /// How long to wait before the next try; `None` to give up.
    pub(super) fn wait_after(&mut self, failure: &Failure, agent: &Agent) -> Option<Duration> {
        let after = match failure {
            Failure::Provider(provider::Error::Retry { after, .. }) => *after,
            Failure::Provider(provider::Error::Busy { after, .. }) => Some(*after),
            Failure::Net(error) if is_passing(error) => None,
            // Who renews the login may be away for a moment like anyone else.
            Failure::Auth(error) if error.is_passing() => None,
            _ => return None,
        };
        let is_unreachable = match failure {
            Failure::Net(error) => matches!(
                error.plain(),
                net::Error::Connect { .. } | net::Error::Resolve { .. }
            ),
            Failure::Auth(_) => true,
            _ => false,
        };
        let tries_max = if is_unreachable && !agent.run.has_worked {
            FIRST_TRIES_MAX.min(agent.options.retries_max)
        } else {
            agent.options.retries_max
        };
        if self.failed >= tries_max {
            return None;
        }
        self.failed += 1;
        let wait = retry::wait(self.failed, after, random::fraction());
        self.waited = self.waited.saturating_add(wait);
        (self.waited <= agent.options.retry_total).then_some(wait)
    }
}

/// A service that wants us back after a time that is longer than all we may wait has nothing more
/// to give until then: that is an allowance, with the moment at which there is one again.
pub(super) fn beyond_patience(failure: Failure, retry_total: Duration) -> Failure {
    match failure {
        Failure::Provider(provider::Error::Retry {
            after: Some(after),
            detail,
        }) if after > retry_total => Failure::Provider(provider::Error::Quota {
            resets_at: Some(clock::unix_seconds().saturating_add(after.as_secs())),
            detail: format!("{detail} (it asks for a wait of {})", Spoken(after)),
        }),
        failure => failure,
    }
}

/// Whether a network failure may be gone at the next try.
fn is_passing(error: &net::Error) -> bool {
    match error.plain() {
        net::Error::Connect { .. }
        | net::Error::Socket { .. }
        | net::Error::Resolve { .. }
        | net::Error::Timeout { .. }
        | net::Error::Broken { .. } => true,
        // A cut answer may come whole the next time; what broke the format will break it again.
        net::Error::Http { source, .. } => matches!(source, http::Error::Truncated { .. }),
        // A proxy that could not reach the server, and not one that forbids it.
        net::Error::Tunnel { source, .. } => source.is_passing(),
        net::Error::Offline { .. }
        | net::Error::Private { .. }
        | net::Error::ProxySetting(_)
        | net::Error::Proxy { .. }
        | net::Error::Tls { .. }
        | net::Error::TooLong { .. }
        | net::Error::Interrupted { .. }
        | net::Error::Wait(_) => false,
    }
}
