//! The metadata values: a format byte, fixed fields, and whatever a later Hozo
//! put behind them.
//!
//! A field that is added later goes to the end, and who does not know it keeps
//! it: each record carries its unread `rest` and writes it back. The format
//! byte changes only when old code must not go on.

use bytes::Bytes;
use hozo_traits::{Error, ErrorKind, NamespaceId, PageSize, Result, Timestamp, Version};

use crate::Concurrency;

const FORMAT: u8 = 1;

/// Reads fields from the front.
struct Reader<'a> {
    record: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(record: &'static str, bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Reader { record, rest: bytes };
        let [format] = reader.array()?;
        if format == FORMAT {
            return Ok(reader);
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "a namespace's metadata was written by a newer Hozo; use that or a later one",
        )
        .with("record", record)
        .with("format", format))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) =
            self.rest.split_first_chunk().ok_or_else(|| self.corrupt("too short"))?;
        self.rest = rest;
        Ok(*head)
    }

    fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn bytes(&mut self) -> Result<Bytes> {
        let len = u32::from_be_bytes(self.array()?) as usize;
        if len > self.rest.len() {
            return Err(self.corrupt("too short"));
        }
        let (head, rest) = self.rest.split_at(len);
        self.rest = rest;
        Ok(Bytes::copy_from_slice(head))
    }

    fn rest(self) -> Bytes {
        Bytes::copy_from_slice(self.rest)
    }

    fn corrupt(&self, what: &'static str) -> Error {
        Error::new(ErrorKind::Corrupt, "a namespace's metadata cannot be read")
            .with("record", self.record)
            .with("because it is", what)
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u32::try_from(bytes.len()).expect("metadata values are at most 64 KiB");
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Which namespace has a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NameRecord {
    pub(crate) id: NamespaceId,
    pub(crate) rest: Bytes,
}

impl NameRecord {
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = vec![FORMAT];
        out.extend_from_slice(&self.id.0.to_be_bytes());
        out.extend_from_slice(&self.rest);
        out.into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("name", bytes)?;
        Ok(NameRecord { id: NamespaceId(reader.u64()?), rest: reader.rest() })
    }
}

/// What never changes about a namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct IdRecord {
    pub(crate) created_version: Version,
    pub(crate) created: Timestamp,
    pub(crate) page_size: PageSize,
    pub(crate) rest: Bytes,
}

impl IdRecord {
    /// Where `created_version` is, which the store fills in.
    pub(crate) const VERSION_AT: usize = 1;

    pub(crate) fn encode(&self) -> Bytes {
        let mut out = vec![FORMAT];
        out.extend_from_slice(self.created_version.as_bytes());
        out.extend_from_slice(&self.created.as_micros().to_be_bytes());
        out.extend_from_slice(&self.page_size.get().to_be_bytes());
        out.extend_from_slice(&self.rest);
        out.into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("id", bytes)?;
        let created_version = Version::from_bytes(reader.array()?);
        let created = Timestamp::from_micros(reader.u64()?);
        let page_size = PageSize::new(u32::from_be_bytes(reader.array()?))
            .map_err(|e| reader.corrupt("without a page size").caused_by(e))?;
        Ok(IdRecord { created_version, created, page_size, rest: reader.rest() })
    }
}

/// What may change about a namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Settings {
    pub(crate) concurrency: Concurrency,
    pub(crate) rest: Bytes,
}

impl Settings {
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = vec![FORMAT];
        out.push(match self.concurrency {
            Concurrency::Serial => 0,
            Concurrency::Optimistic => 1,
        });
        out.extend_from_slice(&self.rest);
        out.into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("settings", bytes)?;
        let [concurrency] = reader.array()?;
        let concurrency = match concurrency {
            0 => Concurrency::Serial,
            1 => Concurrency::Optimistic,
            _ => return Err(reader.corrupt("of an unknown concurrency")),
        };
        Ok(Settings { concurrency, rest: reader.rest() })
    }
}

/// What is left of a deleted namespace: enough for collection to find its
/// pages, and for a person to see what it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tombstone {
    pub(crate) deleted_version: Version,
    pub(crate) deleted: Timestamp,
    /// The name that it had.
    pub(crate) name: Bytes,
    /// Its [`IdRecord`] and [`Settings`] as they were.
    pub(crate) id_record: Bytes,
    pub(crate) settings: Bytes,
    pub(crate) rest: Bytes,
}

impl Tombstone {
    /// Where `deleted_version` is, which the store fills in.
    pub(crate) const VERSION_AT: usize = 1;

    pub(crate) fn encode(&self) -> Bytes {
        let mut out = vec![FORMAT];
        out.extend_from_slice(self.deleted_version.as_bytes());
        out.extend_from_slice(&self.deleted.as_micros().to_be_bytes());
        put_bytes(&mut out, &self.name);
        put_bytes(&mut out, &self.id_record);
        put_bytes(&mut out, &self.settings);
        out.extend_from_slice(&self.rest);
        out.into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("tombstone", bytes)?;
        Ok(Tombstone {
            deleted_version: Version::from_bytes(reader.array()?),
            deleted: Timestamp::from_micros(reader.u64()?),
            name: reader.bytes()?,
            id_record: reader.bytes()?,
            settings: reader.bytes()?,
            rest: reader.rest(),
        })
    }
}

/// The next id: plain 8 bytes, since no field will ever join it.
pub(crate) fn decode_next_id(bytes: Option<&[u8]>) -> Result<u64> {
    let Some(bytes) = bytes else { return Ok(1) };
    let bytes = bytes.try_into().map_err(|_| {
        Error::new(ErrorKind::Corrupt, "the counter of namespace ids is not 8 bytes")
            .with("bytes", bytes.len())
    })?;
    Ok(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests;
