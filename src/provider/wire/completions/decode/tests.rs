//! Tests of the decoder: streams in the shapes of real servers, odd ones, every typed ending.

use super::*;
use crate::provider::Decoder as _;
use std::time::Duration;

mod streams;

/// An event that is given by its data alone.
fn event(data: &str) -> Event<'_> {
    Event {
        name: None,
        data,
        id: "",
        retry_ms: None,
    }
}

/// Decodes events that are given by their data alone.
fn decode(data: &[&str]) -> Result<Vec<Delta>, Error> {
    let mut decoder = Decoder::new("p");
    let mut out = Vec::new();
    for data in data {
        decoder.feed(&event(data), &mut out)?;
    }
    decoder.finish(&mut out)?;
    assert!(decoder.is_done());
    Ok(out)
}

fn delta(said: &str) -> String {
    format!(r#"{{"choices":[{{"index":0,"delta":{said},"finish_reason":null}}]}}"#)
}

fn finish(reason: &str) -> String {
    format!(r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}"#)
}

fn text(text: &str) -> Delta {
    Delta::Text(text.into())
}

fn text_block(text: &str) -> Delta {
    let text = text.into();
    Delta::Block(Block::Text { text, opaque: None })
}

fn thinking_block(text: &str) -> Delta {
    let text = text.into();
    Delta::Block(Block::Thinking { text, opaque: None })
}

const END: Delta = Delta::Stop(Stop::End);

#[track_caller]
fn check(data: &[&str], expected: &[Delta]) {
    assert_eq!(decode(data).as_deref(), Ok(expected), "{data:?}");
}

#[track_caller]
fn check_retry(data: &[&str], detail: &str) {
    assert_eq!(decode(data), Err(retry(detail)), "{data:?}");
}

const HI: &str = r#"{"choices":[{"delta":{"content":"hi"}}]}"#;

fn hi(last: Delta) -> [Delta; 3] {
    [text("hi"), text_block("hi"), last]
}

#[test]
fn reasons_are_typed() {
    for (reason, stop) in [
        ("stop", Stop::End),
        ("tool_calls", Stop::End),
        ("function_call", Stop::End),
        ("STOP", Stop::End),
        ("eos_token", Stop::End),
        ("length", Stop::Length),
        ("MAX_TOKENS", Stop::Length),
        ("content_filter", Stop::Filter),
    ] {
        check(&[HI, &finish(reason)], &hi(Delta::Stop(stop)));
        check(
            &[HI, &finish(reason), "[DONE]", "x"],
            &hi(Delta::Stop(stop)),
        );
    }
    check_retry(
        &[HI, &finish("error")],
        "the service broke the answer off: error",
    );
    check_retry(
        &[HI, &finish("")],
        "the stream ended before the answer was whole",
    );
}

#[test]
fn an_end_may_be_said_in_one_of_two_ways() {
    check(&[HI, "[DONE]"], &hi(END));
    check(&[&finish("stop")], &[END]);
    check_retry(&[HI], "the stream ended before the answer was whole");
    check_retry(&[], "the stream ended before the answer was whole");
    check_retry(&["[DONE]"], "the stream ended without an answer");
}

#[test]
fn a_piece_that_was_cut_is_not_passed_over() {
    let detail = "a piece of the answer is not whole JSON";
    check_retry(
        &[HI, r#"{"choices":[{"delta":{"content":"#, &finish("stop")],
        detail,
    );
}

#[test]
fn what_is_not_understood_is_skipped() {
    check(
        &[
            "",
            "ping",
            "[]",
            "7",
            "{}",
            r#"{"choices":[]}"#,
            r#"{"choices":7,"usage":[]}"#,
            r#"{"choices":[null],"error":null}"#,
            r#"{"choices":[{"delta":7}]}"#,
            r#"{"choices":[{"delta":null,"message":null,"finish_reason":7}]}"#,
            &delta(r#"{"content":{"x":1},"reasoning":7,"tool_calls":[],"function_call":null}"#),
            HI,
            &finish("stop"),
        ],
        &hi(END),
    );
}

#[test]
fn thoughts_are_found_in_every_field_and_once() {
    for said in [
        r#"{"reasoning":"hm"}"#,
        r#"{"reasoning":"hm","content":null}"#,
        r#"{"reasoning_details":[{"type":"reasoning.text","text":"hm"}]}"#,
        r#"{"reasoning":"hm","reasoning_details":[{"type":"reasoning.summary","summary":"hm"}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#,
        r#"{"content":"<think>hm</think>"}"#,
    ] {
        let mut deltas = decode(&[&delta(said), HI, "[DONE]"]).unwrap();
        deltas.retain(|delta| !matches!(delta, Delta::Block(Block::Other(_))));
        let expected = [
            Delta::Thinking("hm".into()),
            thinking_block("hm"),
            text("hi"),
            text_block("hi"),
            END,
        ];
        assert_eq!(deltas, expected, "{said}");
    }
}

#[test]
fn thoughts_that_may_be_wanted_back_are_marked() {
    let said = delta(r#"{"reasoning_content":"hm","reasoning":"hm"}"#);
    let opaque = Some(Opaque {
        provider: "p".into(),
        json: REASONING_CONTENT.into(),
    });
    let text = "hm".to_string();
    let block = Delta::Block(Block::Thinking { text, opaque });
    check(
        &[&said, "[DONE]"],
        &[Delta::Thinking("hm".into()), block, END],
    );
}

#[test]
fn words_come_as_text_parts_and_refusals_too() {
    for said in [
        r#"{"content":[{"type":"text","text":"h"},{"type":"text","text":"i"}]}"#,
        r#"{"content":["h","i"]}"#,
        r#"{"content":"h","refusal":"i"}"#,
    ] {
        check(&[&delta(said), "[DONE]"], &hi(END));
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    check(
        &[&delta(&format!(r#"{{"content":{deep}}}"#)), HI, "[DONE]"],
        &hi(END),
    );
}

#[test]
fn a_whole_answer_at_the_end_of_its_pieces_comes_once() {
    let whole = r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}"#;
    check(&[whole], &hi(END));
    check(&[HI, whole], &hi(END));
}

#[test]
fn tokens_are_counted_wherever_they_are_said() {
    let usage = r#"{"prompt_tokens":9,"completion_tokens":5,
        "prompt_tokens_details":{"cached_tokens":4},
        "completion_tokens_details":{"reasoning_tokens":3}}"#;
    let expected = Delta::Usage(Usage {
        input: 9,
        cached: 4,
        output: 5,
        reasoning: 3,
    });
    let alone = format!(r#"{{"choices":[],"usage":{usage}}}"#);
    let null = r#"{"choices":[],"usage":null}"#;
    let zero = r#"{"choices":[{"delta":{}}],"usage":{"prompt_tokens":0}}"#;
    let groq = format!(r#"{{"choices":[{{"delta":{{}}}}],"x_groq":{{"usage":{usage}}}}}"#);
    let moonshot = format!(r#"{{"choices":[{{"delta":{{}},"usage":{usage}}}]}}"#);
    for said in [
        [&alone, zero],
        [&groq, null],
        [&moonshot, null],
        [null, &alone],
    ] {
        let end = finish("stop");
        let [block, ..] = [text_block("hi")];
        check(
            &[HI, &end, said[0], said[1], "[DONE]"],
            &[text("hi"), block, expected.clone(), END],
        );
    }
}

#[test]
fn nothing_is_waited_for_after_the_last_tokens() {
    let mut decoder = Decoder::new("p");
    let mut out = Vec::new();
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":1}}"#;
    for (data, is_done) in [(HI, false), (&finish("stop"), false), (usage, true)] {
        decoder.feed(&event(data), &mut out).unwrap();
        assert_eq!(decoder.is_done(), is_done, "{data}");
    }
}

#[test]
fn the_calls_of_older_servers_are_calls() {
    let said = [
        delta(r#"{"content":null,"function_call":{"name":"t","arguments":""}}"#),
        delta(r#"{"function_call":{"arguments":"{\"a\":"}}"#),
        delta(r#"{"function_call":{"arguments":"1}"}}"#),
    ];
    let mut said: Vec<&str> = said.iter().map(String::as_str).collect();
    let end = finish("function_call");
    said.push(&end);
    let deltas = decode(&said).unwrap();
    let [Delta::Block(Block::Call(call)), END] = &deltas[..] else {
        panic!("{deltas:?}");
    };
    assert_eq!(
        (call.name.as_str(), call.arguments.as_str()),
        ("t", r#"{"a":1}"#)
    );
}

#[test]
fn errors_within_a_stream_are_typed() {
    let retry = |after_s: Option<u64>, detail: &str| Error::Retry {
        after: after_s.map(Duration::from_secs),
        detail: detail.into(),
    };
    let refused = |status, detail: &str| Error::Refused {
        status,
        detail: detail.into(),
    };
    for (data, expected) in [
        (r#"{"error":"gone"}"#, retry(None, "gone")),
        (
            r#"{"error":{"message":"no","code":400}}"#,
            refused(400, "no"),
        ),
        (
            r#"{"error":{"message":"no","code":"404"}}"#,
            refused(404, "no"),
        ),
        (
            r#"{"error":{"message":"slow","code":429}}"#,
            retry(None, "slow"),
        ),
        (
            r#"{"object":"error","message":"no","type":"BadRequestError","code":400}"#,
            refused(400, "no"),
        ),
        (r#"{"detail":"no"}"#, retry(None, "no")),
        (
            r#"{"error":{"message":"down"},"choices":[{"delta":{"content":""},
            "finish_reason":"error"}]}"#,
            retry(None, "down"),
        ),
    ] {
        assert_eq!(decode(&[HI, data]), Err(expected), "{data}");
    }
}

#[test]
fn details_of_thoughts_are_read_as_thoughts_and_kept() {
    let kept = |json: &str| {
        Delta::Block(Block::Other(Opaque {
            provider: "p".into(),
            json: json.into(),
        }))
    };
    check(
        &[
            &delta(r#"{"reasoning_details":[{"type":"reasoning.summary","summary":"a"}]}"#),
            &delta(
                r#"{"reasoning":"b","reasoning_details":[{"type":"reasoning.summary",
                "summary":"b"}]}"#,
            ),
            &delta(r#"{"content":"yes"}"#),
            &delta(r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}"#),
            &finish("stop"),
        ],
        &[
            Delta::Thinking("ab".into()),
            thinking_block("ab"),
            text("yes"),
            text_block("yes"),
            kept(concat!(
                r#"{"host":"","reasoning_details":[{"summary":"ab","type":"reasoning.summary"},"#,
                r#"{"type":"reasoning.encrypted","data":"x"}]}"#
            )),
            END,
        ],
    );
}
