//! A conversation as the body of a request: the same history always gives the same bytes.
//!
//! `contents` stands last, and a history only grows. So the body of one request, without the
//! `]}]}` at its end, is a prefix of the next one's, and what was encoded once is kept and not made
//! again. Neighbouring messages of one side are one content, since the service wants the sides to
//! take turns. Parts that the service signed go back as they came; the others are made from blocks.
//!
//! A service refuses a call without a response and a response without a call. Both are mended here
//! as on the Responses wire. What a model wrote as arguments may be no object: then the text is
//! shown to it as one.

use crate::chat::Block;
use crate::chat::CallKind;
use crate::chat::Image;
use crate::chat::Message;
use crate::chat::Opaque;
use crate::chat::Part;
use crate::chat::ToolCall;
use crate::chat::ToolResult;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::provider::Error;
use crate::provider::Request;
use crate::provider::wire::ABORTED;
use crate::provider::wire::fingerprint::Fingerprint;
use crate::provider::wire::generate::head;
use crate::provider::wire::generate::head::Thinks;
use crate::provider::wire::generate::part;
use crate::provider::wire::generate::part::Kind;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use serde_json::value::RawValue;

/// What stands in for the signature of a call that this service did not make. Newer models refuse
/// the first call of a step without one; the vendor's documentation names this value for histories
/// that come from elsewhere.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// A function's name has at most this many characters.
const NAME_CHARS_MAX: usize = 64;

/// Encodes the requests of one conversation, one after the other.
#[derive(Debug)]
pub struct Encoder {
    /// Whose opaque parts are sent back as they are.
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

    /// The body that asks a model that `thinks` so to go on. Fails only if a schema is not JSON.
    pub fn encode(&mut self, thinks: Thinks, request: &Request<'_>) -> Result<Vec<u8>, Error> {
        let mut body = head::encode(thinks, request)?;
        self.sent
            .catch_up(Dialect::of(thinks, request), request.history, self.provider);
        let missing = self.sent.missing_responses();
        body.reserve(self.sent.contents.bytes.len() + missing.len() + 16);
        // The head's closing brace moves behind the contents.
        let brace = body.pop();
        debug_assert_eq!(brace, Some(b'}'));
        body.extend_from_slice(match body.last() {
            Some(b'{') => br#""contents":["#.as_slice(),
            _ => br#","contents":["#,
        });
        body.extend_from_slice(&self.sent.contents.bytes);
        body.extend_from_slice(&missing);
        let is_empty = self.sent.contents.role.is_none();
        body.extend_from_slice(if is_empty { b"]}" } else { b"]}]}" });
        Ok(body)
    }

    /// How many messages were encoded.
    pub fn messages(&self) -> usize {
        self.sent.messages
    }
}

/// What the bytes of a history depend on beside the history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Dialect {
    /// Calls must be signed.
    signs: bool,
    /// The names of tools that are written as free text elsewhere, and of their one field here.
    fields: Vec<(&'static str, &'static str)>,
}

impl Dialect {
    fn of(thinks: Thinks, request: &Request<'_>) -> Dialect {
        let field = |spec: &ToolSpec| match spec.input {
            Input::Freeform { field, .. } => Some((spec.name, field)),
            Input::Schema(_) => None,
        };
        Dialect {
            signs: matches!(thinks, Thinks::Level(_)),
            fields: request.tools.iter().filter_map(field).collect(),
        }
    }

    fn field(&self, name: &str) -> &'static str {
        let row = self.fields.iter().find(|(tool, _)| *tool == name);
        row.map_or("input", |(_, field)| field)
    }
}

/// The messages that were encoded, and their bytes.
#[derive(Debug, Default)]
struct Sent {
    dialect: Dialect,
    contents: Contents,
    /// How many messages `contents` are made of.
    messages: usize,
    /// Over those messages.
    fingerprint: Fingerprint,
    /// The calls of the last answer that have no response in `contents` yet, in order.
    open: Vec<Open>,
}

/// A call that waits for its response.
#[derive(Debug)]
struct Open {
    /// Our id of it.
    call_id: String,
    /// The name that was sent.
    name: String,
    /// The id that was sent, if one was.
    sent_id: Option<String>,
}

impl Sent {
    /// Encodes what `history` has more than last time; all of it if it is another history.
    fn catch_up(&mut self, dialect: Dialect, history: &[Message], provider: &str) {
        let known = history.get(..self.messages);
        let is_same = known.map(Fingerprint::of).as_ref() == Some(&self.fingerprint);
        if !is_same || dialect != self.dialect {
            *self = Sent {
                dialect,
                ..Sent::default()
            };
        }
        for message in &history[self.messages..] {
            self.push(message, provider);
            self.fingerprint.add(message);
        }
        self.messages = history.len();
    }

