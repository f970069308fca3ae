//! Updates: reading, deciding and writing as one.

use std::collections::HashSet;

use bytes::Bytes;
use hozo_log::Position;
use hozo_traits::{Change, Effect, Error, ErrorKind, Present, PresentValue, Result, Selection};

use super::batch;
use super::shards::{ALL_SHARDS, ShardSet};
use super::{KEY_BYTES_MAX, Records, UPDATE_BYTES_MAX, VALUE_BYTES_MAX};

/// Up to so many selected keys, an effect's key is looked for one by one.
const KEYS_COMPARED_MAX: usize = 16;

/// What an update did.
pub(super) struct Updated {
    pub(super) effects: Vec<Effect>,
    /// Where the log ended after it.
    pub(super) reaches: Position,
}

impl Records {
    /// Everything of an update but the wait for stable storage.
    pub(super) fn update_now(
        &self,
        selection: Selection<'_>,
        change: Change<'_>,
    ) -> Result<Updated> {
        let core = self.volume.core();
        let shards = self.volume.index();
        let mut wanted = match selection {
            // There is nothing that it could do but clear: asked once, with
            // everything locked.
            Selection::Keys { keys: [], .. } => ALL_SHARDS,
            Selection::Keys { keys, .. } => {
                keys.iter().fold(0, |set, key| set | 1 << shards.shard_of(shards.hash(key)))
            }
            Selection::First => 0,
        };
        let (effects, reaches, owed) = loop {
            core.refuse_if_broken()?;
            let mut locked = ShardSet::lock(shards, wanted);
            let found = match selection {
                Selection::Keys { keys, values } => self.find(&locked, keys, values)?,
                Selection::First => self.find_first(&mut locked)?,
            };
            // With all locks that there will be.
            core.refuse_if_broken()?;
            let effects = change(&found)?;
            // It may have forked, and then answered twice.
            core.refuse_if_broken()?;
            if effects.is_empty() {
                let reaches = core.log.head();
                return Ok(Updated { effects, reaches });
            }
            check(&effects, &selection, &found)?;
            if effects == [Effect::Clear] && locked.set() != ALL_SHARDS {
                // What is cleared must not be changed meanwhile: once more,
                // with everything locked.
                wanted = ALL_SHARDS;
                continue;
            }
            let applied = batch::apply(core, &mut locked, &effects);
            let reaches = core.log.head();
            let owed = locked.done();
            applied?;
            break (effects, reaches, owed);
        };
        if owed > 0 {
            self.volume.tend(owed);
        }
        Ok(Updated { effects, reaches })
    }

    fn find(&self, locked: &ShardSet<'_>, keys: &[Bytes], values: bool) -> Result<Vec<Present>> {
        let shards = self.volume.index();
        let find = |key: &Bytes| {
            let hash = shards.hash(key);
            let found = locked.of(hash).find(self.volume.core(), hash, key)?;
            let value = match found {
                None => PresentValue::Absent,
                Some(_) if !values => PresentValue::Unread,
                Some(at) => {
                    let record = self.volume.core().log.read(at.position)?;
                    PresentValue::Is(Bytes::copy_from_slice(record.value))
                }
            };
            Ok(Present { key: key.clone(), value })
        };
        keys.iter().map(find).collect()
    }

    /// The first record. Its shard, and all before it, are locked then.
    fn find_first(&self, locked: &mut ShardSet<'_>) -> Result<Vec<Present>> {
        let core = self.volume.core();
        let Some(position) = locked.first(core)? else { return Ok(Vec::new()) };
        let record = core.log.read(position)?;
        let value = PresentValue::Is(Bytes::copy_from_slice(record.value));
        Ok(vec![Present { key: Bytes::copy_from_slice(record.key), value }])
    }
}

/// KV-7 and KV-10.
fn check(effects: &[Effect], selection: &Selection<'_>, found: &[Present]) -> Result<()> {
    let invalid = |message: &'static str| Err(Error::new(ErrorKind::Invalid, message));
    let mut bytes = 0usize;
    for effect in effects {
        bytes = bytes.saturating_add(effect.bytes());
        match effect {
            Effect::Set { key, value } => check_lengths(key, value)?,
            Effect::Remove { .. } => {}
            Effect::Clear if effects.len() == 1 => return Ok(()),
            Effect::Clear => return invalid("an update that clears does nothing else"),
        }
    }
    if bytes > UPDATE_BYTES_MAX {
        return Err(Error::new(ErrorKind::TooLarge, "the update has too many bytes")
            .with("bytes", bytes)
            .with("update_bytes_max", UPDATE_BYTES_MAX));
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
    let keys = effects.iter().map(|effect| match effect {
        Effect::Set { key, .. } | Effect::Remove { key } => key,
        Effect::Clear => unreachable!("stands alone"),
    });
    for key in keys {
        if !is_selected(key) {
            return invalid("an update has an effect on a key that it did not select");
        }
    }
    Ok(())
}

/// Whether a record may be as long as this.
pub(super) fn check_lengths(key: &[u8], value: &[u8]) -> Result<()> {
    if key.len() > KEY_BYTES_MAX {
        return Err(Error::new(ErrorKind::TooLarge, "the key is too long")
            .with("bytes", key.len())
            .with("key_bytes_max", KEY_BYTES_MAX));
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err(Error::new(ErrorKind::TooLarge, "the value is too long")
            .with("bytes", value.len())
            .with("value_bytes_max", VALUE_BYTES_MAX));
    }
    Ok(())
}
