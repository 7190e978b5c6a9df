//! A conversation on a terminal: its profile changes, and a project's settings wait for a yes.

use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;

const CTRL_D: &str = "\u{4}";
const OWN: &str = "home/.config/sx/scorpiox-env.txt";

fn saying(text: &str) -> Reply {
    Reply::events(&Answer::new().say(text).whole())
}

/// A place whose own settings ask `server`.
fn place(server: &Server) -> Place {
    let place = Place::with_credential();
    let own = format!(
        "CODEX_BASE_URL={}\nCODEX_ISSUER={}\n",
        server.base_url(),
        server.origin()
    );
    place.write(OWN, own);
    place
}

fn profile(place: &Place, name: &str, text: &str) {
    place.write(&format!("home/.config/sx/scorpiox-env/{name}.txt"), text);
}

#[test]
fn a_model_is_told_that_its_jobs_are_ended() {
    let arguments = serde_json::json!({"command": "sleep 300", "background": true});
    let job = Answer::new().call("call_1", "bash", &arguments).whole();
    let server = Server::start([Reply::events(&job), saying("Begun."), saying("Seen.")]);
    let place = place(&server);
    profile(&place, "careful", "SANDBOX=read-only\n");
    let mut running = place.sx([""; 0]).start_on_terminal();
    let mut step = |typed: &str, said: &str| {
        running.type_text(typed);
        running.wait_for_stdout(said);
    };
    step("begin\n", "Begun.");
    step("/use careful\nwell\n", "Seen.");
    running.type_text(CTRL_D);
    let ran = running.wait();
    ran.check_code(0).check_printed(" --profile careful\r\n");
    let requests = server.requests_to("/responses");
    let is_told = |index: usize| {
        let input = serde_json::Value::from(requests[index].input().to_vec());
        input.to_string().contains("background jobs of before")
    };
    assert!(!is_told(1) && is_told(2));
}

#[test]
fn a_profile_is_put_on_in_the_middle_and_taken_off_if_it_does_not_start() {
    let replies = ["From the first.", "Still the first.", "The first again."];
    let first = Server::start(replies.map(saying));
    let second = Server::start([saying("From the second.")]);
    let place = place(&first);
    let line = format!("CODEX_BASE_URL={}\nMODEL=other\n", second.base_url());
    profile(&place, "second", &line);
    let dead = "PROVIDER=openai\nOPENAI_BASE_URL=http://127.0.0.1:1/v1\nSANDBOX=read-only\n";
    profile(&place, "dead", dead);
    profile(&place, "keyless", "PROVIDER=anthropic\n");
    place.write("work/.git/HEAD", "ref: refs/heads/main\n");
    place.write("work/scorpiox-env/here.txt", "MODEL=of-here\n");
    profile(&place, "wrong", "TOOLS=maybe\n");
    let mut running = place.sx(["-m", "typed"]).start_on_terminal();
    let mut step = |typed: &str, said: &str| {
        running.type_text(typed);
        running.wait_for_stdout(said);
    };
    step("one\n", "From the first.");
    step(
        "/profile\n",
        "profiles: dead, here, keyless, second, wrong; none is active",
    );
    step(
        "/use nothing\n",
        "there is dead, here, keyless, second, wrong",
    );
    step("/use wrong\n", "wrong.txt:1: TOOLS is `maybe`");
    step("/use keyless\n", "ANTHROPIC_API_KEY");
    step("/use dead\n", "127.0.0.1");
    step("/context\n", "typed of codex");
    step("two\n", "Still the first.");
    step("/profile second\n", "kept in ");
    step("three\n", "From the second.");
    step("/context\n", "other of codex");
    step(
        "/profile here\n",
        "for this run only: elsewhere there is no profile here",
    );
    step("/use -\nfour\n", "The first again.");
    running.type_text(CTRL_D);
    let ran = running.wait();
    ran.check_code(0);
    let text = ran.text();
    assert_eq!(
        text.matches("going on as before, without a profile")
            .count(),
        4
    );
    first.check_done();
    second.check_done();
    let request = second.requests()[0].json();
    assert_eq!(request["model"], "other");
    let input = request["input"].to_string();
    assert!(input.contains("Still the first.") && input.contains("three"));
    assert!(place.read(OWN).ends_with("ACTIVE_PROFILE=second\n"));
    // What was typed at the start counts again where no profile says otherwise.
    assert_eq!(first.requests()[2].json()["model"], "typed");
}

