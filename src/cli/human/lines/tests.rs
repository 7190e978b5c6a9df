//! Each kind of line as a value: what it says, and that it fits.

use super::*;

fn tool_call(name: &str, arguments: &str, kind: CallKind) -> ToolCall {
    ToolCall {
        id: "1".into(),
        name: name.into(),
        arguments: arguments.into(),
        kind,
        opaque: None,
    }
}

#[test]
fn a_call_shows_the_argument_that_a_person_would_look_at() {
    use CallKind::Freeform;
    use CallKind::Function;
    #[track_caller]
    fn check(name: &str, arguments: &str, kind: CallKind, expected: &str) {
        assert_eq!(call(&tool_call(name, arguments, kind)), expected);
    }
    let patch = "*** Begin Patch\n*** Update File: src/a.rs\n-x\n+*** Add File: no\n\
                 *** Delete File: b c.txt\n*** End Patch";
    let patch_json = serde_json::json!({ "patch": patch }).to_string();
    check(
        "bash",
        r#"{"timeout":9,"command":"cargo\n test"}"#,
        Function,
        "bash cargo test",
    );
    check("read", r#"{"path":"a b","offset":3}"#, Function, "read a b");
    check("find", r#"{"deep":true,"name":"x"}"#, Function, "find x");
    check(
        "apply_patch",
        patch,
        Freeform,
        "apply_patch src/a.rs b c.txt",
    );
    check(
        "apply_patch",
        &patch_json,
        Function,
        "apply_patch src/a.rs b c.txt",
    );
    check("plan", "{}", Function, "plan");
    check("plan", "{\"a\":", Function, "plan {\"a\":");
    check("", "", Function, "");
    check("x\x1b[2J", "[1]", Function, "x [2J [1]");
}

/// The outcome of a `cargo test parse`, with these words, must be this line.
#[track_caller]
fn check_outcome(good: bool, exit: Option<i32>, summary: &str, columns: usize, expected: &str) {
    let call = tool_call(
        "bash",
        r#"{"command":"cargo test parse"}"#,
        CallKind::Function,
    );
    let told = Outcome {
        call: &call,
        ok: good,
        exit,
        took: Duration::from_millis(6_240),
        output: "",
        summary,
        detail: "",
        truncated: false,
        spill: summary.contains("214").then_some("spill/3.txt"),
    };
    let line = render(&outcome(&told, columns, Marks::UNICODE), Palette::Plain);
    assert_eq!(line, format!("{expected}\n"));
}

#[test]
fn an_outcome_stands_beside_its_call() {
    check_outcome(
        false,
        Some(101),
        "exit 101 · 214 lines",
        100,
        "● bash cargo test parse                       \
         exit 101 · 6.2 s · 214 lines, all in spill/3.txt",
    );
    check_outcome(
        false,
        Some(101),
        "exit 101 · 214 lines",
        80,
        "● bash cargo test parse  exit 101 · 6.2 s · 214 lines, all in spill/3.txt",
    );
    check_outcome(
        false,
        Some(101),
        "exit 101 · 1 line",
        40,
        "● bash cargo test parse  exit 101 · 6.2 s · 1 line",
    );
    check_outcome(
        true,
        None,
        "",
        60,
        "● bash cargo test parse                       done · 6.2 s",
    );
    check_outcome(
        false,
        None,
        "",
        50,
        "● bash cargo test parse  failed · 6.2 s",
    );
    check_outcome(
        false,
        None,
        "cancelled",
        50,
        "● bash cargo test parse  failed: cancelled · 6.2 s",
    );
    check_outcome(
        false,
        Some(7),
        "",
        50,
        "● bash cargo test parse  exit 7 · 6.2 s",
    );
}

#[test]
fn a_long_call_is_cut_and_a_line_without_unicode_is_ascii() {
    let long = format!("{{\"path\":\"{}\"}}", "x".repeat(500));
    let call = tool_call("read", &long, CallKind::Function);
    let told = Outcome {
        call: &call,
        ok: true,
        exit: None,
        took: Duration::ZERO,
        output: "",
        summary: "3 lines · more",
        detail: "",
        truncated: false,
        spill: None,
    };
    for columns in 0..120 {
        let line = render(&outcome(&told, columns, Marks::ASCII), Palette::Plain);
        assert!(line.is_ascii(), "{line}");
        assert!(line.starts_with("* read xxx"), "{line}");
        assert!(line.ends_with("...  3 lines, more\n"), "{line}");
        assert!(
            line.len() - 1 <= columns.max(CALL_COLUMNS_MIN + 20),
            "{columns}: {line}"
        );
    }
}

#[test]
fn details_are_indented_bounded_and_harmless() {
    let lines = |detail: &str| -> Vec<String> {
        let details = details(detail, 30, Marks::UNICODE);
        details.into_iter().map(|span| span.text).collect()
    };
    assert_eq!(lines(""), [""; 0]);
    assert_eq!(lines("a\r\n\n  b\x1b[2J"), ["    a", "", "      b\\x1b[2J"]);
    assert_eq!(lines(&"x".repeat(90)), [format!("    {}…", "x".repeat(25))]);
    let many = lines(&"x\n".repeat(50));
    assert_eq!(many.len(), 41);
    assert_eq!(many[40], "    … 10 more lines");
}

#[test]
fn the_opening_names_who_pays_and_what_is_enforced() {
    let told = Opening {
        session: "s".into(),
        provider: "codex".into(),
        model: "m-1".into(),
        account: "you@example.org (plus)".into(),
        cwd: "/home/you/src/app".into(),
        sandbox: "workspace (landlock 7)".into(),
        hands: "local".into(),
        instructions: Vec::new(),
    };
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        opening(&told, "/home/you", Marks::UNICODE).text,
        format!(
            "sx {version} · codex · m-1 · you@example.org (plus) · workspace (landlock 7) \
             · ~/src/app"
        )
    );
    let file = |path: &str, bytes, of| Loaded {
        path: path.into(),
        bytes,
        of,
    };
    let files = [file("/home/you/a/AGENTS.md", 12, 12), file("/x\n", 5, 900)];
    assert_eq!(
        instructions(&files, "/home/you").unwrap().text,
        "instructions: ~/a/AGENTS.md (12 bytes), /x (5 of 900 bytes)"
    );
    assert!(instructions(&[], "").is_none());
    let far = Opening {
        account: String::new(),
        cwd: "/home/your\n".into(),
        hands: "ssh build7 sx hands".into(),
        ..told
    };
    assert_eq!(
        opening(&far, "/home/you", Marks::ASCII).text,
        format!(
            "sx {version}, codex, m-1, workspace (landlock 7), hands: ssh build7 sx hands, \
             /home/your"
        )
    );
    assert_eq!(short_path("/x", "/"), "/x");
    assert_eq!(short_path("/x", ""), "/x");
    assert_eq!(short_path("/x", "/x"), "~");
}

#[test]
fn usage_is_spoken_in_round_numbers() {
    let took = Usage {
        input: 12_199,
        cached: 11_200,
        output: 640,
        reasoning: 10,
    };
    let limit = |window_s: u64, used_percent: f64| Limit {
        window_s,
        used_percent,
        resets_at: 0,
    };
    let last = Consumption {
        usage: took,
        context: 22_000,
        window: 272_000,
        limits: vec![limit(18_000, 12.3), limit(604_800, 0.0), limit(90, 1.0)],
    };
    assert_eq!(
        usage(4, took, Some(&last), Marks::UNICODE).text,
        "  4 calls · 12.1k in, 91 % cached · 640 out · context 8 % · 5 h window 12 % · \
         7 d window 0 % · 1 m window 1 %"
    );
    let unknown = Consumption {
        context: 1_250_000,
        ..Consumption::default()
    };
    let nothing = Usage::default();
    assert_eq!(
        usage(1, nothing, Some(&unknown), Marks::ASCII).text,
        "  1 call, 0 in, 0 out, context 1.2M tokens"
    );
    assert_eq!(usage(0, nothing, None, Marks::ASCII).text, "  0 in, 0 out");
    assert_eq!(percent(u64::MAX, 1), Some(u64::MAX));
}

#[test]
fn a_long_wait_is_told_in_the_units_that_matter() {
    assert_eq!(long_wait(40), "40 s");
    assert_eq!(long_wait(299), "4 m");
    assert_eq!(long_wait(7_500), "2 h 5 m");
    assert_eq!(long_wait(183_600), "2 d 3 h");
}
