//! Chunked bodies, good and bad, in every cut, and beside a decoder too simple to be wrong.

use super::*;
use crate::http::cuts;

/// What a body came to: its bytes and trailers and how many bytes were left over.
type Decoded = Result<(Vec<u8>, Headers, usize), Error>;

/// Decodes `input`, then lets the peer close.
fn decode(pieces: &[&[u8]]) -> Decoded {
    let mut chunked = Chunked::default();
    let mut out = Vec::new();
    let mut left_over = 0;
    for piece in pieces {
        let mut piece = *piece;
        chunked.feed(&mut piece, &mut out)?;
        left_over += piece.len();
    }
    chunked.finish()?;
    Ok((out, chunked.take_trailers(), left_over))
}

/// Decodes `input` cut at every place; each cut must give the same answer.
#[track_caller]
fn decode_cut(input: &[u8]) -> Decoded {
    let whole = decode(&[input]);
    for pieces in cuts(input) {
        assert_eq!(decode(&pieces), whole, "{}", input.escape_ascii());
    }
    whole
}

#[track_caller]
fn check(input: &str, expected: &str) {
    let (out, trailers, left_over) = decode_cut(input.as_bytes()).expect(input);
    assert_eq!(String::from_utf8_lossy(&out), expected, "{input:?}");
    assert_eq!((trailers, left_over), (Headers::new(), 0), "{input:?}");
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
    assert_eq!(decode(&[&input]), Err(expected.clone()));
    assert_eq!(decode(&input.chunks(1).collect::<Vec<_>>()), Err(expected));
}

#[test]
fn trailers_are_kept_and_what_follows_is_left_over() {
    let mut expected = Headers::new();
    expected.push("X", "1 2");
    let found = decode_cut(b"1\r\n!\r\n0\r\nX: 1\r\n 2\r\n\r\nHTTP");
    assert_eq!(found, Ok((b"!".to_vec(), expected, 4)));
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
    /// The grammar with nothing cut: what the chunks hold, and what follows the last one's line.
    fn naive(mut input: &str) -> Option<(String, &str)> {
        let mut out = String::new();
        loop {
            let (line, rest) = input.split_once("\r\n")?;
            let digits = line.split(';').next()?.trim_end_matches([' ', '\t']);
            if digits.starts_with('+') || line.contains(['\r', '\n']) {
                return None;
            }
            let size = usize::from_str_radix(digits, 16).ok()?;
            if size == 0 {
                return Some((out, rest));
            }
            out.push_str(rest.get(..size)?);
            input = rest.get(size..)?.strip_prefix("\r\n")?;
        }
    }

    // Every text of five of the bytes that matter, in the place of a size line and after data.
    let alphabet = ['1', 'a', '0', ';', ' ', '+', '\r', '\n'];
    for number in 0..alphabet.len().pow(5) {
        let digits = (0..5).map(|place| number / alphabet.len().pow(place) % alphabet.len());
        let middle: String = digits.map(|digit| alphabet[digit]).collect();
        for input in [
            format!("{middle}\r\n0123456789\r\n0\r\n\r\n"),
            format!("2\r\n!!{middle}0\r\n\r\n"),
        ] {
            let expected = naive(&input).filter(|(_, trailers)| {
                let mut trailers = trailers.as_bytes();
                Fields::default().feed(&mut trailers).is_ok()
            });
            let expected = expected.map(|(out, _)| out.into_bytes());
            let found = decode(&[input.as_bytes()]).ok().map(|(out, _, _)| out);
            assert_eq!(found, expected, "{input:?}");
        }
    }
}
