//! `sx patch`: applies a patch in the apply_patch format, as a program for scripts and models.
//!
//! Needs no setting, no hands and no network; whoever calls it has the sandbox that it has. Exit
//! codes and streams are those of the official `apply_patch`: 0 and a report on stdout, or 1 and
//! the reason on stderr, bare, so that a model reads it as it knows it.

use crate::base::clock::Deadline;
use crate::base::text;
use crate::cli::args::Patch;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground;
use crate::cli::input;
use crate::cli::input::Input;
use crate::cli::stop;
use crate::term::writer;
use crate::tools::apply_patch::standalone;
use std::io;
use std::io::IsTerminal;
use std::io::Write;
use std::path::Path;

/// A patch of more than the largest file that it may change is no work of a model.
const PATCH_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Applies the patch.
pub fn run(options: &Patch) -> Result<Exit, Fault> {
    let is_typed = options.file.is_none() && io::stdin().is_terminal();
    if is_typed {
        let hint = "`sx patch FILE`, or `sx patch <FILE`; `sx patch -` reads what is typed";
        return Err(Fault::new(Exit::Usage, "`sx patch` needs a patch").hint(hint));
    }
    let signals = stop::signals()?;
    let input = Input {
        signals: &signals,
        deadline: Deadline::never(),
    };
    let cwd = ground::working_directory(options.cwd.as_deref())?;
    let (bytes, name) = match options.file.as_deref() {
        Some(path) if path != Path::new("-") => {
            (input.file(path, PATCH_BYTES_MAX)?, input::shown(path))
        }
        _ => (input.stdin(PATCH_BYTES_MAX)?, "stdin".to_string()),
    };
    let Ok(patch) = String::from_utf8(bytes) else {
        return refuse(&format!("Failed to read the patch: {name} is not UTF-8"));
    };
    match standalone::apply(&patch, &cwd) {
        Ok(report) => {
            let out = writer::stdout();
            out.and_then(|mut out| out.write_all(report.as_bytes()))
                .map_err(|error| Fault::output(&error))?;
            Ok(Exit::Done)
        }
        Err(error) => refuse(&error.to_string()),
    }
}

/// Says why, in words that cannot move a terminal's cursor.
fn refuse(why: &str) -> Result<Exit, Fault> {
    if let Ok(mut err) = writer::stderr() {
        // Without a standard error the code has to do.
        let _ = err.write_all(format!("{}\n", text::harmless(why)).as_bytes());
    }
    Ok(Exit::Fault)
}
