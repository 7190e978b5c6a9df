//! A gateway that nobody named: PROVIDER is one, and ROUTER_URL is empty.
//!
//! It may be at the usual place on this machine, where anybody else may listen as well. So a
//! question without a prompt tells what answers there, and a person decides, for this run; to
//! whoever runs a task without a person it is only said. No prompt goes to a stranger.

use crate::base::clock::Deadline;
use crate::base::text;
use crate::cli::build;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::input::Input;
use crate::cli::member;
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

/// Longer than any answer to a yes-or-no question.
const REPLY_BYTES_MAX: usize = 64;

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
    let none = || member::no_gateway(&format!(", and nothing answers at {DEFAULT_URL}"));
    let url = Url::parse(DEFAULT_URL).map_err(|_| none())?;
    let mut client = net::Client::new(build::network(settings)?);
    let request = Request::get(url.join("/v1/models")).header("accept", "application/json");
    let bounds = Bounds {
        whole: Deadline::after(WAIT_MAX, "the look for a gateway").sooner(input.deadline),
        bytes_max: ANSWER_BYTES_MAX,
        redirects_max: 0,
        socket: None,
    };
    let response = match drive(&mut client, request, input.signals, bounds) {
        Ok(response) => response,
        Err(net::Error::Interrupted { signal }) => {
            let exit = Exit::Signal(u8::try_from(signal).unwrap_or(u8::MAX));
            return Err(Fault::new(exit, "stopped while a gateway was looked for"));
        }
        Err(_) => return Err(none()),
    };
    let who = describe(&response, owner::owner(url.port), user::id());
    let found = format!("ROUTER_URL is not set; at {DEFAULT_URL} answers {who}");
    let keep = format!("`sx config --set ROUTER_URL {DEFAULT_URL}`");
    if manner == Manner::Refuse {
        let what = format!("{found}; no prompt was sent there");
        return Err(Fault::new(Exit::Settings, what).hint(format!("if it is yours: {keep}")));
    }
    input.say(&format!("{found}\nSend this conversation there? [y/N] "))?;
    let reply = input.line(REPLY_BYTES_MAX)?;
    match reply.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => {
            input.say(&format!("For this run. To keep it: {keep}\n"))?;
            Ok(Some(url))
        }
        _ => Err(member::no_gateway("")),
    }
}

/// What answers, in its own words and the kernel's.
fn describe(response: &Response, owner: Option<u32>, own: u32) -> String {
    let server = response.head.headers.first("server").map(name);
    let server = server.map_or("something".to_string(), |server| format!("`{server}`"));
    let list = models::of_list(&response.body).ok();
    let ids: Vec<String> = list.iter().flatten().map(|model| name(&model.id)).collect();
    let offer = match &ids[..] {
        _ if response.head.status != 200 || list.is_none() => {
            let status = response.head.status;
            format!("which lists no models (status {status})")
        }
        [] => "with no models".to_string(),
        ids => {
            let shown = &ids[..ids.len().min(MODELS_SHOWN_MAX)];
            let more = match ids.len() - shown.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("with {}{more}", shown.join(", "))
        }
    };
    let owner = match owner {
        Some(id) if id == own => ", started by you".to_string(),
        Some(id) => format!(", started by the user with the number {id}"),
        None => String::new(),
    };
    format!("{server} {offer}{owner}")
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

    #[test]
    fn a_stranger_is_named_by_what_it_says_and_by_who_started_it() {
        #[track_caller]
        fn check(status: u16, server: &str, body: &str, owner: Option<u32>, expected: &str) {
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
            assert_eq!(describe(&Response { head, body }, owner, 7), expected);
        }
        let list = r#"{"data":[{"id":"a"},{"id":"b\u001b[2J"},{"id":"c"},{"id":"d"}]}"#;
        check(
            200,
            "llama.cpp",
            list,
            Some(7),
            "`llama.cpp` with a, b\\x1b[2J, c and 1 more, started by you",
        );
        check(
            200,
            "",
            r#"{"data":[]}"#,
            Some(0),
            "something with no models, started by the user with the number 0",
        );
        check(
            404,
            "SimpleHTTP/0.6",
            "<html>",
            None,
            "`SimpleHTTP/0.6` which lists no models (status 404)",
        );
    }
}
