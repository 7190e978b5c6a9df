//! `sx config --set` and `--unset`: changes one key in one settings file, and says what counts now.
//!
//! It also mends a file that no command can be run with, so nothing is loaded before the change.

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
    let row = keys::find(&edit.key);
    let value = match (edit.change, row) {
        (args::Change::Unset, _) | (_, None) => None,
        (args::Change::Set(value), Some(_)) => Some(value),
        (args::Change::FromStdin, Some(row)) => Some(typed(row)?),
    };
    let change = value.as_deref().map_or(Change::Unset, Change::Set);
    let shown_path = text::harmless(&path.to_string_lossy()).into_owned();
    let unwritten = |why: &dyn std::fmt::Display| {
        Fault::new(Exit::Settings, format!("cannot write {shown_path}: {why}"))
    };
    let written = write::change(&path, &edit.key, change).map_err(|error| unwritten(&error))?;
    let key = text::harmless(&edit.key);
    let shown_value = match (&value, row) {
        (Some(_), Some(row)) if row.secret => "…",
        (Some(value), _) => value,
        (None, _) => "",
    };
    if edit.layer == Layer::Project {
        carry_trust_over(&site, &path, &written);
    }
    let said = match (change, written.is_same()) {
        (Change::Set(_), false) => format!("{key}={shown_value} is in {shown_path}"),
        (Change::Set(_), true) => format!("{key}={shown_value} was in {shown_path} already"),
        (Change::Unset, false) => format!("{key} is no longer in {shown_path}"),
        (Change::Unset, true) => format!("{key} was not in {shown_path}"),
    };
    let out = writer::stdout().and_then(|mut out| writeln!(out, "{said}"));
    out.map_err(|error| Fault::output(&error))?;
    if let Some(row) = row
        && !common.is_quiet
    {
        let ground = Ground::survey_at(site, common);
        tell_the_rest(&ground, row, value.as_deref(), &path);
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
    let line = input.line(VALUE_BYTES_MAX)?;
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

/// Says, on standard error, where the value does not count or is not safe.
fn tell_the_rest(
    ground: &Result<Ground, Fault>,
    row: &'static Key,
    value: Option<&str>,
    path: &Path,
) {
    let mut lines = Vec::new();
    if row.secret && value.is_some_and(|value| !value.is_empty()) {
        lines.extend(exposure(path).map(|words| format!("warning: {words}")));
    }
    match ground {
        Err(fault) => lines.push(format!(
            "warning: the settings are still wrong: {}",
            fault.what
        )),
        Ok(ground) => {
            let setting = ground.settings.setting(row.name);
            let is_it = |found: &Path| same(found, path);
            let untrusted = ground.warnings.iter().find(|warning| {
                matches!(warning, Warning::Untrusted { path, key, .. }
                    if is_it(path) && key.name == row.name)
            });
            match (&setting.origin, untrusted) {
                (_, Some(warning)) => lines.push(format!("warning: {warning}")),
                (Origin::File { path, .. }, _) if is_it(path) => {}
                (origin, _) if value.is_some() => lines.push(format!(
                    "note: {origin} sets {}={}, and that counts",
                    row.name,
                    setting.shown()
                )),
                (origin, _) => lines.push(format!(
                    "note: it is {}={} now: {origin}",
                    row.name,
                    setting.shown()
                )),
            }
        }
    }
    let Ok(mut out) = writer::stderr() else {
        return;
    };
    for line in lines {
        // The file is written; without a standard error nobody can be told more.
        let _ = writeln!(out, "{}", text::harmless(&line));
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
