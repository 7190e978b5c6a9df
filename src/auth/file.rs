//! The credential file of the official client: found, read, and rewritten without losing a field.
//!
//! The file is shared with other programs. So what we do not know stays in it, a new version is
//! written beside it, synced and renamed (a reader never sees half of one), and whoever spends the
//! refresh token holds both of the official client's locks from before the request until the
//! answer is in the file. Reading takes no lock.

mod makeshift;

use crate::auth::Error;
use crate::auth::Token;
use crate::auth::account;
use crate::auth::file::makeshift::Makeshift;
use crate::auth::jwt::Claims;
use crate::auth::refresh::Fresh;
use crate::base::date;
use crate::base::random;
use crate::base::secret::Secret;
use crate::sys::file::NO_WAIT;
use serde_json::Value;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

/// Real files have some 5 KB. A larger one is something else that was named by mistake.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the name of a replacement begins with.
const BESIDE: &str = ".auth-";

/// What the name of a lock ends with where the file system has none.
const MAKESHIFT: &str = ".renewing.lock";

/// What is said of a file without content.
const EMPTY: &str = "is empty";

/// What is said of a file with half its content, and of one with something else.
const NOT_JSON: &str = "is not valid JSON";

/// Where a credential file may be.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// CODEX_CREDENTIALS_FILE; where it is set no other place is looked at.
    pub credentials_file: Option<PathBuf>,
    /// Our own settings folder.
    pub config_dir: Option<PathBuf>,
    /// CODEX_ACCOUNT; where it is set only the login of that name is looked at.
    pub account: Option<account::Name>,
    /// CODEX_HOME.
    pub codex_home: Option<PathBuf>,
    /// The home directory.
    pub home: Option<PathBuf>,
}

impl Places {
    /// The places in the order in which they are looked at.
    pub fn paths(&self) -> Vec<PathBuf> {
        if let Some(file) = &self.credentials_file {
            return vec![file.clone()];
        }
        let official = self.official().filter(|_| self.account.is_none());
        self.own().into_iter().chain(official).collect()
    }

    /// The place of our own: the only one that a login is written to.
    pub fn own(&self) -> Option<PathBuf> {
        let dir = self.config_dir.as_ref()?;
        Some(account::path(dir, self.account.as_ref()))
    }

    /// The official client's own file.
    pub fn official(&self) -> Option<PathBuf> {
        let home = || self.home.as_ref().map(|home| home.join(".codex"));
        Some(self.codex_home.clone().or_else(home)?.join("auth.json"))
    }

    /// The first place that holds something, readable or not.
    pub fn find(&self) -> Result<PathBuf, Error> {
        let tried = self.paths();
        let is_there = |path: &&PathBuf| match fs::metadata(path) {
            Ok(_) => true,
            // What cannot be looked at is an answer too: reading it says why.
            Err(error) => !is_absent(&error),
        };
        if let Some(path) = tried.iter().find(is_there) {
            return Ok(path.clone());
        }
        match (&self.account, tried.first().and_then(|path| path.parent())) {
            (Some(name), Some(folder)) if self.credentials_file.is_none() => {
                Err(Error::NoAccount {
                    name: name.as_str().to_string(),
                    known: account::known(folder),
                })
            }
            _ => Err(Error::NotFound { tried }),
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// What a credential file holds.
#[derive(Clone)]
pub struct Credential {
    /// What goes into requests.
    pub token: Token,
    /// What renews it; `None` in files that are for one token's life only.
    pub refresh: Option<Secret>,
    /// The client that it was issued to, where the file says so.
    pub client_id: Option<String>,
    /// Unix seconds at which it was renewed last.
    pub last_refresh: Option<u64>,
    /// The whole file, for a rewrite.
    document: Value,
}

/// The document holds every secret in the clear, so it is left out.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Credential");
        fields.field("token", &self.token);
        fields.field("refresh", &self.refresh);
        fields.finish_non_exhaustive()
    }
}

impl Credential {
    /// Every secret of the file that could be shown or stored by mistake.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.token.access).chain(&self.refresh)
    }

    /// Reads a credential file.
    pub fn read(path: &Path) -> Result<Credential, Error> {
        Credential::parse(path, &read_bounded(path)?)
    }

