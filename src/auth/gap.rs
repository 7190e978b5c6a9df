//! A note beside a credential file, there while its refresh token is being spent.
//!
//! Between the issuer's answer and the disk a single-use token is neither the old one nor the new.
//! Whoever is killed there can tell nobody; the note does. It holds no secret: the digest of the
//! token says which one is meant. A note that cannot be written is left out: it only explains, and
//! says where a new login lies that was not put into its place any more.

use crate::auth::file::beside;
use crate::auth::file::is_in_use;
use crate::auth::file::is_replacement;
use crate::auth::file::read_bounded;
use crate::base::clock;
use crate::base::date;
use crate::base::digest::sha256_hex;
use crate::base::secret::Secret;
use crate::sys::file::NO_WAIT;
use serde::Deserialize;
use serde::Serialize;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

/// What the name of a note ends with.
const ENDING: &str = ".renewing";

/// A note is one line of this shape.
#[derive(Clone, Serialize, Deserialize)]
struct Content {
    refresh_token_sha256: String,
    pid: u32,
    since: String,
    /// The issuer was asked again since, and will never take the token again.
    #[serde(default)]
    is_refused: bool,
    /// The name of the file beside the target that the new login is written into.
    #[serde(default)]
    beside: Option<String>,
}

/// A note that is there until it is taken away; a process that is killed leaves it.
#[derive(Debug)]
pub struct Note {
    path: Option<PathBuf>,
}

impl Note {
    /// Writes the note that `refresh` is being spent and that its successor will lie in `beside`.
    /// Where an earlier one was left for it, that one's process and time stay.
    pub fn leave(
        target: &Path,
        refresh: &Secret,
        beside: Option<&Path>,
        earlier: Option<&Earlier>,
    ) -> Note {
        let name = beside.and_then(Path::file_name);
        let beside = name.map(|name| name.to_string_lossy().into_owned());
        let content = match earlier {
            Some(Earlier { content }) => Content {
                beside,
                ..content.clone()
            },
            None => Content {
                refresh_token_sha256: digest_of(refresh),
                pid: std::process::id(),
                since: date::rfc3339(clock::unix_seconds()),
                is_refused: false,
                beside,
            },
        };
        Note {
            path: write(&path(target), &content),
        }
    }

    /// The answer is on the disk, or there is none: nothing is left to explain.
    pub fn take_away(mut self) {
        if let Some(path) = self.path.take() {
            let _ = fs::remove_file(path);
        }
    }

    /// There was no login in this answer: what the earlier note explains is as it was.
    pub fn put_back(self, earlier: Option<&Earlier>) {
        match (earlier, &self.path) {
            (Some(earlier), Some(path)) => {
                write(path, &earlier.content);
            }
            _ => self.take_away(),
        }
    }

    /// The issuer refuses the token for good: whoever reads the earlier note need not ask it.
    pub fn refuse(self, earlier: Option<&Earlier>) {
        let refused = earlier.map(|earlier| {
            let mut earlier = earlier.clone();
            earlier.content.is_refused = true;
            earlier
        });
        self.put_back(refused.as_ref());
    }
}

/// A note that somebody left who never told what came of it.
#[derive(Clone)]
pub struct Earlier {
    content: Content,
}

impl Earlier {
    /// The note that was left for `refresh`, if any.
    pub fn find(target: &Path, refresh: &Secret) -> Option<Earlier> {
        let text = read_bounded(&path(target)).ok()?;
        let content: Content = serde_json::from_slice(&text).ok()?;
        // The time is shown, and whoever can write there could have written anything.
        date::parse_rfc3339(&content.since)?;
        let is_meant = content.refresh_token_sha256 == digest_of(refresh);
        is_meant.then_some(Earlier { content })
    }

    /// Who began to spend the token, and what became of that.
    pub fn explanation(&self) -> String {
        format!(
            "a renewal that began at {} (process {}) was killed or cut off between the issuer's \
             answer and the disk, and the new login was lost with it",
            self.content.since, self.content.pid
        )
    }

    /// Whether the issuer will never take the token again.
    pub fn is_refused(&self) -> bool {
        self.content.is_refused
    }

    /// Where the new login lies, if it was written before its process ended.
    pub fn successor(&self, target: &Path) -> Option<PathBuf> {
        let name = self.content.beside.as_deref()?;
        // Whoever wrote the note could have named any file.
        is_replacement(name.as_ref()).then(|| target.with_file_name(name))
    }
}

/// Removes what renewals and logins that were killed left beside the file: nobody else has any use
/// for it, and it may hold a login. The locks are held.
pub fn sweep(target: &Path) {
    let Some(folder) = target.parent() else {
        return;
    };
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    let names: Vec<OsString> = names.map(|entry| entry.file_name()).collect();
    // What the note of another login in the folder names may be the only copy of that login.
    let is_others = |name: &&OsString| {
        name.as_bytes().ends_with(ENDING.as_bytes()) && folder.join(name) != path(target)
    };
    let kept: Vec<Content> = names
        .iter()
        .filter(is_others)
        .filter_map(|name| serde_json::from_slice(&read_bounded(&folder.join(name)).ok()?).ok())
        .collect();
    for name in names.iter().filter(|name| is_replacement(name)) {
        let is_kept = kept
            .iter()
            .any(|note| note.beside.as_deref().map(OsStr::new) == Some(name));
        if !is_kept && !is_in_use(&folder.join(name)) {
            let _ = fs::remove_file(folder.join(name));
        }
    }
}

