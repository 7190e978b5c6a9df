//! DNS messages (RFC 1035, 3596, 6891): one question out, one answer in; bytes and no sockets.
//!
//! Left out: names above ASCII (to be written as `xn--`), records other than A, AAAA and CNAME,
//! DNSSEC, and the upper bits of the response code (only version 1 of EDNS would need them). A
//! name's times to live are kept for those who want to show them; nothing is cached.

use crate::base::text;
use crate::net::dns::ADDRESSES_MAX;
use std::error;
use std::fmt;
use std::net::IpAddr;

/// RFC 1035 §2.3.4, lengths and the root's zero included.
const NAME_BYTES_MAX: usize = 255;
const LABEL_BYTES_MAX: usize = 63;

/// A name has at most 127 labels, and no more than one pointer is needed after each.
const POINTERS_MAX: usize = 127;

/// Chains of aliases longer than this are made by mistake: resolvers stop at 8 to 16 themselves.
const ALIASES_MAX: usize = 16;

/// Far more than an answer for one name needs; what follows is not looked at.
const RECORDS_MAX: u16 = 512;

/// How large an answer may be over UDP: what fits every IPv6 path whole (1280 bytes less two
/// headers), as agreed on the DNS flag day of 2020.
pub const DATAGRAM_BYTES: u16 = 1232;

const IS_RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const IS_TRUNCATED: u16 = 0x0200;
const RECURSION_DESIRED: u16 = 0x0100;
const RESPONSE_CODE: u16 = 0x000f;

const CLASS_IN: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_OPT: u16 = 41;

/// Which family of addresses is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPv4.
    A,
    /// IPv6 (RFC 3596).
    Aaaa,
}

/// A question, by which its answer is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Random, so that nobody who does not see the question can answer it.
    pub id: u16,
    /// Whose addresses.
    pub name: Name,
    /// Which of them.
    pub kind: Kind,
}

/// What a server knows. Without addresses the name exists, but has none of this kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// In the server's order, each once, at most [`ADDRESSES_MAX`].
    pub addresses: Vec<IpAddr>,
    /// The shortest time to live of the records that led to the addresses; 0 without any.
    pub ttl_s: u32,
    /// There was more than fits; the whole answer is to be had over TCP.
    pub is_truncated: bool,
}

/// What a server says instead of an answer (RFC 1035 §4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// FORMERR: it does not understand the question, perhaps for its OPT record.
    NotUnderstood,
    /// SERVFAIL: it could not find out.
    ServerFailed,
    /// NXDOMAIN: there is no such name.
    NoSuchName,
    /// NOTIMP: it does not answer such questions.
    NotImplemented,
    /// REFUSED: it does not answer us.
    Refused,
    /// Any other.
    Other(u8),
}

/// Why there is no answer in a message, or no question from a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// This cannot be a host's name.
    Name {
        /// As it was given, made harmless.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Not the answer to our question; the right one may still come.
    Foreign,
    /// The server says that it has no answer.
    Code(Code),
    /// The server broke the format.
    Malformed {
        /// What was found.
        what: &'static str,
        /// Where in the message.
        at: usize,
    },
}

/// A domain name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Labels, each after its length, and the root's zero; lower case, since RFC 4343 compares
    /// without case. At most `NAME_BYTES_MAX` bytes.
    wire: Vec<u8>,
}

impl Name {
    /// Takes `host.example` or `host.example.`; both are the same name.
    pub fn parse(text: &str) -> Result<Name, Error> {
        labels(text).map_err(|reason| Error::Name {
            text: text::ellipsis(&text::harmless(text), 80).into_owned(),
            reason,
        })
    }

    /// This name inside `domain`, if that is not too long.
    pub fn within(&self, domain: &Name) -> Option<Name> {
        let labels = &self.wire[..self.wire.len() - 1];
        let wire = [labels, &domain.wire].concat();
        (wire.len() <= NAME_BYTES_MAX).then_some(Name { wire })
    }

