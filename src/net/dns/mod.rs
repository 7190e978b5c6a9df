//! Names to addresses by asking name servers ourselves.
//!
//! The formats are pure: what goes to a server and comes back ([`message`]), and the files that say
//! where to ask ([`hosts`]).

pub mod hosts;
pub mod message;

pub use hosts::Overrides;

/// More addresses than any honest name has; the rest is not tried.
pub const ADDRESSES_MAX: usize = 16;

#[cfg(test)]
mod fixtures;
