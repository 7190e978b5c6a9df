//! What is asked of the service, what comes back into the next request, and how refusals end.

use crate::place::Credential;
use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Request;
use crate::server::Server;
use crate::sx::Ran;
use serde_json::Value;
use serde_json::json;

fn done() -> Reply {
    Reply::events(&Answer::new().say("done").whole())
}

/// A run of several answers; the requests that it made.
#[track_caller]
fn requests_of(replies: Vec<Reply>) -> Vec<Request> {
    let place = Place::with_credential();
    let server = Server::start(replies);
    place.exec(&server, ["do it"]).run().check_code(0);
    server.check_done();
    server.requests()
}

#[test]
fn the_first_request_has_the_shape_that_the_service_wants() {
    let requests = requests_of(vec![done()]);
    let request = &requests[0];
    assert_eq!(request.method, "POST");
    assert_eq!(request.target, "/backend-api/codex/responses");
    let body = request.json();
    assert_eq!(body["model"], "gpt-5.3-codex");
    assert_eq!(
        (&body["stream"], &body["store"]),
        (&json!(true), &json!(false))
    );
    assert!(
        body["instructions"]
            .as_str()
            .is_some_and(|text| text.len() <= 3 * 1024)
    );
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    for name in ["temperature", "max_output_tokens", "previous_response_id"] {
        assert!(body.get(name).is_none(), "{name}");
    }
    let tools = body["tools"].as_array().expect("tools");
    let names: Vec<&str> = tools
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "bash",
            "read",
            "write",
            "edit",
            "apply_patch",
            "view_image",
            "grep",
            "glob",
            "list",
            "docs",
            "job",
            "plan",
            "ask_user"
        ]
    );
    assert!(request.body.len() <= 9_000, "{} bytes", request.body.len());
    assert!(request.body.ends_with(b"]}"), "input is the last field");
}

#[test]
fn the_headers_say_who_asks_and_for_whom() {
    let requests = requests_of(vec![done()]);
    let request = &requests[0];
    let token = Credential::default().access_token();
    assert_eq!(request.header("authorization"), format!("Bearer {token}"));
    assert_eq!(request.header("chatgpt-account-id"), "account-1");
    assert_eq!(request.header("originator"), "sx");
    assert!(request.header("user-agent").starts_with("sx/"));
    assert_eq!(request.header("accept"), "text/event-stream");
    assert_eq!(request.header("content-type"), "application/json");
    let key = request.json()["prompt_cache_key"].clone();
    for name in ["session-id", "thread-id", "session_id"] {
        assert_eq!(json!(request.header(name)), key, "{name}");
    }
}

#[test]
fn the_next_request_begins_with_the_bytes_of_the_one_before() {
    let requests = requests_of(vec![
        Reply::events(
            &Answer::new()
                .think("Hm.", "sealed")
                .say("I look.")
                .bash("call_1", "echo one")
                .whole(),
        ),
        Reply::events(&Answer::new().bash("call_2", "echo two").whole()),
        done(),
    ]);
    for pair in requests.windows(2) {
        let prefix = pair[0].body.strip_suffix(b"]}").expect("input is last");
        assert!(pair[1].body.starts_with(prefix));
    }
}

#[test]
fn a_newer_model_finds_prompt_and_tools_in_the_input() {
    let place = Place::with_credential();
    let called = Answer::new().bash("call_1", "echo one").whole();
    let server = Server::start([Reply::events(&called), done()]);
    let args = ["-m", "gpt-6-sol", "do it"];
    place.exec(&server, args).run().check_code(0);
    let requests = server.requests();
    let request = &requests[0];
    let field = "x-openai-internal-codex-responses-lite";
    assert_eq!(request.header(field), "true");
    let body = request.json();
    assert!(body.get("tools").is_none() && body.get("instructions").is_none());
    assert_eq!(body["parallel_tool_calls"], false);
    let input = request.input();
    assert_eq!(input[0]["type"], "additional_tools");
    assert_eq!(input[0]["tools"][0]["name"], "functions");
    assert_eq!(input[1]["role"], "developer");
    let prefix = request.body.strip_suffix(b"]}").expect("input is last");
    assert!(requests[1].body.starts_with(prefix));
}

