//! The server's half of HTTP/1.1, as far as our own servers on loopback need it: the demo, the
//! replay of a recording, the answer to a login in a browser.
//!
//! A request line is read strictly (RFC 9112 §3), since nothing but a program or a browser of this
//! machine writes it; fields are read as those of an answer are, and a chunked request body is
//! refused. Not here: `Expect`, ranges, CORS.

use super::Error;
use super::body::content_length;
use super::head::Fields;
use super::head::Headers;
use super::head::is_token;

/// What stands before the body of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead {
    /// As it came; methods are case-sensitive.
    pub method: String,
    /// Path and query, or a whole address; printable ASCII.
    pub target: String,
    /// The fields.
    pub headers: Headers,
}

impl RequestHead {
    /// How many bytes of body follow the head.
    pub fn body_bytes(&self) -> Result<u64, Error> {
        if let Some(coding) = self.headers.first("transfer-encoding") {
            return Err(Error::Unasked {
                what: "transfer-encoding",
                value: coding.to_string(),
            });
        }
        Ok(content_length(&self.headers)?.unwrap_or(0))
    }
}

/// The head at the front of `input`, and its size; `None` if more bytes are needed.
///
/// Reads from the start each time, which a few kilobytes from loopback can bear.
pub fn parse_request(input: &[u8]) -> Result<Option<(RequestHead, usize)>, Error> {
    let mut rest = input;
    let mut fields = Fields::default();
    let Some(line) = fields.start_line(&mut rest)? else {
        return Ok(None);
    };
    let (method, target) = parse_request_line(&line)?;
    let Some(headers) = fields.feed(&mut rest)? else {
        return Ok(None);
    };
    let head = RequestHead {
        method,
        target,
        headers,
    };
    Ok(Some((head, input.len() - rest.len())))
}

fn parse_request_line(line: &[u8]) -> Result<(String, String), Error> {
    let text = str::from_utf8(line).unwrap_or_default();
    let words: Vec<&str> = text.split(' ').collect();
    match words.as_slice() {
        [method, target, "HTTP/1.1" | "HTTP/1.0"]
            if is_token(method.as_bytes())
                && !target.is_empty()
                && target.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok((method.to_string(), target.to_string()))
        }
        _ => Err(Error::malformed("request line", line)),
    }
}

/// A whole answer, its length said. `headers` must be clean and hold no framing.
pub fn response(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    // RFC 9110 §8.6 forbids the field where there can't be a body.
    let framing = match status {
        100..=199 | 204 => None,
        _ => Some(("Content-Length", length.as_str())),
    };
    [&head(status, headers, framing), body].concat()
}

/// The head of an answer whose body follows in chunks. `headers` must be clean and hold no framing.
pub fn stream_head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    head(status, headers, Some(("Transfer-Encoding", "chunked")))
}

/// One chunk of a body; nothing for no data, since an empty chunk would end the body.
pub fn chunk(data: &[u8]) -> Vec<u8> {
    if data.is_empty() {
        return Vec::new();
    }
    [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat()
}

/// Ends a body in chunks.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The reason is left empty: RFC 9112 §4 has clients ignore it.
fn head(status: u16, headers: &[(&str, &str)], framing: Option<(&str, &str)>) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} \r\n");
    for (name, value) in headers.iter().copied().chain(framing) {
        debug_assert!(is_token(name.as_bytes()), "not a field name: {name:?}");
        debug_assert!(
            !value.contains(['\r', '\n', '\0']),
            "in header {name}: {value:?}"
        );
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::exchange::Exchange;
    use crate::http::exchange::Form;
    use crate::http::exchange::Request;
    use crate::http::url::Url;

    #[track_caller]
    fn check_refused(input: &str, expected: &str) {
        let error = parse_request(input.as_bytes())
            .expect_err(input)
            .to_string();
        assert!(error.contains(expected), "{input:?}: {error}");
    }

    fn request() -> Request {
        let url = Url::parse("http://localhost:1/a?b").unwrap();
        Request::post(url, b"body".to_vec()).header("X", "y")
    }

    #[test]
    fn a_request_of_ours_is_read_back() {
        let exchange = Exchange::new(&request(), Form::Origin).unwrap();
        let sent = exchange.unsent();
        let head_bytes = sent.len() - 4;
        for cut in 0..head_bytes {
            assert_eq!(parse_request(&sent[..cut]), Ok(None), "{cut}");
        }
        let (head, bytes) = parse_request(sent).unwrap().expect("a whole head");
        assert_eq!(bytes, head_bytes);
        assert_eq!(
            (head.method.as_str(), head.target.as_str()),
            ("POST", "/a?b")
        );
        assert_eq!(head.headers.first("x"), Some("y"));
        assert_eq!(head.headers.first("host"), Some("localhost:1"));
        assert_eq!(head.body_bytes(), Ok(4));
    }

    #[test]
    fn a_request_line_has_three_words() {
        for line in [
            "GET /",
            "GET  / HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET / HTTP/2.0",
            "GET / http/1.1",
            "G(T / HTTP/1.1",
            " / HTTP/1.1",
            "GET /\u{fc} HTTP/1.1",
            "GET /\ta HTTP/1.1",
        ] {
            check_refused(&format!("{line}\r\n\r\n"), "request line");
        }
        check_refused("GET / HTTP/1.1\r\nno colon\r\n\r\n", "header line");
        assert!(parse_request(b"\r\nGET / HTTP/1.0\n\n").unwrap().is_some());
    }

    #[test]
    fn a_request_body_has_a_length() {
        let body_bytes = |field: &str| {
            let text = format!("POST / HTTP/1.1\r\n{field}\r\n\r\n");
            let (head, _) = parse_request(text.as_bytes())
                .unwrap()
                .expect("a whole head");
            head.body_bytes()
        };
        assert_eq!(body_bytes("a: b"), Ok(0));
        assert_eq!(body_bytes("content-length: 7"), Ok(7));
        assert!(body_bytes("content-length: +7").is_err());
        assert!(body_bytes("transfer-encoding: chunked").is_err());
    }

    #[test]
    fn our_client_understands_our_server() {
        #[track_caller]
        fn check(answer: &[u8], status: u16, expected: &str) {
            let mut exchange = Exchange::new(&request(), Form::Origin).unwrap();
            exchange.mark_sent(exchange.unsent().len());
            let mut body = Vec::new();
            assert_eq!(exchange.feed(answer, &mut body), Ok(answer.len()));
            let head = exchange.head().expect("a head");
            assert_eq!((head.status, head.headers.first("X")), (status, Some("y")));
            assert_eq!(String::from_utf8_lossy(&body), expected);
            assert!(exchange.can_reuse());
        }
        let headers = [("X", "y")];
        check(&response(200, &headers, b"hello"), 200, "hello");
        check(&response(404, &headers, b""), 404, "");
        check(&response(204, &headers, b""), 204, "");
        let chunks = [b"data: a\n\n".as_slice(), b"", b"data: bcdefghij\n\n"]
            .map(chunk)
            .concat();
        let stream = [&stream_head(200, &headers), chunks.as_slice(), LAST_CHUNK].concat();
        check(&stream, 200, "data: a\n\ndata: bcdefghij\n\n");
    }
}
