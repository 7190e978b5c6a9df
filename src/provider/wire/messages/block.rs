//! Blocks of an answer that go back as they came: thoughts with their signature, and what the
//! service's own tools did.
//!
//! Everything else is made anew from our own words for it, which gives the same bytes each time.

use crate::chat::Block;
use crate::chat::Opaque;
use crate::chat::delta::Link;
use crate::provider::wire::responses::json::Fields;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A thought with the signature without which the service does not take it back.
#[derive(Serialize)]
struct Thinking<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    thinking: &'a str,
    signature: &'a str,
}

/// The JSON of a thought that came in pieces.
pub fn thinking(text: &str, signature: &str) -> String {
    let thinking = Thinking {
        kind: "thinking",
        thinking: text,
        signature,
    };
    serde_json::to_string(&thinking).expect("strings always have a JSON form")
}

/// The JSON of a block whose input came in pieces after it. An input that is no JSON is left out.
pub fn with_input(json: String, input: &str) -> String {
    let fields: Result<BTreeMap<&str, &RawValue>, _> = serde_json::from_str(&json);
    let (Ok(mut fields), Ok(input)) = (fields, serde_json::from_str(input)) else {
        return json;
    };
    fields.insert("input", input);
    serde_json::to_string(&fields).unwrap_or_default()
}

/// The name of the service's own search.
pub const WEB_SEARCH: &str = "web_search";

/// What a search of the service's own looks for; `None` for any other block.
pub fn search(json: &str) -> Option<String> {
    if !json.contains("server_tool_use") {
        return None;
    }
    let block: Value = serde_json::from_str(json).ok()?;
    let is_search = block["type"] == "server_tool_use" && block["name"] == WEB_SEARCH;
    let query = block["input"]["query"].as_str().unwrap_or_default();
    is_search.then(|| query.to_string())
}

/// The page that a citation names, if it names one.
pub fn link(json: &str) -> Option<Link> {
    let cited = Fields::read(json)?;
    Some(Link {
        url: cited.string("url")?,
        title: cited.string("title").unwrap_or_default(),
    })
}

/// The block's own JSON, if it is this provider's and the service would take it back: a session
/// file can be edited, and what is sent must be one block of the right kind.
pub fn echoed<'a>(block: &'a Block, provider: &str) -> Option<&'a str> {
    let opaque: &Opaque = match block {
        Block::Thinking { opaque, .. } => opaque.as_ref()?,
        Block::Other(opaque) => opaque,
        Block::Text { .. } | Block::Call(_) => return None,
    };
    if opaque.provider != provider {
        return None;
    }
    let fields = Fields::read(&opaque.json)?;
    let has = |name| fields.string(name).is_some_and(|text| !text.is_empty());
    let is_fit = match (block, fields.string("type")?.as_str()) {
        (Block::Thinking { .. }, "thinking") => has("signature") && fields.has_string("thinking"),
        (Block::Thinking { .. }, "redacted_thinking") => has("data"),
        (Block::Other(_), kind) => is_kept(kind),
        _ => false,
    };
    is_fit.then_some(opaque.json.as_str())
}

/// Whether blocks of this kind are kept as they came, since we have no words of our own for them.
pub fn is_kept(kind: &str) -> bool {
    let is_ours = ["text", "thinking", "redacted_thinking", "tool_use", "image"].contains(&kind);
    !is_ours && kind != "tool_result" && !kind.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_takes_its_place_in_the_block() {
        let start = r#"{"type":"server_tool_use","id":"s","input":{},"name":"web_search"}"#;
        let expected =
            r#"{"id":"s","input":{"q": 1e2},"name":"web_search","type":"server_tool_use"}"#;
        assert_eq!(with_input(start.into(), r#"{"q": 1e2}"#), expected);
        assert_eq!(with_input(start.into(), r#"{"q"#), start);
        assert_eq!(with_input(start.into(), ""), start);
    }

    #[test]
    fn what_the_service_would_not_take_back_is_not_sent() {
        #[track_caller]
        fn check(provider: &str, json: &str, is_sent: bool) {
            let opaque = Some(Opaque {
                provider: provider.into(),
                json: json.into(),
            });
            let text = String::new();
            let block = Block::Thinking { text, opaque };
            assert_eq!(echoed(&block, "p"), is_sent.then_some(json), "{json}");
        }
        let signed = thinking("a \"b\"", "c2ln");
        let expected = r#"{"type":"thinking","thinking":"a \"b\"","signature":"c2ln"}"#;
        assert_eq!(signed, expected);
        check("p", &signed, true);
        check("q", &signed, false);
        check("p", &thinking("", "c2ln"), true);
        check("p", &thinking("a", ""), false);
        check("p", r#"{"type":"thinking","signature":"c"}"#, false);
        check("p", r#"{"type":"redacted_thinking","data":"x"}"#, true);
        check("p", r#"{"type":"redacted_thinking"}"#, false);
        check("p", r#"{"type":"reasoning","summary":[]}"#, false);
        check("p", &format!("{signed},{signed}"), false);
        for (json, is_sent) in [
            (r#"{"type":"server_tool_use","id":"s"}"#, true),
            (r#"{"type":"tool_use","id":"s"}"#, false),
            (r#"{"id":"s"}"#, false),
        ] {
            let block = Block::Other(Opaque {
                provider: "p".into(),
                json: json.into(),
            });
            assert_eq!(echoed(&block, "p"), is_sent.then_some(json), "{json}");
        }
    }
}
