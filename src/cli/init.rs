//! `sx init`: a newcomer's first minute at a terminal: who answers, who pays, which model, what the
//! tools may touch, and then one real request, so that it ends with an answer or with the reason
//! why there is none.
//!
//! What is chosen is written to the person's own settings file, after they saw the difference and
//! agreed. Enter takes what is there or usual; Ctrl-D leaves.

use crate::auth::claude::RESTRICTION;
use crate::base::text;
use crate::cli::args;
use crate::cli::args::Common;
use crate::cli::args::Exec;
use crate::cli::config::check;
use crate::cli::config::draft::Draft;
use crate::cli::credential;
use crate::cli::exec;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::input::shown;
use crate::cli::login;
use crate::cli::member;
use crate::cli::models;
use crate::cli::person::Person;
use crate::cli::status;
use crate::cli::stop;
use crate::config::Layer;
use crate::config::Origin;
use crate::config::Tier;
use crate::config::keys;
use crate::config::keys::Key;
use crate::provider::router::DEFAULT_URL;
use std::ffi::OsStr;

/// Who can answer, the simplest first, each with what it takes.
const PROVIDERS: [(&str, &str); 6] = [
    ("codex", "a ChatGPT account"),
    ("anthropic", "a key of Anthropic's"),
    ("openai", "a key of OpenAI's, or a model server of your own"),
    ("gemini", "a key of Google's"),
    ("router", "a gateway: LiteLLM, llama.cpp and their like"),
    ("claude_code", "the login of Anthropic's own program"),
];

/// What tools may touch, the usual first.
const SANDBOXES: [(&str, &str); 3] = [
    ("workspace", "they write in the project only"),
    ("read-only", "they write nothing"),
    ("off", "they may do all that you may"),
];

/// What holds the first request to a minute: no second try, and no long silence.
const BOUNDS: [(&str, &str); 2] = [("RETRY_MAX", "0"), ("FIRST_BYTE_TIMEOUT", "60s")];

/// The request that shows whether it works.
const FIRST_REQUEST: &str = "Say in one short sentence that you are ready. Use no tool.";

/// Asks, writes, tries.
pub fn run(program: &OsStr, common: &Common) -> Result<Exit, Fault> {
    if !Person::is_there() {
        let what = "sx init asks a person and needs a terminal";
        let hint = "`sx config --set KEY VALUE` writes a setting without one";
        return Err(Fault::new(Exit::Usage, what).hint(hint));
    }
    let signals = stop::signals()?;
    let ground = Ground::survey(program, common)?;
    let draft = Draft::of(&ground.site(), &Layer::User)?;
    let path = shown(&draft.path);
    let mut wizard = Wizard {
        person: Person::new(&signals),
        ground,
        draft,
        typed: Vec::new(),
    };
    wizard.person.say(&format!(
        "Four questions, then a first request. Enter takes what stands in brackets.\n\
         The answers go into {path} once you agree; Ctrl-D leaves.\n"
    ))?;
    let asked = wizard.ask()?;
    let gone = || Fault::new(Exit::Usage, "you left; nothing was written");
    match asked {
        None => return Err(gone()),
        Some(Exit::Done) => {}
        Some(exit) => return Ok(exit),
    }
    let Some(is_kept) = wizard.keep()? else {
        return Err(gone());
    };
    let overrides = wizard.typed;
    wizard.person.say("\nThe first request:\n\n")?;
    // A newcomer is told soon; what they typed counts more.
    let bounds = BOUNDS.map(|(key, value)| (key.to_string(), value.to_string()));
    let common = Common {
        overrides: [bounds.to_vec(), common.overrides.clone(), overrides].concat(),
        // The directory was entered already.
        cwd: None,
        ..common.clone()
    };
    let mut task = Exec::of_prompt(FIRST_REQUEST.to_string());
    task.talk.is_kept = false;
    let person = wizard.person;
    let exit = exec::run(program, &common, &task).unwrap_or_else(|fault| {
        fault.print();
        fault.exit
    });
    person.say(match exit {
        Exit::Done if is_kept => {
            "\nIt works: `sx` talks, `sx exec PROMPT` does one task, `sx help` is the manual.\n"
        }
        Exit::Done => "\nIt works, and nothing is kept of it: `sx init` asks again.\n",
        Exit::Signal(_) => "\nStopped before there was an answer: `sx init` asks again.\n",
        _ => "\nSo it does not work yet: `sx doctor` looks closer, `sx init` asks again.\n",
    })?;
    Ok(exit)
}