#[test]
fn a_profile_may_change_the_sandbox_and_the_model_is_told() {
    let write = |id: &str| {
        let call = Answer::new()
            .bash(id, "echo x > in.txt && echo written")
            .whole();
        Reply::events(&call)
    };
    let server = Server::start([
        write("call_1"),
        saying("One."),
        write("call_2"),
        saying("Two."),
    ]);
    let place = place(&server);
    profile(&place, "careful", "SANDBOX=read-only\n");
    let mut running = place.sx([""]).start_on_terminal();
    running.type_text("go\n");
    running.wait_for_stdout("One.");
    std::fs::remove_file(place.path("work/in.txt")).expect("it was written");
    running.type_text("/use careful\n");
    running.wait_for_stdout("what ran in the background has ended");
    running.type_text("again\n");
    running.wait_for_stdout("Two.");
    running.type_text(CTRL_D);
    running.wait().check_code(0);
    assert!(!place.path("work/in.txt").exists());
    let input = server.requests()[2].json()["input"].to_string();
    assert!(input.contains("sandbox: read-only"));
}

/// The home directory holds the login, so no sandbox of the whole of it can be had.
#[test]
fn tools_that_do_not_start_are_exchanged_for_those_that_were_there() {
    let call = Answer::new().bash("call_1", "echo still at work").whole();
    let server = Server::start([Reply::events(&call), saying("Done.")]);
    let place = place(&server);
    profile(&place, "tight", "SANDBOX=workspace\n");
    let home = place.path("home").display().to_string();
    let mut running = place
        .sx(["-C", &home, "--sandbox", "off"])
        .start_on_terminal();
    running.wait_for_stdout("> ");
    running.type_text("/use tight\n");
    running.wait_for_stdout("going on as before, without a profile");
    running.type_text("go\n");
    running.wait_for_stdout("Done.");
    running.type_text(CTRL_D);
    let ran = running.wait();
    ran.check_code(0).check_printed("no sandbox: ");
    assert!(
        server.requests()[1]
            .result("call_1")
            .contains("still at work")
    );
}

#[test]
fn a_project_is_trusted_by_a_yes_and_asked_about_once() {
    let server = Server::start([saying("Done.")]);
    let place = place(&server);
    place.write("work/.git/HEAD", "ref: refs/heads/main\n");
    place.write("work/scorpiox-env.txt", "BASH_TIMEOUT=7s\nMODEL=theirs\n");
    let start = |answer: &str, after: &str| {
        let mut running = place.sx([""]).start_on_terminal();
        running.wait_for_stdout("ne[v]er: ");
        running.type_text(answer);
        running.wait_for_stdout(after);
        running.type_text(CTRL_D);
        running.wait()
    };
    let ran = start("\n", "BASH_TIMEOUT is ignored");
    assert!(
        ran.text().contains("  BASH_TIMEOUT=7s\r\n  MODEL=theirs"),
        "{}",
        ran.text()
    );
    let got = |expected: &str| {
        let ran = place.sx(["config", "--get", "BASH_TIMEOUT"]).run();
        ran.check_stdout(&format!("{expected}\n"));
    };
    got("120s");
    start("v\n", "BASH_TIMEOUT is ignored");
    // Not asked again, and not trusted.
    let mut running = place.sx(["go"]).start_on_terminal();
    running.wait_for_stdout("Done.");
    running.type_text(CTRL_D);
    assert!(!running.wait().text().contains("ne[v]er"));
    got("120s");
    // Also where so much else is wrong that not all is told.
    let many = "MODEL=m\n".repeat(30);
    place.write("work/scorpiox-env.txt", format!("{many}BASH_TIMEOUT=8s\n"));
    let ran = start("yes\n", "> ");
    assert!(!ran.text().contains("is ignored"), "{}", ran.text());
    got("8s");
}
