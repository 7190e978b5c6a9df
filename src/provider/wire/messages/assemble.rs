//! The blocks of one answer while they come: which piece belongs to which, and in what order.
//!
//! A good server announces each block, numbers it, and says when it ends. Others leave one of these
//! out, or send 0 for every number; all of them are understood as long as the kind of a piece says
//! where it belongs. Blocks are given out in the order of their numbers.

use crate::base::text;
use crate::chat::Block;
use crate::chat::CallKind;
use crate::chat::Opaque;
use crate::chat::ToolCall;
use crate::chat::delta::Delta;
use crate::provider::Error;
use crate::provider::wire::messages::block;
use crate::provider::wire::responses::json::Fields;
use serde_json::value::RawValue;
use std::mem;

/// The longest answers have a few dozen blocks; looking one up is linear.
const BLOCKS_MAX: usize = 1_000;

/// What a block is, as far as its pieces must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Words for the person.
    Text,
    /// A thought.
    Thinking,
    /// A call of ours to run.
    Call,
    /// Something that only the service understands; an input may follow it in pieces.
    Other,
}

/// How an answer ended, for the blocks that are not whole then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// What their pieces said is all there is.
    Whole,
    /// A limit or a filter ended it: a call that is not whole must not run.
    Cut,
}

/// The blocks of an answer, sorted by index.
#[derive(Debug)]
pub struct Blocks {
    provider: &'static str,
    slots: Vec<Slot>,
    /// So many slots were given out, all of them at the front.
    given: usize,
    /// The ids of the calls that were given out.
    call_ids: Vec<String>,
    /// The service's id of the answer; empty until it said so.
    answer_id: String,
    /// After a search each piece with a source of its own is a block, in the midst of a sentence:
    /// what such blocks said since the last of another kind.
    cited: Option<String>,
}

/// One block while it comes.
#[derive(Debug)]
struct Slot {
    index: u64,
    kind: Kind,
    /// Its beginning came; before that, pieces of it may have come.
    is_announced: bool,
    is_open: bool,
    /// What its pieces said so far.
    draft: String,
    /// A thought's signature.
    signature: String,
    /// What the beginning said of a call.
    id: String,
    name: String,
    input: String,
    /// The beginning as it came, of a block that is kept so.
    json: String,
}

impl Blocks {
    /// None has come yet.
    pub fn new(provider: &'static str) -> Blocks {
        Blocks {
            provider,
            slots: Vec::new(),
            given: 0,
            call_ids: Vec::new(),
            answer_id: String::new(),
            cited: None,
        }
    }

    /// Takes the service's id of the answer, for calls that have none.
    pub fn name(&mut self, answer_id: String) {
        self.answer_id = answer_id;
    }

    /// Whether no block has begun.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// A block begins. Words that its beginning already has are passed on.
    pub fn start(
        &mut self,
        raw: Option<&RawValue>,
        index: Option<u64>,
        out: &mut Vec<Delta>,
    ) -> Result<(), Error> {
        let Some((fields, json)) = raw.and_then(|raw| Some((Fields::read(raw.get())?, raw.get())))
        else {
            return Ok(());
        };
        let string = |name: &str| fields.string(name).unwrap_or_default();
        let name = string("type");
        let kind = match name.as_str() {
            "text" => Kind::Text,
            "thinking" | "redacted_thinking" => Kind::Thinking,
            "tool_use" => Kind::Call,
            other if block::is_kept(other) => Kind::Other,
            _ => return Ok(()),
        };
        let slot = self.announced(index, kind, &string("id"))?;
        slot.is_announced = true;
        match kind {
            Kind::Text => {
                let text = string("text");
                slot.draft.push_str(&text);
                Delta::push_text(out, &text);
            }
            Kind::Thinking if name == "thinking" => {
                let text = string("thinking");
                slot.draft.push_str(&text);
                slot.signature.push_str(&string("signature"));
                Delta::push_thinking(out, &text);
            }
            Kind::Thinking | Kind::Other => slot.json = json.to_string(),
            Kind::Call => {
                slot.id = string("id");
                slot.name = string("name");
                let raw = || fields.raw("input").map_or("", RawValue::get).to_string();
                slot.input = fields.string("input").unwrap_or_else(raw);
            }
        }
        Ok(())
    }

