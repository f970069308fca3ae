//! All records, for who cannot follow by the log alone.

use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use hozo_traits::{
    Error, ErrorKind, KvScan, Reader, Result, SnapshotPart, SnapshotPlace, SnapshotReader,
};

use crate::loading::Loading;
use crate::shared::Shared;
use crate::ulog::Begin;

/// Records at once.
const RECORDS_MAX: usize = 4096;

/// Reads all DBMs, while they are changed.
pub(crate) struct Snapshot {
    shared: Arc<Shared>,
    place: SnapshotPlace,
    of: u64,
    /// As which follower it keeps the log from its start on.
    number: u64,
}

impl Snapshot {
    pub(crate) async fn begin(
        shared: Arc<Shared>,
        after: Option<SnapshotPlace>,
        reader: &Reader,
    ) -> Result<Snapshot> {
        Loading::refuse(shared.ulog.disk())?;
        let durable = shared.ulog.durable().position;
        // What the log has up to there may be on its way to the records.
        shared.wait_for_records()?;
        let from = match &after {
            Some(place) if !durable.covers(&place.from) => {
                return Err(Error::new(
                    ErrorKind::VersionGone,
                    "this server has not all of what the snapshot began with: begin anew",
                )
                .with("snapshot", &place.from)
                .with("here", durable));
            }
            Some(place) => place.from.clone(),
            None => durable,
        };
        // The updates after it have to be there when it is complete.
        let log = shared.ulog.reader(Begin::After(from.clone()), None)?;
        let number = shared.follower_comes(reader, log.place())?;
        let place = after.unwrap_or(SnapshotPlace { from, dbm: 0, key: None });
        let mut snapshot = Snapshot { shared, place, of: 0, number };
        for records in &snapshot.shared.records {
            snapshot.of += records.count().await?;
        }
        Ok(snapshot)
    }
}

#[async_trait]
impl SnapshotReader for Snapshot {
    async fn next(&mut self, bytes_max: usize) -> Result<Option<SnapshotPart>> {
        loop {
            let Some(records) = self.shared.records.get(self.place.dbm as usize) else {
                return Ok(None);
            };
            let start = match &self.place.key {
                Some(key) => Bound::Excluded(&key[..]),
                None => Bound::Unbounded,
            };
            let scan = KvScan {
                start,
                end: Bound::Unbounded,
                reverse: false,
                limit: RECORDS_MAX,
                bytes_max,
                values: true,
            };
            let part = records.scan(scan).await?;
            // Meanwhile they may have begun to be loaded from elsewhere.
            Loading::refuse(self.shared.ulog.disk())?;
            // What was read may not be durable here yet (CF-2).
            let ulog = &self.shared.ulog;
            ulog.wait(ulog.end()).await?;
            let Some((last, _)) = part.records.last() else {
                self.place.dbm += 1;
                self.place.key = None;
                continue;
            };
            self.place.key = Some(last.clone());
            let given =
                SnapshotPart { place: self.place.clone(), records: part.records, of: self.of };
            if !part.more {
                self.place.dbm += 1;
                self.place.key = None;
            }
            return Ok(Some(given));
        }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.shared.follower_goes(self.number);
    }
}
