//! `sx config`: the settings as they are, and who set each. Reads what was loaded; [`edit`] changes
//! a file, [`dialog`] does both with a person.

pub mod check;
pub mod dialog;
pub mod draft;
pub mod edit;
pub mod schema;

use super::args::Config;
use super::args::View;
use crate::base::text;
use crate::config::Found;
use crate::config::Looked;
use crate::config::Origin;
use crate::config::Setting;
use crate::config::Settings;
use crate::config::keys::Kind;
use serde::Serialize;
use std::io;
use std::io::Write;

/// Writes what `options` ask for.
pub fn run(out: &mut dyn Write, settings: &Settings, options: &Config) -> io::Result<()> {
    match &options.view {
        View::Get(key) if options.is_json => json(out, &Row::new(settings, settings.setting(key))),
        View::Get(key) => {
            let setting = settings.setting(key);
            writeln!(
                out,
                "{}{}",
                value(settings, setting),
                source(setting, options)
            )
        }
        View::Schema => schema::write(out),
        View::Dump | View::All if options.is_json => {
            shown(settings, options).try_for_each(|setting| json(out, &Row::new(settings, setting)))
        }
        View::Dump | View::All => shown(settings, options).try_for_each(|setting| {
            let value = value(settings, setting);
            // A dump is a file, byte for byte; without an option it is to be looked at.
            let value = match options.view {
                View::All => text::harmless(&value).into_owned(),
                _ => value,
            };
            writeln!(
                out,
                "{}={value}{}",
                setting.key.name,
                source(setting, options)
            )
        }),
        View::Files if options.is_json => settings
            .files()
            .iter()
            .try_for_each(|file| json(out, &File::new(file))),
        View::Files => settings.files().iter().try_for_each(|file| {
            let tier = file.tier.name();
            let path = text::one_line(&file.path.to_string_lossy());
            writeln!(out, "{tier:8} {path}  # {}", state(file))
        }),
    }
}

/// All settings; of one layer those that it sets.
fn shown<'a>(
    settings: &'a Settings,
    options: &'a Config,
) -> impl Iterator<Item = &'a Setting> + 'a {
    let is_shown =
        |setting: &&Setting| options.layer.is_none() || setting.origin != Origin::Default;
    settings.iter().filter(is_shown)
}

/// A path is shown as it is used, so that the line means the same in any other file.
fn value(settings: &Settings, setting: &Setting) -> String {
    if setting.key.kind == Kind::Path
        && !setting.key.secret
        && let Some(path) = settings.path(setting.key.name)
    {
        return path.to_string_lossy().into_owned();
    }
    setting.shown().to_string()
}

fn source(setting: &Setting, options: &Config) -> String {
    if options.has_source {
        format!("  # {}", setting.origin)
    } else {
        String::new()
    }
}

fn state(file: &Looked) -> &'static str {
    match (file.found, file.is_trusted) {
        (Found::Absent, _) => "not there",
        (Found::Unreadable, _) => "cannot be read",
        (Found::Read, true) => "all its keys count",
        (Found::Read, false) => "only its harmless keys count; `sx trust` accepts it",
    }
}

fn json(out: &mut dyn Write, row: &impl Serialize) -> io::Result<()> {
    writeln!(out, "{}", serde_json::to_string(row)?)
}

/// A setting for a program.
#[derive(Serialize)]
struct Row {
    key: &'static str,
    value: String,
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

impl Row {
    fn new(settings: &Settings, setting: &Setting) -> Row {
        let (origin, place) = match &setting.origin {
            Origin::Default => ("default", None),
            Origin::Implied(_) => ("implied", None),
            Origin::File { path, line, tier } => (tier.name(), Some((path, *line))),
            Origin::Environment => ("environment", None),
            Origin::CommandLine => ("command line", None),
        };
        Row {
            key: setting.key.name,
            value: value(settings, setting),
            origin,
            path: place.map(|(path, _)| path.to_string_lossy().into_owned()),
            line: place.map(|(_, line)| line),
        }
    }
}

/// A settings file for a program.
#[derive(Serialize)]
struct File {
    tier: &'static str,
    path: String,
    found: &'static str,
    trusted: bool,
}

impl File {
    fn new(file: &Looked) -> File {
        File {
            tier: file.tier.name(),
            path: file.path.to_string_lossy().into_owned(),
            found: match file.found {
                Found::Absent => "absent",
                Found::Unreadable => "unreadable",
                Found::Read => "read",
            },
            trusted: file.is_trusted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::config::table::KEYS;

    fn settings() -> Settings {
        let sources = config::Sources {
            global_dir: None,
            user_dir: Some("/nowhere/sx".into()),
            project_root: None,
            state_dir: None,
            home: Some("/home/me".into()),
            environment: &|name| (name == "MODEL").then(|| "opus".to_string()),
            overrides: &[("NETWORK".to_string(), "on".to_string())],
        };
        config::load(&sources).expect("these values are right").0
    }

    fn output(view: View, has_source: bool, is_json: bool) -> String {
        let mut out = Vec::new();
        run(
            &mut out,
            &settings(),
            &Config {
                view,
                layer: None,
                has_source,
                is_json,
            },
        )
        .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn one_key_is_its_value_alone() {
        let get = |key: &str| View::Get(key.to_string());
        assert_eq!(output(get("MODEL"), false, false), "opus\n");
        assert_eq!(
            output(get("MODEL"), true, false),
            "opus  # the environment\n"
        );
        assert_eq!(output(get("CODEX_HOME"), false, false), "/home/me/.codex\n");
        assert_eq!(output(get("SESSION_DIR"), false, false), "\n");
        assert_eq!(
            output(get("NETWORK"), false, true),
            "{\"key\":\"NETWORK\",\"value\":\"on\",\"origin\":\"command line\"}\n"
        );
    }

    #[test]
    fn a_dump_is_a_settings_file_that_means_the_same() {
        let dump = output(View::Dump, false, false);
        let pairs: Vec<(String, String)> = config::file::parse(dump.as_bytes())
            .into_iter()
            .filter_map(|line| match line.content {
                config::file::Content::Pair { key, value } => Some((key.into(), value.into())),
                config::file::Content::Bad(_) => None,
            })
            .collect();
        assert_eq!(pairs.len(), KEYS.len());
        let sources = config::Sources::typed(&pairs);
        let again = config::load(&sources).unwrap().0;
        for setting in settings().iter() {
            let key = setting.key.name;
            assert_eq!(again.path(key), settings().path(key), "{key}");
        }
    }

    #[test]
    fn every_value_names_who_set_it_where_asked() {
        let dump = output(View::Dump, true, false);
        assert!(dump.contains("MODEL=opus  # the environment\n"));
        assert!(dump.contains("NETWORK=on  # the command line\n"));
        assert!(dump.contains("TOOLS=1  # default\n"));
        let files = output(View::Files, false, false);
        assert_eq!(
            files,
            "user     /nowhere/sx/scorpiox-env.txt  # not there\n"
        );
        assert_eq!(
            output(View::Files, false, true),
            "{\"tier\":\"user\",\"path\":\"/nowhere/sx/scorpiox-env.txt\",\"found\":\"absent\",\
             \"trusted\":true}\n"
        );
    }
}
