//! Sessions on disk: what is kept, what resume sends, and what a crash may leave behind.

use crate::place::Credential;
use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::server::gate;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

fn saying(text: &str) -> Reply {
    Reply::events(&Answer::new().think("hm", "sealed").say(text).whole())
}

/// A place with one session of two requests, and the body of the last of them.
fn place_with_session() -> (Place, Vec<u8>) {
    let place = Place::with_credential();
    let call = Answer::new()
        .think("t", "sealed")
        .bash("call_1", "echo one")
        .whole();
    let server = Server::start([Reply::events(&call), saying("first answer")]);
    place.exec(&server, ["first question"]).run().check_code(0);
    let last = server.requests().pop().expect("two requests");
    (place, last.body)
}

fn only_session(place: &Place) -> PathBuf {
    let mut sessions = place.sessions();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    sessions.remove(0)
}

fn id_of(path: &Path) -> String {
    let stem = path.file_stem().expect("a name");
    stem.to_string_lossy().into_owned()
}

/// Resumes with a prompt, and returns the one request that was made and what was said.
#[track_caller]
fn resume(place: &Place, prompt: &str) -> (Vec<u8>, String) {
    let server = Server::start([saying("second answer")]);
    let ran = place.exec(&server, ["--resume", "last", prompt]).run();
    ran.check_code(0).check_stdout("second answer\n");
    server.check_done();
    (server.requests()[0].body.clone(), ran.stderr)
}

#[test]
fn a_session_is_private_and_holds_no_token() {
    let (place, _) = place_with_session();
    let path = only_session(&place);
    let mode = |path: &Path| {
        let facts = fs::metadata(path).expect("it is there");
        facts.permissions().mode() & 0o777
    };
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().expect("a folder")), 0o700);
    let text = fs::read_to_string(&path).expect("text");
    assert!(!text.contains(&Credential::default().access_token()));
    for (number, line) in text.lines().enumerate() {
        let line: Value = serde_json::from_str(line).expect("JSON lines");
        assert_eq!(line.get("sx_session").is_some(), number == 0);
    }
}

#[test]
fn resume_sends_the_same_bytes_and_the_new_words() {
    let (place, before) = place_with_session();
    let (body, _) = resume(&place, "second question");
    let prefix = before.strip_suffix(b"]}").expect("input is last");
    assert!(body.starts_with(prefix), "the cache is lost");
    let rest = String::from_utf8_lossy(&body[prefix.len()..]).into_owned();
    assert!(rest.contains("first answer"), "{rest}");
    assert!(rest.contains("second question"), "{rest}");
}

#[test]
fn resume_may_be_said_in_many_ways() {
    let (place, _) = place_with_session();
    let path = only_session(&place);
    let id = id_of(&path);
    for args in [
        &["--resume", &id, "go"][..],
        &["--resume", &id[..8], "go"],
        &["-c", "go"],
    ] {
        let server = Server::start([saying("again")]);
        place.exec(&server, args).run().check_code(0);
        let body = String::from_utf8(server.requests()[0].body.clone()).expect("UTF-8");
        assert!(body.contains("first question"), "{args:?}");
    }
    let unknown = ["--resume", "no-such-session", "go"];
    let ran = place.exec(&Server::start([]), unknown).run();
    ran.check_code(2).check_said("no-such-session");
}

#[test]
fn a_torn_last_line_is_left_out_and_said() {
    let (place, _) = place_with_session();
    let path = only_session(&place);
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("our file");
    file.write_all(b"{\"message\":{\"user\":[{\"te")
        .expect("written");
    let (body, said) = resume(&place, "go on");
    assert!(said.contains("torn") || said.contains("line"), "{said}");
    let body = String::from_utf8(body).expect("UTF-8");
    assert!(body.contains("first answer") && body.contains("go on"));
    let (body, _) = resume(&place, "and on");
    let body = String::from_utf8(body).expect("UTF-8");
    assert!(body.contains("go on") && body.contains("second answer"));
}

#[test]
fn a_session_cut_anywhere_loads() {
    let (place, _) = place_with_session();
    let path = only_session(&place);
    let id = id_of(&path);
    let whole = fs::read(&path).expect("our file");
    // Every line's start, middle and end: each byte is the session module's own test.
    let line_ends = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    for (end, _) in line_ends {
        for cut in [end / 2, end, end + 1] {
            fs::write(&path, &whole[..cut]).expect("our file");
            let server = Server::start([saying("second answer")]);
            let ran = place.exec(&server, ["--resume", &id, "go on"]).run();
            ran.check_code(0).check_stdout("second answer\n");
        }
    }
}

