//! What is replaced, what is not, and what the rest of the file keeps.

use super::*;
use crate::tools::tests::Scratch;
use crate::tools::tests::answer_to;
use crate::tools::tests::call;
use crate::tools::tests::place;
use crate::tools::tests::text_of;

fn edit(old: &str, new: &str) -> Edit {
    Edit {
        old: old.into(),
        new: new.into(),
        is_for_all: false,
    }
}

fn edit_of_all(old: &str, new: &str) -> Edit {
    Edit {
        is_for_all: true,
        ..edit(old, new)
    }
}

#[track_caller]
fn check(file: impl AsRef<[u8]>, edits: &[Edit], result: impl AsRef<[u8]>) {
    let got = edit_all(file.as_ref(), edits).unwrap();
    let spoken = String::from_utf8_lossy(&got);
    assert_eq!(got, result.as_ref(), "{edits:?} gave {spoken:?}");
}

#[track_caller]
fn refuses(file: &str, edits: &[Edit], index: usize, words: &str) {
    let (at, error) = edit_all(file.as_bytes(), edits).unwrap_err();
    assert_eq!((at, error.to_string().as_str()), (index, words));
}

#[test]
fn exact_text_is_replaced_in_order() {
    check("a b c", &[edit("b", "x")], "a x c");
    check("a b c", &[edit("b", "xy"), edit("y c", "z")], "a xz");
    check("aaaa", &[edit_of_all("aa", "b")], "bb");
    check("a\nb\n", &[edit("a\nb", "c")], "c\n");
}

#[test]
fn crlf_is_matched_and_kept() {
    check(
        "a\r\nb\r\nc\r\n",
        &[edit("a\nb\n", "x\ny\n")],
        "x\r\ny\r\nc\r\n",
    );
    check("a\r\nb\r\n", &[edit("b", "x\ny")], "a\r\nx\r\ny\r\n");
    check("a\r\nb\r\n", &[edit("\nb", "\nx")], "a\r\nx\r\n");
    check("a\r\nb\r\n", &[edit("a\n", "")], "b\r\n");
    check("a\r\nb\nc\n", &[edit("b\nc", "x\ny")], "a\r\nx\ny\n");
    check("a\r\nb\r\n", &[edit("a\r\n", "x\n")], "x\nb\r\n");
    check("a\r\nb\nb", &[edit_of_all("b", "c\n")], "a\r\nc\r\n\nc\r\n");
}

#[test]
fn other_bytes_stay() {
    check(
        b"caf\xe9 a\n",
        &[edit("a\n", "\u{e9}\n")],
        b"caf\xe9 \xc3\xa9\n".as_slice(),
    );
}

#[test]
fn what_overlaps_itself_is_not_there_once() {
    let words = |line| {
        format!(
            "its old is there more than once, and overlaps itself (line {line}); give more lines \
             around it"
        )
    };
    refuses("x\n}\n}\n}\n", &[edit("}\n}\n", "y")], 0, &words(3));
    refuses("}\r\n}\r\n}\r\n", &[edit("}\n}\n", "y")], 0, &words(2));
    refuses("\r\n\r\n\r\n", &[edit("\n\n", "y")], 0, &words(2));
    refuses(
        "\u{e9}\u{e9}\u{e9}",
        &[edit("\u{e9}\u{e9}", "y")],
        0,
        &words(1),
    );
    check("}\n}\nx", &[edit("}\n}\n", "y\n")], "y\nx");
    check("a\r\nfoo\r\nb", &[edit("\nfoo", "\nbar")], "a\r\nbar\r\nb");
    check("}\n}\n}\n", &[edit_of_all("}\n}\n", "y\n")], "y\n}\n");
}

#[test]
fn what_is_not_there_once_is_refused() {
    refuses(
        "a\nb\na\n",
        &[edit("a", "x")],
        0,
        "its old is there 2 times (lines 1, 3); give more \
             lines around it, or all",
    );
    refuses(
        "a",
        &[edit("a", "b"), edit("a", "c")],
        1,
        "its old is not there",
    );
    refuses(
        "a",
        &[edit("", "b")],
        0,
        "its old is empty; use write for a new file",
    );
    refuses("a", &[edit("a", "a")], 0, "its old and new are the same");
    refuses(
        "fn a() {\n        let end = s.len();\n}\n",
        &[edit("          let end = s.len();\n}", "")],
        0,
        "its old is not there; the closest lines are:\n2\t        let end = s.len();\n3\t}\n\
         [line 2 begins with 8 spaces there, 10 spaces in old]",
    );
    refuses(
        "one\nlet end = s.len();\n",
        &[edit("let end = t.len();", "")],
        0,
        "its old is not there; the closest lines are:\n2\tlet end = s.len();",
    );
}

