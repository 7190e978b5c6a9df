//! Searches all files of a walk, by as many threads as pay, and puts what was found in order.
//!
//! Only as much is kept as an answer can have. The rest is counted.

use crate::sys::file;
use crate::tools::file::reason;
use crate::tools::grep::search::End;
use crate::tools::grep::search::Query;
use crate::tools::grep::search::Scan;
use crate::tools::grep::search::Searcher;
use crate::tools::walk::Root;
use crate::tools::walk::Stop;
use crate::tools::walk::Troubles;
use ignore::DirEntry;
use ignore::ParallelVisitor;
use ignore::ParallelVisitorBuilder;
use ignore::WalkBuilder;
use ignore::WalkState;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread;

/// The disk is what more threads would wait for.
const THREADS_MAX: usize = 4;

/// UTF-16 files that an answer names.
const UTF16_SHOWN_MAX: usize = 5;

/// How much of what was found is kept.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Lines, or files where no lines are wanted.
    pub lines_max: usize,
    /// Whether lines are wanted.
    pub wants_lines: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Files with matches, in order; the first of them, until there is no more room.
    pub files: Vec<(PathBuf, Scan)>,
    /// How many lines match, in all files.
    pub matches: u64,
    /// How many files have such a line.
    pub files_matching: u64,
    /// How many files were searched.
    pub searched: u64,
    /// How many are binary.
    pub binary: u64,
    /// How many are UTF-16 text, and the names of some.
    pub utf16: (u64, Vec<String>),
    /// Whether the walk ended early.
    pub is_stopped: bool,
}

/// What all threads share.
struct Board<'a> {
    root: &'a Root,
    query: &'a Query,
    room: Room,
    stop: &'a Stop,
    troubles: &'a Troubles,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    found: Found,
    files: BTreeMap<PathBuf, Scan>,
    lines: usize,
    /// Files behind this one have no room.
    last: Option<PathBuf>,
}

impl Kept {
    fn is_behind(&self, path: &Path) -> bool {
        self.last.as_ref().is_some_and(|last| path > last.as_path())
    }
}

/// Searches what `walk` comes upon.
pub fn search(
    root: &Root,
    walk: &mut WalkBuilder,
    query: &Query,
    room: Room,
    stop: &Stop,
    troubles: &Troubles,
) -> Found {
    let board = Board {
        root,
        query,
        room,
        stop,
        troubles,
        kept: Mutex::default(),
    };
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get());
    let threads = threads.min(THREADS_MAX);
    if are_there(threads) {
        walk.threads(threads).build_parallel().visit(&mut &board);
    } else {
        let mut worker = Worker::new(&board);
        for entry in walk.build() {
            if worker.visit(entry) == WalkState::Quit {
                break;
            }
        }
    }
    let kept = std::mem::take(&mut *board.kept());
    Found {
        files: kept.files.into_iter().collect(),
        is_stopped: stop.is_due(),
        ..kept.found
    }
}

/// Whether so many threads can be had: the walker would panic if not.
fn are_there(threads: usize) -> bool {
    let (sender, receiver) = mpsc::channel::<()>();
    let receiver = Mutex::new(receiver);
    thread::scope(|scope| {
        let wait = || drop(receiver.lock().map(|receiver| receiver.recv()));
        let are_there = (0..threads).all(|_| {
            let thread = thread::Builder::new().spawn_scoped(scope, wait);
            thread.is_ok()
        });
        drop(sender);
        are_there
    })
}

impl<'s, 'a: 's> ParallelVisitorBuilder<'s> for &'s Board<'a> {
    fn build(&mut self) -> Box<dyn ParallelVisitor + 's> {
        Box::new(Worker::new(self))
    }
}

/// One thread of a search.
struct Worker<'a> {
    board: &'a Board<'a>,
    searcher: Searcher,
    searched: u64,
}

impl ParallelVisitor for Worker<'_> {
    fn visit(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        let board = self.board;
        if board.stop.is_due() {
            return WalkState::Quit;
        }
        match entry {
            Ok(entry) => {
                if let Some(error) = entry.error() {
                    board.troubles.add_error(board.root, error);
                }
                let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
                if is_file || entry.depth() == 0 && !board.root.is_dir {
                    self.search(entry.into_path());
                }
            }
            Err(error) => board.troubles.add_error(board.root, &error),
        }
        WalkState::Continue
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.board.kept().found.searched += self.searched;
    }
}

impl<'a> Worker<'a> {
    fn new(board: &'a Board<'a>) -> Worker<'a> {
        Worker {
            board,
            searcher: Searcher::new(board.query, board.stop),
            searched: 0,
        }
    }

    fn search(&mut self, path: PathBuf) {
        // The walk found it to be a regular file; whatever took its name since then must not hold
        // this up.
        match file::open_without_waiting(&path) {
            Ok(file) => {
                self.searched += 1;
                let scan = self.searcher.search(file, self.board.lines_max(&path));
                if scan.matches > 0 || !matches!(scan.end, End::Done) {
                    self.board.keep(path, scan);
                }
            }
            Err(error) => self.board.fail(&path, &error),
        }
    }
}

impl Board<'_> {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many lines of a file are worth keeping.
    fn lines_max(&self, path: &Path) -> usize {
        if self.room.wants_lines && !self.kept().is_behind(path) {
            self.room.lines_max
        } else {
            0
        }
    }

    fn fail(&self, path: &Path, error: &io::Error) {
        self.troubles.add(&self.root.shown(path), &reason(error));
    }

    fn keep(&self, path: PathBuf, scan: Scan) {
        if let End::Failed(error) = &scan.end {
            self.fail(&path, error);
        }
        let mut kept = self.kept();
        let kept = &mut *kept;
        let found = &mut kept.found;
        match &scan.end {
            End::Binary => found.binary += 1,
            End::Utf16 => {
                found.utf16.0 += 1;
                if found.utf16.1.len() < UTF16_SHOWN_MAX {
                    found.utf16.1.push(self.root.shown(&path));
                }
            }
            End::Done | End::Stopped | End::Failed(_) => {}
        }
        if scan.matches == 0 {
            return;
        }
        found.matches += scan.matches;
        found.files_matching += 1;
        if kept.is_behind(&path) {
            return;
        }
        kept.lines += scan.lines.len().max(1);
        kept.files.insert(path, scan);
        // What is behind a full room goes out again.
        while let Some(last) = kept.files.last_entry()
            && kept.lines - last.get().lines.len().max(1) >= self.room.lines_max
        {
            kept.lines -= last.remove().lines.len().max(1);
        }
        if kept.lines >= self.room.lines_max {
            kept.last = kept.files.last_key_value().map(|(path, _)| path.clone());
        }
    }
}
