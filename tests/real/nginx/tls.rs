//! TLS with OpenSSL on the other side: versions, whom we trust, who we are, and what is said where
//! there is no trust.

use super::Nginx;
use crate::daemon::certificate;
use crate::place::Credential;
use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::sx::Sx;
use crate::told::Told;
use std::fs;

/// A site that shows a certificate of ours and says what was agreed on.
fn showing(certificate: &str, more: &str) -> Nginx {
    Nginx::start(&site(certificate, more))
}

fn site(certificate: &str, more: &str) -> String {
    let what = "\"$ssl_protocol $ssl_alpn_protocol $ssl_server_name $ssl_client_s_dn\"";
    format!(
        "server {{ listen 127.0.0.1:PORT ssl http2; ssl_certificate {certificate}; \
         ssl_certificate_key key.pem; {more} location / {{ return 200 {what}; }} }}"
    )
}

/// A probe that trusts one of our certificates beside the built-in roots.
fn trusting(nginx: &Nginx, root: &str) -> Sx {
    let setting = format!("CA_FILE={}", certificate(root));
    nginx.probe("https", "/", &["--json", "-e", &setting])
}

/// A probe that prints its page and trusts nobody but the built-in roots.
fn page(nginx: &Nginx) -> Sx {
    nginx.probe("https", "/", &[])
}

#[test]
fn each_version_of_tls_is_spoken_and_http_1_1_agreed_on_where_there_is_http_2() {
    for (version, cipher) in [("TLSv1.2", "TLS_ECDHE_"), ("TLSv1.3", "TLS_AES_")] {
        let nginx = showing("server.pem", &format!("ssl_protocols {version};"));
        let told = Told::by(trusting(&nginx, "root.pem"));
        told.check(200, &format!("{version} http/1.1 localhost "));
        assert_eq!(told.at("tls/version"), version);
        let found = told.at("tls/cipher").as_str().expect("a name");
        assert!(found.starts_with(cipher), "{found}");
        assert_eq!(told.at("tls/subject"), "CN=localhost");
        assert!(told.ms("tls") > 0.0, "{told}");
    }
}

#[test]
fn a_version_that_is_too_old_is_told_as_such() {
    let nginx = showing(
        "server.pem",
        "ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;",
    );
    let told = Told::by(trusting(&nginx, "root.pem"));
    told.check_error("tls", &["localhost"]);
}

#[test]
fn a_private_issuer_is_named_and_so_is_the_way_to_trust_it() {
    let nginx = showing("server.pem", "");
    let ran = page(&nginx).run();
    ran.check_code(5)
        .check_said("`CN=localhost` was issued by `")
        .check_said("CN=Test Root")
        .check_said("hint: ")
        .check_said("CA_FILE");
    let told = Told::by(nginx.probe("https", "/", &["--json"]));
    told.check_error("tls", &["CN=localhost", "CN=Test Root"]);
}

#[test]
fn every_setting_that_names_roots_is_heeded() {
    let nginx = showing("server.pem", "");
    let root = certificate("root.pem");
    let probe = || nginx.probe("https", "/", &["--json"]);
    for name in ["CA_FILE", "SSL_CERT_FILE"] {
        Told::by(probe().env(name, &root)).check_status(200);
    }
    let folder = nginx.place.path("roots");
    fs::create_dir(&folder).expect("a new folder");
    fs::copy(&root, folder.join("0a1b2c3d.0")).expect("a copy");
    Told::by(probe().env("SSL_CERT_DIR", folder)).check_status(200);
}

#[test]
fn a_bad_certificate_beside_a_good_one_is_said_and_loses_nothing() {
    let nginx = showing("server.pem", "");
    let root = fs::read_to_string(certificate("root.pem")).expect("our file");
    let (bad, good) = (root.replace("MII", "MI!"), root);
    let file = nginx.place.write("roots.pem", format!("{bad}{good}"));
    let setting = format!("CA_FILE={}", file.display());
    let told = Told::by(nginx.probe("https", "/", &["--json", "-e", &setting]));
    told.check_status(200);
    told.ran.check_said("warning: ").check_said("roots.pem");
}

#[test]
fn a_certificate_out_of_its_time_is_told_with_the_time() {
    let check = |file: &str, words: &str| {
        let told = Told::by(trusting(&showing(file, ""), "root.pem"));
        told.check_error("tls", &[words]);
    };
    check(
        "expired.pem",
        "`CN=expired` expired on 2021-01-02T03:04:05Z",
    );
    check(
        "future.pem",
        "`CN=future` is not valid before 2125-01-01T00:00:00Z",
    );
}