    fn push(&mut self, message: &Message, provider: &str) {
        if !matches!(message, Message::Results(_)) {
            for open in std::mem::take(&mut self.open) {
                self.contents
                    .push(Role::User, &open.response(false, ABORTED));
            }
        }
        match message {
            Message::User(parts) => self.push_parts(parts),
            Message::Context(text) => self.push_text(Role::User, text),
            Message::Assistant(blocks) => {
                let mut has_calls = false;
                for block in blocks {
                    let is_first = !has_calls;
                    has_calls |= matches!(block, Block::Call(_));
                    self.push_block(block, provider, is_first);
                }
            }
            Message::Results(results) => self.push_results(results),
        }
    }

    fn push_block(&mut self, block: &Block, provider: &str, is_first_call: bool) {
        let echoed = echoed(block, provider);
        match (&echoed, block) {
            (Some(parts), Block::Call(call)) => self.push_echoed_call(call, parts, is_first_call),
            (Some(parts), _) => {
                for part in parts {
                    self.contents.push_raw(Role::Model, part.get());
                }
            }
            (None, Block::Call(call)) => self.push_call(call, is_first_call),
            (None, Block::Text { text, .. }) => self.push_text(Role::Model, text),
            // Thoughts that the service did not sign are of no use to it.
            (None, Block::Thinking { .. } | Block::Other(_)) => {}
        }
    }

    fn push_echoed_call(&mut self, call: &ToolCall, parts: &[&RawValue], is_first: bool) {
        let Some(part) = parts.first().and_then(|raw| part::read(raw.get())) else {
            return;
        };
        let Kind::Call { id, name, .. } = &part.kind else {
            return;
        };
        match part.json.trim_end().strip_suffix('}') {
            Some(start) if is_first && self.dialect.signs && !part.is_signed => {
                let signed = format!("{start},\"thoughtSignature\":\"{NO_SIGNATURE}\"}}");
                self.contents.push_raw(Role::Model, &signed);
            }
            _ => self.contents.push_raw(Role::Model, &part.json),
        }
        self.open.push(Open {
            call_id: call.id.clone(),
            name: name.clone(),
            sent_id: Some(id.clone()).filter(|id| !id.is_empty()),
        });
    }

    /// A call that another service made. Its id means nothing here: calls and responses without
    /// ids are paired by their order.
    fn push_call(&mut self, call: &ToolCall, is_first: bool) {
        let name = legal_name(&call.name);
        let text = call.arguments.as_str();
        let wrapped = |field: &str| json!({ field: text }).to_string();
        let arguments = match call.kind {
            CallKind::Freeform => wrapped(self.dialect.field(&call.name)),
            CallKind::Function if is_object(text) => text.to_string(),
            CallKind::Function => wrapped("arguments"),
        };
        let args: &RawValue =
            serde_json::from_str(&arguments).expect("it was checked, or made a line above");
        self.contents.push(
            Role::Model,
            &Sendable::FunctionCall {
                function_call: FunctionCall { name: &name, args },
                thought_signature: (is_first && self.dialect.signs).then_some(NO_SIGNATURE),
            },
        );
        self.open.push(Open {
            call_id: call.id.clone(),
            name,
            sent_id: None,
        });
    }

    /// All responses first, then what they show: nothing may stand between responses.
    fn push_results(&mut self, results: &[ToolResult]) {
        let mut images = Vec::new();
        for result in results {
            let call = self
                .open
                .iter()
                .position(|open| open.call_id == result.call_id);
            let Some(position) = call else {
                continue;
            };
            let open = self.open.remove(position);
            let texts = result.parts.iter().filter_map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Image(image) => {
                    images.push(image);
                    None
                }
            });
            let text = texts.collect::<Vec<&str>>().join("\n");
            self.contents
                .push(Role::User, &open.response(result.ok, &text));
        }
        for image in images {
            self.push_image(image);
        }
    }

    fn push_parts(&mut self, parts: &[Part]) {
        for part in parts {
            match part {
                Part::Text(text) => self.push_text(Role::User, text),
                Part::Image(image) => self.push_image(image),
            }
        }
    }

    /// An empty text is refused.
    fn push_text(&mut self, role: Role, text: &str) {
        if !text.is_empty() {
            self.contents.push(role, &Sendable::Text { text });
        }
    }

    fn push_image(&mut self, image: &Image) {
        let Image { media_type, base64 } = image;
        if media_type == "image/gif" {
            let text = "[a GIF picture, which this service does not take]";
            return self.push_text(Role::User, text);
        }
        let inline_data = InlineData {
            mime_type: media_type,
            data: base64,
        };
        self.contents
            .push(Role::User, &Sendable::Image { inline_data });
    }

    /// Responses for the calls that have none, as they follow `contents`.
    fn missing_responses(&self) -> Vec<u8> {
        let mut tail = Contents {
            bytes: Vec::new(),
            role: self.contents.role,
        };
        for open in &self.open {
            tail.push(Role::User, &open.response(false, ABORTED));
        }
        tail.bytes
    }
}

