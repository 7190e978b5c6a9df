//! The loop that turns a prompt into finished work: ask, run the calls, ask again, until done.
//!
//! One thread, one wait (`desk`). `ask` moves one request and its answer, `calls` runs what the
//! answer wants; both tell a [`event::Face`] what happens. `own` has the tools that need no hands.
//! `turn`, `batch` and `prompt` are pure. `change` goes on with another service. `compact` makes a
//! conversation shorter that does not fit; what it becomes is `shorten`'s, pure too. Printing,
//! settings and exit codes are the floor above; approvals are not here yet.

pub mod adapt;
pub mod ask;
pub mod batch;
pub mod calls;
pub mod change;
pub mod compact;
pub mod desk;
pub mod event;
pub mod failure;
pub mod lookup;
pub mod own;
pub mod prompt;
pub mod repeats;
pub mod retries;
pub mod shorten;
pub mod silence;
pub mod turn;

use crate::agent::desk::Desk;
use crate::agent::event::Event;
use crate::agent::event::Face;
use crate::agent::event::Loaded;
use crate::agent::event::Opening;
use crate::agent::event::Status;
use crate::agent::failure::Failure;
use crate::agent::repeats::Repeats;
use crate::agent::repeats::Verdict;
use crate::auth;
use crate::auth::Why;
use crate::base::clock;
use crate::base::clock::Deadline;
use crate::base::date;
use crate::base::secret::Secret;
use crate::chat::Message;
use crate::chat::Part;
use crate::chat::ToolCall;
use crate::chat::ToolResult;
use crate::chat::delta::Stop;
use crate::chat::delta::Usage;
use crate::chat::tool::ToolSpec;
use crate::hands::instructions::Reader;
use crate::hands::wire::Instructions;
use crate::hands::wire::Ready;
use crate::provider;
use crate::provider::Provider;
use crate::provider::Thinking;
use crate::session;
use crate::session::Entry;
use crate::term::lines::is_cut;
use std::io;
use std::mem;
use std::path::PathBuf;
use std::time::Duration;

/// The hands make themselves ready in a few milliseconds; over ssh it takes a login.
const HANDS_START_MAX: Duration = Duration::from_secs(30);

/// `2026-01-31`, the beginning of a time in RFC 3339.
const DATE_BYTES: usize = 10;

/// What a run needs to know beside the conversation.
pub struct Options {
    /// The model, as it was asked for.
    pub model: String,
    /// How hard it thinks, and whether that is to be seen.
    pub thinking: Thinking,
    /// `MAX_OUTPUT_TOKENS`: tokens that one answer may have, where the user knows better.
    pub output_max: Option<u64>,
    /// The JSON Schema that the last answer must fit.
    pub schema: Option<String>,
    /// The tools on offer.
    pub tools: Vec<ToolSpec>,
    /// `TOOL_WEB_SEARCH`: whether the service may search the web by itself.
    pub search: bool,
    /// `workspace`, `read-only` or `off`, as it is told to the model.
    pub sandbox: String,
    /// Whether commands may use the network.
    pub network: bool,
    /// The secrets among the settings, beside those of the credential.
    pub secrets: Vec<Secret>,
    /// `MAX_TURNS`: requests of one run; 0 is no limit.
    pub turns_max: u32,
    /// `LOOP_MAX`: how often a failing call is repeated until the model is told; 0 is no limit.
    pub loop_max: usize,
    /// `RETRY_MAX`: how often a failed request is sent again.
    pub retries_max: u32,
    /// `RETRY_TOTAL`: how long all waits before one answer may take together.
    pub retry_total: Duration,
    /// Whether to tell what helps whoever looks for a fault.
    pub notes: bool,
    /// `CONTEXT_WINDOW`: tokens, where the user knows better than the provider.
    pub window: Option<u64>,
    /// `COMPACT_AT`: how full the window may get, in percent, before the conversation is made
    /// shorter; 0 waits until the service refuses it.
    pub compact_at: u8,
    /// `INSTRUCTIONS_MAX`: how many bytes of instruction files the model is given.
    pub instructions_max: u64,
    /// The folder where the person's own instruction file may be.
    pub instructions_dir: Option<PathBuf>,
}

