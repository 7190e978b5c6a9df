//! `sx demo`: the ordinary agent does a small task against a scripted service in this program.
//!
//! Nothing of the agent's own path is skipped: the request goes out over HTTP, the answer streams
//! back, the calls run in the hands. The service (`script`) believes nothing that it did not see
//! work. Here are the folder, the port and the thread around it; the run itself is the caller's.

pub mod place;
pub mod request;
pub mod script;
pub mod server;
pub mod stream;
pub mod task;

use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::http::serve::LAST_CHUNK;
use crate::http::serve::RequestHead;
use crate::http::serve::chunk;
use crate::http::serve::stream_head;
use crate::proc::shell::Shell;
use crate::sys::signals::Signal;
use crate::sys::signals::Signals;
use crate::term::writer;
use place::Place;
use script::Script;
use server::Reply;
use server::Server;
use server::Service;
use server::Then;
use std::io;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::thread;

/// Where the service's paths begin, as they do at the real one.
const BASE_PATH: &str = "/backend-api/codex";

/// What the demo needs to know.
pub struct Options {
    /// Whether its folder stays.
    pub is_kept: bool,
    /// Where temporary files lie.
    pub temp: PathBuf,
    /// The shell that commands will run in, if the machine has one.
    pub shell: Option<Shell>,
}

/// What the caller is to run, as if a person had typed it.
pub struct DemoRun {
    /// Where the hands work.
    pub cwd: PathBuf,
    /// Settings that stand above all others.
    pub overrides: Vec<(String, String)>,
    /// What the person says.
    pub prompt: String,
}

/// Runs the demo and returns its exit code, which is that of the run unless the run ended well
/// before the task did.
pub fn run(options: &Options, run_exec: &mut dyn FnMut(&DemoRun) -> Exit) -> Result<Exit, Fault> {
    if options.shell.is_none() {
        let what = "the demo runs a shell script, and neither bash nor sh is in PATH";
        let hint = "put a static busybox beside sx as `sh` and its folder into PATH";
        return Err(Fault::new(Exit::Settings, what).hint(hint));
    }
    let (place, cwd) = make_place(options).map_err(|error| {
        let temp = options.temp.display();
        let what = format!("the demo cannot make a folder in {temp}: {error}");
        Fault::new(Exit::Settings, what).hint("set TMPDIR to a folder that can be written")
    })?;
    let no_server = |error| {
        let what = format!("the demo cannot serve on loopback: {error}");
        Fault::new(Exit::Settings, what)
    };
    let server = Server::bind().map_err(no_server)?;
    let demo = DemoRun {
        cwd,
        overrides: overrides(&server.origin(), place.dir(), &place.credential()),
        prompt: task::PROMPT.to_owned(),
    };
    let mut service = Demo::default();
    let exit = serve_while(&server, &mut service, || run_exec(&demo)).map_err(no_server)?;
    if options.is_kept {
        let kept = format!("kept: {}\n", place.dir().display());
        // Whoever has no standard error asked in vain.
        let _ = writer::stderr().and_then(|mut err| err.write_all(kept.as_bytes()));
    }
    if exit == Exit::Done && !service.script.is_over() {
        return Err(Fault::new(
            Exit::Fault,
            "the demo ended before its task was done",
        ));
    }
    Ok(exit)
}

fn make_place(options: &Options) -> io::Result<(Place, PathBuf)> {
    let place = Place::new(&options.temp, options.is_kept)?;
    let cwd = place.make("work")?;
    Ok((place, cwd))
}

/// The settings that point the agent at the service. Whatever else the person has set stays, but
/// nothing of the demo may reach another host or another's credential.
fn overrides(origin: &str, dir: &Path, credential: &Path) -> Vec<(String, String)> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let pairs = [
        ("PROVIDER", "codex".to_owned()),
        ("MODEL", "sonnet".to_owned()),
        ("CODEX_TOKEN_SOURCE", "local".to_owned()),
        ("CODEX_BASE_URL", format!("{origin}{BASE_PATH}")),
        ("CODEX_ISSUER", origin.to_owned()),
        ("CODEX_CREDENTIALS_FILE", text(credential)),
        ("SESSION_DIR", text(&dir.join("sessions"))),
    ];
    pairs.map(|(key, value)| (key.to_owned(), value)).into()
}

