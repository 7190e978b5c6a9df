//! Tools as the model uses them, through the whole program: the answers that it reads.

use crate::place::Place;
use crate::provider::PNG;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Request;
use crate::server::Server;
use crate::sx::Ran;
use serde_json::Value;
use serde_json::json;

/// One answer with calls, then the end. What the model was told is in the request.
#[track_caller]
fn run_in(place: &Place, answer: Answer, args: &[&str]) -> (Request, Ran) {
    let done = Answer::new().say("done").whole();
    let server = Server::start([Reply::events(&answer.whole()), Reply::events(&done)]);
    let args = ["--json", "go"].iter().chain(args);
    let ran = place.exec(&server, args).run();
    ran.check_code(0);
    server.check_done();
    (server.requests().remove(1), ran)
}

/// The text that the one call of an answer was answered with.
#[track_caller]
fn result_in(place: &Place, answer: Answer) -> String {
    run_in(place, answer, &[]).0.result("call_1")
}

#[track_caller]
fn result_of(answer: Answer) -> String {
    result_in(&Place::with_credential(), answer)
}

#[test]
fn a_command_tells_its_output_and_its_status() {
    let result = result_of(Answer::new().bash("call_1", "echo out; echo err >&2; exit 3"));
    assert!(result.contains("out\nerr\n"), "{result}");
    assert!(result.contains("exit 3"), "{result}");
    let result = result_of(Answer::new().bash("call_1", "kill -9 $$"));
    assert!(result.to_lowercase().contains("kill"), "{result}");
}

#[test]
fn a_command_has_no_terminal_and_no_input() {
    let script = "cat; (: </dev/tty) 2>/dev/null || echo no tty; echo $PAGER $GIT_TERMINAL_PROMPT";
    let result = result_of(Answer::new().bash("call_1", script));
    assert!(result.contains("no tty\ncat 0\n"), "{result}");
}

#[test]
fn broken_arguments_are_an_answer_and_not_an_end() {
    let result = result_of(Answer::new().call_raw("call_1", "bash", "{\"command\": \"ls"));
    assert!(result.contains("JSON"), "{result}");
    let result = result_of(Answer::new().call_raw("call_1", "bash", ""));
    assert!(result.contains("command"), "{result}");
    let wrong = json!({"command": 5});
    let result = result_of(Answer::new().call("call_1", "bash", &wrong));
    assert!(result.contains("command"), "{result}");
    let extra = json!({"command": "true", "cmd": "true"});
    let result = result_of(Answer::new().call("call_1", "bash", &extra));
    assert!(result.contains("cmd"), "{result}");
}

#[test]
fn a_tool_that_does_not_exist_is_an_answer_that_names_those_that_do() {
    let (request, ran) = run_in(
        &Place::with_credential(),
        Answer::new().call("call_1", "bsah", &json!({})),
        &[],
    );
    let result = request.result("call_1");
    assert!(
        result.contains("bsah") && result.contains("bash"),
        "{result}"
    );
    let call = &ran.events_of("call")[0];
    assert_eq!(call["name"], "bsah");
    assert_eq!(ran.events_of("result_of")[0]["ok"], false);
}

#[test]
fn a_tool_that_is_switched_off_is_not_offered_and_not_run() {
    let place = Place::with_credential();
    let answer = Answer::new().bash("call_1", "echo ran > ran.txt");
    let (request, _) = run_in(&place, answer, &["-e", "TOOL_BASH=0"]);
    let offered = request.json()["tools"].to_string();
    assert!(!offered.contains("\"bash\""), "{offered}");
    assert!(!place.path("work/ran.txt").exists());
}

#[test]
fn neighbouring_reads_are_answered_in_order() {
    let place = Place::with_credential();
    let mut answer = Answer::new();
    for number in 0..5 {
        place.write(&format!("work/{number}.txt"), format!("text {number}\n"));
        let path = json!({"path": format!("{number}.txt")});
        answer = answer.call(&format!("call_{number}"), "read", &path);
    }
    let (request, _) = run_in(&place, answer, &[]);
    for number in 0..5 {
        let result = request.result(&format!("call_{number}"));
        assert!(result.contains(&format!("text {number}")), "{result}");
    }
    let input = request.input();
    let answered = input
        .iter()
        .filter(|item| item["type"] == "function_call_output");
    let ids: Vec<&Value> = answered.map(|item| &item["call_id"]).collect();
    assert_eq!(ids, ["call_0", "call_1", "call_2", "call_3", "call_4"]);
}

