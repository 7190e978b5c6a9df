//! The service's own search: asked for where a person wants it, seen, named under the answer.

use crate::place::Place;
use crate::server::Reply;
use crate::server::Request;
use crate::server::Server;
use serde_json::Value;
use serde_json::json;

/// A service that searches, and the stream of an answer that did.
struct Service {
    provider: &'static str,
    model: &'static str,
    address: &'static str,
    key: &'static str,
    path: &'static str,
    stream: &'static str,
    /// What its request has among its tools.
    tool: Value,
    text: &'static str,
    link: &'static str,
}

fn services() -> Vec<Service> {
    vec![
        Service {
            provider: "openai",
            model: "gpt-5.2",
            address: "OPENAI_BASE_URL",
            key: "OPENAI_API_KEY",
            path: "/responses",
            stream: include_str!("../data/provider/openai/search.sse"),
            tool: json!({"type": "web_search"}),
            text: "Born in 1916.",
            link: "https://example.org/a?utm_source=openai",
        },
        Service {
            provider: "anthropic",
            model: "claude-sonnet-5-5",
            address: "ANTHROPIC_BASE_URL",
            key: "ANTHROPIC_API_KEY",
            path: "/v1/messages",
            stream: include_str!("../data/provider/anthropic/search.sse"),
            tool: json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 8}),
            text: "I'll look.\n\nHe was born in 1916.",
            link: "https://example.org/a",
        },
        Service {
            provider: "gemini",
            model: "gemini-3-flash",
            address: "GEMINI_BASE_URL",
            key: "GEMINI_API_KEY",
            path: "/v1beta/models/gemini-3-flash:streamGenerateContent?alt=sse",
            stream: include_str!("../data/provider/gemini/search.sse"),
            tool: json!({"googleSearch": {}}),
            text: "Born in 1916.",
            link: "https://vertexaisearch.cloud.google.com/grounding-api-redirect/AUZ",
        },
    ]
}

fn tools(request: &Request) -> Vec<Value> {
    request.json()["tools"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

#[test]
fn a_search_is_offered_where_a_person_wants_it_and_its_pages_are_named() {
    for service in services() {
        let name = service.provider;
        let place = Place::new();
        let server = Server::start([]);
        let answer = || Reply::events(&[service.stream.to_string()]);
        server.on(service.path, [answer(), answer(), answer(), answer()]);
        let settings = |sx: crate::sx::Sx| {
            sx.env("PROVIDER", name)
                .env("MODEL", service.model)
                .env(service.address, server.origin())
                .env(service.key, "key")
                .env("OPENAI_WIRE", "responses")
        };
        let ran = settings(place.sx(["exec", "--json", "who?"]))
            .env("TOOL_WEB_SEARCH", "1")
            .run();
        ran.check_code(0);
        let seen = ran.events_of("search");
        assert_eq!(seen.len(), 1, "{name}: {}", ran.text());
        assert_eq!(seen[0]["query"], "born 1916", "{name}");
        assert_eq!(ran.events_of("links")[0]["links"][0]["url"], service.link);
        assert_eq!(ran.result()["text"], service.text, "{name}");

        // The same again, and nothing in between moves.
        let again = settings(place.sx(["exec", "--resume", "last", "sure?"]))
            .env("TOOL_WEB_SEARCH", "1")
            .run();
        again
            .check_code(0)
            .check_said("  the service searches the web: born 1916\n");
        again.check_said(&format!(": {}\n", service.link));
        let requests = server.requests_to(service.path);
        for request in &requests {
            assert!(
                tools(request).contains(&service.tool),
                "{name}: {:?}",
                tools(request)
            );
        }
        assert_eq!(tools(&requests[0]), tools(&requests[1]));

        // Nobody asked for it.
        settings(place.sx(["exec", "--no-session", "who?"]))
            .run()
            .check_code(0);
        let plain = server
            .requests_to(service.path)
            .pop()
            .expect("three requests");
        assert!(!tools(&plain).contains(&service.tool), "{name}");
    }
}

#[test]
fn what_a_service_sealed_of_its_search_goes_back_as_it_came_and_to_nobody_else() {
    let all = services();
    let place = Place::new();
    let server = Server::start([]);
    let run = |service: &Service, args: &[&str]| {
        let answer = Reply::events(&[service.stream.to_string()]);
        server.on(service.path, [answer]);
        let ran = place
            .sx(args)
            .env("PROVIDER", service.provider)
            .env("MODEL", service.model)
            .env(service.address, server.origin())
            .env(service.key, "key")
            .env("OPENAI_WIRE", "responses")
            .env("TOOL_WEB_SEARCH", "1")
            .run();
        ran.check_code(0);
        let request = server.requests_to(service.path).pop().expect("a request");
        String::from_utf8(request.body).expect("JSON is UTF-8")
    };
    run(&all[1], &["exec", "who?"]);
    let own = run(&all[1], &["exec", "--resume", "last", "sure?"]);
    assert!(
        own.contains(r#""encrypted_content":"EqgfCioIARgBIiQ3YTAw""#),
        "{own}"
    );
    assert!(own.contains("He was born in 1916."), "{own}");
    let other = run(&all[0], &["exec", "--resume", "last", "and you?"]);
    assert!(!other.contains("EqgfCioIARgBIiQ3YTAw"), "{other}");
    assert!(other.contains("He was born in 1916."), "{other}");
}

#[test]
fn where_a_service_has_no_search_a_person_is_told() {
    let place = Place::new();
    let server = Server::start([]);
    let words = json!({"choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}]});
    server.on(
        "/chat/completions",
        [Reply::events(&[format!("data: {words}\n\n")])],
    );
    let ran = place
        .sx(["exec", "hi"])
        .env("PROVIDER", "openai")
        .env("MODEL", "m")
        .env("OPENAI_BASE_URL", server.origin())
        .env("TOOL_WEB_SEARCH", "1")
        .run();
    ran.check_code(0);
    ran.check_said("warning: TOOL_WEB_SEARCH=1: openai runs no search for m beside tools");
}
