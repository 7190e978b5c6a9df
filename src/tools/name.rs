//! Names of files in answers: nothing in them does harm, and each can be given back.
//!
//! A plain name stands as it is. One that is not UTF-8, or has characters that move a cursor or
//! turn a line, is written as bash would read it: `$'a\nb\xff'`. Calls may give both.

use crate::base::text;
use std::borrow::Cow;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

const QUOTE: &str = "$'";

/// The name as an answer has it.
pub fn shown(path: &Path) -> Cow<'_, str> {
    if let Some(name) = path.to_str()
        && !name.starts_with(QUOTE)
        && is_plain(name)
    {
        return Cow::Borrowed(name);
    }
    let mut quoted = QUOTE.to_owned();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '\\' => quoted.extend(['\\', c]),
                '\n' => quoted.push_str("\\n"),
                '\t' => quoted.push_str("\\t"),
                c if is_plain(c.encode_utf8(&mut [0; 4])) => quoted.push(c),
                c => push_bytes(&mut quoted, c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        push_bytes(&mut quoted, chunk.invalid());
    }
    quoted.push('\'');
    Cow::Owned(quoted)
}

fn is_plain(text: &str) -> bool {
    !text.contains(['\n', '\t']) && matches!(text::harmless(text), Cow::Borrowed(_))
}

fn push_bytes(quoted: &mut String, bytes: &[u8]) {
    for byte in bytes {
        quoted.push_str(&format!("\\x{byte:02x}"));
    }
}

/// The path that a call gave: what `shown` wrote is read back, anything else is itself.
pub fn given(name: &str) -> Cow<'_, Path> {
    match name
        .strip_prefix(QUOTE)
        .and_then(|rest| unquoted(rest.strip_suffix('\'')?))
    {
        Some(bytes) => Cow::Owned(OsString::from_vec(bytes).into()),
        None => Cow::Borrowed(Path::new(OsStr::new(name))),
    }
}

fn unquoted(quoted: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(quoted.len());
    let mut rest = quoted.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte == b'\'' {
            return None;
        }
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        let (kind, after) = rest.split_first()?;
        rest = after;
        bytes.push(match kind {
            b'\'' | b'\\' => *kind,
            b'n' => b'\n',
            b't' => b'\t',
            b'x' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                let digit = |at: usize| char::from(digits[at]).to_digit(16);
                u8::try_from(digit(0)? * 16 + digit(1)?).ok()?
            }
            _ => return None,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_can_be_given_back() {
        let cases: &[(&[u8], &str)] = &[
            (b"src/a b.rs", "src/a b.rs"),
            ("grün/日本".as_bytes(), "grün/日本"),
            (b"it's", "it's"),
            (b"a\\b", "a\\b"),
            (b"a\nb", "$'a\\nb'"),
            (b"a\tb'c\\d", "$'a\\tb\\'c\\\\d'"),
            (b"\x1b[2Jx", "$'\\x1b[2Jx'"),
            (b"gr\xfcn", "$'gr\\xfcn'"),
            ("x\u{202e}y".as_bytes(), "$'x\\xe2\\x80\\xaey'"),
            (b"$'x'", "$'$\\'x\\''"),
        ];
        for (bytes, text) in cases {
            let path = Path::new(OsStr::from_bytes(bytes));
            assert_eq!(shown(path), *text);
            assert_eq!(given(text), path, "{text}");
        }
    }

    #[test]
    fn what_is_no_quoted_name_is_itself() {
        for name in [
            "$'", "$'a", "$'a'b'", "$'\\'", "$'\\q'", "$'\\x1'", "$'\\xé'",
        ] {
            assert_eq!(given(name), Path::new(name), "{name}");
        }
    }
}
