//! The hands' own end of the pipe: one thread around one poll, commands started only from it.
//!
//! Takes its place under the sandbox, then runs calls until its input ends, and stops everything
//! that it started before it ends itself. A failure of a call is an answer; an error of this
//! module is the end of the process.

use crate::base::clock;
use crate::base::clock::Deadline;
use crate::chat::Part;
use crate::hands::command::Command;
use crate::hands::jobs::Jobs;
use crate::hands::place::Place;
use crate::hands::stream::Stream;
use crate::hands::wire;
use crate::hands::wire::CallResult;
use crate::hands::wire::Order;
use crate::hands::wire::Output;
use crate::hands::wire::Refused;
use crate::hands::wire::Reply;
use crate::hands::worker::Finished;
use crate::hands::worker::How;
use crate::hands::worker::Job;
use crate::hands::worker::Workers;
use crate::proc::SelfPath;
use crate::proc::environment::Pairs;
use crate::proc::stop;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use crate::sys::signals::Signal;
use crate::sys::signals::Signals;
use crate::tools::Answer;
use crate::tools::Refusal;
use crate::tools::Start;
use crate::tools::bash;
use crate::tools::bash::Ended;
use crate::tools::limit::Collector;
use std::fmt;
use std::fs::File;
use std::io;
use std::io::PipeReader;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// A poll that says "room" promises this much on a pipe (pipe(7), PIPE_BUF); so a write of it does
/// not block, and the inherited descriptor need not be made non-blocking under others' feet.
const WRITE_BYTES_MAX: usize = 4 * 1024;

/// While more than this waits for a slow brain, no orders and no output are taken.
const OUTBOX_BYTES_MAX: usize = 1024 * 1024;

/// Pipes of ended commands that programs left running may still write to. Beyond it the oldest is
/// closed, and its writer gets SIGPIPE.
const LEFTOVERS_MAX: usize = 64;

/// Commands that ended and may have left something running; more calls than a session has.
const LEADERS_MAX: usize = 4 * 1024;

/// How long a brain may take to read why it was refused.
const REFUSED_WAIT: Duration = Duration::from_secs(5);

/// What the hands need to know from outside.
pub struct Options {
    /// Our own binary, which is also the launcher.
    pub self_path: SelfPath,
    /// The environment that we were started with; it is cut down again before a command sees it.
    pub environment: Pairs,
}

/// Why the hands cannot go on.
#[derive(Debug)]
pub enum Error {
    /// Signals, the poll or the pipe to the brain failed.
    System {
        /// What could not be done.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// What the brain says is not the protocol.
    Protocol(wire::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::System { what, source } => write!(f, "cannot {what}: {source}"),
            Error::Protocol(source) => source.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::System { source, .. } => Some(source),
            Error::Protocol(source) => Some(source),
        }
    }
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::System { what, source }
}

/// Works as hands until `stdin` ends or a signal says so. Call it before the first thread is
/// started, from the thread that lives as long as the process.
pub fn serve(stdin: BorrowedFd<'_>, stdout: BorrowedFd<'_>, options: Options) -> Result<(), Error> {
    let wanted = [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGINT,
    ];
    let signals = Signals::take(&wanted).map_err(system("take signals"))?;
    let mut pipe = Pipe::open(stdin, stdout).map_err(system("open the pipe to the brain"))?;
    let Some(first) = pipe.first_line(&signals)? else {
        return Ok(());
    };
    let place = match take_place(&first, &options) {
        Ok(place) => place,
        Err(refused) => {
            pipe.outbox.push(&Reply::Refused(refused));
            return pipe.flush(Deadline::after(REFUSED_WAIT, "the brain"));
        }
    };
    pipe.outbox.push(&Reply::Ready(place.ready().clone()));
    let workers = Workers::new(place.workplace.clone()).map_err(system("make a pipe"))?;
    let mut server = Server {
        jobs: Jobs::new(&place),
        place,
        self_path: options.self_path,
        signals,
        pipe,
        workers,
        calls_taken: 0,
        running: Vec::new(),
        ended_leaders: Vec::new(),
        leftovers: Vec::new(),
    };
    let outcome = server.run();
    stop::kill_everything_below(&server.children(), &server.ended_leaders);
    server.place.leave();
    outcome
}

