//! The workspace check: how the requests of an account are to be routed.
//!
//! An account may belong to a workspace whose data stays in one region; its requests must say so in
//! a field of their own. The service tells which at `/wham/accounts/check`, beside the address that
//! model requests go to. An answer that we do not understand changes nothing: most accounts have no
//! constraint, and the service itself refuses what it must not take.

use crate::auth;
use crate::http::url::Url;
use serde_json::Value;

/// The field that names the region.
pub const ROUTING: &str = "x-openai-account-routing-override";

/// Regions that the field may name. Any other word of an answer's is not passed on.
const REGIONS: &[&str] = &["us", "us_cr"];

/// What the service says where there is nothing to be said.
const NO_CONSTRAINT: &str = "NO_CONSTRAINT";

/// How the requests of an account are to be routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    account_id: String,
    region: Option<&'static str>,
    /// The origin at which the workspace wants its requests; `None` where any will do.
    origin: Option<Url>,
}

impl Routing {
    /// The region that a request with this token must name.
    pub fn region_for(&self, token: &auth::Token) -> Option<&'static str> {
        let is_same = token.account_id.as_deref() == Some(&self.account_id);
        self.region.filter(|_| is_same)
    }

    /// What to tell the person where the workspace wants its requests at another place than
    /// `base_url`. A login goes where the settings say, and not where an answer sends it.
    pub fn elsewhere(&self, base_url: &Url) -> Option<String> {
        let origin = self.origin.as_ref()?;
        (origin.origin() != base_url.origin()).then(|| {
            let authority = origin.authority();
            format!("the workspace wants its requests at {authority}: CODEX_BASE_URL names another")
        })
    }
}

/// Where to ask: beside the folder that requests go to.
pub fn url(base_url: &Url) -> Url {
    let is_below = |url: &Url| url.target.trim_end_matches('/').ends_with("/codex");
    let base = match is_below(base_url) {
        true => base_url.parent(),
        false => base_url.clone(),
    };
    base.join("/wham/accounts/check")
}

/// What an answer says of the account; else why it says nothing.
pub fn read(account_id: &str, status: u16, body: &[u8]) -> Result<Routing, String> {
    if status != 200 {
        return Err(format!(
            "the workspace check was answered with status {status}"
        ));
    }
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let entries: Vec<&Value> = match &json["accounts"] {
        Value::Array(list) => list.iter().filter(|one| one["id"] == account_id).collect(),
        Value::Object(map) => map.get(account_id).into_iter().collect(),
        _ => Vec::new(),
    };
    let [entry] = entries.as_slice() else {
        let count = entries.len();
        return Err(format!(
            "the workspace check names the account {count} times instead of once"
        ));
    };
    let account = entry.get("account").unwrap_or(entry);
    let constraint = |name: &str| account[name].as_str().filter(|text| *text != NO_CONSTRAINT);
    let region = constraint("account_routing_override")
        .and_then(|word| REGIONS.iter().find(|region| **region == word));
    let origin = constraint("workspace_backend_origin").and_then(|text| Url::parse(text).ok());
    Ok(Routing {
        account_id: account_id.to_string(),
        region: region.copied(),
        origin,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(accounts: Value, expected: Result<(Option<&str>, Option<&str>), &str>) {
        let body = json!({ "accounts": accounts }).to_string();
        let found = read("acc", 200, body.as_bytes());
        let found = found.map(|routing| {
            let origin = routing.origin.as_ref().map(Url::authority);
            (routing.region, origin)
        });
        let expected = expected
            .map(|(region, origin)| (region, origin.map(str::to_string)))
            .map_err(|count| {
                format!("the workspace check names the account {count} times instead of once")
            });
        assert_eq!(found, expected, "{body}");
    }

    fn account(id: &str, origin: &str, region: &str) -> Value {
        json!({"id": id, "name": "n", "workspace_backend_origin": origin,
            "account_routing_override": region})
    }

    #[test]
    fn an_account_is_found_in_a_list_or_in_a_map() {
        let free = account("acc", NO_CONSTRAINT, NO_CONSTRAINT);
        let bound = account("acc", "https://us.example.org", "us_cr");
        let other = account("other", "https://x.example.org", "us");
        check(json!([other, free]), Ok((None, None)));
        check(
            json!([bound, other]),
            Ok((Some("us_cr"), Some("us.example.org"))),
        );
        check(
            json!({"acc": {"account": bound}}),
            Ok((Some("us_cr"), Some("us.example.org"))),
        );
        check(
            json!({"acc": account("acc", "x", "us")}),
            Ok((Some("us"), None)),
        );
        check(json!([{"id": "acc"}]), Ok((None, None)));
        // A word that we do not know must not become a field.
        check(
            json!([account("acc", NO_CONSTRAINT, "eu\r\nx: y")]),
            Ok((None, None)),
        );
    }

    #[test]
    fn what_does_not_name_the_account_once_says_nothing() {
        let one = account("acc", NO_CONSTRAINT, "us");
        check(json!([one, one]), Err("2"));
        check(json!([]), Err("0"));
        check(json!({"other": one}), Err("0"));
        check(Value::Null, Err("0"));
        let missing = read("acc", 404, b"{}");
        let words = "the workspace check was answered with status 404";
        assert_eq!(missing, Err(words.to_string()));
        assert!(read("acc", 200, b"<html>").is_err());
    }

    #[test]
    fn the_question_goes_beside_the_folder_of_requests() {
        for (base_url, expected) in [
            (
                "https://h/backend-api/codex",
                "https://h/backend-api/wham/accounts/check",
            ),
            (
                "https://h/backend-api/codex/",
                "https://h/backend-api/wham/accounts/check",
            ),
            ("https://h/v1", "https://h/v1/wham/accounts/check"),
            ("https://h/codex", "https://h/wham/accounts/check"),
        ] {
            let base_url = Url::parse(base_url).unwrap();
            assert_eq!(url(&base_url).to_string(), expected);
        }
    }

    #[test]
    fn another_place_is_told_and_not_gone_to() {
        let body = json!({"accounts": [account("acc", "https://us.example.org", "us")]});
        let routing = read("acc", 200, body.to_string().as_bytes()).unwrap();
        let here = Url::parse("https://us.example.org/backend-api/codex").unwrap();
        assert_eq!(routing.elsewhere(&here), None);
        let there = Url::parse("https://example.org/backend-api/codex").unwrap();
        let told = routing.elsewhere(&there).unwrap();
        assert!(told.contains("us.example.org"), "{told}");
    }
}
