//! openai: OpenAI's own service, and every server that speaks one of its wires.
//!
//! Here are its address, its key and its headers, and which wire it takes; `servers` knows what
//! the others want differently, `windows` how to learn how much fits into a model. The bodies are
//! `wire/responses` and `wire/completions`. A key is optional: a server of one's own needs none.

pub mod servers;
pub mod windows;

use crate::auth;
use crate::auth::identity::Identity;
use crate::chat::delta::Limit;
use crate::http::exchange;
use crate::http::head::Headers;
use crate::http::head::ResponseHead;
use crate::http::url::Url;
use crate::provider::Capabilities;
use crate::provider::Decoder;
use crate::provider::Error;
use crate::provider::Provider;
use crate::provider::Remark;
use crate::provider::Request;
use crate::provider::complaint::Complaint;
use crate::provider::lessons::Change;
use crate::provider::lessons::Memory;
use crate::provider::models;
use crate::provider::models::Aliases;
use crate::provider::models::Model;
use crate::provider::refusal;
use crate::provider::transport;
use crate::provider::wire::completions;
use crate::provider::wire::responses;
use std::collections::VecDeque;

/// The provider's name.
const NAME: &str = "openai";

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

/// Words that every member understands, and what they mean at OpenAI. An empty one is the default.
/// Both wires have these models.
const ALIASES: &[(&str, &str)] = &[
    ("", "gpt-5.2"),
    ("opus", "gpt-5.2"),
    ("sonnet", "gpt-5.2"),
    ("haiku", "gpt-5-mini"),
];

/// Beginnings of model names and the tokens that fit into their windows. The first row that fits
/// counts, so the longer of two beginnings stands first.
const WINDOWS: &[(&str, u64)] = &[
    ("gpt-6", 272_000),
    ("gpt-5", 272_000),
    ("gpt-4.1", 1_047_576),
    ("gpt-4o", 128_000),
    ("gpt-4-turbo", 128_000),
    ("o1", 200_000),
    ("o3", 200_000),
    ("o4", 200_000),
    ("deepseek-chat", 128_000),
    ("deepseek-reasoner", 128_000),
];

/// What of a list is no model to talk to.
const SILENT: &[&str] = &["embed", "rerank", "whisper", "tts", "moderation", "image"];

/// A wire that the member can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// `/v1/responses`.
    Responses,
    /// `/v1/chat/completions`.
    Completions,
}

impl Wire {
    /// What OPENAI_WIRE says of a service at `base_url`; `None` for a word that it doesn't know.
    pub fn of_setting(word: &str, base_url: &Url) -> Option<Wire> {
        match word {
            "responses" => Some(Wire::Responses),
            "completions" => Some(Wire::Completions),
            "auto" | "" if servers::is_openai(base_url) => Some(Wire::Responses),
            "auto" | "" => Some(Wire::Completions),
            _ => None,
        }
    }
}

/// What the member needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// OPENAI_BASE_URL, with or without `/v1`.
    pub base_url: Url,
    /// OPENAI_WIRE.
    pub wire: Wire,
    /// Who we say we are.
    pub identity: Identity,
    /// MODEL_ALIASES.
    pub aliases: Aliases,
}

/// The member.
#[derive(Debug)]
pub struct OpenAi {
    name: &'static str,
    address_key: &'static str,
    options: Options,
    responses: responses::encode::Encoder,
    completions: completions::encode::Encoder,
    /// What the service said of its models.
    models: Vec<Model>,
    /// Windows that the service named, by model. They count more than its list does.
    windows: Vec<(String, u64)>,
    /// What the service did not take.
    memory: Memory,
    /// What is left to ask.
    questions: VecDeque<Question>,
    /// What was asked and not answered.
    asked: Option<Question>,
}

/// Something to ask before the first request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Question {
    /// The list of models.
    Models,
    /// What llama.cpp was started with.
    Props,
    /// What Ollama knows of the model.
    Show,
    /// What Ollama has loaded.
    Running,
}

impl OpenAi {
    /// Nothing was asked yet.
    pub fn new(options: Options) -> OpenAi {
        OpenAi::named(NAME, "OPENAI_BASE_URL", options)
    }

