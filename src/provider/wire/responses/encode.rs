//! A conversation as the body of a request: the same history always gives the same bytes.
//!
//! `input` stands last, and a history only grows. So the body of one request, without the `]}` at
//! its end, is a prefix of the next one's, and what was encoded once is kept and not made again.
//! Items of the service's own making are sent back as they came; the others are made from blocks.
//! Newer models of the vendor's own take another shape, in which prompt and tools are the first
//! items of the input; they too are the same from turn to turn.
//!
//! A service refuses a call without an output and an output without a call. A history may have
//! both (a crash, an odd hand-made session), so they are mended here: a call that nobody answered
//! is "aborted", an answer that belongs to no call is left out.

use crate::chat::Block;
use crate::chat::CallKind;
use crate::chat::Image;
use crate::chat::Message;
use crate::chat::Opaque;
use crate::chat::Part;
use crate::chat::ToolCall;
use crate::chat::ToolResult;
use crate::provider::Effort;
use crate::provider::Error;
use crate::provider::Request;
use crate::provider::complaint::Parameter;
use crate::provider::lessons::Lessons;
use crate::provider::wire::ABORTED;
use crate::provider::wire::fingerprint::Fingerprint;
use crate::provider::wire::freeform;
use crate::provider::wire::name;
use crate::provider::wire::name::Ids;
use crate::provider::wire::responses::item;
use head::Namespace;
use head::Tool;
use head::head;
use serde::Serialize;
use std::borrow::Cow;

mod head;

/// What a request may hold that a service may refuse.
pub const PARAMETERS: &[Parameter] = &[
    Parameter::Reasoning,
    Parameter::Effort,
    Parameter::Summary,
    Parameter::Include,
    Parameter::MaxOutputTokens,
    Parameter::ParallelToolCalls,
    Parameter::ToolChoice,
    Parameter::PromptCacheKey,
];

/// Where prompt and tools stand, and what goes with that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// In fields of their own.
    #[default]
    Classic,
    /// In the input. Calls come one by one, all thoughts of the conversation are kept, and
    /// pictures say nothing of their detail.
    Lite,
}

/// What services that speak this wire differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Where prompt and tools stand.
    pub shape: Shape,
    /// Tools that take free text are offered as such; else they are functions with one field.
    pub has_freeform: bool,
    /// The model may be asked for its thoughts; models without any refuse the question.
    pub has_reasoning: bool,
    /// The words for effort that the model knows, upward; the lowest one is called `none`.
    pub efforts: &'static [Effort],
    /// The answer may be bounded.
    pub has_output_max: bool,
    /// The service's search must be told to look at the web of today.
    pub has_web_access: bool,
    /// What the service has refused.
    pub lessons: Lessons,
}

impl Dialect {
    /// What ChatGPT's own service takes.
    pub const CODEX: Dialect = Dialect {
        shape: Shape::Classic,
        has_freeform: true,
        has_reasoning: true,
        efforts: Effort::ALL,
        has_output_max: false,
        has_web_access: true,
        lessons: Lessons::NONE,
    };

    /// The same for a model that takes the lite shape.
    pub const CODEX_LITE: Dialect = Dialect {
        shape: Shape::Lite,
        ..Dialect::CODEX
    };

    /// The same for a service that has refused something.
    pub fn after(self, lessons: Lessons) -> Dialect {
        Dialect { lessons, ..self }
    }
}

/// Encodes the requests of one conversation, one after the other.
#[derive(Debug)]
pub struct Encoder {
    /// Whose opaque items are sent back as they are.
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
    pub fn encode(&mut self, model: &str, request: &Request<'_>) -> Result<Vec<u8>, Error> {
        self.encode_for(model, request, &Dialect::CODEX)
    }

