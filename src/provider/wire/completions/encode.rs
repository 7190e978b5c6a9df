//! A conversation as the body of a request: the same history always gives the same bytes.
//!
//! `messages` stands last, and a history only grows. So the body of one request, without the end
//! of its list, is a prefix of the next one's, and what was encoded once is not made again. There
//! is one exception: many models' templates refuse two user messages in a row, so neighbours are
//! one message. A request that was never answered is therefore written anew with what follows it.
//!
//! Servers refuse a call without an answer and an answer without a call, and some read the
//! arguments of old calls as JSON. A history may have all of that (a crash, a model's slip, an odd
//! hand-made session), so it is mended here: a call that nobody answered is "aborted", an answer
//! that belongs to no call is left out, and arguments that are no object are put into one.

use crate::chat::Block;
use crate::chat::CallKind;
use crate::chat::Image;
use crate::chat::Message;
use crate::chat::Opaque;
use crate::chat::Part;
use crate::chat::ToolCall;
use crate::chat::ToolResult;
use crate::provider::Error;
use crate::provider::Request;
use crate::provider::complaint::Parameter;
use crate::provider::wire::ABORTED;
use crate::provider::wire::completions::decode::REASONING_CONTENT;
use crate::provider::wire::completions::details;
use crate::provider::wire::completions::dialect::Dialect;
use crate::provider::wire::completions::dialect::Echo;
use crate::provider::wire::completions::dialect::Ids;
use crate::provider::wire::fingerprint::Fingerprint;
use crate::provider::wire::freeform;
use crate::provider::wire::prompt;
use crate::provider::wire::responses::json::Fields;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;

mod head;

/// What the model reads as the answer of a tool that only gave pictures.
const PICTURES: &str = "the pictures follow";

/// The field that holds arguments which are no object.
const BROKEN_FIELD: &str = "not_json";

/// Encodes the requests of one conversation, one after the other.
#[derive(Debug)]
pub struct Encoder {
    /// Whose opaque parts are sent back.
    provider: &'static str,
    /// Where the requests go.
    host: String,
    sent: Sent,
}

impl Encoder {
    /// Nothing was encoded yet.
    pub fn new(provider: &'static str) -> Encoder {
        Encoder {
            provider,
            host: String::new(),
            sent: Sent::default(),
        }
    }

    /// The same for requests to `host`.
    pub fn at(self, host: &str) -> Encoder {
        Encoder {
            host: host.to_string(),
            ..self
        }
    }

    /// The body that asks `model` to go on. Fails only if a schema is not JSON.
    pub fn encode(
        &mut self,
        model: &str,
        request: &Request<'_>,
        dialect: &Dialect,
    ) -> Result<Vec<u8>, Error> {
        let mut body = head::head(model, request, dialect)?;
        let style = Style {
            dialect: Some(*dialect),
            provider: self.provider,
            host: self.host.clone(),
            fields: freeform::fields(request.tools),
        };
        self.sent.catch_up(request.history, style);
        // The head's closing brace moves behind the messages.
        let brace = body.pop();
        debug_assert_eq!(brace, Some(b'}'));
        body.extend_from_slice(br#","messages":["#);
        let start = body.len();
        let is_held = dialect.lessons.takes(Parameter::ResponseFormat);
        let system = prompt::with_schema(request.system, request.schema.filter(|_| !is_held));
        if !system.is_empty() {
            append(&mut body, &json!({"role": "system", "content": system}));
        }
        for bytes in [&self.sent.messages, &self.sent.ending()] {
            if body.len() > start && !bytes.is_empty() {
                body.push(b',');
            }
            body.extend_from_slice(bytes);
        }
        body.extend_from_slice(b"]}");
        Ok(body)
    }
}

/// How messages are written. Another one makes other bytes of the same history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Style {
    dialect: Option<Dialect>,
    provider: &'static str,
    host: String,
    /// Each tool that takes free text, and the field that it has as a function.
    fields: freeform::Fields,
}

/// The messages that were encoded, and their bytes.
#[derive(Debug, Default)]
struct Sent {
    style: Style,
    /// Messages that nothing is added to, separated by commas.
    messages: Vec<u8>,
    /// How many messages of the history are encoded.
    count: usize,
    /// Over those messages.
    fingerprint: Fingerprint,
    /// The ids of the calls of the last answer that have no result yet, in order.
    open: Vec<String>,
    /// The user message at the end, to which more may be added.
    user: User,
    /// The last message was an answer's results: what follows is part of a tool loop.
    is_in_loop: bool,
}

impl Sent {
    /// Encodes what `history` has more than last time; all of it if it is another history.
    fn catch_up(&mut self, history: &[Message], style: Style) {
        let known = history.get(..self.count).map(Fingerprint::of);
        if self.style != style || known.as_ref() != Some(&self.fingerprint) {
            *self = Sent {
                style,
                ..Sent::default()
            };
        }
        for message in &history[self.count..] {
            self.push(message);
            self.fingerprint.add(message);
        }
        self.count = history.len();
    }

