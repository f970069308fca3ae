//! What a write puts into its transaction: what it depends on, and what it changes.

use foundationdb::Transaction;
use foundationdb::options::{ConflictRangeType, MutationType};
use hozo_ordered::{Condition, Numbering, Template, Write, WriteOp};
use hozo_traits::{Error, ErrorKind, Result, Timestamp, Version};

use super::doubt::Mark;
use super::keys::after;
use super::read::NEWEST;
use super::{Engine, errors};

/// What an attempt goes by.
pub(super) struct Judged {
    pub(super) newest: Version,
    pub(super) time: Timestamp,
}

impl Engine {
    /// Puts conflict ranges and changes into the transaction.
    pub(super) fn fill(
        &self,
        transaction: &Transaction,
        write: &Write,
        mark: Option<&Mark<'_>>,
        judged: &Judged,
    ) -> Result<()> {
        let depends_on = |(start, end): (Vec<u8>, Vec<u8>)| {
            if start >= end {
                return Ok(());
            }
            let added = transaction.add_conflict_range(&start, &end, ConflictRangeType::Read);
            added.map_err(errors::ended)
        };
        for condition in &write.conditions {
            depends_on(match condition {
                Condition::RangeEmpty { space, range } => self.keys.range(*space, range),
                Condition::KeyIs { space, key, .. } => {
                    let key = self.keys.key(*space, key);
                    (key.clone(), after(key))
                }
            })?;
        }
        // Others may write a time of their own at the same moment, but none that is
        // later: so times do not fall, and who has the same or an earlier one is not
        // in the way.
        for floor in write.clock.iter().flat_map(|clock| &clock.floors) {
            let Some(later) = judged.time.as_micros().checked_add(1) else { continue };
            let prefix = self.keys.key(floor.space, &floor.prefix);
            let start = [prefix.as_slice(), &later.to_be_bytes()].concat();
            depends_on((start, [prefix.as_slice(), &[0xff; 19]].concat()))?;
        }
        let numbered = write.numbering != Numbering::None;
        for op in &write.ops {
            self.change(transaction, op, numbered, judged)?;
        }
        if numbered {
            let key = self.keys.key(NEWEST.0, NEWEST.1);
            let value = with_offset(vec![0; Version::LEN], 0)?;
            transaction.atomic_op(&key, &value, MutationType::SetVersionstampedValue);
        }
        if let Some(mark) = mark {
            let (process, slot) = mark.place();
            let key = self.keys.mark(process, slot);
            depends_on((key.clone(), after(key.clone())))?;
            let (value, at) = mark.value();
            let value = with_offset(value, at)?;
            transaction.atomic_op(&key, &value, MutationType::SetVersionstampedValue);
        }
        Ok(())
    }

    fn change(
        &self,
        transaction: &Transaction,
        op: &WriteOp,
        numbered: bool,
        judged: &Judged,
    ) -> Result<()> {
        let time = judged.time;
        match op {
            WriteOp::Put { space, key, value } => {
                let full = self.keys.key(*space, &timed(key, time)?);
                let data = timed(value, time)?;
                match (key.version_at, value.version_at) {
                    _ if !numbered => {
                        // Its version is the newest that there is, and known.
                        let full = stamped(
                            full,
                            key.version_at.map(|at| self.keys.before() + at),
                            judged.newest,
                        )?;
                        let data = stamped(data, value.version_at, judged.newest)?;
                        transaction.set(&full, &data);
                    }
                    (None, None) => transaction.set(&full, &data),
                    (Some(at), None) => {
                        let full = with_offset(full, self.keys.before() + at)?;
                        transaction.atomic_op(&full, &data, MutationType::SetVersionstampedKey);
                    }
                    (None, Some(at)) => {
                        let data = with_offset(data, at)?;
                        transaction.atomic_op(&full, &data, MutationType::SetVersionstampedValue);
                    }
                    (Some(_), Some(_)) => {
                        return Err(Error::new(
                            ErrorKind::Unsupported,
                            "FoundationDB puts a version into a key or into its value, not both",
                        )
                        .with("space", space.name()));
                    }
                }
            }
            WriteOp::Delete { space, key } => transaction.clear(&self.keys.key(*space, key)),
            WriteOp::DeleteRange { space, start, end } if start < end => {
                transaction.clear_range(&self.keys.key(*space, start), &self.keys.key(*space, end));
            }
            WriteOp::DeleteRange { .. } => {}
        }
        Ok(())
    }
}

/// With the time where it belongs.
fn timed(template: &Template, time: Timestamp) -> Result<Vec<u8>> {
    let mut bytes = template.bytes.to_vec();
    let Some(at) = template.time_at else { return Ok(bytes) };
    let room = at.checked_add(8).and_then(|end| bytes.get_mut(at..end));
    let room = room.ok_or_else(does_not_fit)?;
    room.copy_from_slice(&time.as_micros().to_be_bytes());
    Ok(bytes)
}

/// With the version where it belongs.
fn stamped(mut bytes: Vec<u8>, at: Option<usize>, version: Version) -> Result<Vec<u8>> {
    let Some(at) = at else { return Ok(bytes) };
    let room = at.checked_add(Version::LEN).and_then(|end| bytes.get_mut(at..end));
    room.ok_or_else(does_not_fit)?.copy_from_slice(version.as_bytes());
    Ok(bytes)
}

/// With the position behind it at which the cluster puts the version.
fn with_offset(mut bytes: Vec<u8>, at: usize) -> Result<Vec<u8>> {
    if at.checked_add(Version::LEN).is_none_or(|end| end > bytes.len()) {
        return Err(does_not_fit());
    }
    let offset = u32::try_from(at).map_err(|_| does_not_fit())?;
    bytes.extend_from_slice(&offset.to_le_bytes());
    Ok(bytes)
}

fn does_not_fit() -> Error {
    Error::new(ErrorKind::Invalid, "what is filled in does not fit there")
}
