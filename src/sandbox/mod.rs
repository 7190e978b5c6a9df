//! What the hands may touch, and how the kernel is made to hold them to it.
//!
//! Applied by a process to itself, before its first thread; it cannot be taken off again. So far
//! by Landlock alone, which only grants: [`Enforced::gaps`] says what that leaves open.

pub mod paths;
pub mod repository;
mod ruleset;

use crate::sandbox::repository::Repository;
use crate::sandbox::ruleset::Grant;
use landlock::ABI;
use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

/// Devices that every program may need, in `workspace`.
const DEVICES: &[&str] = &[
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
];

/// How much is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Look at everything but credentials; change nothing.
    ReadOnly,
    /// Also change the project.
    Workspace,
    /// Whatever the user may.
    Off,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::ReadOnly => "read-only",
            Mode::Workspace => "workspace",
            Mode::Off => "off",
        })
    }
}

/// What to hold a process to.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How much is allowed.
    pub mode: Mode,
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// Places beside the project that may be changed in `workspace`.
    pub writable: Vec<PathBuf>,
    /// Whether the network may be used.
    pub network: bool,
    /// What nobody reads; see [`paths::credential_paths`].
    pub hidden: Vec<PathBuf>,
    /// Those of them that nobody may make either, where they are not there yet: our own folders,
    /// whose settings and records of trust the next run believes.
    pub own: Vec<PathBuf>,
    /// The process's own directory for temporary files, if it has one.
    pub temp: Option<PathBuf>,
}

/// What the kernel now enforces. Displays as a part of the session line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enforced {
    mode: Mode,
    network: bool,
    /// `None` if the mode is off.
    abi: Option<ABI>,
}

/// Why a process cannot be held to its policy. Nothing is enforced then.
#[derive(Debug)]
pub enum Error {
    /// The kernel cannot do it; the text follows "this kernel".
    Unavailable(&'static str),
    /// A credential lies where everything may be read and written.
    HiddenBelow {
        /// The place that was to be granted.
        place: PathBuf,
        /// The credential.
        hidden: PathBuf,
    },
    /// The working directory is itself what is hidden.
    InsideHidden {
        /// The working directory.
        cwd: PathBuf,
        /// The credential path around it.
        hidden: PathBuf,
    },
    /// The kernel refused the rules.
    Kernel(io::Error),
}

impl Error {
    /// What to do about it, in one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::Unavailable(_) | Error::Kernel(_) => {
                "--sandbox off runs without one; do that only where the machine itself is the wall"
            }
            Error::HiddenBelow { .. } | Error::InsideHidden { .. } => {
                "-C DIR works in another directory; --sandbox off works here without a sandbox"
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unavailable(reason) => write!(f, "no sandbox: this kernel {reason}"),
            Error::HiddenBelow { place, hidden } => {
                let (place, hidden) = (place.display(), hidden.display());
                write!(
                    f,
                    "no sandbox: {hidden} is a credential and lies below {place}"
                )
            }
            Error::InsideHidden { cwd, hidden } => {
                let (cwd, hidden) = (cwd.display(), hidden.display());
                write!(
                    f,
                    "no sandbox: {cwd} lies in {hidden}, which holds credentials"
                )
            }
            Error::Kernel(source) => write!(f, "no sandbox: the kernel refused it: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Kernel(source) => Some(source),
            _ => None,
        }
    }
}

/// What this kernel has to hold a process with: `landlock` and a version. Holds nobody.
pub fn kernel_has() -> Result<String, Error> {
    ruleset::version().map(|abi| format!("landlock {abi}"))
}

/// Holds this thread, and every thread and process that it starts, to `policy`. Call it before
/// the first thread is started.
pub fn apply(policy: &Policy) -> Result<Enforced, Error> {
    let enforced = |abi| Enforced {
        mode: policy.mode,
        network: policy.network,
        abi,
    };
    if policy.mode == Mode::Off {
        return Ok(enforced(None));
    }
    let abi = ruleset::version()?;
    ruleset::restrict(abi, &grants(policy)?, policy.network)?;
    Ok(enforced(Some(abi)))
}

/// All places and what may be done there. A place may be named twice; grants add up.
fn grants(policy: &Policy) -> Result<Vec<(PathBuf, Grant)>, Error> {
    let hidden = resolved(&policy.hidden);
    let cwd = paths::resolve(&policy.cwd);
    if let Some(hidden) = hidden.iter().find(|path| cwd.starts_with(path)) {
        let hidden = hidden.clone();
        return Err(Error::InsideHidden { cwd, hidden });
    }
    let mut grants = readable(&hidden);
    let mut write = |path: &Path| grants.push((path.to_path_buf(), Grant::Write));
    if let Some(temp) = &policy.temp {
        write(temp);
    }
    match policy.mode {
        Mode::Workspace => {
            project(&cwd, policy, &hidden)?
                .iter()
                .for_each(|path| write(path));
            // A token may lie in memory, where many keep it from the disk.
            for path in paths::all_but("/dev/shm".into(), &hidden, &mut children_if_any) {
                write(&path);
            }
            let devices = DEVICES.iter().map(|path| (path.into(), Grant::Device));
            grants.extend(devices);
        }
        Mode::ReadOnly | Mode::Off => {
            let devices = DEVICES.iter().map(|path| (path.into(), Grant::Read));
            grants.extend(devices);
            grants.push(("/dev/null".into(), Grant::Device));
        }
    }
    Ok(grants)
}

fn resolved(paths: &[PathBuf]) -> Vec<PathBuf> {
    paths.iter().map(|path| paths::resolve(path)).collect()
}

