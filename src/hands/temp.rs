//! The hands' directory for temporary files: made, locked as long as they live, removed.
//!
//! Hands that are killed leave theirs behind, and so do those whose brain is, since their sandbox
//! ends at its edge; the next ones on the machine remove it.

use crate::base::clock::Deadline;
use crate::base::random;
use crate::hands::wire;
use crate::proc::environment;
use crate::proc::environment::Pairs;
use crate::sys::user;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::Permissions;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// Younger directories may belong to hands that have not locked them yet.
const ABANDONED_AFTER: Duration = Duration::from_secs(60);

/// How long removing may take: some hundred directories on a slow disk. What is left then is left
/// to later hands.
const REMOVE_TIME_MAX: Duration = Duration::from_secs(2);

/// A directory of our own, 0700, that nobody else knows the name of.
pub struct TempDir {
    /// Where it is: its real path.
    pub path: PathBuf,
    /// Held as long as we live, so that later hands know what was left by some that were killed.
    _lock: Option<File>,
}

impl TempDir {
    /// Makes it in `TMPDIR` or `/tmp`; the error is a note for the person.
    pub fn make(environment: &Pairs) -> Result<TempDir, String> {
        let wanted = environment::value(environment, "TMPDIR").map(Path::new);
        let wanted = wanted.filter(|path| path.is_absolute());
        let note = |why: String| format!("no directory for temporary files: {why}");
        let random = random::bytes::<8>().map_err(|error| note(error.to_string()))?;
        let name = format!(
            "{}{}-{:016x}",
            wire::TEMP_PREFIX,
            std::process::id(),
            u64::from_ne_bytes(random)
        );
        let mut why = String::new();
        for parent in wanted.into_iter().chain([Path::new("/tmp")]) {
            // The real path, since it is compared with real paths and named to the model.
            let made = parent.canonicalize().and_then(|parent| {
                let path = parent.join(&name);
                DirBuilder::new().mode(0o700).create(&path).map(|()| path)
            });
            match made {
                Ok(path) => {
                    remove_abandoned(path.parent().unwrap_or(&path));
                    let _lock = lock(&path);
                    return Ok(TempDir { path, _lock });
                }
                Err(error) => why = format!("{}: {error}", parent.display()),
            }
        }
        Err(note(why))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // Under the sandbox this empties it, and the brain removes it.
        remove_all(&self.path);
    }
}

/// Takes the lock of a directory, unless somebody has it. Never waits.
fn lock(dir: &Path) -> Option<File> {
    let dir = File::open(dir).ok()?;
    dir.try_lock().ok()?;
    Some(dir)
}

/// Removes what hands left in `parent` that were killed, or whose brain was.
fn remove_abandoned(parent: &Path) {
    let is_of_hands = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.as_encoded_bytes()
            .starts_with(wire::TEMP_PREFIX.as_bytes())
    };
    let paths = entries(parent).map(|(path, _)| path).filter(is_of_hands);
    let until = time_to_remove();
    for path in paths.filter(|path| is_abandoned(path)) {
        remove_until(&path, until);
    }
}

fn is_abandoned(dir: &Path) -> bool {
    let Ok(found) = dir.symlink_metadata() else {
        return false;
    };
    let age = found.modified().ok().and_then(|made| made.elapsed().ok());
    found.is_dir()
        && found.uid() == user::id()
        && age.is_some_and(|age| age > ABANDONED_AFTER)
        && lock(dir).is_some()
}

/// Removes a directory with all below it, as far as [`REMOVE_TIME_MAX`] allows.
pub fn remove_all(dir: &Path) {
    remove_until(dir, time_to_remove());
}

fn time_to_remove() -> Deadline {
    Deadline::after(REMOVE_TIME_MAX, "REMOVE_TIME_MAX")
}

/// A command may have left directories that cannot be entered, or a tree so deep that no path
/// reaches its end. So directories are opened first, and what lies deeper is moved up.
fn remove_until(dir: &Path, until: Deadline) {
    let mut moved = 0_u64;
    let mut goes_on = true;
    open_up(dir);
    while goes_on {
        goes_on = false;
        for (path, is_dir) in entries(dir) {
            if until.is_over() {
                return;
            }
            if is_dir {
                open_up(&path);
                for (inner, is_dir) in entries(&path) {
                    if is_dir {
                        open_up(&inner);
                        moved += 1;
                        let _ = fs::rename(inner, dir.join(format!("moved-{moved}")));
                    } else {
                        let _ = fs::remove_file(inner);
                    }
                }
            }
            let removed = match is_dir {
                true => fs::remove_dir(path),
                false => fs::remove_file(path),
            };
            goes_on |= removed.is_ok();
        }
    }
    let _ = fs::remove_dir(dir);
}

/// The paths in a directory, and which of them are directories themselves.
fn entries(dir: &Path) -> impl Iterator<Item = (PathBuf, bool)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        (entry.path(), is_dir)
    })
}

fn open_up(dir: &Path) {
    let _ = fs::set_permissions(dir, Permissions::from_mode(0o700));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temp() -> TempDir {
        TempDir::make(&Pairs::new()).unwrap()
    }

    #[test]
    fn a_temporary_directory_is_ours_alone_and_goes_with_its_files() {
        let temp = temp();
        let path = temp.path.clone();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::write(path.join("file"), "").unwrap();
        drop(temp);
        assert!(!path.exists());
    }

    #[test]
    fn a_directory_that_cannot_be_entered_goes_too() {
        let temp = temp();
        let (path, inner) = (temp.path.clone(), temp.path.join("a/b"));
        fs::create_dir_all(inner.join("c")).unwrap();
        for dir in [inner, path.join("a"), path.clone()] {
            fs::set_permissions(dir, Permissions::from_mode(0o000)).unwrap();
        }
        drop(temp);
        assert!(!path.exists());
    }

    #[test]
    fn a_tree_that_no_path_reaches_goes_too() {
        let temp = temp();
        let (path, tree) = (temp.path.clone(), temp.path.join("tree"));
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("leaf"), "").unwrap();
        let name = "x".repeat(250);
        for _ in 0..20 {
            let above = temp.path.join("above");
            fs::create_dir(&above).unwrap();
            fs::rename(&tree, above.join(&name)).unwrap();
            fs::rename(&above, &tree).unwrap();
        }
        drop(temp);
        assert!(!path.exists());
    }

    #[test]
    fn only_what_was_abandoned_is_removed() {
        let parent = temp();
        let make = |name: &str, age_s: u64| {
            let path = parent.path.join(name);
            fs::create_dir_all(path.join("spill")).unwrap();
            let dir = File::open(&path).unwrap();
            let made = dir.metadata().unwrap().modified().unwrap();
            dir.set_modified(made - Duration::from_secs(age_s)).unwrap();
            path
        };
        let abandoned = make("sx-hands-1-a", 3600);
        let young = make("sx-hands-1-b", 0);
        let used = make("sx-hands-1-c", 3600);
        let others = make("mine", 3600);
        let _lock = lock(&used).unwrap();
        remove_abandoned(&parent.path);
        assert!(!abandoned.exists());
        for path in [young, used, others] {
            assert!(path.exists(), "{}", path.display());
        }
    }

    #[test]
    fn a_tmpdir_that_cannot_be_used_is_passed_over() {
        let environment = vec![("TMPDIR".into(), "/proc/nowhere".into())];
        let temp = TempDir::make(&environment).unwrap();
        assert!(
            temp.path
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with(wire::TEMP_PREFIX)
        );
    }
}
