//! Answers as servers make them, from the questions that they answer; for tests alone.

use std::net::IpAddr;

/// Flags of an answer: it is one, recursion was wanted and was available.
pub const PLAIN: u16 = 0x8180;

/// The answer did not fit.
pub const TRUNCATED: u16 = PLAIN | 0x0200;

/// There is no such name.
pub const NXDOMAIN: u16 = PLAIN | 3;

/// The name in wire form.
pub fn wire(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        wire.push(label.len() as u8);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    wire
}

/// Name and type that a question asks for.
pub fn asked(query: &[u8]) -> (String, u16) {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(std::str::from_utf8(&query[at + 1..end]).unwrap());
        at = end;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    (labels.join("."), kind)
}

/// A record; `owner` is in wire form and may be a pointer.
pub fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let mut record = owner.to_vec();
    record.extend(kind.to_be_bytes());
    record.extend(1_u16.to_be_bytes());
    record.extend(300_u32.to_be_bytes());
    record.extend((data.len() as u16).to_be_bytes());
    record.extend_from_slice(data);
    record
}

/// The record of one address.
pub fn address(owner: &[u8], ip: &str) -> Vec<u8> {
    match ip.parse().unwrap() {
        IpAddr::V4(ip) => record(owner, 1, &ip.octets()),
        IpAddr::V6(ip) => record(owner, 28, &ip.octets()),
    }
}

/// The answer to `query`, its question repeated, its records as given.
pub fn answer(query: &[u8], flags: u16, records: &[Vec<u8>]) -> Vec<u8> {
    let (name, kind) = asked(query);
    let mut message = query[..2].to_vec();
    for field in [flags, 1, records.len() as u16, 0, 0] {
        message.extend(field.to_be_bytes());
    }
    message.extend(wire(&name));
    message.extend(kind.to_be_bytes());
    message.extend(1_u16.to_be_bytes());
    message.extend(records.concat());
    message
}

/// A pointer to the name in the question, as almost every answer has it.
pub const ASKED: &[u8] = &[0xc0, 12];

/// Calls `body` with every message cut at every byte, and with every byte changed in a few ways.
pub fn mutate(messages: &[Vec<u8>], body: fn(&[u8])) {
    for message in messages {
        for at in 0..=message.len() {
            body(&message[..at]);
        }
        let mut changed = message.clone();
        for at in 0..message.len() {
            for value in [0, 1, 12, 0x3f, 0x40, 0xc0, 0xff, message[at] ^ 0x80] {
                changed[at] = value;
                body(&changed);
                body(&changed[..message.len() - message.len().min(at % 7)]);
            }
            changed[at] = message[at];
        }
    }
}
