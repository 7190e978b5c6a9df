//! Tests of how pieces of calls are put together: numbers, ids and names that can't be trusted.

use super::*;

/// Each delta's `tool_calls` as JSON, and the calls as id, name and arguments.
#[track_caller]
fn check(deltas: &[&str], expected: &[(&str, &str, &str)]) {
    let mut calls = Calls::default();
    for delta in deltas {
        calls
            .take_list(serde_json::from_str(delta).unwrap())
            .unwrap();
    }
    let mut out = Vec::new();
    calls.give("p", "chatcmpl-7", &mut out);
    let found = out.iter().map(|delta| match delta {
        Delta::Block(Block::Call(call)) => (
            call.id.as_str(),
            call.name.as_str(),
            call.arguments.as_str(),
        ),
        other => panic!("{other:?}"),
    });
    assert_eq!(found.collect::<Vec<_>>(), expected, "{deltas:?}");
}

const A: &str = r#"{"index":0,"id":"a","function":{"name":"read","arguments":""}}"#;

#[test]
fn numbers_keep_calls_apart() {
    let two = [("a", "read", r#"{"x":1}"#), ("b", "bash", r#"{"y":2}"#)];
    for (first, second) in [(0, 1), (1, 2), (5, 3)] {
        check(
            &[
                &format!(r#"[{{"index":{first},"id":"a","function":{{"name":"read"}}}}]"#),
                &format!(r#"[{{"index":{second},"id":"b","function":{{"name":"bash"}}}}]"#),
                &format!(r#"[{{"index":{second},"function":{{"arguments":"{{\"y\":"}}}}]"#),
                &format!(r#"[{{"index":{first},"function":{{"arguments":"{{\"x\":1}}"}}}}]"#),
                &format!(r#"[{{"index":"{second}","function":{{"arguments":"2}}"}}}}]"#),
            ],
            &two,
        );
    }
}

#[test]
fn a_number_that_is_always_the_same_is_helped_by_id_and_name() {
    let whole = |id: &str, name: &str, key: &str| {
        format!(
            r#"[{{"index":0,{id}"function":{{"name":"{name}","arguments":"{{\"{key}\":1}}"}}}}]"#
        )
    };
    let first = r#"{"x":1}"#;
    let second = r#"{"y":1}"#;
    check(
        &[
            &whole(r#""id":"a","#, "read", "x"),
            &whole(r#""id":"b","#, "read", "y"),
        ],
        &[("a", "read", first), ("b", "read", second)],
    );
    check(
        &[&whole("", "read", "x"), &whole("", "bash", "y")],
        &[
            ("call_chatcmpl-7_0", "read", first),
            ("call_chatcmpl-7_1", "bash", second),
        ],
    );
    check(
        &[
            &whole(r#""id":"a","#, "read", "x"),
            &whole(r#""id":"a","#, "read", "y"),
        ],
        &[("a", "read", first), ("call_chatcmpl-7_1", "read", second)],
    );
    // Pieces of two calls that come by turns.
    check(
        &[
            r#"[{"index":0,"id":"a","function":{"name":"read","arguments":"{\"x\""}}]"#,
            r#"[{"index":0,"id":"b","function":{"name":"bash","arguments":"{\"y\""}}]"#,
            r#"[{"index":0,"id":"a","function":{"arguments":":1}"}}]"#,
            r#"[{"index":0,"id":"b","function":{"arguments":":1}"}}]"#,
        ],
        &[("a", "read", first), ("b", "bash", second)],
    );
}

#[test]
fn a_number_that_is_missing_is_helped_by_id_and_name() {
    check(
        &[
            r#"[{"id":"a","function":{"name":"read","arguments":"{\"x\""}}]"#,
            r#"[{"id":"a","function":{"arguments":":1}"}}]"#,
            r#"[{"id":"b","function":{"name":"read","arguments":"{\"y\""}}]"#,
            r#"[{"function":{"arguments":":1}"}}]"#,
        ],
        &[("a", "read", r#"{"x":1}"#), ("b", "read", r#"{"y":1}"#)],
    );
    check(
        &[r#"[{"function":{"name":"t","arguments":"{}"}},{"function":{"name":"t"}}]"#],
        &[
            ("call_chatcmpl-7_0", "t", "{}"),
            ("call_chatcmpl-7_1", "t", "{}"),
        ],
    );
    check(
        &[r#"{"name":"t","arguments":{"a":[1, 2]}}"#],
        &[("call_chatcmpl-7_0", "t", r#"{"a":[1, 2]}"#)],
    );
}

#[test]
fn ids_may_be_late_repeated_numbers_or_another_with_every_piece() {
    let arguments = r#"[{"index":0,"id":"z","function":{"name":null,"arguments":"{}"}}]"#;
    check(&[&format!("[{A}]"), arguments], &[("a", "read", "{}")]);
    check(
        &[
            r#"[{"index":0,"function":{"name":"read","arguments":"{\"x\""}}]"#,
            r#"[{"index":0,"id":"late","function":{"name":"read","arguments":":1}"}}]"#,
        ],
        &[("late", "read", r#"{"x":1}"#)],
    );
    check(
        &[r#"[{"index":0,"id":7,"function":{"name":"t"}}]"#],
        &[("7", "t", "{}")],
    );
    // A number that grows with every piece.
    check(
        &[
            &format!("[{A}]"),
            r#"[{"index":1,"id":"a","function":{"arguments":"{\"x\""}}]"#,
            r#"[{"index":2,"function":{"arguments":":1}"}}]"#,
        ],
        &[("a", "read", r#"{"x":1}"#)],
    );
}

#[test]
fn what_is_said_twice_counts_once() {
    let whole = r#"[{"index":0,"id":"a","function":{"name":"read","arguments":"{\"x\":1}"}}]"#;
    let nameless = r#"[{"index":0,"function":{"arguments":"{\"x\":1}"}}]"#;
    let once = [("a", "read", r#"{"x":1}"#)];
    check(&[whole, whole], &once);
    check(&[whole, nameless], &once);
    check(&[&format!("[{A}]"), nameless, whole], &once);
    check(
        &[
            whole,
            r#"[{"index":0,"id":"a","function":{"name":"read"}}]"#,
        ],
        &once,
    );
    let empty = r#"[{"index":0,"id":"a","function":{"name":"read","arguments":"{}"}}]"#;
    check(&[empty, nameless], &once);
    let object = r#"[{"index":0,"id":"a","function":{"name":"read","arguments":{}}}]"#;
    check(&[object, nameless], &once);
}

#[test]
fn a_name_may_come_in_pieces_under_one_id() {
    let more = |name: &str| format!(r#"[{{"index":0,"id":"a","function":{{"name":"{name}"}}}}]"#);
    check(
        &[&format!("[{A}]"), &more("_all")],
        &[("a", "read_all", "{}")],
    );
    check(
        &[&format!("[{A}]"), &more("read_all")],
        &[("a", "read_all", "{}")],
    );
}

#[test]
fn nothing_is_mended() {
    for (arguments, expected) in [
        (r#""{\"command\":\"rm -r""#, r#"{"command":"rm -r"#),
        (r#""[1]""#, "[1]"),
        (r#""ls""#, "ls"),
        ("5", "5"),
        (r#""{\"a\":\"\ud83d\"}""#, r#""{\"a\":\"\ud83d\"}""#),
    ] {
        let delta = format!(r#"[{{"id":"a","function":{{"name":"t","arguments":{arguments}}}}}]"#);
        check(&[&delta], &[("a", "t", expected)]);
    }
    check(
        &[r#"[{"id":"a","function":{"arguments":"{}"}}]"#],
        &[("a", "", "{}")],
    );
    check(&["[]", "7", "[null,5]", "[{}]", r#"[{"function":7}]"#], &[]);
}

#[test]
fn what_stands_beside_a_call_is_kept_byte_for_byte() {
    let mut calls = Calls::default();
    let extra = r#"{"google": {"thought_signature":"a\u003d"}}"#;
    let delta = format!(r#"[{{"id":"a","extra_content":{extra},"function":{{"name":"t"}}}}]"#);
    calls
        .take_list(serde_json::from_str(&delta).unwrap())
        .unwrap();
    let mut out = Vec::new();
    calls.give("p", "", &mut out);
    let [Delta::Block(Block::Call(call))] = &out[..] else {
        panic!("{out:?}");
    };
    let json = format!(r#"{{"extra_content":{extra}}}"#);
    let provider = "p".to_string();
    assert_eq!(call.opaque, Some(Opaque { provider, json }));
}

#[test]
fn calls_without_end_are_refused() {
    let mut calls = Calls::default();
    let mut refused = None;
    for index in 0..=CALLS_MAX {
        let delta = format!(r#"{{"index":{index},"function":{{"name":"t"}}}}"#);
        refused = calls.take_list(serde_json::from_str(&delta).unwrap()).err();
    }
    assert!(matches!(refused, Some(Error::Refused { .. })));
}
