//! Streams in the shapes that real servers send, and what each must give however it is cut.
//!
//! Written by hand after the servers' sources, documentation and public recordings.

use super::*;
use crate::base::mutants::mutants;
use crate::http::sse::Parser;

/// What a stream gives: thoughts, words, calls as id, name and arguments, tokens, the end.
struct Given<'a> {
    thinking: &'a str,
    text: &'a str,
    calls: &'a [(&'a str, &'a str, &'a str)],
    /// Input, cached, output, reasoning.
    usage: [u64; 4],
    stop: Stop,
}

macro_rules! stream {
    ($name:literal) => {
        include_str!(concat!(
            "../../../../../../tests/data/provider/",
            $name,
            ".sse"
        ))
    };
}

/// A stream's answer. What is given out must be the same however the bytes are cut.
fn decode_stream(stream: &str) -> Result<Vec<Delta>, Error> {
    let stream = stream.as_bytes();
    let whole = decode_pieces(&[stream]);
    // Single bytes are a cut at every byte.
    for length in [1, 2, 3, 1_000] {
        let pieces: Vec<&[u8]> = stream.chunks(length).collect();
        assert_eq!(decode_pieces(&pieces), whole, "pieces of {length}");
    }
    whole
}

fn decode_pieces(pieces: &[&[u8]]) -> Result<Vec<Delta>, Error> {
    let mut parser = Parser::new();
    let mut decoder = Decoder::new("p");
    let mut out = Vec::new();
    for mut piece in pieces.iter().copied() {
        while let Some(event) = parser.feed(&mut piece).expect("events have an end") {
            decoder.feed(&event, &mut out)?;
        }
    }
    decoder.finish(&mut out)?;
    Ok(out)
}

