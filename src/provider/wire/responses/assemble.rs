//! The items of one answer while they come: which piece belongs to which, and in what order.
//!
//! A good server numbers its items and names them. Others leave the number out, or the name, or
//! send 0 for every number, or a new name with every event; all of them are understood as long as
//! one of the two can be trusted. Blocks are given out in the order of the numbers; one that came
//! early waits for those before it.

use crate::base::text;
use crate::chat::Block;
use crate::chat::CallKind;
use crate::chat::ToolCall;
use crate::chat::delta::Delta;
use crate::provider::Error;
use crate::provider::wire::responses::item;
use crate::provider::wire::responses::item::Item;
use std::mem;

/// The longest answers have a few dozen items; looking one up is linear.
const ITEMS_MAX: usize = 1_000;

/// What an item is, as far as its pieces must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Words for the person.
    Text,
    /// A summary of thoughts.
    Thinking,
    /// A call.
    Call(CallKind),
    /// Nothing that comes in pieces.
    Other,
}

impl Kind {
    fn of(block: &Block) -> Kind {
        match block {
            Block::Text { .. } => Kind::Text,
            Block::Thinking { .. } => Kind::Thinking,
            Block::Call(call) => Kind::Call(call.kind),
            Block::Other(_) => Kind::Other,
        }
    }
}

/// How an answer ended, for the items that are not whole then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// What their pieces said is all there is.
    Whole,
    /// A limit or a filter ended it: a call that is not whole must not run.
    Cut,
}

/// The items of an answer, sorted by index.
#[derive(Debug, Default)]
pub struct Items {
    slots: Vec<Slot>,
    /// No item with a smaller index is waited for.
    next_index: u64,
    /// The ids of the calls that were given out.
    call_ids: Vec<String>,
}

/// One item while it comes.
#[derive(Debug)]
pub struct Slot {
    index: u64,
    /// The service's id of the item; empty where it said none.
    id: String,
    kind: Kind,
    /// Its beginning was announced; before that, pieces of it may have come.
    is_announced: bool,
    /// What its pieces said so far.
    draft: String,
    /// The part of a summary that the last piece belonged to.
    part: u64,
    /// A call's name and id, as far as they came before the call was whole.
    name: String,
    call_id: String,
    state: State,
}

#[derive(Debug)]
enum State {
    /// More may come.
    Open,
    /// Waits for the items before it.
    Whole(Block),
    /// Was given out.
    Given,
}

impl Items {
    /// An item begins; a second time is ignored.
    pub fn announce(&mut self, item: Item, index: Option<u64>) -> Result<(), Error> {
        let kind = Kind::of(&item.block);
        // Pieces may have come before: the item is theirs if nothing says otherwise.
        let began = |slot: &Slot| {
            let is_there = index.is_none_or(|index| index == slot.index);
            slot.is_open() && !slot.is_announced && slot.kind == kind && is_there
        };
        let known = self.slots.iter().position(|slot| slot.is_called(&item.id));
        let slot = match known.or_else(|| self.slots.iter().position(began)) {
            Some(position) => &mut self.slots[position],
            None => self.insert(index, &item.id, kind)?,
        };
        slot.is_announced = true;
        if let (true, Block::Call(call)) = (slot.is_open(), item.block) {
            slot.name = call.name;
            slot.call_id = call.id;
        }
        Ok(())
    }

