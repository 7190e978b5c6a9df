//! What is said to whoever logs in, and what they type: lines on standard error for a person, JSON
//! lines on standard output for a program, questions only where somebody can answer.

use crate::cli::courier::Courier;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use crate::term::lines::Lines;
use crate::term::writer;
use serde::Serialize;
use std::io;
use std::io::IsTerminal;
use std::io::Write;

/// The conversation.
pub struct Talk {
    /// What is typed, or comes through a pipe.
    pub lines: Lines,
    /// Whether somebody sits at a terminal and may be asked.
    pub has_person: bool,
    is_json: bool,
}

/// What a wait was woken by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    Typed,
    Signal,
}

impl Talk {
    /// Begins it.
    pub fn begin(is_json: bool) -> Result<Talk, Fault> {
        let lines = Lines::of_stdin();
        let has_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        Ok(Talk {
            lines: lines.map_err(|error| Fault::new(Exit::Fault, error))?,
            has_person: has_terminal && !is_json,
            is_json,
        })
    }

    /// Says something to the person beside the work.
    pub fn say(&self, text: &str) {
        if let Ok(mut out) = writer::stderr() {
            // Without a standard error nobody can be told.
            let _ = out.write_all(format!("{text}\n").as_bytes());
        }
    }

    /// Tells how it went: a line for a program, or words for a person.
    pub fn tell(&self, event: &impl Serialize, words: &str) -> Result<(), Fault> {
        let line = match self.is_json {
            true => serde_json::to_string(event).map_err(|error| Fault::new(Exit::Fault, error))?,
            false => words.to_string(),
        };
        let mut out = writer::stdout().map_err(|error| Fault::output(&error))?;
        writeln!(out, "{line}").map_err(|error| Fault::output(&error))
    }

    /// Tells a step of the way: a line for a program, and words for a person in any case.
    pub fn tell_step(&self, event: &impl Serialize, words: &str) -> Result<(), Fault> {
        if self.is_json {
            self.tell(event, "")?;
        }
        self.say(words);
        Ok(())
    }

    /// Asks a question that an empty line answers with yes. `None` if a signal ended it, which the
    /// courier remembers; the end of the input is no.
    pub fn agrees(&mut self, question: &str, courier: &mut Courier) -> Option<bool> {
        loop {
            if let Ok(mut out) = writer::stderr() {
                let _ = out.write_all(format!("{question} [Y/n] ").as_bytes());
            }
            let Some(line) = self.line(courier)? else {
                self.say("");
                return Some(false);
            };
            match line.trim().to_ascii_lowercase().as_str() {
                "" | "y" | "yes" => return Some(true),
                "n" | "no" => return Some(false),
                _ => {}
            }
        }
    }

    /// The next line; `Some(None)` if there will be none.
    fn line(&mut self, courier: &mut Courier) -> Option<Option<String>> {
        loop {
            if let Some(line) = self.lines.take_line() {
                return Some(Some(line));
            }
            let Some(fd) = self.lines.fd() else {
                return Some(None);
            };
            let mut set = PollSet::new();
            set.add(fd, Interest::Read, Woken::Typed);
            set.add(courier.signals.fd(), Interest::Read, Woken::Signal);
            let woken = set.wait(None).unwrap_or_default();
            if let Some(signal) = courier.signals.next() {
                courier.stopped_by = Some(signal as i32);
                return None;
            }
            if woken.contains(&Woken::Typed) {
                self.lines.read();
            }
        }
    }
}
