//! Calls that need no process, each on a short-lived thread: a hung disk stops one call, not the
//! loop, so that it can still be cancelled.
//!
//! `bash` begins here too, since its arguments are checked like any other's; what comes back is
//! then a command for the loop to run.

use crate::base::cancel::Cancel;
use crate::base::clock::Deadline;
use crate::chat::ToolCall;
use crate::tools;
use crate::tools::Start;
use crate::tools::Workplace;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

/// How many calls run at once; more wait for their turn.
const BUSY_MAX: usize = 8;

/// How long a call without a process may take. Only a disk that hangs takes this long.
const TIME_MAX: Duration = Duration::from_secs(60);

/// How long a cancelled call has to come to its own end. Most need a millisecond.
const CANCEL_GRACE: Duration = Duration::from_millis(200);

/// A call with its place in the order of calls; ids are the service's, and may come twice.
pub struct Job {
    /// Its number, from 1.
    pub number: u64,
    /// The call.
    pub call: ToolCall,
    /// When it came.
    pub since: Instant,
}

/// A job that left the workers.
pub struct Finished {
    /// The job.
    pub job: Job,
    /// How.
    pub how: How,
}

/// How a job left the workers.
pub enum How {
    /// The tool came to an end.
    Started(Start),
    /// It was cancelled before it began.
    NotBegun,
    /// It was cancelled, and nobody knows how far it got.
    Cancelled,
    /// It hangs: its thread is left behind.
    TimedOut(Duration),
    /// There is no thread for it.
    Failed(io::Error),
}

/// All calls that need no process.
pub struct Workers {
    place: Workplace,
    /// In order; the first is next.
    waiting: Vec<Job>,
    busy: Vec<Busy>,
    sender: mpsc::Sender<(u64, Start)>,
    receiver: mpsc::Receiver<(u64, Start)>,
    /// A thread writes a byte to `bell` when it has sent its answer; the poll waits for `ear`.
    bell: Arc<UnixStream>,
    ear: UnixStream,
}

struct Busy {
    job: Job,
    deadline: Deadline,
    is_cancelled: bool,
    /// What the tool looks at.
    cancel: Cancel,
}

impl Workers {
    /// Nobody works yet.
    pub fn new(place: Workplace) -> io::Result<Workers> {
        let (bell, ear) = UnixStream::pair()?;
        // A full bell has been heard anyway.
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        let (sender, receiver) = mpsc::channel();
        Ok(Workers {
            place,
            waiting: Vec::new(),
            busy: Vec::new(),
            sender,
            receiver,
            bell: Arc::new(bell),
            ear,
        })
    }

