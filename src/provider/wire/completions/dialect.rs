//! What servers that speak Chat Completions differ in, where one body does not suit them all.
//!
//! Which server wants what is the member's to know.

use crate::provider::Effort;
use crate::provider::complaint::Parameter;
use crate::provider::lessons::Lessons;

/// What a request may hold that a server may refuse.
pub const PARAMETERS: &[Parameter] = &[
    Parameter::StreamOptions,
    Parameter::Effort,
    Parameter::MaxTokens,
    Parameter::MaxCompletionTokens,
    Parameter::ParallelToolCalls,
    Parameter::ToolChoice,
    Parameter::Strict,
    Parameter::ResponseFormat,
    Parameter::ReasoningContent,
    Parameter::ReasoningDetails,
];

/// What a server wants to see in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The field that bounds an answer: older servers know only `max_tokens`, OpenAI's newer
    /// models refuse it.
    pub output_field: OutputField,
    /// The words for effort that it knows, upward; the lowest one is called `none`.
    pub efforts: &'static [Effort],
    /// Tools whose schema is strict enough are offered as such.
    pub has_strict: bool,
    /// The model may be told that calls can come several at once.
    pub has_parallel: bool,
    /// What becomes of the model's thoughts.
    pub echo: Echo,
    /// Which ids of calls it takes.
    pub ids: Ids,
    /// What the server has refused.
    pub lessons: Lessons,
}

/// The field that bounds an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputField {
    /// `max_tokens`.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
}

/// What becomes of thoughts that came as `reasoning_content`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// They are not sent back; many servers refuse a field that they do not know.
    Never,
    /// They go back within a tool loop, where the server demands them: with every answer that has
    /// calls or follows results. That depends on nothing that comes later, so no byte changes.
    ToolLoops,
}

/// Ids of calls that a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// Any; some gateways hide more in them than an id.
    Any,
    /// At most 40 bytes.
    Short,
    /// Nine letters and digits, neither more nor less.
    Nine,
}

impl Dialect {
    /// What any server takes.
    pub const PLAIN: Dialect = Dialect {
        output_field: OutputField::MaxTokens,
        efforts: Effort::USUAL,
        has_strict: false,
        has_parallel: true,
        echo: Echo::Never,
        ids: Ids::Any,
        lessons: Lessons::NONE,
    };

    /// The same for a server that has refused something.
    pub fn after(self, lessons: Lessons) -> Dialect {
        let echo = match lessons.echoes() {
            true => Echo::ToolLoops,
            false => self.echo,
        };
        let (older, newer) = (OutputField::MaxTokens, OutputField::MaxCompletionTokens);
        let takes_older = lessons.takes(Parameter::MaxTokens);
        let takes_newer = lessons.takes(Parameter::MaxCompletionTokens);
        Dialect {
            output_field: match (takes_older, takes_newer) {
                (true, false) => older,
                (false, true) => newer,
                _ => self.output_field,
            },
            has_strict: self.has_strict && lessons.takes(Parameter::Strict),
            has_parallel: self.has_parallel && lessons.takes(Parameter::ParallelToolCalls),
            echo: match lessons.takes(Parameter::ReasoningContent) {
                true => echo,
                false => Echo::Never,
            },
            lessons,
            ..self
        }
    }
}
