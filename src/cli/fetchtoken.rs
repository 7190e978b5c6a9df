//! `sx fetchtoken`: prints a token that is good now, for a program or for a person.
//!
//! Into a pipe it is one JSON line; on a terminal everything but the token, since a screen is read
//! by others and kept by scrollbacks, unless `--raw` or `--json` asks for it. `-v` tells each step
//! on standard error; a token is only ever told by its length there.

use crate::auth;
use crate::auth::Token;
use crate::auth::Why;
use crate::auth::claude;
use crate::base::clock;
use crate::base::date;
use crate::base::text;
use crate::cli::args::Fetchtoken;
use crate::cli::args::TokenShape;
use crate::cli::build;
use crate::cli::courier::Courier;
use crate::cli::credential;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::stop;
use crate::net;
use crate::term::writer;
use serde::Serialize;
use std::io;
use std::io::IsTerminal;
use std::io::Write;

/// The line. The order of the fields is the order in which they are written.
#[derive(Serialize)]
struct Line<'a> {
    access_token: &'a str,
    /// Unix seconds; `null` where the token does not say.
    expires_at: Option<u64>,
    account_id: Option<&'a str>,
    /// Where it came from.
    source: &'a str,
}

/// Prints the token, renewed if it is about to expire or if that was asked for.
pub fn run(ground: &Ground, options: &Fetchtoken) -> Result<Exit, Fault> {
    let signals = stop::signals()?;
    ground.warn();
    if ground.settings.text("PROVIDER") == "claude_code" && !ground.is_quiet {
        Fault::new(Exit::Done, format!("note: {}", claude::RESTRICTION)).print();
    }
    let steps = Steps {
        are_told: ground.is_verbose,
    };
    let mut courier = Courier {
        client: net::Client::new(build::network(&ground.settings)?),
        signals,
        stopped_by: None,
    };
    let mut source = credential::login(ground, "to print")?;
    let chosen = ground.settings.setting("CODEX_TOKEN_SOURCE");
    steps.tell(&format!(
        "the source is {}, by {}",
        chosen.value, chosen.origin
    ));
    let no_token = |error: auth::Error| {
        let what = format!("{}: {error}", error.kind());
        Fault::new(Exit::Settings, what).hint(error.hint())
    };
    match source.peek().map_err(no_token)? {
        Some(token) => steps.tell(&format!("found {}", described(&token))),
        None => steps.tell("others are asked for it"),
    }
    let why = match options.is_refreshed {
        true => Why::Unauthorized,
        false => Why::Proactive,
    };
    let token = source.fresh(why, &mut courier);
    if let Some(signal) = courier.stopped_by {
        return Ok(Exit::Signal(u8::try_from(signal).unwrap_or(u8::MAX)));
    }
    if let Some(warning) = source.take_warning() {
        Fault::new(Exit::Done, format!("warning: {warning}")).print();
    }
    let token = token.map_err(no_token)?;
    steps.tell(&format!("gives {}", described(&token)));
    let shape = options.shape.or_else(|| {
        let is_piped = !io::stdout().is_terminal();
        is_piped.then_some(TokenShape::Json)
    });
    let text = match shape {
        Some(TokenShape::Json) => json(&token)?,
        Some(TokenShape::Raw) => token.access.expose().to_string(),
        None => page(&token),
    };
    let mut out = writer::stdout().map_err(|error| Fault::output(&error))?;
    writeln!(out, "{text}").map_err(|error| Fault::output(&error))?;
    Ok(Exit::Done)
}

/// What is done, for whoever wants to know.
struct Steps {
    are_told: bool,
}

impl Steps {
    fn tell(&self, step: &str) {
        if self.are_told {
            Fault::new(Exit::Done, text::harmless(step)).print();
        }
    }
}

fn json(token: &Token) -> Result<String, Fault> {
    let line = Line {
        access_token: token.access.expose(),
        expires_at: token.expires_at,
        account_id: token.account_id.as_deref(),
        source: &token.source,
    };
    serde_json::to_string(&line).map_err(|error| Fault::new(Exit::Fault, error))
}

/// Everything but the token.
fn page(token: &Token) -> String {
    let account = auth::describe(token);
    let text = format!(
        "account  {account}\nexpires  {}\nsource   {}\n\
         token    not shown on a terminal; --raw or --json prints it",
        expiry(token),
        token.source
    );
    text::harmless(&text).into_owned()
}

fn described(token: &Token) -> String {
    format!(
        "a token of {} bytes for {} in {}; it expires {}",
        token.access.expose().len(),
        auth::describe(token),
        token.source,
        expiry(token)
    )
}

fn expiry(token: &Token) -> String {
    let Some(at) = token.expires_at else {
        return "at a time that it does not tell".to_string();
    };
    match at.checked_sub(clock::unix_seconds()) {
        Some(left) => format!("{} (in {} min)", date::rfc3339(at), left / 60),
        None => format!("{} (it is over)", date::rfc3339(at)),
    }
}