    fn push(&mut self, message: &Message) {
        match message {
            Message::User(parts) => {
                self.abort_open();
                self.user.add(parts);
            }
            // A user message too: project rules come from the repository and must not speak with
            // the system's authority.
            Message::Context(text) => {
                self.abort_open();
                self.user.add_text(text);
            }
            Message::Assistant(blocks) => self.push_answer(blocks),
            Message::Results(results) => {
                for result in results {
                    self.push_result(result);
                }
            }
        }
        self.is_in_loop = match message {
            Message::Assistant(_) | Message::User(_) => false,
            Message::Context(_) => self.is_in_loop,
            Message::Results(_) => true,
        };
    }

    fn push_answer(&mut self, blocks: &[Block]) {
        let mut words: Vec<&str> = Vec::new();
        let mut calls: Vec<&ToolCall> = Vec::new();
        let mut thoughts: Vec<&str> = Vec::new();
        let mut details: Vec<&str> = Vec::new();
        for block in blocks {
            match block {
                Block::Text { text, .. } if !text.is_empty() => words.push(text),
                Block::Call(call) => calls.push(call),
                Block::Thinking { text, opaque } if self.is_own(opaque.as_ref()) => {
                    thoughts.push(text);
                }
                Block::Other(opaque) => details.extend(self.details(opaque)),
                Block::Text { .. } | Block::Thinking { .. } => {}
            }
        }
        if words.is_empty() && calls.is_empty() {
            // Servers refuse an answer that says nothing.
            return;
        }
        let is_echoed = self.echoes() && (!calls.is_empty() || self.is_in_loop);
        let ending = self.ending();
        if !ending.is_empty() {
            separate(&mut self.messages);
            self.messages.extend_from_slice(&ending);
        }
        self.open.clear();
        self.user = User::default();
        let answer = Answer {
            role: "assistant",
            // With calls there may be none, and an empty text is refused by some.
            content: (!words.is_empty()).then(|| words.join("\n\n")),
            reasoning_content: is_echoed.then(|| match thoughts.join("\n\n") {
                // An answer of another server has none; the field is demanded all the same, and
                // an empty one counts as missing.
                empty if empty.is_empty() => " ".to_string(),
                thoughts => thoughts,
            }),
            reasoning_details: raw_list(&details),
            tool_calls: calls.iter().map(|call| self.call(call)).collect(),
        };
        separate(&mut self.messages);
        append(&mut self.messages, &answer);
        let ids = calls.iter().map(|call| call.id.clone());
        self.open = ids.collect();
    }

    fn call<'a>(&self, call: &'a ToolCall) -> Call<'a> {
        Call {
            id: self.id(&call.id),
            kind: "function",
            function: Function {
                name: legal_name(&call.name),
                arguments: self.arguments(call),
            },
            extra_content: self.extra(call),
        }
    }

    /// The call's input as a JSON object.
    fn arguments<'a>(&self, call: &'a ToolCall) -> Cow<'a, str> {
        match call.kind {
            CallKind::Function if is_object(&call.arguments) => Cow::Borrowed(&call.arguments),
            CallKind::Function => Cow::Owned(json!({ BROKEN_FIELD: call.arguments }).to_string()),
            CallKind::Freeform => {
                let fields = &self.style.fields;
                Cow::Owned(freeform::arguments(fields, &call.name, &call.arguments))
            }
        }
    }

    /// What this provider put beside the call.
    fn extra<'a>(&self, call: &'a ToolCall) -> Option<&'a RawValue> {
        let opaque = call.opaque.as_ref();
        let opaque = opaque.filter(|opaque| opaque.provider == self.style.provider)?;
        Fields::read(&opaque.json)?.raw("extra_content")
    }

    fn push_result(&mut self, result: &ToolResult) {
        let Some(position) = self.open.iter().position(|id| *id == result.call_id) else {
            return;
        };
        let id = self.open.remove(position);
        let texts: Vec<&str> = result.parts.iter().filter_map(text_of).collect();
        let has_images = texts.len() < result.parts.len();
        let text = match (texts.is_empty(), has_images) {
            (true, true) => PICTURES.to_string(),
            _ => texts.join("\n"),
        };
        self.push_answered(&id, &text);
        // A tool's message holds text alone; pictures follow it as the person's.
        for part in &result.parts {
            if let Part::Image(image) = part {
                self.user.add_image(image);
            }
        }
    }

    fn push_answered(&mut self, id: &str, text: &str) {
        let message = self.tool_message(id, text);
        separate(&mut self.messages);
        self.messages.extend_from_slice(&message);
    }

    fn tool_message(&self, id: &str, text: &str) -> Vec<u8> {
        let mut message = Vec::new();
        let id = self.id(id);
        append(
            &mut message,
            &json!({"role": "tool", "tool_call_id": id, "content": text}),
        );
        message
    }

    /// Something other than a result follows.
    fn abort_open(&mut self) {
        for id in std::mem::take(&mut self.open) {
            self.push_answered(&id, ABORTED);
        }
    }

    /// What follows `messages` as it stands: answers to the calls that have none, and the user
    /// message at the end.
    fn ending(&self) -> Vec<u8> {
        let mut ending = Vec::new();
        for id in &self.open {
            separate(&mut ending);
            ending.extend_from_slice(&self.tool_message(id, ABORTED));
        }
        if !self.user.is_empty() {
            separate(&mut ending);
            self.user.append_to(&mut ending);
        }
        ending
    }

    fn echoes(&self) -> bool {
        let dialect = self.style.dialect;
        dialect.is_some_and(|dialect| dialect.echo == Echo::ToolLoops)
    }

    /// The parts of thoughts that this host wants back.
    fn details<'a>(&self, opaque: &'a Opaque) -> Option<&'a str> {
        let Style { provider, host, .. } = &self.style;
        let dialect = self.style.dialect?;
        let is_taken = dialect.lessons.takes(Parameter::ReasoningDetails);
        details::echoed(opaque, provider, host).filter(|_| is_taken)
    }

    /// Whether thoughts are this provider's, from the field in which they would go back.
    fn is_own(&self, opaque: Option<&Opaque>) -> bool {
        opaque.is_some_and(|opaque| {
            opaque.provider == self.style.provider && opaque.json == REASONING_CONTENT
        })
    }

    /// The id as the server takes it. The same one always becomes the same.
    fn id<'a>(&self, id: &'a str) -> Cow<'a, str> {
        let ids = self.style.dialect.map_or(Ids::Any, |dialect| dialect.ids);
        let is_legal = match ids {
            Ids::Any => !id.is_empty(),
            Ids::Short => !id.is_empty() && id.len() <= 40,
            Ids::Nine => id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        };
        if is_legal {
            return Cow::Borrowed(id);
        }
        // FNV-1a, which is the same in every build and on every day.
        let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        Cow::Owned(format!("{:09x}", hash & 0xf_ffff_ffff))
    }
}

