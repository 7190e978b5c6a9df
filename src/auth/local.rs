//! The local source: a credential file on this machine, renewed in place and shared politely.
//!
//! One refresh token is spent once, by whoever holds the locks through the network call. Everyone
//! else reads the file again and takes what is there, if it still belongs to the same account. A
//! refresh that nobody could keep is not made: first the locks and the new file, then the request.

use crate::auth::Error;
use crate::auth::Fetch;
use crate::auth::Token;
use crate::auth::Why;
use crate::auth::file::Credential;
use crate::auth::file::Locks;
use crate::auth::file::Places;
use crate::auth::file::Replacement;
use crate::auth::identity::Identity;
use crate::auth::refresh;
use crate::auth::refresh::Failure;
use crate::base::clock;
use crate::base::clock::Deadline;
use crate::base::secret::Secret;
use crate::http::url::Url;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// A sibling holds the locks through one network call; after this it hangs, and we say so.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(60);

/// Between two tries to take the locks: short beside a network call, long beside a system call.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// What the source needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the file may be.
    pub places: Places,
    /// Who renews the login.
    pub issuer: Url,
    /// CODEX_CLIENT_ID, for files that do not name the client they were issued to.
    pub client_id: Option<String>,
    /// Who we say we are.
    pub identity: Identity,
}

/// A credential file and what is known of it.
#[derive(Debug)]
pub struct Store {
    options: Options,
    /// Where the file was found, and what it held when it was last read or written.
    held: Option<(PathBuf, Credential)>,
    /// A refresh token that the issuer will never take again, and what it said about it.
    spent: Option<(Secret, String)>,
    /// The bearer of a file that could not be rewritten: what we hold is newer.
    outdated: Option<Secret>,
    warning: Option<String>,
}

impl Store {
    /// Nothing is read yet.
    pub fn new(options: Options) -> Store {
        Store {
            options,
            held: None,
            spent: None,
            outdated: None,
            warning: None,
        }
    }

    /// Finds and reads the file. Never asks the issuer, so the token may have expired.
    pub fn load(&mut self) -> Result<Token, Error> {
        let path = self.options.places.find()?;
        let credential = Credential::read(&path)?;
        let token = credential.token.clone();
        self.held = Some((path, credential));
        Ok(token)
    }

    /// A token that the service should accept; blocks while `fetch` does.
    ///
    /// Before a request ([`Why::Proactive`]) it is the one we hold unless that is about to expire;
    /// what goes wrong with a renewal then is a warning while the old token lives. After a refusal
    /// ([`Why::Unauthorized`]) it is the one that another process wrote in the meantime, else a
    /// new one.
    pub fn fresh(&mut self, why: Why, fetch: &mut dyn Fetch) -> Result<Token, Error> {
        if self.held.is_none() {
            self.load()?;
        }
        let Some((path, held)) = &self.held else {
            return Err(Error::NotFound {
                tried: self.options.places.paths(),
            });
        };
        let now = clock::unix_seconds();
        if why == Why::Proactive && !refresh::is_due(held, now) {
            return Ok(held.token.clone());
        }
        let (path, old) = (path.clone(), held.token.clone());
        let error = match self.renew(&path, &old, why, fetch) {
            Err(error) if why == Why::Proactive => error,
            outcome => return outcome,
        };
        // It may have become a sibling's in the meantime.
        let held = self.held.as_ref().map(|(_, held)| held.token.clone());
        let is_alive = |token: &Token| token.expires_at.is_none_or(|at| at > now);
        let Some(token) = held.filter(is_alive) else {
            return Err(error);
        };
        self.warning = Some(error.to_string());
        Ok(token)
    }

