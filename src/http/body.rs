//! Where the body of an answer ends (RFC 9112 §6), and reading it up to there.
//!
//! Two readers that see different ends are what response splitting lives on. So whatever leaves
//! room for doubt is an error, though RFC 9112 often allows a guess: lengths that differ, a length
//! beside a transfer coding, a coding that is not `chunked`. Compression is never asked for, so a
//! compressed body is an error and not a riddle for the caller.

use super::Error;
use super::chunked::Chunked;
use super::chunked::take_data;
use super::head::Headers;
use super::head::ResponseHead;
use super::head::trim_blanks;
use super::parse_digits;

/// A body that is being read.
#[derive(Debug)]
pub enum Body {
    /// So many bytes; 0 also where there is no body.
    Sized {
        /// Bytes that have not come yet.
        left: u64,
    },
    /// In chunks, with its end marked.
    Chunked(Chunked),
    /// Ends when the peer closes; the connection cannot be used again.
    UntilClose,
}

impl Body {
    /// The body that follows `head` in the answer to a request of that method: the rules of RFC
    /// 9112 §6.3 in their order, but for CONNECT, which is not a message with a body.
    pub fn of(method: &str, head: &ResponseHead) -> Result<Body, Error> {
        if method == "HEAD" || matches!(head.status, 100..=199 | 204 | 304) {
            return Ok(Body::Sized { left: 0 });
        }
        let body = framing(&head.headers)?;
        if !body.is_done() {
            check_not_compressed(&head.headers)?;
        }
        Ok(body)
    }

    /// Takes bytes off the front of `input` and appends what they decode to.
    ///
    /// Takes everything unless the body ends inside `input`.
    pub fn feed(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Body::Sized { left } => *left -= take_data(*left, input, out),
            Body::Chunked(chunked) => chunked.feed(input, out)?,
            Body::UntilClose => _ = take_data(u64::MAX, input, out),
        }
        Ok(())
    }

    /// Did all of it come? Never true of a body that only a close can end.
    pub fn is_done(&self) -> bool {
        match self {
            Body::Sized { left } => *left == 0,
            Body::Chunked(chunked) => chunked.is_done(),
            Body::UntilClose => false,
        }
    }

    /// The peer closed the connection: is the body whole?
    pub fn finish(&self) -> Result<(), Error> {
        match self {
            Body::Sized { left: 0 } | Body::UntilClose => Ok(()),
            Body::Sized { left } => Err(Error::Truncated {
                missing: format!("{left} bytes of the body"),
            }),
            Body::Chunked(chunked) => chunked.finish(),
        }
    }
}

fn framing(headers: &Headers) -> Result<Body, Error> {
    let length = content_length(headers)?;
    if headers.first("transfer-encoding").is_none() {
        return Ok(match length {
            Some(left) => Body::Sized { left },
            None => Body::UntilClose,
        });
    }
    let codings: Vec<&str> = headers.elements("transfer-encoding").collect();
    let codings = codings.join(", ").to_ascii_lowercase();
    if length.is_some() {
        // RFC 9112 §6.3 lets the coding win and says in the same breath that such a message
        // "ought to be handled as an error".
        return Err(Error::malformed(
            "answer with a content-length and also transfer-encoding",
            codings.as_bytes(),
        ));
    }
    match codings.as_str() {
        // No coding, and no length either. `identity` was struck from the registry by RFC 7230, but
        // is still sent; an empty list is one (RFC 9110 §5.6.1), and all but Go read it so.
        "" | "identity" => Ok(Body::UntilClose),
        // Never applied twice (RFC 9112 §6.1), so it was only said twice: by an application and by
        // the server before it. The connection is not used again after that.
        _ if codings.split(", ").all(|coding| coding == "chunked") => {
            Ok(Body::Chunked(Chunked::default()))
        }
        // Anything else was not offered, by the `TE` field that we do not send (§7.4).
        _ => Err(Error::Unasked {
            what: "transfer-encoding",
            value: codings,
        }),
    }
}

/// The one length that all `Content-Length` fields agree on, if there are any.
///
/// Equal values are taken for one, as RFC 9112 §6.3 allows: proxies and scripts add a second.
pub fn content_length(headers: &Headers) -> Result<Option<u64>, Error> {
    let mut length = None;
    for value in headers.all("content-length") {
        for element in value.split(',') {
            let element = parse_digits(trim_blanks(element).as_bytes());
            if element.is_none() || length.is_some_and(|length| element != Some(length)) {
                return Err(Error::malformed("content-length", value.as_bytes()));
            }
            length = element;
        }
    }
    Ok(length)
}

