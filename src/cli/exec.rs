//! `sx exec`: one task without a person. The answer goes to stdout, all else to stderr.
//!
//! With `--json`, stdout carries events and always ends with a result, whatever went wrong before.

use crate::agent::event::Face;
use crate::base::clock::Deadline;
use crate::chat::Part;
use crate::cli::args::Common;
use crate::cli::args::Exec;
use crate::cli::args::Prompt;
use crate::cli::build;
use crate::cli::build::Reader;
use crate::cli::build::Wishes;
use crate::cli::ending;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::gateway;
use crate::cli::gateway::Manner;
use crate::cli::ground::Ground;
use crate::cli::images;
use crate::cli::input;
use crate::cli::input::Input;
use crate::cli::jsonl;
use crate::cli::jsonl::Jsonl;
use crate::cli::screen;
use crate::cli::stop;
use crate::sys::file::NO_WAIT;
use crate::term::writer;
use crate::term::writer::Writer;
use std::ffi::OsStr;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::IsTerminal;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A longer prompt than this fits into no model's window.
const PROMPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Services take schemas of some ten thousand characters.
const SCHEMA_BYTES_MAX: usize = 1024 * 1024;

/// Runs the task.
pub fn run(program: &OsStr, common: &Common, options: &Exec) -> Result<Exit, Fault> {
    let done = work(program, common, options);
    if let Err(fault) = &done
        && options.is_json
    {
        end_unbegun(fault);
    }
    done
}

/// The one line of JSON where the work could not begin.
pub fn end_unbegun(fault: &Fault) {
    if let Ok(out) = writer::stdout() {
        let mut face = Jsonl::new(Box::new(out), jsonl::Options::default());
        // The fault itself is on its way to stderr; a lost stdout changes nothing about it.
        let _ = face.end(&ending::of_fault(fault));
    }
}

fn work(program: &OsStr, common: &Common, options: &Exec) -> Result<Exit, Fault> {
    let deadline = match options.timeout {
        Some(time) => Deadline::after(time, "--timeout"),
        None => Deadline::never(),
    };
    let ground = Ground::survey(program, common)?;
    let signals = stop::signals()?;
    let face: Box<dyn Face> = if options.is_json {
        Box::new(json_face(options, deadline)?)
    } else {
        screen::for_exec(&ground, deadline)?
    };
    let input = Input {
        signals: &signals,
        deadline,
    };
    if !ground.is_quiet {
        announce(options);
    }
    let schema = options.output_schema.as_deref();
    let schema = schema.map(|path| read_schema(path, &input)).transpose()?;
    let mut prompt = images::read(&options.talk.images, &input)?;
    prompt.push(Part::Text(read_prompt(options, &input)?));
    let gateway = gateway::find(&ground, &input, Manner::Refuse)?;
    let last_message = options.output.as_deref().map(LastMessage::open);
    let last_message = last_message.transpose()?;
    let mut agent = build::agent(
        &ground,
        Wishes {
            talk: &options.talk,
            face,
            reader: Reader::Nobody,
            signals,
            deadline,
            schema,
            gateway,
        },
    )?;
    let outcome = agent.run(prompt);
    if let Some(failure) = &outcome.failure {
        agent.desk.hurry(failure);
    }
    let mut exit = ending::exit_of(&outcome);
    let lost = last_message.and_then(|file| file.write(&outcome.text).err());
    if let Some(fault) = &lost {
        fault.print();
        exit = exit.or(fault.exit);
    }
    let mut ending = ending::of_outcome(outcome, exit, &agent);
    ending.error = ending.error.or(lost.map(|fault| fault.what));
    if let Err(error) = agent.face.end(&ending) {
        exit = match agent.desk.check_now() {
            Err(stop) => exit.or(ending::exit_of_failure(&stop)),
            Ok(()) => {
                Fault::output(&error).print();
                exit.or(Exit::Output)
            }
        };
    }
    Ok(exit)
}

fn json_face(options: &Exec, deadline: Deadline) -> Result<Jsonl, Fault> {
    let out = writer::stdout().map_err(|error| Fault::output(&error))?;
    let out = out.until(deadline);
    let deltas = options.has_deltas;
    Ok(Jsonl::new(Box::new(out), jsonl::Options { deltas }))
}

/// The task, from where it stands. Stdin is read only where the command line says so.
fn read_prompt(options: &Exec, input: &Input<'_>) -> Result<String, Fault> {
    let stdin = || Ok(text(&input.stdin(PROMPT_BYTES_MAX)?));
    let (mut prompt, place) = match &options.prompt {
        Prompt::Text(text) => (text.clone(), "the command line".to_string()),
        Prompt::File(path) => (
            text(&input.file(path, PROMPT_BYTES_MAX)?),
            input::shown(path),
        ),
        Prompt::Stdin => (stdin()?, "stdin".to_string()),
    };
    if prompt.trim().is_empty() {
        return Err(Fault::new(
            Exit::Usage,
            format!("the prompt is empty: {place}"),
        ));
    }
    if options.is_stdin_appended {
        let piped = stdin()?;
        prompt = format!("{prompt}\n\n<stdin>\n{piped}\n</stdin>");
    }
    Ok(prompt)
}

/// Says what is waited for where a person must type before anything happens.
fn announce(options: &Exec) {
    let reads_stdin = options.is_stdin_appended || options.prompt == Prompt::Stdin;
    if !reads_stdin || !io::stdin().is_terminal() {
        return;
    }
    if let Ok(mut err) = writer::stderr() {
        // Without a standard error nobody can be told.
        let _ = err.write_all(b"sx reads what you type here; Ctrl-D on an empty line ends it\n");
    }
}

/// Bytes that are not UTF-8 are replaced: the model reads text.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The schema must at least be JSON; what it means is the service's business.
fn read_schema(path: &Path, input: &Input<'_>) -> Result<String, Fault> {
    let schema = text(&input.file(path, SCHEMA_BYTES_MAX)?);
    let parsed: Result<serde_json::Value, _> = serde_json::from_str(&schema);
    match parsed {
        Ok(_) => Ok(schema),
        Err(error) => {
            let name = input::shown(path);
            Err(Fault::new(
                Exit::Usage,
                format!("{name} is not JSON: {error}"),
            ))
        }
    }
}

/// The file of `-o`. It is opened before the work, so that a slip in its name costs nothing, and
/// keeps what it holds until there is something else to hold.
struct LastMessage<'a> {
    file: File,
    path: &'a Path,
}

impl LastMessage<'_> {
    fn open(path: &Path) -> Result<LastMessage<'_>, Fault> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).custom_flags(NO_WAIT);
        match options.open(path) {
            Ok(file) => Ok(LastMessage { file, path }),
            Err(error) => Err(unwritable(path, &error)),
        }
    }

    fn write(self, text: &str) -> Result<(), Fault> {
        let empty = match self.file.metadata() {
            Ok(meta) if meta.is_file() => self.file.set_len(0),
            _ => Ok(()),
        };
        empty
            .and_then(|()| Writer::new(&self.file).write_all(text.as_bytes()))
            .map_err(|error| unwritable(self.path, &error))
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Fault {
    let name = input::shown(path);
    Fault::new(Exit::Output, format!("cannot write {name}: {error}"))
}
