//! How a record looks in bytes: checksum, kind, two lengths, key, value, and
//! zeros up to a multiple of 8.

use super::{Position, raw};

/// Bit of the kind byte: this record is the last of its batch.
pub(super) const LAST: u8 = 0x80;
/// The log's own kind: up to where the log was on stable storage.
pub(super) const MARK: u8 = 1;
/// Records begin at multiples of this.
pub(super) const ALIGN: u64 = 8;
/// Checksum, kind, two varints of 32 bits.
pub(super) const HEADER_BYTES_MAX: usize = 4 + 1 + 5 + 5;
/// A mark: a header, no key, a position.
pub(super) const MARK_BYTES: u64 = 16;

/// What a record's header says, the checksum not yet compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shape {
    /// The checksum field as stored.
    pub(super) stored: u32,
    /// The kind byte with its [`LAST`] bit.
    pub(super) kind: u8,
    /// Bytes before the key.
    pub(super) header: u32,
    pub(super) key: u32,
    pub(super) value: u32,
}

impl Shape {
    /// The header of a record that is to be written.
    pub(super) fn new(kind: u8, key: u32, value: u32) -> Shape {
        let header = 5 + varint_len(key) + varint_len(value);
        Shape { stored: 0, kind, header, key, value }
    }

    /// Bytes without padding.
    #[inline]
    pub(super) fn content(&self) -> u64 {
        u64::from(self.header) + u64::from(self.key) + u64::from(self.value)
    }

    /// Bytes with padding.
    #[inline]
    pub(super) fn bytes(&self) -> u64 {
        self.content().next_multiple_of(ALIGN)
    }

    /// Whether it ends its batch.
    #[inline]
    pub(super) fn last(&self) -> bool {
        self.kind & LAST != 0
    }

    /// The header's bytes, with nothing in the checksum field.
    #[inline]
    pub(super) fn write_header(&self, to: &mut [u8]) {
        to[4] = self.kind;
        if self.header == 7 {
            to[5] = self.key as u8;
            to[6] = self.value as u8;
        } else {
            let at = write_varint(to, 5, self.key);
            write_varint(to, at, self.value);
        }
    }
}

/// Reads a header from its bytes; `None` when they cannot be one.
pub(super) fn parse_header(bytes: &[u8]) -> Option<Shape> {
    let stored = u32::from_le_bytes(*bytes.first_chunk::<4>()?);
    let kind = *bytes.get(4)?;
    let (key, at) = read_varint(bytes, 5)?;
    let (value, at) = read_varint(bytes, at)?;
    Some(Shape { stored, kind, header: at as u32, key, value })
}

/// The part of the checksum that depends on where a record is. It makes a
/// record valid at its own position only, so that old content of a file that is
/// used again is nothing.
#[inline]
pub(super) fn mix32(volume: u64, position: Position) -> u32 {
    let mut x = volume ^ position;
    x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (x >> 32) as u32
}

/// The checksum of a header (without its first four bytes), key and value.
pub(super) fn checksum(header: &[u8], key: &[u8], value: &[u8]) -> u32 {
    raw::crc(raw::crc(raw::crc(0, &header[4..]), key), value)
}

fn varint_len(value: u32) -> u32 {
    (38 - (value | 1).leading_zeros()) / 7
}

fn write_varint(to: &mut [u8], mut at: usize, mut value: u32) -> usize {
    while value >= 0x80 {
        to[at] = value as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    to[at] = value as u8;
    at + 1
}

fn read_varint(bytes: &[u8], mut at: usize) -> Option<(u32, usize)> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.get(at)?;
        at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((u32::try_from(value).ok()?, at));
        }
    }
    None
}
