//! `NO_PROXY`: which hosts are asked without a proxy. Text in, yes or no out; nothing is resolved.
//!
//! Entries are parted by commas and blanks. `*` is every host; `corp.example`, `.corp.example` and
//! `*.corp.example` are that host and all below it; `10.1.2.3` and `[::1]` are addresses,
//! `10.0.0.0/8` and `fd00::/8` ranges of them. Each but a range may end in `:port` and then counts
//! for that port alone. An address matches only a URL that is written with it. What is none of
//! these is passed over: then the proxy is asked, which is the safe side.

use crate::http::url::Url;
use std::net::IpAddr;
use std::net::Ipv6Addr;

/// Whether `url` is to be asked directly.
pub fn is_listed(url: &Url, list: &str) -> bool {
    let host = Host::of(&url.host);
    let mut entries = list.split(|c: char| c == ',' || c.is_whitespace());
    entries.any(|entry| !entry.is_empty() && matches(entry, &host, url.port))
}

/// Whom a request is for.
enum Host {
    /// In one form: an IPv4 address that is mapped into IPv6 is that IPv4 address.
    Address(IpAddr),
    /// In lower case, without the dot at its end.
    Name(String),
}

impl Host {
    fn of(text: &str) -> Host {
        match text.parse::<IpAddr>() {
            Ok(address) => Host::Address(address.to_canonical()),
            Err(_) => Host::Name(text.trim_end_matches('.').to_ascii_lowercase()),
        }
    }
}

fn matches(entry: &str, host: &Host, port: u16) -> bool {
    if let Some((base, bits)) = entry.split_once('/') {
        return match (host, unbracketed(base).parse(), parse_number(bits)) {
            (Host::Address(address), Ok(base), Some(bits)) => is_in(*address, base, bits),
            _ => false,
        };
    }
    let Some((entry, entry_port)) = split_port(entry) else {
        return false;
    };
    if entry_port.is_some_and(|entry_port| entry_port != u32::from(port)) {
        return false;
    }
    if entry == "*" {
        return true;
    }
    match (host, Host::of(unbracketed(entry))) {
        (Host::Address(address), Host::Address(listed)) => *address == listed,
        (Host::Name(name), Host::Name(listed)) => is_below(name, &listed),
        _ => false,
    }
}

/// The host of an entry and its port, if it names one; `None` for a port that is no number.
fn split_port(entry: &str) -> Option<(&str, Option<u32>)> {
    let is_bare_ipv6 = entry.parse::<Ipv6Addr>().is_ok();
    match entry.rsplit_once(':') {
        Some((host, port)) if !is_bare_ipv6 && !port.ends_with(']') => {
            Some((host, Some(parse_number(port)?)))
        }
        _ => Some((entry, None)),
    }
}

fn unbracketed(text: &str) -> &str {
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(text)
}

/// `parse` alone would take a sign.
fn parse_number(digits: &str) -> Option<u32> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

/// Whether `name` is `listed` or a name below it. The dot is what keeps `evil-corp.example` out of
/// `corp.example`.
fn is_below(name: &str, listed: &str) -> bool {
    let below = listed.strip_prefix("*.").or(listed.strip_prefix('.'));
    let listed = below.unwrap_or(listed);
    if listed.is_empty() {
        return false;
    }
    match name.strip_suffix(listed) {
        Some(before) => before.is_empty() || before.ends_with('.'),
        None => false,
    }
}

/// Whether the first `bits` bits of both are the same.
fn is_in(address: IpAddr, base: IpAddr, bits: u32) -> bool {
    match (address, base) {
        (IpAddr::V4(address), IpAddr::V4(base)) if bits <= 32 => {
            let differing = address.to_bits() ^ base.to_bits();
            differing.leading_zeros() >= bits
        }
        (IpAddr::V6(address), IpAddr::V6(base)) if bits <= 128 => {
            let differing = address.to_bits() ^ base.to_bits();
            differing.leading_zeros() >= bits
        }
        _ => false,
    }
}

