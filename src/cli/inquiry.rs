//! How a command asks the service for something that is no answer to a conversation: as a run
//! does, with a token that is renewed once if it is refused.

use crate::auth;
use crate::auth::Source;
use crate::auth::Token;
use crate::auth::Why;
use crate::base::clock::Deadline;
use crate::cli::build;
use crate::cli::courier::Courier;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::stop;
use crate::http::exchange::Request;
use crate::net;
use crate::net::drive::Bounds;
use crate::net::drive::Response;
use crate::net::drive::drive;
use crate::provider;
use std::time::Duration;

/// The service answers at once, or has trouble.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The longest answers are lists of models, of some hundred KB.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// What a question came to.
pub enum Outcome {
    /// The service answered, whatever it said; and the token that it took.
    Answered(Box<(Option<Token>, Response)>),
    /// A signal ended the wait.
    Stopped(Exit),
}

/// Asks what `form` makes, with a token of `source` where there is one. `name` is what the time
/// for it is called in errors.
pub fn ask(
    ground: &Ground,
    source: Option<Box<dyn Source>>,
    name: &'static str,
    form: &dyn Fn(Option<&Token>) -> Result<Request, provider::Error>,
) -> Result<Outcome, Fault> {
    let signals = stop::signals()?;
    ground.warn();
    let mut asker = Asker {
        courier: Courier {
            client: net::Client::new(build::network(&ground.settings)?),
            signals,
            stopped_by: None,
        },
        source,
        name,
    };
    let answered = asker.ask(form);
    for warning in asker.courier.client.take_warnings() {
        Fault::new(Exit::Done, format!("warning: {warning}")).print();
    }
    if let Some(signal) = asker.courier.stopped_by {
        let signal = Exit::Signal(u8::try_from(signal).unwrap_or(u8::MAX));
        return Ok(Outcome::Stopped(signal));
    }
    Ok(Outcome::Answered(Box::new(answered?)))
}

struct Asker {
    courier: Courier,
    source: Option<Box<dyn Source>>,
    name: &'static str,
}

impl Asker {
    fn ask(
        &mut self,
        form: &dyn Fn(Option<&Token>) -> Result<Request, provider::Error>,
    ) -> Result<(Option<Token>, Response), Fault> {
        let mut token = self.token(Why::Proactive)?;
        let mut response = self.send(form(token.as_ref()))?;
        let is_fixed = match &self.source {
            Some(source) => source.fixed_by().is_some(),
            None => true,
        };
        if response.head.status == 401 && !is_fixed {
            token = self.token(Why::Unauthorized)?;
            response = self.send(form(token.as_ref()))?;
        }
        Ok((token, response))
    }

    fn token(&mut self, why: Why) -> Result<Option<Token>, Fault> {
        let Some(source) = &mut self.source else {
            return Ok(None);
        };
        let token = source.fresh(why, &mut self.courier);
        if let Some(warning) = source.take_warning() {
            Fault::new(Exit::Done, format!("warning: {warning}")).print();
        }
        let no_token = |error: auth::Error| Fault::new(Exit::Settings, &error).hint(error.hint());
        token.map(Some).map_err(no_token)
    }

    fn send(&mut self, request: Result<Request, provider::Error>) -> Result<Response, Fault> {
        let request = request.map_err(|error| Fault::new(Exit::Settings, error))?;
        let bounds = Bounds {
            whole: Deadline::after(WAIT_MAX, self.name),
            bytes_max: ANSWER_BYTES_MAX,
            redirects_max: 0,
            socket: None,
        };
        let courier = &mut self.courier;
        drive(&mut courier.client, request, &courier.signals, bounds).map_err(|error| {
            if let net::Error::Interrupted { signal } = error {
                courier.stopped_by = Some(signal);
            }
            let fault = Fault::new(Exit::Provider, &error);
            match error.hint() {
                Some(hint) => fault.hint(hint),
                None => fault,
            }
        })
    }
}
