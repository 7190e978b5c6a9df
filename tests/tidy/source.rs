//! Reads our own source as text: which files there are, what in them is code, where functions end.
//!
//! No syntax tree: comments and the insides of strings are blanked out, place by place, and what is
//! left is searched. Macros that make items are not seen through; we write none.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::LazyLock;

/// One file of ours.
pub struct Source {
    /// Below the root, with slashes: `src/net/tls.rs`.
    pub path: String,
    /// As it stands on disk.
    pub text: String,
    /// `text` with comments and the insides of literals turned to blanks, line ends kept.
    pub blanked: String,
    /// Whether the whole file is test code.
    pub is_test: bool,
}

/// A function with a body.
pub struct Function {
    /// Its name alone.
    pub name: String,
    /// The line of `fn`, from 1.
    pub line: usize,
    /// Lines from `fn` to the closing brace.
    pub lines: usize,
    /// Blanked text between the braces.
    pub body: String,
}

impl Source {
    /// A source from its text; what tests of the rules are made of.
    pub fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_string(),
            text: text.to_string(),
            blanked: blank(text),
            is_test: path.starts_with("tests/") || path.ends_with("/tests.rs"),
        }
    }

    /// The blanked text before the tests; empty for a file that is nothing but tests.
    pub fn product(&self) -> &str {
        if self.is_test {
            return "";
        }
        &self.blanked[..tests_begin(&self.blanked)]
    }

    /// Module of the first level that this file belongs to; none for `lib.rs` and `main.rs`.
    pub fn home(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        match below.split_once('/') {
            Some((home, _)) => Some(home),
            None => Some(below.strip_suffix(".rs")?).filter(|name| !["lib", "main"].contains(name)),
        }
    }
}

/// Where the project lies.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file at the root of the project.
pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust file of ours, in order of path; read once.
pub fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(read_sources);
    &SOURCES
}

fn read_sources() -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in ["src", "tests"] {
        walk(&root().join(folder), &mut paths);
    }
    paths.sort();
    let below_root = |path: &PathBuf| {
        let path = path.strip_prefix(root()).expect("walked from the root");
        path.to_str().expect("our names are ASCII").to_string()
    };
    let paths = paths.iter().map(below_root);
    let ours = paths.filter(|path| path.ends_with(".rs") && !path.starts_with("tests/data/"));
    let mut all: Vec<Source> = ours.map(|path| Source::new(&path, &read(&path))).collect();
    for index in 0..all.len() {
        all[index].is_test |= is_declared_for_tests(&all[index].path, &all);
    }
    all
}

/// Whether a file is declared as `#[cfg(test)] mod name;`.
fn is_declared_for_tests(path: &str, all: &[Source]) -> bool {
    let Some((name, parents)) = parents(path) else {
        return false;
    };
    let for_tests = ["", "pub ", "pub(super) ", "pub(crate) "]
        .map(|visibility| format!("#[cfg(test)]\n{visibility}mod {name};"));
    let mut parents = all.iter().filter(|source| parents.contains(&source.path));
    parents.any(|parent| for_tests.iter().any(|it| parent.blanked.contains(it)))
}

