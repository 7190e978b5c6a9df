//! The files that calls name: where they are, whether they are files at all, and their bytes.
//!
//! A file is read only if it is a regular one, which is asked of the open file, not of its name, so
//! that no FIFO, terminal or endless device can hold a call up. `replace` writes.
//!
//! What may be touched at all is the sandbox's business. Only one thing is refused here: to write
//! where a path looks as if it lay in the working directory and leads out of it by a symbolic link.

use crate::base::text;
use crate::sys::file;
use crate::sys::file::NO_WAIT;
use crate::tools::encoding::Encoding;
use crate::tools::name;
use std::fmt;
use std::fs;
use std::fs::File;
use std::fs::Metadata;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

/// The largest file that is taken into memory to be changed. Sources are far below it, and a file
/// of that many empty lines still fits a small machine when it is cut into lines.
pub const WHOLE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Names that are looked at for one that was mistyped.
const NEIGHBOURS_MAX: usize = 1_000;

/// Why a file could not be read or written.
#[derive(Debug)]
pub enum Error {
    /// The system said no.
    Io {
        /// The file as the call named it.
        name: String,
        /// What was tried: `read`, `written`, `deleted`.
        action: &'static str,
        /// A file beside it with almost that name.
        near: Option<String>,
        /// Why.
        source: io::Error,
    },
    /// It is not a regular file.
    Kind {
        /// The file as the call named it.
        name: String,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// It is larger than `bytes_max`.
    Large {
        /// The file as the call named it.
        name: String,
        /// How large it is.
        bytes: u64,
        /// How large it may be.
        bytes_max: u64,
    },
    /// It lies elsewhere than its name says, outside the working directory.
    Outside {
        /// The file as the call named it.
        name: String,
        /// Where it lies.
        target: PathBuf,
    },
    /// It is a symbolic link that leads nowhere.
    Dangling {
        /// The file as the call named it.
        name: String,
        /// Where the link says it is.
        target: PathBuf,
    },
    /// The working directory is gone, or cannot be entered.
    WorkingDirectory {
        /// What it was.
        cwd: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It begins as UTF-16 does, and is none.
    Encoding {
        /// The file as the call named it.
        name: String,
    },
    /// Somebody else changed it between a look and a write.
    Changed {
        /// The file as the call named it.
        name: String,
    },
    /// It begins with a `~`, which only shells know, and no directory has that name.
    Home {
        /// The path as the call named it.
        name: String,
    },
    /// The path cannot name a file.
    Name {
        /// The path as the call named it.
        name: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io {
                name,
                action,
                near,
                source,
            } => {
                write!(f, "{name} cannot be {action}: {}", reason(source))?;
                match near {
                    Some(near) => write!(f, "; did you mean {near}?"),
                    None => Ok(()),
                }
            }
            Error::Kind {
                name,
                kind: "a directory",
            } => write!(
                f,
                "{name} is a directory, not a file; look into it with list"
            ),
            Error::Kind { name, kind } => write!(f, "{name} is {kind}, not a regular file"),
            Error::Large {
                name,
                bytes,
                bytes_max,
            } => write!(
                f,
                "{name} has {bytes} bytes, this tool takes at most {bytes_max}; use bash"
            ),
            Error::Outside { name, target } => write!(
                f,
                "{name} leads through a symbolic link to {}, outside the working directory; if you \
                 mean that file, name it so",
                target.display()
            ),
            Error::Dangling { name, target } => write!(
                f,
                "{name} is a symbolic link to {}, which is not there",
                target.display()
            ),
            Error::WorkingDirectory { cwd, source } => write!(
                f,
                "the working directory {} cannot be used: {}",
                cwd.display(),
                reason(source)
            ),
            Error::Encoding { name } => write!(
                f,
                "{name} begins with the mark of UTF-16 but is none; look at it with bash: xxd"
            ),
            Error::Changed { name } => write!(
                f,
                "{name} was changed by something else just now; read it again"
            ),
            Error::Home { name } => write!(
                f,
                "in {name} the ~ is a name like any other here, and there is no such directory; \
                 name the home directory from / on"
            ),
            Error::Name { name } if name.contains('\0') => write!(
                f,
                "the path '{}' has a NUL byte, which no path can have",
                name.replace('\0', "\\0")
            ),
            Error::Name { name } => write!(f, "the path '{name}' does not name a file"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } | Error::WorkingDirectory { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// The system's reason in words that say what can be done.
pub fn reason(error: &io::Error) -> String {
    let words = match error.kind() {
        _ if file::is_link_loop(error) => "it leads through symbolic links that lead to each other",
        io::ErrorKind::InvalidFilename => {
            "its name is too long: 255 bytes between two slashes, 4095 in all"
        }
        io::ErrorKind::NotFound => "there is no such file or directory",
        io::ErrorKind::PermissionDenied => {
            "permission denied, by its mode, its directory's, or the sandbox"
        }
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        io::ErrorKind::StorageFull => "the disk is full",
        io::ErrorKind::QuotaExceeded => "the disk quota is used up",
        io::ErrorKind::NotADirectory => "a part of its path is not a directory",
        io::ErrorKind::ResourceBusy => "it is in use, perhaps as a mount point",
        io::ErrorKind::WouldBlock => "there is nothing to read in it now",
        _ => return error.to_string(),
    };
    words.to_owned()
}

/// A path that a call named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// As the call named it: what answers say.
    pub name: String,
    /// As the system needs it.
    pub path: PathBuf,
    is_inside: bool,
}

impl Target {
    /// The file `name`, which is absolute or relative to `cwd`.
    pub fn new(cwd: &Path, name: &str) -> Result<Target, Error> {
        let path = cwd.join(name::given(name));
        let is_none = name.is_empty() || name.ends_with('/') || name.contains('\0');
        if is_none || path.file_name().is_none() {
            return Err(Error::Name {
                name: name.to_owned(),
            });
        }
        if name.starts_with("~/") && fs::symlink_metadata(cwd.join("~")).is_err() {
            return Err(Error::Home {
                name: name.to_owned(),
            });
        }
        let goes_up = path.components().any(|part| part == Component::ParentDir);
        Ok(Target {
            name: name.to_owned(),
            is_inside: path.starts_with(cwd) && !goes_up,
            path,
        })
    }

    /// Opens it to be read, if it is a regular file. Never waits for a writer or a terminal.
    pub fn open(&self) -> Result<(File, Metadata), Error> {
        let error = |source| self.read_error(source);
        // To open a device can move a tape; to ask the name first spares that, and to ask the open
        // file again closes the gap between the two.
        self.must_be_file(&fs::metadata(&self.path).map_err(error)?)?;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(NO_WAIT)
            .open(&self.path)
            .map_err(error)?;
        let metadata = file.metadata().map_err(error)?;
        self.must_be_file(&metadata)?;
        Ok((file, metadata))
    }

    /// All its bytes, if they are at most `bytes_max`.
    pub fn read(&self, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let (file, metadata) = self.open()?;
        let large = |bytes| Error::Large {
            name: self.name.clone(),
            bytes,
            bytes_max,
        };
        if metadata.len() > bytes_max {
            return Err(large(metadata.len()));
        }
        // It may grow while it is read, and files of the kernel have a length of 0.
        let mut bytes = Vec::new();
        let read = file.take(bytes_max + 1).read_to_end(&mut bytes);
        read.map_err(|source| self.read_error(source))?;
        if bytes.len() as u64 > bytes_max {
            return Err(large(bytes.len() as u64));
        }
        Ok(bytes)
    }

    /// All its text, if it has at most `bytes_max`, and how the file stands for it.
    pub fn read_text(&self, bytes_max: u64) -> Result<(Encoding, Vec<u8>), Error> {
        let bytes = self.read(bytes_max)?;
        let encoding = Encoding::of(&bytes);
        let text = encoding.decode(bytes).ok_or_else(|| Error::Encoding {
            name: self.name.clone(),
        })?;
        Ok((encoding, text))
    }

    /// That it could not be read.
    pub fn read_error(&self, source: io::Error) -> Error {
        if let Some(dangling) = self.dangling(&source) {
            return dangling;
        }
        let near = match source.kind() {
            io::ErrorKind::NotFound => self.nearest_neighbour(),
            _ => None,
        };
        Error::Io {
            name: self.name.clone(),
            action: "read",
            near,
            source,
        }
    }

    fn dangling(&self, source: &io::Error) -> Option<Error> {
        let is_missing = source.kind() == io::ErrorKind::NotFound;
        Some(Error::Dangling {
            target: is_missing.then(|| fs::read_link(&self.path))?.ok()?,
            name: self.name.clone(),
        })
    }

    /// That it could not be `action`: `written`, `deleted`.
    pub fn error(&self, action: &'static str, source: io::Error) -> Error {
        Error::Io {
            name: self.name.clone(),
            action,
            near: None,
            source,
        }
    }

    /// That somebody else changed it.
    pub fn changed(&self) -> Error {
        Error::Changed {
            name: self.name.clone(),
        }
    }

    /// An error unless this is a regular file.
    pub fn must_be_file(&self, metadata: &Metadata) -> Result<(), Error> {
        let kind = metadata.file_type();
        let kind = if kind.is_file() {
            return Ok(());
        } else if kind.is_dir() {
            "a directory"
        } else if kind.is_fifo() {
            "a FIFO"
        } else if kind.is_socket() {
            "a socket"
        } else {
            "a device"
        };
        Err(Error::Kind {
            name: self.name.clone(),
            kind,
        })
    }

    fn nearest_neighbour(&self) -> Option<String> {
        let wanted = self.path.file_name()?.to_str()?;
        let entries = fs::read_dir(self.path.parent()?).ok()?;
        let names: Vec<String> = entries
            .take(NEIGHBOURS_MAX)
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        let near = text::nearest(wanted, names.iter().map(String::as_str))?;
        let near = Path::new(&self.name).with_file_name(near);
        Some(near.display().to_string())
    }

    /// Whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| found.is_symlink())
    }

    /// Where it is itself, without symbolic links above it; its directory need not exist.
    pub fn unfollowed(&self, cwd: &Path) -> Result<PathBuf, Error> {
        let inside = real(cwd)?;
        let error = |source| self.error("found", source);
        let mut existing = self.path.parent().unwrap_or(&self.path);
        while fs::symlink_metadata(existing).is_err()
            && let Some(parent) = existing.parent()
        {
            existing = parent;
        }
        let rest = self.path.strip_prefix(existing).unwrap_or(&self.path);
        if rest.components().any(|part| part == Component::ParentDir) {
            return Err(error(io::ErrorKind::NotFound.into()));
        }
        let path = fs::canonicalize(existing).map_err(error)?.join(rest);
        if self.is_inside && !path.starts_with(inside) {
            return Err(self.outside(path));
        }
        Ok(path)
    }

    /// Where a write to it goes: as `unfollowed`, or where it leads if it is a link itself.
    pub fn followed(&self, cwd: &Path) -> Result<PathBuf, Error> {
        if !self.is_link() {
            return self.unfollowed(cwd);
        }
        let path = fs::canonicalize(&self.path).map_err(|source| {
            let dangling = self.dangling(&source);
            dangling.unwrap_or_else(|| self.error("written", source))
        })?;
        if !path.starts_with(real(cwd)?) {
            return Err(self.outside(path));
        }
        Ok(path)
    }

    fn outside(&self, target: PathBuf) -> Error {
        Error::Outside {
            name: self.name.clone(),
            target,
        }
    }
}

fn real(cwd: &Path) -> Result<PathBuf, Error> {
    fs::canonicalize(cwd).map_err(|source| Error::WorkingDirectory {
        cwd: cwd.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
