//! What is said of the way to a host: name, proxy, connection, TLS, answer, clock. Values only,
//! but for the files that say whom we trust.

use super::finding::Finding;
use crate::base::clock;
use crate::base::date;
use crate::base::text;
use crate::cli::standing::span;
use crate::config::Settings;
use crate::http::head::ResponseHead;
use crate::http::url::Scheme;
use crate::http::url::Url;
use crate::net;
use crate::net::Client;
use crate::net::proxy;
use crate::net::proxy::Variables;
use crate::net::tls::Facts;
use crate::net::trace::Attempt;
use crate::net::trace::Trace;

/// Tokens are renewed five minutes before their end.
const CLOCK_APART_MAX_S: u64 = 300;

/// Who renews a certificate does it earlier than that; the shortest live for six days.
const CERTIFICATE_LEFT_MIN_S: u64 = 2 * 24 * 60 * 60;

/// Of the address that a redirect names.
const ADDRESS_CHARS_MAX: usize = 120;

/// How far the way to a host was walked.
pub(super) struct Walk<'a> {
    /// The setting that names the host.
    pub key: &'static str,
    pub url: &'a Url,
    pub trace: &'a Trace,
    /// The answer, where one was asked for and came.
    pub head: Option<&'a ResponseHead>,
    /// Where it ended; `None` if it led to the end.
    pub error: Option<net::Error>,
}

/// A piece of the way, in the order in which they are walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Name,
    Proxy,
    Host,
    Tls,
    Answer,
}

