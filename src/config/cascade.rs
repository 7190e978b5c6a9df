//! Reads the sources in their order and lets the later win; decides how far a file is trusted.
//!
//! A settings file that came with a cloned repository must neither send a key to a stranger nor
//! switch a guard off. So sensitive is the default: of a file that is not trusted only harmless
//! keys count, and of those that guard something only the tightest value.

use super::FILE_NAME;
use super::Found;
use super::Layer;
use super::Looked;
use super::Origin;
use super::PROFILES_DIR;
use super::Setting;
use super::Settings;
use super::Sources;
use super::Tier;
use super::disk;
use super::error::Error;
use super::error::Warning;
use super::file;
use super::file::Content;
use super::keys;
use super::keys::Harmless;
use super::keys::Key;
use super::table::KEYS;
use super::trust::Trust;
use crate::sys::user;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

/// The key that chooses a profile.
const PROFILE_KEY: &str = "ACTIVE_PROFILE";

/// More profiles than a person tells apart.
const PROFILES_MAX: usize = 1_000;

/// More than a person reads of one file. A stranger's may have a wrong line for every byte.
const WARNINGS_MAX: usize = 20;

/// Write permission for the group or for everybody.
const MODE_WRITABLE_BY_OTHERS: u32 = 0o022;

pub(super) fn load(sources: &Sources<'_>) -> Result<(Settings, Vec<Warning>), Error> {
    let mut cascade = Cascade::new(sources);
    let places = places(sources);
    for place in &places {
        cascade.file(place, place.dir.join(FILE_NAME), place.owner)?;
    }
    let (name, origin) = cascade.profile(sources)?;
    if !name.is_empty() {
        let is_there = cascade.profile_files(&places, &name)?;
        if !is_there {
            return Err(no_profile(&places, name, origin));
        }
    }
    for key in KEYS {
        if let Some(value) = (sources.environment)(key.name).filter(|value| !value.is_empty()) {
            cascade.set(key, &value, Origin::Environment)?;
        }
    }
    for (name, value) in sources.overrides {
        cascade.set(known(name)?, value, Origin::CommandLine)?;
    }
    Ok(cascade.end())
}

pub(super) fn load_layer(
    sources: &Sources<'_>,
    layer: &Layer,
) -> Result<(Settings, Vec<Warning>), Error> {
    let mut cascade = Cascade::new(sources);
    let places = places(sources);
    let Layer::Profile(name) = layer else {
        for place in places.iter().filter(|place| place.owner == layer.tier()) {
            cascade.file(place, place.dir.join(FILE_NAME), place.owner)?;
        }
        return Ok(cascade.end());
    };
    match cascade.profile_files(&places, name)? {
        true => Ok(cascade.end()),
        false => Err(no_profile(&places, name.clone(), Origin::CommandLine)),
    }
}

pub(super) fn profiles(sources: &Sources<'_>) -> Vec<String> {
    known_profiles(&places(sources))
}

fn known(name: &str) -> Result<&'static Key, Error> {
    keys::find(name).ok_or_else(|| Error::UnknownKey {
        key: name.to_string(),
        nearest: keys::nearest(name),
    })
}

fn no_profile(places: &[Place], name: String, origin: Origin) -> Error {
    Error::NoProfile {
        origin,
        name,
        places: places
            .iter()
            .map(|place| place.dir.join(PROFILES_DIR))
            .collect(),
        known: known_profiles(places),
    }
}

/// The names of all profiles that there are, sorted.
fn known_profiles(places: &[Place]) -> Vec<String> {
    let entries = places
        .iter()
        .filter_map(|place| fs::read_dir(place.dir.join(PROFILES_DIR)).ok());
    let names = entries.flatten().take(PROFILES_MAX).filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        Some(name.strip_suffix(".txt")?.to_string())
    });
    let mut names: Vec<String> = names.filter(|name| keys::is_name(name)).collect();
    names.sort();
    names.dedup();
    names
}

fn unset(key: &'static Key) -> Setting {
    Setting {
        key,
        value: key.default.to_string(),
        origin: Origin::Default,
    }
}

/// A folder where settings files may be.
struct Place {
    dir: PathBuf,
    /// Whose it is.
    owner: Tier,
}

