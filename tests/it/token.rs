//! Tokens from elsewhere: handed in, lent by a broker, read from another vendor's login.

use crate::issuer::Issuer;
use crate::issuer::credential;
use crate::place::Credential;
use crate::place::FAR_FUTURE;
use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::sx::Running;
use nix::sys::signal::Signal;
use serde_json::Value;
use serde_json::json;
use std::io::Write;
use std::os::fd::AsRawFd;

const EXPIRED: Credential = Credential {
    mark: "first",
    expires_at: 1_000_000_000,
    account: "account-1",
};

fn done() -> Reply {
    Reply::events(&Answer::new().say("done").whole())
}

fn unauthorized() -> Reply {
    Reply::json(401, &json!({"detail": "token is not good"}))
}

/// A broker for the login of `place`, and where it listens.
fn broker(place: &Place, issuer: &Issuer, listen: &str, key: &str) -> (Running, String) {
    let running = place
        .sx(["token", "serve", "--listen", listen])
        .asking(&issuer.server)
        .env("TOKEN_HTTP_API_KEY", key)
        .start();
    let said = running.wait_for_stderr(", path /codex\n");
    let place = said.split(" on ").nth(1).expect("where").split(',').next();
    (running, place.expect("where").to_string())
}

fn borrow(url: &str, key: &str) -> crate::sx::Ran {
    let place = Place::new();
    place
        .sx(["fetchtoken", "--source", "remote"])
        .env("CODEX_REMOTE_URL", url)
        .env("TOKEN_HTTP_API_KEY", key)
        .run()
}

#[test]
fn a_broker_lends_tokens_and_never_what_renews_them() {
    let place = Place::new();
    place.write_credential(&EXPIRED);
    let issuer = Issuer::start("refresh-first");
    let socket = place.path("sx.sock").display().to_string();
    let (broker, at) = broker(&place, &issuer, &format!("unix:{socket}"), "");
    assert_eq!(at, format!("unix:{socket}"));
    for _ in 0..20 {
        let ran = borrow(&at, "");
        let line: Value = serde_json::from_str(ran.check_code(0).text()).expect("JSON");
        assert_eq!(line["access_token"], json!(credential(1).access_token()));
        assert_eq!(line["account_id"], "account-1");
        assert_eq!(line["source"], json!(at));
    }
    assert_eq!(issuer.renewals(), 1);
    broker.signal(Signal::SIGTERM);
    let ran = broker.wait();
    ran.check_code(0).check_said("GET /codex 200");
    assert!(!std::path::Path::new(&socket).exists());
    let secrets = [credential(1).access_token(), "refresh-".to_string()];
    for secret in secrets {
        assert!(!ran.stderr.contains(&secret), "{}", ran.stderr);
    }
}

#[test]
fn on_an_address_it_wants_its_key() {
    let place = Place::with_credential();
    let issuer = Issuer::start("refresh-first");
    let run = |listen: &str| place.sx(["token", "serve", "--listen", listen]).run();
    run("127.0.0.1:0")
        .check_code(3)
        .check_said("TOKEN_HTTP_API_KEY");
    run("0.0.0.0:0")
        .check_code(2)
        .check_said("only this machine");
    let (_broker, at) = broker(&place, &issuer, "127.0.0.1:0", "k3y");
    let url = format!("http://{at}/codex");
    borrow(&url, "k3y").check_code(0);
    for key in ["", "k3", "k3yy"] {
        let ran = borrow(&url, key);
        ran.check_code(3).check_said("refused: ");
        assert_eq!(ran.text(), "");
    }
    borrow(&format!("http://{at}/other"), "k3y")
        .check_code(3)
        .check_said("no_such_file: ");
}

