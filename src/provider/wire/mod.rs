//! The wires that members speak: pure codecs, without endpoint, credential or model names.

pub mod completions;
pub mod fingerprint;
pub mod freeform;
pub mod generate;
pub mod messages;
pub mod name;
pub mod prompt;
pub mod responses;

/// What the model reads where a call has no answer; the words are the official clients'.
pub const ABORTED: &str = "aborted";
