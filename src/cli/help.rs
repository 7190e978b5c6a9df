//! `sx help`: the overview and each command from the tables of `cli::args`, the manual from its
//! pages. Needs no setting, no file and no network.

use super::args::flags::FLAGS;
use super::args::flags::Flag;
use super::args::verbs::COMMANDS;
use super::args::verbs::Row;
use super::version::VERSION;
use crate::base::text;
use crate::config::keys::Harmless;
use crate::config::keys::Key;
use crate::config::table::KEYS;
use crate::manual::PAGES;
use crate::provider::CAPABILITIES;
use crate::provider::Capabilities;
use std::fmt;
use std::io;
use std::io::Write;

/// Why no help was written.
#[derive(Debug)]
pub enum Error {
    /// There is no such topic, or several begin so.
    Topic {
        /// As it was typed.
        topic: String,
        /// Those that begin so; none where it is simply unknown.
        matching: Vec<&'static str>,
    },
    /// The output is gone.
    Output(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Topic { topic, matching } => {
                let topic = text::one_line(topic);
                let topics = if matching.is_empty() {
                    topics()
                } else {
                    matching.clone()
                };
                match matching.is_empty() {
                    true => write!(f, "there is no help on `{topic}`\nhint: the topics are ")?,
                    false => write!(f, "`{topic}` is the beginning of several topics\nhint: ")?,
                }
                f.write_str(&topics.join(", "))
            }
            Error::Output(_) => f.write_str("cannot write the help"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Topic { .. } => None,
            Error::Output(source) => Some(source),
        }
    }
}

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Error {
        Error::Output(source)
    }
}

/// Writes the overview, or the help on a command or topic, which may be cut to a unique beginning.
pub fn write(out: &mut dyn Write, topic: Option<&str>) -> Result<(), Error> {
    let Some(asked) = topic else {
        return Ok(overview(out)?);
    };
    let name = find(asked)?;
    // A word can be both, as `sessions` is: first how to call it, then what it is about.
    let command = COMMANDS.iter().find(|row| row.name == name);
    let page = PAGES.iter().find(|page| page.topic == name);
    if let Some(row) = command {
        write_command(out, row)?;
    }
    if command.is_some() && page.is_some() {
        writeln!(out)?;
    }
    if let Some(page) = page {
        write!(out, "{}", page.text)?;
        if page.topic == "settings" {
            KEYS.iter().try_for_each(|key| write_key(out, key))?;
        }
        if page.topic == "providers" {
            CAPABILITIES
                .iter()
                .try_for_each(|row| write_capabilities(out, row))?;
        }
    }
    Ok(())
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

/// Everything that has help, each once.
fn topics() -> Vec<&'static str> {
    let mut names: Vec<&str> = PAGES.iter().map(|page| page.topic).collect();
    for row in COMMANDS {
        if !row.name.is_empty() && !names.contains(&row.name) {
            names.push(row.name);
        }
    }
    names
}

fn find(asked: &str) -> Result<&'static str, Error> {
    let asked = asked.trim().to_lowercase();
    let names = topics();
    if let Some(exact) = names.iter().find(|name| **name == asked) {
        return Ok(exact);
    }
    let begins = |name: &&&'static str| !asked.is_empty() && name.starts_with(&asked);
    let matching: Vec<&'static str> = names.iter().filter(begins).copied().collect();
    match matching.as_slice() {
        [one] => Ok(one),
        _ => Err(Error::Topic {
            topic: asked,
            matching,
        }),
    }
}

fn overview(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "sx {VERSION}: a coding agent in one file\n")?;
    for row in COMMANDS {
        write_row(out, &usage(row), row.help)?;
    }
    writeln!(
        out,
        "\nOptions, before or after the command; `sx help COMMAND` has those it takes:"
    )?;
    FLAGS.iter().try_for_each(|flag| write_flag(out, flag))?;
    writeln!(out, "\nThe manual, `sx help TOPIC`:")?;
    let topics: Vec<&str> = PAGES.iter().map(|page| page.topic).collect();
    for line in topics.chunks(TOPICS_A_LINE) {
        writeln!(out, "  {}", line.join(", "))?;
    }
    Ok(())
}

/// As many as fit into a terminal.
const TOPICS_A_LINE: usize = 5;

