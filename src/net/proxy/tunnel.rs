//! CONNECT: the request for a tunnel, and the proxy's answer to it (RFC 9110 §9.3.6). No sockets.
//!
//! Any 2xx opens the tunnel at the end of its head; a length or a coding in it means nothing. All
//! else is a refusal, and what the proxy says about it is read as far as it comes, since that is
//! often the only place where a person learns which rule it was.

use crate::base::text;
use crate::http;
use crate::http::body::Body;
use crate::http::head::ResponseHead;
use crate::http::head::ResponseReader;
use crate::http::url::Url;
use crate::net::proxy::Proxy;
use std::error;
use std::fmt;
use std::mem;

/// Enough for the page of any proxy, whose style sheet comes first.
const PAGE_BYTES_MAX: usize = 16 * 1024;

/// What a person is shown of it.
const WORDS_CHARS_MAX: usize = 200;

/// A proxy may say that it is still at it, but not for ever.
const INTERIM_HEADS_MAX: usize = 100;

/// The bytes that ask `proxy` for a tunnel to the host and port of `target`. They hold the
/// credential.
pub fn connect_request(target: &Url, proxy: &Proxy) -> Vec<u8> {
    let origin = target.origin();
    // The port is always named in a CONNECT (RFC 9112 §3.2.3), and an origin has it.
    let authority = origin.split_once("://").map_or(&*origin, |(_, rest)| rest);
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(authorization) = &proxy.authorization {
        let credential = authorization.expose();
        request.push_str(&format!("Proxy-Authorization: {credential}\r\n"));
    }
    request.push_str("\r\n");
    request.into_bytes()
}

/// Reads the answer.
pub struct ConnectAnswer {
    /// Whether the question held a name and a password.
    has_credential: bool,
    state: State,
    interim_heads: usize,
}

enum State {
    Head(ResponseReader),
    /// It was refused; the words are still coming.
    Refused {
        head: Box<ResponseHead>,
        body: Body,
        page: Vec<u8>,
    },
    /// The caller knows how it ended.
    Over,
}

/// How far an answer is.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// More bytes are needed.
    More,
    /// The tunnel is open.
    Open {
        /// Bytes of the other end that came together with the answer.
        early: Vec<u8>,
    },
}

/// There is no tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The proxy said no.
    Refused {
        /// Its status; 407 wants a credential, or another one.
        status: u16,
        /// Its words on one line, bounded and harmless; may be empty.
        words: String,
        /// What a person can do about it.
        hint: Option<&'static str>,
    },
    /// The proxy broke HTTP.
    Http(http::Error),
}

impl Error {
    /// Whether it may be gone at the next try: the proxy could not reach the server, or broke off.
    pub fn is_passing(&self) -> bool {
        match self {
            Error::Refused { status, .. } => matches!(status, 429 | 500 | 502..=504),
            Error::Http(source) => matches!(source, http::Error::Truncated { .. }),
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::Refused { hint, .. } => *hint,
            Error::Http(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Refused { status, words, .. } if words.is_empty() => {
                write!(f, "it refused with status {status}")
            }
            Error::Refused { status, words, .. } => {
                write!(f, "it refused with status {status}: {words}")
            }
            Error::Http(source) => source.fmt(f),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Refused { .. } => None,
            Error::Http(source) => Some(source),
        }
    }
}

impl Default for ConnectAnswer {
    fn default() -> ConnectAnswer {
        ConnectAnswer {
            has_credential: false,
            state: State::Head(ResponseReader::default()),
            interim_heads: 0,
        }
    }
}

impl ConnectAnswer {
    /// The answer of `proxy` to [`connect_request`].
    pub fn of(proxy: &Proxy) -> ConnectAnswer {
        ConnectAnswer {
            has_credential: proxy.authorization.is_some(),
            ..ConnectAnswer::default()
        }
    }

    /// Takes bytes as they come. After anything but `More` it is over.
    pub fn feed(&mut self, input: &[u8]) -> Result<Answer, Error> {
        let answer = self.advance(input);
        if answer != Ok(Answer::More) {
            self.state = State::Over;
        }
        answer
    }

