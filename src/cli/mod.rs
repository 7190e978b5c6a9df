//! The program: arguments in, exit code out. Settings become options here, events become output.
//!
//! `args` reads the command line, `ground` what settings and environment say, `build` makes every
//! module's options of them. Each command has a file of its name; `human` and `jsonl` are the two
//! faces, `ending` and `exit` say how it went.

pub mod args;
pub mod askpass;
pub mod build;
pub mod chat;
pub mod completions;
pub mod config;
pub mod courier;
pub mod credential;
pub mod demo;
pub mod doctor;
pub mod ending;
pub mod exec;
pub mod exit;
pub mod fault;
pub mod fetchtoken;
pub mod gateway;
pub mod ground;
pub mod help;
pub mod human;
pub mod images;
pub mod init;
pub mod input;
pub mod inquiry;
pub mod jsonl;
pub mod login;
pub mod logout;
pub mod member;
pub mod models;
pub mod patch;
pub mod person;
pub mod probe;
pub mod record;
pub mod renew;
pub mod replay;
pub mod resume;
pub mod screen;
pub mod sessions;
pub mod standing;
pub mod status;
pub mod stop;
pub mod token;
pub mod tool;
pub mod trust;
pub mod usage;
pub mod version;

use crate::cli::args::Command;
use crate::cli::args::Common;
use crate::cli::args::Exec;
use crate::cli::args::Invocation;
use crate::cli::args::View;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::ground::Site;
use crate::cli::person::Person;
use crate::config::Layer;
use crate::hands;
use crate::proc;
use crate::proc::shell;
use crate::term::writer;
use std::env;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

/// Runs the program.
pub fn main() -> ExitCode {
    let mut arguments = env::args_os();
    let program = arguments.next().unwrap_or_else(|| OsString::from("sx"));
    let arguments: Vec<OsString> = arguments.collect();
    if let Some(answered) = askpass::answer(&arguments) {
        return answered;
    }
    let wants_events = args::wants_events(&arguments);
    let done = match args::parse(Path::new(&program), arguments) {
        Ok(Invocation {
            command: Command::Launch(arguments),
            ..
        }) => return launch(arguments),
        Ok(invocation) => run(&program, invocation),
        Err(usage) => {
            let fault = Fault::new(Exit::Usage, usage.fault()).hint(usage.hint());
            if wants_events {
                exec::end_unbegun(&fault);
            }
            Err(fault)
        }
    };
    let exit = done.unwrap_or_else(|fault| {
        fault.print();
        fault.exit
    });
    ExitCode::from(exit.code())
}

/// Runs one command.
fn run(program: &OsStr, invocation: Invocation) -> Result<Exit, Fault> {
    let Invocation { common, command } = invocation;
    let survey = || Ground::survey(program, &common);
    let survey_for_login = || survey().map(Ground::about_login);
    if command != Command::Hands {
        // Whoever holds a credential shows its memory to nobody. The hands hold none, and close
        // themselves when their sandbox stands. No kernel of today refuses this.
        let _ = proc::own::close_to_others();
    }
    match command {
        // The launcher has an exit code of its own.
        Command::Launch(_) => Ok(Exit::Usage),
        Command::Renew => renew::run(program, &common),
        Command::Hands => hands(program),
        Command::Help(topic) => help(topic.as_deref()),
        Command::Man => print(help::man::write),
        Command::Completions(shell) => print(|out| completions::write(out, shell)),
        Command::Version { is_json } => print(|out| version::write(out, is_json)),
        Command::Config(options) => {
            let site = Site::find(program, &common)?;
            if options.view == View::Schema {
                return print(|out| config::schema::write(out));
            }
            let is_bare = options.view == View::All && common.overrides.is_empty();
            if is_bare && !options.is_json && Person::is_there() {
                let layer = options.layer.as_ref().unwrap_or(&Layer::User);
                return config::dialog::run(site, &common, layer);
            }
            let ground = match &options.layer {
                None => Ground::survey_at(site, &common)?,
                Some(layer) => Ground::of_layer(site, &common, layer)?,
            };
            ground.warn();
            print(|out| config::run(out, &ground.settings, &options))
        }
        Command::Init => init::run(program, &common),
        Command::Trust(options) => trust::run(&Site::find(program, &common)?, &options),
        Command::Edit(edit) => config::edit::run(program, &common, edit),
        Command::Sessions(what) => sessions(&survey()?, &what),
        Command::Doctor(options) => doctor::run(program, &common, &options),
        Command::Probe(options) => probe::run(&survey()?, &options),
        Command::Login(options) => login::run(&survey_for_login()?, &options),
        Command::Logout(options) => logout::run(&survey_for_login()?, &options),
        Command::Status { is_json } => status::run(survey()?, is_json),
        Command::Usage { is_json } => usage::run(&survey_for_login()?, is_json),
        Command::Models { is_json } => models::run(&survey()?, is_json),
        Command::TokenServe(options) => token::serve(&survey_for_login()?, &options),
        Command::Fetchtoken(options) => fetchtoken::run(&survey_for_login()?, &options),
        Command::Tool(options) => tool::run(&survey()?, &options),
        Command::Patch(options) => patch::run(&options),
        Command::Exec(options) => exec::run(program, &common, &options),
        Command::Chat(options) => chat::run(survey()?, &options),
        Command::Demo { is_kept } => demo(program, &common, is_kept),
        Command::Replay(dir) => replay(&dir),
    }
}

