//! A new login on the disk: the official client's file shape, in a place of our own.
//!
//! Written beside, synced and renamed under the same locks as a renewal, for the owner alone. An
//! existing login is replaced only where that was said.

use super::Client;
use super::Tokens;
use crate::auth::Error;
use crate::auth::Fetch;
use crate::auth::file::Credential;
use crate::auth::file::Locks;
use crate::auth::file::Replacement;
use crate::auth::file::Taken;
use crate::auth::jwt::Claims;
use crate::auth::patience::Patience;
use crate::base::date;
use crate::base::secret::Secret;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// A login that is to be kept.
#[derive(Debug)]
pub struct Login {
    /// Its tokens.
    pub tokens: Tokens,
    /// The account, where it is not said by the tokens.
    pub account_id: Option<String>,
    /// When the bearer ends, where it does not say so itself.
    pub expires_at: Option<u64>,
    /// The file that it came in.
    pub document: Option<Value>,
}

impl Login {
    /// What a service gave at `now`, in unix seconds.
    pub fn issued(tokens: Tokens, now: u64) -> Login {
        let claims =
            |token: &Option<Secret>| Claims::read(token.as_ref().map_or("", Secret::expose));
        Login {
            account_id: claims(&tokens.id).account_id,
            expires_at: tokens.expires_in.map(|left| now.saturating_add(left)),
            document: None,
            tokens,
        }
    }

    /// The content of its file. `now` is in unix seconds.
    pub fn file(&self, path: &Path, client: &Client, now: u64) -> Result<Credential, Error> {
        let exposed =
            |secret: &Option<Secret>| Value::from(secret.as_ref().map_or("", Secret::expose));
        let document = match &self.document {
            Some(document) => document.clone(),
            None => json!({
                "auth_mode": "chatgpt",
                "OPENAI_API_KEY": null,
                "tokens": {
                    "id_token": exposed(&self.tokens.id),
                    "access_token": self.tokens.access.expose(),
                    "refresh_token": exposed(&self.tokens.refresh),
                    "account_id": self.account_id,
                    "oauth_provenance": {
                        "issuer": client.issuer.to_string().trim_end_matches('/'),
                        "client_id": client.id,
                    },
                },
                "last_refresh": date::rfc3339(now),
            }),
        };
        let mut credential = Credential::parse(path, document.to_string().as_bytes())?;
        if credential.token.expires_at.is_none() && self.expires_at.is_some() {
            let mut document = document;
            document["tokens"]["expires_at"] = json!(self.expires_at);
            credential = Credential::parse(path, document.to_string().as_bytes())?;
        }
        Ok(credential)
    }
}

/// What may become of a login that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// It stays, and nothing is written.
    Kept,
    /// It is replaced.
    Replaced,
}

/// What came of the wish to keep a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is in the file.
    Written,
    /// The file holds another one.
    Occupied,
}

/// Writes a login into `path`, with the folders above it; waits for the locks by way of `fetch`.
pub fn keep(
    credential: &Credential,
    path: &Path,
    old: Old,
    fetch: &mut dyn Fetch,
) -> Result<Kept, Error> {
    if let Some(folder) = path.parent() {
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(folder);
        made.map_err(|source| Error::Io {
            path: folder.to_path_buf(),
            action: "make the folder",
            source,
        })?;
    }
    // A link stays one, as with a renewal; one that leads nowhere is in the way like a file.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let _locks = take_locks(&target, fetch)?;
    if old == Old::Kept && fs::symlink_metadata(path).is_ok() {
        return Ok(Kept::Occupied);
    }
    Replacement::create(&target)?.commit(&credential.text())?;
    Ok(Kept::Written)
}

