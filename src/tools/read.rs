//! `read`: a window of a text file, with numbered lines.
//!
//! The file goes past in pieces, so that neither its size nor a line's matters, and only up to a
//! limit, so that an answer comes at once. What is no text is named instead of shown.

use crate::chat::image;
use crate::chat::tool::Effect;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::tools::Answer;
use crate::tools::Refusal;
use crate::tools::Start;
use crate::tools::Tool;
use crate::tools::Workplace;
use crate::tools::arguments::Arguments;
use crate::tools::encoding::Encoding;
use crate::tools::file;
use crate::tools::file::Target;
use crate::tools::limit;
use std::io::Read;
use std::ops::Range;

/// The tool.
pub(super) const TOOL: Tool = Tool {
    spec: ToolSpec {
        name: "read",
        description: "Reads a text file. Each line comes with its number and a tab before it, \
            which are not part of the file.",
        input: Input::Schema(concat!(
            r#"{"type":"object","properties":{"path":{"type":"string"},"#,
            r#""offset":{"type":"integer","description":"first line, from 1"},"#,
            r#""limit":{"type":"integer","description":"lines, 2000 if left out"}},"#,
            r#""required":["path"],"additionalProperties":false}"#,
        )),
        effect: Effect::Reads,
    },
    fields: &["path", "offset", "limit"],
    start,
};

/// What most source files stay below.
const LINES_DEFAULT: u64 = 2_000;

/// Longer than any line that a person wrote; minified files would fill the window otherwise.
const LINE_BYTES_MAX: usize = 2_000;

/// As much as a slow disk gives in a second or two.
const SCAN_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How much of a file decides whether it is text: as git does it.
const SNIFF_BYTES: usize = 8_000;

const PIECE_BYTES: usize = 64 * 1024;

fn start(mut arguments: Arguments, place: &Workplace) -> Result<Start, Refusal> {
    let target = Target::new(&place.cwd, &arguments.text("path")?)?;
    let first = arguments.count("offset")?.unwrap_or(1);
    let limit = arguments.count("limit")?;
    let (file, metadata) = target.open()?;

    let mut window = Window::new(
        first..first.saturating_add(limit.unwrap_or(LINES_DEFAULT)),
        place.limits.shown_bytes(),
    );
    let mut file = file.take(SCAN_BYTES_MAX);
    let mut piece = vec![0; PIECE_BYTES];
    let mut is_start = true;
    let end = loop {
        let length = match file.read(&mut piece) {
            Ok(0) if file.limit() == 0 => break End::ScanLimit,
            Ok(0) => break End::File,
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(target.read_error(error).into()),
        };
        let mut bytes = &piece[..length];
        if is_start {
            if Encoding::of(bytes) != Encoding::Bytes {
                return recoded(window, limit.is_some(), &target);
            }
            if let Some(what) = not_text(bytes) {
                let size = metadata.len();
                let name = &target.name;
                return Err(Refusal::new(format!("{name} ({size} bytes) {what}")));
            }
            bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            is_start = false;
        }
        if window.feed(bytes) == Flow::Full {
            break End::Window;
        }
    };
    window.answer(end, limit.is_some(), &target.name)
}

/// The window of a file in UTF-16, which is read whole: its lines do not end with a byte.
fn recoded(mut window: Window, has_limit: bool, target: &Target) -> Result<Start, Refusal> {
    let (_, text) = target.read_text(file::WHOLE_BYTES_MAX)?;
    window.is_recoded = true;
    let end = match window.feed(&text) {
        Flow::Full => End::Window,
        Flow::More => End::File,
    };
    window.answer(end, has_limit, &target.name)
}

/// Why the reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// There is no more.
    File,
    /// The window is full, and there is more.
    Window,
    /// `SCAN_BYTES_MAX` went by.
    ScanLimit,
}

/// What a file is that is no text, and what to do with it.
fn not_text(start: &[u8]) -> Option<String> {
    if let Some(media_type) = image::media_type(start) {
        return Some(format!("is {media_type}; look at it with view_image"));
    }
    let sniffed = &start[..start.len().min(SNIFF_BYTES)];
    if sniffed.contains(&0) {
        let magic: Vec<String> = start.iter().take(8).map(|b| format!("{b:02x}")).collect();
        let magic = magic.join(" ");
        return Some(format!(
            "is binary (it starts with {magic}); look at it with bash: file, xxd, strings"
        ));
    }
    None
}

/// Whether a window takes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    More,
    Full,
}

