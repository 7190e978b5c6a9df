//! `sx trust`: accepts the settings files of a project as they are, says which are accepted, takes
//! it back. `ask` asks the person for it before a conversation.
//!
//! What is accepted is what is shown: a file is read once.

use crate::base::text;
use crate::cli::args::Trust as Options;
use crate::cli::args::TrustAct;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::ground::Site;
use crate::cli::input::Input;
use crate::cli::person::Person;
use crate::config;
use crate::config::FILE_NAME;
use crate::config::Found;
use crate::config::Looked;
use crate::config::PROFILES_DIR;
use crate::config::disk;
use crate::config::error::Warning;
use crate::config::file;
use crate::config::file::Content;
use crate::config::file::Line;
use crate::config::keys;
use crate::config::keys::Harmless;
use crate::config::keys::Key;
use crate::config::table::KEYS;
use crate::config::trust;
use crate::config::trust::Record;
use crate::config::trust::Trust;
use crate::term::writer;
use serde::Serialize;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// More files than a person looks through at once; each is held until all are known to be good.
const FILES_MAX: usize = 100;

/// More lines of one file than a person reads; how many more there are is said. What could loosen
/// a guard is not among those: a stranger would fill the lines before it.
const LINES_MAX: usize = 40;

/// Of a longer key or value the beginning and the end are shown, of so many bytes each: an address
/// may lead elsewhere by its end.
const ENDS_BYTES_MAX: usize = 60;

/// Does what `options` say.
pub fn run(site: &Site, options: &Options) -> Result<Exit, Fault> {
    let trust = Trust::new(site.places.state_dir.as_deref());
    let lines = match options.act {
        TrustAct::List => list(&trust, options.is_json)?,
        TrustAct::Accept => accept(&trust, &targets(site, options)?, options.is_json)?,
        TrustAct::Revoke => revoke(&trust, &targets(site, options)?, options.is_json)?,
    };
    let out = writer::stdout().and_then(|mut out| out.write_all(lines.as_bytes()));
    out.map_err(|error| Fault::output(&error))?;
    Ok(Exit::Done)
}

/// The files that are meant: those that were named, and of a folder, or where nothing was named of
/// the project, its settings file and its profiles.
fn targets(site: &Site, options: &Options) -> Result<Vec<PathBuf>, Fault> {
    let named = options.files.iter().map(|path| site.cwd.join(path));
    let mut named: Vec<PathBuf> = named.collect();
    if named.is_empty() {
        named.push(config::project_root(&site.cwd).unwrap_or_else(|| site.cwd.clone()));
    }
    let mut found = Vec::new();
    for path in named {
        match path.is_dir() {
            true => found.extend(files_of(&path, options.act)?),
            false => found.push(path),
        }
    }
    if options.act == TrustAct::Accept && found.len() > FILES_MAX {
        let what = format!(
            "there are {} files to trust, more than {FILES_MAX}",
            found.len()
        );
        return Err(Fault::new(Exit::Settings, what).hint("`sx trust FILE` names one"));
    }
    Ok(found)
}

/// The settings file of a folder and its profiles.
fn files_of(root: &Path, act: TrustAct) -> Result<Vec<PathBuf>, Fault> {
    let profiles = fs::read_dir(root.join(PROFILES_DIR)).into_iter().flatten();
    let profiles = profiles.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<PathBuf> = profiles
        .filter(|path| path.extension().is_some_and(|end| end == "txt"))
        .collect();
    found.sort();
    found.insert(0, root.join(FILE_NAME));
    // One that is gone may still be trusted.
    found.retain(|path| act == TrustAct::Revoke || path.symlink_metadata().is_ok());
    match found.is_empty() {
        true => {
            let what = format!("there is no {FILE_NAME} in {}", shown(root));
            Err(Fault::new(Exit::Settings, what).hint("`sx trust FILE` names one"))
        }
        false => Ok(found),
    }
}

