//! The stream of an answer: events in, deltas out.
//!
//! Only the JSON in `data` counts; lines that are no JSON and events that we do not know are
//! skipped. Words are passed on as they come, blocks in the order of the answer. An answer is whole
//! when the service says why it stopped; the event that ends it may be missing then. Gateways leave
//! out beginnings, ends and numbers of blocks, or send a message in one piece: all of that is
//! understood as long as it is clear what the answer is.

use crate::chat::delta::Delta;
use crate::chat::delta::Link;
use crate::chat::delta::Stop;
use crate::chat::delta::Usage;
use crate::http::sse::Event;
use crate::provider;
use crate::provider::Error;
use crate::provider::refusal;
use crate::provider::wire;
use crate::provider::wire::messages::assemble::Blocks;
use crate::provider::wire::messages::assemble::Ending;
use crate::provider::wire::messages::assemble::Kind;
use crate::provider::wire::messages::block;
use crate::provider::wire::responses::json;
use crate::provider::wire::responses::json::Fields;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The longest answers have some 100,000 tokens, each in an event of a few hundred bytes. Four
/// times that and more comes from a service that does not end.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// An answer cites a page often, and few pages.
const LINKS_MAX: usize = 1_000;

/// Decodes one answer.
#[derive(Debug)]
pub struct Decoder {
    blocks: Blocks,
    usage: Option<Usage>,
    /// Tokens that were read anew, from the cache, and into the cache.
    read: [u64; 3],
    /// Why the answer stopped; it is whole then, but the number of its tokens may still come.
    stop: Option<Stop>,
    /// The pages that citations named.
    links: Vec<Link>,
    bytes: usize,
    is_done: bool,
}

/// A piece of a block. Nearly all events of an answer are one, so it is read in one go where it is
/// as it should be; what is odd about another one, the [`Envelope`] finds out.
#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(rename = "type")]
    name: &'a str,
    index: u64,
    #[serde(borrow)]
    delta: More<'a>,
}

/// What a piece adds; one of them is there.
#[derive(Deserialize)]
struct More<'a> {
    #[serde(borrow)]
    text: Option<Words<'a>>,
    #[serde(borrow)]
    thinking: Option<Words<'a>>,
    #[serde(borrow)]
    partial_json: Option<Words<'a>>,
    #[serde(borrow)]
    signature: Option<Words<'a>>,
    #[serde(borrow, default)]
    citation: Option<&'a RawValue>,
}

/// Borrowed where no character is escaped, which a bare `Option<Cow<str>>` would not be.
#[derive(Deserialize)]
struct Words<'a>(#[serde(borrow)] Cow<'a, str>);

/// The fields of all events that we know; each is read only where its event has it.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    index: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content_block: Option<&'a RawValue>,
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

impl provider::Decoder for Decoder {
    fn feed(&mut self, event: &Event<'_>, out: &mut Vec<Delta>) -> Result<(), Error> {
        self.bytes = self.bytes.saturating_add(event.data.len());
        if self.bytes > ANSWER_BYTES_MAX {
            return Err(Error::Refused {
                status: 200,
                detail: "the answer is over 256 MiB".into(),
            });
        }
        if self.is_done {
            return Ok(());
        }
        if let Ok(piece) = serde_json::from_str::<Piece<'_>>(event.data)
            && piece.name == "content_block_delta"
        {
            let index = Some(piece.index);
            return self.blocks_take(index, &piece.delta, out);
        }
        let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(event.data) else {
            return Ok(());
        };
        let index = number(envelope.index);
        let kind = envelope.kind.as_deref().or(event.name).unwrap_or_default();
        match kind {
            "message_start" => self.message(envelope.message, out)?,
            "content_block_start" => {
                self.blocks.start(envelope.content_block, index, out)?;
                self.blocks.give(out)?;
            }
            "content_block_delta" => self.odd_piece(index, envelope.delta, out)?,
            "content_block_stop" => {
                self.blocks.stop(index);
                self.blocks.give(out)?;
            }
            "message_delta" => {
                self.count(envelope.usage);
                let delta = envelope.delta.and_then(|raw| Fields::read(raw.get()));
                self.hear_stop(delta.and_then(|delta| delta.string("stop_reason")))?;
            }
            "message_stop" => self.end(out)?,
            // The whole message in one piece.
            "message" => {
                let whole: Option<&RawValue> = serde_json::from_str(event.data).ok();
                self.message(whole, out)?;
            }
            "error" => return Err(refusal::of_event(&error(event.data))),
            _ if envelope.error.is_some() => return Err(refusal::of_event(&error(event.data))),
            _ => {}
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.is_done
    }

    fn finish(&mut self, out: &mut Vec<Delta>) -> Result<(), Error> {
        if self.is_done {
            return Ok(());
        }
        if self.stop.is_some() {
            return self.end(out);
        }
        Err(Error::Retry {
            after: None,
            detail: "the stream ended before the answer was whole".into(),
        })
    }
}

impl Decoder {
    /// Nothing has come yet. `provider` is whose the opaque blocks will be.
    pub fn new(provider: &'static str) -> Decoder {
        Decoder {
            blocks: Blocks::new(provider),
            usage: None,
            read: [0; 3],
            stop: None,
            links: Vec::new(),
            bytes: 0,
            is_done: false,
        }
    }

