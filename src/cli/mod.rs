//! The program: arguments in, exit code out. What is not decided here is decided below.

pub mod ending;
pub mod exit;
pub mod fault;
pub mod human;
pub mod jsonl;
