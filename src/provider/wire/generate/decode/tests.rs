//! Tests of the decoder: streams in the shape of the service's, cut at every byte; every ending.

use super::*;
use crate::http::sse::Parser;
use crate::provider::Decoder as _;

// Made by hand in the shape of the service's streams.
const CALLS: &str = include_str!("../../../../../tests/data/provider/gemini/calls.sse");
const WORDS: &str = include_str!("../../../../../tests/data/provider/gemini/words.sse");
const BARE_CALLS: &str = include_str!("../../../../../tests/data/provider/gemini/bare_calls.sse");
const STOPS: &str =
    include_str!("../../../../../tests/data/provider/gemini/stop_in_every_chunk.sse");
const CODE: &str = include_str!("../../../../../tests/data/provider/gemini/code.sse");

/// Decodes a stream that comes in these pieces.
fn decode_pieces(pieces: &[&[u8]]) -> Result<Vec<Delta>, Error> {
    let mut parser = Parser::new();
    let mut decoder = Decoder::new("gemini", 3);
    let mut out = Vec::new();
    for mut piece in pieces.iter().copied() {
        while let Some(event) = parser.feed(&mut piece).unwrap() {
            decoder.feed(&event, &mut out)?;
        }
    }
    decoder.finish(&mut out)?;
    assert!(decoder.is_done());
    Ok(out)
}

/// Decodes chunks that are given by their data alone.
fn decode(chunks: &[&str]) -> Result<Vec<Delta>, Error> {
    let stream: Vec<String> = chunks
        .iter()
        .map(|data| format!("data: {data}\n\n"))
        .collect();
    decode_pieces(&[stream.concat().as_bytes()])
}

/// The stream gives these deltas wherever it is cut in two, and another try if it is cut off.
#[track_caller]
fn check_stream(stream: &str, expected: &[Delta]) {
    let bytes = stream.as_bytes();
    assert_eq!(decode_pieces(&[bytes]).as_deref(), Ok(expected));
    for cut in 0..bytes.len() {
        let (start, rest) = bytes.split_at(cut);
        let whole = decode_pieces(&[start, rest]);
        assert_eq!(whole.as_deref(), Ok(expected), "cut at {cut}");
        match decode_pieces(&[start]) {
            Ok(deltas) => assert!(matches!(deltas.last(), Some(Delta::Stop(_)))),
            Err(error) => assert!(matches!(error, Error::Retry { .. }), "{error}"),
        }
    }
}

/// The parts of a stream that have this in them, as they stand there.
fn parts<'a>(stream: &'a str, words: &str) -> Vec<&'a str> {
    let lines = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    let chunks = lines.flat_map(|line| {
        let candidates = Fields::read(line).unwrap().list("candidates");
        let first = candidates.first().map(|raw| Fields::read(raw.get()));
        let content = first.and_then(|candidate| candidate?.raw("content"));
        content.map_or(Vec::new(), |raw| {
            Fields::read(raw.get()).unwrap().list("parts")
        })
    });
    let found = chunks.map(RawValue::get);
    found.filter(|part| part.contains(words)).collect()
}

fn opaque(json: &str) -> Option<Opaque> {
    Some(Opaque {
        provider: "gemini".into(),
        json: format!("[{json}]"),
    })
}

fn text(text: &str) -> Delta {
    Delta::Text(text.into())
}

fn text_block(text: &str, json: Option<&str>) -> Delta {
    Delta::Block(Block::Text {
        text: text.into(),
        opaque: json.and_then(opaque),
    })
}

