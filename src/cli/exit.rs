//! Exit codes: their numbers, and which of two wins.
//!
//! The numbers are a promise to scripts. `sx help exit` prints what they mean from `MEANINGS`.

use crate::agent::event::Status;

/// Why the program ended, as its caller reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The work is done.
    Done,
    /// Something in sx itself is broken.
    Fault,
    /// The command line makes no sense.
    Usage,
    /// A setting or a credential does not work.
    Settings,
    /// The account's allowance is spent.
    Quota,
    /// The provider or the network failed.
    Provider,
    /// A limit of ours fired.
    Limit,
    /// It ended well, but calls were refused.
    Refused,
    /// The caller's own check failed.
    CheckFailed,
    /// The output could not be written.
    Output,
    /// A signal of this number ended it.
    Signal(u8),
}

/// What each means to a caller, in the order of their numbers; a signal's number stands for itself.
pub static MEANINGS: &[(Exit, &str)] = &[
    (Exit::Done, "done"),
    (Exit::Fault, "a fault of ours"),
    (Exit::Usage, "the command line is wrong"),
    (
        Exit::Settings,
        "a setting, the credential or the sandbox is wrong",
    ),
    (
        Exit::Quota,
        "the account's allowance is spent; the message says until when",
    ),
    (Exit::Provider, "the provider or the network failed"),
    (
        Exit::Limit,
        "a limit of ours fired, such as MAX_TURNS, LOOP_MAX or --timeout",
    ),
    (Exit::Refused, "ended well, but calls were refused"),
    (Exit::Output, "output could not be written"),
    (Exit::Signal(SIGINT), "ended by Ctrl-C (SIGINT)"),
    (Exit::Signal(SIGTERM), "ended by SIGTERM"),
];

/// What a signal's number is added to, as shells do it.
const SIGNAL_BASE: u8 = 128;

/// Ctrl-C.
const SIGINT: u8 = 2;

/// What a service manager stops a program by.
const SIGTERM: u8 = 15;

impl Exit {
    /// The number that the caller sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Fault => 1,
            Exit::Usage => 2,
            Exit::Settings => 3,
            Exit::Quota => 4,
            Exit::Provider => 5,
            Exit::Limit => 6,
            Exit::Refused => 7,
            Exit::CheckFailed => 8,
            Exit::Output => 9,
            Exit::Signal(number) => SIGNAL_BASE.saturating_add(number),
        }
    }

    /// The code of a run that ended so. A failure counts as the provider's or the network's, and a
    /// cancelled run as ended by Ctrl-C: whoever knows it better says so.
    pub fn of(status: &Status) -> Exit {
        match status {
            Status::Done => Exit::Done,
            Status::Refused => Exit::Refused,
            Status::Failed => Exit::Provider,
            Status::Quota { .. } => Exit::Quota,
            Status::Limit(_) => Exit::Limit,
            Status::Cancelled => Exit::Signal(SIGINT),
        }
    }

    /// Whichever of the two the caller should see; this one if they weigh the same.
    pub fn or(self, other: Exit) -> Exit {
        if other.weight() > self.weight() {
            other
        } else {
            self
        }
    }

    /// A signal hides lost output, that hides a failure, that hides a limit, and so on down.
    fn weight(self) -> u8 {
        match self {
            Exit::Signal(_) => 6,
            Exit::Output => 5,
            Exit::Fault | Exit::Usage | Exit::Settings | Exit::Quota | Exit::Provider => 4,
            Exit::Limit => 3,
            Exit::CheckFailed => 2,
            Exit::Refused => 1,
            Exit::Done => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_meaning() {
        let told: Vec<u8> = MEANINGS.iter().map(|(exit, _)| exit.code()).collect();
        // 8 is kept for the caller's own check, which nothing runs yet.
        assert_eq!(told, [0, 1, 2, 3, 4, 5, 6, 7, 9, 130, 143]);
    }

    #[test]
    fn the_heavier_reason_wins() {
        let order = [
            Exit::Done,
            Exit::Refused,
            Exit::CheckFailed,
            Exit::Limit,
            Exit::Quota,
            Exit::Output,
            Exit::Signal(2),
        ];
        for (at, light) in order.iter().enumerate() {
            for heavy in &order[at..] {
                assert_eq!(light.or(*heavy), *heavy);
                assert_eq!(heavy.or(*light), *heavy);
            }
        }
        assert_eq!(Exit::Settings.or(Exit::Provider), Exit::Settings);
    }

    #[test]
    fn every_status_has_a_code_and_a_word() {
        let check = |status: Status, code: u8, expected: &str| {
            assert_eq!(Exit::of(&status).code(), code);
            assert_eq!(status.word(), expected);
        };
        check(Status::Done, 0, "done");
        check(Status::Refused, 7, "refused");
        check(Status::Failed, 5, "failed");
        check(Status::Quota { resets_at: None }, 4, "quota");
        check(Status::Limit("MAX_TURNS"), 6, "limit");
        check(Status::Cancelled, 130, "cancelled");
    }
}
