//! What a probe found out, as a page for a person: the way there, where the time went, the answer.
//!
//! Nothing that came from the network reaches a terminal unescaped, and no more of a body than can
//! be read; a pipe gets all of it. What is not text is never shown, only counted.

use super::ask::Answer;
use crate::base::clock;
use crate::base::date;
use crate::base::text;
use crate::cli::screen::Looks;
use crate::http::head::ResponseHead;
use crate::http::url::Url;
use crate::net::tls::Facts;
use crate::net::trace::Phase;
use crate::net::trace::Trace;
use crate::term::style::Style;
use std::borrow::Cow;
use std::time::Duration;

/// So much of a body fits on a screen below the head.
const BODY_LINES_MAX: usize = 40;

/// Forty lines of minified JavaScript are a megabyte; this is a screenful of it.
const BODY_CHARS_MAX: usize = 4_000;

/// A wider bar tells no more.
const BAR_COLUMNS_MAX: usize = 50;

/// What stands before a bar: indent, name, time, and the blanks around them.
const BAR_INDENT: usize = 2 + 10 + 1 + 9 + 2;

/// Seconds of a day.
const DAY_S: u64 = 86_400;

/// How the page will be seen.
pub struct Sight {
    /// What can be shown there.
    pub looks: Looks,
    /// Where it goes.
    pub room: Room,
}

/// Where a page goes, and so how much of the body may be on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// A terminal: a screenful, escaped.
    Terminal,
    /// A terminal whose user wants all of it: escaped.
    WholeTerminal,
    /// A file or a program: everything, as it came.
    Pipe,
}

/// Everything above the body.
pub fn top(method: &str, url: &Url, answer: &Answer, sight: &Sight) -> String {
    let mut page = String::new();
    let request = format!("{method} {url}");
    page.push_str(&Style::Bold.paint(&text::harmless(&request), sight.looks.palette));
    page.push('\n');
    for url in &answer.redirects {
        page.push_str(&format!("  redirected to {url}\n"));
    }
    for line in way(&answer.trace) {
        page.push_str(&format!("  {}\n", text::one_line(&line)));
    }
    page.push('\n');
    page.push_str(&chart(&rows(answer), answer.trace.total(), sight));
    if let Some(head) = &answer.head {
        page.push('\n');
        page.push_str(&status(head, sight));
        page.push_str(&fields(head.headers.iter(), sight));
    }
    if answer.trailers.iter().next().is_some() {
        page.push_str("\nafter the body:\n");
        page.push_str(&fields(answer.trailers.iter(), sight));
    }
    page
}

/// The body, or what is said in its place; nothing if there is none.
pub fn body<'a>(head: Option<&ResponseHead>, body: &'a [u8], sight: &Sight) -> Cow<'a, [u8]> {
    if body.is_empty() {
        return Cow::Borrowed(body);
    }
    let Some(text) = readable(head, body) else {
        let count = grouped(body.len());
        let line = format!("({count} bytes that are not text; `-q > FILE` keeps them)\n");
        return Cow::Owned(line.into_bytes());
    };
    let shown = match sight.room {
        Room::Pipe => return Cow::Borrowed(body),
        Room::WholeTerminal => Cow::Borrowed(text.as_ref()),
        Room::Terminal => beginning(&text),
    };
    // A carriage return at the end of a line is part of many texts and means nothing here.
    let shown = text::harmless(&shown.replace("\r\n", "\n")).into_owned();
    let end = if shown.ends_with('\n') { "" } else { "\n" };
    Cow::Owned(format!("{shown}{end}").into_bytes())
}

/// Whom we talked to, a line each.
fn way(trace: &Trace) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(proxy) = &trace.proxy {
        lines.push(format!("through the proxy {proxy}"));
    }
    for attempt in &trace.addresses {
        let outcome = attempt.error.as_deref().unwrap_or("connected");
        let (address, took) = (attempt.address, took(attempt.took));
        lines.push(format!("{address}: {outcome} after {took}"));
    }
    if let Some(facts) = &trace.tls {
        let resumed = if facts.resumed { ", resumed" } else { "" };
        lines.push(format!("{} with {}{resumed}", facts.version, facts.cipher));
        lines.push(certificate(facts, clock::unix_seconds()));
    }
    lines
}

fn certificate(facts: &Facts, now: u64) -> String {
    let (subject, issuer) = (&facts.subject, &facts.issuer);
    let date = date::rfc3339(facts.not_after);
    let date = date.split('T').next().unwrap_or_default();
    let left = match facts.not_after.checked_sub(now) {
        Some(left) => format!("{} days from now", left / DAY_S),
        None => "in the past".to_string(),
    };
    format!("certificate of {subject} by {issuer} until {date}, {left}")
}