    /// An item is whole. What came before is replaced; a second time is ignored.
    pub fn finish(&mut self, item: Item, index: Option<u64>) -> Result<(), Error> {
        let Item { id, block, is_cut } = item;
        let kind = Kind::of(&block);
        let is_same = |slot: &Slot| index.is_none_or(|index| index == slot.index);
        let is_known = |slot: &Slot| slot.is_called(&id) && !slot.is_open() && is_same(slot);
        if self.slots.iter().any(is_known) {
            return Ok(());
        }
        let is_other = !self.slot(index, &id, kind)?.is_open();
        // A service that gives all its items one name has them apart by their numbers.
        let slot = match is_other {
            true => self.insert(index, &id, kind)?,
            false => self.slot(index, &id, kind)?,
        };
        slot.kind = kind;
        match block {
            // A call that the service cut short waits for the end, which says what becomes of it.
            Block::Call(call) if is_cut => {
                slot.name = call.name;
                slot.call_id = call.id;
                slot.draft = call.arguments;
            }
            block => {
                slot.draft = String::new();
                slot.state = State::Whole(block);
            }
        }
        Ok(())
    }

    /// Whether all of `count` items came whole, and nothing beside them: then `fill` has nothing
    /// to do.
    pub fn has_all(&self, count: usize) -> bool {
        self.slots.len() >= count && self.slots.iter().all(|slot| !slot.is_open())
    }

    /// Takes the items of the final object that had no event of their own. It says more than
    /// pieces do, unless it is empty or holds something that cannot be read (`None`).
    pub fn fill(&mut self, output: Vec<Option<Item>>) -> Result<(), Error> {
        let is_list = !output.is_empty() && output.iter().all(Option::is_some);
        let whole = self.slots.iter().filter(|slot| !slot.is_open()).count();
        let missing = if output.len() > whole {
            output
        } else {
            Vec::new()
        };
        for (index, item) in (0..).zip(missing) {
            let Some(item) = item else { continue };
            let is_it = |slot: &Slot| slot.index == index || slot.is_called(&item.id);
            if !self.slots.iter().any(|slot| is_it(slot) && !slot.is_open()) {
                self.finish(item, Some(index))?;
            }
        }
        if is_list {
            self.slots.retain(|slot| !slot.is_open());
        }
        Ok(())
    }

    /// The item that a piece belongs to: the one of that id, else the open one of that index, else
    /// (where there is no index) the last open one of that kind, else a new one.
    pub fn slot(&mut self, index: Option<u64>, id: &str, kind: Kind) -> Result<&mut Slot, Error> {
        let found = self.slots.iter().position(|slot| slot.is_called(id));
        let found = found.or_else(|| {
            self.slots.iter().rposition(|slot| match index {
                Some(index) => slot.is_open() && slot.index == index,
                None => slot.is_open() && slot.kind == kind,
            })
        });
        match found {
            Some(position) => Ok(&mut self.slots[position]),
            None => self.insert(index, id, kind),
        }
    }

    /// A new item; at the end if its index is taken or not known.
    fn insert(&mut self, index: Option<u64>, id: &str, kind: Kind) -> Result<&mut Slot, Error> {
        if self.slots.len() >= ITEMS_MAX {
            return Err(Error::Refused {
                status: 200,
                detail: "the answer has over 1000 items".into(),
            });
        }
        let is_taken = |index: &u64| self.slots.iter().any(|slot| slot.index == *index);
        let after_all = self
            .slots
            .last()
            .map_or(0, |slot| slot.index.saturating_add(1));
        let index = index.filter(|index| !is_taken(index)).unwrap_or(after_all);
        let position = self.slots.partition_point(|slot| slot.index < index);
        let slot = Slot {
            index,
            id: id.to_string(),
            kind,
            is_announced: false,
            draft: String::new(),
            part: 0,
            name: String::new(),
            call_id: String::new(),
            state: State::Open,
        };
        self.slots.insert(position, slot);
        Ok(&mut self.slots[position])
    }

    /// Gives out the whole items that nothing before them is missing from. `answer` is the
    /// service's id of the answer, for calls that have none.
    pub fn give(&mut self, answer: &str, out: &mut Vec<Delta>) {
        for position in 0..self.slots.len() {
            let slot = &mut self.slots[position];
            if slot.is_open() || slot.index > self.next_index {
                return;
            }
            if let State::Whole(block) = mem::replace(&mut slot.state, State::Given) {
                self.give_block(position, block, answer, out);
            }
        }
    }

