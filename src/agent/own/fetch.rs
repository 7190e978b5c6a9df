//! `fetch`: a page of the network as text. The brain asks for it, since the hands have no network.
//!
//! Whatever a model can be talked into must not reach what only this machine can: an address is
//! checked when it is connected to (`net::route::Scope::Public`), at every redirect anew, and no
//! credential, cookie or certificate goes along. A person is asked before a host hears anything,
//! since an address can carry words away; who has nobody to ask says so by `TOOL_FETCH=1`.

mod reading;

use crate::agent::event::Event;
use crate::agent::own::Own;
use crate::agent::own::Room;
use crate::agent::own::Stop;
use crate::agent::own::question;
use crate::base::clock::Deadline;
use crate::chat::tool::Effect;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::http::exchange::Request;
use crate::http::head::ResponseHead;
use crate::http::redirect;
use crate::http::url::Url;
use crate::net;
use crate::net::route::Scope;
use crate::net::route::is_public;
use crate::net::transfer::Progress;
use crate::tools::Answer;
use crate::tools::Refusal;
use crate::tools::arguments::Arguments;
use reading::Reading;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// The tool.
pub(super) const TOOL: Own = Own {
    spec: ToolSpec {
        name: "fetch",
        description: "Fetches a public http(s) URL and gives its text; links are numbered.",
        input: Input::Schema(concat!(
            r#"{"type":"object","properties":{"url":{"type":"string"},"#,
            r#""offset":{"type":"integer","description":"byte of the text to go on at"}},"#,
            r#""required":["url"],"additionalProperties":false}"#,
        )),
        // It leaves the machine, and a person may be asked: one after the other.
        effect: Effect::Changes,
    },
    fields: &["url", "offset"],
    run,
};

/// An address that names a page is shorter; one that carries a file away is not.
const URL_BYTES_MAX: usize = 2_000;

/// Of a page, so much is read. The text of a book has less.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// As curl and browsers do it, only less patient.
const REDIRECTS_MAX: u32 = 5;

/// For one request; the waits before its first byte have limits of their own.
const TIME_MAX: Duration = Duration::from_secs(60);
const TIME_LIMIT: &str = "the 60 s that a page has";

/// Hosts that a person allowed for the session.
const HOSTS_MAX: usize = 1_000;

/// Who says that a host may hear from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// The person, each time.
    Ask,
    /// It was given for all.
    Given,
}

/// What fetching needs, and what it knows so far.
pub struct Web {
    client: net::Client,
    consent: Consent,
    may_be_private: bool,
    hosts: BTreeSet<String>,
    /// The last page, for who goes on in it.
    last: Option<(String, Reading)>,
}

impl Web {
    /// Nothing is opened before the first page. The options say how far connections may go, and
    /// should have no certificate of ours.
    pub fn new(network: net::client::Options, consent: Consent) -> Web {
        Web {
            may_be_private: network.scope != Scope::Public,
            client: net::Client::new(network),
            consent,
            hosts: BTreeSet::new(),
            last: None,
        }
    }
}

fn run(mut arguments: Arguments, room: &mut Room<'_>) -> Result<Answer, Stop> {
    let asked = arguments.text("url")?;
    let offset = arguments.count("offset")?.unwrap_or(0);
    let url = address(&asked)?;
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let known = room.web.as_mut().and_then(|web| web.last.take());
    let reading = match known {
        Some((of, reading)) if offset > 0 && of == url.to_string() => reading,
        _ => read(url.clone(), room)?,
    };
    let answer = reading.answer(offset);
    if let Some(web) = &mut room.web {
        web.last = Some((url.to_string(), reading));
    }
    Ok(answer?)
}

/// The address that a call names, if it is one that may be asked at all.
fn address(asked: &str) -> Result<Url, Refusal> {
    let asked = asked.trim();
    if asked.len() > URL_BYTES_MAX {
        let bytes = asked.len();
        return Err(Refusal::new(format!(
            "the URL has {bytes} bytes, at most {URL_BYTES_MAX} are sent"
        )));
    }
    // What stands behind the # is never sent.
    let asked = asked.split('#').next().unwrap_or_default();
    let url = Url::parse(asked)?;
    Ok(url)
}

/// What keeps an address from being asked though it is one: it names no public host. Through a
/// proxy this is all that can be known; without, the connection itself is checked too.
fn not_public(url: &Url) -> Option<Refusal> {
    const ENDINGS: &[&str] = &["localhost", "local", "internal", "lan", "home.arpa"];
    let host = url.host.trim_end_matches('.');
    let is_public = match host.parse::<IpAddr>() {
        Ok(address) => is_public(address),
        Err(_) => {
            let last = host.rsplit('.').next().unwrap_or_default();
            let is_private = |ending: &&str| {
                let before = host.strip_suffix(*ending);
                before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
            };
            // A number would be taken for an address by some.
            let is_number = last.starts_with(|c: char| c.is_ascii_digit());
            host.contains('.') && !is_number && !ENDINGS.iter().any(is_private)
        }
    };
    (!is_public).then(|| private(&url.host))
}