#[test]
fn a_token_that_the_service_refuses_is_renewed_by_the_broker() {
    let place = Place::with_credential();
    let issuer = Issuer::start("refresh-first");
    let socket = format!("unix:{}", place.path("sx.sock").display());
    let (_broker, at) = broker(&place, &issuer, &socket, "");
    let server = Server::start([unauthorized(), done()]);
    let ran = Place::new()
        .exec(&server, ["--json", "go"])
        .env("CODEX_TOKEN_SOURCE", "remote")
        .env("CODEX_REMOTE_URL", &at)
        .run();
    ran.check_code(0);
    let requests = server.requests();
    let bearer = |credential: &Credential| format!("Bearer {}", credential.access_token());
    assert_eq!(
        requests[0].header("authorization"),
        bearer(&Credential::default())
    );
    assert_eq!(requests[1].header("authorization"), bearer(&credential(1)));
    assert_eq!(
        ran.events_of("session")[0]["account"],
        "person@example.org (plus)"
    );
}

#[test]
fn strangers_cost_a_broker_nothing() {
    let place = Place::with_credential();
    let issuer = Issuer::start("refresh-first");
    let (_broker, at) = broker(&place, &issuer, "127.0.0.1:0", "k3y");
    let silent: Vec<_> = (0..20).map(|_| std::net::TcpStream::connect(&at)).collect();
    for bytes in [
        &b"\x16\x03\x01"[..],
        b"GET / HTTP/9\r\n\r\n",
        &[b'x'; 20_000],
    ] {
        let mut stream = std::net::TcpStream::connect(&at).expect("it listens");
        // It may hang up before it has read everything.
        let _ = stream.write_all(bytes);
    }
    borrow(&format!("http://{at}/codex"), "k3y").check_code(0);
    assert_eq!(silent.len(), 20);
    // As many as it takes, each in the middle of a request.
    let slow = || {
        let mut stream = std::net::TcpStream::connect(&at).expect("it listens");
        stream
            .write_all(b"GET /codex HTTP/1.1\r\nX: ")
            .expect("it listens");
        stream
    };
    let slow: Vec<_> = (0..100).map(|_| slow()).collect();
    borrow(&format!("http://{at}/codex"), "k3y").check_code(0);
    assert_eq!(slow.len(), 100);
}

/// What we open ourselves is no token, whatever its number.
#[test]
fn a_descriptor_that_nobody_handed_in_is_told_of() {
    for number in 3..12 {
        let place = Place::new();
        let ran = place
            .sx(["exec", "go"])
            .env("CODEX_TOKEN_FD", number.to_string())
            .run();
        // Whoever runs the tests may have left one open.
        ran.check_code(3).check_said("CODEX_TOKEN_FD");
        ran.check_stdout("");
    }
}

#[test]
fn an_issuer_that_is_down_is_left_in_peace_by_a_broker() {
    let place = Place::new();
    place.write_credential(&EXPIRED);
    let server = Server::start([]);
    let body = json!({"error": "temporarily_unavailable"});
    server.on("/oauth/token", [Reply::json(503, &body)]);
    let running = place
        .sx(["token", "serve", "--listen", "127.0.0.1:0"])
        .asking(&server)
        .env("TOKEN_HTTP_API_KEY", "k3y")
        .start();
    let said = running.wait_for_stderr(", path /codex\n");
    let at = said
        .split(" on ")
        .nth(1)
        .and_then(|rest| rest.split(',').next());
    let url = format!("http://{}/codex", at.expect("where"));
    for _ in 0..3 {
        borrow(&url, "k3y").check_code(3).check_said("status 503");
    }
    server.check_done();
}

