//! Tools that take free text, where a service has functions only: a function with one string field.

use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use serde_json::json;
use serde_json::value::RawValue;
use serde_json::value::to_raw_value;

/// The field of a text whose tool is not on offer any more.
const FIELD: &str = "input";

/// Each tool that takes free text, and the field that it has as a function.
pub type Fields = Vec<(&'static str, &'static str)>;

/// The fields of the tools on offer.
pub fn fields(tools: &[ToolSpec]) -> Fields {
    let fields = tools.iter().filter_map(|tool| match tool.input {
        Input::Freeform { field, .. } => Some((tool.name, field)),
        Input::Schema(_) => None,
    });
    fields.collect()
}

/// The schema of such a function. Nobody enforces the grammar then, so the model is told.
pub fn schema(grammar: &str, field: &str) -> Box<RawValue> {
    let description = format!("Text in this grammar (Lark):\n{grammar}");
    let schema = json!({
        "type": "object",
        "properties": {field: {"type": "string", "description": description}},
        "required": [field],
        "additionalProperties": false,
    });
    to_raw_value(&schema).expect("a JSON value has a JSON form")
}

/// The arguments of a call that the model wrote as free text.
pub fn arguments(fields: &Fields, tool: &str, text: &str) -> String {
    let known = fields.iter().find(|(name, _)| *name == tool);
    let field = known.map_or(FIELD, |(_, field)| *field);
    json!({ field: text }).to_string()
}
