//! What the demo's service insists on in a request: all that the real one refuses, and more.
//!
//! Pure. It judges the form of one request (fields, tools, pairs of calls and answers) and gives
//! out its items; what the task makes of the answers is `script`'s.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// Fields that the service answers with "Unsupported parameter".
const UNSUPPORTED: &[&str] = &[
    "max_output_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "previous_response_id",
];

/// Tools that the task needs; the last is offered as one that takes free text.
const FUNCTIONS: &[&str] = &["bash", "read", "write"];
const FREEFORM: &str = "apply_patch";

/// What is wrong with a request. Its text is what the agent gets to see.
#[derive(Debug)]
pub enum Fault {
    /// The body is not a JSON object.
    NotJson(serde_json::Error),
    /// A field is missing, or not what it must be.
    Field {
        /// Its name.
        name: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// A field that the service does not take.
    Unsupported(&'static str),
    /// A tool that is not offered as the task needs it.
    Tool {
        /// Its name.
        name: &'static str,
        /// How it must be offered.
        wanted: &'static str,
    },
    /// A call without its answer, an answer without its call, or one too many.
    Unpaired {
        /// The id that they should share.
        call_id: String,
    },
    /// The person's words are not in it.
    PromptLost,
    /// An item of an earlier answer that did not come back byte for byte.
    ItemLost(String),
    /// It does not begin with the bytes of the request before.
    PrefixChanged {
        /// The first byte that differs.
        at: usize,
    },
    /// A tool did something else than the task expects of it.
    Result {
        /// What was done.
        doing: &'static str,
        /// What its answer must hold.
        wanted: &'static str,
        /// What it was.
        got: String,
    },
    /// The task was over already.
    Over,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NotJson(why) => write!(f, "the body is not a JSON object: {why}"),
            Fault::Field { name, wanted } => write!(f, "`{name}` must be {wanted}"),
            Fault::Unsupported(name) => write!(f, "unsupported parameter: {name}"),
            Fault::Tool { name, wanted } => {
                write!(f, "the tool {name} must be offered as {wanted}")
            }
            Fault::Unpaired { call_id } => {
                write!(
                    f,
                    "the call {call_id} and its answer do not stand as a pair"
                )
            }
            Fault::PromptLost => write!(f, "no user message holds the prompt"),
            Fault::ItemLost(item) => {
                write!(f, "this item did not come back as it was sent: {item}")
            }
            Fault::PrefixChanged { at } => {
                write!(f, "the bytes of the request before changed at byte {at}")
            }
            Fault::Result { doing, wanted, got } => {
                write!(
                    f,
                    "{doing} should have answered with {wanted:?}, but said {got:?}"
                )
            }
            Fault::Over => write!(f, "the task is over, there was nothing left to ask"),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Fault::NotJson(why) => Some(why),
            _ => None,
        }
    }
}

/// A request whose form is right.
#[derive(Debug)]
pub struct Request<'a> {
    items: Vec<(&'a str, Item)>,
}

/// As much of an input item as the checks look at.
#[derive(Debug, Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: Option<String>,
    role: Option<String>,
    call_id: Option<String>,
    content: Option<Value>,
    output: Option<Value>,
}

