//! `sx login`: a new login, by a code that is entered elsewhere, in a browser, or from stdin; kept
//! in our own folder and never in another program's file.
//!
//! What a login is made of is `auth::login`; here are the ways to the person: terminal, browser,
//! pipe, and the questions before and after.

mod browser;
mod callback;
mod open;
mod talk;

use crate::auth;
use crate::auth::file::Credential;
use crate::auth::file::Places;
use crate::auth::login::Client;
use crate::auth::login::Error;
use crate::auth::login::device;
use crate::auth::login::exchange;
use crate::auth::login::handed;
use crate::auth::login::keep;
use crate::auth::login::keep::Kept;
use crate::auth::login::keep::Login;
use crate::auth::login::keep::Old;
use crate::auth::refresh::CLIENT_ID;
use crate::base::clock;
use crate::base::clock::Deadline;
use crate::base::text;
use crate::cli::args;
use crate::cli::args::Way;
use crate::cli::build;
use crate::cli::courier::Courier;
use crate::cli::credential;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground;
use crate::cli::ground::Ground;
use crate::cli::input::Input;
use crate::cli::standing::Standing;
use crate::cli::standing::span;
use crate::cli::standing::whose;
use crate::cli::stop;
use crate::config;
use crate::config::write;
use crate::net;
use serde::Serialize;
use std::fs;
use std::path::Path;
use talk::Talk;

/// A credential file is the longest that can be handed in.
const TOKEN_BYTES_MAX: usize = 1 << 20;

/// The key that says which service a run asks, and its value for the one that is logged into.
const PROVIDER: (&str, &str) = ("PROVIDER", "codex");

/// The steps that a program is told of, one a line.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Event<'a> {
    /// The person has to enter this code.
    Device {
        url: &'a str,
        code: &'a str,
        expires_in: u64,
    },
    /// It is done.
    Login {
        path: String,
        account_id: Option<&'a str>,
        email: Option<&'a str>,
        plan: Option<&'a str>,
        expires_at: Option<u64>,
        renewable: bool,
    },
}

/// Logs in, and keeps what came of it.
pub fn run(ground: &Ground, options: &args::Login) -> Result<Exit, Fault> {
    let signals = stop::signals()?;
    ground.warn();
    let mut courier = Courier {
        client: net::Client::new(build::network(&ground.settings)?),
        signals,
        stopped_by: None,
    };
    let mut talk = Talk::begin(options.is_json)?;
    let done = attempt(ground, options, &mut courier, &mut talk);
    for warning in courier.client.take_warnings() {
        talk.say(&format!("warning: {warning}"));
    }
    if let Some(signal) = courier.stopped_by {
        return Ok(Exit::Signal(u8::try_from(signal).unwrap_or(u8::MAX)));
    }
    done.map(|()| Exit::Done)
}

fn attempt(
    ground: &Ground,
    options: &args::Login,
    courier: &mut Courier,
    talk: &mut Talk,
) -> Result<(), Fault> {
    let places = credential::credential_places(ground)?;
    let Some(path) = places.own() else {
        let what = "no folder is known that a login could be kept in: HOME is not set";
        return Err(Fault::new(Exit::Settings, what).hint("set SX_CONFIG_DIR"));
    };
    let client = credential::login_client(&ground.settings)?;
    client.check_transport().map_err(|error| fault_of(&error))?;
    if !options.is_forced && fs::symlink_metadata(&path).is_ok() {
        return Err(occupied(&path));
    }
    let way = way(options, talk);
    if way != Way::Token {
        match takes_the_official(&places, options, courier, talk) {
            Some(false) => {}
            Some(true) => return offer_setting(ground, options, courier, talk),
            // A signal.
            None => return Ok(()),
        }
        talk.say(&whose_client(&client));
    }
    let login = match way {
        Way::Device => issued(by_code(&client, courier, talk)?),
        Way::Browser => {
            let has_display = has_display();
            issued(browser::log_in(
                ground,
                &client,
                courier,
                talk,
                has_display,
            )?)
        }
        Way::Token => from_stdin(courier, talk)?,
    };
    let credential = login.file(&path, &client, clock::unix_seconds());
    let credential = credential.map_err(|error| told(&error))?;
    let old = match options.is_forced {
        true => Old::Replaced,
        false => Old::Kept,
    };
    let kept = keep::keep(&credential, &path, old, courier).map_err(|error| told(&error))?;
    if kept == Kept::Occupied {
        return Err(occupied(&path));
    }
    report(&credential, &path, talk)?;
    if let Some(note) = note(ground, &places) {
        talk.say(&format!("note: {note}"));
    }
    offer_setting(ground, options, courier, talk)
}

