//! Server-sent events (WHATWG HTML, "Server-sent events", section 9.2.6), fed as the bytes come.
//!
//! A line ends with LF, CR or CRLF; an empty one ends an event. What stands before the end of the
//! stream without an empty line is never given out. Reconnecting is the caller's, who may use
//! `id` and `retry_ms` for it. Every byte is looked at once, however small the pieces are.

use std::borrow::Cow;
use std::mem;
use std::sync::Arc;

use super::Error;
use super::parse_digits;

/// The last event of an answer may repeat all of it, with an image of some megabytes in it.
const EVENT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its `event` field; `None` means a "message".
    pub name: Option<String>,
    /// Its `data` lines, joined with line feeds; bytes that are not UTF-8 are replaced.
    pub data: String,
    /// The last `id` of the stream so far: it stays until another one comes.
    /// Shared: a stream may name a long one once and send a million events after it.
    pub id: Arc<str>,
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
    /// `None` until the event has a data field: one without is not given out.
    data: Option<String>,
    id: Arc<str>,
    retry_ms: Option<u64>,
}

impl Parser {
    /// At the start of a stream.
    pub fn new() -> Parser {
        Parser::default()
    }

    /// Eats all of `input` and appends the events that are now whole to `out`.
    ///
    /// A line is taken as ended at its CR, without waiting for the LF that may follow. Fails only
    /// on an event without end; those given out before are good.
    pub fn feed(&mut self, mut input: &[u8], out: &mut Vec<Event>) -> Result<(), Error> {
        while !input.is_empty() {
            if mem::take(&mut self.after_cr) && input[0] == b'\n' {
                input = &input[1..];
                continue;
            }
            let end = line_end(input);
            let piece = &input[..end.unwrap_or(input.len())];
            self.check_size(piece)?;
            let Some(end) = end else {
                self.line.extend_from_slice(piece);
                return Ok(());
            };
            self.after_cr = input[end] == b'\r';
            input = &input[end + 1..];
            if self.line.is_empty() {
                self.take_line(piece, out);
            } else {
                let mut line = mem::take(&mut self.line);
                line.extend_from_slice(piece);
                self.take_line(&line, out);
                // Its memory serves the next line that comes in pieces.
                line.clear();
                self.line = line;
            }
        }
        Ok(())
    }

    fn check_size(&self, piece: &[u8]) -> Result<(), Error> {
        let data_bytes = self.data.as_ref().map_or(0, String::len);
        if data_bytes + self.line.len() + piece.len() > EVENT_BYTES_MAX {
            return Err(Error::TooMany {
                what: "bytes in an event",
                limit: EVENT_BYTES_MAX,
            });
        }
        Ok(())
    }

    fn take_line(&mut self, line: &[u8], out: &mut Vec<Event>) {
        let line = match mem::replace(&mut self.has_begun, true) {
            true => line,
            false => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
        };
        if line.is_empty() {
            return self.end_event(out);
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let (field, value) = match colon {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, [].as_slice()),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => self.take_data(value),
            b"event" => self.name = text(value).into_owned(),
            b"id" if !value.contains(&0) => self.id = text(value).into(),
            b"retry" => self.retry_ms = parse_digits(value).or(self.retry_ms),
            // A comment (nothing before the colon), or a field that nobody defined.
            _ => {}
        }
    }

    fn take_data(&mut self, value: &[u8]) {
        let value = text(value);
        match &mut self.data {
            Some(data) => {
                data.push('\n');
                data.push_str(&value);
            }
            None => self.data = Some(value.into_owned()),
        }
    }

    fn end_event(&mut self, out: &mut Vec<Event>) {
        let name = mem::take(&mut self.name);
        let Some(data) = self.data.take() else {
            return;
        };
        out.push(Event {
            name: Some(name).filter(|name| !name.is_empty()),
            data,
            id: self.id.clone(),
            retry_ms: self.retry_ms.take(),
        });
    }
}

/// Where the first line ends. Few bytes are an end, so eight are asked at once.
fn line_end(input: &[u8]) -> Option<usize> {
    let (words, _) = input.as_chunks::<8>();
    let has_none = |word: &&[u8; 8]| {
        let word = u64::from_ne_bytes(**word);
        !has_byte(word, b'\n') && !has_byte(word, b'\r')
    };
    let before = 8 * words.iter().take_while(has_none).count();
    let rest = input[before..].iter();
    let end = rest.copied().position(|byte| matches!(byte, b'\n' | b'\r'));
    end.map(|end| before + end)
}

/// Whether one of the eight bytes of `word` is `byte`: after the exclusive or it is 0, and only a
/// byte of 0 borrows from its high bit without having had it (Warren, Hacker's Delight, 6-1).
fn has_byte(word: u64, byte: u8) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH_BITS: u64 = ONES << 7;
    let zero_where_found = word ^ (ONES * u64::from(byte));
    zero_where_found.wrapping_sub(ONES) & !zero_where_found & HIGH_BITS != 0
}

/// Bytes that are not UTF-8 are replaced; asking first is much cheaper where there are none.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// What must hold for any stream: however it is cut it holds the same events, and a reader that has
/// all of it at hand finds those, too.
pub fn fuzz_events(input: &[u8]) {
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut parser = Parser::new();
        let mut events = Vec::new();
        let mut fed = pieces.map(|piece| parser.feed(piece, &mut events));
        let error = fed.find_map(Result::err);
        drop(fed);
        (events, error)
    };
    let whole = read(&mut [input].into_iter());
    assert_eq!(whole, read(&mut input.chunks(1)));
    assert_eq!(whole, read(&mut input.chunks(3)));
    if whole.1.is_none() {
        assert_eq!(whole.0, naive(input));
    }
}

/// The standard by its letter, with the whole stream as one text.
fn naive(input: &[u8]) -> Vec<Event> {
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
                    events.push(Event {
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

    fn parse(pieces: &[&[u8]]) -> Vec<Event> {
        let mut parser = Parser::new();
        let mut events = Vec::new();
        for piece in pieces {
            parser
                .feed(piece, &mut events)
                .expect("a stream within the limit");
        }
        events
    }

    /// Parses `input` in every cut; each must give the same events.
    #[track_caller]
    fn parse_cut(input: &[u8]) -> Vec<Event> {
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
        let rest = |event: &Event| (event.name.clone(), event.id.clone(), event.retry_ms);
        let found: Vec<_> = events.iter().map(rest).collect();
        let found: Vec<_> = found
            .iter()
            .map(|(n, i, r)| (n.as_deref(), &**i, *r))
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
            let mut events = Vec::new();
            parser.feed(b"data: a\n\n", &mut events).unwrap();
            let mut results = (0..40_000).map(|_| parser.feed(line, &mut events));
            let error = results.find_map(Result::err).expect("a limit");
            assert_eq!(
                error.to_string(),
                "too many bytes in an event, the limit is 33554432"
            );
            assert_eq!(events.len(), 1);
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
