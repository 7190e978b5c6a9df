//! From how a run went to what its caller gets: the last line, and the exit code.

use crate::agent::Agent;
use crate::agent::Outcome;
use crate::agent::event::Ending;
use crate::agent::event::Status;
use crate::agent::failure::Failure;
use crate::chat::Message;
use crate::chat::delta::Usage;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::hands;
use crate::net;
use crate::provider;

/// The code of a run that ended so.
pub fn exit_of(outcome: &Outcome) -> Exit {
    match &outcome.failure {
        None => Exit::of(&outcome.status),
        Some(failure) => exit_of_failure(failure),
    }
}

/// The end of a run.
pub fn of_outcome(outcome: Outcome, exit: Exit, agent: &Agent) -> Ending {
    let failure = outcome.failure.as_ref();
    Ending {
        exit: exit.code(),
        error: failure.map(Failure::to_string),
        hint: failure.and_then(|failure| failure.hint(agent.provider.as_ref())),
        status: outcome.status,
        text: outcome.text,
        turns: outcome.turns,
        usage: outcome.usage,
        session: session_of(agent).to_string(),
    }
}

/// The session that a person may want to come back to; empty where nothing was said or kept.
pub fn session_of(agent: &Agent) -> &str {
    let mut messages = agent.history.iter();
    match messages.any(|message| matches!(message, Message::User(_))) {
        true => &agent.opening.session,
        false => "",
    }
}

/// What stopped a command before there was a run.
pub fn fault_of(failure: &Failure) -> Fault {
    Fault::new(exit_of_failure(failure), failure)
}

/// The end of a run that could not begin.
pub fn of_fault(fault: &Fault) -> Ending {
    Ending {
        status: match fault.exit {
            Exit::Signal(_) => Status::Cancelled,
            Exit::Limit => Status::Limit("--timeout"),
            _ => Status::Failed,
        },
        exit: fault.exit.code(),
        text: String::new(),
        error: Some(fault.what.clone()),
        hint: fault.hint.clone(),
        turns: 0,
        usage: Usage::default(),
        session: String::new(),
    }
}

/// The code of what stopped a run.
pub fn exit_of_failure(failure: &Failure) -> Exit {
    match failure {
        Failure::Signal(number) => Exit::Signal(u8::try_from(*number).unwrap_or(u8::MAX)),
        Failure::Limit(_) => Exit::Limit,
        Failure::Output(_) => Exit::Output,
        Failure::Auth(error) if error.is_passing() => Exit::Provider,
        Failure::Auth(_) => Exit::Settings,
        Failure::Provider(error) => exit_of_refusal(error),
        Failure::Net(error) => exit_of_net(error),
        Failure::Cut(_) => Exit::Provider,
        Failure::Hands(hands::client::Error::Refused { .. }) => Exit::Settings,
        Failure::Hands(_) | Failure::Wait(_) => Exit::Fault,
    }
}

/// What a setting forbids or breaks is no fault of the network.
fn exit_of_net(error: &net::Error) -> Exit {
    match error.plain() {
        net::Error::Tls { source, .. } if source.is_setting() => Exit::Settings,
        net::Error::Offline { .. } | net::Error::ProxySetting(_) => Exit::Settings,
        _ => Exit::Provider,
    }
}

fn exit_of_refusal(error: &provider::Error) -> Exit {
    match error {
        provider::Error::Auth { .. }
        | provider::Error::Forbidden { .. }
        | provider::Error::Settings { .. } => Exit::Settings,
        provider::Error::Quota { .. } => Exit::Quota,
        provider::Error::Unfit { otherwise, .. } => exit_of_refusal(otherwise),
        provider::Error::Retry { .. }
        | provider::Error::Busy { .. }
        | provider::Error::Overflow { .. }
        | provider::Error::OtherWire { .. }
        | provider::Error::Refused { .. } => Exit::Provider,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth;
    use std::io;

    #[track_caller]
    fn check(failure: Failure, code: u8) {
        assert_eq!(exit_of_failure(&failure).code(), code, "{failure}");
    }

    #[test]
    fn every_failure_has_its_code() {
        let detail = String::new;
        check(Failure::Signal(2), 130);
        check(Failure::Signal(15), 143);
        check(Failure::Limit("MAX_TURNS"), 6);
        check(Failure::Output(io::Error::from_raw_os_error(28)), 9);
        check(Failure::Auth(auth::Error::NotFound { tried: vec![] }), 3);
        check(
            Failure::Auth(auth::Error::Transient { detail: detail() }),
            5,
        );
        check(
            Failure::Provider(provider::Error::Auth { detail: detail() }),
            3,
        );
        let quota = provider::Error::Quota {
            resets_at: None,
            detail: detail(),
        };
        check(Failure::Provider(quota), 4);
        let retry = provider::Error::Retry {
            after: None,
            detail: detail(),
        };
        check(Failure::Provider(retry), 5);
        check(Failure::Cut("it is too long"), 5);
        let refused = hands::client::Error::Refused {
            reason: detail(),
            hint: detail(),
        };
        check(Failure::Hands(refused), 3);
    }
}
