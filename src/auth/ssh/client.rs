//! The program that logs in for us: OpenSSH's `ssh`, else dropbear's; what each of them is told.
//!
//! Whatever the user's configuration says, the host's key is checked, nothing is forwarded, no
//! command of this machine is run and no terminal is asked for. A password never stands among the
//! arguments: OpenSSH asks our own binary for it (SSH_ASKPASS of ssh(1)), dropbear reads a
//! variable. The client has that variable in its environment, and so has what it starts: the
//! command of a ProxyCommand or of a Match, and the ssh of a ProxyJump.

use crate::base::secret::Secret;
use crate::proc::launch::find_in_path;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// Holds the password for our own binary when OpenSSH starts it to ask for one.
pub const ASKPASS_VARIABLE: &str = "SX_ASKPASS_PASSWORD";

/// Where the machine is, and who we are there.
pub struct Way {
    /// A host as the client knows it.
    pub host: String,
    /// The user there; `None` leaves it to the client.
    pub user: Option<String>,
    /// The port there; `None` leaves it to the client.
    pub port: Option<u16>,
    /// The password, where no key will do.
    pub password: Option<Secret>,
    /// Which hosts are trusted.
    pub host_keys: HostKeys,
}

/// Which hosts are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeys {
    /// Those whose key is known here.
    Strict,
    /// Also those of which nothing is known here yet; their key is kept.
    AcceptNew,
}

impl Way {
    /// As the user knows it.
    pub fn name(&self) -> String {
        match &self.user {
            Some(user) => format!("ssh {user}@{}", self.host),
            None => format!("ssh {}", self.host),
        }
    }
}

/// A client and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its file.
    pub path: PathBuf,
    /// Whose it is.
    pub kind: Kind,
}

/// Whose a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// OpenSSH's.
    OpenSsh,
    /// Dropbear's, which knows few of OpenSSH's options.
    Dropbear,
}

impl Client {
    /// `ssh` or else `dbclient`, in the folders of `path`. On small systems `ssh` is a link to
    /// dropbear's.
    pub fn find(path: &OsStr) -> Option<Client> {
        if let Some(path) = find_in_path(OsStr::new("ssh"), path) {
            let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            let name = real.file_name().unwrap_or_default().to_string_lossy();
            let is_dropbear = name.starts_with("dropbear") || name.starts_with("dbclient");
            let kind = match is_dropbear {
                true => Kind::Dropbear,
                false => Kind::OpenSsh,
            };
            return Some(Client { path, kind });
        }
        let path = find_in_path(OsStr::new("dbclient"), path)?;
        let kind = Kind::Dropbear;
        Some(Client { path, kind })
    }

    /// Its arguments for running `command` there. `timeout` is for all of it.
    pub fn arguments(&self, way: &Way, timeout: Duration, command: String) -> Vec<OsString> {
        let mut args = vec!["-T".to_string()];
        if self.kind == Kind::OpenSsh {
            for option in openssh_options(way, timeout) {
                args.extend(["-o".to_string(), option]);
            }
        }
        if let Some(port) = way.port {
            args.extend(["-p".to_string(), port.to_string()]);
        }
        if let Some(user) = &way.user {
            args.extend(["-l".to_string(), user.clone()]);
        }
        // Dropbear has no such mark; it too takes no options behind the host.
        if self.kind == Kind::OpenSsh {
            args.push("--".to_string());
        }
        args.extend([way.host.clone(), command]);
        args.into_iter().map(OsString::from).collect()
    }

    /// The variables by which it gets the password. `own` is the path of our own binary.
    pub fn password_variables(
        &self,
        password: &Secret,
        own: &Path,
    ) -> Vec<(&'static str, OsString)> {
        match self.kind {
            Kind::OpenSsh => vec![
                ("SSH_ASKPASS", own.into()),
                ("SSH_ASKPASS_REQUIRE", "force".into()),
                // Before 8.4 it asks so only where there seems to be a display.
                ("DISPLAY", "none".into()),
                (ASKPASS_VARIABLE, password.expose().into()),
            ],
            Kind::Dropbear => vec![("DROPBEAR_PASSWORD", password.expose().into())],
        }
    }

    /// What it reads. OpenSSH reads nothing.
    ///
    /// Dropbear asks on its standard input where it has no terminal, first whether an unknown host
    /// is to be trusted, and reads for ever what has ended. Its `-y` would trust the host without
    /// keeping the key, so that any other key were as good the next time; a `y` keeps it. The
    /// character of Ctrl-C makes it give up where it asks for a password instead of sending none
    /// again and again.
    pub fn input(&self, way: &Way) -> Vec<u8> {
        match (self.kind, way.host_keys) {
            (Kind::OpenSsh, _) => Vec::new(),
            (Kind::Dropbear, HostKeys::Strict) => b"n\x03\n".to_vec(),
            (Kind::Dropbear, HostKeys::AcceptNew) => b"y\x03\n\x03\n".to_vec(),
        }
    }
}