#[test]
fn a_token_can_be_handed_in_and_is_never_renewed() {
    let token = Credential::default().access_token();
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(token.as_bytes()).expect("room in a pipe");
    drop(writer);
    nix::fcntl::fcntl(
        &reader,
        nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()),
    )
    .expect("our pipe");
    let number = reader.as_raw_fd().to_string();
    let command = format!("echo Welcome; echo '{{\"access_token\":\"{token}\"}}'");
    for (setting, value) in [
        ("CODEX_TOKEN_FD", &number),
        ("CODEX_ACCESS_TOKEN", &token),
        ("CODEX_TOKEN_COMMAND", &command),
    ] {
        let place = Place::new();
        let server = Server::start([unauthorized()]);
        let ran = place
            .exec(&server, ["--json", "go"])
            .env(setting, value)
            .run();
        ran.check_code(3).check_said("");
        let error = ran.result()["error"].to_string();
        assert!(error.contains(setting), "{error}");
        let sent = server.requests()[0].header("authorization").to_string();
        assert_eq!(sent, format!("Bearer {token}"));
        assert!(server.requests_to("/oauth/token").is_empty());
    }
}

#[test]
fn a_token_command_that_fails_is_told_with_its_words() {
    let place = Place::new();
    let run = |command: &str| {
        place
            .sx(["fetchtoken"])
            .env("CODEX_TOKEN_COMMAND", command)
            .run()
    };
    run("echo no vault >&2; exit 7")
        .check_code(3)
        .check_said("failed: CODEX_TOKEN_COMMAND: failed: it ended with exit status: 7: no vault");
    run("echo not a token")
        .check_code(3)
        .check_said("not_a_token: ");
    // It knows nothing that it need not know.
    let ran = place
        .sx(["fetchtoken", "--raw"])
        .env(
            "CODEX_TOKEN_COMMAND",
            "echo \"[${TOKEN_HTTP_API_KEY-}${HOME:+home}]\"",
        )
        .env("TOKEN_HTTP_API_KEY", "hunter2")
        .run();
    assert_eq!(ran.check_code(0).text(), "[home]\n");
}

#[test]
fn another_vendors_login_is_lent_by_name_only() {
    let place = Place::new();
    let file = json!({"claudeAiOauth": {"accessToken": "sk-ant-oat01-x", "refreshToken": "r-1",
        "expiresAt": FAR_FUTURE * 1_000}});
    let path = place.write("home/.claude/.credentials.json", file.to_string());
    let ran = place.sx(["fetchtoken", "--provider", "claude_code"]).run();
    let line: Value = serde_json::from_str(ran.check_code(0).text()).expect("JSON");
    assert_eq!(line["access_token"], "sk-ant-oat01-x");
    assert_eq!(line["expires_at"], FAR_FUTURE);
    ran.check_said("the vendor's terms");
    place.sx(["fetchtoken"]).run().check_code(3);
    // Where issuer and client are named, a copy of ours is renewed and the vendor's file is not.
    let issuer = Issuer::start("r-1");
    let ran = place
        .sx(["fetchtoken", "--provider", "claude_code", "--refresh"])
        .env("CLAUDE_CODE_ISSUER", issuer.server.origin())
        .env("CLAUDE_CODE_CLIENT_ID", "mine")
        .run();
    let line: Value = serde_json::from_str(ran.check_code(0).text()).expect("JSON");
    assert_eq!(line["access_token"], json!(credential(1).access_token()));
    assert_eq!(
        issuer.server.requests_to("/oauth/token")[0].json()["client_id"],
        "mine"
    );
    assert_eq!(
        std::fs::read_to_string(path).expect("it stays"),
        file.to_string()
    );
    let copy = place.read("home/.config/sx/claude-code-auth.json");
    assert!(copy.contains("refresh-renewed-1"), "{copy}");
}

#[test]
fn a_terminal_is_shown_everything_but_the_token() {
    let place = Place::with_credential();
    let token = Credential::default().access_token();
    let ran = place.sx(["fetchtoken"]).start_on_terminal().wait();
    let shown = ran.check_code(0).text();
    assert!(shown.contains("person@example.org (plus)"), "{shown}");
    assert!(!shown.contains(&token), "{shown}");
    let ran = place.sx(["fetchtoken", "--raw", "-v"]).run();
    assert_eq!(ran.check_code(0).text(), format!("{token}\n"));
    assert!(!ran.stderr.contains(&token), "{}", ran.stderr);
    ran.check_said("the source is local");
}
