//! A newcomer's first minutes: `sx init`, the conversation of `sx config`, and the quick start of
//! the seed word for word.

use crate::issuer::Issuer;
use crate::place::Place;
use crate::responses::Answer;
use crate::server::Reply;
use crate::server::Server;
use crate::sx::Running;

const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";
const OWN: &str = "home/.config/sx/scorpiox-env.txt";

fn saying(text: &str) -> Reply {
    Reply::events(&Answer::new().say(text).whole())
}

#[test]
fn init_logs_in_where_there_is_no_login() {
    let place = Place::new();
    let issuer = Issuer::start("none");
    let server = Server::start([saying("Logged in and ready.")]);
    let start = || {
        let sx = place
            .sx(["init"])
            .env("CODEX_ISSUER", issuer.server.origin());
        let sx = sx.env("CODEX_BASE_URL", server.base_url());
        sx.env("SSH_CONNECTION", "here").start_on_terminal()
    };
    let mut running = start();
    converse(
        &mut running,
        &[
            ("1. Who answers?", "codex\n"),
            ("Log in now? [Y/n] ", "n\n"),
        ],
    );
    let ran = running.wait();
    ran.check_code(3)
        .check_printed("nobody pays: there is no login");
    let mut running = start();
    converse(
        &mut running,
        &[
            ("1. Who answers?", "codex\n"),
            ("Log in now? [Y/n] ", "\n"),
            ("3. Which model?", "\n"),
            ("4. What may", "\n"),
            ("Write it? [Y/n] ", "\n"),
        ],
    );
    let ran = running.wait();
    ran.check_code(0).check_printed("Logged in and ready.");
    assert_eq!(place.read(OWN), "PROVIDER=codex\n");
}

/// The quick start of the seed, word for word, in a folder of the person's own.
#[test]
fn the_quick_start_of_the_seed_works_as_it_is_written() {
    let place = Place::with_credential();
    let server = Server::start([saying("First."), saying("Second.")]);
    let own = format!(
        "CODEX_BASE_URL={}\nCODEX_ISSUER={}\n",
        server.base_url(),
        server.origin()
    );
    place.write(OWN, own);
    place.write(
        "work/scorpiox-env.txt",
        "PROVIDER=codex\nMODEL=gpt-5.3-codex\nCODEX_TOKEN_SOURCE=local\n",
    );
    let config = place.called_as("scorpiox-config", [""; 0]);
    let ran = config.run();
    ran.check_code(0).check_printed("MODEL=gpt-5.3-codex  # ");
    assert_eq!(ran.stderr, "", "a file of the seed needs no trust");
    let mut config = place.sx(["config"]).start_on_terminal();
    converse(&mut config, &[("config> ", CTRL_D)]);
    config.wait().check_code(0);
    let token = place.called_as("scorpiox-codex-fetchtoken", [""; 0]).run();
    let token: serde_json::Value =
        serde_json::from_str(token.check_code(0).text()).expect("a line of JSON");
    let file: serde_json::Value =
        serde_json::from_str(&place.read("home/.codex/auth.json")).expect("JSON");
    assert_eq!(token["access_token"], file["tokens"]["access_token"]);
    for (args, answer) in [
        (&[][..], "First."),
        (
            &["--provider", "codex", "--model", "gpt-5.3-codex-spark"],
            "Second.",
        ),
    ] {
        let mut running = place.sx(args).start_on_terminal();
        converse(&mut running, &[("> ", "hello\n"), (answer, CTRL_D)]);
        running.wait().check_code(0);
    }
    let requests = server.requests();
    let models = requests
        .iter()
        .map(|request| request.json()["model"].clone());
    assert_eq!(
        models.collect::<Vec<_>>(),
        ["gpt-5.3-codex", "gpt-5.3-codex-spark"]
    );
}

/// The one-liner of a machine without a login: another one lends its token.
#[test]
fn a_token_comes_from_a_remote_endpoint_by_one_line() {
    let place = Place::new();
    let server = Server::start([saying("Lent.")]);
    let lent = serde_json::json!({"access_token": "lent", "account_id": "acc"});
    server.on(
        "/token/codex",
        [Reply::json(200, &lent), Reply::json(200, &lent)],
    );
    let remote = format!("{}/token/codex", server.origin());
    let lines = |sx: crate::sx::Sx| {
        sx.env("PROVIDER", "codex")
            .env("CODEX_TOKEN_SOURCE", "remote")
            .env("CODEX_REMOTE_URL", &remote)
            .env("CODEX_BASE_URL", server.base_url())
    };
    let ran = lines(place.called_as("scorpiox-codex-fetchtoken", ["--raw"])).run();
    ran.check_code(0).check_stdout("lent\n");
    lines(place.sx(["exec", "go"]))
        .run()
        .check_code(0)
        .check_stdout("Lent.\n");
    let asked = server.requests_to("/responses");
    assert_eq!(asked[0].header("authorization"), "Bearer lent");
}

