//! The patch of `sx patch`: hunk after hunk, and what was done stays done when a later one fails.
//!
//! Words and behaviour are those of the program `apply_patch` that models know, so that scripts for
//! the one work with the other. In two things it is stricter: a path that leaves the working
//! directory is refused before anything is written, and so is a patch without an end.

use crate::patch;
use crate::patch::Hunk;
use crate::patch::Patch;
use crate::tools::Refusal;
use crate::tools::apply_patch;
use crate::tools::apply_patch::Plan;
use std::fmt;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

/// Why a patch was not applied, or not all of it. Prints as one or more lines.
#[derive(Debug)]
pub enum Error {
    /// The text is no patch. Nothing was changed.
    Invalid(patch::Error),
    /// It says nothing. Nothing was changed.
    Empty,
    /// A path leads out of the working directory. Nothing was changed.
    Outside {
        /// The path as the patch has it.
        path: String,
    },
    /// The lines of a change are not in the file. The hunks before this one are done.
    Misfit {
        /// The file as the patch has it.
        path: String,
        /// What is not there.
        source: patch::Error,
    },
    /// A file could not be read, written or deleted. The hunks before this one are done.
    File {
        /// What was tried: `read file to update`, `write file`, `delete file`.
        what: &'static str,
        /// The file as the patch has it.
        path: String,
        /// Why.
        why: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Invalid(source) => write_invalid(f, source),
            Error::Empty => f.write_str("No files were modified."),
            Error::Outside { path } => write!(
                f,
                "Invalid patch: '{path}' is outside the working directory; nothing was changed"
            ),
            Error::Misfit { path, source } => match source {
                patch::Error::Anchor { anchor, .. } => {
                    write!(f, "Failed to find context '{anchor}' in {path}")
                }
                patch::Error::Lines { lines, closest, .. } => {
                    write!(f, "Failed to find expected lines in {path}:")?;
                    for line in lines {
                        write!(f, "\n{line}")?;
                    }
                    match closest {
                        Some(closest) => write!(f, "\n{closest}"),
                        None => Ok(()),
                    }
                }
                other => write!(f, "Failed to update {path}: {other}"),
            },
            Error::File { what, path, why } => write!(f, "Failed to {what} {path}: {why}"),
        }
    }
}

fn write_invalid(f: &mut fmt::Formatter<'_>, error: &patch::Error) -> fmt::Result {
    match error {
        patch::Error::NoBegin => {
            f.write_str("Invalid patch: The first line of the patch must be '*** Begin Patch'")
        }
        patch::Error::NoEnd => {
            f.write_str("Invalid patch: The last line of the patch must be '*** End Patch'")
        }
        patch::Error::Line { line, text, wanted } => write!(
            f,
            "Invalid patch hunk on line {line}: '{text}' is not {wanted}"
        ),
        patch::Error::NoPath { line } => {
            write!(f, "Invalid patch hunk on line {line}: it names no file")
        }
        patch::Error::EmptyUpdate { line, path } => write!(
            f,
            "Invalid patch hunk on line {line}: Update file hunk for path '{path}' is empty"
        ),
        patch::Error::Anchor { .. } | patch::Error::Lines { .. } => {
            write!(f, "Invalid patch: {error}")
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Invalid(source) | Error::Misfit { source, .. } => Some(source),
            Error::Empty | Error::Outside { .. } | Error::File { .. } => None,
        }
    }
}

