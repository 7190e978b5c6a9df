//! What runs beside the calls: commands in the background, and what others left running.

use crate::hands::bash;
use crate::hands::call;
use crate::hands::start;
use crate::place::Place;
use crate::process::HIDE;
use crate::sx::Running;
use serde_json::Value;
use serde_json::json;

/// Hands that are asked one call after another.
pub struct Talk {
    hands: Running,
    calls: usize,
}

impl Talk {
    /// Starts them, with the sandbox of a run.
    pub fn start(place: &Place) -> Talk {
        Talk {
            hands: start(place, "workspace"),
            calls: 0,
        }
    }

    /// Asks, and returns what the model reads then.
    #[track_caller]
    pub fn ask(&mut self, name: &str, arguments: &Value) -> String {
        self.calls += 1;
        let id = format!("call-{}", self.calls);
        self.hands.write(&call(&id, name, arguments));
        let result = format!("\"result\":{{\"id\":\"{id}\"");
        let lines = self.hands.wait_for_stdout(&format!("{result},"));
        let line = lines.lines().find(|line| line.contains(&result));
        let reply: Value = serde_json::from_str(line.expect("a line")).expect("JSON");
        let text = reply["result"]["parts"][0]["text"].as_str();
        text.expect("text").to_owned()
    }

    #[track_caller]
    fn bash(&mut self, command: &str) -> String {
        self.ask("bash", &json!({"command": command}))
    }

    #[track_caller]
    fn background(&mut self, command: &str) -> String {
        self.ask("bash", &json!({"command": command, "background": true}))
    }

    #[track_caller]
    fn job(&mut self, action: &str, id: u64) -> String {
        self.ask("job", &json!({"action": action, "id": id}))
    }

    #[track_caller]
    fn list(&mut self) -> String {
        self.ask("job", &json!({"action": "list"}))
    }

    /// Lets them end.
    pub fn end(mut self) {
        self.hands.close_stdin();
        self.hands.wait().check_code(0);
    }
}

#[track_caller]
fn check(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
}

/// Waits for the end of the process whose number is in `pid`; nobody has it once it is reaped.
const WAIT: &str = "while kill -0 $(cat pid) 2>/dev/null; do :; done";

#[test]
fn a_command_in_the_background_is_answered_at_once_and_its_end_is_told_once() {
    let place = Place::new();
    let go = place.path("work/go");
    let mut talk = Talk::start(&place);
    check(&talk.list(), &["there are no jobs"]);
    talk.bash("mkfifo go");
    let said = talk.background("echo $$ > pid; echo one; echo two >&2; cat go; exit 3");
    check(&said, &["job 1 started", "job-1.txt"]);
    check(&talk.list(), &["job 1: running for", "echo one"]);
    // What it printed may come a moment later than its number.
    talk.bash("until test -s $TMPDIR/spill/job-1.txt; do :; done");
    let mut said = talk.job("output", 1);
    if !said.contains("two") {
        said.push_str(&talk.job("output", 1));
    }
    check(&said, &["running for", "one\n"]);
    std::fs::write(&go, "three\n").expect("it reads");
    let said = talk.bash(WAIT);
    check(&said, &["exit 0", "[job 1: exit 3 after", "job-1.txt"]);
    assert!(!talk.bash("true").contains("job 1"));
    check(&talk.job("output", 1), &["exit 3", "three\n"]);
    check(&talk.job("output", 1), &["no output beyond byte 14"]);
    let all = json!({"action": "output", "id": 1, "since": 0});
    check(
        &talk.ask("job", &all),
        &["bytes 0 to 14 of 14", "one\ntwo\nthree\n"],
    );
    check(&talk.job("kill", 1), &["job 1: exit 3"]);
    check(&talk.job("kill", 7), &["no job 7", "there are: 1"]);
    talk.end();
}

#[test]
fn a_job_that_is_killed_takes_along_all_that_it_started() {
    let place = Place::new();
    let alive = place.listen("work/alive");
    let mut talk = Talk::start(&place);
    talk.background(&format!("{HIDE} sleep 600"));
    alive.wait_for("up");
    let said = talk.job("kill", 1);
    check(&said, &["job 1: killed as asked after"]);
    alive.check_closes();
    check(&talk.list(), &["job 1: killed as asked after"]);
    talk.end();
}

#[test]
fn what_a_command_leaves_running_is_a_job() {
    let place = Place::new();
    let alive = place.listen("work/alive");
    let mut talk = Talk::start(&place);
    talk.bash("mkfifo go");
    let script =
        "exec 9>alive; (setsid sh -c 'read word < go; echo $word; exec sleep 600' &) ; echo up >&9";
    let said = talk.bash(script);
    check(&said, &["exit 0", "runs on as job 1"]);
    check(&talk.list(), &["job 1: 1 process runs on", "exec 9>alive"]);
    std::fs::write(place.path("work/go"), "later\n").expect("it reads");
    talk.bash("until test -s $TMPDIR/spill/job-1.txt; do :; done");
    check(&talk.job("output", 1), &["later\n"]);
    check(&talk.job("kill", 1), &["job 1: killed as asked"]);
    alive.check_closes();
    talk.end();
}

#[test]
fn a_stop_takes_only_its_own() {
    let place = Place::new();
    let (first, second) = (place.listen("work/first"), place.listen("work/second"));
    let mut talk = Talk::start(&place);
    talk.background("exec 9>first; (setsid sleep 600 &); echo up >&9; sleep 600");
    first.wait_for("up");
    talk.bash("exec 9>second; (setsid sleep 600 &); echo up >&9");
    second.wait_for("up");
    // The one spares the jobs, the other what a later command left.
    let slow = json!({"command": "sleep 600", "timeout": 0.1});
    check(&talk.ask("bash", &slow), &["stopped after"]);
    check(
        &talk.list(),
        &["job 1: running", "job 2: 1 process runs on"],
    );
    check(&talk.job("kill", 1), &["killed as asked"]);
    first.check_closes();
    check(&talk.list(), &["job 1: killed", "job 2: 1 process runs on"]);
    talk.end();
    second.check_closes();
}

#[test]
fn jobs_have_a_limit_and_a_deadline() {
    let place = Place::new();
    let mut talk = Talk::start(&place);
    for _ in 0..16 {
        check(&talk.background("sleep 600"), &["started"]);
    }
    check(&talk.background("sleep 600"), &["not started: 16 jobs run"]);
    check(&talk.job("kill", 3), &["killed as asked"]);
    let timed = json!({"command": "echo $$ > pid; exec sleep 600", "background": true,
        "timeout": 0.5});
    check(&talk.ask("bash", &timed), &["job 17 started"]);
    let wait = format!("until test -s pid; do :; done; {WAIT}");
    // It is told when it is over, which is a moment after its last process is.
    let told = format!("{}{}", talk.bash(&wait), talk.list());
    check(&told, &["job 17: stopped by timeout after"]);
    talk.end();
}

#[test]
fn hands_that_end_take_their_jobs_along() {
    let place = Place::new();
    let alive = place.listen("work/alive");
    let mut hands = start(&place, "off");
    let order = json!({"command": format!("{HIDE} sleep 600"), "background": true});
    hands.write(&call("a", "bash", &order));
    alive.wait_for("up");
    hands.write(&bash("b", "sleep 600 & sleep 600"));
    hands.close_stdin();
    hands.wait().check_code(0);
    alive.check_closes();
}
