//! The parts of a change as stored; version and part are in the key.
//!
//! Part 0: format (1), time (8), commit id (16), then varints: how many pieces
//! of metadata follow as parts 1, 2, …, and the namespaces. Another part: format
//! (1), kind (1: removed, 2: set, 3: set with a version), key length (varint), key, for
//! kind 3 where in the value the version goes (varint), value. The version itself is in
//! the key only: an engine need not put it into both.

use bytes::Bytes;
use hozo_traits::{ChangeEntry, Commit, MetaWrite, Result, Version};

use super::{Reader, corrupt, put_varint};
use crate::Template;

const FORMAT: u8 = 1;
const TIME_AT: usize = 1;
const REMOVED: u8 = 1;
const SET: u8 = 2;
const SET_WITH_VERSION: u8 = 3;

/// The parts of a commit, in order, with room for version and time.
pub(crate) fn encode(commit: &Commit) -> impl Iterator<Item = Template> + '_ {
    let mut head = Vec::with_capacity(32);
    head.push(FORMAT);
    head.extend_from_slice(&[0; 8]);
    head.extend_from_slice(commit.id.as_bytes());
    put_varint(&mut head, commit.meta.len() as u64);
    for change in &commit.namespaces {
        put_varint(&mut head, change.namespace.0);
    }
    let head = Template { bytes: head.into(), version_at: None, time_at: Some(TIME_AT) };
    std::iter::once(head).chain(commit.meta.iter().map(encode_meta))
}

fn encode_meta(write: &MetaWrite) -> Template {
    let value = write.value.as_ref();
    let mut out = Vec::with_capacity(12 + write.key.len() + value.map_or(0, |v| v.bytes.len()));
    out.push(FORMAT);
    out.push(match value {
        None => REMOVED,
        Some(value) if value.version_at.is_some() => SET_WITH_VERSION,
        Some(_) => SET,
    });
    put_varint(&mut out, write.key.len() as u64);
    out.extend_from_slice(&write.key);
    if let Some(value) = value {
        if let Some(at) = value.version_at {
            put_varint(&mut out, at as u64);
        }
        out.extend_from_slice(&value.bytes);
    }
    Template::plain(out)
}

/// The change of which this is part 0, without its metadata, and how much of
/// that is to follow.
pub(crate) fn decode(version: Version, value: &Bytes) -> Result<(ChangeEntry, u32)> {
    let mut reader = Reader(value);
    reader.format(FORMAT)?;
    let time = reader.time()?;
    let commit_id = reader.commit_id()?;
    let meta = reader.varint32()?;
    let mut namespaces = Vec::new();
    while !reader.is_empty() {
        namespaces.push(reader.namespace()?);
    }
    Ok((ChangeEntry { version, time, commit_id, namespaces, meta: Vec::new() }, meta))
}

/// Another part of the commit of a version: a key, and what it was set to.
pub(crate) fn decode_meta(version: Version, value: &Bytes) -> Result<(Bytes, Option<Bytes>)> {
    let mut reader = Reader(value);
    reader.format(FORMAT)?;
    let kind = reader.byte()?;
    let length = reader.length()?;
    let at = value.len() - reader.0.len();
    reader.take(length)?;
    let key = value.slice(at..at + length);
    match kind {
        SET => Ok((key, Some(value.slice(at + length..)))),
        SET_WITH_VERSION => {
            let place = reader.length()?;
            let mut filled = reader.0.to_vec();
            let there = place.checked_add(Version::LEN).and_then(|end| filled.get_mut(place..end));
            let there =
                there.ok_or_else(|| corrupt("a change's version lies outside its value"))?;
            there.copy_from_slice(version.as_bytes());
            Ok((key, Some(filled.into())))
        }
        REMOVED => {
            reader.end()?;
            Ok((key, None))
        }
        kind => Err(corrupt("a change has metadata of an unknown kind").with("kind", kind)),
    }
}
