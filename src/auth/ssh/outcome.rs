//! What it means when the client fails, by its code and its words in the C locale.
//!
//! The words are those of OpenSSH 9.2 and dropbear 2022.83. OpenSSH keeps the code 255 for itself;
//! dropbear has none of its own, and even says 0 where it was disconnected, but begins its last
//! line in one way. All else is the code of what ran there. A word that is not known here makes
//! the fault a [`Fault::Failed`] with all that was said.

use crate::auth::Fault;
use crate::auth::ssh::NO_LOGIN_CODE;
use crate::auth::ssh::client::Client;
use crate::auth::ssh::client::Kind;
use crate::auth::ssh::client::Way;
use crate::base::text;
use std::process::ExitStatus;

/// What OpenSSH's client returns where it failed itself.
const OPENSSH_CODE: i32 = 255;

/// Of what was said.
const WORDS_CHARS_MAX: usize = 200;

/// What stands in a line and what it means. The first row that fits counts, since a connection
/// that breaks for one reason is then closed or reset as well.
const SIGNS: &[(&str, Fault)] = &[
    ("HOST IDENTIFICATION HAS CHANGED", Fault::HostKeyChanged),
    ("REVOKED HOST KEY", Fault::HostKeyChanged),
    ("host key mismatch for", Fault::HostKeyChanged),
    ("host key is known for", Fault::HostKeyUnknown),
    ("Didn't validate host key", Fault::HostKeyUnknown),
    ("Host key verification failed", Fault::HostKeyUnknown),
    ("connect to host", Fault::Unreachable),
    ("Connect failed", Fault::Unreachable),
    ("Permission denied (", Fault::Refused),
    ("Permission denied", Fault::Refused),
    ("Too many authentication failures", Fault::Refused),
    ("No auth methods could be used", Fault::Refused),
    ("exited: Interrupted", Fault::Refused),
    ("Could not resolve hostname", Fault::Unreachable),
    ("timed out", Fault::Unreachable),
    ("Connection refused", Fault::Unreachable),
    ("No route to host", Fault::Unreachable),
    ("unreachable", Fault::Unreachable),
    ("Connection closed", Fault::Unreachable),
    ("Connection reset", Fault::Unreachable),
    ("closed by remote host", Fault::Unreachable),
    ("closed the connection", Fault::Unreachable),
    ("Disconnect received", Fault::Unreachable),
    ("Broken pipe", Fault::Unreachable),
];

/// How dropbear ends where it was let in by nobody: it sends the same password until it is thrown
/// out, and does not say why it was.
const DROPBEAR_THROWN_OUT: &[&str] = &["closed the connection", "Disconnect received"];

/// Fails where the command there did not come to a good end, with a line that says why.
pub fn check(
    client: &Client,
    way: &Way,
    status: ExitStatus,
    words: &str,
) -> Result<(), (Fault, String)> {
    let is_its_own = match client.kind {
        Kind::OpenSsh => status.code() == Some(OPENSSH_CODE),
        Kind::Dropbear => words.lines().any(is_dropbears_end),
    };
    if is_its_own {
        return Err(of_client(client, way, words));
    }
    if status.success() {
        return Ok(());
    }
    Err(of_command(status, words))
}

fn is_dropbears_end(line: &str) -> bool {
    line.contains(": Connection to ") && line.contains(" exited: ")
}

/// The client came not so far as to run anything, or lost its connection.
fn of_client(client: &Client, way: &Way, words: &str) -> (Fault, String) {
    let line_with = |sign: &str| words.lines().find(|line| line.contains(sign));
    let was_thrown_out = || DROPBEAR_THROWN_OUT.iter().any(|s| line_with(s).is_some());
    if client.kind == Kind::Dropbear && way.password.is_some() && was_thrown_out() {
        let detail = "it closed the connection, as it does after wrong passwords";
        return (Fault::Refused, detail.to_string());
    }
    for (sign, fault) in SIGNS {
        let Some(line) = line_with(sign) else {
            continue;
        };
        let detail = match fault {
            Fault::HostKeyChanged | Fault::HostKeyUnknown => of_host_key(words, line),
            _ => line.to_string(),
        };
        return (*fault, one_line(&detail));
    }
    if words.trim().is_empty() {
        return (Fault::Failed, "the client says nothing of it".to_string());
    }
    (Fault::Failed, one_line(words))
}

