//! Why there is no secure connection: the peer's fault, the user's settings, or the network.
//!
//! Texts never name the host; whoever prints them does. The hint says what a person can do about
//! it, and it is never to switch verification off, since nothing can.

use crate::base::date;
use crate::net::roots;
use std::error;
use std::fmt;
use std::io;

/// A TLS connection that could not be made, or broke.
#[derive(Debug)]
pub enum Failure {
    /// The socket below failed.
    Io(io::Error),
    /// A setting names a file that we cannot use.
    Setting(roots::Error),
    /// `CLIENT_CERT` and `CLIENT_KEY` do not go together, or one of them is not what it says.
    Identity(String),
    /// Nobody we trust signed the certificate. The system's roots may know the issuer.
    UnknownIssuer {
        /// Whose certificate it is.
        subject: String,
        /// Who signed it, or the last of those who signed each other: the one to be trusted.
        issuer: String,
    },
    /// The certificate is over.
    Expired {
        /// Whose certificate it is.
        subject: String,
        /// Its last second, unix time.
        not_after: u64,
    },
    /// The certificate does not hold yet.
    NotYetValid {
        /// Whose certificate it is.
        subject: String,
        /// Its first second, unix time.
        not_before: u64,
    },
    /// The certificate is for other hosts.
    WrongName {
        /// Whose certificate it is.
        subject: String,
        /// The first few that it is for.
        hosts: Vec<String>,
        /// How many there are.
        hosts_count: usize,
    },
    /// The certificate is wrong in some other way.
    BadCertificate {
        /// Whose certificate it is.
        subject: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What answered speaks some other protocol.
    NotTls,
    /// The peer's TLS has nothing in common with ours.
    Incompatible(&'static str),
    /// The peer refused, in the words of its alert (RFC 8446 §6.2).
    Alert(String),
    /// All else, in the words of the library.
    Other(String),
}

impl Failure {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Failure::UnknownIssuer { .. } => {
                "if you know this issuer, set CA_FILE to a PEM file with its certificate"
            }
            Failure::Expired { .. } | Failure::NotYetValid { .. } => {
                "the server needs another certificate, unless the clock of this machine is wrong"
            }
            Failure::WrongName { .. } => "use a name that the certificate is for",
            Failure::Setting(_) | Failure::Identity(_) => {
                "correct the setting; `sx config --show-source` tells who set it"
            }
            Failure::NotTls => {
                "if the server is meant to be plain, write http:// instead of https://"
            }
            // What servers say to a client that does not show who it is, or shows the wrong one.
            Failure::Alert(words)
                if ["certificate", "unknown ca", "handshake failure"]
                    .iter()
                    .any(|said| words.contains(said)) =>
            {
                "if the server wants to know who we are, set CLIENT_CERT and CLIENT_KEY"
            }
            _ => return None,
        })
    }

    /// Whether a file that a setting names is to blame, not the other side.
    pub fn is_setting(&self) -> bool {
        matches!(self, Failure::Setting(_) | Failure::Identity(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Io(source) => source.fmt(f),
            Failure::Setting(source) => source.fmt(f),
            Failure::Identity(reason) => {
                write!(f, "cannot use CLIENT_CERT with its key: {reason}")
            }
            Failure::UnknownIssuer { subject, issuer } => {
                write!(f, "its certificate `{subject}` ")?;
                if subject == issuer {
                    write!(f, "is signed by itself, and is not a root we trust")
                } else {
                    write!(f, "was issued by `{issuer}`, which is not a root we trust")
                }
            }
            Failure::Expired { subject, not_after } => {
                let date = date::rfc3339(*not_after);
                write!(f, "its certificate `{subject}` expired on {date}")
            }
            Failure::NotYetValid {
                subject,
                not_before,
            } => {
                let date = date::rfc3339(*not_before);
                write!(f, "its certificate `{subject}` is not valid before {date}")
            }
            Failure::WrongName { subject, hosts, .. } if hosts.is_empty() => {
                write!(f, "its certificate `{subject}` names no host")
            }
            Failure::WrongName {
                hosts, hosts_count, ..
            } => {
                write!(f, "its certificate is for {}", hosts.join(", "))?;
                match hosts_count.checked_sub(hosts.len()) {
                    Some(more @ 1..) => write!(f, " and {more} more"),
                    _ => Ok(()),
                }
            }
            Failure::BadCertificate { subject, reason } => {
                write!(f, "its certificate `{subject}` is not accepted: {reason}")
            }
            Failure::NotTls => f.write_str("what answered does not speak TLS"),
            Failure::Incompatible(reason) => f.write_str(reason),
            Failure::Alert(words) => write!(f, "the server refused: {words}"),
            Failure::Other(words) => f.write_str(words),
        }
    }
}

impl error::Error for Failure {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Failure::Io(source) => Some(source),
            Failure::Setting(source) => Some(source),
            _ => None,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Failure {
        Failure::Io(source)
    }
}

impl From<roots::Error> for Failure {
    fn from(source: roots::Error) -> Failure {
        Failure::Setting(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(failure: Failure, text: &str, hint: &str) {
        assert_eq!(failure.to_string(), text);
        let found = failure.hint().unwrap_or_default();
        assert!(
            found.contains(hint) && found.is_empty() == hint.is_empty(),
            "{found}"
        );
    }

    #[test]
    fn a_failure_says_whose_certificate_it_was_and_what_to_do() {
        let (subject, issuer) = ("CN=h".to_string(), "CN=Corp Root".to_string());
        check(
            Failure::UnknownIssuer {
                subject: subject.clone(),
                issuer,
            },
            "its certificate `CN=h` was issued by `CN=Corp Root`, which is not a root we trust",
            "CA_FILE",
        );
        check(
            Failure::UnknownIssuer {
                subject: subject.clone(),
                issuer: subject.clone(),
            },
            "its certificate `CN=h` is signed by itself, and is not a root we trust",
            "CA_FILE",
        );
        check(
            Failure::Expired {
                subject: subject.clone(),
                not_after: 0,
            },
            "its certificate `CN=h` expired on 1970-01-01T00:00:00Z",
            "clock",
        );
        let wrong = |hosts: &[&str], hosts_count| Failure::WrongName {
            subject: subject.clone(),
            hosts: hosts.iter().map(|host| host.to_string()).collect(),
            hosts_count,
        };
        check(
            wrong(&[], 0),
            "its certificate `CN=h` names no host",
            "name",
        );
        check(wrong(&["a", "b"], 2), "its certificate is for a, b", "name");
        check(
            wrong(&["a"], 9),
            "its certificate is for a and 8 more",
            "name",
        );
        check(
            Failure::NotTls,
            "what answered does not speak TLS",
            "http://",
        );
        check(
            Failure::Alert("certificate required".into()),
            "the server refused: certificate required",
            "CLIENT_CERT",
        );
        check(
            Failure::Alert("handshake failure".into()),
            "the server refused: handshake failure",
            "CLIENT_CERT",
        );
        check(
            Failure::Alert("internal error".into()),
            "the server refused: internal error",
            "",
        );
    }
}