#[test]
fn what_the_service_said_comes_back_byte_for_byte() {
    let reasoning = concat!(
        r#"{"id":"rs_1", "type":"reasoning","summary":[],"#,
        r#""encrypted_content":"a\/b\u00e9==","content":null}"#
    );
    let message = concat!(
        r#"{"type":"message", "id":"msg_1","role":"assistant","status":"completed","#,
        r#""content":[{"type":"output_text","text":"a\u2026b","annotations":[],"logprobs":[]}]}"#
    );
    let unknown = concat!(
        r#"{"type":"web_search_call","id":"ws_1", "status":"completed","#,
        r#""action":{"type":"search","query":"x"}}"#
    );
    let call = concat!(
        r#"{"type":"function_call","id":"fc_1", "call_id":"call_1","name":"bash","#,
        r#""arguments":"{\"command\": \"true\"}","status":"completed","namespace":"functions"}"#
    );
    let items = [reasoning, message, unknown, call];
    let answer = items
        .iter()
        .fold(Answer::new(), |answer, item| answer.item_raw(item));
    let requests = requests_of(vec![Reply::events(&answer.whole()), done()]);
    let body = String::from_utf8(requests[1].body.clone()).expect("UTF-8");
    assert!(body.contains(&items.join(",")), "{body}");
}

#[test]
fn calls_and_answers_stand_in_pairs() {
    let answer = Answer::new()
        .bash("call_1", "echo first")
        .bash("call_2", "echo second")
        .freeform("call_3", "apply_patch", "no patch");
    let requests = requests_of(vec![Reply::events(&answer.whole()), done()]);
    let input = requests[1].input();
    let kinds: Vec<(&str, &str)> = input
        .iter()
        .filter_map(|item| Some((item["type"].as_str()?, item["call_id"].as_str()?)))
        .collect();
    assert_eq!(
        kinds,
        [
            ("function_call", "call_1"),
            ("function_call", "call_2"),
            ("custom_tool_call", "call_3"),
            ("function_call_output", "call_1"),
            ("function_call_output", "call_2"),
            ("custom_tool_call_output", "call_3"),
        ]
    );
    assert!(requests[1].result("call_1").contains("first"));
    assert!(requests[1].result("call_2").contains("second"));
}

#[test]
fn the_token_of_a_turn_is_echoed_in_that_turn() {
    let place = Place::with_credential();
    let call = Answer::new().bash("call_1", "true").whole();
    let server = Server::start([
        Reply::events_with("x-codex-turn-state: sticky\r\n", &call),
        done(),
    ]);
    place.exec(&server, ["go"]).run().check_code(0);
    let requests = server.requests();
    assert_eq!(requests[0].header("x-codex-turn-state"), "");
    assert_eq!(requests[1].header("x-codex-turn-state"), "sticky");
}

#[test]
fn a_picture_is_sent_with_the_prompt() {
    let place = Place::with_credential();
    place.write("work/dot.png", PNG);
    let server = Server::start([done()]);
    place
        .exec(&server, ["-i", "dot.png", "what is it"])
        .run()
        .check_code(0);
    let input = server.requests()[0].input();
    let parts = input.iter().filter_map(|item| item["content"].as_array());
    let part = parts.flatten().find(|part| part["type"] == "input_image");
    let url = part.expect("a picture")["image_url"].as_str();
    assert!(url.is_some_and(|url| url.starts_with("data:image/png;base64,iVBORw0KGgo")));
    let ran = place.exec(&server, ["-i", "none.png", "what is it"]).run();
    assert!(
        ran.check_code(2).stderr.contains("none.png"),
        "{}",
        ran.stderr
    );
}

