//! Pictures that the person names with `-i`: read by the brain, since the person chose them.

use crate::chat::Part;
use crate::chat::image;
use crate::chat::image::Image;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::input;
use crate::cli::input::Input;
use std::path::Path;
use std::path::PathBuf;

/// Reads them all, in order.
pub fn read(paths: &[PathBuf], input: &Input<'_>) -> Result<Vec<Part>, Fault> {
    paths.iter().map(|path| read_one(path, input)).collect()
}

fn read_one(path: &Path, input: &Input<'_>) -> Result<Part, Fault> {
    let limit = usize::try_from(image::FILE_BYTES_MAX).unwrap_or(usize::MAX);
    let bytes = input.file(path, limit).map_err(|fault| {
        if path.exists() {
            fault
        } else {
            // People paste a path of the machine that their terminal runs on.
            fault.hint("it must be a file on this machine; copy it here first")
        }
    })?;
    let Some(picture) = Image::of_file(&bytes) else {
        let name = input::shown(path);
        let what = format!("{name} is not a PNG, JPEG, GIF or WebP picture");
        return Err(Fault::new(Exit::Usage, what));
    };
    Ok(Part::Image(picture))
}
