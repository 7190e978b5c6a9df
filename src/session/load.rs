//! Reads a session file, whatever a crash, a full disk or another version left of it.
//!
//! Nothing in a file can make loading fail: what cannot be used is skipped, what is missing is
//! filled in, and both are said. The result is always a history that a service accepts: every call
//! has one answer, in the message after it. The file itself is not changed.

use crate::chat::Message;
use crate::chat::ToolCall;
use crate::chat::ToolResult;
use crate::session::Entry;
use crate::session::Error;
use crate::session::Header;
use crate::session::Setup;
use crate::session::VERSION;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;

/// Far above any conversation that a model could read, pictures included; below what would fill the
/// memory of a small machine.
const SESSION_BYTES_MAX: u64 = 1 << 30;

/// Repairs that are told one by one; the rest is counted.
const REPAIRS_SHOWN_MAX: usize = 12;

/// What the model reads where a call has no answer.
pub const INTERRUPTED: &str = "interrupted: the run ended before this call had an answer; \
     what it was to do may be done in part";

/// What the person reads where an answer has no call.
const ORPHANS: &str = "answers that belong to no call are left out";

/// A session as it can be continued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The first line; only the id is filled in where it was lost.
    pub header: Header,
    /// What stood before the history when it was sent last.
    pub setup: Option<Setup>,
    /// The conversation.
    pub history: Vec<Message>,
    /// What was wrong with the file and what was done about it, a line each, for the person.
    pub repairs: Vec<String>,
}

/// Reads the session at `path`. Fails only where there is no file that could be read.
pub fn load(path: &Path) -> Result<Loaded, Error> {
    read(path, Past::Replaced)
}

/// The same with all that was said, also what a compaction stands for: to be read, not to be sent.
pub fn load_all(path: &Path) -> Result<Loaded, Error> {
    read(path, Past::Kept)
}

fn read(path: &Path, past: Past) -> Result<Loaded, Error> {
    let mut reading = Reading {
        past,
        ..Reading::default()
    };
    let mut file = open(path)?;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = file.read_until(b'\n', &mut line);
        let read = read.map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        if read == 0 {
            return Ok(reading.finish(path));
        }
        reading.line(&line);
    }
}

/// Whether a line of the file is a header.
pub(crate) fn has_header(path: &Path) -> Result<bool, Error> {
    let mut lines = open(path)?.split(b'\n');
    // A line that cannot be read is no header, and ends the file for us.
    Ok(lines.any(|line| line.is_ok_and(|line| parse_header(&line).is_some())))
}

/// Opens what is a regular file of a size that fits; anything else might never end.
fn open(path: &Path) -> Result<BufReader<File>, Error> {
    let read_error = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let metadata = fs::metadata(path).map_err(read_error)?;
    let path_owned = path.to_owned();
    if !metadata.is_file() {
        return Err(Error::NotAFile { path: path_owned });
    }
    if metadata.len() > SESSION_BYTES_MAX {
        return Err(Error::TooLarge {
            path: path_owned,
            bytes: metadata.len(),
        });
    }
    Ok(BufReader::new(File::open(path).map_err(read_error)?))
}

/// The header, if this line is one.
pub(crate) fn parse_header(line: &[u8]) -> Option<Header> {
    serde_json::from_slice(line).ok()
}

/// What becomes of the messages that a compaction stands for.
#[derive(Clone, Copy, Default)]
enum Past {
    /// The model no longer sees them.
    #[default]
    Replaced,
    /// A person may want to.
    Kept,
}

/// The lines so far, folded.
#[derive(Default)]
struct Reading {
    past: Past,
    lines: usize,
    header: Option<Header>,
    setup: Option<Setup>,
    history: Vec<Message>,
    repairs: Repairs,
}

impl Reading {
    /// Takes the next line; only the last one of a file may be without its line end.
    fn line(&mut self, line: &[u8]) {
        self.lines += 1;
        let is_ended = line.ends_with(b"\n");
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        if let Some(header) = parse_header(line) {
            // A second header is one that `Log::reopen` wrote where it did not find the first.
            self.header.get_or_insert(header);
            return;
        }
        if self.header.is_none() {
            // Without a header nobody can say what the line means; `finish` tells it once.
            return;
        }
        match serde_json::from_slice(line) {
            Ok(Entry::Setup(setup)) => self.setup = Some(setup),
            Ok(Entry::Message(message)) => self.history.push(message),
            Ok(Entry::Compaction(messages)) => match self.past {
                Past::Replaced => self.history = messages,
                Past::Kept => {}
            },
            Ok(Entry::Usage(_) | Entry::End(_)) => {}
            Err(_) if !is_ended => {
                let text = "the last line was torn off when the run died; it is left out";
                self.repairs.add(text.to_owned());
            }
            Err(_) => self.skip(line),
        }
    }

