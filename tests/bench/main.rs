//! Measures the static binary beside `curl -sN`, and prints a table. Asserts nothing about time.
//!
//! `make bench` runs it; the binary's path comes in SX_STATIC_BIN. Processor time is that of all
//! processes of a command; of several runs the least counts, since whatever else the machine does
//! only adds to it.

mod meter;
mod server;

use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use meter::Sink;
use meter::Taken;
use server::Server;
use server::Shape;

/// Pieces of text in the long answer.
const EVENTS: usize = 200_000;
/// Runs of a stream, of which the least counts.
const STREAM_RUNS: usize = 5;
/// Runs for the time to the first byte, of which the middle one counts.
const START_RUNS: usize = 21;

/// Ways to call `sx exec`, and where the output goes.
const FACES: &[(&[&str], Sink)] = &[
    (&["-q"], Sink::Null),
    (&[], Sink::Pipe),
    (&["--json"], Sink::Pipe),
    (&["--json", "--deltas"], Sink::Pipe),
    (&["--json", "--deltas"], Sink::File),
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [verb, sink, command @ ..] = &arguments[..]
        && verb == meter::VERB
    {
        return meter::run(sink, command);
    }
    let place = Place::new()?;
    let server = Server::start(EVENTS)?;
    starts(&place, &server)?;
    streams(&place, &server)
}

/// Prints how long it takes from the start of a process to the first byte of its request.
fn starts(place: &Place, server: &Server) -> Result<(), Box<dyn Error>> {
    println!("start to first request byte, middle of {START_RUNS}:");
    let curl = curl(server, Shape::Short);
    let sx = place.exec(server, Shape::Short, &["-q"]);
    for (name, command) in [("curl -sN", curl), ("sx exec -q", sx)] {
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..START_RUNS {
            let start = Instant::now();
            let mut child = place
                .command(&command[0])
                .args(&command[1..])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            times.push(server.asked.recv()?.duration_since(start));
            child.wait()?;
            if server.asked.try_recv().is_ok() {
                return Err(format!("{name} asked more than once").into());
            }
        }
        times.sort();
        println!("  {name:<30} {:>7.1} ms", ms(times[START_RUNS / 2]));
    }
    Ok(())
}

/// Prints what the long stream takes in every shape and by every face: processor time, how much
/// that is beside curl's, and the most memory that one process had.
fn streams(place: &Place, server: &Server) -> Result<(), Box<dyn Error>> {
    for shape in Shape::LONG {
        println!(
            "{EVENTS} events, {}: processor time, peak memory",
            shape.title()
        );
        let curl = least(place, &curl(server, shape), Sink::Null)?;
        row("curl", &["-sN"], Sink::Null, curl, curl);
        for (flags, sink) in FACES {
            let taken = least(place, &place.exec(server, shape, flags), *sink)?;
            row("sx exec", flags, *sink, taken, curl);
        }
    }
    Ok(())
}

fn row(program: &str, flags: &[&str], sink: Sink, taken: Taken, curl: Taken) {
    let name = [&[program], flags].concat().join(" ");
    let sink = sink.name();
    let ratio = taken.cpu.as_secs_f64() / curl.cpu.as_secs_f64();
    let memory = taken.memory_kb as f64 / 1024.0;
    let cpu = ms(taken.cpu);
    println!("  {name:<24} to {sink}  {cpu:>7.1} ms {ratio:>6.1} x curl {memory:>6.1} MB");
}

fn least(place: &Place, command: &[String], sink: Sink) -> Result<Taken, Box<dyn Error>> {
    let mut runs = Vec::new();
    for _ in 0..STREAM_RUNS {
        let mut meter = place.command(env::current_exe()?);
        meter.args([meter::VERB, sink.name()]).args(command);
        runs.push(meter::ask(&mut meter)?);
    }
    let least = runs.into_iter().min_by_key(|taken| taken.cpu);
    Ok(least.ok_or("no runs")?)
}

fn curl(server: &Server, shape: Shape) -> Vec<String> {
    let url = format!("{}/responses", server.url(shape));
    vec!["curl".to_string(), "-sN".to_string(), url]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Where the measured commands are at home; removed at the end.
struct Place {
    dir: PathBuf,
    sx: String,
}

impl Place {
    fn new() -> Result<Place, Box<dyn Error>> {
        let sx = env::var("SX_STATIC_BIN").map_err(|_| "SX_STATIC_BIN is not set")?;
        let dir = env::temp_dir().join(format!("sx-bench-{}", std::process::id()));
        fs::create_dir_all(dir.join("work"))?;
        let token = r#"{"tokens":{"access_token":"none"}}"#;
        fs::write(dir.join("none.json"), token)?;
        Ok(Place { dir, sx })
    }

    /// A command in an environment that does not depend on who measures.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let path = env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("HOME", &self.dir).env("PATH", path);
        command
    }

    /// `sx exec` with these flags, as words.
    fn exec(&self, server: &Server, shape: Shape, flags: &[&str]) -> Vec<String> {
        let dir = self.dir.display();
        let work = format!("{dir}/work");
        let settings = [
            "PROVIDER=codex".to_string(),
            format!("CODEX_CREDENTIALS_FILE={dir}/none.json"),
            format!("CODEX_BASE_URL={}", server.url(shape)),
        ];
        let mut words = vec![self.sx.as_str(), "exec", "-C", &work];
        words.extend(settings.iter().flat_map(|setting| ["-e", setting]));
        words.extend(flags);
        words.push("hello");
        words.iter().map(|word| word.to_string()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed lies in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.dir);
    }
}
