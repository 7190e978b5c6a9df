//! Why there is no token, sorted by what is to be done about it. No secret is ever part of it.

use crate::auth::account;
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// Why there is no credential, sorted by what is to be done about it.
#[derive(Debug)]
pub enum Error {
    /// There is no credential file in any of the places that were looked at: log in.
    NotFound {
        /// The places, in order.
        tried: Vec<PathBuf>,
    },
    /// The vendor's own client has left no login here: log in with it.
    NoClientLogin {
        /// Where it would be.
        path: PathBuf,
    },
    /// There is no login of the name that was asked for: name another one, or log in.
    NoAccount {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// The file is not what it should be: mend it or log in anew.
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file holds an API key, which this service's subscription does not take: log in.
    ApiKey {
        /// The file.
        path: PathBuf,
    },
    /// The bearer is of no use any more and there is nothing to renew it with: log in anew.
    Expired {
        /// The file.
        path: PathBuf,
    },
    /// The issuer will never renew this credential again: log in anew.
    Permanent {
        /// The file.
        path: PathBuf,
        /// What the issuer said.
        detail: String,
    },
    /// The file belongs to another account now: start again to use that one.
    OtherAccount {
        /// The file.
        path: PathBuf,
    },
    /// The issuer could not be asked, or could not answer: try again later.
    Transient {
        /// What happened.
        detail: String,
    },
    /// A setting forbids the refresh or breaks it.
    Settings {
        /// Which, and what is wrong with it.
        detail: String,
    },
    /// Whoever lends the token did not.
    Source {
        /// Who that is, as the user knows it; never with a password.
        from: String,
        /// What kind of fault it is.
        fault: Fault,
        /// What happened, in one line.
        detail: String,
    },
    /// The file or its lock could not be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// What was to be done with it.
        action: &'static str,
        /// Why that failed.
        source: io::Error,
    },
}

/// Why a token was not lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This machine has no program to ask with.
    NoClient,
    /// There was no way to it.
    Unreachable,
    /// It took too long.
    TimedOut,
    /// Its host key is not known here.
    HostKeyUnknown,
    /// Its host key is another one than is known here.
    HostKeyChanged,
    /// It did not accept who we are.
    Refused,
    /// It has no credential to lend.
    NoFile,
    /// What came is no token.
    NotAToken,
    /// The token is of no use: expired, or refused by the service already.
    Spent,
    /// Anything else.
    Failed,
}

impl Fault {
    fn word(self) -> &'static str {
        match self {
            Fault::NoClient => "no_client",
            Fault::Unreachable => "unreachable",
            Fault::TimedOut => "timed_out",
            Fault::HostKeyUnknown => "host_key_unknown",
            Fault::HostKeyChanged => "host_key_changed",
            Fault::Refused => "refused",
            Fault::NoFile => "no_such_file",
            Fault::NotAToken => "not_a_token",
            Fault::Spent => "spent",
            Fault::Failed => "failed",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Fault::NoClient => "there is no program to ask with",
            Fault::Unreachable => "cannot be reached",
            Fault::TimedOut => "took too long",
            Fault::HostKeyUnknown => "its host key is not known here",
            Fault::HostKeyChanged => "its host key is not the one that is known here",
            Fault::Refused => "refused us",
            Fault::NoFile => "has no login to lend",
            Fault::NotAToken => "gives something that is no token",
            Fault::Spent => "gives a token of no use",
            Fault::Failed => "failed",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Fault::NoClient => {
                "install ssh or dbclient, or take the token from a server: \
                 CODEX_TOKEN_SOURCE=remote"
            }
            Fault::Unreachable | Fault::TimedOut => {
                "see CODEX_TOKEN_SOURCE and the settings of that source: `sx config`"
            }
            Fault::HostKeyUnknown => {
                "connect once with ssh by hand and check the key, or set \
                 CODEX_SSH_HOST_KEYS=accept-new"
            }
            Fault::HostKeyChanged => {
                "find out why it changed before you do anything else; then \
                 `ssh-keygen -R HOST`"
            }
            Fault::Refused => "see who is asked and as whom: `sx config`",
            Fault::NoFile => "log in there: `sx login`, or `codex login` of the official client",
            Fault::NotAToken => {
                "look at what stands or is printed there: a token or a key is one word, without \
                 `Bearer` and without quotes"
            }
            Fault::Failed => "run it by hand and look at what it prints",
            Fault::Spent => "renew the login where the token comes from",
        }
    }
}

