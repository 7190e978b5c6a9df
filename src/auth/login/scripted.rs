//! A service that answers from a script, and waits that take no time: for the tests beside.

use super::Client;
use crate::auth::Fetch;
use crate::auth::Unreachable;
use crate::auth::identity::Identity;
use crate::base::clock::Deadline;
use crate::http::exchange::Request;
use crate::http::head::Headers;
use crate::http::url::Url;
use crate::proc::capture::Capture;
use std::collections::VecDeque;
use std::path::Path;

/// Who asks in the tests.
pub(super) fn client() -> Client {
    Client {
        issuer: Url::parse("https://issuer.example.org").expect("an address"),
        id: "client".into(),
        identity: Identity::own(),
    }
}

/// The service.
#[derive(Default)]
pub(super) struct Script {
    /// Status, one field and body of each answer; status 0 is no answer.
    answers: VecDeque<(u16, &'static str, String)>,
    /// What was asked: address and body.
    pub asked: Vec<(String, String)>,
    /// How long was waited, in rounded seconds.
    pub waits: Vec<u64>,
    /// After so many waits a signal comes.
    pub stopped_after: Option<usize>,
}

impl Script {
    /// Answers in this order. A field is written `name: value`.
    pub(super) fn of(answers: &[(u16, &'static str, &str)]) -> Script {
        let owned = |answer: &(u16, &'static str, &str)| (answer.0, answer.1, answer.2.to_string());
        Script {
            answers: answers.iter().map(owned).collect(),
            ..Script::default()
        }
    }

    /// Whether everything was asked for.
    pub(super) fn is_over(&self) -> bool {
        self.answers.is_empty()
    }
}

impl Fetch for Script {
    fn fetch(
        &mut self,
        request: Request,
        _socket: Option<&Path>,
    ) -> Result<(u16, Headers, Vec<u8>), Unreachable> {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        self.asked.push((request.url.to_string(), body));
        let (status, field, body) = self.answers.pop_front().expect("an answer for it");
        if status == 0 {
            return Err(Unreachable::new("no route"));
        }
        let mut headers = Headers::new();
        if let Some((name, value)) = field.split_once(": ") {
            headers.push(name, value);
        }
        Ok((status, headers, body.into_bytes()))
    }

    fn pause(&mut self, deadline: Deadline) -> Result<(), Unreachable> {
        let left = deadline.left().expect("a wait that ends");
        self.waits.push(left.as_secs_f64().round() as u64);
        match self.stopped_after == Some(self.waits.len()) {
            true => Err(Unreachable::new("a signal came")),
            false => Ok(()),
        }
    }

    fn wait(&mut self, _program: &Capture) -> Result<(), Unreachable> {
        panic!("no program is run")
    }
}
