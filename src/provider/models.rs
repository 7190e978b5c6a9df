//! Names of models: what an alias stands for, and what a service tells of the models it has.

use crate::provider::Error;
use crate::provider::refusal;
use serde_json::Value;

/// The setting `MODEL_ALIASES`: what the person wants an alias to stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases {
    pairs: Vec<(String, String)>,
}

impl Aliases {
    /// Reads `opus=NAME,haiku=NAME`; fails with the part that is none.
    pub fn parse(text: &str) -> Result<Aliases, String> {
        let parts = text.split(',').map(str::trim);
        let mut pairs = Vec::new();
        for part in parts.filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some((alias, name)) if !alias.trim().is_empty() && !name.trim().is_empty() => {
                    pairs.push((alias.trim().to_string(), name.trim().to_string()));
                }
                _ => return Err(part.to_string()),
            }
        }
        Ok(Aliases { pairs })
    }

    /// The model that is meant by `asked`: the person's word first, then the member's own `table`;
    /// any other name is passed through. The empty one is the member's default.
    pub fn resolve<'a>(&'a self, asked: &'a str, table: &'a [(&'a str, &'a str)]) -> &'a str {
        let own = self.pairs.iter().find(|(alias, _)| alias == asked);
        let own = own.map(|(_, name)| name.as_str());
        let known = || {
            let row = table.iter().find(|(alias, _)| *alias == asked);
            row.map(|(_, name)| *name)
        };
        own.or_else(known).unwrap_or(asked)
    }
}

/// A model as its service lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// Its name.
    pub id: String,
    /// Tokens that fit into its window, where the service says so.
    pub window: Option<u64>,
    /// Tokens that one answer may have, where the service says so.
    pub output_max: Option<u64>,
}

/// Reads a list in the shapes that services send: the models stand under `data` or `models`, or
/// are the whole; each has its name as `id`, `slug` or `name`, and may have its window beside it.
pub fn of_list(body: &[u8]) -> Result<Vec<Model>, Error> {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let lists = [&json["data"], &json["models"], &json];
    let Some(list) = lists.into_iter().find_map(Value::as_array) else {
        return Err(Error::Refused {
            status: 200,
            detail: "the service's list of models is none that we can read".to_string(),
        });
    };
    Ok(list.iter().filter_map(of_entry).collect())
}

fn of_entry(entry: &Value) -> Option<Model> {
    let names = ["id", "slug", "name", "model"];
    let id = names.into_iter().find_map(|name| entry[name].as_str());
    let id = id.or(entry.as_str()).filter(|id| !id.is_empty())?;
    let number = |names: &[&str]| {
        let mut found = names
            .iter()
            .filter_map(|name| entry.pointer(name)?.as_u64());
        found.find(|tokens| *tokens > 0)
    };
    Some(Model {
        id: id.strip_prefix("models/").unwrap_or(id).to_string(),
        window: number(&[
            "/context_window",
            "/context_length",
            "/max_model_len",
            "/inputTokenLimit",
            "/max_input_tokens",
            "/meta/n_ctx",
            "/meta/n_ctx_train",
        ]),
        output_max: number(&["/max_output_tokens", "/outputTokenLimit", "/max_tokens"]),
    })
}

/// Who the list says that its first model is owned by: the program that serves it, at most servers
/// of one's own.
pub fn owner(body: &[u8]) -> Option<String> {
    let json: Value = serde_json::from_slice(body).ok()?;
    let owner = json["data"][0]["owned_by"].as_str()?;
    (!owner.is_empty()).then(|| owner.to_string())
}

/// How services say that they don't know a model, whatever the status. Lower case.
const UNKNOWN: &[&str] = &[
    "model is not supported",
    "model not found",
    "model_not_found",
    "model does not exist",
    "not a valid model",
    "unknown model",
    "invalid model",
    "no such model",
];

/// The same with status 404, where it is said of the word `model`. With another status it may be
/// said of a parameter that this model does not take.
const NOT_FOUND: &[&str] = &[
    "not found",
    "not_found",
    "not exist",
    "not supported",
    "not available",
    "model: ",
];

/// What LiteLLM adds to what a server behind it said: that a model of its list failed. Lower case.
const ADDED: &str = "litellm: model group ";

/// The words of whoever refused, in lower case, without what a gateway adds about its models.
pub fn own_words(words: &str) -> String {
    let mut words = words.to_ascii_lowercase();
    words.truncate(words.find(ADDED).unwrap_or(words.len()));
    words
}

/// Whether a refusal with this status and these words is about a model that is not there.
pub fn is_unknown(status: u16, words: &str) -> bool {
    let words = own_words(words);
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    match status {
        404 => says(UNKNOWN) || (words.contains("model") && says(NOT_FOUND)),
        400 | 422 => says(UNKNOWN),
        _ => false,
    }
}