/// What an edit comes to where a file is a list of letters and line ends; `None` if it is refused.
fn modelled(file: &[&str], edit: &Edit, old: &[&str]) -> Option<String> {
    let is_end = |token: &&&str| token.ends_with('\n');
    let fits = |start: &usize| {
        let mut pairs = file[*start..].iter().zip(old);
        pairs.all(|(there, wanted)| there == wanted || *wanted == "\n" && *there == "\r\n")
    };
    let starts: Vec<usize> = (0..=file.len().checked_sub(old.len())?)
        .filter(fits)
        .collect();
    if starts.is_empty() || starts.len() > 1 && !edit.is_for_all || edit.old == edit.new {
        return None;
    }
    let mut result = String::new();
    let mut next = 0;
    for start in starts {
        if start < next {
            continue;
        }
        result += &file[next..start].concat();
        next = start + old.len();
        let end = file[start..next].iter().find(is_end);
        match end.or(file.iter().find(is_end)) {
            Some(&"\r\n") => result += &edit.new.replace('\n', "\r\n"),
            _ => result += &edit.new,
        }
    }
    Some(result + &file[next..].concat())
}

#[test]
fn any_edit_does_what_it_does_to_a_plain_model_of_the_file() {
    let mut state = 7_u32;
    // A linear congruential generator (Numerical Recipes §7.1): the same tests on every run.
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize % below
    };
    let mut made = 0;
    for _ in 0..20_000 {
        let mut some = |tokens: &[&'static str], least: usize, most: usize| -> Vec<&str> {
            let count = least + random(most - least + 1);
            (0..count).map(|_| tokens[random(tokens.len())]).collect()
        };
        let file = some(&["a", "b", "\u{e9}", "\n", "\r\n"], 0, 9);
        let old = some(&["a", "b", "\n"], 1, 3);
        let new = some(&["b", "c", "\n"], 0, 3);
        let edit = Edit {
            is_for_all: random(3) == 0,
            ..edit(&old.concat(), &new.concat())
        };
        let got = edit_all(file.concat().as_bytes(), std::slice::from_ref(&edit));
        let expected = modelled(&file, &edit, &old).map(String::into_bytes);
        assert_eq!(got.ok(), expected, "{file:?} {edit:?}");
        made += usize::from(expected.is_some());
    }
    assert!(made > 3_000, "{made}");
}

#[test]
fn a_difference_that_does_not_meet_the_eye_is_named() {
    let cases = [
        (
            "\tif x:\n",
            "    if x:\n",
            "line 1 begins with 1 tab there, 4 spaces in old",
        ),
        (
            "b\na \t\nc\n",
            "a\nc",
            "line 2 ends with 1 tab and 1 space there, nothing in old",
        ),
        (
            "a\nc\n",
            "a  \nc",
            "line 1 ends with nothing there, 2 spaces in old",
        ),
        (
            "a\u{a0}\n",
            "a\n",
            "line 1 ends with U+00A0 there, nothing in old",
        ),
        (
            "f(a,  b)\n",
            "f(a, b)",
            "line 1 has other white space than old",
        ),
        (
            "say \u{201c}hello\u{201d}\n",
            "say \"hello\"",
            "line 1 has \u{201c} (U+201C) where old has \" (U+0022)",
        ),
        (
            "let end = 1;\n",
            "1\tlet end = 1;\n",
            "old begins with a line number, which is not part of the file",
        ),
        (
            "a\nb\n",
            "a\r\nb\r\n",
            "old has carriage returns that are not there; without any it fits all line ends",
        ),
        (
            "a\nb",
            "a\nb\n",
            "the last line of the file has no line end",
        ),
    ];
    for (file, old, hint) in cases {
        let (_, error) = edit_all(file.as_bytes(), &[edit(old, "")]).unwrap_err();
        let words = error.to_string();
        assert!(words.ends_with(&format!("\n[{hint}]")), "{old:?}: {words}");
    }
    // What differs in letters is seen; of equals the first is shown.
    let twice = "let a = 1;\n\nlet a = 1;\n";
    refuses(
        twice,
        &[edit("let b = 1;", "")],
        0,
        "its old is not there; the closest lines are:\n1\tlet a = 1;",
    );
}

