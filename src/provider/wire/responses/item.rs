//! One output item of the Responses wire: JSON text in, a block of the conversation out.
//!
//! The text is kept beside what was read from it, if it can be sent back as it is. Fields that are
//! missing or of the wrong kind make an item less than sound; what is left of it is still used.

use crate::chat::Block;
use crate::chat::CallKind;
use crate::chat::Opaque;
use crate::chat::ToolCall;
use crate::chat::delta::Link;
use crate::provider::wire::responses::json::Fields;
use serde_json::Value;

/// The namespace in which services of today wrap plain functions; calls may carry it or not.
pub const NAMESPACE: &str = "functions";

/// An output item that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The service's id of the item; empty where it has none.
    pub id: String,
    /// What it is in our words. A call whose id is missing has an empty one.
    pub block: Block,
    /// The service cut it short: a call is not to be run.
    pub is_cut: bool,
}

/// Reads an item; `None` if it is not an object with a `type`.
///
/// `provider` is whose the text is. It is kept only if the item is sound: it has what the service
/// wants to see when it gets it back.
pub fn read(json: &str, provider: &str) -> Option<Item> {
    let fields = Fields::read(json)?;
    let kind = fields.string("type")?;
    let opaque = is_sound(&kind, &fields).then(|| Opaque {
        provider: provider.to_string(),
        json: json.to_string(),
    });
    let block = match kind.as_str() {
        "message" => Block::Text {
            text: joined(&fields, "content", "", &["text", "refusal"]),
            opaque,
        },
        "reasoning" => Block::Thinking {
            text: thinking(&fields),
            opaque,
        },
        "function_call" => Block::Call(call(&fields, CallKind::Function, opaque)),
        "custom_tool_call" => Block::Call(call(&fields, CallKind::Freeform, opaque)),
        _ => Block::Other(opaque?),
    };
    Some(Item {
        id: fields.string("id").unwrap_or_default(),
        block,
        is_cut: fields.string("status").as_deref() == Some("incomplete"),
    })
}

/// What a search of the service's own looked for: `None` for any other item.
pub fn search(json: &str) -> Option<String> {
    if !json.contains("web_search_call") {
        return None;
    }
    let item: Value = serde_json::from_str(json).ok()?;
    let action = &item["action"];
    let first = || action["queries"].as_array()?.first()?.as_str();
    let query = action["query"].as_str().or_else(first);
    let query = query
        .or(action["pattern"].as_str())
        .or(action["url"].as_str());
    (item["type"] == "web_search_call").then(|| query.unwrap_or_default().to_string())
}

/// The pages that a message rests on.
pub fn links(json: &str) -> Vec<Link> {
    if !json.contains("url_citation") {
        return Vec::new();
    }
    let item: Value = serde_json::from_str(json).unwrap_or_default();
    let parts = item["content"].as_array().into_iter().flatten();
    let cited = parts.flat_map(|part| part["annotations"].as_array().into_iter().flatten());
    let link = |cited: &Value| {
        Some(Link {
            url: cited["url"].as_str()?.to_string(),
            title: cited["title"].as_str().unwrap_or_default().to_string(),
        })
    };
    cited.filter_map(link).collect()
}

/// Whether the service would take the item back as it is.
fn is_sound(kind: &str, fields: &Fields<'_>) -> bool {
    let has = |names: &[&str]| names.iter().all(|name| fields.has_string(name));
    let has_id = || fields.string("call_id").is_some_and(|id| !id.is_empty());
    match kind {
        "message" => has(&["role"]) && fields.has_list("content"),
        "reasoning" => fields.has_list("summary"),
        "function_call" => has(&["name", "arguments"]) && has_id(),
        "custom_tool_call" => has(&["name", "input"]) && has_id(),
        _ => true,
    }
}

fn call(fields: &Fields<'_>, kind: CallKind, opaque: Option<Opaque>) -> ToolCall {
    let text = |name: &str| fields.string(name).unwrap_or_default();
    let arguments = match kind {
        CallKind::Function => function_arguments(fields, "arguments"),
        CallKind::Freeform => text("input"),
    };
    ToolCall {
        id: text("call_id"),
        name: tool_name(&text("namespace"), &text("name")),
        arguments,
        kind,
        opaque,
    }
}

/// The JSON text of a call's arguments, which stand in the field `name`.
///
/// Some servers send the object itself. A string that is not sound is not mended here, since a
/// command must not run that differs from what was asked for: its text stays as it came, and
/// whoever runs the call says what is wrong with it.
pub fn function_arguments(fields: &Fields<'_>, name: &str) -> String {
    let Some(raw) = fields.raw(name) else {
        return arguments(String::new());
    };
    let string: Result<String, _> = serde_json::from_str(raw.get());
    arguments(string.unwrap_or_else(|_| raw.get().to_string()))
}

/// Arguments are an object; some servers send nothing where there are none.
pub fn arguments(text: String) -> String {
    match text.trim() {
        "" => "{}".to_string(),
        _ => text,
    }
}

