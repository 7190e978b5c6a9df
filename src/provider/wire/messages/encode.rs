//! A conversation as the body of a request: the same history always gives the same bytes.
//!
//! `messages` stands last, and a history only grows. So the body of one request, up to the end of
//! its last block, is a prefix of the next one's, but for the breakpoints of the cache: two of them
//! move along with the last two turns of the user, the first at the end of what the request before
//! had, where the service finds what it kept. They are put in when a body is written; what was
//! encoded once is kept without them and not made again.
//!
//! What the user's side says in a row is one message, results first. A service refuses a call
//! without a result right after it, a result without a call, an empty text, a thought at the end
//! of an answer, an answer first or last. A history may have all of them (a crash, a stop, another
//! vendor's model), so they are mended here: a call that nobody answered is "aborted", what cannot
//! be sent is left out, and where the user's word is missing the model is told to go on.

use crate::chat::Block;
use crate::chat::CallKind;
use crate::chat::Image;
use crate::chat::Message;
use crate::chat::Part;
use crate::chat::ToolCall;
use crate::chat::ToolResult;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::provider::Error;
use crate::provider::Request;
use crate::provider::wire::ABORTED;
use crate::provider::wire::fingerprint::Fingerprint;
use crate::provider::wire::messages::block;
use crate::provider::wire::messages::request;
use crate::provider::wire::messages::request::Model;
use crate::provider::wire::messages::request::Pace;
use crate::provider::wire::name;
use crate::provider::wire::name::Ids;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What stands for the user's words where the wire wants some and there are none.
const GO_ON: &str = "Go on.";

/// Ends a block whose prefix the service is to keep.
const BREAKPOINT: &[u8] = br#","cache_control":{"type":"ephemeral"}"#;

/// Breakpoints in the messages. The wire takes four; tools and system have one each.
const BREAKPOINTS_MAX: usize = 2;

/// Encodes the requests of one conversation, one after the other.
#[derive(Debug)]
pub struct Encoder {
    /// Whose opaque blocks are sent back as they are.
    provider: &'static str,
    sent: Sent,
}

impl Encoder {
    /// Nothing was encoded yet.
    pub fn new(provider: &'static str) -> Encoder {
        Encoder {
            provider,
            sent: Sent::default(),
        }
    }

    /// The body that asks `model` to go on. Fails only if a schema is not JSON.
    pub fn encode(&mut self, model: &Model<'_>, request: &Request<'_>) -> Result<Vec<u8>, Error> {
        self.sent.catch_up(request, self.provider);
        // What ends the messages for now may not be part of them next time.
        let length = self.sent.bytes.len();
        let state = self.sent.state.clone();
        self.sent.close();
        let head = request::head(model, request, self.sent.state.pace());
        let body = head.map(|head| self.sent.body(head));
        self.sent.bytes.truncate(length);
        self.sent.state = state;
        body
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    User,
    Assistant,
}

/// The messages that were encoded, and their bytes.
#[derive(Debug, Default)]
struct Sent {
    /// The messages; the last one is still open, so that more can be added to it.
    bytes: Vec<u8>,
    state: State,
    ids: Ids,
    /// The tools on offer that take free text, and the field that it stands in.
    fields: Vec<(&'static str, &'static str)>,
    /// How many messages of the history `bytes` are made of.
    messages: usize,
    /// Over those messages.
    fingerprint: Fingerprint,
}

/// Where the messages stand at the end of their bytes.
#[derive(Clone, Debug, Default)]
struct State {
    /// Whose message is open; none is before the first.
    role: Option<Role>,
    /// Where the last blocks of the last messages of the user end.
    ends: Vec<usize>,
    /// The calls of the last answer that have no result in `bytes` yet, in order.
    open: Vec<Open>,
    /// The user's open message holds results.
    has_results: bool,
    /// The answer that began the calls which are being answered began with a thought.
    began_with_thought: bool,
    /// The last block is one of the service's own tools, and the service goes on after it.
    is_paused: bool,
}

/// A call without a result.
#[derive(Clone, Debug)]
struct Open {
    id: String,
    /// Its id on the wire.
    wire_id: String,
}

impl State {
    /// An answer stands last, and the service does not go on with it by itself.
    fn is_answered(&self) -> bool {
        self.role == Some(Role::Assistant) && !self.is_paused
    }

    fn pace(&self) -> Pace {
        let is_in_calls = self.role == Some(Role::User) && self.has_results;
        match is_in_calls && !self.began_with_thought {
            true => Pace::Thoughtless,
            false => Pace::Free,
        }
    }
}

impl Sent {
    /// Encodes what the history has more than last time; all of it if it is another history, or if
    /// calls of it are written in another way.
    fn catch_up(&mut self, request: &Request<'_>, provider: &str) {
        let known = request.history.get(..self.messages);
        let is_known = known.map(Fingerprint::of) == Some(self.fingerprint.clone());
        let fields = request.tools.iter().filter_map(free_text);
        if !is_known || !self.fields.iter().copied().eq(fields.clone()) {
            *self = Sent {
                fields: fields.collect(),
                ..Sent::default()
            };
        }
        for message in &request.history[self.messages..] {
            self.push(message, provider);
            self.fingerprint.add(message);
        }
        self.messages = request.history.len();
    }

