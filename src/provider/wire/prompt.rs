//! What a prompt says where a service has no field for it.

use std::borrow::Cow;

/// `prompt`, and where there is a schema that the service does not hold the model to, the request
/// to keep to it.
pub fn with_schema<'a>(prompt: &'a str, schema: Option<&str>) -> Cow<'a, str> {
    let Some(schema) = schema else {
        return Cow::Borrowed(prompt);
    };
    Cow::Owned(format!(
        "{prompt}\n\nYour last answer must be JSON that fits this JSON Schema, without anything \
         around it:\n{schema}"
    ))
}
