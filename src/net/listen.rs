//! A socket of ours that others connect to: on loopback, or in the file system. Never beyond.

use crate::net::error::plain;
use nix::sys::socket;
use nix::sys::socket::AddressFamily;
use nix::sys::socket::Backlog;
use nix::sys::socket::SockFlag;
use nix::sys::socket::SockType;
use nix::sys::socket::UnixAddr;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt;
use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An address of this machine itself.
    Loopback(SocketAddr),
    /// A file that does not exist yet, or is a socket that nobody listens on any more.
    File(PathBuf),
}

impl Place {
    /// Reads `127.0.0.1:PORT`, `[::1]:PORT`, `localhost:PORT` or `unix:PATH`. Fails with what is
    /// wrong with it.
    pub fn parse(text: &str) -> Result<Place, &'static str> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match Path::new(path).is_absolute() {
                true => Ok(Place::File(path.into())),
                false => Err("a socket is named by its whole path, as in unix:/run/sx.sock"),
            };
        }
        let numeric = text.replacen("localhost:", "127.0.0.1:", 1);
        let Ok(address) = numeric.parse::<SocketAddr>() else {
            return Err("it must be 127.0.0.1:PORT, [::1]:PORT or unix:PATH");
        };
        match address.ip().is_loopback() {
            true => Ok(Place::Loopback(address)),
            false => Err("only this machine itself may connect: put ssh or a TLS proxy in front"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Loopback(address) => write!(f, "{address}"),
            Place::File(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A socket that listens. A file goes away with it.
pub struct Listener {
    socket: Socket,
    place: Place,
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Listens; with port 0 the kernel chooses one. A file can be opened by its owner alone.
    pub fn bind(place: &Place) -> io::Result<Listener> {
        match place {
            Place::Loopback(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Ok(Listener {
                    place: Place::Loopback(listener.local_addr()?),
                    socket: Socket::Tcp(listener),
                })
            }
            Place::File(path) => {
                remove_dead(path)?;
                let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
                let fd = socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
                socket::bind(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
                // Nobody can connect before it listens, so nobody finds looser permissions.
                fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
                socket::listen(&fd, Backlog::MAXCONN)?;
                Ok(Listener {
                    place: place.clone(),
                    socket: Socket::Unix(UnixListener::from(fd)),
                })
            }
        }
    }

    /// Where it listens.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// To be waited for; it is ready when somebody connects.
    pub fn fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Tcp(listener) => listener.as_fd(),
            Socket::Unix(listener) => listener.as_fd(),
        }
    }

    /// Whoever connected next, and who that is; `None` if nobody did. Never waits.
    pub fn accept(&self) -> Option<(TcpStream, String)> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, peer) = listener.accept().ok()?;
                stream.set_nonblocking(false).ok()?;
                Some((stream, peer.to_string()))
            }
            Socket::Unix(listener) => {
                let (stream, _) = listener.accept().ok()?;
                stream.set_nonblocking(false).ok()?;
                let peer = match getsockopt(&stream, sockopt::PeerCredentials) {
                    Ok(peer) => format!("uid {} pid {}", peer.uid(), peer.pid()),
                    Err(_) => "unknown".to_string(),
                };
                // A socket's bytes move by the same calls in any family.
                Some((TcpStream::from(OwnedFd::from(stream)), peer))
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Place::File(path) = &self.place {
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes a socket that nobody listens on. Anything else that is there stays, and is an error.
fn remove_dead(path: &Path) -> io::Result<()> {
    let Ok(facts) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !facts.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "something else has this name",
        ));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another program listens there",
        )),
        Err(error) => Err(io::Error::new(error.kind(), plain(&error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::io::Write;

    #[test]
    fn only_this_machine_may_connect() {
        for good in ["127.0.0.1:0", "[::1]:8", "localhost:80", "unix:/run/x"] {
            assert!(Place::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "0.0.0.0:80",
            "[::]:80",
            "10.0.0.1:1",
            "80",
            "unix:x",
            "",
            "example.org:80",
        ] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_is_private_replaced_when_dead_and_removed_in_the_end() {
        let name = format!("sx-listen-{}", crate::base::random::uuid().unwrap());
        let path = std::env::temp_dir().join(name);
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a dead one");
        let place = Place::File(path.clone());
        let listener = Listener::bind(&place).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(listener.accept().is_none());
        assert!(Listener::bind(&place).is_err(), "it is in use");
        listener.accept().expect("whoever looked");
        let mut client = UnixStream::connect(&path).unwrap();
        let (mut server, peer) = listener.accept().unwrap();
        assert!(
            peer.contains(&format!("pid {}", std::process::id())),
            "{peer}"
        );
        client.write_all(b"x").unwrap();
        server.read_exact(&mut [0]).unwrap();
        drop(listener);
        assert!(!path.exists());
        fs::write(&path, "kept").unwrap();
        assert!(Listener::bind(&place).is_err(), "it is no socket");
        fs::remove_file(&path).unwrap();
    }
}
