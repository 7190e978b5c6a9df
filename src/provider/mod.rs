//! Services that answer a conversation: what one must be able to do, and what can go wrong there.
//!
//! A member turns a request into bytes, the events of a stream into deltas, and a refusal into a
//! typed error. It knows nothing of sockets, clocks, terminals or waiting, so each is tested with
//! recorded bytes alone. A wire that several members speak lies in `wire/`; a member's own file
//! holds its endpoint, headers, credential and models; `retry` says what is worth another try.
//! `complaint` reads which one part of a request was refused, `lessons` remembers it.

pub mod anthropic;
pub mod claude;
pub mod claude_code;
pub mod codex;
pub mod complaint;
pub mod effort;
pub mod gemini;
pub mod lessons;
pub mod models;
pub mod openai;
pub mod overflow;
pub mod refusal;
pub mod retry;
pub mod router;
pub mod transport;
pub mod wire;

use crate::auth;
use crate::base::secret::Secret;
use crate::chat::Message;
use crate::chat::delta::Delta;
use crate::chat::delta::Limit;
use crate::chat::tool::ToolSpec;
use crate::http;
use crate::http::head::Headers;
use crate::http::head::ResponseHead;
use crate::http::sse;
use crate::http::url::Url;
use crate::provider::complaint::Complaint;
use crate::provider::lessons::Change;
use crate::provider::models::Model;
use std::fmt;
use std::time::Duration;

pub use effort::Effort;
pub use effort::Thinking;

/// What a member is asked to put into bytes.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The model, as the person or the settings name it; aliases are resolved by the member.
    pub model: &'a str,
    /// Our prompt.
    pub system: &'a str,
    /// The tools on offer, always in the same order.
    pub tools: &'a [ToolSpec],
    /// The whole conversation. What was sent once never changes and never moves.
    pub history: &'a [Message],
    /// The session's id, under which the service caches; empty where there is none.
    pub session: &'a str,
    /// How hard to think, and whether that is to be seen.
    pub thinking: Thinking,
    /// Tokens that the answer may have; the member's own choice where there is none.
    pub output_max: Option<u64>,
    /// The JSON Schema that the answer must fit, as JSON text.
    pub schema: Option<&'a str>,
    /// Whether the service may search the web by itself; only where it has a search.
    pub search: bool,
}

/// A service that answers a conversation.
pub trait Provider {
    /// Its name in settings, on the first line and in opaque parts of a history.
    fn name(&self) -> &'static str;

    /// The model that is meant by `asked`: aliases are replaced, any other name is passed through.
    fn model<'a>(&'a self, asked: &'a str) -> &'a str;

    /// How many tokens fit into the model's window; 0 where that is not known.
    fn window(&self, model: &str) -> u64;

    /// Whether the service searches the web by itself for this model, beside tools of ours.
    fn has_search(&self, _model: &str) -> bool {
        false
    }

    /// The request as bytes for the wire. The same history gives the same bytes.
    fn encode(
        &mut self,
        request: &Request<'_>,
        token: Option<&auth::Token>,
    ) -> Result<http::exchange::Request, Error>;

    /// A decoder for the stream that answers one request.
    fn decoder(&self) -> Box<dyn Decoder>;

    /// Takes what the head of an answer, good or bad, says beside its status.
    fn heard(&mut self, head: &ResponseHead);

    /// What the service last said of the account's allowance.
    fn limits(&self) -> &[Limit];

    /// What a person can do where the login is refused, in one line.
    fn login_hint(&self) -> &'static str;

    /// Where requests go, so that the way there can be made ready before there is one.
    fn endpoint(&self) -> &Url;

    /// The setting that names the service's address.
    fn address_key(&self) -> &'static str;

    /// A new message of the person begins: what held for one turn only is forgotten.
    fn begin_turn(&mut self);

    /// The request for the list of the models that there are.
    fn models_request(&self, token: Option<&auth::Token>)
    -> Result<http::exchange::Request, Error>;

    /// What the answer to it says. Fails where that is no list.
    fn models(&self, body: &[u8]) -> Result<Vec<Model>, Error>;

    /// What a status other than 200 means.
    fn classify(&self, status: u16, headers: &Headers, body: &[u8]) -> Error;

    /// What is to be asked of the service before the first request, one thing after the other
    /// until there is none: its models, how much fits into `model`. What it does not answer is
    /// passed over.
    fn question(
        &mut self,
        _model: &str,
        _token: Option<&auth::Token>,
    ) -> Result<Option<http::exchange::Request>, Error> {
        Ok(None)
    }

    /// The answer to the last question; status 0 where there was none. What comes back is worth a
    /// word to the person, and ends nothing.
    fn answered(&mut self, _model: &str, _status: u16, _body: &[u8]) -> Option<Remark> {
        None
    }

    /// The service said, with an `Error::Overflow`, how many tokens fit into `model`.
    fn learn_window(&mut self, _model: &str, _tokens: u64) {}

    /// Learns, for the rest of the process, to do without what the service has against the last
    /// request, which came as an `Error::Unfit`: the request is to be encoded and sent again, at
    /// once. `None` where the same bytes would come of it.
    fn adapt(&mut self, _model: &str, _complaint: &Complaint) -> Option<Change> {
        None
    }

    /// Turns to another wire after an `Error::OtherWire`; false where there is none left.
    fn turn_to_other_wire(&mut self) -> bool {
        false
    }
}

