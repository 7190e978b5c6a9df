//! Settings to options: the one place that knows both the keys and what each module wants.

use crate::agent;
use crate::agent::Agent;
use crate::agent::Run;
use crate::agent::desk::Desk;
use crate::agent::event::Face;
use crate::agent::event::Opening;
use crate::auth;
use crate::auth::apart::Renewer;
use crate::auth::borrowed::Borrowed;
use crate::auth::borrowed::Lender;
use crate::auth::claude;
use crate::auth::claude::Claude;
use crate::auth::handed;
use crate::auth::identity::Identity;
use crate::auth::local;
use crate::auth::remote;
use crate::auth::ssh;
use crate::auth::ssh::Ssh;
use crate::auth::ssh::client::HostKeys;
use crate::auth::ssh::client::Way;
use crate::base::clock::Deadline;
use crate::base::secret::Secret;
use crate::chat::tool::ToolSpec;
use crate::cli::args::Talk;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground;
use crate::cli::ground::Ground;
use crate::cli::record::Recorder;
use crate::cli::resume;
use crate::config::Origin;
use crate::config::Settings;
use crate::hands;
use crate::hands::wire;
use crate::hands::wire::WirePath;
use crate::http::url::Url;
use crate::net;
use crate::net::dns::Overrides;
use crate::net::proxy::Variables;
use crate::net::roots::Trust;
use crate::net::route::Scope;
use crate::proc;
use crate::provider::Effort;
use crate::provider::Thinking;
use crate::provider::codex;
use crate::provider::codex::Codex;
use crate::provider::models::Aliases;
use crate::sandbox;
use crate::sys::signals::Signals;
use crate::tools;
use std::fmt::Display;
use std::path::Path;
use std::path::PathBuf;

/// What an agent needs beside the settings.
pub struct Wishes<'a> {
    /// Images, session, recording.
    pub talk: &'a Talk,
    /// Who is told.
    pub face: Box<dyn Face>,
    /// The signals, taken before the first thread.
    pub signals: Signals,
    /// The end of the whole run.
    pub deadline: Deadline,
    /// The JSON Schema that the last answer must fit.
    pub schema: Option<String>,
}

/// An agent that is ready to run. The hands are started here, so that they make themselves ready
/// while we do.
pub fn agent(ground: &Ground, wishes: Wishes<'_>) -> Result<Agent, Fault> {
    let settings = &ground.settings;
    if settings.text("PROVIDER") != "codex" {
        let what = format!("sx cannot talk to {} yet", settings.text("PROVIDER"));
        let hint = "PROVIDER=codex is what this build has; `sx help providers` says more";
        return Err(Fault::new(Exit::Settings, what).hint(hint));
    }
    let tools = tool_specs(settings);
    let mut client = net::Client::new(network(settings)?);
    let recorder = match &wishes.talk.record {
        None => None,
        Some(dir) => {
            client.record();
            Some(recorder(dir)?)
        }
    };
    let mut desk = Desk::new(client, wishes.signals, wishes.deadline);
    if !tools.is_empty() {
        let started = hands::client::Client::start(hands::client::Options {
            self_path: ground.self_path.clone(),
            environment: ground::environment(),
            start: hands_start(ground, &tools)?,
        });
        desk.hands = Some(started.map_err(|error| Fault::new(Exit::Fault, error))?);
    }
    let (source, account) = credential(ground)?;
    let provider = Codex::new(codex_options(settings)?);
    let options = agent::Options {
        model: settings.text("MODEL").to_string(),
        thinking: thinking(settings),
        output_max: Some(settings.count("MAX_OUTPUT_TOKENS")).filter(|tokens| *tokens > 0),
        schema: wishes.schema,
        tools,
        sandbox: settings.setting("SANDBOX").value.clone(),
        network: settings.text("NETWORK") == "on",
        secrets: secrets(settings),
        turns_max: u32::try_from(settings.count("MAX_TURNS")).unwrap_or(u32::MAX),
        retries_max: u32::try_from(settings.count("RETRY_MAX")).unwrap_or(u32::MAX),
        retry_total: settings.duration("RETRY_TOTAL"),
        window: Some(settings.count("CONTEXT_WINDOW")).filter(|tokens| *tokens > 0),
    };
    let mut agent = Agent {
        provider: Box::new(provider),
        source,
        desk,
        face: wishes.face,
        log: None,
        recorder,
        options,
        system: agent::prompt::SYSTEM.to_string(),
        history: Vec::new(),
        opening: Opening {
            session: String::new(),
            provider: settings.text("PROVIDER").to_string(),
            model: String::new(),
            account,
            cwd: ground.cwd.display().to_string(),
            sandbox: "no tools".to_string(),
            hands: "local".to_string(),
        },
        cache_key: String::new(),
        warnings: ground.warnings.iter().map(ToString::to_string).collect(),
        run: Run::default(),
    };
    agent.opening.model = agent.provider.model(&agent.options.model).to_string();
    resume::attach(ground, wishes.talk, &mut agent)?;
    agent.keep_secrets_out();
    Ok(agent)
}

