//! `view_image`: shows a picture to the model. What it is, its first bytes say, not its name.

use crate::chat::Image;
use crate::chat::Part;
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
use crate::tools::file::Target;

/// The tool.
pub(super) const TOOL: Tool = Tool {
    spec: ToolSpec {
        name: "view_image",
        description: "Shows you a PNG, JPEG, GIF or WebP file.",
        input: Input::Schema(concat!(
            r#"{"type":"object","properties":{"path":{"type":"string"}},"#,
            r#""required":["path"],"additionalProperties":false}"#,
        )),
        effect: Effect::Reads,
    },
    fields: &["path"],
    start,
};

fn start(mut arguments: Arguments, place: &Workplace) -> Result<Start, Refusal> {
    let target = Target::new(&place.cwd, &arguments.text("path")?)?;
    let bytes = target.read(image::FILE_BYTES_MAX)?;
    let name = &target.name;
    let Some(picture) = Image::of_file(&bytes) else {
        return Err(Refusal::new(format!(
            "{name} is no PNG, JPEG, GIF or WebP file: its first bytes say so"
        )));
    };
    let said = format!("{}, {} bytes", picture.media_type, bytes.len());
    Ok(Start::Answer(Answer {
        parts: vec![Part::Text(format!("{name}: {said}")), Part::Image(picture)],
        summary: said,
        ..Answer::text("")
    }))
}
