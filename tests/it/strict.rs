//! What the real services refuse: a body of a request in, nothing or the reason out.
//!
//! Written after the vendors' documentation and the words of their refusals. One that a service
//! would take may be refused here (the same role twice, say), but none of the other way round. What
//! a service signs, it signs here with [`seal`], so that one changed byte is found without memory.

// The wires.
mod completions;
mod generate;
mod messages;
mod responses;
// Their schemas.
mod schema;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A wire, and who stands behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Responses at ChatGPT.
    Codex,
    /// Responses at OpenAI.
    Responses,
    /// Chat Completions at a server that knows its own fields only.
    Completions,
    /// Anthropic's.
    Messages,
    /// Gemini's, at a model that wants its calls signed.
    Generate,
}

/// Whether the service takes the body; if not, why.
pub fn validate(wire: Wire, body: &Value) -> Result<(), String> {
    let body = At {
        value: body,
        path: "body".into(),
    };
    match wire {
        Wire::Codex | Wire::Responses => responses::validate(wire, &body),
        Wire::Completions => completions::validate(&body),
        Wire::Messages => messages::validate(&body),
        Wire::Generate => generate::validate(&body),
    }
}

/// A signature over texts, as the services here make it.
pub fn seal(texts: &[&str]) -> String {
    // FNV-1a.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for text in texts {
        for byte in text.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    STANDARD.encode(format!("seal-{hash:016x}"))
}

/// The signature over a part of Gemini's.
pub fn seal_part(part: &Value) -> String {
    let mut part = part.clone();
    if let Some(fields) = part.as_object_mut() {
        fields.remove("thoughtSignature");
    }
    seal(&[&part.to_string()])
}

/// A value inside a body, and where it stands.
#[derive(Clone, Debug)]
struct At<'a> {
    value: &'a Value,
    path: String,
}

type Found<T> = Result<T, String>;

impl<'a> At<'a> {
    fn refuse<T>(&self, why: &str) -> Found<T> {
        Err(format!("{}: {why}", self.path))
    }

    fn check(&self, is_good: bool, why: &str) -> Found<()> {
        if is_good { Ok(()) } else { self.refuse(why) }
    }

    /// It is an object that has all of `required`, and nothing but those and `optional`.
    fn fields(&self, required: &[&str], optional: &[&str]) -> Found<()> {
        let Some(fields) = self.value.as_object() else {
            return self.refuse("not an object");
        };
        if let Some(name) = required.iter().find(|name| !fields.contains_key(**name)) {
            return self.refuse(&format!("missing field {name}"));
        }
        let is_known =
            |name: &&String| required.contains(&name.as_str()) || optional.contains(&name.as_str());
        match fields.keys().find(|name| !is_known(name)) {
            Some(name) => self.refuse(&format!("unknown field {name}")),
            None => Ok(()),
        }
    }

