//! Heads as real and as hostile servers write them, fed in every cut.

use super::*;
use crate::base::mutants::mutants;
use crate::http::cuts;

/// Reads `input` in every cut; what follows the head must be left over.
fn read(input: &[u8]) -> Result<ResponseHead, Error> {
    let mut first = None;
    let tail = b"HTTP/1.1 body\n\n";
    let input = [input, tail].concat();
    for pieces in cuts(&input) {
        let mut reader = ResponseReader::default();
        let mut result = Ok(None);
        let mut left = 0;
        for mut piece in pieces {
            if let Ok(None) = result {
                result = reader.feed(&mut piece);
            }
            left += piece.len();
        }
        if let Ok(Some(_)) = result {
            assert_eq!(left, tail.len(), "{}", input.escape_ascii());
        }
        let result = result.map(|head| head.expect("the head must end before the tail"));
        // How much of a bad line was seen depends on the cut; that it is bad must not.
        match (&result, first.get_or_insert_with(|| result.clone())) {
            (Err(_), Err(_)) => {}
            (found, first) => assert_eq!(found, first, "{}", input.escape_ascii()),
        }
    }
    first.expect("there is at least one cut")
}

#[track_caller]
fn check_status(line: &str, expected: Option<(u16, &str, u8)>) {
    let found = read(format!("{line}\r\n\r\n").as_bytes()).ok();
    let found = found
        .as_ref()
        .map(|head| (head.status, head.reason.as_str(), head.minor));
    assert_eq!(found, expected, "{line:?}");
}

#[test]
fn a_status_line_may_be_untidy_but_not_ambiguous() {
    check_status("HTTP/1.1 200 OK", Some((200, "OK", 1)));
    check_status("HTTP/1.0 404 Not Found", Some((404, "Not Found", 0)));
    check_status("HTTP/1.9 999 x", Some((999, "x", 9)));
    check_status("HTTP/1.1 200 ", Some((200, "", 1)));
    check_status("HTTP/1.1 200", Some((200, "", 1)));
    check_status("HTTP/1.1 \t 200  OK\t ", Some((200, "OK", 1)));
    check_status("\r\n\n\r\nHTTP/1.1 200 OK", Some((200, "OK", 1)));
    check_status("HTTP/1.1 200 \u{fc}", Some((200, "\u{fc}", 1)));
    check_status("HTTP/1.1 200 \u{1b}\x0b", Some((200, "\u{1b}\u{b}", 1)));
    for line in [
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 099 OK",
        "HTTP/1.1 +20 OK",
        "HTTP/1.1 200OK",
        "HTTP/1.1200 OK",
        "HTTP/1.1\u{b}200 OK",
        "HTTP/1.1 200\u{c}OK",
        "HTTP/1.1",
        "HTTP/1.",
        "HTTP/1.10 200 OK",
        "HTTP/2.0 200 OK",
        "HTTP/0.9 200 OK",
        "http/1.1 200 OK",
        " HTTP/1.1 200 OK",
        "ICY 200 OK",
        "SSH-2.0-OpenSSH_9.2",
        "HTTP/1.1 200 O\0K",
        "HTTP/1.1 200 O\rK",
        "\rHTTP/1.1 200 OK",
    ] {
        check_status(line, None);
    }
}

#[track_caller]
fn check(fields: &[u8], expected: &[(&str, &str)]) {
    let head = read(&[b"HTTP/1.1 200 OK\r\n", fields, b"\r\n"].concat());
    let head = head.unwrap_or_else(|error| panic!("{}: {error}", fields.escape_ascii()));
    let found: Vec<_> = head.headers.iter().collect();
    assert_eq!(found, expected, "{}", fields.escape_ascii());
}

#[track_caller]
fn check_refused(fields: &[u8], expected: &str) {
    let found = read(&[b"HTTP/1.1 200 OK\r\n", fields, b"\r\n"].concat());
    let error = found
        .expect_err(&fields.escape_ascii().to_string())
        .to_string();
    assert!(
        error.contains(expected),
        "{}: {error}",
        fields.escape_ascii()
    );
}

