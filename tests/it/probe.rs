//! `sx probe` from outside: what it sends, what it prints in each shape, and its exit code.

use crate::place::Place;
use crate::server::Reply;
use crate::server::Server;
use crate::server::Step;
use crate::server::gate;
use crate::sx::Ran;
use nix::sys::signal::Signal;
use serde_json::Value;
use serde_json::json;
use std::net::TcpListener;

/// A server with one reply, and its address.
fn server(reply: Reply) -> (Server, String) {
    let server = Server::start([]);
    server.on("/x", [reply]);
    let url = format!("{}/x", server.origin());
    (server, url)
}

/// One run with these options before the URL.
fn probe(options: &[&str], reply: Reply) -> Ran {
    let (_server, url) = server(reply);
    let args = ["probe"].iter().chain(options);
    Place::new().sx(args.chain([&url.as_str()])).run()
}

/// The one object, which is all that is on stdout.
#[track_caller]
fn object(ran: &Ran) -> Value {
    assert_eq!(ran.text().lines().count(), 1, "{}", ran.text());
    serde_json::from_str(ran.text()).expect("JSON")
}

fn hello() -> Reply {
    Reply::raw(
        "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nA: 1\r\nA: 2\r\n\
         Content-Length: 6\r\n\r\nhello\n",
    )
}

#[test]
fn a_whole_answer_is_code_0_whatever_its_status() {
    let ran = probe(&["--json"], hello());
    let told = object(ran.check_code(0));
    assert_eq!(told["status"], 404);
    assert_eq!(told["body_base64"], "aGVsbG8K");
    let expected = json!([
        ["Content-Type", "text/plain"],
        ["A", "1"],
        ["A", "2"],
        ["Content-Length", "6"],
    ]);
    assert_eq!(told["headers"], expected);
    assert_eq!(told["error"], Value::Null);
    assert_eq!(told["tls"], Value::Null);
    assert!(told["phases_ms"]["total"].as_f64() > Some(0.0), "{told}");
    assert_eq!(ran.stderr, "");
}

#[test]
fn what_came_before_a_fault_is_told_with_it() {
    let torn = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nwo";
    let ran = probe(&["--json"], Reply::raw(torn));
    let told = object(ran.check_code(5));
    assert_eq!(told["status"], 200);
    assert_eq!(told["body_base64"], "aGVsbG93bw==");
    assert_eq!(told["error"]["kind"], "truncated");

    let ran = probe(&["--json"], Reply::raw("SSH-2.0-OpenSSH_9.2\r\n"));
    let told = object(ran.check_code(5));
    assert_eq!(told["status"], Value::Null);
    assert_eq!(told["error"]["kind"], "malformed");
}

#[test]
fn nobody_there_is_an_object_too() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    drop(listener);
    let place = Place::new();
    let ran = place.sx(["probe", "--json", url.as_str()]).run();
    let told = object(ran.check_code(5));
    assert_eq!(told["error"]["kind"], "connect");
    assert_eq!(told["url"], url);
    let ran = place.sx(["probe", url.as_str()]).run();
    ran.check_code(5).check_said("connection refused");
}

#[test]
fn silence_ends_with_the_limit_that_was_given() {
    let (gate, _opener) = gate();
    let silent = Reply::steps(vec![Step::Hold(gate)]);
    let ran = probe(&["--json", "--max-time", "200ms"], silent);
    let told = object(ran.check_code(5));
    assert_eq!(told["error"]["kind"], "timeout");
    let message = told["error"]["message"].as_str().expect("a message");
    assert!(message.contains("--max-time"), "{message}");
}

#[test]
fn a_signal_ends_it_and_the_object_is_still_whole() {
    let (gate, _opener) = gate();
    let (server, url) = server(Reply::steps(vec![Step::Hold(gate)]));
    let place = Place::new();
    let running = place.sx(["probe", "--sse", url.as_str()]).start();
    while server.requests_to("/x").is_empty() {
        std::thread::yield_now();
    }
    running.signal(Signal::SIGINT);
    let ran = running.wait();
    let last = object(ran.check_code(130));
    assert_eq!(last["error"]["kind"], "interrupted");
}

#[test]
fn events_are_printed_as_they_come() {
    let (gate, opener) = gate();
    let events = ["event: a\nid: 7\ndata: 1\n\n", "data: 2\n\n"].map(String::from);
    let (_server, url) = server(Reply::events_then_hold(&events, gate));
    let place = Place::new();
    let running = place.sx(["probe", "--sse", url.as_str()]).start();
    // The stream is still open.
    running.wait_for_stdout(
        "{\"event\":\"a\",\"data\":\"1\",\"id\":\"7\",\"retry\":null}\n\
         {\"event\":null,\"data\":\"2\",\"id\":\"7\",\"retry\":null}\n",
    );
    drop(opener);
    let ran = running.wait();
    let last = ran.check_code(5).text().lines().last().expect("a line");
    let last: Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(last["end"], "error");
    assert_eq!(last["error"]["kind"], "truncated");
}

#[test]
fn a_stream_that_ended_says_so() {
    let events = ["data: 1\n\n".to_string(), "data: to".to_string()];
    let ran = probe(&["--sse"], Reply::events(&events).cut(1));
    ran.check_code(0).check_stdout(
        "{\"event\":null,\"data\":\"1\",\"id\":\"\",\"retry\":null}\n\
         {\"end\":\"eof\",\"error\":null}\n",
    );
    let ran = probe(&["--sse"], hello());
    ran.check_code(0)
        .check_stdout("{\"end\":\"eof\",\"error\":null}\n")
        .check_said("no event stream: 404 Not Found, text/plain");
}

