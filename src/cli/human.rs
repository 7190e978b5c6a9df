//! The face for people: appended lines, nothing repainted, data and talk on the right streams.
//!
//! `exec` puts the last message of the model on standard output and everything else on standard
//! error; where a person watches standard output, the text is streamed there instead, and not said
//! twice. An interactive session has one stream for all. The prompt is not ours, and neither are
//! the words of the lines: those are in [`lines`].

pub mod lines;

use crate::agent::event::Consumption;
use crate::agent::event::Ending;
use crate::agent::event::Event;
use crate::agent::event::Face;
use crate::agent::event::Outcome;
use crate::agent::event::Status;
use crate::base::clock;
use crate::base::clock::Spoken;
use crate::base::text;
use crate::chat::ToolCall;
use crate::chat::delta::Link;
use crate::cli::human::lines::Marks;
use crate::cli::human::lines::Span;
use crate::cli::human::lines::span;
use crate::term::style::Palette;
use crate::term::style::Style;
use std::io;
use std::io::Write;
use std::time::Duration;

/// Who is listening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One task; the caller wants its answer on standard output.
    Exec,
    /// A conversation; a person reads all of it on standard output.
    Interactive,
}

/// What this face needs to know of its streams and its reader.
pub struct Options {
    /// Standard output.
    pub out: Box<dyn Write>,
    /// Standard error.
    pub err: Box<dyn Write>,
    /// Who is listening.
    pub mode: Mode,
    /// Only answers and errors.
    pub quiet: bool,
    /// Also what is usually of no interest.
    pub verbose: bool,
    /// Whether the stream that talk goes to takes styles.
    pub color: Palette,
    /// Whether it takes more than ASCII.
    pub unicode: bool,
    /// Its width.
    pub columns: usize,
    /// Standard output is a terminal: text is streamed to it, and made harmless.
    pub stream_to_out: bool,
    /// The person's home directory, so that paths below it are short; empty if there is none.
    pub home: String,
}

/// Shows a run to a person.
pub struct Human {
    options: Options,
    marks: Marks,
    /// Who is in the middle of a line.
    speaking: Option<Voice>,
    /// Whether the last thing streamed ended its line.
    is_line_ended: bool,
    answer: Answer,
    /// Text of this run was streamed, so that its last message is on the screen already.
    has_streamed_text: bool,
    /// The line that Ctrl-C broke has been ended.
    is_echo_ended: bool,
    calls: u32,
    last: Option<Consumption>,
}

/// What was shown of the answer that is being written.
#[derive(Default)]
struct Answer {
    /// Deltas of the text block that is not whole yet were streamed.
    text_streamed: bool,
    /// The same for a thinking summary.
    thinking_streamed: bool,
    /// Whole text blocks that wait: they are the last message, or else talk.
    held: Vec<String>,
    /// Any of it was shown or held.
    is_begun: bool,
}

/// Whose words are streamed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Voice {
    Text,
    Thinking,
}

/// Where something is written.
#[derive(Clone, Copy)]
enum Stream {
    Out,
    Err,
}

impl Human {
    /// Shows runs as `options` say.
    pub fn new(options: Options) -> Human {
        let marks = if options.unicode {
            Marks::UNICODE
        } else {
            Marks::ASCII
        };
        Human {
            options,
            marks,
            speaking: None,
            is_line_ended: true,
            answer: Answer::default(),
            has_streamed_text: false,
            is_echo_ended: false,
            calls: 0,
            last: None,
        }
    }

    /// Says how to come back to a session that is being left.
    pub fn leave(&mut self, session: &str) -> io::Result<()> {
        if session.is_empty() {
            return Ok(());
        }
        let line = format!("resume: sx resume {}", lines::words(session));
        self.tell(&[span(line, Style::Plain)])
    }

    /// Whether text is shown as it comes, rather than when it is known to be the last.
    fn streams(&self) -> bool {
        match self.options.mode {
            Mode::Interactive => true,
            Mode::Exec => self.options.stream_to_out && !self.options.quiet,
        }
    }

