//! anthropic: Anthropic's service with a key of its console. Everything but the key is `claude`.

use crate::base::secret::Secret;
use crate::provider::Capabilities;
use crate::provider::Error;
use crate::provider::claude;
use crate::provider::claude::Claude;
use crate::provider::claude::Door;

/// The provider's name.
const NAME: &str = "anthropic";

/// Its row of the feature table.
pub const CAPABILITIES: Capabilities = Capabilities {
    provider: NAME,
    streaming: true,
    thinking: true,
    tools: true,
    functions: true,
    vision: true,
    refresh: false,
    caching: true,
    search: true,
};

/// What the member needs to know; the address is ANTHROPIC_BASE_URL.
pub type Options = claude::Options;

/// The member.
pub type Anthropic = Claude<Key>;

/// A key pays.
#[derive(Debug)]
pub struct Key;

impl Door for Key {
    const NAME: &'static str = NAME;
    const ADDRESS_KEY: &'static str = "ANTHROPIC_BASE_URL";
    const LOGIN_HINT: &'static str = "set ANTHROPIC_API_KEY to a key of the vendor's console";
    const BETA: Option<&'static str> = None;

    fn credential(secret: &Secret) -> (&'static str, String) {
        ("x-api-key", secret.expose().to_string())
    }

    fn explain(error: Error) -> Error {
        error
    }
}
