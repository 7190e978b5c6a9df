//! The embedded default, and recordings that are served again.

use crate::place::Credential;
use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use nix::sys::signal::Signal;
use std::fs;

#[test]
fn the_demo_does_its_task_and_leaves_nothing() {
    let place = Place::new();
    let ran = place.sx(["demo"]).run();
    ran.check_code(0);
    let text = ran.text();
    assert!(text.contains("now all four words are right"), "{text}");
    ran.check_said("check.sh").check_said("apply_patch");
    for dir in ["tmp", "home", "work"] {
        assert_eq!(place.names(dir), [""; 0], "{dir}");
    }
}

#[test]
fn a_demo_that_is_kept_shows_its_work() {
    let place = Place::new();
    let ran = place.sx(["demo", "--keep"]).run();
    ran.check_code(0).check_said("kept:");
    let kept = fs::read_dir(place.path("tmp")).expect("a folder");
    let kept: Vec<_> = kept.flatten().map(|entry| entry.path()).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let program = fs::read_to_string(kept[0].join("work/fizz.sh")).expect("the program");
    let first = program.find("% 15").expect("fifteen");
    assert!(first < program.find("% 3)").expect("three"), "{program}");
}

#[test]
fn the_demo_runs_without_a_home_and_beside_odd_settings() {
    let place = Place::new();
    place.write("work/scorpiox-env.txt", "MODEL=odd\n");
    let ran = place
        .sx(["demo"])
        .without_env("HOME")
        .env("CODEX_BASE_URL", "http://192.0.2.1/")
        .env("CODEX_CREDENTIALS_FILE", "/none/such.json")
        .run();
    ran.check_code(0);
}

#[test]
fn the_demo_says_what_is_missing() {
    let place = Place::new();
    let ran = place.sx(["demo"]).env("TMPDIR", "/proc/none").run();
    ran.check_code(3).check_said("/proc/none");
}

#[test]
fn a_recording_is_served_again_and_holds_no_secret() {
    let place = Place::with_credential();
    let server = Server::start([
        Reply::events(&Answer::new().bash("call_1", "echo ran").whole()),
        Reply::events(&Answer::new().say("as recorded").whole()),
    ]);
    let args = ["--record", "recording", "go"];
    place
        .exec(&server, args)
        .run()
        .check_code(0)
        .check_stdout("as recorded\n");
    let recording = fs::read_dir(place.path("work/recording")).expect("a folder");
    let files: Vec<_> = recording.flatten().map(|entry| entry.path()).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    for path in &files {
        let bytes = fs::read(path).expect("a file");
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            !text.contains(&Credential::default().access_token()),
            "{text}"
        );
        assert!(!text.contains("account-1"), "{text}");
    }

    let replay = place.sx(["replay", "recording"]).start();
    let settings = replay.wait_for_stdout("\n");
    let mut sx = place.sx(["exec", "go again"]);
    for setting in settings.split_whitespace() {
        let (name, value) = setting.split_once('=').expect("NAME=VALUE");
        sx = sx.env(name, value);
    }
    sx.run().check_code(0).check_stdout("as recorded\n");
    replay.signal(Signal::SIGTERM);
    let ran = replay.wait();
    ran.check_code(143)
        .check_said("0002 POST")
        .check_said("the body differs");
    assert_eq!(place.names("tmp"), [""; 0]);
}

#[test]
fn a_folder_without_a_recording_is_named() {
    let place = Place::new();
    let ran = place.sx(["replay", "none"]).run();
    ran.check_code(2).check_said("none");
    place.write("work/bad/0001.request", "rubbish\r\n\r\n");
    place.write("work/bad/0001.response", "");
    let ran = place.sx(["replay", "bad"]).run();
    ran.check_code(2).check_said("0001.request");
}