    /// How many dots stand between its labels.
    pub fn dots(&self) -> usize {
        self.to_string().matches('.').count()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.wire.as_slice();
        let mut dot = "";
        while let [length @ 1..=63, tail @ ..] = rest {
            let (label, tail) = tail.split_at(usize::from(*length).min(tail.len()));
            write!(f, "{dot}{}", label.escape_ascii())?;
            (dot, rest) = (".", tail);
        }
        Ok(())
    }
}

/// The labels of a host name, with the characters that host names have (RFC 952, RFC 1123 §2.1)
/// and the underscore that many have all the same.
fn labels(text: &str) -> Result<Name, &'static str> {
    if !text.is_ascii() {
        return Err("it is not ASCII; write it in punycode (xn--…)");
    }
    let mut wire = Vec::new();
    for label in text.strip_suffix('.').unwrap_or(text).split('.') {
        let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if label.is_empty() {
            return Err("a part of it is empty");
        }
        if label.len() > LABEL_BYTES_MAX {
            return Err("a part of it is longer than 63 characters");
        }
        if !label.bytes().all(is_host_byte) {
            return Err("it has a character that host names do not have");
        }
        wire.push(label.len() as u8);
        wire.extend(label.bytes().map(|byte| byte.to_ascii_lowercase()));
        if wire.len() >= NAME_BYTES_MAX {
            return Err("it is longer than 253 characters");
        }
    }
    wire.push(0);
    Ok(Name { wire })
}

/// The question as it is sent: recursion wanted, and answers of up to [`DATAGRAM_BYTES`] welcome
/// (an OPT record, RFC 6891 §6.1.2).
pub fn query(id: u16, name: &Name, kind: Kind) -> Vec<u8> {
    let mut message = question(id, name, kind, 1);
    message.push(0);
    for field in [TYPE_OPT, DATAGRAM_BYTES, 0, 0, 0] {
        message.extend(field.to_be_bytes());
    }
    message
}

/// The question without an OPT record, for servers that do not understand it and for networks
/// that drop what has one; answers are at most 512 bytes long.
pub fn plain_query(id: u16, name: &Name, kind: Kind) -> Vec<u8> {
    question(id, name, kind, 0)
}

fn question(id: u16, name: &Name, kind: Kind, additional: u16) -> Vec<u8> {
    let mut message = Vec::with_capacity(64);
    for field in [id, RECURSION_DESIRED, 1, 0, 0, additional] {
        message.extend(field.to_be_bytes());
    }
    message.extend_from_slice(&name.wire);
    message.extend(kind.number().to_be_bytes());
    message.extend(CLASS_IN.to_be_bytes());
    message
}

/// Reads the answer to `asked`. Aliases are followed inside the message, whatever the order of its
/// records. Of a truncated message whatever is whole is used; what follows the answers is not
/// looked at.
pub fn parse(input: &[u8], asked: &Question) -> Result<Answer, Error> {
    let mut reader = Reader { input, at: 0 };
    // Too short for a header is nobody's answer: our id is not even in it.
    let header = reader.header().map_err(|_| Error::Foreign)?;
    let is_answer = header.flags & (IS_RESPONSE | OPCODE) == IS_RESPONSE;
    if header.id != asked.id || !is_answer {
        return Err(Error::Foreign);
    }
    let code = Code::of(header.flags);
    match header.questions {
        // A server that did not understand the question may not repeat it.
        0 if code.is_some() => {}
        1 => {
            let name = reader.name()?;
            let (kind, class) = (reader.u16()?, reader.u16()?);
            if (name, kind, class) != (asked.name.clone(), asked.kind.number(), CLASS_IN) {
                return Err(Error::Foreign);
            }
        }
        _ => return Err(reader.malformed("a wrong count of questions")),
    }
    if let Some(code) = code {
        return Err(Error::Code(code));
    }
    let is_truncated = header.flags & IS_TRUNCATED != 0;
    let mut records = Vec::new();
    for _ in 0..header.answers.min(RECORDS_MAX) {
        match reader.record(asked.kind) {
            Ok(record) => records.push(record),
            Err(_) if is_truncated => break,
            Err(error) => return Err(error),
        }
    }
    let (addresses, ttl_s) = follow(&asked.name, &records).ok_or(Error::Malformed {
        what: "aliases without an end",
        at: reader.at,
    })?;
    Ok(Answer {
        addresses,
        ttl_s,
        is_truncated,
    })
}

