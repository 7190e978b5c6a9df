//! A service on loopback that streams one long answer, cut in one of several ways.
//!
//! The path says how: `/SHAPE/responses`. All bytes of an answer are made
//! before its first is sent, so that nothing lies between two writes but what the shape wants.

use std::hint;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

/// Bytes of a piece that is as large as a server's buffer.
const LARGE_PIECE_BYTES: usize = 64 * 1024;
/// Bytes of a piece that fits into one packet of an Ethernet.
const PACKET_PIECE_BYTES: usize = 1_400;

/// What a reader needs to be back in its wait before the next event.
const PACE: Duration = Duration::from_micros(15);

/// How an answer is cut. A piece is a chunk of its own, written at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A piece for each event, and time to read it before the next.
    Paced,
    /// A piece for each event.
    Events,
    /// Pieces of one packet, whatever the events are.
    Packets,
    /// Pieces of 64 KB, whatever the events are.
    Large,
    /// A chunk for each event, many of them written at once.
    Bundled,
    /// One word.
    Short,
}

impl Shape {
    /// The shapes of the long stream.
    pub const LONG: [Shape; 5] = [
        Shape::Paced,
        Shape::Events,
        Shape::Packets,
        Shape::Large,
        Shape::Bundled,
    ];

    /// Its name in a path.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Paced => "paced",
            Shape::Events => "events",
            Shape::Packets => "packets",
            Shape::Large => "large",
            Shape::Bundled => "bundled",
            Shape::Short => "short",
        }
    }

    /// What a row of the table says of it.
    pub fn title(self) -> &'static str {
        match self {
            Shape::Paced => "a chunk, a write and a read an event",
            Shape::Events => "a chunk and a write an event",
            Shape::Packets => "chunks of 1,400 bytes",
            Shape::Large => "chunks of 64 KB",
            Shape::Bundled => "a chunk an event, writes of 64 KB",
            Shape::Short => "one word",
        }
    }
}

/// A service that runs until the process ends.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// When the first byte of each request for an answer was read.
    pub asked: mpsc::Receiver<Instant>,
}

/// The events of an answer, as text.
struct Answers {
    long: Vec<String>,
    short: Vec<String>,
}

impl Server {
    /// Serves answers of `events` pieces of text.
    pub fn start(events: usize) -> io::Result<Server> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (sender, asked) = mpsc::channel();
        let answers = Arc::new(Answers {
            long: answer(events),
            short: answer(1),
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (sender, answers) = (sender.clone(), answers.clone());
                // A client that hangs up has had enough; the figures say so.
                thread::spawn(move || _ = serve(stream, &sender, &answers));
            }
        });
        Ok(Server { address, asked })
    }

    /// The address of the answer in that shape, without its last part.
    pub fn url(&self, shape: Shape) -> String {
        format!("http://{}/{}", self.address, shape.name())
    }
}

fn serve(
    mut stream: TcpStream,
    asked: &mpsc::Sender<Instant>,
    answers: &Answers,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (path, since) = read_request(&mut stream)?;
    let mut shapes = Shape::LONG.into_iter().chain([Shape::Short]);
    let Some(shape) = shapes.find(|shape| path.starts_with(&format!("/{}/", shape.name()))) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    };
    if path.ends_with("/responses") {
        // Nobody need be interested.
        let _ = asked.send(since);
    }
    let writes = match shape {
        Shape::Paced | Shape::Events => answers
            .long
            .iter()
            .map(|event| chunk(event.as_bytes()))
            .collect(),
        Shape::Packets => pieces(&answers.long.concat(), PACKET_PIECE_BYTES),
        Shape::Large => pieces(&answers.long.concat(), LARGE_PIECE_BYTES),
        Shape::Bundled => {
            let chunks = answers.long.iter().map(|event| chunk(event.as_bytes()));
            let bytes = chunks.collect::<Vec<_>>().concat();
            bytes
                .chunks(LARGE_PIECE_BYTES)
                .map(<[u8]>::to_vec)
                .collect()
        }
        Shape::Short => pieces(&answers.short.concat(), LARGE_PIECE_BYTES),
    };
    stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
          Transfer-Encoding: chunked\r\n\r\n",
    )?;
    for bytes in writes {
        stream.write_all(&bytes)?;
        if shape == Shape::Paced {
            let written = Instant::now();
            while written.elapsed() < PACE {
                hint::spin_loop();
            }
        }
    }
    stream.write_all(b"0\r\n\r\n")
}

/// Reads a request to its end, and returns its path and when its first byte was read.
fn read_request(stream: &mut TcpStream) -> io::Result<(String, Instant)> {
    let mut since = None;
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut buffer)?;
        let since = *since.get_or_insert_with(Instant::now);
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let head = text
            .split_once("\r\n\r\n")
            .map(|(head, _)| head.to_string());
        if let Some(head) = head {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            });
            if bytes.len() >= head.len() + 4 + length.unwrap_or(0) {
                let path = head.split(' ').nth(1).unwrap_or_default();
                return Ok((path.to_string(), since));
            }
        }
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn pieces(text: &str, bytes: usize) -> Vec<Vec<u8>> {
    text.as_bytes().chunks(bytes).map(chunk).collect()
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    let size = format!("{:x}\r\n", bytes.len());
    [size.as_bytes(), bytes, b"\r\n"].concat()
}

/// An answer of `count` words, as the service of the Responses wire sends it.
fn answer(count: usize) -> Vec<String> {
    const ID: &str = r#""msg_68b0c3f1a9d4819c8e0e6c5a7b1d2f3e0a1b2c3d4e5f6071""#;
    const NOISE: &str = "aZ3kQ9xW1mB7";
    let mut text = String::new();
    let mut events = vec![
        event("response.created", r#""response":{"id":"r","output":[]}"#),
        event(
            "response.output_item.added",
            &format!(
                r#""output_index":0,"item":{{"id":{ID},"type":"message","role":"assistant"}}"#
            ),
        ),
    ];
    for n in 0..count {
        let word = match n % 12 {
            11 => " end.\\n".to_string(),
            n => format!(" word{n}"),
        };
        let noise = &NOISE[..n % NOISE.len()];
        let fields = [
            r#""content_index":0,"delta":""#,
            &word,
            r#"","item_id":"#,
            ID,
            r#","logprobs":[],"obfuscation":""#,
            noise,
            r#"","output_index":0,"sequence_number":"#,
            &n.to_string(),
        ];
        events.push(event("response.output_text.delta", &fields.concat()));
        text.push_str(&word);
    }
    let content = format!(r#"[{{"type":"output_text","annotations":[],"text":"{text}"}}]"#);
    let item = format!(r#"{{"id":{ID},"type":"message","role":"assistant","content":{content}}}"#);
    let done = format!(r#""output_index":0,"item":{item}"#);
    events.push(event("response.output_item.done", &done));
    let usage = format!(r#"{{"input_tokens":10,"output_tokens":{count}}}"#);
    let response = format!(r#"{{"id":"r","output":[{item}],"usage":{usage}}}"#);
    events.push(event(
        "response.completed",
        &format!(r#""response":{response}"#),
    ));
    events
}

fn event(name: &str, fields: &str) -> String {
    format!("event: {name}\ndata: {{\"type\":\"{name}\",{fields}}}\n\n")
}
