//! The launcher: how everything of ours is started (design: "The launcher").
//!
//! std's `Command` hands its signal mask down and cannot start a session without unsafe code, so
//! it starts our own binary with the hidden verb `launch`, which puts the process in order and
//! then becomes the program: 0.12 ms. [`Launch`] is the caller's side, [`main`] the verb's.

use crate::proc::guard;
use crate::proc::guard::Fence;
use crate::proc::guard::Stage;
use nix::sys::prctl;
use nix::sys::resource::Resource;
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

/// The kernel's own name for the binary that runs, also after its file was replaced.
const SELF_EXE: &str = "/proc/self/exe";

/// How many descriptors are closed one by one where `/proc` does not list them.
const DESCRIPTORS_MAX: u64 = 4_096;

/// A program to start in a session of its own.
pub struct Launch {
    /// A path, or a name that is looked up in the `PATH` of `env`.
    pub program: OsString,
    /// Its arguments, without its own name.
    pub args: Vec<OsString>,
    /// Where it starts; `None` is where we are.
    pub cwd: Option<PathBuf>,
    /// Its whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Its standard input.
    pub stdin: Stdio,
    /// Its standard output.
    pub stdout: Stdio,
    /// Its standard error; the launcher says there why a program could not be run.
    pub stderr: Stdio,
    /// What it gets when the thread that starts it ends.
    pub death: DeathSignal,
    /// What stands between it and other processes; it must be our own binary for any fence.
    pub fence: Fence,
}

/// The signal that a process gets when the thread that started it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeathSignal {
    /// For commands: nobody is left who would wait for a clean end.
    Kill,
    /// For the hands, which first stop what they started.
    Terminate,
    /// None: for what must come to its end though nobody waits for it any more.
    None,
}

impl DeathSignal {
    fn word(self) -> &'static str {
        match self {
            DeathSignal::Kill => "kill",
            DeathSignal::Terminate => "term",
            DeathSignal::None => "none",
        }
    }

    fn signal(self) -> Option<Signal> {
        match self {
            DeathSignal::Kill => Some(Signal::SIGKILL),
            DeathSignal::Terminate => Some(Signal::SIGTERM),
            DeathSignal::None => None,
        }
    }
}

impl Launch {
    /// Starts it. Call this only from a thread that lives as long as the process may.
    ///
    /// Whether the program itself could be run shows later: exit status 127 or 126, and the reason
    /// on its standard error.
    pub fn spawn(self, self_path: &SelfPath) -> io::Result<Child> {
        let mut command = Command::new(&self_path.path);
        command
            .arg0("sx")
            .arg("launch")
            .arg(std::process::id().to_string())
            .arg(self.death.word())
            .arg(Stage::of(self.fence).word())
            .arg(self_path.name_for(&self.program))
            .arg(self.program)
            .args(self.args)
            .env_clear()
            .envs(self.env)
            .stdin(self.stdin)
            .stdout(self.stdout)
            .stderr(self.stderr);
        if let Some(cwd) = self.cwd {
            command.current_dir(cwd);
        }
        command.spawn()
    }
}

/// Where our own binary can be run from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfPath {
    path: PathBuf,
}

impl SelfPath {
    /// `/proc/self/exe` where it can be read, since it is right even after the file was replaced;
    /// else the path that we were called by, made absolute: `argv0` if it has a slash, else its
    /// place in `path`, which is the value of `PATH`. `None` if nothing fits.
    pub fn find(argv0: &OsStr, path: Option<&OsStr>) -> Option<SelfPath> {
        let path = if fs::read_link(SELF_EXE).is_ok() {
            PathBuf::from(SELF_EXE)
        } else if argv0.as_bytes().contains(&b'/') {
            std::path::absolute(argv0).ok()?
        } else {
            find_in_path(argv0, path?)?
        };
        Some(SelfPath { path })
    }

    /// The path, to be run as a program.
    pub fn as_path(&self) -> &Path {
        &self.path
    }

    /// The path by which any process finds the file, where that can be known.
    pub fn real(&self) -> Option<PathBuf> {
        fs::canonicalize(&self.path).ok()
    }

    /// The folder that the file lies in, where that can be known.
    pub fn folder(&self) -> Option<PathBuf> {
        Some(self.real()?.parent()?.to_path_buf())
    }

    /// The name that a started program sees as its own. Our binary reads it to find itself again
    /// where `/proc` is missing; a process list should not show `/proc/self/exe`.
    fn name_for(&self, program: &OsStr) -> OsString {
        if program == SELF_EXE {
            OsString::from("sx")
        } else {
            program.to_owned()
        }
    }
}

/// The first executable file called `name` in the folders of `path`.
pub fn find_in_path(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
}

