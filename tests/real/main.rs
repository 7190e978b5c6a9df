//! Real servers on loopback, asked by the built program; `make test-real` runs this. They are those
//! of Debian, one of npm and two of PyPI; and the programs that search files as our tools do.
//!
//! What a scripted server cannot show: that ours and theirs mean the same. Each test starts what it
//! needs for itself, in the foreground and as nobody, with its configuration in a temporary folder;
//! neither `/etc` nor a service of the system is touched, but for users that are there as long as
//! a test of ssh and take nothing but a password.

// What runs the program is that of tests/it, which uses more of it.
#[allow(dead_code)]
#[path = "../it/heard.rs"]
mod heard;
#[allow(dead_code)]
#[path = "../it/place.rs"]
mod place;
#[allow(dead_code)]
#[path = "../it/responses.rs"]
mod responses;
#[allow(dead_code)]
#[path = "../it/server.rs"]
mod server;
#[allow(dead_code)]
#[path = "../it/sx.rs"]
mod sx;

// A server as a child of ours.
mod daemon;
// What `sx probe --json` told.
mod told;

// HTTP and TLS as the most used server speaks them.
mod nginx;
// What every proxy must do for us.
mod proxied;
// The proxy of companies.
mod squid;
// The proxy of containers.
mod tinyproxy;
// What stands in front of servers, and of proxies.
mod haproxy;
// Whoever lets us log in.
mod ssh;
// Whoever gives us a login.
mod oidc;
// A gateway to models.
mod litellm;
// A model itself.
mod llama;
// Who else searches files.
mod search;
// A network that loses packets, and name servers that do not answer.
mod namespace;
