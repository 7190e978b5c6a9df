//! The one table of settings: every key that this build honours, and what its values may be.
//!
//! Help, `sx config` and the manual are printed from it. A key that nothing reads does not stand
//! here, so a setting that is accepted is also obeyed.

use crate::base::clock;
use crate::base::text;

/// A setting that exists.
#[derive(Debug)]
pub struct Key {
    /// Its name in files and in the environment.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// Its value where nobody set it; empty where then there is none.
    pub default: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
    /// Which of its values count in a file that came with a project.
    pub harmless: Harmless,
    /// What it does, in one line.
    pub help: &'static str,
}

/// What the value of a key must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Off or on, kept as `0` or `1`.
    Flag,
    /// A whole number.
    Count {
        /// The smallest allowed.
        min: u64,
        /// The largest allowed.
        max: u64,
    },
    /// A time span above zero.
    Duration,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any one line.
    Text,
    /// An address that begins with `https://` or `http://`.
    Url,
    /// A file or a folder. `~/` is the home directory; a relative one in a settings file counts
    /// from the folder of that file.
    Path,
}

/// Whether a project's own settings file, which may be a stranger's, may set a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harmless {
    /// It must not: the key says where a credential or the conversation goes, or loosens a guard.
    Never,
    /// To this value only, because that is the tightest there is.
    Only(&'static str),
    /// To any value.
    Always,
}

