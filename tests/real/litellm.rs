//! The gateway that most others are measured by, PyPI's LiteLLM: one service of ours behind it, and
//! all three wires in front.

use crate::daemon;
use crate::daemon::Daemon;
use crate::daemon::Who;
use crate::place::Place;
use crate::server::Reply;
use crate::server::Server;
use crate::sx::Ran;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::path::Path;

/// Where `.ci/real` installs it.
const PROGRAM: &str = "target/real/litellm/bin/litellm";

/// Of the models behind it, one whose service knows Chat Completions alone by its rules, and one
/// that it takes for a server of one's own: it comes to both from each wire in another way.
const CONFIGURATION: &str = "
model_list:
  - model_name: theirs
    litellm_params:
      model: deepseek/deepseek-chat
      api_base: ORIGIN/v1
      api_key: none
  - model_name: own
    litellm_params:
      model: hosted_vllm/x
      api_base: ORIGIN/v1
      api_key: none
";

/// LiteLLM, and what is behind it.
struct Gateway {
    place: Place,
    behind: Server,
    origin: String,
    _daemon: Daemon,
}

impl Gateway {
    fn start() -> Gateway {
        let place = Place::new();
        place.write("work/note", "remember\n");
        let behind = Server::start([]);
        let folder = daemon::folder(&place);
        let configuration = CONFIGURATION.replace("ORIGIN", &behind.origin());
        fs::write(folder.join("config.yaml"), configuration).expect("our folder");
        let port = daemon::free_port().to_string();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(PROGRAM);
        let program = program.to_str().expect("a path in UTF-8");
        let args = [
            // It refuses to start without a key for its users, and asks the world for prices.
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY=true",
            "LITELLM_LOCAL_MODEL_COST_MAP=True",
            "HOME=.",
            program,
            "--config",
            "config.yaml",
            "--host",
            "127.0.0.1",
            "--port",
            &port,
            "--telemetry",
            "False",
        ];
        let ready = "Uvicorn running";
        let daemon = Daemon::start_as(Who::Us, &place, ready, "env", &args);
        Gateway {
            place,
            behind,
            origin: format!("http://127.0.0.1:{port}"),
            _daemon: daemon,
        }
    }

    /// A task with two calls at once, and what the service behind was asked last.
    #[track_caller]
    fn check(&self, settings: &[(&str, &str)], model: &str) {
        self.behind.on("/chat/completions", [calls(), words()]);
        let sx = self.place.sx(["exec", "--json", "read the note"]);
        let sx = sx.env("MODEL", model).env("RETRY_MAX", "0");
        let sx = settings.iter().fold(sx, |sx, (name, value)| {
            sx.env(name, value.replace("ORIGIN", &self.origin))
        });
        let ran = sx.run();
        ran.check_code(0);
        check_events(&ran);
        let asked = self.behind.requests_to("/chat/completions");
        let last = asked.last().expect("two requests").json();
        let messages = last["messages"].as_array().expect("a conversation").clone();
        let answers = messages.iter().filter(|message| message["role"] == "tool");
        let ids: Vec<&Value> = answers.map(|answer| &answer["tool_call_id"]).collect();
        assert_eq!(ids, ["call_a", "call_b"], "{settings:?}: {messages:#?}");
    }
}

fn check_events(ran: &Ran) {
    assert_eq!(ran.result()["text"], "all done");
    assert_eq!(ran.events_of("reasoning")[0]["text"], "let me see");
    let results = ran.events_of("result_of");
    assert_eq!(results.len(), 2, "{}", ran.text());
    assert!(
        results.iter().all(|result| result["ok"] == true),
        "{}",
        ran.text()
    );
    let usage = &ran.events_of("usage")[0];
    assert_eq!(usage["input"], 100, "{usage}");
    assert_eq!(usage["cached"], 40, "{usage}");
    assert_eq!(usage["output"], 7, "{usage}");
}

fn stream(choices: &[Value]) -> Reply {
    let chunk = |mut fields: Value| {
        for (name, value) in [
            ("id", json!("c1")),
            ("object", json!("chat.completion.chunk")),
            ("created", json!(1)),
            ("model", json!("x")),
        ] {
            fields[name] = value;
        }
        format!("data: {fields}\n\n")
    };
    let mut events: Vec<String> = choices
        .iter()
        .map(|choice| chunk(json!({"choices": [choice]})))
        .collect();
    events.push(chunk(json!({"choices": [], "usage": {"prompt_tokens": 100,
        "completion_tokens": 7, "total_tokens": 107,
        "prompt_tokens_details": {"cached_tokens": 40}}})));
    events.push("data: [DONE]\n\n".to_string());
    Reply::events(&events)
}

fn calls() -> Reply {
    let delta = |delta: Value| json!({"index": 0, "delta": delta});
    let call = |index: u32, id: &str, name: &str, arguments: &str| {
        delta(
            json!({"tool_calls": [{"index": index, "id": id, "type": "function",
            "function": {"name": name, "arguments": arguments}}]}),
        )
    };
    let more = |arguments: &str| {
        delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]}))
    };
    stream(&[
        delta(json!({"role": "assistant", "reasoning_content": "let me see"})),
        call(0, "call_a", "read", ""),
        more("{\"path\":"),
        more("\"note\"}"),
        call(1, "call_b", "bash", "{\"command\":\"echo hi\"}"),
        json!({"index": 0, "delta": {}, "finish_reason": "tool_calls"}),
    ])
}

fn words() -> Reply {
    stream(&[
        json!({"index": 0, "delta": {"role": "assistant", "content": "all "}}),
        json!({"index": 0, "delta": {"content": "done"}}),
        json!({"index": 0, "delta": {}, "finish_reason": "stop"}),
    ])
}

#[test]
fn all_three_wires_of_a_gateway_are_understood() {
    let gateway = Gateway::start();
    let openai = |wire| {
        [
            ("PROVIDER", "openai"),
            ("OPENAI_BASE_URL", "ORIGIN"),
            ("OPENAI_WIRE", wire),
        ]
    };
    let anthropic = [
        ("PROVIDER", "anthropic"),
        ("ANTHROPIC_BASE_URL", "ORIGIN"),
        ("ANTHROPIC_API_KEY", "any"),
    ];
    let router = [("PROVIDER", "router"), ("ROUTER_URL", "ORIGIN")];
    for model in ["own", "theirs"] {
        gateway.check(&openai("completions"), model);
    }
    gateway.check(&openai("responses"), "theirs");
    gateway.check(&anthropic, "own");
    gateway.check(&router, "theirs");

    let models = gateway.place.sx(["models"]);
    let models = router.iter().fold(models, |sx, (name, value)| {
        sx.env(name, value.replace("ORIGIN", &gateway.origin))
    });
    let ran = models.env("MODEL", "own").run();
    let text = ran.check_code(0).text();
    assert!(text.contains("* own"), "{text}");
    assert!(text.contains("  theirs"), "{text}");
}