#[test]
fn calls_that_change_something_run_one_after_the_other() {
    let place = Place::with_credential();
    let content = json!({"path": "new/file.txt", "content": "one\ntwo\n"});
    let edit = json!({"path": "new/file.txt", "edits": [{"old": "two", "new": "three"}]});
    let answer = Answer::new()
        .call("call_1", "write", &content)
        .bash("call_2", "cat new/file.txt")
        .call("call_3", "edit", &edit)
        .call("call_4", "read", &json!({"path": "new/file.txt"}));
    let (request, _) = run_in(&place, answer, &[]);
    assert!(request.result("call_2").contains("one\ntwo\n"));
    assert!(request.result("call_4").contains("three"));
    assert_eq!(place.read("work/new/file.txt"), "one\nthree\n");
}

#[test]
fn a_patch_is_given_as_free_text() {
    let place = Place::with_credential();
    place.write("work/a.txt", "one\r\ntwo\r\nthree\r\n");
    place.write("work/b.txt", "bye\n");
    let patch = "*** Begin Patch\n*** Update File: a.txt\n@@\n one\n-two\n+2\n three\n\
                 *** Add File: sub/c.txt\n+new\n*** Delete File: b.txt\n*** End Patch\n";
    let (request, ran) = run_in(
        &place,
        Answer::new().freeform("call_1", "apply_patch", patch),
        &[],
    );
    let result = request.result("call_1");
    for line in ["M a.txt", "A sub/c.txt", "D b.txt"] {
        assert!(result.contains(line), "{result}");
    }
    assert_eq!(place.read("work/a.txt"), "one\r\n2\r\nthree\r\n");
    assert_eq!(place.read("work/sub/c.txt"), "new\n");
    assert!(!place.path("work/b.txt").exists());
    assert_eq!(ran.events_of("result_of")[0]["ok"], true);
}

#[test]
fn a_patch_that_does_not_fit_changes_nothing() {
    let place = Place::with_credential();
    place.write("work/a.txt", "one\n");
    let patch = "*** Begin Patch\n*** Add File: new.txt\n+new\n*** Update File: a.txt\n@@\n-two\n\
                 +2\n*** End Patch\n";
    let result = result_in(
        &place,
        Answer::new().freeform("call_1", "apply_patch", patch),
    );
    assert!(result.contains("a.txt"), "{result}");
    assert_eq!(place.read("work/a.txt"), "one\n");
    assert!(!place.path("work/new.txt").exists());
}

#[test]
fn what_cannot_be_read_is_answered_at_once() {
    let place = Place::with_credential();
    let _fifo = place.listen("work/fifo");
    place.write("work/nul", b"a\0b");
    place.write("work/invalid", b"caf\xe9 ok\n");
    for (path, expected) in [
        ("none.txt", "none.txt"),
        (".", "directory"),
        ("fifo", "fifo"),
        ("/dev/zero", "/dev/zero"),
        ("nul", "nul"),
        ("invalid", "ok"),
    ] {
        let call = Answer::new().call("call_1", "read", &json!({"path": path}));
        let result = result_in(&place, call);
        assert!(result.contains(expected), "{path}: {result}");
    }
}

#[test]
fn a_picture_comes_back_as_a_picture() {
    let place = Place::with_credential();
    place.write("work/dot.png", PNG);
    let call = Answer::new().call("call_1", "view_image", &json!({"path": "dot.png"}));
    let (request, _) = run_in(&place, call, &[]);
    let input = request.input();
    let item = input
        .iter()
        .find(|item| item["type"] == "function_call_output");
    let parts = item.expect("an answer")["output"].to_string();
    assert!(parts.contains("input_image") && parts.contains("data:image/png;base64,"));
}

#[test]
fn large_output_is_cut_and_all_of_it_is_in_a_file() {
    let place = Place::with_credential();
    let answer = Answer::new()
        .bash(
            "call_1",
            "echo start; head -c 1000000 /dev/zero | tr '\\0' x; echo; echo end",
        )
        .bash("call_2", "cat $TMPDIR/spill/* | wc -c");
    let (request, ran) = run_in(&place, answer, &[]);
    let result = request.result("call_1");
    assert!(result.len() < 64 * 1024, "{} bytes", result.len());
    assert!(result.contains("start") && result.contains("end"));
    assert!(
        request.result("call_2").contains("1000011"),
        "{}",
        request.result("call_2")
    );
    let event = &ran.events_of("result_of")[0];
    assert_eq!(event["truncated"], true);
    let spill = event["spill"].as_str().expect("a path");
    assert!(result.contains(spill), "the model is told where: {result}");
    assert_eq!(place.names("tmp"), [""; 0], "the hands clean up");
}

#[test]
fn odd_bytes_reach_the_model_as_text() {
    let script = "printf 'un caf\\351 et \\033[1mdeux\\n'";
    let result = result_of(Answer::new().bash("call_1", script));
    assert!(result.contains("un caf\u{fffd} et "), "{result:?}");
    assert!(result.contains("deux"), "{result:?}");
}
