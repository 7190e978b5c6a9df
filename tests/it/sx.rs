//! Runs the built program: a clean environment, a chosen stdin, and everything that it printed.
//! A run that takes longer than [`WAIT_MAX`] is killed and fails its test.
//!
//! The program is the one that cargo built, or the file that `SX_STATIC_BIN` names.

use nix::fcntl::FcntlArg;
use nix::fcntl::FdFlag;
use nix::fcntl::fcntl;
use nix::pty::openpty;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::Value;
use serde_json::json;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use crate::heard::Heard;
use crate::heard::WAIT_MAX;
use crate::place::Place;
use crate::server::Server;

/// The program under test.
pub fn program() -> PathBuf {
    let built = || PathBuf::from(env!("CARGO_BIN_EXE_sx"));
    std::env::var_os("SX_STATIC_BIN").map_or_else(built, PathBuf::from)
}

/// By its whole path: the PATH of a run may have nothing of this machine.
const ENV: &str = "/usr/bin/env";

/// What the program finds on its stdin.
enum Stdin {
    Null,
    /// An open pipe into which nobody writes.
    Silent,
    /// A pipe with these bytes, then its end.
    Bytes(Vec<u8>),
    /// No descriptor 0 at all.
    Closed,
}

/// A run to be started.
pub struct Sx {
    command: Command,
    stdin: Stdin,
}

