//! `/use` and `/profile`: another profile in the middle of a conversation, for this run or kept.
//!
//! A profile that does not start leaves everything as it was, with the reason.

use super::say;
use crate::agent::Agent;
use crate::agent::failure::Failure;
use crate::base::text;
use crate::cli::build;
use crate::cli::build::Reader;
use crate::cli::ending;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::resume;
use crate::config;
use crate::config::Layer;
use crate::config::Origin;
use crate::config::write;
use crate::config::write::Change;
use crate::sys::signals::Signal;

/// The key that chooses a profile.
const PROFILE: &str = "ACTIVE_PROFILE";

/// The word for no profile.
const NONE: &str = "-";

/// The keys that a person means by another profile.
const CHOICES: [&str; 2] = ["PROVIDER", "MODEL"];

/// What `/profile` alone says.
pub(super) fn list(ground: &Ground) -> String {
    let names = config::profiles(&ground.site().sources(&ground.overrides));
    let active = ground.settings.text(PROFILE);
    let there = match names.is_empty() {
        true => "there is no profile".to_string(),
        false => format!("profiles: {}", names.join(", ")),
    };
    let active = match active.is_empty() {
        true => "none is active".to_string(),
        false => format!("{active} is active"),
    };
    format!(
        "  {there}; {active}\n  \
         /use NAME is for this run, /profile NAME is kept, `{NONE}` is none\n"
    )
}

/// The option without which a session that is resumed would run with other settings than now: its
/// service, its sandbox.
pub(super) fn for_this_run(ground: &Ground) -> String {
    let profile = ground.settings.setting(PROFILE);
    match profile.origin == Origin::CommandLine && !profile.value.is_empty() {
        true => format!(" --profile {}", profile.value),
        false => String::new(),
    }
}

/// Goes on with the profile `name`, and keeps that where `is_kept`. `typed` are the settings of the
/// command line. Only what ends the whole session is an error.
pub(super) fn switch(
    agent: &mut Agent,
    ground: &mut Ground,
    typed: &[(String, String)],
    name: &str,
    is_kept: bool,
) -> Result<(), Failure> {
    let name = if name == NONE { "" } else { name };
    let before = build::hands_options(ground, &agent.options.tools);
    let made = before.and_then(|before| {
        let new = with_profile(ground, typed, name)?;
        let tools = build::tool_specs(&new.settings, Reader::Person);
        let hands = build::hands_options(&new, &tools)?;
        let outfit = build::outfit(&new, tools, Reader::Person, None, None)?;
        Ok((before, hands, new, outfit))
    });
    let (before, hands, new, outfit) = match made {
        Ok(made) => made,
        Err(fault) => return stay(ground, &fault),
    };
    agent.warnings = new.warnings.iter().map(ToString::to_string).collect();
    match agent.change(outfit, hands, before)? {
        None => *ground = new,
        Some(Failure::Signal(signal)) if signal != Signal::SIGINT as i32 => {
            return Err(Failure::Signal(signal));
        }
        Some(failure) => return stay(ground, &ending::fault_of(&failure)),
    }
    resume::write_setup(agent);
    for key in CHOICES {
        let setting = ground.settings.setting(key);
        if setting.origin == Origin::Environment {
            let value = text::harmless(&setting.value);
            say(&format!("  {key} stays {value}: the environment sets it\n"))?;
        }
    }
    match is_kept {
        true => say(&kept(ground, name)),
        false => Ok(()),
    }
}

/// The ground with that profile. What it sets counts more than what was `typed` at the start: it
/// was chosen later.
fn with_profile(ground: &Ground, typed: &[(String, String)], name: &str) -> Result<Ground, Fault> {
    let choice = (PROFILE.to_string(), name.to_string());
    let layer = Layer::Profile(name.to_string());
    let alone = config::load_layer(&ground.site().sources(&[]), &layer);
    let is_older =
        |key: &str| key != PROFILE && !alone.as_ref().is_ok_and(|(set, _)| set.is_set(key));
    let older = typed.iter().filter(|(key, _)| is_older(key)).cloned();
    ground.again(older.chain([choice]).collect())
}

fn stay(ground: &Ground, fault: &Fault) -> Result<(), Failure> {
    let active = match ground.settings.text(PROFILE) {
        "" => "without a profile".to_string(),
        name => format!("with {name}"),
    };
    let hint = fault.hint.as_ref();
    let hint = hint.map_or(String::new(), |hint| format!("\n  hint: {hint}"));
    let why = format!("  {}{hint}\n  going on as before, {active}\n", fault.what);
    say(&text::harmless(&why))
}

/// Writes the choice into the person's own file, and says so.
fn kept(ground: &Ground, name: &str) -> String {
    let change = match name {
        "" => Change::Unset,
        name => Change::Set(name),
    };
    if !name.is_empty() && !is_everywhere(ground, name) {
        return format!(
            "  for this run only: elsewhere there is no profile {name}, and nothing would start\n  \
             `sx config --set ACTIVE_PROFILE {name} --tier project` keeps it for this project\n"
        );
    }
    let written = ground.site().file(&Layer::User).and_then(|path| {
        let written = write::change(&path, &[(PROFILE, change)]);
        written.map(|_| path.clone()).map_err(|error| {
            let what = format!("cannot write {}: {error}", path.display());
            Fault::new(crate::cli::exit::Exit::Settings, what)
        })
    });
    let said = match written {
        Ok(path) => format!("  kept in {}\n", path.display()),
        Err(fault) => format!("  for this run only: {}\n", fault.what),
    };
    text::harmless(&said).into_owned()
}

/// Whether there is such a profile wherever one works, and not only in this project.
fn is_everywhere(ground: &Ground, name: &str) -> bool {
    let sources = ground.site().sources(&[]);
    let folders = [sources.global_dir, sources.user_dir];
    let mut folders = folders.iter().flatten();
    folders.any(|folder| config::profile_file(folder, name).exists())
}
