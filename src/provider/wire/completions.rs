//! The Chat Completions wire: a conversation as one JSON body, an answer as a stream of chunks.
//!
//! Dozens of servers speak it, each a little differently. `encode` writes the body, in the
//! `dialect` that a server wants; `decode` reads the stream, `calls` puts the pieces of its calls
//! together, `think` finds thoughts that stand between tags, `details` keeps those that must go
//! back as they are. The reference is OpenAI's public documentation of `/v1/chat/completions`. Left
//! out: several choices, log probabilities, audio.

pub mod calls;
pub mod decode;
pub mod details;
pub mod dialect;
pub mod encode;
pub mod think;
