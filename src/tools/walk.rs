//! Goes through the files below a folder as ripgrep does: what ignore files name and what is hidden
//! is left out, links are not followed, and everything comes in the order of names.
//!
//! What an ignore file is read from is looked at first, since the walker opens whatever has the
//! name: a FIFO there would hold the call up, an endless device would eat the memory.

use crate::base::cancel::Cancel;
use crate::base::clock::Deadline;
use crate::base::text;
use crate::sys::file as system;
use crate::tools::Refusal;
use crate::tools::Workplace;
use crate::tools::file;
use crate::tools::file::Target;
use crate::tools::name;
use ignore::WalkBuilder;
use ignore::overrides::Override;
use ignore::overrides::OverrideBuilder;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// How long a walk may take; what it found by then is an answer. Less than a call may take.
const TIME_MAX: Duration = Duration::from_secs(40);

/// Longer than any list of ignored files that a person wrote.
const RULES_BYTES_MAX: u64 = 1024 * 1024;

/// A `.git` file has a path in it.
const GITDIR_BYTES_MAX: u64 = 8 * 1024;

/// Troubles that an answer names; more are counted.
const TROUBLES_SHOWN_MAX: usize = 5;

/// A path can have 4,096 bytes; the start tells where it is.
const NAME_CHARS_MAX: usize = 200;

/// Longer than any glob that means something.
const GLOB_BYTES_MAX: usize = 1_000;

/// The number of `/dev/null`, which may stand for an empty ignore file.
const NULL_DEVICE: u64 = 0x103;

/// Where a walk begins.
#[derive(Clone, Debug)]
pub struct Root {
    /// Absolute.
    pub path: PathBuf,
    /// As the call gave it; empty for the working directory.
    given: PathBuf,
    /// Whether it is a folder; else it is a file.
    pub is_dir: bool,
}

impl Root {
    /// The file or folder that a call gave; the working directory if it gave none.
    pub fn new(cwd: &Path, name: Option<String>) -> Result<Root, Refusal> {
        let name = name.unwrap_or_default();
        let given = match name.as_str() {
            "." | "./" => PathBuf::new(),
            name => name::given(name).into_owned(),
        };
        let path = match given.as_os_str().is_empty() {
            true => cwd.to_owned(),
            false => cwd.join(&given),
        };
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => {
                let target = Target::new(cwd, name.trim_end_matches('/'))?;
                return Err(target.read_error(error).into());
            }
        };
        if !metadata.is_dir() {
            Target::new(cwd, &name)?.must_be_file(&metadata)?;
        }
        Ok(Root {
            path,
            given,
            is_dir: metadata.is_dir(),
        })
    }

    /// What a path below it is called in an answer.
    pub fn shown(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.path).unwrap_or(path);
        let whole = match below.as_os_str().is_empty() {
            true => self.given.clone(),
            false => self.given.join(below),
        };
        name::shown(&whole).into_owned()
    }
}

/// When a walk ends before it is done.
#[derive(Clone, Debug)]
pub struct Stop {
    cancel: Cancel,
    deadline: Deadline,
}

impl Stop {
    /// From now on.
    pub fn new(place: &Workplace) -> Stop {
        Stop {
            cancel: place.cancel.clone(),
            deadline: Deadline::after(TIME_MAX, "the time for a walk"),
        }
    }

    /// Whether it ends now.
    pub fn is_due(&self) -> bool {
        self.cancel.is_raised() || self.deadline.is_over()
    }
}

/// What the end of an answer says of a walk: what it left out, and whether it was stopped.
pub fn notes(troubles: &Troubles, is_stopped: bool) -> Vec<String> {
    let seconds = TIME_MAX.as_secs();
    let stopped = is_stopped.then(|| format!("stopped after {seconds} s: there may be more"));
    troubles.note().into_iter().chain(stopped).collect()
}

/// What went wrong on a walk, for the end of an answer. Its clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Troubles(Arc<Mutex<(Vec<String>, u64)>>);

impl Troubles {
    /// Something about a file or folder.
    pub fn add(&self, name: &str, what: &str) {
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.1 += 1;
        if troubles.0.len() < TROUBLES_SHOWN_MAX {
            let name = text::ellipsis(name, NAME_CHARS_MAX);
            troubles.0.push(format!("{name}: {what}"));
        }
    }

