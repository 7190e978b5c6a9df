//! One question and its answer: encode, send, read the stream, and try again where that helps.
//!
//! What a member says is worth another try, and how long to wait, is `provider::retry`'s to know;
//! here are the wait itself, the renewal of a credential, and the limits on both.

use crate::agent::Agent;
use crate::agent::event::Cause;
use crate::agent::event::Consumption;
use crate::agent::event::Event;
use crate::agent::failure::Failure;
use crate::agent::retries::Retries;
use crate::agent::retries::beyond_patience;
use crate::agent::turn::Reply;
use crate::agent::turn::Shown;
use crate::agent::turn::Turn;
use crate::auth;
use crate::auth::Why;
use crate::base::clock::Deadline;
use crate::base::secret;
use crate::base::secret::Secret;
use crate::chat::Block;
use crate::chat::Message;
use crate::chat::delta::Delta;
use crate::http;
use crate::http::head::ResponseHead;
use crate::http::sse;
use crate::net;
use crate::net::Transfer;
use crate::net::transfer::Progress;
use crate::provider;
use crate::provider::Decoder;
use crate::provider::Remark;
use crate::provider::models;
use crate::session::Entry;
use std::mem;
use std::time::Duration;

/// More of a refusal than this holds no more reason.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;

/// A question before the first request is answered from memory, and helps little: nobody waits for
/// it as long as for an answer.
const QUESTION_WAIT_MAX: Duration = Duration::from_secs(3);

/// An answer in one piece has some 100,000 tokens at most, and a thought of the same length.
const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// What is said of a stream without an event.
const NOTHING_SAID: &str =
    "the server ended the stream before it said anything; its log may say why";

/// A refusal is a sentence or two, and its status says most of it: nobody waits for more as long
/// as for an answer.
const REFUSAL_WAIT_MAX: Duration = Duration::from_secs(10);

/// How much longer than IDLE_TIMEOUT an answer may take that gives nothing but signs of life: some
/// servers send comments for many minutes while they read a long conversation.
const SILENCE_FACTOR: u32 = 12;

/// That limit, for who meets it.
const SILENCE: &str = "12 times IDLE_TIMEOUT";

/// A question beside the conversation: nobody sees its answer come, and no tool is on offer.
pub(super) struct Aside {
    /// What stands before the question.
    pub(super) system: &'static str,
    /// The question.
    pub(super) history: Vec<Message>,
}

/// An answer that is being read. What lies in its lists came with one read of the socket; they are
/// kept for the next one, since an answer is read in many thousand pieces.
struct Answer {
    parser: sse::Parser,
    decoder: Box<dyn Decoder>,
    deltas: Vec<Delta>,
    turn: Turn,
    shown: Vec<Shown>,
    /// Whether an event came.
    has_begun: bool,
    /// Something of it came since that was asked last.
    has_moved: bool,
    /// Whether something of it was shown that a retry makes void.
    is_shown: bool,
    /// Whether it is shown at all.
    is_aside: bool,
}

/// How the body of an answer is to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An event stream.
    Stream,
    /// One JSON document: a whole answer, or a refusal of a server that is shy of its status.
    Document,
    /// Anything else: what the server has to say instead.
    Refusal,
}

impl Agent {
    /// Sends the history and returns the whole answer. Its words were shown as they came.
    pub(super) fn ask(&mut self) -> Result<Reply, Failure> {
        self.ask_for(None)
    }

    /// Sends a question beside the conversation, which stays as it is.
    pub(super) fn ask_aside(&mut self, aside: &Aside) -> Result<Reply, Failure> {
        self.ask_for(Some(aside))
    }

