//! A login as it is told to a person or a program: whose it is, who pays, and for how long.

use crate::auth::Token;
use crate::auth::describe;
use crate::auth::file::Credential;
use crate::base::date;
use crate::base::text;
use serde::Serialize;

/// Seconds of a minute, an hour, a day.
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A login; fields are only ever added. What is not known is `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// The service.
    pub provider: String,
    /// The file, the variable or whoever lends it.
    pub source: Option<String>,
    /// The account, as the service names it.
    pub account_id: Option<String>,
    /// The person's address.
    pub email: Option<String>,
    /// The plan.
    pub plan: Option<String>,
    /// When the token ends, in unix seconds.
    pub expires_at: Option<u64>,
    /// How long that is; negative once it is over.
    pub seconds_left: Option<i64>,
    /// Whether it can be renewed.
    pub renewable: Option<bool>,
    /// Who pays, in one sentence.
    pub pays: String,
}

impl Standing {
    /// Nothing is known of it but this.
    pub fn unknown(provider: &str, source: Option<String>, pays: &str) -> Standing {
        Standing {
            provider: provider.to_string(),
            source,
            account_id: None,
            email: None,
            plan: None,
            expires_at: None,
            seconds_left: None,
            renewable: None,
            pays: pays.to_string(),
        }
    }

    /// That of a token. `now` is in unix seconds.
    pub fn of_token(provider: &str, token: &Token, is_renewable: bool, now: u64) -> Standing {
        let left = |at: u64| i64::try_from(i128::from(at) - i128::from(now)).unwrap_or(i64::MAX);
        Standing {
            provider: provider.to_string(),
            source: Some(token.source.clone()),
            account_id: token.account_id.clone(),
            email: token.email.clone(),
            plan: token.plan.clone(),
            expires_at: token.expires_at,
            seconds_left: token.expires_at.map(left),
            renewable: Some(is_renewable),
            pays: pays(token),
        }
    }

    /// That of a credential file.
    pub fn of_file(provider: &str, credential: &Credential, now: u64) -> Standing {
        let is_renewable = credential.refresh.is_some();
        Standing::of_token(provider, &credential.token, is_renewable, now)
    }

    /// Whether a run could use it. What others must be asked for counts as good.
    pub fn is_usable(&self) -> bool {
        self.renewable == Some(true) || self.seconds_left.is_none_or(|left| left > 0)
    }

    /// Until when it is good, in words.
    pub fn until(&self) -> String {
        let renewal = match self.renewable {
            Some(true) => "; renewed by itself",
            Some(false) => "; cannot be renewed",
            None => "",
        };
        let (Some(at), Some(left)) = (self.expires_at, self.seconds_left) else {
            return format!("it does not say when it ends{renewal}");
        };
        let at = date::rfc3339(at);
        let span = span(left.unsigned_abs());
        match left > 0 {
            true => format!("until {at}, {span} from now{renewal}"),
            false => format!("expired at {at}, {span} ago{renewal}"),
        }
    }

    /// What a person should know before it is too late.
    pub fn warning(&self) -> Option<String> {
        let left = self.seconds_left?;
        let ends_soon = left > 0 && left.unsigned_abs() < DAY && self.renewable == Some(false);
        let words = || {
            format!(
                "the token ends in {} and cannot be renewed: log in again before that",
                span(left.unsigned_abs())
            )
        };
        ends_soon.then(words)
    }
}

/// Whose login it is: `you@example.org (plus)`, in words that do no harm.
pub fn whose(token: &Token) -> String {
    text::harmless(&text::one_line(&describe(token))).into_owned()
}

fn pays(token: &Token) -> String {
    match (&token.email, &token.account_id) {
        (None, None) => {
            "whoever the token belongs to pays; it does not say who that is".to_string()
        }
        _ => format!("the ChatGPT account {} pays", whose(token)),
    }
}

/// A span of time in its two largest units: `3 days 4 h`, `1 h 52 min`, `40 s`.
pub fn span(seconds: u64) -> String {
    let two = |count: u64, unit: &str, rest: u64, small: &str| match rest {
        0 => format!("{count} {unit}"),
        rest => format!("{count} {unit} {rest} {small}"),
    };
    match seconds {
        DAY.. => {
            let days = seconds / DAY;
            let unit = if days == 1 { "day" } else { "days" };
            two(days, unit, seconds % DAY / HOUR, "h")
        }
        HOUR.. => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "min"),
        MINUTE.. => format!("{} min", seconds / MINUTE),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_span_has_its_two_largest_units() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (6_720, "1 h 52 min"),
            (86_400, "1 day"),
            (273_600, "3 days 4 h"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }

    /// A file whose token ends so far from now; with something to renew it or without.
    #[track_caller]
    fn check(left: i64, refresh: &str, usable: bool, until: &str, has_warning: bool) {
        let now = 1_767_225_600_u64;
        let at = now.saturating_add_signed(left);
        let text = format!(
            r#"{{"tokens":{{"access_token":"a","expires_at":{at},"refresh_token":"{refresh}"}}}}"#
        );
        let credential = Credential::parse(Path::new("f"), text.as_bytes()).unwrap();
        let standing = Standing::of_file("codex", &credential, now);
        assert_eq!(standing.is_usable(), usable);
        assert_eq!(standing.until(), until);
        assert_eq!(standing.warning().is_some(), has_warning);
        assert_eq!(standing.seconds_left, Some(left));
    }

    #[test]
    fn a_login_is_good_as_long_as_it_lives_or_can_be_renewed() {
        let day = 86_400;
        check(
            day,
            "",
            true,
            "until 2026-01-02T00:00:00Z, 1 day from now; cannot be renewed",
            false,
        );
        check(
            day - 1,
            "",
            true,
            "until 2026-01-01T23:59:59Z, 23 h 59 min from now; cannot be renewed",
            true,
        );
        check(
            60,
            "r",
            true,
            "until 2026-01-01T00:01:00Z, 1 min from now; renewed by itself",
            false,
        );
        check(
            -3_600,
            "r",
            true,
            "expired at 2025-12-31T23:00:00Z, 1 h ago; renewed by itself",
            false,
        );
        check(
            0,
            "",
            false,
            "expired at 2026-01-01T00:00:00Z, 0 s ago; cannot be renewed",
            false,
        );
    }

    #[test]
    fn who_pays_is_said_without_harm() {
        let text = br#"{"tokens":{"access_token":"a","account_id":"acc"}}"#;
        let mut token = Credential::parse(Path::new("f"), text).unwrap().token;
        assert_eq!(pays(&token), "the ChatGPT account acc pays");
        token.email = Some("a\u{1b}[2J\nb@example.org".into());
        token.plan = Some("plus".into());
        assert_eq!(
            pays(&token),
            "the ChatGPT account a [2J b@example.org (plus) pays"
        );
        (token.email, token.account_id) = (None, None);
        assert!(pays(&token).contains("does not say who"));
    }
}
