//! The driver for commands: one request, waited for to its end, interrupted by a signal.

use crate::base::clock::Deadline;
use crate::http::exchange::Request;
use crate::http::head::ResponseHead;
use crate::http::redirect;
use crate::http::url::Url;
use crate::net::Client;
use crate::net::Error;
use crate::net::Transfer;
use crate::net::trace::Trace;
use crate::net::transfer::Progress;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use crate::sys::signals::STOPS;
use crate::sys::signals::Signals;
use std::path::Path;

/// A whole answer.
#[derive(Debug)]
pub struct Response {
    /// Status and fields.
    pub head: ResponseHead,
    /// The decoded body.
    pub body: Vec<u8>,
}

/// What a wait was woken by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    Transfer,
    Signal,
}

/// How much of an answer is waited for.
#[derive(Clone, Copy)]
pub struct Bounds<'a> {
    /// For everything together.
    pub whole: Deadline,
    /// A longer body is an error.
    pub bytes_max: usize,
    /// So many redirects are followed; the next one is the answer.
    pub redirects_max: u32,
    /// The request goes to the server that listens on this Unix socket, whatever its address says.
    pub socket: Option<&'a Path>,
}

/// Sends `request` and waits for the whole answer. INT, TERM and HUP end the wait.
pub fn drive(
    client: &mut Client,
    mut request: Request,
    signals: &Signals,
    bounds: Bounds<'_>,
) -> Result<Response, Error> {
    for _ in 0..bounds.redirects_max {
        let response = once(client, request.clone(), signals, bounds)?;
        let next = redirect::next(&request, &response.head);
        match next.map_err(|source| Error::Http {
            host: request.url.host.clone(),
            source,
        })? {
            Some(next) => request = next,
            None => return Ok(response),
        }
    }
    once(client, request, signals, bounds)
}

/// Opens a connection to the server of `url`, sends nothing, and tells what it took.
pub fn connect(
    client: &mut Client,
    url: &Url,
    signals: &Signals,
    whole: Deadline,
) -> Result<Trace, Error> {
    let mut opening = client.open(url)?;
    loop {
        if opening.step()?.is_some() {
            let mut trace = opening.trace().clone();
            trace.finish();
            return Ok(trace);
        }
        let mut set = PollSet::new();
        opening.wait_for(&mut set, Woken::Transfer);
        pause(set, signals, opening.deadline(), whole, &url.host)?;
    }
}

fn once(
    client: &mut Client,
    request: Request,
    signals: &Signals,
    bounds: Bounds<'_>,
) -> Result<Response, Error> {
    let Bounds {
        whole, bytes_max, ..
    } = bounds;
    let mut transfer = match bounds.socket {
        Some(socket) => client.start_on_socket(request, socket)?,
        None => client.start(request)?,
    };
    let mut body = Vec::new();
    loop {
        if transfer.step(&mut body)? == Progress::Done {
            break;
        }
        if body.len() > bytes_max {
            return Err(Error::TooLong {
                host: transfer.host().to_string(),
                bytes_max,
            });
        }
        wait(&transfer, signals, whole)?;
    }
    let head = transfer
        .head()
        .cloned()
        .ok_or_else(|| Error::Wait(std::io::Error::other("an answer without a head")))?;
    if bounds.socket.is_none() {
        client.finish(transfer);
    }
    Ok(Response { head, body })
}

/// Waits until something of `transfer` moved or its deadline is over. Fails if `whole` is over or
/// a signal says stop.
pub fn wait(transfer: &Transfer, signals: &Signals, whole: Deadline) -> Result<(), Error> {
    let mut set = PollSet::new();
    transfer.wait_for(&mut set, Woken::Transfer);
    pause(set, signals, transfer.deadline(), whole, transfer.host())
}

fn pause<'a>(
    mut set: PollSet<'a, Woken>,
    signals: &'a Signals,
    deadline: Deadline,
    whole: Deadline,
    host: &str,
) -> Result<(), Error> {
    if whole.is_over() {
        return Err(Error::Timeout {
            host: host.to_string(),
            limit: whole.limit(),
        });
    }
    set.add(signals.fd(), Interest::Read, Woken::Signal);
    let woken = set.wait(deadline.sooner(whole).left());
    if !woken.map_err(Error::Wait)?.contains(&Woken::Signal) {
        return Ok(());
    }
    while let Some(signal) = signals.next() {
        if STOPS.contains(&signal) {
            let signal = signal as i32;
            return Err(Error::Interrupted { signal });
        }
    }
    Ok(())
}
