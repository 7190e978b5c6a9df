//! Reads the arguments of a call: JSON text in, checked values out. Each error is a sentence from
//! which a model can write the call right the next time.
//!
//! Nothing is guessed: a field that the tool does not have, a field of the wrong kind and a missing
//! one are errors. `null` stands for an optional field that was left out, since models that must
//! fill every field of a schema write it so.

use crate::base::clock;
use crate::base::text;
use serde_json::Map;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// What is wrong with the arguments of a call.
#[derive(Debug)]
pub enum Error {
    /// They are no JSON; the source says where.
    NotJson(serde_json::Error),
    /// They, or the part of them called `field`, are JSON but no object.
    NotObject {
        /// Where; empty for the whole.
        field: String,
        /// What is there instead.
        found: &'static str,
    },
    /// The tool has no such field.
    Unknown {
        /// The field.
        field: String,
        /// What it has.
        known: &'static [&'static str],
    },
    /// A field that must be there is not.
    Missing {
        /// The field.
        field: String,
    },
    /// A field has a value that it cannot have.
    Kind {
        /// The field.
        field: String,
        /// What it takes.
        wanted: &'static str,
        /// What was given.
        found: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotJson(source) => write!(f, "the arguments are not valid JSON: {source}"),
            Error::NotObject { field, found } if field.is_empty() => {
                write!(f, "the arguments must be a JSON object, not {found}")
            }
            Error::NotObject { field, found } => {
                write!(f, "{field} must be a JSON object, not {found}")
            }
            Error::Unknown { field, known } => {
                write!(f, "there is no argument {field}")?;
                let last = field.rsplit('.').next().unwrap_or(field);
                if let Some(near) = text::nearest(last, known.iter().copied()) {
                    write!(f, ", did you mean {near}?")?;
                }
                write!(f, "; there are: {}", known.join(", "))
            }
            Error::Missing { field } => write!(f, "the argument {field} is missing"),
            Error::Kind {
                field,
                wanted,
                found,
            } => write!(f, "{field} must be {wanted}, not {found}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::NotJson(source) => Some(source),
            _ => None,
        }
    }
}

/// An object of which every field is one that the tool has. Reading a field takes it out.
#[derive(Debug)]
pub struct Arguments {
    /// Where this object stands in the whole, as a prefix of field names: empty, or `edits[0].`.
    prefix: String,
    fields: Map<String, Value>,
}

