//! What is left of an account's allowance: the request that asks, and what the answer says.
//!
//! The address lies beside the model's (`/wham/usage` in its parent). Its answer is nowhere
//! promised, so many spellings are understood, and what is not is left out.

use super::Codex;
use super::limit;
use crate::auth;
use crate::chat::delta::Limit;
use crate::http::exchange;
use crate::http::head::Headers;
use crate::provider::Error;
use serde_json::Value;
use serde_json::json;

/// What the service says of an account's allowance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// The plan.
    pub plan: Option<String>,
    /// Its windows; those of the model first.
    pub windows: Vec<Window>,
    /// What was bought beside the plan, where the service says anything of it.
    pub credits: Option<Credits>,
}

/// What an account may use once its windows are used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credits {
    /// Nothing.
    None,
    /// So much, in the service's own number; empty where it only says that there are some.
    Left(String),
    /// As much as is wanted.
    Unlimited,
}

/// A balance is a number; a longer text is none.
const BALANCE_CHARS_MAX: usize = 40;

/// One window of an allowance.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Whose allowance it is; `None` for the one of the model.
    pub name: Option<String>,
    /// How much of it is used, and when it begins anew.
    pub limit: Limit,
}

/// The two windows of an allowance, by both of their names.
const WINDOWS: &[[&str; 2]] = &[
    ["primary_window", "primary"],
    ["secondary_window", "secondary"],
];

impl Codex {
    /// The request that asks for it.
    pub fn usage_request(&self, token: Option<&auth::Token>) -> Result<exchange::Request, Error> {
        let url = self.options.base_url.parent().join("/wham/usage");
        let request = self.signed(exchange::Request::get(url), token)?;
        Ok(request.header("accept", "application/json"))
    }
}

/// Reads an answer that came at `now`, in unix seconds; `None` if it is no object. Windows that
/// stand only in the fields of the answer, as with an answer of the model, count too.
pub fn read(headers: &Headers, body: &[u8], now: u64) -> Option<Usage> {
    let answer: Value = serde_json::from_slice(body).ok().filter(Value::is_object)?;
    let mut windows = Vec::new();
    let mut add = |name: Option<&str>, allowance: &Value| {
        for names in WINDOWS {
            let found = names.iter().map(|name| &allowance[*name]);
            let found = found.filter_map(|window| read_window(window, now)).next();
            windows.extend(found.map(|limit| Window {
                name: name.map(str::to_string),
                limit,
            }));
        }
    };
    for name in ["rate_limit", "rate_limits"] {
        add(None, &answer[name]);
    }
    add(None, &answer);
    add(Some("code review"), &answer["code_review_rate_limit"]);
    for more in answer["additional_rate_limits"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let name = more["limit_name"]
            .as_str()
            .or(more["metered_feature"].as_str());
        add(Some(name.unwrap_or("more")), &more["rate_limit"]);
    }
    if windows.is_empty() {
        let found = ["primary", "secondary"].map(|window| limit(headers, window));
        let window = |limit| Window { name: None, limit };
        windows = found.into_iter().flatten().map(window).collect();
    }
    let plan = answer["plan_type"].as_str().or(answer["plan"].as_str());
    Some(Usage {
        plan: plan.filter(|plan| !plan.is_empty()).map(str::to_string),
        windows,
        credits: credits_of(&answer["credits"]).or_else(|| credits_of(&credit_fields(headers))),
    })
}

/// The same object from the fields of an answer, which write it in words.
fn credit_fields(headers: &Headers) -> Value {
    let field = |name: &str| headers.first(&format!("x-codex-credits-{name}"));
    let flag = |name| field(name).map(|text| text.eq_ignore_ascii_case("true"));
    json!({
        "has_credits": flag("has-credits"),
        "unlimited": flag("unlimited"),
        "balance": field("balance"),
    })
}

