//! What the pages of the manual say in rows, each printed from the table that the code obeys.

use crate::agent::own;
use crate::cli::args::flags::FLAGS;
use crate::cli::args::flags::Flag;
use crate::cli::args::verbs::COMMANDS;
use crate::cli::args::verbs::Row;
use crate::cli::exit;
use crate::config::keys::Harmless;
use crate::config::keys::Key;
use crate::config::table::KEYS;
use crate::provider::CAPABILITIES;
use crate::provider::Capabilities;
use crate::tools;
use std::io;
use std::io::Write;

/// What every terminal has.
pub(super) const COLUMNS: usize = 80;

/// The settings that say how long the network may take.
const LIMITS: &[&str] = &[
    "CONNECT_TIMEOUT",
    "TLS_TIMEOUT",
    "FIRST_BYTE_TIMEOUT",
    "IDLE_TIMEOUT",
    "RETRY_MAX",
    "RETRY_TOTAL",
];

/// Writes the table that ends the page on `topic`; most have none.
pub(super) fn write(out: &mut dyn Write, topic: &str) -> io::Result<()> {
    match topic {
        "settings" => KEYS.iter().try_for_each(|key| write_key(out, key)),
        "network" => {
            let mut limits = KEYS.iter().filter(|key| LIMITS.contains(&key.name));
            limits.try_for_each(|key| write_key(out, key))
        }
        "providers" => CAPABILITIES
            .iter()
            .try_for_each(|row| write_capabilities(out, row)),
        "tools" => {
            let hands = tools::TOOLS.iter().map(|tool| tool.spec);
            let mut all = hands.chain(own::TOOLS.iter().map(|tool| tool.spec));
            all.try_for_each(|tool| write_tool(out, tool.name, tool.description))
        }
        "exit" => exit::MEANINGS
            .iter()
            .try_for_each(|(exit, what)| writeln!(out, "    {:<6}{what}", exit.code())),
        "commands" => {
            COMMANDS
                .iter()
                .try_for_each(|row| write_row(out, &usage(row), row.help))?;
            writeln!(out, "\n## Options\n")?;
            FLAGS.iter().try_for_each(|flag| write_flag(out, flag))
        }
        _ => Ok(()),
    }
}

/// How to call a command, what it does, and its options.
pub(super) fn write_command(out: &mut dyn Write, row: &Row) -> io::Result<()> {
    writeln!(out, "{}\n\n{}\n\nOptions:", usage(row), row.help)?;
    let mut taken = FLAGS.iter().filter(|flag| flag.is_for(row.verb));
    taken.try_for_each(|flag| write_flag(out, flag))
}

/// How a command is called.
pub(super) fn usage(row: &Row) -> String {
    let words = ["sx", row.name, row.arguments];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// An option with its value.
pub(super) fn option(flag: &Flag) -> String {
    let value = flag.value.map_or(String::new(), |name| format!(" {name}"));
    format!("--{}{value}", flag.long)
}

pub(super) fn write_flag(out: &mut dyn Write, flag: &Flag) -> io::Result<()> {
    let short = flag
        .short
        .map_or("    ".to_string(), |letter| format!("-{letter}, "));
    write_row(out, &format!("{short}{}", option(flag)), flag.help)
}

/// Where the right column begins: the longest option and a blank fit before it.
const LEFT_COLUMNS: usize = 25;

/// A row of two columns; in two lines if the left one is long.
pub(super) fn write_row(out: &mut dyn Write, left: &str, right: &str) -> io::Result<()> {
    if left.len() < LEFT_COLUMNS {
        writeln!(out, "  {left:LEFT_COLUMNS$}{right}")
    } else {
        writeln!(out, "  {left}\n  {:LEFT_COLUMNS$}{right}", "")
    }
}

/// The words of `text` in lines of at most `columns`. A longer word has a line of its own.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

fn write_key(out: &mut dyn Write, key: &Key) -> io::Result<()> {
    writeln!(out, "\n{}={}", key.name, key.default)?;
    writeln!(out, "    {}", key.help)?;
    writeln!(out, "    is {}", key.kind.allowed())?;
    match key.harmless {
        Harmless::Always => writeln!(out, "    a project's file may set it"),
        Harmless::Only(value) => writeln!(out, "    a project's file may set it to {value} only"),
        Harmless::Except(value) => {
            writeln!(out, "    a project's file may set it, but not to {value}")
        }
        Harmless::Never => Ok(()),
    }
}

/// What a provider can do, a line each.
fn write_capabilities(out: &mut dyn Write, row: &Capabilities) -> io::Result<()> {
    writeln!(out, "\n{}\n", row.provider)?;
    let features = [
        ("streaming", row.streaming),
        ("thinking", row.thinking),
        ("tool use", row.tools),
        ("native function calling", row.functions),
        ("vision", row.vision),
        ("token refresh", row.refresh),
        ("context caching", row.caching),
        ("hosted web search", row.search),
    ];
    for (feature, is_there) in features {
        let word = if is_there { "yes" } else { "no" };
        writeln!(out, "    {feature:<26}{word}")?;
    }
    Ok(())
}

/// A tool, in the words in which the model is offered it.
fn write_tool(out: &mut dyn Write, name: &str, description: &str) -> io::Result<()> {
    const INDENT: usize = 18;
    let mut left = name;
    for line in wrapped(description, COLUMNS - INDENT) {
        writeln!(out, "    {left:<14}{line}")?;
        left = "";
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_a_setting() {
        let mut out = Vec::new();
        write(&mut out, "network").unwrap();
        let table = String::from_utf8(out).unwrap();
        for name in LIMITS {
            assert!(table.contains(&format!("\n{name}=")), "{name}");
        }
    }

    #[test]
    fn words_fill_lines() {
        assert_eq!(wrapped("a bc  def\ng", 4), ["a bc", "def", "g"]);
        assert_eq!(wrapped("abcdef g", 3), ["abcdef", "g"]);
        assert!(wrapped(" ", 3).is_empty());
    }
}
