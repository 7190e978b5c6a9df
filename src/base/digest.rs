//! SHA-256 (FIPS 180-4), and whether two secrets are equal.

use crate::base::secret::Secret;
use ring::digest;

/// The digest of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, bytes);
    let mut all = [0; 32];
    all.copy_from_slice(digest.as_ref());
    all
}

/// The same as 64 hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    let digest = sha256(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether both are the same text. How long that takes tells nothing of either: their digests are
/// compared, all of them.
pub fn are_equal(one: &Secret, other: &Secret) -> bool {
    let pairs = sha256(one.expose().as_bytes())
        .into_iter()
        .zip(sha256(other.expose().as_bytes()));
    pairs.fold(0, |differing, (one, other)| differing | (one ^ other)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first example of FIPS 180-4.
    #[test]
    fn a_digest_is_the_one_of_the_standard() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(b"abc"), expected);
    }

    #[test]
    fn equal_is_equal_and_nothing_else() {
        let check = |one, other, expected| {
            let (one, other) = (Secret::new(one), Secret::new(other));
            assert_eq!(are_equal(&one, &other), expected);
        };
        check("", "", true);
        check("key", "key", true);
        check("key", "kez", false);
        check("key", "key ", false);
    }
}