/// Reads the first order, which must say where and how to work.
fn take_place(first: &[u8], options: &Options) -> Result<Place, Refused> {
    let refused = |reason: String| Refused {
        reason,
        hint: "hands are started by sx itself; see sx help tools".to_string(),
    };
    match wire::parse(first) {
        Ok(Order::Start(start)) if start.v == wire::VERSION => Place::take(&start, options),
        Ok(Order::Start(start)) => Err(refused(format!(
            "the brain speaks protocol {}, these hands (sx {}) speak {}",
            start.v,
            env!("CARGO_PKG_VERSION"),
            wire::VERSION
        ))),
        Ok(_) => Err(refused("the first line must be start".to_string())),
        Err(error) => Err(refused(error.to_string())),
    }
}

/// The pipe to the brain.
struct Pipe {
    input: File,
    output: File,
    lines: wire::Lines,
    outbox: wire::Outbox,
}

impl Pipe {
    fn open(stdin: BorrowedFd<'_>, stdout: BorrowedFd<'_>) -> io::Result<Pipe> {
        Ok(Pipe {
            input: File::from(stdin.try_clone_to_owned()?),
            output: File::from(stdout.try_clone_to_owned()?),
            lines: wire::Lines::default(),
            outbox: wire::Outbox::default(),
        })
    }

    /// The first line; `None` if the input or the process is to end before one came.
    fn first_line(&mut self, signals: &Signals) -> Result<Option<Vec<u8>>, Error> {
        loop {
            if let Some(line) = self.lines.line().map_err(Error::Protocol)? {
                return Ok(Some(line.to_vec()));
            }
            let mut set = PollSet::new();
            set.add(self.input.as_fd(), Interest::Read, Token::Input);
            set.add(signals.fd(), Interest::Read, Token::Signal);
            let ready = set.wait(None).map_err(system("wait"))?;
            if must_end(signals) || ready.contains(&Token::Input) && self.read()? == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads once, after a poll said that there is something. 0 is the end.
    fn read(&mut self) -> Result<usize, Error> {
        let mut buffer = [0; 64 * 1024];
        loop {
            match self.input.read(&mut buffer) {
                Ok(count) => {
                    self.lines.push(&buffer[..count]);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(system("read from the brain")(source)),
            }
        }
    }

    /// Writes once, after a poll said that there is room. False if nobody reads any more.
    fn write(&mut self) -> Result<bool, Error> {
        match self.outbox.write_some(&mut self.output, WRITE_BYTES_MAX) {
            Ok(_) => Ok(true),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => Ok(true),
                io::ErrorKind::BrokenPipe => Ok(false),
                _ => Err(system("write to the brain")(error)),
            },
        }
    }

    /// Writes all, as far as the deadline allows.
    fn flush(&mut self, deadline: Deadline) -> Result<(), Error> {
        while !self.outbox.is_empty() && !deadline.is_over() {
            let mut set = PollSet::new();
            set.add(self.output.as_fd(), Interest::Write, ());
            let ready = set.wait(deadline.left()).map_err(system("wait"))?;
            if !ready.is_empty() && !self.write()? {
                break;
            }
        }
        Ok(())
    }
}

/// Takes what signals came. True if one of them says to end.
fn must_end(signals: &Signals) -> bool {
    let mut must_end = false;
    while let Some(signal) = signals.next() {
        must_end |= signal != Signal::SIGCHLD;
    }
    must_end
}

/// What a poll found ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Input,
    Output,
    Signal,
    Worker,
    /// The command at this index.
    Command(usize),
    /// The leftover pipe at this index.
    Leftover(usize),
    /// The job at this index.
    Job(usize),
}

struct Server {
    place: Place,
    self_path: SelfPath,
    signals: Signals,
    pipe: Pipe,
    workers: Workers,
    calls_taken: u64,
    running: Vec<Running>,
    jobs: Jobs,
    /// What commands left running is found by these where `/proc` is missing; the last
    /// [`LEADERS_MAX`].
    ended_leaders: Vec<u32>,
    /// Pipes of ended commands, read and thrown away so that what was left running can write on.
    leftovers: Vec<PipeReader>,
}

/// A command and the call that it answers.
struct Running {
    job: Job,
    order: bash::Command,
    command: Command,
    collector: Collector,
    /// What goes to the person while it runs.
    stream: Stream,
}

impl Running {
    fn read(&mut self) {
        self.command.read(&mut |bytes| {
            self.collector.push(bytes);
            self.stream.push(bytes);
        });
    }
}

impl Server {
    /// Runs calls until there will be no more.
    fn run(&mut self) -> Result<(), Error> {
        loop {
            let ready = self.wait().map_err(system("wait"))?;
            if must_end(&self.signals)
                || ready.contains(&Token::Output) && !self.pipe.write()?
                || ready.contains(&Token::Input) && self.pipe.read()? == 0
            {
                return Ok(());
            }
            for token in &ready {
                match token {
                    Token::Command(index) => self.running[*index].read(),
                    Token::Job(index) => self.jobs.read(*index),
                    _ => {}
                }
            }
            self.discard_leftovers(&ready);
            self.take_orders()?;
            for finished in self.workers.finished() {
                self.finish(finished);
            }
            self.step_commands();
            self.step_jobs();
            stop::reap_orphans(&self.children());
            self.send_output();
        }
    }

