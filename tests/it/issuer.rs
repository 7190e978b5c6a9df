//! An issuer of logins with the two rules that matter: a refresh token can be spent once, and a
//! code only by whoever knows the verifier of its challenge (RFC 7636).
//!
//! A token that is spent again kills its family, as real issuers do: from then on nobody can renew
//! that login. It can be told to hold its answer after the token was spent, which is the gap in
//! which a login gets lost.

use crate::place::Credential;
use crate::place::FAR_FUTURE;
use crate::server::Gate;
use crate::server::Opener;
use crate::server::Reply;
use crate::server::Request;
use crate::server::Server;
use crate::server::Step;
use crate::server::gate;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;

/// The issuer, and the server that it stands behind.
pub struct Issuer {
    /// For `CODEX_ISSUER`, and for whatever else a test wants to serve.
    pub server: Server,
    state: Arc<Mutex<State>>,
}

struct State {
    /// The one token that is good now.
    good: String,
    /// How often it was renewed.
    renewals: u32,
    is_dead: bool,
    /// The next answer waits for this.
    hold: Option<Gate>,
    /// How long the tokens live that it gives.
    expires_at: u64,
    /// What is answered to whoever asks for a device code; the code, where there is nothing.
    device_codes: VecDeque<Reply>,
    /// What is answered to the next polls for one; consent, where there is nothing.
    polls: VecDeque<Reply>,
    /// What was consented to and not exchanged yet, by its code.
    consents: HashMap<String, Consent>,
    /// How many logins it gave.
    logins: u32,
}

/// What a person said yes to.
struct Consent {
    challenge: String,
    redirect_uri: String,
    client_id: String,
}

/// The name of the login after so many renewals: what its access token is marked with.
fn mark(renewals: u32) -> &'static str {
    Box::leak(format!("renewed-{renewals}").into_boxed_str())
}

/// The login that it gives as the one of this number.
fn login(number: u32) -> Credential {
    Credential {
        mark: Box::leak(format!("login-{number}").into_boxed_str()),
        ..credential(0)
    }
}

/// The S256 challenge of a verifier (RFC 7636 §4.2).
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(::sx::base::digest::sha256(verifier.as_bytes()))
}

/// The values of a form, by their names.
fn form(text: &str) -> HashMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), unescaped(value)))
        .collect()
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'%' => {
                let digits = str::from_utf8(&tail[..2]).expect("two digits");
                bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
                rest = &tail[2..];
            }
            b'+' => bytes.push(b' '),
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// The login after so many renewals.
pub fn credential(renewals: u32) -> Credential {
    Credential {
        mark: mark(renewals),
        expires_at: FAR_FUTURE,
        account: "account-1",
    }
}

impl Issuer {
    /// One that will take `refresh_token` next.
    pub fn start(refresh_token: &str) -> Issuer {
        let state = Arc::new(Mutex::new(State {
            good: refresh_token.to_string(),
            renewals: 0,
            is_dead: false,
            hold: None,
            expires_at: FAR_FUTURE,
            device_codes: VecDeque::new(),
            polls: VecDeque::new(),
            consents: HashMap::new(),
            logins: 0,
        }));
        let server = Server::start([]);
        let issuer = Issuer { server, state };
        issuer.answer("/oauth/token", State::answer);
        issuer.answer("/deviceauth/usercode", State::device_code);
        issuer.answer("/deviceauth/token", State::poll);
        issuer
    }

    fn answer(&self, path: &'static str, answer: fn(&mut State, &Request) -> Reply) {
        let shared = Arc::clone(&self.state);
        self.server.answer(path, move |request| {
            answer(&mut shared.lock().expect("no thread panics"), request)
        });
    }

    /// Answers so to whoever asks for a device code.
    pub fn refuse_device_codes(&self, reply: Reply) {
        let mut state = self.state.lock().expect("no thread panics");
        state.device_codes.push_back(reply);
    }

    /// Answers so to the next polls for a device code; then the person has consented.
    pub fn polls(&self, replies: impl IntoIterator<Item = Reply>) {
        let mut state = self.state.lock().expect("no thread panics");
        state.polls.extend(replies);
    }

