//! Trust in the settings files of a project, and profiles, through the built program.

use crate::place::Place;
use crate::sx::Ran;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;

const FILE: &str = "work/scorpiox-env.txt";

/// A project of a stranger's.
fn cloned() -> Place {
    let place = Place::new();
    place.write("work/.git/HEAD", "ref: refs/heads/main\n");
    place.write(FILE, "MODEL=m\nSANDBOX=off\nOPENAI_API_KEY=sk-hidden\n");
    place
}

fn sx(place: &Place, words: &[&str]) -> Ran {
    place.sx(words).run()
}

#[track_caller]
fn check_sandbox(place: &Place, expected: &str) {
    let ran = sx(place, &["config", "--get", "SANDBOX"]);
    ran.check_code(0).check_stdout(&format!("{expected}\n"));
}

#[test]
fn a_file_counts_whole_once_it_is_trusted_and_not_after_a_change() {
    let place = cloned();
    let ran = sx(&place, &["config", "--get", "SANDBOX"]);
    ran.check_stdout("workspace\n").check_said("`sx trust`");
    let ran = sx(&place, &["trust"]);
    ran.check_code(0)
        .check_printed("trusted as it is: ")
        .check_printed("  SANDBOX=off")
        .check_printed("  OPENAI_API_KEY=…");
    assert!(!ran.text().contains("hidden"));
    let ran = sx(&place, &["config", "--get", "SANDBOX"]);
    ran.check_stdout("off\n");
    assert_eq!(ran.stderr, "");
    let list = sx(&place, &["trust", "--list"]);
    list.check_printed("work/scorpiox-env.txt  trusted");
    place.write(FILE, "MODEL=m\nSANDBOX=off\nNETWORK=on\n");
    check_sandbox(&place, "workspace");
    let list = sx(&place, &["trust", "--list", "--json"]);
    let row: Value = serde_json::from_str(list.text()).expect("a line of JSON");
    assert_eq!(row["state"], "changed since, so not trusted");
    sx(&place, &["trust", "scorpiox-env.txt"]).check_code(0);
    check_sandbox(&place, "off");
    sx(&place, &["trust", "--revoke"])
        .check_code(0)
        .check_printed("no longer trusted: ");
    check_sandbox(&place, "workspace");
    sx(&place, &["trust", "--list"]).check_printed("no settings file of a project is trusted");
}

#[test]
fn what_loosens_a_guard_is_shown_however_it_is_buried() {
    let place = cloned();
    let address = format!(
        "OPENAI_BASE_URL=https://api.openai.com:{}@evil.example",
        "0".repeat(999)
    );
    let many = "BASH_TIMEOUT=1s\n".repeat(50) + &"MODEL=m\n".repeat(50);
    let long = "K".repeat(9_999);
    place.write(
        FILE,
        format!("{many}{long}=1\nSANDBOX=off\n{address}\nSANDBOX=off\n"),
    );
    let ran = sx(&place, &["trust"]);
    ran.check_code(0)
        .check_printed("\n  SANDBOX=off\n")
        .check_printed("@evil.example\n")
        .check_printed("\n  … and 11 more\n");
    assert!(ran.text().len() < 4_000, "{}", ran.text());
    // A name cannot pass itself off as another row.
    let odd = place.write("work/a\n\u{202e}b/scorpiox-env.txt", "MODEL=m\n");
    sx(&place, &["trust", &odd.display().to_string()]).check_code(0);
    let list = sx(&place, &["trust", "--list"]);
    assert_eq!(list.text().lines().count(), 2, "{}", list.text());
    assert!(!list.text().contains('\u{202e}'));
}

