//! The face for people, made to measure: which streams are terminals, and what they can show.

use crate::agent::event::Face;
use crate::base::clock::Deadline;
use crate::cli::args::Color;
use crate::cli::fault::Fault;
use crate::cli::ground;
use crate::cli::ground::Ground;
use crate::cli::human::Human;
use crate::cli::human::Mode;
use crate::cli::human::Options;
use crate::term::style;
use crate::term::style::Palette;
use crate::term::writer;
use std::io;
use std::io::IsTerminal;

/// Where the terminal's width is not known: hardly one is narrower. The kernel would tell it only
/// by a call that the crates we have do not offer without unsafe code, so `COLUMNS` is asked.
const COLUMNS: usize = 80;

/// Narrower than this nothing reads well.
const COLUMNS_MIN: usize = 40;

/// What an output of ours can show.
#[derive(Clone, Copy, Debug)]
pub struct Looks {
    /// Whether styles are shown.
    pub palette: Palette,
    /// Whether more than ASCII is.
    pub unicode: bool,
    /// How wide a line may be.
    pub columns: usize,
}

/// What the person, the locale and the terminal say of an output.
pub fn looks(ground: &Ground, is_terminal: bool) -> Looks {
    let variable = |name| ground::variable(name);
    let no_color = variable("NO_COLOR");
    let term = variable("TERM");
    let columns = variable("COLUMNS").and_then(|columns| columns.parse().ok());
    Looks {
        palette: match ground.color {
            Color::Always => Palette::Colored,
            Color::Never => Palette::Plain,
            Color::Auto => Palette::auto(is_terminal, no_color.as_deref(), term.as_deref()),
        },
        unicode: style::takes_utf8(
            variable("LC_ALL").as_deref(),
            variable("LC_CTYPE").as_deref(),
            variable("LANG").as_deref(),
        ),
        columns: columns.unwrap_or(COLUMNS).max(COLUMNS_MIN),
    }
}

/// The face of `sx exec`.
pub fn for_exec(ground: &Ground, deadline: Deadline) -> Result<Box<dyn Face>, Fault> {
    human(ground, Mode::Exec, io::stderr().is_terminal(), deadline)
}

/// The face of a conversation.
pub fn for_chat(ground: &Ground) -> Result<Box<dyn Face>, Fault> {
    let is_terminal = io::stdout().is_terminal();
    human(ground, Mode::Interactive, is_terminal, Deadline::never())
}

fn human(
    ground: &Ground,
    mode: Mode,
    is_terminal: bool,
    deadline: Deadline,
) -> Result<Box<dyn Face>, Fault> {
    let out = writer::stdout().map_err(|error| Fault::output(&error))?;
    let err = writer::stderr().map_err(|error| Fault::output(&error))?;
    let looks = looks(ground, is_terminal);
    Ok(Box::new(Human::new(Options {
        out: Box::new(out.until(deadline)),
        err: Box::new(err.until(deadline)),
        mode,
        quiet: ground.is_quiet,
        verbose: ground.is_verbose,
        color: looks.palette,
        unicode: looks.unicode,
        columns: looks.columns,
        stream_to_out: io::stdout().is_terminal(),
        home: ground.home(),
    })))
}
