//! `sx config --set` and `--unset`: changes keys in one settings file, and says what counts now.
//!
//! It also mends a file that no command can be run with, so nothing is loaded before the change.

use super::check;
use crate::base::clock::Deadline;
use crate::base::text;
use crate::cli::args;
use crate::cli::args::Common;
use crate::cli::args::Edit;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::ground::Site;
use crate::cli::input::Input;
use crate::cli::stop;
use crate::config;
use crate::config::Layer;
use crate::config::Origin;
use crate::config::error::Error;
use crate::config::error::Warning;
use crate::config::keys;
use crate::config::keys::Key;
use crate::config::trust::Trust;
use crate::config::write;
use crate::config::write::Change;
use crate::config::write::Written;
use crate::term::writer;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Longer than any key, token or certificate that is a line.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// What others than the owner may do with a file.
const MODE_OF_OTHERS: u32 = 0o077;

/// Changes the file.
pub fn run(program: &OsStr, common: &Common, edit: Edit) -> Result<Exit, Fault> {
    let site = Site::find(program, common)?;
    let path = site.file(&edit.layer)?;
    let wanted = edit.changes.into_iter().map(|(key, change)| {
        let row = keys::find(&key);
        let value = match (change, row) {
            (args::Change::Unset, _) | (_, None) => None,
            (args::Change::Set(value), Some(_)) => Some(value),
            (args::Change::FromStdin, Some(row)) => Some(typed(row)?),
        };
        Ok((key, row, value))
    });
    let wanted = wanted.collect::<Result<Vec<Wanted>, Fault>>()?;
    let profiles = || config::profiles(&site.sources(&[]));
    for (key, row, value) in &wanted {
        let (Some(row), Some(value)) = (row, value) else {
            continue;
        };
        if let Some(why) = check::refusal(row, value, &profiles) {
            let what = format!("{key} was not set: {}", text::harmless(&why));
            return Err(Fault::new(Exit::Usage, what));
        }
    }
    let changes = wanted.iter().map(|(key, _, value)| {
        let change = value.as_deref().map_or(Change::Unset, Change::Set);
        (key.as_str(), change)
    });
    let changes: Vec<(&str, Change<'_>)> = changes.collect();
    let shown_path = text::harmless(&path.to_string_lossy()).into_owned();
    let written = write::change(&path, &changes).map_err(|error| {
        let what = format!("cannot write {shown_path}: {error}");
        Fault::new(Exit::Settings, what)
    })?;
    if edit.layer == Layer::Project {
        carry_trust_over(&site, &path, &written);
    }
    let mut said = String::new();
    for (name, row, value) in &wanted {
        let key = text::harmless(name);
        let shown_value = match (value, row) {
            (Some(value), Some(row)) if row.secret && !value.is_empty() => "…",
            (Some(value), _) => value,
            (None, _) => "",
        };
        said.push_str(&match (value, written.is_same_of(name)) {
            (Some(_), false) => format!("{key}={shown_value} is in {shown_path}\n"),
            (Some(_), true) => format!("{key}={shown_value} was in {shown_path} already\n"),
            (None, false) => format!("{key} is no longer in {shown_path}\n"),
            (None, true) => {
                let nearest = keys::nearest(name).filter(|_| row.is_none());
                let meant = nearest.map(|name| format!("; did you mean {name}?"));
                format!(
                    "{key} was not in {shown_path}{}\n",
                    meant.unwrap_or_default()
                )
            }
        });
    }
    let out = writer::stdout().and_then(|mut out| out.write_all(said.as_bytes()));
    out.map_err(|error| Fault::output(&error))?;
    if !common.is_quiet {
        let ground = Ground::survey_at(site, common);
        tell_the_rest(&ground, &wanted, &path);
    }
    Ok(Exit::Done)
}

/// What was trusted before the change, and what was not there before it, is trusted after it: it
/// is the person's own writing.
pub(super) fn carry_trust_over(site: &Site, path: &Path, written: &Written) {
    let trust = Trust::new(site.places.state_dir.as_deref());
    let root = path.parent().unwrap_or(path);
    let is_carried = match &written.was {
        None => true,
        Some(was) => trust.has(path, root, was),
    };
    if is_carried && !written.is_same() {
        // Where it cannot be kept, the file is not trusted, and that is told of each key.
        let _ = trust.accept(path, &written.now);
    }
}

/// The value from stdin, where nobody else sees it.
fn typed(row: &'static Key) -> Result<String, Fault> {
    let signals = stop::signals()?;
    let input = Input {
        signals: &signals,
        deadline: Deadline::never(),
    };
    let line = input.next_line(VALUE_BYTES_MAX)?;
    let line = line.ok_or_else(|| {
        let what = format!("there is no line on stdin for {}", row.name);
        Fault::new(Exit::Usage, what).hint("a line for each `-`; an empty one is an empty value")
    })?;
    let value = line.trim();
    row.accept(value).ok_or_else(|| {
        let key = row;
        let error = Error::WrongValue {
            origin: Origin::CommandLine,
            key,
            value: value.to_string(),
        };
        Fault::new(Exit::Usage, error)
    })
}

/// A key that was changed: its name, its row if it has one, and its value unless it was taken out.
type Wanted = (String, Option<&'static Key>, Option<String>);

/// Says, on standard error, which values do not count or are not safe.
fn tell_the_rest(ground: &Result<Ground, Fault>, wanted: &[Wanted], path: &Path) {
    let is_secret = |(_, row, value): &Wanted| {
        let has_value = value.as_ref().is_some_and(|value| !value.is_empty());
        has_value && row.is_some_and(|row| row.secret)
    };
    let mut lines: Vec<String> = Vec::new();
    if wanted.iter().any(is_secret) {
        lines.extend(exposure(path).map(|words| format!("warning: {words}")));
    }
    match ground {
        Err(fault) => {
            let what = &fault.what;
            lines.push(format!("warning: the settings are still wrong: {what}"));
        }
        Ok(ground) => lines.extend(wanted.iter().filter_map(|(_, row, value)| {
            let is_set = value.is_some();
            what_counts(ground, (*row)?, is_set, path)
        })),
    }
    let Ok(mut out) = writer::stderr() else {
        return;
    };
    for line in lines {
        // The file is written; without a standard error nobody can be told more.
        let _ = writeln!(out, "{}", text::harmless(&line));
    }
}

/// What counts of a key, unless that is what was set in `path`.
fn what_counts(ground: &Ground, row: &Key, is_set: bool, path: &Path) -> Option<String> {
    let setting = ground.settings.setting(row.name);
    let (name, value) = (row.name, setting.shown());
    let is_it = |found: &Path| same(found, path);
    let untrusted = ground.warnings.iter().find(|warning| match warning {
        Warning::Untrusted { path, key, .. } => is_it(path) && key.name == name,
        _ => false,
    });
    match (&setting.origin, untrusted) {
        (_, Some(warning)) => Some(format!("warning: {warning}")),
        (Origin::File { path, .. }, _) if is_it(path) => None,
        (Origin::Default | Origin::Implied(_), _) if is_set => Some(format!(
            "note: {name} is {value} until its profile is active"
        )),
        (origin, _) if is_set => Some(format!(
            "note: {origin} sets {name}={value}, and that counts"
        )),
        (origin, _) => Some(format!("note: it is {name}={value} now: {origin}")),
    }
}

/// What is wrong with a file that holds a secret.
pub(super) fn exposure(path: &Path) -> Option<String> {
    let mode = path.metadata().map_or(0, |meta| meta.mode());
    let words = || format!("others can read that file: `chmod 600 {}`", path.display());
    (mode & MODE_OF_OTHERS != 0).then(words)
}

fn same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    real(one) == real(other)
}
