//! A person at the terminal who is asked, a line at a time: plain words, nothing repainted, so that
//! a screen reader can follow.

use crate::base::clock::Deadline;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::input::Input;
use crate::sys::signals::Signals;
use crate::sys::tty::Hush;
use crate::term::lines;
use std::io;
use std::io::IsTerminal;
use std::os::fd::AsFd;

/// Longer than any key or token that is pasted.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// What the person is told whose line was longer than a terminal lets through.
const CUT: &str = "\n  not taken: the terminal cuts a line off after 4095 bytes
  `sx config --set KEY - <FILE` takes a longer one\n";

/// Asks and hears.
pub struct Person<'a> {
    input: Input<'a>,
}

impl<'a> Person<'a> {
    /// Who sits there takes the time that they need.
    pub fn new(signals: &'a Signals) -> Person<'a> {
        let deadline = Deadline::never();
        Person::of(&Input { signals, deadline })
    }

    /// Who sits there has the time of `input`.
    pub fn of(input: &Input<'a>) -> Person<'a> {
        Person { input: *input }
    }

    /// Whether there is one: both ends of the conversation are a terminal.
    pub fn is_there() -> bool {
        io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    /// Says something; `words` end with their line, or are a prompt.
    pub fn say(&self, words: &str) -> Result<(), Fault> {
        self.input.say(words)
    }

    /// The next line without the blanks around it; `None` where the person left (Ctrl-D). Asks
    /// again for a line that the terminal cut.
    pub fn line(&self, prompt: &str) -> Result<Option<String>, Fault> {
        loop {
            self.say(prompt)?;
            let line = self.input.next_line(LINE_BYTES_MAX);
            // The prompt's line is still open then. If nobody can be told, the fault says more.
            let is_open = !matches!(line, Ok(Some(_)));
            if is_open {
                let _ = self.say("\n");
            }
            match line? {
                Some(line) if lines::is_cut(&line) => self.say(CUT)?,
                line => return Ok(line.map(|line| line.trim().to_string())),
            }
        }
    }

    /// The same without the terminal showing what is typed.
    pub fn secret(&self, prompt: &str) -> Result<Option<String>, Fault> {
        let stdin = io::stdin();
        let hush = Hush::new(stdin.as_fd()).map_err(|error| {
            let what = format!("the terminal cannot hide what is typed: {error}");
            Fault::new(Exit::Fault, what).hint("`sx config --set KEY -` reads it from a pipe")
        })?;
        let line = self.line(prompt);
        drop(hush);
        if let Ok(Some(_)) = line {
            // The terminal did not show the end of the line either.
            self.say("\n")?;
        }
        line
    }

    /// Whether the person says yes; an empty line is `default`. `None` where they left.
    pub fn agrees(&self, question: &str, default: bool) -> Result<Option<bool>, Fault> {
        let choice = if default { "[Y/n]" } else { "[y/N]" };
        loop {
            let Some(reply) = self.line(&format!("{question} {choice} "))? else {
                return Ok(None);
            };
            match reply.to_ascii_lowercase().as_str() {
                "" => return Ok(Some(default)),
                "y" | "yes" => return Ok(Some(true)),
                "n" | "no" => return Ok(Some(false)),
                _ => self.say("  y or n\n")?,
            }
        }
    }

    /// One of `choices`, by its number from 1 or its word; nothing is `default`, if there is one.
    pub fn choose(
        &self,
        prompt: &str,
        choices: &[&str],
        default: Option<usize>,
    ) -> Result<Option<usize>, Fault> {
        loop {
            let Some(reply) = self.line(prompt)? else {
                return Ok(None);
            };
            let by_number = reply.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
            let by_word = || {
                choices
                    .iter()
                    .position(|word| word.eq_ignore_ascii_case(&reply))
            };
            let chosen = by_number.filter(|n| *n < choices.len()).or_else(by_word);
            match chosen.or(default.filter(|_| reply.is_empty())) {
                Some(chosen) => return Ok(Some(chosen)),
                None => self.say(&format!("  a number from 1 to {}\n", choices.len()))?,
            }
        }
    }
}
