//! The network as the whole program meets it: cuts, stalls, resets, rubbish, reuse.

use crate::heard::WAIT_MAX;
use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::server::Step;
use crate::server::gate;
use crate::sx::Ran;
use crate::sx::Running;
use nix::sys::signal::Signal;
use nix::sys::socket;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;

fn answer(text: &str) -> Vec<String> {
    Answer::new().think("hm", "sealed").say(text).whole()
}

/// One run against replies, without a second try.
fn run_once(replies: impl IntoIterator<Item = Reply>, settings: &[&str]) -> Ran {
    let place = Place::with_credential();
    let server = Server::start(replies);
    let settings = settings.iter().flat_map(|setting| ["-e", setting]);
    let args = ["--json", "-e", "RETRY_MAX=0", "go"];
    place.exec(&server, args.into_iter().chain(settings)).run()
}

/// The run fails as the network's fault, with these words in its error.
#[track_caller]
fn check_fails(ran: &Ran, expected: &str) {
    ran.check_code(5);
    let result = ran.result();
    assert_eq!(result["status"], "failed");
    let error = result["error"].as_str().expect("an error");
    assert!(error.contains(expected), "no {expected:?} in {error:?}");
}

#[test]
fn an_answer_is_the_same_however_it_is_cut() {
    for size in [1, 2, 3, 7, 100] {
        let ran = run_once([Reply::events(&answer("Größe: 5 µm")).cut(size)], &[]);
        ran.check_code(0);
        assert_eq!(ran.result()["text"], "Größe: 5 µm", "cut by {size}");
    }
}

#[test]
fn an_answer_may_have_a_length_or_end_with_the_connection() {
    let body = answer("all the same").concat();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
    let sized = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let open = format!("{head}\r\n{body}");
    let lines = body.replace('\n', "\r\n");
    let interim = format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{head}\r\n{lines}");
    for bytes in [sized, open, interim] {
        let ran = run_once([Reply::raw(bytes)], &[]);
        ran.check_code(0);
        assert_eq!(ran.result()["text"], "all the same");
    }
}

#[test]
fn the_next_turn_takes_the_same_connection() {
    let place = Place::with_credential();
    let server = Server::start([
        Reply::events(&Answer::new().bash("call_1", "true").whole()),
        Reply::events(&answer("done")),
    ]);
    place.exec(&server, ["go"]).run().check_code(0);
    let requests = server.requests();
    assert_eq!(requests[0].connection, requests[1].connection);
}

