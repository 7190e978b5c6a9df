//! tinyproxy: what every proxy must do, by one with a mind of its own about HTTP.

use crate::daemon;
use crate::daemon::Daemon;
use crate::nginx::Nginx;
use crate::proxied;
use crate::proxied::Door;
use crate::proxied::Proxy;
use std::sync::Arc;

/// Where its requests come from.
const ADDRESS: &str = "127.0.0.3";

const CONFIGURATION: &str = "
Port PORT
Listen 127.0.0.1
Bind ADDRESS
Timeout 60
MaxClients 20
LogLevel Info
ConnectPort SECURE
";

fn start(nginx: &Nginx, door: Door) -> Proxy {
    let place = &nginx.place;
    let port = daemon::free_port();
    daemon::folder(place);
    let mut text = CONFIGURATION
        .replace("PORT", &port.to_string())
        .replace("SECURE", &nginx.tls_port.to_string())
        .replace("ADDRESS", ADDRESS);
    if door == Door::Locked {
        text.push_str(&format!("BasicAuth me {}\n", proxied::PASSWORD));
    }
    place.write("server/tinyproxy.conf", text);
    let args = ["-d", "-c", "tinyproxy.conf"];
    let daemon = Daemon::start(place, "Accepting connections", "tinyproxy", &args);
    Proxy {
        port,
        address: ADDRESS,
        access: Arc::clone(&daemon.said),
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
