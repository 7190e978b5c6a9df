//! `sx config` at a terminal: settings group by group, in plain lines.
//!
//! Each key is shown with its value, who set it and what it may be. What is typed is checked at
//! once, a secret is not shown, and the file is written only after its difference was shown and
//! agreed to.

use super::check;
use super::draft::Draft;
use super::edit;
use crate::base::text;
use crate::cli::args::Common;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::ground::Site;
use crate::cli::input::shown;
use crate::cli::person::Person;
use crate::cli::stop;
use crate::config;
use crate::config::Layer;
use crate::config::groups::GROUPS;
use crate::config::groups::Group;
use crate::config::keys;
use crate::config::keys::Key;

/// Where the name of a group ends in the list.
const NAME_COLUMNS: usize = 10;

/// What can be typed at a prompt of the list.
const HELP: &str = "  A number or a name goes there; Enter goes back; l lists once more.
  d shows what would be written, w writes it, q leaves.
";

/// What is typed at a key.
const KEY_HELP: &str = "  Type a value. Enter leaves it, `-` takes it out of the file.\n";

/// Talks until the person leaves.
pub fn run(site: Site, common: &Common, layer: &Layer) -> Result<Exit, Fault> {
    let signals = stop::signals()?;
    let mut dialog = Dialog {
        person: Person::new(&signals),
        draft: Draft::of(&site, layer)?,
        ground: Ground::survey_at(site.clone(), common),
        layer,
        site,
        common,
    };
    dialog.groups()?;
    Ok(Exit::Done)
}

struct Dialog<'a> {
    person: Person<'a>,
    /// The settings as they are, or why they cannot be had.
    ground: Result<Ground, Fault>,
    draft: Draft,
    layer: &'a Layer,
    site: Site,
    common: &'a Common,
}

/// What comes next.
#[derive(PartialEq, Eq)]
enum Next {
    Stay,
    List,
    Back,
    Leave,
}

