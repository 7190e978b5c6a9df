//! Whole runs as a person sees them: which words go to which stream, in which order.

use super::*;
use crate::agent::event::Cause;
use crate::agent::event::Opening;
use crate::chat::CallKind;
use crate::chat::delta::Usage;
use std::cell::RefCell;
use std::rc::Rc;

/// A stream that can still be read when the face owns it.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

/// A stream whose reader went away.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn options(mode: Mode) -> Options {
    Options {
        out: Box::new(io::sink()),
        err: Box::new(io::sink()),
        mode,
        quiet: false,
        verbose: false,
        color: Palette::Plain,
        unicode: true,
        columns: 80,
        stream_to_out: false,
        home: String::new(),
    }
}

fn call() -> ToolCall {
    ToolCall {
        id: "1".into(),
        name: "bash".into(),
        arguments: "{\"command\":\"make\"}".into(),
        kind: CallKind::Function,
        opaque: None,
    }
}

fn ending(status: Status, text: &str) -> Ending {
    Ending {
        status,
        exit: 0,
        text: text.into(),
        error: None,
        hint: None,
        turns: 2,
        usage: Usage {
            input: 10,
            cached: 5,
            output: 3,
            reasoning: 0,
        },
        session: "s-1".into(),
    }
}

fn opening() -> Opening {
    Opening {
        session: "s-1".into(),
        provider: "codex".into(),
        model: "m".into(),
        account: String::new(),
        cwd: "/w".into(),
        sandbox: "workspace".into(),
        hands: "local".into(),
        instructions: Vec::new(),
    }
}

/// A run of two turns: thinking, words, a call that fails; then a last message in two blocks.
fn run(face: &mut Human, end: &Ending) {
    let call = call();
    let result = Outcome {
        call: &call,
        ok: false,
        exit: Some(2),
        took: Duration::from_millis(5),
        output: "",
        summary: "exit 2 · 1 line",
        detail: "No rule.",
        truncated: false,
        spill: None,
    };
    let opening = opening();
    for event in [
        Event::Opening(&opening),
        Event::Turn { n: 1 },
        Event::ThinkingDelta("Let me"),
        Event::ThinkingDelta(" see.\n\nFirst"),
        Event::ThinkingDelta(" things."),
        Event::Thinking("Let me see.\n\nFirst things."),
        Event::TextDelta("I run"),
        Event::TextDelta(" it."),
        Event::Text("I run it."),
        Event::Usage(&Consumption::default()),
        Event::Call(&call),
        Event::Output {
            call: &call,
            text: "No rule.\n",
        },
        Event::Result(&result),
        Event::Turn { n: 2 },
        Event::TextDelta("It\x1b"),
        Event::TextDelta("[2J fails.\n"),
        Event::Text("It\x1b[2J fails.\n"),
        Event::Text("Sorry."),
        Event::Usage(&Consumption::default()),
    ] {
        face.show(&event).unwrap();
    }
    face.end(end).unwrap();
}

const LAST: &str = "It\x1b[2J fails.\n\n\nSorry.";

/// The run, shown as `options` say, must leave this on the two streams (`V` is our version).
#[track_caller]
fn check(options: Options, end: &Ending, out: &str, err: &str) {
    let streams = (Shared::default(), Shared::default());
    let mut face = Human::new(Options {
        out: Box::new(streams.0.clone()),
        err: Box::new(streams.1.clone()),
        ..options
    });
    run(&mut face, end);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        streams.0.text(),
        out.replace("sx V", &format!("sx {version}"))
    );
    assert_eq!(
        streams.1.text(),
        err.replace("sx V", &format!("sx {version}"))
    );
}

#[test]
fn a_pipe_gets_exactly_the_last_message_and_the_rest_is_talk() {
    check(
        options(Mode::Exec),
        &ending(Status::Done, LAST),
        "It\x1b[2J fails.\n\n\nSorry.\n",
        "sx V · codex · m · workspace · /w\n\
         \x20 thinking: Let me see.\n\
         \n\
         \x20 First things.\n\
         I run it.\n\
         ● bash make                                   exit 2 · 1 line\n\
         \x20   No rule.\n\
         \x20 1 call · 10 in, 50 % cached · 3 out · context 0 tokens\n",
    );
}

