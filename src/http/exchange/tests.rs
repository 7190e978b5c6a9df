//! Whole exchanges as scripts: what goes out, what comes back in every cut, and what is left.

use super::*;
use crate::base::mutants::mutants;
use crate::http::cuts;

fn url() -> Url {
    Url::parse("http://h:8080/v1/x?y=1").unwrap()
}

fn get() -> Exchange {
    let mut exchange = Exchange::new(&Request::get(url()), Form::Origin).unwrap();
    exchange.mark_sent(exchange.unsent().len());
    exchange
}

/// Reads `input` cut at every place; each cut must give the same answer.
#[track_caller]
fn read_cut(exchange: impl Fn() -> Exchange, input: &str) -> Result<Answer, Error> {
    let whole = read(exchange(), [input.as_bytes()].into_iter());
    for pieces in cuts(input.as_bytes()) {
        match (read(exchange(), pieces.into_iter()), &whole) {
            // How much of a bad line was seen depends on the cut.
            (Err(_), Err(_)) => {}
            (found, whole) => assert_eq!(&found, whole, "{input:?}"),
        }
    }
    whole
}

#[track_caller]
fn check(input: &str, status: u16, body: &str, reuse: Reuse) {
    let answer = read_cut(get, input).unwrap_or_else(|error| panic!("{input:?}: {error}"));
    assert_eq!(
        (answer.status, &*String::from_utf8_lossy(&answer.body)),
        (status, body),
        "{input:?}"
    );
    assert_eq!(answer.can_reuse, reuse == Reuse::Yes, "{input:?}");
    assert_eq!(answer.left_over, 0, "{input:?}");
}

#[derive(PartialEq)]
enum Reuse {
    Yes,
    No,
}

#[track_caller]
fn check_refused(input: &str, expected: &str) {
    let error = read_cut(get, input).expect_err(input).to_string();
    assert!(error.contains(expected), "{input:?}: {error}");
}

#[track_caller]
fn check_sent(request: &Request, expected: &str) {
    let exchange = Exchange::new(request, Form::Origin).expect("a request that can be sent");
    assert_eq!(String::from_utf8_lossy(exchange.unsent()), expected);
}

#[test]
fn a_request_is_written_with_host_first_and_its_length() {
    check_sent(
        &Request::get(url()).header("Accept", "*/*"),
        "GET /v1/x?y=1 HTTP/1.1\r\nHost: h:8080\r\nAccept: */*\r\n\
         Accept-Encoding: identity\r\n\r\n",
    );
    check_sent(
        &Request::post(url(), b"{}".to_vec()).header("A", "\u{fc}\t"),
        "POST /v1/x?y=1 HTTP/1.1\r\nHost: h:8080\r\nA: \u{fc}\t\r\n\
         Accept-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
    );
    check_sent(
        &Request::post(url(), Vec::new()).header("host", "other"),
        "POST /v1/x?y=1 HTTP/1.1\r\nhost: other\r\n\
         Accept-Encoding: identity\r\nContent-Length: 0\r\n\r\n",
    );
}

