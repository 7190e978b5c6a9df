//! A note beside a credential file, there while its refresh token is being spent.
//!
//! Between the issuer's answer and the disk a single-use token is neither the old one nor the new.
//! Whoever is killed there can tell nobody; the note does. It holds no secret: the digest of the
//! token says which one is meant. A note that cannot be written is left out: it only explains.

use crate::auth::file::beside;
use crate::auth::file::read_bounded;
use crate::base::clock;
use crate::base::date;
use crate::base::digest::sha256_hex;
use crate::base::secret::Secret;
use crate::sys::file::NO_WAIT;
use serde::Deserialize;
use serde::Serialize;
use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

/// A note is one line of this shape.
#[derive(Serialize, Deserialize)]
struct Content {
    refresh_token_sha256: String,
    pid: u32,
    since: String,
}

/// A note that is there until it is taken away; a process that is killed leaves it.
#[derive(Debug)]
pub struct Note {
    path: Option<PathBuf>,
}

impl Note {
    /// Writes the note that `refresh` is being spent.
    pub fn leave(target: &Path, refresh: &Secret) -> Note {
        let path = path(target);
        let content = Content {
            refresh_token_sha256: digest_of(refresh),
            pid: std::process::id(),
            since: date::rfc3339(clock::unix_seconds()),
        };
        let line = serde_json::to_string(&content).unwrap_or_default();
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.custom_flags(NO_WAIT);
        let written = options
            .open(&path)
            .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        if written.is_err() {
            // A full disk takes the name and not the line.
            let _ = fs::remove_file(&path);
            return Note { path: None };
        }
        Note { path: Some(path) }
    }

    /// The answer is on the disk, or there is none: nothing is left to explain.
    pub fn take_away(mut self) {
        if let Some(path) = self.path.take() {
            let _ = fs::remove_file(path);
        }
    }
}

/// What an earlier note says of `refresh`: who began to spend it, and never told what came of it.
pub fn explanation(target: &Path, refresh: &Secret) -> Option<String> {
    let text = read_bounded(&path(target)).ok()?;
    let content: Content = serde_json::from_slice(&text).ok()?;
    // The time is shown, and whoever can write there could have written anything.
    date::parse_rfc3339(&content.since)?;
    let is_meant = content.refresh_token_sha256 == digest_of(refresh);
    is_meant.then(|| {
        format!(
            "a renewal that began at {} (process {}) was killed or cut off between the issuer's \
             answer and the disk, and the new login was lost with it",
            content.since, content.pid
        )
    })
}

fn path(target: &Path) -> PathBuf {
    beside(target, ".renewing")
}

fn digest_of(secret: &Secret) -> String {
    sha256_hex(secret.expose().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::scratch::Scratch;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    #[test]
    fn a_note_explains_the_token_that_it_was_left_for() {
        let scratch = Scratch::new();
        let target = scratch.path("auth.json");
        let secret = Secret::new("hunter2");
        assert_eq!(explanation(&target, &secret), None);
        let note = Note::leave(&target, &secret);
        let text = fs::read_to_string(scratch.path("auth.json.renewing")).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        let explained = explanation(&target, &secret).unwrap();
        assert!(explained.contains("between the issuer's answer and the disk"));
        assert_eq!(explanation(&target, &Secret::new("other")), None);
        note.take_away();
        assert_eq!(explanation(&target, &secret), None);
        assert_eq!(fs::read_dir(scratch.dir()).unwrap().count(), 0);
        // Nobody reads from a pipe that lies there, or writes into it.
        let pipe = scratch.path("auth.json.renewing");
        mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        assert_eq!(explanation(&target, &secret), None);
        Note::leave(&target, &secret).take_away();
        // A folder that is not there costs the note and nothing else.
        Note::leave(Path::new("/nowhere/at/all"), &secret).take_away();
    }
}
