//! Which files of projects the person trusts: by place and by content, so that a changed file is a
//! stranger's again.
//!
//! Each has a record of its own in the state directory, named by the digest of the file's place.
//! So two processes never write the same record for different files, and no lock is needed. The
//! sandbox hides the directory from the model's commands.

use super::disk;
use crate::base::digest::sha256_hex;
use crate::sys::user;
use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

/// The records.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    dir: Option<PathBuf>,
}

/// A trusted file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where it lies.
    pub path: String,
    /// The digest of what it said when it was accepted, as 64 hexadecimal digits.
    pub sha256: String,
    /// Whether the person does not want to be asked for it again, instead.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_refused: bool,
}

/// Why a file cannot be trusted, whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It, or its folder, is a symbolic link: what is behind it can change without it.
    Link,
    /// It belongs to somebody else, who can change it.
    Owner,
    /// It is no file.
    NoFile,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Link => "it is a symbolic link, or its folder is one",
            Refusal::Owner => "it belongs to another user",
            Refusal::NoFile => "it is no regular file",
        })
    }
}

/// Whether the file `path` below `root` could be trusted at all. One that is not there yet can.
pub fn check(path: &Path, root: &Path) -> Result<(), Refusal> {
    let Ok(facts) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    let below = path.strip_prefix(root);
    let expected = root.canonicalize().ok().zip(below.ok());
    let is_direct = expected.is_some_and(|(root, below)| {
        path.canonicalize()
            .is_ok_and(|real| real == root.join(below))
    });
    match () {
        () if facts.is_symlink() || !is_direct => Err(Refusal::Link),
        () if !facts.is_file() => Err(Refusal::NoFile),
        () if facts.uid() != user::id() => Err(Refusal::Owner),
        () => Ok(()),
    }
}

impl Trust {
    /// The records in our state directory. Without one nothing is trusted.
    pub fn new(state_dir: Option<&Path>) -> Trust {
        Trust {
            dir: state_dir.map(|dir| dir.join("trust")),
        }
    }

    /// Whether `bytes`, read from `path` below `root`, are what the person accepted.
    pub fn has(&self, path: &Path, root: &Path, bytes: &[u8]) -> bool {
        self.verdict(path, bytes) == Some(true) && check(path, root).is_ok()
    }

    /// Whether the person does not want to be asked for `bytes` again.
    pub fn is_refused(&self, path: &Path, bytes: &[u8]) -> bool {
        self.verdict(path, bytes) == Some(false)
    }

    /// Accepts `bytes` as the content of `path`.
    pub fn accept(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.keep(path, bytes, false)
    }

    /// Refuses them.
    pub fn refuse(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.keep(path, bytes, true)
    }

    /// What was said of `bytes`; `None` where that was nothing.
    fn verdict(&self, path: &Path, bytes: &[u8]) -> Option<bool> {
        let record = record(&self.record_of(path)?)?;
        (record.sha256 == sha256_hex(bytes)).then_some(!record.is_refused)
    }

    fn keep(&self, path: &Path, bytes: &[u8], is_refused: bool) -> io::Result<()> {
        let no_place = || io::Error::other("there is no state directory (HOME, SX_STATE_DIR)");
        let place = self.record_of(path).ok_or_else(no_place)?;
        let record = Record {
            path: real(path).to_string_lossy().into_owned(),
            sha256: sha256_hex(bytes),
            is_refused,
        };
        let line = format!("{}\n", serde_json::to_string(&record)?);
        disk::replace(&place, None, line.as_bytes())
    }

    /// Forgets `path`; whether it was trusted.
    pub fn revoke(&self, path: &Path) -> io::Result<bool> {
        let Some(place) = self.record_of(path) else {
            return Ok(false);
        };
        match fs::remove_file(place) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// All records, sorted by path.
    pub fn list(&self) -> io::Result<Vec<Record>> {
        let Some(dir) = &self.dir else {
            return Ok(Vec::new());
        };
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut records = Vec::new();
        for entry in entries {
            records.extend(record(&entry?.path()));
        }
        records.sort_by(|one: &Record, other| one.path.cmp(&other.path));
        Ok(records)
    }

    fn record_of(&self, path: &Path) -> Option<PathBuf> {
        let name = sha256_hex(real(path).as_os_str().as_bytes());
        Some(self.dir.as_ref()?.join(format!("{name}.json")))
    }
}

/// The place of a file without the links before its folder, so that each has one name.
fn real(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_path_buf(),
    }
}

/// A record; `None` where there is none, or something else. What another user wrote is none.
fn record(path: &Path) -> Option<Record> {
    let facts = fs::symlink_metadata(path).ok()?;
    let is_own = facts.is_file() && facts.uid() == user::id();
    let text = is_own.then(|| disk::read(path).ok()).flatten()??;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_was_accepted_is_trusted_where_it_was_and_as_it_was() {
        let name = format!("sx-trust-{}", random::uuid().unwrap());
        let home = std::env::temp_dir().canonicalize().unwrap().join(name);
        let (root, state) = (home.join("project"), home.join("state"));
        let path = root.join("scorpiox-env.txt");
        fs::create_dir_all(&root).unwrap();
        fs::write(&path, "A=1\n").unwrap();
        let trust = Trust::new(Some(&state));
        let has = |bytes: &str| trust.has(&path, &root, bytes.as_bytes());
        assert!(!has("A=1\n") && trust.list().unwrap().is_empty());
        trust.accept(&path, b"A=1\n").unwrap();
        assert!(has("A=1\n") && !has("A=2\n"));
        // By whatever way it is named.
        symlink(&root, home.join("link")).unwrap();
        let by_link = home.join("link/scorpiox-env.txt");
        assert!(trust.has(&by_link, &home.join("link"), b"A=1\n"));
        assert!(!trust.has(&root.join("other"), &root, b"A=1\n"));
        trust.accept(&path, b"A=2\n").unwrap();
        let records = trust.list().unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].sha256, sha256_hex(b"A=2\n"));
        // The same bytes behind a link are not trusted.
        fs::rename(&path, root.join("elsewhere")).unwrap();
        symlink("elsewhere", &path).unwrap();
        assert_eq!(check(&path, &root), Err(Refusal::Link));
        assert!(!has("A=2\n"));
        trust.refuse(&path, b"x").unwrap();
        assert!(trust.is_refused(&path, b"x") && !trust.is_refused(&path, b"y"));
        assert!(trust.revoke(&path).unwrap() && !trust.revoke(&path).unwrap());
        assert!(Trust::default().accept(&path, b"").is_err());
        fs::create_dir(root.join("dir")).unwrap();
        assert_eq!(check(&root.join("dir"), &root), Err(Refusal::NoFile));
        symlink("dir", root.join("way")).unwrap();
        fs::write(root.join("dir/x.txt"), "").unwrap();
        assert_eq!(check(&root.join("way/x.txt"), &root), Err(Refusal::Link));
        assert_eq!(check(&root.join("dir/x.txt"), &root), Ok(()));
        assert_eq!(check(Path::new("/proc/1/stat"), Path::new("/proc")), Ok(()));
        // Whatever stands where a record should is none, and nobody waits for it.
        trust.accept(&path, b"").unwrap();
        let entry = fs::read_dir(state.join("trust")).unwrap().next().unwrap();
        let record = entry.unwrap().path();
        fs::remove_file(&record).unwrap();
        symlink("/dev/zero", &record).unwrap();
        assert!(!trust.has(&path, &root, b"") && trust.list().unwrap().is_empty());
        fs::remove_dir_all(&home).unwrap();
    }
}