/// The credential and who pays by it; no credential where the person wants none sent.
fn credential(ground: &Ground) -> Result<(Option<Box<dyn auth::Source>>, String), Fault> {
    let Some(mut source) = source(ground)? else {
        return Ok((None, "no login".to_string()));
    };
    let token = source
        .peek()
        .map_err(|error| Fault::new(Exit::Settings, &error).hint(error.hint()))?;
    let account = token.map_or(String::new(), |token| auth::describe(&token));
    Ok((Some(source), account))
}

/// Where the token comes from; `None` where none is to be sent.
pub fn source(ground: &Ground) -> Result<Option<Box<dyn auth::Source>>, Fault> {
    if ground.settings.text("PROVIDER") == "claude_code" {
        return claude(ground).map(Some);
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
    let (number, token) = (
        settings.text("CODEX_TOKEN_FD"),
        settings.text("CODEX_ACCESS_TOKEN"),
    );
    if !number.is_empty() {
        let text = ground::token_of_descriptor(number);
        let text = text.map_err(|why| unusable(settings, "CODEX_TOKEN_FD", why))?;
        return Ok(given("CODEX_TOKEN_FD", text));
    }
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
    let settings = &ground.settings;
    let command = settings.text("CODEX_TOKEN_COMMAND");
    if command.is_empty() {
        return Ok(None);
    }
    let env = proc::environment::cut(ground::environment());
    let path = proc::environment::value(&env, "PATH").unwrap_or_default();
    let words = match proc::shell::find(path) {
        Some(shell) => vec![shell.path.into(), "-c".into(), "--".into(), command.into()],
        // Without a shell it is a program and its arguments.
        None => command.split_whitespace().map(Into::into).collect(),
    };
    Ok(Some(Box::new(handed::Command {
        words,
        env,
        self_path: ground.self_path.clone(),
    })))
}

/// A server that hands out tokens. The built-in one never gets the key.
fn remote(settings: &Settings) -> Result<Box<dyn Lender>, Fault> {
    let key = "CODEX_REMOTE_URL";
    let place = remote::Place::parse(settings.text(key));
    let is_built_in = settings.text(key) == settings.setting(key).key.default;
    let secret = settings.text("TOKEN_HTTP_API_KEY");
    let secret = Some(secret).filter(|secret| !secret.is_empty() && !is_built_in);
    Ok(Box::new(remote::Remote {
        place: place.map_err(|why| unusable(settings, key, format!("{key}: {why}")))?,
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
    let port = text("CODEX_SSH_PORT").map(|port| {
        let number = port.parse::<u16>().ok().filter(|number| *number > 0);
        let why = || format!("CODEX_SSH_PORT: `{port}` is not a number from 1 to 65535");
        number.ok_or_else(|| unusable(settings, "CODEX_SSH_PORT", why()))
    });
    let way = Way {
        host,
        user: name("CODEX_SSH_USER", ssh::check_user)?,
        port: port.transpose()?,
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

/// Every host that a run may contact, and the key that names it.
pub fn hosts(settings: &Settings) -> Result<Vec<(&'static str, Url)>, Fault> {
    let mut keys = vec!["CODEX_BASE_URL"];
    match settings.text("CODEX_TOKEN_SOURCE") {
        "local" => keys.push("CODEX_ISSUER"),
        "remote" if !settings.text("CODEX_REMOTE_URL").starts_with("unix:") => {
            keys.push("CODEX_REMOTE_URL");
        }
        _ => {}
    }
    keys.into_iter()
        .map(|key| Ok((key, url(settings, key)?)))
        .collect()
}

/// What the network needs to know.
pub fn network(settings: &Settings) -> Result<net::client::Options, Fault> {
    let overrides = Overrides::parse(settings.text("RESOLVE"));
    Ok(net::client::Options {
        limits: net::Limits {
            connect: settings.duration("CONNECT_TIMEOUT"),
            tls: settings.duration("TLS_TIMEOUT"),
            first_byte: settings.duration("FIRST_BYTE_TIMEOUT"),
            idle: settings.duration("IDLE_TIMEOUT"),
        },
        trust: Trust {
            ca_file: settings.path("CA_FILE"),
            ssl_cert_file: settings.path("SSL_CERT_FILE"),
            ssl_cert_dir: settings.path("SSL_CERT_DIR"),
            client_cert: settings.path("CLIENT_CERT"),
            client_key: settings.path("CLIENT_KEY"),
        },
        overrides: overrides
            .map_err(|error| Fault::new(Exit::Settings, format!("RESOLVE: {error}")))?,
        proxies: Variables::read(&|name| Some(settings.text(name).to_string())),
        scope: match settings.flag("OFFLINE") {
            true => Scope::Loopback,
            false => Scope::Anywhere,
        },
    })
}

/// What the provider needs to know.
pub fn codex_options(settings: &Settings) -> Result<codex::Options, Fault> {
    Ok(codex::Options {
        base_url: url(settings, "CODEX_BASE_URL")?,
        identity: identity(settings)?,
        aliases: aliases(settings)?,
        lite: codex::Lite::of_setting(settings.text("CODEX_LITE")),
    })
}

/// What the user wants aliases of models to stand for.
fn aliases(settings: &Settings) -> Result<Aliases, Fault> {
    let key = "MODEL_ALIASES";
    Aliases::parse(settings.text(key)).map_err(|part| {
        let why = format!("{key}: `{part}` is not ALIAS=NAME");
        unusable(settings, key, why)
    })
}

fn identity(settings: &Settings) -> Result<Identity, Fault> {
    let key = "CODEX_ORIGINATOR";
    Identity::new(settings.text(key)).map_err(|refused| unusable(settings, key, refused))
}

fn url(settings: &Settings, key: &str) -> Result<Url, Fault> {
    let url = Url::parse(settings.text(key));
    url.map_err(|error| unusable(settings, key, format!("{key}: {error}")))
}

/// A value that is one of its kind and still cannot be used; told with the place that set it.
fn unusable(settings: &Settings, key: &str, why: impl Display) -> Fault {
    let origin = &settings.setting(key).origin;
    Fault::new(Exit::Settings, format!("{origin}: {why}"))
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

/// The tools that are not switched off, in their fixed order.
fn tool_specs(settings: &Settings) -> Vec<ToolSpec> {
    if !settings.flag("TOOLS") {
        return Vec::new();
    }
    let is_on = |spec: &ToolSpec| settings.flag(&format!("TOOL_{}", spec.name.to_uppercase()));
    let specs = tools::TOOLS.iter().map(|tool| tool.spec);
    specs.filter(is_on).collect()
}

/// The first line for the hands.
fn hands_start(ground: &Ground, tools: &[ToolSpec]) -> Result<wire::Start, Fault> {
    let settings = &ground.settings;
    Ok(wire::Start {
        v: wire::VERSION,
        cwd: Some(WirePath(ground.cwd.clone())),
        sandbox: sandbox_mode(settings.text("SANDBOX")),
        network: settings.text("NETWORK") == "on",
        hidden: hidden_paths(ground)?.into_iter().map(WirePath).collect(),
        writable: Vec::new(),
        bash_timeout_ms: millis(settings.duration("BASH_TIMEOUT")),
        tools: tools.iter().map(|tool| tool.name.to_string()).collect(),
    })
}

/// Everything of ours that no tool may read: credentials, settings, other conversations.
fn hidden_paths(ground: &Ground) -> Result<Vec<PathBuf>, Fault> {
    // Which of several logins is in use makes no difference.
    let places = auth::file::Places {
        account: None,
        ..credential_places(ground)?
    };
    let mut hidden = places.paths();
    hidden.extend(ground.places.config_dir.clone());
    hidden.extend(ground.places.state_dir.clone());
    hidden.extend(ground.session_dir());
    Ok(hidden)
}

fn sandbox_mode(word: &str) -> sandbox::Mode {
    match word {
        "off" => sandbox::Mode::Off,
        "read-only" => sandbox::Mode::ReadOnly,
        _ => sandbox::Mode::Workspace,
    }
}

/// Every secret that a setting holds: the whole value, and of a proxy its password.
fn secrets(settings: &Settings) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for setting in settings.iter().filter(|setting| setting.key.secret) {
        secrets.extend(
            Some(&setting.value)
                .filter(|value| !value.is_empty())
                .map(Secret::new),
        );
        let user_info = setting.value.rsplit_once('@');
        let password = user_info.and_then(|(before, _)| before.rsplit_once(':'));
        secrets.extend(password.map(|(_, password)| Secret::new(password)));
    }
    secrets
}

/// What was said of thinking. A budget that nobody set is the wire's own to choose.
fn thinking(settings: &Settings) -> Thinking {
    let is_set = settings.setting("THINKING_BUDGET").origin != Origin::Default;
    Thinking {
        is_off: !settings.flag("THINKING"),
        effort: Effort::parse(settings.text("REASONING_EFFORT")),
        budget: is_set.then(|| settings.count("THINKING_BUDGET")),
    }
}

fn recorder(dir: &Path) -> Result<Box<dyn agent::Record>, Fault> {
    match Recorder::new(dir) {
        Ok(recorder) => Ok(Box::new(recorder)),
        Err(error) => {
            let what = format!("cannot record into {}: {error}", dir.display());
            Err(Fault::new(Exit::Usage, what))
        }
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
