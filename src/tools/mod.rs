//! The tools: what the model may ask for, one file each. They run inside the hands, never in the
//! brain, and whatever goes wrong is an answer.
//!
//! A tool gets checked arguments and a [`Workplace`] and answers at once; only `bash` gives back a
//! command to run, and `job` a question for the jobs. Processes, deadlines, sandboxes and the wire
//! to the brain are not known here.

pub mod apply_patch;
pub mod arguments;
pub mod bash;
mod diff;
pub mod docs;
mod edit;
mod encoding;
pub mod file;
mod glob;
mod grep;
pub mod job;
pub mod limit;
mod list;
pub mod log;
mod name;
mod near;
mod read;
mod replace;
mod style;
mod view_image;
mod walk;
mod write;

use crate::base::cancel::Cancel;
use crate::base::text;
use crate::chat::CallKind;
use crate::chat::Part;
use crate::chat::ToolCall;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::tools::arguments::Arguments;
use crate::tools::limit::Collector;
use crate::tools::limit::Limits;
use crate::tools::limit::Room;
use std::path::PathBuf;
use std::time::Duration;

/// Every tool, in the order in which they are offered. A change of order costs every user a cache
/// of their prompt.
pub static TOOLS: &[Tool] = &[
    bash::TOOL,
    read::TOOL,
    write::TOOL,
    edit::TOOL,
    apply_patch::TOOL,
    view_image::TOOL,
    grep::TOOL,
    glob::TOOL,
    list::TOOL,
    docs::TOOL,
    job::TOOL,
];

/// A tool.
pub struct Tool {
    /// What the model is told.
    pub spec: ToolSpec,
    /// The fields of its arguments, as its schema has them.
    fields: &'static [&'static str],
    start: fn(Arguments, &Workplace) -> Result<Start, Refusal>,
}

/// What tools need to know about where they are.
#[derive(Clone, Debug)]
pub struct Workplace {
    /// What relative paths are relative to.
    pub cwd: PathBuf,
    /// Where spill files go; `None` if there is nowhere to write them.
    pub spill_dir: Option<PathBuf>,
    /// What may still be written there.
    pub room: Room,
    /// How much of its output the model sees.
    pub limits: Limits,
    /// How long a command may take that does not say so itself.
    pub bash_timeout: Duration,
    /// Folders with documentation: `DOCS_PATH`.
    pub docs: Vec<PathBuf>,
    /// Folders with pages of `man`.
    pub manuals: Vec<PathBuf>,
    /// The names of the tools that are switched on.
    pub tools: Vec<String>,
    /// Raised when nobody waits for the answer any more.
    pub cancel: Cancel,
}

impl Workplace {
    /// Takes the output of call number `call`; what is too long goes to the spill file `call.txt`.
    pub fn collector(&self, call: u64) -> Collector {
        let spill = self.spill_dir.as_ref();
        Collector::new(
            self.limits,
            spill.map(|dir| dir.join(format!("{call}.txt"))),
            self.room.clone(),
        )
    }
}

/// What a call comes to.
#[derive(Debug)]
pub enum Start {
    /// It is done, or could not be.
    Answer(Answer),
    /// A command must run first; [`bash::answer`] words the answer then.
    Run(bash::Command),
    /// The jobs must be asked; [`job`] words the answer then.
    Job(job::Request),
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether the tool did what was asked.
    pub ok: bool,
    /// What the model reads.
    pub parts: Vec<Part>,
    /// What a person reads beside the call: `48 lines`, `+1 -1`, `exit 101 · 214 lines`.
    pub summary: String,
    /// What a person may want to see under it: a diff, the last lines of a failure.
    pub detail: String,
    /// The command's exit status, if there was one.
    pub exit: Option<i32>,
    /// Whether `parts` is less than the tool had to say.
    pub truncated: bool,
    /// The file that has all of it.
    pub spill: Option<String>,
}

impl Answer {
    /// A good answer of text alone.
    pub fn text(text: impl Into<String>) -> Answer {
        Answer {
            ok: true,
            parts: vec![Part::Text(text.into())],
            summary: String::new(),
            detail: String::new(),
            exit: None,
            truncated: false,
            spill: None,
        }
    }
}

/// Why a tool did not do what was asked, and what would help, in words for the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(String);

impl Refusal {
    /// Refuses with these words.
    pub fn new(words: impl Into<String>) -> Refusal {
        Refusal(words.into())
    }

    /// The refusal as an answer.
    pub fn into_answer(self) -> Answer {
        /// As much as stands beside a call on a line.
        const SUMMARY_CHARS_MAX: usize = 100;
        let summary = text::one_line(self.0.lines().next().unwrap_or_default());
        Answer {
            ok: false,
            summary: text::ellipsis(&summary, SUMMARY_CHARS_MAX).into_owned(),
            ..Answer::text(self.0)
        }
    }
}

/// An error's text is a refusal: whatever a tool meets, the model is told.
impl<E: std::error::Error> From<E> for Refusal {
    fn from(error: E) -> Refusal {
        Refusal(error.to_string())
    }
}

/// What the model is told about the tool of this name.
pub fn spec(name: &str) -> Option<&'static ToolSpec> {
    tool(name).map(|tool| &tool.spec)
}

/// Does what a call asks for, except running a command. Blocks as long as the disk does.
pub fn start(call: &ToolCall, place: &Workplace) -> Start {
    let started = find(&call.name, place).and_then(|tool| {
        let arguments = arguments(tool, call)?;
        (tool.start)(arguments, place)
    });
    started.unwrap_or_else(|refusal| Start::Answer(refusal.into_answer()))
}

fn tool(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.spec.name == name)
}

/// The tool of this name, if it is switched on.
fn find(name: &str, place: &Workplace) -> Result<&'static Tool, Refusal> {
    if let Some(tool) = tool(name)
        && place.tools.iter().any(|on| on == name)
    {
        return Ok(tool);
    }
    if place.tools.is_empty() {
        return Err(Refusal::new("all tools are switched off"));
    }
    let names = place.tools.join(", ");
    let near = text::nearest(name, place.tools.iter().map(String::as_str));
    let hint = near.map_or(String::new(), |near| format!(", did you mean {near}?"));
    Err(Refusal::new(format!(
        "there is no tool {name}{hint}; there are: {names}"
    )))
}

fn arguments(tool: &Tool, call: &ToolCall) -> Result<Arguments, arguments::Error> {
    match (tool.spec.input, call.kind) {
        (Input::Freeform { field, .. }, CallKind::Freeform) => {
            Ok(Arguments::freeform(field, &call.arguments))
        }
        _ => Arguments::parse(&call.arguments, tool.fields),
    }
}

#[cfg(test)]
mod tests;
