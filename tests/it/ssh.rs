//! Tokens over ssh: what a client is given, and what is made of what it says. The client is a
//! script here; tests/real has the real ones.

use crate::place::Credential;
use crate::place::FAR_FUTURE;
use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::sx;
use crate::sx::Ran;
use crate::sx::Sx;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;

const PASSWORD: &str = "hunter2 'or' 3";

/// A flat answer.
const ANSWER: &str = r#"{"access_token":"token-1","expires_at":4102444800,"account_id":"acc"}"#;

/// A machine whose only program is a client of this name: it notes what it was given, then does
/// what `body` says.
fn place(name: &str, body: &str) -> Place {
    let place = Place::new();
    add_client(&place, name, body);
    place
}

fn add_client(place: &Place, name: &str, body: &str) {
    let here = place.path("");
    let script = format!(
        "#!/bin/sh\ncd {}\n/usr/bin/env > env\nprintf '%s\\n' \"$@\" > argv\n{body}\n",
        here.display()
    );
    let path = place.write(&format!("bin/{name}"), script);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("our file");
}

fn fetch(place: &Place) -> Sx {
    place
        .sx(["fetchtoken"])
        .env("PATH", place.path("bin"))
        .env("CODEX_TOKEN_SOURCE", "ssh")
        .env("CODEX_SSH_HOST", "build7")
        .env("CODEX_SSH_USER", "me")
}

/// A client that prints these lines.
fn printing(lines: &str) -> String {
    format!("/bin/cat <<'END'\n{lines}\nEND")
}

#[track_caller]
fn line(ran: &Ran) -> Value {
    let text = ran.check_code(0).text();
    assert_eq!(text.lines().count(), 1);
    serde_json::from_str(text).expect("JSON")
}

