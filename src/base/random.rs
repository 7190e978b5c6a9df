//! Random bytes from the kernel (getrandom, through ring): names, ids and jitter.

use ring::rand::SecureRandom;
use ring::rand::SystemRandom;
use std::fmt::Write;

/// The kernel has no random bytes for us: a machine without getrandom and without `/dev/urandom`.
#[derive(Debug)]
pub struct Unavailable;

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the kernel gives no random bytes (getrandom and /dev/urandom both fail)")
    }
}

impl std::error::Error for Unavailable {}

/// Fresh random bytes.
pub fn bytes<const N: usize>() -> Result<[u8; N], Unavailable> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Unavailable)?;
    Ok(bytes)
}

/// A random (version 4) UUID in its usual form (RFC 9562 §5.4).
pub fn uuid() -> Result<String, Unavailable> {
    let mut bytes = bytes::<16>()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// A number from 0 to below 1, for jitter; 0.5 where there are no random bytes.
pub fn fraction() -> f64 {
    let Ok(bytes) = bytes::<4>() else { return 0.5 };
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let uuid = uuid().unwrap();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
        assert_ne!(uuid, super::uuid().unwrap());
    }

    #[test]
    fn a_fraction_is_below_one() {
        for _ in 0..100 {
            let fraction = fraction();
            assert!((0.0..1.0).contains(&fraction), "{fraction}");
        }
    }
}