/// Each prompt is waited for, then answered.
fn converse(running: &mut Running, steps: &[(&str, &str)]) {
    for (prompt, answer) in steps {
        running.wait_for_stdout(prompt);
        running.type_text(answer);
    }
}

#[test]
fn init_ends_with_an_answer() {
    let place = Place::new();
    let server = Server::start([saying("I am ready.")]);
    let mut running = place
        .sx(["init"])
        .env("OPENAI_WIRE", "responses")
        .start_on_terminal();
    let address = format!("{}/v1\n", server.origin());
    converse(
        &mut running,
        &[
            ("[codex]: ", "opnai\n"),
            ("a number from 1 to 6", "openai\n"),
            ("[https://api.openai.com/v1]: ", "nonsense\n"),
            ("begins with https:// or http://", &address),
            ("Enter for none: ", "sk-typed\n"),
            ("3. Which model?", "tiny\n"),
            ("4. What may", "2\n"),
            ("Write it? [Y/n] ", "\n"),
        ],
    );
    let ran = running.wait();
    ran.check_code(0)
        .check_printed("I am ready.")
        .check_printed("It works: ")
        .check_printed("OPENAI_API_KEY=…");
    assert!(!ran.text().contains("sk-typed"), "{}", ran.text());
    let expected = format!(
        "PROVIDER=openai\nOPENAI_BASE_URL={}/v1\nOPENAI_API_KEY=sk-typed\nMODEL=tiny\n\
         SANDBOX=read-only\n",
        server.origin()
    );
    assert_eq!(place.read(OWN), expected);
    let request = &server.requests()[0];
    assert_eq!(request.json()["model"], "tiny");
    assert_eq!(request.header("authorization"), "Bearer sk-typed");
}

#[test]
fn init_ends_with_the_reason_and_writes_nothing_unasked() {
    let place = Place::with_credential();
    let start = |answers: &[(&str, &str)]| {
        let sx = place
            .sx(["init"])
            .env("CODEX_BASE_URL", "http://127.0.0.1:1/x");
        let mut running = sx.start_on_terminal();
        converse(&mut running, answers);
        running.wait()
    };
    let (who, model, sandbox) = ("1. Who answers?", "3. Which model?", "4. What may");
    // Left, in two ways.
    start(&[(who, CTRL_D)])
        .check_code(2)
        .check_printed("nothing was written");
    start(&[(who, "\n"), (model, CTRL_C)]).check_code(130);
    // Not written, but tried.
    let ran = start(&[
        (who, "\n"),
        (model, "?\n"),
        ("asking the service; Ctrl-C leaves", ""),
        ("cannot connect", "\n"),
        (sandbox, "\n"),
        ("Write it?", "n\n"),
    ]);
    ran.check_code(5)
        .check_printed("a login is here")
        .check_printed("person@example.org (plus) pays")
        .check_printed("127.0.0.1")
        .check_printed("So it does not work yet");
    assert!(!place.path(OWN).exists());
    let ran = place.sx(["init"]).run();
    ran.check_code(2).check_said("needs a terminal");
}

#[test]
fn init_asks_again_for_a_key_and_a_model_that_are_there() {
    let place = Place::new();
    let server = Server::start([saying("I am ready."), saying("Once more.")]);
    let before = format!(
        "PROVIDER=openai\nOPENAI_BASE_URL={}/v1\nOPENAI_API_KEY=sk-old\n",
        server.origin()
    );
    place.write(OWN, &before);
    place.write("work/scorpiox-env.txt", "MODEL=of-project\n");
    let start = |last: &[(&str, &str)]| {
        let sx = place.sx(["init"]).env("OPENAI_WIRE", "responses");
        let mut running = sx.start_on_terminal();
        let key = "  Key (OPENAI_API_KEY), not shown while you type, Enter keeps it: ";
        let too_long = "k".repeat(5000) + "\n";
        let steps = [
            ("[openai]: ", "\n"),
            ("Address", "nonsense\n"),
            ("it must be an address", "http://127.0.0.1:99999\n"),
            ("that cannot be used", "\n"),
            (key, &too_long),
            (&format!("takes a longer one\r\n{key}"), "Bearer sk-new\n"),
            (&format!("of printable ASCII\r\n{key}"), "sk-new\n"),
            ("[of-project]: ", "tiny\n"),
            ("work/scorpiox-env.txt:1 sets MODEL too", "\n"),
        ];
        converse(&mut running, &steps);
        converse(&mut running, last);
        running.wait()
    };
    start(&[("Write it? [Y/n] ", CTRL_D)])
        .check_code(2)
        .check_printed("nothing was written");
    assert_eq!(server.requests().len(), 0, "who left sends nothing");
    start(&[("Write it? [Y/n] ", "n\n")])
        .check_code(0)
        .check_printed("It works, and nothing is kept");
    assert_eq!(place.read(OWN), before);
    start(&[("Write it? [Y/n] ", "\n")]).check_code(0);
    assert_eq!(
        place.read(OWN),
        before.replace("sk-old", "sk-new") + "MODEL=tiny\n"
    );
}

