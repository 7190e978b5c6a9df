//! A temporary directory with credential files in it, and nobody to ask: for the tests of this
//! module.

use crate::auth::Fetch;
use crate::auth::Unreachable;
use crate::base::clock::Deadline;
use crate::base::random;
use crate::http::exchange::Request;
use crate::http::head::Headers;
use crate::proc::capture::Capture;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Whoever must not be asked for anything.
pub struct Nobody;

impl Fetch for Nobody {
    fn fetch(
        &mut self,
        _request: Request,
        _socket: Option<&Path>,
    ) -> Result<(u16, Headers, Vec<u8>), Unreachable> {
        panic!("no request is sent")
    }

    fn pause(&mut self, _deadline: Deadline) -> Result<(), Unreachable> {
        panic!("nobody waits")
    }

    fn wait(&mut self, _program: &Capture) -> Result<(), Unreachable> {
        panic!("no program is run")
    }
}

/// A directory of its own, removed at the end.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes it.
    pub fn new() -> Scratch {
        let name = format!(
            "sx-auth-{}",
            random::uuid().expect("the kernel has random bytes")
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("the folder for temporary files can be written");
        Scratch(path)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.0
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a JSON file into it.
    pub fn write(&self, name: &str, content: &Value) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content.to_string()).expect("the scratch folder can be written");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An unsigned token that expires at `exp`; `mark` makes it another one.
pub fn jwt(exp: u64, mark: &str) -> String {
    let claims = json!({"exp": exp, "email": "a@example.org", "mark": mark,
        "https://api.openai.com/auth": {"chatgpt_plan_type": "plus"}});
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// The content of a login with fields that we do not know.
pub fn login(exp: u64, mark: &str, account: &str) -> Value {
    json!({
        "OPENAI_API_KEY": null,
        "auth_mode": "chatgpt",
        "future": {"kept": [1, 2.5, "x"]},
        "last_refresh": "2026-01-01T00:00:00.123456789Z",
        "tokens": {
            "access_token": jwt(exp, mark),
            "account_id": account,
            "id_token": jwt(1, "id"),
            "login_owner_id": "kept too",
            "oauth_provenance": {"client_id": "client", "issuer": "x"},
            "refresh_token": format!("refresh-{mark}"),
        },
    })
}
