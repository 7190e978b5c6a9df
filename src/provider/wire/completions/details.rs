//! `reasoning_details`: a gateway's list of what a model thought, in parts that must go back as
//! they are, since the model's maker has signed or sealed them.
//!
//! A stream brings a part in pieces. Words are added to the part before, if it is of the same type
//! and number; what comes without words, as a signature may much later, belongs to the last part
//! of that type and number. A part that came whole is kept byte for byte. The list is worth
//! nothing to another host than the one that sent it.

use crate::chat::Block;
use crate::chat::Opaque;
use crate::provider::Error;
use crate::provider::wire::responses::json;
use serde::Deserialize;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The longest answers have some dozens; looking one up is linear.
const PARTS_MAX: usize = 1_000;

/// The fields whose strings are put together.
const WORDS: &[&str] = &["text", "summary"];

/// The field that seals a part.
const DATA: &str = "data";

/// What is kept of an answer.
#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    host: &'a str,
    #[serde(borrow)]
    reasoning_details: &'a RawValue,
}

/// The parts of one answer, in the order in which they began.
#[derive(Debug, Default)]
pub struct Details(Vec<Part>);

#[derive(Debug)]
enum Part {
    /// It came at once.
    Whole(Box<RawValue>),
    /// It came in pieces.
    Joined(Joined),
}

/// A part that is put together from pieces.
#[derive(Debug, Default)]
struct Joined {
    /// What each of `WORDS` has so far.
    words: BTreeMap<&'static str, String>,
    others: BTreeMap<String, Box<RawValue>>,
}

type Fields<'a> = BTreeMap<String, &'a RawValue>;

impl Details {
    /// Takes the pieces of one chunk. What is no object is passed over.
    pub fn take(&mut self, pieces: &[&RawValue]) -> Result<(), Error> {
        for piece in pieces {
            let Ok(fields) = serde_json::from_str::<Fields<'_>>(piece.get()) else {
                continue;
            };
            let position = self.0.iter().rposition(|part| part.is_of(&fields));
            let is_last = position.is_some_and(|at| at + 1 == self.0.len());
            let joins = |at: &usize| {
                let is_next = is_last || !has_words(&fields);
                is_next && self.0[*at].is_open_to(&fields)
            };
            match position.filter(joins) {
                Some(at) => self.0[at].join(&fields),
                None if self.0.len() >= PARTS_MAX => {
                    return Err(Error::Refused {
                        status: 200,
                        detail: "the answer has over 1000 parts of thoughts".into(),
                    });
                }
                None => self.0.push(Part::Whole((*piece).to_owned())),
            }
        }
        Ok(())
    }

    /// The answer ended: all of it as a block that `provider` at `host` wants to see again; `None`
    /// where there was nothing.
    pub fn give(&mut self, provider: &str, host: &str) -> Option<Block> {
        if self.0.is_empty() {
            return None;
        }
        let parts = self.0.drain(..).map(Part::into_json);
        let list = format!("[{}]", parts.collect::<Vec<_>>().join(","));
        let list: &RawValue = serde_json::from_str(&list).ok()?;
        let kept = Kept {
            host,
            reasoning_details: list,
        };
        Some(Block::Other(Opaque {
            provider: provider.to_string(),
            json: serde_json::to_string(&kept).ok()?,
        }))
    }
}

/// The parts that `opaque` holds, without the list around them, if it goes back to where it came
/// from: `provider` at `host`.
pub fn echoed<'a>(opaque: &'a Opaque, provider: &str, host: &str) -> Option<&'a str> {
    if opaque.provider != provider {
        return None;
    }
    let kept: Kept<'_> = serde_json::from_str(&opaque.json).ok()?;
    let list = kept.reasoning_details.get().trim();
    let parts = list.strip_prefix('[')?.strip_suffix(']')?.trim();
    (kept.host == host && !parts.is_empty()).then_some(parts)
}

impl Part {
    /// Whether `fields` have the type and the number of this part.
    fn is_of(&self, fields: &Fields<'_>) -> bool {
        let same = |name: &str| self.text(name).as_deref() == text(fields, name);
        same("type") && same("index")
    }

    /// Whether a piece says more of this part, and not the same once more of another.
    fn is_open_to(&self, fields: &Fields<'_>) -> bool {
        let ids = (self.text("id"), text(fields, "id"));
        let has_other_id = matches!(&ids, (Some(own), Some(other)) if own.as_str() != *other);
        let is_sealed = self.text(DATA).is_some();
        !has_other_id && !is_sealed
    }

    /// The JSON of a field that is there and no null.
    fn text(&self, name: &str) -> Option<String> {
        match self {
            Part::Whole(raw) => {
                let fields: Fields<'_> = serde_json::from_str(raw.get()).ok()?;
                text(&fields, name).map(str::to_string)
            }
            Part::Joined(joined) => {
                let raw = joined.others.get(name).map(|raw| raw.get());
                raw.filter(|json| *json != "null").map(str::to_string)
            }
        }
    }

    fn join(&mut self, fields: &Fields<'_>) {
        if let Part::Whole(raw) = self {
            let mut joined = Joined::default();
            joined.add(&serde_json::from_str(raw.get()).unwrap_or_default());
            *self = Part::Joined(joined);
        }
        if let Part::Joined(joined) = self {
            joined.add(fields);
        }
    }

