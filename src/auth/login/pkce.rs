//! Proof Key for Code Exchange (RFC 7636, method S256): whoever catches the code cannot use it.
//!
//! The verifier never leaves this process but in the exchange. The state is the same kind of word:
//! what comes back without it was sent by somebody else (RFC 6749 §10.12).

use crate::base::digest;
use crate::base::random;
use crate::base::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes of a verifier: 86 characters of the 43 to 128 that are allowed.
const VERIFIER_BYTES: usize = 64;

/// Bytes of a state.
const STATE_BYTES: usize = 32;

/// What one login is known by.
#[derive(Clone, Debug)]
pub struct Pkce {
    /// What proves in the end that it was us who began.
    pub verifier: Secret,
    /// Its digest, which is shown in the beginning.
    pub challenge: String,
    /// What comes back with the code.
    pub state: Secret,
}

impl Pkce {
    /// A new one.
    pub fn new() -> Result<Pkce, random::Unavailable> {
        let verifier = random::bytes::<VERIFIER_BYTES>()?;
        Ok(Pkce::of(&verifier, &random::bytes::<STATE_BYTES>()?))
    }

    fn of(verifier: &[u8], state: &[u8]) -> Pkce {
        let verifier = URL_SAFE_NO_PAD.encode(verifier);
        Pkce {
            challenge: challenge(&verifier),
            verifier: Secret::new(verifier),
            state: Secret::new(URL_SAFE_NO_PAD.encode(state)),
        }
    }
}

/// The S256 challenge of a verifier.
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::sha256(verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    #[test]
    fn a_challenge_is_the_one_of_the_standard() {
        assert_eq!(
            challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn the_words_have_their_lengths_and_are_new_each_time() {
        let (one, other) = (Pkce::new().unwrap(), Pkce::new().unwrap());
        assert_eq!(one.verifier.expose().len(), 86);
        assert_eq!(one.state.expose().len(), 43);
        assert_eq!(one.challenge.len(), 43);
        assert_ne!(one.verifier, other.verifier);
        assert_ne!(one.state, other.state);
        assert!(!format!("{one:?}").contains(one.verifier.expose()));
    }
}
