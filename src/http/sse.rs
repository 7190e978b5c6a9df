//! Server-sent events (WHATWG HTML, "Server-sent events", section 9.2.6), fed as the bytes come.
//!
//! A line ends with LF, CR or CRLF; an empty one ends an event. What stands before the end of the
//! stream without an empty line is given out by [`Parser::finish`] alone. Reconnecting is the
//! caller's, who may use `id` and `retry_ms` for it. Every byte is looked at once, however small
//! the pieces are, and an event lies in memory that the next one uses again: an answer has some
//! hundred thousand of them.

use std::borrow::Cow;
use std::mem;

use super::Error;
use super::parse_digits;

/// The last event of an answer may repeat all of it, with an image of some megabytes in it.
const EVENT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// One event of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its `event` field; `None` means a "message".
    pub name: Option<&'a str>,
    /// Its `data` lines, joined with line feeds; bytes that are not UTF-8 are replaced.
    pub data: &'a str,
    /// The last `id` of the stream so far: it stays until another one comes.
    pub id: &'a str,
    /// The reconnection time, if the stream set one since the event before.
    pub retry_ms: Option<u64>,
}

/// An event stream that is being read.
#[derive(Debug, Default)]
pub struct Parser {
    /// The line that is not whole yet.
    line: Vec<u8>,
    /// The last line ended with a CR. A LF that comes next belongs to that end.
    after_cr: bool,
    /// The first line was read; only before it may a byte order mark stand.
    has_begun: bool,
    name: String,
    data: String,
    /// The event has a data field, if only an empty one: one without is not given out.
    has_data: bool,
    /// The event was given out; the next line begins another one.
    is_given: bool,
    id: String,
    retry_ms: Option<u64>,
}

impl Parser {
    /// At the start of a stream.
    pub fn new() -> Parser {
        Parser::default()
    }

    /// Takes bytes off the front of `input` up to the end of an event, and returns that event; all
    /// of `input` and nothing if none ends there.
    ///
    /// A line is taken as ended at its CR, without waiting for the LF that may follow. Fails only
    /// on an event without end.
    pub fn feed(&mut self, input: &mut &[u8]) -> Result<Option<Event<'_>>, Error> {
        if mem::take(&mut self.is_given) {
            self.begin_event();
        }
        while let Some(&first) = input.first() {
            if mem::take(&mut self.after_cr) && first == b'\n' {
                *input = &input[1..];
                continue;
            }
            let end = line_end(input);
            let piece = &input[..end.unwrap_or(input.len())];
            self.check_size(piece)?;
            let Some(end) = end else {
                self.line.extend_from_slice(piece);
                *input = &[];
                break;
            };
            self.after_cr = input[end] == b'\r';
            *input = &input[end + 1..];
            if self.end_line(piece) == Line::EndsEvent {
                return Ok(Some(self.give_event()));
            }
        }
        Ok(None)
    }

    /// The event that stands at the end of a whole stream without the empty line: the standard
    /// drops it, and servers that write so mean it.
    pub fn finish(&mut self) -> Option<Event<'_>> {
        if mem::take(&mut self.is_given) {
            self.begin_event();
        }
        let line = mem::take(&mut self.line);
        if !line.is_empty() && self.take_line(&line) == Line::EndsEvent {
            return Some(self.give_event());
        }
        self.has_data.then(|| self.give_event())
    }

    fn check_size(&self, piece: &[u8]) -> Result<(), Error> {
        if self.data.len() + self.line.len() + piece.len() > EVENT_BYTES_MAX {
            return Err(Error::TooMany {
                what: "bytes in an event",
                limit: EVENT_BYTES_MAX,
            });
        }
        Ok(())
    }

    /// Takes the rest of a line, whose beginning may have come before.
    fn end_line(&mut self, rest: &[u8]) -> Line {
        if self.line.is_empty() {
            return self.take_line(rest);
        }
        let mut line = mem::take(&mut self.line);
        line.extend_from_slice(rest);
        let taken = self.take_line(&line);
        // Its memory serves the next line that comes in pieces.
        line.clear();
        self.line = line;
        taken
    }

    fn take_line(&mut self, line: &[u8]) -> Line {
        let line = match mem::replace(&mut self.has_begun, true) {
            true => line,
            false => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
        };
        if line.is_empty() {
            if self.has_data {
                return Line::EndsEvent;
            }
            self.begin_event();
            return Line::Taken;
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let (field, value) = match colon {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, [].as_slice()),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => self.take_data(value),
            b"event" => replace(&mut self.name, value),
            b"id" if !value.contains(&0) => replace(&mut self.id, value),
            b"retry" => self.retry_ms = parse_digits(value).or(self.retry_ms),
            // A comment (nothing before the colon), or a field that nobody defined.
            _ => {}
        }
        Line::Taken
    }

    fn take_data(&mut self, value: &[u8]) {
        if mem::replace(&mut self.has_data, true) {
            self.data.push('\n');
        }
        self.data.push_str(&text(value));
    }

    fn give_event(&mut self) -> Event<'_> {
        self.is_given = true;
        let retry_ms = self.retry_ms.take();
        Event {
            name: Some(self.name.as_str()).filter(|name| !name.is_empty()),
            data: &self.data,
            id: &self.id,
            retry_ms,
        }
    }

    fn begin_event(&mut self) {
        self.name.clear();
        self.data.clear();
        self.has_data = false;
    }
}