/// Serves on a thread while `work` runs on this one: the agent starts processes, and those die
/// with the thread that started them.
fn serve_while(
    server: &Server,
    service: &mut (dyn Service + Send),
    work: impl FnOnce() -> Exit,
) -> io::Result<Exit> {
    // A new thread inherits the mask. Were these signals open in it, one would end the program
    // before the loop on this thread saw it.
    let _masked = Signals::take(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP])?;
    let (stop, stopper) = UnixStream::pair()?;
    thread::scope(|scope| {
        let serving = scope.spawn(|| server.run(service, stop.as_fd()));
        let exit = work();
        drop(stopper);
        match serving.join() {
            Ok(served) => served.map(|()| exit),
            Err(_) => Err(io::Error::other("the service of the demo broke")),
        }
    })
}

/// The script as a service.
#[derive(Default)]
struct Demo {
    script: Script,
}

impl Service for Demo {
    fn answer(&mut self, head: &RequestHead, body: &[u8]) -> Reply {
        if head.target != format!("{BASE_PATH}/responses") {
            return Reply::refusal(404, "there is nothing here");
        }
        if head.method != "POST" {
            return Reply::refusal(405, "only POST is taken here");
        }
        let bearer = format!("Bearer {}", place::access_token());
        let is_known = head.headers.first("authorization") == Some(bearer.as_str())
            && head.headers.first("chatgpt-account-id") == Some(place::ACCOUNT);
        if !is_known {
            return Reply::refusal(401, "the token or the account is not the demo's");
        }
        let events = match self.script.answer(body) {
            Ok(events) => events,
            Err(fault) => return Reply::refusal(400, &format!("the demo refuses: {fault}")),
        };
        let mut pieces = vec![stream_head(200, &[("Content-Type", "text/event-stream")])];
        pieces.extend(events.iter().map(|event| chunk(event.as_bytes())));
        pieces.push(LAST_CHUNK.to_vec());
        Reply {
            pieces,
            then: Then::Keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::serve::parse_request;

    fn options(temp: PathBuf) -> Options {
        Options {
            is_kept: false,
            temp,
            shell: Some(Shell {
                path: "/bin/sh".into(),
                is_bash: false,
            }),
        }
    }

    /// What comes of a demo whose run ends with `exit`.
    fn run_with(options: &Options, exit: Exit) -> Result<Exit, Fault> {
        run(options, &mut |demo| {
            assert!(demo.cwd.is_dir());
            exit
        })
    }

    #[track_caller]
    fn check_fault(options: &Options, expected: Exit, words: &str) {
        let fault = run_with(options, Exit::Done).unwrap_err();
        assert_eq!(fault.exit, expected);
        assert!(fault.what.contains(words), "{fault:?}");
    }

    #[test]
    fn what_the_machine_lacks_is_said_before_anything_runs() {
        let no_shell = Options {
            shell: None,
            ..options(std::env::temp_dir())
        };
        check_fault(&no_shell, Exit::Settings, "neither bash nor sh");
        check_fault(&options("/dev/null".into()), Exit::Settings, "/dev/null");
    }

    #[test]
    fn the_code_is_the_runs_own_but_a_run_that_did_nothing_is_no_success() {
        let here = options(std::env::temp_dir());
        let exit = run_with(&here, Exit::Signal(2)).unwrap();
        assert_eq!(exit, Exit::Signal(2));
        check_fault(&here, Exit::Fault, "before its task was done");
    }

    #[test]
    fn a_request_must_know_the_place_and_the_token() {
        let mut demo = Demo::default();
        let mut check = |request: &str, expected: &str| {
            let (head, _) = parse_request(request.as_bytes()).unwrap().unwrap();
            let reply = demo.answer(&head, b"{}").pieces.concat();
            let reply = String::from_utf8(reply).unwrap();
            assert!(reply.starts_with(expected), "{request}: {reply}");
        };
        let path = format!("{BASE_PATH}/responses");
        let token = place::access_token();
        let known = format!("Authorization: Bearer {token}\r\nchatgpt-account-id: demo-account");
        check(
            "GET /backend-api/wham/accounts/check HTTP/1.1\r\n\r\n",
            "HTTP/1.1 404",
        );
        check(&format!("GET {path} HTTP/1.1\r\n\r\n"), "HTTP/1.1 405");
        check(&format!("POST {path} HTTP/1.1\r\n\r\n"), "HTTP/1.1 401");
        check(
            &format!("POST {path} HTTP/1.1\r\n{known}\r\n\r\n"),
            "HTTP/1.1 400",
        );
    }
}
