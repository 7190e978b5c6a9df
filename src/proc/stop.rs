//! Stopping what a command started, all of it: TERM, a grace, then KILL until nothing is left.
//!
//! A state machine that the hands' poll drives; nothing here sleeps. KILL comes in rounds: every
//! process that is found is stopped first, so that none forks while the others die, and only
//! three rounds in a row that find nothing are believed.

use crate::base::clock::Deadline;
use crate::proc::beside;
use crate::proc::tree;
use crate::proc::tree::Bystanders;
use crate::proc::tree::Process;
use crate::sys::poll::PollSet;
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::sys::signal::killpg;
use nix::sys::wait::Id;
use nix::sys::wait::WaitPidFlag;
use nix::sys::wait::waitid;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use std::time::Duration;

/// How long a command has to end by itself after TERM.
const GRACE: Duration = Duration::from_millis(500);

/// How often is looked whether it did.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long killing may take. What is left then hangs in the kernel and cannot be killed.
const KILL_TIME_MAX: Duration = Duration::from_secs(2);

/// Between two rounds of KILL: long enough for the killed to die and be reparented.
const ROUND_EVERY: Duration = Duration::from_millis(1);

/// So many rounds in a row must find nothing; one walk of `/proc` can miss a process that forks.
const QUIET_ROUNDS: u8 = 3;

/// Lets a process of ours go on that somebody stopped; one that runs does not notice.
pub fn wake(pid: u32) {
    let _ = kill(Pid::from_raw(pid as i32), Signal::SIGCONT);
}

/// Asks a process of ours to end.
pub fn ask(pid: u32) {
    let _ = kill(Pid::from_raw(pid as i32), Signal::SIGTERM);
}

/// Whose processes are stopped.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The command: leader of its session, a child of ours.
    pub leader: u32,
    /// What was there before it.
    pub bystanders: Bystanders,
}

/// Who is there now, to be spared when a command that starts next is stopped.
pub fn bystanders() -> Bystanders {
    if !has_children() {
        // The usual case, and much cheaper than a walk.
        return Bystanders::default();
    }
    // Without /proc nobody is found later, so nobody needs to be spared.
    Bystanders::below(&tree::list().unwrap_or_default(), own_pid())
}

/// What a command that ended left running; nothing where `/proc` is missing. `other_leaders` are
/// the commands beside it.
pub fn left_by(scope: &Scope, other_leaders: &[u32]) -> Vec<Process> {
    if !has_children() {
        return Vec::new();
    }
    let others: Vec<i32> = other_leaders.iter().map(|pid| *pid as i32).collect();
    let processes = tree::list().unwrap_or_default();
    let leader = scope.leader as i32;
    tree::left_by(&processes, own_pid(), leader, &scope.bystanders, &others)
}

/// Whether anybody is below us: orphans there come to us, so there is then a child, too.
fn has_children() -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(Id::All, flags) != Err(Errno::ECHILD)
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Call `step` again after this long, or as soon as a child ends.
    Wait(Duration),
    /// Nothing is left.
    Done,
    /// Something is left that even KILL does not end.
    GaveUp,
}

/// One stop under way.
pub struct Stopper {
    scope: Scope,
    phase: Phase,
}

enum Phase {
    Ask,
    Grace { until: Deadline },
    Kill { until: Deadline, quiet_rounds: u8 },
}

impl Stopper {
    /// Stops everything in `scope`, beginning with the first step.
    pub fn new(scope: Scope) -> Stopper {
        Stopper {
            scope,
            phase: Phase::Ask,
        }
    }

    /// One step. `other_leaders` are commands that run beside this one.
    pub fn step(&mut self, other_leaders: &[u32]) -> Next {
        let leader = self.scope.leader as i32;
        let others: Vec<i32> = other_leaders.iter().map(|pid| *pid as i32).collect();
        let bystanders = &self.scope.bystanders;
        let Ok(processes) = tree::list() else {
            return self.step_blind();
        };
        let left = tree::left_by(&processes, own_pid(), leader, bystanders, &others);
        match &mut self.phase {
            Phase::Ask => {
                signal_all(&left, Signal::SIGTERM);
                // One that was stopped by hand could not hear it.
                signal_all(&left, Signal::SIGCONT);
                let until = Deadline::after(GRACE, "the grace after TERM");
                self.phase = Phase::Grace { until };
                Next::Wait(LOOK_EVERY)
            }
            Phase::Grace { until } if !left.is_empty() && !until.is_over() => {
                Next::Wait(LOOK_EVERY)
            }
            Phase::Grace { .. } => {
                self.phase = Phase::kill();
                Next::Wait(Duration::ZERO)
            }
            Phase::Kill {
                until,
                quiet_rounds,
            } => kill_round(&left, until, quiet_rounds),
        }
    }

