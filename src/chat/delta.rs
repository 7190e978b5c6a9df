//! What a streamed answer is made of: deltas while it comes, and how it ended.
//!
//! A decoder makes them, `agent::turn` folds them into a message, a face shows them.

use crate::chat::Block;
use serde::Deserialize;
use serde::Serialize;

/// One step of a streamed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// More words of the text block that is being written.
    Text(String),
    /// More of a thinking summary. Blank lines between its parts are already in it.
    Thinking(String),
    /// A block is whole; it replaces what its deltas said.
    Block(Block),
    /// The service searches the web by itself; for what, as far as it says.
    Search(String),
    /// What the answer rests on.
    Link(Link),
    /// How many tokens this answer took.
    Usage(Usage),
    /// The answer ended as the service wanted it to.
    Stop(Stop),
}

/// A page that an answer rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Its address, as the service wrote it.
    pub url: String,
    /// Its title; may be empty.
    pub title: String,
}

impl Delta {
    /// Appends words to `deltas`; to their last one, if it is of the same kind.
    pub fn push_text(deltas: &mut Vec<Delta>, words: &str) {
        match deltas.last_mut() {
            Some(Delta::Text(text)) => text.push_str(words),
            _ => deltas.push(Delta::Text(words.to_string())),
        }
    }

    /// The same for a piece of a thinking summary.
    pub fn push_thinking(deltas: &mut Vec<Delta>, words: &str) {
        match deltas.last_mut() {
            Some(Delta::Thinking(text)) => text.push_str(words),
            _ => deltas.push(Delta::Thinking(words.to_string())),
        }
    }
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is whole; if it holds calls, they are to be run.
    End,
    /// The service wants to be asked again with nothing new.
    Continue,
    /// It hit the limit of output tokens.
    Length,
    /// A filter of the service cut it off.
    Filter,
}

/// Tokens of one answer, or of several added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens that were read, cached ones included.
    pub input: u64,
    /// How many of `input` came from the service's cache.
    pub cached: u64,
    /// Tokens that were written, thinking included.
    pub output: u64,
    /// How many of `output` were thinking.
    pub reasoning: u64,
}

impl Usage {
    /// Adds another answer's tokens; a sum that does not fit stays at the top.
    pub fn add(&mut self, other: Usage) {
        self.input = self.input.saturating_add(other.input);
        self.cached = self.cached.saturating_add(other.cached);
        self.output = self.output.saturating_add(other.output);
        self.reasoning = self.reasoning.saturating_add(other.reasoning);
    }
}

/// How much of an account's allowance is used, in one window of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// Length of the window in seconds.
    pub window_s: u64,
    /// Used share in percent.
    pub used_percent: f64,
    /// When the window starts anew, in unix seconds; 0 where the service does not say.
    pub resets_at: u64,
}
