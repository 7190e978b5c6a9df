//! `grep`, `glob` and `list` beside ripgrep, find and git, on trees that are made by a number:
//! files that are ignored in every way, names that are odd, files that are no text.

use crate::place::Place;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::process::Stdio;

/// Trees that each test is done on.
const TREES: u64 = 12;

/// Names of folders and files; rules are made of them.
const FOLDERS: &[&str] = &["src", "lib", "out", "deep", ".cfg", "a b", "x[1]"];
const FILES: &[&str] = &[
    "a.rs", "b.rs", "c.txt", "d.log", "Makefile", ".env", "out", "e f.txt", "#g", "!h", "ü.rs",
    "i.tar.gz", "x1", "it's",
];

/// Lines of ignore files: plain, anchored, for folders alone, negated, with every kind of glob.
const RULES: &[&str] = &[
    "*.log",
    "!b.rs",
    "/out",
    "out/",
    "/src/a.rs",
    "deep/**/c.txt",
    "**/lib",
    "src/*.rs",
    "!/src/",
    "# a comment",
    "",
    "\\#g",
    "\\!h",
    "[a-c].*",
    "e f.txt",
    "a b/",
    "x\\[1\\]",
    "lib/**",
    "*.t?t",
    "!*.txt",
    "trailing   ",
    "/*.gz",
    "**/out/**",
    "!deep/",
    ".env",
];

/// A random number generator (the splitmix64 of Vigna), so that a failure comes again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % end
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len())]
    }
}

/// Which ignore files a tree has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kinds {
    /// `.gitignore` and `.git/info/exclude`, which git knows.
    Git,
    /// Also `.ignore`, and the person's own for all repositories.
    All,
}

fn tree(number: u64, kinds: Kinds) -> Place {
    let place = Place::new();
    let mut dice = Dice(number);
    git(&place, &["init", "-q"]);
    grow(&place, &mut dice, "work", 3, kinds);
    let exclude = rules(&mut dice);
    place.write("work/.git/info/exclude", exclude);
    if kinds == Kinds::All {
        let ignore = rules(&mut dice);
        place.write("home/.config/git/ignore", ignore);
    }
    place
}

fn grow(place: &Place, dice: &mut Dice, folder: &str, depth: usize, kinds: Kinds) {
    fs::create_dir_all(place.path(folder)).expect("a folder");
    for _ in 0..dice.below(8) {
        let name = dice.pick(FILES);
        let path = format!("{folder}/{name}");
        if !place.path(&path).exists() {
            let content = content(dice);
            place.write(&path, content);
        }
    }
    if dice.below(2) == 0 {
        let ignore = rules(dice);
        place.write(&format!("{folder}/.gitignore"), ignore);
    }
    if kinds == Kinds::All && dice.below(4) == 0 {
        let ignore = rules(dice);
        place.write(&format!("{folder}/.ignore"), ignore);
    }
    for _ in 0..dice.below(4) {
        let name = dice.pick(FOLDERS);
        let path = format!("{folder}/{name}");
        if depth > 0 && !place.path(&path).exists() {
            grow(place, dice, &path, depth - 1, kinds);
        }
    }
}

fn rules(dice: &mut Dice) -> String {
    let lines: Vec<&str> = (0..dice.below(6)).map(|_| dice.pick(RULES)).collect();
    lines.join("\n") + "\n"
}

fn content(dice: &mut Dice) -> Vec<u8> {
    const LINES: &[&str] = &[
        "fn main() {",
        "let needle = 1;",
        "NEEDLE",
        "",
        "  the needle  ",
        "other",
        "über needles\r",
    ];
    if dice.below(12) == 0 {
        return b"needle\n\0needle\n".to_vec();
    }
    let lines: Vec<&str> = (0..dice.below(12)).map(|_| dice.pick(LINES)).collect();
    let mut bytes = lines.join("\n").into_bytes();
    if dice.below(3) > 0 {
        bytes.push(b'\n');
    }
    if dice.below(6) == 0 {
        bytes.extend(b"needle \xff\n");
    }
    bytes
}