/// The model of `listed` whose name has most in common with `name`, at its two ends: the family
/// stands at the start of a name, its size at the end, and what changes between them. `None` where
/// no family is the same.
pub fn nearest<'a>(listed: &'a [Model], name: &str) -> Option<&'a str> {
    let family = name.split_inclusive(['-', '.', ':']).next()?;
    let common = |id: &str| {
        let same = |(one, other): &(u8, u8)| one == other;
        let start = id.bytes().zip(name.bytes()).take_while(same).count();
        let end = id.bytes().rev().zip(name.bytes().rev());
        start + end.take_while(same).count()
    };
    let others = listed.iter().map(|model| model.id.as_str());
    let others = others.filter(|id| *id != name && id.starts_with(family));
    // Of equals the first is taken: lists begin with what is newest.
    others.rev().max_by_key(|id| common(id))
}

/// How many names an error tells.
const OFFER_MAX: usize = 8;

/// What a service said, and the models that it has.
pub fn with_offer(detail: &str, listed: &[Model]) -> String {
    let ids = listed.iter().map(|model| model.id.as_str());
    let names: Vec<&str> = ids.take(OFFER_MAX).collect();
    let more = match listed.len() > OFFER_MAX {
        true => ", and more: `sx models`",
        false => "",
    };
    let offer = format!("{detail}; it offers {}{more}", names.join(", "));
    refusal::bounded(&offer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_not_there_is_told_from_other_refusals() {
        for (status, words, expected) in [
            (
                404,
                "The model `gpt-x` does not exist or you do not have access to it.",
                true,
            ),
            (404, "status 404: model: claude-x", true),
            (404, "model 'x' not found, try pulling it first", true),
            (404, "models/x is not found for API version v1beta", true),
            (400, "The 'x' model is not supported when using Codex", true),
            (400, "x is not a valid model ID", true),
            (404, "no such path", false),
            (
                404,
                "Hosted_vllmException - Not Found LiteLLM: model group 'x' failed with the error",
                false,
            ),
            (
                404,
                "model 'x' not found LiteLLM: model group 'x' failed with the error above.",
                true,
            ),
            (400, "'temperature' is not supported with this model", false),
            (500, "model not found", false),
        ] {
            assert_eq!(is_unknown(status, words), expected, "{words}");
        }
    }

    #[test]
    fn the_nearest_is_of_the_same_family_and_size() {
        let list = |names: &[&str]| -> Vec<Model> {
            let model = |id: &&str| Model {
                id: id.to_string(),
                ..Model::default()
            };
            names.iter().map(model).collect()
        };
        for (names, name, expected) in [
            (
                &["gpt-6", "gpt-6-codex", "gpt-6-mini"][..],
                "gpt-5.3-codex",
                Some("gpt-6-codex"),
            ),
            (
                &["claude-opus-6", "claude-haiku-6"],
                "claude-haiku-4-5",
                Some("claude-haiku-6"),
            ),
            (
                &["gemini-4-pro", "gemini-4-flash"],
                "gemini-3.8-flash",
                Some("gemini-4-flash"),
            ),
            (&["claude-7", "claude-6"], "claude-5", Some("claude-7")),
            (&["gpt-5", "llama"], "claude-5", None),
            (&["claude-5"], "claude-5", None),
            (&[], "claude-5", None),
        ] {
            assert_eq!(nearest(&list(names), name), expected, "{name}");
        }
        let many: Vec<String> = (0..9).map(|number| number.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(
            with_offer("no", &list(&many)),
            "no; it offers 0, 1, 2, 3, 4, 5, 6, 7, and more: `sx models`"
        );
        assert_eq!(with_offer("no", &list(&["a"])), "no; it offers a");
    }

    #[test]
    fn the_persons_word_comes_before_the_table() {
        let table = [("", "big"), ("opus", "big"), ("haiku", "small")];
        let aliases = Aliases::parse(" haiku = tiny , x=y,").unwrap();
        for (asked, expected) in [
            ("", "big"),
            ("opus", "big"),
            ("haiku", "tiny"),
            ("x", "y"),
            ("other", "other"),
        ] {
            assert_eq!(aliases.resolve(asked, &table), expected, "{asked}");
        }
        assert_eq!(Aliases::parse("a=b,c"), Err("c".to_string()));
        assert_eq!(Aliases::parse("=b"), Err("=b".to_string()));
        assert_eq!(Aliases::parse(""), Ok(Aliases::default()));
    }

    #[test]
    fn a_list_is_read_in_the_shapes_that_services_send() {
        #[track_caller]
        fn check(body: &str, expected: &[(&str, Option<u64>, Option<u64>)]) {
            let models = of_list(body.as_bytes()).unwrap();
            let found = models
                .iter()
                .map(|model| (model.id.as_str(), model.window, model.output_max));
            assert_eq!(found.collect::<Vec<_>>(), expected, "{body}");
        }
        check(
            r#"{"object":"list","data":[{"id":"a","max_model_len":32768},{"id":""},{"x":1}]}"#,
            &[("a", Some(32_768), None)],
        );
        check(
            r#"{"models":[{"slug":"b","context_window":272000},{"name":"models/c",
                "inputTokenLimit":1000,"outputTokenLimit":10}]}"#,
            &[("b", Some(272_000), None), ("c", Some(1_000), Some(10))],
        );
        check(
            r#"[{"id":"d","meta":{"n_ctx_train":4096}},"e"]"#,
            &[("d", Some(4_096), None), ("e", None, None)],
        );
        assert!(of_list(b"<html>").is_err());
        assert!(of_list(b"{}").is_err());
    }
}