    fn skip(&mut self, line: &[u8]) {
        let number = self.lines;
        let kinds: Result<BTreeMap<String, &RawValue>, _> = serde_json::from_slice(line);
        let kind = kinds.ok().and_then(|kinds| kinds.into_keys().next());
        self.repairs.add(match kind {
            Some(kind) => format!("line {number}: this version cannot read its `{kind}`; skipped"),
            None => format!("line {number}: not a whole JSON object; skipped"),
        });
    }

    fn finish(self, path: &Path) -> Loaded {
        let mut repairs = self.repairs;
        let header = self.header.unwrap_or_else(|| {
            repairs.add("the header is torn or missing; the session is empty".to_owned());
            Header::of_nameless(path)
        });
        if header.version > VERSION {
            let (version, sx) = (header.version, &header.sx);
            repairs.add(format!(
                "written by a newer sx ({sx}, form {version}); read as far as form {VERSION} goes"
            ));
        }
        let history = pair(self.history, &mut repairs);
        Loaded {
            header,
            setup: self.setup,
            history,
            repairs: repairs.finish(),
        }
    }
}

/// What was repaired, bounded, however broken the file is.
#[derive(Default)]
struct Repairs {
    shown: Vec<String>,
    more: usize,
}

impl Repairs {
    fn add(&mut self, text: String) {
        if self.shown.len() < REPAIRS_SHOWN_MAX {
            self.shown.push(text);
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self) -> Vec<String> {
        if self.more > 0 {
            self.shown.push(format!("and {} more repairs", self.more));
        }
        self.shown
    }
}

/// The same history with one answer for every call, in the message after it and in call order, and
/// no answer without a call. A history that is so already is not changed.
fn pair(history: Vec<Message>, repairs: &mut Repairs) -> Vec<Message> {
    let mut paired = Vec::with_capacity(history.len());
    let mut messages = history.into_iter().peekable();
    while let Some(message) = messages.next() {
        if matches!(message, Message::Results(_)) {
            // The message with its calls would have taken it.
            repairs.add(ORPHANS.to_owned());
            continue;
        }
        let calls: Vec<ToolCall> = message.calls().cloned().collect();
        paired.push(message);
        if calls.is_empty() {
            continue;
        }
        let results = match messages.next_if(|next| matches!(next, Message::Results(_))) {
            Some(Message::Results(results)) => results,
            _ => Vec::new(),
        };
        paired.push(answer(&calls, results, repairs));
    }
    paired
}

/// The answers to `calls`, in their order.
fn answer(calls: &[ToolCall], mut results: Vec<ToolResult>, repairs: &mut Repairs) -> Message {
    let answers = calls
        .iter()
        .map(
            |call| match results.iter().position(|result| result.call_id == call.id) {
                Some(at) => results.remove(at),
                None => {
                    repairs.add(format!(
                        "a call of {} had no answer; it gets one",
                        call.name
                    ));
                    ToolResult::text(call, false, INTERRUPTED)
                }
            },
        )
        .collect();
    if !results.is_empty() {
        repairs.add(ORPHANS.to_owned());
    }
    Message::Results(answers)
}

/// What must hold for any file: it loads, every call has its answer and every answer its call, and
/// what is said of it is bounded.
pub fn fuzz_file(bytes: &[u8]) {
    let mut reading = Reading::default();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        reading.line(line);
    }
    let loaded = reading.finish(Path::new("id.jsonl"));
    assert!(loaded.repairs.len() <= REPAIRS_SHOWN_MAX + 1);
    let mut asked: Vec<&str> = Vec::new();
    for message in &loaded.history {
        match message {
            Message::Results(results) => {
                assert!(!results.is_empty());
                let answered = results.iter().map(|result| &*result.call_id);
                assert_eq!(answered.collect::<Vec<_>>(), asked);
                asked.clear();
            }
            _ => {
                assert_eq!(asked, [""; 0]);
                asked.extend(message.calls().map(|call| &*call.id));
            }
        }
    }
    assert_eq!(asked, [""; 0]);
}
