//! What is done where an answer holds neither words nor calls: it is asked for once more.
//!
//! Such an answer, of thoughts at most, is a slip of the model more often than its last word. The
//! history stays as it was, so the second request is the first one, and the service's cache knows
//! all of it.

use crate::agent::Agent;
use crate::agent::event::Event;
use crate::agent::failure::Failure;
use crate::agent::turn::Reply;
use crate::chat::Block;
use crate::chat::delta::Stop;
use std::mem;
use std::time::Duration;

/// What the model did.
const SILENCE: &str = "the model ended its answer without a word";

impl Agent {
    /// Asks, and once more where the answer is silent; `RETRY_MAX=0` takes it as it is.
    pub(super) fn ask_for_words(&mut self) -> Result<Reply, Failure> {
        let reply = self.ask()?;
        if !is_silent(&reply) || self.options.retries_max == 0 {
            return Ok(reply);
        }
        // Its thoughts may have been shown.
        self.run.is_answer_shown = !reply.blocks.is_empty();
        self.discard()?;
        self.show(&Event::Retry {
            attempt: 1,
            wait: Duration::ZERO,
            reason: SILENCE,
        })?;
        // An answer is there, so nobody waits for a better one.
        let retries_max = mem::take(&mut self.options.retries_max);
        let again = self.ask();
        self.options.retries_max = retries_max;
        match again {
            Err(Failure::Provider(_) | Failure::Net(_)) => Ok(reply),
            again => again,
        }
    }

    /// A task that ends without a word may not be done: whoever started it should look.
    pub(super) fn warn_of_silence(&mut self) -> Result<(), Failure> {
        if !self.run.text.trim().is_empty() {
            return Ok(());
        }
        self.show(&Event::Warning(SILENCE))
    }
}

/// Whether the model ended by itself, with neither a word nor a call.
fn is_silent(reply: &Reply) -> bool {
    let says_something = reply.blocks.iter().any(|block| match block {
        Block::Text { text, .. } => !text.trim().is_empty(),
        Block::Call(_) => true,
        Block::Thinking { .. } | Block::Other(_) => false,
    });
    matches!(reply.stop, Some(Stop::End) | None) && !says_something
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ToolCall;
    use crate::chat::tool::CallKind;

    #[test]
    fn thoughts_alone_are_silence_and_a_cut_is_none() {
        let text = |text: &str| Block::Text {
            text: text.to_string(),
            opaque: None,
        };
        let thinking = || Block::Thinking {
            text: "hm".to_string(),
            opaque: None,
        };
        let call = Block::Call(ToolCall {
            id: "c".to_string(),
            name: "read".to_string(),
            arguments: "{}".to_string(),
            kind: CallKind::Function,
            opaque: None,
        });
        for (blocks, stop, expected) in [
            (vec![], Some(Stop::End), true),
            (vec![thinking(), text(" \n")], None, true),
            (vec![thinking(), text("x")], Some(Stop::End), false),
            (vec![call], Some(Stop::End), false),
            (vec![], Some(Stop::Length), false),
            (vec![], Some(Stop::Filter), false),
            (vec![thinking()], Some(Stop::Continue), false),
        ] {
            let reply = Reply {
                blocks,
                stop,
                ..Reply::default()
            };
            assert_eq!(is_silent(&reply), expected, "{reply:?}");
        }
    }
}