    /// Where everything goes that is not an answer.
    fn talk(&self) -> Stream {
        match self.options.mode {
            Mode::Interactive => Stream::Out,
            Mode::Exec => Stream::Err,
        }
    }

    /// Writes a line that a person must see.
    fn tell(&mut self, spans: &[Span]) -> io::Result<()> {
        self.end_line()?;
        let line = lines::render(spans, self.options.color);
        self.write(self.talk(), &line)
    }

    /// Writes a line of progress, unless nobody wants it.
    fn note(&mut self, spans: &[Span]) -> io::Result<()> {
        if self.options.quiet {
            return Ok(());
        }
        self.tell(spans)
    }

    fn note_dim(&mut self, text: String) -> io::Result<()> {
        self.note(&[span(text, Style::Dim)])
    }

    /// Writes more of what a voice says.
    fn stream(&mut self, voice: Voice, text: &str) -> io::Result<()> {
        let is_new = self.speaking != Some(voice);
        // A new voice begins on a line of its own, so empty lines before its words are lost.
        let text = if is_new {
            text.trim_start_matches('\n')
        } else {
            text
        };
        if text.is_empty() {
            return Ok(());
        }
        if is_new {
            self.end_line()?;
        }
        let starts_line = !is_new && self.is_line_ended;
        self.speaking = Some(voice);
        self.is_line_ended = text.ends_with('\n');
        self.answer.is_begun = true;
        let text = text::harmless(text);
        match voice {
            Voice::Text => {
                self.answer.text_streamed = true;
                self.has_streamed_text = true;
                self.write(Stream::Out, &text)
            }
            Voice::Thinking => {
                self.answer.thinking_streamed = true;
                let label = if is_new { "  thinking: " } else { "" };
                let words = format!("{label}{}", indent(&text, starts_line));
                let painted = Style::Dim.paint(&words, self.options.color);
                self.write(self.talk(), &painted)
            }
        }
    }

    /// Ends the line that a voice is in the middle of.
    fn end_line(&mut self) -> io::Result<()> {
        let stream = match self.speaking.take() {
            None => return Ok(()),
            Some(Voice::Text) => Stream::Out,
            Some(Voice::Thinking) => self.talk(),
        };
        if !std::mem::replace(&mut self.is_line_ended, true) {
            self.write(stream, "\n")?;
        }
        Ok(())
    }

    /// Ends the line into which the person's terminal wrote `^C`, once a run.
    fn end_echo(&mut self) -> io::Result<()> {
        let is_ended = std::mem::replace(&mut self.is_echo_ended, true);
        if is_ended || self.options.mode != Mode::Interactive {
            return Ok(());
        }
        self.speaking = None;
        self.is_line_ended = true;
        self.write(self.talk(), "\n")
    }

    /// Shows the text blocks that turned out not to be the last message.
    fn release_held(&mut self) -> io::Result<()> {
        for text in std::mem::take(&mut self.answer.held) {
            let text = text::harmless(&text).into_owned();
            self.note(&[span(text, Style::Plain)])?;
        }
        Ok(())
    }

    fn write(&mut self, stream: Stream, text: &str) -> io::Result<()> {
        match stream {
            Stream::Out => {
                self.options.out.write_all(text.as_bytes())?;
                self.options.out.flush()
            }
            Stream::Err => {
                // Talk that nobody can read is no reason to lose the answer.
                let err = &mut self.options.err;
                let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
                Ok(())
            }
        }
    }

    fn text_is_whole(&mut self, text: &str) -> io::Result<()> {
        let is_shown = std::mem::take(&mut self.answer.text_streamed);
        if self.streams() {
            if !is_shown {
                self.stream(Voice::Text, text)?;
            }
            return self.end_line();
        }
        if !text.is_empty() {
            self.answer.is_begun = true;
            self.answer.held.push(text.to_owned());
        }
        Ok(())
    }

    fn thinking_is_whole(&mut self, text: &str) -> io::Result<()> {
        let is_shown = std::mem::take(&mut self.answer.thinking_streamed);
        if !is_shown && !self.options.quiet {
            self.stream(Voice::Thinking, text)?;
        }
        self.end_line()
    }

