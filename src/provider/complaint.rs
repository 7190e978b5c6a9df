//! Reads from a refusal which one part of a request it is about, so that the rest can be sent
//! again.
//!
//! A field of the refusal that names the parameter counts most: OpenAI's `param`, a validator's
//! `loc`. Else the words do, where the parameter's name and a word of refusal stand side by side:
//! a name that is only mentioned is no complaint about it.

use crate::provider::Effort;
use serde_json::Value;

/// What a service has against a request that it would take otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// It does not take this parameter.
    Refused(Parameter),
    /// It does not know the word for the effort, but these, of which there is at least one.
    Effort(Vec<Effort>),
    /// No answer of this model may have more tokens than these.
    OutputMax(u64),
    /// What was said before leaves room for an answer of so many tokens.
    Room(u64),
    /// It cannot read the sealed thoughts of earlier answers.
    Sealed,
    /// It wants the thoughts of earlier answers back.
    ThoughtsMissing,
}

/// A part of a request that a service may not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// Whether the stream ends with the count of tokens.
    StreamOptions,
    /// All that is said of thinking on the Responses wire.
    Reasoning,
    /// How hard the model is to think.
    Effort,
    /// Whether thoughts are told in summary.
    Summary,
    /// Whether thoughts come sealed, to be sent back.
    Include,
    /// The limit of an answer, in the older word of Chat Completions and of the Messages wire.
    MaxTokens,
    /// The same in the newer word of Chat Completions.
    MaxCompletionTokens,
    /// The same on the Responses wire.
    MaxOutputTokens,
    /// Whether calls may come several at once.
    ParallelToolCalls,
    /// Whether the model may choose to call.
    ToolChoice,
    /// Whether the service holds the model to the schema of a tool.
    Strict,
    /// Whether the service holds the answer to a schema.
    ResponseFormat,
    /// What the service knows a repeated prefix by.
    PromptCacheKey,
    /// Thoughts of earlier answers, as words.
    ReasoningContent,
    /// The same as a list of parts.
    ReasoningDetails,
}

/// The names of each parameter, longer ones of the same ending first.
const NAMES: &[(Parameter, &[&str])] = &[
    (Parameter::StreamOptions, &["stream_options"]),
    (
        Parameter::Summary,
        &["reasoning.summary", "reasoning.generate_summary"],
    ),
    (
        Parameter::Effort,
        &["reasoning_effort", "reasoning.effort", "reasoningeffort"],
    ),
    (Parameter::Reasoning, &["reasoning"]),
    (Parameter::Include, &["include"]),
    (Parameter::MaxTokens, &["max_tokens"]),
    (Parameter::MaxCompletionTokens, &["max_completion_tokens"]),
    (Parameter::MaxOutputTokens, &["max_output_tokens"]),
    (Parameter::ParallelToolCalls, &["parallel_tool_calls"]),
    (Parameter::ToolChoice, &["tool_choice"]),
    (
        Parameter::Strict,
        &["tools.function.strict", "function.strict", "tools.strict"],
    ),
    (
        Parameter::ResponseFormat,
        &[
            "response_format.json_schema",
            "response_format.type",
            "response_format",
            "response format json_schema",
        ],
    ),
    (Parameter::PromptCacheKey, &["prompt_cache_key"]),
    (Parameter::ReasoningContent, &["reasoning_content"]),
    (Parameter::ReasoningDetails, &["reasoning_details"]),
];

/// Codes that say that a parameter is refused, not what it holds.
const CODES: &[&str] = &[
    "unsupported_parameter",
    "unknown_parameter",
    "unsupported_value",
    "extra_forbidden",
];

/// Words that say the same of a parameter that a field names. Lower case, like all that follow.
const REFUSING: &[&str] = &[
    "unsupported",
    "not supported",
    "not support",
    "unrecognized",
    "unknown",
    "not permitted",
    "not allowed",
    "not available",
    "unavailable",
    "must be verified",
];

