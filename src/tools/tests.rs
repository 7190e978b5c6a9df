//! Promises that hold for every tool, how calls that fit no tool are answered, and what the tests
//! of each tool share.

use super::*;
use crate::base::random;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A directory for one test: new, empty, and gone when the test ends.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> Scratch {
        let name = format!("sx-test-{}", random::uuid().unwrap());
        let path = fs::canonicalize(std::env::temp_dir()).unwrap().join(name);
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and the directories above it.
    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap()
    }

    /// The names in the directory, sorted: to see that nothing was left behind.
    pub(super) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A workplace in `scratch` with every tool switched on.
pub(super) fn place(scratch: &Scratch) -> Workplace {
    Workplace {
        cwd: scratch.path().to_owned(),
        spill_dir: None,
        room: Room::default(),
        limits: Limits::default(),
        bash_timeout: Duration::from_secs(120),
        docs: vec![],
        manuals: vec![],
        tools: TOOLS.iter().map(|tool| tool.spec.name.to_owned()).collect(),
        cancel: Cancel::default(),
    }
}

pub(super) fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: "1".into(),
        name: name.into(),
        arguments: arguments.into(),
        kind: CallKind::Function,
        opaque: None,
    }
}

/// The answer to a call that needs no command.
#[track_caller]
pub(super) fn answer_to(call: &ToolCall, place: &Workplace) -> Answer {
    match start(call, place) {
        Start::Answer(answer) => answer,
        other => panic!("not an answer: {other:?}"),
    }
}

/// The text of an answer.
#[track_caller]
pub(super) fn text_of(answer: &Answer) -> &str {
    match answer.parts.first() {
        Some(Part::Text(text)) => text,
        other => panic!("no text: {other:?}"),
    }
}

#[track_caller]
fn refused(name: &str, arguments: &str, words: &str) {
    let scratch = Scratch::new();
    let answer = answer_to(&call(name, arguments), &place(&scratch));
    assert!(!answer.ok);
    assert!(text_of(&answer).contains(words), "{}", text_of(&answer));
}

#[test]
fn a_call_that_fits_no_tool_is_told_what_there_is() {
    refused("shell", "{}", "there is no tool shell; there are: bash");
    refused("bassh", "{}", "did you mean bash?; there are: bash");
    refused(
        "bash",
        "{\"command\":",
        "EOF while parsing a value at line 1 column 11",
    );
    refused("bash", "{}", "the argument command is missing");
    refused("bash", r#"{"cmd":"ls"}"#, "there is no argument cmd");
    refused("bash", r#"{"command":" "}"#, "command is empty");
    refused("bash", r#"{"command":"a\u0000"}"#, "NUL");
}

#[test]
fn a_tool_that_is_switched_off_is_not_there() {
    let scratch = Scratch::new();
    let mut place = place(&scratch);
    place.tools = vec!["read".to_owned()];
    let off = answer_to(&call("bash", r#"{"command":"ls"}"#), &place);
    assert_eq!(text_of(&off), "there is no tool bash; there are: read");
    place.tools.clear();
    let off = answer_to(&call("bash", r#"{"command":"ls"}"#), &place);
    assert_eq!(text_of(&off), "all tools are switched off");
}

#[test]
fn a_command_carries_its_limit_and_who_set_it() {
    let scratch = Scratch::new();
    let run = |arguments: &str| match start(&call("bash", arguments), &place(&scratch)) {
        Start::Run(command) => (command.timeout.map(|wait| wait.as_millis()), command.limit),
        other => panic!("{other:?}"),
    };
    assert_eq!(run(r#"{"command":"ls"}"#), (Some(120_000), "BASH_TIMEOUT"));
    assert_eq!(
        run(r#"{"command":"ls","timeout":1.5}"#),
        (Some(1_500), "timeout")
    );
    assert_eq!(
        run(r#"{"command":"ls","timeout":"2m"}"#),
        (Some(120_000), "timeout")
    );
    // What runs in the background does so until somebody ends it.
    let background = r#"{"command":"ls","background":true}"#;
    assert_eq!(run(background).0, None);
    let limited = r#"{"command":"ls","background":true,"timeout":2}"#;
    assert_eq!(run(limited), (Some(2_000), "timeout"));
}

#[test]
fn a_command_that_the_kernel_cannot_take_is_refused_with_the_way_out() {
    let scratch = Scratch::new();
    let command = "x".repeat(128 * 1024);
    let arguments = serde_json::json!({"command": command}).to_string();
    match start(&call("bash", &arguments), &place(&scratch)) {
        Start::Answer(answer) => {
            assert!(text_of(&answer).ends_with("write it to a file and run that"))
        }
        other => panic!("it would not start: {other:?}"),
    }
}

#[test]
fn schemas_are_strict_and_have_the_fields_that_are_read() {
    for tool in TOOLS {
        let Input::Schema(schema) = tool.spec.input else {
            continue;
        };
        let schema: Value = serde_json::from_str(schema).unwrap();
        assert_eq!(schema["type"], "object", "{}", tool.spec.name);
        assert_eq!(schema["additionalProperties"], false, "{}", tool.spec.name);
        let properties = schema["properties"].as_object().unwrap();
        let mut fields = tool.fields.to_vec();
        fields.sort_unstable();
        let mut offered: Vec<&str> = properties.keys().map(String::as_str).collect();
        offered.sort_unstable();
        assert_eq!(offered, fields, "{}", tool.spec.name);
        for required in schema["required"].as_array().unwrap() {
            assert!(properties.contains_key(required.as_str().unwrap()));
        }
    }
}

#[test]
fn all_that_is_sent_of_the_tools_stays_small() {
    /// Two thirds of what the first request may have.
    const BYTES_MAX: usize = 6_000;
    let bytes: usize = TOOLS
        .iter()
        .map(|tool| {
            let input = match tool.spec.input {
                Input::Schema(schema) => schema.len(),
                Input::Freeform { grammar, field } => grammar.len() + field.len(),
            };
            tool.spec.name.len() + tool.spec.description.len() + input
        })
        .sum();
    assert!(bytes < BYTES_MAX, "{bytes} bytes");
}
