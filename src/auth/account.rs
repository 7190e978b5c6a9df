//! Several logins side by side: their names, and where the file of each lies in our own folder.
//!
//! The one without a name is `codex-auth.json`; the others are `codex-accounts/NAME.json`, beside
//! locks and notes that end otherwise. A name is checked before it is ever part of a path.

use std::fmt;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The file of the login that has no name.
pub const FILE_NAME: &str = "codex-auth.json";

/// The folder of those that have one.
pub const FOLDER_NAME: &str = "codex-accounts";

/// What the name of a file ends in.
const ENDING: &str = ".json";

/// A name is a word, and a file system takes at least 255 bytes with the endings of locks.
const NAME_BYTES_MAX: usize = 64;

/// The name of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// A text that can be no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.0.chars().take(NAME_BYTES_MAX).collect();
        write!(
            f,
            "`{}` is no name for a login: letters, digits, `-`, `_` and `.` only, at most \
             {NAME_BYTES_MAX}, and no `.` in front",
            shown.escape_debug()
        )
    }
}

impl std::error::Error for Refused {}

impl Name {
    /// Takes a text for a name if it can be one.
    pub fn new(text: &str) -> Result<Name, Refused> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        // A file that begins with a dot is hidden, and `..` is another folder.
        let is_name = !text.is_empty() && !text.starts_with('.') && text.bytes().all(is_plain);
        match is_name && text.len() <= NAME_BYTES_MAX {
            true => Ok(Name(text.to_string())),
            false => Err(Refused(text.to_string())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a login is kept in our own folder.
pub fn path(config_dir: &Path, name: Option<&Name>) -> PathBuf {
    match name {
        None => config_dir.join(FILE_NAME),
        Some(Name(name)) => config_dir.join(FOLDER_NAME).join(format!("{name}{ENDING}")),
    }
}

/// The names of the logins that lie in `folder`, in order; none where there is no such folder.
pub fn known(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let name_of = |entry: fs::DirEntry| {
        let file_name = entry.file_name();
        let name = file_name.to_str()?.strip_suffix(ENDING)?;
        Some(Name::new(name).ok()?.0)
    };
    let mut names: Vec<String> = entries.filter_map(name_of).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::scratch::Scratch;
    use serde_json::json;

    #[test]
    fn a_name_is_one_word_that_stays_in_its_folder() {
        for good in ["work", "a.b_c-1", "X"] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
        let long = "x".repeat(65);
        for bad in ["", ".", "..", ".x", "a/b", "a b", "a\n", "é", "a\0", &long] {
            let refused = Name::new(bad).unwrap_err().to_string();
            assert!(!refused.contains('\n'), "{refused}");
        }
    }

    #[test]
    fn the_names_are_those_of_the_files_and_of_nothing_beside_them() {
        let scratch = Scratch::new();
        assert!(known(&scratch.path("none")).is_empty());
        for name in [
            "b.json",
            "a.json",
            "a.json.lock",
            "auth.lock",
            ".auth-1",
            "é.json",
        ] {
            scratch.write(name, &json!({}));
        }
        assert_eq!(known(scratch.dir()), ["a", "b"]);
        let name = Name::new("a").unwrap();
        assert_eq!(
            path(Path::new("/c"), Some(&name)),
            Path::new("/c/codex-accounts/a.json")
        );
        assert_eq!(path(Path::new("/c"), None), Path::new("/c/codex-auth.json"));
    }
}