/// What refuses a parameter whose name follows at once.
const BEFORE: &[&str] = &[
    "unsupported parameter: ",
    "unsupported parameter ",
    "unsupported parameters: ",
    "unrecognized request argument supplied: ",
    "unrecognized request arguments supplied: ",
    "unrecognized parameter: ",
    "unrecognized field ",
    "unknown parameter: ",
    "unknown parameter ",
    "unknown field ",
    "unknown field: ",
    "unknown name ",
    "unexpected keyword argument ",
    "does not support ",
    "doesnt support ",
    "does not support parameter ",
    "does not support parameters: ",
    "does not support the ",
    "does not support the parameter ",
    "not supported on this model: ",
    "not permitted: ",
];

/// What refuses a parameter whose name stood before it.
const BEHIND: &[&str] = &[
    " is unsupported",
    " is not supported",
    " are not supported",
    " parameter is not supported",
    " type is unavailable",
    " is unknown",
    " is unrecognized",
    " is not permitted",
    " is not allowed",
    ": extra inputs are not permitted",
    " : value is not one of the allowed values",
];

/// What stands before the words for effort that a service knows.
const VALUES: &[&str] = &[
    "supported values are",
    "input should be",
    "must be one of",
    "should be one of",
    "expected one of",
    "value is not one of the allowed values",
];

/// What stands behind them.
const VALUES_END: &[&str] = &[".", ";", "received", "got ", "input_value"];

/// How services say that they want thoughts back.
const MISSING: &[&str] = &[
    "missing reasoning_content",
    "reasoning_content is missing",
    "reasoning_content is required",
    "reasoning_content must be passed back",
    "reasoning_content in the thinking mode must be passed back",
];

/// What `json`, the whole of a refusal, complains of; `words` are what it says to a person.
pub fn read(json: &Value, words: &str) -> Option<Complaint> {
    let flat = flat(words);
    // Some put a list around it.
    let json = json.get(0).unwrap_or(json);
    let inner = &json["error"];
    let inner = if inner.is_object() { inner } else { json };
    let code = inner["code"].as_str().unwrap_or_default();
    let is_sealed = flat.contains("encrypted content") && flat.contains("could not be verified");
    if code == "invalid_encrypted_content" || is_sealed {
        return Some(Complaint::Sealed);
    }
    if let Some(path) = inner["param"].as_str()
        && let Some(parameter) = at_path(path)
    {
        return about(parameter, code, &flat);
    }
    let lists = [
        &inner["detail"],
        &json["detail"],
        &json["message"]["detail"],
    ];
    let entries = lists.into_iter().filter_map(Value::as_array).flatten();
    let mut by_field = entries.filter_map(of_entry);
    by_field.next().or_else(|| in_words(&flat))
}

/// Where an entry of a validator's list points to, its steps joined by dots; empty where it does
/// not say.
pub fn place(entry: &Value) -> String {
    let steps = entry["loc"].as_array().into_iter().flatten();
    let steps = steps.map(|step| match step {
        Value::String(name) => name.clone(),
        other => other.to_string(),
    });
    steps.collect::<Vec<_>>().join(".")
}

fn of_entry(entry: &Value) -> Option<Complaint> {
    let parameter = at_path(&place(entry))?;
    let kind = entry["type"].as_str().unwrap_or_default();
    if kind == "missing" {
        let is_thought = parameter == Parameter::ReasoningContent;
        return is_thought.then_some(Complaint::ThoughtsMissing);
    }
    about(
        parameter,
        kind,
        &flat(entry["msg"].as_str().unwrap_or_default()),
    )
}

/// The parameter at `path`, whose numbers are places in a list.
fn at_path(path: &str) -> Option<Parameter> {
    let path = path.to_ascii_lowercase().replace('[', ".").replace(']', "");
    let is_name = |step: &&str| !step.is_empty() && !step.bytes().all(|b| b.is_ascii_digit());
    let steps = path
        .split('.')
        .filter(is_name)
        .filter(|step| *step != "body");
    let path = steps.collect::<Vec<_>>().join(".");
    let is_it = |name: &&str| {
        let before = path.strip_suffix(*name);
        // A short name may be that of another field further down.
        before.is_some_and(|rest| rest.is_empty() || (rest.ends_with('.') && is_telling(name)))
    };
    let row = NAMES.iter().find(|(_, names)| names.iter().any(is_it));
    row.map(|(parameter, _)| *parameter)
}

