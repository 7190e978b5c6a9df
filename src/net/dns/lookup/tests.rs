//! Lookups against servers on loopback that answer in every wrong way.

use super::*;
use crate::base::clock;
use crate::net::dns::fixtures;
use crate::net::dns::fixtures::ASKED;
use crate::net::dns::fixtures::NXDOMAIN;
use crate::net::dns::fixtures::PLAIN;
use crate::net::dns::fixtures::REFUSED;
use crate::net::dns::fixtures::SERVFAIL;
use crate::net::dns::fixtures::Server;
use crate::net::dns::fixtures::TRUNCATED;
use crate::net::dns::fixtures::address;
use crate::net::dns::fixtures::answer;
use crate::net::dns::fixtures::asked;
use crate::net::dns::fixtures::knows_www;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::UdpSocket;
use std::thread;

const WWW: &str = "www.example.org";
const BOTH: &str = "[fd00::1]:8 [fd00::2]:8 10.0.0.1:8 10.0.0.2:8";

/// Questions of type A have this number, others are for AAAA.
const A: u16 = 1;

fn config(servers: &[SocketAddr]) -> Config {
    Config {
        servers: servers.to_vec(),
        ..Config::default()
    }
}

/// Those whose servers are silent are not waited for long.
fn impatient(servers: &[SocketAddr]) -> Config {
    Config {
        timeout: Duration::from_millis(40),
        attempts: 1,
        ..config(servers)
    }
}

/// The next step that is not waiting.
fn next(lookup: &mut Lookup) -> Step {
    loop {
        match lookup.step() {
            Step::Waiting => {
                let mut set = PollSet::new();
                lookup.wait_for(&mut set, ());
                set.wait(lookup.deadline().left()).unwrap();
            }
            step => return step,
        }
    }
}

/// Every step that was not waiting, up to the last.
fn run(name: &str, config: &Config) -> Vec<Step> {
    let mut lookup = Lookup::start(name, 8, config).unwrap();
    let mut steps = Vec::new();
    loop {
        let step = next(&mut lookup);
        let is_last = !matches!(step, Step::Partly(_));
        steps.push(step);
        if is_last {
            return steps;
        }
    }
}

/// A lookup that has just asked, and who asked for A and for AAAA with which question.
fn begin(server: &UdpSocket) -> (Lookup, [(Vec<u8>, SocketAddr); 2]) {
    let config = config(&[server.local_addr().unwrap()]);
    let mut lookup = Lookup::start(WWW, 8, &config).unwrap();
    assert!(matches!(lookup.step(), Step::Waiting));
    let mut questions = [(); 2].map(|()| {
        let mut datagram = [0; 512];
        let (bytes, client) = server.recv_from(&mut datagram).unwrap();
        (datagram[..bytes].to_vec(), client)
    });
    questions.sort_by_key(|(query, _)| asked(query).1);
    (lookup, questions)
}

/// Sends what is known about `www.example.org`.
fn tell(from: &UdpSocket, (query, client): &(Vec<u8>, SocketAddr)) {
    let answer = knows_www(query).remove(0);
    from.send_to(&answer, client).unwrap();
}

fn shown(addresses: &[SocketAddr]) -> String {
    let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    addresses.join(" ")
}

/// All addresses, whether they came in one part or in two.
#[track_caller]
fn check_found(name: &str, config: &Config, expected: &str) {
    let mut all = Vec::new();
    for step in run(name, config) {
        match step {
            Step::Partly(addresses) | Step::Found(addresses) => all.extend(addresses),
            other => panic!("{other:?}"),
        }
    }
    // IPv4 may come before IPv6.
    all.sort_by_key(|address| !address.is_ipv6());
    assert_eq!(shown(&all), expected);
}

/// `SERVER` in `expected` stands for the first server.
#[track_caller]
fn check_failed(name: &str, config: &Config, expected: &str) -> Error {
    let error = match run(name, config).pop() {
        Some(Step::Failed(error)) => error,
        other => panic!("{other:?}"),
    };
    let expected = expected.replace("SERVER", &config.servers[0].to_string());
    let shown = error.to_string();
    assert!(shown.starts_with(&expected), "{shown}\nis not\n{expected}");
    error
}

/// A port where nobody listens.
fn closed() -> SocketAddr {
    let gone = UdpSocket::bind("127.0.0.1:0").unwrap();
    gone.local_addr().unwrap()
}