impl Arguments {
    /// Reads JSON text. No text at all is an object without fields: some services send that.
    pub fn parse(json: &str, known: &'static [&'static str]) -> Result<Arguments, Error> {
        if json.trim().is_empty() {
            return Arguments::check(String::new(), Value::Object(Map::new()), known);
        }
        let value = serde_json::from_str(json).map_err(Error::NotJson)?;
        Arguments::check(String::new(), value, known)
    }

    /// A single text field, for a call that was written as free text.
    pub fn freeform(field: &str, text: &str) -> Arguments {
        let mut fields = Map::new();
        fields.insert(field.to_owned(), Value::String(text.to_owned()));
        Arguments {
            prefix: String::new(),
            fields,
        }
    }

    fn check(
        prefix: String,
        value: Value,
        known: &'static [&'static str],
    ) -> Result<Arguments, Error> {
        let Value::Object(mut fields) = value else {
            return Err(Error::NotObject {
                field: prefix.trim_end_matches('.').to_owned(),
                found: kind(&value),
            });
        };
        fields.retain(|_, value| !value.is_null());
        if let Some(field) = fields.keys().find(|field| !known.contains(&field.as_str())) {
            return Err(Error::Unknown {
                field: format!("{prefix}{field}"),
                known,
            });
        }
        Ok(Arguments { prefix, fields })
    }

    /// Text that must be there; it may be empty.
    pub fn text(&mut self, field: &str) -> Result<String, Error> {
        match self.fields.remove(field) {
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(self.kind_error(field, "a string", &other)),
            None => Err(self.missing(field)),
        }
    }

    /// Text, if it is there.
    pub fn optional_text(&mut self, field: &str) -> Result<Option<String>, Error> {
        match self.fields.contains_key(field) {
            true => self.text(field).map(Some),
            false => Ok(None),
        }
    }

    /// Yes or no; no if it is not there.
    pub fn flag(&mut self, field: &str) -> Result<bool, Error> {
        match self.fields.remove(field) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(self.kind_error(field, "true or false", &other)),
        }
    }

    /// A whole number from 1, if it is there.
    pub fn count(&mut self, field: &str) -> Result<Option<u64>, Error> {
        let Some(value) = self.fields.remove(field) else {
            return Ok(None);
        };
        match value.as_u64() {
            Some(count) if count > 0 => Ok(Some(count)),
            _ => Err(self.kind_error(field, "a whole number from 1", &value)),
        }
    }

    /// A whole number from 0, if it is there.
    pub fn offset(&mut self, field: &str) -> Result<Option<u64>, Error> {
        let Some(value) = self.fields.remove(field) else {
            return Ok(None);
        };
        let offset = value.as_u64();
        match offset {
            Some(_) => Ok(offset),
            None => Err(self.kind_error(field, "a whole number from 0", &value)),
        }
    }

    /// A duration longer than nothing and at most `longest`, if it is there: a number of seconds,
    /// or text such as `2m`.
    pub fn duration(
        &mut self,
        field: &str,
        longest: Duration,
        wanted: &'static str,
    ) -> Result<Option<Duration>, Error> {
        let Some(value) = self.fields.remove(field) else {
            return Ok(None);
        };
        let duration = match &value {
            Value::Number(seconds) => seconds
                .as_f64()
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            Value::String(text) => clock::parse_duration(text),
            _ => None,
        };
        match duration {
            Some(duration) if !duration.is_zero() && duration <= longest => Ok(Some(duration)),
            _ => Err(self.kind_error(field, wanted, &value)),
        }
    }

    /// A list of texts; none if it is not there.
    pub fn texts(&mut self, field: &str) -> Result<Vec<String>, Error> {
        let Some(value) = self.fields.remove(field) else {
            return Ok(Vec::new());
        };
        let texts = value.as_array().and_then(|values| {
            let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<String>>>()
        });
        texts.ok_or_else(|| self.kind_error(field, "a list of strings", &value))
    }

    /// A list of texts, or a single one; none if it is not there.
    pub fn one_or_more(&mut self, field: &str) -> Result<Vec<String>, Error> {
        match self.fields.get(field) {
            Some(Value::String(_)) => Ok(vec![self.text(field)?]),
            _ => self.texts(field),
        }
    }

    /// Objects with the fields `known`: at least one.
    pub fn objects(
        &mut self,
        field: &str,
        known: &'static [&'static str],
    ) -> Result<Vec<Arguments>, Error> {
        let values = match self.fields.remove(field) {
            Some(Value::Array(values)) if !values.is_empty() => values,
            Some(other) => return Err(self.kind_error(field, "a list of objects", &other)),
            None => return Err(self.missing(field)),
        };
        let objects = values.into_iter().enumerate();
        objects
            .map(|(index, value)| {
                let prefix = format!("{}{field}[{index}].", self.prefix);
                Arguments::check(prefix, value, known)
            })
            .collect()
    }

    fn missing(&self, field: &str) -> Error {
        Error::Missing {
            field: format!("{}{field}", self.prefix),
        }
    }

    fn kind_error(&self, field: &str, wanted: &'static str, found: &Value) -> Error {
        Error::Kind {
            field: format!("{}{field}", self.prefix),
            wanted,
            found: spoken(found),
        }
    }
}

