//! `sx exec`: one task without a person. Streams, codes, and the shape of machine output.

use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::server::Step;
use crate::server::gate;
use crate::sx::Running;
use nix::sys::signal::Signal;
use serde_json::Value;
use serde_json::json;
use std::io::Read;

/// A server that says one thing.
fn saying(text: &str) -> Server {
    Server::start([Reply::events(&Answer::new().say(text).whole())])
}

#[test]
fn the_final_answer_is_on_stdout_and_progress_on_stderr() {
    let place = Place::with_credential();
    let server = Server::start([
        Reply::events(
            &Answer::new()
                .say("First I look.")
                .bash("call_1", "echo seen")
                .whole(),
        ),
        Reply::events(&Answer::new().say("The answer.\nTwo lines.").whole()),
    ]);
    let ran = place.exec(&server, ["what is it"]).run();
    ran.check_code(0)
        .check_stdout("The answer.\nTwo lines.\n")
        .check_said("echo seen");
    server.check_done();
}

#[test]
fn the_last_message_goes_to_a_file_too() {
    let place = Place::with_credential();
    let ran = place.exec(&saying("kept"), ["-o", "last.txt", "go"]).run();
    ran.check_code(0).check_stdout("kept\n");
    assert_eq!(place.read("work/last.txt").trim_end(), "kept");
}

#[test]
fn options_stand_before_or_after_the_command() {
    let place = Place::with_credential();
    let before = place.sx(["--json", "-m", "model-x", "exec", "go"]);
    let server = saying("a");
    before.asking(&server).run().check_code(0);
    assert_eq!(server.requests()[0].json()["model"], "model-x");
    let server = saying("a");
    let after = place.sx(["-p", "go", "--json", "--model=model-y"]);
    let ran = after.asking(&server).run();
    ran.check_code(0);
    assert_eq!(ran.result()["status"], "done");
    assert_eq!(server.requests()[0].json()["model"], "model-y");
}

#[test]
fn the_prompt_comes_from_stdin_or_a_file_when_asked() {
    let place = Place::with_credential();
    let prompt_of = |args: &[&str], stdin: &str| {
        let server = saying("a");
        place.exec(&server, args).stdin(stdin).run().check_code(0);
        let input = server.requests()[0].input();
        input.last().expect("a prompt").to_string()
    };
    assert!(prompt_of(&["-"], "from stdin").contains("from stdin"));
    assert!(prompt_of(&["-f", "-"], "from stdin").contains("from stdin"));
    place.write("work/prompt.txt", "from a file");
    assert!(prompt_of(&["-f", "prompt.txt"], "").contains("from a file"));
    let both = prompt_of(&["--stdin", "from an argument"], "and from stdin");
    assert!(both.contains("from an argument") && both.contains("and from stdin"));
}

#[test]
fn a_prompt_that_is_given_never_waits_for_stdin() {
    let place = Place::with_credential();
    place
        .exec(&saying("a"), ["go"])
        .silent_stdin()
        .run()
        .check_code(0)
        .check_stdout("a\n");
    place
        .exec(&saying("b"), ["go"])
        .closed_stdin()
        .run()
        .check_code(0)
        .check_stdout("b\n");
}

/// A run with thinking, words, a call and a second answer, as JSON lines.
fn json_run(more: &[&str]) -> Vec<Value> {
    let place = Place::with_credential();
    let first = Answer::new()
        .think("I think", "sealed")
        .say("Looking.")
        .call("call_1", "bash", &json!({"command": "echo out; exit 3"}))
        .whole();
    let second = Answer::new().say("Done.").whole();
    let server = Server::start([Reply::events(&first), Reply::events(&second)]);
    let ran = place.exec(&server, ["--json", "go"]);
    let ran = more.iter().fold(ran, |ran, arg| ran.arg(arg)).run();
    ran.check_code(0);
    server.check_done();
    ran.events()
}

#[test]
fn json_events_come_in_their_order() {
    let events = json_run(&[]);
    let kinds: Vec<&str> = events
        .iter()
        .filter_map(|event| event["type"].as_str())
        .filter(|kind| *kind != "warning")
        .collect();
    let place_of = |kind: &str, n: usize| {
        let places = kinds.iter().enumerate().filter(|(_, have)| **have == kind);
        let mut places = places.map(|(place, _)| place);
        places
            .nth(n)
            .unwrap_or_else(|| panic!("{kind} {n} in {kinds:?}"))
    };
    assert_eq!(kinds[..2], ["session", "turn"]);
    let first = [
        place_of("turn", 0),
        place_of("reasoning", 0),
        place_of("text", 0),
        place_of("call", 0),
        place_of("result_of", 0),
        place_of("turn", 1),
        place_of("text", 1),
        place_of("usage", 1),
        place_of("result", 0),
    ];
    assert!(first.is_sorted(), "{kinds:?}");
    assert!(place_of("usage", 0) < place_of("turn", 1), "{kinds:?}");
    assert_eq!(kinds.len(), 11, "{kinds:?}");
}

/// The one event of this type, or the first, must hold these fields with these values; a null in
/// `expected` stands for any value.
#[track_caller]
fn check_event(events: &[Value], kind: &str, expected: Value) {
    let event = events.iter().find(|event| event["type"] == kind);
    let event = event.unwrap_or_else(|| panic!("no {kind}"));
    for (name, value) in expected.as_object().expect("an object") {
        let got = event.get(name);
        let got = got.unwrap_or_else(|| panic!("{kind} has no {name}: {event}"));
        assert!(value.is_null() || got == value, "{kind}.{name} is {got}");
    }
}