    fn ask_for(&mut self, aside: Option<&Aside>) -> Result<Reply, Failure> {
        let mut is_compacted = aside.is_some();
        let mut retries = Retries::default();
        let mut is_renewed = false;
        let mut is_looked_up = false;
        let mut why = Why::Proactive;
        loop {
            let failure = match self.try_once(aside, &mut why) {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            let Some(failure) = self.adapt(failure)? else {
                continue;
            };
            if let Failure::Provider(provider::Error::Overflow { window, .. }) = &failure {
                if let Some(tokens) = window {
                    self.learn_window(*tokens)?;
                }
                if !is_compacted {
                    is_compacted = true;
                    self.discard()?;
                    if self.compact(Cause::Overflow)? {
                        continue;
                    }
                }
            }
            let is_elsewhere = matches!(
                &failure,
                Failure::Provider(provider::Error::OtherWire { .. })
            );
            if is_elsewhere && self.provider.turn_to_other_wire() {
                self.discard()?;
                continue;
            }
            if let Failure::Provider(provider::Error::Refused { status, detail }) = &failure
                && !is_looked_up
                && models::is_unknown(*status, detail)
            {
                is_looked_up = true;
                self.find_other_model(*status, detail)?;
                continue;
            }
            if let Failure::Provider(provider::Error::Auth { detail }) = &failure
                && let Some(source) = &self.source
                && !is_renewed
            {
                if let Some(setting) = source.fixed_by() {
                    let detail = format!("{setting}: {detail}");
                    return Err(Failure::Provider(provider::Error::Auth { detail }));
                }
                is_renewed = true;
                why = Why::Unauthorized;
                self.discard()?;
                continue;
            }
            let Some(wait) = retries.wait_after(&failure, self) else {
                return Err(beyond_patience(failure, self.options.retry_total));
            };
            self.discard()?;
            let reason = failure.to_string();
            self.show(&Event::Retry {
                attempt: retries.failed,
                wait,
                reason: &reason,
            })?;
            let deadline = Deadline::after(wait, "RETRY_TOTAL");
            while !deadline.is_over() {
                self.desk.wait(None, deadline)?;
            }
        }
    }

    /// A token that should be accepted; `None` where none is sent.
    pub(super) fn token(&mut self, why: Why) -> Result<Option<auth::Token>, Failure> {
        let Some(source) = &mut self.source else {
            return Ok(None);
        };
        let token = source.fresh(why, &mut self.desk);
        let warning = source.take_warning();
        // Ctrl-C during a refresh is Ctrl-C, whatever the refresh made of it.
        self.desk.check()?;
        let token = token.map_err(Failure::Auth)?;
        self.keep_secrets_out();
        match warning {
            Some(warning) if self.run.is_open => self.show(&Event::Warning(&warning))?,
            // The opening comes first.
            warning => self.warnings.extend(warning),
        }
        Ok(Some(token))
    }

    /// The session's file must hold no secret of ours, though a command prints it. One that was
    /// replaced by a newer one may still be good, and stays a secret.
    pub fn keep_secrets_out(&mut self) {
        let held = self.source.iter().flat_map(|source| source.secrets());
        let held: Vec<Secret> = held.cloned().collect();
        for secret in held {
            if !self.options.secrets.contains(&secret) {
                self.options.secrets.push(secret);
            }
        }
        let Some(mut log) = self.log.take() else {
            return;
        };
        for secret in self.secrets() {
            log.keep_out(secret);
        }
        self.log = Some(log);
    }

    /// What may leave in no output and no file: of the credential, and of the settings.
    pub(super) fn secrets(&self) -> Vec<&Secret> {
        let mut secrets: Vec<&Secret> = self.options.secrets.iter().collect();
        if let Some(source) = &self.source {
            secrets.extend(source.secrets());
        }
        secrets
    }

    /// Asks the service what there is to ask. What it does not answer is no failure: the request
    /// that follows finds out what is wrong.
    fn inquire(&mut self, token: Option<&auth::Token>) -> Result<(), Failure> {
        let model = &self.options.model.clone();
        while let Some(request) = self
            .provider
            .question(model, token)
            .map_err(Failure::Provider)?
        {
            let deadline = Deadline::after(QUESTION_WAIT_MAX, "QUESTION_WAIT_MAX");
            let answer = self.desk.fetch_until(deadline, request, None);
            self.desk.check()?;
            let (status, _, body) = answer.unwrap_or_default();
            match self.provider.answered(model, status, &body) {
                Some(Remark::Warning(text)) => self.show(&Event::Warning(&text))?,
                Some(Remark::Note(text)) if self.options.notes => {
                    self.show(&Event::Note(&text))?;
                }
                Some(Remark::Note(_)) | None => {}
            }
        }
        Ok(())
    }

    /// What the service says of its window counts more than what we or the settings say.
    pub(super) fn learn_window(&mut self, tokens: u64) -> Result<(), Failure> {
        self.provider.learn_window(&self.options.model, tokens);
        let set = self.options.window.filter(|set| *set > tokens);
        if self.window() > tokens {
            self.options.window = Some(tokens);
        }
        let Some(set) = set else {
            return Ok(());
        };
        let warning = format!("CONTEXT_WINDOW is {set}; the service says {tokens}");
        self.show(&Event::Warning(&warning))
    }

    /// One try. `why` says what the token is wanted for; once there is one it has had its effect.
    fn try_once(&mut self, aside: Option<&Aside>, why: &mut Why) -> Result<Reply, Failure> {
        let token = self.token(*why)?;
        *why = Why::Proactive;
        self.inquire(token.as_ref())?;
        let mut request = provider::Request {
            model: &self.options.model,
            system: &self.system,
            tools: &self.options.tools,
            history: &self.history,
            session: &self.cache_key,
            thinking: self.options.thinking,
            output_max: self.options.output_max,
            schema: self.options.schema.as_deref(),
            search: self.options.search,
        };
        if let Some(aside) = aside {
            request.system = aside.system;
            request.history = &aside.history;
            request.tools = &[];
            request.schema = None;
            request.search = false;
        }
        let request = self.provider.encode(&request, token.as_ref());
        let request = request.map_err(Failure::Provider)?;
        let mut transfer = self.desk.client.start(request).map_err(Failure::Net)?;
        for warning in self.desk.client.take_warnings() {
            self.show(&Event::Warning(&warning))?;
        }
        let mut answer = Answer {
            parser: sse::Parser::new(),
            decoder: self.provider.decoder(),
            deltas: Vec::new(),
            turn: Turn::default(),
            shown: Vec::new(),
            has_begun: false,
            has_moved: false,
            is_shown: false,
            is_aside: aside.is_some(),
        };
        let read = self.read(&mut transfer, &mut answer);
        self.keep_recording(&mut transfer);
        if let Err(failure) = read {
            if transfer.is_done() {
                // A refusal that was read whole leaves a connection that serves the next try.
                self.desk.client.finish(transfer);
            }
            self.abandon(answer, &failure);
            return Err(match (failure, &token) {
                (Failure::Provider(error), Some(token)) => {
                    Failure::Provider(error.without(&token.access))
                }
                (failure, _) => failure,
            });
        }
        self.desk.client.finish(transfer);
        self.run.has_worked = true;
        let mut shown = answer.shown;
        let reply = answer.turn.finish(&mut shown);
        if answer.is_aside {
            self.run.usage.add(reply.usage);
            self.write(&Entry::Usage(reply.usage));
            return Ok(reply);
        }
        self.show_all(&mut shown)?;
        if !reply.links.is_empty() {
            self.show(&Event::Links(&reply.links))?;
        }
        self.account(&reply)?;
        Ok(reply)
    }

    /// Reads until the answer is whole, showing it as it comes. What came before the connection
    /// broke counts as much as what came before it ended.
    fn read(&mut self, transfer: &mut Transfer, answer: &mut Answer) -> Result<(), Failure> {
        let mut kind = None;
        let mut body = Vec::new();
        let mut patience = Deadline::never();
        let silence_max = transfer.limits().idle.saturating_mul(SILENCE_FACTOR);
        let mut silence = Deadline::after(silence_max, SILENCE);
        let mut bytes_max = REFUSAL_BYTES_MAX;
        loop {
            let progress = transfer.step(&mut body);
            if kind.is_none()
                && let Some(head) = transfer.head()
            {
                self.provider.heard(head);
                kind = Some(Kind::of(head));
                match kind {
                    Some(Kind::Refusal) => {
                        patience = Deadline::after(REFUSAL_WAIT_MAX, "REFUSAL_WAIT_MAX");
                    }
                    Some(Kind::Document) => bytes_max = DOCUMENT_BYTES_MAX,
                    Some(Kind::Stream) | None => {}
                }
            }
            if kind == Some(Kind::Stream) {
                self.take_body(&body, transfer.host(), answer)?;
                body.clear();
                if answer.decoder.is_done() {
                    return Ok(());
                }
                if mem::take(&mut answer.has_moved) {
                    silence = Deadline::after(silence_max, SILENCE);
                }
                if silence.is_over() {
                    let host = transfer.host().to_string();
                    let limit = SILENCE;
                    return Err(Failure::Net(net::Error::Timeout { host, limit }));
                }
            }
            let is_over = match progress {
                Ok(Progress::Done) => true,
                Ok(Progress::Waiting) => body.len() > bytes_max || patience.is_over(),
                Err(_) if kind == Some(Kind::Refusal) => true,
                Err(error) => return Err(Failure::Net(error)),
            };
            if is_over {
                break;
            }
            let deadline = transfer.deadline().sooner(patience).sooner(silence);
            self.desk.wait(Some(transfer), deadline)?;
        }
        if kind == Some(Kind::Stream) {
            self.take_tail(answer)?;
            let finished = answer.decoder.finish(&mut answer.deltas);
            finished.map_err(|error| {
                Failure::Provider(match error {
                    // llama-cpp-python does so with a conversation that is too long.
                    provider::Error::Retry { after, .. } if !answer.has_begun => {
                        let detail = NOTHING_SAID.to_string();
                        provider::Error::Retry { after, detail }
                    }
                    error => error,
                })
            })?;
            return self.take_deltas(answer);
        }
        if let Some(error) = transfer.refused_by_proxy() {
            return Err(Failure::Net(error));
        }
        if kind == Some(Kind::Document) && self.take_document(&body, answer)? {
            return Ok(());
        }
        let (status, headers) = match transfer.head() {
            Some(head) => (head.status, head.headers.clone()),
            None => (0, http::head::Headers::new()),
        };
        let refusal = self.provider.classify(status, &headers, &body);
        Err(Failure::Provider(refusal))
    }

    /// Takes an answer that came in one piece, as some gateways send it whatever was asked for.
    /// False if it is something else.
    fn take_document(&mut self, body: &[u8], answer: &mut Answer) -> Result<bool, Failure> {
        let data = String::from_utf8_lossy(body);
        let event = sse::Event {
            name: None,
            data: &data,
            id: "",
            retry_ms: None,
        };
        let mut decoder = self.provider.decoder();
        let mut deltas = Vec::new();
        let fed = decoder.feed(&event, &mut deltas);
        if fed.and_then(|()| decoder.finish(&mut deltas)).is_err() {
            return Ok(false);
        }
        answer.deltas = deltas;
        self.take_deltas(answer)?;
        Ok(true)
    }

    fn take_body(
        &mut self,
        mut body: &[u8],
        host: &str,
        answer: &mut Answer,
    ) -> Result<(), Failure> {
        let parsed = loop {
            let event = match answer.parser.feed(&mut body) {
                Ok(Some(event)) => event,
                Ok(None) => break Ok(()),
                Err(source) => break Err(source),
            };
            answer.has_begun = true;
            let decoded = answer.decoder.feed(&event, &mut answer.deltas);
            decoded.map_err(Failure::Provider)?;
            if answer.decoder.is_done() {
                break Ok(());
            }
        };
        // What came before the break is good.
        self.take_deltas(answer)?;
        parsed.map_err(|source| {
            let host = host.to_string();
            Failure::Net(net::Error::Http { host, source })
        })
    }

    /// Takes the last event of a whole answer where nothing ended it.
    fn take_tail(&mut self, answer: &mut Answer) -> Result<(), Failure> {
        let Some(event) = answer.parser.finish() else {
            return Ok(());
        };
        answer.has_begun = true;
        let decoded = answer.decoder.feed(&event, &mut answer.deltas);
        self.take_deltas(answer)?;
        decoded.map_err(Failure::Provider)
    }

    fn take_deltas(&mut self, answer: &mut Answer) -> Result<(), Failure> {
        answer.has_moved |= !answer.deltas.is_empty();
        for delta in answer.deltas.drain(..) {
            answer.turn.take(delta, &mut answer.shown);
        }
        if answer.is_aside {
            answer.shown.clear();
        }
        answer.is_shown |= !answer.shown.is_empty();
        self.show_all(&mut answer.shown)
    }

    /// Shows what came with one read of the socket: neighbouring deltas in one piece.
    fn show_all(&mut self, shown: &mut Vec<Shown>) -> Result<(), Failure> {
        let mut pieces = shown.drain(..).peekable();
        while let Some(mut piece) = pieces.next() {
            while let Some(next) = pieces.peek() {
                match (&mut piece, next) {
                    (Shown::TextDelta(text), Shown::TextDelta(more))
                    | (Shown::ThinkingDelta(text), Shown::ThinkingDelta(more)) => {
                        text.push_str(more);
                    }
                    _ => break,
                }
                pieces.next();
            }
            self.show(&match &piece {
                Shown::TextDelta(text) => Event::TextDelta(text),
                Shown::ThinkingDelta(text) => Event::ThinkingDelta(text),
                Shown::Text(text) => Event::Text(text),
                Shown::Thinking(text) => Event::Thinking(text),
                Shown::Search(query) => Event::Search(query),
            })?;
        }
        Ok(())
    }

    /// What of a broken answer stays: words that a stop cut off, since the person read them.
    fn abandon(&mut self, answer: Answer, failure: &Failure) {
        self.run.is_answer_shown = answer.is_shown;
        if answer.is_aside || !matches!(failure, Failure::Signal(_) | Failure::Limit(_)) {
            return;
        }
        let words = answer.turn.finish(&mut Vec::new()).blocks.into_iter();
        let words: Vec<Block> = words
            .filter_map(|block| match block {
                Block::Text { text, .. } => Some(Block::Text { text, opaque: None }),
                _ => None,
            })
            .collect();
        if !words.is_empty() {
            self.run.cut_off = Some(Message::Assistant(words));
        }
    }

    /// Another try begins: what was shown of this one is void.
    pub(super) fn discard(&mut self) -> Result<(), Failure> {
        if std::mem::take(&mut self.run.is_answer_shown) {
            self.show(&Event::Discarded)?;
        }
        Ok(())
    }

    /// Adds up what the answer took.
    fn account(&mut self, reply: &Reply) -> Result<(), Failure> {
        self.run.usage.add(reply.usage);
        self.write(&Entry::Usage(reply.usage));
        let context = reply.usage.input.saturating_add(reply.usage.output);
        if context > 0 {
            // The answer itself is not in the history yet.
            self.run.context = Some((context, self.history.len() + 1));
        }
        let consumption = Consumption {
            usage: reply.usage,
            context,
            window: self.window(),
            limits: self.provider.limits().to_vec(),
        };
        self.show(&Event::Usage(&consumption))
    }

    fn keep_recording(&mut self, transfer: &mut Transfer) {
        let Some(mut recording) = transfer.take_recording() else {
            return;
        };
        for bytes in [&mut recording.request, &mut recording.response] {
            secret::blacken(bytes, &self.secrets());
        }
        let Some(recorder) = &mut self.recorder else {
            return;
        };
        if let Err(error) = recorder.exchange(&recording.request, &recording.response) {
            self.recorder = None;
            let text = format!("nothing more is recorded: {error}");
            // If nobody can be told, the next event ends the run for that reason.
            let _ = self.show(&Event::Warning(&text));
        }
    }
}

impl Kind {
    /// A gateway that does not say what it sends is believed to stream; one that says that it
    /// sends a page or a document has something else to tell.
    fn of(head: &ResponseHead) -> Kind {
        let stated = head.headers.first("content-type").unwrap_or_default();
        let stated = stated.to_ascii_lowercase();
        match head.status {
            200 if stated.starts_with("application/json") => Kind::Document,
            200 if !stated.starts_with("text/html") => Kind::Stream,
            _ => Kind::Refusal,
        }
    }
}