fn issued(tokens: auth::login::Tokens) -> Login {
    Login::issued(tokens, clock::unix_seconds())
}

/// The way that was asked for, else the one that works here.
fn way(options: &args::Login, talk: &Talk) -> Way {
    let is_set = |name| ground::variable(name).is_some_and(|value| !value.is_empty());
    let is_remote = is_set("SSH_CONNECTION") || is_set("SSH_TTY");
    options
        .way
        .unwrap_or(match talk.has_person && has_display() && !is_remote {
            true => Way::Browser,
            false => Way::Device,
        })
}

fn has_display() -> bool {
    let is_set = |name| ground::variable(name).is_some_and(|value| !value.is_empty());
    is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}

/// Whose client id the service will see.
fn whose_client(client: &Client) -> String {
    match client.id == CLIENT_ID {
        true => format!(
            "client id: {CLIENT_ID}, the official client's public one; CODEX_CLIENT_ID is another"
        ),
        false => format!(
            "client id: {}, from CODEX_CLIENT_ID",
            text::harmless(&client.id)
        ),
    }
}

/// Why nothing is written over a login.
fn occupied(path: &Path) -> Fault {
    let shown = path.display();
    let what = match Credential::read(path) {
        Ok(credential) => {
            let standing = Standing::of_file(PROVIDER.1, &credential, clock::unix_seconds());
            format!(
                "{shown} already holds the login of {}, {}",
                whose(&credential.token),
                standing.until()
            )
        }
        Err(_) => format!("{shown} is there already, and holds no login that can be read"),
    };
    Fault::new(Exit::Settings, what)
        .hint("`sx login --force` replaces it; `sx login --name N` keeps both")
}

/// Whether the login that the official client left is taken instead of a new one; `None` if a
/// signal came.
fn takes_the_official(
    places: &Places,
    options: &args::Login,
    courier: &mut Courier,
    talk: &mut Talk,
) -> Option<bool> {
    let official = places.official().filter(|path| path.is_file());
    let found = official.and_then(|path| Some((Credential::read(&path).ok()?, path)));
    let Some((credential, path)) = found else {
        return Some(false);
    };
    let standing = Standing::of_file(PROVIDER.1, &credential, clock::unix_seconds());
    if !standing.is_usable() {
        return Some(false);
    }
    talk.say(&format!(
        "the official client has a login here: {}, {} ({})",
        whose(&credential.token),
        standing.until(),
        path.display()
    ));
    // One that has a name is wanted beside it, and one that was forced instead of it.
    let is_wanted = options.is_forced || places.account.is_some();
    if !talk.has_person || is_wanted {
        talk.say("sx uses that one wherever it has none of its own; this makes one of its own");
        return Some(false);
    }
    talk.agrees("Use that one instead of a new login?", courier)
}

/// By a code that the person enters in a browser anywhere.
fn by_code(
    client: &Client,
    courier: &mut Courier,
    talk: &Talk,
) -> Result<auth::login::Tokens, Fault> {
    let begun = device::begin(client.clone(), courier);
    let device = begun.map_err(|error| fault_of(&error))?;
    let shown = &device.shown;
    let event = Event::Device {
        url: &shown.url,
        code: &shown.code,
        expires_in: shown.lifetime.as_secs(),
    };
    let words = format!(
        "The account must allow device codes: ChatGPT, Settings, Security, \"device code \
         authorization\"; in a\nworkspace its administrator allows them. Look there first if the \
         page below refuses.\n\n  open   {}\n  enter  {}\n\nThe code is good for {}. Give it to \
         nobody who asks you for it. Waiting ...",
        shown.url,
        shown.code,
        span(shown.lifetime.as_secs())
    );
    talk.tell_step(&event, &words)?;
    let code = device.wait(courier);
    let tokens = code.and_then(|code| exchange::exchange(client, &code, courier));
    tokens.map_err(|error| fault_of(&error))
}

