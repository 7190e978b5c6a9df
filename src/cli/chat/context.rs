//! `/context`: what the model is given, and how much of its window that takes.

use crate::agent::Agent;
use crate::chat::Message;
use crate::cli::human::lines;

/// The page. Paths below `home` are short.
pub(super) fn words(agent: &Agent, home: &str) -> String {
    let (used, window) = (agent.context(), agent.window());
    let share = match window {
        0 => "of a window whose size is not known (CONTEXT_WINDOW)".to_string(),
        _ => match lines::percent(used, window) {
            Some(share) => format!("of {}, {share} %", lines::short_number(window)),
            None => String::new(),
        },
    };
    let used = lines::short_number(used);
    let own = |message: &&Message| matches!(message, Message::User(_));
    let asked = agent.history.iter().filter(own).count();
    let names = agent.options.tools.iter().map(|tool| tool.name);
    let tools = match names.clone().count() {
        0 => "none".to_string(),
        _ => names.collect::<Vec<_>>().join(", "),
    };
    let opening = &agent.opening;
    let mut page = format!(
        "  model         {} of {}\n  window        about {used} tokens {share}\n  \
         messages      {}, of which {asked} are yours\n  tools         {tools}\n",
        lines::words(&opening.model),
        opening.provider,
        agent.history.len(),
    );
    if opening.instructions.is_empty() {
        page.push_str("  instructions  none; an AGENTS.md would be read\n");
    }
    for file in &opening.instructions {
        page.push_str(&format!("  instructions  {}\n", lines::loaded(file, home)));
    }
    page
}
