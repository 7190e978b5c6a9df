//! Schemas as the services take them: any for most tools, closed ones where they are enforced, and
//! the small part of OpenAPI that Gemini knows.

use super::At;
use super::Found;

/// The schema of a function's arguments.
pub(super) fn of_arguments(schema: &At<'_>) -> Found<()> {
    schema.need("type")?.word(&["object"])?;
    Ok(())
}

/// A schema that is enforced: every object is closed, and all that it has is required.
pub(super) fn strict(schema: &At<'_>) -> Found<()> {
    let Some(fields) = schema.value.as_object() else {
        return schema.refuse("not an object");
    };
    if fields.get("type").is_some_and(|kind| kind == "object") {
        let is_closed = fields.get("additionalProperties") == Some(&false.into());
        schema.check(is_closed, "additionalProperties is not false")?;
        let required = fields.get("required").and_then(|list| list.as_array());
        for name in fields
            .get("properties")
            .and_then(|all| all.as_object())
            .into_iter()
            .flatten()
        {
            let is_required = required.is_some_and(|list| list.iter().any(|own| own == name.0));
            schema.check(is_required, &format!("{} is not required", name.0))?;
        }
    }
    each_below(schema, strict)
}

fn each_below(schema: &At<'_>, check: fn(&At<'_>) -> Found<()>) -> Found<()> {
    if let Some(properties) = schema.field("properties") {
        let names = properties.value.as_object().into_iter().flatten();
        for (name, _) in names {
            check(&properties.need(name)?)?;
        }
    }
    if let Some(items) = schema.field("items") {
        check(&items)?;
    }
    if let Some(any) = schema.field("anyOf") {
        any.full_list()?.iter().try_for_each(check)?;
    }
    Ok(())
}

/// What Gemini knows of a schema.
const OPEN_API: &[&str] = &[
    "anyOf",
    "default",
    "description",
    "enum",
    "example",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "nullable",
    "pattern",
    "properties",
    "propertyOrdering",
    "required",
    "title",
    "type",
];

/// A schema as Gemini takes it.
pub(super) fn open_api(schema: &At<'_>) -> Found<()> {
    schema.fields(&[], OPEN_API)?;
    if schema.field("anyOf").is_none() {
        let kinds = ["string", "number", "integer", "boolean", "array", "object"];
        let kind = schema.need("type")?.word(&kinds)?;
        let only = |name: &str, kinds: &[&str]| match schema.field(name) {
            Some(field) if !kinds.contains(&kind) => field.refuse("not for this type"),
            _ => Ok(()),
        };
        only("enum", &["string", "integer", "number"])?;
        only("items", &["array"])?;
        only("properties", &["object"])?;
        match kind {
            "array" => {
                schema.need("items")?;
            }
            "object" => of_object(schema)?,
            "string" => {
                if let Some(format) = schema.field("format") {
                    format.word(&["date-time", "enum"])?;
                }
                let values = schema
                    .field("enum")
                    .map(|list| list.full_list())
                    .transpose()?;
                for value in values.into_iter().flatten() {
                    value.full_text()?;
                }
            }
            _ => {}
        }
    }
    each_below(schema, open_api)
}

fn of_object(schema: &At<'_>) -> Found<()> {
    let properties = schema.need("properties")?;
    let has_some = properties
        .value
        .as_object()
        .is_some_and(|all| !all.is_empty());
    properties.check(has_some, "should be non-empty for OBJECT type")?;
    let required = schema
        .field("required")
        .map(|list| list.list())
        .transpose()?;
    for name in required.into_iter().flatten() {
        let is_there = properties.field(name.text()?).is_some();
        name.check(is_there, "property is not defined")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use serde_json::json;

    #[track_caller]
    fn check(rule: fn(&At<'_>) -> Found<()>, schema: &Value, why: Option<&str>) {
        let path = "schema".into();
        let verdict = rule(&At {
            value: schema,
            path,
        });
        match (verdict, why) {
            (Ok(()), None) => {}
            (Err(said), Some(why)) if said.contains(why) => {}
            (verdict, why) => panic!("{schema}: {verdict:?}, not {why:?}"),
        }
    }

    #[test]
    fn an_enforced_schema_is_closed_all_the_way_down() {
        let inner = json!({"type": "object", "properties": {"b": {"type": "string"}},
            "required": ["b"], "additionalProperties": false});
        let outer = |inner: &Value| {
            json!({"type": "object", "required": ["a"], "additionalProperties": false,
                "properties": {"a": {"type": "array", "items": inner}}})
        };
        check(strict, &outer(&inner), None);
        let mut open = inner.clone();
        open["additionalProperties"] = json!(true);
        check(strict, &outer(&open), Some("a.items: additionalProperties"));
        let mut loose = inner;
        loose["required"] = json!([]);
        check(strict, &outer(&loose), Some("b is not required"));
    }

    #[test]
    fn gemini_knows_a_part_of_open_api() {
        let text = json!({"type": "string"});
        let object = |more: Value| {
            let mut schema = json!({"type": "object", "properties": {"a": text}});
            for (name, value) in more.as_object().expect("fields") {
                schema[name] = value.clone();
            }
            schema
        };
        check(open_api, &object(json!({"required": ["a"]})), None);
        check(
            open_api,
            &json!({"anyOf": [text, {"type": "integer"}]}),
            None,
        );
        for (schema, why) in [
            (object(json!({"$schema": "x"})), "unknown field $schema"),
            (
                object(json!({"additionalProperties": false})),
                "additionalProperties",
            ),
            (
                object(json!({"required": ["b"]})),
                "property is not defined",
            ),
            (object(json!({"properties": {}})), "should be non-empty"),
            (
                object(json!({"properties": {"a": {"const": 1}}})),
                "unknown field const",
            ),
            (
                object(json!({"properties": {"a": {"type": ["string", "null"]}}})),
                "not a text",
            ),
            (json!({"type": "array"}), "missing field items"),
            (json!({"type": "string", "format": "uri"}), "none of"),
            (json!({"type": "string", "enum": [""]}), "an empty text"),
            (
                json!({"type": "boolean", "enum": ["a"]}),
                "not for this type",
            ),
            (json!({"anyOf": [{"oneOf": []}]}), "unknown field oneOf"),
        ] {
            check(open_api, &schema, Some(why));
        }
    }
}