/// What a line was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Part of an event, or of none.
    Taken,
    /// The end of one that is to be given out.
    EndsEvent,
}

fn replace(field: &mut String, value: &[u8]) {
    field.clear();
    field.push_str(&text(value));
}

/// Where the first line ends. Few bytes are below 14, as both ends are, so eight are asked at once.
fn line_end(input: &[u8]) -> Option<usize> {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let (words, rest) = input.as_chunks::<8>();
    for (word, at) in words.iter().zip((0..).step_by(8)) {
        if has_below_14(u64::from_ne_bytes(*word))
            && let Some(end) = word.iter().position(is_end)
        {
            return Some(at + end);
        }
    }
    let end = rest.iter().position(is_end)?;
    Some(input.len() - rest.len() + end)
}

/// Whether one of the eight bytes of `word` is less than 14: only such a one borrows from its high
/// bit without having had it (Warren, Hacker's Delight, 6-1).
fn has_below_14(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH_BITS: u64 = ONES << 7;
    word.wrapping_sub(ONES * 14) & !word & HIGH_BITS != 0
}

/// Bytes that are not UTF-8 are replaced; asking first is much cheaper where there are none.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// An event with memory of its own.
#[derive(Debug, PartialEq, Eq)]
struct Owned {
    name: Option<String>,
    data: String,
    id: String,
    retry_ms: Option<u64>,
}

impl Owned {
    fn of(event: Event<'_>) -> Owned {
        Owned {
            name: event.name.map(str::to_string),
            data: event.data.to_string(),
            id: event.id.to_string(),
            retry_ms: event.retry_ms,
        }
    }
}

/// What must hold for any stream: however it is cut it holds the same events, and a reader that has
/// all of it at hand, with the end that may be missing, finds those, too.
pub fn fuzz_events(input: &[u8]) {
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut parser = Parser::new();
        let mut events = Vec::new();
        for mut piece in pieces {
            loop {
                match parser.feed(&mut piece) {
                    Ok(Some(event)) => events.push(Owned::of(event)),
                    Ok(None) => break,
                    Err(error) => return (events, Some(error)),
                }
            }
        }
        events.extend(parser.finish().map(Owned::of));
        (events, None)
    };
    let whole = read(&mut [input].into_iter());
    assert_eq!(whole, read(&mut input.chunks(1)));
    assert_eq!(whole, read(&mut input.chunks(3)));
    if whole.1.is_none() {
        assert_eq!(whole.0, naive(&[input, b"\n\n"].concat()));
    }
}