/// The user message at the end, in the two forms that it may take.
#[derive(Debug, Default)]
struct User {
    /// Its texts, parted by an empty line: what it is without pictures.
    text: String,
    /// Texts and pictures, separated by commas: what it is with them.
    parts: Vec<u8>,
    has_images: bool,
}

impl User {
    fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    fn add(&mut self, parts: &[Part]) {
        for part in parts {
            match part {
                Part::Text(text) => self.add_text(text),
                Part::Image(image) => self.add_image(image),
            }
        }
    }

    fn add_text(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(text);
        separate(&mut self.parts);
        append(&mut self.parts, &json!({"type": "text", "text": text}));
    }

    fn add_image(&mut self, image: &Image) {
        let Image { media_type, base64 } = image;
        let url = format!("data:{media_type};base64,{base64}");
        separate(&mut self.parts);
        append(
            &mut self.parts,
            &json!({"type": "image_url", "image_url": {"url": url}}),
        );
        self.has_images = true;
    }

    fn append_to(&self, bytes: &mut Vec<u8>) {
        if self.has_images {
            bytes.extend_from_slice(br#"{"role":"user","content":["#);
            bytes.extend_from_slice(&self.parts);
            bytes.extend_from_slice(b"]}");
        } else {
            append(bytes, &json!({"role": "user", "content": self.text}));
        }
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    role: &'a str,
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
}

#[derive(Serialize)]
struct Call<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'a str,
    function: Function<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: Cow<'a, str>,
    arguments: Cow<'a, str>,
}

/// A list of what is already JSON; `None` where there is nothing.
fn raw_list(elements: &[&str]) -> Option<Box<RawValue>> {
    let list = format!("[{}]", elements.join(","));
    let list = RawValue::from_string(list).ok();
    list.filter(|_| !elements.is_empty())
}

fn text_of(part: &Part) -> Option<&str> {
    match part {
        Part::Text(text) => Some(text),
        Part::Image(_) => None,
    }
}

fn is_object(json: &str) -> bool {
    json.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(json).is_ok()
}

/// A name that a model made up may hold anything; servers take 64 letters, digits, `_` and `-`.
fn legal_name(name: &str) -> Cow<'_, str> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if (1..=64).contains(&name.len()) && name.chars().all(is_legal) {
        return Cow::Borrowed(name);
    }
    let legal = name.chars().take(64);
    let legal: String = legal.map(|c| if is_legal(c) { c } else { '_' }).collect();
    match legal.as_str() {
        "" => Cow::Borrowed("_"),
        _ => Cow::Owned(legal),
    }
}

fn separate(bytes: &mut Vec<u8>) {
    if !bytes.is_empty() {
        bytes.push(b',');
    }
}

fn append(bytes: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(bytes, value)
        .expect("texts and lists always have a JSON form, and a vector takes all bytes");
}

#[cfg(test)]
mod tests;
