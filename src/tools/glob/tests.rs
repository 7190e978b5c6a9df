//! Which names match, and which come first.

use crate::tools::tests::Scratch;
use crate::tools::tests::answer_to;
use crate::tools::tests::call;
use crate::tools::tests::place;
use crate::tools::tests::text_of;
use serde_json::json;
use std::fs::File;
use std::time::Duration;
use std::time::SystemTime;

#[test]
fn patterns_are_those_of_ripgrep() {
    let scratch = Scratch::new();
    for name in [
        "a.rs",
        "b.txt",
        "sub/c.rs",
        "sub/deep/d.rs",
        ".h/e.rs",
        "x\ny.rs",
    ] {
        scratch.write(name, "");
    }
    for (pattern, expected) in [
        (
            "*.rs",
            &["a.rs", "sub/c.rs", "sub/deep/d.rs", "$'x\\ny.rs'"][..],
        ),
        (
            "**/*.rs",
            &["a.rs", "sub/c.rs", "sub/deep/d.rs", "$'x\\ny.rs'"],
        ),
        ("/*.rs", &["a.rs", "$'x\\ny.rs'"]),
        ("sub/*.rs", &["sub/c.rs"]),
        ("./sub/*.rs", &["sub/c.rs"]),
        ("./*.rs", &["a.rs", "$'x\\ny.rs'"]),
        ("sub/**", &["sub/c.rs", "sub/deep/d.rs"]),
        ("{a,b}.*", &["a.rs", "b.txt"]),
        ("[bc].*", &["b.txt", "sub/c.rs"]),
        ("!*.rs", &["b.txt"]),
        (".h/*", &[".h/e.rs"]),
        ("none", &[]),
    ] {
        let arguments = json!({"pattern": pattern}).to_string();
        let answer = answer_to(&call("glob", &arguments), &place(&scratch));
        let text = text_of(&answer);
        let mut found: Vec<&str> = text.lines().collect();
        found.retain(|line| !line.starts_with("no file matches"));
        found.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{pattern}");
    }
}

#[test]
fn what_is_ignored_is_not_found_whatever_the_pattern() {
    let scratch = Scratch::new();
    for (name, text) in [
        (".git/HEAD", ""),
        (".gitignore", "*.log\n/target\n"),
        ("a.log", ""),
        ("b.rs", ""),
        ("target/c.rs", ""),
    ] {
        scratch.write(name, text);
    }
    for pattern in ["*", "**/*", "*.{rs,log}"] {
        let arguments = json!({"pattern": pattern}).to_string();
        let answer = answer_to(&call("glob", &arguments), &place(&scratch));
        assert_eq!(text_of(&answer), "b.rs\n", "{pattern}");
    }
}

#[test]
fn what_was_changed_last_is_first_and_the_rest_is_counted() {
    let scratch = Scratch::new();
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    for number in 0..1_005_u32 {
        let path = scratch.write(&format!("f{number}"), "");
        let file = File::options().write(true).open(path).expect("a file");
        let changed = start + Duration::from_secs(u64::from(number));
        file.set_modified(changed).expect("a time");
    }
    let answer = answer_to(&call("glob", r#"{"pattern":"f*"}"#), &place(&scratch));
    let text = text_of(&answer);
    assert!(text.starts_with("f1004\nf1003\n"), "{text}");
    assert!(text.ends_with("[5 older files match; narrow it by path or pattern]\n"));
    assert!(answer.truncated && answer.summary == "1005 files");
}

#[test]
fn what_cannot_be_searched_is_said() {
    let scratch = Scratch::new();
    scratch.write("file", "");
    for (arguments, expected) in [
        (json!({"pattern": "["}), "unclosed character class"),
        (json!({"pattern": " "}), "a glob is empty"),
        (json!({"pattern": "*", "path": "none"}), "no such file"),
        (json!({"pattern": "*", "path": "file"}), "not a folder"),
    ] {
        let answer = answer_to(&call("glob", &arguments.to_string()), &place(&scratch));
        let text = text_of(&answer);
        assert!(!answer.ok && text.contains(expected), "{arguments}: {text}");
    }
}
