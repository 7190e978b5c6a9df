//! A machine to log in to: a server of OpenSSH's or dropbear's on loopback, and a user of the
//! system's with a home in the test's own folder, who is taken away again in the end.

use crate::daemon;
use crate::daemon::Daemon;
use crate::daemon::Who;
use crate::place::Credential;
use crate::place::Place;
use crate::sx::Sx;
use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::PoisonError;

/// The user's password.
pub const PASSWORD: &str = "Zebra-7 'und' Gnu";

/// Whoever adds or takes away a user locks the system's list, and does not wait for a lock.
static USERS: Mutex<u32> = Mutex::new(0);

const SSHD: &str = "
Port PORT
ListenAddress 127.0.0.1
HostKey FOLDER/host_key
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication yes
KbdInteractiveAuthentication no
LogLevel VERBOSE
";

/// What a client of OpenSSH's would read at home, which it finds by the user's id and not by
/// HOME. The check of host keys is off here, and must be on all the same.
const CONFIG: &str = "
StrictHostKeyChecking no
UserKnownHostsFile FOLDER/known_hosts
GlobalKnownHostsFile /dev/null
IdentitiesOnly yes
IdentityFile FOLDER/id
ForwardAgent yes
";

/// Whose server it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Server {
    OpenSsh,
    Dropbear,
}

/// A machine that runs.
pub struct Machine {
    // Ended before its user is taken away.
    daemon: Option<Daemon>,
    /// Where it runs, and the program that asks it.
    pub place: Place,
    /// Its port.
    pub port: u16,
    /// Who can log in.
    pub user: String,
}

impl Machine {
    /// One whose user has a key, a password and no login; `None` where that cannot be had.
    #[track_caller]
    pub fn start(server: Server) -> Option<Machine> {
        if !nix::unistd::geteuid().is_root() {
            // Not by the macro, whose words are heard only when a test fails.
            let why = "skipped: a user to log in as needs root";
            writeln!(io::stderr(), "{why}").expect("stderr is open");
            return None;
        }
        let place = Place::new();
        let folder = daemon::folder(&place).display().to_string();
        let port = daemon::free_port();
        let user = add_user(&place);
        for name in ["id", "server/host_key"] {
            let file = place.path(name).display().to_string();
            run(
                "ssh-keygen",
                &["-q", "-t", "ed25519", "-N", "", "-f", &file],
            );
        }
        let mut machine = Machine {
            daemon: None,
            place,
            port,
            user,
        };
        let public = machine.place.read("id.pub");
        machine.write_there(".ssh/authorized_keys", &public);
        machine.config("");
        machine.daemon = Some(match server {
            Server::OpenSsh => machine.sshd(&folder),
            Server::Dropbear => machine.dropbear(&folder),
        });
        daemon::wait_for_port(port);
        Some(machine)
    }

    fn sshd(&self, folder: &str) -> Daemon {
        // Where the part that meets strangers is locked in; the service would make it.
        fs::create_dir_all("/run/sshd").expect("we are root");
        let text = SSHD.replace("PORT", &self.port.to_string());
        let file = self
            .place
            .write("server/sshd.conf", text.replace("FOLDER", folder));
        let file = file.display().to_string();
        let args = ["-D", "-e", "-f", &file];
        Daemon::start_as(
            Who::Us,
            &self.place,
            "Server listening",
            "/usr/sbin/sshd",
            &args,
        )
    }

    fn dropbear(&self, folder: &str) -> Daemon {
        let (key, listen) = (
            format!("{folder}/dropbear_key"),
            format!("127.0.0.1:{}", self.port),
        );
        let made = run("dropbearkey", &["-t", "ed25519", "-f", &key]);
        let public = String::from_utf8_lossy(&made.stdout).into_owned();
        let public = public.lines().find(|line| line.starts_with("ssh-"));
        self.place
            .write("server/host_key.pub", public.expect("its public key"));
        let pid = format!("{folder}/dropbear.pid");
        let args = ["-F", "-E", "-r", &key, "-p", &listen, "-P", &pid];
        Daemon::start_as(Who::Us, &self.place, "Not backgrounding", "dropbear", &args)
    }

    /// What the server said so far.
    pub fn said(&self) -> String {
        self.daemon.as_ref().expect("it runs").said.so_far()
    }

    /// Writes a file at the user's home.
    pub fn write_there(&self, name: &str, content: impl AsRef<[u8]>) {
        self.place.write(&format!("there/{name}"), content);
        let there = self.place.path("there").display().to_string();
        run("chown", &["-R", &self.user, &there]);
    }

