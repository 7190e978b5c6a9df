//! What came of one look: a line for a person, an object for a program.

use crate::base::text;
use crate::cli::fault::Fault;
use serde::Serialize;

/// What came of one look.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// Which of its kind.
    pub name: String,
    pub state: State,
    pub detail: String,
    /// What to do about it.
    pub fix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Ok,
    Warn,
    Fail,
}

impl Finding {
    /// All is well.
    pub fn ok(check: &'static str, name: &str, detail: impl Into<String>) -> Finding {
        Finding::new(check, name, State::Ok, detail.into(), "")
    }

    /// A run may work, and somebody should know this.
    pub fn warn(check: &'static str, name: &str, detail: impl Into<String>, fix: &str) -> Finding {
        Finding::new(check, name, State::Warn, detail.into(), fix)
    }

    /// A run cannot work.
    pub fn fail(check: &'static str, name: &str, detail: impl Into<String>, fix: &str) -> Finding {
        Finding::new(check, name, State::Fail, detail.into(), fix)
    }

    /// What would have ended another command.
    pub fn of_fault(check: &'static str, name: &str, fault: &Fault, fix: &str) -> Finding {
        let hint = fault.hint.as_deref().unwrap_or(fix);
        Finding::fail(check, name, fault.what.as_str(), hint)
    }

    fn new(check: &'static str, name: &str, state: State, detail: String, fix: &str) -> Finding {
        Finding {
            check,
            name: text::one_line(name),
            state,
            detail: text::one_line(&detail),
            fix: Some(text::one_line(fix)).filter(|fix| !fix.is_empty()),
        }
    }

    /// The state first, as a word, so that a glance down the edge is enough.
    pub fn spoken(&self) -> String {
        let state = match self.state {
            State::Ok => "ok  ",
            State::Warn => "warn",
            State::Fail => "fail",
        };
        let what = format!("{} {}", self.check, self.name);
        let mut line = format!(
            "{state}  {}: {}",
            text::harmless(what.trim_end()),
            text::harmless(&self.detail)
        );
        if let Some(fix) = &self.fix {
            line.push_str(&format!("\n      fix: {}", text::harmless(fix)));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_and_its_fix_another() {
        let found = Finding::fail("host", "h", "it is\naway", "bring\u{1b} it back");
        assert_eq!(
            found.spoken(),
            "fail  host h: it is away\n      fix: bring it back"
        );
        assert_eq!(Finding::ok("git", "", "there").spoken(), "ok    git: there");
    }
}