impl Sx {
    /// The program in a place, with a clean environment and nothing on its stdin.
    pub fn new<S: AsRef<OsStr>>(
        place: &Place,
        program: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Sx {
        let mut command = heeding_signals(program);
        command
            .args(args)
            .current_dir(place.path("work"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", place.path("home"))
            .env("TMPDIR", place.path("tmp"))
            .env("LANG", "C.UTF-8");
        Sx {
            command,
            stdin: Stdin::Null,
        }
    }

    /// Lets its requests go to a server.
    pub fn asking(self, server: &Server) -> Sx {
        self.env("CODEX_BASE_URL", server.base_url())
            .env("CODEX_ISSUER", server.origin())
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Sx {
        self.command.arg(arg);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Sx {
        self.command.env(name, value);
        self
    }

    /// Takes a variable out of its environment.
    pub fn without_env(mut self, name: &str) -> Sx {
        self.command.env_remove(name);
        self
    }

    /// Starts it in another folder.
    pub fn cwd(mut self, dir: impl AsRef<Path>) -> Sx {
        self.command.current_dir(dir);
        self
    }

    /// Gives it an open pipe into which nobody writes.
    pub fn silent_stdin(mut self) -> Sx {
        self.stdin = Stdin::Silent;
        self
    }

    /// Gives it a pipe with these bytes, then its end.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Sx {
        self.stdin = Stdin::Bytes(bytes.into());
        self
    }

    /// Starts it without a descriptor 0.
    pub fn closed_stdin(mut self) -> Sx {
        self.stdin = Stdin::Closed;
        self
    }

    /// Starts it and waits for its end.
    #[track_caller]
    pub fn run(self) -> Ran {
        self.start().wait()
    }

    /// Starts it with stdout going where the caller wants; what comes back has no stdout.
    #[track_caller]
    pub fn run_into(self, stdout: impl Into<Stdio>) -> Ran {
        self.start_into(stdout).wait()
    }

    /// Starts it.
    pub fn start(self) -> Running {
        self.spawn(Stdout::Kept)
    }

    /// Starts it with stdout going where the caller wants.
    pub fn start_into(mut self, stdout: impl Into<Stdio>) -> Running {
        self.command.stdout(stdout);
        self.spawn(Stdout::Elsewhere)
    }

    /// Starts it as a shell does that has let a signal be ignored: `nohup`, say.
    pub fn ignoring(mut self, signal: &str) -> Sx {
        let ignore = format!("--ignore-signal={signal}");
        self.command = through(&[ENV, &ignore], &without_env(&self.command));
        self
    }

    /// Starts it as the last arguments of another command.
    pub fn through(mut self, words: &[&str]) -> Sx {
        self.command = through(words, &self.command);
        self
    }

    /// Starts it with one place for all that it prints.
    pub fn stderr_into_stdout(mut self) -> Sx {
        let script = "exec \"$@\" 2>&1";
        self.command = through(&["sh", "-c", script, "sh"], &self.command);
        self
    }

    /// Starts it on a terminal of its own, as a person does: what it prints there counts as its
    /// stdout, and `type_text` types.
    pub fn start_on_terminal(self) -> Running {
        let ends = openpty(None, None).expect("a terminal");
        // A program of another test would hold it open.
        for end in [&ends.master, &ends.slave] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("an open descriptor");
        }
        let end = || ends.slave.try_clone().expect("a descriptor");
        let mut command = through(&["setsid", "--ctty"], &self.command);
        command.env("TERM", "xterm");
        command.stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("the program starts");
        let keyboard = File::from(ends.master.try_clone().expect("a descriptor"));
        let mut running = Running::new(child, Heard::listen(|| Ok(io::empty())));
        running.stdout = Some(Heard::listen(|| Ok(File::from(ends.master))));
        running.keyboard = Some(keyboard);
        running
    }

    fn spawn(mut self, stdout: Stdout) -> Running {
        if matches!(stdout, Stdout::Kept) {
            self.command.stdout(Stdio::piped());
        }
        let input = match &self.stdin {
            Stdin::Null => Stdio::null(),
            Stdin::Silent | Stdin::Bytes(_) => Stdio::piped(),
            Stdin::Closed => {
                let close = ["sh", "-c", "exec \"$@\" <&-", "sh"];
                self.command = through(&close, &self.command);
                self.command.stdout(Stdio::piped());
                Stdio::null()
            }
        };
        self.command.stdin(input).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take();
        if let Stdin::Bytes(bytes) = self.stdin {
            let mut pipe = stdin.take().expect("a pipe");
            // The program need not read it, so neither may we wait for that nor mind it.
            thread::spawn(move || pipe.write_all(&bytes));
        }
        let stdout = child.stdout.take().map(|pipe| Heard::listen(|| Ok(pipe)));
        let stderr = child.stderr.take().expect("a pipe");
        let mut running = Running::new(child, Heard::listen(|| Ok(stderr)));
        running.stdout = stdout;
        running.stdin = stdin;
        running
    }
}

#[derive(Clone, Copy)]
enum Stdout {
    Kept,
    Elsewhere,
}

fn wait(mut child: Child) -> ExitStatus {
    child.wait().expect("a child of ours")
}

/// The program, with INT, TERM and HUP as they are for a person, also where the tests themselves
/// were started in the background or by nohup: an ignored signal stays ignored over exec.
fn heeding_signals(program: &Path) -> Command {
    if !ignores_a_stop() {
        return Command::new(program);
    }
    let mut command = Command::new(ENV);
    command.arg("--default-signal=INT,TERM,HUP").arg(program);
    command
}

/// Whether this process ignores INT, TERM or HUP (`SigIgn` of proc(5); signal n is bit n-1).
fn ignores_a_stop() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let stops = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
    let is_set = |mask: u64| stops.iter().any(|stop| mask >> (*stop as u32 - 1) & 1 == 1);
    mask.is_some_and(is_set)
}

/// The command without the words of [`heeding_signals`].
fn without_env(command: &Command) -> Command {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let skipped = if command.get_program() == ENV { 2 } else { 0 };
    like(command, words.skip(skipped))
}

/// The same command as the last arguments of another one.
fn through(words: &[&str], command: &Command) -> Command {
    let inner = std::iter::once(command.get_program()).chain(command.get_args());
    like(command, words.iter().map(OsStr::new).chain(inner))
}

/// Other words in the same folder and environment.
fn like<'a>(command: &Command, mut words: impl Iterator<Item = &'a OsStr>) -> Command {
    let mut other = Command::new(words.next().expect("a program"));
    other.args(words).env_clear();
    for (name, value) in command.get_envs() {
        other.env(name, value.unwrap_or_default());
    }
    if let Some(dir) = command.get_current_dir() {
        other.current_dir(dir);
    }
    other
}

/// A run that was started; it is killed if the test ends before it does.
pub struct Running {
    pid: Pid,
    stdin: Option<ChildStdin>,
    stdout: Option<Arc<Heard>>,
    stderr: Arc<Heard>,
    /// The person's end of its terminal.
    keyboard: Option<File>,
    ended: mpsc::Receiver<ExitStatus>,
}

impl Running {
    fn new(child: Child, stderr: Arc<Heard>) -> Running {
        let pid = Pid::from_raw(child.id().cast_signed());
        let (sender, ended) = mpsc::channel();
        thread::spawn(move || sender.send(wait(child)));
        Running {
            pid,
            stdin: None,
            stdout: None,
            stderr,
            keyboard: None,
            ended,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid, signal).expect("it still runs");
    }

    /// Writes into its stdin.
    #[track_caller]
    pub fn write(&mut self, text: &str) {
        let pipe = self.stdin.as_mut().expect("a silent stdin");
        pipe.write_all(text.as_bytes()).expect("it reads");
    }

