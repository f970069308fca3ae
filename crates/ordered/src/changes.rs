//! The list of all that was committed, in order.

use hozo_traits::{ChangeEntry, Commit, Error, ErrorKind, Result, Version};

use crate::codec::{change as codec, corrupt};
use crate::scan::Pieces;
use crate::{OrderedEngine, OrderedPages, Scan, Space, Template, WriteOp, keys};

impl<E: OrderedEngine> OrderedPages<E> {
    pub(crate) async fn read_changes(
        &self,
        after: Version,
        limit: usize,
    ) -> Result<Vec<ChangeEntry>> {
        if after < self.changes_from {
            return Err(Error::new(
                ErrorKind::VersionGone,
                "the store's list of changes does not go back so far",
            )
            .with("after", after)
            .with("begins after", self.changes_from));
        }
        // What appears meanwhile is above, and has not been ordered for all yet.
        let newest = self.engine.watermarks().await?.sequenced;
        let Some(first) = after.successor().filter(|first| limit > 0 && *first <= newest) else {
            return Ok(Vec::new());
        };
        let (start, end) = (keys::change(first, 0), keys::change(newest, u32::MAX));
        let scan = Scan {
            space: Space::Changes,
            start: &start,
            end: &end,
            reverse: false,
            // The parts of a change are answered together, as one commit wrote them.
            limit: usize::MAX,
            bytes_max: 0,
        };
        let mut changes: Vec<ChangeEntry> = Vec::new();
        let mut parts_left = 0;
        let mut pieces = Pieces::of(scan);
        while let Some(piece) = pieces.next(&self.engine).await? {
            for (key, value) in piece {
                let (version, part) = keys::parse_change(&key)?;
                if parts_left == 0 && changes.len() == limit {
                    return Ok(changes);
                }
                let last = changes.last_mut().filter(|change| change.version == version);
                match (part, last) {
                    (0, None) if parts_left == 0 => {
                        let (change, meta) = codec::decode(version, &value)?;
                        parts_left = meta;
                        changes.push(change);
                    }
                    (_, Some(change))
                        if part as usize == change.meta.len() + 1 && parts_left > 0 =>
                    {
                        change.meta.push(codec::decode_meta(version, &value)?);
                        parts_left -= 1;
                    }
                    _ => return Err(lacks_parts(version)),
                }
            }
        }
        match changes.last() {
            Some(change) if parts_left > 0 => Err(lacks_parts(change.version)),
            _ => Ok(changes),
        }
    }
}

fn lacks_parts(version: Version) -> Error {
    corrupt("the list of changes lacks a part").with("version", version)
}

/// Notes the commit in the list.
pub(crate) fn note(commit: &Commit, ops: &mut Vec<WriteOp>) {
    let part = |(value, part): (Template, u32)| WriteOp::Put {
        space: Space::Changes,
        key: Template {
            bytes: keys::change(Version::ZERO, part).into(),
            version_at: Some(keys::CHANGE_VERSION_AT),
            time_at: None,
        },
        value,
    };
    ops.extend(codec::encode(commit).zip(0..).map(part));
}
