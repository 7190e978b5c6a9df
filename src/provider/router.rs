//! router: a gateway on one's own network that needs no credential (PROVIDER=router or scorpiox).
//!
//! Nobody says which wire it speaks, so they are tried in order, each with the request itself: a
//! gateway that does not know the path answers 404, 405 or 501, or a page. The first one that
//! answers is kept for the session. The rest is `openai` and `claude` under another name.
//!
//! Not here: what to do without ROUTER_URL. On the default port anybody may listen, so whoever
//! builds the member looks at `DEFAULT_URL` first, names what answers, and asks the person before
//! a prompt is sent; without a terminal none is.

use crate::auth;
use crate::base::secret::Secret;
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
use crate::provider::claude;
use crate::provider::claude::Claude;
use crate::provider::claude::Door;
use crate::provider::complaint::Complaint;
use crate::provider::lessons::Change;
use crate::provider::models;
use crate::provider::models::Model;
use crate::provider::openai;
use crate::provider::openai::OpenAi;
use crate::provider::openai::Wire;
use crate::provider::refusal;
use std::mem;

/// The provider's name.
const NAME: &str = "router";

/// Its row of the feature table.
pub const CAPABILITIES: Capabilities = Capabilities {
    provider: NAME,
    refresh: false,
    search: false,
    ..openai::CAPABILITIES
};

/// Where a gateway is looked for that nobody named.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// The setting that names the address.
const ADDRESS_KEY: &str = "ROUTER_URL";

const LOGIN_HINT: &str =
    "this gateway wants a key: use PROVIDER=openai with OPENAI_BASE_URL and OPENAI_API_KEY";

/// The wires that are tried, in this order, and what each is called.
const WIRES: &[(Spoken, &str)] = &[
    (Spoken::OpenAi(Wire::Responses), "/v1/responses"),
    (Spoken::OpenAi(Wire::Completions), "/v1/chat/completions"),
    (Spoken::Messages, "/v1/messages"),
];

/// A wire, and with it which of the two services speaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    OpenAi(Wire),
    Messages,
}

/// What gateways say instead of 404 where they do not know a path. Lower case.
const UNKNOWN_PATH: &[&str] = &[
    "invalid url",
    "unrecognized request url",
    "unexpected endpoint",
    "unknown endpoint",
    "unsupported endpoint",
    "endpoint not supported",
    "no route",
    "route not found",
    "cannot post",
    "cannot get",
    "not implemented",
    "api is not supported",
];

/// What answers in the shape of another wire than ours was asked by, without its spaces.
const OTHER_SHAPE: &[&str] = &["\"object\":\"chat.completion", "\"type\":\"message\""];

/// What the member needs to know: the same as `openai`, with ROUTER_URL as the address.
pub type Options = openai::Options;

/// The member.
#[derive(Debug)]
pub struct Router {
    openai: OpenAi,
    messages: Claude<Gateway>,
    /// The row of `WIRES` that is spoken.
    position: usize,
    state: State,
    /// All of them failed for now: another try begins anew.
    is_spent: bool,
}

/// Nobody pays.
#[derive(Debug)]
struct Gateway;

impl Door for Gateway {
    // What this wire seals is not to be taken for what the other two seal.
    const NAME: &'static str = "router/messages";
    const ADDRESS_KEY: &'static str = ADDRESS_KEY;
    const LOGIN_HINT: &'static str = LOGIN_HINT;
    const BETA: Option<&'static str> = None;

    fn credential(secret: &Secret) -> (&'static str, String) {
        ("authorization", format!("Bearer {}", secret.expose()))
    }

    fn explain(error: Error) -> Error {
        error
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No wire has answered yet.
    Looking,
    /// This one has; it stays.
    Found,
}

impl Router {
    /// Nothing was tried yet. What `options` says of the wire does not count.
    pub fn new(options: Options) -> Router {
        let messages = Claude::new(claude::Options {
            base_url: options.base_url.clone(),
            identity: options.identity.clone(),
            aliases: options.aliases.clone(),
        });
        let mut router = Router {
            openai: OpenAi::named(NAME, ADDRESS_KEY, options),
            messages,
            position: 0,
            state: State::Looking,
            is_spent: false,
        };
        router.turn_to(0);
        router
    }

    fn turn_to(&mut self, position: usize) {
        self.position = position;
        if let Spoken::OpenAi(wire) = WIRES[position].0 {
            self.openai.speak(wire);
        }
    }

    fn is_last(&self) -> bool {
        self.position + 1 == WIRES.len()
    }

    fn spoken(&self) -> Spoken {
        WIRES[self.position].0
    }

    /// Who speaks the wire.
    fn speaker(&self) -> &dyn Provider {
        match self.spoken() {
            Spoken::OpenAi(_) => &self.openai,
            Spoken::Messages => &self.messages,
        }
    }

    fn speaker_mut(&mut self) -> &mut dyn Provider {
        match self.spoken() {
            Spoken::OpenAi(_) => &mut self.openai,
            Spoken::Messages => &mut self.messages,
        }
    }

