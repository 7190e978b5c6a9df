//! What a probe found out, as the one JSON object that `--json` prints.
//!
//! Every field is always there. Fields may be added; those that are here keep name and meaning.

use super::ask::Answer;
use crate::base::text;
use crate::http;
use crate::http::head::Headers;
use crate::http::url::Url;
use crate::net::Error;
use crate::net::tls::Facts;
use crate::net::trace::Phase;
use crate::net::trace::Trace;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::Serializer;
use std::io;
use std::io::BufWriter;
use std::io::Write;
use std::time::Duration;

/// Large enough that a body of megabytes is few writes.
const WRITE_BYTES: usize = 64 * 1024;

/// The object. The order of the fields is the order in which they are written.
#[derive(Serialize)]
pub struct Report<'a> {
    url: String,
    /// Where redirects led; only with -L.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    redirects: Vec<String>,
    addresses: Vec<Address<'a>>,
    proxy: Option<&'a str>,
    phases_ms: Phases,
    tls: Option<Tls<'a>>,
    /// `null` if no head came.
    status: Option<u16>,
    headers: Vec<(&'a str, &'a str)>,
    trailers: Vec<(&'a str, &'a str)>,
    /// As much as came, also before an error.
    #[serde(serialize_with = "as_base64")]
    body_base64: &'a [u8],
    error: Option<Failure>,
}

#[derive(Serialize)]
struct Address<'a> {
    address: String,
    ms: f64,
    error: Option<&'a str>,
}

/// A phase that there was not, such as `tls` on a plain connection, took no time.
#[derive(Default, Serialize)]
struct Phases {
    resolve: f64,
    connect: f64,
    proxy: f64,
    tls: f64,
    request: f64,
    first_byte: f64,
    total: f64,
}

#[derive(Serialize)]
struct Tls<'a> {
    version: &'a str,
    cipher: &'a str,
    resumed: bool,
    issuer: &'a str,
    subject: &'a str,
    /// Unix seconds, as everywhere in our JSON.
    not_after: u64,
}

/// What went wrong: a word for programs, a line for people.
#[derive(Debug, PartialEq, Serialize)]
pub struct Failure {
    kind: &'static str,
    message: String,
}

impl<'a> Report<'a> {
    /// All that is known about a request for `url`.
    pub fn new(url: &Url, answer: &'a Answer, body: &'a [u8]) -> Report<'a> {
        let head = answer.head.as_ref();
        Report {
            url: url.to_string(),
            redirects: answer.redirects.iter().map(Url::to_string).collect(),
            addresses: addresses(&answer.trace),
            proxy: answer.trace.proxy.as_deref(),
            phases_ms: phases(&answer.trace),
            tls: answer.trace.tls.as_ref().map(tls),
            status: head.map(|head| head.status),
            headers: head.map_or_else(Vec::new, |head| fields(&head.headers)),
            trailers: fields(&answer.trailers),
            body_base64: body,
            error: answer.error.as_ref().map(Failure::of),
        }
    }

    /// Writes it as one line. The body is encoded on the way, so that it is in memory once.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(WRITE_BYTES, out);
        serde_json::to_writer(&mut out, self)?;
        out.write_all(b"\n")?;
        out.flush()
    }
}

impl Failure {
    /// The words for an error of the network.
    pub fn of(error: &Error) -> Failure {
        Failure {
            kind: kind(error),
            message: text::one_line(&error.to_string()),
        }
    }
}

/// The word by which a program can tell what to do; `sx help probe` lists them.
fn kind(error: &Error) -> &'static str {
    match error {
        Error::Resolve { limit: None, .. } => "resolve",
        Error::Resolve { limit: Some(_), .. } => "timeout",
        Error::Connect { limit: None, .. } | Error::Socket { .. } => "connect",
        Error::Connect { limit: Some(_), .. } => "timeout",
        Error::Offline { .. } | Error::Private { .. } => "offline",
        Error::ProxySetting(_) | Error::Tunnel { .. } => "proxy",
        Error::Proxy { source, .. } => match kind(source) {
            limit @ ("timeout" | "offline") => limit,
            _ => "proxy",
        },
        Error::Tls { .. } => "tls",
        Error::Timeout { .. } => "timeout",
        Error::Broken { .. } => "broken",
        Error::Http { source, .. } => match source {
            http::Error::Malformed { .. } => "malformed",
            http::Error::Unasked { .. } => "unasked",
            http::Error::TooMany { .. } => "too_many",
            http::Error::Truncated { .. } => "truncated",
            http::Error::Url { .. } | http::Error::Request { .. } => "request",
        },
        Error::TooLong { .. } => "too_long",
        Error::Interrupted { .. } => "interrupted",
        Error::Wait(_) => "fault",
    }
}

fn addresses(trace: &Trace) -> Vec<Address<'_>> {
    let attempts = trace.addresses.iter().map(|attempt| Address {
        address: attempt.address.to_string(),
        ms: ms(attempt.took),
        error: attempt.error.as_deref(),
    });
    attempts.collect()
}

fn phases(trace: &Trace) -> Phases {
    let mut all = Phases {
        total: ms(trace.total()),
        ..Phases::default()
    };
    for (phase, took) in trace.phases() {
        let field = match phase {
            Phase::Resolve => &mut all.resolve,
            Phase::Connect => &mut all.connect,
            Phase::Proxy => &mut all.proxy,
            Phase::Tls => &mut all.tls,
            Phase::Request => &mut all.request,
            Phase::FirstByte => &mut all.first_byte,
        };
        *field = ms(took);
    }
    all
}

