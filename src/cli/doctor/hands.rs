//! The sandbox, as real hands report it that are started as a run would start them.

use super::Look;
use super::Wait;
use super::Woken;
use super::finding::Finding;
use crate::base::clock::Deadline;
use crate::cli::build;
use crate::cli::ground::Ground;
use crate::hands::client;
use crate::hands::client::Client;
use crate::hands::wire::Ready;
use crate::sys::poll::PollSet;
use std::time::Duration;

/// The hands are there within milliseconds, or something is wrong.
const HANDS_WAIT_MAX: Duration = Duration::from_secs(10);

/// Hands that make themselves ready.
struct Start {
    hands: Client,
    whole: Deadline,
    is_off: bool,
}

/// Starts them.
pub(super) fn begin(ground: &Ground) -> Look {
    let tools = build::tool_specs(&ground.settings, build::Reader::Caller);
    match build::hands(ground, &tools) {
        Ok(hands) => Look::Waits(Box::new(Start {
            hands,
            whole: Deadline::after(HANDS_WAIT_MAX, "HANDS_WAIT_MAX"),
            is_off: ground.settings.text("SANDBOX") == "off",
        })),
        Err(fault) => {
            let fix = "correct it where it is set";
            Look::Known(vec![Finding::of_fault("sandbox", "", &fault, fix)])
        }
    }
}

impl Wait for Start {
    fn watch<'fd>(&'fd self, set: &mut PollSet<'fd, Woken>) {
        self.hands.watch(set, Woken::Look);
    }

    fn deadline(&self) -> Deadline {
        self.whole
    }

    fn step(&mut self) -> Option<Vec<Finding>> {
        let fault = match self.hands.pump() {
            Err(client::Error::Refused { reason, hint }) => (reason, hint),
            Err(error) => (error.to_string(), "look at what ended it".to_string()),
            Ok(_) => match self.hands.ready() {
                Some(ready) => return Some(told(ready, self.is_off)),
                None if self.whole.is_over() => {
                    let wait = HANDS_WAIT_MAX.as_secs();
                    let what = format!(
                        "the process that runs the tools says nothing within {wait} s of its start"
                    );
                    (what, "look at what holds `sx hands`".to_string())
                }
                None => return None,
            },
        };
        let (what, fix) = fault;
        Some(vec![Finding::fail("sandbox", "", what, &fix)])
    }
}

fn told(ready: &Ready, is_off: bool) -> Vec<Finding> {
    let mut found = vec![match is_off {
        true => Finding::warn(
            "sandbox",
            "",
            &ready.sandbox,
            "SANDBOX=workspace locks commands into the project",
        ),
        false => Finding::ok("sandbox", "", &ready.sandbox),
    }];
    if !is_off && !ready.gaps.is_empty() {
        let gaps = ready.gaps.join("; ");
        found.push(Finding::ok("sandbox", "leaves open", gaps));
    }
    found.push(match &ready.shell {
        Some(shell) => Finding::ok("shell", shell, "commands are run by it"),
        None => Finding::warn(
            "shell",
            "",
            "there is none, so `bash` can run nothing",
            "install bash or busybox, or set TOOL_BASH=0",
        ),
    });
    found.extend(ready.notes.iter().map(|note| {
        let fix = "see the folder that it names; TMPDIR chooses another";
        Finding::warn("hands", "", note, fix)
    }));
    found
}
