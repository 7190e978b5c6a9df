//! Tells from a refusal's words that the conversation is too long, and how long it may be.
//!
//! Nobody gives this a code that all share, so it is read from what llama.cpp, vLLM, SGLang,
//! Ollama, LM Studio, TGI, OpenAI, Mistral, xAI, Moonshot, Anthropic and Gemini write. Words in
//! lower case.

/// What says that a conversation does not fit.
const PHRASES: &[&str] = &[
    "context window",
    "context limit",
    "context length",
    "context size",
    "prompt is too long",
    "prompt too long",
    "maximum prompt length",
    "model token limit",
    "input tokens exceed",
    "input token count",
    "max_new_tokens` must be <=",
];

/// What stands before the number of tokens that fit.
const BEFORE: &[&str] = &[
    "maximum context length is ",
    "maximum context length of ",
    "context length of only ",
    "context length of ",
    "context length (",
    "context size (",
    "context size of ",
    "context window of ",
    "context window (",
    "maximum prompt length is ",
    "model token limit: ",
    "configured limit of ",
    "number of tokens allowed (",
    "must be <= ",
    "tokens > ",
];

/// What stands behind it.
const BEHIND: &[&str] = &[" maximum context length", " context length"];

/// No model has a smaller window; some servers put another number in that place.
const WINDOW_MIN: u64 = 64;

/// Whether `words` say that the conversation does not fit.
pub fn is_said(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    PHRASES.iter().any(|phrase| words.contains(phrase))
}

/// How many tokens fit, if `words` say so.
pub fn window(words: &str) -> Option<u64> {
    let words = words.to_ascii_lowercase();
    let before = BEFORE.iter().flat_map(|phrase| {
        let found = words.match_indices(phrase);
        found.filter_map(|(at, phrase)| leading_number(&words[at + phrase.len()..]))
    });
    let behind = BEHIND.iter().flat_map(|phrase| {
        let found = words.match_indices(phrase);
        found.filter_map(|(at, _)| {
            let number = words[..at].rsplit(' ').next()?;
            leading_number(number)
        })
    });
    before.chain(behind).find(|tokens| *tokens >= WINDOW_MIN)
}

/// `4096`, `128,000`; `None` where there is no digit.
fn leading_number(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ',');
    let digits = text[..end.unwrap_or(text.len())].replace(',', "");
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &str, expected: Option<u64>) {
        assert!(is_said(words), "{words}");
        assert_eq!(window(words), expected, "{words}");
    }

    #[test]
    fn the_window_is_read_from_the_words_of_many_servers() {
        check(
            "request (4390 tokens) exceeds the available context size (4096 tokens), try \
             increasing it",
            Some(4_096),
        );
        check("Context size has been exceeded.", None);
        check(
            "Requested tokens (2285) exceed context window of 2048",
            Some(2_048),
        );
        check(
            "This model's maximum context length is 16384 tokens. However, you requested 122946 \
             tokens (112946 in the messages, 10000 in the completion).",
            Some(16_384),
        );
        check(
            "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
            Some(4_096),
        );
        check("the input length exceeds the context length", None);
        check(
            "prompt too long; exceeded max context length by 12 tokens",
            None,
        );
        check(
            "Trying to keep the first 5012 tokens when context the overflows. However, the model \
             is loaded with context length of only 4096 tokens",
            Some(4_096),
        );
        check(
            "Input tokens exceed the configured limit of 272,000 tokens. Your messages resulted \
             in 300000 tokens.",
            Some(272_000),
        );
        check(
            "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 \
             maximum context length",
            Some(32_768),
        );
        check(
            "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
            Some(131_072),
        );
        check(
            "Your request exceeded model token limit: 8192 (requested: 9000)",
            Some(8_192),
        );
        check(
            "prompt is too long: 210000 tokens > 200000 maximum",
            Some(200_000),
        );
        check(
            "The input token count (1200000) exceeds the maximum number of tokens allowed \
             (1048576).",
            Some(1_048_576),
        );
        check(
            "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens",
            Some(4_096),
        );
        check("Your input exceeds the context window of this model.", None);
    }

    #[test]
    fn another_number_in_its_place_is_none() {
        check("This model's maximum context length is 3 tokens.", None);
        check(
            "maximum context length is 99999999999999999999 tokens",
            None,
        );
        assert!(!is_said("Rate limit reached: limit 6000 tokens per minute"));
    }
}