    fn wait(&self) -> io::Result<Vec<Token>> {
        let mut set = PollSet::new();
        set.add(self.signals.fd(), Interest::Read, Token::Signal);
        set.add(self.workers.fd(), Interest::Read, Token::Worker);
        if !self.pipe.outbox.is_empty() {
            set.add(self.pipe.output.as_fd(), Interest::Write, Token::Output);
        }
        if self.has_room() {
            set.add(self.pipe.input.as_fd(), Interest::Read, Token::Input);
        }
        let mut deadline = self.workers.deadline().sooner(self.jobs.due());
        for (index, running) in self.running.iter().enumerate() {
            let Running {
                command, stream, ..
            } = running;
            deadline = deadline.sooner(command.due());
            if self.has_room() {
                deadline = deadline.sooner(stream.due());
            }
            if let Some(fd) = command.fd() {
                set.add(fd, Interest::Read, Token::Command(index));
            }
        }
        for (index, leftover) in self.leftovers.iter().enumerate() {
            set.add(leftover.as_fd(), Interest::Read, Token::Leftover(index));
        }
        for (index, pipe) in self.jobs.pipes() {
            set.add(pipe, Interest::Read, Token::Job(index));
        }
        set.wait(deadline.left())
    }

    fn has_room(&self) -> bool {
        self.pipe.outbox.len() < OUTBOX_BYTES_MAX
    }

    fn leaders(&self) -> Vec<u32> {
        self.running
            .iter()
            .map(|running| running.command.leader())
            .collect()
    }

    /// The leaders of all commands that run: children whose status others must not take.
    fn children(&self) -> Vec<u32> {
        self.leaders()
            .into_iter()
            .chain(self.jobs.leaders())
            .collect()
    }

    fn take_orders(&mut self) -> Result<(), Error> {
        while let Some(line) = self.pipe.lines.line().map_err(Error::Protocol)? {
            match wire::parse(line).map_err(Error::Protocol)? {
                // The place is taken; it cannot be changed.
                Order::Start(_) => {}
                Order::Call(call) => {
                    self.calls_taken += 1;
                    self.workers.add(Job {
                        number: self.calls_taken,
                        call: call.into(),
                        since: clock::now(),
                    });
                }
                Order::Cancel(cancel) => self.cancel(&cancel.id),
            }
        }
        Ok(())
    }

    fn cancel(&mut self, id: &str) {
        for finished in self.workers.cancel(id) {
            self.finish(finished);
        }
        for running in &mut self.running {
            if running.job.call.id == id {
                running.command.stop(Ended::Cancelled);
            }
        }
    }

