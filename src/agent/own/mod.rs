//! The tools that the brain runs itself, since they need what the hands must not have: the person
//! at the terminal, and the network.
//!
//! They touch no file and start no process. As with every tool, what goes wrong is an answer for
//! the model; only a stop of the run is none.

pub mod fetch;
pub mod plan;
pub mod question;

use crate::agent::desk::Desk;
use crate::agent::event::Event;
use crate::agent::event::Face;
use crate::agent::failure::Failure;
use crate::base::clock;
use crate::chat::ToolCall;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::hands::wire::CallResult;
use crate::tools::Answer;
use crate::tools::Refusal;
use crate::tools::arguments;
use crate::tools::arguments::Arguments;

/// Every tool of the brain, in the order in which they are offered, behind those of the hands.
pub static TOOLS: &[Own] = &[fetch::TOOL, plan::TOOL, question::TOOL];

/// A tool of the brain.
pub struct Own {
    /// What the model is told.
    pub spec: ToolSpec,
    /// The fields of its arguments, as its schema has them.
    fields: &'static [&'static str],
    run: fn(Arguments, &mut Room<'_>) -> Result<Answer, Stop>,
}

/// What these tools work with.
pub struct Room<'a> {
    /// The one wait, and what the person types.
    pub desk: &'a mut Desk,
    /// Who is told.
    pub face: &'a mut dyn Face,
    /// The way to the network; `None` where there is none for tools.
    pub web: Option<&'a mut fetch::Web>,
}

/// Why a tool came to no good answer.
#[derive(Debug)]
enum Stop {
    /// The model is told why.
    Refused(Refusal),
    /// The run ends, or the turn.
    Failed(Failure),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refused(refusal)
    }
}

impl From<arguments::Error> for Stop {
    fn from(error: arguments::Error) -> Stop {
        Stop::Refused(error.into())
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failed(failure)
    }
}

impl Room<'_> {
    fn web(&mut self) -> Result<&mut fetch::Web, Refusal> {
        let missing = || Refusal::new("there is no network for tools here");
        self.web.as_deref_mut().ok_or_else(missing)
    }

    fn show(&mut self, event: &Event<'_>) -> Result<(), Failure> {
        let Err(error) = self.face.show(event) else {
            return Ok(());
        };
        // Whoever waits for a reader that does not read gives up at a stop: that is the reason.
        self.desk.check_now()?;
        Err(Failure::Output(error))
    }
}

/// Whether the tool of this name is one of the brain's.
pub fn has(name: &str) -> bool {
    TOOLS.iter().any(|tool| tool.spec.name == name)
}

/// What a person sets to have a tool of the brain that is not offered: said to the model, which can
/// pass it on.
pub fn switch(name: &str) -> Option<String> {
    has(name).then(|| format!("the user's setting TOOL_{}=1", name.to_uppercase()))
}

/// Runs a call of a tool that [`has`] knows. Fails only where the run must stop.
pub fn run(call: &ToolCall, room: &mut Room<'_>) -> Result<CallResult, Failure> {
    let since = clock::now();
    let answer = match answer(call, room) {
        Ok(answer) => answer,
        Err(Stop::Refused(refusal)) => refusal.into_answer(),
        Err(Stop::Failed(failure)) => return Err(failure),
    };
    let took = clock::now().duration_since(since);
    Ok(CallResult {
        id: call.id.clone(),
        ok: answer.ok,
        exit: answer.exit,
        ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        parts: answer.parts,
        summary: answer.summary,
        detail: answer.detail,
        truncated: answer.truncated,
        spill: answer.spill,
    })
}

fn answer(call: &ToolCall, room: &mut Room<'_>) -> Result<Answer, Stop> {
    let tool = TOOLS.iter().find(|tool| tool.spec.name == call.name);
    let tool = tool.ok_or_else(|| Refusal::new(format!("there is no tool {}", call.name)))?;
    debug_assert!(matches!(tool.spec.input, Input::Schema(_)));
    let arguments = Arguments::parse(&call.arguments, tool.fields)?;
    (tool.run)(arguments, room)
}

#[cfg(test)]
mod tests;
