//! A model that goes in circles: it is told, and then the run ends with the name of the limit.

use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use serde_json::json;

/// Answers that call one of these commands each, again and again.
fn circling(commands: &[&str], count: usize) -> Server {
    let replies = (0..count).map(|n| {
        let command = commands[n % commands.len()];
        Reply::events(&Answer::new().bash(&format!("call_{n}"), command).whole())
    });
    Server::start(replies)
}

#[test]
fn the_same_failing_call_is_told_of_and_then_ends_the_run() {
    let place = Place::with_credential();
    let server = circling(&["echo no; false"], 5);
    let ran = place.exec(&server, ["--json", "go"]).run();
    ran.check_code(6);
    assert_eq!(ran.result()["limit"], "LOOP_MAX", "{}", ran.result());
    server.check_done();
    let told = server.requests()[3].result("call_2");
    assert!(told.contains("you have done this 3 times"), "{told}");
    let before = server.requests()[2].result("call_1");
    assert!(!before.contains("you have done"), "{before}");
}

#[test]
fn calls_in_turn_are_a_circle_and_the_limit_can_be_off() {
    let place = Place::with_credential();
    let server = circling(&["echo a", "echo b"], 16);
    place.exec(&server, ["go"]).run().check_code(6);
    server.check_done();
    let off = ["-e", "LOOP_MAX=0", "-e", "MAX_TURNS=20", "--json", "go"];
    let server = circling(&["echo a", "echo b"], 20);
    let ran = place.exec(&server, off).run();
    ran.check_code(6);
    assert_eq!(ran.result()["limit"], "MAX_TURNS", "{}", ran.result());
}

#[test]
fn who_does_something_else_when_told_goes_on() {
    let place = Place::with_credential();
    let fails = |n: usize| Reply::events(&Answer::new().bash(&format!("a_{n}"), "false").whole());
    let write = json!({"path": "f", "content": "x"});
    let other = Answer::new().call("w", "write", &write).whole();
    let done = Answer::new().say("done").whole();
    let replies = (0..4).map(fails);
    let replies = replies.chain([Reply::events(&other)]);
    let replies = replies.chain((4..6).map(fails));
    let server = Server::start(replies.chain([Reply::events(&done)]));
    place.exec(&server, ["go"]).run().check_code(0);
}
