//! Dates as text: unix seconds to RFC 3339 and back, and the dates of HTTP. UTC only, no clock.
//!
//! Days are counted with Howard Hinnant's civil-calendar formulas. Left out: other zones than UTC
//! when reading HTTP dates, leap seconds (read as the second before), years before 1970.

/// Seconds of a day.
const DAY_S: u64 = 86_400;

/// The names that HTTP dates are written with (RFC 9110 §5.6.7).
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `2026-11-22T09:55:00Z` (RFC 3339 §5.6).
pub fn rfc3339(unix_seconds: u64) -> String {
    // A year that does not fit into four digits is no date anyone means.
    let unix_seconds = unix_seconds.min(253_402_300_799);
    let (year, month, day) = civil(unix_seconds / DAY_S);
    let second = unix_seconds % DAY_S;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// Unix seconds of an RFC 3339 date; fractions of a second are dropped.
pub fn parse_rfc3339(text: &str) -> Option<u64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let zone_start = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at(zone_start);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let days = days(number(year, 4)?, number(month, 2)?, number(day, 2)?)?;
    let local = (days * DAY_S).checked_add(time_of_day(time)?)?;
    if zone.eq_ignore_ascii_case("z") {
        return Some(local);
    }
    let (hours, minutes) = zone[1..].split_once(':')?;
    let offset = number(hours, 2)? * 3_600 + number(minutes, 2)? * 60;
    if zone.starts_with('+') {
        local.checked_sub(offset)
    } else {
        local.checked_add(offset)
    }
}

/// Unix seconds of an HTTP date in the one form that is still written (RFC 9110 §5.6.7):
/// `Sun, 06 Nov 1994 08:49:37 GMT`. The two obsolete forms are `None`.
pub fn parse_http(text: &str) -> Option<u64> {
    let (_weekday, date) = text.trim().split_once(", ")?;
    let mut parts = date.split(' ');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let (time, zone) = (parts.next()?, parts.next()?);
    if zone != "GMT" || parts.next().is_some() {
        return None;
    }
    let month = (1..).zip(MONTHS).find(|(_, name)| *name == month)?.0;
    let days = days(number(year, 4)?, month, number(day, 2)?)?;
    (days * DAY_S).checked_add(time_of_day(time)?)
}

/// Seconds since midnight of `08:49:37`.
fn time_of_day(text: &str) -> Option<u64> {
    let mut parts = text.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let (hour, minute, second) = (number(hour, 2)?, number(minute, 2)?, number(second, 2)?);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(hour * 3_600 + minute * 60 + second.min(59))
}

/// Exactly `digits` digits. `str::parse` alone would take a sign.
fn number(text: &str, digits: usize) -> Option<u64> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; `None` before that, or for a day
/// that the month has not.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    // The year begins in March, so that the leap day is its last.
    let (shifted_year, shifted_month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let leap_days = shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    let days = shifted_year * 365 + leap_days + day_of_year - 719_468;
    (civil(days) == (year, month, day)).then_some(days)
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    // 400 years are 146,097 days.
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for seconds in (0..4_102_444_800).step_by(86_399 * 7) {
            assert_eq!(parse_rfc3339(&rfc3339(seconds)), Some(seconds), "{seconds}");
        }
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59Z");
    }

    #[track_caller]
    fn check_rfc3339(text: &str, expected: Option<u64>) {
        assert_eq!(parse_rfc3339(text), expected, "{text:?}");
    }

    #[test]
    fn other_programs_write_rfc3339_in_other_ways() {
        check_rfc3339("2026-01-01T00:00:00.123456789Z", Some(1_767_225_600));
        check_rfc3339("2026-01-01t02:30:00+02:30", Some(1_767_225_600));
        check_rfc3339("2025-12-31 23:00:00-01:00", Some(1_767_225_600));
        for bad in [
            "",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "+026-01-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00+é:00",
        ] {
            check_rfc3339(bad, None);
        }
    }

    #[test]
    fn http_dates_are_read() {
        let check = |text, expected| assert_eq!(parse_http(text), expected, "{text:?}");
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777));
        check("Sun, 06 Nov 1994 08:49:60 GMT", Some(784_111_799));
        for bad in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 31 Feb 2024 00:00:00 GMT",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "120",
        ] {
            check(bad, None);
        }
    }
}