/// Whether a name is no word of everyday language.
fn is_telling(name: &str) -> bool {
    name.contains(['_', '.']) || name == "reasoningeffort"
}

/// What a refusal has against the parameter that its field names.
fn about(parameter: Parameter, code: &str, flat: &str) -> Option<Complaint> {
    // The person's schema is at fault then, not the parameter.
    if parameter == Parameter::ResponseFormat && flat.contains("invalid schema") {
        return None;
    }
    let known = values(flat).filter(|_| parameter == Parameter::Effort);
    if let Some(known) = known {
        return Some(Complaint::Effort(known));
    }
    let is_refused = CODES.contains(&code) || REFUSING.iter().any(|words| flat.contains(words));
    is_refused.then_some(Complaint::Refused(parameter))
}

/// What words alone complain of.
fn in_words(flat: &str) -> Option<Complaint> {
    if MISSING.iter().any(|phrase| flat.contains(phrase)) {
        return Some(Complaint::ThoughtsMissing);
    }
    // Ollama, of the effort.
    if flat.ends_with("does not support thinking") {
        return Some(Complaint::Refused(Parameter::Effort));
    }
    let names = NAMES.iter().flat_map(|(parameter, names)| {
        let names = names.iter();
        names.map(move |name| (*parameter, *name))
    });
    let mut named = names.flat_map(|(parameter, name)| {
        let places = flat.match_indices(name);
        places.map(move |(at, _)| (parameter, name, &flat[..at], &flat[at + name.len()..]))
    });
    named.find_map(|(parameter, name, before, behind)| {
        if is_part(before, behind) {
            return None;
        }
        let is_value = |words: &&str| {
            let rest = behind.trim_start_matches([':', ' ']);
            rest.starts_with(*words)
        };
        if parameter == Parameter::Effort && VALUES.iter().any(is_value) {
            return values(behind).map(Complaint::Effort);
        }
        // A word of everyday language is a name where it is announced as one.
        let is_telling = is_telling(name);
        let is_announced = |words: &&str| is_telling || words.ends_with("parameter: ");
        let mut before_it = BEFORE.iter().filter(|words| before.ends_with(*words));
        let is_refused = before_it.any(is_announced)
            || (is_telling && BEHIND.iter().any(|words| behind.starts_with(words)));
        is_refused.then_some(Complaint::Refused(parameter))
    })
}

/// Whether what stands between the two is only part of a name.
fn is_part(before: &str, behind: &str) -> bool {
    let is_within = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let rest = behind.strip_prefix('.');
    before.ends_with(is_within)
        || behind.starts_with(is_within)
        || rest.is_some_and(|rest| rest.starts_with(is_within))
}

/// The words for effort that a refusal lists, upward; `None` where it lists none that we know.
fn values(flat: &str) -> Option<Vec<Effort>> {
    let list = VALUES.iter().find_map(|words| flat.split_once(words))?.1;
    let end = VALUES_END.iter().filter_map(|words| list.find(words)).min();
    let words: Vec<&str> = list[..end.unwrap_or(list.len())]
        .split(|c: char| !c.is_ascii_alphabetic())
        .collect();
    let is_known = |effort: &&Effort| {
        let word = match effort {
            Effort::Off => "none",
            effort => effort.word(),
        };
        words.contains(&word)
    };
    let known: Vec<Effort> = Effort::ALL.iter().filter(is_known).copied().collect();
    (!known.is_empty()).then_some(known)
}

