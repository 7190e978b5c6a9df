//! Who a certificate is for, by whom, and for how long: a small reader of DER (X.690, RFC 5280).
//!
//! For texts only: error messages, `sx probe`. Whether a certificate is to be trusted is decided
//! elsewhere and never from what is read here, so nothing is checked but that the bytes can be
//! read. Any bytes may come: nothing recurses, and every text is bounded and harmless.

use crate::base::date;
use crate::base::text;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// A name longer than this tells a reader nothing more.
const NAME_CHARS_MAX: usize = 200;

/// Four times what RFC 5280 A.1 allows for most attributes would not fit on a line.
const VALUE_CHARS_MAX: usize = 64;

/// Honest names have up to ten parts; the rest is not shown.
const PARTS_MAX: usize = 32;

/// As many host names are kept for an error text; certificates of large sites have a hundred.
const HOSTS_MAX: usize = 8;

/// What is worth telling about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is, on one line, most specific part first (RFC 4514). Often empty today.
    pub subject: String,
    /// Who signed it, likewise.
    pub issuer: String,
    /// The first second in which it holds, unix time; 0 for years before 1970.
    pub not_before: u64,
    /// The last, likewise.
    pub not_after: u64,
    /// The first few names and addresses that it is for (RFC 5280 §4.2.1.6).
    pub hosts: Vec<String>,
    /// How many there are.
    pub hosts_count: usize,
}

impl Certificate {
    /// Reads a certificate; `None` if these bytes are none.
    pub fn parse(der: &[u8]) -> Option<Certificate> {
        let whole = Reader(der).content(SEQUENCE)?;
        let mut body = Reader(Reader(whole).content(SEQUENCE)?);
        body.skip_if(VERSION)?;
        body.content(INTEGER)?; // serial number
        body.content(SEQUENCE)?; // signature algorithm
        let issuer = body.content(SEQUENCE)?;
        let mut validity = Reader(body.content(SEQUENCE)?);
        let subject = body.content(SEQUENCE)?;
        body.content(SEQUENCE)?; // public key
        let (hosts, hosts_count) = hosts(body).unwrap_or_default();
        Some(Certificate {
            subject: name(subject)?,
            issuer: name(issuer)?,
            not_before: time(&mut validity)?,
            not_after: time(&mut validity)?,
            hosts,
            hosts_count,
        })
    }

    /// The subject, or the first host where there is none.
    pub fn title(&self) -> &str {
        match self.hosts.first() {
            Some(host) if self.subject.is_empty() => host,
            _ if self.subject.is_empty() => "without a name",
            _ => &self.subject,
        }
    }
}

/// The tags that we meet (X.690 §8; RFC 5280 A.1 and A.2).
const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTF8_STRING: u8 = 0x0c;
const NUMERIC_STRING: u8 = 0x12;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const UNIVERSAL_STRING: u8 = 0x1c;
const BMP_STRING: u8 = 0x1e;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// id-ce-subjectAltName, 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// Attribute types with a short name (RFC 4514 §3, and what else stands in real certificates).
const ATTRIBUTES: &[(&[u8], &str)] = &[
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 97], "organizationIdentifier"),
    (
        &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1],
        "UID",
    ),
    (
        &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25],
        "DC",
    ),
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1],
        "emailAddress",
    ),
];

/// Elements that follow each other: tag, length, content.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Takes the next element; `None` at the end, and where there is none that could be read.
    fn element(&mut self) -> Option<(u8, &'a [u8])> {
        let [tag, length, rest @ ..] = self.0 else {
            return None;
        };
        // A tag of several bytes stands nowhere in a certificate.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, rest) = match length {
            0..=0x7f => (usize::from(*length), rest),
            // 0x80, a length that is not known yet, is not allowed in DER; more than four bytes
            // of length is more than any message holds.
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
                let number = |sum: usize, digit: &u8| sum << 8 | usize::from(*digit);
                (digits.iter().fold(0, number), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// Takes the next element, which must have this tag.
    fn content(&mut self, expected: u8) -> Option<&'a [u8]> {
        let (tag, content) = self.element()?;
        (tag == expected).then_some(content)
    }

    /// Takes the next element if it has this tag.
    fn skip_if(&mut self, tag: u8) -> Option<()> {
        if self.0.first() == Some(&tag) {
            self.element()?;
        }
        Some(())
    }
}

