//! Chat Completions at a server that knows its own fields only: the prompt first, the answers to
//! calls right behind them, arguments that are an object.

use super::At;
use super::Found;
use super::schema;
use serde_json::Value;

const TOP: &[&str] = &[
    "frequency_penalty",
    "max_completion_tokens",
    "max_tokens",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt_cache_key",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
    "user",
];

const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];

pub(super) fn validate(body: &At<'_>) -> Found<()> {
    body.fields(&["model", "messages"], TOP)?;
    body.need("model")?.full_text()?;
    let has_both = body.field("max_tokens").is_some();
    let has_both = has_both && body.field("max_completion_tokens").is_some();
    body.check(!has_both, "max_tokens and max_completion_tokens together")?;
    if let Some(options) = body.field("stream_options") {
        let is_stream = body.field("stream").map(|flag| flag.flag()).transpose()? == Some(true);
        options.check(is_stream, "only allowed when stream is enabled")?;
        options.fields(&["include_usage"], &["include_obfuscation"])?;
    }
    body.field("reasoning_effort")
        .map(|word| word.word(EFFORTS))
        .transpose()?;
    if let Some(format) = body.field("response_format") {
        format.fields(&["type", "json_schema"], &[])?;
        format.need("type")?.word(&["json_schema"])?;
        let wanted = format.need("json_schema")?;
        wanted.fields(&["name", "schema"], &["strict", "description"])?;
        wanted.need("name")?.name(64, "_-")?;
        if wanted.field("strict").map(|flag| flag.flag()).transpose()? == Some(true) {
            schema::strict(&wanted.need("schema")?)?;
        }
    }
    tools(body)?;
    messages(&body.need("messages")?)
}

fn tools(body: &At<'_>) -> Found<()> {
    let tools = body
        .field("tools")
        .map(|tools| tools.full_list())
        .transpose()?;
    let tools = tools.unwrap_or_default();
    let mut names = Vec::new();
    for tool in &tools {
        tool.fields(&["type", "function"], &[])?;
        tool.need("type")?.word(&["function"])?;
        let function = tool.need("function")?;
        function.fields(&["name"], &["description", "parameters", "strict"])?;
        names.push(function.need("name")?.name(64, "_-")?);
        if let Some(parameters) = function.field("parameters") {
            schema::of_arguments(&parameters)?;
            if function
                .field("strict")
                .map(|flag| flag.flag())
                .transpose()?
                == Some(true)
            {
                schema::strict(&parameters)?;
            }
        }
    }
    body.distinct(&names)?;
    for name in ["tool_choice", "parallel_tool_calls"] {
        if let Some(field) = body.field(name) {
            field.check(!tools.is_empty(), "only allowed when tools are specified")?;
        }
    }
    Ok(())
}

fn messages(list: &At<'_>) -> Found<()> {
    let mut open: Vec<&str> = Vec::new();
    let mut last = "system";
    for (index, message) in list.full_list()?.iter().enumerate() {
        let role =
            message
                .need("role")?
                .word(&["system", "developer", "user", "assistant", "tool"])?;
        let is_answered = open.is_empty() || role == "tool";
        message.check(is_answered, "tool_calls must be followed by tool messages")?;
        match role {
            "system" | "developer" => {
                message.check(index == 0, "the prompt is not first")?;
                message.fields(&["role", "content"], &[])?;
                text(&message.need("content")?)?;
            }
            "user" => {
                message.fields(&["role", "content"], &["name"])?;
                said(&message.need("content")?)?;
            }
            "tool" => {
                message.fields(&["role", "content", "tool_call_id"], &[])?;
                let id = message.need("tool_call_id")?.text()?;
                let Some(place) = open.iter().position(|own| *own == id) else {
                    return message.refuse("a tool message without its tool call");
                };
                open.remove(place);
                let content = message.need("content")?;
                if !content.value.is_string() {
                    content.full_list()?.iter().try_for_each(text_part)?;
                }
            }
            _ => open = assistant(message)?,
        }
        last = role;
    }
    list.check(
        open.is_empty(),
        "tool_calls must be followed by tool messages",
    )?;
    list.check(["user", "tool"].contains(&last), "nothing to answer")
}

