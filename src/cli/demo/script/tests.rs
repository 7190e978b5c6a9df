//! A well-behaved agent gets through the script; each way to misbehave is named.

use super::*;

/// An agent that echoes what it is told and answers calls from a table.
struct Agent {
    input: Vec<String>,
}

const RESULTS: &[(&str, &str)] = &[
    ("call_program", "wrote fizz.sh"),
    ("call_check", "wrote check.sh"),
    ("call_first_run", "say 15 gave fizz, not fizzbuzz\nexit 1"),
    (
        "call_read_program",
        "5\t    elif [ $(($1 % 15)) -eq 0 ]; then echo fizzbuzz",
    ),
    ("call_read_check", "13\texpect 15 fizzbuzz"),
    (
        "call_patch",
        "Success. Updated the following files:\nM fizz.sh\n",
    ),
    ("call_second_run", "all four words are right\nexit 0"),
];

impl Agent {
    fn new() -> Agent {
        let prompt = json!({"type": "message", "role": "user",
            "content": [{"type": "input_text", "text": PROMPT}]});
        Agent {
            input: vec![prompt.to_string()],
        }
    }

    fn body(&self) -> String {
        let function =
            |name: &str| json!({"type": "function", "name": name, "parameters": {}}).to_string();
        let patch = json!({"type": "custom", "name": "apply_patch", "format": {}});
        format!(
            "{{\"model\":\"m\",\"instructions\":\"i\",\"tools\":[{},{},{},{patch}],\
             \"store\":false,\"stream\":true,\"include\":[\"reasoning.encrypted_content\"],\
             \"prompt_cache_key\":\"k\",\"input\":[{}]}}",
            function("bash"),
            function("read"),
            function("write"),
            self.input.join(",")
        )
    }

    /// Takes the items of an answer and runs its calls.
    fn hear(&mut self, items: &[String]) {
        self.input.extend(items.iter().cloned());
        for item in items {
            let item: serde_json::Value = serde_json::from_str(item).unwrap();
            let Some(call_id) = item["call_id"].as_str() else {
                continue;
            };
            let (_, output) = RESULTS.iter().find(|(id, _)| *id == call_id).unwrap();
            let kind = format!("{}_output", item["type"].as_str().unwrap());
            let result = json!({"type": kind, "call_id": call_id, "output": output});
            self.input.push(result.to_string());
        }
    }
}

/// Plays `turns` turns well.
fn play(turns: usize) -> (Script, Agent) {
    let mut script = Script::new();
    let mut agent = Agent::new();
    for _ in 0..turns {
        let known = script.items.len();
        script.answer(agent.body().as_bytes()).unwrap();
        agent.hear(&script.items[known..]);
    }
    (script, agent)
}

/// After `turns` good turns, a body changed by `change` must be refused with `expected`.
#[track_caller]
fn check(turns: usize, change: impl Fn(String) -> String, expected: &str) {
    let (mut script, agent) = play(turns);
    let body = change(agent.body());
    let fault = script.answer(body.as_bytes()).unwrap_err().to_string();
    assert!(fault.contains(expected), "{fault}");
    assert_eq!(script.answered, turns, "a fault changes nothing");
}

#[test]
fn an_agent_that_does_all_right_gets_to_the_end() {
    let (mut script, agent) = play(STEPS.len());
    assert!(script.is_over());
    let fault = script.answer(agent.body().as_bytes()).unwrap_err();
    assert!(matches!(fault, Fault::Over));
}

#[test]
fn what_the_service_refuses_is_refused_by_name() {
    let swap = |from: &'static str, to: &'static str| move |body: String| body.replace(from, to);
    check(0, |_| "[1]".into(), "not a JSON object");
    check(0, |_| String::new(), "not a JSON object");
    check(
        0,
        swap("\"stream\":true", "\"stream\":false"),
        "`stream` must be true",
    );
    check(0, swap("\"store\":false,", ""), "`store` must be false");
    check(
        0,
        swap("\"instructions\":\"i\"", "\"instructions\":\"\""),
        "`instructions`",
    );
    check(0, swap("\"model\":\"m\"", "\"model\":null"), "`model`");
    check(
        0,
        swap("[\"reasoning.encrypted_content\"]", "[]"),
        "`include`",
    );
    check(
        0,
        swap("\"store\":false", "\"store\":false,\"temperature\":1"),
        "unsupported parameter: temperature",
    );
    check(
        0,
        swap("\"name\":\"bash\"", "\"name\":\"shell\""),
        "the tool bash",
    );
    check(
        0,
        swap("\"type\":\"custom\"", "\"type\":\"function\""),
        "the tool apply_patch",
    );
    check(
        0,
        swap("\"role\":\"user\"", "\"role\":\"system\""),
        "system messages",
    );
    check(0, swap(PROMPT, "hello"), "prompt");
    check(0, swap("]}", "] }"), "the last field");
}

#[test]
fn a_history_that_was_touched_is_refused() {
    check(
        1,
        |body| body.replace("gAAAAA\\/", "gAAAAA/"),
        "did not come back",
    );
    check(
        1,
        |body| body.replace("{ \"arguments\"", "{\"arguments\""),
        "did not come back",
    );
    check(
        1,
        |body| body.replacen("\"i\"", "\"j\"", 1),
        "changed at byte",
    );
    check(
        1,
        |body| body.replace("function_call_output", "note"),
        "as a pair",
    );
    check(
        4,
        |body| body.replace("custom_tool_call_output", "function_call_output"),
        "as a pair",
    );
    check(
        1,
        |body| {
            let orphan = "{\"type\":\"function_call_output\",\"call_id\":\"x\",\"output\":\"\"}]}";
            body.strip_suffix("]}").unwrap().to_owned() + "," + orphan
        },
        "the call x",
    );
}

#[test]
fn a_tool_that_did_something_else_is_found_out() {
    check(
        2,
        |body| body.replace("\\nexit 1\"", "\""),
        "the first run of the check",
    );
    check(
        2,
        |body| body.replace("say 15 gave", "say 9 gave"),
        "the first run of the check",
    );
    check(
        3,
        |body| body.replace("13\\texpect", "13\\t"),
        "reading check.sh",
    );
    check(
        4,
        |body| body.replace("M fizz.sh", "M other.sh"),
        "the patch",
    );
    check(
        5,
        |body| body.replace("right\\nexit 0", "right\\nexit 2"),
        "the second run",
    );
}
