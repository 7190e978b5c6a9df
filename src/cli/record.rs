//! `--record DIR`: every exchange with a service as two files of raw bytes, secrets blacked out.
//!
//! `0001.request` is what was sent, `0001.response` what was read, framing and all, so that
//! `sx replay` can serve it again. Blacking out keeps the length of a body, because its framing
//! counts bytes. What the conversation itself holds is not looked at.

use crate::agent::Record;
use std::fs;
use std::fs::DirBuilder;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

/// File names have four digits, so that a listing is in order.
const EXCHANGES_MAX: u32 = 9_999;

/// Headers whose values are nobody's business.
const SECRET_HEADERS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "chatgpt-account-id",
    "cookie",
    "set-cookie",
    "x-api-key",
];

/// JSON fields of token services (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3).
const SECRET_FIELDS: &[&str] = &["access_token", "refresh_token", "id_token"];

/// Writes exchanges into a folder, numbered on from what is there.
#[derive(Debug)]
pub struct Recorder {
    dir: PathBuf,
    next: u32,
}

impl Recorder {
    /// Makes the folder if it is not there. An older recording in it is kept and gone on with.
    pub fn new(dir: &Path) -> io::Result<Recorder> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let mut last = 0;
        for entry in fs::read_dir(dir)? {
            last = last.max(number_of(&entry?.path()).unwrap_or(0));
        }
        Ok(Recorder {
            dir: dir.to_owned(),
            next: last + 1,
        })
    }
}

impl Record for Recorder {
    /// Writes one exchange: all bytes that were sent, and all that were read.
    fn exchange(&mut self, request: &[u8], response: &[u8]) -> io::Result<()> {
        if self.next > EXCHANGES_MAX {
            let text = format!("a recording holds at most {EXCHANGES_MAX} exchanges");
            return Err(io::Error::other(text));
        }
        let [request_path, response_path] = paths(&self.dir, self.next);
        write_private(&request_path, &mask(request))?;
        write_private(&response_path, &mask(response))?;
        self.next += 1;
        Ok(())
    }
}

/// The two files of an exchange.
pub fn paths(dir: &Path, number: u32) -> [PathBuf; 2] {
    [
        dir.join(format!("{number:04}.request")),
        dir.join(format!("{number:04}.response")),
    ]
}

/// The number of the exchange that a file of a recording belongs to.
fn number_of(path: &Path) -> Option<u32> {
    let kind = path.extension()?.to_str()?;
    let number = path.file_stem()?.to_str()?.parse().ok()?;
    matches!(kind, "request" | "response").then_some(number)
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path)?.write_all(bytes)
}

/// A request or response with the values of secret headers and fields blacked out.
fn mask(message: &[u8]) -> Vec<u8> {
    let mut masked = Vec::with_capacity(message.len());
    let mut rest = message;
    let mut is_chunked = false;
    while let Some(end) = head_end(rest) {
        // An interim answer (RFC 9110 §15.2) is a head without a body; the next head follows it.
        let is_interim = rest.starts_with(b"HTTP/1.1 1");
        is_chunked = false;
        for line in rest[..end].split_inclusive(|byte| *byte == b'\n') {
            is_chunked |= is_header(line, "transfer-encoding");
            mask_line(line, &mut masked);
        }
        rest = &rest[end..];
        if !is_interim {
            break;
        }
    }
    let start = masked.len();
    masked.extend_from_slice(rest);
    let body = &mut masked[start..];
    let places = if is_chunked {
        chunk_places(body)
    } else {
        (0..body.len()).collect()
    };
    mask_fields(body, &places);
    masked
}

/// Where the head ends, its empty line included. A message without one is all head.
fn head_end(message: &[u8]) -> Option<usize> {
    if message.is_empty() {
        return None;
    }
    let mut end = 0;
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        if matches!(line, b"\n" | b"\r\n") {
            break;
        }
    }
    Some(end)
}

fn is_header(line: &[u8], name: &str) -> bool {
    line.len() > name.len()
        && line[name.len()] == b':'
        && line[..name.len()].eq_ignore_ascii_case(name.as_bytes())
}

fn mask_line(line: &[u8], out: &mut Vec<u8>) {
    match SECRET_HEADERS.iter().find(|name| is_header(line, name)) {
        Some(name) => {
            out.extend_from_slice(&line[..name.len()]);
            out.extend_from_slice(b": [masked]\r\n");
        }
        None => out.extend_from_slice(line),
    }
}

