//! Files looked for by the real hands: by a model, under the sandbox, cancelled in between.

use crate::hands::call;
use crate::hands::start;
use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use serde_json::Value;
use serde_json::json;

#[test]
fn a_model_searches_and_is_answered() {
    let place = Place::with_credential();
    place.write("work/src/main.rs", "fn main() {\n    run();\n}\n");
    place.write("work/notes.txt", "run it\n");
    place.write("work/.hidden", "run\n");
    let answer = Answer::new()
        .call(
            "call_1",
            "grep",
            &json!({"pattern": "run", "glob": ["*.rs"]}),
        )
        .call("call_2", "glob", &json!({"pattern": "*.txt"}))
        .call("call_3", "list", &json!({"depth": 2}))
        .call("call_4", "grep", &json!({"pattern": "(", "path": "src"}));
    let done = Answer::new().say("done").whole();
    let server = Server::start([Reply::events(&answer.whole()), Reply::events(&done)]);
    place.exec(&server, ["--json", "go"]).run().check_code(0);
    server.check_done();
    let request = server.requests().remove(1);
    for (id, expected) in [
        ("call_1", "src/main.rs:2:    run();\n"),
        ("call_2", "notes.txt\n"),
        ("call_3", "notes.txt  7\nsrc/\nsrc/main.rs  25\n"),
        ("call_4", "unclosed group"),
    ] {
        let result = request.result(id);
        assert!(result.contains(expected), "{id}: {result}");
    }
}

#[test]
fn a_credential_is_not_searched_and_that_is_said() {
    let place = Place::with_credential();
    let folder = place.path("home/.codex").display().to_string();
    let grep = json!({"pattern": "token", "path": folder}).to_string();
    let ran = place.sx(["tool", "grep", &grep]).run();
    let said =
        format!("there are no files to search\n[left out: {folder}/auth.json: permission denied");
    let text = ran.check_code(0).text();
    assert!(text.starts_with(&said), "{text}");
}

#[test]
fn a_cancelled_search_is_answered_and_the_next_call_runs() {
    let place = Place::new();
    let text = "abcabcabcabcabcabcabcabcabcabcabcabc\n".repeat(400_000);
    for number in 0..8 {
        place.write(&format!("work/{number}.txt"), &text);
    }
    let mut hands = start(&place, "workspace");
    // Slow for every engine: each line is looked at to its end.
    let slow = json!({"pattern": "(a|b|c)+x[^y]{40}(d|e)+$"});
    hands.write(&call("slow", "grep", &slow));
    hands.write("{\"cancel\":{\"id\":\"slow\"}}\n");
    hands.wait_for_stdout("\"result\":{\"id\":\"slow\"");
    hands.write(&call("next", "list", &json!({})));
    hands.wait_for_stdout("\"result\":{\"id\":\"next\"");
    hands.close_stdin();
    let ran = hands.wait();
    ran.check_code(0);
    let replies = ran.text().lines();
    let replies = replies.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let results: Vec<Value> = replies
        .filter_map(|reply| reply.get("result").cloned())
        .collect();
    let said = results[0]["parts"].to_string();
    assert!(
        said.contains("cancel") || said.contains("stopped"),
        "{said}"
    );
    assert_eq!(results[1]["ok"], true, "{}", results[1]);
}
