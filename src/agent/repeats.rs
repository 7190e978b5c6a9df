//! Finds a model that goes in circles: the same calls again and again, alone or in turn, or one
//! that grows by more of itself. Pure: steps in, verdicts out.
//!
//! A step is an answer's calls with their results. Steps that failed are the same if their calls
//! are; steps that went well must have given the same, too, and at once: who asks for news every
//! minute is waiting for something. Counting begins anew with every prompt.

use crate::chat::Part;
use crate::chat::ToolCall;
use crate::chat::ToolResult;
use serde_json::Value;
use std::collections::VecDeque;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::time::Duration;

/// The most steps of a circle.
const PERIOD_MAX: usize = 4;

/// Steps that are kept, and with them how often the longest circle can be counted.
const STEPS_MAX: usize = 64;

/// A step that went well and took longer waited for something.
const QUICK: Duration = Duration::from_secs(2);

/// Arguments that are longer are not looked at for growth.
const GROWING_BYTES_MAX: usize = 64 * 1024;

/// What is to be done about the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Fine,
    /// The model is told that it has done so this often.
    Tell(usize),
    /// It was told in vain.
    End,
}

/// The steps of a task.
#[derive(Debug, Default)]
pub struct Repeats {
    steps: VecDeque<Step>,
    /// The arguments of the step before, if it was one call, and how often in a row they grew.
    grown: Option<(String, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    /// Names and arguments.
    calls: u64,
    /// What came of them.
    results: u64,
    is_ok: bool,
    is_quick: bool,
}

impl Repeats {
    /// Takes a step. `most` is how often a failure may be repeated before the model is told
    /// (`LOOP_MAX`, 0: never).
    pub fn take(
        &mut self,
        calls: &[ToolCall],
        results: &[ToolResult],
        took: Duration,
        most: usize,
    ) -> Verdict {
        if most == 0 || calls.is_empty() {
            return Verdict::Fine;
        }
        let is_ok = results.iter().all(|result| result.ok);
        let written: Vec<(&str, String)> = calls
            .iter()
            .map(|call| (call.name.as_str(), canonical(&call.arguments)))
            .collect();
        let parts: Vec<&[Part]> = results.iter().map(|result| &result.parts[..]).collect();
        let step = Step {
            calls: hash(&written),
            results: hash(&parts),
            is_ok,
            is_quick: took < QUICK,
        };
        if self.steps.len() == STEPS_MAX {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
        let grown = match &written[..] {
            [(name, arguments)] => self.grow(format!("{name} {arguments}"), is_ok),
            _ => {
                self.grown = None;
                0
            }
        };
        // One that has grown once has been there twice.
        let grown = judge(grown + 1, is_ok, most);
        (1..=PERIOD_MAX)
            .map(|period| self.judge_circle(period, most))
            .fold(grown, worse)
    }

    fn judge_circle(&self, period: usize, most: usize) -> Verdict {
        let steps = self.steps.len();
        if steps < 2 * period {
            return Verdict::Fine;
        }
        let last = |index: usize| &self.steps[steps - 1 - index];
        let mut same = 0;
        while same + period < steps && is_same(last(same), last(same + period)) {
            same += 1;
        }
        let is_ok = (0..period).all(|index| last(index).is_ok);
        judge(1 + same / period, is_ok, most)
    }

    /// How often in a row the arguments grew by more of the same, or at all while they failed.
    fn grow(&mut self, arguments: String, is_ok: bool) -> usize {
        let arguments = arguments.trim_end_matches(['"', '}', ']', ' ']).to_string();
        let count = match self.grown.take() {
            Some((before, count)) if grows(&before, &arguments, is_ok) => count + 1,
            _ => 0,
        };
        if arguments.len() <= GROWING_BYTES_MAX {
            self.grown = Some((arguments, count));
        }
        count
    }
}

fn grows(before: &str, now: &str, is_ok: bool) -> bool {
    match now.strip_prefix(before) {
        None | Some("") => false,
        Some(more) => {
            // What joins it is no news.
            let more = more.trim_matches(|c: char| !c.is_alphanumeric());
            !is_ok || before.contains(more)
        }
    }
}

/// A failure is repeated three times in good hope, what went well once more than that.
fn judge(times: usize, is_ok: bool, most: usize) -> Verdict {
    let (tell, end) = match is_ok {
        false => (most, most + 2),
        true => (most + 1, 2 * (most + 1)),
    };
    match times {
        times if times >= end => Verdict::End,
        times if times >= tell && times > 1 => Verdict::Tell(times),
        _ => Verdict::Fine,
    }
}

fn worse(one: Verdict, other: Verdict) -> Verdict {
    let rank = |verdict| match verdict {
        Verdict::Fine => 0,
        Verdict::Tell(times) => times,
        Verdict::End => usize::MAX,
    };
    if rank(one) >= rank(other) { one } else { other }
}

fn is_same(one: &Step, other: &Step) -> bool {
    let is_quick = one.is_quick && other.is_quick;
    match (one.is_ok, other.is_ok) {
        (false, false) => one.calls == other.calls,
        (true, true) => is_quick && one.calls == other.calls && one.results == other.results,
        _ => false,
    }
}

/// Arguments without the spaces that differ from one time to the next; what is no JSON stays.
fn canonical(arguments: &str) -> String {
    let value: Result<Value, _> = serde_json::from_str(arguments);
    value.map_or_else(|_| arguments.to_string(), |value| value.to_string())
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What is put under the result of a call that was made `times` times for nothing.
pub fn words(times: usize) -> String {
    format!(
        "[sx: you have done this {times} times and nothing changed. Do something else, or say \
         what is in the way; the same again ends the task.]"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::CallKind;

    const QUICKLY: Duration = Duration::from_millis(5);

    /// What is said of each of these steps: a name, its arguments, what came of it.
    fn verdicts(steps: &[(&str, &str, Result<&str, &str>)], took: Duration) -> Vec<Verdict> {
        let mut repeats = Repeats::default();
        let verdicts = steps.iter().map(|(name, arguments, result)| {
            let call = ToolCall {
                id: "c".into(),
                name: (*name).into(),
                arguments: (*arguments).into(),
                kind: CallKind::Function,
                opaque: None,
            };
            let (Ok(text) | Err(text)) = *result;
            let result = ToolResult::text(&call, result.is_ok(), text);
            repeats.take(&[call], &[result], took, 3)
        });
        verdicts.collect()
    }

    fn ends_at(verdicts: &[Verdict]) -> Option<usize> {
        let at = verdicts.iter().position(|verdict| *verdict == Verdict::End);
        at.map(|index| index + 1)
    }

    fn told_at(verdicts: &[Verdict]) -> Option<usize> {
        let is_told = |verdict: &Verdict| matches!(verdict, Verdict::Tell(_));
        verdicts.iter().position(is_told).map(|index| index + 1)
    }

    #[track_caller]
    fn check(steps: &[(&str, &str, Result<&str, &str>)], told: Option<usize>, end: Option<usize>) {
        let found = verdicts(steps, QUICKLY);
        assert_eq!((told_at(&found), ends_at(&found)), (told, end), "{found:?}");
    }

    #[test]
    fn the_same_failing_call_is_told_of_three_times_and_then_the_end() {
        let fails = ("bash", r#"{"command":"make"}"#, Err("exit 2"));
        check(&[fails; 6], Some(3), Some(5));
        // Spaces make no other call, nor do other words of the same failure.
        let spaced = ("bash", r#"{ "command": "make" }"#, Err("exit 2 after 1 s"));
        check(&[fails, spaced, fails, spaced, fails], Some(3), Some(5));
        // What is done between may help.
        let edit = |n: &'static str| ("edit", n, Ok("+1 -1"));
        check(
            &[fails, edit("1"), fails, edit("2"), fails, edit("3"), fails],
            None,
            None,
        );
    }

    #[test]
    fn a_circle_of_several_calls_is_one() {
        let (a, b, c) = (
            ("read", "a", Ok("1")),
            ("bash", "b", Err("no")),
            ("read", "c", Ok("3")),
        );
        check(&[a, b, a, b, a, b, a, b, a, b], Some(6), Some(10));
        check(&[a, b, c, a, b, c, a, b, c], Some(9), None);
        // All went well: that is looked at longer.
        let circle: Vec<_> = [a, c].into_iter().cycle().take(16).collect();
        check(&circle, Some(8), Some(16));
        check(&circle[..15], Some(8), None);
    }

    #[test]
    fn who_waits_for_something_goes_in_no_circle() {
        let poll = ("bash", "sleep 30; state", Ok("pending"));
        let found = verdicts(&[poll; 40], Duration::from_secs(30));
        assert!(found.iter().all(|verdict| *verdict == Verdict::Fine));
        let states = [
            "1 %", "2 %", "3 %", "4 %", "5 %", "6 %", "7 %", "8 %", "9 %",
        ];
        let changing = states.map(|state| ("bash", "state", Ok(state)));
        check(&changing, None, None);
    }

    #[test]
    fn a_call_that_grows_by_more_of_itself_is_a_repeat() {
        let grown = |count: usize| format!(r#"{{"command":"{}"}}"#, vec!["ls"; count].join("; "));
        let texts: Vec<String> = (1..12).map(grown).collect();
        let good: Vec<_> = texts
            .iter()
            .map(|text| ("bash", &text[..], Ok("x")))
            .collect();
        check(&good, Some(4), Some(8));
        let bad: Vec<_> = texts
            .iter()
            .map(|text| ("bash", &text[..], Err("x")))
            .collect();
        check(&bad, Some(3), Some(5));
        // A script that is written step by step grows by something new.
        let script = ["a", "a b", "a b c", "a b c d", "a b c d e", "a b c d e f"];
        check(&script.map(|text| ("bash", text, Ok("x"))), None, None);
    }

    #[test]
    fn nothing_is_counted_where_the_limit_is_off() {
        let call = ToolCall {
            id: "c".into(),
            name: "x".into(),
            arguments: "{}".into(),
            kind: CallKind::Function,
            opaque: None,
        };
        let result = ToolResult::text(&call, false, "no");
        let mut repeats = Repeats::default();
        for _ in 0..100 {
            let verdict = repeats.take(
                std::slice::from_ref(&call),
                std::slice::from_ref(&result),
                QUICKLY,
                0,
            );
            assert_eq!(verdict, Verdict::Fine);
        }
    }
}
