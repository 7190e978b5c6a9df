//! Names of models: what an alias stands for, and what a service tells of the models it has.

use crate::provider::Error;
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

#[cfg(test)]
mod tests {
    use super::*;

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
