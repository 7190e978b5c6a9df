//! Moves the one transfer of a probe to its end, and hands out its body as it comes.
//!
//! Unlike `net::drive` it keeps what is known when the transfer fails: a probe is at its most
//! useful then.

use crate::base::clock::Deadline;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::http;
use crate::http::exchange::Request;
use crate::http::head::Headers;
use crate::http::head::ResponseHead;
use crate::http::redirect;
use crate::http::url::Url;
use crate::net::Client;
use crate::net::Error;
use crate::net::drive::wait;
use crate::net::trace::Trace;
use crate::net::transfer::Progress;
use crate::sys::signals::Signals;
use std::io;

/// What is to be asked, and how long that may take.
pub struct Ask {
    /// One that has done nothing yet.
    pub client: Client,
    /// The request.
    pub request: Request,
    /// Ctrl-C and its kin.
    pub signals: Signals,
    /// The limit of everything together.
    pub whole: Deadline,
    /// How many redirects are followed.
    pub redirects_max: usize,
}

/// What is known at the end, good or bad; the body is with the one who took it.
pub struct Answer {
    /// Where the time went.
    pub trace: Trace,
    /// Status and fields, if they came.
    pub head: Option<ResponseHead>,
    /// The fields after the body.
    pub trailers: Headers,
    /// Why the answer is not whole; `None` if it is.
    pub error: Option<Error>,
    /// Where redirects led, in their order; the last is what answered.
    pub redirects: Vec<Url>,
}

/// Why the one who takes the body wants no more of it.
pub enum Stop {
    /// The output is gone, and with it the point of it all.
    Output(io::Error),
    /// The answer is to blame.
    Answer(Error),
}

impl Ask {
    /// Asks and waits for the end. `take` gets the bytes of the body that are there after every
    /// step, those before a failure too; what it leaves in the buffer it sees again. Fails only
    /// if `take` says that the output did.
    pub fn run(
        mut self,
        take: &mut dyn FnMut(&mut Vec<u8>) -> Result<(), Stop>,
    ) -> io::Result<Answer> {
        let mut redirects: Vec<Url> = Vec::new();
        loop {
            let mut answer = self.once(redirects.len() < self.redirects_max, take)?;
            let next = match (&answer.head, &answer.error) {
                (Some(head), None) if redirects.len() < self.redirects_max => {
                    redirect::next(&self.request, head)
                }
                _ => Ok(None),
            };
            match next {
                Ok(Some(next)) => {
                    redirects.push(next.url.clone());
                    self.request = next;
                    continue;
                }
                Ok(None) => {
                    let is_circle = answer.head.as_ref().is_some_and(redirect::is_redirect);
                    if is_circle && self.redirects_max > 0 && answer.error.is_none() {
                        answer.error = Some(Error::Http {
                            host: self.request.url.host.clone(),
                            source: http::Error::TooMany {
                                what: "redirects",
                                limit: self.redirects_max,
                            },
                        });
                    }
                }
                Err(source) => {
                    let host = self.request.url.host.clone();
                    answer.error = Some(Error::Http { host, source });
                }
            }
            answer.redirects = redirects;
            return Ok(answer);
        }
    }

    /// Asks for one thing. The body of a redirect that will be followed is nobody's.
    fn once(
        &mut self,
        follows: bool,
        take: &mut dyn FnMut(&mut Vec<u8>) -> Result<(), Stop>,
    ) -> io::Result<Answer> {
        let started = Trace::start();
        let mut transfer = match self.client.start(self.request.clone()) {
            Ok(transfer) => transfer,
            Err(error) => {
                let mut trace = started;
                trace.finish();
                return Ok(Answer {
                    trace,
                    head: None,
                    trailers: Headers::new(),
                    error: Some(error),
                    redirects: Vec::new(),
                });
            }
        };
        for warning in self.client.take_warnings() {
            Fault::new(Exit::Done, format!("warning: {warning}")).print();
        }
        let mut body = Vec::new();
        let error = loop {
            let progress = transfer.step(&mut body);
            if follows && transfer.head().is_some_and(redirect::is_redirect) {
                body.clear();
            }
            match take(&mut body) {
                Ok(()) => {}
                Err(Stop::Output(error)) => return Err(error),
                Err(Stop::Answer(error)) => break Some(error),
            }
            match progress {
                Ok(Progress::Done) => break None,
                Ok(Progress::Waiting) => {}
                Err(error) => break Some(error),
            }
            if let Err(error) = wait(&transfer, &self.signals, self.whole) {
                break Some(error);
            }
        };
        let mut trace = transfer.trace().clone();
        trace.finish();
        let head = transfer.head().cloned();
        let trailers = transfer.trailers().clone();
        if error.is_none() {
            self.client.finish(transfer);
        }
        Ok(Answer {
            trace,
            head,
            trailers,
            error,
            redirects: Vec::new(),
        })
    }
}
