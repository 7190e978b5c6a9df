//! Reads what a service says instead of an answer, and sorts it by what the caller does about it.
//!
//! The same words come as the body of an error status and as an event within a stream. Bodies are
//! JSON in several shapes, plain text, a proxy's page, or nothing. A code that we know decides;
//! else the status does.

use crate::base::date;
use crate::base::text;
use crate::http::head::Headers;
use crate::provider::Error;
use crate::provider::complaint;
use crate::provider::complaint::Complaint;
use crate::provider::overflow;
use crate::provider::retry;
use serde_json::Value;
use std::time::Duration;

/// Enough for a paragraph, and never a screenful.
const DETAIL_CHARS_MAX: usize = 400;

/// Enough of a page to find its title in.
const PAGE_BYTES_MAX: usize = 64 * 1024;

/// What an answer other than a stream means.
pub fn of_answer(status: u16, headers: &Headers, body: &[u8]) -> Error {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let mut refusal = json.as_ref().map(Refusal::read).unwrap_or_default();
    if refusal.words.is_empty() {
        refusal.words = words_of(headers, body);
    }
    if refusal.after.is_none() {
        refusal.after = retry::stated_wait(headers);
    }
    if let (None, Some(wait_s)) = (refusal.resets_at, refusal.resets_in_s) {
        let now = headers.first("date").and_then(date::parse_http);
        refusal.resets_at = now.map(|now| now.saturating_add(wait_s));
    }
    let reached = headers.first("x-codex-rate-limit-reached-type");
    let is_spent = reached.is_some_and(|kind| kind != "rate_limit_reached");
    let sort = match status {
        401 => Some(Sort::Auth),
        402 => Some(Sort::Quota),
        429 if is_spent => Some(Sort::Quota),
        // llama.cpp's code for it is that of any fault of its own.
        400 | 413 | 422 | 500 if refusal.is_overflow() => Some(Sort::Overflow),
        // One request that is larger than what a minute allows: waiting does not make it smaller.
        413 if refusal.code == "rate_limit_exceeded" => Some(Sort::Overflow),
        _ => refusal.sort(),
    };
    let sort = sort.unwrap_or_else(|| match status {
        400 | 403 | 429 if refusal.is_spent_in_words() => Sort::Quota,
        403 => Sort::Forbidden,
        _ if retry::is_retried(status) => Sort::Retry,
        _ => Sort::Refused,
    });
    let complaint = refusal.complaint(json.as_ref().unwrap_or(&Value::Null), sort);
    refusal.words = format!("status {status}: {}", refusal.words);
    with(complaint, refusal.into_error(sort, status))
}

/// What an error within a stream means: `error` is its object, with a code or without.
///
/// Where nothing is known of it, another try is made: the service had begun to answer.
pub fn of_event(error: &Value) -> Error {
    let mut refusal = Refusal::read(error);
    if refusal.words.is_empty() {
        refusal.words = "the service broke the answer off without saying why".into();
    }
    let status = refusal.status;
    let by_status = |status| match status {
        401 => Some(Sort::Auth),
        402 => Some(Sort::Quota),
        403 => Some(Sort::Forbidden),
        400..500 if !retry::is_retried(status) => Some(Sort::Refused),
        _ => None,
    };
    let is_overflow = refusal.is_overflow().then_some(Sort::Overflow);
    let known = is_overflow.or_else(|| refusal.sort());
    let sort = known.or_else(|| status.and_then(by_status));
    let is_ours = refusal.kind == "invalid_request_error" && status.is_none();
    let sort = sort.unwrap_or(match () {
        () if refusal.is_spent_in_words() => Sort::Quota,
        () if is_ours => Sort::Refused,
        () => Sort::Retry,
    });
    let complaint = refusal.complaint(error, sort);
    with(complaint, refusal.into_error(sort, status.unwrap_or(200)))
}

fn with(complaint: Option<Complaint>, error: Error) -> Error {
    match complaint {
        Some(complaint) => Error::Unfit {
            complaint,
            otherwise: Box::new(error),
        },
        None => error,
    }
}

/// What the caller does about it, without the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Retry,
    Auth,
    Forbidden,
    Quota,
    Overflow,
    Refused,
}

