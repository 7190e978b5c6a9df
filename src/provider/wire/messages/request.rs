//! The fields of a request's body before its messages, in the order in which they are sent.
//!
//! Tools and system prompt end with a breakpoint each: what stands before one is kept by the
//! service, however the conversation goes on.

use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::provider::Error;
use crate::provider::Request;
use crate::provider::wire::messages::block;
use crate::provider::wire::messages::thinking;
use crate::provider::wire::messages::thinking::Field;
use crate::provider::wire::messages::thinking::Style;
use crate::provider::wire::prompt;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The model that is asked, as far as the body depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    /// Its name.
    pub name: &'a str,
    /// Tokens that its answers can have.
    pub output_max: u64,
    /// How it is told to think.
    pub style: Style,
    /// Whether the service holds its answers to a schema.
    pub has_schema: bool,
    /// Whether the service is to leave out thoughts that no longer fit, which it has to be asked
    /// for by a header too.
    pub drops_unbound: bool,
}

/// Searches of one answer; each costs.
const SEARCHES_MAX: u32 = 8;

/// Whether the history lets the model think by a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It may begin with a thought.
    Free,
    /// It is in the middle of calls that did not begin with a thought, as after another vendor's
    /// model: a budget would be refused.
    Thoughtless,
}

/// Everything of the body but the messages. Fails only if a schema is not JSON.
pub fn head(model: &Model<'_>, request: &Request<'_>, pace: Pace) -> Result<Vec<u8>, Error> {
    let output_max = request.output_max.unwrap_or(model.output_max);
    let style = match (model.style, pace) {
        (Style::Budget, Pace::Thoughtless) => Style::None,
        (style, _) => style,
    };
    let plan = thinking::plan(style, &request.thinking, output_max);
    let schema = request
        .schema
        .map(|schema| raw(schema, "the output schema"));
    let schema = schema.transpose()?;
    let format = schema.filter(|_| model.has_schema).map(|schema| Format {
        kind: "json_schema",
        schema,
    });
    let output_config = OutputConfig {
        effort: plan.effort,
        format,
    };
    let own = request.search.then_some(Ok(Tool::WEB_SEARCH));
    let tools = own.into_iter().chain(request.tools.iter().map(Tool::of));
    let mut tools: Vec<Tool<'_>> = tools.collect::<Result<_, _>>()?;
    if let Some(last) = tools.last_mut() {
        last.cache_control = Some(CacheControl::EPHEMERAL);
    }
    let asked = schema.filter(|_| !model.has_schema).map(RawValue::get);
    let system = prompt::with_schema(request.system, asked);
    let head = Head {
        model: model.name,
        max_tokens: output_max,
        stream: true,
        thinking: match model.drops_unbound {
            true => plan.field.map(Field::dropping_unbound),
            false => plan.field,
        },
        output_config: output_config.is_said().then_some(output_config),
        tool_choice: (!tools.is_empty()).then_some(Choice { kind: "auto" }),
        tools,
        system: (!system.trim().is_empty()).then_some([System {
            kind: "text",
            text: system,
            cache_control: CacheControl::EPHEMERAL,
        }]),
    };
    let mut bytes = Vec::new();
    serde_json::to_writer(&mut bytes, &head)
        .expect("texts and lists always have a JSON form, and a vector takes all bytes");
    Ok(bytes)
}

fn raw<'a>(json: &'a str, what: &str) -> Result<&'a RawValue, Error> {
    serde_json::from_str(json).map_err(|error| Error::Settings {
        detail: format!("{what} is not valid JSON: {error}"),
    })
}

#[derive(Serialize)]
struct Head<'a> {
    model: &'a str,
    max_tokens: u64,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Field>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Choice<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<[System<'a>; 1]>,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
}

impl OutputConfig<'_> {
    fn is_said(&self) -> bool {
        self.effort.is_some() || self.format.is_some()
    }
}

#[derive(Serialize)]
struct Format<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    schema: &'a RawValue,
}

#[derive(Serialize)]
struct Choice<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
}

#[derive(Serialize)]
struct System<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    text: Cow<'a, str>,
    cache_control: CacheControl,
}

/// What stands before this is to be kept, for five minutes after it was last wanted.
#[derive(Serialize)]
struct CacheControl {
    #[serde(rename = "type")]
    kind: &'static str,
}

impl CacheControl {
    const EPHEMERAL: CacheControl = CacheControl { kind: "ephemeral" };
}

/// A tool of ours, or one that the service runs.
#[derive(Serialize)]
struct Tool<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_schema: Option<Schema<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_uses: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Schema<'a> {
    Own(&'a RawValue),
    Made(Value),
}

impl<'a> Tool<'a> {
    /// The service's own search.
    const WEB_SEARCH: Tool<'static> = Tool {
        kind: Some("web_search_20250305"),
        name: block::WEB_SEARCH,
        description: "",
        input_schema: None,
        max_uses: Some(SEARCHES_MAX),
        cache_control: None,
    };

    fn of(spec: &ToolSpec) -> Result<Tool<'a>, Error> {
        let input_schema = match spec.input {
            Input::Schema(schema) => Schema::Own(raw(
                schema,
                &format!("the schema of the tool {}", spec.name),
            )?),
            // The wire has functions only. The grammar is as good as an explanation.
            Input::Freeform { grammar, field } => Schema::Made(json!({
                "type": "object",
                "properties": {
                    field: {
                        "type": "string",
                        "description": format!("Text in this grammar, in Lark:\n{grammar}"),
                    },
                },
                "required": [field],
                "additionalProperties": false,
            })),
        };
        Ok(Tool {
            kind: None,
            name: spec.name,
            description: spec.description,
            input_schema: Some(input_schema),
            max_uses: None,
            cache_control: None,
        })
    }
}
