//! What a walk leaves out, and what it may not be held up by.

use crate::tools::tests::Scratch;
use crate::tools::tests::answer_to;
use crate::tools::tests::call;
use crate::tools::tests::place;
use crate::tools::tests::text_of;
use nix::sys::stat::Mode;
use serde_json::json;

/// The files that a walk from the scratch directory finds, in its order.
fn found(scratch: &Scratch) -> String {
    let arguments = json!({"pattern": "", "mode": "files"}).to_string();
    text_of(&answer_to(&call("grep", &arguments), &place(scratch))).to_string()
}

#[test]
fn ignore_files_count_as_they_do_for_git_and_ripgrep() {
    let scratch = Scratch::new();
    for (name, text) in [
        (".git/HEAD", "x\n"),
        (".git/info/exclude", "excluded.txt\n"),
        (
            ".gitignore",
            "*.log\n!keep.log\n/top.txt\nbuild/\n# c\n\\#odd\n",
        ),
        (".ignore", "by-ignore.txt\n"),
        (".rgignore", "by-rgignore.txt\n"),
        ("a.log", "x\n"),
        ("keep.log", "x\n"),
        ("top.txt", "x\n"),
        ("sub/top.txt", "x\n"),
        ("build/x", "x\n"),
        ("sub/build", "x\n"),
        ("sub/.gitignore", "!a.log\nonly-here\n"),
        ("sub/a.log", "x\n"),
        ("sub/only-here", "x\n"),
        ("only-here", "x\n"),
        ("#odd", "x\n"),
        (".hidden", "x\n"),
        ("by-ignore.txt", "x\n"),
        ("by-rgignore.txt", "x\n"),
        ("excluded.txt", "x\n"),
    ] {
        scratch.write(name, text);
    }
    let expected = "keep.log\nonly-here\nsub/a.log\nsub/build\nsub/top.txt\n";
    assert_eq!(found(&scratch), expected);
}

#[test]
fn a_gitignore_counts_in_a_repository_only() {
    let scratch = Scratch::new();
    scratch.write(".gitignore", "a\n");
    scratch.write("a", "x\n");
    assert_eq!(found(&scratch), "a\n");
}

#[test]
fn an_ignore_file_that_never_ends_is_not_read() {
    let scratch = Scratch::new();
    scratch.write("b", "x\n");
    scratch.write("sub/a", "x\n");
    let pipe = scratch.path().join("sub/.gitignore");
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).expect("a FIFO");
    let text = found(&scratch);
    assert!(text.starts_with("b\n[left out: sub/.gitignore: "), "{text}");
}

#[test]
fn links_are_not_followed_and_no_device_is_opened() {
    let scratch = Scratch::new();
    scratch.write("b", "x\n");
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, scratch.path().join(name)).expect("a link");
    };
    link("/dev/zero", "zero");
    link(".", "loop");
    nix::unistd::mkfifo(&scratch.path().join("pipe"), Mode::S_IRWXU).expect("a FIFO");
    assert_eq!(found(&scratch), "b\n");
}