#[test]
fn what_is_behind_a_link_is_not_trusted_and_nothing_is_said_to_be() {
    let place = cloned();
    fs::rename(place.path(FILE), place.path("work/other.txt")).unwrap();
    symlink("other.txt", place.path(FILE)).unwrap();
    sx(&place, &["trust"])
        .check_code(3)
        .check_said("it is a symbolic link");
    check_sandbox(&place, "workspace");
    // Nor is what stands beside it, which was not shown.
    fs::remove_file(place.path(FILE)).unwrap();
    place.write(FILE, "SANDBOX=off\n");
    fs::create_dir_all(place.path("work/scorpiox-env/z.txt")).unwrap();
    let ran = sx(&place, &["trust"]);
    ran.check_code(3).check_said("it is not a regular file");
    check_sandbox(&place, "workspace");
    for number in 0..100 {
        place.write(&format!("work/scorpiox-env/{number}.txt"), "");
    }
    let ran = sx(&place, &["trust"]);
    ran.check_code(3).check_said("more than 100");
    fs::remove_dir_all(place.path("work/scorpiox-env")).unwrap();
    fs::remove_file(place.path(FILE)).unwrap();
    let ran = sx(&place, &["trust"]);
    ran.check_code(3)
        .check_said("there is no scorpiox-env.txt in ");
    let ran = sx(&place, &["trust", "nothing"]);
    ran.check_code(3).check_said("there is no such file");
    // Without a place for the record it is said and not done.
    place.write(FILE, "SANDBOX=off\n");
    let ran = place.sx(["trust"]).env("SX_STATE_DIR", "/proc/none").run();
    ran.check_code(3).check_said("cannot trust ");
}

#[test]
fn a_change_of_ones_own_carries_trust_over_and_no_other_does() {
    let place = cloned();
    let set = |words: &[&str]| {
        let all = [&["config", "--tier", "project", "--set"], words].concat();
        sx(&place, &all)
    };
    // A stranger's file stays a stranger's.
    set(&["NETWORK", "on"])
        .check_code(0)
        .check_said("this file may set it to off only");
    check_sandbox(&place, "workspace");
    sx(&place, &["trust"]).check_code(0);
    let ran = set(&["BASH_TIMEOUT", "7s"]);
    assert!(
        !ran.check_code(0).stderr.contains("warning"),
        "{}",
        ran.stderr
    );
    check_sandbox(&place, "off");
    // A new file is one's own.
    fs::remove_file(place.path(FILE)).unwrap();
    set(&["SANDBOX", "off"]).check_code(0);
    check_sandbox(&place, "off");
}

#[test]
fn a_profile_is_chosen_by_an_option_a_variable_and_a_file() {
    let place = Place::new();
    let set = |words: &[&str]| {
        sx(&place, &[&["config", "--set"], words].concat()).check_code(0);
    };
    set(&["MODEL", "plain"]);
    set(&["MODEL", "quick", "--tier", "profile:fast"]);
    let own = "home/.config/sx/scorpiox-env/fast.txt";
    assert_eq!(place.read(own), "MODEL=quick\n");
    let get = |words: &[&str]| sx(&place, &[&["config", "--get", "MODEL"], words].concat());
    get(&[]).check_stdout("plain\n");
    get(&["--profile", "fast"]).check_stdout("quick\n");
    get(&["--profile=fast", "-m", "typed"]).check_stdout("typed\n");
    let ran = place.sx(["config", "--get", "MODEL", "--show-source"]);
    ran.env("ACTIVE_PROFILE", "fast")
        .run()
        .check_printed("quick  # ")
        .check_printed("scorpiox-env/fast.txt:1");
    get(&["--profile", "slow"])
        .check_code(3)
        .check_said("ACTIVE_PROFILE is `slow`; there is fast");
    set(&["ACTIVE_PROFILE", "fast"]);
    get(&[]).check_stdout("quick\n");
    get(&["--profile", ""]).check_stdout("plain\n");
    let ran = sx(&place, &["config", "--files"]);
    ran.check_printed("profile  ")
        .check_printed("fast.txt  # all its keys count");
    let ran = sx(&place, &["config", "--dump", "--tier", "profile:fast"]);
    ran.check_stdout("MODEL=quick\n");
    let ran = sx(
        &place,
        &["config", "--dump", "--tier", "user", "--show-source"],
    );
    let path = place.path("home/.config/sx/scorpiox-env.txt");
    ran.check_stdout(&format!(
        "ACTIVE_PROFILE=fast  # {0}:2\nMODEL=plain  # {0}:1\n",
        path.display()
    ));
    sx(&place, &["config", "--dump", "--tier", "project"]).check_stdout("");
}
