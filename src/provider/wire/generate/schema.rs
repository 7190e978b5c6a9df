//! Cuts a JSON Schema to what generateContent takes: a part of OpenAPI 3.0's schema object.
//!
//! A field that the service does not know is a refused request, so only known ones are kept, each
//! only where its type has it. What can be said in other words is: a list of types becomes
//! `nullable` or `anyOf`, `const` an `enum` of one, `oneOf` an `anyOf`; references are put in
//! place. What cannot be said is left out, so the cut schema allows more and never less.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// `schema` without what the service refuses.
pub fn cut(schema: &Value) -> Value {
    let mut cutter = Cutter {
        root: schema,
        path: Vec::new(),
    };
    Value::Object(cutter.cut(schema))
}

/// Whether a schema of arguments, once it is cut, has none: the service wants none then.
pub fn is_empty_object(schema: &Value) -> bool {
    schema["type"] == "object" && schema.get("properties").is_none()
}

struct Cutter<'a> {
    /// Where references start.
    root: &'a Value,
    /// The references that led to what is being cut: one that leads back to itself has no end.
    path: Vec<String>,
}

impl Cutter<'_> {
    fn cut(&mut self, schema: &Value) -> Map<String, Value> {
        let length = self.path.len();
        let cut = match self.flatten(schema) {
            Flat::Fields(fields) => self.cut_fields(&fields),
            Flat::Any => typed("string"),
            Flat::Endless => typed("object"),
        };
        self.path.truncate(length);
        cut
    }

    fn cut_fields(&mut self, fields: &Map<String, Value>) -> Map<String, Value> {
        let alternatives = alternatives(fields);
        let is_nullable = is_nullable(fields);
        let mut cut = match alternatives.as_slice() {
            [] => self.cut_typed(fields),
            [one] => {
                let mut cut = self.cut(one);
                if let Some(description) = description(fields) {
                    cut.insert("description".into(), json!(description));
                }
                cut
            }
            several => return self.any_of(several, fields, is_nullable),
        };
        if is_nullable {
            cut.insert("nullable".into(), Value::Bool(true));
        }
        cut
    }

    /// The service wants nothing beside an `anyOf`: what is said of all is said of each.
    fn any_of(
        &mut self,
        several: &[Value],
        fields: &Map<String, Value>,
        is_nullable: bool,
    ) -> Map<String, Value> {
        let each = several.iter().map(|one| {
            let mut cut = self.cut(one);
            if let (None, Some(text)) = (cut.get("description"), description(fields)) {
                cut.insert("description".into(), json!(text));
            }
            if is_nullable {
                cut.insert("nullable".into(), Value::Bool(true));
            }
            Value::Object(cut)
        });
        Map::from_iter([("anyOf".to_string(), each.collect())])
    }

    /// The schema's own fields with those of its references and of `allOf`.
    fn flatten(&mut self, schema: &Value) -> Flat {
        let Value::Object(fields) = schema else {
            return Flat::Any;
        };
        let mut fields = fields.clone();
        let mut parts = Vec::new();
        if let Some(Value::String(reference)) = fields.remove("$ref") {
            if self.path.contains(&reference) {
                return Flat::Endless;
            }
            let pointer = reference.strip_prefix('#').unwrap_or(&reference);
            parts.extend(self.root.pointer(pointer));
            self.path.push(reference);
        }
        let all_of = fields.remove("allOf");
        parts.extend(
            all_of
                .as_ref()
                .and_then(Value::as_array)
                .into_iter()
                .flatten(),
        );
        for part in parts {
            match self.flatten(part) {
                Flat::Fields(more) => merge(&mut fields, more),
                Flat::Any => {}
                Flat::Endless => return Flat::Endless,
            }
        }
        Flat::Fields(fields)
    }

    fn cut_typed(&mut self, fields: &Map<String, Value>) -> Map<String, Value> {
        let kind = kind(fields);
        let mut cut = typed(kind);
        let mut keep = |names: &[&str], is_good: fn(&Value) -> bool| {
            for name in names {
                if let Some(value) = fields.get(*name).filter(|value| is_good(value)) {
                    cut.insert((*name).to_string(), value.clone());
                }
            }
        };
        keep(&["description"], Value::is_string);
        match kind {
            "string" => {
                keep(&["minLength", "maxLength"], Value::is_u64);
                keep(&["pattern"], Value::is_string);
                keep(&["format"], |format| format == "date-time");
            }
            "integer" | "number" => {
                keep(&["minimum", "maximum"], Value::is_number);
                keep(&["format"], is_number_format);
            }
            "array" => {
                keep(&["minItems", "maxItems"], Value::is_u64);
                let item = match fields.get("items").or(fields.get("prefixItems")) {
                    // One schema for each place; the service knows only one for all.
                    Some(Value::Array(places)) => places.first().unwrap_or(&Value::Null),
                    Some(item) => item,
                    None => &Value::Null,
                };
                cut.insert("items".into(), Value::Object(self.cut(item)));
            }
            "object" => self.cut_properties(fields, &mut cut),
            _ => {}
        }
        say_values(fields, &mut cut);
        cut
    }

    fn cut_properties(&mut self, fields: &Map<String, Value>, cut: &mut Map<String, Value>) {
        let Some(Value::Object(properties)) = fields.get("properties") else {
            return;
        };
        if properties.is_empty() {
            return;
        }
        let required = fields.get("required").and_then(Value::as_array);
        let required = required.into_iter().flatten().filter(|name| {
            let name = name.as_str().unwrap_or_default();
            properties.contains_key(name)
        });
        let required: Vec<Value> = required.cloned().collect();
        let properties = properties
            .iter()
            .map(|(name, schema)| (name.clone(), Value::Object(self.cut(schema))));
        cut.insert("properties".into(), Value::Object(properties.collect()));
        if !required.is_empty() {
            cut.insert("required".into(), Value::Array(required));
        }
    }
}

