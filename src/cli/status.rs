//! `sx status`: who is logged in, who pays, and until when. Never asks anyone: where others have
//! to be asked for the token, it says whom a run would ask.

use crate::auth::Error;
use crate::auth::claude;
use crate::auth::file::Credential;
use crate::base::clock;
use crate::base::text;
use crate::cli::credential;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::standing::Standing;
use crate::config::Settings;
use crate::term::writer;
use std::borrow::Cow;
use std::io::Write;
use std::path::Path;

/// What is found where there is no login.
const NOBODY: &str = "nobody pays: there is no login";

/// Says it, and ends well if a run could use the login.
pub fn run(ground: Ground, is_json: bool) -> Result<Exit, Fault> {
    let ground = &match ground.settings.is_set("ROUTER_URL") {
        true => ground,
        // Where a run would ask nobody, what is missing is most likely a login.
        false => ground.about_login(),
    };
    ground.warn();
    let provider = ground.settings.text("PROVIDER");
    let (standing, error) = match standing(ground)? {
        Ok(standing) => (standing, None),
        Err(error) => (Standing::unknown(provider, None, NOBODY), Some(error)),
    };
    let mut out = writer::stdout().map_err(|error| Fault::output(&error))?;
    let page = match is_json {
        true => {
            let line = serde_json::to_string(&standing);
            format!(
                "{}\n",
                line.map_err(|error| Fault::new(Exit::Fault, error))?
            )
        }
        false => spoken(&standing),
    };
    if is_json || error.is_none() {
        out.write_all(page.as_bytes())
            .map_err(|error| Fault::output(&error))?;
    }
    if let Some(error) = error {
        return Err(Fault::new(Exit::Settings, &error).hint(error.hint()));
    }
    if let Some(warning) = standing.warning() {
        Fault::new(Exit::Done, format!("warning: {warning}")).print();
    }
    match standing.is_usable() {
        true => Ok(Exit::Done),
        false => {
            let what = "the login has expired and holds nothing to renew it with";
            Err(Fault::new(Exit::Settings, what).hint(way_out(&standing)))
        }
    }
}

/// The command that mends a login which is of no use any more.
pub(super) fn way_out(standing: &Standing) -> Cow<'static, str> {
    let source = Path::new(standing.source.as_deref().unwrap_or_default());
    match source.is_absolute() {
        true => Error::Expired {
            path: source.to_path_buf(),
        }
        .hint(),
        false => "hand in one that is good".into(),
    }
}

/// The login that a run would use. The outer error is one of the settings.
pub(super) fn standing(ground: &Ground) -> Result<Result<Standing, Error>, Fault> {
    let settings = &ground.settings;
    let provider = settings.text("PROVIDER");
    let asked = |whom: String| {
        let pays = format!("{whom} is asked for the token, and was not asked now");
        Ok(Ok(Standing::unknown(provider, Some(whom), &pays)))
    };
    match provider {
        "codex" => {}
        "claude_code" => return Ok(lent(settings)),
        _ => return keyed(settings).map(Ok),
    }
    let now = clock::unix_seconds();
    match settings.text("CODEX_TOKEN_SOURCE") {
        "none" => {
            let pays = "no login is sent: CODEX_TOKEN_SOURCE is none";
            return Ok(Ok(Standing::unknown(provider, None, pays)));
        }
        "local" => {}
        "remote" => {
            return asked(format!(
                "remote: {}",
                settings.setting("CODEX_REMOTE_URL").shown()
            ));
        }
        other => return asked(other.to_string()),
    }
    if let Some(given) = credential::given(ground)? {
        return Ok(given
            .token()
            .map(|token| Standing::of_token(provider, &token, false, now)));
    }
    if !settings.text("CODEX_TOKEN_COMMAND").is_empty() {
        return asked("CODEX_TOKEN_COMMAND".to_string());
    }
    let path = match credential::credential_places(ground)?.find() {
        Ok(path) => path,
        Err(error) => return Ok(Err(error)),
    };
    let credential = Credential::read(&path);
    Ok(credential.map(|credential| Standing::of_file(provider, &credential, now)))
}

/// What pays where no login does.
fn keyed(settings: &Settings) -> Result<Standing, Fault> {
    let provider = settings.text("PROVIDER");
    if let Some(key) = credential::api_key(settings) {
        let pays = "whoever the key belongs to pays";
        return Ok(Standing::unknown(provider, Some(key.to_string()), pays));
    }
    credential::check_key(settings)?;
    let pays = "no key is sent: the settings hold none for this provider";
    Ok(Standing::unknown(provider, None, pays))
}

/// The login of another vendor's client, which we lend and know nothing of.
fn lent(settings: &Settings) -> Result<Standing, Error> {
    let key = "CLAUDE_CODE_OAUTH_TOKEN";
    let path = settings.path("CLAUDE_CODE_CREDENTIALS_FILE");
    let source = match path {
        _ if !settings.text(key).is_empty() => key.to_string(),
        Some(path) if path.exists() => path.display().to_string(),
        path => return Err(claude::no_login(&path.unwrap_or_default())),
    };
    let pays = "whoever that client's token belongs to pays; sx only lends it";
    Ok(Standing::unknown("claude_code", Some(source), pays))
}

/// For a person, a line for each thing that is known.
fn spoken(standing: &Standing) -> String {
    let known = |label: &str, value: &Option<String>| {
        let value = value.as_deref()?;
        let value = text::harmless(&text::one_line(value)).into_owned();
        Some(format!("{label:<10}{value}\n"))
    };
    let mut page = String::new();
    let lines = [
        known("provider", &Some(standing.provider.clone())),
        known("source", &standing.source),
        known("login", &standing.email),
        known("plan", &standing.plan),
        known("account", &standing.account_id),
    ];
    page.extend(lines.into_iter().flatten());
    if standing.renewable.is_some() {
        page.push_str(&format!("{:<10}{}\n", "good", standing.until()));
    }
    page.push_str(&format!("{}\n", standing.pays));
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_line_for_each_thing_that_is_known() {
        let mut standing = Standing::unknown("codex", Some("remote: https://h/".into()), "h pays");
        assert_eq!(
            spoken(&standing),
            "provider  codex\nsource    remote: https://h/\nh pays\n"
        );
        standing.email = Some("a\n@example.org".into());
        standing.renewable = Some(true);
        let page = spoken(&standing);
        assert!(page.contains("\nlogin     a @example.org\n"), "{page}");
        assert!(page.contains("\ngood      it does not say when it ends; renewed by itself\n"));
    }
}