    /// What a browser does with the address of a login when the person says yes: the address that
    /// it is sent to.
    #[track_caller]
    pub fn consent(&self, address: &str) -> String {
        let (page, query) = address.split_once('?').expect("a query");
        assert_eq!(page, format!("{}/oauth/authorize", self.server.origin()));
        let asked = form(query);
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["code_challenge_method"], "S256");
        assert_eq!(asked["scope"], "openid profile email offline_access");
        assert_eq!(asked["originator"], "sx");
        let mut state = self.state.lock().expect("no thread panics");
        let code = state.consented(Consent {
            challenge: asked["code_challenge"].clone(),
            redirect_uri: asked["redirect_uri"].clone(),
            client_id: asked["client_id"].clone(),
        });
        format!(
            "{}?code={code}&state={}",
            asked["redirect_uri"], asked["state"]
        )
    }

    /// What its logins are stored with: the name of the last one.
    pub fn last_login(&self) -> Credential {
        let logins = self.state.lock().expect("no thread panics").logins;
        login(logins)
    }

    /// Holds the next answer until what is returned is dropped; the token is spent before.
    pub fn hold_answer(&self) -> Opener {
        let (gate, opener) = gate();
        self.state.lock().expect("no thread panics").hold = Some(gate);
        opener
    }

    /// How often a login was renewed.
    pub fn renewals(&self) -> u32 {
        self.state.lock().expect("no thread panics").renewals
    }

    /// Whether the login can be renewed once more.
    pub fn is_alive(&self) -> bool {
        !self.state.lock().expect("no thread panics").is_dead
    }
}

impl State {
    fn consented(&mut self, consent: Consent) -> String {
        let code = format!("code/{}+", self.consents.len() + 1);
        self.consents.insert(code.clone(), consent);
        code.replace('/', "%2F").replace('+', "%2B")
    }

    fn device_code(&mut self, request: &Request) -> Reply {
        assert!(request.json()["client_id"].is_string());
        self.device_codes.pop_front().unwrap_or_else(|| {
            let code = json!({"device_auth_id": "device", "user_code": "ABCD-1234",
                "interval": "0.1"});
            Reply::json(200, &code)
        })
    }

    fn poll(&mut self, request: &Request) -> Reply {
        let expected = json!({"device_auth_id": "device", "user_code": "ABCD-1234"});
        assert_eq!(request.json(), expected);
        if let Some(reply) = self.polls.pop_front() {
            return reply;
        }
        let verifier = "the-verifier-that-the-service-chose-by-itself-0";
        let challenge = challenge(verifier);
        let code = self.consented(Consent {
            challenge: challenge.clone(),
            redirect_uri: format!("http://{}/deviceauth/callback", request.header("host")),
            client_id: String::new(),
        });
        let code = unescaped(&code);
        let body = json!({"authorization_code": code, "code_challenge": challenge,
            "code_verifier": verifier});
        Reply::json(200, &body)
    }

    /// Gives a login for a code, to whoever can prove that it is theirs.
    fn exchange(&mut self, asked: &HashMap<String, String>) -> Reply {
        let refused = |why: &str| {
            let body = json!({"error": "invalid_grant", "error_description": why});
            Reply::json(400, &body)
        };
        let Some(consent) = self.consents.remove(&asked["code"]) else {
            return refused("no such code");
        };
        if challenge(&asked["code_verifier"]) != consent.challenge {
            return refused("the verifier is another one");
        }
        if asked["redirect_uri"] != consent.redirect_uri {
            return refused("the address is another one");
        }
        if !consent.client_id.is_empty() && asked["client_id"] != consent.client_id {
            return refused("the client is another one");
        }
        self.logins += 1;
        let login = login(self.logins);
        self.good = format!("refresh-{}", login.mark);
        let token = login.access_token();
        let body = json!({"access_token": token, "id_token": token, "refresh_token": self.good});
        Reply::json(200, &body)
    }

    fn answer(&mut self, request: &Request) -> Reply {
        if request.header("content-type") == "application/x-www-form-urlencoded" {
            let body = String::from_utf8(request.body.clone()).expect("a form");
            let asked = form(&body);
            assert_eq!(asked["grant_type"], "authorization_code");
            return self.exchange(&asked);
        }
        let refused = |code: &str| Reply::json(400, &json!({"error": {"code": code}}));
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        if body["grant_type"] != "refresh_token" {
            return refused("unsupported_grant_type");
        }
        if self.is_dead {
            return refused("refresh_token_invalidated");
        }
        if body["refresh_token"] != self.good.as_str() {
            self.is_dead = true;
            return refused("refresh_token_reused");
        }
        self.renewals += 1;
        self.good = format!("refresh-{}", mark(self.renewals));
        let token = Credential {
            expires_at: self.expires_at,
            ..credential(self.renewals)
        }
        .access_token();
        let reply = Reply::json(
            200,
            &json!({"access_token": token, "id_token": token, "refresh_token": self.good}),
        );
        match self.hold.take() {
            None => reply,
            Some(gate) => {
                let mut steps = vec![Step::Hold(gate)];
                steps.extend(reply.into_steps());
                Reply::steps(steps)
            }
        }
    }
}