fn call(id: &str, name: &str, arguments: &str, json: Option<&str>) -> Delta {
    Delta::Block(Block::Call(ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        kind: CallKind::Function,
        opaque: json.and_then(opaque),
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

#[test]
fn thoughts_words_and_calls_come_in_their_order() {
    let calls = parts(CALLS, "functionCall");
    assert!(calls[0].contains(r"vvT\/x\u003d"), "kept byte for byte");
    let thought = "**Looking around**\n\nI should read the file “first”.\n";
    check_stream(
        CALLS,
        &[
            Delta::Thinking("**Looking around**\n\nI should read".into()),
            Delta::Thinking(" the file “first”.\n".into()),
            Delta::Block(Block::Thinking {
                text: thought.into(),
                opaque: None,
            }),
            text("I read"),
            text(" it 😀"),
            text_block("I read it 😀", None),
            call(
                "k3x9",
                "read",
                r#"{"path": "a.txt","limit": 20}"#,
                Some(calls[0]),
            ),
            call(
                "p0z1",
                "bash",
                r#"{"command": "echo \"\u00e9\""}"#,
                Some(calls[1]),
            ),
            usage(1_200, 1_024, 107, 64),
            END,
        ],
    );
}

#[test]
fn a_text_is_one_block_and_its_signed_parts_are_kept_apart() {
    let signed = parts(WORDS, "thoughtSignature");
    let json = format!(
        r#"{{"text":"The answer is\n"}},{},{}"#,
        signed[0], signed[1]
    );
    check_stream(
        WORDS,
        &[
            text("The answer"),
            text(" is\n"),
            text("42."),
            text_block("The answer is\n42.", Some(&json)),
            usage(10, 0, 16, 9),
            END,
        ],
    );
}

#[test]
fn calls_without_ids_get_some_and_tokens_may_be_counted_late() {
    let calls = parts(BARE_CALLS, "functionCall");
    check_stream(
        BARE_CALLS,
        &[
            call("call_R-1_0", "bash", r#"{"command": "ls"}"#, Some(calls[0])),
            call(
                "call_R-1_1",
                "bash",
                r#"{"command": "pwd"}"#,
                Some(calls[1]),
            ),
            call("call_R-1_2", "noop", "{}", Some(calls[2])),
            text_block("", Some(parts(BARE_CALLS, "QQ==")[0])),
            usage(5, 0, 7, 0),
            END,
        ],
    );
}

#[test]
fn an_end_in_every_chunk_is_none_but_the_last() {
    check_stream(
        STOPS,
        &[
            text("Once"),
            text(" upon"),
            text(" a time."),
            text_block("Once upon a time.", None),
            usage(8, 0, 5, 0),
            END,
        ],
    );
}

#[test]
fn parts_that_only_the_service_knows_are_kept() {
    let other = |words: &str| {
        let json = opaque(parts(CODE, words)[0]);
        Delta::Block(Block::Other(json.unwrap()))
    };
    check_stream(
        CODE,
        &[
            other("executableCode"),
            other("codeExecutionResult"),
            text("It is 42."),
            text_block("It is 42.", None),
            usage(9, 0, 20, 0),
            END,
        ],
    );
}

/// A chunk with these parts and this rest of a candidate.
fn chunk(parts: &str, rest: &str) -> String {
    format!(r#"{{"candidates":[{{"content":{{"role":"model","parts":[{parts}]}}{rest}}}]}}"#)
}

fn ending(reason: &str) -> String {
    format!(r#","finishReason":"{reason}","finishMessage":"why""#)
}

#[test]
fn an_answer_is_over_as_soon_as_it_says_so() {
    let usage = r#","usageMetadata":{"promptTokenCount":1}}"#;
    let with_usage = |chunk: String| format!("{}{usage}", chunk.strip_suffix('}').unwrap());
    let is_done_after = |chunks: &[String]| {
        let mut decoder = Decoder::new("gemini", 0);
        for data in chunks {
            let event = Event {
                name: None,
                data,
                id: "",
                retry_ms: None,
            };
            decoder.feed(&event, &mut Vec::new()).unwrap();
        }
        decoder.is_done()
    };
    let word = chunk(r#"{"text":"a"}"#, "");
    let stop = with_usage(chunk("", &ending("STOP")));
    assert!(is_done_after(&[word.clone(), stop.clone()]));
    assert!(!is_done_after(&[word.clone(), chunk("", &ending("STOP"))]));
    assert!(!is_done_after(std::slice::from_ref(&stop)));
    let call = r#"{"functionCall":{"name":"f"}}"#;
    assert!(is_done_after(&[with_usage(chunk(call, &ending("STOP")))]));
    assert!(is_done_after(&[with_usage(chunk("", &ending("SAFETY")))]));
    assert!(is_done_after(&[stop, "[DONE]".into()]));
    assert!(!is_done_after(&[word, "[DONE]".into()]));
}

#[test]
fn an_answer_ends_in_one_of_these_ways() {
    let word = r#"{"text":"a"}"#;
    let said = |stop| vec![text("a"), text_block("a", None), Delta::Stop(stop)];
    for (reason, stop) in [
        ("STOP", Stop::End),
        ("stop", Stop::End),
        ("MAX_TOKENS", Stop::Length),
        ("SAFETY", Stop::Filter),
        ("RECITATION", Stop::Filter),
        ("BLOCKLIST", Stop::Filter),
        ("PROHIBITED_CONTENT", Stop::Filter),
        ("SPII", Stop::Filter),
        ("IMAGE_SAFETY", Stop::Filter),
    ] {
        let found = decode(&[&chunk(word, &ending(reason))]);
        assert_eq!(found, Ok(said(stop)), "{reason}");
    }
    for reason in [
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "OTHER",
        "NEW",
    ] {
        let detail = format!("the service broke the answer off: {reason}: why");
        let expected = Error::Retry {
            after: None,
            detail,
        };
        assert_eq!(decode(&[&chunk(word, &ending(reason))]), Err(expected));
    }
    let unsigned = decode(&[&chunk(word, &ending("MISSING_THOUGHT_SIGNATURE"))]);
    assert_eq!(
        unsigned,
        Err(refused("MISSING_THOUGHT_SIGNATURE: why".into()))
    );
}

#[test]
fn a_call_of_an_unknown_tool_is_a_call() {
    let part = r#"{"functionCall":{"name":"undeclared","args":{}}}"#;
    let found = decode(&[&chunk(part, &ending("UNEXPECTED_TOOL_CALL"))]);
    let expected = vec![call("call_m3_0", "undeclared", "{}", Some(part)), END];
    assert_eq!(found, Ok(expected));
    // What the service itself could not read must not run, whatever stands beside it.
    let found = decode(&[&chunk(part, &ending("MALFORMED_FUNCTION_CALL"))]);
    assert!(matches!(found, Err(Error::Retry { .. })));
}

#[test]
fn a_prompt_that_is_blocked_is_refused() {
    let blocked = r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT",
        "blockReasonMessage":"no"},"usageMetadata":{"promptTokenCount":4}}"#;
    let blocked = blocked.replace('\n', "");
    let detail = "the prompt was blocked: PROHIBITED_CONTENT: no".into();
    assert_eq!(decode(&[&blocked]), Err(refused(detail)));
    let passed = r#"{"promptFeedback":{"safetyRatings":[]}}"#;
    assert!(matches!(decode(&[passed]), Err(Error::Retry { .. })));
}

#[test]
fn failures_within_the_stream_are_typed() {
    let word = chunk(r#"{"text":"a"}"#, "");
    let busy = r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#;
    let retry = Error::Retry {
        after: None,
        detail: "status 503: busy".into(),
    };
    assert_eq!(decode(&[&word, busy]), Err(retry));
    let key = r#"{"error":{"code":400,"message":"API key not valid.","details":[]}}"#;
    assert!(matches!(decode(&[key]), Err(Error::Auth { .. })));
    let lost = decode(&[&word]);
    let detail = "the stream ended before the answer was whole".to_string();
    assert_eq!(
        lost,
        Err(Error::Retry {
            after: None,
            detail
        })
    );
}

#[test]
fn a_list_of_chunks_is_an_answer_too() {
    let (word, end) = (chunk(r#"{"text":"a"}"#, ""), chunk("", &ending("STOP")));
    let single = decode(&[&word, &end]);
    assert!(single.is_ok(), "{single:?}");
    assert_eq!(decode(&[&format!("[{word},{end}]")]), single);
}

#[test]
fn every_call_of_an_answer_has_an_id_of_its_own() {
    let part = |n: u32| format!(r#"{{"functionCall":{{"id":"c","name":"f","args":{{"n":{n}}}}}}}"#);
    let both = format!("{},{}", part(1), part(2));
    let found = decode(&[&chunk(&both, &ending("STOP"))]);
    let expected = vec![
        call("c", "f", r#"{"n":1}"#, Some(&part(1))),
        call("call_m3_1", "f", r#"{"n":2}"#, Some(&part(2))),
        END,
    ];
    assert_eq!(found, Ok(expected));
}

#[test]
fn what_is_not_understood_is_skipped() {
    let end = chunk(r#"{"text":"a"},7,{},{"text":7}"#, &ending("STOP"));
    let found = decode(&[
        "",
        "{",
        "[]",
        "7",
        "{}",
        r#"{"candidates":7}"#,
        r#"{"candidates":[]}"#,
        r#"{"candidates":[7]}"#,
        r#"{"candidates":[{"content":null}]}"#,
        r#"{"candidates":[{"content":{"parts":7}}],"usageMetadata":7}"#,
        &end,
    ]);
    assert_eq!(found, Ok(vec![text("a"), text_block("a", None), END]));
}

#[test]
fn an_answer_without_end_is_refused() {
    let mut decoder = Decoder::new("gemini", 0);
    let mut out = Vec::new();
    let data = chunk(r#"{"functionCall":{"name":"f"}}"#, "");
    let event = Event {
        name: None,
        data: &data,
        id: "",
        retry_ms: None,
    };
    let refused = (0..2_000).find_map(|_| decoder.feed(&event, &mut out).err());
    assert!(matches!(refused, Some(Error::Refused { .. })));
    assert_eq!(out.len(), CALLS_MAX);
}
