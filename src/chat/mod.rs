//! The words of a conversation: messages, blocks, calls, results, tools, usage. Data only.
//!
//! Nothing here knows a vendor, a socket or a screen. A block keeps what its provider needs to see
//! again as [`Opaque`] text, untouched; everyone else reads only the fields beside it. The same
//! types are what a session file holds, so a field is only ever added, with a default.

pub mod delta;
pub mod image;
pub mod tool;

use serde::Deserialize;
use serde::Serialize;

pub use image::Image;
pub use tool::CallKind;
pub use tool::ToolCall;
pub use tool::ToolResult;

/// One entry of the history. Once sent, it never changes and never moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// What the person said.
    User(Vec<Part>),
    /// A note of ours: where we run, the project's rules. Not the person's words.
    Context(String),
    /// What the model answered, in the order in which it came.
    Assistant(Vec<Block>),
    /// The answers to the calls of the assistant message before, one for each, in call order.
    Results(Vec<ToolResult>),
}

/// A piece of something that is shown to the model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Plain text.
    Text(String),
    /// A picture.
    Image(Image),
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// Words for the person.
    Text {
        /// The words.
        text: String,
        /// What the provider sent, if it must see it again.
        opaque: Option<Opaque>,
    },
    /// What the model thought, as far as the service shows it.
    Thinking {
        /// A summary; may be empty where the service shows nothing.
        text: String,
        /// What the provider sent, if it must see it again.
        opaque: Option<Opaque>,
    },
    /// The model wants a tool to run.
    Call(ToolCall),
    /// Something that only its provider understands and must see again.
    Other(Opaque),
}

/// A provider's own bytes, kept to be sent back exactly as they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opaque {
    /// The provider that made it; any other leaves it out.
    pub provider: String,
    /// Its JSON text, byte for byte.
    pub json: String,
}

impl Message {
    /// A user message of text alone.
    pub fn user(text: impl Into<String>) -> Message {
        Message::User(vec![Part::Text(text.into())])
    }

    /// The calls of an assistant message, in order; none for any other message.
    pub fn calls(&self) -> impl Iterator<Item = &ToolCall> {
        let blocks = match self {
            Message::Assistant(blocks) => blocks.as_slice(),
            _ => &[],
        };
        blocks.iter().filter_map(|block| match block {
            Block::Call(call) => Some(call),
            _ => None,
        })
    }

    /// The words of an assistant message for the person, blocks joined by an empty line.
    pub fn text(&self) -> String {
        let Message::Assistant(blocks) = self else {
            return String::new();
        };
        let texts: Vec<&str> = blocks
            .iter()
            .filter_map(|block| match block {
                Block::Text { text, .. } if !text.is_empty() => Some(text.as_str()),
                _ => None,
            })
            .collect();
        texts.join("\n\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opaque_part_survives_a_round_trip_byte_for_byte() {
        let json = "{\"b\" : 1,\n \"a\":\"\\u00e9\"}";
        let block = Block::Other(Opaque {
            provider: "codex".into(),
            json: json.into(),
        });
        let line = serde_json::to_string(&Message::Assistant(vec![block.clone()])).unwrap();
        assert!(!line.contains('\n'), "one line: {line}");
        let back: Message = serde_json::from_str(&line).unwrap();
        assert_eq!(back, Message::Assistant(vec![block]));
    }

    #[test]
    fn the_text_of_an_answer_is_its_text_blocks() {
        let text = |text: &str| Block::Text {
            text: text.into(),
            opaque: None,
        };
        let thought = Block::Thinking {
            text: "hm".into(),
            opaque: None,
        };
        let message = Message::Assistant(vec![thought, text("a"), text(""), text("b")]);
        assert_eq!(message.text(), "a\n\nb");
        assert_eq!(Message::user("a").text(), "");
    }
}
