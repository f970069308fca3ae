//! How keys are made. All numbers are big-endian, so keys sort as what they name.

use hozo_traits::{CommitId, NamespaceId, PageNo, Result, Timestamp, Version};

use crate::KeyRange;
use crate::codec::{Reader, corrupt};

/// Where the version stands in a page key.
pub(crate) const PAGE_VERSION_AT: usize = 12;
/// Where the version stands in a log key.
pub(crate) const LOG_VERSION_AT: usize = 8;
/// Where the time stands in a key of log entries by time.
pub(crate) const TIMES_TIME_AT: usize = 8;
/// Where the version stands in a key of log entries by time.
pub(crate) const TIMES_VERSION_AT: usize = 16;

/// Where the version stands in a key of the list of changes.
pub(crate) const CHANGE_VERSION_AT: usize = 0;

/// The longest metadata key.
pub(crate) const META_KEY_BYTES_MAX: usize = 1024;

/// The format of everything that the store holds, as a value.
pub(crate) const SYSTEM_FORMAT: &[u8] = b"format";
/// The newest version, as a value: written with every versioned batch.
pub(crate) const SYSTEM_VERSION: &[u8] = b"version";
/// Commit ids made before this many milliseconds may have been forgotten.
pub(crate) const SYSTEM_FORGOTTEN: &[u8] = b"forgotten";

/// The version after which the list of changes is whole.
pub(crate) const SYSTEM_CHANGES: &[u8] = b"changes";

/// Counts the purges of a namespace.
pub(crate) fn purges(namespace: NamespaceId) -> Vec<u8> {
    [b"purges/", namespace.0.to_be_bytes().as_slice()].concat()
}

pub(crate) fn page(namespace: NamespaceId, page: PageNo, version: Version) -> Vec<u8> {
    let mut key = Vec::with_capacity(22);
    key.extend_from_slice(&namespace.0.to_be_bytes());
    key.extend_from_slice(&page.get().to_be_bytes());
    key.extend_from_slice(version.as_bytes());
    key
}

/// The records of a page from one version to another, both included.
pub(crate) fn page_range(
    namespace: NamespaceId,
    number: PageNo,
    from: Version,
    to: Version,
) -> KeyRange {
    KeyRange { start: page(namespace, number, from), end: page(namespace, number, to) }
}

/// The version in a page key.
pub(crate) fn page_version(key: &[u8]) -> Result<Version> {
    version_at(key, PAGE_VERSION_AT)
}

pub(crate) fn log(namespace: NamespaceId, version: Version) -> Vec<u8> {
    [namespace.0.to_be_bytes().as_slice(), version.as_bytes()].concat()
}

/// The version in a log key.
pub(crate) fn log_version(key: &[u8]) -> Result<Version> {
    version_at(key, LOG_VERSION_AT)
}

pub(crate) fn times(namespace: NamespaceId, time: Timestamp, version: Version) -> Vec<u8> {
    let namespace = namespace.0.to_be_bytes();
    let time = time.as_micros().to_be_bytes();
    [namespace.as_slice(), &time, version.as_bytes()].concat()
}

/// The version in a key of log entries by time.
pub(crate) fn times_version(key: &[u8]) -> Result<Version> {
    version_at(key, TIMES_VERSION_AT)
}

/// A part of a change.
pub(crate) fn change(version: Version, part: u32) -> Vec<u8> {
    [version.as_bytes().as_slice(), &part.to_be_bytes()].concat()
}

/// Whose part it is, and which.
pub(crate) fn parse_change(key: &[u8]) -> Result<(Version, u32)> {
    let mut reader = Reader(key);
    let version = reader.version()?;
    let part = u32::from_be_bytes(reader.array()?);
    reader.end()?;
    Ok((version, part))
}

/// The key right after `key`.
pub(crate) fn after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// The first key above all that begin with `prefix`; `None` if nothing is.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte < 0xff)?;
    let mut key = prefix[..=last].to_vec();
    key[last] += 1;
    Some(key)
}