/// A distinguished name: a sequence of sets of attributes, the widest first. RFC 4514 §2.1 writes
/// it the other way round.
fn name(sequence: &[u8]) -> Option<String> {
    let mut sequence = Reader(sequence);
    let mut parts = Vec::new();
    while !sequence.0.is_empty() {
        let mut set = Reader(sequence.content(SET)?);
        let mut attributes = Vec::new();
        while !set.0.is_empty() && attributes.len() < PARTS_MAX {
            attributes.push(attribute(set.content(SEQUENCE)?)?);
        }
        parts.push(attributes.join("+"));
        if parts.len() == PARTS_MAX {
            break;
        }
    }
    parts.reverse();
    Some(text::ellipsis(&parts.join(","), NAME_CHARS_MAX).into_owned())
}

fn attribute(pair: &[u8]) -> Option<String> {
    let mut pair = Reader(pair);
    let kind = pair.content(OBJECT_IDENTIFIER)?;
    let (tag, bytes) = pair.element()?;
    let known = ATTRIBUTES.iter().find(|(bytes, _)| *bytes == kind);
    let kind = match known {
        Some((_, name)) => name.to_string(),
        None => dotted(kind),
    };
    Some(format!("{kind}={}", value(tag, bytes)))
}

/// An object identifier in numbers (X.690 §8.19).
fn dotted(bytes: &[u8]) -> String {
    let mut arcs: Vec<u64> = Vec::new();
    let mut arc = 0_u64;
    for byte in bytes.iter().take(VALUE_CHARS_MAX) {
        arc = arc.wrapping_shl(7) | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        if arcs.is_empty() {
            let first = (arc / 40).min(2);
            arcs.push(first);
            arc -= first * 40;
        }
        arcs.push(arc);
        arc = 0;
    }
    let arcs: Vec<String> = arcs.iter().map(u64::to_string).collect();
    arcs.join(".")
}

/// A value as RFC 4514 §2.4 writes it: text, or hexadecimal after a `#` where it is none.
fn value(tag: u8, bytes: &[u8]) -> String {
    if let Some(text) = string(tag, bytes) {
        return escaped(&text);
    }
    let digits = bytes.iter().take(VALUE_CHARS_MAX / 2);
    let digits: String = digits.map(|byte| format!("{byte:02x}")).collect();
    format!("#{digits}")
}

/// The text of a string of any kind.
fn string(tag: u8, bytes: &[u8]) -> Option<String> {
    let unknown = char::REPLACEMENT_CHARACTER;
    Some(match tag {
        UTF8_STRING => String::from_utf8_lossy(bytes).into_owned(),
        // Nobody writes real T.61; what stands in such strings is Latin-1.
        PRINTABLE_STRING | IA5_STRING | NUMERIC_STRING | TELETEX_STRING => latin1(bytes),
        BMP_STRING => {
            let units = bytes.chunks_exact(2);
            let units = units.map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            let decoded = char::decode_utf16(units);
            decoded.map(|unit| unit.unwrap_or(unknown)).collect()
        }
        UNIVERSAL_STRING => {
            let points = bytes.chunks_exact(4);
            let points =
                points.map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]));
            let decoded = points.map(char::from_u32);
            decoded.map(|point| point.unwrap_or(unknown)).collect()
        }
        _ => return None,
    })
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// Text as RFC 4514 §2.4 writes it, so that no value can pass for a name of several parts.
fn escaped(value: &str) -> String {
    let value = text::ellipsis(value, VALUE_CHARS_MAX);
    let last = value.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(value.len());
    for (index, c) in value.chars().enumerate() {
        let is_edge = c == ' ' && (index == 0 || index == last) || c == '#' && index == 0;
        if is_edge || "\"+,;<>\\".contains(c) {
            escaped.push('\\');
            escaped.push(c);
        } else if c.is_control() {
            let mut bytes = [0; 4];
            let bytes = c.encode_utf8(&mut bytes).bytes();
            escaped.extend(bytes.map(|byte| format!("\\{byte:02X}")));
        } else {
            escaped.push(c);
        }
    }
    text::harmless(&escaped).into_owned()
}