#[test]
fn a_certificate_for_others_is_told_with_their_names() {
    let nginx = showing("server.pem", "");
    let url = format!("https://other.test:{}/", nginx.port);
    let trust = format!("CA_FILE={}", certificate("root.pem"));
    let sx = nginx.place.sx(["probe", "--json", url.as_str()]);
    let told = Told::by(
        sx.env("RESOLVE", "other.test=127.0.0.1")
            .arg("-e")
            .arg(trust),
    );
    told.check_error(
        "tls",
        &["other.test", "localhost, *.h.test, 127.0.0.1, ::1"],
    );
}

#[test]
fn a_name_below_a_star_and_an_address_are_names_too() {
    let nginx = showing("server.pem", "ssl_protocols TLSv1.2;");
    let trust = format!("CA_FILE={}", certificate("root.pem"));
    for (host, name) in [("a.h.test", "a.h.test"), ("127.0.0.1", "")] {
        let url = format!("https://{host}:{}/", nginx.port);
        let sx = nginx.place.sx(["probe", "--json", "-e", &trust, &url]);
        let told = Told::by(sx.env("RESOLVE", "a.h.test=127.0.0.1"));
        told.check(200, &format!("TLSv1.2 http/1.1 {name} "));
    }
}

#[test]
fn a_certificate_that_signed_itself_is_told_and_can_be_trusted() {
    let nginx = showing("alone.pem", "");
    page(&nginx)
        .run()
        .check_code(5)
        .check_said("`CN=alone` is signed by itself");
    Told::by(trusting(&nginx, "alone.pem")).check_status(200);
}

#[test]
fn a_missing_intermediate_is_named_as_the_issuer() {
    let nginx = showing("below.pem", "");
    let told = Told::by(trusting(&nginx, "root.pem"));
    told.check_error("tls", &["`CN=below` was issued by `CN=Test Middle`"]);
    // Whoever has it can say so.
    Told::by(trusting(&nginx, "middle.pem")).check_status(200);

    let place = Place::new();
    let both = ["below.pem", "middle.pem"].map(|name| fs::read_to_string(certificate(name)));
    let both = both.map(|text| text.expect("our file")).concat();
    crate::daemon::folder(&place);
    place.write("server/both.pem", both);
    let nginx = Nginx::start_in(place, &site("both.pem", ""));
    Told::by(trusting(&nginx, "root.pem")).check_status(200);
}

#[test]
fn a_client_shows_its_certificate_where_it_has_one() {
    let ask = "ssl_client_certificate root.pem; ssl_verify_client on;";
    for version in ["TLSv1.2", "TLSv1.3"] {
        let nginx = showing("server.pem", &format!("ssl_protocols {version}; {ask}"));
        let probe = || trusting(&nginx, "root.pem");
        // nginx takes anyone in and then refuses by HTTP; haproxy's test is the other way.
        let told = Told::by(probe());
        told.check_status(400);
        let page = String::from_utf8_lossy(&told.body()).into_owned();
        assert!(
            page.contains("No required SSL certificate was sent"),
            "{page}"
        );

        let own = probe().env("CLIENT_CERT", certificate("client.pem"));
        let told = Told::by(own.env("CLIENT_KEY", certificate("key.pem")));
        told.check(200, &format!("{version} http/1.1 localhost CN=client"));
        let own = probe().env("CLIENT_CERT", certificate("client.pem"));
        let told = Told::by(own.env("CLIENT_KEY", certificate("sec1.pem")));
        told.check_status(200);
    }
}

#[test]
fn plain_http_behind_https_is_told_as_such() {
    let nginx = Nginx::start("server { listen 127.0.0.1:PORT; }");
    page(&nginx)
        .run()
        .check_code(5)
        .check_said("does not speak TLS")
        .check_said("http://");
}

#[test]
fn a_second_connection_of_a_run_resumes_the_session() {
    for version in ["TLSv1.2", "TLSv1.3"] {
        let call = Answer::new().bash("call_1", "true");
        let done = Answer::new().say("done");
        let server = Server::start([call, done].map(|answer| Reply::events(&answer.whole())));
        // Each connection may carry one request, so there are two.
        let site = format!(
            "ssl_session_cache shared:all:1m; server {{ listen 127.0.0.1:PORT ssl; \
             ssl_protocols {version}; ssl_certificate server.pem; ssl_certificate_key key.pem; \
             keepalive_requests 1; location / {{ proxy_pass {}; }} }}",
            server.origin()
        );
        let place = Place::new();
        place.write_credential(&Credential::default());
        let nginx = Nginx::start_in(place, &site);
        let base = format!("https://localhost:{}/v1", nginx.port);
        let sx = nginx.place.sx(["exec", "go"]).env("CODEX_BASE_URL", base);
        let sx = sx.env("CA_FILE", certificate("root.pem"));
        sx.env("SANDBOX", "off")
            .run()
            .check_code(0)
            .check_stdout("done\n");
        let resumed = nginx.access.wait_for(" 1 resumed=r");
        assert!(resumed.is_some(), "{version}: {}", nginx.access.so_far());
    }
}
