//! Sessions on a real disk: written, torn at every byte, filled up, found again.

use super::*;
use crate::base::mutants::mutants;
use crate::base::secret::Secret;
use crate::chat::Block;
use crate::chat::CallKind;
use crate::chat::Image;
use crate::chat::Opaque;
use crate::chat::Part;
use crate::chat::ToolCall;
use crate::chat::ToolResult;
use crate::session::log::Log;
use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// A directory of its own for each test, removed when the test ends.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Temporary {
        let name = format!("sx-session-{}", random::uuid().unwrap());
        Temporary(std::env::temp_dir().join(name))
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::create_dir_all(&self.0).unwrap();
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A session whose header names `cwd`, with one message, written `written` seconds after 1970.
    fn session(&self, id: &str, cwd: &str, words: &str, written: u64) -> PathBuf {
        let mut header = header();
        header.id = id.to_owned();
        header.cwd = cwd.to_owned();
        let mut log = Log::create(&self.0, &header).unwrap();
        if !words.is_empty() {
            log.append(&Entry::Message(Message::user(words))).unwrap();
        }
        let file = OpenOptions::new().append(true).open(log.path()).unwrap();
        let written = std::time::UNIX_EPOCH + Duration::from_secs(written);
        file.set_modified(written).unwrap();
        log.path().to_owned()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn header() -> Header {
    Header::new(Path::new("/src/app"), "codex", "model-1").unwrap()
}

fn call(id: &str, name: &str) -> ToolCall {
    ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: "{\"path\": \"a\"}".into(),
        kind: CallKind::Function,
        opaque: None,
    }
}

fn opaque(json: &str) -> Option<Opaque> {
    Some(Opaque {
        provider: "codex".into(),
        json: json.into(),
    })
}

/// A conversation with one of everything.
fn history() -> Vec<Message> {
    let picture = Image {
        media_type: "image/png".into(),
        base64: "iVBORw0KGgo=".into(),
    };
    let calls = [call("1", "read"), call("2", "bash")];
    let mut results: Vec<ToolResult> = calls
        .iter()
        .map(|call| ToolResult::text(call, true, "fine"))
        .collect();
    results[0].parts.push(Part::Image(picture.clone()));
    vec![
        Message::Context("where we are".into()),
        Message::User(vec![Part::Text("do it".into()), Part::Image(picture)]),
        Message::Assistant(vec![
            Block::Thinking {
                text: String::new(),
                opaque: opaque("{\"encrypted_content\" : \"gAAAA\\u0042==\"}"),
            },
            Block::Text {
                text: "I look.".into(),
                opaque: None,
            },
            Block::Call(calls[0].clone()),
            Block::Call(calls[1].clone()),
        ]),
        Message::Results(results),
        Message::Assistant(vec![Block::Text {
            text: "Done.".into(),
            opaque: opaque("{ }"),
        }]),
    ]
}

fn setup() -> Setup {
    Setup {
        system: "You are\n\"sx\".".into(),
        model: "model-1".into(),
        provider: "codex".into(),
        tools: vec!["bash".into(), "read".into()],
    }
}

/// Writes a whole session and returns its path.
fn write(dir: &Path, history: &[Message]) -> PathBuf {
    let mut log = Log::create(dir, &header()).unwrap();
    log.append(&Entry::Setup(setup())).unwrap();
    for message in history {
        log.append(&Entry::Message(message.clone())).unwrap();
    }
    log.append(&Entry::Usage(Usage::default())).unwrap();
    log.append(&Entry::End(End {
        status: "done".into(),
    }))
    .unwrap();
    log.sync().unwrap();
    log.path().to_owned()
}

#[test]
fn what_was_written_is_read_back_unchanged() {
    let temporary = Temporary::new();
    let path = write(&temporary.0, &history());
    let loaded = load(&path).unwrap();
    assert_eq!(loaded.history, history());
    assert_eq!(loaded.setup, Some(setup()));
    assert_eq!(loaded.repairs, [""; 0]);
    assert_eq!(loaded.header.cwd, "/src/app");
    assert_eq!(path.file_stem().unwrap(), loaded.header.id.as_str());
}