struct Wizard<'a> {
    person: Person<'a>,
    /// The settings as they would be with what was chosen.
    ground: Ground,
    draft: Draft,
    /// What was chosen, for the first request.
    typed: Vec<(String, String)>,
}

impl Wizard<'_> {
    /// The four questions. Nothing where the person left; another code than done ends it all.
    fn ask(&mut self) -> Result<Option<Exit>, Fault> {
        let names = PROVIDERS.map(|(name, _)| name);
        let titles = PROVIDERS.map(|(name, what)| (name, format!("{what}{}", self.found(name))));
        let usual = self.usual_provider();
        let Some(chosen) = self.list("1. Who answers?", &titles, usual)? else {
            return Ok(None);
        };
        let provider = names[chosen];
        self.set("PROVIDER", provider)?;
        self.person.say("\n2. Who pays?\n")?;
        match self.payer(provider)? {
            Some(Exit::Done) => {}
            ended => return Ok(ended),
        }
        if !self.model()? {
            return Ok(None);
        }
        let mode = self.ground.settings.text("SANDBOX").to_string();
        let usual = SANDBOXES.iter().position(|(name, _)| *name == mode);
        let modes = SANDBOXES.map(|(name, what)| (name, what.to_string()));
        let question = "4. What may commands of the model touch?";
        let Some(chosen) = self.list(question, &modes, usual.unwrap_or_default())? else {
            return Ok(None);
        };
        if SANDBOXES[chosen].0 != mode {
            self.set("SANDBOX", SANDBOXES[chosen].0)?;
        }
        Ok(Some(Exit::Done))
    }

    /// A numbered list and the question under it.
    fn list(
        &self,
        question: &str,
        rows: &[(&str, String)],
        usual: usize,
    ) -> Result<Option<usize>, Fault> {
        self.person.say(&format!("\n{question}\n"))?;
        for (number, (name, what)) in (1..).zip(rows) {
            self.person.say(&format!("  {number} {name}: {what}\n"))?;
        }
        let names: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
        let prompt = format!("Number or name [{}]: ", names[usual]);
        self.person.choose(&prompt, &names, Some(usual))
    }

    /// What is here of a provider already.
    fn found(&self, provider: &str) -> String {
        let Ok(ground) = self.with(&[("PROVIDER", provider)]) else {
            return String::new();
        };
        match (credential::api_key(&ground.settings), provider) {
            (Some(key), _) => format!(" ({key} is set)"),
            (None, "codex" | "claude_code") => match status::standing(&ground) {
                Ok(Ok(standing)) if standing.is_usable() => " (a login is here)".to_string(),
                _ => String::new(),
            },
            _ => String::new(),
        }
    }

    /// The provider of the settings, else the first that something is here of.
    fn usual_provider(&self) -> usize {
        let set = self.ground.settings.text("PROVIDER");
        let set = if set == "scorpiox" { "router" } else { set };
        let is_set = self.ground.settings.is_set("PROVIDER") || set == "codex";
        let by_setting = PROVIDERS.iter().position(|(name, _)| *name == set);
        let here = || {
            PROVIDERS
                .iter()
                .position(|(name, _)| !self.found(name).is_empty())
        };
        by_setting
            .filter(|_| is_set)
            .or_else(here)
            .unwrap_or_default()
    }

    /// Sees to a login or a key.
    fn payer(&mut self, provider: &str) -> Result<Option<Exit>, Fault> {
        match provider {
            "codex" => return self.login(),
            "claude_code" => {
                self.person.say(&format!("  {RESTRICTION}\n"))?;
                return self.lent();
            }
            "router" if !self.address("ROUTER_URL", DEFAULT_URL)? => return Ok(None),
            "router" => {
                self.person.say("  the gateway's own business\n")?;
                return Ok(Some(Exit::Done));
            }
            "openai" => {
                let vendor = self.ground.settings.text("OPENAI_BASE_URL").to_string();
                if !self.address("OPENAI_BASE_URL", &vendor)? {
                    return Ok(None);
                }
            }
            _ => {}
        }
        self.key(provider)
    }

    /// The address of a service; false where the person left.
    fn address(&mut self, name: &'static str, usual: &str) -> Result<bool, Fault> {
        let key = known(name)?;
        loop {
            let prompt = format!("  Address ({name}) [{usual}]: ");
            let Some(typed) = self.person.line(&prompt)? else {
                return Ok(false);
            };
            let typed = if typed.is_empty() {
                usual.to_string()
            } else {
                typed
            };
            match fitting(key, &typed) {
                Ok(value) if value == self.ground.settings.text(name) => return Ok(true),
                Ok(value) => {
                    self.set(name, &value)?;
                    return Ok(true);
                }
                Err(why) => self.person.say(&why)?,
            }
        }
    }

    /// The key of a service. One that is there may be the wrong one; a server of one's own may
    /// need none.
    fn key(&mut self, provider: &str) -> Result<Option<Exit>, Fault> {
        let here = credential::api_key(&self.ground.settings);
        if let Some(name) = here {
            let origin = self.ground.settings.setting(name).origin.to_string();
            let said = format!("  the key of {name}, from {origin}\n");
            self.person.say(&text::harmless(&said))?;
        }
        let name = here.unwrap_or(match provider {
            "anthropic" => "ANTHROPIC_API_KEY",
            "gemini" => "GEMINI_API_KEY",
            _ => "OPENAI_API_KEY",
        });
        let is_needed = credential::check_key(&self.ground.settings).is_err();
        let none = match (here, is_needed) {
            (Some(_), _) => ", Enter keeps it",
            (None, true) => "",
            (None, false) => ", Enter for none",
        };
        loop {
            let prompt = format!("  Key ({name}), not shown while you type{none}: ");
            let Some(typed) = self.person.secret(&prompt)? else {
                return Ok(None);
            };
            match fitting(known(name)?, &typed) {
                Ok(value) if !value.is_empty() => {
                    self.set(name, &value)?;
                    return Ok(Some(Exit::Done));
                }
                Ok(_) if !is_needed => return Ok(Some(Exit::Done)),
                Ok(_) => self.person.say("  a key is needed\n")?,
                Err(why) => self.person.say(&why)?,
            }
        }
    }

    /// The login of a ChatGPT account; logs in where there is none.
    fn login(&mut self) -> Result<Option<Exit>, Fault> {
        let standing = status::standing(&self.ground)?;
        let why = match standing {
            Ok(standing) if standing.is_usable() => {
                let said = format!("  {}\n", standing.pays);
                self.person.say(&text::harmless(&said))?;
                return Ok(Some(Exit::Done));
            }
            Ok(standing) => standing.until(),
            Err(error) => error.to_string(),
        };
        self.person.say(&format!("  {}\n", text::harmless(&why)))?;
        match self.person.agrees("  Log in now?", true)? {
            None => return Ok(None),
            Some(true) => {}
            Some(false) => {
                let what = "nobody pays: there is no login";
                let hint = "`sx login` makes one; `sx help credentials` has other ways";
                return Err(Fault::new(Exit::Settings, what).hint(hint));
            }
        }
        let options = args::Login {
            way: None,
            is_forced: false,
            is_config_kept: true,
            is_json: false,
        };
        login::run(&self.ground, &options).map(Some)
    }

    /// The login of another program.
    fn lent(&mut self) -> Result<Option<Exit>, Fault> {
        let standing = status::standing(&self.ground)?
            .map_err(|error| Fault::new(Exit::Settings, &error).hint(error.hint()))?;
        let said = format!("  {}\n", standing.pays);
        self.person.say(&text::harmless(&said))?;
        let does_agree = self.person.agrees("  Go on with it?", false)?;
        Ok(does_agree.filter(|yes| *yes).map(|_| Exit::Done))
    }

    /// The model; false where the person left.
    fn model(&mut self) -> Result<bool, Fault> {
        self.person.say("\n3. Which model?\n")?;
        loop {
            let asked = self.ground.settings.text("MODEL").to_string();
            let meant = member::provider(&self.ground.settings)?
                .model(&asked)
                .to_string();
            let usual = match meant == asked || meant.is_empty() {
                true => asked,
                false => format!("{asked}, which is {meant}"),
            };
            let prompt = format!("  Name, or `?` for what the service has [{usual}]: ");
            let Some(typed) = self.person.line(&text::harmless(&prompt))? else {
                return Ok(false);
            };
            match typed.as_str() {
                "" => return Ok(true),
                "?" => {
                    // A service that is silent is waited for, and that is not to look like a fault.
                    self.person.say("  asking the service; Ctrl-C leaves\n")?;
                    match models::run(&self.ground, false) {
                        Ok(Exit::Done) => {}
                        Ok(exit) => return Err(Fault::new(exit, "stopped; nothing was written")),
                        Err(fault) => self.person.say(&format!("  {}\n", fault.what))?,
                    }
                }
                name => match fitting(known("MODEL")?, name) {
                    Ok(name) => {
                        self.set("MODEL", &name)?;
                        return Ok(true);
                    }
                    Err(why) => self.person.say(&why)?,
                },
            }
        }
    }

    /// The ground with some more choices.
    fn with(&self, choices: &[(&str, &str)]) -> Result<Ground, Fault> {
        let choices = choices.iter();
        let choices = choices.map(|(key, value)| (key.to_string(), value.to_string()));
        let overrides = self.ground.overrides.iter().cloned().chain(choices);
        self.ground.again(overrides.collect())
    }

    /// Notes a choice, for the file and for the first request.
    fn set(&mut self, name: &'static str, value: &str) -> Result<(), Fault> {
        let key = known(name)?;
        let origin = &self.ground.settings.setting(name).origin;
        // What stands on our command line does not count later, and neither does what was chosen.
        if *origin != Origin::CommandLine && origin.beats(Tier::User) {
            let line = format!("  note: {origin} sets {name} too, and counts more later\n");
            self.person.say(&text::harmless(&line))?;
        }
        self.draft.set(key, Some(value));
        self.typed.push((name.to_string(), value.to_string()));
        self.ground = self.with(&[(name, value)])?;
        Ok(())
    }

    /// Writes the file, if the person agrees. Whether it says all that was chosen; nothing where
    /// the person left.
    fn keep(&mut self) -> Result<Option<bool>, Fault> {
        if !self.draft.is_changed() {
            self.person.say("\nYour settings say all this already.\n")?;
            return Ok(Some(true));
        }
        let path = shown(&self.draft.path);
        loop {
            let difference = self.draft.difference();
            self.person
                .say(&format!("\nThis is written:\n{difference}"))?;
            match self.person.agrees("Write it?", true)? {
                Some(true) => {}
                Some(false) => {
                    let said = "  not written; the first request takes it all the same\n";
                    self.person.say(said)?;
                    return Ok(Some(false));
                }
                None => return Ok(None),
            }
            let (said, is_kept) = match self.draft.write() {
                Ok((_, None)) => ("  written\n".to_string(), Some(true)),
                Ok((_, Some(exposure))) => (format!("  written; {exposure}\n"), Some(true)),
                Err(error) if self.draft.take_up() => (format!("  {path}: {error}\n"), None),
                Err(error) => {
                    let said = format!(
                        "  cannot write {path}: {error}\n  set HOME or SX_CONFIG_DIR; \
                         the first request takes your answers all the same\n"
                    );
                    (said, Some(false))
                }
            };
            self.person.say(&text::harmless(&said))?;
            if is_kept.is_some() {
                return Ok(is_kept);
            }
        }
    }
}

/// What was typed, if it fits `key`; else the line that the person is told.
fn fitting(key: &Key, typed: &str) -> Result<String, String> {
    let fitting = check::fitting(key, typed, &Vec::new);
    fitting.map_err(|why| text::harmless(&format!("  {why}\n")).into_owned())
}

/// A key that the table has.
fn known(name: &'static str) -> Result<&'static Key, Fault> {
    keys::find(name).ok_or_else(|| Fault::new(Exit::Fault, format!("there is no key {name}")))
}