    /// The same for a service that takes `dialect`.
    pub fn encode_for(
        &mut self,
        model: &str,
        request: &Request<'_>,
        dialect: &Dialect,
    ) -> Result<Vec<u8>, Error> {
        let tools = request.tools.iter().map(|spec| Tool::of(spec, dialect));
        let mut tools: Vec<Tool<'_>> = tools.collect::<Result<_, _>>()?;
        if request.search && dialect.shape == Shape::Classic {
            tools.push(Tool::WebSearch {
                external_web_access: dialect.has_web_access.then_some(true),
            });
        }
        let (mut body, lead) = match dialect.shape {
            Shape::Classic => (head(model, request, dialect, tools)?, Vec::new()),
            Shape::Lite => (
                head(model, request, dialect, Vec::new())?,
                lead(request, tools),
            ),
        };
        let fields = match dialect.has_freeform {
            true => None,
            false => Some(freeform::fields(request.tools)),
        };
        let unsealed = dialect.lessons.unsealed();
        if self.sent.fields != fields || self.sent.unsealed != unsealed {
            self.sent = Sent {
                fields,
                unsealed,
                ..Sent::default()
            };
        }
        self.sent
            .catch_up(dialect.shape, request.history, self.provider);
        let missing = self.sent.missing_outputs();
        body.reserve(lead.len() + self.sent.items.len() + missing.len() + 16);
        // The head's closing brace moves behind the input.
        let brace = body.pop();
        debug_assert_eq!(brace, Some(b'}'));
        body.extend_from_slice(br#","input":["#);
        body.extend_from_slice(&lead);
        if !lead.is_empty() && !self.sent.items.is_empty() {
            body.push(b',');
        }
        body.extend_from_slice(&self.sent.items);
        body.extend_from_slice(&missing);
        body.extend_from_slice(b"]}");
        Ok(body)
    }
}

/// A call without an output.
#[derive(Debug)]
struct Open {
    id: String,
    /// Its id on the wire.
    wire_id: String,
    kind: CallKind,
}

/// The messages that were encoded, and their bytes.
#[derive(Debug, Default)]
struct Sent {
    /// How the items are written.
    shape: Shape,
    /// Items, separated by commas.
    items: Vec<u8>,
    /// How many messages `items` are made of.
    messages: usize,
    /// Over those messages.
    fingerprint: Fingerprint,
    /// The calls of the last answer that have no output in `items` yet, in order.
    open: Vec<Open>,
    ids: Ids,
    /// Where the service has functions only: what a free text is called in each.
    fields: Option<freeform::Fields>,
    /// Messages before this one are made anew and without thoughts, since the service could not
    /// read what it had sealed. Its ids go with them: they bind one item to the other.
    unsealed: usize,
}

impl Sent {
    /// Encodes what `history` has more than last time; all of it if it is another history.
    fn catch_up(&mut self, shape: Shape, history: &[Message], provider: &str) {
        let known = history.get(..self.messages);
        let is_same = known.map(Fingerprint::of).as_ref() == Some(&self.fingerprint);
        if !is_same || shape != self.shape {
            *self = Sent {
                shape,
                fields: self.fields.take(),
                unsealed: self.unsealed,
                ..Sent::default()
            };
        }
        for message in &history[self.messages..] {
            self.push(message, provider);
            self.fingerprint.add(message);
            self.messages += 1;
        }
    }

    fn push(&mut self, message: &Message, provider: &str) {
        if !matches!(message, Message::Results(_)) {
            let missing = self.missing_outputs();
            self.items.extend_from_slice(&missing);
            self.open.clear();
        }
        match message {
            Message::User(parts) => {
                let content = contents(parts, self.shape);
                self.push_item(&Item::message("user", content));
            }
            // A user message too, as the official client has it: project rules come from the
            // repository and must not speak with a developer's authority.
            Message::Context(text) => {
                let content = vec![Content::InputText { text }];
                self.push_item(&Item::message("user", content));
            }
            Message::Assistant(blocks) => {
                for block in blocks {
                    self.push_block(block, provider);
                }
            }
            Message::Results(results) => {
                for result in results {
                    self.push_result(result);
                }
            }
        }
    }

