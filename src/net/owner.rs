//! Who listens on a port of this machine: `/proc/net/tcp` and `/proc/net/tcp6` (proc(5)).
//!
//! Anybody may listen on a port above 1023, so a port alone is no name. What the kernel says of the
//! socket's owner is.

use crate::sys::file;
use std::io::Read;
use std::path::Path;

/// One table for each family of addresses.
const TABLES: &[&str] = &["/proc/net/tcp", "/proc/net/tcp6"];

/// Room for some ten thousand sockets; a listener stands before the connections.
const TABLE_BYTES_MAX: u64 = 4 << 20;

/// 0A in the column `st`.
const LISTEN: &str = "0A";

/// Addresses that a connection to 127.0.0.1 reaches, as the kernel writes them.
const ADDRESSES: &[&str] = &[
    "0100007F",
    "00000000",
    "00000000000000000000000000000000",
    "0000000000000000FFFF00000100007F",
];

/// The user id of whoever listens on `port`; `None` where the kernel does not tell.
pub fn owner(port: u16) -> Option<u32> {
    TABLES.iter().find_map(|table| {
        let mut text = Vec::new();
        let file = file::open_regular(Path::new(table)).ok()?;
        file.take(TABLE_BYTES_MAX).read_to_end(&mut text).ok()?;
        owner_in(&String::from_utf8_lossy(&text), port)
    })
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid …`
fn owner_in(table: &str, port: u16) -> Option<u32> {
    let port = format!("{port:04X}");
    table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (address, at) = fields.get(1)?.rsplit_once(':')?;
        let is_it = at == port && ADDRESSES.contains(&address) && *fields.get(3)? == LISTEN;
        is_it.then(|| fields.get(7)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_owner_is_read_from_the_line_of_a_listener() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                    uid  timeout inode\n";
        let line = |address: &str, state: &str, uid: u32| {
            format!(
                "   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  \
                 {uid:>4}        0 1 1 0 100 0 0 10 0\n"
            )
        };
        #[track_caller]
        fn check(table: &str, expected: Option<u32>) {
            assert_eq!(owner_in(table, 8080), expected, "{table}");
        }
        check(head, None);
        check(
            &format!("{head}{}", line("0100007F:1F90", "0A", 7)),
            Some(7),
        );
        check(&line("00000000:1F90", "0A", 0), Some(0));
        check(
            &line("00000000000000000000000000000000:1F90", "0A", 9),
            Some(9),
        );
        check(&line("0100007F:1F91", "0A", 7), None);
        check(&line("0100007F:1F90", "01", 7), None);
        check(&line("0500000A:1F90", "0A", 7), None);
        check("a b c\n1 2:3\n", None);
    }

    #[test]
    fn our_own_listener_is_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // Where /proc is missing nobody knows.
        if Path::new(TABLES[0]).exists() {
            assert_eq!(owner(port), Some(crate::sys::user::id()));
        }
    }
}
