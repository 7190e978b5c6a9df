//! Tests of the local source against an issuer that is a script.

use super::*;
use crate::auth::Unreachable;
use crate::auth::describe;
use crate::auth::scratch::Scratch;
use crate::auth::scratch::jwt;
use crate::auth::scratch::login;
use crate::base::clock::Deadline;
use crate::http::exchange::Request;
use crate::http::head::Headers;
use crate::proc::capture::Capture;
use serde_json::Value;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;

/// Status and body, or no answer.
type Answer = Result<(u16, String), Unreachable>;

/// An issuer: what it does and answers, and how often it was asked.
struct Issuer<'a> {
    answer: Box<dyn FnMut(&Value) -> Answer + 'a>,
    pause: Box<dyn FnMut() -> Result<(), Unreachable> + 'a>,
    asked: usize,
}

impl<'a> Issuer<'a> {
    fn new(answer: impl FnMut(&Value) -> Answer + 'a) -> Issuer<'a> {
        Issuer {
            answer: Box::new(answer),
            pause: Box::new(|| panic!("nobody holds the lock")),
            asked: 0,
        }
    }

    fn saying(status: u16, body: &'a str) -> Issuer<'a> {
        Issuer::new(move |_| Ok((status, body.to_string())))
    }

    fn unused() -> Issuer<'a> {
        Issuer::new(|_| panic!("the issuer is not to be asked"))
    }

    /// Gives the tokens of `login(exp, mark, ..)`.
    fn giving(exp: u64, mark: &'a str) -> Issuer<'a> {
        Issuer::new(move |_| {
            let body = json!({"access_token": jwt(exp, mark),
                "refresh_token": format!("refresh-{mark}")});
            Ok((200, body.to_string()))
        })
    }
}

impl Fetch for Issuer<'_> {
    fn fetch(
        &mut self,
        request: Request,
        socket: Option<&Path>,
    ) -> Result<(u16, Headers, Vec<u8>), Unreachable> {
        assert_eq!(socket, None);
        self.asked += 1;
        assert_eq!(
            request.url.to_string(),
            "https://issuer.example.org/oauth/token"
        );
        let body = serde_json::from_slice(&request.body).unwrap();
        let (status, body) = (self.answer)(&body)?;
        Ok((status, Headers::new(), body.into_bytes()))
    }

    fn pause(&mut self, _deadline: Deadline) -> Result<(), Unreachable> {
        (self.pause)()
    }

    fn wait(&mut self, _program: &Capture) -> Result<(), Unreachable> {
        panic!("no program is run")
    }
}

fn store(path: &Path) -> Store {
    Store::new(Options {
        places: Places {
            credentials_file: Some(path.to_path_buf()),
            ..Places::default()
        },
        issuer: Url::parse("https://issuer.example.org").unwrap(),
        client_id: None,
        identity: Identity::own(),
        renewer: None,
    })
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Seconds from now.
fn at(seconds: i64) -> u64 {
    clock::unix_seconds().saturating_add_signed(seconds)
}

const HOUR: i64 = 3_600;

#[test]
fn a_living_token_is_used_as_it_is() {
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &login(at(HOUR), "a", "acc"));
    let mut store = store(&path);
    let token = store.fresh(Why::Proactive, &mut Issuer::unused()).unwrap();
    assert_eq!(describe(&token), "a@example.org (plus)");
    assert_eq!(
        fs::read_dir(scratch.dir()).unwrap().count(),
        1,
        "no lock, no copy"
    );
}

#[test]
fn a_token_about_to_expire_is_renewed_and_the_file_rewritten() {
    let scratch = Scratch::new();
    let folder = scratch.path("elsewhere");
    fs::create_dir(&folder).unwrap();
    let path = scratch.write("elsewhere/auth.json", &login(at(200), "a", "acc"));
    let link = scratch.path("link.json");
    symlink(&path, &link).unwrap();
    let exp = at(HOUR);
    let mut issuer = Issuer::new(|body: &Value| {
        let expected = json!({"client_id": "client", "grant_type": "refresh_token",
            "refresh_reason": "proactive_expiry", "refresh_token": "refresh-a"});
        assert_eq!(*body, expected);
        assert!(
            matches!(Locks::try_take(&path).unwrap(), Taken::Busy),
            "held through the call"
        );
        Ok((
            200,
            json!({"access_token": jwt(exp, "b"), "refresh_token": "refresh-b"}).to_string(),
        ))
    });
    let mut store = store(&link);
    let token = store.fresh(Why::Proactive, &mut issuer).unwrap();
    assert_eq!(token.access.expose(), jwt(exp, "b"));
    assert_eq!(token.source, link.display().to_string());
    assert_eq!(issuer.asked, 1);
    drop(issuer);
    let mut expected = login(exp, "b", "acc");
    let written = read(&path);
    expected["last_refresh"] = written["last_refresh"].clone();
    assert_eq!(written, expected);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(
        fs::symlink_metadata(&link).unwrap().is_symlink(),
        "the link stays"
    );
    let names = fs::read_dir(&folder).unwrap().count();
    assert_eq!(names, 3, "the file and its two locks");
    assert_eq!(store.take_warning(), None);
    store.fresh(Why::Proactive, &mut Issuer::unused()).unwrap();
}

#[test]
fn a_refused_token_is_renewed_whatever_it_says_of_its_end() {
    let later = at(HOUR);
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &login(later, "a", "acc"));
    let mut store = store(&path);
    store.load().unwrap();
    let mut issuer = Issuer::giving(later, "b");
    let token = store.fresh(Why::Unauthorized, &mut issuer).unwrap();
    assert_eq!(token.access.expose(), jwt(later, "b"));
    assert_eq!(issuer.asked, 1);
}

