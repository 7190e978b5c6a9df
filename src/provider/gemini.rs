//! gemini: Google's model service, over the generateContent wire, with a key.
//!
//! Here are its endpoint, its header, its models and how each is told to think. The body is
//! `wire/generate`. The service caches a repeated prefix by itself and says how much of it was.

use crate::auth;
use crate::auth::identity::Identity;
use crate::chat::delta::Limit;
use crate::http::exchange;
use crate::http::head::Headers;
use crate::http::head::ResponseHead;
use crate::http::url::Url;
use crate::provider::Capabilities;
use crate::provider::Decoder;
use crate::provider::Effort;
use crate::provider::Error;
use crate::provider::Provider;
use crate::provider::Request;
use crate::provider::models;
use crate::provider::models::Aliases;
use crate::provider::models::Model;
use crate::provider::transport;
use crate::provider::wire::generate::decode;
use crate::provider::wire::generate::encode::Encoder;
use crate::provider::wire::generate::head::Thinks;
use crate::provider::wire::generate::refusal;
use serde_json::Value;
use std::fmt::Write;

/// The provider's name.
const NAME: &str = "gemini";

/// Its row of the feature table.
pub const CAPABILITIES: Capabilities = Capabilities {
    provider: NAME,
    streaming: true,
    thinking: true,
    tools: true,
    functions: true,
    vision: true,
    refresh: false,
    caching: true,
    search: true,
};

/// Words that every member understands, and what they mean here. An empty one is the default.
const ALIASES: &[(&str, &str)] = &[
    ("", "gemini-3.8-flash"),
    ("opus", "gemini-3.1-pro-preview"),
    ("sonnet", "gemini-3.8-flash"),
    ("haiku", "gemini-3.5-flash-lite"),
];

/// What every model of this vendor's has had since its window was last made larger.
const WINDOW: u64 = 1_048_576;

/// Levels of the models that think at least a little.
const FROM_LOW: Thinks = Thinks::Level(&[Effort::Low, Effort::Medium, Effort::High]);

/// Levels of the models that hardly need to.
const FROM_MINIMAL: Thinks =
    Thinks::Level(&[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High]);

/// Beginnings of model names and how those models are told to think. The first row that fits
/// counts, so the longer of two beginnings stands first. A level that a model does not have is a
/// refused request; the vendor's documentation has them under "thinking levels".
const MODELS: &[(&str, Thinks)] = &[
    ("gemini-1", Thinks::Unsaid),
    ("gemini-2.0", Thinks::Unsaid),
    ("gemini-2.5-flash-lite", budget(512, 24_576, true)),
    ("gemini-2.5-flash", budget(1, 24_576, true)),
    ("gemini-2.5-pro", budget(128, 32_768, false)),
    ("gemini-3-pro", Thinks::Level(&[Effort::Low, Effort::High])),
    ("gemini-3-flash", FROM_MINIMAL),
    ("gemini-3.1-flash", FROM_MINIMAL),
    ("gemini-3.5-flash", FROM_MINIMAL),
    ("gemini-3.6-flash", FROM_MINIMAL),
    ("gemini-flash-lite-latest", FROM_MINIMAL),
    // Newer ones, and those whose name only says "latest".
    ("gemini-", FROM_LOW),
];

const fn budget(min: u64, max: u64, can_be_off: bool) -> Thinks {
    Thinks::Budget {
        min,
        max,
        can_be_off,
    }
}

/// What the member needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// GEMINI_BASE_URL; `/v1beta` and the rest are appended, unless it ends with a version itself.
    pub base_url: Url,
    /// Who we say we are.
    pub identity: Identity,
    /// MODEL_ALIASES.
    pub aliases: Aliases,
}

/// The member.
#[derive(Debug)]
pub struct Gemini {
    options: Options,
    encoder: Encoder,
}

impl Gemini {
    /// Nothing was asked yet.
    pub fn new(options: Options) -> Gemini {
        Gemini {
            options,
            encoder: Encoder::new(NAME),
        }
    }

    fn url(&self, tail: &str) -> Url {
        let base = &self.options.base_url;
        let path = base.target.split('?').next().unwrap_or_default();
        let path = path.trim_end_matches('/');
        // People copy the address of the list, too.
        let path = path.strip_suffix("/models").unwrap_or(path);
        let base = &Url {
            target: path.to_string(),
            ..base.clone()
        };
        if path.ends_with("/v1beta") || path.ends_with("/v1") {
            return base.join(tail);
        }
        base.join(&format!("/v1beta{tail}"))
    }

