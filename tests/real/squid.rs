//! squid: CONNECT, plain requests, Basic, and names that only the proxy knows.

use crate::daemon;
use crate::daemon::Daemon;
use crate::nginx::Nginx;
use crate::place::Place;
use crate::proxied;
use crate::proxied::Door;
use crate::proxied::Proxy;
use crate::proxied::check_untouched;
use crate::proxied::origin;
use crate::proxied::probe_of;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::server::gate;
use crate::told::Told;

/// Where its requests come from.
const ADDRESS: &str = "127.0.0.2";

/// A proxy that caches nothing, writes nothing but its log, and knows a name.
const CONFIGURATION: &str = "
http_port 127.0.0.1:PORT
tcp_outgoing_address ADDRESS
visible_hostname proxy.test
hosts_file FOLDER/hosts
dns_nameservers 127.0.0.1
dns_timeout 1 second
pid_filename none
coredump_dir none
cache deny all
cache_mem 1 MB
pinger_enable off
shutdown_lifetime 0 seconds
cache_log /dev/null
logformat asked %rm %ru %>Hs
access_log stdio:FOLDER/asked asked
acl tunnel method CONNECT
acl secure port SECURE
http_access deny tunnel !secure
DOOR
http_access allow all
";

/// Whom it lets in where there is a password: [`proxied::PASSWORD`], hashed as htpasswd does.
const LOCKED: &str = "
auth_param basic program /usr/lib/squid/basic_ncsa_auth FOLDER/users
auth_param basic children 1 startup=1
acl known proxy_auth REQUIRED
http_access deny !known
";
const USERS: &str = "me:$apr1$sxsxsxsx$rlyeioabbJ1siKN6CIsmq.\n";

pub fn start(nginx: &Nginx, door: Door) -> Proxy {
    let place = &nginx.place;
    let port = daemon::free_port();
    let access = daemon::log(place, "asked");
    place.write("server/users", USERS);
    place.write(
        "server/hosts",
        "127.0.0.1 localhost only-the-proxy.h.test\n",
    );
    let door = match door {
        Door::Open => "",
        Door::Locked => LOCKED,
    };
    let folder = daemon::folder(place);
    let folder = folder.to_str().expect("a path in UTF-8");
    let text = CONFIGURATION
        .replace("DOOR", door)
        .replace("PORT", &port.to_string())
        .replace("SECURE", &nginx.tls_port.to_string())
        .replace("ADDRESS", ADDRESS)
        .replace("FOLDER", folder);
    place.write("server/squid.conf", text);
    // The memory that it shares with itself has a name in the system.
    let name = format!("sx{port}");
    let args = ["-N", "-n", &name, "-d1", "-f", "squid.conf"];
    let daemon = Daemon::start(place, "Accepting HTTP Socket", "squid", &args);
    daemon::wait_for_port(port);
    Proxy {
        port,
        address: ADDRESS,
        access,
        _daemon: daemon,
    }
}

#[test]
fn https_goes_through_a_tunnel_whichever_variable_names_it() {
    proxied::check_tunnel(start);
}

#[test]
fn plain_http_is_asked_for_by_its_whole_address() {
    proxied::check_plain(start);
}

#[test]
fn a_user_and_a_password_open_the_door() {
    proxied::check_password(start);
}

#[test]
fn a_wrong_password_is_a_refusal_that_does_not_show_it() {
    proxied::check_wrong_password(start);
}

#[test]
fn a_port_that_it_does_not_tunnel_to_is_a_refusal() {
    proxied::check_forbidden(start);
}

#[test]
fn what_is_listed_goes_around_it() {
    proxied::check_bypass(start);
}

#[test]
fn nobody_is_asked_directly_where_it_is_down() {
    proxied::check_down();
}

#[test]
fn it_resolves_the_name_and_we_do_not() {
    let nginx = origin();
    let proxy = start(&nginx, Door::Open);
    let named = format!("http://127.0.0.1:{}", proxy.port);
    for (scheme, port) in [("https", nginx.tls_port), ("http", nginx.port)] {
        let url = format!("{scheme}://only-the-proxy.h.test:{port}/");
        let told = Told::by(probe_of(&nginx, &url).env("ALL_PROXY", &named));
        told.check_status(200);
        let addresses = told.at("addresses").as_array().expect("a list");
        let address = format!("127.0.0.1:{}", proxy.port);
        assert!(
            addresses.iter().all(|it| it["address"] == address),
            "{told}"
        );
    }
}

#[test]
fn a_name_that_only_we_know_is_its_refusal() {
    let nginx = origin();
    let proxy = start(&nginx, Door::Open);
    let url = format!("https://only-we.h.test:{}/", nginx.tls_port);
    let sx = probe_of(&nginx, &url).env("RESOLVE", "only-we.h.test=127.0.0.1");
    let named = format!("http://127.0.0.1:{}", proxy.port);
    Told::by(sx.env("HTTPS_PROXY", named)).check_error("proxy", &["only-we.h.test", "status 50"]);
    check_untouched(&nginx);
}

#[test]
fn events_pass_it_as_they_come() {
    let nginx = origin();
    let proxy = start(&nginx, Door::Open);
    let (gate, opener) = gate();
    let server = Server::start([]);
    server.on(
        "/x",
        [Reply::events_then_hold(&["data: 1\n\n".to_string()], gate)],
    );
    let url = format!("{}/x", server.origin());
    let named = format!("http://127.0.0.1:{}", proxy.port);
    let sx = nginx
        .place
        .sx(["probe", "--sse", &url])
        .env("http_proxy", named);
    let running = sx.start();
    running.wait_for_stdout("\"data\":\"1\"");
    drop(opener);
    running.wait().check_code(5);
}

#[test]
fn every_request_of_a_task_goes_through_it() {
    let answers = [
        Answer::new().bash("call_1", "true"),
        Answer::new().say("done"),
    ];
    let server = Server::start(answers.map(|answer| Reply::events(&answer.whole())));
    let place = Place::with_credential();
    let nginx = Nginx::start_in(place, "");
    let proxy = start(&nginx, Door::Locked);
    let named = format!("http://me:%66ifty.an-hour@127.0.0.1:{}", proxy.port);
    let sx = nginx.place.exec(&server, ["go"]).env("http_proxy", named);
    sx.env("SANDBOX", "off")
        .run()
        .check_code(0)
        .check_stdout("done\n");
    server.check_done();
    let line = format!("POST {}/responses 200\n", server.base_url());
    let asked = proxy.access.wait_for(&line.repeat(2));
    assert!(asked.is_some(), "{}", proxy.access.so_far());
}
