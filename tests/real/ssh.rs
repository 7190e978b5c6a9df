//! The token of another machine over ssh: real clients, real servers, a real user there.

use crate::place::Credential;
use crate::place::FAR_FUTURE;
use crate::sx;
use crate::sx::Ran;
use nix::sys::stat::Mode;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;

// A server and a user who can log in.
mod machine;
// The client of small systems.
mod dbclient;

use machine::Machine;
use machine::PASSWORD;
use machine::Server;
use machine::files;

/// One with a login, which OpenSSH's client knows.
fn known(server: Server) -> Option<Machine> {
    let machine = Machine::start(server)?;
    machine.know(&machine.key());
    machine.log_in(&Credential::default());
    Some(machine)
}

#[track_caller]
fn check_token(ran: &Ran) {
    let line: Value = serde_json::from_str(ran.check_code(0).text()).expect("JSON");
    let token = json!(Credential::default().access_token());
    assert_eq!(line["access_token"], token);
    assert_eq!(line["expires_at"], FAR_FUTURE);
    assert_eq!(line["account_id"], "account-1");
    assert!(!ran.text().contains("refresh-"), "{}", ran.text());
}

#[track_caller]
fn check_refused(ran: &Ran, kind: &str, words: &str) {
    ran.check_code(3).check_stdout("").check_said(words);
    let kind = format!("sx: {kind}: ssh ");
    assert!(ran.stderr.starts_with(&kind), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
    assert!(!ran.stderr.contains(PASSWORD), "{}", ran.stderr);
}

#[test]
fn a_key_or_a_password_opens_either_server() {
    for server in [Server::OpenSsh, Server::Dropbear] {
        let Some(machine) = known(server) else {
            return;
        };
        check_token(&machine.fetch().run());
        fs::remove_file(machine.place.path("id")).expect("our key");
        check_refused(&machine.fetch().run(), "refused", "Permission denied (");
        check_token(&machine.fetch().env("CODEX_SSH_PASS", PASSWORD).run());
        let wrong = machine.fetch().env("CODEX_SSH_PASS", "not this one");
        check_refused(&wrong.run(), "refused", "Permission denied (");
    }
}

#[test]
fn a_wrong_password_is_tried_once() {
    let Some(machine) = known(Server::OpenSsh) else {
        return;
    };
    fs::remove_file(machine.place.path("id")).expect("our key");
    let ran = machine.fetch().env("CODEX_SSH_PASS", "not this one").run();
    check_refused(&ran, "refused", "Permission denied (");
    let said = machine.said();
    assert_eq!(said.matches("Failed password").count(), 1, "{said}");
}

#[test]
fn a_host_is_known_or_is_not_trusted() {
    let Some(machine) = known(Server::OpenSsh) else {
        return;
    };
    let known_hosts = machine.place.path("known_hosts");
    fs::remove_file(&known_hosts).expect("a file");
    let words = "you have requested strict checking";
    check_refused(&machine.fetch().run(), "host_key_unknown", words);
    assert!(!known_hosts.exists());
    let accepting = || machine.fetch().env("CODEX_SSH_HOST_KEYS", "accept-new");
    check_token(&accepting().run());
    check_token(&machine.fetch().run());
    machine.know(&machine.other_key());
    for sx in [
        machine.fetch(),
        accepting(),
        accepting().env("CODEX_SSH_PASS", PASSWORD),
    ] {
        check_refused(&sx.run(), "host_key_changed", "it shows SHA256:");
    }
}

#[test]
fn a_host_that_is_not_there_is_unreachable() {
    let Some(machine) = known(Server::OpenSsh) else {
        return;
    };
    let port = crate::daemon::free_port().to_string();
    let ran = machine.fetch().env("CODEX_SSH_PORT", port).run();
    check_refused(&ran, "unreachable", "Connection refused");
    let ran = machine
        .fetch()
        .env("CODEX_SSH_HOST", "no-host.invalid")
        .run();
    check_refused(&ran, "unreachable", "Could not resolve hostname");
    // One that never says a word.
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = silent.local_addr().expect("an address").port().to_string();
    let asked = machine.fetch().env("CODEX_SSH_PORT", port);
    let ran = asked.env("CODEX_SSH_TIMEOUT", "3s").run();
    check_refused(&ran, "unreachable", "timed out during banner exchange");
}

#[test]
fn it_may_take_as_long_as_its_setting_says() {
    let Some(machine) = known(Server::OpenSsh) else {
        return;
    };
    let slow = machine.fetch().env("CODEX_SSH_COMMAND", "sleep 600");
    let ran = slow.env("CODEX_SSH_TIMEOUT", "2s").run();
    check_refused(&ran, "timed_out", "CODEX_SSH_TIMEOUT");
}

#[test]
fn what_is_there_is_asked_or_read() {
    let Some(machine) = Machine::start(Server::OpenSsh) else {
        return;
    };
    machine.know(&machine.key());
    let missing = machine.place.path("there/.codex/auth.json");
    let missing = missing.display().to_string();
    check_refused(&machine.fetch().run(), "no_such_file", &missing);
    machine.log_in(&Credential::default());
    check_token(&machine.fetch().run());
    let expired = Credential {
        expires_at: 1_000_000_000,
        ..Credential::default()
    };
    machine.log_in(&expired);
    check_refused(&machine.fetch().run(), "spent", "it has expired");
    // Now there is somebody who can tell why.
    let binary = fs::read(sx::program()).expect("our binary");
    machine.write_there(".local/bin/sx", binary);
    let there = machine.place.path("there/.local/bin/sx");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(there, executable).expect("our copy");
    machine.write_there(".codex/auth.json", "{}");
    let ran = machine.fetch().run();
    check_refused(&ran, "failed", "its command ended with code 3: malformed: ");
    machine.log_in(&Credential::default());
    check_token(&machine.fetch().run());
    // Whatever else prints it.
    let ran = machine
        .fetch()
        .env("CODEX_SSH_COMMAND", "echo '{\"access_token\":7}'")
        .run();
    check_refused(&ran, "not_a_token", "it has no access_token");
}

/// A machine behind itself: `jump` and `build7` are two names of it.
const JUMP: &str = "
Host jump
    HostName 127.0.0.1
    Port PORT
    User USER
    IdentityFile FOLDER/jump
Host build7
    HostName 127.0.0.1
    Port PORT
    ProxyJump jump
Host *
";

#[test]
fn a_jump_host_is_gone_through_and_does_not_learn_the_password() {
    let Some(machine) = known(Server::OpenSsh) else {
        return;
    };
    machine.config(&JUMP.replace("USER", &machine.user));
    fs::rename(machine.place.path("id"), machine.place.path("jump")).expect("our key");
    let fetch = || {
        let sx = machine.fetch().env("CODEX_SSH_HOST", "build7");
        sx.env("CODEX_SSH_PASS", PASSWORD)
    };
    check_token(&fetch().run());
    let said = machine.said();
    assert_eq!(said.matches("Accepted password").count(), 1, "{said}");
    assert_eq!(said.matches("Accepted publickey").count(), 1, "{said}");
    // The jump host takes the same password and would accept it; what its client tries, since
    // nobody answers it, is an empty one.
    fs::remove_file(machine.place.path("jump")).expect("our key");
    check_refused(&fetch().run(), "refused", "Permission denied (");
    let said = machine.said();
    assert_eq!(said.matches("Accepted password").count(), 1, "{said}");
}

#[test]
fn a_client_that_stays_as_master_holds_nobody_up() {
    let Some(machine) = known(Server::OpenSsh) else {
        return;
    };
    machine.config("ControlMaster auto\nControlPath FOLDER/master\nControlPersist 60");
    fs::remove_file(machine.place.path("id")).expect("our key");
    for _ in 0..3 {
        check_token(&machine.fetch().env("CODEX_SSH_PASS", PASSWORD).run());
    }
    let said = machine.said();
    assert_eq!(said.matches("Accepted password").count(), 1, "{said}");
    let config = machine.place.path("ssh_config");
    let mut stop = std::process::Command::new("ssh");
    stop.arg("-F").arg(config).args(["-O", "exit", "127.0.0.1"]);
    let stopped = stop.args(["-l", &machine.user]).output().expect("a client");
    assert!(stopped.status.success(), "the master was still there");
}

/// The arguments of every process.
fn arguments() -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("a proc").flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .collect()
}

