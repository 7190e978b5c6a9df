//! The words of a command line, sorted: options with their values, and the rest in order.
//!
//! Nothing is decided here but what is an option of ours, what is its value, and which word is
//! the command.

use super::flags::FLAGS;
use super::flags::Flag;
use super::flags::Meaning;
use super::usage::Usage;
use super::verbs::COMMANDS;
use super::verbs::Verb;
use crate::base::clock;
use crate::base::text;
use crate::config::keys;
use crate::config::keys::Key;
use lexopt::Arg;
use lexopt::Parser;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What was typed.
pub(super) struct Given {
    /// The command, if one was named.
    pub verb: Option<Verb>,
    /// Words that are neither options nor the command.
    pub words: VecDeque<OsString>,
    /// Whether `--` said that the words after it are only words.
    pub is_literal: bool,
    /// Options in the order typed; the value is empty for a switch.
    flags: Vec<(&'static Flag, OsString)>,
}

impl Given {
    /// Sorts the arguments. `--help` and `--version` end the reading, so that they work even
    /// where the rest makes no sense.
    pub fn read(
        verb: Option<Verb>,
        arguments: impl Iterator<Item = OsString>,
    ) -> Result<Given, Usage> {
        let mut parser = Parser::from_args(arguments);
        let mut given = Given {
            verb,
            words: VecDeque::new(),
            is_literal: false,
            flags: Vec::new(),
        };
        loop {
            let next = parser.try_raw_args();
            let is_end = next.is_some_and(|raw| raw.peek().is_some_and(|word| word == "--"));
            given.is_literal |= is_end;
            match parser.next().map_err(syntax)? {
                None => return Ok(given),
                Some(Arg::Value(word)) => given.word_read(word),
                Some(option) => {
                    let flag = known(&option)?;
                    let value = match flag.value {
                        None => OsString::new(),
                        Some(_) => parser.value().map_err(|_| Usage::MissingValue { flag })?,
                    };
                    given.flags.push((flag, value));
                    if matches!(flag.meaning, Meaning::Help | Meaning::Version) {
                        return Ok(given);
                    }
                }
            }
        }
    }

    fn word_read(&mut self, word: OsString) {
        let is_first = self.verb.is_none() && self.words.is_empty() && !self.is_literal;
        let row = COMMANDS
            .iter()
            .find(|row| !row.name.is_empty() && word == row.name);
        match row {
            Some(row) if is_first => self.verb = Some(row.verb),
            _ => self.words.push_back(word),
        }
    }

    /// Whether `verb` takes every option that was given.
    pub fn check(&self, verb: Verb) -> Result<(), Usage> {
        match self.flags.iter().find(|(flag, _)| !flag.is_for(verb)) {
            Some((flag, _)) => Err(Usage::WrongCommand { flag, verb }),
            None => Ok(()),
        }
    }

    /// Whether the option was given.
    pub fn has(&self, meaning: Meaning) -> bool {
        self.flags.iter().any(|(flag, _)| flag.meaning == meaning)
    }

    /// The next word, as text. `what` is what it is for.
    pub fn word(&mut self, what: &str) -> Result<Option<String>, Usage> {
        self.words
            .pop_front()
            .map(|word| utf8(what, word))
            .transpose()
    }

    /// The value of an option as text; the last one counts.
    pub fn text(&self, meaning: Meaning) -> Result<Option<String>, Usage> {
        let last = self.last(meaning);
        last.map(|(flag, value)| utf8(&format!("--{}", flag.long), value.clone()))
            .transpose()
    }

    /// All values of an option as text.
    pub fn texts(&self, meaning: Meaning) -> Result<Vec<String>, Usage> {
        let all = self
            .flags
            .iter()
            .filter(|(flag, _)| flag.meaning == meaning);
        all.map(|(flag, value)| utf8(flag.value.unwrap_or_default(), value.clone()))
            .collect()
    }

    /// The value of an option as a path, whatever its bytes; the last one counts.
    pub fn path(&self, meaning: Meaning) -> Option<PathBuf> {
        self.last(meaning).map(|(_, value)| PathBuf::from(value))
    }

    /// All values of an option as paths.
    pub fn paths(&self, meaning: Meaning) -> Vec<PathBuf> {
        let all = self
            .flags
            .iter()
            .filter(|(flag, _)| flag.meaning == meaning);
        all.map(|(_, value)| PathBuf::from(value)).collect()
    }

    /// The value of an option as a time span above zero.
    pub fn duration(&self, meaning: Meaning) -> Result<Option<Duration>, Usage> {
        let Some(text) = self.text(meaning)? else {
            return Ok(None);
        };
        match clock::parse_duration(&text).filter(|wait| !wait.is_zero()) {
            Some(wait) => Ok(Some(wait)),
            None => Err(self.wrong(meaning, &keys::Kind::Duration.allowed())),
        }
    }

