//! `sx doctor`: what works here and what does not: the machine, the settings, the login, and the
//! way to each host that we contact.
//!
//! All looks are begun at once and moved by one poll, each with a deadline of its own; they are
//! told in a fixed order, each as soon as all before it are known. None is left out because another
//! one found something: what is wrong with the settings is a finding too. Hosts are connected to
//! through exactly the stack that requests use, and the service is asked for its models, without
//! a prompt and without a login.

mod disk;
mod finding;
mod hands;
mod host;
mod login;
mod machine;
mod way;

use crate::base::clock::Deadline;
use crate::cli::args::Common;
use crate::cli::args::Doctor;
use crate::cli::build;
use crate::cli::doctor::finding::Finding;
use crate::cli::doctor::finding::State;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground;
use crate::cli::ground::Ground;
use crate::cli::ground::Site;
use crate::cli::member;
use crate::cli::stop;
use crate::config;
use crate::config::Found;
use crate::config::error::Warning;
use crate::net;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use crate::sys::signals::STOPS;
use crate::sys::signals::Signals;
use crate::term::writer;
use crate::term::writer::Writer;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Something that is being looked at.
enum Look {
    /// What was found.
    Known(Vec<Finding>),
    /// Somebody has to answer first.
    Waits(Box<dyn Wait>),
}

/// A look that takes a while. It ends by itself, by its own deadline at the latest.
trait Wait {
    /// Adds what it waits for.
    fn watch<'fd>(&'fd self, set: &mut PollSet<'fd, Woken>);

    /// When to step at the latest, though nothing was ready.
    fn deadline(&self) -> Deadline;

    /// Moves what can be moved now; what was found once it is known.
    fn step(&mut self) -> Option<Vec<Finding>>;
}

/// What the poll was woken by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    Look,
    Signal,
}

/// Looks at everything, and says what it finds. A fault makes the exit code 3.
pub fn run(program: &OsStr, common: &Common, options: &Doctor) -> Result<Exit, Fault> {
    let signals = stop::signals()?;
    let mut page = Page {
        out: writer::stdout().map_err(|error| Fault::output(&error))?,
        is_json: options.is_json,
        exit: Exit::Done,
    };
    let mut looks = begin(program, common);
    let mut next = 0;
    loop {
        for look in &mut looks {
            if let Look::Waits(waits) = look
                && let Some(found) = waits.step()
            {
                *look = Look::Known(found);
            }
        }
        while let Some(Look::Known(found)) = looks.get(next) {
            found.iter().try_for_each(|finding| page.tell(finding))?;
            next += 1;
        }
        if next == looks.len() {
            return Ok(page.exit);
        }
        if let Some(stopped) = wait(&looks, &signals)? {
            return Ok(stopped);
        }
    }
}

/// Waits for whatever moves first; the end of the command if that is a signal.
fn wait(looks: &[Look], signals: &Signals) -> Result<Option<Exit>, Fault> {
    let mut set = PollSet::new();
    let mut deadline = Deadline::never();
    set.add(signals.fd(), Interest::Read, Woken::Signal);
    for look in looks {
        if let Look::Waits(waits) = look {
            waits.watch(&mut set);
            deadline = deadline.sooner(waits.deadline());
        }
    }
    let woken = set.wait(deadline.left());
    let woken = woken.map_err(|error| Fault::new(Exit::Fault, format!("cannot wait: {error}")))?;
    if !woken.contains(&Woken::Signal) {
        return Ok(None);
    }
    while let Some(signal) = signals.next() {
        if STOPS.contains(&signal) {
            let number = u8::try_from(signal as i32).unwrap_or(u8::MAX);
            return Ok(Some(Exit::Signal(number)));
        }
    }
    Ok(None)
}

