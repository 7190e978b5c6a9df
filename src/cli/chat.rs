//! `sx`: a conversation with a person, line by line, on a plain terminal.
//!
//! The terminal stays in its own (cooked) mode: it does the editing, we append lines. What is
//! typed while the model works steers its next request. Ctrl-C ends the turn; twice at the prompt,
//! or Ctrl-D, it ends the session.

mod context;
mod switch;

use crate::agent::Agent;
use crate::agent::Outcome;
use crate::agent::event::Cause;
use crate::agent::failure::Failure;
use crate::base::clock::Deadline;
use crate::base::text;
use crate::chat::Message;
use crate::chat::Part;
use crate::cli::args::Chat;
use crate::cli::build;
use crate::cli::build::Reader;
use crate::cli::build::Wishes;
use crate::cli::ending;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::gateway;
use crate::cli::gateway::Manner;
use crate::cli::ground::Ground;
use crate::cli::human;
use crate::cli::images;
use crate::cli::input::Input;
use crate::cli::screen;
use crate::cli::stop;
use crate::cli::trust;
use crate::sys::signals::Signal;
use crate::term::lines;
use crate::term::lines::Lines;
use crate::term::writer;
use std::io;
use std::io::IsTerminal;
use std::io::Write;
use std::mem;
use std::time::Duration;

/// Of an earlier message, enough to know it again.
const WORDS_CHARS_SHOWN: usize = 60;

/// What the person is told at `/help`.
const HELP: &str = "  /help      this page
  /context   what the model is given, and how full its window is
  /use N     go on with the profile N; /profile N also keeps it
  /compact   sum up the conversation so far, so that it takes less
  /exit      leave (also Ctrl-D, or Ctrl-C twice)
  Type while the model works to steer its next step. Ctrl-C ends the turn.
  End a line with \\ to go on in the next. `sx help` is the manual.
";

/// Of a line that was typed ahead, enough to know it again.
const ECHO_CHARS_MAX: usize = 400;

/// What the person is told whose line was longer than a terminal lets through.
const CUT: &str = "  not sent: the terminal cut a line off after 4095 bytes
  put long text into a file and name it here, or use `sx exec -f FILE`
";

/// Lines that come within this time of each other were pasted together: nobody types so fast, and
/// a terminal hands a paste over line by line.
const PASTE_PAUSE: Duration = Duration::from_millis(10);

/// What a line at the prompt asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked<'a> {
    /// Something to say to the model.
    Prompt(&'a str),
    /// The help.
    Help,
    /// What the model is given.
    Context,
    /// Which profiles there are.
    Profiles,
    /// Another profile.
    Switch {
        /// Which.
        name: &'a str,
        /// Whether for later runs too.
        is_kept: bool,
    },
    /// A shorter conversation.
    Compact,
    /// The end of the session.
    Exit,
    /// A command that there is not.
    Unknown(&'a str),
    /// Nothing.
    Nothing,
}

/// Talks until the person leaves.
pub fn run(ground: Ground, options: &Chat) -> Result<Exit, Fault> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        let what = "sx without a command talks with a person and needs a terminal";
        return Err(Fault::new(Exit::Usage, what).hint("`sx exec PROMPT` runs a task without one"));
    }
    let signals = stop::signals()?;
    let input = Input {
        signals: &signals,
        deadline: Deadline::never(),
    };
    let mut ground = match ground.is_quiet {
        true => ground,
        false => trust::ask(ground, &input)?,
    };
    let images = images::read(&options.talk.images, &input)?;
    let gateway = gateway::find(&ground, &input, Manner::Ask)?;
    let mut agent = build::agent(
        &ground,
        Wishes {
            talk: &options.talk,
            face: screen::for_chat(&ground)?,
            reader: Reader::Person,
            signals,
            deadline: Deadline::never(),
            schema: None,
            gateway,
        },
    )?;
    let typed = Lines::of_stdin().map_err(|error| Fault::new(Exit::Fault, error))?;
    agent.desk.typed = Some(typed);
    let earlier = earlier(&agent);
    let exit = match agent.open() {
        Ok(()) => earlier
            .filter(|_| !ground.is_quiet)
            .map_or(Ok(()), |note| say(&note))
            .and_then(|()| talk(&mut agent, &mut ground, options.prompt.clone(), images)),
        Err(failure) => Err(failure),
    };
    let exit = exit.unwrap_or_else(|failure| leave(&mut agent, failure));
    let session = ending::session_of(&agent);
    // A terminal that was given up would be waited for once more.
    if !session.is_empty() && exit != Exit::Output {
        // The terminal may be what went away; the code says it all the same.
        let profile = switch::for_this_run(&ground);
        let _ = say(&format!("resume: sx resume {session}{profile}\n"));
    }
    Ok(exit)
}

