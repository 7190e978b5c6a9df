//! Responses, at ChatGPT and at OpenAI: what the body has, what an item may say, an output for each
//! call behind it, sealed thoughts.

use super::At;
use super::Found;
use super::Wire;
use super::schema;
use super::seal;

/// What ChatGPT's own service knows.
const AT_CODEX: &[&str] = &[
    "client_metadata",
    "include",
    "instructions",
    "parallel_tool_calls",
    "prompt_cache_key",
    "reasoning",
    "service_tier",
    "text",
    "tool_choice",
    "tools",
];

/// What OpenAI knows beside that.
const AT_OPENAI: &[&str] = &[
    "background",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "previous_response_id",
    "safety_identifier",
    "temperature",
    "top_logprobs",
    "top_p",
    "truncation",
];

const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// A call of a function, and what answers it.
const FUNCTION: (&str, &str) = ("function_call", "function_call_output");

/// The same for free text.
const CUSTOM: (&str, &str) = ("custom_tool_call", "custom_tool_call_output");

pub(super) fn validate(wire: Wire, body: &At<'_>) -> Found<()> {
    let at_openai = match wire {
        Wire::Codex => &[][..],
        _ => AT_OPENAI,
    };
    let optional = [AT_CODEX, at_openai].concat();
    body.fields(&["model", "input", "store", "stream"], &optional)?;
    body.need("model")?.full_text()?;
    let store = body.need("store")?;
    store.check(!store.flag()?, "Store must be set to false")?;
    let stream = body.need("stream")?;
    stream.check(stream.flag()?, "Stream must be set to true")?;
    let items = body.need("input")?.full_list()?;
    let has_lead = items[0]
        .field("type")
        .is_some_and(|kind| kind.value == "additional_tools");
    if wire == Wire::Codex && !has_lead {
        body.need("instructions")?.full_text()?;
    }
    wants(body)?;
    tools(body)?;
    input(wire, &body.need("input")?, &items)
}

/// What is said of thinking, of what comes back, of the form of the answer.
fn wants(body: &At<'_>) -> Found<()> {
    if let Some(reasoning) = body.field("reasoning") {
        reasoning.fields(&[], &["effort", "summary", "context"])?;
        reasoning
            .field("effort")
            .map(|word| word.word(EFFORTS))
            .transpose()?;
        let summary = reasoning.field("summary");
        summary
            .map(|word| word.word(&["auto", "concise", "detailed"]))
            .transpose()?;
    }
    for name in body
        .field("include")
        .map(|list| list.list())
        .transpose()?
        .into_iter()
        .flatten()
    {
        name.word(&[
            "reasoning.encrypted_content",
            "web_search_call.action.sources",
        ])?;
    }
    let Some(text) = body.field("text") else {
        return Ok(());
    };
    text.fields(&[], &["format", "verbosity"])?;
    let Some(format) = text.field("format") else {
        return Ok(());
    };
    format.fields(&["type", "name", "schema"], &["strict", "description"])?;
    format.need("type")?.word(&["json_schema"])?;
    format.need("name")?.name(64, "_-")?;
    schema::strict(&format.need("schema")?)
}

fn tools(body: &At<'_>) -> Found<()> {
    let tools = body
        .field("tools")
        .map(|tools| tools.list())
        .transpose()?
        .unwrap_or_default();
    let names = tools.iter().map(tool).collect::<Found<Vec<_>>>()?;
    let names: Vec<&str> = names.into_iter().flatten().collect();
    body.distinct(&names)?;
    if let Some(choice) = body.field("tool_choice") {
        choice.check(!tools.is_empty(), "tool_choice without tools")?;
        choice.word(&["auto", "none", "required"])?;
    }
    if let Some(parallel) = body.field("parallel_tool_calls") {
        parallel.flag()?;
    }
    Ok(())
}

/// Checks a tool, and gives its name if it has one.
fn tool<'a>(tool: &At<'a>) -> Found<Option<&'a str>> {
    match tool
        .need("type")?
        .word(&["function", "custom", "web_search", "namespace"])?
    {
        "function" => {
            tool.fields(&["type", "name", "parameters"], &["description", "strict"])?;
            let parameters = tool.need("parameters")?;
            schema::of_arguments(&parameters)?;
            if tool.field("strict").map(|flag| flag.flag()).transpose()? == Some(true) {
                schema::strict(&parameters)?;
            }
            tool.need("name")?.name(64, "_-").map(Some)
        }
        "custom" => {
            tool.fields(&["type", "name"], &["description", "format"])?;
            if let Some(format) = tool.field("format") {
                format.fields(&["type", "syntax", "definition"], &[])?;
                format.need("type")?.word(&["grammar"])?;
                format.need("syntax")?.word(&["lark", "regex"])?;
                format.need("definition")?.full_text()?;
            }
            tool.need("name")?.name(64, "_-").map(Some)
        }
        "namespace" => {
            for inner in tool.need("tools")?.full_list()? {
                self::tool(&inner)?;
            }
            Ok(None)
        }
        _ => {
            let known = [
                "external_web_access",
                "filters",
                "search_context_size",
                "user_location",
            ];
            tool.fields(&["type"], &known).map(|()| None)
        }
    }
}

