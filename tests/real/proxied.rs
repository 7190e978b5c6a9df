//! What every proxy must do for us, and what we must not do behind its back. Each check takes the
//! way to start one.
//!
//! Behind the proxy is an nginx that says from which address it was asked, and on its how many-th
//! connection: a proxy asks from an address of loopback that is its own, so a request that went
//! around it is seen, and a connection that it let us make without one is counted.

use crate::daemon::Daemon;
use crate::daemon::certificate;
use crate::daemon::free_port;
use crate::heard::Heard;
use crate::nginx::Nginx;
use crate::sx::Sx;
use crate::told::Told;
use serde_json::json;
use std::sync::Arc;

/// The user that a proxy with a password knows, as it stands in a variable.
const USER: &str = "me:%66ifty.an-hour";
/// Its password as it is, for the proxy and for those who look for it where it must not be.
pub const PASSWORD: &str = "fifty.an-hour";

const SITE: &str = "server {
    listen 127.0.0.1:PORT;
    listen 127.0.0.1:SECURE ssl; ssl_certificate server.pem; ssl_certificate_key key.pem;
    location / { return 200 \"$scheme $remote_addr $connection\"; }
}";

/// Whom a proxy lets in.
#[derive(Clone, Copy, PartialEq)]
pub enum Door {
    /// Everybody.
    Open,
    /// Who has [`PASSWORD`].
    Locked,
}

/// A proxy that runs. It tunnels to the secure port of its nginx alone.
pub struct Proxy {
    /// Its port.
    pub port: u16,
    /// The address that its requests come from.
    pub address: &'static str,
    /// A line for each request.
    pub access: Arc<Heard>,
    /// Itself.
    pub _daemon: Daemon,
}

/// Starts a proxy in the place of an nginx.
pub type Start = fn(&Nginx, Door) -> Proxy;

/// An nginx with a plain and a secure port.
#[track_caller]
pub fn origin() -> Nginx {
    Nginx::start(SITE)
}

/// A probe of the nginx that trusts it.
fn probe(nginx: &Nginx, scheme: &str) -> Sx {
    let port = match scheme {
        "https" => nginx.tls_port,
        _ => nginx.port,
    };
    probe_of(nginx, &format!("{scheme}://localhost:{port}/x"))
}

/// A probe of any address.
pub fn probe_of(nginx: &Nginx, url: &str) -> Sx {
    let trust = format!("CA_FILE={}", certificate("root.pem"));
    nginx.place.sx(["probe", "--json", "-e", &trust, url])
}

/// The nginx has not been touched by anyone so far.
#[track_caller]
pub fn check_untouched(nginx: &Nginx) {
    Told::by(probe(nginx, "http")).check(200, "http 127.0.0.1 1");
}

/// The request came through the proxy.
#[track_caller]
fn check_came(told: &Told, scheme: &str, proxy: &Proxy) {
    told.check_status(200);
    let body = String::from_utf8(told.body()).expect("ASCII");
    let from = format!("{scheme} {} ", proxy.address);
    assert!(body.starts_with(&from), "{body:?} and not {from:?}");
    assert_eq!(*told.at("proxy"), format!("127.0.0.1:{}", proxy.port));
}

/// HTTPS goes through a tunnel, whichever variable names the proxy, and TLS is with the server.
#[track_caller]
pub fn check_tunnel(start: Start) {
    let nginx = origin();
    let proxy = start(&nginx, Door::Open);
    let named = format!("http://127.0.0.1:{}", proxy.port);
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let told = Told::by(probe(&nginx, "https").env(variable, &named));
        check_came(&told, "https", &proxy);
        assert_eq!(told.at("tls/subject"), "CN=localhost");
        assert!(told.ms("proxy") > 0.0 && told.ms("tls") > 0.0, "{told}");
    }
    let setting = format!("HTTPS_PROXY=127.0.0.1:{}", proxy.port);
    let told = Told::by(probe(&nginx, "https").arg("-e").arg(setting));
    check_came(&told, "https", &proxy);
    let tunnel = proxy.access.wait_for("CONNECT localhost:");
    assert!(tunnel.is_some(), "{}", proxy.access.so_far());
}

/// Plain HTTP is asked for by its whole address.
#[track_caller]
pub fn check_plain(start: Start) {
    let nginx = origin();
    let proxy = start(&nginx, Door::Open);
    let named = format!("http://127.0.0.1:{}", proxy.port);
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        let told = Told::by(probe(&nginx, "http").env(variable, &named));
        check_came(&told, "http", &proxy);
        assert_eq!(*told.at("tls"), json!(null));
    }
    let asked = proxy
        .access
        .wait_for(&format!("GET http://localhost:{}/x", nginx.port));
    assert!(asked.is_some(), "{}", proxy.access.so_far());
}

