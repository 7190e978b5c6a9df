//! The static binary alone: an empty root directory that cannot be written, somebody else's uid, no
//! home, no shell, no `/proc`. Only `SX_STATIC_BIN` can be run so, and only where a root can be
//! had; elsewhere these tests say that they were skipped.

use crate::place::Credential;
use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::sx::Sx;
use serde_json::json;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Commands that give another command a root directory, the best one first; what follows each is
/// the folder and the command. Others than root are root in a namespace, who may write what they
/// own, so there the mount alone keeps them from it.
const WAYS_TO_A_ROOT: [&[&str]; 4] = [
    &["unshare", "--mount", "sh", "-c", MOUNTED_AS_SOMEBODY_ELSE],
    &[
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        MOUNTED,
    ],
    &["chroot", "--userspec=12345:12345"],
    &["unshare", "--user", "--map-root-user", "chroot"],
];
const MOUNTED_AS_SOMEBODY_ELSE: &str = r#"mount --bind "$0" "$0" &&
    mount -o remount,bind,ro "$0" && exec chroot --userspec=12345:12345 "$0" "$@""#;
const MOUNTED: &str = r#"mount --bind "$0" "$0" &&
    mount -o remount,bind,ro "$0" && exec chroot "$0" "$@""#;

/// The program in an empty root; `None` where that cannot be.
fn alone(place: &Place, args: &[&str]) -> Option<Sx> {
    let Some(binary) = std::env::var_os("SX_STATIC_BIN") else {
        eprintln!("skipped: SX_STATIC_BIN names no file");
        return None;
    };
    let root = place.path("root");
    if !root.exists() {
        fs::create_dir(&root).expect("a new folder");
        fs::copy(binary, root.join("sx")).expect("a copy");
        let credential = place.write("root/auth.json", Credential::default().file().to_string());
        fs::set_permissions(credential, fs::Permissions::from_mode(0o444)).expect("our file");
        fs::set_permissions(&root, fs::Permissions::from_mode(0o555)).expect("our folder");
    }
    let Some(way) = WAYS_TO_A_ROOT.iter().find(|way| leads_to(&root, way)) else {
        // Not by the macro, whose words are heard only when a test fails.
        let why = "skipped: neither root nor user namespaces, so there is no empty root directory";
        writeln!(io::stderr(), "{why}").expect("stderr is open");
        return None;
    };
    let words = way[1..].iter().map(OsStr::new);
    let words = words.chain([root.as_os_str(), OsStr::new("/sx")]);
    let args = words.chain(args.iter().map(OsStr::new));
    let sx = Sx::new(place, Path::new(way[0]), args);
    Some(sx.without_env("HOME").without_env("TMPDIR"))
}

/// Whether a command gets there, and so finds out that it does not exist.
fn leads_to(root: &Path, way: &[&str]) -> bool {
    let mut command = Command::new(way[0]);
    command.args(&way[1..]).arg(root).arg("/none");
    let tried = command.output();
    tried.is_ok_and(|output| String::from_utf8_lossy(&output.stderr).contains("/none"))
}

#[test]
fn help_and_version_need_nothing_at_all() {
    let place = Place::new();
    for args in [&["version"][..], &["help"], &["help", "containers"]] {
        let Some(sx) = alone(&place, args) else {
            return;
        };
        assert!(!sx.run().check_code(0).stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn the_demo_says_that_there_is_no_shell() {
    let place = Place::new();
    let Some(sx) = alone(&place, &["demo"]) else {
        return;
    };
    let ran = sx.run();
    ran.check_code(3).check_stdout("").check_said("sh");
    assert!(ran.stderr.lines().count() <= 2, "{}", ran.stderr);
}

#[test]
fn a_task_is_done_and_what_is_missing_is_told_to_the_model() {
    let place = Place::new();
    let calls = Answer::new()
        .bash("call_1", "echo hello")
        .call("call_2", "read", &json!({"path": "/none"}))
        .call(
            "call_3",
            "write",
            &json!({"path": "new.txt", "content": "x"}),
        );
    let server = Server::start([
        Reply::events(&calls.whole()),
        Reply::events(&Answer::new().say("done").whole()),
    ]);
    let Some(sx) = alone(&place, &["exec", "go"]) else {
        return;
    };
    let ran = sx
        .asking(&server)
        .env("CODEX_CREDENTIALS_FILE", "/auth.json")
        .env("SANDBOX", "off")
        .run();
    ran.check_code(0).check_stdout("done\n");
    let request = &server.requests()[1];
    assert!(
        request.result("call_1").contains("sh"),
        "{}",
        request.result("call_1")
    );
    assert!(request.result("call_2").contains("/none"));
    assert!(request.result("call_3").contains("new.txt"));
}

#[test]
fn the_sandbox_holds_without_proc() {
    let place = Place::new();
    let call = Answer::new().call("call_1", "read", &json!({"path": "/auth.json"}));
    let server = Server::start([
        Reply::events(&call.whole()),
        Reply::events(&Answer::new().say("done").whole()),
    ]);
    let Some(sx) = alone(&place, &["exec", "--sandbox", "read-only", "go"]) else {
        return;
    };
    let sx = sx
        .asking(&server)
        .env("CODEX_CREDENTIALS_FILE", "/auth.json");
    sx.run().check_code(0).check_stdout("done\n");
    let result = server.requests()[1].result("call_1");
    assert!(!result.contains("refresh-first"), "{result}");
}

#[test]
fn a_token_over_ssh_lacks_a_client() {
    let place = Place::new();
    let Some(sx) = alone(&place, &["fetchtoken", "--source", "ssh"]) else {
        return;
    };
    let ran = sx.env("CODEX_SSH_HOST", "build7").run();
    ran.check_code(3).check_stdout("");
    let what = "sx: no_client: ssh build7: ";
    assert!(ran.stderr.starts_with(what), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
}
