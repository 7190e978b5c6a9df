//! The kernel, as safe calls: waiting, signals, processes' facts. No policy lives here.

pub mod file;
pub mod poll;
pub mod signals;
pub mod tty;
pub mod user;
