//! claude_code: Anthropic's service with the login of the vendor's own client, lent or given.
//!
//! The vendor keeps such logins to its own programs. We say that we are sx and imitate nobody; what
//! the service answers to that is passed on, with what a person can do instead.

use crate::auth::claude::RESTRICTION;
use crate::base::secret::Secret;
use crate::provider::Capabilities;
use crate::provider::Error;
use crate::provider::claude;
use crate::provider::claude::Claude;
use crate::provider::claude::Door;
use crate::provider::refusal;

/// The provider's name.
const NAME: &str = "claude_code";

/// Its row of the feature table.
pub const CAPABILITIES: Capabilities = Capabilities {
    provider: NAME,
    streaming: true,
    thinking: true,
    tools: true,
    functions: true,
    vision: true,
    refresh: true,
    caching: true,
    search: true,
};

/// What the member needs to know; the address is CLAUDE_CODE_BASE_URL.
pub type Options = claude::Options;

/// The member.
pub type ClaudeCode = Claude<Login>;

/// A subscription pays.
#[derive(Debug)]
pub struct Login;

impl Door for Login {
    const NAME: &'static str = NAME;
    const ADDRESS_KEY: &'static str = "CLAUDE_CODE_BASE_URL";
    const LOGIN_HINT: &'static str = "log in again with the vendor's own client: `claude`";
    const BETA: Option<&'static str> = Some("oauth-2025-04-20");

    fn credential(secret: &Secret) -> (&'static str, String) {
        ("authorization", format!("Bearer {}", secret.expose()))
    }

    /// The service refuses other programs in several ways, a request that "can never succeed" being
    /// one of them.
    fn explain(error: Error) -> Error {
        let explained = |detail: String| refusal::bounded(&format!("{detail}; {RESTRICTION}"));
        match error {
            Error::Forbidden { detail } => Error::Forbidden {
                detail: explained(detail),
            },
            Error::Refused { detail, .. } if detail.contains("Claude Code") => Error::Forbidden {
                detail: explained(detail),
            },
            error => error,
        }
    }
}
