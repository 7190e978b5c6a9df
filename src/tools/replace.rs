//! Files replaced so that nothing is torn.
//!
//! A file is written beside its place and renamed, so that a reader sees the old or the new one and
//! a full disk costs nothing; mode and, where we may, owner are kept, and what was not is told
//! ([`Lost`]). It is not synced: that helps after a power cut alone and takes longer than the edit.
//! Looking, writing and renaming are steps of their own, so that several files can be changed
//! together or not at all; a file that somebody else changed between the first and the last stays.
//!
//! Hard links are not kept by writing in place: a reader could see half a file, a full disk could
//! leave one, and the other name may be somebody else's file outside the working directory.

use crate::base::random;
use crate::sys::file::NO_WAIT;
use crate::tools::file::Error;
use crate::tools::file::Target;
use std::fmt;
use std::fs;
use std::fs::File;
use std::fs::Metadata;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::io;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::fchown;
use std::path::Path;
use std::path::PathBuf;

/// Where a write goes.
#[derive(Debug)]
pub struct Destination {
    target: Target,
    /// Where it is, without symbolic links.
    pub path: PathBuf,
    /// What is there now.
    pub existing: Option<Metadata>,
}

impl Destination {
    /// Finds out where a write to `target` goes, and that it may go there. Changes nothing.
    pub fn find(target: &Target, cwd: &Path) -> Result<Destination, Error> {
        let path = target.followed(cwd)?;
        let existing = match fs::metadata(&path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(target.error("written", error)),
        };
        if let Some(metadata) = &existing {
            target.must_be_file(metadata)?;
            // A rename asks only the directory; the file's own mode should count too.
            let opened = OpenOptions::new()
                .write(true)
                .custom_flags(NO_WAIT)
                .open(&path);
            match opened {
                Err(error) if error.kind() != io::ErrorKind::ExecutableFileBusy => {
                    return Err(target.error("written", error));
                }
                _ => {}
            }
        }
        Ok(Destination {
            target: target.clone(),
            // Again, since an overlay gives a file a new number when it is first opened so.
            existing: existing.and_then(|old| fs::metadata(&path).ok().or(Some(old))),
            path,
        })
    }

    /// Writes `bytes` beside it, in directories that are made if need be. It gets the mode and
    /// owner of what is there now, else of `like`, else those of any new file.
    pub fn stage(self, bytes: &[u8], like: Option<&Metadata>) -> Result<Staged, Error> {
        let error = |source| self.target.error("written", source);
        let like = self.existing.as_ref().or(like);
        let directory = self.path.parent().unwrap_or(&self.path);
        let made = MadeDirectories::make(directory).map_err(error)?;
        // Before it has the mode that it should have, nobody else reads it; a new one has that
        // from the start, since the kernel takes the umask from it.
        let mode = if like.is_some() { 0o600 } else { 0o666 };
        let mut beside = Beside::create(directory, mode).map_err(error)?;
        beside.file.write_all(bytes).map_err(error)?;
        let mut lost = match like {
            Some(like) => beside.look_like(like).map_err(error)?,
            None => Vec::new(),
        };
        let links = self.existing.as_ref().map_or(1, Metadata::nlink);
        if links > 1 {
            lost.push(Lost::Links(links - 1));
        }
        Ok(Staged {
            beside,
            made,
            lost,
            place: self,
        })
    }

    /// An error if what is there is not what was there when it was found.
    fn must_be_unchanged(&self) -> Result<(), Error> {
        let now = fs::symlink_metadata(&self.path).ok();
        match is_same(self.existing.as_ref(), now.as_ref()) {
            true => Ok(()),
            false => Err(self.target.changed()),
        }
    }
}

/// Whether a file is the one that it was, and its bytes too.
fn is_same(before: Option<&Metadata>, now: Option<&Metadata>) -> bool {
    let of = |file: &Metadata| {
        let written = (file.mtime(), file.mtime_nsec());
        (file.dev(), file.ino(), file.len(), written)
    };
    before.map(of) == now.map(of)
}

/// What a file could not keep when it was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// So many other names of it are another file now, with the old bytes.
    Links(u64),
    /// Its owner: only root may give a file away.
    Owner,
    /// Its group, of which we are no member.
    Group,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Links(1) => f.write_str(
                "it had one more name (a hard link), which still has the old text; ln -f joins \
                 them again",
            ),
            Lost::Links(count) => write!(
                f,
                "it had {count} more names (hard links), which still have the old text; ln -f \
                 joins them again"
            ),
            Lost::Owner => f.write_str("its owner could not be kept, and is now who runs this"),
            Lost::Group => f.write_str(
                "its group could not be kept, and its new one may do what everybody may",
            ),
        }
    }
}

