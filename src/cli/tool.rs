//! `sx tool`: the tools by hand, as the model is offered them and as it calls them.
//!
//! A call goes through hands of its own, under the sandbox of the settings, and prints what the
//! model would read. No credential is looked for and no service is asked.

use crate::agent::desk::Desk;
use crate::agent::failure::Failure;
use crate::agent::own;
use crate::base::clock::Deadline;
use crate::base::text;
use crate::chat::CallKind;
use crate::chat::Part;
use crate::chat::ToolCall;
use crate::chat::tool::Effect;
use crate::chat::tool::Input as Form;
use crate::chat::tool::ToolSpec;
use crate::cli::args::Tool;
use crate::cli::build;
use crate::cli::build::Reader;
use crate::cli::ending;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::input::Input;
use crate::cli::screen;
use crate::cli::stop;
use crate::hands::client;
use crate::hands::wire::CallResult;
use crate::hands::wire::Reply;
use crate::net;
use crate::term::lines::Lines;
use crate::term::writer;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use std::io;
use std::io::IsTerminal;
use std::io::Write;
use std::time::Duration;

/// As much as a call from a model may have, with room to spare.
const ARGUMENTS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The hands make themselves ready in a few milliseconds; a machine may be busy.
const HANDS_START_MAX: Duration = Duration::from_secs(30);

/// The only call of these hands.
const ID: &str = "1";

/// What came of a call, for a program; fields are only ever added.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    ok: bool,
    exit: Option<i32>,
    ms: u64,
    output: String,
    parts: &'a [Part],
    summary: &'a str,
    truncated: bool,
}

/// Lists the tools, or runs one.
pub fn run(ground: &Ground, options: &Tool) -> Result<Exit, Fault> {
    ground.warn();
    let tools = build::tool_specs(&ground.settings, Reader::Caller);
    match options {
        Tool::List { is_json } => list(&tools, *is_json),
        Tool::Call {
            name,
            arguments,
            is_json,
        } => {
            let Some(tool) = tools.iter().find(|tool| tool.name == name) else {
                return Err(unknown(name, &tools));
            };
            let signals = stop::signals()?;
            let input = Input {
                signals: &signals,
                deadline: Deadline::never(),
            };
            let arguments = match arguments.as_str() {
                "-" => String::from_utf8_lossy(&input.stdin(ARGUMENTS_BYTES_MAX)?).into_owned(),
                given => given.to_string(),
            };
            let client = net::Client::new(build::network(&ground.settings)?);
            let mut desk = Desk::new(client, signals, Deadline::never());
            let call = call_of(tool, arguments);
            let result = match own::has(name) {
                true => call_own(ground, &mut desk, &call)?,
                false => {
                    desk.hands = Some(build::hands(ground, &tools)?);
                    call_hands(&mut desk, &call)
                }
            };
            tell(
                name,
                &result.map_err(|failure| ending_of(&failure))?,
                *is_json,
            )
        }
    }
}

fn unknown(name: &str, tools: &[ToolSpec]) -> Fault {
    let what = format!("there is no tool {}", text::one_line(name));
    let names: Vec<&str> = tools.iter().map(|tool| tool.name).collect();
    Fault::new(Exit::Usage, what).hint(match names.is_empty() {
        true => "all tools are switched off".to_string(),
        false => format!("there are: {}", names.join(", ")),
    })
}

/// The call as a model writes it: JSON, or what the tool takes as free text.
fn call_of(tool: &ToolSpec, arguments: String) -> ToolCall {
    let is_free = matches!(tool.input, Form::Freeform { .. });
    let kind = match is_free && !arguments.trim_start().starts_with('{') {
        true => CallKind::Freeform,
        false => CallKind::Function,
    };
    ToolCall {
        id: ID.to_string(),
        name: tool.name.to_string(),
        arguments,
        kind,
        opaque: None,
    }
}

/// What came of a call of the brain's own tools, which need no hands.
fn call_own(
    ground: &Ground,
    desk: &mut Desk,
    call: &ToolCall,
) -> Result<Result<CallResult, Failure>, Fault> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        let typed = Lines::of_stdin().map_err(|error| Fault::new(Exit::Fault, error))?;
        desk.typed = Some(typed);
    }
    let mut face = screen::for_chat(ground)?;
    let mut web = build::web(&ground.settings, Reader::Caller)?;
    let mut room = own::Room {
        desk,
        face: face.as_mut(),
        web: web.as_mut(),
    };
    Ok(own::run(call, &mut room))
}