/// Applies a patch below `cwd`, which is absolute, and returns what to say of it.
pub fn apply(text: &str, cwd: &Path) -> Result<String, Error> {
    let Patch { mut hunks } = patch::parse(text).map_err(Error::Invalid)?;
    if hunks.is_empty() {
        return Err(Error::Empty);
    }
    for hunk in &mut hunks {
        stay_inside(hunk, cwd)?;
    }
    let mut done = Plan::default();
    let mut told = String::new();
    for hunk in hunks {
        let path = path_of(&hunk).to_owned();
        let tried = tried(&hunk);
        let failed = |refusal: Refusal| Error::File {
            what: tried,
            path: path.clone(),
            why: refusal.0,
        };
        let mut plan = Plan::default();
        plan.add(hunk, cwd).map_err(|error| match error {
            apply_patch::Error::Misfit { name, source } => Error::Misfit { path: name, source },
            other => failed(other.into()),
        })?;
        let ready = plan.prepare(cwd).map_err(|error| failed(error.into()))?;
        told += &ready.commit().map_err(failed)?;
        for (deed, name) in plan.done {
            done.say(deed, name);
        }
    }
    Ok(done.report() + &told)
}

/// What the official program says that it tried.
fn tried(hunk: &Hunk) -> &'static str {
    match hunk {
        Hunk::Add { .. } => "write file",
        Hunk::Delete { .. } => "delete file",
        Hunk::Update { .. } => "read file to update",
    }
}

fn path_of(hunk: &Hunk) -> &str {
    let (Hunk::Add { path, .. } | Hunk::Delete { path } | Hunk::Update { path, .. }) = hunk;
    path
}

/// Refuses a hunk with a path that leaves `cwd`, and takes `..` out of those that do not.
fn stay_inside(hunk: &mut Hunk, cwd: &Path) -> Result<(), Error> {
    let (path, moved) = match hunk {
        Hunk::Add { path, .. } | Hunk::Delete { path } => (path, None),
        Hunk::Update { path, move_to, .. } => (path, move_to.as_mut()),
    };
    for path in std::iter::once(path).chain(moved) {
        let Some(inside) = inside(path, cwd) else {
            return Err(Error::Outside { path: path.clone() });
        };
        if let Some(inside) = inside {
            *path = inside;
        }
    }
    Ok(())
}

