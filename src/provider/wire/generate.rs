//! The generateContent wire: a conversation as contents of parts, an answer as a stream of chunks.
//!
//! `encode` writes the body, `head` what stands in it before the conversation; `decode` reads the
//! stream; `part` knows the pieces that both are made of; `schema` cuts a JSON Schema to what the
//! service takes; `refusal` reads its errors. What the service signed goes back byte for byte, on
//! the very part that it was signed on. Left out: files that were uploaded before, cached contents
//! by name, tools that the service runs, streamed arguments.

pub mod decode;
pub mod encode;
pub mod head;
pub mod part;
pub mod refusal;
pub mod schema;