impl Walk<'_> {
    /// A finding for each piece of the way, the last one for where it ended.
    pub fn told(&self) -> Vec<Finding> {
        let stage = self.error.as_ref().map(|error| self.stage(error));
        let is_past = |piece| stage.is_none_or(|stage| piece < stage);
        let winner = self.trace.addresses.iter().find(|one| one.error.is_none());
        let mut found = Vec::new();
        if let Some(winner) = winner
            && is_past(Stage::Name)
        {
            found.push(self.name(winner));
            if let Some(proxy) = self.trace.proxy.as_ref().filter(|_| is_past(Stage::Proxy)) {
                let detail = format!("it passes us on to {}", self.url.authority());
                found.push(Finding::ok("proxy", proxy, detail));
            }
            if is_past(Stage::Host) {
                found.push(self.reached());
            }
        }
        if let Some(facts) = self.trace.tls.as_ref().filter(|_| is_past(Stage::Tls)) {
            found.push(certificate(
                &self.url.origin(),
                facts,
                clock::unix_seconds(),
            ));
        }
        if let Some(head) = self.head.filter(|_| is_past(Stage::Answer)) {
            found.push(self.answer(head));
            found.extend(apart(&self.url.origin(), head, clock::unix_seconds()));
        }
        if let (Some(stage), Some(error)) = (stage, &self.error) {
            found.push(self.end(stage, error));
        }
        found
    }

    /// Where it ended. What is not said by the error is said by how far it came.
    fn stage(&self, error: &net::Error) -> Stage {
        use net::Error;
        let is_connected = self.trace.addresses.iter().any(|one| one.error.is_none());
        match error {
            Error::Resolve { .. } => Stage::Name,
            Error::ProxySetting(_) | Error::Proxy { .. } | Error::Tunnel { .. } => Stage::Proxy,
            Error::Connect { .. }
            | Error::Socket { .. }
            | Error::Offline { .. }
            | Error::Private { .. } => Stage::Host,
            Error::Tls { .. } => Stage::Tls,
            Error::Http { .. } | Error::TooLong { .. } => Stage::Answer,
            Error::Timeout { .. }
            | Error::Broken { .. }
            | Error::Interrupted { .. }
            | Error::Wait(_) => match self.url.scheme {
                _ if !is_connected => Stage::Host,
                Scheme::Https if self.trace.tls.is_none() => Stage::Tls,
                _ => Stage::Answer,
            },
        }
    }

    fn end(&self, stage: Stage, error: &net::Error) -> Finding {
        let key = self.key;
        let (check, fix) = match stage {
            Stage::Name => (
                "dns",
                format!(
                    "correct the name in {key} or the servers in /etc/resolv.conf; \
                     `-e RESOLVE=host=ip` gives an address by hand"
                ),
            ),
            Stage::Proxy => ("proxy", "correct the proxy's address, or unset it".into()),
            Stage::Host => (
                "host",
                "see that it runs and that no firewall stands between; where one does, \
                 HTTPS_PROXY names the way out"
                    .into(),
            ),
            Stage::Tls => (
                "tls",
                format!("see that {key} names the port where it speaks TLS"),
            ),
            Stage::Answer => (
                "answer",
                format!("see that {key} names the service; `sx probe` shows each step"),
            ),
        };
        let said = error.to_string();
        let fix = match error.hint() {
            Some(hint) => hint,
            None if said.contains("unreachable") => {
                "this machine has no way there: see its network (`ip addr`, `ip route`), or the \
                 proxy that it may need"
                    .into()
            }
            None => fix,
        };
        let fix = match fix.contains(key) {
            true => fix,
            false => format!("{fix}; the address comes from {key}"),
        };
        Finding::fail(check, &self.url.origin(), said, &fix)
    }

    fn name(&self, winner: &Attempt) -> Finding {
        let name = self.trace.proxy.as_ref().unwrap_or(&self.url.host);
        let address = winner.address.ip();
        let detail = match self.trace.named_by {
            Some("the name itself") | None => format!("{address}; nobody has to be asked"),
            Some(by) => format!("{address}, by {by}"),
        };
        Finding::ok("dns", name, detail)
    }

    fn reached(&self) -> Finding {
        let phases = self.trace.phases();
        let took: u128 = phases.iter().map(|(_, took)| took.as_millis()).sum();
        let way = match &self.trace.proxy {
            Some(proxy) => format!("through the proxy {proxy}"),
            None => "directly".to_string(),
        };
        let detail = format!("reached in {took} ms {way} ({})", self.key);
        Finding::ok("host", &self.url.origin(), detail)
    }

    /// What a status means to who asked without a login.
    fn answer(&self, head: &ResponseHead) -> Finding {
        let name = self.url.origin();
        let key = self.key;
        let status = head.status;
        let kind = head.headers.first("content-type").unwrap_or_default();
        let is_page = kind.to_ascii_lowercase().starts_with("text/html");
        let said = |words: &str| format!("status {status} to a request without a login: {words}");
        let here = format!("correct {key}, or the path in it");
        match status {
            200..300 if is_page => Finding::fail(
                "answer",
                &name,
                said("a page for people, not the service; a hotel's or a company's sign-in page?"),
                &format!("open {name} in a browser and sign in there, or correct {key}"),
            ),
            200..300 => Finding::ok("answer", &name, said("it answers anybody")),
            300..400 => {
                let to = head.headers.first("location").unwrap_or("nowhere");
                let to = text::ellipsis(to, ADDRESS_CHARS_MAX);
                let detail = said(&format!("it sends us to {to}, where no run follows"));
                let fix = format!(
                    "if that is where the service is now, write it into {key}; if it is a sign-in \
                     page of the network, sign in with a browser"
                );
                Finding::fail("answer", &name, detail, &fix)
            }
            403 if is_page => Finding::warn(
                "answer",
                &name,
                said("a page refuses us, so something before the service may: a filter, a region"),
                "try from another network, or name the proxy in HTTPS_PROXY",
            ),
            404 | 405 | 410 | 501 => Finding::warn(
                "answer",
                &name,
                said("it has no list of models there"),
                &format!("{here}; a server without such a list may still work"),
            ),
            429 => Finding::warn("answer", &name, said("it is asked too often"), "wait"),
            500.. => Finding::fail(
                "answer",
                &name,
                said("the service or what stands before it is broken"),
                &format!("try again later; if it lasts, ask whoever runs it, or see {key}"),
            ),
            _ => Finding::ok(
                "answer",
                &name,
                said("it is there and wants one (`sx models` tells whether it takes ours)"),
            ),
        }
    }
}

/// What the handshake told; a certificate that ends soon is worth a word.
fn certificate(name: &str, facts: &Facts, now: u64) -> Finding {
    let left = facts.not_after.saturating_sub(now);
    let detail = format!(
        "{}, certificate by `{}`, good for {}",
        facts.version,
        facts.issuer,
        span(left)
    );
    match left < CERTIFICATE_LEFT_MIN_S {
        true => Finding::warn(
            "tls",
            name,
            detail,
            "the server needs a new certificate soon",
        ),
        false => Finding::ok("tls", name, detail),
    }
}

/// How far the host's clock is from ours, where it tells.
fn apart(name: &str, head: &ResponseHead, ours: u64) -> Option<Finding> {
    let theirs = head.headers.first("date").and_then(date::parse_http)?;
    let apart = theirs.abs_diff(ours);
    if apart <= CLOCK_APART_MAX_S {
        return Some(Finding::ok("clock", name, "its clock and ours agree"));
    }
    let way = if ours < theirs { "behind" } else { "ahead" };
    let detail = format!("this machine's clock is {} {way}", span(apart));
    let fix = "set the clock: tokens and certificates are judged by it";
    Some(Finding::fail("clock", name, detail, fix))
}

