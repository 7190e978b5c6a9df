//! The remote source: a server that hands out tokens, such as `sx token serve` on another machine.
//!
//! Asked with GET, over https, or over plain http on this machine only, or over a Unix socket. The
//! key goes along where there is one, but never to the address that is built in: nobody chose that
//! server to hold it. A redirect is not followed, since the key would have to stay behind.

use crate::auth::Error;
use crate::auth::Fault;
use crate::auth::Fetch;
use crate::auth::Token;
use crate::auth::answer;
use crate::auth::borrowed::Lender;
use crate::auth::broker;
use crate::auth::identity::Identity;
use crate::base::clock;
use crate::base::secret::Secret;
use crate::base::text;
use crate::http::exchange::Request;
use crate::http::url::Scheme;
use crate::http::url::Url;
use std::path::Path;
use std::path::PathBuf;

/// Of what the server says instead of a token.
const WORDS_CHARS_MAX: usize = 200;

/// The path that a server on a socket is asked for.
const SOCKET_URL: &str = "http://localhost/codex";

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A server on the network, or on this machine.
    Network(Url),
    /// One that listens on a Unix socket.
    Socket(PathBuf),
}

impl Place {
    /// Whether it is on the host of `address`, however that is spelled.
    pub fn is_of_host(&self, address: &str) -> bool {
        let host = |url: &Url| url.host.trim_end_matches('.').to_string();
        match (self, Url::parse(address)) {
            (Place::Network(url), Ok(other)) => host(url) == host(&other),
            _ => false,
        }
    }

    /// Reads `CODEX_REMOTE_URL`; fails with what is wrong with it.
    pub fn parse(text: &str) -> Result<Place, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match Path::new(path).is_absolute() {
                true => Ok(Place::Socket(path.into())),
                false => Err("a socket is named by its whole path: unix:/run/sx.sock".into()),
            };
        }
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        if url.scheme == Scheme::Http && !url.is_loopback() {
            return Err(format!(
                "{url} is plain http: a token comes over that from this machine only; use https"
            ));
        }
        Ok(Place::Network(url))
    }

    fn name(&self) -> String {
        match self {
            Place::Network(url) => url.origin(),
            Place::Socket(path) => format!("unix:{}", path.display()),
        }
    }
}

/// A server that hands out tokens.
pub struct Remote {
    /// Where it is.
    pub place: Place,
    /// What it knows us by.
    pub key: Option<Secret>,
    /// Who we say we are.
    pub identity: Identity,
    /// What is told of a token that the service refused.
    pub refused: Option<String>,
}

