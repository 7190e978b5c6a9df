//! Runs `.ci/static` on made-up machines and looks at what it installs and which way it builds.
//!
//! A machine is a folder of small programs that is the whole PATH: real text tools, and fakes of
//! cargo, rustup and Debian's package tools that write down how they were called. Whether the real
//! ones then build a file that runs anywhere is for tests/elf.rs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

const TOOLS: [&str; 14] = [
    "sh", "awk", "cat", "cp", "cut", "dirname", "env", "grep", "mkdir", "sed", "timeout", "touch",
    "wc", "test",
];

const CARGO: &str = r#"
case $1 in
--version) echo "cargo 1.95.0 (abc 2026-01-01)" ;;
build)
    echo "cargo $*" >>"$MACHINE/log"
    mkdir -p "$CARGO_TARGET_DIR/x86_64-unknown-linux-musl/release"
    echo binary >"$CARGO_TARGET_DIR/x86_64-unknown-linux-musl/release/sx"
    ;;
esac"#;
const OLD_CARGO: &str = r#"
[ "${RUSTUP_TOOLCHAIN-}" != stable ] || exec "$MACHINE/cargo-of-stable" "$@"
echo "cargo 1.9.0 (abc 2016-01-01)""#;
const RUSTC: &str = r#"echo "$MACHINE/musl-target""#;
const RUSTUP_ONLINE: &str = r#"echo "rustup $*" >>"$MACHINE/log"; mkdir "$MACHINE/musl-target""#;
const RUSTUP_OFFLINE: &str = r#"echo "rustup $*" >>"$MACHINE/log"; exit 1"#;
const DPKG_QUERY: &str = r#"
case $1 in
-W) [ -e "$MACHINE/installed/$3" ] && printf 'install ok installed' ;;
-L) case $2 in
    cargo-web) echo "$MACHINE/debian/bin/cargo" ;;
    rustc-web) echo "$MACHINE/debian/bin/rustc" ;;
    musl-dev) echo "$MACHINE/debian/musl/rcrt1.o" ;;
    esac ;;
esac"#;
const APT_GET: &str = r#"
[ "$1" = install ] || exit 0
for word; do
    case $word in
    install | -* | DPkg*) ;;
    *) echo "apt-get $word" >>"$MACHINE/log" && touch "$MACHINE/installed/$word" ;;
    esac
done"#;
const GCC: &str = r#"
case "$*" in
-print-file-name=*) echo "$MACHINE/libgcc_eh.a" ;;
esac"#;

const INSTALLED_BY_APT: [&str; 6] = [
    "apt-get rustc-web",
    "apt-get cargo-web",
    "apt-get rust-web-src",
    "apt-get musl-tools",
    "apt-get gcc",
    "apt-get libc6-dev",
];
const BUILT_BY_RUSTUP: &str = "cargo build --locked --release --bin sx \
     --features end-of-stack --target x86_64-unknown-linux-musl --target-dir MACHINE/target";
const BUILT_BY_DEBIAN: &str = "cargo build --locked --release --bin sx \
     -Zbuild-std=std,panic_abort -Zbuild-std-features= --target x86_64-unknown-linux-musl \
     --target-dir MACHINE/target";

#[test]
fn a_target_that_is_there_is_used_and_nothing_installed() {
    let machine = Machine::new().with_cargo().with_debian("0");
    fs::create_dir(machine.path("musl-target")).expect("a new folder");
    machine.check(Ok(()), &[BUILT_BY_RUSTUP]);
}

#[test]
fn debian_packages_that_are_there_are_used_before_anything_is_fetched() {
    let machine = Machine::new().with_cargo().with_debian("0");
    machine.fake("bin/rustup", RUSTUP_ONLINE);
    for package in INSTALLED_BY_APT {
        let name = package.trim_start_matches("apt-get ");
        fs::write(machine.path("installed").join(name), "").expect("a new file");
    }
    machine.check(Ok(()), &[BUILT_BY_DEBIAN]);
}

#[test]
fn a_target_that_can_be_had_is_fetched() {
    let machine = Machine::new().with_cargo().with_debian("0");
    machine.fake("bin/rustup", RUSTUP_ONLINE);
    let fetched = "rustup target add x86_64-unknown-linux-musl";
    machine.check(Ok(()), &[fetched, BUILT_BY_RUSTUP]);
}

#[test]
fn debian_packages_are_installed_where_rustup_has_no_target() {
    let machine = Machine::new().with_cargo().with_debian("0");
    machine.fake("bin/rustup", RUSTUP_OFFLINE);
    let mut log = vec!["rustup target add x86_64-unknown-linux-musl"];
    log.extend(INSTALLED_BY_APT);
    log.push(BUILT_BY_DEBIAN);
    machine.check(Ok(()), &log);
}

#[test]
fn packages_that_are_too_old_are_told_where_newer_ones_are() {
    let machine = Machine::new().with_cargo().with_debian("0");
    machine.fake("debian/bin/cargo", "echo \"cargo 1.85.0 (abc 2025-01-01)\"");
    let told =
        "sx: Debian's cargo-web is older than 1.95 here; its security updates have a newer one";
    machine.check(Err(told), &INSTALLED_BY_APT);
}

#[test]
fn a_compiler_is_installed_where_none_can_link() {
    let cannot_link: [fn(&Machine); 2] = [
        |machine| fs::remove_file(machine.path("bin/cc")).expect("our own file"),
        |machine| machine.fake("bin/cc", "echo crt1.o"),
    ];
    for break_it in cannot_link {
        let machine = Machine::new().with_cargo().with_debian("0");
        fs::create_dir(machine.path("musl-target")).expect("a new folder");
        break_it(&machine);
        let log = ["apt-get gcc", "apt-get libc6-dev", BUILT_BY_RUSTUP];
        machine.check(Ok(()), &log);
    }
}

