//! Promises that hold for every tool of the brain, and for all tools together.

use super::*;
use crate::tools;
use serde_json::Value;

#[test]
fn schemas_are_strict_and_have_the_fields_that_are_read() {
    for tool in TOOLS {
        let Input::Schema(schema) = tool.spec.input else {
            panic!("{} has no schema", tool.spec.name);
        };
        let schema: Value = serde_json::from_str(schema).unwrap();
        assert_eq!(schema["additionalProperties"], false, "{}", tool.spec.name);
        let properties = schema["properties"].as_object().unwrap();
        let mut fields = tool.fields.to_vec();
        fields.sort_unstable();
        let mut offered: Vec<&str> = properties.keys().map(String::as_str).collect();
        offered.sort_unstable();
        assert_eq!(offered, fields, "{}", tool.spec.name);
    }
}

#[test]
fn all_that_is_sent_of_all_tools_stays_small() {
    /// Two thirds of what the first request may have.
    const BYTES_MAX: usize = 6_000;
    let hands = tools::TOOLS.iter().map(|tool| tool.spec);
    let specs = hands.chain(TOOLS.iter().map(|tool| tool.spec));
    let bytes: usize = specs
        .map(|spec| {
            let input = match spec.input {
                Input::Schema(schema) => schema.len(),
                Input::Freeform { grammar, field } => grammar.len() + field.len(),
            };
            spec.name.len() + spec.description.len() + input
        })
        .sum();
    assert!(bytes < BYTES_MAX, "{bytes} bytes");
}

#[test]
fn no_name_is_taken_twice() {
    for tool in TOOLS {
        assert!(has(tool.spec.name));
        assert!(tools::spec(tool.spec.name).is_none());
    }
    assert!(!has("bash"));
}
