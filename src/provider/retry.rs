//! What is worth another try, and how long to wait before it. One table for all members.
//!
//! Waiting itself is the loop's, as are the limits on tries (RETRY_MAX) and on the sum of all
//! waits (RETRY_TOTAL). Jitter is a parameter, so that the schedule is a table test.

use crate::base::clock;
use crate::base::date;
use crate::http::head::Headers;
use std::time::Duration;

/// The ceiling of the first wait; each further one has twice the ceiling.
const BASE: Duration = Duration::from_millis(500);

/// No ceiling is higher. A service that wants a longer wait says so.
const CEILING_MAX: Duration = Duration::from_secs(30);

/// So much of a stated wait is added to it, at most.
const STATED_JITTER: f64 = 0.1;

/// Statuses after which the same request may succeed. 409 is a lock that another request holds,
/// 425 a TLS early-data refusal, 520 to 524 are Cloudflare's words for an origin that is away, and
/// 529 is an overload.
const RETRIED: &[u16] = &[
    408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529,
];

/// Whether a request that was answered with `status` is worth another try.
pub fn is_retried(status: u16) -> bool {
    RETRIED.contains(&status)
}

/// How long to wait after try number `attempt` (from 1) failed.
///
/// A random part of a ceiling that doubles ("full jitter"), so that many clients do not come back
/// all at once; and never less than the service asked for. `jitter` is from 0 to 1.
pub fn wait(attempt: u32, after: Option<Duration>, jitter: f64) -> Duration {
    let jitter = jitter.clamp(0.0, 1.0);
    let doublings = attempt.saturating_sub(1).min(16);
    let ceiling = BASE.saturating_mul(1 << doublings).min(CEILING_MAX);
    let own = ceiling.mul_f64(jitter);
    match after {
        // Those who were told the same must not come back in the same moment.
        Some(after) => own.max(after.saturating_add(after.mul_f64(jitter * STATED_JITTER))),
        None => own,
    }
}

/// The wait that the fields of an answer ask for: `retry-after-ms`, or `Retry-After` in seconds
/// or as a date (RFC 9110 §10.2.3).
///
/// A date is measured from the answer's own `Date`, since our clock may be wrong; that is asked
/// where the answer has none. Quotes and the letter of seconds are taken, which some write.
pub fn stated_wait(headers: &Headers) -> Option<Duration> {
    let millis = headers.first("retry-after-ms").and_then(number);
    if let Some(millis) = millis {
        return Some(seconds(millis / 1_000.0));
    }
    let value = headers.first("retry-after")?.trim().trim_matches('"');
    if let Some(length) = number(value.strip_suffix('s').unwrap_or(value)) {
        return Some(seconds(length));
    }
    let then = date::parse_http(value)?;
    let now = headers.first("date").and_then(date::parse_http);
    let now = now.unwrap_or_else(clock::unix_seconds);
    Some(Duration::from_secs(then.saturating_sub(now)))
}

/// A length that no clock can count is the longest that one can.
fn seconds(length: f64) -> Duration {
    Duration::try_from_secs_f64(length).unwrap_or(Duration::MAX)
}

/// The wait that a message names: `Please try again in 1.898s`, `in 6m0s`, `in 20 seconds`.
pub fn wait_in_words(message: &str) -> Option<Duration> {
    const PHRASES: &[&str] = &["try again in ", "retry in "];
    // Lower case in ASCII keeps every byte in its place.
    let message = message.to_ascii_lowercase();
    let after = |phrase: &&str| Some(message.find(phrase)? + phrase.len());
    let mut rest = &message[PHRASES.iter().find_map(after)?..];
    let mut seconds = None;
    while let Some((length, unit_s)) = amount(&mut rest) {
        seconds = Some(seconds.unwrap_or(0.0) + length * unit_s);
    }
    Duration::try_from_secs_f64(seconds?).ok()
}

