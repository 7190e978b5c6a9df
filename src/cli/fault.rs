//! Why a command could not even begin, or could not go on: what, a hint, and an exit code.

use crate::cli::exit::Exit;
use crate::term;
use std::fmt::Display;
use std::io;
use std::io::Write;

/// The end of a command, as a person is told.
#[derive(Debug)]
pub struct Fault {
    /// The code for the caller.
    pub exit: Exit,
    /// What is wrong, in one line.
    pub what: String,
    /// What to do about it, in one line.
    pub hint: Option<String>,
    /// Whether only the exit code tells it, since nobody wants to read it.
    pub is_silent: bool,
}

impl Fault {
    /// A fault of the kind that `exit` says.
    pub fn new(exit: Exit, what: impl Display) -> Fault {
        Fault {
            exit,
            what: what.to_string(),
            hint: None,
            is_silent: false,
        }
    }

    /// With what to do about it.
    pub fn hint(self, hint: impl Display) -> Fault {
        Fault {
            hint: Some(hint.to_string()),
            ..self
        }
    }

    /// Standard output could not be written. A reader that has gone away is not worth a word.
    pub fn output(error: &io::Error) -> Fault {
        let what = format!("the output could not be written: {error}");
        Fault {
            is_silent: error.kind() == io::ErrorKind::BrokenPipe,
            ..Fault::new(Exit::Output, what)
        }
    }

    /// Says it on standard error, as far as there is one.
    pub fn print(&self) {
        if self.is_silent {
            return;
        }
        let mut text = format!("sx: {}\n", self.what);
        if let Some(hint) = &self.hint {
            text.push_str(&format!("hint: {hint}\n"));
        }
        if let Ok(mut out) = term::writer::stderr() {
            // Without a standard error the exit code has to do.
            let _ = out.write_all(text.as_bytes());
        }
    }
}
