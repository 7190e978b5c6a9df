//! A machine to run on: a home, a working folder, a folder for temporary files, credentials. All
//! of it goes away in the end.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use crate::heard::Fifo;
use crate::server::Server;
use crate::sx;
use crate::sx::Sx;

/// 2100-01-01: a token that is good for as long as these tests matter.
pub const FAR_FUTURE: u64 = 4_102_444_800;

/// A temporary machine: `home`, `work` and `tmp` in a folder that goes away in the end.
pub struct Place {
    dir: PathBuf,
}

impl Place {
    /// An empty one.
    pub fn new() -> Place {
        let name = format!(
            "sx-it-{}",
            ::sx::base::random::uuid().expect("random bytes")
        );
        let dir = std::env::temp_dir().join(name);
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o700);
        builder.create(&dir).expect("a new folder");
        let place = Place { dir };
        for name in ["home", "work", "tmp"] {
            builder.create(place.path(name)).expect("a new folder");
        }
        place
    }

    /// One with a credential that is good for ever.
    pub fn with_credential() -> Place {
        let place = Place::new();
        place.write_credential(&Credential::default());
        place
    }

    /// A path below it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes a file below it, with the folders above it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        let parent = path.parent().expect("below the place");
        fs::create_dir_all(parent).expect("folders");
        fs::write(&path, content).expect("a file");
        path
    }

    /// Reads a file below it.
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    }

    /// The names of what lies in a folder below it, in order.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into()).collect();
        names.sort();
        names
    }

    /// Where the credential file lies.
    pub fn credential_path(&self) -> PathBuf {
        self.path("home/.codex/auth.json")
    }

    /// Writes the credential file of the official client.
    pub fn write_credential(&self, credential: &Credential) {
        let content = credential.file().to_string();
        self.write("home/.codex/auth.json", content);
    }

    /// A pipe with a name: a command of the model writes into it, the test listens.
    pub fn listen(&self, name: &str) -> Fifo {
        Fifo::new(self.path(name))
    }

    /// The session files, oldest name first.
    pub fn sessions(&self) -> Vec<PathBuf> {
        let dir = self.path("home/.local/state/sx/sessions");
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths
    }

    /// The program with these arguments, in `work`, with no stdin.
    pub fn sx<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Sx {
        Sx::new(self, &sx::program(), args)
    }

    /// The program called by another of its names.
    pub fn called_as<S: AsRef<OsStr>>(&self, name: &str, args: impl IntoIterator<Item = S>) -> Sx {
        let link = self.path(name);
        std::os::unix::fs::symlink(sx::program(), &link).expect("a new link");
        Sx::new(self, &link, args)
    }

    /// `sx exec` against a server.
    pub fn exec<S: AsRef<OsStr>>(&self, server: &Server, args: impl IntoIterator<Item = S>) -> Sx {
        let sx = self.sx(["exec"]).asking(server);
        args.into_iter().fold(sx, |sx, arg| sx.arg(arg))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A test that failed for a better reason should not fail for this one.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// What a credential file of the official client holds.
pub struct Credential {
    /// Makes one access token differ from another.
    pub mark: &'static str,
    /// When the access token ends, in unix seconds.
    pub expires_at: u64,
    /// The account of all its tokens.
    pub account: &'static str,
}

impl Default for Credential {
    fn default() -> Credential {
        Credential {
            mark: "first",
            expires_at: FAR_FUTURE,
            account: "account-1",
        }
    }
}

impl Credential {
    /// Its access token: an unsigned JWT.
    pub fn access_token(&self) -> String {
        let claims = json!({
            "exp": self.expires_at,
            "email": "person@example.org",
            "mark": self.mark,
            "https://api.openai.com/auth": {
                "chatgpt_account_id": self.account,
                "chatgpt_plan_type": "plus",
            },
        });
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = part(json!({"alg": "none", "typ": "JWT"}));
        format!("{head}.{}.c2lnbmF0dXJl", part(claims))
    }

    /// The file, with a field that only its owner knows.
    pub fn file(&self) -> Value {
        json!({
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": null,
            "last_refresh": "2026-01-01T00:00:00.000000000Z",
            "field_of_tomorrow": {"kept": [1, 2, 3]},
            "tokens": {
                "id_token": self.access_token(),
                "access_token": self.access_token(),
                "refresh_token": format!("refresh-{}", self.mark),
                "account_id": self.account,
                "other_of_tomorrow": true,
            },
        })
    }
}