/// What the chart shows: each phase, and after them the time in which the body came.
fn rows(answer: &Answer) -> Vec<(&'static str, Duration)> {
    let mut rows: Vec<(&str, Duration)> = Vec::new();
    for (phase, took) in answer.trace.phases() {
        let name = match phase {
            Phase::Resolve => "resolve",
            Phase::Connect => "connect",
            Phase::Proxy => "proxy",
            Phase::Tls => "tls",
            Phase::Request => "request",
            Phase::FirstByte => "first byte",
        };
        rows.push((name, took));
    }
    let known: Duration = rows.iter().map(|(_, took)| *took).sum();
    if !rows.is_empty() && answer.head.is_some() {
        let rest = answer.trace.total().saturating_sub(known);
        rows.push(("body", rest));
    }
    rows
}

/// A line for each row, its bar beginning where the one above ends, and a line for the total.
fn chart(rows: &[(&str, Duration)], total: Duration, sight: &Sight) -> String {
    let width = sight.looks.columns.saturating_sub(BAR_INDENT);
    let width = width.clamp(1, BAR_COLUMNS_MAX);
    let cell = if sight.looks.unicode { "\u{2588}" } else { "#" };
    let mut chart = String::new();
    let mut before = Duration::ZERO;
    for (name, time) in rows {
        let (start, length) = span(before, *time, total, width);
        let bar = format!("{}{}", " ".repeat(start), cell.repeat(length));
        chart.push_str(&format!("  {name:10} {:>9}  {bar}\n", took(*time)));
        before += *time;
    }
    chart.push_str(&format!("  {:10} {:>9}\n", "total", took(total)));
    chart
}

/// Where on a bar of `width` cells a phase stands: the cells before it and its own. Each has at
/// least one, so that none is overlooked.
fn span(before: Duration, took: Duration, total: Duration, width: usize) -> (usize, usize) {
    let total = total.as_nanos().max(1);
    let cells = |time: Duration| {
        let cells = time.as_nanos().saturating_mul(width as u128) / total;
        usize::try_from(cells).unwrap_or(width).min(width)
    };
    let start = cells(before).min(width.saturating_sub(1));
    let end = cells(before.saturating_add(took)).max(start + 1);
    (start, end - start)
}

/// `0.4 ms`, `12.3 ms`, `6.24 s`: fine enough for loopback, where all is below a millisecond.
fn took(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..1_000 => format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10),
        1_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => format!(
            "{}.{:02} s",
            micros / 1_000_000,
            micros % 1_000_000 / 10_000
        ),
    }
}

fn status(head: &ResponseHead, sight: &Sight) -> String {
    let line = format!("HTTP/1.{} {} {}", head.minor, head.status, head.reason);
    let style = match head.status {
        400.. => Style::Red,
        _ => Style::Bold,
    };
    format!(
        "{}\n",
        style.paint(&text::one_line(&line), sight.looks.palette)
    )
}

fn fields<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>, sight: &Sight) -> String {
    let mut lines = String::new();
    for (name, value) in fields {
        lines.push_str(&Style::Dim.paint(name, sight.looks.palette));
        lines.push_str(&format!(": {}\n", text::harmless(value)));
    }
    lines
}

/// The body as text, if it is that: UTF-8, perhaps torn at its end, or what its sender calls text.
fn readable<'a>(head: Option<&ResponseHead>, body: &'a [u8]) -> Option<Cow<'a, str>> {
    if body.contains(&0) {
        return None;
    }
    let kind = head.and_then(|head| head.headers.first("content-type"));
    let is_called_text = kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/"));
    match str::from_utf8(body) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(error) if error.error_len().is_none() || is_called_text => {
            Some(String::from_utf8_lossy(body))
        }
        Err(_) => None,
    }
}

/// What fits on a screen, and a line that says how much there is if that is not all.
fn beginning(text: &str) -> Cow<'_, str> {
    let lines_end = text.match_indices('\n').nth(BODY_LINES_MAX - 1);
    let lines_end = lines_end.map_or(text.len(), |(at, _)| at + 1);
    let chars_end = text.char_indices().nth(BODY_CHARS_MAX);
    let chars_end = chars_end.map_or(text.len(), |(at, _)| at);
    let end = lines_end.min(chars_end);
    if end == text.len() {
        return Cow::Borrowed(text);
    }
    let shown = text[..end].trim_end_matches(['\n', '\r']);
    let count = grouped(text.len());
    Cow::Owned(format!(
        "{shown}\n(the beginning of {count} bytes; `-q` prints all)"
    ))
}

/// `1,234,567`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests;
