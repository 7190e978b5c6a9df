//! `sx help`: the overview and each command from the tables of `cli::args`, the manual from its
//! pages and the tables of the code. Needs no setting, no file and no network.

pub mod man;
mod overview;
mod tables;

use super::args::verbs::COMMANDS;
use crate::base::text;
use crate::gzip;
use crate::manual::NOTICES_GZ;
use crate::manual::PAGES;
use crate::manual::Page;
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
        /// What was probably meant.
        nearest: Option<&'static str>,
        /// Those that begin so; none where it is simply unknown.
        matching: Vec<&'static str>,
    },
    /// The output is gone.
    Output(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Topic {
                topic,
                nearest,
                matching,
            } => {
                let topic = text::one_line(topic);
                if !matching.is_empty() {
                    let matching = matching.join(", ");
                    return write!(
                        f,
                        "`{topic}` is the beginning of several topics\nhint: {matching}"
                    );
                }
                write!(f, "there is no help on `{topic}`\nhint: ")?;
                match nearest {
                    Some(nearest) => write!(f, "did you mean `sx help {nearest}`?"),
                    None => write!(f, "the topics are {}", topics().join(", ")),
                }
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
        return Ok(overview::write(out)?);
    };
    let name = find(asked)?;
    // A word can be both, as `sessions` is: first how to call it, then what it is about.
    let command = COMMANDS.iter().find(|row| row.name == name);
    let page = PAGES.iter().find(|page| page.topic == name);
    if let Some(row) = command {
        tables::write_command(out, row)?;
    }
    if command.is_some() && page.is_some() {
        writeln!(out)?;
    }
    match page {
        Some(page) => Ok(write_page(out, page)?),
        None => Ok(()),
    }
}

/// A page with all that belongs to it.
fn write_page(out: &mut dyn Write, page: &Page) -> io::Result<()> {
    out.write_all(page.text.as_bytes())?;
    tables::write(out, page.topic)?;
    if page.topic == "licenses" {
        out.write_all(&notices()?)?;
    }
    Ok(())
}

/// Far more than all notices are.
const NOTICES_BYTES_MAX: usize = 1024 * 1024;

/// The notices of all that is linked.
fn notices() -> io::Result<Vec<u8>> {
    let unpacked = gzip::unpack(NOTICES_GZ, NOTICES_BYTES_MAX);
    unpacked.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Everything that has help, each once.
pub(super) fn topics() -> Vec<&'static str> {
    let mut names: Vec<&str> = PAGES.iter().map(|page| page.topic).collect();
    for row in COMMANDS {
        if !row.name.is_empty() && !names.contains(&row.name) {
            names.push(row.name);
        }
    }
    names
}

/// The topic by its name, by another name of it, or by a beginning that only one has.
fn find(asked: &str) -> Result<&'static str, Error> {
    let topic = asked.trim().to_lowercase();
    // People write `exit codes`, `exit-codes` and `exit_codes`.
    let word = topic.replace([' ', '-', '_'], "");
    let names = topics();
    if let Some(exact) = names.iter().find(|name| **name == word) {
        return Ok(exact);
    }
    let is_alias = |page: &&Page| page.aliases.contains(&word.as_str());
    if let Some(page) = PAGES.iter().find(is_alias) {
        return Ok(page.topic);
    }
    let begins = |name: &&&'static str| !word.is_empty() && name.starts_with(&word);
    let matching: Vec<&'static str> = names.iter().filter(begins).copied().collect();
    if let [one] = matching.as_slice() {
        return Ok(one);
    }
    let aliases = PAGES
        .iter()
        .flat_map(|page| page.aliases.iter().map(|alias| (*alias, page.topic)));
    let known = names.iter().map(|name| (*name, *name)).chain(aliases);
    let known: Vec<(&str, &'static str)> = known.collect();
    let near = text::nearest(&word, known.iter().map(|(name, _)| *name));
    let nearest = known.iter().find(|(name, _)| Some(*name) == near);
    Err(Error::Topic {
        topic,
        nearest: nearest.map(|(_, topic)| *topic),
        matching,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::flags::FLAGS;
    use crate::config::table::KEYS;
    use crate::provider::CAPABILITIES;

    fn help(topic: Option<&str>) -> String {
        let mut out = Vec::new();
        match write(&mut out, topic) {
            Ok(()) => String::from_utf8(out).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn commands_are_printed_from_their_tables() {
        let page = help(Some("commands"));
        for row in COMMANDS {
            let is_there = page.contains(&tables::usage(row)) && page.contains(row.help);
            assert!(is_there, "{}", row.name);
        }
        for flag in FLAGS {
            let is_there = page.contains(&tables::option(flag)) && page.contains(flag.help);
            assert!(is_there, "--{}", flag.long);
        }
    }

    #[test]
    fn every_page_fits_a_terminal() {
        for topic in topics().into_iter().map(Some).chain([None]) {
            let text = help(topic);
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{topic:?}");
            for line in text.lines().filter(|_| topic != Some("licenses")) {
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
    fn every_exit_code_and_tool_is_in_the_manual() {
        for (exit, meaning) in crate::cli::exit::MEANINGS {
            let line = format!("    {:<6}{meaning}\n", exit.code());
            assert!(help(Some("exit")).contains(&line), "{line}");
        }
        let tools = help(Some("tools"));
        let hands = crate::tools::TOOLS.iter().map(|tool| tool.spec.name);
        for name in hands.chain(crate::agent::own::TOOLS.iter().map(|tool| tool.spec.name)) {
            assert!(tools.contains(&format!("\n    {name} ")), "{name}");
        }
    }

    #[test]
    fn the_notices_are_those_of_the_text() {
        let text = include_bytes!("../manual/licenses.txt");
        assert!(notices().unwrap() == text, "run .ci/licenses");
        assert!(help(Some("licenses")).contains("\nlibc 0.2."));
    }

    #[track_caller]
    fn check_topic(asked: &str, expected: &str) {
        assert_eq!(find(asked).ok(), Some(expected), "{asked}");
    }

    #[test]
    fn a_topic_is_found_by_its_names() {
        for name in topics() {
            check_topic(name, name);
        }
        for page in PAGES {
            for alias in page.aliases {
                check_topic(alias, page.topic);
            }
        }
        check_topic("quick", "quickstart");
        check_topic("Quick Start", "quickstart");
        check_topic("quick-start", "quickstart");
        check_topic("EXIT codes", "exit");
        check_topic("proxy", "proxies");
        check_topic("licences", "licenses");
        check_topic("trouble", "troubleshooting");
        assert!(help(Some("exec")).starts_with("sx exec PROMPT\n"));
        assert!(help(Some("sessions")).contains("\n# Sessions"));
        assert!(!help(Some("exec")).contains("--keep"));
    }

    #[test]
    fn what_is_no_topic_is_told_the_nearest() {
        let check = |asked: &str, expected: &str| {
            let said = help(Some(asked));
            assert!(said.starts_with(expected), "{said}");
        };
        check(
            "con",
            "`con` is the beginning of several topics\nhint: containers, config",
        );
        check(
            "proxys",
            "there is no help on `proxys`\nhint: did you mean `sx help proxies`?",
        );
        check(
            "exitcod",
            "there is no help on `exitcod`\nhint: did you mean `sx help exit`?",
        );
        check(
            "x",
            "there is no help on `x`\nhint: the topics are quickstart,",
        );
        check("", "there is no help on ``");
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
