//! How far a snapshot is, for when it is interrupted.

use std::sync::Arc;

use bytes::Bytes;
use hozo_log::disk::Disk;
use hozo_traits::{Error, ErrorKind, Result, ServerId, SnapshotPlace};

use crate::ulog::checkpoint::{read_whole, replace};
use crate::ulog::codec::State;

const FILE: &str = "loading";
const NEW: &str = "loading.new";
const MAGIC: &[u8; 8] = b"HOZOULL\x02";
/// A position and a key.
const BYTES_MAX: u64 = 1 << 30;

/// The file `loading`: there while the records are not those of the log, but of
/// a snapshot that is not complete. Inside is of which server it is, which alone
/// can go on with it, since each has its own order of records. `None`: it has not
/// begun.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Loading(pub(crate) Option<(ServerId, SnapshotPlace)>);

impl Loading {
    pub(crate) fn read(disk: &Arc<dyn Disk>) -> Result<Option<Loading>> {
        let Some(bytes) = read_whole(disk, FILE, BYTES_MAX)? else { return Ok(None) };
        // What cannot be read says all the same that nothing is complete.
        Ok(Some(decode(&bytes).unwrap_or_default()))
    }

    pub(crate) fn write(&self, disk: &Arc<dyn Disk>) -> Result<()> {
        let mut bytes = Vec::from(MAGIC);
        if let Some((server, SnapshotPlace { from, dbm, key })) = &self.0 {
            let state = State { position: from.clone(), ..State::default() }.encode();
            bytes.extend_from_slice(&(state.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&state);
            bytes.extend_from_slice(&server.get().to_le_bytes());
            bytes.extend_from_slice(&dbm.to_le_bytes());
            if let Some(key) = key {
                bytes.push(1);
                bytes.extend_from_slice(key);
            }
        }
        let sum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        replace(disk, FILE, NEW, &bytes)
    }

    pub(crate) fn remove(disk: &Arc<dyn Disk>) -> Result<()> {
        match disk.remove(FILE) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => disk.sync_dir(),
        }
    }

    /// An error if the records are not complete.
    pub(crate) fn refuse(disk: &Arc<dyn Disk>) -> Result<()> {
        match Loading::read(disk)? {
            None => Ok(()),
            Some(_) => Err(Error::new(
                ErrorKind::Busy,
                "the records are not complete: they are being loaded from the source",
            )),
        }
    }
}

fn decode(bytes: &[u8]) -> Option<Loading> {
    let (said, sum) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(said).to_le_bytes() != *sum {
        return None;
    }
    let rest = said.strip_prefix(MAGIC)?;
    if rest.is_empty() {
        return Some(Loading(None));
    }
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (state, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let (server, rest) = rest.split_first_chunk::<4>()?;
    let server = ServerId::new(u32::from_le_bytes(*server)).ok()?;
    let (dbm, rest) = rest.split_first_chunk::<4>()?;
    let key = rest.split_first().map(|(_, key)| Bytes::copy_from_slice(key));
    let from = State::decode(state).ok()?.position;
    Some(Loading(Some((server, SnapshotPlace { from, dbm: u32::from_le_bytes(*dbm), key }))))
}

#[cfg(test)]
mod tests;