/// What must hold for any list: a star before it lists everyone, and nothing it says is too odd.
pub fn fuzz_list(list: &[u8]) {
    let list = String::from_utf8_lossy(list);
    for text in [
        "https://a.corp.example/",
        "http://10.1.2.3:8080/",
        "http://[fd00::1]/",
    ] {
        let url = Url::parse(text).expect("a constant");
        let _ = is_listed(&url, &list);
        assert!(is_listed(&url, &format!("* {list}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mutants::mutants;

    #[track_caller]
    fn check(list: &str, listed: &[&str], others: &[&str]) {
        let is_listed = |text: &&&str| is_listed(&Url::parse(text).unwrap(), list);
        let all: Vec<&&str> = listed.iter().chain(others).collect();
        let found: Vec<&&str> = all.into_iter().filter(is_listed).collect();
        let expected: Vec<&&str> = listed.iter().collect();
        assert_eq!(found, expected, "{list}");
    }

    #[test]
    fn a_name_lists_itself_and_what_is_below_it() {
        for list in [
            "corp.example",
            ".corp.example",
            "*.corp.example",
            "CORP.example.",
        ] {
            check(
                list,
                &[
                    "http://corp.example",
                    "https://A.b.Corp.example",
                    "http://corp.example.:8/",
                ],
                &[
                    "http://evil-corp.example",
                    "http://corp.example.com",
                    "http://example",
                ],
            );
        }
        check(
            "localhost",
            &["http://localhost:8/"],
            &["http://127.0.0.1/"],
        );
    }

    #[test]
    fn entries_are_parted_by_commas_and_blanks() {
        let both = &["http://a/", "http://b/"][..];
        for list in ["a,b", " a , b ", "a b", ",,a,\tb,", "x y,a\nb"] {
            check(list, both, &["http://c/"]);
        }
        check("", &[], both);
    }

    #[test]
    fn a_star_lists_everyone() {
        let all = &["http://a/", "https://[::1]:8/", "http://1.2.3.4/"][..];
        check("*", all, &[]);
        check("a.example,*", all, &[]);
        check("*:80", &["http://a/"], &["https://a/"]);
        // Not a pattern: a star inside a name is nothing that others agree on.
        check("a*,*.,*b", &[], &["http://ab/", "http://b.b/"]);
    }

    #[test]
    fn a_port_lists_that_port_alone() {
        check(
            "a:8080,[::1]:443,1.2.3.4:80",
            &["http://x.a:8080/", "https://[::1]/", "http://1.2.3.4/"],
            &["http://a/", "http://[::1]/", "https://1.2.3.4/"],
        );
        check("a:,a:x,a:+80,a:99999999999,a:65616", &[], &["http://a/"]);
    }

    #[test]
    fn addresses_are_compared_as_numbers() {
        check(
            "::1,[FD00:0::1],10.1.2.3",
            &[
                "http://[::1]:8/",
                "http://[fd00::1]/",
                "http://10.1.2.3/",
                "http://[::ffff:10.1.2.3]/",
            ],
            &["http://[::2]/", "http://10.1.2.30/", "http://x.10.1.2.com/"],
        );
        check("1.2.3", &[], &["http://0.1.2.3/"]);
        check(".2.3.4", &[], &["http://1.2.3.4/"]);
    }

    #[test]
    fn ranges_list_the_addresses_in_them() {
        check(
            "10.0.0.0/8,192.168.7.9/24,fd00::/8,[2001:db8::]/32",
            &[
                "http://10.255.0.1/",
                "http://192.168.7.200/",
                "http://[fd12::1]/",
                "http://[2001:db8::9]/",
            ],
            &[
                "http://11.0.0.1/",
                "http://192.168.8.1/",
                "http://[fe80::1]/",
                "http://10.example/",
            ],
        );
        check(
            "0.0.0.0/0",
            &["http://9.9.9.9/"],
            &["http://[::1]/", "http://a/"],
        );
        check("::/0", &["http://[::1]/"], &["http://9.9.9.9/"]);
        check("1.2.3.4/32", &["http://1.2.3.4/"], &["http://1.2.3.5/"]);
        check(
            "1.2.3.4/33,1.2.3.4/,1.2.3.4/+8,1.2.3.4/x,/8,::/129,a/8",
            &[],
            &["http://1.2.3.4/", "http://[::]/", "http://a/"],
        );
    }

    #[test]
    fn no_list_is_too_odd() {
        let fixture = b".corp.example:80, 10.0.0.0/8 [fd00::]/8,[::1]:443,*";
        mutants(fixture).for_each(|list| fuzz_list(&list));
    }
}
