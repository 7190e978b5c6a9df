//! Gemini's contents: who may speak when, a response for each call right after them, signatures on
//! the parts that they came with, schemas.

use super::At;
use super::Found;
use super::schema;
use super::seal_part;

/// What the vendor's documentation has for calls that come from elsewhere.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// What a part holds, one of them.
const DATA: &[&str] = &[
    "codeExecutionResult",
    "executableCode",
    "fileData",
    "functionCall",
    "functionResponse",
    "inlineData",
    "text",
];

pub(super) fn validate(body: &At<'_>) -> Found<()> {
    let known = [
        "cachedContent",
        "generationConfig",
        "safetySettings",
        "systemInstruction",
        "toolConfig",
        "tools",
    ];
    body.fields(&["contents"], &known)?;
    if let Some(system) = body.field("systemInstruction") {
        system.fields(&["parts"], &["role"])?;
        for part in system.need("parts")?.full_list()? {
            part.fields(&["text"], &[])?;
            part.need("text")?.full_text()?;
        }
    }
    tools(body)?;
    config(body)?;
    contents(&body.need("contents")?)
}

fn tools(body: &At<'_>) -> Found<()> {
    let tools = body
        .field("tools")
        .map(|tools| tools.full_list())
        .transpose()?;
    let mut names = Vec::new();
    for tool in tools.iter().flatten() {
        tool.fields(
            &[],
            &[
                "functionDeclarations",
                "googleSearch",
                "urlContext",
                "codeExecution",
            ],
        )?;
        let Some(functions) = tool.field("functionDeclarations") else {
            continue;
        };
        for function in functions.full_list()? {
            function.fields(
                &["name", "description"],
                &["parameters", "response", "behavior"],
            )?;
            names.push(name(&function.need("name")?)?);
            if let Some(parameters) = function.field("parameters") {
                schema::of_arguments(&parameters)?;
                schema::open_api(&parameters)?;
            }
        }
    }
    body.distinct(&names)?;
    let Some(config) = body.field("toolConfig") else {
        return Ok(());
    };
    config.check(
        !names.is_empty(),
        "function calling config is set without functions",
    )?;
    config.fields(
        &["functionCallingConfig"],
        &["includeServerSideToolInvocations"],
    )?;
    let calling = config.need("functionCallingConfig")?;
    calling.fields(&["mode"], &["allowedFunctionNames"])?;
    calling
        .need("mode")?
        .word(&["AUTO", "ANY", "NONE", "VALIDATED"])?;
    Ok(())
}

fn name<'a>(at: &At<'a>) -> Found<&'a str> {
    let name = at.name(64, "_.:-")?;
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    at.check(starts_well, "must start with a letter or an underscore")?;
    Ok(name)
}

fn config(body: &At<'_>) -> Found<()> {
    let Some(config) = body.field("generationConfig") else {
        return Ok(());
    };
    let known = [
        "maxOutputTokens",
        "responseMimeType",
        "responseSchema",
        "stopSequences",
        "temperature",
        "thinkingConfig",
        "topK",
        "topP",
    ];
    config.fields(&[], &known)?;
    if let Some(count) = config.field("maxOutputTokens") {
        count.check(count.count()? > 0, "must be positive")?;
    }
    if let Some(answer) = config.field("responseSchema") {
        config
            .need("responseMimeType")?
            .word(&["application/json"])?;
        schema::open_api(&answer)?;
    }
    if let Some(thinking) = config.field("thinkingConfig") {
        thinking.fields(&[], &["includeThoughts", "thinkingBudget", "thinkingLevel"])?;
        let level = thinking.field("thinkingLevel");
        let level = level.map(|level| level.word(&["minimal", "low", "medium", "high"]));
        let has_level = level.transpose()?.is_some();
        let has_both = has_level && thinking.field("thinkingBudget").is_some();
        thinking.check(!has_both, "budget and level together")?;
    }
    Ok(())
}

/// A call that waits for its response.
struct Open<'a> {
    name: &'a str,
    id: Option<&'a str>,
}

