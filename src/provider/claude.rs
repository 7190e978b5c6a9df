//! What the members for Anthropic's models have in common: the models, the paths, the headers, what
//! an answer says beside its status.
//!
//! They differ in what they are called and in who pays, which is a [`Door`]. The body is
//! `wire/messages`.

use crate::auth;
use crate::auth::identity::Identity;
use crate::base::secret::Secret;
use crate::chat::delta::Limit;
use crate::http::exchange;
use crate::http::head::Headers;
use crate::http::head::ResponseHead;
use crate::http::url::Url;
use crate::provider::Decoder;
use crate::provider::Error;
use crate::provider::Provider;
use crate::provider::Request;
use crate::provider::complaint::Complaint;
use crate::provider::complaint::Parameter;
use crate::provider::lessons::Change;
use crate::provider::lessons::Memory;
use crate::provider::models;
use crate::provider::models::Aliases;
use crate::provider::models::Model;
use crate::provider::refusal;
use crate::provider::transport;
use crate::provider::wire::messages::decode;
use crate::provider::wire::messages::encode::Encoder;
use crate::provider::wire::messages::request;
use crate::provider::wire::messages::thinking::Off;
use crate::provider::wire::messages::thinking::Style;
use std::marker::PhantomData;

/// The version of the wire.
const VERSION: &str = "2023-06-01";

/// The vendor's own host. Others may stand in for it, and need not know what is new there.
const VENDOR_HOST: &str = "api.anthropic.com";

/// Lets a request say what becomes of thoughts that no longer fit.
const BINDING_BETA: &str = "thinking-binding-controls-2026-08-01";

/// Words that every member understands, and what they mean here. An empty one is the default.
const ALIASES: &[(&str, &str)] = &[
    ("", "claude-sonnet-5-5"),
    ("opus", "claude-opus-5-5"),
    ("sonnet", "claude-sonnet-5-5"),
    ("haiku", "claude-haiku-5-5"),
];

/// What is known of a family of models.
struct Row {
    /// The beginning of their names.
    start: &'static str,
    /// Tokens that fit into their windows; 0 where that is not known.
    window: u64,
    /// Tokens that an answer can have.
    output_max: u64,
    style: Style,
    /// Whether the service holds their answers to a schema.
    has_schema: bool,
    /// Whether their thoughts are bound to what came before them.
    is_bound: bool,
}

impl Row {
    const fn new(start: &'static str, window: u64, output_max: u64, style: Style) -> Row {
        Row {
            start,
            window,
            output_max,
            style,
            has_schema: true,
            is_bound: false,
        }
    }

    const fn bound(self) -> Row {
        Row {
            is_bound: true,
            ..self
        }
    }

    const fn without_schema(self) -> Row {
        Row {
            has_schema: false,
            ..self
        }
    }
}

const fn effort(off: Off) -> Style {
    Style::Effort {
        off,
        has_xhigh: true,
    }
}

/// The first that knew an effort did not know all of its words.
const FIRST_EFFORT: Style = Style::Effort {
    off: Off::Unsaid,
    has_xhigh: false,
};