#[test]
fn a_terminal_gets_text_as_it_comes_and_only_once() {
    let watched = Options {
        stream_to_out: true,
        ..options(Mode::Exec)
    };
    check(
        watched,
        &ending(Status::Done, LAST),
        "I run it.\nIt\\x1b[2J fails.\nSorry.\n",
        "sx V · codex · m · workspace · /w\n\
         \x20 thinking: Let me see.\n\
         \n\
         \x20 First things.\n\
         ● bash make                                   exit 2 · 1 line\n\
         \x20   No rule.\n\
         \x20 1 call · 10 in, 50 % cached · 3 out · context 0 tokens\n",
    );
}

#[test]
fn a_conversation_is_one_stream() {
    check(
        options(Mode::Interactive),
        &ending(Status::Done, LAST),
        "sx V · codex · m · workspace · /w\n\
         \x20 thinking: Let me see.\n\
         \n\
         \x20 First things.\n\
         I run it.\n\
         ● bash make                                   exit 2 · 1 line\n\
         \x20   No rule.\n\
         It\\x1b[2J fails.\n\
         Sorry.\n\
         \x20 1 call · 10 in, 50 % cached · 3 out · context 0 tokens\n",
        "",
    );
}

#[test]
fn quiet_leaves_the_answer_and_the_errors() {
    let quiet = |stream_to_out| Options {
        quiet: true,
        verbose: true,
        stream_to_out,
        ..options(Mode::Exec)
    };
    let done = ending(Status::Done, LAST);
    check(quiet(false), &done, "It\x1b[2J fails.\n\n\nSorry.\n", "");
    check(quiet(true), &done, "It\\x1b[2J fails.\n\n\nSorry.\n", "");
    let failed = Ending {
        error: Some("no\nroute".into()),
        hint: Some("plug it in".into()),
        ..ending(Status::Failed, "")
    };
    check(
        quiet(false),
        &failed,
        "",
        "sx: no route\nhint: plug it in\nresume: sx resume s-1\n",
    );
}

#[test]
fn a_failed_run_loses_no_words() {
    let failed = ending(Status::Limit("MAX_TURNS"), "");
    check(
        options(Mode::Exec),
        &failed,
        "",
        "sx V · codex · m · workspace · /w\n\
         \x20 thinking: Let me see.\n\
         \n\
         \x20 First things.\n\
         I run it.\n\
         ● bash make                                   exit 2 · 1 line\n\
         \x20   No rule.\n\
         It\\x1b[2J fails.\n\
         \n\
         Sorry.\n\
         \x20 1 call · 10 in, 50 % cached · 3 out · context 0 tokens\n\
         sx: stopped by MAX_TURNS\n\
         resume: sx resume s-1\n",
    );
}

