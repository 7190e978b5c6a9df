//! What is found, where, and in what order.

use super::*;
use crate::tools::tests::Scratch;
use crate::tools::tests::answer_to;
use crate::tools::tests::call;
use crate::tools::tests::place;
use crate::tools::tests::text_of;
use serde_json::json;

/// A workplace with a folder of documents and one of man pages.
fn library(scratch: &Scratch) -> Workplace {
    scratch.write(
        "docs/a.md",
        "# Cats\nThey purr.\n\n# Dogs\nThey bark at cats.\n\n# Feeding cats\nTwice a day.\n",
    );
    scratch.write(
        "docs/sub/b.html",
        "<h1>Birds</h1><p>They sing <b>songs</b>.",
    );
    scratch.write("docs/data.bin", "cats\0");
    scratch.write("docs/.hidden/c.md", "# Cats\nhidden\n");
    scratch.write(
        "man/man1/frob.1",
        ".TH FROB 1\n.SH NAME\nfrob \\- frobs\n.SH OPTIONS\n.TP\n\\-x\nloud\n",
    );
    scratch.write("man/man1/alias.1", ".so man1/frob.1\n");
    scratch.write(
        "man/man3/frob.3",
        ".TH FROB 3\n.SH NAME\nfrob \\- a function\n",
    );
    Workplace {
        docs: vec![scratch.path().join("docs")],
        manuals: vec![scratch.path().join("man")],
        ..place(scratch)
    }
}

#[track_caller]
fn asked(query: &str, topic: Option<&str>) -> (bool, String) {
    let scratch = Scratch::new();
    let place = library(&scratch);
    let arguments = json!({"query": query, "topic": topic}).to_string();
    let answer = answer_to(&call("docs", &arguments), &place);
    let here = format!("{}/", scratch.path().display());
    (answer.ok, text_of(&answer).replace(&here, ""))
}

#[test]
fn folders_are_searched_and_the_best_section_is_first() {
    let (ok, text) = asked("feeding cats", None);
    assert!(ok);
    assert!(
        text.starts_with("[docs/a.md:7, Feeding cats]\n# Feeding cats\nTwice a day.\n"),
        "{text}"
    );
    assert!(text.contains("[docs/a.md:1, Cats]\n# Cats\n"), "{text}");
    assert!(
        !text.contains("hidden") && !text.contains("data.bin"),
        "{text}"
    );
    let (_, text) = asked("Songs", None);
    assert!(
        text.contains("docs/sub/b.html:1, Birds]\n# Birds\n\nThey sing songs."),
        "{text}"
    );
}

#[test]
fn a_man_page_is_found_by_name_and_section() {
    let (_, text) = asked("loud", Some("frob"));
    assert_eq!(text, "[frob(1):6, OPTIONS]\n# OPTIONS\n\n-x\nloud\n");
    let (_, text) = asked("function", Some("frob(3)"));
    assert_eq!(text, "[frob(3):3, NAME]\n# NAME\nfrob - a function\n");
    let (_, text) = asked("loud", Some("alias"));
    assert!(text.contains("-x\nloud"), "{text}");
    let (_, text) = asked("nothing-of-it", Some("frob"));
    assert!(
        text.contains("[its sections]\n# NAME\n# OPTIONS\n"),
        "{text}"
    );
    // Also where only its name is among the words.
    let (_, text) = asked("frob loud", None);
    assert!(text.contains("[frob(1):6, OPTIONS]"), "{text}");
}

#[test]
fn our_own_manual_is_there() {
    let (ok, text) = asked("exit code 7 refused", Some("sx exit"));
    assert!(
        ok && text.starts_with("[sx help exit:1, Exit codes]\n# Exit codes"),
        "{text}"
    );
    let (_, text) = asked("DOCS_PATH", None);
    assert!(text.contains("[sx help tools:"), "{text}");
}

#[test]
fn a_command_is_asked_for_its_help() {
    let scratch = Scratch::new();
    let mut place = library(&scratch);
    let run = |topic: &str, place: &Workplace| {
        let arguments = json!({"query": "x", "topic": topic}).to_string();
        crate::tools::start(&call("docs", &arguments), place)
    };
    match run("git remote", &place) {
        Start::Run(command) => assert_eq!(command.script, "git remote --help"),
        other => panic!("{other:?}"),
    }
    for bad in ["./x", "a; rm b", "-x", "a b c d", "$(x)", "../man/x"] {
        match run(bad, &place) {
            Start::Answer(answer) => assert!(!answer.ok, "{bad}"),
            other => panic!("{other:?}"),
        }
    }
    place.tools.retain(|tool| tool != "bash");
    match run("git", &place) {
        Start::Answer(answer) => assert!(text_of(&answer).contains("bash is switched off")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_found_is_said() {
    let (ok, text) = asked("xyzzyplugh", None);
    assert!(
        !ok && text.starts_with("none of xyzzyplugh is in "),
        "{text}"
    );
    let (ok, text) = asked("?", None);
    assert!(!ok && text.contains("no word"), "{text}");
}

#[test]
fn what_is_shown_is_bounded() {
    let scratch = Scratch::new();
    for number in 0..20 {
        let text = format!("# Cats {number}\n{}", "cats and cats\n".repeat(1_000));
        scratch.write(&format!("docs/{number}.md"), text);
    }
    let place = Workplace {
        docs: vec![scratch.path().join("docs")],
        ..place(&scratch)
    };
    let answer = answer_to(&call("docs", r#"{"query":"cats"}"#), &place);
    assert!(
        text_of(&answer).len() < 17 * 1024,
        "{}",
        text_of(&answer).len()
    );
    assert!(text_of(&answer).contains("more bytes in this section]"));
}
