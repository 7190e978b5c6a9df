//! The instruction files for agents: which there are, and how much of each the model is given.
//!
//! A directory's file is `AGENTS.md`, or `CLAUDE.md` where there is none. The nearest gets the room
//! first; a file that does not fit is cut at the end of a line, and the person is told. So they are
//! where a project's file is a link out of it: what a stranger lets it lead to, a list of commands
//! or a key, would be sent to the service unasked.

use crate::config::disk::leads_away;
use crate::hands::wire::Instructions;
use crate::sys::file;
use std::io;
use std::io::Read;
use std::path::Path;

/// The names of such a file; the first that is there counts.
const NAMES: [&str; 2] = ["AGENTS.md", "CLAUDE.md"];

/// Names that are meant for one and are none, since names of files have a case here.
const SLIPS: [&str; 3] = ["agents.md", "Agents.md", "AGENTS.MD"];

/// What stands in the place of what is left out.
const REST: &str = "[the rest is left out; read the file]";

/// Reads instruction files until there is no more room.
pub struct Reader {
    bytes_left: u64,
    bytes_max: u64,
    /// What is missing, a line each for the person.
    pub notes: Vec<String>,
}

impl Reader {
    /// With room for `bytes_left` of the `bytes_max` bytes that all files together may have.
    pub fn new(bytes_left: u64, bytes_max: u64) -> Reader {
        Reader {
            bytes_left,
            bytes_max,
            notes: Vec::new(),
        }
    }

    /// The files from `root` down to `cwd`, which is below it; outermost first.
    pub fn project(&mut self, root: &Path, cwd: &Path) -> Vec<Instructions> {
        let dirs = cwd.ancestors().take_while(|dir| dir.starts_with(root));
        let file = |dir| self.file(dir, Some(root));
        let mut found: Vec<_> = dirs.filter_map(file).collect();
        found.reverse();
        found
    }

    /// The file of one directory of the person's own.
    pub fn directory(&mut self, dir: &Path) -> Option<Instructions> {
        self.file(dir, None)
    }

    /// The file of one directory, which must not lead out of `root`.
    fn file(&mut self, dir: &Path, root: Option<&Path>) -> Option<Instructions> {
        for path in NAMES.map(|name| dir.join(name)) {
            let is_away = root.map_or(Ok(false), |root| leads_away(&path, root));
            let lines = is_away.and_then(|is_away| match is_away {
                true => Err(io::Error::other("it is a link out of the project")),
                false => read_lines(&path, self.bytes_left),
            });
            match lines {
                Ok(lines) => return self.taken(&path, lines),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    self.notes
                        .push(format!("{} is left out: {error}", path.display()));
                }
            }
        }
        let slip = SLIPS.map(|name| dir.join(name));
        if let Some(path) = slip.iter().find(|path| path.is_file()) {
            let (path, name) = (path.display(), NAMES[0]);
            self.notes
                .push(format!("{path} is not read: the name is {name}"));
        }
        None
    }

    fn taken(&mut self, path: &Path, lines: FirstLines) -> Option<Instructions> {
        let path = path.display().to_string();
        // A service may refuse NUL bytes.
        let mut text = String::from_utf8_lossy(&lines.bytes).replace('\0', "?");
        let used = lines.bytes.len() as u64;
        self.bytes_left -= used;
        if used < lines.of {
            self.notes.push(format!(
                "{path}: only {used} of its {} bytes are used; there is room for {} of all \
                 instruction files (INSTRUCTIONS_MAX)",
                lines.of, self.bytes_max
            ));
            text.push_str(REST);
        }
        let of = lines.of;
        (!text.trim().is_empty()).then_some(Instructions {
            path,
            text,
            used,
            of,
        })
    }
}

/// The first lines of a file.
struct FirstLines {
    bytes: Vec<u8>,
    /// How long the file is.
    of: u64,
}

