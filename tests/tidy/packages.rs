//! Rules about the packages that we link: how many, a note in vendor-notes.md for each, and a
//! notice in the manual.

use std::collections::BTreeSet;
use std::process::Command;

use crate::source::line_of;
use crate::source::read;
use crate::source::root;
use crate::source::sources;
use crate::source::words;

/// What the binary may be made of. It can be raised; we only want to have decided that.
const PACKAGES_MAX: usize = 60;
/// The platform that counts: what the static binary is built for.
const TARGET: &str = "x86_64-unknown-linux-musl";
/// Heading in vendor-notes.md of the one list of packages that no build of ours compiles.
const ELSEWHERE: &str = "## Packages of other platforms";

#[test]
fn linked_packages_are_few() {
    let linked = tree("normal").len();
    assert!(
        linked <= PACKAGES_MAX,
        "{linked} packages, {PACKAGES_MAX} allowed: `cargo tree`"
    );
}

#[test]
fn the_version_tells_how_many_are_linked() {
    let text = read("src/cli/version.rs");
    let (_, told) = text
        .split_once("const PACKAGES_LINKED: usize = ")
        .expect("our own constant");
    let told = told.split_once(';').map(|(told, _)| told.to_string());
    assert_eq!(
        told,
        Some(tree("normal").len().to_string()),
        "src/cli/version.rs: PACKAGES_LINKED"
    );
}

#[test]
fn every_package_has_a_note_and_every_note_a_package() {
    let built = names(&tree("normal,build"));
    let locked = names(&locked());
    let elsewhere: BTreeSet<String> = locked.difference(&built).cloned().collect();
    let notes = read("vendor-notes.md");
    check_same("### NAME", &entries(&notes), &built);
    check_same(&format!("{ELSEWHERE}: `NAME`"), &listed(&notes), &elsewhere);
}

#[test]
fn every_package_has_its_notice() {
    let notices = read("src/manual/licenses.txt");
    let list = notices.lines().take_while(|line| line.starts_with("    "));
    let listed = list.filter_map(|line| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?))
    });
    let listed: BTreeSet<String> = listed.collect();
    assert_eq!(listed, tree("normal"), "run .ci/licenses");
    let without: Vec<&String> = listed
        .iter()
        .filter(|package| !notices.contains(&format!("\n{package}, ")))
        .collect();
    assert!(without.is_empty(), "without a text: {without:?}");
    for other in ["Rust's standard library", "musl libc"] {
        assert!(notices.contains(&format!("\n{other} (")), "{other}");
    }
}

#[test]
fn every_note_that_is_cited_exists() {
    let entries = entries(&read("vendor-notes.md"));
    let mut errors = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| source.path.starts_with("src/"))
    {
        for at in words(&source.text, "vendor-notes.md, ") {
            let cited = source.text[at + "vendor-notes.md, ".len()..].split([' ', ')', '.', '\n']);
            let cited = cited.into_iter().next().unwrap_or_default();
            if !entries.contains(cited) {
                let line = line_of(&source.text, at);
                errors.push(format!("{}:{line}: no entry `{cited}`", source.path));
            }
        }
    }
    assert!(errors.is_empty(), "\n{}", errors.join("\n"));
}

#[track_caller]
fn check_same(place: &str, noted: &BTreeSet<String>, needed: &BTreeSet<String>) {
    let missing = needed
        .difference(noted)
        .map(|name| format!("{name} is missing"));
    let stale = noted
        .difference(needed)
        .map(|name| format!("{name} is not a package any more"));
    let errors: Vec<String> = missing.chain(stale).collect();
    assert!(
        errors.is_empty(),
        "vendor-notes.md, {place}:\n{}",
        errors.join("\n")
    );
}

/// `name version` of every package of ours along `edges`, but ourselves.
fn tree(edges: &str) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "tree",
        "--offline",
        "--locked",
        "--prefix=none",
        "--format={p}",
    ]);
    cargo
        .args(["--target", TARGET, "--edges", edges])
        .current_dir(root());
    let output = cargo.output().expect("cargo runs, since it runs us");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).expect("names of packages are ASCII");
    let packages = lines.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some(format!(
            "{} {}",
            words.next()?,
            words.next()?.trim_start_matches('v')
        ))
    });
    packages
        .filter(|package| !package.starts_with("sx "))
        .collect()
}

/// `name version` of every package in Cargo.lock, but ourselves.
fn locked() -> BTreeSet<String> {
    let lock = read("Cargo.lock");
    let value = |entry: &str, key: &str| {
        let mut lines = entry.lines();
        let value = lines.find_map(|line| line.strip_prefix(key))?;
        Some(value.trim_matches('"').to_string())
    };
    // Our own packages have no source.
    let entries = lock
        .split("[[package]]\n")
        .filter(|entry| entry.contains("\nsource = "));
    let packages = entries.filter_map(|entry| {
        let (name, version) = (value(entry, "name = ")?, value(entry, "version = ")?);
        Some(format!("{name} {version}"))
    });
    packages.collect()
}

fn names(packages: &BTreeSet<String>) -> BTreeSet<String> {
    packages
        .iter()
        .filter_map(|package| Some(package.split_once(' ')?.0.to_string()))
        .collect()
}

/// The packages that have an entry: a heading of the third level each.
fn entries(notes: &str) -> BTreeSet<String> {
    notes
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(str::to_string)
        .collect()
}

/// The packages in the one list of those that are not for us, in backquotes.
fn listed(notes: &str) -> BTreeSet<String> {
    let section = notes.split_once(ELSEWHERE).map_or("", |(_, rest)| rest);
    let section = section
        .split_once("\n#")
        .map_or(section, |(section, _)| section);
    section
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_string)
        .collect()
}