    fn push_block(&mut self, block: &Block, provider: &str) {
        let is_kept = self.messages >= self.unsealed || matches!(block, Block::Other(_));
        let echoed = echoed(block, provider).filter(|_| is_kept);
        if let Block::Call(call) = block {
            return self.push_call(call, echoed);
        }
        match (echoed, block) {
            (Some(opaque), _) => {
                separate(&mut self.items);
                self.items.extend_from_slice(opaque.json.as_bytes());
            }
            (None, Block::Text { text, .. }) if !text.is_empty() => {
                let content = vec![Content::OutputText { text }];
                self.push_item(&Item::message("assistant", content));
            }
            // Thoughts without their encrypted form are of no use to the service.
            (None, _) => {}
        }
    }

    /// A call of another vendor's model may have any name, and an id that was there before.
    fn push_call(&mut self, call: &ToolCall, echoed: Option<&Opaque>) {
        let is_function = self.fields.is_some();
        let kind = match is_function {
            true => CallKind::Function,
            false => call.kind,
        };
        let wire_id = match echoed {
            Some(opaque) => {
                separate(&mut self.items);
                self.items.extend_from_slice(opaque.json.as_bytes());
                self.ids.keep(&call.id);
                call.id.clone()
            }
            None => {
                let arguments = match (&self.fields, call.kind) {
                    (Some(fields), CallKind::Freeform) => {
                        freeform::arguments(fields, &call.name, &call.arguments)
                    }
                    _ => call.arguments.clone(),
                };
                let own = ToolCall {
                    id: self.ids.take(&call.id),
                    name: name::legal(&call.name).into_owned(),
                    arguments,
                    kind,
                    opaque: None,
                };
                self.push_item(&Item::call(&own));
                own.id
            }
        };
        self.open.push(Open {
            id: call.id.clone(),
            wire_id,
            kind,
        });
    }

    fn push_result(&mut self, result: &ToolResult) {
        let call = self.open.iter().position(|open| open.id == result.call_id);
        if let Some(position) = call {
            let Open { wire_id, kind, .. } = self.open.remove(position);
            let output = Output::of(&result.parts, self.shape);
            self.push_item(&Item::output(&wire_id, kind, output));
        }
    }

    fn push_item(&mut self, item: &Item<'_>) {
        separate(&mut self.items);
        append(&mut self.items, item);
    }

    /// Outputs for the calls that have none, as they follow `items`; with the comma between.
    fn missing_outputs(&self) -> Vec<u8> {
        let mut outputs = Vec::new();
        for Open { wire_id, kind, .. } in &self.open {
            // An open call is part of `items`, so a comma is needed before the first output too.
            outputs.push(b',');
            let aborted = Output::Text(Cow::Borrowed(ABORTED));
            append(&mut outputs, &Item::output(wire_id, *kind, aborted));
        }
        outputs
    }
}

/// The block's own text, if it is this provider's and still fits the block.
fn echoed<'a>(block: &'a Block, provider: &str) -> Option<&'a Opaque> {
    let opaque = match block {
        Block::Text { opaque, .. } | Block::Thinking { opaque, .. } => opaque.as_ref()?,
        Block::Call(call) => call.opaque.as_ref()?,
        Block::Other(opaque) => opaque,
    };
    if opaque.provider != provider {
        return None;
    }
    // A session file can be edited; what is sent must be one item and answer to the same id.
    let read = item::read(&opaque.json, provider)?.block;
    let fits = match (&read, block) {
        (Block::Call(read), Block::Call(call)) => {
            read.opaque.is_some() && read.id == call.id && read.kind == call.kind
        }
        (Block::Text { opaque, .. }, Block::Text { .. })
        | (Block::Thinking { opaque, .. }, Block::Thinking { .. }) => opaque.is_some(),
        (Block::Other(_), Block::Other(_)) => true,
        _ => false,
    };
    fits.then_some(opaque)
}

