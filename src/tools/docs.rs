//! `docs`: looks words up in our own manual, in pages of `man`, in the `--help` of a command and in
//! the folders of `DOCS_PATH`.
//!
//! What is asked about one topic is looked up there; else everything is searched that is small
//! enough to be read at once. The best sections come first, and all of it is bounded.

pub mod roff;
mod search;

use crate::chat::tool::Effect;
use crate::chat::tool::Input;
use crate::chat::tool::ToolSpec;
use crate::gzip;
use crate::html;
use crate::manual;
use crate::tools::Refusal;
use crate::tools::Start;
use crate::tools::Tool;
use crate::tools::Workplace;
use crate::tools::arguments::Arguments;
use crate::tools::bash;
use crate::tools::file::Target;
use search::Search;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// The tool.
pub(super) const TOOL: Tool = Tool {
    spec: ToolSpec {
        name: "docs",
        description: "Looks words up in documentation: man pages, --help, sx's own manual, local \
            folders.",
        input: Input::Schema(concat!(
            r#"{"type":"object","properties":{"query":{"type":"string"},"#,
            r#""topic":{"type":"string","description":"a command or man page, as git commit "#,
            r#"or printf(3), or sx"}},"required":["query"],"additionalProperties":false}"#,
        )),
        // A command may do more than print its help.
        effect: Effect::Changes,
    },
    fields: &["query", "topic"],
    start,
};

/// A page of documentation is shorter; what is longer is data.
const PAGE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// A page may be compressed well, but not like this.
const UNPACKED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Files of folders that are read in one call, and their bytes together.
const FILES_MAX: usize = 5_000;
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Folders in folders.
const DEPTH_MAX: usize = 8;

/// Names of man pages among the words of a query that are looked up.
const PAGES_MAX: usize = 3;

/// A command that prints its help is done in a moment.
const HELP_TIME_MAX: Duration = Duration::from_secs(10);

/// Words of a command's name: `git remote add`.
const NAME_WORDS_MAX: usize = 3;

fn start(mut arguments: Arguments, place: &Workplace) -> Result<Start, Refusal> {
    let query = arguments.text("query")?;
    let topic = arguments.optional_text("topic")?;
    let topic = topic
        .as_deref()
        .map(str::trim)
        .filter(|topic| !topic.is_empty());
    let mut search = Search::new(&query);
    let Some(topic) = topic else {
        search_all(&mut search, place);
        return search.answer().map(Start::Answer);
    };
    if topic == "sx" || topic.starts_with("sx ") {
        let wanted = topic.trim_start_matches("sx").trim();
        for page in manual::PAGES
            .iter()
            .filter(|page| page.topic.starts_with(wanted))
        {
            search.add(&format!("sx help {}", page.topic), page.text);
        }
        return search.answer().map(Start::Answer);
    }
    if let Some((name, text)) = man_page(topic, &place.manuals) {
        search.add(&name, &text);
        return search.answer_or_beginning(&name, &text).map(Start::Answer);
    }
    help(topic, place)
}

/// Our manual, the folders, and man pages that the query names.
fn search_all(search: &mut Search, place: &Workplace) {
    for page in manual::PAGES {
        search.add(&format!("sx help {}", page.topic), page.text);
    }
    let mut budget = Budget {
        files: FILES_MAX,
        bytes: BYTES_MAX,
    };
    for folder in &place.docs {
        search_folder(search, folder, DEPTH_MAX, &mut budget);
    }
    let names: Vec<String> = search.words().to_vec();
    let pages = names
        .iter()
        .filter_map(|name| man_page(name, &place.manuals));
    for (name, text) in pages.take(PAGES_MAX) {
        search.add(&name, &text);
    }
}

/// What may still be read.
struct Budget {
    files: usize,
    bytes: usize,
}

/// Reads what is documentation by its name, in the order of names. Links are not followed.
fn search_folder(search: &mut Search, folder: &Path, depth: usize, budget: &mut Budget) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut names: Vec<_> = entries
        .take(FILES_MAX)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort_unstable();
    for name in names {
        let path = folder.join(&name);
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        if metadata.is_dir() && depth > 0 {
            search_folder(search, &path, depth - 1, budget);
        } else if metadata.is_file() && is_document(&name) {
            if budget.files == 0 || budget.bytes == 0 {
                return;
            }
            budget.files -= 1;
            if let Some(text) = read(folder, &name) {
                budget.bytes = budget.bytes.saturating_sub(text.len());
                search.add(&path.display().to_string(), &text);
            }
        }
    }
}

