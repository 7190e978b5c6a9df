//! The head of a message, fed as its bytes come: start line and fields (RFC 9112 §2 to §5).
//!
//! Trailers are fields too and are read by the same code. What a field means is not decided here.
//! Every byte is looked at once, however small the pieces are in which it arrives.

use std::mem;

use super::Error;
use super::parse_digits;

/// What curl reads. Policies and cookies of real services come to some 20 KB.
const HEAD_BYTES_MAX: usize = 300 * 1024;

/// What curl reads, too; a longer line is a body that we took for a head.
const LINE_BYTES_MAX: usize = 100 * 1024;

/// What Node reads, and far more than an answer carries: small fields cost more memory than their
/// bytes.
const FIELDS_MAX: usize = 2_000;

/// The fields of a message in the order in which they came.
///
/// A value is text: UTF-8 if it is that, else each byte is the character of its number (RFC 9110
/// §5.5 calls such bytes opaque, and this way none is lost).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// No fields.
    pub fn new() -> Headers {
        Headers::default()
    }

    /// Adds a field after the others, also if there is one of that name.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// The value of the first field of that name, in whatever case.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of all fields of that name, in whatever case.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let same_name = self
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name));
        same_name.map(|(_, value)| value)
    }

    /// The elements of a comma-separated list that may stand in several fields (RFC 9110 §5.6.1).
    ///
    /// Empty elements are skipped. Only for lists whose elements cannot hold a quoted comma.
    pub fn elements(&self, name: &str) -> impl Iterator<Item = &str> {
        let elements = self.all(name).flat_map(|value| value.split(','));
        elements
            .map(trim_blanks)
            .filter(|element| !element.is_empty())
    }

    /// Name and value of each field.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// What stands before the body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// 100 to 999; what is above 599 has no meaning (RFC 9110 §15).
    pub status: u16,
    /// The server's words for the status, often empty. Means nothing (RFC 9112 §4).
    pub reason: String,
    /// The x of HTTP/1.x.
    pub minor: u8,
    /// The fields.
    pub headers: Headers,
}

/// Reads the head of an answer.
#[derive(Debug, Default)]
pub struct ResponseReader {
    /// Set once the status line came; its headers are filled in at the end.
    head: Option<ResponseHead>,
    fields: Fields,
}

impl ResponseReader {
    /// Takes bytes off the front of `input`, up to the end of the head and no further.
    ///
    /// `None` means that all were taken and more are needed. What cannot become a status line is
    /// an error at its first wrong byte, so that a server of another protocol, which may now wait
    /// for us, is found out at once.
    pub fn feed(&mut self, input: &mut &[u8]) -> Result<Option<ResponseHead>, Error> {
        if self.head.is_none() {
            let Some(line) = self.fields.start_line(input)? else {
                check_begun_status_line(&self.fields.lines.line)?;
                return Ok(None);
            };
            self.head = Some(parse_status_line(&line)?);
        }
        let Some(headers) = self.fields.feed(input)? else {
            return Ok(None);
        };
        let head = self.head.take();
        Ok(head.map(|head| ResponseHead { headers, ..head }))
    }
}

/// The version of which we speak every minor one (RFC 9112 §2.3); names are case-sensitive.
const VERSION: &[u8] = b"HTTP/1.";

/// Reads fields up to the empty line that ends them: the rest of a head, or trailers.
#[derive(Debug, Default)]
pub(super) struct Fields {
    lines: Lines,
    headers: Headers,
}

