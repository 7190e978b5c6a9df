//! Command lines as people type them, each with what it means or what is said about it.

mod settings;

use super::*;
use crate::config::keys;
use flags::FLAGS;
use flags::Flag;
use std::os::unix::ffi::OsStringExt;

fn read(line: &[&str]) -> Result<Invocation, String> {
    called("sx", line)
}

fn called(program: &str, line: &[&str]) -> Result<Invocation, String> {
    parse(Path::new(program), line.iter().map(OsString::from)).map_err(|usage| usage.to_string())
}

fn command_of(line: &[&str]) -> Command {
    read(line)
        .unwrap_or_else(|usage| panic!("{line:?}: {usage}"))
        .command
}

#[track_caller]
fn check(line: &[&str], expected: Command) {
    assert_eq!(command_of(line), expected, "{line:?}");
}

#[track_caller]
fn check_refused(line: &[&str], expected: &str) {
    assert_eq!(read(line).map(|_| ()).unwrap_err(), expected, "{line:?}");
}

#[track_caller]
fn check_overrides(line: &[&str], expected: &[(&str, &str)]) {
    let common = read(line).unwrap().common;
    let got: Vec<(&str, &str)> = common
        .overrides
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(got, expected, "{line:?}");
}

fn talk() -> Talk {
    Talk {
        is_kept: true,
        ..Talk::default()
    }
}

fn chat(prompt: Option<&str>, talk: Talk) -> Command {
    Command::Chat(Chat {
        prompt: prompt.map(str::to_string),
        talk,
    })
}

fn exec(prompt: Prompt) -> Exec {
    Exec {
        prompt,
        is_stdin_appended: false,
        talk: talk(),
        is_json: false,
        has_deltas: false,
        output: None,
        output_schema: None,
        timeout: None,
    }
}

fn text(prompt: &str) -> Prompt {
    Prompt::Text(prompt.to_string())
}

#[test]
fn a_conversation_needs_no_word() {
    check(&[], chat(None, talk()));
    check(
        &["why does it fail?"],
        chat(Some("why does it fail?"), talk()),
    );
    check(&[" "], chat(None, talk()));
    check(&["--", "exec"], chat(Some("exec"), talk()));
    let last = || Talk {
        resume: Some("last".into()),
        ..talk()
    };
    check(&["-c"], chat(None, last()));
    check(&["resume"], chat(None, last()));
    check(&["-c", "go on"], chat(Some("go on"), last()));
    check(
        &["resume", "3f"],
        chat(
            None,
            Talk {
                resume: Some("3f".into()),
                ..talk()
            },
        ),
    );
    check(
        &[
            "--no-session",
            "-i",
            "a.png",
            "-i",
            "b.png",
            "what is this?",
        ],
        {
            let images = vec!["a.png".into(), "b.png".into()];
            chat(
                Some("what is this?"),
                Talk {
                    images,
                    ..Talk::default()
                },
            )
        },
    );
}

#[test]
fn exec_finds_its_prompt_in_one_place() {
    check(&["exec", "fix it"], Command::Exec(exec(text("fix it"))));
    check(&["-p", "fix it"], Command::Exec(exec(text("fix it"))));
    check(
        &["exec", "-p", "fix it"],
        Command::Exec(exec(text("fix it"))),
    );
    check(&["exec", "-"], Command::Exec(exec(Prompt::Stdin)));
    check(&["exec", "--", "-"], Command::Exec(exec(text("-"))));
    check(&["exec", "-f", "-"], Command::Exec(exec(Prompt::Stdin)));
    check(
        &["exec", "-f", "task.md"],
        Command::Exec(exec(Prompt::File("task.md".into()))),
    );
    check(&["exec", "help"], Command::Exec(exec(text("help"))));
    let hint = "hint: give it in quotes, or `-f FILE`, or `-` to read it from stdin";
    check_refused(&["exec"], &format!("`sx exec` needs a prompt\n{hint}"));
    check_refused(
        &["exec", " \n"],
        &format!("`sx exec` needs a prompt\n{hint}"),
    );
    check_refused(
        &["exec", "--stdin"],
        &format!("`sx exec` needs a prompt\n{hint}"),
    );
    let hint = "hint: give only one of them";
    check_refused(
        &["exec", "a", "-f", "b"],
        &format!("-f and PROMPT exclude each other\n{hint}"),
    );
    check_refused(
        &["exec", "-", "--stdin"],
        &format!("--stdin and a prompt on stdin exclude each other\n{hint}"),
    );
    check_refused(
        &["exec", "fix", "it"],
        "`it` is one argument too many for `sx exec`\n\
         hint: a prompt of several words needs quotes around it",
    );
}

