//! What is found, in which shape, and what is said of the rest.

use super::*;
use crate::tools::tests::Scratch;
use crate::tools::tests::answer_to;
use crate::tools::tests::call;
use crate::tools::tests::place;
use crate::tools::tests::text_of;
use serde_json::Value;
use serde_json::json;

fn tree() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("a.rs", "fn one() {}\nlet x = 1;\nfn two() {}\n");
    scratch.write("sub/b.py", "def one():\n    pass\n");
    scratch.write("sub/c.txt", "One\r\nzwei\r\n");
    scratch
}

fn grep(scratch: &Scratch, arguments: &Value) -> (bool, String) {
    let answer = answer_to(&call("grep", &arguments.to_string()), &place(scratch));
    (answer.ok, text_of(&answer).to_string())
}

#[track_caller]
fn check(scratch: &Scratch, arguments: &Value, expected: &str) {
    assert_eq!(
        grep(scratch, arguments),
        (true, expected.into()),
        "{arguments}"
    );
}

#[test]
fn lines_names_and_counts_are_shown() {
    let scratch = tree();
    let lines = "a.rs:1:fn one() {}\nsub/b.py:1:def one():\n";
    check(&scratch, &json!({"pattern": "one"}), lines);
    let ignoring = format!("{lines}sub/c.txt:1:One\n");
    check(
        &scratch,
        &json!({"pattern": "one", "ignore_case": true}),
        &ignoring,
    );
    check(&scratch, &json!({"pattern": "(?i)one"}), &ignoring);
    check(
        &scratch,
        &json!({"pattern": "fn", "mode": "files"}),
        "a.rs\n",
    );
    check(
        &scratch,
        &json!({"pattern": "fn", "mode": "count"}),
        "a.rs:2\n",
    );
    check(&scratch, &json!({"pattern": "zwei"}), "sub/c.txt:2:zwei\n");
    check(
        &scratch,
        &json!({"pattern": "^fn \\w+\\(", "path": "a.rs"}),
        "a.rs:1:fn one() {}\na.rs:3:fn two() {}\n",
    );
    check(
        &scratch,
        &json!({"pattern": "x", "context": 1}),
        "a.rs-1-fn one() {}\na.rs:2:let x = 1;\na.rs-3-fn two() {}\n",
    );
    check(
        &scratch,
        &json!({"pattern": "one", "glob": ["*.py"]}),
        "sub/b.py:1:def one():\n",
    );
    check(
        &scratch,
        &json!({"pattern": "one", "glob": "!sub/"}),
        "a.rs:1:fn one() {}\n",
    );
    check(
        &scratch,
        &json!({"pattern": "one", "type": "rust"}),
        "a.rs:1:fn one() {}\n",
    );
    check(
        &scratch,
        &json!({"pattern": "none"}),
        "no line matches in 3 files\n",
    );
}

#[test]
fn what_is_wrong_with_a_call_is_said() {
    let scratch = tree();
    for (arguments, expected) in [
        (json!({"pattern": "("}), "unclosed group"),
        (
            json!({"pattern": "a", "mode": "all"}),
            "content, files or count",
        ),
        (
            json!({"pattern": "a", "type": "rst1"}),
            "there is no type rst1",
        ),
        (
            json!({"pattern": "a", "glob": ["["]}),
            "unclosed character class",
        ),
        (json!({"pattern": "a", "path": "none"}), "no such file"),
        (json!({"pattern": "a{1000}{1000}{1000}"}), "size"),
    ] {
        let (ok, text) = grep(&scratch, &arguments);
        assert!(!ok && text.contains(expected), "{arguments}: {text}");
    }
    let (ok, text) = grep(&scratch, &json!({"pattern": "a\\nb"}));
    assert!(
        ok && text.contains("lines are matched one by one"),
        "{text}"
    );
}

#[test]
fn binary_and_utf_16_files_are_named_and_odd_bytes_are_searched() {
    let scratch = Scratch::new();
    scratch.write("bin", b"needle\0");
    scratch.write("latin", b"gr\xfcn needle\n");
    scratch.write("wide", b"\xff\xfen\0e\0");
    let (_, text) = grep(&scratch, &json!({"pattern": "needle"}));
    let expected = "latin:1:gr\u{fffd}n needle\n[not searched: 1 binary file]\n\
        [not searched, since it is UTF-16: wide; use bash: iconv -f UTF-16 -t UTF-8]\n";
    assert_eq!(text, expected);
    let (ok, text) = grep(&scratch, &json!({"pattern": "needle", "path": "bin"}));
    assert!(!ok && text.contains("is binary"), "{text}");
}

#[test]
fn an_answer_has_an_end_and_says_what_is_more() {
    let scratch = Scratch::new();
    scratch.write("a", "x\n".repeat(600));
    scratch.write("b", "x\n".repeat(20));
    let (_, text) = grep(&scratch, &json!({"pattern": "x"}));
    assert_eq!(
        text.lines().filter(|line| line.ends_with(":x")).count(),
        LINES_MAX
    );
    assert!(
        text.contains("[120 more lines match, in 2 files altogether;"),
        "{text}"
    );
}