impl Lender for Remote {
    fn lend(&mut self, fetch: &mut dyn Fetch) -> Result<Token, Error> {
        let from = self.place.name();
        let failed = |fault, detail: String| Error::Source {
            from: from.clone(),
            fault,
            detail,
        };
        let (url, socket) = match &self.place {
            Place::Network(url) => (url.clone(), None),
            Place::Socket(path) => {
                let url = Url::parse(SOCKET_URL);
                let url = url.map_err(|error| failed(Fault::Failed, error.to_string()))?;
                (url, Some(path.as_path()))
            }
        };
        let mut request = Request::get(url)
            .header("accept", "application/json")
            .header("user-agent", self.identity.user_agent());
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {}", key.expose()));
        }
        if let Some(refused) = self.refused.take() {
            request = request.header(broker::REFUSED, refused);
        }
        let (status, headers, body) = fetch
            .fetch(request, socket)
            .map_err(|unreachable| failed(Fault::Unreachable, unreachable.to_string()))?;
        let said = |bytes: &[u8]| {
            let mut words = text::one_line(&String::from_utf8_lossy(bytes));
            if let Some(key) = &self.key {
                words = words.replace(key.expose(), "[secret]");
            }
            let words = text::harmless(&words).into_owned();
            text::ellipsis(&words, WORDS_CHARS_MAX).into_owned()
        };
        let with_status = |words: String| format!("status {status}: {words}");
        match status {
            200 => answer::read(&body, &from, clock::unix_seconds())
                .map_err(|why| failed(Fault::NotAToken, why.to_string())),
            300..=399 => {
                let to = headers.first("location").unwrap_or("nowhere");
                let to = text::harmless(to).into_owned();
                Err(failed(
                    Fault::Failed,
                    format!("it sends us on to {to}; CODEX_REMOTE_URL must name the last address"),
                ))
            }
            401 | 403 => Err(failed(Fault::Refused, with_status(said(&body)))),
            404 => Err(failed(Fault::NoFile, with_status(said(&body)))),
            408 | 429 | 500..=599 => Err(failed(Fault::Unreachable, with_status(said(&body)))),
            _ => Err(failed(Fault::Failed, with_status(said(&body)))),
        }
    }

    fn note_refusal(&mut self, token: &Token) {
        self.refused = Some(broker::digest_of(token));
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.key.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Unreachable;
    use crate::base::clock::Deadline;
    use crate::http::head::Headers;
    use crate::proc::capture::Capture;

    #[test]
    fn a_host_is_the_same_however_it_is_spelled() {
        let default = "https://token.example/codex";
        for (text, expected) in [
            ("https://token.example/codex", true),
            ("HTTPS://TOKEN.example:443/codex/?x=1#x", true),
            ("https://token.example./%63odex", true),
            ("https://token.example:8443/", true),
            ("https://example/codex", false),
            ("https://token.example.org/codex", false),
            ("unix:/token.example", false),
        ] {
            assert_eq!(
                Place::parse(text).unwrap().is_of_host(default),
                expected,
                "{text}"
            );
        }
    }

    /// A server with one answer, and what it was asked.
    struct Server {
        status: u16,
        body: &'static str,
        asked: Vec<String>,
    }

    impl Fetch for Server {
        fn fetch(
            &mut self,
            request: Request,
            socket: Option<&Path>,
        ) -> Result<(u16, Headers, Vec<u8>), Unreachable> {
            let key = request.headers.first("authorization").unwrap_or("-");
            let socket = socket.map_or("-".into(), |path| path.display().to_string());
            self.asked.push(format!("{} {key} {socket}", request.url));
            let mut headers = Headers::new();
            headers.push("location", "https://elsewhere/");
            Ok((self.status, headers, self.body.as_bytes().to_vec()))
        }

        fn pause(&mut self, _deadline: Deadline) -> Result<(), Unreachable> {
            panic!("nobody waits")
        }

        fn wait(&mut self, _program: &Capture) -> Result<(), Unreachable> {
            panic!("no program is run")
        }
    }

    fn ask(place: &str, key: Option<&str>, server: &mut Server) -> Result<Token, Error> {
        let mut remote = Remote {
            place: Place::parse(place).unwrap(),
            key: key.map(Secret::new),
            identity: Identity::own(),
            refused: None,
        };
        remote.lend(server)
    }

    #[test]
    fn the_key_goes_along_and_the_token_comes_back() {
        let mut server = Server {
            status: 200,
            body: r#"{"access_token":"a","account_id":"acc"}"#,
            asked: Vec::new(),
        };
        let token = ask("https://h/codex", Some("k"), &mut server).unwrap();
        assert_eq!(token.access.expose(), "a");
        assert_eq!(token.source, "https://h:443");
        let token = ask("unix:/run/sx.sock", None, &mut server).unwrap();
        assert_eq!(token.source, "unix:/run/sx.sock");
        let expected = [
            "https://h/codex Bearer k -",
            "http://localhost/codex - /run/sx.sock",
        ];
        assert_eq!(server.asked, expected);
    }

    #[test]
    fn every_refusal_has_its_kind() {
        #[track_caller]
        fn check(status: u16, body: &'static str, kind: &str, words: &str) {
            let mut server = Server {
                status,
                body,
                asked: Vec::new(),
            };
            let error = ask("https://h/", Some("hunter2"), &mut server).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            let error = error.to_string();
            assert!(
                error.ends_with(words) && !error.contains("hunter2"),
                "{error}"
            );
        }
        check(200, "<html>", "not_a_token", "it is a page and no token");
        check(401, "no hunter2", "refused", "status 401: no [secret]");
        check(404, "", "no_such_file", "status 404: ");
        check(
            302,
            "",
            "failed",
            "CODEX_REMOTE_URL must name the last address",
        );
        check(503, "busy\nnow", "unreachable", "status 503: busy now");
        check(418, "", "failed", "status 418: ");
    }

    #[test]
    fn a_token_comes_over_plain_http_from_this_machine_only() {
        assert!(Place::parse("http://127.0.0.1:8/codex").is_ok());
        assert!(Place::parse("https://h/").is_ok());
        for bad in ["http://h/", "unix:sx.sock", "ftp://h", "h"] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }
}
