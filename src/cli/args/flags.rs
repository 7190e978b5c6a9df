//! The options that exist, and which commands take each. The parser checks against this table and
//! `sx help` is printed from it, so that neither can know an option that the other does not.

mod row;
mod takers;

use super::verbs::Verb;
use row::key;
use row::switch;
use row::value;
use takers::ACCOUNT;
use takers::CONFIG;
use takers::EXEC;
use takers::JSON;
use takers::LOGIN;
use takers::MODEL;
use takers::NETWORK;
use takers::PLACED;
use takers::PROBE;
use takers::PROMPTED;
use takers::PROVIDER;
use takers::SANDBOX;
use takers::SETTINGS;
use takers::SETTINGS_OR_DEMO;
use takers::TALK;
use takers::TASK;

/// What an option means to the parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It stands for the setting of this name.
    Key(&'static str),
    /// It switches the setting of this name on.
    On(&'static str),
    /// `KEY=VALUE`, any setting.
    Env,
    /// The directory to work in.
    Cwd,
    /// When to use colour.
    Color,
    /// Say less.
    Quiet,
    /// Say more.
    Verbose,
    /// The prompt of `exec`, and so the command itself.
    Print,
    /// The prompt, in a file.
    PromptFile,
    /// Piped input follows the prompt.
    Stdin,
    /// An image for the first message.
    Image,
    /// Machine output.
    Json,
    /// Machine output piece by piece.
    Deltas,
    /// A copy of the last message.
    Output,
    /// The shape that the last message must have.
    OutputSchema,
    /// How long the whole task may take.
    Timeout,
    /// The session to go on with.
    Resume,
    /// Go on with the last session.
    Continue,
    /// Keep no session.
    NoSession,
    /// Where to record what goes over the wire.
    Record,
    /// What there is.
    List,
    /// Leave the directory of the demo.
    Keep,
    /// How old a session must be to be removed.
    Days,
    /// The events of a stream as they come.
    Events,
    /// Only the head of the answer.
    Head,
    /// Redirects are followed.
    Follow,
    /// A field of the request.
    Header,
    /// The body of the request.
    Data,
    /// The method of the request.
    Method,
    /// How long the request may take.
    MaxTime,
    /// The token alone.
    Raw,
    /// Where to listen.
    Listen,
    /// Renew the token whether it is due or not.
    Refresh,
    /// Log in with a code that is entered elsewhere.
    Device,
    /// Log in with a browser.
    Browser,
    /// Log in with a token that is there already.
    WithToken,
    /// Replace the login that is there.
    Force,
    /// Leave the settings file alone.
    NoConfig,
    /// Tell the service that a login has ended.
    Revoke,
    /// One key.
    Get,
    /// All keys, as a settings file.
    Dump,
    /// Who set each.
    ShowSource,
    /// The settings files.
    Files,
    /// What each key can have.
    Schema,
    /// One key gets a value in a file.
    Set,
    /// One key is taken out of a file.
    Unset,
    /// Whose file.
    Tier,
    /// The manual as a man page.
    Man,
    /// The manual, now.
    Help,
    /// The version, now.
    Version,
}

/// A row of the table of options.
#[derive(Debug)]
pub struct Flag {
    /// What it means.
    pub meaning: Meaning,
    /// Its name, without dashes.
    pub long: &'static str,
    /// Its letter.
    pub short: Option<char>,
    /// What its value is called; `None` for a switch.
    pub value: Option<&'static str>,
    /// The commands that take it; an empty list is all.
    pub verbs: &'static [Verb],
    /// What it does, in one line.
    pub help: &'static str,
}

impl Flag {
    /// Whether `verb` takes this option.
    pub fn is_for(&self, verb: Verb) -> bool {
        self.verbs.is_empty() || self.verbs.contains(&verb)
    }
}

/// Every option, in the order of `sx help`.
pub static FLAGS: &[Flag] = &[
    key(
        "provider",
        None,
        "P",
        "PROVIDER",
        PROVIDER,
        "the service; `sx help providers` lists them",
    ),
    key(
        "model",
        Some('m'),
        "M",
        "MODEL",
        MODEL,
        "the model, or an alias of it",
    ),
    key(
        "profile",
        None,
        "N",
        "ACTIVE_PROFILE",
        SETTINGS,
        "the settings of scorpiox-env/N.txt on top",
    ),
    key(
        "effort",
        None,
        "E",
        "REASONING_EFFORT",
        TASK,
        "how hard it thinks: off, low, medium, high, max",
    ),
    key(
        "sandbox",
        None,
        "MODE",
        "SANDBOX",
        SANDBOX,
        "what tools may touch: workspace, read-only, off",
    ),
    key(
        "network",
        None,
        "on|off",
        "NETWORK",
        TASK,
        "whether commands reach the network",
    ),
    key(
        "max-turns",
        None,
        "N",
        "MAX_TURNS",
        TASK,
        "requests to the model that one task may take",
    ),
    value(
        Meaning::Env,
        "env",
        Some('e'),
        "KEY=VALUE",
        SETTINGS_OR_DEMO,
        "any setting; wins over files; may be repeated",
    ),
    value(
        Meaning::Cwd,
        "cwd",
        Some('C'),
        "DIR",
        PLACED,
        "work in DIR instead of here",
    ),
    value(
        Meaning::Image,
        "image",
        Some('i'),
        "FILE",
        PROMPTED,
        "an image for the first message; may be repeated",
    ),
    value(
        Meaning::Print,
        "print",
        Some('p'),
        "PROMPT",
        EXEC,
        "the same as `sx exec PROMPT`",
    ),
    value(
        Meaning::PromptFile,
        "prompt-file",
        Some('f'),
        "FILE",
        EXEC,
        "the prompt is in FILE; `-` is stdin",
    ),
    switch(
        Meaning::On("OFFLINE"),
        "offline",
        None,
        NETWORK,
        "connect to this machine only",
    ),
    switch(
        Meaning::Stdin,
        "stdin",
        None,
        EXEC,
        "append what is piped in to the prompt",
    ),
    switch(
        Meaning::Json,
        "json",
        None,
        JSON,
        "machine output: JSON, one object a line",
    ),
    switch(
        Meaning::Deltas,
        "deltas",
        None,
        EXEC,
        "with --json: also every piece as it comes",
    ),
    value(
        Meaning::Output,
        "output",
        Some('o'),
        "FILE",
        EXEC,
        "write the last message to FILE too",
    ),
    value(
        Meaning::OutputSchema,
        "output-schema",
        None,
        "FILE",
        EXEC,
        "the JSON Schema that the last message must fit",
    ),
    value(
        Meaning::Timeout,
        "timeout",
        None,
        "DURATION",
        EXEC,
        "how long the whole task may take: 90, 90s, 2m, 1h",
    ),
    value(
        Meaning::Resume,
        "resume",
        None,
        "ID",
        PROMPTED,
        "go on with a session; `last` is one",
    ),
    switch(
        Meaning::Continue,
        "continue",
        Some('c'),
        PROMPTED,
        "the same as --resume last",
    ),
    switch(
        Meaning::NoSession,
        "no-session",
        None,
        TALK,
        "keep nothing on disk",
    ),
    value(
        Meaning::Record,
        "record",
        None,
        "DIR",
        TALK,
        "keep requests and answers in DIR, tokens masked",
    ),
    value(
        Meaning::Color,
        "color",
        None,
        "WHEN",
        SETTINGS_OR_DEMO,
        "auto, always, never; auto obeys NO_COLOR",
    ),
    switch(
        Meaning::Quiet,
        "quiet",
        Some('q'),
        SETTINGS_OR_DEMO,
        "only the answer and errors",
    ),
    switch(
        Meaning::Verbose,
        "verbose",
        Some('v'),
        SETTINGS_OR_DEMO,
        "more of what happens",
    ),
    switch(
        Meaning::List,
        "list",
        None,
        &[Verb::Tool, Verb::Trust],
        "what there is: the tools; the trusted files",
    ),
    switch(
        Meaning::Keep,
        "keep",
        None,
        &[Verb::Demo],
        "leave the directory that it worked in",
    ),
    value(
        Meaning::Days,
        "days",
        None,
        "N",
        &[Verb::Sessions],
        "with prune: remove what is older; 30 if not given",
    ),
    value(
        Meaning::Method,
        "method",
        Some('X'),
        "METHOD",
        PROBE,
        "GET if not given; POST with -d",
    ),
    value(
        Meaning::Header,
        "header",
        Some('H'),
        "NAME:VALUE",
        PROBE,
        "a field of the request; may be repeated",
    ),
    value(
        Meaning::Data,
        "data",
        Some('d'),
        "DATA",
        PROBE,
        "the body of the request; @FILE is a file, `-` stdin",
    ),
    switch(
        Meaning::Head,
        "head",
        None,
        PROBE,
        "ask for the head of the answer alone",
    ),
    switch(
        Meaning::Follow,
        "location",
        Some('L'),
        PROBE,
        "follow redirects, without credentials to others",
    ),
    switch(
        Meaning::Events,
        "sse",
        None,
        PROBE,
        "print events as they come, JSON, one a line",
    ),
    value(
        Meaning::MaxTime,
        "max-time",
        None,
        "DURATION",
        PROBE,
        "how long the request may take: 90, 90s, 2m, 1h",
    ),
    key(
        "source",
        None,
        "S",
        "CODEX_TOKEN_SOURCE",
        &[Verb::Fetchtoken],
        "where from: local, remote; config is the settings",
    ),
    switch(
        Meaning::Raw,
        "raw",
        None,
        &[Verb::Fetchtoken],
        "the token alone",
    ),
    value(
        Meaning::Listen,
        "listen",
        None,
        "PLACE",
        &[Verb::Token],
        "127.0.0.1:PORT or unix:PATH",
    ),
    key(
        "name",
        None,
        "N",
        "CODEX_ACCOUNT",
        ACCOUNT,
        "which of several logins; a name that you choose",
    ),
    switch(
        Meaning::Device,
        "device",
        None,
        LOGIN,
        "by a code that you enter in a browser anywhere",
    ),
    switch(
        Meaning::Browser,
        "browser",
        None,
        LOGIN,
        "in a browser that comes back here, or by pasting",
    ),
    value(
        Meaning::WithToken,
        "with-token",
        None,
        "-",
        LOGIN,
        "store the token or credential file on stdin",
    ),
    switch(
        Meaning::Force,
        "force",
        None,
        LOGIN,
        "replace the login that is there",
    ),
    switch(
        Meaning::NoConfig,
        "no-config",
        None,
        LOGIN,
        "leave the settings file alone",
    ),
    switch(
        Meaning::Revoke,
        "revoke",
        None,
        &[Verb::Logout, Verb::Trust],
        "logout: at the service too; trust: no longer",
    ),
    switch(
        Meaning::Refresh,
        "refresh",
        None,
        &[Verb::Fetchtoken],
        "renew the token even if it is still good",
    ),
    value(
        Meaning::Get,
        "get",
        None,
        "KEY",
        CONFIG,
        "print the value of one key",
    ),
    switch(
        Meaning::Dump,
        "dump",
        None,
        CONFIG,
        "print all as a settings file",
    ),
    switch(
        Meaning::ShowSource,
        "show-source",
        None,
        CONFIG,
        "with the place that set each",
    ),
    switch(
        Meaning::Schema,
        "schema",
        None,
        CONFIG,
        "print what each key can have, as a JSON Schema",
    ),
    switch(
        Meaning::Files,
        "files",
        None,
        CONFIG,
        "print which settings files are looked for",
    ),
    value(
        Meaning::Set,
        "set",
        None,
        "KEY VALUE",
        CONFIG,
        "write it into a settings file; VALUE `-` is stdin",
    ),
    value(
        Meaning::Unset,
        "unset",
        None,
        "KEY",
        CONFIG,
        "take it out of a settings file",
    ),
    value(
        Meaning::Tier,
        "tier",
        None,
        "TIER",
        CONFIG,
        "whose: user, project, global, or profile:N",
    ),
    switch(
        Meaning::Man,
        "man",
        None,
        &[Verb::Help],
        "print the whole manual as a man page, roff",
    ),
    switch(
        Meaning::Help,
        "help",
        Some('h'),
        &[],
        "help on the command before it, or this page",
    ),
    switch(
        Meaning::Version,
        "version",
        Some('V'),
        &[],
        "version, commit, and what is linked",
    ),
];