    /// The secrets that it holds now: none of them may be shown or stored elsewhere.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let held = self.held.iter();
        held.flat_map(|(_, credential)| credential.secrets())
    }

    /// Something that went wrong and did not matter yet; said once.
    pub fn take_warning(&mut self) -> Option<String> {
        self.warning.take()
    }

    /// Takes what another process renewed, else renews it.
    fn renew(
        &mut self,
        path: &Path,
        old: &Token,
        why: Why,
        fetch: &mut dyn Fetch,
    ) -> Result<Token, Error> {
        if let Some(token) = self.adopt(path, old, why)? {
            return Ok(token);
        }
        if self.refresh_token(path)?.is_none() {
            let path = path.to_path_buf();
            return Err(Error::Expired { path });
        }
        // Locks and new file lie beside the file itself, not beside a link to it.
        let target = fs::canonicalize(path).map_err(|source| Error::Io {
            path: path.to_path_buf(),
            action: "find",
            source,
        })?;
        let _locks = take_locks(&target, fetch)?;
        if let Some(token) = self.adopt(path, old, why)? {
            return Ok(token);
        }
        self.spend(path, &target, old, why, fetch)
    }

    /// Reads the file again: its token, if that is another one than `old` and of use.
    fn adopt(&mut self, path: &Path, old: &Token, why: Why) -> Result<Option<Token>, Error> {
        let credential = Credential::read(path)?;
        if credential.token.account_id != old.account_id {
            let path = path.to_path_buf();
            return Err(Error::OtherAccount { path });
        }
        if self.outdated.as_ref() == Some(&credential.token.access) {
            return Ok(None);
        }
        let now = clock::unix_seconds();
        let is_stale = match why {
            Why::Proactive => refresh::is_due(&credential, now),
            Why::Unauthorized => credential.token.expires_at.is_some_and(|at| at <= now),
        };
        let is_new = credential.token.access != old.access;
        let token = credential.token.clone();
        self.held = Some((path.to_path_buf(), credential));
        Ok((is_new && !is_stale).then_some(token))
    }

    /// What the file is renewed with, unless the issuer has refused it for good already.
    fn refresh_token(&self, path: &Path) -> Result<Option<Secret>, Error> {
        let held = self.held.as_ref();
        let token = held.and_then(|(_, credential)| credential.refresh.clone());
        match &self.spent {
            Some((spent, detail)) if token.as_ref() == Some(spent) => Err(Error::Permanent {
                path: path.to_path_buf(),
                detail: detail.clone(),
            }),
            _ => Ok(token),
        }
    }

    /// Spends the refresh token and keeps the answer. The locks are held.
    fn spend(
        &mut self,
        path: &Path,
        target: &Path,
        old: &Token,
        why: Why,
        fetch: &mut dyn Fetch,
    ) -> Result<Token, Error> {
        let (Some(secret), Some((_, held))) = (self.refresh_token(path)?, self.held.clone()) else {
            let path = path.to_path_buf();
            return Err(Error::Expired { path });
        };
        let Options {
            issuer, identity, ..
        } = &self.options;
        let client_id = held.client_id.as_ref().or(self.options.client_id.as_ref());
        let client_id = client_id.map_or(refresh::CLIENT_ID, String::as_str);
        let request = refresh::request(issuer, client_id, &secret, why, identity)?;
        let replacement = Replacement::create(target)?;
        let (status, _, body) = fetch
            .fetch(request)
            .map_err(|unreachable| Error::Transient {
                detail: format!("{}: {unreachable}", issuer.authority()),
            })?;
        // An issuer that quotes what it was sent must not make us print it.
        let body = match status {
            200..300 => body,
            _ => String::from_utf8_lossy(&body)
                .replace(secret.expose(), "[secret]")
                .into_bytes(),
        };
        match refresh::outcome(status, &body) {
            Ok(fresh) => {
                let renewed = held.renewed(path, &fresh, clock::unix_seconds())?;
                Ok(self.keep(path, held, renewed, replacement))
            }
            Err(Failure::Transient(detail)) => Err(Error::Transient { detail }),
            Err(Failure::Permanent(detail)) => {
                // A program that takes no locks may have been faster than we.
                if let Ok(Some(token)) = self.adopt(path, old, why) {
                    return Ok(token);
                }
                self.spent = Some((secret, detail.clone()));
                let path = path.to_path_buf();
                Err(Error::Permanent { path, detail })
            }
        }
    }

    /// Writes what was renewed and holds it, written or not.
    fn keep(
        &mut self,
        path: &Path,
        old: Credential,
        renewed: Credential,
        replacement: Replacement,
    ) -> Token {
        let in_file = self.outdated.take().unwrap_or(old.token.access);
        if let Err(error) = replacement.commit(&renewed.text()) {
            // This run goes on with what it got; the next one must log in again.
            self.warning = Some(format!("{error}; the renewed login is not saved"));
            self.outdated = Some(in_file);
        }
        let token = renewed.token.clone();
        self.held = Some((path.to_path_buf(), renewed));
        token
    }
}

/// Takes both locks, waiting for whoever holds them.
fn take_locks(target: &Path, fetch: &mut dyn Fetch) -> Result<Locks, Error> {
    let deadline = Deadline::after(LOCK_WAIT_MAX, "the wait for another process' refresh");
    loop {
        if let Some(locks) = Locks::try_take(target)? {
            return Ok(locks);
        }
        if deadline.is_over() {
            let detail = format!(
                "another process has held the lock of {} for {} s",
                target.display(),
                LOCK_WAIT_MAX.as_secs()
            );
            return Err(Error::Transient { detail });
        }
        let pause = Deadline::after(LOCK_PAUSE, deadline.limit()).sooner(deadline);
        fetch.pause(pause).map_err(|unreachable| Error::Transient {
            detail: unreachable.to_string(),
        })?;
    }
}

/// Who pays, for the first line: `you@example.org (plus)`.
pub fn describe(token: &Token) -> String {
    let who = token.email.as_deref().or(token.account_id.as_deref());
    let who = who.unwrap_or("unknown account");
    match &token.plan {
        Some(plan) => format!("{who} ({plan})"),
        None => who.to_string(),
    }
}

#[cfg(test)]
mod tests;
