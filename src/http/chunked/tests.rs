//! Chunked bodies, good and bad, in every cut, and beside a decoder too simple to be wrong.

use super::*;
use crate::base::mutants::mutants;
use crate::http::cuts;

/// Decodes `input` cut at every place; each cut must give the same answer.
#[track_caller]
fn decode_cut(input: &[u8]) -> Result<Decoded, Error> {
    let whole = decode([input].into_iter());
    for pieces in cuts(input) {
        let found = decode(pieces.into_iter());
        assert_eq!(found, whole, "{}", input.escape_ascii());
    }
    whole
}

#[track_caller]
fn check(input: &str, expected: &str) {
    let expected = Decoded {
        data: expected.into(),
        trailers: Headers::new(),
        left_over: 0,
    };
    assert_eq!(decode_cut(input.as_bytes()), Ok(expected), "{input:?}");
}

#[track_caller]
fn check_refused(input: &str, expected: &str) {
    let error = decode_cut(input.as_bytes()).expect_err(input).to_string();
    assert!(error.contains(expected), "{input:?}: {error}");
}

#[test]
fn chunks_are_joined() {
    check("0\r\n\r\n", "");
    check("5\r\nhello\r\n0\r\n\r\n", "hello");
    check("A;x=y\r\n0123456789\r\n1\r\n!\r\n0\r\n\r\n", "0123456789!");
    check("a\r\n\r\n0\r\n\r\n!!!\r\n0\r\n\r\n", "\r\n0\r\n\r\n!!!");
}

#[test]
fn sizes_may_have_zeros_blanks_and_extensions() {
    check("0000000000000005\r\nhello\r\n00\r\n\r\n", "hello");
    let zeros = "0".repeat(100);
    check(&format!("{zeros}5\r\nhello\r\n{zeros}\r\n\r\n"), "hello");
    check("5 \t \r\nhello\r\n0 \r\n\r\n", "hello");
    check("5 ; a\r\nhello\r\n0;\r\n\r\n", "hello");
    check("5;a=\"b;\u{fc}\"\t\r\nhello\r\n0;z\r\n\r\n", "hello");
    check("5;\0\u{1b}\r\nhello\r\n0\r\n\r\n", "hello");
}

#[test]
fn a_size_that_readers_could_differ_on_is_refused() {
    for line in [
        "", "+5", "-5", " 5", "0x5", "5x", "5 5", "5,", "5\0", "5\x0b", "5\x0c;", "5;a\rb", "5;\r",
        "g",
    ] {
        check_refused(&format!("{line}\r\nhello\r\n0\r\n\r\n"), "size line");
    }
    check_refused("5\nhello\r\n0\r\n\r\n", "malformed chunk size line `5\\n`");
    check_refused("5;x\nhello\r\n0\r\n\r\n", "size line");
    check_refused(
        "010000000000000005\r\nhello",
        "too many digits in a chunk size",
    );
    check_refused("5\r\nhello\n0\r\n\r\n", "malformed end of a chunk `\\n`");
    check_refused("5\r\nhello!\r\n0\r\n\r\n", "end of a chunk `!`");
    check_refused("5\r\nhello\r0\r\n\r\n", "end of a chunk `0`");
    check_refused(
        "FFFFFFFFFFFFFFFF\r\nhello",
        "18446744073709551610 bytes of a chunk",
    );
}

#[test]
fn a_size_line_has_an_end() {
    let input = ["5;".as_bytes(), &[b'x'; SIZE_LINE_BYTES_MAX]].concat();
    let expected = Error::TooMany {
        what: "bytes in a chunk size line",
        limit: 16_384,
    };
    assert_eq!(
        decode([input.as_slice()].into_iter()),
        Err(expected.clone())
    );
    assert_eq!(decode(input.chunks(1)), Err(expected));
}

#[test]
fn trailers_are_kept_and_what_follows_is_left_over() {
    let mut expected = Headers::new();
    expected.push("X", "1 2");
    let found = decode_cut(b"1\r\n!\r\n0\r\nX: 1\r\n 2\r\n\r\nHTTP");
    let expected = Decoded {
        data: b"!".to_vec(),
        trailers: expected,
        left_over: 4,
    };
    assert_eq!(found, Ok(expected));
    check_refused("0\r\nbad\r\n\r\n", "header line `bad`");
}

#[test]
fn a_body_without_its_last_line_is_truncated() {
    check_refused("", "the last chunk");
    check_refused("5", "the last chunk");
    check_refused("5\r\nhel", "2 bytes of a chunk");
    check_refused("5\r\nhello\r\n", "the last chunk");
    check_refused("5\r\nhello\r\n0", "the last chunk");
    for end in ["", "\r", "X: 1", "X: 1\r\n"] {
        check_refused(&format!("5\r\nhello\r\n0\r\n{end}"), "the empty line");
    }
}

#[test]
fn a_naive_decoder_reads_the_same() {
    // Every text of five of the bytes that matter, in the place of a size line and after data.
    let alphabet = ['1', 'a', '0', ';', ' ', '+', '\r', '\n'];
    for number in 0..alphabet.len().pow(5) {
        let digits = (0..5).map(|place| number / alphabet.len().pow(place) % alphabet.len());
        let middle: String = digits.map(|digit| alphabet[digit]).collect();
        for input in [
            format!("{middle}\r\n0123456789\r\n0\r\n\r\n"),
            format!("2\r\n!!{middle}0\r\n\r\n"),
        ] {
            fuzz_chunked(input.as_bytes());
        }
    }
    // And a body with everything in it, damaged.
    let fixture = b"05 ;a=\"b\"\r\nhello\r\n0;z\r\nX: 1\r\n 2\r\n\r\nHTTP";
    assert_eq!(decode_cut(fixture).unwrap().data, b"hello");
    mutants(fixture).for_each(|input| fuzz_chunked(&input));
}
