//! `fetch` through the whole program: what is asked, what is not, and what the model reads.

use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::server::Step;
use crate::server::gate;
use crate::sx::Ran;
use crate::sx::Sx;
use serde_json::json;

const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";

fn page(head: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::raw(format!(
        "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    ))
}

fn html(body: &str) -> Reply {
    page("200 OK\r\nContent-Type: text/html", body)
}

fn says(text: &str) -> Reply {
    Reply::events(&Answer::new().say(text).whole())
}

/// The model wants this page.
fn wants(url: &str) -> Reply {
    let call = Answer::new().call("call_1", "fetch", &json!({"url": url}));
    Reply::events(&call.whole())
}

/// `sx tool fetch` of a page.
fn by_hand(place: &Place, url: &str) -> Sx {
    place.sx(["tool", "fetch", &json!({"url": url}).to_string()])
}

#[track_caller]
fn fetched(place: &Place, url: &str) -> Ran {
    by_hand(place, url).env("FETCH_PRIVATE", "1").run()
}

#[test]
fn a_page_is_read_as_text_and_nobody_learns_who_asks() {
    let place = Place::with_credential();
    let server = Server::start([]);
    server.on(
        "/a",
        [html(
            "<title>T</title><p>one <a href=/b>two</a><script>x</script>",
        )],
    );
    let url = format!("{}/a", server.origin());
    let ran = fetched(&place, &url);
    let text = format!(
        "{url} is text/html, status 200, 11 bytes of text\ntitle: T\n\none two [1]\n[1] {}/b\n",
        server.origin()
    );
    ran.check_code(0).check_stdout(&text);
    let request = &server.requests_to("/a")[0];
    for name in ["authorization", "cookie", "chatgpt-account-id"] {
        assert_eq!(request.header(name), "", "{name}");
    }
    assert!(request.header("user-agent").starts_with("sx/"));
}

#[test]
fn redirects_are_followed_to_an_end() {
    let place = Place::new();
    let server = Server::start([]);
    let to = |path: &str| page(&format!("302 Found\r\nLocation: {path}"), "moved");
    server.on("/a", [to("b")]);
    server.on("/b", [html("here")]);
    let ran = fetched(&place, &format!("{}/a", server.origin()));
    assert!(
        ran.check_code(0).text().contains("/b is text/html"),
        "{}",
        ran.text()
    );
    server.on("/loop", (0..6).map(|_| to("/loop")));
    let ran = fetched(&place, &format!("{}/loop", server.origin()));
    let told = ran.check_code(7).text();
    assert!(told.starts_with("redirected more than 5 times"), "{told}");
}

#[test]
fn what_is_no_text_or_no_success_is_told() {
    let place = Place::new();
    let server = Server::start([]);
    server.on(
        "/pdf",
        [page("200 OK\r\nContent-Type: application/pdf", "%PDF")],
    );
    server.on(
        "/none",
        [page(
            "404 Not Found\r\nContent-Type: text/plain",
            "no such page",
        )],
    );
    let origin = server.origin();
    let ran = fetched(&place, &format!("{origin}/pdf"));
    let told = ran.check_code(7).text();
    assert!(
        told.starts_with("it is application/pdf, 4 bytes; only text"),
        "{told}"
    );
    let ran = fetched(&place, &format!("{origin}/none"));
    let told = ran.check_code(7).text();
    assert!(
        told.contains("status 404") && told.contains("no such page"),
        "{told}"
    );
}

#[test]
fn this_machine_and_its_neighbours_are_not_asked() {
    let place = Place::new();
    let server = Server::start([]);
    let port = server
        .origin()
        .rsplit(':')
        .next()
        .unwrap_or_default()
        .to_string();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
    ] {
        let ran = by_hand(&place, &format!("http://{host}:{port}/")).run();
        let told = ran.check_code(7).text();
        assert!(told.contains("is not public"), "{host}: {told}");
    }
    // A name that looks public and is not: it is the address that counts.
    let ran = by_hand(&place, &format!("http://site.example.org:{port}/"))
        .env("RESOLVE", "site.example.org=127.0.0.1")
        .run();
    let told = ran.check_code(7).text();
    assert!(told.starts_with("site.example.org is not public"), "{told}");
    assert!(server.requests().is_empty());
}

#[test]
fn without_a_person_it_is_not_offered_unless_the_user_said_so() {
    let place = Place::with_credential();
    let server = Server::start([wants("https://example.org/"), says("done")]);
    place.exec(&server, ["go"]).run().check_code(0);
    let requests = server.requests();
    let tools = requests[0].json()["tools"].to_string();
    assert!(!tools.contains("\"fetch\""), "{tools}");
    let result = requests[1].result("call_1");
    assert!(result.contains("TOOL_FETCH=1"), "{result}");

    let web = Server::start([]);
    web.on("/a", [html("a page")]);
    let server = Server::start([wants(&format!("{}/a", web.origin())), says("done")]);
    let on = ["-e", "TOOL_FETCH=1", "-e", "FETCH_PRIVATE=1", "go"];
    place.exec(&server, on).run().check_code(0);
    let result = server.requests()[1].result("call_1");
    assert!(result.contains("\na page\n"), "{result}");

    let server = Server::start([says("done")]);
    let off = ["-e", "TOOL_FETCH=1", "--offline", "go"];
    place.exec(&server, off).run().check_code(0);
    let tools = server.requests()[0].json()["tools"].to_string();
    assert!(!tools.contains("\"fetch\""), "{tools}");
}

/// The model wants two pages, and the person answers what they are asked about the first.
#[track_caller]
fn check_answered(typed: &str, told: [&str; 2]) {
    let place = Place::with_credential();
    let web = Server::start([]);
    web.on("/a", [html("first page")]);
    web.on("/b", [html("second page")]);
    let url = |path: &str| format!("{}{path}", web.origin());
    let calls = Answer::new()
        .call("call_1", "fetch", &json!({"url": url("/a")}))
        .call("call_2", "fetch", &json!({"url": url("/b")}));
    let server = Server::start([Reply::events(&calls.whole()), says("All done.")]);
    let sx = place.sx(["-e", "FETCH_PRIVATE=1", "go"]).asking(&server);
    let mut running = sx.start_on_terminal();
    let text = running.wait_for_stdout("? ");
    assert!(text.contains(&format!("Fetch {} ?", url("/a"))), "{text}");
    assert!(web.requests().is_empty());
    running.type_text(typed);
    running.wait_for_stdout("All done.");
    running.type_text(CTRL_D);
    running.wait().check_code(0);
    let request = &server.requests()[1];
    for (id, told) in ["call_1", "call_2"].iter().zip(told) {
        let result = request.result(id);
        assert!(result.contains(told), "{id}: {result}");
    }
}

#[test]
fn a_person_allows_a_page_or_its_host() {
    check_answered("2\n", ["first page", "second page"]);
}

#[test]
fn a_person_who_says_no_is_heard() {
    let nobody = "the user did not allow it, and said: ";
    // The terminal is closed at the second question.
    let closed = "nobody is at a terminal to allow it";
    check_answered(&format!("no, look in the tree\n{CTRL_D}"), [nobody, closed]);
}

#[test]
fn ctrl_c_ends_the_wait_for_a_page() {
    let place = Place::with_credential();
    let web = Server::start([]);
    let (gate, _opener) = gate();
    web.on("/a", [Reply::steps(vec![Step::Hold(gate)])]);
    let url = format!("{}/a", web.origin());
    let server = Server::start([wants(&url), says("Whole.")]);
    let sx = place.sx(["-e", "FETCH_PRIVATE=1", "-e", "TOOL_FETCH=1", "go"]);
    let mut running = sx.asking(&server).start_on_terminal();
    web.wait_for("/a", 1);
    running.type_text(CTRL_C);
    running.wait_for_stdout("\n  stopped by Ctrl-C\r\n> ");
    running.type_text("two\n");
    running.wait_for_stdout("Whole.");
    running.type_text(CTRL_D);
    running.wait().check_code(0);
    let result = server.requests()[1].result("call_1");
    assert!(result.starts_with("interrupted"), "{result}");
}

#[test]
fn a_server_that_says_nothing_is_an_answer() {
    let place = Place::new();
    let web = Server::start([]);
    let (gate, _opener) = gate();
    web.on("/a", [Reply::steps(vec![Step::Hold(gate)])]);
    let ran = by_hand(&place, &format!("{}/a", web.origin()))
        .env("FETCH_PRIVATE", "1")
        .env("FIRST_BYTE_TIMEOUT", "200ms")
        .run();
    let told = ran.check_code(7).text();
    assert!(told.contains("FIRST_BYTE_TIMEOUT"), "{told}");
}
