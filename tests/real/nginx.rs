//! nginx: the server that most requests meet, with a site of its own for each test.

use crate::daemon;
use crate::daemon::Daemon;
use crate::heard::Heard;
use crate::place::Place;
use crate::sx::Sx;
use crate::told::Told;
use std::sync::Arc;

// Answers, bodies, connections.
mod http;
// Who is trusted, and what is said of others.
mod tls;

/// All that is the same for every site. One process, and all of its files in its own folder.
const CONFIGURATION: &str = "
daemon off;
master_process off;
pid nginx.pid;
error_log stderr notice;
events { worker_connections 64; }
http {
    log_format heard '$remote_addr $request_method $request_uri $status $connection'
        ' $connection_requests resumed=$ssl_session_reused';
    access_log access heard;
    client_body_temp_path body;
    proxy_temp_path proxied;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    client_max_body_size 100m;
    root files;
    SITE
}
";

/// An nginx that runs.
pub struct Nginx {
    _daemon: Daemon,
    /// Where it runs, and the program that asks it.
    pub place: Place,
    /// Its port.
    pub port: u16,
    /// Its other port, for sites that have one.
    pub tls_port: u16,
    /// A line for each request, as the configuration says.
    pub access: Arc<Heard>,
}

impl Nginx {
    /// One with this inside its `http` block, where `PORT` stands for its port and `SECURE` for the
    /// other.
    #[track_caller]
    pub fn start(site: &str) -> Nginx {
        Nginx::start_in(Place::new(), site)
    }

    /// The same in a place that is there already.
    #[track_caller]
    pub fn start_in(place: Place, site: &str) -> Nginx {
        let [port, tls_port] = [daemon::free_port(), daemon::free_port()];
        let access = daemon::log(&place, "access");
        let site = site.replace("PORT", &port.to_string());
        let site = site.replace("SECURE", &tls_port.to_string());
        place.write("server/nginx.conf", CONFIGURATION.replace("SITE", &site));
        let folder = daemon::folder(&place);
        let folder = folder.to_str().expect("a path in UTF-8");
        let args = ["-p", folder, "-c", "nginx.conf", "-e", "stderr"];
        // It says so after it has bound its ports.
        let daemon = Daemon::start(&place, "getrlimit(RLIMIT_NOFILE)", "nginx", &args);
        Nginx {
            _daemon: daemon,
            place,
            port,
            tls_port,
            access,
        }
    }

    /// A probe of a path, to be run; the last words may be more options.
    pub fn probe(&self, scheme: &str, path: &str, options: &[&str]) -> Sx {
        let url = format!("{scheme}://localhost:{}{path}", self.port);
        let words = ["probe", url.as_str()];
        self.place.sx(words.iter().chain(options))
    }

    /// What it answers to GET.
    #[track_caller]
    pub fn get(&self, path: &str, options: &[&str]) -> Told {
        Told::by(self.probe("http", path, options).arg("--json"))
    }
}