    /// The same under another member's name, whose address is the setting `address_key`.
    pub fn named(name: &'static str, address_key: &'static str, options: Options) -> OpenAi {
        // OpenAI's own names and windows are known.
        let is_known = servers::is_openai(&options.base_url);
        let questions = (!is_known).then_some(Question::Models);
        OpenAi {
            name,
            address_key,
            responses: responses::encode::Encoder::new(name),
            completions: completions::encode::Encoder::new(name).at(&options.base_url.host),
            options,
            models: Vec::new(),
            windows: Vec::new(),
            memory: Memory::default(),
            questions: questions.into_iter().collect(),
            asked: None,
        }
    }

    /// Speaks another wire from now on.
    pub fn speak(&mut self, wire: Wire) {
        self.options.wire = wire;
    }

    /// `request` with who pays for it and who sends it.
    fn signed(
        &self,
        mut request: exchange::Request,
        token: Option<&auth::Token>,
    ) -> Result<exchange::Request, Error> {
        if let Some(token) = token {
            transport::check(&self.options.base_url, self.address_key)?;
            let key = token.access.expose();
            // Azure wants its keys in a field of their own; what its login gives is a JWT.
            request = match servers::is_azure(&self.options.base_url) && !key.starts_with("eyJ") {
                true => request.header("api-key", key),
                false => request.header("authorization", format!("Bearer {key}")),
            };
        }
        Ok(request.header("user-agent", self.options.identity.user_agent()))
    }

    fn get(&self, url: Url, token: Option<&auth::Token>) -> Result<exchange::Request, Error> {
        let request = exchange::Request::get(url).header("accept", "application/json");
        self.signed(request, token)
    }

    /// The model that `alias` means at a server whose names we don't know: one of its list that
    /// has the alias in its name, else the first that talks.
    fn listed(&self, alias: &str) -> Option<&str> {
        let talks = |id: &&str| {
            !SILENT
                .iter()
                .any(|word| id.to_ascii_lowercase().contains(word))
        };
        let ids = self.models.iter().map(|model| model.id.as_str());
        let mut ids = ids.filter(talks).peekable();
        let first = ids.peek().copied();
        ids.find(|id| !alias.is_empty() && id.contains(alias))
            .or(first)
    }

    fn learn_list(&mut self, body: &[u8]) {
        self.models = models::of_list(body).unwrap_or_default();
        match windows::Kind::of_list(body) {
            Some(windows::Kind::LlamaCpp) => self.questions.push_back(Question::Props),
            Some(windows::Kind::Ollama) => {
                self.questions.extend([Question::Show, Question::Running]);
            }
            None => {}
        }
    }
}