    /// The slot of a block that begins: the one whose pieces came before, or a new one.
    fn announced(&mut self, index: Option<u64>, kind: Kind, id: &str) -> Result<&mut Slot, Error> {
        let is_there = |slot: &Slot| index.is_none_or(|index| slot.index == index);
        let found = self.slots.iter().rposition(|slot| {
            let is_same = slot.is_announced && slot.id == id && slot.draft.is_empty();
            let is_begun = !slot.is_announced || is_same && index.is_some();
            slot.is_open && slot.kind == kind && is_there(slot) && is_begun
        });
        if let Some(position) = found {
            return Ok(&mut self.slots[position]);
        }
        // A server that gives every block one number has them one after the other.
        let before = self.slots.iter_mut().filter(|slot| is_there(slot));
        before.for_each(|slot| slot.is_open = false);
        self.insert(index, kind)
    }

    /// More of a block.
    pub fn add(&mut self, index: Option<u64>, kind: Kind, text: &str) -> Result<(), Error> {
        self.slot(index, kind)?.draft.push_str(text);
        Ok(())
    }

    /// More of a thought's signature.
    pub fn sign(&mut self, index: Option<u64>, signature: &str) -> Result<(), Error> {
        self.slot(index, Kind::Thinking)?
            .signature
            .push_str(signature);
        Ok(())
    }

    /// The slot that a piece of this kind belongs to: the open one of that index, else the last
    /// open one of that kind, else a new one.
    fn slot(&mut self, index: Option<u64>, kind: Kind) -> Result<&mut Slot, Error> {
        let takes = |slot: &Slot| {
            // The service's own calls have an input too.
            let is_kind = slot.kind == kind || (slot.kind, kind) == (Kind::Other, Kind::Call);
            slot.is_open && is_kind
        };
        let mut slots = self.slots.iter();
        let found = slots.rposition(|slot| takes(slot) && index.is_none_or(|i| i == slot.index));
        match found {
            Some(position) => Ok(&mut self.slots[position]),
            None => self.insert(index, kind),
        }
    }

    /// A new slot; at the end if its index is taken, not known, or was passed already.
    fn insert(&mut self, index: Option<u64>, kind: Kind) -> Result<&mut Slot, Error> {
        if self.slots.len() >= BLOCKS_MAX {
            return Err(Error::Refused {
                status: 200,
                detail: "the answer has over 1000 blocks".into(),
            });
        }
        let is_taken = |index: &u64| self.slots.iter().any(|slot| slot.index == *index);
        let after_all = self.slots.last();
        let after_all = after_all.map_or(0, |slot| slot.index.saturating_add(1));
        let own = index.filter(|index| !is_taken(index)).unwrap_or(after_all);
        let sorted = self.slots.partition_point(|slot| slot.index < own);
        let position = sorted.max(self.given);
        let slot = Slot {
            // A piece that comes later names the number that the server gave.
            index: index.unwrap_or(own),
            kind,
            is_announced: false,
            is_open: true,
            draft: String::new(),
            signature: String::new(),
            id: String::new(),
            name: String::new(),
            input: String::new(),
            json: String::new(),
        };
        self.slots.insert(position, slot);
        Ok(&mut self.slots[position])
    }

    /// A block ends: the open one of that index, or the last open one.
    pub fn stop(&mut self, index: Option<u64>) {
        let is_it = |slot: &&mut Slot| slot.is_open && index.is_none_or(|i| i == slot.index);
        if let Some(slot) = self.slots.iter_mut().rev().find(is_it) {
            slot.is_open = false;
        }
    }

