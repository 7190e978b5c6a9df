//! Answers as servers make them, and a server that gives them on loopback; for tests alone.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::thread;
use std::thread::JoinHandle;

/// Flags of an answer: it is one, recursion was wanted and was available.
pub const PLAIN: u16 = 0x8180;

/// The answer did not fit.
pub const TRUNCATED: u16 = PLAIN | 0x0200;

/// Response codes.
pub const FORMERR: u16 = PLAIN | 1;
pub const SERVFAIL: u16 = PLAIN | 2;
pub const NXDOMAIN: u16 = PLAIN | 3;
pub const REFUSED: u16 = PLAIN | 5;

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

/// Whether a question has an OPT record.
pub fn has_extension(query: &[u8]) -> bool {
    query[11] == 1
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

/// A server on loopback that answers every datagram by its script, until it is dropped.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    thread: Option<JoinHandle<Vec<(String, u16)>>>,
}

/// What answers a question: no datagram, one, or several; or the writes of a connection.
pub type Script = fn(&[u8]) -> Vec<Vec<u8>>;

impl Server {
    /// Answers by `script`.
    pub fn start(script: Script) -> Server {
        Server::on(UdpSocket::bind("127.0.0.1:0").unwrap(), script)
    }

    /// Answers by `script` on this socket.
    pub fn on(socket: UdpSocket, script: Script) -> Server {
        let address = socket.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let mut asked_for = Vec::new();
            let mut datagram = [0; 4096];
            loop {
                let (bytes, client) = socket.recv_from(&mut datagram).unwrap();
                // The empty datagram of `stop`.
                if bytes == 0 {
                    return asked_for;
                }
                let query = &datagram[..bytes];
                asked_for.push(asked(query));
                for answer in script(query) {
                    // The client may have enough already.
                    let _ = socket.send_to(&answer, client);
                }
            }
        });
        Server {
            address,
            thread: Some(thread),
        }
    }

    /// Stops, and returns the questions that came.
    pub fn stop(mut self) -> Vec<(String, u16)> {
        self.join().unwrap()
    }

    fn join(&mut self) -> Option<Vec<(String, u16)>> {
        let thread = self.thread.take()?;
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.send_to(&[], self.address).unwrap();
        Some(thread.join().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.join();
    }
}

/// A server that knows `www.example.org` by two addresses of each kind, and no other name.
pub fn knows_www(query: &[u8]) -> Vec<Vec<u8>> {
    let (name, kind) = asked(query);
    let ips = match kind {
        _ if name != "www.example.org" => return vec![answer(query, NXDOMAIN, &[])],
        1 => ["10.0.0.1", "10.0.0.2"],
        _ => ["fd00::1", "fd00::2"],
    };
    vec![answer(query, PLAIN, &ips.map(|ip| address(ASKED, ip)))]
}
