//! Everything of a request's body but the input: the model, the prompt, the tools, what is wanted.

use super::Dialect;
use super::Shape;
use super::append;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::provider::Effort;
use crate::provider::Error;
use crate::provider::Request;
use crate::provider::complaint::Parameter;
use crate::provider::wire::freeform;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Everything of the body but the input.
pub(super) fn head(
    model: &str,
    request: &Request<'_>,
    dialect: &Dialect,
    tools: Vec<Tool<'_>>,
) -> Result<Vec<u8>, Error> {
    let schema = request
        .schema
        .map(|schema| raw(schema, "the output schema"));
    let text = schema.transpose()?.map(|schema| TextOptions {
        format: Format {
            kind: "json_schema",
            name: "answer",
            strict: true,
            schema,
        },
    });
    // Without tools the service does not want to hear how they are to be called.
    let has_tools = !tools.is_empty() || dialect.shape == Shape::Lite && !request.tools.is_empty();
    let is_lite = dialect.shape == Shape::Lite;
    let has_reasoning = dialect.has_reasoning;
    let lessons = &dialect.lessons;
    let has_field = lessons.takes(Parameter::Reasoning);
    let effort = lessons.effort(request.thinking.as_effort(), dialect.efforts);
    let has_summary = has_field && has_reasoning && lessons.takes(Parameter::Summary);
    let has_include = has_reasoning && lessons.takes(Parameter::Include);
    let has_choice = has_tools && lessons.takes(Parameter::ToolChoice);
    let has_parallel = has_tools && lessons.takes(Parameter::ParallelToolCalls);
    let has_output_max = dialect.has_output_max && lessons.takes(Parameter::MaxOutputTokens);
    let has_key = lessons.takes(Parameter::PromptCacheKey);
    let head = Head {
        model,
        instructions: (!is_lite).then_some(request.system),
        tools,
        tool_choice: has_choice.then_some("auto"),
        parallel_tool_calls: has_parallel.then_some(!is_lite),
        reasoning: Reasoning {
            effort: effort.filter(|_| has_field).map(effort_word),
            summary: (has_summary && !request.thinking.is_off).then_some("auto"),
            context: (has_field && is_lite).then_some("all_turns"),
        },
        max_output_tokens: request.output_max.filter(|_| has_output_max),
        store: false,
        stream: true,
        include: has_include.then_some(["reasoning.encrypted_content"]),
        prompt_cache_key: if has_key { request.session } else { "" },
        text,
    };
    let mut bytes = Vec::new();
    append(&mut bytes, &head);
    Ok(bytes)
}

/// The wire's own words; only the lowest has another name.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Reasoning::is_default")]
    reasoning: Reasoning,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    store: bool,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    include: Option<[&'a str; 1]>,
    #[serde(skip_serializing_if = "str::is_empty")]
    prompt_cache_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<TextOptions<'a>>,
}

#[derive(Serialize)]
struct Reasoning {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'static str>,
}

impl Reasoning {
    fn is_default(&self) -> bool {
        self.effort.is_none() && self.summary.is_none() && self.context.is_none()
    }
}

#[derive(Serialize)]
struct TextOptions<'a> {
    format: Format<'a>,
}

#[derive(Serialize)]
struct Format<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    name: &'a str,
    strict: bool,
    schema: &'a RawValue,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Tool<'a> {
    Function {
        name: &'a str,
        description: &'a str,
        strict: bool,
        parameters: Cow<'a, RawValue>,
    },
    Custom {
        name: &'a str,
        description: &'a str,
        format: Grammar<'a>,
    },
    /// The service's own.
    WebSearch {
        #[serde(skip_serializing_if = "Option::is_none")]
        external_web_access: Option<bool>,
    },
}

/// Tools under one name.
#[derive(Serialize)]
pub(super) struct Namespace<'a> {
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub name: &'a str,
    pub description: &'a str,
    pub tools: Vec<Tool<'a>>,
}

#[derive(Serialize)]
pub(super) struct Grammar<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    syntax: &'a str,
    definition: &'a str,
}

impl<'a> Tool<'a> {
    pub(super) fn of(spec: &ToolSpec, dialect: &Dialect) -> Result<Tool<'a>, Error> {
        let (name, description) = (spec.name, spec.description);
        Ok(match spec.input {
            Input::Schema(schema) => Tool::Function {
                name,
                description,
                // Strict schemas would have to list every field as required.
                strict: false,
                parameters: Cow::Borrowed(raw(schema, &format!("the schema of the tool {name}"))?),
            },
            Input::Freeform { grammar, field } if !dialect.has_freeform => Tool::Function {
                name,
                description,
                strict: false,
                parameters: Cow::Owned(freeform::schema(grammar, field)),
            },
            Input::Freeform { grammar, .. } => Tool::Custom {
                name,
                description,
                format: Grammar {
                    kind: "grammar",
                    syntax: "lark",
                    definition: grammar,
                },
            },
        })
    }
}