fn tls(facts: &Facts) -> Tls<'_> {
    Tls {
        version: facts.version,
        cipher: &facts.cipher,
        resumed: facts.resumed,
        issuer: &facts.issuer,
        subject: &facts.subject,
        not_after: facts.not_after,
    }
}

fn fields(headers: &Headers) -> Vec<(&str, &str)> {
    headers.iter().collect()
}

/// Milliseconds with three decimals: on loopback most phases are below one.
fn ms(time: Duration) -> f64 {
    time.as_micros() as f64 / 1_000.0
}

fn as_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Base64Display::new(bytes, &STANDARD))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::ResponseHead;
    use crate::net::trace::Attempt;
    use serde_json::Value;
    use serde_json::json;

    /// The object without its times, which are checked to be numbers.
    fn told(answer: &Answer, body: &[u8]) -> Value {
        let mut line = Vec::new();
        let url = Url::parse("https://h.example/a?b").unwrap();
        Report::new(&url, answer, body).write(&mut line).unwrap();
        assert!(line.ends_with(b"}\n"));
        let mut object: Value = serde_json::from_slice(&line).unwrap();
        let phases = object["phases_ms"].take();
        let names = [
            "resolve",
            "connect",
            "proxy",
            "tls",
            "request",
            "first_byte",
            "total",
        ];
        assert_eq!(phases.as_object().unwrap().len(), names.len());
        for name in names {
            assert!(phases[name].is_f64(), "{name}: {phases}");
        }
        object
    }

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.push(*name, *value);
        }
        headers
    }

    fn answer(head: Option<ResponseHead>, error: Option<Error>) -> Answer {
        Answer {
            trace: Trace::start(),
            head,
            trailers: Headers::new(),
            error,
            redirects: Vec::new(),
        }
    }

    #[test]
    fn a_whole_answer_has_every_field() {
        let head = ResponseHead {
            status: 404,
            reason: "Not Found".into(),
            minor: 1,
            headers: headers(&[("A", "1"), ("a", "\u{e9}\"")]),
        };
        let mut answer = answer(Some(head), None);
        answer.trailers = headers(&[("T", "x")]);
        answer.trace.proxy = Some("proxy:3128".into());
        answer.trace.addresses = vec![
            Attempt {
                address: "[::1]:443".parse().unwrap(),
                took: Duration::from_micros(1_250),
                error: Some("connection refused".into()),
            },
            Attempt {
                address: "127.0.0.1:443".parse().unwrap(),
                took: Duration::from_millis(2),
                error: None,
            },
        ];
        answer.trace.tls = Some(Facts {
            version: "TLSv1.3",
            cipher: "TLS13_AES_128_GCM_SHA256".into(),
            resumed: false,
            issuer: "CN=root".into(),
            subject: "CN=h.example".into(),
            not_after: 4_102_444_800,
        });
        let expected = json!({
            "url": "https://h.example/a?b",
            "addresses": [
                {"address": "[::1]:443", "ms": 1.25, "error": "connection refused"},
                {"address": "127.0.0.1:443", "ms": 2.0, "error": null},
            ],
            "proxy": "proxy:3128",
            "phases_ms": null,
            "tls": {
                "version": "TLSv1.3",
                "cipher": "TLS13_AES_128_GCM_SHA256",
                "resumed": false,
                "issuer": "CN=root",
                "subject": "CN=h.example",
                "not_after": 4_102_444_800_u64,
            },
            "status": 404,
            "headers": [["A", "1"], ["a", "\u{e9}\""]],
            "trailers": [["T", "x"]],
            "body_base64": "AP8K",
            "error": null,
        });
        assert_eq!(told(&answer, b"\0\xff\n"), expected);
    }

    #[test]
    fn a_failure_has_every_field_too() {
        let error = Error::Timeout {
            host: "h".into(),
            limit: "CONNECT_TIMEOUT",
        };
        let expected = json!({
            "url": "https://h.example/a?b",
            "addresses": [],
            "proxy": null,
            "phases_ms": null,
            "tls": null,
            "status": null,
            "headers": [],
            "trailers": [],
            "body_base64": "",
            "error": {
                "kind": "timeout",
                "message": "h took longer than CONNECT_TIMEOUT allows",
            },
        });
        assert_eq!(told(&answer(None, Some(error)), b""), expected);
    }

    #[test]
    fn every_phase_has_its_place() {
        let mut trace = Trace::start();
        trace.mark(Phase::Resolve);
        trace.mark(Phase::FirstByte);
        trace.finish();
        let told = phases(&trace);
        assert!(told.resolve + told.first_byte <= told.total + 0.002);
        assert_eq!((told.connect, told.tls, told.proxy), (0.0, 0.0, 0.0));
        assert_eq!(ms(Duration::from_nanos(1_234_567)), 1.234);
    }

    #[test]
    fn each_fault_of_the_peer_has_a_word_of_its_own() {
        let http = |source| Error::Http {
            host: "h".into(),
            source,
        };
        let malformed = http::Error::Malformed {
            what: "status line",
            value: "x".into(),
        };
        let truncated = http::Error::Truncated {
            missing: "3 bytes".into(),
        };
        let too_many = http::Error::TooMany {
            what: "fields",
            limit: 1,
        };
        assert_eq!(kind(&http(malformed)), "malformed");
        assert_eq!(kind(&http(truncated)), "truncated");
        assert_eq!(kind(&http(too_many)), "too_many");
    }
}
