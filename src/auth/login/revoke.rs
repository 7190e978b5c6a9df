//! The end of a login at the service (RFC 7009): the token that renews it is handed back.

use super::Answer;
use super::Client;
use super::Error;
use super::send;
use super::sort;
use crate::auth::Fetch;
use crate::auth::file::Credential;
use crate::base::secret::Secret;
use serde_json::json;

/// Revokes a login: the refresh token where there is one, for that ends its bearers too.
pub fn revoke(
    client: &Client,
    credential: &Credential,
    fetch: &mut dyn Fetch,
) -> Result<(), Error> {
    client.check_transport()?;
    let (secret, body) = match &credential.refresh {
        Some(refresh) => {
            let hint = "refresh_token";
            let token = refresh.expose();
            let body = json!({"token": token, "token_type_hint": hint, "client_id": client.id});
            (refresh, body)
        }
        None => {
            let access = &credential.token.access;
            let hint = "access_token";
            (
                access,
                json!({"token": access.expose(), "token_type_hint": hint}),
            )
        }
    };
    let body = body.to_string().into_bytes();
    let request = client.post("/oauth/revoke", "application/json", body);
    let (status, headers, answer) = send(client, &request, fetch)?;
    if (200..300).contains(&status) {
        // There need be no body (RFC 7009 §2.2).
        return Ok(());
    }
    match sort(client, status, &headers, &answer)? {
        Answer::Good(_) => Ok(()),
        Answer::Bad { detail, .. } | Answer::Busy { detail, .. } => Err(Error::Refused {
            host: client.issuer.authority(),
            detail: masked(&detail, secret),
        }),
    }
}

fn masked(text: &str, secret: &Secret) -> String {
    text.replace(secret.expose(), "[secret]")
}

#[cfg(test)]
mod tests {
    use super::super::scripted::Script;
    use super::super::scripted::client;
    use super::*;
    use std::path::Path;

    fn credential(text: &str) -> Credential {
        Credential::parse(Path::new("f"), text.as_bytes()).unwrap()
    }

    #[test]
    fn the_token_that_renews_is_revoked_else_the_bearer() {
        let mut script = Script::of(&[(200, "", ""), (204, "", "")]);
        let both = credential(r#"{"tokens":{"access_token":"a","refresh_token":"r"}}"#);
        revoke(&client(), &both, &mut script).unwrap();
        let one = credential(r#"{"tokens":{"access_token":"a"}}"#);
        revoke(&client(), &one, &mut script).unwrap();
        assert_eq!(script.asked[0].0, "https://issuer.example.org/oauth/revoke");
        let body = |index: usize| -> serde_json::Value {
            serde_json::from_str(&script.asked[index].1).unwrap()
        };
        let first = json!({"token":"r","token_type_hint":"refresh_token","client_id":"client"});
        assert_eq!(body(0), first);
        assert_eq!(
            body(1),
            json!({"token":"a","token_type_hint":"access_token"})
        );
    }

    #[test]
    fn a_refusal_is_told_without_the_token() {
        let quoted = r#"{"error":"no","error_description":"what is hunter2?"}"#;
        let mut script = Script::of(&[(400, "", quoted)]);
        let login = credential(r#"{"tokens":{"access_token":"a","refresh_token":"hunter2"}}"#);
        let error = revoke(&client(), &login, &mut script).unwrap_err();
        assert_eq!(
            error.to_string(),
            "issuer.example.org refused: status 400: no: what is [secret]?"
        );
    }
}