/// The tool's own name; one from a namespace that we never offered keeps it, and is not found.
fn tool_name(namespace: &str, name: &str) -> String {
    let prefix_end = name.strip_prefix(NAMESPACE);
    let name = prefix_end
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(name);
    if namespace.is_empty() || namespace == NAMESPACE {
        name.to_string()
    } else {
        format!("{namespace}.{name}")
    }
}

/// The summary, else the thoughts themselves where the service shows them.
fn thinking(fields: &Fields<'_>) -> String {
    let summary = joined(fields, "summary", "\n\n", &["text"]);
    if summary.is_empty() {
        joined(fields, "content", "\n\n", &["text"])
    } else {
        summary
    }
}

/// The texts of the parts of a list; each part has one under one of `names`. Some servers send
/// the text itself.
fn joined(fields: &Fields<'_>, list: &str, separator: &str, names: &[&str]) -> String {
    if let Some(text) = fields.string(list) {
        return text;
    }
    let parts = fields.list(list).into_iter();
    let texts: Vec<String> = parts
        .filter_map(|part| {
            let part = Fields::read(part.get())?;
            names.iter().find_map(|name| part.string(name))
        })
        .filter(|text| !text.is_empty())
        .collect();
    texts.join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opaque(json: &str) -> Option<Opaque> {
        Some(Opaque {
            provider: "p".into(),
            json: json.into(),
        })
    }

    #[track_caller]
    fn check(json: &str, expected: Option<Block>) {
        assert_eq!(read(json, "p").map(|item| item.block), expected, "{json}");
    }

    #[test]
    fn sound_items_keep_their_text_byte_for_byte() {
        let json = r#"{ "type":"message","role":"assistant", "id":"m","content":[
            {"type":"output_text","text":"a\u00e9"},{"type":"refusal","refusal":"b"}],"x":1e2}"#;
        let text = "aéb".into();
        check(
            json,
            Some(Block::Text {
                text,
                opaque: opaque(json),
            }),
        );
        let json = r#"{"type":"reasoning","summary":[{"type":"summary_text","text":"a"},
            {"text":"b"}],"encrypted_content":"x"}"#;
        let text = "a\n\nb".into();
        check(
            json,
            Some(Block::Thinking {
                text,
                opaque: opaque(json),
            }),
        );
        let json = r#"{"type":"web_search_call","id":"w"}"#;
        check(json, opaque(json).map(Block::Other));
    }

    #[test]
    fn calls_may_name_the_namespace_of_functions() {
        for (namespace, name, expected) in [
            ("", "bash", "bash"),
            ("functions", "bash", "bash"),
            ("", "functions.bash", "bash"),
            ("web", "run", "web.run"),
            ("", "functionsbash", "functionsbash"),
        ] {
            assert_eq!(tool_name(namespace, name), expected);
        }
    }

    #[test]
    fn an_unsound_call_is_rebuilt_from_what_is_there() {
        let call = |id: &str, arguments: &str| {
            Some(Block::Call(ToolCall {
                id: id.into(),
                name: "t".into(),
                arguments: arguments.into(),
                kind: CallKind::Function,
                opaque: None,
            }))
        };
        let named = r#""type":"function_call","name":"t""#;
        check(&format!("{{{named},\"call_id\":\"c\"}}"), call("c", "{}"));
        check(
            &format!("{{{named},\"arguments\":{{\"a\":1}}}}"),
            call("", r#"{"a":1}"#),
        );
        check(
            &format!("{{{named},\"call_id\":\"\",\"arguments\":\"\"}}"),
            call("", "{}"),
        );
        check(
            &format!("{{{named},\"call_id\":7,\"arguments\":\"{{\"}}"),
            call("", "{"),
        );
    }

    #[test]
    fn a_value_that_nobody_reads_may_be_anything() {
        let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
        for odd in ["1e999", &deep, r#""\ud83d""#] {
            let json = format!(
                r#"{{"type":"function_call","x":{odd},
                "call_id":"c","name":"t","arguments":"{{}}"}}"#
            );
            let call = ToolCall {
                id: "c".into(),
                name: "t".into(),
                arguments: "{}".into(),
                kind: CallKind::Function,
                opaque: opaque(&json),
            };
            check(&json, Some(Block::Call(call)));
        }
    }

    #[test]
    fn words_are_mended_and_arguments_are_not() {
        let json = r#"{"type":"message","role":"assistant","content":[{"text":"a\ud83d"}]}"#;
        let text = "a\u{fffd}".into();
        check(
            json,
            Some(Block::Text {
                text,
                opaque: opaque(json),
            }),
        );
        let arguments = r#""{\"a\":\"\ud83d\"}""#;
        let json = format!(
            r#"{{"type":"function_call","call_id":"c","name":"t","arguments":{arguments}}}"#
        );
        let Some(Block::Call(call)) = read(&json, "p").map(|item| item.block) else {
            panic!("no call");
        };
        assert_eq!(call.arguments, arguments);
    }

    #[test]
    fn what_is_no_item_is_none() {
        for json in [
            "",
            "[]",
            "null",
            "{}",
            r#"{"type":7}"#,
            r#"{"type":"message""#,
        ] {
            check(json, None);
        }
    }
}