    /// The value of an option as a whole number.
    pub fn count(&self, meaning: Meaning) -> Result<Option<u64>, Usage> {
        let Some(text) = self.text(meaning)? else {
            return Ok(None);
        };
        let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse().ok().filter(|_| is_digits) {
            Some(count) => Ok(Some(count)),
            None => Err(self.wrong(meaning, "a whole number")),
        }
    }

    /// What is said of an option whose value is not `allowed`.
    pub fn wrong(&self, meaning: Meaning, allowed: &str) -> Usage {
        let (flag, value) = match self.last(meaning) {
            Some((flag, value)) => (flag.long, value.to_string_lossy().into_owned()),
            None => ("", String::new()),
        };
        Usage::WrongValue {
            flag: format!("--{flag}"),
            value,
            allowed: allowed.to_string(),
        }
    }

    /// The settings among the options, in the order typed, each checked against its key.
    pub fn overrides(&self) -> Result<Vec<(String, String)>, Usage> {
        let mut overrides = Vec::new();
        for (flag, value) in &self.flags {
            let (typed, key, value) = match flag.meaning {
                // What the settings say, which is what happens without the option.
                Meaning::Key("CODEX_TOKEN_SOURCE") if value == "config" => continue,
                Meaning::Key(name) => {
                    let typed = format!("--{}", flag.long);
                    let value = utf8(&typed, value.clone())?;
                    // A script's variable that is not set would mean the login of no name.
                    if name == "CODEX_ACCOUNT" && value.trim().is_empty() {
                        return Err(self.wrong(flag.meaning, "a name"));
                    }
                    (typed, found(name)?, value)
                }
                Meaning::On(name) => {
                    let typed = format!("--{}", flag.long);
                    (typed, found(name)?, "1".to_string())
                }
                Meaning::Env => {
                    let pair = value.clone().into_string();
                    let pair = pair.map_err(|value| Usage::NotUtf8 {
                        what: "the setting of -e".to_string(),
                        value: name_of(&value.to_string_lossy()).into(),
                    })?;
                    let halves = pair.split_once('=');
                    let Some((name, value)) = halves.filter(|(name, _)| !name.is_empty()) else {
                        return Err(Usage::WrongValue {
                            flag: "-e".to_string(),
                            value: name_of(&pair),
                            allowed: "KEY=VALUE".to_string(),
                        });
                    };
                    (
                        format!("-e {}", name.trim()),
                        found(name.trim())?,
                        value.trim().to_string(),
                    )
                }
                _ => continue,
            };
            let Some(accepted) = key.accept(&value) else {
                let allowed = key.kind.allowed();
                return Err(Usage::WrongValue {
                    flag: typed,
                    value,
                    allowed,
                });
            };
            overrides.push((key.name.to_string(), accepted));
        }
        Ok(overrides)
    }

    fn last(&self, meaning: Meaning) -> Option<&(&'static Flag, OsString)> {
        self.flags.iter().rfind(|(flag, _)| flag.meaning == meaning)
    }
}

fn found(name: &str) -> Result<&'static Key, Usage> {
    keys::find(name).ok_or_else(|| Usage::UnknownKey {
        key: name.to_string(),
        nearest: keys::nearest(name),
    })
}

fn known(option: &Arg<'_>) -> Result<&'static Flag, Usage> {
    let found = match option {
        Arg::Short(letter) => FLAGS.iter().find(|flag| flag.short == Some(*letter)),
        Arg::Long(name) => FLAGS.iter().find(|flag| flag.long == *name),
        Arg::Value(_) => None,
    };
    found.ok_or_else(|| match option {
        Arg::Long(name) => Usage::UnknownFlag {
            flag: format!("--{name}"),
            nearest: text::nearest(name, FLAGS.iter().map(|flag| flag.long)),
        },
        Arg::Short(letter) => Usage::UnknownFlag {
            flag: format!("-{letter}"),
            nearest: None,
        },
        Arg::Value(word) => Usage::UnknownFlag {
            flag: word.to_string_lossy().into_owned(),
            nearest: None,
        },
    })
}

/// The one thing that can be wrong between two words: a switch was given a value.
fn syntax(error: lexopt::Error) -> Usage {
    match error {
        lexopt::Error::UnexpectedValue { option, .. } => Usage::UnexpectedValue { flag: option },
        other => Usage::UnknownFlag {
            flag: other.to_string(),
            nearest: None,
        },
    }
}

/// What may be shown of a setting that is none: what stands after its name may be a secret.
fn name_of(pair: &str) -> String {
    let end = pair.find(['=', ' ', ':']);
    match end {
        Some(end) => format!("{}…", &pair[..=end]),
        None => pair.to_string(),
    }
}

fn utf8(what: &str, value: OsString) -> Result<String, Usage> {
    value.into_string().map_err(|value| Usage::NotUtf8 {
        what: what.to_string(),
        value,
    })
}