/// `Accept-Encoding: identity` went out; a server that compresses all the same (RFC 9110 §12.5.3
/// lets it) would hand us noise.
fn check_not_compressed(headers: &Headers) -> Result<(), Error> {
    let mut codings = headers.elements("content-encoding");
    match codings.find(|coding| !coding.eq_ignore_ascii_case("identity")) {
        None => Ok(()),
        Some(coding) => Err(Error::Unasked {
            what: "content-encoding",
            value: coding.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kind of body that an answer with these header lines has.
    fn kind(method: &str, status: u16, fields: &[(&str, &str)]) -> Result<String, String> {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.push(*name, *value);
        }
        let head = ResponseHead {
            status,
            reason: String::new(),
            minor: 1,
            headers,
        };
        match Body::of(method, &head) {
            Ok(Body::Sized { left }) => Ok(left.to_string()),
            Ok(Body::Chunked(_)) => Ok("chunked".to_string()),
            Ok(Body::UntilClose) => Ok("close".to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[track_caller]
    fn check(fields: &[(&str, &str)], expected: &str) {
        assert_eq!(
            kind("POST", 200, fields).as_deref(),
            Ok(expected),
            "{fields:?}"
        );
    }

    #[track_caller]
    fn check_refused(fields: &[(&str, &str)], expected: &str) {
        let error = kind("POST", 200, fields).expect_err("must be refused");
        assert!(error.contains(expected), "{fields:?}: {error}");
    }

    const LENGTH: &str = "Content-Length";
    const CODING: &str = "Transfer-Encoding";

    #[test]
    fn a_body_ends_where_its_head_says() {
        check(&[], "close");
        check(&[(LENGTH, "0")], "0");
        check(&[("content-length", "0042")], "42");
        check(&[(LENGTH, "18446744073709551615")], "18446744073709551615");
        check(&[(CODING, "chunked")], "chunked");
        check(&[("transfer-ENCODING", " ,Chunked, ")], "chunked");
        check(&[(CODING, "chunked"), (CODING, "Chunked")], "chunked");
        for value in ["identity", "", " , "] {
            check(&[(CODING, value)], "close");
        }
    }

    #[test]
    fn equal_lengths_are_one_and_others_are_refused() {
        check(&[(LENGTH, "5"), (LENGTH, "5")], "5");
        check(&[(LENGTH, "5 , 05")], "5");
        check_refused(&[(LENGTH, "5"), (LENGTH, "6")], "content-length `6`");
        check_refused(&[(LENGTH, "5, 6")], "content-length `5, 6`");
        for value in [
            "",
            "+5",
            "-5",
            "5x",
            "0x5",
            "5 5",
            "5,",
            "5.0",
            "18446744073709551616",
        ] {
            check_refused(&[(LENGTH, value)], "malformed content-length");
        }
    }

    #[test]
    fn no_other_coding_and_no_length_beside_it_is_read() {
        check_refused(&[(CODING, "chunked"), (LENGTH, "5")], "and also");
        check_refused(&[(CODING, "identity"), (LENGTH, "5")], "and also");
        check_refused(
            &[(CODING, "gzip, chunked")],
            "`gzip, chunked` was not asked for",
        );
        check_refused(&[(CODING, ""), (LENGTH, "5")], "and also");
        check_refused(
            &[(CODING, "chunked"), (CODING, "identity")],
            "`chunked, identity`",
        );
        for value in [
            "gzip",
            "identity, chunked",
            "xchunked",
            "chunked;a",
            "\"chunked\"",
            "chunked gzip",
            "chunked\u{a0}",
        ] {
            check_refused(&[(CODING, value)], "transfer-encoding");
        }
    }

    #[test]
    fn some_answers_have_no_body_whatever_they_say() {
        let fields = [(LENGTH, "x"), (CODING, "gzip"), ("Content-Encoding", "br")];
        for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304), ("GET", 103)] {
            assert_eq!(
                kind(method, status, &fields).as_deref(),
                Ok("0"),
                "{method} {status}"
            );
        }
        assert!(kind("GET", 205, &fields).is_err());
    }

    #[test]
    fn a_compressed_body_is_named() {
        let gzip = ("Content-Encoding", "gzip");
        check_refused(&[gzip], "content-encoding `gzip` was not asked for");
        check_refused(
            &[(CODING, "chunked"), ("content-encoding", "identity, br")],
            "`br`",
        );
        check(&[gzip, (LENGTH, "0")], "0");
        check(&[("Content-Encoding", ""), (LENGTH, "1")], "1");
        check(&[("Content-Encoding", "Identity"), (LENGTH, "1")], "1");
    }

    #[test]
    fn a_body_cut_short_says_how_much_is_missing() {
        let mut out = Vec::new();
        let mut input = b"abcdef".as_slice();
        let mut body = Body::Sized { left: 4 };
        body.feed(&mut input, &mut out).unwrap();
        assert_eq!(
            (out.as_slice(), input),
            (b"abcd".as_slice(), b"ef".as_slice())
        );
        assert_eq!((body.is_done(), body.finish()), (true, Ok(())));
        let missing = "4 bytes of the body".to_string();
        let error = Error::Truncated { missing };
        assert_eq!(Body::Sized { left: 4 }.finish(), Err(error));
    }
}
