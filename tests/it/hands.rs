//! `sx hands` driven by hand over a pipe, and the sandbox that it puts on.

use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::sx::Ran;
use crate::sx::Running;
use serde_json::Value;
use serde_json::json;

/// Hands that were told to start.
pub fn start(place: &Place, sandbox: &str) -> Running {
    let mut hands = place.sx(["hands"]).silent_stdin().start();
    let order = json!({"start": {"v": 1, "cwd": place.path("work"), "sandbox": sandbox,
        "network": false, "hidden": [], "writable": [], "bash_timeout_ms": 60_000,
        "tools": ["bash", "read", "write", "edit", "apply_patch", "view_image", "job",
            "grep", "list"]}});
    hands.write(&format!("{order}\n"));
    hands
}

/// A call as the brain writes it.
pub fn call(id: &str, name: &str, arguments: &Value) -> String {
    let order = json!({"call": {"id": id, "name": name, "kind": "function",
        "arguments": arguments.to_string()}});
    format!("{order}\n")
}

/// A call that runs a command.
pub fn bash(id: &str, command: &str) -> String {
    call(id, "bash", &json!({"command": command}))
}

/// Every line that the hands said, as JSON.
fn replies(ran: &Ran) -> Vec<Value> {
    let lines = ran.text().lines();
    lines
        .map(|line| serde_json::from_str(line).expect("JSON lines"))
        .collect()
}

/// The result of a call; there must be just one.
#[track_caller]
fn result(replies: &[Value], id: &str) -> Value {
    let results = replies.iter().filter_map(|reply| reply.get("result"));
    let mut fitting = results.filter(|result| result["id"] == id);
    let result = fitting
        .next()
        .unwrap_or_else(|| panic!("no result of {id}: {replies:?}"));
    assert!(fitting.next().is_none(), "two results of {id}");
    result.clone()
}

/// Starts hands, sends these calls, ends their stdin when each of `ids` has its result.
fn talk(place: &Place, sandbox: &str, calls: &[String], ids: &[&str]) -> Vec<Value> {
    let mut hands = start(place, sandbox);
    for call in calls {
        hands.write(call);
    }
    for id in ids {
        hands.wait_for_stdout(&format!("\"result\":{{\"id\":\"{id}\""));
    }
    hands.close_stdin();
    let ran = hands.wait();
    ran.check_code(0);
    replies(&ran)
}

#[test]
fn they_say_where_they_are_and_answer_calls() {
    let place = Place::new();
    let lines = [
        bash("a", "echo hello; pwd"),
        call("b", "read", &json!({"path": "none"})),
        call("c", "nothing", &json!({})),
    ];
    let replies = talk(&place, "workspace", &lines, &["a", "b", "c"]);
    let ready = &replies[0]["ready"];
    assert_eq!(ready["v"], 1);
    assert!(
        ready["sandbox"]
            .as_str()
            .is_some_and(|text| text.contains("landlock"))
    );
    let hello = result(&replies, "a");
    assert_eq!((&hello["ok"], &hello["exit"]), (&json!(true), &json!(0)));
    assert!(hello["parts"].to_string().contains("hello"), "{hello}");
    assert_eq!(result(&replies, "b")["ok"], false);
    assert_eq!(result(&replies, "c")["ok"], false);
}

#[test]
fn output_streams_while_the_command_runs() {
    let place = Place::new();
    let mut hands = start(&place, "workspace");
    hands.write(&bash("a", "echo early; sleep 600"));
    hands.wait_for_stdout("early");
    hands.write("{\"cancel\":{\"id\":\"a\"}}\n");
    hands.wait_for_stdout("\"result\"");
    hands.close_stdin();
    let ran = hands.wait();
    let result = result(&replies(&ran), "a");
    assert_eq!(result["ok"], false);
    assert!(result["parts"].to_string().contains("cancel"), "{result}");
}

#[test]
fn a_cancelled_call_takes_its_children_along_and_the_next_call_runs() {
    let place = Place::new();
    let alive = place.listen("work/alive");
    let mut hands = start(&place, "workspace");
    hands.write(&bash(
        "a",
        "exec 9>alive; trap '' TERM; setsid sleep 600 & (setsid sleep 600 &); echo up >&9; wait",
    ));
    alive.wait_for("up");
    hands.write("{\"cancel\":{\"id\":\"a\"}}\n");
    alive.check_closes();
    hands.write(&bash("b", "echo next"));
    hands.wait_for_stdout("\"result\":{\"id\":\"b\"");
    hands.close_stdin();
    hands.wait().check_code(0);
}

#[test]
fn the_end_of_stdin_is_the_end_of_everything() {
    let place = Place::new();
    let alive = place.listen("work/alive");
    let mut hands = start(&place, "workspace");
    hands.write(&bash(
        "a",
        "exec 9>alive; setsid sleep 600 & echo up >&9; sleep 600",
    ));
    alive.wait_for("up");
    hands.close_stdin();
    hands.wait().check_code(0);
    alive.check_closes();
    // The sandbox lets them empty their own folder; removing it is left to the brain.
    for name in place.names("tmp") {
        assert_eq!(place.names(&format!("tmp/{name}")), [""; 0]);
    }
}

