//! Tests of the decoder: whole streams cut at every byte, gateways, every typed ending.

use super::*;
use crate::chat::Block;
use crate::chat::CallKind;
use crate::chat::Opaque;
use crate::chat::ToolCall;
use crate::http::sse::Parser;
use crate::provider::Decoder as _;
use std::fmt::Write as _;

/// Made by hand in the shape of the service's streams, with everything that an answer can have.
const WHOLE: &str = include_str!("../../../../../tests/data/provider/anthropic/whole.sse");
/// What a gateway may make of one.
const GATEWAY: &str = include_str!("../../../../../tests/data/provider/anthropic/gateway.sse");
const OVERLOADED: &str =
    include_str!("../../../../../tests/data/provider/anthropic/overloaded.sse");
const CUT: &str = include_str!("../../../../../tests/data/provider/anthropic/cut.sse");

/// Decodes a stream that comes in these pieces.
fn decode_pieces(pieces: &[&[u8]]) -> Result<Vec<Delta>, Error> {
    let mut decoder = Decoder::new("p");
    let mut parser = Parser::new();
    let mut out = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while let Some(event) = parser.feed(&mut rest).unwrap() {
            decoder.feed(&event, &mut out)?;
        }
    }
    decoder.finish(&mut out)?;
    assert!(decoder.is_done());
    Ok(out)
}

fn decode_stream(stream: &str) -> Result<Vec<Delta>, Error> {
    decode_pieces(&[stream.as_bytes()])
}

/// Decodes events that are given by their data alone.
fn decode(data: &[&str]) -> Result<Vec<Delta>, Error> {
    let mut stream = String::new();
    for data in data {
        write!(stream, "data: {data}\n\n").unwrap();
    }
    decode_stream(&stream)
}

fn text(text: &str) -> Delta {
    Delta::Text(text.into())
}

fn text_block(text: &str) -> Delta {
    Delta::Block(Block::Text {
        text: text.into(),
        opaque: None,
    })
}

fn opaque(json: &str) -> Opaque {
    Opaque {
        provider: "p".into(),
        json: json.into(),
    }
}

fn thinking_block(text: &str, json: Option<&str>) -> Delta {
    Delta::Block(Block::Thinking {
        text: text.into(),
        opaque: json.map(opaque),
    })
}

fn call_block(id: &str, name: &str, arguments: &str) -> Delta {
    Delta::Block(Block::Call(ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        kind: CallKind::Function,
        opaque: None,
    }))
}

fn usage(input: u64, cached: u64, output: u64, reasoning: u64) -> Delta {
    Delta::Usage(Usage {
        input,
        cached,
        output,
        reasoning,
    })
}

const END: Delta = Delta::Stop(Stop::End);
const STOP: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#;

#[track_caller]
fn check(data: &[&str], expected: &[Delta]) {
    assert_eq!(decode(data).as_deref(), Ok(expected));
}

/// The same however the stream is cut, at every byte at once too.
#[track_caller]
fn check_stream(stream: &str, expected: Result<&[Delta], Error>) {
    let crlf = stream.replace('\n', "\r\n");
    assert_eq!(decode_stream(&crlf).as_deref(), expected.as_deref());
    for size in [1, 2, 3, 7, 64, stream.len()] {
        let pieces: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
        let decoded = decode_pieces(&pieces);
        assert_eq!(decoded.as_deref(), expected.as_deref(), "cut every {size}");
    }
}

