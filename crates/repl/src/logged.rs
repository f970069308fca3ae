//! Records whose updates are logged.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hozo_traits::{
    Change, Durability, Effect, Error, ErrorKind, KvCapabilities, KvPart, KvScan, KvSizes, KvStore,
    Present, Result, Selection, What,
};

use crate::keeper::Keeper;
use crate::shared::Shared;
use crate::ulog::Place;

/// A DBM: its records, before which the update log has what becomes of them.
///
/// Effects are appended to the log while the records are held that they are
/// about, so in the order in which they are made, and before they are. An
/// update is durable when the log is; the records need no fsync of their own.
pub(crate) struct LoggedKv {
    pub(crate) shared: Arc<Shared>,
    pub(crate) index: u32,
    pub(crate) inner: Arc<dyn KvStore>,
    /// Goes on as long as there are updates to be looked after.
    pub(crate) _keeper: Option<Arc<Keeper>>,
}

#[async_trait]
impl KvStore for LoggedKv {
    fn capabilities(&self) -> KvCapabilities {
        KvCapabilities { persistent: true, ..self.inner.capabilities() }
    }

    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        self.inner.get_many(keys).await
    }

    async fn update(
        &self,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
    ) -> Result<Vec<Effect>> {
        let shared = &*self.shared;
        shared.refuse_writes()?;
        let gate = &shared.gates[self.index as usize];
        let inside = gate.enter().await;
        let mut clears = false;
        let mut made = self.make(selection, durability, &mut *change, Some(&mut clears)).await;
        drop(inside);
        if clears {
            let _alone = gate.alone().await;
            made = self.make(selection, durability, change, None).await;
        }
        let (effects, end) = made?;
        match end {
            Some((end, seq)) => {
                if durability == Durability::Durable || shared.config.ack > 0 {
                    shared.ulog.wait(end).await?;
                }
                if shared.config.ack > 0 {
                    shared
                        .acknowledged_up_to(seq, shared.config.ack, shared.config.ack_timeout)
                        .await?;
                }
            }
            // What it saw must not be taken back any more.
            None if durability == Durability::Durable => {
                shared.ulog.wait(shared.ulog.end()).await?;
            }
            None => {}
        }
        Ok(effects)
    }

    async fn scan(&self, scan: KvScan<'_>) -> Result<KvPart> {
        self.inner.scan(scan).await
    }

    async fn count(&self) -> Result<u64> {
        self.inner.count().await
    }

    async fn sizes(&self) -> Result<KvSizes> {
        self.inner.sizes().await
    }

    async fn synchronise(&self) -> Result<()> {
        self.shared.ulog.wait(self.shared.ulog.end()).await?;
        self.inner.synchronise().await
    }

    async fn rebuild(&self) -> Result<()> {
        self.inner.rebuild().await
    }
}

impl LoggedKv {
    /// Logs and makes an update; answers where the log ended then, and its
    /// number. While others are inside as well, one that clears is not made, and
    /// that is said in `clears`.
    async fn make(
        &self,
        selection: Selection<'_>,
        durability: Durability,
        change: Change<'_>,
        mut clears: Option<&mut bool>,
    ) -> Result<(Vec<Effect>, Option<(Place, u64)>)> {
        let shared = &*self.shared;
        let capabilities = self.inner.capabilities();
        let _under_way = shared.inflight.enter();
        let mut logged = shared.unsettled.guard();
        let mut done = None;
        let effects = self
            .inner
            .update(selection, Durability::Sequenced, &mut |found| {
                // Asked again: it is in the log already, and nothing has changed.
                if let Some(effects) = &done {
                    return Ok(Vec::clone(effects));
                }
                let effects = change(found)?;
                if effects.is_empty() {
                    return Ok(effects);
                }
                check(&capabilities, &effects, &selection, found)?;
                shared.unsettled.refuse()?;
                // Again: between the two somebody else may have become the master.
                shared.refuse_writes()?;
                if effects == [Effect::Clear]
                    && let Some(clears) = &mut clears
                {
                    **clears = true;
                    return Err(Error::new(ErrorKind::Busy, "others are inside"));
                }
                logged.begins(shared.ulog.end());
                let what =
                    What::Records { dbm: self.index, effects: effects.clone(), reduced: false };
                logged.ends(shared.ulog.append_own(what, shared.ambient.now(), durability)?);
                done = Some(effects.clone());
                Ok(effects)
            })
            .await?;
        Ok((effects, logged.settled()))
    }
}

/// Up to so many selected keys, an effect's key is looked for one by one.
const KEYS_COMPARED_MAX: usize = 16;

/// KV-7 and KV-10, before anything is logged: what the records would refuse must
/// not be in the log.
fn check(
    capabilities: &KvCapabilities,
    effects: &[Effect],
    selection: &Selection<'_>,
    found: &[Present],
) -> Result<()> {
    let mut bytes = 0usize;
    for effect in effects {
        bytes = bytes.saturating_add(effect.bytes());
        let (key, value) = match effect {
            Effect::Set { key, value } => (key.len(), value.len()),
            Effect::Remove { .. } => continue,
            Effect::Clear if effects.len() == 1 => return Ok(()),
            Effect::Clear => {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "an update that clears does nothing else",
                ));
            }
        };
        if key > capabilities.key_bytes_max {
            return Err(Error::new(ErrorKind::TooLarge, "the key is too long")
                .with("bytes", key)
                .with("key_bytes_max", capabilities.key_bytes_max));
        }
        if value > capabilities.value_bytes_max {
            return Err(Error::new(ErrorKind::TooLarge, "the value is too long")
                .with("bytes", value)
                .with("value_bytes_max", capabilities.value_bytes_max));
        }
    }
    if bytes > capabilities.update_bytes_max {
        return Err(Error::new(ErrorKind::TooLarge, "the update has too many bytes")
            .with("bytes", bytes)
            .with("update_bytes_max", capabilities.update_bytes_max));
    }
    let selected: &[Bytes] = match selection {
        Selection::Keys { keys, .. } => keys,
        Selection::First => found.first().map_or(&[], |first| std::slice::from_ref(&first.key)),
    };
    let set: HashSet<&Bytes> = match selected.len() {
        0..=KEYS_COMPARED_MAX => HashSet::new(),
        _ => selected.iter().collect(),
    };
    let is_selected = |key: &Bytes| {
        if set.is_empty() { selected.contains(key) } else { set.contains(key) }
    };
    let stray = effects.iter().any(|effect| match effect {
        Effect::Set { key, .. } | Effect::Remove { key } => !is_selected(key),
        Effect::Clear => false,
    });
    if stray {
        return Err(Error::new(
            ErrorKind::Invalid,
            "an update has an effect on a key that it did not select",
        ));
    }
    Ok(())
}
