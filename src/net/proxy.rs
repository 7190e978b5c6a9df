//! Which proxy a request goes through, by the settings that all programs share. Nothing is opened.
//!
//! For an https address `HTTPS_PROXY` counts, for an http one `HTTP_PROXY`, and where that is not
//! set `ALL_PROXY`. What `NO_PROXY` lists is asked directly; see [`bypass`]. Loopback is no
//! exception, as with curl. That each has a lower-case twin in the environment, which comes first,
//! is the reader's of the environment to know.
//!
//! The proxy's port is that of its scheme where none is given, 80 or 443. Left out: SOCKS, proxy
//! scripts, and every way to authenticate but Basic.

use crate::base::secret::Secret;
use crate::http;
use crate::http::url::Scheme;
use crate::http::url::Url;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::error;
use std::fmt;

pub mod bypass;
pub mod tunnel;

/// What is set. Nothing set is a direct connection to everyone.
#[derive(Default)]
pub struct Variables {
    /// For https addresses.
    pub https_proxy: Option<Variable>,
    /// For http addresses.
    pub http_proxy: Option<Variable>,
    /// For those that the one above says nothing about.
    pub all_proxy: Option<Variable>,
    /// Who is asked without a proxy.
    pub no_proxy: Option<Variable>,
}

/// One that is set. It may hold a password, so it cannot be printed.
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its value, not empty.
    pub value: Secret,
}

impl Variables {
    /// Takes them from wherever `look_up` finds a name. One that is blank counts as not set.
    pub fn read(look_up: &dyn Fn(&str) -> Option<String>) -> Variables {
        let variable = |name: &'static str| {
            let value = look_up(name)?;
            let value = Some(value.trim()).filter(|value| !value.is_empty())?;
            let value = Secret::new(value);
            Some(Variable { name, value })
        };
        Variables {
            https_proxy: variable("HTTPS_PROXY"),
            http_proxy: variable("HTTP_PROXY"),
            all_proxy: variable("ALL_PROXY"),
            no_proxy: variable("NO_PROXY"),
        }
    }
}

/// Who passes our requests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// How we talk to it.
    pub scheme: Scheme,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The whole value of `Proxy-Authorization` (RFC 9110 §11.7.2, RFC 7617).
    pub authorization: Option<Secret>,
    /// The variable that named it.
    pub variable: &'static str,
}

impl Proxy {
    /// Host and port.
    pub fn authority(&self) -> String {
        let Proxy { host, port, .. } = self;
        match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())
    }
}

/// A variable that names no proxy we can use. No password stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Error { variable, reason } = self;
        write!(f, "cannot use the proxy that {variable} names: {reason}")
    }
}

impl error::Error for Error {}

/// The proxy for `url`, or none where none is set or the address is listed. A variable that cannot
/// be used is an error and never a direct connection.
pub fn choose(url: &Url, variables: &Variables) -> Result<Option<Proxy>, Error> {
    let own = match url.scheme {
        Scheme::Https => &variables.https_proxy,
        Scheme::Http => &variables.http_proxy,
    };
    let Some(variable) = own.as_ref().or(variables.all_proxy.as_ref()) else {
        return Ok(None);
    };
    let listed = variables.no_proxy.as_ref();
    if listed.is_some_and(|list| bypass::is_listed(url, list.value.expose())) {
        return Ok(None);
    }
    let proxy = parse(variable.value.expose(), variable.name);
    proxy.map(Some).map_err(|reason| Error {
        variable: variable.name,
        reason,
    })
}

fn parse(text: &str, variable: &'static str) -> Result<Proxy, &'static str> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let scheme = scheme.to_ascii_lowercase();
    if scheme.starts_with("socks") {
        return Err("it is a SOCKS proxy, and only http:// and https:// ones are supported");
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if path.contains('@') {
        return Err("a / ? or # in its user name or password must be written as %2F %3F or %23");
    }
    // An unencoded `@` in a password is common, and a host has none.
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (user, host),
        None => ("", authority),
    };
    let url = Url::parse(&format!("{scheme}://{host}/")).map_err(|error| match error {
        http::Error::Url { reason, .. } => reason,
        _ => "it is no address",
    })?;
    Ok(Proxy {
        scheme: url.scheme,
        host: url.host,
        port: url.port,
        authorization: authorization(user)?,
        variable,
    })
}

/// `user:password` of an address as a Basic credential (RFC 7617 §2).
fn authorization(user_info: &str) -> Result<Option<Secret>, &'static str> {
    if user_info.is_empty() {
        return Ok(None);
    }
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let (user, password) = (percent_decoded(user), percent_decoded(password));
    if user.contains(&b':') {
        return Err("a user name with a colon cannot be sent");
    }
    let both = [&user[..], b":", &password].concat();
    if both.iter().any(u8::is_ascii_control) {
        return Err("its user name or password has a control character");
    }
    let credential = format!("Basic {}", STANDARD.encode(both));
    Ok(Some(Secret::new(credential)))
}

