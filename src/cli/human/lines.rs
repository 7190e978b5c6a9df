//! What a person reads, one line at a time, as values: no writing, no clock.
//!
//! Words carry the state; a style only helps. Whatever came from outside is made one harmless line
//! before it is put into one of ours.

use crate::agent::event::Cause;
use crate::agent::event::Consumption;
use crate::agent::event::Loaded;
use crate::agent::event::Opening;
use crate::agent::event::Outcome;
use crate::base::clock::Spoken;
use crate::base::text;
use crate::chat::CallKind;
use crate::chat::ToolCall;
use crate::chat::delta::Limit;
use crate::chat::delta::Link;
use crate::chat::delta::Usage;
use crate::term::style::Palette;
use crate::term::style::Style;
use crate::term::width;
use serde_json::Value;
use std::time::Duration;

/// The column at which the outcome of a call begins, where there is room for both.
const OUTCOME_COLUMN: usize = 46;

/// So much of a call is shown however long its outcome is.
const CALL_COLUMNS_MIN: usize = 24;

/// Detail lines under a call; a tool sends no more, a stranger's hands might.
const DETAIL_LINES_MAX: usize = 40;

/// A command that took less than this is not worth a word.
const TIME_SHOWN_MIN: Duration = Duration::from_millis(100);

/// A piece of a line in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The words.
    pub text: String,
    /// How they look.
    pub style: Style,
}

/// A piece of a line.
pub fn span(text: impl Into<String>, style: Style) -> Span {
    Span {
        text: text.into(),
        style,
    }
}

/// The line as a terminal takes it, with its end.
pub fn render(spans: &[Span], palette: Palette) -> String {
    let painted = spans
        .iter()
        .map(|span| span.style.paint(&span.text, palette));
    painted.chain(["\n".into()]).collect()
}

/// The few characters of ours that are not ASCII, or what stands for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Before a call.
    pub bullet: &'static str,
    /// Between facts of a line.
    pub separator: &'static str,
    /// Where something was left out.
    pub cut: &'static str,
}

impl Marks {
    /// For terminals that take UTF-8.
    pub const UNICODE: Marks = Marks {
        bullet: "●",
        separator: " · ",
        cut: "…",
    };

    /// For all others.
    pub const ASCII: Marks = Marks {
        bullet: "*",
        separator: ", ",
        cut: "...",
    };

    fn join(self, facts: &[String]) -> String {
        facts.join(self.separator)
    }
}

/// Words from outside, fit for one of our lines.
pub fn words(text: &str) -> String {
    text::harmless(&text::one_line(text)).into_owned()
}

/// The first line of a run: who we are, whom we ask, who pays, what is enforced, where.
pub fn opening(opening: &Opening, home: &str, marks: Marks) -> Span {
    let hands = match opening.hands.as_str() {
        "" | "local" => String::new(),
        command => format!("hands: {command}"),
    };
    let facts = [
        concat!("sx ", env!("CARGO_PKG_VERSION")),
        &opening.provider,
        &opening.model,
        &opening.account,
        &opening.sandbox,
        &hands,
        &short_path(&opening.cwd, home),
    ];
    let facts: Vec<String> = facts.into_iter().map(words).collect();
    let facts: Vec<String> = facts.into_iter().filter(|fact| !fact.is_empty()).collect();
    span(marks.join(&facts), Style::Dim)
}

/// The instruction files that the model is given; `None` where there are none.
pub fn instructions(files: &[Loaded], home: &str) -> Option<Span> {
    let told: Vec<String> = files.iter().map(|file| loaded(file, home)).collect();
    let line = || format!("instructions: {}", told.join(", "));
    (!told.is_empty()).then(|| span(line(), Style::Dim))
}

/// An instruction file, and how much of it is given.
pub fn loaded(file: &Loaded, home: &str) -> String {
    let path = words(&short_path(&file.path, home));
    match file.bytes == file.of {
        true => format!("{path} ({} bytes)", file.of),
        false => format!("{path} ({} of {} bytes)", file.bytes, file.of),
    }
}

/// A path below the home directory as a shell writes it.
fn short_path(path: &str, home: &str) -> String {
    match path.strip_prefix(home) {
        Some(rest) if home.len() > 1 && (rest.is_empty() || rest.starts_with('/')) => {
            format!("~{rest}")
        }
        _ => path.to_owned(),
    }
}

