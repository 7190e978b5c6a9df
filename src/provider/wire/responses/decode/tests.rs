//! Tests of the decoder: a whole stream, thin and odd servers, every typed ending.

use super::*;
use crate::chat::Block;
use crate::chat::Opaque;
use crate::chat::ToolCall;
use crate::http::sse::Parser;
use crate::provider::Decoder as _;
use std::time::Duration;

/// Made by hand in the shape of the service's streams, with everything that an answer can have.
const WHOLE: &str = include_str!("../../../../../tests/data/provider/codex/whole.sse");

/// An event that is given by its data alone.
fn event(data: &str) -> Event<'_> {
    Event {
        name: None,
        data,
        id: "",
        retry_ms: None,
    }
}

fn decode(data: &[&str]) -> Result<Vec<Delta>, Error> {
    let mut decoder = Decoder::new("codex");
    let mut out = Vec::new();
    for data in data {
        decoder.feed(&event(data), &mut out)?;
    }
    finish(decoder, out)
}

fn decode_stream(mut stream: &[u8]) -> Result<Vec<Delta>, Error> {
    let mut parser = Parser::new();
    let mut decoder = Decoder::new("codex");
    let mut out = Vec::new();
    while let Some(event) = parser.feed(&mut stream).unwrap() {
        decoder.feed(&event, &mut out)?;
    }
    finish(decoder, out)
}

fn finish(mut decoder: Decoder, mut out: Vec<Delta>) -> Result<Vec<Delta>, Error> {
    decoder.finish(&mut out)?;
    assert!(decoder.is_done());
    Ok(out)
}

fn text(text: &str) -> Delta {
    Delta::Text(text.into())
}

fn thinking(text: &str) -> Delta {
    Delta::Thinking(text.into())
}

fn opaque(json: &str) -> Option<Opaque> {
    Some(Opaque {
        provider: "codex".into(),
        json: json.into(),
    })
}

fn text_block(text: &str, json: Option<&str>) -> Delta {
    Delta::Block(Block::Text {
        text: text.into(),
        opaque: json.and_then(opaque),
    })
}

fn call_block(id: &str, name: &str, arguments: &str, json: Option<&str>) -> Delta {
    Delta::Block(Block::Call(ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        kind: CallKind::Function,
        opaque: json.and_then(opaque),
    }))
}

const END: Delta = Delta::Stop(Stop::End);
const COMPLETED: &str = r#"{"type":"response.completed","response":{"id":"r"}}"#;

