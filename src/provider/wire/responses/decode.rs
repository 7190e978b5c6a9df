//! The stream of an answer: events in, deltas out.
//!
//! `response.output_item.done` is the authority on an item. Where it is missing, the final object
//! is read, and where that is thin, what the pieces said. Only the JSON in `data` counts; lines
//! that are no JSON and events that we do not know are skipped, since services add some every
//! month. Words are passed on as they come, blocks in the order of the answer.

use crate::chat::CallKind;
use crate::chat::delta::Delta;
use crate::chat::delta::Stop;
use crate::chat::delta::Usage;
use crate::http::sse::Event;
use crate::provider;
use crate::provider::Error;
use crate::provider::refusal;
use crate::provider::wire;
use crate::provider::wire::responses::assemble::Ending;
use crate::provider::wire::responses::assemble::Items;
use crate::provider::wire::responses::assemble::Kind;
use crate::provider::wire::responses::item;
use crate::provider::wire::responses::item::Item;
use crate::provider::wire::responses::json;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The longest answers have some 100,000 tokens, each in an event of a few hundred bytes, and
/// repeat themselves twice. Four times that comes from a service that does not end.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Decodes one answer.
#[derive(Debug)]
pub struct Decoder {
    /// Whose opaque items these are.
    provider: &'static str,
    items: Items,
    /// The service's id of the answer; empty until it said so.
    answer_id: String,
    bytes: usize,
    is_done: bool,
}

/// A piece of an item: more of it, or all of one part. Nearly all events of an answer are one, so
/// it is read in one go where it is as it should be; what is odd about another one, the
/// [`Envelope`] finds out.
#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(rename = "type")]
    name: &'a str,
    #[serde(rename = "delta", borrow)]
    text: Cow<'a, str>,
    item_id: Option<&'a str>,
    output_index: Option<u64>,
    summary_index: Option<u64>,
    content_index: Option<u64>,
}

/// The fields of all events that we know; each is read only where its event has it, so that one
/// of another kind in another event does no harm.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    output_index: Option<&'a RawValue>,
    #[serde(borrow, default)]
    item_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    summary_index: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content_index: Option<&'a RawValue>,
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    item: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
}

/// The answer as an object, as far as we read it.
#[derive(Default, Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    end_turn: Option<&'a RawValue>,
    #[serde(borrow, default)]
    incomplete_details: Option<&'a RawValue>,
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
            && let Some(kind) = kind_of_more(piece.name)
        {
            return self.take(kind, &piece, out);
        }
        let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(event.data) else {
            return Ok(());
        };
        let kind = envelope.kind.as_deref().or(event.name);
        match kind.unwrap_or_default() {
            "response.created" => {
                self.answer_id = string(envelope.response().id).unwrap_or_default();
            }
            "response.output_item.added" => {
                if let Some(item) = self.item(envelope.item) {
                    self.items.announce(item, number(envelope.output_index))?;
                }
            }
            "response.output_item.done" => {
                if let Some(item) = self.item(envelope.item) {
                    self.items.finish(item, number(envelope.output_index))?;
                    self.items.give(&self.answer_id, out);
                }
            }
            "response.completed" | "response.done" => self.end_as("completed", &envelope, out)?,
            "response.incomplete" => self.end_as("incomplete", &envelope, out)?,
            "response.failed" => self.end_as("failed", &envelope, out)?,
            "error" => {
                let error: Value = serde_json::from_str(event.data).unwrap_or_default();
                return Err(refusal::of_event(&error));
            }
            "" => self.whole(event.data, out)?,
            piece => self.piece(piece, &envelope, out)?,
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.is_done
    }

    fn finish(&mut self, _out: &mut Vec<Delta>) -> Result<(), Error> {
        if self.is_done {
            return Ok(());
        }
        Err(Error::Retry {
            after: None,
            detail: "the stream ended before the answer was whole".into(),
        })
    }
}

impl Decoder {
    /// Nothing has come yet. `provider` is whose the opaque items will be.
    pub fn new(provider: &'static str) -> Decoder {
        Decoder {
            provider,
            items: Items::default(),
            answer_id: String::new(),
            bytes: 0,
            is_done: false,
        }
    }

    fn item(&self, json: Option<&RawValue>) -> Option<Item> {
        item::read(json?.get(), self.provider)
    }

    /// The final object by itself, from a server that does not stream.
    fn whole(&mut self, data: &str, out: &mut Vec<Delta>) -> Result<(), Error> {
        let response: Response<'_> = serde_json::from_str(data).unwrap_or_default();
        // Gateways send an error as they would send it with a status.
        let error = value(response.error);
        if response.output.is_none() && !error.is_null() {
            return Err(refusal::of_event(&error));
        }
        let Some(status) = string(response.status).filter(|_| response.output.is_some()) else {
            return Ok(());
        };
        self.answer_id = string(response.id).unwrap_or_default();
        self.settle(&status, &response, out)
    }

    /// The final event: what its object says of itself counts more than its name, by which some
    /// servers call every end the same.
    fn end_as(
        &mut self,
        name: &str,
        envelope: &Envelope<'_>,
        out: &mut Vec<Delta>,
    ) -> Result<(), Error> {
        let response = envelope.response();
        let status = string(response.status);
        let status = status.filter(|word| matches!(word.as_str(), "incomplete" | "failed"));
        self.settle(status.as_deref().unwrap_or(name), &response, out)
    }

    fn settle(
        &mut self,
        status: &str,
        response: &Response<'_>,
        out: &mut Vec<Delta>,
    ) -> Result<(), Error> {
        match status {
            "completed" => self.complete(response, out),
            "incomplete" => self.break_off(response, out),
            "failed" => Err(refusal::of_event(&value(response.error))),
            _ => Ok(()),
        }
    }