/// What a schema says once its references are put in place.
enum Flat {
    Fields(Map<String, Value>),
    /// `true`: any value.
    Any,
    /// A reference that leads back to itself.
    Endless,
}

fn description(fields: &Map<String, Value>) -> Option<&str> {
    fields.get("description").and_then(Value::as_str)
}

fn typed(kind: &str) -> Map<String, Value> {
    Map::from_iter([("type".to_string(), json!(kind))])
}

fn is_number_format(format: &Value) -> bool {
    ["int32", "int64", "float", "double"]
        .iter()
        .any(|known| format == known)
}

/// Adds what `more` says to `fields`; where both say something, maps and lists are joined.
fn merge(fields: &mut Map<String, Value>, more: Map<String, Value>) {
    for (name, value) in more {
        match (fields.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                for (name, value) in new {
                    old.entry(name).or_insert(value);
                }
            }
            (Some(Value::Array(old)), Value::Array(new)) if name == "required" => {
                old.extend(new);
            }
            (Some(_), _) => {}
            (None, value) => {
                fields.insert(name, value);
            }
        }
    }
}

/// What the value may be one of, `null` left out; none where the schema says it in one type.
fn alternatives(fields: &Map<String, Value>) -> Vec<Value> {
    let listed = ["anyOf", "oneOf"].iter().find_map(|name| fields.get(*name));
    if let Some(listed) = listed.and_then(Value::as_array) {
        let named = listed.iter().filter(|one| one["type"] != "null");
        return named.cloned().collect();
    }
    let types = fields.get("type").and_then(Value::as_array);
    let types = types.into_iter().flatten().filter(|kind| *kind != "null");
    let of_type = types.map(|kind| {
        let mut fields = fields.clone();
        fields.insert("type".into(), kind.clone());
        Value::Object(fields)
    });
    of_type.collect()
}

fn is_nullable(fields: &Map<String, Value>) -> bool {
    let has_null = |name: &str| {
        let list = fields.get(name).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .any(|one| one.is_null() || one == "null" && name == "type" || one["type"] == "null")
    };
    fields.get("nullable") == Some(&Value::Bool(true))
        || ["type", "enum", "anyOf", "oneOf"].into_iter().any(has_null)
}

/// The type that is stated, else the one that the other fields speak of.
fn kind(fields: &Map<String, Value>) -> &'static str {
    const KINDS: [&str; 6] = ["object", "array", "integer", "number", "boolean", "string"];
    let stated = fields.get("type").and_then(Value::as_str);
    let stated = stated.map(str::to_ascii_lowercase);
    if let Some(known) = KINDS
        .into_iter()
        .find(|kind| stated.as_deref() == Some(kind))
    {
        return known;
    }
    match values(fields).first() {
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Number(number)) if number.is_f64() => "number",
        Some(Value::Number(_)) => "integer",
        _ if fields.contains_key("properties") => "object",
        _ if fields.contains_key("items") => "array",
        _ => "string",
    }
}

/// The only values that are allowed; none where there is no such list.
fn values(fields: &Map<String, Value>) -> Vec<Value> {
    if let Some(value) = fields.get("const") {
        return vec![value.clone()];
    }
    let listed = fields.get("enum").and_then(Value::as_array);
    let named = listed.into_iter().flatten().filter(|one| !one.is_null());
    named.cloned().collect()
}

