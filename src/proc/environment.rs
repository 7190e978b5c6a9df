//! What a process of ours may know: a short list of variables, never a secret.
//!
//! Pure: pairs in, pairs out. The list is what people need to find their tools, and what they asked
//! for; all else stays with the brain. What looks like a secret, by its name or its value, is
//! dropped though it is listed: only a name that a person wrote out is believed.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

/// An environment: names and values, in order.
pub type Pairs = Vec<(OsString, OsString)>;

/// What is passed on, if it is set: the person, the places, the way to the network, and the homes
/// of build tools, a line or two for each language.
#[rustfmt::skip]
const ALLOWED: &[&str] = &[
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "HOSTNAME",
    "TMPDIR", "MANPATH", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NIX_SSL_CERT_FILE",
    "CC", "CXX", "AR", "LD", "CFLAGS", "CPPFLAGS", "CXXFLAGS", "LDFLAGS", "CPATH",
    "LIBRARY_PATH", "LD_LIBRARY_PATH", "PKG_CONFIG_PATH", "CMAKE_PREFIX_PATH",
    "SOURCE_DATE_EPOCH",
    "CARGO_HOME", "CARGO_TARGET_DIR", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "RUSTFLAGS",
    "GOPATH", "GOROOT", "GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY", "GOTOOLCHAIN",
    "JAVA_HOME", "M2_HOME", "MAVEN_HOME", "GRADLE_HOME", "GRADLE_USER_HOME", "ANDROID_HOME",
    "SDKMAN_DIR",
    "VIRTUAL_ENV", "PYTHONPATH", "PYENV_ROOT", "CONDA_PREFIX", "CONDA_DEFAULT_ENV",
    "UV_CACHE_DIR", "PIP_CACHE_DIR",
    "NVM_DIR", "NVM_BIN", "NODE_PATH", "NPM_CONFIG_PREFIX", "PNPM_HOME", "BUN_INSTALL",
    "DENO_DIR", "VOLTA_HOME",
    "GEM_HOME", "GEM_PATH", "RBENV_ROOT",
    "ASDF_DIR", "ASDF_DATA_DIR", "MISE_DATA_DIR", "NIX_PATH", "NIX_PROFILES",
];

/// Parts of a name that say secret, whatever stands around them.
const SECRET_WORDS: &[&str] = &["TOKEN", "KEY", "SECRET", "PASS", "CREDENTIAL"];

/// How known tokens begin. What follows must look random, so that a folder is not taken for one.
const TOKEN_PREFIXES: &[&str] = &[
    "sk-",
    "sk_live_",
    "rk_live_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxa-",
    "xoxb-",
    "xoxp-",
    "xoxs-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "npm_",
    "pypi-",
    "hf_",
    "eyJ",
];

/// The shortest run after a prefix that is taken for a token; AWS key ids have 16.
const TOKEN_CHARS_MIN: usize = 16;

/// Where programs are looked for if `PATH` is not set, as most systems have it.
const PATH_DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What every command gets, since it has no terminal and nobody to answer it. Programs that would
/// ask or page then end at once instead of waiting for the deadline.
const FIXED: &[(&str, &str)] = &[
    ("TERM", "dumb"),
    ("NO_COLOR", "1"),
    ("PAGER", "cat"),
    ("GIT_PAGER", "cat"),
    ("EDITOR", "true"),
    ("VISUAL", "true"),
    // Without a terminal vim waits for keys from its standard error. This ends it once it has done
    // what its command line said; `vim -es` does not read it.
    ("VIMINIT", "autocmd VimEnter * cquit!"),
    // It also waits two seconds so that its warning of that is read; bash takes functions so.
    ("BASH_FUNC_vi%%", r#"() { command vi --not-a-term "$@"; }"#),
    (
        "BASH_FUNC_vim%%",
        r#"() { command vim --not-a-term "$@"; }"#,
    ),
    ("GIT_EDITOR", "true"),
    ("GIT_SEQUENCE_EDITOR", "true"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
    ("DEBIAN_FRONTEND", "noninteractive"),
    // A program that is stopped at its deadline would lose what it had printed into its buffer.
    ("PYTHONUNBUFFERED", "1"),
];

/// What a person wants passed on beside the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Names, each of which may have a `*` that stands for anything.
    patterns: Vec<String>,
}

impl Pass {
    /// Reads names that commas or blanks part. The error is the word that is none.
    pub fn parse(text: &str) -> Result<Pass, String> {
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        let is_name = |word: &str| {
            word.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'*'))
        };
        let patterns: Vec<String> = words.map(str::to_owned).collect();
        match patterns.iter().find(|word| !is_name(word)) {
            Some(word) => Err(word.clone()),
            None => Ok(Pass { patterns }),
        }
    }

    /// The names that are written out.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let patterns = self.patterns.iter().map(String::as_str);
        patterns.filter(|pattern| !pattern.contains('*'))
    }

    /// Whether the name is written out.
    fn names_it(&self, name: &str) -> bool {
        self.names().any(|given| given == name)
    }

    /// Whether a pattern stands for the name.
    fn means(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| fits(pattern, name))
    }
}

