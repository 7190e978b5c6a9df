//! The question about the account's workspace: who is asked, what comes of the answer.

use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::server::Step;
use crate::server::gate;
use crate::sx::Ran;
use serde_json::Value;
use serde_json::json;

const PATH: &str = "/backend-api/wham/accounts/check";
const ROUTING: &str = "x-openai-account-routing-override";

fn done() -> Reply {
    Reply::events(&Answer::new().say("done").whole())
}

/// A task of two requests; what it came to, and the region that each of them named.
fn run(answer: Reply, args: &[&str]) -> (Ran, Vec<String>) {
    let place = Place::with_credential();
    let call = Answer::new().bash("call_1", "true").whole();
    let server = Server::start([Reply::events(&call), done()]);
    server.on(PATH, [answer]);
    let sx = place.exec(&server, args).env("CODEX_WORKSPACE_CHECK", "1");
    let ran = sx.run();
    ran.check_code(0);
    server.check_done();
    let asked = server.requests_to(PATH);
    assert_eq!(asked.len(), 1, "it is asked once");
    assert_eq!(asked[0].method, "GET");
    assert_eq!(asked[0].header("chatgpt-account-id"), "account-1");
    assert!(asked[0].header("authorization").starts_with("Bearer eyJ"));
    let regions = server.requests();
    let regions = regions.iter().map(|request| request.header(ROUTING));
    (ran, regions.map(str::to_string).collect())
}

fn accounts(fields: &Value) -> Reply {
    let mut account = json!({"id": "account-1"});
    for (name, value) in fields.as_object().expect("fields") {
        account[name] = value.clone();
    }
    Reply::json(200, &json!({"accounts": [account]}))
}

#[test]
fn the_region_of_a_workspace_is_named_by_every_request() {
    let bound = json!({"account_routing_override": "us"});
    let (ran, regions) = run(accounts(&bound), &["-v", "go"]);
    assert_eq!(regions, ["us", "us"]);
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
}

#[test]
fn a_workspace_that_lives_elsewhere_is_told_and_not_followed() {
    let bound = json!({"workspace_backend_origin": "https://us.example.org"});
    let (ran, regions) = run(accounts(&bound), &["go"]);
    assert_eq!(regions, ["", ""]);
    ran.check_said("the workspace wants its requests at us.example.org");
}

/// Who holds an answer back is waited for no longer than three seconds.
#[test]
fn no_answer_and_one_of_no_use_are_passed_over() {
    let (gate, _opener) = gate();
    let other = json!({"accounts": [{"id": "account-2"}]});
    for (reply, said) in [
        (Reply::json(404, &json!({})), "status 404"),
        (Reply::json(200, &other), "0 times"),
        (Reply::raw("nonsense\r\n\r\n"), "127.0.0.1"),
        (
            Reply::steps(vec![Step::Hold(gate), Step::Close]),
            "the 3 s for the workspace check",
        ),
    ] {
        let (ran, regions) = run(reply, &["-v", "go"]);
        assert_eq!(regions, ["", ""]);
        ran.check_said("warning: how requests are to be routed is not known")
            .check_said(said);
    }
    let (ran, _) = run(Reply::json(404, &json!({})), &["go"]);
    assert!(!ran.stderr.contains("routed"), "{}", ran.stderr);
}
