//! An `http://` or `https://` address, taken apart (RFC 3986, RFC 9110 §4.2). Nothing is resolved.
//!
//! Left out: user info (refused, RFC 9110 §4.2.4), fragments (dropped, they are never sent), IPv6
//! zones, international names (to be given as `xn--`), dot segments but in a [`Url::resolve`].

// The address types of `core::net` are plain values; nothing here can open a socket.
use core::net::Ipv4Addr;
use core::net::Ipv6Addr;
use std::fmt;

use super::Error;
use super::excerpt;

/// RFC 9110 §4.1 wants at least 8,000 octets to be supported; twice that holds any login address.
const URL_BYTES_MAX: usize = 16_000;

/// The longest name that DNS can hold, in text form (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// How the connection is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// The port where nothing else was said (RFC 9110 §4.2.1, §4.2.2).
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        })
    }
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// A name in lower case, or an IP address; IPv6 without brackets, in its canonical form.
    pub host: String,
    /// Never 0.
    pub port: u16,
    /// Path and query as they are sent: starts with `/`, printable ASCII without spaces.
    pub target: String,
}

impl Url {
    /// Takes an absolute address apart.
    ///
    /// Bytes above ASCII in path and query are percent-encoded; spaces and control characters are
    /// an error, since they come from a broken settings line more often than from a name.
    pub fn parse(text: &str) -> Result<Url, Error> {
        parse(text).map_err(|reason| Error::Url {
            text: printable(text),
            reason,
        })
    }

    /// This address with `tail` appended to its path, one slash between them.
    ///
    /// A query of the address goes to the end, so that `https://h/v1?version=2` and `/models` give
    /// `https://h/v1/models?version=2`; a query of `tail` is put after it.
    pub fn join(&self, tail: &str) -> Url {
        let (path, query) = split_query(&self.target);
        let (tail, tail_query) = split_query(tail);
        let path = path.trim_end_matches('/');
        let tail = tail.trim_start_matches('/');
        let mut target = format!("{path}/{tail}");
        let queries = [query, tail_query];
        for (query, mark) in queries.into_iter().flatten().zip(['?', '&']) {
            target.push(mark);
            target.push_str(query);
        }
        Url {
            target,
            ..self.clone()
        }
    }

    /// This address without the last segment of its path, and without its query.
    pub fn parent(&self) -> Url {
        let (path, _) = split_query(&self.target);
        let cut = path.trim_end_matches('/').rfind('/').unwrap_or(0);
        let target = if cut == 0 { "/" } else { &path[..cut] };
        Url {
            target: target.to_string(),
            ..self.clone()
        }
    }

    /// What `reference` means on the page that this address names (RFC 3986 §5.2).
    pub fn resolve(&self, reference: &str) -> Result<Url, Error> {
        let reference = reference.split('#').next().unwrap_or_default();
        let has_scheme = reference
            .split_once(':')
            .is_some_and(|(scheme, _)| is_scheme(scheme));
        if has_scheme {
            return Url::parse(reference);
        }
        if reference.starts_with("//") {
            return Url::parse(&format!("{}:{reference}", self.scheme));
        }
        let (path, query) = split_query(&self.target);
        let (more, more_query) = split_query(reference);
        let (path, query) = match more {
            "" => (path.to_string(), more_query.or(query)),
            _ if more.starts_with('/') => (without_dots(more), more_query),
            _ => {
                let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
                (without_dots(&format!("{folder}{more}")), more_query)
            }
        };
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        Url::parse(&format!("{}{path}{query}", self.origin()))
    }

    /// Scheme, host and port, always with the port: equal for two addresses if one connection may
    /// serve both and one credential may be sent to both.
    pub fn origin(&self) -> String {
        format!("{}://{}:{}", self.scheme, self.bracketed_host(), self.port)
    }