/// The folders to look into, each once: one that is both the user's and the project's is the
/// user's, and the binary's own folder within a project is the project's.
fn places(sources: &Sources<'_>) -> Vec<Place> {
    let by_authority = [
        (&sources.user_dir, Tier::User),
        (&sources.project_root, Tier::Project),
        (&sources.global_dir, Tier::Global),
    ];
    let mut seen = Vec::new();
    let mut places = Vec::new();
    for (dir, owner) in by_authority {
        let Some(dir) = dir else { continue };
        let real = dir.canonicalize().unwrap_or_else(|_| dir.clone());
        if !seen.contains(&real) {
            seen.push(real);
            let dir = dir.clone();
            places.push(Place { dir, owner });
        }
    }
    places.sort_by_key(|place| place.owner);
    places
}

/// The key of a line that is none, if to leave it out would open what it was meant to shut.
fn meant_to_guard(text: &str) -> Option<&'static Key> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = text.split(|c| !is_word(c)).next().unwrap_or_default();
    keys::find(name).filter(|key| key.name.ends_with("_PROXY") || key.name == "OFFLINE")
}

/// Whether only root or this user can have written the file beside the binary, and it did not
/// come with the project.
fn is_ours(path: &Path, project_root: Option<&Path>) -> bool {
    let Ok(real) = path.canonicalize() else {
        return false;
    };
    let root = project_root.and_then(|root| root.canonicalize().ok());
    if root.is_some_and(|root| real.starts_with(root)) {
        return false;
    }
    real.metadata().is_ok_and(|meta| {
        (meta.uid() == 0 || meta.uid() == user::id()) && meta.mode() & MODE_WRITABLE_BY_OTHERS == 0
    })
}

/// The table while it is filled.
struct Cascade {
    table: Vec<Setting>,
    files: Vec<Looked>,
    warnings: Vec<Warning>,
    /// How many more warnings of this file are kept.
    room: usize,
    /// How many were not.
    unsaid: usize,
    home: Option<PathBuf>,
    project_root: Option<PathBuf>,
    user_file: Option<PathBuf>,
    trust: Trust,
}

impl Cascade {
    fn new(sources: &Sources<'_>) -> Cascade {
        Cascade {
            table: KEYS.iter().map(unset).collect(),
            files: Vec::new(),
            warnings: Vec::new(),
            room: 0,
            unsaid: 0,
            home: sources.home.clone(),
            project_root: sources.project_root.clone(),
            user_file: sources.user_dir.as_ref().map(|dir| dir.join(FILE_NAME)),
            trust: Trust::new(sources.state_dir.as_deref()),
        }
    }

    fn end(self) -> (Settings, Vec<Warning>) {
        let settings = Settings {
            table: self.table,
            files: self.files,
            home: self.home,
        };
        (settings, self.warnings)
    }

    /// The profile that is chosen, empty for none, and who chose it. It is needed before the
    /// sources that come after it are read.
    fn profile(&self, sources: &Sources<'_>) -> Result<(String, Origin), Error> {
        let key = known(PROFILE_KEY)?;
        let typed = sources
            .overrides
            .iter()
            .rfind(|(name, _)| name == PROFILE_KEY);
        let variable = || (sources.environment)(PROFILE_KEY).filter(|value| !value.is_empty());
        let (value, origin) = match typed {
            Some((_, value)) => (value.clone(), Origin::CommandLine),
            None => match variable() {
                Some(value) => (value, Origin::Environment),
                None => {
                    let set = self.table.iter().find(|set| set.key.name == PROFILE_KEY);
                    return Ok(set.map_or((String::new(), Origin::Default), |set| {
                        (set.value.clone(), set.origin.clone())
                    }));
                }
            },
        };
        match key.accept(&value) {
            Some(name) => Ok((name, origin)),
            None => Err(Error::WrongValue { origin, key, value }),
        }
    }

    /// Reads the files of a profile; whether there was one.
    fn profile_files(&mut self, places: &[Place], name: &str) -> Result<bool, Error> {
        let before = self.files.len();
        for place in places {
            let path = super::profile_file(&place.dir, name);
            self.file(place, path, Tier::Profile)?;
        }
        let looked = &self.files[before..];
        Ok(looked.iter().any(|looked| looked.found != Found::Absent))
    }

