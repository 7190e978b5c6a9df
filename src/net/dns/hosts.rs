//! The files that say where names are: `/etc/hosts`, `/etc/resolv.conf`, `/etc/nsswitch.conf`, and
//! the setting `RESOLVE`. Text in, values out; nothing is opened here.
//!
//! Of `resolv.conf` we know what both glibc and musl know, with glibc's limits; lines and options
//! that we do not know are passed over, as everyone does. Left out: `sortlist`, the `rotate` and
//! `use-vc` of glibc, and its search in the domain of the machine's own name.

use crate::base::text;
use crate::net::dns::ADDRESSES_MAX;
use crate::net::dns::message::Name;
use std::error;
use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::SocketAddrV6;
use std::time::Duration;

/// MAXNS of resolv.conf(5): nobody asks more.
pub const SERVERS_MAX: usize = 3;

/// glibc has no limit any more, musl stops at 256 bytes; each costs two questions.
const SEARCH_MAX: usize = 16;

/// The limits of glibc (RES_MAXNDOTS, RES_MAXRETRANS, RES_MAXRETRY in its resolv.h).
const NDOTS_MAX: u32 = 15;
const TIMEOUT_S_MAX: u32 = 30;
const ATTEMPTS_MAX: u32 = 5;

const PORT: u16 = 53;

/// Whom to ask, and how (resolv.conf(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Never empty, at most [`SERVERS_MAX`].
    pub servers: Vec<SocketAddr>,
    /// Domains in which a short name may be meant.
    pub search: Vec<Name>,
    /// Names with this many dots are first taken as they are.
    pub ndots: usize,
    /// How long one round over the servers may take.
    pub timeout: Duration,
    /// How often every server is asked; at least 1.
    pub attempts: usize,
}

impl Default for Config {
    /// What holds where there is no file, or nothing in it.
    fn default() -> Config {
        Config {
            servers: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))],
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
        }
    }
}

impl Config {
    /// Reads the text of a `resolv.conf`. `zone_index` finds the number of a network interface,
    /// for servers such as `fe80::1%eth0`.
    pub fn parse(text: &str, zone_index: impl Fn(&str) -> Option<u32>) -> Config {
        let mut config = Config::default();
        let mut servers = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") if servers.len() < SERVERS_MAX => {
                    let server = words.next().and_then(|word| server(word, &zone_index));
                    servers.extend(server);
                }
                // The last of these lines counts, alone.
                Some("domain") => config.search = search(words.take(1)),
                Some("search") => config.search = search(words),
                Some("options") => words.for_each(|option| config.set(option)),
                _ => {}
            }
        }
        if !servers.is_empty() {
            config.servers = servers;
        }
        config
    }

    fn set(&mut self, option: &str) {
        let Some((key, number)) = option.split_once(':') else {
            return;
        };
        let Ok(number) = number.parse::<u32>() else {
            return;
        };
        match key {
            "ndots" => self.ndots = number.min(NDOTS_MAX) as usize,
            "timeout" => {
                self.timeout = Duration::from_secs(number.clamp(1, TIMEOUT_S_MAX).into());
            }
            "attempts" => self.attempts = number.clamp(1, ATTEMPTS_MAX) as usize,
            _ => {}
        }
    }
}

fn server(word: &str, zone_index: impl Fn(&str) -> Option<u32>) -> Option<SocketAddr> {
    let Some((address, zone)) = word.split_once('%') else {
        return Some(SocketAddr::new(word.parse().ok()?, PORT));
    };
    let zone = zone.parse().ok().or_else(|| zone_index(zone))?;
    Some(SocketAddrV6::new(address.parse().ok()?, PORT, 0, zone).into())
}

/// The root, written `.`, is no domain to add: every name is asked for as it is, too.
fn search<'a>(words: impl Iterator<Item = &'a str>) -> Vec<Name> {
    let domains = words.filter_map(|word| Name::parse(word).ok());
    domains.take(SEARCH_MAX).collect()
}

