//! Files replaced so that nothing is torn.
//!
//! A file is written beside its place and renamed, so that a reader sees the old or the new one and
//! a full disk costs nothing; mode and, where we may, owner are kept. It is not synced: that helps
//! after a power cut alone and takes longer than the edit. Looking, writing and renaming are steps
//! of their own, so that several files can be changed together or not at all.

use crate::base::random;
use crate::sys::file::NO_WAIT;
use crate::tools::file::Error;
use crate::tools::file::Target;
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
            path,
            existing,
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
        if let Some(like) = like {
            beside.look_like(like).map_err(error)?;
        }
        Ok(Staged {
            beside,
            made,
            target: self.target,
            path: self.path,
        })
    }
}

/// A file that is written and not yet in its place. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Staged {
    // Dropped first, so that the directories are empty again.
    beside: Beside,
    made: MadeDirectories,
    target: Target,
    path: PathBuf,
}

impl Staged {
    /// Puts it in its place.
    pub fn commit(mut self) -> Result<(), Error> {
        let renamed = fs::rename(&self.beside.path, &self.path);
        renamed.map_err(|source| self.target.error("written", source))?;
        self.beside.is_kept = true;
        self.made.0.clear();
        Ok(())
    }
}

/// A file that can be deleted.
#[derive(Debug)]
pub struct Removal {
    target: Target,
    path: PathBuf,
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
        })
    }

    /// Deletes it.
    pub fn commit(self) -> Result<(), Error> {
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

    fn look_like(&self, like: &Metadata) -> io::Result<()> {
        let own = self.file.metadata()?;
        if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
            // Only root may give files away; for others the file becomes theirs, as with any
            // editor that renames.
            let _ = fchown(&self.file, Some(like.uid()), Some(like.gid()));
        }
        // Without set-user-id and its kin, which the kernel also takes from a file that is written.
        let mode = like.mode() & 0o777;
        self.file.set_permissions(Permissions::from_mode(mode))
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
