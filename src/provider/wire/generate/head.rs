//! What stands before the conversation: our prompt, the tools, how to think and to answer.
//!
//! It is the same from turn to turn, and so are its bytes.

use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::provider::Effort;
use crate::provider::Error;
use crate::provider::Request;
use crate::provider::Thinking;
use crate::provider::wire::generate::schema;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

/// How a model is told to think, and what goes with that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinks {
    /// It does not, or we know nothing of it: nothing is said.
    Unsaid,
    /// By a budget of tokens.
    Budget {
        /// The least that is thinking at all.
        min: u64,
        /// The most.
        max: u64,
        /// Whether it can do without.
        can_be_off: bool,
    },
    /// By a word: models from the third generation on. They also want signatures on calls, and
    /// take tools and a schema for the answer together.
    Level(&'static [Effort]),
}

/// Everything of the body but the contents, as one object. Fails only if a schema is not JSON.
pub fn encode(thinks: Thinks, request: &Request<'_>) -> Result<Vec<u8>, Error> {
    let declarations = request.tools.iter().map(Declaration::of);
    let declarations: Vec<Declaration<'_>> = declarations.collect::<Result<_, _>>()?;
    let has_tools = !declarations.is_empty();
    let schema = request
        .schema
        .map(|schema| cut(schema, "the output schema"));
    let mut schema = schema.transpose()?;
    let mut system = request.system.to_string();
    // Older models refuse a schema beside tools: there it is asked for in words.
    if has_tools && !matches!(thinks, Thinks::Level(_)) {
        schema = None;
        if let Some(schema) = request.schema {
            system.push_str("\n\nThe last answer must be nothing but JSON that fits this schema: ");
            system.push_str(schema);
        }
    }
    let config = GenerationConfig {
        max_output_tokens: request.output_max,
        thinking_config: ThinkingConfig::of(thinks, request.thinking),
        response_mime_type: schema.is_some().then_some("application/json"),
        response_schema: schema,
    };
    let head = Head {
        system_instruction: (!system.is_empty()).then_some(System {
            parts: [Text { text: &system }],
        }),
        tools: tools(declarations, request.search),
        tool_config: has_tools.then(|| match request.search {
            false => json!({"functionCallingConfig": {"mode": "AUTO"}}),
            // Tools of theirs beside tools of ours: what theirs do is told, and wanted back.
            true => json!({
                "functionCallingConfig": {"mode": "AUTO"},
                "includeServerSideToolInvocations": true,
            }),
        }),
        generation_config: (config != GenerationConfig::default()).then_some(config),
    };
    Ok(serde_json::to_vec(&head).expect("texts and lists always have a JSON form"))
}

/// Our tools, and the service's own search behind them.
fn tools(declarations: Vec<Declaration<'_>>, has_search: bool) -> Vec<Tools<'_>> {
    let own = (!declarations.is_empty()).then_some(Tools::FunctionDeclarations(declarations));
    let search = has_search.then_some(Tools::GoogleSearch(NoOptions {}));
    own.into_iter().chain(search).collect()
}

/// A schema as the service takes it.
fn cut(json: &str, what: &str) -> Result<Value, Error> {
    let schema = serde_json::from_str(json).map_err(|error| Error::Settings {
        detail: format!("{what} is not valid JSON: {error}"),
    })?;
    Ok(schema::cut(&schema))
}

/// The fields in the order in which they are sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<System<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tools<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_config: Option<GenerationConfig>,
}

#[derive(Serialize)]
struct System<'a> {
    parts: [Text<'a>; 1],
}

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Tools<'a> {
    FunctionDeclarations(Vec<Declaration<'a>>),
    GoogleSearch(NoOptions),
}

#[derive(Serialize)]
struct NoOptions {}

#[derive(Serialize)]
struct Declaration<'a> {
    name: &'a str,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Value>,
}

impl Declaration<'_> {
    fn of(spec: &ToolSpec) -> Result<Declaration<'static>, Error> {
        let parameters = match spec.input {
            Input::Schema(json) => cut(json, &format!("the schema of the tool {}", spec.name))?,
            // The grammar is all that says how the text is to be written.
            Input::Freeform { grammar, field } => json!({
                "type": "object",
                "properties": {field: {
                    "type": "string",
                    "description": format!("Text in this grammar (Lark):\n{grammar}"),
                }},
                "required": [field],
            }),
        };
        Ok(Declaration {
            name: spec.name,
            description: spec.description,
            parameters: (!schema::is_empty_object(&parameters)).then_some(parameters),
        })
    }
}

#[derive(Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct GenerationConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_schema: Option<Value>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThinkingConfig {
    include_thoughts: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
}

impl ThinkingConfig {
    /// What nobody said is the model's to choose.
    fn of(thinks: Thinks, thinking: Thinking) -> Option<ThinkingConfig> {
        let is_said = thinking.is_off || thinking.effort.is_some() || thinking.budget.is_some();
        let mut config = ThinkingConfig {
            include_thoughts: !thinking.is_off,
            thinking_budget: None,
            thinking_level: None,
        };
        match thinks {
            Thinks::Unsaid => return None,
            Thinks::Budget {
                min,
                max,
                can_be_off,
            } => {
                let budget = is_said.then(|| match thinking.as_budget() {
                    0 if can_be_off => 0,
                    budget => budget.clamp(min, max),
                });
                config.include_thoughts &= budget != Some(0);
                config.thinking_budget = budget;
            }
            Thinks::Level(levels) => {
                let effort = match thinking.is_off {
                    true => Some(Effort::Off),
                    false => thinking.as_effort(),
                };
                config.thinking_level = effort.and_then(|effort| level(levels, effort));
            }
        }
        Some(config)
    }
}

/// The least of `levels` that is not below `effort`, else the highest.
fn level(levels: &[Effort], effort: Effort) -> Option<&'static str> {
    let least = levels.iter().find(|level| **level >= effort);
    least.or(levels.last()).map(|level| level.word())
}
