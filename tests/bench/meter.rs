//! Measures one command: a process of its own runs it and reports what it and its children took.
//!
//! The kernel counts a child once somebody waited for it, so the meter adopts those that the
//! command leaves behind. Where output goes into a pipe, the meter reads it; its own time does not
//! count. What a process inherits counts as its memory, though: the meter has to be small.

use std::env;
use std::error::Error;
use std::fs;
use std::fs::File;
use std::io::Read;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::resource::UsageWho;
use nix::sys::resource::getrusage;
use nix::sys::time::TimeVal;
use nix::sys::wait::wait;

/// The first argument of a process that is a meter.
pub const VERB: &str = "meter";

/// What a command took.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// User and system time of all its processes.
    pub cpu: Duration,
    /// The most memory that one of its processes had at a time.
    pub memory_kb: i64,
}

/// Where the output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// `/dev/null`.
    Null,
    /// A pipe.
    Pipe,
    /// A file.
    File,
}

impl Sink {
    /// Its name in a row and on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Sink::Null => "null",
            Sink::Pipe => "pipe",
            Sink::File => "file",
        }
    }
}

/// Runs a meter and reads what it says.
pub fn ask(meter: &mut Command) -> Result<Taken, Box<dyn Error>> {
    let output = meter.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<i64> = text.split_whitespace().flat_map(str::parse).collect();
    let [micros, memory_kb] = numbers[..] else {
        return Err("the meter has no figures".into());
    };
    let cpu = Duration::from_micros(micros.unsigned_abs());
    Ok(Taken { cpu, memory_kb })
}

/// Is the meter: runs the command and prints what it took.
pub fn run(sink: &str, command: &[String]) -> Result<(), Box<dyn Error>> {
    prctl::set_child_subreaper(true)?;
    let [program, arguments @ ..] = command else {
        return Err("no command".into());
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(match sink {
            "pipe" => Stdio::piped(),
            "file" => nameless_file()?.into(),
            _ => Stdio::null(),
        })
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut out) = child.stdout.take() {
        let mut buffer = [0; 64 * 1024];
        while out.read(&mut buffer)? > 0 {}
    }
    let status = child.wait()?;
    while wait().is_ok() {}
    if !status.success() {
        return Err(format!("{command:?}: {status}").into());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = |time: TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    let cpu = micros(usage.user_time()) + micros(usage.system_time());
    println!("{cpu} {}", usage.max_rss());
    Ok(())
}

/// A file that is gone with its last descriptor.
fn nameless_file() -> Result<File, Box<dyn Error>> {
    let path = env::temp_dir().join(format!("sx-bench-{}", std::process::id()));
    let file = File::create_new(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}
