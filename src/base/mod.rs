//! Ground that every floor stands on: time, dates, secrets, random bytes, text. No files, no
//! sockets.

pub mod clock;
pub mod date;
pub mod random;
pub mod secret;
pub mod text;
