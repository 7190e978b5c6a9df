//! Messages as tables: names, the bytes of a question, and what each answer comes to.

use super::*;
use crate::base::mutants::mutants;
use crate::net::dns::fixtures;
use crate::net::dns::fixtures::ASKED;
use crate::net::dns::fixtures::PLAIN;
use crate::net::dns::fixtures::TRUNCATED;
use crate::net::dns::fixtures::address;
use crate::net::dns::fixtures::answer;
use crate::net::dns::fixtures::record;
use crate::net::dns::fixtures::wire;

const ID: u16 = 0x1234;

fn question(kind: Kind) -> Question {
    let name = Name::parse("www.example.org").unwrap();
    Question { id: ID, name, kind }
}

fn sent(kind: Kind) -> Vec<u8> {
    query(ID, &question(kind).name, kind)
}

#[track_caller]
fn check_name(text: &str, expected: Result<&str, &str>) {
    match (Name::parse(text), expected) {
        (Ok(name), Ok(shown)) => assert_eq!(name.to_string(), shown, "{text}"),
        (Err(error), Err(part)) => {
            let shown = error.to_string();
            assert!(shown.contains(part), "{text}: {shown} has no `{part}`");
        }
        (found, _) => panic!("{text}: {found:?}, expected {expected:?}"),
    }
}

#[test]
fn a_name_is_what_hosts_have() {
    check_name("Example.ORG", Ok("example.org"));
    check_name("example.org.", Ok("example.org"));
    check_name("my_host-1", Ok("my_host-1"));
    check_name("xn--bcher-kva.de", Ok("xn--bcher-kva.de"));
    check_name("b\u{fc}cher.de", Err("punycode"));
    for empty in ["", ".", "a..b", ".a", "a.."] {
        check_name(empty, Err("empty"));
    }
    check_name("a b", Err("character"));
    check_name("a\x1b[2J", Err("\\x1b"));
    check_name(&"a".repeat(63), Ok(&"a".repeat(63)));
    check_name(&"a".repeat(64), Err("longer than 63"));
    // Four labels of 62 make 251 characters and 253 bytes; two more fit, and no third.
    let long = vec!["a".repeat(62); 4].join(".");
    check_name(&format!("{long}.b"), Ok(&format!("{long}.b")));
    check_name(&format!("{long}.bc"), Err("longer than 253"));
}

#[test]
fn a_name_within_a_domain_is_longer_or_is_none() {
    let name = Name::parse("a.b").unwrap();
    let domain = Name::parse("c.d").unwrap();
    assert_eq!(name.within(&domain).unwrap().to_string(), "a.b.c.d");
    assert_eq!((name.dots(), domain.within(&name).unwrap().dots()), (1, 3));
    let long = Name::parse(&vec!["a".repeat(62); 4].join(".")).unwrap();
    assert_eq!(name.within(&long), None);
}

