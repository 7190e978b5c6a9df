//! Names to addresses by asking name servers ourselves, in the one poll and with deadlines.
//!
//! getaddrinfo(3) of a static program fails whole where one of its two questions fails, blocks, and
//! cannot be given a deadline, so it comes last here. The formats are pure ([`message`],
//! [`hosts`]); one question to one server is an [`ask`], to all of them an [`inquiry`]; both
//! families and the search domains are a [`lookup`]; [`order`] says which source is asked when,
//! and reads the files.

pub mod ask;
pub mod hosts;
pub mod inquiry;
pub mod lookup;
pub mod message;
pub mod order;

pub use hosts::Overrides;
pub use lookup::Error;
pub use lookup::Step;
pub use order::Names;
pub use order::Resolution;

/// More addresses than any honest name has; the rest is not tried.
pub const ADDRESSES_MAX: usize = 16;

#[cfg(test)]
mod fixtures;