/// `None` where nothing is said of credits.
fn credits_of(credits: &Value) -> Option<Credits> {
    let has_any = credits["has_credits"].as_bool();
    if credits["unlimited"] == true {
        return Some(Credits::Unlimited);
    }
    let balance = match &credits["balance"] {
        Value::String(text) => text.trim().to_string(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let is_number = balance.parse().is_ok_and(f64::is_finite) && balance.len() <= BALANCE_CHARS_MAX;
    match has_any {
        Some(true) if is_number => Some(Credits::Left(balance)),
        Some(true) => Some(Credits::Left(String::new())),
        Some(false) => Some(Credits::None),
        None => is_number.then_some(Credits::Left(balance)),
    }
}

/// One window; `None` if it does not say how much is used.
fn read_window(window: &Value, now: u64) -> Option<Limit> {
    let number = |names: &[&str]| {
        let value = names
            .iter()
            .map(|name| &window[*name])
            .find(|value| !value.is_null())?;
        let number = value
            .as_f64()
            .or_else(|| value.as_str()?.trim().parse().ok());
        number.filter(|number| number.is_finite() && *number >= 0.0)
    };
    let used_percent = number(&["used_percent", "used-percent", "usedPercent"])?;
    let seconds = number(&["limit_window_seconds", "window_seconds", "window_s"]);
    let minutes = || number(&["window_minutes", "window_duration_mins"]).map(|m| m * 60.0);
    let date = || {
        let at = ["reset_at", "resets_at"].map(|name| window[name].as_str());
        at.into_iter()
            .flatten()
            .find_map(crate::base::date::parse_rfc3339)
    };
    let resets_at = number(&["reset_at", "resets_at"]).map(|at| at as u64);
    let resets_in = || {
        let wait = number(&["reset_after_seconds", "resets_in_seconds"])?;
        Some(now.saturating_add(wait as u64))
    };
    Some(Limit {
        window_s: seconds.or_else(minutes).unwrap_or(0.0) as u64,
        used_percent,
        resets_at: resets_at.or_else(date).or_else(resets_in).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000;

    /// Each window as `name used window resets`.
    #[track_caller]
    fn check(body: &str, plan: Option<&str>, expected: &[&str]) {
        let usage = read(&Headers::new(), body.as_bytes(), NOW).unwrap();
        assert_eq!(usage.plan.as_deref(), plan, "{body}");
        let found: Vec<String> = usage
            .windows
            .iter()
            .map(|Window { name, limit }| {
                let name = name.as_deref().unwrap_or("-");
                let Limit {
                    window_s,
                    used_percent,
                    resets_at,
                } = limit;
                format!("{name} {used_percent} {window_s} {resets_at}")
            })
            .collect();
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn the_services_own_shape_is_read() {
        check(
            r#"{"plan_type":"plus","rate_limit":{"allowed":true,
                "primary_window":{"used_percent":6,"limit_window_seconds":18000,"reset_at":2000},
                "secondary_window":{"used_percent":24.5,"limit_window_seconds":604800,
                    "reset_after_seconds":60}},
                "code_review_rate_limit":{"primary_window":{"used_percent":1},
                    "secondary_window":null},
                "additional_rate_limits":[{"limit_name":"spark",
                    "rate_limit":{"primary_window":{"used_percent":2}}}],
                "credits":{"has_credits":true}}"#,
            Some("plus"),
            &[
                "- 6 18000 2000",
                "- 24.5 604800 1060",
                "code review 1 0 0",
                "spark 2 0 0",
            ],
        );
    }

    #[test]
    fn other_spellings_are_read_and_what_is_none_is_left_out() {
        check(
            r#"{"rate_limits":{"primary":{"used_percent":"7","window_minutes":300,
                "resets_at":"1970-01-01T00:33:20Z"},"secondary":{"window_minutes":1}}}"#,
            None,
            &["- 7 18000 2000"],
        );
        check(r#"{"primary":{"used_percent":3}}"#, None, &["- 3 0 0"]);
        check(
            r#"{"rate_limit":{"primary":{"used_percent":-1}},"plan":""}"#,
            None,
            &[],
        );
        check("{}", None, &[]);
        assert_eq!(read(&Headers::new(), b"[]", NOW), None);
        assert_eq!(read(&Headers::new(), b"<html>", NOW), None);
    }

    #[test]
    fn windows_in_the_fields_of_the_answer_count_where_there_are_no_others() {
        let mut headers = Headers::new();
        headers.push("x-codex-primary-used-percent", "12.5");
        let usage = read(&headers, b"{}", NOW).unwrap();
        assert_eq!(usage.windows[0].limit.used_percent, 12.5);
    }

    #[test]
    fn credits_are_read_from_the_body_and_else_from_the_fields() {
        let fields = |fields: &[(&str, &str)]| {
            let mut headers = Headers::new();
            for (name, value) in fields {
                headers.push(*name, *value);
            }
            headers
        };
        let left = |text: &str| Some(Credits::Left(text.to_string()));
        let long = format!(r#"{{"credits":{{"balance":"1{}"}}}}"#, "0".repeat(99));
        for (body, expected) in [
            (
                r#"{"credits":{"has_credits":true,"balance":"12.5"}}"#,
                left("12.5"),
            ),
            (r#"{"credits":{"has_credits":true,"balance":7}}"#, left("7")),
            (
                r#"{"credits":{"has_credits":true,"balance":"\u001b[2J"}}"#,
                left(""),
            ),
            (r#"{"credits":{"balance":"3"}}"#, left("3")),
            (r#"{"credits":{"balance":"nan"}}"#, None),
            (
                r#"{"credits":{"has_credits":false,"balance":"0"}}"#,
                Some(Credits::None),
            ),
            (
                r#"{"credits":{"has_credits":true,"unlimited":true}}"#,
                Some(Credits::Unlimited),
            ),
            (r#"{"credits":null}"#, None),
            (&long, None),
            ("{}", None),
        ] {
            let usage = read(&Headers::new(), body.as_bytes(), NOW).unwrap();
            assert_eq!(usage.credits, expected, "{body}");
        }
        let headers = fields(&[
            ("x-codex-credits-has-credits", "True"),
            ("x-codex-credits-unlimited", "False"),
            ("x-codex-credits-balance", "4.2"),
        ]);
        let usage = read(&headers, b"{}", NOW).unwrap();
        assert_eq!(usage.credits, left("4.2"));
    }
}
