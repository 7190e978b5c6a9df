//! Golden lines for every event, and text that tries to break them.

use super::*;
use crate::agent::event::Cause;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// A writer that can still be read when the face owns it; it also counts the writes.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<Vec<u8>>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn lines(&self) -> Vec<String> {
        let writes = self.0.borrow();
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
        writes.iter().map(text).collect()
    }
}

fn face(deltas: bool) -> (Shared, Jsonl) {
    let out = Shared::default();
    (out.clone(), Jsonl::new(Box::new(out), Options { deltas }))
}

fn call(arguments: &str, kind: CallKind) -> ToolCall {
    ToolCall {
        id: "c1".into(),
        name: "bash".into(),
        arguments: arguments.into(),
        kind,
        opaque: None,
    }
}

fn ending(status: Status) -> Ending {
    Ending {
        exit: crate::cli::exit::Exit::of(&status).code(),
        status,
        text: "all\ndone".into(),
        error: None,
        hint: None,
        turns: 2,
        usage: Usage {
            input: 10,
            cached: 4,
            output: 3,
            reasoning: 1,
        },
        session: "s1".into(),
    }
}

/// The event must be written as this one line, in one write; or not at all.
#[track_caller]
fn check(event: &Event<'_>, expected: &str) {
    let (out, mut face) = face(true);
    face.show(event).unwrap();
    assert_eq!(out.lines(), [format!("{expected}\n")]);
}