    /// Host and port as in the `Host` field: the default port is left out (RFC 9110 §7.2).
    pub fn authority(&self) -> String {
        let host = self.bracketed_host();
        if self.port == self.scheme.default_port() {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// Does this name the machine that we run on, without asking anybody (RFC 6761 §6.3)?
    pub fn is_loopback(&self) -> bool {
        let name = self.host.strip_suffix('.').unwrap_or(&self.host);
        name == "localhost"
            || name.ends_with(".localhost")
            || name.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
            || name.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
    }

    fn bracketed_host(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority(), self.target)
    }
}

fn parse(text: &str) -> Result<Url, &'static str> {
    if text.len() > URL_BYTES_MAX {
        return Err("it is longer than 16000 bytes");
    }
    if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err("it contains a space or a control character");
    }
    let (scheme, rest) = text
        .split_once("://")
        .ok_or("it has no http:// or https://")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return Err("it starts with neither http:// nor https://"),
    };
    let (rest, _fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("a user name or password may not stand in it");
    }
    let (host, port) = parse_authority(authority)?;
    Ok(Url {
        scheme,
        host,
        port: port.unwrap_or(scheme.default_port()),
        target: encode_target(target),
    })
}

fn parse_authority(authority: &str) -> Result<(String, Option<u16>), &'static str> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or("its `[` is never closed")?;
        let address: Ipv6Addr = address
            .parse()
            .map_err(|_| "its IPv6 address is malformed")?;
        let port = match port.strip_prefix(':') {
            Some(digits) => parse_port(digits)?,
            None if port.is_empty() => None,
            None => return Err("only a port may follow its `]`"),
        };
        return Ok((address.to_string(), port));
    }
    if authority.parse::<Ipv6Addr>().is_ok() {
        return Err("an IPv6 address needs brackets, as in http://[::1]/");
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, digits)) => (host, parse_port(digits)?),
        None => (authority, None),
    };
    Ok((parse_host(host)?, port))
}

/// A name or an IPv4 address. Other spellings of one, such as `127.1` or `0x7f000001`, which some
/// resolvers take for loopback, are refused: any name whose last label is a number must be a quad.
fn parse_host(host: &str) -> Result<String, &'static str> {
    if host.is_empty() {
        return Err("it has no host");
    }
    if host.len() > HOST_BYTES_MAX {
        return Err("its host is longer than a name can be");
    }
    if !host.is_ascii() {
        return Err("its host is not ASCII; write it in its xn-- form");
    }
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !host.bytes().all(is_name_byte) || host.starts_with('.') || host.contains("..") {
        return Err("its host is malformed");
    }
    let host = host.to_ascii_lowercase();
    let labels = host.strip_suffix('.').unwrap_or(&host);
    let last = labels.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return Err("its IPv4 address is malformed");
    }
    Ok(host)
}

/// `None` for an empty port, which means the default one (RFC 3986 §6.2.3).
fn parse_port(digits: &str) -> Result<Option<u16>, &'static str> {
    if digits.is_empty() {
        return Ok(None);
    }
    // A sign would be accepted by `parse`.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("its port is not a number");
    }
    match digits.parse() {
        Ok(0) | Err(_) => Err("its port is not between 1 and 65535"),
        Ok(port) => Ok(Some(port)),
    }
}

fn encode_target(target: &str) -> String {
    let mut encoded = String::with_capacity(target.len() + 1);
    if !target.starts_with('/') {
        encoded.push('/');
    }
    for byte in target.bytes() {
        if byte.is_ascii() {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// RFC 3986 §3.1. A host with a port looks like one, but no path begins with it here.
fn is_scheme(text: &str) -> bool {
    let is_scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(is_scheme_byte)
}

/// An absolute path without its `.` and `..` (RFC 3986 §5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

fn split_query(target: &str) -> (&str, Option<&str>) {
    match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    }
}

/// The address for an error text. What stands before an `@` may be a password.
fn printable(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, rest)) => excerpt(format!("...@{rest}").as_bytes()),
        None => excerpt(text.as_bytes()),
    }
}

/// What must hold for any text, and for a reference in its second line: an address is written as it
/// would be read, so is what it leads to, and an error can be shown.
pub fn fuzz_url(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let (text, reference) = text.split_once('\n').unwrap_or((&text, ""));
    match Url::parse(text) {
        Ok(url) => {
            check_written(&url);
            check_written(&url.join("/models?version=2"));
            check_written(&url.parent());
            let _ = url.is_loopback();
            if let Ok(url) = url.resolve(reference) {
                check_written(&url);
            }
        }
        Err(error) => {
            let shown = error.to_string();
            assert!(!shown.contains(char::is_control), "{shown:?}");
        }
    }
}

