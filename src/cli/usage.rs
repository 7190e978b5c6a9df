//! `sx usage`: asks the service what is left of the account's allowance, window by window.

use crate::auth::Token;
use crate::base::clock;
use crate::base::date;
use crate::base::text;
use crate::cli::credential;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::inquiry;
use crate::cli::inquiry::Outcome;
use crate::cli::member;
use crate::cli::standing::span;
use crate::cli::standing::whose;
use crate::net::drive::Response;
use crate::provider::Provider;
use crate::provider::codex::Codex;
use crate::provider::codex::usage;
use crate::provider::codex::usage::Credits;
use crate::provider::codex::usage::Usage;
use crate::provider::codex::usage::Window;
use crate::term::writer;
use serde::Serialize;
use std::io::Write;

/// The line for a program; fields are only ever added.
#[derive(Default, Serialize)]
struct Line {
    limits: Vec<Row>,
    plan: Option<String>,
    account: Option<String>,
    credits: Option<Bought>,
}

/// What was bought beside the plan.
#[derive(Serialize)]
struct Bought {
    has_credits: bool,
    is_unlimited: bool,
    /// In the service's own number; `null` where it does not say.
    balance: Option<String>,
}

/// One window.
#[derive(Serialize)]
struct Row {
    /// Whose allowance it is; not there for the one of the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// 0 where the service does not say.
    window_s: u64,
    used_percent: f64,
    /// Unix seconds; 0 where the service does not say.
    resets_at: u64,
}

/// Asks, and says what came of it.
pub fn run(ground: &Ground, is_json: bool) -> Result<Exit, Fault> {
    let provider = ground.settings.text("PROVIDER");
    if provider != "codex" {
        ground.warn();
        return tell(&match is_json {
            true => json(&Line::default())?,
            false => format!("{}\n", untold(provider)),
        });
    }
    let codex = Codex::new(member::codex_options(&ground.settings)?);
    let source = credential::login(ground, "to ask with")?;
    let form = |token: Option<&Token>| codex.usage_request(token);
    let name = "the time for asking what is left";
    let asked = inquiry::ask(ground, Some(source), name, &form)?;
    let (token, response) = match asked {
        Outcome::Answered(answer) => *answer,
        Outcome::Stopped(signal) => return Ok(signal),
    };
    // There is a source, so there was a token.
    let token = token.ok_or_else(|| Fault::new(Exit::Fault, "no token was sent"))?;
    let usage = read(&codex, &response)?;
    tell(&match is_json {
        true => json(&line(&token, usage))?,
        false => spoken(&token, &usage, clock::unix_seconds()),
    })
}

fn tell(page: &str) -> Result<Exit, Fault> {
    let mut out = writer::stdout().map_err(|error| Fault::output(&error))?;
    out.write_all(page.as_bytes())
        .map_err(|error| Fault::output(&error))?;
    Ok(Exit::Done)
}

fn json(line: &Line) -> Result<String, Fault> {
    let line = serde_json::to_string(line);
    Ok(line.map_err(|error| Fault::new(Exit::Fault, error))? + "\n")
}

/// Why there is nothing to ask.
fn untold(provider: &str) -> String {
    match provider {
        "claude_code" => "claude_code tells what is left with its answers only: see the last line \
                          of a task"
            .to_string(),
        "router" | "scorpiox" => {
            format!("{provider} tells no allowance: a gateway keeps its own accounts")
        }
        _ => format!("{provider} tells no allowance: a key pays for what is used"),
    }
}

fn read(codex: &Codex, response: &Response) -> Result<Usage, Fault> {
    let host = codex.endpoint().authority();
    let (status, headers) = (response.head.status, &response.head.headers);
    match status {
        200..300 => {
            let usage = usage::read(headers, &response.body, clock::unix_seconds());
            let what = || format!("{host} answered with something that is no usage");
            usage.ok_or_else(|| Fault::new(Exit::Provider, what()))
        }
        401 | 403 => {
            let what = format!("{host} refused the login (status {status})");
            Err(Fault::new(Exit::Settings, what).hint(codex.login_hint()))
        }
        404 => {
            let what = format!("{host} does not tell what is left (status 404)");
            Err(Fault::new(Exit::Provider, what).hint("the address comes from CODEX_BASE_URL"))
        }
        _ => {
            let what = format!("{host} could not tell what is left (status {status})");
            Err(Fault::new(Exit::Provider, what))
        }
    }
}

