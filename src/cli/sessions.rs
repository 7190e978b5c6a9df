//! `sx sessions`: lists the sessions on disk, shows one, removes old ones.
//!
//! Lists go to standard output, one line a session, so that they can be cut and sorted; what was
//! repaired while a session was read goes to standard error. Nothing here writes a session file.

use crate::base::clock;
use crate::base::text;
use crate::chat::Block;
use crate::chat::Message;
use crate::chat::Part;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::human::lines;
use crate::session;
use crate::session::find::Summary;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// What is removed where nobody says how old: a month is long after anyone goes on with it.
pub const PRUNE_DAYS_DEFAULT: u64 = 30;

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// As much of an id as is seldom shared: enough to type after `sx resume`.
const ID_CHARS_SHOWN: usize = 8;

/// The first words of a message that a list shows.
const WORDS_CHARS_SHOWN: usize = 60;

/// Lists every session, the one that was written last first.
pub fn list(out: &mut dyn Write, err: &mut dyn Write, dir: &Path) -> Result<(), Fault> {
    let sessions = session::list(dir).map_err(fault)?;
    if sessions.is_empty() {
        // For a person; a program finds an empty list.
        let _ = writeln!(err, "there is no session in {}", dir.display());
    }
    let now = clock::unix_seconds();
    let all: String = sessions.iter().map(|session| line(session, now)).collect();
    write(out, &all)
}

/// Shows the conversation of the session that `what` names, without what was sent around it.
pub fn show(
    out: &mut dyn Write,
    err: &mut dyn Write,
    dir: &Path,
    what: &str,
    cwd: &Path,
) -> Result<(), Fault> {
    let path = session::find(dir, what, cwd).map_err(fault)?;
    let loaded = session::load_all(&path).map_err(fault)?;
    let mut notes = String::new();
    for repair in &loaded.repairs {
        notes.push_str(&format!(
            "warning: {}: {}\n",
            path.display(),
            lines::words(repair)
        ));
    }
    // A warning that nobody can read is no reason to show nothing.
    let _ = err.write_all(notes.as_bytes());
    let header = &loaded.header;
    let facts = [&header.id, &header.provider, &header.model, &header.cwd];
    let facts: Vec<String> = facts.into_iter().map(|fact| lines::words(fact)).collect();
    write(out, &format!("session {}\n", facts.join("  ").trim_end()))?;
    let mut pages = loaded.history.iter().map(page);
    pages.try_for_each(|page| write(out, &page))
}

/// Removes the sessions that nobody wrote to for `days`, and says which.
pub fn prune(out: &mut dyn Write, dir: &Path, days: u64) -> Result<(), Fault> {
    let now = clock::unix_seconds();
    let age = Duration::from_secs(days.saturating_mul(DAY_SECONDS));
    let removed = session::prune(dir, age, now).map_err(fault)?;
    let mut all = String::new();
    for session in &removed {
        all.push_str("removed ");
        all.push_str(&line(session, now));
    }
    if removed.is_empty() {
        all = format!("nothing is older than {days} days\n");
    }
    write(out, &all)
}

/// What a person is told of a session that cannot be found or used.
pub fn fault(error: session::Error) -> Fault {
    match error {
        // The name of a session is an argument; all else is about `SESSION_DIR` and its files.
        session::Error::Unknown { .. } => {
            Fault::new(Exit::Usage, error).hint("`sx sessions` lists them")
        }
        session::Error::Ambiguous { .. } => Fault::new(Exit::Usage, error).hint("type more of it"),
        session::Error::NoneYet { .. } => {
            Fault::new(Exit::Usage, error).hint("`sx` or `sx exec` begins one")
        }
        _ => Fault::new(Exit::Settings, error).hint("SESSION_DIR names another directory"),
    }
}

fn write(out: &mut dyn Write, text: &str) -> Result<(), Fault> {
    let written = out.write_all(text.as_bytes());
    written.map_err(|error| Fault::output(&error))
}

/// The line of a session in a list: id, age, size, directory, first words.
fn line(session: &Summary, now: u64) -> String {
    let id = text::prefix(&session.id, ID_CHARS_SHOWN);
    let age = lines::long_wait(now.saturating_sub(session.written));
    let size = session.bytes.div_ceil(1024);
    let words = text::ellipsis(&session.first_words, WORDS_CHARS_SHOWN);
    let line = format!(
        "{}  {age:>9} ago  {size:>5} KB  {}  {}",
        lines::words(id),
        lines::words(&session.cwd),
        lines::words(&words)
    );
    format!("{}\n", line.trim_end())
}

