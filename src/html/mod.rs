//! HTML to text: what a reader of a page would read, in lines. Bytes in, text out.
//!
//! Not a browser's parser: tags are taken as they come, nothing is nested right that was not, and
//! no style is known. What is never shown is dropped (scripts, styles, templates, pictures but for
//! their words). Headings keep their rank as `#`, list items their dash or number, cells of a table
//! a bar between them, links a number that stands for their address. Any bytes give some text.

mod entity;
mod page;
mod token;

use page::Builder;
use std::borrow::Cow;
use token::Token;
use token::Tokens;

/// Whatever a page says, its text is no longer.
pub const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Links that get a number.
pub const LINKS_MAX: usize = 500;

/// A page as it reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its title, in one line; empty if it has none.
    pub title: String,
    /// Its lines.
    pub text: String,
    /// Addresses of the links `[1]`, `[2]` and so on, as the page has them.
    pub links: Vec<String>,
    /// Whether the text is less than the page says.
    pub is_cut: bool,
}

/// Reads a page.
pub fn read(html: &str) -> Page {
    let mut builder = Builder::default();
    let mut tokens = Tokens::of(html);
    while let Some(token) = tokens.next() {
        match token {
            Token::Text(text) => builder.text(&entity::decode(text)),
            Token::Open(tag) => {
                if let Some(kind) = token::raw_kind(tag.name) {
                    let inside = tokens.raw(tag.name);
                    if kind == token::Raw::Title {
                        builder.title(&entity::decode(inside));
                    }
                    continue;
                }
                builder.open(&tag);
            }
            Token::Close(name) => builder.close(name),
        }
        if builder.is_full() {
            break;
        }
    }
    builder.finish()
}

/// A page's bytes as text: by `charset` where it is one that we know, else as UTF-8. The second is
/// whether some bytes were none of it.
pub fn text_of<'a>(bytes: &'a [u8], charset: &str) -> (Cow<'a, str>, bool) {
    let charset = charset.trim_matches(['"', '\'', ' ']).to_ascii_lowercase();
    match charset.as_str() {
        "iso-8859-1" | "latin1" | "windows-1252" | "cp1252" | "us-ascii" | "ascii" => {
            let text: String = bytes.iter().map(|byte| entity::latin(*byte)).collect();
            (Cow::Owned(text), false)
        }
        _ => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            let text = String::from_utf8_lossy(bytes);
            let is_broken = matches!(text, Cow::Owned(_));
            (text, is_broken)
        }
    }
}

/// The charset that a page names itself, in its first bytes.
pub fn charset_of(bytes: &[u8]) -> Option<String> {
    /// HTML Standard §4.2.5.4: it must stand there.
    const HEAD_BYTES: usize = 1024;
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD_BYTES)]).to_ascii_lowercase();
    let (_, after) = head.split_once("charset=")?;
    let after = after.trim_start_matches(['"', '\'']);
    let end = after.find(|c: char| !c.is_ascii_alphanumeric() && !"-_:".contains(c));
    let name = &after[..end.unwrap_or(after.len())];
    (!name.is_empty()).then(|| name.to_owned())
}

/// What must hold for any bytes: the text is bounded and has no control characters but line ends
/// and tabs, and every number of a link has an address.
pub fn fuzz_page(input: &[u8]) {
    let charset = charset_of(input).unwrap_or_default();
    let (html, _) = text_of(input, &charset);
    let page = read(&html);
    // One more token may be whole.
    assert!(page.text.len() <= TEXT_BYTES_MAX + html.len() + 1024);
    assert!(page.links.len() <= LINKS_MAX);
    let is_odd = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!page.text.contains(is_odd), "{:?}", page.text);
    assert!(!page.title.contains(char::is_control), "{:?}", page.title);
    assert!(!page.text.contains("\n\n\n"), "{:?}", page.text);
}

#[cfg(test)]
mod tests;