/// Every key, in the order in which help and `sx config` show them.
pub static KEYS: &[Key] = &[
    key(
        "PROVIDER",
        Kind::Choice(&["codex"]),
        "codex",
        Harmless::Always,
        "the service that answers; this build has codex only",
    ),
    key(
        "MODEL",
        Kind::Text,
        "sonnet",
        Harmless::Always,
        "the model: a name of the provider's, or an alias: opus, sonnet, haiku",
    ),
    key(
        "REASONING_EFFORT",
        Kind::Choice(EFFORTS),
        "",
        Harmless::Always,
        "how hard the model thinks; empty leaves it to the model",
    ),
    key(
        "THINKING",
        Kind::Flag,
        "1",
        Harmless::Always,
        "ask for summaries of the model's thinking and show them",
    ),
    key(
        "CONTEXT_WINDOW",
        Kind::Count {
            min: 0,
            max: 100_000_000,
        },
        "0",
        Harmless::Never,
        "tokens that the model can hold; 0 takes what is known of the model",
    ),
    key(
        "MAX_TURNS",
        Kind::Count {
            min: 1,
            max: 1_000_000,
        },
        "200",
        Harmless::Never,
        "requests that one task may take",
    ),
    key(
        "TOOLS",
        Kind::Flag,
        "1",
        TIGHTEN,
        "0 gives the model no tools at all",
    ),
    key(
        "TOOL_BASH",
        Kind::Flag,
        "1",
        TIGHTEN,
        "the tool that runs commands",
    ),
    key(
        "TOOL_READ",
        Kind::Flag,
        "1",
        TIGHTEN,
        "the tool that reads files",
    ),
    key(
        "TOOL_WRITE",
        Kind::Flag,
        "1",
        TIGHTEN,
        "the tool that writes whole files",
    ),
    key(
        "TOOL_EDIT",
        Kind::Flag,
        "1",
        TIGHTEN,
        "the tool that replaces text in files",
    ),
    key(
        "TOOL_APPLY_PATCH",
        Kind::Flag,
        "1",
        TIGHTEN,
        "the tool that applies patches",
    ),
    key(
        "TOOL_VIEW_IMAGE",
        Kind::Flag,
        "1",
        TIGHTEN,
        "the tool that shows the model an image",
    ),
    key(
        "SANDBOX",
        Kind::Choice(&["workspace", "read-only", "off"]),
        "workspace",
        Harmless::Only("read-only"),
        "what tools may touch: write in the project, read only, or all that you may",
    ),
    key(
        "NETWORK",
        Kind::Choice(&["off", "on"]),
        "off",
        Harmless::Only("off"),
        "whether commands in the sandbox reach the network",
    ),
    key(
        "BASH_TIMEOUT",
        Kind::Duration,
        "120s",
        Harmless::Never,
        "how long a command may run unless its call says otherwise",
    ),
    key(
        "CODEX_TOKEN_SOURCE",
        Kind::Choice(&["local", "none"]),
        "local",
        Harmless::Only("local"),
        "local: the token is in a file here; none: send none, to a server of your own",
    ),
    key(
        "CODEX_CREDENTIALS_FILE",
        Kind::Path,
        "",
        Harmless::Never,
        "the credential file; empty looks in our own folder, then in CODEX_HOME",
    ),
    key(
        "CODEX_HOME",
        Kind::Path,
        "~/.codex",
        Harmless::Never,
        "the folder of the official client, whose auth.json we share",
    ),
    key(
        "CODEX_BASE_URL",
        Kind::Url,
        "https://chatgpt.com/backend-api/codex",
        Harmless::Never,
        "the service; /responses is appended",
    ),
    key(
        "CODEX_ISSUER",
        Kind::Url,
        "https://auth.openai.com",
        Harmless::Never,
        "who renews tokens; /oauth/token is appended",
    ),
    key(
        "CODEX_CLIENT_ID",
        Kind::Text,
        "",
        Harmless::Never,
        "client id for renewing; empty takes the file's, else the public one",
    ),
    key(
        "CODEX_ORIGINATOR",
        Kind::Text,
        "sx",
        Harmless::Never,
        "the name that we give ourselves; another vendor's is refused",
    ),
    key(
        "CONNECT_TIMEOUT",
        Kind::Duration,
        "10s",
        Harmless::Never,
        "how long a name and a connection may take together",
    ),
    key(
        "TLS_TIMEOUT",
        Kind::Duration,
        "10s",
        Harmless::Never,
        "how long a TLS handshake may take",
    ),
    key(
        "FIRST_BYTE_TIMEOUT",
        Kind::Duration,
        "120s",
        Harmless::Never,
        "how long the service may take to begin its answer",
    ),
    key(
        "IDLE_TIMEOUT",
        Kind::Duration,
        "300s",
        Harmless::Never,
        "how long an answer that has begun may fall silent",
    ),
    key(
        "RESOLVE",
        Kind::Text,
        "",
        Harmless::Never,
        "host=ip[,ip...] ...: addresses that no name server is asked for",
    ),
    key(
        "OFFLINE",
        Kind::Flag,
        "0",
        Harmless::Only("1"),
        "1 allows connections to this machine only, and asks no name server",
    ),
    secret(
        "HTTPS_PROXY",
        "the proxy for https addresses: http://[USER:PASSWORD@]HOST:PORT",
    ),
    secret("HTTP_PROXY", "the proxy for http addresses"),
    secret(
        "ALL_PROXY",
        "the proxy for those that the two above say nothing of",
    ),
    key(
        "NO_PROXY",
        Kind::Text,
        "",
        Harmless::Never,
        "hosts, .domains, addresses, ranges and ports to ask without a proxy",
    ),
    key(
        "CA_FILE",
        Kind::Path,
        "",
        Harmless::Never,
        "a PEM file of roots to trust beside the built-in ones",
    ),
    key(
        "SSL_CERT_FILE",
        Kind::Path,
        "",
        Harmless::Never,
        "likewise; the variable that OpenSSL reads",
    ),
    key(
        "SSL_CERT_DIR",
        Kind::Path,
        "",
        Harmless::Never,
        "folders of certificates to trust, parted by colons",
    ),
    key(
        "CLIENT_CERT",
        Kind::Path,
        "",
        Harmless::Never,
        "our own certificate and its chain, for servers that ask (PEM)",
    ),
    key(
        "CLIENT_KEY",
        Kind::Path,
        "",
        Harmless::Never,
        "the key of CLIENT_CERT; empty looks in the same file",
    ),
    key(
        "RETRY_MAX",
        Kind::Count { min: 0, max: 100 },
        "8",
        Harmless::Never,
        "how often a failed request is sent again; 0 is never",
    ),
    key(
        "RETRY_TOTAL",
        Kind::Duration,
        "300s",
        Harmless::Never,
        "how long the waits between tries may be together",
    ),
    key(
        "SESSION_DIR",
        Kind::Path,
        "",
        Harmless::Never,
        "where sessions are kept; empty is the folder sessions in our state directory",
    ),
];

/// How hard a model may be asked to think, from not at all upward.
pub const EFFORTS: &[&str] = &["off", "minimal", "low", "medium", "high", "xhigh", "max"];

/// A project may switch a tool off, never on again.
const TIGHTEN: Harmless = Harmless::Only("0");

const fn key(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    harmless: Harmless,
    help: &'static str,
) -> Key {
    Key {
        name,
        kind,
        default,
        secret: false,
        harmless,
        help,
    }
}

/// A text that may hold a password.
const fn secret(name: &'static str, help: &'static str) -> Key {
    Key {
        secret: true,
        ..key(name, Kind::Text, "", Harmless::Never, help)
    }
}

/// The key of exactly this name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The key that a person most likely meant.
pub fn nearest(name: &str) -> Option<&'static str> {
    text::nearest(name, KEYS.iter().map(|key| key.name))
}

