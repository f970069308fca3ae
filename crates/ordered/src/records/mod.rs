//! Record stores over any ordered engine, beside its pages.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hozo_traits::{
    Ambient, Durability, Error, ErrorKind, KvStore, PageStore, Result, Store, check_dbm_name, exec,
};

use crate::{
    Condition, Limits, Numbering, OrderedEngine, OrderedPages, OrderedPagesConfig, Scan, Space,
    Template, Write, WriteOp, WriteOutcome,
};

mod dbm;
mod latches;
mod layout;
mod read;
mod scan;
#[cfg(test)]
mod tests;
mod update;

pub use self::dbm::OrderedKv;

/// Names of DBMs that are read at a time.
const NAMES_PART: usize = 1000;

/// A [`Store`] over an [`OrderedEngine`]: pages and records.
///
/// All its DBMs and its pages share the engine's versions and its fsyncs. There
/// must be one for an engine that is
/// [exclusive](hozo_traits::Capabilities::exclusive): what is being updated
/// just now is known to it alone.
pub struct OrderedStore<E: OrderedEngine> {
    engine: Arc<E>,
    limits: Limits,
    pages: Arc<OrderedPages<Arc<E>>>,
    /// The DBMs that were asked for.
    dbms: Mutex<BTreeMap<String, Arc<OrderedKv<E>>>>,
}

impl<E: OrderedEngine> OrderedStore<E> {
    /// The store in `engine`, made if the engine is empty; see
    /// [`OrderedPages::open`].
    pub async fn open(
        engine: E,
        config: OrderedPagesConfig,
        ambient: Arc<dyn Ambient>,
    ) -> Result<Self> {
        let engine = Arc::new(engine);
        let limits = config.strict.map_or(engine.limits(), |strict| engine.limits().min(strict));
        let pages = Arc::new(OrderedPages::open(Arc::clone(&engine), config, ambient).await?);
        Ok(OrderedStore { engine, limits, pages, dbms: Mutex::default() })
    }

    /// The engine underneath.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Arc<OrderedKv<E>>>> {
        self.dbms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn dbm(&self, name: &str) -> Result<Arc<OrderedKv<E>>> {
        if let Some(known) = self.known().get(name) {
            return Ok(Arc::clone(known));
        }
        let number = self.number(name).await?;
        let made = OrderedKv::open(Arc::clone(&self.engine), self.limits, number).await?;
        // Somebody else may have been faster, and there must be one only.
        Ok(Arc::clone(self.known().entry(name.to_owned()).or_insert_with(|| Arc::new(made))))
    }

    /// The number of the DBM of this name, a new one if it has none yet.
    async fn number(&self, name: &str) -> Result<u32> {
        let (key, last) = (layout::name(name), layout::last_number());
        loop {
            let found = self.engine.get_many(Space::Records, &[key.clone(), last.clone()]).await?;
            let [mine, given] = <[_; 2]>::try_from(found).map_err(|_| {
                Error::new(ErrorKind::Internal, "the engine answered other keys than were asked")
            })?;
            if let Some(stored) = mine {
                return layout::number(&stored);
            }
            let before = given.as_deref().map_or(Ok(0), layout::number)?;
            let number = before.checked_add(1).ok_or_else(|| {
                Error::new(ErrorKind::TooLarge, "the store has had too many DBMs")
            })?;
            let is = |key: &[u8], value: Option<Bytes>| Condition::KeyIs {
                space: Space::Records,
                key: key.to_vec(),
                value,
            };
            let put = |key: &[u8]| WriteOp::Put {
                space: Space::Records,
                key: Template::plain(key.to_vec()),
                value: Template::plain(number.to_be_bytes().to_vec()),
            };
            let write = Write {
                conditions: vec![is(&key, None), is(&last, given)],
                ops: vec![put(&key), put(&last)],
                numbering: Numbering::None,
                clock: None,
                durability: Durability::Sequenced,
            };
            // Another process may make one of the same name.
            if let WriteOutcome::Written { .. } = self.engine.write(write).await? {
                return Ok(number);
            }
        }
    }

    async fn names(&self) -> Result<Vec<String>> {
        let (mut start, end) = (layout::name(""), layout::records_end(0));
        let mut names = Vec::new();
        loop {
            let scan = Scan {
                space: Space::Records,
                start: &start,
                end: &end,
                reverse: false,
                limit: NAMES_PART,
                bytes_max: usize::MAX,
            };
            let found = self.engine.scan(&scan).await?;
            let Some((last, _)) = found.last() else { return Ok(names) };
            start = crate::keys::after(last.to_vec());
            for (key, _) in found {
                let name = String::from_utf8(key[layout::PREFIX_BYTES..].to_vec());
                names.push(name.map_err(|e| {
                    Error::new(ErrorKind::Corrupt, "the name of a DBM is no text").caused_by(e)
                })?);
            }
        }
    }
}

impl<E: OrderedEngine> Store for OrderedStore<E> {
    fn pages(&self) -> Result<Arc<dyn PageStore>> {
        Ok(self.pages.clone())
    }

    fn records(&self, dbm: &str) -> Result<Arc<dyn KvStore>> {
        check_dbm_name(dbm)?;
        let dbm: Arc<dyn KvStore> = exec::block_on(self.dbm(dbm))?;
        Ok(dbm)
    }

    fn dbms(&self) -> Result<Vec<String>> {
        exec::block_on(self.names())
    }
}