fn check_written(url: &Url) {
    let written = url.to_string();
    // Percent-encoded it may be longer than what is read.
    if written.len() <= URL_BYTES_MAX {
        assert_eq!(Url::parse(&written).as_ref(), Ok(url));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mutants::mutants;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let found = Url::parse(text);
        match (&found, expected) {
            (Ok(url), Ok(shown)) => assert_eq!(url.to_string(), shown, "{text}"),
            (Err(error), Err(part)) => {
                let shown = error.to_string();
                assert!(shown.contains(part), "{text}: {shown} has no `{part}`");
            }
            _ => panic!("{text}: {found:?}, expected {expected:?}"),
        }
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn an_address_is_brought_to_one_form() {
        check("https://chatgpt.com", Ok("https://chatgpt.com/"));
        check("HTTPS://ChatGPT.com:443/A", Ok("https://chatgpt.com/A"));
        check("http://h:443/", Ok("http://h:443/"));
        check("http://h:/x", Ok("http://h/x"));
        check("http://h?q=1", Ok("http://h/?q=1"));
        check("http://h/a?b=/c?d#e?f", Ok("http://h/a?b=/c?d"));
        check("http://h#x", Ok("http://h/"));
        check("http://h/a@b:c", Ok("http://h/a@b:c"));
        check("http://h/\u{fc}", Ok("http://h/%C3%BC"));
        check("http://[0:0::1]:8080/x", Ok("http://[::1]:8080/x"));
        check("http://[::FFFF:1.2.3.4]", Ok("http://[::ffff:1.2.3.4]/"));
        check("http://my_host.:00080/", Ok("http://my_host./"));
    }

    #[test]
    fn a_bad_address_is_refused_with_its_reason() {
        check("", Err("no http://"));
        check("chatgpt.com/x", Err("no http://"));
        check("ftp://h/", Err("neither"));
        check("http://", Err("no host"));
        check("http:///path", Err("no host"));
        check("http://:80/", Err("no host"));
        check("http://h:0/", Err("between 1 and 65535"));
        check("http://h:65536/", Err("between 1 and 65535"));
        check("http://h:+80/", Err("not a number"));
        check("http://h:80:80/", Err("not a number"));
        check("http://[::1/", Err("never closed"));
        check("http://[::1]80/", Err("only a port"));
        check("http://[1.2.3.4]/", Err("IPv6 address"));
        check("http://[fe80::1%25eth0]/", Err("IPv6 address"));
        check("http://::1/", Err("brackets"));
        check("http://h\\x/", Err("host is malformed"));
        check("http://a..b/", Err("host is malformed"));
        check("http://./", Err("host is malformed"));
        check("http://a%62/", Err("host is malformed"));
        check("http://127.1/", Err("IPv4 address"));
        check("http://2130706433/", Err("IPv4 address"));
        check("http://0X7f000001/", Err("IPv4 address"));
        check("http://1.2.3.256/", Err("IPv4 address"));
        check("http://b\u{fc}cher.de/", Err("xn--"));
        check("http://h/a b", Err("space"));
        check("http://h/\r\nX: y", Err("control"));
        check(&format!("http://{}/", "a".repeat(254)), Err("longer"));
        check(&format!("http://h/{}", "a".repeat(16_000)), Err("longer"));
    }

    #[test]
    fn a_password_is_refused_and_not_shown() {
        for text in [
            "http://me:secret@h/",
            "me:secret@h",
            "x://me:secret@h",
            "http://a:secret @h",
        ] {
            let shown = Url::parse(text).unwrap_err().to_string();
            assert!(!shown.contains("secret"), "{shown}");
        }
        check("http://me:secret@h/", Err("user name or password"));
    }

    #[test]
    fn a_tail_is_joined_with_one_slash() {
        #[track_caller]
        fn check(base: &str, tail: &str, expected: &str) {
            assert_eq!(url(base).join(tail).to_string(), expected);
        }
        check("http://h", "/responses", "http://h/responses");
        check("http://h/v1/", "/responses", "http://h/v1/responses");
        check("http://h/v1", "responses", "http://h/v1/responses");
        check("http://h/v1?a=1", "/m", "http://h/v1/m?a=1");
        check("http://h/v1?a=1", "/m?b=2", "http://h/v1/m?a=1&b=2");
        check("http://h/v1", "/m?b=2", "http://h/v1/m?b=2");
    }

    /// The examples of RFC 3986 §5.4 that http has, and some more.
    #[test]
    fn a_reference_is_resolved_where_it_stands() {
        #[track_caller]
        fn check(reference: &str, expected: &str) {
            let resolved = url("http://a/b/c/d;p?q").resolve(reference);
            assert_eq!(resolved.unwrap().to_string(), expected, "{reference}");
        }
        check("g", "http://a/b/c/g");
        check("./g", "http://a/b/c/g");
        check("g/", "http://a/b/c/g/");
        check("/g", "http://a/g");
        check("//g", "http://g/");
        check("?y", "http://a/b/c/d;p?y");
        check("g?y", "http://a/b/c/g?y");
        check("#s", "http://a/b/c/d;p?q");
        check("g?y#s", "http://a/b/c/g?y");
        check(";x", "http://a/b/c/;x");
        check("", "http://a/b/c/d;p?q");
        check(".", "http://a/b/c/");
        check("./", "http://a/b/c/");
        check("..", "http://a/b/");
        check("../g", "http://a/b/g");
        check("../..", "http://a/");
        check("../../g", "http://a/g");
        check("../../../g", "http://a/g");
        check("/./g", "http://a/g");
        check("/../g", "http://a/g");
        check("g.", "http://a/b/c/g.");
        check("..g", "http://a/b/c/..g");
        check("./g/.", "http://a/b/c/g/");
        check("g/./h", "http://a/b/c/g/h");
        check("g/../h", "http://a/b/c/h");
        check("g;x=1/../y", "http://a/b/c/y");
        check("g?y/../x", "http://a/b/c/g?y/../x");
        check("HTTPS://B:8/x", "https://b:8/x");
        check("h?u=http://x", "http://a/b/c/h?u=http://x");
        assert!(url("http://a/").resolve("mailto:x").is_err());
    }

    #[test]
    fn the_parent_lacks_the_last_segment() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(url(text).parent().to_string(), expected);
        }
        check("https://h/backend-api/codex", "https://h/backend-api");
        check("https://h/backend-api/codex/?x=/y", "https://h/backend-api");
        check("https://h/codex", "https://h/");
        check("https://h/", "https://h/");
    }

    #[test]
    fn host_field_and_origin_name_the_port_as_needed() {
        assert_eq!(url("https://h:443/x").authority(), "h");
        assert_eq!(url("https://h:80/x").authority(), "h:80");
        assert_eq!(url("http://[::1]:80").authority(), "[::1]");
        assert_eq!(url("https://h/x").origin(), "https://h:443");
        assert_eq!(url("http://[::1]:8/x").origin(), "http://[::1]:8");
    }

    #[test]
    fn loopback_is_known_by_its_name() {
        for text in [
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
        ] {
            assert!(url(&format!("http://{text}/")).is_loopback(), "{text}");
        }
        for text in [
            "notlocalhost",
            "localhost.com",
            "128.0.0.1",
            "[::2]",
            "127.0.0.1.com",
        ] {
            assert!(!url(&format!("http://{text}/")).is_loopback(), "{text}");
        }
    }
    #[test]
    fn no_text_is_too_odd() {
        for fixture in [
            "HTTPS://a.b-c_d.:8443/x/./y?z=\u{fc}#e\n../f?g",
            "http://[::ffff:1.2.3.4]:80\n//u:p@h/x",
        ] {
            assert!(Url::parse(fixture.lines().next().unwrap()).is_ok());
            mutants(fixture.as_bytes()).for_each(|text| fuzz_url(&text));
        }
    }
}
