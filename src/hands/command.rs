//! One command of the model: started, read, held to its deadline, stopped, answered.
//!
//! It is over when the command ends, not when its pipe closes: what is in the pipe by then is read,
//! and the pipe is given back for what a program that it left running writes later. Nothing here
//! waits; the server's poll calls [`Command::read`] and [`Command::step`].

use crate::base::clock::Deadline;
use crate::hands::place::Place;
use crate::proc::DeathSignal;
use crate::proc::Fence;
use crate::proc::Launch;
use crate::proc::SelfPath;
use crate::proc::pipe;
use crate::proc::stop;
use crate::proc::stop::Next;
use crate::proc::stop::Scope;
use crate::proc::stop::Stopper;
use crate::proc::tree::Bystanders;
use crate::proc::tree::Process;
use crate::tools::bash;
use crate::tools::bash::Ended;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::io::PipeReader;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

/// How much is read in one go, so that one loud command does not keep the loop from the others.
pub const READ_BYTES_MAX: usize = 256 * 1024;

/// How much is read after the end. No pipe holds more (pipe(7)), so beyond it writes somebody who
/// was left running.
const DRAIN_BYTES_MAX: usize = 1024 * 1024;

/// A command that runs.
pub struct Command {
    order: bash::Command,
    child: Child,
    /// `None` once everybody has closed it.
    output: Option<PipeReader>,
    deadline: Deadline,
    bystanders: Bystanders,
    stage: Stage,
}

/// What is left of a command that ended.
pub struct Remains {
    /// Its pipe, if programs that it left running may still write to it.
    pub output: Option<PipeReader>,
    /// Whose those programs are.
    pub scope: Scope,
}

enum Stage {
    Runs,
    /// It is being stopped; `why` goes into the answer.
    Stops {
        why: Ended,
        stopper: Stopper,
        next_step: Deadline,
    },
}

impl Command {
    /// Starts it in a session of its own, without a terminal. The error says why it cannot run.
    pub fn start(
        order: bash::Command,
        place: &Place,
        self_path: &SelfPath,
    ) -> Result<Command, String> {
        let Some(shell) = &place.shell else {
            return Err("there is no shell here: neither bash nor sh is in PATH".to_string());
        };
        let cwd = &place.workplace.cwd;
        if !cwd.is_dir() {
            return Err(format!("the working directory {} is gone", cwd.display()));
        }
        let bystanders = stop::bystanders();
        let (output, child) = spawn(&order, shell.path.clone().into(), place, self_path)
            .map_err(|error| format!("{}: {error}", shell.path.display()))?;
        Ok(Command {
            deadline: match order.timeout {
                Some(timeout) => Deadline::after(timeout, order.limit),
                None => Deadline::never(),
            },
            order,
            child,
            output: Some(output),
            bystanders,
            stage: Stage::Runs,
        })
    }

    /// The number of its process and of its session.
    pub fn leader(&self) -> u32 {
        self.child.id()
    }

    /// To be waited for; `None` once everybody has closed their end.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.output.as_ref().map(AsFd::as_fd)
    }

    /// When `step` has something to do even if no child ends.
    pub fn due(&self) -> Deadline {
        match &self.stage {
            Stage::Runs => self.deadline,
            Stage::Stops { next_step, .. } => *next_step,
        }
    }

    /// Gives what the command printed to `sink`, as far as it goes without waiting.
    pub fn read(&mut self, sink: &mut dyn FnMut(&[u8])) {
        drain(&mut self.output, READ_BYTES_MAX, sink);
    }

    /// Spares these when the command is stopped: others left them running.
    pub fn spare(&mut self, others: &[Process]) {
        self.bystanders.add(others);
    }

    /// Begins to stop it, unless it is being stopped already.
    pub fn stop(&mut self, why: Ended) {
        if matches!(self.stage, Stage::Stops { .. }) {
            return;
        }
        let scope = Scope {
            leader: self.leader(),
            bystanders: std::mem::take(&mut self.bystanders),
        };
        self.stage = Stage::Stops {
            why,
            stopper: Stopper::new(scope),
            next_step: Deadline::after(Duration::ZERO, "the first step of a stop"),
        };
    }

    /// Looks how it is, and how it ended if it did. `others` are the leaders of the commands that
    /// run beside it.
    pub fn step(&mut self, others: &[u32]) -> Option<Ended> {
        // Its status is taken first: whoever reaps orphans must not find it.
        let status = self.child.try_wait();
        let has_ended = !matches!(status, Ok(None));
        if !has_ended && self.deadline.is_over() {
            let (after, limit) = (self.order.timeout.unwrap_or_default(), self.order.limit);
            self.stop(Ended::TimedOut { after, limit });
        }
        match &mut self.stage {
            Stage::Runs => match status {
                Ok(status) => status.map(ended),
                Err(error) => Some(Ended::NotStarted(format!("its status is lost: {error}"))),
            },
            Stage::Stops {
                why,
                stopper,
                next_step,
            } => match stopper.step(others) {
                Next::Wait(wait) => {
                    *next_step = Deadline::after(wait, "the next step of a stop");
                    None
                }
                // The last round may have found its leader dead, but not yet reaped.
                Next::Done if !has_ended => {
                    *next_step = Deadline::after(Duration::ZERO, "the end of the leader");
                    None
                }
                Next::Done | Next::GaveUp => Some(why.clone()),
            },
        }
    }

    /// What is left of it, once `step` said how it ended. The last output goes to `sink`.
    pub fn finish(mut self, sink: &mut dyn FnMut(&[u8])) -> Remains {
        drain(&mut self.output, DRAIN_BYTES_MAX, sink);
        Remains {
            scope: Scope {
                leader: self.leader(),
                bystanders: self.bystanders,
            },
            output: self.output,
        }
    }
}

/// Gives what is in a pipe to `sink`, at most about `bytes_max`, without waiting. The pipe is gone
/// once everybody has closed the other end.
pub fn drain(pipe: &mut Option<PipeReader>, bytes_max: usize, sink: &mut dyn FnMut(&[u8])) {
    let mut buffer = [0; 64 * 1024];
    let mut bytes_read = 0;
    while let Some(output) = pipe
        && bytes_read < bytes_max
    {
        match output.read(&mut buffer) {
            Ok(count) if count > 0 => {
                bytes_read += count;
                sink(&buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Ok(_) | Err(_) => *pipe = None,
        }
    }
}

fn spawn(
    order: &bash::Command,
    shell: OsString,
    place: &Place,
    self_path: &SelfPath,
) -> io::Result<(PipeReader, Child)> {
    let (reader, writer) = io::pipe()?;
    pipe::set_nonblocking(&reader)?;
    let launch = Launch {
        program: shell,
        // A script may begin with a dash.
        args: vec!["-c".into(), "--".into(), order.script.clone().into()],
        cwd: Some(place.workplace.cwd.clone()),
        env: place.environment.clone(),
        stdin: no_input()?,
        stdout: Stdio::from(writer.try_clone()?),
        stderr: Stdio::from(writer),
        death: DeathSignal::Kill,
        fence: Fence::None,
    };
    Ok((reader, launch.spawn(self_path)?))
}

/// What has ended already for whoever reads it. Where there is no `/dev`, an empty pipe does it.
fn no_input() -> io::Result<Stdio> {
    match File::open("/dev/null") {
        Ok(null) => Ok(null.into()),
        Err(_) => Ok(io::pipe()?.0.into()),
    }
}

fn ended(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exit(code),
        (None, Some(signal)) => Ended::Signal(signal),
        (None, None) => Ended::NotStarted(format!("it ended strangely: {status}")),
    }
}
