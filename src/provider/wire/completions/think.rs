//! Thoughts that stand between `<think>` and `</think>` at the beginning of an answer.
//!
//! A server that does not know its model's tags passes them on as words, cut anywhere. Only a
//! leading tag counts: later on it may well be what the answer is about. The blanks around the
//! tags belong to them.

use std::mem;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Blanks before a closing tag are held back, to be dropped with it; longer runs are words.
const BLANKS_BYTES_MAX: usize = 64;

/// What a piece of an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Words for the person.
    Text,
    /// Thoughts.
    Thinking,
}

/// Where in an answer we are.
#[derive(Debug)]
pub struct Splitter(State);

#[derive(Debug)]
enum State {
    /// Only blanks and the beginning of a tag so far.
    Before(String),
    /// Within the tags; what may be the end of the thoughts is held back.
    Inside { held: String, has_begun: bool },
    /// Behind the closing tag, and no words yet.
    After,
    /// Words, whatever they are.
    Words,
}

impl Default for Splitter {
    /// Nothing has come yet.
    fn default() -> Splitter {
        Splitter(State::Before(String::new()))
    }
}

impl Splitter {
    /// Whether all that comes now is words.
    pub fn is_over(&self) -> bool {
        matches!(self.0, State::Words)
    }

    /// Takes more of the answer and appends the pieces that it makes, if any.
    pub fn feed(&mut self, text: &str, out: &mut Vec<(Kind, String)>) {
        match &mut self.0 {
            State::Before(held) => {
                held.push_str(text);
                let begun = held.trim_start();
                if let Some(rest) = begun.strip_prefix(OPEN) {
                    let rest = rest.to_string();
                    self.0 = State::Inside {
                        held: String::new(),
                        has_begun: false,
                    };
                    self.feed(&rest, out);
                } else if !OPEN.starts_with(begun) {
                    out.push((Kind::Text, mem::take(held)));
                    self.0 = State::Words;
                }
            }
            State::Inside { held, has_begun } => {
                held.push_str(text);
                if !*has_begun {
                    let blanks = held.len() - held.trim_start().len();
                    held.drain(..blanks);
                }
                let end = held.find(CLOSE);
                let thoughts = match end {
                    Some(end) => held[..end].trim_end().len(),
                    None => settled(held),
                };
                if thoughts > 0 {
                    *has_begun = true;
                    out.push((Kind::Thinking, held[..thoughts].to_string()));
                }
                match end {
                    Some(end) => {
                        let rest = held[end + CLOSE.len()..].to_string();
                        self.0 = State::After;
                        self.feed(&rest, out);
                    }
                    None => drop(held.drain(..thoughts)),
                }
            }
            State::After => {
                let text = text.trim_start();
                if !text.is_empty() {
                    out.push((Kind::Text, text.to_string()));
                    self.0 = State::Words;
                }
            }
            State::Words => out.push((Kind::Text, text.to_string())),
        }
    }

    /// The answer ended: what was held back.
    pub fn finish(&mut self) -> Option<(Kind, String)> {
        match mem::replace(&mut self.0, State::Words) {
            State::Before(held) => Some((Kind::Text, held)),
            State::Inside { held, .. } => Some((Kind::Thinking, held)),
            State::After | State::Words => None,
        }
    }
}

/// How many bytes of `thoughts` can't be part of their end, whatever follows.
fn settled(thoughts: &str) -> usize {
    let tag = (1..CLOSE.len()).rev().find(|length| {
        let start = &CLOSE[..*length];
        thoughts.ends_with(start)
    });
    let before_tag = thoughts.len() - tag.unwrap_or(0);
    let words = thoughts[..before_tag].trim_end().len();
    if before_tag - words > BLANKS_BYTES_MAX {
        before_tag
    } else {
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cut in two at every character, and into single ones.
    #[track_caller]
    fn check(answer: &str, thoughts: &str, words: &str) {
        let cuts = answer
            .char_indices()
            .map(|(at, _)| vec![&answer[..at], &answer[at..]]);
        let single = answer.split_inclusive(|_: char| true).collect();
        for pieces in cuts.chain([vec![answer], single]) {
            let mut splitter = Splitter::default();
            let mut out = Vec::new();
            for piece in &pieces {
                splitter.feed(piece, &mut out);
            }
            out.extend(splitter.finish());
            let joined = |kind| {
                let of_kind = out.iter().filter(|(its, _)| *its == kind);
                of_kind.map(|(_, text)| text.as_str()).collect::<String>()
            };
            assert_eq!(joined(Kind::Thinking), thoughts, "{pieces:?}");
            assert_eq!(joined(Kind::Text), words, "{pieces:?}");
        }
    }

    #[test]
    fn a_leading_tag_is_found_however_it_is_cut() {
        check(
            "<think>\nhm é\n\nso\n</think>\n\nyes <b>",
            "hm é\n\nso",
            "yes <b>",
        );
        check("\n<think>a</think>b", "a", "b");
        check("<think></think>b", "", "b");
        check("<think>\n\n</think>\n\nb", "", "b");
        check("<think>a < b </ c</thin></think>", "a < b </ c</thin>", "");
    }

    #[test]
    fn what_is_no_leading_tag_is_words() {
        for words in [
            "",
            "yes",
            " \n",
            "<thin",
            "<thinking>",
            "a <think>b</think>",
            "</think>",
        ] {
            check(words, "", words);
        }
        check("<think>a</think><think>b</think>", "a", "<think>b</think>");
    }

    #[test]
    fn thoughts_without_end_are_thoughts() {
        check("<think>a</thi", "a</thi", "");
        let blanks = " ".repeat(BLANKS_BYTES_MAX + 1);
        check(&format!("<think>a{blanks}b"), &format!("a{blanks}b"), "");
    }
}
