//! Tests of the credential file, over temporary directories.

use super::*;
use crate::auth::scratch::Scratch;
use crate::auth::scratch::jwt;
use crate::auth::scratch::login;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::json;
use std::os::unix::fs::symlink;

fn parse(content: &Value) -> Result<Credential, Error> {
    Credential::parse(Path::new("auth.json"), content.to_string().as_bytes())
}

#[test]
fn the_place_that_was_named_is_the_only_one() {
    let scratch = Scratch::new();
    let mut places = Places {
        credentials_file: Some(scratch.path("named.json")),
        config_dir: Some(scratch.path("config")),
        account: None,
        codex_home: Some(scratch.path("codex")),
        home: Some(scratch.path("home")),
    };
    let Err(Error::NotFound { tried }) = places.find() else {
        panic!("found");
    };
    assert_eq!(tried, [scratch.path("named.json")]);
    places.credentials_file = None;
    let (own, official) = (
        scratch.path("config/codex-auth.json"),
        scratch.path("codex/auth.json"),
    );
    assert_eq!(places.paths(), [own.clone(), official.clone()]);
    places.codex_home = None;
    let official = {
        assert_ne!(official, scratch.path("home/.codex/auth.json"));
        scratch.path("home/.codex/auth.json")
    };
    assert_eq!(places.paths(), [own.clone(), official.clone()]);
    fs::create_dir_all(official.parent().unwrap()).unwrap();
    fs::write(&official, "").unwrap();
    assert_eq!(places.find().unwrap(), official);
    // A file where a folder should be is as good as nothing there.
    fs::write(scratch.path("config"), "").unwrap();
    assert_eq!(places.find().unwrap(), official);
    fs::remove_file(scratch.path("config")).unwrap();
    fs::create_dir(scratch.path("config")).unwrap();
    fs::write(&own, "").unwrap();
    assert_eq!(places.find().unwrap(), own);
}

#[test]
fn a_login_that_has_a_name_is_looked_for_by_that_alone() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("codex-accounts")).unwrap();
    scratch.write("auth.json", &login(5_000, "a", "acc"));
    scratch.write("codex-auth.json", &login(5_000, "a", "acc"));
    let work = scratch.write("codex-accounts/work.json", &login(5_000, "a", "acc"));
    let places = |name| Places {
        config_dir: Some(scratch.dir().into()),
        account: Some(account::Name::new(name).unwrap()),
        codex_home: Some(scratch.dir().into()),
        ..Places::default()
    };
    assert_eq!(places("work").find().unwrap(), work);
    let error = places("home").find().unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no login `home`; there are: work"
    );
    assert_eq!(error.hint(), "log in: `sx login --name home`");
    // A file that was named is what counts, whatever else is said.
    let named = Places {
        credentials_file: Some(scratch.path("auth.json")),
        ..places("home")
    };
    assert_eq!(named.find().unwrap(), scratch.path("auth.json"));
}

#[test]
fn the_hint_is_the_command_of_the_program_whose_file_it_is() {
    let check = |path: &str, expected: &str| {
        let error = Error::Expired { path: path.into() };
        assert!(error.hint().contains(expected), "{path}: {}", error.hint());
    };
    check("/c/codex-auth.json", "`sx login --force`");
    check(
        "/c/codex-accounts/work.json",
        "`sx login --force --name work`",
    );
    check("/h/.codex/auth.json", "`codex login`");
    check("/x/any.json", "CODEX_CREDENTIALS_FILE");
}

#[test]
fn without_a_home_nothing_is_found_and_the_message_says_so() {
    let error = Places::default().find().unwrap_err();
    assert!(error.to_string().contains("no home directory"), "{error}");
    assert!(error.hint().contains("sx demo"));
}

#[test]
fn a_login_is_read_with_what_its_tokens_say() {
    let credential = parse(&login(5_000, "a", "acc")).unwrap();
    let token = &credential.token;
    assert_eq!(token.access.expose(), jwt(5_000, "a"));
    assert_eq!(token.account_id.as_deref(), Some("acc"));
    assert_eq!(token.email.as_deref(), Some("a@example.org"));
    assert_eq!(token.plan.as_deref(), Some("plus"));
    assert_eq!(token.expires_at, Some(5_000));
    assert_eq!(token.source, "auth.json");
    assert_eq!(credential.refresh, Some(Secret::new("refresh-a")));
    assert_eq!(credential.client_id.as_deref(), Some("client"));
    assert_eq!(credential.last_refresh, Some(1_767_225_600));
}