    /// Reads the content of a credential file; `path` is for messages.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Credential, Error> {
        let malformed = |why: String| malformed(path, &why);
        // Editors of Windows leave a byte order mark.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if bytes.trim_ascii().is_empty() {
            return Err(malformed(EMPTY.into()));
        }
        // A syntax error of serde_json names a place, never a value.
        let document: Value = serde_json::from_slice(bytes)
            .map_err(|error| malformed(format!("{NOT_JSON}: {error}")))?;
        if !document.is_object() {
            return Err(malformed("is not a JSON object".into()));
        }
        let tokens = &document["tokens"];
        if !tokens.is_object() {
            return Err(without_tokens(path, &document));
        }
        let Some(access) = text(&tokens["access_token"]) else {
            return Err(malformed("has no tokens.access_token".into()));
        };
        let own_account = text(&tokens["account_id"]);
        let sent = [
            ("access_token", Some(&access)),
            ("account_id", own_account.as_ref()),
        ];
        for (name, text) in sent {
            if !text.is_none_or(|text| fits_a_field(text)) {
                let why = format!("tokens.{name} holds a blank or a character that none has");
                return Err(malformed(why));
            }
        }
        let id_claims = Claims::read(tokens["id_token"].as_str().unwrap_or_default());
        let claims = Claims::read(&access);
        let claimed_account = id_claims.account_id.or(claims.account_id);
        let token = Token {
            // The file's own word counts: it is what the person chose at login.
            account_id: own_account.or(claimed_account.filter(|text| fits_a_field(text))),
            email: id_claims.email.or(claims.email),
            plan: id_claims.plan.or(claims.plan),
            // A token that says nothing of its end may have it said beside it.
            expires_at: claims.expires_at.or(tokens["expires_at"].as_u64()),
            is_fedramp: id_claims.is_fedramp.or(claims.is_fedramp).unwrap_or(false),
            source: path.display().to_string(),
            access: Secret::new(access),
        };
        Ok(Credential {
            token,
            refresh: text(&tokens["refresh_token"]).map(Secret::new),
            client_id: text(&tokens["oauth_provenance"]["client_id"]),
            last_refresh: document["last_refresh"]
                .as_str()
                .and_then(date::parse_rfc3339),
            document,
        })
    }

    /// The same credential with what the issuer renewed. What it did not send stays as it was, and
    /// so does the account, as the official client has it.
    pub fn renewed(&self, path: &Path, fresh: &Fresh, now: u64) -> Result<Credential, Error> {
        let mut document = self.document.clone();
        let parts = [
            ("access_token", &fresh.access),
            ("id_token", &fresh.id),
            ("refresh_token", &fresh.refresh),
        ];
        for (name, part) in parts {
            if let Some(part) = part {
                document["tokens"][name] = Value::from(part.expose());
            }
        }
        if let Some(access) = &fresh.access {
            let says_it_itself = Claims::read(access.expose()).expires_at.is_some();
            let stated = fresh.expires_in.filter(|_| !says_it_itself);
            let stated = stated.map(|left| now.saturating_add(left));
            if let Some(tokens) = document["tokens"].as_object_mut() {
                tokens.remove("expires_at");
                tokens.extend(stated.map(|at| ("expires_at".to_string(), Value::from(at))));
            }
        }
        document["last_refresh"] = Value::from(date::rfc3339(now));
        Credential::parse(path, document.to_string().as_bytes())
    }

    /// The content of the file.
    pub fn text(&self) -> String {
        format!("{:#}\n", self.document)
    }
}

/// Whether the file may be in the middle of being written in place, as the official client does.
pub fn is_torn(error: &Error) -> bool {
    let Error::Malformed { why, .. } = error else {
        return false;
    };
    why == EMPTY || why.starts_with(NOT_JSON)
}

/// Why a file without a `tokens` object is of no use here.
fn without_tokens(path: &Path, document: &Value) -> Error {
    let path = path.to_path_buf();
    if text(&document["OPENAI_API_KEY"]).is_some() {
        return Error::ApiKey { path };
    }
    let kinds = ["personal_access_token", "agent_identity", "bedrock_api_key"];
    let kind = kinds.into_iter().find(|kind| !document[*kind].is_null());
    let why = match kind {
        Some(kind) => format!("holds a {kind}, but codex needs a ChatGPT login"),
        None => "has no `tokens` object: it is not a login of the official client".to_string(),
    };
    Error::Malformed { path, why }
}

