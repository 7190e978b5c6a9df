//! The way to one host: walked by a request to the service, or by a connection alone to the
//! others, which might take a question for more than it is.

use super::Look;
use super::Wait;
use super::Woken;
use super::way::Walk;
use crate::base::clock::Deadline;
use crate::cli::doctor::finding::Finding;
use crate::http::exchange::Request;
use crate::http::url::Url;
use crate::net;
use crate::net::Client;
use crate::net::opening::Opening;
use crate::net::trace::Trace;
use crate::net::transfer::Transfer;
use crate::provider::Provider;
use crate::sys::poll::PollSet;
use std::time::Duration;

/// For name, connection, handshake and answer together; most of it is for the connection, whose
/// own limit is 10 s.
const HOST_WAIT_MAX: Duration = Duration::from_secs(15);

/// Its name in what is told.
const LIMIT: &str = "the doctor's 15 s";

/// A host that is being tried.
struct Try {
    key: &'static str,
    url: Url,
    step: Step,
    whole: Deadline,
}

enum Step {
    Reach(Box<Opening>),
    Ask(Box<Transfer>),
}

/// Asks the service for its models, without a login.
pub(super) fn ask(client: &mut Client, key: &'static str, provider: &dyn Provider) -> Look {
    let request = provider.models_request(None);
    let request = request.unwrap_or_else(|_| Request::get(provider.endpoint().clone()));
    let url = request.url.clone();
    let started = client.start(request);
    begin(
        key,
        url,
        started.map(|transfer| Step::Ask(Box::new(transfer))),
    )
}

/// Connects, and no more.
pub(super) fn reach(client: &mut Client, key: &'static str, url: Url) -> Look {
    let opening = client.open(&url);
    begin(
        key,
        url,
        opening.map(|opening| Step::Reach(Box::new(opening))),
    )
}

fn begin(key: &'static str, url: Url, started: Result<Step, net::Error>) -> Look {
    match started {
        Ok(step) => Look::Waits(Box::new(Try {
            key,
            url,
            step,
            whole: Deadline::after(HOST_WAIT_MAX, LIMIT),
        })),
        Err(error) => Look::Known(
            Walk {
                key,
                url: &url,
                trace: &Trace::start(),
                head: None,
                error: Some(error),
            }
            .told(),
        ),
    }
}

impl Wait for Try {
    fn watch<'fd>(&'fd self, set: &mut PollSet<'fd, Woken>) {
        match &self.step {
            Step::Reach(opening) => opening.wait_for(set, Woken::Look),
            Step::Ask(transfer) => transfer.wait_for(set, Woken::Look),
        }
    }

    fn deadline(&self) -> Deadline {
        let deadline = match &self.step {
            Step::Reach(opening) => opening.deadline(),
            Step::Ask(transfer) => transfer.deadline(),
        };
        deadline.sooner(self.whole)
    }

    fn step(&mut self) -> Option<Vec<Finding>> {
        let moved = match &mut self.step {
            Step::Reach(opening) => opening.step().map(|connection| connection.is_some()),
            // What stands in the answer is of no interest.
            Step::Ask(transfer) => match transfer.step(&mut Vec::new()) {
                Ok(_) => match transfer.refused_by_proxy() {
                    Some(refusal) => Err(refusal),
                    None => Ok(transfer.head().is_some()),
                },
                // So it may break off.
                Err(_) if transfer.head().is_some() => Ok(true),
                Err(error) => Err(error),
            },
        };
        let error = match moved {
            Ok(true) => None,
            Ok(false) if self.whole.is_over() => Some(net::Error::Timeout {
                host: self.url.host.clone(),
                limit: self.whole.limit(),
            }),
            Ok(false) => return None,
            Err(error) => Some(error),
        };
        let (trace, head) = match &self.step {
            Step::Reach(opening) => (opening.trace(), None),
            Step::Ask(transfer) => (transfer.trace(), transfer.head()),
        };
        let walk = Walk {
            key: self.key,
            url: &self.url,
            trace,
            head,
            error,
        };
        Some(walk.told())
    }
}
