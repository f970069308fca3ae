//! Values as numbers, and how values grow.

use bytes::Bytes;

/// The first 8 bytes at most, as one big-endian number.
pub(super) fn big_endian(value: &[u8]) -> i64 {
    let leading = &value[..value.len().min(8)];
    let number = leading.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    number.cast_signed()
}

/// The value after appending; without one before, without the delimiter.
pub(super) fn joined(before: Option<&Bytes>, delimiter: &[u8], more: &Bytes) -> Bytes {
    let Some(before) = before else { return more.clone() };
    let mut value = Vec::with_capacity(before.len() + delimiter.len() + more.len());
    value.extend_from_slice(before);
    value.extend_from_slice(delimiter);
    value.extend_from_slice(more);
    value.into()
}

/// What [`KvStoreExt::push_last`](crate::KvStoreExt::push_last) begins at for a
/// time in seconds: hundred-millionths of a second. What is below 0 or above
/// all that there is becomes the nearest.
pub fn push_time(seconds: f64) -> u64 {
    // Conversion saturates, and what is no number is 0.
    (seconds * 1e8) as u64
}
