//! Anthropic's messages: who may speak when, what a call wants after it, thoughts and their
//! signatures, breakpoints.

use super::At;
use super::Found;
use super::schema;
use super::seal;

const TOP: &[&str] = &[
    "container",
    "context_management",
    "metadata",
    "output_config",
    "service_tier",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

const EFFORTS: &[&str] = &["low", "medium", "high", "xhigh", "max"];

const BREAKPOINTS_MAX: usize = 4;

pub(super) fn validate(body: &At<'_>) -> Found<()> {
    body.fields(&["model", "max_tokens", "messages"], TOP)?;
    body.need("model")?.full_text()?;
    let output_max = body.need("max_tokens")?.count()?;
    body.check(output_max > 0, "max_tokens: at least 1")?;
    let thinks = thinking(body, output_max)?;
    sampling(body, thinks)?;
    tools(body, thinks)?;
    if let Some(system) = body.field("system") {
        match system.value.is_string() {
            true => system.full_text().map(|_| ())?,
            false => system.full_list()?.iter().try_for_each(|block| {
                block.need("type")?.word(&["text"])?;
                text_block(block)
            })?,
        }
    }
    let breakpoints = breakpoints(body)?;
    let why = format!("at most {BREAKPOINTS_MAX} blocks with cache_control, found {breakpoints}");
    body.check(breakpoints <= BREAKPOINTS_MAX, &why)?;
    messages(&body.need("messages")?, thinks)
}

/// How it thinks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Thinks {
    No,
    Budget,
    Adaptive,
}

fn thinking(body: &At<'_>, output_max: u64) -> Found<Thinks> {
    if let Some(config) = body.field("output_config") {
        config.fields(&[], &["effort", "format"])?;
        config
            .field("effort")
            .map(|effort| effort.word(EFFORTS))
            .transpose()?;
        if let Some(format) = config.field("format") {
            format.fields(&["type", "schema"], &[])?;
            format.need("type")?.word(&["json_schema"])?;
            schema::strict(&format.need("schema")?)?;
        }
    }
    let Some(thinking) = body.field("thinking") else {
        return Ok(Thinks::No);
    };
    let kind = thinking.need("type")?;
    match kind.word(&["enabled", "disabled", "adaptive", "between_tools"])? {
        "enabled" => {
            thinking.fields(&["type", "budget_tokens"], &["display"])?;
            let budget = thinking.need("budget_tokens")?;
            let tokens = budget.count()?;
            budget.check(tokens >= 1_024, "at least 1024")?;
            budget.check(tokens < output_max, "must be less than max_tokens")?;
            Ok(Thinks::Budget)
        }
        "adaptive" => {
            thinking.fields(&["type"], &["display", "block_binding"])?;
            let display = thinking.field("display");
            display
                .map(|word| word.word(&["summarized", "omitted"]))
                .transpose()?;
            Ok(Thinks::Adaptive)
        }
        _ => thinking.fields(&["type"], &[]).map(|()| Thinks::No),
    }
}

fn sampling(body: &At<'_>, thinks: Thinks) -> Found<()> {
    if let Some(temperature) = body.field("temperature") {
        let is_fit = thinks == Thinks::No || temperature.value == 1;
        temperature.check(is_fit, "may only be 1 when thinking is enabled")?;
    }
    if let Some(top_k) = body.field("top_k") {
        top_k.check(
            thinks == Thinks::No,
            "must be unset when thinking is enabled",
        )?;
    }
    Ok(())
}

