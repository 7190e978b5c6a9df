//! What a replaced file keeps, and what is left when it cannot be replaced.

use super::*;
use crate::tools::tests::Scratch;
use std::os::unix::fs::symlink;

fn write(scratch: &Scratch, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let target = Target::new(scratch.path(), name)?;
    let destination = Destination::find(&target, scratch.path())?;
    destination.stage(bytes, None)?.commit().map(|_| ())
}

fn mode(scratch: &Scratch, name: &str) -> u32 {
    let metadata = fs::metadata(scratch.path().join(name)).unwrap();
    metadata.permissions().mode() & 0o7777
}

#[test]
fn a_replaced_file_keeps_its_mode_and_nothing_is_left_beside_it() {
    let scratch = Scratch::new();
    let path = scratch.write("run.sh", "old");
    for bits in [0o755, 0o600, 0o4755] {
        fs::set_permissions(&path, Permissions::from_mode(bits)).unwrap();
        write(&scratch, "run.sh", b"new").unwrap();
        assert_eq!(mode(&scratch, "run.sh"), bits & 0o777);
        assert_eq!(scratch.read("run.sh"), b"new");
        assert_eq!(scratch.names(), ["run.sh"]);
    }
}

#[test]
fn what_a_file_cannot_keep_is_told() {
    let scratch = Scratch::new();
    let path = scratch.write("file", "old");
    fs::hard_link(&path, scratch.path().join("twin")).unwrap();
    let target = Target::new(scratch.path(), "file").unwrap();
    let replace = || {
        let destination = Destination::find(&target, scratch.path()).unwrap();
        destination.stage(b"new", None).unwrap().commit().unwrap()
    };
    assert_eq!(replace(), [Lost::Links(1)]);
    assert_eq!(scratch.read("twin"), b"old");
    assert_eq!(scratch.read("file"), b"new");
    assert_eq!(replace(), []);
    // Only root may try the rest.
    if std::os::unix::fs::chown(&path, Some(4711), Some(4712)).is_ok() {
        assert_eq!(replace(), []);
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (4711, 4712));
    }
}

#[test]
fn a_file_that_is_changed_meanwhile_stays_as_it_is() {
    let scratch = Scratch::new();
    let path = scratch.write("file", "old");
    let stage = |name: &str| {
        let target = Target::new(scratch.path(), name).unwrap();
        let destination = Destination::find(&target, scratch.path()).unwrap();
        destination.stage(b"new", None).unwrap()
    };
    let (first, second) = (stage("file"), stage("none"));
    let target = Target::new(scratch.path(), "file").unwrap();
    let removal = Removal::find(&target, scratch.path()).unwrap();
    fs::write(&path, "other").unwrap();
    scratch.write("none", "made");
    let words = "was changed by something else just now; read it again";
    let said = |outcome: Result<Vec<Lost>, Error>| outcome.unwrap_err().to_string();
    assert_eq!(said(first.commit()), format!("file {words}"));
    assert_eq!(said(second.commit()), format!("none {words}"));
    assert_eq!(
        said(removal.commit().map(|_| vec![])),
        format!("file {words}")
    );
    assert_eq!(scratch.names(), ["file", "none"]);
    assert_eq!(scratch.read("file"), b"other");
}

#[test]
fn directories_are_made_and_gone_again_if_the_file_does_not_come() {
    let scratch = Scratch::new();
    let target = Target::new(scratch.path(), "a/b/c").unwrap();
    let destination = Destination::find(&target, scratch.path()).unwrap();
    let staged = destination.stage(b"x", None).unwrap();
    assert!(scratch.path().join("a/b").is_dir());
    assert!(!scratch.path().join("a/b/c").exists());
    drop(staged);
    assert!(scratch.names().is_empty());
    write(&scratch, "a/b/c", b"x").unwrap();
    assert_eq!(scratch.read("a/b/c"), b"x");
}

#[test]
fn a_link_stays_a_link() {
    let scratch = Scratch::new();
    scratch.write("file", "old");
    symlink("file", scratch.path().join("link")).unwrap();
    write(&scratch, "link", b"new").unwrap();
    assert_eq!(scratch.read("file"), b"new");
    let link = fs::symlink_metadata(scratch.path().join("link")).unwrap();
    assert!(link.is_symlink());
}

#[test]
fn what_cannot_be_written_is_an_error_and_stays() {
    let scratch = Scratch::new();
    scratch.write("dir/file", "old");
    let words = |name: &str| write(&scratch, name, b"new").unwrap_err().to_string();
    assert!(words("dir").starts_with("dir is a directory"));
    assert_eq!(
        words("dir/file/x"),
        "dir/file/x cannot be written: a part of its path is not a directory"
    );
    assert_eq!(
        words("/proc/sx"),
        "/proc/sx cannot be written: there is no such file or directory"
    );
    assert_eq!(
        words("/dev/null"),
        "/dev/null is a device, not a regular file"
    );
    assert!(words(&"x".repeat(300)).contains("cannot be written"));
    assert_eq!(scratch.names(), ["dir"]);
    assert_eq!(scratch.read("dir/file"), b"old");
}

#[test]
fn a_full_disk_costs_nothing() {
    // /dev/full refuses every write, but is no regular file: the step alone is tried on it.
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let scratch = Scratch::new();
    let path = scratch.write("beside", "");
    let mut beside = Beside {
        file: full,
        path,
        is_kept: false,
    };
    let error = beside.file.write_all(b"x").unwrap_err();
    let target = Target::new(scratch.path(), "file").unwrap();
    assert_eq!(
        target.error("written", error).to_string(),
        "file cannot be written: the disk is full"
    );
    drop(beside);
    assert!(scratch.names().is_empty());
}

#[test]
fn a_working_directory_that_is_gone_is_said() {
    let scratch = Scratch::new();
    let gone = scratch.path().join("gone");
    let target = Target::new(&gone, "file").unwrap();
    let error = Destination::find(&target, &gone).unwrap_err().to_string();
    assert!(error.starts_with("the working directory /"), "{error}");
    assert!(scratch.names().is_empty());
}

#[test]
fn a_removal_takes_the_link_and_not_the_file() {
    let scratch = Scratch::new();
    scratch.write("file", "");
    symlink("file", scratch.path().join("link")).unwrap();
    let find = |name: &str| {
        let target = Target::new(scratch.path(), name).unwrap();
        Removal::find(&target, scratch.path())
    };
    find("link").unwrap().commit().unwrap();
    assert_eq!(scratch.names(), ["file"]);
    assert!(find(".").is_err() && find("none").is_err());
}

#[test]
fn a_file_that_is_read_only_is_not_replaced_though_its_directory_could_be_written() {
    let scratch = Scratch::new();
    let path = scratch.write("file", "old");
    fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    // Root may write it all the same, and then it is written.
    let may_write = OpenOptions::new().write(true).open(&path).is_ok();
    let written = write(&scratch, "file", b"new");
    assert_eq!(written.is_ok(), may_write);
    if let Err(error) = written {
        let words = "file cannot be written: permission denied, by its mode";
        assert!(error.to_string().starts_with(words), "{error}");
        assert_eq!(scratch.read("file"), b"old");
    }
}