#[test]
fn exec_takes_its_options_before_and_after_the_word() {
    let expected = || Exec {
        talk: Talk {
            resume: Some("last".into()),
            record: Some("rec".into()),
            ..Talk::default()
        },
        is_stdin_appended: true,
        is_json: true,
        has_deltas: true,
        output: Some("out".into()),
        output_schema: Some("shape".into()),
        timeout: Some(Duration::from_secs(120)),
        ..exec(text("do"))
    };
    let options = [
        "--json",
        "--deltas",
        "--stdin",
        "-o",
        "out",
        "--output-schema=shape",
        "--timeout",
        "2m",
        "--resume",
        "last",
        "--record",
        "rec",
        "--no-session",
    ];
    for at in 0..=options.len() {
        // Not between an option and its value.
        if at > 0 && ["-o", "--timeout", "--resume", "--record"].contains(&options[at - 1]) {
            continue;
        }
        let line = [&options[..at], &["exec", "do"], &options[at..]].concat();
        check(&line, Command::Exec(expected()));
    }
}

#[test]
fn settings_keep_the_order_in_which_they_were_typed() {
    check_overrides(
        &[
            "-m",
            "a",
            "-e",
            "MODEL = b",
            "exec",
            "x",
            "--model=c",
            "--effort",
            "HIGH",
        ],
        &[
            ("MODEL", "a"),
            ("MODEL", "b"),
            ("MODEL", "c"),
            ("REASONING_EFFORT", "high"),
        ],
    );
    check_overrides(
        &[
            "--provider",
            "codex",
            "--sandbox=off",
            "--network",
            "on",
            "--max-turns",
            "3",
        ],
        &[
            ("PROVIDER", "codex"),
            ("SANDBOX", "off"),
            ("NETWORK", "on"),
            ("MAX_TURNS", "3"),
        ],
    );
    check_overrides(&["demo", "--sandbox", "off"], &[("SANDBOX", "off")]);
    check_refused(
        &["-e", "MODL=x"],
        "there is no setting MODL\nhint: did you mean MODEL?",
    );
    check_refused(
        &["-e", "MODEL"],
        "-e is `MODEL`; it must be KEY=VALUE\nhint: `sx help` lists commands and options",
    );
    check_refused(
        &["-e", "TOOLS=x"],
        "-e TOOLS is `x`; it must be 0 or 1\n\
         hint: `sx help settings` says what each setting takes",
    );
    check_refused(
        &["--sandbox", "none"],
        "--sandbox is `none`; it must be one of workspace, read-only, off\n\
         hint: `sx help` lists commands and options",
    );
}

