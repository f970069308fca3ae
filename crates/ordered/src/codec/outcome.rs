//! What became of a commit, as remembered by its id.
//!
//! Format (1), kind (1), then: committed: version (10), time (8); page conflict:
//! namespace, page (varints), version (10); namespace conflict: namespace,
//! version; metadata conflict: the key to the end.

use bytes::Bytes;
use hozo_traits::{CommitOutcome, Committed, Conflict, Result};

use super::{Reader, corrupt, put_varint};
use crate::Template;

const FORMAT: u8 = 1;
const COMMITTED: u8 = 1;
const PAGE: u8 = 2;
const NAMESPACE: u8 = 3;
const META: u8 = 4;

/// The record of a commit that is made: version and time are filled in.
pub(crate) fn committed() -> Template {
    let mut out = vec![0; 20];
    out[0] = FORMAT;
    out[1] = COMMITTED;
    Template { bytes: out.into(), version_at: Some(2), time_at: Some(12) }
}

/// The record of a commit that is not made.
pub(crate) fn conflict(conflict: &Conflict) -> Template {
    let mut out = vec![FORMAT];
    match conflict {
        Conflict::Page { namespace, page, version } => {
            out.push(PAGE);
            put_varint(&mut out, namespace.0);
            put_varint(&mut out, u64::from(page.get()));
            out.extend_from_slice(version.as_bytes());
        }
        Conflict::Namespace { namespace, version } => {
            out.push(NAMESPACE);
            put_varint(&mut out, namespace.0);
            out.extend_from_slice(version.as_bytes());
        }
        Conflict::Meta { key } => {
            out.push(META);
            out.extend_from_slice(key);
        }
    }
    Template::plain(out)
}

pub(crate) fn decode(value: &Bytes) -> Result<CommitOutcome> {
    let mut reader = Reader(value);
    reader.format(FORMAT)?;
    let outcome = match reader.byte()? {
        COMMITTED => {
            let (version, time) = (reader.version()?, reader.time()?);
            CommitOutcome::Committed(Committed { version, time })
        }
        PAGE => {
            let (namespace, page) = (reader.namespace()?, reader.page()?);
            CommitOutcome::Conflict(Conflict::Page { namespace, page, version: reader.version()? })
        }
        NAMESPACE => {
            let namespace = reader.namespace()?;
            CommitOutcome::Conflict(Conflict::Namespace { namespace, version: reader.version()? })
        }
        META => {
            let key = value.slice(value.len() - reader.0.len()..);
            return Ok(CommitOutcome::Conflict(Conflict::Meta { key }));
        }
        kind => return Err(corrupt("a commit's outcome has an unknown kind").with("kind", kind)),
    };
    reader.end()?;
    Ok(outcome)
}
