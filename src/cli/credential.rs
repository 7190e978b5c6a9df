//! Which credential pays, by the settings: from where it comes, and who renews it.
//!
//! The one place that knows both the keys and the sources of `auth`.

use crate::auth;
use crate::auth::apart::Renewer;
use crate::auth::borrowed::Borrowed;
use crate::auth::borrowed::Lender;
use crate::auth::claude;
use crate::auth::claude::Claude;
use crate::auth::handed;
use crate::auth::local;
use crate::auth::remote;
use crate::auth::ssh;
use crate::auth::ssh::Ssh;
use crate::auth::ssh::client::HostKeys;
use crate::auth::ssh::client::Way;
use crate::base::secret::Secret;
use crate::cli::build::identity;
use crate::cli::build::unusable;
use crate::cli::build::url;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground;
use crate::cli::ground::Ground;
use crate::cli::member;
use crate::config::Origin;
use crate::config::Setting;
use crate::config::Settings;
use crate::proc;
use std::path::Path;

/// The credential and who pays by it; no credential where the person wants none sent. Who pays is
/// empty where that is known only when the token is there.
pub fn open(ground: &Ground) -> Result<(Option<Box<dyn auth::Source>>, String), Fault> {
    let Some(mut source) = source(ground)? else {
        check_key(&ground.settings)?;
        return Ok((None, "no login".to_string()));
    };
    let token = source
        .peek()
        .map_err(|error| Fault::new(Exit::Settings, &error).hint(error.hint()))?;
    let account = match (api_key(&ground.settings), token) {
        (Some(key), _) => format!("the key of {key}"),
        (None, Some(token)) => auth::describe(&token),
        (None, None) => String::new(),
    };
    Ok((Some(source), account))
}

/// Where the token comes from; `None` where none is to be sent.
pub fn source(ground: &Ground) -> Result<Option<Box<dyn auth::Source>>, Fault> {
    match ground.settings.text("PROVIDER") {
        "codex" => {}
        "claude_code" => return claude(ground).map(Some),
        // A key pays, or nobody does: no login is ever sent to another service than its own.
        _ => return Ok(key_source(&ground.settings)),
    }
    let lender = match ground.settings.text("CODEX_TOKEN_SOURCE") {
        "none" => return Ok(None),
        "remote" => Some(remote(&ground.settings)?),
        "ssh" => Some(ssh(ground)?),
        _ => handed(ground)?,
    };
    if let Some(lender) = lender {
        return Ok(Some(Box::new(Borrowed::from(lender))));
    }
    Ok(Some(Box::new(local::Store::new(local::Options {
        renewer: Some(renewer(ground)),
        ..store_options(ground, credential_places(ground)?)?
    }))))
}

/// Whether a run that nobody told which service to ask is for codex: something speaks of its login
/// or its address, and nothing names a gateway. The folder of the official client alone says
/// nothing; what lies in it does.
pub fn is_codex_meant(ground: &Ground) -> bool {
    let settings = &ground.settings;
    if settings.is_set("PROVIDER") || settings.is_set("ROUTER_URL") {
        return false;
    }
    let is_of_codex = |setting: &Setting| {
        let name = setting.key.name;
        name.starts_with("CODEX_") && name != "CODEX_HOME" && settings.is_set(name)
    };
    // A name that an account cannot have was set by somebody.
    let has_login = || credential_places(ground).is_ok_and(|places| places.find().is_ok());
    settings.iter().any(is_of_codex) || has_login()
}

/// The login that a command lends to others, for what that command is about.
pub fn login(ground: &Ground, purpose: &str) -> Result<Box<dyn auth::Source>, Fault> {
    let provider = ground.settings.text("PROVIDER");
    if !matches!(provider, "codex" | "claude_code") {
        let what = format!("PROVIDER is {provider}, which knows no login: no token {purpose}");
        return Err(Fault::new(Exit::Settings, what).hint("add `-e PROVIDER=codex`"));
    }
    source(ground)?.ok_or_else(|| {
        let what = format!("CODEX_TOKEN_SOURCE is none: no token {purpose}");
        Fault::new(Exit::Settings, what)
    })
}

/// The setting that holds the key which pays for this provider, if it takes one and there is one.
pub fn api_key(settings: &Settings) -> Option<&'static str> {
    let keys: &[&'static str] = match settings.text("PROVIDER") {
        "anthropic" => &["ANTHROPIC_API_KEY"],
        "gemini" => &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        "openai" => &["OPENAI_API_KEY"],
        _ => &[],
    };
    keys.iter()
        .copied()
        .find(|key| !settings.text(key).is_empty())
}

