//! What goes over the pipe between brain and hands: one JSON document a line, both ways.
//!
//! Types and framing only; nothing here reads or writes a descriptor. A field is only ever added,
//! with a default, so that hands on another machine may be a little older or newer.

use crate::chat::CallKind;
use crate::chat::Part;
use crate::chat::ToolCall;
use crate::proc::environment::Pass;
use crate::sandbox::Mode;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The version of this protocol; both sides must speak the same.
pub const VERSION: u32 = 1;

/// The longest line: a picture of 10 MB in base64, several times over.
pub const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How the name of the hands' directory for temporary files begins.
pub const TEMP_PREFIX: &str = "sx-hands-";

/// How much of a line that is not understood goes into the error.
const QUOTE_BYTES_MAX: usize = 200;

/// What the brain says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The first line, and only the first: where and how to work.
    Start(Start),
    /// Run a tool.
    Call(Call),
    /// Stop a call. It still gets its result.
    Cancel(Cancel),
}

/// Where and how the hands work. They answer with [`Ready`] or [`Refused`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// [`VERSION`].
    pub v: u32,
    /// The working directory; `None` is where the hands were started.
    pub cwd: Option<WirePath>,
    /// What the tools may touch.
    pub sandbox: Mode,
    /// Whether they may use the network.
    pub network: bool,
    /// Paths that nobody reads, beside the table of `sandbox`: what settings name.
    pub hidden: Vec<WirePath>,
    /// Those of them that nobody may make either; see `sandbox::Policy`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<WirePath>,
    /// Paths that may be changed too.
    pub writable: Vec<WirePath>,
    /// How long a command may run if its call does not say.
    pub bash_timeout_ms: u64,
    /// Folders with documentation, for `docs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub docs: Vec<WirePath>,
    /// Variables that commands get beside those that every command gets, as the person wrote it.
    #[serde(default)]
    pub env_pass: String,
    /// How many bytes of instruction files are read.
    #[serde(default = "instructions_max")]
    pub instructions_max: u64,
    /// The names of the tools that are offered; a call of any other is answered as unknown.
    pub tools: Vec<String>,
}

/// What an older brain does not say.
fn instructions_max() -> u64 {
    32 << 10
}

impl Start {
    /// Which variables commands get. What cannot be read is none: an older brain sends nothing.
    pub fn pass(&self) -> Pass {
        Pass::parse(&self.env_pass).unwrap_or_default()
    }
}

/// A call of a tool, as the model wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The service's id; output and result carry it.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// JSON text or free text, possibly broken.
    pub arguments: String,
    /// Which of the two.
    #[serde(default)]
    pub kind: CallKind,
}

/// Stop the call with this id; one that has ended already is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// The call's id.
    pub id: String,
}

/// What the hands say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// They work, under this sandbox, at this place.
    Ready(Ready),
    /// They cannot work as asked, and end.
    Refused(Refused),
    /// A running command printed something.
    Output(Output),
    /// A call has its answer. Nothing more comes for it.
    Result(CallResult),
}

/// Facts about the place where the tools run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// [`VERSION`].
    pub v: u32,
    /// The version of the program.
    pub sx: String,
    /// The working directory.
    pub cwd: String,
    /// What is enforced, and by what: a part of the session line.
    pub sandbox: String,
    /// The shell that runs commands; `None` if there is none.
    pub shell: Option<String>,
    /// What the prompt tells the model.
    pub facts: Facts,
    /// The project's instruction files, outermost first.
    #[serde(default)]
    pub instructions: Vec<Instructions>,
    /// What works less well than it should, each a line for the person.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What the sandbox leaves open, each a line for whoever asks.
    #[serde(default)]
    pub gaps: Vec<String>,
    /// The hands' own directory for temporary files. They empty it at their end, but may not
    /// remove it, since their sandbox ends at its edge.
    #[serde(default)]
    pub temp: Option<WirePath>,
}

/// The machine and the project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The system, as it calls itself: `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// The processor: `x86_64`.
    pub arch: String,
    /// The repository around the working directory.
    pub git: Option<Git>,
}

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    /// Its root.
    pub root: String,
    /// The branch; `None` if the head is detached.
    pub branch: Option<String>,
}

/// A file that says how to work on the project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instructions {
    /// Where it lies.
    pub path: String,
    /// What it says, cut at a limit.
    pub text: String,
    /// How many of its bytes that are.
    #[serde(default)]
    pub used: u64,
    /// How many it has.
    #[serde(default)]
    pub of: u64,
}

/// Why the hands cannot work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// In one line.
    pub reason: String,
    /// What to do about it, in one line; may be empty.
    pub hint: String,
}

