//! The command line: words in, one checked `Invocation` out. Reads no file, setting or variable.
//!
//! Options stand before or after the command, since people type them in both places. They are
//! collected first; then the command takes those it knows, and what is left over is an error.

mod command;
pub mod flags;
mod given;
pub mod probe;
#[cfg(test)]
mod tests;
pub mod usage;
pub mod verbs;

use crate::auth::apart;
use crate::base::text;
use crate::config::Layer;
use flags::Meaning;
use given::Given;
use probe::Probe;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use usage::Usage;
use verbs::COMMANDS;
use verbs::Verb;

/// What the program is asked to do.
#[derive(Debug, PartialEq)]
pub struct Invocation {
    /// What concerns every command.
    pub common: Common,
    /// The command, with what only it knows.
    pub command: Command,
}

/// Options of every command that reads settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Common {
    /// Settings, in the order typed: `-e`, and flags that stand for a setting. Names are in
    /// `config::table::KEYS` and values are ones that the key can have.
    pub overrides: Vec<(String, String)>,
    /// Work there instead of here.
    pub cwd: Option<PathBuf>,
    /// When to use colour.
    pub color: Color,
    /// Say only the answer and errors.
    pub is_quiet: bool,
    /// Say more.
    pub is_verbose: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` says otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A command, with what only it knows.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// A conversation with a person: `sx`, `sx resume`.
    Chat(Chat),
    /// One task without a person.
    Exec(Exec),
    /// A look at what is kept.
    Sessions(Sessions),
    /// A new login.
    Login(Login),
    /// The end of one.
    Logout(Logout),
    /// Who is logged in; whether it is told as JSON.
    Status {
        /// As JSON.
        is_json: bool,
    },
    /// What is left of the allowance; whether it is told as JSON.
    Usage {
        /// As JSON.
        is_json: bool,
    },
    /// The models that the service has; whether they are told as JSON.
    Models {
        /// As JSON.
        is_json: bool,
    },
    /// A fresh token on stdout.
    Fetchtoken(Fetchtoken),
    /// Tokens for others.
    TokenServe(TokenServe),
    /// The settings.
    Config(Config),
    /// A change of a settings file.
    Edit(Edit),
    /// Files of projects that are trusted, or no longer.
    Trust(Trust),
    /// One request, and where its time went.
    Probe(Probe),
    /// What works here and what does not.
    Doctor(Doctor),
    /// The process that runs tools.
    Hands,
    /// A newcomer's first minute.
    Init,
    /// The whole program against a scripted service; whether it leaves its directory behind.
    Demo {
        /// Whether the directory that it worked in is left.
        is_kept: bool,
    },
    /// One call of a tool, or what there is to call.
    Tool(Tool),
    /// Applies a patch.
    Patch(Patch),
    /// Serves the recording in this directory.
    Replay(PathBuf),
    /// A page of the manual or the help of a command; the overview without one.
    Help(Option<String>),
    /// The whole manual as a man page.
    Man,
    /// What this shell completes words by.
    Completions(Shell),
    /// Facts of the build.
    Version {
        /// As JSON.
        is_json: bool,
    },
    /// The hidden verb by which everything else is started; `proc::launch` reads its arguments.
    Launch(Vec<OsString>),
    /// The hidden verb by which a login is renewed; its order comes by a pipe.
    Renew,
}

/// What `sx` and `sx resume` know.
#[derive(Debug, PartialEq)]
pub struct Chat {
    /// The first message.
    pub prompt: Option<String>,
    /// What all conversations know.
    pub talk: Talk,
}

/// What all conversations know.
#[derive(Debug, Default, PartialEq)]
pub struct Talk {
    /// Images of the first message.
    pub images: Vec<PathBuf>,
    /// The session to go on with: an id, a unique prefix of one, or `last`.
    pub resume: Option<String>,
    /// Whether the conversation is kept on disk.
    pub is_kept: bool,
    /// Where to record what goes over the wire.
    pub record: Option<PathBuf>,
}

/// What `sx exec` knows.
#[derive(Debug, PartialEq)]
pub struct Exec {
    /// Where the task stands.
    pub prompt: Prompt,
    /// Whether piped input is read to its end and follows the prompt.
    pub is_stdin_appended: bool,
    /// What all conversations know.
    pub talk: Talk,
    /// Whether stdout is for a program.
    pub is_json: bool,
    /// Whether that program gets every piece as it comes.
    pub has_deltas: bool,
    /// Where the last message is written too.
    pub output: Option<PathBuf>,
    /// A file with the JSON Schema that the last message must fit.
    pub output_schema: Option<PathBuf>,
    /// How long the whole task may take.
    pub timeout: Option<Duration>,
}

impl Exec {
    /// The task alone, as `sx exec PROMPT` has it.
    pub fn of_prompt(prompt: String) -> Exec {
        Exec {
            prompt: Prompt::Text(prompt),
            is_stdin_appended: false,
            talk: Talk {
                is_kept: true,
                ..Talk::default()
            },
            is_json: false,
            has_deltas: false,
            output: None,
            output_schema: None,
            timeout: None,
        }
    }
}

/// Where a task stands.
#[derive(Debug, PartialEq)]
pub enum Prompt {
    /// Here.
    Text(String),
    /// In a file.
    File(PathBuf),
    /// On stdin, to its end.
    Stdin,
}

/// What to do with sessions.
#[derive(Debug, PartialEq)]
pub enum Sessions {
    /// All, newest first.
    List,
    /// One: an id, a unique prefix of one, or `last`.
    Show(String),
    /// Remove old ones.
    Prune {
        /// How old, in days.
        days: Option<u64>,
    },
}

/// What `sx login` knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Login {
    /// How; the place decides where nothing was said.
    pub way: Option<Way>,
    /// Whether the login that is there may be replaced.
    pub is_forced: bool,
    /// Whether the settings file is left alone.
    pub is_config_kept: bool,
    /// Whether stdout is for a program.
    pub is_json: bool,
}

/// A way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By a code that is entered elsewhere.
    Device,
    /// In a browser.
    Browser,
    /// By a token on stdin.
    Token,
}

/// What `sx logout` knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Logout {
    /// Whether the service is told.
    pub is_revoked: bool,
}

/// What `sx fetchtoken` knows.
#[derive(Debug, PartialEq)]
pub struct Fetchtoken {
    /// Renew the token whether it is due or not.
    pub is_refreshed: bool,
    /// How it is told; `None` is for a person on a terminal, and JSON elsewhere.
    pub shape: Option<TokenShape>,
}

/// How a token is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenShape {
    /// One object on one line.
    Json,
    /// The token alone on a line.
    Raw,
}

/// What `sx token serve` knows.
#[derive(Debug, PartialEq)]
pub struct TokenServe {
    /// Where to listen.
    pub listen: String,
}

/// What `sx doctor` knows.
#[derive(Debug, PartialEq)]
pub struct Doctor {
    /// As JSON, an object a line.
    pub is_json: bool,
}

/// What `sx tool` knows.
#[derive(Debug, PartialEq)]
pub enum Tool {
    /// All that are offered.
    List {
        /// As JSON, an object a line.
        is_json: bool,
    },
    /// One call.
    Call {
        /// The tool.
        name: String,
        /// As a model writes them; `-` is stdin.
        arguments: String,
        /// As JSON.
        is_json: bool,
    },
}

/// What `sx patch` knows.
#[derive(Debug, PartialEq)]
pub struct Patch {
    /// Where the patch stands; stdin if there is none, or if it is `-`.
    pub file: Option<PathBuf>,
    /// Change files there instead of here.
    pub cwd: Option<PathBuf>,
}

/// What `sx config` knows.
#[derive(Debug, PartialEq)]
pub struct Config {
    /// What is shown.
    pub view: View,
    /// Of one layer alone, what it says itself.
    pub layer: Option<Layer>,
    /// With the place that set each value.
    pub has_source: bool,
    /// As JSON.
    pub is_json: bool,
}

/// What `sx config --set` and `--unset` know.
#[derive(Debug, PartialEq)]
pub struct Edit {
    /// The keys, each once, and what becomes of them; to be set one is in `config::table::KEYS`.
    pub changes: Vec<(String, Change)>,
    /// Whose file.
    pub layer: Layer,
}

/// What `sx trust` knows.
#[derive(Debug, PartialEq)]
pub struct Trust {
    /// What is done.
    pub act: TrustAct,
    /// To which files; those of the project if there are none.
    pub files: Vec<PathBuf>,
    /// As JSON.
    pub is_json: bool,
}

/// What becomes of trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustAct {
    /// The files are trusted as they are.
    Accept,
    /// They are no longer.
    Revoke,
    /// All that are trusted are told.
    List,
}

/// What becomes of a key in a settings file.
#[derive(Debug, PartialEq)]
pub enum Change {
    /// It gets this value, which it can have.
    Set(String),
    /// It gets the first line of stdin.
    FromStdin,
    /// It is taken out.
    Unset,
}

/// A shell that completes words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// GNU's.
    Bash,
    /// Z shell.
    Zsh,
    /// The friendly one.
    Fish,
}

/// What of the settings is shown.
#[derive(Debug, PartialEq)]
pub enum View {
    /// The value of one key, which is in `config::table::KEYS`.
    Get(String),
    /// All, as a settings file.
    Dump,
    /// Nothing was said: a person looks around and changes them, others get all with their sources.
    All,
    /// What each key can have, as a JSON Schema.
    Schema,
    /// The files that are looked for.
    Files,
}

/// Reads the arguments. `program` is the name that we were called by, for the two old names.
pub fn parse(
    program: &Path,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Invocation, Usage> {
    let mut arguments = arguments.into_iter().peekable();
    if arguments.peek().is_some_and(|first| first == "launch") {
        let rest = arguments.skip(1).collect();
        return Ok(alone(Command::Launch(rest)));
    }
    if arguments.peek().is_some_and(|first| first == apart::VERB) {
        return Ok(alone(Command::Renew));
    }
    let called = match program.file_name().and_then(|name| name.to_str()) {
        Some("scorpiox-config") => Some(Verb::Config),
        Some("scorpiox-codex-fetchtoken") => Some(Verb::Fetchtoken),
        _ => None,
    };
    let mut given = Given::read(called, arguments)?;
    if given.has(Meaning::Help) {
        let topic = given.verb.map(|verb| verbs::row(verb).name.to_string());
        return Ok(alone(Command::Help(topic.filter(|name| !name.is_empty()))));
    }
    if given.has(Meaning::Version) {
        return Ok(alone(Command::Version {
            is_json: given.has(Meaning::Json),
        }));
    }
    let verb = verb(&given)?;
    given.check(verb)?;
    let mut common = common(&given)?;
    if called == Some(Verb::Fetchtoken) {
        common
            .overrides
            .insert(0, ("PROVIDER".to_string(), "codex".to_string()));
    }
    let command = command::command(verb, &mut given)?;
    match given.words.pop_front() {
        Some(word) => Err(Usage::TooMany {
            verb,
            word: word.to_string_lossy().into_owned(),
        }),
        None => Ok(Invocation { common, command }),
    }
}

/// Whether the words, however wrong, are those of a caller of `exec --json`, who reads a result
/// from stdout whatever happens.
pub fn wants_events(arguments: &[OsString]) -> bool {
    let mut words = arguments.iter().take_while(|word| *word != "--");
    let is_exec = |word: &OsString| word == "exec" || word == "-p" || word == "--print";
    words.clone().any(|word| word == "--json") && words.any(is_exec)
}

/// A command that needs nothing else.
fn alone(command: Command) -> Invocation {
    Invocation {
        common: Common::default(),
        command,
    }
}

/// The command: its word, or `-p`, or else a conversation.
fn verb(given: &Given) -> Result<Verb, Usage> {
    if let Some(verb) = given.verb {
        return Ok(verb);
    }
    if given.has(Meaning::Print) {
        return Ok(Verb::Exec);
    }
    // A single word next to a command's name is a slip more often than a prompt, and a prompt
    // costs money.
    let first = given
        .words
        .front()
        .and_then(|word| word.to_str())
        .unwrap_or_default();
    let names = COMMANDS
        .iter()
        .map(|row| row.name)
        .filter(|name| !name.is_empty());
    let nearest = text::nearest(first, names).filter(|_| !given.is_literal);
    match nearest {
        Some(nearest) if !first.is_empty() => Err(Usage::UnknownCommand {
            word: first.to_string(),
            nearest,
        }),
        _ => Ok(Verb::Chat),
    }
}

fn common(given: &Given) -> Result<Common, Usage> {
    let color = match given.text(Meaning::Color)?.as_deref() {
        None | Some("auto") => Color::Auto,
        Some("always") => Color::Always,
        Some("never") => Color::Never,
        Some(_) => return Err(given.wrong(Meaning::Color, "auto, always or never")),
    };
    Ok(Common {
        overrides: given.overrides()?,
        cwd: given.path(Meaning::Cwd),
        color,
        is_quiet: given.has(Meaning::Quiet),
        is_verbose: given.has(Meaning::Verbose),
    })
}
