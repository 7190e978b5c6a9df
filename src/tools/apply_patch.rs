//! `apply_patch`: makes the changes of a patch to files, all or none.
//!
//! First every file's new bytes are found, then all are written beside their places, then they are
//! put there by renames, and last come the deletions. Whatever can fail has failed before the first
//! rename; should one fail all the same, the answer says what was done by then. `sx patch` goes
//! hunk by hunk instead ([`standalone`]).

pub mod standalone;

use crate::chat::tool::Effect;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::patch;
use crate::patch::Hunk;
use crate::tools::Answer;
use crate::tools::Refusal;
use crate::tools::Start;
use crate::tools::Tool;
use crate::tools::Workplace;
use crate::tools::arguments::Arguments;
use crate::tools::diff::Changes;
use crate::tools::encoding::Encoding;
use crate::tools::file;
use crate::tools::file::Target;
use crate::tools::replace::Destination;
use crate::tools::replace::Removal;
use crate::tools::replace::Staged;
use crate::tools::style;
use std::collections::VecDeque;
use std::fmt;
use std::fs;
use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// The tool.
pub(super) const TOOL: Tool = Tool {
    spec: ToolSpec {
        name: "apply_patch",
        description: "Changes files by a patch, all of it or nothing. A change is found by its \
            lines: give about three that stay before and after it, and after @@ a line above \
            them, such as a function's, where they are not unique.",
        input: Input::Freeform {
            grammar: GRAMMAR,
            field: "patch",
        },
        effect: Effect::Changes,
    },
    fields: &["patch"],
    start,
};

/// The format in Lark's notation, as strict as the service samples it; the parser bends more.
const GRAMMAR: &str = r#"start: "*** Begin Patch" LF file+ "*** End Patch" LF?
file: added | deleted | updated
added: "*** Add File: " rest LF ("+" rest? LF)+
deleted: "*** Delete File: " rest LF
updated: "*** Update File: " rest LF moved? change?
moved: "*** Move to: " rest LF
change: (anchor | line)+ end?
anchor: "@@" (" " rest)? LF
line: (" " | "-" | "+") rest? LF
end: "*** End of File" LF
rest: /.+/
%import common.LF
"#;

fn start(mut arguments: Arguments, place: &Workplace) -> Result<Start, Refusal> {
    let text = arguments.text("patch")?;
    run(&text, place).map(Start::Answer)
}

/// What the files of a patch may have together, before and after: all of it is in memory until
/// all of it is known to fit.
const FILES_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The largest file whose lines are counted when it goes: people see only the first of them.
const DELETED_BYTES_MAX: u64 = 1024 * 1024;

/// Applies a patch document.
pub fn run(text: &str, place: &Workplace) -> Result<Answer, Refusal> {
    let parsed = patch::parse(text).map_err(unchanged)?;
    if parsed.hunks.is_empty() {
        return Err(Refusal::new("No files were modified."));
    }
    let mut plan = Plan::default();
    for hunk in parsed.hunks {
        plan.add(hunk, &place.cwd).map_err(unchanged)?;
    }
    let ready = plan.prepare(&place.cwd).map_err(unchanged)?;
    let lost = ready.commit()?;
    Ok(Answer {
        summary: plan.changes.summary(),
        detail: plan.changes.detail(),
        ..Answer::text(plan.report() + &lost)
    })
}

/// Why a patch cannot be applied.
#[derive(Debug)]
enum Error {
    File(file::Error),
    /// It does not fit the file.
    Misfit {
        name: String,
        source: patch::Error,
    },
    /// The file was deleted, or moved away, further up in the same patch.
    Gone {
        name: String,
    },
    /// The files up to this one are too much for one patch.
    Much {
        name: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::File(source) => source.fmt(f),
            Error::Misfit { name, source } => write!(f, "in {name}, {source}"),
            Error::Gone { name } => write!(f, "{name} is deleted further up in this patch"),
            Error::Much { name } => write!(
                f,
                "the files of this patch up to {name} are larger than {FILES_BYTES_MAX} bytes, \
                 before and after; make several patches of it"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::File(source) => Some(source),
            Error::Misfit { source, .. } => Some(source),
            Error::Gone { .. } | Error::Much { .. } => None,
        }
    }
}

