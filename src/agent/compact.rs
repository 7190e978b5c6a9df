//! Makes a conversation shorter that does not fit into the model's window, and goes on with it.
//!
//! It happens before a request when the window is nearly full (`COMPACT_AT`), once when the service
//! says that a request was too long, and when the person asks for it. The past goes to the model
//! in plain text, results cut, without tools: that fits wherever the conversation itself did not,
//! and costs less than to send all of it once more. What is kept and how is `shorten`'s. The
//! session's file keeps every message; an entry there says what stands for them from here on.

use crate::agent::Agent;
use crate::agent::ask::Aside;
use crate::agent::event::Cause;
use crate::agent::event::Event;
use crate::agent::failure::Failure;
use crate::agent::shorten;
use crate::chat::Message;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::provider;
use crate::session::Entry;

/// Code takes more than three bytes a token with every tokenizer in use, prose more than four.
const BYTES_PER_TOKEN_MIN: usize = 3;

/// The same where a guess must not be too high: a conversation is not cut for nothing.
const BYTES_PER_TOKEN: usize = 4;

/// A record for the summary is made shorter so often, if even that does not fit.
const RECORDS_MAX: u32 = 4;

/// No conversation is worth going on with in less.
const ROOM_BYTES_MIN: usize = 2_000;

/// So many times in a row the window may be full again at once; then nothing is gained by it.
const IN_VAIN_MAX: u32 = 2;

impl Agent {
    /// How many tokens fit into the model's window; 0 where that is not known.
    pub fn window(&self) -> u64 {
        let model = self.provider.model(&self.options.model);
        self.options
            .window
            .unwrap_or_else(|| self.provider.window(model))
    }

    /// Before a request: makes the conversation shorter if the window is as full as `COMPACT_AT`
    /// allows. Fails with that limit's name where it is full again each time.
    pub(super) fn compact_when_full(&mut self) -> Result<(), Failure> {
        let window = self.window();
        let share = u64::from(self.options.compact_at);
        if share == 0 || window == 0 || self.context() < window.saturating_mul(share) / 100 {
            return Ok(());
        }
        if shorten::split(&self.history).past.is_empty() {
            return Ok(());
        }
        let is_at_once = self.run.answers_since_compaction.is_some_and(|n| n <= 1);
        self.run.in_vain = if is_at_once { self.run.in_vain + 1 } else { 0 };
        if self.run.in_vain == IN_VAIN_MAX {
            return Err(Failure::Limit("COMPACT_AT"));
        }
        self.compact(Cause::Full).map(|_| ())
    }

    /// Tokens that the next request takes, about: what the service counted at the last answer, and
    /// what came since.
    pub fn context(&self) -> u64 {
        let (counted, known) = self.run.context.unwrap_or_default();
        let new = &self.history[known.min(self.history.len())..];
        let new = shorten::bytes(new) / BYTES_PER_TOKEN;
        counted.saturating_add(u64::try_from(new).unwrap_or(u64::MAX))
    }

    /// Puts a summary in the place of the past. False where there is nothing to make shorter.
    pub fn compact(&mut self, cause: Cause) -> Result<bool, Failure> {
        let split = shorten::split(&self.history);
        let has_answers = shorten::has_answers(split.past);
        let room = self.room(cause);
        let mut summary = None;
        if has_answers {
            self.show(&Event::Compacting(cause))?;
            summary = Some(self.summary(cause)?);
        }
        let split = shorten::split(&self.history);
        // What the service said meanwhile of its window counts.
        let shortened = shorten::shortened(split, summary.as_deref(), self.room(cause).min(room));
        self.run.answers_since_compaction = Some(0);
        if shorten::bytes(&shortened) >= shorten::bytes(&self.history) {
            return Ok(false);
        }
        let before = self.history.len();
        self.history = shortened;
        self.run.context = None;
        self.write(&Entry::Compaction(self.history.clone()));
        self.sync();
        self.show(&Event::Compacted {
            cause,
            before,
            after: self.history.len(),
            summary: summary.as_deref(),
        })?;
        Ok(true)
    }

    /// What the model says of the past.
    fn summary(&mut self, cause: Cause) -> Result<String, Failure> {
        let mut record_bytes_max = self.room(cause) / 2;
        let mut tries = 0;
        loop {
            tries += 1;
            let past = shorten::split(&self.history).past;
            let record = shorten::record(past, record_bytes_max);
            let ask = format!("{}\n\n<record>\n{record}</record>", shorten::ASK);
            let reply = self.ask_aside(&Aside {
                system: shorten::SYSTEM,
                history: vec![Message::user(ask)],
            });
            match reply {
                Ok(reply) => {
                    let summary = Message::Assistant(reply.blocks).text();
                    if !summary.trim().is_empty() {
                        return Ok(summary);
                    }
                    let detail = "it gave no summary of the conversation so far".to_string();
                    let window = None;
                    return Err(Failure::Provider(provider::Error::Overflow {
                        window,
                        detail,
                    }));
                }
                Err(Failure::Provider(provider::Error::Overflow { .. })) if tries < RECORDS_MAX => {
                    record_bytes_max = (record_bytes_max / 2).min(self.room(cause) / 2);
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Bytes that the conversation may take, beside what stands before it in every request.
    fn room(&self, cause: Cause) -> usize {
        let fixed: usize = self.options.tools.iter().map(tool_bytes).sum();
        let room = match usize::try_from(self.window()).unwrap_or(usize::MAX) {
            0 => usize::MAX,
            tokens => tokens
                .saturating_mul(BYTES_PER_TOKEN_MIN)
                .saturating_sub(fixed + self.system.len()),
        };
        let half = shorten::bytes(&self.history) / 2;
        match cause {
            // It was too long, whatever we believe of the window.
            Cause::Overflow => room.min(half).max(ROOM_BYTES_MIN),
            _ if room == usize::MAX => half.max(ROOM_BYTES_MIN),
            _ => room.max(ROOM_BYTES_MIN),
        }
    }
}

fn tool_bytes(tool: &ToolSpec) -> usize {
    let input = match tool.input {
        Input::Schema(schema) => schema,
        Input::Freeform { grammar, .. } => grammar,
    };
    tool.name.len() + tool.description.len() + input.len()
}