/// A string that is not empty.
fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_string())
}

/// Whether a text can be sent as it is in a header field.
fn fits_a_field(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

pub(super) fn read_bounded(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| match is_absent(&source) {
        true => Error::NotFound {
            tried: vec![path.to_path_buf()],
        },
        false => Error::Io {
            path: path.to_path_buf(),
            action: "read",
            source,
        },
    };
    // A pipe or a terminal would make us wait for whoever writes to it.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(malformed(path, "is not a regular file"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(failed)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(malformed(path, "is over 1 MiB, so it is no login"));
    }
    Ok(bytes)
}

fn malformed(path: &Path, why: &str) -> Error {
    Error::Malformed {
        path: path.to_path_buf(),
        why: why.to_string(),
    }
}

/// What came of a try to take the locks of a credential file.
#[derive(Debug)]
pub enum Taken {
    /// They are ours until this is dropped.
    Locks(Locks),
    /// Another process holds one of them.
    Busy,
    /// The file system has no locks, as some that are shared over a network.
    Unsupported,
}

/// The locks of a credential file; they are let go when this is dropped.
#[derive(Debug)]
pub struct Locks {
    _held: Vec<File>,
    makeshift: Option<Makeshift>,
}

impl Locks {
    /// Takes `auth.lock` and then `FILE.lock` beside the file, in the official client's order.
    /// Where they cannot be made, since the disk is full or read-only, the file itself is locked.
    /// Where the file system has none, a file of ours is one among our own processes. Never waits.
    pub fn try_take(target: &Path) -> Result<Taken, Error> {
        Locks::try_take_by(target, File::try_lock)
    }

    /// Whether they are for our own processes alone.
    pub fn is_makeshift(&self) -> bool {
        self.makeshift.is_some()
    }

    fn try_take_by(
        target: &Path,
        try_lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Taken, Error> {
        let mut held = Vec::new();
        for path in [target.with_file_name("auth.lock"), beside(target, ".lock")] {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600);
            options.custom_flags(NO_WAIT);
            let file = match options.open(&path) {
                Ok(file) => file,
                Err(error) if is_unwritable(&error) => File::open(target).map_err(|source| {
                    let path = target.to_path_buf();
                    let action = "lock";
                    Error::Io {
                        path,
                        action,
                        source,
                    }
                })?,
                Err(source) => {
                    let action = "lock";
                    return Err(Error::Io {
                        path,
                        action,
                        source,
                    });
                }
            };
            // flock(2), which `File::try_lock` is on Linux; it ends with the process whatever
            // happens. A second one on the same file by another descriptor would be refused.
            let is_held = held.iter().any(|other| is_same(other, &file));
            match try_lock(&file) {
                Ok(()) => held.push(file),
                Err(TryLockError::WouldBlock) if is_held => {}
                Err(TryLockError::WouldBlock) => return Ok(Taken::Busy),
                Err(TryLockError::Error(_)) => {
                    return Ok(match makeshift::try_take(&beside(target, MAKESHIFT)) {
                        makeshift::Taken::Lock(lock) => Taken::Locks(Locks {
                            _held: held,
                            makeshift: Some(lock),
                        }),
                        makeshift::Taken::Busy => Taken::Busy,
                        makeshift::Taken::Unsupported => Taken::Unsupported,
                    });
                }
            }
        }
        Ok(Taken::Locks(Locks {
            _held: held,
            makeshift: None,
        }))
    }
}

/// Whether two descriptors are of one file.
fn is_same(one: &File, other: &File) -> bool {
    let place = |file: &File| Some((file.metadata().ok()?.dev(), file.metadata().ok()?.ino()));
    place(one).is_some() && place(one) == place(other)
}

/// The name of the file with an ending more.
pub(super) fn beside(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_os_string();
    name.push(ending);
    target.with_file_name(name)
}

/// Whether the disk takes nothing new, whoever writes.
pub(super) fn is_unwritable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
    )
}