    /// Whether only the words of a refusal are missing. They are worth a second, not the whole
    /// time that a connection may take; then `finish`.
    pub fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused { .. })
    }

    /// The proxy closed, or took too long: why there is no tunnel.
    pub fn finish(&mut self) -> Error {
        match mem::replace(&mut self.state, State::Over) {
            State::Refused { head, page, .. } => refusal(&head, &page, self.has_credential),
            State::Head(_) | State::Over => Error::Http(http::Error::Truncated {
                missing: "the proxy's answer to CONNECT".to_string(),
            }),
        }
    }

    fn advance(&mut self, mut input: &[u8]) -> Result<Answer, Error> {
        while let State::Head(reader) = &mut self.state {
            let Some(head) = reader.feed(&mut input).map_err(Error::Http)? else {
                return Ok(Answer::More);
            };
            match head.status {
                200..=299 => {
                    return Ok(Answer::Open {
                        early: input.to_vec(),
                    });
                }
                // Another protocol is nothing that we asked for; it goes the way of refusals.
                100 | 102..=199 => {
                    self.interim_heads += 1;
                    if self.interim_heads > INTERIM_HEADS_MAX {
                        return Err(Error::Http(http::Error::TooMany {
                            what: "interim answers",
                            limit: INTERIM_HEADS_MAX,
                        }));
                    }
                    self.state = State::Head(ResponseReader::default());
                }
                _ => {
                    let Ok(body) = Body::of("CONNECT", &head) else {
                        return Err(refusal(&head, &[], self.has_credential));
                    };
                    self.state = State::Refused {
                        head: Box::new(head),
                        body,
                        page: Vec::new(),
                    };
                }
            }
        }
        let State::Refused { head, body, page } = &mut self.state else {
            return Err(self.finish());
        };
        let is_readable = body.feed(&mut input, page).is_ok();
        if is_readable && !body.is_done() && page.len() < PAGE_BYTES_MAX {
            return Ok(Answer::More);
        }
        page.truncate(PAGE_BYTES_MAX);
        Err(refusal(head, page, self.has_credential))
    }
}

/// What a proxy's no says: the reason of the status line, what squid adds to the head, where a
/// redirect leads, and what the page says.
pub(crate) fn refusal(head: &ResponseHead, page: &[u8], has_credential: bool) -> Error {
    let field = |name| head.headers.first(name).unwrap_or_default();
    let page = plain(&String::from_utf8_lossy(page));
    let parts = [
        head.reason.as_str(),
        field("x-squid-error"),
        field("location"),
        &page,
    ];
    let parts = parts.map(text::one_line);
    let parts: Vec<&str> = parts
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    let words = parts.join("; ");
    let words = text::harmless(&words);
    Error::Refused {
        status: head.status,
        words: text::ellipsis(&words, WORDS_CHARS_MAX).into_owned(),
        hint: hint(head, has_credential),
    }
}

/// A proxy that wants to know who we are says in which ways (RFC 9110 §11.7.1).
fn hint(head: &ResponseHead, has_credential: bool) -> Option<&'static str> {
    if !matches!(head.status, 401 | 407) {
        return None;
    }
    let mut schemes = head.headers.all("proxy-authenticate").peekable();
    let names_any = schemes.peek().is_some();
    let takes_basic = schemes.any(|field| field.to_ascii_lowercase().contains("basic"));
    Some(match (names_any && !takes_basic, has_credential) {
        (true, _) => "it wants another way to log in than Basic, the only one that sx has",
        (false, true) => "it did not take the name and the password in its address",
        (false, false) => {
            "user name and password go into the proxy's address: http://NAME:PASSWORD@HOST"
        }
    })
}

