//! Whole patches over whole trees (`tests/data/patch`), and what a patch does to links and modes.

use super::*;
use crate::chat::CallKind;
use crate::chat::ToolCall;
use crate::tools::tests::Scratch;
use crate::tools::tests::answer_to;
use crate::tools::tests::call;
use crate::tools::tests::place;
use crate::tools::tests::text_of;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;

/// Every file below a directory with its bytes; directories with nothing in them, with none.
fn tree(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        let Ok(entries) = fs::read_dir(&directory) else {
            continue;
        };
        let mut is_empty = true;
        for entry in entries {
            let path = entry.unwrap().path();
            is_empty = false;
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
        if is_empty && directory != root {
            found.insert(directory.strip_prefix(root).unwrap().to_owned(), Vec::new());
        }
    }
    found
}

fn freeform(patch: &str) -> ToolCall {
    ToolCall {
        kind: CallKind::Freeform,
        ..call("apply_patch", patch)
    }
}

#[test]
fn every_recorded_patch_gives_its_tree_and_answer() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/patch");
    let mut count = 0;
    for case in fs::read_dir(cases).unwrap() {
        let case = case.unwrap().path();
        let scratch = Scratch::new();
        for (name, bytes) in tree(&case.join("input")) {
            scratch.write(name.to_str().unwrap(), bytes);
        }
        let patch = fs::read_to_string(case.join("patch.txt")).unwrap();
        let answer = answer_to(&freeform(&patch), &place(&scratch));
        let expected = fs::read_to_string(case.join("answer.txt")).unwrap();
        assert_eq!(text_of(&answer), expected, "{}", case.display());
        assert_eq!(
            answer.ok,
            expected.starts_with("Success."),
            "{}",
            case.display()
        );
        assert_eq!(
            tree(scratch.path()),
            tree(&case.join("expected")),
            "{}",
            case.display()
        );
        count += 1;
    }
    assert!(count >= 19, "{count}");
}

#[test]
fn a_function_call_carries_the_patch_in_a_field() {
    let scratch = Scratch::new();
    scratch.write("a", "one\ntwo\n");
    let patch = "*** Begin Patch\n*** Update File: a\n-two\n+2\n*** End Patch";
    let arguments = serde_json::json!({ "patch": patch }).to_string();
    let answer = answer_to(&call("apply_patch", &arguments), &place(&scratch));
    assert_eq!(answer.summary, "+1 -1");
    assert_eq!(answer.detail, "2 - two\n2 + 2");
    let refused = answer_to(&call("apply_patch", patch), &place(&scratch));
    assert!(text_of(&refused).starts_with("the arguments are not valid JSON"));
}

#[test]
fn a_move_takes_the_mode_along() {
    let scratch = Scratch::new();
    let path = scratch.write("a.sh", "one\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    let patch = "*** Begin Patch\n*** Update File: a.sh\n*** Move to: b.sh\n*** End Patch";
    assert!(answer_to(&freeform(patch), &place(&scratch)).ok);
    assert_eq!(scratch.names(), ["b.sh"]);
    let mode = fs::metadata(scratch.path().join("b.sh"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o750);
}

#[test]
fn what_a_patch_changes_is_bounded_all_together() {
    let scratch = Scratch::new();
    let file = "x\n".repeat(7 * 1024 * 1024);
    let mut patch = "*** Begin Patch\n".to_owned();
    for name in ["a", "b", "c"] {
        scratch.write(name, &file);
        patch += &format!("*** Update File: {name}\n*** Move to: {name}{name}\n");
    }
    let refused = answer_to(&freeform(&(patch + "*** End Patch")), &place(&scratch));
    let words = "nothing was changed: the files of this patch up to c are larger than 67108864";
    assert!(
        text_of(&refused).starts_with(words),
        "{}",
        text_of(&refused)
    );
    assert_eq!(scratch.names(), ["a", "b", "c"]);
}

#[test]
fn what_a_file_cannot_keep_is_told_behind_the_report() {
    let scratch = Scratch::new();
    let path = scratch.write("a", "one\n");
    fs::hard_link(&path, scratch.path().join("b")).unwrap();
    let patch = "*** Begin Patch\n*** Update File: a\n-one\n+two\n*** End Patch";
    let answer = answer_to(&freeform(patch), &place(&scratch));
    let told = "Success. Updated the following files:\nM a\na: it had one more name (a hard link)";
    assert!(text_of(&answer).starts_with(told), "{}", text_of(&answer));
}

#[test]
fn a_link_is_deleted_itself_and_updated_through() {
    let scratch = Scratch::new();
    scratch.write("file", "one\n");
    for name in ["a", "b", "c"] {
        symlink("file", scratch.path().join(name)).unwrap();
    }
    let patch = "*** Begin Patch\n*** Delete File: a\n*** Update File: b\n-one\n+two\n\
                 *** Update File: c\n*** Move to: d\n two\n*** End Patch";
    let answer = answer_to(&freeform(patch), &place(&scratch));
    assert_eq!(
        text_of(&answer),
        "Success. Updated the following files:\nM b\nM d\nD a\n"
    );
    assert_eq!(scratch.names(), ["b", "d", "file"]);
    assert_eq!(
        (scratch.read("file"), scratch.read("d")),
        (b"two\n".into(), b"two\n".into())
    );

    let patch = "*** Begin Patch\n*** Delete File: b\n*** Add File: b\n+x\n*** End Patch";
    let refused = answer_to(&freeform(patch), &place(&scratch));
    assert!(
        !refused.ok,
        "the link would be written through and then deleted"
    );
    assert_eq!(scratch.read("b"), b"two\n");
}

#[test]
fn what_leads_out_is_refused_before_anything_is_written() {
    let scratch = Scratch::new();
    let outside = Scratch::new();
    outside.write("f", "one\n");
    symlink(outside.path(), scratch.path().join("out")).unwrap();
    for hunk in [
        "*** Update File: out/f\n-one\n+two",
        "*** Delete File: out/f",
        "*** Add File: out/g\n+x",
    ] {
        let patch = format!("*** Begin Patch\n*** Add File: new\n+x\n{hunk}\n*** End Patch");
        let refused = answer_to(&freeform(&patch), &place(&scratch));
        assert!(text_of(&refused).contains("outside the working directory"));
        assert_eq!(scratch.names(), ["out"]);
    }
    assert_eq!(outside.read("f"), b"one\n");
    assert_eq!(outside.names(), ["f"]);
}