/// A token or a whole credential file that the person has.
fn from_stdin(courier: &Courier, talk: &Talk) -> Result<Login, Fault> {
    if talk.has_person {
        talk.say("paste the token or the credential file, then press Ctrl-D");
    }
    let input = Input {
        signals: &courier.signals,
        deadline: Deadline::never(),
    };
    let bytes = input.stdin(TOKEN_BYTES_MAX)?;
    handed::read(&bytes, clock::unix_seconds()).map_err(|why| {
        let hint = "it takes a token, a JSON object with access_token, or a whole auth.json";
        Fault::new(Exit::Settings, format!("stdin holds no login: {why}")).hint(hint)
    })
}

/// Says what came of it.
fn report(credential: &Credential, path: &Path, talk: &Talk) -> Result<(), Fault> {
    let token = &credential.token;
    let standing = Standing::of_file(PROVIDER.1, credential, clock::unix_seconds());
    let event = Event::Login {
        path: path.display().to_string(),
        account_id: token.account_id.as_deref(),
        email: token.email.as_deref(),
        plan: token.plan.as_deref(),
        expires_at: token.expires_at,
        renewable: credential.refresh.is_some(),
    };
    let words = format!(
        "logged in as {}, {}\nkept in {}",
        whose(token),
        standing.until(),
        path.display()
    );
    talk.tell(&event, &words)?;
    if let Some(warning) = standing.warning() {
        talk.say(&format!("warning: {warning}"));
    }
    Ok(())
}

/// Why the next run will not use this login, or how it will.
fn note(ground: &Ground, places: &Places) -> Option<String> {
    let settings = &ground.settings;
    let source = settings.text("CODEX_TOKEN_SOURCE");
    if source != "local" {
        return Some(format!(
            "CODEX_TOKEN_SOURCE is {source}, so this login is not used"
        ));
    }
    let given = [
        "CODEX_TOKEN_FD",
        "CODEX_ACCESS_TOKEN",
        "CODEX_TOKEN_COMMAND",
    ];
    let given = given.into_iter().find(|key| !settings.text(key).is_empty());
    let named = places
        .credentials_file
        .as_ref()
        .map(|_| "CODEX_CREDENTIALS_FILE");
    if let Some(key) = given.or(named) {
        return Some(format!("{key} is set, so this login is not used"));
    }
    let name = places.account.as_ref()?.as_str();
    let is_lasting = settings.setting("CODEX_ACCOUNT").origin != config::Origin::CommandLine;
    (!is_lasting).then(|| format!("the setting CODEX_ACCOUNT={name} chooses this login"))
}

/// Offers to write the provider into the user's settings, unless somebody has set it to that.
fn offer_setting(
    ground: &Ground,
    options: &args::Login,
    courier: &mut Courier,
    talk: &mut Talk,
) -> Result<(), Fault> {
    let (key, value) = PROVIDER;
    let is_set = ground.settings.is_set(key) && ground.settings.text(key) == value;
    let Some(path) = ground
        .settings_file()
        .filter(|_| !is_set && !options.is_config_kept)
    else {
        return Ok(());
    };
    let shown = path.display();
    if !talk.has_person {
        talk.say(&format!(
            "note: nothing sets {key}={value}; a line in {shown} does, for good"
        ));
        return Ok(());
    }
    if talk.agrees(&format!("Write {key}={value} into {shown}?"), courier) != Some(true) {
        return Ok(());
    }
    // The login is kept; that this was not is no reason to call it failed.
    match write::change(&path, &[(key, write::Change::Set(value))]) {
        Ok(_) => talk.say(&format!("{key}={value} is in {shown}")),
        Err(error) => talk.say(&format!("warning: cannot write {shown}: {error}")),
    }
    Ok(())
}

/// A login that failed, as the end of the command.
fn fault_of(error: &Error) -> Fault {
    let exit = match error {
        Error::PlainHttp { .. }
        | Error::NoDeviceCodes { .. }
        | Error::Denied { .. }
        | Error::Expired { .. } => Exit::Settings,
        Error::Challenge { .. }
        | Error::Unreachable { .. }
        | Error::Refused { .. }
        | Error::Malformed { .. }
        | Error::Stopped { .. } => Exit::Provider,
    };
    Fault::new(exit, error).hint(error.hint())
}

/// A login that could not be kept, as the end of the command.
fn told(error: &auth::Error) -> Fault {
    Fault::new(Exit::Settings, error).hint(error.hint())
}