#[test]
fn what_a_sibling_renewed_is_taken_without_asking() {
    let much_later = at(2 * HOUR);
    let scratch = Scratch::new();
    for (exp, why) in [(at(HOUR), Why::Unauthorized), (at(10), Why::Proactive)] {
        let path = scratch.write("auth.json", &login(exp, "a", "acc"));
        let mut store = store(&path);
        store.load().unwrap();
        scratch.write("auth.json", &login(much_later, "b", "acc"));
        let token = store.fresh(why, &mut Issuer::unused()).unwrap();
        assert_eq!(token.access.expose(), jwt(much_later, "b"));
    }
}

#[test]
fn whoever_waits_for_the_lock_takes_what_its_holder_wrote() {
    let later = at(HOUR);
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &login(at(-10), "a", "acc"));
    let mut holder = Some(Locks::try_take(&path).unwrap());
    let mut pauses = 0;
    let mut issuer = Issuer::unused();
    issuer.pause = Box::new(|| {
        pauses += 1;
        if pauses == 3 {
            scratch.write("auth.json", &login(later, "b", "acc"));
            holder = None;
        }
        Ok(())
    });
    let token = store(&path).fresh(Why::Proactive, &mut issuer).unwrap();
    assert_eq!(token.access.expose(), jwt(later, "b"));
}

#[test]
fn a_person_can_end_the_wait_for_the_lock() {
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &login(at(-10), "a", "acc"));
    let _holder = Locks::try_take(&path).unwrap();
    let mut issuer = Issuer::unused();
    issuer.pause = Box::new(|| Err(Unreachable::new("interrupted")));
    let error = store(&path).fresh(Why::Proactive, &mut issuer).unwrap_err();
    assert!(matches!(error, Error::Transient { .. }), "{error}");
}

#[test]
fn another_account_is_never_taken_for_ours() {
    let later = at(HOUR);
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &login(later, "a", "acc"));
    let mut store = store(&path);
    store.load().unwrap();
    scratch.write("auth.json", &login(later, "b", "other"));
    let error = store
        .fresh(Why::Unauthorized, &mut Issuer::unused())
        .unwrap_err();
    assert!(matches!(error, Error::OtherAccount { .. }), "{error}");
}

