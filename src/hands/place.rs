//! The place where the tools work: taken once, at the start, before the first thread.
//!
//! Goes to the working directory, makes a directory for temporary files, applies the sandbox, and
//! then, already under it, looks around: what the prompt tells the model about the place.

use crate::base::cancel::Cancel;
use crate::hands::server::Options;
use crate::hands::temp::TempDir;
use crate::hands::wire;
use crate::hands::wire::Facts;
use crate::hands::wire::Git;
use crate::hands::wire::Instructions;
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

/// The project's instructions for agents, a file in any directory from its root to ours.
const INSTRUCTIONS_FILE: &str = "AGENTS.md";

/// How much of them is read: more would crowd the window of the model.
const INSTRUCTIONS_BYTES_MAX: u64 = 32 * 1024;

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
        let (instructions, left_out) = instructions(&cwd, repository.as_ref());
        notes.extend(left_out);
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

/// The instruction files from the project's root down to `cwd`, together at most
/// [`INSTRUCTIONS_BYTES_MAX`], of which the nearest are given first; and what of them is missing,
/// for the person.
fn instructions(cwd: &Path, repository: Option<&Repository>) -> (Vec<Instructions>, Vec<String>) {
    let root = repository.map_or(cwd, |repository| &repository.root);
    let dirs = cwd.ancestors().take_while(|dir| dir.starts_with(root));
    let mut bytes_left = INSTRUCTIONS_BYTES_MAX;
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    for path in dirs.map(|dir| dir.join(INSTRUCTIONS_FILE)) {
        let start = match read_lines(&path, bytes_left) {
            Ok(start) => start,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                notes.push(format!("{} is left out: {error}", path.display()));
                continue;
            }
        };
        let path = path.display().to_string();
        // A service may refuse NUL bytes.
        let mut text = String::from_utf8_lossy(&start.bytes).replace('\0', "?");
        let used = start.bytes.len() as u64;
        bytes_left -= used;
        if used < start.of {
            notes.push(format!(
                "{path}: only {used} of its {} bytes are used; there is room for \
                 {INSTRUCTIONS_BYTES_MAX} of all {INSTRUCTIONS_FILE} files",
                start.of
            ));
            text.push_str("[the rest is left out; read the file]");
        }
        if !text.trim().is_empty() {
            found.push(Instructions { path, text });
        }
    }
    found.reverse();
    (found, notes)
}

/// The first lines of a file.
struct FirstLines {
    bytes: Vec<u8>,
    /// How long the file is.
    of: u64,
}

fn read_lines(path: &Path, bytes_max: u64) -> io::Result<FirstLines> {
    let file = file::open_regular(path)?;
    let of = file.metadata()?.len();
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < of {
        let end = bytes.iter().rposition(|byte| *byte == b'\n');
        bytes.truncate(end.map_or(0, |end| end + 1));
    }
    Ok(FirstLines { bytes, of })
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
    use std::fs;

    fn temp() -> TempDir {
        TempDir::make(&Pairs::new()).unwrap()
    }

    #[test]
    fn instructions_are_read_from_the_root_down_and_bounded() {
        let temp = temp();
        let deep = temp.path.join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir(temp.path.join(".git")).unwrap();
        fs::write(temp.path.join(INSTRUCTIONS_FILE), "outer\n").unwrap();
        // A directory of that name is no instruction file.
        fs::create_dir(temp.path.join("a").join(INSTRUCTIONS_FILE)).unwrap();
        // The nearest comes first, and leaves no room for a line of another.
        fs::write(deep.join(INSTRUCTIONS_FILE), "near\n".repeat(20_000)).unwrap();
        let read = |cwd: &Path| instructions(cwd, Repository::find(cwd).as_ref());
        let (found, notes) = read(&deep);
        let texts: Vec<&str> = found.iter().map(|file| file.text.as_str()).collect();
        assert_eq!(texts[0], "[the rest is left out; read the file]");
        assert!(texts[1].ends_with("near\n[the rest is left out; read the file]"));
        assert!(
            notes[0].contains("only 32765 of its 100000 bytes"),
            "{notes:?}"
        );
        assert!(notes[1].ends_with("a/AGENTS.md is left out: it is not a regular file"));
        assert!(notes[2].contains("only 0 of its 6 bytes"), "{notes:?}");
        let (found, notes) = read(&temp.path.join("a"));
        assert_eq!((found.len(), notes.len()), (1, 1));
        assert_eq!(found[0].text, "outer\n");
    }

    #[test]
    fn a_place_says_what_system_it_is_on() {
        let facts = facts(None);
        assert!(!facts.os.is_empty() && !facts.arch.is_empty());
        assert_eq!(facts.git, None);
    }
}
