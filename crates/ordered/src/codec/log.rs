//! A page log entry as stored; its version is in its key.
//!
//! Format (1), flags (1), time (8), commit id (16), then varints: page size,
//! page count, pages written, and if flag 1 is set, gap and length of each run.

use bytes::Bytes;
use hozo_traits::{
    CommitId, LogEntry, NamespaceChange, PageNo, PageRuns, PageSize, Result, Version,
};

use super::{Reader, corrupt, put_varint};
use crate::Template;

const FORMAT: u8 = 1;
const LISTED: u8 = 1;
const TIME_AT: usize = 2;

/// Pages are listed while their runs take no more than this. 2 KiB hold about
/// a thousand scattered pages.
const RUNS_BYTES_MAX: usize = 2048;

/// The entry of a commit that wrote `pages`, with room for its time.
pub(crate) fn encode(id: CommitId, change: &NamespaceChange, pages: &[PageNo]) -> Template {
    let runs = PageRuns::of(pages.iter().copied());
    let listed = encode_runs(&runs);
    let mut out = Vec::with_capacity(40 + listed.as_ref().map_or(0, Vec::len));
    out.push(FORMAT);
    out.push(if listed.is_some() { LISTED } else { 0 });
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(id.as_bytes());
    put_varint(&mut out, u64::from(change.page_size.get()));
    put_varint(&mut out, u64::from(change.page_count));
    put_varint(&mut out, pages.len() as u64);
    out.extend_from_slice(&listed.unwrap_or_default());
    Template { bytes: out.into(), version_at: None, time_at: Some(TIME_AT) }
}

/// `None` if they take too much.
fn encode_runs(runs: &PageRuns) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 0u64;
    for (first, count) in runs.runs() {
        put_varint(&mut out, u64::from(first.get()) - at);
        put_varint(&mut out, u64::from(*count));
        at = u64::from(first.get()) + u64::from(*count);
        if out.len() > RUNS_BYTES_MAX {
            return None;
        }
    }
    Some(out)
}

/// The entry with this version.
pub(crate) fn decode(version: Version, value: &Bytes) -> Result<LogEntry> {
    let mut reader = Reader(value);
    reader.format(FORMAT)?;
    let flags = reader.byte()?;
    let time = reader.time()?;
    let commit_id = reader.commit_id()?;
    let page_size = PageSize::new(reader.varint32()?)
        .map_err(|e| corrupt("a log entry has an impossible page size").caused_by(e))?;
    let page_count = reader.varint32()?;
    let pages_written = reader.varint32()?;
    let pages = if flags & LISTED != 0 { Some(decode_runs(reader, pages_written)?) } else { None };
    Ok(LogEntry { version, time, commit_id, pages_written, pages, page_size, page_count })
}

fn decode_runs(mut reader: Reader<'_>, pages_written: u32) -> Result<PageRuns> {
    let wrong = || corrupt("a log entry's page list does not fit its count");
    let mut runs = Vec::new();
    let mut left = pages_written;
    let mut at = 0u64;
    while !reader.is_empty() {
        let first = at.checked_add(reader.varint()?).ok_or_else(wrong)?;
        let first = u32::try_from(first).ok().and_then(PageNo::new).ok_or_else(wrong)?;
        let count = reader.varint32()?;
        left = left.checked_sub(count).ok_or_else(wrong)?;
        at = u64::from(first.get()) + u64::from(count);
        runs.push((first, count));
    }
    if left > 0 {
        return Err(wrong());
    }
    PageRuns::from_runs(runs).ok_or_else(wrong)
}
