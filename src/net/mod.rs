//! The network: names, connects, TLS, and one HTTP exchange at a time moved without ever blocking.
//!
//! The formats are in `http`; here are the sockets. Everything is a state machine over descriptors
//! that its driver waits for: the agent's loop is one driver, [`drive`] the other. A step moves
//! what can be moved now and returns.

pub mod certificate;
pub mod client;
pub mod connect;
pub mod dial;
pub mod dns;
pub mod drive;
pub mod error;
pub mod listen;
pub mod opening;
pub mod owner;
pub mod pem;
pub mod proxy;
pub mod resolve;
pub mod roots;
pub mod route;
pub mod stream;
pub mod tls;
pub mod trace;
pub mod transfer;

pub use client::Client;
pub use error::Error;
pub use transfer::Transfer;

use std::time::Duration;

/// How long the network may keep us waiting.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `CONNECT_TIMEOUT`: name and connect; for a proxy that does both for us, once more.
    pub connect: Duration,
    /// `TLS_TIMEOUT`: a TLS handshake.
    pub tls: Duration,
    /// `FIRST_BYTE_TIMEOUT`: from the last byte of the request to the first of the answer.
    pub first_byte: Duration,
    /// `IDLE_TIMEOUT`: between two moves of bytes, in either direction.
    pub idle: Duration,
}

#[cfg(test)]
mod tests;
