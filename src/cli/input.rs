//! What a command reads before its work begins: stdin, and files that the command line names.
//!
//! Any of them may be slow or silent for ever (a pipe, a FIFO, a terminal), so a wait here hears
//! signals and ends with the deadline of the run, as every later one does.

use crate::agent::failure::Failure;
use crate::base::clock::Deadline;
use crate::base::text;
use crate::cli::ending;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::sys::file::NO_WAIT;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use crate::sys::signals::Signals;
use crate::term::writer;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How much is read at once; a pipe holds as much.
const PIECE_BYTES: usize = 64 * 1024;

/// Reads, and knows what ends the wait for more.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Ctrl-C and its kin.
    pub signals: &'a Signals,
    /// The end of the whole run.
    pub deadline: Deadline,
}

/// What a wait was woken by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    Input,
    Signal,
}

impl Input<'_> {
    /// Stdin to its end, past std's buffer: what it holds would wake no poll.
    pub fn stdin(&self, bytes_max: usize) -> Result<Vec<u8>, Fault> {
        let name = "stdin";
        let stdin = io::stdin().as_fd().try_clone_to_owned();
        let stdin = stdin.map_err(|error| unreadable(name, &error))?;
        self.read_whole(File::from(stdin), name, bytes_max)
    }

    /// One line of stdin; its end is as good as a line's.
    pub fn line(&self, bytes_max: usize) -> Result<String, Fault> {
        Ok(self.next_line(bytes_max)?.unwrap_or_default())
    }

    /// One line of stdin, and no byte behind it: what was typed ahead is for who reads next. `None`
    /// at the end of all.
    pub fn next_line(&self, bytes_max: usize) -> Result<Option<String>, Fault> {
        let stdin = io::stdin().as_fd().try_clone_to_owned();
        let mut stdin = File::from(stdin.map_err(|error| unreadable("stdin", &error))?);
        let mut line = Vec::new();
        let mut byte = [0];
        while line.len() < bytes_max {
            self.wait(&stdin).map_err(|why| ending::fault_of(&why))?;
            match stdin.read(&mut byte) {
                Ok(0) if line.is_empty() => return Ok(None),
                Ok(0) => break,
                Ok(_) if byte == *b"\n" => break,
                Ok(_) => line.extend(byte),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(unreadable("stdin", &error)),
            }
        }
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }

    /// Says something to the person at the terminal, before there is a face.
    pub fn say(&self, words: &str) -> Result<(), Fault> {
        let said = writer::stdout().and_then(|mut out| out.write_all(words.as_bytes()));
        said.map_err(|error| Fault::output(&error))
    }

    /// A file to its end.
    pub fn file(&self, path: &Path, bytes_max: usize) -> Result<Vec<u8>, Fault> {
        let name = shown(path);
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(NO_WAIT)
            .open(path);
        let file = file.map_err(|error| unreadable(&name, &error))?;
        self.read_whole(file, &name, bytes_max)
    }

    fn read_whole(&self, mut file: File, name: &str, bytes_max: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            self.wait(&file).map_err(|why| {
                let fault = ending::fault_of(&why);
                let what = format!("{} while {name} was read", fault.what);
                Fault { what, ..fault }
            })?;
            match file.read(&mut piece) {
                Ok(0) => return Ok(bytes),
                Ok(count) => bytes.extend_from_slice(&piece[..count]),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(unreadable(name, &error)),
            }
            if bytes.len() > bytes_max {
                let what = format!("{name} is longer than {bytes_max} bytes");
                return Err(Fault::new(Exit::Usage, what));
            }
        }
    }

    /// Returns when there are bytes, or the end of them.
    fn wait(&self, file: &File) -> Result<(), Failure> {
        loop {
            let mut set = PollSet::new();
            set.add(self.signals.fd(), Interest::Read, Woken::Signal);
            set.add(file.as_fd(), Interest::Read, Woken::Input);
            let woken = set.wait(self.deadline.left()).map_err(Failure::Wait)?;
            if let Some(signal) = self.signals.next() {
                return Err(Failure::Signal(signal as i32));
            }
            if self.deadline.is_over() {
                return Err(Failure::Limit(self.deadline.limit()));
            }
            if woken.contains(&Woken::Input) {
                return Ok(());
            }
        }
    }
}

/// A path as it may be told to a person.
pub fn shown(path: &Path) -> String {
    text::harmless(&path.display().to_string()).into_owned()
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}

fn unreadable(name: &str, error: &io::Error) -> Fault {
    Fault::new(Exit::Usage, format!("cannot read {name}: {error}"))
}
