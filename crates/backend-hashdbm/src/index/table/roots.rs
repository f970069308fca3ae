//! A shard's directory as the roots file keeps it: one run for each page.

use hozo_log::granule::GRANULE_BITS;
use hozo_traits::Result;

use super::cells::Cell;
use super::{Shard, TAG_BITS, damage};

/// Depth, entries, runs.
const HEAD: usize = 1 + 8 + 4;
/// Page, width and whether there is a chain.
const RUN: usize = 4 + 2;
const CHAINED: u16 = 1 << 15;

impl Shard {
    /// Adds what [`decode`](Self::decode) needs.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        to.push(self.depth as u8);
        to.extend(self.entries.to_le_bytes());
        let runs_at = to.len();
        to.extend([0; 4]);
        for range in self.ranges() {
            let chained = if range.chained { CHAINED } else { 0 };
            to.extend(range.page.to_le_bytes());
            to.extend((range.width as u16 | chained).to_le_bytes());
        }
        let runs = (to.len() - runs_at - 4) / RUN;
        to[runs_at..runs_at + 4].copy_from_slice(&(runs as u32).to_le_bytes());
    }

    /// Shard `no` from where `from` begins, which is moved behind it.
    pub(crate) fn decode(no: usize, from: &mut &[u8]) -> Result<Shard> {
        let (head, rest) = from.split_at_checked(HEAD).ok_or_else(short)?;
        let depth = u32::from(head[0]);
        let entries = u64::from_le_bytes(head[1..9].try_into().expect("eight bytes"));
        let runs = u32::from_le_bytes(head[9..13].try_into().expect("four bytes")) as usize;
        let (runs, rest) = rest.split_at_checked(runs.saturating_mul(RUN)).ok_or_else(short)?;
        if depth > TAG_BITS {
            return Err(
                damage("a directory in the roots is deeper than hashes are").with("shard", no)
            );
        }
        if entries >> GRANULE_BITS != 0 {
            return Err(damage("a directory in the roots has more entries than there can be")
                .with("shard", no));
        }
        // Before there is memory for them.
        let width = |run: &[u8]| u64::from(u16::from_le_bytes([run[4], run[5]]) & !CHAINED);
        if runs.chunks_exact(RUN).map(width).sum::<u64>() != 1 << depth {
            return Err(unequal(no));
        }
        let mut shard =
            Shard { no: no as u8, depth, cells: vec![Cell::EMPTY; 1 << depth], entries };
        let mut cell = 0;
        for run in runs.chunks_exact(RUN) {
            let page = u32::from_le_bytes([run[0], run[1], run[2], run[3]]);
            let width = u16::from_le_bytes([run[4], run[5]]);
            let (chained, width) = (width & CHAINED != 0, width & !CHAINED);
            if width == 0 {
                return Err(unequal(no));
            }
            shard.set_range(cell, width.into(), page, chained && page != 0);
            cell += usize::from(width);
        }
        *from = rest;
        Ok(shard)
    }
}

fn short() -> hozo_traits::Error {
    damage("the roots end within a directory")
}

fn unequal(no: usize) -> hozo_traits::Error {
    damage("a directory in the roots does not add up").with("shard", no)
}
