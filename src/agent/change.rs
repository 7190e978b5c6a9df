//! Another service, another model, other limits in the middle of a conversation.
//!
//! What is new is put on and tried: whether there is a token, a way to the service, and hands that
//! get ready. What does not start is taken off again, and the conversation is as it was. Whether
//! the service knows the model is only told by the next request.

use crate::agent::Agent;
use crate::agent::Options;
use crate::agent::event::Opening;
use crate::agent::failure::Failure;
use crate::agent::own::fetch::Web;
use crate::auth;
use crate::auth::Why;
use crate::base::secret::Secret;
use crate::chat::Message;
use crate::hands::client;
use crate::hands::client::Client;
use crate::net;
use crate::net::drive;
use crate::provider::Provider;
use std::mem;

/// What the model is told whose tools were started anew.
const ANEW: &str = "The tools were started anew with other settings: background jobs of before \
                    are ended, and the files that held their output are gone.";

/// Everything of an agent that settings decide.
pub struct Outfit {
    /// The service.
    pub provider: Box<dyn Provider>,
    /// The credential; `None` where none is sent.
    pub source: Option<Box<dyn auth::Source>>,
    /// The network.
    pub client: net::Client,
    /// The way to pages of the network, if tools have one.
    pub web: Option<Web>,
    /// What to do.
    pub options: Options,
    /// What is known before the first request.
    pub opening: Opening,
}

impl Agent {
    /// Goes on with `outfit` and with `hands`, if there are tools, where they start; else returns
    /// why not, and goes on as before. `before` are the hands that run now. An error ends the
    /// session.
    pub fn change(
        &mut self,
        mut outfit: Outfit,
        hands: Option<client::Options>,
        before: Option<client::Options>,
    ) -> Result<Option<Failure>, Failure> {
        // What was a secret stays one.
        let held: Vec<Secret> = self.secrets().into_iter().cloned().collect();
        outfit.options.secrets.extend(held);
        outfit.opening.session.clone_from(&self.opening.session);
        if self.recorder.is_some() {
            outfit.client.record();
        }
        self.swap(&mut outfit);
        let is_other = hands != before;
        let reached = self.reach();
        let is_reached = reached.is_ok();
        let tried = reached.and_then(|()| match is_other {
            true => self.restart(hands),
            false => Ok(()),
        });
        if let Err(failure) = tried {
            self.swap(&mut outfit);
            self.warnings.clear();
            if is_other && is_reached {
                self.restart(before)?;
                self.tell_of_new_hands();
            }
            return Ok(Some(failure));
        }
        if is_other {
            let note = "the tools were started anew; what ran in the background has ended";
            self.warnings.push(note.to_string());
        }
        self.keep_secrets_out();
        (self.run.is_open, self.run.has_worked) = (false, false);
        self.open()?;
        if is_other {
            self.tell_of_new_hands();
        }
        Ok(None)
    }

    /// Tells a model that has used its tools, and so may wait for a job.
    fn tell_of_new_hands(&mut self) {
        let is_result = |message: &Message| matches!(message, Message::Results(_));
        if self.history.iter().any(is_result) {
            self.remember(Message::Context(ANEW.to_string()));
        }
    }

    /// Ends the hands that run and starts others: two cannot run beside each other, since each ends
    /// all that is left below us.
    fn restart(&mut self, hands: Option<client::Options>) -> Result<(), Failure> {
        self.desk.hands = None;
        let started = hands.map(Client::start).transpose();
        self.desk.hands = started.map_err(Failure::Hands)?;
        self.hands_ready().map(|_| ())
    }

    fn swap(&mut self, outfit: &mut Outfit) {
        mem::swap(&mut self.provider, &mut outfit.provider);
        mem::swap(&mut self.source, &mut outfit.source);
        mem::swap(&mut self.desk.client, &mut outfit.client);
        mem::swap(&mut self.web, &mut outfit.web);
        mem::swap(&mut self.options, &mut outfit.options);
        mem::swap(&mut self.opening, &mut outfit.opening);
    }

    /// Whether there is a token, and a way to the service.
    fn reach(&mut self) -> Result<(), Failure> {
        let is_open = mem::replace(&mut self.run.is_open, false);
        let token = self.token(Why::Proactive);
        self.run.is_open = is_open;
        if let Some(token) = token? {
            self.opening.account = auth::describe(&token);
        }
        let desk = &mut self.desk;
        let url = self.provider.endpoint();
        let reached = drive::connect(&mut desk.client, url, &desk.signals, desk.deadline);
        reached.map(|_| ()).map_err(|error| match error {
            net::Error::Interrupted { signal } => Failure::Signal(signal),
            error => Failure::Net(error),
        })
    }
}
