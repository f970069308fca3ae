//! How records are stored in [`Space::Records`](crate::Space::Records).
//!
//! Keys begin with the DBM's number, 4 bytes big-endian, and a kind:
//!
//! - 0, the record's key: its value, see [`Stored`];
//! - 1, version (10), ordinal (4), index (4): a chunk of a large value;
//! - 2, stripe (1): what the records of a stripe come to, see [`Tally`].
//!
//! Number 0 has no records. There, kind 0 and a name is the number of the DBM
//! of this name, 4 bytes, and kind 1 alone is the last number that was given.

use bytes::Bytes;
use hozo_traits::{Result, Version};

use crate::codec::{Reader, corrupt};
use crate::{Template, keys};

/// Bytes before the key of a record.
pub(super) const PREFIX_BYTES: usize = 5;
/// A larger value is stored in chunks, so that looking whether a record is
/// there never reads much, and within every engine's limit.
pub(super) const INLINE_BYTES_MAX: usize = 64 << 10;
/// The largest chunk, where the engine takes it.
pub(super) const CHUNK_BYTES_MAX: usize = 1 << 20;
/// Records are counted in so many parts, so that few writers meet.
pub(super) const STRIPES: usize = 256;

const RECORD: u8 = 0;
const CHUNK: u8 = 1;
const TALLY: u8 = 2;
const END: u8 = 3;
/// Where the version stands in the key of a chunk.
const CHUNK_VERSION_AT: usize = PREFIX_BYTES;
const INLINE: u8 = 0;
const CHUNKED: u8 = 1;

fn prefix(dbm: u32, kind: u8) -> [u8; PREFIX_BYTES] {
    let [a, b, c, d] = dbm.to_be_bytes();
    [a, b, c, d, kind]
}

pub(super) fn record(dbm: u32, key: &[u8]) -> Vec<u8> {
    [&prefix(dbm, RECORD), key].concat()
}

/// The first key above all records.
pub(super) fn records_end(dbm: u32) -> Vec<u8> {
    prefix(dbm, CHUNK).into()
}

/// From the first key of a DBM to the first after it.
pub(super) fn whole(dbm: u32) -> (Bytes, Bytes) {
    (Bytes::copy_from_slice(&prefix(dbm, RECORD)), Bytes::copy_from_slice(&prefix(dbm, END)))
}

pub(super) fn tally(dbm: u32, stripe: u8) -> Vec<u8> {
    [&prefix(dbm, TALLY)[..], &[stripe]].concat()
}

/// From the first tally of a DBM to the first key after them.
pub(super) fn tallies(dbm: u32) -> (Vec<u8>, Vec<u8>) {
    (prefix(dbm, TALLY).into(), prefix(dbm, END).into())
}

/// Where the number of the DBM of this name is.
pub(super) fn name(name: &str) -> Vec<u8> {
    record(0, name.as_bytes())
}

/// The last number that was given to a DBM.
pub(super) fn last_number() -> Vec<u8> {
    records_end(0)
}

pub(super) fn number(stored: &[u8]) -> Result<u32> {
    let mut reader = Reader(stored);
    let number = u32::from_be_bytes(reader.array()?);
    reader.end()?;
    Ok(number)
}

/// The last key below that of a record with this key, as keys go that are not
/// longer than `key_bytes_max`; `None` if there is none.
pub(super) fn before(dbm: u32, key: &[u8], key_bytes_max: usize) -> Option<Vec<u8>> {
    let (last, rest) = key.split_last()?;
    let mut before = record(dbm, rest);
    if *last > 0 {
        before.push(last - 1);
        before.resize(PREFIX_BYTES + key_bytes_max, 0xff);
    }
    Some(before)
}

/// In which part a record is counted. Stored tallies depend on it: FNV-1a.
pub(super) fn stripe(key: &[u8]) -> u8 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    let hash = key
        .iter()
        .fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 32) as u8 ^ hash as u8
}

/// The value of a record as it is stored: 0 and the value itself, or 1 and
/// [`Chunks`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Stored {
    Inline(Bytes),
    Chunked(Chunks),
}

/// Where a large value is. No other ever has the same version and ordinal: who
/// finds all of its chunks has found one value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chunks {
    version: Version,
    ordinal: u32,
    length: u64,
    chunk_bytes: u32,
}

