//! Tells one history from another, so that what was encoded of it once need not be encoded again.

use crate::chat::Message;
use std::hash::DefaultHasher;
use std::hash::Hasher;
use std::io;

/// A number that is another one for another history, as good as surely.
///
/// Made from the serialised messages, so that no field can be forgotten: a pass over the bytes,
/// without keeping a second copy of a history that may hold many pictures.
#[derive(Clone, Debug, Default)]
pub struct Fingerprint(DefaultHasher);

impl Fingerprint {
    /// Over a whole history.
    pub fn of(history: &[Message]) -> Fingerprint {
        let mut fingerprint = Fingerprint::default();
        for message in history {
            fingerprint.add(message);
        }
        fingerprint
    }

    /// Goes on with one more message.
    pub fn add(&mut self, message: &Message) {
        let hashed = serde_json::to_writer(self, message);
        debug_assert!(hashed.is_ok(), "a hash takes all bytes");
    }
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Fingerprint) -> bool {
        self.0.finish() == other.0.finish()
    }
}

impl io::Write for Fingerprint {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
