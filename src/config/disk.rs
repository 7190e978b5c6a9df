//! Settings files on the disk: read whole within a limit, replaced whole.
//!
//! A new version is written beside the old one, synced and renamed, so that nobody reads half of
//! one; mode and owner stay, and a link stays a link.

use crate::base::clock::Deadline;
use crate::base::random;
use crate::sys::file::open_regular;
use crate::sys::poll::PollSet;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// A settings file is a page of text. A megabyte leaves room for any comment, and a link to
/// something endless does not fill the memory.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The content; `None` where there is no file.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match open_regular(path) {
        Err(error) if is_absent(&error) => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > FILE_BYTES_MAX {
        true => Err(io::Error::other(format!(
            "it is larger than {FILE_BYTES_MAX} bytes"
        ))),
        false => Ok(Some(bytes)),
    }
}

/// How long another program may take to change its file.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(10);

/// A change takes some milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Held while a settings file is read, changed and replaced, so that of two who do so at once none
/// undoes the other. Taken once a process at a time; nothing where the file system has no locks
/// (flock(2)).
pub struct Lock(Option<File>);

/// Locks the folder of the settings file `path`; the folder is made where there is none.
pub fn lock(path: &Path) -> io::Result<Lock> {
    let Some(folder) = path.parent() else {
        return Ok(Lock(None));
    };
    make(folder)?;
    let folder = File::open(folder)?;
    let deadline = Deadline::after(LOCK_WAIT_MAX, "the time for the lock of a settings file");
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(Lock(Some(folder))),
            Err(TryLockError::WouldBlock) if deadline.is_over() => {
                return Err(io::Error::other("another program keeps its folder locked"));
            }
            Err(TryLockError::WouldBlock) => {
                // A poll of nothing is a pause that ends on time.
                let _ = PollSet::<()>::new().wait(Some(LOOK_EVERY));
            }
            Err(TryLockError::Error(_)) => return Ok(Lock(None)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            // To close it would do.
            let _ = folder.unlock();
        }
    }
}

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Puts `new` into the place of the file `path`, whose folder is made where there is none. Fails
/// where the file does not say `expected`, if that is given: an editor may have saved it meanwhile.
pub fn replace(path: &Path, expected: Option<Option<&[u8]>>, new: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make(folder)?;
    }
    let target = match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => path.to_path_buf(),
        target => target?,
    };
    let beside = target.with_file_name(beside_name()?);
    let is_expected = || match expected {
        Some(expected) => Ok::<_, io::Error>(read(&target)?.as_deref() == expected),
        None => Ok(true),
    };
    let written = write(&beside, &target, new).and_then(|()| match is_expected()? {
        true => put(&beside, &target, new),
        false => Err(io::Error::other(
            "it was changed by another program meanwhile",
        )),
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Renames, or writes over a file that is a mount point, as containers have it.
fn put(beside: &Path, target: &Path, new: &[u8]) -> io::Result<()> {
    match fs::rename(beside, target) {
        Err(error) if error.kind() == ErrorKind::ResourceBusy => {
            let mut file = OpenOptions::new().write(true).truncate(true).open(target)?;
            file.write_all(new)?;
            file.sync_all()?;
            fs::remove_file(beside)
        }
        renamed => renamed,
    }
}

fn beside_name() -> io::Result<String> {
    let bytes = random::bytes::<8>().map_err(io::Error::other)?;
    Ok(format!(".env-{:016x}", u64::from_le_bytes(bytes)))
}

/// Writes a file that will take the place of `target`: with its mode and owner, or for us alone.
fn write(beside: &Path, target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file: File = options.open(beside)?;
    file.write_all(bytes)?;
    if let Ok(old) = fs::metadata(target) {
        let new = file.metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            // Only root can; for anyone else it is their file from now on.
            let _ = std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()));
        }
        let mode = fs::Permissions::from_mode(old.mode() & 0o777);
        file.set_permissions(mode)?;
    }
    file.sync_all()
}

/// Whether a link leads out of `folder`, below which `path` lies. A stranger's link to a key file
/// would have us print its lines as wrong settings, where a log may be public.
pub fn leads_away(path: &Path, folder: &Path) -> io::Result<bool> {
    Ok(!path.canonicalize()?.starts_with(folder.canonicalize()?))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::write::Change;
    use crate::config::write::change;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_file_keeps_its_mode_and_a_link_stays_one() {
        let name = format!("sx-write-{}", random::uuid().unwrap());
        let dir = std::env::temp_dir().join(name);
        let path = dir.join("below/scorpiox-env.txt");
        let set = |path: &Path, key, value| change(path, &[(key, Change::Set(value))]);
        assert!(change(&path, &[("A", Change::Unset)]).unwrap().is_same());
        assert!(!dir.exists());
        assert!(!set(&path, "A", "1").unwrap().is_same());
        assert!(set(&path, "A", "1").unwrap().is_same());
        let stale = replace(&path, Some(Some(b"A=0\n")), b"A=2\n");
        assert!(stale.unwrap_err().to_string().contains("meanwhile"));
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&dir), 0o700);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let link = dir.join("link.txt");
        symlink(&path, &link).unwrap();
        set(&link, "B", "2").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "A=1\nB=2\n");
        assert_eq!(mode(&path), 0o644);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        // What is no file is not replaced by one, and nothing is left beside it.
        assert!(set(&dir, "A", "1").is_err());
        assert_eq!(fs::read_dir(dir.join("below")).unwrap().count(), 1);
        fs::remove_dir_all(&dir).unwrap();
    }
}