    fn push(&mut self, message: &Message, provider: &str) {
        if !matches!(message, Message::Results(_)) {
            self.answer_open_calls();
        }
        match message {
            Message::User(parts) => {
                let sendable = parts.iter().filter_map(Content::of);
                sendable.for_each(|content| self.push_user(&content));
            }
            // A user message too: project rules come from the repository and must not speak with
            // our authority.
            Message::Context(text) => {
                if let Some(content) = Content::of_text(text) {
                    self.push_user(&content);
                }
            }
            Message::Assistant(blocks) => self.push_answer(blocks, provider),
            Message::Results(results) => {
                for result in results {
                    self.push_result(result);
                }
            }
        }
    }

    fn push_answer(&mut self, blocks: &[Block], provider: &str) {
        // A thought is no end of an answer, so one that nothing follows is left out.
        let ends = blocks.iter().rposition(|block| match block {
            Block::Text { text, .. } => !text.trim().is_empty(),
            Block::Call(_) => true,
            Block::Thinking { .. } => false,
            Block::Other(_) => block::echoed(block, provider).is_some(),
        });
        let Some(end) = ends else {
            return;
        };
        // As the request had it that this is the answer to.
        if self.state.is_answered() {
            self.push_user(&Content::Text { text: GO_ON });
        }
        for block in &blocks[..=end] {
            match block {
                Block::Text { text, .. } => {
                    if let Some(content) = Content::of_text(text) {
                        self.begin(Role::Assistant, Kind::Words);
                        append(&mut self.bytes, &content);
                    }
                }
                Block::Call(call) => self.push_call(call),
                Block::Thinking { .. } => self.push_echo(block, provider, Kind::Thought),
                Block::Other(_) => self.push_echo(block, provider, Kind::Service),
            }
        }
    }

    /// Other vendors' thoughts and parts are of no use here.
    fn push_echo(&mut self, block: &Block, provider: &str, kind: Kind) {
        if let Some(json) = block::echoed(block, provider) {
            self.begin(Role::Assistant, kind);
            self.bytes.extend_from_slice(json.as_bytes());
        }
    }

    fn push_call(&mut self, call: &ToolCall) {
        let wire_id = self.ids.take(&call.id);
        self.begin(Role::Assistant, Kind::Call);
        let field = self.fields.iter().find(|(name, _)| *name == call.name);
        let content = Content::ToolUse {
            id: &wire_id,
            name: name::legal(&call.name),
            input: CallInput::of(call, field.map_or("input", |(_, field)| field)),
        };
        append(&mut self.bytes, &content);
        let id = call.id.clone();
        self.state.open.push(Open { id, wire_id });
    }

    fn push_result(&mut self, result: &ToolResult) {
        let open = &mut self.state.open;
        let call = open.iter().position(|open| open.id == result.call_id);
        if let Some(position) = call {
            let call = open.remove(position);
            self.push_user(&Content::result(&call.wire_id, result));
        }
    }

    /// The calls that nobody answered, before anything else is said.
    fn answer_open_calls(&mut self) {
        for call in std::mem::take(&mut self.state.open) {
            self.push_user(&Content::ToolResult {
                tool_use_id: &call.wire_id,
                content: Output::Text(Cow::Borrowed(ABORTED)),
                is_error: true,
            });
        }
    }

    /// Ends the messages so that the model can answer.
    fn close(&mut self) {
        self.answer_open_calls();
        if self.state.is_answered() {
            self.push_user(&Content::Text { text: GO_ON });
        }
    }

    fn push_user(&mut self, content: &Content<'_>) {
        let kind = match content {
            Content::ToolResult { .. } => Kind::Result,
            _ => Kind::Words,
        };
        self.begin(Role::User, kind);
        append(&mut self.bytes, content);
        if let Some(end) = self.state.ends.last_mut() {
            *end = self.bytes.len();
        }
    }

