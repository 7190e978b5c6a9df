//! Which keys belong together, for whoever shows them a group at a time.

use crate::config::keys::Key;
use crate::config::table::KEYS;

/// Keys that belong together.
#[derive(Debug)]
pub struct Group {
    /// The word by which a person asks for them.
    pub name: &'static str,
    /// What they are about, in a line.
    pub title: &'static str,
    /// The first of them; they go on to the first of the next group.
    first: &'static str,
}

/// Every group, in the order of [`KEYS`].
pub static GROUPS: &[Group] = &[
    group("model", "who answers, and how", "ACTIVE_PROFILE"),
    group(
        "limits",
        "how much, how long, how often",
        "MAX_OUTPUT_TOKENS",
    ),
    group("tools", "what the model may use", "TOOLS"),
    group("sandbox", "what commands may touch", "SANDBOX"),
    group(
        "codex",
        "the login of a ChatGPT account",
        "CODEX_TOKEN_SOURCE",
    ),
    group(
        "keys",
        "other services, their keys and addresses",
        "ANTHROPIC_BASE_URL",
    ),
    group("network", "times, proxies, certificates", "CONNECT_TIMEOUT"),
    group("sessions", "what is kept", "SESSION_DIR"),
];

const fn group(name: &'static str, title: &'static str, first: &'static str) -> Group {
    Group { name, title, first }
}

impl Group {
    /// Its keys, in their order.
    pub fn keys(&self) -> &'static [Key] {
        let place = |name| KEYS.iter().position(|key| key.name == name);
        let next = GROUPS.iter().skip_while(|group| group.name != self.name);
        let end = next.skip(1).find_map(|group| place(group.first));
        match place(self.first) {
            Some(start) => &KEYS[start..end.unwrap_or(KEYS.len())],
            None => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_one_group() {
        let names = |keys: &[Key]| keys.iter().map(|key| key.name).collect::<Vec<_>>();
        let grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|group| names(group.keys()))
            .collect();
        assert_eq!(grouped, names(KEYS));
        assert!(GROUPS.iter().all(|group| !group.keys().is_empty()));
    }
}
