//! How local servers tell how much fits into a model, each in a place of its own.
//!
//! Their lists name what a model was made for, which may be many times what the server has room
//! for; what it was started with stands elsewhere. llama.cpp: `/props`. Ollama: `/api/ps` for a
//! model that is loaded, else `/api/show`. vLLM and hosted services say it in the list itself.

use serde_json::Value;
use serde_json::json;

/// A server that has more to tell than its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// llama.cpp's `llama-server`.
    LlamaCpp,
    /// Ollama.
    Ollama,
}

impl Kind {
    /// Who made this list of models, as far as it matters.
    pub fn of_list(body: &[u8]) -> Option<Kind> {
        let list: Value = serde_json::from_slice(body).ok()?;
        match list["data"][0]["owned_by"].as_str()? {
            "llamacpp" => Some(Kind::LlamaCpp),
            "library" => Some(Kind::Ollama),
            _ => None,
        }
    }
}

/// The window that llama.cpp's `/props` names.
pub fn of_props(body: &[u8]) -> Option<u64> {
    let props: Value = serde_json::from_slice(body).ok()?;
    let own = props["default_generation_settings"]["n_ctx"].as_u64();
    own.or(props["n_ctx"].as_u64()).filter(|tokens| *tokens > 0)
}

/// What Ollama's `/api/show` wants to know.
pub fn show_body(model: &str) -> Vec<u8> {
    json!({ "model": model }).to_string().into_bytes()
}

/// The window that `/api/show` names: the one that the model's file sets, else the largest that
/// the model can have.
pub fn of_show(body: &[u8]) -> Option<u64> {
    let shown: Value = serde_json::from_slice(body).ok()?;
    let parameters = shown["parameters"].as_str().unwrap_or_default().lines();
    let mut set = parameters.rev().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("num_ctx")).then(|| words.next()?.parse().ok())?
    });
    let info = shown["model_info"].as_object().into_iter().flatten();
    let mut largest = info.filter(|(name, _)| name.ends_with(".context_length"));
    let largest = largest.find_map(|(_, tokens)| tokens.as_u64());
    set.next().or(largest).filter(|tokens| *tokens > 0)
}

/// The window with which Ollama has `model` loaded, by `/api/ps`.
pub fn of_running(body: &[u8], model: &str) -> Option<u64> {
    let running: Value = serde_json::from_slice(body).ok()?;
    let mut models = running["models"].as_array()?.iter();
    let is_it = |entry: &&Value| {
        let names = ["name", "model"].into_iter();
        let mut names = names.filter_map(|field| entry[field].as_str());
        names.any(|name| name == model || name.strip_suffix(":latest") == Some(model))
    };
    let tokens = models.find(is_it)?["context_length"].as_u64();
    tokens.filter(|tokens| *tokens > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_say_who_made_them() {
        for (body, expected) in [
            (
                r#"{"data":[{"id":"m","owned_by":"llamacpp"}]}"#,
                Some(Kind::LlamaCpp),
            ),
            (
                r#"{"data":[{"id":"m","owned_by":"library"}]}"#,
                Some(Kind::Ollama),
            ),
            (r#"{"data":[{"id":"m","owned_by":"vllm"}]}"#, None),
            (r#"{"data":[]}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(Kind::of_list(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn windows_are_read_where_each_server_says_them() {
        let props = br#"{"default_generation_settings":{"id":0,"n_ctx":8192},"total_slots":1}"#;
        assert_eq!(of_props(props), Some(8_192));
        assert_eq!(of_props(br#"{"error":{"message":"disabled"}}"#), None);
        let show = |parameters: &str| {
            let shown = json!({"parameters": parameters,
                "model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40960}});
            of_show(shown.to_string().as_bytes())
        };
        assert_eq!(show("stop \"<|im_end|>\"\nnum_ctx    16384"), Some(16_384));
        assert_eq!(show("temperature 0.6"), Some(40_960));
        assert_eq!(of_show(b"{}"), None);
        let running = br#"{"models":[{"name":"a:latest","context_length":4096},
            {"model":"b:8b","context_length":0}]}"#;
        assert_eq!(of_running(running, "a"), Some(4_096));
        assert_eq!(of_running(running, "a:latest"), Some(4_096));
        assert_eq!(of_running(running, "b:8b"), None);
        assert_eq!(of_running(running, "c"), None);
        assert_eq!(show_body("a\"b"), br#"{"model":"a\"b"}"#);
    }
}
