//! Reading records by key.

use bytes::Bytes;
use hozo_traits::{Error, ErrorKind, Result};

use super::dbm::OrderedKv;
use super::latches::Stripes;
use super::layout::{self, Chunks, Stored};
use crate::codec::corrupt;
use crate::{OrderedEngine, Space};

/// How often a large value is read that others replace meanwhile. In a store
/// of this process alone they are then made to wait.
const TRIES: usize = 16;
/// How often where they cannot be.
const SHARED_TRIES: usize = 256;

impl<E: OrderedEngine> OrderedKv<E> {
    pub(super) async fn read(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        let found = self.stored(keys).await?;
        let mut values = Vec::with_capacity(keys.len());
        for (key, stored) in keys.iter().zip(found) {
            values.push(match stored.as_ref().map(Stored::parse).transpose()? {
                None => None,
                Some(Stored::Inline(value)) => Some(value),
                Some(Stored::Chunked(chunks)) => self.read_large(key, chunks).await?,
            });
        }
        Ok(values)
    }

    /// What the engine has for these records.
    pub(super) async fn stored(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        let record = |key: &Bytes| layout::record(self.number, key);
        if let [key] = keys {
            if key.len() > self.key_bytes_max() {
                return Ok(vec![None]);
            }
            return Ok(vec![self.engine.get(Space::Records, &record(key)).await?]);
        }
        // The engine need not take longer keys, and no record has one.
        let fits: Vec<bool> = keys.iter().map(|key| key.len() <= self.key_bytes_max()).collect();
        let asked: Vec<Vec<u8>> =
            keys.iter().zip(&fits).filter(|(_, fits)| **fits).map(|(key, _)| record(key)).collect();
        let mut found = self.engine.get_many(Space::Records, &asked).await?.into_iter();
        Ok(fits.into_iter().map(|fits| if fits { found.next().flatten() } else { None }).collect())
    }

    /// A large value; `None` if its chunks are not there, because it was
    /// replaced or removed since it was found.
    pub(super) async fn chunked(&self, chunks: &Chunks) -> Result<Option<Bytes>> {
        let found = self.engine.get_many(Space::Records, &chunks.keys(self.number)?).await?;
        let found: Option<Vec<Bytes>> = found.into_iter().collect();
        found.map(|found| chunks.assemble(&found)).transpose()
    }

    /// The value of a record that was found in chunks: that one, or one that
    /// replaced it.
    pub(super) async fn read_large(&self, key: &Bytes, found: Chunks) -> Result<Option<Bytes>> {
        let mut chunks = found;
        let tries = if self.exclusive { TRIES } else { SHARED_TRIES };
        for tried in 0..=tries {
            if let Some(value) = self.chunked(&chunks).await? {
                return Ok(Some(value));
            }
            let _held = if self.exclusive && tried + 1 >= tries {
                let mut stripes = Stripes::default();
                stripes.insert(layout::stripe(key));
                Some(self.latches.hold(stripes).await)
            } else {
                None
            };
            let stored = self.stored(std::slice::from_ref(key)).await?.pop().flatten();
            match stored.as_ref().map(Stored::parse).transpose()? {
                None => return Ok(None),
                Some(Stored::Inline(value)) => return Ok(Some(value)),
                // No other value ever has these chunks.
                Some(Stored::Chunked(same)) if same == chunks => {
                    return Err(corrupt("a record's chunks are not there"));
                }
                Some(Stored::Chunked(new)) => {
                    if _held.is_some()
                        && let Some(value) = self.chunked(&new).await?
                    {
                        return Ok(Some(value));
                    }
                    chunks = new;
                }
            }
        }
        Err(Error::new(ErrorKind::Busy, "a large value was replaced each time that it was read")
            .with("tries", tries))
    }
}