impl Open {
    fn response<'a>(&'a self, is_ok: bool, text: &'a str) -> Sendable<'a> {
        Sendable::FunctionResponse {
            function_response: FunctionResponse {
                id: self.sent_id.as_deref(),
                name: &self.name,
                response: match is_ok {
                    true => Response::Output(text),
                    false => Response::Error(text),
                },
            },
        }
    }
}

/// Contents without the end of the last one, which may go on.
#[derive(Debug, Default)]
struct Contents {
    bytes: Vec<u8>,
    /// Whose the last content is; `None` where there is none yet.
    role: Option<Role>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    User,
    Model,
}

impl Contents {
    fn push(&mut self, role: Role, part: &Sendable<'_>) {
        self.go_on(role);
        append(&mut self.bytes, part);
    }

    fn push_raw(&mut self, role: Role, json: &str) {
        self.go_on(role);
        self.bytes.extend_from_slice(json.as_bytes());
    }

    /// Makes room for a part: in the last content if it is the same side's.
    fn go_on(&mut self, role: Role) {
        if self.role == Some(role) {
            self.bytes.push(b',');
            return;
        }
        if self.role.is_some() {
            self.bytes.extend_from_slice(b"]},");
        }
        self.bytes.extend_from_slice(match role {
            Role::User => br#"{"role":"user","parts":["#.as_slice(),
            Role::Model => br#"{"role":"model","parts":["#,
        });
        self.role = Some(role);
    }
}

/// The block's own parts, if they are this provider's and still fit the block.
fn echoed<'a>(block: &'a Block, provider: &str) -> Option<Vec<&'a RawValue>> {
    let opaque: &Opaque = match block {
        Block::Text { opaque, .. } | Block::Thinking { opaque, .. } => opaque.as_ref()?,
        Block::Call(call) => call.opaque.as_ref()?,
        Block::Other(opaque) => opaque,
    };
    if opaque.provider != provider {
        return None;
    }
    // A session file can be edited; what is sent must be parts, and calls must stay countable.
    let parts: Vec<&RawValue> = serde_json::from_str(&opaque.json).ok()?;
    let fits = |raw: &&RawValue| {
        let Some(part) = part::read(raw.get()) else {
            return false;
        };
        match (&part.kind, block) {
            (Kind::Call { name, .. }, Block::Call(call)) => part.is_sound && *name == call.name,
            (Kind::Text(_), Block::Text { .. }) => true,
            (Kind::Thinking(_), Block::Thinking { .. }) => true,
            (Kind::Other, Block::Other(_)) => true,
            _ => false,
        }
    };
    let is_one_call = !matches!(block, Block::Call(_)) || parts.len() == 1;
    (is_one_call && !parts.is_empty() && parts.iter().all(fits)).then_some(parts)
}

/// Whether a service that reads JSON strictly sees an object there.
fn is_object(json: &str) -> bool {
    serde_json::from_str(json).is_ok_and(|value: Value| value.is_object())
}

/// A model of another service may have called anything.
fn legal_name(name: &str) -> String {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    let legal = name.chars().map(|c| if is_legal(c) { c } else { '_' });
    let legal: String = legal.take(NAME_CHARS_MAX).collect();
    if legal.is_empty() {
        return "unknown".into();
    }
    legal
}

fn append(bytes: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(bytes, value)
        .expect("texts and lists always have a JSON form, and a vector takes all bytes");
}

/// A part that we make ourselves.
#[derive(Serialize)]
#[serde(untagged)]
enum Sendable<'a> {
    Text {
        text: &'a str,
    },
    #[serde(rename_all = "camelCase")]
    Image {
        inline_data: InlineData<'a>,
    },
    #[serde(rename_all = "camelCase")]
    FunctionCall {
        function_call: FunctionCall<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        thought_signature: Option<&'a str>,
    },
    #[serde(rename_all = "camelCase")]
    FunctionResponse {
        function_response: FunctionResponse<'a>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InlineData<'a> {
    mime_type: &'a str,
    data: &'a str,
}

#[derive(Serialize)]
struct FunctionCall<'a> {
    name: &'a str,
    args: &'a RawValue,
}

#[derive(Serialize)]
struct FunctionResponse<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    name: &'a str,
    response: Response<'a>,
}

/// The keys under which the service looks for what a function gave.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Response<'a> {
    Output(&'a str),
    Error(&'a str),
}

#[cfg(test)]
mod tests;
