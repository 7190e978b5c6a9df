//! Processes: nothing outlives the run, nothing waits for what was left behind, no secret is seen.

use crate::heard::WAIT_MAX;
use crate::place::Credential;
use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::sx::Sx;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::json;
use std::fs;

/// A command that says `up` through the pipe and then hides copies of itself everywhere: in the
/// background, in sessions of their own, orphaned, deaf to TERM. All hold the pipe open.
pub const HIDE: &str = "exec 9>alive; trap '' TERM; sleep 600 & setsid sleep 600 & \
    (setsid sh -c 'sleep 600 & exec sleep 600' &); sh -c 'trap \"\" TERM HUP; sleep 600 & :' ; \
    echo up >&9;";

fn done() -> Reply {
    Reply::events(&Answer::new().say("done").whole())
}

#[test]
fn a_killed_brain_leaves_no_process() {
    let place = Place::with_credential();
    let alive = place.listen("work/alive");
    let call = Answer::new().bash("call_1", &format!("{HIDE} sleep 600"));
    let server = Server::start([Reply::events(&call.whole())]);
    let running = place.exec(&server, ["go"]).start();
    alive.wait_for("up");
    running.signal(Signal::SIGKILL);
    alive.check_closes();
}

#[test]
fn a_command_that_takes_too_long_is_stopped_with_all_it_started() {
    let place = Place::with_credential();
    let alive = place.listen("work/alive");
    let script = json!({"command": format!("{HIDE} sleep 600"), "timeout": 2});
    let call = Answer::new().call("call_1", "bash", &script);
    // The next answer waits until they are gone: they must not live as long as the run.
    let server = Server::start([Reply::events(&call.whole()), done()]);
    let running = place.exec(&server, ["--json", "go"]).start();
    alive.wait_for("up");
    alive.check_closes();
    running.wait().check_code(0);
    let result = server.requests()[1].result("call_1");
    assert!(result.contains("timeout"), "{result}");
}

#[test]
fn the_setting_that_stops_a_command_is_named() {
    let place = Place::with_credential();
    let call = Answer::new().bash("call_1", "echo before; sleep 600");
    let server = Server::start([Reply::events(&call.whole()), done()]);
    let ran = place.exec(&server, ["-e", "BASH_TIMEOUT=1s", "go"]).run();
    ran.check_code(0);
    let result = server.requests()[1].result("call_1");
    assert!(
        result.contains("BASH_TIMEOUT") && result.contains("before"),
        "{result}"
    );
}

#[test]
fn a_call_returns_when_its_command_ends_and_not_when_its_pipes_close() {
    let place = Place::with_credential();
    let alive = place.listen("work/alive");
    let call = Answer::new().bash("call_1", &format!("{HIDE} echo leader done"));
    let server = Server::start([Reply::events(&call.whole()), done()]);
    let ran = place.exec(&server, ["go"]).run();
    ran.check_code(0);
    let result = server.requests()[1].result("call_1");
    assert!(result.contains("leader done"), "{result}");
    alive.check_closes();
}

#[test]
fn a_background_job_lives_until_the_run_ends() {
    let place = Place::with_credential();
    let alive = place.listen("work/alive");
    let server = Server::start([
        Reply::events(
            &Answer::new()
                .bash(
                    "call_1",
                    "(exec 9>alive; echo up >&9; exec sleep 600) & echo $! > pid",
                )
                .whole(),
        ),
        Reply::events(
            &Answer::new()
                .bash("call_2", "kill -0 $(cat pid) && echo lives")
                .whole(),
        ),
        done(),
    ]);
    place.exec(&server, ["go"]).run().check_code(0);
    let result = server.requests()[2].result("call_2");
    assert!(result.contains("lives"), "{result}");
    alive.check_closes();
}

#[test]
fn hands_that_a_command_kills_leave_no_process() {
    let place = Place::with_credential();
    let alive = place.listen("work/alive");
    let call = Answer::new().bash("call_1", &format!("{HIDE} kill -9 $PPID; sleep 600"));
    let server = Server::start([Reply::events(&call.whole())]);
    let running = place.exec(&server, ["--sandbox", "off", "go"]).start();
    alive.wait_for("up");
    alive.check_closes();
    running.wait().check_code(1).check_said("SIGKILL");
    assert_eq!(place.names("tmp"), [""; 0]);
}