/// The folder below which a settings file must not lead through a link.
fn root_of(path: &Path) -> &Path {
    let folder = path.parent().unwrap_or(path);
    let is_profile = folder.file_name().is_some_and(|name| name == PROFILES_DIR);
    match folder.parent() {
        Some(above) if is_profile => above,
        _ => folder,
    }
}

/// Accepts all of them or, where one cannot be trusted, none: what is accepted is always shown.
fn accept(trust: &Trust, paths: &[PathBuf], is_json: bool) -> Result<String, Fault> {
    let cannot = |path: &Path, why: &dyn std::fmt::Display| {
        let what = format!("cannot trust {}: {why}", shown(path));
        Fault::new(Exit::Settings, what)
    };
    let mut files = Vec::new();
    for path in paths {
        let bytes = disk::read(path).map_err(|error| cannot(path, &error))?;
        let bytes = bytes.ok_or_else(|| cannot(path, &"there is no such file"))?;
        trust::check(path, root_of(path)).map_err(|refusal| cannot(path, &refusal))?;
        files.push((path, bytes));
    }
    let mut said = String::new();
    for (path, bytes) in files {
        let kept = trust.accept(path, &bytes);
        kept.map_err(|error| cannot(path, &error))?;
        said.push_str(&match is_json {
            true => told(path, "trusted")?,
            false => format!("trusted as it is: {}\n{}", shown(path), content(&bytes)),
        });
    }
    Ok(said)
}

fn revoke(trust: &Trust, paths: &[PathBuf], is_json: bool) -> Result<String, Fault> {
    let mut said = String::new();
    for path in paths {
        let failed = |error| Fault::new(Exit::Settings, format!("cannot revoke: {error}"));
        let was_trusted = trust.revoke(path).map_err(failed)?;
        said.push_str(&match (is_json, was_trusted) {
            (true, _) => told(path, "not trusted")?,
            (false, true) => format!("no longer trusted: {}\n", shown(path)),
            (false, false) => format!("was not trusted: {}\n", shown(path)),
        });
    }
    Ok(said)
}

fn list(trust: &Trust, is_json: bool) -> Result<String, Fault> {
    let failed = |error| Fault::new(Exit::Settings, format!("cannot read the records: {error}"));
    let records = trust.list().map_err(failed)?;
    let mut said = String::new();
    for record in records {
        let state = state(trust, &record);
        said.push_str(&match is_json {
            true => told(Path::new(&record.path), state)?,
            false => format!("{}  {}\n", shown(Path::new(&record.path)), state),
        });
    }
    if said.is_empty() && !is_json {
        said.push_str("no settings file of a project is trusted\n");
    }
    Ok(said)
}

/// How a trusted file is now.
fn state(trust: &Trust, record: &Record) -> &'static str {
    let path = Path::new(&record.path);
    match disk::read(path) {
        Ok(Some(bytes)) if trust.has(path, root_of(path), &bytes) => "trusted",
        Ok(Some(_)) if record.is_refused => "refused",
        Ok(Some(_)) => "changed since, so not trusted",
        Ok(None) => "not there any more",
        Err(_) => "cannot be read",
    }
}

/// A file for a program.
#[derive(Serialize)]
struct Row<'a> {
    path: &'a str,
    state: &'a str,
}

fn told(path: &Path, state: &str) -> Result<String, Fault> {
    let path = &path.to_string_lossy();
    let line = serde_json::to_string(&Row { path, state });
    let line = line.map_err(|error| Fault::new(Exit::Fault, error))?;
    Ok(format!("{line}\n"))
}

/// What a file sets, a line each, without secrets; first whatever is not harmless for each value.
fn content(bytes: &[u8]) -> String {
    let lines = file::parse(bytes);
    let mut said: String = guarded(&lines)
        .map(|(key, value)| pair(key.name, if key.secret { "…" } else { value }))
        .collect();
    let is_guarded = |line: &&Line<'_>| match line.content {
        Content::Pair { key, .. } => keys::find(key).is_some_and(is_guard),
        Content::Bad(_) => false,
    };
    let mut others = lines.iter().filter(|line| !is_guarded(line));
    for line in others.by_ref().take(LINES_MAX) {
        said.push_str(&match line.content {
            Content::Pair { key, value } => {
                let is_open = keys::find(key).is_some_and(|row| !row.secret);
                pair(key, if is_open { value } else { "…" })
            }
            Content::Bad(_) => format!("  line {} is no setting\n", line.number),
        });
    }
    match others.count() {
        0 => said,
        more => format!("{said}  … and {more} more\n"),
    }
}

