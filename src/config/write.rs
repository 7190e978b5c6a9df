//! Sets one key in a settings file or takes it out, and changes nothing else: comments, order,
//! blanks and line ends stay, byte for byte.
//!
//! The last line of a key is the one that counts, so that is the one that is changed; a key that
//! the file does not have is added at its end. To take it out takes out all its lines. The new
//! file is written beside the old one, synced and renamed; a link stays a link.

use super::file;
use super::file::Content;
use crate::base::random;
use crate::sys::file::open_regular;
use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// As much as is read of a settings file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The byte order mark, which editors of Windows put first.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The file says so now.
    Changed,
    /// It said so before.
    Already,
}

/// A key with its value, or a key to take out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// The value, which must be one line.
    Set(&'a str),
    /// No line has the key any more.
    Unset,
}

/// Changes `key` in the settings file `path`, which need not be there yet.
pub fn change(path: &Path, key: &str, change: Change<'_>) -> io::Result<Written> {
    if change == Change::Unset && !path.try_exists()? {
        return Ok(Written::Already);
    }
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let target = match fs::canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => path.to_path_buf(),
        target => target?,
    };
    let old = read(&target)?;
    let text = old.as_deref().unwrap_or_default();
    let new = match change {
        Change::Set(value) => with(text, key, value),
        Change::Unset => without(text, key),
    };
    if old.as_ref() == Some(&new) {
        return Ok(Written::Already);
    }
    let beside = target.with_file_name(beside_name()?);
    let written = write(&beside, &target, &new).and_then(|()| {
        // An editor may have saved it meanwhile.
        match read(&target)? == old {
            true => fs::rename(&beside, &target),
            false => Err(io::Error::other(
                "it was changed by another program meanwhile",
            )),
        }
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.map(|()| Written::Changed)
}

fn beside_name() -> io::Result<String> {
    let bytes = random::bytes::<8>().map_err(io::Error::other)?;
    Ok(format!(".env-{:016x}", u64::from_le_bytes(bytes)))
}

/// The content; `None` where there is no file.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match open_regular(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > FILE_BYTES_MAX {
        true => Err(io::Error::other(
            "it is over 1 MiB, so it is no settings file",
        )),
        false => Ok(Some(bytes)),
    }
}

/// Writes a file that will take the place of `target`: with its mode and owner, or for us alone.
fn write(beside: &Path, target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file: File = options.open(beside)?;
    file.write_all(bytes)?;
    if let Ok(old) = fs::metadata(target) {
        let new = file.metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            // Only root can; for anyone else it is their file from now on.
            let _ = std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()));
        }
        let mode = fs::Permissions::from_mode(old.mode() & 0o777);
        file.set_permissions(mode)?;
    }
    file.sync_all()
}

/// The same text with `key` set to `value`.
fn with(text: &[u8], key: &str, value: &str) -> Vec<u8> {
    let is_it =
        |content: &Content<'_>| matches!(content, Content::Pair { key: k, .. } if *k == key);
    let lines = file::parse(text);
    let last = lines.iter().rfind(|line| is_it(&line.content));
    let Some(number) = last.map(|line| line.number) else {
        return [text, &addition(text, key, value)].concat();
    };
    let mut new = Vec::with_capacity(text.len() + value.len());
    for (at, line) in (1..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
        match at == number {
            true => new.extend(changed(line, value)),
            false => new.extend_from_slice(line),
        }
    }
    new
}

/// The same text without the lines of `key`.
fn without(text: &[u8], key: &str) -> Vec<u8> {
    let lines = file::parse(text);
    let is_out = |number: u32| {
        lines.iter().any(|line| {
            line.number == number
                && matches!(&line.content, Content::Pair { key: k, .. } if *k == key)
        })
    };
    let kept = (1..)
        .zip(text.split_inclusive(|byte| *byte == b'\n'))
        .filter(|(number, _)| !is_out(*number));
    let new: Vec<u8> = kept.flat_map(|(_, line)| line.to_vec()).collect();
    match text.strip_prefix(BOM) {
        // It stood before a line that went.
        Some(_) if !new.starts_with(BOM) => [BOM, &new].concat(),
        _ => new,
    }
}

