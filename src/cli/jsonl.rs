//! The face for programs: JSON lines, schema 1. One object a line, and nothing else.
//!
//! Every object has `type`; fields are only ever added. A line is composed whole and written at
//! once, and the last one is always `result`. Text is given as it is, since JSON can hold it all.

use crate::agent::event::Consumption;
use crate::agent::event::Ending;
use crate::agent::event::Event;
use crate::agent::event::Face;
use crate::agent::event::Loaded;
use crate::agent::event::Opening;
use crate::agent::event::Outcome;
use crate::agent::event::Status;
use crate::chat::CallKind;
use crate::chat::ToolCall;
use crate::chat::delta::Limit;
use crate::chat::delta::Link;
use crate::chat::delta::Usage;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::io;
use std::io::Write;

/// The version of the schema.
const SCHEMA: u32 = 1;

/// What is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Also `delta` and `output` lines, as they come.
    pub deltas: bool,
}

/// Writes a run as JSON lines.
pub struct Jsonl {
    out: Box<dyn Write>,
    options: Options,
    /// Lines of the answer that is being written; they are void if it is discarded.
    answer_lines: usize,
}

impl Jsonl {
    /// Writes to `out`.
    pub fn new(out: Box<dyn Write>, options: Options) -> Jsonl {
        Jsonl {
            out,
            options,
            answer_lines: 0,
        }
    }

    fn write(&mut self, line: &Line<'_>) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.out.write_all(&bytes)?;
        self.out.flush()
    }

    fn write_of_answer(&mut self, line: &Line<'_>) -> io::Result<()> {
        self.answer_lines += 1;
        self.write(line)
    }
}

impl Face for Jsonl {
    fn show(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::Opening(opening) => self.write(&session(opening)),
            Event::Turn { n } => {
                self.answer_lines = 0;
                self.write(&Line::Turn { n: *n })
            }
            Event::TextDelta(text) if self.options.deltas => {
                self.write_of_answer(&Line::Delta { text })
            }
            Event::TextDelta(_) | Event::ThinkingDelta(_) => Ok(()),
            Event::Text(text) => self.write_of_answer(&Line::Text { text }),
            Event::Thinking(text) => self.write_of_answer(&Line::Reasoning { text }),
            Event::Search(query) => self.write_of_answer(&Line::Search { query }),
            Event::Links(links) => self.write_of_answer(&Line::Links { links }),
            Event::Call(call) => self.write(&Line::Call {
                id: &call.id,
                name: &call.name,
                arguments: arguments(call),
            }),
            Event::Output { call, text } if self.options.deltas => {
                self.write(&Line::Output { id: &call.id, text })
            }
            Event::Output { .. } => Ok(()),
            Event::Question { question, choices } => {
                self.write(&Line::Question { question, choices })
            }
            Event::Result(outcome) => self.write(&result_of(outcome)),
            Event::Usage(consumption) => self.write(&usage(consumption)),
            Event::Retry {
                attempt,
                wait,
                reason,
            } => self.write(&Line::Retry {
                attempt: *attempt,
                wait_ms: wait.as_millis(),
                reason,
            }),
            Event::Compacting(cause) => self.write(&Line::Compacting {
                cause: cause.word(),
            }),
            Event::Compacted {
                cause,
                before,
                after,
                summary,
            } => self.write(&Line::Compacted {
                cause: cause.word(),
                messages_before: *before,
                messages_after: *after,
                summary: *summary,
            }),
            Event::Discarded if self.answer_lines > 0 => {
                self.answer_lines = 0;
                let text = "this turn's text so far is void; the request is sent again";
                self.write(&Line::Warning { text })
            }
            Event::Discarded => Ok(()),
            Event::Warning(text) => self.write(&Line::Warning { text }),
            Event::Note(text) => self.write(&Line::Note { text }),
        }
    }

    fn end(&mut self, ending: &Ending) -> io::Result<()> {
        let (resets_at, limit) = match ending.status {
            Status::Quota { resets_at } => (resets_at, None),
            Status::Limit(name) => (None, Some(name)),
            _ => (None, None),
        };
        self.write(&Line::Result {
            status: ending.status.word(),
            exit: ending.exit,
            text: &ending.text,
            error: ending.error.as_deref(),
            hint: ending.hint.as_deref(),
            limit,
            resets_at,
            turns: ending.turns,
            usage: ending.usage,
            session: &ending.session,
        })
    }
}

