//! Everything of a body but its messages: what comes before the conversation and stays the same.

use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::provider::Effort;
use crate::provider::Error;
use crate::provider::Request;
use crate::provider::complaint::Parameter;
use crate::provider::wire::completions::dialect::Dialect;
use crate::provider::wire::completions::dialect::OutputField;
use crate::provider::wire::freeform;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The body without its messages, as an object. Fails if a schema is not JSON.
pub fn head(model: &str, request: &Request<'_>, dialect: &Dialect) -> Result<Vec<u8>, Error> {
    let tools = request.tools.iter().map(|spec| Tool::of(spec, dialect));
    let tools: Vec<Tool<'_>> = tools.collect::<Result<_, _>>()?;
    let schema = request
        .schema
        .map(|schema| raw(schema, "the output schema"));
    let lessons = &dialect.lessons;
    let schema = schema.transpose()?;
    let schema = schema.filter(|_| lessons.takes(Parameter::ResponseFormat));
    let format = schema.map(|schema| Format {
        kind: "json_schema",
        json_schema: Schema {
            name: "answer",
            strict: true,
            schema,
        },
    });
    // Without tools servers do not want to hear how they are to be called.
    let has_tools = !tools.is_empty();
    let has_choice = has_tools && lessons.takes(Parameter::ToolChoice);
    let output_max = lessons.output_max(request.output_max);
    let takes_older = lessons.takes(Parameter::MaxTokens);
    let takes_newer = lessons.takes(Parameter::MaxCompletionTokens);
    let (max_tokens, max_completion_tokens) = match dialect.output_field {
        OutputField::MaxTokens => (output_max.filter(|_| takes_older), None),
        OutputField::MaxCompletionTokens => (None, output_max.filter(|_| takes_newer)),
    };
    let effort = lessons.effort(request.thinking.as_effort(), dialect.efforts);
    let head = Head {
        model,
        tools,
        tool_choice: has_choice.then_some("auto"),
        parallel_tool_calls: (has_tools && dialect.has_parallel).then_some(true),
        reasoning_effort: effort.map(effort_word),
        max_tokens,
        max_completion_tokens,
        response_format: format,
        stream: true,
        stream_options: lessons
            .takes(Parameter::StreamOptions)
            .then_some(StreamOptions {
                include_usage: true,
            }),
    };
    let bytes = serde_json::to_vec(&head);
    Ok(bytes.expect("texts and lists always have a JSON form"))
}

fn effort_word(effort: Effort) -> &'static str {
    match effort {
        Effort::Off => "none",
        effort => effort.word(),
    }
}

fn raw<'a>(json: &'a str, what: &str) -> Result<&'a RawValue, Error> {
    serde_json::from_str(json).map_err(|error| Error::Settings {
        detail: format!("{what} is not valid JSON: {error}"),
    })
}

/// The fields in the order in which they are sent.
#[derive(Serialize)]
struct Head<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Format<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Format<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    json_schema: Schema<'a>,
}

#[derive(Serialize)]
struct Schema<'a> {
    name: &'a str,
    strict: bool,
    schema: &'a RawValue,
}

#[derive(Serialize)]
struct Tool<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: Cow<'a, RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

impl<'a> Tool<'a> {
    fn of(spec: &ToolSpec, dialect: &Dialect) -> Result<Tool<'a>, Error> {
        let parameters = match spec.input {
            Input::Schema(schema) => Cow::Borrowed(raw(
                schema,
                &format!("the schema of the tool {}", spec.name),
            )?),
            Input::Freeform { grammar, field } => Cow::Owned(freeform::schema(grammar, field)),
        };
        let is_strict = dialect.has_strict && is_strict(parameters.get());
        Ok(Tool {
            kind: "function",
            function: Function {
                name: spec.name,
                description: spec.description,
                parameters,
                strict: is_strict.then_some(true),
            },
        })
    }
}

/// Whether a service that enforces schemas takes this one: every object lists all of its fields
/// as required and allows no others.
fn is_strict(schema: &str) -> bool {
    fn check(schema: &Value) -> bool {
        let properties = schema["properties"].as_object();
        let is_closed = properties.is_none_or(|properties| {
            let required = schema["required"].as_array();
            let is_required = |name: &String| {
                required.is_some_and(|required| required.iter().any(|own| own == name.as_str()))
            };
            schema["additionalProperties"] == false && properties.keys().all(is_required)
        });
        let fields = properties
            .into_iter()
            .flat_map(|properties| properties.values());
        is_closed && fields.chain(schema.get("items")).all(check)
    }
    let schema: Value = serde_json::from_str(schema).unwrap_or_default();
    schema["properties"].is_object() && check(&schema)
}