/// The proxies that are set, each by the addresses it is for. One that cannot be used is never
/// passed by.
pub(super) fn proxies(variables: &Variables) -> Vec<Finding> {
    let mut found = Vec::new();
    for scheme in ["https", "http"] {
        // A name that no list of exceptions has.
        let Ok(url) = Url::parse(&format!("{scheme}://sx-doctor.invalid/")) else {
            continue;
        };
        let name = format!("for {scheme} addresses");
        found.extend(match proxy::choose(&url, variables) {
            Ok(None) => None,
            Ok(Some(proxy)) => {
                let detail = format!("{proxy}, by {}", proxy.variable);
                Some(Finding::ok("proxy", &name, detail))
            }
            Err(error) => {
                let fix = format!("write {}=http://host:port", error.variable);
                Some(Finding::fail("proxy", &name, error.to_string(), &fix))
            }
        });
    }
    if found.is_empty() {
        found.push(Finding::ok(
            "proxy",
            "",
            "none is set, or NO_PROXY is for all",
        ));
    }
    found
}

/// Whom we trust and who we are, by the files that settings name.
pub(super) fn trust(settings: &Settings, client: &mut Client) -> Finding {
    if let Err(failure) = client.read_trust() {
        let fix = failure.hint().unwrap_or("correct the file that is named");
        return Finding::fail("trust", "", failure.to_string(), fix);
    }
    let keys = ["CA_FILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "CLIENT_CERT"];
    let named = keys.map(|key| Some(format!("; {key} {}", settings.path(key)?.display())));
    let named: String = named.into_iter().flatten().collect();
    Finding::ok("trust", "", format!("the built-in roots{named}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::State;
    use crate::http::head::Headers;

    fn walk(trace: &Trace, error: net::Error) -> Vec<String> {
        let walk = Walk {
            key: "CODEX_BASE_URL",
            url: &Url::parse("https://h/x").unwrap(),
            trace,
            head: None,
            error: Some(error),
        };
        walk.told().iter().map(Finding::spoken).collect()
    }

    #[test]
    fn a_host_that_cannot_be_reached_names_the_fault_and_the_fix() {
        let error = net::Error::Offline { host: "h".into() };
        assert_eq!(
            walk(&Trace::start(), error),
            ["fail  host https://h:443: h is not on this machine\n      \
              fix: OFFLINE allows connections to this machine only; \
              the address comes from CODEX_BASE_URL"]
        );
    }

    #[test]
    fn a_wait_without_an_end_is_told_by_how_far_it_came() {
        let error = || net::Error::Timeout {
            host: "h".into(),
            limit: "the doctor's 15 s",
        };
        let mut trace = Trace::start();
        let first = |trace: &Trace| {
            let told = walk(trace, error());
            told.iter()
                .map(|line| line[..10].to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(first(&trace), ["fail  host"]);
        trace.addresses.push(Attempt {
            address: "127.0.0.1:1".parse().unwrap(),
            took: std::time::Duration::ZERO,
            error: None,
        });
        assert_eq!(first(&trace), ["ok    dns ", "ok    host", "fail  tls "]);
    }

    #[test]
    fn every_status_has_a_meaning() {
        #[track_caller]
        fn check(status: u16, kind: &str, expected: State) {
            let mut headers = Headers::new();
            headers.push("content-type", kind);
            let head = ResponseHead {
                status,
                reason: String::new(),
                minor: 1,
                headers,
            };
            let walk = Walk {
                key: "CODEX_BASE_URL",
                url: &Url::parse("http://h/x").unwrap(),
                trace: &Trace::start(),
                head: Some(&head),
                error: None,
            };
            let told = walk.told();
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!(told[0].state, expected, "{told:?}");
        }
        for status in [200, 400, 401, 403, 422] {
            check(status, "application/json", State::Ok);
        }
        check(401, "text/html", State::Ok);
        check(200, "Text/HTML; charset=utf-8", State::Fail);
        check(302, "text/html", State::Fail);
        for (status, kind) in [
            (403, "text/html"),
            (404, ""),
            (405, ""),
            (429, ""),
            (501, ""),
        ] {
            check(status, kind, State::Warn);
        }
        for status in [500, 502, 503] {
            check(status, "text/html", State::Fail);
        }
    }

    #[test]
    fn a_certificate_that_ends_soon_is_worth_a_word() {
        let facts = Facts {
            version: "TLSv1.3",
            cipher: String::new(),
            resumed: false,
            issuer: "CN=a".into(),
            subject: "CN=h".into(),
            not_after: 1_000_000,
        };
        let at = |now| certificate("h", &facts, now).spoken();
        assert!(
            at(1_000_000 - 60).starts_with("warn  tls h: TLSv1.3, certificate by `CN=a`, good")
        );
        assert!(at(0).starts_with("ok    tls h: "));
    }
}
