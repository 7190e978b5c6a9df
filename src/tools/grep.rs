//! `grep`: lines of files that match a regular expression, found as ripgrep finds them.
//!
//! Which files are searched is the walk's business, which lines match the search's. Here the
//! arguments are read and the answer is worded.

mod search;
mod tree;
mod types;

use crate::chat::tool::Effect;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::tools::Answer;
use crate::tools::Refusal;
use crate::tools::Start;
use crate::tools::Tool;
use crate::tools::Workplace;
use crate::tools::arguments::Arguments;
use crate::tools::walk;
use crate::tools::walk::Filter;
use crate::tools::walk::Root;
use crate::tools::walk::Stop;
use crate::tools::walk::Troubles;
use regex::bytes::RegexBuilder;
use search::Query;
use search::Scan;
use std::path::PathBuf;
use tree::Found;
use tree::Room;

/// The tool.
pub(super) const TOOL: Tool = Tool {
    spec: ToolSpec {
        name: "grep",
        description: "Searches files for lines that match a regular expression, as ripgrep does: \
            hidden, binary and git-ignored files are left out.",
        input: Input::Schema(concat!(
            r#"{"type":"object","properties":{"pattern":{"type":"string"},"#,
            r#""path":{"type":"string","description":"file or folder"},"#,
            r#""glob":{"type":"array","items":{"type":"string"},"#,
            r#""description":"as rg -g: *.rs, !tests/"},"#,
            r#""type":{"type":"string","description":"as rg -t: rust, py"},"#,
            r#""mode":{"type":"string","enum":["content","files","count"],"#,
            r#""description":"lines (default), or names of files, or lines per file"},"#,
            r#""context":{"type":"integer","description":"lines around each match"},"#,
            r#""ignore_case":{"type":"boolean"}},"#,
            r#""required":["pattern"],"additionalProperties":false}"#,
        )),
        effect: Effect::Reads,
    },
    fields: &[
        "pattern",
        "path",
        "glob",
        "type",
        "mode",
        "context",
        "ignore_case",
    ],
    start,
};

/// Matches and their context: more is no answer, but a reason to ask anew.
const LINES_MAX: usize = 500;

/// Names, which are shorter.
const FILES_MAX: usize = 1_000;

/// More is better read.
const CONTEXT_MAX: u64 = 50;

/// What is shown of each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Content,
    Files,
    Count,
}

fn start(mut arguments: Arguments, place: &Workplace) -> Result<Start, Refusal> {
    let pattern = arguments.text("pattern")?;
    let root = Root::new(&place.cwd, arguments.optional_text("path")?)?;
    let globs = arguments.one_or_more("glob")?;
    let kind = arguments.optional_text("type")?;
    let mode = match arguments.optional_text("mode")?.as_deref() {
        None | Some("content") => Mode::Content,
        Some("files") => Mode::Files,
        Some("count") => Mode::Count,
        Some(other) => {
            return Err(Refusal::new(format!(
                "mode must be content, files or count, not {other}"
            )));
        }
    };
    let context = arguments.offset("context")?.unwrap_or(0).min(CONTEXT_MAX);
    let regex = RegexBuilder::new(&pattern)
        .multi_line(true)
        .case_insensitive(arguments.flag("ignore_case")?)
        .build()
        .map_err(|error| invalid(&error))?;

    let troubles = Troubles::default();
    let mut walk = walk::walk(&root, &place.cwd, Filter::Ignored, &troubles)?;
    walk.overrides(walk::globs(&place.cwd, &globs)?);
    if let Some(kind) = kind {
        walk.types(types::types(&kind)?);
    }
    let query = Query {
        regex,
        first_only: mode == Mode::Files,
        context: context as usize,
    };
    let room = Room {
        lines_max: if mode == Mode::Content {
            LINES_MAX
        } else {
            FILES_MAX
        },
        wants_lines: mode == Mode::Content,
    };
    let stop = Stop::new(place);
    let found = tree::search(&root, &mut walk, &query, room, &stop, &troubles);
    if !root.is_dir && found.binary > 0 && found.matches == 0 {
        return Err(Refusal::new(format!(
            "{} is binary; search it with bash: grep -a",
            root.shown(&root.path)
        )));
    }
    let mut notes = notes(&found, &troubles);
    if found.matches == 0 && pattern.contains("\\n") {
        notes.push("lines are matched one by one, so \\n matches nothing".to_owned());
    }
    let page = Page {
        mode,
        has_context: context > 0,
        bytes_max: place.limits.shown_bytes(),
        text: String::new(),
        matches: 0,
        files: 0,
    };
    Ok(Start::Answer(page.answer(&root, &found, notes)))
}

