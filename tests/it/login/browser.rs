//! A login in a browser: the port that it comes back to, the address that is pasted, and the
//! questions on a terminal.

use super::FILE;
use super::check_discreet;
use super::check_kept;
use crate::issuer::Issuer;
use crate::place::Credential;
use crate::place::Place;
use crate::sx::Running;
use serde_json::Value;
use std::fs;
use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

/// The two ports are there once on a machine, so these tests take turns, whichever process they
/// are in.
fn turn() -> File {
    let path = std::env::temp_dir().join("sx-it-login-ports.lock");
    let file = File::create(path).expect("a folder for temporary files");
    file.lock().expect("a lock");
    file
}

/// What a browser sees that is sent to `address`.
fn visit(address: &str) -> String {
    let rest = address.strip_prefix("http://").expect("plain http");
    let (authority, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(authority).expect("somebody listens");
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// The step that a program is told: the address of the login page, and the port.
#[track_caller]
fn step(running: &Running) -> (String, Value) {
    let text = running.wait_for_stdout("\n");
    let line = text.lines().next().expect("a line");
    let step: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(step["type"], "browser");
    let url = step["url"].as_str().expect("an address").to_owned();
    (url, step["port"].clone())
}

/// The address of the login page on a terminal.
#[track_caller]
fn shown(running: &Running, issuer: &Issuer) -> String {
    let text = running.wait_for_stdout("paste");
    let start = format!("{}/oauth/authorize?", issuer.server.origin());
    let at = text.find(&start).expect("the address");
    let address = text[at..].split_whitespace().next();
    address.expect("an address").to_owned()
}

const LOGIN: [&str; 4] = ["login", "--browser", "--json", "--no-config"];

#[test]
fn a_browser_comes_back_with_a_code_that_only_we_can_use() {
    let _turn = turn();
    let place = Place::new();
    let issuer = Issuer::start("none");
    let running = place.sx(LOGIN).asking(&issuer.server).start();
    let (url, port) = step(&running);
    assert_eq!(port, 1455);
    let origin = "http://127.0.0.1:1455";
    // An idle connection, as browsers open them, is in nobody's way.
    let _idle = TcpStream::connect("127.0.0.1:1455").expect("it listens");
    let wrong = visit(&format!("{origin}/auth/callback?code=<b>x&state=other"));
    assert!(wrong.starts_with("HTTP/1.1 400 ") && wrong.ends_with("State mismatch"));
    assert!(!wrong.contains("<b>"), "{wrong}");
    assert!(visit(&format!("{origin}/cancel")).starts_with("HTTP/1.1 404 "));
    let back = issuer.consent(&url);
    assert!(back.starts_with(&format!("{origin}/auth/callback?")));
    let answer = visit(&back);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("<h1>You are logged in</h1>"), "{answer}");
    assert!(
        !answer.contains("eyJ") && !answer.contains("code"),
        "{answer}"
    );
    let ran = running.wait();
    ran.check_code(0);
    check_discreet_but_for_the_address(&ran.stderr);
    check_kept(&place, FILE, &issuer.last_login(), &issuer.server.origin());
}

fn check_discreet_but_for_the_address(said: &str) {
    for secret in ["refresh-", "eyJ", "verifier"] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
}

#[test]
fn a_login_that_the_page_refuses_ends_with_its_words() {
    let _turn = turn();
    let place = Place::new();
    let issuer = Issuer::start("none");
    let running = place.sx(LOGIN).asking(&issuer.server).start();
    let (url, _) = step(&running);
    let back = issuer.consent(&url);
    let (before, state) = back.split_once("code=").expect("a code");
    let state = state.split_once('&').expect("a state").1;
    let words = "error=access_denied&error_description=not%1b%5B2J+today+%3Cscript%3E";
    let answer = visit(&format!("{before}{words}&{state}"));
    assert!(answer.contains("<h1>The login failed</h1>"), "{answer}");
    assert!(!answer.contains("script"), "{answer}");
    let ran = running.wait();
    ran.check_code(3)
        .check_said("the login was denied: access_denied: not [2J today <script>");
    assert!(!place.path(FILE).exists());
}

#[test]
fn the_second_port_serves_where_the_first_is_taken() {
    let _turn = turn();
    let place = Place::new();
    let issuer = Issuer::start("none");
    let taken = TcpListener::bind("127.0.0.1:1455").expect("nobody has it");
    let running = place.sx(LOGIN).asking(&issuer.server).start();
    let (url, port) = step(&running);
    assert_eq!(port, 1457);
    assert!(visit(&issuer.consent(&url)).contains("You are logged in"));
    running.wait().check_code(0);
    // Nobody was asked to give it up.
    taken.set_nonblocking(true).expect("our socket");
    assert!(taken.accept().is_err());
}

#[test]
fn where_both_ports_are_taken_the_address_can_be_pasted() {
    let _turn = turn();
    let ports = [1455, 1457].map(|port| TcpListener::bind(("127.0.0.1", port)));
    assert!(ports.iter().all(Result::is_ok));
    let place = Place::new();
    let issuer = Issuer::start("none");
    let ran = place.sx(LOGIN).asking(&issuer.server).run();
    ran.check_code(3)
        .check_said("ports 1455 and 1457 of 127.0.0.1 are both taken")
        .check_said("hint: `sx login --device`");
    let mut running = place
        .sx(LOGIN)
        .asking(&issuer.server)
        .silent_stdin()
        .start();
    let (url, port) = step(&running);
    assert_eq!(port, Value::Null);
    running.write(&format!("{}\n", issuer.consent(&url)));
    running.wait().check_code(0);
    check_kept(&place, FILE, &issuer.last_login(), &issuer.server.origin());
}

#[test]
fn a_person_pastes_and_is_asked_for_the_settings() {
    let _turn = turn();
    let place = Place::new();
    let issuer = Issuer::start("none");
    let settings = "# mine\r\nMODEL=haiku\r\n";
    place.write("home/.config/sx/scorpiox-env.txt", settings);
    let folder = place.path("home/.config/sx");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("our folder");
    let login = place.sx(["login", "--browser"]).asking(&issuer.server);
    let mut running = login.start_on_terminal();
    let address = shown(&running, &issuer);
    running.type_text("hello\n");
    running.wait_for_stdout("no such address");
    running.type_text("http://127.0.0.1:1455/auth/callback?code=a&state=other\n");
    running.wait_for_stdout("belongs to another login");
    let back = issuer.consent(&address);
    let (code, state) = back
        .split_once("code=")
        .and_then(|(_, rest)| rest.split_once("&state="))
        .expect("both");
    let code = code.replace("%2F", "/").replace("%2B", "+");
    running.type_text(&format!("{code}#{state}\n"));
    running.wait_for_stdout("Write PROVIDER=codex into");
    running.type_text("\n");
    let ran = running.wait();
    ran.check_code(0);
    check_kept(&place, FILE, &issuer.last_login(), &issuer.server.origin());
    assert_eq!(
        place.read("home/.config/sx/scorpiox-env.txt"),
        format!("{settings}PROVIDER=codex\r\n")
    );
    // Who has it already is not asked.
    let again = place.sx(["login", "--browser", "--force"]);
    let mut running = again.asking(&issuer.server).start_on_terminal();
    let address = shown(&running, &issuer);
    running.type_text(&format!("{}\n", issuer.consent(&address)));
    let ran = running.wait();
    assert!(!ran.check_code(0).text().contains("PROVIDER"));
}

#[test]
fn a_login_of_the_official_client_is_offered_first() {
    let place = Place::with_credential();
    let issuer = Issuer::start("none");
    let login = || place.sx(["login", "--no-config"]).asking(&issuer.server);
    let mut running = login().start_on_terminal();
    running.wait_for_stdout("Use that one instead of a new login? [Y/n] ");
    running.type_text("what\n");
    running.type_text("y\n");
    let ran = running.wait();
    let text = ran.check_code(0).text();
    assert!(text.contains("person@example.org (plus)"), "{text}");
    assert!(!place.path(FILE).exists());
    let mut running = login().start_on_terminal();
    running.wait_for_stdout("[Y/n] ");
    running.type_text("n\n");
    running.wait().check_code(0);
    assert!(place.path(FILE).exists());
    // Nobody is asked where nobody sits.
    fs::remove_file(place.path(FILE)).expect("our file");
    let ran = login().run();
    ran.check_code(0)
        .check_said("the official client has a login here: person@example.org (plus)");
    check_discreet(&ran);
    let official: Value = serde_json::from_str(&place.read("home/.codex/auth.json")).expect("JSON");
    assert_eq!(official, Credential::default().file());
}

#[test]
fn ctrl_c_ends_it_at_a_question_and_at_the_wait() {
    let _turn = turn();
    let place = Place::with_credential();
    let issuer = Issuer::start("none");
    let login = place.sx(["login", "--browser"]).asking(&issuer.server);
    let mut running = login.start_on_terminal();
    running.wait_for_stdout("[Y/n] ");
    running.type_text("\u{3}");
    running.wait().check_code(130);
    let login = place.sx(["login", "--browser"]).asking(&issuer.server);
    let mut running = login.start_on_terminal();
    running.wait_for_stdout("[Y/n] ");
    running.type_text("n\n");
    shown(&running, &issuer);
    running.type_text("\u{3}");
    running.wait().check_code(130);
    assert!(!place.path(FILE).exists());
}

#[test]
fn where_there_is_a_display_the_persons_browser_is_started() {
    let _turn = turn();
    let place = Place::new();
    let issuer = Issuer::start("none");
    let opened = place.listen("opened");
    let script = format!(
        "#!/bin/sh\nprintf '%s %s %s\\n' \"$1\" \"$DISPLAY\" \"${{SECRET_KEY-none}}\" > {}\n",
        place.path("opened").display()
    );
    let browser = place.write("browser", script);
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o700)).expect("our file");
    let running = place
        .sx(LOGIN)
        .asking(&issuer.server)
        .env("DISPLAY", ":7")
        .env("BROWSER", &browser)
        .env("SECRET_KEY", "hunter2")
        .start();
    let (url, _) = step(&running);
    opened.wait_for(&format!("{url} :7 none\n"));
    assert!(visit(&issuer.consent(&url)).contains("You are logged in"));
    running.wait().check_code(0);
}