/// Everything that there is to look at, in the order in which it is told.
fn begin(program: &OsStr, common: &Common) -> Vec<Look> {
    // Before anything else: this enters the directory that was asked for.
    let own = ground::own_path(program);
    let cwd = ground::working_directory(common.cwd.as_deref());
    let mut machine = machine::look();
    let folder = cwd.as_ref().ok().cloned();
    if let Err(fault) = &cwd {
        let fix = "go to a folder that is there, or name one with -C DIR";
        machine.push(Finding::of_fault("folder", "work", fault, fix));
    }
    let places = config::places(&ground::variable);
    let ground = match own {
        Err(fault) => {
            machine.push(Finding::of_fault("binary", "", &fault, ""));
            None
        }
        // Where there is no folder to work in, there is none of a project either.
        Ok(own) => {
            let site = Site {
                self_path: own,
                cwd: folder.clone().unwrap_or_else(|| "/".into()),
                places: places.clone(),
            };
            Some(Ground::survey_at(site, common))
        }
    };
    let (ground, broken) = match ground {
        Some(Ok(ground)) => (Some(ground), None),
        Some(Err(fault)) => (None, Some(fault)),
        None => (None, None),
    };
    let sessions = match &ground {
        Some(ground) => ground.session_dir(),
        None => places.state_dir.as_ref().map(|dir| dir.join("sessions")),
    };
    let mut looks = vec![Look::Known(machine)];
    looks.push(disk::begin(sessions, places.config_dir.clone()));
    looks.push(Look::Known(machine::project(folder.as_deref())));
    if let Some(fault) = &broken {
        let fix = "correct it where it is set; `sx help settings` lists what each key takes";
        looks.push(Look::Known(vec![Finding::of_fault(
            "settings", "", fault, fix,
        )]));
    }
    match ground {
        Some(ground) => looks.extend(by_settings(&ground, folder.as_deref())),
        None => {
            let left_out = ["sandbox", "login", "host"].map(left_out);
            looks.push(Look::Known(left_out.into()));
        }
    }
    looks
}

/// What is looked at by the settings.
fn by_settings(ground: &Ground, folder: Option<&Path>) -> Vec<Look> {
    let settings = &ground.settings;
    let mut looks = vec![Look::Known(told_of_settings(ground))];
    if folder.is_some() {
        looks.push(hands::begin(ground));
    }
    let provider = member::provider(settings);
    if let Err(fault) = &provider {
        let name = settings.text("PROVIDER");
        let fix = "correct it where it is set";
        let finding = Finding::of_fault("provider", name, fault, fix);
        looks.push(Look::Known(vec![finding]));
    }
    if provider.is_ok() || !member::is_nameless_gateway(settings) {
        looks.extend(login::begin(ground));
    }
    let options = match build::network(settings) {
        Ok(options) => options,
        Err(fault) => {
            looks.push(Look::Known(vec![
                Finding::of_fault("settings", "RESOLVE", &fault, "write host=ip[,ip...]"),
                left_out("host"),
            ]));
            return looks;
        }
    };
    let mut way = Look::Known(way::proxies(&options.proxies));
    let mut client = net::Client::new(options);
    if let Look::Known(found) = &mut way {
        found.push(way::trust(settings, &mut client));
        for warning in client.take_warnings() {
            let fix = "correct that file, or take it out of the settings";
            found.push(Finding::warn("trust", "", warning, fix));
        }
    }
    looks.push(way);
    if let Ok(provider) = provider {
        let key = member::address_key(settings);
        looks.push(host::ask(&mut client, key, &*provider));
    }
    for (key, url) in build::other_hosts(settings) {
        looks.push(match url {
            Ok(url) => host::reach(&mut client, key, url),
            Err(fault) => {
                let fix = "correct it where it is set";
                Look::Known(vec![Finding::of_fault("settings", key, &fault, fix)])
            }
        });
    }
    looks
}

fn left_out(check: &'static str) -> Finding {
    let detail = "not looked at: that takes settings that can be used";
    Finding::warn(check, "", detail, "first mend what is said above")
}

/// Which files there are, and what was wrong with the settings and could be ignored.
fn told_of_settings(ground: &Ground) -> Vec<Finding> {
    let files = ground.settings.files().iter();
    let read = files.filter(|file| file.found == Found::Read);
    let read: Vec<String> = read.map(|file| file.path.display().to_string()).collect();
    let detail = match read.is_empty() {
        true => "no file, so the built-in ones and the environment".to_string(),
        false => format!("read: {}", read.join(", ")),
    };
    let mut found = vec![Finding::ok("settings", "", detail)];
    found.extend(ground.warnings.iter().map(|warning| {
        let fix = match warning {
            Warning::Unreadable { .. } => "make it a file that you may read, or take it away",
            Warning::Untrusted { .. } => {
                "look at that file, then `sx trust`; or put the line into your own file"
            }
            _ => "correct that line; `sx config` shows what counts and who set it",
        };
        Finding::warn("settings", "", warning.to_string(), fix)
    }));
    found
}

/// Where findings go, and what they come to.
struct Page {
    out: Writer<File>,
    is_json: bool,
    exit: Exit,
}

impl Page {
    fn tell(&mut self, finding: &Finding) -> Result<(), Fault> {
        if finding.state == State::Fail {
            self.exit = Exit::Settings;
        }
        let line = match self.is_json {
            true => {
                serde_json::to_string(finding).map_err(|error| Fault::new(Exit::Fault, error))?
            }
            false => finding.spoken(),
        };
        writeln!(self.out, "{line}").map_err(|error| Fault::output(&error))
    }
}