impl Fields {
    /// Takes the line before the fields, if this is used for a head.
    ///
    /// Empty lines before it are skipped: some servers end a body with one too many. RFC 9112 §2.2
    /// says this of requests, and browsers do it for answers.
    pub(super) fn start_line(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, Error> {
        while let Some(line) = self.lines.next(input)? {
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    /// Takes bytes off the front of `input`, up to the end of the fields; `None`: more are needed.
    pub(super) fn feed(&mut self, input: &mut &[u8]) -> Result<Option<Headers>, Error> {
        while let Some(line) = self.lines.next(input)? {
            if line.is_empty() {
                return Ok(Some(mem::take(&mut self.headers)));
            }
            self.take_line(&line)?;
        }
        Ok(None)
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), Error> {
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            return self.continue_last(line);
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let colon = colon.ok_or_else(|| Error::malformed("header line", line))?;
        // Space before the colon is a request smuggler's trick, but in an answer RFC 9112 §5.1 has
        // every proxy remove it: there is one reading, and this is it.
        let name = trim_blanks_end(&line[..colon]);
        // A line without a name names nothing: servers send it, and all but Node and hyper read on.
        if !name.is_empty() && !is_token(name) {
            return Err(Error::malformed("header name", name));
        }
        check_limit("header fields", self.headers.0.len() + 1, FIELDS_MAX)?;
        let value = trim_blank_bytes(&line[colon + 1..]);
        self.headers.push(text(name), text(value));
        Ok(())
    }

    /// Joins a folded line to its field with one space (RFC 9112 §5.2: a user agent must). Before
    /// the first field there is nothing to continue; §2.2 allows to refuse that, and what would be
    /// skipped there is what a smuggler hides.
    fn continue_last(&mut self, line: &[u8]) -> Result<(), Error> {
        let Some((_, value)) = self.headers.0.last_mut() else {
            return Err(Error::malformed("header line", line));
        };
        let more = text(trim_blank_bytes(line));
        if !value.is_empty() && !more.is_empty() {
            value.push(' ');
        }
        value.push_str(&more);
        Ok(())
    }
}

/// Cuts a head into lines.
#[derive(Debug, Default)]
struct Lines {
    /// The line that is not whole yet.
    line: Vec<u8>,
    /// All bytes of this head so far.
    bytes: usize,
}

impl Lines {
    /// Takes bytes off the front of `input` until a line is whole, and returns it without its end.
    ///
    /// A bare LF ends a line as well (RFC 9112 §2.2 allows it). A bare CR does not: that section
    /// wants it refused or replaced, since other readers end a line there, and RFC 9110 §5.5 says
    /// the same of NUL, where they stop. It lets other control characters stay: in a reason or a
    /// value they move no end. Whoever shows a value escapes it.
    fn next(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let end = input.iter().position(|&byte| byte == b'\n');
        let (piece, rest) = input.split_at(end.map_or(input.len(), |at| at + 1));
        *input = rest;
        self.bytes += piece.len();
        check_limit("header bytes", self.bytes, HEAD_BYTES_MAX)?;
        let line_bytes = self.line.len() + piece.len();
        check_limit("header line bytes", line_bytes, LINE_BYTES_MAX)?;
        self.line.extend_from_slice(piece);
        if end.is_none() {
            return Ok(None);
        }
        let mut line = mem::take(&mut self.line);
        line.pop();
        line.pop_if(|byte| *byte == b'\r');
        if line.contains(&b'\r') || line.contains(&0) {
            return Err(Error::malformed("header line", &line));
        }
        Ok(Some(line))
    }
}

fn check_limit(what: &'static str, count: usize, limit: usize) -> Result<(), Error> {
    if count > limit {
        return Err(Error::TooMany { what, limit });
    }
    Ok(())
}

/// Can this still become a status line, or the empty line that may stand before it?
fn check_begun_status_line(begun: &[u8]) -> Result<(), Error> {
    let shorter = begun.len().min(VERSION.len());
    if begun[..shorter] == VERSION[..shorter] || begun == b"\r" {
        return Ok(());
    }
    Err(Error::malformed("status line", begun))
}

/// Words are parted by any blanks, and the reason may be missing with the blank before it: RFC 9112
/// §4 allows a client to be as mild as that. The status has three digits, whatever it means.
fn parse_status_line(line: &[u8]) -> Result<ResponseHead, Error> {
    let malformed = || Error::malformed("status line", line);
    let Some([minor @ b'0'..=b'9', rest @ ..]) = line.strip_prefix(VERSION) else {
        return Err(malformed());
    };
    let after_blanks = trim_blanks_start(rest);
    let (digits, reason) = after_blanks.split_at_checked(3).ok_or_else(malformed)?;
    let status = parse_digits(digits).and_then(|number| u16::try_from(number).ok());
    let status = status
        .filter(|status| *status >= 100)
        .ok_or_else(malformed)?;
    if after_blanks.len() == rest.len() || !matches!(reason, [] | [b' ' | b'\t', ..]) {
        return Err(malformed());
    }
    Ok(ResponseHead {
        status,
        reason: text(trim_blank_bytes(reason)),
        minor: minor - b'0',
        headers: Headers::new(),
    })
}

/// Without the blanks around it. `trim` would also take what only looks like a blank, such as the
/// no-break space in `chunked\u{a0}`, and so make a harmless word out of another.
pub(super) fn trim_blanks(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// The same of bytes. `trim_ascii` would also take a form feed, and so make another word, too.
fn trim_blank_bytes(bytes: &[u8]) -> &[u8] {
    trim_blanks_end(trim_blanks_start(bytes))
}

pub(super) fn trim_blanks_start(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !is_blank(*byte));
    &bytes[start.unwrap_or(bytes.len())..]
}

fn trim_blanks_end(bytes: &[u8]) -> &[u8] {
    let last = bytes.iter().rposition(|byte| !is_blank(*byte));
    &bytes[..last.map_or(0, |last| last + 1)]
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// One or more `tchar` (RFC 9110 §5.6.2): what a method or a field name is made of.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_tchar)
}

fn text(bytes: &[u8]) -> String {
    match str::from_utf8(bytes) {
        Ok(text) => text.to_string(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// What must hold for any head: however it is cut it is read the same way, what follows it is left,
/// and nothing in a field could end its line.
pub fn fuzz_head(input: &[u8]) {
    let mut rest = input;
    let whole = ResponseReader::default().feed(&mut rest);
    let mut reader = ResponseReader::default();
    let mut bytes = input.chunks(1);
    let cut = bytes.find_map(|mut byte| reader.feed(&mut byte).transpose());
    match (&whole, cut.transpose()) {
        // A status line that is wrong is shown as far as it came.
        (Err(_), Err(_)) => {}
        (whole, cut) => assert_eq!(*whole, cut),
    }
    let Ok(Some(head)) = whole else { return };
    assert_eq!(rest.len(), bytes.len());
    assert!(head.status >= 100 && head.headers.0.len() <= FIELDS_MAX);
    for (name, value) in head.headers.iter() {
        assert!(name.is_empty() || is_token(name.as_bytes()), "{name:?}");
        assert!(!value.contains(['\r', '\n', '\0']), "{value:?}");
    }
}

#[cfg(test)]
mod tests;
