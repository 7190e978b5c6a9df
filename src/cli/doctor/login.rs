//! Who pays, until when, and whether what says so is safe where it lies.
//!
//! Nobody on the network is asked. A command that gives the token is run, since nothing else tells
//! whether it works.

use super::Look;
use super::Wait;
use super::Woken;
use super::finding::Finding;
use crate::auth;
use crate::auth::Unrun;
use crate::auth::handed;
use crate::auth::remote::Place;
use crate::auth::ssh;
use crate::base::clock;
use crate::base::clock::Deadline;
use crate::cli::build;
use crate::cli::credential;
use crate::cli::ground;
use crate::cli::ground::Ground;
use crate::cli::standing::Standing;
use crate::cli::status;
use crate::config::Settings;
use crate::http::exchange::Request;
use crate::http::url::Url;
use crate::net;
use crate::proc::capture;
use crate::proc::capture::Capture;
use crate::proc::environment;
use crate::sys::poll::PollSet;
use crate::sys::user;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// A command that waits for a person waits longer than that.
const COMMAND_WAIT_MAX: Duration = Duration::from_secs(10);

/// What is said of a setting that is wrong.
const CORRECT: &str = "correct it where it is set";

/// Keys of other services, each with the PROVIDER that takes it.
const KEYS: &[(&str, &str)] = &[
    ("ANTHROPIC_API_KEY", "anthropic"),
    ("GEMINI_API_KEY", "gemini"),
    ("OPENAI_API_KEY", "openai"),
];

/// A command that is to give the token.
struct Command {
    program: Capture,
}

/// Looks at the login that a run would use.
pub(super) fn begin(ground: &Ground) -> Vec<Look> {
    let settings = &ground.settings;
    let is_local = settings.text("PROVIDER") == "codex"
        && settings.text("CODEX_TOKEN_SOURCE") == "local"
        && matches!(credential::given(ground), Ok(None));
    let mut found = match settings.text("CODEX_TOKEN_SOURCE") {
        "remote" | "ssh" if settings.text("PROVIDER") == "codex" => source(ground),
        _ => Vec::new(),
    };
    if let Some(command) = credential::command(ground).filter(|_| is_local) {
        found.extend(others(settings));
        return vec![start(&command), Look::Known(found)];
    }
    found.insert(0, who(ground));
    if is_local && let Ok(path) = credential::credential_places(ground).map(|at| at.find()) {
        found.extend(path.iter().flat_map(|path| file(path)));
    }
    if settings.text("PROVIDER") == "claude_code" {
        let path = settings.path("CLAUDE_CODE_CREDENTIALS_FILE");
        found.extend(path.iter().flat_map(|path| file(path)));
    }
    found.extend(others(settings));
    vec![Look::Known(found)]
}

/// Who pays, and until when.
fn who(ground: &Ground) -> Finding {
    let name = ground.settings.text("PROVIDER");
    match status::standing(ground) {
        Err(fault) => Finding::of_fault("login", name, &fault, CORRECT),
        Ok(Err(error)) => Finding::fail("login", name, error.to_string(), &error.hint()),
        Ok(Ok(standing)) => told(name, &standing),
    }
}

fn told(name: &str, standing: &Standing) -> Finding {
    if !standing.is_usable() {
        let fix = status::way_out(standing);
        return Finding::fail("login", name, standing.until(), &fix);
    }
    if let Some(warning) = standing.warning() {
        let fix = "have a new one before that";
        return Finding::warn("login", name, warning, fix);
    }
    let detail = match standing.renewable {
        Some(_) => format!("{}; {}", standing.pays, standing.until()),
        None => standing.pays.clone(),
    };
    Finding::ok("login", name, detail)
}

/// Whether those who are to lend the token could be asked at all.
fn source(ground: &Ground) -> Vec<Finding> {
    let settings = &ground.settings;
    let name = settings.text("CODEX_TOKEN_SOURCE");
    if let Err(fault) = credential::source(ground) {
        return vec![Finding::of_fault("login", name, &fault, CORRECT)];
    }
    match name {
        "ssh" => {
            let environment = ground::environment();
            let path = environment::value(&environment, "PATH").unwrap_or_default();
            vec![match ssh::client::Client::find(path) {
                Some(client) => Finding::ok("ssh", &client.path.to_string_lossy(), "it is there"),
                None => Finding::fail(
                    "ssh",
                    "",
                    "there is no ssh client in PATH, and CODEX_TOKEN_SOURCE is ssh",
                    "install openssh or dropbear, or choose another CODEX_TOKEN_SOURCE",
                ),
            }]
        }
        _ => match Place::parse(settings.text("CODEX_REMOTE_URL")) {
            Ok(Place::Socket(path)) => vec![socket(settings, &path)],
            _ => Vec::new(),
        },
    }
}

