//! Tests of the member: which wire is tried when, and what is no reason to try another.

use super::*;
use crate::auth::identity::Identity;
use crate::chat::Message;
use crate::provider::Thinking;
use crate::provider::models::Aliases;

fn router() -> Router {
    Router::new(Options {
        base_url: Url::parse("http://gateway:8080").unwrap(),
        wire: Wire::Completions,
        identity: Identity::own(),
        aliases: Aliases::default(),
    })
}

fn head(status: u16, kind: &str) -> ResponseHead {
    let mut headers = Headers::new();
    headers.push("content-type", kind);
    ResponseHead {
        status,
        reason: String::new(),
        minor: 1,
        headers,
    }
}

fn path_of(router: &mut Router) -> String {
    let history = [Message::user("hi")];
    let request = Request {
        model: "m",
        system: "",
        tools: &[],
        history: &history,
        session: "",
        thinking: Thinking::default(),
        output_max: None,
        schema: None,
        search: false,
    };
    let sent = router.encode(&request, None).unwrap();
    assert!(sent.headers.first("authorization").is_none());
    sent.url.target
}

/// What the loop does with an answer: the error if it ends there.
fn answer(router: &mut Router, status: u16, body: &str) -> Option<Error> {
    router.heard(&head(status, "application/json"));
    let error = router.classify(status, &Headers::new(), body.as_bytes());
    let is_other = matches!(error, Error::OtherWire { .. });
    (!is_other || !router.turn_to_other_wire()).then_some(error)
}

#[test]
fn wires_are_tried_in_order_and_the_one_that_answers_stays() {
    let mut router = router();
    assert_eq!(path_of(&mut router), "/v1/responses");
    assert_eq!(answer(&mut router, 404, r#"{"detail":"Not Found"}"#), None);
    assert_eq!(path_of(&mut router), "/v1/chat/completions");
    router.heard(&head(200, "text/event-stream; charset=utf-8"));
    router.begin_turn();
    assert_eq!(path_of(&mut router), "/v1/chat/completions");
    // Now a 404 is about something else.
    let error = answer(&mut router, 404, "{}");
    assert!(
        matches!(error, Some(Error::Refused { status: 404, .. })),
        "{error:?}"
    );
    assert!(!router.turn_to_other_wire());
}

#[test]
fn a_gateway_without_any_wire_is_refused_and_tried_anew_the_next_time() {
    let mut router = router();
    assert_eq!(answer(&mut router, 405, ""), None);
    assert_eq!(answer(&mut router, 404, ""), None);
    let error = answer(&mut router, 404, "404 page not found")
        .unwrap()
        .to_string();
    assert!(
        error.contains("/v1/responses, /v1/chat/completions, /v1/messages"),
        "{error}"
    );
    router.begin_turn();
    assert_eq!(path_of(&mut router), "/v1/responses");
}

#[test]
fn a_gateway_that_speaks_messages_alone_is_spoken_to_so() {
    let mut router = router();
    assert_eq!(answer(&mut router, 404, "{}"), None);
    assert_eq!(answer(&mut router, 404, "{}"), None);
    assert_eq!(path_of(&mut router), "/v1/messages");
    // It named no models, so an alias is what the vendor of that wire means by it.
    assert!(router.model("sonnet").starts_with("claude-"));
    assert!(router.window("sonnet") > 0);
    assert!(router.question("sonnet", None).unwrap().is_some());
    router.answered("sonnet", 200, br#"{"data":[{"id":"one"}]}"#);
    assert_eq!(router.model("sonnet"), "one");
    router.heard(&head(200, "text/event-stream"));
    router.begin_turn();
    assert_eq!(path_of(&mut router), "/v1/messages");
}

#[test]
fn a_wire_that_fails_is_passed_over_and_tried_again_when_all_fail() {
    let mut router = router();
    let failure = r#"{"error":{"message":"internal"}}"#;
    assert_eq!(answer(&mut router, 500, failure), None);
    assert_eq!(path_of(&mut router), "/v1/chat/completions");
    assert_eq!(answer(&mut router, 500, failure), None);
    assert_eq!(path_of(&mut router), "/v1/messages");
    let error = answer(&mut router, 500, failure);
    assert!(matches!(error, Some(Error::Retry { .. })), "{error:?}");
    assert_eq!(path_of(&mut router), "/v1/responses");
}

#[test]
fn only_an_unknown_path_is_a_reason_to_try_another_wire() {
    for (status, body, expected) in [
        (
            404,
            r#"{"error":{"code":404,"message":"File Not Found"}}"#,
            true,
        ),
        (404, "404 page not found", true),
        (
            404,
            r#"{"error":"No such model route: /v1/responses"}"#,
            true,
        ),
        (
            400,
            r#"{"error":{"message":"responses API is not supported"}}"#,
            true,
        ),
        (
            400,
            r#"{"error":{"message":"you must provide a messages parameter"}}"#,
            true,
        ),
        (
            422,
            r#"{"detail":[{"loc":["body","messages"],"msg":"Field required"}]}"#,
            true,
        ),
        (
            400,
            r#"{"error":{"message":"messages: roles must alternate"}}"#,
            false,
        ),
        (
            200,
            r#"{"id":"x", "object": "chat.completion", "choices":[]}"#,
            true,
        ),
        // LiteLLM, of what a server behind it said.
        (
            404,
            r#"{"error":{"message":"litellm.NotFoundError: NotFoundError: OpenAIException - Not
                Found\n\nLiteLLM: model group 'x' failed with the error above."}}"#,
            true,
        ),
        (404, "<html>model zoo</html>", true),
        (
            404,
            r#"{"error":{"message":"model \"x\" not found, try pulling it first"}}"#,
            false,
        ),
        (
            404,
            r#"{"error":{"message":"The model `x` does not exist"}}"#,
            false,
        ),
        (405, "", true),
        (501, "", true),
        (200, "<!doctype html>", true),
        (
            200,
            r#"{"error":"Unexpected endpoint or method. (POST /v1/responses)"}"#,
            true,
        ),
        (200, r#"{"error":"overloaded"}"#, false),
        (
            400,
            r#"{"error":{"message":"Invalid URL (POST /v1/responses)"}}"#,
            true,
        ),
        (400, r#"{"error":{"message":"bad tools"}}"#, false),
        (401, "", false),
        (429, "", false),
        (503, "", false),
    ] {
        assert_eq!(
            is_unknown_path(status, body.as_bytes()),
            expected,
            "{status} {body}"
        );
    }
}