fn write_command(out: &mut dyn Write, row: &Row) -> io::Result<()> {
    writeln!(out, "{}\n\n{}\n\nOptions:", usage(row), row.help)?;
    let taken = FLAGS.iter().filter(|flag| flag.is_for(row.verb));
    taken.into_iter().try_for_each(|flag| write_flag(out, flag))
}

fn usage(row: &Row) -> String {
    let words = ["sx", row.name, row.arguments];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

fn write_flag(out: &mut dyn Write, flag: &Flag) -> io::Result<()> {
    let short = flag
        .short
        .map_or("    ".to_string(), |letter| format!("-{letter}, "));
    let value = flag.value.map_or(String::new(), |name| format!(" {name}"));
    write_row(out, &format!("{short}--{}{value}", flag.long), flag.help)
}

/// Where the right column begins: the longest option and a blank fit before it.
const LEFT_COLUMNS: usize = 25;

fn write_row(out: &mut dyn Write, left: &str, right: &str) -> io::Result<()> {
    if left.len() < LEFT_COLUMNS {
        writeln!(out, "  {left:LEFT_COLUMNS$}{right}")
    } else {
        writeln!(out, "  {left}\n  {:LEFT_COLUMNS$}{right}", "")
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn help(topic: Option<&str>) -> String {
        let mut out = Vec::new();
        match write(&mut out, topic) {
            Ok(()) => String::from_utf8(out).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_overview_names_every_command_option_and_topic() {
        let overview = help(None);
        for row in COMMANDS {
            assert!(
                overview.contains(&usage(row)) && overview.contains(row.help),
                "{}",
                row.name
            );
        }
        for flag in FLAGS {
            let name = format!("--{}", flag.long);
            assert!(
                overview.contains(&name) && overview.contains(flag.help),
                "{name}"
            );
        }
        for page in PAGES {
            assert!(overview.contains(page.topic), "{}", page.topic);
        }
    }

    #[test]
    fn every_page_fits_a_terminal() {
        for topic in topics().into_iter().map(Some).chain([None]) {
            let text = help(topic);
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{topic:?}");
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{topic:?}: {line}");
                assert!(line.is_ascii(), "{topic:?}: {line}");
            }
        }
    }

    #[test]
    fn the_readme_has_every_provider_with_what_it_can() {
        let word = |is_there| if is_there { "yes" } else { "no" };
        for row in CAPABILITIES {
            let cells = [
                row.streaming,
                row.thinking,
                row.tools,
                row.functions,
                row.vision,
                row.refresh,
                row.caching,
                row.search,
            ];
            let line = format!("| `{}` | {} |\n", row.provider, cells.map(word).join(" | "));
            assert!(include_str!("../../README.md").contains(&line), "{line}");
        }
    }

    #[test]
    fn the_manual_has_every_key_with_its_default() {
        let settings = help(Some("settings"));
        for key in KEYS {
            assert!(settings.contains(&format!("\n{}={}\n", key.name, key.default)));
            assert!(settings.contains(key.help), "{}", key.name);
        }
    }

    #[test]
    fn a_topic_is_found_by_its_beginning() {
        assert!(help(Some("quick")).starts_with("# Quickstart"));
        assert!(help(Some("EXIT")).starts_with("# Exit codes"));
        assert!(help(Some("exec")).starts_with("sx exec PROMPT\n"));
        assert!(help(Some("sessions")).contains("\n# Sessions"));
        assert!(!help(Some("exec")).contains("--keep"));
        assert_eq!(
            help(Some("con")),
            "`con` is the beginning of several topics\nhint: containers, config"
        );
        let unknown = "there is no help on `x`\nhint: the topics are quickstart,";
        assert!(help(Some("x")).starts_with(unknown));
        assert!(help(Some("")).starts_with("there is no help on ``"));
    }

    #[test]
    fn the_manual_names_only_what_there_is() {
        for page in PAGES {
            for (at, _) in page.text.match_indices(" --") {
                let rest = &page.text[at + 3..];
                let end = rest.find(|c: char| c != '-' && !c.is_ascii_lowercase());
                let name = &rest[..end.unwrap_or(rest.len())];
                let is_known = name.is_empty() || FLAGS.iter().any(|flag| flag.long == name);
                // An option of docker's.
                let is_foreign = name == "rm";
                assert!(is_known || is_foreign, "{}: --{name}", page.topic);
            }
        }
    }
}
