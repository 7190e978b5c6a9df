//! What a new text takes over from the file that it replaces: byte order mark and line ends.

/// The byte order mark of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Something that was taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The byte order mark.
    ByteOrderMark,
    /// Line ends of carriage return and line feed.
    Crlf,
}

impl Kept {
    /// Its name, for answers.
    pub fn name(self) -> &'static str {
        match self {
            Kept::ByteOrderMark => "byte order mark",
            Kept::Crlf => "CRLF line ends",
        }
    }
}

/// `new` as the bytes that replace `old`, and what they took over.
///
/// Models see neither mark nor carriage returns and leave them out. Line ends change only if all
/// of `old` are CRLF and none of `new` is, so that a text that says how it ends is left alone.
pub fn like(old: &[u8], new: &str) -> (Vec<u8>, Vec<Kept>) {
    let mut bytes = Vec::new();
    let mut kept = Vec::new();
    if old.starts_with(BYTE_ORDER_MARK) && !new.as_bytes().starts_with(BYTE_ORDER_MARK) {
        bytes.extend_from_slice(BYTE_ORDER_MARK);
        kept.push(Kept::ByteOrderMark);
    }
    if has_only_crlf(old) && new.contains('\n') && !new.contains('\r') {
        bytes.extend_from_slice(new.replace('\n', "\r\n").as_bytes());
        kept.push(Kept::Crlf);
    } else {
        bytes.extend_from_slice(new.as_bytes());
    }
    (bytes, kept)
}

fn has_only_crlf(bytes: &[u8]) -> bool {
    let mut lines = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| line.ends_with(b"\n"))
        .peekable();
    lines.peek().is_some() && lines.all(|line| line.ends_with(b"\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(old: &str, new: &str, bytes: &str, kept: &[Kept]) {
        assert_eq!(
            like(old.as_bytes(), new),
            (bytes.as_bytes().to_vec(), kept.to_vec())
        );
    }

    #[test]
    fn mark_and_line_ends_are_taken_over_where_they_are_the_same_all_over() {
        check("a\n", "b\n", "b\n", &[]);
        check("a\r\nb", "c\nd\n", "c\r\nd\r\n", &[Kept::Crlf]);
        check("a\r\nb\n", "c\nd\n", "c\nd\n", &[]);
        check("a\r\n", "c\r\nd\n", "c\r\nd\n", &[]);
        check("\u{feff}a", "b", "\u{feff}b", &[Kept::ByteOrderMark]);
        check("\u{feff}a", "\u{feff}b", "\u{feff}b", &[]);
        check("", "b\n", "b\n", &[]);
    }
}