impl Error {
    /// Whether another try may go better without anyone doing anything.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Error::Transient { .. }
                | Error::Source {
                    fault: Fault::Unreachable | Fault::TimedOut,
                    ..
                }
        )
    }

    /// The word by which a program can tell what to do.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::NotFound { .. } | Error::NoClientLogin { .. } => "not_found",
            Error::NoAccount { .. } => "no_account",
            Error::Malformed { .. } => "malformed",
            Error::ApiKey { .. } => "api_key",
            Error::Expired { .. } => "expired",
            Error::Permanent { .. } => "permanent",
            Error::OtherAccount { .. } => "other_account",
            Error::Transient { .. } => "transient",
            Error::Settings { .. } => "settings",
            Error::Io { .. } => "io",
            Error::Source { fault, .. } => fault.word(),
        }
    }

    /// What a person can do about it, in one line.
    pub fn hint(&self) -> Cow<'static, str> {
        let hint = match self {
            Error::NotFound { .. } => {
                "log in: `sx login`; or name a file in CODEX_CREDENTIALS_FILE, or try `sx demo`, \
                 which needs no login"
            }
            Error::NoClientLogin { .. } => {
                "log in with that client: `claude`; or set CLAUDE_CODE_OAUTH_TOKEN; \
                 `--provider anthropic` takes an API key instead"
            }
            Error::NoAccount { name, .. } => {
                return format!("log in: `sx login --name {name}`").into();
            }
            Error::ApiKey { path }
            | Error::Malformed { path, .. }
            | Error::Expired { path }
            | Error::Permanent { path, .. } => return login_again(path),
            Error::OtherAccount { .. } => "start sx again to go on with the other account",
            Error::Transient { .. } => {
                "try again; CODEX_ISSUER or CLAUDE_CODE_ISSUER says who renews it"
            }
            Error::Settings { .. } => "see `sx config --dump --show-source`",
            Error::Source { fault, .. } => fault.hint(),
            Error::Io { .. } => {
                "see who owns the file and its folder, and whether they can be written"
            }
        };
        hint.into()
    }
}

/// The one command that replaces the login in this file: a login of ours is not for the official
/// client to mend, nor the other way round.
fn login_again(path: &Path) -> Cow<'static, str> {
    let name = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let folder = path.parent().and_then(name);
    if folder.is_some_and(|folder| folder == account::FOLDER_NAME) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        return format!("log in again: `sx login --force --name {stem}`").into();
    }
    match name(path).as_deref() {
        Some(account::FILE_NAME) => "log in again: `sx login --force`".into(),
        Some("auth.json") => {
            "log in again with the official client: `codex login`; or `sx login` for a login of \
             sx's own"
                .into()
        }
        _ => "replace the file by one that is good, or `sx login` and take the file out of \
             CODEX_CREDENTIALS_FILE"
            .into(),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoClientLogin { path } => {
                write!(f, "no login of the vendor's client in {}", path.display())
            }
            Error::NotFound { tried } if tried.is_empty() => f.write_str(
                "no login found: there is no home directory and CODEX_CREDENTIALS_FILE is not set",
            ),
            Error::NotFound { tried } => {
                f.write_str("no login found in ")?;
                for (index, path) in tried.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{}", path.display())?;
                }
                Ok(())
            }
            Error::NoAccount { name, known } if known.is_empty() => {
                write!(
                    f,
                    "there is no login `{name}`, nor any other that has a name"
                )
            }
            Error::NoAccount { name, known } => write!(
                f,
                "there is no login `{name}`; there are: {}",
                known.join(", ")
            ),
            Error::Malformed { path, why } => write!(f, "{}: {why}", path.display()),
            Error::ApiKey { path } => write!(
                f,
                "{}: holds an API key, but codex needs a ChatGPT login",
                path.display()
            ),
            Error::Expired { path } => write!(
                f,
                "{}: the login has expired or was revoked, and holds nothing to renew it with",
                path.display()
            ),
            Error::Permanent { path, detail } => {
                write!(
                    f,
                    "{}: the login cannot be renewed: {detail}",
                    path.display()
                )
            }
            Error::OtherAccount { path } => write!(
                f,
                "{}: now belongs to another account than the one in use",
                path.display()
            ),
            Error::Transient { detail } => write!(f, "the login could not be renewed: {detail}"),
            Error::Settings { detail } => f.write_str(detail),
            Error::Source {
                from,
                fault,
                detail,
            } => write!(f, "{from}: {}: {detail}", fault.words()),
            Error::Io {
                path,
                action,
                source,
            } => write!(f, "cannot {action} {}: {source}", path.display()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
