//! `job`: what runs in the background, listed, read and ended. Checks the call and words the
//! answer; the processes are the hands' work.

use crate::base::clock::Spoken;
use crate::base::text;
use crate::chat::tool::Effect;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::tools::Answer;
use crate::tools::Refusal;
use crate::tools::Start;
use crate::tools::Tool;
use crate::tools::Workplace;
use crate::tools::arguments::Arguments;
use crate::tools::bash;
use crate::tools::bash::Ended;
use crate::tools::log::Piece;
use std::path::PathBuf;
use std::time::Duration;

/// The tool.
pub(super) const TOOL: Tool = Tool {
    spec: ToolSpec {
        name: "job",
        description: "Background jobs: commands started with background, and what other commands \
            left running. list shows all; output shows what one printed since your last look, or \
            from byte `since` on; kill ends it with all it started.",
        input: Input::Schema(concat!(
            r#"{"type":"object","properties":{"action":{"enum":["list","output","kill"]},"#,
            r#""id":{"type":"integer"},"since":{"type":"integer"}},"#,
            r#""required":["action"],"additionalProperties":false}"#,
        )),
        effect: Effect::Changes,
    },
    fields: &["action", "id", "since"],
    start,
};

/// As much of a command as tells it from the others.
const COMMAND_CHARS_MAX: usize = 80;

/// What is asked of the jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Show them all.
    List,
    /// Show what one printed.
    Output {
        /// Its number.
        id: u64,
        /// From this byte on; `None` is from where the last look ended.
        since: Option<u64>,
    },
    /// End one, with all it started.
    Kill {
        /// Its number.
        id: u64,
    },
}

/// How a job is.
#[derive(Clone, Copy, Debug)]
pub enum State<'a> {
    /// It runs.
    Runs,
    /// Its command ended, and so many processes that it started did not.
    Left(usize),
    /// All of it ended.
    Ended(&'a Ended),
}

/// A job as it is now.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// Its number.
    pub id: u64,
    /// The command that it began with.
    pub command: &'a str,
    /// How it is.
    pub state: State<'a>,
    /// How long it runs, or ran.
    pub ran: Duration,
    /// How much it printed.
    pub bytes: u64,
    /// The file that has it.
    pub path: Option<PathBuf>,
}

impl Report<'_> {
    /// How it is, without its number: `running for 12.3 s`.
    fn state(&self) -> String {
        let ran = Spoken(self.ran);
        match self.state {
            State::Runs => format!("running for {ran}"),
            State::Left(1) => format!("1 process runs on, {ran} after the command began"),
            State::Left(count) => {
                format!("{count} processes run on, {ran} after the command began")
            }
            State::Ended(ended) => format!("{} after {ran}", bash::outcome(ended)),
        }
    }

    /// It as a line.
    pub fn line(&self) -> String {
        let place = match &self.path {
            Some(path) => format!(" in {}", path.display()),
            None => String::new(),
        };
        let command = text::one_line(self.command);
        format!(
            "job {}: {}; {} bytes of output{place}; {}",
            self.id,
            self.state(),
            self.bytes,
            text::ellipsis(&command, COMMAND_CHARS_MAX)
        )
    }
}

/// The answer to `bash` with `background`.
pub fn started(report: &Report<'_>) -> Answer {
    let id = report.id;
    let place = match &report.path {
        Some(path) => format!("its output goes to {}", path.display()),
        None => "there is nowhere to write its output to; the end of it is kept".to_owned(),
    };
    Answer {
        summary: format!("job {id}"),
        ..Answer::text(format!(
            "job {id} started; {place}. See or end it with the tool job; its end will be told."
        ))
    }
}

