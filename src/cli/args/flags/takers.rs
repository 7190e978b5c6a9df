//! Which commands take an option: the lists that several options share.

use crate::cli::args::verbs::Verb;

/// Commands that talk to a model.
pub(super) const TALK: &[Verb] = &[Verb::Chat, Verb::Exec, Verb::Resume];
/// Commands that take a first message.
pub(super) const PROMPTED: &[Verb] = &[Verb::Chat, Verb::Exec];
/// Commands that talk to a model, and the one that shows what they would do.
pub(super) const TASK: &[Verb] = &[Verb::Chat, Verb::Exec, Verb::Resume, Verb::Config];
/// Commands that name a model.
pub(super) const MODEL: &[Verb] = &[
    Verb::Chat,
    Verb::Exec,
    Verb::Resume,
    Verb::Config,
    Verb::Models,
];
/// Commands that name a provider.
pub(super) const PROVIDER: &[Verb] = &[
    Verb::Chat,
    Verb::Exec,
    Verb::Resume,
    Verb::Config,
    Verb::Status,
    Verb::Usage,
    Verb::Models,
    Verb::Fetchtoken,
];
/// `--sandbox`, which the demo needs where there is no Landlock.
pub(super) const SANDBOX: &[Verb] = &[
    Verb::Chat,
    Verb::Exec,
    Verb::Resume,
    Verb::Config,
    Verb::Tool,
    Verb::Demo,
];
/// Commands that work in a directory.
pub(super) const PLACED: &[Verb] = &[
    Verb::Chat,
    Verb::Exec,
    Verb::Resume,
    Verb::Sessions,
    Verb::Login,
    Verb::Logout,
    Verb::Status,
    Verb::Usage,
    Verb::Models,
    Verb::Fetchtoken,
    Verb::Token,
    Verb::Init,
    Verb::Config,
    Verb::Trust,
    Verb::Doctor,
    Verb::Probe,
    Verb::Tool,
    Verb::Patch,
];
/// Commands that read the settings or run a task with settings of their own.
pub(super) const SETTINGS_OR_DEMO: &[Verb] = &[
    Verb::Chat,
    Verb::Exec,
    Verb::Resume,
    Verb::Sessions,
    Verb::Login,
    Verb::Logout,
    Verb::Status,
    Verb::Usage,
    Verb::Models,
    Verb::Fetchtoken,
    Verb::Token,
    Verb::Init,
    Verb::Config,
    Verb::Doctor,
    Verb::Probe,
    Verb::Tool,
    Verb::Demo,
];
/// Commands that read the settings: the same but the last, the demo.
pub(super) const SETTINGS: &[Verb] = match SETTINGS_OR_DEMO.split_last() {
    Some((_, settings)) => settings,
    None => &[],
};
/// Commands that can answer in JSON.
pub(super) const JSON: &[Verb] = &[
    Verb::Exec,
    Verb::Login,
    Verb::Status,
    Verb::Usage,
    Verb::Models,
    Verb::Fetchtoken,
    Verb::Config,
    Verb::Trust,
    Verb::Doctor,
    Verb::Probe,
    Verb::Tool,
    Verb::Version,
];
/// Commands that may go out into the network.
pub(super) const NETWORK: &[Verb] = &[
    Verb::Chat,
    Verb::Exec,
    Verb::Resume,
    Verb::Login,
    Verb::Logout,
    Verb::Usage,
    Verb::Models,
    Verb::Fetchtoken,
    Verb::Token,
    Verb::Init,
    Verb::Config,
    Verb::Doctor,
    Verb::Probe,
];
/// Commands that are about one of several logins.
pub(super) const ACCOUNT: &[Verb] = &[
    Verb::Login,
    Verb::Logout,
    Verb::Status,
    Verb::Usage,
    Verb::Models,
    Verb::Fetchtoken,
];
/// The one that makes a login.
pub(super) const LOGIN: &[Verb] = &[Verb::Login];
/// The one that does a task without a person.
pub(super) const EXEC: &[Verb] = &[Verb::Exec];
/// The one that shows the settings.
pub(super) const CONFIG: &[Verb] = &[Verb::Config];
/// The one that asks once.
pub(super) const PROBE: &[Verb] = &[Verb::Probe];
