//! The records that requests are about, and what their values must be.

use bytes::Bytes;

use crate::random::Random;

#[cfg(test)]
mod tests;

/// How far values begin apart in the text that they are cut from.
const POOL_BYTES: usize = 64 << 10;
/// The beginning of a value says of which record it is, and which of its values.
const STAMP_BYTES: usize = 8;
/// Digits in a key after the prefix.
const DIGITS: usize = 10;

/// So many records with keys and values that follow from their numbers.
pub(super) struct Records {
    /// How many there are.
    pub(super) count: u64,
    /// What every key begins with.
    prefix: Vec<u8>,
    value_bytes: usize,
    /// What values are cut from, so that they cost a copy and no more.
    pool: Vec<u8>,
}

impl Records {
    /// Of this many; keys begin with `prefix`.
    pub(super) fn new(count: u64, prefix: &str, value_bytes: usize) -> Self {
        let mut pool = vec![0; POOL_BYTES + value_bytes];
        // Not the seed of the run: what one run stored another one can check.
        Random::new(0).fill_text(&mut pool);
        Records { count, prefix: prefix.as_bytes().to_vec(), value_bytes, pool }
    }

    /// Bytes in each key.
    pub(super) fn key_bytes(&self) -> usize {
        self.prefix.len() + DIGITS
    }

    /// Bytes in each value.
    pub(super) fn value_bytes(&self) -> usize {
        self.value_bytes
    }

    /// Writes the key of a record.
    pub(super) fn write_key(&self, number: u64, to: &mut [u8]) {
        let (prefix, digits) = to.split_at_mut(self.prefix.len());
        prefix.copy_from_slice(&self.prefix);
        let mut rest = number;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }

    /// The key of a record.
    pub(super) fn key(&self, number: u64) -> Bytes {
        let mut key = vec![0; self.key_bytes()];
        self.write_key(number, &mut key);
        key.into()
    }

    /// The key of a lane's counter, which no record has.
    pub(super) fn counter(&self, lane: u64) -> Bytes {
        [&*self.prefix, format!("counter-{lane}").as_bytes()].concat().into()
    }

    /// Writes one of a record's values.
    pub(super) fn write_value(&self, number: u64, version: u32, to: &mut [u8]) {
        let stamp = stamp(number, version);
        let stamped = to.len().min(STAMP_BYTES);
        let (start, rest) = to.split_at_mut(stamped);
        start.copy_from_slice(&stamp[..stamped]);
        rest.copy_from_slice(self.rest(number, version));
    }

    /// The value that a record has at first.
    pub(super) fn value(&self, number: u64) -> Bytes {
        let mut value = vec![0; self.value_bytes];
        self.write_value(number, 0, &mut value);
        value.into()
    }

    /// Whether it is a value of this record, to the last byte.
    pub(super) fn is_value(&self, number: u64, value: &[u8]) -> bool {
        if value.len() != self.value_bytes {
            return false;
        }
        let stamped = value.len().min(STAMP_BYTES);
        let (start, rest) = value.split_at(stamped);
        let mut version = [0; 4];
        if let Some(found) = start.get(4..8) {
            version.copy_from_slice(found);
        }
        let version = u32::from_le_bytes(version);
        let of_record = stamped.min(4);
        start[..of_record] == stamp(number, version)[..of_record]
            && (rest.is_empty() || rest == self.rest(number, version))
    }

    /// What comes after the stamp.
    fn rest(&self, number: u64, version: u32) -> &[u8] {
        let at = (number as usize).wrapping_mul(31).wrapping_add(version as usize) % POOL_BYTES;
        &self.pool[at..at + self.value_bytes.saturating_sub(STAMP_BYTES)]
    }
}

/// What a value begins with.
fn stamp(number: u64, version: u32) -> [u8; STAMP_BYTES] {
    // Numbers that are near each other look as different as others do.
    let record = (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32;
    let mut stamp = [0; STAMP_BYTES];
    stamp[..4].copy_from_slice(&record.to_le_bytes());
    stamp[4..].copy_from_slice(&version.to_le_bytes());
    stamp
}
