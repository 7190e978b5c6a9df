//! The one table of settings: every key that this build honours.
//!
//! Help, `sx config` and the manual are printed from it. A key that nothing reads does not stand
//! here, so a setting that is accepted is also obeyed.

use crate::config::keys::Harmless;
use crate::config::keys::Key;
use crate::config::keys::Kind;

/// Every key, in the order in which help and `sx config` show them.
pub static KEYS: &[Key] = &[
    key(
        "ACTIVE_PROFILE",
        Kind::Name,
        "",
        Harmless::Never,
        "the profile that counts: NAME is a file scorpiox-env/NAME.txt",
    ),
    key(
        "PROVIDER",
        Kind::Choice(&[
            "codex",
            "claude_code",
            "anthropic",
            "gemini",
            "openai",
            "router",
            "scorpiox",
        ]),
        "scorpiox",
        Harmless::Except("claude_code"),
        "the service that answers; scorpiox is router; unset, a login means codex",
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
        "THINKING_BUDGET",
        count("tokens", 0, 1_000_000),
        "10000",
        Harmless::Always,
        "tokens for thinking; where a service takes words it is translated",
    ),
    key(
        "MODEL_ALIASES",
        list("ALIAS=NAME", ','),
        "",
        Harmless::Never,
        "alias=name,...: what opus, sonnet and haiku stand for, and others of yours",
    ),
    key(
        "MAX_OUTPUT_TOKENS",
        count("tokens", 0, 100_000_000),
        "0",
        Harmless::Never,
        "tokens that one answer may have; 0 takes what is known of the model",
    ),
    key(
        "CONTEXT_WINDOW",
        count("tokens", 0, 100_000_000),
        "0",
        Harmless::Never,
        "tokens that the model can hold; 0 takes what is known of the model",
    ),
    key(
        "COMPACT_AT",
        count("percent", 0, 100),
        "85",
        Harmless::Never,
        "percent of the window at which the past is summed up; 0: on overflow only",
    ),
    key(
        "MAX_TURNS",
        count("requests", 1, 1_000_000),
        "200",
        Harmless::Never,
        "requests that one task may take",
    ),
    key(
        "LOOP_MAX",
        count("failures", 0, 1_000),
        "3",
        Harmless::Never,
        "same failures in a row until the model is told, and then stopped; 0: never",
    ),
    key(
        "INSTRUCTIONS_MAX",
        Kind::Size { max: 1 << 20 },
        "32K",
        Harmless::Never,
        "how much of all AGENTS.md files the model is given",
    ),
    key(
        "TOOLS",
        Kind::Flag,
        "1",
        TIGHTEN,
        "0 gives the model no tools at all",
    ),
    tool("TOOL_BASH", "the tool that runs commands"),
    tool("TOOL_READ", "the tool that reads files"),
    tool("TOOL_WRITE", "the tool that writes whole files"),
    tool("TOOL_EDIT", "the tool that replaces text in files"),
    tool("TOOL_APPLY_PATCH", "the tool that applies patches"),
    tool("TOOL_VIEW_IMAGE", "the tool that shows the model an image"),
    tool("TOOL_GREP", "the tool that searches the lines of files"),
    tool("TOOL_GLOB", "the tool that finds files by their names"),
    tool("TOOL_LIST", "the tool that lists folders"),
    tool("TOOL_DOCS", "the tool that searches manuals"),
    key(
        "DOCS_PATH",
        list("folders", ':'),
        "",
        Harmless::Always,
        "folders with documentation for that tool, parted by `:`",
    ),
    key(
        "TOOL_FETCH",
        Kind::Choice(&["ask", "1", "0"]),
        "ask",
        TIGHTEN,
        "the tool that reads public web pages; ask: you allow each, 1: all",
    ),
    key(
        "FETCH_PRIVATE",
        Kind::Flag,
        "0",
        TIGHTEN,
        "1 lets that tool also read this machine's and its neighbours' pages",
    ),
    tool("TOOL_PLAN", "the tool that shows the steps of a task"),
    key(
        "TOOL_WEB_SEARCH",
        Kind::Flag,
        "0",
        TIGHTEN,
        "1 lets the service search the web by itself, where it can",
    ),
    tool(
        "TOOL_ASK_USER",
        "the tool that asks you a question, where you sit at a terminal",
    ),
    tool(
        "TOOL_JOB",
        "the tool that shows and ends what runs in the background",
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
        "ENV_PASS",
        list("names or beginnings such as PREFIX_*", ','),
        "",
        Harmless::Never,
        "variables that commands get beside the usual: NAME,PREFIX_*",
    ),
    key(
        "CODEX_TOKEN_SOURCE",
        Kind::Choice(&["local", "remote", "ssh", "none"]),
        "local",
        Harmless::Only("local"),
        "where the token is: here, on a server, on another machine; none sends none",
    ),
    secret(
        "CODEX_ACCESS_TOKEN",
        "local: the token itself, used as it is and never renewed",
    ),
    key(
        "CODEX_TOKEN_FD",
        count("", 3, 1_000_000),
        "",
        Harmless::Never,
        "local: the number of a descriptor that the token is read from, once",
    ),
    key(
        "CODEX_TOKEN_COMMAND",
        Kind::Text,
        "",
        Harmless::Never,
        "local: a command that prints the token",
    ),
    key(
        "CODEX_REMOTE_URL",
        Kind::Text,
        "https://token.scorpiox.net/codex",
        Harmless::Never,
        "remote: who hands out tokens; https, http on this machine, or unix:PATH",
    ),
    secret(
        "TOKEN_HTTP_API_KEY",
        "remote: the key that it asks for; never sent to the built-in address",
    ),
    key(
        "CODEX_SSH_HOST",
        Kind::Text,
        "",
        Harmless::Never,
        "ssh: the machine with the login, as ssh knows it",
    ),
    key(
        "CODEX_SSH_USER",
        Kind::Text,
        "",
        Harmless::Never,
        "ssh: the user there; empty leaves it to ssh",
    ),
    secret("CODEX_SSH_PASS", "ssh: the password, where no key will do"),
    key(
        "CODEX_SSH_PORT",
        count("", 1, 65_535),
        "",
        Harmless::Never,
        "ssh: the port there; empty leaves it to ssh",
    ),
    key(
        "CODEX_SSH_COMMAND",
        Kind::Text,
        "",
        Harmless::Never,
        "ssh: what prints the token there; empty asks sx, else its login file",
    ),
    key(
        "CODEX_SSH_HOST_KEYS",
        Kind::Choice(&["strict", "accept-new"]),
        "strict",
        Harmless::Never,
        "ssh: whether a host whose key is not known yet is trusted",
    ),
    key(
        "CODEX_SSH_TIMEOUT",
        Kind::Duration,
        "30s",
        Harmless::Never,
        "ssh: how long it may take together",
    ),
    key(
        "CODEX_CREDENTIALS_FILE",
        Kind::Path,
        "",
        Harmless::Never,
        "the credential file; empty looks in our own folder, then in CODEX_HOME",
    ),
    key(
        "CODEX_ACCOUNT",
        Kind::Text,
        "",
        Harmless::Never,
        "local: which of several logins, by the name given to `sx login --name`",
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
        "CODEX_LITE",
        Kind::Choice(&["auto", "0", "1"]),
        "auto",
        Harmless::Never,
        "the request shape of newer models: as the model wants, never, always",
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
        "ANTHROPIC_BASE_URL",
        Kind::Url,
        "https://api.anthropic.com",
        Harmless::Never,
        "anthropic: the service, with /v1 at its end or without",
    ),
    secret("ANTHROPIC_API_KEY", "anthropic: the key that pays"),
    key(
        "GEMINI_BASE_URL",
        Kind::Url,
        "https://generativelanguage.googleapis.com",
        Harmless::Never,
        "gemini: the service; /v1beta is appended",
    ),
    secret("GEMINI_API_KEY", "gemini: the key that pays"),
    secret(
        "GOOGLE_API_KEY",
        "gemini: likewise, where the one above is not set",
    ),
    key(
        "OPENAI_BASE_URL",
        Kind::Url,
        "https://api.openai.com/v1",
        Harmless::Never,
        "openai: the service, or a server of your own; with /v1 or without",
    ),
    secret(
        "OPENAI_API_KEY",
        "openai: the key that pays; none for most servers of your own",
    ),
    key(
        "OPENAI_WIRE",
        Kind::Choice(&["auto", "responses", "completions"]),
        "auto",
        Harmless::Never,
        "openai: the protocol; auto is responses for the vendor's, else completions",
    ),
    key(
        "ROUTER_URL",
        Kind::Url,
        "",
        Harmless::Never,
        "router: the gateway; it is asked what it speaks and gets no credential",
    ),
    key(
        "CLAUDE_CODE_BASE_URL",
        Kind::Url,
        "https://api.anthropic.com",
        Harmless::Never,
        "claude_code: the service",
    ),
    secret(
        "CLAUDE_CODE_OAUTH_TOKEN",
        "claude_code: the token itself, used as it is",
    ),
    key(
        "CLAUDE_CODE_CREDENTIALS_FILE",
        Kind::Path,
        "~/.claude/.credentials.json",
        Harmless::Never,
        "claude_code: the file of the vendor's client, which is only read",
    ),
    key(
        "CLAUDE_CODE_ISSUER",
        Kind::Url,
        "",
        Harmless::Never,
        "claude_code: who renews a copy of ours; /oauth/token is appended",
    ),
    key(
        "CLAUDE_CODE_CLIENT_ID",
        Kind::Text,
        "",
        Harmless::Never,
        "claude_code: as which client; without both nothing is renewed",
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
        list("HOST=IP[,IP...]", ' '),
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
        list("hosts", ','),
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
        count("times", 0, 100),
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

const fn count(unit: &'static str, min: u64, max: u64) -> Kind {
    Kind::Count { unit, min, max }
}

const fn list(of: &'static str, separator: char) -> Kind {
    Kind::List { of, separator }
}

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
        since: "0.1.0",
    }
}

/// A tool that can be switched off.
const fn tool(name: &'static str, help: &'static str) -> Key {
    key(name, Kind::Flag, "1", TIGHTEN, help)
}

/// A text that may hold a password.
const fn secret(name: &'static str, help: &'static str) -> Key {
    Key {
        secret: true,
        ..key(name, Kind::Text, "", Harmless::Never, help)
    }
}
