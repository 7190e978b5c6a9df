//! Tests of the local source where others died, write in place, or answer with half a login.

use super::*;

#[test]
fn whoever_was_killed_in_the_gap_is_named_by_the_next() {
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &login(at(-1), "a", "acc"));
    let reused = r#"{"error":{"code":"refresh_token_reused"}}"#;
    // What a killed process leaves.
    Note::leave(&path, &Secret::new("refresh-a"), None, None);
    let check = |issuer: &mut Issuer<'_>| {
        let error = store(&path).fresh(Why::Proactive, issuer).unwrap_err();
        assert!(matches!(error, Error::Permanent { .. }), "{error}");
        let words = "between the issuer's answer and the disk";
        assert!(error.to_string().contains(words), "{error}");
    };
    check(&mut Issuer::saying(400, reused));
    // Everyone else is told so without asking.
    check(&mut Issuer::unused());
    // A new login is another matter, and its renewal takes the note away.
    scratch.write("auth.json", &login(at(-1), "b", "acc"));
    let mut issuer = Issuer::giving(at(HOUR), "c");
    store(&path).fresh(Why::Proactive, &mut issuer).unwrap();
    assert!(!scratch.path("auth.json.renewing").exists());
    scratch.write("auth.json", &login(at(-1), "a", "acc"));
    let error = store(&path).fresh(Why::Proactive, &mut Issuer::saying(400, reused));
    assert!(error.unwrap_err().to_string().contains("already used"));
}

#[test]
fn what_a_killed_process_wrote_beside_the_file_is_put_into_its_place() {
    let later = at(HOUR);
    let new = login(later, "b", "acc").to_string();
    let half = &new[..new.len() / 2];
    let others = login(later, "b", "other").to_string();
    let same = login(at(-1), "a", "acc").to_string();
    let cases = [
        (new.as_str(), "b"),
        (half, "c"),
        ("", "c"),
        (&others, "c"),
        (&same, "c"),
    ];
    for (content, used) in cases {
        let scratch = Scratch::new();
        let path = scratch.write("auth.json", &login(at(-1), "a", "acc"));
        let beside = scratch.path(".auth-0123456789abcdef");
        fs::write(&beside, content).unwrap();
        Note::leave(&path, &Secret::new("refresh-a"), Some(&beside), None);
        let mut issuer = Issuer::giving(later, "c");
        let token = store(&path).fresh(Why::Proactive, &mut issuer).unwrap();
        assert_eq!(token.access.expose(), jwt(later, used), "{content}");
        assert_eq!(issuer.asked, usize::from(used == "c"));
        assert_eq!(
            read(&path)["tokens"]["refresh_token"],
            format!("refresh-{used}")
        );
        assert!(!beside.exists());
    }
    // A login that is over by now is renewed with its own refresh token.
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &login(at(-9), "a", "acc"));
    let beside = scratch.write(".auth-0123456789abcdef", &login(at(-1), "b", "acc"));
    Note::leave(&path, &Secret::new("refresh-a"), Some(&beside), None);
    let mut issuer = Issuer::new(|body: &Value| {
        assert_eq!(body["refresh_token"], "refresh-b");
        Ok((200, json!({"access_token": jwt(later, "c")}).to_string()))
    });
    store(&path).fresh(Why::Proactive, &mut issuer).unwrap();
}

#[test]
fn an_answer_that_was_lost_on_the_way_is_explained_too() {
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &login(at(-1), "a", "acc"));
    for (may_have_arrived, is_left) in [(false, false), (true, true)] {
        let why = "the connection broke".to_string();
        let mut issuer = Issuer::new(|_| {
            Err(Unreachable {
                why: why.clone(),
                may_have_arrived,
            })
        });
        store(&path).fresh(Why::Proactive, &mut issuer).unwrap_err();
        assert_eq!(scratch.path("auth.json.renewing").exists(), is_left);
    }
}

#[test]
fn a_file_that_is_being_written_in_place_is_read_again() {
    let later = at(HOUR);
    let whole = login(later, "b", "acc").to_string();
    for torn in ["", " \n", &whole[..whole.len() / 2]] {
        for is_loaded in [false, true] {
            let scratch = Scratch::new();
            let path = scratch.write("auth.json", &login(at(-1), "a", "acc"));
            let mut store = store(&path);
            if is_loaded {
                store.load().unwrap();
            }
            fs::write(&path, torn).unwrap();
            let mut pauses = 0;
            let mut issuer = Issuer::unused();
            issuer.pause = Box::new(|| {
                pauses += 1;
                if pauses == 2 {
                    fs::write(&path, &whole).unwrap();
                }
                Ok(())
            });
            let token = store.fresh(Why::Proactive, &mut issuer).unwrap();
            assert_eq!(token.access.expose(), jwt(later, "b"));
        }
    }
}