    /// Reads one file, as `tier`, in the folder of `place`.
    fn file(&mut self, place: &Place, path: PathBuf, tier: Tier) -> Result<(), Error> {
        let is_own = match place.owner {
            Tier::Global => is_ours(&path, self.project_root.as_deref()),
            owner => owner == Tier::User,
        };
        let (found, is_trusted) = match disk::read(&path) {
            Ok(None) => (Found::Absent, is_own),
            Ok(Some(_)) if !is_own && disk::leads_away(&path, &place.dir).unwrap_or(true) => {
                let what = "it is a link out of its folder, and not trusted";
                self.unreadable(&path, io::Error::other(what))
            }
            Ok(Some(bytes)) => {
                let is_trusted = is_own || self.trust.has(&path, &place.dir, &bytes);
                (self.room, self.unsaid) = (WARNINGS_MAX, 0);
                self.lines(&bytes, &path, tier, is_trusted)?;
                if self.unsaid > 0 {
                    let count = self.unsaid;
                    let path = path.clone();
                    self.warnings.push(Warning::More { path, count });
                }
                (Found::Read, is_trusted)
            }
            Err(source) => self.unreadable(&path, source),
        };
        self.files.push(Looked {
            path,
            tier,
            root: place.dir.clone(),
            found,
            is_own,
            is_trusted,
        });
        Ok(())
    }

    fn unreadable(&mut self, path: &Path, source: io::Error) -> (Found, bool) {
        let path = path.to_path_buf();
        self.warnings.push(Warning::Unreadable { path, source });
        (Found::Unreadable, false)
    }

    fn lines(
        &mut self,
        bytes: &[u8],
        path: &Path,
        tier: Tier,
        is_trusted: bool,
    ) -> Result<(), Error> {
        for line in file::parse(bytes) {
            let number = line.number;
            let path = path.to_path_buf();
            let (name, value) = match line.content {
                Content::Pair { key, value } => (key, value),
                Content::Bad(text) => {
                    if let Some(key) = meant_to_guard(&text)
                        && is_trusted
                    {
                        let line = number;
                        return Err(Error::BadLine { path, line, key });
                    }
                    self.warn(Warning::BadLine {
                        path,
                        line: number,
                        text,
                    });
                    continue;
                }
            };
            let Some(key) = keys::find(name) else {
                self.warn(Warning::UnknownKey {
                    path,
                    line: number,
                    key: name.to_string(),
                });
                continue;
            };
            if tier == Tier::Profile && key.name == PROFILE_KEY {
                self.warn(Warning::Nested { path, line: number });
                continue;
            }
            if !is_trusted && !is_harmless(key, value) {
                self.untrusted(path, number, key);
                continue;
            }
            self.warn_if_repeated(key, &path, number);
            self.set(
                key,
                value,
                Origin::File {
                    path,
                    line: number,
                    tier,
                },
            )?;
        }
        Ok(())
    }

    /// Once for each key of a file, however much else is wrong with it: this is what the person
    /// has to know.
    fn untrusted(&mut self, path: PathBuf, line: u32, key: &'static Key) {
        let is_said = |warning: &Warning| match warning {
            Warning::Untrusted {
                path: of, key: k, ..
            } => *of == path && k.name == key.name,
            _ => false,
        };
        if !self.warnings.iter().any(is_said) {
            let user_file = self.user_file.clone();
            self.warnings.push(Warning::Untrusted {
                path,
                line,
                key,
                user_file,
            });
        }
    }

    fn warn(&mut self, warning: Warning) {
        if self.room > 0 {
            self.room -= 1;
            self.warnings.push(warning);
        } else {
            self.unsaid += 1;
        }
    }

    fn warn_if_repeated(&mut self, key: &'static Key, path: &Path, line: u32) {
        let before = self
            .table
            .iter()
            .find(|setting| std::ptr::eq(setting.key, key));
        if let Some(Origin::File {
            path: same,
            line: earlier,
            ..
        }) = before.map(|s| &s.origin)
            && same == path
        {
            let earlier = *earlier;
            self.warn(Warning::Repeated {
                path: path.into(),
                line,
                earlier,
                key,
            });
        }
    }

    fn set(&mut self, key: &'static Key, value: &str, origin: Origin) -> Result<(), Error> {
        let Some(accepted) = key.accept(value) else {
            return Err(Error::WrongValue {
                origin,
                key,
                value: value.to_string(),
            });
        };
        for setting in &mut self.table {
            if std::ptr::eq(setting.key, key) {
                setting.value = accepted;
                setting.origin = origin;
                break;
            }
        }
        Ok(())
    }
}

/// Whether a stranger may set this. An empty value is the default, which may be looser than what
/// the user chose.
fn is_harmless(key: &Key, value: &str) -> bool {
    match key.harmless {
        Harmless::Never => false,
        Harmless::Only(tightest) => {
            !value.is_empty() && key.accept(value).as_deref() == Some(tightest)
        }
        Harmless::Except(costly) => key.accept(value).as_deref() != Some(costly),
        Harmless::Always => true,
    }
}

#[cfg(test)]
mod tests;