    /// The answer ended: gives out all that is left, in order.
    pub fn give_rest(&mut self, ending: Ending, answer: &str, out: &mut Vec<Delta>) {
        for position in 0..self.slots.len() {
            let slot = &mut self.slots[position];
            let block = match mem::replace(&mut slot.state, State::Given) {
                State::Open => slot.take_draft(ending),
                State::Whole(block) => Some(block),
                State::Given => None,
            };
            if let Some(block) = block {
                self.give_block(position, block, answer, out);
            }
        }
    }

    fn give_block(&mut self, position: usize, block: Block, answer: &str, out: &mut Vec<Delta>) {
        let index = self.slots[position].index;
        self.next_index = self.next_index.max(index.saturating_add(1));
        let block = match block {
            Block::Call(call) => Block::Call(self.with_own_id(call, position, answer)),
            other => other,
        };
        let mut links = Vec::new();
        match &block {
            Block::Other(item) => out.extend(item::search(&item.json).map(Delta::Search)),
            Block::Text {
                opaque: Some(item), ..
            } => links = item::links(&item.json),
            _ => {}
        }
        out.push(Delta::Block(block));
        out.extend(links.into_iter().map(Delta::Link));
    }

    /// The call with an id that no other call of this answer has. Where the service's own will not
    /// do, the item cannot be sent back as it came either.
    fn with_own_id(&mut self, mut call: ToolCall, position: usize, answer: &str) -> ToolCall {
        let is_taken = |id: &String| id.is_empty() || self.call_ids.contains(id);
        if is_taken(&call.id) {
            let Slot { id, index, .. } = &self.slots[position];
            call.id = if is_taken(id) {
                // Ids have at most 64 characters; the end of an answer's id is its random part.
                format!("call_{}_{index}", text::suffix(answer, 24))
            } else {
                id.clone()
            };
            call.opaque = None;
        }
        self.call_ids.push(call.id.clone());
        call
    }

    /// Whether a call was given out.
    pub fn has_calls(&self) -> bool {
        !self.call_ids.is_empty()
    }
}

impl Slot {
    /// Whether pieces of it still count.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    fn is_called(&self, id: &str) -> bool {
        !id.is_empty() && self.id == id
    }

    /// Adds a piece.
    pub fn add(&mut self, text: &str) {
        self.draft.push_str(text);
    }

    /// Goes on with that part of a summary, and returns what sets it off: a new part is preceded by
    /// an empty line.
    pub fn begin_part(&mut self, part: Option<u64>) -> &'static str {
        let part = part.unwrap_or(self.part);
        let is_new = part != self.part && !self.draft.is_empty();
        self.part = part;
        let gap = if is_new { "\n\n" } else { "" };
        self.add(gap);
        gap
    }

    /// Takes the whole of what the pieces said, for servers that send it without pieces. A text
    /// can have several such wholes, so its pieces count more.
    pub fn set(&mut self, text: String) {
        if self.kind != Kind::Text || self.draft.is_empty() {
            self.draft = text;
        }
    }

    /// The block that the pieces made, if they made one.
    fn take_draft(&mut self, ending: Ending) -> Option<Block> {
        let text = mem::take(&mut self.draft);
        let opaque = None;
        match self.kind {
            Kind::Text if !text.is_empty() => Some(Block::Text { text, opaque }),
            Kind::Thinking if !text.is_empty() => Some(Block::Thinking { text, opaque }),
            Kind::Call(kind) if ending == Ending::Whole && !self.name.is_empty() => {
                let arguments = match kind {
                    CallKind::Function => item::arguments(text),
                    CallKind::Freeform => text,
                };
                Some(Block::Call(ToolCall {
                    id: mem::take(&mut self.call_id),
                    name: mem::take(&mut self.name),
                    arguments,
                    kind,
                    opaque,
                }))
            }
            _ => None,
        }
    }
}