#[test]
fn nothing_can_be_smuggled_into_a_request() {
    #[track_caller]
    fn check(request: Request, expected: &str) {
        let error = Exchange::new(&request, Form::Origin)
            .expect_err("must be refused")
            .to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
    for value in [
        "secret\r\nX: y",
        "secret\n",
        "secret\r",
        "secret\0",
        "secret\u{1b}",
    ] {
        check(
            Request::get(url()).header("A", value),
            "header A: its value",
        );
    }
    for name in ["", "a b", "a:", "a\r\n", "\u{fc}"] {
        check(Request::get(url()).header(name, "secret"), "its name");
    }
    for name in ["Content-Length", "transfer-encoding", "Expect"] {
        check(
            Request::get(url()).header(name, "secret"),
            "not the caller's",
        );
    }
    check(
        Request::get(url()).header("Host", "a").header("host", "b"),
        "two",
    );
    let mut request = Request::get(url());
    request.url.target = "/a b HTTP/1.1\r\n".to_string();
    check(request, "the target");
    let mut request = Request::get(url());
    request.url.host = "h\r\nX: y".to_string();
    check(request, "the host");
    let request = Request {
        method: "GET /",
        ..Request::get(url())
    };
    check(request, "the method");
}

#[test]
fn a_debug_print_shows_no_credential() {
    let request = Request::get(url()).header("Authorization", "Bearer secret");
    let exchange = Exchange::new(&request, Form::Origin).unwrap();
    let shown = format!("{request:?} {exchange:?}");
    assert!(
        shown.contains("Authorization") && shown.contains("bytes unsent"),
        "{shown}"
    );
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn an_answer_ends_where_it_says_and_the_connection_stays() {
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        200,
        "hi",
        Reuse::Yes,
    );
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        200,
        "",
        Reuse::Yes,
    );
    check("HTTP/1.1 204 No\r\n\r\n", 204, "", Reuse::Yes);
    check(
        "HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n",
        304,
        "",
        Reuse::Yes,
    );
    let chunked = "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    check(
        &format!("HTTP/1.1 500 Oh\r\n{chunked}"),
        500,
        "hi",
        Reuse::Yes,
    );
    check(
        &format!("HTTP/1.0 200 OK\r\n{chunked}"),
        200,
        "hi",
        Reuse::No,
    );
    check(
        &format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{chunked}"),
        200,
        "hi",
        Reuse::No,
    );
    let kept = "Connection: keep-alive\r\n";
    check(
        &format!("HTTP/1.0 200 OK\r\n{kept}{chunked}"),
        200,
        "hi",
        Reuse::No,
    );
    check(
        &format!("HTTP/1.0 200 OK\r\n{kept}Content-Length: 0\r\n\r\n"),
        200,
        "",
        Reuse::Yes,
    );
    check(
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        200,
        "",
        Reuse::No,
    );
    let closed = "Connection: x, Close\r\nContent-Length: 0\r\n\r\n";
    check(&format!("HTTP/1.1 200 OK\r\n{closed}"), 200, "", Reuse::No);
    check("HTTP/1.1 200 OK\r\n\r\nhi", 200, "hi", Reuse::No);
    check("HTTP/1.1 200 OK\r\n\r\n", 200, "", Reuse::No);
}

#[test]
fn interim_answers_are_skipped() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 7\r\n\r\n";
    let end = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    check(
        &format!("HTTP/1.1 100 Continue\r\n\r\n{hints}{end}"),
        200,
        "hi",
        Reuse::Yes,
    );
    check_refused(
        "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
        "status `101",
    );
    check_refused(hints, "the rest of the head");

    let mut exchange = get();
    let interim = |exchange: &mut Exchange| exchange.feed(hints.as_bytes(), &mut Vec::new());
    for _ in 0..INTERIM_HEADS_MAX {
        interim(&mut exchange).unwrap();
        assert_eq!((exchange.head(), exchange.is_done()), (None, false));
    }
    assert!(interim(&mut exchange).is_err());
}

#[test]
fn an_early_close_says_what_was_missing() {
    check_refused("", "the whole answer");
    check_refused("HTTP/1.1 200 OK\r\nContent-", "the rest of the head");
    check_refused(
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi",
        "7 bytes of the body",
    );
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    check_refused(&format!("{chunked}2\r\nhi\r\n"), "the last chunk");
    check_refused(&format!("{chunked}2\r\nhi\r\n0\r\n"), "the empty line");
}

#[test]
fn what_follows_an_answer_is_left_and_spoils_the_connection() {
    let twice = "HTTP/1.1 204 No\r\n\r\nHTTP/1.1 204 No\r\n\r\n";
    let answer = read_cut(get, twice).unwrap();
    assert_eq!(
        (answer.left_over, answer.can_reuse),
        (twice.len() / 2, false)
    );

    // Also if it comes later.
    let mut exchange = get();
    let (first, second) = twice.as_bytes().split_at(twice.len() / 2);
    exchange.feed(first, &mut Vec::new()).unwrap();
    assert!(exchange.can_reuse());
    assert_eq!(exchange.feed(second, &mut Vec::new()), Ok(0));
    assert!(!exchange.can_reuse());
}

