//! Which way a credential may go: encrypted, or to this machine.

use crate::http::url::Scheme;
use crate::http::url::Url;
use crate::provider::Error;

/// Fails where `url`, which the setting `key` names, would carry a credential in the clear: it
/// would be anyone's on the way.
pub fn check(url: &Url, key: &str) -> Result<(), Error> {
    if url.scheme == Scheme::Https || url.is_loopback() {
        return Ok(());
    }
    let detail =
        format!("{key} is {url}: a login goes over plain http to this machine only; use https");
    Err(Error::Settings { detail })
}
