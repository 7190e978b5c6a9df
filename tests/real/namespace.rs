//! Dead addresses and dead name servers, in a network of the test's own: nothing of it is seen
//! outside, and it is gone when the thread that made it ends.
//!
//! Needs root; elsewhere these tests say that they were skipped. Figures are printed for a person
//! to read, and asserted only as far as a busy machine allows.

use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::told::Told;
use nix::mount::MsFlags;
use nix::mount::mount;
use nix::sched::CloneFlags;
use nix::sched::unshare;
use serde_json::json;
use std::io;
use std::io::Write;
use std::net::IpAddr;
use std::net::UdpSocket;
use std::process::Command;
use std::thread;

/// Addresses that packets to are lost without a word: the neighbour that has them is known and
/// never was.
const LOST_V4: &str = "10.99.0.2";
const LOST_V6: &str = "fd99::2";
const NETWORK: &str = "
    ip link set lo up
    ip link add here type veth peer name there
    ip link set there up
    ip link set here up
    ip addr add 10.99.0.1/24 dev here
    ip addr add fd99::1/64 dev here nodad
    ip neigh add 10.99.0.2 lladdr 02:00:00:00:00:02 dev here nud permanent
    ip neigh add fd99::2 lladdr 02:00:00:00:00:02 dev here nud permanent
";

/// Runs a test in a network of its own, where `resolv.conf` is this; says why where it cannot.
fn in_network(resolv_conf: &str, test: impl FnOnce(&Place) + Send) {
    if !nix::unistd::geteuid().is_root() {
        // Not by the macro, whose words are heard only when a test fails.
        let why = "skipped: a network of one's own needs root";
        writeln!(io::stderr(), "{why}").expect("stderr is open");
        return;
    }
    // What is unshared is the thread's, and that of the children that it starts.
    let run = || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("we are root");
        let place = Place::new();
        let none: Option<&str> = None;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(none, "/", none, private, none).expect("we are root");
        let file = place.write("resolv.conf", resolv_conf);
        mount(
            Some(&file),
            "/etc/resolv.conf",
            none,
            MsFlags::MS_BIND,
            none,
        )
        .expect("two files");
        let made = Command::new("sh").args(["-ec", NETWORK]).output();
        let made = made.expect("a shell");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        test(&place);
    };
    thread::scope(|scope| {
        if let Err(panic) = scope.spawn(run).join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Types of a record (RFC 1035, RFC 3596).
const A: u16 = 1;
const AAAA: u16 = 28;

/// What a name server does with a question.
enum Reaction {
    /// Answers with these addresses.
    Addresses(Vec<IpAddr>),
    /// Answers that it failed.
    Fail,
    /// Answers nothing.
    Silence,
}

/// A name server on port 53 of an address; `react` is asked by type of record, whatever the name.
fn name_server(address: &str, react: impl Fn(u16) -> Reaction + Send + 'static) {
    let socket = UdpSocket::bind((address, 53)).expect("a network of our own");
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((count, asker)) = socket.recv_from(&mut buffer) {
            let question = &buffer[..count];
            let (end, kind) = end_and_kind(question);
            if let Some(answer) = answer(&question[..end], react(kind)) {
                socket.send_to(&answer, asker).expect("loopback");
            }
        }
    });
}

/// Where the question section ends, and the type of record that it wants.
fn end_and_kind(message: &[u8]) -> (usize, u16) {
    let mut at = 12;
    while message[at] != 0 {
        at += 1 + usize::from(message[at]);
    }
    (
        at + 5,
        u16::from_be_bytes([message[at + 1], message[at + 2]]),
    )
}