    fn call(&mut self, call: &ToolCall) -> io::Result<()> {
        self.calls = self.calls.saturating_add(1);
        self.release_held()?;
        if self.options.verbose {
            self.note_dim(format!("  starting {}", lines::call(call)))?;
        }
        self.end_line()
    }

    fn usage(&mut self, consumption: &Consumption) -> io::Result<()> {
        self.last = Some(consumption.clone());
        if self.options.verbose {
            let usage = consumption.usage;
            self.note(&[lines::usage(0, usage, Some(consumption), self.marks)])?;
        }
        Ok(())
    }

    fn result(&mut self, outcome: &Outcome<'_>) -> io::Result<()> {
        if !outcome.ok && outcome.summary.starts_with("cancelled") {
            self.end_echo()?;
        }
        let columns = self.options.columns;
        self.note(&lines::outcome(outcome, columns, self.marks))?;
        for line in lines::details(outcome.detail, columns, self.marks) {
            self.note(&[line])?;
        }
        Ok(())
    }

    /// Asks, also where little is said otherwise, and leaves the cursor where the answer goes.
    fn question(&mut self, question: &str, choices: &[String]) -> io::Result<()> {
        for line in lines::question(question, choices) {
            self.tell(&[line])?;
        }
        self.write(self.talk(), "? ")
    }

    fn retry(&mut self, attempt: u32, wait: Duration, reason: &str) -> io::Result<()> {
        let (wait, reason) = (Spoken(wait), lines::words(reason));
        self.note_dim(if self.options.verbose {
            format!("  try {attempt} failed; trying again in {wait}: {reason}")
        } else {
            format!("  trying again in {wait}: {reason}")
        })
    }

    /// The pages that an answer rests on, under it.
    fn links(&mut self, links: &[Link]) -> io::Result<()> {
        for (n, link) in (1..).zip(links) {
            self.note_dim(lines::link(n, link))?;
        }
        Ok(())
    }

    fn compacted(&mut self, before: usize, after: usize, summary: Option<&str>) -> io::Result<()> {
        if self.options.verbose {
            for line in summary.unwrap_or_default().lines() {
                self.note_dim(format!("  | {}", lines::words(line)))?;
            }
        }
        let how = match summary {
            Some(_) => "a summary stands for the past",
            None => "long results were cut",
        };
        self.note_dim(format!("  {how}: {before} messages became {after}"))
    }

    fn discarded(&mut self) -> io::Result<()> {
        let answer = std::mem::take(&mut self.answer);
        self.end_line()?;
        if answer.is_begun {
            self.note_dim("  the answer so far is void; it comes anew".to_owned())?;
        }
        Ok(())
    }

    /// Puts the last message where the caller looks for it.
    fn last_message(&mut self, text: &str) -> io::Result<()> {
        self.end_line()?;
        if text.is_empty() {
            return self.release_held();
        }
        // It is the last message, which is shown now.
        self.answer.held.clear();
        if self.has_streamed_text {
            return Ok(());
        }
        let line = format!("{text}\n");
        let is_terminal = self.options.stream_to_out || self.options.mode == Mode::Interactive;
        if is_terminal {
            self.write(Stream::Out, &text::harmless(&line))
        } else {
            self.write(Stream::Out, &line)
        }
    }

    /// Says what a person must know about an end that is not simply good.
    fn trouble(&mut self, ending: &Ending) -> io::Result<()> {
        let is_wished =
            ending.status == Status::Cancelled && self.options.mode == Mode::Interactive;
        match problem(ending) {
            Some(stop) if is_wished => self.tell(&[span(format!("  {stop}"), Style::Plain)])?,
            Some(error) => self.tell(&[span(format!("sx: {error}"), Style::Red)])?,
            None => {}
        }
        if let Some(hint) = hint(ending, clock::unix_seconds()) {
            self.tell(&[span(format!("hint: {hint}"), Style::Plain)])?;
        }
        let is_whole = matches!(ending.status, Status::Done | Status::Refused);
        if self.options.mode == Mode::Exec && !is_whole {
            self.leave(&ending.session)?;
        }
        Ok(())
    }
}

