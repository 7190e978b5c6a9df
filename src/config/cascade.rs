//! Reads the sources in their order and lets the later win; decides how far a file is trusted.
//!
//! A settings file that came with a cloned repository must neither send a key to a stranger nor
//! switch a guard off. So sensitive is the default: of a file that is not trusted only harmless
//! keys count, and of those that guard something only the tightest value.

use super::FILE_NAME;
use super::Found;
use super::Looked;
use super::Origin;
use super::Setting;
use super::Settings;
use super::Sources;
use super::Tier;
use super::error::Error;
use super::error::Warning;
use super::file;
use super::file::Content;
use super::keys;
use super::keys::Harmless;
use super::keys::Key;
use super::table::KEYS;
use crate::sys::file::open_regular;
use crate::sys::user;
use std::io;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

/// A settings file is a page of text. A megabyte leaves room for any comment, and a link to
/// something endless does not fill the memory.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// More than a person reads of one file. A stranger's may have a wrong line for every byte.
const WARNINGS_MAX: usize = 20;

/// Write permission for the group or for everybody.
const MODE_WRITABLE_BY_OTHERS: u32 = 0o022;

pub(super) fn load(sources: &Sources<'_>) -> Result<(Settings, Vec<Warning>), Error> {
    let mut cascade = Cascade {
        table: KEYS.iter().map(unset).collect(),
        files: Vec::new(),
        warnings: Vec::new(),
        room: 0,
        unsaid: 0,
        user_file: sources.user_dir.as_ref().map(|dir| dir.join(FILE_NAME)),
    };
    for (path, tier) in candidates(sources) {
        let is_trusted = match tier {
            Tier::Global => is_ours(&path, sources.project_root.as_deref()),
            Tier::User => true,
            Tier::Project => false,
        };
        cascade.file(path, tier, is_trusted)?;
    }
    for key in KEYS {
        if let Some(value) = (sources.environment)(key.name).filter(|value| !value.is_empty()) {
            cascade.set(key, &value, Origin::Environment)?;
        }
    }
    for (name, value) in sources.overrides {
        let key = keys::find(name).ok_or_else(|| Error::UnknownKey {
            key: name.clone(),
            nearest: keys::nearest(name),
        })?;
        cascade.set(key, value, Origin::CommandLine)?;
    }
    let settings = Settings {
        table: cascade.table,
        files: cascade.files,
        home: sources.home.clone(),
    };
    Ok((settings, cascade.warnings))
}

fn unset(key: &'static Key) -> Setting {
    Setting {
        key,
        value: key.default.to_string(),
        origin: Origin::Default,
    }
}

/// The files to look for, each once: a directory that is both the user's and the project's is the
/// user's, and the binary's own directory within a project is the project's.
fn candidates(sources: &Sources<'_>) -> Vec<(PathBuf, Tier)> {
    let by_authority = [
        (&sources.user_dir, Tier::User),
        (&sources.project_root, Tier::Project),
        (&sources.global_dir, Tier::Global),
    ];
    let mut seen = Vec::new();
    let mut files = Vec::new();
    for (dir, tier) in by_authority {
        let Some(dir) = dir else { continue };
        let real = dir.canonicalize().unwrap_or_else(|_| dir.clone());
        if !seen.contains(&real) {
            seen.push(real);
            files.push((dir.join(FILE_NAME), tier));
        }
    }
    files.sort_by_key(|(_, tier)| *tier);
    files
}

/// The key of a line that is none, if to leave it out would open what it was meant to shut.
fn meant_to_guard(text: &str) -> Option<&'static Key> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = text.split(|c| !is_word(c)).next().unwrap_or_default();
    keys::find(name).filter(|key| key.name.ends_with("_PROXY") || key.name == "OFFLINE")
}

/// Whether only root or this user can have written the file beside the binary, and it did not
/// come with the project.
fn is_ours(path: &Path, project_root: Option<&Path>) -> bool {
    let Ok(real) = path.canonicalize() else {
        return false;
    };
    let root = project_root.and_then(|root| root.canonicalize().ok());
    if root.is_some_and(|root| real.starts_with(root)) {
        return false;
    }
    real.metadata().is_ok_and(|meta| {
        (meta.uid() == 0 || meta.uid() == user::id()) && meta.mode() & MODE_WRITABLE_BY_OTHERS == 0
    })
}

/// The table while it is filled.
struct Cascade {
    table: Vec<Setting>,
    files: Vec<Looked>,
    warnings: Vec<Warning>,
    /// How many more warnings of this file are kept.
    room: usize,
    /// How many were not.
    unsaid: usize,
    user_file: Option<PathBuf>,
}