/// The wanted lines of a file that goes past.
#[derive(Debug)]
struct Window {
    /// Numbers of the wanted lines.
    wanted: Range<u64>,
    text_bytes_max: usize,
    /// The finished lines, numbered.
    text: String,
    /// How many lines `text` has.
    shown: u64,
    /// The number of the line that is going past.
    number: u64,
    /// Its first bytes, at most `LINE_BYTES_MAX`, if it is wanted.
    line: Vec<u8>,
    /// How long it is so far.
    line_bytes: u64,
    has_crlf: bool,
    has_broken: bool,
    has_nul: bool,
    is_recoded: bool,
}

impl Window {
    fn new(wanted: Range<u64>, text_bytes_max: usize) -> Window {
        Window {
            wanted,
            text_bytes_max,
            text: String::new(),
            shown: 0,
            number: 1,
            line: Vec::new(),
            line_bytes: 0,
            has_crlf: false,
            has_broken: false,
            has_nul: false,
            is_recoded: false,
        }
    }

    /// Takes the next bytes of the file. Full once there is a byte behind the last wanted line.
    fn feed(&mut self, mut bytes: &[u8]) -> Flow {
        while !bytes.is_empty() {
            if self.number >= self.wanted.end || self.text.len() >= self.text_bytes_max {
                return Flow::Full;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            if self.wanted.contains(&self.number) {
                let room = LINE_BYTES_MAX - self.line.len();
                self.line.extend_from_slice(&part[..part.len().min(room)]);
            }
            self.line_bytes += part.len() as u64;
            if end.is_some() {
                self.end_line();
            }
            bytes = rest;
        }
        Flow::More
    }

    /// The line that is going past is whole.
    fn end_line(&mut self) {
        if self.wanted.contains(&self.number) {
            let cut = self.line_bytes - self.line.len() as u64;
            if cut > 0 {
                limit::cut_broken_end(&mut self.line);
            }
            let cut = self.line_bytes - self.line.len() as u64;
            let mut line = self.line.as_slice();
            if let Some(without) = line.strip_suffix(b"\n") {
                line = without;
            }
            if let Some(without) = line.strip_suffix(b"\r") {
                line = without;
                self.has_crlf = true;
            }
            let shown = String::from_utf8_lossy(line);
            self.has_broken |= std::str::from_utf8(line).is_err();
            self.has_nul |= shown.contains('\0');
            let shown = shown.replace('\0', "\\0");
            self.text.push_str(&format!("{}\t{shown}", self.number));
            if cut > 0 {
                self.text
                    .push_str(&format!("[… {cut} more bytes in this line]"));
            }
            self.text.push('\n');
            self.shown += 1;
        }
        self.number += 1;
        self.line.clear();
        self.line_bytes = 0;
    }

    /// Words the answer.
    fn answer(mut self, end: End, has_limit: bool, name: &str) -> Result<Start, Refusal> {
        if self.line_bytes > 0 && end != End::Window {
            self.end_line();
        }
        let first = self.wanted.start;
        if self.shown == 0 {
            let lines = self.number - 1;
            return match end {
                End::ScanLimit => Err(Refusal::new(format!(
                    "line {first} of {name} is not in its first {SCAN_BYTES_MAX} bytes; use bash: \
                     sed -n '{first},+20p'"
                ))),
                _ if lines == 0 => Ok(Start::Answer(Answer {
                    summary: "empty".to_owned(),
                    ..Answer::text(format!("{name} is empty"))
                })),
                _ => Err(Refusal::new(format!(
                    "{name} has {lines} lines, none from {first} on"
                ))),
            };
        }
        for note in self.notes(end) {
            self.text.push_str(&format!("[{note}]\n"));
        }
        // The model got what it asked for if it set the limit and that was what ended it.
        let is_as_asked = has_limit && self.number >= self.wanted.end;
        let lines = match self.shown {
            1 => "1 line".to_owned(),
            shown => format!("{shown} lines"),
        };
        Ok(Start::Answer(Answer {
            summary: match first {
                1 => lines,
                _ => format!("{lines} from {first}"),
            },
            truncated: end != End::File && !is_as_asked,
            ..Answer::text(self.text)
        }))
    }

    /// What the model should know beside the lines.
    fn notes(&self, end: End) -> Vec<String> {
        let mut notes = Vec::new();
        match end {
            End::File => {}
            End::Window => notes.push(format!("more follows; go on with offset {}", self.number)),
            End::ScanLimit => notes.push(format!(
                "only the first {SCAN_BYTES_MAX} bytes of the file were looked at"
            )),
        }
        if self.is_recoded {
            notes.push("the file is UTF-16; what changes it here keeps that".to_owned());
        }
        if self.has_crlf {
            notes.push("lines end with CRLF".to_owned());
        }
        if self.has_broken {
            notes.push("bytes that are not UTF-8 are shown as \u{fffd}".to_owned());
        }
        if self.has_nul {
            notes.push("NUL bytes are shown as \\0".to_owned());
        }
        notes
    }
}

#[cfg(test)]
mod tests;
