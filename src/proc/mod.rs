//! Processes: how one is started, what it may know, how it and all it left behind are stopped.
//!
//! No policy of tools lives here: what runs is `tools`, what it may touch is `sandbox`.

pub mod beside;
pub mod capture;
pub mod environment;
pub mod guard;
pub mod inherited;
pub mod launch;
pub mod own;
pub mod pipe;
pub mod shell;
pub mod stop;
pub mod tree;

pub use guard::Fence;
pub use launch::DeathSignal;
pub use launch::Launch;
pub use launch::SelfPath;