    /// Makes everything ready for a block of `role`: its message is the open one, or a new one.
    fn begin(&mut self, role: Role, kind: Kind) {
        if self.state.role.is_none() && role == Role::Assistant {
            self.push_user(&Content::Text { text: GO_ON });
        }
        let state = &mut self.state;
        state.is_paused = kind == Kind::Service;
        if state.role == Some(role) {
            state.has_results |= kind == Kind::Result;
            self.bytes.push(b',');
            return;
        }
        if state.role.is_some() {
            self.bytes.extend_from_slice(b"]},");
        }
        state.role = Some(role);
        match role {
            Role::Assistant => {
                // Only the first answer after words of the user has to begin with a thought.
                if !state.has_results {
                    state.began_with_thought = kind == Kind::Thought;
                }
                self.bytes
                    .extend_from_slice(br#"{"role":"assistant","content":["#);
            }
            Role::User => {
                state.has_results = kind == Kind::Result;
                if state.ends.len() == BREAKPOINTS_MAX {
                    state.ends.remove(0);
                }
                state.ends.push(0);
                self.bytes
                    .extend_from_slice(br#"{"role":"user","content":["#);
            }
        }
    }

    /// The whole body: `head`, and the messages with their breakpoints.
    fn body(&self, mut head: Vec<u8>) -> Vec<u8> {
        head.reserve(self.bytes.len() + 128);
        // The head's closing brace moves behind the messages.
        let brace = head.pop();
        debug_assert_eq!(brace, Some(b'}'));
        head.extend_from_slice(br#","messages":["#);
        let mut from = 0;
        for end in &self.state.ends {
            // Inside of the block's own closing brace.
            let inside = end - 1;
            head.extend_from_slice(&self.bytes[from..inside]);
            head.extend_from_slice(BREAKPOINT);
            from = inside;
        }
        head.extend_from_slice(&self.bytes[from..]);
        if self.state.role.is_some() {
            head.extend_from_slice(b"]}");
        }
        head.extend_from_slice(b"]}");
        head
    }
}

/// What a block is, as far as those around it must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Words,
    Thought,
    Call,
    Result,
    /// What one of the service's own tools does.
    Service,
}

/// A tool that takes free text, and the field that it stands in.
fn free_text(spec: &ToolSpec) -> Option<(&'static str, &'static str)> {
    match spec.input {
        Input::Freeform { field, .. } => Some((spec.name, field)),
        Input::Schema(_) => None,
    }
}

fn append(bytes: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(bytes, value)
        .expect("texts and lists always have a JSON form, and a vector takes all bytes");
}

/// A block that we make ourselves.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Content<'a> {
    Text {
        text: &'a str,
    },
    Image {
        source: Source<'a>,
    },
    ToolUse {
        id: &'a str,
        name: Cow<'a, str>,
        input: CallInput<'a>,
    },
    ToolResult {
        tool_use_id: &'a str,
        content: Output<'a>,
        #[serde(skip_serializing_if = "is_false")]
        is_error: bool,
    },
}

impl<'a> Content<'a> {
    /// `None` for a text that says nothing, which the service refuses.
    fn of_text(text: &'a str) -> Option<Content<'a>> {
        (!text.trim().is_empty()).then_some(Content::Text { text })
    }

    fn of(part: &'a Part) -> Option<Content<'a>> {
        match part {
            Part::Text(text) => Content::of_text(text),
            Part::Image(Image { media_type, base64 }) => Some(Content::Image {
                source: Source {
                    kind: "base64",
                    media_type,
                    data: base64,
                },
            }),
        }
    }

    fn result(tool_use_id: &'a str, result: &'a ToolResult) -> Content<'a> {
        let content = Output::of(&result.parts);
        Content::ToolResult {
            tool_use_id,
            // A failure may hold texts only.
            is_error: !result.ok && matches!(content, Output::Text(_)),
            content,
        }
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

#[derive(Serialize)]
struct Source<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    media_type: &'a str,
    data: &'a str,
}

/// What the model reads as the result of a call: one text, or parts if there is a picture.
#[derive(Serialize)]
#[serde(untagged)]
enum Output<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Content<'a>>),
}

impl<'a> Output<'a> {
    fn of(parts: &'a [Part]) -> Output<'a> {
        let texts = parts.iter().map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Image(_) => None,
        });
        match texts.collect::<Option<Vec<&str>>>() {
            Some(texts) if texts.len() == 1 => Output::Text(Cow::Borrowed(texts[0])),
            Some(texts) => Output::Text(Cow::Owned(texts.join("\n"))),
            None => Output::Parts(parts.iter().filter_map(Content::of).collect()),
        }
    }
}

/// The input of a call, which must be an object here.
#[derive(Serialize)]
#[serde(untagged)]
enum CallInput<'a> {
    /// As the model wrote it.
    Object(&'a RawValue),
    /// Free text in its field, or what the model wrote instead of an object.
    Text(BTreeMap<&'a str, &'a str>),
}

impl<'a> CallInput<'a> {
    /// `field` is where the free text of the tool stands.
    fn of(call: &'a ToolCall, field: &'a str) -> CallInput<'a> {
        let object: Result<&RawValue, _> = serde_json::from_str(&call.arguments);
        let object = object.ok().filter(|raw| raw.get().starts_with('{'));
        match (call.kind, object) {
            (CallKind::Freeform, _) => CallInput::Text(BTreeMap::from([(field, &*call.arguments)])),
            (CallKind::Function, Some(object)) => CallInput::Object(object),
            (CallKind::Function, None) => {
                CallInput::Text(BTreeMap::from([("invalid_arguments", &*call.arguments)]))
            }
        }
    }
}

#[cfg(test)]
mod tests;
