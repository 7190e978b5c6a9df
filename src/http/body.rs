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

/// Codings after which a body is no longer what was asked for: those that are registered (RFC 9110
/// §16.6.1) and those that are used without it. Servers put other words there as well, such as
/// `utf-8`, `none` or `aws-chunked`; they change no byte, and every client reads on.
const CODINGS: [&str; 18] = [
    "aes128gcm",
    "br",
    "bzip2",
    "compress",
    "dcb",
    "dcz",
    "deflate",
    "exi",
    "gzip",
    "lz4",
    "lzma",
    "pack200-gzip",
    "snappy",
    "x-bzip2",
    "x-compress",
    "x-gzip",
    "xz",
    "zstd",
];

/// A body that is being read.
#[derive(Debug)]
pub struct Body {
    framing: Framing,
    /// What was done to the bytes, if any should come: many servers name it over no body, too.
    coding: Option<String>,
}

#[derive(Debug)]
enum Framing {
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
        let framing = if method == "HEAD" || matches!(head.status, 100..=199 | 204 | 304) {
            Framing::Sized { left: 0 }
        } else {
            framing(&head.headers)?
        };
        let coding = content_coding(&head.headers);
        Ok(Body { framing, coding })
    }

    /// Takes bytes off the front of `input` and appends what they decode to.
    ///
    /// Takes everything unless the body ends inside `input`. A compressed body fails at its first
    /// byte, and none of it is appended.
    pub fn feed(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let before = out.len();
        let fed = match &mut self.framing {
            Framing::Sized { left } => {
                *left -= take_data(*left, input, out);
                Ok(())
            }
            Framing::Chunked(chunked) => chunked.feed(input, out),
            Framing::UntilClose => {
                take_data(u64::MAX, input, out);
                Ok(())
            }
        };
        match &self.coding {
            Some(coding) if out.len() > before => {
                out.truncate(before);
                Err(Error::Unasked {
                    what: "content-encoding",
                    value: coding.clone(),
                })
            }
            _ => fed,
        }
    }

    /// Did all of it come? Never true of a body that only a close can end.
    pub fn is_done(&self) -> bool {
        match &self.framing {
            Framing::Sized { left } => *left == 0,
            Framing::Chunked(chunked) => chunked.is_done(),
            Framing::UntilClose => false,
        }
    }

    /// The peer closed the connection: is the body whole?
    pub fn finish(&self) -> Result<(), Error> {
        match &self.framing {
            Framing::Sized { left: 0 } | Framing::UntilClose => Ok(()),
            Framing::Sized { left } => Err(Error::Truncated {
                missing: format!("{left} bytes of the body"),
            }),
            Framing::Chunked(chunked) => chunked.finish(),
        }
    }

    /// The fields after a body in chunks; they can be taken once, when it is done.
    pub fn take_trailers(&mut self) -> Headers {
        match &mut self.framing {
            Framing::Chunked(chunked) => chunked.take_trailers(),
            _ => Headers::new(),
        }
    }
}

fn framing(headers: &Headers) -> Result<Framing, Error> {
    let length = content_length(headers)?;
    if headers.first("transfer-encoding").is_none() {
        return Ok(match length {
            Some(left) => Framing::Sized { left },
            None => Framing::UntilClose,
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
        "" | "identity" => Ok(Framing::UntilClose),
        // Never applied twice (RFC 9112 §6.1), so it was only said twice: by an application and by
        // the server before it. The connection is not used again after that.
        _ if codings.split(", ").all(|coding| coding == "chunked") => {
            Ok(Framing::Chunked(Chunked::default()))
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
fn content_coding(headers: &Headers) -> Option<String> {
    let mut codings = headers.elements("content-encoding");
    let is_known = |coding: &&str| CODINGS.contains(&coding.to_ascii_lowercase().as_str());
    codings.find(is_known).map(str::to_string)
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
        let body = Body::of(method, &head).map_err(|error| error.to_string())?;
        Ok(match body.framing {
            Framing::Sized { left } => left.to_string(),
            Framing::Chunked(_) => "chunked".to_string(),
            Framing::UntilClose => "close".to_string(),
        })
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
    fn a_compressed_body_is_named_once_there_is_one() {
        #[track_caller]
        fn check(coding: &str, sent: &str, expected: Result<&str, &str>) {
            let mut headers = Headers::new();
            headers.push(CODING, "chunked");
            headers.push("content-encoding", coding);
            let head = ResponseHead {
                status: 200,
                reason: String::new(),
                minor: 1,
                headers,
            };
            let mut body = Body::of("GET", &head).unwrap();
            let mut out = Vec::new();
            let fed = body.feed(&mut sent.as_bytes(), &mut out);
            let fed = fed.and_then(|()| body.finish());
            let found = match &fed {
                Ok(()) => Ok(str::from_utf8(&out).unwrap()),
                Err(Error::Unasked { what, value }) => {
                    assert_eq!(
                        (*what, out.as_slice()),
                        ("content-encoding", b"".as_slice())
                    );
                    Err(value.as_str())
                }
                Err(error) => panic!("{coding}: {error}"),
            };
            assert_eq!(found, expected, "{coding}");
        }
        let (empty, some) = ("0\r\n\r\n", "1\r\nx\r\n0\r\n\r\n");
        check("gzip", some, Err("gzip"));
        check("gzip", "1\r\nx!", Err("gzip"));
        check("identity, BR", some, Err("BR"));
        check("gzip", empty, Ok(""));
        for other in ["", "Identity", "utf-8", "none", "aws-chunked"] {
            check(other, some, Ok("x"));
        }
    }

    #[test]
    fn a_body_cut_short_says_how_much_is_missing() {
        let sized = |left| Body {
            framing: Framing::Sized { left },
            coding: None,
        };
        let mut out = Vec::new();
        let mut input = b"abcdef".as_slice();
        let mut body = sized(4);
        body.feed(&mut input, &mut out).unwrap();
        assert_eq!(
            (out.as_slice(), input),
            (b"abcd".as_slice(), b"ef".as_slice())
        );
        assert_eq!((body.is_done(), body.finish()), (true, Ok(())));
        let missing = "4 bytes of the body".to_string();
        let error = Error::Truncated { missing };
        assert_eq!(sized(4).finish(), Err(error));
    }
}