/// How a run went.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// What stopped it, unless the work is done.
    pub failure: Option<Failure>,
    /// The model's last words for the person.
    pub text: String,
    /// Requests that were answered.
    pub turns: u32,
    /// Tokens of all answers.
    pub usage: Usage,
}

/// A conversation and everything that carries it on.
pub struct Agent {
    /// The service.
    pub provider: Box<dyn Provider>,
    /// The credential; `None` where none is sent.
    pub source: Option<Box<dyn auth::Source>>,
    /// The descriptors.
    pub desk: Desk,
    /// Who is told.
    pub face: Box<dyn Face>,
    /// The way to pages of the network, if tools have one.
    pub web: Option<own::fetch::Web>,
    /// The session's file, if one is kept.
    pub log: Option<session::log::Log>,
    /// Where exchanges are kept, if they are.
    pub recorder: Option<Box<dyn Record>>,
    /// What to do.
    pub options: Options,
    /// What every request begins with; it stays as it was sent first.
    pub system: String,
    /// What was said so far.
    pub history: Vec<Message>,
    /// What is known of the run before its first request.
    pub opening: Opening,
    /// The name under which the service caches the conversation: the session's id, also where no
    /// file is kept.
    pub cache_key: String,
    /// What was wrong so far and has not been said, since the opening comes first.
    pub warnings: Vec<String>,
    /// What came of it so far; begins empty.
    pub run: Run,
}

/// What an agent keeps track of by itself.
#[derive(Default)]
pub struct Run {
    /// The opening was shown and the surroundings were said.
    is_open: bool,
    /// A request of this process got its answer, so the address and the way there are good.
    has_worked: bool,
    /// How many calls were handed to the hands; each has its number as its name there.
    calls_sent: u64,
    /// Words of an answer that a signal cut off.
    cut_off: Option<Message>,
    /// Tokens of the conversation when they were counted last, and how many messages that was.
    context: Option<(u64, usize)>,
    /// Answers since the conversation was made shorter.
    answers_since_compaction: Option<u32>,
    /// How often in a row it was full again at once.
    in_vain: u32,
    /// Some of an answer that broke was shown, and nobody has said yet that it is void.
    is_answer_shown: bool,
    text: String,
    /// Whether the model goes in circles.
    repeats: Repeats,
    /// Requests of this run that were begun.
    turns: u32,
    /// Requests of this run that were answered.
    answers: u32,
    usage: Usage,
}

/// Keeps the bytes of an exchange.
pub trait Record {
    /// Keeps one; an error is a warning to the person.
    fn exchange(&mut self, request: &[u8], response: &[u8]) -> io::Result<()>;
}

impl Agent {
    /// Works on `prompt` until it is done or something stops it. Whatever happens, the history is
    /// whole afterwards, and the next prompt goes on from there.
    pub fn run(&mut self, prompt: Vec<Part>) -> Outcome {
        self.run.text.clear();
        self.run.turns = 0;
        self.run.repeats = Repeats::default();
        self.run.answers = 0;
        self.run.usage = Usage::default();
        let failure = self.turns(prompt).err();
        if let Some(cut_off) = self.run.cut_off.take() {
            self.remember(cut_off);
        }
        let status = failure.as_ref().map_or(Status::Done, status_of);
        self.write(&Entry::End(session::End {
            status: status.word().to_string(),
        }));
        self.sync();
        Outcome {
            status,
            failure,
            text: mem::take(&mut self.run.text),
            turns: self.run.answers,
            usage: self.run.usage,
        }
    }

