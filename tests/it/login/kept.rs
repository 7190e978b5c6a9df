//! Logins that are kept: several of them, one that is handed in, who pays, what is left, the end.

use super::FILE;
use super::check_discreet;
use super::check_kept;
use super::object;
use crate::issuer::Issuer;
use crate::place::Credential;
use crate::place::FAR_FUTURE;
use crate::place::Place;
use crate::server::Reply;
use crate::server::Server;
use serde_json::Value;
use serde_json::json;
use std::time::SystemTime;

const EXPIRED: Credential = Credential {
    mark: "old",
    expires_at: 1_000_000_000,
    account: "account-1",
};

/// The access token that a run would use.
#[track_caller]
fn token(place: &Place, args: &[&str]) -> String {
    let ran = place.sx([&["fetchtoken"], args].concat()).run();
    let line = object(ran.check_code(0));
    line["access_token"].as_str().expect("a token").to_owned()
}

#[test]
fn two_accounts_stand_side_by_side() {
    let place = Place::new();
    let issuer = Issuer::start("none");
    let login = |name: &str| {
        let login = place.sx(["login", "--device", "--name", name]);
        let ran = login.asking(&issuer.server).run();
        ran.check_code(0)
            .check_said(&format!("note: the setting CODEX_ACCOUNT={name} chooses"));
        check_discreet(&ran);
        issuer.last_login()
    };
    let (work, home) = (login("work"), login("home"));
    let origin = issuer.server.origin();
    check_kept(
        &place,
        "home/.config/sx/codex-accounts/work.json",
        &work,
        &origin,
    );
    check_kept(
        &place,
        "home/.config/sx/codex-accounts/home.json",
        &home,
        &origin,
    );
    assert!(!place.path(FILE).exists());
    assert_eq!(token(&place, &["--name", "work"]), work.access_token());
    assert_eq!(
        token(&place, &["-e", "CODEX_ACCOUNT=home"]),
        home.access_token()
    );
    let ran = place.sx(["status", "--name", "wrok"]).run();
    ran.check_code(3)
        .check_said("there is no login `wrok`; there are: home, work")
        .check_said("hint: log in: `sx login --name wrok`");
    let ran = place.sx(["login", "--name", "../work"]).run();
    ran.check_code(2).check_said("is no name for a login");
    // The end of one is not the end of the other.
    let ran = place.sx(["logout", "--name", "work"]).run();
    ran.check_code(0);
    assert_eq!(token(&place, &["--name", "home"]), home.access_token());
    place.sx(["logout", "--name", "work"]).run().check_code(3);
    place.sx(["logout", "--name", "home"]).run().check_code(0);
    assert!(!place.path("home/.config/sx/codex-accounts").exists());
}

#[test]
fn a_login_is_not_written_over() {
    let place = Place::new();
    let issuer = Issuer::start("none");
    let file = Credential::default().file().to_string();
    place.write(FILE, &file);
    let ran = place.sx(["login"]).asking(&issuer.server).run();
    ran.check_code(3)
        .check_said("already holds the login of person@example.org (plus), until 2100-01-01")
        .check_said("hint: `sx login --force` replaces it");
    assert_eq!(place.read(FILE), file);
    let ran = place.sx(["login", "--force"]).asking(&issuer.server).run();
    ran.check_code(0);
    check_discreet(&ran);
    let kept: Value = serde_json::from_str(&place.read(FILE)).expect("JSON");
    assert_eq!(kept["tokens"]["refresh_token"], "refresh-login-1");
}

#[test]
fn a_token_is_taken_from_stdin_and_from_nowhere_else() {
    let login = ["login", "--with-token", "-"];
    let credential = Credential::default();
    let whole = credential.file();
    let bare = credential.access_token();
    let flat = json!({"access_token": "opaque", "expires_at": FAR_FUTURE, "account_id": "acc"});
    for (text, refresh, expected) in [
        (whole.to_string(), "refresh-first", bare.as_str()),
        (format!("{bare}\n"), "", &bare),
        (flat.to_string(), "", "opaque"),
    ] {
        let place = Place::new();
        let ran = place.sx(login).stdin(text).run();
        ran.check_code(0);
        check_discreet(&ran);
        assert_eq!(token(&place, &[]), expected);
        let kept: Value = serde_json::from_str(&place.read(FILE)).expect("JSON");
        assert_eq!(kept["tokens"]["refresh_token"], refresh);
        let status = object(place.sx(["status", "--json"]).run().check_code(0));
        assert_eq!(status["expires_at"], FAR_FUTURE);
        assert_eq!(status["renewable"], !refresh.is_empty());
    }
    let place = Place::new();
    let over = place.sx(login).stdin(EXPIRED.access_token()).run();
    over.check_code(3).check_said("it has expired");
    place
        .sx(login)
        .run()
        .check_code(3)
        .check_said("it is empty");
    let typed = place.sx(["login", "--with-token", "eyJsecret"]).run();
    typed
        .check_code(2)
        .check_said("the token is read from stdin");
    assert!(!typed.stderr.contains("eyJsecret"), "{}", typed.stderr);
    assert!(!place.path(FILE).exists());
}

