//! The hidden verb `renew`: one renewal of a login, ordered by a pipe, in a process of its own.
//!
//! Its caller may be gone before it ends; so it heeds no signal that means stop, and that nobody
//! reads its outcome any more is no fault.

use crate::auth::apart;
use crate::auth::local::Store;
use crate::base::clock::Deadline;
use crate::cli::args::Common;
use crate::cli::build;
use crate::cli::courier::Courier;
use crate::cli::credential;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::input::Input;
use crate::cli::stop;
use crate::net;
use crate::sys::signals::Signals;
use crate::term::writer;
use std::ffi::OsStr;
use std::io::Write;
use std::time::Duration;

/// An order holds a credential file at most, which has no more than a mebibyte.
const ORDER_BYTES_MAX: usize = 4 << 20;

/// The order is in the pipe before we begin.
const ORDER_WAIT_MAX: Duration = Duration::from_secs(10);

/// Reads the order from stdin, obeys it, and says on stdout what came of it.
pub fn run(program: &OsStr, common: &Common) -> Result<Exit, Fault> {
    // Blocked from here to the end, and never looked at.
    let _stops = stop::signals()?;
    let signals = Signals::take(&[]).map_err(|error| Fault::new(Exit::Fault, error))?;
    let input = Input {
        signals: &signals,
        deadline: Deadline::after(ORDER_WAIT_MAX, "ORDER_WAIT_MAX"),
    };
    let line = input.stdin(ORDER_BYTES_MAX)?;
    let Some(order) = apart::read_order(&line) else {
        return Err(Fault::new(Exit::Usage, "renew is for sx itself"));
    };
    let common = Common {
        overrides: order.overrides.clone(),
        ..common.clone()
    };
    let ground = Ground::survey(program, &common)?;
    let mut store = Store::new(credential::store_here(&ground, &order.path)?);
    let mut courier = Courier {
        client: net::Client::new(build::network(&ground.settings)?),
        signals,
        stopped_by: None,
    };
    let outcome = store.fulfil(&order, &mut courier);
    let line = apart::outcome_line(&outcome);
    if let Ok(mut out) = writer::stdout() {
        let _ = out.write_all(line.as_bytes());
    }
    Ok(Exit::Done)
}
