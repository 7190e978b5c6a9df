//! Ground that every floor stands on: time, dates, cancelling, secrets, digests, random bytes,
//! text. No files, no sockets.

pub mod cancel;
pub mod clock;
pub mod date;
pub mod digest;
#[cfg(test)]
pub mod mutants;
pub mod random;
pub mod secret;
pub mod text;
