//! Rules about the code itself, so that nobody has to remember them in review.
//!
//! A rule is a table or a function of one source, with its reason beside it. The rules read text,
//! not syntax: a path through a re-export escapes them, so we have none. What needs judgement
//! (names, what a comment is worth) is not here.

#[path = "tidy/packages.rs"]
mod packages;
#[path = "tidy/source.rs"]
mod source;

use std::collections::BTreeMap;
use std::fs;

use source::Source;
use source::functions;
use source::leading_name;
use source::line_of;
use source::parents;
use source::read;
use source::root;
use source::sources;
use source::words;

/// More is two ideas; the aim is 300.
const FILE_LINES_MAX: usize = 600;
/// More cannot be read in one breath; the aim is a screen.
const FUNCTION_LINES_MAX: usize = 100;
/// Two files fit side by side.
const COLUMNS_MAX: usize = 100;
/// Less than this, and the first comment only repeats the name of the file.
const FIRST_COMMENT_BYTES_MIN: usize = 25;

/// Text that only some files of the product may hold, and why. A home is a path below `src/`.
const ONLY_IN: &[(&str, &[&str], &str)] = &[
    (
        "rustls::",
        &["net/tls.rs"],
        "one file knows the TLS library",
    ),
    (
        "webpki_roots::",
        &["net/tls.rs"],
        "one file decides whom we trust",
    ),
    (
        "ring::",
        &["net/tls.rs", "base/random.rs", "base/digest.rs"],
        "three files know the cryptography library",
    ),
    (
        "nix::",
        &["sys/", "sandbox/", "net/", "proc/"],
        "system calls have few homes",
    ),
    (
        "landlock::",
        &["sandbox/"],
        "one module knows how a process is locked in",
    ),
    ("lexopt::", &["cli/"], "arguments are read once, at the top"),
    ("Instant::now", &["base/clock.rs"], "time is a parameter"),
    (
        "env::var",
        &["config/", "cli/"],
        "the environment is read once, at the top",
    ),
    (
        "process::exit",
        &[],
        "return an exit code, so that destructors run",
    ),
    (
        "println!",
        &[],
        "write to a `Write` that was handed in; this one panics on a closed pipe",
    ),
    (
        "print!",
        &[],
        "write to a `Write` that was handed in; this one panics on a closed pipe",
    ),
    (
        "eprintln!",
        &[],
        "write to a `Write` that was handed in; this one panics on a closed pipe",
    ),
    (
        "eprint!",
        &[],
        "write to a `Write` that was handed in; this one panics on a closed pipe",
    ),
    ("todo!", &[], "leftover"),
    ("unimplemented!", &[], "leftover"),
    ("dbg!", &[], "leftover"),
    (
        ".unwrap()",
        &[],
        "say in expect why it holds, or return the error",
    ),
    ("super::super", &[], "write crate:: so that the floor shows"),
    ("crate::{", &[], "one path a line so that the floor shows"),
    (
        "pub use crate::",
        &[],
        "a re-export hides the floor that a thing comes from",
    ),
];

/// Files that compute and nothing else, as paths below `src/`.
const PURE: &[&str] = &[
    "gzip/",
    "html/",
    "http/",
    "patch/",
    "chat/",
    "provider/",
    "agent/turn.rs",
];

/// What a file that only computes has no use for.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "std::{", // It could hide any of the above.
];

/// What a test does when it looks at something, itself or in a function of the same file.
const ASSERTIONS: &[&str] = &[
    "assert!",
    "assert_eq!",
    "assert_ne!",
    "panic!",
    "unreachable!",
];

/// What is enough in the test itself: a function named `check…` of any file, or an expectation.
const CHECKS: &[&str] = &["check", "expect"];

/// Everything that stands at the root of the project; design belongs into folders, not beside them.
const TOP_LEVEL: &[&str] = &[
    ".ci",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "src",
    "tests",
    "vendor-notes.md",
];

#[test]
fn arrows_point_down() {
    let floors = floors(&read("src/lib.rs"));
    check_all(|source| arrows(source, &floors));
}

#[test]
fn every_module_stands_on_a_floor() {
    let floors = floors(&read("src/lib.rs"));
    check_all(|source| match source.home() {
        Some(home) if !floors.contains_key(home) => {
            vec![format!(
                "{}:1: {home} is on no floor of src/lib.rs",
                source.path
            )]
        }
        _ => Vec::new(),
    });
}

#[test]
fn every_file_says_what_it_is() {
    check_all(first_comment);
}

