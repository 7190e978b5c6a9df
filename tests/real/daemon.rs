//! A server program as a child of the test: as nobody where we are root, in the foreground, with
//! ports of its own. It ends with the test, also with one that is killed.

use crate::heard::Heard;
use crate::heard::WAIT_MAX;
use crate::place::Place;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::sys::stat::Mode;
use nix::unistd::Pid;
use std::fs;
use std::fs::File;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

/// Debian's `nobody` and `nogroup`.
const NOBODY: u32 = 65_534;

/// Where tests take their ports from: below the range that the kernel takes for connections, so
/// that none is gone between here and the server's start.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Who a server is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Whoever has no rights.
    Nobody,
    /// We ourselves: for one that lets others log in.
    Us,
}

/// A server that runs; it is ended when dropped.
pub struct Daemon {
    child: Child,
    /// What it prints.
    pub said: Arc<Heard>,
}

impl Daemon {
    /// Starts a server in the folder `server` of a place, which it may write, and waits until it
    /// says `ready` on its stdout or stderr.
    #[track_caller]
    pub fn start(place: &Place, ready: &str, program: &str, args: &[&str]) -> Daemon {
        Daemon::start_as(Who::Nobody, place, ready, program, args)
    }

    /// The same as somebody else.
    #[track_caller]
    pub fn start_as(who: Who, place: &Place, ready: &str, program: &str, args: &[&str]) -> Daemon {
        let folder = folder(place);
        // The server is ended when the thread of its test does, however that comes.
        let mut command = Command::new("setpriv");
        command.arg("--pdeathsig=TERM");
        if who == Who::Nobody && nix::unistd::geteuid().is_root() {
            command.args([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")]);
            command.arg("--clear-groups");
        }
        let (pipe, end) = std::io::pipe().expect("a pipe");
        command
            .arg(program)
            .args(args)
            .current_dir(&folder)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(end.try_clone().expect("a descriptor"))
            .stderr(end);
        let child = command.spawn().expect("util-linux has setpriv");
        // Else our own copy of its end keeps the pipe open.
        drop(command);
        let daemon = Daemon {
            child,
            said: Heard::listen(|| Ok(pipe)),
        };
        let is_ready = daemon.said.wait_for(ready).is_some();
        assert!(is_ready, "{program}: {}", daemon.said.so_far());
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Not by force at first: squid has memory of the system's to give back.
        let pid = Pid::from_raw(self.child.id().cast_signed());
        if kill(pid, Signal::SIGTERM).is_err() || self.said.wait_for_end().is_none() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// The folder of the servers of a place, with our certificates in it; nobody may write there.
pub fn folder(place: &Place) -> PathBuf {
    let folder = place.path("server");
    if folder.exists() {
        return folder;
    }
    fs::create_dir(&folder).expect("a new folder");
    for (path, mode) in [(place.path(""), 0o711), (folder.clone(), 0o777)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our folder");
    }
    for entry in fs::read_dir(certificates()).expect("our certificates") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("an entry has a name");
        fs::copy(&path, folder.join(name)).expect("a copy");
    }
    folder
}

/// Where the certificates of the tests lie; `make.sh` there says what they are.
fn certificates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls")
}

/// The path of one of our certificates.
pub fn certificate(name: &str) -> String {
    let path = certificates().join(name);
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// A log that a server of this place writes line by line, and the test hears as it comes.
pub fn log(place: &Place, name: &str) -> Arc<Heard> {
    let path = folder(place).join(name);
    nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a new pipe");
    // The server is somebody else.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("our pipe");
    Heard::listen(|| File::open(path))
}

/// Returns once somebody listens on a port: for a server that says so a moment before it does.
#[track_caller]
pub fn wait_for_port(port: u16) {
    let given_up = Instant::now() + WAIT_MAX;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < given_up, "nobody listens on port {port}");
        thread::yield_now();
    }
}

/// A port on loopback that nobody has and no other test gets.
pub fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let count = PORTS.end - PORTS.start;
    // Another run of these tests begins elsewhere.
    let first = std::process::id() % u32::from(count);
    let first = u16::try_from(first).expect("less than the count");
    loop {
        let port = PORTS.start + (first + TAKEN.fetch_add(1, Ordering::Relaxed)) % count;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
