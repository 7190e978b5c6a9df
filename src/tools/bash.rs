//! `bash`: checks the call and words the answer. Running the command is the hands' work, since it
//! takes processes, a deadline and a poll loop.

use crate::base::clock::Spoken;
use crate::base::text::ellipsis;
use crate::chat::tool::Effect;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::tools::Answer;
use crate::tools::Refusal;
use crate::tools::Start;
use crate::tools::Tool;
use crate::tools::Workplace;
use crate::tools::arguments::Arguments;
use crate::tools::limit::Collected;
use std::time::Duration;

/// The tool.
pub(super) const TOOL: Tool = Tool {
    spec: ToolSpec {
        name: "bash",
        description: "Runs a shell command in the working directory. Each call has a shell of its \
            own, no terminal and no input. Output beyond 32 kB keeps its start and end; all of it \
            is then in a file that the answer names. With background it runs on as a job.",
        input: Input::Schema(concat!(
            r#"{"type":"object","properties":{"command":{"type":"string"},"#,
            r#""timeout":{"type":"number","description":"seconds until it is stopped"},"#,
            r#""background":{"type":"boolean"}},"#,
            r#""required":["command"],"additionalProperties":false}"#,
        )),
        effect: Effect::Changes,
    },
    fields: &["command", "timeout", "background"],
    start,
};

/// A day: longer than any build, short enough that a mistyped number ends.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest argument that the kernel passes to a program, without its NUL (execve(2),
/// MAX_ARG_STRLEN).
const SCRIPT_BYTES_MAX: usize = 128 * 1024 - 1;

/// Lines of a failure that a person sees.
const DETAIL_LINES_MAX: usize = 6;
const DETAIL_CHARS_MAX: usize = 200;

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What the shell is given.
    pub script: String,
    /// How long it may take; `None` is as long as it likes.
    pub timeout: Option<Duration>,
    /// Who said so: `timeout`, the argument, or `BASH_TIMEOUT`, the setting.
    pub limit: &'static str,
    /// Whether the call is answered before it ends.
    pub is_background: bool,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status.
    Exit(i32),
    /// By this signal.
    Signal(i32),
    /// It was stopped because it took too long.
    TimedOut {
        /// How long it was allowed to take.
        after: Duration,
        /// The command's `limit`.
        limit: &'static str,
    },
    /// It was stopped because nobody wants it any more.
    Cancelled,
    /// It was a job, and stopped because the model wanted that.
    Killed,
    /// It never ran, and why.
    NotStarted(String),
}

/// Words the answer to a command that ended so and printed this.
pub fn answer(ended: &Ended, output: Collected) -> Answer {
    let ok = *ended == Ended::Exit(0);
    let mut text = status(ended);
    if output.bytes == 0 {
        text.push_str(", no output");
    } else {
        text.push('\n');
        text.push_str(&output.text);
    }
    if let Some(note) = &output.note {
        let gap = if text.ends_with('\n') { "" } else { "\n" };
        text.push_str(&format!("{gap}[{note}]"));
    }
    let detail = if ok {
        String::new()
    } else {
        last_lines(&output.text)
    };
    Answer {
        ok,
        summary: summary(ended, output.lines),
        detail,
        exit: exit(ended),
        truncated: output.truncated,
        spill: output.spill.map(|path| path.display().to_string()),
        ..Answer::text(text)
    }
}

fn start(mut arguments: Arguments, place: &Workplace) -> Result<Start, Refusal> {
    let script = arguments.text("command")?;
    let wanted = "a number of seconds, more than 0 and at most 86400";
    let timeout = arguments.duration("timeout", TIMEOUT_MAX, wanted)?;
    let is_background = arguments.flag("background")?;
    if script.contains('\0') {
        return Err(Refusal::new("command has a NUL byte, which no shell takes"));
    }
    if script.len() > SCRIPT_BYTES_MAX {
        return Err(Refusal::new(format!(
            "command has {} bytes, and the kernel takes at most {SCRIPT_BYTES_MAX}; write it to a \
             file and run that",
            script.len()
        )));
    }
    if script.trim().is_empty() {
        return Err(Refusal::new("command is empty"));
    }
    let (timeout, limit) = match timeout {
        None if is_background => (None, ""),
        None => (Some(place.bash_timeout), "BASH_TIMEOUT"),
        timeout => (timeout, "timeout"),
    };
    Ok(Start::Run(Command {
        script,
        timeout,
        limit,
        is_background,
    }))
}

/// How a job ended, to follow its number.
pub(super) fn outcome(ended: &Ended) -> String {
    match ended {
        Ended::TimedOut { limit, .. } => format!("stopped by {limit}"),
        ended => status(ended),
    }
}

