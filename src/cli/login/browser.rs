//! `sx login --browser`: waits in one poll for the browser to come back to our port and for the
//! person to paste the address that it ended at.

use super::callback::Callback;
use super::callback::Verdict;
use super::open;
use super::talk::Talk;
use crate::auth::login;
use crate::auth::login::Client;
use crate::auth::login::Tokens;
use crate::auth::login::browser::Browser;
use crate::auth::login::browser::PORTS;
use crate::auth::login::browser::Returned;
use crate::auth::login::exchange;
use crate::auth::login::exchange::Code;
use crate::auth::login::pkce::Pkce;
use crate::base::clock::Deadline;
use crate::cli::courier::Courier;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use serde::Serialize;

/// The step that a program is told of.
#[derive(Serialize)]
struct Step<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    url: &'a str,
    /// The port that the browser comes back to; `null` if it has to be pasted.
    port: Option<u16>,
    expires_in: u64,
}

/// What a wait was woken by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    Callback,
    Typed,
    Signal,
}

/// Where the login comes back to.
struct Ways<'a> {
    browser: Browser,
    callback: Option<Callback>,
    talk: &'a mut Talk,
}

/// Logs in. A signal that ended it is remembered by the courier.
pub fn log_in(
    ground: &Ground,
    client: &Client,
    courier: &mut Courier,
    talk: &mut Talk,
    has_display: bool,
) -> Result<Tokens, Fault> {
    let pkce = Pkce::new().map_err(|error| Fault::new(Exit::Fault, error))?;
    let callback = Callback::bind(&PORTS).map_err(|error| {
        let what = format!("cannot listen on 127.0.0.1: {error}");
        Fault::new(Exit::Settings, what).hint("`sx login --device` needs no port")
    })?;
    let port = callback.as_ref().map(|callback| callback.port);
    let begun = Browser::begin(client, pkce, port.unwrap_or(PORTS[0]));
    let browser = begun.map_err(|error| super::fault_of(&error))?;
    let step = Step {
        kind: "browser",
        url: &browser.url,
        port,
        expires_in: login::LIFETIME.as_secs(),
    };
    talk.tell_step(&step, &words(&browser, port))?;
    if has_display && let Err(error) = open::open(ground, &browser.url) {
        talk.say(&format!("  the browser could not be started: {error}"));
    }
    let mut ways = Ways {
        browser,
        callback,
        talk,
    };
    let outcome = match ways.wait(courier) {
        Ok(code) => exchange::exchange(client, &code, courier),
        Err(Ended::Login(error)) => Err(error),
        Err(Ended::NoWay) => return Err(no_way()),
    };
    if let Some(callback) = ways.callback {
        match &outcome {
            Ok(_) => callback.finish("You are logged in", "This page can be closed."),
            Err(_) => callback.finish("The login failed", "The terminal says why."),
        }
    }
    outcome.map_err(|error| super::fault_of(&error))
}

fn words(browser: &Browser, port: Option<u16>) -> String {
    let back = match port {
        Some(port) => format!(
            "It comes back to port {port} of this machine. If your browser is on another one, it \
             ends\nat a page that cannot be shown: paste the address of that page here."
        ),
        None => format!(
            "Ports {} and {} of this machine are taken, so it cannot come back by itself: paste \
             the\naddress of the page that it ends at here.",
            PORTS[0], PORTS[1]
        ),
    };
    format!("Open this in a browser:\n\n  {}\n\n{back}", browser.url)
}

fn no_way() -> Fault {
    let what = format!(
        "ports {} and {} of 127.0.0.1 are both taken, and nothing can be pasted here",
        PORTS[0], PORTS[1]
    );
    Fault::new(Exit::Settings, what).hint(
        "`sx login --device` needs no port; another program that logs in may have them: see \
         `ss -ltnp`",
    )
}

/// Why no code came.
enum Ended {
    Login(login::Error),
    /// There is neither a port nor anything to be typed.
    NoWay,
}

impl Ways<'_> {
    /// Waits for the code, by whichever way it comes.
    fn wait(&mut self, courier: &mut Courier) -> Result<Code, Ended> {
        let deadline = Deadline::after(login::LIFETIME, "15 minutes");
        loop {
            while let Some(line) = self.talk.lines.take_line() {
                match self.browser.pasted(&line) {
                    Returned::Code(code) => return Ok(code),
                    Returned::Ended(error) => return Err(Ended::Login(error)),
                    Returned::Foreign => self.talk.say(
                        "  that belongs to another login: paste the address that came of the one \
                         above",
                    ),
                    Returned::Nothing if line.trim().is_empty() => {}
                    Returned::Nothing => self.talk.say(
                        "  that is no such address: it begins with http://127.0.0.1 and has a \
                         code= and a state=",
                    ),
                }
            }
            if self.callback.is_none() && self.talk.lines.is_over() {
                return Err(Ended::NoWay);
            }
            if deadline.is_over() {
                let limit = deadline.limit().to_string();
                return Err(Ended::Login(login::Error::Expired { limit }));
            }
            let woken = self.poll(courier, deadline)?;
            if woken.contains(&Woken::Typed) {
                self.talk.lines.read();
            }
            if woken.contains(&Woken::Callback)
                && let Some(returned) = self.heard()
            {
                return returned.map_err(Ended::Login);
            }
        }
    }

    /// What the browser brought, if it brought anything of ours.
    fn heard(&mut self) -> Option<Result<Code, login::Error>> {
        let mut outcome = None;
        let browser = &self.browser;
        self.callback.as_mut()?.step(&mut |query| {
            let returned = match browser.returned(query) {
                Returned::Code(code) => Ok(code),
                Returned::Ended(error) => Err(error),
                Returned::Foreign | Returned::Nothing => return Verdict::Foreign,
            };
            outcome = Some(returned);
            Verdict::Ours
        });
        outcome
    }

    fn poll(&self, courier: &mut Courier, deadline: Deadline) -> Result<Vec<Woken>, Ended> {
        let mut set = PollSet::new();
        set.add(courier.signals.fd(), Interest::Read, Woken::Signal);
        if let Some(fd) = self.talk.lines.fd() {
            set.add(fd, Interest::Read, Woken::Typed);
        }
        if let Some(callback) = &self.callback {
            callback.wait_for(&mut set, Woken::Callback);
        }
        let stopped = |why: String| Ended::Login(login::Error::Stopped { why });
        let woken = set.wait(deadline.left());
        let woken = woken.map_err(|error| stopped(error.to_string()))?;
        match courier.signals.next() {
            Some(signal) => {
                courier.stopped_by = Some(signal as i32);
                Err(stopped("a signal came".to_string()))
            }
            None => Ok(woken),
        }
    }
}