impl Provider for OpenAi {
    fn name(&self) -> &'static str {
        self.name
    }

    fn model<'a>(&'a self, asked: &'a str) -> &'a str {
        if servers::is_openai(&self.options.base_url) {
            return self.options.aliases.resolve(asked, ALIASES);
        }
        let own = self.options.aliases.resolve(asked, &[]);
        let is_alias = own == asked && ALIASES.iter().any(|(alias, _)| *alias == asked);
        match self.listed(asked) {
            Some(listed) if is_alias => listed,
            _ => own,
        }
    }

    fn window(&self, model: &str) -> u64 {
        let model = self.model(model);
        let learned = self.windows.iter().rfind(|(name, _)| name == model);
        let listed = self.models.iter().find(|listed| listed.id == model);
        // A gateway may put the maker before the name.
        let name = model.rsplit('/').next().unwrap_or(model);
        let row = WINDOWS.iter().find(|(start, _)| name.starts_with(start));
        learned
            .map(|(_, tokens)| *tokens)
            .or_else(|| listed?.window)
            .or(row.map(|(_, tokens)| *tokens))
            .unwrap_or(0)
    }

    fn has_search(&self, _model: &str) -> bool {
        self.options.wire == Wire::Responses
    }

    fn encode(
        &mut self,
        request: &Request<'_>,
        token: Option<&auth::Token>,
    ) -> Result<exchange::Request, Error> {
        let model = self.model(request.model).to_string();
        if model.is_empty() {
            return Err(Error::Settings {
                detail: "no model is named, and the server did not say which it has: set MODEL"
                    .to_string(),
            });
        }
        let lessons = self.memory.recall(&model, request.history.len());
        let base = &self.options.base_url;
        let (path, body) = match self.options.wire {
            Wire::Responses => {
                let dialect = servers::responses(base, &model).after(lessons);
                let body = self.responses.encode_for(&model, request, &dialect)?;
                ("/responses", body)
            }
            Wire::Completions => {
                let dialect = servers::completions(base, &model).after(lessons);
                let body = self.completions.encode(&model, request, &dialect)?;
                ("/chat/completions", body)
            }
        };
        let url = servers::endpoint(&self.options.base_url, path);
        let sent = self.signed(exchange::Request::post(url, body), token)?;
        Ok(sent
            .header("accept", "text/event-stream")
            .header("content-type", "application/json"))
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        match self.options.wire {
            Wire::Responses => Box::new(responses::decode::Decoder::new(self.name)),
            Wire::Completions => {
                let host = &self.options.base_url.host;
                Box::new(completions::decode::Decoder::new(self.name).at(host))
            }
        }
    }

    fn heard(&mut self, _head: &ResponseHead) {}

    fn limits(&self) -> &[Limit] {
        &[]
    }

    fn login_hint(&self) -> &'static str {
        "set OPENAI_API_KEY to a key that this service knows"
    }

    fn endpoint(&self) -> &Url {
        &self.options.base_url
    }

    fn address_key(&self) -> &'static str {
        self.address_key
    }

    fn begin_turn(&mut self) {}

    fn models_request(&self, token: Option<&auth::Token>) -> Result<exchange::Request, Error> {
        self.get(servers::endpoint(&self.options.base_url, "/models"), token)
    }

    fn models(&self, body: &[u8]) -> Result<Vec<Model>, Error> {
        models::of_list(body)
    }

    fn classify(&self, status: u16, headers: &Headers, body: &[u8]) -> Error {
        refusal::of_answer(status, headers, body)
    }

    fn question(
        &mut self,
        model: &str,
        token: Option<&auth::Token>,
    ) -> Result<Option<exchange::Request>, Error> {
        self.asked = self.questions.pop_front();
        let at_root = |path: &str| servers::at_root(&self.options.base_url, path);
        let Some(question) = &self.asked else {
            return Ok(None);
        };
        let request = match question {
            Question::Models => self.models_request(token)?,
            Question::Props => self.get(at_root("/props"), token)?,
            Question::Running => self.get(at_root("/api/ps"), token)?,
            Question::Show => {
                let body = windows::show_body(self.model(model));
                let request = exchange::Request::post(at_root("/api/show"), body);
                self.signed(request.header("content-type", "application/json"), token)?
            }
        };
        Ok(Some(request))
    }

    fn answered(&mut self, model: &str, status: u16, body: &[u8]) -> Option<Remark> {
        let question = self.asked.take().filter(|_| status == 200)?;
        let model = self.model(model).to_string();
        let window = match question {
            Question::Models => {
                self.learn_list(body);
                return None;
            }
            Question::Props => windows::of_props(body),
            Question::Show => windows::of_show(body),
            Question::Running => windows::of_running(body, &model),
        };
        if let Some(window) = window {
            self.learn_window(&model, window);
        }
        None
    }

    fn adapt(&mut self, model: &str, complaint: &Complaint) -> Option<Change> {
        let model = self.model(model).to_string();
        let parameters = match self.options.wire {
            Wire::Responses => responses::encode::PARAMETERS,
            Wire::Completions => completions::dialect::PARAMETERS,
        };
        self.memory.learn(&model, parameters, complaint)
    }

    fn learn_window(&mut self, model: &str, tokens: u64) {
        let model = self.model(model).to_string();
        self.windows.retain(|(name, _)| *name != model);
        self.windows.push((model, tokens));
    }
}

#[cfg(test)]
mod tests;
