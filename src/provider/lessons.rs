//! What a member has learned of its service from refusals: what it leaves out of its requests from
//! then on, or says in another way.
//!
//! Lessons hold for one model and as long as the process lives. Each is learned once, so that a
//! service which refuses whatever we do is asked a few times more, and not for ever.

use crate::provider::Effort;
use crate::provider::complaint::Complaint;
use crate::provider::complaint::Parameter;

/// Nobody asks for more models within one process; the oldest is forgotten.
const MODELS_MAX: usize = 64;

/// An answer that has room for less than this is not worth its question: the conversation is too
/// long then. It is also the least that a model can think by a budget.
const ROOM_TOKENS_MIN: u64 = 1_024;

/// What a complaint has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing that the person would notice.
    Quiet,
    /// The answers will be others, or say less: how, in one line.
    Told(String),
}

/// What a service wants otherwise for one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lessons {
    /// One bit for each parameter that it does not take.
    left_out: u32,
    /// One bit for each word for effort that it knows; none where it did not say.
    efforts: u8,
    /// Tokens that any answer may have.
    output_max: Option<u64>,
    room: Option<Room>,
    echoes: bool,
    /// See [`Lessons::unsealed`].
    unsealed: usize,
}

/// What is left of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Room {
    tokens: u64,
    /// How long the history was then. A shorter one leaves more.
    messages: usize,
}

impl Lessons {
    /// Nothing was refused yet.
    pub const NONE: Lessons = Lessons {
        left_out: 0,
        efforts: 0,
        output_max: None,
        room: None,
        echoes: false,
        unsealed: 0,
    };

    /// Whether requests may have the parameter.
    pub fn takes(&self, parameter: Parameter) -> bool {
        self.left_out & bit(parameter) == 0
    }

    /// The word for `asked`, where one is to be said: `known` are those of the table of models,
    /// which a refusal knows better.
    pub fn effort(&self, asked: Option<Effort>, known: &[Effort]) -> Option<Effort> {
        let asked = asked.filter(|_| self.takes(Parameter::Effort))?;
        if self.efforts == 0 {
            return asked.within(known);
        }
        let is_told = |effort: &&Effort| self.efforts & (1 << **effort as u8) != 0;
        let told: Vec<Effort> = Effort::ALL.iter().filter(is_told).copied().collect();
        // Where the service only knows how not to think, it thinks by itself.
        let nearest = asked.within(&told);
        nearest.filter(|effort| asked == Effort::Off || *effort != Effort::Off)
    }

    /// The tokens that an answer may have, where `asked` are wanted.
    pub fn output_max(&self, asked: Option<u64>) -> Option<u64> {
        let room = self.room.map(|room| room.tokens);
        [asked, self.output_max, room].into_iter().flatten().min()
    }

    /// Whether the service wants the thoughts of earlier answers back.
    pub fn echoes(&self) -> bool {
        self.echoes
    }

    /// Messages of the history before this one are sent without what the service has sealed.
    pub fn unsealed(&self) -> usize {
        match self.takes(Parameter::Include) {
            true => self.unsealed,
            // What comes now is not sealed, and would not be taken back.
            false => usize::MAX,
        }
    }

    fn leave_out(&mut self, parameter: Parameter, model: &str) -> Option<Change> {
        if !self.takes(parameter) {
            return None;
        }
        self.left_out |= bit(parameter);
        let told = match parameter {
            Parameter::StreamOptions => "the service may not say how many tokens an answer takes",
            Parameter::Effort => {
                "the service takes no effort: how hard it thinks is its own choice"
            }
            Parameter::Reasoning => {
                "the service takes nothing about thinking: it thinks as it likes, and shows nothing"
            }
            Parameter::Summary => "the service tells no summaries of thoughts: none are shown",
            Parameter::Include => {
                "the service seals no thoughts: it forgets them after each answer"
            }
            Parameter::MaxTokens | Parameter::MaxCompletionTokens if self.has_limit() => {
                return Some(Change::Quiet);
            }
            Parameter::MaxTokens | Parameter::MaxCompletionTokens | Parameter::MaxOutputTokens => {
                "the service takes no limit of output tokens"
            }
            Parameter::ResponseFormat => {
                "the service holds no answer to a schema: the model is only asked to keep to it"
            }
            Parameter::ParallelToolCalls
            | Parameter::ToolChoice
            | Parameter::Strict
            | Parameter::PromptCacheKey
            | Parameter::ReasoningContent
            | Parameter::ReasoningDetails => return Some(Change::Quiet),
        };
        Some(Change::Told(format!("{model}: {told}")))
    }

