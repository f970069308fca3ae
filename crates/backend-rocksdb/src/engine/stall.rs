//! Writes that RocksDB holds back until its background work has caught up.
//!
//! Left to itself it would hold one back for ever while the background work
//! fails, on a full disk for example, and nobody would be told. So writes are
//! made with `no_slowdown`, which refuses instead of waiting, and the waiting
//! is done here, with an eye on what goes wrong meanwhile.

use std::thread;
use std::time::{Duration, Instant};

use hozo_traits::{Error, ErrorKind, Result};
use rocksdb::{DB, ErrorKind as RocksKind, WriteBatch, WriteOptions, properties};

use super::error::{reading, writing};

/// How long a refused write waits before it is tried again.
const PAUSE: Duration = Duration::from_millis(1);
/// A write that was held back so long, in a store whose background work has
/// failed before, is given up.
const HELD_BACK_MAX: Duration = Duration::from_secs(10);

/// Options under which a write is refused rather than held back.
pub(super) fn write_options() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_no_slowdown(true);
    options
}

/// Writes the batch, which `again` makes once more, as soon as RocksDB takes it;
/// an error if its background work fails meanwhile.
pub(super) fn write(
    db: &DB,
    options: &WriteOptions,
    mut batch: WriteBatch,
    again: impl Fn() -> Result<WriteBatch>,
) -> Result<()> {
    let mut since = None;
    loop {
        match db.write_opt(batch, options) {
            // It was refused before anything of it was written.
            Err(error) if error.kind() == RocksKind::Incomplete => {
                let failures = failures(db)?;
                let (start, before) = *since.get_or_insert_with(|| (Instant::now(), failures));
                let given_up = failures > 0 && start.elapsed() > HELD_BACK_MAX;
                if failures > before || given_up {
                    return Err(Error::new(
                        ErrorKind::Unavailable,
                        "tables cannot be written: the disk is full, or fails; \
                         make room and reopen",
                    )
                    .with("failures in the background", failures)
                    .caused_by(error));
                }
                thread::sleep(PAUSE);
                batch = again()?;
            }
            done => return done.map_err(writing),
        }
    }
}

/// Whether background work goes on and has never failed.
pub(super) fn is_healthy(db: &DB) -> bool {
    let stopped = db.property_int_value(properties::IS_WRITE_STOPPED);
    matches!(stopped, Ok(Some(0))) && matches!(failures(db), Ok(0))
}

/// How often background work has failed since the store was opened.
fn failures(db: &DB) -> Result<u64> {
    let failures = db.property_int_value(properties::BACKGROUND_ERRORS).map_err(reading)?;
    Ok(failures.unwrap_or(0))
}
