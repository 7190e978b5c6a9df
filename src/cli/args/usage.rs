//! What is wrong with a command line: one line that names the word, and a hint at the right one.

use super::flags::Flag;
use super::verbs::Verb;
use super::verbs::row;
use crate::base::text;
use crate::http;
use std::ffi::OsString;
use std::fmt;

/// Why the arguments mean nothing. Prints as the fault, then a line that begins with `hint:`.
#[derive(Debug)]
pub enum Usage {
    /// There is no such option.
    UnknownFlag {
        /// As it was typed, with its dashes.
        flag: String,
        /// What was probably meant, without dashes.
        nearest: Option<&'static str>,
    },
    /// The option is one of other commands.
    WrongCommand {
        /// The option.
        flag: &'static Flag,
        /// The command it was given to.
        verb: Verb,
    },
    /// There is no such command.
    UnknownCommand {
        /// As it was typed.
        word: String,
        /// What was probably meant.
        nearest: &'static str,
    },
    /// A command does not do that.
    UnknownAction {
        /// The command.
        verb: Verb,
        /// As it was typed.
        word: String,
        /// What it does do.
        hint: &'static str,
    },
    /// An option without the value that it needs.
    MissingValue {
        /// The option.
        flag: &'static Flag,
    },
    /// A switch with a value.
    UnexpectedValue {
        /// As it was typed, with its dashes.
        flag: String,
    },
    /// A value that the option cannot have.
    WrongValue {
        /// The option, with its dashes, or `-e KEY`.
        flag: String,
        /// The value.
        value: String,
        /// What is allowed, to follow "it must be".
        allowed: String,
    },
    /// An address that cannot be asked.
    Url(http::Error),
    /// There is no such setting.
    UnknownKey {
        /// As it was typed.
        key: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// Text that is not UTF-8, where text is needed.
    NotUtf8 {
        /// What it was for.
        what: String,
        /// The bytes.
        value: OsString,
    },
    /// One argument too many.
    TooMany {
        /// The command.
        verb: Verb,
        /// The first that is too much.
        word: String,
    },
    /// An argument that the command cannot do without.
    Missing {
        /// The command.
        verb: Verb,
        /// What is missing.
        what: &'static str,
        /// How to give it.
        hint: &'static str,
    },
    /// Two that say different things.
    Conflict {
        /// One.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// One that means nothing without another.
    Needs {
        /// The one given.
        one: &'static str,
        /// The one not given.
        other: &'static str,
    },
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.fault(), self.hint())
    }
}

impl std::error::Error for Usage {}

impl Usage {
    /// What is wrong, in one line.
    pub fn fault(&self) -> String {
        match self {
            Usage::UnknownFlag { flag, .. } => format!("there is no option {}", shown(flag)),
            Usage::WrongCommand { flag, verb } => {
                format!("--{} is no option of `{}`", flag.long, called(*verb))
            }
            Usage::UnknownCommand { word, .. } => format!("there is no command {}", shown(word)),
            Usage::UnknownAction { verb, word, .. } => {
                format!("there is no `{} {}`", called(*verb), shown(word))
            }
            Usage::MissingValue { flag } => {
                format!(
                    "--{} needs a value: {}",
                    flag.long,
                    flag.value.unwrap_or_default()
                )
            }
            Usage::UnexpectedValue { flag } => format!("{} takes no value", shown(flag)),
            Usage::WrongValue {
                flag,
                value,
                allowed,
            } => {
                format!(
                    "{} is `{}`; it must be {allowed}",
                    shown(flag),
                    shown(value)
                )
            }
            Usage::Url(error) => error.to_string(),
            Usage::UnknownKey { key, .. } => format!("there is no setting {}", shown(key)),
            Usage::NotUtf8 { what, value } => {
                format!("{what} is not UTF-8: {}", shown(&value.to_string_lossy()))
            }
            Usage::TooMany { verb, word } => {
                format!(
                    "`{}` is one argument too many for `{}`",
                    shown(word),
                    called(*verb)
                )
            }
            Usage::Missing { verb, what, .. } => format!("`{}` needs {what}", called(*verb)),
            Usage::Conflict { one, other } => format!("{one} and {other} exclude each other"),
            Usage::Needs { one, other } => format!("{one} means nothing without {other}"),
        }
    }

    /// What to do about it, in one line.
    pub fn hint(&self) -> String {
        match self {
            Usage::UnknownFlag {
                nearest: Some(near),
                ..
            } => format!("did you mean --{near}?"),
            Usage::UnknownCommand { word, nearest } => {
                let word = shown(word);
                format!("did you mean {nearest}? `sx -- {word}` sends it as a prompt")
            }
            Usage::UnknownKey {
                nearest: Some(near),
                ..
            } => format!("did you mean {near}?"),
            Usage::UnknownKey { .. } => "`sx help settings` lists them".to_string(),
            Usage::Url(_) => "such as `sx probe https://example.org/path`".to_string(),
            Usage::WrongCommand { flag, .. } => {
                let takers: Vec<String> = flag.verbs.iter().map(|verb| called(*verb)).collect();
                format!("it is one of {}", takers.join(", "))
            }
            Usage::TooMany {
                verb: Verb::Chat | Verb::Exec,
                ..
            } => "a prompt of several words needs quotes around it".to_string(),
            Usage::Missing { hint, .. } | Usage::UnknownAction { hint, .. } => hint.to_string(),
            Usage::MissingValue { flag } => format!("--{} is: {}", flag.long, flag.help),
            Usage::Conflict { .. } => "give only one of them".to_string(),
            Usage::Needs { one, other } => format!("add {other}, or leave {one} out"),
            Usage::UnexpectedValue { .. } => "leave the `=` and what follows it out".to_string(),
            Usage::NotUtf8 { .. } => "only the names of files may be other bytes".to_string(),
            Usage::TooMany { verb, .. } => format!("`sx help {}` has its usage", row(*verb).name),
            Usage::WrongValue { flag, .. } if flag.starts_with("-e ") => {
                "`sx help settings` says what each setting takes".to_string()
            }
            _ => "`sx help` lists commands and options".to_string(),
        }
    }
}

/// The command as a person calls it.
fn called(verb: Verb) -> String {
    format!("sx {}", row(verb).name).trim_end().to_string()
}

/// Words from a command line can hold anything; more than this tells a person nothing new.
const SHOWN_CHARS_MAX: usize = 60;

fn shown(word: &str) -> String {
    text::ellipsis(&text::one_line(word), SHOWN_CHARS_MAX).into_owned()
}
