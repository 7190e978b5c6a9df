//! Lays the pieces of a page out as lines.

use crate::base::text;
use crate::html::LINKS_MAX;
use crate::html::Page;
use crate::html::TEXT_BYTES_MAX;
use crate::html::entity;
use crate::html::token::Tag;

/// Lists deeper than this stand where this one stands.
const DEPTH_MAX: usize = 12;

/// A title is a line.
const TITLE_CHARS_MAX: usize = 200;

/// Addresses longer than this hold data, not a name.
const LINK_BYTES_MAX: usize = 1_000;

/// How far the next words stand from those before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Blank,
    Line,
    Paragraph,
}

/// A list that is open.
#[derive(Clone, Copy, Debug)]
enum List {
    Plain,
    Numbered { next: u64 },
}

/// A page that is being laid out.
#[derive(Debug, Default)]
pub struct Builder {
    page: Page,
    gap: Gap,
    /// What the next words are put behind: `- `, `## `.
    mark: String,
    lists: Vec<List>,
    /// Open `pre` elements: white space counts in them.
    pre: usize,
    /// The number of the open link, and where its words begin.
    link: Option<(usize, usize)>,
    /// There is a cell before this one in its row.
    is_behind_cell: bool,
}

impl Builder {
    /// Whether more would be too much.
    pub fn is_full(&mut self) -> bool {
        self.page.is_cut |= self.page.text.len() >= TEXT_BYTES_MAX;
        self.page.is_cut
    }

    /// The page, with no white space at its ends.
    pub fn finish(mut self) -> Page {
        self.end_link();
        let end = self.page.text.trim_end().len();
        self.page.text.truncate(end);
        self.page
    }

    /// The title; the first one counts.
    pub fn title(&mut self, title: &str) {
        if self.page.title.is_empty() {
            let line = text::one_line(title);
            let words: Vec<&str> = line.split_whitespace().collect();
            let title = words.join(" ");
            self.page.title = text::ellipsis(&title, TITLE_CHARS_MAX).into_owned();
        }
    }

    /// Words.
    pub fn text(&mut self, text: &str) {
        if self.pre > 0 {
            return self.verbatim(text);
        }
        for (index, word) in text.split(is_space).enumerate() {
            if index > 0 {
                self.part(Gap::Blank);
            }
            self.word(word);
        }
    }