/// Words from outside as the detail of an error: one line, and not too long.
pub fn bounded(words: &str) -> String {
    text::ellipsis(&text::one_line(words), DETAIL_CHARS_MAX).into_owned()
}

/// What says that there is nothing left to spend: Anthropic twice, xAI, Zhipu, LiteLLM. Lower case.
const SPENT: &[&str] = &[
    "credit balance is too low",
    "reached your specified api usage limits",
    "used all available credits",
    "insufficient balance",
    "budget has been exceeded",
];

/// What a service said.
#[derive(Debug, Default)]
struct Refusal {
    /// `usage_limit_reached` and the like; empty where there is none.
    code: String,
    /// A coarser word that stands beside the code, or instead of it.
    kind: String,
    words: String,
    resets_at: Option<u64>,
    resets_in_s: Option<u64>,
    after: Option<Duration>,
    /// The status that stands in the JSON itself.
    status: Option<u16>,
    /// The tokens that fit, where they are a field of their own.
    window: Option<u64>,
}

impl Refusal {
    /// Reads `{"error":{…}}`, `{"error":"…"}`, `{"detail":…}`, `{"message":…}`, or the bare inner
    /// object.
    fn read(json: &Value) -> Refusal {
        let whole = match json {
            Value::Array(several) => several.first().unwrap_or(&Value::Null),
            one => one,
        };
        // Mistral lists what its validator says one step further down.
        let listed = whole["message"].get("detail");
        let inner = ["error", "detail"].into_iter().map(|name| &whole[name]);
        let inner = inner.chain(listed).find(|value| !value.is_null());
        let inner = inner.unwrap_or(whole);
        let text = |name: &str| inner[name].as_str().unwrap_or_default().to_string();
        let words = match inner {
            Value::String(words) => words.clone(),
            Value::Array(list) => list
                .first()
                .and_then(of_validator)
                .unwrap_or_else(|| inner.to_string()),
            _ => [text("message"), text("detail"), text("msg")]
                .into_iter()
                .find(|words| !words.is_empty())
                .unwrap_or_default(),
        };
        let (code, kind) = (text("code"), text("type"));
        let named = if code.is_empty() { &kind } else { &code };
        Refusal {
            words: if words.is_empty() {
                named.clone()
            } else {
                words.clone()
            },
            resets_at: inner["resets_at"].as_u64(),
            resets_in_s: inner["resets_in_seconds"].as_u64(),
            after: retry::wait_in_words(&words),
            status: status_in(whole).or_else(|| status_in(inner)),
            window: inner["n_ctx"].as_u64(),
            code,
            kind,
        }
    }

    /// By code, else by kind; `None` where we know neither.
    fn sort(&self) -> Option<Sort> {
        sort_of(&self.code).or_else(|| sort_of(&self.kind))
    }

    /// What it is about, if the rest of the request would be taken.
    fn complaint(&self, json: &Value, sort: Sort) -> Option<Complaint> {
        match sort {
            Sort::Overflow => overflow::room(&self.words).map(Complaint::Room),
            Sort::Refused => {
                let most = overflow::output_max(&self.words).map(Complaint::OutputMax);
                most.or_else(|| complaint::read(json, &self.words))
            }
            Sort::Retry | Sort::Auth | Sort::Forbidden | Sort::Quota => None,
        }
    }

    fn is_overflow(&self) -> bool {
        self.sort() == Some(Sort::Overflow) || overflow::is_said(&self.words)
    }

    fn is_spent_in_words(&self) -> bool {
        let words = self.words.to_ascii_lowercase();
        SPENT.iter().any(|phrase| words.contains(phrase))
    }

    fn into_error(self, sort: Sort, status: u16) -> Error {
        let detail = bounded(&self.words);
        match sort {
            Sort::Retry => match self.after {
                Some(after) if status >= 500 => Error::Busy { after, detail },
                after => Error::Retry { after, detail },
            },
            Sort::Auth => Error::Auth { detail },
            Sort::Forbidden => Error::Forbidden { detail },
            Sort::Quota => Error::Quota {
                resets_at: self.resets_at,
                detail,
            },
            Sort::Overflow => Error::Overflow {
                window: self.window.or_else(|| overflow::window(&self.words)),
                detail,
            },
            Sort::Refused => Error::Refused { status, detail },
        }
    }
}