/// Whether somebody listens on the socket. Nothing is asked: the answer would be a token.
fn socket(settings: &Settings, path: &Path) -> Finding {
    let shown = path.display().to_string();
    let connected = build::network(settings)
        .ok()
        .zip(Url::parse("http://localhost/").ok());
    let connected = connected
        .map(|(options, url)| net::Client::new(options).start_on_socket(Request::get(url), path));
    match connected {
        Some(Err(error)) => {
            let fix =
                "start `sx token serve --listen unix:PATH` there; CODEX_REMOTE_URL is its address";
            Finding::fail("socket", &shown, error.to_string(), fix)
        }
        _ => Finding::ok("socket", &shown, "somebody listens"),
    }
}

/// Whether a credential file is ours alone.
fn file(path: &Path) -> Vec<Finding> {
    let shown = path.display().to_string();
    // What is no file is said by who reads it; and a mode for a device that a link leads to is the
    // last thing to advise.
    let Some(facts) = path.metadata().ok().filter(|facts| facts.is_file()) else {
        return Vec::new();
    };
    let mode = facts.mode() & 0o7777;
    let mut found = Vec::new();
    if mode & 0o077 != 0 {
        let detail = format!("its mode is {mode:o}: others than its owner may open it");
        let fix = format!("chmod 600 {shown}");
        found.push(Finding::warn("credential", &shown, detail, &fix));
    }
    if facts.uid() != user::id() {
        let detail = format!(
            "it belongs to uid {}, and we are {}",
            facts.uid(),
            user::id()
        );
        let fix = "log in as the user that runs sx, or change its owner";
        found.push(Finding::warn("credential", &shown, detail, fix));
    }
    if found.is_empty() {
        found.push(Finding::ok("credential", &shown, "it is ours alone"));
    }
    found
}

/// Keys that are set and pay for nothing, since another provider is chosen.
fn others(settings: &Settings) -> Vec<Finding> {
    let chosen = settings.text("PROVIDER");
    let unused = KEYS.iter().filter(|(key, provider)| {
        *provider != chosen && settings.is_set(key) && !settings.text(key).is_empty()
    });
    let told = unused.map(|(key, provider)| {
        let detail = format!("it is set and pays for nothing: PROVIDER is {chosen}");
        let fix = format!("PROVIDER={provider} makes it pay; else unset it");
        Finding::warn("key", key, detail, &fix)
    });
    told.collect()
}

/// Runs the command.
fn start(command: &handed::Command) -> Look {
    match command.start(Deadline::after(COMMAND_WAIT_MAX, "the doctor's 10 s")) {
        Ok(program) => Look::Waits(Box::new(Command { program })),
        Err(error) => Look::Known(vec![given(Err(Unrun::Program(error)))]),
    }
}

impl Wait for Command {
    fn watch<'fd>(&'fd self, set: &mut PollSet<'fd, Woken>) {
        self.program.wait_for(set, Woken::Look);
    }

    fn deadline(&self) -> Deadline {
        self.program.deadline()
    }

    fn step(&mut self) -> Option<Vec<Finding>> {
        let ran = self.program.step().map_err(Unrun::Program);
        Some(vec![given(ran.transpose()?)])
    }
}

/// What the command gave.
fn given(ran: Result<capture::Captured, Unrun>) -> Finding {
    let name = "CODEX_TOKEN_COMMAND";
    match handed::token_of(ran) {
        Ok(token) => {
            let standing = Standing::of_token("codex", &token, false, clock::unix_seconds());
            match standing.is_usable() {
                true => Finding::ok("login", name, &standing.pays),
                false => {
                    let fix = "see what the command prints: it is run for every token";
                    Finding::fail("login", name, standing.until(), fix)
                }
            }
        }
        Err(error) => fault(name, &error),
    }
}

fn fault(name: &str, error: &auth::Error) -> Finding {
    Finding::fail("login", name, error.to_string(), &error.hint())
}
