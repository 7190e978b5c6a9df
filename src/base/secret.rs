//! A text that cannot be printed by accident: tokens and keys.
//!
//! It has no `Display`, and `Debug` shows only that there is one. Whoever needs the bytes says
//! `expose`, so that every such place can be found.

use std::borrow::Cow;
use std::fmt;

/// A token, key or password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, to be put on the wire or into a 0600 file, and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Shorter ones are words of the language as often as secrets.
const COVERED_BYTES_MIN: usize = 6;

/// `text` without any of `secrets`, each replaced by a word that says so.
pub fn cover<'a>(text: &'a str, secrets: &[&Secret]) -> Cow<'a, str> {
    let mut covered = Cow::Borrowed(text);
    for Secret(secret) in secrets {
        if secret.len() >= COVERED_BYTES_MIN && covered.contains(secret.as_str()) {
            covered = Cow::Owned(covered.replace(secret.as_str(), "[secret]"));
        }
    }
    covered
}

/// Blackens any of `secrets` in `bytes`, whose length stays.
pub fn blacken(bytes: &mut [u8], secrets: &[&Secret]) {
    for Secret(secret) in secrets {
        let secret = secret.as_bytes();
        if secret.len() < COVERED_BYTES_MIN {
            continue;
        }
        let mut at = 0;
        while let Some(found) = find(&bytes[at..], secret) {
            bytes[at + found..][..secret.len()].fill(b'x');
            at += found + secret.len();
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn secrets_are_covered_wherever_they_stand() {
        let (long, short) = (Secret::new("hunter2"), Secret::new("the"));
        let secrets = [&long, &short];
        assert_eq!(
            cover("the hunter2,hunter2", &secrets),
            "the [secret],[secret]"
        );
        assert_eq!(cover("hunter", &secrets), "hunter");
        let mut bytes = b"the hunter2\xffhunter2hunter".to_vec();
        blacken(&mut bytes, &secrets);
        assert_eq!(bytes, b"the xxxxxxx\xffxxxxxxxhunter");
    }
}