#[test]
fn a_bearer_alone_is_enough() {
    let credential = parse(&json!({"tokens": {"access_token": " opaque\n"}})).unwrap();
    assert_eq!(credential.token.access.expose(), "opaque");
    assert_eq!(credential.refresh, None);
    assert_eq!(credential.token.expires_at, None);
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_login() {
    let login = b"\xef\xbb\xbf{\"tokens\":{\"access_token\":\"opaque\"}}";
    let credential = Credential::parse(Path::new("f"), login).unwrap();
    assert_eq!(credential.token.access.expose(), "opaque");
}

#[test]
fn a_file_that_is_no_login_says_what_is_wrong_and_no_secret() {
    let check = |bytes: &str, expected: &str| {
        let error = Credential::parse(Path::new("f"), bytes.as_bytes()).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with("f: "), "{message}");
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
        assert!(!format!("{error:?}").contains("hunter2"));
    };
    check("", "is empty");
    check(" \n", "is empty");
    check("\"hunter2\"", "not a JSON object");
    check("{\"tokens\":hunter2}", "not valid JSON");
    check(
        "{\"tokens\":{\"access_token\":\"hunter2\"",
        "not valid JSON",
    );
    check("{}", "no `tokens` object");
    check("{\"tokens\":[\"hunter2\"]}", "no `tokens` object");
    check(
        "{\"tokens\":{\"refresh_token\":\"hunter2\"}}",
        "no tokens.access_token",
    );
    check(
        "{\"tokens\":{\"access_token\":7}}",
        "no tokens.access_token",
    );
    check(
        "{\"tokens\":{\"access_token\":\"hunter2\\r\\nx\"}}",
        "a blank or a character",
    );
    check(
        "{\"tokens\":{\"access_token\":\"a\",\"account_id\":\"hunter2\\nx: y\"}}",
        "tokens.account_id holds a blank or a character",
    );
    check(
        "{\"OPENAI_API_KEY\":\"hunter2\",\"tokens\":null}",
        "an API key",
    );
    check(
        "{\"personal_access_token\":\"hunter2\"}",
        "personal_access_token",
    );
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let scratch = Scratch::new();
    for path in [scratch.dir(), Path::new("/dev/zero")] {
        let error = Credential::read(path).unwrap_err().to_string();
        assert_eq!(error, format!("{}: is not a regular file", path.display()));
    }
    let big = scratch.path("big");
    fs::write(&big, vec![b' '; (FILE_BYTES_MAX + 1) as usize]).unwrap();
    let error = Credential::read(&big).unwrap_err().to_string();
    assert!(
        error.ends_with("is over 1 MiB, so it is no login"),
        "{error}"
    );
    let within = Credential::read(&big.join("auth.json")).unwrap_err();
    assert!(matches!(within, Error::NotFound { .. }), "{within}");
    let link = scratch.path("link");
    std::os::unix::fs::symlink(&link, &link).unwrap();
    let error = Credential::read(&link).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot read ") && error.contains(": Too many"),
        "{error}"
    );
    let missing = Credential::read(&scratch.path("missing")).unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing}");
}

#[test]
fn a_renewal_keeps_what_we_do_not_know() {
    let old = parse(&login(5_000, "a", "acc")).unwrap();
    let fresh = Fresh {
        access: Some(Secret::new(jwt(9_000, "b"))),
        refresh: Some(Secret::new("refresh-b")),
        id: None,
        expires_in: Some(60),
    };
    let renewed = old.renewed(Path::new("auth.json"), &fresh, 1_767_225_601);
    let renewed = renewed.unwrap();
    let mut expected = login(9_000, "b", "acc");
    expected["last_refresh"] = json!("2026-01-01T00:00:01Z");
    let written: Value = serde_json::from_str(&renewed.text()).unwrap();
    assert_eq!(written, expected);
    assert_eq!(renewed.token.expires_at, Some(9_000));
    let partial = Fresh {
        access: fresh.access.clone(),
        ..Fresh::default()
    };
    let renewed = old.renewed(Path::new("auth.json"), &partial, 0).unwrap();
    assert_eq!(renewed.refresh, old.refresh);
}

