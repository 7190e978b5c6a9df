//! Conversations taken apart, and what must survive.

use super::*;
use crate::chat::CallKind;
use crate::chat::Image;

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        kind: CallKind::Function,
        opaque: None,
    }
}

fn said(text: &str) -> Message {
    Message::Assistant(vec![Block::Text {
        text: text.into(),
        opaque: None,
    }])
}

fn called(call: &ToolCall) -> Message {
    Message::Assistant(vec![Block::Call(call.clone())])
}

fn answered(call: &ToolCall, ok: bool, text: &str) -> Message {
    Message::Results(vec![ToolResult::text(call, ok, text)])
}

fn note(text: &str) -> Message {
    Message::Context(text.into())
}

/// A task with a rule, a patch that worked, one that did not, and a file that was read last.
fn conversation() -> Vec<Message> {
    let patched = call(
        "1",
        "apply_patch",
        r#"{"input":"*** Begin Patch\n*** Update File: src/a.rs\n-a\n+b\n*** End Patch"}"#,
    );
    let failed = call("2", "write", r#"{"path":"/etc/no","content":"x"}"#);
    let read = call("3", "read", r#"{"path":"src/b.rs"}"#);
    vec![
        note("<environment>\ndate: 1\n</environment>"),
        note("<instructions file=\"AGENTS.md\">\nnever use tabs\n</instructions>"),
        Message::user("make b of a"),
        called(&patched),
        answered(&patched, true, "+1 -1"),
        note("<environment>\ndate: 2\n</environment>"),
        called(&failed),
        answered(&failed, false, "permission denied"),
        called(&read),
        answered(&read, true, &"line\n".repeat(2_000)),
    ]
}

#[test]
fn the_present_begins_with_what_waits_for_an_answer() {
    #[track_caller]
    fn check(history: &[Message], present: usize) {
        let split = split(history);
        assert_eq!(split.present.len(), present, "{history:#?}");
        assert_eq!(split.past.len(), history.len() - present);
    }
    let one = call("1", "read", "{}");
    check(&[], 0);
    check(&[note("n"), Message::user("a")], 2);
    check(&[Message::user("a"), said("b")], 0);
    check(&[Message::user("a"), said("b"), Message::user("c")], 1);
    check(
        &[Message::user("a"), called(&one), answered(&one, true, "r")],
        2,
    );
    let steered = [
        Message::user("a"),
        called(&one),
        answered(&one, true, "r"),
        Message::user("no"),
    ];
    check(&steered, 3);
}

#[test]
fn rules_wishes_files_and_the_newest_call_stay() {
    let history = conversation();
    let shortened = shortened(split(&history), Some("done: a\n"), 100_000);
    assert_eq!(
        shortened[..3],
        [
            history[1].clone(),
            note("<environment>\ndate: 2\n</environment>"),
            Message::user("make b of a")
        ]
    );
    let Message::Context(summary) = &shortened[3] else {
        panic!("{shortened:#?}");
    };
    assert!(summary.starts_with("<summary>\n"), "{summary}");
    assert!(summary.contains("\ndone: a\n"), "{summary}");
    assert!(
        summary.contains("Files changed so far: src/a.rs\n"),
        "{summary}"
    );
    assert_eq!(shortened[4..], history[8..]);
}

#[test]
fn a_second_summary_takes_the_place_of_the_first() {
    let history = conversation();
    let mut history = shortened(split(&history), Some("first"), 100_000);
    history.push(said("done"));
    let record = record(split(&history).past, 100_000);
    assert!(record.contains("[earlier note]\n<summary>"), "{record}");
    let again = shortened(split(&history), Some("second"), 100_000);
    let summaries: Vec<&Message> = again
        .iter()
        .filter(|message| matches!(message, Message::Context(note) if is_summary(note)))
        .collect();
    let [Message::Context(summary)] = summaries[..] else {
        panic!("{summaries:#?}");
    };
    assert!(summary.contains("second"), "{summary}");
    assert!(
        summary.contains("Files changed so far: src/a.rs\n"),
        "{summary}"
    );
}

#[test]
fn results_are_cut_to_their_share_and_calls_stay_paired() {
    let history = conversation();
    let shortened = shortened(split(&history), Some("s"), 4_000);
    let [.., Message::Assistant(_), Message::Results(results)] = &shortened[..] else {
        panic!("{shortened:#?}");
    };
    assert_eq!(results[0].call_id, "3");
    let [Part::Text(text)] = &results[0].parts[..] else {
        panic!("{results:#?}");
    };
    assert!(text.len() < 1_100, "{}", text.len());
    assert!(text.contains("[9000 bytes left out]"), "{text}");
}

#[test]
fn pictures_of_the_past_become_words() {
    let image = Part::Image(Image {
        media_type: "image/png".into(),
        base64: "AA==".into(),
    });
    let history = [
        Message::User(vec![image, Part::Text("what is it?".into())]),
        said("a cat"),
    ];
    let shortened = shortened(split(&history), Some("s"), 10_000);
    assert_eq!(shortened[0], Message::user("[a picture]\nwhat is it?"));
}

#[test]
fn a_record_has_room_whatever_the_past_is() {
    let history = conversation();
    let past = split(&history).past;
    let whole = record(past, 100_000);
    for words in [
        "[user]\nmake b of a\n",
        "[call of apply_patch]\n",
        "[result]\n+1 -1\n",
        "[failure]\npermission denied\n",
    ] {
        assert!(whole.contains(words), "{whole}");
    }
    assert!(
        !whole.contains("never use tabs"),
        "kept word for word elsewhere"
    );
    for bytes_max in 0..whole.len() {
        let record = record(past, bytes_max);
        let marker = "[what came before is left out]\n";
        assert!(record.len() <= bytes_max + marker.len());
        assert!(record.starts_with(marker), "{record}");
    }
}

#[test]
fn the_newest_plan_goes_on_until_there_is_a_newer_one() {
    let planned = |id: &str, step: &str| {
        let arguments = format!(r#"{{"steps":[{{"step":"{step}","status":"pending"}}]}}"#);
        call(id, "plan", &arguments)
    };
    let (old, new) = (planned("1", "old"), planned("2", "new"));
    let mut history = conversation();
    history.splice(3..3, [called(&old), answered(&old, true, "")]);
    history.splice(5..5, [called(&new), answered(&new, true, "")]);
    let once = shortened(split(&history), Some("so far"), 100_000);
    let notes = |history: &[Message]| -> Vec<Message> {
        let is_plan =
            |message: &&Message| matches!(message, Message::Context(note) if plan::is_note(note));
        history.iter().filter(is_plan).cloned().collect()
    };
    assert_eq!(notes(&once), [note(&plan::note("[ ] new"))]);

    let mut again = once.clone();
    again.push(said("done"));
    let twice = shortened(split(&again), Some("so far"), 100_000);
    assert_eq!(notes(&twice), notes(&once));

    let newest = planned("3", "newest");
    let mut again = once;
    again.extend([called(&newest), answered(&newest, true, "")]);
    let thrice = shortened(split(&again), Some("so far"), 100_000);
    assert_eq!(notes(&thrice), [], "it is in the present");
    again.extend([said("done"), Message::user("more")]);
    let last = shortened(split(&again), None, 100_000);
    assert_eq!(notes(&last), [note(&plan::note("[ ] newest"))]);
}
