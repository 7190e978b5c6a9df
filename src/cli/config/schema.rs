//! `sx config --schema`: the table of keys as a JSON Schema (2020-12), for editors and for programs
//! that write settings. Values are texts, as in the file.

use crate::cli::version::VERSION;
use crate::config::FILE_NAME;
use crate::config::groups::GROUPS;
use crate::config::keys::Harmless;
use crate::config::keys::Key;
use crate::config::keys::Kind;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use std::io;
use std::io::Write;

/// One line of text, without tabs and other control characters.
const LINE: &str = "^[^\\x00-\\x1f\\x7f-\\x9f]*$";

/// Writes the schema.
pub fn write(out: &mut dyn Write) -> io::Result<()> {
    let mut properties = Map::new();
    for group in GROUPS {
        for key in group.keys() {
            properties.insert(key.name.to_string(), property(key, group.name));
        }
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("{FILE_NAME} of sx {VERSION}"),
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    writeln!(out, "{}", serde_json::to_string_pretty(&schema)?)
}

fn property(key: &Key, group: &str) -> Value {
    let (kind, rule) = rule(&key.kind);
    let project = match key.harmless {
        Harmless::Never => "never".to_string(),
        Harmless::Always => "always".to_string(),
        Harmless::Only(value) => format!("only {value}"),
        Harmless::Except(value) => format!("all but {value}"),
    };
    let mut property = json!({
        "type": "string",
        "description": key.help,
        "default": key.default,
        "x-kind": kind,
        "x-allowed": key.kind.allowed(),
        "x-group": group,
        "x-secret": key.secret,
        "x-untrusted-project": project,
        "x-since": key.since,
    });
    if let (Value::Object(property), Value::Object(rule)) = (&mut property, rule) {
        property.extend(rule);
    }
    property
}

/// The name of a kind, and what an editor can check. An empty value is the default.
fn rule(kind: &Kind) -> (&'static str, Value) {
    let pattern = |pattern: &str| json!({ "pattern": pattern });
    match kind {
        Kind::Flag => {
            let words = ["", "0", "1", "no", "yes", "off", "on", "false", "true"];
            ("flag", json!({ "enum": words }))
        }
        Kind::Count { unit, min, max } => {
            let rule = json!({
                "pattern": "^[0-9]*$", "x-unit": unit, "x-minimum": min, "x-maximum": max,
            });
            ("number", rule)
        }
        Kind::Size { max } => {
            let rule = json!({
                "pattern": "^([0-9]+(B|[KkMm]|KB|MB)?)?$", "x-unit": "bytes", "x-maximum": max,
            });
            ("size", rule)
        }
        Kind::Duration => ("duration", pattern("^(0*[1-9][0-9]*(ms|s|m|h)?)?$")),
        Kind::Choice(words) => {
            let words: Vec<&str> = std::iter::once("").chain(words.iter().copied()).collect();
            ("choice", json!({ "enum": words }))
        }
        Kind::Text => ("text", pattern(LINE)),
        Kind::Name => ("name", pattern("^[A-Za-z0-9_-]{0,64}$")),
        Kind::List { of, separator } => (
            "list",
            json!({ "pattern": LINE, "x-of": of, "x-separator": separator }),
        ),
        Kind::Url => ("url", pattern("^(https?://[^/@\\s]+(/\\S*)?)?$")),
        Kind::Path => ("path", pattern(LINE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys;
    use crate::config::table::KEYS;

    #[test]
    fn a_pattern_takes_what_the_key_takes() {
        for (name, value) in [
            ("MODEL", "opus"),
            ("MODEL", "a\nb"),
            ("DOCS_PATH", "/a:/b"),
            ("DOCS_PATH", "/a\u{85}"),
            ("BASH_TIMEOUT", "90s"),
            ("BASH_TIMEOUT", "0"),
            ("BASH_TIMEOUT", "1.5s"),
            ("OPENAI_BASE_URL", "https://a"),
            ("OPENAI_BASE_URL", "http://a:1/b@c"),
            ("OPENAI_BASE_URL", "http:///a"),
            ("ACTIVE_PROFILE", "a b"),
        ] {
            let key = keys::find(name).unwrap();
            let (_, rule) = rule(&key.kind);
            let pattern = rule["pattern"].as_str().unwrap();
            let fits = regex::Regex::new(pattern).unwrap().is_match(value);
            assert_eq!(fits, key.accept(value).is_some(), "{name}={value}");
        }
    }

    #[test]
    fn every_key_is_in_the_schema_and_its_default_fits() {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        let schema: Value = serde_json::from_slice(&out).unwrap();
        for key in KEYS {
            let property = &schema["properties"][key.name];
            assert_eq!(property["default"], key.default, "{}", key.name);
            if let Some(words) = property["enum"].as_array() {
                assert!(words.contains(&key.default.into()), "{}", key.name);
            }
            if let Some(pattern) = property["pattern"].as_str() {
                let pattern = regex::Regex::new(pattern).unwrap();
                assert!(pattern.is_match(key.default), "{}", key.name);
            }
        }
        let count = schema["properties"].as_object().unwrap().len();
        assert_eq!(count, KEYS.len());
    }
}