#[test]
fn the_old_token_is_used_while_it_lives() {
    let soon = at(200);
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &login(soon, "a", "acc"));
    let before = read(&path);
    let unreachable = || Issuer::new(|_| Err(Unreachable::new("connection refused")));
    for mut issuer in [unreachable(), Issuer::saying(503, "<html>")] {
        let mut store = store(&path);
        let token = store.fresh(Why::Proactive, &mut issuer).unwrap();
        assert_eq!(token.access.expose(), jwt(soon, "a"));
        assert!(
            store
                .take_warning()
                .unwrap()
                .contains("could not be renewed")
        );
        assert_eq!(store.take_warning(), None, "said once");
        assert_eq!(read(&path), before);
    }
    scratch.write("auth.json", &login(at(-1), "a", "acc"));
    let error = store(&path)
        .fresh(Why::Proactive, &mut unreachable())
        .unwrap_err();
    let expected = "the login could not be renewed: issuer.example.org: connection refused";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_spent_refresh_token_is_tried_once() {
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &login(at(-1), "a", "acc"));
    let mut store = store(&path);
    let body = r#"{"error":{"code":"refresh_token_expired"}}"#;
    let mut issuer = Issuer::saying(401, body);
    for _ in 0..2 {
        let error = store.fresh(Why::Unauthorized, &mut issuer).unwrap_err();
        assert!(matches!(error, Error::Permanent { .. }), "{error}");
        assert!(error.to_string().contains("has expired"), "{error}");
    }
    assert_eq!(issuer.asked, 1);
    // A new login is another matter.
    scratch.write("auth.json", &login(at(-1), "b", "acc"));
    store
        .fresh(Why::Unauthorized, &mut Issuer::giving(at(HOUR), "c"))
        .unwrap();
}

#[test]
fn a_token_that_a_program_without_locks_spent_first_is_no_failure() {
    let later = at(HOUR);
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &login(at(-1), "a", "acc"));
    let mut issuer = Issuer::new(|_| {
        scratch.write("auth.json", &login(later, "b", "acc"));
        Ok((
            401,
            r#"{"error":{"code":"refresh_token_reused"}}"#.to_string(),
        ))
    });
    let token = store(&path).fresh(Why::Proactive, &mut issuer).unwrap();
    assert_eq!(token.access.expose(), jwt(later, "b"));
}

#[test]
fn a_file_for_one_tokens_life_is_never_renewed() {
    let scratch = Scratch::new();
    let mut content = login(at(-1), "a", "acc");
    content["tokens"]["refresh_token"] = Value::Null;
    let path = scratch.write("auth.json", &content);
    let error = store(&path)
        .fresh(Why::Proactive, &mut Issuer::unused())
        .unwrap_err();
    assert!(matches!(error, Error::Expired { .. }), "{error}");
    assert_eq!(fs::read_dir(scratch.dir()).unwrap().count(), 1, "no lock");
}

#[test]
fn a_token_is_not_spent_where_its_successor_cannot_be_kept() {
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &login(at(-1), "a", "acc"));
    fs::create_dir(scratch.path("auth.lock")).unwrap();
    let error = store(&path)
        .fresh(Why::Proactive, &mut Issuer::unused())
        .unwrap_err();
    assert!(matches!(error, Error::Io { action: "lock", .. }), "{error}");
}

#[test]
fn a_successor_that_cannot_be_saved_is_still_used() {
    let later = at(HOUR);
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &login(at(-1), "a", "acc"));
    let mut issuer = Issuer::new(|_| {
        fs::remove_dir_all(scratch.dir()).unwrap();
        Ok((200, json!({"access_token": jwt(later, "b")}).to_string()))
    });
    let mut store = store(&path);
    let token = store.fresh(Why::Proactive, &mut issuer).unwrap();
    assert_eq!(token.access.expose(), jwt(later, "b"));
    assert!(store.take_warning().unwrap().contains("is not saved"));
    store.fresh(Why::Proactive, &mut Issuer::unused()).unwrap();
}