#[test]
fn the_page_has_the_request_the_times_the_head_and_the_body() {
    let ran = probe(&[], hello());
    let page = ran.check_code(0).text();
    assert!(page.starts_with("GET http://127.0.0.1:"), "{page}");
    assert!(page.contains("\n  total "), "{page}");
    let rest = "\n\nHTTP/1.1 404 Not Found\nContent-Type: text/plain\nA: 1\nA: 2\n\
                Content-Length: 6\n\nhello\n";
    assert!(page.ends_with(rest), "{page}");
}

#[test]
fn the_body_alone_is_copied_byte_for_byte() {
    let body = [0, 1, 0x1b, 0xff, b'\r', b'\n'];
    let reply = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &body].concat();
    let ran = probe(&["-q"], Reply::raw(reply));
    assert_eq!(ran.check_code(0).stdout, body);
    let ran = probe(&["-q", "--head"], hello());
    ran.check_code(0).check_stdout("");
}

#[test]
fn a_terminal_gets_nothing_that_could_steer_it() {
    let reply = "HTTP/1.1 200 OK\r\nX: \u{9b}31m\r\n\r\na\u{1b}]0;title\u{7}b";
    for options in [&["probe"][..], &["probe", "-q"]] {
        let (_server, url) = server(Reply::raw(reply));
        let args = options.iter().chain([&"--color=never"]);
        let ran = Place::new()
            .sx(args.chain([&url.as_str()]))
            .start_on_terminal()
            .wait();
        let page = ran.check_code(0).text();
        assert!(page.contains("a\\x1b]0;title\\x07b"), "{page:?}");
        assert!(
            !page.contains('\u{1b}') && !page.contains('\u{9b}'),
            "{page:?}"
        );
    }
}

#[test]
fn what_is_typed_is_what_is_sent() {
    let (server, url) = server(hello());
    server.on("/x", [hello(), hello(), hello()]);
    let place = Place::new();
    place.write("work/body", "a\nb");
    let sx = |args: &[&str]| place.sx(["probe"].iter().chain(args).chain([&url.as_str()]));
    sx(&["-H", "A: 1", "-H", "a:2", "-d", "{}"])
        .run()
        .check_code(0);
    sx(&["-X", "PATCH", "-d", "-"])
        .stdin("piped")
        .run()
        .check_code(0);
    sx(&["-d", "@body"]).run().check_code(0);
    let requests = server.requests_to("/x");
    let had = |name: &str, value: &str| (name.to_string(), value.to_string());
    assert_eq!(requests[0].method, "POST");
    assert!(requests[0].headers.contains(&had("a", "1")));
    assert!(requests[0].headers.contains(&had("a", "2")));
    assert_eq!(requests[0].header("content-type"), "application/json");
    assert_eq!(requests[0].header("accept-encoding"), "identity");
    assert_eq!(requests[1].method, "PATCH");
    assert_eq!(requests[1].body, b"piped");
    assert_eq!(requests[2].body, b"a\nb");
}

#[test]
fn what_cannot_be_sent_is_code_2() {
    let place = Place::new();
    let check = |args: &[&str], expected: &str| {
        let ran = place.sx(["probe"].iter().chain(args)).run();
        ran.check_code(2).check_stdout("").check_said(expected);
    };
    check(&["example.org"], "no http://");
    check(&["http://h/", "-H", "Content-Length: 1"], "Content-Length");
    check(&["http://h/", "-H", "a b: 1"], "its name is none");
    check(&["http://h/", "-X", "a b", "--json"], "the method");
    check(&["http://h/", "-d", "@missing"], "cannot read missing");
}

#[test]
fn redirects_are_followed_where_asked_and_without_credentials_elsewhere() {
    let (there, url) = server(hello());
    let here = Server::start([]);
    let redirect = |to: &str| {
        Reply::raw(format!(
            "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 2\r\n\r\nno"
        ))
    };
    here.on("/a", [redirect("/b"), redirect("/b")]);
    here.on("/b", [redirect(&url)]);
    let from = format!("{}/a", here.origin());
    let args = ["probe", "--json", "-H", "Authorization: x", &from];
    let told = object(Place::new().sx(args).run().check_code(0));
    assert_eq!(told["status"], 302);
    assert_eq!(told["redirects"], Value::Null);
    let told = object(Place::new().sx(args).arg("-L").run().check_code(0));
    assert_eq!(
        (&told["status"], &told["body_base64"]),
        (&json!(404), &json!("aGVsbG8K"))
    );
    assert_eq!(told["redirects"][1], url);
    here.answer("/circle", |_| {
        Reply::raw("HTTP/1.1 302 Found\r\nLocation: /circle\r\nContent-Length: 0\r\n\r\n")
    });
    let circle = format!("{}/circle", here.origin());
    let told = object(
        Place::new()
            .sx(["probe", "--json", "-L", &circle])
            .run()
            .check_code(5),
    );
    assert_eq!(told["error"]["kind"], "too_many");
    assert_eq!(here.requests_to("/b")[0].header("authorization"), "x");
    assert_eq!(there.requests_to("/x")[0].header("authorization"), "");
}
