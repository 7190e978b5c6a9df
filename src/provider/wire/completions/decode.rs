//! The stream of an answer: chunks in, deltas out.
//!
//! Words are passed on as they come, thoughts too, whatever the field that they come in; blocks
//! follow when one kind ends, calls at the end of all. An answer is whole when a reason was given
//! or the stream says `[DONE]`; how many tokens it took may come after the reason. Lines that are
//! no object are skipped, since gateways send some to keep the connection. An object that is not
//! whole JSON is a piece that was lost, and nothing that comes later makes up for it.

use crate::chat::Block;
use crate::chat::Opaque;
use crate::chat::delta::Delta;
use crate::chat::delta::Stop;
use crate::chat::delta::Usage;
use crate::http::sse::Event;
use crate::provider;
use crate::provider::Error;
use crate::provider::refusal;
use crate::provider::wire;
use crate::provider::wire::completions::calls::Calls;
use crate::provider::wire::completions::details::Details;
use crate::provider::wire::completions::think::Kind;
use crate::provider::wire::completions::think::Splitter;
use crate::provider::wire::responses::json;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::mem;

/// The longest answers have some 100,000 tokens, each in an event of a few hundred bytes. Many
/// times that comes from a service that does not end.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// A list of parts that hold a list of parts that hold a string; more comes from nobody.
const WORDS_DEPTH_MAX: u32 = 4;

/// The field whose thoughts a server may want to see again, as the opaque part of their block.
pub const REASONING_CONTENT: &str = r#""reasoning_content""#;

/// Decodes one answer.
#[derive(Debug)]
pub struct Decoder {
    /// Whose opaque parts these are.
    provider: &'static str,
    /// Where it comes from.
    host: String,
    splitter: Splitter,
    /// What `draft` is.
    kind: Kind,
    /// What was said of the block that is being written.
    draft: String,
    /// The thoughts in `draft` came as `reasoning_content`.
    is_echoed: bool,
    details: Details,
    calls: Calls,
    /// The service's id of the answer; empty until it said so.
    answer_id: String,
    /// Anything of the answer has come.
    has_said: bool,
    usage: Option<Usage>,
    stop: Option<Stop>,
    bytes: usize,
    is_done: bool,
}

/// A piece of an answer that is words alone. Nearly all are, so they are read in one go where they
/// are as they should be; what is odd about another one, or more, [`Chunk`] finds out.
#[derive(Deserialize)]
struct Plain<'a> {
    #[serde(default)]
    id: Option<&'a str>,
    #[serde(borrow)]
    choices: [PlainChoice<'a>; 1],
    #[serde(default, rename = "usage")]
    _usage: Absent,
    #[serde(default, rename = "error")]
    _error: Absent,
    #[serde(default, rename = "x_groq")]
    _x_groq: Absent,
}

#[derive(Deserialize)]
struct PlainChoice<'a> {
    #[serde(borrow)]
    delta: PlainDelta<'a>,
    #[serde(default, rename = "message")]
    _message: Absent,
    #[serde(default, rename = "finish_reason")]
    _finish_reason: Absent,
    #[serde(default, rename = "usage")]
    _usage: Absent,
}

#[derive(Deserialize)]
struct PlainDelta<'a> {
    #[serde(borrow, default)]
    content: Option<Text<'a>>,
    #[serde(borrow, default)]
    reasoning_content: Option<Text<'a>>,
    #[serde(default, rename = "reasoning")]
    _reasoning: Absent,
    #[serde(default, rename = "reasoning_details")]
    _reasoning_details: Absent,
    #[serde(default, rename = "refusal")]
    _refusal: Absent,
    #[serde(default, rename = "tool_calls")]
    _tool_calls: Absent,
    #[serde(default, rename = "function_call")]
    _function_call: Absent,
}

/// Nothing, or a null.
type Absent = Option<()>;