fn separate(items: &mut Vec<u8>) {
    if !items.is_empty() {
        items.push(b',');
    }
}

fn append(bytes: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(bytes, value)
        .expect("texts and lists always have a JSON form, and a vector takes all bytes");
}

/// What the input begins with in the lite shape: the tools, then the prompt.
fn lead(request: &Request<'_>, tools: Vec<Tool<'_>>) -> Vec<u8> {
    let mut items = Vec::new();
    if !tools.is_empty() {
        let functions = Namespace {
            kind: "namespace",
            name: item::NAMESPACE,
            description: "",
            tools,
        };
        append(&mut items, &Item::additional_tools(functions));
    }
    if !request.system.is_empty() {
        separate(&mut items);
        let content = vec![Content::InputText {
            text: request.system,
        }];
        append(&mut items, &Item::message("developer", content));
    }
    items
}

/// An item that we make ourselves.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Item<'a> {
    AdditionalTools {
        role: &'a str,
        tools: [Namespace<'a>; 1],
    },
    Message {
        role: &'a str,
        content: Vec<Content<'a>>,
    },
    FunctionCall {
        name: &'a str,
        arguments: &'a str,
        call_id: &'a str,
    },
    CustomToolCall {
        call_id: &'a str,
        name: &'a str,
        input: &'a str,
    },
    FunctionCallOutput {
        call_id: &'a str,
        output: Output<'a>,
    },
    CustomToolCallOutput {
        call_id: &'a str,
        output: Output<'a>,
    },
}

impl<'a> Item<'a> {
    fn additional_tools(tools: Namespace<'a>) -> Item<'a> {
        Item::AdditionalTools {
            role: "developer",
            tools: [tools],
        }
    }

    fn message(role: &'a str, content: Vec<Content<'a>>) -> Item<'a> {
        Item::Message { role, content }
    }

    fn call(call: &'a ToolCall) -> Item<'a> {
        let (name, call_id) = (call.name.as_str(), call.id.as_str());
        match call.kind {
            CallKind::Function => Item::FunctionCall {
                name,
                arguments: &call.arguments,
                call_id,
            },
            CallKind::Freeform => Item::CustomToolCall {
                call_id,
                name,
                input: &call.arguments,
            },
        }
    }

    fn output(call_id: &'a str, kind: CallKind, output: Output<'a>) -> Item<'a> {
        match kind {
            CallKind::Function => Item::FunctionCallOutput { call_id, output },
            CallKind::Freeform => Item::CustomToolCallOutput { call_id, output },
        }
    }
}

/// What the model reads as the output of a call: one text, or parts if there is a picture.
#[derive(Serialize)]
#[serde(untagged)]
enum Output<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Content<'a>>),
}

impl<'a> Output<'a> {
    fn of(parts: &'a [Part], shape: Shape) -> Output<'a> {
        let texts = parts.iter().map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Image(_) => None,
        });
        match texts.collect::<Option<Vec<&str>>>() {
            Some(texts) if texts.len() == 1 => Output::Text(Cow::Borrowed(texts[0])),
            Some(texts) => Output::Text(Cow::Owned(texts.join("\n"))),
            None => Output::Parts(contents(parts, shape)),
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Content<'a> {
    InputText {
        text: &'a str,
    },
    OutputText {
        text: &'a str,
    },
    InputImage {
        image_url: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'a str>,
    },
}

fn contents(parts: &[Part], shape: Shape) -> Vec<Content<'_>> {
    let contents = parts.iter().map(|part| match part {
        Part::Text(text) => Content::InputText { text },
        Part::Image(Image { media_type, base64 }) => Content::InputImage {
            image_url: format!("data:{media_type};base64,{base64}"),
            // Screenshots are read for their text; every model of this shape takes this one.
            detail: (shape == Shape::Classic).then_some("high"),
        },
    });
    contents.collect()
}

#[cfg(test)]
mod tests;