/// What a page says: without its tags, its style sheet and its scripts. Plain text stays what it
/// is, but for what looks like a tag.
fn plain(page: &str) -> String {
    let mut words = String::new();
    let mut rest = page;
    while let Some((before, tag)) = rest.split_once('<') {
        words.push_str(before);
        words.push(' ');
        let is = |name: &str| {
            tag.get(..name.len())
                .is_some_and(|it| it.eq_ignore_ascii_case(name))
        };
        let end = match (is("style"), is("script"), is("!--")) {
            (true, _, _) => "</style>",
            (_, true, _) => "</script>",
            (_, _, true) => "-->",
            _ => ">",
        };
        rest = tag.split_once(end).map_or("", |(_, rest)| rest);
    }
    words + rest
}

/// What must hold for any answer, however it is cut: it ends the same way, and what is said of it
/// is bounded.
pub fn fuzz_answer(input: &[u8]) {
    let whole = outcome([input].into_iter());
    let cut = outcome(input.chunks(1));
    match (&whole, &cut) {
        // A line that is wrong is shown as far as it came.
        (Err(Error::Http(_)), Err(Error::Http(_))) => {}
        _ => assert_eq!(whole, cut),
    }
    if let Err(Error::Refused { words, .. }) = whole {
        assert!(words.chars().count() <= WORDS_CHARS_MAX);
        assert!(!words.contains(char::is_control), "{words:?}");
    }
}

