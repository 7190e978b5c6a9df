//! Prints what this build is: version, commit, target, and what is linked into it.

use serde::Serialize;
use std::io;
use std::io::Write;

/// Our version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of rustls in Cargo.lock; a test below compares.
const RUSTLS: &str = "0.23.46";

/// Packages of other people below us: the lines of `cargo tree -e normal` for the static target,
/// each once and without ourselves. `tests/tidy.rs` compares.
pub const PACKAGES_LINKED: usize = 49;

#[derive(Serialize)]
struct Facts {
    version: &'static str,
    commit: &'static str,
    target: String,
    rustls: &'static str,
    packages: usize,
}

/// Writes the facts: as a few lines, or as one line of JSON.
pub fn write(out: &mut dyn Write, is_json: bool) -> io::Result<()> {
    let facts = Facts {
        version: VERSION,
        commit: option_env!("SX_COMMIT").unwrap_or("unknown"),
        target: target(),
        rustls: RUSTLS,
        packages: PACKAGES_LINKED,
    };
    if is_json {
        return writeln!(out, "{}", serde_json::to_string(&facts)?);
    }
    writeln!(out, "sx {}", facts.version)?;
    writeln!(out, "commit {}", facts.commit)?;
    writeln!(out, "target {}", facts.target)?;
    writeln!(out, "rustls {}, {} packages", facts.rustls, facts.packages)
}

/// The target's name as rustc spells it; we are built for Linux only.
pub(super) fn target() -> String {
    let libc = if cfg!(target_env = "musl") {
        "musl"
    } else {
        "gnu"
    };
    format!(
        "{}-unknown-{}-{libc}",
        std::env::consts::ARCH,
        std::env::consts::OS
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rustls_we_name_is_the_one_that_is_locked() {
        let locked = include_str!("../../Cargo.lock");
        let entry = format!("name = \"rustls\"\nversion = \"{RUSTLS}\"\n");
        assert!(
            locked.contains(&entry),
            "RUSTLS is {RUSTLS}, Cargo.lock has another"
        );
    }

    #[test]
    fn the_facts_are_there_for_people_and_programs() {
        let mut out = Vec::new();
        write(&mut out, true).unwrap();
        let facts: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(facts["version"], VERSION);
        assert_eq!(facts["rustls"], RUSTLS);
        assert_eq!(facts["packages"], PACKAGES_LINKED);
        assert!(
            facts["target"]
                .as_str()
                .unwrap()
                .contains("-unknown-linux-")
        );
        out.clear();
        write(&mut out, false).unwrap();
        assert!(out.starts_with(format!("sx {VERSION}\n").as_bytes()));
    }
}
