//! The sections of a PEM file (RFC 7468): certificates and keys as DER. Bytes in, values out.
//!
//! Mild about what real files hold: text between sections, blanks around lines, any line ends, a
//! byte order mark, lines of any length. A damaged section is reported with its line and costs its
//! neighbours nothing, also where its end was torn off. Left out: keys behind a password.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What stands before and after the label of a section.
const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const RULE: &[u8] = b"-----";

/// One `BEGIN`, up to its `END`.
#[derive(Debug, PartialEq, Eq)]
pub struct Section {
    /// What it says it is, such as `CERTIFICATE`.
    pub label: String,
    /// The line of its `BEGIN`, from 1.
    pub line: usize,
    /// Its bytes, or what is wrong with it.
    pub der: Result<Vec<u8>, &'static str>,
}

/// All sections in their order; none where the text is no PEM at all.
pub fn sections(text: &[u8]) -> Vec<Section> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut sections = Vec::new();
    let mut open: Option<Open> = None;
    for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        // Files of old Macs end their lines with CR alone.
        for line in line.split(|&byte| byte == b'\r').map(<[u8]>::trim_ascii) {
            if let Some(label) = label(line, BEGIN) {
                sections.extend(open.take().map(|torn| torn.close(None)));
                open = Some(Open::new(label, number));
            } else if let Some(label) = label(line, END) {
                sections.extend(open.take().map(|open| open.close(Some(label))));
            } else if let Some(open) = &mut open {
                open.take_line(line);
            }
        }
    }
    sections.extend(open.map(|torn| torn.close(None)));
    sections
}

/// A section whose end has not come yet.
struct Open {
    label: Vec<u8>,
    line: usize,
    base64: Vec<u8>,
    is_locked: bool,
}

impl Open {
    fn new(label: &[u8], line: usize) -> Open {
        Open {
            label: label.to_vec(),
            line,
            base64: Vec::new(),
            is_locked: label.starts_with(b"ENCRYPTED"),
        }
    }

    /// A line with a colon is a header of the older format (RFC 1421 §4.6); base64 has none.
    fn take_line(&mut self, line: &[u8]) {
        if line.contains(&b':') {
            self.is_locked |= line.starts_with(b"Proc-Type") && line.ends_with(b"ENCRYPTED");
            return;
        }
        let digits = line.iter().filter(|byte| !byte.is_ascii_whitespace());
        self.base64.extend(digits);
    }

    fn close(self, end: Option<&[u8]>) -> Section {
        Section {
            label: String::from_utf8_lossy(&self.label).into_owned(),
            line: self.line,
            der: self.decode(end),
        }
    }

    fn decode(&self, end: Option<&[u8]>) -> Result<Vec<u8>, &'static str> {
        let Some(end) = end else {
            return Err("its END line is missing");
        };
        if end != self.label {
            return Err("its BEGIN and END lines name different things");
        }
        if self.is_locked {
            return Err("it is locked by a password");
        }
        let der = STANDARD.decode(&self.base64);
        let der = der.map_err(|_| "it is not base64")?;
        if der.is_empty() {
            return Err("it is empty");
        }
        Ok(der)
    }
}

/// What stands between `before` and the five dashes at the end of a line.
fn label<'a>(line: &'a [u8], before: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(before)?.strip_suffix(RULE)
}

/// What must hold for any bytes: sections are fewer than lines, and none is empty.
pub fn fuzz_sections(text: &[u8]) {
    let lines = text.split(|byte| b"\r\n".contains(byte)).count();
    let sections = sections(text);
    assert!(sections.len() <= lines);
    assert!(sections.iter().all(|section| section.der != Ok(Vec::new())));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mutants::mutants;

    const LOCKED: &str = include_str!("../../tests/data/tls/locked.pem");

    /// Sections as `label line bytes` or `label line reason`.
    #[track_caller]
    fn check(text: impl AsRef<[u8]>, expected: &[&str]) {
        let shown = |section: &Section| {
            let (label, line) = (&section.label, section.line);
            match &section.der {
                Ok(der) => format!("{label} {line} {}", der.escape_ascii()),
                Err(reason) => format!("{label} {line} {reason}"),
            }
        };
        let found: Vec<String> = sections(text.as_ref()).iter().map(shown).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn sections_are_found_however_they_are_laid_out() {
        check("", &[]);
        check("no section", &[]);
        check("-----BEGIN X-----\nYWI=\n-----END X-----\n", &["X 1 ab"]);
        check("-----BEGIN X-----\r\nYWI=\r\n-----END X-----", &["X 1 ab"]);
        check("-----BEGIN X-----\rYWI=\r-----END X-----\r", &["X 1 ab"]);
        check(
            "\u{feff}-----BEGIN X-----\nYWI=\n-----END X-----",
            &["X 1 ab"],
        );
        check(
            "a: b\n\n  -----BEGIN X Y----- \n  Y\n\n W I= \n-----END X Y-----\ntext\n\
             -----BEGIN Z-----\nYw==\n-----END Z-----\n",
            &["X Y 3 ab", "Z 9 c"],
        );
    }

    #[test]
    fn a_damaged_section_does_not_lose_its_neighbours() {
        check(
            "-----BEGIN A-----\nYW\n-----BEGIN B-----\nYg==\n-----END B-----\n",
            &["A 1 its END line is missing", "B 3 b"],
        );
        check(
            "-----BEGIN A-----\n!!\n-----END A-----\n-----BEGIN B-----\nYg==\n-----END B-----",
            &["A 1 it is not base64", "B 4 b"],
        );
        check(
            "-----BEGIN A-----\n-----END A-----\n-----BEGIN B-----\nYg==\n-----END C-----",
            &[
                "A 1 it is empty",
                "B 3 its BEGIN and END lines name different things",
            ],
        );
        check("-----END A-----\n-----BEGIN A\nYg==\n", &[]);
    }

    #[test]
    fn a_locked_key_is_said_to_be_locked() {
        check(
            LOCKED,
            &["ENCRYPTED PRIVATE KEY 1 it is locked by a password"],
        );
        check(
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: A,B\n\nYg==\n\
             -----END RSA PRIVATE KEY-----",
            &["RSA PRIVATE KEY 1 it is locked by a password"],
        );
    }

    #[test]
    fn no_bytes_are_too_odd() {
        let two = format!("-----BEGIN A-----\r\nYWI=\r\n-----END A-----\n{LOCKED}");
        mutants(two.as_bytes()).for_each(|text| fuzz_sections(&text));
    }
}