/// What an answer in pieces comes to: the early bytes, or why there is no tunnel.
fn outcome<'a>(mut pieces: impl Iterator<Item = &'a [u8]>) -> Result<Vec<u8>, Error> {
    let mut answer = ConnectAnswer::default();
    while let Some(piece) = pieces.next() {
        if let Answer::Open { mut early } = answer.feed(piece)? {
            early.extend(pieces.flatten());
            return Ok(early);
        }
    }
    Err(answer.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mutants::mutants;
    use crate::base::secret::Secret;
    use crate::http::url::Scheme;

    /// The early bytes, or the text of the error; the same however the answer is cut.
    #[track_caller]
    fn check(answer: &str, expected: Result<&str, &str>) {
        let answer = answer.as_bytes();
        let expected = match expected {
            Ok(early) => Ok(early.as_bytes().to_vec()),
            Err(text) => Err(text.to_string()),
        };
        for cut in 0..=answer.len() {
            let (one, other) = answer.split_at(cut);
            let found = outcome([one, other].into_iter());
            let found = found.map_err(|error| error.to_string());
            assert_eq!(found, expected, "cut at {cut}");
        }
        fuzz_answer(answer);
    }

    #[test]
    fn the_request_names_host_and_port_and_carries_the_credential() {
        #[track_caller]
        fn check(url: &str, password: Option<&str>, expected: &str) {
            let proxy = Proxy {
                scheme: Scheme::Http,
                host: "p".into(),
                port: 1,
                authorization: password.map(Secret::new),
                variable: "ALL_PROXY",
            };
            let request = connect_request(&Url::parse(url).unwrap(), &proxy);
            assert_eq!(String::from_utf8(request).unwrap(), expected);
        }
        check(
            "https://h/x",
            None,
            "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n",
        );
        check(
            "https://[::1]:8/",
            Some("Basic YTpi"),
            "CONNECT [::1]:8 HTTP/1.1\r\nHost: [::1]:8\r\nProxy-Authorization: Basic YTpi\r\n\r\n",
        );
    }

    #[test]
    fn any_2xx_opens_the_tunnel_and_early_bytes_are_kept() {
        check("HTTP/1.1 200 Connection established\r\n\r\n", Ok(""));
        check("HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n", Ok(""));
        check("HTTP/1.1 204 \n\nhello", Ok("hello"));
        check(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 299 a\r\n\r\nb",
            Ok("b"),
        );
        let odd = "HTTP/1.1 200 a\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\n\r\nb";
        check(odd, Ok("b"));
    }

    #[test]
    fn a_refusal_has_the_words_of_the_proxy() {
        check(
            "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            Err("it refused with status 407: Proxy Authentication Required"),
        );
        check("HTTP/1.1 502\r\n\r\n", Err("it refused with status 502"));
        check(
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 15\r\n\r\nblocked by\nrule 7",
            Err("it refused with status 403: Forbidden; blocked by rule"),
        );
        check(
            "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\na<b\r\n2\r\n>c\r\n0\r\n\r\n",
            Err("it refused with status 403: Forbidden; a c"),
        );
        check(
            "HTTP/1.1 503 No\r\nX-Squid-Error: ERR_DNS_FAIL 0\r\n\r\n\
             <html><STYLE>p {}</style><!-- > -->\n<p>No <b>such</b> host\x1b[1m",
            Err("it refused with status 503: No; ERR_DNS_FAIL 0; No such host [1m"),
        );
        check(
            "HTTP/1.1 403 No\r\nContent-Encoding: gzip\r\n\r\n\x1f\x08",
            Err("it refused with status 403: No"),
        );
        check(
            "HTTP/1.1 101 Switching\r\n\r\n",
            Err("it refused with status 101: Switching"),
        );
        check(
            &format!("HTTP/1.1 403 No\r\n\r\n{}", "y".repeat(300)),
            Err(&format!(
                "it refused with status 403: No; {}…",
                "y".repeat(195)
            )),
        );
    }

    #[test]
    fn an_endless_page_ends() {
        let mut answer = ConnectAnswer::default();
        let head = answer.feed(b"HTTP/1.1 403 No\r\n\r\n");
        assert_eq!(head, Ok(Answer::More));
        assert!(answer.is_refused());
        let fed = (0..PAGE_BYTES_MAX).find(|_| answer.feed(b"<p>x").is_err());
        assert_eq!(fed, Some(PAGE_BYTES_MAX / 4 - 1));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let missing = "connection closed too early, still to come: \
                       the proxy's answer to CONNECT";
        check("", Err(missing));
        check("HTTP/1.1 200 OK\r\nA: b\r\n", Err(missing));
        let error = outcome([&b"SSH-2.0-x\r\n"[..]].into_iter()).unwrap_err();
        assert_eq!(error.to_string(), "malformed status line `SSH-2.0-x`");
        let endless = "HTTP/1.1 102 \r\n\r\n".repeat(INTERIM_HEADS_MAX + 1);
        check_last(&endless);
    }

    /// Fed whole only: its cuts are many.
    #[track_caller]
    fn check_last(answer: &str) {
        let error = outcome([answer.as_bytes()].into_iter()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "too many interim answers, the limit is 100"
        );
    }

    #[test]
    fn a_refusal_for_want_of_a_credential_says_what_to_do() {
        #[track_caller]
        fn check(fields: &str, has_credential: bool, expected: &str) {
            let text = format!("HTTP/1.1 407 No\r\n{fields}\r\n");
            let mut answer = ConnectAnswer {
                has_credential,
                ..ConnectAnswer::default()
            };
            let error = match answer.feed(text.as_bytes()) {
                Ok(_) => answer.finish(),
                Err(error) => error,
            };
            assert!(error.hint().unwrap().contains(expected), "{error}");
        }
        check("", false, "NAME:PASSWORD@");
        check(
            "Proxy-Authenticate: Basic realm=\"x\"\r\n",
            false,
            "NAME:PASSWORD@",
        );
        check("Proxy-Authenticate: basic\r\n", true, "did not take");
        let ntlm = "Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n";
        check(ntlm, true, "another way to log in than Basic");
        let both = "Proxy-Authenticate: NTLM\r\nProxy-Authenticate: Basic\r\n";
        check(both, false, "NAME:PASSWORD@");
        let refused = outcome([&b"HTTP/1.1 403 No\r\n\r\n"[..]].into_iter()).unwrap_err();
        assert_eq!(refused.hint(), None);
    }

    #[test]
    fn no_answer_is_too_odd() {
        for fixture in [
            "HTTP/1.1 200 OK\r\nA: b\r\n\r\nearly",
            "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<p>ab\r\n0\r\n\r\n",
        ] {
            mutants(fixture.as_bytes()).for_each(|answer| fuzz_answer(&answer));
        }
    }
}