/// The first line of what the model reads.
fn status(ended: &Ended) -> String {
    match ended {
        Ended::Exit(status) => format!("exit {status}"),
        Ended::Signal(number) => format!("killed by {}", signal(*number)),
        Ended::Killed => "killed as asked".to_owned(),
        Ended::TimedOut { after, limit } => format!(
            "stopped after {}, the limit that {limit} sets; if it needs longer, give a larger \
             timeout",
            Spoken(*after)
        ),
        Ended::Cancelled => "cancelled; what it had done by then stays done".to_owned(),
        Ended::NotStarted(why) => format!("not started: {why}"),
    }
}

/// What a person reads beside the call.
fn summary(ended: &Ended, lines: u64) -> String {
    let how = match ended {
        Ended::Exit(status) => format!("exit {status}"),
        Ended::Signal(number) => signal(*number),
        Ended::TimedOut { limit, .. } => format!("stopped by {limit}"),
        Ended::Cancelled => "cancelled".to_owned(),
        Ended::Killed => "killed".to_owned(),
        Ended::NotStarted(why) => format!("not started: {why}"),
    };
    match lines {
        0 => how,
        1 => format!("{how} · 1 line"),
        _ => format!("{how} · {lines} lines"),
    }
}

/// The status as a shell would give it: 128 and the number for a signal.
fn exit(ended: &Ended) -> Option<i32> {
    match ended {
        Ended::Exit(status) => Some(*status),
        Ended::Signal(number) => Some(128 + number),
        Ended::TimedOut { .. } | Ended::Cancelled | Ended::Killed | Ended::NotStarted(_) => None,
    }
}

/// A signal by number and, where Linux has one number for it everywhere that we run, by name.
fn signal(number: i32) -> String {
    let name = match number {
        1 => "HUP",
        2 => "INT",
        3 => "QUIT",
        4 => "ILL",
        6 => "ABRT",
        7 => "BUS",
        8 => "FPE",
        9 => "KILL",
        11 => "SEGV",
        13 => "PIPE",
        15 => "TERM",
        24 => "XCPU",
        25 => "XFSZ",
        31 => "SYS",
        _ => return format!("signal {number}"),
    };
    format!("signal {number} ({name})")
}

/// The last lines, each cut to a width, blank ones at the end left out.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let last = &lines[lines.len().saturating_sub(DETAIL_LINES_MAX)..];
    let cut: Vec<_> = last
        .iter()
        .map(|line| ellipsis(line, DETAIL_CHARS_MAX))
        .collect();
    cut.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Part;
    use crate::tools::limit::Collector;
    use crate::tools::limit::Limits;
    use crate::tools::limit::Room;

    fn answered(ended: &Ended, output: &str) -> Answer {
        let mut collector = Collector::new(Limits::default(), None, Room::default());
        collector.push(output.as_bytes());
        answer(ended, collector.finish())
    }

    #[track_caller]
    fn check(ended: Ended, output: &str, text: &str, summary: &str) {
        let got = answered(&ended, output);
        assert_eq!(got.parts, [Part::Text(text.into())]);
        assert_eq!(got.summary, summary);
        assert_eq!(got.ok, ended == Ended::Exit(0));
    }

    #[test]
    fn every_end_is_said_first() {
        check(Ended::Exit(0), "", "exit 0, no output", "exit 0");
        check(Ended::Exit(0), "a\n", "exit 0\na\n", "exit 0 · 1 line");
        check(Ended::Exit(2), "a\nb", "exit 2\na\nb", "exit 2 · 2 lines");
        check(
            Ended::Signal(9),
            "",
            "killed by signal 9 (KILL), no output",
            "signal 9 (KILL)",
        );
        check(
            Ended::TimedOut {
                after: Duration::from_secs(120),
                limit: "BASH_TIMEOUT",
            },
            "a\n",
            "stopped after 2 m 00 s, the limit that BASH_TIMEOUT sets; if it needs longer, give a \
             larger timeout\na\n",
            "stopped by BASH_TIMEOUT · 1 line",
        );
        assert_eq!(answered(&Ended::Signal(9), "").exit, Some(137));
        assert_eq!(answered(&Ended::Cancelled, "").exit, None);
    }

    #[test]
    fn a_failure_shows_its_last_lines() {
        let output = "1\n2\n3\n4\n5\n6\n7\n8\n\n";
        assert_eq!(answered(&Ended::Exit(1), output).detail, "3\n4\n5\n6\n7\n8");
        assert_eq!(answered(&Ended::Exit(1), "7\n8").detail, "7\n8");
        assert_eq!(answered(&Ended::Exit(0), output).detail, "");
    }
}