/// The addresses that a hosts(5) file gives to `name`, from all lines that have it.
pub fn addresses(hosts: &str, name: &str) -> Vec<IpAddr> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let mut found = Vec::new();
    for line in hosts.lines() {
        let entry = line.split('#').next().unwrap_or_default();
        let mut words = entry.split_whitespace();
        let address = words.next();
        if !words.any(|word| word.eq_ignore_ascii_case(name)) {
            continue;
        }
        let address = address.and_then(|word| word.parse().ok());
        let Some(address) = address.filter(|address| !found.contains(address)) else {
            continue;
        };
        found.push(address);
        if found.len() == ADDRESSES_MAX {
            break;
        }
    }
    found
}

/// Whether an nsswitch.conf(5) names a source of hosts that we do not ask ourselves: mDNS, NIS,
/// LDAP, the containers of this machine.
pub fn has_other_sources(nsswitch: &str) -> bool {
    let hosts = nsswitch
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("hosts:"))
        .unwrap_or_default();
    let hosts = hosts.split('#').next().unwrap_or_default();
    // What stands in brackets says what to do after a source, and is none.
    let outside = hosts
        .split('[')
        .map(|part| part.split_once(']').map_or(part, |(_, rest)| rest));
    outside
        .flat_map(str::split_whitespace)
        .any(|source| !["files", "dns"].contains(&source))
}

/// Addresses given by the setting `RESOLVE`, which nobody is asked for.
///
/// `host=ip[,ip…]`, several hosts separated by blanks: `api.example=10.0.0.7,fd00::7 b=::1`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Every name once, with at least one address.
    entries: Vec<(Name, Vec<IpAddr>)>,
}

/// A part of `RESOLVE` that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The part, made harmless.
    pub part: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Overrides {
    /// Reads the setting; an empty one overrides nothing.
    pub fn parse(text: &str) -> Result<Overrides, Error> {
        let mut overrides = Overrides::default();
        for part in text.split_whitespace() {
            let (host, addresses) = override_of(part).map_err(|reason| Error {
                part: text::ellipsis(&text::harmless(part), 80).into_owned(),
                reason,
            })?;
            if overrides.entries.iter().any(|(other, _)| *other == host) {
                return Err(Error {
                    part: host.to_string(),
                    reason: "it is there twice; put its addresses together, with commas",
                });
            }
            overrides.entries.push((host, addresses));
        }
        Ok(overrides)
    }

    /// The addresses that are to be used for `host`.
    pub fn addresses(&self, host: &str) -> Option<&[IpAddr]> {
        let host = Name::parse(host).ok()?;
        let (_, addresses) = self.entries.iter().find(|(name, _)| *name == host)?;
        Some(addresses)
    }
}

fn override_of(part: &str) -> Result<(Name, Vec<IpAddr>), &'static str> {
    let Some((host, list)) = part.split_once('=') else {
        return Err("it is not host=address");
    };
    if host.parse::<IpAddr>().is_ok() {
        return Err("what stands before `=` is an address; only names are looked up");
    }
    let host = Name::parse(host).map_err(|_| "what stands before `=` is no host name")?;
    let mut addresses = Vec::new();
    for word in list.split(',') {
        let bare = word.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        match bare.unwrap_or(word).parse() {
            Ok(address) => addresses.push(address),
            Err(_) if word.contains(';') => return Err("hosts are separated by blanks"),
            Err(_) if word.parse::<SocketAddr>().is_ok() => return Err("it has a port"),
            Err(_) => return Err("what stands after `=` is no list of IP addresses"),
        }
    }
    if addresses.len() > ADDRESSES_MAX {
        return Err("it has more than 16 addresses");
    }
    Ok((host, addresses))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.part, self.reason)
    }
}

impl error::Error for Error {}