impl Stored {
    pub(super) fn parse(stored: &Bytes) -> Result<Stored> {
        let mut reader = Reader(stored);
        match reader.byte()? {
            INLINE => Ok(Stored::Inline(stored.slice(1..))),
            CHUNKED => {
                let version = reader.version()?;
                let ordinal = u32::from_be_bytes(reader.array()?);
                let length = u64::from_be_bytes(reader.array()?);
                let chunk_bytes = u32::from_be_bytes(reader.array()?);
                reader.end()?;
                if chunk_bytes == 0 {
                    return Err(corrupt("a record has chunks without bytes"));
                }
                Ok(Stored::Chunked(Chunks { version, ordinal, length, chunk_bytes }))
            }
            _ => Err(corrupt("a record is stored in an unknown way")),
        }
    }

    /// How long the value is.
    pub(super) fn length(&self) -> u64 {
        match self {
            Stored::Inline(value) => value.len() as u64,
            Stored::Chunked(chunks) => chunks.length,
        }
    }
}

impl Chunks {
    fn key(&self, index: u64, dbm: u32) -> Result<Vec<u8>> {
        let index = u32::try_from(index).map_err(|_| corrupt("a record has too many chunks"))?;
        let prefix = prefix(dbm, CHUNK);
        let (ordinal, index) = (self.ordinal.to_be_bytes(), index.to_be_bytes());
        Ok([&prefix[..], self.version.as_bytes(), &ordinal, &index].concat())
    }

    pub(super) fn count(&self) -> u64 {
        self.length.div_ceil(u64::from(self.chunk_bytes))
    }

    /// The keys of all chunks, in their order.
    pub(super) fn keys(&self, dbm: u32) -> Result<Vec<Vec<u8>>> {
        (0..self.count()).map(|index| self.key(index, dbm)).collect()
    }

    /// From the first chunk to the first key after the last.
    pub(super) fn range(&self, dbm: u32) -> Result<(Vec<u8>, Vec<u8>)> {
        Ok((self.key(0, dbm)?, keys::after(self.key(self.count(), dbm)?)))
    }

    /// The value that these chunks make.
    pub(super) fn assemble(&self, chunks: &[Bytes]) -> Result<Bytes> {
        let value = chunks.concat();
        if value.len() as u64 != self.length {
            return Err(corrupt("the chunks of a record are not as long as it"));
        }
        Ok(value.into())
    }
}

/// A small value as it is stored.
pub(super) fn inline(value: &[u8]) -> Template {
    Template::plain([&[INLINE], value].concat())
}

/// What a record has that is stored in chunks of the version it is written at.
pub(super) fn manifest(ordinal: u32, length: usize, chunk_bytes: u32) -> Template {
    let mut bytes = vec![CHUNKED];
    bytes.extend_from_slice(&[0; Version::LEN]);
    bytes.extend_from_slice(&ordinal.to_be_bytes());
    bytes.extend_from_slice(&(length as u64).to_be_bytes());
    bytes.extend_from_slice(&chunk_bytes.to_be_bytes());
    Template { bytes: bytes.into(), version_at: Some(1), time_at: None }
}

/// The key of a chunk that is to be written.
pub(super) fn chunk(dbm: u32, ordinal: u32, index: u32) -> Template {
    let mut bytes = prefix(dbm, CHUNK).to_vec();
    bytes.extend_from_slice(&[0; Version::LEN]);
    bytes.extend_from_slice(&ordinal.to_be_bytes());
    bytes.extend_from_slice(&index.to_be_bytes());
    Template { bytes: bytes.into(), version_at: Some(CHUNK_VERSION_AT), time_at: None }
}

/// What records come to: how many, and bytes of their keys and values; 8 bytes
/// each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

impl Tally {
    pub(super) fn parse(stored: &[u8]) -> Result<Tally> {
        let mut reader = Reader(stored);
        let records = u64::from_be_bytes(reader.array()?);
        let bytes = u64::from_be_bytes(reader.array()?);
        reader.end()?;
        Ok(Tally { records, bytes })
    }

    pub(super) fn encode(self) -> [u8; 16] {
        let mut stored = [0; 16];
        stored[..8].copy_from_slice(&self.records.to_be_bytes());
        stored[8..].copy_from_slice(&self.bytes.to_be_bytes());
        stored
    }

    /// After records that come to `gone` were replaced by those of `come`;
    /// `None` if there are not so many.
    pub(super) fn changed(self, gone: Tally, come: Tally) -> Option<Tally> {
        let apply = |is: u64, gone: u64, come: u64| is.checked_add(come)?.checked_sub(gone);
        let records = apply(self.records, gone.records, come.records)?;
        let bytes = apply(self.bytes, gone.bytes, come.bytes)?;
        Some(Tally { records, bytes })
    }

    pub(super) fn add(&mut self, key: &[u8], value_length: u64) {
        self.records += 1;
        self.bytes += key.len() as u64 + value_length;
    }
}
