//! What this machine gives: the binary, the processor, the kernel, a container around us, the
//! user, the clock, the terminal, git. Nothing here needs settings, and nothing is written.

use super::finding::Finding;
use crate::base::clock;
use crate::base::date;
use crate::base::text;
use crate::cli::ground;
use crate::cli::ground::variable;
use crate::cli::version;
use crate::proc::environment;
use crate::proc::launch;
use crate::sandbox;
use crate::sandbox::repository::Repository;
use crate::sys::user;
use crate::term::style;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::io::IsTerminal;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// 2025-01-01: no clock that goes is before the year in which this was begun.
const CLOCK_S_MIN: u64 = 1_735_689_600;

/// Of the name of a processor or a container.
const NAME_CHARS_MAX: usize = 80;

/// Everything that can be said at once.
pub(super) fn look() -> Vec<Finding> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let mut found = vec![binary(), cpu(&read("/proc/cpuinfo"))];
    found.push(kernel());
    found.push(walls());
    found.push(container());
    found.extend(person());
    found.push(time(clock::unix_seconds()));
    found.extend(terminal());
    found
}

fn binary() -> Finding {
    let target = version::target();
    let name = format!("sx {} for {target}", version::VERSION);
    match cfg!(target_feature = "crt-static") {
        true => Finding::ok("binary", &name, "static: it needs no other file"),
        false => Finding::warn(
            "binary",
            &name,
            "it needs the C library of the machine that it was built on",
            "`make static` builds the one that runs anywhere",
        ),
    }
}

/// What /proc/cpuinfo says of the processor.
fn cpu(cpuinfo: &str) -> Finding {
    let arch = std::env::consts::ARCH;
    let line = |key: &str| {
        let of_key = |line: &str| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == key).then(|| value.trim().to_string())
        };
        cpuinfo.lines().find_map(of_key)
    };
    let model = line("model name").unwrap_or_default();
    let level = match line("flags") {
        Some(flags) if arch == "x86_64" => level(&flags),
        _ => "",
    };
    let is_foreign = match arch {
        "x86_64" => !cpuinfo.is_empty() && line("flags").is_none(),
        _ => line("vendor_id").is_some_and(|vendor| !vendor.is_empty()),
    };
    let is_emulated = is_foreign || model.contains("QEMU") || model.contains("VirtualApple");
    let mut parts = [level, &text::ellipsis(&model, NAME_CHARS_MAX)]
        .map(str::to_string)
        .to_vec();
    if is_emulated {
        parts.push("emulated, so it is slow".to_string());
    }
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() {
        parts.push("nothing is known of it".to_string());
    }
    Finding::ok("cpu", arch, parts.join(", "))
}

/// The level of the x86-64 psABI that has these flags.
fn level(flags: &str) -> &'static str {
    let has = |wanted: &[&str]| {
        let is_there = |flag: &&str| flags.split_whitespace().any(|has| has == *flag);
        wanted.iter().all(is_there)
    };
    let is_second = has(&["cx16", "popcnt", "sse4_2", "ssse3"]);
    let is_third = is_second && has(&["avx2", "bmi2", "fma", "movbe"]);
    match is_third && has(&["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]) {
        true => "x86-64-v4",
        false if is_third => "x86-64-v3",
        false if is_second => "x86-64-v2",
        false => "x86-64-v1",
    }
}

fn kernel() -> Finding {
    match fs::read_to_string("/proc/sys/kernel/osrelease") {
        Ok(release) => Finding::ok("kernel", release.trim(), "/proc is there"),
        Err(error) => Finding::warn(
            "kernel",
            "",
            format!("/proc cannot be read: {error}"),
            "mount /proc: processes that escape are found there",
        ),
    }
}