fn whole_deltas() -> Vec<Delta> {
    let thought = concat!(
        r#"{"type":"thinking","thinking":"Look at \"it\"\n","signature":"#,
        r#""EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds+/="}"#
    );
    let redacted = r#"{"type":"redacted_thinking", "data":"EmwKAhgBEgy3va3pzix/LafPsn4a\u003d"}"#;
    let searched = concat!(
        r#"{"id":"srvtoolu_014","input":{"query": "weather"},"#,
        r#""name":"web_search","type":"server_tool_use"}"#
    );
    let found = concat!(
        r#"{"type":"web_search_tool_result","tool_use_id":"srvtoolu_014","content":"#,
        r#"[{"type":"web_search_result","title":"W","url":"https://example.org/","#,
        r#""encrypted_content":"Ev0D","page_age":null}]}"#
    );
    vec![
        Delta::Thinking("Look at \"it\"\n".into()),
        thinking_block("Look at \"it\"\n", Some(thought)),
        thinking_block("", Some(redacted)),
        Delta::Search("weather".into()),
        Delta::Block(Block::Other(opaque(searched))),
        Delta::Block(Block::Other(opaque(found))),
        text("I read “it” 😀"),
        text_block("I read “it” 😀"),
        call_block(
            "toolu_01T1x1fJ34qAmk2tNTrN7Up6",
            "read",
            "{\"path\": \"é\\n\"}",
        ),
        call_block("toolu_01GH", "now", "{}"),
        Delta::Link(Link {
            url: "https://example.org/".into(),
            title: "W".into(),
        }),
        usage(4_325, 4_000, 89, 40),
        END,
    ]
}

#[test]
fn a_stream_gives_its_words_at_once_and_its_blocks_whole() {
    check_stream(WHOLE, Ok(&whole_deltas()));
}