    /// To be waited for; ready when `finished` has something.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.ear.as_fd()
    }

    /// When `finished` has something even if nobody answers.
    pub fn deadline(&self) -> Deadline {
        let deadlines = self.busy.iter().map(|busy| busy.deadline);
        deadlines.fold(Deadline::never(), Deadline::sooner)
    }

    /// Takes a job; it runs as soon as there is room.
    pub fn add(&mut self, job: Job) {
        self.waiting.push(job);
    }

    /// Cancels every call with this id that is still here, and returns those that had not begun.
    pub fn cancel(&mut self, id: &str) -> Vec<Finished> {
        for busy in self.busy.iter_mut().filter(|busy| busy.job.call.id == id) {
            busy.is_cancelled = true;
            busy.cancel.raise();
            let grace = Deadline::after(CANCEL_GRACE, "the grace after a cancel");
            busy.deadline = busy.deadline.sooner(grace);
        }
        let is_meant = |job: &mut Job| job.call.id == id;
        let dropped = self.waiting.extract_if(.., is_meant);
        dropped
            .map(|job| Finished {
                job,
                how: How::NotBegun,
            })
            .collect()
    }

    /// The jobs that are done by now. Starts those that waited. Never blocks.
    pub fn finished(&mut self) -> Vec<Finished> {
        while matches!((&self.ear).read(&mut [0; 64]), Ok(count) if count > 0) {}
        let mut finished = Vec::new();
        while let Ok((number, start)) = self.receiver.try_recv() {
            // One that was given up is no longer there.
            if let Some(index) = self.busy.iter().position(|busy| busy.job.number == number) {
                let busy = self.busy.swap_remove(index);
                let how = match start {
                    Start::Run(_) if busy.is_cancelled => How::NotBegun,
                    start => How::Started(start),
                };
                finished.push(Finished { job: busy.job, how });
            }
        }
        for busy in self.busy.extract_if(.., |busy| busy.deadline.is_over()) {
            busy.cancel.raise();
            let how = match busy.is_cancelled {
                true => How::Cancelled,
                false => How::TimedOut(TIME_MAX),
            };
            finished.push(Finished { job: busy.job, how });
        }
        let room = BUSY_MAX - self.busy.len();
        let next: Vec<Job> = self.waiting.drain(..room.min(self.waiting.len())).collect();
        finished.extend(next.into_iter().filter_map(|job| self.begin(job)));
        finished
    }

    /// Starts a thread for the job, or gives it back.
    fn begin(&mut self, job: Job) -> Option<Finished> {
        let number = job.number;
        let call = job.call.clone();
        let cancel = Cancel::default();
        let place = Workplace {
            cancel: cancel.clone(),
            ..self.place.clone()
        };
        let sender = self.sender.clone();
        let bell = Arc::clone(&self.bell);
        let work = move || {
            // Both fail only when the hands end, or when the bell rings already.
            let _ = sender.send((number, tools::start(&call, &place)));
            let _ = (&*bell).write(&[1]);
        };
        if let Err(error) = thread::Builder::new().name("tool".into()).spawn(work) {
            let how = How::Failed(error);
            return Some(Finished { job, how });
        }
        self.busy.push(Busy {
            job,
            deadline: Deadline::after(TIME_MAX, "the time for a tool"),
            is_cancelled: false,
            cancel,
        });
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::CallKind;
    use crate::sys::poll::Interest;
    use crate::sys::poll::PollSet;
    use crate::tools::limit::Limits;
    use crate::tools::limit::Room;

    fn workers() -> Workers {
        let place = Workplace {
            cwd: "/".into(),
            spill_dir: None,
            room: Room::default(),
            limits: Limits::default(),
            bash_timeout: Duration::from_secs(1),
            docs: vec![],
            manuals: vec![],
            tools: vec!["bash".into()],
            cancel: Cancel::default(),
        };
        Workers::new(place).unwrap()
    }

    fn job(number: u64, id: &str, command: &str) -> Job {
        let call = ToolCall {
            id: id.into(),
            name: "bash".into(),
            arguments: format!("{{\"command\":\"{command}\"}}"),
            kind: CallKind::Function,
            opaque: None,
        };
        let since = crate::base::clock::now();
        Job {
            number,
            call,
            since,
        }
    }

    /// Waits until `count` jobs are done.
    fn wait(workers: &mut Workers, count: usize) -> Vec<Finished> {
        let mut finished = workers.finished();
        while finished.len() < count {
            let mut set = PollSet::new();
            set.add(workers.fd(), Interest::Read, ());
            set.wait(workers.deadline().left()).unwrap();
            finished.extend(workers.finished());
        }
        finished
    }

    #[test]
    fn every_job_comes_back_whatever_the_order_and_however_many() {
        let mut workers = workers();
        for number in 1..=40 {
            workers.add(job(number, "same", "true"));
        }
        let finished = wait(&mut workers, 40);
        assert!(
            finished
                .iter()
                .all(|finished| matches!(finished.how, How::Started(_)))
        );
        let mut numbers: Vec<u64> = finished
            .iter()
            .map(|finished| finished.job.number)
            .collect();
        numbers.sort();
        assert_eq!(numbers, (1..=40).collect::<Vec<u64>>());
        assert!(workers.deadline().left().is_none());
    }

    #[test]
    fn a_cancelled_job_that_waits_comes_back_at_once_and_alone() {
        let mut workers = workers();
        workers.add(job(1, "one", "true"));
        workers.add(job(2, "two", "true"));
        let dropped = workers.cancel("two");
        assert_eq!(dropped.len(), 1);
        assert!(matches!(dropped[0].how, How::NotBegun));
        let finished = wait(&mut workers, 1);
        assert_eq!(finished[0].job.call.id, "one");
        assert!(workers.cancel("gone").is_empty());
    }

    #[test]
    fn a_command_that_was_cancelled_while_it_was_checked_does_not_run() {
        let mut workers = workers();
        workers.add(job(1, "one", "true"));
        // This starts it; its answer can only come with the next.
        assert!(workers.finished().is_empty());
        assert!(workers.cancel("one").is_empty());
        let finished = wait(&mut workers, 1);
        assert!(matches!(finished[0].how, How::NotBegun | How::Cancelled));
    }
}