#[test]
fn the_password_is_in_no_argument_and_in_no_file() {
    let Some(machine) = known(Server::OpenSsh) else {
        return;
    };
    fs::remove_file(machine.place.path("id")).expect("our key");
    machine.make_dropbear_key();
    machine.write_there(".ssh/authorized_keys", "");
    machine.know_by_dbclient(&machine.key());
    let gate = machine.place.path("there/gate");
    nix::unistd::mkfifo(&gate, Mode::S_IRWXU | Mode::S_IROTH).expect("a new pipe");
    let command = format!("cat {}", gate.display());
    for sx in [machine.fetch(), machine.fetch_by_dbclient()] {
        let sx = sx.env("CODEX_SSH_PASS", PASSWORD);
        let running = sx.env("CODEX_SSH_COMMAND", &command).start();
        // Opens once it is read there, and keeps it running until it is dropped.
        let mut pipe = File::create(&gate).expect("our pipe");
        let arguments = arguments();
        let runs = |line: &&String| line.contains(&command) && line.contains("127.0.0.1");
        assert!(arguments.iter().any(|line| runs(&line)), "{arguments:?}");
        let shown: Vec<_> = arguments.iter().filter(|a| a.contains(PASSWORD)).collect();
        assert!(shown.is_empty(), "{shown:?}");
        check_no_file_holds(&machine.place.path(""), PASSWORD);
        write!(pipe, "token-1").expect("it reads");
        drop(pipe);
        let ran = running.wait();
        assert!(ran.check_code(0).text().contains("\"token-1\""));
    }
    check_no_file_holds(&machine.place.path(""), PASSWORD);
}

#[track_caller]
fn check_no_file_holds(folder: &Path, secret: &str) {
    for (path, content) in files(folder) {
        let holds = content
            .windows(secret.len())
            .any(|w| w == secret.as_bytes());
        assert!(!holds, "{path}");
    }
}