    /// The loop itself.
    fn turns(&mut self, prompt: Vec<Part>) -> Result<(), Failure> {
        self.open()?;
        self.remember(Message::User(prompt));
        self.provider.begin_turn();
        let mut was_cut = false;
        loop {
            if self.options.turns_max > 0 && self.run.turns == self.options.turns_max {
                return Err(Failure::Limit("MAX_TURNS"));
            }
            self.run.turns += 1;
            let n = self.run.turns;
            self.show(&Event::Turn { n })?;
            self.compact_when_full()?;
            let reply = self.ask_for_words()?;
            self.run.answers += 1;
            if let Some(answers) = &mut self.run.answers_since_compaction {
                *answers += 1;
            }
            let stop = reply.stop;
            let answer = Message::Assistant(reply.blocks);
            self.run.text = answer.text();
            let calls: Vec<ToolCall> = answer.calls().cloned().collect();
            self.remember(answer);
            if !calls.is_empty() {
                self.warm();
                let since = clock::now();
                let (mut results, ended) = match stop {
                    Some(Stop::Length | Stop::Filter) => self.leave_calls(&calls, stop),
                    _ => self.run_calls(&calls),
                };
                let verdict = self.judge(&calls, &mut results, since.elapsed());
                self.remember(Message::Results(results));
                ended?;
                verdict?;
            }
            self.sync();
            match stop {
                // It is told that its calls did not run, and may make shorter ones.
                Some(Stop::Length) if !calls.is_empty() && !mem::replace(&mut was_cut, true) => {}
                Some(Stop::Length) => return Err(Failure::Cut("it is as long as it may be")),
                Some(Stop::Filter) => return Err(Failure::Cut("its content filter stepped in")),
                Some(Stop::Continue) => was_cut = false,
                Some(Stop::End) | None if calls.is_empty() => return self.warn_of_silence(),
                Some(Stop::End) | None => was_cut = false,
            }
            self.take_steering();
        }
    }

    /// Once, before the first request: waits for the hands, says who works where, and tells the
    /// model its surroundings unless it knows them from before.
    pub fn open(&mut self) -> Result<(), Failure> {
        if self.run.is_open {
            return Ok(());
        }
        self.warm();
        let ready = self.hands_ready()?;
        if let Some(ready) = &ready {
            self.opening.cwd.clone_from(&ready.cwd);
            self.opening.sandbox.clone_from(&ready.sandbox);
        }
        let instructions = self.instructions(ready.as_ref());
        self.opening.instructions = instructions.iter().map(Loaded::of).collect();
        if self.opening.account.is_empty()
            && let Some(token) = self.token(Why::Proactive)?
        {
            self.opening.account = auth::describe(&token);
        }
        if self.options.search && !self.provider.has_search(&self.options.model) {
            self.options.search = false;
            let (name, model) = (self.provider.name(), &self.opening.model);
            self.warnings.push(format!(
                "TOOL_WEB_SEARCH=1: {name} runs no search for {model} beside tools; there is none"
            ));
        }
        let opening = self.opening.clone();
        self.show(&Event::Opening(&opening))?;
        if let Some(ready) = &ready {
            self.warnings.extend(ready.notes.iter().cloned());
        }
        for warning in mem::take(&mut self.warnings) {
            self.show(&Event::Warning(&warning))?;
        }
        for note in self.notes_for_the_model(ready.as_ref(), &instructions) {
            if !self.is_known(&note) {
                self.remember(Message::Context(note));
            }
        }
        self.run.is_open = true;
        Ok(())
    }

    /// There will be a request: its connection is opened while something else is waited for.
    pub fn warm(&mut self) {
        self.desk.client.warm(self.provider.endpoint());
    }

    /// What the hands say of themselves; `None` where there are no tools.
    fn hands_ready(&mut self) -> Result<Option<Ready>, Failure> {
        let deadline = Deadline::after(HANDS_START_MAX, "the start of the hands");
        loop {
            match &self.desk.hands {
                None => return Ok(None),
                Some(hands) => {
                    if let Some(ready) = hands.ready() {
                        return Ok(Some(ready.clone()));
                    }
                }
            }
            if deadline.is_over() {
                let why = "the process that runs the tools did not get ready in 30 s";
                return Err(Failure::Wait(io::Error::new(io::ErrorKind::TimedOut, why)));
            }
            self.desk.wait(None, deadline)?;
        }
    }

    /// The person's own instruction file, and behind it those that the hands found. The nearest
    /// had the room first, so theirs is what is left.
    fn instructions(&mut self, ready: Option<&Ready>) -> Vec<Instructions> {
        let found = ready.map_or(&[][..], |ready| &ready.instructions);
        let most = self.options.instructions_max;
        let used: u64 = found.iter().map(|file| file.used).sum();
        let mut reader = Reader::new(most.saturating_sub(used), most);
        let dir = self.options.instructions_dir.as_deref();
        let own = dir.and_then(|dir| reader.directory(dir));
        self.warnings.extend(reader.notes);
        own.into_iter().chain(found.iter().cloned()).collect()
    }