#[test]
fn a_question_asks_for_recursion_and_takes_large_answers() {
    let mut expected = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01".to_vec();
    expected.extend_from_slice(b"\x03www\x07example\x03org\x00\x00\x1c\x00\x01");
    expected.extend_from_slice(b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00");
    assert_eq!(sent(Kind::Aaaa), expected);
    let plain = plain_query(ID, &question(Kind::A).name, Kind::A);
    assert_eq!(
        plain[..12],
        *b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    );
    assert!(plain.ends_with(b"\x03org\x00\x00\x01\x00\x01"));
}

#[track_caller]
fn check(kind: Kind, message: &[u8], expected: &str) {
    let shown = match parse(message, &question(kind)) {
        Ok(answer) => {
            let addresses: Vec<String> = answer.addresses.iter().map(IpAddr::to_string).collect();
            let more = if answer.is_truncated { " and more" } else { "" };
            format!("{} for {}{more}", addresses.join(" "), answer.ttl_s)
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(shown, expected);
}

#[track_caller]
fn check_records(records: &[Vec<u8>], expected: &str) {
    check(Kind::A, &answer(&sent(Kind::A), PLAIN, records), expected);
}

#[test]
fn addresses_of_the_name_and_the_kind_are_found() {
    let one = address(ASKED, "10.0.0.1");
    check_records(std::slice::from_ref(&one), "10.0.0.1 for 300");
    let six = address(ASKED, "fd00::1");
    let reply = answer(&sent(Kind::Aaaa), PLAIN, std::slice::from_ref(&six));
    check(Kind::Aaaa, &reply, "fd00::1 for 300");
    // Asked for one kind, a server may say both.
    check_records(&[six, one.clone()], "10.0.0.1 for 300");
    let other = address(&wire("other.example"), "10.0.0.9");
    check_records(&[other, one.clone(), one], "10.0.0.1 for 300");
    let shouted = address(&wire("WWW.Example.ORG"), "10.0.0.2");
    check_records(&[shouted], "10.0.0.2 for 300");
    check_records(&[], " for 0");
    let many: Vec<_> = (0..99)
        .map(|n| address(ASKED, &format!("10.0.0.{n}")))
        .collect();
    let reply = answer(&sent(Kind::A), PLAIN, &many);
    let found = parse(&reply, &question(Kind::A)).unwrap();
    assert_eq!(found.addresses.len(), ADDRESSES_MAX);
}

#[test]
fn aliases_are_followed_in_any_order_and_not_for_ever() {
    let alias = |from: &str, to: &str| record(&wire(from), 5, &wire(to));
    let first = alias("www.example.org", "a.example");
    let second = alias("a.example", "b.example");
    let last = address(&wire("b.example"), "10.0.0.1");
    check_records(
        &[first.clone(), second.clone(), last.clone()],
        "10.0.0.1 for 300",
    );
    check_records(
        &[last.clone(), second.clone(), first.clone()],
        "10.0.0.1 for 300",
    );
    // The end of the chain is missing: the name has no address that this server tells.
    check_records(&[first.clone(), last], " for 0");
    let back = alias("a.example", "www.example.org");
    check_records(
        &[first, back],
        "a broken answer (aliases without an end at byte 109)",
    );
    let itself = record(ASKED, 5, ASKED);
    check_records(
        &[itself],
        "a broken answer (aliases without an end at byte 47)",
    );
}

#[test]
fn what_is_not_our_answer_is_foreign() {
    let foreign = "an answer to another question";
    let good = answer(&sent(Kind::A), PLAIN, &[address(ASKED, "10.0.0.1")]);
    let changed = |at: usize, value: u8| {
        let mut message = good.clone();
        message[at] = value;
        message
    };
    check(Kind::A, &changed(0, 0x13), foreign);
    check(Kind::A, &changed(1, 0x35), foreign);
    check(Kind::A, &changed(2, 0x01), foreign);
    check(Kind::A, &changed(2, 0x81 | 0x10), foreign);
    check(Kind::A, &changed(13, b'x'), foreign);
    check(Kind::Aaaa, &good, foreign);
    check(Kind::A, b"", foreign);
    check(Kind::A, &good[..11], foreign);
    check(
        Kind::A,
        &changed(5, 2),
        "a broken answer (a wrong count of questions at byte 12)",
    );
    check(
        Kind::A,
        &changed(5, 0),
        "a broken answer (a wrong count of questions at byte 12)",
    );
}

#[test]
fn what_the_server_says_instead_is_told() {
    let codes = [
        (1, "did not understand the question (FORMERR)"),
        (2, "could not find out (SERVFAIL)"),
        (3, "no such name (NXDOMAIN)"),
        (4, "does not answer such questions (NOTIMP)"),
        (5, "refused to answer (REFUSED)"),
        (9, "answered with code 9"),
    ];
    for (number, expected) in codes {
        let message = answer(&sent(Kind::A), PLAIN | number, &[]);
        check(Kind::A, &message, expected);
        // Without the question, as a server may that did not read so far.
        let mut bare = message[..12].to_vec();
        bare[5] = 0;
        check(Kind::A, &bare, expected);
    }
}

#[test]
fn a_truncated_answer_gives_what_is_whole() {
    let records = [address(ASKED, "10.0.0.1"), address(ASKED, "10.0.0.2")];
    let message = answer(&sent(Kind::A), TRUNCATED, &records);
    check(Kind::A, &message, "10.0.0.1 10.0.0.2 for 300 and more");
    let cut = &message[..message.len() - 1];
    check(Kind::A, cut, "10.0.0.1 for 300 and more");
    check(
        Kind::A,
        &answer(&sent(Kind::A), TRUNCATED, &[]),
        " for 0 and more",
    );
}

#[test]
fn a_broken_answer_says_what_is_broken() {
    let broken = |owner: &[u8], what: &str| {
        let expected = format!("a broken answer ({what})");
        check_records(&[address(owner, "10.0.0.1")], &expected);
    };
    // The question ends at byte 33.
    broken(&[0xc0, 33], "a pointer that does not lead back at byte 35");
    broken(
        &[0xff, 0xff],
        "a pointer that does not lead back at byte 35",
    );
    broken(&[0x40, 0], "a label of no known kind at byte 34");
    broken(
        &[[63; 64].repeat(4), vec![0]].concat(),
        "a name longer than 255 bytes at byte 289",
    );
    check_records(
        &[record(ASKED, 1, &[10, 0, 0])],
        "a broken answer (its end at byte 45)",
    );
    check_records(
        &[record(ASKED, 1, &[10, 0, 0, 1, 0])],
        "a broken answer (a record of a wrong length at byte 49)",
    );
    let whole = answer(&sent(Kind::A), PLAIN, &[address(ASKED, "10.0.0.1")]);
    check(
        Kind::A,
        &whole[..whole.len() - 1],
        "a broken answer (a record longer than the message at byte 45)",
    );
    // Other kinds of records may hold anything.
    let text = record(ASKED, 16, b"\xff");
    check_records(&[text, address(ASKED, "10.0.0.1")], "10.0.0.1 for 300");
}

#[test]
fn many_pointers_in_a_row_end_soon() {
    // Each pointer leads to the one before it; the last leads nowhere but is far beyond the limit.
    let mut message = answer(&sent(Kind::A), PLAIN, &[Vec::new()]);
    let mut target = 12_u16;
    for _ in 0..4_000 {
        let at = message.len() as u16;
        message.extend((0xc000 | target).to_be_bytes());
        target = at;
    }
    message[7] = 2;
    let mut reader = Reader {
        input: &message,
        at: usize::from(target),
    };
    assert_eq!(
        reader.name().unwrap_err().to_string(),
        format!(
            "a broken answer (a pointer that does not lead back at byte {})",
            usize::from(target) - 2 * POINTERS_MAX + 2
        )
    );
}

#[test]
fn no_bytes_make_reading_fall_over() {
    let asked = sent(Kind::A);
    let alias = record(ASKED, 5, b"\x01a\xc0\x10");
    let records = [
        alias,
        address(b"\x01a\xc0\x10", "10.0.0.1"),
        address(ASKED, "10.0.0.2"),
        record(ASKED, 16, b"text"),
    ];
    let messages = [
        answer(&asked, PLAIN, &records),
        answer(&asked, TRUNCATED, &records),
        answer(&sent(Kind::Aaaa), PLAIN, &[address(ASKED, "fd00::1")]),
        answer(&asked, fixtures::NXDOMAIN, &[]),
        asked,
    ];
    check(Kind::A, &messages[0], "10.0.0.2 for 300");
    let mutants = messages.iter().flat_map(|message| mutants(message));
    mutants.for_each(|message| fuzz_message(&message));
}
