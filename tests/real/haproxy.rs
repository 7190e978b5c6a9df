//! haproxy: in front of servers and of a proxy, with TLS of its own, odd answers, and refusals.

use crate::daemon;
use crate::daemon::Daemon;
use crate::daemon::certificate;
use crate::place::Place;
use crate::proxied;
use crate::proxied::Door;
use crate::server::Reply;
use crate::server::Server;
use crate::squid;
use crate::sx::Sx;
use crate::told::Told;
use serde_json::json;

const CONFIGURATION: &str = "
defaults
    mode http
    timeout connect 60s
    timeout client 60s
    timeout server 60s
SECTIONS
";

/// A haproxy that runs.
struct Haproxy {
    _daemon: Daemon,
    port: u16,
}

impl Haproxy {
    /// One with these sections, where `PORT` stands for its port, and `CRT` for the options of a
    /// `bind` that show our certificate.
    #[track_caller]
    fn start(place: &Place, sections: &str) -> Haproxy {
        let port = daemon::free_port();
        let folder = daemon::folder(place);
        let both = ["server.pem", "key.pem"].map(|name| place.read(&format!("server/{name}")));
        place.write("server/both.pem", both.concat());
        let crt = format!("ssl crt {}/both.pem", folder.display());
        let sections = sections.replace("PORT", &port.to_string());
        let sections = sections.replace("CRT", &crt);
        let text = CONFIGURATION.replace("SECTIONS", &sections);
        let name = format!("haproxy-{port}.cfg");
        place.write(&format!("server/{name}"), text);
        // With a master it says when it is ready.
        let args = ["-W", "-db", "-f", &name];
        Haproxy {
            _daemon: Daemon::start(place, "Loading success", "haproxy", &args),
            port,
        }
    }

    /// A probe that prints its object and trusts our root.
    fn probe(&self, place: &Place, scheme: &str, options: &[&str]) -> Sx {
        let url = format!("{scheme}://localhost:{}/x", self.port);
        let trust = format!("CA_FILE={}", certificate("root.pem"));
        let words = ["probe", "--json", "-e", &trust, &url];
        place.sx(words.iter().chain(options))
    }
}

/// What one front with these lines answers.
#[track_caller]
fn answer(lines: &str, options: &[&str]) -> Told {
    let place = Place::new();
    let haproxy = Haproxy::start(
        &place,
        &format!("frontend f\n bind 127.0.0.1:PORT\n{lines}\n"),
    );
    Told::by(haproxy.probe(&place, "http", options))
}

#[test]
fn it_ends_tls_for_a_plain_server() {
    let place = Place::new();
    let server = Server::start([]);
    server.on("/x", [Reply::json(200, &json!({"a": 1}))]);
    let backend = server.origin().replace("http://", "");
    let haproxy = Haproxy::start(
        &place,
        &format!("listen l\n bind 127.0.0.1:PORT CRT alpn h2,http/1.1\n server s {backend}\n"),
    );
    let told = Told::by(haproxy.probe(&place, "https", &[]));
    told.check(200, "{\"a\":1}");
    assert_eq!(told.at("tls/version"), "TLSv1.3");
}

#[test]
fn odd_statuses_are_answers() {
    for status in [200, 299, 418, 451, 500, 599] {
        let told = answer(
            &format!(" http-request return status {status} content-type a/b string tea"),
            &[],
        );
        told.check(status, "tea");
    }
    answer(" http-request deny deny_status 429", &[]).check_status(429);
    answer(" http-request redirect location /y code 308", &[]).check(308, "");
}

#[test]
fn an_answer_with_a_head_alone_is_whole() {
    let told = answer(" http-request return status 204", &[]);
    told.check(204, "");
    let told = answer(
        " http-request return status 200 content-type a/b string tea",
        &["--head"],
    );
    told.check(200, "");
}

#[test]
fn it_closes_where_it_says_so() {
    let place = Place::new();
    let server = Server::start([]);
    server.on("/x", [Reply::events(&["data: 1\n\n".to_string()])]);
    let backend = server.origin().replace("http://", "");
    let haproxy = Haproxy::start(
        &place,
        &format!("listen l\n bind 127.0.0.1:PORT\n option httpclose\n server s {backend}\n"),
    );
    let told = Told::by(haproxy.probe(&place, "http", &[]));
    told.check(200, "data: 1\n\n");
    assert_eq!(told.header("connection"), "close");
}

#[test]
fn what_comes_before_the_answer_is_passed_over() {
    let place = Place::new();
    let server = Server::start([]);
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    server.on("/x", [Reply::raw([interim, last].concat())]);
    let backend = server.origin().replace("http://", "");
    let haproxy = Haproxy::start(
        &place,
        &format!(
            "listen l\n bind 127.0.0.1:PORT\n http-request early-hint Link </b>\n \
             server s {backend}\n"
        ),
    );
    Told::by(haproxy.probe(&place, "http", &[])).check(200, "hi");
}

#[test]
fn a_front_without_a_server_is_an_answer() {
    let told = answer(" default_backend b\nbackend b\n server s 127.0.0.1:1", &[]);
    told.check_status(503);
}