/// The keys of a file that a stranger may not set to anything, each with the value that counts:
/// that of its last line.
fn guarded<'a>(lines: &'a [Line<'a>]) -> impl Iterator<Item = (&'static Key, &'a str)> {
    let last = |row: &'static Key| {
        let mut from_end = lines.iter().rev();
        from_end.find_map(|line| match line.content {
            Content::Pair { key, value } if key == row.name => Some((row, value)),
            _ => None,
        })
    };
    KEYS.iter().filter(|key| is_guard(key)).filter_map(last)
}

fn is_guard(key: &Key) -> bool {
    key.harmless != Harmless::Always
}

fn pair(key: &str, value: &str) -> String {
    format!("  {}={}\n", ends(key), ends(value))
}

/// A word that may be long.
fn ends(word: &str) -> String {
    let whole = text::harmless(word);
    if whole.len() <= 2 * ENDS_BYTES_MAX {
        return whole.into_owned();
    }
    let start = text::prefix(&whole, ENDS_BYTES_MAX);
    let end = text::suffix(&whole, ENDS_BYTES_MAX);
    let between = whole.len() - start.len() - end.len();
    format!("{start}… {between} bytes …{end}")
}

/// Whether a file that is not trusted sets more than it may. A file with much else that is wrong
/// has not all of it told.
fn wants_trust(path: &Path, warnings: &[Warning], bytes: &[u8]) -> bool {
    warnings.iter().any(|warning| match warning {
        Warning::Untrusted { path: of, .. } => of == path,
        Warning::More { path: of, .. } => {
            of == path && guarded(&file::parse(bytes)).next().is_some()
        }
        _ => false,
    })
}

/// Asks the person whether the files whose keys were ignored are to be trusted; the ground as it
/// is then. Without such files nobody is asked.
pub fn ask(ground: Ground, input: &Input<'_>) -> Result<Ground, Fault> {
    let trust = Trust::new(ground.places.state_dir.as_deref());
    let is_strange = |looked: &&Looked| looked.found == Found::Read && !looked.is_trusted;
    let person = Person::of(input);
    let mut is_changed = false;
    for looked in ground.settings.files().iter().filter(is_strange) {
        let Ok(Some(bytes)) = disk::read(&looked.path) else {
            continue;
        };
        if !wants_trust(&looked.path, &ground.warnings, &bytes) {
            continue;
        }
        let refusal = trust::check(&looked.path, &looked.root);
        if refusal.is_err() || trust.is_refused(&looked.path, &bytes) {
            continue;
        }
        let question = format!(
            "{} came with this project and sets more than it may:\n{}\
             Trust it as it is? [y]es, [N]ot now, ne[v]er: ",
            shown(&looked.path),
            content(&bytes)
        );
        let reply = person.line(&question)?.unwrap_or_default();
        let kept = match reply.to_ascii_lowercase().as_str() {
            "y" | "yes" => {
                is_changed = true;
                trust.accept(&looked.path, &bytes)
            }
            "v" | "never" => trust.refuse(&looked.path, &bytes),
            _ => Ok(()),
        };
        kept.map_err(|error| {
            let what = format!("cannot keep your answer: {error}");
            Fault::new(Exit::Settings, what).hint("set HOME or SX_STATE_DIR, or answer `n`")
        })?;
    }
    match is_changed {
        true => ground.again(ground.overrides.clone()),
        false => Ok(ground),
    }
}

fn shown(path: &Path) -> String {
    text::harmless(&text::one_line(&path.to_string_lossy())).into_owned()
}