    /// Types on its terminal.
    #[track_caller]
    pub fn type_text(&mut self, text: &str) {
        let keyboard = self.keyboard.as_mut().expect("a terminal");
        keyboard.write_all(text.as_bytes()).expect("it is open");
    }

    /// Ends its stdin.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits until stdout holds `text`, and returns all of it.
    #[track_caller]
    pub fn wait_for_stdout(&self, text: &str) -> String {
        let heard = self.stdout.as_ref().expect("its stdout is kept");
        let found = heard.wait_for(text);
        let found = found.unwrap_or_else(|| panic!("{text:?} never came; {}", self.so_far()));
        String::from_utf8_lossy(&found).into_owned()
    }

    /// Waits until stderr holds `text`, and returns all of it.
    #[track_caller]
    pub fn wait_for_stderr(&self, text: &str) -> String {
        let found = self.stderr.wait_for(text);
        let found = found.unwrap_or_else(|| panic!("{text:?} never came; {}", self.so_far()));
        String::from_utf8_lossy(&found).into_owned()
    }

    fn so_far(&self) -> String {
        let stdout = self.stdout.as_ref();
        let stdout = stdout.map(|heard| heard.so_far()).unwrap_or_default();
        format!("stdout: {stdout}\nstderr: {}", self.stderr.so_far())
    }

    /// Waits for its end and for the end of all that it printed.
    #[track_caller]
    pub fn wait(self) -> Ran {
        let Ok(status) = self.ended.recv_timeout(WAIT_MAX) else {
            panic!("it did not end; {}", self.so_far());
        };
        let kept = self.stdout.as_deref();
        let (Some(stdout), Some(stderr)) = (
            kept.map_or(Some(Vec::new()), Heard::wait_for_end),
            self.stderr.wait_for_end(),
        ) else {
            panic!(
                "something that it started holds its output open; {}",
                self.so_far()
            );
        };
        Ran {
            status,
            stdout,
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only if nobody has seen its end, since the id may belong to another by then.
        if self.ended.try_recv() == Err(mpsc::TryRecvError::Empty) {
            let _ = kill(self.pid, Signal::SIGKILL);
        }
    }
}

/// A run that ended.
pub struct Ran {
    status: ExitStatus,
    /// What it printed, as bytes.
    pub stdout: Vec<u8>,
    /// What it said.
    pub stderr: String,
}

impl Ran {
    /// Its exit code; `None` if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// It ended with this code, by itself.
    #[track_caller]
    pub fn check_code(&self, code: i32) -> &Ran {
        let text = String::from_utf8_lossy(&self.stdout);
        let said = format!("stdout: {text}\nstderr: {}", self.stderr);
        assert_eq!(self.status.signal(), None, "killed by a signal; {said}");
        assert_eq!(self.status.code(), Some(code), "{said}");
        self
    }

    /// Its stderr holds this.
    #[track_caller]
    pub fn check_said(&self, text: &str) -> &Ran {
        assert!(
            self.stderr.contains(text),
            "no {text:?} in stderr: {}",
            self.stderr
        );
        self
    }

    /// Its stdout holds this.
    #[track_caller]
    pub fn check_printed(&self, text: &str) -> &Ran {
        assert!(
            self.text().contains(text),
            "no {text:?} in stdout: {}",
            self.text()
        );
        self
    }

    /// Its stdout is exactly this.
    #[track_caller]
    pub fn check_stdout(&self, text: &str) -> &Ran {
        assert_eq!(self.text(), text, "stderr: {}", self.stderr);
        self
    }

    /// Its stdout as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        str::from_utf8(&self.stdout).expect("stdout in UTF-8")
    }

    /// Its stdout as JSON lines, each with a type, the last of them `result`.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let text = self.text();
        assert!(
            text.ends_with('\n'),
            "torn: {text:?}; stderr: {}",
            self.stderr
        );
        let lines = text.lines().map(|line| {
            let event: Value = serde_json::from_str(line).expect("a JSON line");
            assert!(event["type"].is_string(), "no type: {line}");
            event
        });
        let events: Vec<Value> = lines.collect();
        let results = events.iter().filter(|event| event["type"] == "result");
        assert_eq!(results.count(), 1, "{text}");
        assert_eq!(
            events.last().map(|event| &event["type"]),
            Some(&json!("result"))
        );
        events
    }

    /// The events of one type.
    #[track_caller]
    pub fn events_of(&self, kind: &str) -> Vec<Value> {
        let mut events = self.events();
        events.retain(|event| event["type"] == kind);
        events
    }

    /// The last event.
    #[track_caller]
    pub fn result(&self) -> Value {
        self.events().pop().expect("events has checked it")
    }
}
