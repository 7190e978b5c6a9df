//! What a command stands on: the directory, the environment, the settings, our own places.
//!
//! Read once, at the start. Nothing after this asks the environment for anything.

use crate::base::secret::Secret;
use crate::base::text;
use crate::cli::args::Color;
use crate::cli::args::Common;
use crate::cli::credential;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::config;
use crate::config::Layer;
use crate::config::Places;
use crate::config::Settings;
use crate::config::Sources;
use crate::config::disk;
use crate::config::error::Warning;
use crate::config::table::KEYS;
use crate::proc::SelfPath;
use crate::proc::inherited;
use crate::term;
use std::env;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// A credential file is the longest that can come.
const TOKEN_BYTES_MAX: usize = 1 << 20;

/// Whoever hands a token in by a descriptor has it ready.
const TOKEN_WAIT_MAX: Duration = Duration::from_secs(10);

/// The facts.
pub struct Ground {
    /// How to start ourselves again.
    pub self_path: SelfPath,
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// The settings, all sources together.
    pub settings: Settings,
    /// What was wrong with them and could be ignored.
    pub warnings: Vec<Warning>,
    /// Our own folders.
    pub places: Places,
    /// What the command line set.
    pub overrides: Vec<(String, String)>,
    /// When to use colour.
    pub color: Color,
    /// Say only the answer and errors.
    pub is_quiet: bool,
    /// Say more.
    pub is_verbose: bool,
    /// What the descriptor gave that CODEX_TOKEN_FD names, or what is wrong with it.
    pub handed_token: Option<Result<Secret, String>>,
}

impl Ground {
    /// Reads everything.
    pub fn survey(program: &OsStr, common: &Common) -> Result<Ground, Fault> {
        Ground::survey_at(Site::find(program, common)?, common)
    }

    /// Reads everything, at a place that was found.
    pub fn survey_at(site: Site, common: &Common) -> Result<Ground, Fault> {
        let loaded = site.load(&common.overrides)?;
        let mut ground = Ground::with(site, common, loaded);
        ground.imply();
        Ok(ground)
    }

    /// Only what one layer of the settings says; it is for being shown.
    pub fn of_layer(site: Site, common: &Common, layer: &Layer) -> Result<Ground, Fault> {
        let loaded = config::load_layer(&site.sources(&[]), layer);
        let loaded = loaded.map_err(|error| Fault::new(Exit::Settings, error))?;
        Ok(Ground::with(site, common, loaded))
    }

    fn with(site: Site, common: &Common, loaded: (Settings, Vec<Warning>)) -> Ground {
        let (settings, warnings) = loaded;
        let Site {
            self_path,
            cwd,
            places,
        } = site;
        // Before we open anything that stays open: the number could be that of one of ours.
        let number = settings.text("CODEX_TOKEN_FD");
        let handed_token = (!number.is_empty()).then(|| token_of_descriptor(number));
        Ground {
            self_path,
            cwd,
            settings,
            warnings,
            places,
            overrides: common.overrides.clone(),
            color: common.color,
            is_quiet: common.is_quiet,
            is_verbose: common.is_verbose,
            handed_token,
        }
    }

    /// The same place with the settings read once more, and with `overrides` in the place of what
    /// was typed. What a descriptor gave stays.
    pub fn again(&self, overrides: Vec<(String, String)>) -> Result<Ground, Fault> {
        let site = self.site();
        let (settings, warnings) = site.load(&overrides)?;
        let mut ground = Ground {
            self_path: site.self_path,
            cwd: site.cwd,
            settings,
            warnings,
            places: site.places,
            overrides,
            color: self.color,
            is_quiet: self.is_quiet,
            is_verbose: self.is_verbose,
            handed_token: self.handed_token.clone(),
        };
        ground.imply();
        Ok(ground)
    }

    /// The place alone.
    pub fn site(&self) -> Site {
        Site {
            self_path: self.self_path.clone(),
            cwd: self.cwd.clone(),
            places: self.places.clone(),
        }
    }

    fn imply(&mut self) {
        if credential::is_codex_meant(self) {
            let why = "a login or a setting of codex is there";
            self.settings.imply("PROVIDER", "codex", why);
        }
    }

    /// The same for a command that is about a login: unless somebody names another provider, that
    /// of codex.
    pub fn about_login(mut self) -> Ground {
        let why = "a command is about a login";
        self.settings.imply("PROVIDER", "codex", why);
        self
    }

