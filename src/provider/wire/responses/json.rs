//! Pieces of the service's JSON, each read by itself, so that one bad field never costs the rest.
//!
//! A value that we do not read may hold anything that is JSON: numbers beyond all floats, a
//! thousand lists in each other, half a surrogate pair. What was read keeps its text beside it.

use serde::Deserialize;
use serde::Deserializer;
use serde::de;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// The fields of an object, each as the text that it came as. Of two with one name the last counts.
pub struct Fields<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    /// The fields of `json`; `None` if it is no object.
    pub fn read(json: &'a str) -> Option<Fields<'a>> {
        serde_json::from_str(json).ok().map(Fields)
    }

    /// The text of a field; `None` also for a null.
    pub fn raw(&self, name: &str) -> Option<&'a RawValue> {
        let raw = self.0.get(name).copied();
        raw.filter(|raw| raw.get() != "null")
    }

    /// The string in a field.
    pub fn string(&self, name: &str) -> Option<String> {
        string(self.raw(name)?)
    }

    /// Whether a field holds a string.
    pub fn has_string(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|raw| raw.get().starts_with('"'))
    }

    /// Whether a field holds a list.
    pub fn has_list(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|raw| raw.get().starts_with('['))
    }

    /// Whether there are no fields but these.
    pub fn has_only(&self, names: &[&str]) -> bool {
        self.0.keys().all(|name| names.contains(&name.as_str()))
    }

    /// The elements of the list in a field; none if there is no list.
    pub fn list(&self, name: &str) -> Vec<&'a RawValue> {
        let list = self.raw(name).map(RawValue::get);
        list.and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default()
    }
}

/// The string that `raw` is. Half a surrogate pair, which a server that counts in UTF-16 leaves
/// behind where it cuts, becomes U+FFFD: the other characters are not lost with it.
pub fn string(raw: &RawValue) -> Option<String> {
    let strict = serde_json::from_str(raw.get());
    strict.ok().or_else(|| {
        let Wtf8(bytes) = serde_json::from_str(raw.get()).ok()?;
        // The three bytes of a half are replaced one by one.
        Some(String::from_utf8_lossy(&bytes).replace("\u{fffd}\u{fffd}\u{fffd}", "\u{fffd}"))
    })
}

/// A JSON string as bytes, which serde_json gives out with halves of surrogate pairs in them.
struct Wtf8(Vec<u8>);

impl<'de> Deserialize<'de> for Wtf8 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Wtf8, D::Error> {
        deserializer.deserialize_byte_buf(Wtf8Visitor)
    }
}

struct Wtf8Visitor;

impl de::Visitor<'_> for Wtf8Visitor {
    type Value = Wtf8;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Wtf8, E> {
        Ok(Wtf8(bytes.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: Option<&str>) {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        assert_eq!(string(raw).as_deref(), expected, "{json}");
    }

    #[test]
    fn a_half_of_a_surrogate_pair_costs_one_character() {
        check(r#""a\u00e9 \ud83d\ude00""#, Some("aé 😀"));
        check(r#""a\ud83d b""#, Some("a\u{fffd} b"));
        check(r#""\ude00é""#, Some("\u{fffd}é"));
        check(r#""\ud83d\ud83d\ude00""#, Some("\u{fffd}😀"));
        for other in ["5", "null", "[\"a\"]", "{}", "true"] {
            check(other, None);
        }
    }

    #[test]
    fn a_field_that_cannot_be_read_leaves_the_others_alone() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let json = format!(r#"{{"a":"first","b":1e999,"c":{deep},"d":null,"a":"last"}}"#);
        let fields = Fields::read(&json).unwrap();
        assert_eq!(fields.string("a").as_deref(), Some("last"));
        assert_eq!(fields.raw("b").map(RawValue::get), Some("1e999"));
        assert!(fields.has_list("c") && !fields.has_string("b"));
        assert!(fields.raw("d").is_none() && fields.raw("e").is_none());
        assert!(fields.has_only(&["a", "b", "c", "d", "e"]) && !fields.has_only(&["a"]));
        for no_object in ["", "[]", "null", "5", r#"{"a":"#] {
            assert!(Fields::read(no_object).is_none(), "{no_object}");
        }
    }
}
