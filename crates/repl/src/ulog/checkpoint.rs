//! Up to where the records have what the log says, on stable storage.

use std::sync::Arc;

use hozo_log::disk::Disk;
use hozo_traits::{Error, ErrorKind, Result};

use super::Place;

const FILE: &str = "checkpoint";
const NEW: &str = "checkpoint.new";
const MAGIC: &[u8; 8] = b"HOZOULC\x01";
const BYTES: usize = 8 + 8 + 16 + 1 + 4;

/// The file `checkpoint`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Checkpoint {
    /// The records have everything below, durably; there is a state there.
    pub(crate) place: Place,
    /// Which run of the system it was; zeros if that is not known.
    pub(crate) boot: [u8; 16],
    /// Whether the log was closed in order, or nothing was written to it yet.
    pub(crate) closed: bool,
    /// Whether the server took writes, so that its records can have what a power
    /// cut takes from the log.
    pub(crate) wrote: bool,
}

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const OPEN_TAKES_NO_WRITES: u8 = 2;

impl Checkpoint {
    /// The checkpoint of a directory; `None` if there is none, or none that can
    /// be read: then the whole log is replayed.
    pub(crate) fn read(disk: &Arc<dyn Disk>) -> Result<Option<Checkpoint>> {
        let file = match disk.open(FILE) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = [0; BYTES];
        if file.len()? != BYTES as u64 {
            return Ok(None);
        }
        file.read_at(0, &mut bytes)?;
        let (said, sum) = bytes.split_at(BYTES - 4);
        if &said[..8] != MAGIC || crc32c::crc32c(said).to_le_bytes() != sum {
            return Ok(None);
        }
        let place = u64::from_le_bytes(said[8..16].try_into().expect("eight bytes"));
        let boot = said[16..32].try_into().expect("sixteen bytes");
        let (closed, wrote) = (said[32] == CLOSED, said[32] != OPEN_TAKES_NO_WRITES);
        Ok(Some(Checkpoint { place, boot, closed, wrote }))
    }

    /// Puts it in the place of the one before, durably.
    pub(crate) fn write(&self, disk: &Arc<dyn Disk>) -> Result<()> {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.place.to_le_bytes());
        bytes.extend_from_slice(&self.boot);
        bytes.push(match (self.closed, self.wrote) {
            (true, _) => CLOSED,
            (false, true) => OPEN,
            (false, false) => OPEN_TAKES_NO_WRITES,
        });
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        replace(disk, FILE, NEW, &bytes)
    }
}

/// Replaces a small file as a whole, durably.
pub(crate) fn replace(disk: &Arc<dyn Disk>, name: &str, new: &str, bytes: &[u8]) -> Result<()> {
    match disk.remove(new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.create(new)?;
    file.write_at(0, bytes)?;
    file.sync()?;
    disk.rename(new, name)?;
    disk.sync_dir()
}

/// The whole of a small file; `None` if it is not there.
pub(crate) fn read_whole(disk: &Arc<dyn Disk>, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
    let file = match disk.open(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let bytes = file.len()?;
    if bytes > most {
        return Err(Error::new(ErrorKind::Corrupt, "a file is larger than it can be")
            .with("file", name)
            .with("bytes", bytes));
    }
    let mut whole = vec![0; bytes as usize];
    file.read_at(0, &mut whole)?;
    Ok(Some(whole))
}