#[test]
fn every_file_is_part_of_the_build() {
    // The fuzz targets are a crate of their own.
    let fuzz = read("tests/fuzz/Cargo.toml").replace("path = \"", "path = \"tests/fuzz/");
    let manifest = read("Cargo.toml") + &fuzz;
    let all = sources();
    let reached = |source: &Source| match parents(&source.path) {
        Some((name, parents)) => {
            let declared = |text: &str| !words(text, &format!("mod {name};")).is_empty();
            let is_parent = |other: &&Source| parents.contains(&other.path);
            all.iter()
                .filter(is_parent)
                .any(|parent| declared(&parent.blanked))
        }
        None => source.path.starts_with("src/") || manifest.contains(&source.path),
    };
    let lost = all.iter().filter(|source| !reached(source));
    check_none(
        lost.map(|source| format!("{}:1: no file declares it", source.path))
            .collect(),
    );
}

#[test]
fn sizes() {
    check_all(oversizes);
}

#[test]
fn words_in_their_place() {
    check_all(misplaced);
}

#[test]
fn every_test_looks_at_something() {
    check_all(idle_tests);
}

#[test]
fn every_body_of_a_fuzz_target_has_its_line() {
    let targets = read("tests/fuzz/main.rs");
    check_all(|source| unfuzzed(source, &targets));
}

#[test]
fn nothing_else_lies_at_the_root() {
    let ignored = read(".gitignore");
    let ignored: Vec<&str> = ignored.lines().map(|line| line.trim_matches('/')).collect();
    let mut errors = Vec::new();
    for entry in fs::read_dir(root()).expect("the root can be read") {
        let name = entry.expect("the root can be read").file_name();
        let name = name.to_string_lossy();
        if name != ".git" && !ignored.contains(&&*name) && !TOP_LEVEL.contains(&&*name) {
            errors.push(format!("{name}: not a name of our top level"));
        }
    }
    check_none(errors);
}

/// Applies a rule to every file and reports what it found, all at once.
fn check_all(rule: impl Fn(&Source) -> Vec<String>) {
    check_none(sources().iter().flat_map(rule).collect());
}

fn check_none(errors: Vec<String>) {
    assert!(errors.is_empty(), "\n{}", errors.join("\n"));
}

/// Module name to floor, read from the comments in lib.rs.
fn floors(lib: &str) -> BTreeMap<String, u32> {
    let mut floor = None;
    let mut floors = BTreeMap::new();
    for line in lib.lines() {
        if let Some(rest) = line.strip_prefix("// Floor ") {
            floor = rest
                .split(',')
                .next()
                .and_then(|number| number.parse().ok());
        } else if let Some(name) = line.strip_prefix("pub mod ") {
            let floor = floor.expect("a floor's comment stands above its modules");
            floors.insert(name.trim_end_matches(';').to_string(), floor);
        }
    }
    floors
}

/// Uses of a module that is not on a lower floor. `main.rs` may use anything.
fn arrows(source: &Source, floors: &BTreeMap<String, u32>) -> Vec<String> {
    let Some((home, home_floor)) = source.home().and_then(|name| floors.get_key_value(name)) else {
        return Vec::new();
    };
    let code = source.product();
    let mut errors = Vec::new();
    for at in words(code, "crate::") {
        let there = leading_name(&code[at + "crate::".len()..]);
        let Some(floor) = floors.get(there) else {
            continue;
        };
        if there != home && floor >= home_floor {
            let (path, line) = (&source.path, line_of(code, at));
            errors.push(format!(
                "{path}:{line}: {home} (floor {home_floor}) uses {there} (floor {floor})"
            ));
        }
    }
    errors
}

fn first_comment(source: &Source) -> Vec<String> {
    let first = source.text.lines().next().unwrap_or_default();
    if first.starts_with("//! ") && first.len() >= FIRST_COMMENT_BYTES_MIN {
        return Vec::new();
    }
    vec![format!(
        "{}:1: the first line does not say what the file is",
        source.path
    )]
}

fn oversizes(source: &Source) -> Vec<String> {
    let path = &source.path;
    let mut errors = Vec::new();
    let code = if source.is_test {
        &source.text
    } else {
        source.product()
    };
    let lines = code.lines().count();
    if lines > FILE_LINES_MAX {
        errors.push(format!(
            "{path}:{lines}: {lines} lines, {FILE_LINES_MAX} allowed"
        ));
    }
    for (number, line) in (1..).zip(source.text.lines()) {
        let columns = line.chars().count();
        if columns > COLUMNS_MAX {
            errors.push(format!(
                "{path}:{number}: {columns} columns, {COLUMNS_MAX} allowed"
            ));
        }
    }
    for function in functions(source.product()) {
        if function.lines > FUNCTION_LINES_MAX {
            let (line, name, lines) = (function.line, function.name, function.lines);
            errors.push(format!(
                "{path}:{line}: fn {name} has {lines} lines, {FUNCTION_LINES_MAX} allowed"
            ));
        }
    }
    errors
}

