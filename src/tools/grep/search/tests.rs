//! What of a file matches, however it is cut into blocks, and that nothing grows with it.

use super::*;
use crate::tools::tests::Scratch;
use crate::tools::tests::place;
use regex::bytes::RegexBuilder;
use std::io::Cursor;

fn searcher(pattern: &str, context: usize) -> Searcher {
    let scratch = Scratch::new();
    let query = Query {
        regex: RegexBuilder::new(pattern).multi_line(true).build().unwrap(),
        first_only: false,
        context,
    };
    Searcher::new(&query, &Stop::new(&place(&scratch)))
}

/// Gives at most so many bytes at once.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(self.0.len()).min(buffer.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

/// A pass over `count` times `unit`, which is never in memory as a whole.
struct Repeated {
    unit: Vec<u8>,
    left: usize,
    at: usize,
}

impl Read for Repeated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let rest = &self.unit[self.at..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        if self.at == self.unit.len() {
            (self.at, self.left) = (0, self.left - 1);
        }
        Ok(count)
    }
}

fn shown(scan: &Scan) -> Vec<String> {
    let lines = scan.lines.iter();
    lines
        .map(|line| {
            let mark = if line.is_match { ':' } else { '-' };
            format!("{}{mark}{}", line.number, line.text)
        })
        .collect()
}

#[track_caller]
fn check(pattern: &str, context: usize, text: &str, expected: &[&str]) {
    for piece in [1, 2, 3, 7, text.len().max(1)] {
        let scan = searcher(pattern, context).search(Slow(text.as_bytes(), piece), 100);
        assert_eq!(shown(&scan), expected, "{pattern} in pieces of {piece}");
        let matches = expected.iter().filter(|line| line.contains(':')).count();
        assert_eq!(scan.matches, matches as u64, "{pattern}");
        assert!(matches!(scan.end, End::Done));
    }
}

#[test]
fn a_line_matches_or_does_not() {
    let text = "one\ntwo\n\nthree\nfour";
    check("o", 0, text, &["1:one", "2:two", "5:four"]);
    check("^t", 0, text, &["2:two", "4:three"]);
    check("e$", 0, text, &["1:one", "4:three"]);
    check("^$", 0, text, &["3:"]);
    check("", 0, "a\n\nb\n", &["1:a", "2:", "3:b"]);
    check("x", 0, text, &[]);
    check("x*$", 0, "a\nb", &["1:a", "2:b"]);
    check("a", 0, "", &[]);
    check("^", 0, "\n\n", &["1:", "2:"]);
    check("r$", 0, "four\r\nfive", &[]);
    check("u", 0, "four\r\nfive", &["1:four"]);
    check("^b", 0, "\u{feff}b\nb", &["1:b", "2:b"]);
}

#[test]
fn a_match_does_not_go_over_the_end_of_a_line() {
    let text = "a b\na\nb\n  a  \nb a b\nc";
    check(r"a\s+b", 0, text, &["1:a b", "5:b a b"]);
    check(r"a\s*$", 0, text, &["2:a", "4:  a  "]);
    check("a[^x]*c", 0, text, &[]);
    check(r"\s", 0, text, &["1:a b", "4:  a  ", "5:b a b"]);
    check(r"a\nb", 0, text, &[]);
    check("(?s)a.b", 0, text, &["1:a b", "5:b a b"]);
}

#[test]
fn context_is_shown_once_and_in_order() {
    let text = "1\n2\n3 x\n4 x\n5\n6\n7\n8\n9 x\n";
    let expected = ["2-2", "3:3 x", "4:4 x", "5-5", "8-8", "9:9 x"];
    check("x", 1, text, &expected);
    let expected = [
        "1-1", "2-2", "3:3 x", "4:4 x", "5-5", "6-6", "7-7", "8-8", "9:9 x",
    ];
    check("x", 2, text, &expected);
    check("x", 9, text, &expected);
    check("1", 1, "1\n2\n3", &["1:1", "2-2"]);
    check("3", 1, "1\n2\n3", &["2-2", "3:3"]);
}

#[test]
fn blocks_and_their_context_fit_together() {
    // Lines of different lengths, over many blocks.
    let line = |number: usize| match number % 1_000 {
        0 => format!("here {number}"),
        _ => format!("{number} {}", "y".repeat(number % 97)),
    };
    let text: Vec<String> = (1..=20_000).map(line).collect();
    let scan = searcher("here", 2).search(Cursor::new(text.join("\n")), 1_000);
    assert_eq!(scan.matches, 20);
    assert_eq!(scan.lines.len(), 98);
    for line in &scan.lines {
        let whole = &text[usize::try_from(line.number).unwrap() - 1];
        assert_eq!(line.text, *whole);
        assert_eq!(line.is_match, whole.starts_with("here"));
    }
}

