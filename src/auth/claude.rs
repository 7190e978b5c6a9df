//! The token of the vendor's own command-line client for Claude, lent as it is.
//!
//! Read from `CLAUDE_CODE_OAUTH_TOKEN`, else from the file of that client, which is only ever
//! read. A renewal would spend that client's refresh token, so there is one only where the user
//! named issuer and client id; then [`import`] makes a copy of ours, which `local` renews. The
//! vendor keeps such tokens to its own programs; what the service answers is passed on.

use crate::auth::Error;
use crate::auth::Fault;
use crate::auth::Fetch;
use crate::auth::Token;
use crate::auth::answer;
use crate::auth::borrowed::Lender;
use crate::auth::file;
use crate::base::clock;
use crate::base::digest;
use crate::base::secret::Secret;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// What a person is told wherever this token is used.
pub const RESTRICTION: &str = "the vendor's terms keep the tokens of its subscriptions to its own \
                               programs; `anthropic` with an API key is what other programs \
                               should use";

/// The file of the vendor's client, lent anew each time, since that client renews it.
pub struct Claude {
    /// Where it is.
    pub path: PathBuf,
}

impl Lender for Claude {
    fn lend(&mut self, _fetch: &mut dyn Fetch) -> Result<Token, Error> {
        let bytes = match file::read_bounded(&self.path) {
            Err(Error::NotFound { .. }) => return Err(no_login(&self.path)),
            read => read?,
        };
        let from = self.path.display().to_string();
        let copy = import(&bytes).map_err(|why| Error::Malformed {
            path: self.path.clone(),
            why: why.to_string(),
        })?;
        let copy = copy.to_string();
        answer::read(copy.as_bytes(), &from, clock::unix_seconds()).map_err(|why| Error::Source {
            from: from.clone(),
            fault: Fault::NotAToken,
            detail: why.to_string(),
        })
    }

    fn secrets(&self) -> Vec<&Secret> {
        Vec::new()
    }
}

/// That there is no such file.
pub fn no_login(path: &Path) -> Error {
    Error::NoClientLogin {
        path: path.to_path_buf(),
    }
}

/// The vendor's file in the shape of ours. Fails with what is wrong with it.
pub fn import(bytes: &[u8]) -> Result<Value, &'static str> {
    let document: Value = serde_json::from_slice(bytes).map_err(|_| "is not valid JSON")?;
    let login = &document["claudeAiOauth"];
    let Some(access) = login["accessToken"]
        .as_str()
        .filter(|text| !text.is_empty())
    else {
        return Err("has no claudeAiOauth.accessToken");
    };
    // It counts in milliseconds.
    let expires_at = login["expiresAt"].as_u64().map(|ms| ms / 1_000);
    Ok(json!({
        "tokens": {
            "access_token": access,
            "refresh_token": login["refreshToken"],
            "expires_at": expires_at,
        },
    }))
}

/// Makes or renews our copy: it is taken from the vendor's file where there is none, or where that
/// client has logged in since.
pub fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let bytes = match file::read_bounded(from) {
        Ok(bytes) => bytes,
        // A copy is a login of its own by then.
        Err(Error::NotFound { .. }) if to.exists() => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut copied = import(&bytes).map_err(|why| Error::Malformed {
        path: from.to_path_buf(),
        why: why.to_string(),
    })?;
    let origin = digest::sha256_hex(copied["tokens"].to_string().as_bytes());
    copied["copied_from_sha256"] = Value::from(origin.as_str());
    let known = fs::read(to).ok();
    let known: Option<Value> = known.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if known.is_some_and(|known| known["copied_from_sha256"] == origin.as_str()) {
        return Ok(());
    }
    file::write_new(to, &format!("{copied:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::scratch::Nobody;
    use crate::auth::scratch::Scratch;

    #[test]
    fn the_vendors_file_is_lent_and_left_alone() {
        let scratch = Scratch::new();
        let content = json!({"claudeAiOauth": {"accessToken": "sk-ant-oat01-x",
            "refreshToken": "r", "expiresAt": 4_102_444_800_123_u64, "scopes": ["a"]}});
        let path = scratch.write("credentials.json", &content);
        let token = Claude { path: path.clone() }.lend(&mut Nobody).unwrap();
        assert_eq!(token.access.expose(), "sk-ant-oat01-x");
        assert_eq!(token.expires_at, Some(4_102_444_800));
        assert_eq!(token.source, path.display().to_string());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content.to_string());
        let copy = import(content.to_string().as_bytes()).unwrap();
        assert_eq!(copy["tokens"]["refresh_token"], "r");
    }

    #[test]
    fn a_copy_is_made_once_for_each_login_of_the_vendors() {
        let scratch = Scratch::new();
        let login = |access: &str| json!({"claudeAiOauth": {"accessToken": access}});
        let path = scratch.write("credentials.json", &login("a"));
        let ours = scratch.path("ours/copy.json");
        let token = || {
            let bytes = fs::read(&ours).unwrap();
            serde_json::from_slice::<Value>(&bytes).unwrap()["tokens"]["access_token"].clone()
        };
        copy(&path, &ours).unwrap();
        assert_eq!(token(), "a");
        let mut renewed: Value = serde_json::from_slice(&fs::read(&ours).unwrap()).unwrap();
        renewed["tokens"]["access_token"] = json!("renewed");
        scratch.write("ours/copy.json", &renewed);
        copy(&path, &ours).unwrap();
        assert_eq!(token(), "renewed", "the vendor's login is the same");
        scratch.write("credentials.json", &login("b"));
        copy(&path, &ours).unwrap();
        assert_eq!(token(), "b");
        fs::remove_file(&path).unwrap();
        copy(&path, &ours).unwrap();
        assert_eq!(token(), "b");
    }

    #[test]
    fn a_file_that_is_none_is_named() {
        for (text, why) in [
            ("{", "is not valid JSON"),
            ("{}", "has no claudeAiOauth.accessToken"),
            (
                r#"{"claudeAiOauth":{"accessToken":""}}"#,
                "has no claudeAiOauth.accessToken",
            ),
        ] {
            assert_eq!(import(text.as_bytes()), Err(why), "{text}");
        }
        let path = PathBuf::from("/nowhere/at/all");
        let error = Claude { path }.lend(&mut Nobody).unwrap_err();
        assert_eq!(error.kind(), "not_found");
    }
}
