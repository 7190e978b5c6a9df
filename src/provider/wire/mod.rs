//! The wires that members speak: pure codecs, without endpoint, credential or model names.

pub mod completions;
pub mod fingerprint;
pub mod freeform;
pub mod generate;
pub mod messages;
pub mod name;
pub mod prompt;
pub mod responses;

use serde_json::Value;

/// What the model reads where a call has no answer; the words are the official clients'.
pub const ABORTED: &str = "aborted";

/// A number of tokens; some gateways write it with a fraction or as a string.
pub fn tokens(value: &Value) -> Option<u64> {
    let fraction = || value.as_f64().filter(|count| *count >= 0.0);
    // What is too large for the type is the largest that it has.
    let rounded = || fraction().map(|count| count as u64);
    let digits = || value.as_str()?.trim().parse().ok();
    value.as_u64().or_else(rounded).or_else(digits)
}

#[cfg(test)]
mod tests {
    use super::tokens;
    use serde_json::json;

    #[test]
    fn a_number_of_tokens_is_taken_in_any_shape_and_never_below_nothing() {
        for (value, expected) in [
            (json!(12), Some(12)),
            (json!(12.0), Some(12)),
            (json!("12"), Some(12)),
            (json!(1e40), Some(u64::MAX)),
            (json!(-1), None),
            (json!("-1"), None),
            (json!("many"), None),
            (json!(null), None),
            (json!([12]), None),
        ] {
            assert_eq!(tokens(&value), expected, "{value}");
        }
    }
}
