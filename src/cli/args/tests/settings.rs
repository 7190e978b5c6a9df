//! The commands about settings: `config` and `trust`.

use super::*;

#[test]
fn settings_are_shown() {
    let config = |view, has_source| {
        Command::Config(Config {
            view,
            layer: None,
            has_source,
            is_json: false,
        })
    };
    check(&["config"], config(View::All, true));
    check(&["config", "--schema"], config(View::Schema, false));
    check(&["config", "--show-source"], config(View::Dump, true));
    check(&["config", "--dump"], config(View::Dump, false));
    check(
        &["config", "--dump", "--show-source"],
        config(View::Dump, true),
    );
    check(&["config", "--files"], config(View::Files, false));
    check(
        &["config", "--get", "MODEL"],
        config(View::Get("MODEL".into()), false),
    );
}

#[test]
fn settings_are_changed() {
    let edit = |key: &str, change, layer| {
        let changes = vec![(key.to_string(), change)];
        Command::Edit(Edit { changes, layer })
    };
    let opus = || Change::Set("opus".into());
    check(
        &["config", "--set", "MODEL", "opus"],
        edit("MODEL", opus(), Layer::User),
    );
    check(
        &["config", "--set", "MODEL= opus ", "--tier", "project"],
        edit("MODEL", opus(), Layer::Project),
    );
    check(
        &["config", "--set", "OPENAI_API_KEY", "-"],
        edit("OPENAI_API_KEY", Change::FromStdin, Layer::User),
    );
    check(
        &["config", "--unset", "MODLE", "--tier=global"],
        edit("MODLE", Change::Unset, Layer::Global),
    );
    check(
        &[
            "config",
            "--set",
            "MODEL",
            "x",
            "--unset",
            "TOOLS",
            "--set",
            "THINKING=0",
            "--set=MODEL=opus",
        ],
        Command::Edit(Edit {
            changes: vec![
                ("THINKING".into(), Change::Set("0".into())),
                ("MODEL".into(), opus()),
                ("TOOLS".into(), Change::Unset),
            ],
            layer: Layer::User,
        }),
    );
    check_refused(
        &["config", "--set", "MODEL=x", "--unset", "MODEL"],
        "--set and --unset of the same key exclude each other\nhint: give only one of them",
    );
    check_refused(
        &["config", "--set", "TOOLS", "maybe"],
        "--set TOOLS is `maybe`; it must be 0 or 1\nhint: `sx help` lists commands and options",
    );
    check_refused(
        &["config", "--set", "MODEL"],
        "`sx config` needs the value\n\
         hint: `sx config --set KEY VALUE`; `--unset KEY` takes the key out",
    );
    check_refused(
        &["config", "--set", "MODEL", "opus", "--dump"],
        "--set and --dump exclude each other\nhint: give only one of them",
    );
    check_refused(
        &["config", "--get", "MODELS"],
        "there is no setting MODELS\nhint: did you mean MODEL?",
    );
    check_refused(
        &["config", "--get", "MODEL", "--tier", "user"],
        "--tier means nothing without --set, --unset or --dump\n\
         hint: add --set, --unset or --dump, or leave --tier out",
    );
    check(
        &["config", "--set", "MODEL=opus", "--tier=profile:fast"],
        edit("MODEL", opus(), Layer::Profile("fast".into())),
    );
    check(
        &["config", "--dump", "--tier", "global"],
        Command::Config(Config {
            view: View::Dump,
            layer: Some(Layer::Global),
            has_source: false,
            is_json: false,
        }),
    );
    for bad in ["profile", "profile:", "profile:a/b", "Users"] {
        let said = format!(
            "--tier is `{bad}`; it must be user, project, global or profile:NAME\n\
             hint: `sx help` lists commands and options"
        );
        check_refused(&["config", "--unset", "MODEL", "--tier", bad], &said);
    }
}

#[test]
fn trust_is_given_taken_and_listed() {
    let trust = |act, files: &[&str], is_json| {
        let files = files.iter().map(PathBuf::from).collect();
        Command::Trust(Trust {
            act,
            files,
            is_json,
        })
    };
    check(&["trust"], trust(TrustAct::Accept, &[], false));
    check(
        &["trust", "a", "b"],
        trust(TrustAct::Accept, &["a", "b"], false),
    );
    check(&["trust", "--revoke"], trust(TrustAct::Revoke, &[], false));
    check(
        &["trust", "--list", "--json"],
        trust(TrustAct::List, &[], true),
    );
    check_refused(
        &["trust", "--list", "--revoke"],
        "--list and --revoke exclude each other\nhint: give only one of them",
    );
}