#[test]
fn another_system_without_a_compiler_is_told_so() {
    let machine = Machine::new().with_cargo();
    fs::remove_file(machine.path("bin/cc")).expect("our own file");
    let told = "sx: missing here: gcc libc6-dev (by Debian's names); please install them";
    machine.check(Err(told), &[]);
}

#[test]
fn someone_who_may_not_install_is_told_what_to_run() {
    let machine = Machine::new().with_cargo().with_debian("1000");
    let told = "sx: not root and no sudo; please run: \
                apt-get install rustc-web cargo-web rust-web-src musl-tools gcc libc6-dev";
    machine.check(Err(told), &[]);
}

#[test]
fn another_system_without_the_target_is_told_so() {
    let machine = Machine::new().with_cargo();
    let told = "sx: rustup has no target x86_64-unknown-linux-musl and this is not Debian, which \
                has another way; please run: rustup target add x86_64-unknown-linux-musl";
    machine.check(Err(told), &[]);
}

#[test]
fn no_cargo_is_one_line() {
    let told = "sx: no cargo 1.95 or newer here; https://rustup.rs installs one";
    Machine::new().with_debian("0").check(Err(told), &[]);
}

#[test]
fn cargo_is_found_below_home_without_being_on_the_path() {
    let machine = Machine::new();
    machine.fake("home/.cargo/bin/cargo", CARGO);
    machine.fake("home/.cargo/bin/rustc", RUSTC);
    fs::create_dir(machine.path("musl-target")).expect("a new folder");
    machine.check(Ok(()), &[BUILT_BY_RUSTUP]);
}

#[test]
fn stable_is_used_where_the_default_toolchain_is_too_old() {
    let machine = Machine::new();
    machine.fake("bin/cargo", OLD_CARGO);
    machine.fake("bin/rustc", RUSTC);
    machine.fake("cargo-of-stable", CARGO);
    fs::create_dir(machine.path("musl-target")).expect("a new folder");
    machine.check(Ok(()), &[BUILT_BY_RUSTUP]);
}

/// One machine at a time: a child that another test starts would hold a script open for writing for
/// a moment, and Linux refuses to run such a script.
static TURN: Mutex<()> = Mutex::new(());

/// A made-up machine; its folder is gone when dropped.
struct Machine {
    folder: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Machine {
    /// Text tools and a C compiler, no Rust and no packages.
    fn new() -> Self {
        let machine = Self {
            _turn: TURN.lock().unwrap_or_else(PoisonError::into_inner),
            folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join("machine"),
        };
        fs::remove_dir_all(&machine.folder).ok(); // Of a run that was killed.
        fs::create_dir_all(machine.path("bin")).expect("a new folder");
        fs::create_dir_all(machine.path("installed")).expect("a new folder");
        for tool in TOOLS {
            let real = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool));
            let real = real.iter().find(|path| path.exists());
            let real = real.unwrap_or_else(|| panic!("no {tool} in /usr/bin or /bin"));
            symlink(real, machine.path("bin").join(tool)).expect("a new link");
        }
        fs::write(machine.path("libgcc_eh.a"), "").expect("a new file");
        machine.fake("bin/uname", "echo Linux x86_64");
        machine.fake("bin/id", "echo 0");
        for compiler in ["cc", "gcc"] {
            machine.fake(&format!("bin/{compiler}"), GCC);
        }
        machine.fake("bin/ar", "");
        machine
    }

    fn with_cargo(self) -> Self {
        self.fake("bin/cargo", CARGO);
        self.fake("bin/rustc", RUSTC);
        self
    }

    /// Debian's package tools, called by the user of this number.
    fn with_debian(self, user: &str) -> Self {
        self.fake("bin/dpkg-query", DPKG_QUERY);
        self.fake("bin/apt-get", APT_GET);
        self.fake("bin/id", &format!("echo {user}"));
        self.fake("debian/bin/cargo", CARGO);
        self
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.join(below)
    }

    fn fake(&self, below: &str, script: &str) {
        let path = self.path(below);
        let folder = path.parent().expect("a path below the machine");
        fs::create_dir_all(folder).expect("a new folder");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a new file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own file");
    }

    /// Builds here: `told` is the last line on stderr if that fails, `log` what was called.
    #[track_caller]
    fn check(&self, told: Result<(), &str>, log: &[&str]) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut build = Command::new(root.join(".ci/static"));
        build
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("HOME", self.path("home"));
        build
            .env("MACHINE", &self.folder)
            .env("CARGO_TARGET_DIR", self.path("target"));
        let output = build.output().expect("the script starts");
        let [stdout, stderr] = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8(bytes).expect("the script writes ASCII"));

        let logged = fs::read_to_string(self.path("log")).unwrap_or_default();
        let logged = logged.replace(self.folder.to_str().expect("our own name"), "MACHINE");
        assert_eq!(logged.lines().collect::<Vec<_>>(), log, "{stderr}");

        let binary = self.path("target/x86_64-unknown-linux-musl/release/sx");
        match told {
            Ok(()) => assert_eq!(stdout, format!("{}\n", binary.display()), "{stderr}"),
            Err(line) => assert_eq!((&*stdout, stderr.lines().last()), ("", Some(line))),
        }
        assert_eq!(output.status.success(), told.is_ok(), "{stderr}");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}