fn private(host: &str) -> Refusal {
    Refusal::new(format!(
        "{host} is not public, and only public hosts are asked; the user can allow others with \
         FETCH_PRIVATE=1"
    ))
}

/// Asks for a page, and wherever it sends us.
fn read(url: Url, room: &mut Room<'_>) -> Result<Reading, Stop> {
    let mut request = Request::get(url)
        .header("User-Agent", concat!("sx/", env!("CARGO_PKG_VERSION")))
        .header(
            "Accept",
            "text/html, text/*;q=0.9, application/json;q=0.9, */*;q=0.1",
        );
    for _ in 0..=REDIRECTS_MAX {
        allow(&request.url, room)?;
        let (head, body) = once(request.clone(), room)?;
        match redirect::next(&request, &head).map_err(Refusal::from)? {
            Some(next) => request = next,
            None => return Ok(Reading::new(&request.url, &head, &body)),
        }
    }
    let url = &request.url;
    let words = format!("redirected more than {REDIRECTS_MAX} times, the last time to {url}");
    Err(Refusal::new(words).into())
}

/// Refuses a host that is not public, and one that the person does not want to hear from us.
fn allow(url: &Url, room: &mut Room<'_>) -> Result<(), Stop> {
    let web = room.web()?;
    if !web.may_be_private
        && let Some(refusal) = not_public(url)
    {
        return Err(refusal.into());
    }
    let host = url.authority();
    if web.consent == Consent::Given || web.hosts.contains(&host) {
        return Ok(());
    }
    let always = format!("yes, and all else of {host} in this session");
    let choices = ["yes".to_string(), always.clone(), "no".to_string()];
    let answer = question::ask(room, &format!("Fetch {url} ?"), &choices)?;
    let Some(answer) = answer else {
        let words = "nobody is at a terminal to allow it; the user can allow all with TOOL_FETCH=1";
        return Err(Refusal::new(words).into());
    };
    let web = room.web()?;
    if answer == always && web.hosts.len() < HOSTS_MAX {
        web.hosts.insert(host);
    }
    match answer == choices[0] || answer == always {
        true => Ok(()),
        false => Err(Refusal::new(format!("the user did not allow it, and said: {answer}")).into()),
    }
}

/// One request and what comes of it: its head, and as much of its body as is read.
fn once(request: Request, room: &mut Room<'_>) -> Result<(ResponseHead, Vec<u8>), Stop> {
    let deadline = Deadline::after(TIME_MAX, TIME_LIMIT);
    let host = request.url.host.clone();
    let told = |error: net::Error| match error.plain() {
        net::Error::Private { .. } => private(&host),
        _ => Refusal::from(error),
    };
    let web = room.web()?;
    let started = web.client.start(request);
    for warning in web.client.take_warnings() {
        room.show(&Event::Warning(&warning))?;
    }
    let mut transfer = started.map_err(told)?;
    let mut body = Vec::new();
    loop {
        let progress = transfer.step(&mut body).map_err(told)?;
        if let Some(head) = transfer.head() {
            // What nobody wants to read need not come.
            let is_enough = redirect::is_redirect(head) || body.len() > BODY_BYTES_MAX;
            reading::check(head)?;
            if is_enough || progress == Progress::Done {
                return Ok((head.clone(), body));
            }
        }
        if deadline.is_over() {
            let words = format!("{host} took longer than {}", deadline.limit());
            return Err(Refusal::new(words).into());
        }
        let until = transfer.deadline().sooner(deadline);
        room.desk.wait(Some(&transfer), until)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, is_public: bool) {
        let url = address(url).unwrap();
        assert_eq!(not_public(&url).is_none(), is_public, "{url}");
    }

    #[test]
    fn only_public_names_and_addresses_are_asked() {
        check("https://example.org/a?b#c", true);
        check("http://1.1.1.1:8080/", true);
        check("https://[2606:4700::1111]/", true);
        check("https://local.example.org/", true);
        for private in [
            "http://localhost/",
            "http://a.localhost./",
            "http://router/",
            "http://printer.local/",
            "http://metadata.google.internal/x",
            "http://127.0.0.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://2130706433/",
            "http://0x7f.1/",
        ] {
            // Some of them are no addresses at all for us.
            if address(private).is_ok() {
                check(private, false);
            }
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "",
            "example.org",
            "file:///etc/passwd",
            "ftp://h/",
            "https://me:x@h/",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
        let long = format!("https://example.org/{}", "x".repeat(2_000));
        assert!(address(&long).is_err());
    }
}
