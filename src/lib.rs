//! sx: a coding agent in one crate. This page is the map; each module's first lines say the rest.
//!
//! A module may use only modules on a lower floor, never its neighbours. `tests/tidy.rs` reads the
//! floors from this file and fails the build when an arrow points up.

#![forbid(unsafe_code)]

// Floor 0, ground: clock, deadline, secret, text, randomness; poll, signals, terminal.
pub mod base;
pub mod sys;

// Floor 1, formats: bytes in, values out; no files, sockets, clock or environment.
pub mod gzip;
pub mod html;
pub mod http;
pub mod manual;
pub mod patch;

// Floor 2, nouns and hands' tools: the words of a chat, and one module per outside thing.
pub mod chat;
pub mod config;
pub mod net;
pub mod proc;
pub mod sandbox;
pub mod term;

// Floor 3, services: a hand plus a format plus a rule.
pub mod auth;
pub mod session;
pub mod tools;

// Floor 4, families: one trait and a file per member; the hands' client and server.
pub mod hands;
pub mod provider;

// Floor 5, the loop.
pub mod agent;

// Floor 6, the program.
pub mod cli;