/// The body of a fuzz target: any text can be read as any of the files.
pub fn fuzz_files(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let config = Config::parse(&text, |_| Some(1));
    assert!((1..=SERVERS_MAX).contains(&config.servers.len()));
    assert!(config.search.len() <= SEARCH_MAX && config.attempts >= 1);
    assert!(addresses(&text, "h").len() <= ADDRESSES_MAX);
    has_other_sources(&text);
    if let Ok(overrides) = Overrides::parse(&text) {
        let entries = overrides.entries.iter();
        assert!(entries.clone().all(|(_, addresses)| !addresses.is_empty()));
        assert!(
            entries
                .clone()
                .all(|(name, _)| overrides.addresses(&name.to_string()).is_some())
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mutants::mutants;

    #[track_caller]
    fn check_hosts(text: &str, name: &str, expected: &[&str]) {
        let found: Vec<String> = addresses(text, name)
            .iter()
            .map(IpAddr::to_string)
            .collect();
        assert_eq!(found, expected, "{name} in {text:?}");
    }

    #[test]
    fn a_hosts_file_gives_every_address_of_a_name() {
        let text = "127.0.0.1\tlocalhost\n\
                    # 10.0.0.9 api\n\
                    10.0.0.7 api.example  Api # not.api\n\
                    \x20fd00::7 api\r\n\
                    10.0.0.7 api\n\
                    fe80::1%eth0 zone api\n\
                    256.0.0.1 bad\n\
                    10.0.0.8\n";
        check_hosts(text, "api", &["10.0.0.7", "fd00::7"]);
        check_hosts(text, "API.EXAMPLE.", &["10.0.0.7"]);
        for absent in ["not.api", "zone", "bad", "10.0.0.7", "example", "", "#"] {
            check_hosts(text, absent, &[]);
        }
        let many: String = (0..99).map(|n| format!("10.0.0.{n} h\n")).collect();
        assert_eq!(addresses(&many, "h").len(), ADDRESSES_MAX);
    }

    #[track_caller]
    fn check_config(text: &str, expected: &str) {
        let zone_index = |zone: &str| (zone == "eth0").then_some(7);
        let config = Config::parse(text, zone_index);
        let servers: Vec<String> = config.servers.iter().map(|it| it.to_string()).collect();
        let search: Vec<String> = config.search.iter().map(Name::to_string).collect();
        let shown = format!(
            "{} | {} | {} {:?} {}",
            servers.join(" "),
            search.join(" "),
            config.ndots,
            config.timeout,
            config.attempts
        );
        assert_eq!(shown, expected, "{text:?}");
    }

    #[test]
    fn a_resolv_conf_is_read_as_others_read_it() {
        check_config("", "127.0.0.1:53 |  | 1 5s 2");
        check_config(
            "# a\n; b\nnameserver 10.0.0.1 # c\nnameserver\t::1\r\nnameserver bad\n\
             nameserver fe80::1%eth0\nnameserver 10.0.0.4\n",
            "10.0.0.1:53 [::1]:53 [fe80::1%7]:53 |  | 1 5s 2",
        );
        check_config(
            "nameserver fe80::1%3\nnameserver fe80::1%wlan9\nnameserver 10.0.0.1%3\n",
            "[fe80::1%3]:53 |  | 1 5s 2",
        );
        check_config(
            "domain old.example\nsearch A.example b.example. . c..d\n",
            "127.0.0.1:53 | a.example b.example | 1 5s 2",
        );
        check_config(
            "search a\ndomain b c\n nameserver 1.1.1.1\n",
            "1.1.1.1:53 | b | 1 5s 2",
        );
        check_config(
            "options rotate ndots:5 timeout:1 edns0\noptions attempts:3 single-request",
            "127.0.0.1:53 |  | 5 1s 3",
        );
        check_config(
            "options ndots:99 timeout:0 attempts:99",
            "127.0.0.1:53 |  | 15 1s 5",
        );
        check_config(
            "options ndots: timeout:-1 attempts:x ndots",
            "127.0.0.1:53 |  | 1 5s 2",
        );
        check_config(
            "nameservers 1.1.1.1\n#nameserver 1.1.1.1",
            "127.0.0.1:53 |  | 1 5s 2",
        );
    }

    #[track_caller]
    fn check_other_sources(text: &str, expected: bool) {
        assert_eq!(has_other_sources(text), expected, "{text:?}");
    }

    #[test]
    fn only_sources_that_we_are_not_ourselves_are_other_sources() {
        check_other_sources("", false);
        check_other_sources("hosts: files dns", false);
        check_other_sources(
            "passwd: nis\nhosts:\tfiles [!UNAVAIL=return] dns # nis",
            false,
        );
        check_other_sources("hosts: files [NOTFOUND=return SUCCESS=continue] dns", false);
        check_other_sources(
            "hosts: files mdns4_minimal [NOTFOUND=return] dns\nx: y",
            true,
        );
        check_other_sources(" hosts:files nis", true);
    }

    #[track_caller]
    fn check_override(text: &str, host: &str, expected: Result<&[&str], &str>) {
        let shown = Overrides::parse(text).map_err(|error| error.to_string());
        let shown = shown.map(|overrides| {
            let addresses = overrides.addresses(host).unwrap_or_default();
            addresses
                .iter()
                .map(IpAddr::to_string)
                .collect::<Vec<String>>()
        });
        let expected = expected.map(|it| it.iter().map(|it| it.to_string()).collect());
        assert_eq!(shown, expected.map_err(str::to_string), "{text:?}");
    }

    #[test]
    fn an_override_replaces_the_addresses_of_a_name() {
        check_override("", "a", Ok(&[]));
        check_override("a=10.0.0.1", "A.", Ok(&["10.0.0.1"]));
        check_override(
            " A.example.=::1,[fd00::7],10.0.0.1\n b=10.0.0.2 ",
            "a.example",
            Ok(&["::1", "fd00::7", "10.0.0.1"]),
        );
        check_override("a=10.0.0.1 b=10.0.0.2", "b", Ok(&["10.0.0.2"]));
        check_override("a=10.0.0.1", "b.a", Ok(&[]));
    }

    #[test]
    fn a_bad_override_is_named_with_its_reason() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            check_override(text, "", Err(expected));
        }
        check("a=10.0.0.1 b", "`b`: it is not host=address");
        let no_list = "what stands after `=` is no list of IP addresses";
        for bad in ["a=", "a=10.0.0.1,", "a=b", "a=10.0.0.1=b", "a=[10.0.0.1"] {
            check(bad, &format!("`{bad}`: {no_list}"));
        }
        check("a=10.0.0.1:80", "`a=10.0.0.1:80`: it has a port");
        check(
            "a=10.0.0.1;b=10.0.0.2",
            "`a=10.0.0.1;b=10.0.0.2`: hosts are separated by blanks",
        );
        check("=::1", "`=::1`: what stands before `=` is no host name");
        check("*=::1", "`*=::1`: what stands before `=` is no host name");
        check(
            "1.1.1.1=::1",
            "`1.1.1.1=::1`: what stands before `=` is an address; only names are looked up",
        );
        check(
            "a=::1 A.=::2",
            "`a`: it is there twice; put its addresses together, with commas",
        );
        let many = format!("a={}::1", "::1,".repeat(16));
        check(
            &many,
            &format!(
                "`{}`: it has more than 16 addresses",
                text::ellipsis(&many, 80)
            ),
        );
    }

    #[test]
    fn no_text_makes_reading_fall_over() {
        let texts = [
            "10.0.0.1 h # x\nfe80::1%eth0 h\n",
            "nameserver fe80::1%2\nsearch a.example b\noptions ndots:2 timeout:1\n",
            "hosts: files [!UNAVAIL=return] dns\n",
            "a=10.0.0.1,[::1] b=::2",
        ];
        let mutants = texts.iter().flat_map(|text| mutants(text.as_bytes()));
        mutants.for_each(|text| fuzz_files(&text));
        assert!(Overrides::parse("a=10.0.0.1,[::1] b=::2").is_ok());
    }
}