fn tools(body: &At<'_>, thinks: Thinks) -> Found<()> {
    let tools = body.field("tools").map(|tools| tools.list()).transpose()?;
    let tools = tools.unwrap_or_default();
    let mut names = Vec::new();
    for tool in &tools {
        let kind = tool.field("type").map(|kind| kind.text()).transpose()?;
        names.push(tool.need("name")?.name(128, "_-")?);
        if kind.is_some_and(|kind| kind != "custom") {
            continue;
        }
        let known = ["description", "cache_control", "type", "strict"];
        tool.fields(&["name", "input_schema"], &known)?;
        let input = tool.need("input_schema")?;
        schema::of_arguments(&input)?;
        if tool.field("strict").map(|flag| flag.flag()).transpose()? == Some(true) {
            schema::strict(&input)?;
        }
    }
    body.distinct(&names)?;
    let Some(choice) = body.field("tool_choice") else {
        return Ok(());
    };
    choice.check(
        !tools.is_empty(),
        "may only be specified while providing tools",
    )?;
    choice.fields(&["type"], &["name", "disable_parallel_tool_use"])?;
    let word = choice
        .need("type")?
        .word(&["auto", "any", "tool", "none"])?;
    let forces = ["any", "tool"].contains(&word);
    choice.check(
        !forces || thinks == Thinks::No,
        "thinking may not be forced to use a tool",
    )
}

/// How many breakpoints there are below here.
fn breakpoints(at: &At<'_>) -> Found<usize> {
    let mut count = 0;
    if let Some(control) = at.field("cache_control") {
        control.fields(&["type"], &["ttl"])?;
        control.need("type")?.word(&["ephemeral"])?;
        count += 1;
    }
    if at.value.is_array() {
        for item in at.list()? {
            count += breakpoints(&item)?;
        }
    }
    for name in ["tools", "system", "messages", "content"] {
        if let Some(field) = at.field(name) {
            count += breakpoints(&field)?;
        }
    }
    Ok(count)
}

fn messages(list: &At<'_>, thinks: Thinks) -> Found<()> {
    let mut last_role = "assistant";
    let mut open = Vec::new();
    let mut ids = Vec::new();
    // Whether the answer that began the calls which are being answered began with a thought.
    let mut began_with_thought = None;
    let mut can_go_on = true;
    for message in list.full_list()? {
        message.fields(&["role", "content"], &[])?;
        let role = message.need("role")?.word(&["user", "assistant"])?;
        message.check(role != last_role, "roles must alternate, the user first")?;
        last_role = role;
        let content = message.need("content")?;
        if content.value.is_string() {
            content.full_text()?;
            content.check(open.is_empty(), "tool_use ids without tool_result blocks")?;
            began_with_thought = None;
            continue;
        }
        let blocks = content.full_list()?;
        if role == "user" {
            let results = user(&message, &blocks, &mut open)?;
            if results == 0 {
                began_with_thought = None;
            }
            can_go_on = true;
        } else {
            open = assistant(&message, &blocks)?;
            ids.extend(open.iter().copied());
            let first = blocks[0].need("type")?.text()?;
            began_with_thought.get_or_insert(first.ends_with("thinking"));
            let last = blocks[blocks.len() - 1].need("type")?.text()?;
            can_go_on = last.ends_with("_tool_result");
        }
    }
    list.distinct(&ids)?;
    list.check(open.is_empty(), "tool_use ids without tool_result blocks")?;
    list.check(can_go_on, "the conversation must end with a user message")?;
    let is_fit = thinks != Thinks::Budget || began_with_thought != Some(false);
    list.check(is_fit, "expected thinking, but found tool_use")
}

/// Checks a user message, and how many results it begins with.
fn user(message: &At<'_>, blocks: &[At<'_>], open: &mut Vec<&str>) -> Found<usize> {
    let mut results = 0;
    for (index, block) in blocks.iter().enumerate() {
        match block
            .need("type")?
            .word(&["text", "image", "tool_result"])?
        {
            "tool_result" => {
                let is_first = index == results;
                block.check(
                    is_first,
                    "tool_result blocks must come first in the message",
                )?;
                let id = block.need("tool_use_id")?.text()?;
                let Some(place) = open.iter().position(|own| *own == id) else {
                    return block.refuse("unexpected tool_use_id in tool_result");
                };
                open.remove(place);
                result(block)?;
                results += 1;
            }
            "image" => image(block)?,
            _ => text_block(block)?,
        }
    }
    message.check(open.is_empty(), "tool_use ids without tool_result blocks")?;
    Ok(results)
}

