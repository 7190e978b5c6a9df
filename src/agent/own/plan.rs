//! `plan`: the steps of a longer task, for the person to see and for the model to keep to.
//!
//! Nothing is kept beside the conversation: the newest good call is the plan. When the conversation
//! is made shorter, [`newest`] finds it, and [`note`] carries it on.

use crate::agent::own::Own;
use crate::agent::own::Room;
use crate::agent::own::Stop;
use crate::base::text;
use crate::chat::Message;
use crate::chat::ToolCall;
use crate::chat::ToolResult;
use crate::chat::tool::Effect;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::tools::Answer;
use crate::tools::Refusal;
use crate::tools::arguments;
use crate::tools::arguments::Arguments;

/// The tool.
pub(super) const TOOL: Own = Own {
    spec: ToolSpec {
        name: NAME,
        description: "Shows the user the steps of a longer task and how far they are. Give the \
            whole list each time. Not for a task of one or two steps.",
        input: Input::Schema(concat!(
            r#"{"type":"object","properties":{"steps":{"type":"array","items":{"#,
            r#""type":"object","properties":{"step":{"type":"string"},"#,
            r#""status":{"enum":["pending","in_progress","completed"]}},"#,
            r#""required":["step","status"],"additionalProperties":false}}},"#,
            r#""required":["steps"],"additionalProperties":false}"#,
        )),
        // So that two plans of one answer are shown in their order.
        effect: Effect::Changes,
    },
    fields: FIELDS,
    run,
};

const NAME: &str = "plan";
const FIELDS: &[&str] = &["steps"];
const STEP_FIELDS: &[&str] = &["step", "status"];

/// More steps than this are no plan that a person reads.
const STEPS_MAX: usize = 30;

/// A step is a line.
const STEP_BYTES_MAX: usize = 300;

/// The first line of the note that carries a plan on.
pub const TAG: &str = "<plan>";

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending,
    InProgress,
    Completed,
}

impl Status {
    fn parse(word: &str) -> Option<Status> {
        Some(match word {
            "pending" => Status::Pending,
            "in_progress" => Status::InProgress,
            "completed" => Status::Completed,
            _ => return None,
        })
    }

    fn mark(self) -> &'static str {
        match self {
            Status::Pending => "[ ]",
            Status::InProgress => "[>]",
            Status::Completed => "[x]",
        }
    }
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Plan(Vec<(Status, String)>);

fn run(arguments: Arguments, _: &mut Room<'_>) -> Result<Answer, Stop> {
    let plan = Plan::read(arguments)?;
    let summary = plan.summary();
    Ok(Answer {
        detail: plan.lines(),
        summary: summary.clone(),
        ..Answer::text(format!("the user sees the plan: {summary}"))
    })
}

impl Plan {
    fn read(mut arguments: Arguments) -> Result<Plan, Refusal> {
        let steps = arguments.objects("steps", STEP_FIELDS)?;
        if steps.len() > STEPS_MAX {
            let count = steps.len();
            return Err(Refusal::new(format!(
                "the plan has {count} steps, and at most {STEPS_MAX} are shown; put small ones \
                 together"
            )));
        }
        let steps = steps.into_iter().map(step);
        Ok(Plan(steps.collect::<Result<_, Refusal>>()?))
    }

    fn summary(&self) -> String {
        let is_done = |step: &&(Status, String)| step.0 == Status::Completed;
        let done = self.0.iter().filter(is_done).count();
        format!("{done} of {} steps done", self.0.len())
    }

