//! The Responses wire: a conversation as one JSON body, an answer as a stream of events.
//!
//! `encode` writes the body; `decode` reads the stream and `assemble` puts its pieces together;
//! `item` knows the things that all of them are made of, `json` how to read what is odd. Every item
//! of an answer goes back in the next request byte for byte as it came, so that the service finds
//! its own reasoning unchanged and its cache hits. Left out: WebSockets, stored responses (`store`
//! is always false), compression.

pub mod assemble;
pub mod decode;
pub mod encode;
pub mod item;
pub mod json;