/// What a call is about: its name, and the one argument that a person would look at.
pub fn call(call: &ToolCall) -> String {
    format!("{} {}", words(&call.name), words(&subject(call)))
        .trim_end()
        .to_owned()
}

/// The arguments that say what a call is about, the most telling first.
const SUBJECTS: &[&str] = &["command", "path", "pattern", "url", "patch"];

fn subject(call: &ToolCall) -> String {
    let text = call.arguments.as_str();
    let arguments = match call.kind {
        CallKind::Function => serde_json::from_str(text).unwrap_or_default(),
        CallKind::Freeform => Value::Null,
    };
    let Value::Object(arguments) = arguments else {
        return files_of_patch(text).unwrap_or_else(|| text.to_owned());
    };
    let known = SUBJECTS
        .iter()
        .find_map(|name| arguments.get(*name)?.as_str());
    let subject = known.or_else(|| arguments.values().find_map(Value::as_str));
    let subject = subject.unwrap_or_default();
    files_of_patch(subject).unwrap_or_else(|| subject.to_owned())
}

/// The files that an apply_patch document names.
fn files_of_patch(patch: &str) -> Option<String> {
    if !patch.trim_start().starts_with("*** ") {
        return None;
    }
    let marked = patch.lines().filter_map(|line| line.strip_prefix("*** "));
    let files = marked.filter_map(|line| line.split_once(" File: "));
    let files: Vec<&str> = files.map(|(_, file)| file).collect();
    Some(files.join(" "))
}

/// The one line of a call that has its answer, in at most `columns` where that is possible.
pub fn outcome(outcome: &Outcome<'_>, columns: usize, marks: Marks) -> Vec<Span> {
    let result = result(outcome, marks);
    let bullet_columns = width::columns(marks.bullet) + 1;
    let room = columns.saturating_sub(width::columns(&result) + 2 + bullet_columns);
    let call = call(outcome.call);
    let call = width::fit(&call, room.max(CALL_COLUMNS_MIN), marks.cut);
    let used = bullet_columns + width::columns(&call);
    let is_aligned =
        used + 2 <= OUTCOME_COLUMN && OUTCOME_COLUMN + width::columns(&result) <= columns;
    let gap = if is_aligned { OUTCOME_COLUMN - used } else { 2 };
    let style = if outcome.ok { Style::Plain } else { Style::Red };
    let (name, rest) = call.split_once(' ').unwrap_or((&call, ""));
    vec![
        span(format!("{} ", marks.bullet), style),
        span(name, Style::Bold),
        span(if rest.is_empty() { "" } else { " " }, Style::Plain),
        span(rest, Style::Plain),
        span(" ".repeat(gap), Style::Plain),
        span(result, style),
    ]
}

/// How it went: `exit 101 · 6.2 s · 214 lines, all in spill/3.txt`.
fn result(outcome: &Outcome<'_>, marks: Marks) -> String {
    let summary = words(outcome.summary);
    // Tools part the facts of a summary as we do.
    let mut told = summary.split(Marks::UNICODE.separator).map(str::to_owned);
    let mut facts = vec![state(outcome, told.next().unwrap_or_default())];
    if outcome.took >= TIME_SHOWN_MIN {
        facts.push(Spoken(outcome.took).to_string());
    }
    facts.extend(told);
    let mut result = marks.join(&facts);
    if let Some(spill) = outcome.spill {
        result.push_str(&format!(", all in {}", words(spill)));
    }
    result
}

/// The first fact of an outcome, which must say whether it was good.
fn state(outcome: &Outcome<'_>, told: String) -> String {
    match (outcome.ok, outcome.exit, told.is_empty()) {
        (true, _, true) => "done".to_owned(),
        (false, Some(exit), true) => format!("exit {exit}"),
        (false, None, true) => "failed".to_owned(),
        (false, None, false) => format!("failed: {told}"),
        // An exit status says it by itself.
        (true, _, false) | (false, Some(_), false) => told,
    }
}