/// Writes the one line; `None` where it cannot be written.
fn write(path: &Path, content: &Content) -> Option<PathBuf> {
    let line = serde_json::to_string(content).unwrap_or_default();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.custom_flags(NO_WAIT);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    if written.is_err() {
        // A full disk takes the name and not the line.
        let _ = fs::remove_file(path);
        return None;
    }
    Some(path.to_path_buf())
}

fn path(target: &Path) -> PathBuf {
    beside(target, ENDING)
}

fn digest_of(secret: &Secret) -> String {
    sha256_hex(secret.expose().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::file::Replacement;
    use crate::auth::scratch::Scratch;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    fn explained(target: &Path, secret: &Secret) -> Option<String> {
        Earlier::find(target, secret).map(|earlier| earlier.explanation())
    }

    #[test]
    fn a_note_explains_the_token_that_it_was_left_for() {
        let scratch = Scratch::new();
        let target = scratch.path("auth.json");
        let secret = Secret::new("hunter2");
        let leave = || Note::leave(&target, &secret, None, None);
        assert_eq!(explained(&target, &secret), None);
        let note = leave();
        let text = fs::read_to_string(scratch.path("auth.json.renewing")).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        let words = explained(&target, &secret).unwrap();
        assert!(words.contains("between the issuer's answer and the disk"));
        assert_eq!(explained(&target, &Secret::new("other")), None);
        note.take_away();
        assert_eq!(explained(&target, &secret), None);
        assert_eq!(fs::read_dir(scratch.dir()).unwrap().count(), 0);
        // Nobody reads from a pipe that lies there, or writes into it.
        let pipe = scratch.path("auth.json.renewing");
        mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        assert_eq!(explained(&target, &secret), None);
        leave().take_away();
        // A folder that is not there costs the note and nothing else.
        Note::leave(Path::new("/nowhere/at/all"), &secret, None, None).take_away();
    }

    #[test]
    fn an_earlier_note_outlives_the_tries_that_come_to_nothing() {
        let scratch = Scratch::new();
        let target = scratch.path("auth.json");
        let secret = Secret::new("hunter2");
        let note = scratch.path("auth.json.renewing");
        let text = format!(
            r#"{{"refresh_token_sha256":"{}","pid":7,"since":"2026-01-01T00:00:00Z"}}"#,
            digest_of(&secret)
        );
        fs::write(&note, text).unwrap();
        let find = || Earlier::find(&target, &secret).unwrap();
        let again = |earlier: &Earlier| Note::leave(&target, &secret, None, Some(earlier));
        let words = find().explanation();
        assert!(
            words.contains("2026-01-01T00:00:00Z (process 7)"),
            "{words}"
        );
        again(&find()).put_back(Some(&find()));
        assert_eq!(
            (find().explanation(), find().is_refused()),
            (words.clone(), false)
        );
        again(&find()).refuse(Some(&find()));
        assert_eq!((find().explanation(), find().is_refused()), (words, true));
        again(&find()).take_away();
        // Without an earlier one a refusal explains nothing.
        Note::leave(&target, &secret, None, None).refuse(None);
        assert!(!note.exists());
    }

    #[test]
    fn a_note_names_a_file_of_ours_alone() {
        let scratch = Scratch::new();
        let target = scratch.path("auth.json");
        let secret = Secret::new("hunter2");
        for (name, is_ours) in [
            (".auth-0123456789abcdef", true),
            (".auth-0123456789ABCDEF", false),
            (".auth-0123", false),
            ("other.json", false),
        ] {
            let beside = scratch.path(name);
            Note::leave(&target, &secret, Some(&beside), None);
            let found = Earlier::find(&target, &secret).unwrap().successor(&target);
            assert_eq!(found, is_ours.then_some(beside), "{name}");
        }
    }

    #[test]
    fn what_was_left_behind_is_swept_and_nothing_else() {
        let scratch = Scratch::new();
        let target = scratch.path("auth.json");
        let [stale, others, strange] = [
            ".auth-0000000000000001",
            ".auth-0000000000000002",
            ".auth-x",
        ]
        .map(|name| scratch.path(name));
        for path in [&target, &stale, &others, &strange] {
            fs::write(path, "{}").unwrap();
        }
        let in_use = Replacement::create(&target).unwrap();
        let secret = Secret::new("hunter2");
        Note::leave(&target, &secret, Some(&stale), None);
        Note::leave(&scratch.path("b.json"), &secret, Some(&others), None);
        sweep(&target);
        assert!(!stale.exists());
        for path in [target.as_path(), &others, &strange, in_use.path()] {
            assert!(path.exists(), "{}", path.display());
        }
    }
}
