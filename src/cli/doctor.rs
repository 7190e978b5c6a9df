//! `sx doctor`: what works here and what does not: the machine, the settings, the login, and the
//! way to each host that we contact.
//!
//! Hosts are connected to through exactly the stack that requests use, TLS included, and the
//! service is asked for a page, without a prompt and without a credential. Hosts are tried one
//! after the other, each within the limits of the network.

mod machine;

use crate::base::clock;
use crate::base::clock::Deadline;
use crate::base::date;
use crate::base::text;
use crate::cli::args::Doctor;
use crate::cli::build;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::member;
use crate::cli::standing::span;
use crate::cli::status;
use crate::cli::stop;
use crate::config::Found;
use crate::config::Settings;
use crate::http::exchange::Request;
use crate::http::head::ResponseHead;
use crate::http::url::Url;
use crate::net;
use crate::net::drive;
use crate::net::drive::Bounds;
use crate::net::trace::Trace;
use crate::sys::signals::Signals;
use crate::term::writer;
use crate::term::writer::Writer;
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::time::Duration;

/// A server that is there says something in that time.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// Pages are larger, and are not of interest.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Tokens are renewed five minutes before their end.
const CLOCK_APART_MAX_S: u64 = 300;

/// What came of one look.
#[derive(Debug, PartialEq, Serialize)]
struct Finding {
    check: &'static str,
    /// Which of its kind.
    name: String,
    state: State,
    detail: String,
    /// What to do about it.
    fix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

impl Finding {
    fn new(check: &'static str, name: &str, state: State, detail: String, fix: &str) -> Finding {
        Finding {
            check,
            name: text::one_line(name),
            state,
            detail: text::one_line(&detail),
            fix: Some(text::one_line(fix)).filter(|fix| !fix.is_empty()),
        }
    }

    fn ok(check: &'static str, name: &str, detail: String) -> Finding {
        Finding::new(check, name, State::Ok, detail, "")
    }

    fn warn(check: &'static str, name: &str, detail: String, fix: &str) -> Finding {
        Finding::new(check, name, State::Warn, detail, fix)
    }

