//! `sx completions`: what a shell completes our words by, a script on stdout.
//!
//! A script is a frame of its shell with rows in it, one for each option and argument, made from
//! the tables of commands, options, settings, topics and tools. It finds the command among the
//! words, then offers what that command takes; it runs nothing of ours while a person types. What
//! no row knows is completed as the name of a file.

mod fish;
mod shared;

use crate::agent::own;
use crate::cli::args::Shell;
use crate::cli::args::flags::FLAGS;
use crate::cli::args::flags::Flag;
use crate::cli::args::flags::Meaning;
use crate::cli::args::verbs::COMMANDS;
use crate::cli::args::verbs::Row;
use crate::cli::args::verbs::Verb;
use crate::cli::help;
use crate::config::keys;
use crate::config::keys::Key;
use crate::config::keys::Kind;
use crate::config::table::KEYS;
use crate::tools;
use std::io;
use std::io::Write;

/// What may stand in a place.
#[derive(Debug, PartialEq)]
enum Words {
    /// These.
    Of(Vec<&'static str>),
    /// Names of settings, each with a `=` behind it.
    Pairs,
    /// The name of a file.
    Files,
    /// The name of a folder.
    Folders,
    /// Whatever a person likes.
    Any,
}

/// Writes the script for `shell`.
pub fn write(out: &mut dyn Write, shell: Shell) -> io::Result<()> {
    match shell {
        Shell::Bash => shared::write(out, &shared::BASH),
        Shell::Zsh => shared::write(out, &shared::ZSH),
        Shell::Fish => fish::write(out),
    }
}

/// What the value of an option can be.
fn of_option(flag: &Flag) -> Words {
    match flag.meaning {
        // `config` is no value of the key: it means what the settings say.
        Meaning::Key("CODEX_TOKEN_SOURCE") => match keys::find("CODEX_TOKEN_SOURCE").map(of_key) {
            Some(Words::Of(mut words)) => {
                words.push("config");
                Words::Of(words)
            }
            _ => Words::Any,
        },
        Meaning::Key(name) => keys::find(name).map_or(Words::Any, of_key),
        Meaning::Env => Words::Pairs,
        Meaning::Get | Meaning::Set | Meaning::Unset => {
            Words::Of(KEYS.iter().map(|key| key.name).collect())
        }
        Meaning::Tier => Words::Of(vec!["user", "project", "global", "profile:"]),
        Meaning::Color => Words::Of(vec!["auto", "always", "never"]),
        Meaning::Resume => Words::Of(vec!["last"]),
        Meaning::Cwd | Meaning::Record => Words::Folders,
        _ if flag.value == Some("FILE") => Words::Files,
        _ => Words::Any,
    }
}

/// What the value of a setting can be.
fn of_key(key: &Key) -> Words {
    match key.kind {
        Kind::Choice(words) => Words::Of(words.to_vec()),
        Kind::Flag => Words::Of(vec!["0", "1"]),
        Kind::Path => Words::Files,
        _ => Words::Any,
    }
}

/// What the first argument of a command can be. Small letters in its usage line are words that are
/// typed as they are.
fn of_argument(row: &Row) -> Words {
    match row.verb {
        Verb::Help => Words::Of(help::topics()),
        Verb::Tool => {
            let hands = tools::TOOLS.iter().map(|tool| tool.spec.name);
            let own = own::TOOLS.iter().map(|tool| tool.spec.name);
            Words::Of(hands.chain(own).collect())
        }
        Verb::Resume => Words::Of(vec!["last"]),
        _ => {
            let places = row.arguments.trim_matches(['[', ']']).split('|');
            let words = places.filter_map(|place| place.split(' ').next());
            let words = words.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
            match words.collect::<Vec<_>>() {
                words if words.is_empty() => Words::Files,
                words => Words::Of(words),
            }
        }
    }
}

/// The spellings of an option.
fn spellings(flag: &Flag) -> Vec<String> {
    let short = flag.short.map(|letter| format!("-{letter}"));
    let long = format!("--{}", flag.long);
    [long].into_iter().chain(short).collect()
}

/// The spellings of all options with a value, which a shell must step over.
fn valued() -> Vec<String> {
    let valued = FLAGS.iter().filter(|flag| flag.value.is_some());
    valued.flat_map(spellings).collect()
}

/// The words of all commands.
fn commands() -> impl Iterator<Item = &'static Row> {
    COMMANDS.iter().filter(|row| !row.name.is_empty())
}

/// The commands that take an option, by name; an empty name is the conversation.
fn takers(flag: &Flag) -> Vec<&'static str> {
    let takers = COMMANDS.iter().filter(|row| flag.is_for(row.verb));
    takers.map(|row| row.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::verbs::row;

    fn script(shell: Shell) -> String {
        let mut out = Vec::new();
        write(&mut out, shell).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_script_knows_every_command_and_option() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            let words: Vec<&str> = script
                .split([' ', '\'', '\n', ':', '(', ')', '|'])
                .collect();
            for row in commands() {
                assert!(words.contains(&row.name), "{shell:?}: {}", row.name);
            }
            for flag in FLAGS {
                let long = format!("--{}", flag.long);
                let is_there = match shell {
                    Shell::Fish => script.contains(&format!(" -l {} ", flag.long)),
                    _ => words.contains(&long.as_str()),
                };
                assert!(is_there, "{shell:?}: {long}");
            }
            for name in [
                "scorpiox-config",
                "scorpiox-codex-fetchtoken",
                "read-only",
                "MODEL",
            ] {
                assert!(script.contains(name), "{shell:?}: {name}");
            }
        }
    }

    #[test]
    fn a_place_has_its_words() {
        let of_verb = |verb| of_argument(row(verb));
        let of_flag = |long| {
            let flag = FLAGS.iter().find(|flag| flag.long == long);
            of_option(flag.expect(long))
        };
        let list = |words: &[&'static str]| Words::Of(words.to_vec());
        assert_eq!(of_verb(Verb::Sessions), list(&["list", "show", "prune"]));
        assert_eq!(of_verb(Verb::Token), list(&["serve"]));
        assert_eq!(of_verb(Verb::Completions), list(&["bash", "zsh", "fish"]));
        assert_eq!(of_verb(Verb::Patch), Words::Files);
        assert_eq!(of_flag("network"), list(&["off", "on"]));
        let tiers = list(&["user", "project", "global", "profile:"]);
        assert_eq!(of_flag("tier"), tiers);
        assert_eq!(of_flag("output"), Words::Files);
        assert_eq!(of_flag("cwd"), Words::Folders);
        assert_eq!(of_flag("model"), Words::Any);
        assert_eq!(of_flag("env"), Words::Pairs);
        assert!(matches!(of_flag("get"), Words::Of(keys) if keys.contains(&"MODEL")));
        assert!(matches!(of_flag("source"), Words::Of(words) if words.contains(&"config")));
        assert!(matches!(of_verb(Verb::Help), Words::Of(words) if words.contains(&"exit")));
    }
}