    /// Where sessions are kept; `None` where there is no place for them.
    pub fn session_dir(&self) -> Option<PathBuf> {
        let below_state = || Some(self.places.state_dir.as_ref()?.join("sessions"));
        self.settings.path("SESSION_DIR").or_else(below_state)
    }

    /// The home directory, so that paths below it can be shown short; empty if there is none.
    pub fn home(&self) -> String {
        let home = self.places.home.as_ref();
        home.map_or(String::new(), |home| home.display().to_string())
    }

    /// The person's own settings file; `None` where there is no place for one.
    pub fn settings_file(&self) -> Option<PathBuf> {
        let dir = self.places.config_dir.as_ref()?;
        Some(dir.join(config::FILE_NAME))
    }

    /// Says what was wrong with the settings, on standard error.
    pub fn warn(&self) {
        let Ok(mut out) = term::writer::stderr() else {
            return;
        };
        for warning in &self.warnings {
            let line = format!("warning: {}\n", text::harmless(&warning.to_string()));
            // Without a standard error nobody can be warned.
            let _ = out.write_all(line.as_bytes());
        }
    }
}

/// Where a command stands, before any setting is read.
#[derive(Clone)]
pub struct Site {
    /// How to start ourselves again.
    pub self_path: SelfPath,
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// Our own folders.
    pub places: Places,
}

impl Site {
    /// Looks around, and goes to the directory of `-C`.
    pub fn find(program: &OsStr, common: &Common) -> Result<Site, Fault> {
        Ok(Site {
            self_path: own_path(program)?,
            cwd: working_directory(common.cwd.as_deref())?,
            places: config::places(&variable),
        })
    }

    /// What settings come from here.
    pub fn sources<'a>(&self, overrides: &'a [(String, String)]) -> Sources<'a> {
        Sources {
            global_dir: self.self_path.folder(),
            user_dir: self.places.config_dir.clone(),
            project_root: config::project_root(&self.cwd),
            state_dir: self.places.state_dir.clone(),
            home: self.places.home.clone(),
            environment: &setting_variable,
            overrides,
        }
    }

    /// The settings file of a layer, to be written; it need not be there. A stranger's link is not
    /// followed.
    pub fn file(&self, layer: &Layer) -> Result<PathBuf, Fault> {
        let nowhere = |what: &str, hint: &str| Fault::new(Exit::Settings, what).hint(hint);
        let user = || {
            let what = "there is no place for a settings file of yours";
            let hint = "set HOME or SX_CONFIG_DIR";
            let dir = self.places.config_dir.clone();
            dir.ok_or_else(|| nowhere(what, hint))
        };
        let own = || {
            let what = "the folder of the binary is not known";
            let dir = self.self_path.folder();
            dir.ok_or_else(|| nowhere(what, "use another tier"))
        };
        let here = || self.cwd.clone();
        let project = || {
            let root = config::project_root(&self.cwd).unwrap_or_else(here);
            let path = root.join(config::FILE_NAME);
            match disk::leads_away(&path, &root) {
                Ok(true) => {
                    let path = text::one_line(&path.to_string_lossy());
                    let what = format!("cannot write {path}: it is a link out of the project");
                    Err(Fault::new(Exit::Settings, what))
                }
                // One that is not there leads nowhere.
                _ => Ok(path),
            }
        };
        Ok(match layer {
            Layer::User => user()?.join(config::FILE_NAME),
            Layer::Project => project()?,
            Layer::Global => own()?.join(config::FILE_NAME),
            Layer::Profile(name) => config::profile_file(&user()?, name),
        })
    }

    /// The settings.
    pub fn load(&self, overrides: &[(String, String)]) -> Result<(Settings, Vec<Warning>), Fault> {
        check_variables()?;
        let loaded = config::load(&self.sources(overrides));
        loaded.map_err(|error| Fault::new(Exit::Settings, error))
    }
}

/// How to start ourselves again.
pub fn own_path(program: &OsStr) -> Result<SelfPath, Fault> {
    let path = env::var_os("PATH");
    SelfPath::find(program, path.as_deref()).ok_or_else(|| {
        let what = "cannot find the own program: there is no /proc and no path to it";
        Fault::new(Exit::Settings, what).hint("call sx by its full path, or mount /proc")
    })
}