#[test]
fn hands_that_a_command_stops_go_on() {
    for sandbox in ["off", "workspace"] {
        let place = Place::with_credential();
        let call = Answer::new().bash("call_1", "kill -STOP $PPID; echo still here");
        let server = Server::start([Reply::events(&call.whole()), done()]);
        let sx = place.exec(&server, ["--sandbox", sandbox, "go"]);
        sx.run().check_code(0);
        let result = server.requests()[1].result("call_1");
        assert!(result.contains("still here"), "{sandbox}: {result}");
    }
}

#[test]
fn a_command_with_processes_of_its_own_sees_no_others_and_cannot_kill_the_hands() {
    let place = Place::with_credential();
    let script = "kill -9 $PPID; echo $PPID; ls -d /proc/[0-9]* | wc -l";
    let call = Answer::new().bash("call_1", script);
    let server = Server::start([Reply::events(&call.whole()), done()]);
    let ran = place.exec(&server, ["--json", "go"]).run();
    // Where no namespace can be had, it kills them.
    let sandbox = ran.events()[0]["sandbox"].to_string();
    if !sandbox.contains("processes apart") {
        ran.check_code(1);
        return;
    }
    ran.check_code(0);
    let result = server.requests()[1].result("call_1");
    let mut lines = result.lines().skip(1);
    assert_eq!(lines.next(), Some("1"), "{result}");
    let count: u32 = lines.next().expect("a count").parse().expect("a number");
    assert!(count < 10, "{result}");
}

/// The hands and all that stands beside them: what was started of our own binary.
fn of_ours(pids: &[i32]) -> Vec<i32> {
    let is_ours = |pid: &i32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.starts_with(b"sx\0")
    };
    pids.iter().copied().filter(is_ours).collect()
}

/// Whether a process still runs: one that is dead and was not reaped yet does not.
fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// Waits until none of these runs.
#[track_caller]
fn check_all_end(mut pids: Vec<i32>) {
    let since = std::time::Instant::now();
    while pids.iter().any(|pid| runs(*pid)) {
        pids.extend(pids.clone().into_iter().flat_map(descendants));
        pids.retain(|pid| runs(*pid));
        pids.sort();
        pids.dedup();
        assert!(since.elapsed() < WAIT_MAX, "{pids:?} live on");
        std::thread::yield_now();
    }
}

