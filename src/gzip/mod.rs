//! Unpacks gzip (RFC 1952) and what is inside it (RFC 1951). Bytes in, bytes out.
//!
//! For pages of manuals, which lie compressed on most machines; a crate for it would weigh more
//! than all of `patch`. Checksums are not looked at: a page that was damaged reads damaged.

use std::fmt;

/// Why bytes could not be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// They do not begin as gzip does.
    NotGzip,
    /// They end too early.
    Truncated,
    /// They say what cannot be.
    Malformed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::NotGzip => "it is not gzip",
            Error::Truncated => "its compressed bytes end too early",
            Error::Malformed => "its compressed bytes are damaged",
        })
    }
}

impl std::error::Error for Error {}

/// The longest code of DEFLATE, in bits.
const CODE_BITS_MAX: usize = 15;

/// Lengths of matches: the least, and how many more bits say how much more (RFC 1951 §3.2.5).
const LENGTHS: [(u16, u8); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];

/// Distances of matches, in the same way.
const DISTANCES: [(u16, u8); 30] = [
    (1, 0),
    (2, 0),
    (3, 0),
    (4, 0),
    (5, 1),
    (7, 1),
    (9, 2),
    (13, 2),
    (17, 3),
    (25, 3),
    (33, 4),
    (49, 4),
    (65, 5),
    (97, 5),
    (129, 6),
    (193, 6),
    (257, 7),
    (385, 7),
    (513, 8),
    (769, 8),
    (1025, 9),
    (1537, 9),
    (2049, 10),
    (3073, 10),
    (4097, 11),
    (6145, 11),
    (8193, 12),
    (12289, 12),
    (16385, 13),
    (24577, 13),
];

/// In which order the lengths of the code for lengths stand (RFC 1951 §3.2.7).
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// The first member of a gzip file, at most `bytes_max` of it.
pub fn unpack(gzip: &[u8], bytes_max: usize) -> Result<Vec<u8>, Error> {
    inflate(body(gzip)?, bytes_max)
}

/// What follows the header (RFC 1952 §2.3).
fn body(gzip: &[u8]) -> Result<&[u8], Error> {
    const HEADER_BYTES: usize = 10;
    let (header, mut rest) = gzip.split_at_checked(HEADER_BYTES).ok_or(Error::NotGzip)?;
    if header[..3] != [0x1f, 0x8b, 8] {
        return Err(Error::NotGzip);
    }
    let flags = header[3];
    if flags & 4 != 0 {
        let (length, after) = rest.split_at_checked(2).ok_or(Error::Truncated)?;
        let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
        rest = after.get(length..).ok_or(Error::Truncated)?;
    }
    // A name and a comment, each with a NUL behind it.
    for flag in [8, 16] {
        if flags & flag != 0 {
            let end = rest.iter().position(|byte| *byte == 0);
            rest = &rest[end.ok_or(Error::Truncated)? + 1..];
        }
    }
    if flags & 2 != 0 {
        rest = rest.get(2..).ok_or(Error::Truncated)?;
    }
    Ok(rest)
}

/// The bits that are left.
struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits of `held` that are good.
    count: u32,
    held: u32,
}

impl Bits<'_> {
    /// At most 16 bits, the first one lowest.
    fn take(&mut self, count: u32) -> Result<u16, Error> {
        while self.count < count {
            let (first, rest) = self.bytes.split_first().ok_or(Error::Truncated)?;
            self.bytes = rest;
            self.held |= u32::from(*first) << self.count;
            self.count += 8;
        }
        let taken = self.held & ((1 << count) - 1);
        self.held >>= count;
        self.count -= count;
        Ok(taken as u16)
    }

    /// Bytes as they are, from the next whole one on.
    fn bytes(&mut self, count: usize) -> Result<&[u8], Error> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(Error::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }
}

/// A code: how many symbols have each length, and the symbols in the order of their codes.
struct Code {
    counts: [u16; CODE_BITS_MAX + 1],
    symbols: Vec<u16>,
}

impl Code {
    /// The code with these lengths; 0 is a symbol that does not occur.
    fn of(lengths: &[u8]) -> Result<Code, Error> {
        let mut counts = [0; CODE_BITS_MAX + 1];
        for length in lengths {
            counts[usize::from(*length)] += 1;
        }
        counts[0] = 0;
        let mut left = 1_i32;
        for count in &counts[1..] {
            left = left * 2 - i32::from(*count);
            if left < 0 {
                return Err(Error::Malformed);
            }
        }
        let mut symbols: Vec<u16> = (0..lengths.len() as u16).collect();
        symbols.retain(|symbol| lengths[usize::from(*symbol)] > 0);
        // Stable: symbols of one length keep their order.
        symbols.sort_by_key(|symbol| lengths[usize::from(*symbol)]);
        Ok(Code { counts, symbols })
    }

