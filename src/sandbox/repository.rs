//! The git repository around a directory: where its files lie, as far as a sandbox must know.
//!
//! Read from the files themselves; git is not run. Whatever a `.git` *file* points to is believed
//! only if the place points back, since such a file may have come with a stranger's archive.

use crate::sys::file;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

/// The longest of git's one-line files that is read.
const LINE_BYTES_MAX: u64 = 8 * 1024;

/// A repository with a working tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// The root of the working tree.
    pub root: PathBuf,
    /// Where this tree's head and index are: `.git`, or a place elsewhere for a linked tree or a
    /// submodule.
    pub git_dir: PathBuf,
    /// Where objects and branches are; `git_dir` itself but for a linked tree.
    pub common_dir: PathBuf,
}

impl Repository {
    /// The repository that `cwd` lies in: the nearest directory upward that has `.git`.
    pub fn find(cwd: &Path) -> Option<Repository> {
        let root = cwd
            .ancestors()
            .find(|dir| dir.join(".git").symlink_metadata().is_ok())?;
        let dot_git = root.join(".git");
        let (git_dir, common_dir) = match dot_git.symlink_metadata().ok()?.is_dir() {
            true => (dot_git.clone(), dot_git),
            false => linked(root).unwrap_or((dot_git.clone(), dot_git)),
        };
        Some(Repository {
            root: root.to_path_buf(),
            git_dir,
            common_dir,
        })
    }

    /// The branch that is checked out; `None` if the head is detached or cannot be read.
    pub fn branch(&self) -> Option<String> {
        let head = read_line(&self.git_dir.join("HEAD")).ok()?;
        let branch = head.strip_prefix("ref: refs/heads/")?;
        Some(branch.to_string())
    }
}

/// What the file `.git` below `root` points to (gitrepository-layout(5)), if it points back.
fn linked(root: &Path) -> Option<(PathBuf, PathBuf)> {
    let line = read_line(&root.join(".git")).ok()?;
    let git_dir = root.join(line.strip_prefix("gitdir: ")?);
    let git_dir = git_dir.canonicalize().ok()?;
    if let Some(common_dir) = common_dir_of_tree(root, &git_dir) {
        return Some((git_dir, common_dir));
    }
    is_submodule(root, &git_dir).then(|| (git_dir.clone(), git_dir))
}

/// The common directory of a linked tree: it keeps the tree's own directory under `worktrees/`,
/// and that one names our `.git` file.
fn common_dir_of_tree(root: &Path, git_dir: &Path) -> Option<PathBuf> {
    let back = PathBuf::from(read_line(&git_dir.join("gitdir")).ok()?);
    let common = git_dir.join(read_line(&git_dir.join("commondir")).ok()?);
    let common = common.canonicalize().ok()?;
    let is_ours = git_dir.parent() == Some(&common.join("worktrees"));
    let points_back = git_dir.join(back).parent()?.canonicalize().ok()? == *root;
    (is_ours && points_back).then_some(common)
}

/// Whether a repository around `root` keeps `git_dir` among its submodules.
fn is_submodule(root: &Path, git_dir: &Path) -> bool {
    let mut outer = root.ancestors().skip(1);
    outer.any(|dir| git_dir.starts_with(dir.join(".git/modules")))
}

/// The first line of a small file.
fn read_line(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    file::open_regular(path)?
        .take(LINE_BYTES_MAX)
        .read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random;
    use std::fs;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Scratch {
            let name = format!("sx-test-{}", random::uuid().unwrap());
            let dir = std::env::temp_dir().canonicalize().unwrap().join(name);
            fs::create_dir(&dir).unwrap();
            Scratch(dir)
        }

        fn dir(&self, path: &str) -> PathBuf {
            let dir = self.0.join(path);
            fs::create_dir_all(&dir).unwrap();
            dir
        }

        fn file(&self, path: &str, text: &str) {
            fs::write(self.0.join(path), text).unwrap();
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_plain_repository_is_found_from_below() {
        let scratch = Scratch::new();
        let deep = scratch.dir("r/src/deep");
        scratch.dir("r/.git");
        scratch.file("r/.git/HEAD", "ref: refs/heads/feature/x\n");
        let repository = Repository::find(&deep).unwrap();
        assert_eq!(repository.root, scratch.0.join("r"));
        assert_eq!(repository.git_dir, scratch.0.join("r/.git"));
        assert_eq!(repository.branch().as_deref(), Some("feature/x"));
        scratch.file("r/.git/HEAD", "0123456789\n");
        assert_eq!(repository.branch(), None);
    }

    #[test]
    fn a_linked_tree_has_its_directories_elsewhere() {
        let scratch = Scratch::new();
        let tree = scratch.dir("tree");
        let git_dir = scratch.dir("r/.git/worktrees/tree");
        scratch.file("tree/.git", &format!("gitdir: {}\n", git_dir.display()));
        scratch.file("r/.git/worktrees/tree/commondir", "../..\n");
        let back = format!("{}\n", tree.join(".git").display());
        scratch.file("r/.git/worktrees/tree/gitdir", &back);
        let repository = Repository::find(&tree).unwrap();
        assert_eq!(repository.git_dir, git_dir);
        assert_eq!(repository.common_dir, scratch.0.join("r/.git"));
    }

    #[test]
    fn a_git_file_that_points_to_a_strangers_directory_is_not_believed() {
        let scratch = Scratch::new();
        let tree = scratch.dir("tree");
        let victim = scratch.dir("victim/worktrees/tree");
        let own = Some((tree.join(".git"), tree.join(".git")));
        let found = |tree: &Path| {
            let repository = Repository::find(tree)?;
            Some((repository.git_dir, repository.common_dir))
        };
        scratch.file("tree/.git", "gitdir: ../victim\n");
        assert_eq!(found(&tree), own);
        // A place that looks right but names another tree.
        scratch.file("tree/.git", &format!("gitdir: {}\n", victim.display()));
        scratch.file("victim/worktrees/tree/commondir", "../..\n");
        scratch.file("victim/worktrees/tree/gitdir", "/elsewhere/.git\n");
        assert_eq!(found(&tree), own);
        // A forged place whose common directory is not around it.
        let forged = scratch.dir("tree/forged");
        scratch.file("tree/.git", "gitdir: forged\n");
        scratch.file("tree/forged/commondir", "../../victim\n");
        let back = tree.join(".git").display().to_string();
        fs::write(forged.join("gitdir"), back).unwrap();
        assert_eq!(found(&tree), own);
    }

    #[test]
    fn a_submodule_belongs_to_the_repository_around_it() {
        let scratch = Scratch::new();
        let module = scratch.dir("r/lib");
        let git_dir = scratch.dir("r/.git/modules/lib");
        scratch.file("r/lib/.git", "gitdir: ../.git/modules/lib\n");
        let repository = Repository::find(&module).unwrap();
        assert_eq!(repository.git_dir, git_dir);
        assert_eq!(repository.common_dir, git_dir);
    }
}