/// The first 16 bytes of the ids made at `millis`.
pub(crate) fn commit_ids_from(millis: u64) -> Vec<u8> {
    CommitId::new(Timestamp::from_micros(millis.saturating_mul(1000)), [0; 10]).as_bytes().to_vec()
}

/// Keys of the staged space, which has three parts.
pub(crate) mod staged {
    use super::*;

    const OPEN: u8 = 0;
    const RUNS: u8 = 1;
    const IMAGES: u8 = 2;

    /// There while the id has staged pages that no commit took.
    pub(crate) fn open(id: CommitId) -> Vec<u8> {
        prefixed(OPEN, id)
    }

    /// The range of all [`open`] keys: the first, and the first after.
    pub(crate) const ALL_OPEN: (&[u8], &[u8]) = (&[OPEN], &[RUNS]);

    /// The id in an [`open`] key.
    pub(crate) fn open_id(key: &[u8]) -> Result<CommitId> {
        let mut reader = Reader(key);
        reader.byte()?;
        reader.commit_id()
    }

    /// Says that `count` pages from `first` are staged. One key for each run
    /// of each call, so that a commit learns what is staged without reading it.
    pub(crate) fn run(id: CommitId, namespace: NamespaceId, first: PageNo, count: u32) -> Vec<u8> {
        let mut key = prefixed(RUNS, id);
        key.extend_from_slice(&namespace.0.to_be_bytes());
        key.extend_from_slice(&first.get().to_be_bytes());
        key.extend_from_slice(&count.to_be_bytes());
        key
    }

    /// What a [`run`] key says.
    pub(crate) fn parse_run(key: &[u8]) -> Result<(NamespaceId, PageNo, u32)> {
        let mut reader = Reader(key);
        reader.take(1 + CommitId::LEN)?;
        let namespace = NamespaceId(u64::from_be_bytes(reader.array()?));
        let first = PageNo::new(u32::from_be_bytes(reader.array()?))
            .ok_or_else(|| corrupt("a staged run begins at page 0"))?;
        Ok((namespace, first, u32::from_be_bytes(reader.array()?)))
    }

    /// Where the image of a staged page is, before and after the commit.
    pub(crate) fn image(id: CommitId, namespace: NamespaceId, page: PageNo) -> Vec<u8> {
        let mut key = prefixed(IMAGES, id);
        key.extend_from_slice(&namespace.0.to_be_bytes());
        key.extend_from_slice(&page.get().to_be_bytes());
        key
    }

    /// From the first key to below the second: every [`run`] of an id.
    pub(crate) fn all_runs(id: CommitId) -> (Vec<u8>, Vec<u8>) {
        both_ends(prefixed(RUNS, id))
    }

    /// Every [`image`] of an id.
    pub(crate) fn all_images(id: CommitId) -> (Vec<u8>, Vec<u8>) {
        both_ends(prefixed(IMAGES, id))
    }

    /// Every [`image`] of one namespace of an id.
    pub(crate) fn images_of(id: CommitId, namespace: NamespaceId) -> (Vec<u8>, Vec<u8>) {
        let mut prefix = prefixed(IMAGES, id);
        prefix.extend_from_slice(&namespace.0.to_be_bytes());
        both_ends(prefix)
    }

    fn prefixed(part: u8, id: CommitId) -> Vec<u8> {
        let mut key = Vec::with_capacity(33);
        key.push(part);
        key.extend_from_slice(id.as_bytes());
        key
    }

    fn both_ends(prefix: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
        // The first byte of every prefix here is below 0xff.
        let end = after_prefix(&prefix).unwrap_or_default();
        (prefix, end)
    }
}

fn version_at(key: &[u8], at: usize) -> Result<Version> {
    let mut reader = Reader(key);
    reader.take(at)?;
    let version = reader.version()?;
    reader.end()?;
    Ok(version)
}