    fn symbol(&self, bits: &mut Bits<'_>) -> Result<u16, Error> {
        let (mut code, mut first, mut index) = (0_u32, 0_u32, 0_u32);
        for count in &self.counts[1..] {
            code |= u32::from(bits.take(1)?);
            let count = u32::from(*count);
            if code < first + count {
                let at = (index + code - first) as usize;
                return self.symbols.get(at).copied().ok_or(Error::Malformed);
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err(Error::Malformed)
    }
}

fn inflate(deflated: &[u8], bytes_max: usize) -> Result<Vec<u8>, Error> {
    let mut bits = Bits {
        bytes: deflated,
        count: 0,
        held: 0,
    };
    let mut out = Vec::new();
    loop {
        let is_last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => stored(&mut bits, &mut out)?,
            1 => {
                let (literals, distances) = fixed()?;
                coded(&mut bits, &literals, &distances, &mut out, bytes_max)?;
            }
            2 => {
                let (literals, distances) = dynamic(&mut bits)?;
                coded(&mut bits, &literals, &distances, &mut out, bytes_max)?;
            }
            _ => return Err(Error::Malformed),
        }
        if is_last || out.len() >= bytes_max {
            out.truncate(bytes_max);
            return Ok(out);
        }
    }
}

/// A block that was not compressed (RFC 1951 §3.2.4); at most 64 KB.
fn stored(bits: &mut Bits<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    bits.count = 0;
    bits.held = 0;
    let head = bits.bytes(4)?;
    let length = u16::from_le_bytes([head[0], head[1]]);
    if length != !u16::from_le_bytes([head[2], head[3]]) {
        return Err(Error::Malformed);
    }
    out.extend_from_slice(bits.bytes(usize::from(length))?);
    Ok(())
}

/// The codes that need not be told (RFC 1951 §3.2.6).
fn fixed() -> Result<(Code, Code), Error> {
    let mut lengths = [8; 288];
    lengths[144..256].fill(9);
    lengths[256..280].fill(7);
    Ok((Code::of(&lengths)?, Code::of(&[5; 30])?))
}

/// Codes that stand before their block (RFC 1951 §3.2.7).
fn dynamic(bits: &mut Bits<'_>) -> Result<(Code, Code), Error> {
    let literals = usize::from(bits.take(5)?) + 257;
    let distances = usize::from(bits.take(5)?) + 1;
    let told = usize::from(bits.take(4)?) + 4;
    let mut lengths = [0; ORDER.len()];
    for index in &ORDER[..told] {
        lengths[*index] = bits.take(3)? as u8;
    }
    let code = Code::of(&lengths)?;
    let mut lengths: Vec<u8> = Vec::new();
    while lengths.len() < literals + distances {
        let (length, count) = match code.symbol(bits)? {
            16 => {
                let last = *lengths.last().ok_or(Error::Malformed)?;
                (last, 3 + bits.take(2)?)
            }
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (length as u8, 1),
        };
        lengths.extend(std::iter::repeat_n(length, usize::from(count)));
    }
    if lengths.len() > literals + distances {
        return Err(Error::Malformed);
    }
    let (literals, distances) = lengths.split_at(literals);
    Ok((Code::of(literals)?, Code::of(distances)?))
}

/// A block of literals and matches, up to `bytes_max` or a little more.
fn coded(
    bits: &mut Bits<'_>,
    literals: &Code,
    distances: &Code,
    out: &mut Vec<u8>,
    bytes_max: usize,
) -> Result<(), Error> {
    const END: u16 = 256;
    while out.len() < bytes_max {
        let symbol = literals.symbol(bits)?;
        if symbol < END {
            out.push(symbol as u8);
            continue;
        }
        if symbol == END {
            return Ok(());
        }
        let length = measure(bits, &LENGTHS, symbol - END - 1)?;
        let symbol = distances.symbol(bits)?;
        let distance = measure(bits, &DISTANCES, symbol)?;
        let start = out.len().checked_sub(distance).ok_or(Error::Malformed)?;
        // A match may reach into itself.
        for index in start..start + length {
            out.push(out[index]);
        }
    }
    Ok(())
}

fn measure(bits: &mut Bits<'_>, table: &[(u16, u8)], symbol: u16) -> Result<usize, Error> {
    let (least, more) = table.get(usize::from(symbol)).ok_or(Error::Malformed)?;
    Ok(usize::from(*least) + usize::from(bits.take(u32::from(*more))?))
}

/// What must hold for any bytes: no more comes out than was asked for.
pub fn fuzz_gzip(input: &[u8]) {
    const BYTES_MAX: usize = 100_000;
    if let Ok(bytes) = unpack(input, BYTES_MAX) {
        assert!(bytes.len() <= BYTES_MAX);
    }
    let raw = inflate(input, BYTES_MAX).unwrap_or_default();
    assert!(raw.len() <= BYTES_MAX);
}

#[cfg(test)]
mod tests;