/// What is wrong with a pattern. The pattern is repeated, with a mark below, unless it is long.
fn invalid(error: &regex::Error) -> Refusal {
    const REPEATED_BYTES_MAX: usize = 1_000;
    let words = error.to_string();
    Refusal::new(match words.len() > REPEATED_BYTES_MAX {
        true => words.lines().next_back().unwrap_or_default().to_owned(),
        false => words,
    })
}

/// What the model should know beside the matches.
fn notes(found: &Found, troubles: &Troubles) -> Vec<String> {
    let mut notes = Vec::new();
    if found.binary > 0 {
        let files = counted(found.binary, "binary file");
        notes.push(format!("not searched: {files}"));
    }
    let (count, names) = &found.utf16;
    if *count > 0 {
        let more = match count - names.len() as u64 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        notes.push(format!(
            "not searched, since it is UTF-16: {}{more}; use bash: iconv -f UTF-16 -t UTF-8",
            names.join(", ")
        ));
    }
    notes.extend(walk::notes(troubles, found.is_stopped));
    notes
}

/// An answer that is being written.
struct Page {
    mode: Mode,
    has_context: bool,
    bytes_max: usize,
    text: String,
    /// Matching lines and files that are in `text`.
    matches: u64,
    files: u64,
}

impl Page {
    fn answer(mut self, root: &Root, found: &Found, notes: Vec<String>) -> Answer {
        let mut lines_left = match self.mode {
            Mode::Content => LINES_MAX,
            Mode::Files | Mode::Count => FILES_MAX,
        };
        for file in &found.files {
            if !self.add(root, file, &mut lines_left) {
                break;
            }
        }
        let files_more = found.files_matching - self.files;
        let is_all = match self.mode {
            Mode::Content => self.matches == found.matches,
            Mode::Files | Mode::Count => files_more == 0,
        };
        if found.matches == 0 {
            self.text = match found.searched {
                0 => "there are no files to search".to_owned(),
                files => format!("no line matches in {}", counted(files, "file")),
            };
            self.text.push('\n');
        } else if !is_all {
            let lines = counted(found.matches - self.matches, "more line");
            let files = counted(found.files_matching, "file");
            let more = match self.mode {
                Mode::Content => format!("{lines} match, in {files} altogether"),
                Mode::Files => counted(files_more, "more file"),
                Mode::Count => format!("{} with {lines}", counted(files_more, "more file")),
            };
            let advice = "narrow it by path, glob, type or pattern";
            self.text.push_str(&format!("[{more}; {advice}]\n"));
        }
        for note in notes {
            self.text.push_str(&format!("[{note}]\n"));
        }
        let files = counted(found.files_matching, "file");
        Answer {
            summary: match self.mode {
                _ if found.matches == 0 => "no match".to_owned(),
                Mode::Files => files,
                _ => format!("{} in {files}", counted(found.matches, "line")),
            },
            truncated: !is_all || found.is_stopped,
            ..Answer::text(self.text)
        }
    }

    /// Adds a file, and says whether there is room for more.
    fn add(&mut self, root: &Root, file: &(PathBuf, Scan), lines_left: &mut usize) -> bool {
        let (path, scan) = file;
        let name = root.shown(path);
        if self.mode != Mode::Content {
            if *lines_left == 0 || self.text.len() + name.len() > self.bytes_max {
                return false;
            }
            *lines_left -= 1;
            self.files += 1;
            self.matches += scan.matches;
            self.text.push_str(&match self.mode {
                Mode::Count => format!("{name}:{}\n", scan.matches),
                _ => format!("{name}\n"),
            });
            return true;
        }
        let mut next = None;
        for line in &scan.lines {
            let bytes = name.len() + line.text.len();
            if *lines_left == 0 || self.text.len() + bytes > self.bytes_max {
                return false;
            }
            *lines_left -= 1;
            if self.has_context && !self.text.is_empty() && next != Some(line.number) {
                self.text.push_str("--\n");
            }
            next = Some(line.number + 1);
            if line.is_match {
                self.matches += 1;
            }
            let mark = if line.is_match { ':' } else { '-' };
            let line = format!("{name}{mark}{}{mark}{}\n", line.number, line.text);
            self.text.push_str(&line);
        }
        true
    }
}

/// `1 line`, `3 lines`.
fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

#[cfg(test)]
mod tests;
