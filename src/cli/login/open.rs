//! Shows an address in the person's browser, where there is a display.
//!
//! What is started gets the cut-down environment and what it needs to find the display; whether a
//! window appears nobody tells us, so the address is printed all the same.

use crate::cli::ground;
use crate::cli::ground::Ground;
use crate::proc::Fence;
use crate::proc::Launch;
use crate::proc::environment;
use crate::proc::environment::Pairs;
use crate::proc::launch::DeathSignal;
use std::ffi::OsString;
use std::io;
use std::process::Stdio;

/// What a program needs to reach the person's screen.
const DISPLAY: &[&str] = &[
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_RUNTIME_DIR",
    "XDG_CURRENT_DESKTOP",
    "XDG_SESSION_TYPE",
    "XDG_DATA_DIRS",
    "DBUS_SESSION_BUS_ADDRESS",
    "BROWSER",
];

/// Starts the browser, and does not wait for it.
pub fn open(ground: &Ground, url: &str) -> io::Result<()> {
    let all = ground::environment();
    let mut env: Pairs = environment::cut(all.clone());
    let is_display = |name: &OsString| DISPLAY.iter().any(|display| name == display);
    env.extend(all.into_iter().filter(|(name, _)| is_display(name)));
    let browser = ground::variable("BROWSER");
    let mut words = command(browser.as_deref(), url).into_iter();
    let launch = Launch {
        program: words.next().unwrap_or_default(),
        args: words.collect(),
        cwd: None,
        env,
        stdin: Stdio::null(),
        stdout: Stdio::null(),
        stderr: Stdio::null(),
        death: DeathSignal::None,
        fence: Fence::None,
    };
    launch.spawn(&ground.self_path).map(|_| ())
}

/// The command of `$BROWSER`, the first of several parted by colons, with the address for `%s` or
/// behind it; else the desktop's own.
fn command(browser: Option<&str>, url: &str) -> Vec<OsString> {
    let first = browser.and_then(|browser| browser.split(':').next());
    let words: Vec<&str> = first.unwrap_or_default().split_whitespace().collect();
    if words.is_empty() {
        return vec!["xdg-open".into(), url.into()];
    }
    let has_place = words.iter().any(|word| word.contains("%s"));
    let words = words.iter().map(|word| word.replace("%s", url).into());
    let behind = (!has_place).then(|| url.into());
    words.chain(behind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_persons_own_browser_comes_first() {
        let check = |browser, expected: &[&str]| {
            assert_eq!(command(browser, "http://h/"), expected, "{browser:?}");
        };
        check(None, &["xdg-open", "http://h/"]);
        check(Some(" "), &["xdg-open", "http://h/"]);
        check(Some("lynx -x:links"), &["lynx", "-x", "http://h/"]);
        check(Some("b --url=%s -n"), &["b", "--url=http://h/", "-n"]);
    }
}