/// A turn that a signal ends in the middle of a call; then it is resumed.
#[track_caller]
fn check_signal(signal: Signal, code: i32) {
    let place = Place::with_credential();
    let alive = place.listen("work/alive");
    let call = Answer::new().bash("call_1", "exec 9>alive; echo up >&9; sleep 600");
    let server = Server::start([Reply::events(&call.whole())]);
    let running = place.exec(&server, ["--json", "first question"]).start();
    alive.wait_for("up");
    running.signal(signal);
    let ran = running.wait();
    ran.check_code(code);
    assert_eq!(ran.result()["status"], "cancelled");
    alive.check_closes();
    let (body, _) = resume(&place, "go on");
    let body = String::from_utf8(body).expect("UTF-8");
    assert!(body.contains("first question") && body.contains("go on"));
    assert!(
        body.contains("function_call_output"),
        "the call has its answer: {body}"
    );
}

#[test]
fn ctrl_c_is_130_and_leaves_a_session() {
    check_signal(Signal::SIGINT, 130);
}

#[test]
fn term_is_143_and_leaves_a_session() {
    check_signal(Signal::SIGTERM, 143);
}

#[test]
fn a_hang_up_is_129_and_leaves_a_session() {
    check_signal(Signal::SIGHUP, 129);
}

#[test]
fn a_signal_in_the_middle_of_an_answer_ends_at_once() {
    let place = Place::with_credential();
    let (gate, _opener) = gate();
    let half = Answer::new().say_half("half a wo").torn();
    let server = Server::start([Reply::events_then_hold(&half, gate)]);
    let running = place
        .exec(&server, ["--json", "--deltas", "first question"])
        .start();
    running.wait_for_stdout("half a wo");
    running.signal(Signal::SIGINT);
    running.wait().check_code(130);
    let (body, _) = resume(&place, "go on");
    assert!(String::from_utf8_lossy(&body).contains("first question"));
}

#[test]
fn an_interrupted_run_says_how_to_go_on() {
    let place = Place::with_credential();
    let (gate, _opener) = gate();
    let server = Server::start([Reply::events_then_hold(&[], gate)]);
    let running = place.exec(&server, ["question"]).start();
    server.wait_for_requests(1);
    running.signal(Signal::SIGTERM);
    let ran = running.wait();
    ran.check_code(143).check_said("sx resume");
}

#[test]
fn where_no_session_can_be_kept_the_work_goes_on() {
    let place = Place::with_credential();
    let server = Server::start([saying("done"), saying("done"), saying("done")]);
    let ran = place
        .exec(&server, ["go"])
        .env("SESSION_DIR", "/proc/no/such/place")
        .run();
    ran.check_code(0).check_said("/proc/no/such/place");
    let homeless = place
        .exec(&server, ["go"])
        .without_env("HOME")
        .env("CODEX_CREDENTIALS_FILE", place.credential_path());
    homeless.run().check_code(0).check_stdout("done\n");
    place
        .exec(&server, ["--no-session", "go"])
        .run()
        .check_code(0);
    assert_eq!(place.sessions().len(), 0);
}

#[test]
fn sessions_are_listed_and_shown() {
    let (place, _) = place_with_session();
    let path = only_session(&place);
    let id = id_of(&path);
    let listed = place.sx(["sessions"]).run();
    let text = listed.check_code(0).text();
    assert!(
        text.contains(&id[..8]) && text.contains("first question"),
        "{text}"
    );
    let shown = place.sx(["sessions", "show", "last"]).run();
    assert!(shown.check_code(0).text().contains("first answer"));
    place.sx(["sessions", "prune"]).run().check_code(0);
    assert!(path.exists(), "a young session stays");
}

#[test]
fn a_run_that_never_began_leaves_nothing_to_come_back_to() {
    let place = Place::with_credential();
    let own = place.path("home");
    let ran = place.sx(["exec", "go"]).cwd(own).run();
    ran.check_code(3).check_said("-C DIR");
    assert!(!ran.stderr.contains("resume"), "{}", ran.stderr);
}

#[test]
fn a_session_keeps_its_model_unless_told_otherwise() {
    let place = Place::with_credential();
    let model = |args: &[&str]| {
        let server = Server::start([saying("an answer")]);
        let sx = place.exec(&server, args).env("MODEL", "of-environment");
        sx.run().check_code(0);
        server.requests()[0].json()["model"].to_string()
    };
    assert_eq!(model(&["-m", "first", "one"]), "\"first\"");
    assert_eq!(model(&["--resume", "last", "two"]), "\"first\"");
    assert_eq!(model(&["-c", "-m", "other", "three"]), "\"other\"");
    assert_eq!(model(&["-c", "four"]), "\"other\"");
}

#[test]
fn a_session_that_is_not_there_has_a_hint() {
    let place = Place::with_credential();
    let check = |args: &[&str], hint: &str| {
        let ran = place.sx(args).run();
        ran.check_code(2).check_stdout("").check_said(hint);
    };
    check(&["exec", "-c", "go"], "hint: `sx` or `sx exec` begins one");
    check(
        &["sessions", "show", "zz"],
        "hint: `sx sessions` lists them",
    );
    place
        .sx(["sessions"])
        .run()
        .check_said("there is no session in");
}
