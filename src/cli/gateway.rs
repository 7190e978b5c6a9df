//! A gateway that nobody named: PROVIDER is one, and ROUTER_URL is empty.
//!
//! It may be at the usual place on this machine, where anybody else may listen as well. So a
//! question without a prompt tells what answers there, and a person decides, for this run; to
//! whoever runs a task without a person it is only said. No prompt goes to a stranger, and none
//! through a proxy, for which `127.0.0.1` would be another machine.

use crate::base::clock::Deadline;
use crate::base::text;
use crate::cli::build;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::input::Input;
use crate::cli::member;
use crate::cli::person::Person;
use crate::http::exchange::Request;
use crate::http::url::Url;
use crate::net;
use crate::net::drive::Bounds;
use crate::net::drive::Response;
use crate::net::drive::drive;
use crate::net::owner;
use crate::provider::models;
use crate::provider::router::DEFAULT_URL;
use crate::sys::user;
use std::time::Duration;

/// On one's own machine an answer takes a millisecond.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// No gateway lists so many models.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Models that are named; the rest is counted.
const MODELS_SHOWN_MAX: usize = 3;

/// Of what a stranger says of itself, as much as fits on a line.
const NAME_CHARS_MAX: usize = 60;

/// What is done about a gateway that nobody named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// A person is there to be asked.
    Ask,
    /// Nobody is.
    Refuse,
}

/// The gateway that the person agreed to; `None` where the settings say who answers.
pub fn find(ground: &Ground, input: &Input<'_>, manner: Manner) -> Result<Option<Url>, Fault> {
    let settings = &ground.settings;
    if !member::is_nameless_gateway(settings) {
        return Ok(None);
    }
    let url = Url::parse(DEFAULT_URL).map_err(|error| Fault::new(Exit::Fault, error))?;
    let mut client = net::Client::new(build::direct(settings)?);
    let request = Request::get(url.join("/v1/models")).header("accept", "application/json");
    let bounds = Bounds {
        whole: Deadline::after(WAIT_MAX, "the 3 s to look for a gateway").sooner(input.deadline),
        bytes_max: ANSWER_BYTES_MAX,
        redirects_max: 0,
        socket: None,
    };
    let found = match drive(&mut client, request, input.signals, bounds) {
        Ok(response) => found(&response),
        Err(net::Error::Interrupted { signal }) => {
            let exit = Exit::Signal(u8::try_from(signal).unwrap_or(u8::MAX));
            return Err(Fault::new(exit, "stopped while a gateway was looked for"));
        }
        Err(net::Error::Connect { .. }) => {
            let nobody = format!(", and nothing answers at {DEFAULT_URL}");
            return Err(member::no_gateway(settings, &nobody));
        }
        Err(error) => Found::Other(format!("listens something that gives no answer ({error})")),
    };
    let started = started_by(owner::owner(url.port), user::id(), &user::name);
    let (who, is_service) = match &found {
        Found::Service(who) => (who, true),
        Found::Other(who) => (who, false),
    };
    let there = format!("at {DEFAULT_URL} {who}{started}");
    if !is_service {
        let what = format!(", and {there}; no prompt was sent");
        return Err(member::no_gateway(settings, &what));
    }
    let there = format!("ROUTER_URL is not set; {there}");
    if manner == Manner::Refuse {
        let what = format!("{there}; no prompt was sent");
        return Err(
            Fault::new(Exit::Settings, what).hint(format!("if it is yours, {}", keep(ground)))
        );
    }
    let person = Person::of(input);
    let question = format!("{there}\nSend this conversation there?");
    match person.agrees(&question, false)?.unwrap_or(false) {
        true => {
            person.say(&format!("For this run. To keep it, {}\n", keep(ground)))?;
            Ok(Some(url))
        }
        false => Err(member::no_gateway(settings, "")),
    }
}