pub(super) fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Why the launcher ended instead of becoming the program.
#[derive(Debug)]
pub enum Error {
    /// The arguments are not ours: a person typed the hidden verb.
    Usage,
    /// The process that wanted it is gone already.
    Orphaned,
    /// The process could not be put in order.
    Setup {
        /// What could not be done.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// There is no such program, or the kernel refuses it.
    Exec {
        /// The program as it was given.
        program: OsString,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl Error {
    /// The exit status that says so, as shells use it: 127 not found, 126 cannot be run.
    pub fn code(&self) -> u8 {
        match self {
            Error::Usage => 2,
            Error::Orphaned => 1,
            Error::Setup { .. } => 126,
            Error::Exec { source, .. } if source.kind() == io::ErrorKind::NotFound => 127,
            Error::Exec { .. } => 126,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage => f.write_str("launch is for sx itself"),
            Error::Orphaned => f.write_str("the process that started this one is gone"),
            Error::Setup { what, source } => write!(f, "cannot {what}: {source}"),
            Error::Exec { program, source } => {
                write!(f, "cannot run {}: {source}", program.display())
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Usage | Error::Orphaned => None,
            Error::Setup { source, .. } | Error::Exec { source, .. } => Some(source),
        }
    }
}

/// The verb `launch`: puts this process in order and becomes the program, or what stands between
/// it and others; then its status is returned. `args` are what follows the verb: parent, death
/// signal, stage, name, program, arguments.
pub fn main(args: impl Iterator<Item = OsString>) -> Result<u8, Error> {
    let order = Order::read(args).ok_or(Error::Usage)?;
    prepare(&order)?;
    match order.stage {
        Stage::Guard => return guard::stand(&order),
        Stage::NamespaceGuard => return guard::stand_over_namespace(&order),
        Stage::Maker => return guard::make(&order),
        Stage::First | Stage::FirstOf { .. } => {
            if let Err(status) = guard::settle(order.stage) {
                return Ok(status);
            }
        }
        Stage::Program => {}
    }
    // exec also gives SIGPIPE its default back, which std had set to ignore.
    let source = Command::new(&order.program)
        .arg0(&order.name)
        .args(&order.args)
        .exec();
    Err(Error::Exec {
        program: order.program,
        source,
    })
}

/// The launcher's arguments.
pub(super) struct Order {
    parent: Pid,
    death: DeathSignal,
    stage: Stage,
    pub(super) name: OsString,
    pub(super) program: OsString,
    pub(super) args: Vec<OsString>,
}

impl Order {
    fn read(mut args: impl Iterator<Item = OsString>) -> Option<Order> {
        let parent = args.next()?.to_str()?.parse().ok()?;
        let word = args.next()?;
        let deaths = [DeathSignal::Kill, DeathSignal::Terminate, DeathSignal::None];
        let death = deaths.into_iter().find(|death| word == death.word())?;
        let stage = Stage::read(args.next()?.to_str()?)?;
        Some(Order {
            parent: Pid::from_raw(parent),
            death,
            stage,
            name: args.next()?,
            program: args.next()?,
            args: args.collect(),
        })
    }
}

fn prepare(order: &Order) -> Result<(), Error> {
    let setup = |what| {
        move |errno: nix::Error| Error::Setup {
            what,
            source: errno.into(),
        }
    };
    SigSet::empty()
        .thread_set_mask()
        .map_err(setup("empty the signal mask"))?;
    nix::unistd::setsid().map_err(setup("start a session"))?;
    if let Some(signal) = order.death.signal() {
        prctl::set_pdeathsig(signal).map_err(setup("set the parent-death signal"))?;
        // A parent that died before the line above sends nothing any more.
        if nix::unistd::getppid() != order.parent {
            return Err(Error::Orphaned);
        }
    }
    close_inherited();
    Ok(())
}

/// Closes every descriptor above 2. Whatever was open in the caller is none of the program's
/// business, and a pipe's end in the wrong hands keeps the other one waiting for ever.
fn close_inherited() {
    let listed: Vec<RawFd> = match fs::read_dir("/proc/self/fd") {
        Ok(entries) => entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect(),
        Err(_) => {
            let limit = nix::sys::resource::getrlimit(Resource::RLIMIT_NOFILE)
                .map_or(DESCRIPTORS_MAX, |(soft, _)| soft.min(DESCRIPTORS_MAX));
            (3..limit as RawFd).collect()
        }
    };
    for fd in listed.into_iter().filter(|fd| *fd > 2) {
        // The list's own descriptor is closed by now, and numbers may be free: both are fine.
        let _ = nix::unistd::close(fd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(words: &[&str]) -> Option<Order> {
        Order::read(words.iter().map(OsString::from))
    }

    #[test]
    fn an_order_is_read_in_its_fixed_places() {
        let order = order(&["7", "term", "program", "sh", "/bin/sh", "-c", "--", "x"]).unwrap();
        assert_eq!(order.parent, Pid::from_raw(7));
        assert_eq!(order.death, DeathSignal::Terminate);
        assert_eq!((order.name, order.program), ("sh".into(), "/bin/sh".into()));
        assert_eq!(order.args, ["-c", "--", "x"]);
    }

    #[test]
    fn an_order_that_is_not_ours_is_refused() {
        for words in [
            &[] as &[&str],
            &["7"],
            &["x", "kill", "program", "sh", "sh"],
            &["7", "hup", "program", "sh", "sh"],
            &["7", "kill", "nothing", "sh", "sh"],
            &["7", "kill", "program", "sh"],
        ] {
            assert!(order(words).is_none(), "{words:?}");
        }
    }

    #[test]
    fn statuses_are_those_of_a_shell() {
        let exec = |kind: io::ErrorKind| Error::Exec {
            program: "x".into(),
            source: kind.into(),
        };
        assert_eq!(exec(io::ErrorKind::NotFound).code(), 127);
        assert_eq!(exec(io::ErrorKind::PermissionDenied).code(), 126);
        let text = exec(io::ErrorKind::NotFound).to_string();
        assert_eq!(text, "cannot run x: entity not found");
    }

    #[test]
    fn a_name_is_searched_in_absolute_folders_only() {
        let sh = OsStr::new("sh");
        assert!(find_in_path(sh, OsStr::new("relative::/nowhere")).is_none());
        let found = find_in_path(sh, OsStr::new("/nowhere:/bin")).unwrap();
        assert_eq!(found, Path::new("/bin/sh"));
        assert!(find_in_path(OsStr::new("no-such-tool"), OsStr::new("/bin")).is_none());
    }
}