fn is_document(name: &str) -> bool {
    const ENDINGS: &[&str] = &["md", "txt", "rst", "adoc", "org", "html", "htm", "markdown"];
    match name.rsplit_once('.') {
        Some((_, ending)) => ENDINGS.contains(&ending.to_ascii_lowercase().as_str()),
        None => name.starts_with("README"),
    }
}

/// A file as text: unpacked, and read where it is HTML. `None` where it is none of it.
fn read(folder: &Path, name: &str) -> Option<String> {
    let bytes = Target::new(folder, name).ok()?.read(PAGE_BYTES_MAX).ok()?;
    let bytes = match name.strip_suffix(".gz") {
        Some(_) => gzip::unpack(&bytes, UNPACKED_BYTES_MAX).ok()?,
        None => bytes,
    };
    if bytes.contains(&0) {
        return None;
    }
    let text = String::from_utf8_lossy(&bytes);
    Some(match name.ends_with(".html") || name.ends_with(".htm") {
        true => html::read(&text).text,
        false => text.into_owned(),
    })
}

/// The page of this name, as text, and how it is called: `printf`, `printf(3)`, `git commit`.
fn man_page(topic: &str, manuals: &[PathBuf]) -> Option<(String, String)> {
    let (name, section) = match topic
        .strip_suffix(')')
        .and_then(|topic| topic.split_once('('))
    {
        Some((name, section)) => (name, Some(section)),
        None => (topic, None),
    };
    let name = name.split_whitespace().collect::<Vec<_>>().join("-");
    let is_name = |name: &str| {
        let is_good = |c: char| c.is_alphanumeric() || "-_.+:@".contains(c);
        !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(is_good)
    };
    if !is_name(&name) || !section.is_none_or(is_name) {
        return None;
    }
    let sections = match section {
        Some(section) => vec![section],
        None => vec!["1", "8", "5", "7", "3", "2", "4", "6", "9"],
    };
    for section in sections {
        for manual in manuals {
            let folder = manual.join(format!(
                "man{}",
                &section[..section.chars().next()?.len_utf8()]
            ));
            if let Some(text) = roff_of(manual, &folder, &format!("{name}.{section}")) {
                return Some((format!("{name}({section})"), roff::text(&text)));
            }
        }
    }
    None
}

/// The source of a page, which may only name another one (`.so`).
fn roff_of(manual: &Path, folder: &Path, name: &str) -> Option<String> {
    let either = |folder: &Path, name: &str| {
        read(folder, name).or_else(|| read(folder, &format!("{name}.gz")))
    };
    let text = either(folder, name)?;
    match text.trim_start().strip_prefix(".so ") {
        // Relative to the manual, and never out of it.
        Some(other) if !other.contains("..") => {
            let other = other.lines().next().unwrap_or_default().trim();
            either(manual, other)
        }
        _ => Some(text),
    }
}

/// Asks a command itself, as `bash` would run it.
fn help(topic: &str, place: &Workplace) -> Result<Start, Refusal> {
    let words: Vec<&str> = topic.split_whitespace().collect();
    let is_word = |word: &&str| {
        let is_good = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
        !word.starts_with(['-', '.']) && word.chars().all(is_good)
    };
    if words.len() > NAME_WORDS_MAX || !words.iter().all(is_word) {
        return Err(Refusal::new(
            "there is no man page of that name, and topic must be the name of a command, such as \
             tar or git commit, for its --help",
        ));
    }
    if !place.tools.iter().any(|tool| tool == "bash") {
        return Err(Refusal::new(format!(
            "there is no man page {topic}, and no command may be asked for its --help since bash \
             is switched off"
        )));
    }
    Ok(Start::Run(bash::Command {
        script: format!("{} --help", words.join(" ")),
        timeout: Some(HELP_TIME_MAX),
        limit: "docs",
        is_background: false,
    }))
}

#[cfg(test)]
mod tests;