impl From<file::Error> for Error {
    fn from(source: file::Error) -> Error {
        Error::File(source)
    }
}

fn unchanged(error: impl std::error::Error) -> Refusal {
    Refusal::new(format!("nothing was changed: {error}"))
}

/// What is to be done, as far as the hunks were read. Nothing is done yet.
#[derive(Default)]
struct Plan {
    files: Vec<Planned>,
    /// What the texts of `files` have together.
    bytes: usize,
    done: Vec<(Deed, String)>,
    changes: Changes,
}

/// A file before and after.
struct Planned {
    target: Target,
    /// Where it is, without symbolic links: hunks of the same path are about the same file.
    path: PathBuf,
    /// What was there when it was read; a file that is another by the time of the write stays.
    existing: Option<Metadata>,
    /// How its bytes stand for the text of these two.
    encoding: Encoding,
    /// `None` where there is no file.
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
    /// The file that it was moved from, whose mode it gets.
    moved_from: Option<Metadata>,
}

/// What is said of a file. In this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Added,
    Modified,
    Deleted,
}

impl Plan {
    fn add(&mut self, hunk: Hunk, cwd: &Path) -> Result<(), Error> {
        match hunk {
            Hunk::Add { path, content } => {
                let index = self.entry(&path, cwd)?;
                let file = &mut self.files[index];
                let old = file.after.take().unwrap_or_default();
                let (new, _) = style::like(&old, &content);
                self.changes.add(&path, &old, &new);
                file.after = Some(new);
                self.say(Deed::Added, path);
            }
            Hunk::Delete { path } => {
                let old = self.delete(&path, cwd)?;
                self.changes.add(&path, &old, b"");
                self.say(Deed::Deleted, path);
            }
            Hunk::Update {
                path,
                move_to,
                chunks,
            } => {
                let index = self.entry(&path, cwd)?;
                let old = self.current(index)?.to_vec();
                let new = patch::apply_update(&old, &chunks).map_err(|source| Error::Misfit {
                    name: path.clone(),
                    source,
                })?;
                self.changes.add(&path, &old, &new);
                match move_to {
                    None => self.files[index].after = Some(new),
                    Some(ref to) => self.relocate(index, &path, to, new, cwd)?,
                }
                self.say(Deed::Modified, move_to.unwrap_or(path));
            }
        }
        Ok(())
    }

    /// The place in `files` of a file that is to be written, which may not exist yet.
    fn entry(&mut self, name: &str, cwd: &Path) -> Result<usize, Error> {
        let target = Target::new(cwd, name)?;
        let destination = Destination::find(&target, cwd)?;
        let same = |file: &Planned| file.path == destination.path;
        if let Some(index) = self.files.iter().position(same) {
            return Ok(index);
        }
        // A link that is deleted in this patch is still there, and would be followed.
        let link = target.unfollowed(cwd)?;
        if self.files.iter().any(|file| file.path == link) {
            return Err(Error::Gone { name: target.name });
        }
        let (encoding, before) = match destination.existing {
            Some(_) => {
                let (encoding, text) = target.read_text(file::WHOLE_BYTES_MAX)?;
                (encoding, Some(text))
            }
            None => (Encoding::Bytes, None),
        };
        self.keep(Planned {
            target,
            path: destination.path,
            existing: destination.existing,
            encoding,
            after: before.clone(),
            before,
            moved_from: None,
        })
    }

    /// Takes a file up, as long as all of them can be kept; its place in `files`.
    fn keep(&mut self, file: Planned) -> Result<usize, Error> {
        let texts = [&file.before, &file.after].into_iter().flatten();
        self.bytes += texts.map(Vec::len).sum::<usize>();
        if self.bytes > FILES_BYTES_MAX {
            let name = file.target.name;
            return Err(Error::Much { name });
        }
        self.files.push(file);
        Ok(self.files.len() - 1)
    }

    /// What a file will be when the hunks so far are done.
    fn current(&self, index: usize) -> Result<&[u8], Error> {
        let file = &self.files[index];
        match (&file.after, &file.before) {
            (Some(bytes), _) => Ok(bytes),
            (None, Some(_)) => Err(Error::Gone {
                name: file.target.name.clone(),
            }),
            (None, None) => {
                let error = io::ErrorKind::NotFound.into();
                Err(file.target.read_error(error).into())
            }
        }
    }