impl Face for Human {
    fn show(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::Opening(opening) => {
                let line = lines::opening(opening, &self.options.home, self.marks);
                self.note(&[line])?;
                let home = &self.options.home;
                match lines::instructions(&opening.instructions, home) {
                    Some(line) => self.note(&[line]),
                    None => Ok(()),
                }
            }
            Event::Turn { .. } => {
                self.release_held()?;
                self.answer = Answer::default();
                self.end_line()
            }
            Event::TextDelta(text) if self.streams() => self.stream(Voice::Text, text),
            Event::ThinkingDelta(text) if self.streams() && !self.options.quiet => {
                self.stream(Voice::Thinking, text)
            }
            Event::TextDelta(_) | Event::ThinkingDelta(_) => Ok(()),
            Event::Text(text) => self.text_is_whole(text),
            Event::Thinking(text) => self.thinking_is_whole(text),
            Event::Search(query) => self.note_dim(lines::search(query)),
            Event::Links(links) => self.links(links),
            Event::Call(call) => self.call(call),
            // What a command prints is in its result; the last lines of a failure stand under it.
            Event::Output { .. } => Ok(()),
            Event::Question { question, choices } => self.question(question, choices),
            Event::Result(outcome) => self.result(outcome),
            Event::Usage(consumption) => self.usage(consumption),
            Event::Retry {
                attempt,
                wait,
                reason,
            } => self.retry(*attempt, *wait, reason),
            Event::Compacting(cause) => self.note_dim(lines::compacting(*cause)),
            Event::Compacted {
                before,
                after,
                summary,
                ..
            } => self.compacted(*before, *after, *summary),
            Event::Discarded => self.discarded(),
            Event::Note(note) => self.note_dim(format!("  note: {}", lines::words(note))),
            Event::Warning(warning) => {
                let line = format!("warning: {}", lines::words(warning));
                self.note(&[span(line, Style::Plain)])
            }
        }
    }

    fn end(&mut self, ending: &Ending) -> io::Result<()> {
        if ending.status == Status::Cancelled {
            self.end_echo()?;
        }
        self.last_message(&ending.text)?;
        if ending.turns > 0 {
            let last = self.last.as_ref();
            let line = lines::usage(self.calls, ending.usage, last, self.marks);
            self.note(&[line])?;
        }
        self.answer = Answer::default();
        self.has_streamed_text = false;
        self.is_echo_ended = false;
        self.calls = 0;
        self.trouble(ending)
    }
}

/// Indents every line that has words; `starts_line` says whether the first one begins here.
fn indent(text: &str, starts_line: bool) -> String {
    let mut indented = String::with_capacity(text.len() + 2);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if (starts_line || number > 0) && line != "\n" {
            indented.push_str("  ");
        }
        indented.push_str(line);
    }
    indented
}

/// What went wrong, in one line; `None` if nothing did.
fn problem(ending: &Ending) -> Option<String> {
    if let Some(error) = &ending.error {
        return Some(lines::words(error));
    }
    match &ending.status {
        Status::Done => None,
        Status::Refused => Some("done, but calls were refused".to_owned()),
        Status::Failed => Some("the run failed".to_owned()),
        Status::Quota { .. } => Some("the account's allowance is spent".to_owned()),
        Status::Limit(name) => Some(format!("stopped by {name}")),
        Status::Cancelled => Some("cancelled".to_owned()),
    }
}

/// What to do about it, in one line. `now` is in unix seconds.
fn hint(ending: &Ending, now: u64) -> Option<String> {
    if let Some(hint) = &ending.hint {
        return Some(lines::words(hint));
    }
    match ending.status {
        Status::Quota {
            resets_at: Some(at),
        } => {
            let wait = lines::long_wait(at.saturating_sub(now));
            Some(format!("the allowance is there again in {wait}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