/// A string that lies in the event where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A piece of an answer, or all of it. Each field is read by itself, so that an odd one costs
/// nothing else.
#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    choices: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    detail: Option<&'a RawValue>,
    /// Where Groq puts its usage.
    #[serde(borrow, default)]
    x_groq: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    /// The whole, where the server does not stream.
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    finish_reason: Option<&'a RawValue>,
    /// Where Moonshot puts its usage.
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_details: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow, default)]
    function_call: Option<&'a RawValue>,
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
        let data = event.data.trim();
        if self.is_done {
            return Ok(());
        }
        if data == "[DONE]" {
            return self.end(out);
        }
        if !data.starts_with('{') {
            return Ok(());
        }
        if let Ok(plain) = serde_json::from_str::<Plain<'_>>(data)
            && event.name.is_none()
        {
            self.take_plain(&plain, out);
            return Ok(());
        }
        let Ok(chunk) = serde_json::from_str::<Chunk<'_>>(data) else {
            return Err(retry("a piece of the answer is not whole JSON"));
        };
        if event.name == Some("error") || chunk.is_error() {
            let error: Value = serde_json::from_str(data).unwrap_or_default();
            return Err(refusal::of_event(&error));
        }
        if self.answer_id.is_empty() {
            self.answer_id = chunk.id.and_then(json::string).unwrap_or_default();
        }
        self.count(chunk.usage);
        self.count_groq(chunk.x_groq);
        match first(chunk.choices) {
            Some(choice) => self.choose(&choice, out),
            // The one chunk that can only be the last.
            None if self.stop.is_some() && self.usage.is_some() => self.end(out),
            None => Ok(()),
        }
    }

    fn is_done(&self) -> bool {
        self.is_done
    }

    fn finish(&mut self, out: &mut Vec<Delta>) -> Result<(), Error> {
        if self.is_done {
            return Ok(());
        }
        if self.stop.is_none() {
            return Err(retry("the stream ended before the answer was whole"));
        }
        self.end(out)
    }
}

impl Decoder {
    /// Nothing has come yet. `provider` is whose the opaque parts will be.
    pub fn new(provider: &'static str) -> Decoder {
        Decoder {
            provider,
            host: String::new(),
            splitter: Splitter::default(),
            kind: Kind::Text,
            draft: String::new(),
            is_echoed: false,
            details: Details::default(),
            calls: Calls::default(),
            answer_id: String::new(),
            has_said: false,
            usage: None,
            stop: None,
            bytes: 0,
            is_done: false,
        }
    }

    /// The same for an answer that comes from `host`.
    pub fn at(self, host: &str) -> Decoder {
        Decoder {
            host: host.to_string(),
            ..self
        }
    }

    fn take_plain(&mut self, plain: &Plain<'_>, out: &mut Vec<Delta>) {
        if self.answer_id.is_empty() {
            self.answer_id.push_str(plain.id.unwrap_or_default());
        }
        let [PlainChoice { delta, .. }] = &plain.choices;
        if let Some(Text(thoughts)) = &delta.reasoning_content {
            self.think(thoughts, out);
        }
        if let Some(Text(words)) = &delta.content {
            self.speak(words, out);
        }
    }

    fn choose(&mut self, choice: &Choice<'_>, out: &mut Vec<Delta>) -> Result<(), Error> {
        self.count(choice.usage);
        let delta = choice.delta.filter(|delta| delta.get() != "null");
        // A server that streamed the answer may repeat the whole of it at the end.
        let whole = choice.message.filter(|_| !self.has_said);
        if let Some(said) = delta.or(whole)
            && let Ok(said) = serde_json::from_str::<Said<'_>>(said.get())
        {
            self.take(&said, out)?;
        }
        if let Some(reason) = choice.finish_reason.and_then(json::string) {
            self.stop = stop(&reason)?.or(self.stop);
        }
        Ok(())
    }

    fn take(&mut self, said: &Said<'_>, out: &mut Vec<Delta>) -> Result<(), Error> {
        let echoed = words(said.reasoning_content);
        self.think(&echoed, out);
        if echoed.is_empty() {
            // Some servers send the same thoughts in several fields.
            let others = [said.reasoning, said.reasoning_details].into_iter();
            let mut others = others.map(words).filter(|thoughts| !thoughts.is_empty());
            self.say(Kind::Thinking, &others.next().unwrap_or_default(), out);
        }
        let details = list(said.reasoning_details);
        self.has_said |= !details.is_empty();
        self.details.take(&details)?;
        self.take_content(said.content, out);
        self.say(Kind::Text, &words(said.refusal), out);
        if let Some(list) = said.tool_calls.filter(|list| list.get() != "null") {
            self.calls.take_list(list)?;
        }
        let function = said
            .function_call
            .filter(|function| function.get() != "null");
        if let Some(function) = function {
            self.calls.take_function(function)?;
        }
        self.has_said |= !self.calls.is_empty();
        Ok(())
    }

