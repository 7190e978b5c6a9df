//! Cuts HTML into text and tags (HTML Standard §13.2.5, the part of it that matters for reading).
//!
//! Each step eats at least one byte and looks at no byte twice but to find the end of a tag, so the
//! time is linear. Comments, doctypes and processing instructions are passed over.

/// More attributes than this on one tag are not looked at.
const ATTRIBUTES_MAX: usize = 64;

/// A piece of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// Text with its entities.
    Text(&'a str),
    /// `<name ...>`.
    Open(Tag<'a>),
    /// `</name>`.
    Close(&'a str),
}

/// An opening tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// As it is written; compare it without regard to case.
    pub name: &'a str,
    /// What follows the name, up to the `>`.
    attributes: &'a str,
}

impl<'a> Tag<'a> {
    /// The value of an attribute, entities and all.
    pub fn attribute(&self, wanted: &str) -> Option<&'a str> {
        let mut rest = self.attributes;
        for _ in 0..ATTRIBUTES_MAX {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            if rest.is_empty() {
                return None;
            }
            let name_end = |c: char| c.is_ascii_whitespace() || c == '=';
            // A name may begin with `=`, and is then not empty.
            let end = rest.char_indices().skip(1).find(|(_, c)| name_end(*c));
            let (name, after) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
            let after = after.trim_start();
            let value;
            (value, rest) = match after.strip_prefix('=') {
                Some(after) => split_value(after.trim_start()),
                None => ("", after),
            };
            if name.eq_ignore_ascii_case(wanted) {
                return Some(value);
            }
        }
        None
    }
}

/// The value at the beginning of `text`, and what follows it.
fn split_value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(text) = text.strip_prefix(quote) {
            return text.split_once(quote).unwrap_or((text, ""));
        }
    }
    let end = text.find(|c: char| c.is_ascii_whitespace());
    text.split_at(end.unwrap_or(text.len()))
}

/// What stands between an opening tag and its end without being tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw {
    /// It is never shown.
    Hidden,
    /// The title of the page.
    Title,
}

/// Whether the inside of an element is taken as a whole.
pub fn raw_kind(name: &str) -> Option<Raw> {
    const HIDDEN: &[&str] = &[
        "script", "style", "noscript", "template", "svg", "iframe", "noembed", "noframes",
        "object", "canvas", "audio", "video",
    ];
    if name.eq_ignore_ascii_case("title") {
        return Some(Raw::Title);
    }
    let is_hidden = HIDDEN
        .iter()
        .any(|hidden| name.eq_ignore_ascii_case(hidden));
    is_hidden.then_some(Raw::Hidden)
}

/// The rest of a page.
pub struct Tokens<'a> {
    rest: &'a str,
    /// Elements that are known to have no end in the rest, so that nobody searches it again.
    endless: Vec<String>,
}

impl<'a> Tokens<'a> {
    /// A whole page.
    pub fn of(html: &'a str) -> Tokens<'a> {
        Tokens {
            rest: html,
            endless: Vec::new(),
        }
    }

    /// The next piece; `None` at the end.
    pub fn next(&mut self) -> Option<Token<'a>> {
        while !self.rest.is_empty() {
            let Some(after) = self.rest.strip_prefix('<') else {
                let end = self.rest.find('<').unwrap_or(self.rest.len());
                return Some(Token::Text(self.eat(end)));
            };
            let first = after.bytes().next().unwrap_or_default();
            match first {
                b'a'..=b'z' | b'A'..=b'Z' => return Some(self.open()),
                b'/' => {
                    let name = self.eat_to('>');
                    let name = name.trim_start_matches("</").trim_end_matches('>');
                    let end = name.find(|c: char| c.is_ascii_whitespace() || c == '/');
                    return Some(Token::Close(&name[..end.unwrap_or(name.len())]));
                }
                b'!' if after.starts_with("!--") => {
                    // `<!-->` is one, too.
                    let end = after[1..].find("-->").map(|at| at + 1 + 1 + "-->".len());
                    let end = end.unwrap_or(self.rest.len());
                    self.eat(end);
                }
                b'!' | b'?' => {
                    self.eat_to('>');
                }
                // A less-than sign.
                _ => return Some(Token::Text(self.eat(1))),
            }
        }
        None
    }

    /// What stands up to the end of the element `name`, which is eaten too. An element without an
    /// end has nothing inside.
    pub fn raw(&mut self, name: &str) -> &'a str {
        let name = name.to_ascii_lowercase();
        if self.endless.contains(&name) {
            return "";
        }
        let Some(at) = end_of(self.rest, &name) else {
            self.endless.push(name);
            return "";
        };
        let inside = self.eat(at);
        self.eat_to('>');
        inside
    }

    /// An opening tag. A `>` in a quoted value does not end it.
    fn open(&mut self) -> Token<'a> {
        let mut quote = None;
        let mut before = ' ';
        let mut end = self.rest.len();
        for (at, c) in self.rest.char_indices() {
            match quote {
                Some(open) if c == open => quote = None,
                Some(_) => {}
                None if c == '>' => {
                    end = at + 1;
                    break;
                }
                // Anywhere else a quote is a letter like any other.
                None if matches!(c, '"' | '\'') && before == '=' => quote = Some(c),
                None => {}
            }
            if !c.is_ascii_whitespace() {
                before = c;
            }
        }
        if quote.is_some() {
            // The quote never ends: the tag does at the first `>`, or the page would be eaten.
            end = self.rest.find('>').map_or(self.rest.len(), |at| at + 1);
        }
        let tag = self.eat(end);
        let tag = tag[1..].trim_end_matches('>');
        let name_end = tag.find(|c: char| c.is_ascii_whitespace() || c == '/');
        let (name, attributes) = tag.split_at(name_end.unwrap_or(tag.len()));
        Token::Open(Tag { name, attributes })
    }

    fn eat(&mut self, bytes: usize) -> &'a str {
        let (eaten, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        eaten
    }

    /// Eats up to this character and the character, or everything.
    fn eat_to(&mut self, end: char) -> &'a str {
        let at = self.rest.find(end).map(|at| at + end.len_utf8());
        self.eat(at.unwrap_or(self.rest.len()))
    }
}

/// Where `</name` stands in `text`; `name` is in lower case.
fn end_of(text: &str, name: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(found) = text[from..].find("</") {
        let at = from + found;
        let after = &bytes[at + 2..];
        let is_name = after.len() >= name.len()
            && after[..name.len()].eq_ignore_ascii_case(name.as_bytes())
            && !after.get(name.len()).is_some_and(u8::is_ascii_alphanumeric);
        if is_name {
            return Some(at);
        }
        from = at + 2;
    }
    None
}