/// Lower case, without the marks that services put around names.
fn flat(words: &str) -> String {
    let mut flat = words.to_ascii_lowercase();
    flat.retain(|c| !matches!(c, '\'' | '"' | '`' | '\\' | '[' | ']' | '{' | '}'));
    flat.trim_end_matches(['.', ' ', '\n']).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Option<Complaint>) {
        // The tables below break the lines of long words.
        let body = body.split_whitespace().collect::<Vec<_>>().join(" ");
        let json: Value = serde_json::from_str(&body).unwrap();
        let inner = if json["error"].is_object() {
            &json["error"]
        } else {
            &json
        };
        let words = inner["message"].as_str().or(json["error"].as_str());
        assert_eq!(read(&json, words.unwrap_or_default()), expected, "{body}");
    }

    #[track_caller]
    fn check_words(words: &str, expected: Option<Complaint>) {
        assert_eq!(read(&Value::Null, words), expected, "{words}");
    }

    fn refused(parameter: Parameter) -> Option<Complaint> {
        Some(Complaint::Refused(parameter))
    }

    #[test]
    fn a_field_that_names_the_parameter_is_believed() {
        check(
            r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this
                model. Use 'max_completion_tokens' instead.","type":"invalid_request_error",
                "param":"max_tokens","code":"unsupported_parameter"}}"#,
            refused(Parameter::MaxTokens),
        );
        check(
            r#"{"error":{"message":"Your organization must be verified to generate reasoning
                summaries. Please go to the settings.","type":"invalid_request_error",
                "param":"reasoning.summary","code":"unsupported_value"}}"#,
            refused(Parameter::Summary),
        );
        check(
            r#"{"error":{"message":"Encrypted content is not supported with this model.",
                "type":"invalid_request_error","param":"include","code":null}}"#,
            refused(Parameter::Include),
        );
        check(
            r#"{"error":{"message":"Unknown parameter: 'tools[0].function.strict'.",
                "param":"tools[0].function.strict","code":"unknown_parameter"}}"#,
            refused(Parameter::Strict),
        );
        check(
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],
                "msg":"Extra inputs are not permitted","input":{}}]}"#,
            refused(Parameter::StreamOptions),
        );
        check(
            r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden",
                "loc":["body","seed"],"msg":"Extra inputs are not permitted"},
                {"loc":["body","reasoning_effort"],"msg":"Extra inputs are not permitted"}]}}"#,
            refused(Parameter::Effort),
        );
        check(
            r#"{"detail":[{"type":"missing","loc":["body","messages",2,"assistant",
                "reasoning_content"],"msg":"Field required"}]}"#,
            Some(Complaint::ThoughtsMissing),
        );
    }

    #[test]
    fn a_list_around_a_refusal_hides_nothing() {
        let list = r#"[{"error":{"code":400,"message":"m","param":"stream_options",
            "status":"unknown"}},{}]"#;
        let json: Value = serde_json::from_str(list).unwrap();
        assert_eq!(
            read(&json, "unknown field"),
            refused(Parameter::StreamOptions)
        );
    }

    #[test]
    fn words_are_believed_where_name_and_refusal_stand_together() {
        for (words, parameter) in [
            (
                "property 'stream_options' is unsupported",
                Parameter::StreamOptions,
            ),
            (
                "Unrecognized request argument supplied: reasoning_effort",
                Parameter::Effort,
            ),
            (
                "litellm.UnsupportedParamsError: groq does not support parameters: \
                 ['reasoning_effort'], for model=m.",
                Parameter::Effort,
            ),
            (
                "litellm.UnsupportedParamsError: m doesn't support `reasoning.effort` (its model \
                 cost map entry lacks `supports_reasoning`).",
                Parameter::Effort,
            ),
            (
                "Model grok-4 does not support parameter reasoningEffort.",
                Parameter::Effort,
            ),
            ("\"llama3\" does not support thinking", Parameter::Effort),
            (
                "Unsupported parameter: max_output_tokens",
                Parameter::MaxOutputTokens,
            ),
            (
                "Unknown name \"parallel_tool_calls\": Cannot find field.",
                Parameter::ParallelToolCalls,
            ),
            (
                "This response_format type is unavailable now",
                Parameter::ResponseFormat,
            ),
            (
                "Function tools with reasoning_effort are not supported for m in \
                 /v1/chat/completions.",
                Parameter::Effort,
            ),
            ("Unknown parameter: 'reasoning'.", Parameter::Reasoning),
            ("Unsupported parameter: include", Parameter::Include),
            (
                "This model does not support response format `json_schema`. See supported models",
                Parameter::ResponseFormat,
            ),
            (
                "'response_format.type' : value is not one of the allowed values ['text']",
                Parameter::ResponseFormat,
            ),
            (
                "messages.2.reasoning_details: Extra inputs are not permitted",
                Parameter::ReasoningDetails,
            ),
        ] {
            check_words(words, refused(parameter));
        }
    }

    #[test]
    fn a_parameter_that_is_only_mentioned_is_kept() {
        for words in [
            "this model is not supported; stream_options was ignored",
            "the tool is unsupported. See reasoning_effort for more",
            "my_stream_options is not supported",
            "stream_options_2 is not supported",
            "'max_tokens' or 'max_completion_tokens' is too large",
            "reasoning is not supported",
            "Unknown parameter: 'reasoning.context'.",
            "this does not support include",
            "",
        ] {
            check_words(words, None);
        }
        check(
            r#"{"error":{"message":"Invalid schema for response_format 'answer': 'minLength' is
                not permitted.","param":"response_format","code":"invalid_json_schema"}}"#,
            None,
        );
        check(
            r#"{"error":{"message":"Unknown model","param":"model","code":"unsupported_value"}}"#,
            None,
        );
        check(
            r#"{"detail":[{"type":"int_parsing","loc":["body","max_tokens"],
                "msg":"Input should be a valid integer"}]}"#,
            None,
        );
        check(
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","tools",0,"include"],
                "msg":"Extra inputs are not permitted"}]}"#,
            None,
        );
    }

    #[test]
    fn the_words_for_effort_that_a_service_knows_are_read() {
        use Effort::{High, Low, Medium, Minimal, Off};
        check(
            r#"{"error":{"message":"Unsupported value: 'xhigh' is not supported with the 'M'
                model. Supported values are: 'low', 'medium', and 'high'.",
                "param":"reasoning.effort","code":"unsupported_value"}}"#,
            Some(Complaint::Effort(vec![Low, Medium, High])),
        );
        check(
            r#"{"error":{"message":"Unsupported value: 'none'.","param":"reasoning_effort",
                "code":"unsupported_value"}}"#,
            refused(Parameter::Effort),
        );
        check(
            r#"{"detail":[{"type":"literal_error","loc":["body","reasoning_effort"],
                "msg":"Input should be 'low', 'medium' or 'high'","input":"minimal"}]}"#,
            Some(Complaint::Effort(vec![Low, Medium, High])),
        );
        check_words(
            "`reasoning_effort` must be one of `none` or `default`",
            Some(Complaint::Effort(vec![Off])),
        );
        check_words(
            "'reasoning_effort' : value is not one of the allowed values ['low','high']",
            Some(Complaint::Effort(vec![Low, High])),
        );
        check_words(
            "Validation error for `reasoning_effort`: expected one of `'minimal' | 'low'`, \
             received `'high'`",
            Some(Complaint::Effort(vec![Minimal, Low])),
        );
    }

    #[test]
    fn thoughts_are_sealed_or_missing() {
        check(
            r#"{"error":{"message":"The encrypted content gAAA...DQ== could not be verified.",
                "type":"invalid_request_error","param":null,"code":"invalid_encrypted_content"}}"#,
            Some(Complaint::Sealed),
        );
        for words in [
            "Missing `reasoning_content` field in the assistant message at message index 2.",
            "thinking is enabled but reasoning_content is missing in assistant tool call message",
            "The `reasoning_content` in the thinking mode must be passed back to the API.",
        ] {
            check_words(words, Some(Complaint::ThoughtsMissing));
        }
        check_words(
            "property 'reasoning_content' is unsupported",
            refused(Parameter::ReasoningContent),
        );
    }
}
