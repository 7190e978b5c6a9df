//! A page as the model reads it: which are read at all, what is said of one, and a window of it.

use crate::base::text;
use crate::html;
use crate::http::head::ResponseHead;
use crate::http::url::Url;
use crate::tools::Answer;
use crate::tools::Refusal;

use super::BODY_BYTES_MAX;

/// As much of a text as one answer shows: about 6,000 tokens.
const SHOWN_BYTES_MAX: usize = 24 * 1024;

/// A window ends with a line where one ends in its last part.
const LAST_PART_BYTES: usize = 2 * 1024;

/// What a server says of an error is rarely worth more.
const ERROR_BYTES_MAX: usize = 2 * 1024;

/// Addresses of links in one answer.
const LINKS_BYTES_MAX: usize = 4 * 1024;

/// A page that was read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Where it came from in the end, and of what kind it is: a line.
    what: String,
    is_good: bool,
    title: String,
    text: String,
    /// Addresses of the links in the text, from 1.
    links: Vec<String>,
    /// What the reader should know, a line each.
    notes: Vec<String>,
}

/// Refuses an answer that holds no text, before its body comes.
pub fn check(head: &ResponseHead) -> Result<(), Refusal> {
    let coding = head.headers.first("content-encoding").unwrap_or("identity");
    if !coding.trim().eq_ignore_ascii_case("identity") {
        let coding = text::one_line(text::prefix(coding, 40));
        return Err(Refusal::new(format!(
            "it comes compressed ({coding}), unasked"
        )));
    }
    let kind = Kind::of(head);
    if kind.is_text() {
        return Ok(());
    }
    let length = head.headers.first("content-length");
    let length = length.map_or(String::new(), |bytes| {
        format!(", {} bytes", text::one_line(text::prefix(bytes, 20)))
    });
    Err(Refusal::new(format!(
        "it is {}{length}; only text is read: HTML, plain text, JSON, XML",
        kind.name
    )))
}

/// What an answer says of its content.
struct Kind {
    /// `text/html`, in lower case; empty if nothing is said.
    name: String,
    charset: String,
}

impl Kind {
    fn of(head: &ResponseHead) -> Kind {
        let line = head.headers.first("content-type").unwrap_or_default();
        let mut parts = line.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let charset = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("charset").then_some(value)
        });
        Kind {
            name: text::one_line(text::prefix(&name, 100)),
            charset: charset.unwrap_or_default().to_owned(),
        }
    }

    fn is_text(&self) -> bool {
        const OTHERS: &[&str] = &[
            "json",
            "xml",
            "javascript",
            "ecmascript",
            "yaml",
            "x-yaml",
            "toml",
            "x-sh",
            "sql",
            "x-ndjson",
            "graphql",
        ];
        let Some((of, kind)) = self.name.split_once('/') else {
            return self.name.is_empty();
        };
        let suffix = kind.rsplit('+').next().unwrap_or(kind);
        of == "text" || of == "application" && OTHERS.contains(&suffix)
    }

    fn is_html(&self, body: &[u8]) -> bool {
        let start = &body[..body.len().min(512)];
        let start = String::from_utf8_lossy(start)
            .trim_start()
            .to_ascii_lowercase();
        match self.name.as_str() {
            "text/html" | "application/xhtml+xml" => true,
            "" => start.starts_with("<!doctype html") || start.starts_with("<html"),
            _ => false,
        }
    }
}

impl Reading {
    /// Reads what an answer brought; `url` is where it came from in the end.
    pub fn new(url: &Url, head: &ResponseHead, body: &[u8]) -> Reading {
        let kind = Kind::of(head);
        let is_cut = body.len() > BODY_BYTES_MAX;
        let body = &body[..body.len().min(BODY_BYTES_MAX)];
        let charset = match kind.charset.is_empty() {
            true => html::charset_of(body).unwrap_or_default(),
            false => kind.charset.clone(),
        };
        let (text, is_broken) = html::text_of(body, &charset);
        let page = match kind.is_html(body) {
            true => html::read(&text),
            false => html::Page {
                text: text.chars().filter(|c| is_shown(*c)).collect(),
                ..html::Page::default()
            },
        };
        let mut notes = Vec::new();
        if is_cut || page.is_cut {
            notes.push(format!("only its first {BODY_BYTES_MAX} bytes were read"));
        }
        if is_broken && !is_cut {
            notes.push("some bytes are not UTF-8 and are shown as \u{fffd}".to_owned());
        }
        let absolute = |link: String| url.resolve(&link).map_or(link, |url| url.to_string());
        let name = if kind.name.is_empty() {
            "text"
        } else {
            &kind.name
        };
        Reading {
            what: format!("{url} is {name}, status {}", head.status),
            is_good: (200..300).contains(&head.status),
            title: page.title,
            text: page.text,
            links: page.links.into_iter().map(absolute).collect(),
            notes,
        }
    }

    /// The window that begins at byte `offset` of the text.
    pub fn answer(&self, offset: usize) -> Result<Answer, Refusal> {
        let length = self.text.len();
        if offset > length {
            return Err(Refusal::new(format!(
                "offset is {offset}, and the text has {length} bytes"
            )));
        }
        let start = length - text::suffix(&self.text, length - offset).len();
        let bytes_max = if self.is_good {
            SHOWN_BYTES_MAX
        } else {
            ERROR_BYTES_MAX
        };
        let window = window(&self.text[start..], bytes_max);
        let end = start + window.len();
        let mut told = format!("{}, {length} bytes of text\n", self.what);
        for note in &self.notes {
            told.push_str(&format!("[{note}]\n"));
        }
        if start == 0 && !self.title.is_empty() {
            told.push_str(&format!("title: {}\n", self.title));
        }
        told.push_str(&format!("\n{}\n", window.trim_end_matches('\n')));
        if start > 0 || end < length {
            told.push_str(&format!("[bytes {start} to {end}"));
            told.push_str(&match end < length {
                true => format!("; go on with offset {end}]\n"),
                false => ", the last]\n".to_owned(),
            });
        }
        told.push_str(&self.links_in(window));
        Ok(Answer {
            ok: self.is_good,
            summary: match self.is_good {
                true => format!("{} of {length} bytes", window.len()),
                false => self.what.clone(),
            },
            truncated: window.len() < length,
            ..Answer::text(told)
        })
    }

