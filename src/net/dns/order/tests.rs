//! Sources in their order: files in a folder of the test, servers on loopback.

use super::*;
use crate::net::dns::fixtures;
use crate::net::dns::fixtures::Server;
use std::fs;

/// A folder with the three files; what is `None` is not there.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("sx-dns-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn names(&self, overrides: &str) -> Names {
        Names {
            overrides: Overrides::parse(overrides).unwrap(),
            files: Files {
                hosts: self.0.join("hosts"),
                servers: self.0.join("resolv.conf"),
                sources: self.0.join("nsswitch.conf"),
            },
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn check_known(names: &Names, host: &str, expected: &[&str]) {
    let (addresses, _) = names.known(host, 8);
    let shown: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    assert_eq!(shown, expected, "{host}");
}

#[test]
fn the_first_source_that_knows_is_enough() {
    let folder = Folder::new("order");
    fs::write(
        folder.0.join("hosts"),
        b"10.0.0.1 a b localhost\n\xff 10.0.0.9 x\n",
    )
    .unwrap();
    let names = folder.names("a=10.0.0.2 c=::1 localhost=10.0.0.3");
    check_known(&names, "a", &["10.0.0.2:8"]);
    check_known(&names, "b", &["10.0.0.1:8"]);
    check_known(&names, "c", &["[::1]:8"]);
    check_known(&names, "localhost", &["10.0.0.3:8"]);
    check_known(&names, "fd00::1", &["[fd00::1]:8"]);
    let names = folder.names("");
    check_known(&names, "localhost", &["127.0.0.1:8", "[::1]:8"]);
    check_known(&names, "c", &[]);
    let error = names.ask("b\u{fc}cher.de", 8).err().unwrap();
    assert!(error.to_string().contains("punycode"), "{error}");
}

#[test]
fn files_that_are_not_there_say_nothing() {
    let names = Folder::new("none").names("");
    check_known(&names, "a.example", &[]);
    assert!(names.ask("a.example", 8).is_ok());
}

fn run(mut resolution: Resolution) -> Step {
    loop {
        match resolution.step() {
            Step::Waiting => {
                let mut set = PollSet::new();
                resolution.wait_for(&mut set, ());
                set.wait(resolution.deadline().left()).unwrap();
            }
            step => return step,
        }
    }
}

fn config(server: &Server) -> Config {
    Config {
        servers: vec![server.address],
        ..Config::default()
    }
}

#[test]
fn what_servers_do_not_know_the_system_may() {
    let server = Server::start(|query| vec![fixtures::answer(query, fixtures::NXDOMAIN, &[])]);
    // An old way to write 127.0.0.1, which getaddrinfo knows without asking anyone.
    let start = |has_other| Resolution::start("127.1", 8, &config(&server), has_other).unwrap();
    match run(start(true)) {
        Step::Found(addresses) => assert_eq!(addresses, ["127.0.0.1:8".parse().unwrap()]),
        other => panic!("{other:?}"),
    }
    match run(start(false)) {
        Step::Failed(Error::Absent(report)) => assert_eq!(
            report.to_string(),
            format!("{}: no such name (NXDOMAIN)", server.address)
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_caller_without_patience_hears_who_was_asked() {
    let server = Server::start(|_| Vec::new());
    let mut resolution = Resolution::start("h", 8, &config(&server), true).unwrap();
    assert!(matches!(resolution.step(), Step::Waiting));
    let error = resolution.give_up().unwrap().to_string();
    let expected = format!("{}: no answer in ", server.address);
    assert!(error.starts_with(&expected), "{error}");
}