#[test]
fn both_families_are_found() {
    let server = Server::start(knows_www);
    check_found(WWW, &config(&[server.address]), BOTH);
    let mut asked = server.stop();
    asked.sort();
    assert_eq!(asked, [(WWW.into(), 1), (WWW.into(), 28)]);
}

#[test]
fn one_family_is_enough_whatever_becomes_of_the_other() {
    let scripts: [fixtures::Script; 4] = [
        |query| match asked(query).1 {
            A => knows_www(query),
            _ => vec![answer(query, REFUSED, &[])],
        },
        |query| match asked(query).1 {
            A => knows_www(query),
            _ => vec![answer(query, SERVFAIL, &[])],
        },
        // RFC 4074 §4.2: wrong, and done.
        |query| match asked(query).1 {
            A => knows_www(query),
            _ => vec![answer(query, NXDOMAIN, &[])],
        },
        |query| match asked(query).1 {
            A => knows_www(query),
            _ => vec![answer(query, PLAIN, &[])],
        },
    ];
    for script in scripts {
        let server = Server::start(script);
        check_found(WWW, &config(&[server.address]), "10.0.0.1:8 10.0.0.2:8");
    }
    let server = Server::start(|query| match asked(query).1 {
        A => vec![answer(query, SERVFAIL, &[])],
        _ => knows_www(query),
    });
    let only_v6 = "[fd00::1]:8 [fd00::2]:8";
    check_found(WWW, &config(&[server.address]), only_v6);
}

/// One family is silent; the other is given, and nothing more comes when the wait is over.
#[track_caller]
fn check_silent_family(script: fixtures::Script, expected: &str) {
    let server = Server::start(script);
    let mut lookup = Lookup::start(WWW, 8, &config(&[server.address])).unwrap();
    match next(&mut lookup) {
        Step::Partly(some) => assert_eq!(shown(&some), expected),
        other => panic!("{other:?}"),
    }
    assert!(matches!(lookup.step(), Step::Waiting));
    assert!(lookup.deadline().left().is_some());
    lookup.v4.give_up(&mut lookup.report);
    lookup.v6.give_up(&mut lookup.report);
    match lookup.step() {
        Step::Found(rest) => assert_eq!(shown(&rest), ""),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_silent_family_holds_nobody_up() {
    check_silent_family(
        |query| match asked(query).1 {
            A => knows_www(query),
            _ => Vec::new(),
        },
        "10.0.0.1:8 10.0.0.2:8",
    );
    check_silent_family(
        |query| match asked(query).1 {
            A => Vec::new(),
            _ => knows_www(query),
        },
        "[fd00::1]:8 [fd00::2]:8",
    );
}

#[test]
fn the_family_that_comes_later_is_given_later() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (mut lookup, [four, six]) = begin(&server);
    tell(&server, &six);
    match next(&mut lookup) {
        Step::Partly(some) => assert_eq!(shown(&some), "[fd00::1]:8 [fd00::2]:8"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(lookup.step(), Step::Waiting));
    tell(&server, &four);
    match next(&mut lookup) {
        Step::Found(rest) => assert_eq!(shown(&rest), "10.0.0.1:8 10.0.0.2:8"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_next_server_is_asked_when_one_fails() {
    let good = Server::start(knows_www);
    let refusing = Server::start(|query| vec![answer(query, REFUSED, &[])]);
    let failing = Server::start(|query| vec![answer(query, SERVFAIL, &[])]);
    let broken = Server::start(|query| {
        let mut message = answer(query, PLAIN, &[]);
        message[7] = 9;
        vec![message]
    });
    for bad in [refusing.address, failing.address, broken.address, closed()] {
        check_found(WWW, &config(&[bad, good.address]), BOTH);
    }
}

#[test]
fn a_dead_first_server_does_not_cost_its_timeout() {
    let dead = Server::start(|_| Vec::new());
    let good = Server::start(knows_www);
    let began = clock::now();
    let two = config(&[dead.address, good.address]);
    check_found(WWW, &two, BOTH);
    assert!(clock::now() - began < two.timeout);
}

#[test]
fn a_question_that_was_lost_is_asked_again() {
    // Only what has no OPT record passes, as with some firewalls.
    let server = Server::start(|query| match fixtures::has_extension(query) {
        true => Vec::new(),
        false => knows_www(query),
    });
    check_found(WWW, &config(&[server.address]), BOTH);
}

#[test]
fn a_server_older_than_edns_is_asked_in_its_language() {
    let server = Server::start(|query| match fixtures::has_extension(query) {
        true => vec![answer(query, fixtures::FORMERR, &[])],
        false => knows_www(query),
    });
    let once = Config {
        attempts: 1,
        ..config(&[server.address])
    };
    check_found(WWW, &once, BOTH);
}

#[test]
fn answers_to_other_questions_are_passed_over() {
    let server = Server::start(|query| {
        let mut wrong_id = answer(query, PLAIN, &[address(ASKED, "10.6.6.6")]);
        wrong_id[0] ^= 1;
        let mut wrong_name = answer(query, PLAIN, &[address(ASKED, "10.6.6.6")]);
        wrong_name[13] = b'x';
        let echo = query.to_vec();
        let mut all = vec![wrong_id, wrong_name, echo, vec![0], Vec::new()];
        all.extend(knows_www(query));
        all
    });
    check_found(WWW, &config(&[server.address]), BOTH);
}

#[test]
fn answers_from_another_address_are_passed_over() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (mut lookup, [four, six]) = begin(&server);
    tell(&stranger, &six);
    tell(&stranger, &four);
    assert!(matches!(lookup.step(), Step::Waiting));
    assert!(lookup.v4.verdict.is_none() && lookup.v6.verdict.is_none());
    tell(&server, &six);
    assert!(matches!(next(&mut lookup), Step::Partly(_)));
}

#[test]
fn aliases_are_followed_in_the_answer() {
    let server = Server::start(|query| {
        let (_, kind) = asked(query);
        let target = fixtures::wire("edge.example");
        let alias = fixtures::record(ASKED, 5, &target);
        let ip = if kind == A { "10.0.0.7" } else { "fd00::7" };
        vec![answer(query, PLAIN, &[alias, address(&target, ip)])]
    });
    check_found(WWW, &config(&[server.address]), "[fd00::7]:8 10.0.0.7:8");
}

/// Says by UDP that only TCP can hold the answer, with one address that fits.
fn truncates(query: &[u8]) -> Vec<Vec<u8>> {
    match asked(query).1 {
        A => vec![answer(query, TRUNCATED, &[address(ASKED, "10.0.0.9")])],
        _ => vec![answer(query, PLAIN, &[])],
    }
}

/// UDP and TCP on one port. `talk` has the one connection that comes.
fn truncating(talk: fixtures::Script) -> (Server, thread::JoinHandle<()>) {
    let (socket, listener) = loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        if let Ok(socket) = UdpSocket::bind(listener.local_addr().unwrap()) {
            break (socket, listener);
        }
    };
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut query).unwrap();
        for bytes in talk(&query) {
            stream.write_all(&bytes).unwrap();
        }
    });
    (Server::on(socket, truncates), thread)
}

