//! Settings: one table of keys, a cascade that fills it, and for every value who set it.
//!
//! Later wins: default, the file beside the binary, the user's file, the project's file, the
//! profile beside any of them, the environment, the command line. Nothing here is asked twice:
//! `load` reads everything once, and `cli` makes each module's options of it. What a setting means
//! is its module's business.

mod cascade;
pub mod disk;
pub mod error;
pub mod file;
pub mod groups;
pub mod keys;
pub mod table;
pub mod trust;
pub mod write;

use crate::base::clock;
use error::Error;
use error::Warning;
use keys::Key;
use std::borrow::Cow;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use table::KEYS;

/// The name of every settings file.
pub const FILE_NAME: &str = "scorpiox-env.txt";

/// The name of the folder of profiles beside such a file.
pub const PROFILES_DIR: &str = "scorpiox-env";

/// Everything that settings come from.
pub struct Sources<'a> {
    /// The folder of the binary.
    pub global_dir: Option<PathBuf>,
    /// The user's own folder, `Places::config_dir`.
    pub user_dir: Option<PathBuf>,
    /// The project's folder, from `project_root`.
    pub project_root: Option<PathBuf>,
    /// Our state directory, with the records of trust.
    pub state_dir: Option<PathBuf>,
    /// The home directory, for values that begin with `~/`.
    pub home: Option<PathBuf>,
    /// Looks up an environment variable. Asked for the names of `KEYS` and nothing else.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// `-e KEY=VALUE` and what flags stand for, in the order typed.
    pub overrides: &'a [(String, String)],
}

impl<'a> Sources<'a> {
    /// What was typed, and nothing else.
    pub fn typed(overrides: &'a [(String, String)]) -> Sources<'a> {
        Sources {
            global_dir: None,
            user_dir: None,
            project_root: None,
            state_dir: None,
            home: None,
            environment: &|_| None,
            overrides,
        }
    }
}

/// Fills the table from all sources.
///
/// What can be ignored safely is a warning: a line that is none, an unknown key in a file, a file
/// that cannot be read, a key that a project may not set. A value that its key cannot have is an
/// error, and so is an unknown key on the command line.
pub fn load(sources: &Sources<'_>) -> Result<(Settings, Vec<Warning>), Error> {
    cascade::load(sources)
}

/// What one layer says by itself: of all other keys nothing is set.
pub fn load_layer(sources: &Sources<'_>, layer: &Layer) -> Result<(Settings, Vec<Warning>), Error> {
    cascade::load_layer(sources, layer)
}

/// The file of the profile `name` in one of our folders.
pub fn profile_file(dir: &Path, name: &str) -> PathBuf {
    dir.join(PROFILES_DIR).join(format!("{name}.txt"))
}

/// The names of all profiles that there are, sorted.
pub fn profiles(sources: &Sources<'_>) -> Vec<String> {
    cascade::profiles(sources)
}

/// A part of the cascade that files fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The file beside the binary.
    Global,
    /// The user's own.
    User,
    /// The project's.
    Project,
    /// The profile of this name.
    Profile(String),
}

impl Layer {
    /// What it is called on the command line: `user`, `project`, `global`, `profile:NAME`.
    pub fn parse(word: &str) -> Option<Layer> {
        match (word, word.strip_prefix("profile:")) {
            ("global", _) => Some(Layer::Global),
            ("user", _) => Some(Layer::User),
            ("project", _) => Some(Layer::Project),
            (_, Some(name)) if keys::is_name(name) => Some(Layer::Profile(name.to_string())),
            _ => None,
        }
    }

    /// Its tier.
    pub fn tier(&self) -> Tier {
        match self {
            Layer::Global => Tier::Global,
            Layer::User => Tier::User,
            Layer::Project => Tier::Project,
            Layer::Profile(_) => Tier::Profile,
        }
    }
}

/// Whose file a value came from, in the order of the cascade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Beside the binary: the machine's.
    Global,
    /// In the user's own folder.
    User,
    /// In the project, and so maybe a stranger's.
    Project,
    /// A profile, beside any of them.
    Profile,
}

impl Tier {
    /// Its word on the command line and in lists.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Global => "global",
            Tier::User => "user",
            Tier::Project => "project",
            Tier::Profile => "profile",
        }
    }
}

/// Who set a value. The order is that of the cascade; later wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody.
    Default,
    /// Nobody, and something else that is there makes another default of it; what that is.
    Implied(&'static str),
    /// A settings file.
    File {
        /// Which.
        path: PathBuf,
        /// The line in it, from 1.
        line: u32,
        /// Whose file it is.
        tier: Tier,
    },
    /// The variable of the key's name.
    Environment,
    /// `-e` or a flag.
    CommandLine,
}

impl Origin {
    /// Whether it counts more than a file of `tier`.
    pub fn beats(&self, tier: Tier) -> bool {
        match self {
            Origin::Environment | Origin::CommandLine => true,
            Origin::File { tier: own, .. } => *own > tier,
            Origin::Default | Origin::Implied(_) => false,
        }
    }
}

/// A key with its value and who set it.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The row of the table.
    pub key: &'static Key,
    /// A value that the key can have, in its one spelling; empty where there is none.
    pub value: String,
    /// Who set it.
    pub origin: Origin,
}

impl Setting {
    /// The value as it may be shown: `…` for a secret, and for the parts of an address that may
    /// hold one.
    pub fn shown(&self) -> Cow<'_, str> {
        match self.key.secret && !self.value.is_empty() {
            true => "…".into(),
            false => without_secrets(&self.value),
        }
    }
}