    /// That something could not be read.
    pub fn add_error(&self, root: &Root, error: &ignore::Error) {
        let name = path_of(error).map_or_else(String::new, |path| root.shown(path));
        let what = match error.io_error() {
            Some(error) => file::reason(&io::Error::from(error.kind())),
            None => error.to_string(),
        };
        self.add(&name, &text::harmless(&text::one_line(&what)));
    }

    /// All of it in a line.
    fn note(&self) -> Option<String> {
        let troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (shown, count) = &*troubles;
        let more = count - shown.len() as u64;
        match (count, more) {
            (0, _) => None,
            (_, 0) => Some(format!("left out: {}", shown.join("; "))),
            _ => Some(format!("left out: {}; and {more} more", shown.join("; "))),
        }
    }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_of(err)
        }
        _ => None,
    }
}

/// What is left out of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// What ripgrep leaves out.
    Ignored,
    /// Nothing.
    Nothing,
}

/// A walk from `root`, to be narrowed and then begun.
pub fn walk(
    root: &Root,
    cwd: &Path,
    filter: Filter,
    troubles: &Troubles,
) -> Result<WalkBuilder, Refusal> {
    let mut builder = WalkBuilder::new(&root.path);
    builder
        .current_dir(cwd)
        .sort_by_file_name(Ord::cmp)
        .standard_filters(filter == Filter::Ignored);
    if filter == Filter::Nothing {
        return Ok(builder);
    }
    for dir in root.path.ancestors() {
        if let Some(rules) = unfit_rules(dir) {
            return Err(Refusal::new(format!(
                "{} is no regular file of at most {RULES_BYTES_MAX} bytes, so it is not known what \
                 is ignored here; use bash",
                name::shown(&rules)
            )));
        }
    }
    let (troubles, root) = (troubles.clone(), root.clone());
    builder.add_custom_ignore_filename(".rgignore");
    builder.filter_entry(move |entry| {
        if !entry.file_type().is_some_and(|kind| kind.is_dir()) {
            return true;
        }
        let Some(rules) = unfit_rules(entry.path()) else {
            return true;
        };
        let what = "no regular file, or a huge one, so its folder was passed over";
        troubles.add(&root.shown(&rules), what);
        false
    });
    Ok(builder)
}

/// A file that the walker would read in this folder and should not.
fn unfit_rules(dir: &Path) -> Option<PathBuf> {
    for name in [".ignore", ".rgignore", ".gitignore", ".git/info/exclude"] {
        let path = dir.join(name);
        if is_unfit(&path, RULES_BYTES_MAX) {
            return Some(path);
        }
    }
    let git = dir.join(".git");
    if !fs::metadata(&git).is_ok_and(|found| found.is_file()) {
        return None;
    }
    if is_unfit(&git, GITDIR_BYTES_MAX) {
        return Some(git);
    }
    // A worktree: the walker goes on to the folder that the file names.
    let gitdir = pointed(&git, b"gitdir: ")?;
    let commondir = gitdir.join("commondir");
    if is_unfit(&commondir, GITDIR_BYTES_MAX) {
        return Some(commondir);
    }
    let exclude = gitdir.join(pointed(&commondir, b"")?).join("info/exclude");
    is_unfit(&exclude, RULES_BYTES_MAX).then_some(exclude)
}

/// Whether there is something that cannot be read in a moment.
fn is_unfit(path: &Path, bytes_max: u64) -> bool {
    fs::metadata(path).is_ok_and(|found| match found.is_file() {
        true => found.len() > bytes_max,
        false => !found.is_dir() && found.rdev() != NULL_DEVICE,
    })
}

/// The path behind `key` in the first line of a small file.
fn pointed(path: &Path, key: &[u8]) -> Option<PathBuf> {
    let mut bytes = Vec::new();
    let file = system::open_regular(path).ok()?;
    file.take(GITDIR_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let line = bytes.split(|byte| *byte == b'\n').next()?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Some(OsStr::from_bytes(line.strip_prefix(key)?).into())
}

/// The globs of a call, as `rg -g` reads them, relative to `base`.
pub fn globs(base: &Path, globs: &[String]) -> Result<Override, Refusal> {
    let mut builder = OverrideBuilder::new(base);
    for glob in globs {
        if glob.trim().is_empty() {
            return Err(Refusal::new("a glob is empty; one such as *.rs is needed"));
        }
        if glob.len() > GLOB_BYTES_MAX {
            return Err(Refusal::new(format!(
                "a glob has {} bytes, {GLOB_BYTES_MAX} are allowed",
                glob.len()
            )));
        }
        builder.add(glob)?;
    }
    Ok(builder.build()?)
}

#[cfg(test)]
mod tests;
