//! `sx fetchtoken`: prints a token that is good now, as one JSON line.

use crate::auth::Why;
use crate::cli::args::Fetchtoken;
use crate::cli::build;
use crate::cli::courier::Courier;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::stop;
use crate::net;
use crate::term::writer;
use serde::Serialize;
use std::io::Write;

/// The line. The order of the fields is the order in which they are written.
#[derive(Serialize)]
struct Line<'a> {
    access_token: &'a str,
    /// Unix seconds; `null` where the token does not say.
    expires_at: Option<u64>,
    account_id: Option<&'a str>,
    /// The file that it came from.
    source: &'a str,
}

/// Prints the token, renewed if it is about to expire or if that was asked for.
pub fn run(ground: &Ground, options: &Fetchtoken) -> Result<Exit, Fault> {
    let signals = stop::signals()?;
    ground.warn();
    let mut courier = Courier {
        client: net::Client::new(build::network(&ground.settings)?),
        signals,
        stopped_by: None,
    };
    let Some(mut store) = build::source(ground)? else {
        let what = "CODEX_TOKEN_SOURCE is none: there is no token to print";
        return Err(Fault::new(Exit::Settings, what));
    };
    let why = if options.is_refreshed {
        Why::Unauthorized
    } else {
        Why::Proactive
    };
    let token = store.fresh(why, &mut courier);
    if let Some(signal) = courier.stopped_by {
        return Ok(Exit::Signal(u8::try_from(signal).unwrap_or(u8::MAX)));
    }
    let token = token.map_err(|error| Fault::new(Exit::Settings, &error).hint(error.hint()))?;
    if let Some(warning) = store.take_warning() {
        Fault::new(Exit::Done, warning).print();
    }
    let line = Line {
        access_token: token.access.expose(),
        expires_at: token.expires_at,
        account_id: token.account_id.as_deref(),
        source: &token.source,
    };
    let line = serde_json::to_string(&line).map_err(|error| Fault::new(Exit::Fault, error))?;
    let mut out = writer::stdout().map_err(|error| Fault::output(&error))?;
    writeln!(out, "{line}").map_err(|error| Fault::output(&error))?;
    Ok(Exit::Done)
}
