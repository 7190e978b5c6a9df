//! The table of features against what each member does: a row that promises more, or less, fails.

use crate::issuer::credential;
use crate::place::Place;
use crate::server::Reply;
use crate::server::gate;
use crate::sx::Ran;
use crate::taken::SERVICES;
use crate::taken::Service;
use crate::taken::THOUGHT;
use crate::taken::place;
use serde_json::Value;
use serde_json::json;
use sx::provider::CAPABILITIES;
use sx::provider::Capabilities;

/// The first service that this row is about.
fn service_of(row: &Capabilities) -> &'static Service {
    let mut services = SERVICES.iter();
    let found = services.find(|service| service.provider == row.provider);
    found.unwrap_or_else(|| panic!("no service speaks to {}", row.provider))
}

/// A task with calls, and what its first request was.
fn work(service: &Service, place: &Place, args: &[&str]) -> (Ran, Value) {
    let replies = [(service.calls)(), (service.words)()];
    let server = service.start(replies.iter().map(|events| Reply::events(events)).collect());
    let ran = service.asking(place.sx(args), &server).run();
    ran.check_code(0);
    let requests = server.requests_to(service.path);
    let first = requests.iter().find(|request| request.method == "POST");
    (ran, first.expect("a request").json())
}

/// Whether words are shown while more are to come.
fn streams(service: &Service) -> bool {
    let place = place();
    let (gate, opener) = gate();
    let words = (service.words)();
    let server = service.start(vec![Reply::events_then_hold(
        &words[..words.len() - 1],
        gate,
    )]);
    let sx = place.sx(["exec", "--json", "--deltas", "-e", "RETRY_MAX=0", "go"]);
    let running = service.asking(sx, &server).start();
    // Gemini's whole answer is one event here; its thought is shown when it came, too.
    running.wait_for_stdout("\"type\":\"turn\"");
    let shown = match words.len() {
        1 => true,
        _ => running.wait_for_stdout(THOUGHT).contains(THOUGHT),
    };
    drop(opener);
    running.wait();
    shown
}

/// Whether a refused credential is renewed, where a login with its issuer is at hand.
fn renews(service: &Service) -> bool {
    let place = Place::new();
    place.write_credential(&credential(0));
    let login = json!({"claudeAiOauth": {
        "accessToken": "access-token", "refreshToken": "refresh-token",
        "expiresAt": 4_000_000_000_000_u64}});
    place.write("home/.claude/.credentials.json", login.to_string());
    let refusal = || Reply::json(401, &json!({"error": {"message": "expired"}}));
    let server = crate::server::Server::start([]);
    server.on(
        "/oauth/token",
        [Reply::json(400, &json!({"error": "invalid_grant"}))],
    );
    server.on(service.path, [refusal(), refusal(), refusal()]);
    let sx = service.asking(place.sx(["exec", "go"]), &server);
    let ran = sx
        .without_env("CLAUDE_CODE_OAUTH_TOKEN")
        .env("CODEX_ISSUER", server.origin())
        .env("CLAUDE_CODE_ISSUER", server.origin())
        .env("CLAUDE_CODE_CLIENT_ID", "mine")
        .run();
    ran.check_code(3);
    !server.requests_to("/oauth/token").is_empty()
}

#[test]
fn every_row_is_what_its_member_does() {
    for row in CAPABILITIES {
        let service = service_of(row);
        let task = [
            "exec",
            "--json",
            "-i",
            "dot.png",
            "-e",
            "TOOL_WEB_SEARCH=1",
            "go",
        ];
        let (ran, request) = work(service, &place(), &task);
        let body = request.to_string();
        let done = ran.events_of("result_of");
        let thoughts = ran.events_of("reasoning");
        let seen = Capabilities {
            provider: row.provider,
            streaming: streams(service),
            thinking: thoughts.iter().any(|event| event["text"] == THOUGHT),
            tools: done
                .iter()
                .any(|event| event["output"].to_string().contains("remember")),
            functions: request["tools"]
                .as_array()
                .is_some_and(|tools| !tools.is_empty()),
            vision: body.contains("iVBORw0KGgo"),
            refresh: renews(service),
            caching: ran.result()["usage"]["cached"].as_u64() > Some(0),
            search: body.contains("web_search") || body.contains("googleSearch"),
        };
        assert_eq!(seen, *row);
    }
}
