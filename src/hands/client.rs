//! The brain's end of the pipe: starts the hands, queues calls, gives back what they say.
//!
//! Nothing here blocks but `Drop`, which waits a moment for a clean end. The caller's poll waits
//! for the descriptors that [`Client::watch`] names and calls [`Client::pump`] when one is ready.

use crate::base::clock::Deadline;
use crate::chat::ToolCall;
use crate::hands::temp;
use crate::hands::wire;
use crate::hands::wire::Order;
use crate::hands::wire::Ready;
use crate::hands::wire::Reply;
use crate::proc::DeathSignal;
use crate::proc::Fence;
use crate::proc::Launch;
use crate::proc::SelfPath;
use crate::proc::environment;
use crate::proc::own;
use crate::proc::pipe;
use crate::proc::stop;
use crate::sandbox::Mode;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use crate::sys::signals::Signal;
use crate::sys::signals::Signals;
use std::fmt;
use std::io;
use std::io::Read;
use std::os::fd::AsFd;
use std::process::Child;
use std::process::ChildStderr;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Stdio;
use std::time::Duration;

/// How much one call of `pump` reads, so that a chatty command does not keep the loop from its
/// other work.
const PUMP_BYTES_MAX: usize = 1024 * 1024;

/// How much of the last words on standard error is kept.
const LAST_WORDS_BYTES_MAX: usize = 4 * 1024;

/// How long the hands may take to stop everything and end, once their input is closed.
const END_WAIT: Duration = Duration::from_secs(3);

/// How long the kernel may take to clear up a killed process.
const KILL_WAIT: Duration = Duration::from_secs(1);

/// How the hands are started.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// Our own binary.
    pub self_path: SelfPath,
    /// The environment of the brain; it is cut down here before the hands see it.
    pub environment: environment::Pairs,
    /// The first line that they get.
    pub start: wire::Start,
}

/// Hands that run, or ran until a moment ago.
pub struct Client {
    child: Child,
    /// `None` once it is closed: the hands then end.
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    /// `None` once its end was read.
    stderr: Option<ChildStderr>,
    lines: wire::Lines,
    outbox: wire::Outbox,
    ready: Option<Ready>,
    last_words: Vec<u8>,
    /// Tells when they are stopped, or have ended.
    signals: Signals,
}

/// Why there are no hands, or none any more.
#[derive(Debug)]
pub enum Error {
    /// Our own binary cannot be run.
    Start(io::Error),
    /// They cannot work as asked: no such directory, no sandbox.
    Refused {
        /// In one line.
        reason: String,
        /// What to do about it; may be empty.
        hint: String,
    },
    /// They ended without being told to.
    Gone {
        /// How, as the system says it: `exit status: 101`, `signal: 9 (SIGKILL)`.
        status: String,
        /// The end of what they wrote to standard error; may be empty.
        last_words: String,
    },
    /// What they say is not the protocol: another program, or a shell that greets.
    Protocol(wire::Error),
    /// They are of another version.
    Version {
        /// The protocol's version as they speak it.
        theirs: u32,
        /// Their program's version.
        sx: String,
    },
    /// The pipe to them broke.
    Pipe(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Start(source) => write!(f, "cannot start the hands: {source}"),
            Error::Refused { reason, .. } => f.write_str(reason),
            Error::Gone { status, last_words } if last_words.is_empty() => {
                write!(f, "the hands ended ({status})")
            }
            Error::Gone { status, last_words } => {
                write!(f, "the hands ended ({status}): {last_words}")
            }
            Error::Protocol(source) => write!(f, "the hands do not speak the protocol: {source}"),
            Error::Version { theirs, sx } => {
                let ours = wire::VERSION;
                write!(
                    f,
                    "the hands (sx {sx}) speak protocol {theirs}, this sx speaks {ours}"
                )
            }
            Error::Pipe(source) => write!(f, "the pipe to the hands broke: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Start(source) | Error::Pipe(source) => Some(source),
            Error::Protocol(source) => Some(source),
            Error::Refused { .. } | Error::Gone { .. } | Error::Version { .. } => None,
        }
    }
}