/// An address without its user, its password and its query; any other value as it is.
fn without_secrets(value: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = value.split_once("://") else {
        return value.into();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = match authority.rsplit_once('@') {
        Some((_, host)) => ("…@", host),
        None => ("", authority),
    };
    match path.split_once(['?', '#']) {
        Some((path, _)) => format!("{scheme}://{user}{host}{path}?…").into(),
        None if user.is_empty() => value.into(),
        None => format!("{scheme}://{user}{host}{path}").into(),
    }
}

/// A settings file that was looked for.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Where.
    pub path: PathBuf,
    /// Whose file it is.
    pub tier: Tier,
    /// The folder that the cascade named: the file is in it, or in its folder of profiles.
    pub root: PathBuf,
    /// Whether it is there.
    pub found: Found,
    /// Whether it needs no trust: it is the user's own, or the machine's.
    pub is_own: bool,
    /// Whether all its keys count, not only the harmless ones.
    pub is_trusted: bool,
}

/// What there was where a settings file was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// Something that could not be read; a warning says why.
    Unreadable,
    /// A file that was read.
    Read,
}

/// The whole table, filled.
#[derive(Clone, Debug)]
pub struct Settings {
    /// One for every key, in the order of `KEYS`.
    table: Vec<Setting>,
    files: Vec<Looked>,
    home: Option<PathBuf>,
}

impl Settings {
    /// The setting of `key`, which must be a name in `KEYS`.
    pub fn setting(&self, key: &str) -> &Setting {
        let index = KEYS.iter().position(|row| row.name == key);
        debug_assert!(index.is_some(), "{key} is not in KEYS");
        &self.table[index.unwrap_or_default()]
    }

    /// The value; empty where there is none.
    pub fn text(&self, key: &str) -> &str {
        &self.setting(key).value
    }

    /// Whether the flag is on.
    pub fn flag(&self, key: &str) -> bool {
        self.text(key) == "1"
    }

    /// The number.
    pub fn count(&self, key: &str) -> u64 {
        self.text(key).parse().unwrap_or_default()
    }

    /// The size, in bytes.
    pub fn size(&self, key: &str) -> u64 {
        keys::size(self.text(key)).unwrap_or_default()
    }

    /// The time span.
    pub fn duration(&self, key: &str) -> Duration {
        clock::parse_duration(self.text(key)).unwrap_or_default()
    }

    /// The path, with `~/` and the folder of its settings file put in; `None` where there is no
    /// value, or no home directory that `~/` could mean.
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        let setting = self.setting(key);
        if setting.value.is_empty() {
            return None;
        }
        if let Some(below) = setting.value.strip_prefix("~/") {
            return Some(self.home.as_ref()?.join(below));
        }
        match &setting.origin {
            // An absolute path stays what it is when it is joined.
            Origin::File { path, .. } => Some(path.parent()?.join(&setting.value)),
            _ => Some(PathBuf::from(&setting.value)),
        }
    }

    /// Whether somebody set it.
    pub fn is_set(&self, key: &str) -> bool {
        !matches!(
            self.setting(key).origin,
            Origin::Default | Origin::Implied(_)
        )
    }

    /// Gives `key` another default, which `why` explains; what somebody set stays.
    pub fn imply(&mut self, key: &str, value: &str, why: &'static str) {
        let index = KEYS.iter().position(|row| row.name == key);
        debug_assert!(index.is_some(), "{key} is not in KEYS");
        let setting = &mut self.table[index.unwrap_or_default()];
        if setting.origin == Origin::Default {
            setting.value = value.to_string();
            setting.origin = Origin::Implied(why);
        }
    }

    /// All settings, in the order of `KEYS`.
    pub fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.table.iter()
    }

    /// The settings files that were looked for, in the order of the cascade.
    pub fn files(&self) -> &[Looked] {
        &self.files
    }
}

/// Where our own files are. Each may be unknown: no home directory is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The user's settings and credentials.
    pub config_dir: Option<PathBuf>,
    /// Sessions.
    pub state_dir: Option<PathBuf>,
    /// The home directory.
    pub home: Option<PathBuf>,
}

/// Finds our places by the environment alone: `SX_CONFIG_DIR` and `SX_STATE_DIR`, else the XDG
/// variables, else `HOME`. The passwd file is not asked, since an odd uid has no line there.
pub fn places(environment: &dyn Fn(&str) -> Option<String>) -> Places {
    let variable = |name| {
        environment(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    // "If an implementation encounters a relative path it should consider the path invalid and
    // ignore it" (XDG Base Directory Specification 0.8).
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    let home = absolute("HOME");
    let place = |own, xdg, below: &str| {
        let fallback = || home.as_ref().map(|home| home.join(below));
        let base = || absolute(xdg).or_else(fallback).map(|base| base.join("sx"));
        variable(own).or_else(base)
    };
    Places {
        config_dir: place("SX_CONFIG_DIR", "XDG_CONFIG_HOME", ".config"),
        state_dir: place("SX_STATE_DIR", "XDG_STATE_HOME", ".local/state"),
        home: home.clone(),
    }
}

/// The nearest directory from `cwd` upward that holds a settings file or `.git`.
pub fn project_root(cwd: &Path) -> Option<PathBuf> {
    let is_root = |dir: &&Path| {
        [FILE_NAME, ".git"]
            .iter()
            .any(|name| dir.join(name).exists())
    };
    cwd.ancestors().find(is_root).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests;