/// Only strings can be listed, and none of them empty; other values are told in words.
fn say_values(fields: &Map<String, Value>, cut: &mut Map<String, Value>) {
    let values = values(fields);
    if values.is_empty() {
        return;
    }
    let is_listable = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    if cut["type"] == "string" && values.iter().all(is_listable) {
        cut.insert("enum".into(), Value::Array(values));
        return;
    }
    let values: Vec<String> = values.iter().map(Value::to_string).collect();
    let mut words = format!("One of: {}.", values.join(", "));
    if let Some(description) = description(fields) {
        words = format!("{description} {words}");
    }
    cut.insert("description".into(), Value::String(words));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: Value, expected: Value) {
        assert_eq!(cut(&schema), expected, "{schema}");
    }

    #[test]
    fn what_the_service_does_not_know_is_left_out() {
        check(
            json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "T",
                "type": "object", "additionalProperties": false, "$defs": {},
                "properties": {
                    "title": {"type": "string", "default": "x", "examples": ["y"]},
                    "n": {"type": "integer", "exclusiveMinimum": 0, "minimum": 1, "multipleOf": 2},
                    "uri": {"type": "string", "format": "uri", "pattern": "^h"},
                    "when": {"type": "string", "format": "date-time", "minLength": 1}},
                "required": ["title", "gone"], "patternProperties": {}}),
            json!({"type": "object",
                "properties": {
                    "title": {"type": "string"},
                    "n": {"type": "integer", "minimum": 1},
                    "uri": {"type": "string", "pattern": "^h"},
                    "when": {"type": "string", "format": "date-time", "minLength": 1}},
                "required": ["title"]}),
        );
        // A limit belongs to its type.
        check(
            json!({"type": "string", "minimum": 1, "items": {}, "format": "int32"}),
            json!({"type": "string"}),
        );
        check(
            json!({"type": "number", "format": "float", "maximum": 1.5, "minLength": 1}),
            json!({"type": "number", "format": "float", "maximum": 1.5}),
        );
    }

    #[test]
    fn null_is_said_by_a_field_of_its_own() {
        let text = json!({"type": "string", "nullable": true});
        check(json!({"type": ["string", "null"]}), text.clone());
        check(json!({"type": ["null", "string"]}), text.clone());
        check(json!({"type": "string", "nullable": true}), text.clone());
        check(
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
            text,
        );
        check(
            json!({"description": "d", "anyOf": [{"type": "string", "description": "e"},
                {"type": "null"}]}),
            json!({"type": "string", "description": "d", "nullable": true}),
        );
        check(
            json!({"enum": ["a", null]}),
            json!({"type": "string", "enum": ["a"], "nullable": true}),
        );
    }

    #[test]
    fn alternatives_stand_alone() {
        check(
            json!({"description": "d", "oneOf": [{"type": "string"},
                {"type": "array", "items": {"type": "string"}, "description": "e"}]}),
            json!({"anyOf": [{"type": "string", "description": "d"},
                {"type": "array", "items": {"type": "string"}, "description": "e"}]}),
        );
        check(
            json!({"type": ["integer", "string", "null"], "minimum": 3}),
            json!({"anyOf": [{"type": "integer", "minimum": 3, "nullable": true},
                {"type": "string", "nullable": true}]}),
        );
    }

    #[test]
    fn values_are_listed_where_they_are_words() {
        check(
            json!({"const": "a"}),
            json!({"type": "string", "enum": ["a"]}),
        );
        check(
            json!({"type": "string", "enum": ["a", "b"]}),
            json!({"type": "string", "enum": ["a", "b"]}),
        );
        check(
            json!({"type": "string", "enum": ["", "b"]}),
            json!({"type": "string", "description": "One of: \"\", \"b\"."}),
        );
        check(
            json!({"enum": [1, 2], "description": "How many."}),
            json!({"type": "integer", "description": "How many. One of: 1, 2."}),
        );
        check(
            json!({"const": true}),
            json!({"type": "boolean", "description": "One of: true."}),
        );
    }

    #[test]
    fn references_are_put_in_place() {
        check(
            json!({"$defs": {"A": {"type": "object", "properties": {"x": {"type": "boolean"}}}},
                "type": "object", "properties": {"a": {"$ref": "#/$defs/A", "description": "d"},
                    "b": {"allOf": [{"$ref": "#/$defs/A"}, {"required": ["x"]}]}}}),
            json!({"type": "object", "properties": {
                "a": {"type": "object", "description": "d",
                    "properties": {"x": {"type": "boolean"}}},
                "b": {"type": "object", "properties": {"x": {"type": "boolean"}},
                    "required": ["x"]}}}),
        );
        check(json!({"$ref": "#/none"}), json!({"type": "string"}));
        // One that refers to itself ends somewhere.
        let tree = json!({"$defs": {"T": {"type": "array", "items": {"$ref": "#/$defs/T"}}},
            "$ref": "#/$defs/T"});
        let end = json!({"type": "array", "items": {"type": "object"}});
        check(tree, end);
        check(json!({"$ref": "#"}), json!({"type": "object"}));
    }

    #[test]
    fn every_schema_has_a_type() {
        for (schema, kind) in [
            (json!(true), "string"),
            (json!({}), "string"),
            (json!({"type": "null"}), "string"),
            (json!({"type": "STRING"}), "string"),
            (json!({"properties": {"a": {}}}), "object"),
            (json!({"items": {}}), "array"),
        ] {
            assert_eq!(cut(&schema)["type"], kind, "{schema}");
        }
        check(
            json!({"type": "array"}),
            json!({"type": "array", "items": {"type": "string"}}),
        );
        check(
            json!({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}),
            json!({"type": "array", "items": {"type": "integer"}}),
        );
        let empty = cut(&json!({"type": "object", "properties": {}}));
        assert_eq!(empty, json!({"type": "object"}));
        assert!(is_empty_object(&empty));
        assert!(!is_empty_object(&cut(&json!({"properties": {"a": {}}}))));
    }
}