/// The addresses at the end of the aliases that begin at `name`, and the shortest time to live on
/// the way; `None` if they have no end.
fn follow(name: &Name, records: &[Record]) -> Option<(Vec<IpAddr>, u32)> {
    let mut owner = name;
    let mut ttl_s = u32::MAX;
    for _ in 0..=ALIASES_MAX {
        let mut addresses = Vec::new();
        let mut alias = None;
        for record in records.iter().filter(|record| record.owner == *owner) {
            match &record.data {
                Data::Address(ip) if addresses.contains(ip) => {}
                Data::Address(ip) if addresses.len() < ADDRESSES_MAX => {
                    addresses.push(*ip);
                    ttl_s = ttl_s.min(record.ttl_s);
                }
                Data::Alias(target) if alias.is_none() => alias = Some((target, record.ttl_s)),
                _ => {}
            }
        }
        match alias {
            _ if !addresses.is_empty() => return Some((addresses, ttl_s)),
            None => return Some((Vec::new(), 0)),
            Some((target, alias_ttl_s)) => {
                owner = target;
                ttl_s = ttl_s.min(alias_ttl_s);
            }
        }
    }
    None
}

/// The counts of a message that matter to us.
struct Header {
    id: u16,
    flags: u16,
    questions: u16,
    answers: u16,
}

/// One resource record.
struct Record {
    owner: Name,
    ttl_s: u32,
    data: Data,
}

/// What a record says.
enum Data {
    Address(IpAddr),
    Alias(Name),
    /// Signatures and the like, which nobody asked for.
    Other,
}

/// A message and how far it has been read; `at` never exceeds its length.
struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn header(&mut self) -> Result<Header, Error> {
        let header = Header {
            id: self.u16()?,
            flags: self.u16()?,
            questions: self.u16()?,
            answers: self.u16()?,
        };
        // The counts of what we do not look at.
        self.bytes::<4>()?;
        Ok(header)
    }

    fn record(&mut self, kind: Kind) -> Result<Record, Error> {
        let owner = self.name()?;
        let (number, class) = (self.u16()?, self.u16()?);
        let ttl_s = u32::from_be_bytes(self.bytes()?);
        let length = usize::from(self.u16()?);
        let end = self.at + length;
        if end > self.input.len() {
            return Err(self.malformed("a record longer than the message"));
        }
        let data = match number {
            _ if class != CLASS_IN => Data::Other,
            TYPE_CNAME => Data::Alias(self.name()?),
            _ if number != kind.number() => Data::Other,
            _ => Data::Address(match kind {
                Kind::A => IpAddr::from(self.bytes::<4>()?),
                Kind::Aaaa => IpAddr::from(self.bytes::<16>()?),
            }),
        };
        if self.at != end && !matches!(data, Data::Other) {
            return Err(self.malformed("a record of a wrong length"));
        }
        self.at = end;
        // RFC 2181 §8: with the highest bit set it counts as 0.
        let ttl_s = if ttl_s >> 31 == 0 { ttl_s } else { 0 };
        Ok(Record { owner, ttl_s, data })
    }

    /// A name, whose rest may stand elsewhere in the message (RFC 1035 §4.1.4).
    fn name(&mut self) -> Result<Name, Error> {
        let mut wire = Vec::new();
        // Where to go on reading after the name: behind the first pointer, if there is one.
        let mut after = None;
        // A pointer leads to a name that was there before, so that it never goes round.
        let mut earlier = self.at;
        let mut pointers = 0;
        loop {
            let [length] = self.bytes()?;
            match length {
                0 => break,
                1..=63 => {
                    let label = self.input.get(self.at..self.at + usize::from(length));
                    let label = label.ok_or_else(|| self.malformed("a name that is cut off"))?;
                    wire.push(length);
                    wire.extend(label.iter().map(u8::to_ascii_lowercase));
                    self.at += usize::from(length);
                    if wire.len() >= NAME_BYTES_MAX {
                        return Err(self.malformed("a name longer than 255 bytes"));
                    }
                }
                0xc0.. => {
                    let [low] = self.bytes()?;
                    let target = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    after = after.or(Some(self.at));
                    pointers += 1;
                    if target >= earlier || pointers > POINTERS_MAX {
                        return Err(self.malformed("a pointer that does not lead back"));
                    }
                    (earlier, self.at) = (target, target);
                }
                _ => return Err(self.malformed("a label of no known kind")),
            }
        }
        wire.push(0);
        self.at = after.unwrap_or(self.at);
        Ok(Name { wire })
    }

    fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.bytes()?))
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        match self.input[self.at..].first_chunk() {
            Some(bytes) => {
                self.at += N;
                Ok(*bytes)
            }
            None => Err(self.malformed("its end")),
        }
    }

    fn malformed(&self, what: &'static str) -> Error {
        Error::Malformed { what, at: self.at }
    }
}

