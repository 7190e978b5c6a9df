//! Tells from a refusal's words that the conversation is too long, how long it may be, and whether
//! it is only the limit of the answer that is too high.
//!
//! Nobody gives this a code that all share, so it is read from what llama.cpp, vLLM, SGLang,
//! Ollama, LM Studio, TGI, OpenAI, Mistral, xAI, Moonshot, Groq, Zhipu, Qwen, Cohere, Bedrock,
//! Anthropic and Gemini write. Words in lower case.

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
    "input is too long",
    "maximum model length",
    "reduce the length of the messages",
    "prompt exceeds max length",
    "range of input length",
    "`inputs` must have less than",
    "too many tokens: ",
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
    "maximum model length of ",
    "`inputs` must have less than ",
    "range of input length should be [1, ",
    "tokens in the prompt cannot exceed ",
    "model token limit: ",
    "configured limit of ",
    "number of tokens allowed (",
    "must be <= ",
    "tokens > ",
];

/// What stands behind it.
const BEHIND: &[&str] = &[" maximum context length", " context length"];

/// What stands before the tokens of all that was asked for, the answer with them.
const BEFORE_TOTAL: &[&str] = &[
    "you requested about ",
    "you requested a total of ",
    "you requested ",
];

/// What stands behind those of the answer.
const BEHIND_ANSWER: &[&str] = &[
    " in the completion",
    " in the output",
    " tokens for the completion",
];

/// What stands behind those of the conversation, where it says them alone.
const BEHIND_INPUT: &[&str] = &[" input tokens", " `inputs` tokens and"];

/// What stands before a sum and what it is over: `A + B > C`.
const BEFORE_SUM: &[&str] = &["exceed context limit: "];

/// What stands before the most tokens that an answer can have, and behind it.
const AROUND_MOST: &[(&str, &str)] = &[
    (
        " > ",
        ", which is the maximum allowed number of output tokens",
    ),
    ("supports at most ", " completion tokens"),
];

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
    let behind = BEHIND
        .iter()
        .filter_map(|phrase| number_before(&words, phrase));
    let over = sum(&words).map(|(_, over)| over);
    let found = before.chain(behind).chain(over);
    found.into_iter().find(|tokens| *tokens >= WINDOW_MIN)
}

/// How many tokens the window has left for an answer, if `words` say how long conversation and
/// window are; `None` where there is no room.
pub fn room(words: &str) -> Option<u64> {
    let window = window(words)?;
    let words = words.to_ascii_lowercase();
    let before = |phrase: &&str| {
        let at = words.find(*phrase)? + phrase.len();
        leading_number(&words[at..])
    };
    let total = BEFORE_TOTAL.iter().find_map(before);
    let find_behind = |phrases: &[&str]| {
        let mut found = phrases
            .iter()
            .filter_map(|phrase| number_before(&words, phrase));
        found.next()
    };
    let answer = find_behind(BEHIND_ANSWER);
    let rest = total
        .zip(answer)
        .and_then(|(total, answer)| total.checked_sub(answer));
    let summed = sum(&words).map(|(input, _)| input);
    let input = summed.or(rest).or_else(|| find_behind(BEHIND_INPUT))?;
    window.checked_sub(input).filter(|tokens| *tokens > 0)
}

/// The most tokens that an answer can have, if `words` say that too many were asked for.
pub fn output_max(words: &str) -> Option<u64> {
    let words = words.to_ascii_lowercase();
    let mut found = AROUND_MOST.iter().filter_map(|(before, behind)| {
        let until = &words[..words.find(behind)?];
        leading_number(&until[until.rfind(before)? + before.len()..])
    });
    found.find(|tokens| *tokens > 0)
}

/// The conversation's part of a sum, and what the sum is over.
fn sum(words: &str) -> Option<(u64, u64)> {
    let sum = BEFORE_SUM
        .iter()
        .find_map(|phrase| words.split_once(phrase));
    let (parts, over) = sum?.1.split_once(" > ")?;
    let (input, _) = parts.split_once(" + ")?;
    Some((leading_number(input)?, leading_number(over)?))
}

/// The number right before `phrase`, at the first place where there is one.
fn number_before(words: &str, phrase: &str) -> Option<u64> {
    let mut found = words.match_indices(phrase).filter_map(|(at, _)| {
        let number = words[..at].rsplit([' ', '(']).next()?;
        leading_number(number)
    });
    found.next()
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
        check(
            "input length and `max_tokens` exceed context limit: 199759 + 8192 > 200000, decrease \
             input length or `max_tokens` and try again",
            Some(200_000),
        );
        check("Your input exceeds the context window of this model.", None);
        check("Input is too long for requested model.", None);
        check(
            "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
            Some(4_096),
        );
        check(
            "Please reduce the length of the messages or completion.",
            None,
        );
        check(
            "Input validation error: `inputs` must have less than 4097 tokens. Given: 5000",
            Some(4_097),
        );
        check("Range of input length should be [1, 129024]", Some(129_024));
        check("Prompt exceeds max length", None);
        check(
            "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received \
             9000.",
            Some(4_081),
        );
    }

    #[test]
    fn what_is_left_for_an_answer_is_read_too() {
        for (words, expected) in [
            (
                "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, \
                 decrease input length or `max_tokens` and try again",
                Some(21_041),
            ),
            (
                "input length and `max_tokens` exceed context limit: 200000 + 8192 > 200000",
                None,
            ),
            (
                "This model's maximum context length is 8192 tokens. However, you requested 9000 \
                 tokens (5000 in the messages, 4000 in the completion).",
                Some(3_192),
            ),
            (
                "This model's maximum context length is 8192 tokens. However, you requested 9100 \
                 tokens (5000 in the messages, 100 in the functions, and 4000 in the completion).",
                Some(3_092),
            ),
            (
                "This model's maximum context length is 16384 tokens. However, you requested \
                 122946 tokens (112946 in the messages, 10000 in the completion).",
                None,
            ),
            (
                "This endpoint's maximum context length is 32768 tokens. However, you requested \
                 about 40000 tokens (6000 of text input, 1232 of tool input, 32768 in the output).",
                Some(25_536),
            ),
            (
                "'max_tokens' or 'max_completion_tokens' is too large: 8192. This model's maximum \
                 context length is 8192 tokens and your request has 1000 input tokens (8192 > \
                 8192 - 1000).",
                Some(7_192),
            ),
            (
                "Requested token count exceeds the model's maximum context length of 4096 tokens. \
                 You requested a total of 5000 tokens: 1000 tokens from the input messages and \
                 4000 tokens for the completion.",
                Some(3_096),
            ),
            (
                "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 500 `inputs` tokens \
                 and 4000 `max_new_tokens`",
                Some(3_596),
            ),
            ("prompt is too long: 210000 tokens > 200000 maximum", None),
            (
                "This model's maximum context length is 6048 tokens. However, you requested 6616 \
                 tokens",
                None,
            ),
        ] {
            assert!(is_said(words), "{words}");
            assert_eq!(room(words), expected, "{words}");
        }
    }

    #[test]
    fn the_most_that_an_answer_can_have_is_read() {
        for (words, expected) in [
            (
                "max_tokens: 64000 > 32000, which is the maximum allowed number of output tokens \
                 for m",
                Some(32_000),
            ),
            (
                "max_tokens is too large: 100000. This model supports at most 16384 completion \
                 tokens, whereas you provided 100000.",
                Some(16_384),
            ),
            ("max_tokens is too large", None),
        ] {
            assert_eq!(output_max(words), expected, "{words}");
        }
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