/// Everything but what is hidden and the devices, which are granted one by one. Names can be
/// listed everywhere, also in hidden directories: a grant to list `/` alone cannot be had.
fn readable(hidden: &[PathBuf]) -> Vec<(PathBuf, Grant)> {
    let mut left_out = hidden.to_vec();
    left_out.push("/dev".into());
    let mut children = |dir: &Path| {
        // Where we may not list (a /home with mode 711), only the way to what is hidden is known.
        paths::children(dir).unwrap_or_else(|_| next_steps(dir, hidden))
    };
    let places = paths::all_but("/".into(), &left_out, &mut children);
    let mut grants: Vec<_> = places.into_iter().map(|path| (path, Grant::Read)).collect();
    grants.push(("/".into(), Grant::List));
    grants
}

/// The entries of `dir` that lead to hidden paths.
fn next_steps(dir: &Path, hidden: &[PathBuf]) -> Vec<PathBuf> {
    let mut steps: Vec<PathBuf> = hidden
        .iter()
        .filter_map(|path| Some(dir.join(path.strip_prefix(dir).ok()?.components().next()?)))
        .collect();
    steps.sort();
    steps.dedup();
    steps
}

/// What may be changed: the repository around `cwd` or `cwd` itself, git's own directories where
/// they lie elsewhere, and what was asked for.
fn project(cwd: &Path, policy: &Policy, hidden: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let own = resolved(&policy.own);
    let credential_below = |place: &Path| {
        let there = hidden.iter().filter(|path| path.exists());
        there
            .chain(&own)
            .find(|path| path.starts_with(place))
            .cloned()
    };
    let mut places = vec![cwd.to_path_buf()];
    if let Some(repository) = Repository::find(cwd)
        // A home that is itself a repository does not make all of it the project, nor does a
        // `.git` that somebody else left in a shared directory; git refuses the latter too.
        && credential_below(&repository.root).is_none()
        && is_ours(&repository.root.join(".git"))
    {
        let git = [repository.git_dir, repository.common_dir];
        places.push(repository.root);
        // Those that lie elsewhere were believed for a reason. A `.git` that is a link was not: it
        // may have come with a stranger's archive, and a grant would go where it leads.
        places.extend(git.into_iter().filter(|path| !path.is_symlink()));
    }
    places.extend(resolved(&policy.writable));
    let mut granted = Vec::new();
    for place in places {
        match credential_below(&place) {
            None => granted.push(place),
            // Nothing can be made here anyway (a read-only root), so granting what lies beside the
            // credential takes nothing away.
            Some(_) if !can_write(&place) => {
                granted.extend(paths::all_but(place, hidden, &mut children_if_any));
            }
            Some(hidden) => return Err(Error::HiddenBelow { place, hidden }),
        }
    }
    Ok(granted)
}

fn children_if_any(dir: &Path) -> Vec<PathBuf> {
    paths::children(dir).unwrap_or_default()
}

fn can_write(dir: &Path) -> bool {
    nix::unistd::access(dir, nix::unistd::AccessFlags::W_OK).is_ok()
}

fn is_ours(path: &Path) -> bool {
    let owner = path.symlink_metadata().map(|meta| meta.uid());
    owner.is_ok_and(|owner| owner == nix::unistd::geteuid().as_raw())
}

impl Enforced {
    /// What a careful person should know is not enforced, each in one line. `is_apart` says that no
    /// other processes can be seen.
    pub fn gaps(&self, is_apart: bool) -> Vec<&'static str> {
        let Some(abi) = self.abi else {
            return vec!["nothing is enforced"];
        };
        let mut gaps = vec![
            "mode, owner and times of files outside can be changed (chmod, chown, utime)",
            "names of files can be listed everywhere; contents of credentials cannot be read",
        ];
        let mut gap = |is_open: bool, text| {
            if is_open {
                gaps.push(text);
            }
        };
        gap(
            self.mode == Mode::Workspace,
            ".git/hooks, .git/config, settings and AGENTS.md of the project can be changed",
        );
        gap(
            true,
            "terminals of this user can be read, and in workspace written",
        );
        gap(
            !is_apart && nix::unistd::geteuid().is_root(),
            "as root, the environment of other processes can be read",
        );
        gap(
            !self.network && !ruleset::stops_tcp(abi),
            "the network can be used (TCP: Linux 6.7)",
        );
        gap(
            !self.network && ruleset::stops_tcp(abi),
            "sockets other than TCP can be used (UDP)",
        );
        gap(
            !ruleset::stops_truncate(abi),
            "files outside can be emptied (Linux 6.2 stops it)",
        );
        gap(
            !ruleset::stops_ioctl(abi),
            "devices take commands (Linux 6.10 stops it)",
        );
        gap(
            !is_apart && !ruleset::scopes(abi),
            "other processes take signals (Linux 6.12 stops it)",
        );
        gap(
            !ruleset::stops_sockets(abi),
            "sockets of local services can be reached (Linux 7.1)",
        );
        gaps
    }
}

impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(abi) = self.abi else {
            return write!(f, "{}", self.mode);
        };
        let tcp = !self.network && ruleset::stops_tcp(abi);
        let parts = [
            (true, "files"),
            (ruleset::stops_truncate(abi), "truncate"),
            (ruleset::stops_ioctl(abi), "ioctl"),
            (tcp, "tcp"),
            (ruleset::scopes(abi), "signals, abstract sockets"),
            (ruleset::stops_sockets(abi), "sockets"),
        ];
        let parts: Vec<&str> = parts
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, part)| *part)
            .collect();
        let network = match (self.network, tcp) {
            (true, _) => "; network on",
            (false, true) => "",
            (false, false) => "; network not stopped",
        };
        write!(
            f,
            "{} (landlock {abi}: {}{network})",
            self.mode,
            parts.join(", ")
        )
    }
}

#[cfg(test)]
mod tests;
