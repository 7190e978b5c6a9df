//! Our binary as ssh's askpass: hands over the password that the one who started ssh gave along.
//!
//! ssh starts it with its question as the only argument (SSH_ASKPASS of ssh(1)). It answers the
//! ssh that we started and no other: a client for a jump host on the way asks too, and the
//! password is not for that one.

use crate::auth::ssh::client::ASKPASS_VARIABLE;
use crate::proc;
use crate::term::writer;
use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

/// Answers, if that is what this process was started for. `arguments` are without the name.
pub fn answer(arguments: &[OsString]) -> Option<ExitCode> {
    let password = env::var_os(ASKPASS_VARIABLE)?;
    let [question] = arguments else {
        return None;
    };
    let _ = proc::own::close_to_others();
    let is_for_us = proc::own::was_started_by_leader_of_session();
    if !is_for_us || !asks_for_password(&question.to_string_lossy()) {
        return Some(ExitCode::FAILURE);
    }
    let mut line = password.as_bytes().to_vec();
    line.push(b'\n');
    let written = writer::stdout().and_then(|mut out| out.write_all(&line));
    Some(match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

/// Whether a question is for the password of a login: not for that of a key, not for a new one,
/// and not whether a host is to be trusted.
fn asks_for_password(question: &str) -> bool {
    let question = question.to_lowercase();
    let others = ["passphrase", "yes/no", "new password", "retype", "one-time"];
    question.contains("password") && !others.iter().any(|other| question.contains(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(question: &str, expected: bool) {
        assert_eq!(asks_for_password(question), expected, "{question}");
    }

    #[test]
    fn only_the_password_of_a_login_is_told() {
        check("me@build7's password: ", true);
        check("(me@build7) Password: ", true);
        check("Enter passphrase for key '/home/me/.ssh/password': ", false);
        check(
            "The authenticity of host 'password (10.0.0.1)' can't be established.\n\
             Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
            false,
        );
        check("Enter me@build7's new password: ", false);
        check("Retype me@build7's new password: ", false);
        check("One-time password (OATH) for `me': ", false);
        check("Verification code: ", false);
        check("", false);
    }

    #[test]
    fn without_the_variable_it_is_nobodys_askpass() {
        assert!(answer(&["me@build7's password: ".into()]).is_none());
    }
}