/// The module name of a file and the files that may declare it; none for the root of a crate.
pub fn parents(path: &str) -> Option<(&str, [String; 3])> {
    let (folder, file) = path.rsplit_once('/')?;
    let stem = file.strip_suffix(".rs")?;
    let (folder, name) = match stem {
        "main" | "lib" => return None,
        "mod" => folder.rsplit_once('/')?,
        _ => (folder, stem),
    };
    if folder == "tests" {
        return None;
    }
    let crate_root = match folder {
        "src" => "src/lib.rs".to_string(),
        _ => format!("{folder}/main.rs"),
    };
    Some((
        name,
        [
            crate_root,
            format!("{folder}/mod.rs"),
            format!("{folder}.rs"),
        ],
    ))
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder of ours can be read").path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Number of the line, from 1, in which the byte `at` lies.
pub fn line_of(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

/// Places where `word` stands in `text` as a word: `ring::` is not found in `String::`.
pub fn words(text: &str, word: &str) -> Vec<usize> {
    let starts_a_word = |at: usize| {
        let before = text[..at].chars().next_back();
        !word.starts_with(is_name) || !before.is_some_and(is_name)
    };
    let places = text.match_indices(word).map(|(at, _)| at);
    places.filter(|&at| starts_a_word(at)).collect()
}

/// The name that `text` begins with; may be empty.
pub fn leading_name(text: &str) -> &str {
    text.split(|c| !is_name(c)).next().unwrap_or_default()
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the inline tests begin: at a `#[cfg(test)]` over a module with a body.
///
/// One over `mod tests;` hides nothing: what follows it is still the product.
fn tests_begin(blanked: &str) -> usize {
    let starts = blanked.match_indices("#[cfg(test)]\nmod ");
    let mut bodies = starts.filter(|(at, mark)| {
        let rest = &blanked[at + mark.len()..];
        rest[leading_name(rest).len()..].starts_with(" {")
    });
    bodies.next().map_or(blanked.len(), |(at, _)| at)
}

/// Every function with a body in blanked text.
pub fn functions(blanked: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for at in words(blanked, "fn ") {
        let name = leading_name(&blanked[at + 3..]);
        let Some((open, close)) = body(&blanked[at..]) else {
            continue;
        };
        if name.is_empty() {
            continue; // A pointer type: `fn (u8) -> u8`.
        }
        found.push(Function {
            name: name.to_string(),
            line: line_of(blanked, at),
            lines: line_of(&blanked[at..], close),
            body: blanked[at + open + 1..at + close].to_string(),
        });
    }
    found
}

/// Places of the braces around the body of the function that `text` begins with.
fn body(text: &str) -> Option<(usize, usize)> {
    let mut brackets = 0;
    let mut open = None;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => {
                if c == '{' && brackets == 0 && open.is_none() {
                    open = Some(at);
                }
                brackets += 1;
            }
            ')' | ']' | '}' => {
                brackets -= 1;
                if brackets < 0 {
                    return None; // A type in a list of parameters or fields ended.
                }
                if brackets == 0 && c == '}' {
                    return open.map(|open| (open, at));
                }
            }
            ';' if brackets == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Turns comments and the insides of string and character literals to blanks.
///
/// Every place keeps its line and column, so that what is found can be named.
pub fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let hidden = hidden_length(rest, out.chars().next_back());
        let taken = hidden.max(first.len_utf8());
        for c in rest[..taken].chars() {
            out.push(if hidden == 0 || c == '\n' { c } else { ' ' });
        }
        rest = &rest[taken..];
    }
    out
}

/// Length of the comment or literal that `text` begins with, or 0.
fn hidden_length(text: &str, before: Option<char>) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment_length(text);
    }
    if text.starts_with('"') {
        return quoted_length(text, '"');
    }
    if text.starts_with('\'') {
        return character_length(text);
    }
    if before.is_some_and(is_name) {
        return 0; // The r of `for` starts no raw string.
    }
    let prefix = ["br", "cr", "r"]
        .into_iter()
        .find(|prefix| text.starts_with(prefix));
    prefix.map_or(0, |prefix| raw_length(text, prefix.len()))
}

fn block_comment_length(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length of a literal between two `quote`s, in which a backslash guards what follows it.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut guarded = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if guarded => guarded = false,
            '\\' => guarded = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of a character literal; 0 for a lifetime, which has no second quote.
fn character_length(text: &str) -> usize {
    let mut after = text.chars().skip(1);
    match (after.next(), after.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted_length(text, '\''),
        _ => 0,
    }
}

/// Length of `r"…"` or `r#"…"#` with as many `#` as it likes; 0 if it is none.
fn raw_length(text: &str, prefix: usize) -> usize {
    let hashes = text[prefix..].chars().take_while(|&c| c == '#').count();
    let begin = prefix + hashes;
    if !text[begin..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    match text[begin + 1..].find(&end) {
        Some(length) => begin + 1 + length + end.len(),
        None => text.len(),
    }
}
