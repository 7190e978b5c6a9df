//! `sx doctor`: which hosts this program would contact, and whether the way to each is open.
//!
//! Each is connected to through exactly the stack that requests use, TLS included; nothing is
//! sent, no prompt and no credential. Not looked at yet: the login, the sandbox, the disk.

use crate::base::clock::Deadline;
use crate::base::text;
use crate::cli::args::Doctor;
use crate::cli::build;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::member;
use crate::cli::stop;
use crate::config::Settings;
use crate::http::url::Url;
use crate::net;
use crate::net::drive;
use crate::net::trace::Trace;
use crate::term::writer;
use serde::Serialize;
use std::io::Write;

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
    Fail,
}

/// Looks at everything, and says what it finds as it finds it. A fault makes the exit code 3.
pub fn run(ground: &Ground, options: &Doctor) -> Result<Exit, Fault> {
    ground.warn();
    let signals = stop::signals()?;
    let mut out = writer::stdout().map_err(|error| Fault::output(&error))?;
    let mut client = net::Client::new(build::network(&ground.settings)?);
    let mut exit = Exit::Done;
    let tell = |finding: &Finding, out: &mut dyn Write| {
        let line = match options.is_json {
            true => {
                serde_json::to_string(finding).map_err(|error| Fault::new(Exit::Fault, error))?
            }
            false => spoken(finding),
        };
        writeln!(out, "{line}").map_err(|error| Fault::output(&error))
    };
    if member::is_nameless_gateway(&ground.settings) {
        tell(&nobody(&ground.settings), &mut out)?;
        return Ok(Exit::Settings);
    }
    for (key, url) in build::hosts(&ground.settings)? {
        // Name, connection and handshake have limits of their own.
        let reached = drive::connect(&mut client, &url, &signals, Deadline::never());
        if let Err(net::Error::Interrupted { signal }) = reached {
            return Ok(Exit::Signal(u8::try_from(signal).unwrap_or(u8::MAX)));
        }
        for warning in client.take_warnings() {
            Fault::new(Exit::Done, format!("warning: {warning}")).print();
        }
        let finding = host(key, &url, reached);
        if finding.state == State::Fail {
            exit = Exit::Settings;
        }
        tell(&finding, &mut out)?;
    }
    Ok(exit)
}

/// No setting says whom a run would ask.
fn nobody(settings: &Settings) -> Finding {
    let fault = member::no_gateway(settings, "");
    Finding {
        check: "provider",
        name: settings.text("PROVIDER").to_string(),
        state: State::Fail,
        detail: fault.what,
        fix: fault.hint,
    }
}

fn host(key: &str, url: &Url, reached: Result<Trace, net::Error>) -> Finding {
    let finding = |state, detail: String, fix| Finding {
        check: "host",
        name: url.origin(),
        state,
        detail: text::one_line(&detail),
        fix,
    };
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
            finding(State::Ok, format!("{detail} ({key})"), None)
        }
        Err(error) => {
            let address = Some(format!("the address comes from {key}"));
            finding(State::Fail, error.to_string(), error.hint().or(address))
        }
    }
}

/// The state first, as a word, so that a glance down the edge is enough.
fn spoken(finding: &Finding) -> String {
    let state = match finding.state {
        State::Ok => "ok  ",
        State::Fail => "fail",
    };
    let Finding {
        check,
        name,
        detail,
        ..
    } = finding;
    let mut line = format!("{state}  {check} {name}: {}", text::harmless(detail));
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
