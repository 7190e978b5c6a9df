//! How a row of the table of options is written: three kinds of them.

use super::Flag;
use super::Meaning;
use crate::cli::args::verbs::Verb;

/// An option that stands for a setting.
pub(super) const fn key(
    long: &'static str,
    short: Option<char>,
    name: &'static str,
    key: &'static str,
    verbs: &'static [Verb],
    help: &'static str,
) -> Flag {
    value(Meaning::Key(key), long, short, name, verbs, help)
}

/// An option with a value.
pub(super) const fn value(
    meaning: Meaning,
    long: &'static str,
    short: Option<char>,
    name: &'static str,
    verbs: &'static [Verb],
    help: &'static str,
) -> Flag {
    Flag {
        meaning,
        long,
        short,
        value: Some(name),
        verbs,
        help,
    }
}

/// An option without one.
pub(super) const fn switch(
    meaning: Meaning,
    long: &'static str,
    short: Option<char>,
    verbs: &'static [Verb],
    help: &'static str,
) -> Flag {
    Flag {
        meaning,
        long,
        short,
        value: None,
        verbs,
        help,
    }
}
