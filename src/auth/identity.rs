//! Who we say we are: the originator and the user agent that go with every request.
//!
//! `sx` imitates nobody. A setting may give a house or a fork its own name, never another vendor's.

use std::fmt;

/// Our own name.
const OWN: &str = "sx";

/// Longer than any name that a log of the service's would show.
const NAME_BYTES_MAX: usize = 64;

/// Beginnings of the names of programs that are not ours, in lower case. The official client's are
/// `codex_cli_rs`, `codex_exec`, `codex-tui`, `codex_vscode` and those that begin with `Codex `.
const FOREIGN: &[&str] = &[
    "codex",
    "chatgpt",
    "openai",
    "claude",
    "anthropic",
    "opencode",
];

/// The name under which requests are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    originator: String,
}

/// A name that we do not go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    name: String,
    why: &'static str,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refused { name, why } = self;
        write!(f, "CODEX_ORIGINATOR is `{}`: {why}", name.escape_debug())
    }
}

impl std::error::Error for Refused {}

impl Identity {
    /// Takes a name from the settings; an empty one is our own.
    pub fn new(name: &str) -> Result<Identity, Refused> {
        let refused = |why| {
            Err(Refused {
                name: name.chars().take(NAME_BYTES_MAX).collect(),
                why,
            })
        };
        if name.is_empty() {
            return Ok(Identity::own());
        }
        if name.len() > NAME_BYTES_MAX {
            return refused("it must have at most 64 bytes");
        }
        // What is neither a letter nor a digit could hide a foreign name or break a header.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !name.bytes().all(is_plain) {
            return refused("it may hold letters, digits, `-`, `_` and `.` only");
        }
        let lower = name.to_ascii_lowercase();
        if FOREIGN.iter().any(|foreign| lower.starts_with(foreign)) {
            return refused("sx does not pass itself off as another vendor's program");
        }
        Ok(Identity {
            originator: name.to_string(),
        })
    }

    /// Our own name.
    pub fn own() -> Identity {
        Identity {
            originator: OWN.to_string(),
        }
    }

    /// The value of the `originator` field.
    pub fn originator(&self) -> &str {
        &self.originator
    }

    /// The value of the `user-agent` field: `sx/0.1.0 (Linux; x86_64)`.
    pub fn user_agent(&self) -> String {
        format!("{OWN}/{} (Linux; {ARCH})", env!("CARGO_PKG_VERSION"))
    }
}

/// The machine that this program was built for.
const ARCH: &str = if cfg!(target_arch = "x86_64") {
    "x86_64"
} else if cfg!(target_arch = "aarch64") {
    "aarch64"
} else {
    "other"
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_house_may_use_its_own_name() {
        for (name, expected) in [("", "sx"), ("sx", "sx"), ("acme-sx_2.0", "acme-sx_2.0")] {
            assert_eq!(Identity::new(name).unwrap().originator(), expected);
        }
    }

    #[test]
    fn known_vendors_names_are_refused() {
        for name in [
            "codex_cli_rs",
            "codex_exec",
            "codex-tui",
            "codex_vscode",
            "Codex Desktop",
            "CODEX_CLI_RS",
            "claude-code",
            "opencode",
            " codex_exec",
            "sx\r\nx: y",
            "é",
            &"x".repeat(65),
        ] {
            let refused = Identity::new(name).unwrap_err().to_string();
            assert!(refused.starts_with("CODEX_ORIGINATOR is `"), "{refused}");
            assert!(!refused.contains('\n'));
        }
    }

    #[test]
    fn the_user_agent_says_sx() {
        let agent = Identity::new("acme").unwrap().user_agent();
        assert!(agent.starts_with("sx/"), "{agent}");
        assert!(agent.contains(" (Linux; "), "{agent}");
    }
}