    /// An opening tag.
    pub fn open(&mut self, tag: &Tag<'_>) {
        let name = tag.name.to_ascii_lowercase();
        match name.as_str() {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.part(Gap::Paragraph);
                let rank = usize::from(name.as_bytes()[1] - b'0');
                self.mark = format!("{} ", "#".repeat(rank));
            }
            "ul" | "ol" | "menu" => {
                self.part(if self.lists.is_empty() {
                    Gap::Paragraph
                } else {
                    Gap::Line
                });
                let start = tag.attribute("start").and_then(|start| start.parse().ok());
                self.lists.push(match name.as_str() {
                    "ol" => List::Numbered {
                        next: start.unwrap_or(1),
                    },
                    _ => List::Plain,
                });
            }
            "li" => self.item(),
            "dd" => {
                self.part(Gap::Line);
                self.mark = "  ".to_owned();
            }
            "pre" => {
                self.part(Gap::Paragraph);
                self.pre += 1;
            }
            "br" => self.line_break(),
            "hr" => {
                self.part(Gap::Paragraph);
                self.word("---");
                self.part(Gap::Paragraph);
            }
            "tr" => {
                self.part(Gap::Line);
                self.is_behind_cell = false;
            }
            "td" | "th" => {
                if std::mem::replace(&mut self.is_behind_cell, true) {
                    self.part(Gap::Blank);
                    self.word("|");
                    self.part(Gap::Blank);
                }
            }
            "a" => self.open_link(tag),
            "img" => self.picture(tag),
            _ => self.part(gap_of(&name)),
        }
    }

    /// A closing tag.
    pub fn close(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.mark.clear();
                self.part(Gap::Paragraph);
            }
            "ul" | "ol" | "menu" => {
                self.lists.pop();
                self.part(if self.lists.is_empty() {
                    Gap::Paragraph
                } else {
                    Gap::Line
                });
            }
            "li" | "dd" => {
                self.mark.clear();
                self.part(Gap::Line);
            }
            "pre" => {
                self.pre = self.pre.saturating_sub(1);
                self.part(Gap::Paragraph);
            }
            "a" => self.end_link(),
            _ => self.part(gap_of(&name)),
        }
    }

    fn item(&mut self) {
        self.part(Gap::Line);
        let depth = self.lists.len().clamp(1, DEPTH_MAX) - 1;
        let indent = "  ".repeat(depth);
        self.mark = match self.lists.last_mut() {
            Some(List::Numbered { next }) => {
                let number = *next;
                *next = next.saturating_add(1);
                format!("{indent}{number}. ")
            }
            _ => format!("{indent}- "),
        };
    }

    /// Links without words or to places in the same page get no number.
    fn open_link(&mut self, tag: &Tag<'_>) {
        self.end_link();
        let Some(address) = tag.attribute("href") else {
            return;
        };
        let address = entity::decode(address);
        let address = address.trim();
        let lower = address.get(..11).unwrap_or(address).to_ascii_lowercase();
        let is_none = address.is_empty()
            || address.starts_with('#')
            || address.len() > LINK_BYTES_MAX
            || address.contains(char::is_control)
            || lower.starts_with("javascript:")
            || lower.starts_with("data:");
        if is_none {
            return;
        }
        let known = self.page.links.iter().position(|known| known == address);
        let number = match known {
            Some(index) => index + 1,
            None if self.page.links.len() < LINKS_MAX => {
                self.page.links.push(address.to_owned());
                self.page.links.len()
            }
            None => return,
        };
        self.link = Some((number, self.page.text.len()));
    }

    fn end_link(&mut self) {
        if let Some((number, start)) = self.link.take()
            && !self.page.text[start..].trim().is_empty()
        {
            self.part(Gap::Blank);
            self.word(&format!("[{number}]"));
        }
    }

    fn picture(&mut self, tag: &Tag<'_>) {
        let words = entity::decode(tag.attribute("alt").unwrap_or_default());
        if !words.trim().is_empty() {
            self.text(&format!("[picture: {}]", words.trim()));
        }
    }

    fn line_break(&mut self) {
        if self.pre > 0 {
            return self.verbatim("\n");
        }
        self.part(Gap::Line);
    }

    /// Keeps the next words at least so far from those before.
    fn part(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    /// The white space that waits, and the mark.
    fn begin(&mut self) {
        let gap = std::mem::take(&mut self.gap);
        let text = &mut self.page.text;
        if !text.is_empty() {
            text.push_str(match gap {
                _ if text.ends_with("\n\n") => "",
                Gap::None => "",
                Gap::Blank if text.ends_with([' ', '\n']) => "",
                Gap::Blank => " ",
                Gap::Line if text.ends_with('\n') => "",
                Gap::Line => "\n",
                Gap::Paragraph if text.ends_with('\n') => "\n",
                Gap::Paragraph => "\n\n",
            });
        }
        text.push_str(&std::mem::take(&mut self.mark));
    }

    /// A word without white space, control characters left out.
    fn word(&mut self, word: &str) {
        if word.is_empty() {
            return;
        }
        self.begin();
        let text = &mut self.page.text;
        text.extend(word.chars().filter(|c| !c.is_control()));
    }

    /// Text whose white space counts; no more than one line is left empty.
    fn verbatim(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.begin();
        let page = &mut self.page.text;
        for c in text.chars() {
            let is_kept = match c {
                '\n' => !page.is_empty() && !page.ends_with("\n\n"),
                '\t' => true,
                c => !c.is_control(),
            };
            if is_kept {
                page.push(c);
            }
        }
    }
}

/// What HTML calls white space, and the blank that does not break.
fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\u{a0}'
}

/// How far the words around a tag of this name stand apart.
fn gap_of(name: &str) -> Gap {
    match name {
        "p" | "blockquote" | "table" | "section" | "article" | "header" | "footer" | "main"
        | "nav" | "aside" | "figure" | "dl" | "form" | "fieldset" | "details" | "body" => {
            Gap::Paragraph
        }
        "div" | "dt" | "address" | "figcaption" | "summary" | "caption" | "option" | "tbody"
        | "thead" | "tfoot" | "tr" | "legend" | "center" => Gap::Line,
        "button" | "label" | "select" | "td" | "th" => Gap::Blank,
        _ => Gap::None,
    }
}
