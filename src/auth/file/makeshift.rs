//! A lock for file systems that have none: a file that only one process can make.
//!
//! It does not end with its process, so one that is older than any renewal counts for nothing. The
//! official client knows nothing of it.

use crate::base::random;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// No renewal takes so long: a minute for the issuer, one for the locks, and some to spare.
const AGE_MAX: Duration = Duration::from_secs(130);

/// What came of a try to take the lock.
#[derive(Debug)]
pub enum Taken {
    /// It is ours until this is dropped.
    Lock(Makeshift),
    /// Another process has it.
    Busy,
    /// The file cannot be made.
    Unsupported,
}

/// The lock; its file goes when this is dropped.
#[derive(Debug)]
pub struct Makeshift {
    path: PathBuf,
    /// Open, so that no other file can get its inode.
    file: File,
}

/// Takes the lock, from a process that was killed too. Never waits.
pub fn try_take(path: &Path) -> Taken {
    match make(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made.map_or(Taken::Unsupported, Taken::Lock),
    }
    if !is_old(path) || !is_put_aside(path) {
        return Taken::Busy;
    }
    make(path).map_or(Taken::Busy, Taken::Lock)
}

fn make(path: &Path) -> io::Result<Makeshift> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let file = options.open(path)?;
    let path = path.to_path_buf();
    Ok(Makeshift { path, file })
}

fn is_old(path: &Path) -> bool {
    let made = fs::symlink_metadata(path).and_then(|facts| facts.modified());
    made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > AGE_MAX))
}

/// Removes the old lock by a rename, which only one process can do. What was renamed is looked at
/// again: another one may have taken the old lock over a moment before.
fn is_put_aside(path: &Path) -> bool {
    let Ok(suffix) = random::bytes::<8>() else {
        return false;
    };
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{:016x}", u64::from_le_bytes(suffix)));
    let aside = path.with_file_name(name);
    if fs::rename(path, &aside).is_err() {
        return false;
    }
    let was_old = is_old(&aside);
    if !was_old {
        // It goes back, unless there is one again.
        let _ = fs::hard_link(&aside, path);
    }
    let _ = fs::remove_file(&aside);
    was_old
}

impl Drop for Makeshift {
    fn drop(&mut self) {
        // One that was taken from us is another one's.
        let there = fs::symlink_metadata(&self.path).map(|facts| facts.ino());
        let ours = self.file.metadata().map(|facts| facts.ino());
        if ours.is_ok_and(|ours| there.is_ok_and(|there| there == ours)) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::scratch::Scratch;
    use std::time::SystemTime;

    #[test]
    fn one_process_has_it_until_it_lets_go_or_is_long_dead() {
        let scratch = Scratch::new();
        let path = scratch.path("lock");
        let Taken::Lock(lock) = try_take(&path) else {
            panic!("it is free");
        };
        assert!(matches!(try_take(&path), Taken::Busy));
        drop(lock);
        assert!(!path.exists());
        // The first was killed, or seems so; the second takes it over, and the first leaves it.
        let Taken::Lock(first) = try_take(&path) else {
            panic!("it is free");
        };
        let long_ago = SystemTime::now() - AGE_MAX - Duration::from_secs(1);
        File::open(&path).unwrap().set_modified(long_ago).unwrap();
        let Taken::Lock(second) = try_take(&path) else {
            panic!("it is old");
        };
        assert!(matches!(try_take(&path), Taken::Busy));
        drop(first);
        assert!(path.exists());
        drop(second);
        assert_eq!(fs::read_dir(scratch.dir()).unwrap().count(), 0);
        let nowhere = Path::new("/nowhere/at/all");
        assert!(matches!(try_take(nowhere), Taken::Unsupported));
    }
}