#[test]
fn a_replacement_is_for_the_owner_alone_and_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &json!({}));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let before = fs::metadata(&path).unwrap().ino();
    drop(Replacement::create(&path).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), "{}");
    Replacement::create(&path).unwrap().commit("new\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
    let after = fs::metadata(&path).unwrap();
    assert_eq!(after.mode() & 0o777, 0o600);
    assert_ne!(after.ino(), before, "renamed, not overwritten");
    assert_eq!(fs::read_dir(scratch.dir()).unwrap().count(), 1);
}

#[test]
fn the_locks_are_the_official_clients_and_exclude_one_another() {
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &json!({}));
    let held = Locks::try_take(&path).unwrap();
    assert!(scratch.path("auth.lock").exists());
    assert!(scratch.path("auth.json.lock").exists());
    assert!(matches!(Locks::try_take(&path).unwrap(), Taken::Busy));
    drop(held);
    let commit = File::open(scratch.path("auth.lock")).unwrap();
    commit.try_lock().unwrap();
    assert!(matches!(Locks::try_take(&path).unwrap(), Taken::Busy));
    drop(commit);
    assert!(matches!(Locks::try_take(&path).unwrap(), Taken::Locks(_)));
    // A pipe in the place of a lock would make us wait for its other end.
    fs::remove_file(scratch.path("auth.lock")).unwrap();
    mkfifo(&scratch.path("auth.lock"), Mode::S_IRWXU).unwrap();
    let refused = Locks::try_take(&path).unwrap_err().to_string();
    assert!(refused.contains("auth.lock"), "{refused}");
    // Through a link the locks are those of the file itself.
    let link = scratch.path("link.json");
    symlink(&path, &link).unwrap();
    assert_eq!(
        fs::canonicalize(&link).unwrap(),
        fs::canonicalize(&path).unwrap()
    );
}

#[test]
fn a_file_that_is_mounted_alone_is_written_in_place() {
    use io::ErrorKind::CrossesDevices;
    use io::ErrorKind::PermissionDenied;
    use io::ErrorKind::ResourceBusy;
    let scratch = Scratch::new();
    for (refusal, expected) in [
        (ResourceBusy, "new\n"),
        (CrossesDevices, "new\n"),
        (PermissionDenied, "a longer old text"),
    ] {
        let path = scratch.path("auth.json");
        fs::write(&path, "a longer old text").unwrap();
        let before = fs::metadata(&path).unwrap().ino();
        let replacement = Replacement::create(&path).unwrap();
        let committed = replacement.commit_by("new\n", |from, _| {
            // The whole of it is on the disk before the old file is touched.
            assert_eq!(fs::read_to_string(from).unwrap(), "new\n");
            Err(refusal.into())
        });
        assert_eq!(committed.is_err(), refusal == PermissionDenied);
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(fs::metadata(&path).unwrap().ino(), before);
        assert_eq!(fs::read_dir(scratch.dir()).unwrap().count(), 1);
    }
    // What can be written neither way is an error.
    let replacement = Replacement::create(&scratch.path("auth.json")).unwrap();
    fs::remove_file(scratch.path("auth.json")).unwrap();
    let committed = replacement.commit_by("new\n", |_, _| Err(ResourceBusy.into()));
    assert!(matches!(committed, Err(Error::Io { .. })));
}

#[test]
fn without_locks_a_file_of_ours_keeps_our_own_processes_apart() {
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &json!({}));
    let unsupported = |_: &File| Err(TryLockError::Error(io::ErrorKind::Unsupported.into()));
    let take = || Locks::try_take_by(&path, unsupported).unwrap();
    let Taken::Locks(locks) = take() else {
        panic!("nobody has it");
    };
    assert!(locks.is_makeshift());
    assert!(matches!(take(), Taken::Busy));
    drop(locks);
    assert!(!scratch.path("auth.json.renewing.lock").exists());
    assert!(matches!(take(), Taken::Locks(_)));
    fs::remove_dir_all(scratch.dir()).unwrap();
    let refused = Locks::try_take_by(&path, unsupported);
    assert!(matches!(refused, Err(Error::Io { action: "lock", .. })));
}
