//! Which sessions there are: found by id, prefix or age, listed by their heads, removed by age.
//!
//! There is no index: names are ids, ages are the files' own, and the rest is read from the first
//! part of each file. A file that vanishes or cannot be read meanwhile is simply not listed.

use crate::base::text;
use crate::chat::Message;
use crate::chat::Part;
use crate::session::Entry;
use crate::session::Error;
use crate::session::load;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// The header, the prompt of ours and the project's rules stand before a person's first words;
/// together they are seldom over a tenth of this.
const HEAD_BYTES_MAX: u64 = 256 * 1024;

/// First words are for a line in a list.
const FIRST_WORDS_CHARS_MAX: usize = 120;

/// What the head of a session file tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The session's id.
    pub id: String,
    /// Its file.
    pub path: PathBuf,
    /// The directory that it began in; empty where the header is lost.
    pub cwd: String,
    /// The model that it began with; empty where the header is lost.
    pub model: String,
    /// When it began, in unix seconds; 0 where the header is lost.
    pub created: u64,
    /// When it was last written to, in unix seconds.
    pub written: u64,
    /// The size of its file.
    pub bytes: u64,
    /// How the person's first message begins, on one line; empty where the head has none.
    pub first_words: String,
}

impl Summary {
    /// Whether anything was said, as far as the head of the file tells.
    fn has_words(&self) -> bool {
        !self.first_words.is_empty() || self.bytes > HEAD_BYTES_MAX
    }
}

/// The file of the session that `what` names: an id, the unique beginning of one, or `last`, which
/// is the newest that began in `cwd`, else the newest of all. One where nothing was said is never
/// the last.
pub fn find(dir: &Path, what: &str, cwd: &Path) -> Result<PathBuf, Error> {
    let files = files(dir)?;
    if what == "last" {
        return last(&files, cwd).ok_or_else(|| Error::NoneYet {
            dir: dir.to_owned(),
        });
    }
    if let Some(exact) = files.iter().find(|file| file.id == what) {
        return Ok(exact.path.clone());
    }
    let mut matching = files.iter().filter(|file| file.id.starts_with(what));
    match (what.is_empty(), matching.next(), matching.next()) {
        (true, ..) | (_, None, _) => Err(Error::Unknown {
            what: what.to_owned(),
            dir: dir.to_owned(),
        }),
        (_, Some(only), None) => Ok(only.path.clone()),
        (_, Some(first), Some(second)) => Err(Error::Ambiguous {
            what: what.to_owned(),
            ids: [first, second]
                .into_iter()
                .chain(matching)
                .map(|file| file.id.clone())
                .collect(),
        }),
    }
}

fn last(files: &[Entered], cwd: &Path) -> Option<PathBuf> {
    let mut newest = None;
    for file in files {
        let Ok(summary) = summarize(file) else {
            continue;
        };
        if !summary.has_words() {
            continue;
        }
        if Path::new(&summary.cwd) == cwd {
            return Some(summary.path);
        }
        newest.get_or_insert(summary.path);
    }
    newest
}

/// Every session in `dir`, the one that was written last first; none where there is no `dir`.
pub fn list(dir: &Path) -> Result<Vec<Summary>, Error> {
    let files = files(dir)?;
    Ok(files
        .iter()
        .filter_map(|file| summarize(file).ok())
        .collect())
}

/// Removes the sessions that were not written to for `age` before `now` (unix seconds), and returns
/// what it removed. Stops at the first file that cannot be removed.
pub fn prune(dir: &Path, age: Duration, now: u64) -> Result<Vec<Summary>, Error> {
    let mut removed = Vec::new();
    for summary in list(dir)? {
        if now.saturating_sub(summary.written) < age.as_secs() {
            continue;
        }
        match fs::remove_file(&summary.path) {
            // Another run of ours was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(Error::Write {
                    path: summary.path,
                    source,
                });
            }
            Ok(()) => removed.push(summary),
        }
    }
    Ok(removed)
}

/// A session file as its directory shows it.
struct Entered {
    id: String,
    path: PathBuf,
    /// Seconds and nanoseconds.
    written: (i64, i64),
    bytes: u64,
}

/// The session files in `dir`, the one that was written last first.
fn files(dir: &Path) -> Result<Vec<Entered>, Error> {
    let directory_error = |source| Error::Directory {
        path: dir.to_owned(),
        source,
    };
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(directory_error)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        files.extend(entered(&entry.map_err(directory_error)?));
    }
    files.sort_by(|a, b| (b.written, &b.id).cmp(&(a.written, &a.id)));
    Ok(files)
}

/// The entry, if it is a session file: a regular file that has an id for a name.
fn entered(entry: &fs::DirEntry) -> Option<Entered> {
    let name = entry.file_name().into_string().ok()?;
    let id = name.strip_suffix(".jsonl").filter(|id| !id.is_empty())?;
    let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
    Some(Entered {
        id: id.to_owned(),
        path: entry.path(),
        written: (metadata.mtime(), metadata.mtime_nsec()),
        bytes: metadata.len(),
    })
}

fn summarize(file: &Entered) -> io::Result<Summary> {
    let mut head = Vec::new();
    File::open(&file.path)?
        .take(HEAD_BYTES_MAX)
        .read_to_end(&mut head)?;
    let header = head
        .split(|byte| *byte == b'\n')
        .find_map(load::parse_header);
    let (cwd, model, created) = match header {
        Some(header) => (header.cwd, header.model, header.created),
        None => Default::default(),
    };
    Ok(Summary {
        id: file.id.clone(),
        path: file.path.clone(),
        cwd,
        model,
        created,
        written: u64::try_from(file.written.0).unwrap_or(0),
        bytes: file.bytes,
        first_words: first_words(&head).unwrap_or_default(),
    })
}

/// How the first message of a person in these lines begins. A line that was cut is not one.
fn first_words(head: &[u8]) -> Option<String> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let Ok(Entry::Message(Message::User(parts))) = serde_json::from_slice(line) else {
            return None;
        };
        let words = parts.iter().find_map(|part| match part {
            Part::Text(words) => Some(text::one_line(words)),
            Part::Image(_) => None,
        });
        let words = words.unwrap_or_else(|| "(a picture)".to_owned());
        Some(text::ellipsis(&words, FIRST_WORDS_CHARS_MAX).into_owned())
    })
}
