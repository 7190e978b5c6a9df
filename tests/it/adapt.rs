//! Requests that a service took but for one part: sent again without it, at once, and never with
//! it again.

use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Request;
use crate::server::Server;
use crate::sx::Ran;
use serde_json::Value;
use serde_json::json;

fn refusal(status: u16, body: &Value) -> Reply {
    Reply::json(status, body)
}

/// Pieces of an answer on the wire of Chat Completions, and its end.
fn completion(deltas: &[Value], reason: &str) -> Reply {
    let mut events: Vec<String> = Vec::new();
    for delta in deltas {
        let chunk = json!({"id": "c", "choices": [{"index": 0, "delta": delta}]});
        events.push(format!("data: {chunk}\n\n"));
    }
    let end = json!({"id": "c", "choices": [{"delta": {}, "finish_reason": reason}]});
    events.push(format!("data: {end}\n\n"));
    Reply::events(&events)
}

fn reading() -> Value {
    json!({"tool_calls": [{"index": 0, "id": "c1", "type": "function",
        "function": {"name": "read", "arguments": r#"{"path":"note"}"#}}]})
}

/// A run on the wire of Chat Completions that ends well; what it sent.
#[track_caller]
fn complete(replies: Vec<Reply>, settings: &[(&str, &str)]) -> (Ran, Vec<Request>) {
    let place = Place::new();
    place.write("work/note", "the note says seven\n");
    let server = Server::start([]);
    server.answer("/models", |_| Reply::json(404, &json!({})));
    server.on("/v1/chat/completions", replies);
    let sx = place
        .sx(["exec", "-m", "model-of-theirs", "go"])
        .env("PROVIDER", "openai")
        .env("OPENAI_BASE_URL", server.origin())
        // Nothing of this counts as a try.
        .env("RETRY_MAX", "0");
    let set = |sx: crate::sx::Sx, (name, value): &(&str, &str)| sx.env(name, value);
    let ran = settings.iter().fold(sx, set).run();
    ran.check_code(0);
    server.check_done();
    (ran, server.requests_to("/v1/chat/completions"))
}

#[test]
fn what_was_refused_is_left_out_for_the_rest_of_the_run() {
    let unsupported = json!({"error": {"message": "property 'stream_options' is unsupported",
        "type": "invalid_request_error"}});
    let forbidden = json!({"detail": [{"type": "extra_forbidden",
        "loc": ["body", "parallel_tool_calls"], "msg": "Extra inputs are not permitted"}]});
    let (ran, requests) = complete(
        vec![
            refusal(400, &unsupported),
            refusal(422, &forbidden),
            completion(&[reading()], "tool_calls"),
            completion(&[json!({"content": "done"})], "stop"),
        ],
        &[],
    );
    ran.check_stdout("done\n");
    ran.check_said("the service may not say how many tokens an answer takes");
    let has = |name: &str| -> Vec<bool> {
        let bodies = requests.iter().map(Request::json);
        bodies.map(|body| body.get(name).is_some()).collect()
    };
    assert_eq!(has("stream_options"), [true, false, false, false]);
    assert_eq!(has("parallel_tool_calls"), [true, true, false, false]);
}

#[test]
fn an_effort_that_is_unknown_becomes_the_nearest() {
    let unknown = json!({"error": {"message": "Unsupported value: 'high' is not supported with the \
        'M' model. Supported values are: 'low' and 'medium'.", "param": "reasoning_effort",
        "code": "unsupported_value"}});
    let (ran, requests) = complete(
        vec![
            refusal(400, &unknown),
            completion(&[json!({"content": "done"})], "stop"),
        ],
        &[("REASONING_EFFORT", "high")],
    );
    ran.check_said("does not know this effort");
    let efforts = requests
        .iter()
        .map(|request| request.json()["reasoning_effort"].clone());
    assert_eq!(efforts.collect::<Vec<_>>(), ["high", "medium"]);
}

#[test]
fn thoughts_go_back_where_a_server_demands_them() {
    let missing = json!({"error": {"message": "Missing `reasoning_content` field in the assistant \
        message at message index 2.", "type": "invalid_request_error", "param": null,
        "code": "invalid_request_error"}});
    let (ran, requests) = complete(
        vec![
            completion(
                &[json!({"reasoning_content": "hm"}), reading()],
                "tool_calls",
            ),
            refusal(400, &missing),
            completion(&[json!({"content": "done"})], "stop"),
        ],
        &[],
    );
    ran.check_stdout("done\n");
    let answer = |request: &Request| {
        let body = request.json();
        let messages = body["messages"].as_array().cloned().unwrap_or_default();
        let mut answers = messages.into_iter();
        let answer = answers.find(|message| message["role"] == "assistant");
        answer.unwrap_or_default()["reasoning_content"].clone()
    };
    let found: Vec<Value> = requests.iter().map(answer).collect();
    assert_eq!(found, [Value::Null, Value::Null, json!("hm")]);
}

#[test]
fn details_of_thoughts_go_back_put_together() {
    let piece = |fields: Value| json!({"reasoning_details": [fields]});
    let kind = "reasoning.text";
    let (_, requests) = complete(
        vec![
            completion(
                &[
                    piece(json!({"type": kind, "text": "Let", "index": 0})),
                    piece(json!({"type": kind, "text": " me", "index": 0})),
                    piece(json!({"type": kind, "signature": "s", "index": 0})),
                    reading(),
                ],
                "tool_calls",
            ),
            completion(&[json!({"content": "done"})], "stop"),
        ],
        &[],
    );
    let body = requests[1].json();
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    let mut answers = messages
        .iter()
        .filter(|message| message["role"] == "assistant");
    let answer = answers.next().expect("an answer");
    assert_eq!(
        answer["reasoning_details"],
        json!([{"type": kind, "text": "Let me", "signature": "s", "index": 0}])
    );
}

#[test]
fn a_service_that_refuses_the_same_again_is_not_asked_for_ever() {
    let unsupported = json!({"error": {"message": "property 'stream_options' is unsupported"}});
    let place = Place::new();
    let server = Server::start([]);
    server.answer("/models", |_| Reply::json(404, &json!({})));
    server.on(
        "/v1/chat/completions",
        vec![refusal(400, &unsupported), refusal(400, &unsupported)],
    );
    let ran = place
        .sx(["exec", "-m", "model-of-theirs", "go"])
        .env("PROVIDER", "openai")
        .env("OPENAI_BASE_URL", server.origin())
        .run();
    ran.check_code(5)
        .check_said("the service refused: status 400: property 'stream_options' is unsupported");
    server.check_done();
}

#[test]
fn sealed_thoughts_that_cannot_be_read_are_left_out() {
    let unreadable = json!({"error": {"message": "The encrypted content gAAA could not be \
        verified.", "type": "invalid_request_error", "param": null,
        "code": "invalid_encrypted_content"}});
    let unverified = json!({"error": {"message": "Your organization must be verified to generate \
        reasoning summaries.", "type": "invalid_request_error", "param": "reasoning.summary",
        "code": "unsupported_value"}});
    let place = Place::with_credential();
    let server = Server::start([
        refusal(400, &unverified),
        Reply::events(
            &Answer::new()
                .think("Hm.", "sealed")
                .bash("call_1", "echo one")
                .whole(),
        ),
        refusal(400, &unreadable),
        Reply::events(
            &Answer::new()
                .think("So.", "sealed too")
                .bash("call_2", "echo two")
                .whole(),
        ),
        Reply::events(&Answer::new().say("done").whole()),
    ]);
    let ran = place.exec(&server, ["go"]).run();
    ran.check_code(0)
        .check_said("the service cannot read the thoughts of earlier answers")
        .check_said("the service tells no summaries of thoughts");
    server.check_done();
    let requests = server.requests();
    let sealed: Vec<Vec<Value>> = requests
        .iter()
        .map(|request| {
            let items = request.input().into_iter();
            let items = items.map(|item| item["encrypted_content"].clone());
            items.filter(|sealed| !sealed.is_null()).collect()
        })
        .collect();
    // What came since then is kept.
    assert_eq!(
        sealed[2..],
        [vec![json!("sealed")], vec![], vec![json!("sealed too")]]
    );
    let summary = requests
        .iter()
        .map(|request| request.json()["reasoning"]["summary"].clone());
    assert_eq!(summary.filter(|summary| summary == "auto").count(), 1);
}

#[test]
fn an_answer_takes_the_room_that_is_left_by_the_conversation() {
    let full = json!({"type": "error", "error": {"type": "invalid_request_error", "message":
        "input length and `max_tokens` exceed context limit: 195000 + 64000 > 200000, decrease \
         input length or `max_tokens` and try again"}});
    let events: Vec<String> = [
        json!({"type": "message_start", "message": {"id": "m", "role": "assistant",
            "model": "claude", "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "text_delta", "text": "done"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 5}}),
        json!({"type": "message_stop"}),
    ]
    .iter()
    .map(|data| {
        format!(
            "event: {}\ndata: {data}\n\n",
            data["type"].as_str().unwrap_or_default()
        )
    })
    .collect();
    let place = Place::new();
    let server = Server::start([]);
    server.on(
        "/v1/messages",
        vec![refusal(400, &full), Reply::events(&events)],
    );
    let ran = place
        .sx(["exec", "-m", "claude-sonnet-4-5", "go"])
        .env("PROVIDER", "anthropic")
        .env("ANTHROPIC_BASE_URL", server.origin())
        .env("ANTHROPIC_API_KEY", "key-of-anthropic")
        .run();
    ran.check_code(0)
        .check_stdout("done\n")
        .check_said("room for an answer of 5000 tokens only");
    let requests = server.requests_to("/v1/messages");
    let body = requests[1].json();
    assert_eq!(body["max_tokens"], 5_000);
    assert_eq!(body["thinking"]["budget_tokens"], 2_500);
}