impl Client {
    /// Starts the hands and queues their first line. Does not wait: [`Client::ready`] says when
    /// they are. Call it from the main thread, since they get TERM when the calling thread ends.
    pub fn start(options: Options) -> Result<Client, Error> {
        let launch = Launch {
            program: options.self_path.as_path().into(),
            args: vec!["hands".into()],
            cwd: None,
            env: environment::cut_but(&options.start.pass(), options.environment),
            stdin: Stdio::piped(),
            stdout: Stdio::piped(),
            stderr: Stdio::piped(),
            death: DeathSignal::Terminate,
            fence: match options.start.sandbox {
                // Who may do all that the user may also sees the machine's processes.
                Mode::Off => Fence::Guard,
                Mode::ReadOnly | Mode::Workspace => Fence::Namespace,
            },
        };
        let signals = Signals::take(&[Signal::SIGCHLD]).map_err(Error::Start)?;
        // Whoever kills the hands and their guard sets free what they started. Then it comes to us;
        // where that cannot be had, it comes to init.
        let _ = own::become_subreaper();
        // Without a sandbox a command could read our credentials where they are. No kernel of
        // today refuses this.
        let _ = own::close_to_others();
        let mut child = launch.spawn(&options.self_path).map_err(Error::Start)?;
        let piped = "all three streams were asked to be pipes";
        let stdin = child.stdin.take().expect(piped);
        let stdout = child.stdout.take().expect(piped);
        let stderr = child.stderr.take().expect(piped);
        for fd in [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()] {
            pipe::set_nonblocking(fd).map_err(Error::Pipe)?;
        }
        let mut outbox = wire::Outbox::default();
        outbox.push(&Order::Start(options.start));
        Ok(Client {
            child,
            stdin: Some(stdin),
            stdout,
            stderr: Some(stderr),
            lines: wire::Lines::default(),
            outbox,
            ready: None,
            last_words: Vec::new(),
            signals,
        })
    }

    /// What the hands said of themselves, once they did.
    pub fn ready(&self) -> Option<&Ready> {
        self.ready.as_ref()
    }

    /// Whether they said it.
    pub fn is_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// Queues a call. It may be queued before the hands are ready; they take lines in order.
    pub fn send(&mut self, call: &ToolCall) {
        self.outbox.push(&Order::Call(call.into()));
    }

    /// Queues the end of a call. Its result still comes, and tells how far it got.
    pub fn cancel(&mut self, id: &str) {
        self.outbox
            .push(&Order::Cancel(wire::Cancel { id: id.into() }));
    }