/// The places of a chunked body that hold data (RFC 9112 §7.1). A token may be cut by a chunk's
/// end, so it has to be looked for in the data alone. What does not parse counts as data.
fn chunk_places(body: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(length) = body[at..].iter().position(|byte| *byte == b'\n') {
        let line = str::from_utf8(&body[at..at + length]).unwrap_or_default();
        let digits = line.split(';').next().unwrap_or_default().trim();
        let Ok(size) = usize::from_str_radix(digits, 16) else {
            break;
        };
        let start = at + length + 1;
        let end = start.saturating_add(size).min(body.len());
        places.extend(start..end);
        at = end;
        for expected in [b'\r', b'\n'] {
            if body.get(at) == Some(&expected) {
                at += 1;
            }
        }
    }
    places.extend(at..body.len());
    places
}

/// Overwrites the string values of secret fields in the data at `places`, and nothing between.
fn mask_fields(body: &mut [u8], places: &[usize]) {
    let mut data: Vec<u8> = places.iter().map(|place| body[*place]).collect();
    for name in SECRET_FIELDS {
        let key = format!("\"{name}\"");
        let mut at = 0;
        while let Some(found) = find(&data[at..], key.as_bytes()) {
            at += found + key.len();
            let colon = data[at..]
                .iter()
                .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b':'));
            let start = at + colon.count();
            if data.get(start) != Some(&b'"') {
                continue;
            }
            at = start + 1;
            while at < data.len() && data[at] != b'"' {
                // What a backslash hides, a quote above all, does not end the value.
                if data[at] == b'\\' && at + 1 < data.len() {
                    data[at + 1] = b'x';
                }
                data[at] = b'x';
                at += 1;
            }
        }
    }
    for (place, byte) in places.iter().zip(data) {
        body[*place] = byte;
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expected: &str) {
        let masked = String::from_utf8(mask(message.as_bytes())).unwrap();
        assert_eq!(masked, expected);
    }

    #[test]
    fn secret_headers_are_blacked_out_whatever_their_case() {
        check(
            "POST /r HTTP/1.1\r\nAUTHORIZATION: Bearer abc\r\nHost: h\r\n\r\n{}",
            "POST /r HTTP/1.1\r\nAUTHORIZATION: [masked]\r\nHost: h\r\n\r\n{}",
        );
        check(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie:a=b\r\n\r\nSet-Cookie: c",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: [masked]\r\n\r\n\
             Set-Cookie: c",
        );
        check("cookie: torn", "cookie: [masked]\r\n");
    }

    #[test]
    fn tokens_in_a_body_are_blacked_out_and_keep_their_length() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";
        let check_body = |body: &str, expected: &str| {
            check(&format!("{head}{body}"), &format!("{head}{expected}"));
        };
        check_body(
            r#"{"access_token" : "abc","id_token":"d\"e","expires_in":3}"#,
            r#"{"access_token" : "xxx","id_token":"xxxx","expires_in":3}"#,
        );
        check_body(
            r#"{"refresh_token":null,"refresh_token":"to"#,
            r#"{"refresh_token":null,"refresh_token":"xx"#,
        );
        check_body(
            r#"{"text":"\"access_token\": \"told\""}"#,
            r#"{"text":"\"access_token\": \"told\""}"#,
        );
    }

    #[test]
    fn a_token_that_a_chunk_cuts_is_blacked_out_at_every_cut() {
        let body = r#"{"access_token":"abcdef"}"#;
        let hidden = r#"{"access_token":"xxxxxx"}"#;
        let chunked = |body: &str, cut: usize| {
            let (left, right) = body.split_at(cut);
            format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                 {:x}\r\n{left}\r\n{:X};e=1\r\n{right}\r\n0\r\n\r\n",
                left.len(),
                right.len()
            )
        };
        for cut in 1..body.len() {
            check(&chunked(body, cut), &chunked(hidden, cut));
        }
    }

    #[test]
    fn a_recording_is_private_and_gone_on_with() {
        let name = format!("sx-record-{}", crate::base::random::uuid().unwrap());
        let dir = std::env::temp_dir().join(name);
        let mut recorder = Recorder::new(&dir).unwrap();
        recorder.exchange(b"a", b"b").unwrap();
        let mut recorder = Recorder::new(&dir).unwrap();
        recorder.exchange(b"c", b"d").unwrap();
        let [request, response] = paths(&dir, 2);
        assert_eq!(fs::read(request).unwrap(), b"c");
        assert_eq!(fs::read(&response).unwrap(), b"d");
        let mode = std::os::unix::fs::PermissionsExt::mode;
        assert_eq!(
            mode(&fs::metadata(&response).unwrap().permissions()) & 0o777,
            0o600
        );
        assert_eq!(
            mode(&fs::metadata(&dir).unwrap().permissions()) & 0o777,
            0o700
        );
        fs::remove_dir_all(&dir).unwrap();
    }
}