    /// Plans that a file goes; gives what it was.
    fn delete(&mut self, name: &str, cwd: &Path) -> Result<Vec<u8>, Error> {
        let target = Target::new(cwd, name)?;
        let path = target.unfollowed(cwd)?;
        if let Some(index) = self.files.iter().position(|file| file.path == path) {
            let old = self.current(index)?.to_vec();
            self.files[index].after = None;
            return Ok(old);
        }
        let removal = Removal::find(&target, cwd)?;
        // Only for people to see; a link, or a file that cannot be read or is long, goes without.
        let (encoding, old) = if target.is_link() {
            Default::default()
        } else {
            target.read_text(DELETED_BYTES_MAX).unwrap_or_default()
        };
        self.keep(Planned {
            target,
            path,
            existing: Some(removal.existing),
            encoding,
            before: Some(old.clone()),
            after: None,
            moved_from: None,
        })?;
        Ok(old)
    }

    /// Plans that the file `from`, which is entry `index`, goes elsewhere and is `new` there.
    fn relocate(
        &mut self,
        index: usize,
        from: &str,
        to: &str,
        new: Vec<u8>,
        cwd: &Path,
    ) -> Result<(), Error> {
        let mode = fs::metadata(&self.files[index].path).ok();
        let to = self.entry(to, cwd)?;
        if to != index {
            self.delete(from, cwd)?;
            self.files[to].moved_from = mode;
            self.files[to].encoding = self.files[index].encoding;
        }
        self.files[to].after = Some(new);
        Ok(())
    }

    /// Writes everything beside its place. Dropping what comes of it leaves nothing behind.
    fn prepare(&self, cwd: &Path) -> Result<Ready, Error> {
        let mut ready = Ready::default();
        for file in &self.files {
            match &file.after {
                Some(new) if file.before.as_ref() != Some(new) => {
                    let mut destination = Destination::find(&file.target, cwd)?;
                    destination.existing = file.existing.clone();
                    let bytes = file.encoding.encode(new.clone());
                    let staged = destination.stage(&bytes, file.moved_from.as_ref())?;
                    ready.staged.push_front((file.target.name.clone(), staged));
                }
                None if file.before.is_some() => {
                    let mut removal = Removal::find(&file.target, cwd)?;
                    if let Some(existing) = &file.existing {
                        removal.existing = existing.clone();
                    }
                    ready.removals.push(removal);
                }
                _ => {}
            }
        }
        Ok(ready)
    }

    fn say(&mut self, deed: Deed, name: String) {
        let done = (deed, name);
        if !self.done.contains(&done) {
            self.done.push(done);
        }
    }

    fn report(&self) -> String {
        let mut done = self.done.clone();
        done.sort_by_key(|(deed, _)| *deed);
        let mut report = "Success. Updated the following files:\n".to_owned();
        for (deed, name) in done {
            let letter = match deed {
                Deed::Added => 'A',
                Deed::Modified => 'M',
                Deed::Deleted => 'D',
            };
            report.push_str(&format!("{letter} {name}\n"));
        }
        report
    }
}

/// New files beside their places, and what goes.
#[derive(Default)]
struct Ready {
    /// The last first, since they are dropped in this order: a directory that was made for the
    /// first and holds the others can be removed only after those.
    ///
    /// Each has the name that the patch gives it.
    staged: VecDeque<(String, Staged)>,
    removals: Vec<Removal>,
}

impl Ready {
    /// Puts the new files in their places, then deletes. Says what the files could not keep, a line
    /// each.
    fn commit(mut self) -> Result<String, Refusal> {
        let mut done = 0;
        let mut told = String::new();
        while let Some((name, staged)) = self.staged.pop_back() {
            for lost in staged.commit().map_err(|error| torn(done, &error))? {
                told.push_str(&format!("{name}: {lost}\n"));
            }
            done += 1;
        }
        for removal in self.removals {
            removal.commit().map_err(|error| torn(done, &error))?;
            done += 1;
        }
        Ok(told)
    }
}

fn torn(done: usize, error: &file::Error) -> Refusal {
    match done {
        0 => unchanged(error),
        _ => Refusal::new(format!(
            "the first {done} changes of the patch were made, then: {error}; look at the files \
             before going on"
        )),
    }
}

#[cfg(test)]
mod tests;