#[test]
fn a_connection_that_died_between_turns_is_no_failure() {
    let place = Place::with_credential();
    let first = Reply::events(&Answer::new().bash("call_1", "true").whole()).then(Step::Close);
    let server = Server::start([first, Reply::events(&answer("done"))]);
    let ran = place
        .exec(&server, ["--json", "-e", "RETRY_MAX=0", "go"])
        .run();
    ran.check_code(0);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_peer_that_does_not_speak_http_is_named_so() {
    let long = "x".repeat(1_000_000);
    for rubbish in ["SSH-2.0-OpenSSH_9.2\r\n", "\0\0\0\0\r\n\r\n", &long] {
        check_fails(&run_once([Reply::raw(rubbish)], &[]), "127.0.0.1");
    }
}

#[test]
fn a_page_in_place_of_a_stream_is_a_failure() {
    let page = "<!DOCTYPE html><html><title>Welcome to the hotel</title></html>";
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n";
    let reply = format!("{head}Content-Length: {}\r\n\r\n{page}", page.len());
    let ran = run_once([Reply::raw(reply)], &[]);
    ran.check_code(5);
}

#[test]
fn a_refused_connection_says_so() {
    let place = Place::with_credential();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let sx = place.sx(["exec", "--json", "-e", "RETRY_MAX=0", "go"]);
    let ran = sx
        .env("CODEX_BASE_URL", format!("http://{address}/v1"))
        .run();
    check_fails(&ran, &format!("{address}"));
    check_fails(&ran, "refused");
}

#[test]
fn a_stall_before_the_answer_names_its_setting() {
    let (gate, _opener) = gate();
    let reply = Reply::steps(vec![Step::Hold(gate)]);
    let ran = run_once([reply], &["FIRST_BYTE_TIMEOUT=200ms"]);
    check_fails(&ran, "FIRST_BYTE_TIMEOUT");
}

#[test]
fn a_stall_in_the_middle_names_its_setting() {
    let (gate, _opener) = gate();
    let events = Answer::new().say_half("half a wo").torn();
    let reply = Reply::events_then_hold(&events, gate);
    let ran = run_once([reply], &["IDLE_TIMEOUT=200ms"]);
    check_fails(&ran, "IDLE_TIMEOUT");
}

#[test]
fn an_answer_that_is_nothing_but_signs_of_life_ends_too() {
    for event in [": still here\n\n", "data: {}\n\n"] {
        let events = Answer::new().say_half("half a wo").torn();
        let (gate, _opener) = gate();
        let mut steps = Reply::events_then_hold(&events, gate).into_steps();
        steps.truncate(1);
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        steps.push(Step::Flood(chunk.into()));
        let ran = run_once([Reply::steps(steps)], &["IDLE_TIMEOUT=200ms"]);
        check_fails(&ran, "12 times IDLE_TIMEOUT");
    }
}

#[test]
fn comments_are_a_sign_of_life() {
    // A thousand comments in small cuts, then the answer: no wait of the test's own.
    let mut events = vec![": still here\n\n".to_owned(); 1_000];
    events.extend(answer("late"));
    let ran = run_once([Reply::events(&events)], &["IDLE_TIMEOUT=5s"]);
    ran.check_code(0);
}

#[test]
fn a_stream_that_ends_early_is_asked_for_again() {
    let place = Place::with_credential();
    let torn = || Answer::new().say_half("half a wo").torn();
    let server = Server::start([
        Reply::events(&torn()),
        Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nda"),
        Reply::steps(vec![Step::Reset]),
        Reply::events(&answer("whole")),
    ]);
    let ran = place.exec(&server, ["--json", "go"]).run();
    ran.check_code(0);
    assert_eq!(ran.result()["text"], "whole");
    assert_eq!(ran.events_of("retry").len(), 3);
    server.check_done();
    let requests = server.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.body == requests[0].body)
    );
}

#[test]
fn a_call_from_a_stream_that_broke_is_not_run() {
    let place = Place::with_credential();
    let broken = Answer::new().bash("call_1", "echo once >> ran.txt").torn();
    let server = Server::start([
        Reply::events(&broken),
        Reply::events(&Answer::new().bash("call_1", "echo once >> ran.txt").whole()),
        Reply::events(&answer("done")),
    ]);
    place.exec(&server, ["go"]).run().check_code(0);
    assert_eq!(place.read("work/ran.txt"), "once\n");
    server.check_done();
}

#[test]
fn the_end_of_an_answer_is_not_waited_for_longer_than_its_last_event() {
    let place = Place::with_credential();
    let (gate, opener) = gate();
    let server = Server::start([Reply::events_then_hold(&answer("done"), gate)]);
    let ran = place.exec(&server, ["go"]).run();
    ran.check_code(0).check_stdout("done\n");
    drop(opener);
}

/// A peer that takes a connection and does with it what `serve` does, on a thread.
fn peer(serve: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || serve(listener.accept().expect("a connection").0));
    format!("http://{address}/v1")
}

/// A run with a prompt that no socket buffer holds, against any peer; without a login, so that
/// nothing else is asked of it.
fn start_large(place: &Place, url: &str, settings: &[&str]) -> Running {
    place.write("work/prompt.txt", "word ".repeat(3_000_000));
    let settings = settings.iter().flat_map(|setting| ["-e", setting]);
    let args = ["exec", "--json", "-e", "RETRY_MAX=0", "-f", "prompt.txt"];
    let sx = place.sx(args.into_iter().chain(settings));
    sx.env("CODEX_BASE_URL", url)
        .env("CODEX_TOKEN_SOURCE", "none")
        .start()
}

#[test]
fn a_peer_that_reads_nothing_is_given_up() {
    let place = Place::with_credential();
    let (gate, _opener) = gate();
    let url = peer(move |stream| {
        gate.wait();
        drop(stream);
    });
    let settings = ["FIRST_BYTE_TIMEOUT=300ms", "IDLE_TIMEOUT=300ms"];
    let ran = start_large(&place, &url, &settings).wait();
    check_fails(&ran, "_TIMEOUT");
}

