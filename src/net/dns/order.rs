//! Which source of addresses is asked when, and the files that say so.
//!
//! In this order, the first that knows is enough: the setting `RESOLVE`, addresses themselves,
//! `localhost`, `/etc/hosts`, the name servers, and what else the system has, by getaddrinfo(3) on
//! a thread. The last only where the C library is glibc and `/etc/nsswitch.conf` names a source
//! that is not asked yet (mDNS, NIS, LDAP): musl has no such sources, and its getaddrinfo would put
//! the same questions to the same servers once more. With a static program such names work through
//! a server that knows them (systemd-resolved does), through `/etc/hosts` or through `RESOLVE`.
//!
//! The files are read anew for every lookup, since networks come and go while we run.

use crate::base::clock::Deadline;
use crate::net::dns::hosts;
use crate::net::dns::hosts::Config;
use crate::net::dns::hosts::Overrides;
use crate::net::dns::lookup::Error;
use crate::net::dns::lookup::Lookup;
use crate::net::dns::lookup::Step;
use crate::net::resolve;
use crate::sys::poll::Interest;
use crate::sys::poll::PollSet;
use std::fs::File;
use std::io::Read;
use std::mem;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

/// Lists of blocked hosts are the longest in use, at 5 MB; what is beyond this is not read.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Every source of addresses.
pub struct Names {
    /// The setting `RESOLVE`.
    pub overrides: Overrides,
    /// Those of the system, unless it is a test.
    pub files: Files,
}

/// Where the files are.
pub struct Files {
    /// hosts(5)
    pub hosts: PathBuf,
    /// resolv.conf(5)
    pub servers: PathBuf,
    /// nsswitch.conf(5)
    pub sources: PathBuf,
}

impl Default for Files {
    fn default() -> Files {
        Files {
            hosts: "/etc/hosts".into(),
            servers: "/etc/resolv.conf".into(),
            sources: "/etc/nsswitch.conf".into(),
        }
    }
}

/// A name that is being asked for, of one source after the other.
pub struct Resolution {
    host: String,
    port: u16,
    phase: Phase,
    /// getaddrinfo may know more than the servers.
    has_other_sources: bool,
}

/// Who is asked.
enum Phase {
    Servers(Box<Lookup>),
    /// The servers did not know, for this reason.
    System(resolve::Lookup, Error),
    Over,
}

impl Names {
    /// The addresses of `host` that are known without asking anyone, and who knows them; none where
    /// none are.
    pub fn known(&self, host: &str, port: u16) -> (Vec<SocketAddr>, &'static str) {
        let with_port = |ip: &IpAddr| SocketAddr::new(*ip, port);
        if let Some(addresses) = self.overrides.addresses(host) {
            return (addresses.iter().map(with_port).collect(), "RESOLVE");
        }
        if let Some(addresses) = resolve::known(host, port) {
            return (addresses, "the name itself");
        }
        let addresses = hosts::addresses(&read(&self.files.hosts), host);
        (addresses.iter().map(with_port).collect(), "/etc/hosts")
    }

    /// Starts to ask for the addresses of a `host` of which none is known.
    pub fn ask(&self, host: &str, port: u16) -> Result<Resolution, Error> {
        let config = Config::parse(&read(&self.files.servers), |zone| {
            nix::net::if_::if_nametoindex(zone).ok()
        });
        let has_other_sources =
            cfg!(target_env = "gnu") && hosts::has_other_sources(&read(&self.files.sources));
        Resolution::start(host, port, &config, has_other_sources)
    }
}

impl Resolution {
    fn start(
        host: &str,
        port: u16,
        config: &Config,
        has_other_sources: bool,
    ) -> Result<Resolution, Error> {
        let lookup = Lookup::start(host, port, config)?;
        Ok(Resolution {
            host: host.to_string(),
            port,
            phase: Phase::Servers(Box::new(lookup)),
            has_other_sources,
        })
    }

    /// Adds what it waits for.
    pub fn wait_for<'a, T: Copy>(&'a self, set: &mut PollSet<'a, T>, token: T) {
        match &self.phase {
            Phase::Servers(lookup) => lookup.wait_for(set, token),
            Phase::System(lookup, _) => set.add(lookup.fd(), Interest::Read, token),
            Phase::Over => {}
        }
    }

    /// When to step at the latest, though nothing was ready.
    pub fn deadline(&self) -> Deadline {
        match &self.phase {
            Phase::Servers(lookup) => lookup.deadline(),
            Phase::System(..) | Phase::Over => Deadline::never(),
        }
    }

    /// Moves what can be moved now. After `Found` or `Failed` it is over.
    pub fn step(&mut self) -> Step {
        let why = match mem::replace(&mut self.phase, Phase::Over) {
            Phase::Servers(mut lookup) => match lookup.step() {
                Step::Failed(why) if self.has_other_sources => why,
                step => {
                    if matches!(step, Step::Waiting | Step::Partly(_)) {
                        self.phase = Phase::Servers(lookup);
                    }
                    return step;
                }
            },
            Phase::System(lookup, why) => return self.hear(lookup, why),
            Phase::Over => return Step::Waiting,
        };
        match resolve::ask(&self.host, self.port) {
            Ok(lookup) => self.hear(lookup, why),
            // Without a thread there is no other source.
            Err(_) => Step::Failed(why),
        }
    }

    /// What is known when the caller waits no longer.
    pub fn give_up(self) -> Option<Error> {
        match self.phase {
            Phase::Servers(lookup) => Some(lookup.give_up()),
            Phase::System(_, why) => Some(why),
            Phase::Over => None,
        }
    }

    /// Whatever the system says instead of an address, the servers have said more.
    fn hear(&mut self, lookup: resolve::Lookup, why: Error) -> Step {
        match lookup.try_answer() {
            None => {
                self.phase = Phase::System(lookup, why);
                Step::Waiting
            }
            Some(Ok(addresses)) if !addresses.is_empty() => Step::Found(addresses),
            Some(_) => Step::Failed(why),
        }
    }
}

/// The text of a file; one that cannot be read says nothing, as for every resolver.
fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        // What was read before an error still counts.
        let _ = file.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
