//! `grep`, `glob` and `list` against ripgrep, git and find, on trees with nested ignore files.

use crate::place::Place;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Trees that are made; each is another one, and the same at every run.
const TREES: u64 = 12;

/// Names that rules and files are made of.
const NAMES: &[&str] = &[
    "a", "b", "build", "src", "a.txt", "b.log", "keep.log", "x y", "#c", "grün", "tests", "t[1]",
];

/// Lines of ignore files.
const RULES: &[&str] = &[
    "*.log",
    "!keep.log",
    "/build",
    "build/",
    "a",
    "src/a",
    "**/b",
    "src/**",
    "!src/a.txt",
    "t*",
    "\\#c",
    "# comment",
    "",
    "  ",
    "x y",
    "*.t?t",
    "[ab]",
    "/src/*/a",
    "!/a",
    "gr*n/",
    "a/ ",
    "t\\[1\\]",
];

/// Numbers that look like chance (Knuth's MMIX generator).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

/// Files, folders and ignore files in a repository of git.
fn plant(root: &Path, chance: &mut Chance) {
    run(root, "git", &["init", "-q", "."]);
    let mut folders = vec![root.to_path_buf()];
    for _ in 0..40 {
        let folder = folders[chance.below(folders.len())].clone();
        let path = folder.join(chance.of(NAMES));
        match chance.below(3) {
            0 if !path.exists() => {
                fs::create_dir(&path).expect("a folder");
                folders.push(path);
            }
            _ if !path.exists() => {
                let text = format!("needle {}\nother\n", chance.below(100));
                fs::write(&path, text).expect("a file");
            }
            _ => {}
        }
    }
    for _ in 0..4 {
        let folder = &folders[chance.below(folders.len())];
        let rules: Vec<&str> = (0..3).map(|_| chance.of(RULES)).collect();
        let name = chance.of(&[".gitignore", ".gitignore", ".ignore"]);
        fs::write(folder.join(name), rules.join("\n")).expect("rules");
    }
}

/// The lines that a program prints; that it finds nothing is no failure.
fn run(dir: &Path, program: &str, args: &[&str]) -> BTreeSet<String> {
    let mut command = Command::new(program);
    command.args(args).current_dir(dir);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null");
    let ran = command
        .output()
        .unwrap_or_else(|why| panic!("{program}: {why}"));
    let text = String::from_utf8(ran.stdout).expect("UTF-8");
    text.lines()
        .map(|line| line.trim_start_matches("./").to_owned())
        .collect()
}

/// The lines of a tool's answer, without those that are about it.
fn tool(place: &Place, name: &str, arguments: &Value) -> BTreeSet<String> {
    let ran = place.sx(["tool", name, &arguments.to_string()]).run();
    let lines = ran.text().lines().filter(|line| !line.starts_with('['));
    let is_none = |line: &&str| {
        [
            "no line matches",
            "no file matches",
            "there are no files",
            "nothing here",
            "empty",
        ]
        .iter()
        .any(|words| line.starts_with(words))
    };
    lines
        .filter(|line| !is_none(line))
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_is_found_is_what_ripgrep_git_and_find_find() {
    for seed in 0..TREES {
        let place = Place::new();
        let root = place.path("work");
        plant(&root, &mut Chance(seed));
        let rg = |args: &[&str]| {
            run(
                &root,
                "rg",
                &[&["--no-config", "--no-messages"], args].concat(),
            )
        };
        let files = rg(&["--files"]);
        assert_eq!(
            tool(&place, "glob", &json!({"pattern": "*"})),
            files,
            "seed {seed}"
        );
        let grep = |arguments: &Value| tool(&place, "grep", arguments);
        let found = grep(&json!({"pattern": "needle [0-4]"}));
        assert_eq!(found, rg(&["-n", "needle [0-4]", "."]), "seed {seed}");
        let found = grep(&json!({"pattern": "needle", "mode": "count", "glob": ["*.t*", "!b*"]}));
        assert_eq!(
            found,
            rg(&["-c", "-g", "*.t*", "-g", "!b*", "needle", "."]),
            "seed {seed}"
        );
        let all = json!({"depth": 100, "all": true});
        let listed = tool(&place, "list", &all);
        let listed: BTreeSet<String> = listed
            .iter()
            .filter_map(|line| line.rsplit_once("  ").map(|(name, _)| name.to_owned()))
            .collect();
        assert_eq!(
            listed,
            run(&root, "find", &[".", "-type", "f"]),
            "seed {seed}"
        );
    }
}

#[test]
fn what_git_ignores_is_left_out() {
    for seed in 100..100 + TREES {
        let place = Place::new();
        let root = place.path("work");
        plant(&root, &mut Chance(seed));
        // git does not know these.
        for path in run(&root, "find", &[".", "-name", ".ignore"]) {
            fs::remove_file(root.join(path)).expect("a file");
        }
        let args = [
            "-c",
            "core.quotePath=false",
            "ls-files",
            "-co",
            "--exclude-standard",
        ];
        let kept: BTreeSet<String> = run(&root, "git", &args)
            .into_iter()
            .filter(|path| !path.split('/').any(|part| part.starts_with('.')))
            .collect();
        assert_eq!(
            tool(&place, "glob", &json!({"pattern": "*"})),
            kept,
            "seed {seed}"
        );
    }
}