/// The models, as the vendor's pages had them in autumn 2026. The first row that fits counts, so
/// the longer of two beginnings stands first.
const ROWS: &[Row] = &[
    Row::new("claude-opus-5-5", 1_000_000, 128_000, effort(Off::Never)).bound(),
    Row::new("claude-opus-5", 1_000_000, 128_000, effort(Off::Said)),
    Row::new("claude-opus-4-8", 1_000_000, 128_000, effort(Off::Unsaid)),
    Row::new("claude-opus-4-7", 1_000_000, 128_000, effort(Off::Unsaid)),
    Row::new("claude-opus-4-6", 1_000_000, 128_000, FIRST_EFFORT),
    Row::new("claude-opus-4-5", 200_000, 64_000, Style::Budget),
    Row::new("claude-opus-4", 200_000, 32_000, Style::Budget).without_schema(),
    Row::new(
        "claude-sonnet-5-5",
        1_000_000,
        128_000,
        effort(Off::BetweenTools),
    )
    .bound(),
    Row::new("claude-sonnet-5", 1_000_000, 128_000, effort(Off::Said)),
    Row::new("claude-sonnet-4-6", 1_000_000, 64_000, FIRST_EFFORT),
    Row::new("claude-sonnet-4-5", 200_000, 64_000, Style::Budget),
    Row::new("claude-sonnet-4", 200_000, 64_000, Style::Budget).without_schema(),
    Row::new("claude-haiku-5-5", 1_000_000, 128_000, effort(Off::Said)).bound(),
    Row::new("claude-haiku-4-5", 200_000, 64_000, Style::Budget),
    Row::new("claude-3-7", 200_000, 64_000, Style::Budget).without_schema(),
    Row::new("claude-3-5", 200_000, 8_192, Style::None).without_schema(),
    Row::new("claude-3", 200_000, 4_096, Style::None).without_schema(),
    Row::new("claude-fable-5-", 1_000_000, 128_000, effort(Off::Never)).bound(),
    Row::new("claude-mythos-5-", 1_000_000, 128_000, effort(Off::Never)).bound(),
    // Those to come are most likely like the newest.
    Row::new("claude-", 1_000_000, 128_000, effort(Off::Never)),
    // Other vendors' models behind the same wire.
    Row::new("", 0, 16_384, Style::Budget).without_schema(),
];

/// The row of a model. Gateways put words before its name, and write dots for dashes.
fn row(model: &str) -> &'static Row {
    let name = model.find("claude-").map_or(model, |at| &model[at..]);
    let name = name.replace('.', "-");
    let found = ROWS.iter().find(|row| name.starts_with(row.start));
    found.unwrap_or(&ROWS[ROWS.len() - 1])
}

/// One way into the service: a member's name, and who pays there.
pub trait Door {
    /// The member's name.
    const NAME: &'static str;
    /// The setting that names the address.
    const ADDRESS_KEY: &'static str;
    /// What a person can do where the credential is refused.
    const LOGIN_HINT: &'static str;
    /// What the service wants to hear of its own rules for this way.
    const BETA: Option<&'static str>;

    /// The header that carries the credential.
    fn credential(secret: &Secret) -> (&'static str, String);

    /// Adds what this way has to say to a refusal.
    fn explain(error: Error) -> Error;
}

/// What a member needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the service is, with `/v1` at its end or without.
    pub base_url: Url,
    /// Who we say we are.
    pub identity: Identity,
    /// MODEL_ALIASES.
    pub aliases: Aliases,
}

/// A member.
#[derive(Debug)]
pub struct Claude<D> {
    options: Options,
    encoder: Encoder,
    limits: Vec<Limit>,
    /// What the service did not take.
    memory: Memory,
    door: PhantomData<D>,
}

impl<D: Door> Claude<D> {
    /// Nothing was asked yet.
    pub fn new(options: Options) -> Claude<D> {
        Claude {
            options: Options {
                base_url: without_version(&options.base_url),
                ..options
            },
            encoder: Encoder::new(D::NAME),
            limits: Vec::new(),
            memory: Memory::default(),
            door: PhantomData,
        }
    }

    /// Whether thoughts that no longer fit are to be left out instead of refused.
    fn drops_unbound(&self, row: &Row) -> bool {
        row.is_bound && self.options.base_url.host == VENDOR_HOST
    }

    /// `request` with who pays for it and who sends it.
    fn signed(
        &self,
        mut request: exchange::Request,
        token: Option<&auth::Token>,
        beta: Option<&str>,
    ) -> Result<exchange::Request, Error> {
        if let Some(token) = token {
            transport::check(&self.options.base_url, D::ADDRESS_KEY)?;
            let (name, value) = D::credential(&token.access);
            request = request.header(name, value);
        }
        request = request.header("anthropic-version", VERSION);
        let betas: Vec<&str> = D::BETA.into_iter().chain(beta).collect();
        if !betas.is_empty() {
            request = request.header("anthropic-beta", betas.join(","));
        }
        Ok(request.header("user-agent", self.options.identity.user_agent()))
    }
}