#[test]
fn each_json_event_has_the_fields_of_schema_1() {
    let events = json_run(&[]);
    check_event(
        &events,
        "session",
        json!({"v": 1, "sx": null, "session": null, "provider": "codex",
            "model": "gpt-5.3-codex", "account": "person@example.org (plus)", "cwd": null,
            "sandbox": null, "hands": "local"}),
    );
    check_event(&events, "turn", json!({"n": 1}));
    check_event(&events, "reasoning", json!({"text": "I think"}));
    check_event(&events, "text", json!({"text": "Looking."}));
    check_event(
        &events,
        "call",
        json!({"id": "call_1", "name": "bash", "arguments": {"command": "echo out; exit 3"}}),
    );
    check_event(
        &events,
        "result_of",
        json!({"id": "call_1", "ok": false, "exit": 3, "ms": null, "output": null,
            "truncated": false, "spill": null}),
    );
    check_event(
        &events,
        "usage",
        json!({"input": 100, "cached": 40, "output": 10, "reasoning": 3, "context": null,
            "limits": []}),
    );
    let usage = json!({"input": 200, "cached": 80, "output": 20, "reasoning": 6});
    check_event(
        &events,
        "result",
        json!({"status": "done", "exit": 0, "text": "Done.", "error": null, "turns": 2,
            "usage": usage, "session": null}),
    );
    assert!(events.iter().all(|event| event["type"] != "delta"));
}

#[test]
fn deltas_are_written_when_asked_and_add_up() {
    let events = json_run(&["--deltas"]);
    let joined = |kind: &str| -> String {
        let events = events.iter().filter(|event| event["type"] == kind);
        events.filter_map(|event| event["text"].as_str()).collect()
    };
    assert_eq!(joined("delta"), "Looking.Done.");
    assert_eq!(joined("output"), "out\n");
}

#[test]
fn a_limit_of_turns_is_code_6() {
    let place = Place::with_credential();
    let server = Server::start([Reply::events(
        &Answer::new().bash("call_1", "echo again").whole(),
    )]);
    let ran = place
        .exec(&server, ["--json", "--max-turns", "1", "go"])
        .run();
    ran.check_code(6);
    assert_eq!(ran.result()["status"], "limit");
    server.check_done();
}

#[test]
fn a_limit_of_time_is_code_6_and_stops_the_call() {
    let place = Place::with_credential();
    let alive = place.listen("work/alive");
    let answer = Answer::new().bash("call_1", "exec 9>alive; echo up >&9; sleep 600");
    let server = Server::start([Reply::events(&answer.whole())]);
    let ran = place
        .exec(&server, ["--json", "--timeout", "2s", "go"])
        .run();
    ran.check_code(6);
    assert_eq!(ran.result()["status"], "limit");
    alive.check_closes();
}

#[test]
fn output_that_cannot_be_written_is_code_9() {
    let place = Place::with_credential();
    let full = || {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).open("/dev/full").expect("/dev/full")
    };
    let closed = || {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        writer
    };
    for json in [&["go"][..], &["--json", "go"]] {
        place
            .exec(&saying("a"), json)
            .run_into(full())
            .check_code(9);
        place
            .exec(&saying("a"), json)
            .run_into(closed())
            .check_code(9);
    }
}

#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let place = Place::with_credential();
    let (gate, opener) = gate();
    let mut steps = vec![Step::Hold(gate)];
    let events = Answer::new().say("still here").whole();
    steps.extend(Reply::events(&events).into_steps());
    let server = Server::start([Reply::steps(steps)]);
    let running = place.exec(&server, ["go"]).ignoring("HUP").start();
    server.wait_for_requests(1);
    running.signal(Signal::SIGHUP);
    drop(opener);
    let ran = running.wait();
    ran.check_code(0).check_stdout("still here\n");
}

#[test]
fn a_long_prompt_and_a_long_answer_pass() {
    let place = Place::with_credential();
    let long = "word ".repeat(600_000);
    place.write("work/prompt.txt", &long);
    let server = saying(&long);
    let ran = place.exec(&server, ["-f", "prompt.txt"]).run();
    ran.check_code(0);
    assert!(
        ran.text().trim_end() == long.trim_end(),
        "{} bytes",
        ran.stdout.len()
    );
    let input = server.requests()[0].input().pop().expect("a prompt");
    assert!(input.to_string().len() > long.len());
}

/// Runs against an answer that no pipe can hold, for a reader that reads its beginning and then no
/// more; `stop` is done to the run that is stuck by then, and ends it with `code`.
#[track_caller]
fn check_stuck(args: &[&str], stop: impl Fn(&Running), code: i32) {
    let place = Place::with_credential();
    let server = saying(&"long ".repeat(100_000));
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let sx = place.exec(&server, args).stderr_into_stdout();
    let running = sx.start_into(writer);
    // More than all lines before the answer.
    reader.read_exact(&mut [0; 4_000]).expect("it writes");
    stop(&running);
    running.wait().check_code(code);
    assert_eq!(place.sessions().len(), 1);
}

#[test]
fn a_reader_that_does_not_read_keeps_nobody_from_stopping_the_run() {
    let send = |signal| move |running: &Running| running.signal(signal);
    check_stuck(&["--json", "go"], send(Signal::SIGTERM), 143);
    check_stuck(&["--json", "go"], send(Signal::SIGINT), 130);
    check_stuck(&["go"], send(Signal::SIGTERM), 143);
    check_stuck(&["go"], send(Signal::SIGHUP), 129);
    check_stuck(&["--json", "--timeout", "1s", "go"], |_| {}, 6);
    check_stuck(&["--timeout", "1s", "go"], |_| {}, 6);
}