#[test]
fn brain_and_hands_killed_in_one_moment_leave_no_process() {
    for sandbox in ["off", "workspace"] {
        let place = Place::with_credential();
        let alive = place.listen("work/alive");
        let call = Answer::new().bash("call_1", &format!("{HIDE} sleep 600"));
        let server = Server::start([Reply::events(&call.whole())]);
        let running = place.exec(&server, ["--sandbox", sandbox, "go"]).start();
        alive.wait_for("up");
        let below = descendants(running.pid());
        let mut killed = of_ours(&below);
        if sandbox == "off" {
            // The guard is what is left to end the others.
            let command = |pid: &i32| fs::read(format!("/proc/{pid}/cmdline"));
            killed.retain(|pid| command(pid).is_ok_and(|words| words == b"sx\0hands\0"));
        }
        assert!(!killed.is_empty(), "{sandbox}: {below:?}");
        running.signal(Signal::SIGKILL);
        for pid in killed {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        alive.check_closes();
        check_all_end(below);
    }
}

#[test]
fn whatever_kills_the_brain_and_whenever_no_process_is_left() {
    let signals = [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGKILL,
    ];
    for (index, signal) in signals.into_iter().enumerate() {
        for is_background in [false, true] {
            let place = Place::with_credential();
            let alive = place.listen("work/alive");
            let arguments = json!({"command": format!("{HIDE} sleep 600"),
                "background": is_background});
            let call = Answer::new().call("call_1", "bash", &arguments);
            let wait = Answer::new().bash("call_2", "sleep 600");
            let server =
                Server::start([Reply::events(&call.whole()), Reply::events(&wait.whole())]);
            let sandbox = ["off", "workspace"][index % 2];
            let running = place.exec(&server, ["--sandbox", sandbox, "go"]).start();
            alive.wait_for("up");
            let below = descendants(running.pid());
            running.signal(signal);
            alive.check_closes();
            check_all_end(below);
        }
        // Before the hands are ready, or just then.
        let place = Place::with_credential();
        let server = Server::start([done()]);
        let running = place.exec(&server, ["go"]).start();
        let mut below = Vec::new();
        while below.is_empty() && runs(running.pid()) {
            below = descendants(running.pid());
        }
        let _ = kill(Pid::from_raw(running.pid()), signal);
        check_all_end(below);
    }
}

#[test]
fn nothing_is_left_by_a_run_that_is_the_first_process() {
    let way = ["-Urpf", "--mount-proc"];
    let tried = std::process::Command::new("unshare")
        .args(way)
        .arg("true")
        .status();
    if !tried.is_ok_and(|status| status.success()) {
        return;
    }
    for sandbox in ["off", "workspace"] {
        let place = Place::with_credential();
        let alive = place.listen("work/alive");
        let call = Answer::new().bash("call_1", &format!("{HIDE} echo leader done"));
        let server = Server::start([Reply::events(&call.whole()), done()]);
        let program = crate::sx::program();
        let args = way
            .iter()
            .map(std::ffi::OsStr::new)
            .chain([program.as_os_str()]);
        let sx = Sx::new(&place, std::path::Path::new("unshare"), args);
        let words = ["exec", "--sandbox", sandbox, "go"];
        let sx = words
            .iter()
            .fold(sx.asking(&server), |sx, word| sx.arg(word));
        sx.run().check_code(0);
        alive.check_closes();
        let result = server.requests()[1].result("call_1");
        assert!(result.contains("leader done"), "{result}");
    }
}

#[test]
fn what_wants_a_terminal_ends_by_itself() {
    let place = Place::with_credential();
    place.write("work/file", "text\n");
    let script = "git init -q . && git config user.email a@b.c && git config user.name n && \
        for i in 1 2 3; do git add -A && git commit -qm $i --allow-empty; done";
    let commands = [
        script,
        "vi file",
        "less file",
        "sudo true",
        "sudo -n true",
        "ssh -p 9 127.0.0.1",
        "git rebase -i HEAD~1",
        "git commit --amend",
        "read line </dev/tty",
        "python3",
        "passwd",
        "top",
        "sh -i",
        "cat",
    ];
    let mut answer = Answer::new();
    for (index, command) in commands.iter().enumerate() {
        let arguments = json!({"command": command, "timeout": 30});
        answer = answer.call(&format!("call_{index}"), "bash", &arguments);
    }
    let server = Server::start([Reply::events(&answer.whole()), done()]);
    place.exec(&server, ["go"]).run().check_code(0);
    for (index, command) in commands.iter().enumerate() {
        let result = server.requests()[1].result(&format!("call_{index}"));
        let has_ended = result.starts_with("exit ") || result.starts_with("killed by ");
        assert!(has_ended, "{command}: {result}");
    }
}

#[test]
fn a_command_cannot_speak_in_the_place_of_the_hands() {
    // Root's capabilities see through it; only namespaces could keep them from it.
    if nix::unistd::geteuid().is_root() {
        return;
    }
    let place = Place::with_credential();
    let script = "echo rubbish > /proc/$PPID/fd/1; head -c 1 /proc/$PPID/environ; echo real";
    let call = Answer::new().bash("call_1", script);
    let server = Server::start([Reply::events(&call.whole()), done()]);
    place.exec(&server, ["go"]).run().check_code(0);
    let result = server.requests()[1].result("call_1");
    assert!(result.contains("real"), "{result}");
}

/// The ids of all processes below `pid`.
fn descendants(pid: i32) -> Vec<i32> {
    let mut pairs: Vec<(i32, i32)> = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name between the brackets may hold anything, brackets too.
        let Some((head, tail)) = stat.rsplit_once(')') else {
            continue;
        };
        let id: Option<i32> = head.split(' ').next().and_then(|id| id.parse().ok());
        let parent: Option<i32> = tail.split(' ').nth(2).and_then(|id| id.parse().ok());
        pairs.extend(id.zip(parent));
    }
    let mut found: Vec<i32> = vec![pid];
    let mut at = 0;
    while at < found.len() {
        let parent = found[at];
        found.extend(
            pairs
                .iter()
                .filter(|pair| pair.1 == parent)
                .map(|pair| pair.0),
        );
        at += 1;
    }
    found.remove(0);
    found
}

#[test]
fn no_process_but_the_brain_knows_a_secret() {
    let place = Place::with_credential();
    let alive = place.listen("work/alive");
    let call = Answer::new().bash("call_1", "exec 9>alive; echo up >&9; exec sleep 600");
    let server = Server::start([Reply::events(&call.whole())]);
    let planted = "planted-value-1234567890";
    let running = place
        .exec(&server, ["go"])
        .env("OPENAI_API_KEY", planted)
        .env("MY_SERVICE_TOKEN", planted)
        .env("SOMETHING_ELSE", planted)
        .start();
    alive.wait_for("up");
    let token = Credential::default().access_token();
    let below = descendants(running.pid());
    assert!(below.len() >= 2, "hands and a command: {below:?}");
    for pid in below {
        for page in ["environ", "cmdline"] {
            // The hands are closed to others of their user.
            let Ok(bytes) = fs::read(format!("/proc/{pid}/{page}")) else {
                continue;
            };
            let text = String::from_utf8_lossy(&bytes);
            assert!(
                !text.contains(&token) && !text.contains(planted),
                "{pid}/{page}: {text}"
            );
        }
    }
    running.signal(Signal::SIGTERM);
    running.wait().check_code(143);
}

