//! Credentials: where they are found, when they are refreshed, and what a file looks like after.

use crate::place::Credential;
use crate::place::FAR_FUTURE;
use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const EXPIRED: Credential = Credential {
    mark: "first",
    expires_at: 1_000_000_000,
    account: "account-1",
};

const FRESH: Credential = Credential {
    mark: "second",
    expires_at: FAR_FUTURE,
    account: "account-1",
};

fn done() -> Reply {
    Reply::events(&Answer::new().say("done").whole())
}

fn unauthorized() -> Reply {
    Reply::json(401, &json!({"detail": "token is not good"}))
}

/// What the issuer answers to a refresh.
fn tokens() -> Reply {
    let token = FRESH.access_token();
    let body = json!({"access_token": token, "id_token": token, "refresh_token": "refresh-second"});
    Reply::json(200, &body)
}

fn bearer(credential: &Credential) -> String {
    format!("Bearer {}", credential.access_token())
}

/// The file holds the new tokens and everything that it held beside them.
#[track_caller]
fn check_rewritten(place: &Place) {
    let file: Value = serde_json::from_str(&place.read("home/.codex/auth.json")).expect("JSON");
    let tokens = &file["tokens"];
    assert_eq!(tokens["access_token"], json!(FRESH.access_token()));
    assert_eq!(tokens["refresh_token"], "refresh-second");
    assert_eq!(tokens["account_id"], "account-1");
    assert_eq!(tokens["other_of_tomorrow"], true);
    assert_eq!(file["field_of_tomorrow"], json!({"kept": [1, 2, 3]}));
    assert_ne!(file["last_refresh"], "2026-01-01T00:00:00.000000000Z");
    let facts = fs::metadata(place.credential_path()).expect("a file");
    assert_eq!(facts.permissions().mode() & 0o777, 0o600);
    let entries = fs::read_dir(place.path("home/.codex"))
        .expect("a folder")
        .flatten();
    let names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
    let is_left_over = |name: &&std::ffi::OsString| {
        let name = name.to_string_lossy();
        name != "auth.json" && !name.ends_with(".lock")
    };
    assert!(!names.iter().any(|name| is_left_over(&name)), "{names:?}");
}

#[test]
fn an_expired_token_is_refreshed_before_the_request() {
    let place = Place::new();
    place.write_credential(&EXPIRED);
    let loose = fs::Permissions::from_mode(0o644);
    fs::set_permissions(place.credential_path(), loose).expect("our file");
    let server = Server::start([done()]);
    server.on("/oauth/token", [tokens()]);
    place.exec(&server, ["go"]).run().check_code(0);
    server.check_done();
    let asked = server.requests_to("/oauth/token")[0].json();
    assert_eq!(asked["grant_type"], "refresh_token");
    assert_eq!(asked["refresh_token"], "refresh-first");
    assert!(
        asked["client_id"]
            .as_str()
            .is_some_and(|id| id.starts_with("app_"))
    );
    assert!(asked.get("scope").is_none());
    assert_eq!(server.requests()[0].header("authorization"), bearer(&FRESH));
    check_rewritten(&place);
}

#[test]
fn a_refused_token_is_refreshed_once_and_the_request_sent_again() {
    let place = Place::with_credential();
    let server = Server::start([unauthorized(), done()]);
    server.on("/oauth/token", [tokens()]);
    let ran = place
        .exec(&server, ["--json", "-e", "RETRY_MAX=0", "go"])
        .run();
    ran.check_code(0);
    server.check_done();
    let requests = server.requests();
    assert_eq!(
        requests[0].header("authorization"),
        bearer(&Credential::default())
    );
    assert_eq!(requests[1].header("authorization"), bearer(&FRESH));
    assert_eq!(requests[0].body, requests[1].body);
    assert!(
        ran.events_of("retry").is_empty(),
        "auth spends no tries of the network"
    );
    check_rewritten(&place);
}

#[test]
fn a_token_that_is_refused_again_is_code_3() {
    let place = Place::with_credential();
    let server = Server::start([unauthorized(), unauthorized()]);
    server.on("/oauth/token", [tokens()]);
    let ran = place.exec(&server, ["--json", "go"]).run();
    ran.check_code(3);
    assert_eq!(ran.result()["status"], "failed");
    server.check_done();
}

#[test]
fn a_refresh_that_can_never_work_is_code_3_and_changes_nothing() {
    for (status, body) in [
        (400, json!({"error": "invalid_grant"})),
        (401, json!({"error": {"code": "refresh_token_expired"}})),
    ] {
        let place = Place::new();
        place.write_credential(&EXPIRED);
        let before = place.read("home/.codex/auth.json");
        let server = Server::start([]);
        server.on("/oauth/token", [Reply::json(status, &body)]);
        let ran = place.exec(&server, ["go"]).run();
        ran.check_code(3).check_said("hint:");
        assert_eq!(place.read("home/.codex/auth.json"), before);
        server.check_done();
    }
}

