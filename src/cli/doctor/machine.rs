//! What this machine gives: the binary, the kernel, the sandbox as the hands report it, the shell,
//! the folders that are written to, the terminal. Nothing is written.

use super::Finding;
use crate::base::clock::Deadline;
use crate::cli::build;
use crate::cli::ground;
use crate::cli::ground::Ground;
use crate::cli::version;
use crate::hands::client;
use crate::hands::wire::Ready;
use crate::proc::environment;
use crate::proc::launch;
use crate::sys::file::may_write;
use crate::sys::poll::PollSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

/// The hands are there within milliseconds, or something is wrong.
const HANDS_WAIT_MAX: Duration = Duration::from_secs(10);

/// Everything that is to be looked at without a network.
pub(super) fn look(ground: &Ground) -> Vec<Finding> {
    let mut found = vec![binary(), kernel()];
    match ready(ground) {
        Ok(ready) => {
            let off = ground.settings.text("SANDBOX") == "off";
            found.push(match off {
                true => Finding::warn(
                    "sandbox",
                    "",
                    ready.sandbox.clone(),
                    "SANDBOX=workspace locks commands into the project",
                ),
                false => Finding::ok("sandbox", "", ready.sandbox.clone()),
            });
            found.push(match &ready.shell {
                Some(shell) => Finding::ok("shell", shell, "commands are run by it".into()),
                None => Finding::warn(
                    "shell",
                    "",
                    "there is none, so `bash` can run nothing".into(),
                    "install bash or busybox, or set TOOL_BASH=0",
                ),
            });
            found.extend(ready.notes.iter().map(|note| {
                let fix = "see the folder that it names; TMPDIR chooses another";
                Finding::warn("hands", "", note.clone(), fix)
            }));
        }
        Err((what, fix)) => found.push(Finding::fail("sandbox", "", what, &fix)),
    }
    found.push(git());
    found.extend(folders(ground));
    found.push(terminal());
    found
}

fn binary() -> Finding {
    let target = version::target();
    let name = format!("sx {} for {target}", env!("CARGO_PKG_VERSION"));
    match cfg!(target_feature = "crt-static") {
        true => Finding::ok("binary", &name, "static: it needs no other file".into()),
        false => Finding::warn(
            "binary",
            &name,
            "it needs the C library of the machine that it was built on".into(),
            "`make static` builds the one that runs anywhere",
        ),
    }
}

fn kernel() -> Finding {
    match fs::read_to_string("/proc/sys/kernel/osrelease") {
        Ok(release) => Finding::ok("kernel", release.trim(), "/proc is there".into()),
        Err(error) => Finding::warn(
            "kernel",
            "",
            format!("/proc cannot be read: {error}"),
            "mount /proc: processes that escape are found there",
        ),
    }
}

/// What real hands say of themselves; else what is wrong, and the fix.
fn ready(ground: &Ground) -> Result<Ready, (String, String)> {
    let tools = build::tool_specs(&ground.settings, build::Reader::Caller);
    let hands = build::hands(ground, &tools);
    let mut hands = hands.map_err(|fault| (fault.what, fault.hint.unwrap_or_default()))?;
    let deadline = Deadline::after(HANDS_WAIT_MAX, "the time for the hands");
    let failed = |error: &dyn std::fmt::Display| (error.to_string(), String::new());
    while !deadline.is_over() {
        let mut set = PollSet::new();
        hands.watch(&mut set, ());
        set.wait(deadline.left()).map_err(|error| failed(&error))?;
        match hands.pump() {
            Err(client::Error::Refused { reason, hint }) => return Err((reason, hint)),
            Err(error) => return Err(failed(&error)),
            Ok(_) => {}
        }
        if let Some(ready) = hands.ready() {
            return Ok(ready.clone());
        }
    }
    let what = "the process that runs the tools does not answer".to_string();
    Err((
        what,
        "`sx hands` is started by sx; look at what holds it".into(),
    ))
}

fn git() -> Finding {
    let environment: environment::Pairs = ground::environment();
    let path = environment::value(&environment, "PATH").unwrap_or_default();
    match launch::find_in_path(OsStr::new("git"), path) {
        Some(path) => Finding::ok("git", &path.to_string_lossy(), "it is there".into()),
        None => Finding::warn(
            "git",
            "",
            "it is not in PATH; models like to use it".into(),
            "install it where the work is kept in repositories",
        ),
    }
}

/// The folders that we write to, with what is lost without them.
fn folders(ground: &Ground) -> Vec<Finding> {
    let places = [
        (
            "sessions",
            ground.session_dir(),
            "conversations are not kept",
            "set HOME, SX_STATE_DIR or SESSION_DIR to a place that can be written",
        ),
        (
            "settings",
            ground.places.config_dir.clone(),
            "`sx login` and `sx config --set` cannot keep anything",
            "set HOME or SX_CONFIG_DIR to a place that can be written",
        ),
    ];
    places
        .into_iter()
        .map(|(name, path, loss, fix)| match path {
            None => Finding::warn("folder", name, format!("there is no place: {loss}"), fix),
            Some(path) => {
                let shown = path.display();
                match is_writable(&path) {
                    Ok(()) => Finding::ok("folder", name, format!("{shown} can be written")),
                    Err(error) => {
                        let detail = format!("{shown}: {error}; {loss}");
                        Finding::warn("folder", name, detail, fix)
                    }
                }
            }
        })
        .collect()
}

/// Whether the folder can be written, or made where it is not there yet.
fn is_writable(folder: &Path) -> io::Result<()> {
    let there = folder.ancestors().find(|path| path.exists());
    may_write(there.unwrap_or(folder))
}

fn terminal() -> Finding {
    let term = ground::variable("TERM").unwrap_or_default();
    let detail = match (io::stdin().is_terminal(), io::stdout().is_terminal()) {
        (true, true) => "input and output are one",
        (false, true) => "output is one, input is not: sx takes the prompt as an argument",
        _ => "output is none: plain lines, no colour",
    };
    let term = if term.is_empty() { "TERM unset" } else { &term };
    Finding::ok("terminal", term, detail.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_judged_by_the_one_that_is() {
        assert!(is_writable(&std::env::temp_dir().join("sx-none/b/c")).is_ok());
        assert!(is_writable(Path::new("/proc/self/a")).is_err());
        // A file is no folder.
        assert!(is_writable(Path::new("/etc/passwd/a")).is_err());
    }
}