/// A file that is written and not yet in its place. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Staged {
    // Dropped first, so that the directories are empty again.
    beside: Beside,
    made: MadeDirectories,
    lost: Vec<Lost>,
    place: Destination,
}

impl Staged {
    /// Puts it in its place; what was lost with the old one.
    pub fn commit(mut self) -> Result<Vec<Lost>, Error> {
        let Destination { target, path, .. } = &self.place;
        self.place.must_be_unchanged()?;
        let renamed = fs::rename(&self.beside.path, path);
        renamed.map_err(|source| target.error("written", source))?;
        self.beside.is_kept = true;
        self.made.0.clear();
        Ok(self.lost)
    }
}

/// A file that can be deleted.
#[derive(Debug)]
pub struct Removal {
    target: Target,
    path: PathBuf,
    /// What is there now.
    pub existing: Metadata,
}

impl Removal {
    /// Finds out that `target` can be deleted: it is there, no directory, and its directory can be
    /// written. A symbolic link is deleted itself.
    pub fn find(target: &Target, cwd: &Path) -> Result<Removal, Error> {
        let path = target.unfollowed(cwd)?;
        let error = |source| target.error("deleted", source);
        let metadata = fs::symlink_metadata(&path).map_err(error)?;
        if metadata.is_dir() {
            target.must_be_file(&metadata)?;
        }
        // A file made beside it and gone again shows that the directory can be written.
        Beside::create(path.parent().unwrap_or(&path), 0o600).map_err(error)?;
        Ok(Removal {
            target: target.clone(),
            path,
            existing: metadata,
        })
    }

    /// Deletes it.
    pub fn commit(self) -> Result<(), Error> {
        let now = fs::symlink_metadata(&self.path);
        if now.is_ok_and(|now| !is_same(Some(&self.existing), Some(&now))) {
            return Err(self.target.changed());
        }
        fs::remove_file(&self.path).map_err(|source| self.target.error("deleted", source))
    }
}

/// A file under a name that nobody knows. Dropped, it is deleted, unless it was renamed.
#[derive(Debug)]
struct Beside {
    file: File,
    path: PathBuf,
    is_kept: bool,
}

impl Beside {
    fn create(directory: &Path, mode: u32) -> io::Result<Beside> {
        let number = random::bytes::<8>().map_err(io::Error::other)?;
        let path = directory.join(format!(".sx-{:016x}", u64::from_be_bytes(number)));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)?;
        Ok(Beside {
            file,
            path,
            is_kept: false,
        })
    }

    /// Gives it the mode, owner and group of another file; what of that was not possible.
    fn look_like(&self, like: &Metadata) -> io::Result<Vec<Lost>> {
        let mut lost = Vec::new();
        let own = self.file.metadata()?;
        // One after the other: the group may be ours to give though the owner is not.
        if own.uid() != like.uid() && fchown(&self.file, Some(like.uid()), None).is_err() {
            lost.push(Lost::Owner);
        }
        // Without set-user-id and its kin, which the kernel also takes from a file that is written.
        let mut mode = like.mode() & 0o777;
        if own.gid() != like.gid() && fchown(&self.file, None, Some(like.gid())).is_err() {
            lost.push(Lost::Group);
            // Another group may do only what everybody may.
            mode &= 0o707 | (mode & 0o007) << 3;
        }
        self.file.set_permissions(Permissions::from_mode(mode))?;
        Ok(lost)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.is_kept {
            // If this fails, the error that led here has been told already.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Directories that were made for a file, the outermost first. Dropped, those that are empty go.
#[derive(Debug)]
struct MadeDirectories(Vec<PathBuf>);

impl MadeDirectories {
    fn make(directory: &Path) -> io::Result<MadeDirectories> {
        let missing: Vec<&Path> = directory
            .ancestors()
            .take_while(|path| fs::symlink_metadata(path).is_err())
            .collect();
        let mut made = MadeDirectories(Vec::new());
        for path in missing.into_iter().rev() {
            match fs::create_dir(path) {
                Ok(()) => made.0.push(path.to_owned()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(made)
    }
}

impl Drop for MadeDirectories {
    fn drop(&mut self) {
        for path in self.0.iter().rev() {
            let _ = fs::remove_dir(path);
        }
    }
}

#[cfg(test)]
mod tests;