#[test]
fn a_command_gets_the_variables_that_were_asked_for_and_no_others() {
    let place = Place::with_credential();
    // The project's own, which no setting may come from and no command sees.
    place.write(
        "work/.env",
        "FROM_DOTENV=1\nENV_PASS=HIDDEN\nMODEL=of-dotenv\n",
    );
    let call = Answer::new().bash("call_1", "env; ls -l /proc/self/fd");
    let server = Server::start([Reply::events(&call.whole()), done()]);
    let names = ["MY_APP", "MY_TOKEN", "CI_TOKEN", "HIDDEN"];
    let sx = place.exec(&server, ["-e", "ENV_PASS=MY_*,CI_TOKEN", "go"]);
    let sx = names.iter().fold(sx, |sx, name| sx.env(name, "planted"));
    sx.run().check_code(0);
    assert!(server.requests()[0].json()["model"] != "of-dotenv");
    let result = server.requests()[1].result("call_1");
    for (name, is_there) in [
        ("MY_APP=planted", true),
        ("CI_TOKEN=planted", true),
        ("MY_TOKEN", false),
        ("HIDDEN", false),
        ("FROM_DOTENV", false),
    ] {
        assert_eq!(result.contains(name), is_there, "{name}: {result}");
    }
    // ls itself has the folder open as 3.
    assert!(!result.contains(" 4 -> "), "{result}");
}

#[test]
fn a_credential_of_ours_is_passed_to_no_command() {
    let place = Place::with_credential();
    let server = Server::start([]);
    for (pass, words) in [
        ("OPENAI_API_KEY", "OPENAI_API_KEY is a credential of sx"),
        ("A,b c-d", "`c-d` is no name"),
    ] {
        let set = format!("ENV_PASS={pass}");
        let ran = place.exec(&server, ["-e", &set, "go"]).run();
        ran.check_code(3).check_said(words);
    }
}

#[test]
fn a_command_cannot_read_the_brain() {
    let place = Place::with_credential();
    let script = "for p in /proc/[0-9]*; do tr '\\0' '\\n' < $p/environ; done 2>/dev/null; \
        cat $HOME/.codex/auth.json; true";
    let call = Answer::new().bash("call_1", script);
    let server = Server::start([Reply::events(&call.whole()), done()]);
    let sx = place
        .exec(&server, ["go"])
        .env("OPENAI_API_KEY", "planted-1234567890");
    sx.run().check_code(0);
    let result = server.requests()[1].result("call_1");
    assert!(!result.contains("refresh-first"), "{result}");
    // Root's capabilities see through Landlock; only namespaces could keep them from it.
    if !nix::unistd::geteuid().is_root() {
        assert!(!result.contains("planted-1234567890"), "{result}");
    }
}

#[test]
fn a_secret_that_a_command_finds_is_neither_shown_nor_sent_nor_kept() {
    let place = Place::with_credential();
    place.write("work/found", "key: s3cret-key pw: s3cret-pw\n");
    let server = Server::start([
        Reply::events(&Answer::new().bash("call_1", "cat found").whole()),
        Reply::events(&Answer::new().say("done").whole()),
    ]);
    let ran = place
        .exec(&server, ["--json", "--deltas", "--record", "rec", "go"])
        .env("TOKEN_HTTP_API_KEY", "s3cret-key")
        .env("HTTPS_PROXY", "http://me:s3cret-pw@127.0.0.1:1")
        .run();
    ran.check_code(0);
    assert_eq!(
        server.requests()[1].result("call_1"),
        "exit 0\nkey: [secret] pw: [secret]\n"
    );
    let mut all = vec![ran.text().to_string(), ran.stderr.clone()];
    all.extend(
        place
            .sessions()
            .iter()
            .map(|path| std::fs::read_to_string(path).expect("text")),
    );
    all.extend(
        place
            .names("work/rec")
            .iter()
            .map(|name| place.read(&format!("work/rec/{name}"))),
    );
    for text in all {
        assert!(!text.contains("s3cret"), "{text}");
    }
}