#[test]
fn an_outdated_file_is_not_taken_for_a_siblings_and_is_mended_later() {
    let scratch = Scratch::new();
    let (soon, later) = (at(200), at(HOUR));
    let path = scratch.write("auth.json", &login(soon, "a", "acc"));
    let target = fs::canonicalize(&path).unwrap();
    let mut issuer = Issuer::new(|_| {
        // The new file beside it goes away, so that it cannot be renamed.
        for entry in fs::read_dir(scratch.dir()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().to_string_lossy().starts_with(".auth-") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        let body = json!({"access_token": jwt(later, "b"), "refresh_token": "refresh-b"});
        Ok((200, body.to_string()))
    });
    let mut store = store(&path);
    store.fresh(Why::Proactive, &mut issuer).unwrap();
    assert!(store.take_warning().is_some());
    let mut issuer = Issuer::new(|body: &Value| {
        assert_eq!(
            body["refresh_token"], "refresh-b",
            "not the spent one of the file"
        );
        Ok((200, json!({"access_token": jwt(later, "c")}).to_string()))
    });
    let token = store.fresh(Why::Unauthorized, &mut issuer).unwrap();
    assert_eq!(token.access.expose(), jwt(later, "c"));
    assert_eq!(read(&target)["tokens"]["refresh_token"], "refresh-b");
    assert_eq!(store.take_warning(), None);
}

#[test]
fn an_issuer_that_quotes_the_secret_does_not_make_us_print_it() {
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &login(at(-1), "a", "acc"));
    let body = r#"{"error":"invalid_grant","error_description":"bad refresh-a"}"#;
    for status in [400, 500] {
        let error = store(&path).fresh(Why::Proactive, &mut Issuer::saying(status, body));
        let message = error.unwrap_err().to_string();
        assert!(message.ends_with("bad [secret]"), "{message}");
    }
}

#[test]
fn an_account_is_described_by_what_is_known_of_it() {
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &json!({"tokens": {"access_token": "x"}}));
    let mut token = store(&path).load().unwrap();
    assert_eq!(describe(&token), "unknown account");
    token.account_id = Some("acc".into());
    assert_eq!(describe(&token), "acc");
}

#[test]
fn what_was_written_meanwhile_stays_in_the_file() {
    let later = at(HOUR);
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &login(at(-1), "a", "acc"));
    let mut issuer = Issuer::new(|_| {
        let mut edited = login(at(-1), "a", "acc");
        edited["note"] = json!("of a person");
        scratch.write("auth.json", &edited);
        let body = json!({"access_token": jwt(later, "b"), "refresh_token": "refresh-b"});
        Ok((200, body.to_string()))
    });
    store(&path).fresh(Why::Proactive, &mut issuer).unwrap();
    let written = read(&path);
    assert_eq!(written["note"], "of a person");
    assert_eq!(written["tokens"]["refresh_token"], "refresh-b");
}

#[test]
fn a_login_that_came_meanwhile_is_not_overwritten() {
    let later = at(HOUR);
    for (account, used) in [("acc", "theirs"), ("other", "b")] {
        let scratch = Scratch::new();
        let path = scratch.write("auth.json", &login(at(-1), "a", "acc"));
        let theirs = login(later, "theirs", account);
        let mut issuer = Issuer::new(|_| {
            scratch.write("auth.json", &theirs);
            let body = json!({"access_token": jwt(later, "b"), "refresh_token": "refresh-b"});
            Ok((200, body.to_string()))
        });
        let mut store = store(&path);
        let token = store.fresh(Why::Proactive, &mut issuer).unwrap();
        assert_eq!(token.access.expose(), jwt(later, used));
        assert_eq!(read(&path), theirs);
        assert_eq!(store.take_warning().is_some(), account == "other");
    }
}

#[cfg(test)]
mod damage;
