//! The guard: a process beside the hands that ends what they leave, should brain and hands be
//! killed in one moment; and the PID namespace in which the kernel does that by itself.
//!
//! The launcher becomes the guard and starts the program by further stages of itself: one that
//! makes the namespace and waits, and one that is its first process, mounts its `/proc` and becomes
//! the program. What cannot be had (a plain chroot, a container without the right) ends such a
//! stage with a status of its own before the program began, and the guard starts it without.

use crate::base::clock::Deadline;
use crate::proc::launch::Error;
use crate::proc::launch::Order;
use crate::proc::own;
use crate::proc::stop;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use crate::sys::signals::Signal;
use crate::sys::signals::Signals;
use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use nix::sys::signal::SigSet;
use nix::unistd;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::time::Duration;

/// The status of a stage that could not make its namespace. No program of ours ends with it.
const NO_NAMESPACE: u8 = 125;

/// How long the program may take to end once it should: a little more than the brain waits.
const END_WAIT: Duration = Duration::from_secs(4);

/// What stands between a program and the other processes of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// Nothing: the launcher becomes the program.
    None,
    /// A guard.
    Guard,
    /// A guard, and where it can be had a PID namespace.
    Namespace,
}

/// What a launcher is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The program itself.
    Program,
    /// The guard.
    Guard,
    /// The guard, of a namespace if it can be had.
    NamespaceGuard,
    /// Who makes the namespace.
    Maker,
    /// The first process of a namespace.
    First,
    /// Likewise, in a user namespace where this user is root so far.
    FirstOf {
        /// The user's number outside.
        user: u32,
        /// The group's.
        group: u32,
    },
}

impl Stage {
    /// What the launcher becomes for this fence.
    pub fn of(fence: Fence) -> Stage {
        match fence {
            Fence::None => Stage::Program,
            Fence::Guard => Stage::Guard,
            Fence::Namespace => Stage::NamespaceGuard,
        }
    }

    /// It as an argument.
    pub fn word(self) -> String {
        match self {
            Stage::Program => "program".to_owned(),
            Stage::Guard => "guard".to_owned(),
            Stage::NamespaceGuard => "guard-namespace".to_owned(),
            Stage::Maker => "maker".to_owned(),
            Stage::First => "first".to_owned(),
            Stage::FirstOf { user, group } => format!("first:{user}:{group}"),
        }
    }

    /// Reads the argument.
    pub fn read(word: &str) -> Option<Stage> {
        Some(match word {
            "program" => Stage::Program,
            "guard" => Stage::Guard,
            "guard-namespace" => Stage::NamespaceGuard,
            "maker" => Stage::Maker,
            "first" => Stage::First,
            _ => {
                let (user, group) = word.strip_prefix("first:")?.split_once(':')?;
                Stage::FirstOf {
                    user: user.parse().ok()?,
                    group: group.parse().ok()?,
                }
            }
        })
    }
}

/// Starts the program and stays until it and all that it left have ended. Returns its status.
pub(super) fn stand(order: &Order) -> Result<u8, Error> {
    let signals = prepare()?;
    stand_plainly(order, &signals)
}

/// The same, with the program as the first process of a PID namespace where one can be had.
pub(super) fn stand_over_namespace(order: &Order) -> Result<u8, Error> {
    let signals = prepare()?;
    let status = watch(start(order, Stage::Maker, "kill")?, &signals)?;
    match status.code() == Some(i32::from(NO_NAMESPACE)) {
        true => stand_plainly(order, &signals),
        false => Ok(end_like(status)),
    }
}

fn prepare() -> Result<Signals, Error> {
    // Orphans of a program that was killed come to us; where that cannot be had, to init.
    let _ = own::become_subreaper();
    take_signals()
}

fn stand_plainly(order: &Order, signals: &Signals) -> Result<u8, Error> {
    let child = start(order, Stage::Program, "term")?;
    let leader = child.id();
    let status = watch(child, signals)?;
    stop::kill_everything_below(&[], &[leader]);
    Ok(end_like(status))
}

/// Makes a PID namespace, starts the program as its first process, and waits for it: the end of
/// that process is the end of all others in it, and so is ours.
pub(super) fn make(order: &Order) -> Result<u8, Error> {
    let Some(first) = separate() else {
        return Ok(NO_NAMESPACE);
    };
    let signals = take_signals()?;
    let status = watch(start(order, first, "kill")?, &signals)?;
    Ok(end_like(status))
}

