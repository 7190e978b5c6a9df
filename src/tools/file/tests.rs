//! Files that are none, names that name none, and links that lead astray.

use super::*;
use crate::tools::tests::Scratch;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

#[track_caller]
fn unread(scratch: &Scratch, name: &str, words: &str) {
    let read = Target::new(scratch.path(), name).and_then(|target| target.read(10));
    assert_eq!(read.unwrap_err().to_string(), words);
}

#[test]
fn what_is_no_regular_file_is_named_at_once() {
    let scratch = Scratch::new();
    let fifo = scratch.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let _listener = UnixListener::bind(scratch.path().join("socket")).unwrap();
    symlink("fifo", scratch.path().join("link")).unwrap();
    unread(&scratch, "fifo", "fifo is a FIFO, not a regular file");
    unread(&scratch, "link", "link is a FIFO, not a regular file");
    unread(&scratch, "socket", "socket is a socket, not a regular file");
    unread(
        &scratch,
        "/dev/zero",
        "/dev/zero is a device, not a regular file",
    );
    unread(
        &scratch,
        ".",
        ". is a directory, not a file; look into it with list",
    );
    unread(&scratch, "", "the path '' does not name a file");
    unread(&scratch, "a/", "the path 'a/' does not name a file");
    unread(&scratch, "/", "the path '/' does not name a file");
}

#[test]
fn what_is_missing_or_large_is_said() {
    let scratch = Scratch::new();
    scratch.write("src/main.rs", "12345678901");
    unread(
        &scratch,
        "src/mian.rs",
        "src/mian.rs cannot be read: there is no such file or directory; did you mean \
         src/main.rs?",
    );
    std::os::unix::fs::symlink("../gone", scratch.path().join("link")).unwrap();
    unread(
        &scratch,
        "link",
        "link is a symbolic link to ../gone, which is not there",
    );
    unread(
        &scratch,
        "other/x",
        "other/x cannot be read: there is no such file or directory",
    );
    unread(
        &scratch,
        "src/main.rs",
        "src/main.rs has 11 bytes, this tool takes at most 10; use bash",
    );
    unread(
        &scratch,
        "src/main.rs/x",
        "src/main.rs/x cannot be read: a part of its path is not a directory",
    );
    unread(
        &scratch,
        "a\0b",
        "the path 'a\\0b' has a NUL byte, which no path can have",
    );
}

#[test]
fn a_name_that_cannot_be_is_said_in_words() {
    let scratch = Scratch::new();
    let home = "in ~/a the ~ is a name like any other here, and there is no such directory; name \
                the home directory from / on";
    unread(&scratch, "~/a", home);
    scratch.write("~/a", "x");
    assert!(Target::new(scratch.path(), "~/a").is_ok());
    symlink("b", scratch.path().join("a")).unwrap();
    symlink("a", scratch.path().join("b")).unwrap();
    let loops = "it leads through symbolic links that lead to each other";
    unread(&scratch, "a", &format!("a cannot be read: {loops}"));
    unread(&scratch, "a/c", &format!("a/c cannot be read: {loops}"));
    let target = Target::new(scratch.path(), "a").unwrap();
    let followed = target.followed(scratch.path()).unwrap_err();
    assert_eq!(
        followed.to_string(),
        format!("a cannot be written: {loops}")
    );
    for name in ["x".repeat(256), "x/".repeat(2100) + "x"] {
        let read = Target::new(scratch.path(), &name).unwrap().read(10);
        let words = read.unwrap_err().to_string();
        assert!(words.contains("its name is too long"), "{words}");
    }
}

#[test]
fn a_file_of_the_kernel_has_bytes_though_its_length_is_0() {
    let target = Target::new(Path::new("/"), "proc/self/comm").unwrap();
    assert!(!target.read(100).unwrap().is_empty());
}

#[test]
fn a_link_is_followed_only_inside() {
    let scratch = Scratch::new();
    let outside = Scratch::new();
    let cwd = scratch.path();
    scratch.write("dir/file", "");
    outside.write("file", "");
    let link = |to: &Path, name: &str| symlink(to, cwd.join(name)).unwrap();
    link(Path::new("dir"), "in");
    link(Path::new("dir/file"), "in_file");
    link(outside.path(), "out");
    link(&outside.path().join("file"), "out_file");
    let followed = |name: &str| Target::new(cwd, name).unwrap().followed(cwd);

    assert_eq!(followed("in/file").unwrap(), cwd.join("dir/file"));
    assert_eq!(followed("in_file").unwrap(), cwd.join("dir/file"));
    assert_eq!(followed("in/a/b").unwrap(), cwd.join("dir/a/b"));
    for name in ["out/file", "out_file", "out/a/b"] {
        let error = followed(name).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{name} leads through a symbolic link to /")),
            "{error}"
        );
    }
    // Who names the place itself means it.
    let direct = outside.path().join("file");
    assert_eq!(followed(direct.to_str().unwrap()).unwrap(), direct);
    assert!(followed("none/../file").is_err());
}