#[test]
fn what_is_no_order_is_refused_in_words() {
    for line in ["rubbish\n", "{\"call\":{}}\n", "{\"start\":{\"v\":99}}\n"] {
        let place = Place::new();
        let ran = place.sx(["hands"]).stdin(line).run();
        let said = format!("{}{}", ran.text(), ran.stderr);
        assert!(
            said.contains("sx:") || said.contains("refused"),
            "{line}: {said}"
        );
    }
}

/// Runs a command in a sandbox; whether it went well, and what it printed.
fn sandboxed(place: &Place, sandbox: &str, command: &str) -> (bool, String) {
    let replies = talk(place, sandbox, &[bash("a", command)], &["a"]);
    let result = result(&replies, "a");
    (result["ok"] == true, result["parts"].to_string())
}

#[test]
fn a_workspace_is_written_inside_and_not_outside() {
    let place = Place::new();
    let (ok, said) = sandboxed(&place, "workspace", "echo x > in.txt && echo y > $TMPDIR/t");
    assert!(ok, "{said}");
    assert_eq!(place.read("work/in.txt"), "x\n");
    for outside in [
        "../out.txt",
        "$HOME/out.txt",
        "/tmp/sx-out.txt",
        "/etc/sx-out",
    ] {
        let (ok, said) = sandboxed(&place, "workspace", &format!("echo x > {outside}"));
        assert!(!ok, "{outside}: {said}");
    }
    assert!(!place.path("out.txt").exists());
    let (ok, said) = sandboxed(&place, "off", "echo x > ../out.txt");
    assert!(ok && place.path("out.txt").exists(), "{said}");
}

#[test]
fn read_only_is_read_only() {
    let place = Place::new();
    place.write("work/a.txt", "text");
    let (ok, said) = sandboxed(&place, "read-only", "cat a.txt && echo x > /dev/null");
    assert!(ok && said.contains("text"), "{said}");
    for change in ["echo x > b.txt", "rm a.txt", "mkdir d", "mv a.txt b.txt"] {
        let (ok, said) = sandboxed(&place, "read-only", change);
        assert!(!ok, "{change}: {said}");
    }
    assert_eq!(place.read("work/a.txt"), "text");
}

#[test]
fn credentials_are_out_of_reach() {
    let place = Place::with_credential();
    place.write("home/.ssh/id_ed25519", "secret-key");
    place.write("home/.netrc", "secret-netrc");
    for path in [".codex/auth.json", ".ssh/id_ed25519", ".netrc"] {
        for mode in ["workspace", "read-only"] {
            let (ok, said) = sandboxed(&place, mode, &format!("cat $HOME/{path}"));
            assert!(!ok && !said.contains("secret"), "{mode} {path}: {said}");
        }
        let arguments = json!({"path": place.path("home").join(path)});
        let lines = [call("a", "read", &arguments)];
        let result = result(&talk(&place, "workspace", &lines, &["a"]), "a");
        assert_eq!(result["ok"], false, "{result}");
    }
    let (ok, said) = sandboxed(&place, "workspace", "cat /etc/passwd");
    assert!(ok, "{said}");
}

#[test]
fn there_is_no_network() {
    let place = Place::new();
    let server = Server::start([]);
    let port = server
        .origin()
        .rsplit(':')
        .next()
        .map(str::to_owned)
        .expect("a port");
    let connect = format!("bash -c ': </dev/tcp/127.0.0.1/{port}'");
    let (ok, said) = sandboxed(&place, "workspace", &connect);
    assert!(!ok, "{said}");
    let (ok, said) = sandboxed(&place, "off", &connect);
    assert!(ok, "{said}");
}

#[test]
fn the_sandbox_of_a_run_is_the_one_that_was_asked_for() {
    let place = Place::with_credential();
    for (sandbox, is_written) in [("read-only", false), ("workspace", true), ("off", true)] {
        let name = format!("{sandbox}.txt");
        let call = Answer::new().bash("call_1", &format!("echo x > {name}"));
        let done = Answer::new().say("done");
        let server = Server::start([Reply::events(&call.whole()), Reply::events(&done.whole())]);
        let ran = place
            .exec(&server, ["--json", "--sandbox", sandbox, "go"])
            .run();
        ran.check_code(0);
        assert_eq!(place.path("work").join(name).exists(), is_written);
        let session = &ran.events()[0];
        assert!(
            session["sandbox"]
                .as_str()
                .is_some_and(|text| text.contains(sandbox))
        );
    }
}

#[test]
fn a_credential_inside_the_workspace_is_refused_with_the_way_out() {
    let place = Place::with_credential();
    let server = Server::start([]);
    let ran = place.exec(&server, ["go"]).cwd(place.path("home")).run();
    ran.check_code(3).check_said("-C");
}

#[test]
fn a_command_cannot_make_the_settings_of_the_next_run() {
    for (key, folder) in [("SX_CONFIG_DIR", "conf"), ("SX_STATE_DIR", "a/state")] {
        let place = Place::new();
        let call = json!({"command": format!("mkdir -p {folder} && echo made")});
        let ran = place.sx(["tool", "bash", &call.to_string()]);
        let ran = ran.env(key, place.path("work").join(folder)).run();
        ran.check_code(3).check_said(folder);
        assert!(!place.path("work").join(folder).exists());
    }
}