/// What wins over the user's configuration: ssh takes the first value that it meets.
fn openssh_options(way: &Way, timeout: Duration) -> Vec<String> {
    // Half, so that what it says of a host that never answers comes before our own deadline.
    let connect_seconds = (timeout.as_secs() / 2).max(1);
    let mut options: Vec<String> = Vec::new();
    match way.password {
        Some(_) => options.extend(["BatchMode=no".into(), "NumberOfPasswordPrompts=1".into()]),
        None => options.push("BatchMode=yes".into()),
    }
    let host_keys = match way.host_keys {
        HostKeys::Strict => "yes",
        HostKeys::AcceptNew => "accept-new",
    };
    options.push(format!("StrictHostKeyChecking={host_keys}"));
    options.push(format!("ConnectTimeout={connect_seconds}"));
    let fixed = [
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "RequestTTY=no",
        "ForwardAgent=no",
        "ForwardX11=no",
        // Its reasons, without greetings.
        "LogLevel=ERROR",
    ];
    options.extend(fixed.map(String::from));
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(password: Option<&str>, host_keys: HostKeys) -> Way {
        Way {
            host: "build7".into(),
            user: Some("me".into()),
            port: Some(2222),
            password: password.map(Secret::new),
            host_keys,
        }
    }

    fn client(kind: Kind) -> Client {
        let path = "/bin/client".into();
        Client { path, kind }
    }

    #[track_caller]
    fn check(kind: Kind, way: &Way, expected: &str) {
        let args = client(kind).arguments(way, Duration::from_secs(30), "echo hi".into());
        let args: Vec<_> = args.iter().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(args.join(" "), expected);
    }

    const FIXED: &str = "-o ConnectTimeout=15 -o ClearAllForwardings=yes -o PermitLocalCommand=no \
        -o RemoteCommand=none -o RequestTTY=no -o ForwardAgent=no -o ForwardX11=no \
        -o LogLevel=ERROR";

    #[test]
    fn openssh_is_told_everything_and_asks_nobody() {
        check(
            Kind::OpenSsh,
            &way(None, HostKeys::Strict),
            &format!(
                "-T -o BatchMode=yes -o StrictHostKeyChecking=yes {FIXED} \
                 -p 2222 -l me -- build7 echo hi"
            ),
        );
        let bare = Way {
            user: None,
            port: None,
            ..way(Some("hunter2"), HostKeys::AcceptNew)
        };
        check(
            Kind::OpenSsh,
            &bare,
            &format!(
                "-T -o BatchMode=no -o NumberOfPasswordPrompts=1 \
                 -o StrictHostKeyChecking=accept-new {FIXED} -- build7 echo hi"
            ),
        );
        assert_eq!(bare.name(), "ssh build7");
        assert_eq!(way(None, HostKeys::Strict).name(), "ssh me@build7");
    }

    #[test]
    fn dropbear_gets_the_few_options_that_it_knows() {
        let expected = "-T -p 2222 -l me build7 echo hi";
        let known = way(Some("hunter2"), HostKeys::Strict);
        check(Kind::Dropbear, &known, expected);
        check(Kind::Dropbear, &way(None, HostKeys::AcceptNew), expected);
    }

    #[test]
    fn a_short_time_still_leaves_a_second_to_connect() {
        let args = client(Kind::OpenSsh).arguments(
            &way(None, HostKeys::Strict),
            Duration::from_millis(500),
            "x".into(),
        );
        assert!(args.contains(&"ConnectTimeout=1".into()));
    }

    #[test]
    fn the_password_is_in_the_environment_alone() {
        let names = |kind| -> Vec<&str> {
            let password = Secret::new("hunter2");
            let pairs = client(kind).password_variables(&password, Path::new("/bin/sx"));
            let holds = |(_, value): &&(&str, OsString)| value == "hunter2";
            assert_eq!(pairs.iter().filter(holds).count(), 1);
            pairs.into_iter().map(|(name, _)| name).collect()
        };
        let expected = [
            "SSH_ASKPASS",
            "SSH_ASKPASS_REQUIRE",
            "DISPLAY",
            ASKPASS_VARIABLE,
        ];
        assert_eq!(names(Kind::OpenSsh), expected);
        assert_eq!(names(Kind::Dropbear), ["DROPBEAR_PASSWORD"]);
        // Whatever we start otherwise would not get it either.
        let set = (ASKPASS_VARIABLE.into(), "hunter2".into());
        let kept = crate::proc::environment::cut([set]);
        assert!(kept.iter().all(|(name, _)| name != ASKPASS_VARIABLE));
    }
}
