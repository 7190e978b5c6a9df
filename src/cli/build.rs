//! Settings to options: the one place that knows both the keys and what each module wants.

use crate::agent;
use crate::agent::Agent;
use crate::agent::Run;
use crate::agent::change::Outfit;
use crate::agent::desk::Desk;
use crate::agent::event::Face;
use crate::agent::event::Opening;
use crate::agent::own;
use crate::agent::own::fetch::Consent;
use crate::agent::own::fetch::Web;
use crate::auth::claude::RESTRICTION;
use crate::auth::identity::Identity;
use crate::base::clock::Deadline;
use crate::base::secret::Secret;
use crate::chat::tool::ToolSpec;
use crate::cli::args::Talk;
use crate::cli::credential;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground;
use crate::cli::ground::Ground;
use crate::cli::member;
use crate::cli::record::Recorder;
use crate::cli::resume;
use crate::config::Origin;
use crate::config::Settings;
use crate::config::keys;
use crate::hands;
use crate::hands::client::Client;
use crate::hands::wire;
use crate::hands::wire::WirePath;
use crate::http::url::Url;
use crate::net;
use crate::net::dns::Overrides;
use crate::net::proxy::Variables;
use crate::net::roots::Trust;
use crate::net::route::Scope;
use crate::proc::environment::Pass;
use crate::provider::Effort;
use crate::provider::Thinking;
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
    /// Who could be asked.
    pub reader: Reader,
    /// The signals, taken before the first thread.
    pub signals: Signals,
    /// The end of the whole run.
    pub deadline: Deadline,
    /// The JSON Schema that the last answer must fit.
    pub schema: Option<String>,
    /// The gateway that the person agreed to, where no setting names one.
    pub gateway: Option<Url>,
}

/// Who could be asked whether a page may be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A person at a terminal.
    Person,
    /// Nobody.
    Nobody,
    /// Whoever called the tool by hand, and so has said yes.
    Caller,
}

/// An agent that is ready to run. The hands are started here, so that they make themselves ready
/// while we do.
pub fn agent(ground: &Ground, wishes: Wishes<'_>) -> Result<Agent, Fault> {
    // First of all: they make themselves ready while the rest is read.
    let tools = tool_specs(&ground.settings, wishes.reader);
    let hands = hands_options(ground, &tools)?.map(start).transpose()?;
    let mut outfit = outfit(ground, tools, wishes.reader, wishes.schema, wishes.gateway)?;
    let recorder = match &wishes.talk.record {
        None => None,
        Some(dir) => {
            outfit.client.record();
            Some(recorder(dir)?)
        }
    };
    let mut desk = Desk::new(outfit.client, wishes.signals, wishes.deadline);
    desk.hands = hands;
    let mut agent = Agent {
        provider: outfit.provider,
        source: outfit.source,
        desk,
        face: wishes.face,
        web: outfit.web,
        log: None,
        recorder,
        options: outfit.options,
        system: agent::prompt::SYSTEM.to_string(),
        history: Vec::new(),
        opening: outfit.opening,
        cache_key: String::new(),
        warnings: ground.warnings.iter().map(ToString::to_string).collect(),
        run: Run::default(),
    };
    if agent.opening.provider == "claude_code" {
        agent.warnings.push(RESTRICTION.to_string());
    }
    resume::attach(ground, wishes.talk, &mut agent)?;
    agent.keep_secrets_out();
    Ok(agent)
}

