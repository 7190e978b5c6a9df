//! Runs the calls of an answer through the hands and collects one result for each.
//!
//! What a tool could not do is a result for the model. Only a signal, the end of the time or the
//! death of the hands ends the run, and then too every call has a result, so that the history can
//! be sent again.

use crate::agent::Agent;
use crate::agent::batch;
use crate::agent::event;
use crate::agent::event::Event;
use crate::agent::failure::Failure;
use crate::agent::own;
use crate::base::clock::Deadline;
use crate::base::secret;
use crate::base::text;
use crate::chat::Part;
use crate::chat::ToolCall;
use crate::chat::ToolResult;
use crate::chat::delta::Stop;
use crate::chat::tool::Effect;
use crate::hands::wire::CallResult;
use crate::hands::wire::Reply;
use std::borrow::Cow;
use std::time::Duration;

/// After Ctrl-C: TERM, a grace and KILL are done by then, and the results tell how far it got.
const CANCEL_WAIT_MAX: Duration = Duration::from_secs(3);

/// What the model reads of a call that has no answer.
const INTERRUPTED: &str = "interrupted before it ended; what it did until then is not known";

/// What the model reads of a call from an answer that was cut off.
const CUT_OFF: &str = "not run, since the answer was cut off";

/// Likewise, where it had become as long as it may be.
const TOO_LONG: &str = "not run, since the answer was cut off at its greatest length; make it \
                        shorter, such as a large file in several steps";

/// A name longer than this is none that we gave.
const NAME_CHARS_MAX: usize = 100;

/// Calls that run, each with its answer once there is one.
struct Group<'a> {
    calls: &'a [ToolCall],
    answers: &'a mut [Option<ToolResult>],
    /// The name of the first of them on the pipe; the others follow.
    first_number: u64,
}

impl Agent {
    /// Runs all calls and returns a result for each, in order, and what stopped the run, if
    /// anything did.
    pub(super) fn run_calls(
        &mut self,
        calls: &[ToolCall],
    ) -> (Vec<ToolResult>, Result<(), Failure>) {
        let mut answers: Vec<Option<ToolResult>> = vec![None; calls.len()];
        let ended = self.run_groups(calls, &mut answers);
        let results = calls.iter().zip(answers).map(|(call, answer)| {
            answer.unwrap_or_else(|| ToolResult::text(call, false, INTERRUPTED))
        });
        (results.collect(), ended)
    }

    /// Runs none of the calls and says so in the result of each: the answer that they come from is
    /// not whole, and what was to follow may be what makes them safe.
    pub(super) fn leave_calls(
        &mut self,
        calls: &[ToolCall],
        stop: Option<Stop>,
    ) -> (Vec<ToolResult>, Result<(), Failure>) {
        let words = match stop {
            Some(Stop::Length) => TOO_LONG,
            _ => CUT_OFF,
        };
        let mut ended = Ok(());
        let results = calls.iter().map(|call| {
            let told = self
                .show(&Event::Call(call))
                .and_then(|()| self.tell(call, failed(words, "not run")));
            told.unwrap_or_else(|failure| {
                ended = Err(failure);
                ToolResult::text(call, false, words)
            })
        });
        (results.collect(), ended)
    }

    fn run_groups(
        &mut self,
        calls: &[ToolCall],
        mut answers: &mut [Option<ToolResult>],
    ) -> Result<(), Failure> {
        let tools = self.options.tools.clone();
        let effect_of = |call: &ToolCall| {
            let tool = tools.iter().find(|tool| tool.name == call.name);
            // A call of a tool that is not there changes nothing.
            tool.map_or(Effect::Reads, |tool| tool.effect)
        };
        for calls in batch::groups(calls, &effect_of) {
            let (mine, rest) = answers.split_at_mut(calls.len());
            answers = rest;
            let mut group = Group {
                calls,
                answers: mine,
                first_number: self.run.calls_sent,
            };
            self.run_group(&mut group)?;
        }
        Ok(())
    }