/// Where a conversation that goes on was left; nothing for one that begins.
fn earlier(agent: &Agent) -> Option<String> {
    let mut asked = agent.history.iter().filter_map(|message| match message {
        Message::User(parts) => Some(parts),
        _ => None,
    });
    let count = asked.clone().count();
    let words = asked.next_back()?.iter().find_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        Part::Image(_) => None,
    });
    let words = human::lines::words(words.unwrap_or("(a picture)"));
    let words = text::ellipsis(&words, WORDS_CHARS_SHOWN);
    Some(match count {
        1 => format!("  going on after: {words}\n"),
        _ => format!("  going on after {count} messages, the last one: {words}\n"),
    })
}

/// Prompt by prompt. Ends with an error when something ends the whole session.
fn talk(
    agent: &mut Agent,
    ground: &mut Ground,
    first: Option<String>,
    mut images: Vec<Part>,
) -> Result<Exit, Failure> {
    let mut next = first;
    let typed = ground.overrides.clone();
    loop {
        let text = match next.take() {
            Some(text) => text,
            None => match read_prompt(agent)? {
                Some(text) => text,
                None => return Ok(Exit::Done),
            },
        };
        match understand(&text) {
            Asked::Nothing => {}
            Asked::Exit => return Ok(Exit::Done),
            Asked::Help => say(HELP)?,
            Asked::Profiles => say(&switch::list(ground))?,
            Asked::Switch { name, is_kept } => {
                switch::switch(agent, ground, &typed, name, is_kept)?;
            }
            Asked::Context => say(&context::words(agent, &ground.home()))?,
            Asked::Compact => compact(agent)?,
            Asked::Unknown(word) => say(&match understand(word) {
                Asked::Unknown(_) => format!("  there is no {word}; /help lists what there is\n"),
                _ => format!("  {word} takes nothing behind it\n"),
            })?,
            Asked::Prompt(text) => {
                let mut prompt = mem::take(&mut images);
                prompt.push(Part::Text(text.to_string()));
                take_turn(agent, prompt)?;
            }
        }
    }
}

/// One prompt and all that comes of it. Only what ends the whole session is an error.
fn take_turn(agent: &mut Agent, prompt: Vec<Part>) -> Result<(), Failure> {
    let outcome = agent.run(prompt);
    let is_last = outcome.failure.as_ref().is_some_and(ends_session);
    if is_last && let Some(failure) = outcome.failure {
        return Err(failure);
    }
    show_end(agent, outcome)
}

fn show_end(agent: &mut Agent, outcome: Outcome) -> Result<(), Failure> {
    let exit = ending::exit_of(&outcome);
    let ending = ending::of_outcome(outcome, exit, agent);
    agent.face.end(&ending).map_err(Failure::Output)
}

/// Sums up the conversation. Only what ends the whole session is an error.
fn compact(agent: &mut Agent) -> Result<(), Failure> {
    match agent.compact(Cause::Asked) {
        Ok(true) => Ok(()),
        Ok(false) => say("  there is nothing that a summary makes shorter\n"),
        Err(failure) if ends_session(&failure) => Err(failure),
        Err(failure) => show_end(agent, Outcome::of_failure(failure)),
    }
}

/// Whether there is no point in another prompt.
fn ends_session(failure: &Failure) -> bool {
    match failure {
        Failure::Signal(signal) => *signal != Signal::SIGINT as i32,
        Failure::Output(_) | Failure::Hands(_) | Failure::Wait(_) => true,
        _ => false,
    }
}

/// The last words of a session that something ended.
fn leave(agent: &mut Agent, failure: Failure) -> Exit {
    agent.desk.hurry(&failure);
    let outcome = Outcome::of_failure(failure);
    let exit = ending::exit_of(&outcome);
    let ending = ending::of_outcome(outcome, exit, agent);
    // The terminal may be what went away; the code says it all the same.
    let _ = agent.face.end(&ending);
    exit
}

/// What the person types at the prompt, pasted lines together; `None` when they leave.
fn read_prompt(agent: &mut Agent) -> Result<Option<String>, Failure> {
    catch_up(agent)?;
    agent.warm();
    say("> ")?;
    let mut typed_ahead = waiting(agent);
    let mut prompt = Prompt::default();
    let mut is_warned = false;
    loop {
        if let Some(line) = next_line(agent) {
            if typed_ahead > 0 {
                // The terminal showed it in the midst of the answer, where nobody looks for it.
                typed_ahead -= 1;
                let shown = text::ellipsis(&line, ECHO_CHARS_MAX);
                say(&format!("{}\n", text::harmless(&shown)))?;
            }
            if prompt.text.is_empty() && is_command(&line) {
                return Ok(Some(line));
            }
            if prompt.goes_on_after(&line) || more_is_coming(agent)? {
                continue;
            }
            let prompt = mem::take(&mut prompt);
            if !prompt.is_cut {
                return Ok(Some(prompt.text));
            }
            say(CUT)?;
            say("> ")?;
            continue;
        }
        if agent.desk.typed.as_ref().is_none_or(Lines::is_over) {
            say("\n")?;
            return Ok(Some(prompt.text).filter(|text| !text.trim().is_empty()));
        }
        match agent.desk.wait(None, Deadline::never()) {
            Ok(()) => {}
            Err(failure) if ends_session(&failure) => return Err(failure),
            Err(_) if is_warned => {
                say("\n")?;
                return Ok(None);
            }
            Err(_) => {
                is_warned = true;
                prompt = Prompt::default();
                say("\n  Ctrl-C again, or Ctrl-D, leaves\n> ")?;
            }
        }
    }
}