/// The standard by its letter, with the whole stream as one text.
fn naive(input: &[u8]) -> Vec<Owned> {
    let text = String::from_utf8_lossy(input);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = text.split('\n').collect();
    // What no line end follows is no line.
    lines.pop();
    let (mut name, mut id, mut retry_ms) = ("", "", None);
    let mut data: Vec<&str> = Vec::new();
    let mut events = Vec::new();
    for line in lines {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() => {
                if !data.is_empty() {
                    events.push(Owned {
                        name: Some(name)
                            .filter(|name| !name.is_empty())
                            .map(str::to_owned),
                        data: data.join("\n"),
                        id: id.into(),
                        retry_ms: retry_ms.take(),
                    });
                }
                name = "";
                data.clear();
            }
            "data" => data.push(value),
            "event" => name = value,
            "id" if !value.contains('\0') => id = value,
            "retry" if !value.contains('+') => retry_ms = value.parse().ok().or(retry_ms),
            _ => {}
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mutants::mutants;
    use crate::http::cuts;

    fn parse(pieces: &[&[u8]]) -> Vec<Owned> {
        let mut parser = Parser::new();
        let mut events = Vec::new();
        for mut piece in pieces.iter().copied() {
            while let Some(event) = parser.feed(&mut piece).expect("a stream within the limit") {
                events.push(Owned::of(event));
            }
            assert!(piece.is_empty(), "what holds no event is eaten");
        }
        events
    }

    /// Parses `input` in every cut; each must give the same events.
    #[track_caller]
    fn parse_cut(input: &[u8]) -> Vec<Owned> {
        let whole = parse(&[input]);
        for pieces in cuts(input) {
            assert_eq!(parse(&pieces), whole, "{}", input.escape_ascii());
        }
        whole
    }

    #[track_caller]
    fn check_data(input: &[u8], expected: &[&str]) {
        let events = parse_cut(input);
        let found: Vec<&str> = events.iter().map(|event| event.data.as_str()).collect();
        assert_eq!(found, expected, "{}", input.escape_ascii());
    }

    /// Name, id and retry time of each event.
    #[track_caller]
    fn check_rest(input: &str, expected: &[(Option<&str>, &str, Option<u64>)]) {
        let events = parse_cut(input.as_bytes());
        let found: Vec<_> = events
            .iter()
            .map(|event| (event.name.as_deref(), event.id.as_str(), event.retry_ms))
            .collect();
        assert_eq!(found, expected, "{input:?}");
    }

    #[test]
    fn data_lines_are_joined_and_lose_one_space() {
        check_data(b"data: a\n\n", &["a"]);
        check_data(b"data:a\n\ndata:  b \n\n", &["a", " b "]);
        check_data(b"data: a\ndata\ndata:b\ndata:\n\n", &["a\n\nb\n"]);
        check_data(b"data: {\"a\": \"b:c\"}\n\n", &["{\"a\": \"b:c\"}"]);
        check_data(b"data:\ta\n\n", &["\ta"]);
        check_data(b"data: a\0b\n\n", &["a\0b"]);
    }

    #[test]
    fn an_empty_data_field_makes_an_event_and_none_makes_none() {
        check_data(b"data\n\n", &[""]);
        check_data(b"data:\n\ndata: \n\n", &["", ""]);
        check_data(b"data\ndata\n\n", &["\n"]);
        check_data(b"event: a\nid: 1\n\n\n\n", &[]);
    }

    #[test]
    fn lines_end_in_three_ways() {
        check_data(b"data: a\r\ndata: b\r\n\r\n", &["a\nb"]);
        check_data(b"data: a\rdata: b\r\r", &["a\nb"]);
        check_data(b"data: a\r\n\ndata: b\n\r\n", &["a", "b"]);
        check_data(b"data: a\n\rdata: b\r\n\r", &["a", "b"]);
        check_data(b"data: a\r\r\ndata: b\r\n\r\n", &["a", "b"]);
        check_data(b"data: a\x0b\x0c\xc2\x85\n\n", &["a\u{b}\u{c}\u{85}"]);
    }

    #[test]
    fn the_end_of_a_line_is_found_wherever_it_is() {
        for length in 0..40 {
            for other in [b'x', 0, 0x0b, 0x0c, 0x8a, 0x8d, 0xff] {
                let mut line = vec![other; length];
                assert_eq!(line_end(&line), None);
                line.extend_from_slice(b"\rxxxxxxxxx\n");
                assert_eq!(line_end(&line), Some(length));
            }
        }
    }

    #[test]
    fn other_fields_and_comments_are_skipped() {
        check_data(
            b": hello\n:\ndata: a\n:data: b\nnothing\nfoo: bar\n\n",
            &["a"],
        );
        check_data(b"DATA: a\n data: b\ndata : c\ndatas: d\n\n", &[]);
    }

    #[test]
    fn an_unfinished_event_is_dropped() {
        check_data(b"data: a\n\ndata: b", &["a"]);
        check_data(b"data: a\n\ndata: b\n", &["a"]);
        check_data(b"data: a", &[]);
        check_data(b"", &[]);
    }

    #[test]
    fn one_byte_order_mark_is_skipped() {
        check_data(b"\xef\xbb\xbfdata: a\n\n", &["a"]);
        check_data(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", &["b"]);
        check_data(b"\n\xef\xbb\xbfdata: a\n\n", &[]);
        check_data(b"\xef\xbbdata: a\n\n", &[]);
        check_data(b"data: \xef\xbb\xbfa\n\n", &["\u{feff}a"]);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        check_data(
            "data: \u{20ac}\u{1f600}\n\n".as_bytes(),
            &["\u{20ac}\u{1f600}"],
        );
        check_data(b"data: a\xffb\xe2\x82\n\n", &["a\u{fffd}b\u{fffd}"]);
        check_data(b"data: \xe2\x82\ndata: \xac\n\n", &["\u{fffd}\n\u{fffd}"]);
        // One mark for each longest beginning of a character (WHATWG Encoding, UTF-8 decoder).
        check_data(b"data: \xf0\x9f\x98\xe2\x82\xac\n\n", &["\u{fffd}\u{20ac}"]);
        check_data(b"data: \xed\xa0\x80\xc0\x80\n\n", &[&"\u{fffd}".repeat(5)]);
        check_data(b"data: \xf4\x90\x80\x80\n\n", &[&"\u{fffd}".repeat(4)]);
    }

    #[test]
    fn a_name_lasts_for_one_event_and_an_id_until_the_next() {
        check_rest(
            "event: a\ndata\n\ndata\n\n",
            &[(Some("a"), "", None), (None, "", None)],
        );
        check_rest("event: a\nevent:b\ndata\n\n", &[(Some("b"), "", None)]);
        check_rest("event: a\nevent\ndata\n\n", &[(None, "", None)]);
        check_rest("event: a\n\ndata\n\n", &[(None, "", None)]);
        check_rest(
            "id: 1\ndata\n\ndata\n\n",
            &[(None, "1", None), (None, "1", None)],
        );
        check_rest("id: 1\n\nid\ndata\n\n", &[(None, "", None)]);
        check_rest("id: 1\n\ndata\n\n", &[(None, "1", None)]);
        check_rest("id: 1\nid: 2\0\ndata\n\n", &[(None, "1", None)]);
    }

    #[test]
    fn a_retry_time_is_digits() {
        check_rest(
            "retry: 30\ndata\n\ndata\n\n",
            &[(None, "", Some(30)), (None, "", None)],
        );
        check_rest("retry: 30\n\ndata\n\n", &[(None, "", Some(30))]);
        check_rest(
            "retry:007\nretry:x\nretry\ndata\n\n",
            &[(None, "", Some(7))],
        );
        for value in [
            "",
            "+1",
            "-1",
            "1.5",
            "1 ",
            " 1",
            "1s",
            "99999999999999999999",
        ] {
            check_rest(&format!("retry: {value}\ndata\n\n"), &[(None, "", None)]);
        }
    }

    #[test]
    fn an_event_without_end_is_an_error_and_costs_no_more_than_its_bytes() {
        #[track_caller]
        fn check(line: &[u8]) {
            let mut parser = Parser::new();
            let first = parser.feed(&mut b"data: a\n\n".as_slice()).unwrap();
            assert!(first.is_some());
            let mut results = (0..40_000).map(|_| parser.feed(&mut &*line).map(|_| ()));
            let error = results.find_map(Result::err).expect("a limit");
            assert_eq!(
                error.to_string(),
                "too many bytes in an event, the limit is 33554432"
            );
        }
        check(&[b'x'; 1_000]);
        check(&[b"data: ".as_slice(), &[b'x'; 1_000], b"\n"].concat());
    }
    #[test]
    fn a_damaged_stream_is_read_alike_in_every_cut_and_by_a_naive_reader() {
        let fixture =
            "\u{feff}event: a\r\nid:1\ndata: b\rdata\r\n\r\n: c\nretry: 20\ndata:\u{fc}\n\n";
        assert_eq!(parse(&[fixture.as_bytes()]).len(), 2);
        mutants(fixture.as_bytes()).for_each(|stream| fuzz_events(&stream));
    }
}
