//! A login by device code: what is shown, what is waited out, and how it can end.

use super::FILE;
use super::check_discreet;
use super::check_kept;
use crate::issuer::Issuer;
use crate::place::Place;
use crate::server::Reply;
use crate::server::Step;
use nix::sys::signal::Signal;
use serde_json::Value;
use serde_json::json;

fn error(status: u16, code: &str) -> Reply {
    Reply::json(status, &json!({"error": code}))
}

fn page(status: u16) -> Reply {
    let head = format!("HTTP/1.1 {status} x\r\ncontent-type: text/html\r\ncontent-length: 6\r\n");
    Reply::steps(vec![Step::Send(format!("{head}\r\n<html>").into())])
}

#[test]
fn without_a_terminal_a_code_is_shown_and_all_that_passes_is_waited_out() {
    let place = Place::new();
    let issuer = Issuer::start("none");
    issuer.polls([
        error(403, ""),
        error(404, "not_found"),
        error(400, "authorization_pending"),
        Reply::json_with(429, "retry-after: 0\r\n", &json!({})),
        page(502),
        Reply::steps(vec![Step::Reset]),
        page(404),
    ]);
    let ran = place.sx(["login"]).asking(&issuer.server).run();
    ran.check_code(0)
        .check_said("client id: app_EMoamEEZ73f0CkXaXp7hrann, the official client's")
        .check_said(&format!("open   {}/codex/device\n", issuer.server.origin()))
        .check_said("enter  ABCD-1234\n")
        .check_said("15 min")
        .check_said("note: nothing sets PROVIDER=codex");
    let hint = ran.stderr.find("must allow device codes");
    assert!(hint < ran.stderr.find("ABCD-1234"), "{}", ran.stderr);
    let text = ran.text();
    assert!(
        text.starts_with("logged in as person@example.org (plus), until 2100-"),
        "{text}"
    );
    assert!(text.contains("renewed by itself"), "{text}");
    check_discreet(&ran);
    check_kept(&place, FILE, &issuer.last_login(), &issuer.server.origin());
    // Neither a settings file nor anything that is not needed.
    let names = ["auth.lock", "codex-auth.json", "codex-auth.json.lock"];
    assert_eq!(place.names("home/.config/sx"), names);
    let fetched = place.sx(["fetchtoken"]).run();
    let line: Value = serde_json::from_str(fetched.check_code(0).text()).expect("JSON");
    assert_eq!(line["access_token"], issuer.last_login().access_token());
}

#[test]
fn a_program_gets_a_line_a_step() {
    let place = Place::new();
    let issuer = Issuer::start("none");
    issuer.polls([error(400, "slow_down")]);
    let login = ["login", "--device", "--json", "--no-config"];
    let ran = place
        .sx(login)
        .asking(&issuer.server)
        .env("CODEX_CLIENT_ID", "ours")
        .run();
    ran.check_code(0)
        .check_said("client id: ours, from CODEX_CLIENT_ID");
    assert!(!ran.stderr.contains("PROVIDER"), "{}", ran.stderr);
    let lines: Vec<Value> = ran
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let url = format!("{}/codex/device", issuer.server.origin());
    let device = json!({"type": "device", "url": url, "code": "ABCD-1234", "expires_in": 900});
    assert_eq!(lines[0], device);
    assert_eq!(lines[1]["type"], "login");
    assert_eq!(lines[1]["email"], "person@example.org");
    assert_eq!(lines[1]["renewable"], true);
    assert_eq!(lines.len(), 2);
    check_discreet(&ran);
    let file: Value = serde_json::from_str(&place.read(FILE)).expect("JSON");
    assert_eq!(file["tokens"]["oauth_provenance"]["client_id"], "ours");
}

/// A login whose polls end so: its code, and what is said.
#[track_caller]
fn check_end(reply: Reply, code: i32, said: &str) {
    let place = Place::new();
    let issuer = Issuer::start("none");
    issuer.polls([error(403, "pending"), reply]);
    let ran = place.sx(["login"]).asking(&issuer.server).run();
    ran.check_code(code).check_said(said).check_said("hint: ");
    assert!(!place.path(FILE).exists());
}

#[test]
fn each_end_has_its_words_and_its_code() {
    check_end(error(403, "access_denied"), 3, "the login was denied");
    check_end(error(400, "expired_token"), 3, "nobody logged in within");
    check_end(page(403), 5, "a Cloudflare challenge");
    check_end(error(400, "odd"), 5, "refused: status 400: odd");
}

#[test]
fn a_code_that_cannot_be_had_is_told_with_the_way_out() {
    let check = |reply, code, said: &str| {
        let place = Place::new();
        let issuer = Issuer::start("none");
        issuer.refuse_device_codes(reply);
        let ran = place.sx(["login"]).asking(&issuer.server).run();
        ran.check_code(code).check_said(said);
    };
    check(
        error(404, ""),
        3,
        "allow device codes in the security settings",
    );
    let mitigated = Reply::json_with(403, "cf-mitigated: challenge\r\n", &json!({}));
    check(mitigated, 5, "taken for a robot's");
    let short = json!({"device_auth_id": "device", "user_code": "ABCD-1234", "expires_in": 0});
    let place = Place::new();
    let issuer = Issuer::start("none");
    issuer.refuse_device_codes(Reply::json(200, &short));
    issuer.polls([error(403, "")]);
    let ran = place.sx(["login"]).asking(&issuer.server).run();
    ran.check_code(3)
        .check_said("the lifetime of the code, 0 s");
    // No issuer at all, and one that must not be told.
    let nobody = place.sx(["login", "-e", "CODEX_ISSUER=http://127.0.0.1:1"]);
    nobody.run().check_code(5).check_said("hint: ");
    let plain = place.sx(["login", "-e", "CODEX_ISSUER=http://issuer.example.org"]);
    plain
        .run()
        .check_code(3)
        .check_said("over plain http to this machine only");
}

#[test]
fn a_signal_ends_the_wait() {
    let place = Place::new();
    let issuer = Issuer::start("none");
    let slow = json!({"device_auth_id": "device", "user_code": "ABCD-1234", "interval": 60});
    issuer.refuse_device_codes(Reply::json(200, &slow));
    issuer.polls([error(403, ""), error(403, "")]);
    let running = place.sx(["login"]).asking(&issuer.server).start();
    issuer.server.wait_for("/deviceauth/token", 1);
    running.signal(Signal::SIGINT);
    running.wait().check_code(130);
    assert!(!place.path(FILE).exists());
}