#[test]
fn an_upload_is_stopped_by_a_signal() {
    let place = Place::with_credential();
    let (gate, _opener) = gate();
    let (connected, is_connected) = mpsc::channel();
    let url = peer(move |mut stream| {
        let mut piece = [0; 1_000];
        let count = stream.read(&mut piece).expect("some of the upload");
        connected.send(count).expect("the test waits");
        gate.wait();
    });
    let running = start_large(&place, &url, &[]);
    is_connected.recv_timeout(WAIT_MAX).expect("an upload");
    running.signal(Signal::SIGINT);
    running.wait().check_code(130);
}

#[test]
fn an_answer_that_comes_before_the_upload_is_over_is_heard() {
    let place = Place::with_credential();
    let url = peer(|mut stream| {
        let mut piece = [0; 1_000];
        let _ = stream.read(&mut piece).expect("some of the upload");
        let body = r#"{"detail":"this is too much for me"}"#;
        let head = "HTTP/1.1 413 Too Large\r\nContent-Type: application/json\r\n";
        let answer = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).expect("it listens");
        stream.shutdown(Shutdown::Write).expect("it is open");
        // The rest of the upload is taken and thrown away, so that no reset eats the answer.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let ran = start_large(&place, &url, &[]).wait();
    check_fails(&ran, "this is too much for me");
}

#[test]
fn a_connect_that_nobody_answers_names_its_setting() {
    let place = Place::with_credential();
    let kind = socket::SockType::Stream;
    let flags = socket::SockFlag::SOCK_CLOEXEC;
    let listener = socket::socket(socket::AddressFamily::Inet, kind, flags, None);
    let listener = listener.expect("a socket");
    let any = socket::SockaddrIn::new(127, 0, 0, 1, 0);
    socket::bind(listener.as_raw_fd(), &any).expect("a port");
    let none = socket::Backlog::new(0).expect("none");
    socket::listen(&listener, none).expect("it listens");
    let bound: socket::SockaddrIn = socket::getsockname(listener.as_raw_fd()).expect("bound");
    let address = SocketAddr::from(([127, 0, 0, 1], bound.port()));
    // One fits into the queue of a listener that never accepts; the next gets no answer.
    let _first = TcpStream::connect(address).expect("the queue has room for one");
    let args = [
        "exec",
        "--json",
        "-e",
        "RETRY_MAX=0",
        "-e",
        "CONNECT_TIMEOUT=300ms",
        "go",
    ];
    let sx = place
        .sx(args)
        .env("CODEX_BASE_URL", format!("http://{address}/v1"));
    check_fails(&sx.run(), "CONNECT_TIMEOUT");
}

#[test]
fn rubbish_behind_an_answer_takes_nothing_from_it() {
    let body = answer("whole").concat();
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bytes = format!("{head}{:x}\r\n{body}\r\nrubbish\r\n", body.len());
    let ran = run_once([Reply::raw(bytes)], &[]);
    ran.check_code(0);
    assert_eq!(ran.result()["text"], "whole");
}

#[test]
fn a_refusal_that_does_not_come_whole_is_judged_by_its_status() {
    let torn = "HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\nnot ";
    let zipped = "HTTP/1.1 400 Bad Request\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx";
    let (gate, _opener) = gate();
    let stalled = vec![Step::Send(torn.into()), Step::Hold(gate)];
    for reply in [Reply::raw(torn), Reply::raw(zipped), Reply::steps(stalled)] {
        check_fails(&run_once([reply], &["IDLE_TIMEOUT=200ms"]), "status 400");
    }
}

#[test]
fn a_proxy_is_asked_in_the_place_of_the_server() {
    let place = Place::with_credential();
    let proxy = Server::start([Reply::events(&answer("by proxy"))]);
    let ran = place
        .exec(&proxy, ["--json", "go"])
        .env("CODEX_TOKEN_SOURCE", "none")
        .env("CODEX_BASE_URL", "http://no.such.example/v1")
        .env("http_proxy", proxy.origin().replace("//", "//me:hunter2@"))
        .run();
    ran.check_code(0);
    assert_eq!(ran.result()["text"], "by proxy");
    let requests = proxy.requests();
    assert_eq!(requests[0].target, "http://no.such.example/v1/responses");
    assert_eq!(
        requests[0].header("proxy-authorization"),
        "Basic bWU6aHVudGVyMg=="
    );
    assert!(!format!("{}{}", ran.text(), ran.stderr).contains("hunter2"));
}

#[test]
fn offline_is_a_wall_around_this_machine() {
    let place = Place::with_credential();
    let server = Server::start([Reply::events(&answer("here"))]);
    place.exec(&server, ["--offline", "go"]).run().check_code(0);
    let ran = place
        .exec(&server, ["--json", "--offline", "go"])
        .env("CODEX_BASE_URL", "https://no.such.example/v1")
        .run();
    ran.check_code(3);
    let error = ran.result()["error"].to_string();
    assert!(
        error.contains("no.such.example is not on this machine"),
        "{error}"
    );
}

/// The service does not have to wait for the tools, nor the tools for the service.
#[test]
fn a_connection_is_there_before_the_request() {
    let place = Place::with_credential();
    let close = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    let call = Answer::new()
        .bash("call_1", "cat from-outside")
        .whole()
        .concat();
    let server = Server::start([
        Reply::raw(format!("{close}{call}")),
        Reply::events(&answer("done")),
    ]);
    let pipe = place.path("work/from-outside");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a named pipe");
    let running = place.exec(&server, ["go"]).start();
    // The first connection is closed, and the command does not end before there is another one.
    server.wait_for_connections(2);
    std::fs::write(&pipe, "now").expect("the command reads it");
    running.wait().check_code(0);
    assert_eq!(server.requests()[1].connection, 1);
}

#[test]
fn a_proxy_that_cannot_be_read_is_no_reason_to_go_without() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::with_credential();
    let server = Server::start([Reply::events(&answer("direct"))]);
    let odd = std::ffi::OsStr::from_bytes(b"http://me:p\xe4ss@127.0.0.1:1");
    for name in ["HTTP_PROXY", "https_proxy", "OFFLINE"] {
        let ran = place.exec(&server, ["go"]).env(name, odd).run();
        ran.check_code(3)
            .check_said(&format!("{name} is not UTF-8"));
    }
    for line in [
        b"HTTP_PROXY=http://p\xe4ss@127.0.0.1:1".as_slice(),
        b"ALL_PROXY p:1",
    ] {
        place.write("home/.config/sx/scorpiox-env.txt", line);
        let ran = place.exec(&server, ["go"]).run();
        ran.check_code(3).check_said("scorpiox-env.txt:1");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn commands_keep_the_proxy_and_not_who_may_use_it() {
    let place = Place::with_credential();
    let server = Server::start([
        Reply::events(
            &Answer::new()
                .bash("call_1", "echo $HTTPS_PROXY $all_proxy")
                .whole(),
        ),
        Reply::events(&answer("done")),
    ]);
    let ran = place
        .exec(&server, ["go"])
        .env("HTTPS_PROXY", "me:hunter2@127.0.0.1:9")
        .env("all_proxy", "http://me:hunter2@127.0.0.1:9")
        .env("NO_PROXY", "127.0.0.1")
        .run();
    ran.check_code(0);
    let expected = "exit 0\n127.0.0.1:9 http://127.0.0.1:9\n";
    assert_eq!(server.requests()[1].result("call_1"), expected);
}

#[test]
fn a_plain_proxy_that_wants_a_login_is_named() {
    let place = Place::with_credential();
    let proxy = Server::start([Reply::raw(
        "HTTP/1.1 407 Who\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n",
    )]);
    let ran = place
        .exec(&proxy, ["go"])
        .env("CODEX_TOKEN_SOURCE", "none")
        .env("CODEX_BASE_URL", "http://no.such.example/v1")
        .env("HTTP_PROXY", proxy.origin())
        .run();
    ran.check_code(5)
        .check_said("opens no way to no.such.example: it refused with status 407")
        .check_said("the proxy comes from HTTP_PROXY; it wants another way to log in than Basic");
}