/// What the kernel has to lock a process in with.
fn walls() -> Finding {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let status = read("/proc/self/status");
    let field = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
    let seccomp = match field("Seccomp:").map(str::trim) {
        Some("2") => "a seccomp filter of others holds us already",
        Some(_) => "seccomp is there",
        None => "no seccomp is seen",
    };
    let spaces = match read("/proc/sys/user/max_user_namespaces").trim() {
        "" | "0" => "no user namespaces",
        _ if read("/proc/sys/kernel/unprivileged_userns_clone").trim() == "0" => {
            "user namespaces for root only"
        }
        _ if read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").trim() == "1" => {
            "user namespaces as AppArmor allows"
        }
        _ => "user namespaces",
    };
    match sandbox::kernel_has() {
        Ok(landlock) => {
            let detail = format!("{landlock}; {seccomp}; {spaces}");
            Finding::ok("kernel", "sandbox", detail)
        }
        Err(error) => {
            let detail = format!("{error}; {seccomp}; {spaces}");
            Finding::warn("kernel", "sandbox", detail, error.hint())
        }
    }
}

/// Whose container we run in, as far as it can be seen.
fn container() -> Finding {
    let is_there = |path: &str| Path::new(path).exists();
    let version = fs::read_to_string("/proc/version").unwrap_or_default();
    let named = variable("container").filter(|name| !name.is_empty());
    let runtime = if variable("KUBERNETES_SERVICE_HOST").is_some() {
        "kubernetes"
    } else if is_there("/run/.containerenv") {
        "podman"
    } else if is_there("/.dockerenv") {
        "docker"
    } else if version.contains("gvisor") || version.contains("4.4.0 #1 SMP Sun Jan 10") {
        "gvisor"
    } else if version.to_ascii_lowercase().contains("microsoft") {
        "wsl"
    } else if let Some(name) = &named {
        &text::ellipsis(name, NAME_CHARS_MAX)
    } else {
        return Finding::ok("container", "", "none is seen");
    };
    let detail = "commands are walled in by it too, and by what it lets the sandbox have";
    Finding::ok("container", runtime, detail)
}

/// Who we are to the machine, and whether that suffices.
fn person() -> Vec<Finding> {
    let id = user::id();
    let mut found = vec![match user::name(id) {
        Some(name) => Finding::ok("user", &name, format!("uid {id}")),
        None => Finding::warn(
            "user",
            &id.to_string(),
            "this uid has no line in /etc/passwd: ssh and some commands refuse to run",
            "add a line for it where such commands are needed; sx itself needs none",
        ),
    }];
    let fix = "set HOME to a folder, or SX_CONFIG_DIR and SX_STATE_DIR";
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let has_others = ["SX_CONFIG_DIR", "SX_STATE_DIR"].into_iter().all(is_set);
    match variable("HOME").filter(|home| !home.is_empty()) {
        None if has_others => {
            let detail = "it is not set, and not needed: SX_CONFIG_DIR and SX_STATE_DIR are";
            found.push(Finding::ok("home", "", detail));
        }
        None => {
            let detail = "it is not set: no login, settings and sessions of a person are found";
            found.push(Finding::warn("home", "", detail, fix));
        }
        Some(home) if !Path::new(&home).is_absolute() => {
            let detail = "it is no whole path, and does not count";
            found.push(Finding::warn("home", &home, detail, fix));
        }
        Some(home) if !Path::new(&home).is_dir() => {
            let detail = "there is no such folder";
            found.push(Finding::warn("home", &home, detail, fix));
        }
        Some(home) => found.push(Finding::ok("home", &home, "it is there")),
    }
    found
}

/// A clock that never was set; what hosts say of the time comes later.
fn time(now: u64) -> Finding {
    let shown = date::rfc3339(now);
    match now < CLOCK_S_MIN {
        true => Finding::fail(
            "clock",
            &shown,
            "this machine's clock is years behind",
            "set the clock: tokens and certificates are judged by it",
        ),
        false => Finding::ok("clock", &shown, "it goes"),
    }
}

