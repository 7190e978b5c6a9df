//! `sx doctor` where the machine, the settings or the login are broken, each in one way: it names
//! the fault and the way out, and still looks at all the rest. The ways to hosts are in `ways`.

use crate::broken::UNKNOWN;
use crate::broken::check;
use crate::broken::check_ran;
use crate::broken::check_variables;
use crate::broken::findings;
use crate::broken::serve;
use crate::broken::sx;
use crate::place::Credential;
use crate::place::Place;
use nix::sys::signal::Signal;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::fs::File;
use std::fs::Permissions;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

#[test]
fn a_machine_that_is_well_has_no_fault() {
    let place = Place::with_credential();
    fs::set_permissions(place.credential_path(), Permissions::from_mode(0o600)).expect("ours");
    let ran = sx(&place, &serve(UNKNOWN), &[]).run();
    ran.check_code(0);
    assert_eq!(ran.stderr, "");
    let found = findings(&ran);
    let is_well = |one: &&Value| one["state"] == "ok" || one["check"] == "binary";
    let ill: Vec<&Value> = found.iter().filter(|one| !is_well(one)).collect();
    // The user of a test may have no name, and the machine no git.
    let is_known = |one: &&&Value| one["check"] == "user" || one["check"] == "git";
    assert!(ill.iter().all(|one| is_known(&one)), "{ill:?}");
    let checks: Vec<&str> = found
        .iter()
        .filter_map(|one| one["check"].as_str())
        .collect();
    let expected = [
        "binary",
        "cpu",
        "kernel",
        "container",
        "user",
        "home",
        "clock",
        "terminal",
        "locale",
        "folder",
        "git",
        "settings",
        "sandbox",
        "shell",
        "login",
        "credential",
        "proxy",
        "trust",
        "dns",
        "host",
        "answer",
    ];
    let mut order = checks.iter();
    for check in expected {
        assert!(order.any(|one| *one == check), "{check} in {checks:?}");
    }
    let spoken = place.sx(["doctor"]).env("CODEX_BASE_URL", serve(UNKNOWN));
    let spoken = spoken.env("CODEX_ISSUER", serve(UNKNOWN)).run();
    let text = spoken.check_code(0).text();
    assert!(
        text.contains("\nok    login codex: the ChatGPT account person@example.org"),
        "{text}"
    );
}

#[test]
fn what_is_wrong_with_the_settings_is_named_and_the_rest_is_looked_at() {
    let place = Place::with_credential();
    check_variables(
        &place,
        &[
            (
                &[("RETRY_MAX", "many")],
                ("fail settings", "RETRY_MAX is `many`", "sx help"),
            ),
            (
                &[("RESOLVE", "nonsense")],
                ("fail settings", "RESOLVE", "host=ip"),
            ),
            (
                &[("CODEX_BASE_URL", "ftp//x")],
                ("fail settings", "CODEX_BASE_URL", "correct"),
            ),
            (
                &[("CODEX_ISSUER", "no url")],
                ("fail settings", "CODEX_ISSUER", "correct"),
            ),
            (
                &[("CODEX_ORIGINATOR", "codex_cli_rs")],
                ("fail provider", "codex_cli_rs", "correct"),
            ),
            (
                &[("ENV_PASS", "a-b!")],
                ("fail sandbox", "ENV_PASS", "correct"),
            ),
            (
                &[("HTTPS_PROXY", "socks5://127.0.0.1:1")],
                ("fail proxy", "SOCKS", "HTTPS_PROXY="),
            ),
        ],
    );
    let well = serve(UNKNOWN);
    let project = "work/scorpiox-env.txt";
    for (file, text, fault) in [
        (
            project,
            "MODLE=x\n",
            (
                "warn settings",
                "scorpiox-env.txt:1: there is no key MODLE",
                "",
            ),
        ),
        (
            project,
            "\nSANDBOX=off\n",
            ("warn settings", "scorpiox-env.txt:2: SANDBOX", ""),
        ),
        (
            project,
            "what is this\n",
            ("warn settings", "not KEY=VALUE", "correct that line"),
        ),
        (
            "home/.config/sx/scorpiox-env.txt",
            "RETRY_MAX=many\n",
            (
                "fail settings",
                "scorpiox-env.txt:1: RETRY_MAX is `many`",
                "correct it",
            ),
        ),
    ] {
        let path = place.write(file, text);
        check(sx(&place, &well, &[]), fault);
        fs::remove_file(path).expect("it was there");
    }
    fs::create_dir_all(place.path("home/.config/sx/scorpiox-env.txt")).expect("a folder");
    let fault = (
        "warn settings",
        "cannot be read",
        "a file that you may read",
    );
    check(sx(&place, &well, &[]), fault);
    let away = sx(&place, &well, &[]).arg("-C").arg("/nowhere");
    check(away, ("fail folder", "/nowhere", "-C DIR"));
}