fn input(wire: Wire, list: &At<'_>, items: &[At<'_>]) -> Found<()> {
    let mut calls: Vec<(&str, &str)> = Vec::new();
    let mut open: Vec<(&str, &str)> = Vec::new();
    for item in items {
        let kind = item
            .field("type")
            .map_or(Ok("message"), |kind| kind.text())?;
        match kind {
            "message" => message(wire, item)?,
            "reasoning" => reasoning(item)?,
            "function_call" | "custom_tool_call" => {
                let field = if kind == FUNCTION.0 {
                    "arguments"
                } else {
                    "input"
                };
                item.fields(
                    &["type", "call_id", "name", field],
                    &["id", "status", "namespace"],
                )?;
                item.need(field)?.text()?;
                item.need("name")?.name(64, "_-")?;
                let call = (kind, item.need("call_id")?.name(64, "_-")?);
                calls.push(call);
                open.push(call);
            }
            "function_call_output" | "custom_tool_call_output" => {
                item.fields(&["type", "call_id", "output"], &["id", "status"])?;
                output(&item.need("output")?)?;
                let call = if kind == FUNCTION.1 {
                    FUNCTION.0
                } else {
                    CUSTOM.0
                };
                let id = item.need("call_id")?.text()?;
                let Some(place) = open.iter().position(|own| *own == (call, id)) else {
                    return item.refuse(&format!("no tool call found for output {id}"));
                };
                open.remove(place);
            }
            "web_search_call" => item.fields(&["type"], &["id", "status", "action"])?,
            "additional_tools" => {
                item.fields(&["type", "role", "tools"], &[])?;
                for inner in item.need("tools")?.full_list()? {
                    tool(&inner)?;
                }
            }
            other => return item.refuse(&format!("{other:?} is no item")),
        }
    }
    if let Some((_, id)) = open.first() {
        return list.refuse(&format!("no tool output found for call {id}"));
    }
    let ids: Vec<&str> = calls.iter().map(|(_, id)| *id).collect();
    list.distinct(&ids)
}

fn message(wire: Wire, item: &At<'_>) -> Found<()> {
    item.fields(&["role", "content"], &["type", "id", "status", "phase"])?;
    let role = item
        .need("role")?
        .word(&["user", "assistant", "developer", "system"])?;
    let is_known = wire != Wire::Codex || role != "system";
    item.check(is_known, "System messages are not allowed")?;
    let content = item.need("content")?;
    if content.value.is_string() {
        return content.full_text().map(|_| ());
    }
    for part in content.full_list()? {
        let kinds: &[&str] = match role {
            "assistant" => &["output_text", "refusal"],
            _ => &["input_text", "input_image"],
        };
        match part.need("type")?.word(kinds)? {
            "input_image" => picture(&part)?,
            "refusal" => part.fields(&["type", "refusal"], &[])?,
            "output_text" => {
                part.fields(&["type", "text"], &["annotations", "logprobs"])?;
                part.need("text")?.text()?;
            }
            _ => {
                part.fields(&["type", "text"], &[])?;
                part.need("text")?.full_text()?;
            }
        }
    }
    Ok(())
}

fn picture(part: &At<'_>) -> Found<()> {
    part.fields(&["type", "image_url"], &["detail"])?;
    let detail = part.field("detail");
    detail
        .map(|word| word.word(&["auto", "low", "high", "original"]))
        .transpose()?;
    part.need("image_url")?.picture_url()
}

fn output(output: &At<'_>) -> Found<()> {
    if output.value.is_string() {
        return Ok(());
    }
    for part in output.full_list()? {
        match part.need("type")?.word(&["input_text", "input_image"])? {
            "input_image" => picture(&part)?,
            _ => part.fields(&["type", "text"], &[])?,
        }
    }
    Ok(())
}

fn reasoning(item: &At<'_>) -> Found<()> {
    item.fields(
        &["type", "summary"],
        &["id", "encrypted_content", "content", "status"],
    )?;
    let mut texts = vec!["reasoning"];
    for part in item.need("summary")?.list()? {
        part.fields(&["type", "text"], &[])?;
        part.need("type")?.word(&["summary_text"])?;
        texts.push(part.need("text")?.text()?);
    }
    // Nothing of it is stored, so what is not sealed says nothing.
    let sealed = item.need("encrypted_content")?;
    let is_own = sealed.text()? == seal(&texts);
    sealed.check(is_own, "The encrypted content could not be verified")
}