    /// Answers a job that left the workers, or runs its command.
    fn finish(&mut self, finished: Finished) {
        let Finished { job, how } = finished;
        let answer = match how {
            How::Started(Start::Answer(answer)) => answer,
            How::Started(Start::Run(order)) if order.is_background => {
                self.jobs.start(order, &self.place, &self.self_path)
            }
            How::Started(Start::Run(order)) => {
                match Command::start(order.clone(), &self.place, &self.self_path) {
                    Ok(command) => {
                        return self.running.push(Running {
                            collector: self.place.workplace.collector(job.number),
                            job,
                            order,
                            command,
                            stream: Stream::default(),
                        });
                    }
                    Err(why) => Refusal::new(format!("not started: {why}")).into_answer(),
                }
            }
            How::Started(Start::Job(request)) => {
                if let Some((job, answer)) = self.jobs.ask(request, job, &self.leaders()) {
                    self.answer(job, answer);
                }
                return;
            }
            How::NotBegun => Refusal::new("cancelled before it began").into_answer(),
            How::Cancelled => Refusal::new("cancelled; it may still happen").into_answer(),
            How::TimedOut(after) => {
                let after = clock::Spoken(after);
                let text = format!("no answer after {after}; a disk may hang; it may still happen");
                Refusal::new(text).into_answer()
            }
            How::Failed(error) => {
                Refusal::new(format!("there is no thread for it: {error}")).into_answer()
            }
        };
        self.answer(job, answer);
    }

    fn step_commands(&mut self) {
        let mut index = 0;
        while index < self.running.len() {
            let command = &mut self.running[index].command;
            let leader = command.leader();
            let others = self.jobs.others(&self.leaders(), leader);
            let Some(ended) = self.running[index].command.step(&others) else {
                index += 1;
                continue;
            };
            let running = self.running.remove(index);
            self.ended_leaders.push(leader);
            self.end(running, &ended);
        }
        drop_oldest(&mut self.leftovers, LEFTOVERS_MAX);
        drop_oldest(&mut self.ended_leaders, LEADERS_MAX);
    }

    /// Answers the call of a command that ended.
    fn end(&mut self, running: Running, ended: &Ended) {
        let Running {
            job,
            order,
            command,
            mut collector,
            mut stream,
        } = running;
        let remains = command.finish(&mut |bytes| {
            collector.push(bytes);
            stream.push(bytes);
        });
        if let Some(text) = stream.take_rest() {
            let id = job.call.id.clone();
            self.pipe.outbox.push(&Reply::Output(Output { id, text }));
        }
        let mut answer = bash::answer(ended, collector.finish());
        if matches!(ended, Ended::Exit(_) | Ended::Signal(_)) {
            let leaders = self.leaders();
            let (output, told) = self.jobs.adopt(&order, ended, remains, &leaders);
            self.leftovers.extend(output);
            if let Some(told) = told {
                add_note(&mut answer, &told);
            }
        }
        self.answer(job, answer);
    }

    fn step_jobs(&mut self) {
        for (job, answer) in self.jobs.step(&self.leaders()) {
            self.answer(job, answer);
        }
    }

    fn send_output(&mut self) {
        for index in 0..self.running.len() {
            if !self.has_room() {
                return;
            }
            if let Some(text) = self.running[index].stream.take() {
                let id = self.running[index].job.call.id.clone();
                self.pipe.outbox.push(&Reply::Output(Output { id, text }));
            }
        }
    }

    fn discard_leftovers(&mut self, ready: &[Token]) {
        let mut index = 0;
        self.leftovers.retain_mut(|leftover| {
            let is_ready = ready.contains(&Token::Leftover(index));
            index += 1;
            !is_ready || !matches!(leftover.read(&mut [0; 64 * 1024]), Ok(0))
        });
    }

    /// Sends an answer, and with it which jobs ended since the last.
    fn answer(&mut self, job: Job, mut answer: Answer) {
        for told in self.jobs.news() {
            add_note(&mut answer, &told);
        }
        let took = clock::now().duration_since(job.since);
        self.pipe.outbox.push(&Reply::Result(CallResult {
            id: job.call.id,
            ok: answer.ok,
            exit: answer.exit,
            ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            parts: answer.parts,
            summary: answer.summary,
            detail: answer.detail,
            truncated: answer.truncated,
            spill: answer.spill,
        }));
    }
}

/// Adds a line to what the model reads.
fn add_note(answer: &mut Answer, note: &str) {
    let note = format!("[{note}]");
    match answer.parts.last_mut() {
        Some(Part::Text(text)) => {
            let gap = if text.ends_with('\n') { "" } else { "\n" };
            text.push_str(&format!("{gap}{note}"));
        }
        _ => answer.parts.push(Part::Text(note)),
    }
}

fn drop_oldest<T>(items: &mut Vec<T>, items_max: usize) {
    let excess = items.len().saturating_sub(items_max);
    items.drain(..excess);
}
