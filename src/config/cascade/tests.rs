//! Profiles, trust, and what one layer says alone.

use crate::config::tests::House;
use crate::config::*;
use std::fs;

/// Lies on top of the files, below the environment; sparse; chosen by any of them.
#[test]
fn a_profile_lies_on_top_of_the_files_and_below_the_environment() {
    let house = House::new()
        .write("global", "MODEL=global\nRETRY_MAX=1\n")
        .write("user", "ACTIVE_PROFILE=fast\nMODEL=user\nIDLE_TIMEOUT=7s\n")
        .profile(
            "global",
            "fast",
            "MODEL=fast-global\nLOOP_MAX=7\nMAX_TURNS=7\n",
        )
        .profile(
            "user",
            "fast",
            "MODEL=fast-user\nMAX_TURNS=8\nACTIVE_PROFILE=slow\n",
        )
        .profile("user", "slow", "MODEL=slow\n");
    let (settings, warnings) = house.load(&[], &[]).unwrap();
    let origin = |key| house.local(&settings.setting(key).origin.to_string());
    assert_eq!(settings.text("MODEL"), "fast-user");
    assert_eq!(origin("MODEL"), "user/scorpiox-env/fast.txt:1");
    assert_eq!(
        (settings.count("LOOP_MAX"), settings.count("MAX_TURNS")),
        (7, 8)
    );
    assert_eq!(
        (settings.text("IDLE_TIMEOUT"), settings.count("RETRY_MAX")),
        ("7s", 1)
    );
    assert_eq!(
        warnings,
        ["user/scorpiox-env/fast.txt:3: ACTIVE_PROFILE is ignored: a profile chooses no other"]
    );
    for (environment, overrides, model) in [
        (&[("ACTIVE_PROFILE", "slow")][..], &[][..], "slow"),
        (
            &[("ACTIVE_PROFILE", "slow")],
            &[("ACTIVE_PROFILE", "fast")],
            "fast-user",
        ),
        (&[], &[("ACTIVE_PROFILE", "")], "user"),
        (&[("MODEL", "env")], &[("ACTIVE_PROFILE", "slow")], "env"),
    ] {
        let (settings, _) = house.load(environment, overrides).unwrap();
        assert_eq!(
            settings.text("MODEL"),
            model,
            "{environment:?} {overrides:?}"
        );
    }
}

#[test]
fn a_profile_that_is_not_there_is_an_error_that_names_those_that_are() {
    let house = House::new();
    assert_eq!(
        house.load(&[], &[("ACTIVE_PROFILE", "fast")]).unwrap_err(),
        "the command line: ACTIVE_PROFILE is `fast`; there is no fast.txt in \
         global/scorpiox-env or user/scorpiox-env or project/scorpiox-env"
    );
    let house = house
        .profile("user", "slow", "")
        .profile("project", "own", "");
    let house = house.write("user", "\nACTIVE_PROFILE=fast\n");
    assert_eq!(
        house.load(&[], &[]).unwrap_err(),
        "user/scorpiox-env.txt:2: ACTIVE_PROFILE is `fast`; there is own, slow"
    );
    assert_eq!(
        house.load(&[("ACTIVE_PROFILE", "../x")], &[]).unwrap_err(),
        "the environment: ACTIVE_PROFILE is `../x`; it must be a name of letters, digits, `-` \
         and `_`, at most 64"
    );
}