fn line(token: &Token, usage: Usage) -> Line {
    let rows = usage.windows.into_iter().map(|window| Row {
        name: window.name,
        window_s: window.limit.window_s,
        used_percent: window.limit.used_percent,
        resets_at: window.limit.resets_at,
    });
    let credits = usage.credits.map(|credits| Bought {
        has_credits: credits != Credits::None,
        is_unlimited: credits == Credits::Unlimited,
        balance: match credits {
            Credits::Left(balance) => Some(balance).filter(|balance| !balance.is_empty()),
            Credits::None | Credits::Unlimited => None,
        },
    });
    Line {
        limits: rows.collect(),
        credits,
        plan: usage.plan.or_else(|| token.plan.clone()),
        account: token.account_id.clone().or_else(|| token.email.clone()),
    }
}

/// For a person, a line a window.
fn spoken(token: &Token, usage: &Usage, now: u64) -> String {
    let mut page = format!("{}\n", whose(token));
    // What the service says now counts more than what the token said when it was made.
    if let Some(plan) = usage
        .plan
        .as_ref()
        .filter(|plan| token.plan.as_ref() != Some(*plan))
    {
        let plan = text::one_line(plan);
        page.push_str(&format!("plan {}\n", text::harmless(&plan)));
    }
    if usage.windows.is_empty() {
        page.push_str("the service names no limit\n");
    }
    for Window { name, limit } in &usage.windows {
        let window = match limit.window_s {
            0 => "a window".to_string(),
            seconds => span(seconds),
        };
        let name = name.as_deref().map(text::one_line);
        let name = name.map(|name| format!("  {}", text::harmless(&name)));
        let reset = match limit.resets_at {
            0 => String::new(),
            at => format!(
                ", new at {}, {} from now",
                date::rfc3339(at),
                span(at.saturating_sub(now))
            ),
        };
        page.push_str(&format!(
            "  {window:<10} {:>5.1} % used{reset}{}\n",
            limit.used_percent,
            name.unwrap_or_default()
        ));
    }
    match &usage.credits {
        None => {}
        Some(Credits::None) => page.push_str("  no credits beside the plan\n"),
        Some(Credits::Unlimited) => page.push_str("  credits without a limit\n"),
        Some(Credits::Left(left)) if left.is_empty() => {
            page.push_str("  there are credits beside the plan\n");
        }
        Some(Credits::Left(left)) => page.push_str(&format!("  {left} credits are left\n")),
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::answer;
    use crate::http::head::Headers;

    #[test]
    fn a_window_is_a_line() {
        let body = br#"{"rate_limit":{
            "primary_window":{"used_percent":6,"limit_window_seconds":18000,"reset_at":7920},
            "secondary_window":{"used_percent":24.26}},
            "code_review_rate_limit":{"primary":{"used_percent":100,"window_minutes":10080}}}"#;
        let usage = usage::read(&Headers::new(), body, 0).unwrap();
        let token = answer::read(b"a", "s", 0).unwrap();
        assert_eq!(
            spoken(&token, &usage, 1_200),
            "unknown account\n  5 h          6.0 % used, new at 1970-01-01T02:12:00Z, 1 h 52 min \
             from now\n  a window    24.3 % used\n  7 days     100.0 % used  code review\n"
        );
        let line = serde_json::to_string(&line(&token, usage)).unwrap();
        assert!(
            line.starts_with(
                r#"{"limits":[{"window_s":18000,"used_percent":6.0,"resets_at":7920},{"#
            ),
            "{line}"
        );
        assert!(
            line.ends_with(r#"],"plan":null,"account":null,"credits":null}"#),
            "{line}"
        );
        let page = spoken(&token, &Usage::default(), 0);
        assert_eq!(page, "unknown account\nthe service names no limit\n");
        let bought = Usage {
            plan: Some("pro".to_string()),
            credits: Some(Credits::Left("12.5".to_string())),
            ..Usage::default()
        };
        let page = spoken(&token, &bought, 0);
        let expected = "unknown account\nplan pro\nthe service names no limit\n  12.5 credits are \
                        left\n";
        assert_eq!(page, expected);
    }
}
