//! How a model is told to think: older ones by a budget of tokens, newer ones by an effort.
//!
//! A newer model refuses a budget, an older one an effort, and how thinking is switched off differs
//! from model to model. Which is which stands in the member's table of models.

use crate::provider::Effort;
use crate::provider::Thinking;
use serde::Serialize;

/// The smallest budget that the wire takes. It is a little more than the word `minimal` stands for.
const BUDGET_MIN: u64 = 1_024;

/// Budget and answer share the limit of output tokens; so much of it is kept for the answer, or
/// half where that is less.
const ANSWER_TOKENS_MIN: u64 = 8_192;

/// How a model is told to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// It cannot.
    None,
    /// By a budget; it does not think where nothing is said.
    Budget,
    /// By an effort; how much it thinks then is its own choice.
    Effort {
        /// How thinking is switched off.
        off: Off,
        /// Whether it knows the word between `high` and `max`.
        has_xhigh: bool,
    },
}

/// How a model that is told to think by an effort is told not to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Off {
    /// By saying nothing.
    Unsaid,
    /// By a word.
    Said,
    /// It thinks between its calls at least, which has a word of its own.
    BetweenTools,
    /// Not at all: it thinks as little as it can, and shows nothing of it.
    Never,
}

/// What a request says of thinking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The field `thinking`.
    pub field: Option<Field>,
    /// The effort, in the wire's words.
    pub effort: Option<&'static str>,
}

/// The field `thinking`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_tokens: Option<u64>,
    /// Newer models show nothing unless they are asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block_binding: Option<Binding>,
}

/// What becomes of thoughts that came after other words than those that stand before them now, as
/// after an update of ours or with other tools: without this the whole request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Binding {
    prefix_mismatch_behavior: &'static str,
}

impl Field {
    fn new(kind: &'static str) -> Field {
        Field {
            kind,
            budget_tokens: None,
            display: None,
            block_binding: None,
        }
    }

    /// The same, and thoughts that no longer fit are left out by the service. It takes that only
    /// where thinking is its own choice.
    pub fn dropping_unbound(mut self) -> Field {
        if self.kind == "adaptive" {
            self.block_binding = Some(Binding {
                prefix_mismatch_behavior: "drop_block",
            });
        }
        self
    }
}

/// What to say to a model of this style. `output_max` is the limit of output tokens.
pub fn plan(style: Style, thinking: &Thinking, output_max: u64) -> Plan {
    match style {
        Style::None => Plan::default(),
        Style::Budget => Plan {
            field: budget(thinking.as_budget(), output_max),
            effort: None,
        },
        Style::Effort { off, has_xhigh } => by_effort(thinking, off, has_xhigh),
    }
}

fn budget(asked: u64, output_max: u64) -> Option<Field> {
    let minimal = Effort::Minimal.budget();
    let answer = ANSWER_TOKENS_MIN.min(output_max / 2);
    let tokens = asked.max(BUDGET_MIN).min(output_max - answer);
    let is_wanted = asked >= minimal && tokens >= BUDGET_MIN;
    is_wanted.then_some(Field {
        budget_tokens: Some(tokens),
        ..Field::new("enabled")
    })
}

fn by_effort(thinking: &Thinking, off: Off, has_xhigh: bool) -> Plan {
    let effort = thinking.as_effort();
    let is_off = thinking.is_off || effort == Some(Effort::Off);
    let said = effort.filter(|effort| *effort != Effort::Off);
    if !is_off {
        let field = Field {
            display: Some("summarized"),
            ..Field::new("adaptive")
        };
        return Plan {
            field: Some(field),
            effort: said.map(|effort| word(effort, has_xhigh)),
        };
    }
    // More than `high` is refused where thinking is off.
    let most = said.map(|effort| word(effort.min(Effort::High), has_xhigh));
    let (field, effort) = match off {
        Off::Unsaid => (None, most),
        Off::Said => (Some(Field::new("disabled")), most),
        Off::BetweenTools => (Some(Field::new("between_tools")), most),
        Off::Never => {
            let field = Field {
                display: Some("omitted"),
                ..Field::new("adaptive")
            };
            let said = said.map(|effort| word(effort, has_xhigh));
            (Some(field), said.or(Some("low")))
        }
    };
    Plan { field, effort }
}

