//! A login in a browser against a real OpenID provider, npm's `oidc-provider`: it checks the
//! client, the address and the PKCE verifier by itself. curl is the browser.
//!
//! Not here: renewing and revoking, which the service that we are made for wants as JSON, and
//! device codes, for which it has a protocol of its own.

use crate::daemon;
use crate::daemon::Daemon;
use crate::place::Place;
use crate::sx::Running;
use serde_json::Value;
use std::fs;
use std::fs::File;
use std::process::Command;

/// Runs on the Node.js of Debian 12 and later.
const PACKAGE: &str = "oidc-provider@8.8.1";

/// The two ports of a login are there once on a machine: these tests and those of tests/it take
/// turns.
fn turn() -> File {
    let path = std::env::temp_dir().join("sx-it-login-ports.lock");
    let file = File::create(path).expect("a folder for temporary files");
    file.lock().expect("a lock");
    file
}

struct Provider {
    place: Place,
    port: u16,
    daemon: Daemon,
    _turn: File,
}

impl Provider {
    /// Installs and starts it in a place of its own.
    fn start() -> Provider {
        let turn = turn();
        let place = Place::new();
        let folder = daemon::folder(&place);
        let flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
        let npm = Command::new("npm")
            .arg("install")
            .args(flags)
            .arg(&folder)
            .arg(PACKAGE)
            .output()
            .expect("npm is there");
        assert!(
            npm.status.success(),
            "{}",
            String::from_utf8_lossy(&npm.stderr)
        );
        let script = include_str!("oidc/server.mjs");
        fs::write(folder.join("server.mjs"), script).expect("our folder");
        let port = daemon::free_port();
        let args = ["server.mjs", &port.to_string()];
        let daemon = Daemon::start(&place, "listening", "node", &args);
        Provider {
            place,
            port,
            daemon,
            _turn: turn,
        }
    }

    /// `sx login --browser`, and the address that it waits for somebody to open.
    #[track_caller]
    fn log_in(&self, client_id: &str) -> (Running, String) {
        let login = ["login", "--browser", "--json", "--no-config"];
        let running = self
            .place
            .sx(login)
            .env("CODEX_ISSUER", format!("http://127.0.0.1:{}", self.port))
            .env("CODEX_CLIENT_ID", client_id)
            .silent_stdin()
            .start();
        let text = running.wait_for_stdout("\n");
        let line = text.lines().next().expect("a line");
        let step: Value = serde_json::from_str(line).expect("JSON");
        let url = step["url"].as_str().expect("an address").to_owned();
        (running, url)
    }

    /// Opens an address as a browser does, cookies and all; `more` are arguments of curl's.
    #[track_caller]
    fn browse(&self, url: &str, more: &[&str]) -> String {
        let jar = self.place.path("tmp/cookies");
        let curl = Command::new("curl")
            .args(["--silent", "--show-error", "--location", "--noproxy", "*"])
            .arg("--cookie")
            .arg(&jar)
            .arg("--cookie-jar")
            .arg(&jar)
            .args(more)
            .arg(url)
            .output()
            .expect("curl is there");
        String::from_utf8_lossy(&curl.stdout).into_owned()
    }
}

#[test]
fn a_real_provider_takes_our_verifier_and_gives_a_login() {
    let provider = Provider::start();
    let (running, url) = provider.log_in("sx-test");
    let page = provider.browse(&url, &[]);
    assert!(page.contains("<h1>You are logged in</h1>"), "{page}");
    running.wait().check_code(0);
    assert!(provider.daemon.said.wait_for("granted").is_some());
    let file = provider.place.read("home/.config/sx/codex-auth.json");
    let file: Value = serde_json::from_str(&file).expect("JSON");
    let tokens = &file["tokens"];
    for name in ["access_token", "id_token", "refresh_token"] {
        let token = tokens[name].as_str();
        assert!(token.is_some_and(|token| !token.is_empty()), "{name}");
    }
    assert_eq!(tokens["oauth_provenance"]["client_id"], "sx-test");
    let ran = provider.place.sx(["status", "--json"]).run();
    let status: Value = serde_json::from_str(ran.check_code(0).text()).expect("JSON");
    assert_eq!(status["email"], "person@example.org");
    assert_eq!(status["renewable"], true);
    // Its bearer says nothing itself: when it ends stood in the answer.
    let left = status["seconds_left"].as_i64();
    assert!(
        left.is_some_and(|left| (3_000..=3_600).contains(&left)),
        "{status}"
    );
}

#[test]
fn a_code_of_another_login_is_refused_by_the_provider() {
    let provider = Provider::start();
    // The code of a login that was given up, whose verifier is gone with it.
    let (given_up, url) = provider.log_in("sx-test");
    drop(given_up);
    let ended_at = ["--output", "/dev/null", "--write-out", "%{url_effective}"];
    let other = provider.browse(&url, &ended_at);
    let code = other
        .split_once("code=")
        .and_then(|(_, rest)| rest.split('&').next());
    let code = code.unwrap_or_else(|| panic!("no code in {other}"));
    let (mut running, url) = provider.log_in("sx-test");
    let state = url
        .split_once("&state=")
        .and_then(|(_, rest)| rest.split('&').next());
    running.write(&format!("{code}#{}\n", state.expect("a state")));
    let ran = running.wait();
    ran.check_code(5)
        .check_said("refused: status 400: invalid_grant");
    assert!(provider.daemon.said.wait_for("refused:").is_some());
    let kept = provider.place.path("home/.config/sx/codex-auth.json");
    assert!(!kept.exists());
}