/// What came of the call. When this fails, the hands end and take all that they started along.
fn call_hands(desk: &mut Desk, call: &ToolCall) -> Result<CallResult, Failure> {
    let start = Deadline::after(HANDS_START_MAX, "the start of the hands");
    if let Some(hands) = &mut desk.hands {
        hands.send(call);
    }
    loop {
        let is_ready = desk.hands.as_ref().is_some_and(|hands| hands.is_ready());
        if !is_ready && start.is_over() {
            return Err(Failure::Limit(start.limit()));
        }
        desk.wait(None, if is_ready { Deadline::never() } else { start })?;
        for reply in desk.take_replies() {
            if let Reply::Result(result) = reply {
                return Ok(result);
            }
        }
    }
}

fn ending_of(failure: &Failure) -> Fault {
    let fault = ending::fault_of(failure);
    match failure {
        Failure::Hands(client::Error::Refused { hint, .. }) if !hint.is_empty() => fault.hint(hint),
        _ => fault,
    }
}

fn tell(name: &str, result: &CallResult, is_json: bool) -> Result<Exit, Fault> {
    let output = texts(&result.parts);
    let mut page = match is_json {
        true => json_line(&Line {
            name,
            ok: result.ok,
            exit: result.exit,
            ms: result.ms,
            output,
            parts: &result.parts,
            summary: &result.summary,
            truncated: result.truncated,
        })?,
        false => output,
    };
    if !page.ends_with('\n') {
        page.push('\n');
    }
    // What a file holds may be meant for the terminal, to do something with it.
    match io::stdout().is_terminal() {
        true => write(&text::harmless(&page))?,
        false => write(&page)?,
    }
    Ok(match result.ok {
        true => Exit::Done,
        false => Exit::Refused,
    })
}

/// What the model reads, and a line for each picture that it sees.
fn texts(parts: &[Part]) -> String {
    let texts = parts.iter().map(|part| match part {
        Part::Text(text) => text.clone(),
        Part::Image(image) => format!("[a picture, {}]", image.media_type),
    });
    texts.collect::<Vec<String>>().join("\n")
}

fn list(tools: &[ToolSpec], is_json: bool) -> Result<Exit, Fault> {
    let mut page = String::new();
    for tool in tools {
        page.push_str(&match is_json {
            true => json_line(&offer(tool))? + "\n",
            false => spoken(tool),
        });
    }
    write(&page)?;
    Ok(Exit::Done)
}

/// A tool as a service is told of it.
fn offer(tool: &ToolSpec) -> Value {
    let effect = match tool.effect {
        Effect::Reads => "reads",
        Effect::Changes => "changes",
    };
    let mut offer = json!({
        "name": tool.name,
        "description": tool.description,
        "effect": effect,
    });
    match tool.input {
        // Our own schemas are JSON; a test of the tools holds that.
        Form::Schema(schema) => {
            offer["schema"] = serde_json::from_str(schema).unwrap_or(Value::Null);
        }
        Form::Freeform { grammar, field } => {
            offer["grammar"] = grammar.into();
            offer["field"] = field.into();
        }
    }
    offer
}

fn spoken(tool: &ToolSpec) -> String {
    let input = match tool.input {
        Form::Schema(schema) => schema.to_string(),
        Form::Freeform { field, .. } => {
            format!("free text, or {{\"{field}\": \"...\"}}; --json has its grammar")
        }
    };
    format!("{}\n    {}\n    {input}\n", tool.name, tool.description)
}

fn json_line(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::new(Exit::Fault, error))
}

fn write(page: &str) -> Result<(), Fault> {
    let out = writer::stdout();
    out.and_then(|mut out| out.write_all(page.as_bytes()))
        .map_err(|error| Fault::output(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools;

    #[test]
    fn free_text_is_free_text_and_an_object_is_arguments() {
        let kind = |name: &str, arguments: &str| {
            let tool = tools::spec(name).expect("a tool");
            call_of(tool, arguments.to_string()).kind
        };
        assert_eq!(kind("apply_patch", "*** Begin Patch"), CallKind::Freeform);
        assert_eq!(kind("apply_patch", " {\"patch\":\"\"}"), CallKind::Function);
        assert_eq!(kind("read", "a.txt"), CallKind::Function);
    }

    #[test]
    fn every_tool_is_listed_with_what_it_takes() {
        for tool in tools::TOOLS {
            let offer = offer(&tool.spec);
            assert!(offer["schema"].is_object() || offer["grammar"].is_string());
            assert!(spoken(&tool.spec).contains(tool.spec.description));
        }
    }
}
