//! What runs beside the calls: commands in the background, and what other commands left running.
//!
//! Each is a job with a number, a log of its output and an end that the model is told once. The
//! server's poll moves them; nothing here waits. They end with the hands.

use crate::base::clock;
use crate::base::clock::Deadline;
use crate::hands::command;
use crate::hands::command::Command;
use crate::hands::command::Remains;
use crate::hands::place::Place;
use crate::hands::worker;
use crate::proc::SelfPath;
use crate::proc::stop;
use crate::proc::stop::Next;
use crate::proc::stop::Scope;
use crate::proc::stop::Stopper;
use crate::proc::tree::Process;
use crate::tools::Answer;
use crate::tools::Refusal;
use crate::tools::bash;
use crate::tools::bash::Ended;
use crate::tools::job;
use crate::tools::job::Report;
use crate::tools::job::Request;
use crate::tools::job::State;
use crate::tools::limit::Limits;
use crate::tools::limit::Room;
use crate::tools::log::Log;
use std::io::PipeReader;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

/// More servers and watchers than a project has; beyond it a model has lost count.
const RUNNING_MAX: usize = 16;

/// How many are remembered, those that ended too.
const JOBS_MAX: usize = 64;

/// All jobs of these hands, in the order of their numbers.
pub struct Jobs {
    list: Vec<Job>,
    taken: u64,
    limits: Limits,
    /// Where logs go; `None` if there is nowhere to write them.
    dir: Option<PathBuf>,
    /// What may still be written there.
    room: Room,
}

struct Job {
    id: u64,
    script: String,
    since: Instant,
    stage: Stage,
    /// How its command ended, and when all of it had.
    ended: Option<(Ended, Instant)>,
    /// Whether the model knows of the end.
    is_told: bool,
    log: Log,
    /// How much of the log the model has seen.
    seen: u64,
    /// Calls that want to know when it is over.
    waiting: Vec<worker::Job>,
}

enum Stage {
    /// Its command runs.
    Runs(Command),
    /// Its command ended; what it left did not, when it was last looked at.
    Left {
        scope: Scope,
        output: Option<PipeReader>,
        /// How many processes they are.
        count: usize,
    },
    /// What it left is being stopped.
    Stops {
        scope: Scope,
        stopper: Stopper,
        next_step: Deadline,
    },
    /// All of it ended.
    Over,
}

impl Jobs {
    /// None yet.
    pub fn new(place: &Place) -> Jobs {
        Jobs {
            list: Vec::new(),
            taken: 0,
            limits: place.workplace.limits,
            dir: place.workplace.spill_dir.clone(),
            room: place.workplace.room.clone(),
        }
    }

    /// Starts a command as a job, if there is room for one.
    pub fn start(&mut self, order: bash::Command, place: &Place, self_path: &SelfPath) -> Answer {
        let running = self.list.iter().filter(|job| job.runs()).count();
        if running >= RUNNING_MAX || !self.make_room(&[]) {
            let why = format!("not started: {running} jobs run already; end one with job kill");
            return Refusal::new(why).into_answer();
        }
        let script = order.script.clone();
        match Command::start(order, place, self_path) {
            Ok(command) => job::started(&self.add(script, Stage::Runs(command)).report()),
            Err(why) => Refusal::new(format!("not started: {why}")).into_answer(),
        }
    }

    /// Makes a job of what a command left running. Gives back a pipe to which others may write,
    /// and the line that tells of the job.
    pub fn adopt(
        &mut self,
        order: &bash::Command,
        ended: &Ended,
        remains: Remains,
        running: &[u32],
    ) -> (Option<PipeReader>, Option<String>) {
        let Remains { scope, output } = remains;
        let left = stop::left_by(&scope, &self.others(running, scope.leader));
        if left.is_empty() || !self.make_room(running) {
            return (output, None);
        }
        self.spare(&left);
        let stage = Stage::Left {
            scope,
            output,
            count: left.len(),
        };
        let job = self.add(order.script.clone(), stage);
        job.ended = Some((ended.clone(), clock::now()));
        // It is told by the answer of the command.
        job.is_told = true;
        let told = match left.len() {
            1 => format!("1 process runs on as job {}", job.id),
            count => format!("{count} processes run on as job {}", job.id),
        };
        (None, Some(told))
    }

