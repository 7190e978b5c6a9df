//! The place where the tools work: taken once, at the start, before the first thread.
//!
//! Goes to the working directory, makes a directory for temporary files, applies the sandbox, and
//! then, already under it, looks around: what the prompt tells the model about the place.

use crate::base::cancel::Cancel;
use crate::config;
use crate::hands::instructions::Reader;
use crate::hands::server::Options;
use crate::hands::temp::TempDir;
use crate::hands::wire;
use crate::hands::wire::Facts;
use crate::hands::wire::Git;
use crate::hands::wire::Ready;
use crate::hands::wire::Refused;
use crate::hands::wire::Start;
use crate::hands::wire::WirePath;
use crate::proc::environment;
use crate::proc::environment::Pairs;
use crate::proc::own;
use crate::proc::shell;
use crate::proc::shell::Shell;
use crate::sandbox;
use crate::sandbox::Enforced;
use crate::sandbox::Policy;
use crate::sandbox::paths;
use crate::sandbox::repository::Repository;
use crate::sys::file;
use crate::sys::user;
use crate::tools::Workplace;
use crate::tools::limit::Limits;
use crate::tools::limit::Room;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// How much of the system's own description is read.
const OS_BYTES_MAX: u64 = 8 * 1024;

/// Where the hands are, and what they need there.
pub struct Place {
    /// What the tools are told.
    pub workplace: Workplace,
    /// The shell that runs commands.
    pub shell: Option<Shell>,
    /// The environment of a command.
    pub environment: Pairs,
    /// Emptied when the place is left.
    temp: Option<TempDir>,
    ready: Ready,
}

impl Place {
    /// Takes the place, or says why it cannot be had. What was done by then is not undone: the
    /// process ends.
    pub fn take(start: &Start, options: &Options) -> Result<Place, Refused> {
        let cwd = go_to(start)?;
        let given = options.environment.iter().cloned();
        let cut = environment::cut_but(&start.pass(), given);
        let (temp, mut notes) = match TempDir::make(&cut) {
            Ok(temp) => (Some(temp), Vec::new()),
            Err(why) => (None, vec![why]),
        };
        let temp_path = temp.as_ref().map(|temp| temp.path.clone());
        let enforced = restrict(start, &cwd, &cut, temp_path.clone())?;
        if let Err(error) = own::become_subreaper() {
            notes.push(format!("what forks twice may outlive its call: {error}"));
        }
        if let Err(error) = own::close_to_others() {
            notes.push(format!(
                "commands may speak in the place of the hands: {error}"
            ));
        }
        let path = environment::value(&cut, "PATH").unwrap_or_default();
        let shell = shell::find(path);
        let repository = Repository::find(&cwd);
        let mut reader = Reader::new(start.instructions_max, start.instructions_max);
        let instructions = reader.project(&root(&cwd, repository.as_ref()), &cwd);
        notes.extend(reader.notes);
        let is_apart = own::is_first();
        let ready = Ready {
            v: wire::VERSION,
            sx: env!("CARGO_PKG_VERSION").to_string(),
            cwd: cwd.display().to_string(),
            sandbox: match is_apart {
                true => format!("{enforced}, processes apart"),
                false => enforced.to_string(),
            },
            shell: shell.as_ref().map(|shell| shell.path.display().to_string()),
            facts: facts(repository.as_ref()),
            instructions,
            notes,
            gaps: enforced
                .gaps(is_apart)
                .into_iter()
                .map(String::from)
                .collect(),
            temp: temp_path.clone().map(WirePath),
        };
        Ok(Place {
            environment: environment::for_command(&cut, temp_path.as_deref()),
            workplace: Workplace {
                cwd,
                spill_dir: temp_path.map(|temp| temp.join("spill")),
                room: Room::default(),
                limits: Limits::default(),
                bash_timeout: Duration::from_millis(start.bash_timeout_ms),
                docs: start.docs.iter().map(|dir| dir.0.clone()).collect(),
                manuals: manuals(&cut),
                tools: start.tools.clone(),
                cancel: Cancel::default(),
            },
            shell,
            temp,
            ready,
        })
    }

    /// What the brain is told.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Empties the directory for temporary files.
    pub fn leave(self) {
        drop(self.temp);
    }
}

/// Where pages of `man` may lie: what the user says, then where they lie on most machines.
fn manuals(environment: &Pairs) -> Vec<PathBuf> {
    let said = environment::value(environment, "MANPATH");
    let said = said.into_iter().flat_map(std::env::split_paths);
    let usual = ["/usr/local/share/man", "/usr/share/man", "/usr/man"].map(PathBuf::from);
    said.chain(usual).filter(|dir| dir.is_absolute()).collect()
}

/// Goes to the working directory and returns its real path.
fn go_to(start: &Start) -> Result<PathBuf, Refused> {
    let refused = |what: String, error: io::Error| Refused {
        reason: format!("cannot work in {what}: {error}"),
        hint: "-C DIR works in another directory".to_string(),
    };
    if let Some(WirePath(cwd)) = &start.cwd {
        std::env::set_current_dir(cwd)
            .map_err(|error| refused(cwd.display().to_string(), error))?;
    }
    std::env::current_dir().map_err(|error| refused("the current directory".to_string(), error))
}

fn restrict(
    start: &Start,
    cwd: &Path,
    environment: &Pairs,
    temp: Option<PathBuf>,
) -> Result<Enforced, Refused> {
    // HOME may be unset, or another's: a service, sudo.
    let home = environment::value(environment, "HOME").map(PathBuf::from);
    let homes: Vec<PathBuf> = home.into_iter().chain(user::home()).collect();
    let plain = |paths: &[WirePath]| -> Vec<PathBuf> {
        paths.iter().map(|WirePath(path)| cwd.join(path)).collect()
    };
    let policy = Policy {
        mode: start.sandbox,
        cwd: cwd.to_path_buf(),
        writable: plain(&start.writable),
        network: start.network,
        hidden: paths::credential_paths(&homes, &plain(&start.hidden)),
        own: plain(&start.own),
        temp,
    };
    sandbox::apply(&policy).map_err(|error| Refused {
        reason: error.to_string(),
        hint: error.hint().to_string(),
    })
}

fn facts(repository: Option<&Repository>) -> Facts {
    Facts {
        os: os(),
        arch: std::env::consts::ARCH.to_string(),
        git: repository.map(|repository| Git {
            root: repository.root.display().to_string(),
            branch: repository.branch(),
        }),
    }
}

/// Where the project begins: its repository, else what `config` calls its root.
fn root(cwd: &Path, repository: Option<&Repository>) -> PathBuf {
    let repository = repository.map(|repository| repository.root.clone());
    let root = repository.or_else(|| config::project_root(cwd));
    root.unwrap_or_else(|| cwd.to_path_buf())
}

/// The system's name for itself (os-release(5)).
fn os() -> String {
    let text = read_text(Path::new("/etc/os-release"), OS_BYTES_MAX).unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map(|name| name.trim().trim_matches(['"', '\'']).to_string());
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| "Linux".to_string())
}

/// The start of a regular file as text.
fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    file::open_regular(path)?
        .take(bytes_max)
        .read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_says_what_system_it_is_on() {
        let facts = facts(None);
        assert!(!facts.os.is_empty() && !facts.arch.is_empty());
        assert_eq!(facts.git, None);
    }
}