fn result(block: &At<'_>) -> Found<()> {
    let known = ["content", "is_error", "cache_control"];
    block.fields(&["type", "tool_use_id"], &known)?;
    let is_error = block
        .field("is_error")
        .map(|flag| flag.flag())
        .transpose()?;
    let Some(content) = block.field("content") else {
        return Ok(());
    };
    if content.value.is_string() {
        return Ok(());
    }
    for part in content.full_list()? {
        match part.need("type")?.word(&["text", "image"])? {
            "image" => {
                part.check(
                    is_error != Some(true),
                    "all content must be text if is_error",
                )?;
                image(&part)?;
            }
            _ => text_block(&part)?,
        }
    }
    Ok(())
}

fn text_block(block: &At<'_>) -> Found<()> {
    block.fields(&["type", "text"], &["cache_control", "citations"])?;
    block.need("text")?.full_text()?;
    Ok(())
}

fn image(block: &At<'_>) -> Found<()> {
    block.fields(&["type", "source"], &["cache_control"])?;
    let source = block.need("source")?;
    source.fields(&["type", "media_type", "data"], &[])?;
    source.need("type")?.word(&["base64"])?;
    let kinds = ["image/png", "image/jpeg", "image/gif", "image/webp"];
    source
        .need("data")?
        .picture(source.need("media_type")?.text()?, &kinds)
}

