//! The processes below us, as `/proc` lists them: who they are, and which a call left behind.
//!
//! We are their subreaper, so whatever a command forks, also twice and in a session of its own,
//! stays a descendant of ours. [`parse_stat`] and [`left_by`] are pure.

use std::fs;
use std::io;

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Who it belongs to now: its parent, or us once that is gone.
    pub parent: i32,
    /// The session it is in; the number of the process that started it.
    pub session: i32,
    /// When it started, in ticks since boot: together with `pid` nobody else's.
    pub start: u64,
    /// Whether it is dead and waits to be reaped.
    pub is_dead: bool,
}

impl Process {
    /// What tells it from a later process of the same number.
    fn identity(&self) -> (i32, u64) {
        (self.pid, self.start)
    }
}

/// All processes of the machine, or of the container. Fails where `/proc` is not mounted.
pub fn list() -> io::Result<Vec<Process>> {
    let entries = fs::read_dir("/proc")?.filter_map(Result::ok);
    let processes: Vec<Process> = entries
        .filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit())
        // One that ended in between is no longer listed.
        .filter_map(|entry| fs::read(entry.path().join("stat")).ok())
        .filter_map(|stat| parse_stat(&stat))
        .collect();
    match processes.is_empty() {
        true => Err(io::ErrorKind::NotFound.into()),
        false => Ok(processes),
    }
}

/// Reads `/proc/PID/stat` (proc_pid_stat(5)). The name in its second field may hold blanks,
/// parentheses and any other byte, so the fields are counted from the last parenthesis.
pub fn parse_stat(stat: &[u8]) -> Option<Process> {
    let name_start = stat.iter().position(|byte| *byte == b'(')?;
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let pid = std::str::from_utf8(&stat[..name_start]).ok()?;
    let rest = std::str::from_utf8(&stat[name_end + 1..]).ok()?;
    // Field 3, the state, is the first here; 4 is the parent, 6 the session, 20 the number of
    // threads, 22 the start.
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let threads: u32 = fields.get(17)?.parse().ok()?;
    Some(Process {
        pid: pid.trim().parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
        // A process whose first thread ended looks dead while its other threads live on.
        is_dead: matches!(*fields.first()?, "Z" | "X" | "x") && threads <= 1,
    })
}

/// The living and dead processes below `root`, without itself.
pub fn below(processes: &[Process], root: i32) -> Vec<Process> {
    let mut found: Vec<Process> = children(processes, root).collect();
    let mut index = 0;
    while index < found.len() {
        found.extend(children(processes, found[index].pid));
        index += 1;
    }
    found
}

fn children(processes: &[Process], parent: i32) -> impl Iterator<Item = Process> {
    let others = processes
        .iter()
        .filter(move |process| process.pid != parent);
    others
        .filter(move |process| process.parent == parent)
        .copied()
}

/// What was there when a call began, and is none of its doing.
#[derive(Clone, Debug, Default)]
pub struct Bystanders {
    identities: Vec<(i32, u64)>,
    sessions: Vec<i32>,
}

impl Bystanders {
    /// Everything below `root`.
    pub fn below(processes: &[Process], root: i32) -> Bystanders {
        let found = below(processes, root);
        let is_root = |process: &&Process| process.pid == root;
        let own_session = processes.iter().find(is_root).map(|root| root.session);
        let sessions = found.iter().map(|process| process.session);
        Bystanders {
            identities: found.iter().map(Process::identity).collect(),
            // A command that is only being launched is still in our own session.
            sessions: sessions.filter(|id| Some(*id) != own_session).collect(),
        }
    }

    /// These too, which somebody else left running.
    pub fn add(&mut self, others: &[Process]) {
        self.identities.extend(others.iter().map(Process::identity));
        self.sessions
            .extend(others.iter().map(|other| other.session));
    }

    fn has(&self, process: &Process) -> bool {
        self.identities.contains(&process.identity()) || self.sessions.contains(&process.session)
    }
}