#[test]
fn a_machine_that_lacks_something_is_named() {
    let place = Place::with_credential();
    let well = serve(UNKNOWN);
    check_variables(
        &place,
        &[
            (
                &[("TERM", "dumb")],
                ("warn terminal", "no colour", "set TERM"),
            ),
            (
                &[("LANG", "C")],
                ("warn locale", "not UTF-8", "LANG=C.UTF-8"),
            ),
            (
                &[("PATH", "/nowhere")],
                ("warn git", "not in PATH", "install"),
            ),
            (
                &[("SANDBOX", "off")],
                ("warn sandbox", "off", "SANDBOX=workspace"),
            ),
            (
                &[("SESSION_DIR", "/proc/1/x")],
                ("warn folder", "/proc/1/x", "SESSION_DIR"),
            ),
            (
                &[("SX_STATE_DIR", "/etc/passwd/x")],
                ("warn folder", "not a directory", "HOME"),
            ),
            (
                &[("TMPDIR", "/nowhere")],
                ("warn folder", "/nowhere", "TMPDIR"),
            ),
            (
                &[("HOME", "/nowhere")],
                ("warn home", "no such folder", "set HOME"),
            ),
        ],
    );
    let without = |name| sx(&place, &well, &[]).without_env(name);
    check(without("TERM"), ("warn terminal", "", "set TERM"));
    let homeless = || without("HOME").env("CODEX_CREDENTIALS_FILE", place.credential_path());
    check(homeless(), ("warn home", "not set", "set HOME"));
    // As the fix says; and what is relative counts from here.
    let fixed = homeless()
        .env("SX_CONFIG_DIR", "a/b")
        .env("SX_STATE_DIR", "a/c")
        .run();
    let found = findings(&fixed);
    let is_ill =
        |one: &&Value| (one["check"] == "home" || one["check"] == "folder") && one["state"] != "ok";
    assert!(!found.iter().any(|one| is_ill(&one)), "{}", fixed.text());
    let others = place.path("work/others");
    fs::create_dir_all(&others).expect("a folder");
    let git = others.join(".git");
    match nix::unistd::geteuid().is_root() {
        true => {
            fs::create_dir(&git).expect("a folder");
            std::os::unix::fs::chown(&git, Some(12345), None).expect("root may");
        }
        false => std::os::unix::fs::symlink("/etc", &git).expect("a link"),
    }
    let dubious = sx(&place, &well, &[]).cwd(&others);
    check(dubious, ("warn git", "dubious ownership", "safe.directory"));
    // Commands must not change the folder that holds our own settings.
    fs::create_dir_all(place.path("home/.config/sx")).expect("a folder");
    let inside = sx(&place, &well, &[]).cwd(place.path("home/.config/sx"));
    check(inside, ("fail sandbox", "no sandbox", "-C DIR"));
    let here = place.path("work/gone");
    fs::create_dir(&here).expect("a folder");
    let script = "rmdir ../gone; exec \"$@\"";
    let gone = sx(&place, &well, &[])
        .cwd(&here)
        .through(&["/bin/sh", "-c", script, "sh"]);
    check(gone, ("fail folder", "no working directory", "-C DIR"));
}

