//! The stream of an answer: chunks in, deltas out.
//!
//! Every chunk has some parts of the one answer. Neighbouring texts are one block, as are
//! neighbouring thoughts; a call comes whole. Chunks that are no JSON and fields that we do not
//! know are skipped. What the service calls a malformed call is another try: it could not read
//! the call itself, so there is nothing that an answer to the model could be an answer to, and
//! thought of anew it is nearly always right. A call of a tool that does not exist is a call like
//! any other: the answer to it says which tools there are.

use crate::base::text;
use crate::chat::Block;
use crate::chat::CallKind;
use crate::chat::Opaque;
use crate::chat::ToolCall;
use crate::chat::delta::Delta;
use crate::chat::delta::Link;
use crate::chat::delta::Stop;
use crate::chat::delta::Usage;
use crate::http::sse::Event;
use crate::provider;
use crate::provider::Error;
use crate::provider::refusal as refusals;
use crate::provider::wire;
use crate::provider::wire::generate::part;
use crate::provider::wire::generate::part::Kind;
use crate::provider::wire::generate::part::Part;
use crate::provider::wire::generate::refusal;
use crate::provider::wire::responses::json::Fields;
use serde_json::Value;
use serde_json::json;
use serde_json::value::RawValue;

/// The longest answers have some 100,000 tokens in chunks of a few hundred bytes. Four times
/// that, with all that repeats in a chunk, comes from a service that does not end.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// An answer has a few dozen calls at most; looking an id up is linear.
const CALLS_MAX: usize = 1_000;

/// A search asks a few questions.
const QUERIES_MAX: usize = 20;

/// Decodes one answer.
#[derive(Debug)]
pub struct Decoder {
    /// Whose opaque parts these are.
    provider: &'static str,
    /// How many messages the question had: what tells its calls from all others where the
    /// service gives no ids.
    place: usize,
    /// The service's id of the answer, as far as an id of ours may have it; may be empty.
    answer_id: String,
    /// The text or the thoughts that are being said.
    run: Option<Run>,
    /// The ids of the calls that were given out.
    call_ids: Vec<String>,
    /// What the chunks said last.
    usage: Option<Usage>,
    /// How the answer ends, once a chunk said so.
    stop: Option<Stop>,
    /// A chunk came that did not say how the answer ends.
    has_begun: bool,
    /// What the service said that it looked for.
    queries: Vec<String>,
    bytes: usize,
    is_done: bool,
}

/// Neighbouring parts that are one block.
#[derive(Debug)]
struct Run {
    is_thinking: bool,
    /// All words.
    text: String,
    /// The parts as they can be sent back, up to the last that is signed.
    parts: Vec<String>,
    /// Words after that.
    unsigned: String,
}

impl provider::Decoder for Decoder {
    fn feed(&mut self, event: &Event<'_>, out: &mut Vec<Delta>) -> Result<(), Error> {
        self.bytes = self.bytes.saturating_add(event.data.len());
        if self.bytes > ANSWER_BYTES_MAX {
            return Err(refused("the answer is over 256 MiB".into()));
        }
        if self.is_done {
            return Ok(());
        }
        // Gateways that speak other wires too end every stream so.
        if event.data.trim() == "[DONE]" && self.stop.is_some() {
            self.end(out);
            return Ok(());
        }
        if event.data.trim_start().starts_with('[') {
            // Asked without `alt=sse` the service sends the chunks as one list; so do gateways.
            let chunks: Vec<&RawValue> = serde_json::from_str(event.data).unwrap_or_default();
            return chunks
                .into_iter()
                .try_for_each(|chunk| self.take_whole(chunk.get(), out));
        }
        self.take_whole(event.data, out)
    }

    fn is_done(&self) -> bool {
        self.is_done
    }

