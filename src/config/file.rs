//! Reads the text of a `scorpiox-env.txt`: `KEY=VALUE` lines, `#` comments. Bytes in, lines out.
//!
//! A byte order mark and CRLF are accepted, blanks around key and value are dropped, and there is
//! no quoting: what stands after the first `=` is the value. Which keys exist is not known here.

/// A line that is neither blank nor a comment.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number, from 1.
    pub number: u32,
    /// What it says.
    pub content: Content<'a>,
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// `KEY=VALUE`; the value may be empty.
    Pair {
        /// The word before the first `=`: letters, digits and underscores.
        key: &'a str,
        /// All after it, without the blanks around it.
        value: &'a str,
    },
    /// Anything else, as text that can be shown.
    Bad(String),
}

/// The lines of a settings file that say something.
pub fn parse(bytes: &[u8]) -> Vec<Line<'_>> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let content =
            pair(line).unwrap_or_else(|| Content::Bad(String::from_utf8_lossy(line).into_owned()));
        lines.push(Line { number, content });
    }
    lines
}

fn pair(line: &[u8]) -> Option<Content<'_>> {
    let (key, value) = std::str::from_utf8(line).ok()?.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let is_word = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_word.then_some(Content::Pair { key, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs as `number KEY=VALUE`, bad lines as `number ? text`.
    #[track_caller]
    fn check(input: &[u8], expected: &[&str]) {
        let got: Vec<String> = parse(input)
            .iter()
            .map(|line| match &line.content {
                Content::Pair { key, value } => format!("{} {key}={value}", line.number),
                Content::Bad(text) => format!("{} ? {text}", line.number),
            })
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn lines_are_pairs_comments_or_bad() {
        check(b"", &[]);
        check(b"A=1", &["1 A=1"]);
        check(
            b"\xef\xbb\xbf# x\r\n\r\n  A = b c  \r\nB=\n",
            &["3 A=b c", "4 B="],
        );
        check(b"URL=http://h/?a=b#c\n", &["1 URL=http://h/?a=b#c"]);
        check(b"A=\"q\"\n", &["1 A=\"q\""]);
        check(
            b"hello\n=1\nexport A=1\n",
            &["1 ? hello", "2 ? =1", "3 ? export A=1"],
        );
        check(
            b"A=\xff\n# \xff is fine here\nB=2",
            &["1 ? A=\u{fffd}", "3 B=2"],
        );
    }

    #[test]
    fn a_line_may_be_of_any_length() {
        let long = format!("A={}\nB=1", "x".repeat(300_000));
        let lines = parse(long.as_bytes());
        assert_eq!(lines.len(), 2);
        assert!(matches!(&lines[0].content, Content::Pair { value, .. } if value.len() == 300_000));
    }
}
