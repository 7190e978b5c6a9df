//! The sandbox against the real kernel: each case runs in a process of its own, which restricts
//! itself and reports what it could still do. Leaves out what needs the hands: see `tests/it`.

use super::*;
use crate::base::random;
use std::fs;
use std::fs::OpenOptions;
use std::net::TcpListener;
use std::process::Command;

/// Set in the process that restricts itself; its value is the scratch directory.
const CHILD: &str = "SX_TEST_SANDBOX";

struct Scratch(PathBuf);

impl Scratch {
    /// A home with a credential and a project, and a temporary directory.
    fn new() -> Scratch {
        let name = format!("sx-test-{}", random::uuid().unwrap());
        let scratch = Scratch(std::env::temp_dir().canonicalize().unwrap().join(name));
        for dir in [
            "home/.ssh",
            "home/project/.git",
            "home/project/src",
            "home/other",
            "temp",
        ] {
            fs::create_dir_all(scratch.0.join(dir)).unwrap();
        }
        for file in ["home/.ssh/key", "home/project/a", "home/other/b", "token"] {
            fs::write(scratch.0.join(file), "text").unwrap();
        }
        scratch
    }

    fn policy(&self, mode: Mode) -> Policy {
        let home = self.0.join("home");
        Policy {
            mode,
            cwd: home.join("project/src"),
            writable: Vec::new(),
            network: false,
            hidden: paths::credential_paths(std::slice::from_ref(&home), &[self.0.join("token")]),
            own: vec![home.join(".config/sx"), self.0.join("state")],
            temp: Some(self.0.join("temp")),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs the test `name` again in a process of its own, where [`in_child`] is true.
#[track_caller]
fn check_in_child(name: &str) {
    let scratch = Scratch::new();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("sandbox::tests::{name}"), "--nocapture"])
        .env(CHILD, &scratch.0)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

/// The scratch directory, in the process that restricts itself; `None` in the ordinary test. The
/// one who made it removes it.
fn in_child() -> Option<std::mem::ManuallyDrop<Scratch>> {
    let path = std::env::var_os(CHILD)?;
    Some(std::mem::ManuallyDrop::new(Scratch(path.into())))
}

fn reads(path: PathBuf) -> bool {
    fs::read(path).is_ok()
}

fn writes(path: PathBuf) -> bool {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .is_ok()
}

fn kernel_has_landlock() -> bool {
    ruleset::version().is_ok()
}

#[test]
fn workspace_writes_the_repository_and_reads_all_but_credentials() {
    let Some(scratch) = in_child() else {
        return check_in_child("workspace_writes_the_repository_and_reads_all_but_credentials");
    };
    if !kernel_has_landlock() {
        assert!(matches!(
            apply(&scratch.policy(Mode::Workspace)),
            Err(Error::Unavailable(_))
        ));
        return;
    }
    let at = |path: &str| scratch.0.join(path);
    let enforced = apply(&scratch.policy(Mode::Workspace)).unwrap();
    assert!(
        enforced.to_string().starts_with("workspace (landlock "),
        "{enforced}"
    );
    for path in [
        "home/project/new",
        "home/project/src/new",
        "home/project/.git/index",
        "temp/x",
    ] {
        assert!(writes(at(path)), "{path}");
    }
    fs::rename(at("home/project/new"), at("home/project/src/moved")).unwrap();
    for path in [
        "home/other/b",
        "home/new",
        "home/.ssh/new",
        "outside",
        "home/other/new",
    ] {
        assert!(!writes(at(path)), "{path}");
    }
    assert!(reads(at("home/project/a")) && reads(at("home/other/b")));
    assert!(!reads(at("home/.ssh/key")) && !reads(at("token")));
    std::os::unix::fs::symlink(at("home/.ssh/key"), at("home/project/link")).unwrap();
    assert!(!reads(at("home/project/link")));
    assert!(fs::hard_link(at("home/.ssh/key"), at("home/project/hard")).is_err());
    assert!(fs::rename(at("home/.ssh"), at("home/project/ssh")).is_err());
    assert!(writes("/dev/null".into()) && fs::read_dir("/").is_ok());
    assert!(
        Command::new("/bin/sh")
            .args(["-c", "exit 0"])
            .status()
            .unwrap()
            .success()
    );
    let tcp = TcpListener::bind(("127.0.0.1", 0));
    assert_eq!(tcp.is_err(), enforced.to_string().contains("tcp"));
}

#[test]
fn read_only_writes_nothing_but_its_own_temporary_files() {
    let Some(scratch) = in_child() else {
        return check_in_child("read_only_writes_nothing_but_its_own_temporary_files");
    };
    if !kernel_has_landlock() {
        return;
    }
    let at = |path: &str| scratch.0.join(path);
    let enforced = apply(&scratch.policy(Mode::ReadOnly)).unwrap();
    assert!(
        enforced.to_string().starts_with("read-only (landlock "),
        "{enforced}"
    );
    assert!(writes(at("temp/x")) && writes("/dev/null".into()));
    for path in ["home/project/a", "home/project/src/new", "home/other/b"] {
        assert!(!writes(at(path)), "{path}");
    }
    assert!(reads(at("home/project/a")) && !reads(at("home/.ssh/key")));
    assert!(!writes("/dev/full".into()) && reads("/proc/self/stat".into()));
}

#[test]
fn the_network_stays_where_it_is_allowed() {
    let Some(scratch) = in_child() else {
        return check_in_child("the_network_stays_where_it_is_allowed");
    };
    if !kernel_has_landlock() {
        return;
    }
    let mut policy = scratch.policy(Mode::Workspace);
    policy.network = true;
    let enforced = apply(&policy).unwrap();
    assert!(
        enforced.to_string().ends_with("; network on)"),
        "{enforced}"
    );
    assert!(TcpListener::bind(("127.0.0.1", 0)).is_ok());
}

#[test]
fn a_credential_below_the_workspace_is_refused_with_a_way_out() {
    let scratch = Scratch::new();
    let home = scratch.0.join("home");
    let mut policy = scratch.policy(Mode::Workspace);
    policy.cwd = home.clone();
    let error = grants(&policy).unwrap_err();
    assert!(matches!(&error, Error::HiddenBelow { hidden, .. } if *hidden == home.join(".ssh")));
    assert!(error.hint().contains("-C"), "{}", error.hint());
    // Only looking is fine: nothing below needs to be granted as a whole.
    policy.mode = Mode::ReadOnly;
    assert!(grants(&policy).is_ok());
    policy.cwd = home.join(".ssh");
    assert!(matches!(grants(&policy), Err(Error::InsideHidden { .. })));
    let mut policy = scratch.policy(Mode::Workspace);
    policy.writable = vec![home];
    assert!(matches!(grants(&policy), Err(Error::HiddenBelow { .. })));
}

#[test]
fn what_we_believe_later_cannot_be_made_now() {
    let scratch = Scratch::new();
    let mut policy = scratch.policy(Mode::Workspace);
    // Neither is there.
    for own in ["home/project/state", "home/project/src/a/b"] {
        policy.own = vec![scratch.0.join(own)];
        let written = grants(&policy).map(|grants| {
            let writes = |(path, grant): &(PathBuf, Grant)| {
                *grant == Grant::Write && policy.own[0].starts_with(path)
            };
            grants.iter().any(writes)
        });
        assert!(
            matches!(written, Ok(false) | Err(Error::HiddenBelow { .. })),
            "{own}"
        );
    }
    policy.own = vec![scratch.0.join("home/project/src/.sx")];
    assert!(matches!(grants(&policy), Err(Error::HiddenBelow { .. })));
    policy.mode = Mode::ReadOnly;
    assert!(grants(&policy).is_ok());
}

#[test]
fn a_home_that_is_a_repository_is_not_the_project() {
    let scratch = Scratch::new();
    let home = scratch.0.join("home");
    fs::create_dir(home.join(".git")).unwrap();
    let mut policy = scratch.policy(Mode::Workspace);
    policy.cwd = home.join("other");
    let grants = grants(&policy).unwrap();
    let is_written = |path: &Path| grants.contains(&(path.to_path_buf(), Grant::Write));
    assert!(is_written(&home.join("other")) && !is_written(&home));
}

#[test]
fn a_git_that_is_a_link_is_granted_nowhere_else() {
    let scratch = Scratch::new();
    let home = scratch.0.join("home");
    let project = home.join("project");
    fs::remove_dir(project.join(".git")).unwrap();
    std::os::unix::fs::symlink(&home, project.join(".git")).unwrap();
    let grants = grants(&scratch.policy(Mode::Workspace)).unwrap();
    for (path, grant) in &grants {
        let leads_to_home = home.starts_with(paths::resolve(path));
        assert!(*grant != Grant::Write || !leads_to_home, "{path:?}");
    }
    assert!(grants.contains(&(project, Grant::Write)));
}

#[test]
fn a_credential_in_shared_memory_is_hidden_too() {
    let scratch = Scratch::new();
    let mut policy = scratch.policy(Mode::Workspace);
    policy.hidden = vec!["/dev/shm/token".into()];
    let grants = grants(&policy).unwrap();
    let covers = |(path, _): &&(PathBuf, Grant)| Path::new("/dev/shm/token").starts_with(path);
    let covering: Vec<_> = grants.iter().filter(covers).collect();
    assert_eq!(covering, [&(PathBuf::from("/"), Grant::List)]);
}

#[test]
fn what_is_enforced_is_said_exactly() {
    let line = |abi: Option<ABI>, network| {
        let mode = abi.map_or(Mode::Off, |_| Mode::Workspace);
        Enforced { mode, network, abi }.to_string()
    };
    let cases = [
        (None, false, "off"),
        (
            Some(ABI::V1),
            false,
            "workspace (landlock 1: files; network not stopped)",
        ),
        (
            Some(ABI::V4),
            false,
            "workspace (landlock 4: files, truncate, tcp)",
        ),
        (
            Some(ABI::V4),
            true,
            "workspace (landlock 4: files, truncate; network on)",
        ),
        (
            Some(ABI::V7),
            false,
            "workspace (landlock 7: files, truncate, ioctl, tcp, signals, abstract sockets)",
        ),
    ];
    for (abi, network, expected) in cases {
        assert_eq!(line(abi, network), expected);
    }
}
