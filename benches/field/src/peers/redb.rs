//! redb: a B-tree; each update is a transaction of its own, without an fsync.

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use super::{Failure, Peer};

const TABLE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("records");

pub(super) struct Redb(Database);

impl Redb {
    pub(super) fn open(dir: &Path) -> Result<Self, Failure> {
        let database = Database::create(dir.join("field.redb"))?;
        let transaction = database.begin_write()?;
        transaction.open_table(TABLE)?;
        transaction.commit()?;
        Ok(Redb(database))
    }
}

impl Peer for Redb {
    fn set(&self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        let mut transaction = self.0.begin_write()?;
        transaction.set_durability(Durability::None)?;
        transaction.open_table(TABLE)?.insert(key, value)?;
        Ok(transaction.commit()?)
    }

    fn get(&self, key: &[u8]) -> Result<Option<usize>, Failure> {
        let table = self.0.begin_read()?.open_table(TABLE)?;
        Ok(redb::ReadableTable::get(&table, key)?.map(|value| value.value().len()))
    }

    fn remove(&self, key: &[u8]) -> Result<(), Failure> {
        let mut transaction = self.0.begin_write()?;
        transaction.set_durability(Durability::None)?;
        transaction.open_table(TABLE)?.remove(key)?;
        Ok(transaction.commit()?)
    }

    fn iterate(&self) -> Result<(u64, u64), Failure> {
        let table = self.0.begin_read()?.open_table(TABLE)?;
        let (mut records, mut bytes) = (0, 0);
        for pair in table.iter()? {
            let (key, value) = pair?;
            records += 1;
            bytes += (key.value().len() + value.value().len()) as u64;
        }
        Ok((records, bytes))
    }
}
