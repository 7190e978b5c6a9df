//! What the loop tells: events, and the faces that show them.
//!
//! A face never gets an event it must ignore, and an event never says how it looks.

use crate::chat::ToolCall;
use crate::chat::delta::Limit;
use crate::chat::delta::Link;
use crate::chat::delta::Usage;
use crate::hands::wire::Instructions;
use serde::Serialize;
use std::io;
use std::time::Duration;

/// Facts of a run that are known before its first request.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The session's id; empty where none is kept.
    pub session: String,
    /// The provider's name.
    pub provider: String,
    /// The model as it is sent.
    pub model: String,
    /// Who pays: e-mail and plan, as far as the credential tells.
    pub account: String,
    /// Where the hands work.
    pub cwd: String,
    /// What is enforced, and by what.
    pub sandbox: String,
    /// `local`, or the command that reaches them.
    pub hands: String,
    /// The instruction files that the model is given, outermost first.
    pub instructions: Vec<Loaded>,
}

/// An instruction file that the model is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loaded {
    /// Where it lies.
    pub path: String,
    /// How many of its bytes are given.
    pub bytes: u64,
    /// How many it has.
    pub of: u64,
}

impl Loaded {
    /// What is told of `file`.
    pub fn of(file: &Instructions) -> Loaded {
        Loaded {
            path: file.path.clone(),
            bytes: file.used,
            of: file.of,
        }
    }
}

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The run begins.
    Opening(&'a Opening),
    /// Request number `n` (from 1) is about to be sent.
    Turn {
        /// Its number in this run.
        n: u32,
    },
    /// More words of the answer.
    TextDelta(&'a str),
    /// More of the thinking summary.
    ThinkingDelta(&'a str),
    /// A text block is whole; its deltas came before.
    Text(&'a str),
    /// A thinking summary is whole; its deltas came before.
    Thinking(&'a str),
    /// The service searches the web by itself; for what, as far as it says.
    Search(&'a str),
    /// The pages that the answer before rests on.
    Links(&'a [Link]),
    /// A call is about to run.
    Call(&'a ToolCall),
    /// A running call printed something.
    Output {
        /// Which call.
        call: &'a ToolCall,
        /// What it printed since the last time.
        text: &'a str,
    },
    /// The person is asked something, and a line that they type answers it.
    Question {
        /// What is asked.
        question: &'a str,
        /// What may be chosen by its number, from 1; their own words will do as well.
        choices: &'a [String],
    },
    /// A call has its answer.
    Result(&'a Outcome<'a>),
    /// The tokens of one answer.
    Usage(&'a Consumption),
    /// A request failed and is sent again after a wait.
    Retry {
        /// Which try failed, from 1.
        attempt: u32,
        /// How long we wait before the next.
        wait: Duration,
        /// Why it failed.
        reason: &'a str,
    },
    /// The conversation is about to be summed up, which takes as long as an answer.
    Compacting(Cause),
    /// The conversation is shorter now.
    Compacted {
        /// Why.
        cause: Cause,
        /// Messages that it had.
        before: usize,
        /// Messages that it has.
        after: usize,
        /// What stands for those that are gone; `None` where only results were cut.
        summary: Option<&'a str>,
    },
    /// The text of this answer so far is void; the request is sent again.
    Discarded,
    /// Something that the person should know and that does not stop the run.
    Warning(&'a str),
    /// Something that helps whoever looks for a fault; only told to who wants it.
    Note(&'a str),
}

/// Why a conversation is made shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The window is nearly full: `COMPACT_AT`.
    Full,
    /// The service says that the request was too long.
    Overflow,
    /// The person wants it.
    Asked,
}

impl Cause {
    /// The word for it in machine output.
    pub fn word(self) -> &'static str {
        match self {
            Cause::Full => "full",
            Cause::Overflow => "overflow",
            Cause::Asked => "asked",
        }
    }
}

/// How a call went.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// The call.
    pub call: &'a ToolCall,
    /// Whether the tool did what was asked.
    pub ok: bool,
    /// The command's exit status, for calls that ran one.
    pub exit: Option<i32>,
    /// How long it took.
    pub took: Duration,
    /// What the model reads.
    pub output: &'a str,
    /// A few words for the one line of the call: `48 lines`, `exit 101`, `+1 -1`.
    pub summary: &'a str,
    /// Lines that a person may want to see under it: a diff, the last lines of a failure.
    pub detail: &'a str,
    /// Whether `output` is less than the tool had to say.
    pub truncated: bool,
    /// The file that holds all of it.
    pub spill: Option<&'a str>,
}

/// What one answer took.
#[derive(Clone, Debug, Default)]
pub struct Consumption {
    /// Tokens of this answer.
    pub usage: Usage,
    /// Tokens that the conversation takes in the model's window now.
    pub context: u64,
    /// The size of that window; 0 where it is not known.
    pub window: u64,
    /// What the service said of the account's allowance.
    pub limits: Vec<Limit>,
}

/// How a run ended; the exit code is made from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The work is done.
    Done,
    /// It ended well, but calls were refused.
    Refused,
    /// The provider, the network, the credential or we failed.
    Failed,
    /// The account's allowance is spent.
    Quota {
        /// Unix seconds at which it is there again, where the service says.
        resets_at: Option<u64>,
    },
    /// A limit of ours fired; its name.
    Limit(&'static str),
    /// A person or a signal stopped it.
    Cancelled,
}

impl Status {
    /// The word for it in machine output and in session files.
    pub fn word(&self) -> &'static str {
        match self {
            Status::Done => "done",
            Status::Refused => "refused",
            Status::Failed => "failed",
            Status::Quota { .. } => "quota",
            Status::Limit(_) => "limit",
            Status::Cancelled => "cancelled",
        }
    }
}

/// The last word of a run.
#[derive(Clone, Debug)]
pub struct Ending {
    /// How it ended.
    pub status: Status,
    /// The exit code that goes with it.
    pub exit: u8,
    /// The last message of the model.
    pub text: String,
    /// What went wrong, in one line.
    pub error: Option<String>,
    /// What to do about it, in one line.
    pub hint: Option<String>,
    /// Requests that were answered.
    pub turns: u32,
    /// All tokens of the run.
    pub usage: Usage,
    /// The session's id; empty where none is kept.
    pub session: String,
}

/// Someone who shows a run to a person or a program. Each method writes at once; an error means
/// that the output is gone and the run should end.
pub trait Face {
    /// Shows one event.
    fn show(&mut self, event: &Event<'_>) -> io::Result<()>;

    /// Shows how the run ended. Nothing comes after it but the next run of the same session.
    fn end(&mut self, ending: &Ending) -> io::Result<()>;
}