/// All of an agent that settings decide, but the hands.
pub fn outfit(
    ground: &Ground,
    tools: Vec<ToolSpec>,
    reader: Reader,
    schema: Option<String>,
    gateway: Option<Url>,
) -> Result<Outfit, Fault> {
    let settings = &ground.settings;
    let client = net::Client::new(match gateway {
        Some(_) => direct(settings)?,
        None => network(settings)?,
    });
    let provider = member::provider_at(settings, gateway)?;
    let (source, account) = credential::open(ground)?;
    let options = agent::Options {
        model: settings.text("MODEL").to_string(),
        thinking: thinking(settings),
        output_max: Some(settings.count("MAX_OUTPUT_TOKENS")).filter(|tokens| *tokens > 0),
        schema,
        tools,
        search: settings.flag("TOOL_WEB_SEARCH"),
        sandbox: settings.setting("SANDBOX").value.clone(),
        network: settings.text("NETWORK") == "on",
        secrets: secrets(settings),
        turns_max: u32::try_from(settings.count("MAX_TURNS")).unwrap_or(u32::MAX),
        loop_max: usize::try_from(settings.count("LOOP_MAX")).unwrap_or(usize::MAX),
        retries_max: u32::try_from(settings.count("RETRY_MAX")).unwrap_or(u32::MAX),
        retry_total: settings.duration("RETRY_TOTAL"),
        notes: ground.is_verbose,
        window: Some(settings.count("CONTEXT_WINDOW")).filter(|tokens| *tokens > 0),
        compact_at: u8::try_from(settings.count("COMPACT_AT")).unwrap_or(u8::MAX),
        instructions_max: settings.size("INSTRUCTIONS_MAX"),
        instructions_dir: ground.places.config_dir.clone(),
    };
    let opening = Opening {
        session: String::new(),
        provider: settings.text("PROVIDER").to_string(),
        model: provider.model(&options.model).to_string(),
        account,
        cwd: ground.cwd.display().to_string(),
        sandbox: "no tools".to_string(),
        hands: "local".to_string(),
        instructions: Vec::new(),
    };
    Ok(Outfit {
        provider,
        source,
        client,
        web: web(settings, reader)?,
        options,
        opening,
    })
}

/// Every host that a run may contact beside the service, and the key that names it.
pub fn other_hosts(settings: &Settings) -> Vec<(&'static str, Result<Url, Fault>)> {
    let mut keys = Vec::new();
    match (
        settings.text("PROVIDER"),
        settings.text("CODEX_TOKEN_SOURCE"),
    ) {
        ("codex", "local") => keys.push("CODEX_ISSUER"),
        ("codex", "remote") if !settings.text("CODEX_REMOTE_URL").starts_with("unix:") => {
            keys.push("CODEX_REMOTE_URL");
        }
        ("claude_code", _) if !settings.text("CLAUDE_CODE_ISSUER").is_empty() => {
            keys.push("CLAUDE_CODE_ISSUER");
        }
        _ => {}
    }
    keys.into_iter()
        .map(|key| (key, url(settings, key)))
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
            .map_err(|error| unusable(settings, "RESOLVE", format!("RESOLVE: {error}")))?,
        proxies: Variables::read(&|name| Some(settings.text(name).to_string())),
        scope: match settings.flag("OFFLINE") {
            true => Scope::Loopback,
            false => Scope::Anywhere,
        },
    })
}

/// The same without any proxy.
pub fn direct(settings: &Settings) -> Result<net::client::Options, Fault> {
    Ok(net::client::Options {
        proxies: Variables::default(),
        ..network(settings)?
    })
}

/// What the user wants aliases of models to stand for.
pub(super) fn aliases(settings: &Settings) -> Result<Aliases, Fault> {
    let key = "MODEL_ALIASES";
    Aliases::parse(settings.text(key)).map_err(|part| {
        let why = format!("{key}: `{part}` is not ALIAS=NAME");
        unusable(settings, key, why)
    })
}

pub(super) fn identity(settings: &Settings) -> Result<Identity, Fault> {
    let key = "CODEX_ORIGINATOR";
    Identity::new(settings.text(key)).map_err(|refused| unusable(settings, key, refused))
}

pub(super) fn url(settings: &Settings, key: &str) -> Result<Url, Fault> {
    let url = Url::parse(settings.text(key));
    url.map_err(|error| unusable(settings, key, format!("{key}: {error}")))
}

/// A value that is one of its kind and still cannot be used; told with the place that set it.
pub(super) fn unusable(settings: &Settings, key: &str, why: impl Display) -> Fault {
    let origin = &settings.setting(key).origin;
    Fault::new(Exit::Settings, format!("{origin}: {why}"))
}

/// The way to pages of the network, and who allows each; `None` where there is none.
pub(super) fn web(settings: &Settings, reader: Reader) -> Result<Option<Web>, Fault> {
    if settings.flag("OFFLINE") {
        return Ok(None);
    }
    let consent = match (settings.text("TOOL_FETCH"), reader) {
        ("1", _) | ("ask", Reader::Caller) => Consent::Given,
        ("ask", Reader::Person) => Consent::Ask,
        _ => return Ok(None),
    };
    let mut options = network(settings)?;
    if !settings.flag("FETCH_PRIVATE") {
        options.scope = Scope::Public;
    }
    // Who we are is for the service alone.
    options.trust.client_cert = None;
    options.trust.client_key = None;
    Ok(Some(Web::new(options, consent)))
}