    /// A message as an object: at its start without content, unless a gateway sends all at once.
    fn message(&mut self, raw: Option<&RawValue>, out: &mut Vec<Delta>) -> Result<(), Error> {
        let Some(message) = raw.and_then(|raw| Fields::read(raw.get())) else {
            return Ok(());
        };
        if let Some(id) = message.string("id") {
            self.blocks.name(id);
        }
        self.count(message.raw("usage"));
        for (index, block) in (0..).zip(message.list("content")) {
            self.blocks.start(Some(block), Some(index), out)?;
            self.blocks.stop(Some(index));
        }
        self.blocks.give(out)?;
        self.hear_stop(message.string("stop_reason"))
    }

    /// A piece that is not as it should be.
    fn odd_piece(
        &mut self,
        index: Option<u64>,
        delta: Option<&RawValue>,
        out: &mut Vec<Delta>,
    ) -> Result<(), Error> {
        let Some(fields) = delta.and_then(|raw| Fields::read(raw.get())) else {
            return Ok(());
        };
        let words = |name| fields.string(name).map(|text| Words(Cow::Owned(text)));
        // Some servers send the object itself. What is no sound string stays as it came, since a
        // command must not run that differs from what was asked for.
        let input = fields.raw("partial_json").map(|raw| {
            let strict: Result<String, _> = serde_json::from_str(raw.get());
            strict.unwrap_or_else(|_| raw.get().to_string())
        });
        let more = More {
            text: words("text"),
            thinking: words("thinking"),
            partial_json: input.map(|text| Words(Cow::Owned(text))),
            signature: words("signature"),
            citation: fields.raw("citation"),
        };
        self.blocks_take(index, &more, out)
    }

    fn blocks_take(
        &mut self,
        index: Option<u64>,
        more: &More<'_>,
        out: &mut Vec<Delta>,
    ) -> Result<(), Error> {
        if let Some(Words(text)) = &more.text {
            self.blocks.add(index, Kind::Text, text)?;
            Delta::push_text(out, text);
        }
        if let Some(Words(text)) = &more.thinking {
            self.blocks.add(index, Kind::Thinking, text)?;
            Delta::push_thinking(out, text);
        }
        if let Some(Words(text)) = &more.partial_json {
            self.blocks.add(index, Kind::Call, text)?;
        }
        if let Some(Words(text)) = &more.signature {
            self.blocks.sign(index, text)?;
        }
        let link = more.citation.and_then(|raw| block::link(raw.get()));
        self.links
            .extend(link.filter(|_| self.links.len() < LINKS_MAX));
        Ok(())
    }

    /// Tokens so far. Each number only grows, and some gateways say 0 where they do not know.
    fn count(&mut self, raw: Option<&RawValue>) {
        let usage: Value = raw
            .and_then(|raw| serde_json::from_str(raw.get()).ok())
            .unwrap_or_default();
        if !usage.is_object() {
            return;
        }
        let count = |value: &Value| wire::tokens(value).unwrap_or(0);
        let names = [
            "input_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
        ];
        for (known, name) in self.read.iter_mut().zip(names) {
            *known = count(&usage[name]).max(*known);
        }
        let known = self.usage.unwrap_or_default();
        let thinking = &usage["output_tokens_details"]["thinking_tokens"];
        self.usage = Some(Usage {
            input: self
                .read
                .iter()
                .fold(0, |sum, tokens| sum.saturating_add(*tokens)),
            cached: self.read[1],
            output: count(&usage["output_tokens"]).max(known.output),
            reasoning: count(thinking).max(known.reasoning),
        });
    }

    fn hear_stop(&mut self, reason: Option<String>) -> Result<(), Error> {
        let Some(reason) = reason else {
            return Ok(());
        };
        self.stop = Some(match reason.as_str() {
            "max_tokens" => Stop::Length,
            "pause_turn" => Stop::Continue,
            "refusal" => Stop::Filter,
            "model_context_window_exceeded" => {
                return Err(Error::Overflow {
                    window: None,
                    detail: "the answer does not fit into the model's window any more".into(),
                });
            }
            // end_turn, tool_use, stop_sequence, and what will be thought of.
            _ => Stop::End,
        });
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<Delta>) -> Result<(), Error> {
        if self.stop.is_none() && self.blocks.is_empty() {
            return Err(Error::Retry {
                after: None,
                detail: "the service ended an answer that it had not begun".into(),
            });
        }
        let stop = self.stop.unwrap_or(Stop::End);
        self.blocks.give_rest(
            match stop {
                Stop::Length | Stop::Filter => Ending::Cut,
                Stop::End | Stop::Continue => Ending::Whole,
            },
            out,
        )?;
        out.extend(self.links.drain(..).map(Delta::Link));
        out.extend(self.usage.map(Delta::Usage));
        out.push(Delta::Stop(stop));
        self.is_done = true;
        Ok(())
    }
}

fn error(data: &str) -> Value {
    serde_json::from_str(data).unwrap_or_default()
}

fn number(raw: Option<&RawValue>) -> Option<u64> {
    let text = json::string(raw?);
    text.map_or_else(
        || serde_json::from_str(raw?.get()).ok(),
        |text| text.parse().ok(),
    )
}

#[cfg(test)]
mod tests;
