//! A conversation that becomes too long for its model: what is sent then, and when it ends.

use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Request;
use crate::server::Server;
use serde_json::Value;
use serde_json::json;

/// What fills a window of 16,384 tokens several times.
const LONG_COMMAND: &str = "yes word | head -c 20000";

fn says(text: &str) -> Reply {
    Reply::events(&Answer::new().say(text).whole())
}

fn runs(call_id: &str, command: &str) -> Reply {
    Reply::events(&Answer::new().bash(call_id, command).whole())
}

/// The same, and the service counts so many tokens.
fn runs_at(tokens: u64, call_id: &str, command: &str) -> Reply {
    let usage = json!({"input_tokens": tokens, "output_tokens": 10});
    Reply::events(&Answer::new().bash(call_id, command).whole_with(usage))
}

fn refuses() -> Reply {
    Reply::json(
        400,
        &json!({"error": {"code": "context_length_exceeded", "message": "This model's maximum \
            context length is 16384 tokens. However, your messages resulted in 20000 tokens."}}),
    )
}

/// Whether a request asks for a summary: it offers no tools and brings a record.
fn is_for_summary(request: &Request) -> bool {
    let body = request.json();
    let tools = body["tools"].as_array().map_or(0, Vec::len);
    tools == 0 && body["input"].to_string().contains("<record>")
}

/// The ids of the calls in a request's history, and those of its results.
fn pairs(request: &Request) -> (Vec<Value>, Vec<Value>) {
    let ids = |kind: &str| {
        let input = request.input();
        let items = input.iter().filter(|item| item["type"] == kind);
        items.map(|item| item["call_id"].clone()).collect()
    };
    (ids("function_call"), ids("function_call_output"))
}

#[test]
fn a_request_that_is_too_long_is_summed_up_once_and_goes_on() {
    let place = Place::with_credential();
    place.write("work/AGENTS.md", "never use tabs\n");
    let server = Server::start([
        runs("call_1", "echo one >kept"),
        runs("call_2", LONG_COMMAND),
        refuses(),
        says("Task: make it so.\nNext: look at kept."),
        says("all done"),
    ]);
    let ran = place.exec(&server, ["--json", "make it so"]).run();
    ran.check_code(0);
    server.check_done();
    let requests = server.requests();
    assert!(is_for_summary(&requests[3]));
    let record = requests[3].json()["input"].to_string();
    assert!(record.contains("echo one >kept"), "{record}");

    let input = requests[4].input();
    let (calls, results) = pairs(&requests[4]);
    assert_eq!(calls, ["call_2"]);
    assert_eq!(results, ["call_2"]);
    let text = json!(input).to_string();
    for kept in [
        "never use tabs",
        "make it so",
        "Next: look at kept.",
        "bytes left out",
    ] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    assert!(requests[4].body.len() < requests[2].body.len());
    // What stands before the conversation is as it was.
    assert_eq!(requests[4].json()["tools"], requests[2].json()["tools"]);
    assert_eq!(
        requests[4].json()["instructions"],
        requests[2].json()["instructions"]
    );

    assert_eq!(ran.events_of("compacting")[0]["cause"], "overflow");
    let compacted = &ran.events_of("compacted")[0];
    assert!(compacted["messages_before"].as_u64() > compacted["messages_after"].as_u64());
    let said = ran.events_of("text");
    assert_eq!(said.len(), 1, "the summary is no answer: {said:?}");

    // The next run sends what this one ended with, byte for byte.
    let again = Server::start([says("again")]);
    place
        .exec(&again, ["--resume", "last", "and now?"])
        .run()
        .check_code(0);
    let resumed = again.requests()[0].input();
    assert_eq!(resumed[..input.len()], input);

    // A person still finds all of it.
    let shown = place.sx(["sessions", "show", "last"]).run();
    shown.check_code(0);
    for said in ["echo one >kept", "all done", "and now?"] {
        assert!(shown.text().contains(said), "{said}: {}", shown.text());
    }
}

#[test]
fn a_window_that_is_nearly_full_is_summed_up_before_it_overflows() {
    let place = Place::with_credential();
    let server = Server::start([
        runs("call_0", LONG_COMMAND),
        runs_at(9_000, "call_1", "echo one"),
        says("Next: go on."),
        says("all done"),
    ]);
    let ran = place
        .exec(&server, ["-e", "CONTEXT_WINDOW=10000", "make it so"])
        .run();
    ran.check_code(0).check_stdout("all done\n");
    ran.check_said("the model's window is nearly full: the conversation is being summed up");
    server.check_done();
    assert!(!is_for_summary(&server.requests()[3]));
}

#[test]
fn compact_at_zero_waits_for_the_service() {
    let place = Place::with_credential();
    let server = Server::start([runs_at(9_999, "call_1", "echo one"), says("all done")]);
    let settings = ["-e", "CONTEXT_WINDOW=10000", "-e", "COMPACT_AT=0", "do it"];
    place.exec(&server, settings).run().check_code(0);
    server.check_done();
}

#[test]
fn summaries_that_make_no_room_end_the_run() {
    let place = Place::with_credential();
    let server = Server::start([
        runs("call_0", LONG_COMMAND),
        runs_at(9_000, "call_1", LONG_COMMAND),
        says("one"),
        runs_at(9_000, "call_2", LONG_COMMAND),
        says("two"),
        runs_at(9_000, "call_3", "echo 3"),
    ]);
    let ran = place
        .exec(&server, ["--json", "-e", "CONTEXT_WINDOW=10000", "do it"])
        .run();
    ran.check_code(6);
    server.check_done();
    assert_eq!(ran.result()["limit"], "COMPACT_AT");
}

#[test]
fn a_record_that_is_too_long_is_tried_shorter_and_then_given_up() {
    let place = Place::with_credential();
    let server = Server::start([
        runs("call_1", "echo 1"),
        runs("call_2", LONG_COMMAND),
        refuses(),
        refuses(),
        refuses(),
        refuses(),
        refuses(),
    ]);
    let ran = place.exec(&server, ["do it"]).run();
    ran.check_code(5);
    ran.check_said("the conversation is too long for the model");
    server.check_done();
    let tried = server.requests().split_off(3);
    assert!(tried.iter().all(is_for_summary));
}

#[test]
fn a_first_request_that_is_too_long_is_not_summed_up() {
    let place = Place::with_credential();
    let server = Server::start([refuses()]);
    let ran = place.exec(&server, ["do it"]).run();
    ran.check_code(5);
    ran.check_said("the conversation is too long for the model");
    server.check_done();
}

#[test]
fn a_person_sums_up_when_they_like() {
    let place = Place::with_credential();
    let long = "word ".repeat(2_000);
    let server = Server::start([says(&long), says("Task: nothing."), says("again")]);
    let mut sx = place.sx(["say much"]).asking(&server).start_on_terminal();
    sx.wait_for_stdout("> ");
    sx.type_text("/compact\n");
    sx.wait_for_stdout("a summary stands for the past");
    sx.type_text("more\n");
    sx.wait_for_stdout("again");
    sx.type_text("/exit\n");
    sx.wait().check_code(0);
    server.check_done();
    let last = server.requests().pop().expect("three requests");
    let text = json!(last.input()).to_string();
    assert!(text.contains("Task: nothing."), "{text}");
    assert!(!text.contains("word word"), "{text}");
}
