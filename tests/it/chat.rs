//! `sx` on a terminal: a person types, lines are appended, Ctrl-C stops what runs.

use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::server::Step;
use crate::server::gate;
use crate::sx::Running;

const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";

/// A conversation with a server, once it waits for the person.
fn talk(place: &Place, server: &Server, args: &[&str]) -> Running {
    let running = place.sx(args).asking(server).start_on_terminal();
    running.wait_for_stdout("> ");
    running
}

fn saying(text: &str) -> Reply {
    Reply::events(&Answer::new().think("hm", "sealed").say(text).whole())
}

#[test]
fn a_person_asks_twice_and_leaves() {
    let place = Place::with_credential();
    let server = Server::start([saying("First answer."), saying("Second answer.")]);
    let mut running = talk(&place, &server, &[]);
    running.type_text("one\n");
    running.wait_for_stdout("First answer.");
    running.type_text("two\n");
    running.wait_for_stdout("Second answer.");
    running.type_text(CTRL_D);
    let ran = running.wait();
    ran.check_code(0);
    let text = ran.text();
    assert!(text.contains("person@example.org (plus)"), "{text}");
    assert_eq!(text.matches("First answer.").count(), 1, "{text}");
    server.check_done();
    let body = String::from_utf8(server.requests()[1].body.clone()).expect("UTF-8");
    assert!(body.contains("First answer.") && body.contains("two"));
}

#[test]
fn nothing_is_repainted() {
    let place = Place::with_credential();
    let call = Answer::new()
        .bash("call_1", "printf 'a\\033[2Jb\\n'")
        .whole();
    let server = Server::start([Reply::events(&call), saying("Done\u{1b}[1A.")]);
    let mut running = talk(&place, &server, &["first words"]);
    running.wait_for_stdout("Done");
    running.type_text(CTRL_D);
    let ran = running.wait();
    let text = ran.check_code(0).text();
    for escape in text.split('\u{1b}').skip(1) {
        let end = escape.find(|c: char| c.is_ascii_alphabetic());
        let last = end.map(|end| &escape[end..=end]);
        assert_eq!(last, Some("m"), "only colours: {escape:?}");
    }
    let bare = text.replace("\r\n", "\n");
    assert!(!bare.contains('\r'), "{bare:?}");
    assert!(!bare.contains('\u{8}'), "{bare:?}");
}

#[test]
fn ctrl_c_stops_the_answer_and_the_person_goes_on() {
    let place = Place::with_credential();
    let (gate, _opener) = gate();
    let half = Answer::new().say_half("half a wo").torn();
    let server = Server::start([Reply::events_then_hold(&half, gate), saying("Whole.")]);
    let mut running = talk(&place, &server, &[]);
    running.type_text("one\n");
    running.wait_for_stdout("half a wo");
    running.type_text(CTRL_C);
    running.wait_for_stdout("\n  stopped by Ctrl-C\r\n> ");
    running.type_text("two\n");
    running.wait_for_stdout("Whole.");
    running.type_text(CTRL_D);
    running.wait().check_code(0);
}

#[test]
fn ctrl_c_stops_a_call_and_all_that_it_started() {
    let place = Place::with_credential();
    let alive = place.listen("work/alive");
    let script = "exec 9>alive; trap '' INT TERM; setsid sleep 600 & echo up >&9; sleep 600";
    let server = Server::start([
        Reply::events(&Answer::new().bash("call_1", script).whole()),
        saying("Whole."),
    ]);
    let mut running = talk(&place, &server, &[]);
    running.type_text("one\n");
    alive.wait_for("up");
    running.type_text(CTRL_C);
    alive.check_closes();
    running.type_text("two\n");
    running.wait_for_stdout("Whole.");
    running.type_text(CTRL_D);
    running.wait().check_code(0);
    let result = server.requests()[1].result("call_1");
    assert!(!result.is_empty());
}

#[test]
fn an_error_does_not_end_the_conversation() {
    let place = Place::with_credential();
    let refused = serde_json::json!({"detail": "not like this"});
    let server = Server::start([Reply::json(400, &refused), saying("Better.")]);
    let mut running = talk(&place, &server, &[]);
    running.type_text("one\n");
    running.wait_for_stdout("not like this");
    running.type_text("two\n");
    running.wait_for_stdout("Better.");
    running.type_text(CTRL_D);
    running.wait().check_code(0);
}

#[test]
fn a_conversation_is_resumed() {
    let place = Place::with_credential();
    let server = Server::start([saying("First answer."), saying("Second answer.")]);
    let mut running = talk(&place, &server, &["one"]);
    running.wait_for_stdout("First answer.");
    running.type_text(CTRL_D);
    running.wait().check_code(0);
    let mut running = talk(&place, &server, &["resume"]);
    running.wait_for_stdout("  going on after: one\r\n> ");
    running.type_text("two\n");
    running.wait_for_stdout("Second answer.");
    running.type_text(CTRL_D);
    running.wait().check_code(0);
    let requests = server.requests();
    let prefix = requests[0].body.strip_suffix(b"]}").expect("input is last");
    assert!(requests[1].body.starts_with(prefix));
}

#[test]
fn what_is_typed_ahead_stands_at_its_prompt() {
    let place = Place::with_credential();
    let (gate, opener) = gate();
    let mut steps = vec![Step::Hold(gate)];
    steps.extend(saying("First answer.").into_steps());
    let server = Server::start([Reply::steps(steps), saying("Second answer.")]);
    let mut running = talk(&place, &server, &[]);
    running.type_text("one\n");
    server.wait_for_requests(1);
    running.type_text("two\n");
    running.wait_for_stdout("two");
    drop(opener);
    running.wait_for_stdout("> two");
    running.wait_for_stdout("Second answer.");
    running.type_text(CTRL_D);
    running.wait().check_code(0);
}

#[test]
fn a_line_that_the_terminal_cut_is_not_sent() {
    let place = Place::with_credential();
    let server = Server::start([saying("Short.")]);
    let mut running = talk(&place, &server, &[]);
    running.type_text(&format!("{}END\n", "long ".repeat(1000)));
    running.wait_for_stdout("not sent");
    running.type_text("short\n");
    running.wait_for_stdout("Short.");
    running.type_text(CTRL_D);
    running.wait().check_code(0);
    let body = String::from_utf8_lossy(&server.requests()[0].body).into_owned();
    assert!(body.contains("short") && !body.contains("long long"));
}