/// Takes the locks of a credential file, waiting for whoever holds them; `None` where there are
/// none to be had.
pub fn take_locks(target: &Path, fetch: &mut dyn Fetch) -> Result<Option<Locks>, Error> {
    let patience = Patience::begin();
    loop {
        match Locks::try_take(target)? {
            Taken::Locks(locks) => return Ok(Some(locks)),
            Taken::Unsupported => return Ok(None),
            Taken::Busy => {}
        }
        patience.pause(target, fetch)?;
    }
}

#[cfg(test)]
mod tests {
    use super::super::scripted::Script;
    use super::super::scripted::client;
    use super::*;
    use crate::auth::scratch::Scratch;
    use crate::auth::scratch::jwt;
    use std::os::unix::fs::PermissionsExt;

    fn login(mark: &str) -> Login {
        let tokens = Tokens {
            access: Secret::new(jwt(5_000, mark)),
            id: Some(Secret::new(jwt(1, "id"))),
            refresh: Some(Secret::new(format!("refresh-{mark}"))),
            // The token's own word counts.
            expires_in: Some(1),
        };
        Login::issued(tokens, 1_000)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_login_is_kept_in_the_official_clients_shape_for_its_owner_alone() {
        let scratch = Scratch::new();
        let path = scratch.path("sx/codex-accounts/work.json");
        let credential = login("m").file(&path, &client(), 1_767_225_600).unwrap();
        let mut script = Script::default();
        let kept = keep(&credential, &path, Old::Kept, &mut script).unwrap();
        assert_eq!(kept, Kept::Written);
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&scratch.path("sx")), 0o700);
        assert_eq!(mode(&scratch.path("sx/codex-accounts")), 0o700);
        let found: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let expected = json!({
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": null,
            "last_refresh": "2026-01-01T00:00:00Z",
            "tokens": {
                "id_token": jwt(1, "id"),
                "access_token": jwt(5_000, "m"),
                "refresh_token": "refresh-m",
                "account_id": null,
                "oauth_provenance": {"issuer": "https://issuer.example.org", "client_id": "client"},
            },
        });
        assert_eq!(found, expected);
        let credential = Credential::read(&path).unwrap();
        assert_eq!(credential.client_id.as_deref(), Some("client"));
        let names = fs::read_dir(path.parent().unwrap()).unwrap();
        let is_left = |name: &std::ffi::OsString| name.to_string_lossy().starts_with('.');
        let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        assert!(!names.iter().any(is_left), "{names:?}");
    }

    #[test]
    fn an_old_login_is_replaced_only_where_that_was_said() {
        let scratch = Scratch::new();
        let path = scratch.path("codex-auth.json");
        let link = scratch.path("link.json");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut script = Script::default();
        let mut keep_it = |mark: &str, path: &Path, old| {
            let credential = login(mark).file(path, &client(), 0).unwrap();
            keep(&credential, path, old, &mut script).unwrap()
        };
        assert_eq!(keep_it("a", &path, Old::Kept), Kept::Written);
        assert_eq!(keep_it("b", &path, Old::Kept), Kept::Occupied);
        assert_eq!(keep_it("b", &link, Old::Kept), Kept::Occupied);
        let refresh = || Credential::read(&path).unwrap().refresh.unwrap();
        assert_eq!(refresh(), Secret::new("refresh-a"));
        assert_eq!(keep_it("b", &link, Old::Replaced), Kept::Written);
        assert_eq!(refresh(), Secret::new("refresh-b"));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn an_end_that_the_token_does_not_say_is_kept_beside_it() {
        let tokens = Tokens {
            access: Secret::new("opaque"),
            id: None,
            refresh: None,
            expires_in: Some(6_000),
        };
        let login = Login {
            account_id: Some("acc".into()),
            ..Login::issued(tokens, 1_000)
        };
        let credential = login.file(Path::new("f"), &client(), 0).unwrap();
        assert_eq!(credential.token.expires_at, Some(7_000));
        assert_eq!(credential.token.account_id.as_deref(), Some("acc"));
        assert_eq!(credential.refresh, None);
    }
}
