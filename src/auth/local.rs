//! The local source: a credential file on this machine, renewed in place and shared politely.
//!
//! One refresh token is spent once, by whoever holds the locks through the network call. Everyone
//! else reads the file again and takes what is there, if it still belongs to the same account. A
//! brain lets a process of its own do it ([`apart`]), so that nothing that ends the brain ends it
//! between the issuer's answer and the disk.
//!
//! Where the disk is full or read-only the new token serves this run alone. Where there are no
//! locks, a file of ours stands for them, and what programs that do not know it wrote meanwhile is
//! found by reading the file again before it is replaced.

mod whole;

use crate::auth::Error;
use crate::auth::Fetch;
use crate::auth::Source;
use crate::auth::Token;
use crate::auth::Why;
use crate::auth::apart;
use crate::auth::apart::Renewer;
use crate::auth::file::Credential;
use crate::auth::file::Locks;
use crate::auth::file::Places;
use crate::auth::file::Replacement;
use crate::auth::file::Taken;
use crate::auth::file::is_torn;
use crate::auth::file::is_unwritable;
use crate::auth::file::put_into_place;
use crate::auth::gap;
use crate::auth::gap::Earlier;
use crate::auth::gap::Note;
use crate::auth::identity::Identity;
use crate::auth::patience::Patience;
use crate::auth::refresh;
use crate::auth::refresh::Failure;
use crate::auth::refresh::Fresh;
use crate::base::clock;
use crate::base::secret::Secret;
use crate::http::url::Url;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// What the source needs to know.
pub struct Options {
    /// Where the file may be.
    pub places: Places,
    /// Who renews the login.
    pub issuer: Url,
    /// CODEX_CLIENT_ID, for files that do not name the client they were issued to.
    pub client_id: Option<String>,
    /// Who we say we are.
    pub identity: Identity,
    /// The process that renews; `None` in that process itself.
    pub renewer: Option<Renewer>,
}