/// A line `KEY = VALUE` with another value and the same of everything else.
fn changed(line: &[u8], value: &str) -> Vec<u8> {
    let start = line
        .iter()
        .position(|byte| *byte == b'=')
        .map_or(0, |at| at + 1);
    let old = &line[start..];
    let (lead, tail) = match old.trim_ascii().is_empty() {
        // Of a line without a value only its end is left.
        true => (
            0,
            old.iter()
                .position(|byte| b"\r\n".contains(byte))
                .unwrap_or(old.len()),
        ),
        false => (
            old.len() - old.trim_ascii_start().len(),
            old.trim_ascii_end().len(),
        ),
    };
    [&line[..start + lead], value.as_bytes(), &old[tail..]].concat()
}

/// What is to be added to a text that does not have the key, with the line ends that it uses.
fn addition(text: &[u8], key: &str, value: &str) -> Vec<u8> {
    let first = text.iter().position(|byte| *byte == b'\n');
    let is_crlf = first.is_some_and(|at| at > 0 && text[at - 1] == b'\r');
    let end = if is_crlf { "\r\n" } else { "\n" };
    let is_open = !text.is_empty() && !text.ends_with(b"\n");
    let before = if is_open { end } else { "" };
    format!("{before}{key}={value}{end}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = with(text.as_bytes(), "PROVIDER", "codex");
        assert_eq!(String::from_utf8(found).unwrap(), expected, "{text:?}");
        assert_eq!(
            with(expected.as_bytes(), "PROVIDER", "codex"),
            expected.as_bytes()
        );
    }

    #[test]
    fn one_line_changes_and_everything_else_stays() {
        check("", "PROVIDER=codex\n");
        check("# mine\nMODEL=x", "# mine\nMODEL=x\nPROVIDER=codex\n");
        check("A=1\r\nB=2\r\n", "A=1\r\nB=2\r\nPROVIDER=codex\r\n");
        check("A=1\r\nB=2", "A=1\r\nB=2\r\nPROVIDER=codex\r\n");
        check("\u{feff}PROVIDER=x\n", "\u{feff}PROVIDER=codex\n");
        check(
            "  PROVIDER =  x y  \r\n# PROVIDER=z\n\nB=2",
            "  PROVIDER =  codex  \r\n# PROVIDER=z\n\nB=2",
        );
        check("PROVIDER=", "PROVIDER=codex");
        check("PROVIDER= \r\nX=1\n", "PROVIDER=codex\r\nX=1\n");
        check("MYPROVIDER=x\n", "MYPROVIDER=x\nPROVIDER=codex\n");
        // The last one counts.
        check(
            "PROVIDER=a\nB=PROVIDER=1\nPROVIDER=b=c\nC=3\n",
            "PROVIDER=a\nB=PROVIDER=1\nPROVIDER=codex\nC=3\n",
        );
    }

    #[test]
    fn a_key_that_is_taken_out_takes_only_its_lines_along() {
        for (text, expected) in [
            ("", ""),
            ("# a\r\nA=1\r\n\r\nB=2\r\n", "# a\r\n\r\nB=2\r\n"),
            ("B=1\n A = x\nA=2\n#A=3\nAB=4", "B=1\n#A=3\nAB=4"),
            ("B=1\nA=2", "B=1\n"),
            ("\u{feff}A=1\nB=2\n", "\u{feff}B=2\n"),
            ("B=A=1\n", "B=A=1\n"),
        ] {
            let found = without(text.as_bytes(), "A");
            assert_eq!(String::from_utf8(found).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn the_file_keeps_its_mode_and_a_link_stays_one() {
        let name = format!("sx-write-{}", random::uuid().unwrap());
        let dir = std::env::temp_dir().join(name);
        let path = dir.join("below/scorpiox-env.txt");
        let set = |path: &Path, key, value| change(path, key, Change::Set(value));
        assert_eq!(change(&path, "A", Change::Unset).unwrap(), Written::Already);
        assert!(!dir.exists());
        assert_eq!(set(&path, "A", "1").unwrap(), Written::Changed);
        assert_eq!(set(&path, "A", "1").unwrap(), Written::Already);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&dir), 0o700);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let link = dir.join("link.txt");
        symlink(&path, &link).unwrap();
        set(&link, "B", "2").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "A=1\nB=2\n");
        assert_eq!(mode(&path), 0o644);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        // What is no file is not replaced by one, and nothing is left beside it.
        assert!(set(&dir, "A", "1").is_err());
        assert_eq!(fs::read_dir(dir.join("below")).unwrap().count(), 1);
        fs::remove_dir_all(&dir).unwrap();
    }
}
