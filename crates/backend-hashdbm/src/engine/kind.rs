//! Kinds of records in a pages volume: what was done, and in which space.

use hozo_ordered::Space;
use hozo_traits::{Error, ErrorKind, Result};

use hozo_log::{Entry, Record};

const PUT: u8 = 16;
const DELETE: u8 = 32;
const DELETE_RANGE: u8 = 48;
/// So many spaces have a number in each kind.
const SPACES: u8 = 16;

/// What a record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Said {
    /// The key has the record's value now.
    Put,
    /// The key has none now.
    Delete,
    /// Nothing from the key to below the value is there now.
    DeleteRange,
}

impl Said {
    /// The record's kind.
    pub(super) fn kind(self, space: Space) -> u8 {
        let base = match self {
            Said::Put => PUT,
            Said::Delete => DELETE,
            Said::DeleteRange => DELETE_RANGE,
        };
        base + space.number()
    }

    /// What a record says, and the number of its space.
    pub(super) fn of(record: &Record<'_>) -> Result<(Said, u8)> {
        let said = match record.kind / SPACES * SPACES {
            PUT => Said::Put,
            DELETE => Said::Delete,
            DELETE_RANGE => Said::DeleteRange,
            _ => {
                return Err(Error::new(
                    ErrorKind::Corrupt,
                    "the log has a record that a volume of pages has not",
                )
                .with("kind", record.kind)
                .with("position", record.position));
            }
        };
        Ok((said, record.kind % SPACES))
    }
}

/// The log's record for one step of a batch.
pub(super) fn entry(op: &hozo_ordered::Op) -> Entry<'_> {
    use hozo_ordered::Op;
    match op {
        Op::Put { space, key, value } => Entry { kind: Said::Put.kind(*space), key, value },
        Op::Delete { space, key } => Entry { kind: Said::Delete.kind(*space), key, value: &[] },
        Op::DeleteRange { space, start, end } => {
            Entry { kind: Said::DeleteRange.kind(*space), key: start, value: end }
        }
    }
}