/// The tools that are not switched off, in their fixed order.
pub(super) fn tool_specs(settings: &Settings, reader: Reader) -> Vec<ToolSpec> {
    if !settings.flag("TOOLS") {
        return Vec::new();
    }
    // A tool that nobody could allow is not offered.
    let has_web = match settings.text("TOOL_FETCH") {
        "ask" => reader != Reader::Nobody,
        value => value == "1",
    };
    let is_on = |spec: &ToolSpec| match spec.name {
        "fetch" => has_web && !settings.flag("OFFLINE"),
        name => settings.flag(&format!("TOOL_{}", name.to_uppercase())),
    };
    let specs = tools::TOOLS.iter().map(|tool| tool.spec);
    let own = own::TOOLS.iter().map(|tool| tool.spec);
    specs.chain(own).filter(is_on).collect()
}

/// Hands for these tools, started.
pub(super) fn hands(ground: &Ground, tools: &[ToolSpec]) -> Result<Client, Fault> {
    start(hands_for(ground, tools)?)
}

fn start(options: hands::client::Options) -> Result<Client, Fault> {
    Client::start(options).map_err(|error| Fault::new(Exit::Fault, error))
}

/// What hands for these tools are started with; `None` without tools.
pub(super) fn hands_options(
    ground: &Ground,
    tools: &[ToolSpec],
) -> Result<Option<hands::client::Options>, Fault> {
    let options = (!tools.is_empty()).then(|| hands_for(ground, tools));
    options.transpose()
}

fn hands_for(ground: &Ground, tools: &[ToolSpec]) -> Result<hands::client::Options, Fault> {
    Ok(hands::client::Options {
        self_path: ground.self_path.clone(),
        environment: ground::environment(),
        start: hands_start(ground, tools)?,
    })
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
        own: own_folders(ground).map(WirePath).collect(),
        writable: Vec::new(),
        docs: docs_folders(ground).into_iter().map(WirePath).collect(),
        bash_timeout_ms: millis(settings.duration("BASH_TIMEOUT")),
        env_pass: env_pass(settings)?.to_string(),
        instructions_max: settings.size("INSTRUCTIONS_MAX"),
        tools: tools.iter().map(|tool| tool.name.to_string()).collect(),
    })
}

/// The folders of `DOCS_PATH`: from the home directory, or from where we work.
fn docs_folders(ground: &Ground) -> Vec<PathBuf> {
    let named = ground.settings.text("DOCS_PATH").split(':').map(str::trim);
    let named = named.filter(|folder| !folder.is_empty());
    let folders = named.map(
        |folder| match (folder.strip_prefix("~/"), &ground.places.home) {
            (Some(below), Some(home)) => home.join(below),
            _ => ground.cwd.join(folder),
        },
    );
    folders.collect()
}

/// The variables that commands get beside the usual. Ours are not to be had.
pub(super) fn env_pass(settings: &Settings) -> Result<Pass, Fault> {
    let key = "ENV_PASS";
    let pass = Pass::parse(settings.text(key)).map_err(|word| {
        let why = format!("{key}: `{word}` is no name of a variable, nor one with a `*`");
        unusable(settings, key, why)
    })?;
    // A proxy is passed on anyway, without its password.
    let is_ours =
        |name: &&str| !name.ends_with("_PROXY") && keys::find(name).is_some_and(|key| key.secret);
    if let Some(name) = pass.names().find(is_ours) {
        let why = format!("{key}: {name} is a credential of sx, which no command gets");
        return Err(unusable(settings, key, why));
    }
    Ok(pass)
}

/// Everything of ours that no tool may read: credentials, settings, other conversations.
fn hidden_paths(ground: &Ground) -> Result<Vec<PathBuf>, Fault> {
    // Whichever is in use; our own lie in the folder of the settings.
    let places = credential::credential_places(ground)?;
    let mut hidden: Vec<PathBuf> = Vec::new();
    hidden.extend(places.official());
    hidden.extend(places.credentials_file);
    hidden.extend(ground.settings.path("CLAUDE_CODE_CREDENTIALS_FILE"));
    hidden.extend(own_folders(ground));
    hidden.extend(ground.session_dir());
    Ok(hidden)
}

/// Our own folders: of settings and logins, and of sessions and trust.
fn own_folders(ground: &Ground) -> impl Iterator<Item = PathBuf> {
    let places = &ground.places;
    let folders = [places.config_dir.clone(), places.state_dir.clone()];
    folders.into_iter().flatten()
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
