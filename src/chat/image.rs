//! Pictures, ready to be put into a request: what they are, their first bytes say, not their name.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::Serialize;

/// The largest file: services refuse larger ones, and base64 adds a third on the way.
pub const FILE_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Image {
    /// `image/png` and the like.
    pub media_type: String,
    /// The file's bytes in base64 (RFC 4648 §4), without line ends.
    pub base64: String,
}

impl Image {
    /// A picture from a file's bytes; `None` if they are none that services take.
    pub fn of_file(bytes: &[u8]) -> Option<Image> {
        Some(Image {
            media_type: media_type(bytes)?.to_string(),
            base64: STANDARD.encode(bytes),
        })
    }
}

/// The media type of a picture that services take: PNG, JPEG, GIF or WebP.
pub fn media_type(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        Some("image/gif")
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some("image/webp")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_first_bytes() {
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\nrest"), Some("image/png"));
        assert_eq!(media_type(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(media_type(b"GIF89a"), Some("image/gif"));
        assert_eq!(media_type(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        for other in [
            &b""[..],
            b"RIFF",
            b"RIFF\0\0\0\0WAVE",
            b"%PDF-1.7",
            b"\x89PNG",
        ] {
            assert_eq!(media_type(other), None, "{other:?}");
        }
        let image = Image::of_file(b"GIF87a").unwrap();
        assert_eq!(image.base64, "R0lGODdh");
    }
}