/// The fingerprint and where the known key stands, as far as the client says; else its line.
fn of_host_key(words: &str, line: &str) -> String {
    let end = |c: char| c.is_whitespace() || c == ')' || c == '.';
    let sent = words.find("SHA256:").map(|at| &words[at..]);
    let sent = sent.and_then(|rest| rest.split(end).next());
    let known = words.lines().find_map(|line| {
        let (_, place) = line.strip_prefix("Offending ")?.split_once(" key in ")?;
        Some(place.trim())
    });
    match (sent, known) {
        (Some(sent), Some(known)) => format!("it shows {sent}, {known} says otherwise"),
        (Some(sent), None) => format!("it shows {sent}"),
        (None, _) => line.to_string(),
    }
}

/// What ran there failed.
fn of_command(status: ExitStatus, words: &str) -> (Fault, String) {
    let said = one_line(words);
    let has_no_login = status.code() == Some(NO_LOGIN_CODE)
        || said.starts_with("not_found: ")
        || said.contains("No such file or directory");
    if has_no_login {
        return (Fault::NoFile, said);
    }
    let how = match status.code() {
        Some(code) => format!("its command ended with code {code}"),
        None => format!("the client ended by {status}"),
    };
    match said.is_empty() {
        true => (Fault::Failed, how),
        false => (Fault::Failed, format!("{how}: {said}")),
    }
}