/// How a validator says what it does not like, and where; of several the first says enough.
fn of_validator(entry: &Value) -> Option<String> {
    let words = entry["msg"].as_str()?;
    Some(match complaint::place(entry) {
        place if place.is_empty() => words.to_string(),
        place => format!("{place}: {words}"),
    })
}

/// The status of an error, which many put beside its words, some as a string.
fn status_in(json: &Value) -> Option<u16> {
    let fields = ["status", "status_code", "code"].into_iter();
    let numbers = fields.filter_map(|name| {
        let value = &json[name];
        let digits = || value.as_str().and_then(|text| text.parse().ok());
        value.as_u64().or_else(digits)
    });
    let statuses = numbers.filter_map(|number| u16::try_from(number).ok());
    statuses
        .into_iter()
        .find(|status| (400..600).contains(status))
}

/// The codes that decide by themselves.
fn sort_of(code: &str) -> Option<Sort> {
    Some(match code {
        "rate_limit_exceeded"
        | "slow_down"
        | "server_is_overloaded"
        | "overloaded_error"
        | "server_error"
        // The model slipped; the next time it may not.
        | "tool_use_failed"
        | "flex_unavailable" => Sort::Retry,
        "usage_limit_reached"
        | "insufficient_quota"
        // Moonshot, LiteLLM and Zhipu.
        | "exceeded_current_quota_error"
        | "budget_exceeded"
        | "1113"
        | "billing_error"
        | "billing_hard_limit_reached"
        | "credit_balance_exhausted" => Sort::Quota,
        code if code.ends_with("_spend_limit_exceeded") => Sort::Quota,
        // The plan lacks it; no waiting helps, another account does.
        "usage_not_included" | "permission_error" => Sort::Forbidden,
        "authentication_error" => Sort::Auth,
        "context_length_exceeded"
        | "request_too_large"
        | "exceed_context_size_error"
        // GitHub Models and Copilot.
        | "tokens_limit_reached"
        | "model_max_prompt_tokens_exceeded" => Sort::Overflow,
        "not_found_error"
        | "invalid_encrypted_content"
        | "unsupported_parameter"
        | "unsupported_value"
        | "unknown_parameter" => Sort::Refused,
        "invalid_prompt" | "bio_policy" | "cyber_policy" | "misalignment_policy_violation" => {
            Sort::Refused
        }
        _ => return None,
    })
}

/// What a body that is not the service's JSON says: a page is named as one.
fn words_of(headers: &Headers, body: &[u8]) -> String {
    let body = String::from_utf8_lossy(&body[..body.len().min(PAGE_BYTES_MAX)]);
    let body = body.trim();
    if let Some(place) = headers.first("location") {
        return format!("a redirect to {place}, which sx does not follow with a login in hand");
    }
    if body.is_empty() {
        return "an empty body".into();
    }
    let kind = headers.first("content-type").unwrap_or_default();
    if !body.starts_with('<') && !kind.contains("text/html") {
        return body.to_string();
    }
    let words = page_words(body);
    let is_challenge = headers.first("cf-mitigated").is_some() || words.contains("Just a moment");
    let page = if is_challenge {
        "a browser check of a proxy in front of the service"
    } else {
        "a web page of a proxy instead of the service's answer"
    };
    format!("{page}: \"{}\"", text::ellipsis(&words, 80))
}

/// The title of a page, else its first words.
fn page_words(page: &str) -> String {
    let lower = page.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|start| {
        let from = start + lower[start..].find('>')? + 1;
        let until = from + lower[from..].find('<')?;
        Some(&page[from..until])
    });
    if let Some(title) = title.filter(|title| !title.trim().is_empty()) {
        return text::one_line(title);
    }
    let mut words = String::new();
    let mut in_tag = false;
    for c in page.chars() {
        match c {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                words.push(' ');
            }
            _ if !in_tag => words.push(c),
            _ => {}
        }
    }
    text::one_line(&words)
}

#[cfg(test)]
mod tests;