/// Checks an answer, and gives the ids of its calls.
fn assistant<'a>(message: &At<'a>, blocks: &[At<'a>]) -> Found<Vec<&'a str>> {
    let mut calls = Vec::new();
    for block in blocks {
        match block.need("type")?.text()? {
            "text" => text_block(block)?,
            "thinking" => {
                block.fields(&["type", "thinking", "signature"], &[])?;
                let signed = seal(&["thinking", block.need("thinking")?.text()?]);
                let is_own = block.need("signature")?.text()? == signed;
                block.check(is_own, "Invalid `signature` in `thinking` block")?;
            }
            "redacted_thinking" => {
                block.fields(&["type", "data"], &[])?;
                let is_own = block.need("data")?.text()? == seal(&["redacted"]);
                block.check(is_own, "invalid data in redacted_thinking block")?;
            }
            "tool_use" => {
                block.fields(
                    &["type", "id", "name", "input"],
                    &["cache_control", "caller"],
                )?;
                calls.push(block.need("id")?.name(64, "_-")?);
                block.need("name")?.name(128, "_-")?;
                let input = block.need("input")?;
                input.check(input.value.is_object(), "Input should be an object")?;
            }
            "server_tool_use" | "web_search_tool_result" => {}
            other => return block.refuse(&format!("{other} is no block of an answer")),
        }
    }
    let last = blocks[blocks.len() - 1].need("type")?.text()?;
    let ends_well = !last.ends_with("thinking");
    message.check(
        ends_well,
        "the final block in an assistant message cannot be `thinking`",
    )?;
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::seal;
    use crate::strict::Wire;
    use crate::strict::check_refusals;
    use serde_json::json;

    #[test]
    fn what_anthropic_refuses_is_refused() {
        let text = json!({"type": "text", "text": "a"});
        let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "read", "input": {}});
        let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "x"});
        let thought = json!({"type": "thinking", "thinking": "hm",
            "signature": seal(&["thinking", "hm"])});
        let marked = json!({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}});
        let png = json!({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="});
        let image = json!({"type": "image", "source": png});
        let good = json!({
            "model": "m", "max_tokens": 4096, "stream": true,
            "thinking": {"type": "enabled", "budget_tokens": 2048},
            "system": [marked],
            "tools": [{"name": "read", "description": "", "input_schema": {"type": "object"},
                "cache_control": {"type": "ephemeral"}}],
            "tool_choice": {"type": "auto"},
            "messages": [
                {"role": "user", "content": [text, image]},
                {"role": "assistant", "content": [thought, call("a"), call("b")]},
                {"role": "user", "content": [result("b"), result("a"), marked]},
            ],
        });
        let answer = |blocks: serde_json::Value| json!({"role": "assistant", "content": blocks});
        let rows = [
            ("/model", json!(""), "an empty text"),
            ("/max_tokens", json!(0), "at least 1"),
            ("/max_tokens", json!(2048), "less than max_tokens"),
            ("/thinking/budget_tokens", json!(100), "at least 1024"),
            ("/thinking/type", json!("on"), "none of"),
            ("/temperature", json!(0), "may only be 1"),
            ("/top_k", json!(5), "must be unset"),
            ("/max_output_tokens", json!(5), "unknown field"),
            ("/tools/0/name", json!("a.b"), "is no name"),
            ("/tools/-", good["tools"][0].clone(), "twice"),
            ("/tools/0/input_schema", json!({}), "missing field type"),
            ("/tools/0/strict", json!(true), "additionalProperties"),
            ("/tool_choice/type", json!("any"), "forced"),
            ("/tools", json!([]), "while providing tools"),
            ("/system/0/text", json!(" "), "an empty text"),
            ("/messages", json!([]), "an empty list"),
            ("/messages/0/role", json!("system"), "none of"),
            ("/messages/0/content", json!([]), "an empty list"),
            ("/messages/0/content/0/text", json!(""), "an empty text"),
            (
                "/messages/0/content/1/source/data",
                json!("iVBO!"),
                "not base64",
            ),
            (
                "/messages/0/content/1/source/data",
                json!("R0lGODlh"),
                "no image/png",
            ),
            (
                "/messages/0/content/1/source/media_type",
                json!("image/bmp"),
                "no picture",
            ),
            (
                "/messages/0/content/1/source/type",
                json!("data"),
                "none of",
            ),
            ("/messages/0", json!(null), "the user first"),
            ("/messages/1", json!(null), "alternate"),
            ("/messages/2", json!(null), "without tool_result"),
            ("/messages/2/content/0", json!(null), "without tool_result"),
            ("/messages/2/content/-", result("b"), "come first"),
            (
                "/messages/2/content/0",
                result("c"),
                "unexpected tool_use_id",
            ),
            ("/messages/2/content", json!("x"), "without tool_result"),
            ("/messages/1/content/0", json!(null), "expected thinking"),
            (
                "/messages/1/content/0/signature",
                json!("x"),
                "Invalid `signature`",
            ),
            (
                "/messages/1/content/0/signature",
                json!(null),
                "missing field signature",
            ),
            (
                "/messages/1/content/0/thinking",
                json!("hm "),
                "Invalid `signature`",
            ),
            (
                "/messages/1/content/-",
                thought.clone(),
                "cannot be `thinking`",
            ),
            (
                "/messages/1/content/1/input",
                json!("{}"),
                "should be an object",
            ),
            ("/messages/1/content/1/id", json!("a|b"), "is no name"),
            (
                "/messages/1/content/1/id",
                json!("b"),
                "unexpected tool_use_id",
            ),
            (
                "/messages/1/content/-",
                json!({"type": "reasoning"}),
                "no block of an answer",
            ),
            (
                "/messages/-",
                answer(json!([text])),
                "end with a user message",
            ),
        ];
        check_refusals(Wire::Messages, &good, &rows);
        let many = json!([marked, marked, marked]);
        check_refusals(
            Wire::Messages,
            &good,
            &[("/messages/0/content", many, "at most 4 blocks")],
        );
        let error = json!({"type": "tool_result", "tool_use_id": "b", "is_error": true,
            "content": [image]});
        let row = ("/messages/2/content/0", error, "must be text");
        check_refusals(Wire::Messages, &good, &[row]);
    }
}