fn misplaced(source: &Source) -> Vec<String> {
    let (path, code) = (&source.path, source.product());
    let below = path.strip_prefix("src/").unwrap_or(path);
    let one_file = below.replace(".rs", "/"); // `src/chat.rs` lives where `src/chat/` would.
    let is_home = |home: &&str| below.starts_with(home) || one_file == *home;
    let at_home = |homes: &[&str]| homes.iter().any(is_home);
    let mut errors = Vec::new();
    for (word, homes, why) in ONLY_IN {
        if !at_home(homes) {
            let places = words(code, word).into_iter().map(|at| line_of(code, at));
            errors.extend(places.map(|line| format!("{path}:{line}: `{word}`: {why}")));
        }
    }
    for word in IMPURE.iter().filter(|_| at_home(PURE)) {
        let places = words(code, word).into_iter().map(|at| line_of(code, at));
        errors.extend(places.map(|line| format!("{path}:{line}: `{word}` in a pure module")));
    }
    errors
}

fn idle_tests(source: &Source) -> Vec<String> {
    let functions = functions(&source.blanked);
    let mut looking: Vec<String> = ASSERTIONS.iter().map(|word| word.to_string()).collect();
    let holds = |body: &str, what: &[String]| what.iter().any(|it| !words(body, it).is_empty());
    loop {
        let known = looking.len();
        for function in &functions {
            let call = format!("{}(", function.name);
            if !looking.contains(&call) && holds(&function.body, &looking) {
                looking.push(call);
            }
        }
        if looking.len() == known {
            break;
        }
    }
    looking.extend(CHECKS.iter().map(|word| word.to_string()));

    let mut errors = Vec::new();
    for at in words(&source.blanked, "#[test]") {
        let line = line_of(&source.blanked, at);
        let test = functions.iter().find(|function| function.line > line);
        if !test.is_some_and(|test| holds(&test.body, &looking)) {
            errors.push(format!(
                "{}:{line}: a test that asserts nothing",
                source.path
            ));
        }
    }
    errors
}

/// Functions that only a fuzz target would call for long, and none does.
fn unfuzzed(source: &Source, targets: &str) -> Vec<String> {
    let module = source
        .path
        .trim_start_matches("src/")
        .trim_end_matches(".rs");
    let module = module.trim_end_matches("/mod").replace('/', "::");
    let bodies = functions(source.product()).into_iter();
    let is_lost = |body: &source::Function| {
        let called = format!("sx::{module}::{})", body.name);
        body.name.starts_with("fuzz_") && !targets.contains(&called)
    };
    let lost = bodies.filter(is_lost);
    let path = &source.path;
    lost.map(|body| {
        format!(
            "{path}:{}: no line of tests/fuzz/main.rs calls it",
            body.line
        )
    })
    .collect()
}

mod rules {
    //! The rules, tried on made-up files: a rule that finds nothing must not be one that is blind.

    use super::*;

    /// Holds one rule against one file; `expected` is what its errors say after the path.
    #[track_caller]
    fn check(rule: impl Fn(&Source) -> Vec<String>, path: &str, text: &str, expected: &[&str]) {
        let errors = rule(&Source::new(path, text));
        let expected: Vec<String> = expected.iter().map(|e| format!("{path}:{e}")).collect();
        assert_eq!(errors, expected, "\n{text}");
    }

    #[test]
    fn an_arrow_up_or_sideways_is_found() {
        let lib = "// Floor 0, a.\npub mod base;\n// Floor 2, b.\npub mod net;\npub mod chat;\n";
        let floors = floors(lib);
        let rule = |source: &Source| arrows(source, &floors);
        check(
            rule,
            "src/net/tls.rs",
            "use crate::base::A;\nuse crate::net::B;\n",
            &[],
        );
        let up = ["2: base (floor 0) uses net (floor 2)"];
        check(rule, "src/base.rs", "\nuse crate::net::B;\n", &up);
        let sideways = ["1: net (floor 2) uses chat (floor 2)"];
        check(
            rule,
            "src/net/mod.rs",
            "fn f() -> crate::chat::X {}\n",
            &sideways,
        );
        check(rule, "src/net/tests.rs", "use crate::chat::X;\n", &[]);
        check(rule, "src/net/mod.rs", "// crate::chat\n", &[]);
    }