/// Fails where a vendor's own address wants a key and there is none; a server of one's own may
/// want none.
pub fn check_key(settings: &Settings) -> Result<(), Fault> {
    let address = match settings.text("PROVIDER") {
        "anthropic" => "ANTHROPIC_BASE_URL",
        "gemini" => "GEMINI_BASE_URL",
        "openai" => "OPENAI_BASE_URL",
        _ => return Ok(()),
    };
    let address = settings.setting(address);
    if api_key(settings).is_some() || settings.text(address.key.name) != address.key.default {
        return Ok(());
    }
    let hint = member::provider(settings)?.login_hint();
    Err(Fault::new(Exit::Settings, "nobody pays: there is no key").hint(hint))
}

fn key_source(settings: &Settings) -> Option<Box<dyn auth::Source>> {
    let setting = api_key(settings)?;
    let text = Secret::new(settings.text(setting));
    let given = handed::Given { setting, text };
    Some(Box::new(Borrowed::from(Box::new(given))))
}

/// The login of the vendor's own client: lent, or a copy of ours where it is to be renewed.
fn claude(ground: &Ground) -> Result<Box<dyn auth::Source>, Fault> {
    let settings = &ground.settings;
    let token = settings.text("CLAUDE_CODE_OAUTH_TOKEN");
    if !token.is_empty() {
        return Ok(Box::new(Borrowed::from(Box::new(handed::Given {
            setting: "CLAUDE_CODE_OAUTH_TOKEN",
            text: Secret::new(token),
        }))));
    }
    let missing = || Fault::new(Exit::Settings, "no home directory to find a login in");
    let path = settings.path("CLAUDE_CODE_CREDENTIALS_FILE");
    let path = path.ok_or_else(missing)?;
    let client_id = settings.text("CLAUDE_CODE_CLIENT_ID").to_string();
    if settings.text("CLAUDE_CODE_ISSUER").is_empty() || client_id.is_empty() {
        return Ok(Box::new(Borrowed::from(Box::new(Claude { path }))));
    }
    let copy = ground.places.config_dir.as_ref().ok_or_else(missing)?;
    let copy = copy.join("claude-code-auth.json");
    claude::copy(&path, &copy)
        .map_err(|error| Fault::new(Exit::Settings, &error).hint(error.hint()))?;
    let places = auth::file::Places {
        credentials_file: Some(copy),
        ..auth::file::Places::default()
    };
    Ok(Box::new(local::Store::new(local::Options {
        issuer: url(settings, "CLAUDE_CODE_ISSUER")?,
        client_id: Some(client_id),
        renewer: Some(renewer(ground)),
        ..store_options(ground, places)?
    })))
}

/// A token that is there already, from whoever started us.
pub fn given(ground: &Ground) -> Result<Option<handed::Given>, Fault> {
    let settings = &ground.settings;
    let given = |setting, text: Secret| Some(handed::Given { setting, text });
    if let Some(handed) = &ground.handed_token {
        let text = handed.clone();
        let text = text.map_err(|why| unusable(settings, "CODEX_TOKEN_FD", why))?;
        return Ok(given("CODEX_TOKEN_FD", text));
    }
    let token = settings.text("CODEX_ACCESS_TOKEN");
    Ok(match token.is_empty() {
        true => None,
        false => given("CODEX_ACCESS_TOKEN", Secret::new(token)),
    })
}

/// A token that came from whoever started us, in the order of the manual.
fn handed(ground: &Ground) -> Result<Option<Box<dyn Lender>>, Fault> {
    if let Some(given) = given(ground)? {
        return Ok(Some(Box::new(given)));
    }
    let lender = |command| Box::new(command) as Box<dyn Lender>;
    Ok(command(ground).map(lender))
}

/// The command that gives the token, if a setting names one.
pub fn command(ground: &Ground) -> Option<handed::Command> {
    let command = ground.settings.text("CODEX_TOKEN_COMMAND");
    if command.is_empty() {
        return None;
    }
    let env = proc::environment::cut(ground::environment());
    let path = proc::environment::value(&env, "PATH").unwrap_or_default();
    let words = match proc::shell::find(path) {
        Some(shell) => vec![shell.path.into(), "-c".into(), "--".into(), command.into()],
        // Without a shell it is a program and its arguments.
        None => command.split_whitespace().map(Into::into).collect(),
    };
    Some(handed::Command {
        words,
        env,
        self_path: ground.self_path.clone(),
    })
}

/// A server that hands out tokens. The built-in one never gets the key.
pub(super) fn remote(settings: &Settings) -> Result<Box<dyn Lender>, Fault> {
    let key = "CODEX_REMOTE_URL";
    let place = remote::Place::parse(settings.text(key));
    let place = place.map_err(|why| unusable(settings, key, format!("{key}: {why}")))?;
    let is_built_in = place.is_of_host(settings.setting(key).key.default);
    let secret = settings.text("TOKEN_HTTP_API_KEY");
    let secret = Some(secret).filter(|secret| !secret.is_empty() && !is_built_in);
    Ok(Box::new(remote::Remote {
        place,
        key: secret.map(Secret::new),
        identity: identity(settings)?,
        refused: None,
    }))
}