/// What an answer to a question comes to, for the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// Of use to somebody who looks for a fault.
    Note(String),
    /// Of use to everybody.
    Warning(String),
}

/// Turns the events of one answer into deltas.
pub trait Decoder {
    /// Takes one event and appends what it means to `out`, which may be nothing. Words that follow
    /// on words are added to them.
    ///
    /// An error ends the answer; the deltas of this answer are void then.
    fn feed(&mut self, event: &sse::Event<'_>, out: &mut Vec<Delta>) -> Result<(), Error>;

    /// Whether the answer is whole. What the service still sends is of no interest.
    fn is_done(&self) -> bool;

    /// The stream ended. Fails with `Error::Retry` if the answer was not whole by then.
    fn finish(&mut self, out: &mut Vec<Delta>) -> Result<(), Error>;
}

/// What can go wrong with a request, sorted by what the caller does about it.
///
/// Every `detail` is one line of at most 400 characters, in the service's own words where it has
/// any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Wait and send the same request again.
    Retry {
        /// How long the service wants us to wait.
        after: Option<Duration>,
        /// What happened.
        detail: String,
    },
    /// The same, from a service that has too much to do or is being mended: however long it wants
    /// us to wait, that is not for this account's sake.
    Busy {
        /// How long the service wants us to wait.
        after: Duration,
        /// What happened.
        detail: String,
    },
    /// The credential was not accepted: read it again, then refresh it, once each.
    Auth {
        /// What the service said.
        detail: String,
    },
    /// The credential is good but not for this. Never refresh: it would spend a token for nothing.
    Forbidden {
        /// What the service said.
        detail: String,
    },
    /// The account's allowance is spent.
    Quota {
        /// Unix seconds at which it is there again, where the service says.
        resets_at: Option<u64>,
        /// What the service said.
        detail: String,
    },
    /// The conversation does not fit into the model's window: make it shorter.
    Overflow {
        /// How many tokens fit, where the service says so: what it says now counts more than
        /// what it or we said before.
        window: Option<u64>,
        /// What the service said.
        detail: String,
    },
    /// The request can never succeed as it is.
    Refused {
        /// The status of the answer; 200 where the refusal came within a stream.
        status: u16,
        /// What the service said.
        detail: String,
    },
    /// The service does not speak the wire that was tried: turn to another one and encode again,
    /// at once. It was no try.
    OtherWire {
        /// What the service said.
        detail: String,
    },
    /// The service does not take one part of the request: the member may know how to do without
    /// it. It was no try.
    Unfit {
        /// What it does not take.
        complaint: Complaint,
        /// What it means where nothing can be done about that: never another of this kind.
        otherwise: Box<Error>,
    },
    /// Nothing was sent, since a setting or an option of ours forbids or breaks it.
    Settings {
        /// Which, and what is wrong with it.
        detail: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Retry { detail, .. }
            | Error::Busy { detail, .. }
            | Error::Settings { detail } => f.write_str(detail),
            Error::Auth { detail } => write!(f, "the service does not accept the login: {detail}"),
            Error::Forbidden { detail } => write!(f, "the service forbids this: {detail}"),
            Error::Quota { detail, .. } => write!(f, "the allowance is spent: {detail}"),
            Error::Overflow { detail, .. } => {
                write!(f, "the conversation is too long for the model: {detail}")
            }
            Error::OtherWire { detail } => {
                write!(f, "the service does not speak this protocol: {detail}")
            }
            Error::Refused { detail, .. } => write!(f, "the service refused: {detail}"),
            Error::Unfit { otherwise, .. } => otherwise.fmt(f),
        }
    }
}

impl Error {
    /// The same without `secret`, which a service or a gateway may have quoted.
    pub fn without(mut self, secret: &Secret) -> Error {
        let detail = self.detail_mut();
        if !secret.expose().is_empty() {
            *detail = detail.replace(secret.expose(), "[secret]");
        }
        self
    }

    /// Its one line, without what `Display` puts before it.
    pub fn detail_mut(&mut self) -> &mut String {
        match self {
            Error::Retry { detail, .. }
            | Error::Busy { detail, .. }
            | Error::Auth { detail }
            | Error::Forbidden { detail }
            | Error::Quota { detail, .. }
            | Error::Overflow { detail, .. }
            | Error::Refused { detail, .. }
            | Error::OtherWire { detail }
            | Error::Settings { detail } => detail,
            Error::Unfit { otherwise, .. } => otherwise.detail_mut(),
        }
    }
}

impl std::error::Error for Error {}

/// What a member can do. The feature table of the manual is printed from these rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The member's name.
    pub provider: &'static str,
    /// Answers come piece by piece.
    pub streaming: bool,
    /// Thinking is asked for, shown and sent back.
    pub thinking: bool,
    /// Tools are offered and called.
    pub tools: bool,
    /// Calls come as functions of the service's own, not as text to be parsed.
    pub functions: bool,
    /// Pictures can be sent.
    pub vision: bool,
    /// The credential renews itself.
    pub refresh: bool,
    /// A repeated prefix is cached by the service, and we are told how much of it was.
    pub caching: bool,
    /// The service can search the web by itself.
    pub search: bool,
}

/// One row for each member that is built in.
pub const CAPABILITIES: &[Capabilities] = &[
    codex::CAPABILITIES,
    claude_code::CAPABILITIES,
    anthropic::CAPABILITIES,
    gemini::CAPABILITIES,
    openai::CAPABILITIES,
    router::CAPABILITIES,
];
