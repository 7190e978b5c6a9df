//! A program whose output is wanted: started, fed, read and waited for in whoever's poll.
//!
//! A state machine that its driver steps. It is over when the program ends, not when its pipes
//! close: what it left running may hold them for ever (an ssh master does). Nothing tells a poll of
//! that end without unsafe code or a signal of its own, so it is looked for every `LOOK_EVERY`.

use crate::base::clock::Deadline;
use crate::proc::Fence;
use crate::proc::Launch;
use crate::proc::SelfPath;
use crate::proc::beside;
use crate::proc::environment::Pairs;
use crate::proc::launch::DeathSignal;
use crate::proc::pipe;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use nix::sys::signal::Signal;
use nix::sys::signal::killpg;
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStderr;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

/// How often is looked whether the program has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Of what a program says beside its output, the beginning holds the reason.
const STDERR_BYTES_MAX: usize = 64 * 1024;

/// Bytes asked for in one read.
const READ_BYTES: usize = 16 * 1024;

/// What to run.
pub struct Job {
    /// A path, or a name that is looked up in the `PATH` of `env`.
    pub program: OsString,
    /// Its arguments, without its own name.
    pub args: Vec<OsString>,
    /// Where it starts; `None` is where we are.
    pub cwd: Option<PathBuf>,
    /// Its whole environment.
    pub env: Pairs,
    /// What it reads on its standard input.
    pub input: Vec<u8>,
    /// How much of it is waited for.
    pub bounds: Bounds,
}

/// How much of a program is waited for.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// How long it may take.
    pub deadline: Deadline,
    /// More output than this is an error.
    pub output_bytes_max: usize,
    /// What becomes of it when nobody waits any more.
    pub fate: Fate,
}

/// What becomes of a program that nobody waits for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is killed, and its whole session.
    Killed,
    /// It goes on to its end, also after ours.
    Left,
}

/// A program that runs.
pub struct Capture {
    child: Child,
    stdin: Option<ChildStdin>,
    /// What it has not read yet.
    input: Vec<u8>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    output: Vec<u8>,
    words: Vec<u8>,
    look_at: Deadline,
    bounds: Bounds,
    is_over: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Captured {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote.
    pub output: Vec<u8>,
    /// What it said on its standard error, the beginning of it.
    pub words: Vec<u8>,
}

/// Why nothing came of it.
#[derive(Debug)]
pub enum Error {
    /// It could not be started.
    Start(io::Error),
    /// Its pipes broke.
    Pipe(io::Error),
    /// It took longer than its limit, which has this name.
    Timeout(&'static str),
    /// It wrote more bytes than this.
    TooLong(usize),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Start(source) => write!(f, "it could not be started: {source}"),
            Error::Pipe(source) => write!(f, "its pipe broke: {source}"),
            Error::Timeout(limit) => write!(f, "it took longer than {limit} allows"),
            Error::TooLong(bytes) => write!(f, "it wrote more than {bytes} bytes"),
        }
    }
}

impl std::error::Error for Error {}

impl Capture {
    /// Starts it. Call this from a thread that lives as long as the program may.
    pub fn start(job: Job, self_path: &SelfPath) -> Result<Capture, Error> {
        let launch = Launch {
            program: job.program,
            args: job.args,
            cwd: job.cwd,
            env: job.env,
            stdin: Stdio::piped(),
            stdout: Stdio::piped(),
            stderr: Stdio::piped(),
            death: match job.bounds.fate {
                Fate::Killed => DeathSignal::Kill,
                Fate::Left => DeathSignal::None,
            },
            fence: Fence::None,
        };
        let child = launch.spawn(self_path).map_err(Error::Start)?;
        beside::add(child.id());
        Capture::of(child, job.input, job.bounds)
    }

    fn of(mut child: Child, input: Vec<u8>, bounds: Bounds) -> Result<Capture, Error> {
        let piped = "all three streams were asked to be pipes";
        let stdin = child.stdin.take().expect(piped);
        let stdout = child.stdout.take().expect(piped);
        let stderr = child.stderr.take().expect(piped);
        for fd in [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()] {
            pipe::set_nonblocking(fd).map_err(Error::Pipe)?;
        }
        Ok(Capture {
            child,
            stdin: Some(stdin),
            input,
            stdout: Some(stdout),
            stderr: Some(stderr),
            output: Vec::new(),
            words: Vec::new(),
            look_at: Deadline::after(LOOK_EVERY, "LOOK_EVERY"),
            bounds,
            is_over: false,
        })
    }