#[test]
fn a_login_that_is_of_no_use_is_named() {
    let place = Place::new();
    let codex = [("PROVIDER", "codex")];
    check_variables(
        &place,
        &[
            (&codex, ("fail login", "no login", "sx login")),
            (
                &[("CODEX_CREDENTIALS_FILE", "/nowhere")],
                ("fail login", "/nowhere", "sx login"),
            ),
            (
                &[("CODEX_TOKEN_FD", "77")],
                ("fail login", "CODEX_TOKEN_FD is `77`", "correct"),
            ),
            (
                &[("CODEX_ACCESS_TOKEN", "two words")],
                ("fail login", "CODEX_ACCESS_TOKEN", ""),
            ),
            (
                &[("CODEX_TOKEN_COMMAND", "echo no >&2; exit 4")],
                ("fail login", "exit status: 4: no", ""),
            ),
            (
                &[("CODEX_TOKEN_COMMAND", "echo")],
                ("fail login", "CODEX_TOKEN_COMMAND", ""),
            ),
            (
                &[("CODEX_TOKEN_SOURCE", "ssh")],
                ("fail login", "CODEX_SSH_HOST", "correct"),
            ),
            (
                &[
                    ("CODEX_TOKEN_SOURCE", "ssh"),
                    ("CODEX_SSH_HOST", "h"),
                    ("PATH", "/nowhere"),
                ],
                ("fail ssh", "no ssh client", "install"),
            ),
            (
                &[
                    ("CODEX_TOKEN_SOURCE", "remote"),
                    ("CODEX_REMOTE_URL", "unix:/nowhere/s"),
                ],
                ("fail socket", "/nowhere/s", "`sx token serve --listen"),
            ),
            (
                &[
                    ("CODEX_TOKEN_SOURCE", "remote"),
                    ("CODEX_REMOTE_URL", "http://127.0.0.1:1/codex"),
                ],
                ("fail host", "connection refused", "CODEX_REMOTE_URL"),
            ),
        ],
    );
    let well = serve(UNKNOWN);
    let file = |text: &str| drop(place.write("home/.codex/auth.json", text));
    file("{ this is");
    check(
        sx(&place, &well, &[]),
        ("fail login", "not valid JSON", "log"),
    );
    file("{\"OPENAI_API_KEY\": \"sk-1\"}");
    check(
        sx(&place, &well, &[]),
        ("fail login", "holds an API key", "sx login"),
    );
    let past = Credential {
        expires_at: 1_000_000_000,
        ..Credential::default()
    };
    let mut over = past.file();
    over["tokens"]["refresh_token"] = json!("");
    file(&over.to_string());
    check(
        sx(&place, &well, &[]),
        ("fail login", "expired at 2001", "log"),
    );
    place.write_credential(&Credential::default());
    let mode = |mode| {
        fs::set_permissions(place.credential_path(), Permissions::from_mode(mode)).expect("ours");
    };
    mode(0o644);
    check(
        sx(&place, &well, &[]),
        ("warn credential", "mode is 644", "chmod 600"),
    );
    mode(0o600);
    // Nobody is told to change the mode of a device.
    let link = place.path("home/link");
    std::os::unix::fs::symlink("/dev/null", &link).expect("a link");
    let device = sx(&place, &well, &[])
        .env("CODEX_CREDENTIALS_FILE", &link)
        .run();
    check_ran(&device, ("fail login", "not a regular file", "log"));
    assert!(!device.text().contains("chmod 600"), "{}", device.text());
    let both = sx(&place, &well, &[("OPENAI_API_KEY", "sk-1")]);
    check(both, ("warn key", "PROVIDER is codex", "PROVIDER=openai"));
    let socket = place.path("tmp/s");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    let url = format!("unix:{}", socket.display());
    let lent = [
        ("CODEX_TOKEN_SOURCE", "remote"),
        ("CODEX_REMOTE_URL", &*url),
    ];
    let ran = sx(&place, &well, &lent).run();
    assert!(
        ran.check_code(0).text().contains("somebody listens"),
        "{}",
        ran.text()
    );
}

#[test]
fn a_token_command_may_take_longer_than_all_the_rest() {
    let place = Place::new();
    let command = "sleep 1; echo a-token-of-somebody";
    let ran = sx(&place, &serve(UNKNOWN), &[("CODEX_TOKEN_COMMAND", command)]).run();
    let found = findings(ran.check_code(0));
    let login = found.iter().find(|one| one["check"] == "login");
    assert_eq!(login.map(|one| &one["state"]), Some(&json!("ok")));
}

#[test]
fn a_provider_that_nobody_pays_for_is_named() {
    let place = Place::new();
    let ran = place.sx(["doctor", "--json"]).run();
    check_ran(&ran, ("fail provider", "ROUTER_URL is empty", "sx login"));
    let keys = [
        ("anthropic", "ANTHROPIC_API_KEY"),
        ("openai", "OPENAI_API_KEY"),
    ];
    for (provider, key) in keys.into_iter().chain([("gemini", "GEMINI_API_KEY")]) {
        // Nobody is asked but this machine.
        let sx = place
            .sx(["doctor", "--json"])
            .env("PROVIDER", provider)
            .env("OFFLINE", "1");
        check(sx, ("fail login", "there is no key", key));
    }
}

#[test]
fn no_prompt_and_no_login_is_sent() {
    let place = Place::with_credential();
    let server = crate::server::Server::start([]);
    server.answer("/models", |_| crate::server::Reply::raw(UNKNOWN));
    let sx = place.sx(["doctor"]).asking(&server);
    sx.run().check_code(0);
    let asked = server.requests_to("");
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].method.as_str(), asked[0].header("authorization")),
        ("GET", "")
    );
}

#[test]
fn a_signal_ends_all_of_it_at_once() {
    let place = Place::with_credential();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = format!("http://{}", listener.local_addr().expect("bound"));
    let running = sx(&place, &silent, &[]).start();
    let (mut service, _) = listener.accept().expect("it asks");
    service.read_exact(&mut [0; 16]).expect("a request");
    // What comes before the service is told although the service says nothing.
    running.wait_for_stdout("\"check\":\"login\"");
    running.signal(Signal::SIGINT);
    running.wait().check_code(130);
}

#[test]
fn an_output_that_is_full_is_a_fault_of_its_own() {
    let place = Place::with_credential();
    let full = File::options()
        .write(true)
        .open(Path::new("/dev/full"))
        .expect("a device");
    let ran = sx(&place, &serve(UNKNOWN), &[]).run_into(full);
    assert!(
        ran.code().is_some_and(|code| code != 0 && code != 3),
        "{:?}",
        ran.code()
    );
}
