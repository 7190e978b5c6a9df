//! Ways through scripted proxies, and ways that are not taken.

use crate::http::exchange::Request;
use crate::http::url::Url;
use crate::net::Client;
use crate::net::Error;
use crate::net::client::Options;
use crate::net::dns::Overrides;
use crate::net::proxy::Variables;
use crate::net::route::Scope;
use crate::net::tests::LONG;
use crate::net::tests::Script;
use crate::net::tests::ask;
use crate::net::tests::limits;
use crate::net::tests::options;
use crate::net::tests::serve;
use std::net::TcpListener;
use std::time::Duration;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";

/// A client that goes through the proxy `text` for everything but `direct`.
fn through(text: &str, direct: &str) -> Client {
    Client::new(Options {
        proxies: Variables::read(&|name| match name {
            "ALL_PROXY" => Some(text.to_string()),
            "NO_PROXY" => Some(direct.to_string()),
            _ => None,
        }),
        ..options(limits(LONG))
    })
}

fn get(url: &str) -> Request {
    Request::get(Url::parse(url).unwrap())
}

/// What becomes of a request for `url` through a proxy that plays `script`; and what it was asked.
fn play(url: &str, user: &str, script: Script) -> (Result<Vec<u8>, Error>, Vec<String>) {
    let (proxy, server) = serve(vec![script]);
    let mut client = through(&format!("{user}127.0.0.1:{}", proxy.port), "");
    let answer = ask(&mut client, get(url));
    (answer.map(|answer| answer.body), server.join().unwrap())
}

#[test]
fn a_plain_request_goes_to_the_proxy_as_a_whole_address() {
    let (answer, asked) = play("http://no.such.example:81/x?y", "me:pw@", vec![ANSWER]);
    assert_eq!(answer.unwrap(), b"a");
    let expected = "GET http://no.such.example:81/x?y HTTP/1.1\r\nHost: no.such.example:81\r\n\
                    Proxy-Authorization: Basic bWU6cHc=\r\nAccept-Encoding: identity\r\n\r\n";
    assert_eq!(asked, [expected]);
}

#[test]
fn a_secure_one_is_sent_through_a_tunnel_only() {
    let refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nrule 7".as_slice();
    let (answer, asked) = play("https://no.such.example/secret", "me:pw@", vec![refusal]);
    let error = answer.unwrap_err();
    let expected = "opens no way to no.such.example: it refused with status 403: \
                    Forbidden; rule 7";
    assert!(error.to_string().ends_with(expected), "{error}");
    assert!(matches!(error.plain(), Error::Tunnel { .. }));
    assert_eq!(error.hint().unwrap(), "the proxy comes from ALL_PROXY");
    assert!(!format!("{error:?}").contains("pw"));
    let expected = "CONNECT no.such.example:443 HTTP/1.1\r\nHost: no.such.example:443\r\n\
                    Proxy-Authorization: Basic bWU6cHc=\r\n\r\n";
    assert_eq!(asked, [expected]);
}

#[test]
fn what_follows_the_yes_is_the_servers() {
    // No TLS at all, in the same piece as the proxy's answer.
    let yes = b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0-x\r\n".as_slice();
    let (answer, _) = play("https://no.such.example/", "", vec![yes]);
    let error = answer.unwrap_err();
    let expected = "no secure connection to no.such.example: what answered does not speak TLS";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_proxy_that_hangs_up_is_to_blame() {
    let (answer, _) = play("https://no.such.example/", "", vec![b"HTTP/1.1 200"]);
    let error = answer.unwrap_err();
    assert!(matches!(error, Error::Proxy { .. }), "{error}");
    assert!(error.to_string().contains("closed too early"), "{error}");
}

#[test]
fn a_proxy_that_is_not_there_is_no_reason_to_go_without() {
    let (server, asked) = serve(vec![vec![ANSWER]]);
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap().to_string();
    drop(gone);
    let mut client = through(&address, "");
    let error = ask(&mut client, Request::get(server.clone())).unwrap_err();
    let expected = format!("cannot connect to {address}: 127.0.0.1: connection refused");
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.hint().unwrap(), "the proxy comes from ALL_PROXY");
    let error = ask(&mut through("socks5://x", ""), Request::get(server.clone())).unwrap_err();
    assert!(matches!(error, Error::ProxySetting(_)), "{error}");
    // The server is there all the same, for who lists it.
    let mut client = through(&address, "127.0.0.1");
    assert_eq!(ask(&mut client, Request::get(server)).unwrap().body, b"a");
    assert_eq!(asked.join().unwrap().len(), 1);
}

#[test]
fn a_silent_proxy_meets_a_limit() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxies = silent.local_addr().unwrap().to_string();
    let mut limits = limits(LONG);
    limits.connect = Duration::from_millis(50);
    let mut client = Client::new(Options {
        proxies: Variables::read(&|name| (name == "HTTPS_PROXY").then(|| proxies.clone())),
        ..options(limits)
    });
    let error = ask(&mut client, get("https://no.such.example/")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "127.0.0.1 took longer than CONNECT_TIMEOUT allows"
    );
    assert!(matches!(error, Error::Proxy { .. }));
}

#[test]
fn offline_goes_to_this_machine_and_asks_nobody() {
    let offline = |overrides: &str| {
        Client::new(Options {
            scope: Scope::Loopback,
            overrides: Overrides::parse(overrides).unwrap(),
            ..options(limits(LONG))
        })
    };
    for url in [
        "http://10.0.0.1/",
        "http://no.such.example/",
        "http://elsewhere.example/",
        "https://[2001:db8::1]/",
    ] {
        let mut client = offline("elsewhere.example=10.0.0.1");
        let error = ask(&mut client, get(url)).unwrap_err();
        assert!(matches!(error, Error::Offline { .. }), "{url}: {error}");
    }
    let (server, _) = serve(vec![vec![ANSWER]]);
    let url = format!("http://here.example:{}/", server.port);
    let mut client = offline("here.example=10.0.0.1,127.0.0.1");
    assert_eq!(ask(&mut client, get(&url)).unwrap().body, b"a");
}