fn terminal() -> Vec<Finding> {
    let term = variable("TERM").unwrap_or_default();
    let columns = variable("COLUMNS").unwrap_or_default();
    let columns = match columns.parse::<usize>() {
        Ok(columns) => format!("; {columns} columns"),
        Err(_) => "; COLUMNS is not set, so 80".to_string(),
    };
    let place = match (io::stdin().is_terminal(), io::stdout().is_terminal()) {
        (true, true) => "input and output are one",
        (false, true) => "output is one, input is not: sx takes the prompt as an argument",
        _ => "output is none: plain lines, no colour",
    };
    let mut found = vec![match term.as_str() {
        "" | "dumb" => {
            let name = if term.is_empty() {
                "TERM unset"
            } else {
                "dumb"
            };
            let detail = format!("{place}; no colour is shown in such a one{columns}");
            let fix = "set TERM to what the terminal is, such as xterm-256color";
            Finding::warn("terminal", name, detail, fix)
        }
        term => Finding::ok("terminal", term, format!("{place}{columns}")),
    }];
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(variable);
    let [all, kind, lang] = locale.each_ref().map(Option::as_deref);
    let mut set = [all, kind, lang].into_iter().flatten();
    let name = set.find(|value| !value.is_empty()).unwrap_or("unset");
    found.push(match style::takes_utf8(all, kind, lang) {
        true => Finding::ok("locale", name, "UTF-8"),
        false => Finding::warn(
            "locale",
            name,
            "it is not UTF-8: signs of ours are written in ASCII",
            "set LANG=C.UTF-8 if the terminal shows UTF-8",
        ),
    });
    found
}

/// What is needed to work on a project in `folder`.
pub(super) fn project(folder: Option<&Path>) -> Vec<Finding> {
    let environment: environment::Pairs = ground::environment();
    let path = environment::value(&environment, "PATH").unwrap_or_default();
    let Some(git) = launch::find_in_path(OsStr::new("git"), path) else {
        return vec![Finding::warn(
            "git",
            "",
            "it is not in PATH; models like to use it",
            "install it where the work is kept in repositories",
        )];
    };
    let git = git.to_string_lossy();
    let root = folder.and_then(Repository::find).map(|found| found.root);
    let owner = |root: &Path| root.join(".git").metadata().ok().map(|found| found.uid());
    // Who became root by sudo may use his own (git-config(1), safe.directory).
    let before = variable("SUDO_UID").and_then(|id| id.parse().ok());
    let is_ours = |id: u32| id == user::id() || (user::id() == 0 && before == Some(id));
    if let Some(root) = root
        && let Some(id) = owner(&root).filter(|id| !is_ours(*id))
    {
        let shown = root.display();
        let detail = format!("dubious ownership: {shown} belongs to uid {id}, so git refuses it");
        let fix = format!("git config --global --add safe.directory {shown}");
        return vec![Finding::warn("git", &git, detail, &fix)];
    }
    vec![Finding::ok("git", &git, "it is there")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_processor_has_a_level_and_a_name() {
        #[track_caller]
        fn check(cpuinfo: &str, expected: &str) {
            assert_eq!(cpu(cpuinfo).detail, expected);
        }
        check("", "nothing is known of it");
        check("model name\t: Old\nflags\t\t: sse sse2\n", "x86-64-v1, Old");
        let second = "flags: cx16 popcnt sse4_2 ssse3";
        check(second, "x86-64-v2");
        let third = format!("{second} avx2 bmi2 fma movbe");
        check(&third, "x86-64-v3");
        let fourth = format!("{third} avx512f avx512bw avx512cd avx512dq avx512vl");
        check(&fourth, "x86-64-v4");
        let emulated = "model name: QEMU Virtual CPU\nflags: sse2\n";
        check(
            emulated,
            "x86-64-v1, QEMU Virtual CPU, emulated, so it is slow",
        );
        check("Features: fp asimd\n", "emulated, so it is slow");
    }

    #[test]
    fn a_clock_that_was_never_set_is_a_fault() {
        assert!(
            time(0)
                .spoken()
                .starts_with("fail  clock 1970-01-01T00:00:00Z")
        );
        assert!(time(CLOCK_S_MIN).spoken().starts_with("ok "));
    }
}
