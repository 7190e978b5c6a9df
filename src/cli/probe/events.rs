//! The events of a stream as JSON lines, one each, and a last line that says how it ended.

use super::report::Failure;
use crate::http;
use crate::http::head::ResponseHead;
use crate::http::sse::Parser;
use crate::net::Error;
use serde::Serialize;

/// The line of an event. The order of the fields is the order in which they are written.
#[derive(Serialize)]
struct Line<'a> {
    event: Option<&'a str>,
    data: &'a str,
    /// The last id of the stream, empty before the first.
    id: &'a str,
    /// Milliseconds, if the stream set them since the event before.
    retry: Option<u64>,
}

/// The line after the last event.
#[derive(Serialize)]
struct End {
    end: &'static str,
    error: Option<Failure>,
}

/// A stream that is being told.
#[derive(Default)]
pub struct Events {
    parser: Parser,
    has_any: bool,
}

impl Events {
    /// Appends the lines of the events that are now whole to `lines`. Those before a failure are
    /// good.
    pub fn feed(&mut self, mut bytes: &[u8], lines: &mut Vec<u8>) -> Result<(), http::Error> {
        while let Some(event) = self.parser.feed(&mut bytes)? {
            self.has_any = true;
            let line = Line {
                event: event.name,
                data: event.data,
                id: event.id,
                retry: event.retry_ms,
            };
            push_line(&line, lines);
        }
        Ok(())
    }

    /// Why no event came, if the head of the answer tells.
    pub fn doubt(&self, head: &ResponseHead) -> Option<String> {
        let kind = head.headers.first("content-type").unwrap_or("no type");
        let is_stream =
            head.status == 200 && kind.to_ascii_lowercase().starts_with("text/event-stream");
        if self.has_any || is_stream {
            return None;
        }
        let (status, reason) = (head.status, &head.reason);
        let status = format!("{status} {reason}");
        Some(format!(
            "the answer is no event stream: {}, {kind}",
            status.trim_end()
        ))
    }
}

/// How the stream ended.
pub fn last_line(error: Option<&Error>) -> Vec<u8> {
    let mut line = Vec::new();
    let end = End {
        end: if error.is_none() { "eof" } else { "error" },
        error: error.map(Failure::of),
    };
    push_line(&end, &mut line);
    line
}

fn push_line(line: &impl Serialize, lines: &mut Vec<u8>) {
    serde_json::to_writer(&mut *lines, line).expect("texts and numbers always have a JSON form");
    lines.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::Headers;

    #[track_caller]
    fn check(stream: &str, expected: &[&str]) {
        let mut events = Events::default();
        let mut lines = Vec::new();
        for byte in stream.as_bytes() {
            events.feed(&[*byte], &mut lines).unwrap();
        }
        let lines = String::from_utf8(lines).unwrap();
        assert_eq!(lines.lines().collect::<Vec<_>>(), expected, "{stream:?}");
    }

    #[test]
    fn each_event_is_a_line() {
        check(
            "data: a\n\nid: 7\nevent: e\nretry: 20\ndata: b\ndata: \"c\"\n\n\
             data: d\n\ndata: torn\n",
            &[
                r#"{"event":null,"data":"a","id":"","retry":null}"#,
                r#"{"event":"e","data":"b\n\"c\"","id":"7","retry":20}"#,
                r#"{"event":null,"data":"d","id":"7","retry":null}"#,
            ],
        );
        check(": only a comment\n\n", &[]);
    }

    #[test]
    fn the_last_line_says_how_it_ended() {
        let text = |error: Option<&Error>| String::from_utf8(last_line(error)).unwrap();
        assert_eq!(text(None), "{\"end\":\"eof\",\"error\":null}\n");
        let error = Error::Timeout {
            host: "h".into(),
            limit: "IDLE_TIMEOUT",
        };
        assert_eq!(
            text(Some(&error)),
            "{\"end\":\"error\",\"error\":{\"kind\":\"timeout\",\
             \"message\":\"h took longer than IDLE_TIMEOUT allows\"}}\n"
        );
    }

    #[test]
    fn a_page_in_place_of_a_stream_is_said() {
        let head = |status: u16, kind: &str| {
            let mut headers = Headers::new();
            headers.push("Content-Type", kind);
            ResponseHead {
                status,
                reason: String::new(),
                minor: 1,
                headers,
            }
        };
        let mut events = Events::default();
        let stream = head(200, "text/event-stream; charset=utf-8");
        assert_eq!(events.doubt(&stream), None);
        assert_eq!(
            events.doubt(&head(404, "text/html")).as_deref(),
            Some("the answer is no event stream: 404, text/html")
        );
        events.feed(b"data: a\n\n", &mut Vec::new()).unwrap();
        assert_eq!(events.doubt(&head(200, "text/plain")), None);
    }
}