fn contents(list: &At<'_>) -> Found<()> {
    let mut last_role = "model";
    let mut open = Vec::new();
    for content in list.full_list()? {
        content.fields(&["role", "parts"], &[])?;
        let role = content.need("role")?.word(&["user", "model"])?;
        content.check(role != last_role, "the sides take turns, the user first")?;
        last_role = role;
        let parts = content.need("parts")?.full_list()?;
        match role {
            "user" => user(&content, &parts, &mut open)?,
            _ => open = model(&parts)?,
        }
    }
    list.check(last_role == "user", "must end with a user role")
}

fn user(content: &At<'_>, parts: &[At<'_>], open: &mut Vec<Open<'_>>) -> Found<()> {
    let mut responses = 0;
    for (index, part) in parts.iter().enumerate() {
        part.check(part.field("thought").is_none(), "a thought of the user")?;
        match data(part)? {
            "functionResponse" => {
                part.check(
                    index == responses,
                    "responses must come right after their calls",
                )?;
                responses += 1;
                response(&part.need("functionResponse")?, open)?;
            }
            "text" => part.need("text")?.full_text().map(|_| ())?,
            "inlineData" => {
                let inline = part.need("inlineData")?;
                inline.fields(&["mimeType", "data"], &[])?;
                let kinds = ["image/png", "image/jpeg", "image/webp"];
                let kind = inline.need("mimeType")?.text()?;
                inline.need("data")?.picture(kind, &kinds)?;
            }
            other => return part.refuse(&format!("{other} is nothing that a user says")),
        }
    }
    content.check(
        open.is_empty(),
        "the number of function response parts is not equal to the number of function call parts",
    )
}

fn response(response: &At<'_>, open: &mut Vec<Open<'_>>) -> Found<()> {
    response.fields(&["name", "response"], &["id"])?;
    let object = response.need("response")?;
    object.check(object.value.is_object(), "not an object")?;
    let called = name(&response.need("name")?)?;
    let id = response.field("id").map(|id| id.text()).transpose()?;
    let fits = |open: &Open<'_>| open.name == called && open.id == id;
    let Some(place) = open.iter().position(fits) else {
        return response.refuse("a response without its call");
    };
    open.remove(place);
    Ok(())
}

fn model<'a>(parts: &[At<'a>]) -> Found<Vec<Open<'a>>> {
    let mut open = Vec::new();
    for part in parts {
        let signature = part.field("thoughtSignature");
        let signature = signature.map(|signature| signature.text()).transpose()?;
        match data(part)? {
            "functionCall" => {
                let call = part.need("functionCall")?;
                call.fields(&["name"], &["args", "id"])?;
                let args = call.field("args");
                let is_object = args.is_none_or(|args| args.value.is_object());
                call.check(is_object, "args is not an object")?;
                let is_signed = signature.is_some() || !open.is_empty();
                part.check(is_signed, "function call is missing a thought_signature")?;
                open.push(Open {
                    name: name(&call.need("name")?)?,
                    id: call.field("id").map(|id| id.text()).transpose()?,
                });
            }
            "text" => {
                let text = part.need("text")?.text()?;
                part.check(!text.is_empty() || signature.is_some(), "an empty text")?;
            }
            "functionResponse" | "inlineData" => return part.refuse("not the model's to say"),
            _ => {}
        }
        let own = seal_part(part.value);
        let is_own =
            signature.is_none_or(|signature| signature == own || signature == NO_SIGNATURE);
        part.check(is_own, "thought signature is not valid")?;
    }
    Ok(open)
}

/// The one field with the part's data.
fn data<'a>(part: &At<'a>) -> Found<&'a str> {
    part.fields(&[], &[DATA, &["thought", "thoughtSignature"]].concat())?;
    let names = part
        .value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str());
    let names: Vec<&str> = names.filter(|name| DATA.contains(name)).collect();
    match names.as_slice() {
        [one] => Ok(one),
        _ => part.refuse("required oneof field `data` must have one initialized field"),
    }
}

#[cfg(test)]
mod tests {
    use super::seal_part;
    use crate::strict::Wire;
    use crate::strict::check_refusals;
    use serde_json::json;