#[test]
fn every_event_has_its_line() {
    let opening = Opening {
        session: "s1".into(),
        provider: "codex".into(),
        model: "m".into(),
        account: "you@example.org".into(),
        cwd: "/src".into(),
        sandbox: "workspace".into(),
        hands: "local".into(),
        instructions: Vec::new(),
    };
    check(
        &Event::Opening(&opening),
        concat!(
            r#"{"type":"session","v":1,"sx":""#,
            env!("CARGO_PKG_VERSION"),
            r#"","session":"s1","provider":"codex","model":"m","account":"you@example.org","#,
            r#""cwd":"/src","sandbox":"workspace","hands":"local","instructions":[]}"#
        ),
    );
    check(&Event::Turn { n: 1 }, r#"{"type":"turn","n":1}"#);
    check(&Event::TextDelta("a"), r#"{"type":"delta","text":"a"}"#);
    check(&Event::Text("a\nb"), r#"{"type":"text","text":"a\nb"}"#);
    check(&Event::Thinking("a"), r#"{"type":"reasoning","text":"a"}"#);
    let call = call("{\"command\":\"ls\"}", CallKind::Function);
    check(
        &Event::Call(&call),
        r#"{"type":"call","id":"c1","name":"bash","arguments":{"command":"ls"}}"#,
    );
    let output = Event::Output {
        call: &call,
        text: "x",
    };
    check(&output, r#"{"type":"output","id":"c1","text":"x"}"#);
    let outcome = Outcome {
        call: &call,
        ok: false,
        exit: Some(101),
        took: Duration::from_millis(6_240),
        output: "no\n",
        summary: "exit 101",
        detail: "",
        truncated: true,
        spill: Some("spill/3.txt"),
    };
    check(
        &Event::Result(&outcome),
        concat!(
            r#"{"type":"result_of","id":"c1","ok":false,"exit":101,"ms":6240,"output":"no\n","#,
            r#""truncated":true,"spill":"spill/3.txt"}"#
        ),
    );
    let consumption = Consumption {
        usage: ending(Status::Done).usage,
        context: 13,
        window: 100,
        limits: vec![Limit {
            window_s: 18_000,
            used_percent: 12.0,
            resets_at: 0,
        }],
    };
    check(
        &Event::Usage(&consumption),
        concat!(
            r#"{"type":"usage","input":10,"cached":4,"output":3,"reasoning":1,"context":13,"#,
            r#""limits":[{"window_s":18000,"used_percent":12.0,"resets_at":0}]}"#
        ),
    );
    let retry = Event::Retry {
        attempt: 1,
        wait: Duration::from_millis(800),
        reason: "overloaded",
    };
    check(
        &retry,
        r#"{"type":"retry","attempt":1,"wait_ms":800,"reason":"overloaded"}"#,
    );
    check(
        &Event::Compacting(Cause::Full),
        r#"{"type":"compacting","cause":"full"}"#,
    );
    check(
        &Event::Compacted {
            cause: Cause::Asked,
            before: 9,
            after: 3,
            summary: Some("s"),
        },
        concat!(
            r#"{"type":"compacted","cause":"asked","messages_before":9,"#,
            r#""messages_after":3,"summary":"s"}"#
        ),
    );
    check(&Event::Note("n"), r#"{"type":"note","text":"n"}"#);
    check(&Event::Warning("w"), r#"{"type":"warning","text":"w"}"#);
}

#[test]
fn deltas_are_written_only_when_they_are_wanted() {
    let (out, mut face) = face(false);
    let call = call("", CallKind::Function);
    face.show(&Event::TextDelta("a")).unwrap();
    face.show(&Event::ThinkingDelta("a")).unwrap();
    face.show(&Event::Output {
        call: &call,
        text: "x",
    })
    .unwrap();
    assert_eq!(out.lines(), [""; 0]);
}

#[test]
fn a_discarded_answer_is_said_if_any_of_it_was_written() {
    let (out, mut face) = face(true);
    face.show(&Event::Discarded).unwrap();
    face.show(&Event::TextDelta("a")).unwrap();
    face.show(&Event::Discarded).unwrap();
    face.show(&Event::Discarded).unwrap();
    let lines = out.lines();
    assert_eq!(lines.len(), 2);
    assert!(lines[1].contains("void"), "{}", lines[1]);
}

/// The ending must be written as this one line.
#[track_caller]
fn check_end(ending: &Ending, expected: &str) {
    let (out, mut face) = face(false);
    face.end(ending).unwrap();
    assert_eq!(out.lines(), [format!("{expected}\n")]);
}

#[test]
fn the_result_names_what_a_script_needs() {
    let rest =
        r#""turns":2,"usage":{"input":10,"cached":4,"output":3,"reasoning":1},"session":"s1"}"#;
    let text = r#""text":"all\ndone""#;
    check_end(
        &ending(Status::Done),
        &format!(r#"{{"type":"result","status":"done","exit":0,{text},"error":null,{rest}"#),
    );
    let quota = Ending {
        error: Some("spent".into()),
        hint: Some("wait".into()),
        ..ending(Status::Quota {
            resets_at: Some(99),
        })
    };
    check_end(
        &quota,
        &format!(
            "{}{}{rest}",
            format_args!(r#"{{"type":"result","status":"quota","exit":4,{text},"error":"spent","#),
            r#""hint":"wait","resets_at":99,"#,
        ),
    );
    check_end(
        &ending(Status::Limit("MAX_TURNS")),
        &format!(
            "{}{}{rest}",
            format_args!(r#"{{"type":"result","status":"limit","exit":6,{text},"error":null,"#),
            r#""limit":"MAX_TURNS","#,
        ),
    );
}

#[test]
fn arguments_are_an_object_where_they_are_one_and_text_where_not() {
    use CallKind::Freeform;
    use CallKind::Function;
    #[track_caller]
    fn check(arguments: &str, kind: CallKind, expected: &str) {
        let (out, mut face) = face(false);
        face.show(&Event::Call(&call(arguments, kind))).unwrap();
        let line = out.lines().remove(0);
        let start = r#"{"type":"call","id":"c1","name":"bash","arguments":"#;
        assert_eq!(line, format!("{start}{expected}}}\n"));
        serde_json::from_str::<Value>(&line).unwrap();
    }
    check("{}", Function, "{}");
    check(
        " {\n \"a\" : 1.50,\r\n\"a\":2}",
        Function,
        " {  \"a\" : 1.50,  \"a\":2}".trim(),
    );
    check(
        "{\"b\":12345678901234567890123}",
        Function,
        "{\"b\":12345678901234567890123}",
    );
    check("", Function, "\"\"");
    check("{\"a\":", Function, r#""{\"a\":""#);
    check("[1]", Function, "\"[1]\"");
    check("{\"a\":1}", Freeform, r#""{\"a\":1}""#);
    check("{\"a\":1e999}", Function, r#""{\"a\":1e999}""#);
    check("{\"a\":\"\\ud800\"}", Function, r#""{\"a\":\"\\ud800\"}""#);
    let deep = "{\"a\":".repeat(1_000) + "1" + &"}".repeat(1_000);
    check(&deep, Function, &serde_json::to_string(&deep).unwrap());
}

#[test]
fn no_text_breaks_a_line() {
    let odd = "\0\n\r\u{1b}[2J\u{2028}\u{7f}\"\\\u{10ffff}";
    let (out, mut face) = face(true);
    face.show(&Event::TextDelta(odd)).unwrap();
    face.show(&Event::Text(odd)).unwrap();
    face.show(&Event::Warning(odd)).unwrap();
    face.show(&Event::Call(&call(odd, CallKind::Freeform)))
        .unwrap();
    for line in out.lines() {
        assert_eq!(line.matches(['\n', '\r']).count(), 1, "{line:?}");
        let value: Value = serde_json::from_str(&line).unwrap();
        let text = value.get("text").or_else(|| value.get("arguments"));
        assert_eq!(text.unwrap(), odd);
    }
}

#[test]
fn a_reader_that_went_away_is_an_error() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut face = Jsonl::new(Box::new(Gone), Options::default());
    let error = face.end(&ending(Status::Done)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}
