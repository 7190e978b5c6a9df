//! HTTP as nginx speaks it: where bodies end, what has none, when connections do, and slowness.

use super::Nginx;
use crate::place::Place;
use crate::server::Reply;
use crate::server::Server;
use crate::server::Step;
use crate::server::gate;
use std::net::TcpListener;

/// A site of one `server` block.
fn serving(locations: &str) -> Nginx {
    Nginx::start(&format!("server {{ listen 127.0.0.1:PORT; {locations} }}"))
}

/// A site that passes everything on to a server of ours.
fn in_front_of(server: &Server, more: &str) -> Nginx {
    let origin = server.origin();
    serving(&format!(
        "location / {{ proxy_pass {origin}; proxy_http_version 1.1; {more} }}"
    ))
}

#[test]
fn an_answer_with_a_length_comes_whole() {
    let nginx = serving("location / { return 200 hello; }");
    let told = nginx.get("/x?y=1", &[]);
    told.check(200, "hello");
    assert_eq!(told.header("content-length"), "5");
    assert_eq!(*told.at("tls"), serde_json::Value::Null);
    let asked = nginx.access.wait_for("127.0.0.1 GET /x?y=1 200 ");
    assert!(asked.is_some(), "{}", nginx.access.so_far());
}

#[test]
fn chunks_are_joined() {
    // It passes a body whose length it was not told on in chunks.
    let server = Server::start([]);
    server.on(
        "/x",
        [Reply::raw("HTTP/1.1 200 OK\r\n\r\nhello, world").cut(5)],
    );
    let nginx = in_front_of(&server, "proxy_buffering off;");
    let told = nginx.get("/x", &[]);
    told.check(200, "hello, world");
    assert_eq!(told.header("transfer-encoding"), "chunked");
}

#[test]
fn events_pass_as_they_come() {
    let (gate, opener) = gate();
    let server = Server::start([]);
    server.on(
        "/x",
        [Reply::events_then_hold(&["data: 1\n\n".to_string()], gate)],
    );
    let nginx = in_front_of(&server, "proxy_buffering off;");
    let running = nginx.probe("http", "/x", &["--sse"]).start();
    running.wait_for_stdout("\"data\":\"1\"");
    drop(opener);
    // The chunks of our server had no end, so nginx gives those of its own none.
    let ran = running.wait();
    ran.check_code(5);
    assert!(ran.text().contains("truncated"), "{}", ran.text());
}

#[test]
fn compression_is_declined_and_told_where_it_was_asked_for() {
    let gzip = "gzip on; gzip_min_length 1; gzip_types *;";
    let nginx = serving(&format!(
        "{gzip} location / {{ return 200 $http_accept_encoding; }}"
    ));
    nginx.get("/", &[]).check(200, "identity");
    let told = nginx.get("/", &["-H", "Accept-Encoding: gzip"]);
    told.check_error("unasked", &["content-encoding `gzip`"]);
}

#[test]
fn what_has_no_body_ends_with_its_head() {
    let place = Place::new();
    crate::daemon::folder(&place);
    place.write("server/files/x", "hello");
    let site = "server { listen 127.0.0.1:PORT; location /204 { return 204; } }";
    let nginx = Nginx::start_in(place, site);
    nginx.get("/204", &[]).check(204, "");
    let told = nginx.get("/x", &["--head"]);
    told.check(200, "");
    assert_eq!(told.header("content-length"), "5");

    let told = nginx.get("/x", &[]);
    let tag = format!("If-None-Match: {}", told.check(200, "hello").header("etag"));
    nginx.get("/x", &["-H", &tag]).check(304, "");
}

#[test]
fn a_large_body_comes_byte_for_byte() {
    let place = Place::new();
    crate::daemon::folder(&place);
    let body: Vec<u8> = (0..5_000_000u32).flat_map(u32::to_le_bytes).collect();
    place.write("server/files/x", &body);
    let nginx = Nginx::start_in(place, "server { listen 127.0.0.1:PORT; }");
    let ran = nginx.probe("http", "/x", &["-q"]).run();
    assert!(
        ran.check_code(0).stdout == body,
        "{} bytes",
        ran.stdout.len()
    );
}

#[test]
fn a_large_upload_goes_out_and_a_refusal_of_it_is_heard() {
    let server = Server::start([]);
    server.on("/taken", [Reply::json(200, &serde_json::json!({}))]);
    let nginx = serving(&format!(
        "location /taken {{ proxy_pass {}; }} location / {{ client_max_body_size 1k; \
         proxy_pass http://127.0.0.1:1; }}",
        server.origin()
    ));
    let body = "x".repeat(8_000_000);
    nginx.place.write("work/body", &body);
    nginx.get("/taken", &["-d", "@body"]).check(200, "{}");
    let received = &server.requests_to("/taken")[0].body;
    assert!(*received == body.as_bytes(), "{} bytes", received.len());
    // It answers after the head, without waiting for the rest.
    nginx.get("/refused", &["-d", "@body"]).check_status(413);
}

#[test]
fn an_expectation_is_never_sent() {
    let nginx = serving("location / { return 200 \"<$http_expect>\"; }");
    nginx.get("/", &["-d", "x"]).check(200, "<>");
    let ran = nginx
        .probe("http", "/", &["-H", "Expect: 100-continue"])
        .run();
    ran.check_code(2).check_said("Expect");
}

#[test]
fn a_connection_that_carries_one_request_says_so() {
    let nginx = serving("keepalive_requests 1; location / { return 200 hello; }");
    let told = nginx.get("/", &[]);
    told.check(200, "hello");
    assert_eq!(told.header("connection"), "close");
}

#[test]
fn error_pages_are_answers() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let closed_at = closed.local_addr().expect("bound");
    drop(closed);
    let nginx = serving(&format!(
        "location /502 {{ proxy_pass http://{closed_at}; }}"
    ));
    for (path, status) in [("/404", 404), ("/502", 502)] {
        let told = nginx.get(path, &[]);
        told.check_status(status);
        let page = String::from_utf8_lossy(&told.body()).into_owned();
        assert!(page.contains("nginx"), "{page}");
    }
}

#[test]
fn a_head_that_does_not_come_names_its_setting() {
    let (gate, _opener) = gate();
    let server = Server::start([]);
    server.on("/x", [Reply::steps(vec![Step::Hold(gate)])]);
    let nginx = in_front_of(&server, "");
    let told = nginx.get("/x", &["-e", "FIRST_BYTE_TIMEOUT=300ms"]);
    told.check_error("timeout", &["FIRST_BYTE_TIMEOUT"]);
}

#[test]
fn a_body_that_stops_names_its_setting() {
    let (gate, _opener) = gate();
    let server = Server::start([]);
    let begun = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel";
    let steps = vec![Step::Send(begun.into()), Step::Hold(gate)];
    server.on("/x", [Reply::steps(steps)]);
    let nginx = in_front_of(&server, "proxy_buffering off;");
    let told = nginx.get("/x", &["-e", "IDLE_TIMEOUT=300ms"]);
    told.check_error("timeout", &["IDLE_TIMEOUT"]);
    assert_eq!(told.body(), b"hel");
}
