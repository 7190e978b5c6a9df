//! `sx models`: asks the service which models it has, and marks the one that a run would take.

use crate::base::text;
use crate::cli::credential;
use crate::cli::exit::Exit;
use crate::cli::fault::Fault;
use crate::cli::ground::Ground;
use crate::cli::inquiry;
use crate::cli::inquiry::Outcome;
use crate::cli::member;
use crate::provider::Provider;
use crate::provider::models::Model;
use crate::term::writer;
use serde::Serialize;
use std::io::Write;

/// The line for a program; fields are only ever added.
#[derive(Serialize)]
struct Line<'a> {
    provider: &'a str,
    /// What a run would take; empty where the settings name none and the service has none.
    model: &'a str,
    models: Vec<Row<'a>>,
}

/// One model.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    is_current: bool,
    /// Tokens; `null` where the service does not say.
    window: Option<u64>,
    /// Tokens; `null` where the service does not say.
    output_max: Option<u64>,
}

/// Asks, and says what came of it.
pub fn run(ground: &Ground, is_json: bool) -> Result<Exit, Fault> {
    let settings = &ground.settings;
    let mut provider = member::provider(settings)?;
    let source = credential::source(ground)?;
    let form = |token: Option<&_>| provider.models_request(token);
    let asked = inquiry::ask(ground, source, "the time for asking for the models", &form)?;
    let (token, response) = match asked {
        Outcome::Answered(answer) => *answer,
        Outcome::Stopped(signal) => return Ok(signal),
    };
    let (status, headers) = (response.head.status, &response.head.headers);
    match status {
        200..300 => {}
        401 | 403 => {
            let error = provider.classify(status, headers, &response.body);
            return Err(Fault::new(Exit::Settings, error).hint(provider.login_hint()));
        }
        404 | 405 | 501 => {
            let host = provider.endpoint().authority();
            let what = format!("{host} has no list of models (status {status})");
            let hint = format!("the address comes from {}", provider.address_key());
            return Err(Fault::new(Exit::Provider, what).hint(hint));
        }
        _ => {
            let error = provider.classify(status, headers, &response.body);
            return Err(Fault::new(Exit::Provider, error));
        }
    }
    let models = provider.models(&response.body);
    let models = models.map_err(|error| Fault::new(Exit::Provider, error))?;
    // A server whose names nobody knows takes the first of its list for an alias: this one is what
    // a run asks for before anything else.
    let asked = settings.text("MODEL");
    if let Ok(Some(_)) = provider.question(asked, token.as_ref()) {
        provider.answered(asked, status, &response.body);
    }
    let page = match is_json {
        true => {
            let line = serde_json::to_string(&line(&*provider, asked, &models));
            line.map_err(|error| Fault::new(Exit::Fault, error))? + "\n"
        }
        false => spoken(provider.model(asked), &models),
    };
    let mut out = writer::stdout().map_err(|error| Fault::output(&error))?;
    out.write_all(page.as_bytes())
        .map_err(|error| Fault::output(&error))?;
    Ok(Exit::Done)
}

fn line<'a>(provider: &'a dyn Provider, asked: &'a str, models: &'a [Model]) -> Line<'a> {
    let current = provider.model(asked);
    let rows = models.iter().map(|model| Row {
        id: &model.id,
        is_current: model.id == current,
        window: model.window,
        output_max: model.output_max,
    });
    Line {
        provider: provider.name(),
        model: current,
        models: rows.collect(),
    }
}

/// For a person, a line a model; the current one has a star.
fn spoken(current: &str, models: &[Model]) -> String {
    let mut page = String::new();
    for model in models {
        let star = if model.id == current { '*' } else { ' ' };
        let id = text::one_line(&model.id);
        let window = model.window.map(|tokens| format!("  {tokens} tokens"));
        let line = format!(
            "{star} {}{}",
            text::harmless(&id),
            window.unwrap_or_default()
        );
        page.push_str(&line);
        page.push('\n');
    }
    if !models.iter().any(|model| model.id == current) && !current.is_empty() {
        let current = text::one_line(current);
        page.push_str(&format!(
            "* {}  not in the list\n",
            text::harmless(&current)
        ));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_one_has_a_star() {
        let model = |id: &str, window| Model {
            id: id.to_string(),
            window,
            output_max: None,
        };
        let models = [model("a", Some(1000)), model("b\u{1b}[2J\nc", None)];
        assert_eq!(spoken("a", &models), "* a  1000 tokens\n  b [2J c\n");
        assert_eq!(
            spoken("x", &models[..1]),
            "  a  1000 tokens\n* x  not in the list\n"
        );
        assert_eq!(spoken("", &[]), "");
    }
}