/// Takes a number and its unit off the front: how many, and the unit in seconds.
fn amount(rest: &mut &str) -> Option<(f64, f64)> {
    let digits_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (digits, after) = rest.split_at(digits_end);
    // A full stop after the unit of a sentence's end is no number.
    let length = number(digits)?;
    let after = after.trim_start_matches(' ');
    let unit_end = after
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(after.len());
    let (unit, after) = after.split_at(unit_end);
    let unit_s = match unit {
        "ms" | "milliseconds" => 0.001,
        "s" | "sec" | "second" | "seconds" => 1.0,
        "m" | "min" | "minute" | "minutes" => 60.0,
        "h" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    };
    *rest = after.trim_start_matches(' ');
    Some((length, unit_s))
}

/// Digits with at most one point. `str::parse` alone would take signs, `inf` and exponents.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_plain && text.starts_with(|c: char| c.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_doubles_up_to_thirty_seconds() {
        let ceilings = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
        for (attempt, ceiling) in (1..).zip(ceilings) {
            assert_eq!(wait(attempt, None, 1.0), Duration::from_millis(ceiling));
            assert_eq!(wait(attempt, None, 0.5), Duration::from_millis(ceiling / 2));
            assert_eq!(wait(attempt, None, 0.0), Duration::ZERO);
        }
        assert_eq!(wait(u32::MAX, None, 7.0), CEILING_MAX);
    }

    #[test]
    fn a_stated_wait_is_the_least_and_not_the_same_for_all() {
        let stated = Duration::from_secs(100);
        assert_eq!(wait(1, Some(stated), 0.0), stated);
        assert_eq!(wait(1, Some(stated), 0.5), Duration::from_secs(105));
        assert_eq!(wait(1, Some(stated), 1.0), Duration::from_secs(110));
        // Who asks for none gets ours.
        assert_eq!(wait(9, Some(Duration::ZERO), 0.9), wait(9, None, 0.9));
    }

    #[track_caller]
    fn check_fields(fields: &[(&str, &str)], expected: Option<u64>) {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.push(*name, *value);
        }
        let expected = expected.map(|millis| match millis {
            u64::MAX => Duration::MAX,
            millis => Duration::from_millis(millis),
        });
        assert_eq!(stated_wait(&headers), expected, "{fields:?}");
    }

    #[test]
    fn fields_state_a_wait_in_three_ways() {
        check_fields(&[("Retry-After", "3")], Some(3_000));
        check_fields(&[("Retry-After", " 1.5 ")], Some(1_500));
        check_fields(
            &[("retry-after-ms", "250"), ("retry-after", "9")],
            Some(250),
        );
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let later = ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT");
        check_fields(&[date, later], Some(60_000));
        check_fields(&[("date", later.1), ("retry-after", date.1)], Some(0));
        // Long ago.
        check_fields(&[later], Some(0));
        check_fields(&[("retry-after", "\"3\"")], Some(3_000));
        check_fields(&[("retry-after", "1.5s")], Some(1_500));
        let never = [("retry-after", "9".repeat(40).leak() as &str)];
        check_fields(&never, Some(u64::MAX));
        for bad in ["", "-1", "soon", "inf", "1e9", ".", "1.2.3"] {
            check_fields(&[date, ("retry-after", bad)], None);
        }
        check_fields(&[], None);
    }

    #[test]
    fn words_state_a_wait() {
        let check = |text, expected: Option<u64>| {
            let found = wait_in_words(text).map(|wait| wait.as_millis());
            assert_eq!(found, expected.map(u128::from), "{text:?}");
        };
        check(
            "Rate limit reached. Please try again in 1.898s. Visit",
            Some(1_898),
        );
        check("Try again in 250ms.", Some(250));
        check("Please retry in 20.04466179s.", Some(20_044));
        check("try again in 20 seconds", Some(20_000));
        check("Please try again in 6m0s.", Some(360_000));
        check("try again in 1h2m", Some(3_720_000));
        check("try again in 2 minutes, or 5", Some(120_000));
        for none in [
            "",
            "try again",
            "try again in ",
            "try again in a moment",
            "try again in 5",
            "try again in 5 parsecs",
            "try again in ..5s",
            "İ try again in é",
        ] {
            check(none, None);
        }
    }

    #[test]
    fn statuses_are_retried_by_the_table() {
        for status in [408, 429, 500, 503, 529] {
            assert!(is_retried(status), "{status}");
        }
        for status in [200, 301, 400, 401, 403, 404, 413, 422, 501, 505] {
            assert!(!is_retried(status), "{status}");
        }
    }
}
