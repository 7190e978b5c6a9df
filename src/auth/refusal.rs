//! What an issuer's refusal says, in the shapes that issuers send (RFC 6749 section 5.2, and
//! OpenAI's own): a code for programs and a sentence for people.

use serde_json::Value;

/// `error.code`, else `error` if it is a text, else `code`; empty where there is none.
pub fn code(answer: &Value) -> &str {
    let error = &answer["error"];
    let code = if error.is_object() {
        &error["code"]
    } else {
        error
    };
    code.as_str()
        .or(answer["code"].as_str())
        .unwrap_or_default()
}

/// `start`, `code` and the sentence, as far as they are there. They are the issuer's bytes still:
/// whoever shows them makes them harmless.
pub fn words(start: &str, code: &str, answer: &Value) -> String {
    let sentence = answer["error_description"]
        .as_str()
        .or(answer["error"]["message"].as_str())
        .or(answer["message"].as_str())
        .unwrap_or_default();
    let mut words = start.to_string();
    for part in [code, sentence] {
        if !part.is_empty() {
            words.push_str(": ");
            words.push_str(part);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_are_read() {
        for (answer, expected) in [
            (
                r#"{"error":"invalid_grant","error_description":"too old"}"#,
                "no: invalid_grant: too old",
            ),
            (
                r#"{"error":{"code":"reused","message":"again"}}"#,
                "no: reused: again",
            ),
            (r#"{"code":"x","message":"y"}"#, "no: x: y"),
            (r#"{"error":{"message":"y"}}"#, "no: y"),
            (r#"[1]"#, "no"),
        ] {
            let answer: Value = serde_json::from_str(answer).unwrap();
            assert_eq!(words("no", code(&answer), &answer), expected);
        }
    }
}