    /// Whether one of the two words for the limit of an answer is left.
    fn has_limit(&self) -> bool {
        self.takes(Parameter::MaxTokens) || self.takes(Parameter::MaxCompletionTokens)
    }

    fn learn_efforts(&mut self, known: &[Effort], model: &str) -> Option<Change> {
        if self.efforts != 0 {
            return self.leave_out(Parameter::Effort, model);
        }
        self.efforts = known
            .iter()
            .fold(0, |bits, effort| bits | (1 << *effort as u8));
        let words: Vec<&str> = known.iter().map(|effort| effort.word()).collect();
        Some(Change::Told(format!(
            "{model} does not know this effort: the nearest is taken of {}",
            words.join(", ")
        )))
    }

    fn learn_room(&mut self, tokens: u64, messages: usize) -> Option<Change> {
        let is_known = self.room.is_some_and(|room| room.messages == messages);
        if is_known || tokens < ROOM_TOKENS_MIN {
            return None;
        }
        self.room = Some(Room { tokens, messages });
        Some(Change::Told(format!(
            "the window has room for an answer of {tokens} tokens only"
        )))
    }

    fn learn_output_max(&mut self, tokens: u64, model: &str) -> Option<Change> {
        if self.output_max.is_some() || tokens == 0 {
            return None;
        }
        self.output_max = Some(tokens);
        Some(Change::Told(format!(
            "an answer of {model} has {tokens} tokens at most"
        )))
    }

    fn unseal(&mut self, messages: usize) -> Option<Change> {
        self.unsealed = match self.unsealed {
            0 => messages.max(1),
            // What came since then could not be read either.
            usize::MAX => return None,
            _ => usize::MAX,
        };
        Some(Change::Told(
            "the service cannot read the thoughts of earlier answers: they are left out"
                .to_string(),
        ))
    }
}

fn bit(parameter: Parameter) -> u32 {
    1 << parameter as u32
}

/// The lessons of one member.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    lessons: Vec<(String, Lessons)>,
    /// How many messages the last request had.
    messages: usize,
}

impl Memory {
    /// What is known of `model`, before a request with so many messages is made for it.
    pub fn recall(&mut self, model: &str, messages: usize) -> Lessons {
        self.messages = messages;
        let Some((_, lessons)) = self.lessons.iter_mut().find(|(name, _)| name == model) else {
            return Lessons::NONE;
        };
        // A shorter history is another one.
        lessons.room = lessons.room.filter(|room| room.messages <= messages);
        if lessons.unsealed != usize::MAX {
            lessons.unsealed = lessons.unsealed.min(messages);
        }
        *lessons
    }

    /// Learns from what a service had against the last request, which was for `model` and can hold
    /// `parameters` only. `None` where the same request would be made again.
    pub fn learn(
        &mut self,
        model: &str,
        parameters: &[Parameter],
        complaint: &Complaint,
    ) -> Option<Change> {
        if !parameters.contains(&subject(complaint)) {
            return None;
        }
        let messages = self.messages;
        let lessons = self.lessons_mut(model);
        match complaint {
            Complaint::Refused(parameter) => lessons.leave_out(*parameter, model),
            Complaint::Effort(known) => lessons.learn_efforts(known, model),
            Complaint::OutputMax(tokens) => lessons.learn_output_max(*tokens, model),
            Complaint::Room(tokens) => lessons.learn_room(*tokens, messages),
            Complaint::Sealed => lessons.unseal(messages),
            Complaint::ThoughtsMissing => {
                let is_new = !std::mem::replace(&mut lessons.echoes, true);
                is_new.then_some(Change::Quiet)
            }
        }
    }

    fn lessons_mut(&mut self, model: &str) -> &mut Lessons {
        let position = self.lessons.iter().position(|(name, _)| name == model);
        let position = position.unwrap_or_else(|| {
            if self.lessons.len() >= MODELS_MAX {
                self.lessons.remove(0);
            }
            self.lessons.push((model.to_string(), Lessons::NONE));
            self.lessons.len() - 1
        });
        &mut self.lessons[position].1
    }
}