#[test]
fn what_another_program_writes_meanwhile_is_kept() {
    let place = Place::new();
    place.write(OWN, "MODEL=first\n");
    let mut running = place.sx(["config"]).start_on_terminal();
    converse(
        &mut running,
        &[("config> ", "MODEL\n"), ("MODEL=", "mine\n")],
    );
    converse(&mut running, &[("noted", "q\n")]);
    running.wait_for_stdout("Write this?");
    place.write(OWN, "RETRY_MAX=3\nMODEL=theirs\n");
    running.type_text("y\n");
    converse(
        &mut running,
        &[
            ("your changes are made in what it wrote", "w\n"),
            ("- line 2: MODEL=theirs", "y\n"),
            ("  written", CTRL_D),
        ],
    );
    running.wait().check_code(0);
    assert_eq!(place.read(OWN), "RETRY_MAX=3\nMODEL=mine\n");
}

#[test]
fn settings_are_changed_in_a_conversation_and_seen_before_they_are_written() {
    let place = Place::new();
    place.write(OWN, "# mine\r\nPROVIDER = openai\r\nRETRY_MAX=3");
    let start = |answers: &[(&str, &str)]| {
        let sx = place.sx(["config"]).env("MODEL", "of-env");
        let mut running = sx.start_on_terminal();
        converse(&mut running, answers);
        running.wait()
    };
    let ran = start(&[
        ("config> ", "1\n"),
        ("2 PROVIDER=openai, ", "2\n"),
        ("it must be one of codex, ", "opnai\n"),
        ("that is not allowed", "gemini\n"),
        ("noted, not written yet", "MODEL\n"),
        ("now MODEL=of-env, the environment", "other\n"),
        ("the environment sets it too, and counts more", "\n"),
        ("8 sessions", "gemini_api_key\n"),
        ("not shown.\r\nGEMINI_API_KEY=", "AIza-typed\n"),
        ("GEMINI_API_KEY=\r\n  noted", "retry_maximum\n"),
        ("did you mean RETRY_MAX?", "retry_max\n"),
        ("from 0 to 100", "-\nq\n"),
        ("Write this? [y/N] ", "y\n"),
        ("  written", ""),
    ]);
    ran.check_code(0)
        .check_printed("  - line 2: PROVIDER=openai\r\n  + line 2: PROVIDER=gemini")
        .check_printed("  - line 3: RETRY_MAX=3\r\n");
    assert!(!ran.text().contains("AIza-typed"), "{}", ran.text());
    assert_eq!(
        place.read(OWN),
        "# mine\r\nPROVIDER = gemini\r\nMODEL=other\r\nGEMINI_API_KEY=AIza-typed\r\n"
    );
    // Left without a yes.
    let before = place.read(OWN);
    let ran = start(&[
        ("config> ", "MODEL\n"),
        ("it must be", "third\n"),
        ("noted", CTRL_D),
        ("Write this?", CTRL_D),
    ]);
    ran.check_code(0).check_printed("nothing was written");
    start(&[("config> ", CTRL_C)]).check_code(130);
    assert_eq!(place.read(OWN), before);
    // A file that no command can be run with is mended here too.
    place.write(OWN, "TOOLS=maybe\n");
    let ran = start(&[
        ("config> ", "TOOLS\n"),
        ("it must be 0 or 1", "1\n"),
        ("noted", "w\n"),
        ("Write this?", "y\n"),
        ("  written", CTRL_D),
    ]);
    ran.check_code(0).check_printed("They are wrong now: ");
    assert_eq!(place.read(OWN), "TOOLS=1\n");
}