/// The living processes below `root` that the command `leader` started: its session, its
/// descendants, and orphans that came to `root` since it began. `bystanders`, all that they
/// started, and the commands in `other_leaders` with theirs are left alone.
pub fn left_by(
    processes: &[Process],
    root: i32,
    leader: i32,
    bystanders: &Bystanders,
    other_leaders: &[i32],
) -> Vec<Process> {
    let is_foreign = |process: &Process| {
        other_leaders.contains(&process.pid)
            || other_leaders.contains(&process.session)
            || process.session != leader && bystanders.has(process)
    };
    // A walk that does not enter what belongs to others.
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for process in children(processes, parent).filter(|process| !is_foreign(process)) {
            parents.push(process.pid);
            found.push(process);
        }
    }
    found.retain(|process| !process.is_dead);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, session: i32) -> Process {
        Process {
            pid,
            parent,
            session,
            start: pid as u64,
            is_dead: false,
        }
    }

    fn pids(processes: &[Process]) -> Vec<i32> {
        let mut pids: Vec<i32> = processes.iter().map(|process| process.pid).collect();
        pids.sort();
        pids
    }

    #[test]
    fn a_name_may_hold_anything() {
        let rest = "S 7 12 5 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 987 1 1";
        for name in ["sh", "a b", ") R 1 (x", "((", "\u{e9}"] {
            let stat = format!("12 ({name}) {rest}");
            let found = parse_stat(stat.as_bytes()).unwrap();
            let expected = Process {
                start: 987,
                ..process(12, 7, 5)
            };
            assert_eq!(found, expected, "{name:?}");
        }
        let zombie = rest.replacen('S', "Z", 1);
        let is_dead = |rest: &str| {
            parse_stat(format!("12 (x) {rest}").as_bytes())
                .unwrap()
                .is_dead
        };
        assert!(is_dead(&zombie));
        assert!(!is_dead(&zombie.replace("20 0 1 0 987", "20 0 2 0 987")));
        let odd = [&b"12 (\xff) "[..], rest.as_bytes()].concat();
        assert!(parse_stat(&odd).is_some());
        for bad in ["", "12", "12 (x)", "12 (x) S 7", "x (y) S 7 12 5"] {
            assert_eq!(parse_stat(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn we_are_listed_with_our_parent() {
        let processes = list().unwrap();
        let own = std::process::id() as i32;
        let ours = processes.iter().find(|process| process.pid == own).unwrap();
        assert_eq!(ours.parent, std::os::unix::process::parent_id() as i32);
        assert!(!ours.is_dead);
    }

    #[test]
    fn everything_that_a_command_left_is_found() {
        let before = [process(1, 0, 1), process(10, 1, 10)];
        let bystanders = Bystanders::below(&before, 10);
        let now = [
            before[0],
            before[1],
            process(20, 10, 20),
            process(21, 20, 20),
            // Orphans: one in the command's session, one in a session of its own and its child.
            process(22, 10, 20),
            process(23, 10, 23),
            process(24, 23, 23),
            process(99, 1, 99),
        ];
        let left = left_by(&now, 10, 20, &bystanders, &[]);
        assert_eq!(pids(&left), [20, 21, 22, 23, 24]);
        // Still so when the command itself is gone.
        let left = left_by(&[now[1], now[5], now[6]], 10, 20, &bystanders, &[]);
        assert_eq!(pids(&left), [23, 24]);
    }

    #[test]
    fn what_an_earlier_call_left_running_is_spared_with_its_children() {
        let server = process(30, 10, 30);
        let bystanders = Bystanders::below(&[process(10, 1, 10), server], 10);
        let now = [
            process(10, 1, 10),
            server,
            process(31, 30, 30),
            process(32, 10, 30),
            process(33, 31, 33),
            process(40, 10, 40),
        ];
        assert_eq!(pids(&left_by(&now, 10, 40, &bystanders, &[])), [40]);
    }

    #[test]
    fn a_command_that_runs_beside_is_spared() {
        let now = [
            process(10, 1, 10),
            process(20, 10, 20),
            process(50, 10, 50),
            process(51, 50, 50),
        ];
        let left = left_by(&now, 10, 20, &Bystanders::default(), &[50]);
        assert_eq!(pids(&left), [20]);
    }

    #[test]
    fn a_reused_number_is_not_a_bystander_and_the_dead_are_not_left() {
        let old = process(30, 10, 30);
        let bystanders = Bystanders::below(&[process(10, 1, 10), old], 10);
        let reused = Process {
            start: 31,
            session: 20,
            ..old
        };
        let dead = Process {
            is_dead: true,
            ..process(41, 10, 20)
        };
        let left = left_by(
            &[process(10, 1, 10), reused, dead],
            10,
            20,
            &bystanders,
            &[],
        );
        assert_eq!(left, [reused]);
    }
}
