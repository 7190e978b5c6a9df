//! Tools without a model: `sx tool` and `sx patch`, as a person and a script call them.

use crate::place::Place;
use crate::sx::Ran;
use serde_json::Value;
use serde_json::json;

#[track_caller]
fn call(place: &Place, name: &str, arguments: &Value) -> Ran {
    place.sx(["tool", name, &arguments.to_string()]).run()
}

#[test]
fn the_list_of_tools_is_what_a_model_is_offered() {
    let place = Place::new();
    let ran = place.sx(["tool", "--list", "--json"]).run();
    ran.check_code(0);
    let tools = ran.text().lines().map(|line| {
        let tool: Value = serde_json::from_str(line).expect("a JSON line");
        assert!(tool["schema"].is_object() || tool["grammar"].is_string());
        tool["name"].as_str().expect("a name").to_string()
    });
    let tools: Vec<String> = tools.collect();
    assert!(tools.contains(&"bash".to_string()), "{tools:?}");
    let ran = place.sx(["tool", "--list", "-e", "TOOL_BASH=0"]).run();
    let text = ran.check_code(0).text();
    assert!(
        text.contains("read\n") && !text.contains("bash\n"),
        "{text}"
    );
}

#[test]
fn a_call_by_hand_answers_as_a_model_is_answered() {
    let place = Place::new();
    place.write("work/a.txt", "one\n");
    call(&place, "read", &json!({"path": "a.txt"}))
        .check_code(0)
        .check_stdout("1\tone\n");
    let ran = call(&place, "bash", &json!({"command": "echo out; exit 3"}));
    ran.check_code(7).check_stdout("exit 3\nout\n");
    let ran = call(&place, "read", &json!({"path": "none.txt"}));
    ran.check_code(7);
    assert!(
        ran.text().contains("none.txt cannot be read"),
        "{}",
        ran.text()
    );
    assert_eq!(place.names("tmp"), [""; 0], "the hands clean up");
}

#[test]
fn a_call_by_hand_stays_in_the_sandbox_and_needs_no_credential() {
    let place = Place::new();
    place.write("home/.codex/auth.json", "{\"secret\": 1}");
    let script = "cat $HOME/.codex/auth.json; echo x >$HOME/escaped";
    let ran = call(&place, "bash", &json!({"command": script}));
    ran.check_code(7);
    assert!(!ran.text().contains("secret"), "{}", ran.text());
    assert!(!place.path("home/escaped").exists());
}

#[test]
fn a_program_gets_the_result_as_an_object() {
    let place = Place::new();
    let arguments = json!({"command": "echo out; exit 3"}).to_string();
    let ran = place.sx(["tool", "--json", "bash", &arguments]).run();
    let result: Value = serde_json::from_str(ran.check_code(7).text()).expect("JSON");
    assert_eq!(result["name"], "bash");
    assert_eq!(result["ok"], false);
    assert_eq!(result["exit"], 3);
    assert_eq!(result["output"], "exit 3\nout\n");
}

#[test]
fn two_megabytes_of_arguments_come_by_stdin() {
    let place = Place::new();
    let content = "0123456789abcde\n".repeat(128 * 1024);
    let arguments = json!({"path": "large.txt", "content": content}).to_string();
    let ran = place.sx(["tool", "write", "-"]).stdin(arguments).run();
    ran.check_code(0);
    assert_eq!(place.read("work/large.txt"), content);
}

#[test]
fn a_tool_that_is_not_there_is_a_slip_of_the_caller() {
    let place = Place::new();
    let ran = place.sx(["tool", "bsah", "{}"]).run();
    ran.check_code(2).check_said("there is no tool bsah");
    ran.check_said("hint: there are: bash, read");
    let ran = place.sx(["tool", "bash", "{}", "-e", "TOOLS=0"]).run();
    ran.check_code(2).check_said("all tools are switched off");
    let ran = place.sx(["tool", "bash", "{\"command\":"]).run();
    ran.check_code(7);
    assert!(ran.text().contains("not valid JSON"), "{}", ran.text());
}

#[test]
fn a_patch_comes_from_stdin_or_a_file() {
    let place = Place::new();
    place.write("work/a.txt", "one\r\ntwo\r\n");
    let patch = "*** Begin Patch\n*** Update File: a.txt\n@@\n one\n-two\n+2\n*** End Patch\n";
    let told = "Success. Updated the following files:\nM a.txt\n";
    let ran = place.sx(["patch"]).stdin(patch).run();
    ran.check_code(0).check_stdout(told);
    assert_eq!(place.read("work/a.txt"), "one\r\n2\r\n");
    place.write("work/sub/a.txt", "one\ntwo");
    place.write("work/sub/b.patch", format!("<<'EOF'\n{patch}EOF\n"));
    let ran = place.sx(["patch", "-C", "sub", "b.patch"]).run();
    ran.check_code(0).check_stdout(told);
    assert_eq!(place.read("work/sub/a.txt"), "one\n2\n");
}

#[test]
fn a_patch_that_fails_says_so_on_stderr_alone_and_leaves_what_it_did() {
    let place = Place::new();
    let patch = "*** Begin Patch\n*** Add File: new.txt\n+new\n*** Update File: none.txt\n@@\n\
                 -x\n+y\n*** End Patch\n";
    let ran = place.sx(["patch", "-"]).stdin(patch).run();
    ran.check_code(1).check_stdout("");
    assert!(
        ran.stderr
            .starts_with("Failed to read file to update none.txt: "),
        "{}",
        ran.stderr
    );
    assert_eq!(place.read("work/new.txt"), "new\n");
    let outside = "*** Begin Patch\n*** Add File: in.txt\n+x\n*** Add File: ../out.txt\n+x\n\
                   *** End Patch\n";
    let ran = place.sx(["patch"]).stdin(outside).run();
    ran.check_code(1).check_said("'../out.txt' is outside");
    assert!(!place.path("work/in.txt").exists());
    let empty = "*** Begin Patch\n*** End Patch\n";
    let ran = place.sx(["patch"]).stdin(empty).run();
    assert_eq!(ran.check_code(1).stderr, "No files were modified.\n");
    place.sx(["patch", "none.patch"]).run().check_code(2);
}

#[test]
fn documentation_is_searched_where_it_lies() {
    let place = Place::new();
    place.write("work/notes/a.md", "# Frobs\nA frob is round.\n");
    let docs = |arguments: &Value| place.sx(["tool", "docs", &arguments.to_string()]);
    docs(&json!({"query": "frob"}))
        .env("DOCS_PATH", "notes:none")
        .run()
        .check_code(0)
        .check_stdout(&format!(
            "[{}:1, Frobs]\n# Frobs\nA frob is round.\n",
            place.path("work/notes/a.md").display()
        ));
    place.write("man/man1/frob.1", ".SH NAME\nfrob \\- a frob\n");
    docs(&json!({"query": "frob", "topic": "frob"}))
        .env("MANPATH", place.path("man"))
        .run()
        .check_code(0)
        .check_stdout("[frob(1):2, NAME]\n# NAME\nfrob - a frob\n");
    let script = "#!/bin/sh\necho \"usage of frobs: $*\"\n";
    let path = place.write("bin/frobs", script);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path, mode).expect("it is ours");
    let path = std::env::var("PATH").unwrap_or_default();
    let ran = docs(&json!({"query": "x", "topic": "frobs sub"}))
        .env("PATH", format!("{}:{path}", place.path("bin").display()))
        .run();
    ran.check_code(0)
        .check_stdout("exit 0\nusage of frobs: sub --help\n");
}
