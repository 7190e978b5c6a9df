//! What servers that speak Chat Completions differ in, where one body does not suit them all.
//!
//! Which server wants what is the member's to know.

use crate::provider::Effort;

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
    };
}