    /// The addresses of the links that a window shows, a line each.
    fn links_in(&self, window: &str) -> String {
        let mut lines = String::new();
        for (number, link) in (1..).zip(&self.links) {
            if lines.len() > LINKS_BYTES_MAX {
                lines.push_str("[more links are left out]\n");
                break;
            }
            if window.contains(&format!("[{number}]")) {
                lines.push_str(&format!("[{number}] {link}\n"));
            }
        }
        lines
    }
}

/// The beginning of a text, up to the end of a line where one is near.
fn window(text: &str, bytes_max: usize) -> &str {
    let window = text::prefix(text, bytes_max);
    if window.len() == text.len() {
        return window;
    }
    match window.rfind('\n') {
        Some(end) if window.len() - end <= LAST_PART_BYTES.min(bytes_max / 2) => &window[..=end],
        _ => window,
    }
}

fn is_shown(c: char) -> bool {
    !c.is_control() || matches!(c, '\n' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Part;
    use crate::http::head::Headers;

    fn head(status: u16, fields: &[(&str, &str)]) -> ResponseHead {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.push(*name, *value);
        }
        ResponseHead {
            status,
            reason: String::new(),
            minor: 1,
            headers,
        }
    }

    fn reading(status: u16, kind: &str, body: &[u8]) -> Reading {
        let url = Url::parse("https://example.org/a/b").unwrap();
        Reading::new(&url, &head(status, &[("Content-Type", kind)]), body)
    }

    #[track_caller]
    fn told(reading: &Reading, offset: usize) -> String {
        match reading.answer(offset).unwrap().parts.remove(0) {
            Part::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_text_is_read() {
        let check = |fields: &[(&str, &str)], words: Option<&str>| {
            let told = check(&head(200, fields)).map_err(|refusal| refusal.into_answer().summary);
            match words {
                None => assert!(told.is_ok(), "{fields:?}"),
                Some(words) => assert!(told.unwrap_err().contains(words), "{fields:?}"),
            }
        };
        check(&[], None);
        for text in [
            "text/html; charset=utf-8",
            "TEXT/Plain",
            "application/json",
            "application/ld+json",
            "application/atom+xml",
            "application/xhtml+xml",
        ] {
            check(&[("Content-Type", text)], None);
        }
        let pdf = [
            ("Content-Type", "application/pdf"),
            ("Content-Length", "12"),
        ];
        check(&pdf, Some("application/pdf, 12 bytes; only text"));
        check(&[("Content-Type", "image/svg+xml")], Some("image/svg+xml"));
        check(&[("Content-Encoding", "gzip")], Some("compressed (gzip)"));
    }

    #[test]
    fn a_page_tells_where_it_is_from_and_where_it_leads() {
        let page = b"<title>T</title><h1>H</h1><a href='../c'>x</a>";
        assert_eq!(
            told(&reading(200, "text/html", page), 0),
            "https://example.org/a/b is text/html, status 200, 10 bytes of text\ntitle: T\n\n\
             # H\n\nx [1]\n[1] https://example.org/c\n"
        );
        let json = reading(200, "application/json", b"{\"a\": \"<b>\x1b\"}\n");
        assert!(told(&json, 0).ends_with("\n\n{\"a\": \"<b>\"}\n"));
        let latin = reading(200, "text/plain; charset=iso-8859-1", b"caf\xe9");
        assert!(told(&latin, 0).ends_with("\ncaf\u{e9}\n"));
        let broken = reading(200, "text/plain", b"caf\xe9");
        assert!(told(&broken, 0).contains("[some bytes are not UTF-8"));
    }

    #[test]
    fn an_error_of_the_server_is_no_success() {
        let answer = reading(404, "text/plain", &b"no such page\n".repeat(1_000));
        let answer = answer.answer(0).unwrap();
        assert!(!answer.ok && answer.truncated);
        assert!(answer.summary.ends_with("status 404"), "{}", answer.summary);
    }

    #[test]
    fn a_long_text_is_read_window_by_window() {
        let body = "a line of words, \u{e9}\n".repeat(5_000);
        let reading = reading(200, "text/plain", body.as_bytes());
        let mut seen = String::new();
        let mut offset = 0;
        loop {
            let told = told(&reading, offset);
            let (_, rest) = told.split_once("\n\n").unwrap();
            let (window, end) = rest.split_once("[bytes ").unwrap();
            seen.push_str(window);
            match end.split_once("offset ") {
                Some((_, next)) => offset = next.trim_end_matches("]\n").parse().unwrap(),
                None => break,
            }
        }
        assert!(seen == body);
        assert!(reading.answer(body.len() + 1).is_err());
        assert!(reading.answer(22).is_ok(), "inside a character");
        let large = self::reading(200, "text/plain", &vec![b'x'; BODY_BYTES_MAX + 1]);
        assert!(told(&large, 0).contains("[only its first 2097152 bytes were read]"));
    }
}