/// What a running command printed since the last time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The call's id.
    pub id: String,
    /// The text; a character is never cut in two.
    pub text: String,
}

/// The answer to a call. A failure is an answer too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallResult {
    /// The call's id.
    pub id: String,
    /// Whether the tool did what was asked.
    pub ok: bool,
    /// The command's exit status, for calls that ran one.
    pub exit: Option<i32>,
    /// How long it took.
    pub ms: u64,
    /// What the model reads.
    pub parts: Vec<Part>,
    /// A few words for a person: `48 lines`, `+1 -1`.
    pub summary: String,
    /// Lines that a person may want to see.
    pub detail: String,
    /// Whether `parts` are less than the tool had to say.
    pub truncated: bool,
    /// The file on the hands' side that holds all of it.
    pub spill: Option<String>,
}

impl From<&ToolCall> for Call {
    fn from(call: &ToolCall) -> Call {
        Call {
            id: call.id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
            kind: call.kind,
        }
    }
}

impl From<Call> for ToolCall {
    fn from(call: Call) -> ToolCall {
        ToolCall {
            id: call.id,
            name: call.name,
            arguments: call.arguments,
            kind: call.kind,
            // What the provider must see again never leaves the brain.
            opaque: None,
        }
    }
}

/// A path in a document: text, or its bytes as numbers where it is not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WirePath(pub PathBuf);

#[derive(Deserialize)]
#[serde(untagged)]
enum PathForm {
    Text(String),
    Bytes(Vec<u8>),
}

impl Serialize for WirePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_str() {
            Some(text) => serializer.serialize_str(text),
            None => self.0.as_os_str().as_bytes().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for WirePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WirePath, D::Error> {
        Ok(WirePath(match PathForm::deserialize(deserializer)? {
            PathForm::Text(text) => PathBuf::from(text),
            PathForm::Bytes(bytes) => PathBuf::from(OsString::from_vec(bytes)),
        }))
    }
}

/// The other side does not speak this protocol.
#[derive(Debug)]
pub enum Error {
    /// A line is longer than [`LINE_BYTES_MAX`].
    LineTooLong,
    /// A line is not a document that we know.
    NotUnderstood {
        /// How the line begins.
        line: String,
        /// Where and why reading it stopped.
        source: serde_json::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::LineTooLong => write!(f, "a line is longer than {LINE_BYTES_MAX} bytes"),
            Error::NotUnderstood { line, source } => {
                write!(f, "a line is not understood ({source}): {line}")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::LineTooLong => None,
            Error::NotUnderstood { source, .. } => Some(source),
        }
    }
}

/// Reads one line.
pub fn parse<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(line).map_err(|source| {
        let start = &line[..line.len().min(QUOTE_BYTES_MAX)];
        let line = String::from_utf8_lossy(start).escape_debug().to_string();
        Error::NotUnderstood { line, source }
    })
}

/// Bytes in, lines out: input may stop at any byte, and every byte is looked at once.
#[derive(Default)]
pub struct Lines {
    buffer: Vec<u8>,
    /// Where the next line starts. `start <= scanned <= buffer.len()`.
    start: usize,
    /// How far there is surely no line end.
    scanned: usize,
}

impl Lines {
    /// Adds what arrived. Take the lines out before adding more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole line without its end, if there is one.
    pub fn line(&mut self) -> Result<Option<&[u8]>, Error> {
        let unseen = &self.buffer[self.scanned..];
        let Some(found) = unseen.iter().position(|byte| *byte == b'\n') else {
            self.scanned = self.buffer.len();
            let is_too_long = self.buffer.len() - self.start > LINE_BYTES_MAX;
            return if is_too_long {
                Err(Error::LineTooLong)
            } else {
                Ok(None)
            };
        };
        let end = self.scanned + found;
        let start = std::mem::replace(&mut self.start, end + 1);
        self.scanned = self.start;
        Ok(Some(&self.buffer[start..end]))
    }
}

/// Lines that wait to be written.
#[derive(Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    /// How much of `bytes` is written already.
    sent: usize,
}

impl Outbox {
    /// Adds a document as a line.
    pub fn push(&mut self, document: &impl Serialize) {
        self.bytes.drain(..self.sent);
        self.sent = 0;
        serde_json::to_writer(&mut self.bytes, document)
            .expect("our documents have text keys, and a Vec takes every byte");
        self.bytes.push(b'\n');
    }