/// A message after its length, a byte at a time.
fn by_bytes(message: Vec<u8>) -> Vec<Vec<u8>> {
    let length = (message.len() as u16).to_be_bytes();
    let all = [length.as_slice(), &message].concat();
    all.into_iter().map(|byte| vec![byte]).collect()
}

#[test]
fn what_does_not_fit_is_fetched_over_tcp() {
    let (server, thread) = truncating(|query| by_bytes(knows_www(query).remove(0)));
    check_found(WWW, &config(&[server.address]), "10.0.0.1:8 10.0.0.2:8");
    thread.join().unwrap();
}

#[test]
fn where_tcp_fails_what_did_fit_is_used() {
    let talks: [fixtures::Script; 4] = [
        |_| Vec::new(),
        |query| by_bytes(answer(query, SERVFAIL, &[])),
        |query| by_bytes(knows_www(query).remove(0)[..30].to_vec()),
        |query| vec![vec![0xff, 0xff], query.to_vec()],
    ];
    for talk in talks {
        let (server, thread) = truncating(talk);
        check_found(WWW, &config(&[server.address]), "10.0.0.9:8");
        thread.join().unwrap();
    }
    let no_tcp = Server::start(truncates);
    check_found(WWW, &config(&[no_tcp.address]), "10.0.0.9:8");
}

