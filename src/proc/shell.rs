//! The shell that runs commands: bash where there is one, else sh.

use crate::proc::launch;
use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;

/// Where the system's own shell is, also when `PATH` does not lead there.
const SYSTEM_SHELL: &str = "/bin/sh";

/// A shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shell {
    /// Its file.
    pub path: PathBuf,
    /// Whether it is bash; the model writes other scripts for a plain sh.
    pub is_bash: bool,
}

/// Finds bash or else sh in the folders of `path`, which is the value of `PATH`.
pub fn find(path: &OsStr) -> Option<Shell> {
    let in_path = |name: &str| launch::find_in_path(OsStr::new(name), path);
    let bash = in_path("bash").map(|path| (path, true));
    let shell = bash.or_else(|| in_path("sh").map(|path| (path, false)));
    let system = || {
        let path = Path::new(SYSTEM_SHELL);
        launch::is_executable(path).then(|| (path.to_path_buf(), false))
    };
    let (path, is_bash) = shell.or_else(system)?;
    Some(Shell { path, is_bash })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_shell_is_found_where_path_leads_nowhere() {
        let shell = find(OsStr::new("/nowhere")).unwrap();
        assert_eq!(shell.path, Path::new(SYSTEM_SHELL));
        assert!(!shell.is_bash);
        let shell = find(OsStr::new("/usr/bin:/bin")).unwrap();
        assert_eq!(shell.is_bash, shell.path.ends_with("bash"));
    }
}
