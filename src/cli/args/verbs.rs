//! The commands that exist. The parser checks against this table and `sx help` is printed from it.

/// What is asked of the program; the first word that is not an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// No word: a conversation with a person.
    Chat,
    /// One task without a person.
    Exec,
    /// An earlier conversation goes on.
    Resume,
    /// A look at what is kept.
    Sessions,
    /// A new login.
    Login,
    /// The end of one.
    Logout,
    /// Who is logged in, and for how long.
    Status,
    /// What is left of the account's allowance.
    Usage,
    /// The models that the service has.
    Models,
    /// A fresh token on stdout.
    Fetchtoken,
    /// Tokens for others.
    Token,
    /// A newcomer's first minute.
    Init,
    /// The settings.
    Config,
    /// Files of projects that are trusted.
    Trust,
    /// What works here and what does not.
    Doctor,
    /// One request, and where its time went.
    Probe,
    /// A tool, by hand.
    Tool,
    /// A patch, applied.
    Patch,
    /// The process that runs tools.
    Hands,
    /// The whole program against a scripted service.
    Demo,
    /// A recording, served.
    Replay,
    /// The manual.
    Help,
    /// What a shell completes words by.
    Completions,
    /// Facts of the build.
    Version,
}

/// A row of the table of commands.
#[derive(Debug)]
pub struct Row {
    /// Which.
    pub verb: Verb,
    /// Its word; empty for the one that has none.
    pub name: &'static str,
    /// Its arguments, as they are written in a usage line.
    pub arguments: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
}

/// Every command that a person calls, in the order of `sx help`.
pub static COMMANDS: &[Row] = &[
    command(
        Verb::Chat,
        "",
        "[PROMPT]",
        "talk; PROMPT is the first message",
    ),
    command(
        Verb::Exec,
        "exec",
        "PROMPT",
        "do one task and end; PROMPT `-` is read from stdin",
    ),
    command(
        Verb::Resume,
        "resume",
        "[ID]",
        "go on with a session; the last one without ID",
    ),
    command(
        Verb::Sessions,
        "sessions",
        "[list|show ID|prune]",
        "list, show or remove earlier conversations",
    ),
    command(
        Verb::Login,
        "login",
        "",
        "log in with a ChatGPT account, also without browser",
    ),
    command(Verb::Logout, "logout", "", "forget a login that sx keeps"),
    command(
        Verb::Status,
        "status",
        "",
        "who is logged in, who pays, and until when",
    ),
    command(
        Verb::Usage,
        "usage",
        "",
        "ask the service what is left of the allowance",
    ),
    command(
        Verb::Models,
        "models",
        "",
        "ask the service which models it has",
    ),
    command(
        Verb::Fetchtoken,
        "fetchtoken",
        "",
        "print a login token that is good now, as JSON",
    ),
    command(
        Verb::Token,
        "token",
        "serve",
        "hand out tokens of your login to your own machines",
    ),
    command(
        Verb::Init,
        "init",
        "",
        "set it up: service, login or key, model; then try",
    ),
    command(
        Verb::Config,
        "config",
        "",
        "show the settings, who set each, and change them",
    ),
    command(
        Verb::Trust,
        "trust",
        "[FILE|DIR...]",
        "trust the settings files of this project as they are",
    ),
    command(
        Verb::Doctor,
        "doctor",
        "",
        "what works here and what does not, and the fix",
    ),
    command(
        Verb::Probe,
        "probe",
        "URL",
        "ask once, as we ask the service, and time each phase",
    ),
    command(
        Verb::Tool,
        "tool",
        "NAME [JSON]",
        "run one tool as the model does; JSON `-` is stdin",
    ),
    command(
        Verb::Patch,
        "patch",
        "[FILE]",
        "apply a patch in the apply_patch format; else stdin",
    ),
    command(
        Verb::Hands,
        "hands",
        "",
        "the part that runs the tools, for pipes",
    ),
    command(
        Verb::Demo,
        "demo",
        "",
        "watch a whole task; needs no login, no network",
    ),
    command(
        Verb::Replay,
        "replay",
        "DIR",
        "answer as the service did in a recording",
    ),
    command(
        Verb::Help,
        "help",
        "[TOPIC]",
        "this page, a command, or a page of the manual",
    ),
    command(
        Verb::Completions,
        "completions",
        "bash|zsh|fish",
        "print what this shell completes our words by",
    ),
    command(
        Verb::Version,
        "version",
        "",
        "version, commit, and what is linked",
    ),
];

const fn command(
    verb: Verb,
    name: &'static str,
    arguments: &'static str,
    help: &'static str,
) -> Row {
    Row {
        verb,
        name,
        arguments,
        help,
    }
}

/// The row of a command.
pub fn row(verb: Verb) -> &'static Row {
    let index = COMMANDS.iter().position(|row| row.verb == verb);
    debug_assert!(index.is_some(), "{verb:?} is not in COMMANDS");
    &COMMANDS[index.unwrap_or_default()]
}