    fn refused(&self, status: u16, refusal: &Error) -> Error {
        if !self.is_last() {
            let detail = refusal.to_string();
            return Error::OtherWire { detail };
        }
        let names: Vec<&str> = WIRES.iter().map(|(_, name)| *name).collect();
        let detail = format!("it answers on none of {}: {refusal}", names.join(", "));
        Error::Refused {
            status,
            detail: refusal::bounded(&detail),
        }
    }
}

/// Whether an answer means that the gateway does not know the path. One that does not know the
/// model answers 404 as well, and says so.
fn is_unknown_path(status: u16, body: &[u8]) -> bool {
    let body = models::own_words(&String::from_utf8_lossy(body));
    let is_page = body.trim_start().starts_with('<');
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| body.contains(phrase));
    match status {
        405 | 410 | 501 => true,
        404 => {
            is_page || !body.contains("model") || WIRES.iter().any(|(_, path)| body.contains(path))
        }
        200 if is_page => true,
        200 => {
            let body = body.replace([' ', '\n'], "");
            says(UNKNOWN_PATH) || OTHER_SHAPE.iter().any(|phrase| body.contains(phrase))
        }
        400 | 403 | 422 | 500 => says(UNKNOWN_PATH) || misses_messages(&body),
        _ => false,
    }
}

/// Whether a refusal wants the field that the other two wires have and that we never leave out.
fn misses_messages(body: &str) -> bool {
    let wants = ["required", "missing", "must provide"];
    body.contains("messages") && wants.iter().any(|word| body.contains(word))
}

impl Provider for Router {
    fn name(&self) -> &'static str {
        NAME
    }

    fn model<'a>(&'a self, asked: &'a str) -> &'a str {
        // The names of a gateway are those of its list, whatever wire it speaks.
        let model = self.openai.model(asked);
        match self.spoken() {
            Spoken::Messages if model == asked => self.messages.model(asked),
            _ => model,
        }
    }

    fn window(&self, model: &str) -> u64 {
        match (self.openai.window(model), self.spoken()) {
            (0, Spoken::Messages) => self.messages.window(model),
            (tokens, _) => tokens,
        }
    }

    fn encode(
        &mut self,
        request: &Request<'_>,
        token: Option<&auth::Token>,
    ) -> Result<exchange::Request, Error> {
        if mem::take(&mut self.is_spent) {
            self.turn_to(0);
        }
        let model = self.model(request.model).to_string();
        let request = &Request {
            model: &model,
            ..*request
        };
        self.speaker_mut().encode(request, token)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        self.speaker().decoder()
    }

    fn heard(&mut self, head: &ResponseHead) {
        let kind = head.headers.first("content-type").unwrap_or_default();
        if head.status == 200 && kind.to_ascii_lowercase().starts_with("text/event-stream") {
            self.state = State::Found;
        }
        self.is_spent = self.state == State::Looking && head.status == 500 && self.is_last();
        self.speaker_mut().heard(head);
    }

    fn limits(&self) -> &[Limit] {
        self.speaker().limits()
    }

    fn login_hint(&self) -> &'static str {
        LOGIN_HINT
    }

    fn endpoint(&self) -> &Url {
        self.openai.endpoint()
    }

    fn address_key(&self) -> &'static str {
        ADDRESS_KEY
    }

    fn begin_turn(&mut self) {
        if self.state == State::Looking {
            self.turn_to(0);
        }
        self.speaker_mut().begin_turn();
    }

    fn models_request(&self, token: Option<&auth::Token>) -> Result<exchange::Request, Error> {
        self.openai.models_request(token)
    }

    fn models(&self, body: &[u8]) -> Result<Vec<Model>, Error> {
        self.openai.models(body)
    }

    fn classify(&self, status: u16, headers: &Headers, body: &[u8]) -> Error {
        let refusal = self.speaker().classify(status, headers, body);
        match self.state {
            State::Looking if is_unknown_path(status, body) => self.refused(status, &refusal),
            // A gateway may know a path that its own service fails at.
            State::Looking if status == 500 && !self.is_last() => {
                let detail = refusal.to_string();
                Error::OtherWire { detail }
            }
            State::Looking | State::Found => refusal,
        }
    }

    fn question(
        &mut self,
        model: &str,
        token: Option<&auth::Token>,
    ) -> Result<Option<exchange::Request>, Error> {
        self.openai.question(model, token)
    }

    fn answered(&mut self, model: &str, status: u16, body: &[u8]) -> Option<Remark> {
        self.openai.answered(model, status, body)
    }

    fn learn_window(&mut self, model: &str, tokens: u64) {
        self.openai.learn_window(model, tokens);
    }

    fn adapt(&mut self, model: &str, complaint: &Complaint) -> Option<Change> {
        self.speaker_mut().adapt(model, complaint)
    }

    fn turn_to_other_wire(&mut self) -> bool {
        let is_left = self.state == State::Looking && !self.is_last();
        if is_left {
            self.turn_to(self.position + 1);
        }
        is_left
    }
}

#[cfg(test)]
mod tests;
