//! Sockets that clients come to.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hozo_traits::{Claim, Error, ErrorKind, Result};
use rustix::fs::FlockOperation;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixSocket};

use crate::config::SocketMode;

/// Clients that came and were not yet taken.
const BACKLOG: u32 = 1024;

/// A socket that listens.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The name of a Unix socket in the file system; goes with this value.
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// Takes the place, and answers what it got: the port, if the system chose it.
/// In the context of a runtime.
pub(super) fn bind(
    claim: &Claim,
    mode: SocketMode,
) -> Result<(Listener, Claim, Option<SocketFile>)> {
    let cannot = |e: io::Error| {
        let (kind, what) = match e.kind() {
            io::ErrorKind::AddrInUse => {
                (ErrorKind::Busy, "somebody listens there already: stop that, or listen elsewhere")
            }
            io::ErrorKind::PermissionDenied => {
                (ErrorKind::Denied, "this user may not listen there")
            }
            _ => (ErrorKind::Unavailable, "one cannot listen there"),
        };
        Error::new(kind, what).with("listen", claim).caused_by(e)
    };
    match claim {
        Claim::Tcp(address) => {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
            let socket = socket.map_err(cannot)?;
            // A server that starts again need not wait for what is left of the
            // connections of the one before. Not SO_REUSEPORT: two servers of one
            // port would share the clients between them, unnoticed.
            socket.set_reuseaddr(true).map_err(cannot)?;
            socket.bind(*address).map_err(cannot)?;
            let listener = socket.listen(BACKLOG).map_err(cannot)?;
            let got = Claim::Tcp(listener.local_addr().map_err(cannot)?);
            Ok((Listener::Tcp(listener), got, None))
        }
        Claim::Socket(path) => {
            let (listener, file) = bind_unix(path, mode).map_err(cannot)?;
            Ok((Listener::Unix(listener), claim.clone(), Some(file)))
        }
        Claim::Mount(_) => {
            Err(Error::new(ErrorKind::Invalid, "one cannot listen at a mount").with("at", claim))
        }
    }
}

fn bind_unix(path: &Path, mode: SocketMode) -> io::Result<(UnixListener, SocketFile)> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Two servers that start at once must not both find the old socket dead, and
    // the second remove what the first has made.
    let directory = File::open(parent)?;
    rustix::fs::flock(&directory, FlockOperation::LockExclusive)?;
    remove_dead(path)?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    // Nobody gets in before it listens, so also nobody whom the mode keeps out.
    let file = SocketFile::at(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode.0))?;
    Ok((socket.listen(BACKLOG)?, file))
}

/// Removes a socket that nobody listens at any more.
fn remove_dead(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        let what = "there is a file of that name which is no socket";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    // Without waiting: a server that hangs has a full queue.
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &SocketAddrUnix::new(path)?) {
        Err(rustix::io::Errno::CONNREFUSED) => fs::remove_file(path),
        Err(rustix::io::Errno::NOENT) => Ok(()),
        Ok(()) | Err(rustix::io::Errno::AGAIN) => Err(io::ErrorKind::AddrInUse.into()),
        Err(e) => Err(e.into()),
    }
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(SocketFile { path: path.to_owned(), device: found.dev(), inode: found.ino() })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // By now it may be somebody else's.
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if ours && let Err(e) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), error = %e, "a socket is left behind");
        }
    }
}
