//! A token that whoever started us hands in: as a variable, by a descriptor, or by a command.
//!
//! It is used as it is and never renewed by us; a command is run again when its token is about to
//! end or was refused. A command gets the cut-down environment, no terminal and no input.

use crate::auth;
use crate::auth::Error;
use crate::auth::Fault;
use crate::auth::Fetch;
use crate::auth::Token;
use crate::auth::Unrun;
use crate::auth::answer;
use crate::auth::borrowed::Lender;
use crate::base::clock;
use crate::base::clock::Deadline;
use crate::base::secret::Secret;
use crate::base::text;
use crate::proc::SelfPath;
use crate::proc::capture;
use crate::proc::capture::Bounds;
use crate::proc::capture::Capture;
use crate::proc::capture::Captured;
use crate::proc::capture::Fate;
use crate::proc::capture::Job;
use crate::proc::environment::Pairs;
use std::ffi::OsString;
use std::time::Duration;

/// A command may ask a person's second factor; it may not wait for ever.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(60);

/// Three tokens and a page of greetings.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// Of a command's words on its standard error.
const WORDS_CHARS_MAX: usize = 200;

/// A token that was handed in.
pub struct Given {
    /// The setting that holds it or says where it is.
    pub setting: &'static str,
    /// What was there, a token in any of the shapes that are read.
    pub text: Secret,
}

impl Given {
    /// The token in it; nobody is asked.
    pub fn token(&self) -> Result<Token, Error> {
        let text = self.text.expose().as_bytes();
        answer::read(text, self.setting, clock::unix_seconds()).map_err(|why| Error::Source {
            from: self.setting.to_string(),
            fault: Fault::NotAToken,
            detail: why.to_string(),
        })
    }
}

impl Lender for Given {
    fn lend(&mut self, _fetch: &mut dyn Fetch) -> Result<Token, Error> {
        self.token()
    }

    fn fixed_by(&self) -> Option<&'static str> {
        Some(self.setting)
    }

    fn secrets(&self) -> Vec<&Secret> {
        vec![&self.text]
    }
}

/// A command whose output is the token.
pub struct Command {
    /// What is run: the shell and its arguments, or the words of the command where there is none.
    pub words: Vec<OsString>,
    /// The cut-down environment.
    pub env: Pairs,
    /// Our own binary.
    pub self_path: SelfPath,
}

/// The setting that names the command.
const SETTING: &str = "CODEX_TOKEN_COMMAND";

impl Command {
    /// Starts it.
    pub fn start(&self, deadline: Deadline) -> Result<Capture, capture::Error> {
        let mut words = self.words.iter().cloned();
        let job = Job {
            program: words.next().unwrap_or_default(),
            args: words.collect(),
            cwd: None,
            env: self.env.clone(),
            input: Vec::new(),
            bounds: Bounds {
                deadline,
                output_bytes_max: OUTPUT_BYTES_MAX,
                fate: Fate::Killed,
            },
        };
        Capture::start(job, &self.self_path)
    }
}

/// The token that the command gave.
pub fn token_of(ran: Result<Captured, Unrun>) -> Result<Token, Error> {
    let failed = |fault, detail: String| Error::Source {
        from: SETTING.to_string(),
        fault,
        detail,
    };
    let captured = ran.map_err(|unrun| match unrun {
        Unrun::Program(error @ capture::Error::Timeout(_)) => {
            failed(Fault::TimedOut, error.to_string())
        }
        unrun => failed(Fault::Failed, unrun.to_string()),
    })?;
    if !captured.status.success() {
        let words = String::from_utf8_lossy(&captured.words);
        let words = text::harmless(&text::one_line(&words)).into_owned();
        let words = text::ellipsis(&words, WORDS_CHARS_MAX);
        let detail = match words.is_empty() {
            true => format!("it ended with {}", captured.status),
            false => format!("it ended with {}: {words}", captured.status),
        };
        return Err(failed(Fault::Failed, detail));
    }
    answer::read(&captured.output, SETTING, clock::unix_seconds())
        .map_err(|why| failed(Fault::NotAToken, why.to_string()))
}

impl Lender for Command {
    fn lend(&mut self, fetch: &mut dyn Fetch) -> Result<Token, Error> {
        let deadline = Deadline::after(COMMAND_TIME_MAX, "the time for a token command");
        let started = self.start(deadline).map_err(Unrun::Program);
        token_of(started.and_then(|program| auth::run(program, fetch)))
    }

    fn secrets(&self) -> Vec<&Secret> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::scratch::Nobody;
    use crate::auth::scratch::jwt;

    #[test]
    fn a_token_that_was_handed_in_is_used_as_it_is() {
        let mut given = Given {
            setting: "CODEX_ACCESS_TOKEN",
            text: Secret::new(format!("{}\n", jwt(5, "m"))),
        };
        let token = given.lend(&mut Nobody).unwrap();
        assert_eq!(token.expires_at, Some(5));
        assert_eq!(token.source, "CODEX_ACCESS_TOKEN");
        given.text = Secret::new("two words");
        let error = given.lend(&mut Nobody).unwrap_err();
        assert_eq!(error.kind(), "not_a_token");
        assert!(!error.to_string().contains("two words"), "{error}");
    }
}
