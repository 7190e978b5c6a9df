//! Time as a value: the one place that reads the clock, and deadlines that know their setting.
//!
//! A wait is given a [`Deadline`] where the call starts; what runs out says which setting it was.

use std::fmt;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

/// The monotonic clock.
pub fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970 (UTC); 0 on a machine whose clock stands before that.
pub fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// When a wait ends, and the name of the limit that ends it.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Option<Instant>,
    limit: &'static str,
}

impl Deadline {
    /// Over after `wait`. `limit` is the setting or constant, as the user knows it.
    pub fn after(wait: Duration, limit: &'static str) -> Deadline {
        // A wait too long for the clock is one that never ends.
        Deadline {
            at: now().checked_add(wait),
            limit,
        }
    }

    /// Never over: for waits that a person or a signal ends.
    pub fn never() -> Deadline {
        Deadline {
            at: None,
            limit: "",
        }
    }

    /// The name of the limit.
    pub fn limit(&self) -> &'static str {
        self.limit
    }

    /// Time left; `None` if it is never over, zero if it is over now.
    pub fn left(&self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(now()))
    }

    /// Whether the time is up.
    pub fn is_over(&self) -> bool {
        self.at.is_some_and(|at| at <= now())
    }

    /// The same, over later by so much.
    pub fn later(self, by: Duration) -> Deadline {
        Deadline {
            at: self.at.and_then(|at| at.checked_add(by)),
            limit: self.limit,
        }
    }

    /// Whichever of the two ends first.
    pub fn sooner(self, other: Deadline) -> Deadline {
        match (self.at, other.at) {
            (_, None) => self,
            (None, _) => other,
            (Some(mine), Some(theirs)) if mine <= theirs => self,
            _ => other,
        }
    }
}

/// A duration as people write it in settings: `500ms`, `90`, `90s`, `2m`, `1h`; bare is seconds.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits_end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: u64 = text[..digits_end].parse().ok()?;
    let millis = match &text[digits_end..] {
        "ms" => number,
        "" | "s" => number.checked_mul(1_000)?,
        "m" => number.checked_mul(60_000)?,
        "h" => number.checked_mul(3_600_000)?,
        _ => return None,
    };
    Some(Duration::from_millis(millis))
}

/// A duration for people: `12 ms`, `6.2 s`, `3 m 05 s`.
pub struct Spoken(pub Duration);

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        match millis {
            0..1_000 => write!(f, "{millis} ms"),
            1_000..60_000 => write!(f, "{}.{} s", millis / 1_000, millis % 1_000 / 100),
            _ => write!(f, "{} m {:02} s", millis / 60_000, millis / 1_000 % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        let got = parse_duration(text).map(|wait| wait.as_millis() as u64);
        assert_eq!(got, expected, "{text:?}");
    }

    #[test]
    fn durations_are_numbers_with_a_unit_and_bare_ones_are_seconds() {
        check("90", Some(90_000));
        check("90s", Some(90_000));
        check("2m", Some(120_000));
        check("1h", Some(3_600_000));
        check("500ms", Some(500));
        check("0", Some(0));
        for bad in [
            "",
            "s",
            "-1",
            "+1",
            "1.5s",
            "2 m",
            "1d",
            "99999999999999999999",
            "1M",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn the_sooner_deadline_keeps_its_name() {
        let long = Deadline::after(Duration::from_secs(9_000), "LONG");
        let short = Deadline::after(Duration::from_secs(1_000), "SHORT");
        assert_eq!(long.sooner(short).limit(), "SHORT");
        assert_eq!(short.sooner(long).limit(), "SHORT");
        assert_eq!(Deadline::never().sooner(long).limit(), "LONG");
        assert_eq!(long.sooner(Deadline::never()).limit(), "LONG");
        assert!(!Deadline::never().is_over());
        assert!(Deadline::after(Duration::ZERO, "NOW").is_over());
    }

    #[test]
    fn durations_are_spoken_in_the_unit_that_fits() {
        let spoken = |ms| Spoken(Duration::from_millis(ms)).to_string();
        assert_eq!(spoken(12), "12 ms");
        assert_eq!(spoken(6_240), "6.2 s");
        assert_eq!(spoken(185_000), "3 m 05 s");
    }
}