/// Head and question of a message, made into the answer to it.
fn answer(message: &[u8], reaction: Reaction) -> Option<Vec<u8>> {
    let (code, addresses) = match reaction {
        Reaction::Addresses(addresses) => (0, addresses),
        Reaction::Fail => (2, Vec::new()),
        Reaction::Silence => return None,
    };
    let mut answer = message.to_vec();
    answer[2..4].copy_from_slice(&[0x81, 0x80 | code]);
    let counts = [1, addresses.len() as u16, 0, 0];
    answer[4..12].copy_from_slice(counts.map(u16::to_be_bytes).as_flattened());
    for address in addresses {
        let (kind, bytes) = match address {
            IpAddr::V4(address) => (A, address.octets().to_vec()),
            IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
        };
        // The name of the question, class IN, a minute.
        answer.extend([0xc0, 12]);
        answer.extend([kind, 1].map(u16::to_be_bytes).as_flattened());
        answer.extend(60_u32.to_be_bytes());
        answer.extend((bytes.len() as u16).to_be_bytes());
        answer.extend(bytes);
    }
    Some(answer)
}

/// Addresses for a question of their kind.
fn only(kind: u16, wanted: u16, address: &str) -> Reaction {
    let address = address.parse().expect("an address");
    Reaction::Addresses(Vec::from_iter((kind == wanted).then_some(address)))
}

/// A probe of `http://web.test`, which answers; its figures are printed.
#[track_caller]
fn probe(place: &Place, what: &str) -> Told {
    let server = Server::start([]);
    server.on("/x", [Reply::json(200, &json!("hello"))]);
    let url = server.origin().replace("127.0.0.1", "web.test") + "/x";
    let told = Told::by(place.sx(["probe", "--json", &url]));
    told.check(200, "\"hello\"");
    let [resolve, connect] = ["resolve", "connect"].map(|phase| told.ms(phase));
    let figures = format!("{what}: {resolve:.0} ms to resolve, {connect:.0} ms to connect");
    writeln!(io::stderr(), "{figures}").expect("stderr is open");
    told
}

/// Far less than any limit that could have run out, and long for a busy machine.
const SOON_MS: f64 = 2_000.0;

#[test]
fn an_ipv6_that_loses_everything_costs_less_than_its_timeout() {
    in_network("nameserver 127.0.0.53\n", |place| {
        name_server("127.0.0.53", |kind| match kind {
            AAAA => only(kind, AAAA, LOST_V6),
            _ => only(kind, A, "127.0.0.1"),
        });
        let told = probe(place, "an IPv6 black hole");
        assert!(told.ms("connect") < SOON_MS, "{told}");
        let addresses = told.at("addresses").as_array().expect("a list");
        let lost = addresses.iter().find(|it| it["error"] != json!(null));
        let lost = lost.and_then(|it| it["address"].as_str()).unwrap_or("none");
        assert!(lost.starts_with("[fd99::2]:"), "{told}");
    });
}

#[test]
fn an_ipv4_that_loses_everything_costs_less_than_its_timeout() {
    in_network("nameserver 127.0.0.53\n", |place| {
        name_server("127.0.0.53", |kind| match kind {
            A => {
                let addresses = [LOST_V4, "127.0.0.1"].map(|text| text.parse());
                Reaction::Addresses(addresses.map(|it| it.expect("an address")).to_vec())
            }
            _ => Reaction::Addresses(Vec::new()),
        });
        let told = probe(place, "an IPv4 black hole");
        assert!(told.ms("connect") < SOON_MS, "{told}");
    });
}

#[test]
fn a_first_name_server_that_is_dead_does_not_keep_us() {
    let file = format!("nameserver {LOST_V4}\nnameserver 127.0.0.53\n");
    in_network(&file, |place| {
        name_server("127.0.0.53", |kind| only(kind, A, "127.0.0.1"));
        let told = probe(place, "a first name server that is silent");
        assert!(told.ms("resolve") < SOON_MS, "{told}");
    });
    // Nobody listens there, which the kernel says.
    in_network("nameserver 127.0.0.52\nnameserver 127.0.0.53\n", |place| {
        name_server("127.0.0.53", |kind| only(kind, A, "127.0.0.1"));
        let told = probe(place, "a first name server that is refused");
        assert!(told.ms("resolve") < SOON_MS, "{told}");
    });
}