    /// A field; none if it is missing or null.
    fn field(&self, name: &str) -> Option<At<'a>> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        let path = format!("{}.{name}", self.path);
        Some(At { value, path })
    }

    fn need(&self, name: &str) -> Found<At<'a>> {
        let field = self.field(name);
        field.map_or_else(|| self.refuse(&format!("missing field {name}")), Ok)
    }

    fn list(&self) -> Found<Vec<At<'a>>> {
        let Some(values) = self.value.as_array() else {
            return self.refuse("not a list");
        };
        let items = values.iter().enumerate().map(|(index, value)| At {
            value,
            path: format!("{}[{index}]", self.path),
        });
        Ok(items.collect())
    }

    /// A list with something in it.
    fn full_list(&self) -> Found<Vec<At<'a>>> {
        let list = self.list()?;
        self.check(!list.is_empty(), "an empty list")?;
        Ok(list)
    }

    fn text(&self) -> Found<&'a str> {
        let text = self.value.as_str();
        text.map_or_else(|| self.refuse("not a text"), Ok)
    }

    /// A text with something in it that can be seen.
    fn full_text(&self) -> Found<&'a str> {
        let text = self.text()?;
        self.check(!text.trim().is_empty(), "an empty text")?;
        Ok(text)
    }

    fn word(&self, known: &[&str]) -> Found<&'a str> {
        let text = self.text()?;
        self.check(
            known.contains(&text),
            &format!("{text:?} is none of {known:?}"),
        )?;
        Ok(text)
    }

    fn count(&self) -> Found<u64> {
        let count = self.value.as_u64();
        count.map_or_else(|| self.refuse("not a count"), Ok)
    }

    fn flag(&self) -> Found<bool> {
        let flag = self.value.as_bool();
        flag.map_or_else(|| self.refuse("not a flag"), Ok)
    }

    /// A name of letters, digits and `others`.
    fn name(&self, chars_max: usize, others: &str) -> Found<&'a str> {
        let name = self.text()?;
        let is_legal = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
        let is_name = (1..=chars_max).contains(&name.len()) && name.chars().all(is_legal);
        self.check(is_name, &format!("{name:?} is no name"))?;
        Ok(name)
    }

    /// A picture in base64 whose first bytes are what it is said to be.
    fn picture(&self, media_type: &str, kinds: &[&str]) -> Found<()> {
        self.check(
            kinds.contains(&media_type),
            &format!("{media_type:?} is no picture"),
        )?;
        let Ok(bytes) = STANDARD.decode(self.text()?) else {
            return self.refuse("not base64");
        };
        let start: &[u8] = match media_type {
            "image/png" => b"\x89PNG\r\n\x1a\n",
            "image/jpeg" => b"\xff\xd8\xff",
            "image/gif" => b"GIF8",
            _ => b"RIFF",
        };
        self.check(
            bytes.starts_with(start),
            &format!("no {media_type} picture"),
        )
    }

    /// The same in a `data:` address.
    fn picture_url(&self) -> Found<()> {
        let parts = self.text()?.strip_prefix("data:");
        let Some((media_type, data)) = parts.and_then(|rest| rest.split_once(";base64,")) else {
            return self.refuse("not a data URL");
        };
        let value = Value::from(data);
        let path = self.path.clone();
        let data = At {
            value: &value,
            path,
        };
        data.picture(
            media_type,
            &["image/png", "image/jpeg", "image/gif", "image/webp"],
        )
    }

    /// Names in a list, none of them twice.
    fn distinct(&self, names: &[&str]) -> Found<()> {
        let twice = (1..names.len()).find(|at| names[..*at].contains(&names[*at]));
        match twice {
            Some(at) => self.refuse(&format!("{:?} twice", names[at])),
            None => Ok(()),
        }
    }
}

/// A table's check of one wire: `good` is taken, and each change of it is refused for its reason.
/// A change is a place as a JSON pointer and what is put there; nothing takes the field out.
#[cfg(test)]
#[track_caller]
fn check_refusals(wire: Wire, good: &Value, rows: &[(&str, Value, &str)]) {
    assert_eq!(validate(wire, good), Ok(()));
    for (pointer, value, why) in rows {
        let mut body = good.clone();
        put(&mut body, pointer, value);
        let verdict = validate(wire, &body);
        let said = verdict
            .err()
            .unwrap_or_else(|| panic!("taken: {pointer} = {value}"));
        assert!(said.contains(why), "{pointer} = {value}: {said}");
    }
}

/// Puts a value where `pointer` says, or takes away what is there if the value is null.
#[cfg(test)]
fn put(body: &mut Value, pointer: &str, value: &Value) {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = body
        .pointer_mut(parent)
        .unwrap_or_else(|| panic!("no {parent}"));
    match parent {
        Value::Object(fields) if value.is_null() => {
            fields
                .remove(name)
                .unwrap_or_else(|| panic!("no {pointer}"));
        }
        Value::Object(fields) => {
            fields.insert(name.into(), value.clone());
        }
        Value::Array(list) if name == "-" => list.push(value.clone()),
        Value::Array(list) if value.is_null() => {
            list.remove(name.parse().expect("an index"));
        }
        Value::Array(list) => list[name.parse::<usize>().expect("an index")] = value.clone(),
        _ => panic!("{parent} holds nothing"),
    }
}

#[test]
fn a_seal_is_broken_by_one_byte() {
    assert_eq!(seal(&["a", "b"]), seal(&["a", "b"]));
    assert_ne!(seal(&["a", "b"]), seal(&["ab"]));
    assert_ne!(seal(&["a"]), seal(&["b"]));
}