/// Takes note of what was typed until now. A Ctrl-C that came too late for the turn before has
/// nothing left to stop.
fn catch_up(agent: &mut Agent) -> Result<(), Failure> {
    let now = Deadline::after(Duration::ZERO, "PASTE_PAUSE");
    match agent.desk.wait(None, now) {
        Err(failure) if ends_session(&failure) => Err(failure),
        _ => Ok(()),
    }
}

/// What is typed for one prompt, line by line.
#[derive(Default)]
struct Prompt {
    text: String,
    /// The terminal dropped the end of a line.
    is_cut: bool,
    /// The last line said that there is a next one.
    is_open: bool,
}

impl Prompt {
    /// Takes a line; whether it says itself that it is not the last one.
    fn goes_on_after(&mut self, line: &str) -> bool {
        if !self.text.is_empty() || self.is_open {
            self.text.push('\n');
        }
        let begun = line.strip_suffix('\\');
        self.text.push_str(begun.unwrap_or(line));
        self.is_cut |= lines::is_cut(line);
        self.is_open = begun.is_some();
        self.is_open
    }
}

/// How many lines were typed and not taken yet.
fn waiting(agent: &Agent) -> usize {
    agent.desk.typed.as_ref().map_or(0, Lines::waiting)
}

fn next_line(agent: &mut Agent) -> Option<String> {
    agent.desk.typed.as_mut()?.take_line()
}

/// Whether the line before was part of a paste that goes on.
fn more_is_coming(agent: &mut Agent) -> Result<bool, Failure> {
    let pause = Deadline::after(PASTE_PAUSE, "PASTE_PAUSE");
    let has_line = |agent: &Agent| waiting(agent) > 0;
    while !has_line(agent) && !pause.is_over() {
        if agent.desk.typed.as_ref().is_none_or(Lines::is_over) {
            break;
        }
        agent.desk.wait(None, pause)?;
    }
    Ok(has_line(agent))
}

/// Whether a line is for us, whatever follows it.
fn is_command(line: &str) -> bool {
    !matches!(
        understand(line),
        Asked::Prompt(_) | Asked::Unknown(_) | Asked::Nothing
    )
}

/// A line that begins with a slash and has no other one is a command; a path is not.
fn understand(text: &str) -> Asked<'_> {
    let text = text.trim();
    match text {
        "" => Asked::Nothing,
        "/help" | "/?" => Asked::Help,
        "/context" => Asked::Context,
        "/compact" => Asked::Compact,
        "/exit" | "/quit" => Asked::Exit,
        _ => {
            let mut words = text.split_whitespace();
            let word = words.next().unwrap_or_default();
            if word == "/use" || word == "/profile" {
                let is_kept = word == "/profile";
                return match (words.next(), words.next()) {
                    (Some(name), None) => Asked::Switch { name, is_kept },
                    _ => Asked::Profiles,
                };
            }
            let is_command =
                word.starts_with('/') && !word[1..].contains('/') && !text.contains('\n');
            if is_command {
                Asked::Unknown(word)
            } else {
                Asked::Prompt(text)
            }
        }
    }
}

/// Writes to the terminal beside the face, between two turns.
fn say(text: &str) -> Result<(), Failure> {
    let mut out = writer::stdout().map_err(Failure::Output)?;
    out.write_all(text.as_bytes()).map_err(Failure::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_word_is_a_command_and_a_path_is_not() {
        assert_eq!(understand(" /help "), Asked::Help);
        assert_eq!(understand("/exit"), Asked::Exit);
        assert_eq!(understand("  "), Asked::Nothing);
        let switch = |name, is_kept| Asked::Switch { name, is_kept };
        assert_eq!(understand("/use fast"), switch("fast", false));
        assert_eq!(understand("/profile  -"), switch("-", true));
        assert_eq!(understand("/use"), Asked::Profiles);
        assert_eq!(understand("/use a b"), Asked::Profiles);
        assert_eq!(understand("/modle x"), Asked::Unknown("/modle"));
        assert_eq!(
            understand("/etc/hosts is what?"),
            Asked::Prompt("/etc/hosts is what?")
        );
        assert_eq!(understand("hi\nyou"), Asked::Prompt("hi\nyou"));
    }
}