#[test]
fn a_client_without_the_certificate_that_is_wanted_is_refused_and_told_how() {
    let place = Place::new();
    let root = certificate("root.pem");
    daemon::folder(&place);
    place.write(
        "server/authority.pem",
        std::fs::read(&root).expect("our file"),
    );
    let authority = place.path("server/authority.pem");
    for version in ["TLSv1.2", "TLSv1.3"] {
        let haproxy = Haproxy::start(
            &place,
            &format!(
                "frontend f\n bind 127.0.0.1:PORT CRT ca-file {} verify required ssl-min-ver \
                 {version} ssl-max-ver {version}\n http-request return status 200\n",
                authority.display()
            ),
        );
        let told = Told::by(haproxy.probe(&place, "https", &[]));
        told.check_error("tls", &["the server refused"]);
        if version == "TLSv1.3" {
            // The older version has no alert of its own for this.
            told.check_error("tls", &["certificate"]);
            let url = format!("https://localhost:{}/", haproxy.port);
            let ran = place.sx(["probe", &url]).env("CA_FILE", &root).run();
            ran.check_code(5).check_said("CLIENT_CERT");
        }

        let own = haproxy.probe(&place, "https", &[]);
        let own = own.env("CLIENT_CERT", certificate("client.pem"));
        Told::by(own.env("CLIENT_KEY", certificate("key.pem"))).check_status(200);
        // Its issuer is not the one that is wanted.
        let other = haproxy.probe(&place, "https", &[]);
        let other = other.env("CLIENT_CERT", certificate("alone.pem"));
        let told = Told::by(other.env("CLIENT_KEY", certificate("key.pem")));
        told.check_error("tls", &["the server refused"]);
    }
}

#[test]
fn a_server_that_speaks_http_2_alone_is_told_as_no_http() {
    let place = Place::new();
    let front = "frontend f\n bind 127.0.0.1:PORT proto h2\n http-request return status 200\n";
    let haproxy = Haproxy::start(&place, front);
    let told = Told::by(haproxy.probe(&place, "http", &[]));
    let kind = told.at("error/kind").as_str().expect("a kind");
    assert!(
        ["malformed", "broken", "truncated"].contains(&kind),
        "{told}"
    );

    let front = "frontend f\n bind 127.0.0.1:PORT CRT alpn h2\n http-request return status 200\n";
    let haproxy = Haproxy::start(&place, front);
    let told = Told::by(haproxy.probe(&place, "https", &[]));
    told.ran.check_code(0);
}

#[test]
fn a_server_that_waits_for_a_proxys_first_line_is_told_as_closed() {
    let place = Place::new();
    let front = "frontend f\n bind 127.0.0.1:PORT accept-proxy\n http-request return status 200\n";
    let haproxy = Haproxy::start(&place, front);
    let told = Told::by(haproxy.probe(&place, "http", &[]));
    let kind = told.at("error/kind").as_str().expect("a kind");
    assert!(["broken", "truncated"].contains(&kind), "{told}");
}

#[test]
fn a_proxy_behind_tls_is_a_proxy() {
    for door in [Door::Open, Door::Locked] {
        let nginx = proxied::origin();
        let squid = squid::start(&nginx, door);
        let place = &nginx.place;
        let haproxy = Haproxy::start(
            place,
            &format!(
                "listen l\n mode tcp\n bind 127.0.0.1:PORT CRT\n server s 127.0.0.1:{}\n",
                squid.port
            ),
        );
        let user = match door {
            Door::Open => "",
            Door::Locked => "me:%66ifty.an-hour@",
        };
        let named = format!("https://{user}localhost:{}", haproxy.port);
        for (scheme, port) in [("https", nginx.tls_port), ("http", nginx.port)] {
            let url = format!("{scheme}://localhost:{port}/");
            let told = Told::by(proxied::probe_of(&nginx, &url).env("ALL_PROXY", &named));
            told.check_status(200);
            let body = String::from_utf8_lossy(&told.body()).into_owned();
            assert!(body.starts_with(&format!("{scheme} 127.0.0.2 ")), "{body}");
            assert_eq!(*told.at("proxy"), format!("localhost:{}", haproxy.port));
        }
    }
}

#[test]
fn a_proxy_whose_certificate_is_not_trusted_gets_no_request() {
    let nginx = proxied::origin();
    let squid = squid::start(&nginx, Door::Open);
    let haproxy = Haproxy::start(
        &nginx.place,
        &format!(
            "listen l\n mode tcp\n bind 127.0.0.1:PORT CRT\n server s 127.0.0.1:{}\n",
            squid.port
        ),
    );
    let named = format!("https://localhost:{}", haproxy.port);
    let url = format!("http://localhost:{}/", nginx.port);
    let sx = nginx.place.sx(["probe", "--json", &url]);
    let told = Told::by(sx.env("HTTP_PROXY", named));
    told.check_error("proxy", &["CN=Test Root"]);
    proxied::check_untouched(&nginx);
}
