//! The encodings that files may have and keep: UTF-16 with its mark, and everything else, which is
//! taken as bytes, since UTF-8 and what contains ASCII can be changed as they are.
//!
//! Tools work on UTF-8; this turns a file into it and back. A file without a mark is never taken
//! for UTF-16: nothing tells it from binary data for sure.

/// How the bytes of a file stand for text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    #[default]
    Bytes,
    /// UTF-16 with its low bytes first, behind a mark.
    Utf16Little,
    /// UTF-16 with its high bytes first, behind a mark.
    Utf16Big,
}

/// What UTF-16 begins with (Unicode 16.0 §23.8); its bytes tell their order.
const MARK: u16 = 0xfeff;
const UTF16_LITTLE: [u8; 2] = MARK.to_le_bytes();
const UTF16_BIG: [u8; 2] = MARK.to_be_bytes();

/// UTF-32 begins as UTF-16 does.
const UTF32_LITTLE: &[u8] = b"\xff\xfe\0\0";

impl Encoding {
    /// What the first bytes of a file say.
    pub fn of(start: &[u8]) -> Encoding {
        match start {
            _ if start.starts_with(UTF32_LITTLE) => Encoding::Bytes,
            _ if start.starts_with(&UTF16_LITTLE) => Encoding::Utf16Little,
            _ if start.starts_with(&UTF16_BIG) => Encoding::Utf16Big,
            _ => Encoding::Bytes,
        }
    }

    /// The bytes of a file as UTF-8, without the mark of UTF-16; `None` if they are not in this
    /// encoding.
    pub fn decode(self, bytes: Vec<u8>) -> Option<Vec<u8>> {
        let unit = match self {
            Encoding::Bytes => return Some(bytes),
            Encoding::Utf16Little => u16::from_le_bytes,
            Encoding::Utf16Big => u16::from_be_bytes,
        };
        let (pairs, []) = bytes.as_chunks::<2>() else {
            return None;
        };
        let units = pairs.iter().skip(1).map(|pair| unit(*pair));
        let text: Result<String, _> = char::decode_utf16(units).collect();
        Some(text.ok()?.into_bytes())
    }

    /// UTF-8 as the bytes of a file.
    pub fn encode(self, text: Vec<u8>) -> Vec<u8> {
        let bytes = match self {
            Encoding::Bytes => return text,
            Encoding::Utf16Little => u16::to_le_bytes,
            Encoding::Utf16Big => u16::to_be_bytes,
        };
        let text = String::from_utf8_lossy(&text);
        let units = std::iter::once(MARK).chain(text.encode_utf16());
        units.flat_map(bytes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf_16_is_known_by_its_mark_and_comes_back_as_it_was() {
        let cases: [(&[u8], &str); 4] = [
            (b"\xff\xfea\0\n\0", "a\n"),
            (b"\xfe\xff\0a\x20\xac", "a\u{20ac}"),
            (b"\xff\xfe=\xd8\x00\xde", "\u{1f600}"),
            (b"\xfe\xff", ""),
        ];
        for (file, text) in cases {
            let encoding = Encoding::of(file);
            assert_ne!(encoding, Encoding::Bytes);
            assert_eq!(encoding.decode(file.to_vec()).unwrap(), text.as_bytes());
            assert_eq!(encoding.encode(text.into()), file);
        }
        for torn in [&b"\xff\xfea"[..], b"\xff\xfe=\xd8", b"\xfe\xff\xde\x00"] {
            assert_eq!(Encoding::of(torn).decode(torn.to_vec()), None, "{torn:?}");
        }
    }

    #[test]
    fn all_else_is_bytes() {
        for file in [
            &b""[..],
            b"\xff",
            b"a\0b\0",
            b"\xff\xfe\0\0a\0\0\0",
            b"\xef\xbb\xbfa",
        ] {
            assert_eq!(Encoding::of(file), Encoding::Bytes);
            assert_eq!(Encoding::Bytes.decode(file.to_vec()).unwrap(), file);
            assert_eq!(Encoding::Bytes.encode(file.to_vec()), file);
        }
    }
}