/// The path without `..`, or nothing where it has none; `None` if it leaves `cwd`.
fn inside(path: &str, cwd: &Path) -> Option<Option<String>> {
    let whole = cwd.join(path);
    if !whole.components().any(|part| part == Component::ParentDir) {
        return whole.starts_with(cwd).then_some(None);
    }
    let mut plain = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    let below = plain.strip_prefix(cwd).ok()?;
    Some(Some(below.to_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::tests::Scratch;

    /// Applies the lines between the markers to a directory that has `a` (`one`, `two`) and `b`.
    #[track_caller]
    fn check(body: &str, expected: Result<&str, &str>, names: &[&str]) -> Scratch {
        let scratch = Scratch::new();
        scratch.write("a", "one\ntwo\n");
        scratch.write("b", "bee\n");
        let text = format!("*** Begin Patch\n{body}*** End Patch\n");
        let got = apply(&text, scratch.path()).map_err(|error| error.to_string());
        assert_eq!(got.as_deref().map_err(String::as_str), expected, "{body}");
        assert_eq!(scratch.names(), names, "{body}");
        scratch
    }

    #[test]
    fn a_patch_that_fits_is_applied_and_told() {
        let body = "*** Add File: n/c\n+new\n*** Update File: a\n-one\n+1\n*** Delete File: b\n";
        let told = "Success. Updated the following files:\nA n/c\nM a\nD b\n";
        let scratch = check(body, Ok(told), &["a", "n"]);
        assert_eq!(scratch.read("a"), b"1\ntwo\n");
        let body = "*** Update File: a\n*** Move to: b\n@@\n-two\n+2\n";
        let told = "Success. Updated the following files:\nM b\n";
        let scratch = check(body, Ok(told), &["b"]);
        assert_eq!(scratch.read("b"), b"one\n2\n");
        let body = "*** Add File: x/../c\n+new\n";
        check(
            body,
            Ok("Success. Updated the following files:\nA c\n"),
            &["a", "b", "c"],
        );
    }

    #[test]
    fn hunks_before_the_one_that_fails_stay() {
        let body = "*** Add File: c\n+new\n*** Update File: a\n@@\n-none\n+1\n*** Delete File: b\n";
        let told = "Failed to find expected lines in a:\nnone";
        check(body, Err(told), &["a", "b", "c"]);
        let body = "*** Update File: a\n@@\n-one\n+1\n*** Update File: a\n@@ def f():\n-two\n+2\n";
        let told = "Failed to find context 'def f():' in a";
        let scratch = check(body, Err(told), &["a", "b"]);
        assert_eq!(scratch.read("a"), b"1\ntwo\n");
        let body = "*** Delete File: b\n*** Delete File: none\n";
        let told = "Failed to delete file none: none cannot be deleted: there is no such file or \
                    directory";
        check(body, Err(told), &["a"]);
        let body = "*** Delete File: b\n*** Update File: none\n@@\n-x\n+y\n";
        let told = "Failed to read file to update none: none cannot be read: there is no such \
                    file or directory";
        check(body, Err(told), &["a"]);
    }

    #[test]
    fn a_later_hunk_sees_what_an_earlier_one_did() {
        let body = "*** Add File: c\n+x\n*** Update File: c\n@@\n-x\n+y\n*** Delete File: b\n\
                    *** Add File: b\n+again\n";
        let told = "Success. Updated the following files:\nA c\nA b\nM c\nD b\n";
        let scratch = check(body, Ok(told), &["a", "b", "c"]);
        assert_eq!(scratch.read("c"), b"y\n");
        assert_eq!(scratch.read("b"), b"again\n");
    }

    #[test]
    fn what_is_no_patch_changes_nothing() {
        check("", Err("No files were modified."), &["a", "b"]);
        let told = "Invalid patch hunk on line 2: Update file hunk for path 'a' is empty";
        check("*** Update File: a\n", Err(told), &["a", "b"]);
        let told = "Invalid patch hunk on line 4: 'x' is not a line that starts with '+'";
        check("*** Add File: c\n+new\nx\n", Err(told), &["a", "b"]);
        let scratch = Scratch::new();
        let got = |text: &str| apply(text, scratch.path()).map_err(|error| error.to_string());
        let told = "Invalid patch: The first line of the patch must be '*** Begin Patch'";
        assert_eq!(got("*** Add File: c\n+new\n"), Err(told.to_owned()));
        let told = "Invalid patch: The last line of the patch must be '*** End Patch'";
        assert_eq!(
            got("*** Begin Patch\n*** Add File: c\n+n\n"),
            Err(told.to_owned())
        );
    }

    #[test]
    fn a_path_that_leaves_the_directory_is_refused_before_anything_is_written() {
        for path in ["../x", "/etc/x", "n/../../x"] {
            let told = format!(
                "Invalid patch: '{path}' is outside the working directory; nothing was changed"
            );
            let body = format!("*** Add File: c\n+new\n*** Add File: {path}\n+x\n");
            check(&body, Err(&told), &["a", "b"]);
            let body = format!("*** Add File: c\n+n\n*** Update File: a\n*** Move to: {path}\n");
            check(&body, Err(&told), &["a", "b"]);
        }
        let scratch = Scratch::new();
        let inside = scratch.path().join("c").display().to_string();
        let text = format!("*** Begin Patch\n*** Add File: {inside}\n+x\n*** End Patch");
        assert!(apply(&text, scratch.path()).is_ok());
        assert_eq!(scratch.names(), ["c"]);
    }

    #[test]
    fn a_link_does_not_lead_out() {
        let (scratch, other) = (Scratch::new(), Scratch::new());
        other.write("x", "old\n");
        std::os::unix::fs::symlink(other.path(), scratch.path().join("link")).unwrap();
        for hunk in ["*** Add File: link/y\n+new\n", "*** Delete File: link/x\n"] {
            let text = format!("*** Begin Patch\n{hunk}*** End Patch");
            assert!(apply(&text, scratch.path()).is_err(), "{hunk}");
        }
        assert_eq!(other.names(), ["x"]);
    }
}
