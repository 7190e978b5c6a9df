//! Who we are to the kernel: the number that decides which files are ours.
//!
//! The passwd file is read as it is. To ask the C library could wait for a directory server.

use crate::sys::file;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

/// Where local users stand (passwd(5)).
const PASSWD: &str = "/etc/passwd";

/// Room for ten thousand users.
const PASSWD_BYTES_MAX: u64 = 1 << 20;

/// The effective user id of this process.
pub fn id() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Our home directory by the passwd file, whatever `HOME` says; `None` for a user without a line.
pub fn home() -> Option<PathBuf> {
    field_of(id(), HOME, &passwd()?).map(PathBuf::from)
}

/// The name of the user with this id; `None` for one without a line.
pub fn name(id: u32) -> Option<String> {
    field_of(id, NAME, &passwd()?)
}

/// The fields of a line, from 0.
const NAME: usize = 0;
const HOME: usize = 5;

fn passwd() -> Option<String> {
    let mut text = Vec::new();
    let passwd = file::open_regular(Path::new(PASSWD)).ok()?;
    passwd.take(PASSWD_BYTES_MAX).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// A field of the line whose third is `id`; `None` for an empty one.
fn field_of(id: u32, field: usize, passwd: &str) -> Option<String> {
    let fields = |line: &str| -> Vec<String> { line.split(':').map(str::to_owned).collect() };
    let mut lines = passwd.lines().map(fields);
    let ours = lines.find(|fields| fields.get(2).is_some_and(|field| *field == id.to_string()))?;
    ours.get(field).filter(|text| !text.is_empty()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_and_name_are_those_of_the_number() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\n+\nbad:x:7\nu:x:1000:1::/home/u:\nn:x:9:9:::\n";
        let home = |id| field_of(id, HOME, passwd);
        assert_eq!(home(0), Some("/root".into()));
        assert_eq!(home(1000), Some("/home/u".into()));
        assert_eq!(field_of(1000, NAME, passwd), Some("u".into()));
        for id in [1, 7, 9, 100] {
            assert_eq!(home(id), None, "{id}");
        }
    }
}
