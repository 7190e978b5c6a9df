//! The calls of one answer while they come: which piece belongs to which.
//!
//! A good server numbers its calls, names each once and sends the rest by number. Others leave the
//! number out or send 0 for all, leave the id out or send it late, send another id with every
//! piece, or the whole call at once. A piece is placed by its number, then by its id, then by a
//! change of the name. What is put together is never mended: a call that makes no sense is given
//! out as it is, and whoever runs it tells the model.

use crate::base::text;
use crate::chat::Block;
use crate::chat::CallKind;
use crate::chat::Opaque;
use crate::chat::ToolCall;
use crate::chat::delta::Delta;
use crate::provider::Error;
use crate::provider::wire::responses::json;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The longest answers have a few dozen calls; looking one up is linear.
const CALLS_MAX: usize = 1_000;

/// What stands beside a call and must be seen again by whoever sent it.
const EXTRA: &str = "extra_content";

/// The calls of an answer, in the order in which they began.
#[derive(Debug, Default)]
pub struct Calls(Vec<Slot>);

/// One call while it comes.
#[derive(Debug, Default)]
struct Slot {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
    /// The text of its `extra_content`; empty where there is none.
    extra: String,
}

/// A piece of a call, or all of it.
#[derive(Debug, Default)]
struct Piece {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
    extra: String,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow, default)]
    index: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    function: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    extra_content: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

impl Calls {
    /// Takes the pieces of a `tool_calls` field: a list, or one without a list around it.
    pub fn take_list(&mut self, list: &RawValue) -> Result<(), Error> {
        let entries: Vec<&RawValue> = match list.get().starts_with('[') {
            true => serde_json::from_str(list.get()).unwrap_or_default(),
            false => vec![list],
        };
        let is_alone = entries.len() == 1;
        for entry in entries {
            let Some(piece) = Piece::read(entry) else {
                continue;
            };
            // Nobody sends one call in two pieces at once.
            let is_own = !is_alone && piece.index.is_none() && !piece.name.is_empty();
            self.take(piece, is_own)?;
        }
        Ok(())
    }

    /// Takes the piece of a `function_call` field, which older servers send.
    pub fn take_function(&mut self, function: &RawValue) -> Result<(), Error> {
        match Piece::read(function) {
            Some(piece) => self.take(piece, false),
            None => Ok(()),
        }
    }

    fn take(&mut self, piece: Piece, is_own: bool) -> Result<(), Error> {
        if self.0.iter().any(|slot| slot.is_repeated_by(&piece)) {
            return Ok(());
        }
        let known = self.place(&piece).filter(|_| !is_own);
        if known.is_none() && self.0.len() >= CALLS_MAX {
            return Err(Error::Refused {
                status: 200,
                detail: "the answer has over 1000 calls".into(),
            });
        }
        let position = known.unwrap_or_else(|| {
            self.0.push(Slot::default());
            self.0.len() - 1
        });
        let slot = &mut self.0[position];
        slot.index = slot.index.or(piece.index);
        if slot.id.is_empty() {
            slot.id = piece.id;
        }
        if piece.name.starts_with(&slot.name) {
            slot.name = piece.name;
        } else {
            slot.name.push_str(&piece.name);
        }
        // Some gateways put an empty object before the pieces of the real one.
        if slot.arguments == "{}" && piece.arguments.starts_with('{') {
            slot.arguments.clear();
        }
        slot.arguments.push_str(&piece.arguments);
        if !piece.extra.is_empty() {
            slot.extra = piece.extra;
        }
        Ok(())
    }

    /// The call that a piece belongs to; `None` for a new one.
    fn place(&self, piece: &Piece) -> Option<usize> {
        let same_index = |slot: &Slot| piece.index.is_some() && slot.index == piece.index;
        let same_id = |slot: &Slot| !piece.id.is_empty() && slot.id == piece.id;
        let by_index = self.0.iter().rposition(same_index);
        let by_id = self.0.iter().rposition(same_id);
        let last = self.0.len().checked_sub(1)?;
        let found = match (by_index, by_id) {
            // A server that sends 0 for all may come back to an earlier call.
            (Some(_), Some(by_id)) if same_index(&self.0[by_id]) => by_id,
            (Some(by_index), _) => by_index,
            // Its number is a new one: the same id again is another call if it has a name.
            (None, Some(by_id)) if piece.index.is_none() || piece.name.is_empty() => by_id,
            (None, _) if piece.index.is_none() || piece.name.is_empty() => last,
            (None, _) => return None,
        };
        (!self.0[found].is_followed_by(piece)).then_some(found)
    }

