//! codex: ChatGPT's own model service, over the Responses wire, with a ChatGPT login.
//!
//! Here are its endpoint, its headers, its models and what its answers say beside their status.
//! The body is `wire/responses`, the login `auth`; `workspace` asks how an account's requests are
//! to be routed. Requests say that they come from sx.

pub mod workspace;

pub mod usage;

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
use crate::provider::codex::workspace::Routing;
use crate::provider::complaint::Complaint;
use crate::provider::lessons::Change;
use crate::provider::lessons::Memory;
use crate::provider::models;
use crate::provider::models::Aliases;
use crate::provider::models::Model;
use crate::provider::refusal;
use crate::provider::transport;
use crate::provider::wire::responses::decode;
use crate::provider::wire::responses::encode::Dialect;
use crate::provider::wire::responses::encode::Encoder;
use crate::provider::wire::responses::encode::PARAMETERS;
use std::mem;

/// The provider's name.
const NAME: &str = "codex";

/// Its row of the feature table.
pub const CAPABILITIES: Capabilities = Capabilities {
    provider: NAME,
    streaming: true,
    thinking: true,
    tools: true,
    functions: true,
    vision: true,
    refresh: true,
    caching: true,
    search: true,
};

/// Words that every member understands, and what they mean here. An empty one is the default.
const ALIASES: &[(&str, &str)] = &[
    ("", "gpt-5.3-codex"),
    ("opus", "gpt-5.3-codex"),
    ("sonnet", "gpt-5.3-codex"),
    ("haiku", "gpt-5.1-codex-mini"),
];

/// What we know of a model.
struct Row {
    /// What its name begins with.
    start: &'static str,
    /// The tokens that fit into its window.
    window: u64,
    /// Whether it takes the lite shape.
    is_lite: bool,
}

const fn row(start: &'static str, window: u64, is_lite: bool) -> Row {
    Row {
        start,
        window,
        is_lite,
    }
}

/// The first row that fits counts, so the longer of two beginnings stands first. The lite shape
/// came with 5.6 and is that of every model since.
const MODELS: &[Row] = &[
    row("gpt-5.3-codex-spark", 128_000, false),
    row("gpt-5.6", 272_000, true),
    row("gpt-5.7", 272_000, true),
    row("gpt-5.8", 272_000, true),
    row("gpt-5.9", 272_000, true),
    row("gpt-5", 272_000, false),
    row("gpt-6.1-terra", 500_000, true),
    row("gpt-6", 272_000, true),
    row("gpt-daybreak-red", 372_000, true),
    row("gpt-daybreak", 272_000, true),
    row("codex-auto-review", 272_000, true),
];

/// The token that keeps the requests of one turn on one machine of the service's.
const TURN_STATE: &str = "x-codex-turn-state";

/// Says that the body has the lite shape.
const LITE: &str = "x-openai-internal-codex-responses-lite";

/// `CODEX_LITE`: whether requests have the lite shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lite {
    /// As the table of models says.
    #[default]
    Auto,
    /// No model's.
    Never,
    /// Every model's.
    Always,
}

impl Lite {
    /// The word of the setting: `0`, `1`, and anything else is `auto`.
    pub fn of_setting(word: &str) -> Lite {
        match word {
            "0" => Lite::Never,
            "1" => Lite::Always,
            _ => Lite::Auto,
        }
    }
}

/// What the member needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// CODEX_BASE_URL; `/responses` is appended.
    pub base_url: Url,
    /// Who we say we are.
    pub identity: Identity,
    /// MODEL_ALIASES.
    pub aliases: Aliases,
    /// CODEX_LITE.
    pub lite: Lite,
}

/// The member.
#[derive(Debug)]
pub struct Codex {
    options: Options,
    encoder: Encoder,
    /// What the service sent with the first answer of this turn, to be echoed until its end.
    turn_state: Option<String>,
    limits: Vec<Limit>,
    check: Check,
    /// How the account's requests are to be routed, once the service said so.
    routing: Option<Routing>,
    /// What the service did not take.
    memory: Memory,
}

/// How far the workspace check is; it is asked once.
#[derive(Debug, PartialEq, Eq)]
enum Check {
    Due,
    Asked { account_id: String },
    Done,
}

impl Codex {
    /// Nothing was asked yet.
    pub fn new(options: Options) -> Codex {
        Codex {
            options,
            encoder: Encoder::new(NAME),
            turn_state: None,
            limits: Vec::new(),
            check: Check::Due,
            routing: None,
            memory: Memory::default(),
        }
    }

    fn is_lite(&self, model: &str) -> bool {
        match self.options.lite {
            Lite::Auto => known(model).is_some_and(|row| row.is_lite),
            Lite::Never => false,
            Lite::Always => true,
        }
    }

    /// `request` with who pays for it and who sends it.
    fn signed(
        &self,
        mut request: exchange::Request,
        token: Option<&auth::Token>,
    ) -> Result<exchange::Request, Error> {
        if let Some(token) = token {
            transport::check(&self.options.base_url, self.address_key())?;
            let bearer = format!("Bearer {}", token.access.expose());
            request = request.header("authorization", bearer);
            if let Some(account_id) = &token.account_id {
                request = request.header("chatgpt-account-id", account_id);
            }
            if token.is_fedramp {
                request = request.header("x-openai-fedramp", "true");
            }
            if let Some(region) = self.routing.as_ref().and_then(|it| it.region_for(token)) {
                request = request.header(workspace::ROUTING, region);
            }
        }
        let identity = &self.options.identity;
        Ok(request
            .header("originator", identity.originator())
            .header("user-agent", identity.user_agent()))
    }
}