    fn take_content(&mut self, content: Option<&RawValue>, out: &mut Vec<Delta>) {
        if content.is_some_and(|content| content.get().starts_with('[')) {
            for part in list(content) {
                let kind = if is_thoughts(part) {
                    Kind::Thinking
                } else {
                    Kind::Text
                };
                self.say(kind, &words(Some(part)), out);
            }
            return;
        }
        self.speak(&words(content), out);
    }

    /// Thoughts that a server may want to see again.
    fn think(&mut self, thoughts: &str, out: &mut Vec<Delta>) {
        if !thoughts.is_empty() {
            self.is_echoed = true;
            self.say(Kind::Thinking, thoughts, out);
        }
    }

    /// Words that may have thoughts between tags before them.
    fn speak(&mut self, text: &str, out: &mut Vec<Delta>) {
        if text.is_empty() {
            return;
        }
        self.has_said = true;
        if self.splitter.is_over() {
            return self.say(Kind::Text, text, out);
        }
        let mut pieces = Vec::new();
        self.splitter.feed(text, &mut pieces);
        for (kind, text) in pieces {
            self.say(kind, &text, out);
        }
    }

    /// More of a block; another kind ends the one before.
    fn say(&mut self, kind: Kind, text: &str, out: &mut Vec<Delta>) {
        if text.is_empty() {
            return;
        }
        self.has_said = true;
        if kind != self.kind {
            self.close(out);
            self.kind = kind;
        }
        self.draft.push_str(text);
        match kind {
            Kind::Text => Delta::push_text(out, text),
            Kind::Thinking => Delta::push_thinking(out, text),
        }
    }

    fn close(&mut self, out: &mut Vec<Delta>) {
        let text = mem::take(&mut self.draft);
        if text.is_empty() {
            return;
        }
        out.push(Delta::Block(match self.kind {
            Kind::Text => Block::Text { text, opaque: None },
            Kind::Thinking => Block::Thinking {
                text,
                opaque: mem::take(&mut self.is_echoed).then(|| Opaque {
                    provider: self.provider.to_string(),
                    json: REASONING_CONTENT.to_string(),
                }),
            },
        }));
    }

    /// Nothing follows. Fails if nothing came before either.
    fn end(&mut self, out: &mut Vec<Delta>) -> Result<(), Error> {
        if self.stop.is_none() && !self.has_said {
            return Err(retry("the stream ended without an answer"));
        }
        if let Some((kind, text)) = self.splitter.finish() {
            self.say(kind, &text, out);
        }
        self.close(out);
        let details = self.details.give(self.provider, &self.host);
        out.extend(details.map(Delta::Block));
        self.calls.give(self.provider, &self.answer_id, out);
        out.extend(self.usage.map(Delta::Usage));
        out.push(Delta::Stop(self.stop.unwrap_or(Stop::End)));
        self.is_done = true;
        Ok(())
    }

    /// Takes what a chunk says of tokens. Numbers only grow within an answer, and a chunk may lack
    /// some that another has.
    fn count(&mut self, raw: Option<&RawValue>) {
        let Some(usage) = raw.and_then(usage) else {
            return;
        };
        let known = self.usage.unwrap_or_default();
        self.usage = Some(Usage {
            input: known.input.max(usage.input),
            cached: known.cached.max(usage.cached),
            output: known.output.max(usage.output),
            reasoning: known.reasoning.max(usage.reasoning),
        });
    }

    fn count_groq(&mut self, raw: Option<&RawValue>) {
        #[derive(Deserialize)]
        struct Groq<'a> {
            #[serde(borrow, default)]
            usage: Option<&'a RawValue>,
        }
        let groq = raw.and_then(|raw| serde_json::from_str::<Groq<'_>>(raw.get()).ok());
        self.count(groq.and_then(|groq| groq.usage));
    }
}

impl Chunk<'_> {
    /// Whether it is an error, in one of three shapes.
    fn is_error(&self) -> bool {
        let says_something = |raw: &RawValue| !matches!(raw.get(), "null" | "\"\"" | "{}");
        let is_named = |raw: &RawValue| raw.get() == "\"error\"";
        self.error.is_some_and(says_something)
            || self.object.is_some_and(is_named)
            || (self.choices.is_none() && self.detail.is_some_and(says_something))
    }
}