fn read_lines(path: &Path, bytes_max: u64) -> io::Result<FirstLines> {
    let file = file::open_regular(path)?;
    let of = file.metadata()?.len();
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < of {
        let end = bytes.iter().rposition(|byte| *byte == b'\n');
        bytes.truncate(end.map_or(0, |end| end + 1));
    }
    Ok(FirstLines { bytes, of })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hands::temp::TempDir;
    use crate::proc::environment::Pairs;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn instructions_are_read_from_the_root_down_and_bounded() {
        let temp = TempDir::make(&Pairs::new()).unwrap();
        let root = &temp.path;
        let deep = root.join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::write(root.join("AGENTS.md"), "outer\n").unwrap();
        // A directory of that name is no instruction file.
        fs::create_dir(root.join("a/AGENTS.md")).unwrap();
        // The nearest comes first, and leaves no room for a line of another.
        fs::write(deep.join("AGENTS.md"), "near\n".repeat(20_000)).unwrap();
        let mut reader = Reader::new(32 << 10, 32 << 10);
        let found = reader.project(root, &deep);
        let texts: Vec<&str> = found.iter().map(|file| file.text.as_str()).collect();
        assert_eq!(texts[0], REST);
        assert!(texts[1].ends_with("near\n[the rest is left out; read the file]"));
        assert_eq!((found[1].used, found[1].of), (32_765, 100_000));
        let notes = &reader.notes;
        assert!(notes[0].contains("only 32765 of its 100000 bytes are used"));
        assert!(notes[0].ends_with("32768 of all instruction files (INSTRUCTIONS_MAX)"));
        assert!(notes[1].ends_with("a/AGENTS.md is left out: it is not a regular file"));
        assert!(notes[2].contains("only 0 of its 6 bytes"), "{notes:?}");
    }

    #[test]
    fn a_link_out_of_the_project_is_left_out_and_one_within_is_not() {
        let temp = TempDir::make(&Pairs::new()).unwrap();
        let root = temp.path.join("project");
        let below = root.join("below");
        fs::create_dir_all(&below).unwrap();
        fs::write(temp.path.join("key"), "secret\n").unwrap();
        fs::write(root.join("CLAUDE.md"), "rules\n").unwrap();
        symlink("../key", root.join("AGENTS.md")).unwrap();
        symlink("../CLAUDE.md", below.join("AGENTS.md")).unwrap();
        let mut reader = Reader::new(100, 100);
        let found = reader.project(&root, &below);
        let texts: Vec<&str> = found.iter().map(|file| file.text.as_str()).collect();
        assert_eq!(texts, ["rules\n", "rules\n"]);
        let notes = reader.notes.concat();
        assert!(notes.ends_with("AGENTS.md is left out: it is a link out of the project"));
        // In the person's own folder it is their own link.
        let own = reader.directory(&root).map(|file| file.text);
        assert_eq!(own.as_deref(), Some("secret\n"));
    }

    #[test]
    fn each_directory_has_one_file_and_a_slip_is_told() {
        let temp = TempDir::make(&Pairs::new()).unwrap();
        let check = |names: &[&str], expected: Option<&str>, note: &str| {
            for name in NAMES.iter().chain(&SLIPS) {
                let _ = fs::remove_file(temp.path.join(name));
            }
            for name in names {
                fs::write(temp.path.join(name), format!("{name}\r\n\0")).unwrap();
            }
            let mut reader = Reader::new(100, 100);
            let found = reader.directory(&temp.path);
            let text = expected.map(|name| format!("{name}\r\n?"));
            assert_eq!(found.map(|file| file.text), text, "{names:?}");
            assert!(reader.notes.concat().contains(note), "{:?}", reader.notes);
        };
        check(&[], None, "");
        check(&["AGENTS.md", "CLAUDE.md"], Some("AGENTS.md"), "");
        check(&["CLAUDE.md", "agents.md"], Some("CLAUDE.md"), "");
        check(
            &["agents.md"],
            None,
            "agents.md is not read: the name is AGENTS.md",
        );
        // Bytes that are no text are shown as such, and an empty file is none.
        fs::write(temp.path.join("AGENTS.md"), b"a\xff\n").unwrap();
        let mut reader = Reader::new(100, 100);
        assert_eq!(reader.directory(&temp.path).unwrap().text, "a\u{fffd}\n");
        fs::write(temp.path.join("AGENTS.md"), "\n").unwrap();
        assert!(reader.directory(&temp.path).is_none() && reader.notes.is_empty());
    }
}