    /// A piece that may be odd.
    fn piece(
        &mut self,
        name: &str,
        envelope: &Envelope<'_>,
        out: &mut Vec<Delta>,
    ) -> Result<(), Error> {
        let (kind, field) = match name {
            "response.output_text.done" => (Some(Kind::Text), envelope.text),
            "response.function_call_arguments.done" => {
                (Some(Kind::Call(CallKind::Function)), envelope.arguments)
            }
            "response.custom_tool_call_input.done" => {
                (Some(Kind::Call(CallKind::Freeform)), envelope.input)
            }
            _ => (kind_of_more(name), envelope.delta),
        };
        let (Some(kind), Some(text)) = (kind, string(field)) else {
            return Ok(());
        };
        let item_id = string(envelope.item_id);
        let part = number(envelope.summary_index.or(envelope.content_index));
        let piece = Piece {
            name,
            text: text.into(),
            item_id: item_id.as_deref(),
            output_index: number(envelope.output_index),
            summary_index: part,
            content_index: None,
        };
        self.take(kind, &piece, out)
    }

    fn take(&mut self, kind: Kind, piece: &Piece<'_>, out: &mut Vec<Delta>) -> Result<(), Error> {
        let id = piece.item_id.unwrap_or_default();
        let slot = self.items.slot(piece.output_index, id, kind)?;
        if !slot.is_open() {
            return Ok(());
        }
        let text = &piece.text;
        match kind {
            _ if piece.name.ends_with(".done") => slot.set(text.to_string()),
            Kind::Thinking => {
                let part = piece.summary_index.or(piece.content_index);
                Delta::push_thinking(out, slot.begin_part(part));
                slot.add(text);
                Delta::push_thinking(out, text);
            }
            Kind::Text => {
                slot.add(text);
                Delta::push_text(out, text);
            }
            Kind::Call(_) | Kind::Other => slot.add(text),
        }
        Ok(())
    }

    fn complete(&mut self, response: &Response<'_>, out: &mut Vec<Delta>) -> Result<(), Error> {
        self.items.fill(self.output(response))?;
        self.items.give_rest(Ending::Whole, &self.answer_id, out);
        // Calls are reason enough to go on.
        let wants_more = value(response.end_turn) == Value::Bool(false);
        let stop = match wants_more && !self.items.has_calls() {
            true => Stop::Continue,
            false => Stop::End,
        };
        self.end(response, stop, out);
        Ok(())
    }

    /// The service broke the answer off for a reason of its own.
    fn break_off(&mut self, response: &Response<'_>, out: &mut Vec<Delta>) -> Result<(), Error> {
        let details = value(response.incomplete_details);
        let stop = match details["reason"].as_str().unwrap_or("it gave no reason") {
            "max_output_tokens" => Stop::Length,
            "content_filter" => Stop::Filter,
            reason => {
                let detail = format!("the service broke the answer off: {reason}");
                return Err(Error::Retry {
                    after: None,
                    detail: refusal::bounded(&detail),
                });
            }
        };
        self.items.fill(self.output(response))?;
        self.items.give_rest(Ending::Cut, &self.answer_id, out);
        self.end(response, stop, out);
        Ok(())
    }

    /// The items of the final object, `None` for one that cannot be read. Where all of them are
    /// known they are not read again: they are all of the answer, a second time.
    fn output(&self, response: &Response<'_>) -> Vec<Option<Item>> {
        let output = response.output.map_or("[]", RawValue::get);
        let items: Vec<&RawValue> = serde_json::from_str(output).unwrap_or_default();
        if self.items.has_all(items.len()) {
            return Vec::new();
        }
        items.iter().map(|item| self.item(Some(item))).collect()
    }

    fn end(&mut self, response: &Response<'_>, stop: Stop, out: &mut Vec<Delta>) {
        if let Some(usage) = usage(&value(response.usage)) {
            out.push(Delta::Usage(usage));
        }
        out.push(Delta::Stop(stop));
        self.is_done = true;
    }
}

impl<'a> Envelope<'a> {
    /// What is no object has no fields.
    fn response(&self) -> Response<'a> {
        let response = self.response.map(RawValue::get);
        response
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default()
    }
}

/// The kind of the item that an event of this name has more of.
fn kind_of_more(name: &str) -> Option<Kind> {
    match name {
        "response.output_text.delta" | "response.refusal.delta" => Some(Kind::Text),
        "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
            Some(Kind::Thinking)
        }
        "response.function_call_arguments.delta" => Some(Kind::Call(CallKind::Function)),
        "response.custom_tool_call_input.delta" => Some(Kind::Call(CallKind::Freeform)),
        _ => None,
    }
}

/// Tokens, if the service says how many.
fn usage(value: &Value) -> Option<Usage> {
    let count = |value: &Value| wire::tokens(value).unwrap_or(0);
    value.is_object().then(|| Usage {
        input: count(&value["input_tokens"]),
        cached: count(&value["input_tokens_details"]["cached_tokens"]),
        output: count(&value["output_tokens"]),
        reasoning: count(&value["output_tokens_details"]["reasoning_tokens"]),
    })
}

fn value(raw: Option<&RawValue>) -> Value {
    let value = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
    value.unwrap_or_default()
}

fn number(raw: Option<&RawValue>) -> Option<u64> {
    serde_json::from_str(raw?.get()).ok()
}

fn string(raw: Option<&RawValue>) -> Option<String> {
    json::string(raw?)
}

#[cfg(test)]
mod tests;
