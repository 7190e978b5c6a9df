//! The wires that members speak: pure codecs, without endpoint, credential or model names.

pub mod fingerprint;
pub mod generate;
pub mod messages;
pub mod responses;