#[track_caller]
fn check_refused(ran: &Ran, kind: &str, words: &str) {
    ran.check_code(3).check_stdout("");
    let first = ran.stderr.lines().next().unwrap_or_default();
    assert!(first.starts_with(&format!("sx: {kind}: ")), "{first}");
    assert!(first.contains(words), "{first}");
    let second = ran.stderr.lines().nth(1).unwrap_or_default();
    assert!(second.starts_with("hint: "), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
}

#[test]
fn the_client_gets_what_it_needs_and_nothing_of_ours() {
    let place = place("ssh", &printing(ANSWER));
    let ran = fetch(&place)
        .env("CODEX_SSH_PORT", "2222")
        .env("CODEX_SSH_COMMAND", "print-it --now")
        .env("CODEX_ACCESS_TOKEN", "not-this-one")
        .env("TOKEN_HTTP_API_KEY", "a-key")
        .env("SSH_AUTH_SOCK", "/run/agent")
        .env("SSH_ASKPASS", "/bin/window")
        .env("DISPLAY", ":0")
        .run();
    let line = line(&ran);
    assert_eq!(line["access_token"], "token-1");
    assert_eq!(line["expires_at"], FAR_FUTURE);
    assert_eq!(line["account_id"], "acc");
    assert_eq!(line["source"], "ssh me@build7");
    let argv = place.read("argv");
    for option in ["BatchMode=yes", "StrictHostKeyChecking=yes"] {
        assert!(argv.contains(&format!("-o\n{option}\n")), "{argv}");
    }
    let end = "\n-p\n2222\n-l\nme\n--\nbuild7\nprint-it --now\n";
    assert!(argv.ends_with(end), "{argv}");
    let env = place.read("env");
    for pair in ["LC_ALL=C", "SSH_AUTH_SOCK=/run/agent"] {
        assert!(env.lines().any(|line| line == pair), "{env}");
    }
    for name in ["CODEX_", "TOKEN", "SSH_ASKPASS", "DISPLAY", "SX_"] {
        assert!(!env.contains(&format!("\n{name}")), "{env}");
    }
}

#[test]
fn the_password_is_told_to_the_client_alone_and_only_when_it_asks() {
    let ask = r#"
"$SSH_ASKPASS" "me@build7's password: " >> asked; echo $? >> asked
"$SSH_ASKPASS" "Are you sure you want to continue connecting (yes/no/[fingerprint])? " >> asked
echo $? >> asked
"$SSH_ASKPASS" "Enter passphrase for key '/k': " >> asked; echo $? >> asked
/bin/sh -c '"$SSH_ASKPASS" "me@jump password: " >> asked; echo $? >> asked'
/usr/bin/tr '\0' ' ' < /proc/$$/cmdline > cmdline
"#;
    let place = place("ssh", &format!("{ask}\n{}", printing(ANSWER)));
    let ran = fetch(&place).env("CODEX_SSH_PASS", PASSWORD).run();
    assert_eq!(line(&ran)["access_token"], "token-1");
    let expected = format!("{PASSWORD}\n0\n1\n1\n1\n");
    assert_eq!(place.read("asked"), expected);
    for file in ["argv", "cmdline"] {
        assert!(!place.read(file).contains("hunter2"), "{file}");
    }
    let argv = place.read("argv");
    assert!(argv.contains("-o\nBatchMode=no\n"), "{argv}");
    let env = place.read("env");
    let holds: Vec<_> = env
        .lines()
        .filter(|line| line.contains("hunter2"))
        .collect();
    assert_eq!(holds, [format!("SX_ASKPASS_PASSWORD={PASSWORD}")]);
    assert!(env.contains("SSH_ASKPASS_REQUIRE=force\n"), "{env}");
}

#[test]
fn every_shape_of_an_answer_is_read_and_only_the_token_kept() {
    let file = Credential::default().file().to_string();
    let token = Credential::default().access_token();
    for (answer, expected) in [
        (file.as_str(), token.as_str()),
        (&format!("Welcome to build7!\n{file}"), &token),
        (&token, &token),
    ] {
        let ran = fetch(&place("ssh", &printing(answer))).run();
        let line = line(&ran);
        assert_eq!(line["access_token"], expected);
        assert_eq!(line["expires_at"], FAR_FUTURE);
        assert_eq!(line["account_id"], "account-1");
        assert!(!ran.text().contains("refresh-"), "{}", ran.text());
    }
    for garbage in ["", "no token here", "<html>", "{\"access_token\":7}"] {
        let ran = fetch(&place("ssh", &printing(garbage))).run();
        check_refused(&ran, "not_a_token", "ssh me@build7: ");
    }
}

#[test]
fn every_failure_has_its_kind() {
    for (code, words, kind) in [
        (
            255,
            "ssh: Could not resolve hostname build7: x",
            "unreachable",
        ),
        (255, "Host key verification failed.", "host_key_unknown"),
        (
            255,
            "@ REMOTE HOST IDENTIFICATION HAS CHANGED! @",
            "host_key_changed",
        ),
        (255, "me@build7: Permission denied (publickey).", "refused"),
        (255, "something else", "failed"),
        (1, "cat: x: No such file or directory", "no_such_file"),
        (3, "sx: not_found: no login found in /x", "no_such_file"),
        (3, "sx: expired: /x: the login has expired", "failed"),
    ] {
        let place = place("ssh", &format!("echo '{words}' >&2; exit {code}"));
        let ran = fetch(&place).run();
        check_refused(&ran, kind, "ssh me@build7: ");
    }
    let ran = fetch(&place(
        "ssh",
        &format!("echo \"{PASSWORD} is wrong\" >&2; exit 255"),
    ))
    .env("CODEX_SSH_PASS", PASSWORD)
    .run();
    check_refused(&ran, "failed", "[secret] is wrong");
}

#[test]
fn it_ends_at_its_deadline_and_with_all_that_it_started() {
    let place = place(
        "ssh",
        "/bin/sleep 600 & echo $! > left\nexec /bin/sleep 600",
    );
    let ran = fetch(&place).env("CODEX_SSH_TIMEOUT", "300ms").run();
    check_refused(&ran, "timed_out", "CODEX_SSH_TIMEOUT");
    let left: i32 = place.read("left").trim().parse().expect("a process id");
    let state = fs::read_to_string(format!("/proc/{left}/stat")).unwrap_or_default();
    assert!(!state.contains("(sleep) S"), "{state}");
}

#[test]
fn what_the_client_leaves_behind_is_not_waited_for() {
    let body = format!("/bin/sleep 60 & echo $! > left\n{}", printing(ANSWER));
    let place = place("ssh", &body);
    assert_eq!(line(&fetch(&place).run())["access_token"], "token-1");
    let left: i32 = place.read("left").trim().parse().expect("a process id");
    let left = nix::unistd::Pid::from_raw(left);
    nix::sys::signal::kill(left, nix::sys::signal::Signal::SIGKILL).expect("it runs");
}

#[test]
fn without_a_client_it_is_one_line_and_code_3() {
    let place = Place::new();
    check_refused(
        &fetch(&place).run(),
        "no_client",
        "neither ssh nor dbclient",
    );
}

#[test]
fn a_setting_that_cannot_be_is_told_with_its_place() {
    let place = place("ssh", &printing(ANSWER));
    for (key, value, words) in [
        (
            "CODEX_SSH_HOST",
            "",
            "CODEX_SSH_HOST does not say which machine",
        ),
        (
            "CODEX_SSH_HOST",
            "-oProxyCommand=x",
            "would be read as an option",
        ),
        ("CODEX_SSH_HOST", "a b", "holds ' '"),
        ("CODEX_SSH_USER", "-x", "would be read as an option"),
        ("CODEX_SSH_PORT", "0", "a whole number from 1 to 65535"),
        ("CODEX_SSH_PORT", "65536", "a whole number from 1 to 65535"),
        ("CODEX_SSH_HOST_KEYS", "no", "CODEX_SSH_HOST_KEYS"),
        ("OFFLINE", "1", "it allows this machine only"),
        ("CODEX_SSH_TIMEOUT", "soon", "CODEX_SSH_TIMEOUT"),
    ] {
        let ran = fetch(&place).env(key, value).run();
        ran.check_code(3)
            .check_said(words)
            .check_said("environment");
        assert!(!place.path("argv").exists(), "{key}={value} was run");
    }
}

/// A client that does on this machine, at another home, what it should do on another one.
const HERE: &str = "for last; do :; done\nHOME=$PWD/there PATH=/usr/bin:/bin exec /bin/sh -c \
    \"$last\"";

#[test]
fn where_there_is_no_sx_the_credential_file_is_read() {
    let place = place("ssh", HERE);
    let there = place.path("there");
    let ran = fetch(&place).run();
    check_refused(
        &ran,
        "no_such_file",
        &there.join(".codex/auth.json").display().to_string(),
    );
    // Another program of that name is not run.
    place.write("there/bin/sx", "#!/bin/sh\necho nonsense\n");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(place.path("there/bin/sx"), executable).expect("our file");
    let file = Credential::default().file().to_string();
    place.write("there/.codex/auth.json", &file);
    assert_eq!(line(&fetch(&place).run())["account_id"], "account-1");
    let own = Credential {
        account: "account-2",
        ..Credential::default()
    };
    let own = own.file().to_string();
    place.write("there/.config/sx/codex-auth.json", own);
    assert_eq!(line(&fetch(&place).run())["account_id"], "account-2");
}

#[test]
fn where_there_is_sx_it_is_asked() {
    let place = place("ssh", HERE);
    fs::create_dir_all(place.path("there/.local/bin")).expect("folders");
    symlink(sx::program(), place.path("there/.local/bin/sx")).expect("a new link");
    check_refused(
        &fetch(&place).run(),
        "no_such_file",
        "not_found: no login found in",
    );
    let file = Credential::default().file().to_string();
    place.write("there/.codex/auth.json", &file);
    let ran = fetch(&place).run();
    let expected = json!(Credential::default().access_token());
    assert_eq!(line(&ran)["access_token"], expected);
    // It knows that the login must not be used as it is.
    let expired = Credential {
        expires_at: 1_000_000_000,
        ..Credential::default()
    };
    place.write("there/.codex/auth.json", expired.file().to_string());
    fs::remove_file(place.path("there/.local/bin/sx")).expect("our link");
    check_refused(&fetch(&place).run(), "spent", "it has expired");
}

#[test]
fn a_token_that_was_refused_is_renewed_there() {
    let body = "for last; do :; done\ncase $last in *--refresh*) echo second ;; *) echo first ;; \
        esac";
    let place = place("ssh", body);
    let unauthorized = Reply::json(401, &json!({"detail": "token is not good"}));
    let done = Reply::events(&Answer::new().say("done").whole());
    let server = Server::start([unauthorized, done]);
    let ran = place
        .exec(&server, ["go"])
        .env("PATH", place.path("bin"))
        .env("CODEX_TOKEN_SOURCE", "ssh")
        .env("CODEX_SSH_HOST", "build7")
        .run();
    ran.check_code(0);
    let bearers: Vec<_> = server.requests();
    let bearers: Vec<_> = bearers.iter().map(|r| r.header("authorization")).collect();
    assert_eq!(bearers, ["Bearer first", "Bearer second"]);
}

#[test]
fn dropbears_client_is_known_by_its_name_and_answered_on_its_stdin() {
    let body = format!("/bin/cat > stdin\n{}", printing(ANSWER));
    for (client, host_keys, stdin) in [
        ("dbclient", "strict", "n\u{3}\n"),
        ("dropbear", "accept-new", "y\u{3}\n\u{3}\n"),
    ] {
        let place = place(client, &body);
        if client == "dropbear" {
            symlink("dropbear", place.path("bin/ssh")).expect("a new link");
        }
        let ran = fetch(&place)
            .env("CODEX_SSH_HOST_KEYS", host_keys)
            .env("CODEX_SSH_PASS", PASSWORD)
            .env("CODEX_SSH_COMMAND", "print-it")
            .run();
        assert_eq!(line(&ran)["access_token"], "token-1");
        assert_eq!(place.read("argv"), "-T\n-l\nme\nbuild7\nprint-it\n");
        assert_eq!(place.read("stdin"), stdin);
        let env = place.read("env");
        let expected = format!("DROPBEAR_PASSWORD={PASSWORD}");
        assert!(env.lines().any(|line| line == expected), "{env}");
        assert!(!env.contains("ASKPASS"), "{env}");
    }
}