/// Words on one line that a terminal can take, without the name of who says them.
fn one_line(words: &str) -> String {
    let line = text::one_line(words);
    let line = line.strip_prefix("ssh: ").unwrap_or(&line);
    let line = line.strip_prefix("sx: ").unwrap_or(line);
    let line = line.split_once(" exited: ").map_or(line, |(_, why)| why);
    let line = text::harmless(line);
    text::ellipsis(&line, WORDS_CHARS_MAX).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::ssh::client::HostKeys;
    use crate::base::secret::Secret;
    use std::os::unix::process::ExitStatusExt;

    fn found(kind: Kind, password: Option<&str>, code: i32, words: &str) -> Result<(), String> {
        let client = Client {
            path: "/bin/client".into(),
            kind,
        };
        let way = Way {
            host: "h".into(),
            user: None,
            port: None,
            password: password.map(Secret::new),
            host_keys: HostKeys::Strict,
        };
        let status = ExitStatus::from_raw(code << 8);
        let checked = super::check(&client, &way, status, words);
        checked.map_err(|(fault, detail)| format!("{fault:?}: {detail}"))
    }

    #[track_caller]
    fn check(kind: Kind, code: i32, words: &str, expected: &str) {
        let found = found(kind, None, code, words);
        assert_eq!(found.err().as_deref(), Some(expected), "{words}");
    }

    #[test]
    fn openssh_says_why_it_was_not_let_in() {
        for (words, expected) in [
            (
                "No ED25519 host key is known for [127.0.0.1]:22701 and you have requested strict \
                 checking.\r\nHost key verification failed.\r\n",
                "HostKeyUnknown: No ED25519 host key is known for [127.0.0.1]:22701 and you have \
                 requested strict checking.",
            ),
            (
                CHANGED,
                "HostKeyChanged: it shows SHA256:5ozS6i7pDhRQZAx2Q2k5RcoM2ofRaAayF97xmr0UxSA, \
                 /home/me/.ssh/known_hosts:1 says otherwise",
            ),
            (
                "Load key \"/k\": Permission denied\r\n\
                 me@127.0.0.1: Permission denied (publickey,password).\r\n",
                "Refused: me@127.0.0.1: Permission denied (publickey,password).",
            ),
            (
                "Received disconnect from 127.0.0.1 port 22:2: Too many authentication \
                 failures\r\nDisconnected from 127.0.0.1 port 22\r\n",
                "Refused: Received disconnect from 127.0.0.1 port 22:2: Too many authentication \
                 failures",
            ),
            (
                "command-line: line 0: Bad configuration option: foo\r\n",
                "Failed: command-line: line 0: Bad configuration option: foo",
            ),
            ("", "Failed: the client says nothing of it"),
            ("\x1b[2Joh\n", "Failed: [2Joh"),
        ] {
            check(Kind::OpenSsh, 255, words, expected);
        }
    }

    #[test]
    fn openssh_says_why_there_was_no_way() {
        for (words, expected) in [
            (
                "ssh: connect to host 127.0.0.1 port 22799: Connection refused\r\n\
                 kex_exchange_identification: Connection closed by remote host\r\n\
                 Connection closed by UNKNOWN port 65535\r\n",
                "connect to host 127.0.0.1 port 22799: Connection refused",
            ),
            (
                "ssh: Could not resolve hostname nosuch.invalid: Name or service not known\r\n",
                "Could not resolve hostname nosuch.invalid: Name or service not known",
            ),
            (
                "Connection timed out during banner exchange\r\n",
                "Connection timed out during banner exchange",
            ),
            (
                "kex_exchange_identification: read: Connection reset by peer\r\n",
                "kex_exchange_identification: read: Connection reset by peer",
            ),
            (
                "ssh: connect to host h port 22: No route to host\r\n",
                "connect to host h port 22: No route to host",
            ),
        ] {
            let expected = format!("Unreachable: {expected}");
            check(Kind::OpenSsh, 255, words, &expected);
        }
    }

    #[test]
    fn dropbear_says_it_in_its_last_line() {
        let mismatch = "\n/usr/bin/dbclient: Connection to me@127.0.0.1:22 exited: \n\n\
            ssh-ed25519 host key mismatch for 127.0.0.1 !\n\
            Fingerprint is SHA256:5ozS6i7pDhRQ\nExpected SHA256:LN9JOwI+VJs\n";
        let unknown = "\nHost '127.0.0.1' is not in the trusted hosts file.\n\
            (ssh-ed25519 fingerprint SHA256:5ozS6i7pDhRQ)\n\
            Do you want to continue connecting? (y/n) \n\
            dbclient: Connection to me@127.0.0.1:22 exited: Didn't validate host key\n";
        let ended = |why: &str| format!("\ndbclient: Connection to me@h:22 exited: {why}\n");
        let nobody = "Connect failed: Error resolving 'h' port '22'. Name or service not known";
        for (code, words, expected) in [
            (1, mismatch, "HostKeyChanged: it shows SHA256:5ozS6i7pDhRQ"),
            (1, unknown, "HostKeyUnknown: it shows SHA256:5ozS6i7pDhRQ"),
            (0, &ended("Interrupted."), "Refused: Interrupted."),
            (1, &ended(nobody), &format!("Unreachable: {nobody}")),
            (
                1,
                &ended("Connect failed: Connection refused"),
                "Unreachable: Connect failed: Connection refused",
            ),
            (
                1,
                &ended("Remote closed the connection"),
                "Unreachable: Remote closed the connection",
            ),
        ] {
            check(Kind::Dropbear, code, words, expected);
        }
        for why in ["Remote closed the connection", "Disconnect received"] {
            let found = found(Kind::Dropbear, Some("hunter2"), 0, &ended(why)).unwrap_err();
            assert!(found.starts_with("Refused: "), "{found}");
        }
    }

    #[test]
    fn what_ran_there_has_a_code_of_its_own() {
        for kind in [Kind::OpenSsh, Kind::Dropbear] {
            assert_eq!(found(kind, None, 0, "welcome\n"), Ok(()));
            for (code, words, expected) in [
                (66, "nothing there\n", "NoFile: nothing there"),
                (
                    1,
                    "cat: /x: No such file or directory\n",
                    "NoFile: cat: /x: No such file or directory",
                ),
                (
                    3,
                    "sx: not_found: no login found in /x\nhint: log in\n",
                    "NoFile: not_found: no login found in /x hint: log in",
                ),
                (
                    3,
                    "sx: permanent: /x: revoked\n",
                    "Failed: its command ended with code 3: permanent: /x: revoked",
                ),
                (
                    1,
                    "cat: /x: Permission denied\n",
                    "Failed: its command ended with code 1: cat: /x: Permission denied",
                ),
                (7, "", "Failed: its command ended with code 7"),
            ] {
                check(kind, code, words, expected);
            }
        }
    }

    const CHANGED: &str = "\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r
The fingerprint for the ED25519 key sent by the remote host is\r
SHA256:5ozS6i7pDhRQZAx2Q2k5RcoM2ofRaAayF97xmr0UxSA.\r
Offending ED25519 key in /home/me/.ssh/known_hosts:1\r
Host key for [127.0.0.1]:22701 has changed and you have requested strict checking.\r
Host key verification failed.\r
";
}