    /// The answer ended: gives all calls out. `answer` is the service's id of the answer, for
    /// calls that have none.
    pub fn give(&mut self, provider: &str, answer: &str, out: &mut Vec<Delta>) {
        let mut ids: Vec<String> = Vec::new();
        for (position, slot) in self.0.drain(..).enumerate() {
            if slot.is_empty() {
                continue;
            }
            let is_taken = slot.id.is_empty() || ids.contains(&slot.id);
            let id = match is_taken {
                // Ids have at most 64 characters; the end of an answer's id is its random part.
                true => format!("call_{}_{position}", text::suffix(answer, 24)),
                false => slot.id,
            };
            ids.push(id.clone());
            let opaque = (!slot.extra.is_empty()).then(|| Opaque {
                provider: provider.to_string(),
                json: format!("{{\"{EXTRA}\":{}}}", slot.extra),
            });
            out.push(Delta::Block(Block::Call(ToolCall {
                id,
                name: slot.name,
                arguments: match slot.arguments.trim() {
                    // Some send nothing where there are none.
                    "" => "{}".to_string(),
                    _ => slot.arguments,
                },
                kind: CallKind::Function,
                opaque,
            })));
        }
    }

    /// Whether a call has begun.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Slot {
    /// Whether `piece` is the beginning of another call, though it has this one's number or id.
    fn is_followed_by(&self, piece: &Piece) -> bool {
        if piece.name.is_empty() || self.name.is_empty() {
            return false;
        }
        let both = |a: &str, b: &str| !a.is_empty() && !b.is_empty();
        let has_other_id = both(&self.id, &piece.id) && self.id != piece.id;
        let has_same_id = both(&self.id, &piece.id) && !has_other_id;
        if self.name != piece.name {
            // A name in pieces, which only an id can hold together.
            return !(has_same_id && self.arguments.is_empty());
        }
        if has_other_id {
            return self.arguments.is_empty() || self.is_whole();
        }
        // The name comes again with every piece, or this is the same tool once more.
        self.is_whole() && !piece.arguments.trim().is_empty()
    }

    /// Whether `piece` only says again what was said: some servers send a call whole at its end.
    fn is_repeated_by(&self, piece: &Piece) -> bool {
        let is_same_index = piece.index.is_some() && self.index == piece.index;
        let is_it = match piece.id.as_str() {
            "" => is_same_index && piece.name.is_empty(),
            id => self.id == id && (is_same_index || piece.index.is_none()),
        };
        let is_named = piece.name.is_empty() || self.name == piece.name;
        is_it && is_named && self.arguments == piece.arguments && self.is_whole()
    }

    /// Whether nothing can follow: its arguments are an object with an end.
    fn is_whole(&self) -> bool {
        let is_object = self.arguments.trim_end().ends_with('}');
        is_object && serde_json::from_str::<&RawValue>(&self.arguments).is_ok()
    }

    fn is_empty(&self) -> bool {
        self.id.is_empty() && self.name.is_empty() && self.arguments.is_empty()
    }
}

impl Piece {
    fn read(entry: &RawValue) -> Option<Piece> {
        let entry: Entry<'_> = serde_json::from_str(entry.get()).ok()?;
        let function = entry.function.map(RawValue::get);
        let function: Function<'_> = function
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default();
        let text = |raw: Option<&RawValue>| raw.and_then(json::string).unwrap_or_default();
        let extra = entry.extra_content.map(RawValue::get).unwrap_or_default();
        Some(Piece {
            index: entry.index.and_then(number),
            id: entry.id.map(id).unwrap_or_default(),
            name: text(function.name.or(entry.name)),
            arguments: arguments(function.arguments.or(entry.arguments)),
            extra: match extra.starts_with('{') {
                true => extra.to_string(),
                false => String::new(),
            },
        })
    }
}

/// A number, which some send as a string.
fn number(raw: &RawValue) -> Option<u64> {
    raw.get().trim_matches('"').parse().ok()
}

/// An id is a string, or a number that is taken as one.
fn id(raw: &RawValue) -> String {
    let digits = || number(raw).map(|number| number.to_string());
    json::string(raw).or_else(digits).unwrap_or_default()
}

/// Some servers send the object itself. A string that is not sound is not mended, since a command
/// must not run that differs from what was asked for.
fn arguments(raw: Option<&RawValue>) -> String {
    match raw.map(RawValue::get) {
        None | Some("null" | "{}") => String::new(),
        Some(json) => serde_json::from_str(json).unwrap_or_else(|_| json.to_string()),
    }
}

#[cfg(test)]
mod tests;