#[test]
fn the_other_commands_mean_what_they_say() {
    check(&["sessions"], Command::Sessions(Sessions::List));
    check(&["sessions", "list"], Command::Sessions(Sessions::List));
    check(
        &["sessions", "show", "3f"],
        Command::Sessions(Sessions::Show("3f".into())),
    );
    check(
        &["sessions", "prune"],
        Command::Sessions(Sessions::Prune { days: None }),
    );
    check(
        &["sessions", "--days", "7", "prune"],
        Command::Sessions(Sessions::Prune { days: Some(7) }),
    );
    check(
        &[
            "fetchtoken",
            "--refresh",
            "--source",
            "local",
            "--json",
            "--verbose",
        ],
        Command::Fetchtoken(Fetchtoken {
            is_refreshed: true,
            shape: Some(TokenShape::Json),
        }),
    );
    check(&["hands"], Command::Hands);
    check(&["demo", "--keep"], Command::Demo { is_kept: true });
    check(&["replay", "rec"], Command::Replay("rec".into()));
    check(
        &["tool", "--list", "--json"],
        Command::Tool(Tool::List { is_json: true }),
    );
    check(
        &["tool", "read", r#"{"path":"a"}"#],
        Command::Tool(Tool::Call {
            name: "read".to_string(),
            arguments: r#"{"path":"a"}"#.to_string(),
            is_json: false,
        }),
    );
    let patch = |file: Option<&str>| {
        let file = file.map(PathBuf::from);
        Command::Patch(Patch { file, cwd: None })
    };
    check(&["patch"], patch(None));
    check(&["patch", "-"], patch(Some("-")));
    check(&["patch", "a.patch"], patch(Some("a.patch")));
    check(&["version", "--json"], Command::Version { is_json: true });
    check(
        &["launch", "-h", "--", "x"],
        Command::Launch(["-h", "--", "x"].map(Into::into).into()),
    );
}

#[test]
fn the_old_names_are_commands() {
    let invocation = called("/usr/bin/scorpiox-config", &["--dump"]).unwrap();
    assert!(matches!(invocation.command, Command::Config(_)));
    let invocation = called("scorpiox-codex-fetchtoken", &["-v"]).unwrap();
    assert!(matches!(invocation.command, Command::Fetchtoken(_)));
    assert_eq!(
        invocation.common.overrides,
        [("PROVIDER".into(), "codex".into())]
    );
    assert!(invocation.common.is_verbose);
}

#[test]
fn help_and_version_work_where_nothing_else_makes_sense() {
    let help = |topic: Option<&str>| Command::Help(topic.map(str::to_string));
    check(&["-h"], help(None));
    check(&["help"], help(None));
    check(&["help", "exec"], help(Some("exec")));
    check(
        &["exec", "--deltas", "--get", "x", "--help", "--nonsense"],
        help(Some("exec")),
    );
    check(&["-V"], Command::Version { is_json: false });
    check(&["exec", "--version"], Command::Version { is_json: false });
}

#[test]
fn a_slip_is_answered_with_what_was_meant() {
    check_refused(
        &["exe"],
        "there is no command exe\nhint: did you mean exec? `sx -- exe` sends it as a prompt",
    );
    check_refused(
        &["--modl", "x"],
        "there is no option --modl\nhint: did you mean --model?",
    );
    check_refused(
        &["-Z"],
        "there is no option -Z\nhint: `sx help` lists commands and options",
    );
    check_refused(
        &["sessions", "--json"],
        "--json is no option of `sx sessions`\n\
         hint: it is one of sx exec, sx login, sx status, sx usage, sx models, sx fetchtoken, \
         sx config, sx trust, sx doctor, sx probe, sx tool, sx version",
    );
    check_refused(
        &["exec", "x", "-m"],
        "--model needs a value: M\nhint: --model is: the model, or an alias of it",
    );
    check_refused(
        &["exec", "x", "--json=1"],
        "--json takes no value\nhint: leave the `=` and what follows it out",
    );
    check_refused(
        &["hands", "x"],
        "`x` is one argument too many for `sx hands`\nhint: `sx help hands` has its usage",
    );
    check_refused(
        &["sessions", "shw"],
        "there is no `sx sessions shw`\n\
         hint: it is `sx sessions`, `sx sessions show ID` or `sx sessions prune`",
    );
    check_refused(
        &["exec", "x", "-e", "=x"],
        "-e is `=…`; it must be KEY=VALUE\nhint: `sx help` lists commands and options",
    );
    check_refused(
        &["tool"],
        "`sx tool` needs the name of a tool\nhint: `sx tool --list` has them",
    );
    check_refused(
        &["tool", "--list", "read"],
        "`read` is one argument too many for `sx tool`\n\
         hint: `sx help tool` has its usage",
    );
    check_refused(
        &["replay"],
        "`sx replay` needs the directory of a recording\n\
         hint: `sx exec --record DIR PROMPT` makes one",
    );
    check_refused(
        &["exec", "x", "--timeout", "soon"],
        "--timeout is `soon`; it must be a time above zero such as 90, 90s, 2m or 500ms\n\
         hint: `sx help` lists commands and options",
    );
    check_refused(
        &["--color", "red"],
        "--color is `red`; it must be auto, always or never\n\
         hint: `sx help` lists commands and options",
    );
}

#[test]
fn paths_keep_their_bytes_and_text_must_be_utf8() {
    let odd = || OsString::from_vec(vec![b'a', 0xff]);
    let line = [
        "exec".into(),
        "x".into(),
        "-o".into(),
        odd(),
        "-C".into(),
        odd(),
    ];
    let invocation = parse(Path::new("sx"), line).unwrap();
    assert_eq!(invocation.common.cwd, Some(odd().into()));
    assert!(matches!(invocation.command, Command::Exec(exec) if exec.output == Some(odd().into())));
    let refused = |line: Vec<OsString>| parse(Path::new("sx"), line).unwrap_err().to_string();
    assert!(refused(vec![odd()]).starts_with("the prompt is not UTF-8: a\u{fffd}\n"));
    assert!(refused(vec!["-m".into(), odd()]).starts_with("--model is not UTF-8: a\u{fffd}\n"));
    assert!(refused(vec!["-e".into(), odd()]).starts_with("the setting of -e is not UTF-8"));
}

#[test]
fn a_login_has_one_way_and_no_token_on_its_line() {
    let login = |way| Login {
        way,
        is_forced: false,
        is_config_kept: false,
        is_json: false,
    };
    check(&["login"], Command::Login(login(None)));
    check(
        &["login", "--device"],
        Command::Login(login(Some(Way::Device))),
    );
    let token = login(Some(Way::Token));
    check(&["login", "--with-token", "-"], Command::Login(token));
    check_overrides(&["login", "--name", "work"], &[("CODEX_ACCOUNT", "work")]);
    check_refused(
        &["login", "--with-token", "eyJ.secret"],
        "--with-token is `...`; it must be `-`: the token is read from stdin\n\
         hint: `sx help` lists commands and options",
    );
    check_refused(
        &["login", "--browser", "--device"],
        "--device and --browser exclude each other\nhint: give only one of them",
    );
    check_refused(
        &["logout", "--name", ""],
        "--name is ``; it must be a name\nhint: `sx help` lists commands and options",
    );
    check(
        &["logout", "--revoke"],
        Command::Logout(Logout { is_revoked: true }),
    );
    check(&["status", "--json"], Command::Status { is_json: true });
    check(&["usage"], Command::Usage { is_json: false });
    check(&["models", "--json"], Command::Models { is_json: true });
}

/// A line that gives the option to a command that takes it, with all that the two need.
fn line_with(flag: &Flag) -> Vec<String> {
    let row = COMMANDS
        .iter()
        .find(|row| flag.is_for(row.verb))
        .expect("a taker");
    let value = match flag.meaning {
        Meaning::Key("REASONING_EFFORT") => "low",
        Meaning::Key("CODEX_ACCOUNT" | "ACTIVE_PROFILE") => "work",
        Meaning::WithToken => "-",
        Meaning::Key(key) => keys::find(key).expect("a key").default,
        Meaning::Env => "MODEL=x",
        Meaning::Get | Meaning::Unset => "MODEL",
        Meaning::Set => "MODEL=x",
        Meaning::Tier => "user",
        Meaning::Color => "never",
        Meaning::Header => "a:b",
        _ => "1",
    };
    let mut line = vec![row.name.to_string(), format!("--{}", flag.long)];
    line.extend(flag.value.map(|_| value.to_string()));
    match flag.meaning {
        Meaning::Print | Meaning::PromptFile => {}
        Meaning::Deltas => line.extend(["--json", "prompt"].map(String::from)),
        Meaning::Days => line.push("prune".to_string()),
        Meaning::Listen => line.push("serve".to_string()),
        Meaning::ShowSource => line.push("--dump".to_string()),
        Meaning::Tier => line.push("--unset=MODEL".to_string()),
        _ if row.verb == Verb::Probe => line.push("http://h".to_string()),
        _ if row.verb == Verb::Exec => line.push("prompt".to_string()),
        _ => {}
    }
    line.retain(|word| !word.is_empty());
    line
}

#[test]
fn every_option_parses_and_stands_in_the_table_once() {
    for (index, flag) in FLAGS.iter().enumerate() {
        let before = &FLAGS[..index];
        assert!(
            before.iter().all(|other| other.long != flag.long),
            "--{}",
            flag.long
        );
        let is_same = |other: &Flag| flag.short.is_some() && other.short == flag.short;
        assert!(!before.iter().any(is_same), "--{}", flag.long);
        let line = line_with(flag);
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        read(&line).unwrap_or_else(|usage| panic!("{line:?}: {usage}"));
        if let Some(short) = flag.short {
            let short = format!("-{short}");
            let long = format!("--{}", flag.long);
            let other = line
                .iter()
                .map(|word| if *word == long { &short } else { *word });
            let other: Vec<&str> = other.collect();
            assert_eq!(read(&other), read(&line), "{line:?}");
        }
    }
}
