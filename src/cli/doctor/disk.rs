//! The folders that are written to. Nothing is written.
//!
//! A call about a folder on a disk of the network can take for ever, and nothing ends it. So it is
//! made on a thread of its own, which is left behind when the time is up.

use super::Look;
use super::Wait;
use super::Woken;
use super::finding::Finding;
use crate::base::clock::Deadline;
use crate::sys::file::may_write;
use crate::sys::file::space_left;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use std::env;
use std::io;
use std::mem;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

/// A disk that is asleep needs some seconds.
const DISK_WAIT_MAX: Duration = Duration::from_secs(10);

/// A few sessions and the output of some commands.
const SPACE_BYTES_MIN: u64 = 64 * 1024 * 1024;

/// A folder that we write to.
struct Place {
    name: &'static str,
    path: Option<PathBuf>,
    /// What is lost without it.
    loss: &'static str,
    fix: &'static str,
}

/// Folders that are being looked at.
struct Aside {
    /// Empty while the thread looks.
    answer: Arc<Mutex<Vec<Finding>>>,
    /// Ready once it has looked.
    woken: UnixStream,
    whole: Deadline,
}

/// Looks at the folders for sessions, for our settings and for temporary files.
pub(super) fn begin(sessions: Option<PathBuf>, config_dir: Option<PathBuf>) -> Look {
    let places = [
        Place {
            name: "sessions",
            path: sessions,
            loss: "conversations are not kept",
            fix: "set HOME, SX_STATE_DIR or SESSION_DIR to a place that can be written",
        },
        Place {
            name: "settings",
            path: config_dir,
            loss: "`sx login` and `sx config --set` cannot keep anything",
            fix: "set HOME or SX_CONFIG_DIR to a place that can be written",
        },
        Place {
            name: "temp",
            path: Some(env::temp_dir()),
            loss: "commands get a folder below /tmp where that can be had, else none",
            fix: "make it, or set TMPDIR to a folder that can be written",
        },
    ];
    match start(places) {
        Ok(aside) => Look::Waits(Box::new(aside)),
        Err(error) => {
            let detail = format!("the folders are not looked at: {error}");
            let fix = "more processes or open files must be allowed (ulimit -u, -n)";
            Look::Known(vec![Finding::warn("folder", "", detail, fix)])
        }
    }
}

fn start(places: [Place; 3]) -> io::Result<Aside> {
    let (woken, waker) = UnixStream::pair()?;
    let answer = Arc::new(Mutex::new(Vec::new()));
    let there = answer.clone();
    thread::Builder::new().name("disk".into()).spawn(move || {
        let found = places.iter().map(look).collect();
        *there.lock().unwrap_or_else(PoisonError::into_inner) = found;
        drop(waker);
    })?;
    Ok(Aside {
        answer,
        woken,
        whole: Deadline::after(DISK_WAIT_MAX, "DISK_WAIT_MAX"),
    })
}

impl Wait for Aside {
    fn watch<'fd>(&'fd self, set: &mut PollSet<'fd, Woken>) {
        set.add(self.woken.as_fd(), Interest::Read, Woken::Look);
    }

    fn deadline(&self) -> Deadline {
        self.whole
    }

    fn step(&mut self) -> Option<Vec<Finding>> {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        if !answer.is_empty() {
            return Some(mem::take(&mut *answer));
        }
        if !self.whole.is_over() {
            return None;
        }
        let wait = DISK_WAIT_MAX.as_secs();
        let detail = format!("a folder of ours says nothing within {wait} s");
        let fix = "its disk or its network is away; SX_STATE_DIR, SX_CONFIG_DIR and TMPDIR choose \
                   other places";
        Some(vec![Finding::warn("folder", "", detail, fix)])
    }
}

fn look(place: &Place) -> Finding {
    let Place {
        name, loss, fix, ..
    } = place;
    let Some(path) = &place.path else {
        return Finding::warn("folder", name, format!("there is no place: {loss}"), fix);
    };
    let shown = path.display();
    // A relative one counts from where we are, which has no name among its ancestors.
    let path = &path::absolute(path).unwrap_or_else(|_| path.clone());
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(path);
    // It is made where it is needed; but nobody makes the folder for temporary files.
    let writable = match *name == "temp" && there != path {
        true => Err(io::ErrorKind::NotFound.into()),
        false => is_writable(there),
    };
    if let Err(error) = writable {
        return Finding::warn("folder", name, format!("{shown}: {error}; {loss}"), fix);
    }
    match space_left(there) {
        Ok(bytes) if bytes < SPACE_BYTES_MIN => {
            let detail = format!(
                "{shown}: its disk is as good as full, {} left",
                megabytes(bytes)
            );
            Finding::warn(
                "folder",
                name,
                detail,
                "make room there, or choose another place",
            )
        }
        Ok(bytes) => {
            let detail = format!("{shown} can be written; {} left", megabytes(bytes));
            Finding::ok("folder", name, detail)
        }
        Err(_) => Finding::ok("folder", name, format!("{shown} can be written")),
    }
}

/// Whether files can be made in a folder that is there. A file is none.
fn is_writable(folder: &Path) -> io::Result<()> {
    match folder.is_dir() {
        true => may_write(folder),
        false => Err(io::ErrorKind::NotADirectory.into()),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_judged_by_the_one_that_is() {
        #[track_caller]
        fn check(name: &'static str, path: &Path, expected: State) {
            let place = Place {
                name,
                path: Some(path.into()),
                loss: "all is lost",
                fix: "find it",
            };
            let found = look(&place);
            assert_eq!(found.state, expected, "{found:?}");
        }
        let below = env::temp_dir().join("sx-not-there/b/c");
        check("sessions", &below, State::Ok);
        check("sessions", Path::new("sx-not-there/b"), State::Ok);
        check("temp", &below, State::Warn);
        check("temp", &env::temp_dir(), State::Ok);
        check("sessions", Path::new("/proc/self/a"), State::Warn);
        check("sessions", Path::new("/etc/passwd/a"), State::Warn);
    }
}