/// Gives the namespace a `/proc` of its own, and in a user namespace takes back the user's own
/// number. The error is the status that says that it could not be done.
pub(super) fn settle(stage: Stage) -> Result<(), u8> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    nix::mount::mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>)
        .map_err(|_| NO_NAMESPACE)?;
    let own = fs::read_link("/proc/self").map_err(|_| NO_NAMESPACE)?;
    if own != Path::new("1") {
        return Err(NO_NAMESPACE);
    }
    if let Stage::FirstOf { user, group } = stage {
        nix::sched::unshare(CloneFlags::CLONE_NEWUSER).map_err(|_| NO_NAMESPACE)?;
        map_ids((user, 0), (group, 0)).map_err(|_| NO_NAMESPACE)?;
    }
    Ok(())
}

/// Leaves the machine's mounts and lets the next child be the first process of a PID namespace:
/// by our own right, else by that of a user namespace. `None` where neither can be had.
fn separate() -> Option<Stage> {
    let wanted = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
    let (user, group) = (unistd::geteuid().as_raw(), unistd::getegid().as_raw());
    let stage = if nix::sched::unshare(wanted).is_ok() {
        Stage::First
    } else if user == 0 {
        // With its own number alone root could not give a file to anybody any more.
        return None;
    } else {
        nix::sched::unshare(CloneFlags::CLONE_NEWUSER | wanted).ok()?;
        map_ids((0, user), (0, group)).ok()?;
        Stage::FirstOf { user, group }
    };
    // What is mounted outside later is seen inside, and not the other way round. A plain chroot
    // is no mount, and refuses.
    let flags = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).ok()?;
    Some(stage)
}

/// Maps one user and one group: the number inside, then the one outside (user_namespaces(7)).
fn map_ids(user: (u32, u32), group: (u32, u32)) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{} {} 1", user.0, user.1))?;
    fs::write("/proc/self/gid_map", format!("{} {} 1", group.0, group.1))
}

/// Starts our own binary, which the program is, as a further stage of the launcher.
fn start(order: &Order, stage: Stage, death: &str) -> Result<Child, Error> {
    // Nobody inside a PID namespace has a parent outside, as far as it is told.
    let parent = match stage {
        Stage::First | Stage::FirstOf { .. } => 0,
        _ => std::process::id(),
    };
    let mut command = Command::new(&order.program);
    command
        .arg0("sx")
        .arg("launch")
        .arg(parent.to_string())
        .arg(death)
        .arg(stage.word())
        .arg(&order.name)
        .arg(&order.program)
        .args(&order.args);
    command.spawn().map_err(|source| Error::Setup {
        what: "start the next stage",
        source,
    })
}

fn take_signals() -> Result<Signals, Error> {
    let wanted = [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGINT,
    ];
    Signals::take(&wanted).map_err(|source| Error::Setup {
        what: "take signals",
        source,
    })
}

/// Waits for the child's end. A stop is passed on, and enforced if it is not obeyed; so the death
/// of our parent is, while the child still puts its things away.
fn watch(mut child: Child, signals: &Signals) -> Result<ExitStatus, Error> {
    let mut until = Deadline::never();
    loop {
        let setup = |what| move |source| Error::Setup { what, source };
        if let Some(status) = child.try_wait().map_err(setup("wait for the program"))? {
            return Ok(status);
        }
        if until.is_over() {
            let _ = child.kill();
            until = Deadline::never();
        }
        let mut set = PollSet::new();
        set.add(signals.fd(), Interest::Read, ());
        set.wait(until.left()).map_err(setup("wait"))?;
        while let Some(signal) = signals.next() {
            // A command may have stopped it.
            stop::wake(child.id());
            if signal != Signal::SIGCHLD {
                stop::ask(child.id());
                until = until.sooner(Deadline::after(END_WAIT, "the end of the program"));
            }
        }
        stop::reap_orphans(&[child.id()]);
    }
}

/// Ends as the child did: by its signal, or with its status, which is returned.
fn end_like(status: ExitStatus) -> u8 {
    if let Some(signal) = status.signal() {
        if let Ok(signal) = Signal::try_from(signal) {
            // Its core was dumped, if any was wanted.
            let _ = own::close_to_others();
            let _ = SigSet::empty().thread_set_mask();
            let _ = nix::sys::signal::raise(signal);
        }
        return 128 + u8::try_from(signal).unwrap_or(0);
    }
    let code = status.code().unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_read_as_it_was_written() {
        let user = Stage::FirstOf {
            user: 1000,
            group: 100,
        };
        let stages = [
            Stage::of(Fence::None),
            Stage::of(Fence::Guard),
            Stage::of(Fence::Namespace),
            Stage::Maker,
            Stage::First,
            user,
        ];
        for stage in stages {
            assert_eq!(Stage::read(&stage.word()), Some(stage));
        }
        for word in ["", "first:", "first:1", "first:a:b", "Program"] {
            assert_eq!(Stage::read(word), None, "{word}");
        }
    }
}