#[test]
fn odd_strings_survive_byte_for_byte() {
    let odd: Vec<char> =
        "\0\n\r\t\"\\/\u{1b}\u{7f}\u{85}\u{2028}\u{202e}\u{feff}é€🦀\u{10ffff}{}[],:a "
            .chars()
            .collect();
    // A fixed sequence of numbers (Knuth's), so that a failure can be seen again.
    let mut state: u64 = 1;
    let mut next = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    let mut string = move || -> String {
        let length = next(40);
        (0..length).map(|_| odd[next(odd.len())]).collect()
    };
    let temporary = Temporary::new();
    for _ in 0..50 {
        let mut call = call(&string(), &string());
        call.arguments = string();
        call.opaque = opaque(&string());
        let result = ToolResult::text(&call, false, string());
        let history = vec![
            Message::user(string()),
            Message::Context(string()),
            Message::Assistant(vec![
                Block::Other(opaque(&string()).unwrap()),
                Block::Call(call),
            ]),
            Message::Results(vec![result]),
        ];
        let loaded = load(&write(&temporary.0, &history)).unwrap();
        assert_eq!(loaded.history, history);
        assert_eq!(loaded.repairs, [""; 0]);
    }
}

#[test]
fn no_file_is_too_odd() {
    let call = r#"{"id":"1","name":"a","arguments":"","kind":"function"}"#;
    let lines = [
        r#"{"sx_session":2,"sx":"9","id":"1"}"#,
        &format!(r#"{{"message":{{"assistant":[{{"call":{call}}}]}}}}"#),
        r#"{"message":{"results":[{"call_id":"2","kind":"function","ok":true,"parts":[]}]}}"#,
        r#"{"usage":{}}"#,
    ];
    let text = lines.join("\n");
    let temporary = Temporary::new();
    let loaded = load(&temporary.file("id.jsonl", text.as_bytes())).unwrap();
    assert_eq!(loaded.history.len(), 2, "{loaded:?}");
    assert_eq!(loaded.repairs.len(), 4, "{loaded:?}");
    mutants(text.as_bytes()).for_each(|bytes| load::fuzz_file(&bytes));
}

#[test]
fn only_the_owner_can_read_what_was_made() {
    let temporary = Temporary::new();
    let dir = temporary.0.join("state/sessions");
    let path = write(&dir, &[]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(dir.parent().unwrap()), 0o700);
}

#[test]
fn a_file_torn_at_any_byte_loads_and_goes_on() {
    let temporary = Temporary::new();
    let whole = fs::read(write(&temporary.0, &history())).unwrap();
    for cut in 0..=whole.len() {
        let (kept, rest) = whole.split_at(cut);
        let path = temporary.file("torn.jsonl", kept);
        let loaded = load(&path).unwrap();
        let is_whole = kept.ends_with(b"\n") || cut > 0 && rest.starts_with(b"\n");
        assert!(is_whole || !loaded.repairs.is_empty(), "cut {cut}: silent");
        let lines = kept.split_inclusive(|byte| *byte == b'\n');
        let messages =
            lines.filter(|line| line.starts_with(b"{\"message\"") && line.ends_with(b"\n"));
        assert!(loaded.history.len() >= messages.count(), "cut {cut}: lost");

        let mut log = Log::reopen(&path).unwrap();
        log.append(&Entry::Message(Message::user("go on"))).unwrap();
        let again = load(&path).unwrap();
        let (last, rest) = again.history.split_last().unwrap();
        assert_eq!(last, &Message::user("go on"), "cut {cut}");
        assert_eq!(rest, loaded.history, "cut {cut}");
        assert_eq!(again.header.id, loaded.header.id, "cut {cut}");
    }
}

/// Loads these lines behind a header; they must give this history and say these repairs.
#[track_caller]
fn check(lines: &[&str], expected: &[Message], repairs: &[&str]) {
    let temporary = Temporary::new();
    let mut text = serde_json::to_string(&header()).unwrap() + "\n";
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    let loaded = load(&temporary.file("x.jsonl", text.as_bytes())).unwrap();
    assert_eq!(loaded.history, expected);
    assert_eq!(loaded.repairs, repairs);
}

#[test]
fn what_cannot_be_read_is_skipped_and_said() {
    let hello = "{\"message\":{\"user\":[{\"text\":\"a\"}]}}";
    check(
        &[
            "{\"plan\":[1,2]}",
            hello,
            "",
            "{\"message\":{\"telepathy\":1}}",
            "{\"mess",
            "[]",
            "{\"setup\":{\"system\":\"x\",\"colour\":1}}",
        ],
        &[Message::user("a")],
        &[
            "line 2: this version cannot read its `plan`; skipped",
            "line 5: this version cannot read its `message`; skipped",
            "line 6: not a whole JSON object; skipped",
            "line 7: not a whole JSON object; skipped",
        ],
    );
    let temporary = Temporary::new();
    let mut bytes = serde_json::to_vec(&header()).unwrap();
    bytes.extend_from_slice(b"\n\xff\xfe\x00\n");
    bytes.extend_from_slice(&b"x\n".repeat(1_000));
    let loaded = load(&temporary.file("x.jsonl", &bytes)).unwrap();
    assert_eq!(loaded.repairs.last().unwrap(), "and 989 more repairs");
}

#[test]
fn every_call_has_one_answer() {
    let line = |message: &Message| serde_json::to_string(&Entry::Message(message.clone())).unwrap();
    let calls = [call("1", "read"), call("2", "bash")];
    let asked = Message::Assistant(calls.iter().cloned().map(Block::Call).collect());
    let given = |at: usize| ToolResult::text(&calls[at], true, "fine");
    let lost = |at: usize| ToolResult::text(&calls[at], false, load::INTERRUPTED);
    let user = Message::user("next");
    let lost_read = "a call of read had no answer; it gets one";
    let lost_bash = "a call of bash had no answer; it gets one";
    let orphans = "answers that belong to no call are left out";

    check(
        &[&line(&asked)],
        &[asked.clone(), Message::Results(vec![lost(0), lost(1)])],
        &[lost_read, lost_bash],
    );
    check(
        &[&line(&asked), &line(&user)],
        &[
            asked.clone(),
            Message::Results(vec![lost(0), lost(1)]),
            user.clone(),
        ],
        &[lost_read, lost_bash],
    );
    check(
        &[&line(&asked), &line(&Message::Results(vec![given(1)]))],
        &[asked.clone(), Message::Results(vec![lost(0), given(1)])],
        &[lost_read],
    );
    check(
        &[
            &line(&asked),
            &line(&Message::Results(vec![given(1), given(0), given(0)])),
        ],
        &[asked.clone(), Message::Results(vec![given(0), given(1)])],
        &[orphans],
    );
    check(
        &[
            &line(&user),
            &line(&Message::Results(vec![given(0)])),
            &line(&user),
        ],
        &[user.clone(), user.clone()],
        &[orphans],
    );
}

#[test]
fn a_lost_header_is_an_empty_session_and_a_newer_one_is_read_as_far_as_it_is_known() {
    let temporary = Temporary::new();
    let message = "{\"message\":{\"user\":[{\"text\":\"a\"}]}}\n";
    for text in ["", "{\"sx_session\":1,\"i", message, "\0\0\0\n"] {
        let loaded = load(&temporary.file("x.jsonl", text.as_bytes())).unwrap();
        assert_eq!(loaded.history, [], "{text:?}");
        assert_eq!(loaded.header.id, "x");
        let said = ["the header is torn or missing; the session is empty"];
        assert_eq!(loaded.repairs, said, "{text:?}");
    }
    let newer = format!("{{\"sx_session\":7,\"sx\":\"9.0.0\",\"id\":\"y\",\"mood\":1}}\n{message}");
    let loaded = load(&temporary.file("y.jsonl", newer.as_bytes())).unwrap();
    assert_eq!(loaded.history, [Message::user("a")]);
    let said = "written by a newer sx (9.0.0, form 7); read as far as form 1 goes";
    assert_eq!(loaded.repairs, [said]);
}

#[test]
fn two_writers_tear_no_lines() {
    let temporary = Temporary::new();
    let mut first = Log::create(&temporary.0, &header()).unwrap();
    let mut second = Log::reopen(first.path()).unwrap();
    for _ in 0..20 {
        first
            .append(&Entry::Message(Message::user("first")))
            .unwrap();
        second
            .append(&Entry::Message(Message::user("second")))
            .unwrap();
    }
    let loaded = load(first.path()).unwrap();
    assert_eq!(loaded.history.len(), 40);
    assert_eq!(loaded.repairs, [""; 0]);
}

#[test]
fn a_secret_of_ours_never_reaches_the_file() {
    let temporary = Temporary::new();
    let mut log = Log::create(&temporary.0, &header()).unwrap();
    log.keep_out(&Secret::new("our-own-secret"));
    let mut call = call("1", "bash");
    call.arguments = "{\"command\":\"echo our-own-secret\"}".into();
    call.opaque = opaque("{\"x\":\"our-own-secret\"}");
    let result = ToolResult::text(&call, true, "our-own-secret\n");
    for message in [
        Message::user("our-own-secret"),
        Message::Assistant(vec![
            Block::Other(opaque("our-own-secret").unwrap()),
            Block::Call(call),
        ]),
        Message::Results(vec![result]),
    ] {
        log.append(&Entry::Message(message)).unwrap();
    }
    let text = fs::read_to_string(log.path()).unwrap();
    assert!(!text.contains("our-own-secret"), "{text}");
    assert_eq!(load(log.path()).unwrap().history.len(), 3);
}

#[test]
fn what_is_no_file_is_an_error_and_no_wait() {
    let temporary = Temporary::new();
    let dir = temporary.0.join("x.jsonl");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .unwrap();
    assert!(matches!(load(&dir), Err(Error::NotAFile { .. })));
    assert!(matches!(
        load(Path::new("/dev/zero")),
        Err(Error::NotAFile { .. })
    ));
    assert!(matches!(
        load(&temporary.0.join("no")),
        Err(Error::Read { .. })
    ));
    let blocked = temporary.file("file", b"");
    let error = Log::create(&blocked.join("dir"), &header()).unwrap_err();
    assert!(matches!(error, Error::Directory { .. }), "{error}");
}

#[test]
fn a_session_is_found_by_id_by_prefix_and_by_age() {
    let temporary = Temporary::new();
    let dir = &temporary.0;
    let here = Path::new("/here");
    let find = |what| find(dir, what, here);
    assert!(matches!(find("last"), Err(Error::NoneYet { .. })));
    assert!(matches!(find("a"), Err(Error::Unknown { .. })));
    let old = temporary.session("abc1", "/here", "first\nwords", 1_000);
    let new = temporary.session("abd2", "/there", "hello", 3_000);
    temporary.session("abe3", "/here", "", 9_000);
    temporary.file("notes.txt", b"not ours");
    temporary.file(".jsonl", b"not ours");
    fs::create_dir(dir.join("abf4.jsonl")).unwrap();

    assert_eq!(find("abc1").unwrap(), old);
    assert_eq!(find("abd").unwrap(), new);
    assert_eq!(find("last").unwrap(), old);
    assert_eq!(super::find(dir, "last", Path::new("/else")).unwrap(), new);
    let error = find("ab").unwrap_err().to_string();
    assert_eq!(error, "3 sessions begin with `ab`: abe3, abd2, abc1");
    for unknown in ["", "abf4", "notes", "../x", "c1", "ABC1"] {
        assert!(
            matches!(find(unknown), Err(Error::Unknown { .. })),
            "{unknown:?}"
        );
    }

    let all = list(dir).unwrap();
    let ids: Vec<&str> = all.iter().map(|summary| summary.id.as_str()).collect();
    assert_eq!(ids, ["abe3", "abd2", "abc1"]);
    assert_eq!(all[2].first_words, "first words");
    assert_eq!(all[2].cwd, "/here");
    assert_eq!(all[2].written, 1_000);
}

#[test]
fn pruning_removes_only_what_is_old() {
    let temporary = Temporary::new();
    let old = temporary.session("old", "/", "a", 1_000);
    let new = temporary.session("new", "/", "a", 2_000);
    let removed = prune(&temporary.0, Duration::from_secs(500), 2_000).unwrap();
    assert_eq!(removed.len(), 1);
    assert_eq!(removed[0].id, "old");
    assert!(!old.exists() && new.exists());
}

#[test]
fn a_write_that_fails_half_way_costs_one_line() {
    let temporary = Temporary::new();
    let path = write(&temporary.0, &[Message::user("a")]);
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"message\":{\"us").unwrap();
    let mut log = Log::reopen(&path).unwrap();
    log.append(&Entry::Message(Message::user("b"))).unwrap();
    let loaded = load(&path).unwrap();
    assert_eq!(loaded.history, [Message::user("a"), Message::user("b")]);
    assert_eq!(loaded.repairs.len(), 1);
}