#[track_caller]
fn check_asked(name: &str, ndots: usize, expected: &[&str]) {
    let server = Server::start(|query| vec![answer(query, NXDOMAIN, &[])]);
    let search = ["a.example", "b.example"].map(|it| Name::parse(it).unwrap());
    let config = Config {
        search: search.to_vec(),
        ndots,
        ..config(&[server.address])
    };
    let error = match run(name, &config).pop() {
        Some(Step::Failed(Error::Absent(report))) => report.to_string(),
        other => panic!("{other:?}"),
    };
    let expected_error = match expected {
        [_] => format!("{}: no such name (NXDOMAIN)", server.address),
        all => format!(
            "{}: no such name (NXDOMAIN) (asked for {})",
            server.address,
            all.join(", ")
        ),
    };
    assert_eq!(error, expected_error);
    let mut asked: Vec<String> = server.stop().into_iter().map(|it| it.0).collect();
    asked.dedup();
    assert_eq!(asked, expected);
}

#[test]
fn search_domains_are_tried_in_the_order_that_dots_say() {
    check_asked("h", 1, &["h.a.example", "h.b.example", "h"]);
    check_asked("h.x", 1, &["h.x", "h.x.a.example", "h.x.b.example"]);
    check_asked("h.x", 2, &["h.x.a.example", "h.x.b.example", "h.x"]);
    check_asked("h", 0, &["h", "h.a.example", "h.b.example"]);
    check_asked("h.", 1, &["h"]);
    let long = vec!["a".repeat(61); 4].join(".");
    check_asked(&long, 9, &[&long]);
}

#[test]
fn a_search_domain_that_fails_does_not_hide_the_name() {
    let server = Server::start(|query| match asked(query).0.as_str() {
        "www.example.org.broken.example" => vec![answer(query, SERVFAIL, &[])],
        // Knows that it is absent, and drops questions for AAAA.
        "www.example.org.deaf.example" => match asked(query).1 {
            A => vec![answer(query, NXDOMAIN, &[])],
            _ => Vec::new(),
        },
        _ => knows_www(query),
    });
    let search = ["broken.example", "deaf.example"].map(|it| Name::parse(it).unwrap());
    let config = Config {
        search: search.to_vec(),
        ndots: 5,
        ..config(&[server.address])
    };
    check_found(WWW, &config, BOTH);
}

#[test]
fn a_failure_says_every_server_and_what_it_said() {
    let server = Server::start(|query| vec![answer(query, PLAIN, &[])]);
    let error = check_failed(WWW, &config(&[server.address]), "SERVER: no address");
    assert!(matches!(error, Error::Absent(_)));

    let server = Server::start(|query| match asked(query).1 {
        A => vec![answer(query, SERVFAIL, &[])],
        _ => vec![answer(query, NXDOMAIN, &[])],
    });
    let error = match run(WWW, &config(&[server.address])).pop() {
        Some(Step::Failed(error @ Error::Untold(_))) => error.to_string(),
        other => panic!("{other:?}"),
    };
    for part in [
        "could not find out (SERVFAIL) for A",
        "no such name (NXDOMAIN) for AAAA",
    ] {
        let expected = format!("{}: {part}", server.address);
        assert!(error.contains(&expected), "{error}");
    }

    let silent = Server::start(|_| Vec::new());
    let error = check_failed(WWW, &impatient(&[silent.address]), "SERVER: no answer in ");
    assert!(matches!(error, Error::Untold(_)));
    check_failed(WWW, &config(&[closed()]), "SERVER: connection refused");

    let refusing = Server::start(|query| vec![answer(query, REFUSED, &[])]);
    let two = config(&[refusing.address, closed()]);
    let said = "SERVER: refused to answer (REFUSED), ";
    let error = check_failed(WWW, &two, said).to_string();
    assert!(error.ends_with(": connection refused"), "{error}");
}

#[test]
fn a_silent_server_is_not_asked_for_other_names() {
    let silent = Server::start(|_| Vec::new());
    let config = Config {
        search: vec![Name::parse("a.example").unwrap()],
        ..impatient(&[silent.address])
    };
    let error = check_failed("h", &config, "SERVER: no answer in ");
    assert!(!error.to_string().contains("asked for"), "{error}");
    let asked = silent.stop();
    assert!(
        asked.iter().all(|(name, _)| name == "h.a.example"),
        "{asked:?}"
    );
}

#[test]
fn what_is_no_name_is_not_asked() {
    let nobody = config(&[closed()]);
    let error = Lookup::start("b\u{fc}cher.de", 8, &nobody).err().unwrap();
    let expected = "`bücher.de` is no host name: it is not ASCII; write it in punycode (xn--…)";
    assert_eq!(error.to_string(), expected);
    assert_eq!(io::Error::from(error).to_string(), expected);
}