/// A message as a person reads it; nothing for one that holds no words.
fn page(message: &Message) -> String {
    let paragraphs: Vec<String> = match message {
        // What we told the model about the place is of no interest here.
        Message::Context(_) => Vec::new(),
        Message::User(parts) => parts
            .iter()
            .map(|part| format!("> {}", told(part)))
            .collect(),
        Message::Assistant(blocks) => blocks.iter().filter_map(spoken).collect(),
        Message::Results(results) => results
            .iter()
            .map(|result| {
                let verdict = if result.ok { "ok" } else { "failed" };
                let words: Vec<String> = result.parts.iter().map(told).collect();
                let words = lines::words(&words.join(" "));
                format!("  {verdict}: {}", text::ellipsis(&words, WORDS_CHARS_SHOWN))
            })
            .collect(),
    };
    paragraphs
        .into_iter()
        .map(|paragraph| paragraph + "\n")
        .collect()
}

fn told(part: &Part) -> String {
    match part {
        Part::Text(words) => text::harmless(words).into_owned(),
        Part::Image(image) => format!("({})", lines::words(&image.media_type)),
    }
}

fn spoken(block: &Block) -> Option<String> {
    match block {
        Block::Text { text, .. } if !text.is_empty() => Some(text::harmless(text).into_owned()),
        Block::Thinking { text, .. } if !text.is_empty() => {
            Some(format!("  thinking: {}", lines::words(text)))
        }
        Block::Call(call) => Some(format!("* {}", lines::call(call))),
        Block::Text { .. } | Block::Thinking { .. } | Block::Other(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random;
    use crate::chat::CallKind;
    use crate::chat::ToolCall;
    use crate::session::Entry;
    use crate::session::Header;
    use crate::session::log::Log;
    use std::fs;
    use std::path::PathBuf;

    /// A directory with one session in it, removed when the test ends.
    struct Temporary(PathBuf, Header);

    impl Temporary {
        fn new() -> Temporary {
            let name = format!("sx-sessions-{}", random::uuid().unwrap());
            let dir = std::env::temp_dir().join(name);
            let header = Header::new(Path::new("/src/app"), "codex", "m").unwrap();
            let call = ToolCall {
                id: "1".into(),
                name: "read".into(),
                arguments: "{\"path\":\"a.rs\"}".into(),
                kind: CallKind::Function,
                opaque: None,
            };
            let mut log = Log::create(&dir, &header).unwrap();
            for message in [
                Message::Context("rules".into()),
                Message::user("why\x1b[2J\ndoes it fail?"),
                Message::Assistant(vec![Block::Call(call)]),
            ] {
                log.append(&Entry::Message(message)).unwrap();
            }
            Temporary(dir, header)
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_list_names_what_a_person_needs_to_choose() {
        let Temporary(dir, header) = &Temporary::new();
        let mut out = Vec::new();
        list(&mut out, &mut Vec::new(), dir).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with(&header.id[..8]), "{text}");
        assert!(
            text.ends_with("ago      1 KB  /src/app  why [2J does it fail?\n"),
            "{text}"
        );
        let (mut out, mut err) = (Vec::new(), Vec::new());
        list(&mut out, &mut err, &dir.join("none")).unwrap();
        assert_eq!(out, b"");
        assert!(err.starts_with(b"there is no session in /"));
    }

    #[test]
    fn a_session_is_shown_as_it_can_be_continued() {
        let Temporary(dir, header) = &Temporary::new();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        show(&mut out, &mut err, dir, "last", Path::new("/")).unwrap();
        let expected = format!(
            "session {}  codex  m  /src/app\n\
             > why\\x1b[2J\ndoes it fail?\n\
             * read a.rs\n\
             \x20 failed: interrupted: the run ended before this call had an answer; …\n",
            header.id
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let err = String::from_utf8(err).unwrap();
        assert!(
            err.contains("a call of read had no answer; it gets one"),
            "{err}"
        );
    }

    #[test]
    fn pruning_says_what_it_removed() {
        let Temporary(dir, header) = &Temporary::new();
        let pruned = |days| {
            let mut out = Vec::new();
            prune(&mut out, dir, days).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(pruned(30), "nothing is older than 30 days\n");
        assert!(pruned(0).starts_with(&format!("removed {}", &header.id[..8])));
        assert!(session::list(dir).unwrap().is_empty());
    }

    #[test]
    fn a_wrong_name_is_a_usage_error() {
        let Temporary(dir, _) = &Temporary::new();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let error = show(&mut out, &mut err, dir, "zz", Path::new("/")).unwrap_err();
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.hint.is_some());
        assert_eq!(out, b"");
    }
}
