//! `ask_user`: one question to the person at the terminal, and the line that answers it.
//!
//! A line that was typed before the question stood there does not answer it; it steers the next
//! request, as ever. Where nobody sits at a terminal, the model is told so at once.

use crate::agent::event::Event;
use crate::agent::failure::Failure;
use crate::agent::own::Own;
use crate::agent::own::Room;
use crate::agent::own::Stop;
use crate::base::clock::Deadline;
use crate::base::text;
use crate::chat::tool::Effect;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::term::lines;
use crate::term::lines::Lines;
use crate::tools::Answer;
use crate::tools::Refusal;
use crate::tools::arguments::Arguments;
use std::time::Duration;

/// The tool.
pub(super) const TOOL: Own = Own {
    spec: ToolSpec {
        name: "ask_user",
        description: "Asks the user one question and waits for the answer. Only where a wrong \
            guess would cost something and no tool can tell.",
        input: Input::Schema(concat!(
            r#"{"type":"object","properties":{"question":{"type":"string"},"#,
            r#""choices":{"type":"array","items":{"type":"string"}}},"#,
            r#""required":["question"],"additionalProperties":false}"#,
        )),
        // It waits for a person; nothing else should happen meanwhile.
        effect: Effect::Changes,
    },
    fields: &["question", "choices"],
    run,
};

/// As much as fits on a screen.
const QUESTION_BYTES_MAX: usize = 2_000;

/// More cannot be told apart.
const CHOICES_MAX: usize = 9;

/// A choice is a line.
const CHOICE_BYTES_MAX: usize = 200;

/// Of an answer, enough to know it again beside the call.
const SUMMARY_CHARS_MAX: usize = 60;

fn run(mut arguments: Arguments, room: &mut Room<'_>) -> Result<Answer, Stop> {
    let question = arguments.text("question")?;
    let choices = arguments.texts("choices")?;
    check(&question, &choices)?;
    let Some(answer) = ask(room, question.trim(), &choices)? else {
        let words = "nobody is at a terminal to answer; decide yourself, and say in your answer \
                     what you assumed";
        return Err(Refusal::new(words).into());
    };
    Ok(Answer {
        summary: text::ellipsis(&answer, SUMMARY_CHARS_MAX).into_owned(),
        ..Answer::text(format!("the user answered: {answer}"))
    })
}

fn check(question: &str, choices: &[String]) -> Result<(), Refusal> {
    let refuse = |words: String| Err(Refusal::new(words));
    if question.trim().is_empty() {
        return refuse("question is empty".to_string());
    }
    if question.len() > QUESTION_BYTES_MAX {
        let bytes = question.len();
        return refuse(format!(
            "question has {bytes} bytes, at most {QUESTION_BYTES_MAX} fit on a screen; put the \
             rest into your answer and ask then"
        ));
    }
    if choices.len() > CHOICES_MAX {
        let count = choices.len();
        return refuse(format!(
            "there are {count} choices, at most {CHOICES_MAX} are shown"
        ));
    }
    let is_bad = |choice: &&String| choice.trim().is_empty() || choice.len() > CHOICE_BYTES_MAX;
    match choices.iter().find(is_bad) {
        Some(choice) => refuse(format!(
            "a choice has {} bytes; it must have some and at most {CHOICE_BYTES_MAX}",
            choice.trim().len()
        )),
        None => Ok(()),
    }
}

/// Shows the question and waits for a line that answers it; `None` where nobody can answer.
///
/// Waits as long as the person does, unless a signal or the end of the run's time comes first.
pub fn ask(
    room: &mut Room<'_>,
    question: &str,
    choices: &[String],
) -> Result<Option<String>, Failure> {
    let seen = typed_until_now(room)?;
    loop {
        if room.desk.typed.as_ref().is_none_or(is_closed) {
            return Ok(None);
        }
        room.show(&Event::Question { question, choices })?;
        let Some(line) = next_line(room, seen)? else {
            return Ok(None);
        };
        if let Some(answer) = understand(&line, choices) {
            return Ok(Some(answer));
        }
    }
}

fn is_closed(typed: &Lines) -> bool {
    typed.fd().is_none()
}

/// How many lines were typed before now and wait for someone else.
fn typed_until_now(room: &mut Room<'_>) -> Result<usize, Failure> {
    let waiting = |room: &Room<'_>| room.desk.typed.as_ref().map_or(0, Lines::waiting);
    loop {
        let before = waiting(room);
        // A wait of no time takes what is there.
        room.desk
            .wait(None, Deadline::after(Duration::ZERO, "now"))?;
        let now = waiting(room);
        if now == before {
            return Ok(now);
        }
    }
}

/// The first line behind the `seen` ones that were there before; `None` if the terminal closes.
fn next_line(room: &mut Room<'_>, seen: usize) -> Result<Option<String>, Failure> {
    loop {
        let Some(typed) = &mut room.desk.typed else {
            return Ok(None);
        };
        if let Some(line) = typed.take_line_at(seen) {
            return Ok(Some(line));
        }
        if is_closed(typed) {
            return Ok(None);
        }
        room.desk.wait(None, Deadline::never())?;
    }
}

/// What a line says: the choice of its number, or its words. Nothing if it is empty, if there is
/// no such number, or if the terminal may have cut it off.
fn understand(line: &str, choices: &[String]) -> Option<String> {
    let line = line.trim();
    if line.is_empty() || lines::is_cut(line) {
        return None;
    }
    let is_number = line.bytes().all(|byte| byte.is_ascii_digit());
    if choices.is_empty() || !is_number {
        return Some(line.to_string());
    }
    let number: usize = line.parse().ok()?;
    choices.get(number.checked_sub(1)?).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_number_or_words() {
        let choices = ["left".to_string(), "right".to_string()];
        let check = |line: &str, expected: Option<&str>| {
            assert_eq!(understand(line, &choices).as_deref(), expected, "{line}");
        };
        check("2", Some("right"));
        check(" 1 ", Some("left"));
        check("0", None);
        check("3", None);
        check("99999999999999999999999", None);
        check("", None);
        check("neither, 2 of them", Some("neither, 2 of them"));
        check(&"x".repeat(5000), None);
        assert_eq!(understand("8080", &[]).as_deref(), Some("8080"));
    }

    #[test]
    fn a_question_fits_on_a_screen() {
        let good = "x".to_string();
        assert!(check("which?", &[]).is_ok());
        assert!(check("which?", std::slice::from_ref(&good)).is_ok());
        assert!(check(" ", &[]).is_err());
        assert!(check(&"x".repeat(2_001), &[]).is_err());
        assert!(check("which?", &vec![good.clone(); 10]).is_err());
        assert!(check("which?", &[good, " ".to_string()]).is_err());
        assert!(check("which?", &["x".repeat(201)]).is_err());
    }
}