    /// Gives the user a login.
    pub fn log_in(&self, credential: &Credential) {
        self.write_there(".codex/auth.json", credential.file().to_string());
    }

    /// The client's configuration: that of every test, after these lines.
    pub fn config(&self, lines: &str) {
        let here = self.place.path("").display().to_string();
        let text = format!("{lines}\n{CONFIG}").replace("FOLDER", here.trim_end_matches('/'));
        self.place
            .write("ssh_config", text.replace("PORT", &self.port.to_string()));
    }

    /// Makes this key the machine's, as far as OpenSSH's client knows.
    pub fn know(&self, public: &str) {
        let key: Vec<&str> = public.split_whitespace().take(2).collect();
        let line = format!("[127.0.0.1]:{} {}\n", self.port, key.join(" "));
        self.place.write("known_hosts", line);
    }

    /// The machine's own key.
    pub fn key(&self) -> String {
        self.place.read("server/host_key.pub")
    }

    /// The key of another machine.
    pub fn other_key(&self) -> String {
        self.place.read("id.pub")
    }

    /// `sx fetchtoken` by OpenSSH's client.
    pub fn fetch(&self) -> Sx {
        let config = self.place.path("ssh_config");
        let script = format!(
            "#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n",
            config.display()
        );
        let client = self.place.write("bin/ssh", script);
        fs::set_permissions(client, fs::Permissions::from_mode(0o755)).expect("our file");
        self.fetch_by("bin")
    }

    /// `sx fetchtoken` by dropbear's client, which does go by HOME.
    pub fn fetch_by_dbclient(&self) -> Sx {
        if !self.place.path("small").exists() {
            fs::create_dir(self.place.path("small")).expect("a new folder");
            symlink("/usr/bin/dbclient", self.place.path("small/dbclient")).expect("a new link");
        }
        self.fetch_by("small")
    }

    fn fetch_by(&self, folder: &str) -> Sx {
        let sx = self.place.sx(["fetchtoken"]);
        sx.env("PATH", self.place.path(folder))
            .env("CODEX_TOKEN_SOURCE", "ssh")
            .env("CODEX_SSH_HOST", "127.0.0.1")
            .env("CODEX_SSH_PORT", self.port.to_string())
            .env("CODEX_SSH_USER", &self.user)
    }

    /// A key of dropbear's own form, which the user takes too.
    pub fn make_dropbear_key(&self) {
        self.place.write("home/.ssh/known_hosts", "");
        let key = self
            .place
            .path("home/.ssh/id_dropbear")
            .display()
            .to_string();
        let made = run("dropbearkey", &["-t", "ed25519", "-f", &key]);
        self.write_there(".ssh/authorized_keys", made.stdout);
    }

    /// Likewise [`Machine::know`] for dropbear's client, which knows no ports.
    pub fn know_by_dbclient(&self, public: &str) {
        let key: Vec<&str> = public.split_whitespace().take(2).collect();
        let line = format!("127.0.0.1 {}\n", key.join(" "));
        self.place.write("home/.ssh/known_hosts", line);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.daemon = None;
        let _lock = USERS.lock().unwrap_or_else(PoisonError::into_inner);
        // By force: a session of theirs may still be ending. The home goes with the place.
        let _ = Command::new("userdel").args(["-f", &self.user]).output();
    }
}

/// A user with a password and a home in the folder `there`.
fn add_user(place: &Place) -> String {
    let mut count = USERS.lock().unwrap_or_else(PoisonError::into_inner);
    *count += 1;
    let user = format!("sxreal{}x{count}", std::process::id());
    let home = place.path("there");
    fs::create_dir(&home).expect("a new folder");
    let home = home.display().to_string();
    run(
        "useradd",
        &["-M", "-N", "-d", &home, "-s", "/bin/sh", &user],
    );
    let mut child = Command::new("chpasswd")
        .stdin(Stdio::piped())
        .spawn()
        .expect("passwd is there");
    let pipe = child.stdin.take();
    writeln!(pipe.expect("a pipe"), "{user}:{PASSWORD}").expect("it reads");
    assert!(child.wait().expect("a child of ours").success());
    user
}

/// Runs a program to its good end.
#[track_caller]
fn run(program: &str, args: &[&str]) -> Output {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|why| panic!("{program}: {why}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}");
    output
}

/// Every file below a folder, with its content.
pub fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
        if kind.is_dir() {
            found.extend(files(&path));
        } else if kind.is_file() {
            let content = fs::read(&path).expect("a file");
            found.push((path.display().to_string(), content));
        }
    }
    found
}
