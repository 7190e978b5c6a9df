//! The command line from outside: what needs no service at all.

use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;
use std::fs::File;

fn saying(text: &str) -> Reply {
    Reply::events(&Answer::new().say(text).whole())
}

#[test]
fn help_and_version_need_nothing() {
    let place = Place::new();
    place.write("work/scorpiox-env.txt", "IDLE_TIMEOUT=soon\n");
    let bare = |args: &[&str]| {
        place
            .sx(args)
            .without_env("HOME")
            .without_env("PATH")
            .without_env("TMPDIR")
            .run()
    };
    for args in [&["help"][..], &["--help"], &["-h"], &["exec", "--help"]] {
        let ran = bare(args);
        ran.check_code(0);
        assert!(ran.text().contains("exec"), "{args:?}: {}", ran.text());
    }
    for args in [&["version"][..], &["--version"], &["-V"]] {
        let ran = bare(args);
        let version = env!("CARGO_PKG_VERSION");
        assert!(ran.check_code(0).text().contains(version), "{args:?}");
    }
    for topic in ["exit", "settings", "json"] {
        assert!(
            bare(&["help", topic]).check_code(0).text().len() > 100,
            "{topic}"
        );
    }
}

#[test]
fn the_facts_of_the_build_are_json() {
    let place = Place::new();
    let ran = place.sx(["version", "--json"]).run();
    let facts: Value = serde_json::from_str(ran.check_code(0).text()).expect("JSON");
    assert_eq!(facts["version"], env!("CARGO_PKG_VERSION"));
    for name in ["commit", "target", "rustls", "packages"] {
        assert!(facts.get(name).is_some(), "{name} in {facts}");
    }
}

/// The command line is refused with code 2 and these words, and nothing is printed on stdout.
#[track_caller]
fn check_usage(args: &[&str], expected: &str) {
    let place = Place::with_credential();
    let ran = place.sx(args).run();
    ran.check_code(2).check_stdout("").check_said(expected);
}

#[test]
fn what_makes_no_sense_is_code_2_and_names_the_nearest() {
    check_usage(&["--jsno", "exec", "x"], "--json");
    check_usage(&["exce", "x"], "exec");
    check_usage(&["exec"], "prompt");
    check_usage(&[], "terminal");
    check_usage(&["exec", "-e", "MODLE=x", "go"], "MODEL");
    check_usage(&["demo", "--resume", "last"], "--resume");
    check_usage(&["help", "nothing-like-this"], "settings");
}

#[test]
fn a_second_name_is_a_command() {
    let place = Place::with_credential();
    let ran = place.called_as("scorpiox-config", ["--get", "MODEL"]).run();
    ran.check_code(0).check_stdout("sonnet\n");
    let ran = place
        .called_as("scorpiox-codex-fetchtoken", ["--source", "local"])
        .run();
    let line: Value = serde_json::from_str(ran.check_code(0).text()).expect("JSON");
    assert!(line["access_token"].is_string(), "{line}");
}

#[test]
fn help_into_a_closed_pipe_is_code_9() {
    let place = Place::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    place.sx(["help"]).run_into(writer).check_code(9);
}

/// More than a pipe holds, so that it is written only once the program reads.
const MORE_THAN_A_PIPE: usize = 256 * 1024;

#[test]
fn a_wait_for_a_prompt_hears_signals() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        for args in [&["-"][..], &["-f", "-"], &["--stdin", "go"]] {
            let place = Place::with_credential();
            let sx = place.exec(&Server::start([]), args).arg("--json");
            let mut running = sx.silent_stdin().start();
            running.write(&"x".repeat(MORE_THAN_A_PIPE));
            running.signal(signal);
            let ran = running.wait();
            ran.check_code(code).check_said("stdin");
            assert_eq!(ran.result()["status"], "cancelled", "{args:?}");
        }
    }
}

#[test]
fn a_wait_for_a_prompt_has_the_deadline_of_the_run() {
    let place = Place::with_credential();
    mkfifo(&place.path("work/fifo"), Mode::S_IRWXU).expect("a new pipe");
    for args in [&["-"][..], &["-f", "fifo"], &["-i", "fifo", "go"]] {
        let sx = place.exec(&Server::start([]), args);
        let ran = sx.arg("--timeout").arg("10ms").silent_stdin().run();
        ran.check_code(6).check_said("--timeout");
    }
}

#[test]
fn a_file_without_an_end_is_refused() {
    let place = Place::with_credential();
    for args in [
        &["-f", "/dev/zero"][..],
        &["-i", "/dev/zero", "go"],
        &["--output-schema", "/dev/zero", "go"],
    ] {
        let ran = place.exec(&Server::start([]), args).run();
        ran.check_code(2).check_said("/dev/zero is longer than");
    }
}

#[test]
fn output_that_is_lost_is_told_and_a_reader_that_left_is_not() {
    let place = Place::with_credential();
    let full = || File::options().write(true).open("/dev/full").expect("it");
    for args in [&["go"][..], &["-q", "go"], &["--json", "go"]] {
        let server = Server::start([saying("done")]);
        let ran = place.exec(&server, args).run_into(full());
        ran.check_code(9)
            .check_said("the output could not be written");
    }
    for args in [&["help"][..], &["config"], &["sessions"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let ran = place.sx(args).run_into(writer);
        ran.check_code(9);
        assert_eq!(ran.stderr, "", "{args:?}");
    }
}

#[test]
fn a_last_message_that_cannot_be_written_costs_no_request() {
    let place = Place::with_credential();
    let server = Server::start([]);
    let args = ["--json", "-o", "no/such/folder", "go"];
    let ran = place.exec(&server, args).run();
    ran.check_code(9).check_said("cannot write no/such/folder");
    assert_eq!(ran.result()["status"], "failed");
    let server = Server::start([saying("done")]);
    let ran = place.exec(&server, ["--json", "-o", "/dev/full", "go"]);
    let ran = ran.run();
    ran.check_code(9).check_said("cannot write /dev/full");
    let error = ran.result()["error"].to_string();
    assert!(error.contains("/dev/full"), "{error}");
}

#[test]
fn the_file_of_the_last_message_holds_nothing_else() {
    let place = Place::with_credential();
    place.write("work/last.txt", "what was there before and is longer");
    let server = Server::start([saying("new")]);
    let ran = place.exec(&server, ["-o", "last.txt", "go"]).run();
    ran.check_code(0);
    assert_eq!(place.read("work/last.txt"), "new");
}

#[test]
fn a_wrong_command_line_ends_with_a_result_too() {
    let place = Place::with_credential();
    for args in [
        &["exec", "--json", "--modle", "x", "go"][..],
        &["-p", "go", "--json", "-e", "MODLE=x"],
        &["--json", "exec"],
    ] {
        let ran = place.sx(args).run();
        let result = ran.check_code(2).check_said("hint: ").result();
        assert_eq!(
            (&result["status"], &result["exit"]),
            (&"failed".into(), &2.into())
        );
        let error = result["error"].as_str().expect("an error");
        assert!(
            !error.contains('\n') && result["hint"].is_string(),
            "{result}"
        );
    }
}
