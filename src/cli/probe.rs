//! `sx probe`: one request through exactly the stack that the agent uses, and where its time went.
//!
//! Told as a page, as one JSON object, or as the events of a stream; `-q` leaves only the body. The
//! request is sent once, since what happened is what was asked for; redirects are followed by `-L`.

pub mod ask;
pub mod events;
pub mod page;
pub mod report;
pub mod request;

use crate::base::clock::Deadline;
use crate::base::text;
use crate::cli::args::probe::Probe;
use crate::cli::args::probe::Shape;
use crate::cli::build;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::screen;
use crate::cli::stop;
use crate::http;
use crate::net;
use crate::net::Error;
use crate::term::writer;
use ask::Answer;
use ask::Ask;
use ask::Stop;
use events::Events;
use page::Room;
use page::Sight;
use report::Report;
use std::io;
use std::io::IsTerminal;
use std::io::Write;

/// What is told at the end is kept until then. A larger body is for `-q` and `--sse`, which write
/// it as it comes.
const BODY_BYTES_MAX: usize = 256 * 1024 * 1024;

/// As many as browsers follow; more are a circle.
const REDIRECTS_MAX: usize = 20;

/// Asks, and tells what came.
pub fn run(ground: &Ground, options: &Probe) -> Result<Exit, Fault> {
    ground.warn();
    // Before the signals are ours: while stdin is read, Ctrl-C shall end the program.
    let request = request::build(options)?;
    let signals = stop::signals()?;
    let mut out = writer::stdout().map_err(|error| Fault::output(&error))?;
    let is_terminal = io::stdout().is_terminal();
    let ask = Ask {
        client: net::Client::new(build::network(&ground.settings)?),
        request,
        signals,
        whole: match options.time_max {
            Some(time) => Deadline::after(time, "--max-time"),
            None => Deadline::never(),
        },
        redirects_max: match options.follows {
            true => REDIRECTS_MAX,
            false => 0,
        },
    };
    match options.shape {
        Shape::Json => json(ask, options, &mut out),
        Shape::Events => events(ask, &mut out),
        Shape::Page if ground.is_quiet && !is_terminal => copy(ask, &mut out),
        Shape::Page => {
            let sight = Sight {
                looks: screen::looks(ground, is_terminal),
                room: match (is_terminal, ground.is_quiet) {
                    (false, _) => Room::Pipe,
                    (true, false) => Room::Terminal,
                    (true, true) => Room::WholeTerminal,
                },
            };
            page(ask, options, ground.is_quiet, &sight, &mut out)
        }
    }
}

/// One object, whatever happened.
fn json(ask: Ask, options: &Probe, out: &mut dyn Write) -> Result<Exit, Fault> {
    let (answer, body) = whole(ask)?;
    let report = Report::new(&options.url, &answer, &body);
    report.write(out).map_err(|error| Fault::output(&error))?;
    Ok(exit(answer.error.as_ref()))
}

/// A line for each event in the moment in which it is whole, and a last one.
fn events(ask: Ask, out: &mut dyn Write) -> Result<Exit, Fault> {
    let host = ask.request.url.host.clone();
    let mut events = Events::default();
    let mut lines = Vec::new();
    let answer = ask.run(&mut |body| {
        let parsed = events.feed(body, &mut lines);
        body.clear();
        // The events before a fault are good. One write for all that one step gave.
        if !lines.is_empty() {
            out.write_all(&lines).map_err(Stop::Output)?;
            lines.clear();
        }
        parsed.map_err(|source| {
            let host = host.clone();
            Stop::Answer(Error::Http { host, source })
        })
    });
    let answer = usable(answer)?;
    out.write_all(&events::last_line(answer.error.as_ref()))
        .map_err(|error| Fault::output(&error))?;
    if let Some(head) = &answer.head
        && let Some(doubt) = events.doubt(head)
    {
        Fault::new(Exit::Done, text::harmless(&doubt)).print();
    }
    Ok(exit(answer.error.as_ref()))
}

/// The body alone, byte for byte as it comes.
fn copy(ask: Ask, out: &mut dyn Write) -> Result<Exit, Fault> {
    let answer = ask.run(&mut |body| {
        out.write_all(body).map_err(Stop::Output)?;
        body.clear();
        Ok(())
    });
    ending(usable(answer)?.error)
}

/// Everything, for a person.
fn page(
    ask: Ask,
    options: &Probe,
    is_quiet: bool,
    sight: &Sight,
    out: &mut dyn Write,
) -> Result<Exit, Fault> {
    let (answer, body) = whole(ask)?;
    let mut page = Vec::new();
    if !is_quiet {
        page.extend(page::top(&options.method, &options.url, &answer, sight).into_bytes());
    }
    let body = page::body(answer.head.as_ref(), &body, sight);
    if !page.is_empty() && !body.is_empty() {
        page.push(b'\n');
    }
    let written = out.write_all(&page).and_then(|()| out.write_all(&body));
    written.map_err(|error| Fault::output(&error))?;
    ending(answer.error)
}

/// Asks and keeps the body until the end.
fn whole(ask: Ask) -> Result<(Answer, Vec<u8>), Fault> {
    let host = ask.request.url.host.clone();
    let mut kept = Vec::new();
    let answer = ask.run(&mut |body| {
        let room = BODY_BYTES_MAX - kept.len();
        kept.extend_from_slice(&body[..body.len().min(room)]);
        if body.len() > room {
            return Err(Stop::Answer(Error::TooLong {
                host: host.clone(),
                bytes_max: BODY_BYTES_MAX,
            }));
        }
        body.clear();
        Ok(())
    });
    Ok((usable(answer)?, kept))
}

/// What came, unless the output is gone or nothing could be asked: a header that cannot be sent is
/// a slip of the one who typed it.
fn usable(answer: io::Result<Answer>) -> Result<Answer, Fault> {
    let answer = answer.map_err(|error| Fault::output(&error))?;
    match &answer.error {
        Some(Error::Http {
            source: refused @ http::Error::Request { .. },
            ..
        }) => Err(Fault::new(Exit::Usage, refused).hint("`sx help probe` lists its options")),
        _ => Ok(answer),
    }
}

/// The exit code alone: a program has read the rest.
fn exit(error: Option<&Error>) -> Exit {
    match error {
        None => Exit::Done,
        Some(Error::Interrupted { signal }) => {
            Exit::Signal(u8::try_from(*signal).unwrap_or(u8::MAX))
        }
        Some(_) => Exit::Provider,
    }
}

/// The exit code, with a line on stderr if the answer is not whole.
fn ending(error: Option<Error>) -> Result<Exit, Fault> {
    match (exit(error.as_ref()), error) {
        (Exit::Provider, Some(error)) => {
            let what = text::harmless(&error.to_string()).into_owned();
            Err(Fault {
                hint: error.hint(),
                ..Fault::new(Exit::Provider, what)
            })
        }
        (exit, _) => Ok(exit),
    }
}