impl Cascade {
    fn file(&mut self, path: PathBuf, tier: Tier, is_trusted: bool) -> Result<(), Error> {
        let found = match read(&path, is_trusted) {
            Ok(Some(bytes)) => {
                (self.room, self.unsaid) = (WARNINGS_MAX, 0);
                self.lines(&bytes, &path, tier, is_trusted)?;
                if self.unsaid > 0 {
                    let count = self.unsaid;
                    let path = path.clone();
                    self.warnings.push(Warning::More { path, count });
                }
                Found::Read
            }
            Ok(None) => Found::Absent,
            Err(source) => {
                self.warnings.push(Warning::Unreadable {
                    path: path.clone(),
                    source,
                });
                Found::Unreadable
            }
        };
        self.files.push(Looked {
            path,
            tier,
            found,
            is_trusted,
        });
        Ok(())
    }

    fn lines(
        &mut self,
        bytes: &[u8],
        path: &Path,
        tier: Tier,
        is_trusted: bool,
    ) -> Result<(), Error> {
        for line in file::parse(bytes) {
            let number = line.number;
            let path = path.to_path_buf();
            let (name, value) = match line.content {
                Content::Pair { key, value } => (key, value),
                Content::Bad(text) => {
                    if let Some(key) = meant_to_guard(&text)
                        && is_trusted
                    {
                        let line = number;
                        return Err(Error::BadLine { path, line, key });
                    }
                    self.warn(Warning::BadLine {
                        path,
                        line: number,
                        text,
                    });
                    continue;
                }
            };
            let Some(key) = keys::find(name) else {
                self.warn(Warning::UnknownKey {
                    path,
                    line: number,
                    key: name.to_string(),
                });
                continue;
            };
            if !is_trusted && !is_harmless(key, value) {
                let user_file = self.user_file.clone();
                self.warn(Warning::Untrusted {
                    path,
                    line: number,
                    key,
                    user_file,
                });
                continue;
            }
            self.warn_if_repeated(key, &path, number);
            self.set(
                key,
                value,
                Origin::File {
                    path,
                    line: number,
                    tier,
                },
            )?;
        }
        Ok(())
    }

    fn warn(&mut self, warning: Warning) {
        if self.room > 0 {
            self.room -= 1;
            self.warnings.push(warning);
        } else {
            self.unsaid += 1;
        }
    }

    fn warn_if_repeated(&mut self, key: &'static Key, path: &Path, line: u32) {
        let before = self
            .table
            .iter()
            .find(|setting| std::ptr::eq(setting.key, key));
        if let Some(Origin::File {
            path: same,
            line: earlier,
            ..
        }) = before.map(|s| &s.origin)
            && same == path
        {
            let earlier = *earlier;
            self.warn(Warning::Repeated {
                path: path.into(),
                line,
                earlier,
                key,
            });
        }
    }

    fn set(&mut self, key: &'static Key, value: &str, origin: Origin) -> Result<(), Error> {
        let Some(accepted) = key.accept(value) else {
            return Err(Error::WrongValue {
                origin,
                key,
                value: value.to_string(),
            });
        };
        for setting in &mut self.table {
            if std::ptr::eq(setting.key, key) {
                setting.value = accepted;
                setting.origin = origin;
                break;
            }
        }
        Ok(())
    }
}

/// Whether a stranger may set this. An empty value is the default, which may be looser than what
/// the user chose.
fn is_harmless(key: &Key, value: &str) -> bool {
    match key.harmless {
        Harmless::Never => false,
        Harmless::Only(tightest) => {
            !value.is_empty() && key.accept(value).as_deref() == Some(tightest)
        }
        Harmless::Except(costly) => key.accept(value).as_deref() != Some(costly),
        Harmless::Always => true,
    }
}

/// The bytes of a file, or `None` where there is none.
fn read(path: &Path, is_trusted: bool) -> io::Result<Option<Vec<u8>>> {
    let file = match open_regular(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    if !is_trusted && leads_away(path)? {
        let what = "it is a link out of its folder, and not trusted";
        return Err(io::Error::other(what));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!(
            "it is larger than {FILE_BYTES_MAX} bytes"
        )));
    }
    Ok(Some(bytes))
}

/// Whether a link leads out of the folder of `path`. A stranger's link to a key file would have us
/// print its lines as wrong settings, where a log may be public.
pub fn leads_away(path: &Path) -> io::Result<bool> {
    let folder = path.parent().unwrap_or(path).canonicalize()?;
    Ok(!path.canonicalize()?.starts_with(folder))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
