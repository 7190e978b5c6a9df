//! Which service answers, by the settings.

use crate::cli::build::aliases;
use crate::cli::build::identity;
use crate::cli::build::url;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::config::Settings;
use crate::http::url::Url;
use crate::provider::Provider;
use crate::provider::anthropic::Anthropic;
use crate::provider::claude;
use crate::provider::claude_code::ClaudeCode;
use crate::provider::codex;
use crate::provider::codex::Codex;
use crate::provider::gemini;
use crate::provider::gemini::Gemini;
use crate::provider::openai;
use crate::provider::openai::OpenAi;
use crate::provider::router::Router;

/// The member that PROVIDER names; nothing was asked of it yet.
pub fn provider(settings: &Settings) -> Result<Box<dyn Provider>, Fault> {
    provider_at(settings, None)
}

/// The same, where the person agreed to a gateway that no setting names.
pub fn provider_at(settings: &Settings, gateway: Option<Url>) -> Result<Box<dyn Provider>, Fault> {
    if let Some(base_url) = gateway {
        return Ok(Box::new(Router::new(openai_options(settings, base_url)?)));
    }
    Ok(match settings.text("PROVIDER") {
        "anthropic" => Box::new(Anthropic::new(claude_options(settings)?)),
        "claude_code" => Box::new(ClaudeCode::new(claude_options(settings)?)),
        "gemini" => Box::new(Gemini::new(gemini::Options {
            base_url: address(settings)?,
            identity: identity(settings)?,
            aliases: aliases(settings)?,
        })),
        "openai" => Box::new(OpenAi::new(openai_options(settings, address(settings)?)?)),
        "router" | "scorpiox" => {
            Box::new(Router::new(openai_options(settings, address(settings)?)?))
        }
        _ => Box::new(Codex::new(codex_options(settings)?)),
    })
}

/// The setting that names the address of the service.
pub fn address_key(settings: &Settings) -> &'static str {
    match settings.text("PROVIDER") {
        "anthropic" => "ANTHROPIC_BASE_URL",
        "claude_code" => "CLAUDE_CODE_BASE_URL",
        "gemini" => "GEMINI_BASE_URL",
        "openai" => "OPENAI_BASE_URL",
        "router" | "scorpiox" => "ROUTER_URL",
        _ => "CODEX_BASE_URL",
    }
}

/// Where the service is.
pub fn address(settings: &Settings) -> Result<Url, Fault> {
    if is_nameless_gateway(settings) {
        return Err(no_gateway(settings, ""));
    }
    url(settings, address_key(settings))
}

/// Whether PROVIDER is a gateway and no setting says where.
pub fn is_nameless_gateway(settings: &Settings) -> bool {
    let key = address_key(settings);
    key == "ROUTER_URL" && settings.text(key).is_empty()
}

/// What is said then; `more` ends the sentence. Who has a key is told of it first.
pub fn no_gateway(settings: &Settings, more: &str) -> Fault {
    let what = format!("no setting says which service answers: ROUTER_URL is empty{more}");
    let keys = [
        ("ANTHROPIC_API_KEY", "anthropic"),
        ("OPENAI_API_KEY", "openai"),
        ("GEMINI_API_KEY", "gemini"),
        ("GOOGLE_API_KEY", "gemini"),
    ];
    let found = keys.iter().find(|(key, _)| !settings.text(key).is_empty());
    let key = found.map(|(key, provider)| format!("`--provider {provider}` uses {key}; else "));
    let hint = "`sx login` takes a ChatGPT account, ROUTER_URL a gateway, OPENAI_BASE_URL with \
                PROVIDER=openai a server of your own; or try `sx demo`";
    Fault::new(Exit::Settings, what).hint(format!("{}{hint}", key.unwrap_or_default()))
}

/// What codex needs to know.
pub fn codex_options(settings: &Settings) -> Result<codex::Options, Fault> {
    Ok(codex::Options {
        base_url: url(settings, "CODEX_BASE_URL")?,
        identity: identity(settings)?,
        aliases: aliases(settings)?,
        lite: codex::Lite::of_setting(settings.text("CODEX_LITE")),
    })
}

fn claude_options(settings: &Settings) -> Result<claude::Options, Fault> {
    Ok(claude::Options {
        base_url: address(settings)?,
        identity: identity(settings)?,
        aliases: aliases(settings)?,
    })
}

fn openai_options(settings: &Settings, base_url: Url) -> Result<openai::Options, Fault> {
    let wire = openai::Wire::of_setting(settings.text("OPENAI_WIRE"), &base_url);
    Ok(openai::Options {
        // The setting has these words only.
        wire: wire.unwrap_or(openai::Wire::Completions),
        base_url,
        identity: identity(settings)?,
        aliases: aliases(settings)?,
    })
}