/// The kind of a value, with its article.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(values) if values.is_empty() => "an empty list",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A value if it is short enough to be repeated, else its kind.
fn spoken(value: &Value) -> String {
    const REPEATED_BYTES_MAX: usize = 40;
    let json = match value {
        Value::Number(_) | Value::Bool(_) | Value::String(_) => value.to_string(),
        _ => String::new(),
    };
    if json.is_empty() || json.len() > REPEATED_BYTES_MAX {
        return kind(value).to_owned();
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["path", "offset", "edits", "all", "timeout"];

    #[track_caller]
    fn refused<T: fmt::Debug>(
        json: &str,
        read: impl Fn(&mut Arguments) -> Result<T, Error>,
        sentence: &str,
    ) {
        let got = Arguments::parse(json, KNOWN).and_then(|mut arguments| read(&mut arguments));
        assert_eq!(got.unwrap_err().to_string(), sentence, "{json}");
    }

    #[test]
    fn what_fits_is_read() {
        let json = r#"{"path":"a","offset":3,"all":true,"timeout":"2m","edits":[{"all":null}]}"#;
        let mut arguments = Arguments::parse(json, KNOWN).unwrap();
        assert_eq!(arguments.text("path").unwrap(), "a");
        assert_eq!(arguments.count("offset").unwrap(), Some(3));
        assert!(arguments.flag("all").unwrap());
        let hour = Duration::from_secs(3600);
        let timeout = arguments.duration("timeout", hour, "").unwrap();
        assert_eq!(timeout, Some(Duration::from_secs(120)));
        let mut edits = arguments.objects("edits", KNOWN).unwrap();
        assert!(!edits[0].flag("all").unwrap());
    }

    #[test]
    fn what_is_left_out_is_nothing() {
        let mut arguments = Arguments::parse(" ", KNOWN).unwrap();
        assert_eq!(arguments.count("offset").unwrap(), None);
        assert!(!arguments.flag("all").unwrap());
        refused(
            "",
            |a| a.text("path").map(drop),
            "the argument path is missing",
        );
    }

    #[test]
    fn what_is_wrong_is_said_in_a_sentence() {
        let path = |a: &mut Arguments| a.text("path");
        refused(
            "{\"path\": \"a\n",
            path,
            "the arguments are not valid JSON: control character (\\u0000-\\u001F) found while \
             parsing a string at line 2 column 0",
        );
        refused(
            "[]",
            path,
            "the arguments must be a JSON object, not an empty list",
        );
        refused(
            r#"{"pth":"a"}"#,
            path,
            "there is no argument pth, did you mean path?; there are: path, offset, edits, all, \
             timeout",
        );
        refused(r#"{"path":7}"#, path, "path must be a string, not 7");
        refused(
            r#"{"offset":0}"#,
            |a| a.count("offset"),
            "offset must be a whole number from 1, not 0",
        );
        refused(
            r#"{"offset":-1.5}"#,
            |a| a.count("offset"),
            "offset must be a whole number from 1, not -1.5",
        );
        refused(
            r#"{"edits":[{},{"old":1}]}"#,
            |a| a.objects("edits", &["new"]),
            "there is no argument edits[1].old; there are: new",
        );
        refused(
            r#"{"edits":["a",3]}"#,
            |a| a.texts("edits"),
            "edits must be a list of strings, not a list",
        );
        refused(
            r#"{"edits":[3]}"#,
            |a| a.objects("edits", KNOWN),
            "edits[0] must be a JSON object, not a number",
        );
        refused(
            r#"{"edits":[]}"#,
            |a| a.objects("edits", KNOWN),
            "edits must be a list of objects, not an empty list",
        );
    }

    #[test]
    fn a_duration_is_more_than_nothing_and_has_an_end() {
        let hour = Duration::from_secs(3600);
        let read = |a: &mut Arguments| a.duration("timeout", hour, "1 to 3600 seconds");
        for bad in ["0", "-1", "1e300", "3601", "\"1d\"", "[]"] {
            let json = format!("{{\"timeout\":{bad}}}");
            let got = read(&mut Arguments::parse(&json, KNOWN).unwrap());
            assert!(got.is_err(), "{bad}");
        }
        let got = read(&mut Arguments::parse(r#"{"timeout":1.5}"#, KNOWN).unwrap());
        assert_eq!(got.unwrap(), Some(Duration::from_millis(1500)));
    }
}