    fn into_json(self) -> String {
        let Joined { words, mut others } = match self {
            Part::Whole(raw) => return raw.get().to_string(),
            Part::Joined(joined) => joined,
        };
        for (name, words) in words {
            let raw = serde_json::value::to_raw_value(&words);
            others.extend(raw.ok().map(|raw| (name.to_string(), raw)));
        }
        serde_json::to_string(&others).unwrap_or_default()
    }
}

impl Joined {
    /// Words are added to what is there; of anything else the first that says something counts.
    fn add(&mut self, fields: &Fields<'_>) {
        for (name, raw) in fields {
            let words = WORDS.iter().find(|words| *words == name);
            if let (Some(name), Some(words)) = (words, json::string(raw)) {
                self.words.entry(name).or_default().push_str(&words);
                continue;
            }
            let known = self.others.get(name).map(|raw| raw.get());
            if matches!(known, None | Some("null" | "\"\"")) {
                self.others.insert(name.clone(), (*raw).to_owned());
            }
        }
    }
}

fn text<'a>(fields: &Fields<'a>, name: &str) -> Option<&'a str> {
    let raw = fields.get(name).map(|raw| raw.get());
    raw.filter(|json| *json != "null")
}

fn has_words(fields: &Fields<'_>) -> bool {
    let mut words = WORDS.iter().filter_map(|name| text(fields, name));
    words.any(|json| json != "\"\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn taken(chunks: &[&str]) -> Details {
        let mut details = Details::default();
        for chunk in chunks {
            let pieces: Vec<&RawValue> = serde_json::from_str(chunk).unwrap();
            details.take(&pieces).unwrap();
        }
        details
    }

    #[track_caller]
    fn check(chunks: &[&str], expected: &str) {
        let Some(Block::Other(opaque)) = taken(chunks).give("p", "h") else {
            panic!("nothing of {chunks:?}");
        };
        let parts = echoed(&opaque, "p", "h").unwrap();
        let list: Value = serde_json::from_str(&format!("[{parts}]")).unwrap();
        let expected: Value = serde_json::from_str(expected).unwrap();
        assert_eq!(list, expected, "{chunks:?}");
    }

    #[test]
    fn pieces_of_one_part_are_put_together() {
        check(
            &[
                r#"[{"type":"reasoning.text","text":"Let","format":"f","index":0}]"#,
                r#"[{"type":"reasoning.text","text":" me","format":"f","index":0}]"#,
                r#"[{"type":"reasoning.encrypted","data":"x","index":1}]"#,
                r#"[{"type":"reasoning.text","signature":"s","format":"f","index":0}]"#,
            ],
            r#"[{"type":"reasoning.text","text":"Let me","format":"f","index":0,"signature":"s"},
                {"type":"reasoning.encrypted","data":"x","index":1}]"#,
        );
        // The signature stands there from the beginning, as a null.
        check(
            &[r#"[{"type":"reasoning.text","text":"a","signature":null},
                    {"type":"reasoning.text","text":"b","signature":"s"}]"#],
            r#"[{"type":"reasoning.text","text":"ab","signature":"s"}]"#,
        );
    }

    #[test]
    fn parts_of_their_own_stay_apart() {
        // Some give every part the same number.
        let summaries = r#"[{"type":"reasoning.summary","summary":"a","index":0},
            {"type":"reasoning.encrypted","data":"x","id":"1","index":0},
            {"type":"reasoning.summary","summary":"b","index":0},
            {"type":"reasoning.encrypted","data":"y","id":"2","index":0},
            {"type":"reasoning.encrypted","data":"z","id":"2","index":0}]"#;
        check(&[summaries], summaries);
        let numbered = r#"[{"type":"reasoning.text","text":"a","index":0},
            {"type":"reasoning.text","text":"b","index":1}]"#;
        check(&[numbered], numbered);
    }

    #[test]
    fn a_part_that_came_whole_is_kept_byte_for_byte() {
        let part = r#"{"type" : "reasoning.text","text":"\u00e9","n":1e2, "signature":null}"#;
        let list = format!("[7,{part}]");
        let Some(Block::Other(opaque)) = taken(&[&list]).give("p", "h") else {
            panic!("nothing");
        };
        assert_eq!(echoed(&opaque, "p", "h"), Some(part));
        assert_eq!(echoed(&opaque, "q", "h"), None);
        assert_eq!(echoed(&opaque, "p", "elsewhere"), None);
    }

    #[test]
    fn what_is_no_list_of_parts_is_not_sent() {
        assert_eq!(Details::default().give("p", "h"), None);
        for json in [
            "",
            "{}",
            r#"{"host":"h","reasoning_details":[]}"#,
            r#"{"host":"h","reasoning_details":{}}"#,
            r#"{"reasoning_details":[{}]}"#,
            r#"{"type":"reasoning","host":"h"}"#,
        ] {
            let opaque = Opaque {
                provider: "p".into(),
                json: json.into(),
            };
            assert_eq!(echoed(&opaque, "p", "h"), None, "{json}");
        }
        let many = format!("[{}]", vec![r#"{"data":"x"}"#; PARTS_MAX + 1].join(","));
        let pieces: Vec<&RawValue> = serde_json::from_str(&many).unwrap();
        assert!(Details::default().take(&pieces).is_err());
    }
}