#[test]
fn an_answer_to_head_has_no_body() {
    let head = || {
        let request = Request {
            method: "HEAD",
            ..Request::get(url())
        };
        let mut exchange = Exchange::new(&request, Form::Origin).unwrap();
        exchange.mark_sent(exchange.unsent().len());
        exchange
    };
    let answer = read_cut(head, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").unwrap();
    assert_eq!((answer.body, answer.can_reuse), (Vec::new(), true));
}

#[test]
fn an_answer_may_come_while_the_request_is_still_going_out() {
    let mut exchange =
        Exchange::new(&Request::post(url(), vec![b'x'; 1_000]), Form::Origin).unwrap();
    let total = exchange.unsent().len();
    exchange.mark_sent(10);
    assert_eq!(exchange.unsent().len(), total - 10);
    assert!(!exchange.has_begun());
    let answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
    let mut body = Vec::new();
    assert_eq!(exchange.feed(answer, &mut body), Ok(answer.len()));
    assert_eq!(
        (body.as_slice(), exchange.is_done()),
        (b"no".as_slice(), true)
    );
    assert!(exchange.has_begun() && !exchange.can_reuse());
    exchange.mark_sent(total - 10);
    assert!(exchange.unsent().is_empty() && exchange.can_reuse());
}

#[test]
fn a_request_for_close_is_kept() {
    let mut exchange = Exchange::new(
        &Request::get(url()).header("Connection", "close"),
        Form::Origin,
    )
    .unwrap();
    exchange.mark_sent(exchange.unsent().len());
    exchange
        .feed(b"HTTP/1.1 204 No\r\n\r\n", &mut Vec::new())
        .unwrap();
    assert!(exchange.is_done() && !exchange.can_reuse());
}

#[test]
fn a_refused_body_still_shows_the_status() {
    let mut exchange = get();
    let input = b"HTTP/1.1 403 No\r\nContent-Encoding: gzip\r\n\r\n\x1f";
    let error = exchange
        .feed(input, &mut Vec::new())
        .unwrap_err()
        .to_string();
    assert_eq!(error, "content-encoding `gzip` was not asked for");
    assert_eq!(exchange.head().map(|head| head.status), Some(403));
    assert!(!exchange.is_done() && !exchange.can_reuse());
}

#[test]
fn a_switch_that_nobody_asked_for_is_shown() {
    let mut exchange = get();
    let input = b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nxyz";
    let error = exchange.feed(input, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, Error::Unasked { what: "status", .. }));
    assert_eq!(exchange.head().map(|head| head.status), Some(101));
}

#[test]
fn a_damaged_answer_is_read_alike_in_every_cut() {
    let fixtures = [
        "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x\r\nwiki\r\n0\r\nT: u\r\n\r\n",
        "HTTP/1.0 200\r\nConnection: keep-alive\nContent-Length: 2, 2\n\nhi",
    ];
    let pieces = [
        "\r", "\n", "\r\n", "\0", " ", "\t", ":", ",", ";", "0", "5", "f", "+", "-", "",
    ];
    for fixture in fixtures {
        for at in 0..fixture.len() {
            for (skip, piece) in pieces.iter().flat_map(|piece| [(0, piece), (1, piece)]) {
                let damaged = [&fixture[..at], piece, &fixture[at + skip..]].concat();
                let bytes = damaged.as_bytes();
                let whole = read(get(), [bytes].into_iter());
                let halves = read(get(), [&bytes[..at], &bytes[at..]].into_iter());
                let singly = read(get(), bytes.chunks(1));
                for found in [halves, singly] {
                    assert_eq!(
                        found.is_ok(),
                        whole.is_ok(),
                        "{damaged:?}: {found:?}, {whole:?}"
                    );
                    assert!(
                        found.is_err() || found == whole,
                        "{damaged:?}: {found:?}, {whole:?}"
                    );
                }
            }
        }
    }
    fixtures
        .iter()
        .flat_map(|fixture| mutants(fixture.as_bytes()))
        .for_each(|answer| fuzz_exchange(&answer));
}
