//! Gives an agent its session: a new file, or one that it goes on with.
//!
//! A session that goes on is sent as it was, byte for byte: its prompt, its id and, unless the
//! command line names another, its model come from the file, so that the service's cache still
//! knows the beginning.

use crate::agent::Agent;
use crate::cli::args::Talk;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::sessions;
use crate::config::Origin;
use crate::session;
use crate::session::Entry;
use crate::session::Header;
use crate::session::Setup;
use crate::session::log::Log;
use std::path::Path;

/// What the person is told when nothing can be kept.
const NOT_KEPT: &str = "this session is not kept";

/// Opens the session that is wished for.
pub fn attach(ground: &Ground, talk: &Talk, agent: &mut Agent) -> Result<(), Fault> {
    let dir = ground.session_dir();
    match (&talk.resume, &dir) {
        (Some(wanted), Some(dir)) => go_on(ground, wanted, dir, talk.is_kept, agent)?,
        (Some(wanted), None) => {
            let what = format!("cannot look for session `{wanted}`: HOME is not set");
            return Err(Fault::new(Exit::Usage, what).hint("set HOME, SX_STATE_DIR or SESSION_DIR"));
        }
        (None, dir) => begin(ground, dir.as_deref(), talk.is_kept, agent)?,
    }
    Ok(())
}

/// A new session, in a file if it can be kept.
fn begin(
    ground: &Ground,
    dir: Option<&Path>,
    is_kept: bool,
    agent: &mut Agent,
) -> Result<(), Fault> {
    let header = Header::new(&ground.cwd, agent.provider.name(), &agent.opening.model)
        .map_err(|error| Fault::new(Exit::Fault, error))?;
    // The id is needed though no file is kept: the service caches under it.
    agent.cache_key.clone_from(&header.id);
    if !is_kept {
        return Ok(());
    }
    let Some(dir) = dir else {
        agent.warnings.push(format!(
            "there is no directory for sessions (no HOME); {NOT_KEPT}"
        ));
        return Ok(());
    };
    match Log::create(dir, &header) {
        Ok(log) => {
            agent.log = Some(log);
            agent.opening.session = header.id;
        }
        Err(error) => agent.warnings.push(format!("{error}; {NOT_KEPT}")),
    }
    write_setup(agent);
    Ok(())
}

/// A session that was begun before.
fn go_on(
    ground: &Ground,
    wanted: &str,
    dir: &Path,
    is_kept: bool,
    agent: &mut Agent,
) -> Result<(), Fault> {
    let path = session::find(dir, wanted, &ground.cwd).map_err(sessions::fault)?;
    let loaded = session::load(&path).map_err(sessions::fault)?;
    agent.warnings.extend(loaded.repairs);
    agent.cache_key.clone_from(&loaded.header.id);
    agent.opening.session = loaded.header.id;
    agent.history = loaded.history;
    if let Some(setup) = &loaded.setup
        && setup.provider == agent.provider.name()
    {
        agent.system.clone_from(&setup.system);
        if ground.settings.setting("MODEL").origin != Origin::CommandLine {
            agent.options.model.clone_from(&setup.model);
            agent.opening.model.clone_from(&setup.model);
        }
    }
    if !is_kept {
        return Ok(());
    }
    match Log::reopen(&path) {
        Ok(log) => agent.log = Some(log),
        Err(error) => agent
            .warnings
            .push(format!("{error}; {NOT_KEPT} from here on")),
    }
    if loaded.setup != Some(setup(agent)) {
        write_setup(agent);
    }
    Ok(())
}

/// Keeps what every request begins with from here on.
pub fn write_setup(agent: &mut Agent) {
    let entry = Entry::Setup(setup(agent));
    if let Some(log) = &mut agent.log
        && let Err(error) = log.append(&entry)
    {
        agent.log = None;
        agent.warnings.push(format!("{error}; {NOT_KEPT}"));
    }
}

/// What every request of this agent begins with.
fn setup(agent: &Agent) -> Setup {
    Setup {
        system: agent.system.clone(),
        model: agent.opening.model.clone(),
        provider: agent.provider.name().to_string(),
        tools: agent
            .options
            .tools
            .iter()
            .map(|tool| tool.name.to_string())
            .collect(),
    }
}