    fn add(&mut self, script: String, stage: Stage) -> &mut Job {
        self.taken += 1;
        let id = self.taken;
        let dir = self.dir.as_ref();
        let path = dir.map(|dir| dir.join(format!("job-{id}.txt")));
        self.list.push(Job {
            id,
            script,
            since: clock::now(),
            stage,
            ended: None,
            is_told: false,
            log: Log::new(self.limits, path, self.room.clone()),
            seen: 0,
            waiting: Vec::new(),
        });
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    /// Forgets the oldest that ended if there are too many. False if all of them live.
    fn make_room(&mut self, running: &[u32]) -> bool {
        if self.list.len() < JOBS_MAX {
            return true;
        }
        self.look(running);
        let oldest = self.list.iter().position(|job| job.is_over());
        if let Some(index) = oldest {
            self.list.remove(index).log.remove();
        }
        oldest.is_some()
    }

    /// What one left running is nobody else's.
    fn spare(&mut self, left: &[Process]) {
        for job in &mut self.list {
            match &mut job.stage {
                Stage::Runs(command) => command.spare(left),
                Stage::Left { scope, .. } => scope.bystanders.add(left),
                Stage::Stops { .. } | Stage::Over => {}
            }
        }
    }

    /// Answers a question about the jobs, or keeps the call until the answer is known: then
    /// [`Jobs::step`] gives it back.
    pub fn ask(
        &mut self,
        request: Request,
        call: worker::Job,
        running: &[u32],
    ) -> Option<(worker::Job, Answer)> {
        self.look(running);
        let id = match request {
            Request::List => {
                let reports: Vec<Report<'_>> = self.list.iter().map(Job::report).collect();
                let answer = job::listed(&reports);
                for job in self.list.iter_mut().filter(|job| job.is_over()) {
                    job.is_told = true;
                }
                return Some((call, answer));
            }
            Request::Output { id, .. } | Request::Kill { id } => id,
        };
        let Some(job) = self.list.iter_mut().find(|job| job.id == id) else {
            let known: Vec<u64> = self.list.iter().map(|job| job.id).collect();
            return Some((call, job::unknown(id, &known)));
        };
        if let Request::Output { since, .. } = request {
            let piece = job.log.since(since.unwrap_or(job.seen));
            job.seen = piece.next;
            job.is_told |= job.is_over();
            return Some((call, job::shown(&job.report(), &piece)));
        }
        job.is_told = true;
        match job.kill() {
            true => job.waiting.push(call),
            false => return Some((call, job::killed(&job.report()))),
        }
        None
    }

    /// One step of all. The answers that are known by now. `running` are the leaders of the
    /// commands that run beside the jobs.
    pub fn step(&mut self, running: &[u32]) -> Vec<(worker::Job, Answer)> {
        let mut answers = Vec::new();
        for index in 0..self.list.len() {
            let others = match self.list[index].leader() {
                Some(leader) => self.others(running, leader),
                None => continue,
            };
            let job = &mut self.list[index];
            if let Some(left) = job.step(&others) {
                self.spare_but(index, &left);
            }
            let job = &mut self.list[index];
            if job.is_over() {
                let waiting = std::mem::take(&mut job.waiting);
                let told = waiting.into_iter();
                answers.extend(told.map(|call| (call, job::killed(&job.report()))));
            }
        }
        answers
    }

    fn spare_but(&mut self, index: usize, left: &[Process]) {
        let own = std::mem::replace(&mut self.list[index].stage, Stage::Over);
        self.spare(left);
        self.list[index].stage = own;
    }

    /// The ends that the model was not told of yet, each a line.
    pub fn news(&mut self) -> Vec<String> {
        let untold = |job: &&mut Job| job.is_over() && !job.is_told;
        let told = self.list.iter_mut().filter(untold).map(|job| {
            job.is_told = true;
            job.report().line()
        });
        told.collect()
    }

    /// Looks which of those that were left are still there.
    fn look(&mut self, running: &[u32]) {
        for index in 0..self.list.len() {
            let Stage::Left { scope, .. } = &self.list[index].stage else {
                continue;
            };
            let left = stop::left_by(scope, &self.others(running, scope.leader));
            self.list[index].look(left.len());
        }
    }

    /// Reads what a job printed.
    pub fn read(&mut self, index: usize) {
        let Some(job) = self.list.get_mut(index) else {
            return;
        };
        let log = &mut job.log;
        let mut sink = |bytes: &[u8]| log.push(bytes);
        match &mut job.stage {
            Stage::Runs(command) => command.read(&mut sink),
            Stage::Left { output, .. } => {
                command::drain(output, command::READ_BYTES_MAX, &mut sink);
            }
            Stage::Stops { .. } | Stage::Over => {}
        }
    }

    /// What is to be waited for, each with the index that [`Jobs::read`] takes.
    pub fn pipes(&self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        let jobs = self.list.iter().enumerate();
        jobs.filter_map(|(index, job)| Some((index, job.pipe()?)))
    }

    /// When a step has something to do though no child ended.
    pub fn due(&self) -> Deadline {
        let deadlines = self.list.iter().map(|job| match &job.stage {
            Stage::Runs(command) => command.due(),
            Stage::Stops { next_step, .. } => *next_step,
            Stage::Left { .. } | Stage::Over => Deadline::never(),
        });
        deadlines.fold(Deadline::never(), Deadline::sooner)
    }

    /// The leaders of the commands that run as jobs: children of ours.
    pub fn leaders(&self) -> impl Iterator<Item = u32> {
        self.list.iter().filter_map(|job| match &job.stage {
            Stage::Runs(command) => Some(command.leader()),
            _ => None,
        })
    }

    /// The leaders of everything that is not `own`: commands that run, and of those that ended the
    /// sessions that go on.
    pub fn others(&self, running: &[u32], own: u32) -> Vec<u32> {
        let jobs = self.list.iter().filter_map(Job::leader);
        let all = running.iter().copied().chain(jobs);
        all.filter(|leader| *leader != own).collect()
    }
}

impl Job {
    fn runs(&self) -> bool {
        matches!(self.stage, Stage::Runs(_))
    }

    fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// The number of its session, as long as it is in use.
    fn leader(&self) -> Option<u32> {
        match &self.stage {
            Stage::Runs(command) => Some(command.leader()),
            Stage::Left { scope, .. } | Stage::Stops { scope, .. } => Some(scope.leader),
            Stage::Over => None,
        }
    }

    fn pipe(&self) -> Option<BorrowedFd<'_>> {
        match &self.stage {
            Stage::Runs(command) => command.fd(),
            Stage::Left { output, .. } => output.as_ref().map(AsFd::as_fd),
            Stage::Stops { .. } | Stage::Over => None,
        }
    }

    fn report(&self) -> Report<'_> {
        let until = match (&self.ended, &self.stage) {
            (Some((_, at)), Stage::Over) => *at,
            _ => clock::now(),
        };
        Report {
            id: self.id,
            command: &self.script,
            state: match (&self.stage, &self.ended) {
                (Stage::Left { count, .. }, _) => State::Left(*count),
                (Stage::Over, Some((ended, _))) => State::Ended(ended),
                _ => State::Runs,
            },
            ran: until.duration_since(self.since),
            bytes: self.log.bytes(),
            path: self.log.path().map(PathBuf::from),
        }
    }

    /// Begins to end it. False if there is nothing to end.
    fn kill(&mut self) -> bool {
        match &mut self.stage {
            Stage::Runs(command) => command.stop(Ended::Killed),
            Stage::Left { scope, .. } => {
                self.ended = Some((Ended::Killed, clock::now()));
                self.stage = Stage::Stops {
                    scope: scope.clone(),
                    stopper: Stopper::new(scope.clone()),
                    next_step: Deadline::after(Duration::ZERO, "the first step of a stop"),
                };
            }
            Stage::Stops { .. } => {}
            Stage::Over => return false,
        }
        true
    }

    /// One step; what its command left running if that ended just now.
    fn step(&mut self, others: &[u32]) -> Option<Vec<Process>> {
        match &mut self.stage {
            Stage::Runs(command) => {
                let ended = command.step(others)?;
                let Stage::Runs(command) = std::mem::replace(&mut self.stage, Stage::Over) else {
                    return None;
                };
                let Remains { scope, output } = command.finish(&mut |bytes| self.log.push(bytes));
                let left = match ended {
                    Ended::Exit(_) | Ended::Signal(_) => stop::left_by(&scope, others),
                    _ => Vec::new(),
                };
                self.ended = Some((ended, clock::now()));
                if !left.is_empty() {
                    let count = left.len();
                    self.stage = Stage::Left {
                        scope,
                        output,
                        count,
                    };
                }
                Some(left)
            }
            Stage::Stops {
                stopper, next_step, ..
            } => {
                match stopper.step(others) {
                    Next::Wait(wait) => {
                        *next_step = Deadline::after(wait, "the next step of a stop");
                    }
                    Next::Done | Next::GaveUp => self.stage = Stage::Over,
                }
                None
            }
            Stage::Left { .. } | Stage::Over => None,
        }
    }

    /// So many of those that it left are still there.
    fn look(&mut self, left: usize) {
        if let Stage::Left { count, .. } = &mut self.stage {
            *count = left;
            if left == 0 {
                self.stage = Stage::Over;
            }
        }
    }
}
