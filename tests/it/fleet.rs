//! Many processes, one login: it is renewed once, and no death of any of them loses it.

use crate::heard::WAIT_MAX;
use crate::issuer::Issuer;
use crate::issuer::credential;
use crate::place::Credential;
use crate::place::Place;
use crate::sx::Running;
use nix::sys::signal::Signal;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

const EXPIRED: Credential = Credential {
    mark: "first",
    expires_at: 1_000_000_000,
    account: "account-1",
};

/// A machine whose login has expired, and who can renew it.
fn expired() -> (Place, Issuer) {
    let place = Place::new();
    place.write_credential(&EXPIRED);
    (place, Issuer::start("refresh-first"))
}

fn fetch(place: &Place, issuer: &Issuer) -> Running {
    place.sx(["fetchtoken"]).asking(&issuer.server).start()
}

#[track_caller]
fn check_fetched(running: Running, renewals: u32) {
    let ran = running.wait();
    let line: Value = serde_json::from_str(ran.check_code(0).text()).expect("JSON");
    assert_eq!(
        line["access_token"],
        json!(credential(renewals).access_token())
    );
}

/// The file is whole, private, and holds the newest login with all that was in it before.
#[track_caller]
fn check_file(place: &Place, issuer: &Issuer) {
    let file: Value = serde_json::from_str(&place.read("home/.codex/auth.json")).expect("JSON");
    let newest = credential(issuer.renewals());
    assert_eq!(file["tokens"]["access_token"], json!(newest.access_token()));
    let refresh_token = format!("refresh-{}", newest.mark);
    assert_eq!(file["tokens"]["refresh_token"], json!(refresh_token));
    assert_eq!(file["field_of_tomorrow"], json!({"kept": [1, 2, 3]}));
    let facts = fs::metadata(place.credential_path()).expect("a file");
    assert_eq!(facts.permissions().mode() & 0o777, 0o600);
    assert!(issuer.is_alive());
}

/// The processes that renew the login of a place, by what they are and where they run.
fn renewers(place: &Place) -> Vec<i32> {
    let work = place.path("work");
    let is_one = |pid: &i32| {
        let proc = Path::new("/proc").join(pid.to_string());
        let line = fs::read(proc.join("cmdline")).unwrap_or_default();
        line.ends_with(b"sx\0renew\0")
            && fs::read_link(proc.join("cwd")).is_ok_and(|cwd| cwd == work)
    };
    let entries = fs::read_dir("/proc").expect("a proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_one).collect()
}

/// The one process that renews, as soon as there is one.
#[track_caller]
fn wait_for_renewer(place: &Place) -> i32 {
    let begin = Instant::now();
    while begin.elapsed() < WAIT_MAX {
        if let [renewer] = renewers(place)[..] {
            return renewer;
        }
        std::thread::yield_now();
    }
    panic!("nobody renews the login");
}

fn kill(pid: i32) {
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid, Signal::SIGKILL).expect("it runs");
}

#[test]
fn fifty_at_once_renew_it_once() {
    let (place, issuer) = expired();
    let running: Vec<Running> = (0..50).map(|_| fetch(&place, &issuer)).collect();
    for one in running {
        check_fetched(one, 1);
    }
    assert_eq!(issuer.renewals(), 1);
    check_file(&place, &issuer);
    let names = place.names("home/.codex");
    assert_eq!(names, ["auth.json", "auth.json.lock", "auth.lock"]);
}

#[test]
fn whoever_asked_for_it_may_die_in_the_gap() {
    let (place, issuer) = expired();
    let hold = issuer.hold_answer();
    let running: Vec<Running> = (0..5).map(|_| fetch(&place, &issuer)).collect();
    issuer.server.wait_for("/oauth/token", 1);
    for one in &running {
        one.signal(Signal::SIGKILL);
    }
    drop(running);
    let last = fetch(&place, &issuer);
    drop(hold);
    check_fetched(last, 1);
    assert_eq!(issuer.renewals(), 1);
    check_file(&place, &issuer);
}

#[test]
fn whoever_renews_it_may_die_before_the_gap() {
    let (place, issuer) = expired();
    let lock = File::create(place.path("home/.codex/auth.lock")).expect("a file");
    lock.lock().expect("nobody holds it");
    let waiting = fetch(&place, &issuer);
    kill(wait_for_renewer(&place));
    drop(lock);
    check_fetched(waiting, 1);
    assert_eq!(issuer.renewals(), 1);
    check_file(&place, &issuer);
}

#[test]
fn whoever_dies_in_the_gap_is_named() {
    let (place, issuer) = expired();
    let _hold = issuer.hold_answer();
    let first = fetch(&place, &issuer);
    issuer.server.wait_for("/oauth/token", 1);
    let found = renewers(&place);
    assert_eq!(found.len(), 1);
    kill(found[0]);
    let others: Vec<Running> = (0..10).map(|_| fetch(&place, &issuer)).collect();
    for one in others.into_iter().chain([first]) {
        one.wait()
            .check_code(3)
            .check_said(&format!("(process {})", found[0]))
            .check_said("between the issuer's answer and the disk");
    }
    // One asked again; the others read what came of that.
    assert_eq!(issuer.server.requests_to("/oauth/token").len(), 2);
    // The old file is whole.
    let file: Value = serde_json::from_str(&place.read("home/.codex/auth.json")).expect("JSON");
    assert_eq!(file["tokens"]["refresh_token"], "refresh-first");
}

#[test]
fn ctrl_c_does_not_reach_the_renewal() {
    let (place, issuer) = expired();
    let hold = issuer.hold_answer();
    let first = fetch(&place, &issuer);
    issuer.server.wait_for("/oauth/token", 1);
    first.signal(Signal::SIGINT);
    first.wait().check_code(130);
    for pid in renewers(&place) {
        let pid = nix::unistd::Pid::from_raw(pid);
        nix::sys::signal::kill(pid, Signal::SIGTERM).expect("it runs");
    }
    drop(hold);
    check_fetched(fetch(&place, &issuer), 1);
    check_file(&place, &issuer);
}

/// The end of the hands kills all that is left below us, but not what spends a token.
#[test]
fn a_run_with_tools_that_is_stopped_leaves_the_renewal_alone() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let (place, issuer) = expired();
        let hold = issuer.hold_answer();
        let first = place.sx(["exec", "go"]).asking(&issuer.server).start();
        issuer.server.wait_for("/oauth/token", 1);
        first.signal(signal);
        first.wait().check_code(128 + signal as i32);
        assert_eq!(renewers(&place).len(), 1, "{signal}");
        drop(hold);
        check_fetched(fetch(&place, &issuer), 1);
        assert_eq!(issuer.renewals(), 1);
        check_file(&place, &issuer);
    }
}
