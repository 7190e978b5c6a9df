//! The hands: the process that runs every tool, and the brain's end of the pipe to it.
//!
//! `wire` is what goes over the pipe, `client` the brain's side, `server` the hands' own, with
//! `place`, `instructions`, `temp`, `worker`, `command`, `jobs` and `stream` as its parts. The
//! brain holds the credentials and touches nothing; the hands touch things and hold nothing.

pub mod client;
mod command;
pub mod instructions;
mod jobs;
mod place;
pub mod server;
mod stream;
mod temp;
pub mod wire;
mod worker;