/// A profile of the project is a stranger's as its file is; which one counts is not its choice.
#[test]
fn a_projects_profile_is_trusted_no_more_than_its_file() {
    let house = House::new()
        .write("project", "ACTIVE_PROFILE=own\n")
        .profile("project", "own", "SANDBOX=off\nMODEL=m\n");
    let (settings, warnings) = house.load(&[], &[]).unwrap();
    assert_eq!(
        (settings.text("ACTIVE_PROFILE"), settings.text("MODEL")),
        ("", "sonnet")
    );
    assert!(warnings[0].contains("ACTIVE_PROFILE is ignored"));
    let (settings, warnings) = house.load(&[], &[("ACTIVE_PROFILE", "own")]).unwrap();
    assert_eq!(
        (settings.text("SANDBOX"), settings.text("MODEL")),
        ("workspace", "m")
    );
    assert!(warnings[1].starts_with("project/scorpiox-env/own.txt:1: SANDBOX is ignored"));
    // Nor is a folder of profiles that lies elsewhere.
    let project = house.0.join("project/scorpiox-env");
    fs::rename(&project, house.0.join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", &project).unwrap();
    let (settings, warnings) = house.load(&[], &[("ACTIVE_PROFILE", "own")]).unwrap();
    assert_eq!(settings.text("MODEL"), "sonnet");
    assert!(
        warnings[1].contains("a link out of its folder"),
        "{warnings:?}"
    );
}

#[test]
fn a_trusted_file_counts_whole_until_it_changes() {
    let text = "SANDBOX=off\nACTIVE_PROFILE=own\n";
    let house = House::new()
        .write("project", text)
        .profile("project", "own", "NETWORK=on\n");
    let trust = trust::Trust::new(Some(&house.0.join("state")));
    let path = house.0.join("project").join(FILE_NAME);
    trust.accept(&path, text.as_bytes()).unwrap();
    let (settings, warnings) = house.load(&[], &[]).unwrap();
    assert_eq!(
        (settings.text("SANDBOX"), settings.text("NETWORK")),
        ("off", "off")
    );
    assert_eq!(warnings.len(), 1);
    let trusted = settings
        .files()
        .iter()
        .map(|looked| (looked.tier, looked.is_trusted));
    assert!(trusted.clone().any(|pair| pair == (Tier::Project, true)));
    assert!(trusted.clone().any(|pair| pair == (Tier::Profile, false)));
    let profile = house.0.join("project/scorpiox-env/own.txt");
    trust.accept(&profile, b"NETWORK=on\n").unwrap();
    assert_eq!(house.load(&[], &[]).unwrap().0.text("NETWORK"), "on");
    let house = house.write("project", "SANDBOX=off\n# and more\n");
    let (settings, warnings) = house.load(&[], &[]).unwrap();
    assert_eq!((settings.text("SANDBOX"), warnings.len()), ("workspace", 1));
}

/// What a person has to know is not hidden by what else is wrong.
#[test]
fn a_guard_that_was_to_be_loosened_is_told_however_much_is_wrong() {
    let text = format!(
        "{}SANDBOX=off\n{}",
        "x\n".repeat(50),
        "SANDBOX=off\n".repeat(5)
    );
    let house = House::new().write("project", &text);
    let (_, warnings) = house.load(&[], &[]).unwrap();
    assert_eq!(warnings.len(), 22, "{warnings:?}");
    assert!(warnings[20].contains(":51: SANDBOX is ignored"));
    assert!(warnings[21].ends_with("30 more lines are wrong"));
}

#[test]
fn a_layer_alone_says_what_it_sets() {
    let house = House::new()
        .write("user", "MODEL=u\n")
        .write("project", "MODEL=p\nSANDBOX=off\n")
        .profile("user", "fast", "MODEL=f\n");
    let set = |layer: &Layer| {
        let loaded = house.with(&[], &[], |sources| load_layer(sources, layer));
        loaded.map_or_else(
            |error| house.local(&error.to_string()),
            |(settings, _)| {
                let set = settings.iter().filter(|set| set.origin != Origin::Default);
                let pairs = set.map(|set| format!("{}={}", set.key.name, set.value));
                pairs.collect::<Vec<_>>().join(" ")
            },
        )
    };
    assert_eq!(set(&Layer::User), "MODEL=u");
    assert_eq!(set(&Layer::Project), "MODEL=p");
    assert_eq!(set(&Layer::Global), "");
    assert_eq!(set(&Layer::Profile("fast".into())), "MODEL=f");
    assert!(set(&Layer::Profile("x".into())).ends_with("there is fast"));
    let names = house.with(&[], &[], profiles);
    assert_eq!(names, ["fast"]);
}