/// One line. The order of the fields is the order in which they are written.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Session {
        v: u32,
        sx: &'static str,
        session: &'a str,
        provider: &'a str,
        model: &'a str,
        account: &'a str,
        cwd: &'a str,
        sandbox: &'a str,
        hands: &'a str,
        instructions: &'a [Loaded],
    },
    Turn {
        n: u32,
    },
    Delta {
        text: &'a str,
    },
    Reasoning {
        text: &'a str,
    },
    Text {
        text: &'a str,
    },
    Call {
        id: &'a str,
        name: &'a str,
        arguments: Arguments<'a>,
    },
    Output {
        id: &'a str,
        text: &'a str,
    },
    Question {
        question: &'a str,
        choices: &'a [String],
    },
    ResultOf {
        id: &'a str,
        ok: bool,
        exit: Option<i32>,
        ms: u128,
        output: &'a str,
        truncated: bool,
        spill: Option<&'a str>,
    },
    Usage {
        input: u64,
        cached: u64,
        output: u64,
        reasoning: u64,
        context: u64,
        limits: &'a [Limit],
    },
    Search {
        query: &'a str,
    },
    Links {
        links: &'a [Link],
    },
    Retry {
        attempt: u32,
        wait_ms: u128,
        reason: &'a str,
    },
    Compacting {
        cause: &'static str,
    },
    Compacted {
        cause: &'static str,
        messages_before: usize,
        messages_after: usize,
        summary: Option<&'a str>,
    },
    Warning {
        text: &'a str,
    },
    Note {
        text: &'a str,
    },
    Result {
        status: &'static str,
        exit: u8,
        text: &'a str,
        error: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        resets_at: Option<u64>,
        turns: u32,
        usage: Usage,
        session: &'a str,
    },
}

fn session<'a>(opening: &'a Opening) -> Line<'a> {
    Line::Session {
        v: SCHEMA,
        sx: env!("CARGO_PKG_VERSION"),
        session: &opening.session,
        provider: &opening.provider,
        model: &opening.model,
        account: &opening.account,
        cwd: &opening.cwd,
        sandbox: &opening.sandbox,
        hands: &opening.hands,
        instructions: &opening.instructions,
    }
}

fn result_of<'a>(outcome: &'a Outcome<'_>) -> Line<'a> {
    Line::ResultOf {
        id: &outcome.call.id,
        ok: outcome.ok,
        exit: outcome.exit,
        ms: outcome.took.as_millis(),
        output: outcome.output,
        truncated: outcome.truncated,
        spill: outcome.spill,
    }
}

fn usage<'a>(consumption: &'a Consumption) -> Line<'a> {
    Line::Usage {
        input: consumption.usage.input,
        cached: consumption.usage.cached,
        output: consumption.usage.output,
        reasoning: consumption.usage.reasoning,
        context: consumption.context,
        limits: &consumption.limits,
    }
}

/// What a call was given: the object that the model wrote, or else its text.
#[derive(Serialize)]
#[serde(untagged)]
enum Arguments<'a> {
    Object(Box<RawValue>),
    Text(&'a str),
}

fn arguments(call: &ToolCall) -> Arguments<'_> {
    let text = call.arguments.as_str();
    match call.kind {
        CallKind::Function => object(text).map_or(Arguments::Text(text), Arguments::Object),
        CallKind::Freeform => Arguments::Text(text),
    }
}

/// The JSON object that `text` is, in its own words but on one line.
///
/// It must parse as a value too: syntax alone would let lone surrogates, numbers without end and
/// nesting without bottom through, and break the parser of whoever reads the line.
fn object(text: &str) -> Option<Box<RawValue>> {
    serde_json::from_str::<Value>(text).ok()?.as_object()?;
    // A line end in valid JSON is white space (RFC 8259 §2): inside a string it is escaped.
    RawValue::from_string(text.replace(['\n', '\r'], " ")).ok()
}

#[cfg(test)]
mod tests;