/// The lines under a call: a diff, the last lines of a failure.
pub fn details(detail: &str, columns: usize, marks: Marks) -> Vec<Span> {
    const INDENT: &str = "    ";
    let room = columns.saturating_sub(INDENT.len()).max(CALL_COLUMNS_MIN);
    let mut lines = detail.lines();
    let shown = lines.by_ref().take(DETAIL_LINES_MAX).map(|line| {
        let line = text::harmless(line);
        let line = width::fit(&line, room, marks.cut);
        span(format!("{INDENT}{line}").trim_end(), Style::Dim)
    });
    let mut details: Vec<Span> = shown.collect();
    let more = lines.count();
    if more > 0 {
        let text = format!("{INDENT}{} {more} more lines", marks.cut);
        details.push(span(text, Style::Dim));
    }
    details
}

/// A question to the person, what they may choose, and how.
pub fn question(question: &str, choices: &[String]) -> Vec<Span> {
    let harmless = text::harmless(question.trim_end());
    let mut lines: Vec<Span> = harmless
        .lines()
        .map(|line| span(format!("  {line}").trim_end(), Style::Bold))
        .collect();
    for (number, choice) in (1..).zip(choices) {
        let line = format!("    {number}  {}", words(choice));
        lines.push(span(line, Style::Plain));
    }
    lines.push(span(
        match choices.is_empty() {
            true => "  answer in a line; Ctrl-C ends the turn",
            false => "  answer with a number or in your own words; Ctrl-C ends the turn",
        },
        Style::Dim,
    ));
    lines
}

/// What the service does by itself.
pub fn search(query: &str) -> String {
    match words(query) {
        query if query.is_empty() => "  the service searches the web".to_string(),
        query => format!("  the service searches the web: {query}"),
    }
}

/// `[1] A title: https://example.org/`
pub fn link(n: usize, link: &Link) -> String {
    let (title, url) = (words(&link.title), words(&link.url));
    match title.is_empty() || title == url {
        true => format!("  [{n}] {url}"),
        false => format!("  [{n}] {title}: {url}"),
    }
}

/// Why nothing comes for a while.
pub fn compacting(cause: Cause) -> String {
    let why = match cause {
        Cause::Full => "the model's window is nearly full",
        Cause::Overflow => "the conversation is too long for the model",
        Cause::Asked => "as you wish",
    };
    format!("  {why}: the conversation is being summed up")
}

/// What a run took: `4 calls · 12.1k in, 91 % cached · 640 out · context 8 % · 5 h window 12 %`.
pub fn usage(calls: u32, usage: Usage, last: Option<&Consumption>, marks: Marks) -> Span {
    let mut facts = Vec::new();
    match calls {
        0 => {}
        1 => facts.push("1 call".to_owned()),
        _ => facts.push(format!("{calls} calls")),
    }
    let mut input = format!("{} in", short_number(usage.input));
    if let Some(cached) = percent(usage.cached, usage.input) {
        input.push_str(&format!(", {cached} % cached"));
    }
    facts.push(input);
    facts.push(format!("{} out", short_number(usage.output)));
    if let Some(last) = last {
        facts.push(match percent(last.context, last.window) {
            Some(share) => format!("context {share} %"),
            None => format!("context {} tokens", short_number(last.context)),
        });
        facts.extend(last.limits.iter().map(allowance));
    }
    span(format!("  {}", marks.join(&facts)), Style::Dim)
}

fn allowance(limit: &Limit) -> String {
    let (length, unit) = match limit.window_s {
        s if s > 0 && s.is_multiple_of(86_400) => (s / 86_400, "d"),
        s if s > 0 && s.is_multiple_of(3_600) => (s / 3_600, "h"),
        s => (s / 60, "m"),
    };
    format!("{length} {unit} window {:.0} %", limit.used_percent)
}

/// The share in whole percent; `None` of nothing.
pub fn percent(part: u64, whole: u64) -> Option<u64> {
    let percent = u128::from(part) * 100 / u128::from(whole).max(1);
    (whole > 0).then(|| u64::try_from(percent).unwrap_or(u64::MAX))
}

/// `640`, `12.1k`, `1.2M`: rounded down.
pub fn short_number(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{}.{}k", number / 1_000, number % 1_000 / 100),
        _ => format!("{}.{}M", number / 1_000_000, number % 1_000_000 / 100_000),
    }
}

/// A wait that is longer than a person sits for: `2 d 3 h`, `2 h 5 m`, `40 s`.
pub fn long_wait(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} m", seconds / 60),
        3_600..86_400 => format!("{} h {} m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests;
