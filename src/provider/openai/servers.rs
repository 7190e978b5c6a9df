//! Which servers there are, and what each wants differently: addresses, fields, ids.
//!
//! A server is known by its host, a model by its name, since most models run on several servers.

use crate::http::url::Url;
use crate::provider::Effort;
use crate::provider::lessons::Lessons;
use crate::provider::wire::completions::dialect::Dialect;
use crate::provider::wire::completions::dialect::Echo;
use crate::provider::wire::completions::dialect::Ids;
use crate::provider::wire::completions::dialect::OutputField;
use crate::provider::wire::responses;

/// Makers whose models want their thoughts back within a tool loop, as words of their names.
const ECHOED: &[&str] = &["deepseek", "kimi"];

/// Hosts that refuse a field that they do not know, whatever the model wants.
const NEVER_ECHOED: &[&str] = &["groq.com", "cerebras.ai", "openai.com", "mistral.ai"];

/// Models that take ids of nine characters only, as words of their names.
const NINE: &[&str] = &[
    "mistral",
    "magistral",
    "ministral",
    "devstral",
    "codestral",
    "pixtral",
];

/// Beginnings of the names of OpenAI's models that do not think.
const THOUGHTLESS: &[&str] = &["gpt-3", "gpt-4", "chatgpt"];

/// The words of models that always think.
const ALWAYS: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High];

/// Those of the first gpt-5.
const FIRST_FIVE: &[Effort] = &[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High];

/// Whether this is OpenAI's own service.
pub fn is_openai(base: &Url) -> bool {
    base.host == "api.openai.com"
}

/// Whether this is OpenAI's service at Microsoft's.
pub fn is_azure(base: &Url) -> bool {
    [
        "openai.azure.com",
        "cognitiveservices.azure.com",
        "services.ai.azure.com",
    ]
    .iter()
    .any(|domain| is_at(base, domain))
}

/// The address of `path` at a service that may be named with or without its version. A query of
/// the base stays at the end.
pub fn endpoint(base: &Url, path: &str) -> Url {
    let (place, query) = split(&base.target);
    // People copy whole endpoints, too.
    let place = ["/chat/completions", "/responses"]
        .iter()
        .find_map(|end| place.strip_suffix(end))
        .unwrap_or(place);
    let is_whole = version(place).is_some() || place.contains("/deployments/");
    let middle = match is_whole {
        true => "",
        false if is_azure(base) && place.is_empty() => "/openai/v1",
        false => "/v1",
    };
    let base = Url {
        target: format!("{place}{middle}{query}"),
        ..base.clone()
    };
    base.join(path)
}

/// The address of `path` beside the version, where servers keep what is their own.
pub fn at_root(base: &Url, path: &str) -> Url {
    let (place, _) = split(&base.target);
    let root = &place[..version(place).unwrap_or(place.len())];
    let root = Url {
        target: format!("{root}/"),
        ..base.clone()
    };
    root.join(path)
}

/// What a server of Chat Completions wants.
pub fn completions(base: &Url, model: &str) -> Dialect {
    let model = model.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| model.contains(word));
    let is_own = is_openai(base) || is_azure(base);
    let is_refused = NEVER_ECHOED.iter().any(|domain| is_at(base, domain));
    Dialect {
        output_field: match is_own {
            true => OutputField::MaxCompletionTokens,
            false => OutputField::MaxTokens,
        },
        efforts: match is_own {
            true => efforts(&model),
            false if is_at(base, "deepseek.com") => Effort::ALL,
            // Its thoughts cannot be left out.
            false if model.contains("gpt-oss") => ALWAYS,
            false => Effort::USUAL,
        },
        has_strict: is_own,
        // The first models that thought refuse the field; Gemini does not know it.
        has_parallel: !is_early_thinker(&model) && !is_at(base, "googleapis.com"),
        echo: match has(ECHOED) && !is_refused {
            true => Echo::ToolLoops,
            false => Echo::Never,
        },
        ids: match is_own {
            true => Ids::Short,
            false if has(NINE) || is_at(base, "mistral.ai") => Ids::Nine,
            false => Ids::Any,
        },
        lessons: Lessons::NONE,
    }
}

