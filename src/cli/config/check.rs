//! Whether a value that is one of its kind is also one that its module can use: asked before it is
//! written into a file.

use crate::auth::handed::Given;
use crate::base::secret::Secret;
use crate::cli::build;
use crate::cli::credential;
use crate::cli::fault::Fault;
use crate::config;
use crate::config::Origin;
use crate::config::Settings;
use crate::config::Sources;
use crate::config::keys::Key;
use crate::config::keys::Kind;
use crate::http::url::Url;
use crate::net::proxy;

/// What was typed as a value that `key` can have and its module can use; else what is wrong with
/// it. `profiles` finds those that there are.
pub fn fitting(
    key: &Key,
    typed: &str,
    profiles: &dyn Fn() -> Vec<String>,
) -> Result<String, String> {
    let Some(value) = key.accept(typed) else {
        return Err(format!(
            "that is not allowed: it must be {}",
            key.kind.allowed()
        ));
    };
    match refusal(key, &value, profiles) {
        None => Ok(value),
        Some(why) => Err(format!("that cannot be used: {why}")),
    }
}

/// What is wrong with the value, which is one of its kind.
pub fn refusal(key: &Key, value: &str, profiles: &dyn Fn() -> Vec<String>) -> Option<String> {
    if value.is_empty() {
        return None;
    }
    let checked = match key.name {
        "ACTIVE_PROFILE" => return profile(value, &profiles()),
        "HTTPS_PROXY" | "HTTP_PROXY" | "ALL_PROXY" => return proxy(key, value),
        "MODEL_ALIASES" => alone(key, value, |settings| build::aliases(settings).map(drop)),
        "ENV_PASS" => alone(key, value, |settings| build::env_pass(settings).map(drop)),
        "RESOLVE" => alone(key, value, |settings| build::network(settings).map(drop)),
        "CODEX_ORIGINATOR" => alone(key, value, |settings| build::identity(settings).map(drop)),
        "ANTHROPIC_API_KEY" | "GEMINI_API_KEY" | "GOOGLE_API_KEY" | "OPENAI_API_KEY" => {
            let text = Secret::new(value);
            let given = Given {
                setting: key.name,
                text,
            };
            return given.token().err().map(|error| error.to_string());
        }
        "CODEX_REMOTE_URL" => alone(key, value, |settings| {
            credential::remote(settings).map(drop)
        }),
        name if key.kind == Kind::Url => {
            alone(key, value, |settings| build::url(settings, name).map(drop))
        }
        _ => Ok(()),
    };
    let what = checked.err()?.what;
    // The value was asked about as if it were an option; here it may have been typed elsewhere.
    let place = format!("{}: ", Origin::CommandLine);
    Some(what.strip_prefix(&place).unwrap_or(&what).to_string())
}

fn profile(value: &str, profiles: &[String]) -> Option<String> {
    match profiles {
        [] => Some("there is no profile yet; `--tier profile:NAME` makes one".to_string()),
        _ if profiles.iter().any(|name| name == value) => None,
        _ => Some(format!(
            "there is no such profile; there is {}",
            profiles.join(", ")
        )),
    }
}

/// Asks a module with nothing set but this.
fn alone(
    key: &Key,
    value: &str,
    ask: impl FnOnce(&Settings) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let typed = [(key.name.to_string(), value.to_string())];
    let loaded = config::load(&Sources::typed(&typed));
    match loaded {
        Ok((settings, _)) => ask(&settings),
        // A value that is none of its kind is told elsewhere.
        Err(_) => Ok(()),
    }
}

/// The words of a proxy's error never hold its value, which may be a password.
fn proxy(key: &Key, value: &str) -> Option<String> {
    let variables = proxy::Variables::read(&|name| {
        let is_it = name == key.name;
        is_it.then(|| value.to_string())
    });
    let scheme = if key.name == "HTTP_PROXY" {
        "http"
    } else {
        "https"
    };
    let url = Url::parse(&format!("{scheme}://example.org")).ok()?;
    proxy::choose(&url, &variables)
        .err()
        .map(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys;

    #[track_caller]
    fn check(name: &str, value: &str, expected: &str) {
        let key = keys::find(name).unwrap();
        let found = refusal(key, value, &|| vec!["fast".to_string()]).unwrap_or_default();
        match expected.is_empty() {
            true => assert_eq!(found, "", "{name}={value}"),
            false => assert!(found.contains(expected), "{name}={value}: {found}"),
        }
        assert!(!found.contains("the command line"), "{found}");
    }

    #[test]
    fn what_its_module_could_not_use_is_refused() {
        check("RESOLVE", "a=127.0.0.1", "");
        check("RESOLVE", "nonsense", "RESOLVE");
        check("MODEL_ALIASES", "opus", "is not ALIAS=NAME");
        check("MODEL_ALIASES", "opus=x", "");
        check("ENV_PASS", "A=B", "is no name of a variable");
        check("ENV_PASS", "OPENAI_API_KEY", "a credential of sx");
        check("CODEX_BASE_URL", "http://127.0.0.1:99999/", "port");
        check("ROUTER_URL", "http://127.0.0.1:9", "");
        check("CODEX_REMOTE_URL", "ftp://x", "CODEX_REMOTE_URL");
        check("CODEX_REMOTE_URL", "unix:/run/x", "");
        check("HTTPS_PROXY", "http://u:hidden@h:99999", "HTTPS_PROXY");
        check("HTTPS_PROXY", "http://h:3128", "");
        check("ACTIVE_PROFILE", "slow", "there is fast");
        check("ACTIVE_PROFILE", "fast", "");
        check("MODEL", "anything", "");
        check("OPENAI_API_KEY", "sk-1", "");
        check("OPENAI_API_KEY", "sk-hidden 2", "one word");
        check("ANTHROPIC_API_KEY", "Bearer sk", "one word");
        let hidden = refusal(
            keys::find("ALL_PROXY").unwrap(),
            "http://u:hidden@h:x",
            &Vec::new,
        );
        assert!(!hidden.unwrap().contains("hidden"));
    }
}
