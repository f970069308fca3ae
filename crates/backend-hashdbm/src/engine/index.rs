//! The index of a volume of pages: a tree, and a table of newest versions, both
//! behind one lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hozo_log::{Entry, Record, WINDOW_BYTES};
use hozo_traits::Result;
use parking_lot::RwLock;

use super::NEWEST_PAGES;
use super::place::Place;
use super::state::State;
use crate::index::table::SHARDS;
use crate::index::tree::Tree;
use crate::index::{PageSet, Shard};
use crate::volume::roots::{Reader, not_ours};
use crate::volume::{Core, Index};

/// The index of a volume of pages.
pub(super) struct PageIndex {
    /// The gate: a batch appears at once to whoever holds it.
    pub(super) state: RwLock<State>,
    /// The same as in the state, to be read without the lock.
    pub(super) live: AtomicU64,
}

impl PageIndex {
    fn of(state: State) -> PageIndex {
        PageIndex { live: AtomicU64::new(state.live), state: RwLock::new(state) }
    }
}

impl Index for PageIndex {
    const KIND: u32 = 2;

    fn empty(_: &Core) -> Result<Self> {
        Ok(PageIndex::of(State::empty()))
    }

    fn load(_: &Core, roots: &[u8]) -> Result<Self> {
        let mut rest = Reader(roots);
        let live = rest.u64().filter(|live| *live <= WINDOW_BYTES);
        let live = live.ok_or_else(|| not_ours("live bytes"))?;
        let (tree, tables) = rest.0.split_first_chunk().ok_or_else(|| not_ours("tree"))?;
        let tree = Tree::from_bytes(tree)?;
        let mut rest = Reader(tables);
        let newest =
            (0..SHARDS).map(|no| Shard::decode(no, &mut rest.0)).collect::<Result<Vec<_>>>()?;
        if !rest.0.is_empty() {
            return Err(not_ours("end"));
        }
        Ok(PageIndex::of(State { tree, newest, live }))
    }

    fn pages(&self, core: &Core, used: &mut PageSet) -> Result<()> {
        let state = self.state.read();
        state.tree.page_numbers(&core.pager, &mut |no| match used.insert(no) {
            true => Ok(()),
            false => Err(not_ours("index page with two owners").with("page", no)),
        })?;
        state.newest.iter().try_for_each(|shard| shard.pages(&core.pager, used))
    }

    fn replay(&self, core: &Core, record: &Record<'_>) -> Result<()> {
        let mut state = self.state.write();
        state.change(core, record)?;
        self.live.store(state.live, Relaxed);
        Ok(())
    }

    fn freeze(&self, roots: &mut Vec<u8>, at_rest: &mut dyn FnMut()) {
        let state = self.state.write();
        at_rest();
        roots.extend_from_slice(&state.live.to_le_bytes());
        roots.extend_from_slice(&state.tree.to_bytes());
        state.newest.iter().for_each(|shard| shard.encode(roots));
    }

    fn relocate(&self, core: &Core, records: &[Record<'_>]) -> Result<()> {
        let mut state = self.state.write();
        let mut live = Vec::with_capacity(records.len());
        for record in records {
            if state.has(core, record)? {
                live.push(record);
            }
        }
        let entries: Vec<Entry<'_>> =
            live.iter().map(|r| Entry { kind: r.kind, key: r.key, value: r.value }).collect();
        // As before a batch: the index has to follow what is said. But nothing
        // is divided, and each page is copied once.
        let each = state.tree.pages_for_change() + NEWEST_PAGES;
        let copied = usize::try_from(core.pager.pages_used()).unwrap_or(usize::MAX);
        core.pager.reserve(entries.len().saturating_mul(each).min(copied))?;
        let positions = core.log.append_batch(&entries)?;
        for (record, position) in live.into_iter().zip(positions) {
            state
                .move_to(core, record, Place::new(position, record.bytes))
                .map_err(|e| core.break_with(e))?;
        }
        Ok(())
    }

    fn live_bytes(&self) -> u64 {
        self.live.load(Relaxed)
    }
}