    /// A line a step; its mark says how far it is.
    fn lines(&self) -> String {
        let lines = self.0.iter();
        let lines = lines.map(|(status, step)| format!("{} {step}", status.mark()));
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn step(mut arguments: Arguments) -> Result<(Status, String), Refusal> {
    let step = text::one_line(arguments.text("step")?.trim());
    let word = arguments.text("status")?;
    let Some(status) = Status::parse(&word) else {
        let word = text::one_line(text::prefix(&word, STEP_BYTES_MAX));
        return Err(Refusal::new(format!(
            "the status of a step is pending, in_progress or completed, not {word}"
        )));
    };
    if step.is_empty() || step.len() > STEP_BYTES_MAX {
        let bytes = step.len();
        return Err(Refusal::new(format!(
            "a step has {bytes} bytes; it must have some and at most {STEP_BYTES_MAX}"
        )));
    }
    Ok((status, step))
}

/// The steps of the newest plan of a conversation, a line each; `None` if there is none.
pub fn newest(history: &[Message]) -> Option<String> {
    for (at, message) in history.iter().enumerate().rev() {
        match message {
            Message::Context(note) if is_note(note) => {
                let steps = note.lines().filter(|line| line.starts_with('['));
                return Some(steps.collect::<Vec<_>>().join("\n"));
            }
            Message::Assistant(_) => {
                let results = match history.get(at + 1) {
                    Some(Message::Results(results)) => results.as_slice(),
                    _ => &[],
                };
                let calls: Vec<&ToolCall> = message.calls().collect();
                let newest = calls.into_iter().rev().find_map(|call| of(call, results));
                if newest.is_some() {
                    return newest;
                }
            }
            _ => {}
        }
    }
    None
}

/// The steps of a call, if it is a plan that was taken.
fn of(call: &ToolCall, results: &[ToolResult]) -> Option<String> {
    let is_good = |result: &ToolResult| result.ok && result.call_id == call.id;
    if call.name != NAME || !results.iter().any(is_good) {
        return None;
    }
    let arguments: Result<_, arguments::Error> = Arguments::parse(&call.arguments, FIELDS);
    Some(Plan::read(arguments.ok()?).ok()?.lines())
}

/// Whether a note carries a plan on.
pub fn is_note(note: &str) -> bool {
    note.lines().next() == Some(TAG)
}

/// The note that carries the steps of a plan on.
pub fn note(steps: &str) -> String {
    format!("{TAG}\nYour newest plan; [x] is done, [>] in progress:\n{steps}\n</plan>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Block;
    use crate::chat::CallKind;
    use serde_json::Value;
    use serde_json::json;

    fn read(arguments: &Value) -> Result<Plan, String> {
        let arguments = Arguments::parse(&arguments.to_string(), FIELDS).unwrap();
        let told = |refusal: Refusal| match &refusal.into_answer().parts[0] {
            crate::chat::Part::Text(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        Plan::read(arguments).map_err(told)
    }

    fn steps(words: &[(&str, &str)]) -> Value {
        let steps = words.iter();
        let steps = steps.map(|(status, step)| json!({"step": step, "status": status}));
        json!({"steps": steps.collect::<Vec<_>>()})
    }

    #[test]
    fn a_plan_is_a_line_a_step() {
        let plan = read(&steps(&[
            ("completed", "look"),
            ("in_progress", "change\nit"),
            ("pending", "test"),
        ]));
        let plan = plan.unwrap();
        assert_eq!(plan.lines(), "[x] look\n[>] change it\n[ ] test");
        assert_eq!(plan.summary(), "1 of 3 steps done");
    }

    #[track_caller]
    fn check_refused(arguments: &Value, words: &str) {
        let got = read(arguments).unwrap_err();
        assert!(got.contains(words), "{got}");
    }

    #[test]
    fn what_is_no_plan_is_refused_with_what_is_one() {
        check_refused(&json!({"steps": []}), "steps must be a list of objects");
        check_refused(
            &steps(&[("done", "x")]),
            "pending, in_progress or completed",
        );
        check_refused(&steps(&[("pending", " ")]), "it must have some");
        check_refused(&steps(&[("pending", &"x".repeat(301))]), "301 bytes");
        check_refused(&steps(&[("pending", "x"); 31]), "31 steps, and at most 30");
        check_refused(
            &json!({"steps": [{"step": "x"}]}),
            "steps[0].status is missing",
        );
    }

    fn call(id: &str, step: &str, ok: bool) -> [Message; 2] {
        let call = ToolCall {
            id: id.to_string(),
            name: NAME.to_string(),
            arguments: steps(&[("pending", step)]).to_string(),
            kind: CallKind::Function,
            opaque: None,
        };
        let result = ToolResult::text(&call, ok, "");
        [
            Message::Assistant(vec![Block::Call(call)]),
            Message::Results(vec![result]),
        ]
    }

    #[test]
    fn the_newest_plan_that_was_taken_counts_and_a_note_carries_it_on() {
        let mut history = vec![Message::user("x")];
        assert_eq!(newest(&history), None);
        history.extend(call("1", "old", true));
        history.extend(call("2", "new", true));
        history.extend(call("3", "wrong", false));
        assert_eq!(newest(&history).as_deref(), Some("[ ] new"));
        let note = note("[ ] new\n[x] other");
        assert!(is_note(&note));
        history.push(Message::Context(note));
        assert_eq!(newest(&history).as_deref(), Some("[ ] new\n[x] other"));
        history.extend(call("4", "newest", true));
        assert_eq!(newest(&history).as_deref(), Some("[ ] newest"));
    }
}