impl Dialog<'_> {
    /// Reads all settings once more.
    fn look(&mut self) {
        self.ground = Ground::survey_at(self.site.clone(), self.common);
    }

    fn groups(&mut self) -> Result<(), Fault> {
        let path = shown(&self.draft.path);
        self.person.say(&format!(
            "Settings are kept in {path}; nothing is written before you agree.\n{HELP}"
        ))?;
        if let Err(fault) = &self.ground {
            let what = text::harmless(&fault.what);
            self.person
                .say(&format!("  They are wrong now: {what}\n"))?;
        }
        let names: Vec<&str> = GROUPS.iter().map(|group| group.name).collect();
        let mut next = Next::List;
        loop {
            for (number, group) in (1..).zip(GROUPS).filter(|_| next != Next::Stay) {
                let (name, title) = (group.name, group.title);
                let line = format!("  {number} {name:NAME_COLUMNS$}{title}\n");
                self.person.say(&line)?;
            }
            next = match self.person.line("config> ")? {
                None => Next::Leave,
                Some(word) if word.is_empty() => Next::Leave,
                // MODEL is a key, and model a group.
                Some(word) => match place_of(&word, &names) {
                    Some(place) if keys::find(&word).is_none() => self.group(&GROUPS[place])?,
                    _ => self.word(&word)?,
                },
            };
            if next == Next::Leave {
                match self.leave()? {
                    true => return Ok(()),
                    false => next = Next::Stay,
                }
            }
        }
    }

    fn group(&mut self, group: &Group) -> Result<Next, Fault> {
        let keys = group.keys();
        let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
        self.person
            .say(&format!("{}: {}\n", group.name, group.title))?;
        let mut next = Next::List;
        loop {
            for (number, key) in (1..).zip(keys).filter(|_| next == Next::List) {
                let line = format!("  {number} {}\n", self.standing(key));
                self.person.say(&line)?;
            }
            let prompt = format!("{}> ", group.name);
            next = match self.person.line(&prompt)? {
                None => return Ok(Next::Leave),
                Some(word) if word.is_empty() => return Ok(Next::Back),
                Some(word) => match place_of(&word, &names) {
                    Some(place) => self.key(&keys[place])?,
                    None => self.word(&word)?,
                },
            };
            if next == Next::Leave {
                return Ok(next);
            }
        }
    }

    /// A word that is no place in the list: a key, or a command.
    fn word(&mut self, word: &str) -> Result<Next, Fault> {
        match word {
            "q" | "quit" | "exit" => return Ok(Next::Leave),
            "l" | "list" => return Ok(Next::List),
            "?" | "h" | "help" => self.person.say(HELP)?,
            "d" | "diff" => self.show_difference()?,
            "w" | "write" => self.write().map(drop)?,
            _ => match keys::find(&word.to_ascii_uppercase()) {
                Some(key) => return self.key(key),
                None => {
                    let nearest = keys::nearest(&word.to_ascii_uppercase());
                    let meant = nearest.map(|name| format!("; did you mean {name}?"));
                    let word = text::harmless(word).into_owned();
                    let meant = meant.unwrap_or_default();
                    self.person
                        .say(&format!("  there is no {word} here{meant}\n"))?;
                }
            },
        }
        Ok(Next::Stay)
    }

    /// Asks for one value until it is one that the key can have.
    fn key(&mut self, key: &'static Key) -> Result<Next, Fault> {
        let default = match key.default {
            "" => "none".to_string(),
            default => default.to_string(),
        };
        self.person.say(&format!(
            "{}: {}\n  now {}\n  it must be {}; default {default}; since sx {}\n{KEY_HELP}",
            key.name,
            key.help,
            self.standing(key),
            key.kind.allowed(),
            key.since
        ))?;
        if key.secret {
            self.person
                .say("  It is a secret: what you type is not shown.\n")?;
        }
        let prompt = format!("{}=", key.name);
        let site = self.site.clone();
        let profiles = || config::profiles(&site.sources(&[]));
        loop {
            let typed = match key.secret {
                true => self.person.secret(&prompt)?,
                false => self.person.line(&prompt)?,
            };
            let value = match typed.as_deref() {
                None => return Ok(Next::Leave),
                Some("") => return Ok(Next::Stay),
                Some("-") => {
                    self.draft.set(key, None);
                    break;
                }
                Some(value) => check::fitting(key, value, &profiles),
            };
            match value {
                Ok(value) => {
                    self.draft.set(key, Some(&value));
                    break;
                }
                Err(why) => {
                    let said = format!("  {why}\n");
                    self.person.say(&text::harmless(&said))?;
                }
            }
        }
        let said = match self.draft.changes(key) {
            true => "  noted, not written yet: w writes it\n",
            false => "  as it was\n",
        };
        self.person.say(said)?;
        if let Some(stronger) = self.stronger(key) {
            self.person.say(&format!("  note: {stronger}\n"))?;
        }
        Ok(Next::Stay)
    }

    /// A key with its value and who set it.
    fn standing(&self, key: &Key) -> String {
        if self.draft.changes(key) {
            let value = match (self.draft.value(key), key.secret) {
                (None, _) => return format!("{}, taken out, not written yet", key.name),
                (Some(_), true) => "…".to_string(),
                (Some(value), false) => text::harmless(&value).into_owned(),
            };
            return format!("{}={value}, not written yet", key.name);
        }
        match &self.ground {
            Ok(ground) => {
                let setting = ground.settings.setting(key.name);
                let value = setting.shown();
                let origin = setting.origin.to_string();
                let line = format!("{}={value}, {origin}", key.name);
                text::harmless(&line).into_owned()
            }
            Err(_) => key.name.to_string(),
        }
    }

    /// What sets `key` too and counts more than this file.
    fn stronger(&self, key: &Key) -> Option<String> {
        let Ok(ground) = &self.ground else {
            return None;
        };
        let origin = &ground.settings.setting(key.name).origin;
        let said = format!("{origin} sets it too, and counts more");
        origin
            .beats(self.layer.tier())
            .then(|| text::harmless(&said).into_owned())
    }

    fn show_difference(&self) -> Result<(), Fault> {
        match self.draft.is_changed() {
            true => self.person.say(&self.draft.difference()),
            false => self.person.say("  nothing is changed\n"),
        }
    }

    /// Shows what is changed, and writes it if the person agrees; false where that failed.
    fn write(&mut self) -> Result<bool, Fault> {
        self.show_difference()?;
        if !self.draft.is_changed() || self.person.agrees("Write this?", false)? != Some(true) {
            return Ok(true);
        }
        let said = match self.draft.write() {
            Ok((written, exposure)) => {
                if *self.layer == Layer::Project {
                    edit::carry_trust_over(&self.site, &self.draft.path, &written);
                }
                self.look();
                let exposure = exposure.map(|words| format!("  warning: {words}\n"));
                format!(
                    "  written\n{}",
                    text::harmless(&exposure.unwrap_or_default())
                )
            }
            Err(error) => {
                let error = text::harmless(&error.to_string()).into_owned();
                let path = shown(&self.draft.path);
                self.person
                    .say(&format!("  cannot write {path}: {error}\n"))?;
                if self.draft.take_up() {
                    self.look();
                    self.person.say(
                        "  your changes are made in what it wrote: w shows and writes them\n",
                    )?;
                }
                return Ok(false);
            }
        };
        self.person.say(&said)?;
        if let Err(fault) = &self.ground {
            let what = text::harmless(&fault.what);
            self.person.say(&format!("  still wrong: {what}\n"))?;
        }
        Ok(true)
    }

    /// Whether the person may go: what they changed is written, or given up.
    fn leave(&mut self) -> Result<bool, Fault> {
        if self.draft.is_changed() && !self.write()? {
            return Ok(false);
        }
        if self.draft.is_changed() {
            self.person.say("  nothing was written\n")?;
        }
        Ok(true)
    }
}

/// The place of a number from 1, or of a word, in a list.
fn place_of(word: &str, names: &[&str]) -> Option<usize> {
    let number = word.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    number.filter(|place| *place < names.len()).or_else(|| {
        names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(word))
    })
}
