//! fjall: a log-structured merge tree, as it is set up unless told otherwise.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use super::{Failure, Peer};

pub(super) struct Fjall {
    records: Keyspace,
    // Closes after what it holds.
    _database: Database,
}

impl Fjall {
    pub(super) fn open(dir: &Path) -> Result<Self, Failure> {
        let database = Database::builder(dir.join("field.fjall")).open()?;
        let records = database.keyspace("records", KeyspaceCreateOptions::default)?;
        Ok(Fjall { records, _database: database })
    }
}

impl Peer for Fjall {
    fn set(&self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        Ok(self.records.insert(key, value)?)
    }

    fn get(&self, key: &[u8]) -> Result<Option<usize>, Failure> {
        Ok(self.records.get(key)?.map(|value| value.len()))
    }

    fn remove(&self, key: &[u8]) -> Result<(), Failure> {
        Ok(self.records.remove(key)?)
    }

    fn iterate(&self) -> Result<(u64, u64), Failure> {
        let (mut records, mut bytes) = (0, 0);
        for pair in self.records.iter() {
            let (key, value) = pair.into_inner()?;
            records += 1;
            bytes += (key.len() + value.len()) as u64;
        }
        Ok((records, bytes))
    }
}
