//! Writes a session file: whole lines, each in one appending write, synced when a turn ends.
//!
//! A crash leaves at most one torn line, and it is the last. Reading is `load`'s; what to do when a
//! write fails is the caller's (it warns once and goes on in memory).

use crate::base::secret::Secret;
use crate::session::Entry;
use crate::session::Error;
use crate::session::Header;
use crate::session::load;
use crate::session::mask;
use serde::Serialize;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

/// A session file that is being written.
#[derive(Debug)]
pub struct Log {
    file: File,
    path: PathBuf,
    /// The file ends inside a line, so the next one must begin with a line end.
    is_torn: bool,
    secrets: Vec<Secret>,
}

impl Log {
    /// Begins the file of a new session in `dir`, which is made if it is not there.
    ///
    /// What is made is for the owner's eyes alone. A directory that exists is left as it is: it may
    /// be one that others use too.
    pub fn create(dir: &Path, header: &Header) -> Result<Log, Error> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|source| Error::Directory {
            path: dir.to_owned(),
            source,
        })?;
        let path = dir.join(format!("{}.jsonl", header.id));
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|source| write_error(&path, source))?;
        let mut log = Log::of(file, path, false);
        if let Err(error) = log.append_line(header) {
            // A file without a header is of no use to anyone; the first error is the one to tell.
            let _ = fs::remove_file(&log.path);
            return Err(error);
        }
        Ok(log)
    }

    /// Goes on with a file that exists.
    ///
    /// A torn last line is closed first, so that what is appended stays whole. A file that lost its
    /// header gets a new one, so that what is appended is not lost with it.
    pub fn reopen(path: &Path) -> Result<Log, Error> {
        let has_header = load::has_header(path)?;
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(path)
            .map_err(|source| write_error(path, source))?;
        let is_torn = ends_inside_a_line(&file).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut log = Log::of(file, path.to_owned(), is_torn);
        if !has_header {
            log.append_line(&Header::of_nameless(path))?;
        }
        Ok(log)
    }

    fn of(file: File, path: PathBuf, is_torn: bool) -> Log {
        Log {
            file,
            path,
            is_torn,
            secrets: Vec::new(),
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// From now on, `secret` is masked in everything that is appended.
    pub fn keep_out(&mut self, secret: &Secret) {
        if !self.secrets.contains(secret) {
            self.secrets.push(secret.clone());
        }
    }

    /// Appends one entry, with secrets masked.
    pub fn append(&mut self, entry: &Entry) -> Result<(), Error> {
        let mut entry = entry.clone();
        mask::mask_entry(&mut entry, &self.secrets);
        self.append_line(&entry)
    }

    /// Returns when the disk has what was appended. Blocks for as long as the disk takes.
    pub fn sync(&self) -> Result<(), Error> {
        let synced = self.file.sync_data();
        synced.map_err(|source| write_error(&self.path, source))
    }

    fn append_line(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let mut line = Vec::new();
        if self.is_torn {
            line.push(b'\n');
        }
        serde_json::to_writer(&mut line, value)
            .map_err(|error| write_error(&self.path, error.into()))?;
        line.push(b'\n');
        // A full disk may take half a line; the next one then begins with a line end.
        self.is_torn = true;
        // One call, which the kernel appends as one piece wherever there is room for it.
        self.file
            .write_all(&line)
            .map_err(|source| write_error(&self.path, source))?;
        self.is_torn = false;
        Ok(())
    }
}

fn write_error(path: &Path, source: io::Error) -> Error {
    Error::Write {
        path: path.to_owned(),
        source,
    }
}

fn ends_inside_a_line(file: &File) -> io::Result<bool> {
    let Some(last) = file.metadata()?.len().checked_sub(1) else {
        return Ok(false);
    };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_an_error_and_the_next_line_stands_alone() {
        let path = PathBuf::from("/dev/full");
        let full = OpenOptions::new().append(true).open(&path).unwrap();
        let mut log = Log::of(full, path, false);
        let error = log.append_line(&"x").unwrap_err();
        assert!(matches!(error, Error::Write { .. }), "{error}");
        assert!(log.is_torn);
    }
}