/// A credential file and what is known of it.
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

    /// Finds and reads the file. Never asks the issuer, so the token may have expired. Nobody can
    /// end the moment that a file being written is waited for.
    pub fn load(&mut self) -> Result<Token, Error> {
        self.load_whole(&mut whole::pause_alone)
    }

    /// Finds and reads the file, with `pause` while somebody writes it in place.
    fn load_whole(&mut self, pause: &mut dyn FnMut() -> Result<(), Error>) -> Result<Token, Error> {
        let path = self.options.places.find()?;
        let credential = whole::read(&path, pause)?;
        let token = credential.token.clone();
        self.held = Some((path, credential));
        Ok(token)
    }

    /// Takes what another process renewed, else renews it.
    fn renew(
        &mut self,
        path: &Path,
        old: &Token,
        why: Why,
        fetch: &mut dyn Fetch,
    ) -> Result<Token, Error> {
        if let Some(token) = self.adopt(path, old, why, fetch)? {
            return Ok(token);
        }
        if self.refresh_token(path)?.is_none() {
            let path = path.to_path_buf();
            return Err(Error::Expired { path });
        }
        if let Some(renewer) = &self.options.renewer {
            let order = apart::Order {
                overrides: renewer.overrides.clone(),
                path: path.to_path_buf(),
                why,
                access: old.access.clone(),
                account_id: old.account_id.clone(),
                outdated: self.outdated.clone(),
                document: self.outdated.as_ref().and(self.held_text()),
            };
            let outcome = renewer.renew(&order, fetch)?;
            return self.take_outcome(path, old, outcome);
        }
        // Locks and new file lie beside the file itself, not beside a link to it.
        let target = fs::canonicalize(path).map_err(|source| Error::Io {
            path: path.to_path_buf(),
            action: "find",
            source,
        })?;
        let _locks = match self.take_locks(path, &target, old, why, fetch)? {
            Wait::Over(locks) => locks,
            Wait::Adopted(token) => return Ok(*token),
        };
        if let Some(token) = self.adopt(path, old, why, fetch)? {
            return Ok(token);
        }
        if self.recover(&target)
            && let Some(token) = self.adopt(path, old, why, fetch)?
        {
            return Ok(token);
        }
        self.spend(path, &target, old, why, fetch)
    }

    /// Puts the login into its place that a killed process renewed and wrote beside the file; what
    /// else such processes left there goes. The locks are held.
    fn recover(&self, target: &Path) -> bool {
        let held = self.held.as_ref().map(|(_, held)| held);
        let held = held.filter(|_| self.outdated.is_none());
        let is_recovered = held.is_some_and(|held| {
            let secret = held.refresh.as_ref();
            let earlier = secret.and_then(|secret| Earlier::find(target, secret));
            let beside = earlier.and_then(|earlier| earlier.successor(target));
            beside.is_some_and(|beside| {
                let is_file = fs::symlink_metadata(&beside).is_ok_and(|facts| facts.is_file());
                let is_successor = |new: &Credential| {
                    let is_another = new.token.access != held.token.access;
                    is_another && !is_of_another(&new.token, &held.token)
                };
                is_file
                    && Credential::read(&beside).is_ok_and(|new| is_successor(&new))
                    && put_into_place(&beside, target).is_ok()
            })
        });
        gap::sweep(target);
        is_recovered
    }

    /// Does in this process what another one ordered: takes what a sibling renewed, else renews.
    pub fn fulfil(
        &mut self,
        order: &apart::Order,
        fetch: &mut dyn Fetch,
    ) -> Result<apart::Outcome, Error> {
        let path = order.path.as_path();
        let held = match &order.document {
            Some(document) => Credential::parse(path, document.as_bytes())?,
            None => whole::read(path, &mut || whole::pause(fetch))?,
        };
        self.held = Some((path.to_path_buf(), held.clone()));
        self.outdated = order.outdated.clone();
        let old = Token {
            access: order.access.clone(),
            account_id: order.account_id.clone(),
            ..held.token
        };
        self.renew(path, &old, order.why, fetch)?;
        Ok(apart::Outcome {
            document: self.held_text().unwrap_or_default(),
            is_saved: self.outdated.is_none(),
            warning: self.warning.take(),
        })
    }

    /// Holds what the process that renews came to.
    fn take_outcome(
        &mut self,
        path: &Path,
        old: &Token,
        outcome: Result<apart::Outcome, Error>,
    ) -> Result<Token, Error> {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                if let Error::Permanent { detail, .. } = &error
                    && let Some(secret) = self.refresh_token(path)?
                {
                    self.spent = Some((secret, detail.clone()));
                }
                return Err(error);
            }
        };
        let credential = Credential::parse(path, outcome.document.as_bytes())?;
        self.outdated = match outcome.is_saved {
            true => None,
            false => Some(self.outdated.take().unwrap_or_else(|| old.access.clone())),
        };
        self.warning = outcome.warning;
        let token = credential.token.clone();
        self.held = Some((path.to_path_buf(), credential));
        Ok(token)
    }

    fn held_text(&self) -> Option<String> {
        self.held.as_ref().map(|(_, held)| held.text())
    }

    /// Reads the file again: its token, if that is another one than `old` and of use.
    fn adopt(
        &mut self,
        path: &Path,
        old: &Token,
        why: Why,
        fetch: &mut dyn Fetch,
    ) -> Result<Option<Token>, Error> {
        let credential = whole::read(path, &mut || whole::pause(fetch))?;
        self.take_over(path, credential, old, why)
    }

    /// Holds what was read, and returns its token, if that is another one than `old` and of use.
    fn take_over(
        &mut self,
        path: &Path,
        credential: Credential,
        old: &Token,
        why: Why,
    ) -> Result<Option<Token>, Error> {
        if is_of_another(&credential.token, old) {
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
        let earlier = Earlier::find(target, &secret);
        if let Some(earlier) = earlier.as_ref().filter(|earlier| earlier.is_refused()) {
            return Err(self.refused(path, secret, earlier.explanation()));
        }
        let replacement = match Replacement::create(target) {
            Err(Error::Io { source, .. }) if is_unwritable(&source) => None,
            replacement => Some(replacement?),
        };
        let beside = replacement.as_ref().map(Replacement::path);
        let note = Note::leave(target, &secret, beside, earlier.as_ref());
        let fetched = fetch.fetch(request, None);
        let (status, _, body) = match fetched {
            Ok(answer) => answer,
            Err(unreachable) => {
                if !unreachable.may_have_arrived {
                    note.put_back(earlier.as_ref());
                }
                return Err(Error::Transient {
                    detail: format!("{}: {unreachable}", issuer.authority()),
                });
            }
        };
        // An issuer that quotes what it was sent must not make us print it.
        let body = match status {
            200..300 => body,
            _ => String::from_utf8_lossy(&body)
                .replace(secret.expose(), "[secret]")
                .into_bytes(),
        };
        match refresh::outcome(status, &body) {
            Ok(fresh) => {
                let kept = self.keep(path, held, &secret, &fresh, replacement);
                note.take_away();
                kept
            }
            Err(Failure::Transient(detail)) => {
                note.put_back(earlier.as_ref());
                Err(Error::Transient { detail })
            }
            Err(Failure::Permanent(detail)) => {
                // A program that takes no locks may have been faster than we.
                if let Ok(Some(token)) = self.adopt(path, old, why, fetch) {
                    note.take_away();
                    return Ok(token);
                }
                note.refuse(earlier.as_ref());
                let detail = earlier.map_or(detail, |earlier| earlier.explanation());
                Err(self.refused(path, secret, detail))
            }
        }
    }

    /// The issuer will never take this refresh token again.
    fn refused(&mut self, path: &Path, secret: Secret, detail: String) -> Error {
        self.spent = Some((secret, detail.clone()));
        let path = path.to_path_buf();
        Error::Permanent { path, detail }
    }

    /// Writes what was renewed and holds it, written or not. Whatever else was written into the
    /// file since we read it stays in it.
    fn keep(
        &mut self,
        path: &Path,
        old: Credential,
        spent: &Secret,
        fresh: &Fresh,
        replacement: Option<Replacement>,
    ) -> Result<Token, Error> {
        let in_file = self.outdated.take();
        let current = Credential::read(path).ok().filter(|_| in_file.is_none());
        let base = match current {
            Some(current) if is_of_another(&current.token, &old.token) => {
                // Someone logged in meanwhile. That is theirs; this run has what it got.
                self.warning = Some(format!(
                    "{} now belongs to another account; the renewed login is not saved",
                    path.display()
                ));
                return self.hold(path, old.renewed(path, fresh, clock::unix_seconds())?, None);
            }
            // A sibling without locks renewed it too: both are good, and one is there already.
            Some(current) if current.refresh.as_ref() != Some(spent) => {
                return self.hold(path, current, None);
            }
            Some(current) => current,
            None => old.clone(),
        };
        let renewed = base.renewed(path, fresh, clock::unix_seconds())?;
        let committed = match replacement {
            Some(replacement) => replacement.commit(&renewed.text()),
            None => Err(Error::Io {
                path: path.to_path_buf(),
                action: "rewrite",
                source: std::io::Error::other("the disk is full or read-only"),
            }),
        };
        let outdated = match committed {
            Ok(()) => None,
            Err(error) => {
                // This run goes on with what it got; the next one must log in again.
                self.warning = Some(format!("{error}; the renewed login is not saved"));
                Some(in_file.unwrap_or(old.token.access))
            }
        };
        self.hold(path, renewed, outdated)
    }

    fn hold(
        &mut self,
        path: &Path,
        credential: Credential,
        outdated: Option<Secret>,
    ) -> Result<Token, Error> {
        let token = credential.token.clone();
        self.outdated = outdated;
        self.held = Some((path.to_path_buf(), credential));
        Ok(token)
    }

    /// Takes both locks, waiting for whoever holds them; what they write meanwhile is taken.
    fn take_locks(
        &mut self,
        path: &Path,
        target: &Path,
        old: &Token,
        why: Why,
        fetch: &mut dyn Fetch,
    ) -> Result<Wait, Error> {
        let patience = Patience::begin();
        loop {
            match Locks::try_take(target)? {
                Taken::Locks(locks) => {
                    if locks.is_makeshift() {
                        self.warn_of_no_locks(target);
                    }
                    return Ok(Wait::Over(Some(locks)));
                }
                Taken::Unsupported => {
                    self.warn_of_no_locks(target);
                    return Ok(Wait::Over(None));
                }
                Taken::Busy => {}
            }
            patience.pause(target, fetch)?;
            let credential = match Credential::read(path) {
                // Its holder is writing just now.
                Err(error) if is_torn(&error) => continue,
                credential => credential?,
            };
            if let Some(token) = self.take_over(path, credential, old, why)? {
                return Ok(Wait::Adopted(Box::new(token)));
            }
        }
    }

    fn warn_of_no_locks(&mut self, target: &Path) {
        let folder = target.parent().unwrap_or(target).display();
        self.warning = Some(format!(
            "{folder} is on a file system without locks; two programs that renew the login at the \
             same moment may lose it"
        ));
    }
}

