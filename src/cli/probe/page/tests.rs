//! The page of a probe, piece by piece, and once as a whole.

use super::*;
use crate::http::head::Headers;
use crate::net::trace::Attempt;
use crate::term::style::Palette;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn sight(room: Room) -> Sight {
    let looks = Looks {
        palette: Palette::Plain,
        unicode: false,
        columns: 80,
    };
    Sight { looks, room }
}

fn head(kind: &str) -> ResponseHead {
    let mut headers = Headers::new();
    headers.push("Content-Type", kind);
    ResponseHead {
        status: 200,
        reason: "OK".into(),
        minor: 1,
        headers,
    }
}

fn answer(head: Option<ResponseHead>) -> Answer {
    Answer {
        trace: Trace::start(),
        head,
        trailers: Headers::new(),
        error: None,
        redirects: Vec::new(),
    }
}

#[track_caller]
fn check_chart(columns: usize, rows: &[(&str, u64)], total: u64, expected: &[&str]) {
    let rows: Vec<(&str, Duration)> = rows.iter().map(|(name, took)| (*name, ms(*took))).collect();
    let mut sight = sight(Room::Pipe);
    sight.looks.columns = columns;
    let chart = chart(&rows, ms(total), &sight);
    assert_eq!(chart.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn each_bar_begins_where_the_one_above_ends() {
    check_chart(
        34,
        &[("resolve", 20), ("connect", 30), ("first byte", 50)],
        100,
        &[
            "  resolve      20.0 ms  ##",
            "  connect      30.0 ms    ###",
            "  first byte   50.0 ms       #####",
            "  total       100.0 ms",
        ],
    );
}

#[test]
fn a_phase_that_took_no_time_is_seen_and_no_bar_is_too_long() {
    check_chart(
        34,
        &[("resolve", 0), ("connect", 2_000), ("body", 0)],
        2_000,
        &[
            "  resolve      0.00 ms  #",
            "  connect       2.00 s  ##########",
            "  body         0.00 ms           #",
            "  total         2.00 s",
        ],
    );
    check_chart(
        0,
        &[("resolve", 1)],
        0,
        &["  resolve       1.0 ms  #", "  total        0.00 ms"],
    );
    check_chart(80, &[], 3, &["  total         3.0 ms"]);
}

#[test]
fn every_span_lies_on_the_bar() {
    for before in [0, 1, 7, 99, 100, 5_000] {
        for took in [0, 1, 50, 100, 5_000] {
            for width in [1, 2, 10, 50] {
                let (start, length) = span(ms(before), ms(took), ms(100), width);
                assert!(
                    length >= 1 && start + length <= width,
                    "{before} {took} {width}"
                );
            }
        }
    }
}

#[test]
fn times_are_as_fine_as_they_are_short() {
    assert_eq!(took(Duration::from_micros(45)), "0.04 ms");
    assert_eq!(took(Duration::from_micros(12_345)), "12.3 ms");
    assert_eq!(took(ms(999)), "999.0 ms");
    assert_eq!(took(ms(6_240)), "6.24 s");
}

#[test]
fn the_head_of_an_answer_cannot_steer_the_terminal() {
    let mut answer = answer(Some(head("x\x1b[2J")));
    let url = Url::parse("http://h/a").unwrap();
    answer.trace.addresses = vec![Attempt {
        address: "[::1]:80".parse().unwrap(),
        took: ms(3),
        error: Some("connection refused".into()),
    }];
    answer.trailers.push("Sum", "\r1");
    answer.trace.finish();
    let page = top("GET", &url, &answer, &sight(Room::Terminal));
    let lines: Vec<&str> = page
        .lines()
        .filter(|line| !line.contains("total"))
        .collect();
    assert_eq!(
        lines,
        [
            "GET http://h/a",
            "  [::1]:80: connection refused after 3.0 ms",
            "",
            "",
            "HTTP/1.1 200 OK",
            "Content-Type: x\\x1b[2J",
            "",
            "after the body:",
            "Sum: \\x0d1",
        ]
    );
}

#[test]
fn a_certificate_says_how_long_it_is_good() {
    let facts = Facts {
        version: "TLSv1.2",
        cipher: "C".into(),
        resumed: true,
        issuer: "CN=root".into(),
        subject: "CN=h".into(),
        not_after: 86_400 * 10,
    };
    let said = |now| certificate(&facts, now);
    assert_eq!(
        said(86_400 * 2 + 1),
        "certificate of CN=h by CN=root until 1970-01-11, 7 days from now"
    );
    assert!(said(86_400 * 11).ends_with("until 1970-01-11, in the past"));
    let mut trace = Trace::start();
    trace.proxy = Some("p:3128".into());
    trace.tls = Some(facts);
    let lines = way(&trace);
    assert_eq!(lines[0], "through the proxy p:3128");
    assert_eq!(lines[1], "TLSv1.2 with C, resumed");
}

#[track_caller]
fn check_body(room: Room, kind: &str, bytes: &[u8], expected: &str) {
    let shown = body(Some(&head(kind)), bytes, &sight(room));
    assert_eq!(String::from_utf8_lossy(&shown), expected);
}

#[test]
fn a_body_is_shown_as_far_as_it_is_text() {
    check_body(Room::Terminal, "text/plain", b"", "");
    check_body(Room::Terminal, "text/plain", b"a\r\nb", "a\nb\n");
    check_body(Room::Terminal, "text/plain", b"a\x1b[2Jb\n", "a\\x1b[2Jb\n");
    check_body(Room::Terminal, "text/html", b"caf\xe9\n", "caf\u{fffd}\n");
    check_body(Room::Terminal, "x/y", b"torn \xe2\x82", "torn \u{fffd}\n");
    let not_text = "(4 bytes that are not text; `-q > FILE` keeps them)\n";
    check_body(Room::Terminal, "image/png", b"\x89PNG", not_text);
    check_body(Room::Pipe, "text/plain", b"a\0bc", not_text);
    check_body(Room::Pipe, "text/plain", b"a\r\n\x1bb", "a\r\n\x1bb");
}

#[test]
fn a_terminal_gets_a_screenful_and_a_pipe_everything() {
    let long = "line\n".repeat(100_000);
    let shown = body(None, long.as_bytes(), &sight(Room::Terminal));
    let shown = String::from_utf8_lossy(&shown);
    assert_eq!(shown.lines().count(), BODY_LINES_MAX + 1);
    assert!(shown.ends_with("line\n(the beginning of 500,000 bytes; `-q` prints all)\n"));
    let wide = "\u{e4}".repeat(10_000);
    let shown = body(None, wide.as_bytes(), &sight(Room::Terminal));
    assert!(shown.len() < 2 * BODY_CHARS_MAX + 100);
    for room in [Room::Pipe, Room::WholeTerminal] {
        assert_eq!(body(None, long.as_bytes(), &sight(room)).len(), 500_000);
    }
    assert_eq!(grouped(1_234_567), "1,234,567");
    assert_eq!(grouped(999), "999");
}
