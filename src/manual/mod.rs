//! Our own manual: its pages, compiled in. `sx help` prints them, the tool `docs` searches them.
//!
//! A page ends where a table of the code follows it; whoever has the table prints it there.

/// A page of the manual.
#[derive(Debug)]
pub struct Page {
    /// What it is asked for by.
    pub topic: &'static str,
    /// What else people call it, in small letters without blanks and dashes.
    pub aliases: &'static [&'static str],
    /// What it says.
    pub text: &'static str,
}

/// Every page, in the order of `sx help`.
pub static PAGES: &[Page] = &[
    page(
        "quickstart",
        &["start", "intro"],
        include_str!("quickstart.md"),
    ),
    page(
        "settings",
        &["configuration", "keys", "env"],
        include_str!("settings.md"),
    ),
    page("providers", &["services"], include_str!("providers.md")),
    page(
        "credentials",
        &["auth", "account", "accounts", "ssh"],
        include_str!("credentials.md"),
    ),
    page("tools", &[], include_str!("tools.md")),
    page(
        "sandbox",
        &["landlock", "security"],
        include_str!("sandbox.md"),
    ),
    page("sessions", &["history"], include_str!("sessions.md")),
    page("json", &["jsonl", "events"], include_str!("json.md")),
    page(
        "exit",
        &["exitcode", "exitcodes", "exitstatus", "codes"],
        include_str!("exit.md"),
    ),
    page("network", &["timeouts", "dns"], include_str!("network.md")),
    page("proxies", &["proxy"], include_str!("proxies.md")),
    page(
        "tls",
        &["certificates", "certificate", "ca", "ssl"],
        include_str!("tls.md"),
    ),
    page("probe", &[], include_str!("probe.md")),
    page("containers", &["docker"], include_str!("containers.md")),
    page(
        "fleets",
        &["machines", "ci", "cron"],
        include_str!("fleets.md"),
    ),
    page(
        "troubleshooting",
        &["trouble", "errors", "problems", "faq", "debug"],
        include_str!("troubleshooting.md"),
    ),
    page("files", &["folders", "paths"], include_str!("files.md")),
    page(
        "environment",
        &["variables"],
        include_str!("environment.md"),
    ),
    page(
        "commands",
        &["options", "flags"],
        include_str!("commands.md"),
    ),
    page(
        "licenses",
        &["licences", "licence", "license", "notices", "copyright"],
        include_str!("licenses.md"),
    ),
];

/// What follows the page on licenses, packed: licenses.txt, which `.ci/licenses` writes.
pub static NOTICES_GZ: &[u8] = include_bytes!("licenses.txt.gz");

/// The day on which the pages were last held against the program.
pub const DATE: &str = "2026-11-26";

const fn page(topic: &'static str, aliases: &'static [&'static str], text: &'static str) -> Page {
    Page {
        topic,
        aliases,
        text,
    }
}