/// What a program prints in the tree.
fn output(place: &Place, program: &str, args: &[&str], stdin: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(args)
        .current_dir(place.path("work"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").expect("a path"))
        .env("HOME", place.path("home"))
        // ripgrep would search a pipe instead of the folder.
        .stdin(if stdin.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("installed by .ci/real");
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(stdin).expect("few bytes");
    }
    child.wait_with_output().expect("output").stdout
}

fn git(place: &Place, args: &[&str]) {
    output(place, "git", args, b"");
}

fn rg(place: &Place, args: &[&str]) -> String {
    // We show a line without its end, whatever that is.
    String::from_utf8_lossy(&output(place, "rg", args, b"")).replace("\r\n", "\n")
}

/// What a tool of ours answers, without its notes.
fn answer(place: &Place, name: &str, arguments: &Value) -> String {
    let ran = place.sx(["tool", name, &arguments.to_string()]).run();
    ran.check_code(0);
    let lines = ran.text().lines().filter(|line| !line.starts_with('['));
    lines.map(|line| format!("{line}\n")).collect()
}

/// What was found, which is nothing where an answer says so.
fn found(answer: &str) -> &str {
    let nothing = ["no line matches", "there are no files", "no file matches"];
    match nothing.iter().any(|words| answer.starts_with(words)) {
        true => "",
        false => answer,
    }
}

/// What a listing has of files.
fn files(listing: &str) -> BTreeSet<String> {
    let files = listing.lines().filter_map(|line| line.rsplit_once("  "));
    files.map(|(name, _)| name.to_owned()).collect()
}

fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn what_is_listed_is_what_git_does_not_ignore() {
    for number in 0..TREES {
        let place = tree(number, Kinds::Git);
        let all = output(
            &place,
            "find",
            &[
                ".", "-name", ".git", "-prune", "-o", "-type", "f", "-printf", "%P\\0",
            ],
            b"",
        );
        let ignored = output(
            &place,
            "git",
            &["check-ignore", "-z", "--no-index", "--stdin"],
            &all,
        );
        let names = |bytes: &[u8]| -> BTreeSet<String> {
            let names = bytes
                .split(|byte| *byte == 0)
                .filter(|name| !name.is_empty());
            names
                .map(|name| String::from_utf8(name.to_vec()).expect("UTF-8"))
                .collect()
        };
        let ignored = names(&ignored);
        let is_hidden = |name: &String| name.split('/').any(|part| part.starts_with('.'));
        let expected: BTreeSet<String> = names(&all)
            .into_iter()
            .filter(|name| !ignored.contains(name) && !is_hidden(name))
            .collect();
        let listing = answer(&place, "list", &json!({"depth": 9}));
        assert_eq!(files(&listing), expected, "tree {number}");
    }
}

#[test]
fn a_listing_of_all_is_what_find_finds() {
    for number in 0..TREES {
        let place = tree(number, Kinds::All);
        symlink("src", place.path("work/link")).expect("a link");
        for depth in ["1", "3"] {
            let print = [
                "-type",
                "f",
                "-printf",
                "%P  %s\\n",
                "-o",
                "-type",
                "d",
                "-printf",
            ];
            let links = ["%P/\\n", "-o", "-type", "l", "-printf", "%P -> %l\\n"];
            let args = [
                &[".", "-mindepth", "1", "-maxdepth", depth],
                &print[..],
                &links[..],
            ];
            let found = output(&place, "find", &args.concat(), b"");
            let depth: u64 = depth.parse().expect("a number");
            let listing = answer(&place, "list", &json!({"all": true, "depth": depth}));
            let found = String::from_utf8(found).expect("UTF-8");
            assert_eq!(lines(&listing), lines(&found), "tree {number}");
        }
    }
}

#[test]
fn what_is_searched_is_what_ripgrep_searches() {
    for number in 0..TREES {
        let place = tree(number, Kinds::All);
        let same = |arguments: Value, args: &[&str]| {
            let ours = answer(&place, "grep", &arguments);
            let theirs = rg(&place, args);
            assert_eq!(found(&ours), theirs, "tree {number}: {arguments}");
        };
        same(
            json!({"pattern": "", "mode": "files"}),
            &["-l", "--sort", "path", ""],
        );
        let sorted = ["--sort", "path", "--no-heading", "-n"];
        let with = |more: &[&'static str]| [&sorted, more].concat();
        same(json!({"pattern": "needle"}), &with(&["needle"]));
        same(json!({"pattern": r"^\s*the"}), &with(&[r"^\s*the"]));
        same(json!({"pattern": r"\w+\s+=|^$"}), &with(&[r"\w+\s+=|^$"]));
        same(
            json!({"pattern": "ÜBER", "ignore_case": true}),
            &with(&["-i", "ÜBER"]),
        );
        same(
            json!({"pattern": "NEEDLE", "context": 2}),
            &with(&["-C2", "NEEDLE"]),
        );
        same(
            json!({"pattern": "needle", "mode": "count"}),
            &["--sort", "path", "-c", "needle"],
        );
        same(
            json!({"pattern": "needle", "glob": ["*.rs", "*.log", "!/src/"]}),
            &with(&["-g", "*.rs", "-g", "*.log", "-g", "!/src/", "needle"]),
        );
        same(
            json!({"pattern": "needle", "type": "rust", "path": "."}),
            &with(&["-t", "rust", "needle"]),
        );
        if place.path("work/src").is_dir() {
            same(
                json!({"pattern": "needle", "path": "src", "glob": ["**/*.txt"]}),
                &with(&["-g", "**/*.txt", "needle", "src"]),
            );
        }
    }
}

#[test]
fn what_is_found_by_name_is_what_ripgrep_finds() {
    const PATTERNS: &[&str] = &[
        "*.rs",
        "**/*.rs",
        "src/**",
        "/*.txt",
        "*.{log,gz}",
        "**/out/**",
        "[a-c].*",
        "!*.rs",
        ".*",
        "lib/*/a.rs",
        "e f.*",
        "out",
    ];
    for number in 0..TREES {
        let place = tree(number, Kinds::All);
        for pattern in PATTERNS {
            let ours = answer(&place, "glob", &json!({"pattern": pattern}));
            // A pattern of ripgrep's also brings back what is ignored; one of ours only narrows.
            let is_hidden = pattern.split('/').any(|part| part.starts_with('.'));
            let kept = match is_hidden {
                true => rg(&place, &["--files", "--hidden"]),
                false => rg(&place, &["--files"]),
            };
            let fitting = rg(
                &place,
                &["--files", "--hidden", "--no-ignore", "-g", pattern],
            );
            let theirs = &lines(&kept) & &lines(&fitting);
            assert_eq!(lines(found(&ours)), theirs, "tree {number}: {pattern}");
        }
    }
}

#[test]
fn without_a_repository_git_has_no_say() {
    let place = Place::new();
    for name in ["a.rs", "b.log", "c.txt", "sub/b.log"] {
        place.write(&format!("work/{name}"), "needle\n");
    }
    place.write("work/.gitignore", "*.log\n");
    place.write("work/.ignore", "c.txt\n");
    place.write("home/.config/git/ignore", "a.rs\n");
    let check = || {
        let ours = answer(
            &place,
            "grep",
            &json!({"pattern": "needle", "mode": "files"}),
        );
        assert_eq!(
            found(&ours),
            rg(&place, &["-l", "--sort", "path", "needle"])
        );
    };
    check();
    git(&place, &["init", "-q"]);
    check();
    place.write("home/.gitconfig", "[core]\n\texcludesFile = ~/mine\n");
    place.write("home/mine", "sub/\n");
    check();
}

#[test]
fn files_come_in_the_order_of_their_times() {
    let place = tree(1, Kinds::Git);
    for (age, name) in ["z.rs", "b.rs", "c.rs"].iter().enumerate() {
        place.write(&format!("work/new/{name}"), "");
        let stamp = format!("2024010{}0000", 3 - age);
        let path = place.path(&format!("work/new/{name}"));
        let args = [OsStr::new("-t"), OsStr::new(&stamp), path.as_os_str()];
        let touched = Command::new("touch").args(args).status();
        assert!(touched.expect("touch").success());
    }
    let ours = answer(&place, "glob", &json!({"pattern": "*.rs", "path": "new"}));
    let theirs = rg(
        &place,
        &["--files", "--sortr", "modified", "-g", "*.rs", "new"],
    );
    assert_eq!(ours, theirs);
    assert_eq!(ours, "new/z.rs\nnew/b.rs\nnew/c.rs\n");
}