impl Kind {
    fn number(self) -> u16 {
        match self {
            Kind::A => 1,
            Kind::Aaaa => 28,
        }
    }
}

impl Code {
    /// `None` is NOERROR.
    fn of(flags: u16) -> Option<Code> {
        match flags & RESPONSE_CODE {
            0 => None,
            1 => Some(Code::NotUnderstood),
            2 => Some(Code::ServerFailed),
            3 => Some(Code::NoSuchName),
            4 => Some(Code::NotImplemented),
            5 => Some(Code::Refused),
            other => Some(Code::Other(other as u8)),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::A => "A",
            Kind::Aaaa => "AAAA",
        })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Code::NotUnderstood => f.write_str("did not understand the question (FORMERR)"),
            Code::ServerFailed => f.write_str("could not find out (SERVFAIL)"),
            Code::NoSuchName => f.write_str("no such name (NXDOMAIN)"),
            Code::NotImplemented => f.write_str("does not answer such questions (NOTIMP)"),
            Code::Refused => f.write_str("refused to answer (REFUSED)"),
            Code::Other(number) => write!(f, "answered with code {number}"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Name { text, reason } => write!(f, "`{text}` is no host name: {reason}"),
            Error::Foreign => f.write_str("an answer to another question"),
            Error::Code(code) => code.fmt(f),
            Error::Malformed { what, at } => {
                write!(f, "a broken answer ({what} at byte {at})")
            }
        }
    }
}

impl error::Error for Error {}

/// The body of a fuzz target: whatever arrives, reading it ends, and never with too much.
pub fn fuzz_message(bytes: &[u8]) {
    let id = bytes.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
    for kind in [Kind::A, Kind::Aaaa] {
        let name = Name::parse("www.example.org").expect("a plain name");
        let asked = Question { id, name, kind };
        if let Ok(answer) = parse(bytes, &asked) {
            assert!(answer.addresses.len() <= ADDRESSES_MAX);
            let is_v4 = kind == Kind::A;
            assert!(answer.addresses.iter().all(|ip| ip.is_ipv4() == is_v4));
        }
    }
    let mut reader = Reader {
        input: bytes,
        at: 0,
    };
    while let Ok(name) = reader.name() {
        assert!(name.wire.len() <= NAME_BYTES_MAX && reader.at <= bytes.len());
        let _ = name.to_string();
        if reader.at == bytes.len() {
            break;
        }
    }
}

#[cfg(test)]
mod tests;