/// An environment variable; one that is not UTF-8 counts as unset.
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// A setting that cannot be read must not count as unset: it may be a proxy, or a wall.
fn check_variables() -> Result<(), Fault> {
    let lower = KEYS.iter().filter(|key| key.name.ends_with("_PROXY"));
    let lower = lower.map(|key| key.name.to_ascii_lowercase());
    let names = KEYS.iter().map(|key| key.name.to_string()).chain(lower);
    for name in names {
        if let Err(env::VarError::NotUnicode(_)) = env::var(&name) {
            let what = format!("the environment: {name} is not UTF-8");
            return Err(Fault::new(Exit::Settings, what));
        }
    }
    Ok(())
}

/// The environment's value for a setting. The names of proxies are as often written in lower case,
/// and then these come first, as with curl. `HTTP_PROXY` does not count where `REQUEST_METHOD` is
/// set: then we are a CGI program, and it is a header that a stranger sent (curl does the same).
fn setting_variable(name: &str) -> Option<String> {
    setting_of(name, &variable)
}

fn setting_of(name: &str, variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    if !name.ends_with("_PROXY") {
        return variable(name);
    }
    let lower = variable(&name.to_ascii_lowercase()).filter(|value| !value.trim().is_empty());
    let is_a_header = name == "HTTP_PROXY" && variable("REQUEST_METHOD").is_some();
    lower.or_else(|| variable(name).filter(|_| !is_a_header))
}

/// What is read from the descriptor that CODEX_TOKEN_FD names; it is closed at once, so that no
/// process of ours has it. Fails with what is wrong.
fn token_of_descriptor(number: &str) -> Result<Secret, String> {
    let why = |reason: &str| format!("CODEX_TOKEN_FD is `{}`: {reason}", text::harmless(number));
    let is_digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number_of = |text: &str| text.parse::<i32>().ok().filter(|fd| is_digits && *fd > 2);
    let Some(fd) = number_of(number) else {
        return Err(why("it must be the number of an open descriptor above 2"));
    };
    let read = inherited::read_and_close(fd, TOKEN_BYTES_MAX, TOKEN_WAIT_MAX);
    let bytes = read.map_err(|error| match error.kind() {
        // The name of the descriptor below /proc.
        ErrorKind::NotFound => why("no such descriptor is open"),
        _ => why(&error.to_string()),
    })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Secret::new(text)),
        Err(_) => Err(why("what it gives is no text")),
    }
}

/// The whole environment, for the processes that we start; it is cut down there.
pub fn environment() -> Vec<(OsString, OsString)> {
    env::vars_os().collect()
}

/// `-C`, or where we are.
pub fn working_directory(wanted: Option<&Path>) -> Result<PathBuf, Fault> {
    let here = env::current_dir().map_err(|error| {
        Fault::new(
            Exit::Usage,
            format!("there is no working directory: {error}"),
        )
    });
    let Some(wanted) = wanted else {
        return here;
    };
    let path = if wanted.is_absolute() {
        wanted.to_owned()
    } else {
        here?.join(wanted)
    };
    let not_there = |error: std::io::Error| {
        Fault::new(
            Exit::Usage,
            format!("cannot work in {}: {error}", path.display()),
        )
    };
    let path = path.canonicalize().map_err(not_there)?;
    env::set_current_dir(&path).map_err(not_there)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, set: &[(&str, &str)], expected: Option<&str>) {
        let found = setting_of(name, &|name| {
            let found = set.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.to_string())
        });
        assert_eq!(found.as_deref(), expected, "{set:?}");
    }

    #[test]
    fn proxies_have_two_names_and_the_lower_comes_first() {
        let both = [("https_proxy", "a"), ("HTTPS_PROXY", "b")];
        check("HTTPS_PROXY", &both, Some("a"));
        check("HTTPS_PROXY", &both[1..], Some("b"));
        check(
            "NO_PROXY",
            &[("no_proxy", " "), ("NO_PROXY", "x")],
            Some("x"),
        );
        check("MODEL", &[("model", "x")], None);
    }

    #[test]
    fn a_header_of_a_stranger_is_no_proxy() {
        let cgi = ("REQUEST_METHOD", "GET");
        check("HTTP_PROXY", &[cgi, ("HTTP_PROXY", "evil")], None);
        check("HTTP_PROXY", &[cgi, ("http_proxy", "good")], Some("good"));
        check("HTTPS_PROXY", &[cgi, ("HTTPS_PROXY", "good")], Some("good"));
    }
}