#[test]
fn an_ipv6_address_that_cannot_be_found_out_takes_nothing_from_the_ipv4_one() {
    let check = |what: &str, react: fn() -> Reaction, resolve_ms: f64| {
        in_network("nameserver 127.0.0.53\n", |place| {
            name_server("127.0.0.53", move |kind| match kind {
                AAAA => react(),
                _ => only(kind, A, "127.0.0.1"),
            });
            let told = probe(place, what);
            assert!(told.ms("resolve") < resolve_ms, "{told}");
        });
    };
    check("AAAA fails", || Reaction::Fail, SOON_MS);
    check("AAAA is never answered", || Reaction::Silence, SOON_MS);
    check(
        "there is no AAAA",
        || Reaction::Addresses(Vec::new()),
        SOON_MS,
    );
}

#[test]
fn name_servers_that_are_all_dead_are_told_within_the_limit() {
    in_network(&format!("nameserver {LOST_V4}\n"), |place| {
        let words = [
            "probe",
            "--json",
            "-e",
            "CONNECT_TIMEOUT=1s",
            "http://web.test/",
        ];
        let told = Told::by(place.sx(words));
        told.check_error(
            "timeout",
            &["web.test", "CONNECT_TIMEOUT", "10.99.0.2:53: no answer"],
        );
    });
}

/// The usual address of a gateway, which no setting names here.
const GATEWAY: &str = "127.0.0.1:8080";

fn gateway() -> Server {
    let server = Server::start_at(GATEWAY, []);
    let list = json!({"data": [{"id": "their-model"}]});
    server.on(
        "/v1/models",
        [Reply::json(200, &list), Reply::json(200, &list)],
    );
    server
}

#[test]
fn no_prompt_goes_to_a_stranger_at_the_usual_address_of_a_gateway() {
    in_network("", |place| {
        let nobody = place.sx(["exec", "--provider", "router", "hi"]).run();
        nobody.check_code(3);
        nobody.check_said("nothing answers at http://127.0.0.1:8080");

        let server = gateway();
        let ran = place.sx(["exec", "--provider", "router", "hi"]).run();
        ran.check_code(3);
        ran.check_said("answers something with their-model, started by you");
        ran.check_said("put the line ROUTER_URL=http://127.0.0.1:8080 into ");
        assert_eq!(server.requests_to("/v1/models").len(), 1);
        // For a proxy this address is another machine.
        let sx = place.sx(["exec", "--provider", "router", "hi"]);
        let ran = sx.env("HTTP_PROXY", "http://127.0.0.1:1").run();
        ran.check_code(3).check_said("started by you");
        assert!(server.requests().is_empty());
    });
}

#[test]
fn what_is_no_model_service_is_not_even_asked_about() {
    in_network("", |place| {
        let server = Server::start_at(GATEWAY, []);
        let nothing = Reply::json(404, &json!({}));
        server.on("/v1/models", [nothing]);
        let sx = place.sx(["--provider", "router", "hi"]).start_on_terminal();
        sx.wait_for_stdout("which lists no models (status 404), started by you");
        sx.wait().check_code(3);
        assert_eq!(server.requests_to("").len(), 1);
    });
}

#[test]
fn a_person_decides_whether_a_stranger_is_theirs() {
    in_network("", |place| {
        let server = gateway();
        let mut sx = place.sx(["--provider", "router", "hi"]).start_on_terminal();
        sx.wait_for_stdout("Send this conversation there? [y/N] ");
        sx.type_text("n\n");
        sx.wait().check_code(3);
        assert!(server.requests().is_empty());

        let words = Answer::new().say("it is mine").whole();
        server.on("/v1/responses", [Reply::events(&words)]);
        server.on(
            "/v1/models",
            [Reply::json(200, &json!({"data": [{"id": "their-model"}]}))],
        );
        let mut sx = place.sx(["--provider", "router", "hi"]).start_on_terminal();
        sx.wait_for_stdout("[y/N] ");
        sx.type_text("y\n/exit\n");
        sx.wait_for_stdout("it is mine");
        sx.wait().check_code(0);
    });
}
