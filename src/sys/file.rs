//! Opening a file that a stranger may have put there: it never waits, whatever the name leads to;
//! and whether a folder can be written.

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::fcntl::OFlag;
use nix::fcntl::openat;
use nix::sys::stat::Mode;
use nix::sys::statvfs::statvfs;
use nix::unistd::AccessFlags;
use nix::unistd::access;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Flags of open(2). Without `O_NONBLOCK` the open of a FIFO waits for a writer, and so does the
/// read of `/proc/kmsg`, which calls itself a regular file; without `O_NOCTTY` the open of a
/// terminal makes it ours.
pub const NO_WAIT: i32 = OFlag::O_NONBLOCK.union(OFlag::O_NOCTTY).bits();

/// Whether a path could not be followed since it leads through symbolic links that lead to each
/// other.
pub fn is_link_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ELOOP as i32)
}

/// Opens a regular file to be read. Anything else is an error.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let must_be_file = |is_file: bool| match is_file {
        true => Ok(()),
        false => Err(io::Error::other("it is not a regular file")),
    };
    // To open a device can move a tape; to ask the name first spares that, and to ask the open file
    // again closes the gap between the two.
    must_be_file(fs::metadata(path)?.is_file())?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(NO_WAIT)
        .open(path)?;
    must_be_file(file.metadata()?.is_file())?;
    Ok(file)
}

/// Whether this process may make files in `folder`, by its mode and its mount (access(2)).
pub fn may_write(folder: &Path) -> io::Result<()> {
    Ok(access(folder, AccessFlags::W_OK | AccessFlags::X_OK)?)
}

/// How many bytes users may still write to the file system of `path` (statvfs(3)).
pub fn space_left(path: &Path) -> io::Result<u64> {
    let found = statvfs(path)?;
    let blocks = found.blocks_available();
    Ok(blocks.saturating_mul(found.fragment_size()))
}

/// Opens whatever has this name to be read, without waiting for anybody.
///
/// As `File::open` does it, but with one call to the system: musl's open(2) sets `FD_CLOEXEC` with
/// a second one, for kernels before 2.6.23.
pub fn open_without_waiting(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    Ok(File::from(openat(AT_FDCWD, path, flags, Mode::empty())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_is_opened() {
        assert!(open_regular(Path::new("/proc/self/stat")).is_ok());
        for path in ["/", "/dev/null", "/dev/zero", "/proc/self/fd/none"] {
            assert!(open_regular(Path::new(path)).is_err(), "{path}");
        }
    }
}