/// The wire's word; where it has none, the next lower one.
fn word(effort: Effort, has_xhigh: bool) -> &'static str {
    match effort {
        Effort::Off | Effort::Minimal | Effort::Low => "low",
        Effort::XHigh if !has_xhigh => "high",
        effort => effort.word(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn thinking(word: &str, budget: Option<u64>) -> Thinking {
        Thinking {
            is_off: word == "not",
            effort: Effort::parse(word),
            budget,
        }
    }

    #[test]
    fn a_budget_leaves_room_for_the_answer() {
        #[track_caller]
        fn check(word: &str, budget: Option<u64>, output_max: u64, expected: Option<u64>) {
            let plan = plan(Style::Budget, &thinking(word, budget), output_max);
            assert_eq!(plan.effort, None);
            let field = plan.field.map(|field| json!(field));
            let expected =
                expected.map(|tokens| json!({"type": "enabled", "budget_tokens": tokens}));
            assert_eq!(field, expected, "{word} {budget:?} of {output_max}");
        }
        check("", None, 64_000, Some(10_000));
        check("high", None, 64_000, Some(32_000));
        check("high", None, 32_000, Some(23_808));
        check("max", None, 64_000, Some(55_808));
        check("minimal", None, 64_000, Some(1_024));
        check("", Some(5_000), 64_000, Some(5_000));
        check("", Some(5_000), 4_096, Some(2_048));
        for (word, budget, output_max) in [
            ("off", None, 64_000),
            ("not", Some(5_000), 64_000),
            ("", Some(0), 64_000),
            ("", Some(999), 64_000),
            ("high", None, 2_000),
            ("high", None, 0),
        ] {
            check(word, budget, output_max, None);
        }
    }

    #[test]
    fn an_effort_is_said_in_the_words_of_the_model() {
        #[track_caller]
        fn check(word: &str, off: Off, has_xhigh: bool, kind: Option<&str>, effort: Option<&str>) {
            let style = Style::Effort { off, has_xhigh };
            let plan = plan(style, &thinking(word, None), 128_000);
            assert_eq!(plan.field.map(|field| field.kind), kind, "{word} {off:?}");
            assert_eq!(plan.effort, effort, "{word} {off:?}");
        }
        let adaptive = Some("adaptive");
        check("", Off::Unsaid, true, adaptive, None);
        check("minimal", Off::Unsaid, true, adaptive, Some("low"));
        check("xhigh", Off::Unsaid, true, adaptive, Some("xhigh"));
        check("xhigh", Off::Unsaid, false, adaptive, Some("high"));
        check("max", Off::Never, false, adaptive, Some("max"));
        check("off", Off::Unsaid, true, None, None);
        check("off", Off::Said, true, Some("disabled"), None);
        check("not", Off::BetweenTools, true, Some("between_tools"), None);
        check("off", Off::Never, true, adaptive, Some("low"));
        check("not", Off::Never, true, adaptive, Some("low"));
    }

    #[test]
    fn an_effort_without_thinking_is_high_at_most() {
        let asked = Thinking {
            is_off: true,
            ..thinking("max", None)
        };
        let style = |off| Style::Effort {
            off,
            has_xhigh: true,
        };
        assert_eq!(plan(style(Off::Said), &asked, 9).effort, Some("high"));
        assert_eq!(plan(style(Off::Never), &asked, 9).effort, Some("max"));
    }

    #[test]
    fn what_is_shown_and_what_is_dropped_is_said() {
        let style = Style::Effort {
            off: Off::Never,
            has_xhigh: true,
        };
        let shown = |word: &str| {
            let field = plan(style, &thinking(word, None), 9).field;
            json!(field.map(Field::dropping_unbound))
        };
        let binding = json!({"prefix_mismatch_behavior": "drop_block"});
        assert_eq!(
            shown(""),
            json!({"type": "adaptive", "display": "summarized", "block_binding": binding})
        );
        assert_eq!(
            shown("off"),
            json!({"type": "adaptive", "display": "omitted", "block_binding": binding})
        );
        let budget = plan(Style::Budget, &thinking("", None), 64_000).field;
        assert_eq!(budget.map(Field::dropping_unbound), budget);
    }
}
