//! `list`: what is in a folder, a line each: names in order, kinds, sizes.

use crate::chat::tool::Effect;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::tools::Answer;
use crate::tools::Refusal;
use crate::tools::Start;
use crate::tools::Tool;
use crate::tools::Workplace;
use crate::tools::arguments::Arguments;
use crate::tools::name;
use crate::tools::walk;
use crate::tools::walk::Filter;
use crate::tools::walk::Root;
use crate::tools::walk::Stop;
use crate::tools::walk::Troubles;
use ignore::DirEntry;
use std::fs;
use std::os::unix::fs::FileTypeExt;

/// The tool.
pub(super) const TOOL: Tool = Tool {
    spec: ToolSpec {
        name: "list",
        description: "Lists a folder: names, sizes of files in bytes, where links lead.",
        input: Input::Schema(concat!(
            r#"{"type":"object","properties":{"path":{"type":"string"},"#,
            r#""depth":{"type":"integer","description":"levels of folders, 1 if left out"},"#,
            r#""all":{"type":"boolean","description":"also hidden and git-ignored ones"}},"#,
            r#""required":[],"additionalProperties":false}"#,
        )),
        effect: Effect::Reads,
    },
    fields: &["path", "depth", "all"],
    start,
};

/// More lines are no answer, but a reason to ask anew.
const LINES_MAX: u64 = 1_000;

fn start(mut arguments: Arguments, place: &Workplace) -> Result<Start, Refusal> {
    let root = Root::new(&place.cwd, arguments.optional_text("path")?)?;
    let depth = arguments.count("depth")?.unwrap_or(1);
    let filter = match arguments.flag("all")? {
        true => Filter::Nothing,
        false => Filter::Ignored,
    };
    if !root.is_dir {
        return Err(Refusal::new(format!(
            "{} is a file, not a folder; look into it with read",
            root.shown(&root.path)
        )));
    }
    let troubles = Troubles::default();
    let stop = Stop::new(place);
    let mut walk = walk::walk(&root, &place.cwd, filter, &troubles)?;
    walk.max_depth(Some(usize::try_from(depth).unwrap_or(usize::MAX)));

    let mut text = String::new();
    let (mut shown, mut total) = (0, 0);
    let mut is_stopped = false;
    for entry in walk.build() {
        is_stopped = stop.is_due();
        if is_stopped {
            break;
        }
        match entry {
            Ok(entry) if entry.depth() == 0 => {}
            Ok(entry) => {
                total += 1;
                // In order: once one had no room, none after it has.
                if shown + 1 == total && shown < LINES_MAX {
                    let line = line(&root, &entry);
                    if text.len() + line.len() <= place.limits.shown_bytes() {
                        text.push_str(&line);
                        shown += 1;
                    }
                }
            }
            Err(error) => troubles.add_error(&root, &error),
        }
    }

    let what = match filter {
        Filter::Ignored => "nothing here that is neither hidden nor ignored; all shows these\n",
        Filter::Nothing => "empty\n",
    };
    if total > shown {
        let more = total - shown;
        text.push_str(&format!(
            "[{more} more; list a folder of these, or less depth]\n"
        ));
    } else if total == 0 {
        text.push_str(what);
    }
    for note in walk::notes(&troubles, is_stopped) {
        text.push_str(&format!("[{note}]\n"));
    }
    Ok(Start::Answer(Answer {
        summary: match total {
            1 => "1 entry".to_owned(),
            entries => format!("{entries} entries"),
        },
        truncated: total > shown || is_stopped,
        ..Answer::text(text)
    }))
}

/// `src/`, `a.txt  120`, `link -> a.txt`, `pipe (FIFO)`.
fn line(root: &Root, entry: &DirEntry) -> String {
    let name = root.shown(entry.path());
    let Some(kind) = entry.file_type() else {
        return format!("{name}\n");
    };
    if kind.is_dir() {
        return format!("{name}/\n");
    }
    if kind.is_symlink() {
        return match fs::read_link(entry.path()) {
            Ok(target) => format!("{name} -> {}\n", name::shown(&target)),
            Err(_) => format!("{name} (link)\n"),
        };
    }
    if kind.is_file() {
        return match entry.metadata() {
            Ok(found) => format!("{name}  {}\n", found.len()),
            Err(_) => format!("{name}\n"),
        };
    }
    let kind = match () {
        () if kind.is_fifo() => "FIFO",
        () if kind.is_socket() => "socket",
        () => "device",
    };
    format!("{name} ({kind})\n")
}

#[cfg(test)]
mod tests;