    fn finish(&mut self, out: &mut Vec<Delta>) -> Result<(), Error> {
        if self.stop.is_some() && !self.is_done {
            self.end(out);
        }
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
    fn take_whole(&mut self, data: &str, out: &mut Vec<Delta>) -> Result<(), Error> {
        match Fields::read(data) {
            Some(chunk) => self.take_chunk(&chunk, data, out),
            None => Ok(()),
        }
    }

    /// Nothing has come yet. `provider` is whose the opaque parts will be, `place` the number of
    /// messages that are answered.
    pub fn new(provider: &'static str, place: usize) -> Decoder {
        Decoder {
            provider,
            place,
            answer_id: String::new(),
            run: None,
            call_ids: Vec::new(),
            usage: None,
            stop: None,
            has_begun: false,
            queries: Vec::new(),
            bytes: 0,
            is_done: false,
        }
    }

    fn take_chunk(
        &mut self,
        chunk: &Fields<'_>,
        data: &str,
        out: &mut Vec<Delta>,
    ) -> Result<(), Error> {
        if chunk.raw("error").is_some() {
            let json: Value = serde_json::from_str(data).unwrap_or_default();
            return Err(refusal::of_chunk(&json));
        }
        let feedback = value(chunk.raw("promptFeedback"));
        if let Some(reason) = feedback["blockReason"].as_str() {
            let words = feedback["blockReasonMessage"].as_str().unwrap_or_default();
            return Err(refused(with_words(
                &format!("the prompt was blocked: {reason}"),
                words,
            )));
        }
        if let Some(id) = chunk.string("responseId") {
            let is_legal = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
            self.answer_id = id.chars().filter(is_legal).collect();
        }
        let usage = usage(&value(chunk.raw("usageMetadata")));
        let has_usage = usage.is_some();
        self.usage = usage.or(self.usage);
        let candidates = chunk.list("candidates");
        let Some(candidate) = candidates.first().and_then(|raw| Fields::read(raw.get())) else {
            return Ok(());
        };
        let content = candidate.raw("content");
        let content = content.and_then(|raw| Fields::read(raw.get()));
        let parts = content.map(|content| content.list("parts"));
        for raw in parts.unwrap_or_default() {
            if let Some(part) = part::read(raw.get()) {
                self.take_part(part, out)?;
            }
        }
        self.take_sources(&value(candidate.raw("groundingMetadata")), out);
        let reason = candidate.string("finishReason").unwrap_or_default();
        let words = candidate.string("finishMessage").unwrap_or_default();
        match self.stop_of(&reason, &words)? {
            None => self.has_begun = true,
            Some(stop) => {
                self.stop = Some(stop);
                // Early models end every chunk alike, and gateways count tokens after the end:
                // then the end of the stream is the end.
                let is_plain = stop == Stop::End && self.call_ids.is_empty();
                if has_usage && (self.has_begun || !is_plain) {
                    self.end(out);
                }
            }
        }
        Ok(())
    }

    /// What a search of the service's own looked for and found; chunks repeat it.
    fn take_sources(&mut self, metadata: &Value, out: &mut Vec<Delta>) {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        for query in list(&metadata["webSearchQueries"]) {
            let query = query.as_str().unwrap_or_default().to_string();
            if self.queries.len() < QUERIES_MAX && !self.queries.contains(&query) {
                out.push(Delta::Search(query.clone()));
                self.queries.push(query);
            }
        }
        for chunk in list(&metadata["groundingChunks"]) {
            let web = &chunk["web"];
            if let Some(url) = web["uri"].as_str() {
                let title = web["title"].as_str().unwrap_or_default().to_string();
                let url = url.to_string();
                out.push(Delta::Link(Link { url, title }));
            }
        }
    }

    fn take_part(&mut self, part: Part<'_>, out: &mut Vec<Delta>) -> Result<(), Error> {
        match part.kind {
            Kind::Text(text) => {
                self.say(false, &text, part.is_signed.then_some(&*part.json), out);
                out.extend((!text.is_empty()).then_some(Delta::Text(text)));
            }
            Kind::Thinking(text) => {
                self.say(true, &text, part.is_signed.then_some(&*part.json), out);
                out.extend((!text.is_empty()).then_some(Delta::Thinking(text)));
            }
            Kind::Call {
                id,
                name,
                arguments,
            } => {
                self.end_run(out);
                if self.call_ids.len() == CALLS_MAX {
                    return Err(refused("the answer has over 1,000 calls".into()));
                }
                out.push(Delta::Block(Block::Call(ToolCall {
                    id: self.own_id(id),
                    name,
                    arguments,
                    kind: CallKind::Function,
                    opaque: part.is_sound.then(|| self.opaque(&[&part.json])),
                })));
            }
            Kind::Other => {
                self.end_run(out);
                out.push(Delta::Block(Block::Other(self.opaque(&[&part.json]))));
            }
        }
        Ok(())
    }

    /// Goes on with the text or the thoughts, or begins them; `signed` is the part's own JSON.
    fn say(&mut self, is_thinking: bool, text: &str, signed: Option<&str>, out: &mut Vec<Delta>) {
        let goes_on = |run: &Run| run.is_thinking == is_thinking;
        if !self.run.as_ref().is_some_and(goes_on) {
            self.end_run(out);
        }
        let run = self.run.get_or_insert_with(|| Run {
            is_thinking,
            text: String::new(),
            parts: Vec::new(),
            unsigned: String::new(),
        });
        run.text.push_str(text);
        match signed {
            None => run.unsigned.push_str(text),
            Some(json) => {
                run.keep_unsigned();
                run.parts.push(json.to_string());
            }
        }
    }

    fn end_run(&mut self, out: &mut Vec<Delta>) {
        let Some(mut run) = self.run.take() else {
            return;
        };
        // Without a signature there is nothing that we could not say again ourselves.
        let opaque = (!run.parts.is_empty()).then(|| {
            run.keep_unsigned();
            let parts: Vec<&str> = run.parts.iter().map(String::as_str).collect();
            self.opaque(&parts)
        });
        let text = run.text;
        out.push(Delta::Block(match run.is_thinking {
            true => Block::Thinking { text, opaque },
            false => Block::Text { text, opaque },
        }));
    }

    /// The parts of a block as one list.
    fn opaque(&self, parts: &[&str]) -> Opaque {
        Opaque {
            provider: self.provider.to_string(),
            json: format!("[{}]", parts.join(",")),
        }
    }

    /// The service's own id if no other call of this answer has it, else one of ours that is the
    /// same whenever the same stream is read.
    fn own_id(&mut self, id: String) -> String {
        let is_taken = id.is_empty() || self.call_ids.contains(&id);
        let index = self.call_ids.len();
        let own = match (is_taken, self.answer_id.as_str()) {
            (false, _) => id,
            (true, "") => format!("call_m{}_{index}", self.place),
            // Ids have at most 64 characters; the end of an answer's id is its random part.
            (true, answer) => format!("call_{}_{index}", text::suffix(answer, 24)),
        };
        self.call_ids.push(own.clone());
        own
    }

    /// What a `finishReason` means; `None` while the answer goes on.
    fn stop_of(&self, reason: &str, words: &str) -> Result<Option<Stop>, Error> {
        let reason = reason.to_ascii_uppercase();
        Ok(Some(match reason.as_str() {
            "" | "FINISH_REASON_UNSPECIFIED" => return Ok(None),
            "STOP" => Stop::End,
            "MAX_TOKENS" => Stop::Length,
            "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII"
            | "MODEL_ARMOR" => Stop::Filter,
            reason if reason.starts_with("IMAGE_") => Stop::Filter,
            // There it is, to be answered; where it is not, there is nothing to answer.
            "UNEXPECTED_TOOL_CALL" if !self.call_ids.is_empty() => Stop::End,
            // The conversation lacks what the service signed: it will lack it next time too.
            "MISSING_THOUGHT_SIGNATURE" => return Err(refused(with_words(&reason, words))),
            reason => {
                let what = format!("the service broke the answer off: {reason}");
                return Err(Error::Retry {
                    after: None,
                    detail: with_words(&what, words),
                });
            }
        }))
    }

    fn end(&mut self, out: &mut Vec<Delta>) {
        self.end_run(out);
        out.extend(self.usage.map(Delta::Usage));
        out.extend(self.stop.map(Delta::Stop));
        self.is_done = true;
    }
}

impl Run {
    /// Thoughts that nobody signed are of no use to the service; words stand where they stood.
    fn keep_unsigned(&mut self) {
        let unsigned = std::mem::take(&mut self.unsigned);
        if !unsigned.is_empty() && !self.is_thinking {
            self.parts.push(json!({ "text": unsigned }).to_string());
        }
    }
}

/// Tokens, if the chunk says how many.
fn usage(metadata: &Value) -> Option<Usage> {
    let count = |name: &str| wire::tokens(&metadata[name]).unwrap_or(0);
    let reasoning = count("thoughtsTokenCount");
    metadata.is_object().then(|| Usage {
        input: count("promptTokenCount").saturating_add(count("toolUsePromptTokenCount")),
        cached: count("cachedContentTokenCount"),
        output: count("candidatesTokenCount").saturating_add(reasoning),
        reasoning,
    })
}

fn value(raw: Option<&RawValue>) -> Value {
    let value = raw.and_then(|raw| serde_json::from_str(raw.get()).ok());
    value.unwrap_or_default()
}

fn with_words(what: &str, words: &str) -> String {
    let separator = if words.is_empty() { "" } else { ": " };
    refusals::bounded(&format!("{what}{separator}{words}"))
}

fn refused(detail: String) -> Error {
    Error::Refused {
        status: 200,
        detail,
    }
}

#[cfg(test)]
mod tests;