#[test]
fn fields_keep_their_order_and_lose_their_blanks() {
    check(b"", &[]);
    check(
        b"A: 1\r\nb:2\r\nA:\t 3 \t\r\n",
        &[("A", "1"), ("b", "2"), ("A", "3")],
    );
    check(b"A:\r\nB: \r\n", &[("A", ""), ("B", "")]);
    check(b"A: b:c\nD: e\n", &[("A", "b:c"), ("D", "e")]);
    check(b"A : 1\r\nB\t:2\r\n", &[("A", "1"), ("B", "2")]);
    check(
        b"A: \xc3\xbc\r\nB: \xfc\r\n",
        &[("A", "\u{fc}"), ("B", "\u{fc}")],
    );
    check(
        b"a!#$%&'*+-.^_`|~9: x\ty\r\n",
        &[("a!#$%&'*+-.^_`|~9", "x\ty")],
    );
}

#[test]
fn what_moves_no_end_stays_in_a_field() {
    check(
        b"a: \x1b[2J\x7f\r\nb: \x0bc\x0c\r\n",
        &[("a", "\u{1b}[2J\u{7f}"), ("b", "\u{b}c\u{c}")],
    );
    check(b": x\r\nA: 1\r\n", &[("", "x"), ("A", "1")]);
}

#[test]
fn a_folded_line_is_joined_with_one_space() {
    check(
        b"A: 1\r\n  2\r\n\t3 \r\nB: 4\r\n",
        &[("A", "1 2 3"), ("B", "4")],
    );
    check(b"A:\r\n 5\r\n", &[("A", "5")]);
    check(b"A: 1\r\n \t\r\nB: 2\r\n", &[("A", "1"), ("B", "2")]);
    check_refused(b" A: 1\r\n", "header line");
}

#[test]
fn a_bad_line_is_refused_and_shown_escaped() {
    check_refused(b"no colon\r\n", "header line `no colon`");
    check_refused(b"a b: x\r\n", "header name `a b`");
    check_refused(b"a\xfc: x\r\n", "header name `a\\xfc`");
    check_refused(b"a: x\0y\r\n", "header line `a: x\\x00y`");
    check_refused(b"a: x\ry\r\n", "header line");
    check_refused(b"a: x\r\r\n", "header line");
    check_refused(b"a\x1b: x\r\n", "header name `a\\x1b`");
    check_refused(b"a\x0b: x\r\n", "header name `a\\x0b`");
    check_refused(b"HTTP/1.1 200 OK\r\n", "header line");
}

#[test]
fn names_are_found_in_any_case_and_lists_across_fields() {
    let head = read(b"HTTP/1.1 200 OK\nVia: a ,,b\nx: y\nVIA:\nvia: c\n\n").unwrap();
    assert_eq!(head.headers.first("vIA"), Some("a ,,b"));
    assert_eq!(head.headers.all("via").count(), 3);
    assert_eq!(
        head.headers.elements("via").collect::<Vec<_>>(),
        ["a", "b", "c"]
    );
    assert_eq!(head.headers.first("vi"), None);
}

#[test]
fn everything_that_grows_has_a_limit() {
    #[track_caller]
    fn check(line: &str, times: usize, expected: &str) {
        let mut reader = ResponseReader::default();
        reader.feed(&mut b"HTTP/1.1 200 OK\r\n".as_slice()).unwrap();
        let error = (0..times).find_map(|_| reader.feed(&mut line.as_bytes()).err());
        assert_eq!(error.expect("a limit").to_string(), expected);
    }
    check(
        "a: b\r\n",
        2_001,
        "too many header fields, the limit is 2000",
    );
    check(
        "a",
        102_401,
        "too many header line bytes, the limit is 102400",
    );
    let long = format!("a: {}\r\n", "b".repeat(100_000));
    check(&long, 4, "too many header bytes, the limit is 307200");
    check(
        &format!("{long} \r\n"),
        4,
        "too many header bytes, the limit is 307200",
    );
}

#[test]
fn another_protocol_is_found_out_before_its_line_ends() {
    let mut reader = ResponseReader::default();
    assert_eq!(reader.feed(&mut b"\r\nHTT".as_slice()), Ok(None));
    assert!(reader.feed(&mut b"X".as_slice()).is_err());
}

#[test]
fn no_head_is_too_odd() {
    let fixture = b"\r\nHTTP/1.1 \t200  OK\r\nA : b:c\r\n d\n:\r\nE:\xfc\t\r\n\r\nbody";
    assert!(
        ResponseReader::default()
            .feed(&mut fixture.as_slice())
            .is_ok()
    );
    mutants(fixture).for_each(|head| fuzz_head(&head));
}
