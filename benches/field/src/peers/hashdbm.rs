//! hashdbm: by its own calls, and as every store of records is used.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use hozo_backend_hashdbm::{Config, Hashdbm, Records, SyncMode};
use hozo_traits::exec::block_on;
use hozo_traits::{Durability, KvScan, KvStore, KvStoreExt, SystemAmbient};

use super::{Failure, Peer};

/// Records that one part of a scan has.
const PART: usize = 1024;

fn open(dir: &Path) -> Result<Arc<Records>, Failure> {
    // As Tkrzw does: the system writes when it likes.
    let config = Config { record_sync: SyncMode::System, ..Config::new(dir.join("field.hozo")) };
    Ok(Hashdbm::open(&config, Arc::new(SystemAmbient))?.dbm("field")?)
}

/// By its own calls.
pub(super) struct Native(Arc<Records>);

impl Native {
    pub(super) fn open(dir: &Path) -> Result<Self, Failure> {
        open(dir).map(Native)
    }
}

impl Peer for Native {
    fn set(&self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        self.0.set(key, value)?;
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<usize>, Failure> {
        // Copied out, as the others do.
        thread_local! {
            static VALUE: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
        }
        VALUE.with_borrow_mut(|copy| {
            Ok(self.0.get(key, |value| {
                copy.clear();
                copy.extend_from_slice(value);
                copy.len()
            })?)
        })
    }

    fn remove(&self, key: &[u8]) -> Result<(), Failure> {
        self.0.remove(key)?;
        Ok(())
    }

    fn iterate(&self) -> Result<(u64, u64), Failure> {
        let (mut records, mut bytes) = (0, 0);
        self.0.for_each(|key, value| {
            records += 1;
            bytes += (key.len() + value.len()) as u64;
            true
        })?;
        Ok((records, bytes))
    }
}

/// As `dyn KvStore`: futures, owned bytes.
pub(super) struct ThroughTrait(Arc<dyn KvStore>);

impl ThroughTrait {
    pub(super) fn open(dir: &Path) -> Result<Self, Failure> {
        Ok(ThroughTrait(open(dir)?))
    }
}

impl Peer for ThroughTrait {
    fn set(&self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        let (key, value) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
        block_on(self.0.set(key, value, true, Durability::Sequenced))?;
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<usize>, Failure> {
        Ok(block_on(self.0.get(&Bytes::copy_from_slice(key)))?.map(|value| value.len()))
    }

    fn remove(&self, key: &[u8]) -> Result<(), Failure> {
        block_on(self.0.remove(Bytes::copy_from_slice(key), Durability::Sequenced))?;
        Ok(())
    }

    fn iterate(&self) -> Result<(u64, u64), Failure> {
        use std::ops::Bound::{Excluded, Unbounded};

        let (mut records, mut bytes) = (0, 0);
        let mut last: Option<Bytes> = None;
        loop {
            let start = last.as_deref().map_or(Unbounded, Excluded);
            let (end, reverse, limit, bytes_max) = (Unbounded, false, PART, usize::MAX);
            let scan = KvScan { start, end, reverse, limit, bytes_max, values: true };
            let part = block_on(self.0.scan(scan))?;
            records += part.records.len() as u64;
            bytes += part
                .records
                .iter()
                .map(|(key, value)| (key.len() + value.len()) as u64)
                .sum::<u64>();
            match part.records.into_iter().next_back() {
                Some((key, _)) if part.more => last = Some(key),
                _ => return Ok((records, bytes)),
            }
        }
    }
}