/// The signature of a PNG and a little more: nothing looks further.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0";

/// A run against these replies.
fn run(replies: impl IntoIterator<Item = Reply>, args: &[&str]) -> Ran {
    let place = Place::with_credential();
    let server = Server::start(replies);
    let args = ["--json", "go"].iter().chain(args);
    let ran = place.exec(&server, args).run();
    server.check_done();
    ran
}

#[track_caller]
fn check_ends(ran: &Ran, code: i32, status: &str, expected: &str) {
    ran.check_code(code);
    let result = ran.result();
    assert_eq!(result["status"], status, "{result}");
    assert_eq!(result["exit"], code, "{result}");
    let error = result["error"].as_str().expect("an error");
    assert!(error.contains(expected), "no {expected:?} in {error:?}");
}

fn refusal(status: u16, body: &Value) -> Reply {
    Reply::json_with(status, "retry-after: 0\r\n", body)
}

#[test]
fn what_may_pass_is_tried_again() {
    let throttled = json!({"error": {"type": "rate_limit_exceeded", "message": "slow down"}});
    let ran = run(
        [
            refusal(500, &json!({"error": {"message": "oops"}})),
            refusal(503, &json!({"error": {"code": "server_is_overloaded"}})),
            refusal(429, &throttled),
            done(),
        ],
        &[],
    );
    ran.check_code(0);
    let retries = ran.events_of("retry");
    let attempts: Vec<&Value> = retries.iter().map(|event| &event["attempt"]).collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert!(
        retries[0]["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("500"))
    );
}

#[test]
fn tries_end_and_the_last_reason_is_told() {
    let oops = || refusal(500, &json!({"error": {"message": "the oven is cold"}}));
    let ran = run([oops(), oops(), oops()], &["-e", "RETRY_MAX=2"]);
    check_ends(&ran, 5, "failed", "the oven is cold");
    assert_eq!(ran.events_of("retry").len(), 2);
}

#[test]
fn what_cannot_pass_is_not_tried_again() {
    let detail = json!({"detail": "Instructions are required"});
    let ran = run([Reply::json(400, &detail)], &[]);
    check_ends(&ran, 5, "failed", "Instructions are required");
}

#[test]
fn a_page_of_a_proxy_is_named_as_such() {
    let html = "<html><title>Just a moment...</title></html>";
    let head = "HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\n";
    let page = format!("{head}content-length: {}\r\n\r\n{html}", html.len());
    let ran = run([Reply::raw(page)], &["-e", "RETRY_MAX=0"]);
    let result = ran.result();
    let error = result["error"].as_str().expect("an error");
    assert!(error.contains("403") && error.contains("proxy"), "{error}");
    assert_eq!(result["status"], "failed");
}

#[test]
fn a_spent_quota_is_code_4_and_tells_when_it_is_back() {
    let spent = json!({"error": {"type": "usage_limit_reached", "plan_type": "plus",
        "resets_at": 4_102_444_800u64, "message": "The usage limit has been reached"}});
    let ran = run([Reply::json(429, &spent)], &[]);
    check_ends(&ran, 4, "quota", "");
    assert_eq!(ran.result()["resets_at"], 4_102_444_800u64);
}

#[test]
fn a_failed_answer_ends_with_the_services_words() {
    let failed = Answer::new().failed("invalid_prompt", "this is not allowed here");
    let ran = run([Reply::events(&failed)], &[]);
    check_ends(&ran, 5, "failed", "this is not allowed here");
    let overflow = Answer::new().failed("context_length_exceeded", "too long");
    let ran = run([Reply::events(&overflow)], &[]);
    check_ends(&ran, 5, "failed", "");
}

#[test]
fn a_wait_that_is_too_long_is_the_allowance_only_where_the_account_is_at_fault() {
    let body = json!({"error": {"message": "come back later"}});
    let later = |status| Reply::json_with(status, "retry-after: 3600\r\n", &body);
    check_ends(&run([later(429)], &[]), 4, "quota", "come back later");
    check_ends(&run([later(503)], &[]), 5, "failed", "come back later");
}

#[test]
fn an_answer_that_was_cut_off_keeps_its_words_and_says_so() {
    let cut = Answer::new()
        .say("as far as I g")
        .incomplete("max_output_tokens");
    let ran = run([Reply::events(&cut)], &[]);
    let texts = ran.events_of("text");
    assert_eq!(texts[0]["text"], "as far as I g");
    ran.check_code(5);
}

#[test]
fn a_call_of_an_answer_that_was_cut_off_is_not_run() {
    let place = Place::with_credential();
    let cut = Answer::new()
        .bash("call_1", "touch ran")
        .incomplete("max_output_tokens");
    let shorter = Answer::new().say("in steps").whole();
    let server = Server::start([Reply::events(&cut), Reply::events(&shorter)]);
    let ran = place.exec(&server, ["--json", "go"]).run();
    ran.check_code(0);
    assert!(place.names("work").is_empty(), "{:?}", place.names("work"));
    let result = &ran.events_of("result_of")[0];
    assert_eq!(result["ok"], false, "{result}");
    assert!(
        result["output"]
            .as_str()
            .is_some_and(|text| text.starts_with("not run"))
    );
    // Who does the same again would go on so for ever.
    let server = Server::start([Reply::events(&cut), Reply::events(&cut)]);
    let ran = place.exec(&server, ["--json", "go"]).run();
    ran.check_code(5);
    server.check_done();
}

#[test]
fn a_wait_that_is_too_long_is_told() {
    let throttled = json!({"error": {"type": "rate_limit_exceeded", "message": "slow down"}});
    let ran = run(
        [Reply::json_with(429, "retry-after: 3600\r\n", &throttled)],
        &[],
    );
    check_ends(
        &ran,
        4,
        "quota",
        "slow down (it asks for a wait of 60 m 00 s)",
    );
    // The moment itself is for programs.
    assert!(ran.result()["resets_at"].as_u64() > Some(1_700_000_000));
}

#[test]
fn an_item_that_is_odd_somewhere_is_not_lost() {
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    for odd in ["1e999", r#""\ud83d""#, &deep] {
        let call = format!(
            r#"{{"type":"function_call","call_id":"call_1","name":"bash","odd":{odd},"arguments":"#
        ) + r#""{\"command\":\"echo seen\"}"}"#;
        let requests = requests_of(vec![
            Reply::events(&Answer::new().item_raw(&call).whole()),
            done(),
        ]);
        // The body is as odd as the item, so it is looked at as text.
        let body = String::from_utf8_lossy(&requests[1].body).into_owned();
        assert!(body.contains(&call), "{odd}");
        assert!(body.contains(r#""output":"exit 0\nseen\n""#), "{odd}");
    }
    let half = r#"{"type":"message","role":"assistant","content":[{"text":"a\ud83d b"}]}"#;
    let ran = run([Reply::events(&Answer::new().item_raw(half).whole())], &[]);
    ran.check_code(0);
    assert_eq!(ran.result()["text"], "a\u{fffd} b");
}

#[test]
fn lines_that_are_no_json_are_skipped() {
    let mut events = vec![
        "data: {broken\n\n".to_owned(),
        "data: [DONE]\n\n".to_owned(),
    ];
    events.extend(Answer::new().say("fine").whole());
    let ran = run([Reply::events(&events)], &[]);
    ran.check_code(0);
    assert_eq!(ran.result()["text"], "fine");
}

#[test]
fn aliases_become_names_and_other_names_pass() {
    for (asked, sent) in [
        ("opus", "gpt-5.3-codex"),
        ("haiku", "gpt-5.1-codex-mini"),
        ("gpt-9-new", "gpt-9-new"),
    ] {
        let place = Place::with_credential();
        let server = Server::start([done()]);
        place.exec(&server, ["-m", asked, "go"]).run().check_code(0);
        assert_eq!(server.requests()[0].json()["model"], sent);
    }
}

#[test]
fn a_token_does_not_go_to_a_stranger_in_the_clear() {
    let place = Place::with_credential();
    let sx = place.sx(["exec", "--json", "-e", "RETRY_MAX=0", "go"]);
    let ran = sx.env("CODEX_BASE_URL", "http://192.0.2.1/v1").run();
    ran.check_code(3);
    let error = ran.result()["error"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(error.contains("http") && !error.is_empty(), "{error}");
}

#[test]
fn the_workspace_check_names_the_region_of_every_request_and_ends_nothing() {
    let answer = |text: &str| Reply::events(&Answer::new().say(text).whole());
    let place = Place::with_credential();
    let server = Server::start([answer("one")]);
    let account = json!({"id": "account-1", "account_routing_override": "us"});
    server.on(
        "/wham/accounts/check",
        [Reply::json(200, &json!({"accounts": [account]}))],
    );
    place.exec(&server, ["hi"]).run().check_code(0);
    let region = "x-openai-account-routing-override";
    assert_eq!(server.requests()[0].header(region), "us");

    // Nothing that helps: a note for whoever wants to know.
    let server = Server::start([answer("two"), answer("three")]);
    let ran = place.exec(&server, ["-v", "hi"]).run();
    ran.check_code(0);
    ran.check_said("note: the workspace check was answered with status 404");
    let ran = place.exec(&server, ["hi"]).run();
    assert!(!ran.stderr.contains("workspace check"), "{}", ran.stderr);
}

#[test]
fn an_answer_that_comes_in_one_piece_is_as_good() {
    let documents = [
        (
            ("openai", "OPENAI_BASE_URL", "completions"),
            "/chat/completions",
            json!({"object": "chat.completion", "choices": [{"index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": "whole", "reasoning_content": "hm"}}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 1}}),
        ),
        (
            ("openai", "OPENAI_BASE_URL", "responses"),
            "/responses",
            json!({"object": "response", "id": "resp_1", "status": "completed", "error": null,
                "output": [
                    {"type": "reasoning", "id": "rs_1",
                        "summary": [{"type": "summary_text", "text": "hm"}]},
                    {"type": "message", "id": "msg_1", "role": "assistant",
                        "content": [{"type": "output_text", "text": "whole"}]}],
                "usage": {"input_tokens": 7, "output_tokens": 1}}),
        ),
        (
            ("anthropic", "ANTHROPIC_BASE_URL", ""),
            "/v1/messages",
            json!({"type": "message", "role": "assistant", "stop_reason": "end_turn",
                "content": [{"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "text", "text": "whole"}],
                "usage": {"input_tokens": 7, "output_tokens": 1}}),
        ),
        (
            ("gemini", "GEMINI_BASE_URL", ""),
            "?alt=sse",
            json!({"candidates": [{"finishReason": "STOP", "content": {"role": "model",
                "parts": [{"text": "hm", "thought": true}, {"text": "whole"}]}}],
                "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 1}}),
        ),
    ];
    for ((provider, address, wire), path, document) in documents {
        let place = Place::new();
        let server = Server::start([]);
        server.on(path, [Reply::json(200, &document)]);
        let ran = place
            .sx(["exec", "--json", "hi"])
            .env("PROVIDER", provider)
            .env("MODEL", "m")
            .env(address, server.origin())
            .env("OPENAI_WIRE", if wire.is_empty() { "auto" } else { wire })
            .env("ANTHROPIC_API_KEY", "k")
            .env("GEMINI_API_KEY", "k")
            .run();
        ran.check_code(0);
        assert_eq!(ran.result()["text"], "whole", "{path}");
        assert_eq!(ran.events_of("reasoning")[0]["text"], "hm", "{path}");
        assert_eq!(ran.result()["usage"]["input"], 7, "{path}");
    }
}
