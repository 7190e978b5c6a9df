//! The one screen of `sx help`: how to begin, the names of all commands and topics, and the few
//! options that everybody needs. All of it comes from the tables, so a new row shows up by itself.

use super::tables::COLUMNS;
use super::tables::usage;
use super::tables::wrapped;
use super::tables::write_flag;
use super::tables::write_row;
use crate::cli::args::flags::FLAGS;
use crate::cli::args::verbs;
use crate::cli::args::verbs::COMMANDS;
use crate::cli::args::verbs::Verb;
use crate::cli::version::VERSION;
use crate::manual::PAGES;
use std::io;
use std::io::Write;

/// What most people begin with.
const FIRST: &[Verb] = &[Verb::Chat, Verb::Exec, Verb::Init, Verb::Doctor];

/// What the others are about. A command that stands nowhere is among the last.
const GROUPS: &[(&str, &[Verb])] = &[
    ("talks", &[Verb::Resume, Verb::Sessions]),
    (
        "login",
        &[
            Verb::Login,
            Verb::Logout,
            Verb::Status,
            Verb::Usage,
            Verb::Models,
            Verb::Fetchtoken,
            Verb::Token,
        ],
    ),
    (
        "set up",
        &[
            Verb::Config,
            Verb::Trust,
            Verb::Probe,
            Verb::Completions,
            Verb::Demo,
        ],
    ),
];

/// The options that everybody needs, by name.
const OPTIONS: &[&str] = &["model", "sandbox", "env", "cwd", "continue"];

/// Where the names of a group begin.
const NAMES_AT: usize = 10;

/// Writes the screen.
pub(super) fn write(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "sx {VERSION}: a coding agent in one file\n")?;
    for row in FIRST.iter().map(|verb| verbs::row(*verb)) {
        write_row(out, &usage(row), row.help)?;
    }
    writeln!(out)?;
    let mut others: Vec<Verb> = COMMANDS.iter().map(|row| row.verb).collect();
    others.retain(|verb| !FIRST.contains(verb));
    for (about, group) in GROUPS {
        others.retain(|verb| !group.contains(verb));
        write_names(out, about, group)?;
    }
    write_names(out, "more", &others)?;
    writeln!(out, "\nOptions, before or after the command:")?;
    let flags = FLAGS.iter().filter(|flag| OPTIONS.contains(&flag.long));
    flags
        .into_iter()
        .try_for_each(|flag| write_flag(out, flag))?;
    let topics: Vec<&str> = PAGES.iter().map(|page| page.topic).collect();
    let topics = wrapped(&topics.join(", "), COLUMNS - 2);
    writeln!(
        out,
        "\n`sx help COMMAND`, or a topic; `commands` has all of both:"
    )?;
    topics.iter().try_for_each(|line| writeln!(out, "  {line}"))
}

fn write_names(out: &mut dyn Write, about: &str, verbs: &[Verb]) -> io::Result<()> {
    let names: Vec<&str> = verbs.iter().map(|verb| verbs::row(*verb).name).collect();
    let mut left = about;
    for line in wrapped(&names.join(", "), COLUMNS - 2 - NAMES_AT) {
        writeln!(out, "  {left:NAMES_AT$}{line}")?;
        left = "";
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal shows at once.
    const LINES_MAX: usize = 24;

    #[test]
    fn one_screen_names_every_command_and_topic() {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        let screen = String::from_utf8(out).unwrap();
        assert!(screen.lines().count() <= LINES_MAX, "{screen}");
        let words: Vec<&str> = screen.split([' ', ',', '\n', '`']).collect();
        let commands = COMMANDS.iter().map(|row| row.name);
        for name in commands.chain(PAGES.iter().map(|page| page.topic)) {
            assert!(words.contains(&name), "{name} in\n{screen}");
        }
        for name in OPTIONS {
            assert!(screen.contains(&format!("--{name}")), "{name} in\n{screen}");
        }
    }
}