/// Writes a credential file of ours, whether there is one or not, with the folders above it.
pub fn write_new(path: &Path, content: &str) -> Result<(), Error> {
    let failed = |source| Error::Io {
        path: path.to_path_buf(),
        action: "write",
        source,
    };
    if let Some(folder) = path.parent() {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(folder).map_err(failed)?;
    }
    Replacement::create(path)?.commit(content)
}

/// A file beside the credential file that will take its place, or is removed.
///
/// It is made before the refresh token is spent: where it cannot be made, nothing is lost yet.
#[derive(Debug)]
pub struct Replacement {
    file: File,
    path: PathBuf,
    target: PathBuf,
}

impl Replacement {
    /// Makes the file, empty and for the owner alone. `target` is no symbolic link.
    pub fn create(target: &Path) -> Result<Replacement, Error> {
        let failed = |source| Error::Io {
            path: target.to_path_buf(),
            action: "write beside",
            source,
        };
        let suffix = random::bytes::<8>().map_err(|error| failed(io::Error::other(error)))?;
        let name = format!("{BESIDE}{:016x}", u64::from_le_bytes(suffix));
        let path = target.with_file_name(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = options.open(&path).map_err(failed)?;
        // Says that it is in use; where there are no locks nobody looks.
        let _ = file.try_lock();
        Ok(Replacement {
            file,
            path,
            target: target.to_path_buf(),
        })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `text`, syncs it to the disk and puts the file in the place of the old one. A file
    /// that is mounted by itself, as into a container, has a place that nothing can be put into:
    /// that one is written in place.
    pub fn commit(self, text: &str) -> Result<(), Error> {
        self.commit_by(text, |from, to| fs::rename(from, to))
    }

    fn commit_by(
        mut self,
        text: &str,
        rename: impl Fn(&Path, &Path) -> io::Result<()>,
    ) -> Result<(), Error> {
        let replaced =
            self.write_beside(text)
                .and_then(|()| match rename(&self.path, &self.target) {
                    Err(error) if is_mounted_alone(&error) => write_in_place(&self.target, text),
                    renamed => renamed,
                });
        replaced.map_err(|source| Error::Io {
            path: self.target.clone(),
            action: "rewrite",
            source,
        })?;
        if let Some(folder) = self.target.parent() {
            // The file is in its place; a folder that cannot be synced changes nothing about it.
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }

    fn write_beside(&mut self, text: &str) -> io::Result<()> {
        // A umask may have taken more than it should.
        self.file
            .set_permissions(fs::Permissions::from_mode(0o600))?;
        let new = self.file.metadata()?;
        if let Ok(old) = fs::metadata(&self.target)
            && (old.uid(), old.gid()) != (new.uid(), new.gid())
        {
            // Root must not take a person's login away. Anyone else is refused by the kernel, and
            // then the file is theirs from now on, as it would be with the official client.
            let _ = std::os::unix::fs::fchown(&self.file, Some(old.uid()), Some(old.gid()));
        }
        // Whoever finds it whole can put it into its place as it is.
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // After a commit there is nothing under this name any more.
        let _ = fs::remove_file(&self.path);
    }
}

/// Puts what a killed process wrote beside the file into its place. The locks are held.
pub(super) fn put_into_place(path: &Path, target: &Path) -> io::Result<()> {
    match fs::rename(path, target) {
        Err(error) if is_mounted_alone(&error) => {
            write_in_place(target, &fs::read_to_string(path)?)?;
            fs::remove_file(path)
        }
        renamed => renamed,
    }
}

/// Whether a file of this name is a replacement of ours.
pub(super) fn is_replacement(name: &OsStr) -> bool {
    let digits = name.as_bytes().strip_prefix(BESIDE.as_bytes());
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    digits.is_some_and(|digits| digits.len() == 16 && digits.iter().all(is_digit))
}

/// Whether the process that made a replacement is still there, or that cannot be told.
pub(super) fn is_in_use(path: &Path) -> bool {
    let is_file = fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file());
    !is_file || File::open(path).map_or(true, |file| file.try_lock().is_err())
}

/// Whether a file cannot be renamed to another since that one is a mount point.
fn is_mounted_alone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices
    )
}

/// Overwrites a file that is there; its owner and its rights stay.
fn write_in_place(target: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).truncate(true).open(target)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
