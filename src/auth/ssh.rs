//! The ssh source: the token of another machine that we can log in to.
//!
//! The machine's own client does the work (`client`), so that its configuration, agent, jump hosts
//! and known hosts count as they do by hand; what it says when it fails is told apart in
//! `outcome`. All of it together has one deadline, and nobody is ever asked anything: a password
//! comes from the settings or not at all.

pub mod client;
pub mod outcome;

use crate::auth;
use crate::auth::Error;
use crate::auth::Fault;
use crate::auth::Fetch;
use crate::auth::Token;
use crate::auth::Unrun;
use crate::auth::answer;
use crate::auth::borrowed::Lender;
use crate::auth::ssh::client::Client;
use crate::auth::ssh::client::Way;
use crate::base::clock;
use crate::base::clock::Deadline;
use crate::base::secret::Secret;
use crate::base::text;
use crate::proc::SelfPath;
use crate::proc::capture;
use crate::proc::capture::Bounds;
use crate::proc::capture::Capture;
use crate::proc::capture::Captured;
use crate::proc::capture::Fate;
use crate::proc::capture::Job;
use crate::proc::environment;
use crate::proc::environment::Pairs;
use std::net::IpAddr;
use std::time::Duration;

/// Three tokens and a page of greetings.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// The code of [`ask_there`] for a machine without a login, `EX_NOINPUT` of sysexits(3).
pub const NO_LOGIN_CODE: i32 = 66;

/// A machine that is reached by ssh, and how.
pub struct Ssh {
    /// Where it is and who we are there.
    pub way: Way,
    /// What is run there; `None` is [`ask_there`].
    pub command: Option<String>,
    /// How long it may take together.
    pub timeout: Duration,
    /// The cut-down environment, and where the agent is.
    pub env: Pairs,
    /// Our own binary, which hands the client its password.
    pub self_path: SelfPath,
    /// The token that the service refused.
    pub refused: Option<Secret>,
}

/// Which token is wanted of the other machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Whichever it holds.
    Any,
    /// Another one than it holds.
    Renewed,
}

impl Lender for Ssh {
    fn lend(&mut self, fetch: &mut dyn Fetch) -> Result<Token, Error> {
        let deadline = Deadline::after(self.timeout, "CODEX_SSH_TIMEOUT");
        let token = self.ask(Wanted::Any, deadline, fetch)?;
        // Others may have had it renewed there already, so only this very one is.
        if self.refused.as_ref() == Some(&token.access) && self.command.is_none() {
            return self.ask(Wanted::Renewed, deadline, fetch);
        }
        Ok(token)
    }

    fn note_refusal(&mut self, token: &Token) {
        self.refused = Some(token.access.clone());
    }

    fn secrets(&self) -> Vec<&Secret> {
        self.way.password.iter().collect()
    }
}

impl Ssh {
    fn ask(
        &self,
        wanted: Wanted,
        deadline: Deadline,
        fetch: &mut dyn Fetch,
    ) -> Result<Token, Error> {
        let failed = |fault, detail| self.failed(fault, detail);
        let path = environment::value(&self.env, "PATH").unwrap_or_default();
        let Some(client) = Client::find(path) else {
            let detail = "neither ssh nor dbclient is in PATH".to_string();
            return Err(failed(Fault::NoClient, detail));
        };
        let command = self.command.clone().unwrap_or_else(|| ask_there(wanted));
        let job = self.job(&client, command, deadline)?;
        let started = Capture::start(job, &self.self_path).map_err(Unrun::Program);
        let ran = started.and_then(|program| auth::run(program, fetch));
        let Captured {
            status,
            output,
            words,
        } = ran.map_err(|unrun| match unrun {
            Unrun::Program(error @ capture::Error::Timeout(_)) => {
                failed(Fault::TimedOut, error.to_string())
            }
            unrun => failed(Fault::Failed, unrun.to_string()),
        })?;
        let mut words = String::from_utf8_lossy(&words).into_owned();
        if let Some(password) = &self.way.password {
            words = words.replace(password.expose(), "[secret]");
        }
        outcome::check(&client, &self.way, status, &words)
            .map_err(|(fault, detail)| failed(fault, detail))?;
        answer::read(&output, &self.way.name(), clock::unix_seconds())
            .map_err(|why| failed(Fault::NotAToken, why.to_string()))
    }

