//! `sx doctor` where the way to a host is closed at one of its pieces: it names which, and the way
//! out.

use crate::broken::UNKNOWN;
use crate::broken::check;
use crate::broken::check_variables;
use crate::broken::filtered;
use crate::broken::nobody;
use crate::broken::serve;
use crate::broken::status;
use crate::broken::sx;
use crate::place::Place;
use crate::tls;
use std::net::TcpListener;

#[test]
fn a_way_that_is_closed_is_named() {
    let place = Place::with_credential();
    let long = format!("http://{}.invalid", "x".repeat(64));
    check(
        sx(&place, &long, &[]),
        ("fail dns", "no address for", "RESOLVE=host=ip"),
    );
    let away = format!("http://{}", nobody());
    check(
        sx(&place, &away, &[]),
        ("fail host", "connection refused", "CODEX_BASE_URL"),
    );
    let (address, _listener, _first) = filtered();
    let silent = format!("http://{address}");
    let short = [("CONNECT_TIMEOUT", "200ms")];
    check(
        sx(&place, &silent, &short),
        ("fail host", "CONNECT_TIMEOUT", "give it longer"),
    );
    let far = sx(&place, "https://192.0.2.1", &[("OFFLINE", "1")]);
    check(far, ("fail host", "not on this machine", "OFFLINE"));
    let resolved = "http://gone.test";
    let by_hand = [("RESOLVE", "gone.test=127.0.0.1")];
    let port = nobody().port();
    let there = sx(&place, &format!("{resolved}:{port}"), &by_hand);
    check(
        there,
        (
            "fail host",
            "127.0.0.1: connection refused",
            "CODEX_BASE_URL",
        ),
    );
}

#[test]
fn a_proxy_that_does_not_take_us_is_named() {
    let place = Place::with_credential();
    let far = "https://service.invalid";
    let through = |proxy: &str| {
        let proxy = proxy.to_string();
        sx(
            &place,
            far,
            &[("HTTPS_PROXY", &proxy), ("NO_PROXY", "127.0.0.1")],
        )
    };
    let gone = format!("http://{}", nobody());
    check(
        through(&gone),
        ("fail proxy", "connection refused", "HTTPS_PROXY"),
    );
    let wants = "HTTP/1.1 407 Who\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n";
    check(
        through(&serve(wants)),
        ("fail proxy", "status 407", "NAME:PASSWORD@"),
    );
    check(
        through(&status(502, "")),
        ("fail proxy", "status 502", "HTTPS_PROXY"),
    );
    check(
        through(&serve("SSH-2.0-x\r\n\r\n")),
        ("fail proxy", "", "HTTPS_PROXY"),
    );
    // The proxy of a plain server reads the request itself.
    let plain = [("HTTP_PROXY", &*serve(wants)), ("NO_PROXY", "127.0.0.1")];
    let plain = sx(&place, "http://service.invalid", &plain);
    check(plain, ("fail proxy", "status 407", "NAME:PASSWORD@"));
    let (address, _listener, _first) = filtered();
    let silent = through(&format!("http://{address}")).env("CONNECT_TIMEOUT", "200ms");
    check(silent, ("fail proxy", "CONNECT_TIMEOUT", "HTTPS_PROXY"));
}

#[test]
fn a_certificate_that_is_not_to_be_trusted_is_named() {
    let place = Place::with_credential();
    let root = tls::file("root.pem").display().to_string();
    let at = |certificate: &str, host: &str| {
        format!("https://{host}:{}", tls::serve(certificate, UNKNOWN))
    };
    let ours = [
        ("CA_FILE", root.as_str()),
        ("RESOLVE", "other.test=127.0.0.1"),
    ];
    let well = sx(&place, &at("server.pem", "localhost"), &ours).run();
    assert!(
        well.check_code(0)
            .text()
            .contains("certificate by `CN=Test Root"),
        "{}",
        well.text()
    );
    let private = sx(&place, &at("server.pem", "localhost"), &[]);
    check(private, ("fail tls", "not a root we trust", "CA_FILE"));
    let alone = sx(&place, &at("alone.pem", "localhost"), &[]);
    check(alone, ("fail tls", "signed by itself", "CA_FILE"));
    let other = sx(&place, &at("server.pem", "other.test"), &ours);
    check(
        other,
        (
            "fail tls",
            "localhost",
            "a name that the certificate is for",
        ),
    );
    let over = sx(&place, &at("expired.pem", "localhost"), &ours);
    check(over, ("fail tls", "2021-01-02", "clock"));
    let early = sx(&place, &at("future.pem", "localhost"), &ours);
    check(early, ("fail tls", "", "clock"));
    let plain = serve(UNKNOWN).replace("http://", "https://");
    check(sx(&place, &plain, &[]), ("fail tls", "", "http://"));
    let text = place.write("work/no.pem", "no certificate");
    let text = text.display().to_string();
    check_variables(
        &place,
        &[
            (
                &[("CA_FILE", "/nowhere.pem")],
                ("fail trust", "/nowhere.pem", "correct"),
            ),
            (&[("CA_FILE", &text)], ("fail trust", "no.pem", "correct")),
            (
                &[("CLIENT_CERT", &root)],
                (
                    "fail trust",
                    "CLIENT_CERT: it holds no private key",
                    "correct",
                ),
            ),
        ],
    );
}

#[test]
fn an_answer_that_is_none_is_named() {
    let place = Place::with_credential();
    let page = "content-type: text/html\r\n";
    let to = "location: http://login.hotel/\r\n";
    let old = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    for (service, fault) in [
        (
            status(404, ""),
            ("warn answer", "status 404", "the path in it"),
        ),
        (status(500, ""), ("fail answer", "status 500", "try again")),
        (
            status(503, page),
            ("fail answer", "status 503", "try again"),
        ),
        (
            status(302, to),
            ("fail answer", "http://login.hotel/", "CODEX_BASE_URL"),
        ),
        (
            status(200, page),
            ("fail answer", "sign-in page", "browser"),
        ),
        (
            status(403, page),
            ("warn answer", "region", "another network"),
        ),
        (status(429, ""), ("warn answer", "too often", "wait")),
        (status(401, old), ("fail clock", "ahead", "set the clock")),
        (serve(""), ("fail answer", "127.0.0.1", "CODEX_BASE_URL")),
        (
            serve("SSH-2.0-x\r\n"),
            ("fail answer", "broke HTTP", "CODEX_BASE_URL"),
        ),
    ] {
        check(sx(&place, &service, &[]), fault);
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = format!("http://{}", listener.local_addr().expect("bound"));
    let short = [("FIRST_BYTE_TIMEOUT", "200ms")];
    check(
        sx(&place, &silent, &short),
        ("fail answer", "FIRST_BYTE_TIMEOUT", "give it longer"),
    );
}
