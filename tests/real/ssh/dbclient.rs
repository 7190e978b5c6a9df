//! dropbear's client, where there is no other.

use super::check_refused;
use super::check_token;
use super::machine::Machine;
use super::machine::PASSWORD;
use super::machine::Server;
use crate::place::Credential;
use std::fs;

/// One with a login, which dropbear's client knows and has a key for.
fn known(server: Server) -> Option<Machine> {
    let machine = Machine::start(server)?;
    machine.make_dropbear_key();
    machine.know_by_dbclient(&machine.key());
    machine.log_in(&Credential::default());
    Some(machine)
}

#[test]
fn a_key_or_a_password_opens_either_server() {
    for server in [Server::OpenSsh, Server::Dropbear] {
        let Some(machine) = known(server) else {
            return;
        };
        check_token(&machine.fetch_by_dbclient().run());
        fs::remove_file(machine.place.path("home/.ssh/id_dropbear")).expect("our key");
        check_refused(&machine.fetch_by_dbclient().run(), "refused", "Interrupted");
        let with = |password| machine.fetch_by_dbclient().env("CODEX_SSH_PASS", password);
        check_token(&with(PASSWORD).run());
        check_refused(&with("not this one").run(), "refused", "wrong passwords");
    }
}

#[test]
fn without_a_password_none_is_tried() {
    let Some(machine) = known(Server::OpenSsh) else {
        return;
    };
    fs::remove_file(machine.place.path("home/.ssh/id_dropbear")).expect("our key");
    check_refused(&machine.fetch_by_dbclient().run(), "refused", "Interrupted");
    let said = machine.said();
    assert!(!said.contains("Failed password"), "{said}");
}

#[test]
fn a_host_is_known_or_is_not_trusted() {
    let Some(machine) = known(Server::OpenSsh) else {
        return;
    };
    let known_hosts = machine.place.write("home/.ssh/known_hosts", "");
    let words = "it shows SHA256:";
    check_refused(
        &machine.fetch_by_dbclient().run(),
        "host_key_unknown",
        words,
    );
    let kept = || fs::read_to_string(&known_hosts).expect("a file");
    assert_eq!(kept(), "");
    let accepting = || {
        let sx = machine.fetch_by_dbclient();
        sx.env("CODEX_SSH_HOST_KEYS", "accept-new")
    };
    check_token(&accepting().run());
    assert!(kept().starts_with("127.0.0.1 ssh-ed25519 "), "{}", kept());
    check_token(&machine.fetch_by_dbclient().run());
    machine.know_by_dbclient(&machine.other_key());
    for sx in [machine.fetch_by_dbclient(), accepting()] {
        check_refused(&sx.run(), "host_key_changed", words);
    }
}

#[test]
fn what_goes_wrong_on_the_way_and_there_is_told_apart() {
    let Some(machine) = known(Server::Dropbear) else {
        return;
    };
    let port = crate::daemon::free_port().to_string();
    let ran = machine
        .fetch_by_dbclient()
        .env("CODEX_SSH_PORT", port)
        .run();
    check_refused(&ran, "unreachable", "Connection refused");
    let ran = machine
        .fetch_by_dbclient()
        .env("CODEX_SSH_HOST", "no-host.invalid")
        .run();
    check_refused(&ran, "unreachable", "Error resolving");
    let slow = machine
        .fetch_by_dbclient()
        .env("CODEX_SSH_COMMAND", "sleep 600");
    let ran = slow.env("CODEX_SSH_TIMEOUT", "2s").run();
    check_refused(&ran, "timed_out", "CODEX_SSH_TIMEOUT");
    let ran = machine
        .fetch_by_dbclient()
        .env("CODEX_SSH_COMMAND", "cat /none/such")
        .run();
    check_refused(&ran, "no_such_file", "/none/such");
    let ran = machine
        .fetch_by_dbclient()
        .env("CODEX_SSH_COMMAND", "exit 7")
        .run();
    check_refused(&ran, "failed", "its command ended with code 7");
}