    /// Hands out the calls of a group, runs those of the brain, and waits for all answers.
    fn run_group(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        self.run.calls_sent += group.calls.len() as u64;
        for index in 0..group.calls.len() {
            let call = &group.calls[index];
            self.show(&Event::Call(call))?;
            if self.is_own(call) {
                continue;
            }
            let is_offered = self.options.tools.iter().any(|tool| tool.name == call.name);
            match &mut self.desk.hands {
                Some(hands) if is_offered => hands.send(&ToolCall {
                    // A service may use an id twice; our numbers are unique.
                    id: (group.first_number + index as u64).to_string(),
                    opaque: None,
                    ..call.clone()
                }),
                _ => {
                    let result = self.unknown_tool(call);
                    group.answers[index] = Some(self.tell(call, result)?);
                }
            }
        }
        if let Err(failure) = self.run_own(group) {
            self.cancel(group)?;
            return Err(failure);
        }
        while !group.is_answered() {
            let waited = self.desk.wait(None, Deadline::never());
            self.hear(group)?;
            if let Err(failure) = waited {
                self.cancel(group)?;
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Whether a call is of a tool that the brain runs itself, and that is offered.
    fn is_own(&self, call: &ToolCall) -> bool {
        let is_offered = self.options.tools.iter().any(|tool| tool.name == call.name);
        is_offered && own::has(&call.name)
    }

    /// Runs the calls of a group that are the brain's, in order. After a failure they all have an
    /// answer, so that nobody waits for them.
    fn run_own(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        let mut ended = Ok(());
        for index in 0..group.calls.len() {
            let call = &group.calls[index];
            if !self.is_own(call) {
                continue;
            }
            let result = match &ended {
                Ok(()) => own::run(call, &mut self.own_room()),
                Err(_) => Ok(failed(INTERRUPTED, "cancelled")),
            };
            let result = result.unwrap_or_else(|failure| {
                ended = Err(failure);
                failed(INTERRUPTED, "cancelled")
            });
            group.answers[index] = Some(self.tell(call, result)?);
        }
        ended
    }

    fn own_room(&mut self) -> own::Room<'_> {
        own::Room {
            desk: &mut self.desk,
            face: self.face.as_mut(),
            web: self.web.as_mut(),
        }
    }

    /// Stops what still runs and takes the answers that come of it. A second signal ends the wait.
    fn cancel(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        if let Some(hands) = &mut self.desk.hands {
            for number in group.unanswered() {
                hands.cancel(&number.to_string());
            }
        }
        let deadline = Deadline::after(CANCEL_WAIT_MAX, "CANCEL_WAIT_MAX");
        let all = self.desk.deadline;
        self.desk.deadline = Deadline::never();
        while !group.is_answered() && self.desk.hands.is_some() && !deadline.is_over() {
            let waited = self.desk.wait(None, deadline);
            self.hear(group)?;
            match waited {
                Ok(()) => {}
                // The first signal is being obeyed; a second one only ends the wait.
                Err(Failure::Signal(_)) => break,
                Err(failure) => {
                    self.desk.put_back(failure);
                    break;
                }
            }
        }
        self.desk.deadline = all;
        Ok(())
    }

    /// Takes what the hands said.
    fn hear(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        for reply in self.desk.take_replies() {
            match reply {
                Reply::Output(output) => {
                    if let Some(index) = group.index_of(&output.id) {
                        let text = secret::cover(&output.text, &self.secrets()).into_owned();
                        self.show(&Event::Output {
                            call: &group.calls[index],
                            text: &text,
                        })?;
                    }
                }
                Reply::Result(result) => {
                    if let Some(index) = group.index_of(&result.id) {
                        let call = &group.calls[index];
                        group.answers[index] = Some(self.tell(call, result)?);
                    }
                }
                // Both are for the client itself, which has taken note.
                Reply::Ready(_) | Reply::Refused(_) => {}
            }
        }
        Ok(())
    }

    /// Shows an answer, and makes it what the model reads. A secret of ours that a command found
    /// is neither shown nor sent.
    fn tell(&mut self, call: &ToolCall, mut result: CallResult) -> Result<ToolResult, Failure> {
        self.cover(&mut result);
        let texts: Vec<&str> = result
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Image(_) => None,
            })
            .collect();
        self.show(&Event::Result(&event::Outcome {
            call,
            ok: result.ok,
            exit: result.exit,
            took: Duration::from_millis(result.ms),
            output: &texts.join("\n"),
            summary: &result.summary,
            detail: &result.detail,
            truncated: result.truncated,
            spill: result.spill.as_deref(),
        }))?;
        Ok(ToolResult {
            call_id: call.id.clone(),
            kind: call.kind,
            ok: result.ok,
            parts: result.parts,
        })
    }

    fn cover(&self, result: &mut CallResult) {
        let secrets = self.secrets();
        let texts = result.parts.iter_mut().filter_map(|part| match part {
            Part::Text(text) => Some(text),
            Part::Image(_) => None,
        });
        for text in texts.chain([&mut result.summary, &mut result.detail]) {
            if let Cow::Owned(covered) = secret::cover(text, &secrets) {
                *text = covered;
            }
        }
    }

    fn unknown_tool(&self, call: &ToolCall) -> CallResult {
        let names: Vec<&str> = self.options.tools.iter().map(|tool| tool.name).collect();
        let offer = if names.is_empty() {
            "no tools are offered".to_string()
        } else {
            format!("there are: {}", names.join(", "))
        };
        if let Some(key) = own::switch(&call.name) {
            let text = format!("{} is switched off here; {key} switches it on", call.name);
            return failed(&text, "switched off");
        }
        let name = text::one_line(&call.name);
        let name = text::ellipsis(&name, NAME_CHARS_MAX);
        failed(&format!("there is no tool {name}; {offer}"), "no such tool")
    }
}

/// The result of a call that never reached the hands.
fn failed(text: &str, summary: &str) -> CallResult {
    CallResult {
        id: String::new(),
        ok: false,
        exit: None,
        ms: 0,
        parts: vec![Part::Text(text.to_string())],
        summary: summary.to_string(),
        detail: String::new(),
        truncated: false,
        spill: None,
    }
}

impl Group<'_> {
    fn is_answered(&self) -> bool {
        self.answers.iter().all(Option::is_some)
    }

    /// The names on the pipe of the calls that have no answer yet.
    fn unanswered(&self) -> impl Iterator<Item = u64> {
        let numbered = (self.first_number..).zip(self.answers.iter());
        numbered
            .filter(|(_, answer)| answer.is_none())
            .map(|(number, _)| number)
    }

    /// Which call of the group has this name on the pipe, and no answer yet.
    fn index_of(&self, id: &str) -> Option<usize> {
        let number: u64 = id.parse().ok()?;
        let index = usize::try_from(number.checked_sub(self.first_number)?).ok()?;
        self.answers.get(index)?.is_none().then_some(index)
    }
}
