//! RocksDB, as it is set up unless told otherwise; its log is not synced.

use std::path::Path;

use rocksdb::{DB, IteratorMode, Options};

use super::{Failure, Peer};

pub(super) struct RocksDb(DB);

impl RocksDb {
    pub(super) fn open(dir: &Path) -> Result<Self, Failure> {
        let mut options = Options::default();
        options.create_if_missing(true);
        Ok(RocksDb(DB::open(&options, dir.join("field.rocksdb"))?))
    }
}

impl Peer for RocksDb {
    fn set(&self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        Ok(self.0.put(key, value)?)
    }

    fn get(&self, key: &[u8]) -> Result<Option<usize>, Failure> {
        Ok(self.0.get_pinned(key)?.map(|value| value.len()))
    }

    fn remove(&self, key: &[u8]) -> Result<(), Failure> {
        Ok(self.0.delete(key)?)
    }

    fn iterate(&self) -> Result<(u64, u64), Failure> {
        let (mut records, mut bytes) = (0, 0);
        for pair in self.0.iterator(IteratorMode::Start) {
            let (key, value) = pair?;
            records += 1;
            bytes += (key.len() + value.len()) as u64;
        }
        Ok((records, bytes))
    }
}