#[test]
fn a_file_that_stays_broken_is_named_and_a_person_can_end_the_wait() {
    let scratch = Scratch::new();
    let path = scratch.path("auth.json");
    fs::write(&path, "{").unwrap();
    let mut pauses = 0;
    let mut issuer = Issuer::unused();
    issuer.pause = Box::new(|| {
        pauses += 1;
        Ok(())
    });
    let error = store(&path).fresh(Why::Proactive, &mut issuer);
    assert!(matches!(error, Err(Error::Malformed { .. })), "{error:?}");
    drop(issuer);
    assert_eq!(pauses, whole::TORN_TRIES_MAX);
    let mut issuer = Issuer::unused();
    issuer.pause = Box::new(|| Err(Unreachable::new("interrupted")));
    let error = store(&path).fresh(Why::Proactive, &mut issuer);
    assert!(matches!(error, Err(Error::Transient { .. })), "{error:?}");
}

#[test]
fn whoever_waits_for_the_lock_does_not_mind_a_file_that_is_being_written() {
    let later = at(HOUR);
    let scratch = Scratch::new();
    let path = scratch.write("auth.json", &login(at(-10), "a", "acc"));
    let mut holder = Some(Locks::try_take(&path).unwrap());
    let mut pauses = 0;
    let mut issuer = Issuer::unused();
    issuer.pause = Box::new(|| {
        pauses += 1;
        if pauses < 20 {
            fs::write(&path, "").unwrap();
        } else {
            scratch.write("auth.json", &login(later, "b", "acc"));
            holder = None;
        }
        Ok(())
    });
    let token = store(&path).fresh(Why::Proactive, &mut issuer).unwrap();
    assert_eq!(token.access.expose(), jwt(later, "b"));
}

#[test]
fn a_file_that_leaves_its_account_out_is_nobody_elses() {
    let later = at(HOUR);
    let mut nameless = login(later, "b", "acc");
    nameless["tokens"]["account_id"] = Value::Null;
    let named = login(later, "b", "acc");
    let scratch = Scratch::new();
    for (first, second) in [(&nameless, &named), (&named, &nameless)] {
        let mut old = first.clone();
        old["tokens"]["access_token"] = json!(jwt(at(-1), "a"));
        old["tokens"]["refresh_token"] = json!("refresh-a");
        let path = scratch.write("auth.json", &old);
        let mut adopting = store(&path);
        adopting.load().unwrap();
        scratch.write("auth.json", second);
        let token = adopting
            .fresh(Why::Proactive, &mut Issuer::unused())
            .unwrap();
        assert_eq!(token.access.expose(), jwt(later, "b"));
        // The same where it came while the issuer was asked.
        scratch.write("auth.json", &old);
        let mut issuer = Issuer::new(|_| {
            scratch.write("auth.json", second);
            Ok((200, json!({"access_token": jwt(later, "c")}).to_string()))
        });
        let mut keeping = store(&path);
        let token = keeping.fresh(Why::Proactive, &mut issuer).unwrap();
        assert_eq!(token.access.expose(), jwt(later, "b"));
        assert_eq!(keeping.take_warning(), None);
    }
}

#[test]
fn an_answer_without_a_bearer_is_kept_and_the_old_bearer_used_while_it_is_good() {
    let scratch = Scratch::new();
    for (exp, why, is_good) in [
        (at(200), Why::Proactive, true),
        (at(-1), Why::Proactive, false),
        (at(HOUR), Why::Unauthorized, false),
    ] {
        let path = scratch.write("auth.json", &login(exp, "a", "acc"));
        let mut issuer = Issuer::saying(200, r#"{"refresh_token":"refresh-b"}"#);
        let mut store = store(&path);
        let token = store.fresh(why, &mut issuer);
        assert_eq!(token.is_ok(), is_good, "{why:?}: {token:?}");
        if let Err(error) = token {
            assert!(matches!(error, Error::Transient { .. }), "{error}");
        }
        assert_eq!(read(&path)["tokens"]["refresh_token"], "refresh-b");
    }
}
