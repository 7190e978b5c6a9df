//! `write`: makes a file, or replaces all of it.

use crate::chat::tool::Effect;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::tools::Answer;
use crate::tools::Refusal;
use crate::tools::Start;
use crate::tools::Tool;
use crate::tools::Workplace;
use crate::tools::arguments::Arguments;
use crate::tools::diff::Changes;
use crate::tools::encoding::Encoding;
use crate::tools::file;
use crate::tools::file::Target;
use crate::tools::replace::Destination;
use crate::tools::style;

/// The tool.
pub(super) const TOOL: Tool = Tool {
    spec: ToolSpec {
        name: "write",
        description: "Writes a whole file; makes it and its directories if need be. To change \
            part of a file use edit or apply_patch.",
        input: Input::Schema(concat!(
            r#"{"type":"object","properties":{"path":{"type":"string"},"#,
            r#""content":{"type":"string"}},"#,
            r#""required":["path","content"],"additionalProperties":false}"#,
        )),
        effect: Effect::Changes,
    },
    fields: &["path", "content"],
    start,
};

fn start(mut arguments: Arguments, place: &Workplace) -> Result<Start, Refusal> {
    let target = Target::new(&place.cwd, &arguments.text("path")?)?;
    let content = arguments.text("content")?;
    let destination = Destination::find(&target, &place.cwd)?;
    // A file too large to be compared, or one that may be written but not read, is replaced all
    // the same; there is just nothing to take over from it.
    let (encoding, old) = match destination.existing {
        Some(_) => target.read_text(file::WHOLE_BYTES_MAX).unwrap_or_default(),
        None => Default::default(),
    };
    let verb = match destination.existing {
        Some(_) => "replaced",
        None => "created",
    };
    let (new, kept) = style::like(&old, &content);
    let changes = Changes::of(&target.name, &old, &new);
    let bytes = encoding.encode(new);
    let lost = destination.stage(&bytes, None)?.commit()?;

    let lines = match content.lines().count() {
        1 => "1 line".to_owned(),
        count => format!("{count} lines"),
    };
    let mut text = format!("{verb} {}: {lines}", target.name);
    if encoding != Encoding::Bytes {
        text.push_str(", kept its UTF-16");
    }
    for kept in kept {
        text.push_str(&format!(", kept its {}", kept.name()));
    }
    for lost in lost {
        text.push_str(&format!("; {lost}"));
    }
    Ok(Start::Answer(Answer {
        summary: changes.summary(),
        detail: changes.detail(),
        ..Answer::text(text)
    }))
}
