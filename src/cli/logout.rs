//! `sx logout`: forgets a login that lies in our own folder, and all that lies beside it for its
//! sake. Another program's file is that program's to remove.

use crate::auth;
use crate::auth::Fetch;
use crate::auth::Unreachable;
use crate::auth::account;
use crate::auth::file::Credential;
use crate::auth::file::Places;
use crate::auth::gap;
use crate::auth::login::keep::take_locks;
use crate::auth::login::revoke;
use crate::base::clock::Deadline;
use crate::cli::args::Logout;
use crate::cli::build;
use crate::cli::courier::Courier;
use crate::cli::credential;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::standing::whose;
use crate::cli::stop;
use crate::http::exchange::Request;
use crate::http::head::Headers;
use crate::net;
use crate::net::drive::Bounds;
use crate::net::drive::drive;
use crate::proc::capture::Capture;
use crate::term::writer;
use std::fs;
use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// The service has so long to hear that the login has ended; the file goes in any case.
const REVOKE_WAIT_MAX: Duration = Duration::from_secs(10);

/// An answer that nobody reads needs no room.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What lies beside a credential file for its sake: its lock, and the note of a renewal.
const BESIDE: &[&str] = &[".lock", ".renewing"];

/// Forgets it.
pub fn run(ground: &Ground, options: &Logout) -> Result<Exit, Fault> {
    let signals = stop::signals()?;
    ground.warn();
    let places = credential::credential_places(ground)?;
    // Where a file is named, that one is in use and not ours.
    let own = places.own().filter(|_| places.credentials_file.is_none());
    let Some(path) = own.filter(|path| fs::symlink_metadata(path).is_ok()) else {
        return nothing_of_ours(&places);
    };
    let mut courier = Courier {
        client: net::Client::new(build::network(&ground.settings)?),
        signals,
        stopped_by: None,
    };
    let done = forget(ground, options, &path, &mut courier);
    if let Some(signal) = courier.stopped_by {
        return Ok(Exit::Signal(u8::try_from(signal).unwrap_or(u8::MAX)));
    }
    let who = done?;
    say(&format!("forgot the login of {who} ({})", path.display()))?;
    if let Ok(other) = places.find() {
        let other = other.display();
        Fault::new(Exit::Done, format!("note: sx now uses {other}")).print();
    }
    Ok(Exit::Done)
}

/// There is none that we could remove: whose there is, if any.
fn nothing_of_ours(places: &Places) -> Result<Exit, Fault> {
    let found = match places.find() {
        Err(auth::Error::NotFound { .. }) => {
            say("there is no login to forget")?;
            return Ok(Exit::Done);
        }
        Err(error) => return Err(Fault::new(Exit::Settings, error)),
        Ok(found) => found,
    };
    let shown = found.display();
    if Some(&found) == places.official().as_ref() {
        let what = format!("{shown} is the official client's login, and was left as it is");
        return Err(Fault::new(Exit::Settings, what).hint("`codex logout` ends it"));
    }
    let what = format!("{shown} was not written by sx, and was left as it is");
    let hint = "remove the file, or take it out of CODEX_CREDENTIALS_FILE";
    Err(Fault::new(Exit::Settings, what).hint(hint))
}

/// Removes the login, and says whose it was.
fn forget(
    ground: &Ground,
    options: &Logout,
    path: &Path,
    courier: &mut Courier,
) -> Result<String, Fault> {
    // A renewal that is under way would bring the file back.
    let locks = take_locks(path, courier);
    let locks = locks.map_err(|error| Fault::new(Exit::Settings, &error).hint(error.hint()))?;
    let credential = Credential::read(path);
    if options.is_revoked {
        let revoked = match &credential {
            Ok(credential) => tell_service(ground, credential, courier)?,
            Err(error) => Err(error.to_string()),
        };
        if courier.stopped_by.is_some() {
            return Ok(String::new());
        }
        if let Err(why) = revoked {
            let what = format!("warning: the service was not told that the login has ended: {why}");
            Fault::new(Exit::Done, what).print();
        }
    }
    remove(path).map_err(|error| {
        let what = format!("cannot remove {}: {error}", path.display());
        Fault::new(Exit::Settings, what)
    })?;
    drop(locks);
    Ok(match credential {
        Ok(credential) => whose(&credential.token),
        Err(_) => "nobody that could be read".to_string(),
    })
}

/// Has the service end the login too; the inner error is why it did not.
fn tell_service(
    ground: &Ground,
    credential: &Credential,
    courier: &mut Courier,
) -> Result<Result<(), String>, Fault> {
    let mut client = credential::login_client(&ground.settings)?;
    if let Some(id) = &credential.client_id {
        // It is the one that the login was issued to.
        client.id.clone_from(id);
    }
    let mut hurried = Hurried {
        courier,
        whole: Deadline::after(REVOKE_WAIT_MAX, "the 10 s for ending a login"),
    };
    let revoked = revoke::revoke(&client, credential, &mut hurried);
    Ok(revoked.map_err(|error| error.to_string()))
}

/// Removes the file and what lies beside it; the folder of the named ones goes with the last.
fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    let folder = path.parent().unwrap_or(path);
    let name = path.file_name().unwrap_or_default();
    let named = |ending: &str| {
        let mut name = name.to_os_string();
        name.push(ending);
        folder.join(name)
    };
    let mut rest: Vec<PathBuf> = BESIDE.iter().map(|ending| named(ending)).collect();
    let is_shared = folder.ends_with(account::FOLDER_NAME) && !account::known(folder).is_empty();
    if !is_shared {
        rest.push(folder.join("auth.lock"));
    }
    for path in rest {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    gap::sweep(path);
    if folder.ends_with(account::FOLDER_NAME) {
        // Anything that is left keeps it.
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

fn say(text: &str) -> Result<(), Fault> {
    let mut out = writer::stdout().map_err(|error| Fault::output(&error))?;
    writeln!(out, "{text}").map_err(|error| Fault::output(&error))
}

/// Requests that all together have a deadline.
struct Hurried<'a> {
    courier: &'a mut Courier,
    whole: Deadline,
}

impl Fetch for Hurried<'_> {
    fn fetch(
        &mut self,
        request: Request,
        socket: Option<&Path>,
    ) -> Result<(u16, Headers, Vec<u8>), Unreachable> {
        let Courier {
            client, signals, ..
        } = &mut *self.courier;
        let bounds = Bounds {
            whole: self.whole,
            bytes_max: ANSWER_BYTES_MAX,
            redirects_max: 0,
            socket,
        };
        let response = drive(client, request, signals, bounds).map_err(|error| {
            if let net::Error::Interrupted { signal } = error {
                self.courier.stopped_by = Some(signal);
            }
            Unreachable::new(error.to_string())
        })?;
        Ok((response.head.status, response.head.headers, response.body))
    }

    fn pause(&mut self, deadline: Deadline) -> Result<(), Unreachable> {
        self.courier.pause(deadline.sooner(self.whole))
    }

    fn wait(&mut self, program: &Capture) -> Result<(), Unreachable> {
        self.courier.wait(program)
    }
}