    fn job(&self, client: &Client, command: String, deadline: Deadline) -> Result<Job, Error> {
        let mut env = self.env.clone();
        environment::set(&mut env, "LC_ALL", "C");
        if let Some(password) = &self.way.password {
            let Some(own) = self.self_path.real() else {
                let detail = "the file of sx is gone, so it cannot hand over the password";
                return Err(self.failed(Fault::Failed, detail.to_string()));
            };
            for (name, value) in client.password_variables(password, &own) {
                environment::set(&mut env, name, value);
            }
        }
        Ok(Job {
            program: client.path.clone().into(),
            args: client.arguments(&self.way, self.timeout, command),
            cwd: None,
            env,
            input: client.input(&self.way),
            bounds: Bounds {
                deadline,
                output_bytes_max: OUTPUT_BYTES_MAX,
                fate: Fate::Killed,
            },
        })
    }

    fn failed(&self, fault: Fault, detail: String) -> Error {
        Error::Source {
            from: self.way.name(),
            fault,
            detail,
        }
    }
}

/// The command that is run there where none is set: asks the sx there, else prints its login file.
///
/// One line in single quotes, without any of `\ ! '`: any login shell passes that on to `sh` as it
/// is. What is called without a terminal often has a short PATH, so the usual folders are looked
/// through too. Other programs are called sx as well, and one of them would open a window, so only
/// a file that knows the verb is run.
pub fn ask_there(wanted: Wanted) -> String {
    let refresh = match wanted {
        Wanted::Any => "",
        Wanted::Renewed => " --refresh",
    };
    format!(
        "sh -c '\
         for sx in sx \"$HOME/.local/bin/sx\" \"$HOME/bin/sx\" /usr/local/bin/sx; do \
         file=$(command -v \"$sx\") && grep -q fetchtoken \"$file\" 2>/dev/null && \
         exec \"$file\" fetchtoken --json{refresh}; \
         done; \
         for file in \"${{XDG_CONFIG_HOME:-$HOME/.config}}/sx/codex-auth.json\" \
         \"${{CODEX_HOME:-$HOME/.codex}}/auth.json\"; do \
         test -e \"$file\" && exec cat \"$file\"; \
         done; \
         echo \"neither sx nor a credential file is there for $(id -un): no $file\" >&2; \
         exit {NO_LOGIN_CODE}'"
    )
}

/// A host as it may be given to a client: no option, no words, nothing that a shell would read,
/// since the client may put it into a command of its configuration.
pub fn check_host(host: &str) -> Result<(), String> {
    check_name(host, "'`\"$\\;&<>|(){}")
}

/// Likewise a user; some directories have `$` and `\` in their names.
pub fn check_user(user: &str) -> Result<(), String> {
    check_name(user, "'`\";&<>|(){}")
}

/// Whether a host is this machine by its very name; who knows where a name of the client's
/// configuration leads.
pub fn is_this_machine(host: &str) -> bool {
    let is_loopback = |address: IpAddr| address.is_loopback();
    host == "localhost" || host.parse().is_ok_and(is_loopback)
}

fn check_name(name: &str, forbidden: &str) -> Result<(), String> {
    let shown = text::harmless(name);
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || forbidden.contains(c);
    match name.chars().find(|c| is_bad(*c)) {
        Some(c) => Err(format!("`{shown}` holds {c:?}")),
        None if name.starts_with('-') => Err(format!("`{shown}` would be read as an option")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_name_is_no_option_and_nothing_for_a_shell() {
        for good in ["build7", "u@h", "fe80::1%eth0", "[::1]", "h.example.org"] {
            assert_eq!(check_host(good), Ok(()));
        }
        for bad in [
            "-oProxyCommand=x",
            "a b",
            "a\tb",
            "$(x)",
            "a;b",
            "`x`",
            "a\u{1b}",
        ] {
            assert!(check_host(bad).is_err(), "{bad}");
        }
        assert_eq!(check_user("CORP\\me$"), Ok(()));
        let option = Err("`-x` would be read as an option".to_string());
        assert_eq!(check_user("-x"), option);
    }

    #[test]
    fn this_machine_has_few_names() {
        for host in ["localhost", "127.0.0.1", "127.9.9.9", "::1"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["build7", "10.0.0.1", "localhost.example.org"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn the_command_passes_any_login_shell() {
        for wanted in [Wanted::Any, Wanted::Renewed] {
            let command = ask_there(wanted);
            let inner = command.strip_prefix("sh -c '").unwrap();
            let inner = inner.strip_suffix('\'').unwrap();
            assert!(!inner.contains(['\'', '\\', '!', '\n']), "{inner}");
            // A shell can read it.
            let read = Command::new("/bin/sh")
                .args(["-n", "-c", &command])
                .output();
            assert!(read.unwrap().status.success());
        }
        assert!(ask_there(Wanted::Renewed).contains("fetchtoken --json --refresh;"));
    }
}
