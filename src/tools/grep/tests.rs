//! What is found, in which shape, and what is said of the rest.

use super::*;
use crate::tools::tests::Scratch;
use crate::tools::tests::answer_to;
use crate::tools::tests::call;
use crate::tools::tests::place;
use crate::tools::tests::text_of;
use serde_json::Value;
use serde_json::json;
use std::ffi::OsStr;
use std::fs;
use std::iter;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::Command;

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
        (
            json!({"pattern": "(".repeat(10_000)}),
            "error: unclosed group",
        ),
        (
            json!({"pattern": "a", "glob": "a".repeat(10_000)}),
            "a glob has 10000 bytes",
        ),
    ] {
        let (ok, text) = grep(&scratch, &arguments);
        assert!(!ok && text.contains(expected), "{arguments}: {text}");
        assert!(text.len() < 1_000, "{text}");
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

#[test]
fn an_ignore_file_that_is_none_holds_nothing_up() {
    let scratch = tree();
    let fifo = scratch.path().join("sub/.gitignore");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    symlink("/dev/zero", scratch.path().join("sub/.ignore")).unwrap();
    let answer = answer_to(
        &call("grep", r#"{"pattern":"one","mode":"files"}"#),
        &place(&scratch),
    );
    let text = text_of(&answer);
    assert!(
        text.starts_with("a.rs\n[left out: sub/.ignore: no regular file"),
        "{text}"
    );
    let answer = answer_to(
        &call("grep", r#"{"pattern":"one","path":"sub"}"#),
        &place(&scratch),
    );
    assert!(text_of(&answer).contains("sub/.ignore is no regular file"));
}

#[test]
fn a_name_is_harmless_and_can_be_given_back() {
    let scratch = Scratch::new();
    let name = b"b\x1b[2J\n\xff";
    fs::write(scratch.path().join(OsStr::from_bytes(name)), "one\n").unwrap();
    let place = place(&scratch);
    let answer = answer_to(&call("grep", r#"{"pattern":"one","mode":"files"}"#), &place);
    assert_eq!(text_of(&answer), "$'b\\x1b[2J\\n\\xff'\n");
    let path = text_of(&answer).trim_end().replace('\\', "\\\\");
    let arguments = format!("{{\"pattern\":\"one\",\"path\":\"{path}\",\"mode\":\"count\"}}");
    let again = answer_to(&call("grep", &arguments), &place);
    assert_eq!(text_of(&again), "$'b\\x1b[2J\\n\\xff':1\n");
    let read = answer_to(&call("read", &format!("{{\"path\":\"{path}\"}}")), &place);
    assert!(read.ok);
}

#[test]
fn a_folder_that_cannot_be_read_is_named() {
    // Root reads everything; a folder whose path is too long nobody does.
    let scratch = Scratch::new();
    let deep: PathBuf = iter::repeat_n("d".repeat(200), 15).collect();
    for top in ["a", "b"] {
        fs::create_dir_all(scratch.path().join(top).join(&deep)).unwrap();
    }
    let inner = scratch.path().join("a").join(deep).join("b");
    fs::rename(scratch.path().join("b"), inner).unwrap();
    let answer = answer_to(&call("grep", r#"{"pattern":"one"}"#), &place(&scratch));
    let text = text_of(&answer);
    assert!(
        text.contains("[left out: a/ddd") && text.len() < 1_000,
        "{text}"
    );
}

#[test]
fn a_cancelled_search_ends() {
    let scratch = tree();
    let place = place(&scratch);
    place.cancel.raise();
    let answer = answer_to(&call("grep", r#"{"pattern":"one"}"#), &place);
    assert!(text_of(&answer).contains("there may be more"));
    assert!(answer.truncated);
}

#[test]
fn an_answer_is_no_longer_than_any_other() {
    let scratch = Scratch::new();
    for number in 0..120 {
        scratch.write(&format!("f{number:03}"), "match\n".repeat(10));
    }
    let mut place = place(&scratch);
    place.limits.head_bytes = 50;
    place.limits.tail_bytes = 0;
    for mode in ["content", "files", "count"] {
        let arguments = json!({"pattern": "match", "mode": mode}).to_string();
        let answer = answer_to(&call("grep", &arguments), &place);
        let text = text_of(&answer);
        assert!(text.len() < 180 && text.contains(" more "), "{text}");
        assert!(answer.truncated);
    }
}