#[test]
fn a_gateway_may_leave_out_beginnings_ends_and_numbers() {
    let expected = [
        Delta::Thinking("Hm".into()),
        thinking_block("Hm", None),
        text("Let me see."),
        text_block("Let me see."),
        call_block("call_1", "read", r#"{"path":"a"}"#),
        call_block("toolu__3", "read", r#"{"path":"b"}"#),
        usage(7, 0, 3, 0),
        END,
    ];
    check_stream(GATEWAY, Ok(&expected));
}

#[test]
fn an_overload_in_the_middle_is_retried() {
    let overloaded = Error::Retry {
        after: None,
        detail: "Overloaded".into(),
    };
    check_stream(OVERLOADED, Err(overloaded));
}

#[test]
fn what_a_limit_cut_off_is_not_mended() {
    let expected = [
        call_block("toolu_1", "write", r#"{"path":"a","te"#),
        usage(3, 0, 64, 0),
        Delta::Stop(Stop::Length),
    ];
    check_stream(CUT, Ok(&expected));
}

#[test]
fn a_stream_that_ends_before_its_reason_is_retried() {
    let end = WHOLE.find("event: message_delta").unwrap();
    for (cut, _) in WHOLE[..end].match_indices("\n\n") {
        let error = decode_stream(&WHOLE[..cut + 2]).unwrap_err();
        assert!(matches!(error, Error::Retry { after: None, .. }), "{error}");
    }
    let before_stop = WHOLE.find("event: message_stop").unwrap();
    assert_eq!(
        decode_stream(&WHOLE[..before_stop]).unwrap(),
        whole_deltas()
    );
    let without_reason = [&WHOLE[..end], &WHOLE[before_stop..]].concat();
    let deltas = decode_stream(&without_reason).unwrap();
    assert_eq!(deltas.last(), Some(&END));
    assert!(decode(&[r#"{"type":"message_stop"}"#]).is_err());
}

#[test]
fn an_answer_stops_for_one_of_these_reasons() {
    for (reason, stop) in [
        ("end_turn", Stop::End),
        ("tool_use", Stop::End),
        ("stop_sequence", Stop::End),
        ("something_new", Stop::End),
        ("max_tokens", Stop::Length),
        ("pause_turn", Stop::Continue),
        ("refusal", Stop::Filter),
    ] {
        let delta = format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}"}}}}"#);
        check(&[&delta], &[Delta::Stop(stop)]);
    }
    let full = r#"{"type":"message_delta",
        "delta":{"stop_reason":"model_context_window_exceeded"}}"#;
    let full = full.replace('\n', "");
    assert!(matches!(decode(&[&full]), Err(Error::Overflow { .. })));
    let not_yet = r#"{"type":"message_delta","delta":{"stop_reason":null}}"#;
    assert!(matches!(decode(&[not_yet]), Err(Error::Retry { .. })));
}

#[test]
fn failures_within_the_stream_are_typed() {
    #[track_caller]
    fn check(error: &str, is_expected: fn(&Error) -> bool) {
        for data in [
            format!(r#"{{"type":"error","error":{error}}}"#),
            format!(r#"{{"error":{error}}}"#),
        ] {
            let decoded = decode(&[&data]).unwrap_err();
            assert!(is_expected(&decoded), "{data}: {decoded:?}");
        }
    }
    check(r#"{"type":"rate_limit_error","message":"m"}"#, |error| {
        matches!(error, Error::Retry { .. })
    });
    check(r#"{"type":"api_error","message":"m"}"#, |error| {
        matches!(error, Error::Retry { .. })
    });
    check(
        r#"{"type":"authentication_error","message":"m"}"#,
        |error| matches!(error, Error::Auth { .. }),
    );
    check(r#"{"type":"permission_error","message":"m"}"#, |error| {
        matches!(error, Error::Forbidden { .. })
    });
    check(
        r#"{"type":"invalid_request_error","message":"m"}"#,
        |error| matches!(error, Error::Refused { status: 200, .. }),
    );
    check(
        r#"{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}"#,
        |error| matches!(error, Error::Overflow { .. }),
    );
}

#[test]
fn what_is_not_understood_is_skipped() {
    check(
        &[
            "",
            "[DONE]",
            "{",
            "[]",
            "7",
            r#"{"type":7}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"message_start"}"#,
            r#"{"type":"message_start","message":7}"#,
            r#"{"type":"content_block_start","index":0}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":""}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":[]}"#,
            r#"{"type":"content_block_delta","index":0}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"new","x":1}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"text":{}}}"#,
            r#"{"type":"content_block_stop","index":9}"#,
            r#"{"type":"message_delta","usage":7}"#,
            STOP,
            r#"{"type":"message_stop"}"#,
            r#"{"type":"error","error":{"message":"too late"}}"#,
        ],
        &[END],
    );
}

fn start(index: usize, block: &str) -> String {
    let kind = r#""type":"content_block_start""#;
    format!(r#"{{{kind},"index":{index},"content_block":{block}}}"#)
}

/// More of the input of a call; `json` is a JSON value.
fn input(index: usize, json: &str) -> String {
    let kind = r#""type":"content_block_delta""#;
    format!(r#"{{{kind},"index":{index},"delta":{{"partial_json":{json}}}}}"#)
}

fn stop(index: usize) -> String {
    format!(r#"{{"type":"content_block_stop","index":{index}}}"#)
}

fn tool_use(id: &str) -> String {
    format!(r#"{{"type":"tool_use","id":"{id}","name":"t","input":{{}}}}"#)
}

#[test]
fn the_same_number_for_all_blocks_is_no_hindrance() {
    let say = r#"{"type":"content_block_delta","index":0,"delta":{"text":"a"}}"#;
    let words = start(0, r#"{"type":"text","text":""}"#);
    let (first, second) = (start(0, &tool_use("1")), start(0, &tool_use("2")));
    let (one, two) = (input(0, r#""{\"n\":1}""#), input(0, r#""{\"n\":2}""#));
    let stop = stop(0);
    let expected = [
        text("a"),
        text_block("a"),
        call_block("1", "t", r#"{"n":1}"#),
        call_block("2", "t", r#"{"n":2}"#),
        END,
    ];
    let whole = [
        &words, say, &stop, &first, &one, &stop, &second, &two, &stop, STOP,
    ];
    check(&whole, &expected);
    check(&[&words, say, &first, &one, &second, &two, STOP], &expected);
    let twice = [
        &words, &words, say, &stop, &first, &first, &one, &second, &two, STOP,
    ];
    check(&twice, &expected);
}

#[test]
fn calls_may_come_in_pieces_that_alternate() {
    let events = [
        start(2, &tool_use("c2")),
        start(1, &tool_use("c1")),
        input(1, r#""{\"n\":""#),
        input(2, r#""{""#),
        input(1, r#""1}""#),
        stop(2),
        stop(1),
        STOP.to_string(),
    ];
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    let expected = [
        call_block("c1", "t", r#"{"n":1}"#),
        call_block("c2", "t", "{"),
        END,
    ];
    check(&events, &expected);
}

#[test]
fn a_message_may_come_in_one_piece() {
    let whole = r#"{"type":"message","id":"m","content":[{"type":"thinking","thinking":"h",
        "signature":"s"},{"type":"text","text":"a"},{"type":"tool_use","id":"c","name":"t",
        "input":{"x":1}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":2}}"#;
    let whole = whole.replace('\n', "");
    let expected = [
        Delta::Thinking("h".into()),
        text("a"),
        thinking_block(
            "h",
            Some(r#"{"type":"thinking","thinking":"h","signature":"s"}"#),
        ),
        text_block("a"),
        call_block("c", "t", r#"{"x":1}"#),
        usage(1, 0, 2, 0),
        END,
    ];
    check(&[&whole], &expected);
}

#[test]
fn an_input_is_passed_on_as_it_was_written() {
    #[track_caller]
    fn check_input(begun: &str, pieces: &[&str], expected: &str) {
        let block = format!(r#"{{"type":"tool_use","id":"c","name":"t","input":{begun}}}"#);
        let pieces = pieces.iter().map(|json| input(0, json));
        let events: Vec<String> = std::iter::once(start(0, &block)).chain(pieces).collect();
        let mut events: Vec<&str> = events.iter().map(String::as_str).collect();
        events.push(STOP);
        check(&events, &[call_block("c", "t", expected), END]);
    }
    check_input("{}", &[], "{}");
    check_input("null", &[], "{}");
    check_input(r#""""#, &[], "{}");
    check_input("{}", &[r#""""#], "{}");
    check_input(r#"{"a": 1}"#, &[], r#"{"a": 1}"#);
    check_input(r#""{\"a\":1}""#, &[], r#"{"a":1}"#);
    check_input(r#"{"a":1}"#, &[r#""{\"a\":2}""#], r#"{"a":2}"#);
    check_input("{}", &[r#""{\"a\":""#], r#"{"a":"#);
    check_input(
        "{}",
        &[r#""{\"a\":\"\ud83d""#, r#""\"}""#],
        "\"{\\\"a\\\":\\\"\\ud83d\"\"}",
    );
}

#[test]
fn a_call_without_a_name_is_no_answer() {
    let piece = r#"{"type":"content_block_delta","index":0,"delta":{"partial_json":"{}"}}"#;
    assert!(matches!(decode(&[piece, STOP]), Err(Error::Retry { .. })));
}

#[test]
fn numbers_of_tokens_only_grow() {
    let start = r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":0,
        "cache_read_input_tokens":null}}}"#;
    let start = start.replace('\n', "");
    let late = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":
        {"input_tokens":5,"cache_read_input_tokens":8,"output_tokens":9}}"#;
    let late = late.replace('\n', "");
    let zero =
        r#"{"type":"message_delta","delta":{},"usage":{"input_tokens":0,"output_tokens":0}}"#;
    check(&[&start, &late, zero], &[usage(13, 8, 9, 0), END]);
}

#[test]
fn an_answer_without_end_is_refused() {
    let mut decoder = Decoder::new("p");
    decoder.bytes = ANSWER_BYTES_MAX;
    let event = Event {
        name: None,
        data: "{}",
        id: "",
        retry_ms: None,
    };
    let fed = decoder.feed(&event, &mut Vec::new());
    assert!(matches!(fed, Err(Error::Refused { status: 200, .. })));
    let start = r#"{"type":"content_block_start","content_block":{"type":"text","text":""}}"#;
    let many = vec![start; 1_001];
    assert!(matches!(decode(&many), Err(Error::Refused { .. })));
}
