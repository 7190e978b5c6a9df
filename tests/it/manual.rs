//! The manual inside the built program: each page prints, near names are found, the man page and
//! the completions are whole. Needs no home and no setting.

use crate::place::Place;
use crate::sx::Ran;
use std::process::Command;

/// Runs it where there is nothing.
fn run(args: &[&str]) -> Ran {
    let place = Place::new();
    let sx = place.sx(args).without_env("HOME").without_env("PATH");
    sx.run()
}

/// What `sx help` lists as topics.
fn topics() -> Vec<String> {
    let ran = run(&["help"]);
    let text = ran.check_code(0).text();
    let (_, topics) = text
        .split_once("has all of both:\n")
        .expect("the list of topics");
    topics
        .split([',', '\n'])
        .map(|topic| topic.trim().to_string())
        .filter(|topic| !topic.is_empty())
        .collect()
}

#[test]
fn help_is_one_screen_whichever_way_it_is_asked_for() {
    let first = run(&["help"]);
    let screen = first.check_code(0).text();
    assert!(screen.lines().count() <= 24, "{screen}");
    for line in screen.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for args in [&["--help"][..], &["-h"], &["--help", "--nonsense"]] {
        run(args).check_code(0).check_stdout(screen);
    }
}

#[test]
fn every_topic_prints() {
    let topics = topics();
    for asked in [
        "quickstart",
        "providers",
        "credentials",
        "settings",
        "tools",
        "sandbox",
        "sessions",
        "json",
        "exit",
        "proxies",
        "containers",
        "fleets",
        "troubleshooting",
        "licenses",
    ] {
        assert!(topics.iter().any(|topic| topic == asked), "{asked}");
    }
    for topic in &topics {
        let ran = run(&["help", topic]);
        let page = ran.check_code(0).text();
        assert!(page.contains("# ") && page.lines().count() > 5, "{topic}");
    }
}

#[test]
fn near_names_lead_to_a_topic() {
    let check = |words: &[&str], expected: &str| {
        let mut args = vec!["help"];
        args.extend(words);
        let ran = run(&args);
        let page = ran.check_code(0).text();
        assert!(page.starts_with(expected), "{words:?}: {page}");
    };
    check(&["proxy"], "# Proxies");
    check(&["quick-start"], "# Quickstart");
    check(&["exit codes"], "# Exit codes");
    check(&["exit", "codes"], "# Exit codes");
    check(&["licences"], "# Licences");
    let ran = run(&["help", "sandbxo"]);
    ran.check_code(2).check_stdout("");
    ran.check_said("there is no help on `sandbxo`")
        .check_said("hint: did you mean `sx help sandbox`?");
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let place = Place::new();
    for args in [
        &["help", "licenses"][..],
        &["help", "--man"],
        &["completions", "zsh"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let ran = place.sx(args).run_into(writer);
        ran.check_code(9);
        assert_eq!(ran.stderr, "", "{args:?}");
    }
}

#[test]
fn the_man_page_is_roff() {
    let ran = run(&["help", "--man"]);
    let page = ran.check_code(0).text();
    assert!(page.starts_with(".TH SX 1 "), "{page}");
    let sections: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix(".SH "))
        .collect();
    for name in [
        "NAME",
        "SYNOPSIS",
        "OPTIONS",
        "EXIT STATUS",
        "FILES",
        "SETTINGS",
    ] {
        assert!(sections.contains(&name), "{name} in {sections:?}");
    }
    let mut is_open = false;
    for line in page.lines() {
        if line.starts_with(['.', '\'']) {
            let request = line.split(' ').next().unwrap_or_default();
            match request {
                ".nf" => assert!(!std::mem::replace(&mut is_open, true)),
                ".fi" => assert!(std::mem::replace(&mut is_open, false)),
                ".TH" | ".SH" | ".SS" | ".TP" => assert!(!is_open, "{line}"),
                ".PP" | ".RS" | ".RE" | ".br" => {}
                _ => panic!("no request of ours: {line}"),
            }
        }
        // Only these begin with a backslash.
        for (at, _) in line.match_indices('\\') {
            let rest = &line[at + 1..];
            let is_ours = ["-", "e", "&", "fB", "fI", "fR", "(aq", "(ga", "(ha", "(ti"]
                .iter()
                .any(|escape| rest.starts_with(escape));
            assert!(is_ours, "{line}");
        }
    }
    assert!(!is_open);
    run(&["help", "exit", "--man"]).check_code(2);
}

#[test]
fn completions_are_for_three_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(&["completions", shell]);
        let script = ran.check_code(0).text();
        for word in [
            "scorpiox-config",
            "scorpiox-codex-fetchtoken",
            "exec",
            "sandbox",
        ] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    run(&["completions"])
        .check_code(2)
        .check_said("bash, zsh or fish");
    run(&["completions", "tcsh"])
        .check_code(2)
        .check_said("it is bash, zsh or fish");
}

/// Prints what bash would offer for the words of `$@`, one a line.
const ASK_BASH: &str = "source /dev/stdin; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
     _sx \"$1\" 2>/dev/null; printf '%s\\n' \"${COMPREPLY[@]}\"";

#[test]
fn bash_completes_by_its_script() {
    let ran = run(&["completions", "bash"]);
    let script = ran.check_code(0).text();
    let place = Place::new();
    let file = place.write("sx.bash", script);
    let check = |words: &[&str], expected: &[&str]| {
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", ASK_BASH, "bash"]).args(words);
        let script = std::fs::File::open(&file).expect("the script");
        let output = bash.stdin(script).output().expect("bash runs");
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        let offered: Vec<&str> = said.split_whitespace().collect();
        assert_eq!(offered, expected, "{words:?}");
    };
    check(&["sx", "exe"], &["exec"]);
    check(&["sx", "-m", "exec", "fetch"], &["fetchtoken"]);
    check(&["sx", "--provider", "an"], &["anthropic"]);
    check(&["sx", "--provider", "=", "an"], &["anthropic"]);
    check(&["sx", "exec", "--sandbox", "r"], &["read-only"]);
    check(&["sx", "-e", "SANDBOX", "=", "w"], &["workspace"]);
    check(&["sx", "exec", "--out"], &["--output", "--output-schema"]);
    check(&["sx", "logout", "--out"], &[]);
    check(&["sx", "help", "trou"], &["troubleshooting"]);
    check(&["sx", "sessions", ""], &["list", "show", "prune"]);
    check(&["scorpiox-config", "--get", "MODEL_"], &["MODEL_ALIASES"]);
    check(
        &["/usr/bin/scorpiox-codex-fetchtoken", "--source", "re"],
        &["remote"],
    );
}
