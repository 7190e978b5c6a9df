//! An issuer of logins with the one rule that matters: a refresh token can be spent once.
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
use serde_json::Value;
use serde_json::json;
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
}

/// The name of the login after so many renewals: what its access token is marked with.
fn mark(renewals: u32) -> &'static str {
    Box::leak(format!("renewed-{renewals}").into_boxed_str())
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
        }));
        let server = Server::start([]);
        let shared = Arc::clone(&state);
        server.answer("/oauth/token", move |request| {
            shared.lock().expect("no thread panics").answer(request)
        });
        Issuer { server, state }
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
    fn answer(&mut self, request: &Request) -> Reply {
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
