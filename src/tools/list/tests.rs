//! What a folder's list says of each kind of thing.

use crate::tools::tests::Scratch;
use crate::tools::tests::answer_to;
use crate::tools::tests::call;
use crate::tools::tests::place;
use crate::tools::tests::text_of;
use nix::sys::stat::Mode;
use serde_json::Value;
use serde_json::json;

fn list(scratch: &Scratch, arguments: &Value) -> (bool, String) {
    let answer = answer_to(&call("list", &arguments.to_string()), &place(scratch));
    (answer.ok, text_of(&answer).to_string())
}

#[test]
fn every_kind_is_told() {
    let scratch = Scratch::new();
    scratch.write("b/inner", "12345");
    scratch.write("a.txt", "123");
    scratch.write("e\x1b[2J", "");
    scratch.write(".hidden", "");
    nix::unistd::mkfifo(&scratch.path().join("pipe"), Mode::S_IRWXU).expect("a FIFO");
    std::os::unix::fs::symlink("nowhere", scratch.path().join("link")).expect("a link");
    let plain = "a.txt  3\nb/\n$'e\\x1b[2J'  0\nlink -> nowhere\npipe (FIFO)\n";
    assert_eq!(list(&scratch, &json!({})), (true, plain.into()));
    let all = format!(".hidden  0\n{plain}");
    assert_eq!(list(&scratch, &json!({"all": true})), (true, all));
    let (_, deep) = list(&scratch, &json!({"depth": 2}));
    assert!(deep.contains("b/\nb/inner  5\n"), "{deep}");
    let below = (true, "b/inner  5\n".into());
    assert_eq!(list(&scratch, &json!({"path": "b"})), below);
}

#[test]
fn an_empty_folder_a_file_and_one_that_is_not_there_are_told_apart() {
    let scratch = Scratch::new();
    scratch.write("file", "");
    scratch.write("sub/.x", "");
    let (ok, text) = list(&scratch, &json!({"path": "sub"}));
    assert!(
        ok && text.starts_with("nothing here that is neither hidden"),
        "{text}"
    );
    let (ok, text) = list(&scratch, &json!({"path": "file"}));
    assert!(!ok && text.contains("look into it with read"), "{text}");
    let (ok, text) = list(&scratch, &json!({"path": "none"}));
    assert!(!ok && text.contains("no such file"), "{text}");
}

#[test]
fn a_list_has_an_end() {
    let scratch = Scratch::new();
    for number in 0..1_010 {
        scratch.write(&format!("f{number:04}"), "");
    }
    let (_, text) = list(&scratch, &json!({}));
    assert!(text.starts_with("f0000  0\nf0001  0\n"), "{text}");
    assert!(
        text.ends_with("[10 more; list a folder of these, or less depth]\n"),
        "{text}"
    );
}