#[track_caller]
fn check_stream(stream: &str, given: &Given<'_>) {
    let deltas = decode_stream(stream).expect("the answer is whole");
    let mut streamed = [String::new(), String::new()];
    let mut whole = [String::new(), String::new()];
    let mut calls = Vec::new();
    let mut usage = Usage::default();
    for delta in &deltas {
        match delta {
            Delta::Thinking(text) => streamed[0].push_str(text),
            Delta::Text(text) => streamed[1].push_str(text),
            Delta::Block(Block::Thinking { text, .. }) => whole[0].push_str(text),
            Delta::Block(Block::Text { text, .. }) => whole[1].push_str(text),
            Delta::Block(Block::Call(call)) => {
                calls.push((
                    call.id.as_str(),
                    call.name.as_str(),
                    call.arguments.as_str(),
                ));
            }
            Delta::Usage(counted) => usage = *counted,
            Delta::Stop(_) | Delta::Block(Block::Other(_)) => {}
            Delta::Search(_) | Delta::Link(_) => panic!("this wire has no search"),
        }
    }
    assert_eq!(whole, [given.thinking, given.text]);
    assert_eq!(streamed, whole, "what is shown is what is kept");
    assert_eq!(calls, given.calls);
    let tokens = [usage.input, usage.cached, usage.output, usage.reasoning];
    assert_eq!(tokens, given.usage);
    assert_eq!(deltas.last(), Some(&Delta::Stop(given.stop)));
    // Wherever it breaks off before a reason was given, it is an error, and never a panic.
    let ended = stream.find(r#""finish_reason":""#);
    let before = &stream[..ended.expect("it says why it ends")];
    for (at, _) in before.match_indices('\n') {
        let error = decode_pieces(&[&stream.as_bytes()[..at]]);
        assert!(
            matches!(error, Err(Error::Retry { after: None, .. })),
            "{error:?}"
        );
    }
}

#[test]
fn local_servers_are_understood() {
    check_stream(
        stream!("llama_cpp/calls"),
        &Given {
            thinking: "The user wants a list.",
            text: "",
            calls: &[("h5Xa2LwTqRkYv8Zc", "bash", r#"{"command":"ls -la"}"#)],
            usage: [900, 850, 41, 0],
            stop: Stop::End,
        },
    );
    let first = "chatcmpl-tool-ca99dda515524c6abe47d1ea22813507";
    check_stream(
        stream!("vllm/calls"),
        &Given {
            thinking: "Two files.\n",
            text: "\n\n",
            calls: &[
                (first, "read", r#"{"path": "a"}"#),
                ("chatcmpl-tool-0ba26764988bf8aa", "read", r#"{"path": "b"}"#),
            ],
            usage: [300, 288, 60, 0],
            stop: Stop::End,
        },
    );
    check_stream(
        stream!("sglang/calls"),
        &Given {
            thinking: "Look",
            text: "On it.",
            calls: &[("call_0f1e", "grep", r#"{"pattern": "x"}"#)],
            usage: [50, 0, 25, 4],
            stop: Stop::End,
        },
    );
    check_stream(
        stream!("ollama/calls"),
        &Given {
            thinking: "Both at once.",
            text: "",
            calls: &[
                ("call_m4xq0t3u", "read", r#"{"path":"a"}"#),
                ("call_z81k7bqe", "read", r#"{"path":"b"}"#),
            ],
            usage: [170, 0, 45, 0],
            stop: Stop::End,
        },
    );
    check_stream(
        stream!("ollama/think_tags"),
        &Given {
            thinking: "a<b",
            text: "Yes 😀",
            calls: &[],
            usage: [20, 0, 9, 0],
            stop: Stop::End,
        },
    );
    check_stream(
        stream!("lm_studio/calls"),
        &Given {
            thinking: "Need ls.",
            text: "",
            calls: &[("365174485", "bash", r#"{"command":"ls"}"#)],
            usage: [88, 0, 20, 0],
            stop: Stop::End,
        },
    );
}

#[test]
fn gateways_and_openai_itself_are_understood() {
    check_stream(
        stream!("openai/calls"),
        &Given {
            thinking: "",
            text: "I read “both”.",
            calls: &[
                ("call_uJ3", "read", r#"{"path":"é.rs"}"#),
                ("call_9xK", "bash", r#"{"command":"ls"}"#),
            ],
            usage: [1_200, 1_024, 80, 32],
            stop: Stop::End,
        },
    );
    check_stream(
        stream!("azure/filtered"),
        &Given {
            thinking: "",
            text: "As I",
            calls: &[],
            usage: [9, 0, 2, 0],
            stop: Stop::Filter,
        },
    );
    check_stream(
        stream!("litellm/calls"),
        &Given {
            thinking: "I should",
            text: "Reading.",
            calls: &[
                ("toolu_01A", "read", r#"{"path": "a"}"#),
                ("toolu_01B", "list", "{}"),
            ],
            usage: [2_000, 1_900, 70, 12],
            stop: Stop::End,
        },
    );
    check_stream(
        stream!("litellm/whole"),
        &Given {
            thinking: "ok",
            text: "Done.",
            calls: &[],
            usage: [10, 0, 3, 0],
            stop: Stop::End,
        },
    );
}

#[test]
fn other_vendors_are_understood() {
    check_stream(
        stream!("deepseek/calls"),
        &Given {
            thinking: "先看文件",
            text: "Let me look.",
            calls: &[("call_00_r7", "read", r#"{"path": "a"}"#)],
            usage: [500, 448, 64, 20],
            stop: Stop::End,
        },
    );
    check_stream(
        stream!("groq/calls"),
        &Given {
            thinking: "Just call.",
            text: "",
            calls: &[("fc_3d2b", "bash", r#"{"command":"ls"}"#)],
            usage: [140, 128, 33, 6],
            stop: Stop::End,
        },
    );
    check_stream(
        stream!("mistral/calls"),
        &Given {
            thinking: "Weigh it.",
            text: "Reading.",
            calls: &[
                ("D681PevKs", "read", r#"{"path": "a"}"#),
                ("hRnYMcHMz", "read", r#"{"path":"b"}"#),
            ],
            usage: [77, 0, 40, 0],
            stop: Stop::End,
        },
    );
    check_stream(
        stream!("mistral/length"),
        &Given {
            thinking: "",
            text: "",
            calls: &[("k2XbTq09a", "write", r#"{"path": "a", "content": "fn ma"#)],
            usage: [77, 0, 100, 0],
            stop: Stop::Length,
        },
    );
    check_stream(
        stream!("xai/calls"),
        &Given {
            thinking: "Thinking",
            text: "Checking now.",
            calls: &[("call_83100244", "bash", r#"{"command":"ls"}"#)],
            usage: [210, 192, 130, 100],
            stop: Stop::End,
        },
    );
    check_stream(
        stream!("moonshot/calls"),
        &Given {
            thinking: "Use read.",
            text: "",
            calls: &[("functions.read:0", "read", r#"{"path":"README.md"}"#)],
            usage: [640, 512, 31, 0],
            stop: Stop::End,
        },
    );
}

#[test]
fn errors_of_real_servers_are_typed() {
    let error = |stream: &str| match decode_stream(stream) {
        Err(error) => error,
        Ok(deltas) => panic!("{deltas:?}"),
    };
    let overflow = error(stream!("llama_cpp/overflow"));
    let window = |error: Error| match error {
        Error::Overflow { window, .. } => window,
        other => panic!("{other:?}"),
    };
    assert_eq!(window(overflow), Some(4_096));
    assert_eq!(window(error(stream!("lm_studio/error"))), Some(4_096));
    let broken = error(stream!("vllm/broken"));
    assert!(matches!(broken, Error::Retry { .. }), "{broken:?}");
    let slipped = error(stream!("groq/slipped"));
    assert!(matches!(slipped, Error::Retry { .. }), "{slipped:?}");
    let throttled = error(stream!("litellm/error"));
    let after = Some(Duration::from_secs(3));
    assert!(
        matches!(throttled, Error::Retry { after: wait, .. } if wait == after),
        "{throttled:?}"
    );
}

#[test]
fn no_bytes_are_too_odd() {
    let stream = concat!(
        r#"data: {"id":"a","choices":[{"delta":{"content":"<think>é</think>x"}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"delta":{"reasoning":"h","tool_calls":[{"index":0,"id":"b","#,
        r#""function":{"name":"t","arguments":"{\"a\":1}"}},{"id":7}]}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":9}}"#,
        "\n\ndata: [DONE]\n\n",
    );
    for mutant in mutants(stream.as_bytes()) {
        let mut bytes = mutant.as_slice();
        let mut parser = Parser::new();
        let mut decoder = Decoder::new("p");
        let mut deltas = Vec::new();
        while let Ok(Some(event)) = parser.feed(&mut bytes)
            && decoder.feed(&event, &mut deltas).is_ok()
        {}
        if decoder.finish(&mut deltas).is_err() {
            continue;
        }
        let is_stop = |delta: &Delta| matches!(delta, Delta::Stop(_));
        let end = deltas.iter().position(is_stop);
        assert_eq!(end, Some(deltas.len() - 1), "{deltas:?}");
    }
}