#[test]
fn an_issuer_that_is_away_for_a_moment_is_asked_again() {
    for (credential, replies) in [
        (EXPIRED, vec![done()]),
        (Credential::default(), vec![unauthorized(), done()]),
    ] {
        let place = Place::new();
        place.write_credential(&credential);
        let server = Server::start(replies);
        let away = Reply::json(503, &json!({"error": "temporarily_unavailable"}));
        server.on("/oauth/token", [away, tokens()]);
        let ran = place.exec(&server, ["--json", "go"]).run();
        ran.check_code(0);
        server.check_done();
        assert_eq!(ran.events_of("retry").len(), 1);
        check_rewritten(&place);
    }
}

#[test]
fn without_a_credential_the_places_and_the_way_out_are_named() {
    let place = Place::new();
    let ran = place.exec(&Server::start([]), ["go"]).run();
    ran.check_code(3)
        .check_said("auth.json")
        .check_said("hint:");
    let ran = place.exec(&Server::start([]), ["--json", "go"]).run();
    ran.check_code(3);
    assert_eq!(ran.result()["exit"], 3);
}

#[test]
fn a_file_that_is_no_credential_is_named() {
    for content in [
        "",
        "{",
        "[]",
        "{}",
        "{\"tokens\":{\"access_token\":5}}",
        "\u{0}\u{1}",
    ] {
        let place = Place::new();
        place.write("home/.codex/auth.json", content);
        let ran = place.exec(&Server::start([]), ["go"]).run();
        ran.check_code(3).check_said(".codex/auth.json");
    }
    let place = Place::new();
    place.write(
        "home/.codex/auth.json",
        r#"{"OPENAI_API_KEY":"sk-secret-key"}"#,
    );
    let ran = place.exec(&Server::start([]), ["go"]).run();
    ran.check_code(3).check_said("key");
    assert!(!ran.stderr.contains("sk-secret-key"), "{}", ran.stderr);
}

#[test]
fn the_first_place_that_has_a_file_wins() {
    let place = Place::with_credential();
    let source = || {
        let ran = place.sx(["fetchtoken"]).run();
        let line: Value = serde_json::from_str(ran.check_code(0).text()).expect("JSON");
        line["source"].as_str().expect("a source").to_owned()
    };
    assert!(source().contains(".codex/auth.json"));
    place.write("home/.config/sx/codex-auth.json", FRESH.file().to_string());
    assert!(source().contains("codex-auth.json"));
    let named = place.write("work/named.json", FRESH.file().to_string());
    let sx = place
        .sx(["fetchtoken"])
        .env("CODEX_CREDENTIALS_FILE", &named);
    sx.run().check_code(0);
    let gone = place
        .sx(["fetchtoken"])
        .env("CODEX_CREDENTIALS_FILE", "/none/such.json");
    gone.run().check_code(3).check_said("/none/such.json");
}

#[test]
fn fetchtoken_prints_one_line_of_json() {
    let place = Place::with_credential();
    let ran = place.sx(["fetchtoken"]).silent_stdin().run();
    let text = ran.check_code(0).text();
    assert_eq!(text.lines().count(), 1);
    let line: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(
        line["access_token"],
        json!(Credential::default().access_token())
    );
    assert_eq!(line["expires_at"], FAR_FUTURE);
    assert_eq!(line["account_id"], "account-1");
}

#[test]
fn fetchtoken_refreshes_what_has_expired_or_when_told() {
    for (credential, args) in [
        (EXPIRED, &["fetchtoken"][..]),
        (Credential::default(), &["fetchtoken", "--refresh"]),
    ] {
        let place = Place::new();
        place.write_credential(&credential);
        let server = Server::start([]);
        server.on("/oauth/token", [tokens()]);
        let ran = place.sx(args).asking(&server).run();
        let line: Value = serde_json::from_str(ran.check_code(0).text()).expect("JSON");
        assert_eq!(line["access_token"], json!(FRESH.access_token()));
        check_rewritten(&place);
        server.check_done();
    }
}

#[test]
fn many_at_once_spend_a_refresh_token_once() {
    let place = Place::new();
    place.write_credential(&EXPIRED);
    let server = Server::start([]);
    server.on("/oauth/token", [tokens()]);
    let fetch = || place.sx(["fetchtoken"]).asking(&server).start();
    let running: Vec<_> = (0..8).map(|_| fetch()).collect();
    for one in running {
        let ran = one.wait();
        let line: Value = serde_json::from_str(ran.check_code(0).text()).expect("JSON");
        assert_eq!(line["access_token"], json!(FRESH.access_token()));
    }
    assert_eq!(server.requests_to("/oauth/token").len(), 1);
    check_rewritten(&place);
}

#[test]
fn a_server_of_ones_own_gets_no_login_if_none_is_to_be_sent() {
    let place = Place::new();
    let server = Server::start([done()]);
    let none = ["-e", "CODEX_TOKEN_SOURCE=none", "--json", "go"];
    let ran = place.exec(&server, none).run();
    ran.check_code(0);
    let request = &server.requests()[0];
    assert_eq!(request.header("authorization"), "");
    let stdout = String::from_utf8_lossy(&ran.stdout);
    assert!(stdout.contains("\"account\":\"no login\""), "{stdout}");
}