#[test]
fn the_status_says_who_pays_and_until_when_and_asks_nobody() {
    let place = Place::with_credential();
    let server = Server::start([]);
    let status = |args: &[&str]| {
        let sx = place.sx([&["status"], args].concat()).asking(&server);
        sx.env("CODEX_REMOTE_URL", server.origin())
    };
    let ran = status(&[]).run();
    let text = ran.check_code(0).text();
    assert!(
        text.contains("the ChatGPT account person@example.org (plus) pays"),
        "{text}"
    );
    assert!(text.contains("until 2100-01-01T00:00:00Z"), "{text}");
    let line = object(status(&["--json"]).run().check_code(0));
    let path = place.credential_path().display().to_string();
    assert_eq!(line["provider"], "codex");
    assert_eq!(line["source"], path);
    assert_eq!(line["account_id"], "account-1");
    assert_eq!(line["email"], "person@example.org");
    assert_eq!(line["plan"], "plus");
    assert_eq!(line["renewable"], true);
    assert!(line["seconds_left"].as_i64().is_some_and(|left| left > 0));
    let remote = status(&["--json", "-e", "CODEX_TOKEN_SOURCE=remote"]).run();
    let line = object(remote.check_code(0));
    assert_eq!(line["email"], Value::Null);
    assert!(
        line["source"]
            .as_str()
            .is_some_and(|source| source.contains("remote"))
    );
    let handed = status(&["--json"])
        .env("CODEX_ACCESS_TOKEN", EXPIRED.access_token())
        .run();
    handed
        .check_code(3)
        .check_said("has expired")
        .check_said("hint: hand in one that is good");
    assert_eq!(object(&handed)["source"], "CODEX_ACCESS_TOKEN");
    assert_eq!(server.requests_to("").len(), 0, "nobody was asked");
    let nobody = Place::new().sx(["status", "--json"]).run();
    nobody.check_code(3).check_said("no login found in");
    assert_eq!(object(&nobody)["source"], Value::Null);
}

#[test]
fn the_login_of_another_vendor_is_neither_read_nor_sent_to_codex() {
    let place = Place::with_credential();
    let server = Server::start([]);
    let sx = |args: &[&str]| {
        let sx = place.sx(args).asking(&server);
        sx.env("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-hunter2").run()
    };
    let ran = sx(&["status", "--json", "--provider", "claude_code"]);
    let line = object(ran.check_code(0));
    assert_eq!(line["source"], "CLAUDE_CODE_OAUTH_TOKEN");
    assert_eq!(line["email"], Value::Null);
    let ran = sx(&["usage", "--provider", "claude_code"]);
    let text = ran.check_code(0).text();
    assert!(text.starts_with("claude_code tells what is left"), "{text}");
    server.check_done();
    let none = place.sx(["status", "--provider", "claude_code"]).run();
    none.check_code(3).check_said("no login of the vendor");
}

#[test]
fn an_end_that_is_near_is_warned_of() {
    let place = Place::new();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let soon = now.expect("a clock").as_secs() + 3_000;
    let mut file = Credential {
        expires_at: soon,
        ..Credential::default()
    }
    .file();
    place.write(FILE, file.to_string());
    let ran = place.sx(["status"]).run();
    assert!(!ran.check_code(0).stderr.contains("warning"));
    file["tokens"]["refresh_token"] = Value::Null;
    place.write(FILE, file.to_string());
    let ran = place.sx(["status"]).run();
    ran.check_code(0)
        .check_said("min and cannot be renewed: log in again before that");
}