#[cfg(test)]
mod tests {
    use super::seal;
    use crate::strict::Wire;
    use crate::strict::check_refusals;
    use serde_json::Value;
    use serde_json::json;

    fn good() -> Value {
        json!({
            "model": "m", "instructions": "i", "store": false, "stream": true,
            "tool_choice": "auto", "parallel_tool_calls": true, "prompt_cache_key": "k",
            "reasoning": {"effort": "low", "summary": "auto"},
            "include": ["reasoning.encrypted_content"],
            "tools": [
                {"type": "function", "name": "read", "description": "", "strict": false,
                    "parameters": {"type": "object"}},
                {"type": "custom", "name": "patch", "description": "",
                    "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
            ],
            "input": [
                {"type": "message", "role": "user", "content": [
                    {"type": "input_text", "text": "a"},
                    {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}]},
                {"type": "reasoning", "id": "rs_1",
                    "summary": [{"type": "summary_text", "text": "hm"}],
                    "encrypted_content": seal(&["reasoning", "hm"])},
                {"type": "function_call", "call_id": "a", "name": "read", "arguments": "{}"},
                {"type": "custom_tool_call", "call_id": "b", "name": "patch", "input": "x"},
                {"type": "function_call_output", "call_id": "a", "output": "x"},
                {"type": "custom_tool_call_output", "call_id": "b", "output": "x"},
                {"type": "message", "role": "assistant",
                    "content": [{"type": "output_text", "text": "b", "annotations": []}]},
            ],
        })
    }

    #[test]
    fn what_openai_refuses_is_refused() {
        let good = good();
        let strict = json!({"type": "function", "name": "f", "strict": true,
            "parameters": {"type": "object", "properties": {}}});
        let rows = [
            ("/store", json!(true), "false"),
            ("/stream", json!(false), "true"),
            ("/messages", json!([]), "unknown field"),
            ("/max_tokens", json!(5), "unknown field"),
            ("/input", json!([]), "an empty list"),
            ("/reasoning/effort", json!("off"), "none of"),
            ("/include/0", json!("all"), "none of"),
            ("/tools", json!([]), "tool_choice without tools"),
            ("/tools/-", good["tools"][0].clone(), "twice"),
            ("/tools/0/name", json!("a.b"), "is no name"),
            ("/tools/0/parameters", json!({}), "missing field type"),
            ("/tools/0", strict, "additionalProperties"),
            ("/tools/1/format/syntax", json!("ebnf"), "none of"),
            ("/tools/0/type", json!("tool"), "none of"),
            ("/input/0/role", json!("tool"), "none of"),
            ("/input/0/content/0/text", json!(""), "an empty text"),
            ("/input/0/content/0/type", json!("text"), "none of"),
            (
                "/input/0/content/1/image_url",
                json!("file:///a.png"),
                "not a data URL",
            ),
            (
                "/input/1/encrypted_content",
                json!("x"),
                "could not be verified",
            ),
            (
                "/input/1/encrypted_content",
                json!(null),
                "missing field encrypted_content",
            ),
            (
                "/input/1/summary/0/text",
                json!("hm "),
                "could not be verified",
            ),
            ("/input/2/arguments", json!({}), "not a text"),
            ("/input/2/call_id", json!("c"), "no tool call found"),
            ("/input/2", json!(null), "no tool call found"),
            ("/input/4", json!(null), "no tool output found"),
            (
                "/input/4/type",
                json!("custom_tool_call_output"),
                "no tool call found",
            ),
            ("/input/3/call_id", json!("a"), "no tool call found"),
            ("/input/6/content/0/type", json!("input_text"), "none of"),
            ("/input/6/type", json!("thought"), "is no item"),
            (
                "/text",
                json!({"format": {"type": "json_schema", "name": "a",
                "schema": {"type": "object"}}}),
                "additionalProperties",
            ),
        ];
        check_refusals(Wire::Responses, &good, &rows);
        check_refusals(Wire::Codex, &good, &rows);
    }

    #[test]
    fn chatgpt_refuses_more() {
        let rows = [
            ("/instructions", json!(null), "missing field instructions"),
            ("/instructions", json!(""), "an empty text"),
            ("/max_output_tokens", json!(5), "unknown field"),
            ("/temperature", json!(1), "unknown field"),
            (
                "/input/0/role",
                json!("system"),
                "System messages are not allowed",
            ),
        ];
        check_refusals(Wire::Codex, &good(), &rows);
    }
}