/// A `%` that no two hexadecimal digits follow stands for itself: passwords are often pasted as
/// they are.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut decoded = Vec::with_capacity(rest.len());
    while let [first, after @ ..] = rest {
        let digits = after.first_chunk().filter(|_| *first == b'%');
        match digits.and_then(|[high, low]| Some(hex(*high)? << 4 | hex(*low)?)) {
            Some(byte) => {
                decoded.push(byte);
                rest = &after[2..];
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    decoded
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

/// What must hold for any text: an error shows none of it, and a proxy is one that can be asked.
pub fn fuzz_proxy(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    if let Ok(proxy) = parse(&text, "ALL_PROXY") {
        assert!(!proxy.host.is_empty() && proxy.port != 0);
        let authorization = proxy.authorization.as_ref().map_or("", Secret::expose);
        assert!(!authorization.contains(['\r', '\n', '\0']));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mutants::mutants;

    fn variables(set: &[(&str, &str)]) -> Variables {
        Variables::read(&|name| {
            let found = set.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.to_string())
        })
    }

    /// The proxy as `scheme://host:port credential variable`, `direct`, or what is wrong.
    #[track_caller]
    fn check(url: &str, set: &[(&str, &str)], expected: &str) {
        let url = Url::parse(url).unwrap();
        let shown = match choose(&url, &variables(set)) {
            Ok(None) => "direct".to_string(),
            Ok(Some(proxy)) => {
                let credential = proxy.authorization.as_ref().map_or("-", Secret::expose);
                format!("{proxy} {credential} {}", proxy.variable)
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{set:?}");
    }

    #[track_caller]
    fn check_value(value: &str, expected: &str) {
        let expected = format!("{expected} ALL_PROXY");
        check("https://h/", &[("ALL_PROXY", value)], &expected);
    }

    #[track_caller]
    fn check_wrong(value: &str, expected: &str) {
        let expected = format!("cannot use the proxy that ALL_PROXY names: {expected}");
        check("https://h/", &[("ALL_PROXY", value)], &expected);
    }

    #[test]
    fn the_variables_count_in_one_order() {
        let all = [
            ("HTTPS_PROXY", "b"),
            ("HTTP_PROXY", "d"),
            ("ALL_PROXY", "f"),
        ];
        check("https://h/", &all, "http://b:80 - HTTPS_PROXY");
        check("https://h/", &all[1..], "http://f:80 - ALL_PROXY");
        check("http://h/", &all, "http://d:80 - HTTP_PROXY");
        check("http://h/", &all[2..], "http://f:80 - ALL_PROXY");
        check("http://h/", &all[..1], "direct");
        check("https://h/", &[], "direct");
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let set = [("HTTPS_PROXY", " "), ("ALL_PROXY", "p")];
        check("https://h/", &set, "http://p:80 - ALL_PROXY");
        check("https://h/", &set[..1], "direct");
    }

    #[test]
    fn listed_hosts_are_asked_directly() {
        let set = [("ALL_PROXY", "p:3128"), ("NO_PROXY", "h")];
        check("https://h/", &set, "direct");
        check("https://i/", &set, "http://p:3128 - ALL_PROXY");
        check("http://127.0.0.1/", &set, "http://p:3128 - ALL_PROXY");
    }

    #[test]
    fn a_proxy_is_an_address_with_or_without_a_scheme() {
        check_value("proxy.corp:3128", "http://proxy.corp:3128 -");
        check_value(" http://Proxy.Corp:3128/ ", "http://proxy.corp:3128 -");
        check_value("HTTPS://p", "https://p:443 -");
        check_value("[::1]:8080", "http://[::1]:8080 -");
        check_value("http://10.0.0.1/x?y", "http://10.0.0.1:80 -");
    }

    #[test]
    fn its_user_and_password_become_a_credential() {
        check_value("me:pw@p:1", "http://p:1 Basic bWU6cHc=");
        check_value("http://me@p:1", "http://p:1 Basic bWU6");
        check_value("http://@p:1", "http://p:1 -");
        // `p@w/`, and passwords that nobody encoded.
        check_value("http://me:p%40w%2f@p:1", "http://p:1 Basic bWU6cEB3Lw==");
        check_value("http://me:p@w@p:1", "http://p:1 Basic bWU6cEB3");
        check_value("http://me:50%@p:1", "http://p:1 Basic bWU6NTAl");
        check_value("http://me:a:b@p:1", "http://p:1 Basic bWU6YTpi");
        check_value("http://m%c3%bc:x@p:1", "http://p:1 Basic bcO8Ong=");
    }

    #[test]
    fn what_is_no_proxy_is_an_error_without_its_password() {
        let socks = "it is a SOCKS proxy, and only http:// and https:// ones are supported";
        check_wrong("socks5h://me:pw@p:1080", socks);
        check_wrong("SOCKS5://p", socks);
        check_wrong("ftp://p", "it starts with neither http:// nor https://");
        check_wrong("http://", "it has no host");
        check_wrong("http://me:pw@:3128", "it has no host");
        check_wrong("http://p:port", "its port is not a number");
        check_wrong("p q", "it contains a space or a control character");
        check_wrong("::1", "an IPv6 address needs brackets, as in http://[::1]/");
        check_wrong(
            "http://me:p/w@p:3128",
            "a / ? or # in its user name or password must be written as %2F %3F or %23",
        );
        check_wrong(
            "http://a%3ab:pw@p",
            "a user name with a colon cannot be sent",
        );
        check_wrong(
            "http://me:p%0aw@p",
            "its user name or password has a control character",
        );
    }

    #[test]
    fn a_proxy_prints_without_its_password() {
        let set = variables(&[("ALL_PROXY", "http://me:hunter2@p:1")]);
        let url = Url::parse("https://h/").unwrap();
        let proxy = choose(&url, &set).unwrap().expect("one is set");
        assert!(!format!("{proxy} {proxy:?}").contains("hunter2"));
    }

    #[test]
    fn no_text_is_too_odd() {
        let fixture = b"https://me:p%40w@[::1]:3128/x?y";
        mutants(fixture).for_each(|text| fuzz_proxy(&text));
    }
}