    #[test]
    fn a_word_out_of_place_is_found_and_its_lookalike_is_not() {
        let check = |path, text, expected| check(misplaced, path, text, expected);
        check("src/net/tls.rs", "use rustls::A;\nuse ring::B;\n", &[]);
        check(
            "src/chat/a.rs",
            "use std::os::unix::C;\nlet s = String::new();\n",
            &[],
        );
        check(
            "src/a.rs",
            "\nuse nix::C;\n",
            &["2: `nix::`: system calls have few homes"],
        );
        check(
            "src/a.rs",
            "// nix::\nlet a = \"nix:: todo!\";\nlet c = '\"';\n",
            &[],
        );
        check(
            "src/a.rs",
            "let a = r#\"\"dbg!\"#; /* /* */ dbg! */ dbg!();\n",
            &["1: `dbg!`: leftover"],
        );
        check(
            "src/a.rs",
            "#[cfg(test)]\nmod tests {\n    dbg!(1);\n}\n",
            &[],
        );
        let after = "#[cfg(test)]\nmod tests;\nfn f() { dbg!(1) }\n";
        check("src/a.rs", after, &["3: `dbg!`: leftover"]);
        check(
            "src/http/a.rs",
            "use std::fs;\n",
            &["1: `std::fs` in a pure module"],
        );
        check(
            "src/chat.rs",
            "use std::{fs, io};\n",
            &["1: `std::{` in a pure module"],
        );
        check("src/session/a.rs", "use std::fs;\n", &[]);
    }

    #[test]
    fn a_function_too_long_is_found_where_it_stands() {
        let body = "    x();\n".repeat(FUNCTION_LINES_MAX);
        let text =
            format!("trait T {{ fn a(&self) -> [u8; 4]; }}\n\npub const fn long() {{\n{body}}}\n");
        check(
            oversizes,
            "src/a.rs",
            &text,
            &["3: fn long has 102 lines, 100 allowed"],
        );
        check(oversizes, "tests/a.rs", &text, &[]);
    }

    #[test]
    fn a_wide_line_and_a_long_file_are_found_in_tests_too() {
        let wide = format!("\n// {}\n", "é".repeat(COLUMNS_MAX));
        check(
            oversizes,
            "tests/a.rs",
            &wide,
            &["2: 103 columns, 100 allowed"],
        );
        let long = "//\n".repeat(FILE_LINES_MAX + 1);
        check(
            oversizes,
            "src/a/tests.rs",
            &long,
            &["601: 601 lines, 600 allowed"],
        );
        let long_tests = format!("#[cfg(test)]\nmod tests {{\n{long}}}\n");
        check(oversizes, "src/a.rs", &long_tests, &[]);
    }

    #[test]
    fn a_test_without_an_assertion_is_found() {
        let idle = "#[test]\nfn idle() { let text = \"assert!\"; work(text); }\n";
        check(
            idle_tests,
            "tests/a.rs",
            idle,
            &["1: a test that asserts nothing"],
        );
        check(
            idle_tests,
            "tests/a.rs",
            "#[test]\nfn looks() { check_cut(1); }\n",
            &[],
        );
        let helper = "#[test]\nfn looks() { outer(); }\nfn outer() { same(1); }\n\
                      fn same(a: u8) { assert_eq!(a, 1); }\n";
        check(idle_tests, "tests/a.rs", helper, &[]);
        let inner = "#[test]\n#[cfg(unix)]\nfn looks() { for x in [1] { assert_eq!(x, 1); } }\n";
        check(idle_tests, "tests/a.rs", inner, &[]);
    }

    #[test]
    fn a_body_without_a_fuzz_target_is_found() {
        let targets = "(\"a\", sx::net::a::fuzz_a),\n(\"b\", sx::patch::fuzz_b),\n";
        let rule = |source: &Source| unfuzzed(source, targets);
        check(
            rule,
            "src/net/a.rs",
            "pub fn fuzz_a(input: &[u8]) {}\n",
            &[],
        );
        check(
            rule,
            "src/patch/mod.rs",
            "fn a() {}\npub fn fuzz_b() {}\n",
            &[],
        );
        let lost = ["1: no line of tests/fuzz/main.rs calls it"];
        check(
            rule,
            "src/net/b.rs",
            "pub fn fuzz_a(input: &[u8]) {}\n",
            &lost,
        );
    }

    #[test]
    fn a_file_without_a_first_comment_is_found() {
        let error = ["1: the first line does not say what the file is"];
        check(first_comment, "src/a.rs", "use std::fs;\n", &error);
        check(
            first_comment,
            "src/a.rs",
            "//! Decodes a chunked body.\n",
            &[],
        );
    }
}
