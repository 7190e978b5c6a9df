//! The Messages wire: a conversation as one JSON body, an answer as a stream of events.
//!
//! `encode` writes the body, `request` its fields before the messages and `thinking` how the model
//! is told to think; `decode` reads the stream and `assemble` puts its pieces together; `block`
//! knows the blocks that go back as they came, `name` what a name and an id may hold. Left out:
//! stored files, documents, containers, tools that the service runs (their blocks are kept).

pub mod assemble;
pub mod block;
pub mod decode;
pub mod encode;
pub mod request;
pub mod thinking;
