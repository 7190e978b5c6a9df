//! Our own manual: its pages, compiled in. `sx help` prints them, the tool `docs` searches them.

/// A page of the manual.
#[derive(Debug)]
pub struct Page {
    /// What it is asked for by.
    pub topic: &'static str,
    /// What it says.
    pub text: &'static str,
}

/// Every page, in the order of `sx help`.
pub static PAGES: &[Page] = &[
    page("quickstart", include_str!("quickstart.md")),
    page("settings", include_str!("settings.md")),
    page("providers", include_str!("providers.md")),
    page("credentials", include_str!("credentials.md")),
    page("tools", include_str!("tools.md")),
    page("sandbox", include_str!("sandbox.md")),
    page("sessions", include_str!("sessions.md")),
    page("json", include_str!("json.md")),
    page("network", include_str!("network.md")),
    page("probe", include_str!("probe.md")),
    page("exit", include_str!("exit.md")),
    page("containers", include_str!("containers.md")),
];

const fn page(topic: &'static str, text: &'static str) -> Page {
    Page { topic, text }
}