/// What a server of the Responses wire wants.
pub fn responses(base: &Url, model: &str) -> responses::encode::Dialect {
    let name = model.rsplit('/').next().unwrap_or(model);
    let is_thoughtless = THOUGHTLESS.iter().any(|start| name.starts_with(start));
    responses::encode::Dialect {
        shape: responses::encode::Shape::Classic,
        has_freeform: is_openai(base) && !is_thoughtless && !is_early_thinker(name),
        has_reasoning: !is_thoughtless,
        efforts: efforts(name),
        has_output_max: true,
        has_web_access: false,
        lessons: Lessons::NONE,
    }
}

/// The words for effort that a model of OpenAI's knows; all where the name says nothing.
fn efforts(name: &str) -> &'static [Effort] {
    let is_of = |family: &str| {
        let rest = name.strip_prefix(family);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    match name {
        name if THOUGHTLESS.iter().any(|start| name.starts_with(start)) => &[],
        name if is_early_thinker(name) || is_of("gpt-5-codex") => ALWAYS,
        _ if is_of("gpt-5") => FIRST_FIVE,
        name if name.starts_with("gpt-5.1-codex-max") => Effort::ALL,
        _ if is_of("gpt-5.1") => Effort::USUAL,
        _ => Effort::ALL,
    }
}