impl Key {
    /// The value in its one spelling, or `None` if the key cannot have it. An empty value is the
    /// default.
    pub fn accept(&self, value: &str) -> Option<String> {
        if value.is_empty() {
            return Some(self.default.to_string());
        }
        self.kind.accept(value)
    }
}

impl Kind {
    fn accept(&self, value: &str) -> Option<String> {
        if value.chars().any(char::is_control) {
            return None;
        }
        let accepted = match self {
            Kind::Flag => return flag(value).map(str::to_string),
            Kind::Choice(words) => {
                let word = words.iter().find(|word| word.eq_ignore_ascii_case(value));
                return word.map(|word| word.to_string());
            }
            Kind::Count { min, max } => {
                // `parse` alone would take a plus sign.
                let is_digits = value.bytes().all(|byte| byte.is_ascii_digit());
                let count = value.parse::<u64>().ok().filter(|_| is_digits);
                count.is_some_and(|count| (*min..=*max).contains(&count))
            }
            Kind::Duration => clock::parse_duration(value).is_some_and(|wait| !wait.is_zero()),
            Kind::Url => is_url(value),
            Kind::Text | Kind::Path => true,
        };
        accepted.then(|| value.to_string())
    }

    /// What is allowed, to follow "it must be".
    pub fn allowed(&self) -> String {
        match self {
            Kind::Flag => "0 or 1".to_string(),
            Kind::Count { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Duration => "a time above zero such as 90, 90s, 2m or 500ms".to_string(),
            Kind::Choice([only]) => only.to_string(),
            Kind::Choice(words) => format!("one of {}", words.join(", ")),
            Kind::Text => "one line of text".to_string(),
            Kind::Url => "an address that begins with https:// or http://".to_string(),
            Kind::Path => "a path".to_string(),
        }
    }
}

/// The flag's one spelling: people write switches in several ways, and all of them are clear.
fn flag(value: &str) -> Option<&'static str> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some("1"),
        "0" | "false" | "no" | "off" => Some("0"),
        _ => None,
    }
}

/// Whether it can be an address; `http::url` takes it apart later and may still refuse it.
fn is_url(value: &str) -> bool {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| value.strip_prefix(scheme));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && !value.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, value: &str, expected: Option<&str>) {
        assert_eq!(
            kind.accept(value).as_deref(),
            expected,
            "{kind:?} {value:?}"
        );
    }

    #[test]
    fn every_default_is_a_value_of_its_kind_and_every_name_stands_once() {
        for (index, key) in KEYS.iter().enumerate() {
            assert_eq!(
                key.accept(key.default).as_deref(),
                Some(key.default),
                "{}",
                key.name
            );
            assert!(
                KEYS[..index].iter().all(|other| other.name != key.name),
                "{}",
                key.name
            );
            assert!(
                key.name
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b == b'_')
            );
            assert!(
                key.help.len() <= 76 && !key.help.ends_with('.'),
                "{}",
                key.name
            );
            if let Harmless::Only(value) = key.harmless {
                assert_eq!(key.accept(value).as_deref(), Some(value), "{}", key.name);
            }
        }
    }

    #[test]
    fn values_have_one_spelling_or_are_refused() {
        check(Kind::Flag, "1", Some("1"));
        check(Kind::Flag, "Yes", Some("1"));
        check(Kind::Flag, "off", Some("0"));
        check(Kind::Flag, "2", None);
        let count = Kind::Count { min: 1, max: 20 };
        check(count, "20", Some("20"));
        check(count, "0", None);
        check(count, "21", None);
        check(count, "+5", None);
        check(count, "5 ", None);
        check(count, "99999999999999999999999", None);
        check(Kind::Duration, "500ms", Some("500ms"));
        check(Kind::Duration, "0", None);
        check(Kind::Duration, "2 minutes", None);
        check(Kind::Choice(&["off", "on"]), "ON", Some("on"));
        check(Kind::Choice(&["off", "on"]), "1", None);
        check(
            Kind::Url,
            "http://127.0.0.1:8080/v1",
            Some("http://127.0.0.1:8080/v1"),
        );
        for bad in [
            "ftp://x",
            "https://",
            "https:///x",
            "chatgpt.com",
            "https://a b",
        ] {
            check(Kind::Url, bad, None);
        }
        check(Kind::Text, "gpt 5", Some("gpt 5"));
        check(Kind::Text, "a\nb", None);
        check(Kind::Path, "~/x", Some("~/x"));
    }

    #[test]
    fn an_empty_value_is_the_default() {
        assert_eq!(
            find("MODEL").and_then(|key| key.accept("")).as_deref(),
            Some("sonnet")
        );
        assert_eq!(nearest("provdier"), Some("PROVIDER"));
        assert!(find("provider").is_none());
    }
}