/// Checks an answer, and gives the ids of its calls.
fn assistant<'a>(message: &At<'a>) -> Found<Vec<&'a str>> {
    message.fields(&["role"], &["content", "tool_calls", "refusal"])?;
    let calls = message
        .field("tool_calls")
        .map(|calls| calls.full_list())
        .transpose()?;
    let calls = calls.unwrap_or_default();
    match message.field("content") {
        Some(content) => text(&content)?,
        None => message.check(!calls.is_empty(), "content or tool_calls is required")?,
    }
    let mut ids = Vec::new();
    for call in &calls {
        call.fields(&["id", "type", "function"], &[])?;
        call.need("type")?.word(&["function"])?;
        ids.push(call.need("id")?.full_text()?);
        let function = call.need("function")?;
        function.fields(&["name", "arguments"], &[])?;
        function.need("name")?.name(64, "_-")?;
        let arguments = function.need("arguments")?;
        let object: Option<Value> = serde_json::from_str(arguments.text()?).ok();
        arguments.check(
            object.is_some_and(|value| value.is_object()),
            "no JSON object",
        )?;
    }
    message.distinct(&ids)?;
    Ok(ids)
}

fn text(content: &At<'_>) -> Found<()> {
    match content.value.is_string() {
        true => content.full_text().map(|_| ()),
        false => content.full_list()?.iter().try_for_each(text_part),
    }
}

fn text_part(part: &At<'_>) -> Found<()> {
    part.fields(&["type", "text"], &[])?;
    part.need("type")?.word(&["text"])?;
    part.need("text")?.full_text().map(|_| ())
}

fn said(content: &At<'_>) -> Found<()> {
    if content.value.is_string() {
        return content.full_text().map(|_| ());
    }
    for part in content.full_list()? {
        match part.need("type")?.word(&["text", "image_url"])? {
            "image_url" => {
                part.fields(&["type", "image_url"], &[])?;
                let image = part.need("image_url")?;
                image.fields(&["url"], &["detail"])?;
                image.need("url")?.picture_url()?;
            }
            _ => text_part(&part)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::strict::Wire;
    use crate::strict::check_refusals;
    use serde_json::json;

    #[test]
    fn what_a_strict_server_refuses_is_refused() {
        let call = |id: &str| {
            json!({"id": id, "type": "function",
                "function": {"name": "read", "arguments": "{}"}})
        };
        let good = json!({
            "model": "m", "stream": true, "stream_options": {"include_usage": true},
            "max_tokens": 5, "reasoning_effort": "low", "tool_choice": "auto",
            "tools": [{"type": "function", "function": {"name": "read", "description": "",
                "parameters": {"type": "object"}}}],
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image_url",
                        "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]},
                {"role": "assistant", "tool_calls": [call("a"), call("b")]},
                {"role": "tool", "tool_call_id": "b", "content": "x"},
                {"role": "tool", "tool_call_id": "a", "content": "x"},
            ],
        });
        let rows = [
            ("/input", json!([]), "unknown field"),
            ("/max_completion_tokens", json!(5), "together"),
            ("/stream", json!(false), "only allowed when stream"),
            ("/reasoning_effort", json!("off"), "none of"),
            ("/tools", json!(null), "only allowed when tools"),
            ("/tools/0/function/name", json!("a b"), "is no name"),
            (
                "/tools/0/function/strict",
                json!(true),
                "additionalProperties",
            ),
            ("/tools/-", good["tools"][0].clone(), "twice"),
            ("/messages/0/role", json!("root"), "none of"),
            ("/messages/1/role", json!("developer"), "not first"),
            ("/messages/1/content/0/text", json!(" "), "an empty text"),
            (
                "/messages/1/content/1/image_url/url",
                json!("x"),
                "not a data URL",
            ),
            (
                "/messages/2/tool_calls/0/function/arguments",
                json!("{"),
                "no JSON object",
            ),
            (
                "/messages/2/tool_calls/0/function/arguments",
                json!("[]"),
                "no JSON object",
            ),
            ("/messages/2/tool_calls/0/id", json!("b"), "twice"),
            ("/messages/2/tool_calls", json!(null), "is required"),
            (
                "/messages/2/reasoning_content",
                json!("hm"),
                "unknown field",
            ),
            ("/messages/2", json!(null), "without its tool call"),
            ("/messages/4", json!(null), "must be followed"),
            ("/messages/4/role", json!("user"), "must be followed"),
            (
                "/messages/4/tool_call_id",
                json!("c"),
                "without its tool call",
            ),
            (
                "/messages/-",
                json!({"role": "assistant", "content": "b"}),
                "nothing to answer",
            ),
        ];
        check_refusals(Wire::Completions, &good, &rows);
    }
}