    #[test]
    fn what_gemini_refuses_is_refused() {
        let mut first = json!({"functionCall": {"name": "read", "args": {"path": "a"}}});
        first["thoughtSignature"] = json!(seal_part(&first));
        let second = json!({"functionCall": {"id": "7", "name": "list", "args": {}}});
        let answer = json!({"functionResponse": {"name": "read", "response": {"output": "x"}}});
        let other = json!({"functionResponse": {"id": "7", "name": "list", "response": {}}});
        let image = json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}});
        let good = json!({
            "systemInstruction": {"parts": [{"text": "a"}]},
            "tools": [{"functionDeclarations": [{"name": "read", "description": "",
                "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
            "generationConfig": {"thinkingConfig": {"includeThoughts": true,
                "thinkingLevel": "low"}},
            "contents": [
                {"role": "user", "parts": [{"text": "a"}, image]},
                {"role": "model", "parts": [{"text": "hm", "thought": true}, first, second]},
                {"role": "user", "parts": [answer, other, {"text": "b"}]},
            ],
        });
        let parameters = "/tools/0/functionDeclarations/0/parameters";
        let more = |name: &str| format!("{parameters}/{name}");
        let rows = [
            ("/model", json!("m"), "unknown field"),
            ("/generation_config", json!({}), "unknown field"),
            ("/contents", json!([]), "an empty list"),
            ("/contents/0", json!(null), "the user first"),
            ("/contents/0/role", json!("system"), "none of"),
            ("/contents/0/parts", json!([]), "an empty list"),
            ("/contents/0/parts/0/text", json!(""), "an empty text"),
            ("/contents/0/parts/0", json!({}), "oneof field `data`"),
            (
                "/contents/0/parts/1/inlineData/mimeType",
                json!("image/gif"),
                "no picture",
            ),
            (
                "/contents/0/parts/1/inlineData/data",
                json!("?"),
                "not base64",
            ),
            ("/contents/1", json!(null), "take turns"),
            (
                "/contents/1/parts/1/thoughtSignature",
                json!(null),
                "missing a thought_signature",
            ),
            (
                "/contents/1/parts/1/thoughtSignature",
                json!("eA=="),
                "is not valid",
            ),
            (
                "/contents/1/parts/1/functionCall/args",
                json!({"path": "b"}),
                "is not valid",
            ),
            (
                "/contents/1/parts/2/functionCall/args",
                json!("{}"),
                "not an object",
            ),
            (
                "/contents/1/parts/2/functionCall/name",
                json!("a b"),
                "is no name",
            ),
            ("/contents/1/parts/0", answer.clone(), "not the model's"),
            ("/contents/2", json!(null), "end with a user role"),
            ("/contents/2/parts/0", json!(null), "is not equal"),
            (
                "/contents/2/parts/1/functionResponse/id",
                json!("8"),
                "without its call",
            ),
            (
                "/contents/2/parts/1/functionResponse/name",
                json!("read"),
                "without its call",
            ),
            (
                "/contents/2/parts/0/functionResponse/response",
                json!("x"),
                "not an object",
            ),
            ("/contents/2/parts/-", other.clone(), "right after"),
            (&more("additionalProperties"), json!(false), "unknown field"),
            (&more("$schema"), json!("x"), "unknown field"),
            (&more("properties/path/const"), json!("x"), "unknown field"),
            (&more("properties"), json!({}), "should be non-empty"),
            (
                "/tools/0/functionDeclarations/0/name",
                json!("7a"),
                "must start with",
            ),
            ("/tools/0/functionDeclarations", json!([]), "an empty list"),
            ("/tools", json!(null), "without functions"),
            (
                "/generationConfig/thinkingConfig/thinkingBudget",
                json!(1),
                "together",
            ),
            (
                "/generationConfig/thinkingConfig/thinkingLevel",
                json!("max"),
                "none of",
            ),
            (
                "/generationConfig/maxOutputTokens",
                json!(0),
                "must be positive",
            ),
            (
                "/generationConfig/responseSchema",
                json!({}),
                "missing field responseMimeType",
            ),
        ];
        check_refusals(Wire::Generate, &good, &rows);
    }
}