    /// Without `/proc` only the command's own process group is known. It is empty once its leader
    /// is reaped, too.
    fn step_blind(&mut self) -> Next {
        let group = Pid::from_raw(self.scope.leader as i32);
        if killpg(group, None).is_err() {
            return Next::Done;
        }
        match &self.phase {
            Phase::Ask => {
                let _ = killpg(group, Signal::SIGTERM);
                let until = Deadline::after(GRACE, "the grace after TERM");
                self.phase = Phase::Grace { until };
                Next::Wait(LOOK_EVERY)
            }
            Phase::Grace { until } if !until.is_over() => Next::Wait(LOOK_EVERY),
            Phase::Kill { until, .. } if until.is_over() => Next::GaveUp,
            Phase::Grace { .. } => {
                self.phase = Phase::kill();
                Next::Wait(Duration::ZERO)
            }
            Phase::Kill { .. } => {
                let _ = killpg(group, Signal::SIGKILL);
                Next::Wait(ROUND_EVERY)
            }
        }
    }
}

impl Phase {
    fn kill() -> Phase {
        Phase::Kill {
            until: Deadline::after(KILL_TIME_MAX, "the time for KILL"),
            quiet_rounds: 0,
        }
    }
}

fn kill_round(left: &[Process], until: &Deadline, quiet_rounds: &mut u8) -> Next {
    if left.is_empty() {
        *quiet_rounds += 1;
        return match *quiet_rounds {
            QUIET_ROUNDS => Next::Done,
            _ => Next::Wait(Duration::ZERO),
        };
    }
    *quiet_rounds = 0;
    if until.is_over() {
        return Next::GaveUp;
    }
    signal_all(left, Signal::SIGSTOP);
    signal_all(left, Signal::SIGKILL);
    Next::Wait(ROUND_EVERY)
}

/// Kills everything below us but what runs `beside`, for our own end or after that of the hands.
/// Takes some
/// milliseconds, `KILL_TIME_MAX` at most; nothing where there is nobody.
/// `running` and `ended` are the leaders of commands, for a machine without `/proc`.
pub fn kill_everything_below(running: &[u32], ended: &[u32]) {
    let until = Deadline::after(KILL_TIME_MAX, "the time for KILL");
    let mut quiet_rounds = 0;
    while has_children() {
        let Ok(processes) = tree::list() else {
            return kill_groups(running, ended);
        };
        let mut left = tree::below(&processes, own_pid());
        left.retain(|process| !process.is_dead);
        beside::spare(&processes, &mut left);
        match kill_round(&left, &until, &mut quiet_rounds) {
            Next::Wait(wait) => pause(wait),
            Next::Done | Next::GaveUp => return,
        }
        reap_orphans(&beside::all());
    }
}

fn kill_groups(running: &[u32], ended: &[u32]) {
    let pid = |leader: &u32| Pid::from_raw(*leader as i32);
    // A group keeps its number from being given away, but not once it is empty: if a process has
    // the number of a leader that ended, it is a stranger.
    let is_unclaimed = |leader: &Pid| kill(*leader, None) == Err(Errno::ESRCH);
    let left_behind = ended.iter().map(pid).filter(is_unclaimed);
    for group in running.iter().map(pid).chain(left_behind) {
        let _ = killpg(group, Signal::SIGKILL);
    }
}

fn pause(wait: Duration) {
    // A poll of nothing is a pause that ends on time.
    let _ = PollSet::<()>::new().wait(Some(wait));
}

fn signal_all(processes: &[Process], signal: Signal) {
    for process in processes {
        debug_assert!(process.pid > 1 && process.pid != own_pid());
        // It may be gone, or belong to another user by now: both are left to the next round.
        let _ = kill(Pid::from_raw(process.pid), signal);
    }
}

fn own_pid() -> i32 {
    std::process::id() as i32
}

/// Reaps every child that ended, but `kept`: those belong to a std `Child`, whose status would be
/// stolen. The caller asks those first.
pub fn reap_orphans(kept: &[u32]) {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        match waitid(Id::All, flags) {
            Ok(status) => match status.pid() {
                Some(pid) if !kept.contains(&(pid.as_raw() as u32)) => {
                    let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
                }
                // One that is kept ended only now: its owner is told by the next SIGCHLD.
                Some(_) | None => return,
            },
            // Killed by a real-time signal, which the crate has no name for.
            Err(Errno::EINVAL) => {
                if !reap_nameless(kept) {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

/// Reaps ended children by their numbers. False if there was none to reap.
fn reap_nameless(kept: &[u32]) -> bool {
    let processes = tree::list().unwrap_or_default();
    let dead = processes
        .iter()
        .filter(|process| process.is_dead && process.parent == own_pid())
        .filter(|process| !kept.contains(&(process.pid as u32)));
    let mut found = false;
    for process in dead {
        let _ = waitpid(Pid::from_raw(process.pid), Some(WaitPidFlag::WNOHANG));
        found = true;
    }
    found
}
