//! Fixtures spoiled in every small way, for tests that say "no bytes are too odd". They feed them
//! to the bodies of the fuzz targets (tests/fuzz), so a plain `cargo test` covers those as well.

/// Each prefix of `bytes`, and `bytes` with each of its bytes left out or replaced by values that
/// parsers are known to trip over: ends of lines and lists, lengths, pointers, signs.
pub fn mutants(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let cut = (0..=bytes.len()).map(|end| bytes[..end].to_vec());
    let shorter = (0..bytes.len()).map(|at| [&bytes[..at], &bytes[at + 1..]].concat());
    let replaced = (0..bytes.len()).flat_map(move |at| {
        let other = [
            0,
            1,
            0x3f,
            0x40,
            0x7f,
            0x80,
            0x84,
            0xc0,
            0xff,
            b'\n',
            b'0',
            bytes[at] ^ 1,
            bytes[at] ^ 0x20,
        ];
        other.map(|byte| [&bytes[..at], &[byte], &bytes[at + 1..]].concat())
    });
    cut.chain(shorter).chain(replaced)
}
