//! A temporary folder with a credential that is good for nothing, for services on loopback.
//!
//! Private (0700) and removed in the end, unless it is to be kept. The agent reads the credential
//! as it reads any other: the token in it is a JWT, unsigned, of an account that does not exist.

use crate::base::random;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::fs::DirBuilder;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

/// The account that the credential names.
pub const ACCOUNT: &str = "demo-account";

/// 2100-01-01: never to be refreshed.
const EXPIRES_AT: u64 = 4_102_444_800;

/// A folder of our own below a folder for temporary files.
pub struct Place {
    dir: PathBuf,
    is_kept: bool,
}

impl Place {
    /// Makes the folder, and the credential in it.
    pub fn new(temp: &Path, is_kept: bool) -> io::Result<Place> {
        let name = random::uuid().map_err(io::Error::other)?;
        let dir = temp.join(format!("sx-demo-{name}"));
        DirBuilder::new().mode(0o700).create(&dir)?;
        let place = Place { dir, is_kept };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(place.credential())?;
        file.write_all(credential().to_string().as_bytes())?;
        Ok(place)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The credential file.
    pub fn credential(&self) -> PathBuf {
        self.dir.join("codex-auth.json")
    }

    /// Makes a folder below it.
    pub fn make(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.dir.join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_kept {
            // What is left of it lies where temporary files lie.
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// The access token of the credential.
pub fn access_token() -> String {
    let claims = json!({
        "exp": EXPIRES_AT,
        "email": "demo@example.org",
        "https://api.openai.com/auth": {
            "chatgpt_account_id": ACCOUNT,
            "chatgpt_plan_type": "demo",
        },
    });
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = part(json!({"alg": "none", "typ": "JWT"}));
    format!(
        "{head}.{}.{}",
        part(claims),
        URL_SAFE_NO_PAD.encode("unsigned")
    )
}

/// A credential file in the form of the official client (wire/codex 1.1).
fn credential() -> Value {
    let token = access_token();
    json!({
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": null,
        "tokens": {
            "id_token": token,
            "access_token": token,
            "refresh_token": "demo-refresh-token",
            "account_id": ACCOUNT,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_place_is_private_and_leaves_nothing() {
        let place = Place::new(&std::env::temp_dir(), false).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(place.dir()), 0o700);
        assert_eq!(mode(&place.credential()), 0o600);
        let dir = place.dir().to_owned();
        drop(place);
        assert!(!dir.exists());
    }

    #[test]
    fn a_kept_place_stays() {
        let place = Place::new(&std::env::temp_dir(), true).unwrap();
        let dir = place.dir().to_owned();
        drop(place);
        assert!(dir.exists());
        fs::remove_dir_all(dir).unwrap();
    }
}