/// Writes to stdout what `write` has to say.
fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Exit, Fault> {
    let mut page = Vec::new();
    let mut out = writer::stdout().map_err(|error| Fault::output(&error))?;
    write(&mut page)
        .and_then(|()| out.write_all(&page))
        .map_err(|error| Fault::output(&error))?;
    Ok(Exit::Done)
}

/// Becomes another program, or stands beside it and returns its status; if it could not be run,
/// that is what a shell would return.
fn launch(arguments: Vec<OsString>) -> ExitCode {
    match proc::launch::main(arguments.into_iter()) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            Fault::new(Exit::Fault, &error).print();
            ExitCode::from(error.code())
        }
    }
}

/// Runs the tools of a brain at the other end of stdin and stdout.
fn hands(program: &OsStr) -> Result<Exit, Fault> {
    let options = hands::server::Options {
        self_path: ground::own_path(program)?,
        environment: env::vars_os().collect(),
    };
    let (stdin, stdout) = (io::stdin(), io::stdout());
    hands::server::serve(stdin.as_fd(), stdout.as_fd(), options)
        .map_err(|error| Fault::new(Exit::Fault, error))?;
    Ok(Exit::Done)
}

fn help(topic: Option<&str>) -> Result<Exit, Fault> {
    let mut out = writer::stdout().map_err(|error| Fault::output(&error))?;
    match help::write(&mut out, topic) {
        Ok(()) => Ok(Exit::Done),
        Err(help::Error::Output(error)) => Err(Fault::output(&error)),
        Err(error) => Err(Fault::new(Exit::Usage, error)),
    }
}

fn sessions(ground: &Ground, what: &args::Sessions) -> Result<Exit, Fault> {
    let Some(dir) = ground.session_dir() else {
        let what = "no directory for sessions is known: HOME is not set";
        return Err(Fault::new(Exit::Settings, what).hint("set SESSION_DIR or SX_STATE_DIR"));
    };
    let mut out = writer::stdout().map_err(|error| Fault::output(&error))?;
    let mut err = writer::stderr().map_err(|error| Fault::output(&error))?;
    match what {
        args::Sessions::List => sessions::list(&mut out, &mut err, &dir),
        args::Sessions::Show(id) => sessions::show(&mut out, &mut err, &dir, id, &ground.cwd),
        args::Sessions::Prune { days } => {
            sessions::prune(&mut out, &dir, days.unwrap_or(sessions::PRUNE_DAYS_DEFAULT))
        }
    }?;
    Ok(Exit::Done)
}

/// The ordinary `exec`, pointed at a service of our own.
fn demo(program: &OsStr, common: &Common, is_kept: bool) -> Result<Exit, Fault> {
    let path = env::var_os("PATH").unwrap_or_default();
    let options = demo::Options {
        is_kept,
        temp: env::temp_dir(),
        shell: shell::find(&path),
    };
    demo::run(&options, &mut |run| {
        let mut common = common.clone();
        common.cwd = Some(run.cwd.clone());
        common.overrides.extend(run.overrides.iter().cloned());
        let task = Exec::of_prompt(run.prompt.clone());
        exec::run(program, &common, &task).unwrap_or_else(|fault| {
            fault.print();
            fault.exit
        })
    })
}

fn replay(dir: &Path) -> Result<Exit, Fault> {
    let mut out = writer::stdout().map_err(|error| Fault::output(&error))?;
    let mut err = writer::stderr().map_err(|error| Fault::output(&error))?;
    let signal = replay::run(dir, &env::temp_dir(), &mut out, &mut err)
        .map_err(|error| Fault::new(Exit::Usage, error))?;
    Ok(Exit::Signal(signal as u8))
}