    /// Gives out the blocks that are whole and that nothing before them is missing from.
    pub fn give(&mut self, out: &mut Vec<Delta>) -> Result<(), Error> {
        while self.slots.get(self.given).is_some_and(|slot| !slot.is_open) {
            self.give_next(out)?;
        }
        Ok(())
    }

    /// The answer ended: gives out all that is left, in order.
    pub fn give_rest(&mut self, ending: Ending, out: &mut Vec<Delta>) -> Result<(), Error> {
        while let Some(slot) = self.slots.get(self.given) {
            let is_cut = slot.is_open && ending == Ending::Cut && slot.kind == Kind::Call;
            match is_cut {
                true => self.given += 1,
                false => self.give_next(out)?,
            }
        }
        self.give_cited(out);
        Ok(())
    }

    /// Neighbouring blocks of words as the one text that they are.
    fn give_cited(&mut self, out: &mut Vec<Delta>) {
        if let Some(cited) = &mut self.cited
            && !cited.is_empty()
        {
            let text = mem::take(cited);
            out.push(Delta::Block(Block::Text { text, opaque: None }));
        }
    }

    fn give_next(&mut self, out: &mut Vec<Delta>) -> Result<(), Error> {
        let position = self.given;
        self.given += 1;
        let slot = &mut self.slots[position];
        let draft = mem::take(&mut slot.draft);
        let provider = self.provider;
        let opaque = |json: String| Opaque {
            provider: provider.to_string(),
            json,
        };
        let block = match slot.kind {
            Kind::Text if draft.is_empty() => return Ok(()),
            Kind::Text if self.cited.is_some() => {
                self.cited.get_or_insert_default().push_str(&draft);
                return Ok(());
            }
            Kind::Text => Block::Text {
                text: draft,
                opaque: None,
            },
            Kind::Thinking => {
                let json = match slot.signature.as_str() {
                    "" => mem::take(&mut slot.json),
                    signature => block::thinking(&draft, signature),
                };
                if draft.is_empty() && json.is_empty() {
                    return Ok(());
                }
                Block::Thinking {
                    text: draft,
                    opaque: (!json.is_empty()).then(|| opaque(json)),
                }
            }
            Kind::Other => {
                Block::Other(opaque(block::with_input(mem::take(&mut slot.json), &draft)))
            }
            Kind::Call => Block::Call(self.call(position, draft)?),
        };
        self.give_cited(out);
        if let Block::Other(other) = &block
            && let Some(query) = block::search(&other.json)
        {
            self.cited.get_or_insert_default();
            out.push(Delta::Search(query));
        }
        out.push(Delta::Block(block));
        Ok(())
    }

    /// A call with an id that no other call of this answer has. Its input is passed on as it is,
    /// broken or not: whoever runs the call says what is wrong with it.
    fn call(&mut self, position: usize, draft: String) -> Result<ToolCall, Error> {
        let slot = &mut self.slots[position];
        let name = mem::take(&mut slot.name);
        if name.is_empty() {
            return Err(Error::Retry {
                after: None,
                detail: "the answer has a call that names no tool".into(),
            });
        }
        let input = mem::take(&mut slot.input);
        let written = [draft, input]
            .into_iter()
            .find(|text| !text.trim().is_empty());
        let arguments = written.filter(|text| text != "null");
        let mut id = mem::take(&mut slot.id);
        if id.is_empty() || self.call_ids.contains(&id) {
            // The end of an answer's id is its random part.
            id = format!("toolu_{}_{position}", text::suffix(&self.answer_id, 24));
        }
        self.call_ids.push(id.clone());
        Ok(ToolCall {
            id,
            name,
            arguments: arguments.unwrap_or_else(|| "{}".to_string()),
            kind: CallKind::Function,
            opaque: None,
        })
    }
}