    /// Bytes that are not written yet.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Whether all is written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes at most `bytes_max` bytes in one go and forgets what was taken.
    pub fn write_some(&mut self, out: &mut impl Write, bytes_max: usize) -> io::Result<usize> {
        let end = self.bytes.len().min(self.sent + bytes_max);
        let written = out.write(&self.bytes[self.sent..end])?;
        self.sent += written;
        if self.is_empty() {
            // A picture's memory is given back, not kept for the next one.
            self.bytes = Vec::new();
            self.sent = 0;
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<'a, T>(line: &'a str, expected: T)
    where
        T: Serialize + Deserialize<'a> + PartialEq + fmt::Debug,
    {
        let got: T = parse(line.as_bytes()).unwrap();
        assert_eq!(got, expected);
        assert_eq!(serde_json::to_string(&expected).unwrap(), line);
    }

    #[test]
    fn documents_are_one_object_with_one_key() {
        check(
            r#"{"cancel":{"id":"c1"}}"#,
            Order::Cancel(Cancel { id: "c1".into() }),
        );
        check(
            r#"{"call":{"id":"c1","name":"bash","arguments":"{\n","kind":"freeform"}}"#,
            Order::Call(Call {
                id: "c1".into(),
                name: "bash".into(),
                arguments: "{\n".into(),
                kind: CallKind::Freeform,
            }),
        );
        check(
            concat!(
                r#"{"result":{"id":"c1","ok":true,"exit":0,"ms":3,"parts":[{"text":"a"}],"#,
                r#""summary":"","detail":"","truncated":false,"spill":null}}"#,
            ),
            Reply::Result(CallResult {
                id: "c1".into(),
                ok: true,
                exit: Some(0),
                ms: 3,
                parts: vec![Part::Text("a".into())],
                summary: String::new(),
                detail: String::new(),
                truncated: false,
                spill: None,
            }),
        );
    }

    #[test]
    fn a_start_says_where_and_how() {
        check(
            concat!(
                r#"{"start":{"v":1,"cwd":"/w","sandbox":"read-only","network":false,"#,
                r#""hidden":[[47,255]],"own":["/o"],"writable":[],"bash_timeout_ms":120000,"#,
                r#""env_pass":"CI","instructions_max":9,"tools":["bash"]}}"#,
            ),
            Order::Start(Start {
                v: 1,
                cwd: Some(WirePath("/w".into())),
                sandbox: Mode::ReadOnly,
                network: false,
                hidden: vec![WirePath(OsString::from_vec(vec![b'/', 0xff]).into())],
                own: vec![WirePath("/o".into())],
                writable: vec![],
                bash_timeout_ms: 120_000,
                docs: vec![],
                env_pass: "CI".into(),
                instructions_max: 9,
                tools: vec!["bash".into()],
            }),
        );
    }

    #[test]
    fn unknown_fields_are_passed_over_and_unknown_documents_are_not() {
        let cancel: Order = parse(br#"{"cancel":{"id":"c1","later":1}}"#).unwrap();
        assert_eq!(cancel, Order::Cancel(Cancel { id: "c1".into() }));
        for bad in [
            "",
            "{}",
            "Welcome to build7!",
            r#"{"dance":{}}"#,
            "\u{1b}[2J",
        ] {
            let error = parse::<Order>(bad.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("a line is not understood"), "{error}");
            assert!(!error.contains('\u{1b}'), "{error}");
        }
    }

    #[test]
    fn lines_come_out_whole_wherever_the_input_was_cut() {
        let input = b"one\n\ntwo two\nrest";
        for cut in 0..=input.len() {
            let mut lines = Lines::default();
            let mut got: Vec<Vec<u8>> = Vec::new();
            for piece in [&input[..cut], &input[cut..]] {
                lines.push(piece);
                while let Some(line) = lines.line().unwrap() {
                    got.push(line.to_vec());
                }
            }
            assert_eq!(got, [&b"one"[..], b"", b"two two"], "cut at {cut}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused_at_the_limit() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; LINE_BYTES_MAX / 4];
        for _ in 0..4 {
            lines.push(&piece);
            assert!(matches!(lines.line(), Ok(None)));
        }
        lines.push(b"x");
        assert!(matches!(lines.line(), Err(Error::LineTooLong)));
    }

    #[test]
    fn an_outbox_is_written_in_the_order_it_was_filled() {
        for chunk in 1..40 {
            let mut outbox = Outbox::default();
            let mut out = Vec::new();
            outbox.push(&Cancel { id: "a".into() });
            outbox.write_some(&mut out, chunk).unwrap();
            outbox.push(&Cancel { id: "b".into() });
            while !outbox.is_empty() {
                outbox.write_some(&mut out, chunk).unwrap();
            }
            assert_eq!(
                out, b"{\"id\":\"a\"}\n{\"id\":\"b\"}\n",
                "chunks of {chunk}"
            );
        }
    }
}