impl<D: Door> Provider for Claude<D> {
    fn name(&self) -> &'static str {
        D::NAME
    }

    fn model<'a>(&'a self, asked: &'a str) -> &'a str {
        self.options.aliases.resolve(asked, ALIASES)
    }

    fn window(&self, model: &str) -> u64 {
        row(self.model(model)).window
    }

    fn has_search(&self, _model: &str) -> bool {
        true
    }

    fn encode(
        &mut self,
        request: &Request<'_>,
        token: Option<&auth::Token>,
    ) -> Result<exchange::Request, Error> {
        let name = self.model(request.model).to_string();
        let row = row(&name);
        let drops_unbound = self.drops_unbound(row);
        let lessons = self.memory.recall(&name, request.history.len());
        let style = match lessons.takes(Parameter::Effort) {
            true => row.style,
            false => Style::None,
        };
        let model = request::Model {
            name: &name,
            output_max: row.output_max,
            style,
            has_schema: row.has_schema,
            drops_unbound,
        };
        let wanted = request.output_max.unwrap_or(row.output_max);
        let request = &Request {
            output_max: lessons.output_max(Some(wanted)),
            ..*request
        };
        let body = self.encoder.encode(&model, request)?;
        let url = self.options.base_url.join("/v1/messages");
        let beta = drops_unbound.then_some(BINDING_BETA);
        let sent = self.signed(exchange::Request::post(url, body), token, beta)?;
        Ok(sent
            .header("accept", "text/event-stream")
            .header("content-type", "application/json"))
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(decode::Decoder::new(D::NAME))
    }

    fn heard(&mut self, head: &ResponseHead) {
        let limits: Vec<Limit> = [("5h", 5 * 3_600), ("7d", 7 * 86_400)]
            .into_iter()
            .filter_map(|(window, window_s)| limit(&head.headers, window, window_s))
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
        D::LOGIN_HINT
    }

    fn endpoint(&self) -> &Url {
        &self.options.base_url
    }

    fn address_key(&self) -> &'static str {
        D::ADDRESS_KEY
    }

    fn begin_turn(&mut self) {}

    fn models_request(&self, token: Option<&auth::Token>) -> Result<exchange::Request, Error> {
        let url = self.options.base_url.join("/v1/models?limit=1000");
        let request = exchange::Request::get(url).header("accept", "application/json");
        self.signed(request, token, None)
    }

    fn models(&self, body: &[u8]) -> Result<Vec<Model>, Error> {
        models::of_list(body)
    }

    fn classify(&self, status: u16, headers: &Headers, body: &[u8]) -> Error {
        let error = refusal::of_answer(status, headers, body);
        let unified = |name: &str| headers.first(&format!("anthropic-ratelimit-unified-{name}"));
        let is_spent = status == 429 && unified("status") == Some("rejected");
        D::explain(match error {
            // A subscription's allowance comes back in hours, which is no wait for a retry.
            Error::Retry { detail, .. } if is_spent => Error::Quota {
                resets_at: unified("reset").and_then(|text| text.parse().ok()),
                detail,
            },
            error => error,
        })
    }

    fn adapt(&mut self, model: &str, complaint: &Complaint) -> Option<Change> {
        let model = self.model(model).to_string();
        let parameters = [Parameter::MaxTokens, Parameter::Effort];
        self.memory.learn(&model, &parameters, complaint)
    }
}

/// The address without the version of the wire, which some settings have at their end; people copy
/// whole endpoints, too.
fn without_version(url: &Url) -> Url {
    let target = url.target.trim_end_matches('/');
    let target = target.strip_suffix("/messages").unwrap_or(target);
    let target = target.strip_suffix("/v1").unwrap_or(target);
    let target = if target.is_empty() { "/" } else { target };
    Url {
        target: target.to_string(),
        ..url.clone()
    }
}

/// One window of a subscription's allowance, if the answer says anything of it.
fn limit(headers: &Headers, window: &str, window_s: u64) -> Option<Limit> {
    let field = |name: &str| headers.first(&format!("anthropic-ratelimit-unified-{window}-{name}"));
    let used = field("utilization")?.parse::<f64>().ok();
    let used = used.filter(|used| used.is_finite() && *used >= 0.0)?;
    let resets_at = field("reset").and_then(|text| text.parse().ok());
    Some(Limit {
        window_s,
        used_percent: used * 100.0,
        resets_at: resets_at.unwrap_or(0),
    })
}

#[cfg(test)]
mod tests;