/// Displays as [`Pass::parse`] reads it.
impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.patterns.join(","))
    }
}

/// Whether `name` is `pattern`, with anything in the place of each `*`.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(name) = name.strip_prefix(start) else {
        return false;
    };
    // The first place where a part between two stars stands leaves the most for what follows.
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut name) = name.strip_suffix(end) else {
        return false;
    };
    for part in middle.split('*') {
        match name.find(part) {
            Some(at) => name = &name[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// The pairs that may be passed on: listed, without a secret, and with a `PATH`.
pub fn cut(pairs: impl IntoIterator<Item = (OsString, OsString)>) -> Pairs {
    cut_but(&Pass::default(), pairs)
}

/// Likewise, with what a person asked for.
pub fn cut_but(pass: &Pass, pairs: impl IntoIterator<Item = (OsString, OsString)>) -> Pairs {
    let mut kept: Pairs = pairs
        .into_iter()
        .map(|(name, value)| match without_user(&name, &value) {
            Some(plain) => (name, plain),
            None => (name, value),
        })
        .filter(|(name, value)| may_pass(name, value, pass))
        .collect();
    if value(&kept, "PATH").is_none_or(OsStr::is_empty) {
        set(&mut kept, "PATH", PATH_DEFAULT);
    }
    kept
}

/// The environment of a command: what `cut` left, what every command gets, and the place for its
/// temporary files if there is one.
pub fn for_command(cut: &Pairs, temp: Option<&Path>) -> Pairs {
    let mut pairs = cut.clone();
    for (name, value) in FIXED {
        set(&mut pairs, name, value);
    }
    if let Some(temp) = temp {
        set(&mut pairs, "TMPDIR", temp);
    }
    pairs
}

/// The value of a variable.
pub fn value<'a>(pairs: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsStr> {
    let found = pairs.iter().find(|(given, _)| given == name);
    found.map(|(_, value)| value.as_os_str())
}

/// Sets a variable, whatever it was before.
pub fn set(pairs: &mut Pairs, name: &str, value: impl Into<OsString>) {
    pairs.retain(|(given, _)| given != name);
    pairs.push((name.into(), value.into()));
}

fn may_pass(name: &OsStr, value: &OsStr, pass: &Pass) -> bool {
    let text = name.to_string_lossy();
    let is_listed = || ALLOWED.contains(&text.as_ref()) || text.starts_with("LC_");
    pass.names_it(&text) || (is_listed() || pass.means(&text)) && !is_secret(name, value)
}

/// Whether a variable looks like a secret, by its name or by its value.
fn is_secret(name: &OsStr, value: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    let value = value.to_string_lossy();
    SECRET_WORDS.iter().any(|word| name.contains(word))
        || value.contains("-----BEGIN")
        || has_password_in_url(&value)
        || value.split(|c| !is_token_char(c)).any(is_token)
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// A known beginning, then a run of digits and letters, of which a word of a language has only
/// one kind.
fn is_token(word: &str) -> bool {
    let rest = TOKEN_PREFIXES
        .iter()
        .find_map(|prefix| word.strip_prefix(prefix));
    rest.is_some_and(|rest| {
        rest.len() >= TOKEN_CHARS_MIN
            && rest.contains(|c: char| c.is_ascii_digit())
            && rest.contains(|c: char| c.is_ascii_uppercase())
    })
}

/// The value of a variable that names a proxy, without who may use it: commands keep the proxy, and
/// what it wants to know of us stays here. Any text before the last `@` may be a password.
fn without_user(name: &OsStr, value: &OsStr) -> Option<OsString> {
    let name = name.to_string_lossy().to_ascii_uppercase();
    if !name.ends_with("_PROXY") || name == "NO_PROXY" {
        return None;
    }
    let value = value.to_string_lossy();
    let (before, host) = value.rsplit_once('@')?;
    let scheme = before.split_once("://").map(|(scheme, _)| scheme);
    Some(match scheme {
        Some(scheme) => format!("{scheme}://{host}").into(),
        None => host.into(),
    })
}

/// `scheme://user:password@host`, anywhere in the value.
fn has_password_in_url(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
        let user_info = authority.rsplit_once('@').map(|(user_info, _)| user_info);
        user_info.is_some_and(|user_info| user_info.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Pairs {
        let owned = |(name, value): &(&str, &str)| (name.into(), value.into());
        pairs.iter().map(owned).collect()
    }

    #[track_caller]
    fn check(name: &str, value: &str, is_kept: bool) {
        let kept = cut(pairs(&[("PATH", "/bin"), (name, value)]));
        let found = kept.iter().any(|(given, _)| given == name);
        assert_eq!(found, is_kept, "{name}={value}");
    }

    #[test]
    fn only_listed_variables_are_passed_on() {
        check("HOME", "/home/u", true);
        check("LC_TIME", "C", true);
        check("CARGO_HOME", "/home/u/.cargo", true);
        check("https_proxy", "http://proxy:3128", true);
        for name in [
            "LD_PRELOAD",
            "BASH_ENV",
            "SSH_AUTH_SOCK",
            "DBUS_SESSION_BUS_ADDRESS",
            "OPENAI_API_KEY",
            "CODEX_HOME",
            "HOMEX",
            "home",
        ] {
            check(name, "x", false);
        }
    }

    #[test]
    fn what_looks_like_a_secret_is_dropped_whatever_it_is_called() {
        check("LC_API_TOKEN", "x", false);
        check("LC_My_Password", "x", false);
        check("GOPROXY", "https://u:hunter2@proxy.example/x", false);
        check("GOPROXY", "https://u@proxy.example,direct", true);
        check("GOPROXY", "https://proxy.example:443/a@b:c", true);
        check("CFLAGS", "-DX=ghp_abcdefghijKLMNOP0123456789", false);
        check("LANG", "sk-proj-AbCdEfGhIjKlMnOp0123", false);
        check("LANG", "AKIAIOSFODNN7EXAMPLE", false);
        check("LANG", "-----BEGIN PRIVATE", false);
    }

    #[test]
    fn what_a_person_asked_for_is_passed_on_and_a_secret_only_by_its_name() {
        #[track_caller]
        fn check(pass: &str, name: &str, value: &str, is_kept: bool) {
            let pass = Pass::parse(pass).unwrap();
            assert_eq!(Pass::parse(&pass.to_string()), Ok(pass.clone()));
            let kept = cut_but(&pass, pairs(&[("PATH", "/bin"), (name, value)]));
            let found = kept.iter().any(|(given, _)| given == name);
            assert_eq!(found, is_kept, "{pass}: {name}={value}");
        }
        check("A, MY_APP B", "MY_APP", "x", true);
        check("MY_*", "MY_APP", "x", true);
        check("MY_*", "MY_", "x", true);
        check("MY_*", "OUR_MY_APP", "x", false);
        check("*_URL,A*B*C", "DB_URL", "x", true);
        check("*_URL,A*B*C", "A_B_B_C", "x", true);
        check("A*B*C", "A_C_B", "x", false);
        check("A*A", "A", "x", false);
        check("*", "ANYTHING", "x", true);
        check("*", "MY_TOKEN", "x", false);
        check("MY_*", "MY_APP", "ghp_abcdefghijKLMNOP0123456789", false);
        check("*_URL", "DB_URL", "postgres://u:pw@h/d", false);
        check("MY_TOKEN", "MY_TOKEN", "x", true);
        check("DB_URL", "DB_URL", "postgres://u:pw@h/d", true);
        check("MY_TOKEN", "MY_TOKEN2", "x", false);
        assert_eq!(Pass::parse("A,b-c"), Err("b-c".to_owned()));
        assert_eq!(Pass::parse("A=b"), Err("A=b".to_owned()));
    }

    #[test]
    fn a_folder_with_an_unlucky_name_is_not_a_secret() {
        check("PYTHONPATH", "/opt/sk-learn-environment-2024/lib", true);
        check("NODE_PATH", "/home/u/npm_global_packages_12", true);
        check("JAVA_HOME", "/usr/lib/jvm/java-21-openjdk-amd64", true);
    }

    #[test]
    fn a_path_is_always_there() {
        for given in [pairs(&[]), pairs(&[("PATH", "")])] {
            let kept = cut(given);
            assert_eq!(value(&kept, "PATH"), Some(OsStr::new(PATH_DEFAULT)));
            assert_eq!(kept.len(), 1);
        }
    }

    #[test]
    fn a_command_has_nobody_to_ask() {
        let base = pairs(&[("PATH", "/bin"), ("TERM", "xterm"), ("TMPDIR", "/tmp")]);
        let command = for_command(&base, Some(Path::new("/t")));
        assert_eq!(value(&command, "TERM"), Some(OsStr::new("dumb")));
        assert_eq!(value(&command, "TMPDIR"), Some(OsStr::new("/t")));
        assert_eq!(value(&command, "GIT_PAGER"), Some(OsStr::new("cat")));
        let names: std::collections::HashSet<_> = command.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), command.len(), "no name twice");
    }

    #[test]
    fn a_proxy_is_passed_on_without_who_may_use_it() {
        #[track_caller]
        fn check(name: &str, value: &str, expected: &str) {
            let kept = cut(pairs(&[(name, value)]));
            assert_eq!(
                super::value(&kept, name),
                Some(OsStr::new(expected)),
                "{value}"
            );
        }
        check("HTTPS_PROXY", "http://me:pw@p:1", "http://p:1");
        check("https_proxy", "me:p@w@p:1", "p:1");
        check("ALL_PROXY", "http:me:pw@p", "p");
        check("http_proxy", "http://tok@p", "http://p");
        check("HTTP_PROXY", "http://p:1", "http://p:1");
        check("NO_PROXY", "a@b", "a@b");
    }
}
