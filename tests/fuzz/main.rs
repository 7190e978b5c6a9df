//! Every fuzz target is a line here; what it does stands beside the code that it is for. `FUZZ`
//! names the one that runs (one binary is linked once), and `make fuzz` runs them all.

#![no_main]

use std::sync::LazyLock;

/// What a target does with its input; it panics where something does not hold.
type Body = fn(&[u8]);

const TARGETS: &[(&str, Body)] = &[
    ("head", sx::http::head::fuzz_head),
    ("chunked", sx::http::chunked::fuzz_chunked),
    ("exchange", sx::http::exchange::fuzz_exchange),
    ("events", sx::http::sse::fuzz_events),
    ("url", sx::http::url::fuzz_url),
    ("bypass", sx::net::proxy::bypass::fuzz_list),
    ("tunnel", sx::net::proxy::tunnel::fuzz_answer),
    ("proxy", sx::net::proxy::fuzz_proxy),
    ("message", sx::net::dns::message::fuzz_message),
    ("hosts", sx::net::dns::hosts::fuzz_files),
    ("pem", sx::net::pem::fuzz_sections),
    ("certificate", sx::net::certificate::fuzz_certificate),
    ("gzip", sx::gzip::fuzz_gzip),
    ("html", sx::html::fuzz_page),
    ("roff", sx::tools::docs::roff::fuzz_page),
    ("patch", sx::patch::fuzz_patch),
    ("session", sx::session::load::fuzz_file),
    ("token", sx::auth::answer::fuzz_answer),
];

/// The body of the target that was asked for.
static BODY: LazyLock<Body> = LazyLock::new(|| {
    let asked = std::env::var("FUZZ").unwrap_or_default();
    let target = TARGETS.iter().find(|(name, _)| *name == asked);
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    let target = target.unwrap_or_else(|| panic!("FUZZ is `{asked}`, not one of {names:?}"));
    target.1
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| BODY(input));