/// `o1`, `o3-mini` and the like.
fn is_early_thinker(model: &str) -> bool {
    let number = model.strip_prefix('o').unwrap_or_default();
    number.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether the host is `domain` or below it.
fn is_at(base: &Url, domain: &str) -> bool {
    let rest = base.host.strip_suffix(domain);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The path without slashes at its end, and the query with its mark.
fn split(target: &str) -> (&str, &str) {
    let mark = target.find('?').unwrap_or(target.len());
    let (place, query) = target.split_at(mark);
    (place.trim_end_matches('/'), query)
}

/// Where the segment begins that is a version: `/v1`, `/v1beta`, `/v4`.
fn version(place: &str) -> Option<usize> {
    let is_version = |(at, _): &(usize, &str)| {
        let mut bytes = place[at + 1..].bytes();
        bytes.next() == Some(b'v') && bytes.next().is_some_and(|byte| byte.is_ascii_digit())
    };
    place.match_indices('/').find(is_version).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn an_address_means_the_same_with_and_without_its_version() {
        #[track_caller]
        fn check(base: &str, expected: &str) {
            let found = endpoint(&url(base), "/chat/completions").to_string();
            assert_eq!(found, expected, "{base}");
        }
        for base in [
            "http://h:8080",
            "http://h:8080/",
            "http://h:8080/v1",
            "http://h:8080/v1/",
            "http://h:8080/v1/chat/completions",
        ] {
            check(base, "http://h:8080/v1/chat/completions");
        }
        check(
            "https://h/openai/v1/",
            "https://h/openai/v1/chat/completions",
        );
        check("https://h/proxy", "https://h/proxy/v1/chat/completions");
        check(
            "https://h/api/paas/v4/",
            "https://h/api/paas/v4/chat/completions",
        );
        check(
            "https://h/v1beta/openai/",
            "https://h/v1beta/openai/chat/completions",
        );
        check("https://h/vault", "https://h/vault/v1/chat/completions");
        check(
            "https://x.openai.azure.com/openai/deployments/d?api-version=2025-01-01",
            "https://x.openai.azure.com/openai/deployments/d/chat/completions\
             ?api-version=2025-01-01",
        );
        check(
            "https://x.openai.azure.com/",
            "https://x.openai.azure.com/openai/v1/chat/completions",
        );
        check("https://h/?a=b", "https://h/v1/chat/completions?a=b");
    }

    #[test]
    fn what_is_the_servers_own_lies_beside_the_version() {
        for (base, expected) in [
            ("http://h:8080", "http://h:8080/props"),
            ("http://h:8080/v1/?a=b", "http://h:8080/props"),
            ("http://h/llama/v1", "http://h/llama/props"),
        ] {
            assert_eq!(at_root(&url(base), "/props").to_string(), expected);
        }
    }

    #[test]
    fn each_server_gets_what_it_wants() {
        let dialect = |base: &str, model: &str| completions(&url(base), model);
        assert_eq!(dialect("http://127.0.0.1:8080", "qwen3"), Dialect::PLAIN);
        let own = dialect("https://api.openai.com/v1", "gpt-5.2");
        assert_eq!(own.output_field, OutputField::MaxCompletionTokens);
        assert_eq!(
            (own.ids, own.has_strict, own.has_parallel),
            (Ids::Short, true, true)
        );
        assert!(!dialect("https://api.openai.com", "o3-mini").has_parallel);
        assert!(dialect("https://api.openai.com", "omni").has_parallel);
        for (base, model, echo) in [
            (
                "https://api.deepseek.com",
                "deepseek-reasoner",
                Echo::ToolLoops,
            ),
            (
                "https://api.moonshot.ai/v1",
                "kimi-k2-thinking",
                Echo::ToolLoops,
            ),
            (
                "http://10.0.0.1:4000",
                "deepseek/DeepSeek-V3.2",
                Echo::ToolLoops,
            ),
            (
                "https://api.groq.com/openai/v1",
                "moonshotai/kimi-k2",
                Echo::Never,
            ),
            ("http://127.0.0.1:8080", "glm", Echo::Never),
        ] {
            assert_eq!(dialect(base, model).echo, echo, "{base} {model}");
        }
        for (base, model, ids) in [
            ("https://api.mistral.ai/v1", "any", Ids::Nine),
            ("http://127.0.0.1:8080", "Devstral-Small", Ids::Nine),
            ("https://notmistral.ai.example", "any", Ids::Any),
        ] {
            assert_eq!(dialect(base, model).ids, ids, "{base} {model}");
        }
    }

    #[test]
    fn effort_is_said_in_words_that_the_model_knows() {
        use Effort::{High, Low, Max, Minimal, Off, XHigh};
        for (model, asked, sent) in [
            ("gpt-4o", High, None),
            ("o3", Off, Some(Low)),
            ("o3", XHigh, Some(High)),
            ("gpt-5", Off, Some(Minimal)),
            ("gpt-5-mini", Max, Some(High)),
            ("gpt-5-codex", Minimal, Some(Low)),
            ("gpt-5.1", Off, Some(Off)),
            ("gpt-5.1", XHigh, Some(High)),
            ("gpt-5.1-codex-max", XHigh, Some(XHigh)),
            ("gpt-5.2", XHigh, Some(XHigh)),
            ("another", Max, Some(Max)),
        ] {
            let base = url("https://api.openai.com");
            let known = [
                responses(&base, model).efforts,
                completions(&base, model).efforts,
            ];
            for known in known {
                assert_eq!(asked.within(known), sent, "{model} {asked:?}");
            }
        }
        let oss = completions(&url("http://h"), "openai/gpt-oss-20b").efforts;
        assert_eq!(Off.within(oss), Some(Low));
    }

    #[test]
    fn only_openais_newer_models_take_free_text() {
        for (base, model, has_freeform, has_reasoning) in [
            ("https://api.openai.com", "gpt-5.2", true, true),
            ("https://api.openai.com", "o4-mini", false, true),
            ("https://api.openai.com", "gpt-4.1", false, false),
            ("https://x.openai.azure.com", "d", false, true),
            ("http://h", "openai/gpt-4o", false, false),
        ] {
            let found = responses(&url(base), model);
            let found = (found.has_freeform, found.has_reasoning);
            assert_eq!(found, (has_freeform, has_reasoning), "{base} {model}");
        }
    }
}
