//! The program: arguments in, exit code out. What is not decided here is decided below.

pub mod args;
pub mod config;
pub mod ending;
pub mod exit;
pub mod fault;
pub mod help;
pub mod human;
pub mod jsonl;
pub mod sessions;
pub mod version;