#[test]
fn what_is_left_is_asked_with_a_login_that_is_renewed_once() {
    let place = Place::new();
    place.write_credential(&EXPIRED);
    let fresh = Credential::default().access_token();
    let renewed = Reply::json(
        200,
        &json!({"access_token": fresh, "refresh_token": "refresh-2"}),
    );
    let window = |used, seconds| {
        json!({"used_percent": used, "limit_window_seconds": seconds,
        "reset_at": FAR_FUTURE})
    };
    let usage = json!({"plan_type": "pro", "credits": {"has_credits": true, "balance": "12.5"},
        "rate_limit": {"primary_window": window(6, 18_000),
        "secondary_window": window(24, 604_800)}});
    let server = Server::start([]);
    server.on("/oauth/token", [renewed]);
    server.on(
        "/backend-api/wham/usage",
        [
            Reply::json(200, &usage),
            Reply::json(401, &json!({})),
            Reply::json(403, &json!({})),
        ],
    );
    let ran = place.sx(["usage", "--json"]).asking(&server).run();
    let line = object(ran.check_code(0));
    let limits = json!([
        {"window_s": 18_000, "used_percent": 6.0, "resets_at": FAR_FUTURE},
        {"window_s": 604_800, "used_percent": 24.0, "resets_at": FAR_FUTURE},
    ]);
    let credits = json!({"has_credits": true, "is_unlimited": false, "balance": "12.5"});
    let expected =
        json!({"limits": limits, "plan": "pro", "account": "account-1", "credits": credits});
    assert_eq!(line, expected);
    let asked = &server.requests_to("/wham/usage")[0];
    assert_eq!(asked.method, "GET");
    assert_eq!(asked.header("authorization"), format!("Bearer {fresh}"));
    assert_eq!(asked.header("chatgpt-account-id"), "account-1");
    assert_eq!(asked.header("originator"), "sx");
    // One that is refused is renewed, and then refused for good.
    server.on(
        "/oauth/token",
        [Reply::json(200, &json!({"access_token": "other"}))],
    );
    let ran = place.sx(["usage"]).asking(&server).run();
    ran.check_code(3)
        .check_said("refused the login (status 403)");
    server.check_done();
    let plain = [
        "usage",
        "-e",
        "CODEX_BASE_URL=http://h.example.org/backend-api/codex",
    ];
    let ran = place.sx(plain).run();
    ran.check_code(3)
        .check_said("over plain http to this machine only");
}

#[test]
fn a_service_that_tells_no_allowance_is_said_to_tell_none() {
    for provider in ["anthropic", "openai", "gemini", "router", "claude_code"] {
        let place = Place::with_credential();
        let usage = |args: &[&str]| {
            let sx = place.sx(["usage", "--provider", provider]);
            args.iter().fold(sx, |sx, arg| sx.arg(arg)).run()
        };
        let ran = usage(&[]);
        let text = ran.check_code(0).text();
        assert!(text.starts_with(&format!("{provider} tells ")), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        let line = object(usage(&["--json"]).check_code(0));
        assert_eq!(line["limits"], json!([]), "{provider}");
    }
}

#[test]
fn a_login_is_forgotten_with_all_that_lies_beside_it() {
    let place = Place::new();
    let issuer = Issuer::start("none");
    place
        .sx(["login"])
        .asking(&issuer.server)
        .run()
        .check_code(0);
    let own = "home/.config/sx/codex-auth.json";
    // A file that is named is in use instead, and not ours.
    let named = place.write("other/mine.json", place.read(own));
    let sx = place.sx(["logout"]).env("CODEX_CREDENTIALS_FILE", &named);
    sx.run().check_code(3).check_said("was not written by sx");
    assert!(place.path(own).exists() && named.exists());
    place.write("home/.config/sx/codex-auth.json.renewing", "{}");
    place.write("home/.config/sx/scorpiox-env.txt", "# mine\n");
    issuer
        .server
        .on("/oauth/revoke", [Reply::json(200, &json!({}))]);
    let ran = place
        .sx(["logout", "--revoke"])
        .asking(&issuer.server)
        .run();
    ran.check_code(0);
    check_discreet(&ran);
    assert_eq!(
        ran.text().split(" (").next(),
        Some("forgot the login of person@example.org")
    );
    assert_eq!(place.names("home/.config/sx"), ["scorpiox-env.txt"]);
    let revoked = issuer.server.requests_to("/oauth/revoke")[0].json();
    let expected = json!({"token": "refresh-login-1", "token_type_hint": "refresh_token",
        "client_id": "app_EMoamEEZ73f0CkXaXp7hrann"});
    assert_eq!(revoked, expected);
    let ran = place.sx(["logout"]).run();
    ran.check_code(0)
        .check_stdout("there is no login to forget\n");
}

#[test]
fn a_service_that_does_not_hear_of_it_keeps_no_file_alive() {
    let place = Place::with_credential();
    place.write(FILE, Credential::default().file().to_string());
    let server = Server::start([]);
    let quoted = json!({"error": "no", "error_description": "refresh-first is unknown"});
    server.on("/oauth/revoke", [Reply::json(500, &quoted)]);
    let ran = place.sx(["logout", "--revoke"]).asking(&server).run();
    ran.check_code(0)
        .check_said("warning: the service was not told")
        .check_said("note: sx now uses");
    check_discreet(&ran);
    assert!(!place.path(FILE).exists());
    // What is left is another program's.
    let ran = place.sx(["logout", "--revoke"]).asking(&server).run();
    ran.check_code(3)
        .check_said("is the official client's login, and was left as it is")
        .check_said("hint: `codex logout` ends it");
    assert!(place.credential_path().exists());
    server.check_done();
}
