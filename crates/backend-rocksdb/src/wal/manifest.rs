//! Judging the manifest before RocksDB reads it.
//!
//! RocksDB takes a manifest that has lost its end for the whole, and deletes
//! the tables that it then does not know; and some single changed bits make
//! version 11.8 read for ever (a record whose type becomes that of a recycled
//! log). So it gets one only if each record is sound, but for an end that was
//! never finished; and never one that is less than the seal says.

use std::path::Path;

use hozo_directory::io_error;
use hozo_traits::{Error, ErrorKind, Result};

use super::record::{BLOCK_BYTES, Reader, Step, may_be_cut_short};

/// Checks a manifest of which `sealed` bytes are known to have been there.
pub(crate) fn check(path: &Path, sealed: u64) -> Result<()> {
    let bytes = std::fs::read(path)
        .map_err(|e| io_error(e, "the store's manifest cannot be read", path))?;
    let mut reader = Reader::default();
    let mut sound = 0;
    let mut damage: Option<u64> = None;
    let mut offset = 0;
    for block in bytes.chunks(BLOCK_BYTES) {
        reader.block(offset, block, &mut |step| {
            match step {
                Step::Damage { offset } => damage = damage.or(Some(offset)),
                Step::Record(record) if damage.is_none() => sound = record.end,
                Step::Record(_) => {}
                Step::Predecessor { .. } | Step::Foreign { .. } => damage = damage.or(Some(sound)),
            }
            Ok(())
        })?;
        offset += block.len() as u64;
    }
    let unfinished = damage.is_none_or(|at| {
        let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or(&[]);
        may_be_cut_short(at, rest)
    });
    if unfinished && sound >= sealed {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Corrupt,
        "the store's manifest is damaged; nothing was changed, restore it from a copy",
    )
    .with("file", path.display())
    .with("offset", damage.unwrap_or(sound))
    .with("sealed bytes", sealed))
}
