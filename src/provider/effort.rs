//! How hard a model thinks, in words and in tokens: the one table between the two.
//!
//! Some wires take a word, some a budget of tokens. What the person said in one is translated for
//! the other, and only then.

/// How hard a model thinks before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Not at all, where the model can do without.
    Off,
    /// As little as it can.
    Minimal,
    /// A little.
    Low,
    /// The usual.
    Medium,
    /// Much.
    High,
    /// Very much.
    XHigh,
    /// As much as it can.
    Max,
}

/// Every word, what it is called in settings, and its tokens.
const TABLE: &[(Effort, &str, u64)] = &[
    (Effort::Off, "off", 0),
    (Effort::Minimal, "minimal", 1_000),
    (Effort::Low, "low", 2_000),
    (Effort::Medium, "medium", 10_000),
    (Effort::High, "high", 32_000),
    (Effort::XHigh, "xhigh", 64_000),
    (Effort::Max, "max", 128_000),
];

/// The budget where nobody said anything, as the setting `THINKING_BUDGET` has it.
const BUDGET_DEFAULT: u64 = 10_000;

impl Effort {
    /// Every word, upward.
    pub const ALL: &[Effort] = &[
        Effort::Off,
        Effort::Minimal,
        Effort::Low,
        Effort::Medium,
        Effort::High,
        Effort::XHigh,
        Effort::Max,
    ];

    /// What nearly every service with words understands.
    pub const USUAL: &[Effort] = &[Effort::Off, Effort::Low, Effort::Medium, Effort::High];

    /// The one of `known`, which goes upward, that comes nearest: the first that is no lower, else
    /// the last. `None` where none is known.
    pub fn within(self, known: &[Effort]) -> Option<Effort> {
        let found = known.iter().find(|effort| **effort >= self);
        found.or(known.last()).copied()
    }

    /// The word of a setting.
    pub fn parse(word: &str) -> Option<Effort> {
        let row = TABLE.iter().find(|(_, name, _)| *name == word);
        row.map(|(effort, _, _)| *effort)
    }

    /// What it is called.
    pub fn word(self) -> &'static str {
        self.row().1
    }

    /// The tokens that it stands for.
    pub fn budget(self) -> u64 {
        self.row().2
    }

    /// The highest word whose tokens fit into `budget`.
    pub fn of_budget(budget: u64) -> Effort {
        let fitting = TABLE.iter().rfind(|(_, _, tokens)| *tokens <= budget);
        fitting.map_or(Effort::Off, |(effort, _, _)| *effort)
    }

    fn row(self) -> &'static (Effort, &'static str, u64) {
        &TABLE[self as usize]
    }
}

/// What the person said of thinking; what they did not say is the model's to choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thinking {
    /// The setting `THINKING` is off: none is wanted, whatever the others say.
    pub is_off: bool,
    /// `REASONING_EFFORT`.
    pub effort: Option<Effort>,
    /// `THINKING_BUDGET`, where somebody set it.
    pub budget: Option<u64>,
}

impl Thinking {
    /// For a wire that takes a word; `None` leaves it to the model.
    pub fn as_effort(&self) -> Option<Effort> {
        self.effort.or(self.budget.map(Effort::of_budget))
    }

    /// For a wire that takes tokens; 0 is no thinking.
    pub fn as_budget(&self) -> u64 {
        if self.is_off {
            return 0;
        }
        let translated = self.effort.map(Effort::budget);
        self.budget.or(translated).unwrap_or(BUDGET_DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_its_row() {
        for (index, (effort, word, budget)) in TABLE.iter().enumerate() {
            assert_eq!(*effort as usize, index);
            assert_eq!((effort.word(), effort.budget()), (*word, *budget));
            assert_eq!(Effort::parse(word), Some(*effort));
            assert_eq!(Effort::of_budget(*budget), *effort);
        }
        assert_eq!(Effort::parse("much"), None);
        assert_eq!(Effort::of_budget(999), Effort::Off);
        assert_eq!(Effort::of_budget(31_999), Effort::Medium);
        assert_eq!(Effort::of_budget(u64::MAX), Effort::Max);
    }

    #[test]
    fn what_was_said_in_one_is_translated_for_the_other() {
        #[track_caller]
        fn check(effort: Option<Effort>, budget: Option<u64>, word: Option<Effort>, tokens: u64) {
            let thinking = Thinking {
                is_off: false,
                effort,
                budget,
            };
            assert_eq!((thinking.as_effort(), thinking.as_budget()), (word, tokens));
            let off = Thinking {
                is_off: true,
                ..thinking
            };
            assert_eq!(off.as_budget(), 0);
        }
        check(None, None, None, 10_000);
        check(Some(Effort::High), None, Some(Effort::High), 32_000);
        check(None, Some(5_000), Some(Effort::Low), 5_000);
        check(Some(Effort::Off), Some(5_000), Some(Effort::Off), 5_000);
    }
}