/// The first choice; we never ask for more.
fn first(choices: Option<&RawValue>) -> Option<Choice<'_>> {
    serde_json::from_str(list(choices).first()?.get()).ok()
}

/// The elements of a list; none if it is no list.
fn list(raw: Option<&RawValue>) -> Vec<&RawValue> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}

/// The words in a field: a string, a part that holds one, or a list of such parts.
fn words(raw: Option<&RawValue>) -> String {
    raw.map(|raw| words_within(raw, WORDS_DEPTH_MAX))
        .unwrap_or_default()
}

fn words_within(raw: &RawValue, depth: u32) -> String {
    #[derive(Deserialize)]
    struct Part<'a> {
        #[serde(borrow, default)]
        text: Option<&'a RawValue>,
        #[serde(borrow, default)]
        thinking: Option<&'a RawValue>,
        #[serde(borrow, default)]
        summary: Option<&'a RawValue>,
        #[serde(borrow, default)]
        content: Option<&'a RawValue>,
    }
    match raw.get().as_bytes().first() {
        Some(b'"') => json::string(raw).unwrap_or_default(),
        Some(b'[') if depth > 0 => {
            let parts = list(Some(raw)).into_iter();
            parts.map(|part| words_within(part, depth - 1)).collect()
        }
        Some(b'{') if depth > 0 => {
            let part: Option<Part<'_>> = serde_json::from_str(raw.get()).ok();
            let field = part.and_then(|part| {
                let thoughts = part.thinking.or(part.summary);
                part.text.or(thoughts).or(part.content)
            });
            field
                .map(|field| words_within(field, depth - 1))
                .unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// Whether a part of a content holds thoughts.
fn is_thoughts(part: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Part<'a> {
        #[serde(rename = "type", borrow, default)]
        kind: Option<&'a RawValue>,
    }
    let part: Option<Part<'_>> = serde_json::from_str(part.get()).ok();
    let kind = part.and_then(|part| json::string(part.kind?));
    kind.is_some_and(|kind| kind.contains("thinking") || kind.contains("reasoning"))
}

/// Why an answer ended; `None` where it goes on, which some say with an empty word. A word that
/// we do not know ends it like any other: the model has stopped.
fn stop(reason: &str) -> Result<Option<Stop>, Error> {
    let reason = reason.to_ascii_lowercase();
    Ok(Some(match reason.as_str() {
        "" | "null" => return Ok(None),
        "length" | "max_tokens" | "model_length" | "max_output_tokens" => Stop::Length,
        "content_filter" | "safety" | "sensitive" | "recitation" => Stop::Filter,
        "error" | "abort" | "network_error" | "insufficient_system_resource" => {
            let detail = format!("the service broke the answer off: {reason}");
            return Err(retry(&detail));
        }
        _ => Stop::End,
    }))
}

/// Tokens, if the service says how many.
fn usage(raw: &RawValue) -> Option<Usage> {
    let value: Value = serde_json::from_str(raw.get()).ok()?;
    let count = |pointers: &[&str]| {
        let mut counts = pointers
            .iter()
            .filter_map(|at| wire::tokens(value.pointer(at)?));
        counts.find(|count| *count > 0).unwrap_or(0)
    };
    let input = count(&["/prompt_tokens", "/input_tokens"]);
    let written = count(&["/completion_tokens", "/output_tokens"]);
    let reasoning = count(&[
        "/completion_tokens_details/reasoning_tokens",
        "/output_tokens_details/reasoning_tokens",
        "/reasoning_tokens",
    ]);
    let total = count(&["/total_tokens"]);
    // xAI counts thoughts beside what was written; its total says so.
    let both = written.saturating_add(reasoning);
    let is_beside = reasoning > 0 && total == input.saturating_add(both);
    value.is_object().then(|| Usage {
        input,
        cached: count(&[
            "/prompt_tokens_details/cached_tokens",
            "/input_tokens_details/cached_tokens",
            "/prompt_cache_hit_tokens",
            "/cached_tokens",
        ]),
        output: if is_beside { both } else { written },
        reasoning,
    })
}

fn retry(detail: &str) -> Error {
    Error::Retry {
        after: None,
        detail: refusal::bounded(detail),
    }
}

#[cfg(test)]
mod tests;