/// Another machine that is asked over ssh.
fn ssh(ground: &Ground) -> Result<Box<dyn Lender>, Fault> {
    let settings = &ground.settings;
    let text = |key| Some(settings.text(key).to_string()).filter(|text| !text.is_empty());
    let name = |key, check: fn(&str) -> Result<(), String>| match text(key) {
        Some(name) => match check(&name) {
            Ok(()) => Ok(Some(name)),
            Err(why) => Err(unusable(settings, key, format!("{key}: {why}"))),
        },
        None => Ok(None),
    };
    let Some(host) = name("CODEX_SSH_HOST", ssh::check_host)? else {
        let what = "CODEX_TOKEN_SOURCE is ssh, but CODEX_SSH_HOST does not say which machine";
        return Err(unusable(settings, "CODEX_TOKEN_SOURCE", what));
    };
    if settings.flag("OFFLINE") && !ssh::is_this_machine(&host) {
        let why = format!("OFFLINE: it allows this machine only, and CODEX_SSH_HOST is {host}");
        return Err(unusable(settings, "OFFLINE", why));
    }
    // The key's kind is a number that fits.
    let port = text("CODEX_SSH_PORT").and_then(|port| port.parse().ok());
    let way = Way {
        host,
        user: name("CODEX_SSH_USER", ssh::check_user)?,
        port,
        password: text("CODEX_SSH_PASS").map(Secret::new),
        host_keys: match settings.text("CODEX_SSH_HOST_KEYS") {
            "accept-new" => HostKeys::AcceptNew,
            _ => HostKeys::Strict,
        },
    };
    let whole = ground::environment();
    let mut env = proc::environment::cut(whole.iter().cloned());
    // Where the agent is, and the tickets of a login without keys.
    for name in ["SSH_AUTH_SOCK", "KRB5CCNAME"] {
        if let Some(value) = proc::environment::value(&whole, name) {
            proc::environment::set(&mut env, name, value);
        }
    }
    Ok(Box::new(Ssh {
        way,
        command: text("CODEX_SSH_COMMAND"),
        timeout: settings.duration("CODEX_SSH_TIMEOUT"),
        env,
        self_path: ground.self_path.clone(),
        refused: None,
    }))
}

/// How a login is renewed in a process of its own.
fn renewer(ground: &Ground) -> Renewer {
    Renewer {
        self_path: ground.self_path.clone(),
        env: ground::environment(),
        cwd: ground.cwd.clone(),
        overrides: ground.overrides.clone(),
    }
}

/// A credential file that is renewed by this very process.
pub fn store_here(ground: &Ground, path: &Path) -> Result<local::Options, Fault> {
    let places = auth::file::Places {
        credentials_file: Some(path.to_path_buf()),
        ..auth::file::Places::default()
    };
    let options = store_options(ground, places)?;
    let settings = &ground.settings;
    if settings.text("PROVIDER") != "claude_code" {
        return Ok(options);
    }
    Ok(local::Options {
        issuer: url(settings, "CLAUDE_CODE_ISSUER")?,
        client_id: Some(settings.text("CLAUDE_CODE_CLIENT_ID").to_string()),
        ..options
    })
}

fn store_options(ground: &Ground, places: auth::file::Places) -> Result<local::Options, Fault> {
    let settings = &ground.settings;
    Ok(local::Options {
        places,
        issuer: url(settings, "CODEX_ISSUER")?,
        client_id: Some(settings.text("CODEX_CLIENT_ID").to_string()).filter(|id| !id.is_empty()),
        identity: identity(settings)?,
        renewer: None,
    })
}

/// Who logs in with whom.
pub fn login_client(settings: &Settings) -> Result<auth::login::Client, Fault> {
    let id = settings.text("CODEX_CLIENT_ID");
    Ok(auth::login::Client {
        issuer: url(settings, "CODEX_ISSUER")?,
        id: if id.is_empty() {
            auth::refresh::CLIENT_ID
        } else {
            id
        }
        .to_string(),
        identity: identity(settings)?,
    })
}

/// Where a credential file may be.
pub fn credential_places(ground: &Ground) -> Result<auth::file::Places, Fault> {
    let key = "CODEX_ACCOUNT";
    let name = Some(ground.settings.text(key)).filter(|name| !name.is_empty());
    let account = name.map(auth::account::Name::new).transpose();
    Ok(auth::file::Places {
        credentials_file: ground.settings.path("CODEX_CREDENTIALS_FILE"),
        config_dir: ground.places.config_dir.clone(),
        account: account.map_err(|refused| {
            let fault = unusable(&ground.settings, key, refused);
            match ground.settings.setting(key).origin {
                Origin::CommandLine => Fault {
                    exit: Exit::Usage,
                    ..fault
                },
                _ => fault,
            }
        })?,
        codex_home: ground.settings.path("CODEX_HOME"),
        home: ground.places.home.clone(),
    })
}