    fn fail(check: &'static str, name: &str, detail: String, fix: &str) -> Finding {
        Finding::new(check, name, State::Fail, detail, fix)
    }
}

/// Looks at everything, and says what it finds as it finds it. A fault makes the exit code 3.
pub fn run(ground: &Ground, options: &Doctor) -> Result<Exit, Fault> {
    let signals = stop::signals()?;
    let mut page = Page {
        out: writer::stdout().map_err(|error| Fault::output(&error))?,
        is_json: options.is_json,
        exit: Exit::Done,
    };
    for finding in machine::look(ground).into_iter().chain(settings(ground)) {
        page.tell(&finding)?;
    }
    if member::is_nameless_gateway(&ground.settings) {
        page.tell(&nobody(&ground.settings))?;
        return Ok(page.exit);
    }
    page.tell(&login(ground))?;
    let mut client = net::Client::new(build::network(&ground.settings)?);
    for (key, url) in build::hosts(&ground.settings)? {
        // Name, connection and handshake have limits of their own.
        let reached = drive::connect(&mut client, &url, &signals, Deadline::never());
        for warning in client.take_warnings() {
            Fault::new(Exit::Done, format!("warning: {warning}")).print();
        }
        if let Some(exit) = interruption(&reached) {
            return Ok(exit);
        }
        let is_reached = reached.is_ok();
        page.tell(&host(key, &url, reached))?;
        if is_reached && key == member::address_key(&ground.settings) {
            let asked = ask(&mut client, &url, &signals);
            if let Some(exit) = interruption(&asked) {
                return Ok(exit);
            }
            page.tell(&answer(&url, asked))?;
        }
    }
    Ok(page.exit)
}

/// Where findings go, and what they come to.
struct Page {
    out: Writer<File>,
    is_json: bool,
    exit: Exit,
}

impl Page {
    fn tell(&mut self, finding: &Finding) -> Result<(), Fault> {
        if finding.state == State::Fail {
            self.exit = Exit::Settings;
        }
        let line = match self.is_json {
            true => {
                serde_json::to_string(finding).map_err(|error| Fault::new(Exit::Fault, error))?
            }
            false => spoken(finding),
        };
        writeln!(self.out, "{line}").map_err(|error| Fault::output(&error))
    }
}

/// The end of the command, if a signal ended the wait.
fn interruption<T>(waited: &Result<T, net::Error>) -> Option<Exit> {
    match waited {
        Err(net::Error::Interrupted { signal }) => {
            Some(Exit::Signal(u8::try_from(*signal).unwrap_or(u8::MAX)))
        }
        _ => None,
    }
}

/// What was wrong with the settings and could be ignored. What could not be has ended the command.
fn settings(ground: &Ground) -> Vec<Finding> {
    let files = ground.settings.files().iter();
    let read = files.filter(|file| file.found == Found::Read).count();
    if ground.warnings.is_empty() {
        let name = format!("{read} settings files");
        return vec![Finding::ok(
            "settings",
            &name,
            "nothing is wrong with them".into(),
        )];
    }
    let warnings = ground.warnings.iter();
    let told = warnings.map(|warning| {
        let fix = "`sx config` shows what counts and who set it";
        Finding::warn("settings", "", warning.to_string(), fix)
    });
    told.collect()
}

/// Who pays, and until when.
fn login(ground: &Ground) -> Finding {
    let name = ground.settings.text("PROVIDER");
    match status::standing(ground) {
        Err(fault) => Finding::fail("login", name, fault.what, &fault.hint.unwrap_or_default()),
        Ok(Err(error)) => Finding::fail("login", name, error.to_string(), &error.hint()),
        Ok(Ok(standing)) if !standing.is_usable() => {
            Finding::fail("login", name, standing.until(), &status::way_out(&standing))
        }
        Ok(Ok(standing)) => match standing.warning() {
            Some(warning) => Finding::warn("login", name, warning, ""),
            None => Finding::ok("login", name, standing.pays),
        },
    }
}

/// Asks the service for a page, without a login.
fn ask(client: &mut net::Client, url: &Url, signals: &Signals) -> Result<ResponseHead, net::Error> {
    let bounds = Bounds {
        whole: Deadline::after(ANSWER_WAIT, "the time for an answer"),
        bytes_max: ANSWER_BYTES_MAX,
        redirects_max: 0,
        socket: None,
    };
    let response = drive::drive(client, Request::get(url.clone()), signals, bounds)?;
    Ok(response.head)
}

/// Whether the service speaks HTTP, and how far its clock is from ours.
fn answer(url: &Url, asked: Result<ResponseHead, net::Error>) -> Finding {
    let name = url.origin();
    let head = match asked {
        Ok(head) => head,
        Err(error) => {
            let fix = "`sx probe` with this address shows each step";
            return Finding::warn("answer", &name, error.to_string(), fix);
        }
    };
    let status = format!("status {} to a request without a login", head.status);
    let Some(theirs) = head.headers.first("date").and_then(date::parse_http) else {
        return Finding::ok("answer", &name, status);
    };
    let ours = clock::unix_seconds();
    let apart = theirs.abs_diff(ours);
    if apart <= CLOCK_APART_MAX_S {
        return Finding::ok("answer", &name, format!("{status}; the clocks agree"));
    }
    let way = if ours < theirs { "behind" } else { "ahead" };
    let detail = format!("this machine's clock is {} {way}", span(apart));
    let fix = "set the clock: tokens and certificates are judged by it";
    Finding::fail("clock", &name, detail, fix)
}

/// No setting says whom a run would ask.
fn nobody(settings: &Settings) -> Finding {
    let fault = member::no_gateway(settings, "");
    let fix = fault.hint.unwrap_or_default();
    Finding::fail("provider", settings.text("PROVIDER"), fault.what, &fix)
}

fn host(key: &str, url: &Url, reached: Result<Trace, net::Error>) -> Finding {
    let name = url.origin();
    match reached {
        Ok(trace) => {
            let mut detail = format!("reached in {} ms", trace.total().as_millis());
            if let Some(proxy) = &trace.proxy {
                detail.push_str(&format!(" through the proxy {proxy}"));
            }
            if let Some(facts) = &trace.tls {
                detail.push_str(&format!(
                    ", {}, certificate by {}",
                    facts.version, facts.issuer
                ));
            }
            Finding::ok("host", &name, format!("{detail} ({key})"))
        }
        Err(error) => {
            let address = || format!("the address comes from {key}");
            let fix = error.hint().unwrap_or_else(address);
            Finding::fail("host", &name, error.to_string(), &fix)
        }
    }
}

/// The state first, as a word, so that a glance down the edge is enough.
fn spoken(finding: &Finding) -> String {
    let state = match finding.state {
        State::Ok => "ok  ",
        State::Warn => "warn",
        State::Fail => "fail",
    };
    let what = format!("{} {}", finding.check, finding.name);
    let mut line = format!(
        "{state}  {}: {}",
        text::harmless(what.trim_end()),
        text::harmless(&finding.detail)
    );
    if let Some(fix) = &finding.fix {
        line.push_str(&format!("\n      fix: {}", text::harmless(fix)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_cannot_be_reached_names_the_fault_and_the_fix() {
        let url = Url::parse("https://h/x").unwrap();
        let error = net::Error::Offline { host: "h".into() };
        let finding = host("CODEX_BASE_URL", &url, Err(error));
        assert_eq!(
            spoken(&finding),
            "fail  host https://h:443: h is not on this machine\n      \
             fix: OFFLINE allows connections to this machine only"
        );
        let finding = host("CODEX_BASE_URL", &url, Ok(Trace::start()));
        assert!(spoken(&finding).starts_with("ok    host https://h:443: reached in "));
        assert!(spoken(&finding).ends_with("(CODEX_BASE_URL)"));
    }
}
