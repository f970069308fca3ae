//! The effects of an update, in the index and in the log as one.

use bytes::Bytes;
use hozo_log::granule::{GRANULE_MASK, granule};
use hozo_log::{Entry, Position};
use hozo_traits::{Effect, Result};

use super::shard::{Marked, bytes_of};
use super::shards::{ShardSet, kind};
use crate::volume::Core;

/// One effect on its way.
struct Step<'a> {
    hash: u64,
    key: &'a Bytes,
    /// `None` removes.
    value: Option<&'a Bytes>,
    /// What the entry held before; `None` if there was none.
    held: Option<Marked>,
}

impl Step<'_> {
    fn bytes(&self) -> u64 {
        bytes_of(self.key, self.value.map_or(&[], |value| value))
    }

    fn entry(&self) -> Entry<'_> {
        match self.value {
            Some(value) => Entry { kind: kind::SET, key: self.key, value },
            None => Entry { kind: kind::REMOVE, key: self.key, value: &[] },
        }
    }
}

/// Makes the effects of an update. Their shards are locked. An error means that
/// nothing has changed, or that the volume is broken and says so from now on.
pub(super) fn apply(core: &Core, locked: &mut ShardSet<'_>, effects: &[Effect]) -> Result<()> {
    match effects {
        [Effect::Clear] => clear(core, locked),
        [Effect::Set { key, value }] => {
            let hash = locked.hash(key);
            locked.of_mut(hash).set(core, hash, key, value).map(drop)
        }
        [Effect::Remove { key }] => {
            let hash = locked.hash(key);
            locked.of_mut(hash).remove(core, hash, key).map(drop)
        }
        _ => many(core, locked, effects),
    }
}

fn clear(core: &Core, locked: &mut ShardSet<'_>) -> Result<()> {
    let position = core.log.append(kind::CLEAR, &[], &[])?;
    locked
        .each()
        .try_for_each(|shard| shard.clear(core))
        .map_err(|error| core.break_with(error))?;
    core.log.forget_before(position);
    core.log.forget_tombstone(position, bytes_of(&[], &[]));
    Ok(())
}

/// First every entry gets its place and a mark, which can fail for want of
/// space; then the log gets the batch; then the marks become positions.
fn many(core: &Core, locked: &mut ShardSet<'_>, effects: &[Effect]) -> Result<()> {
    // No record of the locked shards is here, nor can one come to be. And no
    // entry holds 0.
    let next = granule(core.log.head()) + 1;
    let first = if next + effects.len() as u64 > GRANULE_MASK { 1 } else { next };
    let mark = |step: usize| first + step as u64;
    let mut steps: Vec<Step<'_>> = Vec::with_capacity(effects.len());
    for effect in effects {
        let (key, value) = match effect {
            Effect::Set { key, value } => (key, Some(value)),
            Effect::Remove { key } => (key, None),
            Effect::Clear => continue,
        };
        let hash = locked.hash(key);
        let at = steps.len();
        let made = locked.of_mut(hash).mark(core, hash, key, mark(at), |granule| {
            let step = granule.wrapping_sub(mark(0)) & GRANULE_MASK;
            steps.get(usize::try_from(step).ok()?).map(|step| step.key == key)
        });
        match made {
            Ok(held) => steps.push(Step { hash, key, value, held }),
            Err(error) => {
                undo(core, locked, &steps, mark);
                return Err(error);
            }
        }
    }
    let entries: Vec<Entry<'_>> = steps.iter().map(Step::entry).collect();
    let positions = match core.log.append_batch(&entries) {
        Ok(positions) => positions,
        Err(error) => {
            undo(core, locked, &steps, mark);
            return Err(error);
        }
    };
    settle(core, locked, &steps, &positions, mark).map_err(|error| core.break_with(error))
}

fn settle(
    core: &Core,
    locked: &mut ShardSet<'_>,
    steps: &[Step<'_>],
    positions: &[Position],
    mark: impl Fn(usize) -> u64,
) -> Result<()> {
    for (at, (step, position)) in steps.iter().zip(positions).enumerate() {
        let shard = locked.of_mut(step.hash);
        shard.wrote(step.bytes());
        if let Some(held) = step.held {
            shard.was_replaced(core, held);
        }
        let granule = step.value.map(|_| granule(*position));
        // A later step may have taken the entry over.
        let settled = shard.settle(core, step.hash, mark(at), granule)?;
        match step.value {
            None => core.log.forget_tombstone(*position, step.bytes()),
            Some(_) if settled => shard.was_set(step.hash, step.bytes()),
            Some(_) => core.log.forget(*position),
        }
    }
    Ok(())
}

/// Gives entries back what they held, the last first.
fn undo(core: &Core, locked: &mut ShardSet<'_>, steps: &[Step<'_>], mark: impl Fn(usize) -> u64) {
    for (at, step) in steps.iter().enumerate().rev() {
        let held = step.held.map(|held| held.granule);
        if let Err(error) = locked.of_mut(step.hash).settle(core, step.hash, mark(at), held) {
            core.break_with(error);
        }
    }
}
