//! The tools of the brain: a plan that the person sees, a question that they answer.

use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::sx::Running;
use serde_json::json;

const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";

fn says(text: &str) -> Reply {
    Reply::events(&Answer::new().say(text).whole())
}

fn calls(name: &str, arguments: &serde_json::Value) -> Reply {
    Reply::events(&Answer::new().call("call_1", name, arguments).whole())
}

fn question() -> Reply {
    let arguments = json!({"question": "Which way?", "choices": ["left", "right"]});
    calls("ask_user", &arguments)
}

/// A conversation that was asked something by the model.
fn asked(place: &Place, server: &Server) -> Running {
    let running = place.sx(["go"]).asking(server).start_on_terminal();
    running.wait_for_stdout("? ");
    running
}

#[test]
fn a_plan_is_shown_and_stays_in_the_history() {
    let place = Place::with_credential();
    let steps = json!({"steps": [
        {"step": "look", "status": "completed"},
        {"step": "change", "status": "in_progress"},
    ]});
    let server = Server::start([calls("plan", &steps), says("done")]);
    let ran = place.exec(&server, ["go"]).run();
    ran.check_code(0).check_said("[x] look");
    ran.check_said("[>] change").check_said("1 of 2 steps done");
    let result = server.requests()[1].result("call_1");
    assert_eq!(result, "the user sees the plan: 1 of 2 steps done");

    let server = Server::start([calls("plan", &steps), says("done")]);
    let ran = place.exec(&server, ["--json", "go"]).run();
    assert_eq!(ran.events_of("call")[0]["arguments"], steps);
    assert_eq!(ran.events_of("result_of")[0]["ok"], true);
}

#[test]
fn a_plan_that_is_none_is_an_answer() {
    let place = Place::with_credential();
    let steps = json!({"steps": [{"step": "look", "status": "done"}]});
    let server = Server::start([calls("plan", &steps), says("done")]);
    place.exec(&server, ["go"]).run().check_code(0);
    let result = server.requests()[1].result("call_1");
    assert!(
        result.contains("pending, in_progress or completed"),
        "{result}"
    );
}

#[test]
fn without_a_terminal_nobody_is_asked_and_the_model_is_told() {
    let place = Place::with_credential();
    let server = Server::start([question(), says("done")]);
    let ran = place.exec(&server, ["--json", "go"]).silent_stdin().run();
    ran.check_code(0);
    let result = server.requests()[1].result("call_1");
    assert!(result.contains("nobody is at a terminal"), "{result}");
    assert_eq!(ran.events_of("result_of")[0]["ok"], false);
}

#[test]
fn a_question_is_answered_by_a_number_or_in_words() {
    for (typed, told) in [("2\n", "right"), ("9\n\n1\n", "left"), ("up\n", "up")] {
        let place = Place::with_credential();
        let server = Server::start([question(), says("All done.")]);
        let mut running = asked(&place, &server);
        running.type_text(typed);
        let text = running.wait_for_stdout("All done.");
        assert!(text.contains("  Which way?"), "{text}");
        assert!(text.contains("    2  right\r\n"), "{text}");
        running.type_text(CTRL_D);
        running.wait().check_code(0);
        let result = server.requests()[1].result("call_1");
        assert_eq!(result, format!("the user answered: {told}"));
    }
}

#[test]
fn what_was_typed_before_a_question_does_not_answer_it() {
    let place = Place::with_credential();
    let alive = place.listen("work/alive");
    // Whoever writes to it waits for a reader, and so does its reader.
    let gate = place.path("work/gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).expect("a new name");
    let call = Answer::new()
        .bash("call_0", "echo up >alive; cat gate >/dev/null")
        .call("call_1", "ask_user", &json!({"question": "Which way?"}))
        .whole();
    let server = Server::start([Reply::events(&call), says("All done.")]);
    let mut running = place.sx(["go"]).asking(&server).start_on_terminal();
    alive.wait_for("up");
    running.type_text("typed ahead\n");
    running.wait_for_stdout("typed ahead");
    std::fs::write(&gate, "go on\n").expect("it is read");
    running.wait_for_stdout("? ");
    running.type_text("north\n");
    running.wait_for_stdout("All done.");
    running.type_text(CTRL_D);
    running.wait().check_code(0);
    let request = &server.requests()[1];
    assert_eq!(request.result("call_1"), "the user answered: north");
    let last = request.input().last().expect("a message").to_string();
    assert!(last.contains("typed ahead"), "it steers: {last}");
}

#[test]
fn ctrl_c_at_a_question_ends_the_turn() {
    let place = Place::with_credential();
    let server = Server::start([question(), says("Whole.")]);
    let mut running = asked(&place, &server);
    running.type_text(CTRL_C);
    running.wait_for_stdout("\n  stopped by Ctrl-C\r\n> ");
    running.type_text("two\n");
    running.wait_for_stdout("Whole.");
    running.type_text(CTRL_D);
    running.wait().check_code(0);
    let result = server.requests()[1].result("call_1");
    assert!(result.starts_with("interrupted"), "{result}");
}

#[test]
fn a_terminal_that_closes_at_a_question_ends_the_wait() {
    let place = Place::with_credential();
    let server = Server::start([question(), says("All done.")]);
    let mut running = asked(&place, &server);
    running.type_text(CTRL_D);
    running.wait_for_stdout("All done.");
    running.wait().check_code(0);
    let result = server.requests()[1].result("call_1");
    assert!(result.contains("nobody is at a terminal"), "{result}");
}