    /// `request` with who pays for it and who sends it.
    fn signed(
        &self,
        mut request: exchange::Request,
        token: Option<&auth::Token>,
    ) -> Result<exchange::Request, Error> {
        if let Some(token) = token {
            transport::check(&self.options.base_url, self.address_key())?;
            request = request.header("x-goog-api-key", token.access.expose());
        }
        Ok(request.header("user-agent", self.options.identity.user_agent()))
    }
}

impl Provider for Gemini {
    fn name(&self) -> &'static str {
        NAME
    }

    fn model<'a>(&'a self, asked: &'a str) -> &'a str {
        self.options.aliases.resolve(asked, ALIASES)
    }

    fn window(&self, model: &str) -> u64 {
        let is_ours = bare(self.model(model)).starts_with("gemini-");
        if is_ours { WINDOW } else { 0 }
    }

    fn has_search(&self, model: &str) -> bool {
        // Older models take their search or our tools, not both.
        matches!(thinks(self.model(model)), Thinks::Level(_))
    }

    fn encode(
        &mut self,
        request: &Request<'_>,
        token: Option<&auth::Token>,
    ) -> Result<exchange::Request, Error> {
        let model = self.model(request.model).to_string();
        let body = self.encoder.encode(thinks(&model), request)?;
        let tail = format!("/{}:streamGenerateContent?alt=sse", path(&model));
        let sent = self.signed(exchange::Request::post(self.url(&tail), body), token)?;
        Ok(sent
            .header("accept", "text/event-stream")
            .header("content-type", "application/json"))
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(decode::Decoder::new(NAME, self.encoder.messages()))
    }

    fn heard(&mut self, _head: &ResponseHead) {}

    fn limits(&self) -> &[Limit] {
        &[]
    }

    fn login_hint(&self) -> &'static str {
        "set GEMINI_API_KEY to a key that the service knows: https://aistudio.google.com/apikey"
    }

    fn endpoint(&self) -> &Url {
        &self.options.base_url
    }

    fn address_key(&self) -> &'static str {
        "GEMINI_BASE_URL"
    }

    fn begin_turn(&mut self) {}

    /// One page holds them all: there are some fifty, and it may have a thousand.
    fn models_request(&self, token: Option<&auth::Token>) -> Result<exchange::Request, Error> {
        let url = self.url("/models?pageSize=1000");
        let request = exchange::Request::get(url).header("accept", "application/json");
        self.signed(request, token)
    }

    /// The list without what cannot answer a conversation.
    fn models(&self, body: &[u8]) -> Result<Vec<Model>, Error> {
        let mut json: Value = serde_json::from_slice(body).unwrap_or_default();
        if let Some(list) = json["models"].as_array_mut() {
            list.retain(|model| {
                let methods = model["supportedGenerationMethods"].as_array();
                methods.is_none_or(|methods| methods.iter().any(|one| one == "generateContent"))
            });
        }
        models::of_list(json.to_string().as_bytes())
    }

    fn classify(&self, status: u16, headers: &Headers, body: &[u8]) -> Error {
        refusal::of_answer(status, headers, body)
    }
}

/// A model's name as people write it; the service lists it with the kind before it.
fn bare(model: &str) -> &str {
    model.strip_prefix("models/").unwrap_or(model)
}

fn thinks(model: &str) -> Thinks {
    let model = bare(model);
    let row = MODELS.iter().find(|(start, _)| model.starts_with(start));
    row.map_or(Thinks::Unsaid, |(_, thinks)| *thinks)
}

/// A model's path: under `models/` unless it says where it is, as a tuned one does.
fn path(model: &str) -> String {
    let mut path = String::new();
    if !model.contains('/') {
        path.push_str("models/");
    }
    // Such a name would be another place.
    let leaves = model.split('/').any(|part| matches!(part, "." | ".."));
    for byte in model.bytes() {
        match byte {
            b'/' if leaves => path.push_str("%2F"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                path.push(char::from(byte));
            }
            _ => {
                let written = write!(path, "%{byte:02X}");
                debug_assert!(written.is_ok(), "a string takes all text");
            }
        }
    }
    path
}

#[cfg(test)]
mod tests;