/// The line that makes a setting of it, and where that goes.
fn keep(ground: &Ground) -> String {
    let line = format!("ROUTER_URL={DEFAULT_URL}");
    match ground.settings_file() {
        Some(path) => format!("put the line {line} into {}", path.display()),
        None => format!("set {line} in the environment"),
    }
}

/// What answers, in its own words.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// It has models to talk to.
    Service(String),
    /// It has not, or says something else.
    Other(String),
}

fn found(response: &Response) -> Found {
    let status = response.head.status;
    let server = response.head.headers.first("server").map(name);
    let server = server.map_or("something".to_string(), |server| format!("`{server}`"));
    let listed = models::of_list(&response.body).unwrap_or_default();
    let ids: Vec<String> = listed.iter().map(|model| name(&model.id)).collect();
    if status != 200 || ids.is_empty() {
        return Found::Other(format!(
            "answers {server}, which lists no models (status {status})"
        ));
    }
    let shown = &ids[..ids.len().min(MODELS_SHOWN_MAX)];
    let more = match ids.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let owner = models::owner(&response.body).map(|owner| format!(" of `{}`", name(&owner)));
    let owner = owner.unwrap_or_default();
    Found::Service(format!(
        "answers {server} with {}{more}{owner}",
        shown.join(", ")
    ))
}

/// Who listens there, as the kernel says.
fn started_by(owner: Option<u32>, own: u32, name_of: &dyn Fn(u32) -> Option<String>) -> String {
    match owner {
        Some(id) if id == own => ", started by you".to_string(),
        Some(id) => match name_of(id) {
            Some(user) => format!(", started by {} (user {id})", name(&user)),
            None => format!(", started by user {id}"),
        },
        None => String::new(),
    }
}

/// A stranger's word, made harmless and short.
fn name(word: &str) -> String {
    let word = text::one_line(&text::harmless(word));
    text::ellipsis(&word, NAME_CHARS_MAX).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::Headers;
    use crate::http::head::ResponseHead;

    #[track_caller]
    fn check(status: u16, server: &str, body: &str, expected: Found) {
        let mut headers = Headers::new();
        if !server.is_empty() {
            headers.push("server", server);
        }
        let head = ResponseHead {
            status,
            reason: String::new(),
            minor: 1,
            headers,
        };
        let body = body.as_bytes().to_vec();
        assert_eq!(found(&Response { head, body }), expected);
    }

    #[test]
    fn a_stranger_is_named_by_what_it_says() {
        let service = |words: &str| Found::Service(words.to_string());
        let other = |words: &str| Found::Other(words.to_string());
        check(
            200,
            "llama.cpp",
            r#"{"data":[{"id":"a","owned_by":"llamacpp"},{"id":"b\u001b[2J"},
                {"id":"c"},{"id":"d"}]}"#,
            service("answers `llama.cpp` with a, b\\x1b[2J, c and 1 more of `llamacpp`"),
        );
        check(
            200,
            "",
            r#"{"data":[{"id":"a"}]}"#,
            service("answers something with a"),
        );
        check(
            200,
            "",
            r#"{"data":[]}"#,
            other("answers something, which lists no models (status 200)"),
        );
        check(
            404,
            "SimpleHTTP/0.6",
            "<html>",
            other("answers `SimpleHTTP/0.6`, which lists no models (status 404)"),
        );
        check(
            401,
            "",
            r#"{"data":[{"id":"a"}]}"#,
            other("answers something, which lists no models (status 401)"),
        );
    }

    #[test]
    fn who_started_it_is_told_as_far_as_it_is_known() {
        let name_of = |id| (id == 1000).then(|| "bob\u{1b}".to_string());
        for (owner, expected) in [
            (Some(7), ", started by you"),
            (Some(1000), ", started by bob\\x1b (user 1000)"),
            (Some(8), ", started by user 8"),
            (None, ""),
        ] {
            assert_eq!(started_by(owner, 7, &name_of), expected);
        }
    }
}