/// What a conversation shows of these events.
fn shown(options: Options, events: &[Event<'_>]) -> String {
    let out = Shared::default();
    let mut face = Human::new(Options {
        out: Box::new(out.clone()),
        ..options
    });
    for event in events {
        face.show(event).unwrap();
    }
    out.text()
}

#[test]
fn a_retry_says_that_the_text_before_it_is_void() {
    let retry = Event::Retry {
        attempt: 1,
        wait: Duration::from_millis(800),
        reason: "cut off",
    };
    let events = [
        Event::Turn { n: 1 },
        Event::TextDelta("Hel"),
        Event::Discarded,
        retry,
        Event::TextDelta("Hello"),
        Event::Text("Hello"),
    ];
    assert_eq!(
        shown(options(Mode::Interactive), &events),
        "Hel\n\
         \x20 the answer so far is void; it comes anew\n\
         \x20 trying again in 800 ms: cut off\n\
         Hello\n"
    );
    let events = [Event::Turn { n: 1 }, Event::Discarded];
    assert_eq!(shown(options(Mode::Interactive), &events), "");
}

#[test]
fn verbose_tells_what_starts_and_what_each_answer_took() {
    let verbose = Options {
        verbose: true,
        ..options(Mode::Interactive)
    };
    let call = call();
    let retry = Event::Retry {
        attempt: 3,
        wait: Duration::from_secs(2),
        reason: "overloaded",
    };
    let usage = Consumption::default();
    assert_eq!(
        shown(verbose, &[Event::Call(&call), retry, Event::Usage(&usage)]),
        "  starting bash make\n\
         \x20 try 3 failed; trying again in 2.0 s: overloaded\n\
         \x20 0 in · 0 out · context 0 tokens\n"
    );
}

#[test]
fn a_compaction_is_told_before_and_after() {
    let events = [
        Event::Compacting(Cause::Full),
        Event::Compacted {
            cause: Cause::Full,
            before: 40,
            after: 6,
            summary: Some("Task: a\x1b[2J"),
        },
    ];
    let begin = "  the model's window is nearly full: the conversation is being summed up\n";
    let end = "  a summary stands for the past: 40 messages became 6\n";
    assert_eq!(
        shown(options(Mode::Interactive), &events),
        format!("{begin}{end}")
    );
    let verbose = Options {
        verbose: true,
        ..options(Mode::Interactive)
    };
    assert_eq!(
        shown(verbose, &events),
        format!("{begin}  | Task: a [2J\n{end}")
    );
}

#[test]
fn a_warning_ends_the_line_that_it_interrupts() {
    let events = [
        Event::TextDelta("Hel"),
        Event::Warning("disk\x1b[2J full"),
        Event::TextDelta("lo\n"),
        Event::Text("Hello\n"),
    ];
    assert_eq!(
        shown(options(Mode::Interactive), &events),
        "Hel\nwarning: disk [2J full\nlo\n"
    );
}

#[test]
fn a_stream_cut_anywhere_reads_the_same() {
    let text = "\n\none\n\ntwo\r é€\x1b]0;x\x07\n three\n";
    let thinking = "thinking: one\n\n  two\\x0d é€\\x1b]0;x\\x07\n   three\n";
    let plain = "one\n\ntwo\\x0d é€\\x1b]0;x\\x07\n three\n";
    let show = |events: &[Event<'_>]| shown(options(Mode::Interactive), events);
    for cut in (0..=text.len()).filter(|cut| text.is_char_boundary(*cut)) {
        let (a, b) = text.split_at(cut);
        let events = [Event::TextDelta(a), Event::TextDelta(b), Event::Text(text)];
        assert_eq!(show(&events), plain, "cut {cut}");
        let events = [
            Event::ThinkingDelta(a),
            Event::ThinkingDelta(b),
            Event::Thinking(text),
        ];
        assert_eq!(show(&events), format!("  {thinking}"), "cut {cut}");
    }
    assert_eq!(show(&[Event::Text(text)]), plain);
    assert_eq!(show(&[Event::Thinking(text)]), format!("  {thinking}"));
    assert_eq!(show(&[Event::Text(""), Event::Thinking("")]), "");
}

#[test]
fn nothing_moves_the_cursor_and_color_changes_no_words() {
    let colored = Options {
        color: Palette::Colored,
        ..options(Mode::Interactive)
    };
    let events = [
        Event::Thinking("hm\x1b[1A"),
        Event::Text("a\rb\x08\u{9b}2J"),
    ];
    let text = shown(colored, &events);
    assert_eq!(
        text,
        "\x1b[2m  thinking: hm\\x1b[1A\x1b[0m\na\\x0db\\x08\\u{9b}2J\n"
    );
}

#[test]
fn lost_talk_does_not_lose_the_answer_and_a_lost_answer_is_an_error() {
    let out = Shared::default();
    let mut face = Human::new(Options {
        out: Box::new(out.clone()),
        err: Box::new(Gone),
        ..options(Mode::Exec)
    });
    run(&mut face, &ending(Status::Done, "Yes."));
    assert_eq!(out.text(), "Yes.\n");

    let mut face = Human::new(Options {
        out: Box::new(Gone),
        ..options(Mode::Exec)
    });
    let error = face.end(&ending(Status::Done, "Yes.")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn every_end_that_is_not_simply_good_is_said() {
    let said = |status: Status| problem(&ending(status, ""));
    assert_eq!(said(Status::Done), None);
    assert_eq!(
        said(Status::Refused).unwrap(),
        "done, but calls were refused"
    );
    assert_eq!(said(Status::Cancelled).unwrap(), "cancelled");
    assert_eq!(said(Status::Failed).unwrap(), "the run failed");
    let quota = Status::Quota {
        resets_at: Some(8_000),
    };
    let hint = |now| hint(&ending(quota.clone(), ""), now).unwrap();
    assert_eq!(hint(500), "the allowance is there again in 2 h 5 m");
    assert_eq!(hint(9_000), "the allowance is there again in 0 s");
}

#[test]
fn a_session_that_is_left_tells_the_way_back() {
    let out = Shared::default();
    let mut face = Human::new(Options {
        out: Box::new(out.clone()),
        ..options(Mode::Interactive)
    });
    face.end(&ending(Status::Cancelled, "")).unwrap();
    face.leave("").unwrap();
    face.leave("s-1").unwrap();
    assert_eq!(
        out.text(),
        "\n  10 in, 50 % cached · 3 out\n  cancelled\nresume: sx resume s-1\n"
    );
}
