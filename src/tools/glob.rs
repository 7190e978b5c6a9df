//! `glob`: the names of files that match a pattern, those that were changed last first.

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
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::PathBuf;
use std::time::SystemTime;

/// The tool.
pub(super) const TOOL: Tool = Tool {
    spec: ToolSpec {
        name: "glob",
        description: "Finds files by name, the last changed first: **/*.rs, src/*.{c,h}. \
            Git-ignored ones are left out, hidden ones too unless the pattern names a dot first.",
        input: Input::Schema(concat!(
            r#"{"type":"object","properties":{"pattern":{"type":"string","#,
            r#""description":"relative to path; without a slash, at any depth"},"#,
            r#""path":{"type":"string","description":"folder"}},"#,
            r#""required":["pattern"],"additionalProperties":false}"#,
        )),
        effect: Effect::Reads,
    },
    fields: &["pattern", "path"],
    start,
};

/// More names are no answer, but a reason to ask anew.
const FILES_MAX: usize = 1_000;

fn start(mut arguments: Arguments, place: &Workplace) -> Result<Start, Refusal> {
    let mut pattern = arguments.text("pattern")?;
    if let Some(rest) = pattern.strip_prefix("./") {
        pattern = format!("/{rest}");
    }
    let root = Root::new(&place.cwd, arguments.optional_text("path")?)?;
    if !root.is_dir {
        let name = root.shown(&root.path);
        return Err(Refusal::new(format!("{name} is a file, not a folder")));
    }
    let troubles = Troubles::default();
    let stop = Stop::new(place);
    let mut walk = walk::walk(&root, &place.cwd, Filter::Ignored, &troubles)?;
    // Within the walk a pattern would also bring back what is ignored.
    let wanted = walk::globs(&root.path, std::slice::from_ref(&pattern))?;
    let means_hidden = pattern.split('/').any(|part| part.starts_with('.'));
    walk.hidden(!means_hidden);

    let mut newest = Newest::default();
    let mut is_stopped = false;
    for entry in walk.build() {
        is_stopped = stop.is_due();
        if is_stopped {
            break;
        }
        match entry {
            Ok(entry)
                if entry.file_type().is_some_and(|kind| kind.is_file())
                    && !wanted.matched(entry.path(), false).is_ignore() =>
            {
                let changed = entry
                    .metadata()
                    .ok()
                    .and_then(|found| found.modified().ok());
                newest.add(changed.unwrap_or(SystemTime::UNIX_EPOCH), entry.into_path());
            }
            Ok(_) => {}
            Err(error) => troubles.add_error(&root, &error),
        }
    }

    let (total, paths) = newest.into_sorted();
    let mut text = String::new();
    let mut shown = 0;
    for path in paths {
        let name = root.shown(&path);
        if text.len() + name.len() > place.limits.shown_bytes() {
            break;
        }
        text.push_str(&name);
        text.push('\n');
        shown += 1;
    }
    if total == 0 {
        text.push_str("no file matches; a pattern is relative to path\n");
    } else if total > shown {
        let more = total - shown;
        text.push_str(&format!(
            "[{more} older files match; narrow it by path or pattern]\n"
        ));
    }
    for note in walk::notes(&troubles, is_stopped) {
        text.push_str(&format!("[{note}]\n"));
    }
    Ok(Start::Answer(Answer {
        summary: match total {
            0 => "no file".to_owned(),
            1 => "1 file".to_owned(),
            files => format!("{files} files"),
        },
        truncated: total > shown || is_stopped,
        ..Answer::text(text)
    }))
}

/// The files that were changed last, of any number.
#[derive(Default)]
struct Newest {
    /// The oldest is on top; of those of one time, the last by name.
    kept: BinaryHeap<(Reverse<SystemTime>, PathBuf)>,
    total: u64,
}

impl Newest {
    fn add(&mut self, changed: SystemTime, path: PathBuf) {
        self.total += 1;
        self.kept.push((Reverse(changed), path));
        if self.kept.len() > FILES_MAX {
            self.kept.pop();
        }
    }

    /// How many there were, and the newest of them in order.
    fn into_sorted(self) -> (u64, Vec<PathBuf>) {
        let sorted = self.kept.into_sorted_vec();
        (
            self.total,
            sorted.into_iter().map(|(_, path)| path).collect(),
        )
    }
}

#[cfg(test)]
mod tests;