fn done(item: &str, index: usize) -> String {
    format!(r#"{{"type":"response.output_item.done","output_index":{index},"item":{item}}}"#)
}

fn message(id: &str, text: &str) -> String {
    let content = format!(r#"[{{"type":"output_text","text":"{text}"}}]"#);
    format!(r#"{{"type":"message","id":"{id}","role":"assistant","content":{content}}}"#)
}

#[track_caller]
fn check(data: &[&str], expected: &[Delta]) {
    assert_eq!(decode(data).as_deref(), Ok(expected));
}

#[track_caller]
fn check_error(data: &[&str], expected: Error) {
    assert_eq!(decode(data), Err(expected));
}

/// The data of all events of the stream.
fn whole_data() -> Vec<&'static str> {
    let data = WHOLE.lines().filter_map(|line| line.strip_prefix("data: "));
    data.collect()
}

/// The JSON of the item that is done in a line of the stream.
fn item_of(number: usize) -> &'static str {
    let dones = WHOLE
        .lines()
        .filter_map(|line| line.split_once(r#""item":"#));
    let mut dones = dones.filter(|(start, _)| start.contains("output_item.done"));
    dones.nth(number).unwrap().1.strip_suffix('}').unwrap()
}

fn whole_deltas() -> Vec<Delta> {
    let mut call = ToolCall {
        id: "call_1".into(),
        name: "read".into(),
        arguments: r#"{"path":"a"}"#.into(),
        kind: CallKind::Function,
        opaque: opaque(item_of(2)),
    };
    let read = call.clone();
    call.id = "call_2".into();
    call.name = "apply_patch".into();
    call.arguments = "*** Begin Patch\n*** End Patch\n".into();
    call.kind = CallKind::Freeform;
    call.opaque = opaque(item_of(3));
    vec![
        thinking("Look first\n\nThen act"),
        Delta::Block(Block::Thinking {
            text: "Look first\n\nThen act".into(),
            opaque: opaque(item_of(0)),
        }),
        text("I read “it” 😀"),
        text_block("I read “it” 😀", Some(item_of(1))),
        Delta::Block(Block::Call(read)),
        Delta::Block(Block::Call(call)),
        Delta::Usage(Usage {
            input: 100,
            cached: 64,
            output: 20,
            reasoning: 8,
        }),
        END,
    ]
}

#[test]
fn a_stream_gives_its_words_at_once_and_its_blocks_whole() {
    assert!(
        item_of(0).contains(r#""gAAA\/Zm9v\u003d""#),
        "kept byte for byte"
    );
    assert_eq!(decode_stream(WHOLE.as_bytes()).unwrap(), whole_deltas());
}

#[test]
fn what_is_announced_or_finished_twice_comes_once() {
    let twice = whole_data().into_iter().flat_map(|data| {
        let is_twice = data.contains("output_item.");
        std::iter::repeat_n(data, if is_twice { 2 } else { 1 })
    });
    let twice: Vec<&str> = twice.collect();
    assert_eq!(decode(&twice).unwrap(), whole_deltas());
}

#[test]
fn a_stream_that_ends_early_is_retried_wherever_it_ends() {
    let data = whole_data();
    for length in 0..data.len() {
        let error = decode(&data[..length]).unwrap_err();
        assert!(
            matches!(error, Error::Retry { after: None, .. }),
            "{error:?}"
        );
    }
}

#[test]
fn the_name_of_the_event_does_where_the_data_has_no_type() {
    let stream = "event: response.output_text.delta\ndata: {\"delta\":\"a\"}\n\n\
        event: response.completed\ndata: {\"response\":{}}\n\n";
    let expected = [text("a"), text_block("a", None), END];
    assert_eq!(decode_stream(stream.as_bytes()).unwrap(), expected);
}

#[test]
fn what_is_not_understood_is_skipped() {
    let item = message("m", "a");
    check(
        &[
            "",
            "[DONE]",
            "{",
            "[]",
            "7",
            r#"{"type":7}"#,
            r#"{"type":"response.new","delta":{"x":1}}"#,
            r#"{"type":"response.output_text.delta","delta":{"x":1}}"#,
            r#"{"type":"response.output_text.delta"}"#,
            r#"{"type":"response.output_item.done"}"#,
            r#"{"type":"response.output_item.done","item":null}"#,
            r#"{"type":"response.output_item.done","item":{"id":"x"}}"#,
            r#"{"type":"response.output_item.added","item":"x"}"#,
            r#"{"type":"response.created","response":7}"#,
            &done(&item, 0),
            COMPLETED,
            &done(&message("late", "b"), 1),
        ],
        &[text_block("a", Some(&item)), END],
    );
}

#[test]
fn blocks_come_in_the_order_of_the_answer() {
    let (a, b, c) = (message("a", "a"), message("b", "b"), message("c", "c"));
    check(
        &[&done(&c, 2), &done(&a, 0), &done(&b, 1), COMPLETED],
        &[
            text_block("a", Some(&a)),
            text_block("b", Some(&b)),
            text_block("c", Some(&c)),
            END,
        ],
    );
    // An index that never comes holds nothing back for good.
    check(
        &[&done(&c, 7), &done(&b, 5), COMPLETED],
        &[text_block("b", Some(&b)), text_block("c", Some(&c)), END],
    );
}

#[test]
fn the_final_object_stands_in_for_missing_events() {
    let (a, b) = (message("a", "a"), message("b", "b"));
    let completed = format!(
        r#"{{"type":"response.completed","response":{{"output":[{a},{b}],"usage":null}}}}"#
    );
    let both = [text_block("a", Some(&a)), text_block("b", Some(&b)), END];
    check(&[&completed], &both);
    check(&[&done(&a, 0), &completed], &both);
    check(&[&done(&b, 1), &completed], &both);
    check(&[&done(&a, 0), &done(&b, 1), &completed], &both);
    // Nothing comes twice, however the events were numbered.
    check(&[&done(&a, 1), &done(&b, 2), &completed], &both);
    check(&[&done(&a, 0), &done(&b, 0), &completed], &both);
    check(
        &[
            &done(&a, 0),
            &done(&a, 0),
            &done(&b, 1),
            &done(&b, 1),
            &completed,
        ],
        &both,
    );
    // What only pieces say, and the final object does not, was not meant.
    let piece =
        r#"{"type":"response.output_text.delta","item_id":"z","output_index":9,"delta":"z"}"#;
    let expected = [&[text("z")], &both[..]].concat();
    check(&[piece, &completed], &expected);
    // An item that cannot be read is made from its pieces.
    let broken = completed.replace(r#"{"type":"message","id":"b""#, r#"{"type":7,"id":"b""#);
    let piece =
        r#"{"type":"response.output_text.delta","item_id":"b","output_index":1,"delta":"b"}"#;
    let expected = [text("b"), both[0].clone(), text_block("b", None), END];
    check(&[piece, &broken], &expected);
}

#[test]
fn a_call_is_not_lost_where_the_service_names_all_of_them_alike() {
    let call = |n: u32| {
        format!(
            r#"{{"type":"function_call","id":"fc","call_id":"c","name":"f","arguments":"{n}"}}"#
        )
    };
    let (first, second) = (call(1), call(2));
    let completed =
        format!(r#"{{"type":"response.completed","response":{{"output":[{first},{second}]}}}}"#);
    let expected = [
        call_block("c", "f", "1", Some(&first)),
        call_block("fc", "f", "2", None),
        END,
    ];
    check(&[&done(&first, 0), &done(&second, 1), COMPLETED], &expected);
    let twice = [&done(&first, 0), &done(&second, 1), &done(&second, 1)];
    check(&[twice[0], twice[1], twice[2], &completed], &expected);
}

#[test]
fn pieces_do_where_nothing_else_came() {
    let added = |name: &str, call_id: &str| {
        let item = format!(r#"{{"type":"function_call","name":"{name}","call_id":"{call_id}"}}"#);
        format!(r#"{{"type":"response.output_item.added","item":{item}}}"#)
    };
    check(
        &[
            r#"{"type":"response.reasoning_summary_text.delta","delta":"hm"}"#,
            r#"{"type":"response.output_text.delta","delta":"a"}"#,
            r#"{"type":"response.output_text.delta","delta":"b"}"#,
            &added("f", "c1"),
            r#"{"type":"response.function_call_arguments.delta","delta":"{\"x\":"}"#,
            r#"{"type":"response.function_call_arguments.delta","delta":"1}"}"#,
            &added("g", "c2"),
            r#"{"type":"response.function_call_arguments.done","arguments":"{\"y\":2}"}"#,
            &added("h", "c3"),
            COMPLETED,
        ],
        &[
            thinking("hm"),
            text("ab"),
            Delta::Block(Block::Thinking {
                text: "hm".into(),
                opaque: None,
            }),
            text_block("ab", None),
            call_block("c1", "f", r#"{"x":1}"#, None),
            call_block("c2", "g", r#"{"y":2}"#, None),
            call_block("c3", "h", "{}", None),
            END,
        ],
    );
}

#[test]
fn servers_may_leave_out_numbers_or_names_or_change_them() {
    let item = message("m", "ab");
    let done_bare = format!(r#"{{"type":"response.output_item.done","item":{item}}}"#);
    let expected = [text("ab"), text_block("ab", Some(&item)), END];
    let delta = |fields: &str, text: &str| {
        format!(r#"{{"type":"response.output_text.delta",{fields}"delta":"{text}"}}"#)
    };
    // No number and no name, then a name; a new name each time; numbers that start at 1.
    check(
        &[&delta("", "a"), &delta("", "b"), &done_bare, COMPLETED],
        &expected,
    );
    let added = r#"{"type":"response.output_item.added","output_index":0,
        "item":{"id":"n1","type":"message","role":"assistant","content":[]}}"#;
    check(
        &[
            added,
            &delta(r#""item_id":"n2","output_index":0,"#, "a"),
            &delta(r#""item_id":"n3","output_index":0,"#, "b"),
            &done(&item, 0),
            COMPLETED,
        ],
        &expected,
    );
    let first = delta(r#""item_id":"m","output_index":1,"#, "a");
    let second = delta(r#""item_id":"m","output_index":1,"#, "b");
    check(&[&first, &second, &done(&item, 1), COMPLETED], &expected);
    // Every number is 0.
    let other = message("n", "c");
    check(
        &[&done(&item, 0), &done(&other, 0), COMPLETED],
        &[
            text_block("ab", Some(&item)),
            text_block("c", Some(&other)),
            END,
        ],
    );
}

#[test]
fn a_call_always_has_an_id_of_its_own() {
    let bare = r#"{"type":"function_call","name":"f","arguments":"{}"}"#;
    let named = r#"{"type":"function_call","id":"fc","name":"f","arguments":"{}"}"#;
    let called = r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#;
    check(
        &[
            r#"{"type":"response.created","response":{"id":"resp_9"}}"#,
            &done(bare, 0),
            &done(named, 1),
            &done(called, 2),
            &done(called, 3),
            COMPLETED,
        ],
        &[
            call_block("call_resp_9_0", "f", "{}", None),
            call_block("fc", "f", "{}", None),
            call_block("c", "f", "{}", Some(called)),
            call_block("call_resp_9_3", "f", "{}", None),
            END,
        ],
    );
}

#[test]
fn an_answer_ends_in_one_of_these_ways() {
    let item = message("m", "a");
    let ended = |kind: &str, fields: &str| {
        format!(r#"{{"type":"response.{kind}","response":{{{fields}}}}}"#)
    };
    let text = || text_block("a", Some(&item));
    let more = ended("completed", r#""end_turn":false"#);
    check(
        &[&done(&item, 0), &more],
        &[text(), Delta::Stop(Stop::Continue)],
    );
    let call = r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#;
    check(
        &[&done(call, 0), &more],
        &[call_block("c", "f", "{}", Some(call)), END],
    );
    for (reason, stop) in [
        ("max_output_tokens", Stop::Length),
        ("content_filter", Stop::Filter),
    ] {
        let reason = format!(r#""incomplete_details":{{"reason":"{reason}"}}"#);
        let incomplete = ended("incomplete", &reason);
        check(
            &[&done(&item, 0), &incomplete],
            &[text(), Delta::Stop(stop)],
        );
    }
    // What the object says counts more than the name.
    let cut = r#""status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}"#;
    check(
        &[&done(&item, 0), &ended("completed", cut)],
        &[text(), Delta::Stop(Stop::Length)],
    );
    let detail = "the service broke the answer off: it gave no reason".into();
    let error = Error::Retry {
        after: None,
        detail,
    };
    check_error(&[&ended("incomplete", "")], error);
}

#[test]
fn a_call_that_was_cut_off_is_not_given_out() {
    let cut = r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a",
        "status":"incomplete"}"#;
    let pieces = r#"{"type":"response.output_text.delta","output_index":0,"delta":"a"}"#;
    let reason = r#""incomplete_details":{"reason":"max_output_tokens"}"#;
    let response = format!(r#"{{"output":[{cut}],{reason}}}"#);
    let incomplete = format!(r#"{{"type":"response.incomplete","response":{response}}}"#);
    let length = || Delta::Stop(Stop::Length);
    check(&[&done(cut, 0), &incomplete], &[length()]);
    check(&[&incomplete], &[length()]);
    let expected = [text("a"), text_block("a", None), length()];
    check(
        &[pieces, &done(cut, 1), &incomplete.replace(cut, "")],
        &expected,
    );
}

#[test]
fn failures_within_the_stream_are_typed() {
    let failed = |error: &str| {
        format!(r#"{{"type":"response.failed","response":{{"error":{error},"status":"failed"}}}}"#)
    };
    let retry = |after: Option<u64>, detail: &str| Error::Retry {
        after: after.map(Duration::from_millis),
        detail: detail.into(),
    };
    check_error(
        &[&failed(
            r#"{"code":"rate_limit_exceeded","message":"Please try again in 1.898s"}"#,
        )],
        retry(Some(1_898), "Please try again in 1.898s"),
    );
    // Gateways leave out the type, or send an object as they would with a status.
    check_error(
        &[r#"{"error":{"message":"the maximum context length is 4096 tokens","code":400}}"#],
        Error::Overflow {
            window: Some(4_096),
            detail: "the maximum context length is 4096 tokens".into(),
        },
    );
    check_error(&[r#"{"error":"overloaded"}"#], retry(None, "overloaded"));
    let silent = "the service broke the answer off without saying why";
    check_error(&[&failed("null")], retry(None, silent));
    let detail = "too long".to_string();
    check_error(
        &[&failed(
            r#"{"code":"context_length_exceeded","message":"too long"}"#,
        )],
        Error::Overflow {
            window: None,
            detail,
        },
    );
    let refused = || Error::Refused {
        status: 200,
        detail: "no".into(),
    };
    check_error(
        &[&failed(r#"{"code":"invalid_prompt","message":"no"}"#)],
        refused(),
    );
    check_error(
        &[r#"{"type":"error","code":"invalid_prompt","message":"no","param":null}"#],
        refused(),
    );
    check_error(
        &[r#"{"type":"error",
                "error":{"type":"usage_limit_reached","message":"spent","resets_at":5}}"#],
        Error::Quota {
            resets_at: Some(5),
            detail: "spent".into(),
        },
    );
}

#[test]
fn an_answer_without_end_is_refused() {
    let mut decoder = Decoder::new("codex");
    let mut out = Vec::new();
    let refused = (0..2_000).find_map(|index| {
        let data = done(&message(&format!("m{index}"), ""), index);
        decoder.feed(&event(&data), &mut out).err()
    });
    assert!(
        matches!(refused, Some(Error::Refused { .. })),
        "{refused:?}"
    );
    assert!(out.len() <= 1_000);
}