/// A time of either kind as unix seconds. RFC 5280 §4.1.2.5 wants seconds and `Z` in both, and
/// takes years of two digits from 1950 on.
fn time(reader: &mut Reader<'_>) -> Option<u64> {
    let (tag, digits) = reader.element()?;
    let digits = str::from_utf8(digits)
        .ok()
        .filter(|digits| digits.is_ascii())?;
    let (century, digits) = match tag {
        UTC_TIME if digits < "50" => ("20", digits),
        UTC_TIME => ("19", digits),
        GENERALIZED_TIME => digits.split_at_checked(2)?,
        _ => return None,
    };
    if digits.len() != "YYMMDDhhmmssZ".len() {
        return None;
    }
    let pair = |index: usize| &digits[2 * index..2 * index + 2];
    let (year, month, day) = (pair(0), pair(1), pair(2));
    let (hour, minute, second) = (pair(3), pair(4), pair(5));
    let zone = &digits[12..];
    let text = format!("{century}{year}-{month}-{day}T{hour}:{minute}:{second}{zone}");
    let is_before_1970 = text.as_str() < "1970";
    date::parse_rfc3339(&text).or(is_before_1970.then_some(0))
}

/// The hosts that a certificate is for, the first few and their number, read from what follows the
/// public key. `None` where it does not say.
fn hosts(mut rest: Reader<'_>) -> Option<(Vec<String>, usize)> {
    let extensions = loop {
        let (tag, content) = rest.element()?;
        if tag == EXTENSIONS {
            break Reader(content).content(SEQUENCE)?;
        }
    };
    let mut extensions = Reader(extensions);
    let value = loop {
        let mut extension = Reader(extensions.content(SEQUENCE)?);
        let kind = extension.content(OBJECT_IDENTIFIER)?;
        extension.skip_if(BOOLEAN)?;
        if kind == SUBJECT_ALT_NAME {
            break extension.content(OCTET_STRING)?;
        }
    };
    let mut names = Reader(Reader(value).content(SEQUENCE)?);
    let (mut hosts, mut count) = (Vec::new(), 0);
    while let Some((tag, content)) = names.element() {
        let host = match (tag, content.len()) {
            (DNS_NAME, _) => escaped(&latin1(content)),
            (IP_ADDRESS, 4) => Ipv4Addr::from(<[u8; 4]>::try_from(content).ok()?).to_string(),
            (IP_ADDRESS, 16) => Ipv6Addr::from(<[u8; 16]>::try_from(content).ok()?).to_string(),
            _ => continue,
        };
        count += 1;
        if hosts.len() < HOSTS_MAX {
            hosts.push(host);
        }
    }
    Some((hosts, count))
}