/// The numbers of the lines that match, one by one.
fn naive(bytes: &[u8], pattern: &str) -> Vec<u64> {
    let regex = RegexBuilder::new(pattern).multi_line(true).build().unwrap();
    let lines = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let lines = (1..).zip(lines.split(|byte| *byte == NEWLINE));
    let lines = lines.filter(|(_, line)| regex.is_match(line));
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
        let scan = searcher(pattern, 0).search(text.as_slice(), usize::MAX);
        let numbers: Vec<u64> = scan.lines.iter().map(|line| line.number).collect();
        let expected = naive(&text, pattern);
        assert_eq!(scan.matches, expected.len() as u64, "{pattern}");
        assert_eq!(numbers, expected, "{pattern}");
    }
}

#[test]
fn only_so_many_lines_are_kept_but_all_are_counted() {
    let unit = b"match\nother\n".to_vec();
    let source = Repeated {
        unit,
        left: 100_000,
        at: 0,
    };
    let scan = searcher("match", 1).search(source, 10);
    assert_eq!((scan.matches, scan.lines.len()), (100_000, 10));
}

#[test]
fn a_line_without_end_takes_no_memory() {
    let filler = |megabytes: usize| Repeated {
        unit: vec![b'y'; 1024 * 1024],
        left: megabytes,
        at: 0,
    };
    let mut searcher = searcher("^y|needle|^z|y$", 0);
    // The whole line is one match; what follows it has its right number.
    let scan = searcher.search(filler(50).chain(&b"y\nz\n"[..]), 10);
    assert_eq!(scan.matches, 2);
    assert_eq!(shown(&scan)[1], "2:z");
    assert!(searcher.buffer.len() <= 4 * LINE_BYTES_MAX);
}

#[test]
fn a_long_line_is_found_wherever_it_matches() {
    let cases: &[(&str, usize, &str, u64)] = &[
        ("needle", 0, "needle", 1),
        ("needle", 3_000_000, "needle", 1),
        // Over the end of a piece.
        ("needle", LINE_BYTES_MAX - 3, "needle", 1),
        ("needle", 2 * LINE_BYTES_MAX - 3, "needle", 1),
        // Not the start or the end of a line.
        ("^needle", 3_000_000, "needle", 0),
        ("^y", 3_000_000, "needle", 1),
        ("le$", 3_000_000, "needle", 1),
        ("needle$", LINE_BYTES_MAX - 6, "needley", 0),
        ("y+x", 3_000_000, "needle", 0),
        ("x$", 3_000_000, "needle", 0),
    ];
    for (pattern, before, needle, matches) in cases {
        let mut line = "a\n".to_owned();
        line.push_str(&"y".repeat(*before));
        line.push_str(needle);
        line.push_str(&format!("{}le\nlast", "y".repeat(40_000)));
        let scan = searcher(pattern, 1).search(Cursor::new(&line), 10);
        assert_eq!(scan.matches, *matches, "{pattern} behind {before}");
        let Some(shown) = scan.lines.iter().find(|line| line.is_match) else {
            continue;
        };
        assert_eq!(shown.number, 2);
        assert!(shown.text.len() < SHOWN_BYTES_MAX + 20, "{}", shown.text);
        if pattern.contains("needle") {
            assert!(shown.text.contains(needle), "{}", shown.text);
        }
        assert_eq!(scan.lines.last().unwrap().text, "last");
    }
}

#[test]
fn what_is_no_text_is_named() {
    let end = |bytes: &[u8]| searcher("a", 0).search(bytes, 10).end;
    assert!(matches!(end(b"a\0"), End::Binary));
    assert!(matches!(end(b"\xff\xfea\0"), End::Utf16));
    assert!(matches!(end(b"\xfe\xff\0a"), End::Utf16));
    let scan = searcher("a", 0).search(&b"\xff a \xfe\n"[..], 10);
    assert_eq!(shown(&scan), ["1:\u{fffd} a \u{fffd}"]);
}

#[test]
fn a_search_can_be_stopped_between_two_blocks() {
    let scratch = Scratch::new();
    let place = place(&scratch);
    let query = searcher("x", 0).query;
    let mut searcher = Searcher::new(&query, &Stop::new(&place));
    place.cancel.raise();
    let scan = searcher.search(&b"x\n"[..], 10);
    assert!(matches!(scan.end, End::Stopped));
}