/// The answer to `list`.
pub fn listed(reports: &[Report<'_>]) -> Answer {
    let lines: Vec<String> = reports.iter().map(Report::line).collect();
    let text = match lines.is_empty() {
        true => "there are no jobs".to_owned(),
        false => lines.join("\n"),
    };
    Answer {
        summary: count(lines.len()),
        ..Answer::text(text)
    }
}

/// The answer to `output`.
pub fn shown(report: &Report<'_>, piece: &Piece) -> Answer {
    let range = match piece.next > piece.from {
        true => format!("bytes {} to {} of {}", piece.from, piece.next, report.bytes),
        false => format!("no output beyond byte {}", piece.from),
    };
    let note = match &piece.note {
        Some(note) => format!("\n[{note}]"),
        None => String::new(),
    };
    Answer {
        summary: format!("job {}: {}", report.id, report.state()),
        truncated: piece.truncated,
        spill: report.path.as_ref().map(|path| path.display().to_string()),
        ..Answer::text(format!(
            "{}\n[{range}]\n{}{note}",
            report.line(),
            piece.text
        ))
    }
}

/// The answer to `kill`, once it is over.
pub fn killed(report: &Report<'_>) -> Answer {
    Answer {
        summary: format!("job {}: {}", report.id, report.state()),
        ..Answer::text(report.line())
    }
}

/// The answer where there is no such job.
pub fn unknown(id: u64, known: &[u64]) -> Answer {
    let known: Vec<String> = known.iter().map(u64::to_string).collect();
    let words = match known.is_empty() {
        true => format!("there is no job {id}; there are none"),
        false => format!("there is no job {id}; there are: {}", known.join(", ")),
    };
    Refusal::new(words).into_answer()
}

fn count(jobs: usize) -> String {
    match jobs {
        1 => "1 job".to_owned(),
        _ => format!("{jobs} jobs"),
    }
}

fn start(mut arguments: Arguments, _place: &Workplace) -> Result<Start, Refusal> {
    let action = arguments.text("action")?;
    let id = arguments.count("id")?;
    let since = arguments.offset("since")?;
    let id = || {
        let why = format!("{action} needs the argument id; list shows the jobs");
        id.ok_or_else(|| Refusal::new(why))
    };
    let request = match action.as_str() {
        "list" => Request::List,
        "output" => Request::Output { id: id()?, since },
        "kill" => Request::Kill { id: id()? },
        _ => {
            let why = format!("there is no action {action}; there are: list, output, kill");
            return Err(Refusal::new(why));
        }
    };
    Ok(Start::Job(request))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::tests::Scratch;
    use crate::tools::tests::call;
    use crate::tools::tests::place;
    use crate::tools::tests::text_of;

    #[test]
    fn a_request_is_read_or_told_what_it_lacks() {
        let scratch = Scratch::new();
        let asked = |arguments: &str| match crate::tools::start(
            &call("job", arguments),
            &place(&scratch),
        ) {
            Start::Job(request) => Ok(request),
            Start::Answer(answer) => Err(text_of(&answer).to_owned()),
            Start::Run(command) => panic!("{command:?}"),
        };
        assert_eq!(asked(r#"{"action":"list"}"#), Ok(Request::List));
        let output = |since| Ok(Request::Output { id: 2, since });
        assert_eq!(asked(r#"{"action":"output","id":2}"#), output(None));
        assert_eq!(
            asked(r#"{"action":"output","id":2,"since":0}"#),
            output(Some(0))
        );
        assert_eq!(
            asked(r#"{"action":"kill","id":2}"#),
            Ok(Request::Kill { id: 2 })
        );
        for (arguments, words) in [
            (r#"{"action":"kill"}"#, "kill needs the argument id"),
            (r#"{"action":"stop","id":1}"#, "there are: list, output"),
            (r#"{"action":"output","id":0}"#, "a whole number from 1"),
            (
                r#"{"action":"output","id":1,"since":-1}"#,
                "a whole number from 0",
            ),
        ] {
            let said = asked(arguments).unwrap_err();
            assert!(said.contains(words), "{arguments}: {said}");
        }
    }

    #[test]
    fn a_job_is_a_line_whatever_its_command() {
        let mut report = Report {
            id: 3,
            command: "a\nb",
            state: State::Runs,
            ran: Duration::from_secs(2),
            bytes: 5,
            path: Some("/t/job-3.txt".into()),
        };
        let rest = "5 bytes of output in /t/job-3.txt; a b";
        assert_eq!(report.line(), format!("job 3: running for 2.0 s; {rest}"));
        report.state = State::Ended(&Ended::Signal(9));
        let line = format!("job 3: killed by signal 9 (KILL) after 2.0 s; {rest}");
        assert_eq!(report.line(), line);
        let long = "x".repeat(10_000);
        report.command = &long;
        assert!(report.line().len() < 250);
    }
}