impl<'a> Request<'a> {
    /// Reads a body and judges its form.
    pub fn parse(body: &'a [u8]) -> Result<Request<'a>, Fault> {
        let fields: BTreeMap<String, &RawValue> =
            serde_json::from_slice(body).map_err(Fault::NotJson)?;
        check_fields(&fields)?;
        check_tools(&fields)?;
        let wanted = "an array of objects";
        let raw: Vec<&RawValue> = field(&fields, "input", wanted)?;
        let mut items = Vec::with_capacity(raw.len());
        for raw in raw {
            let item = serde_json::from_str(raw.get()).map_err(|_| Fault::Field {
                name: "input",
                wanted,
            })?;
            items.push((raw.get(), item));
        }
        let request = Request { items };
        request.check_roles()?;
        request.check_pairs()?;
        Ok(request)
    }

    /// Whether a message of the person holds `text`.
    pub fn has_prompt(&self, text: &str) -> bool {
        self.items
            .iter()
            .filter(|(_, item)| item.role.as_deref() == Some("user"))
            .any(|(_, item)| text_of(item.content.as_ref()).contains(text))
    }

    /// Whether all of `sent` are among the items, byte for byte and in this order.
    pub fn check_echo(&self, sent: &[String]) -> Result<(), Fault> {
        let mut items = self.items.iter();
        for sent in sent {
            if !items.any(|(raw, _)| raw == sent) {
                return Err(Fault::ItemLost(sent.clone()));
            }
        }
        Ok(())
    }

    /// The answer to a call, as text.
    pub fn result(&self, call_id: &str) -> Option<String> {
        self.items
            .iter()
            .find(|(_, item)| item.is_result() && item.call_id.as_deref() == Some(call_id))
            .map(|(_, item)| text_of(item.output.as_ref()))
    }

    fn check_roles(&self) -> Result<(), Fault> {
        let is_system = |(_, item): &(&str, Item)| item.role.as_deref() == Some("system");
        if self.items.iter().any(is_system) {
            return Err(Fault::Field {
                name: "role",
                wanted: "user, assistant or developer; system messages are not allowed",
            });
        }
        Ok(())
    }

    /// Every call has one answer of its own kind behind it, and there are no other answers.
    fn check_pairs(&self) -> Result<(), Fault> {
        let mut open: Vec<(&str, &str)> = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for (_, item) in &self.items {
            let kind = item.kind.as_deref().unwrap_or_default();
            let call_id = item.call_id.as_deref().unwrap_or_default();
            let is_sound = match kind {
                "function_call" | "custom_tool_call" => {
                    let is_new = !seen.contains(&call_id);
                    seen.push(call_id);
                    open.push((kind, call_id));
                    is_new
                }
                "function_call_output" | "custom_tool_call_output" => {
                    let call = (kind.trim_end_matches("_output"), call_id);
                    let place = open.iter().position(|opened| *opened == call);
                    place.map(|place| open.remove(place)).is_some()
                }
                _ => true,
            };
            if !is_sound {
                let call_id = call_id.to_owned();
                return Err(Fault::Unpaired { call_id });
            }
        }
        match open.first() {
            None => Ok(()),
            Some((_, call_id)) => Err(Fault::Unpaired {
                call_id: (*call_id).to_owned(),
            }),
        }
    }
}

impl Item {
    fn is_result(&self) -> bool {
        let kind = self.kind.as_deref().unwrap_or_default();
        matches!(kind, "function_call_output" | "custom_tool_call_output")
    }
}

/// The fields beside input and tools, as the real service insists on them.
fn check_fields(fields: &BTreeMap<String, &RawValue>) -> Result<(), Fault> {
    for name in UNSUPPORTED {
        if fields.contains_key(*name) {
            return Err(Fault::Unsupported(name));
        }
    }
    for name in ["model", "instructions", "prompt_cache_key"] {
        let wanted = "a string that is not empty";
        let text: String = field(fields, name, wanted)?;
        if text.is_empty() {
            return Err(Fault::Field { name, wanted });
        }
    }
    for (name, expected, wanted) in [("stream", true, "true"), ("store", false, "false")] {
        if field::<bool>(fields, name, wanted)? != expected {
            return Err(Fault::Field { name, wanted });
        }
    }
    let (name, wanted) = ("include", "an array with `reasoning.encrypted_content`");
    let include: Vec<String> = field(fields, name, wanted)?;
    if !include
        .iter()
        .any(|item| item == "reasoning.encrypted_content")
    {
        return Err(Fault::Field { name, wanted });
    }
    Ok(())
}

fn check_tools(fields: &BTreeMap<String, &RawValue>) -> Result<(), Fault> {
    let tools: Vec<Value> = field(fields, "tools", "an array of tools")?;
    let is_offered = |name: &str, kind: &str, part: &str| {
        tools
            .iter()
            .any(|tool| tool["name"] == name && tool["type"] == kind && tool[part].is_object())
    };
    for name in FUNCTIONS {
        if !is_offered(name, "function", "parameters") {
            let wanted = "a function with parameters";
            return Err(Fault::Tool { name, wanted });
        }
    }
    if !is_offered(FREEFORM, "custom", "format") {
        return Err(Fault::Tool {
            name: FREEFORM,
            wanted: "a custom tool with a format",
        });
    }
    Ok(())
}

fn field<'a, T: Deserialize<'a>>(
    fields: &BTreeMap<String, &'a RawValue>,
    name: &'static str,
    wanted: &'static str,
) -> Result<T, Fault> {
    let raw = fields.get(name).ok_or(Fault::Field { name, wanted })?;
    serde_json::from_str(raw.get()).map_err(|_| Fault::Field { name, wanted })
}

/// The words of a content or an output: a string, or the texts of an array of parts.
fn text_of(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts = parts.iter().filter_map(|part| part["text"].as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}
