//! One part of a content of the generateContent wire: JSON text in, what it says out.
//!
//! The text stays beside what was read from it, since a signed part goes back as it came. A field
//! of the wrong kind makes a part one that only the service understands, not an error.

use crate::provider::wire::responses::item;
use crate::provider::wire::responses::json::Fields;
use std::borrow::Cow;

/// A part that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// What it says.
    pub kind: Kind,
    /// Its text as it can be sent back.
    pub json: Cow<'a, str>,
    /// The service signed it, and wants the signature back on it.
    pub is_signed: bool,
    /// The service would take it back.
    pub is_sound: bool,
}

/// What a part says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Words for the person.
    Text(String),
    /// Words of a summary of thoughts.
    Thinking(String),
    /// A call.
    Call {
        /// The service's id of it; empty where it gave none.
        id: String,
        /// The function's name.
        name: String,
        /// JSON text, as it came; `{}` where there was none.
        arguments: String,
    },
    /// Something that only the service understands.
    Other,
}

/// Reads a part; `None` if it is no object, or says nothing at all.
pub fn read(json: &str) -> Option<Part<'_>> {
    let fields = Fields::read(json)?;
    let is_signed = fields.string("thoughtSignature").is_some();
    let is_thought = fields.raw("thought").is_some_and(|raw| raw.get() == "true");
    let spoken = |text: String| match is_thought {
        true => Kind::Thinking(text),
        false => Kind::Text(text),
    };
    let part = |kind| Part {
        kind,
        json: Cow::Borrowed(json),
        is_signed,
        is_sound: true,
    };
    if let Some(call) = fields.raw("functionCall") {
        let call = Fields::read(call.get())?;
        let name = call.string("name").unwrap_or_default();
        let args = call.raw("args");
        return Some(Part {
            is_sound: !name.is_empty() && args.is_none_or(|args| args.get().starts_with('{')),
            ..part(Kind::Call {
                id: call.string("id").unwrap_or_default(),
                name,
                arguments: item::function_arguments(&call, "args"),
            })
        });
    }
    if let Some(text) = fields.string("text") {
        let says_something = is_signed || !text.is_empty();
        return says_something.then(|| part(spoken(text)));
    }
    if !fields.has_only(&["thought", "thoughtSignature", "text"]) {
        return Some(part(Kind::Other));
    }
    // The service asks back for a part with data in it; an empty text is the least of it.
    let rest = json.trim_start().strip_prefix('{')?;
    is_signed.then(|| Part {
        json: Cow::Owned(format!("{{\"text\":\"\",{rest}")),
        ..part(spoken(String::new()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: Option<(Kind, bool)>) {
        let part = read(json);
        if let Some(part) = &part {
            assert_eq!(part.json, json, "sent back as it came");
        }
        let found = part.map(|part| (part.kind, part.is_signed));
        assert_eq!(found, expected, "{json}");
    }

    fn text(text: &str) -> Kind {
        Kind::Text(text.into())
    }

    fn thinking(text: &str) -> Kind {
        Kind::Thinking(text.into())
    }

    fn call(id: &str, name: &str, arguments: &str) -> Kind {
        Kind::Call {
            id: id.into(),
            name: name.into(),
            arguments: arguments.into(),
        }
    }

    #[test]
    fn parts_are_read_in_all_their_kinds() {
        check(r#"{"text":"a\u00e9"}"#, Some((text("aé"), false)));
        check(
            r#"{"text": "a", "thought": false}"#,
            Some((text("a"), false)),
        );
        check(
            r#"{"text":"","thoughtSignature":"x=="}"#,
            Some((text(""), true)),
        );
        check(
            r#"{"thought":true,"text":"hm","thoughtSignature":"x"}"#,
            Some((thinking("hm"), true)),
        );
        check(
            r#"{"thoughtSignature":"x","functionCall":{"id":"1","name":"f","args":{"b": 1}}}"#,
            Some((call("1", "f", r#"{"b": 1}"#), true)),
        );
        check(
            r#"{"functionCall":{"name":"f"}}"#,
            Some((call("", "f", "{}"), false)),
        );
        check(
            r#"{"functionCall":{"name":"f","args":"{\"a\":1}"}}"#,
            Some((call("", "f", r#"{"a":1}"#), false)),
        );
        check(
            r#"{"executableCode":{"language":"PYTHON","code":"1"}}"#,
            Some((Kind::Other, false)),
        );
        check(r#"{"text":7}"#, None);
        for nothing in [
            "",
            "[]",
            "null",
            "{}",
            r#"{"text":""}"#,
            r#"{"thought":true}"#,
        ] {
            check(nothing, None);
        }
    }

    #[test]
    fn a_call_without_a_name_or_an_object_does_not_go_back() {
        let is_sound = |call: &str| {
            read(&format!(r#"{{"functionCall":{call}}}"#))
                .unwrap()
                .is_sound
        };
        assert!(is_sound(r#"{"name":"f"}"#));
        assert!(is_sound(r#"{"name":"f","args":null}"#));
        assert!(is_sound(r#"{"name":"f","args": {} }"#));
        assert!(!is_sound(r#"{"name":"f","args":"{}"}"#));
        assert!(!is_sound(r#"{"args":{}}"#));
    }

    #[test]
    fn a_signature_alone_goes_back_on_an_empty_text() {
        let part = read(r#" {"thoughtSignature":"x"}"#).unwrap();
        assert_eq!(part.kind, text(""));
        assert_eq!(part.json, r#"{"text":"","thoughtSignature":"x"}"#);
        let part = read(r#"{"thought":true,"thoughtSignature":"x"}"#).unwrap();
        assert_eq!(part.kind, thinking(""));
    }
}