impl Source for Store {
    fn peek(&mut self) -> Result<Option<Token>, Error> {
        self.load().map(Some)
    }

    fn fresh(&mut self, why: Why, fetch: &mut dyn Fetch) -> Result<Token, Error> {
        if self.held.is_none() {
            self.load_whole(&mut || whole::pause(fetch))?;
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
        let renewed = self.renew(&path, &old, why, fetch);
        let error = match renewed.and_then(|token| of_use(token, &old, why)) {
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

    fn secrets(&self) -> Vec<&Secret> {
        let held = self.held.iter();
        held.flat_map(|(_, credential)| credential.secrets())
            .collect()
    }

    fn take_warning(&mut self) -> Option<String> {
        self.warning.take()
    }
}

/// The token, unless the renewal left the bearer as it was and that is of no use any more.
fn of_use(token: Token, old: &Token, why: Why) -> Result<Token, Error> {
    let is_old = token.access == old.access;
    let now = clock::unix_seconds();
    let is_over = token.expires_at.is_some_and(|at| at <= now);
    if is_old && (is_over || why == Why::Unauthorized) {
        let detail = "the issuer's answer holds no new bearer".to_string();
        return Err(Error::Transient { detail });
    }
    Ok(token)
}

/// Whether two tokens are known to be of two accounts; a file may leave its account out.
fn is_of_another(one: &Token, other: &Token) -> bool {
    match (&one.account_id, &other.account_id) {
        (Some(one), Some(other)) => one != other,
        _ => false,
    }
}

/// What a wait for the locks came to.
enum Wait {
    /// They are ours, or there are none.
    Over(Option<Locks>),
    /// Whoever held them renewed the login.
    Adopted(Box<Token>),
}

#[cfg(test)]
mod tests;
