//! Files of every size and shape against a search that has all of it at once.

use super::*;
use crate::base::cancel::Cancel;
use crate::tools::tests::Scratch;
use crate::tools::tests::place;
use regex::bytes::RegexBuilder;

fn query(pattern: &str) -> Query {
    Query {
        regex: RegexBuilder::new(pattern)
            .multi_line(true)
            .build()
            .expect("a pattern"),
        first_only: false,
        context: 0,
    }
}

fn found(bytes: &[u8], pattern: &str, cancel: Cancel) -> Scan {
    let scratch = Scratch::new();
    let mut place = place(&scratch);
    place.cancel = cancel;
    let stop = Stop::new(&place);
    Searcher::new(&query(pattern), &stop).search(bytes, usize::MAX)
}

/// The numbers of the lines that match, one by one.
fn naive(bytes: &[u8], pattern: &str) -> Vec<u64> {
    let regex = query(pattern).regex;
    let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let lines = (1..).zip(lines.split(|byte| *byte == NEWLINE));
    let lines = lines.filter(|(_, line)| regex.is_match(line.strip_suffix(b"\r").unwrap_or(line)));
    lines.map(|(number, _)| number).collect()
}

#[test]
fn blocks_make_no_difference() {
    let mut text = Vec::new();
    for number in 0..40_000 {
        let line = match number % 97 {
            0 => format!("needle {number}"),
            5 => String::new(),
            9 => "x".repeat(300),
            _ => format!("line {number}"),
        };
        text.extend(line.into_bytes());
        text.push(NEWLINE);
    }
    for pattern in ["needle", "^$", "7$", "e \\d*3\\b", "\\bneedle\\s"] {
        let scan = found(&text, pattern, Cancel::default());
        let numbers: Vec<u64> = scan.lines.iter().map(|line| line.number).collect();
        let expected = naive(&text, pattern);
        assert_eq!(scan.matches, expected.len() as u64, "{pattern}");
        assert!(expected.starts_with(&numbers), "{pattern}");
    }
}

#[test]
fn a_line_without_end_is_searched_in_pieces() {
    let mut text = vec![b'a'; 5 * LINE_BYTES_MAX];
    let at = 3 * LINE_BYTES_MAX - 3;
    text[at..at + 6].copy_from_slice(b"needle");
    text.extend(b"\nneedle\n");
    let scan = found(&text, "needle", Cancel::default());
    assert_eq!(scan.matches, 2);
    assert!(
        scan.lines
            .iter()
            .all(|line| line.text.len() < 2 * SHOWN_BYTES_MAX)
    );
}

#[test]
fn a_cancelled_search_ends_at_once() {
    let cancel = Cancel::default();
    cancel.raise();
    let scan = found(&vec![b'\n'; 1 << 20], "x", cancel);
    assert!(matches!(scan.end, End::Stopped), "{:?}", scan.end);
}
