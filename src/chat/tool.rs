//! Tools as the model sees them: what is offered, what was called, what came back.
//!
//! What a tool does lives in `tools`, how a vendor spells it in `provider/wire`.

use crate::chat::Opaque;
use crate::chat::Part;
use serde::Deserialize;
use serde::Serialize;

/// A tool that is offered to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToolSpec {
    /// The name that a call carries.
    pub name: &'static str,
    /// What it does and when to use it, in a few lines.
    pub description: &'static str,
    /// How its input is written.
    pub input: Input,
    /// Whether it can change anything.
    pub effect: Effect,
}

/// How the input of a tool is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A JSON object that fits this JSON Schema, which is itself JSON text.
    Schema(&'static str),
    /// Free text in a grammar of its own where the service has such tools. Elsewhere the tool is
    /// a function with one string field.
    Freeform {
        /// The grammar in Lark's notation.
        grammar: &'static str,
        /// The name of the one field where the service has functions only.
        field: &'static str,
    },
}

/// Whether a call can change anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only looks; neighbouring calls of this kind run at once.
    Reads,
    /// It may change something; it runs alone and in order.
    Changes,
}

/// How the model wrote a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// A function with JSON arguments.
    #[default]
    Function,
    /// A custom tool with free text.
    Freeform,
}

/// A call that the model made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The service's id of the call; its result carries the same.
    pub id: String,
    /// The tool's name as the model wrote it; there may be no such tool.
    pub name: String,
    /// JSON text or free text, as the model wrote it; it may be broken.
    pub arguments: String,
    /// Which of the two.
    pub kind: CallKind,
    /// What the provider sent, if it must see it again.
    pub opaque: Option<Opaque>,
}

/// The answer to a call. A failure is an answer too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The id of the call.
    pub call_id: String,
    /// How the call was written; the answer takes the matching form.
    pub kind: CallKind,
    /// Whether the tool did what was asked.
    pub ok: bool,
    /// What the model reads.
    pub parts: Vec<Part>,
}

impl ToolResult {
    /// An answer of text alone.
    pub fn text(call: &ToolCall, ok: bool, text: impl Into<String>) -> ToolResult {
        ToolResult {
            call_id: call.id.clone(),
            kind: call.kind,
            ok,
            parts: vec![Part::Text(text.into())],
        }
    }

    /// Adds a line to what the model reads.
    pub fn add_line(&mut self, line: &str) {
        match self.parts.last_mut() {
            Some(Part::Text(text)) => {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                text.push_str(line);
            }
            _ => self.parts.push(Part::Text(line.to_string())),
        }
    }
}
