//! The demo's model: plays `task` to whoever asks, and reacts to what it is sent. Pure.
//!
//! Each request must hold everything that was said before, byte for byte, and each answer
//! of a tool must be what the tool really does; whatever is not so is a [`Fault`], in words.

use crate::cli::demo::request::Fault;
use crate::cli::demo::request::Request;
use crate::cli::demo::stream::Answer;
use crate::cli::demo::stream::Stream;
use crate::cli::demo::task::Expected;
use crate::cli::demo::task::PROMPT;
use crate::cli::demo::task::STEPS;
use crate::cli::demo::task::Step;
use crate::cli::demo::task::Tool;
use serde_json::json;

/// The state of one demo.
#[derive(Default)]
pub struct Script {
    /// How many answers were given.
    answered: usize,
    /// The items of all of them, in order.
    items: Vec<String>,
    /// The last request without the `]}` at its end: how the next one must begin.
    prefix: Vec<u8>,
}

impl Script {
    /// Before the first request.
    pub fn new() -> Script {
        Script::default()
    }

    /// Whether the whole task was done.
    pub fn is_over(&self) -> bool {
        self.answered == STEPS.len()
    }

    /// Judges a request and answers it. After a fault the script stands where it stood.
    pub fn answer(&mut self, body: &[u8]) -> Result<Vec<String>, Fault> {
        let step = STEPS.get(self.answered).ok_or(Fault::Over)?;
        let request = Request::parse(body)?;
        if !request.has_prompt(PROMPT) {
            return Err(Fault::PromptLost);
        }
        check_prefix(&self.prefix, body)?;
        request.check_echo(&self.items)?;
        for expected in step.expected {
            expected.check(&request)?;
        }
        let prefix = body.strip_suffix(b"]}").ok_or(Fault::Field {
            name: "input",
            wanted: "the last field, so that what was sent stays a prefix",
        })?;
        let answer = step.stream(self.answered + 1, body.len(), self.prefix.len());
        self.answered += 1;
        self.items.extend(answer.items);
        self.prefix = prefix.to_vec();
        Ok(answer.events)
    }
}

impl Step {
    fn stream(&self, number: usize, read: usize, known: usize) -> Answer {
        let mut stream = Stream::begin(number);
        if let Some(thought) = self.thought {
            stream.think(thought);
        }
        if let Some(said) = self.said {
            stream.say(said);
        }
        for call in self.calls {
            let (name, arguments) = match call.tool {
                Tool::Write { path, content } => {
                    ("write", json!({"path": path, "content": content}))
                }
                Tool::Read { path } => ("read", json!({"path": path})),
                Tool::Bash { command } => ("bash", json!({"command": command})),
                Tool::Patch(patch) => {
                    stream.call_freeform(call.id, "apply_patch", patch);
                    continue;
                }
            };
            stream.call(call.id, name, &arguments.to_string());
        }
        stream.complete(read, known)
    }
}

impl Expected {
    fn check(&self, request: &Request<'_>) -> Result<(), Fault> {
        let got = request.result(self.call_id).unwrap_or_default();
        for wanted in self.wanted {
            if !got.contains(wanted) {
                return Err(Fault::Result {
                    doing: self.doing,
                    wanted,
                    got,
                });
            }
        }
        Ok(())
    }
}

/// A cache of the service is hit only by a request that begins with the bytes of the one before.
fn check_prefix(prefix: &[u8], body: &[u8]) -> Result<(), Fault> {
    if body.starts_with(prefix) {
        return Ok(());
    }
    let same = prefix.iter().zip(body).take_while(|(a, b)| a == b).count();
    Err(Fault::PrefixChanged { at: same })
}

#[cfg(test)]
mod tests;