    /// Adds what it waits for.
    pub fn wait_for<'a, T: Copy>(&'a self, set: &mut PollSet<'a, T>, token: T) {
        if let Some(stdin) = &self.stdin {
            set.add(stdin.as_fd(), Interest::Write, token);
        }
        if let Some(stdout) = &self.stdout {
            set.add(stdout.as_fd(), Interest::Read, token);
        }
        if let Some(stderr) = &self.stderr {
            set.add(stderr.as_fd(), Interest::Read, token);
        }
    }

    /// When to step at the latest, though nothing was ready.
    pub fn deadline(&self) -> Deadline {
        self.look_at.sooner(self.bounds.deadline)
    }

    /// Moves what can be moved now; what came of it once it has ended.
    pub fn step(&mut self) -> Result<Option<Captured>, Error> {
        // Looked for before the pipes are read, so that nothing it wrote is missed.
        let status = self.child.try_wait().map_err(Error::Pipe)?;
        self.feed()?;
        if drain(&mut self.stdout, &mut self.output, usize::MAX)? {
            self.stdout = None;
        }
        if drain(&mut self.stderr, &mut self.words, STDERR_BYTES_MAX)? {
            self.stderr = None;
        }
        if self.output.len() > self.bounds.output_bytes_max {
            return Err(Error::TooLong(self.bounds.output_bytes_max));
        }
        if let Some(status) = status {
            beside::remove(self.child.id());
            self.is_over = true;
            return Ok(Some(Captured {
                status,
                output: std::mem::take(&mut self.output),
                words: std::mem::take(&mut self.words),
            }));
        }
        if self.bounds.deadline.is_over() {
            return Err(Error::Timeout(self.bounds.deadline.limit()));
        }
        self.look_at = Deadline::after(LOOK_EVERY, "LOOK_EVERY");
        Ok(None)
    }

    /// Writes what there is room for. A program need not read its input.
    fn feed(&mut self) -> Result<(), Error> {
        while let Some(stdin) = &mut self.stdin {
            if self.input.is_empty() {
                self.stdin = None;
                break;
            }
            match stdin.write(&self.input) {
                Ok(written) => _ = self.input.drain(..written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::BrokenPipe => self.input.clear(),
                Err(error) => return Err(Error::Pipe(error)),
            }
        }
        Ok(())
    }
}

/// Reads what is there, keeps as much as may be kept, and says whether the end came.
fn drain(from: &mut Option<impl Read>, to: &mut Vec<u8>, bytes_max: usize) -> Result<bool, Error> {
    let Some(from) = from else { return Ok(false) };
    let mut piece = [0; READ_BYTES];
    // A program that writes for ever must not keep us here.
    for _ in 0..16 {
        match from.read(&mut piece) {
            Ok(0) => return Ok(true),
            Ok(count) => {
                let room = bytes_max.saturating_sub(to.len()).min(count);
                to.extend_from_slice(&piece[..room]);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::Pipe(error)),
        }
    }
    Ok(false)
}

impl Drop for Capture {
    fn drop(&mut self) {
        if self.is_over || self.bounds.fate == Fate::Left {
            return;
        }
        // It leads a session of its own, so this is it and all that it started in it. The launcher
        // may not have come so far yet; then it dies alone.
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        beside::remove(self.child.id());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn bounds(wait: Duration) -> Bounds {
        Bounds {
            deadline: Deadline::after(wait, "TEST"),
            output_bytes_max: 1_000,
            fate: Fate::Killed,
        }
    }

    /// A shell as the launcher would start it, but for the session.
    fn run(script: &str, input: &[u8], bounds: Bounds) -> Result<Captured, Error> {
        let child = Command::new("/bin/sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut capture = Capture::of(child, input.to_vec(), bounds)?;
        loop {
            if let Some(captured) = capture.step()? {
                return Ok(captured);
            }
            let mut set = PollSet::new();
            capture.wait_for(&mut set, ());
            set.wait(capture.deadline().left()).unwrap();
        }
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_program_is_fed_and_heard() {
        let input = [b'x'; 500];
        let captured = run("cat; echo oh >&2; exit 3", &input, bounds(LONG)).unwrap();
        assert_eq!(captured.status.code(), Some(3));
        assert_eq!(captured.output, input);
        assert_eq!(captured.words, b"oh\n");
        // One that reads nothing is no fault.
        let much = vec![b'x'; 1 << 20];
        assert!(run("exit 0", &much, bounds(LONG)).is_ok());
    }

    #[test]
    fn it_ends_with_the_program_and_not_with_its_pipes() {
        let captured = run("sleep 600 & echo $!", b"", bounds(LONG)).unwrap();
        assert_eq!(captured.status.code(), Some(0));
        let left: i32 = String::from_utf8(captured.output)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        nix::sys::signal::kill(Pid::from_raw(left), Signal::SIGKILL).unwrap();
    }

    #[test]
    fn time_and_output_have_a_limit() {
        let late = run("exec sleep 600", b"", bounds(Duration::from_millis(20)));
        assert!(matches!(late, Err(Error::Timeout("TEST"))), "{late:?}");
        let long = run("exec yes", b"", bounds(LONG));
        assert!(matches!(long, Err(Error::TooLong(1_000))), "{long:?}");
    }
}