#[test]
fn a_call_edits_all_or_nothing() {
    let scratch = Scratch::new();
    scratch.write("f", "a\nb\n");
    let edit = |edits: &str| {
        let arguments = format!("{{\"path\":\"f\",\"edits\":[{edits}]}}");
        answer_to(&call("edit", &arguments), &place(&scratch))
    };
    let refused = edit(r#"{"old":"a","new":"x"},{"old":"zzz","new":"y"}"#);
    assert_eq!(
        text_of(&refused),
        "f: edit 2 of 2 cannot be made, so none was: its old is not there"
    );
    assert_eq!(scratch.read("f"), b"a\nb\n");
    let done = edit(r#"{"old":"a","new":"x"}"#);
    assert_eq!(text_of(&done), "edited f: +1 -1");
    assert_eq!(
        (done.summary, done.detail),
        ("+1 -1".into(), "1 - a\n1 + x".into())
    );
    assert_eq!(scratch.read("f"), b"x\nb\n");
    assert_eq!(scratch.names(), ["f"]);
}

#[test]
fn utf_16_is_changed_and_kept_by_every_tool() {
    let scratch = Scratch::new();
    let path = scratch.path().to_owned();
    let utf16 = |text: &str| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_be_bytes).collect()
    };
    scratch.write("f", utf16("one\r\ntwo\r\n"));
    let ask = |name: &str, arguments: serde_json::Value| {
        let answer = answer_to(&call(name, &arguments.to_string()), &place(&scratch));
        assert!(answer.ok, "{answer:?}");
        answer
    };
    let edits = serde_json::json!([{"old": "one\n", "new": "\u{20ac}\n"}]);
    let edited = ask("edit", serde_json::json!({"path": "f", "edits": edits}));
    assert_eq!(edited.detail, "1 - one\n1 + \u{20ac}");
    assert_eq!(scratch.read("f"), utf16("\u{20ac}\r\ntwo\r\n"));
    let patch = "*** Begin Patch\n*** Update File: f\n*** Move to: g\n-two\n+2\n*** End Patch";
    ask("apply_patch", serde_json::json!({"patch": patch}));
    assert_eq!(scratch.read("g"), utf16("\u{20ac}\r\n2\r\n"));
    let written = ask(
        "write",
        serde_json::json!({"path": "g", "content": "new\n"}),
    );
    let told = "replaced g: 1 line, kept its UTF-16, kept its CRLF line ends";
    assert_eq!(text_of(&written), told);
    assert_eq!(scratch.read("g"), utf16("new\r\n"));
    // What only looks like it is left alone by what changes a part, and replaced by what does not.
    std::fs::write(path.join("g"), b"\xfe\xffa").unwrap();
    let arguments = r#"{"path":"g","edits":[{"old":"a","new":"b"}]}"#;
    let refused = answer_to(&call("edit", arguments), &place(&scratch));
    assert!(text_of(&refused).starts_with("g begins with the mark of UTF-16 but is none"));
    ask(
        "write",
        serde_json::json!({"path": "g", "content": "new\n"}),
    );
    assert_eq!(scratch.read("g"), b"new\n");
}

#[test]
fn a_write_says_what_it_made_and_kept() {
    let scratch = Scratch::new();
    let write = |content: &str| {
        let arguments = serde_json::json!({"path": "d/f", "content": content});
        answer_to(&call("write", &arguments.to_string()), &place(&scratch))
    };
    assert_eq!(text_of(&write("a\r\nb\r\n")), "created d/f: 2 lines");
    let replaced = write("a\nc\n");
    assert_eq!(
        text_of(&replaced),
        "replaced d/f: 2 lines, kept its CRLF line ends"
    );
    assert_eq!(replaced.detail, "2 - b\n2 + c");
    assert_eq!(scratch.read("d/f"), b"a\r\nc\r\n");
}
