//! Where an answer sends the one who asked (RFC 9110 §15.4). Values only; the caller asks again.
//!
//! Nobody follows a redirect unless a caller wants it, and a credential never goes to another
//! origin: all fields that could hold one are left behind, and a body is not sent there at all. A
//! redirect from https to http is refused.

use super::Error;
use super::excerpt;
use super::exchange::Request;
use super::head::Headers;
use super::head::ResponseHead;
use super::url::Scheme;

/// What may go along to another origin; it says nothing of who asks.
const HARMLESS: &[&str] = &["accept", "accept-language", "user-agent", "content-type"];

/// Whether an answer with this head is only the way to another one.
pub fn is_redirect(head: &ResponseHead) -> bool {
    let is_status = matches!(head.status, 301..=303 | 307 | 308);
    is_status && head.headers.first("location").is_some()
}

/// The request to be sent in place of `request` after an answer with `head`; `None` if that answer
/// is one by itself.
pub fn next(request: &Request, head: &ResponseHead) -> Result<Option<Request>, Error> {
    let Some(location) = head.headers.first("location").filter(|_| is_redirect(head)) else {
        return Ok(None);
    };
    let url = request
        .url
        .resolve(location)
        .map_err(|_| Error::Malformed {
            what: "location",
            value: excerpt(location.as_bytes()),
        })?;
    let unasked = |why: &str| {
        Err(Error::Unasked {
            what: "redirect",
            value: format!("{why} {}", url.origin()),
        })
    };
    if request.url.scheme == Scheme::Https && url.scheme == Scheme::Http {
        return unasked("from https to");
    }
    // What clients have always made of 301 and 302 (§15.4.2, §15.4.3), and 303 means.
    let becomes_get = match head.status {
        303 => request.method != "HEAD",
        301 | 302 => request.method == "POST",
        _ => false,
    };
    let is_same = request.url.origin() == url.origin();
    if !is_same && !becomes_get && !request.body.is_empty() {
        return unasked("of a body to");
    }
    let mut next = Request {
        url,
        headers: Headers::new(),
        ..request.clone()
    };
    if becomes_get {
        next.method = "GET";
        next.body.clear();
    }
    for (name, value) in request.headers.iter() {
        let name_lower = name.to_ascii_lowercase();
        let may_go = is_same || HARMLESS.contains(&name_lower.as_str());
        if may_go && !(becomes_get && name_lower == "content-type") {
            next.headers.push(name, value);
        }
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::url::Url;

    fn head(status: u16, location: Option<&str>) -> ResponseHead {
        let mut headers = Headers::new();
        if let Some(location) = location {
            headers.push("Location", location);
        }
        ResponseHead {
            status,
            reason: String::new(),
            minor: 1,
            headers,
        }
    }

    fn request(method: &'static str) -> Request {
        let url = Url::parse("https://h/a/b").unwrap();
        let body = match method {
            "GET" | "HEAD" => Vec::new(),
            _ => b"{}".to_vec(),
        };
        Request {
            method,
            body,
            ..Request::get(url)
        }
        .header("Authorization", "Bearer x")
        .header("X-Api-Key", "y")
        .header("Accept", "z")
        .header("Content-Type", "t")
    }

    /// Method, address, names of the fields and length of the body; or the error, or `-`.
    #[track_caller]
    fn check(method: &'static str, status: u16, location: &str, expected: &str) {
        let found = match next(&request(method), &head(status, Some(location))) {
            Ok(None) => "-".to_string(),
            Err(error) => error.to_string(),
            Ok(Some(next)) => {
                let names: Vec<&str> = next.headers.iter().map(|(name, _)| name).collect();
                format!("{} {} {names:?} {}", next.method, next.url, next.body.len())
            }
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_redirect_names_the_next_request() {
        let all = r#"["Authorization", "X-Api-Key", "Accept", "Content-Type"]"#;
        for status in [301, 302, 303, 307, 308] {
            check(
                "GET",
                status,
                "c",
                &format!("GET https://h/a/c {all} 0").replace(
                    r#", "Content-Type"]"#,
                    if status == 303 {
                        "]"
                    } else {
                        r#", "Content-Type"]"#
                    },
                ),
            );
        }
        check("POST", 307, "/c?d", &format!("POST https://h/c?d {all} 2"));
        let rest = r#"["Authorization", "X-Api-Key", "Accept"]"#;
        check("POST", 302, "/c", &format!("GET https://h/c {rest} 0"));
        check("POST", 303, "/c", &format!("GET https://h/c {rest} 0"));
        check("HEAD", 303, "/c", &format!("HEAD https://h/c {all} 0"));
        check("PUT", 301, "/c", &format!("PUT https://h/c {all} 2"));
        check("GET", 304, "/c", "-");
        check("GET", 200, "/c", "-");
        assert!(next(&request("GET"), &head(302, None)).unwrap().is_none());
    }

    #[test]
    fn no_credential_goes_to_another_origin() {
        let rest = r#"["Accept", "Content-Type"] 0"#;
        check("GET", 302, "https://i/", &format!("GET https://i/ {rest}"));
        check(
            "GET",
            302,
            "//h:8443/",
            &format!("GET https://h:8443/ {rest}"),
        );
        let of_body = "redirect `of a body to https://i:443` was not asked for";
        check("POST", 307, "https://i/", of_body);
        check("POST", 303, "https://i/", r#"GET https://i/ ["Accept"] 0"#);
    }

    #[test]
    fn what_cannot_be_followed_is_an_error() {
        let down = "redirect `from https to http://h:80` was not asked for";
        check("GET", 302, "http://h/a", down);
        check("GET", 302, "ftp://h/", "malformed location `ftp://h/`");
        check(
            "GET",
            302,
            "https://me:pw@h/",
            "malformed location `https://me:pw@h/`",
        );
        check("GET", 302, "/a b", "malformed location `/a b`");
    }
}
