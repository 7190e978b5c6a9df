//! Which paths nobody may read, and which places are everything else.
//!
//! Landlock only grants, and a grant covers all below it; so what is hidden is left out by
//! granting its siblings, level by level. Pure but for [`resolve`] and [`children`].

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// Credentials and private state below the home directory: ours, other agents', the usual ones.
const BELOW_HOME: &[&str] = &[
    ".config/sx",
    ".local/state/sx",
    ".codex",
    ".claude",
    ".claude.json",
    ".gemini",
    ".ssh",
    ".aws",
    ".azure",
    ".gnupg",
    ".netrc",
    ".kube",
    ".docker/config.json",
    ".config/gh",
    ".config/gcloud",
    ".git-credentials",
    ".config/git/credentials",
    ".cargo/credentials.toml",
    ".password-store",
    ".local/share/keyrings",
];

/// Entries of one directory that are granted one by one. A directory with more is rare, and each
/// takes some microseconds; what is beyond stays unreadable.
pub const ENTRIES_MAX: usize = 20_000;

/// The table for each of these homes, and `extra`: every file that a setting names.
pub fn credential_paths(homes: &[PathBuf], extra: &[PathBuf]) -> Vec<PathBuf> {
    let below_home = homes
        .iter()
        .filter(|home| home.is_absolute())
        .flat_map(|home| BELOW_HOME.iter().map(|path| home.join(path)));
    below_home.chain(extra.iter().cloned()).collect()
}

/// The path without symbolic links, also where its end does not exist yet.
pub fn resolve(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    let mut existing = path;
    loop {
        if let Ok(real) = existing.canonicalize() {
            return missing
                .iter()
                .rev()
                .fold(real, |path, name| path.join(name));
        }
        let (Some(parent), Some(name)) = (existing.parent(), existing.file_name()) else {
            return path.to_path_buf();
        };
        missing.push(name);
        existing = parent;
    }
}

/// The fewest places that together hold everything below `dir` but what is hidden. `children`
/// lists a directory.
pub fn all_but(
    dir: PathBuf,
    hidden: &[PathBuf],
    children: &mut dyn FnMut(&Path) -> Vec<PathBuf>,
) -> Vec<PathBuf> {
    if hidden.contains(&dir) {
        return Vec::new();
    }
    if !hidden.iter().any(|path| path.starts_with(&dir)) {
        return vec![dir];
    }
    children(&dir)
        .into_iter()
        .flat_map(|child| all_but(child, hidden, children))
        .collect()
}

/// What lies in a directory, without symbolic links: what they point to is reached, or hidden, at
/// its own place. At most [`ENTRIES_MAX`].
pub fn children(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir)?.filter_map(Result::ok);
    Ok(entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()))
        .take(ENTRIES_MAX)
        .map(|entry| entry.path())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists from a table of all paths of a made-up machine.
    fn list(all: &[&str], dir: &Path) -> Vec<PathBuf> {
        let paths = all.iter().map(PathBuf::from);
        paths.filter(|path| path.parent() == Some(dir)).collect()
    }

    #[track_caller]
    fn check(hidden: &[&str], expected: &[&str]) {
        let all = [
            "/etc",
            "/home",
            "/home/u",
            "/home/u/.ssh",
            "/home/u/.sshd",
            "/home/u/src",
            "/home/v",
        ];
        let hidden: Vec<PathBuf> = hidden.iter().map(PathBuf::from).collect();
        let places = all_but("/".into(), &hidden, &mut |dir| list(&all, dir));
        let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
        assert_eq!(places, expected, "{hidden:?}");
    }

    #[test]
    fn siblings_of_what_is_hidden_are_granted_level_by_level() {
        check(&[], &["/"]);
        check(&["/etc"], &["/home"]);
        check(
            &["/home/u/.ssh"],
            &["/etc", "/home/u/.sshd", "/home/u/src", "/home/v"],
        );
        check(
            &["/home/u/.ssh", "/home/v/.aws/x"],
            &["/etc", "/home/u/.sshd", "/home/u/src"],
        );
        // A credential that may be made later keeps its place free.
        check(&["/etc/later"], &["/home"]);
        check(&["/"], &[]);
    }

    #[test]
    fn the_table_hangs_below_the_home_and_settings_add_to_it() {
        let extra = [PathBuf::from("/run/token")];
        let paths = credential_paths(&["/home/u".into(), "/home/v".into()], &extra);
        assert!(paths.contains(&PathBuf::from("/home/u/.ssh")));
        assert!(paths.contains(&PathBuf::from("/home/v/.ssh")));
        assert!(paths.contains(&PathBuf::from("/run/token")));
        assert_eq!(credential_paths(&[], &extra), extra);
        assert_eq!(
            credential_paths(&["".into()], &[]),
            [""; 0].map(PathBuf::from)
        );
    }

    #[test]
    fn a_path_is_resolved_as_far_as_it_exists() {
        let real = resolve(Path::new("/proc/self/no/such"));
        let own = format!("/proc/{}/no/such", std::process::id());
        assert_eq!(real, Path::new(&own));
        assert_eq!(resolve(Path::new("/nowhere/x")), Path::new("/nowhere/x"));
    }
}