/// What must hold for any bytes: texts are bounded and can be printed.
pub fn fuzz_certificate(der: &[u8]) {
    let Some(certificate) = Certificate::parse(der) else {
        return;
    };
    assert!(certificate.hosts.len() <= certificate.hosts_count.min(HOSTS_MAX));
    let texts = [&certificate.subject, &certificate.issuer];
    for text in texts.into_iter().chain(&certificate.hosts) {
        // Every character of a host may have been escaped.
        assert!(text.chars().count() <= NAME_CHARS_MAX.max(VALUE_CHARS_MAX * 12));
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mutants::mutants;
    use crate::net::pem;

    const SERVER: &str = include_str!("../../tests/data/tls/server.pem");
    const EXPIRED: &str = include_str!("../../tests/data/tls/expired.pem");
    const RSA: &str = include_str!("../../tests/data/tls/rsa.pem");

    fn der(file: &str) -> Vec<u8> {
        pem::sections(file.as_bytes()).remove(0).der.unwrap()
    }

    fn parse(file: &str) -> Certificate {
        Certificate::parse(&der(file)).unwrap()
    }

    #[test]
    fn subject_issuer_dates_and_hosts_are_read() {
        let server = parse(SERVER);
        assert_eq!(server.subject, "CN=localhost");
        assert_eq!(server.issuer, "CN=Test Root,O=Example\\, Inc.");
        assert_eq!(date::rfc3339(server.not_before), "2000-01-01T00:00:00Z");
        assert_eq!(date::rfc3339(server.not_after), "2126-01-01T00:00:00Z");
        assert_eq!(server.hosts, ["localhost", "*.h.test", "127.0.0.1", "::1"]);
        assert_eq!(server.hosts_count, 4);
        let expired = parse(EXPIRED);
        assert_eq!(date::rfc3339(expired.not_after), "2021-01-02T03:04:05Z");
        assert_eq!(expired.title(), "CN=expired");
    }

    #[test]
    fn odd_characters_of_a_name_are_escaped() {
        let rsa = parse(RSA);
        assert_eq!(
            rsa.subject,
            "CN=\\ x+UID=7,emailAddress=a@b,DC=example,O=\\#B\\+üro\\; \\\"x\\\",C=DE"
        );
        assert_eq!(rsa.hosts_count, 0);
    }

    #[test]
    fn strings_of_every_kind_become_harmless_text() {
        #[track_caller]
        fn check(tag: u8, bytes: &[u8], expected: &str) {
            assert_eq!(value(tag, bytes), expected);
        }
        check(UTF8_STRING, "é\u{202e}\n".as_bytes(), "é\\u{202e}\\0A");
        check(UTF8_STRING, b"a\xff", "a\u{fffd}");
        check(TELETEX_STRING, b"\xfc\x1b[1m", "ü\\1B[1m");
        check(BMP_STRING, b"\0a\x20\xac\xd8", "a€");
        check(BMP_STRING, b"\xd8\0\0a", "\u{fffd}a");
        check(UNIVERSAL_STRING, b"\0\0\0a\0\x11\0\0", "a\u{fffd}");
        check(INTEGER, b"\x01\xab", "#01ab");
        check(UTF8_STRING, &[b'a'; 100], &("a".repeat(63) + "…"));
        check(UTF8_STRING, b"", "");
        check(UTF8_STRING, b" ", "\\ ");
    }

    #[test]
    fn an_unknown_attribute_is_named_by_its_number() {
        assert_eq!(dotted(&[0x2a, 0x86, 0x48]), "1.2.840");
        assert_eq!(dotted(&[0x55, 4, 97]), "2.5.4.97");
        assert_eq!(dotted(&[0x88, 0x37]), "2.999");
        assert_eq!(dotted(&[0xff; 99]), "");
    }

    #[test]
    fn times_of_both_kinds_are_read() {
        #[track_caller]
        fn check(tag: u8, digits: &str, expected: Option<&str>) {
            let mut der = vec![tag, u8::try_from(digits.len()).unwrap()];
            der.extend(digits.as_bytes());
            let found = time(&mut Reader(&der)).map(date::rfc3339);
            assert_eq!(found.as_deref(), expected, "{digits}");
        }
        check(UTC_TIME, "491231235959Z", Some("2049-12-31T23:59:59Z"));
        check(UTC_TIME, "700101000001Z", Some("1970-01-01T00:00:01Z"));
        check(UTC_TIME, "500101000000Z", Some("1970-01-01T00:00:00Z"));
        check(
            GENERALIZED_TIME,
            "20500101000000Z",
            Some("2050-01-01T00:00:00Z"),
        );
        check(
            GENERALIZED_TIME,
            "99991231235959Z",
            Some("9999-12-31T23:59:59Z"),
        );
        check(
            GENERALIZED_TIME,
            "19500101000000Z",
            Some("1970-01-01T00:00:00Z"),
        );
        check(UTC_TIME, "2101010000Z", None);
        check(UTC_TIME, "211301000000Z", None);
        check(UTC_TIME, "210101000000+", None);
        check(UTC_TIME, "2101010000é", None);
        check(GENERALIZED_TIME, "2", None);
        check(INTEGER, "210101000000Z", None);
    }

    #[test]
    fn lengths_that_lie_are_no_certificate() {
        for der in [
            &[][..],
            &[0x30],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x85, 0, 0, 0, 0, 1, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x82, 1],
            &[0x3f, 0x81, 1, 0],
        ] {
            assert_eq!(Certificate::parse(der), None, "{der:?}");
        }
    }

    #[test]
    fn no_bytes_are_too_odd() {
        for file in [SERVER, RSA] {
            mutants(&der(file)).for_each(|der| fuzz_certificate(&der));
        }
    }
}