/// The parameter that a complaint is about.
fn subject(complaint: &Complaint) -> Parameter {
    match complaint {
        Complaint::Refused(parameter) => *parameter,
        Complaint::Effort(_) => Parameter::Effort,
        Complaint::OutputMax(_) | Complaint::Room(_) => Parameter::MaxTokens,
        Complaint::Sealed => Parameter::Include,
        Complaint::ThoughtsMissing => Parameter::ReasoningContent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: &[Parameter] = &[
        Parameter::Reasoning,
        Parameter::Effort,
        Parameter::Include,
        Parameter::MaxTokens,
        Parameter::MaxCompletionTokens,
        Parameter::ReasoningContent,
    ];

    fn is_learned(memory: &mut Memory, complaint: &Complaint) -> bool {
        memory.learn("m", ANY, complaint).is_some()
    }

    #[test]
    fn each_thing_is_learned_once_and_for_its_model() {
        for (complaint, times) in [
            (Complaint::Refused(Parameter::Effort), 1),
            // The words that it knows, and then that none will do.
            (Complaint::Effort(vec![Effort::Low]), 2),
            (Complaint::OutputMax(9), 1),
            (Complaint::Room(5_000), 1),
            // Thoughts so far, and then all.
            (Complaint::Sealed, 2),
            (Complaint::ThoughtsMissing, 1),
            (Complaint::Refused(Parameter::Strict), 0),
        ] {
            let mut memory = Memory::default();
            memory.recall("m", 3);
            for time in 0..4 {
                let expected = time < times;
                assert_eq!(
                    is_learned(&mut memory, &complaint),
                    expected,
                    "{complaint:?}"
                );
            }
            assert_eq!(memory.recall("other", 3), Lessons::NONE);
        }
    }

    #[test]
    fn models_are_forgotten_one_by_one() {
        let mut memory = Memory::default();
        let complaint = Complaint::ThoughtsMissing;
        for number in 0..=MODELS_MAX {
            memory.learn(&number.to_string(), ANY, &complaint);
        }
        assert_eq!(memory.recall("0", 1), Lessons::NONE);
        assert!(memory.recall("1", 1).echoes());
    }

    #[test]
    fn an_effort_is_the_nearest_that_the_service_told() {
        use Effort::{High, Low, Max, Medium, Minimal, Off};
        for (told, asked, expected) in [
            (&[][..], Max, Some(High)),
            (&[Low, Medium], Max, Some(Medium)),
            (&[Medium, Max], Low, Some(Medium)),
            (&[Medium, Max], Max, Some(Max)),
            (&[Minimal], Off, Some(Minimal)),
            (&[Off], High, None),
            (&[Off], Off, Some(Off)),
        ] {
            let mut lessons = Lessons::NONE;
            if !told.is_empty() {
                lessons.learn_efforts(told, "m");
            }
            let known = &[Low, High];
            assert_eq!(
                lessons.effort(Some(asked), known),
                expected,
                "{told:?} {asked:?}"
            );
            assert_eq!(lessons.effort(None, known), None);
        }
    }

    #[test]
    fn room_is_what_a_history_of_that_length_leaves() {
        let mut memory = Memory::default();
        memory.recall("m", 9);
        assert!(!is_learned(
            &mut memory,
            &Complaint::Room(ROOM_TOKENS_MIN - 1)
        ));
        assert!(is_learned(&mut memory, &Complaint::Room(5_000)));
        assert!(!is_learned(&mut memory, &Complaint::Room(4_000)));
        assert_eq!(memory.recall("m", 10).output_max(None), Some(5_000));
        assert_eq!(memory.recall("m", 10).output_max(Some(2_000)), Some(2_000));
        assert!(is_learned(&mut memory, &Complaint::Room(4_000)));
        assert_eq!(memory.recall("m", 11).output_max(Some(8_000)), Some(4_000));
        // It was made shorter.
        assert_eq!(memory.recall("m", 3).output_max(Some(8_000)), Some(8_000));
    }

    #[test]
    fn thoughts_since_the_refusal_are_kept_sealed() {
        let mut memory = Memory::default();
        memory.recall("m", 4);
        assert!(is_learned(&mut memory, &Complaint::Sealed));
        assert_eq!(memory.recall("m", 6).unsealed(), 4);
        assert_eq!(memory.recall("m", 2).unsealed(), 2);
        assert!(is_learned(&mut memory, &Complaint::Sealed));
        assert_eq!(memory.recall("m", 6).unsealed(), usize::MAX);
        let mut memory = Memory::default();
        assert!(is_learned(
            &mut memory,
            &Complaint::Refused(Parameter::Include)
        ));
        assert_eq!(memory.recall("m", 6).unsealed(), usize::MAX);
    }

    #[test]
    fn what_changes_an_answer_is_told() {
        let mut memory = Memory::default();
        let mut learn = |parameter| memory.learn("m", ANY, &Complaint::Refused(parameter));
        // The other word is left.
        assert_eq!(learn(Parameter::MaxTokens), Some(Change::Quiet));
        let told = "m: the service takes no limit of output tokens".to_string();
        assert_eq!(
            learn(Parameter::MaxCompletionTokens),
            Some(Change::Told(told))
        );
    }
}