/// A user and a password open the door.
#[track_caller]
pub fn check_password(start: Start) {
    let nginx = origin();
    let proxy = start(&nginx, Door::Locked);
    let named = format!("http://{USER}@127.0.0.1:{}", proxy.port);
    for scheme in ["https", "http"] {
        let told = Told::by(probe(&nginx, scheme).env("ALL_PROXY", &named));
        check_came(&told, scheme, &proxy);
        check_silent(&told);
    }
}

/// Nothing that was printed holds the password in any of its forms.
#[track_caller]
fn check_silent(told: &Told) {
    let printed = format!("{told}");
    for form in [PASSWORD, "ifty.an", "ZmlmdHkuYW4taG91"] {
        assert!(!printed.contains(form), "{printed}");
    }
}

/// A password that is wrong or missing is the proxy's refusal, and nothing is asked without it.
#[track_caller]
pub fn check_wrong_password(start: Start) {
    let nginx = origin();
    let proxy = start(&nginx, Door::Locked);
    let port = proxy.port;
    for user in ["", "me:fifty.an-hou@", "me@"] {
        let named = format!("http://{user}127.0.0.1:{port}");
        let told = Told::by(probe(&nginx, "https").env("HTTPS_PROXY", &named));
        // 407 by the book; tinyproxy says 401 of a password that is wrong.
        told.check_error("proxy", &["it refused with status 40"]);
        assert_eq!(*told.at("proxy"), format!("127.0.0.1:{port}"));
        check_silent(&told);
        // Here the proxy's answer is the only one that there is.
        let told = Told::by(probe(&nginx, "http").env("HTTP_PROXY", &named));
        let refusals = [json!(401), json!(407)];
        assert!(refusals.contains(told.at("status")), "{told}");
        check_silent(&told);
    }
    check_untouched(&nginx);
}

/// A tunnel to where the proxy does not let us is its refusal, in its words.
#[track_caller]
pub fn check_forbidden(start: Start) {
    let nginx = origin();
    let proxy = start(&nginx, Door::Open);
    let named = format!("http://127.0.0.1:{}", proxy.port);
    let url = format!("https://localhost:{}/", nginx.port);
    let told = Told::by(probe_of(&nginx, &url).env("HTTPS_PROXY", named));
    told.check_error("proxy", &["403"]);
    check_untouched(&nginx);
}

/// What is listed is asked directly, and nothing else is.
#[track_caller]
pub fn check_bypass(start: Start) {
    let nginx = origin();
    let proxy = start(&nginx, Door::Open);
    let named = format!("http://127.0.0.1:{}", proxy.port);
    let probe = |list: &str, variable: &str| {
        let sx = probe(&nginx, "https").env("HTTPS_PROXY", &named);
        Told::by(sx.env(variable, list))
    };
    let with_port = format!("a.test, localhost:{}", nginx.tls_port);
    for list in ["localhost", "*", ".localhost", &with_port] {
        for variable in ["NO_PROXY", "no_proxy"] {
            let told = probe(list, variable);
            told.check_status(200);
            let body = String::from_utf8(told.body()).expect("ASCII");
            assert!(body.starts_with("https 127.0.0.1 "), "{list}: {body}");
            assert_eq!(*told.at("proxy"), json!(null));
        }
    }
    let other_port = format!("localhost:{}", nginx.port);
    for list in ["local", "host", "127.0.0.1", &other_port] {
        check_came(&probe(list, "NO_PROXY"), "https", &proxy);
    }
    let url = format!("https://127.0.0.1:{}/", nginx.tls_port);
    let sx = probe_of(&nginx, &url).env("HTTPS_PROXY", &named);
    let told = Told::by(sx.env("NO_PROXY", "10.0.0.0/8,127.0.0.0/8"));
    assert_eq!(*told.check_status(200).at("proxy"), json!(null));
}

/// Where there is no proxy at the place that a variable names, nobody is asked directly.
#[track_caller]
pub fn check_down() {
    let nginx = origin();
    let port = free_port();
    let named = format!("http://127.0.0.1:{port}");
    for (scheme, variable) in [("https", "HTTPS_PROXY"), ("http", "http_proxy")] {
        let told = Told::by(probe(&nginx, scheme).env(variable, &named));
        told.ran.check_code(5);
        let message = told.at("error/message").as_str().expect("a message");
        assert!(message.contains("connection refused"), "{message}");
        let url = told.at("url").as_str().expect("a URL");
        let ran = nginx.place.sx(["probe", url]).env(variable, &named).run();
        ran.check_code(5)
            .check_said(&format!("127.0.0.1:{port}"))
            .check_said(&format!("comes from {}", variable.to_uppercase()));
    }
    check_untouched(&nginx);
}