    fn notes_for_the_model(
        &self,
        ready: Option<&Ready>,
        instructions: &[Instructions],
    ) -> Vec<String> {
        let now = date::rfc3339(clock::unix_seconds());
        let git = ready.and_then(|ready| ready.facts.git.as_ref());
        let surroundings = prompt::Surroundings {
            cwd: &self.opening.cwd,
            os: ready.map_or("unknown", |ready| &ready.facts.os),
            arch: ready.map_or("unknown", |ready| &ready.facts.arch),
            shell: ready.and_then(|ready| ready.shell.as_deref()),
            git: git.map(|git| {
                (
                    git.root.as_str(),
                    git.branch.as_deref().unwrap_or("detached"),
                )
            }),
            date: &now[..DATE_BYTES],
            sandbox: &self.options.sandbox,
            network: self.options.network,
        };
        let mut notes = vec![prompt::surroundings(&surroundings)];
        for file in instructions {
            notes.push(prompt::instructions(&file.path, &file.text));
        }
        notes
    }

    /// Whether the newest note of its kind in the history says the same; the kind is its tag.
    fn is_known(&self, note: &str) -> bool {
        let tag = note.lines().next();
        let newest = self.history.iter().rev().find_map(|message| match message {
            Message::Context(text) if text.lines().next() == tag => Some(text),
            _ => None,
        });
        newest.is_some_and(|text| text == note)
    }

    /// Lines that the person typed while the agent worked steer its next request. Commands of the
    /// interactive session, and what the terminal cut, wait for their reader.
    fn take_steering(&mut self) {
        while let Some(typed) = &mut self.desk.typed
            && let Some(line) = typed.take_line_if(|line| !line.starts_with('/') && !is_cut(line))
        {
            if !line.trim().is_empty() {
                self.remember(Message::user(line));
            }
        }
    }

    /// Tells the model under its last result that it goes in circles; in the end it is stopped.
    fn judge(
        &mut self,
        calls: &[ToolCall],
        results: &mut [ToolResult],
        took: Duration,
    ) -> Result<(), Failure> {
        let most = self.options.loop_max;
        match self.run.repeats.take(calls, results, took, most) {
            Verdict::Fine => {}
            Verdict::Tell(times) => {
                if let Some(last) = results.last_mut() {
                    last.add_line(&repeats::words(times));
                }
                let text = format!("the model has done the same {times} times; it was told");
                self.show(&Event::Warning(&text))?;
            }
            Verdict::End => return Err(Failure::Limit("LOOP_MAX")),
        }
        Ok(())
    }

    /// Appends to the history and to the session's file.
    fn remember(&mut self, message: Message) {
        self.write(&Entry::Message(message.clone()));
        self.history.push(message);
    }

    /// A session file that can't be written costs one warning; the conversation goes on without.
    fn write(&mut self, entry: &Entry) {
        if let Some(log) = &mut self.log
            && let Err(error) = log.append(entry)
        {
            self.give_up_log(&error);
        }
    }

    fn sync(&mut self) {
        if let Some(Err(error)) = self.log.as_ref().map(session::log::Log::sync) {
            self.give_up_log(&error);
        }
    }

    fn give_up_log(&mut self, error: &session::Error) {
        self.log = None;
        let text = format!("{error}; this session is not kept from here on");
        // If nobody can be told, the next event ends the run for that reason.
        let _ = self.show(&Event::Warning(&text));
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

impl Outcome {
    /// A run that ended before it began.
    pub fn of_failure(failure: Failure) -> Outcome {
        Outcome {
            status: status_of(&failure),
            failure: Some(failure),
            text: String::new(),
            turns: 0,
            usage: Usage::default(),
        }
    }
}

/// How a run ended that was stopped by `failure`.
fn status_of(failure: &Failure) -> Status {
    match failure {
        Failure::Signal(_) => Status::Cancelled,
        Failure::Limit(name) => Status::Limit(name),
        Failure::Provider(provider::Error::Quota { resets_at, .. }) => Status::Quota {
            resets_at: *resets_at,
        },
        _ => Status::Failed,
    }
}