impl Provider for Codex {
    fn name(&self) -> &'static str {
        NAME
    }

    fn model<'a>(&'a self, asked: &'a str) -> &'a str {
        self.options.aliases.resolve(asked, ALIASES)
    }

    fn window(&self, model: &str) -> u64 {
        known(self.model(model)).map_or(0, |row| row.window)
    }

    fn has_search(&self, model: &str) -> bool {
        // A lite model's search is another tool, which its own client runs.
        !self.is_lite(self.model(model))
    }

    fn encode(
        &mut self,
        request: &Request<'_>,
        token: Option<&auth::Token>,
    ) -> Result<exchange::Request, Error> {
        let model = self.model(request.model).to_string();
        let is_lite = self.is_lite(&model);
        let dialect = match is_lite {
            true => Dialect::CODEX_LITE,
            false => Dialect::CODEX,
        };
        let dialect = dialect.after(self.memory.recall(&model, request.history.len()));
        let body = self.encoder.encode_for(&model, request, &dialect)?;
        let url = self.options.base_url.join("/responses");
        let mut sent = self.signed(exchange::Request::post(url, body), token)?;
        sent = sent
            .header("accept", "text/event-stream")
            .header("content-type", "application/json");
        if !request.session.is_empty() {
            // `session_id` is what older gateways know it by.
            for name in ["session-id", "thread-id", "session_id"] {
                sent = sent.header(name, request.session);
            }
        }
        if is_lite {
            sent = sent.header(LITE, "true");
        }
        if let Some(turn_state) = &self.turn_state {
            sent = sent.header(TURN_STATE, turn_state);
        }
        Ok(sent)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(decode::Decoder::new(NAME))
    }

    fn heard(&mut self, head: &ResponseHead) {
        if self.turn_state.is_none() {
            // One that could not be sent back would break the next request.
            let turn_state = head.headers.first(TURN_STATE);
            let turn_state = turn_state.filter(|state| !state.contains(char::is_control));
            self.turn_state = turn_state.map(str::to_string);
        }
        let limits: Vec<Limit> = ["primary", "secondary"]
            .into_iter()
            .filter_map(|window| limit(&head.headers, window))
            .collect();
        // An answer that says nothing of the allowance changes nothing about it.
        if !limits.is_empty() {
            self.limits = limits;
        }
    }

    fn limits(&self) -> &[Limit] {
        &self.limits
    }

    fn login_hint(&self) -> &'static str {
        "log in again: `sx login --force`, or `codex login` for the official client's file"
    }

    fn endpoint(&self) -> &Url {
        &self.options.base_url
    }

    fn address_key(&self) -> &'static str {
        "CODEX_BASE_URL"
    }

    fn begin_turn(&mut self) {
        self.turn_state = None;
    }

    fn question(
        &mut self,
        _model: &str,
        token: Option<&auth::Token>,
    ) -> Result<Option<exchange::Request>, Error> {
        // A key has no workspace.
        let Some(token) = token.filter(|token| token.account_id.is_some()) else {
            return Ok(None);
        };
        if self.check != Check::Due {
            return Ok(None);
        }
        self.check = Check::Asked {
            account_id: token.account_id.clone().unwrap_or_default(),
        };
        let url = workspace::url(&self.options.base_url);
        let request = exchange::Request::get(url).header("accept", "application/json");
        self.signed(request, Some(token)).map(Some)
    }

    fn answered(&mut self, _model: &str, status: u16, body: &[u8]) -> Option<Remark> {
        let Check::Asked { account_id } = mem::replace(&mut self.check, Check::Done) else {
            return None;
        };
        let routing = match workspace::read(&account_id, status, body) {
            Ok(routing) => routing,
            Err(why) => return Some(Remark::Note(why)),
        };
        let elsewhere = routing.elsewhere(&self.options.base_url);
        self.routing = Some(routing);
        elsewhere.map(Remark::Warning)
    }

    fn models_request(&self, token: Option<&auth::Token>) -> Result<exchange::Request, Error> {
        let version = concat!("/models?client_version=", env!("CARGO_PKG_VERSION"));
        let url = self.options.base_url.join(version);
        let request = exchange::Request::get(url).header("accept", "application/json");
        self.signed(request, token)
    }

    fn models(&self, body: &[u8]) -> Result<Vec<Model>, Error> {
        models::of_list(body)
    }

    fn classify(&self, status: u16, headers: &Headers, body: &[u8]) -> Error {
        refusal::of_answer(status, headers, body)
    }

    fn adapt(&mut self, model: &str, complaint: &Complaint) -> Option<Change> {
        let model = self.model(model).to_string();
        self.memory.learn(&model, PARAMETERS, complaint)
    }
}

fn known(model: &str) -> Option<&'static Row> {
    MODELS.iter().find(|row| model.starts_with(row.start))
}

/// One window of the account's allowance, if the answer says anything of it.
fn limit(headers: &Headers, window: &str) -> Option<Limit> {
    let field = |name: &str| headers.first(&format!("x-codex-{window}-{name}"));
    let used = field("used-percent").and_then(|text| text.parse::<f64>().ok());
    let used_percent = used.filter(|used| used.is_finite() && *used >= 0.0)?;
    let whole = |name| field(name).and_then(|text| text.parse::<u64>().ok());
    let window_s = whole("window-minutes").unwrap_or(0).saturating_mul(60);
    let resets_at = whole("reset-at").unwrap_or(0);
    let says_something = used_percent > 0.0 || window_s > 0 || resets_at > 0;
    says_something.then_some(Limit {
        window_s,
        used_percent,
        resets_at,
    })
}

#[cfg(test)]
mod tests;