    /// Adds everything to wait for to a poll: what the hands say, and room to say more to them.
    pub fn watch<'fd, T: Copy>(&'fd self, set: &mut PollSet<'fd, T>, token: T) {
        set.add(self.stdout.as_fd(), Interest::Read, token);
        set.add(self.signals.fd(), Interest::Read, token);
        if let Some(stderr) = &self.stderr {
            set.add(stderr.as_fd(), Interest::Read, token);
        }
        if let Some(stdin) = &self.stdin
            && !self.outbox.is_empty()
        {
            set.add(stdin.as_fd(), Interest::Write, token);
        }
    }

    /// Moves bytes both ways as far as they go without waiting, and returns what the hands said,
    /// in order. After an error there are no hands any more, and running calls have no answer.
    pub fn pump(&mut self) -> Result<Vec<Reply>, Error> {
        self.keep_awake();
        self.write().map_err(Error::Pipe)?;
        self.read_last_words();
        let mut replies = Vec::new();
        let is_over = self.read(&mut replies)?;
        if is_over && replies.is_empty() {
            return Err(self.gone());
        }
        Ok(replies)
    }

    /// A command may stop the hands, which then could not even hold it to its deadline.
    fn keep_awake(&self) {
        while self.signals.next().is_some() {
            stop::wake(self.child.id());
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(stdin) = &mut self.stdin else {
            return Ok(());
        };
        while !self.outbox.is_empty() {
            match self.outbox.write_some(stdin, PUMP_BYTES_MAX) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    // They are gone; the end of their output says so, after their last replies.
                    self.stdin = None;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads lines into `replies`. True if the hands closed their output.
    fn read(&mut self, replies: &mut Vec<Reply>) -> Result<bool, Error> {
        let mut buffer = [0; 64 * 1024];
        let mut bytes_read = 0;
        while bytes_read < PUMP_BYTES_MAX {
            match self.stdout.read(&mut buffer) {
                Ok(0) => return Ok(true),
                Ok(count) => {
                    bytes_read += count;
                    self.lines.push(&buffer[..count]);
                    self.take_lines(replies)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(Error::Pipe(error)),
            }
        }
        Ok(false)
    }

    fn take_lines(&mut self, replies: &mut Vec<Reply>) -> Result<(), Error> {
        while let Some(line) = self.lines.line().map_err(Error::Protocol)? {
            let reply = wire::parse(line).map_err(Error::Protocol)?;
            match &reply {
                Reply::Ready(ready) if ready.v != wire::VERSION => {
                    return Err(Error::Version {
                        theirs: ready.v,
                        sx: ready.sx.clone(),
                    });
                }
                // The first comes before any command runs; a second would be forged by one.
                Reply::Ready(ready) => drop(self.ready.get_or_insert_with(|| ready.clone())),
                Reply::Refused(refused) => {
                    return Err(Error::Refused {
                        reason: refused.reason.clone(),
                        hint: refused.hint.clone(),
                    });
                }
                Reply::Output(_) | Reply::Result(_) => {}
            }
            replies.push(reply);
        }
        Ok(())
    }

    fn read_last_words(&mut self) {
        let Some(stderr) = &mut self.stderr else {
            return;
        };
        let mut buffer = [0; LAST_WORDS_BYTES_MAX];
        loop {
            match stderr.read(&mut buffer) {
                Ok(count) if count > 0 => {
                    self.last_words.extend_from_slice(&buffer[..count]);
                    let excess = self.last_words.len().saturating_sub(LAST_WORDS_BYTES_MAX);
                    self.last_words.drain(..excess);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => break,
            }
        }
        self.stderr = None;
    }

    /// The hands closed their output. They are ending, or broken: then this ends them.
    fn gone(&mut self) -> Error {
        let _ = self.child.kill();
        let status = match self.child.wait() {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        self.end_what_they_left();
        self.read_last_words();
        Error::Gone {
            status,
            last_words: String::from_utf8_lossy(&self.last_words).trim().to_string(),
        }
    }

    /// Kills what the hands started and did not come to stop. They must be reaped, and all our
    /// other children stand `beside`.
    fn end_what_they_left(&self) {
        stop::kill_everything_below(&[], &[self.child.id()]);
    }

    /// Reads and throws away what still comes, until the hands close their output. False if
    /// `deadline` is over first.
    fn closes_before(&mut self, deadline: Deadline) -> bool {
        let mut buffer = [0; 64 * 1024];
        loop {
            match self.stdout.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut set = PollSet::new();
                    set.add(self.stdout.as_fd(), Interest::Read, ());
                    if set.wait(deadline.left()).is_err() {
                        return false;
                    }
                }
                Err(_) => return true,
            }
            if deadline.is_over() {
                return false;
            }
        }
    }

    /// Removes the directory that the hands emptied, if they came to it.
    fn remove_temp(&self) {
        let temp = self.ready.as_ref().and_then(|ready| ready.temp.as_ref());
        let Some(wire::WirePath(temp)) = temp else {
            return;
        };
        let name = temp.file_name().unwrap_or_default();
        if name
            .as_encoded_bytes()
            .starts_with(wire::TEMP_PREFIX.as_bytes())
        {
            temp::remove_all(temp);
        }
    }
}

impl Drop for Client {
    /// Closes their input, upon which the hands stop everything that they started; kills them if
    /// that takes longer than `END_WAIT`.
    fn drop(&mut self) {
        self.stdin = None;
        if !self.closes_before(Deadline::after(END_WAIT, "the hands' end")) {
            let _ = self.child.kill();
            if !self.closes_before(Deadline::after(KILL_WAIT, "the hands' end")) {
                // A process that even KILL does not end at once (a hung disk) is left to init.
                let _ = self.child.try_wait();
                return;
            }
        }
        let _ = self.child.wait();
        self.end_what_they_left();
        self.remove_temp();
    }
}
