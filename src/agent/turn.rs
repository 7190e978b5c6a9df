//! Folds the deltas of one answer into its message, and says what is new to show. Pure.
//!
//! A whole block replaces what its deltas said, since the service's last word counts. Where a
//! service sends only deltas, or only whole blocks, the other half is made here, so that a face
//! always sees both and the history always holds blocks.

use crate::chat::Block;
use crate::chat::delta::Delta;
use crate::chat::delta::Link;
use crate::chat::delta::Stop;
use crate::chat::delta::Usage;

/// Something to show, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// More words.
    TextDelta(String),
    /// More thinking.
    ThinkingDelta(String),
    /// A text block is whole.
    Text(String),
    /// A thinking summary is whole.
    Thinking(String),
    /// The service searches the web.
    Search(String),
}

/// Pages that are named under an answer; more is a list, not a source.
const LINKS_MAX: usize = 20;

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// What the model said and wants, in order.
    pub blocks: Vec<Block>,
    /// The pages that it rests on, each once, the first of them.
    pub links: Vec<Link>,
    /// What it took.
    pub usage: Usage,
    /// Why it ended; `None` while it goes on, and for ever if it was cut off.
    pub stop: Option<Stop>,
}

/// The answer so far.
#[derive(Default)]
pub struct Turn {
    reply: Reply,
    /// Words whose block is not whole yet.
    text: String,
    thinking: String,
}

impl Turn {
    /// Takes one delta and appends what it shows.
    pub fn take(&mut self, delta: Delta, shown: &mut Vec<Shown>) {
        match delta {
            Delta::Text(text) => {
                self.text.push_str(&text);
                shown.push(Shown::TextDelta(text));
            }
            Delta::Thinking(text) => {
                self.thinking.push_str(&text);
                shown.push(Shown::ThinkingDelta(text));
            }
            Delta::Block(block) => {
                match &block {
                    Block::Text { text, .. } => {
                        let streamed = std::mem::take(&mut self.text);
                        shown.extend(unseen(text, &streamed).map(Shown::TextDelta));
                        shown.extend(whole(text).map(Shown::Text));
                    }
                    Block::Thinking { text, .. } => {
                        let streamed = std::mem::take(&mut self.thinking);
                        shown.extend(unseen(text, &streamed).map(Shown::ThinkingDelta));
                        shown.extend(whole(text).map(Shown::Thinking));
                    }
                    Block::Call(_) | Block::Other(_) => {}
                }
                self.reply.blocks.push(block);
            }
            Delta::Search(query) => shown.push(Shown::Search(query)),
            Delta::Link(link) => {
                let links = &mut self.reply.links;
                let is_known = links.iter().any(|known| known.url == link.url);
                if !is_known && links.len() < LINKS_MAX {
                    links.push(link);
                }
            }
            Delta::Usage(usage) => self.reply.usage = usage,
            Delta::Stop(stop) => self.reply.stop = Some(stop),
        }
    }

    /// The answer, as far as it came. Words whose block never became whole are a block of their
    /// own; what they show is appended.
    pub fn finish(mut self, shown: &mut Vec<Shown>) -> Reply {
        if !self.thinking.is_empty() {
            shown.push(Shown::Thinking(self.thinking.clone()));
            let text = self.thinking;
            self.reply
                .blocks
                .push(Block::Thinking { text, opaque: None });
        }
        if !self.text.is_empty() {
            shown.push(Shown::Text(self.text.clone()));
            let text = self.text;
            self.reply.blocks.push(Block::Text { text, opaque: None });
        }
        self.reply
    }
}

/// The end of a whole block that no delta showed. Where block and deltas disagree nothing can be
/// appended that makes it right; the whole block that follows says what counts.
fn unseen(whole: &str, streamed: &str) -> Option<String> {
    let rest = whole.strip_prefix(streamed)?;
    (!rest.is_empty()).then(|| rest.to_string())
}

/// A block without words shows nothing.
fn whole(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Opaque;

    fn text(text: &str) -> Block {
        Block::Text {
            text: text.into(),
            opaque: Some(Opaque {
                provider: "codex".into(),
                json: "{}".into(),
            }),
        }
    }

    #[track_caller]
    fn check(deltas: Vec<Delta>, blocks: Vec<Block>, expected: &[Shown]) {
        let mut turn = Turn::default();
        let mut shown = Vec::new();
        for delta in deltas {
            turn.take(delta, &mut shown);
        }
        let reply = turn.finish(&mut shown);
        assert_eq!(reply.blocks, blocks);
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_whole_block_follows_its_deltas() {
        check(
            vec![
                Delta::Text("a".into()),
                Delta::Text("b".into()),
                Delta::Block(text("ab")),
            ],
            vec![text("ab")],
            &[
                Shown::TextDelta("a".into()),
                Shown::TextDelta("b".into()),
                Shown::Text("ab".into()),
            ],
        );
    }

    #[test]
    fn what_no_delta_said_is_shown_from_the_block() {
        check(
            vec![Delta::Text("a".into()), Delta::Block(text("abc"))],
            vec![text("abc")],
            &[
                Shown::TextDelta("a".into()),
                Shown::TextDelta("bc".into()),
                Shown::Text("abc".into()),
            ],
        );
    }

    #[test]
    fn a_block_that_contradicts_its_deltas_has_the_last_word() {
        check(
            vec![Delta::Text("x".into()), Delta::Block(text("abc"))],
            vec![text("abc")],
            &[Shown::TextDelta("x".into()), Shown::Text("abc".into())],
        );
    }

    #[test]
    fn deltas_alone_make_blocks() {
        check(
            vec![Delta::Thinking("hm".into()), Delta::Text("a".into())],
            vec![
                Block::Thinking {
                    text: "hm".into(),
                    opaque: None,
                },
                Block::Text {
                    text: "a".into(),
                    opaque: None,
                },
            ],
            &[
                Shown::ThinkingDelta("hm".into()),
                Shown::TextDelta("a".into()),
                Shown::Thinking("hm".into()),
                Shown::Text("a".into()),
            ],
        );
    }

    #[test]
    fn a_block_without_words_shows_nothing() {
        let silent = Block::Thinking {
            text: String::new(),
            opaque: None,
        };
        check(vec![Delta::Block(silent.clone())], vec![silent], &[]);
    }
}
