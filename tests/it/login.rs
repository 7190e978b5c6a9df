//! `sx login` in each of its ways, and what can be done with a login: status, usage, logout.

mod browser;
mod device;
mod kept;

use crate::place::Credential;
use crate::place::Place;
use crate::sx::Ran;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const FILE: &str = "home/.config/sx/codex-auth.json";

/// The file holds this login in the official client's shape, for its owner alone.
#[track_caller]
fn check_kept(place: &Place, file: &str, login: &Credential, issuer: &str) {
    let found: Value = serde_json::from_str(&place.read(file)).expect("JSON");
    let token = login.access_token();
    assert_eq!(found["auth_mode"], "chatgpt");
    assert_eq!(found.get("OPENAI_API_KEY"), Some(&Value::Null));
    assert!(found["last_refresh"].is_string());
    let expected = json!({
        "id_token": token,
        "access_token": token,
        "refresh_token": format!("refresh-{}", login.mark),
        "account_id": login.account,
        "oauth_provenance": {"issuer": issuer, "client_id": "app_EMoamEEZ73f0CkXaXp7hrann"},
    });
    assert_eq!(found["tokens"], expected);
    for (path, mode) in [(file, 0o600), ("home/.config/sx", 0o700)] {
        let facts = fs::metadata(place.path(path)).expect("it is there");
        assert_eq!(facts.permissions().mode() & 0o777, mode, "{path}");
    }
}

/// Nothing that renews a login was printed anywhere, nor a bearer.
#[track_caller]
fn check_discreet(ran: &Ran) {
    let said = format!("{}{}", ran.text(), ran.stderr);
    for secret in ["refresh-", "eyJ", "verifier"] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
}

/// The one line of a command that prints one object.
#[track_caller]
fn object(ran: &Ran) -> Value {
    let text = ran.text();
    assert_eq!(text.lines().count(), 1, "{text}; {}", ran.stderr);
    serde_json::from_str(text).expect("JSON")
}
